//! Where the fuzz targets and the smoke test (`tests/smoke.rs`) enter the library: one function per
//! target, from any bytes. None of them may panic or hang; each says what it leaves out.

use std::cell::RefCell;
use std::time::Duration;

use kubetab::api::jsonpath::{JsonPathPrinter, relaxed};
use kubetab::api::patch::{create_three_way_merge, create_two_way, json, merge, strategic};
use kubetab::api::selector::parse_fields;
use kubetab::api::{Selector, schema};
use kubetab::kubectl::print::gotemplate;
use kubetab::kubectl::{Kind, ROOT, Verb};
use kubetab::shell::{Commands, Dialect, Files, Host, Input as Stdin, Output, Shell, ShellOptions};
use kubetab::sim::{Sim, Time};
use kubetab::value::{Value, gojson, yaml};
use kubetab::world::{Input, Options, World};

/// An entry by its name.
pub type Entry = fn(&[u8]);

/// Every entry.
pub const ENTRIES: [(&str, Entry); 10] = [
    ("command", command),
    ("manifest", manifest),
    ("kustomization", kustomization),
    ("jsonpath", json_path),
    ("gotemplate", go_template),
    ("yaml", yaml_text),
    ("shell", shell_line),
    ("jq", jq_program),
    ("selector", selector),
    ("patch", patch),
];

/// Bytes of an input that are read: longer ones only take longer.
const BYTES: usize = 4096;

/// Virtual time and steps that a command may take before it is given up: `get --watch` never ends.
const SPAN: Duration = Duration::from_secs(40);
const STEPS: usize = 200_000;

/// Inputs that one world takes before another one is booted: a boot costs as much as some ten
/// commands. A finding may need those before it.
const INPUTS: u32 = 50;

thread_local! {
    static WORLD: RefCell<Option<(World, u32)>> = const { RefCell::new(None) };
}

fn text(data: &[u8]) -> String {
    String::from_utf8_lossy(data.get(..BYTES).unwrap_or(data)).into_owned()
}

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, labels: {app: web}}\nspec: {containers: [{name: c, image: nginx}]}\n";
const WORKLOAD: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: api}\nspec:\n  replicas: 2\n  selector: {matchLabels: {app: api}}\n  template: {metadata: {labels: {app: api}}, spec: {containers: [{name: c, image: nginx}]}}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: api}\nspec: {selector: {app: api}, ports: [{port: 80}]}\n";

/// A world with a pod, a deployment and some files.
fn boot() -> World {
    let world = World::new(&Options::default()).expect("the snapshot is stored");
    for (path, content) in [
        ("pod.yaml", POD),
        ("dir/all.yaml", WORKLOAD),
        ("dir/text.txt", "k=v\n"),
        ("kust/kustomization.yaml", "resources: [all.yaml]\nnamePrefix: p-\n"),
        ("kust/all.yaml", WORKLOAD),
    ] {
        drop(world.input(Input::File(path.into(), content.into())));
    }
    run(
        &world,
        Input::Exec("kubectl apply -f pod.yaml -f dir >/dev/null".into()),
    );
    world
}

/// Gives a world an input and runs it until the command ends. Whether it did.
fn run(world: &World, input: Input) -> bool {
    let mut end = world.input(input);
    let limit = world.sim().now() + SPAN;
    let mut steps = 0;
    loop {
        if !matches!(end.try_recv(), Ok(None)) {
            return true;
        }
        let taken = world.sim().run_ready(100);
        steps += taken.max(1);
        if steps > STEPS || (taken == 0 && !world.sim().fire_next_timer(limit)) {
            return false;
        }
    }
}

/// Gives the thread's world an input.
fn in_world(inputs: Vec<Input>) {
    WORLD.with_borrow_mut(|slot| {
        let (world, used) = slot.take().unwrap_or_else(|| (boot(), 0));
        let ended = inputs.into_iter().all(|input| run(&world, input));
        // What was given up would go on.
        if ended && used < INPUTS {
            *slot = Some((world, used + 1));
        }
    });
}

