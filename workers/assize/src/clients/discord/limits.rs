//! Shortens a notice to what Discord takes: a longer one would be refused and nobody told (judge, W28).

use super::{Notice, NoticeField};

const MAX_TITLE: usize = 256;
const MAX_DESCRIPTION: usize = 4096;
const MAX_FIELDS: usize = 25;
const MAX_FIELD_NAME: usize = 256;
const MAX_FIELD_VALUE: usize = 1024;
/// All texts of an embed together.
const MAX_TOTAL: usize = 6000;

const FENCE: &str = "```";

/// `notice` within all limits, counted in UTF-16 units as Discord's clients do, which is never less than characters.
pub fn within(notice: &Notice) -> Notice {
    let fields = notice
        .fields
        .iter()
        .take(MAX_FIELDS)
        .map(|field| NoticeField {
            name: shortened(or_blank(&field.name), MAX_FIELD_NAME),
            value: shortened(or_blank(&field.value), MAX_FIELD_VALUE),
            inline: field.inline,
        });
    let mut short = Notice {
        title: shortened(&notice.title, MAX_TITLE),
        description: notice
            .description
            .as_deref()
            .map(|text| shortened(text, MAX_DESCRIPTION)),
        fields: fields.collect(),
        ..notice.clone()
    };
    while total(&short) > MAX_TOTAL && short.fields.pop().is_some() {}
    short
}

fn total(notice: &Notice) -> usize {
    let fields: usize = notice
        .fields
        .iter()
        .map(|field| length(&field.name) + length(&field.value))
        .sum();
    length(&notice.title) + notice.description.as_deref().map_or(0, length) + fields
}

/// Discord refuses fields without a text.
fn or_blank(text: &str) -> &str {
    if text.trim().is_empty() { "–" } else { text }
}

/// `text`, or its start and an ellipsis; a code block that is cut is closed.
fn shortened(text: &str, limit: usize) -> String {
    if length(text) <= limit {
        return text.to_owned();
    }
    let room = limit - 1 - 1 - FENCE.len();
    let mut kept = String::new();
    let mut used = 0;
    for character in text.chars() {
        used += character.len_utf16();
        if used > room {
            break;
        }
        kept.push(character);
    }
    // A fence cut in two would be no fence.
    let whole = kept.trim_end_matches('`').len();
    kept.truncate(whole);
    kept.push('…');
    if kept.matches(FENCE).count() % 2 == 1 {
        kept.push('\n');
        kept.push_str(FENCE);
    }
    kept
}

fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn notice(description: &str, fields: usize) -> Notice {
        let field = NoticeField {
            name: "n".repeat(300),
            value: "v".repeat(2000),
            inline: true,
        };
        Notice {
            title: "t".repeat(300),
            color: 0,
            timestamp: DateTime::UNIX_EPOCH,
            description: Some(description.to_owned()),
            fields: vec![field; fields],
        }
    }

    #[test]
    fn a_notice_within_the_limits_stays_as_it_is() {
        let mut small = notice("```\nleader\n```", 1);
        small.title = "Round 6 timeline".to_owned();
        small.fields[0].name = "Miners".to_owned();
        small.fields[0].value = "23".to_owned();
        assert_eq!(within(&small), small);
    }

    #[test]
    fn long_texts_are_cut_and_the_whole_fits() {
        let short = within(&notice(&"ß".repeat(9000), 40));
        assert!(length(&short.title) <= MAX_TITLE && short.title.ends_with('…'));
        assert!(length(short.description.as_deref().unwrap_or_default()) <= MAX_DESCRIPTION);
        assert!(total(&short) <= MAX_TOTAL);
        let short = within(&notice(&"💎".repeat(9000), 0));
        assert!(length(short.description.as_deref().unwrap_or_default()) <= MAX_DESCRIPTION);
    }

    #[test]
    fn a_code_block_that_is_cut_is_closed() {
        let long = format!("```\n{}\n```", "line\n".repeat(2000));
        let short = within(&notice(&long, 0)).description.unwrap_or_default();
        assert!(short.ends_with("…\n```"), "{short}");
        assert_eq!(short.matches(FENCE).count(), 2);
    }

    #[test]
    fn a_field_without_text_gets_a_dash() {
        let mut empty = notice("", 1);
        empty.fields[0].value = " ".to_owned();
        assert_eq!(within(&empty).fields[0].value, "–");
    }
}
