//! Arithmetic as in `$((…))`: C's integer expressions over 64 bits. Variables are read and written
//! through [`Variables`]; errors read as bash's.

use super::parser::is_name;
use crate::limits;

/// Where an expression reads and writes variables.
pub(super) trait Variables {
    /// A variable's text; an array's element when there is an index, a number or a map's key.
    fn get(&mut self, name: &str, index: Option<&str>) -> Option<String>;
    fn set(&mut self, name: &str, index: Option<&str>, value: i64) -> Result<(), String>;
    /// Whether an array's indices are keys, not numbers.
    fn is_map(&self, _name: &str) -> bool {
        false
    }
    /// Whether an unset variable is an error (`set -u`).
    fn unset_is_error(&self) -> bool {
        false
    }
}

/// The value of an expression; an empty one is 0. The error is bash's sentence without its prefix.
pub(super) fn evaluate(text: &str, vars: &mut dyn Variables) -> Result<i64, String> {
    evaluate_at(text, vars, 0)
}

fn evaluate_at(text: &str, vars: &mut dyn Variables, depth: usize) -> Result<i64, String> {
    if depth > limits::SHELL_DEPTH {
        return Err(format!(
            "{text}: expression recursion level exceeded (error token is \"{text}\")"
        ));
    }
    let mut parser = Arith {
        chars: text.trim_start().chars().collect(),
        text: text.trim_start().to_owned(),
        pos: 0,
        token: 0,
        vars,
        depth,
        dry: 0,
    };
    parser.blank();
    if parser.pos >= parser.chars.len() {
        return Ok(0);
    }
    let value = parser.comma()?;
    parser.blank();
    if parser.pos < parser.chars.len() {
        let token = parser.rest(parser.pos);
        let first = parser.chars.get(parser.pos).copied().unwrap_or(' ');
        let what = if first.is_alphanumeric()
            || first == '_'
            || first == '('
            || first == ')'
            || first == '}'
            || first == ']'
            || first == '.'
            || first == '$'
            || first == '"'
        {
            "syntax error in expression"
        } else {
            "syntax error: invalid arithmetic operator"
        };
        let what = if first == '.'
            || first == '@'
            || first == '#'
            || first == '"'
            || first == '\\'
            || first == '$'
            || first == '{'
        {
            "syntax error: invalid arithmetic operator"
        } else {
            what
        };
        return Err(format!("{}: {what} (error token is \"{token}\")", parser.text));
    }
    Ok(value)
}

struct Arith<'a> {
    chars: Vec<char>,
    text: String,
    pos: usize,
    /// Where the last token began, for error messages.
    token: usize,
    vars: &'a mut dyn Variables,
    depth: usize,
    /// Above 0 nothing is assigned: the untaken side of `?:`, `&&`, `||`.
    dry: usize,
}

/// A place that can be assigned.
enum Place {
    Variable(String, Option<String>),
}

