//! `kubectl explain`: a kind's or a field's documentation, from the server's OpenAPI documents.
//!
//! `plaintext` reads the document of the group and version (OpenAPI 3), `plaintext-openapiv2` the
//! older one of everything, each with its own layout.

use std::rc::Rc;

use super::command::{Cmd, VERB, Verb};
use super::error::Error;
use super::flags::{Kind, flag};
use super::mapper;
use crate::api::{Request, Resource, resource};
use crate::value::{Value, quoted};

pub static EXPLAIN: Verb = Verb {
    name: "explain",
    group: "Basic Commands (Intermediate):",
    short: "Get documentation for a resource",
    flags: &[&[
        flag("api-version", '\0', Kind::Str, ""),
        flag("output", 'o', Kind::Str, "plaintext"),
        flag("recursive", 'R', Kind::Bool, "false"),
    ]],
    run: Some(|c| Box::pin(explain(c))),
    ..VERB
};

async fn explain(cmd: &Cmd) -> Result<(), Error> {
    if cmd.args.is_empty() {
        return Err(Error::plain(
            "You must specify the type of resource to explain. Use \"kubectl api-resources\" for a complete list of supported resources.\n",
        ));
    }
    if cmd.args.len() > 1 {
        return Err(Error::plain("We accept only this format: explain RESOURCE\n"));
    }
    let given = cmd.flags.str("api-version");
    let (found, path) = find(cmd, cmd.arg(0), given.is_empty())?;
    let (group, version) = match given {
        "" => (&*found.group, &*found.version),
        given => resource::split(given),
    };
    if given.matches('/').count() > 1 {
        return Err(Error::plain(format!("unexpected GroupVersion string: {given}")));
    }
    let recursive = cmd.flags.bool("recursive");
    let output = cmd.flags.str("output");
    if output == "plaintext-openapiv2" {
        let document = cmd.send(Request::get("/openapi/v2")).await?.value();
        let text = old(&document, &found, (group, version), &path, recursive)?;
        cmd.out(text);
        return Ok(());
    }
    let index = cmd.send(Request::get("/openapi/v3")).await?.value();
    let place = if group.is_empty() {
        format!("api/{version}")
    } else {
        format!("apis/{group}/{version}")
    };
    let asked = format!("{group}/{version}, Resource={}", found.name);
    let entry = index.at(&["paths", &place]);
    if entry.is_null() {
        return Err(Error::plain(format!(
            "couldn't find resource for {asked}",
            asked = quoted(&asked)
        )));
    }
    let mut request = Request::get(format!("/openapi/v3/{place}"));
    if let Some((_, hash)) = entry.str_at(&["serverRelativeURL"]).split_once("?hash=") {
        request = request.with("hash", hash);
    }
    let document = cmd.send(request).await?.value();
    if output != "plaintext" {
        return Err(Error::plain(format!("unrecognized format: {output}")));
    }
    let collection = format!("/{place}/{}", found.name);
    let Some(gvk) = kind_of(
        &document,
        &collection,
        &format!("/{place}/namespaces/{{namespace}}/{}", found.name),
    ) else {
        return Err(Error::plain(format!("GVR ({asked}) not found in OpenAPI schema")));
    };
    let mut header = String::new();
    if !gvk.str_at(&["group"]).is_empty() {
        header.push_str(&format!("GROUP:      {}\n", gvk.str_at(&["group"])));
    }
    header.push_str(&format!(
        "KIND:       {}\nVERSION:    {}\n\n",
        gvk.str_at(&["kind"]),
        gvk.str_at(&["version"])
    ));
    cmd.out(header);
    let document = Document(&document);
    let schemas = document.0.at(&["components", "schemas"]);
    let of_kind = |s: &&Value| s.get("x-kubernetes-group-version-kind").items().contains(&gvk);
    let Some(schema) = schemas.entries().map(|(_, s)| s).find(of_kind) else {
        let said = format!(
            "GVK map[group:{} kind:{} version:{}] not found in OpenAPI schema",
            gvk.str_at(&["group"]),
            gvk.str_at(&["kind"]),
            gvk.str_at(&["version"])
        );
        return Err(Error::plain(said));
    };
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match document.output(schema, &path, recursive, &mut Vec::new()) {
        Some(text) => cmd.out(text + "\n"),
        None => {
            let last = path.last().copied().unwrap_or("");
            // A template of kubectl's writes this one, and escapes nothing.
            return Err(Error::plain(format!("field \"{last}\" does not exist")));
        }
    }
    Ok(())
}

