//! `kubectl events`.

use super::command::{Cmd, VERB, Verb};
use super::error::Error;
use super::flags::{Flag, Kind, flag};
use super::mapper;
use super::options::{ALL_NAMESPACES, CHUNK, NO_HEADERS, PAGE_OBJECTS};
use super::output::{self, PRINT, Printer};
use super::print::TabWriter;
use crate::api::Request;
use crate::api::table::age;
use crate::flat::Arrange;
use crate::obj;
use crate::sim::Time;
use crate::value::Value;

const FLAGS: &[Flag] = &[
    flag("for", '\0', Kind::Str, ""),
    NO_HEADERS,
    flag("types", '\0', Kind::Slice, "[]"),
    flag("watch", 'w', Kind::Bool, "false"),
];

pub static EVENTS: Verb = Verb {
    name: "events",
    group: "Troubleshooting and Debugging Commands:",
    short: "List events",
    flags: &[FLAGS, PRINT, ALL_NAMESPACES, CHUNK],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

/// When an event was seen last, and first.
fn times(e: &Value) -> (Time, Time) {
    let read = |path: &[&str]| Time::parse(e.str_at(path));
    let first = read(&["firstTimestamp"])
        .or_else(|| read(&["eventTime"]))
        .unwrap_or_default();
    let last = read(&["series", "lastObservedTime"])
        .or_else(|| read(&["lastTimestamp"]))
        .unwrap_or(first);
    (last, first)
}

async fn run(cmd: &Cmd) -> Result<(), Error> {
    let types = cmd.flags.all("types");
    if types
        .iter()
        .any(|t| !t.eq_ignore_ascii_case("Normal") && !t.eq_ignore_ascii_case("Warning"))
    {
        return Err(Error::plain("valid --types are Normal or Warning"));
    }
    let mut printer = output::printer(cmd, output::FORMATS)?.map(output::Printer::typed);
    let wanted = match cmd.flags.str("for") {
        "" => None,
        text => {
            let (word, name) = text
                .split_once('/')
                .ok_or_else(|| Error::plain("--for must be in resource/name form"))?;
            if name.contains('/') {
                return Err(Error::plain(
                    "arguments in resource/name form may not have more than one slash",
                ));
            }
            if word.is_empty() {
                return Err(Error::plain("a resource must be present, got: /, Resource="));
            }
            let resource = mapper::resource(cmd, word).map_err(|e| Error::Text(e.message()))?;
            Some((resource.kind.to_string(), resource.api_version(), name.to_owned()))
        }
    };
    let namespace = if cmd.flags.bool("all-namespaces") {
        String::new()
    } else {
        cmd.namespace()
    };
    let fits = |e: &Value| {
        let of = e.get("involvedObject");
        let about = wanted.as_ref().is_none_or(|(kind, version, name)| {
            of.str_at(&["kind"]) == kind
                && of.str_at(&["name"]) == name
                && matches!(of.str_at(&["apiVersion"]), v if v == version || v.is_empty())
        });
        about && (types.is_empty() || types.iter().any(|t| t.eq_ignore_ascii_case(e.str_at(&["type"]))))
    };
    let resource = cmd.client.resource("", "v1", "events")?;
    let about = wanted.as_ref().map(|(kind, version, name)| {
        format!("involvedObject.kind={kind},involvedObject.apiVersion={version},involvedObject.name={name}")
    });
    let about = about.unwrap_or_default();
    let watching = cmd.flags.bool("watch");
    let mut events: Vec<Value> = Vec::new();
    // A watch begins with what is there.
    if !watching {
        let list = cmd.list_by(&resource, &namespace, "", &about, PAGE_OBJECTS).await?;
        events.extend(list.get("items").items().iter().filter(|e| fits(e)).cloned());
    }
    events.arrange_by_key(|e| times(e).0);
    if events.is_empty() && !watching {
        if namespace.is_empty() {
            cmd.err("No events found.");
        } else {
            cmd.err(format!("No events found in {namespace} namespace."));
        }
        return Ok(());
    }
    let all = cmd.flags.bool("all-namespaces");
    let mut headers = !cmd.flags.bool("no-headers");
    let mut writer = TabWriter::table();
    let row = |e: &Value| {
        let now = cmd.sim().now();
        let (last, first) = times(e);
        let count = e
            .i64_at(&["series", "count"])
            .or_else(|| e.i64_at(&["count"]))
            .unwrap_or(1);
        let seen = if count > 1 {
            format!("{} (x{count} over {})", age(last, now), age(first, now))
        } else {
            age(first, now)
        };
        let of = e.get("involvedObject");
        let mut cells = Vec::new();
        if all {
            cells.push(e.str_at(&["metadata", "namespace"]).to_owned());
        }
        cells.extend([
            seen,
            e.str_at(&["type"]).to_owned(),
            e.str_at(&["reason"]).to_owned(),
            format!("{}/{}", of.str_at(&["kind"]), of.str_at(&["name"])),
            e.str_at(&["message"]).trim().to_owned(),
        ]);
        cells
    };
    let mut show = |events: &[Value], cmd: &Cmd| -> Result<(), Error> {
        // The printer of names knows no untyped events, and prints nothing.
        if let Some(Printer::Name(_)) = printer {
            return Ok(());
        }
        if let Some(p) = &mut printer {
            return match events {
                [one] if watching => p.print(cmd, one),
                all => {
                    let list = obj! {
                        "apiVersion": "v1", "items": all.to_vec(), "kind": "EventList", "metadata": obj! {},
                    };
                    p.print(cmd, &list)
                }
            };
        }
        if std::mem::take(&mut headers) {
            let mut header = vec!["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"];
            if all {
                header.insert(0, "NAMESPACE");
            }
            writer.row(&header);
        }
        for e in events {
            writer.row(&row(e));
        }
        cmd.out(writer.flush());
        Ok(())
    };
    // A watch shows each event on its own, so that formats print them one by one.
    if !watching {
        return show(&events, cmd);
    }
    let request = Request::get(resource.path(&namespace))
        .with("fieldSelector", about)
        .with("limit", PAGE_OBJECTS.to_string());
    let mut watch = cmd.watch(request).await?;
    while let Some(event) = watch.next().await {
        if event.name() != "DELETED"
            && let Some(o) = event.object().filter(|o| fits(o.value()))
        {
            show(&[o.value().clone()], cmd)?;
        }
    }
    Ok(())
}
