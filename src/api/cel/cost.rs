//! What an expression costs at most, estimated when it is made: cel-go's model of costs with the estimates that the
//! API server adds for its own functions. Only the upper bound is kept, which is what the limits look at.

use super::parse::{Ast, Macro, Node};
use super::types::{Type, field, metadata_schema, of_schema};
use crate::flat::FlatMap;
use crate::limits;
use crate::value::Value;

/// What is charged for reading each character of a text (`StringTraversalCostFactor`), and for each character of a
/// regular expression (`RegexStringLengthCostFactor`).
const TEXT: f64 = 0.1;
const REGEX: f64 = 0.25;
/// What making a list, a map and an object costs.
const LIST: u64 = 10;
const MAP: u64 = 30;
const STRUCT: u64 = 40;

/// How many items, entries or characters a value has.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Size {
    min: u64,
    max: u64,
}

impl Size {
    const UNKNOWN: Size = Size { min: 0, max: u64::MAX };

    fn exactly(n: u64) -> Size {
        Size { min: n, max: n }
    }

    fn plus(self, other: Size) -> Size {
        Size {
            min: self.min.saturating_add(other.min),
            max: self.max.saturating_add(other.max),
        }
    }

    fn times(self, other: Size) -> Size {
        Size {
            min: self.min.saturating_mul(other.min),
            max: self.max.saturating_mul(other.max),
        }
    }

    fn or(self, other: Size) -> Size {
        Size {
            min: self.min.min(other.min),
            max: self.max.max(other.max),
        }
    }

    /// The cost of going through it.
    fn by(self, factor: f64) -> u64 {
        scaled(self.max, factor)
    }
}

/// A product, rounded up.
fn scaled(n: u64, factor: f64) -> u64 {
    // `as` stops at the largest number.
    (n as f64 * factor).ceil() as u64
}

/// The part of the schema that a value comes from.
#[derive(Clone)]
enum Place {
    /// The flag as in [`Type::Object`].
    Schema(Value, bool),
    /// A map's key.
    Key,
}

impl Place {
    fn child(&self, name: &str) -> Option<Place> {
        let Place::Schema(schema, whole) = self else {
            return None;
        };
        if *whole && matches!(name, "apiVersion" | "kind") {
            return Some(Place::Schema(crate::obj! { "type": "string" }, false));
        }
        if *whole && name == "metadata" {
            return Some(Place::Schema(metadata_schema(), false));
        }
        let (_, property) = field(schema, name)?;
        Some(Place::Schema(property.clone(), false))
    }

    fn items(&self) -> Option<Place> {
        match self {
            Place::Schema(schema, _) if schema.get("type").str() == "array" => {
                Some(Place::Schema(schema.get("items").clone(), false))
            }
            Place::Schema(schema, _) if schema.get("additionalProperties").as_map().is_some() => {
                Some(Place::Schema(schema.get("additionalProperties").clone(), false))
            }
            _ => None,
        }
    }

    fn size(&self) -> Size {
        Size {
            min: 0,
            max: match self {
                Place::Schema(schema, _) => most_elements(schema),
                Place::Key => 0,
            },
        }
    }
}

fn limit(schema: &Value, field: &str) -> Option<u64> {
    schema.get(field).as_i64().map(|n| u64::try_from(n).unwrap_or(0))
}

/// `DeclType.MaxElements`: how many elements a request has place for, where the schema sets no limit.
fn most_elements(schema: &Value) -> u64 {
    let request = limits::REQUEST_BYTES as u64;
    if schema.bool_at(&["x-kubernetes-int-or-string"]) {
        return limit(schema, "maxLength").map_or(request - 2, |n| n.saturating_mul(4));
    }
    match schema.get("type").str() {
        "array" => limit(schema, "maxItems")
            .unwrap_or_else(|| (request - 2) / (least_bytes(schema.get("items")).saturating_add(1))),
        "object" if schema.get("additionalProperties").as_map().is_some() => limit(schema, "maxProperties")
            .unwrap_or_else(|| (request - 2) / (least_bytes(schema.get("additionalProperties")).saturating_add(6))),
        "string" => match schema.get("format").str() {
            "byte" => limit(schema, "maxLength").unwrap_or(request - 2),
            "duration" | "date-time" => 32,
            "date" => 12,
            _ => match (limit(schema, "maxLength"), schema.get("enum").items()) {
                (Some(n), _) => n.saturating_mul(4),
                (None, []) => request - 2,
                (None, values) => values.iter().map(|v| v.str().len() as u64).max().unwrap_or(0),
            },
        },
        _ => 0,
    }
}

