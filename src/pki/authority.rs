//! An authority that issues certificates.

use std::time::Duration;

use super::x509::{self, Extension, Template, extension};
use super::{Certificate, Error, Name, Names, PrivateKey, PublicKey, Random, der, pem, rsa};
use crate::sim::Time;
use num_bigint::BigUint;

/// The label of a certificate's PEM block.
pub const CERTIFICATE: &str = "CERTIFICATE";

/// A certificate of an authority with its key.
#[derive(Clone, Debug)]
pub struct Authority {
    certificate: Certificate,
    key: PrivateKey,
}

/// What an issued certificate is to say.
#[derive(Clone, Debug)]
pub struct Order<'a> {
    pub subject: Name,
    pub names: &'a Names,
    pub key: &'a PublicKey,
    /// Bits of [`x509::KEY_USAGES`], the first one bit 0.
    pub usages: u16,
    /// Identifiers of extended usages.
    pub extended: Vec<&'a str>,
    pub not_before: Time,
    pub not_after: Time,
}

impl Authority {
    /// A new authority that signs itself, with what `kubeadm init` puts into one. It lives thirty years from
    /// `start`, where kubeadm's lives ten: the virtual time of a world can be far from when it was made.
    pub fn create(name: &str, key: PrivateKey, start: Time, random: &mut Random) -> Result<Authority, Error> {
        let common = x509::attribute("CN").unwrap_or_default().to_owned();
        let subject = Name(vec![vec![(common, name.to_owned())]]);
        let identifier = der::wrap(der::OCTET_STRING, key.public().identifier());
        let names = Names {
            dns: vec![name.to_owned()],
            ..Names::default()
        };
        let template = Template {
            serial: serial(8, random),
            subject: subject.clone(),
            not_before: start,
            not_after: start + Duration::from_secs(30 * 365 * 24 * 60 * 60),
            extensions: vec![
                // Digital signature, key encipherment, certificate sign.
                x509::key_usage(0b10_0101),
                x509::basic_constraints(true),
                Extension::new(extension::SUBJECT_KEY, false, identifier),
                Extension::new(extension::ALTERNATIVE_NAMES, false, names.to_der()),
            ],
        };
        let bytes = Certificate::make(&template, &key.public(), &subject, &key);
        Authority::new(&bytes, key)
    }

    /// The authority of a certificate in DER, and its key.
    ///
    /// # Errors
    /// What is no certificate, or not of this key.
    pub fn new(certificate: &[u8], key: PrivateKey) -> Result<Authority, Error> {
        let certificate = Certificate::from_der(certificate)?;
        if certificate.key != key.public() {
            return Err(Error::Structure("private key does not match public key"));
        }
        Ok(Authority { certificate, key })
    }

    /// The owner of a certificate in DER, and the two primes of its key, one after the other.
    ///
    /// # Errors
    /// As [`Authority::new`].
    pub fn of_primes(certificate: &[u8], primes: &[u8]) -> Result<Authority, Error> {
        let (p, q) = primes.split_at(primes.len() / 2);
        let key = rsa::Private::of_primes(BigUint::from_bytes_be(p), BigUint::from_bytes_be(q))
            .ok_or(Error::Structure("invalid prime"))?;
        Authority::new(certificate, PrivateKey::Rsa(Box::new(key)))
    }

    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    pub fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// The certificate as PEM.
    pub fn to_pem(&self) -> String {
        pem::encode(CERTIFICATE, &self.certificate.whole)
    }

    /// Issues a certificate, in DER.
    pub fn issue(&self, order: &Order, random: &mut Random) -> Vec<u8> {
        let mut extensions = Vec::new();
        if order.usages != 0 {
            extensions.push(x509::key_usage(order.usages));
        }
        if !order.extended.is_empty() {
            extensions.push(x509::extended_usage(&order.extended));
        }
        extensions.push(x509::basic_constraints(false));
        if let Some(own) = self.certificate.extension(extension::SUBJECT_KEY)
            && let Ok(identifier) = der::only(own, der::OCTET_STRING)
        {
            let body = der::wrap(der::field(0, false), identifier.body);
            extensions.push(Extension::new(
                extension::AUTHORITY_KEY,
                false,
                der::wrap(der::SEQUENCE, body),
            ));
        }
        if !order.names.is_empty() {
            // Without a subject the names are all that says whose it is (RFC 5280, 4.2.1.6).
            let critical = order.subject.0.is_empty();
            extensions.push(Extension::new(
                extension::ALTERNATIVE_NAMES,
                critical,
                order.names.to_der(),
            ));
        }
        let template = Template {
            serial: serial(16, random),
            subject: order.subject.clone(),
            not_before: order.not_before,
            not_after: order.not_after,
            extensions,
        };
        Certificate::make(&template, order.key, &self.certificate.subject, &self.key)
    }
}

