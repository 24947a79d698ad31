//! The kubeconfig: which contexts there are and what namespace the present one is in.

use super::error::Error;
use crate::api::auth::certificate;
use crate::api::names::TOKEN_PATH;
use crate::flat::{Arrange, FlatMap};
use crate::shell::{Context, Env, Files, join};
use crate::value::{Value, base64, quoted, yaml};
use crate::{list, obj};

/// What kubectl reads from its kubeconfig files: by client-go's rules, several of them (`$KUBECONFIG`) are one, in
/// which the first that has an entry of a name gives it.
#[derive(Clone, Debug, Default)]
pub struct Kubeconfig {
    /// The file that messages name, and that gets what no file has yet, as it was given.
    pub name: String,
    /// The same file, absolute.
    pub path: String,
    /// All files as one.
    pub value: Value,
    /// The files that are there, with what they hold, the first first.
    files: Vec<(String, Value)>,
    /// Whether a flag named the file.
    explicit: bool,
    /// Whether a flag named a file that is not there: what only reads and writes kubeconfigs takes it for an empty one.
    pub absent: bool,
}

/// The lists of a kubeconfig, the key of their entries, and fields that an entry always has.
const LISTS: [(&str, &str, &[&str]); 3] = [
    ("clusters", "cluster", &["server"]),
    ("contexts", "context", &["cluster", "user"]),
    ("users", "user", &[]),
];

/// A kubeconfig with nothing in it.
fn empty() -> Value {
    obj! {
        "apiVersion": "v1",
        "clusters": Value::Null,
        "contexts": Value::Null,
        "current-context": "",
        "kind": "Config",
        "users": Value::Null,
    }
}

/// The paths that a variable lists, each once.
pub fn listed<'a>(env: &'a Env, variable: &str) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    let list = env.get(variable).map_or("", String::as_str);
    for name in list.split(':').filter(|n| !n.is_empty()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The file that is read where nothing names another.
fn standard(env: &Env) -> String {
    let home = env.get("HOME").map_or("/root", String::as_str);
    format!("{home}/.kube/config")
}

/// What the files of `$KUBECONFIG`, or else the standard one, hold, as far as they can be read.
pub fn readable(files: &Files, env: &Env, cwd: &str) -> Value {
    let standard = standard(env);
    let mut names = listed(env, "KUBECONFIG");
    if names.is_empty() {
        names = vec![&standard];
    }
    let texts = names.into_iter().filter_map(|n| files.read_text(&join(cwd, n)).ok());
    let values: Vec<Value> = texts.filter_map(|text| yaml::decode(&text).ok()).collect();
    merged(&values)
}

/// Kubeconfigs as one: the first that has an entry of a name gives it.
fn merged<'a>(all: impl IntoIterator<Item = &'a Value>) -> Value {
    let mut all = all.into_iter();
    let mut value = all.next().cloned().unwrap_or_else(empty);
    // Go leaves the empty struct out.
    if value.get("preferences").is_empty() {
        value.remove(&["preferences"]);
    }
    for other in all {
        if value.str_at(&["current-context"]).is_empty() && other.has("current-context") {
            value.set(&["current-context"], other.get("current-context").clone());
        }
        for (list, ..) in LISTS {
            for entry in other.get(list).items() {
                if find(&value, list, entry.str_at(&["name"])).is_none() {
                    value.at_mut(&[list]).list_mut().push(entry.clone());
                }
            }
        }
    }
    for (list, ..) in LISTS {
        if !value.get(list).is_empty() {
            value
                .at_mut(&[list])
                .list_mut()
                .arrange_by(|a, b| a.str_at(&["name"]).cmp(b.str_at(&["name"])));
        }
    }
    value
}

