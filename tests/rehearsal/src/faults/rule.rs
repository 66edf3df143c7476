//! A fault as one writes it: `SERVICE:KIND[*TIMES | /EVERY | ~DURATION][@PATH]`.

use std::str::FromStr;
use std::time::Duration;

use super::{Fault, Lasting, Service};

/// One fault of one service, with how long it stays and which paths it strikes.
///
/// Parses from `github:500*3` (three times), `gateway:truncated/10@.js` (every tenth request for a path with `.js`),
/// `chain:outage~30s` (for 30 seconds), `vlm:slow=2s` (until cleared). Kinds: a status `400..=599`, `slow=DURATION`,
/// `truncated`, `garbage`, `reset`, `outage`. Durations: `500ms`, `30s`, `2m`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultRule {
    /// The service that misbehaves.
    pub service: Service,
    /// What goes wrong.
    pub fault: Fault,
    /// How long it stays.
    pub lasting: Lasting,
    /// Only requests whose path and query contain this. Ignored by outages, which strike connections.
    pub path_contains: Option<String>,
}

/// Why a text is no fault rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultRuleError {
    text: String,
    problem: &'static str,
}

impl std::fmt::Display for FaultRuleError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { text, problem } = self;
        write!(
            f,
            "`{text}` is not a fault: {problem}; write for instance github:500*3 or chain:outage~30s"
        )
    }
}

impl std::error::Error for FaultRuleError {}

impl FromStr for FaultRule {
    type Err = FaultRuleError;

    fn from_str(text: &str) -> Result<Self, FaultRuleError> {
        parse(text).map_err(|problem| FaultRuleError {
            text: text.to_owned(),
            problem,
        })
    }
}

fn parse(text: &str) -> Result<FaultRule, &'static str> {
    let (service, rest) = text
        .split_once(':')
        .ok_or("it has no colon after the service")?;
    let service = Service::ALL
        .into_iter()
        .find(|known| known.name() == service)
        .ok_or("its service is unknown")?;
    let (rest, path_contains) = match rest.split_once('@') {
        Some((rest, path)) => (rest, Some(path.to_owned())),
        None => (rest, None),
    };
    let (kind, lasting) = if let Some((kind, times)) = rest.split_once('*') {
        (
            kind,
            Lasting::Times(times.parse().map_err(|_| "the number after * is not one")?),
        )
    } else if let Some((kind, nth)) = rest.split_once('/') {
        let nth: u32 = nth.parse().map_err(|_| "the number after / is not one")?;
        (kind, Lasting::EveryNth(nth.max(1)))
    } else if let Some((kind, duration)) = rest.split_once('~') {
        (kind, Lasting::For(parse_duration(duration)?))
    } else {
        (rest, Lasting::UntilCleared)
    };
    let fault = match kind {
        "truncated" => Fault::Truncated,
        "garbage" => Fault::Garbage,
        "reset" => Fault::Reset,
        "outage" => Fault::Outage,
        _ => match kind.strip_prefix("slow=") {
            Some(delay) => Fault::Slow(parse_duration(delay)?),
            None => match kind.parse() {
                Ok(status @ 400..=599) => Fault::Status(status),
                _ => return Err("its kind is unknown"),
            },
        },
    };
    Ok(FaultRule {
        service,
        fault,
        lasting,
        path_contains,
    })
}

fn parse_duration(text: &str) -> Result<Duration, &'static str> {
    const PROBLEM: &str = "a duration is a number with ms, s or m";
    let digits = text
        .find(|character: char| !character.is_ascii_digit())
        .ok_or(PROBLEM)?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| PROBLEM)?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number.saturating_mul(60))),
        _ => Err(PROBLEM),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn rule(text: &str) -> FaultRule {
        text.parse().unwrap()
    }

    #[test]
    fn each_kind_and_each_length_can_be_written() {
        let plain = |service, fault, lasting| FaultRule {
            service,
            fault,
            lasting,
            path_contains: None,
        };
        assert_eq!(
            rule("github:500*3"),
            plain(Service::GitHub, Fault::Status(500), Lasting::Times(3))
        );
        assert_eq!(
            rule("vlm:slow=250ms"),
            plain(
                Service::Vlm,
                Fault::Slow(Duration::from_millis(250)),
                Lasting::UntilCleared
            )
        );
        assert_eq!(
            rule("chain:outage~2m"),
            plain(
                Service::Chain,
                Fault::Outage,
                Lasting::For(Duration::from_mins(2))
            )
        );
        assert_eq!(
            rule("gateway:truncated/10@.js"),
            FaultRule {
                path_contains: Some(".js".to_owned()),
                ..plain(Service::Gateway, Fault::Truncated, Lasting::EveryNth(10))
            }
        );
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for text in [
            "github",
            "gitlab:500",
            "github:200",
            "github:slow=3h",
            "github:500*many",
            "github:",
        ] {
            let error = text.parse::<FaultRule>().unwrap_err();
            assert!(error.to_string().contains(text), "{error}");
        }
    }
}