/// The resource that the words before the fields name, and the fields. With `prefix`, `deployments.apps.spec`
/// is understood too.
fn find(cmd: &Cmd, word: &str, prefix: bool) -> Result<(Rc<Resource>, Vec<String>), Error> {
    let word = word.strip_suffix('.').unwrap_or(word);
    // kubectl reads it as a JSONPath, of which only fields make sense: no `..`, `[0]` or `*`.
    let other = |part: &str| part.is_empty() || part.contains(['[', '*']);
    let wrong = |which: &str| Error::plain(format!("invalid jsonpath syntax, {which}"));
    let mut parts = word.split('.');
    let name = parts.next().unwrap_or("");
    if name.is_empty() && !word.is_empty() || name.starts_with(['[', '*']) {
        return Err(wrong("first node must be field node"));
    }
    let fields: Vec<String> = parts.map(str::to_owned).collect();
    let strange = name.contains('[') || fields.iter().any(|f| other(f));
    let name = name.split('[').next().unwrap_or_default();
    let all = cmd.resources();
    let found = mapper::find(&all, name).ok_or_else(|| match name {
        "" => Error::plain("a resource must be specified"),
        _ => Error::Text(format!(
            "the server doesn't have a resource type {name}",
            name = quoted(&name)
        )),
    })?;
    if strange {
        return Err(wrong(match prefix {
            true => "first node must be field node",
            false => "all nodes must be field nodes",
        }));
    }
    if prefix {
        // Of several groups that have the resource the one that the words go on with.
        for r in all.iter().filter(|r| r.name == found.name && !r.group.is_empty()) {
            if let Some(rest) = word.strip_prefix(&r.qualified()) {
                let rest = rest.split('.').skip(1).map(str::to_owned).collect();
                return Ok((r.clone(), rest));
            }
        }
    }
    Ok((found, fields))
}

/// The kind that the operations of a resource's paths are about.
fn kind_of(document: &Value, whole: &str, namespaced: &str) -> Option<Value> {
    let mut found = None;
    for path in [
        whole,
        &format!("{whole}/{{name}}"),
        namespaced,
        &format!("{namespaced}/{{name}}"),
    ] {
        let item = document.at(&["paths", path]);
        for method in ["get", "post", "put", "patch", "delete"] {
            let gvk = item.at(&[method, "x-kubernetes-group-version-kind"]);
            if !gvk.is_null() {
                found = Some(gvk.clone());
                break;
            }
        }
    }
    found
}

/// An OpenAPI 3 document with the layout that kubectl gives it.
struct Document<'a>(&'a Value);

