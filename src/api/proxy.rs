//! The subresource `proxy`: the API server asks a pod, or a node, on a client's behalf.

use super::monitoring;
use super::object::{Object, ObjectKey};
use super::request::{Body, Payload, Request, Response};
use super::server::{ApiServer, Target};
use super::status::Status;
use super::subresource::Session;
use crate::api::well_known;
use crate::value::gofmt::query_escape;
use crate::value::{Value, quoted};

/// The kubelet's own port.
pub const KUBELET: u16 = 10_250;

/// Where a proxy's request goes.
#[derive(Clone, Debug)]
pub struct Location {
    /// The pod, service or node that the path names.
    pub object: Object,
    /// The address, as text.
    pub ip: String,
    /// The port that is asked.
    pub port: u16,
}

/// Serves `…/pods/[SCHEME:]NAME[:PORT]/proxy/PATH` and the same of a service and of a node.
///
/// # Errors
/// When there is no such object, or nothing behind it.
pub fn serve(api: &ApiServer, request: &Request, target: &Target) -> Result<Response, Status> {
    let Location { object, ip, port } = locate(api, &target.resource.name, &target.namespace, &target.name)?;
    if &*target.resource.name == "nodes" && port == KUBELET {
        let path = target.subresource.strip_prefix("proxy").unwrap_or("");
        return Ok(Response::new(200, monitoring::of_kubelet(api, &object, path)?));
    }
    let nodes = api
        .node_connections()
        .ok_or_else(|| Status::failure(503, "ServiceUnavailable", "no node can be reached"))?;
    let session: Session = nodes.reach(&ip, port, wire(request, target, &ip, port));
    Ok(Response::new(101, Payload::Session(session)))
}

/// What `[SCHEME:]NAME[:PORT]` of a resource (`pods`, `services` or `nodes`) leads to: a pod's address, an
/// endpoint of a service chosen at random, a node's internal address.
///
/// # Errors
/// When there is no such object, or nothing behind it.
pub fn locate(api: &ApiServer, resource: &str, namespace: &str, id: &str) -> Result<Location, Status> {
    let parts: Vec<&str> = id.split(':').collect();
    let (name, port) = match parts.as_slice() {
        [name] => (*name, ""),
        [name, port] | ["http" | "https" | "", name, port] => (*name, *port),
        _ => {
            let kind = resource.strip_suffix('s').unwrap_or(resource);
            return Err(Status::bad_request(format!(
                "invalid {kind} request {id}",
                id = quoted(&id)
            )));
        }
    };
    let object = api
        .store()
        .get(resource, &ObjectKey::new(namespace, name))
        .ok_or_else(|| Status::not_found("", resource, name))?;
    let (ip, port) = match resource {
        "pods" => pod_address(&object, port)?,
        "services" => service_address(api, &object, port)?,
        _ => node_address(&object, port)?,
    };
    Ok(Location { object, ip, port })
}

