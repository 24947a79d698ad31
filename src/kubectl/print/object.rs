//! `-o json`, `-o yaml`, `-o name`, and the List that several objects are wrapped in. Knows only `value`.

use crate::flat::Case;
use crate::obj;
use crate::value::{Value, gojson, yaml};

/// An object as `-o json` prints it.
pub fn json(object: &Value) -> String {
    let mut out = gojson::indented(object, "    ", true);
    out.push('\n');
    out
}

/// `-o yaml`: separates documents with `---`.
#[derive(Clone, Debug, Default)]
pub struct YamlPrinter {
    printed: bool,
}

impl YamlPrinter {
    /// Prints an object, after a separator when it is not the first.
    pub fn print(&mut self, object: &Value) -> String {
        let text = yaml::to_yaml(object);
        if std::mem::replace(&mut self.printed, true) {
            format!("---\n{text}")
        } else {
            text
        }
    }
}

/// Several objects as the one List that `get -o json` and `-o yaml` print.
pub fn list(items: Vec<Value>) -> Value {
    obj! {
        "apiVersion": "v1",
        "items": items,
        "kind": "List",
        "metadata": obj! { "resourceVersion": "" },
    }
}

/// The object, and a list's items, without `metadata.managedFields`.
pub fn omit_managed_fields(object: &Value) -> Value {
    let mut object = object.clone();
    object.remove(&["metadata", "managedFields"]);
    let items = object.get("items").items();
    if items.iter().any(|i| i.get("metadata").has("managedFields")) {
        let items: Vec<Value> = items
            .iter()
            .map(|item| {
                let mut item = item.clone();
                item.remove(&["metadata", "managedFields"]);
                item
            })
            .collect();
        object.set(&["items"], items);
    }
    object
}

/// `pod`, `deployment.apps`: the kind in lower case with its group.
pub fn kind_and_group(object: &Value) -> String {
    let kind = object.get("kind").str().lower();
    match object.get("apiVersion").str().split_once('/') {
        Some((group, _)) => format!("{kind}.{group}"),
        None => kind,
    }
}

/// `pod/web`, `deployment.apps/web`: how kubectl names an object. The error is kubectl's.
pub fn name(object: &Value) -> Result<String, String> {
    const UNTYPED: &str = "missing apiVersion or kind; try GetObjectKind().SetGroupVersionKind() if you know the type";
    if object.get("kind").str().is_empty() || object.get("apiVersion").str().is_empty() {
        return Err(UNTYPED.to_owned());
    }
    let name = match object.str_at(&["metadata", "name"]) {
        "" => "<unknown>",
        name => name,
    };
    Ok(format!("{}/{name}", kind_and_group(object)))
}

/// The names of an object or of a list's items, a line each, as `-o name` prints them; with an
/// operation (`created`, `configured (dry run)`) after them when there is one.
pub fn names(object: &Value, operation: &str) -> Result<String, String> {
    let items = match object.get("items").as_list() {
        Some(items) if object.get("kind").str().ends_with("List") => items,
        _ => std::slice::from_ref(object),
    };
    let mut out = String::new();
    for item in items {
        out.push_str(&name(item)?);
        if !operation.is_empty() {
            out.push(' ');
            out.push_str(operation);
        }
        out.push('\n');
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list;

    fn pod() -> Value {
        obj! { "apiVersion": "v1", "kind": "Pod", "metadata": obj! { "name": "web", "managedFields": list![1] } }
    }

    #[test]
    fn printing() {
        let deployment = obj! { "apiVersion": "apps/v1", "kind": "Deployment", "metadata": obj! { "name": "web" } };
        assert_eq!(names(&pod(), "created").unwrap(), "pod/web created\n");
        assert_eq!(
            names(&list(vec![pod(), deployment.clone()]), "").unwrap(),
            "pod/web\ndeployment.apps/web\n"
        );
        assert!(names(&obj! {}, "").is_err());
        let clean = omit_managed_fields(&list(vec![pod()]));
        assert_eq!(
            json(&clean),
            "{\n    \"apiVersion\": \"v1\",\n    \"items\": [\n        {\n            \"apiVersion\": \"v1\",\n            \"kind\": \"Pod\",\n            \"metadata\": {\n                \"name\": \"web\"\n            }\n        }\n    ],\n    \"kind\": \"List\",\n    \"metadata\": {\n        \"resourceVersion\": \"\"\n    }\n}\n"
        );
        let mut printer = YamlPrinter::default();
        assert_eq!(printer.print(&obj! { "a": 1 }), "a: 1\n");
        assert_eq!(printer.print(&obj! { "a": 1 }), "---\na: 1\n");
    }
}
