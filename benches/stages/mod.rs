//! The stages of a plan and of a call, each ready to be run again and again: what `micro` times and
//! `hot` counts the instructions of.
//!
//! Everything a stage needs is made by [`Stage::prepare`]; the closure it gives does the stage's own
//! work and nothing else.

mod journal;

use std::hint::black_box;

use ess_callbacks::config;
use ess_callbacks::model::{Desired, Timestamp};
use ess_callbacks::plan::{self, Options, Plan, Secrets, write_document};
use ess_callbacks::render::{self, Style, Subject};
use ess_callbacks::secret::{Fingerprinter, Secret};
use ess_callbacks::sign::{self, Credential, Unsigned};
use ess_callbacks::state::{Place, format};

use crate::workload::{Organizations, SALT, Workload, fingerprints, recorded};

pub(crate) use journal::{Inline, append};

/// One run of a stage. What it works on is made already.
pub(crate) type Run = Box<dyn FnMut()>;

/// What a plan and a call consist of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Parse,
    PlanUnchanged,
    PlanAdds,
    RenderText,
    RenderMarkdown,
    RenderDiff,
    RenderJson,
    StateLoad,
    StateSave,
    Fingerprints,
    FingerprintsOfTokenAlone,
    Sign,
    Journal,
}

const STYLE: Style = Style {
    colour: false,
    width: 0,
    now: Timestamp(1_790_000_060),
    rate: 20,
};

impl Stage {
    pub(crate) const ALL: [Self; 13] = [
        Self::Parse,
        Self::PlanUnchanged,
        Self::PlanAdds,
        Self::RenderText,
        Self::RenderMarkdown,
        Self::RenderDiff,
        Self::RenderJson,
        Self::StateLoad,
        Self::StateSave,
        Self::Fingerprints,
        Self::FingerprintsOfTokenAlone,
        Self::Sign,
        Self::Journal,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Parse => "parse",
            Self::PlanUnchanged => "plan, nothing changed",
            Self::PlanAdds => "plan, all to add",
            Self::RenderText => "render text",
            Self::RenderMarkdown => "render markdown",
            Self::RenderDiff => "render diff",
            Self::RenderJson => "render json",
            Self::StateLoad => "state load",
            Self::StateSave => "state save",
            Self::Fingerprints => "fingerprints of key and token",
            Self::FingerprintsOfTokenAlone => "fingerprint of a token alone",
            Self::Sign => "sign one call",
            Self::Journal => "journal one call",
        }
    }

    /// Whether its work grows with the callbacks.
    pub(crate) const fn grows(self) -> bool {
        !matches!(
            self,
            Self::Fingerprints | Self::FingerprintsOfTokenAlone | Self::Sign | Self::Journal
        )
    }

    /// Makes all that the stage needs, for so many callbacks.
    pub(crate) fn prepare(self, callbacks: usize) -> Run {
        match self {
            Self::Parse => {
                let sources = workload(callbacks).sources();
                again(move || config::parse(black_box(&sources)).map_err(|_| ()))
            }
            Self::PlanUnchanged => planning(callbacks, 0),
            Self::PlanAdds => planning(callbacks, callbacks),
            Self::RenderText => {
                rendering(callbacks, |plan, out| render::plan_text(plan, &STYLE, out))
            }
            Self::RenderMarkdown => rendering(callbacks, |plan, out| {
                let subject = Subject::of("callbacks.yaml");
                out.push_str(&render::plan_markdown(plan, &subject, &STYLE));
                Ok(())
            }),
            Self::RenderDiff => {
                rendering(callbacks, |plan, out| render::plan_diff(plan, &STYLE, out))
            }
            Self::RenderJson => {
                let plan = planned(&desired(callbacks), callbacks);
                again(move || {
                    let mut text = Vec::new();
                    write_document(black_box(&plan), &[], &mut text)
                        .map(|()| text)
                        .map_err(|_| ())
                })
            }
            Self::StateLoad => {
                let mut text = Vec::new();
                format::write(&recorded(&desired(callbacks), 0), &mut text)
                    .expect("memory takes everything");
                again(move || {
                    format::read(&Place::new("state"), black_box(text.as_slice())).map_err(|_| ())
                })
            }
            Self::StateSave => {
                let state = recorded(&desired(callbacks), 0);
                again(move || {
                    let mut text = Vec::new();
                    format::write(black_box(&state), &mut text).map(|()| text)
                })
            }
            Self::Fingerprints => fingerprinting(Some(Secret::new("k".repeat(32)))),
            Self::FingerprintsOfTokenAlone => fingerprinting(None),
            Self::Sign => signing(),
            Self::Journal => append(Inline::default(), &desired(callbacks)),
        }
    }
}

fn again<T>(mut work: impl FnMut() -> T + 'static) -> Run {
    Box::new(move || {
        black_box(work());
    })
}

const fn workload(callbacks: usize) -> Workload {
    Workload {
        callbacks,
        files: 1,
        seed: 42,
        organizations: Organizations::Mixed,
    }
}

pub(crate) fn desired(callbacks: usize) -> Desired {
    let parsed = config::parse(&workload(callbacks).sources());
    parsed.expect("what is made here is valid").desired
}

/// A plan that adds the first `left_out` callbacks and keeps the rest.
fn planned(desired: &Desired, left_out: usize) -> Plan {
    let (recorded, table) = (recorded(desired, left_out), fingerprints(desired));
    let secrets = Secrets {
        salt: SALT,
        fingerprints: Some(&table),
    };
    plan::plan(desired, &recorded, secrets, &Options::default())
}

fn planning(callbacks: usize, left_out: usize) -> Run {
    let desired = desired(callbacks);
    let (recorded, table) = (recorded(&desired, left_out), fingerprints(&desired));
    let options = Options::default();
    again(move || {
        let secrets = Secrets {
            salt: SALT,
            fingerprints: Some(&table),
        };
        plan::plan(black_box(&desired), &recorded, secrets, &options)
    })
}

/// A plan of so many adds, written.
fn rendering(
    callbacks: usize,
    write: impl Fn(&Plan, &mut String) -> std::fmt::Result + 'static,
) -> Run {
    let plan = planned(&desired(callbacks), callbacks);
    again(move || {
        let mut text = String::new();
        write(black_box(&plan), &mut text).map(|()| text)
    })
}

fn fingerprinting(key: Option<Secret>) -> Run {
    let fingerprinter = Fingerprinter::new(SALT);
    let token = Secret::new("t".repeat(16));
    again(move || fingerprinter.fingerprints(black_box(key.as_ref()), Some(&token)))
}

fn signing() -> Run {
    let body = format!(
        r#"{{"Operator":{{"UserId":"{id}"}},"Agent":{{"ProxyOrganizationId":"{id}"}},"CallbackInfo":{{"CallbackUrl":"https://hooks.example.com.cn/esign/v2/callback/1","CallbackKey":"{id}","CallbackToken":"{id}"}}}}"#,
        id = "yDw6yUUgyg3caowzUx4GQptRKfMnJqX8"
    );
    let credential = Credential {
        secret_id: "AKIDEXAMPLE".to_owned(),
        secret_key: Secret::new("Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"),
        token: None,
    };
    again(move || {
        let request = Unsigned {
            service: "ess",
            host: "ess.tencentcloudapi.com",
            content_type: "application/json; charset=utf-8",
            body: body.as_bytes(),
        };
        sign::sign(black_box(&request), &credential, Timestamp(1_790_000_000))
    })
}
