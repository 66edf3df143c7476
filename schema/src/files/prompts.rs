//! `prompts.txt`: image URLs, one a line.

use crate::{Absence, FileError, Problem, StateFile, Stem};

/// `prompts.txt`, the global pool or a round's list: image URLs in order. Duplicates are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prompts(pub Vec<String>);

impl Prompts {
    /// The image URLs, in file order.
    pub fn urls(&self) -> &[String] {
        &self.0
    }

    /// The stems, in file order.
    pub fn stems(&self) -> impl Iterator<Item = Stem> + '_ {
        self.0.iter().map(|url| Stem::of_url(url))
    }

    /// How many prompts there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first URL with this stem.
    pub fn url_of(&self, stem: &Stem) -> Option<&str> {
        self.0
            .iter()
            .find(|url| Stem::of_url(url) == *stem)
            .map(String::as_str)
    }

    /// Reads as the reference's judge and orchestrator do: the body is trimmed, split on `\n` alone, and empty lines are
    /// dropped. A `\r` stays in the URL, so this is only for checking what those readers see.
    ///
    /// # Errors
    ///
    /// [`FileError`] when the bytes are no UTF-8.
    #[expect(
        clippy::str_split_at_newline,
        reason = "`lines` would take the `\\r` away that those readers see"
    )]
    pub fn parse_split_on_newline_only(path: &str, bytes: &[u8]) -> Result<Self, FileError> {
        let lines = text(path, bytes)?
            .trim()
            .split('\n')
            .filter(|line| !line.is_empty());
        Ok(Self(lines.map(str::to_owned).collect()))
    }
}

impl StateFile for Prompts {
    const ABSENCE: Absence = Absence::Required;

    /// Reads as the collector does: split on any line break, each line trimmed, blank lines dropped. For lists that
    /// services wrote this gives the same as [`Prompts::parse_split_on_newline_only`].
    fn parse(path: &str, bytes: &[u8]) -> Result<Self, FileError> {
        let lines = text(path, bytes)?
            .split(is_line_break)
            .map(str::trim)
            .filter(|line| !line.is_empty());
        Ok(Self(lines.map(str::to_owned).collect()))
    }

    fn to_bytes(&self) -> Vec<u8> {
        self.0.join("\n").into_bytes()
    }
}

impl FromIterator<String> for Prompts {
    fn from_iter<I: IntoIterator<Item = String>>(urls: I) -> Self {
        Self(urls.into_iter().collect())
    }
}

fn text<'a>(path: &str, bytes: &'a [u8]) -> Result<&'a str, FileError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let line = 1 + bytes
            .iter()
            .take(error.valid_up_to())
            .filter(|byte| **byte == b'\n')
            .count();
        FileError {
            path: path.to_owned(),
            line,
            column: 0,
            problem: Problem::NotUtf8,
        }
    })
}

/// The Unicode line breaks, and the separators Python's `splitlines` adds to them.
fn is_line_break(character: char) -> bool {
    matches!(
        character,
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_collector_splits_on_any_line_break_and_the_judge_on_newlines_only() {
        let body = b"\nhttps://h/a.png \r\n\r\n https://h/b.png\xe2\x80\xa8https://h/c.png\n\n";
        let collector = Prompts::parse("prompts.txt", body).unwrap();
        assert_eq!(
            collector.urls(),
            ["https://h/a.png", "https://h/b.png", "https://h/c.png"]
        );
        let judge = Prompts::parse_split_on_newline_only("prompts.txt", body).unwrap();
        assert_eq!(
            judge.urls(),
            [
                "https://h/a.png \r",
                "\r",
                " https://h/b.png\u{2028}https://h/c.png"
            ]
        );
    }

    #[test]
    fn prompts_are_written_one_a_line_without_a_final_newline() {
        let prompts: Prompts = ["https://h/a.png".to_owned(), "https://h/b.png".to_owned()]
            .into_iter()
            .collect();
        assert_eq!(prompts.to_bytes(), b"https://h/a.png\nhttps://h/b.png");
        assert_eq!(prompts.url_of(&Stem::new("b")), Some("https://h/b.png"));
        assert_eq!(
            prompts.stems().collect::<Vec<_>>(),
            [Stem::new("a"), Stem::new("b")]
        );
    }

    #[test]
    fn bytes_that_are_no_text_name_their_line() {
        let error = Prompts::parse("prompts.txt", b"a\nb\n\xff").unwrap_err();
        assert_eq!(error.to_string(), "prompts.txt:3: expected UTF-8 text");
    }
}
