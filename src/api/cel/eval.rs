//! Runs CEL expressions.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::rc::Rc;

use super::check::is_type;
use super::formats::{self, Semver};
use super::parse::{Ast, Macro, Node};
use super::types::{field, metadata_schema, of_schema};
use super::value::{List, ListKind, Val, timestamp};
use crate::api::custom::openapi::pattern;
use crate::api::names::parse_cidr;
use crate::api::quantity::Quantity;
use crate::api::zone::Zone;
use crate::flat::{Arrange, FlatMap};
use crate::limits;
use crate::sim::{Time, civil_from_days};
use crate::value::{duration, float, gofmt, hex, quoted};

/// Why an expression could not be run to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

type Result<T> = std::result::Result<T, Failure>;

fn fail<T>(message: impl Into<String>) -> Result<T> {
    Err(Failure(message.into()))
}

fn no_overload<T>() -> Result<T> {
    fail("no such overload")
}

struct Run<'v> {
    variables: Vec<(String, Val)>,
    given: &'v FlatMap<&'v str, Val>,
    steps: usize,
}

/// Runs an expression with these variables.
pub(super) fn run(ast: &Ast, variables: &FlatMap<&str, Val>) -> Result<Val> {
    Run {
        variables: Vec::new(),
        given: variables,
        steps: 0,
    }
    .expr(ast)
}

impl Run<'_> {
    fn spend(&mut self, steps: usize) -> Result<()> {
        self.steps += steps + 1;
        if self.steps > limits::CEL_STEPS {
            return fail("operation cancelled: actual cost limit exceeded");
        }
        Ok(())
    }

    fn expr(&mut self, ast: &Ast) -> Result<Val> {
        self.spend(0)?;
        match &ast.node {
            Node::Null => Ok(Val::Null),
            Node::Bool(b) => Ok(Val::Bool(*b)),
            Node::Int(i) => Ok(Val::Int(*i)),
            Node::Uint(u) => Ok(Val::Uint(*u)),
            Node::Double(d) => Ok(Val::Double(*d)),
            Node::Str(s) => Ok(Val::Str(s.clone())),
            Node::Bytes(b) => Ok(Val::Bytes(b.clone())),
            Node::Ident(name) => {
                if let Some((_, value)) = self.variables.iter().rev().find(|(n, _)| n == name) {
                    return Ok(value.clone());
                }
                match self.given.get(name.as_str()) {
                    Some(value) => Ok(value.clone()),
                    None if is_type(name) => Ok(Val::Type(name.as_str().into())),
                    None => fail(format!("no such attribute(s): {name}")),
                }
            }
            Node::Select {
                operand,
                field,
                optional,
            } => {
                if let Node::Ident(name) = &operand.node
                    && let Some(value) = self.dotted(name, field)
                {
                    return Ok(value);
                }
                let operand = self.expr(operand)?;
                match operand {
                    Val::Optional(None) => Ok(Val::Optional(None)),
                    Val::Optional(Some(inner)) => Ok(Val::Optional(member(&inner, field)?.map(Rc::new))),
                    other if *optional => Ok(Val::Optional(member(&other, field)?.map(Rc::new))),
                    other => match member(&other, field)? {
                        Some(value) => Ok(value),
                        None => fail(format!("no such key: {field}")),
                    },
                }
            }
            Node::Has { operand, field } => {
                let operand = match self.expr(operand)? {
                    Val::Optional(None) => return Ok(Val::Bool(false)),
                    Val::Optional(Some(inner)) => inner.as_ref().clone(),
                    other => other,
                };
                Ok(Val::Bool(member(&operand, field)?.is_some()))
            }
            Node::List(items) => {
                let mut all = Vec::with_capacity(items.len());
                for item in items {
                    all.extend(self.entry(item)?);
                }
                Ok(Val::list(all))
            }
            Node::Map(entries) => {
                let mut all = Vec::with_capacity(entries.len());
                for (k, v) in entries {
                    let key = self.expr(k)?;
                    if let Some(value) = self.entry(v)? {
                        insert(&mut all, key, value)?;
                    }
                }
                Ok(Val::Map(Rc::new(all)))
            }
            Node::Maybe(inner) => self.expr(inner),
            Node::Struct { name, fields } => {
                let mut all = Vec::with_capacity(fields.len());
                for init in fields {
                    if let Some(value) = self.entry(&init.value)? {
                        all.push((init.field.as_str().into(), value));
                    }
                }
                Ok(Val::Message(name.as_str().into(), Rc::new(all)))
            }
            Node::Macro {
                kind,
                range,
                variable,
                second,
                filter,
                body,
            } => {
                let range = self.expr(range)?;
                if matches!(kind, Macro::Optional | Macro::FlatOptional) {
                    return self.run_optional(*kind, range, variable, body);
                }
                self.run_macro(*kind, range, variable, second.as_deref(), filter.as_deref(), body)
            }
            Node::Call { function, target, args } => self.call(function, target.as_deref(), args),
        }
    }

    /// A variable whose name has a point.
    fn dotted(&self, name: &str, field: &str) -> Option<Val> {
        let whole = |n: &str| n.strip_prefix(name).and_then(|n| n.strip_prefix('.')) == Some(field);
        let (_, value) = self.given.iter().find(|(n, _)| whole(n))?;
        Some(value.clone())
    }

    /// An item, a map's value or a field; `None` where it is optional and holds nothing.
    fn entry(&mut self, ast: &Ast) -> Result<Option<Val>> {
        let value = self.expr(ast)?;
        match (&ast.node, value) {
            (Node::Maybe(_), Val::Optional(inner)) => Ok(inner.map(|v| v.as_ref().clone())),
            (Node::Maybe(_), _) => no_overload(),
            (_, value) => Ok(Some(value)),
        }
    }

    fn run_optional(&mut self, kind: Macro, range: Val, variable: &str, body: &Ast) -> Result<Val> {
        let Val::Optional(inner) = range else {
            return no_overload();
        };
        let Some(inner) = inner else {
            return Ok(Val::Optional(None));
        };
        self.variables.push((variable.to_owned(), inner.as_ref().clone()));
        let result = self.expr(body);
        self.variables.pop();
        match (kind, result?) {
            (Macro::Optional, value) => Ok(Val::Optional(Some(Rc::new(value)))),
            (_, value @ Val::Optional(_)) => Ok(value),
            _ => no_overload(),
        }
    }

    fn run_macro(
        &mut self,
        kind: Macro,
        range: Val,
        variable: &str,
        second: Option<&str>,
        filter: Option<&Ast>,
        body: &Ast,
    ) -> Result<Val> {
        let items: Vec<(Val, Val)> = match &range {
            Val::List(list) if second.is_some() => {
                let all = list.items.iter().enumerate();
                all.map(|(i, v)| (Val::Int(i as i64), v.clone())).collect()
            }
            Val::List(list) => list.items.iter().map(|v| (v.clone(), Val::Null)).collect(),
            Val::Map(entries) => entries.iter().cloned().collect(),
            Val::Object(value, ..) => {
                let own = |k: &str| member(&range, k).ok().flatten().unwrap_or(Val::Null);
                let keys = value.entries().map(|(k, _)| k.as_str());
                keys.map(|k| (Val::Str(k.into()), own(k))).collect()
            }
            _ => return no_overload(),
        };
        let mut kept = Vec::new();
        let mut entries = Vec::new();
        let mut count = 0;
        // An error counts only where no other item decides.
        let mut failure: Option<Failure> = None;
        let depth = self.variables.len();
        for (first, other) in items {
            self.spend(1)?;
            self.variables.push((variable.to_owned(), first.clone()));
            if let Some(second) = second {
                self.variables.push((second.to_owned(), other));
            }
            let wanted = match filter {
                Some(filter) => self.expr(filter).and_then(|v| truth(&v)),
                None => Ok(true),
            };
            let result = match wanted {
                Ok(true) => Some(self.expr(body)),
                Ok(false) => None,
                Err(e) => Some(Err(e)),
            };
            self.variables.truncate(depth);
            let Some(result) = result else { continue };
            match kind {
                Macro::Map | Macro::List => {
                    kept.push(result?);
                    continue;
                }
                Macro::Values | Macro::SortBy => {
                    entries.push((first, result?));
                    continue;
                }
                Macro::Entries => {
                    let Val::Map(made) = result? else {
                        return no_overload();
                    };
                    for (key, value) in made.iter() {
                        insert(&mut entries, key.clone(), value.clone())?;
                    }
                    continue;
                }
                _ => {}
            }
            match result.and_then(|v| truth(&v)) {
                Ok(holds) => match kind {
                    Macro::All if !holds => return Ok(Val::Bool(false)),
                    Macro::Exists if holds => return Ok(Val::Bool(true)),
                    Macro::Filter if holds => kept.push(first),
                    Macro::ExistsOne if holds => count += 1,
                    _ => {}
                },
                Err(e) if matches!(kind, Macro::All | Macro::Exists) => failure = failure.or(Some(e)),
                Err(e) => return Err(e),
            }
        }
        if let Some(failure) = failure {
            return Err(failure);
        }
        Ok(match kind {
            Macro::All => Val::Bool(true),
            Macro::Exists => Val::Bool(false),
            Macro::ExistsOne => Val::Bool(count == 1),
            Macro::Values | Macro::Entries => Val::Map(Rc::new(entries)),
            Macro::SortBy => {
                entries.arrange_by(|(_, a), (_, b)| a.compare(b).unwrap_or(Ordering::Equal));
                Val::list(entries.into_iter().map(|(item, _)| item).collect())
            }
            _ => Val::list(kept),
        })
    }

    fn call(&mut self, function: &str, target: Option<&Ast>, args: &[Ast]) -> Result<Val> {
        match (function, args) {
            ("_&&_" | "_||_", parts) => {
                // An error counts only where no other part decides.
                let decides = function == "_||_";
                let mut failure = None;
                for part in parts {
                    match self.expr(part).and_then(|v| truth(&v)) {
                        Ok(holds) if holds == decides => return Ok(Val::Bool(decides)),
                        Ok(_) => {}
                        Err(e) => failure = failure.or(Some(e)),
                    }
                }
                return match failure {
                    Some(failure) => Err(failure),
                    None => Ok(Val::Bool(!decides)),
                };
            }
            ("_?_:_", [condition, yes, no]) => {
                let condition = self.expr(condition)?;
                return self.expr(if truth(&condition)? { yes } else { no });
            }
            _ => {}
        }
        let mut values = Vec::with_capacity(args.len() + 1);
        let mut name = function.to_owned();
        if let Some(target) = target {
            match &target.node {
                Node::Ident(space)
                    if !self.given.contains_key(space.as_str()) && !self.variables.iter().any(|(n, _)| n == space) =>
                {
                    name = format!("{space}.{function}");
                }
                _ => {
                    values.push(self.expr(target)?);
                    name = format!(".{function}");
                }
            }
        }
        for arg in args {
            values.push(self.expr(arg)?);
        }
        let size = values.iter().map(size_of).max().unwrap_or(0);
        self.spend(size / 10)?;
        let result = apply(&name, &values)?;
        if size_of(&result) > limits::CEL_STEPS {
            return fail("operation cancelled: actual cost limit exceeded");
        }
        Ok(result)
    }
}

