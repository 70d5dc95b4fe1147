//! What the advice to run apply again becomes for other commands that make calls.
//!
//! Advice is written for `apply`, where most of it is read. [`Again::words`] puts it into the words of a command that
//! goes on by itself, or by another name.

/// How what is left of a run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Somebody runs `apply`.
    Apply,
    /// Somebody runs the same `rotate`.
    Rotate,
    /// The controller's next round.
    Round,
}

/// What is said for `apply`, `rotate` and the controller. The longer ones are first.
const WORDS: [[&str; 3]; 16] = [
    [
        "run `apply --heal` again, which adds it again",
        "run `apply --heal`, which adds it again",
        "a later round adds it again",
    ],
    [
        "run apply without --no-wait: it waits about 12 minutes by this machine's clock, then finishes",
        "run the same command without --no-wait: it waits about 12 minutes by this machine's clock, then finishes",
        "the next round waits about 12 minutes by this machine's clock, then finishes",
    ],
    [
        "Run apply again without --no-wait: it waits",
        "Run the same command without --no-wait: it waits",
        "The next round waits",
    ],
    [
        "run apply again at once: it adds the callback",
        "run the same command at once: it adds the callback",
        "the next round adds the callback",
    ],
    [
        "run apply again: it settles the open call",
        "run the same command: it settles the open call",
        "the next round settles the open call",
    ],
    [
        "run apply again: it sends the same call again",
        "run the same command: it sends the same call again",
        "the next round sends the same call again",
    ],
    [
        "run apply again: that call can't arrive any more",
        "run the same command: that call can't arrive any more",
        "the next round makes this change",
    ],
    [
        "run apply again; it can't finish before then",
        "run the same command; it can't finish before then",
        "a round after that time makes this change",
    ],
    [
        "Run apply again to continue.",
        "Run the same command to continue.",
        "The next round continues.",
    ],
    [
        ", and run apply again",
        ", and run the same command again",
        "",
    ],
    [
        ", then run apply again",
        ", then run the same command again",
        "",
    ],
    [
        "; then run apply again",
        "; then run the same command again",
        "",
    ],
    [
        "Run apply again after",
        "Run the same command after",
        "The calls are made after",
    ],
    [
        "Run apply again",
        "Run the same command again",
        "The next round tries again",
    ],
    [
        "run apply again",
        "run the same command again",
        "the next round tries again",
    ],
    ["The next apply", "The next run", "The next round"],
];

impl Again {
    /// The same text for this command.
    pub fn words(self, text: &str) -> String {
        let replaced = |text: String, [apply, rotate, round]: &[&str; 3]| match self {
            Self::Apply => text,
            Self::Rotate => text.replace(apply, rotate),
            Self::Round => text.replace(apply, round),
        };
        WORDS.iter().fold(text.to_owned(), replaced)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn nobody_is_asked_to_run_apply() {
        for (theirs, ours) in [
            (
                "correct the credentials of the account, then run apply again",
                "correct the credentials of the account",
            ),
            (
                "check HTTPS_PROXY; then run apply again: it settles the open call",
                "check HTTPS_PROXY; then the next round settles the open call",
            ),
            (
                "run apply again: it settles the open call before anything else; if it persists, ask",
                "the next round settles the open call before anything else; if it persists, ask",
            ),
            (
                "Run apply again after 2026-11-23 12:03:04 UTC: until then",
                "The calls are made after 2026-11-23 12:03:04 UTC: until then",
            ),
        ] {
            assert_eq!(Again::Round.words(theirs), ours);
            assert_eq!(Again::Apply.words(theirs), theirs);
        }
        let text = "correct the cause, then run apply again";
        assert_eq!(
            Again::Rotate.words(text),
            "correct the cause, then run the same command again"
        );
    }

    /// Advice that is worded in another way later is found.
    #[test]
    fn all_advice_of_calls_has_its_words() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let (mut seen, mut folders) = (0, Vec::new());
        folders.extend(["apply", "client", "render/report"].map(|folder| source.join(folder)));
        let mut files = vec![source.join("render/why.rs")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.push(path);
                }
            }
        }
        for file in files {
            #[expect(clippy::disallowed_methods, reason = "a test reads the source")]
            let text = std::fs::read_to_string(&file).unwrap();
            let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            // A text that goes on in the next line.
            let text: Vec<_> = text.split("\\\n").map(str::trim_start).collect();
            for line in text
                .concat()
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
            {
                if line.to_lowercase().contains("run apply") {
                    seen += 1;
                    for again in [Again::Round, Again::Rotate] {
                        let words = again.words(line).to_lowercase();
                        assert!(!words.contains("run apply"), "{}: {words}", file.display());
                    }
                }
            }
        }
        assert!(seen > 15, "{seen}");
    }
}