/// Headers of a client that are not passed on: those that concern one connection, those that name its two ends,
/// and the credentials, which authentication takes away.
const KEPT_BACK: [&str; 11] = [
    "authorization",
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether a header travels on to what is behind a proxy, and back.
pub fn passes_on(name: &str) -> bool {
    !KEPT_BACK.iter().any(|kept| name.eq_ignore_ascii_case(kept))
}

/// A path with its query, as a request's line has them.
pub fn with_query(path: &str, query: &[(String, String)]) -> String {
    let part = |(k, v): &(String, String)| format!("{}={}", query_escape(k), query_escape(v));
    match query {
        [] => path.to_owned(),
        query => format!("{path}?{}", query.iter().map(part).collect::<Vec<_>>().join("&")),
    }
}

/// The request that is passed on.
fn wire(request: &Request, target: &Target, ip: &str, port: u16) -> Vec<u8> {
    let mut path = target.subresource.strip_prefix("proxy").unwrap_or("").to_owned();
    if path.is_empty() || (request.path.ends_with('/') && !path.ends_with('/')) {
        path.push('/');
    }
    let path = with_query(&path, &request.query);
    let body = match &request.body {
        Body::Bytes(bytes) => bytes.clone(),
        Body::Value(value) | Body::Typed(value) => value.to_json().into_bytes(),
        Body::None => Vec::new(),
    };
    let kept = request.headers.iter().filter(|(name, _)| passes_on(name));
    let headers: String = kept.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let mut bytes = format!(
        "{} {path} HTTP/1.1\r\nHost: {ip}:{port}\r\nX-Forwarded-Uri: {}\r\n{headers}Content-Length: {}\r\n\r\n",
        request.method.name(),
        request.path,
        body.len()
    )
    .into_bytes();
    bytes.extend(body);
    bytes
}

fn number(port: &Value) -> Option<u16> {
    port.as_i64().and_then(|n| u16::try_from(n).ok())
}

fn pod_address(pod: &Object, port: &str) -> Result<(String, u16), Status> {
    let ip = pod.status().get("podIP").str().to_owned();
    if ip.is_empty() {
        return Err(Status::bad_request("address not allowed"));
    }
    let declared = || {
        let containers = pod.spec().get("containers").items().iter();
        containers
            .flat_map(|c| c.get("ports").items())
            .cloned()
            .collect::<Vec<_>>()
    };
    let found = match port {
        "" => declared().first().and_then(|p| number(p.get("containerPort"))),
        text => Some(asked(text)?),
    };
    Ok((ip, found.unwrap_or(80)))
}

/// The port of a path.
fn asked(port: &str) -> Result<u16, Status> {
    port.parse()
        .map_err(|_| Status::bad_request(format!("invalid port {port}", port = quoted(&port))))
}

fn node_address(node: &Object, port: &str) -> Result<(String, u16), Status> {
    let addresses = node.status().get("addresses").items();
    let internal = addresses.iter().find(|a| a.get("type").str() == "InternalIP");
    let ip = internal.map_or("", |a| a.get("address").str()).to_owned();
    Ok((ip, if port.is_empty() { KUBELET } else { asked(port)? }))
}

fn service_address(api: &ApiServer, service: &Object, port: &str) -> Result<(String, u16), Status> {
    let unavailable = |why: String| Status::failure(503, "ServiceUnavailable", why);
    let ports = service.spec().get("ports").items();
    let chosen = match port {
        "" => ports.first().filter(|_| ports.len() == 1),
        text => ports
            .iter()
            .find(|p| p.get("name").str() == text || number(p.get("port")).is_some_and(|n| n.to_string() == text)),
    };
    let chosen = chosen.ok_or_else(|| {
        unavailable(format!(
            "no service port {port} found for service {}",
            quoted(&service.name()),
            port = quoted(&port)
        ))
    })?;
    let mut addresses = Vec::new();
    api.store()
        .each("endpointslices.discovery.k8s.io", service.namespace(), |slice| {
            if slice.label(well_known::SERVICE_NAME) != Some(service.name()) {
                return;
            }
            let port = slice.value().get("ports").items().iter();
            let port = port.filter(|p| p.get("name").str() == chosen.get("name").str());
            let Some(port) = port.filter_map(|p| number(p.get("port"))).next() else {
                return;
            };
            for endpoint in slice.value().get("endpoints").items() {
                if endpoint.at(&["conditions", "ready"]).as_bool().unwrap_or(true) {
                    addresses.extend(
                        endpoint
                            .get("addresses")
                            .items()
                            .iter()
                            .map(|a| (a.str().to_owned(), port)),
                    );
                }
            }
        });
    let n = addresses.len() as u64;
    if n == 0 {
        return Err(unavailable(format!(
            "no endpoints available for service {}",
            quoted(&service.name())
        )));
    }
    let i = usize::try_from(api.sim().random_below(n)).unwrap_or(0);
    addresses.get(i).cloned().ok_or_else(|| {
        unavailable(format!(
            "no endpoints available for service {}",
            quoted(&service.name())
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Method;
    use crate::sim::{Sim, Time};

    #[test]
    fn passes_on_what_is_the_clients() {
        let api = ApiServer::new(&Sim::new(1, Time::from_secs(1_800_000_000)));
        let path = "/api/v1/namespaces/default/services/web/proxy/a/b";
        let target = api.target(path).unwrap().unwrap();
        let mut request = Request::new(Method::Post, path)
            .with("q", "a b&c=d")
            .with("ä", "1+1")
            .body(Body::Bytes(b"x=1".to_vec()));
        for (name, value) in [
            ("Host", "kubernetes"),
            ("Authorization", "Bearer t"),
            ("Content-Type", "text/plain"),
            ("Connection", "keep-alive"),
            ("X-Own", "yes"),
        ] {
            request.headers.push((name.into(), value.into()));
        }
        let sent = String::from_utf8(wire(&request, &target, "10.0.0.1", 80)).unwrap();
        expect_test::expect![[r#"
            POST /a/b?q=a+b%26c%3Dd&%C3%A4=1%2B1 HTTP/1.1
            Host: 10.0.0.1:80
            X-Forwarded-Uri: /api/v1/namespaces/default/services/web/proxy/a/b
            Content-Type: text/plain
            X-Own: yes
            Content-Length: 3

            x=1"#]]
        .assert_eq(&sent.replace('\r', ""));
    }
}
