//! Prometheus' text format, version 0.0.4: families of this program, each sample with the environment where it is known.
//!
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a function of values"
)]

use std::fmt::{Display, Write as _};

/// What a family measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It goes up and down.
    Gauge,
    /// It only grows, from 0 at the start of the program.
    Counter,
}

/// The text so far.
#[derive(Debug)]
pub(crate) struct Exposition {
    text: String,
    environment: Option<String>,
}

impl Exposition {
    pub(crate) fn new(environment: Option<impl Display>) -> Self {
        Self {
            text: String::new(),
            environment: environment.map(|it| it.to_string()),
        }
    }

    /// A gauge with one sample.
    pub(crate) fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family((name, Kind::Gauge, help), [([], value)]);
    }

    /// A family, which has no other in the same text. Names of labels and the help need no escape.
    pub(crate) fn family<'a, L: AsRef<[(&'a str, &'a str)]>, V: Display>(
        &mut self,
        (name, kind, help): (&str, Kind, &str),
        samples: impl IntoIterator<Item = (L, V)>,
    ) {
        let kind = match kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
        };
        let environment = self.environment.as_deref().map(|it| ("environment", it));
        let mut text =
            format!("# HELP ess_callbacks_{name} {help}\n# TYPE ess_callbacks_{name} {kind}\n");
        for (labels, value) in samples {
            let own = labels.as_ref().iter().copied();
            let labels: Vec<_> = environment
                .into_iter()
                .chain(own)
                .map(|(label, value)| format!("{label}=\"{}\"", escaped(value)))
                .collect();
            let labels = match labels.as_slice() {
                [] => String::new(),
                some => format!("{{{}}}", some.join(",")),
            };
            writeln!(text, "ess_callbacks_{name}{labels} {value}")
                .expect("memory takes everything");
        }
        self.text += &text;
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

/// As the format asks for in the value of a label.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_may_have_no_label_and_a_value_is_escaped() {
        let mut out = Exposition::new(None::<&str>);
        out.gauge("ready", "Whether it is.", 1);
        let samples = [([("organization", "a\"b\\c\nd")], 0.5)];
        out.family(("waits_total", Kind::Counter, "How often."), samples);
        insta::assert_snapshot!(out.into_text(), @r#"
        # HELP ess_callbacks_ready Whether it is.
        # TYPE ess_callbacks_ready gauge
        ess_callbacks_ready 1
        # HELP ess_callbacks_waits_total How often.
        # TYPE ess_callbacks_waits_total counter
        ess_callbacks_waits_total{organization="a\"b\\c\nd"} 0.5
        "#);
    }
}