/// Words of command lines that are no flags.
const WORDS: &[&str] = &[
    "pods",
    "po",
    "pod/web",
    "deploy",
    "deploy/api",
    "svc",
    "svc/api",
    "nodes",
    "node/k8s-node-01",
    "cm",
    "secret",
    "ns",
    "all",
    "web",
    "api",
    "nosuch",
    "rs",
    "sts",
    "ds",
    "jobs",
    "cj",
    "hpa",
    "pvc",
    "pv",
    "sa",
    "events",
    "pods,svc",
    "pods.v1",
    "deployments.apps",
    "a=b",
    "a-",
    "a=",
    "c=nginx:1",
    "*=nginx",
    "A=1",
    "k=v:NoSchedule",
    "k:NoExecute-",
    "--",
    "sh",
    "echo",
    "default",
    "pods/log",
    "get",
    "list",
    "*",
    "",
    "pod.spec.containers",
    "generic",
    "tls",
    "clusterip",
    "x.json",
    "/api/v1",
    "current-context",
    "k8s-master",
];

/// Values of flags.
const VALUES: &[&str] = &[
    "default",
    "kube-system",
    "nosuch",
    "json",
    "yaml",
    "wide",
    "name",
    "jsonpath={.items[*].metadata.name}",
    "jsonpath={range .items[*]}{.kind}{end}",
    "custom-columns=A:.metadata.name,B:.spec",
    "go-template={{range .items}}{{.kind}}{{end}}",
    "jsonpath-as-json={..name}",
    "app=api",
    "app in (a,b),!c",
    "status.phase=Running",
    "metadata.name!=x",
    "0",
    "1",
    "-1",
    "3",
    "99999999999",
    "5s",
    "1h",
    "true",
    "false",
    "client",
    "server",
    "none",
    "pod.yaml",
    "dir",
    "kust",
    "-",
    "",
    "nginx",
    "nginx:1.27",
    "100m",
    "1Gi",
    "cpu=1,memory=1Gi",
    "80",
    "80:http",
    "tcp=80:8080",
    "a=b",
    "A=1,B=2",
    "strategic",
    "merge",
    "{\"spec\":{\"replicas\":3}}",
    "[{\"op\":\"remove\",\"path\":\"/spec\"}]",
    "condition=Ready",
    "jsonpath={.kind}=Pod",
    "delete",
    "create",
    "status",
    "scale",
    ".metadata.name",
    "*/5 * * * *",
    "foreground",
    "system:admin",
    "get,list",
    "pods",
    "{.x[?(@.y==1)]}",
    "\u{fffd}\u{1F600}",
    "a'b",
];

/// Ends a command line of an input: it is no verb's place in a list.
const END: u8 = 0xff;

/// `kubectl`, one command line after another: bytes choose a verb, its flags, words and values; some are taken as they
/// are. Several lines, since libFuzzer looks through all of its counters after each input, which takes as long as a
/// command. Leaves out what a shell does with a line.
pub fn command(data: &[u8]) {
    for line in command_lines(data) {
        in_world(vec![command_line(line)]);
    }
}

/// The parts of an input that are a command line each. Empty ones would all be the same.
pub fn command_lines(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let data = data.get(..BYTES / 8).unwrap_or(data);
    data.split(|b| *b == END).filter(|line| !line.is_empty())
}

