//! What Go says of a text that is no regular expression.

use regex_lite::{Error, Regex};

/// Go's sentence for a text that does not compile: "error parsing regexp: missing closing ]: `[`".
pub fn error(pattern: &str) -> String {
    match Regex::new(pattern) {
        Err(why) => failure(&why, pattern),
        Ok(_) => String::new(),
    }
}

/// Go's sentence for why a text did not compile.
pub fn failure(why: &Error, pattern: &str) -> String {
    format!("error parsing regexp: {}", reason(&why.to_string(), pattern))
}

/// Go's words for the reason, where they are known.
fn reason(why: &str, pattern: &str) -> String {
    if why.contains("group") && why.contains("clos") {
        return format!("missing closing ): `{pattern}`");
    }
    if why.contains("class") && why.contains("clos") {
        let from = pattern.rfind('[').unwrap_or(0);
        return format!("missing closing ]: `{}`", pattern.get(from..).unwrap_or(pattern));
    }
    if why.contains("repetition") && why.contains("expression") {
        return "missing argument to repetition operator: `*`".to_owned();
    }
    format!("{why}: `{pattern}`")
}
