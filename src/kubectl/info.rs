//! `kubectl version`, `cluster-info`, `api-resources`, `api-versions`.

use std::rc::Rc;

use super::command::{Cmd, VERB, Verb};
use super::connection::request_timeout;
use super::error::Error;
use super::flags::{Kind, flag};
use super::options::NO_HEADERS;
use super::print::TabWriter;
use crate::api::discovery;
use crate::api::{Request, Resource};
use crate::flat::Arrange;
use crate::obj;
use crate::value::{Value, yaml};

pub static VERSION: Verb = Verb {
    name: "version",
    group: "Other Commands:",
    short: "Print the client and server version information",
    flags: &[&[
        flag("client", '\0', Kind::Bool, "false"),
        flag("output", 'o', Kind::Str, ""),
    ]],
    run: Some(|c| Box::pin(version(c))),
    ..VERB
};

const KUSTOMIZE: &str = "v5.8.1";

async fn version(cmd: &Cmd) -> Result<(), Error> {
    let output = cmd.flags.str("output");
    if !cmd.args.is_empty() && !cmd.flags.bool("client") {
        return Err(Error::plain(format!("extra arguments: [{}]", cmd.args.join(" "))));
    }
    if !matches!(output, "" | "yaml" | "json") {
        return Err(Error::plain("--output must be 'yaml' or 'json'"));
    }
    // Client and server are of one build here; what the server says of itself is asked for.
    let mut server = Value::from_json(&discovery::version()).unwrap_or_default();
    if output.is_empty() {
        cmd.out(client_version());
    }
    if !cmd.flags.bool("client") {
        // What asks for it has a limit of its own, unless it is given one.
        let limit = request_timeout(&cmd.flags)?.map_or("32s", |_| "");
        let answer = cmd.send(Request::get("/version").with("timeout", limit)).await?.value();
        // The document comes as text, as the server indents it.
        server = match answer.as_str() {
            Some(text) => Value::from_json(text).unwrap_or_default(),
            None => answer,
        };
    }
    // The client knows nothing of emulation.
    let mut client = server.clone();
    for field in [
        "emulationMajor",
        "emulationMinor",
        "minCompatibilityMajor",
        "minCompatibilityMinor",
    ] {
        client.remove(&[field]);
    }
    let mut all = obj! { "clientVersion": client.clone(), "kustomizeVersion": KUSTOMIZE };
    if !cmd.flags.bool("client") {
        all.set(&["serverVersion"], server.clone());
    }
    match output {
        "yaml" => cmd.say(yaml::to_yaml(&all)),
        "json" => {
            cmd.say(super::typed::indented(&all, "  "));
        }
        _ if cmd.flags.bool("client") => {}
        _ => cmd.say(format!("Server Version: {}", server.str_at(&["gitVersion"]))),
    }
    Ok(())
}

/// What `version` prints of the client.
fn client_version() -> String {
    format!(
        "Client Version: {}\nKustomize Version: {KUSTOMIZE}\n",
        discovery::GIT_VERSION
    )
}

pub static CLUSTER_INFO: Verb = Verb {
    name: "cluster-info",
    group: "Cluster Management Commands:",
    short: "Display cluster information",
    subs: &[&super::dump::DUMP],
    run: Some(|c| Box::pin(cluster_info(c))),
    ..VERB
};

/// What `cluster-info` ends with.
pub const MORE: &str = "\nTo further debug and diagnose cluster problems, use 'kubectl cluster-info dump'.";

async fn cluster_info(cmd: &Cmd) -> Result<(), Error> {
    let server = cmd.config.server(cmd.flags.str("context"), "").to_owned();
    // Colours are for terminals only.
    let paint = |text: &str, code: &str| {
        if cmd.cx.stdout.is_terminal() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    };
    let services = cmd.client.resource("", "v1", "services")?;
    // The context's namespace does not count here.
    let namespace = match cmd.flags.str("namespace") {
        "" => "kube-system",
        given => given,
    };
    let list = cmd
        .list(&services, namespace, "kubernetes.io/cluster-service=true", "")
        .await;
    let list = match list {
        Ok(list) => list,
        Err(e) => {
            cmd.say(MORE);
            return Err(e);
        }
    };
    cmd.say(format!(
        "{} is running at {}",
        paint("Kubernetes control plane", "0;32"),
        paint(&server, "0;33")
    ));
    for s in list.get("items").items() {
        let name = s.str_at(&["metadata", "name"]);
        let label = match s.at(&["metadata", "labels"]).str_at(&["kubernetes.io/name"]) {
            "" => name,
            l => l,
        };
        let port = s.at(&["spec", "ports"]).items().first().cloned().unwrap_or_default();
        let port_name = match port.str_at(&["name"]) {
            "" => String::new(),
            n => format!(":{n}"),
        };
        let secure = port.i64_at(&["port"]) == Some(443) || port.str_at(&["name"]) == "https";
        let scheme = if secure { "https:" } else { "" };
        let link = format!("{server}/api/v1/namespaces/{namespace}/services/{scheme}{name}{port_name}/proxy");
        cmd.say(format!(
            "{} is running at {}",
            paint(label, "0;32"),
            paint(&link, "0;33")
        ));
    }
    cmd.say(MORE);
    Ok(())
}

