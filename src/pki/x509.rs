//! Certificates (RFC 5280) and requests for them (PKCS #10, RFC 2986).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::der::{self, Children, Item};
use super::key::{ECDSA_SHA256, RSA_SHA256};
use super::{Error, PrivateKey, PublicKey};
use crate::flat::Arrange;
use crate::sim::Time;

/// What an attribute of a name is called: OpenSSL's short name, its identifier, and its place in the
/// order in which Go writes a name.
pub const ATTRIBUTES: [(&str, &str); 12] = [
    ("C", "2.5.4.6"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("street", "2.5.4.9"),
    ("postalCode", "2.5.4.17"),
    ("CN", "2.5.4.3"),
    ("serialNumber", "2.5.4.5"),
    ("emailAddress", "1.2.840.113549.1.9.1"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("UID", "0.9.2342.19200300.100.1.1"),
];

/// Identifiers of extensions.
pub mod extension {
    pub const SUBJECT_KEY: &str = "2.5.29.14";
    pub const KEY_USAGE: &str = "2.5.29.15";
    pub const ALTERNATIVE_NAMES: &str = "2.5.29.17";
    pub const BASIC_CONSTRAINTS: &str = "2.5.29.19";
    pub const AUTHORITY_KEY: &str = "2.5.29.35";
    pub const EXTENDED_USAGE: &str = "2.5.29.37";
    /// The attribute of a request that holds extensions.
    pub const REQUEST: &str = "1.2.840.113549.1.9.14";
}

/// A name: sets of attributes, each an identifier and its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name(pub Vec<Vec<(String, String)>>);

/// The identifier of an attribute by its short name; a dotted one is itself.
pub fn attribute(short: &str) -> Option<&str> {
    let known = ATTRIBUTES.iter().find(|(name, _)| *name == short).map(|(_, oid)| *oid);
    known.or_else(|| short.starts_with(|c: char| c.is_ascii_digit()).then_some(short))
}

impl Name {
    /// Every value of an attribute, by its short name.
    pub fn all(&self, short: &str) -> Vec<&str> {
        let oid = attribute(short).unwrap_or_default();
        let pairs = self.0.iter().flatten();
        pairs.filter(|(o, _)| o == oid).map(|(_, v)| v.as_str()).collect()
    }

    /// The last value of an attribute, by its short name; empty without one.
    pub fn get(&self, short: &str) -> &str {
        self.all(short).last().copied().unwrap_or_default()
    }

    /// The name as Go writes it again: the values of each attribute that it knows as one set, in its
    /// order; the common name and the serial number once; no others.
    pub fn normalized(&self) -> Name {
        let mut sets = Vec::new();
        for (short, oid) in ATTRIBUTES.iter().take(9) {
            let values = if matches!(*short, "CN" | "serialNumber") {
                Some(self.get(short)).filter(|v| !v.is_empty()).into_iter().collect()
            } else {
                self.all(short)
            };
            if !values.is_empty() {
                sets.push(values.into_iter().map(|v| ((*oid).to_owned(), v.to_owned())).collect());
            }
        }
        Name(sets)
    }

    pub fn to_der(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for set in &self.0 {
            let mut items: Vec<Vec<u8>> = set
                .iter()
                .map(|(oid, text)| {
                    let plain = |c: char| c.is_ascii_alphanumeric() || " '()+,-./:=?*&".contains(c);
                    let tag = match oid.as_str() {
                        "1.2.840.113549.1.9.1" | "0.9.2342.19200300.100.1.25" => der::IA5,
                        _ if text.chars().all(plain) => der::PRINTABLE,
                        _ => der::UTF8,
                    };
                    der::sequence([der::oid(oid), der::wrap(tag, text)])
                })
                .collect();
            items.arrange();
            out.extend(der::wrap(der::SET, items.concat()));
        }
        der::wrap(der::SEQUENCE, out)
    }

    fn read(item: Item) -> Result<Name, Error> {
        let mut sets = Vec::new();
        for set in item.expect(der::SEQUENCE)?.children()? {
            let mut pairs = Vec::new();
            for pair in set.expect(der::SET)?.children()? {
                let mut fields = pair.expect(der::SEQUENCE)?.children()?;
                let oid = der::dotted(fields.need(der::OID)?.body);
                let text = fields.next().ok_or(Error::Structure("sequence truncated"))?.text();
                pairs.push((oid, text));
            }
            sets.push(pairs);
        }
        Ok(Name(sets))
    }
}

/// `O = dev, CN = anna`, as OpenSSL 3.0 prints a name.
impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, set) in self.0.iter().enumerate() {
            for (j, (oid, text)) in set.iter().enumerate() {
                f.write_str(match (i, j) {
                    (0, 0) => "",
                    (_, 0) => ", ",
                    _ => " + ",
                })?;
                let short = ATTRIBUTES
                    .iter()
                    .find(|(_, o)| o == oid)
                    .map_or(oid.as_str(), |(s, _)| s);
                if text.contains([',', '+', '"', ';', '<', '>']) {
                    write!(f, "{short} = \"{}\"", text.replace('"', "\\\""))?;
                } else {
                    write!(f, "{short} = {text}")?;
                }
            }
        }
        Ok(())
    }
}

