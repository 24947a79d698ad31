//! Completion of kubectl's command line: what `kubectl __complete` answers to the scripts of
//! `kubectl completion`, and what the terminal here offers. Both are one answer, with cobra's
//! directive of what the shell shall make of it.

use std::rc::Rc;

use futures::FutureExt;
use futures::future::LocalBoxFuture;

use super::builder::Info;
use super::command::{Cmd, VERB, Verb};
use super::error::Error;
use super::flags::{Flag, Kind, parse};
use super::kubeconfig::{self, Kubeconfig};
use super::options::GLOBAL;
use super::output::GET_FORMATS;
use super::{ROOT, find, first_word, help, mapper, podpick};
use crate::api::client::item;
use crate::api::{Client, Request};
use crate::flat::Arrange;
use crate::shell::{Candidate, Completer, CompletionRequest};
use crate::value::{Value, quoted};

/// Completes kubectl for a client of the API server.
#[derive(Clone)]
pub struct KubectlCompleter {
    client: Client,
}

impl KubectlCompleter {
    pub fn new(client: Client) -> KubectlCompleter {
        KubectlCompleter { client }
    }
}

impl Completer for KubectlCompleter {
    fn complete(&self, request: CompletionRequest) -> LocalBoxFuture<'static, Vec<Candidate>> {
        let client = self.client.clone();
        async move { candidates(&client, &request).await }.boxed_local()
    }
}

/// cobra's directives, as far as kubectl gives them: bits of a sum.
const NO_SPACE: u8 = 2;
const NO_FILES: u8 = 4;
const EXTENSIONS: u8 = 8;

/// What may stand at the cursor.
#[derive(Debug, Default)]
struct Answer {
    /// Words, each with what it is; the latter may be empty.
    list: Vec<(String, String)>,
    /// The command whose flags the words are, which are described by its help: there each stands with its long name.
    flags_of: Option<String>,
    directive: u8,
    /// What went wrong, for those who debug a completion.
    notes: &'static str,
    failure: String,
}

impl Answer {
    fn of(list: Vec<String>, directive: u8) -> Answer {
        Answer {
            list: list.into_iter().map(|w| (w, String::new())).collect(),
            directive,
            ..Answer::default()
        }
    }
}

/// What the terminal offers: as a shell with kubectl's script does.
async fn candidates(client: &Client, request: &CompletionRequest) -> Vec<Candidate> {
    let answer = answer(client, request).await;
    let word = request.word();
    // What is offered for a flag's value is what stands behind the `=`.
    let (before, value) = match word.split_once('=') {
        Some((name, value)) if name.starts_with("--") => (format!("{name}="), value),
        _ => (String::new(), word),
    };
    if answer.directive == EXTENSIONS || (answer.list.is_empty() && answer.directive & NO_FILES == 0) {
        let mut files = CompletionRequest {
            words: vec![value.to_owned()],
            ..request.clone()
        }
        .files();
        for c in &mut files {
            c.text = format!("{before}{}", c.text);
        }
        return files;
    }
    let words = answer.list.into_iter().map(|(text, _)| Candidate {
        display: text.rsplit_once('/').map_or(text.as_str(), |(_, n)| n).to_owned(),
        space: answer.directive & NO_SPACE == 0 && !text.ends_with(['/', ':']),
        text: format!("{before}{text}"),
    });
    words
        .map(|c| match c.display.is_empty() {
            true => Candidate {
                display: c.text.clone(),
                ..c
            },
            false => c,
        })
        .collect()
}

