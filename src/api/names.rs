//! The rules of names, labels and annotations (apimachinery's `util/validation`), with their sentences.

const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";

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

/// RFC 1123 label: names of namespaces, containers, volumes.
///
/// # Errors
/// What is wrong, once per rule that it breaks.
pub fn dns1123_label(s: &str) -> Result<(), String> {
    if s.len() > 63 {
        return Err(too_long(63));
    }
    if is_label(s) {
        return Ok(());
    }
    if s.contains('.') && s.split('.').all(is_label) {
        return Err("must not contain dots".into());
    }
    Err(format!(
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{LABEL}')"
    ))
}

/// RFC 1123 subdomain: names of most objects.
///
/// # Errors
/// What is wrong.
pub fn dns1123_subdomain(s: &str) -> Result<(), String> {
    if s.len() > 253 {
        return Err(too_long(253));
    }
    if !s.is_empty() && s.split('.').all(is_label) {
        return Ok(());
    }
    Err(format!(
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{SUBDOMAIN}')"
    ))
}

/// RFC 1035 label: names of Services.
///
/// # Errors
/// What is wrong.
pub fn dns1035_label(s: &str) -> Result<(), String> {
    if s.len() > 63 {
        return Err(too_long(63));
    }
    if is_label(s) && s.as_bytes().first().is_some_and(u8::is_ascii_lowercase) {
        return Ok(());
    }
    Err("a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')".into())
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

/// A label's or annotation's key: an optional prefix (a subdomain) and a name.
///
/// # Errors
/// What is wrong, several sentences joined by `; `.
pub fn label_key(key: &str) -> Result<(), String> {
    let form = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
    let mut errors: Vec<String> = Vec::new();
    let parts: Vec<&str> = key.split('/').collect();
    let name = match parts.as_slice() {
        [name] => *name,
        [prefix, name] => {
            if prefix.is_empty() {
                errors.push("prefix part must be non-empty".into());
            } else if let Err(why) = dns1123_subdomain(prefix) {
                errors.push(format!("prefix part {why}"));
            }
            *name
        }
        _ => {
            return Err("a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')".into());
        }
    };
    if name.is_empty() {
        errors.push("name part must be non-empty".into());
    } else if name.len() > 63 {
        errors.push(format!("name part {}", too_long(63)));
    }
    if !is_qualified_part(name) {
        errors.push(form.into());
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors.join("; "))
    }
}

/// A label's value.
///
/// # Errors
/// What is wrong.
pub fn label_value(value: &str) -> Result<(), String> {
    if value.len() > 63 {
        return Err(too_long(63));
    }
    if value.is_empty() || is_qualified_part(value) {
        return Ok(());
    }
    Err("a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')".into())
}

/// A port's name (`IANA_SVC_NAME`).
///
/// # Errors
/// Each rule that it breaks.
pub fn port_name(s: &str) -> Result<(), Vec<String>> {
    let mut errors = Vec::new();
    if s.len() > 15 {
        errors.push("must be no more than 15 characters".to_owned());
    }
    if s.is_empty() || !s.bytes().all(|c| alnum_lower(c) || c == b'-') {
        errors.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned());
    }
    if !s.bytes().any(|c| c.is_ascii_lowercase()) {
        errors.push("must contain at least one letter (a-z)".to_owned());
    }
    if s.contains("--") {
        errors.push("must not contain consecutive hyphens".to_owned());
    }
    if s.starts_with('-') || s.ends_with('-') {
        errors.push("must not begin or end with a hyphen".to_owned());
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// A key of a ConfigMap or Secret.
///
/// # Errors
/// What is wrong.
pub fn config_map_key(s: &str) -> Result<(), String> {
    if s.len() > 253 {
        return Err(too_long(253));
    }
    if s.is_empty()
        || !s
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.'))
    {
        return Err("a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')".into());
    }
    match s {
        "." => Err("must not be '.'".into()),
        ".." => Err("must not be '..'".into()),
        _ if s.starts_with("..") => Err("must not start with '..'".into()),
        _ => Ok(()),
    }
}

fn too_long(max: usize) -> String {
    format!("must be no more than {max} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        for good in ["a", "web-1", "1a"] {
            assert!(dns1123_label(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a_b", "ä", "a.b", &"a".repeat(64)] {
            assert!(dns1123_label(bad).is_err(), "{bad}");
        }
        assert_eq!(dns1123_label("web.front"), Err("must not contain dots".into()));
        assert!(dns1123_subdomain("a.b-c.d").is_ok());
        assert!(dns1123_subdomain("a..b").is_err());
        assert!(dns1035_label("1a").is_err());
        assert!(label_key("example.com/Name_1").is_ok());
        assert!(label_key("/x").is_err());
        assert!(label_key("a/b/c").is_err());
        assert!(label_value("").is_ok());
        assert!(label_value("_bad_").is_err());
        assert!(port_name("http").is_ok());
        assert_eq!(port_name("80").unwrap_err().len(), 1);
    }
}