impl<'a> Document<'a> {
    /// What a `$ref` points at.
    fn resolve(&self, reference: &str) -> Option<&'a Value> {
        let mut at = self.0;
        for key in reference.strip_prefix('#')?.split('/').filter(|k| !k.is_empty()) {
            at = at.get(key);
            at.as_map()?;
        }
        Some(at)
    }

    /// The schema itself, or what it refers to.
    fn resolved(&self, schema: &'a Value) -> &'a Value {
        match schema.get("$ref").as_str() {
            Some(reference) => self.resolve(reference).unwrap_or(schema),
            None => schema,
        }
    }

    /// Follows the fields, then prints what stands there; `None` when there is no such field. `seen`
    /// are the references on the way, which end cycles.
    fn output(&self, schema: &'a Value, path: &[&str], recursive: bool, seen: &mut Vec<&'a str>) -> Option<String> {
        let reference = schema.get("$ref").str();
        let resolved = self.resolved(schema);
        let Some((first, rest)) = path.split_first() else {
            let mut text = "DESCRIPTION:\n".to_owned();
            let described = self.description(resolved, 0);
            let described = if described.is_empty() { "<empty>" } else { &described };
            text.push_str(&format!("{}\n", indent(4, &wrap(76, described))));
            if let Some(docs) = external(resolved, 0) {
                text.push_str(&format!("\n{docs}"));
            }
            let fields = self.fields(resolved, 1, recursive, &mut Vec::new());
            if !fields.is_empty() {
                text.push_str(&format!("FIELDS:\n{fields}"));
            }
            return Some(text);
        };
        if !reference.is_empty() && seen.contains(&reference) {
            return None;
        }
        let depth = seen.len();
        if !reference.is_empty() {
            seen.push(reference);
        }
        let property = resolved.at(&["properties", first]);
        let found = if !property.is_null() {
            let mut text = String::new();
            if rest.is_empty() {
                text.push_str(&format!(
                    "FIELD: {first} <{}>\n{}\n\n",
                    self.type_of(property),
                    long_enum(property)
                ));
            }
            self.output(property, rest, recursive, &mut Vec::new())
                .map(|t| text + &t)
        } else if !resolved.get("items").is_null() {
            self.output(resolved.get("items"), path, recursive, seen)
        } else if resolved.get("additionalProperties").as_map().is_some() {
            self.output(resolved.get("additionalProperties"), path, recursive, seen)
        } else {
            let all = resolved.get("allOf").items();
            all.iter().find_map(|s| self.output(s, path, recursive, seen))
        };
        seen.truncate(depth);
        found
    }

    /// The descriptions of a schema and of those that it is made of.
    fn description(&self, schema: &'a Value, depth: usize) -> String {
        let schema = self.resolved(schema);
        let mut text = String::new();
        if depth > MOST {
            return text;
        }
        if let Some(own) = schema.get("description").as_str().filter(|d| !d.is_empty()) {
            text.push_str(own);
            text.push('\n');
        }
        for part in schema.get("allOf").items() {
            text.push_str(&self.description(part, depth + 1));
        }
        for inner in ["items", "additionalProperties"] {
            if schema.get(inner).as_map().is_some() {
                text.push_str(&self.description(schema.get(inner), depth + 1));
            }
        }
        text
    }

    /// The fields of a schema, indented by their level.
    fn fields(&self, schema: &'a Value, level: usize, recursive: bool, seen: &mut Vec<&'a str>) -> String {
        let reference = schema.get("$ref").str();
        let mut text = String::new();
        if (!reference.is_empty() && seen.contains(&reference)) || level > MOST {
            return text;
        }
        let depth = seen.len();
        seen.push(reference);
        let resolved = self.resolved(schema);
        for (name, field) in resolved.get("properties").entries() {
            text.push_str(&self.field(resolved, name, field, level, recursive));
            if recursive {
                text.push_str(&self.fields(field, level + 1, recursive, seen));
            }
        }
        for part in resolved.get("allOf").items() {
            text.push_str(&self.fields(part, level, recursive, seen));
        }
        for inner in ["items", "additionalProperties"] {
            if resolved.get(inner).as_map().is_some() {
                text.push_str(&self.fields(resolved.get(inner), level, recursive, seen));
            }
        }
        seen.truncate(depth);
        text
    }

    fn field(&self, of: &Value, name: &str, schema: &Value, level: usize, short: bool) -> String {
        let left = level * 2;
        let required = of.get("required").items().iter().any(|r| r.str() == name);
        let mut text = format!(
            "{:left$}{name}\t<{}>{}{}\n",
            "",
            self.type_of(schema),
            if required { " -required-" } else { "" },
            short_enum(schema, left)
        );
        if short {
            return text;
        }
        let described = match schema.get("description").str() {
            "" => "<no description>",
            given => given,
        };
        // Deep levels are only printed short, so that the width stays positive.
        let width = 78usize.saturating_sub(left);
        text.push_str(&format!("{}\n", indent(left + 2, &wrap(width, described))));
        if let Some(docs) = external(schema, left + 2) {
            text.push_str(&format!("\n{docs}"));
        }
        text.push('\n');
        text
    }

    /// `string`, `[]Container`, `map[string]Quantity`.
    fn type_of(&self, schema: &Value) -> String {
        if schema.get("items").as_map().is_some() {
            return format!("[]{}", self.type_of(schema.get("items")));
        }
        if schema
            .get("additionalProperties")
            .as_map()
            .is_some_and(|m| !m.is_empty())
        {
            return format!("map[string]{}", self.type_of(schema.get("additionalProperties")));
        }
        if let [only] = schema.get("allOf").items()
            && !schema.has("properties")
        {
            return self.type_of(only);
        }
        if let Some(reference) = schema.get("$ref").as_str() {
            // A reference to a plain string is a string; one to an object has the object's name.
            let ty = self.resolve(reference).map_or("", |s| s.get("type").str());
            if !matches!(ty, "" | "object") {
                return ty.to_owned();
            }
            return match reference.rsplit(['/', '.']).next() {
                None | Some("") => "Object".to_owned(),
                Some(name) => name.to_owned(),
            };
        }
        match schema.get("type").str() {
            "" | "object" => "Object".to_owned(),
            ty => ty.to_owned(),
        }
    }
}

