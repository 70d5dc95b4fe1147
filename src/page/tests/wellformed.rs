//! Every page is well formed, whatever is recorded and planned.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use quick_xml::Reader;
use quick_xml::events::Event;

use super::made::World;
use crate::model::{
    CallbackUrl, Entry, Environment, Handle, Identity, OperatorId, Proof, Recorded, RequestId,
    any_sighting,
};
use crate::page::{Page, html};
use crate::plan::arbitrary;

/// The elements that have no end.
const VOID: [&str; 3] = ["meta", "link", "input"];

/// What is wrong with the tags of a page.
fn fault(page: &str) -> Result<(), String> {
    // Browsers don't read tags in these two; XML would.
    let start = page.find("<style>").ok_or("no style")?;
    let end = page.find("</style>").ok_or("no end of the style")?;
    let script = page.find("<script>").ok_or("no script")?;
    let tail = page.find("</script>").ok_or("no end of the script")?;
    let text = [&page[..start], &page[end + 8..script], &page[tail + 9..]].concat();
    let mut reader = Reader::from_str(&text);
    reader.config_mut().check_end_names = false;
    let mut open = Vec::new();
    let mut ids = BTreeSet::new();
    loop {
        let event = reader.read_event().map_err(|error| error.to_string())?;
        if let Event::End(tag) = &event {
            let name = tag.name().as_ref().to_owned();
            if open.pop().as_ref() != Some(&name) {
                return Err(format!("</{name}> ends nothing"));
            }
        }
        if let Event::Eof = event {
            break;
        }
        let (Event::Start(tag) | Event::Empty(tag)) = &event else {
            continue;
        };
        let name = tag.name().as_ref().to_owned();
        for attribute in tag.html_attributes() {
            // Also an error for one that is there twice.
            let attribute = attribute.map_err(|error| format!("<{name}>: {error}"))?;
            let value = attribute.value.into_owned();
            let key = attribute.key.as_ref();
            if key == "id" && !ids.insert(value.clone()) {
                return Err(format!("two elements have the id {value}"));
            }
            if key == "style" || key.starts_with("on") {
                return Err(format!("<{name}> has what the policy forbids"));
            }
        }
        if !VOID.contains(&&*name) {
            open.push(name);
        }
    }
    if open.is_empty() {
        Ok(())
    } else {
        Err(format!("{open:?} do not end"))
    }
}

fn entry() -> impl Strategy<Value = Entry> {
    (
        (arbitrary::text(), arbitrary::text(), any::<bool>()),
        arbitrary::belief(),
        proptest::option::of(arbitrary::lost_call()),
        proptest::option::of((arbitrary::timestamp(), arbitrary::text())),
        any_sighting(),
    )
        .prop_map(
            |((handle, operator, protect), belief, lost, proof, sighting)| Entry {
                handle: Handle::new(handle),
                operator: OperatorId::new(operator),
                protect,
                belief,
                lost,
                traces: None,
                pending: None,
                proof: proof.map(|(at, id)| Proof {
                    at,
                    request_id: RequestId::new(id),
                }),
                sighting,
            },
        )
}

fn recorded() -> impl Strategy<Value = Recorded> {
    vec((arbitrary::scope(), arbitrary::text(), entry()), 0..8).prop_map(|entries| {
        let mut recorded = Recorded::nothing(Environment::Test);
        for (scope, url, entry) in entries {
            let (scope, url) = (Arc::new(scope), CallbackUrl::new(url));
            recorded.insert(Identity { scope, url }, entry);
        }
        recorded
    })
}

#[test]
fn a_page_with_everything_and_one_with_nothing() {
    let worlds = [World::eventful(), World::settled(), World::of("plain")];
    for world in &worlds {
        for page in [world.page(), world.bare()] {
            assert_eq!(fault(&html(&page)), Ok(()));
        }
    }
}

proptest! {
    #[test]
    fn whatever_is_recorded_and_planned(
        recorded in recorded(),
        plan in arbitrary::plan(),
        text in arbitrary::text(),
        now in arbitrary::timestamp(),
    ) {
        let page = Page { plan: Some(&plan), ..Page::of(&recorded, &text, now) };
        prop_assert_eq!(fault(&html(&page)), Ok(()));
    }

    #[test]
    fn whatever_anything_is_called(text in arbitrary::text()) {
        prop_assert_eq!(fault(&html(&World::of(&text).page())), Ok(()));
    }
}
