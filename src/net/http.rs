//! HTTP between processes: requests, responses and URLs. Between simulated processes they travel as
//! they are; what goes through a stream of bytes (`kubectl port-forward`) is written and read as
//! HTTP/1.1.

use crate::api::ByteStream;
use crate::limits;
use crate::pki::{pem, x509::Certificate};
use core::net::Ipv4Addr;
use std::rc::Rc;

/// How a client meets an HTTPS server in the handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Whether it takes any server for the one that it asked for (`curl -k`).
    pub insecure: bool,
    /// The authorities that it trusts, in PEM.
    pub authorities: String,
    /// The certificate that it shows, in PEM, whose key it has; empty for none.
    pub certificate: String,
}

/// What OpenSSL says where no authority that it trusts has signed.
pub const UNKNOWN_ISSUER: &str = "unable to get local issuer certificate";

impl Tls {
    /// Whether the client takes a server for the host that it asked for; else why not, in OpenSSL's words. The server
    /// says whether an authority, in DER, vouches for it, what the client says when none does, and which names it has.
    ///
    /// # Errors
    /// What does not fit.
    pub fn accepts(
        &self,
        host: &str,
        vouches: impl Fn(&[u8]) -> bool,
        unknown: &str,
        is_named: impl Fn(&str) -> bool,
    ) -> Result<(), String> {
        if self.insecure {
            return Ok(());
        }
        if !pem::blocks(&self.authorities).iter().any(|b| vouches(&b.bytes)) {
            return Err(unknown.into());
        }
        let name = host.split(':').next().unwrap_or_default();
        match is_named(name) {
            true => Ok(()),
            false => Err(format!(
                "no alternative certificate subject name matches target host name '{name}'"
            )),
        }
    }

    /// [`Tls::accepts`] of a server that shows this certificate. That an authority of the issuer's name has signed it
    /// is taken as said.
    ///
    /// # Errors
    /// What does not fit.
    pub fn trusts(&self, shown: &Certificate, host: &str) -> Result<(), String> {
        let own = shown.issuer == shown.subject;
        let signs = |der: &[u8]| Certificate::from_der(der).is_ok_and(|c| c.subject == shown.issuer);
        let unknown = match own {
            true => "self-signed certificate",
            false => UNKNOWN_ISSUER,
        };
        self.accepts(
            host,
            |der| der == shown.whole || (!own && signs(der)),
            unknown,
            |name| match shown.names.is_empty() {
                true => shown.subject.get("CN") == name,
                false => {
                    let ip = name.parse().ok();
                    shown.names.dns.iter().any(|n| n == name) || shown.names.ips.iter().any(|n| Some(*n) == ip)
                }
            },
        )
    }

    /// Of a client that verifies nobody and shows nothing.
    pub fn unverified() -> Tls {
        Tls {
            insecure: true,
            ..Tls::default()
        }
    }
}

/// An HTTP/1.1 request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpRequest {
    /// `GET`.
    pub method: String,
    /// The `Host` header.
    pub host: String,
    /// Path and query: `/index.html?x=1`.
    pub path: String,
    /// Header names as they were written, and their values.
    pub headers: Vec<(String, String)>,
    /// All of it: requests are not streamed.
    pub body: Vec<u8>,
    /// Where the request came from, as the server sees it.
    pub client: Option<Ipv4Addr>,
    /// The server's own address and port.
    pub local: Option<(Ipv4Addr, u16)>,
    /// The handshake of HTTPS; `None` for plain HTTP. The API server and nginx make a difference of it.
    pub tls: Option<Tls>,
}

impl HttpRequest {
    /// A `GET` of a path, to a host that is yet to be named.
    pub fn get(path: &str) -> HttpRequest {
        HttpRequest {
            method: "GET".into(),
            path: path.into(),
            ..HttpRequest::default()
        }
    }

