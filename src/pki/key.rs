//! Keys of either kind, and the forms in which they are kept.

use super::{Error, Random, der, ec, pem, rsa};

const RSA: &str = "1.2.840.113549.1.1.1";
const EC: &str = "1.2.840.10045.2.1";
pub(super) const RSA_SHA256: &str = "1.2.840.113549.1.1.11";
pub(super) const ECDSA_SHA256: &str = "1.2.840.10045.4.3.2";

/// What a signature is checked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    Rsa(rsa::Public),
    Ec(ec::Public),
}

/// What signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrivateKey {
    Rsa(Box<rsa::Private>),
    Ec(ec::Private),
}

/// An `AlgorithmIdentifier` without parameters, or with RSA's empty ones.
fn algorithm(oid: &str) -> Vec<u8> {
    let mut fields = der::oid(oid);
    if oid.starts_with("1.2.840.113549.") {
        fields.extend([der::NULL, 0]);
    }
    der::wrap(der::SEQUENCE, fields)
}

impl PublicKey {
    /// `SubjectPublicKeyInfo` in DER.
    pub fn to_der(&self) -> Vec<u8> {
        match self {
            PublicKey::Rsa(key) => der::sequence([algorithm(RSA), der::bit_string(&key.to_der())]),
            PublicKey::Ec(key) => der::sequence([
                der::sequence([der::oid(EC), der::oid(key.curve.oid)]),
                der::bit_string(&key.to_bytes()),
            ]),
        }
    }

    /// # Errors
    /// What is no `SubjectPublicKeyInfo`, or one of an algorithm that is not known here.
    pub fn from_der(bytes: &[u8]) -> Result<PublicKey, Error> {
        let mut fields = der::only(bytes, der::SEQUENCE)?.children()?;
        let mut kind = fields.need(der::SEQUENCE)?.children()?;
        let name = der::dotted(kind.need(der::OID)?.body);
        let bits = fields.need(der::BIT_STRING)?.bits()?;
        match name.as_str() {
            RSA => Ok(PublicKey::Rsa(rsa::Public::from_der(bits)?)),
            EC => {
                let curve = der::dotted(kind.need(der::OID)?.body);
                let curve = ec::Curve::named(&curve).ok_or(Error::Algorithm)?;
                Ok(PublicKey::Ec(ec::Public::from_bytes(curve, bits)?))
            }
            _ => Err(Error::Algorithm),
        }
    }

    /// Checks a signature; `algorithm` is its `AlgorithmIdentifier`.
    ///
    /// # Errors
    /// A signature of something else or by another key, an algorithm that is not known here.
    pub fn verify(&self, algorithm: der::Item, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        let name = der::dotted(algorithm.children()?.need(der::OID)?.body);
        match (self, name.as_str()) {
            (PublicKey::Rsa(key), RSA_SHA256) => key.verify(message, signature),
            (PublicKey::Ec(key), ECDSA_SHA256) => key.verify(message, signature),
            _ => Err(Error::Algorithm),
        }
    }

    /// The identifier of a key that certificates carry: SHA-1's place is taken by the first twenty
    /// bytes of SHA-256 (RFC 7093, method 1), as Go does it.
    pub fn identifier(&self) -> Vec<u8> {
        let bits = match self {
            PublicKey::Rsa(key) => key.to_der(),
            PublicKey::Ec(key) => key.to_bytes(),
        };
        hmac_sha256::Hash::hash(&bits).into_iter().take(20).collect()
    }
}

impl PrivateKey {
    /// A new RSA key of so many bits.
    pub fn rsa(bits: usize, random: &mut Random) -> PrivateKey {
        PrivateKey::Rsa(Box::new(rsa::Private::generate(bits, random)))
    }

    pub fn public(&self) -> PublicKey {
        match self {
            PrivateKey::Rsa(key) => PublicKey::Rsa(key.public.clone()),
            PrivateKey::Ec(key) => PublicKey::Ec(key.public.clone()),
        }
    }

    /// A message's signature.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            PrivateKey::Rsa(key) => key.sign(message),
            PrivateKey::Ec(key) => key.sign(message),
        }
    }

    /// The `AlgorithmIdentifier` of its signatures.
    pub fn algorithm(&self) -> Vec<u8> {
        algorithm(match self {
            PrivateKey::Rsa(_) => RSA_SHA256,
            PrivateKey::Ec(_) => ECDSA_SHA256,
        })
    }

    /// A message with its algorithm and signature, as requests and certificates are made.
    pub fn signed(&self, message: Vec<u8>) -> Vec<u8> {
        let signature = self.sign(&message);
        der::sequence([message, self.algorithm(), der::bit_string(&signature)])
    }

    /// PKCS #8 as PEM (`PRIVATE KEY`).
    pub fn to_pem(&self) -> String {
        let (kind, key) = match self {
            PrivateKey::Rsa(key) => (algorithm(RSA), key.to_der()),
            PrivateKey::Ec(key) => (
                der::sequence([der::oid(EC), der::oid(key.public.curve.oid)]),
                key.to_der(false),
            ),
        };
        let bytes = der::sequence([der::integer(&[0]), kind, der::wrap(der::OCTET_STRING, key)]);
        pem::encode("PRIVATE KEY", bytes)
    }

    /// The form of its own algorithm as PEM (`RSA PRIVATE KEY`, `EC PRIVATE KEY`).
    pub fn to_traditional_pem(&self) -> String {
        match self {
            PrivateKey::Rsa(key) => pem::encode("RSA PRIVATE KEY", key.to_der()),
            PrivateKey::Ec(key) => pem::encode("EC PRIVATE KEY", key.to_der(true)),
        }
    }

    /// The first private key of a text; `None` when there is no block of one.
    pub fn from_pem(text: &str) -> Option<Result<PrivateKey, Error>> {
        pem::blocks(text).into_iter().find_map(|block| {
            Some(match block.label.as_str() {
                "PRIVATE KEY" => PrivateKey::from_der(&block.bytes),
                "RSA PRIVATE KEY" => rsa::Private::from_der(&block.bytes).map(|k| PrivateKey::Rsa(Box::new(k))),
                "EC PRIVATE KEY" => ec::Private::from_der(&block.bytes, None).map(PrivateKey::Ec),
                _ => return None,
            })
        })
    }

    /// # Errors
    /// What is no PKCS #8, or one of an algorithm that is not known here.
    pub fn from_der(bytes: &[u8]) -> Result<PrivateKey, Error> {
        let mut fields = der::only(bytes, der::SEQUENCE)?.children()?;
        fields.need(der::INTEGER)?;
        let mut kind = fields.need(der::SEQUENCE)?.children()?;
        let name = der::dotted(kind.need(der::OID)?.body);
        let key = fields.need(der::OCTET_STRING)?.body;
        match name.as_str() {
            RSA => Ok(PrivateKey::Rsa(Box::new(rsa::Private::from_der(key)?))),
            EC => {
                let curve = kind
                    .maybe(der::OID)
                    .and_then(|c| ec::Curve::named(&der::dotted(c.body)));
                Ok(PrivateKey::Ec(ec::Private::from_der(key, curve)?))
            }
            _ => Err(Error::Algorithm),
        }
    }
}
