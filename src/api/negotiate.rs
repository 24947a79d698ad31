//! Which form of an answer the `Accept` header of a request over HTTP asks for (apiserver's
//! `pkg/endpoints/handlers/negotiation`). Inside of the world answers are trees, and nobody asks.

use super::{List, Object, Status};
use crate::flat::Arrange;
use crate::obj;
use crate::value::{Value, float};

/// How a tree is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Yaml,
    Protobuf,
}

impl Format {
    /// As `Content-Type` names it.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::Yaml => "application/yaml",
            Format::Protobuf => "application/vnd.kubernetes.protobuf",
        }
    }
}

/// What of an object is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    Whole,
    Table,
    /// `PartialObjectMetadata`, or a list of them.
    Metadata,
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub format: Format,
    pub view: View,
}

/// The form where nothing is said.
pub const DEFAULT: Wanted = Wanted {
    format: Format::Json,
    view: View::Whole,
};

/// The media types that the server gives, as its errors name them.
const MEDIA_TYPES: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf";

/// One clause of an `Accept` header.
struct Clause<'a> {
    media_type: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    /// In thousandths.
    quality: u32,
}

impl<'a> Clause<'a> {
    fn parse(text: &'a str) -> Clause<'a> {
        let mut parts = text.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or("");
        let mut quality = 1_000;
        let mut parameters = Vec::new();
        for (name, value) in parts.filter_map(|p| p.split_once('=')) {
            if name == "q" {
                quality = float::parse(value).map_or(1_000, |q| (q.clamp(0.0, 1.0) * 1_000.0) as u32);
            } else {
                parameters.push((name, value));
            }
        }
        Clause {
            media_type,
            parameters,
            quality,
        }
    }

    fn get(&self, name: &str) -> &str {
        self.parameters.iter().find(|(k, _)| *k == name).map_or("", |(_, v)| v)
    }

    fn wanted(&self) -> Option<Wanted> {
        let format = match self.media_type {
            "application/json" | "application/*" | "*/*" => Format::Json,
            "application/yaml" => Format::Yaml,
            "application/vnd.kubernetes.protobuf" => Format::Protobuf,
            _ => return None,
        };
        let view = match self.get("as") {
            "" => View::Whole,
            _ if self.get("g") != "meta.k8s.io" || !matches!(self.get("v"), "v1" | "v1beta1") => return None,
            "Table" => View::Table,
            "PartialObjectMetadata" | "PartialObjectMetadataList" => View::Metadata,
            _ => return None,
        };
        if self.parameters.iter().any(|(k, v)| *k == "stream" && *v != "watch") {
            return None;
        }
        Some(Wanted { format, view })
    }
}

/// Chooses the form of the answer: the clause of the highest quality that the server can give. Among
/// those that differ in nothing but the encoding JSON goes before protobuf, which it equals.
///
/// # Errors
/// 406 when there is none.
fn choose(accept: &str) -> Result<Wanted, Status> {
    if accept.trim().is_empty() {
        return Ok(DEFAULT);
    }
    let mut clauses: Vec<Clause<'_>> = accept.split(',').map(|c| Clause::parse(c.trim())).collect();
    clauses.arrange_by_key(|c| std::cmp::Reverse(c.quality));
    let all: Vec<Wanted> = clauses
        .iter()
        .filter(|c| c.quality > 0)
        .filter_map(Clause::wanted)
        .collect();
    let Some(first) = all.first().copied() else {
        return Err(Status::failure(
            406,
            "NotAcceptable",
            format!("only the following media types are accepted: {MEDIA_TYPES}"),
        ));
    };
    let json = Wanted {
        format: Format::Json,
        ..first
    };
    if first.format == Format::Protobuf && all.contains(&json) {
        return Ok(json);
    }
    Ok(first)
}

/// What a request of this form asks the API server for.
pub fn inside(accept: &str, wanted: Wanted) -> &'static str {
    match wanted.view {
        View::Table => "application/json;as=Table;v=v1;g=meta.k8s.io",
        _ if aggregated_discovery(accept) => "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
        _ => "application/json",
    }
}

