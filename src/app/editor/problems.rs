//! What is wrong with the text in the editor, with places. Pure.

use kubetab::limits;
use kubetab::value::yaml;

/// One problem; line and column count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

/// Problems that are told at most.
const MOST: usize = 20;

/// The problems of a stream of documents, in their order.
pub fn problems(text: &str) -> Vec<Problem> {
    if text.len() > limits::MANIFEST_BYTES {
        return Vec::new();
    }
    let mut out = Vec::new();
    for document in yaml::documents(text) {
        if out.len() >= MOST {
            break;
        }
        let document = match document {
            Ok(document) => document,
            Err(error) => {
                out.push(at(error.at, error.message));
                break;
            }
        };
        if document.format == yaml::Format::Json {
            if let Err(error) = document.value() {
                out.push(at(error.at, error.message));
            }
            continue;
        }
        match yaml::decode_all(document.text) {
            Err(error) => {
                let placed = document.error(&error);
                out.push(at(placed.at, error.message));
            }
            Ok(decoded) => out.extend(decoded.duplicates.iter().map(|d| Problem {
                line: d.at.line + document.lines,
                column: d.at.column,
                message: d.to_string(),
            })),
        }
    }
    out.truncate(MOST);
    out
}

fn at(position: Option<yaml::Position>, message: String) -> Problem {
    let position = position.unwrap_or(yaml::Position { line: 1, column: 1 });
    Problem {
        line: position.line,
        column: position.column,
        message,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn shown(text: &str) -> String {
        let lines: Vec<String> = problems(text)
            .iter()
            .map(|p| format!("{}:{} {}", p.line, p.column, p.message))
            .collect();
        lines.join("\n")
    }

    #[test]
    fn problems_have_places() {
        expect!["4:1 yaml: line 4: found character that cannot start any token"]
            .assert_eq(&shown("apiVersion: v1\nkind: ConfigMap\nmetadata:\n\tname: a\n"));
        expect![[r#"4:4 line 2: key "b" already set in map"#]].assert_eq(&shown("a: 1\n---\nb: 1\nb: 2\n"));
        assert_eq!(problems("a: 1\n"), []);
    }

    #[test]
    fn the_samples_have_none() {
        for (name, text) in super::super::samples::SAMPLES {
            assert_eq!(problems(text), [], "{name}");
        }
    }
}
