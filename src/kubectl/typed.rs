//! JSON of typed objects: Go writes the fields of a struct in their order, where a map's are sorted.
//! `-o json` of what kubectl reads as structs, `--save-config` and raw answers show it.

use std::rc::Rc;

use crate::api::quantity::Quantity;
use crate::api::resource;
use crate::api::schema::{self, Expr, Type};
use crate::flat::Arrange;
use crate::value::{Key, Map, Value, gojson};

/// Field names in the order of Go's structs, for what no type in the API's table is known of: the answers of
/// `/version` and `/api`, and what kubectl puts together itself.
const ORDER: &[&str] = &[
    "kind",
    // The `exec` of a user has these before its version.
    "command",
    "args",
    "env",
    "apiVersion",
    "installHint",
    "provideClusterInfo",
    "interactiveMode",
    "metadata",
    "clientVersion",
    "kustomizeVersion",
    "serverVersion",
    "major",
    "minor",
    "emulationMajor",
    "emulationMinor",
    "minCompatibilityMajor",
    "minCompatibilityMinor",
    "gitVersion",
    "gitCommit",
    "gitTreeState",
    "buildDate",
    "goVersion",
    "compiler",
    "platform",
    "groupVersion",
    "versions",
    "preferredVersion",
    "serverAddressByClientCIDRs",
    "items",
    "name",
    "cluster",
    "user",
    "namespace",
    "server",
    "tls-server-name",
    "insecure-skip-tls-verify",
    "certificate-authority",
    "certificate-authority-data",
    "proxy-url",
    "disable-compression",
    "client-certificate",
    "client-certificate-data",
    "client-key",
    "client-key-data",
    "token",
    "tokenFile",
    "as",
    "as-uid",
    "as-groups",
    "as-user-extra",
    "username",
    "password",
    "auth-provider",
    "exec",
    "preferences",
    "clusters",
    "users",
    "contexts",
    "current-context",
    "extensions",
];

/// The fields of a kuberc's structs, outer ones first.
const PREFERENCE: &[&str] = &[
    "kind",
    "apiVersion",
    "defaults",
    "aliases",
    "credentialPluginPolicy",
    "credentialPluginAllowlist",
    "name",
    "command",
    "prependArgs",
    "appendArgs",
    "options",
    "default",
];

/// What is known of a value's fields.
#[derive(Clone)]
pub enum Shape {
    /// The fields of this type.
    Type(Rc<Type>),
    /// Keys of the user's, whose values are of this expression.
    Expr(Expr),
    /// A `v1` List that kubectl made, whose items it holds as maps.
    List,
    /// Preferences of kubectl: names as in [`PREFERENCE`].
    Preference,
    /// Nothing: names as in [`ORDER`], and others after them.
    Unknown,
}

impl Shape {
    /// Of what is held in maps, whose keys Go sorts.
    pub const SORTED: Shape = Shape::Expr(Expr::Any);

    /// The shape of a whole object, from its own kind.
    pub fn of(object: &Value) -> Shape {
        if object.str_at(&["kind"]) == "List" {
            return Shape::List;
        }
        let of_kuberc = object.str_at(&["apiVersion"]).starts_with("kubectl.config.k8s.io/");
        if of_kuberc && object.str_at(&["kind"]) == "Preference" {
            return Shape::Preference;
        }
        let ty = schema::by_kind(object.str_at(&["apiVersion"]), object.str_at(&["kind"]));
        ty.map_or(Shape::Unknown, Shape::Type)
    }

    /// A value with its quantities as Go's structs write them: `cpu: 1` as `cpu: "1"`.
    pub fn canonical(&self, value: &Value) -> Value {
        match (self, value) {
            (Shape::Expr(Expr::Quantity), Value::Str(_) | Value::Int(_) | Value::Float(_)) => {
                let text = value.as_str().map_or_else(|| value.to_json(), str::to_owned);
                Quantity::parse(&text).map_or_else(|_| value.clone(), |q| q.to_string().into())
            }
            (_, Value::Map(map)) => {
                let mut out = value.clone();
                for (name, inner) in map.iter() {
                    let new = self.field(name, inner).1.canonical(inner);
                    if new != *inner {
                        out.set(&[name], new);
                    }
                }
                out
            }
            (_, Value::List(items)) => items.iter().map(|i| self.item(i).canonical(i)).collect(),
            _ => value.clone(),
        }
    }

    fn of_expr(expr: &Expr) -> Shape {
        match expr.resolve() {
            Some(ty) if !ty.fields.is_empty() => Shape::Type(ty),
            _ => Shape::Expr(expr.clone()),
        }
    }

    /// The shape of the items of a list of this one.
    pub fn item(&self, item: &Value) -> Shape {
        match self {
            Shape::Expr(Expr::List(inner)) => Shape::of_expr(inner),
            Shape::Unknown if item.has("kind") => Shape::of(item),
            other => other.clone(),
        }
    }

    /// A field's place among those of the struct, and its own shape.
    fn field(&self, name: &str, value: &Value) -> (usize, Shape) {
        match self {
            Shape::Type(ty) => match ty.place(name) {
                (place, Some(field)) => (place, Shape::of_expr(&field.expr)),
                (place, None) => (place, Shape::Unknown),
            },
            Shape::Expr(Expr::Map(inner)) => (0, Shape::of_expr(inner)),
            Shape::Expr(_) => (0, Shape::Expr(Expr::Any)),
            Shape::List if name == "items" => (ORDER.len(), Shape::SORTED),
            Shape::Preference => (
                PREFERENCE.iter().position(|n| *n == name).unwrap_or(PREFERENCE.len()),
                Shape::Preference,
            ),
            Shape::Unknown | Shape::List => {
                let place = ORDER.iter().position(|n| *n == name).unwrap_or(ORDER.len());
                (
                    place,
                    if value.has("kind") {
                        Shape::of(value)
                    } else {
                        Shape::Unknown
                    },
                )
            }
        }
    }

