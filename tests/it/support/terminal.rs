//! A person at a terminal.

use super::{Said, TestEnv};

/// Runs the program on a pseudo-terminal, and answers its question.
pub(crate) fn at_a_terminal(env: &TestEnv, columns: u16, answer: &str, arguments: &[&str]) -> Said {
    env.write("terminal.py", include_str!("terminal.py"));
    let mut command = env.other("python3");
    command.env("TERM", "xterm-256color");
    command
        .arg(env.path("terminal.py"))
        .args([&columns.to_string(), "Enter a value: ", answer])
        .arg(&env.program)
        .args(arguments);
    let mut said = env.said(&mut command);
    assert_eq!(said.stderr, "");
    said.stdout = said.stdout.replace("\r\n", "\n");
    said
}

/// What is left without colours and cursor movements.
pub(crate) fn plain(text: &str) -> String {
    let controls = regex::Regex::new("\u{1b}\\[[0-9;?]*[A-Za-z]").unwrap();
    controls.replace_all(text, "").replace('\r', "")
}
