//! How a failed command ends: one sentence, and an exit code scripts can rely on.

/// Something the command needs is missing or wrong: settings, a port, a program, a repository.
pub const EXIT_UNUSABLE: u8 = 2;

/// Prints an error as one sentence, causes included, and answers the exit code.
pub fn report(error: &anyhow::Error) -> u8 {
    let mut sentence = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        // Some libraries repeat their cause in their own text.
        if sentence.ends_with(&text) {
            continue;
        }
        if !sentence.is_empty() {
            sentence.push_str(": ");
        }
        sentence.push_str(text.trim_end_matches('.'));
    }
    eprintln!("assize: {sentence}.");
    EXIT_UNUSABLE
}
