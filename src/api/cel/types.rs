//! CEL's types, and the types that a schema's values have.

use std::rc::Rc;

use super::parse::RESERVED;
use crate::api::schema::{self, Expr};
use crate::value::Value;

/// A type.
#[derive(Clone, Debug)]
pub enum Type {
    /// Anything: checked while the expression runs.
    Dyn,
    Null,
    Bool,
    Int,
    Uint,
    Double,
    Str,
    Bytes,
    Timestamp,
    Duration,
    List(Rc<Type>),
    Map(Rc<Type>, Rc<Type>),
    /// An object with the fields of a schema. The flag says that it is a whole object, which has
    /// `apiVersion`, `kind` and `metadata` too.
    Object(Value, bool),
    /// An object with these fields, by the name of its type.
    Fields(&'static str, Rc<[(Rc<str>, Type)]>),
    /// An object of the API.
    Api(Rc<schema::Type>),
    Optional(Rc<Type>),
    Quantity,
    Ip,
    Cidr,
    Url,
    /// What has methods and no fields, by its name (`kubernetes.Semver`).
    Named(&'static str),
    /// What expressions make with braces: `Object`, `Object.spec`, `JSONPatch`.
    Message(Rc<str>),
    /// A type itself.
    Type,
    /// A parameter of a function's signature.
    Param(char),
    /// The type of an empty list's items: whatever is wanted.
    Open,
}

impl PartialEq for Type {
    fn eq(&self, other: &Type) -> bool {
        match (self, other) {
            (Type::List(a), Type::List(b)) | (Type::Optional(a), Type::Optional(b)) => a == b,
            (Type::Map(a, b), Type::Map(c, d)) => a == c && b == d,
            (Type::Object(a, _), Type::Object(b, _)) => a == b,
            (Type::Api(a), Type::Api(b)) => a.name == b.name,
            (Type::Param(a), Type::Param(b)) => a == b,
            (Type::Named(a), Type::Named(b)) | (Type::Fields(a, _), Type::Fields(b, _)) => a == b,
            (Type::Message(a), Type::Message(b)) => a == b,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

impl std::fmt::Display for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Type::Dyn | Type::Open => f.write_str("dyn"),
            Type::Null => f.write_str("null"),
            Type::Bool => f.write_str("bool"),
            Type::Int => f.write_str("int"),
            Type::Uint => f.write_str("uint"),
            Type::Double => f.write_str("double"),
            Type::Str => f.write_str("string"),
            Type::Bytes => f.write_str("bytes"),
            Type::Timestamp => f.write_str("timestamp"),
            Type::Duration => f.write_str("duration"),
            Type::List(item) => write!(f, "list({item})"),
            Type::Map(key, value) => write!(f, "map({key}, {value})"),
            Type::Object(..) | Type::Api(_) => f.write_str("object"),
            Type::Optional(inner) => write!(f, "optional_type({inner})"),
            Type::Quantity => f.write_str("kubernetes.Quantity"),
            Type::Ip => f.write_str("net.IP"),
            Type::Cidr => f.write_str("net.CIDR"),
            Type::Url => f.write_str("kubernetes.URL"),
            Type::Named(name) | Type::Fields(name, _) => f.write_str(name),
            Type::Message(name) => f.write_str(name),
            Type::Type => f.write_str("type"),
            Type::Param(name) => write!(f, "{name}"),
        }
    }
}

/// Words with a meaning, which no more than [`RESERVED`] are names.
const LITERALS: [&str; 4] = ["true", "false", "null", "in"];

/// A property's name as rules write it (`apiservercel.Escape`); `None` for one that they cannot.
pub fn escape(name: &str) -> Option<String> {
    if LITERALS.contains(&name) || RESERVED.contains(&name) || name == "while" {
        return Some(format!("__{name}__"));
    }
    let mut out = String::new();
    let mut rest = name;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("__") {
            out.push_str("__underscores__");
            rest = after;
            continue;
        }
        match c {
            '.' => out.push_str("__dot__"),
            '-' => out.push_str("__dash__"),
            '/' => out.push_str("__slash__"),
            '_' | 'a'..='z' | 'A'..='Z' => out.push(c),
            '0'..='9' if !out.is_empty() => out.push(c),
            _ => return None,
        }
        rest = rest.get(c.len_utf8()..).unwrap_or("");
    }
    (!out.is_empty()).then_some(out)
}

/// Whether a name may be a variable's.
pub fn is_identifier(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty()
        && name.chars().all(plain)
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && !LITERALS.contains(&name)
        && !RESERVED.contains(&name)
        && name != "while"
}

/// The schema of a field that a rule names, with the property's own name.
pub fn field<'v>(schema: &'v Value, name: &str) -> Option<(&'v str, &'v Value)> {
    schema
        .get("properties")
        .entries()
        .find(|(key, _)| escape(key).as_deref() == Some(name))
        .map(|(key, property)| (key.as_str(), property))
}

