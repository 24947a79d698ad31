//! The texts of the API's documentation, which `explain` and the OpenAPI documents show, and with them those of kubectl's
//! help and what can be downloaded.
//!
//! They are gathered at build time (`xtask/src/docs.rs`). Native builds
//! hold them. Builds for wasm do not, since most people never ask: there they come from [`Outside`] when they are first
//! needed. When they cannot be had, everything goes on without texts.
//!
//! Form of the file: a heading, the texts (one a line, sorted, with `\n`, `\t` and `\\` escaped), an
//! empty line, then each type with its fields: `name`, and below it `⇥field⇥number of the text`, where
//! a type's own text has an empty field, and what a field's value means stands at `field=value`. kubectl's commands
//! stand there like types, and their texts like fields; so do the manifests that can be downloaded, as the fields of
//! [`DOWNLOADS`] by their addresses.

use std::rc::Rc;

use crate::flat::FlatMap;
use crate::limits;
use crate::sim::{Outside, Sim};

/// The name under which the manifests stand that the student's host can download, by their addresses without a
/// scheme.
pub const DOWNLOADS: &str = "downloads";

/// The texts of one world. Clones are handles.
#[derive(Clone)]
pub struct Docs(Outside<Texts>);

/// The texts, once they are here.
#[derive(Debug, Default)]
pub struct Texts {
    lines: Vec<String>,
    /// By type and field.
    numbers: FlatMap<String, FlatMap<String, usize>>,
}

impl Texts {
    /// Reads the file that `cargo xtask docs` writes; `None` when it is something else.
    pub fn parse(text: &str) -> Option<Texts> {
        let (head, index) = text.split_once("\n\n")?;
        let lines: Vec<String> = head.lines().skip(1).map(unescape).collect();
        let mut numbers: FlatMap<String, FlatMap<String, usize>> = FlatMap::new();
        let mut fields = None;
        for line in index.lines() {
            match line.strip_prefix('\t') {
                None => fields = Some(numbers.entry(line.to_owned()).or_default()),
                Some(row) => {
                    let (field, number) = row.split_once('\t')?;
                    fields.as_mut()?.insert(field.to_owned(), number.parse().ok()?);
                }
            }
        }
        Some(Texts { lines, numbers })
    }

    /// The text of a field of a type (by its short name, `core.v1.Pod`), with an empty field of the type
    /// itself, with `field=value` of what a value means; empty where there is none.
    pub fn text(&self, name: &str, field: &str) -> &str {
        let number = self.numbers.get(name).and_then(|fields| fields.get(field));
        self.line(number)
    }

    /// The fields of a type that have a text, each with it.
    pub fn fields(&self, name: &str) -> impl Iterator<Item = (&str, &str)> {
        let fields = self.numbers.get(name).into_iter().flat_map(FlatMap::iter);
        fields.map(|(field, number)| (field.as_str(), self.line(Some(number))))
    }

    fn line(&self, number: Option<&usize>) -> &str {
        number.and_then(|n| self.lines.get(*n)).map_or("", String::as_str)
    }
}

fn unescape(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '\\' => match chars.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some(other) => other,
                None => '\\',
            },
            other => other,
        });
    }
    out
}

/// The texts that this build holds.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn included() -> Option<Rc<Texts>> {
    thread_local! {
        static TEXTS: std::cell::OnceCell<Option<Rc<Texts>>> = const { std::cell::OnceCell::new() };
    }
    const FILE: &str = include_str!(concat!(env!("OUT_DIR"), "/docs.txt"));
    TEXTS.with(|cell| cell.get_or_init(|| Texts::parse(FILE).map(Rc::new)).clone())
}

#[cfg(target_arch = "wasm32")]
pub(crate) fn included() -> Option<Rc<Texts>> {
    None
}

impl Docs {
    pub(super) fn new(sim: &Sim) -> Docs {
        Docs(Outside::new(sim))
    }

