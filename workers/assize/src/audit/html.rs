//! The audit as one HTML page without scripts, to be read and passed on.

use std::fmt::Write as _;

use workflow::rules::percent::signed_percent;

use super::code::Severity;
use super::report::{AuditReport, RoundReport};
use super::text::short;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#222}\
table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}th,td{text-align:left;padding:.3rem .6rem;\
border-bottom:1px solid #ddd;vertical-align:top}th{font-weight:600}code{font:13px ui-monospace,monospace;\
overflow-wrap:anywhere}.number{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}\
.error{color:#a40000}.warning{color:#8a5a00}.note{color:#555}.won{font-weight:600}";

/// The whole page.
pub fn to_html(report: &AuditReport) -> String {
    let mut page = String::new();
    let source = &report.source;
    let _ = write!(
        page,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Audit of {path}</title>\
         <style>{STYLE}</style></head><body><h1>Audit of <code>{path}</code></h1><p>",
        path = escape(&source.path)
    );
    if let Some(commit) = &source.commit {
        let _ = write!(
            page,
            "Commit <code>{}</code>, {} commits walked, ",
            escape(commit),
            source.commits
        );
    }
    let _ = write!(
        page,
        "{} files read. <b>{} errors, {} warnings, {} notes.</b></p>",
        source.files,
        report.count(Severity::Error),
        report.count(Severity::Warning),
        report.count(Severity::Note)
    );
    if source.missing_objects > 0 {
        let _ = write!(
            page,
            "<p class=\"warning\">{} objects are not in this clone; what needs them was not checked.</p>",
            source.missing_objects
        );
    }
    for round in &report.rounds {
        add_round(&mut page, report, round);
    }
    add_findings(&mut page, report);
    page.push_str("</body></html>\n");
    page
}

fn add_round(page: &mut String, report: &AuditReport, round: &RoundReport) {
    let _ = write!(
        page,
        "<h2 id=\"round-{0}\">Round {0}</h2><p>{1} miners, {2} prompts, derived by {3}",
        round.round,
        round.miners,
        round.prompts,
        round.rules.as_str()
    );
    if let Some(win_margin) = round.win_margin {
        let _ = write!(page, ", win margin {}", signed_percent(win_margin));
    }
    if let Some((low, high)) = round.requests_made_with {
        let _ = write!(
            page,
            " (audit requests were made with one above {low} and up to {high})"
        );
    }
    page.push_str(".</p>");
    let named = |side: &Option<schema::Side>| {
        side.as_ref().map_or_else(
            || "undecided".to_owned(),
            |side| format!("<code>{}</code>", escape(side.as_str())),
        )
    };
    if round.recorded_winner.is_some() || round.derived_winner.is_some() {
        let class = if round.recorded_winner == round.derived_winner {
            ""
        } else {
            " class=\"error\""
        };
        let _ = write!(
            page,
            "<p{class}>Winner by <code>winner.json</code>: {}; by the files: {}.</p>",
            named(&round.recorded_winner),
            named(&round.derived_winner)
        );
    }
    if !round.timeline.is_empty() {
        page.push_str(
            "<h3>Timeline</h3><table><tr><th>#</th><th>Miner</th><th class=\"number\">Against the leader</th>\
             <th>Defender</th><th class=\"number\">Margin</th><th>Outcome</th></tr>",
        );
        for (index, row) in round.timeline.iter().enumerate() {
            let _ = write!(
                page,
                "<tr{}><td>{}</td><td><code>{}</code></td><td class=\"number\">{}</td><td><code>{}</code></td>\
                 <td class=\"number\">{}</td><td>{}</td></tr>",
                if row.outcome.starts_with("won") {
                    " class=\"won\""
                } else {
                    ""
                },
                index + 1,
                escape(row.hotkey.as_str()),
                percent(row.qualification),
                escape(row.defender.short()),
                percent(row.margin),
                escape(&row.outcome)
            );
        }
        page.push_str("</table>");
    }
    if !round.near.is_empty() {
        page.push_str(
            "<h3>Margins near the threshold</h3><p>Judging the same match again finds a margin in this range 95 times of \
             100.</p><table><tr><th>Challenger</th><th>Defender</th><th class=\"number\">Margin</th>\
             <th class=\"number\">Range</th></tr>",
        );
        for row in &round.near {
            let _ = write!(
                page,
                "<tr><td><code>{}</code></td><td><code>{}</code></td><td class=\"number\">{}</td>\
                 <td class=\"number\">{} to {}</td></tr>",
                escape(row.right.as_str()),
                escape(&row.left),
                signed_percent(row.margin),
                signed_percent(row.low),
                signed_percent(row.high)
            );
        }
        page.push_str("</table>");
    }
    add_later_runs(page, round);
    add_set_aside(page, round);
    let rows: Vec<_> = report
        .confirmations
        .iter()
        .filter(|row| row.round == Some(round.round))
        .collect();
    if !rows.is_empty() {
        page.push_str(
            "<h3>Checked</h3><table><tr><th>What</th><th class=\"number\">Holds</th>\
             <th class=\"number\">Does not</th></tr>",
        );
        for row in rows {
            let _ = write!(
                page,
                "<tr><td>{}</td><td class=\"number\">{}</td><td class=\"number{}\">{}</td></tr>",
                row.area.as_str(),
                row.held,
                if row.failed > 0 { " error" } else { "" },
                row.failed
            );
        }
        page.push_str("</table>");
    }
}

fn add_later_runs(page: &mut String, round: &RoundReport) {
    if round.later_runs.is_empty() {
        return;
    }
    page.push_str(
        "<h3>Measured again</h3><p>Matches near a threshold are measured again. The first run counts; these decided \
         nothing.</p><table><tr><th>Match</th><th>Run</th><th class=\"number\">Counts</th>\
         <th class=\"number\">Measured</th><th></th></tr>",
    );
    for row in &round.later_runs {
        let run = match row.judgement {
            0 => row.run.to_string(),
            judgement => format!("{} of judgement {judgement}", row.run),
        };
        let _ = write!(
            page,
            "<tr><td>{}: <code>{}</code> against <code>{}</code></td><td>{run}</td><td class=\"number\">{}</td>\
             <td class=\"number\">{}</td><td>{}</td></tr>",
            escape(&row.matrix),
            escape(&row.left),
            escape(row.right.as_str()),
            percent(row.counted),
            signed_percent(row.margin),
            if row.decides_otherwise {
                "would decide otherwise"
            } else {
                ""
            }
        );
    }
    page.push_str("</table>");
}

fn add_set_aside(page: &mut String, round: &RoundReport) {
    if round.set_aside.is_empty() {
        return;
    }
    page.push_str(
        "<h3>Replaced results</h3><table><tr><th>Result</th><th class=\"number\">Was</th><th class=\"number\">Is</th>\
         <th>Why</th><th>Kept as</th></tr>",
    );
    for row in &round.set_aside {
        let _ = write!(
            page,
            "<tr><td><code>{}</code></td><td class=\"number\">{}</td><td class=\"number\">{}</td><td>{}</td>\
             <td><code>{}</code></td></tr>",
            escape(&row.what),
            percent(row.margin),
            percent(row.now),
            escape(&row.because),
            escape(row.kept_as.as_deref().unwrap_or("its margin in the ledger"))
        );
    }
    page.push_str("</table>");
}

fn add_findings(page: &mut String, report: &AuditReport) {
    page.push_str("<h2 id=\"findings\">Findings</h2>");
    if report.findings.is_empty() {
        page.push_str("<p>None.</p>");
        return;
    }
    page.push_str("<table><tr><th>Finding</th><th>Round</th><th>Where</th><th>What</th></tr>");
    for finding in &report.findings {
        let _ = write!(
            page,
            "<tr><td class=\"{0}\" title=\"{3}\">{0}<br><code>{1}</code></td><td>{2}</td><td>",
            finding.severity.as_str(),
            finding.code,
            finding
                .round
                .map(|round| round.to_string())
                .unwrap_or_default(),
            escape(finding.code.meaning())
        );
        if let Some(path) = &finding.path {
            let _ = write!(page, "<code>{}</code><br>", escape(path));
        }
        if let Some(commit) = &finding.commit {
            let _ = write!(
                page,
                "commit <code title=\"{}\">{}</code>",
                escape(commit),
                escape(short(commit))
            );
        }
        let _ = write!(page, "</td><td>{}</td></tr>", escape(&finding.message));
    }
    page.push_str("</table>");
}

fn percent(margin: Option<f64>) -> String {
    margin.map_or_else(|| "–".to_owned(), signed_percent)
}

/// Text from a repository may hold anything.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_a_repository_cannot_become_markup() {
        assert_eq!(escape("<script>'\"&"), "&lt;script&gt;&#39;&quot;&amp;");
    }
}