fn command_line(data: &[u8]) -> Input {
    let mut bytes = data.iter().copied();
    let mut line = vec!["kubectl".to_owned()];
    let mut verb: &Verb = &ROOT;
    while !verb.subs.is_empty() {
        let Some(b) = bytes.next() else { break };
        let Some(sub) = verb.subs.get(usize::from(b)) else {
            break;
        };
        line.push(sub.name.to_owned());
        verb = sub;
    }
    let flags: Vec<_> = verb.flags.iter().copied().flatten().collect();
    let pick = |list: &[&str], b: u8| list.get(usize::from(b) % list.len()).copied().unwrap_or("").to_owned();
    while let Some(b) = bytes.next() {
        let next = bytes.next().unwrap_or(0);
        match b % 8 {
            0..=2 => line.push(pick(WORDS, next)),
            3..=6 if !flags.is_empty() => {
                let flag = flags[usize::from(next) % flags.len()];
                if flag.kind == Kind::Bool {
                    line.push(format!("--{}", flag.name));
                } else if b % 2 == 0 && flag.short != '\0' {
                    line.push(format!("-{}", flag.short));
                    line.push(pick(VALUES, bytes.next().unwrap_or(0)));
                } else {
                    line.push(format!("--{}={}", flag.name, pick(VALUES, bytes.next().unwrap_or(0))));
                }
            }
            _ => {
                let raw: Vec<u8> = bytes
                    .by_ref()
                    .take(usize::from(next % 24))
                    .filter(|b| *b != 0)
                    .collect();
                line.push(String::from_utf8_lossy(&raw).into_owned());
            }
        }
    }
    let quoted: Vec<String> = line.iter().map(|w| format!("'{}'", w.replace('\'', "'\\''"))).collect();
    Input::Exec(quoted.join(" "))
}

/// `kubectl apply -f -` of any text. Leaves out files and the deletion of what was made.
pub fn manifest(data: &[u8]) {
    in_world(vec![Input::Apply(text(data))]);
}

/// `kubectl kustomize` of files: a line `# path` begins one. Leaves out names beyond the directory.
pub fn kustomization(data: &[u8]) {
    let text = text(data);
    let mut files: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("# ") {
            Some(path) if files.len() < 8 => files.push((format!("/tmp/k/{}", path.replace("..", "")), String::new())),
            _ => {
                if let Some((_, body)) = files.last_mut() {
                    body.push_str(line);
                    body.push('\n');
                }
            }
        }
    }
    let mut inputs = vec![Input::Exec("rm -rf /tmp/k; mkdir /tmp/k".into())];
    inputs.extend(files.into_iter().map(|(path, body)| Input::File(path, body)));
    inputs.push(Input::Exec("kubectl kustomize /tmp/k".into()));
    in_world(inputs);
}

/// A template and the object that it is for, with a line break between them.
fn template_and_data(data: &[u8]) -> (String, Value) {
    let text = text(data);
    let (template, object) = text.split_once('\n').unwrap_or((&text, POD));
    (template.to_owned(), yaml::decode(object).unwrap_or_default())
}

/// A JSONPath on an object, as output and as `custom-columns` and `--sort-by` read it.
pub fn json_path(data: &[u8]) {
    let (template, object) = template_and_data(data);
    for (as_json, lax) in [(false, true), (true, false)] {
        if let Ok(printer) = JsonPathPrinter::new(&template, as_json, lax) {
            let _ = printer.print(&object);
        }
    }
    if let Ok(path) = relaxed(&template)
        && let Ok(printer) = JsonPathPrinter::new(&path, false, true)
    {
        let _ = printer.print(&object);
    }
}

/// A Go template on an object.
pub fn go_template(data: &[u8]) {
    let (template, object) = template_and_data(data);
    let _ = gotemplate::execute(&template, &object);
}

/// Whether a value that was written and read again is the same. A number of more than 64 bits may lose
/// its last digit, as in Go.
fn reads_same(value: &Value, again: &Value) -> bool {
    match (value, again) {
        (Value::Float(big), Value::Float(_) | Value::Int(_)) if big.is_finite() && big.abs() > 1e18 => {
            let other = again.as_f64().unwrap_or(f64::NAN);
            (big - other).abs() <= big.abs() * 1e-15
        }
        (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| reads_same(a, b)),
        (Value::Map(a), Value::Map(b)) => {
            let same = |((k, a), (l, b))| k == l && reads_same(a, b);
            a.len() == b.len() && a.iter().zip(b.iter()).all(same)
        }
        _ => value == again,
    }
}

