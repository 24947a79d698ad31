//! The functions that awk has: of texts, of numbers, and what `printf` writes.

use super::super::printf::leading_number;
use super::syntax::Expr;
use super::value::{Value, looks_numeric};
use super::{Done, Machine, Question};
use crate::flat::{Case, FlatMap};
use crate::limits;
use crate::value::math;

/// awk's `printf`: like the shell's, but `%c` of a number is that character, `%d` of a fraction is
/// cut, the format is used once, and missing values are empty.
fn awk_format(format: &str, values: &[String]) -> String {
    let mut out = String::new();
    let mut values = values.iter();
    let chars: Vec<char> = format.chars().collect();
    let mut i = 0;
    while let Some(c) = chars.get(i).copied() {
        i += 1;
        if c != '%' {
            out.push(c);
            continue;
        }
        if chars.get(i) == Some(&'%') {
            out.push('%');
            i += 1;
            continue;
        }
        let mut spec = String::from("%");
        while let Some(k) = chars.get(i).copied() {
            i += 1;
            if k == '*' {
                spec.push_str(&(leading_number(values.next().map_or("", |v| v)) as i64).to_string());
                continue;
            }
            if k == 'l' || k == 'h' {
                continue;
            }
            spec.push(k);
            if k.is_ascii_alphabetic() {
                break;
            }
        }
        let value = values.next().cloned().unwrap_or_default();
        let value = match spec.chars().last() {
            Some('d' | 'i' | 'x' | 'X' | 'o' | 'u') => (leading_number(&value) as i64).to_string(),
            Some('e' | 'E' | 'f' | 'F' | 'g' | 'G') => leading_number(&value).to_string(),
            Some('c') if looks_numeric(&value) => char::from_u32(leading_number(&value) as u32)
                .map(String::from)
                .unwrap_or_default(),
            Some('s' | 'c') => value,
            _ => {
                out.push_str(&spec);
                continue;
            }
        };
        let (bytes, _) = super::super::printf::format(&spec, &[value], crate::sim::Time::default());
        out.push_str(&String::from_utf8_lossy(&bytes));
        if out.len() > limits::SHELL_WORD_BYTES {
            break;
        }
    }
    out
}

