//! The cluster's certificates, made anew at each start, and TLS by them.

use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

/// A certificate and its key, as PEM.
pub struct Pem {
    pub certificate: String,
    pub key: String,
}

/// All that TLS needs, and what the kubeconfig tells.
pub struct Certificates {
    /// The cluster's certificate authority, as PEM.
    pub authority: String,
    /// The administrator's client certificate.
    pub admin: Pem,
    /// The same as it comes in a handshake.
    pub admin_der: Vec<u8>,
    /// The server's own certificate.
    pub own: Pem,
    pub server: Arc<ServerConfig>,
}

fn named(name: &str, organization: Option<&str>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    if let Some(organization) = organization {
        params.distinguished_name.push(DnType::OrganizationName, organization);
    }
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// Makes the authority, the server's certificate for `address` and the administrator's.
///
/// # Errors
/// What the libraries say; none is expected.
pub fn make(address: IpAddr) -> Result<Certificates, String> {
    let why = |e: rcgen::Error| format!("cannot make certificates: {e}");
    let key = || KeyPair::generate().map_err(why);

    let mut params = named("kubernetes", None);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
    let authority_key = key()?;
    let authority = params.self_signed(&authority_key).map_err(why)?;
    let issuer = Issuer::new(params, authority_key);

    let server_key = key()?;
    let mut params = named("kube-apiserver", None);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let names = [
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ];
    for name in names {
        params
            .subject_alt_names
            .push(SanType::DnsName(name.try_into().map_err(why)?));
    }
    for ip in [
        address,
        IpAddr::from([127, 0, 0, 1]),
        IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
    ] {
        if !params.subject_alt_names.contains(&SanType::IpAddress(ip)) {
            params.subject_alt_names.push(SanType::IpAddress(ip));
        }
    }
    let server = params.signed_by(&server_key, &issuer).map_err(why)?;

    let admin_key = key()?;
    let mut params = named("kubernetes-admin", Some("kubeadm:cluster-admins"));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let admin = params.signed_by(&admin_key, &issuer).map_err(why)?;

    let why = |e: &dyn std::fmt::Display| format!("cannot set up TLS: {e}");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).map_err(|e| why(&e))?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .allow_unauthenticated()
        .build()
        .map_err(|e| why(&e))?;
    let own = Pem {
        certificate: server.pem(),
        key: server_key.serialize_pem(),
    };
    let server_key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(server_key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| why(&e))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![CertificateDer::from(server.der().to_vec())], server_key)
        .map_err(|e| why(&e))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Certificates {
        authority: authority.pem(),
        admin_der: admin.der().to_vec(),
        admin: Pem {
            certificate: admin.pem(),
            key: admin_key.serialize_pem(),
        },
        own,
        server: Arc::new(config),
    })
}
