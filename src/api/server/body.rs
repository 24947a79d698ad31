//! The bodies of requests: decoded against the schema, with what is said of fields that nobody knows.

use super::super::custom::{CustomVersion, structural};
use super::super::decode::decode;
use super::super::request::{Body, PatchType, Request};
use super::super::resource::{self, Resource};
use super::super::schema;
use super::super::status::Status;
use super::write::summary;
use super::{ApiServer, Target};
use crate::limits;
use crate::value::{Value, gojson, quoted, yaml};

/// Refuses a tree that says that it is of another kind or version than `wanted` and `expected`.
pub(in crate::api) fn check_kind(value: &Value, wanted: &str, expected: &str, custom: bool) -> Result<(), Status> {
    let said = |field: &str, default: &str| match value.get(field).str() {
        "" => default.to_owned(),
        given => given.to_owned(),
    };
    let (version, kind) = (said("apiVersion", expected), said("kind", wanted));
    if kind == wanted && version == expected {
        return Ok(());
    }
    let cannot = |why: String| {
        let (_, bare) = resource::split(&version);
        Status::bad_request(format!(
            "{kind} in version {bare} cannot be handled as a {wanted}: {why}",
            bare = quoted(&bare)
        ))
    };
    let other = schema::by_kind(&version, &kind);
    if other.is_none() && !custom {
        return Err(cannot(format!(
            "no kind {kind} is registered for version {version} in scheme \"pkg/api/legacyscheme/scheme.go:30\"",
            kind = quoted(&kind),
            version = quoted(&version)
        )));
    }
    if kind != wanted && !custom {
        let group = match resource::split(expected).0.split('.').next() {
            None | Some("") => "core",
            Some(group) => group,
        };
        let go_name = other.map_or_else(|| kind.clone(), |ty| ty.go_name().to_owned());
        return Err(cannot(format!(
            "converting ({go_name}) to ({group}.{wanted}): unknown conversion"
        )));
    }
    Err(Status::bad_request(format!(
        "the API version in the data ({version}) does not match the expected API version ({expected})"
    )))
}

/// The refusal of a tree that is no object of the resource's kind.
fn cannot_be_handled(resource: &Resource, why: &str) -> Status {
    Status::bad_request(format!(
        "{} in version \"{}\" cannot be handled as a {}: {why}",
        resource.kind, resource.version, resource.kind
    ))
}

/// Checks that a body is in a form that objects are taken in. One that does not say its form is JSON.
///
/// # Errors
/// 415 otherwise: `curl -d` says that its body is a form.
pub(super) fn check_media_type(content_type: &str, custom: bool) -> Result<(), Status> {
    let mut taken = vec!["application/json", "application/yaml"];
    if !custom {
        taken.push("application/vnd.kubernetes.protobuf");
    }
    let media_type = content_type.split(';').next().unwrap_or("").trim();
    if media_type.is_empty() || taken.iter().any(|t| t.eq_ignore_ascii_case(media_type)) {
        return Ok(());
    }
    Err(Status::unknown_media_type(&taken))
}

/// What field validation says of the fields that a body's text has more than once.
pub(super) fn repeated_fields(bytes: &[u8], content_type: &str) -> Vec<String> {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    if content_type.contains("yaml") {
        return yaml::decode_strict(text).err().iter().map(|e| e.to_string()).collect();
    }
    let patch = match PatchType::from_media_type(content_type) {
        Some(PatchType::Json) => "json patch ",
        _ => "",
    };
    let fields = gojson::duplicates(text).into_iter();
    fields
        .map(|path| format!("{patch}duplicate field {path}", path = quoted(&path)))
        .collect()
}

/// What the request's field validation does with unknown and repeated fields. Inside of a field that is not
/// known nobody looks.
fn answer_unknown(
    unknown: &[String],
    resource: &Resource,
    request: &Request,
    warnings: &mut Vec<String>,
) -> Result<(), Status> {
    let inside = |text: &str| {
        let path = text.strip_prefix("duplicate ").and_then(|t| t.strip_suffix('"'));
        path.is_some_and(|path| {
            unknown.iter().any(|u| {
                let outer = u.strip_prefix("unknown ").unwrap_or(u).trim_end_matches('"');
                path.strip_prefix(outer)
                    .is_some_and(|rest| matches!(rest.chars().next(), None | Some('.' | '[')))
            })
        })
    };
    let repeated = request.repeated.iter().filter(|text| !inside(text));
    let found: Vec<String> = repeated.chain(unknown).cloned().collect();
    match request.param("fieldValidation") {
        _ if found.is_empty() => {}
        "Ignore" => {}
        "Strict" => {
            let why = format!("strict decoding error: {}", found.join(", "));
            return Err(cannot_be_handled(resource, &why));
        }
        _ => warnings.extend(found),
    }
    Ok(())
}

