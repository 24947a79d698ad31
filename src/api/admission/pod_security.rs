//! `PodSecurity`: the Pod Security Standards that a namespace's labels ask for
//! (`pod-security-admission`). Each mode has a level and a version: what breaks the enforced one is
//! refused, what breaks the others is warned of (and would be audited).

use super::Attributes;
use crate::api::object::ObjectKey;
use crate::api::status::{FieldErrors, Status};
use crate::api::well_known;
use crate::flat::{Arrange, FlatMap, FlatSet};
use crate::limits;
use crate::value::{Value, gofmt, quoted};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Privileged,
    Baseline,
    Restricted,
}

/// A level, and the minor version of Kubernetes whose rules hold: none for the latest.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Policy {
    level: Level,
    minor: Option<u32>,
}

impl Policy {
    fn name(self) -> String {
        let level = match self.level {
            Level::Privileged => "privileged",
            Level::Baseline => "baseline",
            Level::Restricted => "restricted",
        };
        match self.minor {
            Some(minor) => format!("{level}:v1.{minor}"),
            None => format!("{level}:latest"),
        }
    }

    /// Whether the rules of this minor version hold.
    fn since(self, minor: u32) -> bool {
        self.minor.is_none_or(|m| m >= minor)
    }
}

const PREFIX: &str = "pod-security.kubernetes.io/";

/// The policy of a mode (`enforce`, `audit`, `warn`) that labels say. Errors go to `errors`; a label
/// that cannot be read asks for the strictest.
fn policy(labels: &Value, mode: &str, errors: &mut FieldErrors) -> Policy {
    let mut policy = Policy {
        level: Level::Privileged,
        minor: None,
    };
    let label = labels.get(&format!("{PREFIX}{mode}"));
    match label.str() {
        _ if label.is_null() => {}
        "privileged" => {}
        "baseline" => policy.level = Level::Baseline,
        "restricted" => policy.level = Level::Restricted,
        _ => {
            policy.level = Level::Restricted;
            let why = "must be one of privileged, baseline, restricted";
            errors.invalid(format!("metadata.labels[{PREFIX}{mode}]"), label, why);
        }
    }
    let key = format!("{PREFIX}{mode}-version");
    let version = labels.get(&key);
    let minor = version
        .str()
        .strip_prefix("v1.")
        .filter(|m| *m == "0" || !m.starts_with('0'));
    if !version.is_null() && version.str() != "latest" {
        policy.minor = minor.and_then(|m| m.parse().ok());
        if policy.minor.is_none() {
            let why = "must be \"latest\" or \"v1.x\"";
            errors.invalid(format!("metadata.labels[{key}]"), version, why);
        }
    }
    policy
}

/// The policy that a namespace's labels enforce. Errors are those of the other modes too.
fn enforced(labels: &Value, errors: &mut FieldErrors) -> Policy {
    let enforced = policy(labels, "enforce", errors);
    for mode in ["audit", "warn"] {
        policy(labels, mode, errors);
    }
    enforced
}

/// What a pod breaks: the reason, and what exactly.
type Broken = (String, String);

fn all_quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let all: Vec<String> = names.into_iter().map(gofmt::quote).collect();
    all.join(", ")
}

fn plural(one: &str, many: &str, count: usize) -> String {
    if count == 1 { one } else { many }.to_owned()
}

/// `container "a"` or `containers "a", "b"`.
fn named(containers: &[&str]) -> String {
    format!(
        "{} {}",
        plural("container", "containers", containers.len()),
        all_quoted(containers.iter().copied())
    )
}

struct Pod<'a> {
    metadata: &'a Value,
    spec: &'a Value,
}

