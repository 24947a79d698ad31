//! `kubectl get`: tables, other formats, watches, raw paths.

use std::borrow::Cow;
use std::rc::Rc;

use super::builder::{self, Found, Info, Select, Target, Targets};
use super::command::{Cmd, VERB, Verb, item_path, segment};
use super::error::Error;
use super::flags::{Flag, Kind, flag};
use super::options::{ALL_NAMESPACES, CHUNK, FIELD_SELECTOR, FILES, NO_HEADERS, SELECTOR, SUBRESOURCE};
use super::output::{self, PRINT, Printer};
use super::print::TabWriter;
use super::print::sort;
use super::raw;
use crate::api::{Method, Object, Payload, Request, Resource, Response, WatchEvent, table};
use crate::flat::Case;
use crate::sim::timeout;
use crate::value::{Value, gofmt, quoted};
use crate::{list, obj};

const FLAGS: &[Flag] = &[
    flag("ignore-not-found", '\0', Kind::Bool, "false"),
    flag("label-columns", 'L', Kind::Slice, "[]"),
    NO_HEADERS,
    flag("output-watch-events", '\0', Kind::Bool, "false"),
    flag("raw", '\0', Kind::Str, ""),
    flag("server-print", '\0', Kind::Bool, "true"),
    flag("show-kind", '\0', Kind::Bool, "false"),
    flag("show-labels", '\0', Kind::Bool, "false"),
    flag("sort-by", '\0', Kind::Str, ""),
    flag("watch", 'w', Kind::Bool, "false"),
    flag("watch-only", '\0', Kind::Bool, "false"),
];

