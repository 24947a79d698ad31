//! Events.

use crate::api::names;
use crate::api::object::Object;
use crate::api::status::{FieldErrors, Status};
use crate::api::strategy::{Context, Strategy};
use crate::api::table::age;
use crate::flat::Case;
use crate::sim::Time;
use crate::value::Value;

/// The version that events are kept in.
pub const CORE: &str = "v1";

/// The version of the group `events.k8s.io`, which has other names for some fields.
const EVENTS: &str = "events.k8s.io/v1";

/// Fields by their names in [`CORE`] and in [`EVENTS`].
const NAMES: [(&str, &str); 7] = [
    ("count", "deprecatedCount"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("involvedObject", "regarding"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("message", "note"),
    ("reportingComponent", "reportingController"),
    ("source", "deprecatedSource"),
];

/// The longest `note` (`NoteLengthLimit`), and `action`, `reason` and `reportingInstance`.
const LONGEST: [(&str, usize); 4] = [
    ("reportingInstance", 128),
    ("action", 128),
    ("reason", 128),
    ("message", 1024),
];

/// The event in another version; as it is when it has that version already.
pub fn convert(value: &Value, version: &str) -> Value {
    let to_core = match (value.str_at(&["apiVersion"]), version) {
        (CORE, EVENTS) => false,
        (EVENTS, CORE) => true,
        _ => return value.clone(),
    };
    let mut out = value.clone();
    out.set(&["apiVersion"], version);
    for (core, events) in NAMES {
        let (from, to) = if to_core { (events, core) } else { (core, events) };
        let held = value.get(from);
        if value.has(from) {
            out.set_or_remove(&[from], Value::Null);
            out.set(&[to], held.clone());
        }
    }
    out
}

/// The rules of events, as each of the two groups sees them.
pub enum EventRules {
    Core,
    Events,
}

impl Strategy for EventRules {
    fn created_by_update(&self) -> bool {
        true
    }

    fn default_propagation(&self) -> &'static str {
        ""
    }

    fn prepare_create(&self, _object: &mut Value, _cx: &Context) -> Result<(), Status> {
        Ok(())
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let namespace = object.at(&["involvedObject", "namespace"]);
        let own = object.str_at(&["metadata", "namespace"]);
        let timed = !object.get("eventTime").is_null();
        let fits = match (namespace.str(), timed) {
            ("", false) => own == "default",
            ("", true) => matches!(own, "default" | "kube-system"),
            (ns, _) => ns == own,
        };
        if !fits {
            errors.invalid(
                "involvedObject.namespace",
                &namespace.str().into(),
                "does not match event.namespace",
            );
        }
        if timed {
            let controller = object.get("reportingComponent");
            if controller.is_empty() {
                errors.required("reportingController", "");
            }
            errors.check("reportingController", controller, names::label_key);
            for (field, longest) in LONGEST {
                let text = object.get(field).str();
                if text.is_empty() && field != "message" {
                    errors.required(field, "");
                }
                if text.len() > longest {
                    errors.invalid(field, &"".into(), format!("can have at most {longest} characters"));
                }
            }
        }
        if let EventRules::Events = self {
            validate_strictly(object, errors);
        }
    }

    fn field(&self, object: &Object, field: &str) -> Option<String> {
        // Events are kept in the core version, and are selected as they are kept.
        let value = object.value();
        let renamed = match (self, field.strip_prefix("regarding."), field) {
            (EventRules::Core, ..) => None,
            (_, Some(part), _) => Some(format!("involvedObject.{part}")),
            (_, None, "reportingController") => Some("reportingComponent".to_owned()),
            (_, None, "reason" | "type") => None,
            _ => return None,
        };
        let field = renamed.as_deref().unwrap_or(field);
        if let Some(part) = field.strip_prefix("involvedObject.") {
            let known = [
                "kind",
                "namespace",
                "name",
                "uid",
                "apiVersion",
                "resourceVersion",
                "fieldPath",
            ];
            return known
                .contains(&part)
                .then(|| value.str_at(&["involvedObject", part]).to_owned());
        }
        match field {
            "reason" | "type" => Some(value.get(field).str().to_owned()),
            "reportingComponent" => Some(value.get(field).str().to_owned()),
            "source" => Some(match value.str_at(&["source", "component"]) {
                "" => value.get("reportingComponent").str().to_owned(),
                component => component.to_owned(),
            }),
            _ => None,
        }
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let value = &convert(object.value(), CORE);
        let since = |path: &[&str]| Time::parse(value.str_at(path)).map(|t| age(t, now));
        let first = since(&["firstTimestamp"])
            .or_else(|| since(&["eventTime"]))
            .unwrap_or_else(|| "<unknown>".into());
        let mut last = since(&["lastTimestamp"]).unwrap_or_else(|| first.clone());
        let mut count = value.i64_at(&["count"]).unwrap_or(0);
        let series = value.get("series");
        if !series.is_null() {
            last = since(&["series", "lastObservedTime"]).unwrap_or_else(|| "<unknown>".to_owned());
            count = series.i64_at(&["count"]).unwrap_or(0);
        } else if count == 0 {
            count = 1;
        }
        let involved = value.get("involvedObject");
        let mut target = involved.get("kind").str().lower();
        if !involved.get("name").is_empty() {
            target = format!("{target}/{}", involved.get("name").str());
        }
        let either = |old: &str, new: &str| match value.str_at(&["source", old]) {
            "" => value.get(new).str(),
            text => text,
        };
        let component = either("component", "reportingComponent");
        let host = either("host", "reportingInstance");
        let source = if host.is_empty() {
            component.to_owned()
        } else {
            format!("{component}, {host}")
        };
        Some(vec![
            last.into(),
            value.get("type").str().into(),
            value.get("reason").str().into(),
            target.into(),
            involved.get("fieldPath").str().into(),
            source.into(),
            value.get("message").str().trim().into(),
            first.into(),
            count.to_string().into(),
            object.name().into(),
        ])
    }
}

/// What the newer group asks for besides (`ValidateEventCreate`).
fn validate_strictly(object: &Value, errors: &mut FieldErrors) {
    let none = Value::from("");
    let series = object.get("series");
    if !series.is_null() {
        if series.i64_at(&["count"]).unwrap_or(0) < 2 {
            errors.invalid("series.count", &none, "should be at least 2");
        }
        if series.get("lastObservedTime").is_empty() {
            errors.required("series.lastObservedTime", "");
        }
    }
    if object.get("eventTime").is_null() {
        errors.required("eventTime", "");
    }
    let kind = object.get("type").str();
    if !matches!(kind, "Normal" | "Warning") {
        errors.invalid("type", &none, format!("has invalid value: {kind}"));
    }
    for field in ["firstTimestamp", "lastTimestamp", "count", "source"] {
        if !object.get(field).is_empty() {
            errors.invalid(field, &none, "needs to be unset");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::kinds::tests::{post, server};
    use crate::api::{ObjectKey, Request};
    use crate::{list, obj};

    #[test]
    fn one_event_in_two_groups() {
        let api = server();
        let core = "/api/v1/namespaces/default/events";
        let newer = "/apis/events.k8s.io/v1/namespaces/default/events";
        let about = obj! { "kind": "Pod", "name": "web", "namespace": "default" };
        let old = obj! { "metadata": obj! { "name": "a" }, "involvedObject": about.clone(), "message": "m", "reason": "R", "type": "Normal", "count": 2 };
        assert_eq!(post(&api, core, old).code, 201);
        let seen = api.serve(Request::get(format!("{newer}/a"))).value();
        assert_eq!(seen.str_at(&["apiVersion"]), EVENTS);
        assert_eq!(seen.str_at(&["note"]), "m");
        assert_eq!(seen.i64_at(&["deprecatedCount"]), Some(2));
        assert!(!seen.has("message") && !seen.has("involvedObject"));
        let new = obj! {
            "metadata": obj! { "name": "b" }, "regarding": about, "note": "n", "reason": "R", "type": "Normal", "action": "A",
            "eventTime": "2026-11-26T12:00:00.000000Z", "reportingController": "x.io/c", "reportingInstance": "c-1",
        };
        assert_eq!(post(&api, newer, new).code, 201);
        let kept = api
            .store()
            .get(&std::rc::Rc::from("events"), &ObjectKey::new("default", "b"))
            .unwrap();
        assert_eq!(kept.value().str_at(&["reportingComponent"]), "x.io/c");
        for (path, selector) in [
            (core, "involvedObject.name=web"),
            (newer, "regarding.name=web,reportingController=x.io/c"),
        ] {
            let found = api.serve(Request::get(path).with("fieldSelector", selector)).value();
            assert!(!found.get("items").items().is_empty(), "{path} {}", found.to_json());
        }
        let wrong = obj! { "metadata": obj! { "name": "c" }, "type": "Odd", "series": obj! { "count": 1 } };
        let answer = post(&api, newer, wrong).value();
        expect_test::expect![[r#"Event.events.k8s.io "c" is invalid: [series.count: Invalid value: "": should be at least 2, series.lastObservedTime: Required value, eventTime: Required value, type: Invalid value: "": has invalid value: Odd]"#]]
            .assert_eq(answer.str_at(&["message"]));
        assert_eq!(
            answer.at(&["details", "causes"]).items().len(),
            4,
            "{}",
            list![answer.clone()].to_json()
        );
    }
}
