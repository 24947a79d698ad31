//! CEL's type checker: finds what an expression gets wrong before it runs.

use crate::flat::FlatMap;
use std::rc::Rc;

use super::Issue;
use super::formats;
use super::parse::{Ast, Init, Macro, Node};
use super::types::{Type, api_field, field_type};
use crate::api::custom::openapi;
use crate::value::duration;

/// The functions and operators with the types they take and give. A name that begins with a point
/// is a method, whose first type is its target's. Letters: `b`ool, `i`nt, `u`int, `d`ouble, `s`tring,
/// b`y`tes, `t`imestamp, `D`uration, `*` anything, `T`ype, `q`uantity, `p` an IP address, `c` a CIDR, `r` a
/// URL, `L`ist of, `M`ap of and to, `o`ptional, those of [`NAMED`], `A` and `B` parameters; after the colon the
/// result.
const FUNCTIONS: &[(&str, &str)] = &[
    ("!_", "b:b"),
    ("-_", "i:i d:d"),
    ("_+_", "ii:i uu:u dd:d ss:s yy:y LALA:LA tD:t Dt:t DD:D"),
    ("_-_", "ii:i uu:u dd:d tt:D tD:t DD:D"),
    ("_*_", "ii:i uu:u dd:d"),
    ("_/_", "ii:i uu:u dd:d"),
    ("_%_", "ii:i uu:u"),
    ("_==_", "AA:b"),
    ("_!=_", "AA:b"),
    ("_&&_", "bb:b"),
    ("_||_", "bb:b"),
    ("_?_:_", "bAA:A"),
    ("_[_]", "LAi:A MABA:B"),
    ("_[?_]", "LAi:oA MABA:oB"),
    ("@in", "ALA:b AMAB:b"),
    ("size", "s:i y:i LA:i MAB:i"),
    (".size", "s:i y:i LA:i MAB:i"),
    ("int", "i:i u:i d:i s:i t:i D:i"),
    ("uint", "i:u u:u d:u s:u"),
    ("double", "i:d u:d d:d s:d"),
    ("string", "i:s u:s d:s s:s y:s b:s t:s D:s p:s c:s"),
    ("bytes", "s:y y:y"),
    ("bool", "b:b s:b"),
    ("timestamp", "s:t i:t t:t"),
    ("duration", "s:D i:D D:D"),
    ("type", "A:T"),
    ("dyn", "A:*"),
    ("matches", "ss:b"),
    (".matches", "ss:b"),
    (".contains", "ss:b"),
    (".startsWith", "ss:b"),
    (".endsWith", "ss:b"),
    (".charAt", "si:s"),
    (".indexOf", "ss:i ssi:i LAA:i"),
    (".lastIndexOf", "ss:i ssi:i LAA:i"),
    (".lowerAscii", "s:s"),
    (".upperAscii", "s:s"),
    (".replace", "sss:s sssi:s"),
    (".split", "ss:Ls ssi:Ls"),
    (".substring", "si:s sii:s"),
    (".trim", "s:s"),
    (".join", "Ls:s Lss:s"),
    (".reverse", "LA:LA"),
    (".format", "sL*:s"),
    ("strings.quote", "s:s"),
    (".isSorted", "Li:b Lu:b Ld:b Lb:b LD:b Lt:b Ls:b Ly:b"),
    (".sum", "Li:i Lu:u Ld:d LD:D"),
    (".min", "Li:i Lu:u Ld:d Lb:b LD:D Lt:t Ls:s Ly:y"),
    (".max", "Li:i Lu:u Ld:d Lb:b LD:D Lt:t Ls:s Ly:y"),
    (".slice", "LAii:LA"),
    (".distinct", "LA:LA"),
    (".sort", "Li:Li Lu:Lu Ld:Ld Lb:Lb LD:LD Lt:Lt Ls:Ls Ly:Ly"),
    (".flatten", "LLA:LA L*i:L*"),
    (".first", "LA:oA"),
    (".last", "LA:oA"),
    ("lists.range", "i:Li"),
    (".find", "ss:s"),
    (".findAll", "ss:Ls ssi:Ls"),
    (".getFullYear", "t:i ts:i"),
    (".getMonth", "t:i ts:i"),
    (".getDayOfYear", "t:i ts:i"),
    (".getDayOfMonth", "t:i ts:i"),
    (".getDate", "t:i ts:i"),
    (".getDayOfWeek", "t:i ts:i"),
    (".getHours", "t:i ts:i D:i"),
    (".getMinutes", "t:i ts:i D:i"),
    (".getSeconds", "t:i ts:i D:i"),
    (".getMilliseconds", "t:i ts:i D:i"),
    ("quantity", "s:q"),
    ("isQuantity", "s:b"),
    (".isGreaterThan", "qq:b vv:b"),
    (".isLessThan", "qq:b vv:b"),
    (".compareTo", "qq:i vv:i"),
    (".asInteger", "q:i"),
    (".isInteger", "q:b"),
    (".asApproximateFloat", "q:d"),
    ("sign", "q:i"),
    (".add", "qq:q qi:q"),
    (".sub", "qq:q qi:q"),
    ("ip", "s:p"),
    ("isIP", "s:b"),
    ("ip.isCanonical", "s:b"),
    (".family", "p:i"),
    (".isLoopback", "p:b"),
    (".isUnspecified", "p:b"),
    (".isLinkLocalMulticast", "p:b"),
    (".isLinkLocalUnicast", "p:b"),
    (".isGlobalUnicast", "p:b"),
    ("cidr", "s:c"),
    ("isCIDR", "s:b"),
    (".containsIP", "cp:b cs:b"),
    (".containsCIDR", "cc:b cs:b"),
    (".prefixLength", "c:i"),
    (".ip", "c:p"),
    (".masked", "c:c"),
    ("url", "s:r"),
    ("isURL", "s:b"),
    (".getScheme", "r:s"),
    (".getHost", "r:s"),
    (".getHostname", "r:s"),
    (".getPort", "r:s"),
    (".getEscapedPath", "r:s"),
    (".getQuery", "r:MsLs"),
    ("sets.contains", "LALA:b"),
    ("sets.equivalent", "LALA:b"),
    ("sets.intersects", "LALA:b"),
    ("optional.of", "A:oA"),
    ("optional.ofNonZeroValue", "A:oA"),
    ("optional.none", ":oA"),
    (".hasValue", "oA:b"),
    (".value", "oA:A"),
    (".orValue", "oAA:A"),
    (".or", "oAoA:oA"),
    ("optional.unwrap", "LoA:LA"),
    (".unwrapOpt", "LoA:LA"),
    ("semver", "s:v sb:v"),
    ("isSemver", "s:b sb:b"),
    (".major", "v:i"),
    (".minor", "v:i"),
    (".patch", "v:i"),
    ("format.named", "s:of"),
    (".validate", "fs:oLs"),
    (".path", "zs:h"),
    (".group", "zs:g"),
    (".serviceAccount", "zss:z"),
    (".resource", "gs:k"),
    (".subresource", "ks:k"),
    (".namespace", "ks:k"),
    (".name", "ks:k"),
    (".fieldSelector", "ks:k"),
    (".labelSelector", "ks:k"),
    (".check", "hs:x ks:x"),
    (".allowed", "x:b"),
    (".reason", "x:s"),
    (".errored", "x:b"),
    (".error", "x:s"),
    ("jsonpatch.escapeKey", "s:s"),
];

