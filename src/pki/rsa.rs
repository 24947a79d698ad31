//! RSA (RFC 8017): keys, and signatures of PKCS #1 version 1.5 over SHA-256.

use num_bigint::BigUint;

use super::{Error, Random, der};

/// The usual public exponent.
const EXPONENT: u32 = 65_537;
/// Smaller numbers than this are tried as divisors before the costly test.
const SIEVE: u32 = 4_000;
/// Rounds of Miller and Rabin's test for the primes of a key (FIPS 186-4, table C.2, for an error below
/// 2^-100 with 1024 bits, rounded up).
const ROUNDS: usize = 5;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Public {
    pub modulus: BigUint,
    pub exponent: BigUint,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Private {
    pub public: Public,
    /// The private exponent.
    pub exponent: BigUint,
    pub p: BigUint,
    pub q: BigUint,
}

/// What stands before the hash in a signature: that it is one of SHA-256.
const SHA256: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20,
];

/// A hash in the form that is signed (EMSA-PKCS1-v1_5).
fn padded(message: &[u8], size: usize) -> BigUint {
    let hash = hmac_sha256::Hash::hash(message);
    let fill = size.saturating_sub(SHA256.len() + hash.len() + 3);
    let bytes = [&[0, 1], vec![0xff; fill].as_slice(), &[0], &SHA256, &hash].concat();
    BigUint::from_bytes_be(&bytes)
}

/// A number as so many bytes.
pub(super) fn fixed(number: &BigUint, size: usize) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    let mut out = vec![0; size.saturating_sub(bytes.len())];
    out.extend(bytes);
    out
}

impl Public {
    /// The length of the modulus, in bytes.
    fn size(&self) -> usize {
        (self.modulus.bits() as usize).div_ceil(8)
    }

    /// # Errors
    /// [`Error::Rsa`] for a signature of something else or by another key.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        let number = BigUint::from_bytes_be(signature);
        let fits = self.modulus.bit(0) && self.size() >= 64 && signature.len() == self.size();
        if fits && number < self.modulus && number.modpow(&self.exponent, &self.modulus) == padded(message, self.size())
        {
            Ok(())
        } else {
            Err(Error::Rsa)
        }
    }

    /// `RSAPublicKey` in DER.
    pub fn to_der(&self) -> Vec<u8> {
        der::sequence([
            der::integer(&self.modulus.to_bytes_be()),
            der::integer(&self.exponent.to_bytes_be()),
        ])
    }

    /// # Errors
    /// What is no `RSAPublicKey`.
    pub fn from_der(bytes: &[u8]) -> Result<Public, Error> {
        let mut fields = der::only(bytes, der::SEQUENCE)?.children()?;
        let mut number = || Ok(BigUint::from_bytes_be(fields.need(der::INTEGER)?.body));
        Ok(Public {
            modulus: number()?,
            exponent: number()?,
        })
    }
}

impl Private {
    /// The key of two primes; `None` for numbers that make none.
    pub fn of_primes(p: BigUint, q: BigUint) -> Option<Private> {
        let one = BigUint::from(1u32);
        if p <= one || q <= one || p == q {
            return None;
        }
        let public = Public {
            modulus: &p * &q,
            exponent: BigUint::from(EXPONENT),
        };
        let exponent = public.exponent.modinv(&((&p - 1u32) * (&q - 1u32)))?;
        Some(Private { public, exponent, p, q })
    }

    /// A new key with a modulus of so many bits.
    pub fn generate(bits: usize, random: &mut Random) -> Private {
        loop {
            let (p, q) = (prime(bits.div_ceil(2), random), prime(bits / 2, random));
            // The larger one first, as everybody has them.
            let (p, q) = if p < q { (q, p) } else { (p, q) };
            if let Some(key) = Private::of_primes(p, q) {
                return key;
            }
        }
    }

