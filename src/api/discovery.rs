//! Discovery, `/version`, health and the other paths outside the resources. The documents are
//! written as text, in the order of fields that a real server has.

use std::rc::Rc;

use super::auth::token;
use super::openapi;
use super::request::{Method, Payload, Request, Response};
use super::resource::{Resource, join};
use super::server::ApiServer;
use super::status::Status;
use super::{metrics, monitoring};
use crate::flat::Arrange;
use crate::value::gojson;
use crate::value::{Value, intern};
use crate::{list, obj};

/// The server's version.
pub const GIT_VERSION: &str = "v1.36.2";

/// The commit that the server and kubectl say to be built from; nothing here is built from one of Kubernetes'.
pub const GIT_COMMIT: &str = "0000000000000000000000000000000000000000";

/// Where a client finds the server.
const ADDRESS: &str = "192.168.110.21:6443";

/// The health checks that `/livez`, `/readyz` and `/healthz` list, in the order of a v1.36 server.
const CHECKS: &str = "ping log etcd etcd-readiness informer-sync \
    poststarthook/start-apiserver-admission-initializer \
    poststarthook/generic-apiserver-start-informers \
    poststarthook/priority-and-fairness-config-consumer \
    poststarthook/priority-and-fairness-filter \
    poststarthook/storage-object-count-tracker-hook \
    poststarthook/start-apiextensions-informers \
    poststarthook/start-apiextensions-controllers \
    poststarthook/crd-informer-synced \
    poststarthook/start-system-namespaces-controller \
    poststarthook/peer-endpoint-reconciler-controller \
    poststarthook/start-cluster-authentication-info-controller \
    poststarthook/start-kube-apiserver-identity-lease-controller \
    poststarthook/start-kube-apiserver-identity-lease-garbage-collector \
    poststarthook/storage-readiness \
    poststarthook/start-legacy-token-tracking-controller \
    poststarthook/start-service-ip-repair-controllers \
    poststarthook/rbac/bootstrap-roles \
    poststarthook/scheduling/bootstrap-system-priority-classes \
    poststarthook/priority-and-fairness-config-producer \
    poststarthook/bootstrap-controller \
    poststarthook/start-kubernetes-service-cidr-controller \
    poststarthook/aggregator-reload-proxy-client-cert \
    poststarthook/start-kube-aggregator-informers \
    poststarthook/apiservice-status-local-available-controller \
    poststarthook/apiservice-status-remote-available-controller \
    poststarthook/apiservice-registration-controller \
    poststarthook/apiservice-discovery-controller \
    poststarthook/kube-apiserver-autoregistration \
    autoregister-completion \
    poststarthook/apiservice-openapi-controller \
    poststarthook/apiservice-openapiv3-controller \
    shutdown";

/// The checks of one of the three.
fn checks(endpoint: &str) -> impl Iterator<Item = &'static str> {
    let ready = endpoint == "readyz";
    CHECKS
        .split(' ')
        .filter(move |c| ready || !matches!(*c, "etcd-readiness" | "informer-sync" | "shutdown"))
}

