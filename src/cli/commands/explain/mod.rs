//! `explain`: prints the section of docs/errors.md about a code, ours or eSign's.

mod page;

use clap::ValueEnum;

use self::page::{Found, Page};
use crate::cli::environment::ProcessEnvironment;
use crate::cli::exit::{Exit, Failure};
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The code, such as E053, W003, V001 or OperationDenied.NoApiAuth, or its beginning; without it, all codes are listed.
    #[arg(value_name = "CODE")]
    code: Option<String>,
    /// The language of the text [default: zh in a Chinese locale, else en].
    #[arg(
        long,
        env = "ESS_CALLBACKS_LANG",
        value_name = "LANG",
        ignore_case = true
    )]
    lang: Option<Language>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Language {
    /// English.
    En,
    /// Simplified Chinese; also zh-CN.
    #[value(aliases = ["zh-CN", "zh_CN"])]
    Zh,
}

impl Language {
    fn of_locale(environment: &ProcessEnvironment) -> Self {
        let names = ["LC_ALL", "LC_MESSAGES", "LANG"];
        let set = names
            .iter()
            .filter_map(|name| environment.variable(name)?.to_str())
            .find(|value| !value.is_empty());
        match set {
            Some(value) if value == "zh" || value.starts_with("zh_") => Self::Zh,
            _ => Self::En,
        }
    }

    /// Above the codes of a family.
    const fn heading(self) -> &'static str {
        match self {
            Self::En => "Codes of this family:",
            Self::Zh => "同族的错误码：",
        }
    }

    const fn page(self) -> Page {
        Page(match self {
            Self::En => include_str!("../../../../docs/errors.md"),
            Self::Zh => include_str!("../../../../docs/errors.zh-CN.md"),
        })
    }
}

pub(crate) fn run(args: &Args, settings: &Settings, ui: &mut Ui) -> Result<Exit, Failure> {
    let language = args
        .lang
        .unwrap_or_else(|| Language::of_locale(&settings.environment));
    let page = language.page();
    let text = match &args.code {
        None => page.titles(),
        Some(code) => match page.find(code, language.heading()) {
            Found::Section(text) => text,
            Found::Beginning(titles) => titles,
            Found::Family {
                asked,
                family,
                close,
                text,
            } => {
                let guess =
                    close.map_or_else(String::new, |close| format!(" Did you mean `{close}`?"));
                ui.note(format_args!(
                    "Note: `{asked}` is not listed. It is treated as `{family}`.{guess}"
                ));
                text
            }
            Found::Nothing { asked, close } => return Err(unknown(&asked, close)),
        },
    };
    ui.print(format_args!("{}\n", text.trim_end()));
    Ok(Exit::Done)
}

fn unknown(asked: &str, close: Option<&str>) -> Failure {
    let guess = close.map_or_else(String::new, |close| format!("; did you mean `{close}`?"));
    Failure::usage(format!("unknown code `{asked}`{guess}")).advice(
        "`ess-callbacks explain` lists all codes. If eSign refused a call with a code that is not listed, \
         the outcome of the call is unknown: run `ess-callbacks apply` again.",
    )
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::client::codes;
    use crate::config::CODES;
    use crate::verify;

    #[rstest]
    #[case(&[], Language::En)]
    #[case(&[("LANG", "C.UTF-8")], Language::En)]
    #[case(&[("LANG", "zh_CN.UTF-8")], Language::Zh)]
    #[case(&[("LANG", "zh_CN.UTF-8"), ("LC_ALL", "C")], Language::En)]
    #[case(&[("LANG", "C"), ("LC_ALL", ""), ("LC_MESSAGES", "zh_CN")], Language::Zh)]
    #[case(&[("LANG", "zhx")], Language::En)]
    fn the_locale_chooses_the_language(
        #[case] variables: &[(&str, &str)],
        #[case] expected: Language,
    ) {
        let environment = ProcessEnvironment::of(variables);
        assert_eq!(Language::of_locale(&environment), expected);
    }

    #[rstest]
    fn every_code_is_explained(#[values(Language::En, Language::Zh)] language: Language) {
        let page = language.page();
        let ours = CODES.iter().map(|doc| doc.code.0);
        let findings = verify::CODES.iter().map(|doc| doc.code);
        let all: Vec<_> = ours
            .chain(findings)
            .chain(codes::ALL.iter().map(|known| known.code))
            .collect();
        let titles = page.titles();
        let titles: Vec<_> = titles
            .lines()
            .filter_map(|line| line.split(' ').next())
            .collect();
        assert_eq!(titles, all);
        for code in all {
            for asked in [code.to_owned(), code.to_lowercase(), format!(" {code}: x")] {
                let Found::Section(text) = page.find(&asked, language.heading()) else {
                    panic!("{asked}")
                };
                assert!(text.starts_with(&format!("{code} ")), "{asked}: {text}");
                assert!(text.lines().count() > 2, "{text}");
            }
        }
    }
}