/// Alternative names of a subject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub dns: Vec<String>,
    pub emails: Vec<String>,
    pub ips: Vec<IpAddr>,
    pub uris: Vec<String>,
}

impl Names {
    pub fn is_empty(&self) -> bool {
        *self == Names::default()
    }

    /// The body of the extension.
    pub fn to_der(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (number, texts) in [(2, &self.dns), (1, &self.emails)] {
            for text in texts {
                out.extend(der::wrap(der::field(number, false), text));
            }
        }
        for ip in &self.ips {
            out.extend(match ip {
                IpAddr::V4(ip) => der::wrap(der::field(7, false), ip.octets()),
                IpAddr::V6(ip) => der::wrap(der::field(7, false), ip.octets()),
            });
        }
        for uri in &self.uris {
            out.extend(der::wrap(der::field(6, false), uri));
        }
        der::wrap(der::SEQUENCE, out)
    }

    /// # Errors
    /// What is no body of the extension.
    pub fn from_der(bytes: &[u8]) -> Result<Names, Error> {
        let mut names = Names::default();
        for item in der::only(bytes, der::SEQUENCE)?.children()? {
            match item.tag & 0x1f {
                1 => names.emails.push(item.text()),
                2 => names.dns.push(item.text()),
                6 => names.uris.push(item.text()),
                7 => {
                    let ip = <[u8; 4]>::try_from(item.body)
                        .map(|b| IpAddr::V4(Ipv4Addr::from(b)))
                        .or_else(|_| <[u8; 16]>::try_from(item.body).map(|b| IpAddr::V6(Ipv6Addr::from(b))));
                    names.ips.push(ip.map_err(|_| Error::Structure("invalid IP address"))?);
                }
                _ => {}
            }
        }
        Ok(names)
    }
}

/// An extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    pub oid: String,
    pub critical: bool,
    /// Its body, in DER.
    pub value: Vec<u8>,
}

impl Extension {
    pub fn new(oid: &str, critical: bool, value: Vec<u8>) -> Extension {
        Extension {
            oid: oid.to_owned(),
            critical,
            value,
        }
    }

    fn to_der(&self) -> Vec<u8> {
        let critical = if self.critical { vec![1, 1, 0xff] } else { Vec::new() };
        der::sequence([der::oid(&self.oid), critical, der::wrap(der::OCTET_STRING, &self.value)])
    }