/// Why a value is no kubeconfig, in the words of Go's decoder; `None` when its fields have the types of one.
fn mistyped(value: &Value) -> Option<String> {
    const HEAD: &str =
        r#"struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#;
    let kind = |value: &Value| match value {
        Value::Map(_) => "object",
        Value::List(_) => "array",
        Value::Bool(_) => "bool",
        other if other.as_str().is_some() => "string",
        _ => "number",
    };
    let wrong = |field: &str, of: &str| {
        let kind = kind(value.get(field));
        format!("json: cannot unmarshal {kind} into Go struct field Config.{field} of type {of}")
    };
    if !matches!(value, Value::Null | Value::Map(_)) {
        return Some(format!(
            "couldn't get version/kind; json parse error: json: cannot unmarshal {} into Go value of type {HEAD}",
            kind(value)
        ));
    }
    for field in ["apiVersion", "kind"] {
        let given = value.get(field);
        if !given.is_null() && given.as_str().is_none() {
            return Some(format!(
                "couldn't get version/kind; json parse error: json: cannot unmarshal {} into Go struct field .{field} of \
                 type string",
                kind(given)
            ));
        }
    }
    let or = |field: &str, usual: &'static str| match value.get(field).str() {
        "" => usual.to_owned(),
        given => given.to_owned(),
    };
    let (version, named) = (or("apiVersion", "v1"), or("kind", "Config"));
    if (version.as_str(), named.as_str()) != ("v1", "Config") {
        return Some(format!(
            "no kind {named} is registered for version {version} in scheme \
             \"k8s.io/client-go/tools/clientcmd/api/latest/latest.go:50\"",
            named = quoted(&named),
            version = quoted(&version)
        ));
    }
    let lists = [
        ("clusters", "[]v1.NamedCluster"),
        ("users", "[]v1.NamedAuthInfo"),
        ("contexts", "[]v1.NamedContext"),
    ];
    for (field, of) in lists {
        if !matches!(value.get(field), Value::Null | Value::List(_)) {
            return Some(wrong(field, of));
        }
    }
    let context = value.get("current-context");
    (!context.is_null() && context.as_str().is_none()).then(|| wrong("current-context", "string"))
}

/// A named entry of a list of a kubeconfig.
fn find<'a>(value: &'a Value, list: &str, name: &str) -> Option<&'a Value> {
    value.get(list).items().iter().find(|e| e.str_at(&["name"]) == name)
}

/// The kubeconfig that kubeadm writes for its administrator.
pub fn admin() -> Value {
    let (certificate, key) = certificate::admin_pem();
    obj! {
        "apiVersion": "v1",
        "clusters": list![obj! {
            "cluster": obj! {
                "certificate-authority-data": base64::encode(certificate::authority_pem()),
                "server": "https://192.168.110.21:6443",
            },
            "name": "kubernetes",
        }],
        "contexts": list![obj! {
            "context": obj! { "cluster": "kubernetes", "user": "kubernetes-admin" },
            "name": "kubernetes-admin@kubernetes",
        }],
        "current-context": "kubernetes-admin@kubernetes",
        "kind": "Config",
        "users": list![obj! {
            "name": "kubernetes-admin",
            "user": obj! {
                "client-certificate-data": base64::encode(certificate),
                "client-key-data": base64::encode(key),
            },
        }],
    }
}

/// The administrator's kubeconfig as a file's text: what `/root/.kube/config` holds at the start.
pub fn admin_text() -> String {
    yaml::to_yaml(&admin())
}

impl Kubeconfig {
    /// Reads the file that `--kubeconfig` names, or those of `$KUBECONFIG`, or `~/.kube/config`. Files that are not
    /// there are left out.
    ///
    /// # Errors
    /// When a file is no kubeconfig.
    pub fn load(cx: &Context, flag: &str) -> Result<Kubeconfig, Error> {
        let standard = standard(&cx.env);
        let mut names = listed(&cx.env, "KUBECONFIG");
        if !flag.is_empty() {
            names = vec![flag];
        } else if names.is_empty() {
            names = vec![&standard];
        }
        let (mut files, mut errors) = (Vec::new(), Vec::new());
        for name in &names {
            let path = cx.path(name);
            let Ok(text) = cx.files.read_text(&path) else { continue };
            let decoded = yaml::decode(&text).map_err(|e| e.to_string());
            match decoded.and_then(|value: Value| mistyped(&value).map_or(Ok(value), Err)) {
                Ok(value) => files.push((path, value)),
                Err(why) => errors.push(Error::plain(format!("error loading config file \"{name}\": {why}"))),
            }
        }
        Error::all(errors)?;
        let there = names.iter().find(|name| cx.files.exists(&cx.path(name)));
        let name = there.or(names.last()).copied().unwrap_or_default();
        Ok(Kubeconfig {
            name: name.to_owned(),
            path: cx.path(name),
            value: merged(files.iter().map(|(_, value)| value)),
            files,
            explicit: !flag.is_empty(),
            absent: !flag.is_empty() && there.is_none(),
        })
    }