fn size_of(value: &Val) -> usize {
    match value {
        Val::Str(s) => s.len(),
        Val::Bytes(b) => b.len(),
        Val::List(l) => l.items.len(),
        Val::Map(m) => m.len(),
        _ => 1,
    }
}

/// Puts an entry into a map that an expression makes.
fn insert(entries: &mut Vec<(Val, Val)>, key: Val, value: Val) -> Result<()> {
    if entries.iter().any(|(k, _)| k.equal(&key)) {
        return fail(format!(
            "insert failed: key {} already exists",
            key.text().unwrap_or_default()
        ));
    }
    entries.push((key, value));
    Ok(())
}

fn truth(value: &Val) -> Result<bool> {
    match value {
        Val::Bool(b) => Ok(*b),
        _ => no_overload(),
    }
}

/// A field of an object or a key of a map; `None` where it is absent.
fn member(value: &Val, name: &str) -> Result<Option<Val>> {
    match value {
        Val::Map(entries) => Ok(entries
            .iter()
            .find(|(k, _)| matches!(k, Val::Str(s) if &**s == name))
            .map(|(_, v)| v.clone())),
        Val::Message(_, fields) => Ok(fields.iter().find(|(k, _)| **k == *name).map(|(_, v)| v.clone())),
        Val::Object(value, schema, whole) => {
            if *whole && matches!(name, "apiVersion" | "kind") {
                return Ok(value.get(name).as_str().map(|s| Val::Str(s.into())));
            }
            if *whole && name == "metadata" {
                return Ok(value
                    .has(name)
                    .then(|| Val::Object(value.get(name).clone(), metadata_schema(), false)));
            }
            let Some((key, property)) = field(schema, name) else {
                return fail(format!("no such key: {name}"));
            };
            if of_schema(property, false).is_none() || !value.has(key) {
                return Ok(None);
            }
            Ok(Some(Val::of(value.get(key), property, false)))
        }
        _ => no_overload(),
    }
}

