//! What the help of a command ends with: examples, credentials and exit codes.

use std::fmt::Write as _;

use super::exit::Exit;

const EXAMPLES: [(&str, &str); 6] = [
    ("init", "write a configuration to begin with"),
    ("--sandbox apply", "try it out, without an account"),
    ("plan", "show what would be called"),
    ("apply", "call it, after asking"),
    ("plan --out plan.json", "save a plan for a review"),
    ("apply plan.json", "call what was reviewed"),
];

const CREDENTIALS: &str = "\
Credentials:
  An account takes them from its `profile` (~/.tccli/NAME.credential) or its `env` in callbacks.yaml.
  One that has neither, and `default` where no account is declared, takes TENCENTCLOUD_SECRET_ID and
  TENCENTCLOUD_SECRET_KEY, and with temporary credentials TENCENTCLOUD_TOKEN or
  TENCENTCLOUD_SECURITY_TOKEN. --sandbox needs none.
";

/// What the help of the program ends with.
pub(crate) fn examples_and_exit_codes() -> String {
    let mut text = "Examples:\n".to_owned();
    for (arguments, what) in EXAMPLES {
        // Writing to a String does not fail.
        let _ = writeln!(text, "  {:<36}{what}", format!("ess-callbacks {arguments}"));
    }
    text.push('\n');
    text.push_str(&exit_codes());
    text
}

/// What the help of `apply` ends with.
pub(crate) fn credentials_and_exit_codes() -> String {
    format!("{CREDENTIALS}\n{}", exit_codes())
}

/// What the help of a command ends with.
pub(crate) fn exit_codes() -> String {
    let mut text = "Exit codes:\n".to_owned();
    for exit in Exit::ALL {
        let _ = writeln!(text, "  {:>3}  {}", exit.code(), exit.meaning());
    }
    text
}