/// A serial number of so many bytes, the highest bit of which is clear.
fn serial(size: usize, random: &mut Random) -> Vec<u8> {
    let mut bytes = random.bytes(size);
    if let Some(first) = bytes.first_mut() {
        *first &= 0x7f;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{Request, ec};

    #[test]
    fn from_a_request_to_a_certificate() {
        let mut random = Random::new("a");
        let now = Time::from_secs(1_800_000_000);
        let key = |random: &mut Random| PrivateKey::Ec(ec::Private::generate(&ec::CURVES[0], random));
        let authority = Authority::create("kubernetes", key(&mut random), now, &mut random).unwrap();
        let own = key(&mut random);
        let pair = |oid: &str, text: &str| vec![(oid.to_owned(), text.to_owned())];
        let subject = Name(vec![
            pair("2.5.4.3", "anna"),
            pair("2.5.4.10", "dev"),
            pair("2.5.4.10", "ops & more, ü"),
        ]);
        let names = Names {
            dns: vec!["a.b".into()],
            ips: vec!["10.0.0.1".parse().unwrap(), "::1".parse().unwrap()],
            ..Names::default()
        };
        let wanted = Extension::new(extension::ALTERNATIVE_NAMES, false, names.to_der());
        let request = Request::from_der(&Request::make(&subject, &own, &[wanted])).unwrap();
        assert_eq!(request.verify(), Ok(()));
        assert_eq!((&request.subject, &request.names), (&subject, &names));
        let order = Order {
            subject: request.subject.normalized(),
            names: &request.names,
            key: &request.key,
            usages: 0b101,
            extended: vec![x509::CLIENT_AUTH],
            not_before: now,
            not_after: now + Duration::from_secs(3600),
        };
        let certificate = Certificate::from_der(&authority.issue(&order, &mut random)).unwrap();
        assert_eq!(
            certificate.subject.to_string(),
            "O = dev + O = \"ops & more, ü\", CN = anna"
        );
        assert_eq!(certificate.issuer.to_string(), "CN = kubernetes");
        assert_eq!(certificate.extended_usages(), [x509::CLIENT_AUTH]);
        let usages = certificate.extension(extension::KEY_USAGE).unwrap();
        assert_eq!(x509::read_key_usage(usages), 0b101);
        let at = |seconds: i64| {
            let when = Time::from_secs((1_800_000_000 + seconds) as u64);
            certificate.check(authority.certificate(), when)
        };
        assert_eq!(at(10), Ok(()));
        assert!(at(-1).unwrap_err().contains("is before 2027-01-15T08:00:00Z"));
        assert!(at(3601).unwrap_err().contains("is after 2027-01-15T09:00:00Z"));
        let other = Authority::create("kubernetes", key(&mut random), now, &mut random).unwrap();
        assert!(certificate.check(other.certificate(), now).is_err());
    }

    #[test]
    fn damaged_bytes_are_answers() {
        let mut random = Random::new("b");
        let key = PrivateKey::Ec(ec::Private::generate(&ec::CURVES[0], &mut random));
        let authority = Authority::create("x", key.clone(), Time::from_secs(1), &mut random).unwrap();
        let request = Request::make(&Name::default(), &key, &[]);
        for bytes in [&authority.certificate.whole, &request] {
            for at in (0..bytes.len()).step_by(5) {
                let mut changed = bytes.clone();
                changed[at] ^= 0x55;
                for (i, some) in [changed.as_slice(), &bytes[..at]].into_iter().enumerate() {
                    if let Ok(read) = Certificate::from_der(some) {
                        assert!(i > 0 || read.verify(&authority.certificate.key).is_err());
                    }
                    if let Ok(read) = Request::from_der(some) {
                        assert!(read.verify().is_err());
                    }
                }
            }
        }
    }
}