/// Names that stand before a function's own.
const NAMESPACES: [&str; 7] = ["strings", "sets", "optional", "lists", "format", "ip", "jsonpatch"];

/// Whether a name stands before functions.
pub(super) fn is_space(name: &str) -> bool {
    NAMESPACES.contains(&name)
}

/// The types that have methods and no fields.
const NAMED: [(char, &str); 7] = [
    ('v', "kubernetes.Semver"),
    ('f', "kubernetes.NamedFormat"),
    ('z', AUTHORIZER),
    ('h', "kubernetes.authorization.PathCheck"),
    ('g', "kubernetes.authorization.GroupCheck"),
    ('k', RESOURCE_CHECK),
    ('x', "kubernetes.authorization.Decision"),
];

/// The type of the variable `authorizer`, and of `authorizer.requestResource`.
pub const AUTHORIZER: &str = "kubernetes.authorization.Authorizer";
/// The type of a question about a resource, as `authorizer.resource` gives it.
pub const RESOURCE_CHECK: &str = "kubernetes.authorization.ResourceCheck";

/// The variable whose presence says that objects and JSON patches can be made.
pub const OBJECT: &str = "Object";
const JSON_PATCH: &str = "JSONPatch";

/// The overloads of a function: the types of its arguments and of its result.
pub(super) fn overloads(name: &str) -> Option<Vec<(Vec<Type>, Type)>> {
    if name
        .strip_prefix("format.")
        .is_some_and(|f| formats::named(f).is_some())
    {
        return Some(vec![(Vec::new(), Type::Named("kubernetes.NamedFormat"))]);
    }
    let (_, text) = FUNCTIONS.iter().find(|(n, _)| *n == name)?;
    let parse = |overload: &str| {
        let (args, result) = overload.split_once(':')?;
        let mut letters = args.chars();
        let mut types = Vec::new();
        while let Some(t) = signature(&mut letters) {
            types.push(t);
        }
        Some((types, signature(&mut result.chars())?))
    };
    Some(text.split(' ').filter_map(parse).collect())
}

