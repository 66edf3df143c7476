//! Floats as the published files have them. JSON and CSV differ: in the place where exponents begin, and in their form.
//!
//! Both have the shortest digits that read back to the same number, and of two equally near ones the even one
//! (`0.07982254028320312`, where Rust's own formatting says `…313`). `serde_json` finds these digits; the form is written
//! here, because it has changed between versions of `serde_json` (`1e16`, now `1e+16`).

/// `number` as the JSON files have it: at least one decimal, plain from 1e-5 up to but not including 1e16, otherwise an
/// exponent without plus or padding (`1e16`, `1e-7`). NaN and infinities are `null`.
pub fn published_json(number: f64) -> String {
    if !number.is_finite() {
        return "null".to_owned();
    }
    let decimal = Decimal::shortest(number);
    match decimal.exponent {
        -5..16 => decimal.plain(),
        exponent => format!("{}e{exponent}", decimal.mantissa()),
    }
}

/// `number` as Python's `repr` writes it, for the CSV files: at least one decimal, plain from 1e-4 up to but not including
/// 1e16, otherwise an exponent with a sign and two digits (`1e+16`, `1e-05`).
pub fn python_repr(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let decimal = Decimal::shortest(number);
    match decimal.exponent {
        -4..16 => decimal.plain(),
        exponent => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{}e{sign}{:02}", decimal.mantissa(), exponent.abs())
        }
    }
}

/// A finite number as decimal digits: `±d.ddd × 10^exponent`.
struct Decimal {
    negative: bool,
    /// Without zeros at either end; one `0` for zero.
    digits: String,
    exponent: i32,
}

impl Decimal {
    /// The shortest digits that read back to `number`.
    fn shortest(number: f64) -> Self {
        let text = serde_json::to_string(&number.abs()).unwrap_or_default();
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        let leading_zeros = digits.len() - digits.trim_start_matches('0').len();
        let significant = digits.trim_matches('0');
        let negative = number.is_sign_negative();
        if significant.is_empty() {
            return Self {
                negative,
                digits: "0".to_owned(),
                exponent: 0,
            };
        }
        let exponent = exponent + whole.len() as i32 - 1 - leading_zeros as i32;
        Self {
            negative,
            digits: significant.to_owned(),
            exponent,
        }
    }

    /// `d` or `d.ddd`, signed.
    fn mantissa(&self) -> String {
        let (first, rest) = self.digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        format!("{}{first}{point}{rest}", self.sign())
    }

    /// Without exponent, with at least one decimal, signed.
    fn plain(&self) -> String {
        let sign = self.sign();
        let digits = &self.digits;
        let Ok(point) = usize::try_from(self.exponent + 1) else {
            let zeros = "0".repeat(self.exponent.unsigned_abs() as usize - 1);
            return format!("{sign}0.{zeros}{digits}");
        };
        if point == 0 {
            format!("{sign}0.{digits}")
        } else if digits.len() > point {
            let (whole, fraction) = digits.split_at(point);
            format!("{sign}{whole}.{fraction}")
        } else {
            format!("{sign}{digits:0<point$}.0")
        }
    }

    fn sign(&self) -> &'static str {
        if self.negative { "-" } else { "" }
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
            (0.07982254028320312, "0.07982254028320312"),
            (10.0, "10.0"),
            (123.456, "123.456"),
            (0.1, "0.1"),
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