pub static GET: Verb = Verb {
    name: "get",
    suggest_for: &["list", "ps"],
    group: "Basic Commands (Intermediate):",
    short: "Display one or many resources",
    flags: &[
        FLAGS,
        PRINT,
        FILES,
        SELECTOR,
        FIELD_SELECTOR,
        ALL_NAMESPACES,
        CHUNK,
        SUBRESOURCE,
    ],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

async fn run(cmd: &Cmd) -> Result<(), Error> {
    let raw = cmd.flags.str("raw");
    let watching = cmd.flags.bool("watch") || cmd.flags.bool("watch-only");
    if raw.is_empty() {
        if !watching && cmd.args.is_empty() && !cmd.flags.has("filename") && !cmd.flags.has("kustomize") {
            cmd.err("You must specify the type of resource to get. Use \"kubectl api-resources\" for a complete list of supported resources.\n");
            return Err(Error::usage(
                "Required resource not specified.\nUse \"kubectl explain <resource>\" for a detailed description of that \
                 resource (e.g. kubectl explain pods).",
            ));
        }
        if watching && cmd.flags.has("sort-by") {
            cmd.err(match cmd.flags.bool("watch") {
                true => "warning: --watch requested, --sort-by will be ignored for watch events received",
                false => "warning: --watch-only requested, --sort-by will be ignored",
            });
        }
    }
    validate(cmd, raw, watching)?;
    if !raw.is_empty() {
        return raw::send(cmd, raw::request(Method::Get, raw)).await;
    }
    let mut select = Select::of(cmd).bare_type();
    // What is put in order comes whole.
    if !watching && !cmd.flags.str("sort-by").is_empty() {
        select.limit = 0;
    }
    select.single_type = watching;
    let subresource = cmd.flags.str("subresource");
    if !subresource.is_empty() && builder::is_bulk(cmd) {
        return Err(Error::plain(
            "subresource cannot be used when bulk resources are specified",
        ));
    }
    let targets = builder::latest_targets(cmd, &select).await?;
    if watching {
        return watch(cmd, &select, targets).await;
    }
    match output::is_table(cmd) {
        false => generic(cmd, &select, targets).await,
        true => tables(cmd, &select, targets).await,
    }
}

/// What flags do not go with each other, in kubectl's order.
fn validate(cmd: &Cmd, raw: &str, watching: bool) -> Result<(), Error> {
    let output = cmd.flags.str("output");
    let bad_path = !raw.starts_with('/') && !raw.contains("://");
    let shown = format!("--show-labels option cannot be used with {output} printer");
    let path = format!(
        "--raw must be a valid URL path: parse {raw}: invalid URI for request",
        raw = quoted(&raw)
    );
    let raw = !raw.is_empty();
    let rules = [
        (
            raw && !cmd.args.is_empty(),
            "arguments may not be passed when --raw is specified",
        ),
        (
            raw && (watching || !cmd.flags.str("selector").is_empty()),
            "--raw may not be specified with other flags that filter the server request or alter the output",
        ),
        (raw && !output.is_empty(), "--raw and --output are mutually exclusive"),
        (raw && bad_path, &path),
        (cmd.flags.bool("show-labels") && !matches!(output, "" | "wide"), &shown),
        (
            cmd.flags.bool("output-watch-events") && !watching,
            "--output-watch-events option can only be used with --watch or --watch-only",
        ),
    ];
    match rules.iter().find(|(wrong, _)| *wrong) {
        Some((_, why)) => Err(Error::plain(*why)),
        None => Ok(()),
    }
}

/// The request of one object, or of its subresource.
fn item_request(cmd: &Cmd, info: &Info) -> Result<Request, Error> {
    let mut path = item_path(&info.resource, &info.namespace, &info.name)?;
    let subresource = cmd.flags.str("subresource");
    if !subresource.is_empty() {
        path = format!("{path}/{subresource}");
    }
    Ok(Request::get(path))
}

/// The answer to the request of one object.
async fn send_one(cmd: &Cmd, info: &Info) -> Result<Response, Error> {
    // It is shown as the file has it.
    if is_nameless(info) {
        return Ok(Response::from(info.object.clone()));
    }
    match cmd.send(item_request(cmd, info)?).await {
        Err(e) => Err(info.missing(cmd, e).await),
        ok => ok,
    }
}

fn list_request(select: &Select, resource: &Resource, namespace: &str) -> Result<Request, Error> {
    segment("namespace", namespace).map_err(Error::Text)?;
    Ok(Request::get(resource.path(namespace))
        .with("labelSelector", select.labels.as_str())
        .with("fieldSelector", select.fields.as_str()))
}

fn ignore_missing(cmd: &Cmd, errors: &mut Vec<Error>) {
    if cmd.flags.bool("ignore-not-found") {
        errors.retain(|e| !e.is_not_found());
    }
}

/// Formats other than tables: one object, or a List of all.
async fn generic(cmd: &Cmd, select: &Select, targets: Targets) -> Result<(), Error> {
    let mut objects: Vec<Value> = Vec::new();
    let mut own = Vec::new();
    let single = targets.single;
    for (i, target) in targets.list.into_iter().enumerate() {
        match target {
            Target::List { resource, namespace } => {
                match cmd
                    .pages(list_request(select, &resource, &namespace)?, select.limit)
                    .await
                {
                    Ok(pages) => {
                        for page in pages {
                            objects.extend(page.value().get("items").items().iter().cloned());
                        }
                    }
                    Err(e) => own.push((i, builder::selector_error(e, &resource, select))),
                }
            }
            Target::Item(mut info) => match send_one(cmd, &info).await {
                Ok(r) => {
                    info.object = r.value();
                    if info.fits(&targets.selector) {
                        objects.push(info.object);
                    }
                }
                Err(e) => own.push((i, e)),
            },
        }
    }
    let mut errors = Found::told(targets.errors, &targets.places, own);
    ignore_missing(cmd, &mut errors);
    if single && !errors.is_empty() {
        return Error::all(errors);
    }
    if objects.is_empty() && cmd.flags.bool("ignore-not-found") {
        return Error::all(errors);
    }
    // A format that there is not is told of objects that there are.
    let Some(mut printer) = output::printer(cmd, output::GET_FORMATS)? else {
        return Error::all(errors);
    };
    let sort_by = cmd.flags.str("sort-by");
    let alone = single && objects.len() == 1;
    if !sort_by.is_empty() && !alone {
        match sort::order(&objects, sort_by) {
            Ok(order) => objects = order.into_iter().filter_map(|i| objects.get(i).cloned()).collect(),
            Err(e) => {
                unsortable(cmd, &e.0, "sorter.go:329")?;
                errors.push(Error::plain(e.0));
                return Error::all(errors);
            }
        }
    }
    let printed = match objects.as_slice() {
        [one] if single => printer.print(cmd, one),
        _ => printer.print(cmd, &super::print::object::list(objects)),
    };
    if let Err(e) = printed {
        errors.push(e);
    }
    Error::all(errors)
}

/// How tables are printed in one run.
struct Layout {
    wide: bool,
    namespace: bool,
    kind: bool,
    headers: bool,
    labels: Vec<String>,
    show_labels: bool,
    events: bool,
}

impl Layout {
    fn of(cmd: &Cmd) -> Layout {
        Layout {
            wide: cmd.flags.str("output") == "wide",
            namespace: cmd.flags.bool("all-namespaces"),
            kind: cmd.flags.bool("show-kind"),
            headers: !cmd.flags.bool("no-headers"),
            labels: cmd.flags.all("label-columns").to_vec(),
            show_labels: cmd.flags.bool("show-labels"),
            events: cmd.flags.bool("output-watch-events"),
        }
    }

    fn header(&self, resource: &Resource, columns: &[Column]) -> Vec<String> {
        let mut cells = Vec::new();
        if self.events {
            cells.push("EVENT".to_owned());
        }
        if self.namespace && resource.namespaced {
            cells.push("NAMESPACE".to_owned());
        }
        cells.extend(columns.iter().map(|c| c.name.upper()));
        for label in &self.labels {
            cells.push(label.rsplit('/').next().unwrap_or(label).upper());
        }
        if self.show_labels {
            cells.push("LABELS".to_owned());
        }
        cells
    }

    /// The columns of a table that are shown. Found once a table: rows may be many.
    fn columns<'t>(&self, table: &'t Value) -> Vec<Column<'t>> {
        let all = table.get("columnDefinitions").items().iter().enumerate();
        all.filter(|(_, c)| self.wide || c.i64_at(&["priority"]).unwrap_or(0) == 0)
            .map(|(index, c)| {
                let name = c.str_at(&["name"]);
                let names_object = name == "Name" && index == 0;
                Column {
                    index,
                    name,
                    with_kind: self.kind && names_object,
                }
            })
            .collect()
    }

    fn row<'r>(&'r self, resource: &Resource, columns: &[Column], row: &'r Value, event: &'r str) -> Vec<Cow<'r, str>> {
        let metadata = row.at(&["object", "metadata"]);
        let mut cells = Vec::with_capacity(columns.len() + 2);
        if self.events {
            cells.push(event.into());
        }
        if self.namespace && resource.namespaced {
            cells.push(metadata.str_at(&["namespace"]).into());
        }
        let values = row.get("cells").items();
        for column in columns {
            let text = cell(values.get(column.index).unwrap_or(&Value::Null));
            cells.push(if column.with_kind {
                builder::display(resource, &text).into()
            } else {
                text
            });
        }
        let labels = metadata.get("labels");
        for label in &self.labels {
            cells.push(labels.str_at(&[label]).into());
        }
        if self.show_labels {
            cells.push(super::print_labels(labels).into());
        }
        cells
    }
}

