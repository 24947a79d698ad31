//! `kubectl top`: what pods and nodes use, of the metrics API.

use std::cmp::Reverse;

use super::command::{Cmd, VERB, Verb};
use super::error::Error;
use super::flags::{Flag, Kind, flag};
use super::options::{ALL_NAMESPACES, FIELD_SELECTOR, NO_HEADERS, SELECTOR};
use super::print::TabWriter;
use crate::api::quantity::Quantity;
use crate::api::{Request, Resource, metrics};
use crate::flat::Arrange;
use crate::sim::Time;
use crate::value::Value;

const BOTH: &[Flag] = &[
    NO_HEADERS,
    flag("show-swap", '\0', Kind::Bool, "false"),
    flag("sort-by", '\0', Kind::Str, ""),
    flag("use-protocol-buffers", '\0', Kind::Bool, "true").but("the answer is the same"),
];

const OF_NODES: &[Flag] = &[flag("show-capacity", '\0', Kind::Bool, "false")];

const OF_PODS: &[Flag] = &[
    flag("containers", '\0', Kind::Bool, "false"),
    flag("sum", '\0', Kind::Bool, "false"),
];

pub static TOP: Verb = Verb {
    name: "top",
    group: "Cluster Management Commands:",
    short: "Display resource (CPU/memory) usage",
    subs: &[&TOP_NODE, &TOP_POD],
    ..VERB
};

static TOP_NODE: Verb = Verb {
    name: "node",
    aliases: &["nodes", "no"],
    short: "Display resource (CPU/memory) usage of nodes",
    flags: &[BOTH, SELECTOR, OF_NODES],
    run: Some(|c| Box::pin(nodes(c))),
    ..VERB
};

static TOP_POD: Verb = Verb {
    name: "pod",
    aliases: &["pods", "po"],
    short: "Display resource (CPU/memory) usage of pods",
    flags: &[BOTH, SELECTOR, OF_PODS, ALL_NAMESPACES, FIELD_SELECTOR],
    run: Some(|c| Box::pin(pods(c))),
    ..VERB
};

/// The use of one row: thousandths of a processor, and bytes.
#[derive(Clone, Copy, Default)]
struct Used {
    cpu: i64,
    memory: i64,
    /// Billionths of a processor, for sums and order.
    nanos: Quantity,
}

impl Used {
    fn of(usage: &Value) -> Used {
        let read = |name: &str| Quantity::parse_or_zero(usage.get(name).str());
        Used {
            cpu: read("cpu").milli_value(),
            memory: read("memory").value(),
            nanos: read("cpu"),
        }
    }

    fn plus(self, other: Used) -> Used {
        let nanos = self.nanos.plus(other.nanos);
        Used {
            cpu: nanos.milli_value(),
            memory: self.memory + other.memory,
            nanos,
        }
    }

    fn cells(self, swap: bool) -> Vec<String> {
        let mut cells = vec![format!("{}m", self.cpu), format!("{}Mi", self.memory >> 20)];
        if swap {
            cells.push("0Mi".into());
        }
        cells
    }
}

/// Checks what both commands are given, and that the API is there: the resource, and the name.
async fn begin(
    cmd: &Cmd,
    usage: &str,
    resource: &str,
    selectors: &str,
) -> Result<(std::rc::Rc<Resource>, String), Error> {
    if cmd.args.len() > 1 {
        return Err(Error::usage(usage));
    }
    if !matches!(cmd.flags.str("sort-by"), "" | "cpu" | "memory") {
        return Err(Error::plain("--sort-by accepts only cpu or memory"));
    }
    let name = cmd.arg(0).to_owned();
    let selects = !cmd.flags.str("selector").is_empty()
        || (cmd.flags.knows("field-selector") && !cmd.flags.str("field-selector").is_empty());
    if !name.is_empty() && selects {
        return Err(Error::plain(format!("only one of NAME or {selectors} can be provided")));
    }
    crate::api::Selector::parse(cmd.flags.str("selector")).map_err(Error::plain)?;
    // Whether metrics are served is asked anew.
    for path in ["/api", "/apis"] {
        cmd.send(Request::get(path)).await?;
    }
    let all = cmd.resources_now();
    let found = all.iter().find(|r| &*r.group == metrics::GROUP && &*r.name == resource);
    let resource = found
        .cloned()
        .ok_or_else(|| Error::plain("Metrics API not available"))?;
    Ok((resource, name))
}