    /// What client-go takes in a pod where there is no kubeconfig: the API server of the pod's variables, the service
    /// account's token and its namespace.
    pub fn or_of_pod(self, cx: &Context) -> Kubeconfig {
        let read = |name: &str| cx.files.read_text(&format!("{TOKEN_PATH}/{name}")).ok();
        let host = cx.env.get("KUBERNETES_SERVICE_HOST").filter(|host| !host.is_empty());
        let (Some(host), Some(token), true) = (host, read("token"), self.files.is_empty() && !self.explicit) else {
            return self;
        };
        let mut context = obj! { "cluster": "pod", "user": "pod" };
        if let Some(namespace) = read("namespace") {
            context.set(&["namespace"], namespace);
        }
        let server =
            obj! { "server": format!("https://{host}:443"), "certificate-authority": format!("{TOKEN_PATH}/ca.crt") };
        let user = obj! { "token": token };
        Kubeconfig::of_value(obj! {
            "clusters": list![obj! { "name": "pod", "cluster": server }],
            "users": list![obj! { "name": "pod", "user": user }],
            "contexts": list![obj! { "name": "pod", "context": context }],
            "current-context": "pod",
        })
    }

    /// A kubeconfig of which only the content matters.
    pub fn of_value(value: Value) -> Kubeconfig {
        Kubeconfig {
            value,
            ..Kubeconfig::default()
        }
    }

    /// The file that an entry came from; for a new one the file that it will be in.
    pub fn origin(&self, list: &str, name: &str) -> &str {
        let has = |(_, value): &&(String, Value)| find(value, list, name).is_some();
        self.files.iter().find(has).map_or(&self.path, |(path, _)| path)
    }

    /// The path of a file that an entry names: a relative one begins where the entry's kubeconfig lies.
    pub fn resolve(&self, list: &str, name: &str, path: &str) -> String {
        if path.is_empty() || path.starts_with('/') {
            return path.to_owned();
        }
        format!("{}/{path}", crate::shell::dir_name(self.origin(list, name)))
    }

    /// The server of the present context, or of `--cluster`.
    pub fn server(&self, context: &str, cluster: &str) -> &str {
        let named = match cluster {
            "" => self
                .entry("contexts", self.current(context))
                .map_or("", |c| c.str_at(&["context", "cluster"])),
            cluster => cluster,
        };
        self.entry("clusters", named)
            .map_or("", |c| c.str_at(&["cluster", "server"]))
    }

    /// The name of the present context; `chosen` is `--context`.
    pub fn current<'a>(&'a self, chosen: &'a str) -> &'a str {
        if chosen.is_empty() {
            self.value.str_at(&["current-context"])
        } else {
            chosen
        }
    }

    /// A named entry of `clusters`, `contexts` or `users`.
    pub fn entry(&self, list: &str, name: &str) -> Option<&Value> {
        find(&self.value, list, name)
    }

    /// The namespace of the present context, or `default`.
    pub fn namespace(&self, chosen: &str) -> String {
        match self
            .entry("contexts", self.current(chosen))
            .map_or("", |c| c.str_at(&["context", "namespace"]))
        {
            "" => "default".to_owned(),
            ns => ns.to_owned(),
        }
    }

