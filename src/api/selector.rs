//! Label and field selectors, in their text form and as `metav1.LabelSelector`.

use crate::flat::Arrange;
use crate::obj;
use crate::value::{Value, quoted};

/// A requirement on one label.
#[derive(Clone, Debug, PartialEq)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// How its value is compared.
    pub op: Op,
    /// What it is compared with; empty for `Exists` and `DoesNotExist`.
    pub values: Vec<String>,
}

/// How a label's value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    In,
    NotIn,
    Exists,
    DoesNotExist,
    GreaterThan,
    LessThan,
}

/// All of its requirements must hold; none at all selects everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selector {
    /// All of these must hold.
    pub requirements: Vec<Requirement>,
    /// Selects nothing, as a null `LabelSelector` does.
    pub nothing: bool,
}

impl Selector {
    /// The selector that every object matches.
    pub fn everything() -> Selector {
        Selector::default()
    }

    /// The selector that no object matches.
    pub fn nothing() -> Selector {
        Selector {
            nothing: true,
            ..Selector::default()
        }
    }

    /// Whether it has no terms, and so matches every object.
    pub fn is_everything(&self) -> bool {
        !self.nothing && self.requirements.is_empty()
    }

    /// A map of labels, as `Service.spec.selector`.
    pub fn from_map(map: &Value) -> Selector {
        let requirements = map
            .entries()
            .map(|(k, v)| Requirement {
                key: k.to_string(),
                op: Op::In,
                values: vec![v.str().to_owned()],
            })
            .collect();
        Selector {
            requirements,
            nothing: false,
        }
    }

    /// A `metav1.LabelSelector`. Null selects nothing, an empty one everything.
    pub fn from_label_selector(selector: &Value) -> Selector {
        if selector.is_null() {
            return Selector::nothing();
        }
        let mut result = Selector::from_map(selector.get("matchLabels"));
        for e in selector.get("matchExpressions").items() {
            let op = match e.str_at(&["operator"]) {
                "In" => Op::In,
                "NotIn" => Op::NotIn,
                "Exists" => Op::Exists,
                "DoesNotExist" => Op::DoesNotExist,
                _ => return Selector::nothing(),
            };
            result.requirements.push(Requirement {
                key: e.str_at(&["key"]).to_owned(),
                op,
                values: e.get("values").items().iter().map(|v| v.str().to_owned()).collect(),
            });
        }
        result
    }

    /// Whether a map of labels fits.
    pub fn matches(&self, labels: &Value) -> bool {
        !self.nothing && self.requirements.iter().all(|r| r.matches(labels.get(&r.key).as_str()))
    }

    /// Reads the text form: `a=b,c!=d,e in (f,g),h,!i`.
    ///
    /// # Errors
    /// The sentence of apimachinery's parser, as `unable to parse requirement: …` carries it.
    pub fn parse(text: &str) -> Result<Selector, String> {
        let requirements = Parser {
            tokens: lex(text),
            at: 0,
        }
        .requirements()?;
        Ok(Selector {
            requirements: requirements.into_iter().map(|(r, _)| r).collect(),
            nothing: false,
        })
    }