    /// The list of extensions that a certificate or a request has.
    fn list(item: Item) -> Result<Vec<Extension>, Error> {
        let mut out = Vec::new();
        for one in item.expect(der::SEQUENCE)?.children()? {
            let mut fields = one.expect(der::SEQUENCE)?.children()?;
            let oid = der::dotted(fields.need(der::OID)?.body);
            let critical = fields.maybe(1).is_some_and(|b| b.body != [0]);
            let value = fields.need(der::OCTET_STRING)?.body.to_vec();
            out.push(Extension { oid, critical, value });
        }
        Ok(out)
    }
}

fn sequence_of(list: &[Extension]) -> Vec<u8> {
    let items: Vec<Vec<u8>> = list.iter().map(Extension::to_der).collect();
    der::wrap(der::SEQUENCE, items.concat())
}

fn names_in(list: &[Extension]) -> Result<Names, Error> {
    let found = list.iter().find(|e| e.oid == extension::ALTERNATIVE_NAMES);
    found.map_or_else(|| Ok(Names::default()), |e| Names::from_der(&e.value))
}

/// What a usage of a key is called.
pub struct Usage {
    /// In OpenSSL's texts.
    pub text: &'static str,
    /// In OpenSSL's configurations; empty for what is not read from them here.
    pub short: &'static str,
    /// In CFSSL's configurations, whose words Kubernetes has.
    pub words: &'static [&'static str],
}

const fn usage(text: &'static str, short: &'static str, words: &'static [&'static str]) -> Usage {
    Usage { text, short, words }
}

/// The key usages, the first of which is the highest bit.
pub const KEY_USAGES: [Usage; 9] = [
    usage(
        "Digital Signature",
        "digitalSignature",
        &["digital signature", "signing"],
    ),
    usage("Non Repudiation", "nonRepudiation", &["content commitment"]),
    usage("Key Encipherment", "keyEncipherment", &["key encipherment"]),
    usage("Data Encipherment", "dataEncipherment", &["data encipherment"]),
    usage("Key Agreement", "keyAgreement", &["key agreement"]),
    usage("Certificate Sign", "keyCertSign", &["cert sign"]),
    usage("CRL Sign", "cRLSign", &["crl sign"]),
    usage("Encipher Only", "encipherOnly", &["encipher only"]),
    usage("Decipher Only", "decipherOnly", &["decipher only"]),
];

/// Identifiers of extended usages, and what they are called.
pub const EXTENDED_USAGES: [(&str, Usage); 11] = [
    ("2.5.29.37.0", usage("Any Extended Key Usage", "", &["any"])),
    (
        SERVER_AUTH,
        usage("TLS Web Server Authentication", "serverAuth", &["server auth"]),
    ),
    (
        CLIENT_AUTH,
        usage("TLS Web Client Authentication", "clientAuth", &["client auth"]),
    ),
    (
        "1.3.6.1.5.5.7.3.3",
        usage("Code Signing", "codeSigning", &["code signing"]),
    ),
    (
        "1.3.6.1.5.5.7.3.4",
        usage("E-mail Protection", "emailProtection", &["email protection", "s/mime"]),
    ),
    (
        "1.3.6.1.5.5.7.3.5",
        usage("IPSec End System", "", &["ipsec end system"]),
    ),
    ("1.3.6.1.5.5.7.3.6", usage("IPSec Tunnel", "", &["ipsec tunnel"])),
    ("1.3.6.1.5.5.7.3.7", usage("IPSec User", "", &["ipsec user"])),
    (
        "1.3.6.1.5.5.7.3.8",
        usage("Time Stamping", "timeStamping", &["timestamping"]),
    ),
    (
        "1.3.6.1.5.5.7.3.9",
        usage("OCSP Signing", "OCSPSigning", &["ocsp signing"]),
    ),
    (
        "1.3.6.1.4.1.311.10.3.3",
        usage("Microsoft Server Gated Crypto", "", &["microsoft sgc"]),
    ),
];

pub const SERVER_AUTH: &str = "1.3.6.1.5.5.7.3.1";
pub const CLIENT_AUTH: &str = "1.3.6.1.5.5.7.3.2";