    /// Makes the kubeconfig this one: each entry that differs is written to the file that it came from.
    ///
    /// # Errors
    /// When a file cannot be written, or none has a context to unset.
    pub fn save(&self, cx: &Context, new: &Value) -> Result<(), Error> {
        let mut changed: FlatMap<String, Value> = FlatMap::new();
        let context = new.str_at(&["current-context"]);
        if context != self.value.str_at(&["current-context"]) {
            let set = |(_, value): &&(String, Value)| !value.str_at(&["current-context"]).is_empty();
            let path = if self.explicit || !context.is_empty() {
                &self.path
            } else {
                let file = self.files.iter().find(set);
                &file.ok_or_else(|| Error::plain("no config found to write context"))?.0
            };
            self.file(&mut changed, path).set(&["current-context"], context);
        }
        if new.get("preferences") != self.value.get("preferences") {
            let wanted = new.get("preferences").clone();
            self.file(&mut changed, &self.path)
                .set_or_remove(&["preferences"], wanted);
        }
        for (list, ..) in LISTS {
            let gone = |e: &&Value| find(new, list, e.str_at(&["name"])).is_none();
            let (old, entries) = (self.value.get(list).items(), new.get(list).items());
            for entry in entries {
                let name = entry.str_at(&["name"]);
                if find(&self.value, list, name) == Some(entry) {
                    continue;
                }
                // An entry with another name stays in its file.
                let body = |e: &Value| {
                    let mut body = e.clone();
                    body.remove(&["name"]);
                    body
                };
                let renamed = old.iter().filter(gone).find(|e| body(e) == body(entry));
                let known = renamed.map_or(name, |e| e.str_at(&["name"]));
                let file = self.file(&mut changed, self.origin(list, known));
                let all = file.at_mut(&[list]).list_mut();
                match all.iter_mut().find(|e| e.str_at(&["name"]) == name) {
                    Some(there) => *there = entry.clone(),
                    None => all.push(entry.clone()),
                }
            }
            for entry in old.iter().filter(gone) {
                let name = entry.str_at(&["name"]);
                let file = self.file(&mut changed, self.origin(list, name));
                file.at_mut(&[list]).list_mut().retain(|e| e.str_at(&["name"]) != name);
            }
        }
        for (path, value) in changed.iter() {
            let dir = crate::shell::dir_name(path).to_owned();
            cx.files
                .make_dirs(&dir)
                .and_then(|()| cx.files.write(path, yaml::to_yaml(&whole(value))))
                .map_err(|e| Error::plain(e.opening(path)))?;
        }
        Ok(())
    }

    /// The content of a file among those that are to be written.
    fn file<'a>(&self, changed: &'a mut FlatMap<String, Value>, path: &str) -> &'a mut Value {
        changed.entry(path.to_owned()).or_insert_with(|| {
            let there = self.files.iter().find(|(p, _)| p == path);
            there.map_or_else(empty, |(_, value)| value.clone())
        })
    }
}