fn overflow<T>() -> Result<T> {
    fail("integer overflow")
}

fn arithmetic(name: &str, a: &Val, b: &Val) -> Result<Val> {
    let int = |n: Option<i64>| n.map_or_else(overflow, |n| Ok(Val::Int(n)));
    let uint = |n: Option<u64>| n.map_or_else(|| fail("unsigned integer overflow"), |n| Ok(Val::Uint(n)));
    let zero = || {
        fail(if name == "_/_" {
            "division by zero"
        } else {
            "modulus by zero"
        })
    };
    match (name, a, b) {
        ("_/_" | "_%_", _, Val::Int(0)) | ("_/_" | "_%_", _, Val::Uint(0)) => zero(),
        ("_+_", Val::Int(a), Val::Int(b)) => int(a.checked_add(*b)),
        ("_-_", Val::Int(a), Val::Int(b)) => int(a.checked_sub(*b)),
        ("_*_", Val::Int(a), Val::Int(b)) => int(a.checked_mul(*b)),
        ("_/_", Val::Int(a), Val::Int(b)) => int(a.checked_div(*b)),
        ("_%_", Val::Int(a), Val::Int(b)) => int(a.checked_rem(*b)),
        ("_+_", Val::Uint(a), Val::Uint(b)) => uint(a.checked_add(*b)),
        ("_-_", Val::Uint(a), Val::Uint(b)) => uint(a.checked_sub(*b)),
        ("_*_", Val::Uint(a), Val::Uint(b)) => uint(a.checked_mul(*b)),
        ("_/_", Val::Uint(a), Val::Uint(b)) => uint(a.checked_div(*b)),
        ("_%_", Val::Uint(a), Val::Uint(b)) => uint(a.checked_rem(*b)),
        ("_+_", Val::Double(a), Val::Double(b)) => Ok(Val::Double(a + b)),
        ("_-_", Val::Double(a), Val::Double(b)) => Ok(Val::Double(a - b)),
        ("_*_", Val::Double(a), Val::Double(b)) => Ok(Val::Double(a * b)),
        ("_/_", Val::Double(a), Val::Double(b)) => Ok(Val::Double(a / b)),
        ("_+_", Val::Str(a), Val::Str(b)) => Ok(Val::Str(format!("{a}{b}").into())),
        ("_+_", Val::Bytes(a), Val::Bytes(b)) => Ok(Val::Bytes([&**a, &**b].concat().into())),
        ("_+_", Val::List(a), Val::List(b)) => Ok(sum(a, b)),
        ("_+_", Val::Timestamp(a), Val::Duration(b)) | ("_+_", Val::Duration(b), Val::Timestamp(a)) => {
            Ok(Val::Timestamp(a + b))
        }
        ("_+_", Val::Duration(a), Val::Duration(b)) => Ok(Val::Duration(a + b)),
        ("_-_", Val::Timestamp(a), Val::Timestamp(b)) => Ok(Val::Duration(a - b)),
        ("_-_", Val::Timestamp(a), Val::Duration(b)) => Ok(Val::Timestamp(a - b)),
        ("_-_", Val::Duration(a), Val::Duration(b)) => Ok(Val::Duration(a - b)),
        _ => no_overload(),
    }
}

/// `a + b` of lists: sets keep one of each, maps take what `b` has of a key.
fn sum(a: &List, b: &List) -> Val {
    let mut items = a.items.clone();
    match &a.kind {
        ListKind::Atomic => items.extend(b.items.iter().cloned()),
        ListKind::Set => {
            for item in &b.items {
                if !items.iter().any(|i| i.equal(item)) {
                    items.push(item.clone());
                }
            }
        }
        ListKind::Map(keys) => {
            let same = |x: &Val, y: &Val| match (x, y) {
                (Val::Object(x, ..), Val::Object(y, ..)) => keys.iter().all(|k| x.get(k) == y.get(k)),
                _ => false,
            };
            for item in &b.items {
                match items.iter_mut().find(|i| same(i, item)) {
                    Some(place) => *place = item.clone(),
                    None => items.push(item.clone()),
                }
            }
        }
    }
    Val::List(Rc::new(List {
        items,
        kind: a.kind.clone(),
    }))
}

fn text(value: impl Into<Rc<str>>) -> Val {
    Val::Str(value.into())
}

/// The place of `c` characters in a text, in bytes.
fn byte_of(s: &str, c: usize) -> usize {
    s.char_indices().nth(c).map_or(s.len(), |(i, _)| i)
}

fn find(s: &str, part: &str, from: usize) -> Val {
    let start = byte_of(s, from);
    let found = s.get(start..).and_then(|rest| rest.find(part));
    Val::Int(found.map_or(-1, |i| s.get(..start + i).map_or(0, |b| b.chars().count() as i64)))
}

/// Seconds east of UTC of a zone, by its name or as `+02:00`.
fn offset(zone: &str, nanos: i128) -> Result<i64> {
    let Some((hours, minutes)) = zone.split_once(':') else {
        let at = u64::try_from(nanos.div_euclid(1_000_000_000)).unwrap_or(0);
        let zone = Zone::load(zone).map_err(Failure)?;
        return Ok(zone.offset(Time::from_secs(at)));
    };
    let number = |s: &str| {
        let bad = || Failure(format!("strconv.Atoi: parsing {}: invalid syntax", gofmt::quote(s)));
        s.parse::<i32>().map_err(|_| bad())
    };
    let (h, m) = (i64::from(number(hours)?), i64::from(number(minutes)?));
    Ok(if zone.starts_with('-') {
        h * 3600 - m * 60
    } else {
        h * 3600 + m * 60
    })
}

