//! Client certificates, and the authority of the cluster that a world boots.
//!
//! A snapshot's cluster has its authority, as it has its nodes, whatever the seed: `data/ca.der` is the
//! certificate, `data/ca.primes` its key, and `data/admin.*` those of the administrator's kubeconfig. They
//! were made once by [`Authority`] and secure nothing but a simulation; `kubetab serve`, which real clients
//! reach, makes its own.

use std::rc::Rc;

use super::user::{User, credential};
use crate::pki::{Authority, Certificate, PrivateKey, pem, x509};
use crate::sim::Time;
use crate::value::sha256;

/// The administrator's certificate, in DER.
pub const ADMIN: &[u8] = include_bytes!("data/admin.der");
const ADMIN_PRIMES: &[u8] = include_bytes!("data/admin.primes");
/// The authority's certificate, in DER.
const AUTHORITY: &[u8] = include_bytes!("data/ca.der");
const AUTHORITY_PRIMES: &[u8] = include_bytes!("data/ca.primes");

/// The authority of the snapshot's cluster; `None` only when its files are damaged, which a test excludes.
pub fn standard() -> Option<Authority> {
    Authority::of_primes(AUTHORITY, AUTHORITY_PRIMES).ok()
}

/// The names in the certificate of the cluster's API server, as kubeadm makes it.
pub const SERVER_NAMES: [&str; 7] = [
    "k8s-master",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "10.96.0.1",
    "192.168.110.21",
];

/// The authority's certificate as PEM.
pub fn authority_pem() -> String {
    pem::encode("CERTIFICATE", AUTHORITY)
}

/// The administrator's certificate and key as PEM.
pub fn admin_pem() -> (String, String) {
    let key = Authority::of_primes(ADMIN, ADMIN_PRIMES).map(|a| a.key().to_traditional_pem());
    (pem::encode("CERTIFICATE", ADMIN), key.unwrap_or_default())
}

/// The user that a certificate in DER names, which `authority` must have signed.
///
/// # Errors
/// Why the certificate is no credential: another authority's, over, not for clients.
pub fn authenticate(authority: &Certificate, certificate: &[u8], now: Time) -> Result<User, String> {
    let read = Certificate::from_der(certificate).map_err(|e| e.to_string())?;
    read.check(authority, now)?;
    let usages = read.extended_usages();
    let any = [x509::CLIENT_AUTH, "2.5.29.37.0"];
    if !usages.is_empty() && !usages.iter().any(|u| any.contains(&u.as_str())) {
        return Err("x509: certificate specifies an incompatible key usage".into());
    }
    let name = read.subject.get("CN");
    if name.is_empty() {
        return Err("the certificate has no common name".into());
    }
    let mut user = User::from_certificate(name, read.subject.all("O"));
    user.extra = Rc::new([credential("X509SHA256", sha256::hex(certificate))]);
    Ok(user)
}

/// Whether a certificate and a private key, both PEM, belong together.
///
/// # Errors
/// What Go's `tls.X509KeyPair` says of them.
pub fn check_pair(certificate: &str, key: &str) -> Result<(), String> {
    let Some(der) = pem::first(certificate, "CERTIFICATE") else {
        return Err("tls: failed to find any PEM data in certificate input".into());
    };
    let key = match PrivateKey::from_pem(key) {
        None => return Err("tls: failed to find any PEM data in key input".into()),
        Some(Err(_)) => return Err("tls: failed to parse private key".into()),
        Some(Ok(key)) => key,
    };
    let certificate = Certificate::from_der(&der).map_err(|e| e.to_string())?;
    if certificate.key != key.public() {
        return Err("tls: private key does not match public key".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::authority::Order;
    use crate::pki::{Name, Names, Random};

    #[test]
    fn the_files_are_what_their_seed_makes() {
        let mut random = Random::new("kubetab: the snapshot's authority");
        let start = Time::parse("2020-01-01T00:00:00Z").unwrap();
        let key = PrivateKey::rsa(2048, &mut random);
        let authority = Authority::create("kubernetes", key, start, &mut random).unwrap();
        let admin = PrivateKey::rsa(2048, &mut random);
        let pair = |short: &str, text: &str| vec![(x509::attribute(short).unwrap().to_owned(), text.to_owned())];
        let order = Order {
            subject: Name(vec![
                pair("O", "kubeadm:cluster-admins"),
                pair("CN", "kubernetes-admin"),
            ]),
            names: &Names::default(),
            key: &admin.public(),
            usages: 0b101,
            extended: vec![x509::CLIENT_AUTH],
            not_before: start,
            not_after: authority.certificate().not_after,
        };
        let issued = authority.issue(&order, &mut random);
        let primes = |key: &PrivateKey| match key {
            PrivateKey::Rsa(key) => [key.p.to_bytes_be(), key.q.to_bytes_be()].concat(),
            PrivateKey::Ec(_) => Vec::new(),
        };
        assert!(authority.certificate().whole == AUTHORITY && primes(authority.key()) == AUTHORITY_PRIMES);
        assert!(issued == ADMIN && primes(&admin) == ADMIN_PRIMES);
        let now = Time::from_secs(1_800_000_000);
        let user = authenticate(standard().unwrap().certificate(), ADMIN, now).unwrap();
        assert_eq!(user, User::admin());
        let (certificate, key) = admin_pem();
        assert_eq!(check_pair(&certificate, &key), Ok(()));
        assert_eq!(
            check_pair(&authority_pem(), &key).unwrap_err(),
            "tls: private key does not match public key"
        );
        assert!(
            authenticate(standard().unwrap().certificate(), AUTHORITY, now).is_ok(),
            "it says nothing of its use"
        );
    }
}
