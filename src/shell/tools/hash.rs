//! `base64`, the checksums and `xxd`/`hexdump`.

use super::super::host::Context;
use super::lines::inputs;
use super::options;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bytes in base64, padded.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let n = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..4 {
            if i > chunk.len() {
                out.push('=');
            } else {
                let index = (n >> (18 - 6 * i) & 63) as usize;
                out.extend(ALPHABET.get(index).map(|b| char::from(*b)));
            }
        }
    }
    out
}

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
    let text = encode(&bytes);
    if wrap == 0 {
        c.stdout.write(text);
        return 0;
    }
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(wrap.min(rest.len()));
        c.stdout.line(line);
        rest = tail;
    }
    0
}

/// SHA-256 as hexadecimal (FIPS 180-4).
pub(super) fn sha256(bytes: &[u8]) -> String {
    // The constants are the first 32 bits of the fractional parts of the cube roots (`k`) and
    // square roots (`h`) of the first primes; computing them exactly would need more code.
    const K: [u32; 64] = [
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
        0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
        0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
        0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
        0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
        0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
        0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
        0xc67178f2,
    ];
    let mut h: [u32; 8] = [
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
    ];
    let mut data = bytes.to_vec();
    data.push(0x80);
    while data.len() % 64 != 56 {
        data.push(0);
    }
    data.extend_from_slice(&(bytes.len() as u64 * 8).to_be_bytes());
    for block in data.chunks_exact(64) {
        let mut w: Vec<u32> = block
            .chunks_exact(4)
            .map(|b| b.iter().fold(0, |n, b| n << 8 | u32::from(*b)))
            .collect();
        for i in 16..64 {
            let at = |n: usize| w.get(n).copied().unwrap_or(0);
            let (a, b) = (at(i - 15), at(i - 2));
            let s0 = a.rotate_right(7) ^ a.rotate_right(18) ^ (a >> 3);
            let s1 = b.rotate_right(17) ^ b.rotate_right(19) ^ (b >> 10);
            w.push(at(i - 16).wrapping_add(s0).wrapping_add(at(i - 7)).wrapping_add(s1));
        }
        let [mut a, mut b, mut cc, mut d, mut e, mut f, mut g, mut hh] = h;
        for (k, w) in K.iter().zip(&w) {
            let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
            let ch = (e & f) ^ (!e & g);
            let t1 = hh.wrapping_add(s1).wrapping_add(ch).wrapping_add(*k).wrapping_add(*w);
            let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
            let t2 = s0.wrapping_add((a & b) ^ (a & cc) ^ (b & cc));
            hh = g;
            g = f;
            f = e;
            e = d.wrapping_add(t1);
            d = cc;
            cc = b;
            b = a;
            a = t1.wrapping_add(t2);
        }
        for (slot, v) in h.iter_mut().zip([a, b, cc, d, e, f, g, hh]) {
            *slot = slot.wrapping_add(v);
        }
    }
    h.iter().map(|n| format!("{n:08x}")).collect()
}

pub(super) async fn sha256sum(c: Context) -> i32 {
    let o = match options::parse(&c, "bct", &[("check", 'c')]) {
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
                c.stdout.line(format!("{}  {path}", sha256(&bytes)));
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
            sha256(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(
            sha256(b""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        for text in ["", "a", "ab", "abc", "s3c$ret"] {
            assert_eq!(
                decode(&encode(text.as_bytes()), false),
                (text.as_bytes().to_vec(), true)
            );
        }
        assert!(!decode("!!", false).1);
    }
}