fn clock(name: &str, nanos: i128) -> Option<i64> {
    let days = nanos.div_euclid(86_400_000_000_000) as i64;
    let (year, month, day) = civil_from_days(days);
    let (month, day) = (i64::from(month), i64::from(day));
    let in_day = nanos.rem_euclid(86_400_000_000_000);
    Some(match name {
        ".getFullYear" => year,
        ".getMonth" => month - 1,
        ".getDayOfMonth" => day - 1,
        ".getDate" => day,
        ".getDayOfWeek" => (days + 4).rem_euclid(7),
        ".getDayOfYear" => {
            let leap = i64::from((year % 4 == 0 && year % 100 != 0) || year % 400 == 0);
            let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
            let month = usize::try_from(month - 1).unwrap_or(0);
            before.get(month).copied().unwrap_or(0) + day - 1 + if month > 1 { leap } else { 0 }
        }
        ".getHours" => (in_day / 3_600_000_000_000) as i64,
        ".getMinutes" => (in_day / 60_000_000_000 % 60) as i64,
        ".getSeconds" => (in_day / 1_000_000_000 % 60) as i64,
        ".getMilliseconds" => (in_day / 1_000_000 % 1_000) as i64,
        _ => return None,
    })
}

/// An address as a number, with as many bits as its kind has.
fn bits_of(ip: IpAddr) -> (u128, u32) {
    match ip {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)), 32),
        IpAddr::V6(v6) => (u128::from(v6), 128),
    }
}

fn masked(ip: IpAddr, bits: u8) -> u128 {
    let (n, width) = bits_of(ip);
    let shift = width.saturating_sub(u32::from(bits));
    if shift >= 128 { 0 } else { n >> shift << shift }
}

fn contains(net: (IpAddr, u8), ip: IpAddr) -> bool {
    net.0.is_ipv4() == ip.is_ipv4() && masked(net.0, net.1) == masked(ip, net.1)
}

/// The parts of a URL: scheme, host with port, path.
pub(super) fn url_parts(url: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (scheme, rest),
        None if url.starts_with('/') => ("", url),
        None => return None,
    };
    if url.contains(char::is_whitespace) {
        return None;
    }
    let rest = rest.split(['?', '#']).next().unwrap_or("");
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    Some((scheme, host.rsplit('@').next().unwrap_or(host), path))
}

fn link_local(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// `net/url`'s `Query`: the values of each name.
fn query(url: &str) -> Val {
    let whole = url.split('#').next().unwrap_or("");
    let asked = whole.split_once('?').map_or("", |(_, q)| q);
    let mut all: Vec<(Val, Vec<Val>)> = Vec::new();
    for part in asked.split('&').filter(|p| !p.is_empty() && !p.contains(';')) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let (Some(name), Some(value)) = (unescape(name), unescape(value)) else {
            continue;
        };
        let (name, value) = (text(name), text(value));
        match all.iter_mut().find(|(n, _)| n.equal(&name)) {
            Some((_, values)) => values.push(value),
            None => all.push((name, vec![value])),
        }
    }
    Val::Map(Rc::new(all.into_iter().map(|(n, v)| (n, Val::list(v))).collect()))
}