/// YAML, JSON and the stream of documents: what is read and written again reads the same.
pub fn yaml_text(data: &[u8]) {
    let text = text(data);
    for decoded in [yaml::decode(&text), yaml::decode_core(&text)] {
        let Ok(value) = decoded else { continue };
        let written = yaml::to_yaml(&value);
        let again = yaml::decode(&written);
        let same = again.is_ok_and(|again| reads_same(&value, &again));
        assert!(same, "{text:?} {written:?}");
    }
    let _ = yaml::decode_strict(&text);
    if let Ok(all) = yaml::decode_all(&text) {
        let _ = all.source.find("spec.containers[0].image");
    }
    for document in yaml::documents(&text).flatten() {
        let _ = document.value();
    }
    if let Ok(value) = gojson::parse(&text) {
        let written = gojson::compact(&value, false);
        assert_eq!(gojson::parse(&written).ok(), Some(value), "{text:?} {written:?}");
    }
}

/// A script in a bash of its own, with files and tools and no cluster. Given up after a virtual hour
/// or many steps.
pub fn shell_line(data: &[u8]) {
    let text = text(data.get(..BYTES / 4).unwrap_or(data));
    let sim = Sim::new(7, Time::from_secs(1_795_251_319));
    let files = Files::with_base(&sim);
    let host = Host::new(&sim, "k8s-master", files, Commands::with_tools(), Dialect::Bash);
    let shell = Shell::new(&host, ShellOptions::default());
    let (stdout, _out) = Output::buffer();
    let (stderr, _err) = Output::buffer();
    let task = shell.clone();
    let handle = sim.spawn("shell", async move {
        task.run(&text, Stdin::text("a\nb\n"), stdout.clone(), stderr.clone())
            .await;
        task.finish(stdout, stderr).await;
    });
    let limit = sim.now() + Duration::from_secs(3_600);
    let mut steps = 0;
    while steps < STEPS {
        let taken = sim.run_ready(100);
        steps += taken.max(1);
        if taken == 0 && !sim.fire_next_timer(limit) {
            break;
        }
    }
    handle.abort();
}

/// A line with a program of `jq`, then its input, in a shell with little for steps and room.
pub fn jq_program(data: &[u8]) {
    let text = text(data.get(..BYTES / 4).unwrap_or(data));
    let (program, input) = text.split_once('\n').unwrap_or((&text, "null"));
    let request = kubetab_jq::Request {
        program: program.to_owned(),
        inputs: vec![kubetab_jq::Input {
            name: String::new(),
            text: Ok(input.as_bytes().to_vec()),
        }],
        limits: kubetab_jq::Limits {
            steps: 20_000,
            bytes: 1 << 20,
            output: 1 << 20,
            nesting: 100,
            stack: 0,
        },
        ..kubetab_jq::Request::default()
    };
    let bytes = request.clone().to_bytes();
    assert_eq!(kubetab_jq::Request::from_bytes(&bytes).as_ref(), Some(&request));
    assert!(kubetab_jq::run_apart(request).is_some(), "{program:?}");
}

/// Label and field selectors. A label selector that parses is printed, and what that parses to fits the same
/// labels.
pub fn selector(data: &[u8]) {
    let text = text(data);
    if let Ok(selector) = Selector::parse(&text) {
        let labels = kubetab::obj! { "app": "api", "a": "b", "n": "5" };
        let printed = selector.to_string();
        let again = Selector::parse(&printed).map(|again| again.matches(&labels));
        assert_eq!(again, Ok(selector.matches(&labels)), "{text:?} {printed:?}");
    }
    let _ = parse_fields(&text);
}

/// Two objects and the patch between them, of every type: the patch makes the one of the other.
pub fn patch(data: &[u8]) {
    let text = text(data);
    let mut parts = text.split("\n---\n");
    let mut next = || parts.next().and_then(|p| yaml::decode(p).ok()).unwrap_or_default();
    let (old, new, other) = (next(), next(), next());
    let mut merged = old.clone();
    merge(&mut merged, &new);
    let _ = json::apply(&old, &new);
    let _ = json::apply(&old, &other);
    let Some(ty) = schema::by_kind("v1", "Pod") else { return };
    let _ = strategic::merge(&old, &new, &ty);
    if old.as_map().is_some() && new.as_map().is_some() {
        let _ = create_two_way(&old, &new, &ty);
        let _ = create_three_way_merge(&old, &new, &other);
    }
}
