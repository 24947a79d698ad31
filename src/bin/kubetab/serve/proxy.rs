//! `services/NAME/proxy`, `pods/NAME/proxy` and `nodes/NAME/proxy`: the API server sends what it gets
//! on to the simulated network, from the host that it runs on.

use std::rc::Rc;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue, LOCATION};
use kubetab::api::{Object, ObjectKey, Request, Status, auth};
use kubetab::net::{HttpRequest, HttpResponse, NetError};
use kubetab::value::Value;
use kubetab::{obj, world};

use super::Server;
use super::answer::{self, Answer};
use super::body::Content;
use super::rest::Incoming;

/// The kubelet's own port.
const KUBELET: u16 = 10_250;

/// Headers that concern one connection, not what travels on it.
const HOP_BY_HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What a proxy's path names.
#[derive(Debug, PartialEq, Eq)]
pub struct Proxied<'a> {
    /// `services`, `pods` or `nodes`.
    resource: &'a str,
    namespace: &'a str,
    name: &'a str,
    /// A number, or the name of a Service's port; empty for the default one.
    port: &'a str,
    /// What comes after `/proxy`.
    rest: &'a str,
}

/// Reads a path; `None` when it is no proxy's.
pub fn parse(path: &str) -> Option<Proxied<'_>> {
    let inside = path.strip_prefix("/api/v1/")?;
    let (namespace, inside) = match inside.strip_prefix("namespaces/") {
        Some(rest) => rest.split_once('/')?,
        None => ("", inside),
    };
    let (resource, inside) = inside.split_once('/')?;
    let fits = match resource {
        "services" | "pods" => !namespace.is_empty(),
        "nodes" => namespace.is_empty(),
        _ => false,
    };
    let (id, inside) = inside.split_once('/')?;
    let rest = inside.strip_prefix("proxy")?;
    if !fits || !(rest.is_empty() || rest.starts_with('/')) {
        return None;
    }
    // `[SCHEME:]NAME[:PORT]`
    let parts: Vec<&str> = id.split(':').collect();
    let (name, port) = match parts.as_slice() {
        [name] => (*name, ""),
        [name, port] | [_, name, port] => (*name, *port),
        _ => return None,
    };
    Some(Proxied {
        resource,
        namespace,
        name,
        port,
        rest,
    })
}

fn unavailable(message: impl Into<String>) -> Status {
    Status::failure(503, "ServiceUnavailable", message)
}

/// Answers a request to a proxy.
pub async fn serve(server: &Rc<Server>, incoming: Incoming, headers: &HeaderMap, method: &str) -> Answer {
    let Some(proxied) = parse(&incoming.path) else {
        return answer::page_not_found();
    };
    let mut request = Request::new(incoming.method, incoming.path.clone());
    request.user = incoming.user.clone();
    request.impersonate = incoming.impersonate.clone();
    if let Err(status) = auth::check(server.world.api(), &mut request) {
        return answer::failure(&status, &incoming.style);
    }
    if proxied.rest.is_empty() && matches!(method, "GET" | "HEAD") {
        let mut answer = answer::text(301, "");
        if let Ok(value) = HeaderValue::from_str(&format!("{}/", incoming.path)) {
            answer.headers_mut().insert(LOCATION, value);
        }
        return answer;
    }
    match send(server, &incoming, &proxied, headers, method).await {
        Ok(answer) => answer,
        Err(status) => answer::failure(&status, &incoming.style),
    }
}

async fn send(
    server: &Rc<Server>,
    incoming: &Incoming,
    proxied: &Proxied<'_>,
    headers: &HeaderMap,
    method: &str,
) -> Result<Answer, Status> {
    let store = server.world.api().store();
    let key = ObjectKey::new(proxied.namespace, proxied.name);
    let object = store
        .get(proxied.resource, &key)
        .ok_or_else(|| Status::not_found("", proxied.resource, proxied.name))?;
    let (ip, port) = match proxied.resource {
        "services" => endpoint(server, &object, proxied.port)?,
        "pods" => (
            object.status().str_at(&["podIP"]).to_owned(),
            pod_port(&object, proxied.port)?,
        ),
        _ => {
            let addresses = object.status().get("addresses").items();
            let internal = addresses.iter().find(|a| a.str_at(&["type"]) == "InternalIP");
            let ip = internal.map_or("", |a| a.str_at(&["address"])).to_owned();
            (
                ip,
                if proxied.port.is_empty() {
                    KUBELET
                } else {
                    number(proxied.port)?
                },
            )
        }
    };
    if proxied.resource == "nodes" && port == KUBELET {
        return Ok(kubelet(server, incoming, &object, proxied.rest));
    }
    let address = ip.parse().map_err(|_| unavailable("address not allowed"))?;
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(&incoming.query)
        .finish();
    let path = if proxied.rest.is_empty() { "/" } else { proxied.rest };
    let kept = headers.iter().filter(|(name, _)| {
        !HOP_BY_HOP.contains(&name.as_str()) && !matches!(name.as_str(), "host" | "authorization" | "content-length")
    });
    let request = HttpRequest {
        method: method.to_owned(),
        host: format!("{ip}:{port}"),
        path: if query.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{query}")
        },
        headers: kept
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect(),
        body: incoming.body.to_vec(),
        ..HttpRequest::default()
    };
    let network = server.world.network().clone();
    let origin = network.host(world::HOST);
    let sent = async move { network.http_to(&origin, address, port, request).await };
    match server.clock.wait_for(sent).await {
        Ok(response) => Ok(pass(response)),
        Err(error) => {
            let why = match error {
                NetError::Refused => "connect: connection refused",
                NetError::NoRoute => "connect: no route to host",
                NetError::TimedOut => "i/o timeout",
                _ => "EOF",
            };
            Err(unavailable(format!(
                "error trying to reach service: dial tcp {ip}:{port}: {why}"
            )))
        }
    }
}

