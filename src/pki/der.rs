//! The distinguished encoding of ASN.1 (X.690): values with a tag and a length.

use super::Error;

pub const INTEGER: u8 = 0x02;
pub const BIT_STRING: u8 = 0x03;
pub const OCTET_STRING: u8 = 0x04;
pub const NULL: u8 = 0x05;
pub const OID: u8 = 0x06;
pub const UTF8: u8 = 0x0c;
pub const PRINTABLE: u8 = 0x13;
pub const IA5: u8 = 0x16;
pub const UTC_TIME: u8 = 0x17;
pub const GENERAL_TIME: u8 = 0x18;
pub const SEQUENCE: u8 = 0x30;
pub const SET: u8 = 0x31;

/// The tag of a context-specific field: constructed, or (`false`) a plain value.
pub const fn field(number: u8, constructed: bool) -> u8 {
    0x80 | number | if constructed { 0x20 } else { 0 }
}

/// A value that was read.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    pub tag: u8,
    pub body: &'a [u8],
    /// The value with its tag and length.
    pub whole: &'a [u8],
}

/// The first value of `bytes`, and what follows it.
///
/// # Errors
/// [`Error::Truncated`].
pub fn read(bytes: &[u8]) -> Result<(Item<'_>, &[u8]), Error> {
    let [tag, first, rest @ ..] = bytes else {
        return Err(Error::Truncated);
    };
    let (length, rest) = if *first < 0x80 {
        (usize::from(*first), rest)
    } else {
        let count = usize::from(first & 0x7f);
        // Four bytes say more than any request has.
        if count == 0 || count > 4 {
            return Err(Error::Structure("length too large"));
        }
        let digits = rest.get(..count).ok_or(Error::Truncated)?;
        let length = digits.iter().fold(0usize, |n, b| n << 8 | usize::from(*b));
        (length, rest.get(count..).unwrap_or_default())
    };
    let body = rest.get(..length).ok_or(Error::Truncated)?;
    let after = rest.get(length..).unwrap_or_default();
    let whole = bytes.get(..bytes.len() - after.len()).unwrap_or_default();
    Ok((Item { tag: *tag, body, whole }, after))
}

/// The one value that `bytes` are.
///
/// # Errors
/// As [`read`], and for what follows it.
pub fn only(bytes: &[u8], tag: u8) -> Result<Item<'_>, Error> {
    let (item, rest) = read(bytes)?;
    if !rest.is_empty() {
        return Err(Error::Structure("trailing data"));
    }
    item.expect(tag)
}

impl<'a> Item<'a> {
    /// The value, when it has this tag.
    ///
    /// # Errors
    /// [`Error::Structure`].
    pub fn expect(self, tag: u8) -> Result<Item<'a>, Error> {
        if self.tag == tag {
            Ok(self)
        } else {
            Err(Error::Structure("tags don't match"))
        }
    }

    /// The values inside.
    ///
    /// # Errors
    /// As [`read`].
    pub fn children(&self) -> Result<Children<'a>, Error> {
        let mut items = Vec::new();
        let mut rest = self.body;
        while !rest.is_empty() {
            let (item, after) = read(rest)?;
            items.push(item);
            rest = after;
        }
        Ok(Children(items.into_iter()))
    }

    /// The bytes of a bit string whose bits are whole bytes.
    ///
    /// # Errors
    /// [`Error::Structure`].
    pub fn bits(&self) -> Result<&'a [u8], Error> {
        match self.expect(BIT_STRING)?.body {
            [0, rest @ ..] => Ok(rest),
            _ => Err(Error::Structure("invalid padding bits in BIT STRING")),
        }
    }

    /// A text, of whatever string type.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.body).into_owned()
    }
}

/// The values inside a value, one after the other.
pub struct Children<'a>(std::vec::IntoIter<Item<'a>>);

