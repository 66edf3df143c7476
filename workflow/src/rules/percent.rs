//! Margins as people read them.
//!
//! Source: judge, section 10 (percent formatting) and 7.4 (reasons that carry a margin).

/// A fraction as a signed percentage with two decimals, halves rounded to even on the exact binary value:
/// `0.03125` is `+3.12%`, `-0.0546875` is `-5.47%`.
pub fn signed_percent(fraction: f64) -> String {
    format!("{:+.2}%", fraction * 100.0)
}

#[cfg(test)]
mod tests {
    use super::signed_percent;

    #[test]
    fn margins_print_signed_with_two_decimals() {
        let printed = [0.2265625, -0.0546875, 0.046875, 1.0, -1.0, 0.0].map(signed_percent);
        assert_eq!(
            printed,
            [
                "+22.66%", "-5.47%", "+4.69%", "+100.00%", "-100.00%", "+0.00%"
            ]
        );
    }

    #[test]
    fn halves_go_to_the_even_digit() {
        assert_eq!(signed_percent(0.03125), "+3.12%");
        assert_eq!(signed_percent(0.09375), "+9.38%");
        assert_eq!(signed_percent(-0.03125), "-3.12%");
    }
}
