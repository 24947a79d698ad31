//! From a text to tokens.

use super::super::super::words::{self, Escapes};
use super::super::printf::leading_number;
use super::parser::KNOWN;
use super::syntax::Token;

const OPS: &[&str] = &[
    "**=", "&&", "||", "==", "!=", "<=", ">=", "++", "--", "+=", "-=", "*=", "/=", "%=", "^=", ">>", "**", "!~", "{",
    "}", "(", ")", "[", "]", ";", ",", "+", "-", "*", "/", "%", "^", "!", ">", "<", "|", "?", ":", "~", "$", "=",
];

pub(super) fn lex(source: &str) -> Result<Vec<Token>, String> {
    let chars: Vec<char> = source.chars().collect();
    let mut tokens: Vec<Token> = Vec::new();
    let mut i = 0;
    'next: while let Some(c) = chars.get(i).copied() {
        match c {
            ' ' | '\t' | '\r' => i += 1,
            '\\' if chars.get(i + 1) == Some(&'\n') => i += 2,
            '#' => {
                while chars.get(i).is_some_and(|c| *c != '\n') {
                    i += 1;
                }
            }
            '\n' => {
                tokens.push(Token::Newline);
                i += 1;
            }
            '"' => {
                let mut text = String::new();
                i += 1;
                loop {
                    match chars.get(i) {
                        None | Some('\n') => return Err("unterminated string".to_owned()),
                        Some('"') => break,
                        Some('\\') => {
                            match chars.get(i + 1) {
                                Some('"') => text.push('"'),
                                Some('/') => text.push('/'),
                                Some(c) => {
                                    text.push('\\');
                                    text.push(*c);
                                }
                                None => {}
                            }
                            i += 2;
                        }
                        Some(c) => {
                            text.push(*c);
                            i += 1;
                        }
                    }
                }
                i += 1;
                tokens.push(Token::Text(
                    String::from_utf8_lossy(&words::unescape(&text, Escapes::Printf)).into_owned(),
                ));
            }
            '/' if regex_may_follow(tokens.last()) => {
                let mut text = String::new();
                let mut bracket = false;
                i += 1;
                loop {
                    match chars.get(i) {
                        None | Some('\n') => return Err("unterminated regexp".to_owned()),
                        Some('/') if !bracket => break,
                        Some('\\') => {
                            if chars.get(i + 1) != Some(&'/') {
                                text.push('\\');
                            }
                            text.extend(chars.get(i + 1));
                            i += 2;
                        }
                        Some(c) => {
                            if *c == '[' {
                                bracket = true;
                            } else if *c == ']' {
                                bracket = false;
                            }
                            text.push(*c);
                            i += 1;
                        }
                    }
                }
                i += 1;
                tokens.push(Token::Regex(text));
            }
            c if c.is_ascii_digit() || (c == '.' && chars.get(i + 1).is_some_and(char::is_ascii_digit)) => {
                let start = i;
                while chars.get(i).is_some_and(|c| c.is_ascii_digit() || *c == '.') {
                    i += 1;
                }
                if matches!(chars.get(i), Some('e' | 'E')) {
                    let sign = usize::from(matches!(chars.get(i + 1), Some('+' | '-')));
                    if chars.get(i + 1 + sign).is_some_and(char::is_ascii_digit) {
                        i += 1 + sign;
                        while chars.get(i).is_some_and(char::is_ascii_digit) {
                            i += 1;
                        }
                    }
                }
                let text: String = chars.get(start..i).unwrap_or_default().iter().collect();
                tokens.push(Token::Number(leading_number(&text)));
            }
            c if c == '_' || c.is_ascii_alphabetic() => {
                let start = i;
                while chars.get(i).is_some_and(|c| *c == '_' || c.is_ascii_alphanumeric()) {
                    i += 1;
                }
                let name: String = chars.get(start..i).unwrap_or_default().iter().collect();
                if KNOWN.contains(&name.as_str()) {
                    let blanks = chars.iter().skip(i).take_while(|c| **c == ' ').count();
                    if chars.get(i + blanks) == Some(&'(') {
                        i += blanks;
                    }
                }
                if chars.get(i) == Some(&'(') {
                    tokens.push(Token::Call(name));
                } else {
                    tokens.push(Token::Name(name));
                }
            }
            _ => {
                for op in OPS {
                    if op.chars().enumerate().all(|(n, c)| chars.get(i + n) == Some(&c)) {
                        let op = match *op {
                            "**" => "^",
                            "**=" => "^=",
                            op => op,
                        };
                        i += if op == "^" || op == "^=" {
                            if chars.get(i) == Some(&'*') {
                                op.len() + 1
                            } else {
                                op.len()
                            }
                        } else {
                            op.len()
                        };
                        tokens.push(Token::Op(op));
                        continue 'next;
                    }
                }
                return Err(format!("unexpected character '{c}'"));
            }
        }
    }
    tokens.push(Token::End);
    Ok(tokens)
}

fn regex_may_follow(last: Option<&Token>) -> bool {
    !matches!(
        last,
        Some(Token::Number(_) | Token::Text(_) | Token::Name(_) | Token::Op(")" | "]" | "$" | "++" | "--"))
    )
}

pub(super) fn unescape(text: &str) -> String {
    String::from_utf8_lossy(&words::unescape(text, Escapes::Printf)).into_owned()
}
