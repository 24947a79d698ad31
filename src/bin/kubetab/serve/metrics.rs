//! `/metrics`: a few families of the real server's, in the text format of Prometheus.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use kubetab::api::{ApiServer, Method};

/// Verb, group, version, resource, subresource, code.
type Key = [String; 6];

/// The requests that were answered.
#[derive(Default)]
pub struct Metrics {
    requests: RefCell<BTreeMap<Key, u64>>,
}

impl Metrics {
    /// Counts a request to a resource; others count without one.
    pub fn count(&self, api: &ApiServer, method: Method, path: &str, watch: bool, code: u16) {
        let target = api.target(path).ok().flatten();
        let is_collection = target.as_ref().is_some_and(|t| t.name.is_empty());
        let verb = match method {
            Method::Get if watch => "WATCH",
            Method::Get if is_collection => "LIST",
            Method::Delete if is_collection => "DELETECOLLECTION",
            other => other.name(),
        };
        let (group, version, resource, subresource) = match target {
            Some(t) => (
                t.resource.group.to_string(),
                t.resource.version.to_string(),
                t.resource.name.to_string(),
                t.subresource,
            ),
            None => Default::default(),
        };
        let key = [verb.to_owned(), group, version, resource, subresource, code.to_string()];
        *self.requests.borrow_mut().entry(key).or_default() += 1;
    }

    /// The document.
    pub fn text(&self, api: &ApiServer) -> String {
        let mut out = String::new();
        let family = |out: &mut String, name: &str, kind: &str, help: &str| {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        };
        family(
            &mut out,
            "apiserver_request_total",
            "counter",
            "[STABLE] Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, \
             scope, component, and HTTP response code.",
        );
        for ([verb, group, version, resource, subresource, code], n) in self.requests.borrow().iter() {
            let _ = writeln!(
                out,
                "apiserver_request_total{{code=\"{code}\",component=\"apiserver\",dry_run=\"\",group=\"{group}\",\
                 resource=\"{resource}\",scope=\"\",subresource=\"{subresource}\",verb=\"{verb}\",version=\"{version}\"}} {n}"
            );
        }
        family(
            &mut out,
            "apiserver_storage_objects",
            "gauge",
            "[STABLE] Number of stored objects at the time of last check split by kind.",
        );
        for shelf in api.store().shelves() {
            let mut n = 0;
            api.store().each(&shelf, "", |_| n += 1);
            let _ = writeln!(out, "apiserver_storage_objects{{resource=\"{shelf}\"}} {n}");
        }
        family(
            &mut out,
            "kubernetes_build_info",
            "gauge",
            "[BETA] A metric with a constant '1' value labeled by major, minor, git version, git commit, git tree \
             state, build date, Go version, and compiler from which Kubernetes was built, and platform on which it is \
             running.",
        );
        let _ = writeln!(
            out,
            "kubernetes_build_info{{git_version=\"{}\",major=\"1\",minor=\"36\"}} 1",
            kubetab::api::discovery::GIT_VERSION
        );
        out
    }
}