/// `url.QueryUnescape`; `None` for what it refuses.
fn unescape(s: &str) -> Option<String> {
    let mut out = Vec::new();
    let mut bytes = s.bytes();
    while let Some(b) = bytes.next() {
        out.push(match b {
            b'+' => b' ',
            b'%' => {
                let hex = [bytes.next()?, bytes.next()?];
                u8::from_str_radix(std::str::from_utf8(&hex).ok()?, 16).ok()?
            }
            b => b,
        });
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}

fn semver(values: &[Val]) -> std::result::Result<Semver, String> {
    match values {
        [Val::Str(s), Val::Bool(true)] => Semver::normalized(s),
        [Val::Str(s), ..] => Semver::parse(s),
        _ => Err("no such overload".into()),
    }
}

fn semver_method(name: &str, version: &Semver, rest: &[Val]) -> Result<Val> {
    let [major, minor, patch] = version.numbers;
    let number = |n: u64| Val::Int(i64::try_from(n).unwrap_or(i64::MAX));
    Ok(match (name, rest) {
        (".major", []) => number(major),
        (".minor", []) => number(minor),
        (".patch", []) => number(patch),
        (".isGreaterThan", [Val::Semver(other)]) => Val::Bool(version.compare(other) == Ordering::Greater),
        (".isLessThan", [Val::Semver(other)]) => Val::Bool(version.compare(other) == Ordering::Less),
        (".compareTo", [Val::Semver(other)]) => Val::Int(version.compare(other) as i64),
        _ => return no_overload(),
    })
}

fn apply(name: &str, values: &[Val]) -> Result<Val> {
    let yes = |b: bool| Ok(Val::Bool(b));
    match (name, values) {
        ("!_", [Val::Bool(b)]) => yes(!b),
        ("-_", [Val::Int(i)]) => i.checked_neg().map_or_else(overflow, |n| Ok(Val::Int(n))),
        ("-_", [Val::Double(d)]) => Ok(Val::Double(-d)),
        ("_==_", [a, b]) => yes(a.equal(b)),
        ("_!=_", [a, b]) => yes(!a.equal(b)),
        ("_<_" | "_<=_" | "_>_" | "_>=_", [a, b]) => match a.compare(b) {
            None => no_overload(),
            Some(order) => yes(match name {
                "_<_" => order == Ordering::Less,
                "_<=_" => order != Ordering::Greater,
                "_>_" => order == Ordering::Greater,
                _ => order != Ordering::Less,
            }),
        },
        ("_+_" | "_-_" | "_*_" | "_/_" | "_%_", [a, b]) => arithmetic(name, a, b),
        ("_[_]", [container, index]) => match index_of(container, index)? {
            Some(value) => Ok(value),
            None => match (container, index) {
                (Val::List(_), _) => fail(format!("index out of bounds: {}", index.text().unwrap_or_default())),
                _ => fail(format!("no such key: {}", index.text().unwrap_or_default())),
            },
        },
        ("_[?_]", [container, index]) => Ok(Val::Optional(index_of(container, index)?.map(Rc::new))),
        ("@in", [item, Val::List(list)]) => yes(list.items.iter().any(|i| i.equal(item))),
        ("@in", [key, Val::Map(map)]) => yes(map.iter().any(|(k, _)| k.equal(key))),
        ("@in", [Val::Str(key), Val::Object(value, ..)]) => yes(value.has(key)),
        ("size" | ".size", [value]) => Ok(Val::Int(match value {
            Val::Str(s) => s.chars().count(),
            Val::Bytes(b) => b.len(),
            Val::List(l) => l.items.len(),
            Val::Map(m) => m.len(),
            _ => return no_overload(),
        } as i64)),
        ("type", [value]) => Ok(Val::Type(value.type_name().into())),
        ("dyn", [value]) => Ok(value.clone()),
        ("int" | "uint" | "double" | "string" | "bytes" | "bool" | "timestamp" | "duration", [value]) => {
            convert(name, value)
        }
        ("matches" | ".matches", [Val::Str(s), Val::Str(p)]) => match pattern(p) {
            Ok(regex) => yes(regex.is_match(s)),
            Err(why) => fail(why),
        },
        (_, [Val::Str(s), rest @ ..]) if name.starts_with('.') => string_method(name, s, rest),
        ("strings.quote", [Val::Str(s)]) => Ok(text(gofmt::quote(s))),
        (_, [Val::List(list), rest @ ..]) if name.starts_with('.') && name != ".unwrapOpt" => {
            list_method(name, list, rest)
        }
        ("lists.range", [Val::Int(n)]) => {
            if usize::try_from(*n).is_ok_and(|n| n > limits::CEL_STEPS) {
                return fail("operation cancelled: actual cost limit exceeded");
            }
            Ok(Val::list((0..*n).map(Val::Int).collect()))
        }
        (_, [Val::Timestamp(t)]) if name.starts_with(".get") => {
            clock(name, *t).map_or_else(no_overload, |n| Ok(Val::Int(n)))
        }
        (_, [Val::Timestamp(t), Val::Str(zone)]) if name.starts_with(".get") => {
            let local = *t + i128::from(offset(zone, *t)?) * 1_000_000_000;
            clock(name, local).map_or_else(no_overload, |n| Ok(Val::Int(n)))
        }
        (".getHours", [Val::Duration(d)]) => Ok(Val::Int((d / 3_600_000_000_000) as i64)),
        (".getMinutes", [Val::Duration(d)]) => Ok(Val::Int((d / 60_000_000_000) as i64)),
        (".getSeconds", [Val::Duration(d)]) => Ok(Val::Int((d / 1_000_000_000) as i64)),
        (".getMilliseconds", [Val::Duration(d)]) => Ok(Val::Int((d / 1_000_000 % 1_000) as i64)),
        ("quantity", [Val::Str(s)]) => match Quantity::parse(s) {
            Ok(q) => Ok(Val::Quantity(q)),
            Err(why) => fail(why),
        },
        ("sign", [Val::Quantity(q)]) => Ok(Val::Int(q.cmp(&Quantity::ZERO) as i64)),
        ("isQuantity", [Val::Str(s)]) => yes(Quantity::parse(s).is_ok()),
        (_, [Val::Quantity(q), rest @ ..]) => quantity_method(name, *q, rest),
        ("ip", [Val::Str(s)]) => match s.parse() {
            Ok(ip) => Ok(Val::Ip(ip)),
            Err(_) => fail(format!(
                "IP Address {s} parse error during conversion from string: ParseAddr({s}): unable to parse IP",
                s = quoted(&s)
            )),
        },
        ("isIP", [Val::Str(s)]) => yes(s.parse::<IpAddr>().is_ok()),
        (".family", [Val::Ip(ip)]) => Ok(Val::Int(if ip.is_ipv4() { 4 } else { 6 })),
        (".isLoopback", [Val::Ip(ip)]) => yes(ip.is_loopback()),
        (".isUnspecified", [Val::Ip(ip)]) => yes(ip.is_unspecified()),
        (".isLinkLocalMulticast", [Val::Ip(ip)]) => yes(match ip {
            IpAddr::V4(v4) => matches!(v4.octets(), [224, 0, 0, _]),
            IpAddr::V6(v6) => v6.segments().first().is_some_and(|s| s & 0xff0f == 0xff02),
        }),
        (".isLinkLocalUnicast", [Val::Ip(ip)]) => yes(link_local(ip)),
        (".isGlobalUnicast", [Val::Ip(ip)]) => {
            let broadcast = *ip == IpAddr::V4(std::net::Ipv4Addr::BROADCAST);
            yes(!broadcast && !ip.is_unspecified() && !ip.is_loopback() && !ip.is_multicast() && !link_local(ip))
        }
        ("ip.isCanonical", [Val::Str(s)]) => match s.parse::<IpAddr>() {
            Ok(ip) => yes(ip.to_string() == **s),
            Err(_) => apply("ip", values),
        },
        ("cidr", [Val::Str(s)]) => match parse_cidr(s) {
            Some((ip, bits)) => Ok(Val::Cidr(ip, bits)),
            None => fail(format!(
                "network address parse error during conversion from string: netip.ParsePrefix({s}): no '/'",
                s = quoted(&s)
            )),
        },
        ("isCIDR", [Val::Str(s)]) => yes(parse_cidr(s).is_some()),
        (".containsIP", [Val::Cidr(net, bits), other]) => match other {
            Val::Ip(ip) => yes(contains((*net, *bits), *ip)),
            Val::Str(s) => yes(s.parse().is_ok_and(|ip| contains((*net, *bits), ip))),
            _ => no_overload(),
        },
        (".containsCIDR", [Val::Cidr(net, bits), other]) => {
            let inner = match other {
                Val::Cidr(ip, bits) => Some((*ip, *bits)),
                Val::Str(s) => parse_cidr(s),
                _ => None,
            };
            yes(inner.is_some_and(|(ip, n)| n >= *bits && contains((*net, *bits), ip)))
        }
        (".prefixLength", [Val::Cidr(_, bits)]) => Ok(Val::Int(i64::from(*bits))),
        (".ip", [Val::Cidr(ip, _)]) => Ok(Val::Ip(*ip)),
        (".masked", [Val::Cidr(ip, bits)]) => {
            let n = masked(*ip, *bits);
            let ip = if ip.is_ipv4() {
                IpAddr::V4((n as u32).into())
            } else {
                IpAddr::V6(n.into())
            };
            Ok(Val::Cidr(ip, *bits))
        }
        ("url", [Val::Str(s)]) => match url_parts(s) {
            Some(_) => Ok(Val::Url(s.clone())),
            None => fail(format!(
                "URL parse error during conversion from string: parse {s}: invalid URI for request",
                s = quoted(&s)
            )),
        },
        ("isURL", [Val::Str(s)]) => yes(url_parts(s).is_some()),
        (".getQuery", [Val::Url(url)]) => Ok(query(url)),
        (_, [Val::Url(url)]) => {
            let (scheme, host, path) = url_parts(url).unwrap_or_default();
            let port = host
                .rsplit_once(':')
                .filter(|(h, _)| !h.contains(':') || h.ends_with(']'));
            Ok(text(match name {
                ".getScheme" => scheme,
                ".getHost" => host,
                ".getHostname" => port.map_or(host, |(h, _)| h).trim_matches(['[', ']']),
                ".getPort" => port.map_or("", |(_, p)| p),
                ".getEscapedPath" => path,
                _ => return no_overload(),
            }))
        }
        ("sets.contains", [Val::List(a), Val::List(b)]) => {
            yes(b.items.iter().all(|x| a.items.iter().any(|y| x.equal(y))))
        }
        ("sets.equivalent", [Val::List(a), Val::List(b)]) => {
            let all = |a: &List, b: &List| b.items.iter().all(|x| a.items.iter().any(|y| x.equal(y)));
            yes(all(a, b) && all(b, a))
        }
        ("sets.intersects", [Val::List(a), Val::List(b)]) => {
            yes(b.items.iter().any(|x| a.items.iter().any(|y| x.equal(y))))
        }
        ("semver", values) => match semver(values) {
            Ok(version) => Ok(Val::Semver(Rc::new(version))),
            Err(why) => fail(why),
        },
        ("isSemver", values) => yes(semver(values).is_ok()),
        (_, [Val::Semver(version), rest @ ..]) => semver_method(name, version, rest),
        ("format.named", [Val::Str(s)]) => {
            let found = formats::named(s).map(|f| Rc::new(Val::Format(f)));
            Ok(Val::Optional(found))
        }
        (".validate", [Val::Format(format), Val::Str(s)]) => {
            let broken: Vec<Val> = format.broken(s).into_iter().map(text).collect();
            Ok(Val::Optional((!broken.is_empty()).then(|| Rc::new(Val::list(broken)))))
        }
        (_, []) if name.starts_with("format.") => {
            let found = name.strip_prefix("format.").and_then(formats::named);
            found.map_or_else(no_overload, |f| Ok(Val::Format(f)))
        }
        (_, [Val::Check(check), rest @ ..]) => check.call(name, rest)?.map_or_else(no_overload, Ok),
        (_, [Val::Decision(decision)]) => decision.call(name).map_or_else(no_overload, Ok),
        ("jsonpatch.escapeKey", [Val::Str(s)]) => Ok(text(s.replace('~', "~0").replace('/', "~1"))),
        ("optional.unwrap" | ".unwrapOpt", [Val::List(list)]) => {
            let mut all = Vec::new();
            for item in &list.items {
                match item {
                    Val::Optional(inner) => all.extend(inner.as_deref().cloned()),
                    _ => return no_overload(),
                }
            }
            Ok(Val::list(all))
        }
        ("optional.of", [value]) => Ok(Val::Optional(Some(Rc::new(value.clone())))),
        ("optional.ofNonZeroValue", [value]) => {
            let zero = match value {
                Val::Null | Val::Bool(false) | Val::Int(0) | Val::Uint(0) => true,
                Val::Double(d) => *d == 0.0,
                Val::Object(value, ..) => value.is_empty(),
                other => size_of(other) == 0,
            };
            Ok(Val::Optional((!zero).then(|| Rc::new(value.clone()))))
        }
        ("optional.none", []) => Ok(Val::Optional(None)),
        (".hasValue", [Val::Optional(value)]) => yes(value.is_some()),
        (".value", [Val::Optional(value)]) => match value {
            Some(value) => Ok(value.as_ref().clone()),
            None => fail("optional.none() dereference"),
        },
        (".orValue", [Val::Optional(value), other]) => {
            Ok(value.as_ref().map_or_else(|| other.clone(), |v| v.as_ref().clone()))
        }
        (".or", [Val::Optional(value), other]) => Ok(if value.is_some() {
            Val::Optional(value.clone())
        } else {
            other.clone()
        }),
        _ => no_overload(),
    }
}

fn index_of(container: &Val, index: &Val) -> Result<Option<Val>> {
    let whole = match index {
        Val::Int(i) => usize::try_from(*i).ok(),
        Val::Uint(u) => usize::try_from(*u).ok(),
        Val::Double(d) if d.fract() == 0.0 && *d >= 0.0 => Some(*d as usize),
        _ => None,
    };
    match (container, index) {
        (Val::Optional(None), _) => Ok(None),
        (Val::Optional(Some(inner)), _) => index_of(inner, index),
        (Val::List(list), Val::Int(_) | Val::Uint(_) | Val::Double(_)) => {
            Ok(whole.and_then(|i| list.items.get(i).cloned()))
        }
        (Val::Map(map), _) => Ok(map.iter().find(|(k, _)| k.equal(index)).map(|(_, v)| v.clone())),
        (Val::Object(..), Val::Str(name)) => member(container, name),
        _ => no_overload(),
    }
}

fn convert(name: &str, value: &Val) -> Result<Val> {
    let bad = |value: &Val, to: &str| fail(format!("type conversion error from '{}' to '{to}'", value.type_name()));
    match (name, value) {
        ("int", Val::Int(_))
        | ("uint", Val::Uint(_))
        | ("double", Val::Double(_))
        | ("bytes", Val::Bytes(_))
        | ("bool", Val::Bool(_))
        | ("timestamp", Val::Timestamp(_))
        | ("duration", Val::Duration(_)) => Ok(value.clone()),
        ("int", Val::Uint(u)) => i64::try_from(*u).map_or_else(|_| overflow(), |n| Ok(Val::Int(n))),
        ("int", Val::Double(d)) if d.abs() < 9.223_372_036_854_775e18 => Ok(Val::Int(*d as i64)),
        ("int", Val::Double(_)) => overflow(),
        ("int", Val::Str(s)) => match s.parse() {
            Ok(n) => Ok(Val::Int(n)),
            Err(_) => fail(format!("strconv.ParseInt: parsing {}: invalid syntax", gofmt::quote(s))),
        },
        ("int", Val::Timestamp(t)) => Ok(Val::Int(t.div_euclid(1_000_000_000) as i64)),
        ("int", Val::Duration(d)) => Ok(Val::Int(*d as i64)),
        ("uint", Val::Int(i)) => {
            u64::try_from(*i).map_or_else(|_| fail("unsigned integer overflow"), |n| Ok(Val::Uint(n)))
        }
        ("uint", Val::Double(d)) if (0.0..1.844_674_407_370_955e19).contains(d) => Ok(Val::Uint(*d as u64)),
        ("uint", Val::Double(_)) => fail("unsigned integer overflow"),
        ("uint", Val::Str(s)) => match s.parse() {
            Ok(n) => Ok(Val::Uint(n)),
            Err(_) => fail(format!(
                "strconv.ParseUint: parsing {}: invalid syntax",
                gofmt::quote(s)
            )),
        },
        ("double", Val::Int(i)) => Ok(Val::Double(*i as f64)),
        ("double", Val::Uint(u)) => Ok(Val::Double(*u as f64)),
        ("double", Val::Str(s)) => match float::parse(s) {
            Some(n) => Ok(Val::Double(n)),
            None => fail(format!(
                "strconv.ParseFloat: parsing {}: invalid syntax",
                gofmt::quote(s)
            )),
        },
        ("string", value) => match value.text() {
            Some(s) => Ok(text(s)),
            None => bad(value, "string"),
        },
        ("bytes", Val::Str(s)) => Ok(Val::Bytes(s.as_bytes().into())),
        ("bool", Val::Str(s)) => match gofmt::parse_bool(s) {
            Some(b) => Ok(Val::Bool(b)),
            None => bad(value, "bool"),
        },
        ("timestamp", Val::Str(s)) => timestamp(s).map_or_else(
            || fail(format!("parsing time {}: cannot parse", gofmt::quote(s))),
            |t| Ok(Val::Timestamp(t)),
        ),
        ("timestamp", Val::Int(i)) => Ok(Val::Timestamp(i128::from(*i) * 1_000_000_000)),
        ("duration", Val::Str(s)) => match duration::parse(s) {
            Ok(nanos) => Ok(Val::Duration(nanos.into())),
            Err(why) => fail(why),
        },
        ("duration", Val::Int(i)) => Ok(Val::Duration(i128::from(*i))),
        (to, value) => bad(value, to),
    }
}

fn string_method(name: &str, s: &Rc<str>, rest: &[Val]) -> Result<Val> {
    let length = s.chars().count();
    let place = |n: i64| match usize::try_from(n) {
        Ok(i) if i <= length => Ok(i),
        _ => fail(format!("index out of range: {n}")),
    };
    Ok(match (name, rest) {
        (".contains", [Val::Str(p)]) => Val::Bool(s.contains(&**p)),
        (".startsWith", [Val::Str(p)]) => Val::Bool(s.starts_with(&**p)),
        (".endsWith", [Val::Str(p)]) => Val::Bool(s.ends_with(&**p)),
        (".charAt", [Val::Int(i)]) => {
            let i = place(*i)?;
            text(s.chars().nth(i).map(String::from).unwrap_or_default())
        }
        (".indexOf", [Val::Str(p)]) => find(s, p, 0),
        (".indexOf", [Val::Str(p), Val::Int(from)]) => find(s, p, place(*from)?),
        (".lastIndexOf", [Val::Str(p)]) => {
            let found = s.rfind(&**p);
            Val::Int(found.map_or(-1, |i| s.get(..i).map_or(0, |b| b.chars().count() as i64)))
        }
        (".lastIndexOf", [Val::Str(p), Val::Int(to)]) => {
            let end = (byte_of(s, place(*to)?) + p.len()).min(s.len());
            let found = s.get(..end).and_then(|head| head.rfind(&**p));
            Val::Int(found.map_or(-1, |i| s.get(..i).map_or(0, |b| b.chars().count() as i64)))
        }
        (".lowerAscii", []) => text(s.to_ascii_lowercase()),
        (".upperAscii", []) => text(s.to_ascii_uppercase()),
        (".replace", [Val::Str(a), Val::Str(b)]) => {
            if a.is_empty() || s.len() / a.len().max(1) * b.len() <= limits::CEL_STEPS {
                text(s.replace(&**a, b))
            } else {
                return fail("operation cancelled: actual cost limit exceeded");
            }
        }
        (".replace", [Val::Str(a), Val::Str(b), Val::Int(n)]) => match usize::try_from(*n) {
            Ok(n) => text(s.replacen(&**a, b, n)),
            Err(_) => text(s.replace(&**a, b)),
        },
        (".split", [Val::Str(p)]) => Val::list(split(s, p)),
        (".split", [Val::Str(p), Val::Int(n)]) => match usize::try_from(*n) {
            Ok(0) => Val::list(Vec::new()),
            Ok(n) => Val::list(s.splitn(n, &**p).map(text).collect()),
            Err(_) => Val::list(split(s, p)),
        },
        (".substring", [Val::Int(from)]) => {
            let from = place(*from)?;
            text(s.get(byte_of(s, from)..).unwrap_or(""))
        }
        (".substring", [Val::Int(from), Val::Int(to)]) => {
            let (a, b) = (place(*from)?, place(*to)?);
            if a > b {
                return fail(format!("invalid substring range. start: {a}, end: {b}"));
            }
            text(s.get(byte_of(s, a)..byte_of(s, b)).unwrap_or(""))
        }
        (".trim", []) => text(s.trim()),
        (".find", [Val::Str(p)]) => match pattern(p) {
            Ok(regex) => text(regex.find(s).map_or("", |m| m.as_str())),
            Err(why) => return fail(why),
        },
        (".findAll", [Val::Str(p), limit @ ..]) => {
            let most = match limit {
                [Val::Int(n)] => usize::try_from(*n).unwrap_or(usize::MAX),
                _ => usize::MAX,
            };
            match pattern(p) {
                Ok(regex) => Val::list(regex.find_iter(s).take(most).map(|m| text(m.as_str())).collect()),
                Err(why) => return fail(why),
            }
        }
        (".format", [Val::List(args)]) => text(format(s, &args.items)?),
        _ => return no_overload(),
    })
}

/// Go's `strings.Split`: an empty separator gives the characters.
fn split(s: &str, separator: &str) -> Vec<Val> {
    if separator.is_empty() {
        return s.chars().map(|c| text(c.to_string())).collect();
    }
    s.split(separator).map(text).collect()
}

/// `string.format`: `%s`, `%d`, `%f`, `%e`, `%x`, `%X`, `%o`, `%b`.
fn format(template: &str, args: &[Val]) -> Result<String> {
    let mut out = String::new();
    let mut args = args.iter();
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut precision = String::new();
        if chars.peek() == Some(&'.') {
            chars.next();
            while let Some(d) = chars.peek().copied().filter(char::is_ascii_digit) {
                precision.push(d);
                chars.next();
            }
        }
        let verb = chars.next().unwrap_or('%');
        if verb == '%' {
            out.push('%');
            continue;
        }
        let Some(arg) = args.next() else {
            return fail("index out of range");
        };
        let places = precision.parse().unwrap_or(6usize).min(100);
        let shown = match (verb, arg) {
            ('s', value) => display(value, 0),
            ('d', Val::Int(_) | Val::Uint(_)) => arg.text(),
            ('f', Val::Double(d)) => Some(format!("{d:.places$}")),
            ('e', Val::Double(d)) => Some(gofmt::float(*d, 'e')),
            ('x', Val::Int(i)) => Some(format!("{i:x}")),
            ('X', Val::Int(i)) => Some(format!("{i:X}")),
            ('x', Val::Str(s)) => Some(hex::lower(s.as_bytes())),
            ('o', Val::Int(i)) => Some(format!("{i:o}")),
            ('b', Val::Int(i)) => Some(format!("{i:b}")),
            _ => None,
        };
        match shown {
            Some(shown) => out.push_str(&shown),
            None => {
                return fail(format!(
                    "could not parse formatting clause: unrecognized formatting clause: {verb}"
                ));
            }
        }
        if out.len() > limits::CEL_STEPS {
            return fail("operation cancelled: actual cost limit exceeded");
        }
    }
    Ok(out)
}

