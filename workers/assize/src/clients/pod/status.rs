//! Reads what a pod says of itself (miner API §3.2).

use serde_json::{Map, Value};

use super::{PodState, PodStatus};

/// Largest diagnostics that are kept, in bytes of JSON.
const MAX_PAYLOAD_BYTES: usize = 4096;

/// Reads a status. Unknown fields are ignored; what the protocol names must be well-formed.
///
/// # Errors
///
/// A sentence fragment that says what is wrong.
pub fn read(body: &[u8]) -> Result<PodStatus, String> {
    let mut object = object(body).ok_or("a body that is no JSON object")?;
    let state = object
        .get("status")
        .and_then(Value::as_str)
        .and_then(PodState::from_text);
    let state = state.ok_or("no known state")?;
    let number = |name: &str| match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => whole_number(value)
            .map(Some)
            .ok_or_else(|| format!("a bad {name}")),
    };
    let (progress, total) = (number("progress")?, number("total")?);
    let payload = match object.remove("payload") {
        None | Some(Value::Null) => None,
        Some(Value::Object(payload)) => small(payload),
        Some(_) => return Err("a payload that is no object".to_owned()),
    };
    Ok(PodStatus {
        state,
        progress,
        total,
        payload,
    })
}

/// The state that a 409 names, if it names one.
pub fn conflicting_state(body: &[u8]) -> Option<PodState> {
    PodState::from_text(object(body)?.get("current_status")?.as_str()?)
}

/// JSON nested deeper than the parser follows is no object either.
fn object(body: &[u8]) -> Option<Map<String, Value>> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}

/// An integer, also as text or as a fraction without one.
fn whole_number(value: &Value) -> Option<i64> {
    const LIMIT: f64 = 1e15;
    match value {
        Value::String(text) => text.trim().parse().ok(),
        Value::Number(number) => number.as_i64().or_else(|| {
            let float = number.as_f64()?;
            (float.fract() == 0.0 && float.abs() < LIMIT).then_some(float as i64)
        }),
        _ => None,
    }
}

fn small(payload: Map<String, Value>) -> Option<Map<String, Value>> {
    let size_bytes = serde_json::to_vec(&payload).map_or(usize::MAX, |json| json.len());
    if size_bytes > MAX_PAYLOAD_BYTES {
        tracing::info!(
            payload.size_bytes = size_bytes,
            "a pod's payload is too large and is dropped"
        );
        return None;
    }
    Some(payload)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn of(value: &Value) -> Result<PodStatus, String> {
        read(value.to_string().as_bytes())
    }

    #[test]
    fn every_state_is_read_with_or_without_its_numbers() {
        for (text, state) in [
            ("warming_up", PodState::WarmingUp),
            ("ready", PodState::Ready),
            ("generating", PodState::Generating),
            ("complete", PodState::Complete),
            ("replace", PodState::Replace),
        ] {
            let status = of(&json!({"status": text, "progress": null, "other": []})).unwrap();
            assert_eq!(
                status,
                PodStatus {
                    state,
                    progress: None,
                    total: None,
                    payload: None
                }
            );
        }
        let status = of(&json!({"status": "generating", "progress": "7", "total": 32.0})).unwrap();
        assert_eq!((status.progress, status.total), (Some(7), Some(32)));
    }

    #[test]
    fn a_payload_is_kept_when_it_is_small() {
        let sized =
            |length: usize| json!({"status": "replace", "payload": {"a": "x".repeat(length)}});
        let overhead = r#"{"a":""}"#.len();
        assert!(
            of(&sized(MAX_PAYLOAD_BYTES - overhead))
                .unwrap()
                .payload
                .is_some()
        );
        let dropped = of(&sized(MAX_PAYLOAD_BYTES - overhead + 1)).unwrap();
        assert_eq!((dropped.state, dropped.payload), (PodState::Replace, None));
    }

    #[test]
    fn anything_else_is_a_failed_poll() {
        for value in [
            json!({}),
            json!({"status": "dancing"}),
            json!({"status": 3}),
            json!({"status": "ready", "progress": 1.5}),
            json!({"status": "ready", "progress": "x"}),
            json!({"status": "ready", "total": 1e300}),
            json!({"status": "ready", "total": []}),
            json!({"status": "ready", "payload": [1]}),
            json!({"status": "ready", "payload": "x"}),
            json!(["ready"]),
            json!("ready"),
            json!(null),
        ] {
            assert!(of(&value).is_err(), "{value}");
        }
        let deep = format!(
            "{{\"status\":\"ready\",\"payload\":{}",
            "{\"a\":".repeat(50_000)
        );
        for body in [&b""[..], b"\xff\xfe", deep.as_bytes()] {
            assert!(read(body).is_err());
        }
    }

    #[test]
    fn a_conflict_names_its_state_or_none() {
        assert_eq!(
            conflicting_state(br#"{"current_status":"warming_up"}"#),
            Some(PodState::WarmingUp)
        );
        for body in [
            &b"[1]"[..],
            b"",
            b"{}",
            br#"{"current_status":{}}"#,
            br#"{"current_status":"x"}"#,
        ] {
            assert_eq!(conflicting_state(body), None);
        }
    }
}
