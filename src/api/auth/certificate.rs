//! Client certificates.

use super::user::User;

/// What stands in the administrator's kubeconfig for its certificate.
pub const ADMIN: &str = "kubetab";

/// SHA-256 of a certificate, in hexadecimal digits.
pub fn digest(bytes: impl AsRef<[u8]>) -> String {
    let hash = hmac_sha256::Hash::hash(bytes.as_ref());
    hash.iter().map(|b| format!("{b:02x}")).collect()
}

/// The user that a certificate of this cluster names.
pub fn authenticate(pem: &str) -> Option<User> {
    (pem.trim() == ADMIN).then(User::admin)
}
