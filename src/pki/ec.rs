//! ECDSA over the curves P-256 and P-384 (FIPS 186-4), with SHA-256.

use num_bigint::BigUint;

use super::rsa::fixed;
use super::{Error, Random, der};

/// A curve y² = x³ − 3x + b over the field of `p`.
#[derive(Debug, PartialEq, Eq)]
pub struct Curve {
    /// OpenSSL's name.
    pub name: &'static str,
    /// NIST's name.
    pub nist: &'static str,
    pub oid: &'static str,
    /// Bits of the field.
    pub bits: usize,
    p: &'static str,
    b: &'static str,
    /// The base point, and the number of its multiples.
    x: &'static str,
    y: &'static str,
    n: &'static str,
}

pub static CURVES: [Curve; 2] = [
    Curve {
        name: "prime256v1",
        nist: "P-256",
        oid: "1.2.840.10045.3.1.7",
        bits: 256,
        p: "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
        b: "5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b",
        x: "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
        y: "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
        n: "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
    },
    Curve {
        name: "secp384r1",
        nist: "P-384",
        oid: "1.3.132.0.34",
        bits: 384,
        p: "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff",
        b: "b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef",
        x: "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7",
        y: "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f",
        n: "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    },
];

/// A point; `None` is the point at infinity.
type Point = Option<(BigUint, BigUint)>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Public {
    pub curve: &'static Curve,
    x: BigUint,
    y: BigUint,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Private {
    pub public: Public,
    secret: BigUint,
}

fn number(hex: &str) -> BigUint {
    BigUint::parse_bytes(hex.as_bytes(), 16).unwrap_or_default()
}

impl Curve {
    fn add(&self, p: &BigUint, a: &Point, b: &Point) -> Point {
        let (Some((x1, y1)), Some((x2, y2))) = (a, b) else {
            return a.clone().or_else(|| b.clone());
        };
        let slope = if x1 == x2 {
            if (y1 + y2) % p == BigUint::default() {
                return None;
            }
            // 3x² − 3, the coefficient of x being −3.
            (x1 * x1 + p - 1u32) * 3u32 * (y1 * 2u32).modinv(p)?
        } else {
            (y2 + p - y1) * ((x2 + p - x1) % p).modinv(p)?
        } % p;
        let x = (&slope * &slope + p + p - x1 - x2) % p;
        let y = (slope * (x1 + p - &x) + p - y1) % p;
        Some((x, y))
    }

    fn multiply(&self, p: &BigUint, factor: &BigUint, point: &Point) -> Point {
        let mut sum = None;
        for bit in (0..factor.bits()).rev() {
            sum = self.add(p, &sum, &sum);
            if factor.bit(bit) {
                sum = self.add(p, &sum, point);
            }
        }
        sum
    }

    fn base(&self) -> Point {
        Some((number(self.x), number(self.y)))
    }

    fn size(&self) -> usize {
        self.bits / 8
    }

    /// The key with this secret.
    fn key(&'static self, secret: BigUint) -> Option<Private> {
        if secret == BigUint::default() || secret >= number(self.n) {
            return None;
        }
        let (x, y) = self.multiply(&number(self.p), &secret, &self.base())?;
        Some(Private {
            public: Public { curve: self, x, y },
            secret,
        })
    }

    /// The curve with this object identifier or name.
    pub fn named(name: &str) -> Option<&'static Curve> {
        CURVES
            .iter()
            .find(|c| c.oid == name || c.name == name || c.nist == name)
    }
}

/// The hash of a message as a number.
fn hash(message: &[u8]) -> BigUint {
    BigUint::from_bytes_be(&hmac_sha256::Hash::hash(message))
}

impl Public {
    /// # Errors
    /// [`Error::Ecdsa`] for a signature of something else or by another key.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        self.check(message, signature).ok_or(Error::Ecdsa)
    }

    fn check(&self, message: &[u8], signature: &[u8]) -> Option<()> {
        let (p, n) = (number(self.curve.p), number(self.curve.n));
        let mut fields = der::only(signature, der::SEQUENCE).ok()?.children().ok()?;
        let mut half = || -> Option<BigUint> {
            let value = BigUint::from_bytes_be(fields.need(der::INTEGER).ok()?.body);
            (value != BigUint::default() && value < n).then_some(value)
        };
        let (r, s) = (half()?, half()?);
        let inverse = s.modinv(&n)?;
        let of = |factor: BigUint, point: &Point| self.curve.multiply(&p, &(factor * &inverse % &n), point);
        let point = Some((self.x.clone(), self.y.clone()));
        let (x, _) = self
            .curve
            .add(&p, &of(hash(message), &self.curve.base()), &of(r.clone(), &point))?;
        (x % n == r).then_some(())
    }

    /// The point, not compressed.
    pub fn to_bytes(&self) -> Vec<u8> {
        let size = self.curve.size();
        [vec![4], fixed(&self.x, size), fixed(&self.y, size)].concat()
    }

    /// # Errors
    /// For what is no point of the curve, or a compressed one.
    pub fn from_bytes(curve: &'static Curve, bytes: &[u8]) -> Result<Public, Error> {
        let bad = Error::Structure("invalid elliptic curve point");
        let [4, rest @ ..] = bytes else { return Err(bad) };
        if rest.len() != 2 * curve.size() {
            return Err(bad);
        }
        let (x, y) = rest.split_at(curve.size());
        let (x, y) = (BigUint::from_bytes_be(x), BigUint::from_bytes_be(y));
        let p = number(curve.p);
        let right = (&x * &x + &p - 3u32) * &x + number(curve.b);
        if x < p && y < p && &y * &y % &p == right % p {
            Ok(Public { curve, x, y })
        } else {
            Err(bad)
        }
    }
}