/// How deeply schemas may hold each other before it is a cycle that no reference names.
const MOST: usize = 60;

fn external(schema: &Value, left: usize) -> Option<String> {
    let docs = schema.get("externalDocs");
    if docs.is_empty() {
        return None;
    }
    let mut text = format!("{:left$}EXTERNAL DOCS:\n", "");
    if let Some(words) = docs.get("description").as_str() {
        let width = if left == 0 { 76 } else { 78usize.saturating_sub(left) };
        text.push_str(&format!(
            "{}\n",
            indent(if left == 0 { 4 } else { left + 2 }, &wrap(width, words))
        ));
    }
    if let Some(url) = docs.get("url").as_str() {
        let at = if left == 0 { 4 } else { left + 2 };
        text.push_str(&format!("{:at$}URL: {url}\n", ""));
    }
    Some(text)
}

fn enum_word(value: &Value) -> String {
    match value.as_str() {
        Some("") => "\"\"".to_owned(),
        Some(word) => word.to_owned(),
        None => value.to_json(),
    }
}

/// `enum: a, b, c, d, ....` below a field's name.
fn short_enum(schema: &Value, left: usize) -> String {
    const SHOWN: usize = 4;
    let all = schema.get("enum").items();
    if all.is_empty() {
        return String::new();
    }
    let words: Vec<String> = all.iter().take(SHOWN).map(enum_word).collect();
    let more = if all.len() > SHOWN { ", ...." } else { "" };
    format!("\n{:left$}enum: {}{more}", "", words.join(", "))
}

/// `ENUM:` with each value on a line.
fn long_enum(schema: &Value) -> String {
    let all = schema.get("enum").items();
    if all.is_empty() {
        return String::new();
    }
    let words: String = all.iter().map(|v| format!("\n    {}", enum_word(v))).collect();
    format!("ENUM:{words}")
}

/// Every line behind so many spaces, empty ones too.
fn indent(left: usize, text: &str) -> String {
    let pad = " ".repeat(left);
    format!("{pad}{}", text.replace('\n', &format!("\n{pad}")))
}