/// The name of an `AlgorithmIdentifier` of a signature; its numbers when it is not known here.
fn algorithm_name(algorithm: &[u8]) -> String {
    let oid = der::only(algorithm, der::SEQUENCE).and_then(|i| i.children()?.need(der::OID));
    match oid.map_or_else(|_| String::new(), |oid| der::dotted(oid.body)).as_str() {
        RSA_SHA256 => "sha256WithRSAEncryption".into(),
        ECDSA_SHA256 => "ecdsa-with-SHA256".into(),
        other => other.into(),
    }
}

/// A request for a certificate.
#[derive(Clone, Debug)]
pub struct Request {
    pub subject: Name,
    pub key: PublicKey,
    pub names: Names,
    pub extensions: Vec<Extension>,
    pub signature: Vec<u8>,
    /// The part that is signed, and its algorithm.
    signed: Vec<u8>,
    algorithm: Vec<u8>,
}

impl Request {
    /// # Errors
    /// What is no request.
    pub fn from_der(bytes: &[u8]) -> Result<Request, Error> {
        let mut fields = der::only(bytes, der::SEQUENCE)?.children()?;
        let signed = fields.need(der::SEQUENCE)?;
        let algorithm = fields.need(der::SEQUENCE)?;
        let signature = fields.need(der::BIT_STRING)?.bits()?.to_vec();
        let mut inside = signed.children()?;
        inside.need(der::INTEGER)?;
        let subject = Name::read(inside.need(der::SEQUENCE)?)?;
        let key = PublicKey::from_der(inside.need(der::SEQUENCE)?.whole)?;
        let mut extensions = Vec::new();
        if let Some(attributes) = inside.maybe(der::field(0, true)) {
            for attribute in attributes.children()? {
                let mut fields = attribute.expect(der::SEQUENCE)?.children()?;
                if der::dotted(fields.need(der::OID)?.body) != extension::REQUEST {
                    continue;
                }
                for list in fields.need(der::SET)?.children()? {
                    extensions.extend(Extension::list(list)?);
                }
            }
        }
        Ok(Request {
            subject,
            key,
            names: names_in(&extensions)?,
            extensions,
            signature,
            signed: signed.whole.to_vec(),
            algorithm: algorithm.whole.to_vec(),
        })
    }

    /// Whether the request is signed by the key that it is for.
    ///
    /// # Errors
    /// A wrong signature, an algorithm that is not known here.
    pub fn verify(&self) -> Result<(), Error> {
        let algorithm = der::only(&self.algorithm, der::SEQUENCE)?;
        self.key.verify(algorithm, &self.signed, &self.signature)
    }

    /// What OpenSSL calls the algorithm of the signature.
    pub fn algorithm_name(&self) -> String {
        algorithm_name(&self.algorithm)
    }

    /// A request in DER, signed by the key that it is for.
    pub fn make(subject: &Name, key: &PrivateKey, extensions: &[Extension]) -> Vec<u8> {
        let attributes = if extensions.is_empty() {
            Vec::new()
        } else {
            der::sequence([
                der::oid(extension::REQUEST),
                der::wrap(der::SET, sequence_of(extensions)),
            ])
        };
        key.signed(der::sequence([
            der::integer(&[0]),
            subject.to_der(),
            key.public().to_der(),
            der::wrap(der::field(0, true), attributes),
        ]))
    }
}

/// A certificate.
#[derive(Clone, Debug)]
pub struct Certificate {
    pub version: u8,
    /// The largest byte first.
    pub serial: Vec<u8>,
    pub issuer: Name,
    pub subject: Name,
    pub not_before: Time,
    pub not_after: Time,
    pub key: PublicKey,
    pub names: Names,
    pub extensions: Vec<Extension>,
    pub signature: Vec<u8>,
    /// In DER.
    pub whole: Vec<u8>,
    signed: Vec<u8>,
    algorithm: Vec<u8>,
}

