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
