//! What eSign's documentation leaves open, found out with a URL that nothing uses.
//!
//! A trial is a fixed order of adds and deletes of that URL, and of deletes of other spellings of it. Which call comes
//! next is a function of the answers so far, and so is whether the URL may still be there: whatever happens, and
//! whenever it is stopped, [`Trial::clean_up`] says what has to be deleted.

use url::Url;

use crate::model::{ApiError, CallbackUrl, Outcome, SignedWrite, Timestamp};

/// Another way to write a URL. It depends on eSign whether it is another URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    HostInCapitals,
    OtherTrailingSlash,
    DefaultPort,
    PathInCapitals,
}

impl Spelling {
    const ALL: [Self; 4] = [
        Self::HostInCapitals,
        Self::OtherTrailingSlash,
        Self::DefaultPort,
        Self::PathInCapitals,
    ];

    /// In a few words, after "the URL".
    pub const fn words(self) -> &'static str {
        match self {
            Self::HostInCapitals => "with its host in capitals",
            Self::OtherTrailingSlash => "with a slash more or less at its end",
            Self::DefaultPort => "with its default port",
            Self::PathInCapitals => "with its path in capitals",
        }
    }
}

/// Which URL a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// As it was given.
    Given,
    Spelled(Spelling),
}

/// A call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub add: bool,
    pub target: Target,
    pub purpose: Purpose,
}

/// What a call is to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The answer to a delete of a URL that was never added.
    DeleteOfMissing,
    /// The first add.
    FirstAdd,
    /// The answer to an add of a URL that is there.
    SecondAdd,
    /// Whether a delete of another spelling finds the URL.
    Compare,
    /// It did, so the URL is added again.
    AddAgain,
    /// The answer to a delete of a URL that is there.
    FirstDelete,
    /// The answer to the same delete again.
    SecondDelete,
    CleanUp,
}

/// A call that was made.
#[derive(Clone, Debug)]
pub struct Made {
    pub step: Step,
    pub outcome: Outcome,
    /// When it was signed.
    pub at: Timestamp,
    /// Whether the answer had a `Date`.
    pub dated: bool,
}

/// Why a URL can't be used for a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrialError {
    #[error("it is not an http or https URL")]
    NotAUrl,
    #[error("it has a query, a fragment or a user")]
    TooMuch,
    #[error("it has more than 900 characters, or characters other than visible ASCII")]
    Characters,
}

/// A trial, with what was done.
#[derive(Clone, Debug)]
pub struct Trial {
    url: CallbackUrl,
    spellings: Vec<(Spelling, CallbackUrl)>,
    made: Vec<Made>,
    /// Whether the URL may be at eSign because of this.
    left: Left,
    stopped: bool,
}

/// What a trial may have left at eSign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    Nothing,
    /// The URL may be there.
    Perhaps,
    /// An add was lost and may arrive until then, also after a delete.
    UntilDead(Timestamp),
}

