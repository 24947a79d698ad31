//! The rules of names, labels and annotations (apimachinery's `util/validation`), with their sentences.

use std::fmt;
use std::net::IpAddr;

use crate::value::quoted;

const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";

/// What is wrong with a text: a sentence for each rule that it breaks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Broken(pub Vec<String>);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}

impl From<&str> for Broken {
    fn from(sentence: &str) -> Broken {
        Broken(vec![sentence.to_owned()])
    }
}

/// A rule of texts.
pub type Rule = fn(&str) -> Result<(), Broken>;

/// The sentences of those rules that are broken.
fn all<const N: usize>(rules: [(bool, &str); N]) -> Result<(), Broken> {
    let broken: Vec<String> = rules
        .into_iter()
        .filter(|(kept, _)| !kept)
        .map(|(_, sentence)| sentence.to_owned())
        .collect();
    if broken.is_empty() { Ok(()) } else { Err(Broken(broken)) }
}

fn alnum_lower(c: u8) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

fn is_label(s: &str) -> bool {
    let b = s.as_bytes();
    match (b.first(), b.last()) {
        (Some(f), Some(l)) => alnum_lower(*f) && alnum_lower(*l) && b.iter().all(|c| alnum_lower(*c) || *c == b'-'),
        _ => false,
    }
}

fn is_subdomain(s: &str) -> bool {
    s.split('.').all(is_label)
}

/// A prefix as a name to check: a dash at its end is not at the end of the name (`maskTrailingDash`).
pub fn masked(prefix: &str) -> String {
    match prefix.strip_suffix('-') {
        Some(start) if !start.is_empty() => format!("{start}a"),
        _ => prefix.to_owned(),
    }
}

/// RFC 1123 label: names of namespaces, containers, volumes.
///
/// # Errors
/// Each rule that it breaks.
pub fn dns1123_label(s: &str) -> Result<(), Broken> {
    if s.len() <= 63 && is_label(s) {
        return Ok(());
    }
    let form = format!(
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{LABEL}')"
    );
    let dots = !is_label(s) && is_subdomain(s);
    all([
        (s.len() <= 63, "must be no more than 63 characters"),
        (!dots, "must not contain dots"),
        (is_label(s) || dots, &form),
    ])
}

/// RFC 1123 subdomain: names of most objects.
///
/// # Errors
/// Each rule that it breaks.
pub fn dns1123_subdomain(s: &str) -> Result<(), Broken> {
    if s.len() <= 253 && is_subdomain(s) {
        return Ok(());
    }
    let form = format!(
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{SUBDOMAIN}')"
    );
    all([
        (s.len() <= 253, "must be no more than 253 characters"),
        (is_subdomain(s), &form),
    ])
}

/// RFC 1123 subdomain whose labels may hold and begin with underscores: a resolver's search paths.
///
/// # Errors
/// Each rule that it breaks.
pub fn dns1123_subdomain_with_underscore(s: &str) -> Result<(), Broken> {
    let plain = |l: &str| {
        let bare = l.strip_prefix('_').unwrap_or(l);
        is_label(&bare.replace('_', "-"))
    };
    all([
        (s.len() <= 253, "must be no more than 253 characters"),
        (
            s.split('.').all(plain),
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')",
        ),
    ])
}

/// A subdomain whose first label is `*`: a rule's host.
///
/// # Errors
/// Each rule that it breaks.
pub fn wildcard_subdomain(s: &str) -> Result<(), Broken> {
    let form = format!(
        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.{SUBDOMAIN}')"
    );
    all([
        (s.len() <= 253, "must be no more than 253 characters"),
        (s.strip_prefix("*.").is_some_and(is_subdomain), &form),
    ])
}

/// RFC 1035 label.
///
/// # Errors
/// Each rule that it breaks.
pub fn dns1035_label(s: &str) -> Result<(), Broken> {
    all([
        (s.len() <= 63, "must be no more than 63 characters"),
        (
            is_label(s) && s.as_bytes().first().is_some_and(u8::is_ascii_lowercase),
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
        ),
    ])
}

fn is_qualified_part(s: &str) -> bool {
    let b = s.as_bytes();
    match (b.first(), b.last()) {
        (Some(f), Some(l)) => {
            f.is_ascii_alphanumeric()
                && l.is_ascii_alphanumeric()
                && b.iter()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.'))
        }
        _ => false,
    }
}

const QUALIFIED: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

