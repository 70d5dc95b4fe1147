//! What the help of a command ends with: examples, credentials and exit codes.

use std::fmt::Write as _;

use super::exit::Exit;

const EXAMPLES: [(&str, &str); 6] = [
    ("init", "write a first configuration"),
    ("--sandbox apply", "try it without an account"),
    ("plan", "show what would change"),
    ("apply", "change it, after asking"),
    ("plan --out plan.json", "save a plan for review"),
    ("apply plan.json", "apply the reviewed plan"),
];

const CREDENTIALS: &str = "\
Credentials:
  An account takes them from its `env`, `profile`, `tsign` or `web_identity` in
  callbacks.yaml. An account that has none of them, and `default` if no
  account is declared, takes them from the first that is set up:
  TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY (with TENCENTCLOUD_TOKEN
  for temporary ones), a web identity, ~/.tencentcloud/credentials,
  ~/.tccli/default.credential, ~/.tsign/config.yaml, the identity of a TKE
  pod, the role of a CVM instance. `plan` needs none, and neither does
  --sandbox.
";

/// The end of the program's help.
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

/// The end of the help of `apply`.
pub(crate) fn credentials_and_exit_codes() -> String {
    format!("{CREDENTIALS}\n{}", exit_codes())
}

/// The end of the help of `controller`, which keeps running.
pub(crate) fn controller() -> String {
    format!(
        "{CREDENTIALS}
Exit codes:
    0  ended by SIGTERM, SIGHUP, SIGQUIT or Ctrl-C
    1  an error before the first round, such as a notification target that
       can't be used
   64  {}
  130  interrupted a second time, while a run was ending
",
        Exit::Usage.meaning()
    )
}

/// The end of the help of a command that makes a plan.
pub(crate) fn exit_codes() -> String {
    let mut text = "Exit codes:\n".to_owned();
    for exit in Exit::ALL {
        let _ = writeln!(text, "  {:>3}  {}", exit.code(), exit.meaning());
    }
    text
}