/// Sorts by use, the largest first, or by what `name` gives.
fn sort<T, K: Ord>(rows: &mut [T], by: &str, used: impl Fn(&T) -> Used, name: impl Fn(&T) -> K) {
    rows.arrange_by_key(|r| name(r));
    match by {
        "cpu" => rows.arrange_by_key(|r| Reverse(used(r).cpu)),
        "memory" => rows.arrange_by_key(|r| Reverse(used(r).memory)),
        _ => {}
    }
}

/// Adds a line of cells, each of which ends with a tab.
fn row(writer: &mut TabWriter, cells: &[String]) {
    writer.write(&format!("{}\t\n", cells.join("\t")));
}

fn texts(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|c| (*c).to_owned()).collect()
}

async fn nodes(cmd: &Cmd) -> Result<(), Error> {
    let (resource, name) = begin(cmd, "node [NAME | -l label]", "nodes", "--selector").await?;
    let selector = cmd.flags.str("selector");
    let mut found: Vec<Value> = if name.is_empty() {
        cmd.list(&resource, "", selector, "")
            .await?
            .get("items")
            .items()
            .to_vec()
    } else {
        vec![cmd.get(&resource, "", &name).await?]
    };
    if found.is_empty() {
        return Err(Error::plain("metrics not available yet"));
    }
    let kind = cmd.client.resource("", "v1", "nodes")?;
    let mut objects: Vec<Value> = if name.is_empty() {
        cmd.list(&kind, "", selector, "").await?.get("items").items().to_vec()
    } else {
        vec![cmd.get(&kind, "", &name).await?]
    };
    let own_name = |v: &Value| v.str_at(&["metadata", "name"]).to_owned();
    let swap = cmd.flags.bool("show-swap");
    sort(
        &mut found,
        cmd.flags.str("sort-by"),
        |m| Used::of(m.get("usage")),
        own_name,
    );
    let mut writer = TabWriter::table();
    if !cmd.flags.bool("no-headers") {
        let mut head = texts(&["NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"]);
        if swap {
            head.extend(texts(&["SWAP(bytes)", "SWAP(%)"]));
        }
        row(&mut writer, &head);
    }
    let whole = if cmd.flags.bool("show-capacity") {
        "capacity"
    } else {
        "allocatable"
    };
    for m in &found {
        let used = Used::of(m.get("usage"));
        let node = objects.iter().position(|n| own_name(n) == own_name(m));
        let node = node.map(|i| objects.remove(i)).unwrap_or_default();
        let has = Used::of(node.at(&["status", whole]));
        let percent = |used: i64, of: i64| {
            let fraction = if of == 0 { 0.0 } else { used as f64 / of as f64 * 100.0 };
            format!("{}%", fraction as i64)
        };
        let mut cells = vec![
            own_name(m),
            format!("{}m", used.cpu),
            percent(used.cpu, has.cpu),
            format!("{}Mi", used.memory >> 20),
            percent(used.memory, has.memory),
        ];
        if swap {
            // The nodes here have no swap, and say nothing of it.
            cells.extend(texts(&["<unknown>", "<unknown>"]));
        }
        row(&mut writer, &cells);
    }
    for node in &objects {
        let mut cells = vec![own_name(node)];
        cells.resize(if swap { 7 } else { 5 }, "<unknown>".to_owned());
        row(&mut writer, &cells);
    }
    cmd.out(writer.flush());
    Ok(())
}