/// What a certificate is to say.
#[derive(Clone, Debug)]
pub struct Template {
    pub serial: Vec<u8>,
    pub subject: Name,
    pub not_before: Time,
    pub not_after: Time,
    pub extensions: Vec<Extension>,
}

fn time(time: Time) -> Vec<u8> {
    let c = time.civil();
    let rest = format!("{:02}{:02}{:02}{:02}{:02}Z", c.month, c.day, c.hour, c.minute, c.second);
    if (1950..2050).contains(&c.year) {
        der::wrap(der::UTC_TIME, format!("{:02}{rest}", c.year % 100))
    } else {
        der::wrap(der::GENERAL_TIME, format!("{:04}{rest}", c.year))
    }
}

fn read_time(fields: &mut Children) -> Result<Time, Error> {
    let item = fields.next().ok_or(Error::Structure("sequence truncated"))?;
    let text = item.text();
    let bad = Error::Structure("invalid time");
    let (year, rest) = match item.tag {
        der::UTC_TIME => text.split_at_checked(2),
        der::GENERAL_TIME => text.split_at_checked(4),
        _ => None,
    }
    .ok_or(bad.clone())?;
    let number = |s: &str| s.parse::<u32>().map_err(|_| bad.clone());
    let mut year = i64::from(number(year)?);
    if item.tag == der::UTC_TIME {
        year += if year < 50 { 2000 } else { 1900 };
    }
    let digits = rest.strip_suffix('Z').ok_or(bad.clone())?;
    let part = |i: usize| number(digits.get(2 * i..2 * i + 2).unwrap_or_default());
    Time::from_civil(year, part(0)?, part(1)?, part(2)?, part(3)?, part(4)?).ok_or(bad)
}

impl Certificate {
    /// # Errors
    /// What is no certificate.
    pub fn from_der(bytes: &[u8]) -> Result<Certificate, Error> {
        let mut fields = der::only(bytes, der::SEQUENCE)?.children()?;
        let signed = fields.need(der::SEQUENCE)?;
        let algorithm = fields.need(der::SEQUENCE)?;
        let signature = fields.need(der::BIT_STRING)?.bits()?.to_vec();
        let mut inside = signed.children()?;
        let version = match inside.maybe(der::field(0, true)) {
            None => 1,
            Some(field) => der::only(field.body, der::INTEGER)?
                .body
                .last()
                .copied()
                .unwrap_or(0)
                .saturating_add(1),
        };
        let serial = inside.need(der::INTEGER)?.body.to_vec();
        inside.need(der::SEQUENCE)?;
        let issuer = Name::read(inside.need(der::SEQUENCE)?)?;
        let mut validity = inside.need(der::SEQUENCE)?.children()?;
        let (not_before, not_after) = (read_time(&mut validity)?, read_time(&mut validity)?);
        let subject = Name::read(inside.need(der::SEQUENCE)?)?;
        let key = PublicKey::from_der(inside.need(der::SEQUENCE)?.whole)?;
        let mut extensions = Vec::new();
        for field in inside {
            if field.tag == der::field(3, true) {
                extensions = Extension::list(der::only(field.body, der::SEQUENCE)?)?;
            }
        }
        Ok(Certificate {
            version,
            serial,
            issuer,
            subject,
            not_before,
            not_after,
            key,
            names: names_in(&extensions)?,
            extensions,
            signature,
            whole: bytes.to_vec(),
            signed: signed.whole.to_vec(),
            algorithm: algorithm.whole.to_vec(),
        })
    }

    /// The body of an extension.
    pub fn extension(&self, oid: &str) -> Option<&[u8]> {
        self.extensions
            .iter()
            .find(|e| e.oid == oid)
            .map(|e| e.value.as_slice())
    }

    /// The identifiers of its extended usages; empty when it has no such extension.
    pub fn extended_usages(&self) -> Vec<String> {
        let list = self.extension(extension::EXTENDED_USAGE).unwrap_or_default();
        let items = der::only(list, der::SEQUENCE).and_then(|i| i.children());
        items.into_iter().flatten().map(|o| der::dotted(o.body)).collect()
    }

