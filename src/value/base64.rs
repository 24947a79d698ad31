//! Base64 with Go's `StdEncoding`: padded, strict, line breaks ignored.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Encodes bytes, padded.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref();
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk
            .iter()
            .enumerate()
            .fold(0u32, |w, (i, b)| w | u32::from(*b) << (16 - 8 * i));
        for i in 0..4 {
            let index = (word >> (18 - 6 * i) & 63) as usize;
            out.push(if i <= chunk.len() {
                char::from(*ALPHABET.get(index).unwrap_or(&b'='))
            } else {
                '='
            });
        }
    }
    out
}

/// An encoded text in lines of so many characters, one at least, each with its end.
pub fn lines(text: &str, width: usize) -> String {
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(width.max(1)));
        out.push_str(line);
        out.push('\n');
        rest = tail;
    }
    out
}

/// Decodes a text. The error is Go's offset of the first illegal byte.
pub fn try_decode(text: &str) -> Result<Vec<u8>, usize> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut word, mut digits, mut padding) = (0u32, 0, 0);
    for (offset, byte) in text.bytes().enumerate() {
        if matches!(byte, b'\n' | b'\r') {
            continue;
        }
        if byte == b'=' {
            if digits + padding < 2 || padding == 2 || digits == 4 {
                return Err(offset);
            }
            padding += 1;
            continue;
        }
        let Some(value) = ALPHABET.iter().position(|b| *b == byte) else {
            return Err(offset);
        };
        if padding > 0 {
            return Err(offset);
        }
        if digits == 4 {
            digits = 0;
            word = 0;
        }
        word = word << 6 | value as u32;
        digits += 1;
        if digits == 4 {
            out.extend_from_slice(&[(word >> 16) as u8, (word >> 8) as u8, word as u8]);
        }
    }
    match (digits, padding) {
        (0 | 4, 0) => {}
        (2, 2) => out.push((word >> 4) as u8),
        (3, 1) => out.extend_from_slice(&[(word >> 10) as u8, (word >> 2) as u8]),
        // Go names the beginning of the group that is not whole.
        (digits, 0) => return Err(text.len().saturating_sub(digits)),
        _ => return Err(text.len()),
    }
    Ok(out)
}

/// Decodes a text; nothing when it is no base64.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    try_decode(text).ok()
}

/// Encodes for addresses and JSON web tokens: Go's `base64.RawURLEncoding`.
pub fn encode_url(bytes: impl AsRef<[u8]>) -> String {
    encode(bytes)
        .replace('+', "-")
        .replace('/', "_")
        .trim_end_matches('=')
        .to_owned()
}

/// Decodes what [`encode_url`] gives; nothing when it is none.
pub fn decode_url(text: &str) -> Option<Vec<u8>> {
    let mut padded = text.replace('-', "+").replace('_', "/");
    while !padded.len().is_multiple_of(4) {
        padded.push('=');
    }
    decode(&padded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        for (plain, coded) in [
            ("", ""),
            ("a", "YQ=="),
            ("ab", "YWI="),
            ("abc", "YWJj"),
            ("admin", "YWRtaW4="),
            ("\u{ff}é~", "w7/DqX4="),
        ] {
            assert_eq!(encode(plain), coded);
            assert_eq!(decode(coded).as_deref(), Some(plain.as_bytes()));
            assert_eq!(decode_url(&encode_url(plain)).as_deref(), Some(plain.as_bytes()));
        }
        assert_eq!(decode("YW\nJj").as_deref(), Some(&b"abc"[..]));
        for bad in ["Y", "YQ", "YQ=", "YQ===", "=", "Y===", "YQ==YQ==", "Y Q=", "YWJj="] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