    /// The entries of a map in the order of the struct; equal places stay in the order of their keys.
    pub fn entries<'v>(&self, map: &'v Map) -> Vec<(Shape, &'v Key, &'v Value)> {
        let mut entries: Vec<_> = map
            .iter()
            .map(|(k, v)| {
                let (place, shape) = self.field(k.as_str(), v);
                (place, shape, k, v)
            })
            .collect();
        entries.arrange_by_key(|(place, ..)| *place);
        entries.into_iter().map(|(_, shape, k, v)| (shape, k, v)).collect()
    }
}

/// JSON on one line.
pub fn compact(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value, None, 0, &Shape::of(value));
    out
}

/// JSON with this indentation.
pub fn indented(value: &Value, indent: &str) -> String {
    let mut out = String::new();
    write(&mut out, value, Some(indent), 0, &Shape::of(value));
    out
}

/// JSON as the API server answers it, over several lines when `pretty`: its own kinds are structs, whose lists
/// leave the type out of their items; custom resources are maps, whose keys are sorted.
pub fn wire(value: &Value, pretty: bool) -> String {
    let (group, _) = resource::split(value.get("apiVersion").str());
    let own = ["apidiscovery.k8s.io", "meta.k8s.io", "metrics.k8s.io"].contains(&group)
        || resource::built_in().iter().any(|r| &*r.group == group);
    match (!own, pretty) {
        (true, true) => gojson::indented(value, "  ", true),
        (true, false) => gojson::compact(value, true),
        (false, true) => indented(&with_bare_items(value), "  "),
        (false, false) => compact(&with_bare_items(value)),
    }
}

/// An event of a watch as the API server answers it: a line.
pub fn wire_event(name: &str, object: &Value) -> String {
    format!("{{\"type\":\"{name}\",\"object\":{}}}\n", wire(object, false))
}

/// A list as Go's structs hold it: an item has a type of its own only where the list's does not say it.
fn with_bare_items(list: &Value) -> Value {
    let kind = list.get("kind").str().strip_suffix("List");
    let Some(kind) = kind.filter(|kind| list.has("items") && !matches!(*kind, "" | "PartialObjectMetadata")) else {
        return list.clone();
    };
    let mut bare = list.clone();
    strip_items(&mut bare, |item| item == kind);
    bare
}

/// Takes the types off the items of a list, where `of` says so of their kinds.
pub fn strip_items(list: &mut Value, of: impl Fn(&str) -> bool) {
    for item in list.at_mut(&["items"]).list_mut() {
        if of(item.get("kind").str()) {
            item.remove(&["kind"]);
            item.remove(&["apiVersion"]);
        }
    }
}

fn line(out: &mut String, indent: Option<&str>, depth: usize) {
    if let Some(indent) = indent {
        out.push('\n');
        for _ in 0..depth {
            out.push_str(indent);
        }
    }
}

fn write(out: &mut String, value: &Value, indent: Option<&str>, depth: usize, shape: &Shape) {
    match value {
        Value::Map(m) if !m.is_empty() => {
            out.push('{');
            for (i, (shape, k, v)) in shape.entries(m).into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                line(out, indent, depth + 1);
                out.push_str(&gojson::compact(&Value::from(k.as_str()), true));
                out.push_str(if indent.is_some() { ": " } else { ":" });
                write(out, v, indent, depth + 1, &shape);
            }
            line(out, indent, depth);
            out.push('}');
        }
        Value::List(l) if !l.is_empty() => {
            out.push('[');
            for (i, v) in l.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                line(out, indent, depth + 1);
                write(out, v, indent, depth + 1, &shape.item(v));
            }
            line(out, indent, depth);
            out.push(']');
        }
        other => out.push_str(&gojson::compact(other, true)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{list, obj};

    #[test]
    fn the_order_of_structs() {
        let pod = obj! {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": obj! { "labels": obj! { "run": "web", "app": "x" }, "name": "web" },
            "spec": obj! { "containers": list![obj! { "image": "nginx", "name": "web" }], "dnsPolicy": "ClusterFirst", "restartPolicy": "Always" },
            "status": obj! {},
        };
        assert_eq!(
            compact(&pod),
            r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"web","labels":{"app":"x","run":"web"}},"spec":{"containers":[{"name":"web","image":"nginx"}],"restartPolicy":"Always","dnsPolicy":"ClusterFirst"},"status":{}}"#
        );
        assert!(indented(&pod, "    ").starts_with("{\n    \"kind\": \"Pod\",\n"));
    }

    #[test]
    fn items_of_the_servers_own_lists_have_no_type() {
        let list = |api_version: &str, kind: &str, item: &str| {
            let items = list![obj! { "apiVersion": api_version, "kind": item, "metadata": obj! {} }];
            wire(&obj! { "apiVersion": api_version, "kind": kind, "items": items }, false)
        };
        expect_test::expect![[r#"{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{}}]}"#]]
            .assert_eq(&list("v1", "PodList", "Pod"));
        expect_test::expect![[r#"{"apiVersion":"acme.io/v1","items":[{"apiVersion":"acme.io/v1","kind":"Box","metadata":{}}],"kind":"BoxList"}"#]]
            .assert_eq(&list("acme.io/v1", "BoxList", "Box"));
    }
}