    /// Signs a message, by the Chinese remainder theorem.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let number = padded(message, self.public.size());
        let half = |prime: &BigUint| number.modpow(&(&self.exponent % (prime - 1u32)), prime);
        let (of_p, of_q) = (half(&self.p), half(&self.q));
        let inverse = self.q.modinv(&self.p).unwrap_or_default();
        let difference = (&of_p + &self.p - &of_q % &self.p) * inverse % &self.p;
        fixed(&(of_q + difference * &self.q), self.public.size())
    }

    /// `RSAPrivateKey` in DER.
    pub fn to_der(&self) -> Vec<u8> {
        let one = BigUint::from(1u32);
        let inverse = self.q.modinv(&self.p).unwrap_or_default();
        let numbers = [
            &BigUint::default(),
            &self.public.modulus,
            &self.public.exponent,
            &self.exponent,
            &self.p,
            &self.q,
            &(&self.exponent % (&self.p - &one)),
            &(&self.exponent % (&self.q - &one)),
            &inverse,
        ];
        der::sequence(numbers.map(|n| der::integer(&n.to_bytes_be())))
    }

    /// # Errors
    /// What is no `RSAPrivateKey`.
    pub fn from_der(bytes: &[u8]) -> Result<Private, Error> {
        let mut fields = der::only(bytes, der::SEQUENCE)?.children()?;
        let mut number = || Ok(BigUint::from_bytes_be(fields.need(der::INTEGER)?.body));
        let _version: BigUint = number()?;
        let public = Public {
            modulus: number()?,
            exponent: number()?,
        };
        let key = Private {
            public,
            exponent: number()?,
            p: number()?,
            q: number()?,
        };
        let one = BigUint::from(1u32);
        let right = key.p > one && key.q > one && key.p.bit(0) && key.q.bit(0);
        if right && &key.p * &key.q == key.public.modulus {
            Ok(key)
        } else {
            Err(Error::Structure("invalid prime"))
        }
    }
}

/// A prime of so many bits, the two highest of which are set, one above which is no multiple of the
/// public exponent.
fn prime(bits: usize, random: &mut Random) -> BigUint {
    let bits = bits.max(16) as u64;
    let small: Vec<u32> = (3..SIEVE)
        .step_by(2)
        .filter(|n| (3..*n).all(|d| d * d > *n || n % d != 0))
        .collect();
    loop {
        let mut start = BigUint::from_bytes_be(&random.bytes((bits as usize).div_ceil(8))) >> ((8 - bits % 8) % 8);
        for bit in [0, bits - 1, bits - 2] {
            start.set_bit(bit, true);
        }
        let rests: Vec<(u32, u32)> = small
            .iter()
            .map(|d| (*d, u32::try_from(&start % *d).unwrap_or(0)))
            .collect();
        for step in (0..1_000_000u32).step_by(2) {
            if rests
                .iter()
                .any(|(d, rest)| (rest + step) % d == 0 && start.bits() > 12)
            {
                continue;
            }
            let number = &start + step;
            if number.bits() > bits {
                break;
            }
            if (&number - 1u32) % EXPONENT != BigUint::default() && is_prime(&number, random) {
                return number;
            }
        }
    }
}

/// Miller and Rabin's test of an odd number.
fn is_prime(number: &BigUint, random: &mut Random) -> bool {
    let one = BigUint::from(1u32);
    let less = number - &one;
    let twos = less.trailing_zeros().unwrap_or(0);
    let odd = &less >> twos;
    (0..ROUNDS).all(|round| {
        let base = if round == 0 {
            BigUint::from(2u32)
        } else {
            BigUint::from_bytes_be(&random.bytes(16)) + 2u32
        };
        let mut power = base.modpow(&odd, number);
        if power == one || power == less {
            return true;
        }
        for _ in 1..twos {
            power = &power * &power % number;
            if power == less {
                return true;
            }
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_its_keys_and_its_messages() {
        let mut random = Random::new("a");
        let key = Private::generate(1024, &mut random);
        assert_eq!(key.public.modulus.bits(), 1024);
        let signature = key.sign(b"text");
        assert_eq!(key.public.verify(b"text", &signature), Ok(()));
        assert_eq!(key.public.verify(b"other", &signature), Err(Error::Rsa));
        assert_eq!(key.public.verify(b"text", &[1; 128]), Err(Error::Rsa));
        assert_eq!(key.public.verify(b"text", &[]), Err(Error::Rsa));
        assert_eq!(Private::from_der(&key.to_der()).as_ref(), Ok(&key));
        assert_eq!(Public::from_der(&key.public.to_der()).as_ref(), Ok(&key.public));
        let again = Private::generate(1024, &mut Random::new("a"));
        assert_eq!(again, key, "the seed decides");
    }

    #[test]
    fn small_primes() {
        let mut random = Random::new("p");
        let found: Vec<u32> = (5_001..5_101)
            .step_by(2)
            .filter(|n: &u32| is_prime(&BigUint::from(*n), &mut random))
            .collect();
        assert_eq!(
            found,
            [5003, 5009, 5011, 5021, 5023, 5039, 5051, 5059, 5077, 5081, 5087, 5099]
        );
    }
}
