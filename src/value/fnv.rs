//! FNV-1a with 32 bits (the hash of Fowler, Noll and Vo), which Kubernetes names things by.

/// What the hash of nothing is: the offset basis.
pub const START: u32 = 0x811c_9dc5;

/// The hash of what had `hash`, followed by these bytes.
pub fn fnv1a(hash: u32, bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(hash, |h, b| (h ^ u32::from(*b)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of its authors.
    #[test]
    fn known_hashes() {
        for (text, want) in [("", START), ("a", 0xe40c_292c), ("foobar", 0xbf9c_f968)] {
            assert_eq!(fnv1a(START, text.as_bytes()), want, "{text}");
        }
        assert_eq!(fnv1a(fnv1a(START, b"foo"), b"bar"), 0xbf9c_f968);
    }
}