impl<'a> Pod<'a> {
    fn containers(&self) -> impl Iterator<Item = &'a Value> {
        let spec = self.spec;
        ["initContainers", "containers", "ephemeralContainers"]
            .into_iter()
            .flat_map(move |list| spec.get(list).items())
    }

    /// The names of the containers that are so.
    fn which(&self, bad: impl Fn(&Value) -> bool) -> Vec<&'a str> {
        self.containers()
            .filter(|c| bad(c))
            .map(|c| c.get("name").str())
            .collect()
    }

    fn is_windows(&self) -> bool {
        self.spec.str_at(&["os", "name"]) == "windows"
    }

    /// Those of pod and containers whose security context has a bad value at `path`, in words, and
    /// the bad values.
    fn setters(&self, path: &[&str], bad: impl Fn(&Value) -> bool) -> (Vec<String>, FlatSet<&'a str>) {
        let (mut setters, mut values) = (Vec::new(), FlatSet::new());
        let own = self.spec.get("securityContext").at(path);
        if bad(own) {
            setters.push("pod".to_owned());
            values.insert(own.str());
        }
        let containers = self.which(|c| bad(c.get("securityContext").at(path)));
        if !containers.is_empty() {
            setters.push(named(&containers));
        }
        for c in self.containers() {
            let value = c.get("securityContext").at(path);
            if bad(value) {
                values.insert(value.str());
            }
        }
        (setters, values)
    }
}

/// What all containers may add (`baseline`).
const CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// The sysctls that are safe, and since which minor version.
const SYSCTLS: [(&str, u32); 12] = [
    ("kernel.shm_rmid_forced", 0),
    ("net.ipv4.ip_local_port_range", 0),
    ("net.ipv4.tcp_syncookies", 0),
    ("net.ipv4.ping_group_range", 0),
    ("net.ipv4.ip_unprivileged_port_start", 0),
    ("net.ipv4.ip_local_reserved_ports", 27),
    ("net.ipv4.tcp_keepalive_time", 29),
    ("net.ipv4.tcp_fin_timeout", 29),
    ("net.ipv4.tcp_keepalive_intvl", 29),
    ("net.ipv4.tcp_keepalive_probes", 29),
    ("net.ipv4.tcp_rmem", 32),
    ("net.ipv4.tcp_wmem", 32),
];

/// The volumes that the restricted level allows.
const VOLUMES: [&str; 8] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
];

fn added(pod: &Pod, allowed: &[&str]) -> Option<String> {
    let extra = |c: &Value| -> Vec<String> {
        let add = c.at(&["securityContext", "capabilities", "add"]).items();
        let names = add.iter().map(|v| v.str().to_owned());
        names.filter(|n| !allowed.contains(&n.as_str())).collect()
    };
    let containers = pod.which(|c| !extra(c).is_empty());
    let names: FlatSet<String> = pod.containers().flat_map(extra).collect();
    (!containers.is_empty()).then(|| {
        format!(
            "{} must not include {} in securityContext.capabilities.add",
            named(&containers),
            all_quoted(names.iter().map(String::as_str))
        )
    })
}