/// `DeclType.MinSerializedSize`: the bytes of JSON that a value has at least.
fn least_bytes(schema: &Value) -> u64 {
    if schema.bool_at(&["x-kubernetes-int-or-string"]) {
        return 1;
    }
    match schema.get("type").str() {
        "object" if schema.get("additionalProperties").as_map().is_none() => {
            let required = schema.get("required").items();
            let counted = schema.get("properties").entries().filter(|(name, property)| {
                required.iter().any(|r| r.str() == name.as_str())
                    && property.get("default").is_null()
                    && of_schema(property, false).is_some()
            });
            let parts = counted.map(|(name, property)| name.as_str().len() as u64 + least_bytes(property) + 4);
            2 + parts.sum::<u64>()
        }
        "string" => match schema.get("format").str() {
            "duration" => 3,
            "date" => 12,
            "date-time" => 21,
            _ => 2,
        },
        "boolean" => 4,
        "number" | "integer" => 1,
        _ => 2,
    }
}

/// How often a rule can run for one object at most, where nothing limits the lists and maps that it is in.
pub fn most_often(schema: &Value) -> u64 {
    limits::REQUEST_BYTES as u64 / (least_bytes(schema) + 1)
}

/// An estimated expression.
#[derive(Clone)]
struct Part {
    cost: u64,
    t: Type,
    size: Option<Size>,
    /// The sizes of a list's items, or of a map's keys and values.
    entry: Option<(Size, Size)>,
    place: Option<Place>,
}

impl Part {
    fn new(cost: u64, t: Type) -> Part {
        Part {
            cost,
            t,
            size: None,
            entry: None,
            place: None,
        }
    }

    /// What is known of its size.
    fn known(&self) -> Option<Size> {
        self.size
            .or_else(|| self.place.as_ref().map(Place::size))
            .or_else(|| scalar(&self.t).then(|| Size::exactly(1)))
    }

    fn size(&self) -> Size {
        self.known().unwrap_or(Size::UNKNOWN)
    }
}

fn scalar(t: &Type) -> bool {
    match t {
        Type::Bool | Type::Int | Type::Uint | Type::Double | Type::Timestamp | Type::Duration => true,
        Type::Optional(inner) => scalar(inner),
        _ => false,
    }
}

struct Coster<'a> {
    /// The types of all nodes, in the order in which they are checked.
    types: std::slice::Iter<'a, Type>,
    root: Place,
    variables: Vec<(&'a str, Part)>,
}

/// Estimates an expression over `self`, whose schema this is. `types` are those of its nodes, as they were checked.
pub(super) fn estimate(ast: &Ast, types: &[Type], schema: &Value, whole: bool) -> u64 {
    let mut coster = Coster {
        types: types.iter(),
        root: Place::Schema(schema.clone(), whole),
        variables: Vec::new(),
    };
    coster.part(ast).cost
}

