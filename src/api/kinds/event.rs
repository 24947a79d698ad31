//! Events.

use crate::api::object::Object;
use crate::api::status::{FieldErrors, Status};
use crate::api::strategy::{Context, Strategy};
use crate::api::table::age;
use crate::sim::Time;
use crate::value::Value;

pub struct EventRules;

impl Strategy for EventRules {
    fn prepare_create(&self, _object: &mut Value, _cx: &Context) -> Result<(), Status> {
        Ok(())
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let namespace = object.at(&["involvedObject", "namespace"]);
        let own = object.str_at(&["metadata", "namespace"]);
        let fits = match namespace.str() {
            "" => own == "default",
            ns => ns == own,
        };
        if !fits {
            errors.invalid("involvedObject.namespace", namespace, "does not match event.namespace");
        }
    }

    fn field(&self, object: &Object, field: &str) -> Option<String> {
        let value = object.value();
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
        let value = object.value();
        let since = |path: &[&str]| Time::parse(value.str_at(path)).map(|t| age(t, now));
        let first = since(&["firstTimestamp"])
            .or_else(|| since(&["eventTime"]))
            .unwrap_or_else(|| "<unknown>".into());
        let mut last = since(&["lastTimestamp"]).unwrap_or_else(|| first.clone());
        let mut count = value.i64_at(&["count"]).unwrap_or(0);
        let series = value.get("series");
        if !series.is_null() {
            last = since(&["series", "lastObservedTime"]).unwrap_or(last);
            count = series.i64_at(&["count"]).unwrap_or(0);
        } else if count == 0 {
            count = 1;
        }
        let involved = value.get("involvedObject");
        let mut target = involved.get("kind").str().to_lowercase();
        if !involved.get("name").is_empty() {
            target = format!("{target}/{}", involved.get("name").str());
        }
        let (component, host) = match value.str_at(&["source", "component"]) {
            "" => (
                value.get("reportingComponent").str(),
                value.get("reportingInstance").str(),
            ),
            component => (component, value.str_at(&["source", "host"])),
        };
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