/// A column that is shown.
struct Column<'t> {
    /// Its place among the cells of a row.
    index: usize,
    name: &'t str,
    /// Whether it names objects, and their kind stands before the names.
    with_kind: bool,
}

/// A cell's text: its first line, without what a terminal would obey.
fn cell(value: &Value) -> Cow<'_, str> {
    let text: Cow<str> = match value {
        // What has no value is left blank.
        Value::Null => "".into(),
        Value::Str(s) => (&**s).into(),
        other => gofmt::display(other).into(),
    };
    match text.find(['\n', '\r', '\u{c}']) {
        Some(i) => super::print::escape_terminal(&format!("{}...", text.get(..i).unwrap_or(""))).into(),
        None if text.contains('\u{1b}') => super::print::escape_terminal(&text).into(),
        None => text,
    }
}

/// The tables of one request: of a list one for each page.
async fn fetch_tables(cmd: &Cmd, request: Request, limit: i64) -> Result<Vec<Value>, Error> {
    let include = if cmd.flags.str("sort-by").is_empty() {
        ""
    } else {
        "Object"
    };
    let pages = cmd
        .pages(request.as_table().with("includeObject", include), limit)
        .await?;
    let by_server = cmd.flags.bool("server-print");
    let tables = pages.iter().map(Response::value);
    Ok(tables
        .map(|table| if by_server { table } else { names_and_ages(table) })
        .collect())
}

