//! Answers: trees, errors, text and streams as HTTP responses.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, VARY, WARNING,
};
use hyper::{Response, StatusCode};
use kubetab::api::Status;
use kubetab::api::negotiate::{Format, Wanted};
use kubetab::kubectl::typed;
use kubetab::value::{Value, gofmt, gojson, yaml};

use super::body::Content;
use super::protobuf;

pub type Answer = Response<Content>;

/// Answers below this are not worth compressing (`defaultGzipThresholdBytes` of the API server).
const GZIP_FROM: usize = 128 * 1024;

/// What of a request shapes every answer to it.
#[derive(Clone)]
pub struct Style {
    pub wanted: Wanted,
    pub pretty: bool,
    pub gzip: bool,
}

impl Style {
    pub fn of(headers: &HeaderMap, query: &[(String, String)], wanted: Wanted) -> Style {
        let header = |name: HeaderName| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("");
        let agent = header(hyper::header::USER_AGENT);
        let pretty = match query.iter().find(|(k, _)| k == "pretty") {
            Some((_, value)) if !value.is_empty() => gofmt::parse_bool(value) == Some(true),
            // Browsers and command-line tools get what people can read.
            _ => ["curl", "Wget", "Mozilla/5.0"]
                .iter()
                .any(|tool| agent.starts_with(tool)),
        };
        let gzip = header(ACCEPT_ENCODING)
            .split(',')
            .any(|e| e.split(';').next().unwrap_or("").trim() == "gzip");
        Style { wanted, pretty, gzip }
    }
}

fn build(code: u16, content_type: &str, content: Content) -> Answer {
    let mut answer = Response::new(content);
    *answer.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers_mut();
    if let Ok(value) = HeaderValue::from_str(content_type) {
        headers.insert(CONTENT_TYPE, value);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    answer
}

/// Plain text.
pub fn text(code: u16, text: impl Into<String>) -> Answer {
    let mut answer = build(code, "text/plain; charset=utf-8", Content::new(text.into()));
    answer
        .headers_mut()
        .insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    answer
}

/// What a path gets that nothing serves.
pub fn page_not_found() -> Answer {
    text(404, "404 page not found\n")
}

/// Bytes of a media type, compressed where that is wanted and worth it.
pub fn bytes(code: u16, content_type: &str, bytes: Vec<u8>, gzip: bool) -> Answer {
    if gzip && bytes.len() >= GZIP_FROM {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        if encoder.write_all(&bytes).is_ok()
            && let Ok(compressed) = encoder.finish()
        {
            let mut answer = build(code, content_type, Content::new(compressed));
            answer
                .headers_mut()
                .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            answer
                .headers_mut()
                .insert(VARY, HeaderValue::from_static("Accept-Encoding"));
            return answer;
        }
    }
    build(code, content_type, Content::new(bytes))
}

/// JSON as the server writes it: with a closing line feed; over several lines when `pretty`.
fn json(value: &Value, pretty: bool) -> String {
    match (value.has("kind"), pretty) {
        (true, true) => typed::wire(value, true),
        (true, false) => typed::wire(value, false) + "\n",
        (false, true) => gojson::indented(value, "  ", true),
        (false, false) => gojson::compact(value, true) + "\n",
    }
}

/// A stream of bytes that is flushed as it comes.
pub fn stream(content_type: &str, content: Content) -> Answer {
    build(200, content_type, content)
}

/// A tree in the form that was asked for.
pub fn tree(code: u16, value: &Value, style: &Style) -> Answer {
    let (format, text) = encode(value, style);
    bytes(code, format.media_type(), text, style.gzip)
}

/// A tree's bytes, and the form that they are in: JSON where protobuf does not know the kind.
pub fn encode(value: &Value, style: &Style) -> (Format, Vec<u8>) {
    match style.wanted.format {
        Format::Yaml => (Format::Yaml, yaml::to_yaml(value).into_bytes()),
        Format::Protobuf => match protobuf::encode(value) {
            Some(bytes) => (Format::Protobuf, bytes),
            None => (Format::Json, json(value, false).into_bytes()),
        },
        Format::Json => (Format::Json, json(value, style.pretty).into_bytes()),
    }
}

/// An error.
pub fn failure(status: &Status, style: &Style) -> Answer {
    tree(status.code(), &status.to_value(), style)
}

/// Adds the `Warning` headers of sentences.
pub fn warn(answer: &mut Answer, warnings: &[String]) {
    for sentence in warnings {
        let mut text = String::from("299 - \"");
        for c in sentence.chars() {
            match c {
                '"' | '\\' => text.extend(['\\', c]),
                // Control characters have no place in a header (`net.NewWarningHeader` refuses them).
                c if c.is_control() => text.push(' '),
                c => text.push(c),
            }
        }
        text.push('"');
        if let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) {
            answer.headers_mut().append(WARNING, value);
        }
    }
}

/// Sets a header of the server's own.
pub fn set(answer: &mut Answer, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(HeaderName::from_static(name), value);
    }
}