    /// Says who brings the text that this build does not hold.
    pub fn set_source(&self, source: Rc<dyn Fn(&Docs)>) {
        self.0
            .set_source(Rc::new(move |outside: &Outside<Texts>| source(&Docs(outside.clone()))));
    }

    /// Takes what the source brought, and lets the world go on.
    pub fn arrive(&self, outcome: Result<String, String>) {
        self.0.arrive(outcome.and_then(|text| {
            if text.len() > limits::DOCS_BYTES {
                return Err("the file is too large".into());
            }
            let texts = Texts::parse(&text).ok_or("the file is something else")?;
            Ok(Rc::new(texts))
        }));
    }

    /// The texts, if they are here.
    pub fn texts(&self) -> Option<Rc<Texts>> {
        self.0.here().or_else(|| {
            let texts = included()?;
            self.0.arrive(Ok(texts.clone()));
            Some(texts)
        })
    }

    /// Why there are no texts, once that is known.
    pub fn failure(&self) -> Option<Rc<str>> {
        self.0.failure()
    }

    /// Waits until the texts are here or known to be missing. Takes no virtual time.
    pub async fn ready(&self) {
        if self.texts().is_none() {
            self.0.ready().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Time;

    #[test]
    fn texts_of_types_and_fields() {
        let texts = included().unwrap();
        assert_eq!(
            texts.text("apps.v1.DeploymentStrategy", ""),
            "DeploymentStrategy describes how to replace existing pods with new ones."
        );
        assert!(
            texts
                .text("apps.v1.DeploymentStrategy", "type")
                .contains("\"Recreate\" or")
        );
        assert!(
            texts
                .text("m:api.resource.Quantity", "")
                .contains("format is:\n\n``` <quantity>  ")
        );
        assert_eq!(texts.text("core.v1.Pod", "nosuch"), "");
        assert!(
            Texts::parse("<!doctype html>\n<html>\n\n<body>\n").is_none_or(|t| t.text("core.v1.Pod", "").is_empty())
        );
    }

    /// Every type that a user can explain has texts, down to its last field.
    #[test]
    fn complete() {
        use crate::api::{resource, schema};
        let texts = included().unwrap();
        let mut missing = Vec::new();
        let mut walk: Vec<Rc<str>> = Vec::new();
        for r in resource::built_in().iter().filter(|r| !r.name.contains('/')) {
            walk.extend(schema::by_kind(&r.api_version(), &r.kind).map(|t| t.name.clone()));
        }
        let mut seen = crate::flat::FlatSet::new();
        while let Some(name) = walk.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            let t = schema::by_name(&name).unwrap();
            for f in &t.fields {
                if texts.text(&name, &f.name).is_empty() {
                    missing.push(format!("{name}.{}", f.name));
                }
                let mut expr = &f.expr;
                while let schema::Expr::List(inner) | schema::Expr::Map(inner) = expr {
                    expr = inner;
                }
                if let schema::Expr::Ref(other) = expr {
                    walk.push(other.clone());
                }
            }
        }
        // These have none in the real one either, JSONSchemaProps and its like.
        missing.retain(|m| !m.starts_with("x:"));
        assert_eq!(
            missing,
            [
                "networking.v1.IngressRule.http",
                "certificates.v1.CertificateSigningRequest.metadata"
            ]
        );
    }

    #[test]
    fn what_a_source_brings_is_read() {
        let sim = Sim::new(1, Time::from_secs(1));
        let docs = Docs::new(&sim);
        docs.arrive(Err("no network".into()));
        assert_eq!(docs.failure().as_deref(), Some("no network"));
        docs.arrive(Ok("heading\nA text.\n\ncore.v1.Pod\n\t\t0\n".into()));
        assert_eq!(docs.texts().unwrap().text("core.v1.Pod", ""), "A text.");
        docs.arrive(Ok("<html>".into()));
        assert!(docs.failure().is_some());
    }
}
