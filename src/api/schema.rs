//! The structure of every API type, read from `data/types.txt` (made by `cargo xtask schema`).
//!
//! The table drives decoding, merging, `explain` and the OpenAPI documents. Types are parsed when
//! they are first asked for.
//!
//! Form of the file: a type is a line `name⇥group/version/Kind,…⇥special⇥mapType`, where a kind that is named as the
//! type is left out (`v1/`). Its fields are the indented lines `⇥name⇥expression[⇥mark…]` below it, in the order of Go's
//! struct (`cargo xtask protobuf`). Expressions: `s` string, `i` int32, `l` int64, `b` boolean, `n` number, `y` bytes,
//! `[x]` list, `{x}` map, `@name` another type. Marks: `r` required, `d=` default, `e=` enum, `p=` patch strategy, `m=`
//! patch merge key, `t=` list type, `k=` list map keys, `a=` map type. What Go writes of an empty field: numbers, texts,
//! lists and maps stand only where they are required, and structs where they are given or required; `z` is written
//! anyhow, `n` is a pointer that is written as null, `*` is written where it is given, `o` never (`cargo xtask go`).

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use super::resource::Resource;
use crate::flat::{Arrange, FlatMap};
use crate::value::{Key, Value};

const TYPES: &str = include_str!("data/types.txt");

/// What a field or a type holds.
#[derive(Clone, Debug)]
pub enum Expr {
    Str,
    Int32,
    Int64,
    Bool,
    Number,
    /// Base64 text.
    Bytes,
    /// `resource.Quantity`: `100m`, `1Gi`.
    Quantity,
    IntOrString,
    /// RFC 3339 with seconds.
    Time,
    /// RFC 3339 with microseconds.
    MicroTime,
    /// Any map.
    Object,
    /// Anything.
    Any,
    /// A JSON schema where a flag or a list may stand too (`JSONSchemaPropsOrBool`).
    SchemaOr,
    List(Box<Expr>),
    Map(Box<Expr>),
    /// A type by its short name.
    Ref(Rc<str>),
    /// A type that has no name: a part of a custom resource.
    Inline(Rc<Type>),
}