/// A table as kubectl makes one without the server's columns.
fn names_and_ages(value: Value) -> Value {
    if value.str_at(&["kind"]) != "Table" {
        return value;
    }
    // Without the server's columns kubectl knows names and ages only.
    let mut plain = value.clone();
    let definitions = value.get("columnDefinitions").items();
    let pick = |name: &str| definitions.iter().position(|c| c.str_at(&["name"]) == name);
    let kept: Vec<usize> = [pick("Name"), pick("Age")].into_iter().flatten().collect();
    let columns: Value = kept.iter().filter_map(|i| definitions.get(*i).cloned()).collect();
    let rows: Value = value
        .get("rows")
        .items()
        .iter()
        .map(|row| {
            let cells: Value = kept
                .iter()
                .filter_map(|i| row.get("cells").items().get(*i).cloned())
                .collect();
            obj! { "cells": cells, "object": row.get("object") }
        })
        .collect();
    plain.set(&["columnDefinitions"], columns);
    plain.set(&["rows"], rows);
    plain
}

/// What a request answered, to be printed: a table of this resource.
#[derive(Clone)]
struct Answer {
    resource: Rc<Resource>,
    table: Value,
    /// Whether it is an object without a name, of which the server made no table.
    nameless: bool,
}

/// Whether a file gives an object no name.
fn is_nameless(info: &Info) -> bool {
    info.name.is_empty() && !info.source.is_empty()
}

/// The table of an object that has no name, and so is not on the server.
fn nameless() -> Value {
    obj! {
        "columnDefinitions": list![obj! { "name": "Name" }, obj! { "name": "Age" }],
        "rows": list![obj! { "cells": list!["", "<unknown>"] }],
    }
}