    /// Whether another certificate's key has signed it.
    ///
    /// # Errors
    /// A wrong signature, an algorithm that is not known here.
    pub fn verify(&self, issuer: &PublicKey) -> Result<(), Error> {
        let algorithm = der::only(&self.algorithm, der::SEQUENCE)?;
        issuer.verify(algorithm, &self.signed, &self.signature)
    }

    /// What OpenSSL calls the algorithm of the signature.
    pub fn algorithm_name(&self) -> String {
        algorithm_name(&self.algorithm)
    }

    /// Whether it is of an issuer and lives at `now`.
    ///
    /// # Errors
    /// Why not, in Go's words.
    pub fn check(&self, issuer: &Certificate, now: Time) -> Result<(), String> {
        if now < self.not_before || now > self.not_after {
            let (relation, end) = if now < self.not_before {
                ("before", self.not_before)
            } else {
                ("after", self.not_after)
            };
            return Err(format!(
                "x509: certificate has expired or is not yet valid: current time {now} is {relation} {end}"
            ));
        }
        if self.issuer != issuer.subject || self.verify(&issuer.key).is_err() {
            return Err("x509: certificate signed by unknown authority".into());
        }
        Ok(())
    }

    /// A certificate in DER for `key`, which `issuer` signs under its name.
    pub fn make(template: &Template, key: &PublicKey, issuer: &Name, signer: &PrivateKey) -> Vec<u8> {
        let extensions = if template.extensions.is_empty() {
            Vec::new()
        } else {
            der::wrap(der::field(3, true), sequence_of(&template.extensions))
        };
        // Without extensions it is one of version 1, which has no number.
        let version = if template.extensions.is_empty() {
            Vec::new()
        } else {
            der::wrap(der::field(0, true), der::integer(&[2]))
        };
        signer.signed(der::sequence([
            version,
            der::integer(&template.serial),
            signer.algorithm(),
            issuer.to_der(),
            der::sequence([time(template.not_before), time(template.not_after)]),
            template.subject.to_der(),
            key.to_der(),
            extensions,
        ]))
    }
}

/// The extension of key usages; the first of [`KEY_USAGES`] is bit 0.
pub fn key_usage(bits: u16) -> Extension {
    let mut word: u16 = 0;
    for bit in 0..9 {
        if bits & 1 << bit != 0 {
            word |= 0x8000 >> bit;
        }
    }
    let [high, low] = word.to_be_bytes();
    let mut body = vec![(word.trailing_zeros() % 8) as u8, high];
    if low != 0 {
        body.push(low);
    }
    Extension::new(extension::KEY_USAGE, true, der::wrap(der::BIT_STRING, body))
}

/// The bits of that extension's body.
pub fn read_key_usage(value: &[u8]) -> u16 {
    let body = der::only(value, der::BIT_STRING).map_or(&[][..], |i| i.body);
    let bytes = body.get(1..).unwrap_or_default();
    let high = u16::from(bytes.first().copied().unwrap_or(0)) << 8;
    let word = high | u16::from(bytes.get(1).copied().unwrap_or(0));
    (0..9)
        .filter(|bit| word & 0x8000 >> bit != 0)
        .fold(0, |n, bit| n | 1 << bit)
}

/// The extension of extended usages, by their identifiers.
pub fn extended_usage(oids: &[&str]) -> Extension {
    let items: Vec<Vec<u8>> = oids.iter().map(|o| der::oid(o)).collect();
    Extension::new(
        extension::EXTENDED_USAGE,
        false,
        der::wrap(der::SEQUENCE, items.concat()),
    )
}

/// The extension that says whether a certificate is an authority's.
pub fn basic_constraints(authority: bool) -> Extension {
    let body = if authority { vec![1, 1, 0xff] } else { Vec::new() };
    Extension::new(extension::BASIC_CONSTRAINTS, true, der::wrap(der::SEQUENCE, body))
}
