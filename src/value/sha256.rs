//! SHA-256.

/// SHA-256 (FIPS 180-4).
pub fn digest(bytes: &[u8]) -> [u8; 32] {
    hmac_sha256::Hash::hash(bytes)
}

/// SHA-256 as hexadecimal (FIPS 180-4).
pub fn hex(bytes: &[u8]) -> String {
    super::hex::lower(&digest(bytes))
}
