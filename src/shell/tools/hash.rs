//! `base64`, the checksums and `xxd`/`hexdump`.

use super::super::host::Context;
use super::lines::inputs;
use super::options;
use crate::value::{base64, sha256};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bytes of a base64 text; what was decoded before an error, and whether there was one.
pub(super) fn decode(text: &str, ignore_garbage: bool) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    let (mut n, mut bits) = (0u32, 0);
    let mut count = 0;
    let mut padding = 0;
    for c in text.chars() {
        let value = match c {
            '\n' => continue,
            '=' => {
                padding += 1;
                count += 1;
                continue;
            }
            c => ALPHABET.iter().position(|b| char::from(*b) == c),
        };
        let Some(value) = value else {
            if ignore_garbage {
                continue;
            }
            return (out, false);
        };
        if padding > 0 {
            return (out, false);
        }
        count += 1;
        n = n << 6 | value as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((n >> bits) as u8);
            n &= (1 << bits) - 1;
        }
    }
    (out, count % 4 == 0 && padding < 3)
}

pub(super) async fn base64(c: Context) -> i32 {
    let long = [("decode", 'd'), ("wrap", 'w'), ("ignore-garbage", 'i')];
    let o = match options::parse(&c, "dDw:i", &long) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let path = o.rest.first().cloned().unwrap_or_else(|| "-".to_owned());
    let bytes = match c.open(&path) {
        Ok(input) => input.read_all().await,
        Err(error) => {
            c.error(format!("{path}: {error}"));
            return 1;
        }
    };
    if o.has('d') || o.has('D') {
        let (decoded, ok) = decode(&String::from_utf8_lossy(&bytes), o.has('i'));
        c.stdout.write(decoded);
        if !ok {
            c.error("invalid input");
            return 1;
        }
        return 0;
    }
    let wrap = match o.value('w').map(str::parse::<usize>) {
        None => 76,
        Some(Ok(n)) => n,
        Some(Err(_)) => {
            c.error(format!("invalid wrap size: '{}'", o.value('w').unwrap_or_default()));
            return 1;
        }
    };
    let text = base64::encode(&bytes);
    if wrap == 0 {
        c.stdout.write(text);
        return 0;
    }
    c.stdout.write(base64::lines(&text, wrap));
    0
}

pub(super) async fn sha256sum(c: Context) -> i32 {
    let o = match options::parse(&c, "bc t", &[("check", 'c'), ("binary", 'b'), ("text", 't')]) {
        Ok(o) => o,
        Err(code) => return code,
    };
    if o.has('c') {
        c.error("checking sums is not simulated");
        return 1;
    }
    let mut code = 0;
    for path in inputs(&o) {
        match c.open(&path) {
            Ok(input) => {
                let bytes = input.read_all().await;
                c.stdout.line(format!(
                    "{} {}{path}",
                    sha256::hex(&bytes),
                    if o.has('b') { '*' } else { ' ' }
                ));
            }
            Err(error) => {
                c.error(format!("{path}: {error}"));
                code = 1;
            }
        }
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        assert_eq!(
            sha256::hex(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(
            sha256::hex(b""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        for text in ["", "a", "ab", "abc", "s3c$ret"] {
            assert_eq!(decode(&base64::encode(text), false), (text.as_bytes().to_vec(), true));
        }
        assert!(!decode("!!", false).1);
    }
}
