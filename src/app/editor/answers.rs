//! Finds the places in the text that kubectl's answer complains about. Pure.

use super::problems::Problem;
use kubetab::value::yaml::{self, SourceMap};

/// The fields that an answer names, with the sentence about each: unknown and duplicate fields, and
/// `… is invalid: PATH: …`.
fn complaints(answer: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for line in answer.lines() {
        for marker in ["unknown field \"", "duplicate field \""] {
            for rest in line.split(marker).skip(1) {
                if let Some((path, _)) = rest.split_once('"') {
                    let what = marker.trim_end_matches(" \"");
                    out.push((path.to_owned(), format!("{what} \"{path}\"")));
                }
            }
        }
        let field = match line.split_once(" is invalid: ") {
            Some((_, rest)) => Some(rest),
            None => line.strip_prefix("* "),
        };
        if let Some((path, message)) = field.and_then(|f| f.split_once(": ")) {
            let looks = |c: char| c.is_ascii_alphanumeric() || "._-[]/".contains(c);
            if !path.is_empty() && path.chars().all(looks) {
                out.push((path.to_owned(), format!("{path}: {message}")));
            }
        }
    }
    out
}

/// The places of an answer's complaints in the text that was applied. In a text of one document a
/// field that is not there (a required one) has the place of the field around it.
pub fn places(text: &str, answer: &str) -> Vec<Problem> {
    let complaints = complaints(answer);
    if complaints.is_empty() {
        return Vec::new();
    }
    let documents: Vec<_> = yaml::documents(text).flatten().collect();
    let only = documents.len() == 1;
    let mut out = Vec::new();
    for document in documents {
        let Ok(map) = SourceMap::new(document.text, document.lines) else {
            continue;
        };
        for (path, message) in &complaints {
            if let Some(place) = map.find(path).filter(|p| p.exact || only) {
                let at = place.key.unwrap_or(place.value);
                out.push(Problem {
                    line: at.line,
                    column: at.column,
                    message: message.clone(),
                });
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_have_places() {
        let text =
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\nspec:\n  containers:\n  - name: a\n    imagge: nginx\n";
        let found = places(
            text,
            "Error from server (BadRequest): error when creating \"STDIN\": Pod in version \"v1\" cannot be handled as a Pod: strict decoding error: unknown field \"spec.containers[0].imagge\"",
        );
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].line, found[0].column), (8, 5));
        let found = places(
            text,
            "The Pod \"a\" is invalid: metadata.name: Invalid value: \"A\": a lowercase RFC 1123 subdomain",
        );
        assert_eq!(found.iter().map(|p| (p.line, p.column)).collect::<Vec<_>>(), [(4, 3)]);
        assert_eq!(places(text, "pod/a created"), []);
    }
}