fn signature(letters: &mut std::str::Chars<'_>) -> Option<Type> {
    Some(match letters.next()? {
        'b' => Type::Bool,
        'i' => Type::Int,
        'u' => Type::Uint,
        'd' => Type::Double,
        's' => Type::Str,
        'y' => Type::Bytes,
        't' => Type::Timestamp,
        'D' => Type::Duration,
        'T' => Type::Type,
        'q' => Type::Quantity,
        'p' => Type::Ip,
        'c' => Type::Cidr,
        'r' => Type::Url,
        'L' => Type::List(Rc::new(signature(letters)?)),
        'o' => Type::Optional(Rc::new(signature(letters)?)),
        'M' => {
            let key = signature(letters)?;
            Type::Map(Rc::new(key), Rc::new(signature(letters)?))
        }
        '*' => Type::Dyn,
        name => match NAMED.iter().find(|(letter, _)| *letter == name) {
            Some((_, named)) => Type::Named(named),
            None => Type::Param(name),
        },
    })
}

/// The wider one of two types that fit each other.
fn general(a: &Type, b: &Type) -> Type {
    match (a, b) {
        (Type::Open | Type::Null, other) | (other, Type::Open | Type::Null) => other.clone(),
        (Type::Dyn, _) | (_, Type::Dyn) => Type::Dyn,
        (Type::List(a), Type::List(b)) => Type::List(Rc::new(general(a, b))),
        (Type::Optional(a), Type::Optional(b)) => Type::Optional(Rc::new(general(a, b))),
        (Type::Map(a, b), Type::Map(c, d)) => Type::Map(Rc::new(general(a, c)), Rc::new(general(b, d))),
        (a, _) => a.clone(),
    }
}

/// Whether two items of a list may stand beside each other (`ValidateHomogeneousAggregateLiterals`).
fn alike(a: &Type, b: &Type) -> bool {
    match (a, b) {
        (Type::Open, _) | (_, Type::Open) => true,
        (Type::List(a), Type::List(b)) | (Type::Optional(a), Type::Optional(b)) => alike(a, b),
        (Type::Map(a, b), Type::Map(c, d)) => alike(a, c) && alike(b, d),
        (a, b) => a == b,
    }
}

/// What an expression gives, when nothing says of what an empty list is.
fn closed(t: Type) -> Type {
    match t {
        Type::Open => Type::Dyn,
        Type::List(a) => Type::List(Rc::new(closed(a.as_ref().clone()))),
        Type::Optional(a) => Type::Optional(Rc::new(closed(a.as_ref().clone()))),
        Type::Map(a, b) => Type::Map(Rc::new(closed(a.as_ref().clone())), Rc::new(closed(b.as_ref().clone()))),
        other => other,
    }
}

struct Checker {
    /// Whether a list may have items of different types: only where `format` takes it.
    mixed: bool,
    variables: Vec<(String, Type)>,
    issues: Vec<Issue>,
    /// The types of the nodes, each after those of its parts, where somebody asks for them.
    types: Option<Vec<Type>>,
}

