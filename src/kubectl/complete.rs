//! Completion of kubectl's command line: verbs, types, names, flags, namespaces, containers, files.

use futures::FutureExt;
use futures::future::LocalBoxFuture;

use super::command::Verb;
use super::flags::{Flag, Kind, parse};
use super::kubeconfig::Kubeconfig;
use super::options::GLOBAL;
use super::{ROOT, find, mapper};
use crate::api::client::item;
use crate::api::{Client, Request};
use crate::flat::Arrange;
use crate::shell::{Candidate, Completer, CompletionRequest};
use crate::value::{Value, yaml};

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
        async move { complete(&client, &request).await }.boxed_local()
    }
}

/// Verbs whose first argument is a type, and the next are names of it.
const BY_TYPE: [&str; 15] = [
    "get",
    "describe",
    "delete",
    "edit",
    "label",
    "annotate",
    "scale",
    "expose",
    "patch",
    "wait",
    "autoscale",
    "explain",
    "taint",
    "history",
    "status",
];
const ROLLOUTS: [&str; 6] = ["history", "status", "undo", "restart", "pause", "resume"];

async fn complete(client: &Client, request: &CompletionRequest) -> Vec<Candidate> {
    let word = request.word();
    let before: Vec<String> = request
        .words
        .iter()
        .skip(1)
        .take(request.words.len().saturating_sub(2))
        .cloned()
        .collect();
    if before.iter().any(|w| w == "--") {
        return request.files();
    }
    let (verb, path, rest) = find(&before);
    let tables = || verb.flags.iter().copied().chain([GLOBAL]).flatten();
    // A flag's value, after it or after `=`.
    if let Some(last) = before.last()
        && let Some(f) = flag_of(last, &tables().copied().collect::<Vec<_>>()).filter(|f| f.no_opt.is_empty())
        && !last.contains('=')
    {
        return values(client, request, f, "", word).await;
    }
    if let Some((name, value)) = word.split_once('=')
        && let Some(f) = name.strip_prefix("--").and_then(|n| tables().find(|f| f.name == n))
    {
        return values(client, request, *f, &format!("{name}="), value).await;
    }
    if word.starts_with('-') {
        let mut all: Vec<Candidate> = tables()
            .filter(|f| f.deprecated.is_empty())
            .map(|f| match f.no_opt.is_empty() {
                true => Candidate::open(format!("--{}=", f.name)),
                false => Candidate::new(format!("--{}", f.name)),
            })
            .collect();
        all.arrange_by(|a, b| a.text.cmp(&b.text));
        all.dedup_by(|a, b| a.text == b.text);
        return all;
    }
    let mut flags: Vec<&[Flag]> = verb.flags.to_vec();
    flags.push(GLOBAL);
    let parsed = parse(&rest, &flags).unwrap_or_default();
    let words = parsed.args;
    let namespace = namespace(request, parsed.values.str("namespace"), parsed.values.str("context"));
    if words.is_empty() && !verb.subs.is_empty() {
        let subs = verb
            .subs
            .iter()
            .filter(|s| s.name != "options" || std::ptr::eq(verb, &ROOT));
        return subs.map(|s| Candidate::new(s.name)).collect();
    }
    arguments(client, request, verb, &path, &words, &namespace).await
}

/// What may stand as the next argument of a verb.
async fn arguments(
    client: &Client,
    request: &CompletionRequest,
    verb: &Verb,
    path: &str,
    words: &[String],
    namespace: &str,
) -> Vec<Candidate> {
    let word = request.word();
    let rollout = path.starts_with("kubectl rollout");
    match verb.name {
        "logs" | "exec" | "attach" | "port-forward" | "debug" if words.is_empty() => {
            if word.contains('/') {
                return slash(client, namespace, word).await;
            }
            names(client, "pods", namespace, "").await
        }
        "logs" if words.len() == 1 => containers(client, namespace, words).await,
        "cordon" | "uncordon" | "drain" => names(client, "nodes", "", "").await,
        "use-context" | "delete-context" | "rename-context" if words.is_empty() => config(request, "contexts"),
        "delete-cluster" => config(request, "clusters"),
        "delete-user" => config(request, "users"),
        "token" => names(client, "serviceaccounts", namespace, "").await,
        "completion" => ["bash", "fish", "powershell", "zsh"].map(Candidate::new).to_vec(),
        "image" | "env" | "resources" | "selector" | "serviceaccount" | "subject"
            if path.starts_with("kubectl set") =>
        {
            typed(client, namespace, word, words).await
        }
        name if BY_TYPE.contains(&name)
            || (rollout && ROLLOUTS.contains(&name))
            || path.starts_with("kubectl apply ") =>
        {
            typed(client, namespace, word, words).await
        }
        "help" => ROOT.subs.iter().map(|s| Candidate::new(s.name)).collect(),
        "cp" => request.files(),
        _ => Vec::new(),
    }
}