/// A value as `%s` shows it.
fn display(value: &Val, depth: usize) -> Option<String> {
    if depth > limits::CEL_DEPTH {
        return None;
    }
    Some(match value {
        Val::Null => "null".into(),
        Val::List(list) => {
            let all: Option<Vec<String>> = list.items.iter().map(|v| display(v, depth + 1)).collect();
            format!("[{}]", all?.join(", "))
        }
        Val::Map(map) => {
            let mut all: Vec<String> = Vec::new();
            for (k, v) in map.iter() {
                all.push(format!("{}: {}", display(k, depth + 1)?, display(v, depth + 1)?));
            }
            all.arrange();
            format!("{{{}}}", all.join(", "))
        }
        Val::Object(value, ..) => value.to_json(),
        other => other.text()?,
    })
}

fn list_method(name: &str, list: &List, rest: &[Val]) -> Result<Val> {
    let items = &list.items;
    let position = |found: Option<usize>| Val::Int(found.map_or(-1, |i| i as i64));
    let extreme = |wanted: Ordering| -> Result<Val> {
        let mut best: Option<&Val> = None;
        for item in items {
            match best.map(|b| item.compare(b)) {
                None => best = Some(item),
                Some(Some(order)) if order == wanted => best = Some(item),
                Some(Some(_)) => {}
                Some(None) => return no_overload(),
            }
        }
        best.cloned().map_or_else(|| fail("min/max called on empty list"), Ok)
    };
    Ok(match (name, rest) {
        (".join", []) => text(join(items, "")?),
        (".join", [Val::Str(separator)]) => text(join(items, separator)?),
        (".indexOf", [value]) => position(items.iter().position(|i| i.equal(value))),
        (".lastIndexOf", [value]) => position(items.iter().rposition(|i| i.equal(value))),
        (".isSorted", []) => Val::Bool(
            items
                .windows(2)
                .all(|w| matches!(w, [a, b] if a.compare(b).is_some_and(|o| o != Ordering::Greater))),
        ),
        (".sum", []) => {
            let mut total: Option<Val> = None;
            for item in items {
                total = Some(match total {
                    None => item.clone(),
                    Some(total) => arithmetic("_+_", &total, item)?,
                });
            }
            total.unwrap_or(Val::Int(0))
        }
        (".min", []) => extreme(Ordering::Less)?,
        (".max", []) => extreme(Ordering::Greater)?,
        (".slice", [Val::Int(a), Val::Int(b)]) => {
            match usize::try_from(*a)
                .ok()
                .zip(usize::try_from(*b).ok())
                .and_then(|(a, b)| items.get(a..b))
            {
                Some(part) => Val::list(part.to_vec()),
                None => return fail(format!("cannot slice({a}, {b}), invalid range")),
            }
        }
        (".distinct", []) => {
            let mut kept: Vec<Val> = Vec::new();
            for item in items {
                if !kept.iter().any(|k| k.equal(item)) {
                    kept.push(item.clone());
                }
            }
            Val::list(kept)
        }
        (".sort", []) => {
            let mut sorted = items.clone();
            sorted.arrange_by(|a, b| a.compare(b).unwrap_or(Ordering::Equal));
            Val::list(sorted)
        }
        (".reverse", []) => Val::list(items.iter().rev().cloned().collect()),
        (".flatten", []) => Val::list(flatten(items, 1)),
        (".flatten", [Val::Int(depth)]) => match usize::try_from(*depth) {
            Ok(depth) => Val::list(flatten(items, depth)),
            Err(_) => return fail("level must be non-negative"),
        },
        (".first", []) => Val::Optional(items.first().cloned().map(Rc::new)),
        (".last", []) => Val::Optional(items.last().cloned().map(Rc::new)),
        _ => return no_overload(),
    })
}