/// What is known of an expression: its type, what is wrong with it, and where `typed` the types of its nodes, each
/// after those of its parts.
pub(super) fn check(ast: &Ast, variables: &[(&str, Type)], typed: bool) -> (Type, Vec<Issue>, Vec<Type>) {
    let mut checker = Checker {
        mixed: false,
        types: typed.then(Vec::new),
        variables: variables.iter().map(|(n, t)| ((*n).to_owned(), t.clone())).collect(),
        issues: Vec::new(),
    };
    let result = checker.expr(ast);
    (closed(result), checker.issues, checker.types.unwrap_or_default())
}

type Bindings = FlatMap<char, Type>;

/// Whether a value of type `got` may stand where `want` is; binds `want`'s parameters.
fn fits(want: &Type, got: &Type, bindings: &mut Bindings) -> bool {
    match (want, got) {
        (Type::Param(name), got) => match bindings.get(name).cloned() {
            None => {
                bindings.insert(*name, got.clone());
                true
            }
            Some(bound) => {
                let fine = fits(&bound, got, bindings) || fits(got, &bound, bindings);
                if fine {
                    bindings.insert(*name, general(&bound, got));
                }
                fine
            }
        },
        (Type::Dyn | Type::Open, _) | (_, Type::Dyn | Type::Open) => true,
        (Type::List(a), Type::List(b)) | (Type::Optional(a), Type::Optional(b)) => fits(a, b, bindings),
        (Type::Map(a, b), Type::Map(c, d)) => fits(a, c, bindings) && fits(b, d, bindings),
        (
            Type::Object(..)
            | Type::Api(_)
            | Type::Fields(..)
            | Type::Named(_)
            | Type::Message(_)
            | Type::Timestamp
            | Type::Duration
            | Type::Optional(_),
            Type::Null,
        ) => true,
        (a, b) => a == b,
    }
}

fn substitute(t: &Type, bindings: &Bindings) -> Type {
    match t {
        Type::Param(name) => bindings.get(name).cloned().unwrap_or(Type::Open),
        Type::List(a) => Type::List(Rc::new(substitute(a, bindings))),
        Type::Optional(a) => Type::Optional(Rc::new(substitute(a, bindings))),
        Type::Map(a, b) => Type::Map(Rc::new(substitute(a, bindings)), Rc::new(substitute(b, bindings))),
        other => other.clone(),
    }
}

/// The comparisons, which compare numbers of all kinds.
fn compares(name: &str) -> bool {
    matches!(name, "_<_" | "_<=_" | "_>_" | "_>=_")
}

impl Checker {
    fn issue(&mut self, at: usize, message: String) {
        self.issues.push(Issue { at, message });
    }

    fn lookup(&self, name: &str) -> Option<Type> {
        self.variables
            .iter()
            .rev()
            .find(|(n, _)| n == name)
            .map(|(_, t)| t.clone())
    }

    fn undeclared(&mut self, at: usize, name: &str) -> Type {
        let name = name.trim_start_matches('.');
        self.issue(at, format!("undeclared reference to '{name}' (in container '')"));
        Type::Dyn
    }

    fn expr(&mut self, ast: &Ast) -> Type {
        let t = self.node(ast);
        if let Some(types) = &mut self.types {
            types.push(t.clone());
        }
        t
    }

