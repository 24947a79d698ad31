//! Certificates and keys: DER, PEM, RSA, elliptic curves, X.509 and PKCS #10. Everything that is random
//! comes from a generator that its caller seeds, so that the same world makes the same keys.
//!
//! The arithmetic is num-bigint's and takes no care to hide what it computes from its timing: these are
//! the keys of a simulated cluster.

pub mod authority;
pub mod der;
pub mod ec;
pub mod key;
pub mod pem;
pub mod rsa;
pub mod x509;

pub use authority::Authority;
pub use key::{PrivateKey, PublicKey};
pub use x509::{Certificate, Name, Names, Request};

/// Why something is no key, request or certificate, in the words of Go's crypto packages, which are
/// what the API server prints.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("asn1: structure error: {0}")]
    Structure(&'static str),
    #[error("asn1: syntax error: data truncated")]
    Truncated,
    #[error("x509: cannot verify signature: algorithm unimplemented")]
    Algorithm,
    #[error("crypto/rsa: verification error")]
    Rsa,
    #[error("x509: ECDSA verification failure")]
    Ecdsa,
}

/// A generator of random bytes: HMAC-SHA256 of a counter, under a key that its seed gives.
#[derive(Clone, Debug)]
pub struct Random {
    key: [u8; 32],
    counter: u64,
}

impl Random {
    pub fn new(seed: impl AsRef<[u8]>) -> Random {
        Random {
            key: hmac_sha256::Hash::hash(seed.as_ref()),
            counter: 0,
        }
    }

    /// So many bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(count + 32);
        while out.len() < count {
            out.extend_from_slice(&hmac_sha256::HMAC::mac(self.counter.to_le_bytes(), self.key));
            self.counter += 1;
        }
        out.truncate(count);
        out
    }
}
