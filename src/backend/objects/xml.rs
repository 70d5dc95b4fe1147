//! Reading the XML of stores: the texts of elements by their path. Nothing is trusted to be what it should be.

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::model::Timestamp;

/// No answer of a store is nested deeper.
const DEEPEST: usize = 8;
/// A page of a list has 1,000 objects of a dozen elements.
const MOST: usize = 100_000;

/// The elements that hold text only.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Leaves {
    root: String,
    /// Path and text.
    texts: Vec<(String, String)>,
}

/// An object of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) key: String,
    pub(super) modified: Option<Timestamp>,
}

/// A page of a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) objects: Vec<Listed>,
    pub(super) is_truncated: bool,
}

impl Leaves {
    /// Reads a document. `None` when it is no XML, or XML that no store sends: with a document type, or too deep.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?;
        let mut reader = Reader::from_str(text);
        let mut leaves = Vec::new();
        let mut root: Option<String> = None;
        let mut path: Vec<String> = Vec::new();
        let mut current = String::new();
        let mut is_leaf = false;
        loop {
            match reader.read_event().ok()? {
                Event::Start(start) => {
                    if path.len() == DEEPEST {
                        return None;
                    }
                    let name = start.local_name().as_ref().to_owned();
                    root.get_or_insert_with(|| name.clone());
                    path.push(name);
                    current.clear();
                    is_leaf = true;
                }
                Event::Empty(empty) => {
                    root.get_or_insert_with(|| empty.local_name().as_ref().to_owned());
                    is_leaf = false;
                }
                Event::End(_) => {
                    if is_leaf {
                        if leaves.len() == MOST {
                            return None;
                        }
                        leaves.push((path.join("/"), std::mem::take(&mut current)));
                    }
                    is_leaf = false;
                    path.pop()?;
                }
                Event::Text(text) => current.push_str(&text.xml10_content()),
                Event::CData(text) => current.push_str(&text.xml10_content()),
                Event::GeneralRef(reference) => match reference.resolve_char_ref().ok()? {
                    Some(letter) => current.push(letter),
                    None => {
                        current.push_str(quick_xml::escape::resolve_predefined_entity(&reference)?);
                    }
                },
                Event::DocType(_) => return None,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
                Event::Eof => {
                    let root = root.filter(|_| path.is_empty())?;
                    return Some(Self {
                        root,
                        texts: leaves,
                    });
                }
            }
        }
    }

    /// The text of the first element with this name, wherever it is.
    pub(super) fn named(&self, name: &str) -> Option<&str> {
        let found = self.texts.iter().find(|(path, _)| last(path) == name);
        found.map(|(_, text)| text.trim())
    }

    /// A page of the objects of a bucket.
    pub(super) fn page(&self) -> Option<Page> {
        let mut objects: Vec<Listed> = Vec::new();
        let mut is_truncated = None;
        for (path, text) in &self.texts {
            match path.as_str() {
                "ListBucketResult/Contents/Key" => objects.push(Listed {
                    key: text.clone(),
                    modified: None,
                }),
                "ListBucketResult/Contents/LastModified" => {
                    objects.last_mut()?.modified = time(text);
                }
                "ListBucketResult/IsTruncated" => is_truncated = Some(text.trim() == "true"),
                _ => {}
            }
        }
        Some(Page {
            objects,
            is_truncated: is_truncated?,
        })
    }

    /// How the versioning of a bucket is set; empty when it never was. `None` when this does not tell it.
    pub(super) fn versioning(&self) -> Option<&str> {
        (self.root == "VersioningConfiguration").then(|| self.named("Status").unwrap_or_default())
    }
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A time as XML and JSON of AWS have it: RFC 3339.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    let time: jiff::Timestamp = text.trim().parse().ok()?;
    Some(Timestamp(time.as_second()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_a_list_is_read() {
        let body = br#"<?xml version="1.0" encoding="UTF-8"?>
            <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix>k/</Prefix>
            <IsTruncated>true</IsTruncated>
            <Contents><Key>k/a&amp;b&#x20;c</Key><LastModified>2026-11-23T02:50:02.123Z</LastModified>
              <Owner><ID>1</ID></Owner></Contents>
            <Contents><Key>k/2</Key><Size>3</Size></Contents></ListBucketResult>"#;
        let page = Leaves::read(body).unwrap().page().unwrap();
        assert!(page.is_truncated);
        let keys: Vec<_> = page
            .objects
            .iter()
            .map(|object| object.key.as_str())
            .collect();
        assert_eq!(keys, ["k/a&b c", "k/2"]);
        assert_eq!(
            page.objects[0].modified.unwrap().to_string(),
            "2026-11-23T02:50:02Z"
        );
        assert_eq!(page.objects[1].modified, None);
    }

    #[test]
    fn hostile_documents_are_refused() {
        let deep = "<a>".repeat(100_000);
        let bomb = r#"<!DOCTYPE a [<!ENTITY b "bbbb">]><Error><Code>&b;</Code></Error>"#;
        for body in [
            "",
            "no XML",
            "<a",
            "<a><b></a>",
            "<a>",
            "{}",
            "<a>&unknown;</a>",
            "</a>",
            bomb,
            &deep,
            "<a>\u{0}</a><b>",
        ] {
            assert_eq!(
                Leaves::read(body.as_bytes()),
                None,
                "{}",
                &body[..body.len().min(40)]
            );
        }
        assert_eq!(Leaves::read(b"<a>\xff</a>"), None);
        // A list that is none.
        let other = Leaves::read(b"<html><body>captive portal</body></html>").unwrap();
        assert_eq!(other.page(), None);
    }

    #[test]
    fn versioning_is_never_guessed() {
        let versioning = |text: &str| {
            let leaves = Leaves::read(text.as_bytes())?;
            Some(leaves.versioning()?.to_owned())
        };
        for never in [
            "<VersioningConfiguration xmlns=\"x\"/>",
            "<VersioningConfiguration></VersioningConfiguration>",
        ] {
            assert_eq!(versioning(never).as_deref(), Some(""));
        }
        let on = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
        assert_eq!(versioning(on).as_deref(), Some("Suspended"));
        for other in ["<html></html>", "", "<VersioningConfiguration>"] {
            assert_eq!(versioning(other), None);
        }
    }
}
