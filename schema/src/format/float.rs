//! Floats as Python prints them, for the CSV files.
//!
//! JSON files need nothing of this: there the published form equals what `serde_json` writes. The two differ in the
//! exponents (`1e-05` here, `0.00001` there) and in the place where they begin.

/// `number` as Python's `repr` writes it: shortest digits that read back to the same number, at least one decimal, plain
/// from 1e-4 up to but not including 1e16, otherwise an exponent with a sign where needed and two digits.
pub fn python_repr(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if number == 0.0 || (-4..16).contains(&exponent) {
        format!("{number:?}")
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{digits}e{sign}{:02}", exponent.abs())
    }
}

/// Reads a number as Python's `float` does: blanks around it, `nan`, `inf`, a sign, single underscores between digits.
pub fn parse_python(text: &str) -> Option<f64> {
    let text = text.trim();
    if !text.contains('_') {
        return text.parse().ok();
    }
    let bytes = text.as_bytes();
    let digit = |index: Option<usize>| {
        index
            .and_then(|index| bytes.get(index))
            .is_some_and(u8::is_ascii_digit)
    };
    let between_digits = |(index, byte): (usize, &u8)| {
        *byte != b'_' || (digit(index.checked_sub(1)) && digit(Some(index + 1)))
    };
    if bytes.iter().enumerate().all(between_digits) {
        text.replace('_', "").parse().ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_python_prints_them() {
        for (number, text) in [
            (0.0078125, "0.0078125"),
            (-1.0, "-1.0"),
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (100.0, "100.0"),
            (0.0001, "0.0001"),
            (0.00009, "9e-05"),
            (1e-5, "1e-05"),
            (-1.25e-5, "-1.25e-05"),
            (1e-7, "1e-07"),
            (4.76837158203125e-6, "4.76837158203125e-06"),
            (1e15, "1000000000000000.0"),
            (9_999_999_999_999_998.0, "9999999999999998.0"),
            (1e16, "1e+16"),
            (1.2345678901234568e17, "1.2345678901234568e+17"),
            (1e100, "1e+100"),
            (5e-324, "5e-324"),
            (0.1 + 0.2, "0.30000000000000004"),
            (f64::NAN, "nan"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(python_repr(number), text);
        }
    }

    #[test]
    fn numbers_read_as_python_reads_them() {
        assert_eq!(parse_python(" 0.5\r"), Some(0.5));
        assert_eq!(parse_python("1_000.5"), Some(1000.5));
        assert_eq!(parse_python("+1e-05"), Some(0.00001));
        assert!(parse_python("nan").is_some_and(f64::is_nan));
        for text in ["", "x", "1__0", "_1", "1_", "0,5", "1 2"] {
            assert_eq!(parse_python(text), None, "{text}");
        }
    }
}