    fn node(&mut self, ast: &Ast) -> Type {
        match &ast.node {
            Node::Null => Type::Null,
            Node::Bool(_) => Type::Bool,
            Node::Int(_) => Type::Int,
            Node::Uint(_) => Type::Uint,
            Node::Double(_) => Type::Double,
            Node::Str(_) => Type::Str,
            Node::Bytes(_) => Type::Bytes,
            Node::Ident(name) => match self.lookup(name) {
                Some(t) => t,
                None if is_type(name) => Type::Type,
                None => self.undeclared(ast.at, name),
            },
            Node::Select {
                operand,
                field,
                optional,
            } => {
                // A variable whose name has a point: `authorizer.requestResource`.
                if let Node::Ident(name) = &operand.node
                    && let Some(t) = self.lookup(&format!("{name}.{field}"))
                {
                    return t;
                }
                let operand = self.expr(operand);
                let (operand, wrapped) = match operand {
                    Type::Optional(inner) => (inner.as_ref().clone(), true),
                    other => (other, *optional),
                };
                let t = self.select(ast.at, &operand, field);
                if wrapped { Type::Optional(Rc::new(t)) } else { t }
            }
            Node::Has { operand, field } => {
                let operand = match self.expr(operand) {
                    Type::Optional(inner) => inner.as_ref().clone(),
                    other => other,
                };
                self.select(ast.at, &operand, field);
                Type::Bool
            }
            Node::List(items) => {
                let t = self.same(items.iter());
                Type::List(Rc::new(t))
            }
            Node::Map(entries) => {
                let key = self.same(entries.iter().map(|(k, _)| k));
                let value = self.same(entries.iter().map(|(_, v)| v));
                Type::Map(Rc::new(key), Rc::new(value))
            }
            Node::Maybe(inner) => {
                let t = self.expr(inner);
                self.unwrapped(inner.at, t)
            }
            Node::Struct { name, fields } => self.message(ast.at, name, fields),
            Node::Call { function, target, args } => self.call(ast.at, function, target.as_deref(), args),
            Node::Macro {
                kind,
                range,
                variable,
                second,
                filter,
                body,
            } => {
                let range_type = self.expr(range);
                if matches!(kind, Macro::Optional | Macro::FlatOptional) {
                    let inner = self.unwrapped(range.at, range_type);
                    self.variables.push((variable.clone(), inner));
                    let t = self.expr(body);
                    self.variables.pop();
                    return match (kind, t) {
                        (Macro::Optional, t) => Type::Optional(Rc::new(t)),
                        (_, Type::Dyn | Type::Open) => Type::Dyn,
                        (_, t) => Type::Optional(Rc::new(self.unwrapped(body.at, t))),
                    };
                }
                let (first, other, item) = match &range_type {
                    Type::List(item) if second.is_some() => (Type::Int, item.as_ref().clone(), item.as_ref().clone()),
                    Type::List(item) => (item.as_ref().clone(), Type::Dyn, item.as_ref().clone()),
                    Type::Map(key, value) => (key.as_ref().clone(), value.as_ref().clone(), key.as_ref().clone()),
                    Type::Dyn | Type::Open => (Type::Dyn, Type::Dyn, Type::Dyn),
                    wrong => {
                        let message = format!(
                            "expression of type '{wrong}' cannot be range of a comprehension (must be list, map, or dynamic)"
                        );
                        self.issue(range.at, message);
                        (Type::Dyn, Type::Dyn, Type::Dyn)
                    }
                };
                let key = first.clone();
                let before = self.variables.len();
                self.variables.push((variable.clone(), first));
                if let Some(second) = second {
                    self.variables.push((second.clone(), other));
                }
                if let Some(filter) = filter {
                    let t = self.expr(filter);
                    self.boolean(filter.at, "_?_:_", &t);
                }
                let t = self.expr(body);
                self.variables.truncate(before);
                match kind {
                    Macro::Map | Macro::List => Type::List(Rc::new(t)),
                    Macro::Values => Type::Map(Rc::new(key), Rc::new(t)),
                    Macro::Entries => match t {
                        Type::Map(..) | Type::Dyn | Type::Open => t,
                        _ => {
                            let message = format!(
                                "found no matching overload for '@mapInsert' applied to '(map(dyn, dyn), {t})'"
                            );
                            self.issue(body.at, message);
                            Type::Dyn
                        }
                    },
                    Macro::SortBy => Type::List(Rc::new(item)),
                    // Answered above: they run over no list.
                    Macro::Optional | Macro::FlatOptional => t,
                    Macro::Filter => {
                        self.boolean(ast.at, "_?_:_", &t);
                        Type::List(Rc::new(item))
                    }
                    Macro::All => {
                        self.boolean(ast.at, "_&&_", &t);
                        Type::Bool
                    }
                    Macro::Exists => {
                        self.boolean(ast.at, "_||_", &t);
                        Type::Bool
                    }
                    Macro::ExistsOne => {
                        self.boolean(ast.at, "_?_:_", &t);
                        Type::Bool
                    }
                }
            }
        }
    }