    /// A header's value, by its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

/// An HTTP response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpResponse {
    /// The code: 200.
    pub status: u16,
    /// Header names as they are sent, and their values.
    pub headers: Vec<(String, String)>,
    /// All of it, or its beginning when `more` follows.
    pub body: Vec<u8>,
    /// What follows, as it comes: of a watch each event. It is closed when nobody reads it any more.
    pub more: More,
}

/// The part of a body that comes piece by piece. The last holder closes the stream, so that nobody writes for a
/// client that went, be it by Ctrl-C, or that never read it.
#[derive(Clone, Debug, Default)]
pub struct More(Option<Rc<Reading>>);

impl PartialEq for More {
    fn eq(&self, other: &More) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(a), Some(b)) => a.0.is(&b.0),
            _ => false,
        }
    }
}

impl Eq for More {}

/// Closes a stream when its reader goes.
#[derive(Debug)]
struct Reading(ByteStream);

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl More {
    /// What comes through a stream, which ends when nobody reads any more.
    pub fn new(stream: ByteStream) -> More {
        More(Some(Rc::new(Reading(stream))))
    }

    /// Whether something follows.
    pub fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// Waits for the next piece; `None` at the end.
    pub async fn read(&self) -> Option<Vec<u8>> {
        self.0.as_ref()?.0.read().await
    }
}

/// A body is longer than [`limits::HTTP_BODY_BYTES`], or has no end at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("http: response body too large")]
pub struct TooLong;

impl HttpResponse {
    /// The response with all of its body, once that has come to its end.
    ///
    /// # Errors
    /// When more comes than is kept.
    pub async fn whole(mut self) -> Result<HttpResponse, TooLong> {
        let more = std::mem::take(&mut self.more);
        while let Some(piece) = more.read().await {
            if self.body.len() + piece.len() > limits::HTTP_BODY_BYTES {
                return Err(TooLong);
            }
            self.body.extend(piece);
        }
        Ok(self)
    }

    /// A whole response with one header, `Content-Type`.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> HttpResponse {
        HttpResponse {
            status,
            headers: vec![("Content-Type".into(), content_type.into())],
            body: body.into(),
            more: More::default(),
        }
    }

    /// A header's value, by its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The body; bytes that are no UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The reason phrase of the status, as its server writes it.
    pub fn reason(&self) -> &'static str {
        match self.header("Server").is_some_and(|s| s.starts_with("nginx")) {
            true => nginx_reason(self.status),
            false => reason(self.status),
        }
    }
}

/// The reason phrase of a status of nginx, which has some of its own (`ngx_http_status_lines`).
pub fn nginx_reason(status: u16) -> &'static str {
    match status {
        302 => "Moved Temporarily",
        405 => "Not Allowed",
        408 => "Request Time-out",
        503 => "Service Temporarily Unavailable",
        504 => "Gateway Time-out",
        status => reason(status),
    }
}

/// The reason phrase of a status (Go's `http.StatusText`); empty for those that nothing here answers.
pub fn reason(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        413 => "Request Entity Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "",
    }
}

/// What a stream's bytes hold at their beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed<T> {
    /// A whole message, and how many bytes it took.
    Whole(T, usize),
    /// The beginning of one.
    More,
    /// Another protocol.
    Other,
}

/// The first line, the headers, and where the body begins.
fn head(bytes: &[u8]) -> Option<(String, Vec<(String, String)>, usize)> {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").map(|i| (i, 4));
    let end = end.or_else(|| bytes.windows(2).position(|w| w == b"\n\n").map(|i| (i, 2)));
    let (at, width) = end?;
    let text = String::from_utf8_lossy(bytes.get(..at)?).into_owned();
    let mut lines = text.lines();
    let first = lines.next().unwrap_or("").to_owned();
    let headers = lines
        .filter_map(|l| l.split_once(':'))
        .map(|(k, v)| (k.trim().to_owned(), v.trim().to_owned()))
        .collect();
    Some((first, headers, at + width))
}