async fn pods(cmd: &Cmd) -> Result<(), Error> {
    let (resource, name) = begin(cmd, "pod [NAME | -l label]", "pods", "selector").await?;
    let all = cmd.flags.bool("all-namespaces");
    let namespace = if all { String::new() } else { cmd.namespace() };
    let (labels, fields) = (cmd.flags.str("selector"), cmd.flags.str("field-selector"));
    let mut found: Vec<Value> = if name.is_empty() {
        let list = cmd.list(&resource, &namespace, labels, fields).await?;
        list.get("items").items().to_vec()
    } else {
        vec![cmd.get(&resource, &cmd.namespace(), &name).await?]
    };
    if found.is_empty() {
        why_none(cmd, labels, fields).await?;
        if all {
            cmd.err("No resources found");
        } else {
            cmd.err(format!("No resources found in {namespace} namespace."));
        }
        return Ok(());
    }
    let by = cmd.flags.str("sort-by");
    let swap = cmd.flags.bool("show-swap");
    let by_container = cmd.flags.bool("containers");
    let total = |m: &Value| {
        let containers = m.get("containers").items().iter();
        containers.fold(Used::default(), |sum, c| sum.plus(Used::of(c.get("usage"))))
    };
    sort(&mut found, by, total, |m| {
        let namespace = if all { m.str_at(&["metadata", "namespace"]) } else { "" };
        (namespace.to_owned(), m.str_at(&["metadata", "name"]).to_owned())
    });
    let mut writer = TabWriter::table();
    let mut columns = 2 + usize::from(swap) + 1;
    if !cmd.flags.bool("no-headers") {
        let mut head = Vec::new();
        if all {
            head.push("NAMESPACE".to_owned());
        }
        if by_container {
            head.push("POD".to_owned());
        }
        head.extend(texts(&["NAME", "CPU(cores)", "MEMORY(bytes)"]));
        if swap {
            head.push("SWAP(bytes)".to_owned());
        }
        // The line above the sum stands where the last columns do; without a head kubectl counts
        // those in front neither.
        columns = head.len();
        row(&mut writer, &head);
    }
    for m in &found {
        let mut front = Vec::new();
        if all {
            front.push(m.str_at(&["metadata", "namespace"]).to_owned());
        }
        let pod = m.str_at(&["metadata", "name"]).to_owned();
        front.push(pod);
        if !by_container {
            front.extend(total(m).cells(swap));
            row(&mut writer, &front);
            continue;
        }
        let mut containers = m.get("containers").items().to_vec();
        sort(
            &mut containers,
            by,
            |c| Used::of(c.get("usage")),
            |c| c.get("name").str().to_owned(),
        );
        for c in &containers {
            let mut cells = front.clone();
            cells.push(c.get("name").str().to_owned());
            cells.extend(Used::of(c.get("usage")).cells(swap));
            row(&mut writer, &cells);
        }
    }
    if cmd.flags.bool("sum") {
        let sum = found.iter().fold(Used::default(), |sum, m| sum.plus(total(m)));
        let mut line = vec![String::new(); columns.saturating_sub(2)];
        line.extend(texts(&["________", "________"]));
        row(&mut writer, &line);
        let mut cells = vec![String::new(); columns.saturating_sub(3) + 1];
        cells.extend(sum.cells(swap));
        row(&mut writer, &cells);
    }
    cmd.out(writer.flush());
    Ok(())
}

/// Why there are no metrics of any pod: an error when there are pods.
async fn why_none(cmd: &Cmd, labels: &str, fields: &str) -> Result<(), Error> {
    let kind = cmd.client.resource("", "v1", "pods")?;
    let list = cmd.list(&kind, &cmd.namespace(), labels, fields).await?;
    let pods = list.get("items").items();
    if pods.is_empty() {
        return Ok(());
    }
    let now = cmd.sim().now();
    for pod in pods {
        let born = Time::parse(pod.str_at(&["metadata", "creationTimestamp"])).unwrap_or_default();
        let age = now.since(born);
        if age > std::time::Duration::from_secs(120) {
            return Err(Error::plain(format!(
                "Metrics not available for pod {}/{}, age: {}",
                pod.str_at(&["metadata", "namespace"]),
                pod.str_at(&["metadata", "name"]),
                crate::value::duration::text(age)
            )));
        }
    }
    Err(Error::plain("metrics not available yet"))
}