impl Trial {
    /// With this URL.
    pub fn new(text: &str) -> Result<Self, TrialError> {
        if text.len() > 900 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TrialError::Characters);
        }
        let parsed = Url::parse(text).map_err(|_| TrialError::NotAUrl)?;
        if !matches!(parsed.scheme(), "http" | "https") || parsed.host_str().is_none() {
            return Err(TrialError::NotAUrl);
        }
        if text.contains(['?', '#', '@']) {
            return Err(TrialError::TooMuch);
        }
        let spellings = Spelling::ALL.into_iter();
        let spellings = spellings.filter_map(|one| Some((one, spelled(text, one)?)));
        Ok(Self {
            url: CallbackUrl::new(text),
            spellings: spellings.collect(),
            made: Vec::new(),
            left: Left::Nothing,
            stopped: false,
        })
    }

    /// Every URL that a call may be made for.
    pub fn urls(&self) -> impl Iterator<Item = &CallbackUrl> {
        std::iter::once(&self.url).chain(self.spellings.iter().map(|(_, url)| url))
    }

    /// One of these that may be the trial's URL, if eSign compares loosely.
    pub fn collides<'u>(
        &self,
        mut taken: impl Iterator<Item = &'u CallbackUrl>,
    ) -> Option<&'u CallbackUrl> {
        let own: Vec<String> = self.urls().map(loosely).collect();
        taken.find(|url| own.contains(&loosely(url)))
    }

    /// The URL of a target.
    pub fn url_of(&self, target: Target) -> &CallbackUrl {
        match target {
            Target::Given => &self.url,
            Target::Spelled(spelling) => self
                .spellings
                .iter()
                .find(|(one, _)| *one == spelling)
                .map_or(&self.url, |(_, url)| url),
        }
    }

    pub fn made(&self) -> &[Made] {
        &self.made
    }

    pub const fn left(&self) -> Left {
        self.left
    }

    /// How many calls a trial makes at most, but for its cleaning up.
    pub const fn most_calls(&self) -> usize {
        5 + 2 * self.spellings.len()
    }

    /// The next call, or `None` when all are made or one said that the others make no sense.
    pub fn next(&self) -> Option<Step> {
        if self.stopped {
            return None;
        }
        let step = |add, target, purpose| {
            Some(Step {
                add,
                target,
                purpose,
            })
        };
        let Some(Made {
            step: last,
            outcome,
            ..
        }) = self.made.last()
        else {
            return step(false, Target::Given, Purpose::DeleteOfMissing);
        };
        match (last.purpose, last.target) {
            (Purpose::DeleteOfMissing, _) => step(true, Target::Given, Purpose::FirstAdd),
            (Purpose::FirstAdd, _) => step(true, Target::Given, Purpose::SecondAdd),
            (Purpose::SecondAdd, _) => Some(self.compare_after(None)),
            (Purpose::Compare, Target::Spelled(_)) if matches!(outcome, Outcome::Applied(_)) => {
                step(true, Target::Given, Purpose::AddAgain)
            }
            (Purpose::Compare, Target::Spelled(spelling)) => {
                Some(self.compare_after(Some(spelling)))
            }
            (Purpose::AddAgain, _) => Some(self.compare_after(self.last_compared())),
            (Purpose::FirstDelete, _) => step(false, Target::Given, Purpose::SecondDelete),
            (Purpose::Compare, Target::Given) | (Purpose::SecondDelete | Purpose::CleanUp, _) => {
                None
            }
        }
    }

    fn last_compared(&self) -> Option<Spelling> {
        self.made.iter().rev().find_map(|made| match made.step {
            Step {
                purpose: Purpose::Compare,
                target: Target::Spelled(spelling),
                ..
            } => Some(spelling),
            Step { .. } => None,
        })
    }

    /// The comparison after this one, otherwise the delete of the URL.
    fn compare_after(&self, last: Option<Spelling>) -> Step {
        let mut spellings = self.spellings.iter().map(|(spelling, _)| *spelling);
        let next = match last {
            None => spellings.next(),
            Some(last) => {
                spellings.find(|one| *one == last);
                spellings.next()
            }
        };
        next.map_or(
            Step {
                add: false,
                target: Target::Given,
                purpose: Purpose::FirstDelete,
            },
            |spelling| Step {
                add: false,
                target: Target::Spelled(spelling),
                purpose: Purpose::Compare,
            },
        )
    }

    /// Says that this call is about to leave: from now on an interruption may leave its URL behind.
    pub fn leaves(&mut self, step: Step) {
        if step.add && self.left == Left::Nothing {
            self.left = Left::Perhaps;
        }
    }

    /// Takes the end of a call.
    pub fn take(&mut self, made: Made) {
        let Made {
            step, outcome, at, ..
        } = &made;
        let gone = matches!(outcome, Outcome::Applied(_) | Outcome::NotThere(_));
        match (step.add, outcome) {
            (true, Outcome::Applied(_) | Outcome::AlreadyThere(_)) => self.left = Left::Perhaps,
            (true, Outcome::Unknown(_)) => {
                self.left = Left::UntilDead(
                    at.plus(SignedWrite::SIGNATURE_LIFE + SignedWrite::GATEWAY_TIMEOUT),
                );
            }
            (false, _) if gone && step.target == Target::Given => {
                if self.left == Left::Perhaps {
                    self.left = Left::Nothing;
                }
            }
            // The first add was certainly not made.
            (true, _) if step.purpose == Purpose::FirstAdd => self.left = Left::Nothing,
            (true | false, _) => {}
        }
        self.stopped |= match (step.purpose, outcome) {
            (
                _,
                Outcome::Throttled(_)
                | Outcome::NotSent(_)
                | Outcome::NotSigned(_)
                | Outcome::ClockOff(_)
                | Outcome::TokenExpired(_)
                | Outcome::Unknown(_),
            ) => true,
            // A refusal of anything but these is an answer to the question.
            (
                Purpose::DeleteOfMissing | Purpose::FirstAdd | Purpose::AddAgain,
                Outcome::Rejected(..),
            ) => true,
            (
                Purpose::SecondAdd
                | Purpose::Compare
                | Purpose::FirstDelete
                | Purpose::SecondDelete
                | Purpose::CleanUp,
                Outcome::Rejected(..),
            )
            | (_, Outcome::Applied(_) | Outcome::AlreadyThere(_) | Outcome::NotThere(_)) => false,
        };
        self.made.push(made);
    }

    /// The delete that leaves nothing behind, while something may be there.
    pub const fn clean_up(&self) -> Option<Step> {
        match self.left {
            Left::Nothing => None,
            Left::Perhaps | Left::UntilDead(_) => Some(Step {
                add: false,
                target: Target::Given,
                purpose: Purpose::CleanUp,
            }),
        }
    }

    /// The questions with their answers, by the calls that were made.
    pub fn answers(&self) -> Vec<(String, String)> {
        let of = |purpose| self.made.iter().find(|made| made.step.purpose == purpose);
        let said = |purpose| {
            of(purpose).map_or_else(|| "not asked".to_owned(), |made| told(&made.outcome))
        };
        let mut answers = vec![
            (
                "What is the answer to an add of an existing URL?".to_owned(),
                said(Purpose::SecondAdd),
            ),
            (
                "Does an add by API probe the URL with `{}`?".to_owned(),
                of(Purpose::FirstAdd).map_or_else(
                    || "not asked".to_owned(),
                    |made| {
                        format!(
                            "look at what the receiver got at {} UTC",
                            made.at.clock_time()
                        )
                    },
                ),
            ),
            (
                "What exactly is the answer to a delete of a missing URL?".to_owned(),
                said(Purpose::DeleteOfMissing),
            ),
            (
                "What is the answer to a delete of an existing URL?".to_owned(),
                said(Purpose::FirstDelete),
            ),
            (
                "What is the answer to the same delete again?".to_owned(),
                said(Purpose::SecondDelete),
            ),
        ];
        for (spelling, _) in &self.spellings {
            let target = Target::Spelled(*spelling);
            let made = self.made.iter().find(|made| made.step.target == target);
            let answer = match made.map(|made| &made.outcome) {
                None => "not asked".to_owned(),
                Some(Outcome::Applied(_)) => {
                    "the same URL: a delete of it deleted the URL, or eSign answers success to every delete".to_owned()
                }
                Some(Outcome::NotThere(_)) => "another URL".to_owned(),
                Some(
                    other @ (Outcome::AlreadyThere(_)
                    | Outcome::Throttled(_)
                    | Outcome::NotSent(_)
                    | Outcome::NotSigned(_)
                    | Outcome::ClockOff(_)
                    | Outcome::TokenExpired(_)
                    | Outcome::Rejected(..)
                    | Outcome::Unknown(_)),
                ) => told(other),
            };
            answers.push((
                format!("Is the URL {} the same URL?", spelling.words()),
                answer,
            ));
        }
        let dated = self.made.iter().filter(|made| made.dated).count();
        answers.push((
            "Do answers have a `Date` header?".to_owned(),
            format!("{dated} of {}", self.made.len()),
        ));
        answers
    }
}