/// The functions that the server estimates itself; all its others cost one unit.
fn own(function: &str, target: Option<&Part>, args: &[Part]) -> Option<(u64, Option<Size>)> {
    let first = args.first();
    let both = |t: &Type| matches!(t, Type::Str | Type::Dyn | Type::Open);
    Some(match (function, target, first) {
        ("isSorted" | "sum" | "max" | "min" | "indexOf" | "lastIndexOf", Some(target), _) => {
            let Type::List(item) = &target.t else {
                return Some((target.size().by(TEXT), None));
            };
            let each = match &**item {
                Type::Str | Type::Bytes => {
                    let size = target.place.as_ref().and_then(Place::items);
                    size.map_or(Size::UNKNOWN, |p| p.size()).by(TEXT).saturating_add(1)
                }
                _ => 1,
            };
            (target.size().max.saturating_mul(each), None)
        }
        ("url" | "jsonpatch.escapeKey", None, Some(a)) => (a.size().by(TEXT), Some(a.size())),
        ("lowerAscii" | "upperAscii" | "substring" | "trim", Some(t), _) => (t.size().by(TEXT), Some(t.size())),
        ("replace", Some(t), Some(old)) => {
            let (size, old) = (t.size(), old.size());
            let new = args.get(1).map_or(Size::UNKNOWN, Part::size);
            let (count, kept) = if old.min == 0 {
                (size.max.saturating_add(1), size.max)
            } else if new.max <= old.min {
                (0, size.max)
            } else {
                (size.max.div_ceil(old.min), 0)
            };
            let max = count.saturating_mul(new.max).saturating_add(kept);
            (size.by(2.0 * TEXT), Some(Size { min: 0, max }))
        }
        ("split", Some(t), _) => (t.size().by(2.0 * TEXT), Some(Size { min: 0, ..t.size() })),
        ("join", Some(t), _) => {
            let list = t.size();
            let item = t.place.as_ref().and_then(Place::items);
            let mut size = list.times(item.map_or(Size::UNKNOWN, |p| p.size()));
            if let Some(separator) = first {
                let between = Size {
                    min: list.min.saturating_sub(1),
                    max: list.max.saturating_sub(1),
                };
                size = size.plus(separator.size().times(between));
            }
            (size.by(TEXT), Some(size))
        }
        ("find" | "findAll", Some(t), Some(regex)) => {
            let text = t.size().plus(Size::exactly(1)).by(TEXT);
            let cost = text.saturating_mul(regex.size().by(REGEX));
            (cost, Some(Size { min: 0, ..t.size() }))
        }
        ("cidr" | "isIP" | "isCIDR" | "ip" | "quantity" | "isQuantity" | "semver" | "isSemver", None, Some(a)) => {
            (a.size().by(TEXT), None)
        }
        ("ip.isCanonical", None, Some(a)) => (a.size().by(2.0 * TEXT), None),
        // Of an address 16 bytes are compared at most.
        ("containsIP", Some(_), Some(a)) => {
            let parse = if both(&a.t) { a.size().by(TEXT) } else { 0 };
            (4u64.saturating_add(parse), None)
        }
        ("containsCIDR", Some(_), Some(a)) => {
            let parse = if both(&a.t) { a.size().by(TEXT) } else { 0 };
            (7u64.saturating_add(parse), None)
        }
        // A format is taken to be a regular expression of 128 characters.
        ("validate", Some(_), Some(a)) => (scaled(a.size().by(TEXT), 128.0 * REGEX), None),
        ("check", Some(_), _) => (350_000, None),
        _ => return None,
    })
}