impl<'a> Children<'a> {
    /// The next value, which must have this tag.
    ///
    /// # Errors
    /// [`Error::Structure`] when it has not, or there is none.
    pub fn need(&mut self, tag: u8) -> Result<Item<'a>, Error> {
        self.0.next().ok_or(Error::Structure("sequence truncated"))?.expect(tag)
    }

    /// The next value, if it has this tag.
    pub fn maybe(&mut self, tag: u8) -> Option<Item<'a>> {
        (self.0.as_slice().first()?.tag == tag).then(|| self.0.next())?
    }
}

impl<'a> Iterator for Children<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        self.0.next()
    }
}

/// A value of this tag around a body.
pub fn wrap(tag: u8, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut out = vec![tag];
    let length = body.len();
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let digits: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|b| *b == 0).collect();
        out.push(0x80 | digits.len() as u8);
        out.extend(digits);
    }
    out.extend_from_slice(body);
    out
}

/// A sequence of values.
pub fn sequence<const N: usize>(items: [Vec<u8>; N]) -> Vec<u8> {
    wrap(SEQUENCE, items.concat())
}

/// A number that is not negative, from its bytes, the largest first.
pub fn integer(bytes: &[u8]) -> Vec<u8> {
    let mut body: Vec<u8> = bytes.iter().copied().skip_while(|b| *b == 0).collect();
    if body.first().is_none_or(|b| *b >= 0x80) {
        body.insert(0, 0);
    }
    wrap(INTEGER, body)
}

/// A bit string of whole bytes.
pub fn bit_string(bytes: &[u8]) -> Vec<u8> {
    wrap(BIT_STRING, [&[0], bytes].concat())
}

/// An object identifier, from its dotted form.
pub fn oid(dotted: &str) -> Vec<u8> {
    let mut numbers = dotted.split('.').map(|n| n.parse::<u64>().unwrap_or(0));
    let first = numbers.next().unwrap_or(0) * 40 + numbers.next().unwrap_or(0);
    let mut body = Vec::new();
    for number in std::iter::once(first).chain(numbers) {
        let mut digits = vec![(number & 0x7f) as u8];
        let mut rest = number >> 7;
        while rest > 0 {
            digits.push(0x80 | (rest & 0x7f) as u8);
            rest >>= 7;
        }
        body.extend(digits.into_iter().rev());
    }
    wrap(OID, body)
}

/// The dotted form of an object identifier's body.
pub fn dotted(body: &[u8]) -> String {
    let mut numbers: Vec<u64> = Vec::new();
    let mut number = 0u64;
    for byte in body {
        number = number.wrapping_shl(7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            if numbers.is_empty() {
                let first = (number / 40).min(2);
                numbers.extend([first, number - first * 40]);
            } else {
                numbers.push(number);
            }
            number = 0;
        }
    }
    let texts: Vec<String> = numbers.iter().map(u64::to_string).collect();
    texts.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for text in ["2.5.4.3", "1.2.840.113549.1.1.11", "0.9.2342.19200300.100.1.25"] {
            let bytes = oid(text);
            let item = only(&bytes, OID).unwrap();
            assert_eq!(dotted(item.body), text);
        }
        let long = wrap(SEQUENCE, [integer(&[0x80, 1]), wrap(OCTET_STRING, [7; 300])].concat());
        let mut inside = only(&long, SEQUENCE).unwrap().children().unwrap();
        assert_eq!(inside.need(INTEGER).unwrap().body, [0, 0x80, 1]);
        assert_eq!(inside.maybe(OCTET_STRING).unwrap().body.len(), 300);
        assert!(inside.maybe(NULL).is_none() && inside.need(NULL).is_err());
        for bad in [
            &[][..],
            &[0x30],
            &[0x30, 5, 1],
            &[0x30, 0x85, 1, 1, 1, 1, 1],
            &[0x30, 0x82, 1],
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
        assert!(only(&[5, 0, 0], NULL).is_err());
    }
}