fn baseline(pod: &Pod, policy: Policy, broken: &mut Vec<Broken>) {
    let restricted = policy.level == Level::Restricted;
    app_armor(pod, broken);
    if !(restricted && policy.since(22))
        && let Some(detail) = added(pod, &CAPABILITIES)
    {
        broken.push(("non-default capabilities".into(), detail));
    }
    let shared: Vec<String> = ["hostNetwork", "hostPID", "hostIPC"]
        .into_iter()
        .filter(|n| pod.spec.bool_at(&[n]))
        .map(|n| format!("{n}=true"))
        .collect();
    if !shared.is_empty() {
        broken.push(("host namespaces".into(), shared.join(", ")));
    }
    let paths: Vec<&str> = pod
        .spec
        .get("volumes")
        .items()
        .iter()
        .filter(|v| !v.get("hostPath").is_null())
        .map(|v| v.get("name").str())
        .collect();
    if !paths.is_empty() && !restricted {
        let detail = format!("{} {}", plural("volume", "volumes", paths.len()), all_quoted(paths));
        broken.push(("hostPath volumes".into(), detail));
    }
    let ports_of = |c: &Value| -> Vec<i64> {
        let all = c.get("ports").items().iter();
        all.filter_map(|p| p.i64_at(&["hostPort"]))
            .filter(|n| *n != 0)
            .collect()
    };
    let containers = pod.which(|c| !ports_of(c).is_empty());
    if !containers.is_empty() {
        let ports: FlatSet<String> = pod.containers().flat_map(ports_of).map(|n| n.to_string()).collect();
        let detail = format!(
            "{} {} {} {}",
            named(&containers),
            plural("uses", "use", containers.len()),
            plural("hostPort", "hostPorts", ports.len()),
            ports.into_iter().collect::<Vec<_>>().join(", ")
        );
        broken.push(("hostPort".into(), detail));
    }
    if policy.since(34) {
        probe_hosts(pod, broken);
    }
    let containers = pod.which(|c| c.bool_at(&["securityContext", "privileged"]));
    if !containers.is_empty() {
        let detail = format!("{} must not set securityContext.privileged=true", named(&containers));
        broken.push(("privileged".into(), detail));
    }
    let mount = |c: &Value| c.at(&["securityContext", "procMount"]).clone();
    let user_namespace = policy.since(35) && pod.spec.get("hostUsers").as_bool() == Some(false);
    let containers = pod.which(|c| !matches!(mount(c).str(), "" | "Default"));
    if !containers.is_empty() && (restricted || !user_namespace) {
        let values: FlatSet<String> = pod.containers().map(|c| mount(c).str().to_owned()).collect();
        let bad = values
            .iter()
            .map(String::as_str)
            .filter(|v| !matches!(*v, "" | "Default"));
        let detail = format!(
            "{} must not set securityContext.procMount to {}",
            named(&containers),
            all_quoted(bad)
        );
        broken.push(("procMount".into(), detail));
    }
    selinux(pod, policy, broken);
    if policy.since(19) && !restricted {
        explicit_seccomp(pod, broken);
    }
    let sysctls: Vec<&str> = pod
        .spec
        .at(&["securityContext", "sysctls"])
        .items()
        .iter()
        .map(|s| s.get("name").str())
        .filter(|n| !SYSCTLS.iter().any(|(known, minor)| known == n && policy.since(*minor)))
        .collect();
    if !sysctls.is_empty() {
        broken.push(("forbidden sysctls".into(), sysctls.join(", ")));
    }
    let (setters, _) = pod.setters(&["windowsOptions", "hostProcess"], |v| v.as_bool() == Some(true));
    if !setters.is_empty() {
        let detail = format!(
            "{} must not set securityContext.windowsOptions.hostProcess=true",
            setters.join(" and ")
        );
        broken.push(("hostProcess".into(), detail));
    }
}

/// Whether the type of a seccomp or AppArmor profile is one that confines.
fn is_confined(kind: &Value) -> bool {
    matches!(kind.str(), "RuntimeDefault" | "Localhost")
}

fn app_armor(pod: &Pod, broken: &mut Vec<Broken>) {
    let (mut setters, values) = pod.setters(&["appArmorProfile", "type"], |v| !v.is_null() && !is_confined(v));
    let mut shown: Vec<String> = values.into_iter().map(str::to_owned).collect();
    let annotations: Vec<String> = pod
        .metadata
        .get("annotations")
        .entries()
        .filter(|(k, _)| k.starts_with(well_known::APPARMOR_PREFIX))
        .filter(|(_, v)| !matches!(v.str(), "" | "runtime/default") && !v.str().starts_with("localhost/"))
        .map(|(k, v)| format!("{}={}", &**k, quoted(&v.str())))
        .collect();
    if !annotations.is_empty() {
        setters.push(plural("annotation", "annotations", annotations.len()));
        shown.extend(annotations);
    }
    if !setters.is_empty() {
        let reason = plural("forbidden AppArmor profile", "forbidden AppArmor profiles", shown.len());
        let detail = format!(
            "{} must not set AppArmor profile type to {}",
            setters.join(" and "),
            all_quoted(shown.iter().map(String::as_str))
        );
        broken.push((reason, detail));
    }
}

fn probe_hosts(pod: &Pod, broken: &mut Vec<Broken>) {
    const HANDLERS: [&[&str]; 5] = [
        &["livenessProbe"],
        &["readinessProbe"],
        &["startupProbe"],
        &["lifecycle", "postStart"],
        &["lifecycle", "preStop"],
    ];
    let hosts = |c: &Value| -> Vec<String> {
        HANDLERS
            .iter()
            .flat_map(|path| ["httpGet", "tcpSocket"].map(|k| c.at(path).str_at(&[k, "host"]).to_owned()))
            .filter(|h| !h.is_empty())
            .collect()
    };
    let names: FlatSet<&str> = pod.which(|c| !hosts(c).is_empty()).into_iter().collect();
    if names.is_empty() {
        return;
    }
    let names: Vec<&str> = names.into_iter().collect();
    let all: FlatSet<String> = pod.containers().flat_map(hosts).collect();
    let detail = format!(
        "{} {} {} {}",
        named(&names),
        plural("uses", "use", names.len()),
        plural("probe or lifecycle host", "probe or lifecycle hosts", all.len()),
        all_quoted(all.iter().map(String::as_str))
    );
    broken.push(("probe or lifecycle host".into(), detail));
}