    /// What a macro's predicate must be.
    fn boolean(&mut self, at: usize, function: &str, t: &Type) {
        if !matches!(t, Type::Bool | Type::Dyn | Type::Open) {
            let applied = if function == "_?_:_" {
                format!("({t}, list(dyn), list(dyn))")
            } else {
                format!("(bool, {t})")
            };
            self.issue(
                at,
                format!("found no matching overload for '{function}' applied to '{applied}'"),
            );
        }
    }

    /// What an optional value holds.
    fn unwrapped(&mut self, at: usize, t: Type) -> Type {
        match t {
            Type::Optional(inner) => inner.as_ref().clone(),
            Type::Dyn | Type::Open => Type::Dyn,
            other => {
                self.issue(at, format!("expected type 'optional_type(dyn)' but found '{other}'"));
                Type::Dyn
            }
        }
    }

    fn message(&mut self, at: usize, name: &str, fields: &[Init]) -> Type {
        let known = self.lookup(OBJECT).is_some()
            && (name == JSON_PATCH || name == OBJECT || name.strip_prefix(OBJECT).is_some_and(|n| n.starts_with('.')));
        let t = Type::Message(name.into());
        if !known {
            self.undeclared(at, name);
        }
        for Init { at, field, value } in fields {
            let got = self.expr(value);
            if !known {
                continue;
            }
            let wanted = self.select(*at, &t, field);
            if !fits(&wanted, &got, &mut Bindings::new()) {
                let message = format!("expected type of field '{field}' is '{wanted}' but provided type is '{got}'");
                self.issue(*at, message);
            }
        }
        if known { t } else { Type::Dyn }
    }