pub static COMPLETE: Verb = Verb {
    name: "__complete",
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};
pub static COMPLETE_WORDS: Verb = Verb {
    name: "__completeNoDesc",
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

/// `kubectl __complete WORDS`: its arguments are taken as they are.
async fn run(cmd: &Cmd) -> Result<(), Error> {
    if cmd.args.is_empty() {
        return Err(Error::plain("requires at least 1 arg(s), only received 0"));
    }
    let mut words = vec!["kubectl".to_owned()];
    words.extend(cmd.args.iter().cloned());
    let request = CompletionRequest {
        words,
        env: cmd.cx.env.clone(),
        cwd: cmd.cx.cwd.clone(),
        host: cmd.cx.host.clone(),
    };
    let answer = answer(&cmd.client, &request).await;
    cmd.cx.stderr.write(answer.notes);
    if !answer.failure.is_empty() {
        cmd.err(format!("[Debug] [Error] {}", answer.failure));
    }
    let texts = match &answer.flags_of {
        Some(_) if cmd.verb.name == "__complete" => help::texts(&cmd.client, &cmd.cx.stderr).await,
        _ => Rc::default(),
    };
    for (word, what) in &answer.list {
        let what = match &answer.flags_of {
            Some(path) => help::of_flag(&texts, path, what),
            None => what,
        };
        if what.is_empty() || cmd.verb.name == "__completeNoDesc" {
            cmd.say(word);
        } else {
            cmd.say(format!("{word}\t{what}"));
        }
    }
    cmd.say(format!(":{}", answer.directive));
    let said = [
        (NO_SPACE, "ShellCompDirectiveNoSpace"),
        (NO_FILES, "ShellCompDirectiveNoFileComp"),
        (EXTENSIONS, "ShellCompDirectiveFilterFileExt"),
    ];
    let mut names: Vec<&str> = said
        .iter()
        .filter(|(bit, _)| answer.directive & bit != 0)
        .map(|(_, name)| *name)
        .collect();
    if names.is_empty() {
        names.push("ShellCompDirectiveDefault");
    }
    cmd.err(format!("Completion ended with directive: {}", names.join(", ")));
    Ok(())
}

const WORKLOADS: &[&str] = &["deployment", "daemonset", "statefulset"];
const SCALABLE: &[&str] = &["deployment", "replicaset", "replicationcontroller", "statefulset"];
const WITH_PODS: &[&str] = &[
    "daemonsets",
    "deployments",
    "pods",
    "jobs",
    "replicasets",
    "replicationcontrollers",
    "services",
    "statefulsets",
];

async fn answer(client: &Client, request: &CompletionRequest) -> Answer {
    let word = request.word();
    let last = request.words.len().saturating_sub(1);
    let before: Vec<String> = request.words.get(1..last).unwrap_or_default().to_vec();
    let (verb, path, mut rest) = find(&before);
    let failed = |failure: String, notes| Answer {
        failure,
        notes,
        ..Answer::default()
    };
    if std::ptr::eq(verb, &ROOT)
        && let Some(i) = first_word(verb, &rest)
    {
        let words = rest.get(i..).unwrap_or_default().join(" ");
        return failed(
            format!("unable to find a command for arguments: [{words}]"),
            "[Debug] Cleared global flags for plugin completion\n",
        );
    }
    let mut tables: Vec<&[Flag]> = verb.flags.to_vec();
    tables.push(GLOBAL);
    let known = |name: &str| tables.iter().copied().flatten().find(|f| f.name == name).copied();
    let dashed = rest.iter().any(|w| w == "--");
    // A flag's value: behind `=`, or as the next word.
    let mut value_of = None;
    let mut value = word;
    if !dashed {
        if let Some((name, given)) = word.strip_prefix("--").and_then(|w| w.split_once('=')) {
            value_of = known(name);
            value = given;
        } else if !word.starts_with('-')
            && let Some(flag) = rest.last().and_then(|w| flag_of(w, &tables))
            && flag.no_opt.is_empty()
        {
            rest.pop();
            value_of = Some(flag);
        }
    }
    let parsed = match parse(&rest, &tables) {
        Ok(parsed) => parsed,
        Err(why) => {
            let words = rest.join(" ");
            return failed(format!("Error while parsing flags from args [{words}]: {why}"), "");
        }
    };
    let values = &parsed.values;
    let asker = Asker {
        client,
        request,
        namespace: namespace(request, values.str("namespace"), values.str("context")),
    };
    let args: Vec<&str> = parsed.args.iter().map(String::as_str).collect();
    let full = path;
    let path = full.strip_prefix("kubectl ").unwrap_or("");
    if let Some(flag) = value_of {
        return asker.value(&flag, path, &args, value).await;
    }
    let required: Vec<(String, String)> = verb
        .required
        .iter()
        .filter(|name| !values.has(name) && format!("--{name}").starts_with(word))
        .map(|name| (format!("--{name}"), (*name).to_owned()))
        .collect();
    if !dashed && word.starts_with('-') && !word.contains('=') {
        let mut list = required;
        if list.is_empty() {
            let given = |f: &Flag| values.has(f.name) && !matches!(f.kind, Kind::Slice | Kind::Map);
            let shown = |f: &&Flag| f.deprecated.is_empty() && !f.hidden && !given(f);
            let mut own: Vec<Flag> = verb.flags.iter().copied().flatten().filter(shown).copied().collect();
            own.push(super::flags::flag("help", 'h', Kind::Bool, "false"));
            own.arrange_by_key(|f| f.name);
            own.dedup_by_key(|f| f.name);
            let inherited = GLOBAL
                .iter()
                .filter(shown)
                .filter(|g| !own.iter().any(|f| f.name == g.name));
            for f in inherited.chain(&own) {
                for name in [format!("--{}", f.name), format!("-{}", f.short)] {
                    if name.starts_with(word) && !name.ends_with('\0') {
                        list.push((name, f.name.to_owned()));
                    }
                }
            }
        }
        return Answer {
            list,
            directive: NO_FILES,
            flags_of: Some(full),
            ..Answer::default()
        };
    }
    let mut list = Vec::new();
    let mut directive = 0;
    let (parent, args): (&Verb, &[&str]) = if verb.name == "help" && std::ptr::eq(find(&before).0, verb) {
        let (about, _, more) = find(&parsed.args);
        if !more.is_empty() {
            return Answer::of(Vec::new(), NO_FILES);
        }
        (about, &[])
    } else {
        (verb, &args)
    };
    let own_flag = values
        .given()
        .any(|(name, _)| verb.flags.iter().copied().flatten().any(|f| f.name == name));
    if args.is_empty() && !parent.subs.is_empty() && !own_flag {
        let mut subs: Vec<&Verb> = parent.subs.iter().copied().filter(|s| !s.short.is_empty()).collect();
        subs.arrange_by_key(|s| s.name);
        let fitting = subs.iter().filter(|s| s.name.starts_with(word));
        list.extend(fitting.map(|s| (s.name.to_owned(), s.short.to_owned())));
        directive = NO_FILES;
    }
    list.extend(required);
    if verb.name == "help" {
        return Answer {
            list,
            directive: NO_FILES,
            ..Answer::default()
        };
    }
    let mut answer = asker.argument(path, args, word).await.unwrap_or(Answer {
        directive,
        ..Answer::default()
    });
    list.append(&mut answer.list);
    answer.list = list;
    answer
}

/// The flag that a word is: `--namespace`, `-n`, the last letter of `-An`.
fn flag_of(word: &str, tables: &[&[Flag]]) -> Option<Flag> {
    let mut flags = tables.iter().copied().flatten();
    if word.contains('=') {
        return None;
    }
    if let Some(long) = word.strip_prefix("--") {
        return flags.find(|f| f.name == long).copied();
    }
    let letter = word.strip_prefix('-')?.chars().last()?;
    flags.find(|f| f.short == letter).copied()
}

fn config_value(request: &CompletionRequest) -> Value {
    kubeconfig::readable(request.host.files(), &request.env, &request.cwd)
}

fn namespace(request: &CompletionRequest, flag: &str, context: &str) -> String {
    if !flag.is_empty() {
        return flag.to_owned();
    }
    Kubeconfig::of_value(config_value(request)).namespace(context)
}

/// Who asks: for whom, and about which namespace.
struct Asker<'a> {
    client: &'a Client,
    request: &'a CompletionRequest,
    namespace: String,
}