/// Chooses the form of the answer at a path. Logs and documents outside of the API (`/version`, `/openapi`) are given
/// whatever is accepted.
///
/// # Errors
/// 406 when it can be given in no form that is accepted.
pub fn form(path: &str, accept: &str) -> Result<Wanted, Status> {
    let root = path.split('/').find(|part| !part.is_empty());
    let chooses = matches!(root, Some("api" | "apis")) && !path.ends_with("/log") && !aggregated_discovery(accept);
    match choose(accept) {
        Err(_) if !chooses => Ok(DEFAULT),
        chosen => chosen,
    }
}

/// Whether the header's first clause that discovery can answer asks for its aggregated form.
pub fn aggregated_discovery(accept: &str) -> bool {
    for clause in accept.split(',').map(|c| Clause::parse(c.trim())) {
        if clause.get("as") == "APIGroupDiscoveryList" {
            if clause.get("g") == "apidiscovery.k8s.io" && clause.get("v") == "v2" {
                return true;
            }
        } else if matches!(clause.media_type, "application/json" | "*/*" | "application/*") {
            return false;
        }
    }
    false
}

/// `PartialObjectMetadata` of an object.
pub fn metadata_of(object: &Object) -> Value {
    obj! {
        "apiVersion": "meta.k8s.io/v1",
        "kind": "PartialObjectMetadata",
        "metadata": object.metadata().clone(),
    }
}

/// `PartialObjectMetadataList` of a list.
pub fn metadata_list_of(list: &List) -> Value {
    let mut value = list.to_value();
    value.set(&["items"], list.items.iter().map(metadata_of).collect::<Value>());
    value.set(&["apiVersion"], "meta.k8s.io/v1");
    value.set(&["kind"], "PartialObjectMetadataList");
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_headers() {
        let table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        for (accept, format, view) in [
            ("", Format::Json, View::Whole),
            ("*/*", Format::Json, View::Whole),
            ("application/json, */*", Format::Json, View::Whole),
            (table, Format::Json, View::Table),
            ("application/yaml", Format::Yaml, View::Whole),
            (
                "application/yaml;q=0.5, application/json;q=0.9",
                Format::Json,
                View::Whole,
            ),
            (
                "application/vnd.kubernetes.protobuf,application/json",
                Format::Json,
                View::Whole,
            ),
            ("application/vnd.kubernetes.protobuf", Format::Protobuf, View::Whole),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Format::Json, View::Whole),
            (
                "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json",
                Format::Json,
                View::Metadata,
            ),
            (
                "application/json;as=Nothing;g=meta.k8s.io;v=v1,application/yaml",
                Format::Yaml,
                View::Whole,
            ),
        ] {
            assert_eq!(choose(accept).unwrap(), Wanted { format, view }, "{accept}");
        }
        assert_eq!(choose("text/html").unwrap_err().code(), 406);
        assert_eq!(choose("application/json;q=0").unwrap_err().code(), 406);
    }

    #[test]
    fn paths_that_choose() {
        for (path, code) in [
            ("/api/v1/pods", 406),
            ("/apis/apps/v1", 406),
            ("/api", 406),
            ("/api/v1/namespaces/a/pods/b/log", 0),
            ("/version", 0),
            ("/openapi/v2", 0),
        ] {
            let got = form(path, "text/html").map_or_else(|status| status.code(), |_| 0);
            assert_eq!(got, code, "{path}");
        }
        let aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
        assert_eq!(form("/apis", aggregated).unwrap(), DEFAULT);
    }

    #[test]
    fn only_v2_of_aggregated_discovery() {
        let v2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
        let beta = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
        for (accept, wanted) in [
            (format!("{v2},{beta},application/json"), true),
            (format!("{beta},application/json"), false),
            ("application/json".to_owned(), false),
            (format!("application/json,{v2}"), false),
        ] {
            assert_eq!(aggregated_discovery(&accept), wanted, "{accept}");
        }
    }
}