fn number(port: &str) -> Result<u16, Status> {
    port.parse()
        .map_err(|_| Status::bad_request(format!("invalid port number {port:?}")))
}

/// The port of a pod: the first that its containers declare, unless told.
fn pod_port(pod: &Object, asked: &str) -> Result<u16, Status> {
    if !asked.is_empty() {
        return number(asked);
    }
    let containers = pod.spec().get("containers").items().iter();
    let first = containers
        .flat_map(|c| c.get("ports").items())
        .find_map(|p| p.i64_at(&["containerPort"]));
    Ok(first.and_then(|p| u16::try_from(p).ok()).unwrap_or(80))
}

/// A ready endpoint of a Service, for one of its ports.
fn endpoint(server: &Server, service: &Object, asked: &str) -> Result<(String, u16), Status> {
    let name = service.name();
    let no_port = || unavailable(format!("no service port {asked:?} found for service {name:?}"));
    let ports = service.spec().get("ports").items();
    let port = ports
        .iter()
        .find(|p| p.str_at(&["name"]) == asked)
        .or_else(|| {
            ports
                .iter()
                .find(|p| p.i64_at(&["port"]).is_some_and(|n| n.to_string() == asked))
        })
        .or_else(|| ports.first().filter(|_| asked.is_empty() && ports.len() == 1))
        .ok_or_else(no_port)?;
    let mut found = Vec::new();
    server
        .world
        .api()
        .store()
        .each("endpointslices.discovery.k8s.io", service.namespace(), |slice| {
            if slice.label("kubernetes.io/service-name") != Some(name) {
                return;
            }
            let target = slice
                .at(&["ports"])
                .items()
                .iter()
                .find(|p| p.str_at(&["name"]) == port.str_at(&["name"]))
                .and_then(|p| u16::try_from(p.i64_at(&["port"])?).ok());
            for endpoint in slice.at(&["endpoints"]).items() {
                let ready = endpoint.at(&["conditions", "ready"]).as_bool() != Some(false);
                if let (true, Some(target), Some(ip)) = (ready, target, endpoint.get("addresses").items().first()) {
                    found.push((ip.str().to_owned(), target));
                }
            }
        });
    // The server begins at a random endpoint.
    let pick = server.world.sim().random_below(found.len() as u64) as usize;
    found
        .into_iter()
        .nth(pick)
        .ok_or_else(|| unavailable(format!("no endpoints available for service {name:?}")))
}

/// What the kubelet itself answers of its API.
fn kubelet(server: &Server, incoming: &Incoming, node: &Object, path: &str) -> Answer {
    match path.trim_end_matches('/') {
        "/healthz" => answer::text(200, "ok"),
        "/pods" | "/runningpods" => {
            let mut pods = server.world.api().store().list("pods", "");
            pods.retain(|p| p.spec().str_at(&["nodeName"]) == node.name());
            let items: Value = pods.iter().map(|p| p.value().clone()).collect();
            let list = obj! { "apiVersion": "v1", "items": items, "kind": "PodList", "metadata": obj! {} };
            answer::tree(200, &list, &incoming.style)
        }
        other => answer::text(404, format!("the kubelet's {other} is not simulated\n")),
    }
}

fn pass(response: HttpResponse) -> Answer {
    let mut answer = answer::text(response.status, "");
    answer.headers_mut().clear();
    for (name, value) in &response.headers {
        let lower = name.to_ascii_lowercase();
        if HOP_BY_HOP.contains(&lower.as_str()) || lower == "content-length" {
            continue;
        }
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(lower), HeaderValue::from_str(value)) {
            answer.headers_mut().append(name, value);
        }
    }
    *answer.body_mut() = Content::new(response.body);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let proxied = parse("/api/v1/namespaces/shop/services/https:web:http/proxy/a/b").unwrap();
        assert_eq!(
            proxied,
            Proxied {
                resource: "services",
                namespace: "shop",
                name: "web",
                port: "http",
                rest: "/a/b"
            }
        );
        let pod = parse("/api/v1/namespaces/x/pods/web-1:8080/proxy").unwrap();
        assert_eq!((pod.name, pod.port, pod.rest), ("web-1", "8080", ""));
        assert_eq!(parse("/api/v1/nodes/n1/proxy/healthz").unwrap().name, "n1");
        for other in [
            "/api/v1/namespaces/x/pods/web",
            "/api/v1/namespaces/x/pods/web/proxyx",
            "/api/v1/pods/web/proxy/",
            "/api/v1/namespaces/x/nodes/web/proxy/",
            "/apis/apps/v1/namespaces/x/deployments/web/proxy",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
