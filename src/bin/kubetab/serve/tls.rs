//! The cluster's certificates, made anew at each start, and TLS by them.

use std::net::IpAddr;
use std::sync::Arc;

use kubetab::pki::authority::{CERTIFICATE, Order};
use kubetab::pki::x509::{CLIENT_AUTH, SERVER_AUTH, attribute};
use kubetab::pki::{Authority, Certificate, Name, Names, PrivateKey, Random, ec, pem};
use kubetab::sim::Time;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};

/// A certificate and its key, as PEM.
pub struct Pem {
    pub certificate: String,
    pub key: String,
}

/// All that TLS needs, and what the kubeconfig tells.
pub struct Certificates {
    /// The cluster's certificate authority, which signs CertificateSigningRequests too.
    pub authority: Authority,
    /// The administrator's client certificate.
    pub admin: Pem,
    /// The server's own certificate.
    pub own: Pem,
    pub server: Arc<ServerConfig>,
}

/// 2020-01-01: whatever time a world is put to, what is made here is valid.
const START: Time = Time::from_secs(1_577_836_800);

/// Makes the authority, the server's certificate for `address` and the administrator's, from the machine's
/// random bytes. Clients hear that certificates of the authority and of `client_authorities` are wanted.
///
/// # Errors
/// What the libraries say; none is expected.
pub fn make(address: IpAddr, client_authorities: &[Certificate]) -> Result<Certificates, String> {
    let why = |e: &dyn std::fmt::Display| format!("cannot make certificates: {e}");
    let mut random = Random::new(super::random::<32>());
    // As kubeadm's: RSA.
    let key = PrivateKey::rsa(2048, &mut random);
    let authority = Authority::create("kubernetes", key, START, &mut random).map_err(|e| why(&e))?;
    let [curve, _] = &ec::CURVES;
    let mut issue = |organization: &str, name: &str, names: &Names, purpose: &str| {
        let key = PrivateKey::Ec(ec::Private::generate(curve, &mut random));
        let pair = |short: &str, text: &str| vec![(attribute(short).unwrap_or_default().to_owned(), text.to_owned())];
        let mut subject = vec![pair("O", organization), pair("CN", name)];
        subject.retain(|set| set.iter().all(|(_, text)| !text.is_empty()));
        let order = Order {
            subject: Name(subject),
            names,
            key: &key.public(),
            usages: 1,
            extended: vec![purpose],
            not_before: START,
            not_after: authority.certificate().not_after,
        };
        let certificate = authority.issue(&order, &mut random);
        Pem {
            certificate: pem::encode(CERTIFICATE, certificate),
            key: key.to_pem(),
        }
    };
    let mut names = Names {
        dns: [
            "localhost",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
        ]
        .map(str::to_owned)
        .to_vec(),
        ..Names::default()
    };
    for ip in [
        address,
        IpAddr::from([127, 0, 0, 1]),
        IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
    ] {
        if !names.ips.contains(&ip) {
            names.ips.push(ip);
        }
    }
    let server = issue("", "kube-apiserver", &names, SERVER_AUTH);
    let admin = issue(
        "kubeadm:cluster-admins",
        "kubernetes-admin",
        &Names::default(),
        CLIENT_AUTH,
    );
    let why = |e: &dyn std::fmt::Display| format!("cannot set up TLS: {e}");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let hints = std::iter::once(authority.certificate()).chain(client_authorities);
    let hints = hints.map(|ca| DistinguishedName::from(ca.subject.to_der())).collect();
    let certificate = CertificateDer::from_pem_slice(server.certificate.as_bytes()).map_err(|e| why(&e))?;
    let key = PrivateKeyDer::from_pem_slice(server.key.as_bytes()).map_err(|e| why(&e))?;
    let mut config = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| why(&e))?
        .with_client_cert_verifier(Arc::new(AnyClient { provider, hints }))
        .with_single_cert(vec![certificate], key)
        .map_err(|e| why(&e))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Certificates {
        authority,
        admin,
        own: server,
        server: Arc::new(config),
    })
}

/// Takes any certificate whose key the client has, as a kube-apiserver does (`RequestClientCert`): who has
/// signed it, and whether it is still valid at the world's time, is asked for each request, and answered
/// with 401.
#[derive(Debug)]
struct AnyClient {
    provider: Arc<CryptoProvider>,
    /// The names of the authorities whose certificates are credentials.
    hints: Vec<DistinguishedName>,
}

impl ClientCertVerifier for AnyClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
