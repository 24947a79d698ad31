//! What all describers write with: indented lines in aligned columns, labels, annotations,
//! tolerations, events. Touches nothing else.

use crate::api::table::human_duration;
use crate::api::well_known::LAST_APPLIED;
use crate::flat::Arrange;
use crate::kubectl::print::{TabWriter, escape_terminal};
use crate::sim::Time;
use crate::value::Value;

/// Annotations longer than this go on lines of their own, cut to it.
pub(super) const ANNOTATION: usize = 140;

/// Text in columns.
pub(super) struct Out {
    writer: TabWriter,
    done: String,
    /// How many levels deeper than they say all lines stand.
    base: usize,
    pub now: Time,
}

impl Out {
    pub fn new(now: Time) -> Out {
        Out {
            writer: TabWriter::describe(),
            done: String::new(),
            base: 0,
            now,
        }
    }

    /// Everything written, aligned.
    pub fn finish(mut self) -> String {
        self.flush();
        self.done
    }

    /// Everything written since the last alignment, with its tabs as they are.
    pub fn finish_raw(mut self) -> String {
        self.writer.raw()
    }

    /// Aligns what stands so far apart from what follows.
    pub fn flush(&mut self) {
        self.done.push_str(&self.writer.flush());
    }

    /// Writes text as it is, at a level of indentation.
    pub fn put(&mut self, level: usize, text: impl AsRef<str>) {
        for _ in 0..self.base + level {
            self.writer.write("  ");
        }
        self.writer.write(&escape_terminal(text.as_ref()));
    }

    /// Ends a line that `put` began, wherever that stands.
    pub fn end(&mut self, text: &str) {
        self.writer.write(text);
        self.writer.write("\n");
    }

    /// Writes a part some levels deeper: each piece that is written is moved, in the middle of a line too.
    pub fn nested(&mut self, levels: usize, part: impl FnOnce(&mut Out)) {
        self.base += levels;
        part(self);
        self.base -= levels;
    }

    pub fn line(&mut self, level: usize, text: impl AsRef<str>) {
        self.put(level, text);
        self.writer.write("\n");
    }

    /// `Label:<tab>value`.
    pub fn field(&mut self, level: usize, label: &str, value: impl std::fmt::Display) {
        self.line(level, format!("{label}:\t{value}"));
    }

    /// The same when the value is not empty.
    pub fn field_if(&mut self, level: usize, label: &str, value: &str) {
        if !value.is_empty() {
            self.field(level, label, value);
        }
    }

    /// Name and namespace.
    pub fn name(&mut self, object: &Value) {
        self.field(0, "Name", object.str_at(&["metadata", "name"]));
        self.field(0, "Namespace", object.str_at(&["metadata", "namespace"]));
    }

    pub fn labels(&mut self, title: &str, labels: &Value) {
        self.labels_indented("", title, labels);
    }

    pub fn labels_indented(&mut self, indent: &str, title: &str, labels: &Value) {
        self.put(0, format!("{indent}{title}:\t"));
        if labels.is_empty() {
            self.end("<none>");
        }
        for (i, (key, value)) in labels.entries().enumerate() {
            if i > 0 {
                self.put(0, indent);
                self.put(0, "\t");
            }
            self.line(0, format!("{key}={}", value.str()));
        }
    }

    pub fn annotations(&mut self, title: &str, annotations: &Value) {
        self.put(0, format!("{title}:\t"));
        let mut first = true;
        for (key, value) in annotations.entries().filter(|(k, _)| k.as_str() != LAST_APPLIED) {
            if !std::mem::take(&mut first) {
                self.put(0, "\t");
            }
            let value = value.str();
            let value = value.strip_suffix('\n').unwrap_or(value);
            if value.len() + key.len() + 2 > ANNOTATION || value.contains('\n') {
                self.line(0, format!("{key}:"));
                for line in value.split('\n') {
                    self.line(0, format!("\t  {}", shorten(line, ANNOTATION - 2)));
                }
            } else {
                self.line(0, format!("{key}: {value}"));
            }
        }
        if first {
            self.end("<none>");
        }
    }

    /// Labels and annotations of an object.
    pub fn metadata(&mut self, object: &Value) {
        self.labels("Labels", object.at(&["metadata", "labels"]));
        self.annotations("Annotations", object.at(&["metadata", "annotations"]));
    }

    pub fn tolerations(&mut self, title: &str, tolerations: &Value) {
        self.put(0, format!("{title}:\t"));
        let mut sorted: Vec<&Value> = tolerations.items().iter().collect();
        sorted.arrange_by_key(|t| t.get("key").str());
        if sorted.is_empty() {
            self.line(0, "<none>");
        }
        for (i, toleration) in sorted.into_iter().enumerate() {
            let text = |key: &str| toleration.get(key).str();
            let mut line = text("key").to_owned();
            if !text("value").is_empty() {
                line.push_str(&format!("={}", text("value")));
            }
            if !text("effect").is_empty() {
                line.push_str(&format!(":{}", text("effect")));
            }
            if text("operator") == "Exists" && text("value").is_empty() {
                line.push_str(if line.is_empty() { "op=Exists" } else { " op=Exists" });
            }
            if let Some(seconds) = toleration.i64_at(&["tolerationSeconds"]) {
                line.push_str(&format!(" for {seconds}s"));
            }
            let indent = if i > 0 { "\t" } else { "" };
            self.line(0, format!("{indent}{line}"));
        }
    }