fn selinux(pod: &Pod, policy: Policy, broken: &mut Vec<Broken>) {
    let known = |kind: &str| {
        matches!(kind, "" | "container_t" | "container_init_t" | "container_kvm_t")
            || (kind == "container_engine_t" && policy.since(31))
    };
    let (mut types, mut user, mut role) = (FlatSet::new(), false, false);
    let mut check = |options: &Value| {
        let kind = options.str_at(&["type"]);
        let bad = !known(kind) || !options.get("user").is_empty() || !options.get("role").is_empty();
        if !known(kind) {
            types.insert(kind.to_owned());
        }
        user |= !options.get("user").is_empty();
        role |= !options.get("role").is_empty();
        bad
    };
    let mut setters = Vec::new();
    if check(pod.spec.at(&["securityContext", "seLinuxOptions"])) {
        setters.push("pod".to_owned());
    }
    let mut containers = Vec::new();
    for c in pod.containers() {
        if check(c.at(&["securityContext", "seLinuxOptions"])) {
            containers.push(c.get("name").str());
        }
    }
    if !containers.is_empty() {
        setters.push(named(&containers));
    }
    if setters.is_empty() {
        return;
    }
    let mut bad = Vec::new();
    if !types.is_empty() {
        let names = all_quoted(types.iter().map(String::as_str));
        bad.push(format!("{} {names}", plural("type", "types", types.len())));
    }
    if user {
        bad.push("user may not be set".to_owned());
    }
    if role {
        bad.push("role may not be set".to_owned());
    }
    let detail = format!(
        "{} set forbidden securityContext.seLinuxOptions: {}",
        setters.join(" and "),
        bad.join("; ")
    );
    broken.push(("seLinuxOptions".into(), detail));
}

fn restricted(pod: &Pod, policy: Policy, broken: &mut Vec<Broken>) {
    let windows = policy.since(25) && pod.is_windows();
    let context = |c: &Value, path: &[&str]| c.get("securityContext").at(path).clone();
    if policy.since(8) && !windows {
        let bad = pod.which(|c| context(c, &["allowPrivilegeEscalation"]).as_bool() != Some(false));
        if !bad.is_empty() {
            let detail = format!(
                "{} must set securityContext.allowPrivilegeEscalation=false",
                named(&bad)
            );
            broken.push(("allowPrivilegeEscalation != false".into(), detail));
        }
    }
    if policy.since(22) && !windows {
        let keeps = |c: &Value| {
            !context(c, &["capabilities", "drop"])
                .items()
                .iter()
                .any(|d| d.str() == "ALL")
        };
        let bad = pod.which(keeps);
        let mut details = Vec::new();
        if !bad.is_empty() {
            details.push(format!(
                "{} must set securityContext.capabilities.drop=[\"ALL\"]",
                named(&bad)
            ));
        }
        details.extend(added(pod, &["NET_BIND_SERVICE"]));
        if !details.is_empty() {
            broken.push(("unrestricted capabilities".into(), details.join("; ")));
        }
    }
    let (mut volumes, mut kinds) = (Vec::new(), FlatSet::new());
    for volume in pod.spec.get("volumes").items() {
        let source = volume.entries().find(|(k, v)| &***k != "name" && !v.is_null());
        let kind = source.map_or("unknown", |(k, _)| k);
        if !VOLUMES.contains(&kind) {
            volumes.push(volume.get("name").str());
            kinds.insert(kind);
        }
    }
    if !volumes.is_empty() {
        let detail = format!(
            "{} {} {} {} {}",
            plural("volume", "volumes", volumes.len()),
            all_quoted(volumes.iter().copied()),
            plural("uses", "use", volumes.len()),
            plural("restricted volume type", "restricted volume types", kinds.len()),
            all_quoted(kinds)
        );
        broken.push(("restricted volume types".into(), detail));
    }
    if !(policy.since(35) && pod.spec.get("hostUsers").as_bool() == Some(false)) {
        non_root(pod, policy, broken);
    }
    if policy.since(19) && !windows {
        seccomp(pod, broken);
    }
}

