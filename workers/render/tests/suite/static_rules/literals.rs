//! The literal budget (5.11).

use super::{PASSES, inside, rules};

#[test]
fn the_literal_budget_counts_values_of_strings_and_sources_of_numbers() {
    const OVER: &[&str] = &["LITERAL_BUDGET_EXCEEDED"];
    let at = |count: usize| format!("const s = \"{}\";", "x".repeat(count));
    assert_eq!(inside(&at(51_200)), PASSES);
    assert_eq!(inside(&at(51_201)), OVER);
    // An escape counts as what it means.
    assert_eq!(
        inside(&format!("const s = \"{}\";", "\\u0041".repeat(51_200))),
        PASSES
    );
    assert_eq!(
        inside(&format!("const s = \"{}\";", "\\u00e9".repeat(25_601))),
        OVER
    );
    assert_eq!(
        inside(&format!("const s = \"{}\";", "\\ud800".repeat(17_066))),
        PASSES
    );
    assert_eq!(
        inside(&format!("const s = \"{}\";", "\\ud800".repeat(17_067))),
        OVER
    );
    assert_eq!(
        inside(&format!(
            "const s = '{}\\ud800';",
            "\u{fffd}".repeat(17_065)
        )),
        PASSES
    );
    assert_eq!(
        inside(&format!(
            "const s = '{}\\ud800';",
            "\u{fffd}".repeat(17_066)
        )),
        OVER
    );
    // Templates count their text, numbers and big integers their source.
    assert_eq!(
        inside(&format!("const s = `{}`;", "x".repeat(51_201))),
        OVER
    );
    assert_eq!(
        inside(&format!(
            "const t = (s) => s; t`\\u{{}}{}`;",
            "x".repeat(51_197)
        )),
        OVER
    );
    assert_eq!(
        inside(&format!("const a = [{}];", "0x1_0,".repeat(10_240))),
        PASSES
    );
    assert_eq!(
        inside(&format!("const a = [{}1];", "0x1_0,".repeat(10_240))),
        OVER
    );
    assert_eq!(
        inside(&format!("const a = [{}1];", "1234n,".repeat(10_240))),
        OVER
    );
    assert_eq!(
        inside(&format!("const a = [{}];", "-12345,".repeat(10_240))),
        PASSES,
        "the minus is not counted"
    );
    assert_eq!(
        inside(&format!("const a = [{}];", "12345,".repeat(13_000))),
        OVER
    );
    // Keys and indices too, when they are literals.
    assert_eq!(
        inside(&format!("const o = {{ '{}': 1 }};", "x".repeat(51_200))),
        OVER
    );
    // Not counted: regular expressions, directives, comments, names.
    let long = "x".repeat(60_000);
    assert_eq!(
        inside(&format!("const r = /{long}/; // {long}\nconst {long} = 1;")),
        PASSES
    );
    assert_eq!(
        rules(&format!("'{long}'; export default () => {{ '{long}'; }};")),
        PASSES
    );
    // Always last.
    assert_eq!(
        inside(&format!("const s = \"{long}\"; fetch;")),
        ["FORBIDDEN_IDENTIFIER", "LITERAL_BUDGET_EXCEEDED"]
    );
}
