//! Margins and shares as people read them.
//!
//! Source: judge, section 10 (percent formatting) and 7.4 (reasons that carry a margin); collection and rounds, section 10.

/// A fraction as a signed percentage with two decimals, halves rounded to even on the exact binary value:
/// `0.03125` is `+3.12%`, `-0.0546875` is `-5.47%`.
pub fn signed_percent(fraction: f64) -> String {
    format!("{:+.2}%", fraction * 100.0)
}

/// How much `part` is of `whole`, in whole percent, rounded down; of nothing everything is `0%`.
pub fn share(part: u64, whole: u64) -> String {
    let percent = u128::from(part) * 100 / u128::from(whole.max(1));
    format!("{percent}%")
}

#[cfg(test)]
mod tests {
    use super::{share, signed_percent};

    #[test]
    fn shares_are_rounded_down() {
        let printed =
            [(0, 3), (1, 3), (2, 3), (3, 3), (0, 0)].map(|(part, whole)| share(part, whole));
        assert_eq!(printed, ["0%", "33%", "66%", "100%", "0%"]);
    }

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