impl Arith<'_> {
    fn at(&self, n: usize) -> Option<char> {
        self.chars.get(self.pos + n).copied()
    }

    fn rest(&self, from: usize) -> String {
        self.chars.get(from..).unwrap_or_default().iter().collect()
    }

    fn blank(&mut self) {
        while self.at(0).is_some_and(char::is_whitespace) {
            self.pos += 1;
        }
    }

    fn error(&self, what: &str, token: usize) -> String {
        format!("{}: {what} (error token is \"{}\")", self.text, self.rest(token))
    }

    /// Takes an operator when it stands here and is not the beginning of a longer one.
    fn op(&mut self, op: &str, not_before: &str) -> bool {
        self.blank();
        let n = op.chars().count();
        let here = op.chars().enumerate().all(|(i, c)| self.at(i) == Some(c));
        if here && !self.at(n).is_some_and(|c| not_before.contains(c)) {
            self.token = self.pos;
            self.pos += n;
            return true;
        }
        false
    }

    fn comma(&mut self) -> Result<i64, String> {
        let mut value = self.assign()?;
        while self.op(",", "") {
            value = self.assign()?;
        }
        Ok(value)
    }

    fn assign(&mut self) -> Result<i64, String> {
        self.depth += 1;
        if self.depth > limits::SHELL_DEPTH * 4 {
            return Err(self.error("expression recursion level exceeded", self.pos));
        }
        let (start, token) = (self.pos, self.token);
        if let Some(Place::Variable(name, index)) = self.variable()? {
            self.blank();
            for op in ["=", "+=", "-=", "*=", "/=", "%=", "<<=", ">>=", "&=", "|=", "^="] {
                if !self.op(op, if op == "=" { "=" } else { "" }) {
                    continue;
                }
                let token = self.pos;
                let right = self.assign()?;
                let value = if op == "=" {
                    right
                } else {
                    let left = self.read(&name, index.as_deref())?;
                    self.binary(op.trim_end_matches('='), left, right, token)?
                };
                if self.dry == 0 {
                    self.vars.set(&name, index.as_deref(), value)?;
                }
                self.depth -= 1;
                return Ok(value);
            }
        }
        self.pos = start;
        self.token = token;
        let value = self.ternary()?;
        self.blank();
        if self.at(0) == Some('=') && self.at(1) != Some('=') {
            return Err(self.error("attempted assignment to non-variable", self.pos));
        }
        self.depth -= 1;
        Ok(value)
    }

    fn ternary(&mut self) -> Result<i64, String> {
        let test = self.level(0)?;
        if !self.op("?", "") {
            return Ok(test);
        }
        self.dry += usize::from(test == 0);
        let yes = self.comma()?;
        self.dry -= usize::from(test == 0);
        if !self.op(":", "") {
            return Err(self.error("`:' expected for conditional expression", self.pos));
        }
        self.dry += usize::from(test != 0);
        let no = self.ternary()?;
        self.dry -= usize::from(test != 0);
        Ok(if test != 0 { yes } else { no })
    }

    /// Binary operators by precedence, weakest first.
    fn level(&mut self, n: usize) -> Result<i64, String> {
        const LEVELS: &[&[(&str, &str)]] = &[
            &[("||", "")],
            &[("&&", "")],
            &[("|", "|=")],
            &[("^", "=")],
            &[("&", "&=")],
            &[("==", ""), ("!=", "")],
            &[("<=", ""), (">=", ""), ("<", "<"), (">", ">")],
            &[("<<", "="), (">>", "=")],
            &[("+", "=+"), ("-", "=-")],
            &[("*", "=*"), ("/", "="), ("%", "=")],
        ];
        let Some(ops) = LEVELS.get(n) else { return self.power() };
        let mut left = self.level(n + 1)?;
        'again: loop {
            for (op, not_before) in ops.iter() {
                if !self.op(op, not_before) {
                    continue;
                }
                let skip = match *op {
                    "||" => left != 0,
                    "&&" => left == 0,
                    _ => false,
                };
                self.blank();
                let token = self.pos;
                self.dry += usize::from(skip);
                let right = self.level(n + 1)?;
                self.dry -= usize::from(skip);
                left = self.binary(op, left, right, token)?;
                continue 'again;
            }
            return Ok(left);
        }
    }

    fn binary(&self, op: &str, a: i64, b: i64, token: usize) -> Result<i64, String> {
        Ok(match op {
            "||" => i64::from(a != 0 || b != 0),
            "&&" => i64::from(a != 0 && b != 0),
            "|" => a | b,
            "^" => a ^ b,
            "&" => a & b,
            "==" => i64::from(a == b),
            "!=" => i64::from(a != b),
            "<=" => i64::from(a <= b),
            ">=" => i64::from(a >= b),
            "<" => i64::from(a < b),
            ">" => i64::from(a > b),
            "<<" => a.wrapping_shl(b as u32),
            ">>" => a.wrapping_shr(b as u32),
            "+" => a.wrapping_add(b),
            "-" => a.wrapping_sub(b),
            "*" => a.wrapping_mul(b),
            "/" | "%" if b == 0 => {
                if self.dry > 0 {
                    0
                } else {
                    return Err(self.error("division by 0", token));
                }
            }
            "/" => a.wrapping_div(b),
            _ => a.wrapping_rem(b),
        })
    }

    fn power(&mut self) -> Result<i64, String> {
        let base = self.unary()?;
        if !self.op("**", "=") {
            return Ok(base);
        }
        self.blank();
        let token = self.pos;
        let exponent = self.power()?;
        if exponent < 0 {
            return Err(self.error("exponent less than 0", token));
        }
        let mut value = 1i64;
        let (mut b, mut e) = (base, exponent);
        while e > 0 {
            if e & 1 == 1 {
                value = value.wrapping_mul(b);
            }
            b = b.wrapping_mul(b);
            e >>= 1;
        }
        Ok(value)
    }

    fn unary(&mut self) -> Result<i64, String> {
        self.depth += 1;
        if self.depth > limits::SHELL_DEPTH * 4 {
            return Err(self.error("expression recursion level exceeded", self.pos));
        }
        let value = self.unary_inner();
        self.depth -= 1;
        value
    }

    fn unary_inner(&mut self) -> Result<i64, String> {
        self.blank();
        for (op, step) in [("++", 1), ("--", -1)] {
            if self.op(op, "") {
                self.blank();
                let token = self.pos;
                if let Some(Place::Variable(name, index)) = self.variable()? {
                    let value = self.read(&name, index.as_deref())?.wrapping_add(step);
                    if self.dry == 0 {
                        self.vars.set(&name, index.as_deref(), value)?;
                    }
                    return Ok(value);
                }
                // `--5` is two signs.
                self.pos = token;
                return self.unary();
            }
        }
        if self.op("!", "=") {
            return Ok(i64::from(self.unary()? == 0));
        }
        if self.op("~", "") {
            return Ok(!self.unary()?);
        }
        if self.op("-", "") {
            return Ok(self.unary()?.wrapping_neg());
        }
        if self.op("+", "") {
            return self.unary();
        }
        self.primary()
    }

    fn primary(&mut self) -> Result<i64, String> {
        self.blank();
        let start = self.pos;
        match self.at(0) {
            Some('(') => {
                self.pos += 1;
                self.token = start;
                let value = self.comma()?;
                if !self.op(")", "") {
                    return Err(self.error("missing `)'", self.token.min(self.chars.len())));
                }
                Ok(value)
            }
            Some(c) if c.is_ascii_digit() => {
                self.token = start;
                while self
                    .at(0)
                    .is_some_and(|c| c.is_ascii_alphanumeric() || c == '#' || c == '@' || c == '_')
                {
                    self.pos += 1;
                }
                let text: String = self.chars.get(start..self.pos).unwrap_or_default().iter().collect();
                number(&text).map_err(|what| {
                    let before: String = self.chars.iter().take(self.pos).collect();
                    format!("{before}: {what} (error token is \"{text}\")")
                })
            }
            Some(c) if c == '_' || c.is_ascii_alphabetic() => match self.variable()? {
                Some(Place::Variable(name, index)) => {
                    self.token = start;
                    let value = self.read(&name, index.as_deref())?;
                    for (op, step) in [("++", 1), ("--", -1)] {
                        if self.op(op, "") {
                            if self.dry == 0 {
                                self.vars.set(&name, index.as_deref(), value.wrapping_add(step))?;
                            }
                            return Ok(value);
                        }
                    }
                    Ok(value)
                }
                None => Err(self.error("syntax error: operand expected", start)),
            },
            _ => {
                // bash names the last operator when nothing follows it.
                let token = if self.pos >= self.chars.len() {
                    self.token
                } else {
                    start
                };
                Err(self.error("syntax error: operand expected", token))
            }
        }
    }

    /// A variable's name, with its index, when one stands here.
    fn variable(&mut self) -> Result<Option<Place>, String> {
        self.blank();
        let start = self.pos;
        if !self.at(0).is_some_and(|c| c == '_' || c.is_ascii_alphabetic()) {
            return Ok(None);
        }
        while self.at(0).is_some_and(|c| c == '_' || c.is_ascii_alphanumeric()) {
            self.pos += 1;
        }
        let name: String = self.chars.get(start..self.pos).unwrap_or_default().iter().collect();
        let mut index = None;
        if self.at(0) == Some('[') {
            self.pos += 1;
            index = Some(if self.vars.is_map(&name) {
                self.key()
            } else {
                self.comma()?.to_string()
            });
            if !self.op("]", "") {
                return Err(self.error("bad array subscript", start));
            }
        }
        Ok(Some(Place::Variable(name, index)))
    }

    /// A map's key up to its bracket, without quotes.
    fn key(&mut self) -> String {
        let mut key = String::new();
        let mut open = 0usize;
        while let Some(c) = self.at(0) {
            match c {
                ']' if open == 0 => break,
                '[' => open += 1,
                ']' => open -= 1,
                _ => {}
            }
            if !matches!(c, '"' | '\'') {
                key.push(c);
            }
            self.pos += 1;
        }
        key
    }

    fn read(&mut self, name: &str, index: Option<&str>) -> Result<i64, String> {
        let Some(text) = self.vars.get(name, index) else {
            if self.vars.unset_is_error() {
                return Err(format!("{name}: unbound variable"));
            }
            return Ok(0);
        };
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Ok(0);
        }
        if let Ok(n) = number(trimmed) {
            return Ok(n);
        }
        if is_name(trimmed) && trimmed == name {
            return Err(format!(
                "{name}: expression recursion level exceeded (error token is \"{name}\")"
            ));
        }
        evaluate_at(trimmed, self.vars, self.depth + 1)
    }
}

