//! PEM (RFC 7468): DER in base64 between two lines that say what it is.

use crate::value::base64;

/// A block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// `CERTIFICATE`, `PRIVATE KEY`, …
    pub label: String,
    /// Whether lines `Name: value` stand before the base64.
    pub headers: bool,
    pub bytes: Vec<u8>,
}

/// A block as text.
pub fn encode(label: &str, bytes: impl AsRef<[u8]>) -> String {
    let body = base64::lines(&base64::encode(bytes), 64);
    format!("-----BEGIN {label}-----\n{body}-----END {label}-----\n")
}

/// Every block of a text; what stands between them does not matter.
pub fn blocks(text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut lines = text.lines().map(str::trim_end);
    while let Some(line) = lines.next() {
        let Some(label) = line.strip_prefix("-----BEGIN ").and_then(|l| l.strip_suffix("-----")) else {
            continue;
        };
        let end = format!("-----END {label}-----");
        let (mut body, mut headers, mut closed) = (String::new(), false, false);
        for line in lines.by_ref() {
            if line == end {
                closed = true;
                break;
            }
            if line.contains(':') {
                headers = true;
            } else {
                body.push_str(line);
            }
        }
        if let (true, Ok(bytes)) = (closed, base64::try_decode(&body)) {
            found.push(Block {
                label: label.to_owned(),
                headers,
                bytes,
            });
        }
    }
    found
}

/// The bytes of the first block with this label.
pub fn first(text: &str, label: &str) -> Option<Vec<u8>> {
    blocks(text).into_iter().find(|b| b.label == label).map(|b| b.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_a_text() {
        let text = format!(
            "words\n{}\n{}-----BEGIN X-----\nAAAA\n",
            encode("A B", [1; 60]),
            encode("C", [])
        );
        let found = blocks(&text);
        assert_eq!(found.len(), 2, "the last one has no end");
        assert_eq!((found[0].label.as_str(), found[0].bytes.len()), ("A B", 60));
        assert_eq!(first(&text, "C"), Some(Vec::new()));
        assert!(blocks("-----BEGIN A-----\nProc-Type: 4\n\nAAAA\n-----END A-----")[0].headers);
        assert!(blocks("-----BEGIN A-----\n?\n-----END A-----").is_empty());
    }
}