/// Serves a path that names no resource.
///
/// # Errors
/// 404 for a path that is not served, 405 for anything but GET.
pub fn serve(api: &ApiServer, request: &Request) -> Result<Response, Status> {
    if request.method != Method::Get {
        return Err(Status::method_not_allowed());
    }
    let parts: Vec<&str> = request.path.split('/').filter(|p| !p.is_empty()).collect();
    let aggregated = request.accept.contains("as=APIGroupDiscoveryList");
    let stale = stale(api);
    let all = fresh(api, &stale);
    let all = &Known { all, stale };
    let text = match parts.as_slice() {
        [] => root(all),
        ["version"] => version(),
        ["healthz" | "livez" | "readyz"] => health(request, parts.first().unwrap_or(&"")),
        [endpoint @ ("healthz" | "livez" | "readyz"), check @ ..] if checks(endpoint).any(|c| c == check.join("/")) => {
            "ok".to_owned()
        }
        ["api"] if aggregated => group_list(all, true),
        ["apis"] if aggregated => group_list(all, false),
        ["api"] => {
            format!(
                r#"{{"kind":"APIVersions","versions":["v1"],"serverAddressByClientCIDRs":[{{"clientCIDR":"0.0.0.0/0","serverAddress":"{ADDRESS}"}}]}}"#
            ) + "\n"
        }
        ["apis"] => {
            let list: Vec<String> = groups(all)
                .iter()
                .filter(|g| !g.is_empty())
                .map(|g| group(all, g, false))
                .collect();
            format!(
                r#"{{"kind":"APIGroupList","apiVersion":"v1","groups":[{}]}}"#,
                list.join(",")
            ) + "\n"
        }
        ["apis", name] if groups(all).contains(&(*name).to_owned()) => group(all, name, true) + "\n",
        ["api", version] if all.iter().any(|r| r.group.is_empty() && &*r.version == *version) => {
            resource_list(all, "", version)
        }
        ["apis", name, version] if all.iter().any(|r| &*r.group == *name && &*r.version == *version) => {
            resource_list(all, name, version)
        }
        ["apis", group, version] if all.stale.iter().any(|s| s == &(intern(group), intern(version))) => {
            return Err(unavailable(&join(group, version)));
        }
        ["openid", "v1", "jwks"] => token::key_set(api),
        [".well-known", "openid-configuration"] => {
            format!(
                r#"{{"issuer":"{}","jwks_uri":"https://{ADDRESS}/openid/v1/jwks","response_types_supported":["id_token"],"subject_types_supported":["public"],"id_token_signing_alg_values_supported":["RS256"]}}"#,
                token::ISSUER
            )
        }
        ["openapi", "v3"] => return Ok(openapi::index(api).into()),
        ["openapi", "v2"] => return Ok(openapi::v2(api).into()),
        ["openapi", "v3", "api", version] => return document(api, "", version),
        ["openapi", "v3", "apis", group, version] => return document(api, group, version),
        ["metrics"] => monitoring::of_server(api),
        ["metrics", ..] => {
            return Err(Status::failure(
                404,
                "NotFound",
                format!("the document {} is not simulated", request.path),
            ));
        }
        _ => return Err(Status::no_such_path()),
    };
    Ok(Response::new(200, Payload::Text(text)))
}

/// An OpenAPI document.
fn document(api: &ApiServer, group: &str, version: &str) -> Result<Response, Status> {
    let found = openapi::v3(api, group, version);
    found.map(Response::from).ok_or_else(Status::no_such_path)
}

/// Resources as handles.
pub type Resources = Rc<Vec<Rc<Resource>>>;

/// A group and a version.
pub type GroupVersion = (Rc<str>, Rc<str>);

/// What discovery tells of.
struct Known {
    all: Resources,
    /// The groups and versions of APIServices that are not available.
    stale: Vec<GroupVersion>,
}

impl std::ops::Deref for Known {
    type Target = [Rc<Resource>];

    fn deref(&self) -> &[Rc<Resource>] {
        &self.all
    }
}

/// The groups and versions of which nobody knows what they have, as the APIServices that serve them are not
/// available; sorted.
pub fn stale(api: &ApiServer) -> Vec<GroupVersion> {
    let mut stale = Vec::new();
    api.store().each("apiservices.apiregistration.k8s.io", "", |service| {
        if !service.spec().get("service").is_null() && !metrics::is_available(service) {
            let of = |field: &str| intern(service.spec().str_at(&[field]));
            stale.push((of("group"), of("version")));
        }
    });
    stale.arrange();
    stale
}

/// The resources without those of groups and versions that are stale.
pub fn fresh(api: &ApiServer, stale: &[GroupVersion]) -> Resources {
    let all = api.resources();
    if stale.is_empty() {
        return all;
    }
    let is_fresh = |r: &&Rc<Resource>| !stale.iter().any(|(g, v)| *g == r.group && *v == r.version);
    Rc::new(all.iter().filter(is_fresh).cloned().collect())
}

/// 503 for what an APIService would serve that is not available. `what` was asked for.
pub fn unavailable(what: &str) -> Status {
    let message = format!("the server is currently unable to handle the request (get {what})");
    let page = obj! { "reason": "UnexpectedServerResponse", "message": "service unavailable" };
    Status::failure(503, "ServiceUnavailable", message).because(list![page])
}

fn json_text(text: &str) -> String {
    gojson::compact(&Value::from(text), false)
}

fn texts(items: &[Rc<str>]) -> String {
    let all: Vec<String> = items.iter().map(|s| json_text(s)).collect();
    format!("[{}]", all.join(","))
}

/// The groups in the order of discovery; the core group is the empty one.
fn groups(all: &Known) -> Vec<String> {
    let mut groups: Vec<String> = Vec::new();
    for resource in all.iter() {
        if !groups.iter().any(|g| **g == *resource.group) {
            groups.push(resource.group.to_string());
        }
    }
    for (group, _) in &all.stale {
        if !groups.iter().any(|g| **g == **group) {
            groups.push(group.to_string());
        }
    }
    groups
}