impl ApiServer {
    /// The object of a body. `wanted` is its kind; a patch has none.
    pub(super) fn parse_body(&self, bytes: &[u8], content_type: &str, wanted: Option<&str>) -> Result<Value, Status> {
        if bytes.len() > limits::REQUEST_BYTES {
            return Err(Status::failure(
                413,
                "RequestEntityTooLarge",
                format!("Request entity too large: limit is {}", limits::REQUEST_BYTES),
            ));
        }
        let text =
            std::str::from_utf8(bytes).map_err(|e| Status::bad_request(format!("the body is not UTF-8: {e}")))?;
        if content_type.contains("protobuf") {
            return Err(Status::unsupported_media_type(
                "protobuf bodies are not understood by this API server",
            ));
        }
        if content_type.contains("yaml") {
            let decoded =
                yaml::decode(text).map_err(|e| Status::bad_request(format!("error converting YAML to JSON: {e}")))?;
            return Ok(decoded);
        }
        gojson::parse(text).map_err(|e| {
            Status::bad_request(match wanted {
                None => e.to_string(),
                Some(kind) => format!(
                    "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; \
                     json parse error: {e} ({})",
                    summary(bytes)
                ),
            })
        })
    }

    /// The body as an object of the target's kind, decoded, with the schema's defaults.
    pub(super) fn body(
        &self,
        request: &mut Request,
        target: &Target,
        warnings: &mut Vec<String>,
    ) -> Result<Value, Status> {
        match std::mem::take(&mut request.body) {
            Body::Typed(value) => Ok(value),
            Body::Value(value) => self.decode(&value, request, target, warnings),
            Body::None | Body::Bytes(_) => Err(Status::bad_request("no body was sent")),
        }
    }

    /// Decodes a tree as the target's kind, by the request's field validation.
    pub fn decode(
        &self,
        value: &Value,
        request: &Request,
        target: &Target,
        warnings: &mut Vec<String>,
    ) -> Result<Value, Status> {
        let resource = &target.resource;
        let api_version = resource.api_version();
        check_kind(value, &resource.kind, &api_version, resource.custom.is_some())?;
        if value.depth() > limits::VALUE_DEPTH {
            return Err(Status::bad_request("exceeded max depth"));
        }
        if let Some(custom) = &resource.custom {
            return self.decode_custom(value, custom, request, target, warnings);
        }
        let Some(ty) = schema::of(resource) else {
            return Ok(value.clone());
        };
        let sent = value;
        let decoded = decode(value, &ty).map_err(|why| cannot_be_handled(resource, &why))?;
        answer_unknown(&decoded.unknown, resource, request, warnings)?;
        let mut value = decoded.value;
        if sent
            .at(&["metadata", "managedFields"])
            .as_list()
            .is_some_and(<[Value]>::is_empty)
        {
            // An empty list asks to forget the owners, and would be left out: one empty entry asks too.
            value.set(&["metadata", "managedFields"], Value::list(vec![Value::map()]));
        }
        value.set(&["apiVersion"], api_version);
        value.set(&["kind"], resource.kind.clone());
        Ok(value)
    }

    /// Decodes a tree as a custom resource.
    fn decode_custom(
        &self,
        value: &Value,
        custom: &CustomVersion,
        request: &Request,
        target: &Target,
        warnings: &mut Vec<String>,
    ) -> Result<Value, Status> {
        let resource = &target.resource;
        let mut value = value.clone();
        if value.as_map().is_none() || value.get("kind").str().is_empty() {
            return Err(Status::bad_request(format!(
                "Object 'Kind' is missing in '{}'",
                gojson::compact(&value, false)
            )));
        }
        let mut unknown = Vec::new();
        let metadata = value.get("metadata");
        if !metadata.is_null()
            && let Some(ty) = schema::by_name(structural::OBJECT_META)
        {
            let decoded = decode(metadata, &ty).map_err(|why| cannot_be_handled(resource, &why))?;
            value.set(&["metadata"], decoded.value);
            unknown.extend(
                decoded
                    .unknown
                    .iter()
                    .map(|u| u.replacen("unknown field \"", "unknown field \"metadata.", 1)),
            );
        }
        custom.complete(&mut value, &mut unknown);
        structural::embedded_metadata(&mut value, &custom.schema, true, "", &mut unknown);
        answer_unknown(&unknown, resource, request, warnings)?;
        Ok(value)
    }
}