impl Asker<'_> {
    /// The names of a list of the kubeconfig that begin so.
    fn config(&self, list: &str, word: &str) -> Vec<String> {
        let value = config_value(self.request);
        let names = value.get(list).items().iter().map(|e| e.str_at(&["name"]).to_owned());
        names.filter(|n| n.starts_with(word)).collect()
    }

    /// The objects of the types that `words` names, in a namespace.
    async fn objects(&self, words: &str, namespace: &str) -> Vec<Value> {
        let all = self.client.api().resources();
        let mut objects = Vec::new();
        for word in words.split(',') {
            let resources = match mapper::find(&all, word) {
                Some(resource) => vec![resource],
                None => mapper::category(&all, word),
            };
            for resource in resources {
                let namespace = if resource.namespaced { namespace } else { "" };
                let asked = self.client.send(Request::get(resource.path(namespace))).await;
                if let Ok(response) = asked.ok() {
                    objects.extend(response.value().get("items").items().iter().cloned());
                }
            }
        }
        objects
    }

    /// The names of a type's objects that begin so.
    async fn names(&self, kind: &str, word: &str) -> Vec<String> {
        let objects = self.objects(kind, &self.namespace).await;
        let names = objects.iter().map(|o| o.str_at(&["metadata", "name"]).to_owned());
        names.filter(|n| n.starts_with(word)).collect()
    }

    /// The types that can be read, as `api-resources -o name` lists them; after a comma the list goes on.
    fn types(&self, word: &str) -> Vec<String> {
        let (done, word) = word.split_at(word.rfind(',').map_or(0, |i| i + 1));
        let all = self.client.api().resources();
        let list = mapper::listed(&all);
        let names = list.iter().filter(|r| r.can("get")).map(|r| r.qualified());
        names
            .filter(|n| n.starts_with(word))
            .map(|n| format!("{done}{n}"))
            .collect()
    }

    /// A type, then names of it; or `TYPE/NAME`. `only` are the types, when not all are right.
    async fn typed(&self, only: &[&str], many: bool, args: &[&str], word: &str) -> Answer {
        let fitting = |word: &str| -> Vec<String> {
            if only.is_empty() {
                return self.types(word);
            }
            only.iter()
                .filter(|t| t.starts_with(word))
                .map(|t| (*t).to_owned())
                .collect()
        };
        let mut list = Vec::new();
        let mut directive = NO_FILES;
        match args.first() {
            Some(first) if !first.contains('/') => {
                if many || args.len() == 1 {
                    list = self.names(first, word).await;
                }
            }
            first => match word.split_once('/') {
                Some((kind, name)) if many || first.is_none() => {
                    let names = self.names(kind, name).await;
                    list.extend(names.iter().map(|n| format!("{kind}/{n}")));
                }
                Some(_) => {}
                None if first.is_none() => list = fitting(word),
                None if many => {
                    directive |= NO_SPACE;
                    list = fitting(word).into_iter().map(|t| format!("{t}/")).collect();
                }
                None => {}
            },
        }
        list.retain(|w| !args.contains(&w.as_str()));
        Answer::of(list, directive)
    }

    /// A pod, or something that has pods.
    async fn pods(&self, word: &str) -> Answer {
        if let Some((kind, name)) = word.split_once('/') {
            let names = self.names(kind, name).await;
            return Answer::of(names.iter().map(|n| format!("{kind}/{n}")).collect(), NO_FILES);
        }
        let mut list = self.names("pods", word).await;
        let directive = if list.is_empty() { NO_FILES | NO_SPACE } else { NO_FILES };
        let kinds = WITH_PODS.iter().filter(|k| k.starts_with(word));
        list.extend(kinds.map(|k| format!("{k}/")));
        Answer::of(list, directive)
    }

    /// The pod that a word names, by itself or by what it belongs to.
    async fn pod(&self, word: &str) -> Value {
        let (kind, name) = word.split_once('/').unwrap_or(("pods", word));
        let all = self.client.api().resources();
        let Some(resource) = mapper::find(&all, kind) else {
            return Value::Null;
        };
        let path = item(&resource, &self.namespace, name);
        let Ok(response) = self.client.send(Request::get(path)).await.ok() else {
            return Value::Null;
        };
        let info = Info {
            resource,
            namespace: self.namespace.clone(),
            name: name.to_owned(),
            source: String::new(),
            object: response.value(),
        };
        if &*info.resource.kind == "Pod" {
            return info.object;
        }
        let Ok(selector) = podpick::selector(&info) else {
            return Value::Null;
        };
        let pods = self.objects("pods", &self.namespace).await;
        let mut own = pods
            .into_iter()
            .filter(|p| selector.matches(p.at(&["metadata", "labels"])));
        own.next().unwrap_or_default()
    }

    async fn containers(&self, word: &str, prefix: &str) -> Vec<String> {
        let pod = self.pod(word).await;
        let fields = ["initContainers", "containers"].map(|f| pod.at(&["spec", f]).items());
        let names = fields.into_iter().flatten().map(|c| c.str_at(&["name"]).to_owned());
        names.filter(|n| n.starts_with(prefix)).collect()
    }

    /// `PORT:PORT` of a pod's containers, or of a service.
    async fn ports(&self, word: &str, prefix: &str) -> Vec<String> {
        let service = matches!(word.split('/').next(), Some("service" | "services" | "svc")) && word.contains('/');
        let (lists, field) = if service {
            let name = word.rsplit('/').next().unwrap_or("");
            let services = self.objects("services", &self.namespace).await;
            let found = services.iter().find(|s| s.str_at(&["metadata", "name"]) == name);
            (found.map(|s| s.get("spec").clone()).into_iter().collect(), "port")
        } else {
            let pod = self.pod(word).await;
            (pod.at(&["spec", "containers"]).items().to_vec(), "containerPort")
        };
        let ports = lists
            .iter()
            .flat_map(|l| l.get("ports").items())
            .filter_map(|p| p.i64_at(&[field]));
        let left = prefix.split(':').next().unwrap_or("");
        let pairs = ports.map(|p| match left {
            "" => format!("{p}:{p}"),
            left => format!("{left}:{p}"),
        });
        pairs.filter(|p| p.starts_with(prefix)).collect()
    }

    /// What may stand as the next argument of a verb; `None` when kubectl does not say.
    async fn argument(&self, path: &str, args: &[&str], word: &str) -> Option<Answer> {
        let first = args.is_empty();
        let one = |list: Vec<String>| Some(Answer::of(list, NO_FILES));
        let entries = |list: &str| match first {
            true => one(self.config(list, word)),
            false => one(Vec::new()),
        };
        match path {
            "get"
            | "describe"
            | "delete"
            | "edit"
            | "label"
            | "annotate"
            | "patch"
            | "debug"
            | "apply edit-last-applied"
            | "apply view-last-applied" => Some(self.typed(&[], true, args, word).await),
            "rollout history" | "rollout undo" | "rollout restart" => {
                Some(self.typed(WORKLOADS, true, args, word).await)
            }
            "rollout status" => Some(self.typed(WORKLOADS, false, args, word).await),
            "rollout pause" | "rollout resume" => Some(self.typed(&["deployment"], true, args, word).await),
            "scale" | "autoscale" => Some(self.typed(SCALABLE, true, args, word).await),
            "expose" => {
                let kinds = ["pod", "service", "replicationcontroller", "deployment", "replicaset"];
                Some(self.typed(&kinds, true, args, word).await)
            }
            "taint" => Some(self.typed(&["node"], true, args, word).await),
            "set image" => {
                let kinds = [
                    "daemonsets",
                    "deployments",
                    "pods",
                    "cronjobs",
                    "replicasets",
                    "replicationcontrollers",
                    "statefulsets",
                ];
                Some(self.typed(&kinds, false, args, word).await)
            }
            "cordon" | "uncordon" | "drain" | "top node" => self.sole("nodes", args, word).await,
            "top pod" => self.sole("pods", args, word).await,
            "create token" => self.sole("serviceaccounts", args, word).await,
            "exec" | "attach" | "logs" | "port-forward" if first => Some(self.pods(word).await),
            "logs" if args.len() == 1 => one(self.containers(args.first().unwrap_or(&""), word).await),
            "port-forward" if args.len() == 1 => one(self.ports(args.first().unwrap_or(&""), word).await),
            "exec" | "attach" | "logs" | "port-forward" => one(Vec::new()),
            "cp" => Some(self.copy(first, word).await),
            "config use-context" | "config delete-context" | "config rename-context" | "config set-context" => {
                entries("contexts")
            }
            "config delete-cluster" => entries("clusters"),
            "config delete-user" => entries("users"),
            "completion" if first => {
                let shells = SHELLS.iter().filter(|s| s.starts_with(word));
                one(shells.map(|s| (*s).to_owned()).collect())
            }
            _ => None,
        }
    }

    /// The names of a type's objects, for a verb that takes one argument.
    async fn sole(&self, kind: &str, args: &[&str], word: &str) -> Option<Answer> {
        let list = match args {
            [] => self.names(kind, word).await,
            _ => Vec::new(),
        };
        Some(Answer::of(list, NO_FILES))
    }

    /// Namespaces, pods and files: `kubectl cp NAMESPACE/POD:PATH PATH`.
    async fn copy(&self, first: bool, word: &str) -> Answer {
        let mut list = Vec::new();
        if first && !word.starts_with(['/', '.', '~']) && !word.contains(':') {
            if let Some((namespace, _)) = word.split_once('/') {
                let pods = self.objects("pods", namespace).await;
                list.extend(
                    pods.iter()
                        .map(|p| format!("{namespace}/{}:", p.str_at(&["metadata", "name"]))),
                );
                list.retain(|w| w.starts_with(word));
            } else {
                list.extend(self.names("namespaces", word).await.iter().map(|n| format!("{n}/")));
                list.extend(self.names("pods", word).await.iter().map(|n| format!("{n}:")));
                if word.is_empty() {
                    list.extend(["./", "/"].map(str::to_owned));
                } else if !list.is_empty() {
                    list.extend(self.request.files().into_iter().map(|c| c.text));
                }
            }
        }
        Answer::of(list, NO_SPACE)
    }

    /// The values of a flag.
    async fn value(&self, flag: &Flag, path: &str, args: &[&str], word: &str) -> Answer {
        let one_of = |list: &[&str]| {
            let fitting = list.iter().filter(|v| v.starts_with(word));
            Answer::of(fitting.map(|v| (*v).to_owned()).collect(), NO_FILES)
        };
        let in_context = path == "config set-context";
        match flag.name {
            "namespace" => Answer::of(self.names("namespaces", word).await, NO_FILES),
            "context" => Answer::of(self.config("contexts", word), NO_FILES),
            "cluster" if !in_context => Answer::of(self.config("clusters", word), NO_FILES),
            "user" if flag.kind == Kind::Str && !in_context => Answer::of(self.config("users", word), NO_FILES),
            "clusterrole" if path == "create clusterrolebinding" => {
                Answer::of(self.names("clusterroles", word).await, NO_FILES)
            }
            "container" if path == "exec" => {
                let pod = args.first().unwrap_or(&"");
                Answer::of(self.containers(pod, word).await, NO_FILES)
            }
            "subresource" => one_of(&["status", "scale", "resize"]),
            "output" if path == "get" => {
                // In the order of the printers' own flags.
                let first = [
                    "json",
                    "yaml",
                    "kyaml",
                    "name",
                    "go-template",
                    "go-template-file",
                    "template",
                    "templatefile",
                ];
                let rest = [
                    "jsonpath",
                    "jsonpath-as-json",
                    "jsonpath-file",
                    "custom-columns",
                    "custom-columns-file",
                    "wide",
                ];
                debug_assert_eq!(first.len() + rest.len(), GET_FORMATS.split(',').count());
                let all: Vec<&str> = first.into_iter().chain(rest).collect();
                one_of(&all)
            }
            "filename" => Answer::of(["json", "yaml", "yml"].map(str::to_owned).to_vec(), EXTENSIONS),
            _ => Answer::default(),
        }
    }
}