/// The type of the values of a schema; `None` for those that rules cannot reach (`SchemaDeclType`).
pub fn of_schema(schema: &Value, whole: bool) -> Option<Type> {
    if schema.bool_at(&["x-kubernetes-int-or-string"]) {
        return Some(Type::Dyn);
    }
    match schema.get("type").str() {
        "array" => {
            let items = schema.get("items");
            let item = of_schema(items, items.bool_at(&["x-kubernetes-embedded-resource"]))?;
            Some(Type::List(Rc::new(item)))
        }
        "object" => match schema.get("additionalProperties") {
            inner @ Value::Map(_) => {
                let value = of_schema(inner, inner.bool_at(&["x-kubernetes-embedded-resource"]))?;
                Some(Type::Map(Rc::new(Type::Str), Rc::new(value)))
            }
            _ => {
                let whole = whole || schema.bool_at(&["x-kubernetes-embedded-resource"]);
                Some(Type::Object(schema.clone(), whole))
            }
        },
        "string" => Some(match schema.get("format").str() {
            "byte" => Type::Bytes,
            "duration" => Type::Duration,
            "date" | "date-time" => Type::Timestamp,
            _ => Type::Str,
        }),
        "boolean" => Some(Type::Bool),
        "number" => Some(Type::Double),
        "integer" => Some(Type::Int),
        _ => None,
    }
}

/// The type of the values of an expression of the API's types. What may be of two types is anything.
fn of_expr(expr: &Expr) -> Type {
    match expr {
        Expr::Str => Type::Str,
        Expr::Int32 | Expr::Int64 => Type::Int,
        Expr::Bool => Type::Bool,
        Expr::Number => Type::Double,
        Expr::Bytes => Type::Bytes,
        Expr::Time | Expr::MicroTime => Type::Timestamp,
        Expr::List(item) => Type::List(Rc::new(of_expr(item))),
        Expr::Map(item) => Type::Map(Rc::new(Type::Str), Rc::new(of_expr(item))),
        Expr::Quantity | Expr::IntOrString | Expr::Object | Expr::Any | Expr::SchemaOr => Type::Dyn,
        Expr::Ref(_) | Expr::Inline(_) => match expr.resolve() {
            Some(ty) => of_api(ty),
            None => Type::Dyn,
        },
    }
}

/// The type of the objects of a type of the API.
pub fn of_api(ty: Rc<schema::Type>) -> Type {
    match &ty.special {
        Some(special) => of_expr(special),
        None if ty.fields.is_empty() || ty.open => Type::Dyn,
        None => Type::Api(ty),
    }
}

/// The type of a field of an object of the API.
pub fn api_field(ty: &schema::Type, name: &str) -> Option<Type> {
    let field = ty.fields.iter().find(|f| escape(&f.name).as_deref() == Some(name))?;
    Some(of_expr(&field.expr))
}

/// The type of a field of an object.
pub fn field_type(schema: &Value, whole: bool, name: &str) -> Option<Type> {
    if whole {
        match name {
            "apiVersion" | "kind" => return Some(Type::Str),
            "metadata" => return Some(Type::Object(metadata_schema(), false)),
            _ => {}
        }
    }
    let (_, property) = field(schema, name)?;
    of_schema(property, false)
}

/// What rules see of an object's metadata.
pub fn metadata_schema() -> Value {
    let text = crate::obj! { "type": "string" };
    crate::obj! {
        "type": "object",
        "properties": crate::obj! { "name": text.clone(), "generateName": text },
    }
}
