//! Sources made to break the analyser: nothing but nesting, or nothing but failures.

use std::time::Instant;

use proptest::prelude::*;
use render::{MAX_SOURCE_BYTES, analyse};

use crate::modules::{self, PATIENCE};

/// As many repetitions as fit into the largest source.
fn repeated(open: &str, middle: &str, close: &str) -> String {
    let times = (MAX_SOURCE_BYTES - middle.len()) / (open.len() + close.len());
    format!("{}{middle}{}", open.repeat(times), close.repeat(times))
}

#[test]
fn a_mebibyte_of_any_nesting_ends_in_bounded_time() {
    let nests = [
        ("[", "", "]"),
        ("(", "1", ")"),
        ("{a:", "1", "}"),
        ("function f(){", "", "}"),
        ("(class{x=", "1", "})"),
        ("(class extends ", "a", "{})"),
        ("`${", "1", "}`"),
        ("a=>", "1", ""),
        ("async a=>", "1", ""),
        ("!", "1", ""),
        ("- ", "1", ""),
        ("typeof ", "1", ""),
        ("await ", "1", ""),
        ("new ", "a", ""),
        ("a+", "1", ""),
        ("a**", "1", ""),
        ("a&&", "1", ""),
        ("a??", "1", ""),
        ("a=", "1", ""),
        ("a?a:", "1", ""),
        ("a?", "1", ":1"),
        ("a.", "a", ""),
        ("a,", "1", ""),
        ("if(a)", ";", ""),
        ("if(a);else ", ";", ""),
        ("while(a)", ";", ""),
        ("for(;;)", ";", ""),
        ("do ", ";", " while(a)"),
        ("switch(a){case 1:", "", "}"),
        ("try{", "", "}catch{}"),
        ("import(", "1", ")"),
        ("[...", "a", "]"),
        ("(a=", "1", ")=>1"),
    ];
    for (open, middle, close) in nests {
        let source = repeated(open, middle, close);
        let started = Instant::now();
        let failures = analyse(&source);
        assert!(!failures.is_empty(), "{open}");
        assert!(
            started.elapsed() < PATIENCE,
            "{open} took {:?}",
            started.elapsed()
        );
        let inside = format!(
            "export default () => {{ {} }};",
            &source[..source.len().min(MAX_SOURCE_BYTES - 64)]
        );
        let started = Instant::now();
        analyse(&inside);
        assert!(
            started.elapsed() < PATIENCE,
            "{open} inside took {:?}",
            started.elapsed()
        );
    }
}

#[test]
fn chains_and_lists_of_a_mebibyte_end_in_bounded_time() {
    let many = |piece: &str| piece.repeat((MAX_SOURCE_BYTES - 200) / piece.len());
    let labels: String = (0..60_000).map(|i| format!("l{i}:")).collect();
    let lets: String = (0..90_000).map(|i| format!("let a{i};")).collect();
    let sources = [
        format!("a{}", many("?.a")),
        format!("a{}", many("()")),
        format!("a{}", many("?.()")),
        format!("a{}", many("[0]")),
        format!("a{}", many("``")),
        format!("export default () => {{ {} }}", many("fetch;")),
        format!(
            "export default (THREE) => {{ class K {{ {} constructor(THREE) {{}} }} {} }}",
            "a(){}".repeat(50_000),
            "new K(THREE);".repeat(50_000)
        ),
        format!(
            "export default (THREE) => {{ function f({{ {} }}) {{}} {} }}",
            "Mesh,".repeat(50_000),
            "f(THREE);".repeat(80_000)
        ),
        format!("export default (THREE) => {{ {} }}", many("[THREE];")),
        format!("function* g() {{ {} }}", many("yield ")),
        format!("export default () => {{ {labels}; }}"),
        format!("export default () => {{ {lets} }}"),
        format!("export default () => [{}]", many("1,")),
    ];
    for source in sources {
        let started = Instant::now();
        let failures = analyse(&source);
        let start: String = source.chars().take(60).collect();
        assert!(
            started.elapsed() < PATIENCE,
            "{start} took {:?}",
            started.elapsed()
        );
        assert!(
            failures.len() <= 1_001,
            "{start}: {} failures",
            failures.len()
        );
    }
}