pub static COMPLETION: Verb = Verb {
    name: "completion",
    group: "Settings Commands:",
    short: "Output shell completion code for the specified shell (bash, zsh, fish, or powershell)",
    run: Some(|c| Box::pin(completion(c))),
    ..VERB
};

/// The shells that there are scripts for.
pub const SHELLS: [&str; 4] = ["zsh", "fish", "powershell", "bash"];

async fn completion(cmd: &Cmd) -> Result<(), Error> {
    match cmd.args.as_slice() {
        [] => Err(Error::usage("Shell not specified.")),
        [shell] if SHELLS.contains(&shell.as_str()) => {
            // The scripts come with the words of help.
            let texts = help::texts(&cmd.client, &cmd.cx.stderr).await;
            match texts.text("kubectl completion", shell) {
                "" => Err(Error::plain(format!("the script of {shell} could not be loaded"))),
                script => {
                    cmd.out(format!("{script}\n"));
                    Ok(())
                }
            }
        }
        [other] => Err(Error::usage(format!(
            "Unsupported shell type {other}.",
            other = quoted(&other)
        ))),
        _ => Err(Error::usage("Too many arguments. Expected only the shell type.")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::run_in;
    use super::*;
    use crate::world::{Options, World};
    use std::time::Duration;

    #[test]
    fn completes_verbs_types_names_flags_and_namespaces() {
        let world = World::new(&Options::default()).unwrap();
        let completer = KubectlCompleter::new(world.client("kubectl"));
        let ask = |line: &str| {
            let request = CompletionRequest {
                words: line.split(' ').map(str::to_owned).collect(),
                env: Default::default(),
                cwd: "/root".into(),
                host: world.host().clone(),
            };
            let word = request.word().to_owned();
            let end = world.sim().now() + Duration::from_secs(5);
            let all = world.sim().run_future(completer.complete(request), end).unwrap();
            let fits: Vec<String> = all
                .into_iter()
                .map(|c| c.text)
                .filter(|t| t.starts_with(&word))
                .collect();
            fits.join(" ")
        };
        for (line, wanted) in [
            ("kubectl des", "describe"),
            ("kubectl create dep", "deployment"),
            ("kubectl get deploym", "deployments.apps"),
            (
                "kubectl get pods,serv",
                "pods,serviceaccounts pods,services pods,servicecidrs.networking.k8s.io",
            ),
            ("kubectl describe node k8s-node-0", "k8s-node-01 k8s-node-02"),
            ("kubectl get -n kube-sy", "kube-system"),
            ("kubectl --namespace=kube-f", "--namespace=kube-flannel"),
            ("kubectl get pods --field", "--field-selector"),
            ("kubectl get nodes/k8s-m", "nodes/k8s-master"),
            ("kubectl rollout status -n kube-system deployment core", "coredns"),
            ("kubectl get pods -o wi", "wide"),
            ("kubectl logs -n kube-system etcd-k8s-master ", "etcd"),
            ("kubectl logs -n kube-system deployments/c", "deployments/coredns"),
            ("kubectl config use-context ", "kubernetes-admin@kubernetes"),
            ("kubectl help rollout un", "undo"),
        ] {
            assert_eq!(ask(line), wanted, "{line}");
        }
    }

    #[test]
    fn answers_scripts_in_cobras_way() {
        let world = World::new(&Options::default()).unwrap();
        let run = |line: &str| run_in(&world, line).0;
        for (line, wanted) in [
            (
                "kubectl __complete rollout un",
                "undo\tUndo a previous rollout\n:4\nCompletion ended with directive: ShellCompDirectiveNoFileComp\n",
            ),
            (
                "kubectl __completeNoDesc exec -n default \"\" 2>/dev/null",
                "daemonsets/\ndeployments/\npods/\njobs/\nreplicasets/\nreplicationcontrollers/\nservices/\nstatefulsets/\n:6\n",
            ),
            ("kubectl __complete apply -f \"\" 2>/dev/null", "json\nyaml\nyml\n:8\n"),
            ("kubectl __complete run --restart \"\" 2>/dev/null", ":0\n"),
            (
                "kubectl __complete get --foo \"\"",
                ":0\n[Debug] [Error] Error while parsing flags from args [--foo]: unknown flag: --foo\nCompletion ended with \
                 directive: ShellCompDirectiveDefault\n",
            ),
            (
                "kubectl __complete port-forward -n kube-system svc/kube-dns \"\" 2>/dev/null",
                "53:53\n53:53\n9153:9153\n:4\n",
            ),
            (
                "source <(kubectl completion bash); alias k=kubectl; complete -o default -F __start_kubectl k; echo $?",
                "0\n",
            ),
            (
                "source <(kubectl completion bash); COMP_WORDS=(kubectl ge); COMP_CWORD=1; __start_kubectl; echo $?",
                "0\n",
            ),
        ] {
            assert_eq!(run(line), wanted, "{line}");
        }
    }
}