/// The body that begins at `from`: its bytes and where it ends; `None` while it is not whole.
fn body(bytes: &[u8], headers: &[(String, String)], from: usize) -> Option<(Vec<u8>, usize)> {
    if header(headers, "Transfer-Encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked")) {
        let (mut at, mut whole) = (from, Vec::new());
        loop {
            let rest = bytes.get(at..)?;
            let line = rest.windows(2).position(|w| w == b"\r\n")?;
            let size = std::str::from_utf8(rest.get(..line)?).ok()?;
            let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
            let begin = at.checked_add(line)?.checked_add(2)?;
            let end = begin.checked_add(size)?;
            whole.extend_from_slice(bytes.get(begin..end)?);
            at = end.checked_add(2)?;
            if at > bytes.len() {
                return None;
            }
            if size == 0 {
                return Some((whole, at));
            }
        }
    }
    let length: usize = header(headers, "Content-Length")
        .and_then(|v| v.parse().ok())
        .unwrap_or(0);
    let end = from.checked_add(length)?;
    bytes.get(from..end).map(|b| (b.to_vec(), end))
}

/// How the end of a message's body is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// There is no body, and no word of one.
    None,
    Length,
    Chunked,
}

fn write_message(first: String, headers: &[(String, String)], body: &[u8], framing: Framing) -> Vec<u8> {
    let mut text = first + "\r\n";
    for (name, value) in headers {
        let is_length = ["content-length", "transfer-encoding"].contains(&name.to_ascii_lowercase().as_str());
        if !is_length {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    match framing {
        Framing::None => {}
        Framing::Length => text.push_str(&format!("Content-Length: {}\r\n", body.len())),
        Framing::Chunked => text.push_str("Transfer-Encoding: chunked\r\n"),
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

impl HttpRequest {
    /// The request as it stands on the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut headers = self.headers.clone();
        if self.header("Host").is_none() {
            headers.insert(0, ("Host".into(), self.host.clone()));
        }
        let first = format!("{} {} HTTP/1.1", self.method, self.path);
        let sends = !self.body.is_empty() || matches!(self.method.as_str(), "POST" | "PUT" | "PATCH");
        write_message(
            first,
            &headers,
            &self.body,
            if sends { Framing::Length } else { Framing::None },
        )
    }

    /// Reads the request that a stream begins with.
    pub fn parse(bytes: &[u8]) -> Parsed<HttpRequest> {
        // A method is a word of capitals.
        let word: Vec<u8> = bytes.iter().copied().take_while(u8::is_ascii_uppercase).collect();
        match bytes.get(word.len()) {
            None if word.len() < 16 => return Parsed::More,
            Some(b' ') if word.len() > 2 => {}
            _ => return Parsed::Other,
        }
        let Some((first, headers, from)) = head(bytes) else {
            let line_ends = bytes.iter().position(|b| *b == b'\n');
            let line = bytes.get(..line_ends.unwrap_or(0)).unwrap_or_default();
            return match line_ends {
                Some(_) if !String::from_utf8_lossy(line).contains(" HTTP/1") => Parsed::Other,
                _ => Parsed::More,
            };
        };
        let mut words = first.split_whitespace();
        let (Some(method), Some(path), Some(version)) = (words.next(), words.next(), words.next()) else {
            return Parsed::Other;
        };
        if !version.starts_with("HTTP/1") {
            return Parsed::Other;
        }
        let Some((body, end)) = body(bytes, &headers, from) else {
            return Parsed::More;
        };
        let request = HttpRequest {
            tls: None,
            method: method.to_owned(),
            host: header(&headers, "Host").unwrap_or("").to_owned(),
            path: path.to_owned(),
            headers,
            body,
            client: None,
            local: None,
        };
        Parsed::Whole(request, end)
    }
}

impl HttpResponse {
    /// The response as it stands on the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        let first = format!("HTTP/1.1 {} {}", self.status, self.reason());
        write_message(first, &self.headers, &self.body, Framing::Length)
    }

    /// The beginning of a response of which more follows, as it stands on the wire: a body in chunks.
    pub fn begin(&self) -> Vec<u8> {
        let first = format!("HTTP/1.1 {} {}", self.status, self.reason());
        let mut bytes = write_message(first, &self.headers, &[], Framing::Chunked);
        if !self.body.is_empty() {
            bytes.extend(chunk(&self.body));
        }
        bytes
    }

    /// Reads the response that a stream begins with.
    pub fn parse(bytes: &[u8]) -> Parsed<HttpResponse> {
        let begins = b"HTTP/1.";
        let n = bytes.len().min(begins.len());
        if bytes.get(..n) != begins.get(..n) {
            return Parsed::Other;
        }
        let Some((first, headers, from)) = head(bytes) else {
            return Parsed::More;
        };
        let status = first.split_whitespace().nth(1).and_then(|s| s.parse().ok());
        let (Some(status), Some((body, end))) = (status, body(bytes, &headers, from)) else {
            return Parsed::More;
        };
        let response = HttpResponse {
            status,
            headers,
            body,
            more: More::default(),
        };
        Parsed::Whole(response, end)
    }
}

/// A chunk of a body as it stands on the wire; the empty one ends the body.
pub fn chunk(bytes: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(k, _)| k.eq_ignore_ascii_case(name))
        .map(|(_, v)| v.as_str())
}

/// An `http` or `https` URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// `http` or `https`, in lower case.
    pub scheme: String,
    /// A name or an address, without brackets.
    pub host: String,
    /// The scheme's own when none is written.
    pub port: u16,
    /// Path and query; at least `/`.
    pub path: String,
}