fn non_root(pod: &Pod, policy: Policy, broken: &mut Vec<Broken>) {
    let path = ["securityContext", "runAsNonRoot"];
    let of_pod = pod.spec.at(&path).as_bool();
    let mut setters = Vec::new();
    if of_pod == Some(false) {
        setters.push("pod".to_owned());
    }
    let explicit = pod.which(|c| c.at(&path).as_bool() == Some(false));
    let implicit = pod.which(|c| c.at(&path).as_bool().is_none() && of_pod.is_none());
    if !explicit.is_empty() {
        setters.push(named(&explicit));
    }
    let reason = "runAsNonRoot != true".to_owned();
    if !setters.is_empty() {
        let detail = format!(
            "{} must not set securityContext.runAsNonRoot=false",
            setters.join(" and ")
        );
        broken.push((reason, detail));
    } else if !implicit.is_empty() {
        let detail = format!("pod or {} must set securityContext.runAsNonRoot=true", named(&implicit));
        broken.push((reason, detail));
    }
    if policy.since(23) {
        let (setters, _) = pod.setters(&["runAsUser"], |v| v.as_i64() == Some(0));
        if !setters.is_empty() {
            let detail = format!("{} must not set runAsUser=0", setters.join(" and "));
            broken.push(("runAsUser=0".into(), detail));
        }
    }
}

const SECCOMP: [&str; 2] = ["seccompProfile", "type"];

/// No profile is set that does not confine, which both levels ask for. Returns whether one is.
fn explicit_seccomp(pod: &Pod, broken: &mut Vec<Broken>) -> bool {
    let (setters, values) = pod.setters(&SECCOMP, |v| !v.is_null() && !is_confined(v));
    if setters.is_empty() {
        return false;
    }
    let detail = format!(
        "{} must not set securityContext.seccompProfile.type to {}",
        setters.join(" and "),
        all_quoted(values)
    );
    broken.push(("seccompProfile".into(), detail));
    true
}

fn seccomp(pod: &Pod, broken: &mut Vec<Broken>) {
    if explicit_seccomp(pod, broken) || is_confined(pod.spec.get("securityContext").at(&SECCOMP)) {
        return;
    }
    let implicit = pod.which(|c| !is_confined(c.get("securityContext").at(&SECCOMP)));
    if !implicit.is_empty() {
        let detail = format!(
            "pod or {} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"",
            named(&implicit)
        );
        broken.push(("seccompProfile".into(), detail));
    }
}

/// All that a pod breaks of a policy: the baseline's rules first.
fn evaluate(pod: &Pod, policy: Policy) -> Vec<Broken> {
    let mut broken = Vec::new();
    if policy.level >= Level::Baseline {
        baseline(pod, policy, &mut broken);
    }
    if policy.level == Level::Restricted {
        restricted(pod, policy, &mut broken);
    }
    broken
}

fn details(broken: &[Broken]) -> String {
    let all: Vec<String> = broken
        .iter()
        .map(|(reason, detail)| format!("{reason} ({detail})"))
        .collect();
    all.join(", ")
}