/// The versions of a group, the preferred one first.
fn versions(all: &Known, group: &str) -> Vec<Rc<str>> {
    let mut versions: Vec<Rc<str>> = Vec::new();
    for resource in all.iter().filter(|r| &*r.group == group) {
        if !versions.contains(&resource.version) {
            versions.push(intern(&resource.version));
        }
    }
    let stale = all.stale.iter().filter(|(g, _)| &**g == group);
    versions.extend(stale.map(|(_, version)| version.clone()));
    versions
}

fn group(all: &Known, name: &str, alone: bool) -> String {
    let one = |version: &str| {
        format!(
            r#"{{"groupVersion":{},"version":{}}}"#,
            json_text(&join(name, version)),
            json_text(version)
        )
    };
    let list: Vec<String> = versions(all, name).iter().map(|v| one(v)).collect();
    let head = if alone {
        r#""kind":"APIGroup","apiVersion":"v1","#
    } else {
        ""
    };
    format!(
        r#"{{{head}"name":{},"versions":[{}],"preferredVersion":{}}}"#,
        json_text(name),
        list.join(","),
        list.first().cloned().unwrap_or_else(|| "null".into())
    )
}

/// The plain `APIResourceList` of a group and version.
fn resource_list(all: &Known, group: &str, version: &str) -> String {
    let of_version = all.iter().filter(|r| &*r.group == group && &*r.version == version);
    let list: Vec<String> = of_version
        .map(|r| {
            let mut text = format!(
                r#"{{"name":{},"singularName":{},"namespaced":{},"#,
                json_text(&r.name),
                json_text(&r.singular),
                r.namespaced
            );
            if let Some((group, version)) = &r.kind_group_version {
                text.push_str(&format!(
                    r#""group":{},"version":{},"#,
                    json_text(group),
                    json_text(version)
                ));
            }
            text.push_str(&format!(r#""kind":{},"verbs":{}"#, json_text(&r.kind), texts(&r.verbs)));
            for (name, items) in [("shortNames", &r.short_names), ("categories", &r.categories)] {
                if !items.is_empty() {
                    text.push_str(&format!(r#","{name}":{}"#, texts(items)));
                }
            }
            if !r.storage_version_hash.is_empty() {
                text.push_str(&format!(
                    r#","storageVersionHash":{}"#,
                    json_text(&r.storage_version_hash)
                ));
            }
            text.push('}');
            text
        })
        .collect();
    let head = if group.is_empty() {
        r#""kind":"APIResourceList","#
    } else {
        r#""kind":"APIResourceList","apiVersion":"v1","#
    };
    format!(
        r#"{{{head}"groupVersion":{},"resources":[{}]}}"#,
        json_text(&join(group, version)),
        list.join(",")
    ) + "\n"
}

fn response_kind(r: &Resource) -> String {
    let (group, version) = match &r.kind_group_version {
        Some((group, version)) => (&**group, &**version),
        None => (&*r.group, &*r.version),
    };
    format!(
        r#"{{"group":{},"version":{},"kind":{}}}"#,
        json_text(group),
        json_text(version),
        json_text(&r.kind)
    )
}

/// Aggregated discovery: of the core group, or of all others.
fn group_list(all: &Known, core: bool) -> String {
    let items: Vec<String> = groups(all)
        .iter()
        .filter(|g| g.is_empty() == core)
        .map(|name| {
            let versions: Vec<String> = versions(all, name)
                .iter()
                .map(|version| aggregated_version(all, name, version))
                .collect();
            let metadata = if core {
                "{}".to_owned()
            } else {
                format!(r#"{{"name":{}}}"#, json_text(name))
            };
            format!(r#"{{"metadata":{metadata},"versions":[{}]}}"#, versions.join(","))
        })
        .collect();
    format!(
        r#"{{"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2","metadata":{{}},"items":[{}]}}"#,
        items.join(",")
    ) + "\n"
}

fn aggregated_version(all: &Known, group: &str, version: &str) -> String {
    let of_version: Vec<&Resource> = all
        .iter()
        .map(|r| &**r)
        .filter(|r| &*r.group == group && &*r.version == version)
        .collect();
    let whole = of_version.iter().filter(|r| !r.name.contains('/'));
    let list: Vec<String> = whole
        .map(|r| {
            let scope = if r.namespaced { "Namespaced" } else { "Cluster" };
            let mut text = format!(
                r#"{{"resource":{},"responseKind":{},"scope":"{scope}","singularResource":{},"verbs":{}"#,
                json_text(&r.name),
                response_kind(r),
                json_text(&r.singular),
                texts(&r.verbs)
            );
            for (name, items) in [("shortNames", &r.short_names), ("categories", &r.categories)] {
                if !items.is_empty() {
                    text.push_str(&format!(r#","{name}":{}"#, texts(items)));
                }
            }
            let prefix = format!("{}/", r.name);
            let subresources: Vec<String> = of_version
                .iter()
                .filter_map(|s| Some((s, s.name.strip_prefix(&prefix)?)))
                .map(|(s, name)| {
                    format!(
                        r#"{{"subresource":{},"responseKind":{},"verbs":{}}}"#,
                        json_text(name),
                        response_kind(s),
                        texts(&s.verbs)
                    )
                })
                .collect();
            if !subresources.is_empty() {
                text.push_str(&format!(r#","subresources":[{}]"#, subresources.join(",")));
            }
            text.push('}');
            text
        })
        .collect();
    if list.is_empty() {
        return format!(r#"{{"version":{},"freshness":"Stale"}}"#, json_text(version));
    }
    format!(
        r#"{{"version":{},"resources":[{}],"freshness":"Current"}}"#,
        json_text(version),
        list.join(",")
    )
}

fn root(all: &Known) -> String {
    let mut paths = vec!["/api".to_owned(), "/api/v1".into(), "/apis".into()];
    for name in groups(all).iter().filter(|g| !g.is_empty()) {
        paths.push(format!("/apis/{name}"));
        paths.extend(versions(all, name).iter().map(|v| format!("/apis/{name}/{v}")));
    }
    paths.extend(
        [
            "/.well-known/openid-configuration",
            "/healthz",
            "/livez",
            "/openapi/v2",
            "/openapi/v3",
            "/openid/v1/jwks",
            "/readyz",
            "/version",
        ]
        .map(str::to_owned),
    );
    for name in groups(all) {
        let root = if name.is_empty() {
            "api".to_owned()
        } else {
            format!("apis/{name}")
        };
        paths.extend(versions(all, &name).iter().map(|v| format!("/openapi/v3/{root}/{v}")));
    }
    for root in ["healthz", "livez", "readyz"] {
        paths.extend(checks(root).map(|check| format!("/{root}/{check}")));
    }
    paths.arrange();
    let lines: Vec<String> = paths.iter().map(|p| format!("    {}", json_text(p))).collect();
    format!("{{\n  \"paths\": [\n{}\n  ]\n}}", lines.join(",\n"))
}

/// The document of `/version`.
pub fn version() -> String {
    let fields = [
        ("major", "1"),
        ("minor", "36"),
        ("emulationMajor", "1"),
        ("emulationMinor", "36"),
        ("minCompatibilityMajor", "1"),
        ("minCompatibilityMinor", "35"),
        ("gitVersion", GIT_VERSION),
        ("gitCommit", GIT_COMMIT),
        ("gitTreeState", "clean"),
        ("buildDate", "2026-06-01T00:00:00Z"),
        ("goVersion", "go1.26.6"),
        ("compiler", "gc"),
        ("platform", "linux/amd64"),
    ];
    let lines: Vec<String> = fields
        .iter()
        .map(|(k, v)| format!("  {k}: {v}", k = json_text(k), v = json_text(v)))
        .collect();
    format!("{{\n{}\n}}", lines.join(",\n"))
}

fn health(request: &Request, name: &str) -> String {
    let verbose = request.query.iter().any(|(k, _)| k == "verbose");
    if !verbose {
        return "ok".to_owned();
    }
    let mut unknown: Vec<&str> = request
        .query
        .iter()
        .filter(|(k, _)| k == "exclude")
        .map(|(_, v)| &**v)
        .collect();
    unknown.arrange();
    unknown.dedup();
    let mut text = String::new();
    for check in checks(name) {
        let excluded = unknown.iter().position(|x| *x == check);
        if let Some(i) = excluded {
            unknown.remove(i);
        }
        let excluded = if excluded.is_some() { " excluded:" } else { "" };
        text += &format!("[+]{check}{excluded} ok\n");
    }
    if !unknown.is_empty() {
        let unknown: Vec<String> = unknown.into_iter().map(json_text).collect();
        text += &format!(
            "warn: some health checks cannot be excluded: no matches for {}\n",
            unknown.join(", ")
        );
    }
    text + name + " check passed\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{Sim, Time};

    fn get(path: &str, accept: &str) -> Response {
        let api = ApiServer::new(&Sim::new(1, Time::from_secs(1_800_000_000)));
        let mut request = Request::get(path);
        request.accept = accept.into();
        api.serve(request)
    }

    fn text(response: &Response) -> String {
        match &response.payload {
            Payload::Text(text) => text.clone(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn documents() {
        let groups = text(&get("/apis", ""));
        assert!(groups.starts_with(r#"{"kind":"APIGroupList","apiVersion":"v1","groups":[{"name":"apiregistration.k8s.io","versions":[{"groupVersion":"apiregistration.k8s.io/v1","version":"v1"}],"preferredVersion""#), "{groups}");
        let core = text(&get("/api/v1", ""));
        assert!(core.contains(r#"{"name":"configmaps","singularName":"configmap","namespaced":true,"kind":"ConfigMap","verbs":["create","delete","deletecollection","get","list","patch","update","watch"],"shortNames":["cm"],"storageVersionHash":"qFsyl6wFWjQ="}"#), "{core}");
        let aggregated = text(&get(
            "/apis",
            "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
        ));
        for document in [
            &groups,
            &core,
            &aggregated,
            &text(&get("/version", "")),
            &text(&get("/", "")),
        ] {
            assert!(Value::from_json(document).is_ok(), "{document}");
        }
        assert!(
            aggregated.contains(
                r#""subresource":"scale","responseKind":{"group":"autoscaling","version":"v1","kind":"Scale"}"#
            )
        );
        assert_eq!(text(&get("/livez/ping", "")), "ok");
        assert_eq!(text(&get("/livez/poststarthook/rbac/bootstrap-roles", "")), "ok");
        assert_eq!(get("/livez/shutdown", "").code, 404);
        assert_eq!(get("/healthz/nosuch", "").code, 404);
        let verbose = |endpoint: &str| {
            let request = Request::get(endpoint)
                .with("verbose", "1")
                .with("exclude", "etcd")
                .with("exclude", "x");
            text(&ApiServer::new(&Sim::new(1, Time::from_secs(1_800_000_000))).serve(request))
        };
        let (ready, live) = (verbose("/readyz"), verbose("/livez"));
        assert!(
            ready.starts_with(
                "[+]ping ok\n[+]log ok\n[+]etcd excluded: ok\n[+]etcd-readiness ok\n[+]informer-sync ok\n"
            ),
            "{ready}"
        );
        let end = "warn: some health checks cannot be excluded: no matches for \"x\"\nreadyz check passed\n";
        assert!(ready.ends_with(&format!("[+]shutdown ok\n{end}")), "{ready}");
        assert_eq!((ready.lines().count(), live.lines().count()), (39, 36));
        assert_eq!(get("/nosuch", "").code, 404);
        assert!(text(&get("/apis/apps", "")).starts_with(r#"{"kind":"APIGroup","apiVersion":"v1","name":"apps""#));
    }

    #[test]
    fn what_an_api_service_would_serve_that_is_not_available() {
        let api = ApiServer::new(&Sim::new(1, Time::from_secs(1_800_000_000)));
        api.restore(obj! {
            "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": obj! { "name": "v1.foo.io" },
            "spec": obj! { "group": "foo.io", "version": "v1", "service": obj! { "name": "a", "namespace": "b" } },
        })
        .unwrap();
        let get = |path: &str, accept: &str| {
            let mut request = Request::get(path);
            request.accept = accept.into();
            api.serve(request)
        };
        let aggregated = text(&get("/apis", "application/json;as=APIGroupDiscoveryList"));
        let end = r#"{"metadata":{"name":"foo.io"},"versions":[{"version":"v1","freshness":"Stale"}]}]}"#;
        assert!(aggregated.trim_end().ends_with(end), "{aggregated}");
        assert_eq!(get("/apis/foo.io", "").code, 200);
        for (path, code) in [
            ("/apis/foo.io/v1", 503),
            ("/apis/foo.io/v1/namespaces/x/things/y", 503),
            ("/apis/foo.io/v2", 404),
            ("/apis/foo.io/v2/things", 404),
        ] {
            assert_eq!(get(path, "").code, code, "{path}");
        }
    }
}