/// A label's or annotation's key: an optional prefix (a subdomain) and a name.
///
/// # Errors
/// Each rule that it breaks.
pub fn label_key(key: &str) -> Result<(), Broken> {
    let mut errors: Vec<String> = Vec::new();
    let parts: Vec<&str> = key.split('/').collect();
    let name = match parts.as_slice() {
        [name] => *name,
        [prefix, name] => {
            if prefix.is_empty() {
                errors.push("prefix part must be non-empty".into());
            } else if let Err(why) = dns1123_subdomain(prefix) {
                errors.extend(why.0.iter().map(|w| format!("prefix part {w}")));
            }
            *name
        }
        _ => {
            return Err(Broken(vec![format!(
                "a valid label key {QUALIFIED} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )]));
        }
    };
    if name.is_empty() {
        errors.push("name part must be non-empty".into());
    } else if name.len() > 63 {
        errors.push("name part must be no more than 63 bytes".into());
    }
    if !is_qualified_part(name) {
        errors.push(format!("name part {QUALIFIED}"));
    }
    if errors.is_empty() { Ok(()) } else { Err(Broken(errors)) }
}

/// A label's value.
///
/// # Errors
/// Each rule that it breaks.
pub fn label_value(value: &str) -> Result<(), Broken> {
    all([
        (value.len() <= 63, "must be no more than 63 bytes"),
        (
            value.is_empty() || is_qualified_part(value),
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
        ),
    ])
}

/// Where a pod's containers find the token of its service account.
pub const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The annotation by which the copy of a static pod in the API names its file.
pub const MIRROR: &str = "kubernetes.io/config.mirror";

/// The finalizer of what goes without its dependents.
pub const ORPHAN: &str = "orphan";
/// The finalizer of what waits for its dependents to go.
pub const FOREGROUND: &str = "foregroundDeletion";
/// The finalizers by which the garbage collector knows what becomes of dependents.
pub const COLLECTOR_FINALIZERS: [&str; 2] = [ORPHAN, FOREGROUND];

/// Whether a finalizer is one of Kubernetes' own, or its name has a domain.
pub fn is_finalizer(name: &str) -> bool {
    name.contains('/') || matches!(name, ORPHAN | FOREGROUND | "kubernetes")
}

/// A port's name (`IANA_SVC_NAME`).
///
/// # Errors
/// Each rule that it breaks.
pub fn port_name(s: &str) -> Result<(), Broken> {
    all([
        (s.len() <= 15, "must be no more than 15 characters"),
        (
            !s.is_empty() && s.bytes().all(|c| alnum_lower(c) || c == b'-'),
            "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
        ),
        (
            s.bytes().any(|c| c.is_ascii_lowercase()),
            "must contain at least one letter (a-z)",
        ),
        (!s.contains("--"), "must not contain consecutive hyphens"),
        (
            !s.starts_with('-') && !s.ends_with('-'),
            "must not begin or end with a hyphen",
        ),
    ])
}

/// A key of a ConfigMap or Secret.
///
/// # Errors
/// Each rule that it breaks.
pub fn config_map_key(s: &str) -> Result<(), Broken> {
    let known = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
    all([
        (s.len() <= 253, "must be no more than 253 characters"),
        (
            !s.is_empty() && s.bytes().all(known),
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
        ),
        (s != ".", "must not be '.'"),
        (s != "..", "must not be '..'"),
        (s == ".." || !s.starts_with(".."), "must not start with '..'"),
    ])
}

/// The name of an environment variable: printable ASCII but `=`.
///
/// # Errors
/// Each rule that it breaks.
pub fn env_name(s: &str) -> Result<(), Broken> {
    all([
        (!s.is_empty(), "environment variable name must be non-empty"),
        (
            s.bytes().all(|c| (0x20..0x7f).contains(&c) && c != b'='),
            "a valid environment variable name must consist only of printable ASCII characters other than '='",
        ),
    ])
}

/// The name of a header of a request.
///
/// # Errors
/// The rule that it breaks.
pub fn header_name(s: &str) -> Result<(), Broken> {
    all([(
        !s.is_empty() && s.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-'),
        "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')",
    )])
}

/// A segment of a path: names of roles and bindings.
///
/// # Errors
/// Each rule that it breaks.
pub fn path_segment(s: &str) -> Result<(), Broken> {
    if s == "." || s == ".." {
        return Err(Broken(vec![format!("may not be '{s}'")]));
    }
    all([
        (!s.contains('/'), "may not contain '/'"),
        (!s.contains('%'), "may not contain '%'"),
    ])
}

/// A domain with a path (`acme.io/foo`).
///
/// # Errors
/// The rule that it breaks.
pub fn domain_prefixed_path(s: &str) -> Result<(), Broken> {
    let Some((domain, path)) = s.split_once('/').filter(|(d, p)| !d.is_empty() && !p.is_empty()) else {
        return Err("must be a domain-prefixed path (such as \"acme.io/foo\")".into());
    };
    dns1123_subdomain(domain)?;
    let known = |c: u8| c.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&c);
    if path.bytes().all(known) {
        return Ok(());
    }
    Err("Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')".into())
}

/// An address without the zeros that may lead its numbers, which `net.ParseIP` once ignored.
fn without_zeros(s: &str) -> String {
    let part = |p: &str| match p.trim_start_matches('0') {
        "" if !p.is_empty() => "0".to_owned(),
        rest => rest.to_owned(),
    };
    let parts: Vec<String> = s.split('.').map(part).collect();
    parts.join(".")
}

/// An IP address, in the strict form that new objects need (`IsValidIPForLegacyField`).
///
/// # Errors
/// The rule that it breaks.
pub fn ip(s: &str) -> Result<(), Broken> {
    match s.parse::<IpAddr>() {
        Ok(IpAddr::V6(v6)) if v6.to_ipv4_mapped().is_some() => Err("must not be an IPv4-mapped IPv6 address".into()),
        Ok(_) => Ok(()),
        Err(_) if without_zeros(s).parse::<IpAddr>().is_ok() => Err("must not have leading 0s".into()),
        Err(_) => Err("must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)".into()),
    }
}

/// The address and the length of the prefix of a range of addresses.
pub fn parse_cidr(s: &str) -> Option<(IpAddr, u8)> {
    let (address, length) = s.split_once('/')?;
    let address = address.parse::<IpAddr>().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let length = length.parse().ok().filter(|n| *n <= most)?;
    Some((address, length))
}

/// A range of addresses, in the strict form that new objects need (`IsValidCIDRForLegacyField`).
///
/// # Errors
/// The rule that it breaks.
pub fn cidr(s: &str) -> Result<(), Broken> {
    let Some((address, length)) = parse_cidr(s) else {
        return match parse_cidr(&without_zeros(s)) {
            Some(_) => Err("must not have leading 0s in IP or prefix length".into()),
            None => Err("must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)".into()),
        };
    };
    if s.split_once('/')
        .is_some_and(|(_, l)| l.len() > 1 && l.starts_with('0'))
    {
        return Err("must not have leading 0s in IP or prefix length".into());
    }
    let beyond = match address {
        IpAddr::V4(v4) => u32::from(v4).checked_shl(length.into()).unwrap_or(0) != 0,
        IpAddr::V6(v6) => u128::from(v6).checked_shl(length.into()).unwrap_or(0) != 0,
    };
    if beyond {
        return Err("must not have bits set beyond the prefix length".into());
    }
    Ok(())
}

/// An IP address in the one form that Go prints (`IsValidIP`).
///
/// # Errors
/// The rule that it breaks.
pub fn canonical_ip(s: &str) -> Result<(), Broken> {
    ip(s)?;
    canonical(s, s.parse::<IpAddr>().map(|ip| ip.to_string()).ok())
}

/// A range of addresses in the one form that Go prints (`IsValidCIDR`).
///
/// # Errors
/// The rule that it breaks.
pub fn canonical_cidr(s: &str) -> Result<(), Broken> {
    cidr(s)?;
    canonical(s, parse_cidr(s).map(|(ip, length)| format!("{ip}/{length}")))
}

fn canonical(s: &str, form: Option<String>) -> Result<(), Broken> {
    match form {
        Some(form) if form != s => Err(Broken(vec![format!(
            "must be in canonical form ({form})",
            form = quoted(&form)
        )])),
        _ => Ok(()),
    }
}

/// A range of addresses, or an address within one (`IsValidInterfaceAddress`).
///
/// # Errors
/// The rule that it breaks.
pub fn interface_address(s: &str) -> Result<(), Broken> {
    match parse_cidr(s) {
        None => Err("must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)".into()),
        Some((ip, length)) => canonical(s, Some(format!("{ip}/{length}"))),
    }
}

/// Whether a text can be an image's name, by the grammar of `github.com/distribution/reference`:
/// `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`.
pub fn is_image(image: &str) -> bool {
    let (name, digest) = match image.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (image, None),
    };
    let slash = name.rfind('/').map_or(0, |at| at + 1);
    let (path, tag) = match name.split_at_checked(slash).and_then(|(front, last)| {
        let (last, tag) = last.split_once(':')?;
        Some((front.len() + last.len(), tag))
    }) {
        Some((end, tag)) => (name.get(..end).unwrap_or_default(), Some(tag)),
        None => (name, None),
    };
    let path = match path.split_once('/') {
        Some((host, rest)) if is_image_host(host) => rest,
        _ => path,
    };
    path.split('/').all(is_image_component) && tag.is_none_or(is_image_tag) && digest.is_none_or(is_image_digest)
}

/// An image's registry: a domain name or an address of IPv6, and maybe a port.
fn is_image_host(text: &str) -> bool {
    let (domain, port) = match (text.starts_with('['), text.rsplit_once(':')) {
        (true, _) if text.ends_with(']') => (text, None),
        (_, Some((domain, port))) => (domain, Some(port)),
        _ => (text, None),
    };
    let label = |l: &str| {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        !l.is_empty() && l.bytes().all(inner) && !l.starts_with('-') && !l.ends_with('-')
    };
    let domain = match domain.strip_prefix('[').and_then(|d| d.strip_suffix(']')) {
        Some(six) => !six.is_empty() && six.bytes().all(|b| b.is_ascii_hexdigit() || b == b':'),
        None => domain.split('.').all(label),
    };
    domain && port.is_none_or(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()))
}

/// A part of an image's name: small letters and digits, with `.`, `_`, `__` or dashes between them.
pub fn is_image_component(text: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let between = |s: &str| matches!(s, "" | "." | "_" | "__") || s.bytes().all(|b| b == b'-');
    text.starts_with(word) && text.ends_with(word) && text.split(word).all(between)
}

/// 128 letters, digits, `_`, `.` and `-` at most.
pub fn is_image_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=128).contains(&text.len())
        && text.bytes().all(|b| word(b) || b == b'.' || b == b'-')
        && !text.starts_with(['.', '-'])
}