impl PartialEq for Expr {
    fn eq(&self, other: &Expr) -> bool {
        match (self, other) {
            (Expr::List(a), Expr::List(b)) | (Expr::Map(a), Expr::Map(b)) => a == b,
            (Expr::Ref(a), Expr::Ref(b)) => a == b,
            (Expr::Inline(a), Expr::Inline(b)) => Rc::ptr_eq(a, b),
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

impl Expr {
    /// The type with fields that this expression names; `None` for scalars, lists, maps and whatever
    /// may be anything.
    pub fn resolve(&self) -> Option<Rc<Type>> {
        match self {
            Expr::Ref(name) => by_name(name),
            Expr::Inline(ty) => Some(ty.clone()),
            _ => None,
        }
    }
}

/// What Go writes of a field that is empty: a matter of its `omitempty`, and of whether it is a pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Empty {
    /// Nothing.
    LeftOut,
    /// What was given, and nothing where it was not.
    Kept,
    /// The value of nothing of its type: `""`, `0`, `{}`, `null` of a list.
    Written,
    /// `null`, unless an empty value was given.
    Null,
}

/// One field of a type.
#[derive(Clone, Debug)]
pub struct Field {
    /// The name in JSON.
    pub name: Key,
    /// The shape of its values.
    pub expr: Expr,
    /// Whether the documentation says that it must be set.
    pub required: bool,
    /// What it is where nothing is said.
    pub default: Option<Value>,
    /// What is written of it when it is empty.
    pub empty: Empty,
    /// The values that an enumeration allows; empty where it is none.
    pub allowed: Vec<Rc<str>>,
    /// `merge`, `replace`, `retainKeys` or `merge,retainKeys` (strategic merge patch).
    pub patch_strategy: Rc<str>,
    /// The field by which items of a list are merged in a strategic merge patch; empty for none.
    pub patch_merge_key: Rc<str>,
    /// `map`, `set` or `atomic` (server-side apply).
    pub list_type: Rc<str>,
    /// The fields that are the key of an item of a list of type `map`.
    pub list_map_keys: Vec<Rc<str>>,
    /// `granular` or `atomic` (server-side apply).
    pub map_type: Rc<str>,
    /// The short name of the type that the expression names, inside lists and maps, be it one with
    /// fields or not (`m:apis.meta.v1.FieldsV1`); empty where it names none.
    pub named: Rc<str>,
}

impl Field {
    /// A field of this expression with no marks, for schemas that are built in code.
    pub fn new(name: &str, expr: Expr) -> Field {
        Field {
            name: Key::from(name),
            expr,
            required: false,
            default: None,
            empty: Empty::Kept,
            allowed: Vec::new(),
            patch_strategy: "".into(),
            patch_merge_key: "".into(),
            list_type: "".into(),
            list_map_keys: Vec::new(),
            map_type: "".into(),
            named: "".into(),
        }
    }
}

/// A type of the API.
#[derive(Clone, Debug)]
pub struct Type {
    /// The short name, `core.v1.Pod`.
    pub name: Rc<str>,
    /// `group/version/Kind` of the kinds that this type is (`v1/Pod` in the core group).
    pub kinds: Vec<Rc<str>>,
    /// Sorted by name.
    pub fields: Vec<Field>,
    /// What the type is when it has no fields.
    pub special: Option<Expr>,
    /// `granular` or `atomic` (server-side apply).
    pub map_type: Rc<str>,
    /// The place of each field in Go's struct, in which JSON of it has them; empty for the order of the names.
    pub order: Vec<usize>,
    /// Whether fields that are not listed are kept as they are
    /// (`x-kubernetes-preserve-unknown-fields`).
    pub open: bool,
}

impl Type {
    /// A field by its name in JSON.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| &*f.name == name)
    }

    /// The place of a field in Go's struct, and the field; the last place for one that it has not.
    pub fn place(&self, name: &str) -> (usize, Option<&Field>) {
        match self.fields.iter().position(|f| &*f.name == name) {
            Some(i) => {
                let place = self.order.get(i).copied().unwrap_or(i);
                (place, self.fields.get(i))
            }
            None => (self.fields.len(), None),
        }
    }

    /// The name that Go's errors print: `v1.Pod` for `core.v1.Pod`.
    pub fn go_name(&self) -> &str {
        go_name(&self.name)
    }

    /// The name without package: `Pod`.
    pub fn bare_name(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or(&self.name)
    }
}

/// `v1.Pod` for `core.v1.Pod`.
pub fn go_name(short: &str) -> &str {
    match short.rmatch_indices('.').nth(1) {
        Some((i, _)) => &short[i + 1..],
        None => short,
    }
}

/// The full name in OpenAPI documents: `io.k8s.api.core.v1.Pod` for `core.v1.Pod`.
pub fn full_name(short: &str) -> String {
    let (prefix, rest) = match short.split_once(':') {
        Some(("m", rest)) => ("io.k8s.apimachinery.pkg.", rest),
        Some(("a", rest)) => ("io.k8s.kube-aggregator.pkg.", rest),
        Some(("x", rest)) => ("io.k8s.apiextensions-apiserver.pkg.", rest),
        _ => ("io.k8s.api.", short),
    };
    format!("{prefix}{rest}")
}

struct Index {
    /// Where each type's text is: its header line and its fields' lines.
    texts: FlatMap<&'static str, (&'static str, &'static str)>,
    by_kind: FlatMap<String, &'static str>,
    parsed: RefCell<FlatMap<&'static str, Rc<Type>>>,
}

thread_local! {
    static INDEX: OnceCell<Rc<Index>> = const { OnceCell::new() };
}

fn index() -> Rc<Index> {
    INDEX.with(|cell| cell.get_or_init(|| Rc::new(build_index())).clone())
}

/// The kinds that a type's line names.
fn kinds<'t>(name: &'t str, word: &'t str) -> impl Iterator<Item = String> + 't {
    word.split(',')
        .filter(|k| !k.is_empty())
        .map(|kind| match kind.ends_with('/') {
            true => format!("{kind}{}", name.rsplit('.').next().unwrap_or("")),
            false => kind.to_owned(),
        })
}

fn build_index() -> Index {
    let mut texts = FlatMap::new();
    let mut by_kind = FlatMap::new();
    let mut rest = TYPES;
    while !rest.is_empty() {
        let (header, after) = rest.split_once('\n').unwrap_or((rest, ""));
        // The fields reach to the next line that does not begin with a tab.
        let mut end = 0;
        while after[end..].starts_with('\t') {
            end += after[end..].find('\n').map_or(after.len() - end, |i| i + 1);
        }
        let (fields, next) = after.split_at(end);
        let mut words = header.split('\t');
        let name = words.next().unwrap_or("");
        for kind in kinds(name, words.next().unwrap_or("")) {
            by_kind.entry(kind).or_insert(name);
        }
        texts.insert(name, (header, fields));
        rest = next;
    }
    Index {
        texts,
        by_kind,
        parsed: RefCell::default(),
    }
}

fn parse_expr(text: &str) -> Expr {
    let inner = |t: &str| Box::new(parse_expr(t.get(1..t.len() - 1).unwrap_or("")));
    match text.as_bytes().first() {
        Some(b'i') => Expr::Int32,
        Some(b'l') => Expr::Int64,
        Some(b'b') => Expr::Bool,
        Some(b'n') => Expr::Number,
        Some(b'y') => Expr::Bytes,
        Some(b'*') => Expr::Any,
        Some(b'[') => Expr::List(inner(text)),
        Some(b'{') => Expr::Map(inner(text)),
        Some(b'@') => {
            let name = &text[1..];
            special_of(name).unwrap_or_else(|| Expr::Ref(name.into()))
        }
        _ => Expr::Str,
    }
}

/// The short name of the type of JSON schemas in definitions of custom resources.
pub const JSON_SCHEMA: &str = "x:apis.apiextensions.v1.JSONSchemaProps";

/// What a type without fields is, read from its header without parsing the type.
fn special_of(name: &str) -> Option<Expr> {
    if name.contains(".JSONSchemaPropsOr") {
        return Some(Expr::SchemaOr);
    }
    let (header, _) = index().texts.get(name).copied()?;
    special(header.split('\t').nth(2).unwrap_or(""))
}

fn special(word: &str) -> Option<Expr> {
    match word {
        "quantity" => Some(Expr::Quantity),
        "intorstring" => Some(Expr::IntOrString),
        "time" => Some(Expr::Time),
        "microtime" => Some(Expr::MicroTime),
        "object" => Some(Expr::Object),
        "any" => Some(Expr::Any),
        _ => None,
    }
}

fn parse_field(line: &str) -> Option<Field> {
    let mut words = line.strip_prefix('\t')?.split('\t');
    let name = words.next()?;
    let expr = words.next()?;
    let mut field = Field::new(name, parse_expr(expr));
    if let Some((_, named)) = expr.split_once('@') {
        field.named = named.trim_end_matches([']', '}']).into();
    }
    let list = |v: &str| v.split(',').map(Rc::from).collect();
    let mut empty = None;
    for word in words {
        match word.split_once('=') {
            None => match word {
                "z" => empty = Some(Empty::Written),
                "n" => empty = Some(Empty::Null),
                "*" => empty = Some(Empty::Kept),
                "o" => empty = Some(Empty::LeftOut),
                _ => field.required = true,
            },
            Some(("d", v)) => field.default = Value::from_json(v).ok(),
            Some(("e", v)) => field.allowed = list(v),
            Some(("p", v)) => field.patch_strategy = v.into(),
            Some(("m", v)) => field.patch_merge_key = v.into(),
            Some(("t", v)) => field.list_type = v.into(),
            Some(("k", v)) => field.list_map_keys = list(v),
            Some(("a", v)) => field.map_type = v.into(),
            Some(_) => {}
        }
    }
    let is_struct = !matches!(
        field.expr,
        Expr::Str | Expr::Int32 | Expr::Int64 | Expr::Bool | Expr::Number | Expr::Bytes | Expr::List(_) | Expr::Map(_)
    );
    field.empty = empty.unwrap_or(match (field.required, is_struct) {
        (true, _) => Empty::Written,
        (false, true) => Empty::Kept,
        (false, false) => Empty::LeftOut,
    });
    Some(field)
}

/// The type of this short name (`core.v1.Pod`).
pub fn by_name(name: &str) -> Option<Rc<Type>> {
    let index = index();
    let (name, (header, fields)) = index.texts.get_key_value(name)?;
    if let Some(t) = index.parsed.borrow().get(name) {
        return Some(t.clone());
    }
    let words: Vec<&str> = header.split('\t').collect();
    let word = |i: usize| words.get(i).copied().unwrap_or("");
    let mut fields: Vec<(usize, Field)> = fields.lines().filter_map(parse_field).enumerate().collect();
    fields.arrange_by(|a, b| a.1.name.cmp(&b.1.name));
    let (order, fields) = fields.into_iter().unzip();
    let t = Rc::new(Type {
        name: (*name).into(),
        kinds: kinds(name, word(1)).map(Rc::from).collect(),
        fields,
        special: special(word(2)),
        map_type: word(3).into(),
        order,
        open: false,
    });
    index.parsed.borrow_mut().insert(name, t.clone());
    Some(t)
}

/// The type of a kind: `by_kind("apps/v1", "Deployment")`.
pub fn by_kind(api_version: &str, kind: &str) -> Option<Rc<Type>> {
    let index = index();
    let name = index.by_kind.get(format!("{api_version}/{kind}").as_str()).copied()?;
    by_name(name)
}

/// The type of a resource's objects, whether it is built in or custom; `None` for the few resources
/// that have none (`/openapi` lists no type for them).
pub fn of(resource: &Resource) -> Option<Rc<Type>> {
    match &resource.custom {
        Some(custom) => Some(custom.ty.clone()),
        None => by_kind(&resource.api_version(), &resource.kind),
    }
}

/// The names of all types, sorted.
pub fn names() -> Vec<&'static str> {
    index().texts.keys().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_fields() {
        let pod = by_kind("v1", "Pod").unwrap();
        assert_eq!(&*pod.name, "core.v1.Pod");
        let spec = by_name("core.v1.PodSpec").unwrap();
        let containers = spec.field("containers").unwrap();
        assert!(containers.required);
        assert_eq!(
            containers.expr,
            Expr::List(Box::new(Expr::Ref("core.v1.Container".into())))
        );
        assert_eq!(&*containers.patch_merge_key, "name");
        let port = by_name("core.v1.ContainerPort").unwrap();
        assert_eq!(port.field("protocol").unwrap().default, Some(Value::from("TCP")));
        assert_eq!(
            by_name("core.v1.ServicePort")
                .unwrap()
                .field("targetPort")
                .unwrap()
                .expr,
            Expr::IntOrString
        );
        assert_eq!(
            full_name("m:apis.meta.v1.ObjectMeta"),
            "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
        );
        assert_eq!(go_name("core.v1.Pod"), "v1.Pod");
        assert_eq!(names().len(), 578);
        for name in names() {
            for field in &by_name(name).unwrap().fields {
                let mut expr = &field.expr;
                while let Expr::List(inner) | Expr::Map(inner) = expr {
                    expr = inner;
                }
                if let Expr::Ref(other) = expr {
                    assert!(by_name(other).is_some(), "{name}.{} names {other}", field.name);
                }
            }
        }
    }
}
