use render::analyse;
fn main() {
    let max = 1_048_576 - 100;
    let rep = |a: &str, mid: &str, b: &str, cap: usize| {
        let n = ((max - mid.len()) / (a.len() + b.len()).max(1)).min(cap);
        format!("{}{}{}", a.repeat(n), mid, b.repeat(n))
    };
    let big = usize::MAX;
    let pats: Vec<(&str, String)> = vec![
        ("array", rep("[", "", "]", 19_000)),
        ("paren", rep("(", "1", ")", 19_000)),
        ("obj", rep("{a:", "1", "}", 19_000)),
        (
            "block",
            format!("export default ()=>{{{}}}", rep("{", "", "}", 19_000)),
        ),
        ("array_unclosed", "[".repeat(19_999)),
        ("fn", rep("function f(){", "", "}", 19_000)),
        ("class", rep("(class{x=", "1", "})", 9_500)),
        ("classm", rep("(class{m(){", "1", "}})", 6_000)),
        ("arrow", rep("a=>", "1", "", big)),
        ("not", rep("!", "1", "", big)),
        ("minus", rep("- ", "1", "", big)),
        ("typeof", rep("typeof ", "1", "", big)),
        ("await", rep("await ", "1", "", big)),
        ("plus", rep("a+", "1", "", big)),
        ("dot", format!("a{}", rep(".a", "", "", big))),
        ("call", format!("a{}", rep("()", "", "", big))),
        ("idx", format!("a{}", rep("[0]", "", "", big))),
        ("opt", format!("a{}", rep("?.a", "", "", big))),
        ("exp", rep("a**", "1", "", big)),
        ("assign", rep("a=", "1", "", big)),
        ("cond", rep("a?a:", "1", "", big)),
        ("cond2", rep("a?", "1", ":1", big)),
        ("if", rep("if(a)", ";", "", big)),
        ("else", rep("if(a);else ", ";", "", big)),
        (
            "label",
            (0..60_000).map(|i| format!("l{i}:")).collect::<String>() + ";",
        ),
        ("while", rep("while(a)", ";", "", big)),
        ("for", rep("for(;;)", ";", "", big)),
        ("do", rep("do ", ";", " while(a)", big)),
        ("new", rep("new ", "a", "", big)),
        ("tmpl", rep("`${", "1", "}`", 19_000)),
        ("tag", format!("a{}", rep("``", "", "", big))),
        ("seq", rep("a,", "1", "", big)),
        ("comma_arr", format!("[{}]", rep("1,", "", "", big))),
        ("pat", format!("let {}=1", rep("[", "a", "]", 19_000))),
        ("patobj", format!("let {}=1", rep("{a:", "b", "}", 19_000))),
        ("apat", format!("({}=1)", rep("[", "a", "]", 19_000))),
        ("and", rep("a&&", "1", "", big)),
        ("nullish", rep("a??", "1", "", big)),
        (
            "yield",
            format!("function*g(){{{}}}", rep("yield ", "1", "", big)),
        ),
        ("stmts", rep("a;", "", "", big)),
        ("lets", (0..90_000).map(|i| format!("let a{i};")).collect()),
        (
            "fetches",
            format!("export default ()=>{{{}}}", rep("fetch;", "", "", 170_000)),
        ),
        (
            "import",
            format!("export default ()=>{}", rep("import(", "1", ")", 19_000)),
        ),
        ("switch", rep("switch(a){case 1:", "", "}", 19_000)),
        ("try", rep("try{", "", "}catch{}", 19_000)),
        ("asyncarrow", rep("async a=>", "1", "", big)),
        ("parenarrow", rep("(a=", "1", ")=>1", 19_000)),
        ("parenarrow2", rep("(", "", ")=>1", 19_000)),
        ("objm", format!("({})", rep("{a(){", "", "}}", 9_900))),
        ("defarrow", rep("(a=(", "1", "))=>1", 9_900)),
        ("asyncparen", rep("async(", "1", ")", 19_000)),
        ("lt", rep("<", "1", "", big)),
        ("regex", rep("/a/", "", "", big)),
        ("slash", rep("/", "", "", big)),
        ("quote", rep("`", "", "", big)),
        ("optcall", format!("a{}", rep("?.()", "", "", big))),
        ("proto", rep("a={__proto__:", "1", "}", 19_000)),
        ("extends", rep("class extends ", "a", "{}", 19_000)),
        ("extends_p", rep("(class extends ", "a", "{})", 9_900)),
        ("spread", rep("[...", "a", "]", 19_000)),
        (
            "deep_async",
            format!(
                "export default ()=>{}",
                rep("async a=>await ", "1", "", big)
            ),
        ),
    ];
    let only: Vec<String> = std::env::args().skip(1).collect();
    if only.is_empty() {
        for (name, _) in &pats {
            let t = std::time::Instant::now();
            let out = std::process::Command::new(std::env::current_exe().unwrap())
                .arg(name)
                .output()
                .unwrap();
            println!(
                "{name:15} {:?} {:?} {}",
                out.status.code(),
                t.elapsed(),
                String::from_utf8_lossy(&out.stdout).trim()
            );
        }
        return;
    }
    let (_, src) = pats.iter().find(|p| p.0 == only[0]).unwrap();
    let t = std::time::Instant::now();
    let f = analyse(src);
    let peak = std::fs::read_to_string("/proc/self/status")
        .unwrap()
        .lines()
        .find(|l| l.starts_with("VmHWM"))
        .unwrap()
        .to_owned();
    println!(
        "{:?} len {} failures {} {:?} {}",
        t.elapsed(),
        src.len(),
        f.len(),
        f.first()
            .map(|f| f.to_string().chars().take(90).collect::<String>()),
        peak
    );
}