    /// Reads the text form as the `metav1.LabelSelector` that clients make of it: what is to be equal is in
    /// `matchLabels`, all else in `matchExpressions`; either may be left out.
    ///
    /// # Errors
    /// As [`Selector::parse`], and the operators that such selectors do not have.
    pub fn label_selector(text: &str) -> Result<Value, String> {
        let parsed = Parser {
            tokens: lex(text),
            at: 0,
        }
        .requirements()
        .map_err(|why| format!("couldn't parse the selector string \"{text}\": {why}"))?;
        let (mut selector, mut expressions) = (Value::map(), Vec::new());
        for (r, operator) in parsed {
            let op = match (r.op, operator) {
                (Op::In, Token::Equals | Token::DoubleEquals) => {
                    let value = r.values.first().map_or("", String::as_str);
                    selector.set(&["matchLabels", &r.key], value);
                    continue;
                }
                (_, Token::NotEquals) => return Err("\"!=\" is not a valid label selector operator".to_owned()),
                (Op::GreaterThan, _) => return Err("\"gt\" isn't supported in label selectors".to_owned()),
                (Op::LessThan, _) => return Err("\"lt\" isn't supported in label selectors".to_owned()),
                (Op::In, _) => "In",
                (Op::NotIn, _) => "NotIn",
                (Op::Exists, _) => "Exists",
                (Op::DoesNotExist, _) => "DoesNotExist",
            };
            let mut expression = obj! { "key": r.key, "operator": op };
            let mut values = r.values;
            values.arrange();
            expression.set_or_remove(&["values"], values.into_iter().map(Value::from).collect::<Value>());
            expressions.push(expression);
        }
        selector.set_or_remove(&["matchExpressions"], expressions);
        Ok(selector)
    }
}

impl Requirement {
    /// Whether the value of the key (`None` when there is no such key) fits.
    pub fn matches(&self, value: Option<&str>) -> bool {
        let number = |s: &str| s.parse::<i64>().ok();
        match (self.op, value) {
            (Op::In, Some(v)) => self.values.iter().any(|x| x == v),
            (Op::NotIn, Some(v)) => !self.values.iter().any(|x| x == v),
            (Op::Exists, v) => v.is_some(),
            (Op::DoesNotExist | Op::NotIn, None) => true,
            (Op::GreaterThan | Op::LessThan, Some(v)) => {
                match (number(v), self.values.first().and_then(|x| number(x))) {
                    (Some(a), Some(b)) => (self.op == Op::GreaterThan && a > b) || (self.op == Op::LessThan && a < b),
                    _ => false,
                }
            }
            _ => false,
        }
    }
}

/// The canonical text: keys in their order, values sorted.
impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, r) in self.requirements.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            let mut values = r.values.clone();
            values.arrange();
            let list = values.join(",");
            match (r.op, values.len()) {
                (Op::In, 1) => write!(f, "{}={list}", r.key)?,
                (Op::NotIn, 1) => write!(f, "{}!={list}", r.key)?,
                (Op::In, _) => write!(f, "{} in ({list})", r.key)?,
                (Op::NotIn, _) => write!(f, "{} notin ({list})", r.key)?,
                (Op::Exists, _) => write!(f, "{}", r.key)?,
                (Op::DoesNotExist, _) => write!(f, "!{}", r.key)?,
                (Op::GreaterThan, _) => write!(f, "{}>{list}", r.key)?,
                (Op::LessThan, _) => write!(f, "{}<{list}", r.key)?,
            }
        }
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Open,
    Close,
    Comma,
    Not,
    Equals,
    DoubleEquals,
    NotEquals,
    Greater,
    Less,
    End,
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Token::Word(w) => w,
            Token::Open => "(",
            Token::Close => ")",
            Token::Comma => ",",
            Token::Not => "!",
            Token::Equals => "=",
            Token::DoubleEquals => "==",
            Token::NotEquals => "!=",
            Token::Greater => ">",
            Token::Less => "<",
            Token::End => "",
        }
    }
}