/// `sha256:` and at least 32 hexadecimal digits.
fn is_image_digest(text: &str) -> bool {
    let part =
        |p: &str| p.starts_with(|c: char| c.is_ascii_alphabetic()) && p.bytes().all(|b| b.is_ascii_alphanumeric());
    text.split_once(':').is_some_and(|(algorithm, hex)| {
        algorithm.split(['-', '_', '+', '.']).all(part) && hex.len() >= 32 && hex.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images() {
        for (image, good) in [
            ("nginx", true),
            ("nginx:1.27", true),
            ("docker.io/library/nginx:1.27-alpine", true),
            ("localhost:5000/a/b", true),
            ("Host.Example:5000/a__b/c--d/e.f:T_1.2-x", true),
            ("[fe80::1]:5000/a", true),
            ("a@sha256:0123456789abcdef0123456789ABCDEF", true),
            ("a:1@sha256+b64:0123456789abcdef0123456789abcdef", true),
            ("a@sha256:00", false),
            ("a@sha256:x", false),
            ("a@", false),
            ("a..b", false),
            ("a._b", false),
            ("a_-b", false),
            ("a___b", false),
            ("a:-x", false),
            ("a:.x", false),
            ("a:b:c", false),
            ("Host/a", true),
            ("a/B", false),
            ("host:x/a", false),
            ("nginx latest", false),
            ("Nginx", false),
            ("", false),
            ("a//b", false),
            ("nginx:", false),
        ] {
            assert_eq!(is_image(image), good, "{image}");
        }
    }

    #[test]
    fn rules() {
        for good in ["a", "web-1", "1a"] {
            assert!(dns1123_label(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a_b", "ä", "a.b", &"a".repeat(64)] {
            assert!(dns1123_label(bad).is_err(), "{bad}");
        }
        assert_eq!(dns1123_label("web.front"), Err("must not contain dots".into()));
        assert_eq!(dns1123_label(&"A".repeat(64)).unwrap_err().0.len(), 2);
        assert!(dns1123_subdomain("a.b-c.d").is_ok());
        assert!(dns1123_subdomain("a..b").is_err());
        assert!(dns1035_label("1a").is_err());
        assert!(label_key("example.com/Name_1").is_ok());
        assert!(label_key("/x").is_err());
        assert!(label_key("a/b/c").is_err());
        assert!(label_value("").is_ok());
        assert!(label_value("_bad_").is_err());
        assert!(port_name("http").is_ok());
        for good in ["10.0.0.1", "::1"] {
            assert!(ip(good).is_ok(), "{good}");
        }
        assert_eq!(ip("10.0.0.01"), Err("must not have leading 0s".into()));
        assert!(ip("10.0.0").is_err());
        assert!(cidr("10.0.0.0/8").is_ok());
        assert!(cidr("0.0.0.0/0").is_ok());
        assert_eq!(
            cidr("10.0.0.1/8"),
            Err("must not have bits set beyond the prefix length".into())
        );
        assert!(cidr("10.0.0.0/33").is_err());
        assert!(canonical_cidr("2001:db8::/64").is_ok());
        assert_eq!(
            canonical_ip("2001:DB8::1"),
            Err("must be in canonical form (\"2001:db8::1\")".into())
        );
        assert!(interface_address("10.0.0.1/8").is_ok());
        assert!(wildcard_subdomain("*.example.com").is_ok());
        assert!(wildcard_subdomain("*.*.com").is_err());
        assert!(domain_prefixed_path("acme.io/foo").is_ok());
        assert!(domain_prefixed_path("acme").is_err());
        assert!(dns1123_subdomain_with_underscore("_tcp.a_b.c").is_ok());
        assert_eq!(port_name("80").unwrap_err().0.len(), 1);
    }
}
