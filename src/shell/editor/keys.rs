//! Keys out of the characters that a terminal emulator sends. Pure.

/// A key, or a piece of a paste.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Char(char),
    Enter,
    Tab,
    Backspace,
    Delete,
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    WordLeft,
    WordRight,
    Ctrl(char),
    Alt(char),
    PasteStart,
    PasteEnd,
    /// A sequence that means nothing here.
    Unknown,
}

/// Cuts a stream of characters into keys; keeps an unfinished sequence for the next call.
#[derive(Default)]
pub(super) struct Keys {
    pending: Vec<char>,
    pasting: bool,
}

impl Keys {
    /// The keys that `data` completes.
    pub fn feed(&mut self, data: &str) -> Vec<Key> {
        let mut chars = std::mem::take(&mut self.pending);
        chars.extend(data.chars());
        let mut keys = Vec::new();
        let mut i = 0;
        while let Some(c) = chars.get(i).copied() {
            if c != '\x1b' {
                i += 1;
                // A terminal may end a pasted line with both.
                if c == '\n' && i > 1 && chars.get(i - 2) == Some(&'\r') {
                    continue;
                }
                keys.push(self.plain(c));
                continue;
            }
            match sequence(chars.get(i..).unwrap_or_default()) {
                Some((key, length)) => {
                    match key {
                        Key::PasteStart => self.pasting = true,
                        Key::PasteEnd => self.pasting = false,
                        _ => {}
                    }
                    keys.push(key);
                    i += length;
                }
                None => {
                    // A lone escape at the end of what came is the key itself, unless more follows
                    // at once, which a terminal sends in one piece.
                    if i + 1 == chars.len() && !self.pasting {
                        keys.push(Key::Unknown);
                    } else {
                        self.pending = chars.get(i..).unwrap_or_default().to_vec();
                        if self.pending.len() > 32 {
                            self.pending.clear();
                        }
                    }
                    return keys;
                }
            }
        }
        keys
    }

    fn plain(&self, c: char) -> Key {
        match c {
            '\r' | '\n' => Key::Enter,
            '\t' if self.pasting => Key::Char('\t'),
            '\t' => Key::Tab,
            '\x7f' | '\x08' => Key::Backspace,
            c if (c as u32) < 32 => match char::from_u32(c as u32 + 64) {
                Some(letter) => Key::Ctrl(letter.to_ascii_lowercase()),
                None => Key::Unknown,
            },
            c if c.is_control() => Key::Unknown,
            c => Key::Char(c),
        }
    }
}

/// The key of an escape sequence and its length; `None` when it is unfinished.
fn sequence(chars: &[char]) -> Option<(Key, usize)> {
    match chars.get(1)? {
        '[' => {
            let mut n = 2;
            let mut parameters = String::new();
            loop {
                let c = *chars.get(n)?;
                n += 1;
                if c.is_ascii_digit() || c == ';' {
                    parameters.push(c);
                    continue;
                }
                let modified = parameters.split(';').nth(1).is_some_and(|m| m != "1");
                let key = match (c, parameters.split(';').next().unwrap_or_default()) {
                    ('A', _) => Key::Up,
                    ('B', _) => Key::Down,
                    ('C', _) if modified => Key::WordRight,
                    ('D', _) if modified => Key::WordLeft,
                    ('C', _) => Key::Right,
                    ('D', _) => Key::Left,
                    ('H', _) | ('~', "1" | "7") => Key::Home,
                    ('F', _) | ('~', "4" | "8") => Key::End,
                    ('~', "3") => Key::Delete,
                    ('~', "200") => Key::PasteStart,
                    ('~', "201") => Key::PasteEnd,
                    _ => Key::Unknown,
                };
                return Some((key, n));
            }
        }
        'O' => {
            let key = match chars.get(2)? {
                'A' => Key::Up,
                'B' => Key::Down,
                'C' => Key::Right,
                'D' => Key::Left,
                'H' => Key::Home,
                'F' => Key::End,
                _ => Key::Unknown,
            };
            Some((key, 3))
        }
        '\x1b' => Some((Key::Unknown, 1)),
        '\x7f' => Some((Key::Alt('\x7f'), 2)),
        c => Some((Key::Alt(c.to_ascii_lowercase()), 2)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_and_pieces() {
        let mut keys = Keys::default();
        assert_eq!(
            keys.feed("a\x1b[A\x1bOB\x1b[1;5C\x7f\r中"),
            [
                Key::Char('a'),
                Key::Up,
                Key::Down,
                Key::WordRight,
                Key::Backspace,
                Key::Enter,
                Key::Char('中')
            ]
        );
        assert_eq!(keys.feed("\x1b["), []);
        assert_eq!(keys.feed("3~x\x03"), [Key::Delete, Key::Char('x'), Key::Ctrl('c')]);
        assert_eq!(
            keys.feed("\x1b[200~a\tb\r\n\x1b[201~\t"),
            [
                Key::PasteStart,
                Key::Char('a'),
                Key::Char('\t'),
                Key::Char('b'),
                Key::Enter,
                Key::PasteEnd,
                Key::Tab
            ]
        );
        assert_eq!(keys.feed("\x1b"), [Key::Unknown]);
        assert_eq!(keys.feed(&format!("\x1b[{}", "1".repeat(100))), []);
        assert_eq!(keys.feed("a"), [Key::Char('a')]);
    }
}