    /// The list of events, when they were asked for.
    pub fn events(&mut self, events: Option<Vec<Value>>) {
        let Some(mut events) = events else { return };
        if events.is_empty() {
            self.field(0, "Events", "<none>");
            return;
        }
        self.flush();
        events.arrange_by_key(|e| time(e.get("lastTimestamp")));
        self.line(0, "Events:\n  Type\tReason\tAge\tFrom\tMessage");
        self.line(1, "----\t------\t----\t----\t-------");
        for event in &events {
            let first = match time(event.get("eventTime")) {
                None => self.since(event.get("firstTimestamp")),
                Some(_) => self.since(event.get("eventTime")),
            };
            let count = event.i64_at(&["count"]).unwrap_or(0);
            let series = event.get("series");
            let age = if !series.is_null() {
                let times = series.i64_at(&["count"]).unwrap_or(0);
                format!("{} (x{times} over {first})", self.since(series.get("lastObservedTime")))
            } else if count > 1 {
                format!("{} (x{count} over {first})", self.since(event.get("lastTimestamp")))
            } else {
                first
            };
            let from = match event.str_at(&["source", "component"]) {
                "" => event.get("reportingComponent").str(),
                component => component,
            };
            let mut message = event.get("message").str().trim().to_owned();
            let field = event.str_at(&["involvedObject", "fieldPath"]);
            if !field.is_empty() {
                message = format!("{field}: {message}");
            }
            let (kind, reason) = (event.get("type").str(), event.get("reason").str());
            self.line(1, format!("{kind}\t{reason}\t{age}\t{from}\t{message}"));
        }
    }

    /// How long ago a timestamp was; `<unknown>` for none.
    pub fn since(&self, timestamp: &Value) -> String {
        match time(timestamp) {
            Some(then) => human_duration(self.now.seconds_since(then)),
            None => "<unknown>".to_owned(),
        }
    }
}

/// A text cut to so many bytes, with dots after it.
pub(super) fn shorten(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let mut end = most;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}...", text.get(..end).unwrap_or_default())
}

/// The moment of a timestamp field.
pub(super) fn time(timestamp: &Value) -> Option<Time> {
    Time::parse(timestamp.as_str()?)
}

/// A timestamp as `Sat, 21 Nov 2026 08:55:19 +0000`; of none Go's zero time.
pub(super) fn rfc1123(timestamp: &Value) -> String {
    time(timestamp).map_or_else(|| "Mon, 01 Jan 0001 00:00:00 +0000".to_owned(), Time::rfc1123)
}

/// A label selector as one text (`a=b,c in (x,y),!d`); `<none>` when it selects everything.
pub(super) fn format_selector(selector: &Value) -> String {
    let mut parts: Vec<(String, String)> = Vec::new();
    for (key, value) in selector.get("matchLabels").entries() {
        parts.push((key.to_string(), format!("{key}={}", value.str())));
    }
    for expression in selector.get("matchExpressions").items() {
        let key = expression.get("key").str();
        let mut values: Vec<&str> = expression.get("values").items().iter().map(Value::str).collect();
        values.arrange();
        let values = values.join(",");
        let text = match expression.get("operator").str() {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "Exists" => key.to_owned(),
            _ => format!("!{key}"),
        };
        parts.push((key.to_owned(), text));
    }
    parts.arrange_by(|a, b| a.0.cmp(&b.0));
    let parts: Vec<String> = parts.into_iter().map(|(_, text)| text).collect();
    if parts.is_empty() {
        "<none>".to_owned()
    } else {
        parts.join(",")
    }
}

/// The texts of a list with a separator between.
pub(super) fn join(list: &Value, separator: &str) -> String {
    list.items().iter().map(Value::str).collect::<Vec<_>>().join(separator)
}

/// A number or text as it is written: what `intstr.String` gives.
pub(super) fn int_or_text(value: &Value) -> String {
    crate::value::gofmt::display(value)
}

/// `True` or `False`; `<unset>` for none.
pub(super) fn bool_or_unset(value: &Value) -> &'static str {
    match value.as_bool() {
        Some(true) => "True",
        Some(false) => "False",
        None => "<unset>",
    }
}

/// The number, or `<unset>`.
pub(super) fn number_or_unset(value: &Value) -> String {
    value.as_i64().map_or_else(|| "<unset>".to_owned(), |n| n.to_string())
}

/// The text, or what stands for none.
pub(super) fn or<'t>(text: &'t str, none: &'t str) -> &'t str {
    if text.is_empty() { none } else { text }
}

/// The names of resources of a list in their order: pods last is only Go's sorting by name.
pub(super) fn resource_names(list: &Value) -> Vec<String> {
    list.entries().map(|(k, _)| k.to_string()).collect()
}

/// A quantity in its canonical form.
pub(super) fn quantity(value: &Value) -> crate::api::quantity::Quantity {
    crate::api::quantity::Quantity::parse_or_zero(&crate::value::gofmt::display(value))
}
