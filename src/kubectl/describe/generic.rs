//! `describe` of every kind without a describer of its own, custom resources among them.

use super::Related;
use super::writer::Out;
use crate::flat::Case;
use crate::value::{Value, gofmt};

/// Fields that stand above, or are left out.
const SKIPPED: [&str; 5] = [
    ".metadata.managedFields",
    ".metadata.name",
    ".metadata.namespace",
    ".metadata.labels",
    ".metadata.annotations",
];

/// Words that are written in capitals.
const ACRONYMS: [&str; 4] = ["API", "URL", "UID", "GUID"];

pub(super) async fn describe(related: &Related<'_>, out: &mut Out, object: &Value) {
    out.name(object);
    out.metadata(object);
    content(out, 0, object, "");
    out.events(related.events(object).await);
}

fn content(out: &mut Out, level: usize, map: &Value, path: &str) {
    for (key, value) in map.entries() {
        let path = format!("{path}.{key}");
        if SKIPPED.contains(&path.as_str()) {
            continue;
        }
        let label = label(key);
        match value {
            Value::Map(_) => {
                out.line(level, format!("{label}:"));
                content(out, level + 1, value, &path);
            }
            Value::List(items) => {
                out.line(level, format!("{label}:"));
                for item in items.iter() {
                    match item {
                        Value::Map(_) => content(out, level + 1, item, &path),
                        other => out.line(level + 1, gofmt::display(other)),
                    }
                }
            }
            other => out.field(level, &label, gofmt::display(other)),
        }
    }
}

/// `creationTimestamp` → `Creation Timestamp`, `apiVersion` → `API Version`. A name with other
/// characters than letters and dashes stays as it is.
fn label(field: &str) -> String {
    if !field.chars().all(|c| c.is_alphabetic() || c == '-') {
        return field.to_owned();
    }
    let words = merged(words(field)).into_iter().map(|word| {
        let upper = word.upper();
        if ACRONYMS.contains(&upper.as_str()) {
            return upper;
        }
        if word.chars().any(char::is_uppercase) {
            return word;
        }
        let mut chars = word.chars();
        chars
            .next()
            .map_or_else(String::new, |c| c.upper().to_string() + chars.as_str())
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Joins a run of two capitals or more with the word after it, when that begins with a capital: `UR` and
/// `Ls` are `URLs`.
fn merged(words: Vec<String>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut words = words.into_iter().peekable();
    while let Some(mut word) = words.next() {
        let capitals = word.len() >= 2 && !word.chars().any(|c| c.is_alphabetic() && !c.is_uppercase());
        if capitals && let Some(next) = words.next_if(|next| next.starts_with(char::is_uppercase)) {
            word.push_str(&next);
        }
        out.push(word);
    }
    out
}

/// The words of a name in camel case: `podIPs` is `pod`, `I`, `Ps`; runs of capitals keep together
/// up to the last, which begins the next word.
fn words(field: &str) -> Vec<String> {
    let class = |c: char| match c {
        c if c.is_lowercase() => 1,
        c if c.is_uppercase() => 2,
        c if c.is_numeric() => 3,
        _ => 4,
    };
    let mut runs: Vec<(u8, String)> = Vec::new();
    for c in field.chars() {
        match runs.last_mut() {
            Some((kind, run)) if *kind == class(c) => run.push(c),
            _ => runs.push((class(c), c.to_string())),
        }
    }
    for i in 1..runs.len() {
        let (left, right) = runs.split_at_mut(i);
        if let (Some((2, upper)), Some((1, lower))) = (left.last_mut(), right.first_mut())
            && let Some(last) = upper.pop()
        {
            lower.insert(0, last);
        }
    }
    runs.into_iter()
        .map(|(_, run)| run)
        .filter(|run| !run.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels() {
        for (field, shown) in [
            ("creationTimestamp", "Creation Timestamp"),
            ("apiVersion", "API Version"),
            ("uid", "UID"),
            ("holderIdentity", "Holder Identity"),
            ("kind", "Kind"),
            ("clusterIP", "Cluster IP"),
            ("podIPs", "Pod I Ps"),
            ("nonResourceURLs", "Non Resource URLs"),
            ("externalDNSName", "External DNSName"),
            ("ca.crt", "ca.crt"),
            ("x1", "x1"),
        ] {
            assert_eq!(label(field), shown);
        }
    }
}