/// The functions of the language itself.
fn standard(function: &str, target: Option<&Part>, args: &[Part]) -> (u64, Option<Size>) {
    let is = |part: &Part, t: &Type| part.t == *t || matches!(part.t, Type::Dyn | Type::Open);
    match (function, target, args) {
        ("format", Some(t), _) => (t.size().by(TEXT), None),
        ("bytes", None, [a]) if is(a, &Type::Str) => {
            let size = a.size();
            let max = size.max.saturating_mul(4);
            (size.by(TEXT), Some(Size { min: size.min, max }))
        }
        ("string", None, [a]) if is(a, &Type::Bytes) => {
            let size = a.size();
            let min = size.min / 4;
            (size.by(TEXT), Some(Size { min, max: size.max }))
        }
        ("strings.quote", None, [a]) => {
            let size = a.size();
            let max = size.max.saturating_mul(2).saturating_add(2);
            (size.by(TEXT), {
                let min = size.min.saturating_add(2);
                Some(Size { min, max })
            })
        }
        ("startsWith" | "endsWith", Some(_), [a]) => (a.size().by(TEXT), None),
        ("@in", None, [_, list]) if matches!(list.t, Type::List(_) | Type::Dyn | Type::Open) => (list.size().max, None),
        ("matches", Some(t), [regex]) => {
            let text = t.size().plus(Size::exactly(1)).by(TEXT);
            (text.saturating_mul(regex.size().by(REGEX)), None)
        }
        ("contains", Some(t), [part]) => (t.size().by(TEXT).saturating_mul(part.size().by(TEXT)), None),
        ("_+_", None, [a, b]) => {
            let size = a.size().plus(b.size());
            let texts = (is(a, &Type::Str) && is(b, &Type::Str)) || (is(a, &Type::Bytes) && is(b, &Type::Bytes));
            let list = |p: &Part| matches!(p.t, Type::List(_) | Type::Dyn | Type::Open);
            match (texts, list(a) && list(b)) {
                (true, _) => (size.by(TEXT), Some(size)),
                (_, true) => (1, Some(size)),
                _ => (1, None),
            }
        }
        ("_<_" | "_<=_" | "_>_" | "_>=_", None, [a, b]) => {
            let text = |t: &Type| is(a, t) && is(b, t);
            if text(&Type::Str) || text(&Type::Bytes) {
                (scaled(a.size().max.min(b.size().max), TEXT), None)
            } else {
                (1, None)
            }
        }
        ("_==_" | "_!=_", None, [a, b]) => {
            let single = |t: &Type| matches!(t, Type::Quantity | Type::Ip | Type::Cidr | Type::Named(_));
            if function == "_==_" && single(&a.t) && a.t == b.t {
                return (1, None);
            }
            (scaled(a.size().max.min(b.size().max), TEXT), None)
        }
        _ => (1, None),
    }
}

impl<'a> Coster<'a> {
    /// The type of the node whose parts were looked at.
    fn t(&mut self) -> Type {
        self.types.next().cloned().unwrap_or(Type::Dyn)
    }

    fn part(&mut self, ast: &'a Ast) -> Part {
        match &ast.node {
            Node::Null | Node::Bool(_) | Node::Int(_) | Node::Uint(_) | Node::Double(_) => {
                let mut part = Part::new(0, self.t());
                part.size = Some(Size::exactly(1));
                part
            }
            Node::Str(s) => {
                let mut part = Part::new(0, self.t());
                part.size = Some(Size::exactly(s.chars().count() as u64));
                part
            }
            Node::Bytes(b) => {
                let mut part = Part::new(0, self.t());
                part.size = Some(Size::exactly(b.len() as u64));
                part
            }
            Node::Ident(name) => {
                let t = self.t();
                if let Some((_, variable)) = self.variables.iter().rev().find(|(n, _)| n == name) {
                    return Part {
                        cost: 1,
                        t,
                        ..variable.clone()
                    };
                }
                let mut part = Part::new(1, t);
                part.place = Some(self.root.clone());
                part
            }
            Node::Select {
                operand,
                field,
                optional,
            } => {
                let operand = self.part(operand);
                let t = self.t();
                if *optional || matches!(operand.t, Type::Optional(_)) {
                    return Part::new(operand.cost.saturating_add(1), t);
                }
                let fields = matches!(
                    operand.t,
                    Type::Map(..) | Type::Object(..) | Type::Api(_) | Type::Fields(..) | Type::Message(_) | Type::Open
                );
                let mut part = Part::new(operand.cost.saturating_add(u64::from(fields)), t);
                part.place = operand.place.as_ref().and_then(|p| p.child(field));
                part
            }
            // To ask for presence costs nothing (`PresenceTestHasCost`).
            Node::Has { operand, .. } => {
                let operand = self.part(operand);
                Part::new(operand.cost, self.t())
            }
            Node::Maybe(inner) => {
                let inner = self.part(inner);
                Part::new(inner.cost, self.t())
            }
            Node::List(items) => {
                let parts: Vec<Part> = items.iter().map(|i| self.part(i)).collect();
                let cost = parts.iter().fold(LIST, |sum, p| sum.saturating_add(p.cost));
                let mut part = Part::new(cost, self.t());
                part.size = Some(Size::exactly(items.len() as u64));
                let sizes = parts.iter().map(Part::size);
                part.entry = Some((Size::exactly(1), sizes.reduce(Size::or).unwrap_or(Size::exactly(0))));
                part
            }
            Node::Map(entries) => {
                // Keys are checked before values.
                let keys: Vec<Part> = entries.iter().map(|(k, _)| self.part(k)).collect();
                let values: Vec<Part> = entries.iter().map(|(_, v)| self.part(v)).collect();
                let all = keys.iter().chain(&values);
                let cost = all.fold(MAP, |sum, p| sum.saturating_add(p.cost));
                let mut part = Part::new(cost, self.t());
                part.size = Some(Size::exactly(entries.len() as u64));
                let union = |parts: &[Part]| {
                    let sizes = parts.iter().map(Part::size);
                    sizes.reduce(Size::or).unwrap_or(Size::exactly(0))
                };
                part.entry = Some((union(&keys), union(&values)));
                part
            }
            Node::Struct { fields, .. } => {
                let mut cost = STRUCT;
                for init in fields {
                    cost = cost.saturating_add(self.part(&init.value).cost);
                }
                Part::new(cost, self.t())
            }
            Node::Macro {
                kind,
                range,
                variable,
                second,
                filter,
                body,
            } => {
                let range = self.part(range);
                self.run(*kind, range, variable, second.as_deref(), filter.as_deref(), body)
            }
            Node::Call { function, target, args } => self.call(function, target.as_deref(), args),
        }
    }

