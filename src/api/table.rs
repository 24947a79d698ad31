//! Server-side Tables: the columns and rows that `kubectl get` prints.

use super::custom::{CustomVersion, NAMED};
use super::object::Object;
use super::request::List;
use super::resource::Resource;
use super::server::ApiServer;
use crate::flat::Arrange;
use crate::obj;
use crate::sim::Time;
use crate::value::Value;

const COLUMNS: &str = include_str!("data/columns.txt");

/// Whether an `Accept` header asks for a Table before anything else.
pub fn wanted(accept: &str) -> bool {
    accept.split(',').next().is_some_and(|first| first.contains("as=Table"))
}

/// A column's definition: name, type, format, priority.
pub fn columns(resource: &Resource) -> Vec<[&'static str; 4]> {
    let path = resource.path("");
    let mut lines = COLUMNS.lines().skip_while(|l| *l != path);
    lines.next();
    let columns: Vec<[&str; 4]> = lines
        .take_while(|l| l.starts_with('\t'))
        .map(|l| {
            let mut words = l.split('\t').skip(1);
            std::array::from_fn(|_| words.next().unwrap_or(""))
        })
        .collect();
    if columns.is_empty() {
        vec![["Name", "string", "name", "0"], ["Age", "string", "", "0"]]
    } else {
        columns
    }
}

/// How long ago `then` was, as Tables and `describe` print it (`duration.HumanDuration`).
pub fn age(then: Time, now: Time) -> String {
    if then == Time::default() {
        return "<unknown>".into();
    }
    human_duration(now.seconds_since(then))
}

/// `duration.HumanDuration` of apimachinery, in whole seconds.
pub fn human_duration(seconds: i64) -> String {
    if seconds < -1 {
        return "<invalid>".into();
    }
    let s = seconds.max(0);
    let (minutes, hours, days) = (s / 60, s / 3_600, s / 86_400);
    let two = |a: i64, x: &str, b: i64, y: &str| {
        if b == 0 {
            format!("{a}{x}")
        } else {
            format!("{a}{x}{b}{y}")
        }
    };
    match () {
        () if s < 120 => format!("{s}s"),
        () if minutes < 10 => two(minutes, "m", s % 60, "s"),
        () if minutes < 180 => format!("{minutes}m"),
        () if hours < 8 => two(hours, "h", minutes % 60, "m"),
        () if hours < 48 => format!("{hours}h"),
        () if hours < 24 * 8 => two(days, "d", hours % 24, "h"),
        () if days < 365 * 2 => format!("{days}d"),
        () if days < 365 * 8 => two(days / 365, "y", days % 365, "d"),
        () => format!("{}y", days / 365),
    }
}

/// The cells of a row.
pub fn row(resource: &Resource, object: &Object, now: Time) -> Vec<Value> {
    resource.strategy().row(object, now).unwrap_or_else(|| {
        // A kind without a printer of its own: what every object has, in its columns.
        columns(resource)
            .iter()
            .map(|[name, ..]| match *name {
                "Name" => object.name().into(),
                "Age" => age(object.created(), now).into(),
                "Created At" => object.created().to_string().into(),
                _ => Value::from("<unknown>"),
            })
            .collect()
    })
}

/// The columns of a custom resource: its name and what its definition prints.
fn custom_columns(custom: &CustomVersion) -> Value {
    let name = obj! { "name": "Name", "type": "string", "format": "name", "description": NAMED, "priority": 0 };
    let own = custom.columns.iter().map(|c| {
        let description = match c.description.as_str() {
            "" => format!(
                "Custom resource definition column (in JSONPath format): {}",
                c.path_text
            ),
            text => text.to_owned(),
        };
        obj! {
            "name": c.name.as_str(),
            "type": c.kind.as_str(),
            "format": c.format.as_str(),
            "description": description,
            "priority": c.priority,
        }
    });
    std::iter::once(name).chain(own).collect()
}

/// The `Table` of one Scale, which has columns of its own whatever it scales.
pub fn of_scale(scale: &Value, created: Time, now: Time, include: &str) -> Value {
    let columns = [
        ("Name", "string"),
        ("Desired", "integer"),
        ("Available", "integer"),
        ("Age", "string"),
    ];
    let definitions: Value = columns
        .into_iter()
        .map(|(name, kind)| {
            let format = if name == "Name" { "name" } else { "" };
            obj! { "name": name, "type": kind, "format": format, "description": "", "priority": 0 }
        })
        .collect();
    let count = |path: &[&str]| scale.i64_at(path).unwrap_or(0);
    let cells = crate::list![
        scale.str_at(&["metadata", "name"]),
        count(&["spec", "replicas"]),
        count(&["status", "replicas"]),
        age(created, now),
    ];
    let shown = match include {
        "Object" => scale.clone(),
        "None" => Value::Null,
        _ => obj! {
            "apiVersion": "meta.k8s.io/v1",
            "kind": "PartialObjectMetadata",
            "metadata": scale.get("metadata"),
        },
    };
    obj! {
        "apiVersion": "meta.k8s.io/v1",
        "columnDefinitions": definitions,
        "kind": "Table",
        "metadata": obj! { "resourceVersion": scale.str_at(&["metadata", "resourceVersion"]) },
        "rows": crate::list![obj! { "cells": cells, "object": shown }],
    }
}

/// A `Table` of these objects. `include` is the request's `includeObject`.
pub fn render(api: &ApiServer, resource: &Resource, objects: &[Object], list: Option<&List>, include: &str) -> Value {
    let now = api.sim().now();
    let definitions: Value = match &resource.custom {
        Some(custom) => custom_columns(custom),
        None => columns(resource)
            .into_iter()
            .map(|[name, kind, format, priority]| {
                obj! {
                    "name": name,
                    "type": kind,
                    "format": format,
                    "description": "",
                    "priority": priority.parse::<i64>().unwrap_or(0),
                }
            })
            .collect(),
    };
    let strategy = resource.strategy();
    let mut ordered: Vec<&Object> = objects.iter().collect();
    ordered.arrange_by_key(|object| strategy.row_order(object));
    let rows: Value = ordered
        .into_iter()
        .map(|object| {
            let shown = match include {
                "Object" => object.value().clone(),
                "None" => Value::Null,
                _ => obj! {
                    "apiVersion": "meta.k8s.io/v1",
                    "kind": "PartialObjectMetadata",
                    "metadata": object.metadata(),
                },
            };
            obj! { "cells": row(resource, object, now), "object": shown }
        })
        .collect();
    let metadata = match list {
        Some(list) => list.to_value().get("metadata").clone(),
        None => obj! { "resourceVersion": objects.first().map(|o| o.revision().to_string()) },
    };
    obj! {
        "apiVersion": "meta.k8s.io/v1",
        "columnDefinitions": definitions,
        "kind": "Table",
        "metadata": metadata,
        "rows": rows,
    }
}