/// Pieces that the rules look at, in any order.
fn piece() -> impl Strategy<Value = String> {
    let words = [
        "THREE",
        "THREE.Mesh",
        "THREE.ShaderMaterial",
        "THREE[k]",
        "THREE?.Mesh",
        "Math.random",
        "fetch",
        "x",
        "o.fetch",
        "o?.self",
        "this",
        "super.x",
        "arguments",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "=>",
        "=",
        "+=",
        "??=",
        "...",
        ",",
        ";",
        ":",
        "?",
        "?.",
        ".",
        "`",
        "${",
        "'s'",
        "1n",
        "0x1_0",
        "/r/g",
        "async ",
        "await ",
        "yield ",
        "function ",
        "function* ",
        "class ",
        "extends ",
        "static ",
        "#p",
        "get ",
        "new ",
        "new.target",
        "import(",
        "import.meta",
        "import x from 'x';",
        "export ",
        "default ",
        "export default (THREE) => ",
        "const ",
        "let ",
        "var ",
        "using ",
        "for (",
        " of ",
        " in ",
        "while (",
        "do ",
        "if (",
        "else ",
        "switch (",
        "case 1:",
        "try {",
        "catch (e) {",
        "finally {",
        "throw ",
        "return ",
        "break ",
        "continue ",
        "label:",
        "delete ",
        "typeof ",
        "void ",
        "++",
        "--",
        "**",
        "&&",
        "||",
        "??",
        "/*",
        "*/",
        "//",
        "\n",
        "\u{2028}",
        "\u{feff}",
        "é",
        "\\u0061",
        "😀",
        "\\",
        "#!",
        "<!--",
        "@d ",
        "accessor ",
        "debugger;",
        "eval",
        "with (",
    ];
    prop::sample::select(words.to_vec()).prop_map(str::to_owned)
}

/// 2,000 cases each; `PROPTEST_CASES` asks for more.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig {
        cases: default.cases.max(2_000),
        failure_persistence: None,
        ..default
    }
}

/// A real module with some of its text cut, doubled and moved.
fn damaged_module() -> impl Strategy<Value = String> {
    let sources: Vec<String> = modules::all("budget")
        .into_iter()
        .map(|module| module.source)
        .collect();
    let cut = (any::<prop::sample::Index>(), any::<prop::sample::Index>());
    let cuts = prop::collection::vec((cut, piece()), 1..8);
    (prop::sample::select(sources), cuts).prop_map(|(source, cuts)| {
        let mut text: Vec<char> = source.chars().collect();
        for ((from, to), piece) in cuts {
            let (from, to) = (from.index(text.len() + 1), to.index(text.len() + 1));
            // Backwards, the text between is written twice.
            let tail = text.split_off(from);
            let skipped = to.saturating_sub(from).min(tail.len());
            if to < from {
                text.extend_from_within(to..from);
            }
            text.extend(piece.chars());
            text.extend_from_slice(&tail[skipped..]);
            text.truncate(100_000);
        }
        text.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_mixture_of_tokens_makes_the_analyser_panic(pieces in prop::collection::vec(piece(), 0..60), spaced in any::<bool>()) {
        let source = pieces.join(if spaced { " " } else { "" });
        let failures = analyse(&source);
        let again = analyse(&source);
        prop_assert_eq!(failures, again);
    }

    #[test]
    fn no_text_makes_the_analyser_panic(source in "\\PC{0,400}") {
        analyse(&source);
        analyse(&format!("export default (THREE) => {{ {source} }};"));
    }

    #[test]
    fn no_damage_to_a_real_module_makes_the_analyser_panic(source in damaged_module()) {
        let failures = analyse(&source);
        prop_assert!(failures.iter().all(|failure| !failure.detail.contains("makes the parser fail")));
    }

    #[test]
    fn a_parse_failure_comes_alone(pieces in prop::collection::vec(piece(), 1..20)) {
        let failures = analyse(&pieces.join(" "));
        let is_parse = |failure: &render::Failure| failure.stage == render::Stage::Parse;
        prop_assert!(failures.len() == 1 || !failures.iter().any(is_parse));
        prop_assert!(failures.iter().all(|failure| !failure.detail.contains("makes the parser fail")));
    }
}