impl Url {
    /// Reads a URL as curl does: the scheme may be left out.
    ///
    /// # Errors
    /// curl's words for what is wrong.
    pub fn parse(text: &str) -> Result<Url, String> {
        let (scheme, rest) = match text.split_once("://") {
            Some((s, r)) => (s.to_ascii_lowercase(), r),
            None => ("http".to_owned(), text),
        };
        let default = match scheme.as_str() {
            "http" => 80,
            "https" => 443,
            other => return Err(format!("Protocol \"{other}\" not supported")),
        };
        let cut = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(cut);
        let authority = authority.rsplit('@').next().unwrap_or(authority);
        let (host, port) = match authority.rsplit_once(':') {
            Some((h, p)) => {
                let port = p
                    .parse()
                    .map_err(|_| "URL using bad/illegal format or missing URL".to_owned())?;
                (h, port)
            }
            None => (authority, default),
        };
        if host.is_empty() || host.contains(char::is_whitespace) {
            return Err("URL using bad/illegal format or missing URL".into());
        }
        let path = tail.split('#').next().unwrap_or("");
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        Ok(Url {
            scheme,
            host: host.to_owned(),
            port,
            path,
        })
    }

    /// Where a `Location` header leads from here; `None` for what is no address.
    pub fn follow(&self, to: &str) -> Option<Url> {
        if to.contains("://") {
            return Url::parse(to).ok();
        }
        let folder = self.path.rfind('/').and_then(|i| self.path.get(..=i)).unwrap_or("/");
        let path = if to.starts_with('/') {
            to.to_owned()
        } else {
            format!("{folder}{to}")
        };
        Some(Url { path, ..self.clone() })
    }

    /// The whole address.
    pub fn text(&self) -> String {
        format!("{}://{}{}", self.scheme, self.authority(), self.path)
    }