async fn tables(cmd: &Cmd, select: &Select, targets: Targets) -> Result<(), Error> {
    let mut own = Vec::new();
    let mut answers = Vec::new();
    let mut namespaced = true;
    // The labels of a table are looked at, which has none, in place of its objects' ones.
    let unlabelled = targets.selector.matches(&Value::Null);
    for (i, target) in targets.list.into_iter().enumerate() {
        let (resource, result) = match target {
            Target::List { resource, namespace } => {
                let result = fetch_tables(cmd, list_request(select, &resource, &namespace)?, select.limit).await;
                let result = result.map_err(|e| builder::selector_error(e, &resource, select));
                (resource, result)
            }
            Target::Item(info) => {
                if !info.source.is_empty() && !unlabelled {
                    continue;
                }
                let result = match item_request(cmd, &info) {
                    _ if is_nameless(&info) => Ok(vec![nameless()]),
                    Err(e) => Err(e),
                    Ok(request) => match fetch_tables(cmd, request, 0).await {
                        Err(e) => {
                            let e = e.asked("get", &info.resource, &info.name);
                            Err(info.missing(cmd, e).await)
                        }
                        ok => ok,
                    },
                };
                (info.resource, result)
            }
        };
        namespaced &= resource.namespaced;
        match result {
            Ok(tables) => {
                let answer = |table: Value| Answer {
                    resource: resource.clone(),
                    nameless: table.get("kind").is_null(),
                    table,
                };
                answers.extend(tables.into_iter().map(answer));
            }
            Err(e) => own.push((i, e)),
        }
    }
    let mut errors = Found::told(targets.errors, &targets.places, own);
    ignore_missing(cmd, &mut errors);
    // Several tables are put in order as if they were the objects, which seldom have the field.
    let sort_by = cmd.flags.str("sort-by");
    if !sort_by.is_empty() && answers.len() > 1 {
        let objects: Vec<Value> = answers.iter().map(|a| a.table.clone()).collect();
        let order = sort::order(&objects, sort_by).map_err(|e| Error::plain(e.0))?;
        answers = order.into_iter().filter_map(|i| answers.get(i).cloned()).collect();
    }
    let mut layout = Layout::of(cmd);
    layout.kind |= answers
        .iter()
        .any(|a| Some(&a.resource) != answers.first().map(|f| &f.resource));
    let mut writer = TabWriter::table();
    let mut last: Option<Rc<Resource>> = None;
    let mut printed = false;
    // Below which head the rows stand. An object without a name has a head of its own, once.
    let (mut head, mut plain) = (Value::Null, false);
    for answer in &answers {
        let mut rows: Vec<Value> = answer.table.get("rows").items().to_vec();
        // A single row needs no order, whatever the field is.
        if !sort_by.is_empty() && rows.len() > 1 {
            let objects: Vec<Value> = rows.iter().map(|r| r.get("object").clone()).collect();
            // A field that no object has leaves nothing to print.
            let order = match sort::order(&objects, sort_by) {
                Ok(order) => order,
                Err(e) => {
                    unsortable(
                        cmd,
                        &e.0.replace("*unstructured.Unstructured", "[][][]reflect.Value"),
                        "sorter.go:375",
                    )?;
                    Vec::new()
                }
            };
            rows = order.into_iter().filter_map(|i| rows.get(i).cloned()).collect();
        }
        if rows.is_empty() {
            continue;
        }
        let columns = layout.columns(&answer.table);
        if last.as_ref() != Some(&answer.resource) {
            cmd.out(writer.flush());
            writer = TabWriter::table();
            if printed && layout.headers {
                cmd.out("\n");
            }
            last = Some(answer.resource.clone());
            (head, plain) = (Value::Null, false);
        }
        let known = match answer.nameless {
            true => std::mem::replace(&mut plain, true),
            false => {
                let columns = answer.table.get("columnDefinitions");
                std::mem::replace(&mut head, columns.clone()) == *columns
            }
        };
        if layout.headers && !known {
            writer.row(&layout.header(&answer.resource, &columns));
        }
        printed = true;
        for row in &rows {
            writer.row(&layout.row(&answer.resource, &columns, row, ""));
        }
    }
    cmd.out(writer.flush());
    if !printed && errors.is_empty() && !cmd.flags.bool("ignore-not-found") {
        nothing(cmd, select, namespaced);
    }
    // Even a single failure of files is one of a list here, which is printed as it is.
    match cmd.flags.has("filename") && !errors.is_empty() {
        true => Err(Error::Many(errors)),
        false => Error::all(errors),
    }
}

/// Ends the run when values were found that have no order, as kubectl does where it is: with a line of its log.
fn unsortable(cmd: &Cmd, said: &str, place: &str) -> Result<(), Error> {
    if !said.contains("is an unsortable type") {
        return Ok(());
    }
    cmd.log('F', place, said);
    Err(Error::Exit(1))
}

fn nothing(cmd: &Cmd, select: &Select, namespaced: bool) {
    if namespaced && !select.all_namespaces {
        cmd.err(format!("No resources found in {} namespace.", cmd.namespace()));
    } else {
        cmd.err("No resources found");
    }
}