fn lex(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        tokens.push(match c {
            ' ' | '\t' | '\r' | '\n' => continue,
            '(' => Token::Open,
            ')' => Token::Close,
            ',' => Token::Comma,
            '>' => Token::Greater,
            '<' => Token::Less,
            '!' if chars.next_if_eq(&'=').is_some() => Token::NotEquals,
            '!' => Token::Not,
            '=' if chars.next_if_eq(&'=').is_some() => Token::DoubleEquals,
            '=' => Token::Equals,
            c => {
                let mut word = c.to_string();
                while let Some(c) = chars.next_if(|c| !" \t\r\n(),><!=".contains(*c)) {
                    word.push(c);
                }
                Token::Word(word)
            }
        });
    }
    tokens.push(Token::End);
    tokens
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).unwrap_or(&Token::End)
    }

    fn take(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    /// The requirements by their keys, each with the operator as it was typed.
    fn requirements(mut self) -> Result<Vec<(Requirement, Token)>, String> {
        let mut requirements = Vec::new();
        if *self.peek() == Token::End {
            return Ok(requirements);
        }
        loop {
            match self.peek() {
                Token::Word(_) | Token::Not => {
                    let operator = self.tokens.get(self.at + 1).cloned().unwrap_or(Token::End);
                    let requirement = self.requirement();
                    let requirement = requirement.map_err(|why| format!("unable to parse requirement: {why}"))?;
                    requirements.push((requirement, operator));
                }
                Token::End => break,
                other => {
                    return Err(format!(
                        "found '{}', expected: !, identifier, or 'end of string'",
                        other.text()
                    ));
                }
            }
            match self.take() {
                Token::End => break,
                Token::Comma => {
                    if !matches!(self.peek(), Token::Word(_) | Token::Not) {
                        return Err(format!(
                            "found '{}', expected: identifier after ','",
                            self.peek().text()
                        ));
                    }
                }
                other => return Err(format!("found '{}', expected: ',' or 'end of string'", other.text())),
            }
        }
        requirements.arrange_by(|(a, _): &(Requirement, Token), (b, _)| a.key.cmp(&b.key));
        Ok(requirements)
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let not = *self.peek() == Token::Not;
        if not {
            self.take();
        }
        let Token::Word(key) = self.take() else {
            self.at -= 1;
            return Err(format!("found '{}', expected: identifier", self.peek().text()));
        };
        if let Err(why) = super::names::label_key(&key) {
            // A selector has no field of an object that it stands in, and Go prints that.
            return Err(format!("<nil>: Invalid value: {key}: {why}", key = quoted(&key)));
        }
        if not {
            return Ok(Requirement {
                key,
                op: Op::DoesNotExist,
                values: Vec::new(),
            });
        }
        let op = match self.peek() {
            Token::End | Token::Comma => {
                return Ok(Requirement {
                    key,
                    op: Op::Exists,
                    values: Vec::new(),
                });
            }
            Token::Equals | Token::DoubleEquals => Op::In,
            Token::NotEquals => Op::NotIn,
            Token::Greater => Op::GreaterThan,
            Token::Less => Op::LessThan,
            Token::Word(w) if w == "in" => {
                self.take();
                return Ok(Requirement {
                    key,
                    op: Op::In,
                    values: self.set()?,
                });
            }
            Token::Word(w) if w == "notin" => {
                self.take();
                return Ok(Requirement {
                    key,
                    op: Op::NotIn,
                    values: self.set()?,
                });
            }
            other => {
                return Err(format!(
                    "found '{}', expected: in, notin, =, ==, !=, gt, lt",
                    other.text()
                ));
            }
        };
        self.take();
        let value = match self.peek() {
            Token::Word(w) => {
                let w = w.clone();
                self.take();
                w
            }
            Token::End | Token::Comma => String::new(),
            other => return Err(format!("found '{}', expected: identifier", other.text())),
        };
        check_value(&key, &value)?;
        if matches!(op, Op::GreaterThan | Op::LessThan) && value.parse::<i64>().is_err() {
            return Err(format!(
                "values[0][{key}]: Invalid value: {value}: for 'Gt', 'Lt' operators, the value must be an integer",
                value = quoted(&value)
            ));
        }
        Ok(Requirement {
            key,
            op,
            values: vec![value],
        })
    }

    fn set(&mut self) -> Result<Vec<String>, String> {
        if self.take() != Token::Open {
            self.at -= 1;
            return Err(format!("found '{}' expected: '('", self.peek().text()));
        }
        let mut values = Vec::new();
        loop {
            match self.take() {
                Token::Word(w) => {
                    check_value("", &w)?;
                    values.push(w);
                    match self.take() {
                        Token::Comma => {}
                        Token::Close => return Ok(values),
                        other => return Err(format!("found '{}', expected: ',' or ')'", other.text())),
                    }
                }
                Token::Comma => values.push(String::new()),
                Token::Close if values.is_empty() => {
                    values.push(String::new());
                    return Ok(values);
                }
                Token::Close => return Ok(values),
                other => return Err(format!("found '{}', expected: ',', ')' or identifier", other.text())),
            }
        }
    }
}

