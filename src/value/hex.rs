//! Bytes as hexadecimal digits.

/// In lower case.
pub fn lower(bytes: &[u8]) -> String {
    digits(bytes, "", false)
}

/// With a text between two bytes, in upper or lower case.
pub fn digits(bytes: &[u8], between: &str, upper: bool) -> String {
    let shown = bytes.iter().map(|b| match upper {
        true => format!("{b:02X}"),
        false => format!("{b:02x}"),
    });
    shown.collect::<Vec<_>>().join(between)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let bytes = [0x00, 0x0f, 0xa0, 0xff];
        assert_eq!(lower(&bytes), "000fa0ff");
        assert_eq!(lower(&[]), "");
        assert_eq!(digits(&bytes, ":", true), "00:0F:A0:FF");
        assert_eq!(digits(&[7], ":", false), "07");
    }
}