    fn call(&mut self, function: &str, target: Option<&'a Ast>, args: &'a [Ast]) -> Part {
        let space = match target.map(|t| &t.node) {
            Some(Node::Ident(name))
                if super::check::is_space(name) && !self.variables.iter().any(|(n, _)| n == name) =>
            {
                Some(name)
            }
            _ => None,
        };
        let target = match space {
            Some(_) => None,
            None => target.map(|t| self.part(t)),
        };
        let parts: Vec<Part> = args.iter().map(|a| self.part(a)).collect();
        let mut part = Part::new(0, self.t());
        let sum = |parts: &[Part]| parts.iter().fold(0u64, |sum, p| sum.saturating_add(p.cost));
        let before = target.as_ref().map_or(0, |t| t.cost);
        let name = space.map_or(function.to_owned(), |s| format!("{s}.{function}"));
        match (name.as_str(), parts.as_slice()) {
            ("dyn", [inner]) => {
                return Part {
                    cost: inner.cost.saturating_add(1),
                    t: part.t,
                    ..inner.clone()
                };
            }
            ("_&&_" | "_||_", all) => part.cost = sum(all),
            ("_?_:_", [condition, yes, no]) => {
                part.cost = condition.cost.saturating_add(yes.cost.max(no.cost));
                part.size = Some(yes.size().or(no.size()));
                part.entry = yes.entry.zip(no.entry).map(|(a, b)| (a.0.or(b.0), a.1.or(b.1)));
            }
            ("_[_]", [container, _]) => {
                part.cost = sum(&parts).saturating_add(1);
                part.size = container.entry.map(|(_, value)| value);
                part.place = container.place.as_ref().and_then(Place::items);
            }
            (name, all) => {
                let (cost, size) =
                    own(name, target.as_ref(), all).unwrap_or_else(|| standard(name, target.as_ref(), all));
                part.cost = before.saturating_add(sum(all)).saturating_add(cost);
                part.size = size;
                if let ("_+_", [a, b]) = (name, all) {
                    part.entry = a.entry.zip(b.entry).map(|(a, b)| (a.0.or(b.0), a.1.or(b.1)));
                }
            }
        }
        part
    }