/// Checks a pod, a workload's template, or the labels of a namespace.
///
/// # Errors
/// 403 for a pod that breaks what its namespace enforces; 422 for labels that say nothing known.
pub(super) fn validate(a: &Attributes, value: &Value, warnings: &mut Vec<String>) -> Result<(), Status> {
    let resource = (&*a.target.resource.group, &*a.target.resource.name);
    let template = match resource {
        ("", "namespaces") if a.target.subresource.is_empty() => return namespace(a, value, warnings),
        ("", "pods") if matches!(a.target.subresource.as_str(), "" | "ephemeralcontainers") => value,
        ("", "podtemplates") => value.get("template"),
        ("", "replicationcontrollers") | ("apps", "deployments" | "replicasets" | "statefulsets" | "daemonsets") => {
            value.at(&["spec", "template"])
        }
        ("batch", "jobs") => value.at(&["spec", "template"]),
        ("batch", "cronjobs") => value.at(&["spec", "jobTemplate", "spec", "template"]),
        _ => return Ok(()),
    };
    let is_pod = resource.1 == "pods";
    if !is_pod && !a.target.subresource.is_empty() {
        return Ok(());
    }
    let key = ObjectKey::new("", &a.target.namespace);
    let Some(namespace) = a.api.store().get("namespaces", &key) else {
        return Ok(());
    };
    if !namespace.labels().entries().any(|(k, _)| k.starts_with(PREFIX)) {
        return Ok(());
    }
    let mut ignored = FieldErrors::default();
    let enforce = policy(namespace.labels(), "enforce", &mut ignored);
    let warn = policy(namespace.labels(), "warn", &mut ignored);
    if is_pod
        && let Some(old) = a.old
        && !is_significant(value, old.value())
    {
        return Ok(());
    }
    let pod = Pod {
        metadata: template.get("metadata"),
        spec: template.get("spec"),
    };
    if is_pod {
        let broken = evaluate(&pod, enforce);
        if !broken.is_empty() {
            let why = format!("violates PodSecurity {}: {}", quoted(&enforce.name()), details(&broken));
            return Err(a.forbidden(value, why));
        }
    }
    let broken = evaluate(&pod, warn);
    if !broken.is_empty() {
        warnings.push(format!(
            "would violate PodSecurity {}: {}",
            quoted(&warn.name()),
            details(&broken)
        ));
    }
    Ok(())
}

/// Whether an update of a pod changes what matters here: images, and new containers.
fn is_significant(new: &Value, old: &Value) -> bool {
    ["containers", "initContainers", "ephemeralContainers"]
        .iter()
        .any(|list| {
            let images = |v: &Value| -> Vec<(String, String)> {
                let all = v.at(&["spec", list]).items().iter();
                all.map(|c| (c.get("name").str().to_owned(), c.get("image").str().to_owned()))
                    .collect()
            };
            images(new) != images(old)
        })
}

/// A namespace's labels must be known; of pods that are there and break a new rule it is warned.
fn namespace(a: &Attributes, value: &Value, warnings: &mut Vec<String>) -> Result<(), Status> {
    let labels = value.at(&["metadata", "labels"]);
    let mut errors = FieldErrors::default();
    let enforce = enforced(labels, &mut errors);
    let name = value.str_at(&["metadata", "name"]);
    let mut known = FieldErrors::default();
    let before = a.old.map(|old| enforced(old.labels(), &mut known));
    // What was wrong before may stay so.
    if !errors.is_empty() && known.is_empty() {
        return Err(Status::invalid("", "Namespace", name, &errors));
    }
    let Some(before) = before else { return Ok(()) };
    let relaxed = enforce.level <= before.level && enforce.minor == before.minor;
    if enforce == before || enforce.level == Level::Privileged || relaxed {
        return Ok(());
    }
    let pods = a.api.store().list("pods", name);
    let mut found: FlatMap<String, (String, usize)> = FlatMap::new();
    for pod in pods.iter().take(limits::POD_SECURITY_PODS) {
        let broken = evaluate(
            &Pod {
                metadata: pod.metadata(),
                spec: pod.spec(),
            },
            enforce,
        );
        if broken.is_empty() {
            continue;
        }
        let reasons: Vec<&str> = broken.iter().map(|(reason, _)| reason.as_str()).collect();
        let entry = found
            .entry(reasons.join(", "))
            .or_insert_with(|| (pod.name().to_owned(), 0));
        if pod.name() < entry.0.as_str() {
            entry.0 = pod.name().to_owned();
        }
        entry.1 += 1;
    }
    if pods.len() > limits::POD_SECURITY_PODS {
        warnings.push(format!(
            "new PodSecurity enforce level only checked against the first {} of {} existing pods",
            limits::POD_SECURITY_PODS,
            pods.len()
        ));
    }
    if !found.is_empty() {
        warnings.push(format!(
            "existing pods in namespace {name} violate the new PodSecurity enforce level {}",
            quoted(&enforce.name()),
            name = quoted(&name)
        ));
    }
    let mut lines: Vec<String> = found
        .into_iter()
        .map(|(reasons, (pod, count))| match count {
            1 => format!("{pod}: {reasons}"),
            2 => format!("{pod} (and 1 other pod): {reasons}"),
            n => format!("{pod} (and {} other pods): {reasons}", n - 1),
        })
        .collect();
    lines.arrange();
    warnings.append(&mut lines);
    Ok(())
}