/// An outcome in eSign's words.
pub fn told(outcome: &Outcome) -> String {
    let of = |error: &ApiError| {
        let code = error
            .code
            .as_deref()
            .map_or_else(String::new, |code| format!("{code}: "));
        format!("{code}{}", error.message)
    };
    match outcome {
        Outcome::Applied(_) => "success".to_owned(),
        Outcome::AlreadyThere(_) => "an error that says that it exists".to_owned(),
        Outcome::NotThere(_) => "FailedOperation: 当前配置不存在".to_owned(),
        Outcome::Throttled(error)
        | Outcome::NotSent(error)
        | Outcome::NotSigned(error)
        | Outcome::ClockOff(error)
        | Outcome::TokenExpired(error)
        | Outcome::Rejected(_, error)
        | Outcome::Unknown(error) => of(error),
    }
}

/// The URL in this spelling; `None` where it makes no difference.
fn spelled(url: &str, spelling: Spelling) -> Option<CallbackUrl> {
    let (scheme, rest) = url.split_once("://")?;
    let (host, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| {
        !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
    });
    let made = match spelling {
        Spelling::HostInCapitals => format!("{scheme}://{}{path}", host.to_ascii_uppercase()),
        Spelling::OtherTrailingSlash => match path.strip_suffix('/') {
            Some(path) => format!("{scheme}://{host}{path}"),
            None => format!("{scheme}://{host}{path}/"),
        },
        Spelling::DefaultPort if has_port => return None,
        Spelling::DefaultPort => {
            let port = if scheme.eq_ignore_ascii_case("https") {
                443
            } else {
                80
            };
            format!("{scheme}://{host}:{port}{path}")
        }
        Spelling::PathInCapitals => format!("{scheme}://{host}{}", path.to_ascii_uppercase()),
    };
    (made != url).then(|| CallbackUrl::new(made))
}

/// What is the same for all spellings, and for http and https: whoever compares loosely may take two of them for
/// one.
fn loosely(url: &CallbackUrl) -> String {
    // Resolves dot segments, and writes the host in one way.
    let read = Url::parse(url.as_str());
    let text = read.as_ref().map_or(url.as_str(), Url::as_str);
    let lower = decoded(text).to_ascii_lowercase();
    let rest = lower
        .split_once("://")
        .map_or(lower.as_str(), |(_, rest)| rest);
    let (host, path) = match rest.find(['/', '?']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let host = host
        .strip_suffix(":443")
        .or_else(|| host.strip_suffix(":80"))
        .unwrap_or(host);
    let host = host.trim_end_matches('.');
    let parts = path.split('/').filter(|part| !part.is_empty());
    format!("{host}/{}", parts.collect::<Vec<_>>().join("/"))
}

/// Without percent-encoding.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| first == b'%');
        if let Some(byte) = digits.and_then(|digits| hex::decode(digits).ok()) {
            bytes.extend(byte);
            rest = &after[2..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests;