/// Breaks lines before the words that would reach beyond `width` characters, as Go's wordwrap does.
/// Line breaks stay; words longer than a line stay whole; the spaces at a break go.
fn wrap(width: usize, text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    // What the line holds already, then the spaces and the word that come next, with their lengths.
    let mut column = 0;
    let (mut spaces, mut gap) = (String::new(), 0);
    let (mut word, mut letters) = (String::new(), 0);
    for c in text.chars() {
        if c == '\n' {
            if letters > 0 || column + gap <= width {
                out.push_str(&spaces);
            }
            out.push_str(&word);
            out.push('\n');
            column = 0;
        } else if c.is_whitespace() && c != '\u{a0}' {
            if gap > 0 && letters == 0 {
                spaces.push(c);
                gap += 1;
                continue;
            }
            column += gap + letters;
            out.push_str(&spaces);
            out.push_str(&word);
        } else {
            word.push(c);
            letters += 1;
            if column + gap + letters > width && letters < width {
                out.push('\n');
                column = 0;
                spaces.clear();
                gap = 0;
            }
            continue;
        }
        spaces.clear();
        word.clear();
        (gap, letters) = (0, 0);
        if c != '\n' {
            spaces.push(c);
            gap = 1;
        }
    }
    if letters > 0 || column + gap <= width {
        out.push_str(&spaces);
    }
    out + &word
}

/// The older layout, from the older document.
fn old(
    document: &Value,
    found: &Resource,
    (group, version): (&str, &str),
    path: &[String],
    recursive: bool,
) -> Result<String, Error> {
    let definitions = document.get("definitions");
    let gvk = crate::obj! { "group": group, "kind": found.kind.clone(), "version": version };
    let of_kind = |s: &&Value| s.get("x-kubernetes-group-version-kind").items().contains(&gvk);
    let Some(mut schema) = definitions.entries().map(|(_, s)| s).find(of_kind) else {
        let said = format!("couldn't find resource for \"{group}/{version}, Kind={}\"", found.kind);
        return Err(Error::plain(said));
    };
    let old = Old { definitions };
    for field in path {
        schema = old
            .step(schema, field)
            .ok_or_else(|| Error::plain(format!("field {field} does not exist", field = quoted(&field))))?;
    }
    let name = path.last().map_or("", String::as_str);
    let mut text = format!(
        "KIND:     {}\nVERSION:  {}\n\n",
        found.kind,
        resource::join(group, version)
    );
    let ty = old.type_of(schema);
    let mut described: Vec<&str> = Vec::new();
    let mut at = schema;
    // References, lists and maps add their texts to that of what they hold.
    let mut hops = 0;
    loop {
        described.push(at.get("description").str());
        let inner = if at.has("$ref") {
            old.resolve(at)
        } else if at.get("items").as_map().is_some() {
            at.get("items")
        } else if at.get("additionalProperties").as_map().is_some() {
            at.get("additionalProperties")
        } else {
            break;
        };
        hops += 1;
        if hops > MOST {
            break;
        }
        at = inner;
    }
    let has_fields = !at.get("properties").is_empty();
    if has_fields && !name.is_empty() {
        text.push_str(&format!("RESOURCE: {name} <{ty}>\n\n"));
    } else if !has_fields && !matches!(at.get("type").str(), "" | "object") {
        text.push_str(&format!("FIELD:    {name} <{ty}>\n\n"));
    }
    text.push_str("DESCRIPTION:\n");
    if described.iter().all(|d| d.is_empty()) {
        text.push_str("     <empty>\n");
    }
    for (i, words) in described.iter().enumerate().filter(|(_, d)| !d.is_empty()) {
        if i != 0 {
            text.push('\n');
        }
        lines(&mut text, 5, words);
    }
    if has_fields {
        text.push_str("\nFIELDS:\n");
        old.fields(&mut text, at, 3, recursive, &mut Vec::new());
    }
    Ok(text)
}

struct Old<'a> {
    definitions: &'a Value,
}

