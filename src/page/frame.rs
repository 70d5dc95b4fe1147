//! The document: its head, and the order of its parts.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::Page;
use super::callbacks::organizations;
use super::policy::{SCRIPT, STYLE, content_security_policy};
use super::runs::runs;
use super::summary::{header, numbers, verdict};
use super::survey::Survey;
use super::verdict::{Level, Verdict, foreign};

pub(super) fn document(page: &Page<'_>) -> Markup {
    let survey = Survey::of(page);
    let answer = Verdict::of(page, &survey);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(content_security_policy());
                meta name="generator" content={ "ess-callbacks " (page.version) };
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="robots" content="noindex";
                title {
                    (answer.headline) " \u{b7} "
                    @if page.knows_environment() { (page.recorded.environment) " \u{b7} " }
                    "ess-callbacks"
                }
                link rel="icon" href=(icon(answer.level));
                style { (PreEscaped(STYLE)) }
            }
            body {
                (header(page))
                main {
                    (verdict(&answer))
                    (numbers(page, &survey))
                    (runs(page))
                    (organizations(page, &survey))
                }
                (footer(page))
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

/// A dot in the colour of the verdict, for the tab.
fn icon(level: Level) -> String {
    let colour = match level {
        Level::Well => "1a7f4b",
        Level::Pending => "2563c4",
        Level::Warning => "d98200",
        Level::Error => "c5281c",
    };
    format!(
        "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle cx='8' cy='8' \
         r='7' fill='%23{colour}'/%3E%3C/svg%3E"
    )
}

fn footer(page: &Page<'_>) -> Markup {
    let recorded = page.recorded;
    html! {
        footer {
            p {
                "eSign can't be read back. This page shows what is recorded; changes made in eSign's console do not \
                 show here."
            }
            p {
                "State " (foreign(page.place)) ", serial " (recorded.serial)
                @if let Some(lineage) = recorded.lineage { ", lineage " code { (lineage) } }
                ". Made by ess-callbacks " (page.version) "."
            }
        }
    }
}