/// A list's items, with those of lists in it down to a depth.
fn flatten(items: &[Val], depth: usize) -> Vec<Val> {
    let mut flat = Vec::new();
    for item in items {
        match item {
            Val::List(inner) if depth > 0 => flat.extend(flatten(&inner.items, depth - 1)),
            other => flat.push(other.clone()),
        }
    }
    flat
}

fn join(items: &[Val], separator: &str) -> Result<String> {
    let mut out = String::new();
    for (i, item) in items.iter().enumerate() {
        let Val::Str(s) = item else { return no_overload() };
        if i > 0 {
            out.push_str(separator);
        }
        out.push_str(s);
        if out.len() > limits::CEL_STEPS {
            return fail("operation cancelled: actual cost limit exceeded");
        }
    }
    Ok(out)
}

fn quantity_method(name: &str, q: Quantity, rest: &[Val]) -> Result<Val> {
    let other = match rest {
        [Val::Quantity(other)] => *other,
        [Val::Int(n)] => Quantity::whole(*n, q.format),
        _ => Quantity::ZERO,
    };
    let whole = || Quantity::whole(q.value(), q.format) == q;
    Ok(match (name, rest) {
        (".isGreaterThan", [_]) => Val::Bool(q > other),
        (".isLessThan", [_]) => Val::Bool(q < other),
        (".compareTo", [_]) => Val::Int(q.cmp(&other) as i64),
        (".add", [_]) => Val::Quantity(q.plus(other)),
        (".sub", [_]) => Val::Quantity(q.minus(other)),
        (".isInteger", []) => Val::Bool(whole()),
        (".asInteger", []) if whole() => Val::Int(q.value()),
        (".asInteger", []) => return fail("cannot convert value to integer"),
        (".asApproximateFloat", []) => Val::Double(q.as_f64()),
        _ => return no_overload(),
    })
}