impl<'a> Old<'a> {
    fn resolve(&self, schema: &'a Value) -> &'a Value {
        match schema.get("$ref").str().strip_prefix("#/definitions/") {
            Some(name) => self.definitions.get(name),
            None => schema,
        }
    }

    /// The schema of a field, through references, lists and maps.
    fn step(&self, schema: &'a Value, field: &str) -> Option<&'a Value> {
        let mut at = schema;
        for _ in 0..MOST {
            let property = at.at(&["properties", field]);
            if !property.is_null() {
                return Some(property);
            }
            at = if at.has("$ref") {
                self.resolve(at)
            } else if at.get("items").as_map().is_some() {
                at.get("items")
            } else if at.get("additionalProperties").as_map().is_some() {
                at.get("additionalProperties")
            } else {
                return None;
            };
        }
        None
    }

    fn type_of(&self, schema: &'a Value) -> String {
        let at = self.resolve(schema);
        if at.get("items").as_map().is_some() {
            return format!("[]{}", self.type_of(at.get("items")));
        }
        if at.get("additionalProperties").as_map().is_some() {
            return format!("map[string]{}", self.type_of(at.get("additionalProperties")));
        }
        if at.has("properties") {
            return "Object".to_owned();
        }
        match at.get("type").str() {
            // What may be anything has no name here.
            "object" => String::new(),
            ty => ty.to_owned(),
        }
    }

    fn fields(&self, text: &mut String, schema: &'a Value, left: usize, recursive: bool, seen: &mut Vec<&'a str>) {
        for (name, field) in schema.get("properties").entries() {
            let required = schema.get("required").items().iter().any(|r| r.str() == name.as_str());
            let required = if required && !recursive { " -required-" } else { "" };
            text.push_str(&format!("{:left$}{name}\t<{}>{required}\n", "", self.type_of(field)));
            if !recursive {
                lines(text, left + 2, field.get("description").str());
                text.push('\n');
                continue;
            }
            let depth = seen.len();
            let mut at = field;
            let mut hops = 0;
            while hops < MOST && !at.has("properties") {
                hops += 1;
                if at.has("$ref") {
                    let reference = at.get("$ref").str();
                    if seen.contains(&reference) {
                        break;
                    }
                    seen.push(reference);
                    at = self.resolve(at);
                } else if at.get("items").as_map().is_some() {
                    at = at.get("items");
                } else if at.get("additionalProperties").as_map().is_some() {
                    at = at.get("additionalProperties");
                } else {
                    break;
                }
            }
            if at.has("properties") && left < MOST * 3 {
                self.fields(text, at, left + 3, recursive, seen);
            }
            seen.truncate(depth);
        }
    }
}

/// Writes words into lines of 80 characters. Empty lines, lists and code stay as they are; other
/// lines are joined.
fn lines(text: &mut String, left: usize, words: &str) {
    let width = 80usize.saturating_sub(left);
    let mut out: Vec<String> = Vec::new();
    let mut line = String::new();
    let flush = |line: &mut String, out: &mut Vec<String>| {
        if !line.is_empty() {
            out.push(std::mem::take(line));
        }
    };
    for given in words.split('\n') {
        if given.starts_with("    ") {
            flush(&mut line, &mut out);
            out.push(given.to_owned());
            continue;
        }
        if given.trim().is_empty() {
            if !out.is_empty() || !line.is_empty() {
                flush(&mut line, &mut out);
                out.push(String::new());
            }
            continue;
        }
        let first = given.split_whitespace().next().unwrap_or("");
        let number = first.strip_suffix('.').unwrap_or(first);
        let bullet = matches!(first, "-" | "*") || (!number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()));
        if line.ends_with(':') || (bullet && given.trim() != first) {
            flush(&mut line, &mut out);
        }
        for word in given.split_whitespace() {
            if !line.is_empty() && line.len() + 1 + word.len() > width {
                flush(&mut line, &mut out);
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    flush(&mut line, &mut out);
    for l in out {
        if l.is_empty() {
            text.push('\n');
        } else {
            text.push_str(&format!("{:left$}{l}\n", ""));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubectl::testing::run;
    use expect_test::expect;

    #[test]
    fn lines_break_before_the_word_that_crosses() {
        for (width, text, want) in [
            (10, "one two three", "one two\nthree"),
            (10, "one  two\nthree ", "one  two\nthree "),
            (5, "https://example.com/a b", "https://example.com/a\nb"),
            (7, "see https://example.com now", "see\nhttps://example.com\nnow"),
            (10, "", ""),
            (4, "a\n\n\tb", "a\n\n\tb"),
        ] {
            assert_eq!(wrap(width, text), want, "{width} {text:?}");
        }
    }

    #[test]
    fn both_layouts() {
        expect![[r#"
            GROUP:      policy
            KIND:       PodDisruptionBudget
            VERSION:    v1

            FIELD: maxUnavailable <IntOrString>


            DESCRIPTION:
                An eviction is allowed if at most "maxUnavailable" pods selected by
                "selector" are unavailable after the eviction, i.e. even in absence of the
                evicted pod. For example, one can prevent all voluntary evictions by
                specifying 0. This is a mutually exclusive setting with "minAvailable".
                IntOrString is a type that can hold an int32 or a string.  When used in JSON
                or YAML marshalling and unmarshalling, it produces or consumes the inner
                type.  This allows you to have, for example, a JSON field that can accept a
                name or number.
                

        "#]]
        .assert_eq(&run("kubectl explain pdb.spec.maxUnavailable"));
        expect![[r#"
            KIND:     Deployment
            VERSION:  apps/v1

            RESOURCE: rollingUpdate <Object>

            DESCRIPTION:
                 Rolling update config params. Present only if DeploymentStrategyType =
                 RollingUpdate.

                 Spec to control the desired behavior of rolling update.

            FIELDS:
               maxSurge	<string>
                 The maximum number of pods that can be scheduled above the desired number
                 of pods. Value can be an absolute number (ex: 5) or a percentage of desired
                 pods (ex: 10%). This can not be 0 if MaxUnavailable is 0. Absolute number
                 is calculated from percentage by rounding up. Defaults to 25%. Example:
                 when this is set to 30%, the new ReplicaSet can be scaled up immediately
                 when the rolling update starts, such that the total number of old and new
                 pods do not exceed 130% of desired pods. Once old pods have been killed,
                 new ReplicaSet can be scaled up further, ensuring that total number of pods
                 running at any time during the update is at most 130% of desired pods.

               maxUnavailable	<string>
                 The maximum number of pods that can be unavailable during the update. Value
                 can be an absolute number (ex: 5) or a percentage of desired pods (ex:
                 10%). Absolute number is calculated from percentage by rounding down. This
                 can not be 0 if MaxSurge is 0. Defaults to 25%. Example: when this is set
                 to 30%, the old ReplicaSet can be scaled down to 70% of desired pods
                 immediately when the rolling update starts. Once new pods are ready, old
                 ReplicaSet can be scaled down further, followed by scaling up the new
                 ReplicaSet, ensuring that the total number of pods available at all times
                 during the update is at least 70% of desired pods.

        "#]]
        .assert_eq(&run(
            "kubectl explain deploy.spec.strategy.rollingUpdate --output=plaintext-openapiv2",
        ));
        for (line, want) in [
            (
                "kubectl explain deployments.apps.spec.paused | head -5 | tail -1",
                "FIELD: paused <boolean>\n",
            ),
            ("kubectl explain crd.spec --recursive | grep -c JSONSchemaProps", "12\n"),
            ("kubectl explain pod. | head -1", "KIND:       Pod\n"),
            (
                "kubectl explain pod --output=html",
                "error: unrecognized format: html\n",
            ),
            (
                "kubectl explain pod.nosuch --output=plaintext-openapiv2",
                "error: field \"nosuch\" does not exist\n",
            ),
            (
                "kubectl explain pod --api-version=apps/v1",
                "error: GVR (apps/v1, Resource=pods) not found in OpenAPI schema\n",
            ),
            (
                "kubectl explain hpa --api-version=autoscaling/v1 | head -3 | tail -1",
                "VERSION:    v1\n",
            ),
        ] {
            assert_eq!(run(line), want, "{line}");
        }
    }
}