    fn run(
        &mut self,
        kind: Macro,
        range: Part,
        variable: &'a str,
        second: Option<&'a str>,
        filter: Option<&'a Ast>,
        body: &'a Ast,
    ) -> Part {
        if matches!(kind, Macro::Optional | Macro::FlatOptional) {
            self.variables.push((variable, Part::new(1, Type::Dyn)));
            let body = self.part(body);
            self.variables.pop();
            // `has ? of(bind(value, body)) : none`
            let of = u64::from(kind == Macro::Optional);
            let made = body.cost.saturating_add(range.cost).saturating_add(LIST + 1 + of);
            return Part::new(range.cost.saturating_add(made).saturating_add(1), self.t());
        }
        let list = !matches!(range.t, Type::Map(..));
        let mut key = Part::new(1, Type::Dyn);
        let mut item = Part::new(1, Type::Dyn);
        item.place = range.place.as_ref().and_then(Place::items);
        item.size = range.entry.map(|(_, value)| value);
        if list {
            key.size = range.entry.map(|(key, _)| key);
        } else {
            key.place = range.place.as_ref().map(|_| Place::Key);
            key.size = range.entry.map(|(key, _)| key);
        }
        let before = self.variables.len();
        match second {
            Some(second) => {
                self.variables.push((variable, key));
                self.variables.push((second, item.clone()));
            }
            None => self.variables.push((variable, if list { item.clone() } else { key })),
        }
        let filter = filter.map(|f| self.part(f).cost);
        let body = self.part(body);
        self.variables.truncate(before);
        let t = self.t();
        let predicate = body.cost;
        // What an item that is kept costs, over the sum that is gathered: `accu + [item]`.
        let kept = |item: u64| item.saturating_add(LIST + 2);
        let (start, each, end) = match kind {
            Macro::All => (0, predicate.saturating_add(3), 1),
            Macro::Exists => (0, predicate.saturating_add(4), 1),
            Macro::ExistsOne => (0, predicate.saturating_add(2), 2),
            Macro::Filter => (LIST, predicate.saturating_add(kept(1)), 1),
            Macro::Values => (MAP, predicate.saturating_add(3), 1),
            Macro::Entries => (MAP, predicate.saturating_add(2), 1),
            _ => (LIST, kept(predicate), 1),
        };
        let each = each.saturating_add(filter.unwrap_or(0));
        let count = range.size();
        let loops = count.max.saturating_mul(each);
        let cost = range.cost.saturating_add(start + end).saturating_add(loops);
        let mut part = Part::new(cost, t);
        match kind {
            Macro::All | Macro::Exists | Macro::ExistsOne => part.size = Some(Size::exactly(1)),
            Macro::Filter => {
                part.size = Some(count);
                part.entry = Some((Size::exactly(1), item.size().or(Size::exactly(0))));
            }
            Macro::Map | Macro::List | Macro::SortBy => {
                part.size = Some(count);
                part.entry = Some((Size::exactly(1), body.size().or(Size::exactly(0))));
            }
            _ => part.size = Some(count),
        }
        part
    }
}

/// Limits of the rules of one definition: how often each can run, and what they cost together.
#[derive(Debug, Default)]
pub struct Budget {
    total: u64,
    /// The most expensive rules, by their paths.
    dearest: FlatMap<(u64, usize), String>,
}

/// `StaticEstimatedCostLimit` and `StaticEstimatedCRDCostLimit`.
const PER_RULE: u64 = 10_000_000;
const TOTAL: u64 = 100_000_000;

impl Budget {
    /// Counts an expression; the sentence about one that alone is too expensive.
    pub fn spend(&mut self, path: &str, what: &str, cost: u64) -> Option<String> {
        self.total = self.total.saturating_add(cost);
        if cost >= TOTAL / 100 {
            // The dearest first, of the same price the first.
            self.dearest
                .insert((u64::MAX - cost, self.dearest.len()), path.to_owned());
        }
        (cost > PER_RULE).then(|| sentence(what, cost, PER_RULE))
    }

    /// What is wrong with all rules together: the paths of the dearest, and the sentence about the sum.
    pub fn exceeded(&self) -> Option<(Vec<&str>, String)> {
        let dearest = self.dearest.values().take(4).map(String::as_str).collect();
        let what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema";
        (self.total > TOTAL).then(|| (dearest, sentence(what, self.total, TOTAL)))
    }
}

fn sentence(what: &str, cost: u64, limit: u64) -> String {
    let factor = cost as f64 / limit as f64;
    let factor = if factor > 100.0 {
        "more than 100x".to_owned()
    } else if factor < 1.5 {
        format!("{factor:.6}x")
    } else {
        format!("{factor:.1}x")
    };
    format!(
        "{what} exceeds budget by factor of {factor} (try simplifying the rule, or adding maxItems, maxProperties, and \
         maxLength where arrays, maps, and strings are declared)"
    )
}