impl Machine<'_> {
    pub(super) fn split_text(&mut self, text: &str, separator: &str) -> Done<Vec<String>> {
        if text.is_empty() {
            return Ok(Vec::new());
        }
        if separator == " " {
            return Ok(text.split_whitespace().map(str::to_owned).collect());
        }
        if separator.is_empty() {
            return Ok(text.chars().map(String::from).collect());
        }
        let mut one = separator.chars();
        if let (Some(c), None) = (one.next(), one.next())
            && c != '\\'
        {
            return Ok(text.split(c).map(str::to_owned).collect());
        }
        let regex = self.regex(separator)?;
        let mut out = Vec::new();
        let (mut from, mut at) = (0, 0);
        while let Some((a, b)) = regex.0.find_at(text, at) {
            if b > a {
                out.push(text.get(from..a).unwrap_or_default().to_owned());
                from = b;
                at = b;
            } else {
                at = b + text.get(b..).and_then(|t| t.chars().next()).map_or(1, char::len_utf8);
            }
            if at > text.len() {
                break;
            }
        }
        out.push(text.get(from..).unwrap_or_default().to_owned());
        Ok(out)
    }

    pub(super) fn call(&mut self, name: &str, args: &[Expr]) -> Done<Value> {
        let text_at = |m: &mut Self, i: usize| -> Done<String> {
            match args.get(i) {
                Some(e) => {
                    let value = m.eval(e)?;
                    Ok(m.text(&value))
                }
                None => Ok(String::new()),
            }
        };
        let number_at = |m: &mut Self, i: usize| -> Done<f64> {
            match args.get(i) {
                Some(e) => Ok(m.eval(e)?.number()),
                None => Ok(0.0),
            }
        };
        Ok(match name {
            "length" => match args.first() {
                None => Value::Number(self.record.chars().count() as f64),
                Some(Expr::Var(name)) if self.arrays.contains_key(&self.array(name)) => {
                    Value::Number(self.arrays.get(&self.array(name)).map_or(0, FlatMap::len) as f64)
                }
                Some(_) => Value::Number(text_at(self, 0)?.chars().count() as f64),
            },
            "substr" => {
                let text: Vec<char> = text_at(self, 0)?.chars().collect();
                let start = number_at(self, 1)?.round();
                let end = match args.get(2) {
                    Some(_) => start + number_at(self, 2)?.round(),
                    None => f64::INFINITY,
                };
                let from = start.max(1.0).min(text.len() as f64 + 1.0) as usize - 1;
                let to = (end.max(1.0).min(text.len() as f64 + 1.0) as usize - 1).max(from);
                Value::Text(text.get(from..to).unwrap_or_default().iter().collect())
            }
            "index" => {
                let text = text_at(self, 0)?;
                let what = text_at(self, 1)?;
                let at = text
                    .find(&what)
                    .map_or(0, |i| text.get(..i).unwrap_or_default().chars().count() + 1);
                Value::Number(at as f64)
            }
            "split" => {
                let text = text_at(self, 0)?;
                let Some(Expr::Var(array)) = args.get(1) else {
                    return self.fail("split: the second argument is not an array");
                };
                let parts = match args.get(2) {
                    Some(Expr::Regex(regex)) => {
                        let source = regex.1.clone();
                        // A regular expression of one space is not the default separator.
                        let source = if source == " " { "[ ]".to_owned() } else { source };
                        self.split_text(&text, &source)?
                    }
                    Some(_) => {
                        let separator = text_at(self, 2)?;
                        self.split_text(&text, &separator)?
                    }
                    None => {
                        let separator = self.var_text("FS");
                        self.split_text(&text, &separator)?
                    }
                };
                let count = parts.len();
                let map = parts
                    .into_iter()
                    .enumerate()
                    .map(|(i, p)| ((i + 1).to_string(), Value::Input(p)))
                    .collect();
                let array = self.array(array);
                self.arrays.insert(array, map);
                Value::Number(count as f64)
            }
            "sub" | "gsub" => {
                let Some(pattern) = args.first() else {
                    return self.fail(format!("{name}: no pattern"));
                };
                let regex = self.regex_of(pattern)?;
                let with: Vec<char> = text_at(self, 1)?.chars().collect();
                let whole = Expr::Field(Box::new(Expr::Number(0.0)));
                let target = args.get(2).unwrap_or(&whole);
                let value = self.eval(target)?;
                let text = self.text(&value);
                let mut count = 0;
                let out = regex.0.replace(&text, &mut |groups, out| {
                    count += 1;
                    let mut i = 0;
                    while let Some(c) = with.get(i) {
                        match (c, with.get(i + 1)) {
                            ('\\', Some(literal @ ('&' | '\\'))) => {
                                out.push(*literal);
                                i += 1;
                            }
                            ('&', _) => out.extend(groups.first().copied()),
                            (c, _) => out.push(*c),
                        }
                        i += 1;
                    }
                    name == "gsub"
                });
                if count > 0 {
                    self.assign(target, Value::Text(out))?;
                }
                Value::Number(f64::from(count))
            }
            "match" => {
                let text = text_at(self, 0)?;
                let Some(pattern) = args.get(1) else {
                    return self.fail("match: no pattern");
                };
                let regex = self.regex_of(pattern)?;
                let (start, length) = match regex.0.find_at(&text, 0) {
                    Some((a, b)) => (
                        text.get(..a).unwrap_or_default().chars().count() as f64 + 1.0,
                        text.get(a..b).unwrap_or_default().chars().count() as f64,
                    ),
                    None => (0.0, -1.0),
                };
                self.vars.insert("RSTART".to_owned(), Value::Number(start));
                self.vars.insert("RLENGTH".to_owned(), Value::Number(length));
                Value::Number(start)
            }
            "sprintf" => Value::Text(self.format(args)?),
            "toupper" => Value::Text(text_at(self, 0)?.upper()),
            "tolower" => Value::Text(text_at(self, 0)?.lower()),
            "int" => Value::Number(number_at(self, 0)?.trunc()),
            "sqrt" => Value::Number(number_at(self, 0)?.sqrt()),
            "exp" => Value::Number(math::exp(number_at(self, 0)?)),
            "log" => Value::Number(math::ln(number_at(self, 0)?)),
            "sin" => Value::Number(math::sin(number_at(self, 0)?)),
            "cos" => Value::Number(math::cos(number_at(self, 0)?)),
            "atan2" => Value::Number(math::atan2(number_at(self, 0)?, number_at(self, 1)?)),
            "rand" => Value::Number(self.c.sim.random_below(1 << 30) as f64 / f64::from(1 << 30)),
            "srand" => Value::Number(0.0),
            "systime" => Value::Number(self.c.sim.now().as_secs() as f64),
            "strftime" => {
                let format = text_at(self, 0)?;
                let when = match args.get(1) {
                    Some(_) => crate::sim::Time::from_secs(number_at(self, 1)?.max(0.0) as u64),
                    None => self.c.sim.now(),
                };
                Value::Text(super::super::date::strftime(&format, when))
            }
            "system" => {
                let command = text_at(self, 0)?;
                let code = self.ask(|| Question::Run(command, None))?.unwrap_or_default();
                Value::Number(leading_number(&code))
            }
            "close" => {
                let name = text_at(self, 0)?;
                let mut known = self.outputs.remove(&name).is_some();
                known |= self.readers.remove(&name).is_some();
                if let Some(text) = self.pipes.remove(&name) {
                    let code = self.ask(|| Question::Run(name, Some(text)))?.unwrap_or_default();
                    return Ok(Value::Number(leading_number(&code)));
                }
                Value::Number(if known { 0.0 } else { -1.0 })
            }
            _ => Value::Number(0.0),
        })
    }

    pub(super) fn format(&mut self, args: &[Expr]) -> Done<String> {
        let mut texts = Vec::new();
        for (i, expr) in args.iter().enumerate() {
            let value = self.eval(expr)?;
            // Numbers reach a conversion in full.
            texts.push(match value {
                Value::Number(n) if i > 0 => n.to_string(),
                value => self.text(&value),
            });
        }
        let Some((format, values)) = texts.split_first() else {
            return self.fail("no arguments in call to printf");
        };
        Ok(awk_format(format, values))
    }
}