/// A kubeconfig with the fields that one always has, its entries by their names.
fn whole(value: &Value) -> Value {
    let mut value = merged([value]);
    for (list, key, fields) in LISTS {
        if value.get(list).is_empty() {
            value.set(&[list], Value::Null);
            continue;
        }
        for e in value.at_mut(&[list]).list_mut() {
            for field in fields {
                if !e.get(key).has(field) {
                    e.set(&[key, field], "");
                }
            }
        }
    }
    for (field, usual) in [("apiVersion", "v1"), ("current-context", ""), ("kind", "Config")] {
        if !value.has(field) {
            value.set(&[field], usual);
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::kubectl::testing::run;

    #[test]
    fn several_files_are_one() {
        let text = run(
            "cd /tmp; file() { kubectl config set-context $2 --cluster=$3 --kubeconfig=$1; }; touch one two; \
             file one a x; file two a y; file two b y; export KUBECONFIG=none:one:two:one; \
             kubectl config get-contexts; kubectl config set-context b --namespace=shop; \
             kubectl config set-cluster new --server=https://new; kubectl config use-context b; \
             kubectl config rename-context b c; cat one two; ls none; \
             export KUBECONFIG=none; kubectl config view; kubectl get pods; kubectl version; kubectl config unset \
             current-context; echo 'clusters: 5' > bad; KUBECONFIG=bad kubectl get pods",
        );
        expect![[r#"
            Context "a" created.
            Context "a" created.
            Context "b" created.
            CURRENT   NAME   CLUSTER   AUTHINFO   NAMESPACE
                      a      x                    
                      b      y                    
            Context "b" modified.
            Cluster "new" set.
            Switched to context "b".
            Context "b" renamed to "c".
            apiVersion: v1
            clusters:
            - cluster:
                server: https://new
              name: new
            contexts:
            - context:
                cluster: x
                user: ""
              name: a
            current-context: c
            kind: Config
            users: null
            apiVersion: v1
            clusters: null
            contexts:
            - context:
                cluster: "y"
                user: ""
              name: a
            - context:
                cluster: "y"
                namespace: shop
                user: ""
              name: c
            current-context: ""
            kind: Config
            users: null
            apiVersion: v1
            clusters: null
            contexts: null
            current-context: ""
            kind: Config
            users: null
            Client Version: v1.36.2
            Kustomize Version: v5.8.1
            Property "current-context" unset.
            ls: cannot access 'none': No such file or directory
            E0101 08:00:00.760000       1 memcache.go:265] "Unhandled Error" err="couldn't get current server API group list: Get \"http://localhost:8080/api?timeout=32s\": dial tcp 127.0.0.1:8080: connect: connection refused"
            E0101 08:00:00.760000       1 memcache.go:265] "Unhandled Error" err="couldn't get current server API group list: Get \"http://localhost:8080/api?timeout=32s\": dial tcp 127.0.0.1:8080: connect: connection refused"
            E0101 08:00:00.760000       1 memcache.go:265] "Unhandled Error" err="couldn't get current server API group list: Get \"http://localhost:8080/api?timeout=32s\": dial tcp 127.0.0.1:8080: connect: connection refused"
            E0101 08:00:00.760000       1 memcache.go:265] "Unhandled Error" err="couldn't get current server API group list: Get \"http://localhost:8080/api?timeout=32s\": dial tcp 127.0.0.1:8080: connect: connection refused"
            E0101 08:00:00.760000       1 memcache.go:265] "Unhandled Error" err="couldn't get current server API group list: Get \"http://localhost:8080/api?timeout=32s\": dial tcp 127.0.0.1:8080: connect: connection refused"
            The connection to the server localhost:8080 was refused - did you specify the right host or port?
            The connection to the server localhost:8080 was refused - did you specify the right host or port?
            error: error loading config file "bad": json: cannot unmarshal number into Go struct field Config.clusters of type []v1.NamedCluster
        "#]].assert_eq(&text);
    }

    #[test]
    fn who_reads_a_kubeconfig_alone_needs_no_credentials() {
        let text = run(
            "cd /tmp; printf 'preferences: {}\\ncontexts: [{name: a, context: {user: dev}}]\\ncurrent-context: a\\n' > demo; \
             kubectl config --kubeconfig=demo set-credentials dev \
             --client-certificate=none --client-key=nokey; kubectl config --kubeconfig=demo use-context a; kubectl config \
             --kubeconfig=demo view --minify; kubectl --kubeconfig=demo get pods",
        );
        expect![[r#"
            User "dev" set.
            Switched to context "a".
            apiVersion: v1
            clusters: null
            contexts:
            - context:
                cluster: ""
                user: dev
              name: a
            current-context: a
            kind: Config
            users:
            - name: dev
              user:
                client-certificate: none
                client-key: nokey
            Error in configuration: 
            * unable to read client-cert none for dev due to open none: no such file or directory
            * unable to read client-key nokey for dev due to open nokey: no such file or directory
        "#]]
        .assert_eq(&text);
    }
}