    /// `host`, or `host:port` where the port is not the scheme's own.
    pub fn authority(&self) -> String {
        match (self.scheme.as_str(), self.port) {
            ("http", 80) | ("https", 443) => self.host.clone(),
            (_, port) => format!("{}:{port}", self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_on_the_wire() {
        let mut request = HttpRequest::get("/a?b=c");
        request.method = "POST".into();
        request.host = "web:8080".into();
        request.headers.push(("Accept".into(), "*/*".into()));
        request.body = b"x=1".to_vec();
        let bytes = request.to_bytes();
        assert_eq!(
            String::from_utf8_lossy(&bytes),
            "POST /a?b=c HTTP/1.1\r\nHost: web:8080\r\nAccept: */*\r\nContent-Length: 3\r\n\r\nx=1"
        );
        let Parsed::Whole(read, n) = HttpRequest::parse(&bytes) else {
            panic!("it is whole")
        };
        assert_eq!(
            (read.path.as_str(), read.body.as_slice(), n),
            ("/a?b=c", &b"x=1"[..], bytes.len())
        );
        for cut in 0..bytes.len() {
            assert_eq!(HttpRequest::parse(&bytes[..cut]), Parsed::More, "{cut}");
        }
        assert_eq!(HttpRequest::parse(b"*1\r\n$4\r\nPING\r\n"), Parsed::Other);
        assert_eq!(HttpRequest::parse(b"PING\r\n"), Parsed::Other);
        assert_eq!(HttpRequest::parse(b"SET a b\r\n"), Parsed::Other);
        let response = HttpResponse::new(200, "text/plain", "hello");
        let bytes = response.to_bytes();
        let Parsed::Whole(read, _) = HttpResponse::parse(&bytes) else {
            panic!("it is whole")
        };
        assert_eq!((read.status, read.text()), (200, "hello".into()));
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        let Parsed::Whole(read, n) = HttpResponse::parse(chunked) else {
            panic!("it is whole")
        };
        assert_eq!((read.text(), n), ("abcde".into(), chunked.len()));
        for cut in 0..chunked.len() {
            assert_eq!(HttpResponse::parse(&chunked[..cut]), Parsed::More, "{cut}");
        }
    }

    #[test]
    fn what_nobody_reads_is_closed() {
        let stream = ByteStream::new();
        let mut response = HttpResponse::new(200, "text/plain", "a");
        response.more = More::new(stream.clone());
        let copy = response.clone();
        drop(response);
        assert!(!stream.is_closed(), "another reads it");
        let mut wire = copy.begin();
        wire.extend(chunk(b"bc"));
        wire.extend(chunk(b""));
        drop(copy);
        assert!(stream.is_closed());
        let Parsed::Whole(read, n) = HttpResponse::parse(&wire) else {
            panic!("it is whole")
        };
        assert_eq!((read.text(), n), ("abc".into(), wire.len()));
    }

    #[test]
    fn what_is_too_long_is_not_collected() {
        let sim = crate::sim::Sim::new(1, crate::sim::Time::default());
        let whole = |length: usize| {
            let mut response = HttpResponse::new(200, "text/plain", "a");
            response.more = More::new(ByteStream::finished(vec![b'b'; length]));
            let whole = sim
                .run_future(response.whole(), crate::sim::Time::from_secs(1))
                .unwrap();
            whole.map(|response| response.body.len())
        };
        assert_eq!(whole(2), Ok(3));
        assert_eq!(whole(limits::HTTP_BODY_BYTES), Err(TooLong));
    }

    #[test]
    fn urls() {
        for (text, host, port, path) in [
            ("10.0.0.1", "10.0.0.1", 80, "/"),
            ("http://web:8080/a?b#c", "web", 8080, "/a?b"),
            ("https://web", "web", 443, "/"),
            ("web?x=1", "web", 80, "/?x=1"),
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!((url.host.as_str(), url.port, url.path.as_str()), (host, port, path));
        }
        assert!(Url::parse("ftp://x").is_err());
        assert!(Url::parse("http://").is_err());
        assert!(Url::parse("http://a:b/").is_err());
    }
}