impl Private {
    pub fn generate(curve: &'static Curve, random: &mut Random) -> Private {
        loop {
            if let Some(key) = curve.key(BigUint::from_bytes_be(&random.bytes(curve.size()))) {
                return key;
            }
        }
    }

    /// Signs a message. What a signature needs that is random follows from the key and the message.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let curve = self.public.curve;
        let (p, n) = (number(curve.p), number(curve.n));
        let mut random = Random::new([self.secret.to_bytes_be().as_slice(), message].concat());
        loop {
            let k = BigUint::from_bytes_be(&random.bytes(curve.size())) % &n;
            let Some((x, _)) = curve.multiply(&p, &k, &curve.base()) else {
                continue;
            };
            let Some(inverse) = k.modinv(&n) else { continue };
            let r = x % &n;
            let s = inverse * (hash(message) + &r * &self.secret) % &n;
            if r != BigUint::default() && s != BigUint::default() {
                return der::sequence([der::integer(&r.to_bytes_be()), der::integer(&s.to_bytes_be())]);
            }
        }
    }

    /// `ECPrivateKey` in DER (RFC 5915); with the curve's name where it does not stand beside it.
    pub fn to_der(&self, named: bool) -> Vec<u8> {
        let secret = fixed(&self.secret, self.public.curve.size());
        let mut fields = vec![der::integer(&[1]), der::wrap(der::OCTET_STRING, secret)];
        if named {
            fields.push(der::wrap(der::field(0, true), der::oid(self.public.curve.oid)));
        }
        let point = der::bit_string(&self.public.to_bytes());
        fields.push(der::wrap(der::field(1, true), point));
        der::wrap(der::SEQUENCE, fields.concat())
    }

    /// # Errors
    /// For what is no `ECPrivateKey` of a curve that is known here.
    pub fn from_der(bytes: &[u8], curve: Option<&'static Curve>) -> Result<Private, Error> {
        let mut fields = der::only(bytes, der::SEQUENCE)?.children()?;
        fields.need(der::INTEGER)?;
        let secret = BigUint::from_bytes_be(fields.need(der::OCTET_STRING)?.body);
        let own = fields.maybe(der::field(0, true)).and_then(|f| {
            let name = der::only(f.body, der::OID).ok()?;
            Curve::named(&der::dotted(name.body))
        });
        let curve = own.or(curve).ok_or(Error::Algorithm)?;
        curve.key(secret).ok_or(Error::Structure("invalid private key value"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_its_keys_and_its_messages() {
        for curve in &CURVES {
            let key = Private::generate(curve, &mut Random::new("a"));
            let signature = key.sign(b"text");
            assert_eq!(key.public.verify(b"text", &signature), Ok(()), "{}", curve.nist);
            assert_eq!(key.public.verify(b"other", &signature), Err(Error::Ecdsa));
            assert_eq!(key.public.verify(b"text", b"x"), Err(Error::Ecdsa));
            assert_eq!(Private::from_der(&key.to_der(true), None).as_ref(), Ok(&key));
            let point = key.public.to_bytes();
            assert_eq!(Public::from_bytes(curve, &point).as_ref(), Ok(&key.public));
            let mut wrong = point;
            wrong.iter_mut().last().into_iter().for_each(|b| *b ^= 1);
            assert!(Public::from_bytes(curve, &wrong).is_err());
        }
    }
}