    /// The type that all of these have.
    fn same<'a>(&mut self, items: impl Iterator<Item = &'a Ast>) -> Type {
        if std::mem::take(&mut self.mixed) {
            for item in items {
                self.expr(item);
            }
            return Type::Dyn;
        }
        let mut common: Option<Type> = None;
        for item in items {
            let t = self.expr(item);
            match &common {
                None => common = Some(t),
                Some(first) => {
                    if alike(first, &t) {
                        common = Some(general(first, &t));
                    } else {
                        let message = format!("expected type '{first}' but found '{t}'");
                        self.issue(item.at, message);
                    }
                }
            }
        }
        common.unwrap_or(Type::Open)
    }

    fn select(&mut self, at: usize, operand: &Type, field: &str) -> Type {
        match operand {
            Type::Dyn | Type::Open => Type::Dyn,
            Type::Map(_, value) => value.as_ref().clone(),
            Type::Fields(_, fields) => match fields.iter().find(|(name, _)| &**name == field) {
                Some((_, t)) => t.clone(),
                None => {
                    self.issue(at, format!("undefined field '{field}'"));
                    Type::Dyn
                }
            },
            Type::Message(name) if &**name != JSON_PATCH => Type::Dyn,
            Type::Message(_) => match field {
                "op" | "path" | "from" => Type::Str,
                "value" => Type::Dyn,
                _ => {
                    self.issue(at, format!("undefined field '{field}'"));
                    Type::Dyn
                }
            },
            Type::Object(..) | Type::Api(_) => {
                let found = match operand {
                    Type::Api(ty) => api_field(ty, field),
                    Type::Object(schema, whole) => field_type(schema, *whole, field),
                    _ => None,
                };
                found.unwrap_or_else(|| {
                    self.issue(at, format!("undefined field '{field}'"));
                    Type::Dyn
                })
            }
            other => {
                self.issue(at, format!("type '{other}' does not support field selection"));
                Type::Dyn
            }
        }
    }

    fn call(&mut self, at: usize, function: &str, target: Option<&Ast>, args: &[Ast]) -> Type {
        // A function whose name has a point looks like a method.
        let qualified = match target {
            Some(Ast {
                node: Node::Ident(name),
                ..
            }) if self.lookup(name).is_none() && NAMESPACES.contains(&name.as_str()) => {
                Some(format!("{name}.{function}"))
            }
            _ => None,
        };
        let (name, method) = match (&qualified, target) {
            (Some(name), _) => (name.clone(), false),
            (None, Some(_)) => (format!(".{function}"), true),
            (None, None) => (function.to_owned(), false),
        };
        let mut types = Vec::new();
        if method && let Some(target) = target {
            types.push(self.expr(target));
        }
        for arg in args {
            let before = std::mem::replace(&mut self.mixed, method && function == "format");
            types.push(self.expr(arg));
            self.mixed = before;
        }
        if matches!(function, "matches")
            && let Some(Node::Str(text)) = args.last().map(|a| &a.node)
            && openapi::pattern(text).is_err()
            && let Some(arg) = args.last()
        {
            self.issue(arg.at, "invalid matches argument".into());
        }
        if matches!(function, "duration")
            && let Some(Node::Str(text)) = args.first().map(|a| &a.node)
            && duration::parse(text).is_err()
            && let Some(arg) = args.first()
        {
            self.issue(arg.at, "invalid duration argument".into());
        }
        if matches!(function, "timestamp")
            && let Some(Node::Str(text)) = args.first().map(|a| &a.node)
            && super::value::timestamp(text).is_none()
            && let Some(arg) = args.first()
        {
            self.issue(arg.at, "invalid timestamp argument".into());
        }
        if name == "jsonpatch.escapeKey" && self.lookup(OBJECT).is_none() {
            return self.undeclared(at, &name);
        }
        if compares(&name) {
            return self.comparison(at, &name, &types);
        }
        let Some(overloads) = overloads(&name) else {
            return self.undeclared(at, &name);
        };
        if matches!(function, "_&&_" | "_||_") {
            // A chain of these is one node; each of its parts is looked at by itself.
            for t in &types {
                if !matches!(t, Type::Bool | Type::Dyn | Type::Open) {
                    let shown = if types.first() == Some(t) && types.len() == 2 {
                        types.as_slice()
                    } else {
                        &[Type::Bool, t.clone()]
                    };
                    return self.no_overload(at, &name, false, shown);
                }
            }
            return Type::Bool;
        }
        let mut results: Vec<Type> = Vec::new();
        for (wanted, result) in &overloads {
            let mut bindings = Bindings::new();
            if wanted.len() == types.len() && wanted.iter().zip(&types).all(|(w, t)| fits(w, t, &mut bindings)) {
                let result = substitute(result, &bindings);
                if !results.contains(&result) {
                    results.push(result);
                }
            }
        }
        match results.as_slice() {
            [] => self.no_overload(at, &name, method, &types),
            [one] => one.clone(),
            _ => Type::Dyn,
        }
    }

    fn comparison(&mut self, at: usize, name: &str, types: &[Type]) -> Type {
        let number = |t: &Type| matches!(t, Type::Int | Type::Uint | Type::Double | Type::Dyn | Type::Open);
        let ordered = |t: &Type| {
            number(t)
                || matches!(
                    t,
                    Type::Bool | Type::Str | Type::Bytes | Type::Timestamp | Type::Duration
                )
        };
        let fine = match types {
            [a, b] => {
                (number(a) && number(b))
                    || (ordered(a)
                        && ordered(b)
                        && (a == b || matches!(a, Type::Dyn | Type::Open) || matches!(b, Type::Dyn | Type::Open)))
            }
            _ => false,
        };
        if fine {
            Type::Bool
        } else {
            self.no_overload(at, name, false, types);
            Type::Bool
        }
    }

    fn no_overload(&mut self, at: usize, name: &str, method: bool, types: &[Type]) -> Type {
        let text = |types: &[Type]| {
            let all: Vec<String> = types.iter().map(Type::to_string).collect();
            format!("({})", all.join(", "))
        };
        let applied = match types {
            [target, args @ ..] if method => format!("{target}.{}", text(args)),
            all => text(all),
        };
        let name = name.trim_start_matches('.');
        self.issue(
            at,
            format!("found no matching overload for '{name}' applied to '{applied}'"),
        );
        Type::Dyn
    }
}

/// The names of types, which are values too.
pub(super) fn is_type(name: &str) -> bool {
    matches!(
        name,
        "bool" | "int" | "uint" | "double" | "string" | "bytes" | "list" | "map" | "null_type" | "type"
    )
}