/// `-w` and `--watch-only`.
async fn watch(cmd: &Cmd, select: &Select, targets: Targets) -> Result<(), Error> {
    Error::all(targets.errors)?;
    // What is not there is told before there are too many.
    if targets.list.len() > 1 {
        let mut errors = Vec::new();
        for target in &targets.list {
            if let Target::Item(info) = target
                && let Err(e) = send_one(cmd, info).await
            {
                errors.push(e);
            }
        }
        Error::all(errors)?;
    }
    let mut list = targets.list.into_iter();
    let (Some(target), None) = (list.next(), list.next()) else {
        return Err(Error::plain(
            "watch is only supported on individual resources and resource collections - more than 1 resource was found",
        ));
    };
    let layout = Layout::of(cmd);
    let mut writer = TabWriter::table();
    let mut headers = layout.headers;
    let (resource, namespace, first, name) = match target {
        Target::List { resource, namespace } => {
            let pages = cmd
                .pages(list_request(select, &resource, &namespace)?, select.limit)
                .await;
            let pages = pages.map_err(|e| builder::selector_error(e, &resource, select))?;
            (resource, namespace, pages, String::new())
        }
        Target::Item(info) => {
            let first = send_one(cmd, &info).await?;
            (info.resource, info.namespace, vec![first], info.name)
        }
    };
    let mut printer = output::printer(cmd, output::GET_FORMATS)?;
    // The watch of one object begins with the object as it is, which was shown already.
    let (mut objects, mut revision, mut known) = (Vec::new(), 0, true);
    for page in first {
        match page.payload {
            Payload::List(l) => {
                objects.extend(l.items);
                (revision, known) = (l.revision, false);
            }
            Payload::Object(o) => objects.push(o),
            other => objects.push(Object::new(Response::new(200, other).value())),
        }
    }
    let mut show = |event: &str, objects: &[Object]| -> Result<(), Error> {
        if let Some(p) = &mut printer {
            for o in objects {
                if layout.events {
                    let event = obj! { "type": event, "object": o.value() };
                    match p {
                        Printer::Name(_) => p.print(cmd, o.value())?,
                        _ => p.print(cmd, &event)?,
                    }
                } else {
                    p.print(cmd, o.value())?;
                }
            }
            return Ok(());
        }
        let table = table::render(cmd.client.api(), &resource, objects, None, "");
        if objects.is_empty() {
            return Ok(());
        }
        let columns = layout.columns(&table);
        if std::mem::take(&mut headers) {
            writer.row(&layout.header(&resource, &columns));
        }
        for row in table.get("rows").items() {
            writer.row(&layout.row(&resource, &columns, row, event));
        }
        cmd.out(writer.flush());
        Ok(())
    };
    if !cmd.flags.bool("watch-only") {
        show("ADDED", &objects)?;
    }
    let fields = match (name.is_empty(), select.fields.is_empty()) {
        (true, _) => select.fields.clone(),
        (false, true) => format!("metadata.name={name}"),
        (false, false) => format!("{},metadata.name={name}", select.fields),
    };
    let request = Request::get(resource.path(&namespace))
        .with("labelSelector", select.labels.as_str())
        .with("fieldSelector", fields)
        .with("resourceVersion", revision.to_string());
    let end = super::connection::request_timeout(&cmd.flags)?.map(|limit| cmd.sim().now() + limit);
    let mut watch = cmd.watch(request).await?;
    loop {
        let next = watch.next();
        let next = match end {
            Some(end) => timeout(cmd.sim(), end.since(cmd.sim().now()), next).await.flatten(),
            None => next.await,
        };
        let Some(event) = next else { return Ok(()) };
        if std::mem::take(&mut known) {
            continue;
        }
        if cmd.cx.stdout.is_closed() {
            return Ok(());
        }
        match &event {
            WatchEvent::Error(s) => return Err(Error::Status(s.clone())),
            e => {
                if let Some(o) = e.object() {
                    show(e.name(), std::slice::from_ref(o))?;
                }
            }
        }
    }
}
