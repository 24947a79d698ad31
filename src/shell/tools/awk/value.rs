//! Values: numbers, texts, and texts of input that may be numbers.

use super::super::printf::leading_number;
use crate::value::float;

/// A value: a number, a text, or a text that came from input and counts as a number if it looks so.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Number(f64),
    Text(String),
    Input(String),
    Unset,
}

pub(super) fn looks_numeric(text: &str) -> bool {
    let t = text.trim();
    !t.is_empty() && float::parse(t).is_some() && t.ends_with(|c: char| c.is_ascii_digit() || c == '.')
}

fn number_text(n: f64, format: &str) -> String {
    if n.fract() == 0.0 && n.abs() < 1e16 {
        return format!("{}", n as i64);
    }
    let (bytes, _) = super::super::printf::format(format, &[n.to_string()], crate::sim::Time::default());
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Value {
    pub(super) fn number(&self) -> f64 {
        match self {
            Value::Number(n) => *n,
            Value::Text(t) | Value::Input(t) => leading_number(t),
            Value::Unset => 0.0,
        }
    }

    pub(super) fn text(&self, format: &str) -> String {
        match self {
            Value::Number(n) => number_text(*n, format),
            Value::Text(t) | Value::Input(t) => t.clone(),
            Value::Unset => String::new(),
        }
    }

    pub(super) fn truth(&self) -> bool {
        match self {
            Value::Number(n) => *n != 0.0,
            Value::Text(t) => !t.is_empty(),
            Value::Input(t) => {
                if looks_numeric(t) {
                    leading_number(t) != 0.0
                } else {
                    !t.is_empty()
                }
            }
            Value::Unset => false,
        }
    }

    pub(super) fn is_numeric(&self) -> bool {
        match self {
            Value::Number(_) | Value::Unset => true,
            Value::Input(t) => looks_numeric(t),
            Value::Text(_) => false,
        }
    }
}