fn check_value(key: &str, value: &str) -> Result<(), String> {
    super::names::label_value(value).map_err(|why| {
        format!(
            "values[0][{key}]: Invalid value: {value}: {why}",
            value = quoted(&value)
        )
    })
}

/// One term of a field selector.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldTerm {
    /// `status.phase`.
    pub field: String,
    /// What the field is compared with.
    pub value: String,
    /// Whether the field must have the value, or must not.
    pub equal: bool,
}

/// Reads a field selector: `spec.nodeName=x,status.phase!=Running`.
///
/// # Errors
/// `invalid selector: '…'; can't understand '…'`, as apimachinery says it.
pub fn parse_fields(text: &str) -> Result<Vec<FieldTerm>, String> {
    let mut terms = Vec::new();
    for part in text.split(',').filter(|p| !p.is_empty()) {
        let (field, value, equal) = if let Some((f, v)) = part.split_once("!=") {
            (f, v, false)
        } else if let Some((f, v)) = part.split_once("==") {
            (f, v, true)
        } else if let Some((f, v)) = part.split_once('=') {
            (f, v, true)
        } else {
            return Err(format!("invalid selector: '{text}'; can't understand '{part}'"));
        };
        terms.push(FieldTerm {
            field: field.to_owned(),
            value: value.to_owned(),
            equal,
        });
    }
    Ok(terms)
}

/// A `LabelSelector` as Go prints its struct.
pub fn go_text(selector: &Value) -> String {
    if selector.is_null() {
        return "nil".into();
    }
    let labels: String = selector
        .get("matchLabels")
        .entries()
        .map(|(key, value)| format!("{}: {},", &**key, value.str()))
        .collect();
    let expressions: String = selector
        .get("matchExpressions")
        .items()
        .iter()
        .map(|e| {
            let values: Vec<&str> = e.get("values").items().iter().map(Value::str).collect();
            format!(
                "LabelSelectorRequirement{{Key:{},Operator:{},Values:[{}],}},",
                e.get("key").str(),
                e.get("operator").str(),
                values.join(" ")
            )
        })
        .collect();
    format!(
        "&LabelSelector{{MatchLabels:map[string]string{{{labels}}},MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::obj;

    #[test]
    fn selectors() {
        let labels = obj! { "app": "web", "env": "prod", "n": "5" };
        for (text, fits) in [
            ("", true),
            ("app=web", true),
            ("app==web,env=prod", true),
            ("app!=web", false),
            ("tier!=x", true),
            ("app in (web, db)", true),
            ("app notin (web)", false),
            ("env", true),
            ("!env", false),
            ("!tier", true),
            ("n>3", true),
            ("n<3", false),
            ("app=", false),
        ] {
            assert_eq!(Selector::parse(text).unwrap().matches(&labels), fits, "{text}");
        }
        assert_eq!(Selector::parse("b in (y,x),a=1").unwrap().to_string(), "a=1,b in (x,y)");
        for bad in ["app=web=x", "app in web", ",", "a,,b", "app in (a", "-x=1"] {
            assert!(Selector::parse(bad).is_err(), "{bad}");
        }
        assert!(!Selector::from_label_selector(&Value::Null).matches(&labels));
        assert!(Selector::from_label_selector(&obj! {}).matches(&labels));
    }
}