/// A type, then its names; or `TYPE/NAME`.
async fn typed(client: &Client, namespace: &str, word: &str, words: &[String]) -> Vec<Candidate> {
    if word.contains('/') {
        return slash(client, namespace, word).await;
    }
    match words.first() {
        None => types(client, word),
        Some(first) if first.contains('/') => Vec::new(),
        Some(first) => {
            let mut all = names(client, first.split(',').next().unwrap_or(first), namespace, "").await;
            all.retain(|c| !words.contains(&c.text));
            all
        }
    }
}

async fn slash(client: &Client, namespace: &str, word: &str) -> Vec<Candidate> {
    let kind = word.split('/').next().unwrap_or("");
    names(client, kind, namespace, &format!("{kind}/")).await
}

/// The types, by plural; after a comma the list goes on.
fn types(client: &Client, word: &str) -> Vec<Candidate> {
    let done = word.rfind(',').map_or("", |i| word.get(..=i).unwrap_or(""));
    let mut all: Vec<String> = Vec::new();
    for r in client.api().resources().iter() {
        if r.name.contains('/') || !r.can("list") {
            continue;
        }
        // A plural that several groups have is told apart by its group.
        let taken = all.iter().any(|n| **n == *r.name);
        let name = if taken { r.qualified() } else { r.name.to_string() };
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all.push("all".into());
    all.arrange();
    all.iter().map(|n| Candidate::new(format!("{done}{n}"))).collect()
}

/// The names of a type's objects, with what stands before each.
async fn names(client: &Client, word: &str, namespace: &str, prefix: &str) -> Vec<Candidate> {
    let Some(resource) = mapper::find(&client.api().resources(), word) else {
        return Vec::new();
    };
    let namespace = if resource.namespaced { namespace } else { "" };
    let Ok(response) = client.send(Request::get(resource.path(namespace))).await.ok() else {
        return Vec::new();
    };
    response
        .value()
        .get("items")
        .items()
        .iter()
        .map(|o| {
            let name = o.str_at(&["metadata", "name"]);
            Candidate {
                display: name.to_owned(),
                ..Candidate::new(format!("{prefix}{name}"))
            }
        })
        .collect()
}

/// The containers of the pod that the words name.
async fn containers(client: &Client, namespace: &str, words: &[String]) -> Vec<Candidate> {
    let Ok(pods) = client.resource("", "v1", "pods") else {
        return Vec::new();
    };
    let name = words
        .first()
        .map_or("", |w| w.trim_start_matches("pod/").trim_start_matches("pods/"));
    let Ok(response) = client.send(Request::get(item(&pods, namespace, name))).await.ok() else {
        return Vec::new();
    };
    let pod = response.value();
    super::podpick::all_containers(&pod)
        .into_iter()
        .map(Candidate::new)
        .collect()
}

/// The flag that a word is: `--namespace`, `-n`, the last letter of `-An`.
fn flag_of(word: &str, flags: &[Flag]) -> Option<Flag> {
    if let Some(long) = word.strip_prefix("--") {
        return flags.iter().find(|f| f.name == long).copied();
    }
    let letter = word.strip_prefix('-')?.chars().last()?;
    flags.iter().find(|f| f.short == letter).copied()
}

fn config_value(request: &CompletionRequest) -> Value {
    let home = request.env.get("HOME").map_or("/root", String::as_str);
    let path = match request.env.get("KUBECONFIG").filter(|p| !p.is_empty()) {
        Some(p) => crate::shell::join(&request.cwd, p.split(':').next().unwrap_or(p)),
        None => format!("{home}/.kube/config"),
    };
    let text = request.host.files().read_text(&path).unwrap_or_default();
    yaml::decode(&text).unwrap_or_default()
}

fn config(request: &CompletionRequest, list: &str) -> Vec<Candidate> {
    let value = config_value(request);
    let entries = value.get(list).items().iter();
    entries.map(|e| Candidate::new(e.str_at(&["name"]))).collect()
}

fn namespace(request: &CompletionRequest, flag: &str, context: &str) -> String {
    if !flag.is_empty() {
        return flag.to_owned();
    }
    let config = Kubeconfig {
        path: String::new(),
        value: config_value(request),
    };
    config.namespace(context)
}

/// The values of a flag; `before` is what of the word stands before the value.
async fn values(client: &Client, request: &CompletionRequest, f: Flag, before: &str, value: &str) -> Vec<Candidate> {
    let with = |list: &[&str]| -> Vec<Candidate> {
        list.iter()
            .map(|v| match v.ends_with('=') {
                true => Candidate::open(format!("{before}{v}")),
                false => Candidate::new(format!("{before}{v}")),
            })
            .collect()
    };
    match f.name {
        "namespace" => names(client, "namespaces", "", before).await,
        "context" | "cluster" | "user" if f.kind == Kind::Str => {
            let list = match f.name {
                "context" => "contexts",
                "cluster" => "clusters",
                _ => "users",
            };
            let mut all = config(request, list);
            for c in &mut all {
                c.text = format!("{before}{}", c.text);
            }
            all
        }
        "output" => with(&[
            "custom-columns=",
            "go-template=",
            "json",
            "jsonpath=",
            "kyaml",
            "name",
            "wide",
            "yaml",
        ]),
        "dry-run" => with(&["client", "none", "server"]),
        "cascade" => with(&["background", "foreground", "orphan"]),
        "validate" => with(&["ignore", "strict", "warn"]),
        "type" => with(&[
            "ClusterIP",
            "ExternalName",
            "LoadBalancer",
            "NodePort",
            "json",
            "merge",
            "strategic",
        ]),
        "restart" => with(&["Always", "Never", "OnFailure"]),
        "for" => with(&["condition=", "create", "delete", "jsonpath="]),
        "container" => {
            let (_, _, rest) = find(&request.words.iter().skip(1).cloned().collect::<Vec<_>>());
            let pod: Vec<String> = rest
                .into_iter()
                .filter(|w| !w.starts_with('-') && w != value)
                .take(1)
                .collect();
            let mut all = containers(client, &namespace(request, "", ""), &pod).await;
            for c in &mut all {
                c.text = format!("{before}{}", c.text);
            }
            all
        }
        "filename" | "kustomize" | "from-file" | "from-env-file" | "kubeconfig" | "patch-file" | "cert" | "key" => {
            let mut files = CompletionRequest {
                words: vec![value.to_owned()],
                ..request.clone()
            }
            .files();
            for c in &mut files {
                c.text = format!("{before}{}", c.text);
            }
            files
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(ask("kubectl des"), "describe");
        assert_eq!(ask("kubectl create dep"), "deployment");
        assert_eq!(ask("kubectl get deploym"), "deployments");
        assert_eq!(
            ask("kubectl get pods,serv"),
            "pods,serviceaccounts pods,servicecidrs pods,services"
        );
        assert_eq!(ask("kubectl describe node k8s-node-0"), "k8s-node-01 k8s-node-02");
        assert_eq!(ask("kubectl get -n kube-sy"), "kube-system");
        assert_eq!(
            ask("kubectl --namespace=kube-f"),
            "kubectl --namespace=kube-flannel".split(' ').nth(1).unwrap()
        );
        assert_eq!(ask("kubectl get pods --field"), "--field-selector=");
        assert_eq!(ask("kubectl get nodes/k8s-m"), "nodes/k8s-master");
        assert_eq!(ask("kubectl rollout status -n kube-system deploy core"), "coredns");
        assert_eq!(ask("kubectl get pods -o w"), "wide");
    }
}