/// A constant: decimal, octal, hexadecimal or `base#digits`.
fn number(text: &str) -> Result<i64, String> {
    let (digits, radix) = if let Some((base, digits)) = text.split_once('#') {
        let base: u32 = base.parse().map_err(|_| "invalid number".to_owned())?;
        if !(2..=64).contains(&base) {
            return Err("invalid arithmetic base".to_owned());
        }
        (digits, base)
    } else if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        (hex, 16)
    } else if text.len() > 1 && text.starts_with('0') {
        (text.get(1..).unwrap_or_default(), 8)
    } else {
        (text, 10)
    };
    if digits.is_empty() && radix != 16 {
        return Err("invalid integer constant".to_owned());
    }
    let mut value = 0i64;
    for c in digits.chars() {
        let digit = match c {
            '0'..='9' => c as u32 - '0' as u32,
            'a'..='z' => c as u32 - 'a' as u32 + 10,
            'A'..='Z' if radix <= 36 => c as u32 - 'A' as u32 + 10,
            'A'..='Z' => c as u32 - 'A' as u32 + 36,
            '@' => 62,
            '_' => 63,
            _ => return Err("syntax error: invalid arithmetic operator".to_owned()),
        };
        if digit >= radix {
            return Err("value too great for base".to_owned());
        }
        value = value.wrapping_mul(i64::from(radix)).wrapping_add(i64::from(digit));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flat::FlatMap;

    impl Variables for FlatMap<String, i64> {
        fn get(&mut self, name: &str, _: Option<&str>) -> Option<String> {
            FlatMap::get(self, name).map(i64::to_string)
        }
        fn set(&mut self, name: &str, _: Option<&str>, value: i64) -> Result<(), String> {
            self.insert(name.to_owned(), value);
            Ok(())
        }
    }

    #[test]
    fn expressions() {
        let mut vars = FlatMap::from([("x".to_owned(), 5i64)]);
        for (text, want) in [
            ("1+2*3", 7),
            ("(1+2)*3", 9),
            ("2**10", 1024),
            ("2**3**2", 512),
            ("-2**2", 4),
            ("x++ + x", 11),
            ("x", 6),
            ("--x", 5),
            ("y = x > 3 ? 10 : 20", 10),
            ("y", 10),
            ("0x1f + 010 + 2#101", 44),
            ("7 % 3, 9", 9),
            ("1 << 4 | 1", 17),
            ("!0 && !1 || 1", 1),
            ("0 && 1/0", 0),
            ("", 0),
            ("a += 3", 3),
            ("10 / 3 - -1", 4),
            ("x==5", 1),
            ("5 <= 4", 0),
        ] {
            assert_eq!(evaluate(text, &mut vars), Ok(want), "{text}");
        }
        for (text, want) in [
            ("1 / 0", "1 / 0: division by 0 (error token is \"0\")"),
            ("1 +", "1 +: syntax error: operand expected (error token is \"+\")"),
            ("08", "08: value too great for base (error token is \"08\")"),
        ] {
            assert_eq!(evaluate(text, &mut vars), Err(want.to_owned()), "{text}");
        }
        assert!(evaluate(&"(".repeat(10_000), &mut vars).is_err());
    }
}