pub static API_RESOURCES: Verb = Verb {
    name: "api-resources",
    group: "Other Commands:",
    short: "Print the supported API resources on the server",
    flags: &[&[
        flag("api-group", '\0', Kind::Str, ""),
        flag("cached", '\0', Kind::Bool, "false"),
        flag("categories", '\0', Kind::Slice, "[]"),
        flag("namespaced", '\0', Kind::Bool, "true"),
        NO_HEADERS,
        flag("output", 'o', Kind::Str, ""),
        flag("show-managed-fields", '\0', Kind::Bool, "false"),
        flag("sort-by", '\0', Kind::Str, ""),
        flag("verbs", '\0', Kind::Slice, "[]"),
    ]],
    run: Some(|c| Box::pin(api_resources(c))),
    ..VERB
};

async fn api_resources(cmd: &Cmd) -> Result<(), Error> {
    if !cmd.args.is_empty() {
        return Err(Error::usage(format!("unexpected arguments: [{}]", cmd.args.join(" "))));
    }
    let output = cmd.flags.str("output");
    if !matches!(output, "" | "wide" | "name" | "json" | "yaml" | "kyaml") {
        return Err(super::output::no_printer(output, "json,kyaml,name,wide,yaml"));
    }
    let sort = cmd.flags.str("sort-by");
    if !matches!(sort, "" | "name" | "kind") {
        return Err(Error::plain("--sort-by accepts only name or kind"));
    }
    let group = cmd.flags.has("api-group").then(|| cmd.flags.str("api-group"));
    let namespaced = cmd.flags.has("namespaced").then(|| cmd.flags.bool("namespaced"));
    let all = if cmd.flags.bool("cached") {
        cmd.resources()
    } else {
        cmd.resources_now()
    };
    let mut list: Vec<Rc<Resource>> = Vec::new();
    for r in super::mapper::listed(&all).iter() {
        let fits = group.is_none_or(|g| &*r.group == g)
            && namespaced.is_none_or(|n| r.namespaced == n)
            && cmd.flags.all("verbs").iter().all(|v| r.can(v))
            && cmd
                .flags
                .all("categories")
                .iter()
                .all(|c| r.categories.iter().any(|x| &**x == c));
        if fits {
            list.push(r.clone());
        }
    }
    match sort {
        "kind" => list.arrange_by(|a, b| a.kind.cmp(&b.kind)),
        "name" => list.arrange_by(|a, b| a.name.cmp(&b.name)),
        _ => {}
    }
    let join = |words: &[Rc<str>]| words.iter().map(|w| w.to_string()).collect::<Vec<_>>().join(",");
    if matches!(output, "json" | "yaml" | "kyaml") {
        let resources: Vec<_> = list
            .iter()
            .map(|r| {
                let mut v = obj! {
                    "kind": r.kind.clone(), "name": r.name.clone(), "namespaced": r.namespaced,
                    "singularName": r.singular.clone(), "version": r.version.clone(),
                    "verbs": r.verbs.iter().map(|w| crate::value::Value::from(w.clone())).collect::<crate::value::Value>(),
                };
                v.set_or_remove(&["group"], r.group.clone());
                let words = |l: &[Rc<str>]| l.iter().map(|w| crate::value::Value::from(w.clone())).collect::<crate::value::Value>();
                v.set_or_remove(&["shortNames"], words(&r.short_names));
                v.set_or_remove(&["categories"], words(&r.categories));
                v
            })
            .collect();
        let v = obj! { "apiVersion": "v1", "groupVersion": "", "kind": "APIResourceList", "resources": resources };
        match output {
            "json" => cmd.say(super::typed::indented(&v, "    ")),
            "yaml" => cmd.out(yaml::to_yaml(&v)),
            _ => cmd.out(format!(
                "---\n{}\n",
                super::output::kyaml(&v, 0, &super::typed::Shape::of(&v))
            )),
        }
        return Ok(());
    }
    let mut writer = TabWriter::table();
    if !cmd.flags.bool("no-headers") && output != "name" {
        let mut header = vec!["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"];
        if output == "wide" {
            header.extend(["VERBS", "CATEGORIES"]);
        }
        writer.row(&header);
    }
    for r in &list {
        if output == "name" {
            writer.row(&[r.qualified()]);
            continue;
        }
        let mut row = vec![
            r.name.to_string(),
            join(&r.short_names),
            r.api_version(),
            r.namespaced.to_string(),
            r.kind.to_string(),
        ];
        if output == "wide" {
            row.extend([join(&r.verbs), join(&r.categories)]);
        }
        writer.row(&row);
    }
    cmd.out(writer.flush());
    Ok(())
}

pub static API_VERSIONS: Verb = Verb {
    name: "api-versions",
    group: "Other Commands:",
    short: "Print the supported API versions on the server, in the form of \"group/version\"",
    run: Some(|c| Box::pin(api_versions(c))),
    ..VERB
};

async fn api_versions(cmd: &Cmd) -> Result<(), Error> {
    if !cmd.args.is_empty() {
        return Err(Error::usage(format!("unexpected arguments: [{}]", cmd.args.join(" "))));
    }
    let known = cmd.resources_now();
    let mut list: Vec<String> = known.iter().map(|r| r.api_version()).collect();
    list.arrange();
    list.dedup();
    for v in list {
        cmd.say(v);
    }
    Ok(())
}
