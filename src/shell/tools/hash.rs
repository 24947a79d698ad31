//! `base64` and the checksums.

use super::super::files::{self, FileError};
use super::super::host::Context;
use super::lines::inputs;
use super::options;
use crate::value::{base64, hex, math, sha256};

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

/// The words of the last block of a message: a one, zeros, and the length in bits (`big`: its high bytes first).
fn padded(bytes: &[u8], big: bool) -> Vec<[u32; 16]> {
    let mut all = bytes.to_vec();
    all.push(0x80);
    while all.len() % 64 != 56 {
        all.push(0);
    }
    let bits = (bytes.len() as u64).wrapping_mul(8);
    all.extend(if big { bits.to_be_bytes() } else { bits.to_le_bytes() });
    let word = |w: &[u8]| {
        let mut four = [0; 4];
        four.iter_mut().zip(w).for_each(|(to, from)| *to = *from);
        if big {
            u32::from_be_bytes(four)
        } else {
            u32::from_le_bytes(four)
        }
    };
    all.chunks(64)
        .map(|block| {
            let mut words = [0; 16];
            words
                .iter_mut()
                .zip(block.chunks(4))
                .for_each(|(to, from)| *to = word(from));
            words
        })
        .collect()
}

/// MD5 as hexadecimal (RFC 1321).
fn md5(bytes: &[u8]) -> String {
    const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
    let mut state = [0x6745_2301u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    let constants: [u32; 64] = std::array::from_fn(|i| (math::sin(i as f64 + 1.0).abs() * 4_294_967_296.0) as u32);
    for block in padded(bytes, false) {
        let [mut a, mut b, mut c, mut d] = state;
        for (i, constant) in constants.iter().enumerate() {
            let (f, g) = match i / 16 {
                0 => ((b & c) | (!b & d), i),
                1 => ((d & b) | (!d & c), 5 * i + 1),
                2 => (b ^ c ^ d, 3 * i + 5),
                _ => (c ^ (b | !d), 7 * i),
            };
            let word = block.get(g % 16).copied().unwrap_or_default();
            let shift = SHIFTS
                .get(i / 16)
                .and_then(|s| s.get(i % 4))
                .copied()
                .unwrap_or_default();
            let sum = f.wrapping_add(a).wrapping_add(*constant).wrapping_add(word);
            (a, d, c, b) = (d, c, b, b.wrapping_add(sum.rotate_left(shift)));
        }
        for (to, add) in state.iter_mut().zip([a, b, c, d]) {
            *to = to.wrapping_add(add);
        }
    }
    hex::lower(state.map(u32::to_le_bytes).as_flattened())
}

/// SHA-1 as hexadecimal (FIPS 180-4).
fn sha1(bytes: &[u8]) -> String {
    let mut state = [0x6745_2301u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    for block in padded(bytes, true) {
        let mut words = block.to_vec();
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for i in 0..80usize {
            if i >= 16 {
                let back = |n: usize| words.get(i - n).copied().unwrap_or_default();
                words.push((back(3) ^ back(8) ^ back(14) ^ back(16)).rotate_left(1));
            }
            let (f, k) = match i / 20 {
                0 => ((b & c) | (!b & d), 0x5a82_7999u32),
                1 => (b ^ c ^ d, 0x6ed9_eba1),
                2 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
                _ => (b ^ c ^ d, 0xca62_c1d6),
            };
            let word = words.get(i).copied().unwrap_or_default();
            let sum = a
                .rotate_left(5)
                .wrapping_add(f)
                .wrapping_add(e)
                .wrapping_add(k)
                .wrapping_add(word);
            (e, d, c, b, a) = (d, c, b.rotate_left(30), a, sum);
        }
        for (to, add) in state.iter_mut().zip([a, b, c, d, e]) {
            *to = to.wrapping_add(add);
        }
    }
    hex::lower(state.map(u32::to_be_bytes).as_flattened())
}

/// `md5sum`, `sha1sum`, `sha256sum`: which one it is, its name says.
pub(super) async fn sum(c: Context) -> i32 {
    let name = files::base_name(c.name());
    let (hash, title): (fn(&[u8]) -> String, _) = match name {
        "md5sum" => (md5, "MD5"),
        "sha1sum" => (sha1, "SHA1"),
        _ => (sha256::hex, "SHA256"),
    };
    let long = [
        ("check", 'c'),
        ("binary", 'b'),
        ("text", 't'),
        ("tag", 'γ'),
        ("quiet", 'κ'),
        ("status", 'σ'),
        ("ignore-missing", 'ι'),
    ];
    let o = match options::parse(&c, "bcsγκσι t", &long) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let read = async |path: &str| match c.open(path) {
        Ok(_) if c.files.is_dir(&c.path(path)) && path != "-" => Err(FileError::IsDirectory),
        Ok(input) => Ok(hash(&input.read_all().await)),
        Err(error) => Err(error),
    };
    let mut code = 0;
    for path in inputs(&o) {
        if !o.has('c') {
            match read(&path).await {
                Ok(sum) if o.has('γ') => c.stdout.line(format!("{title} ({path}) = {sum}")),
                Ok(sum) => c
                    .stdout
                    .line(format!("{sum} {}{path}", if o.has('b') { '*' } else { ' ' })),
                Err(error) => {
                    c.error(format!("{path}: {error}"));
                    code = 1;
                    false
                }
            };
            continue;
        }
        let list = match c.read_file(&path).await {
            Ok(list) => list,
            Err(error) => {
                c.error(format!("{path}: {error}"));
                code = 1;
                continue;
            }
        };
        let (mut lines, mut wrong, mut missing) = (0, 0, 0);
        let digits = hash(b"").len();
        for line in list.lines() {
            let Some((want, file)) = line.split_once(' ') else {
                continue;
            };
            let Some(file) = file.strip_prefix([' ', '*']).filter(|_| want.len() == digits) else {
                continue;
            };
            lines += 1;
            let verdict = match read(file).await {
                Ok(sum) if sum.eq_ignore_ascii_case(want) => "OK",
                Ok(_) => {
                    wrong += 1;
                    "FAILED"
                }
                Err(FileError::NotFound) if o.has('ι') => continue,
                Err(error) => {
                    missing += 1;
                    c.error(format!("{file}: {error}"));
                    "FAILED open or read"
                }
            };
            if !o.has('σ') && (verdict != "OK" || !o.has('κ') && !o.has('s')) {
                c.stdout.line(format!("{file}: {verdict}"));
            }
        }
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        if lines == 0 {
            c.error(format!("{path}: no properly formatted checksum lines found"));
        }
        if missing > 0 && !o.has('σ') {
            c.error(format!(
                "WARNING: {missing} listed file{} could not be read",
                plural(missing)
            ));
        }
        if wrong > 0 && !o.has('σ') {
            c.error(format!(
                "WARNING: {wrong} computed checksum{} did NOT match",
                plural(wrong)
            ));
        }
        code = code.max(i32::from(lines == 0 || missing + wrong > 0));
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
