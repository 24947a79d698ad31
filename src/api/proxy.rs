//! The subresource `proxy` of pods and services: the API server asks a pod on a client's behalf.
//! (The real one also proxies to nodes.)

use super::object::Object;
use super::request::{Body, Payload, Request, Response};
use super::server::{ApiServer, Target};
use super::status::Status;
use super::subresource::Session;
use crate::value::Value;

/// Serves `…/pods/[SCHEME:]NAME[:PORT]/proxy/PATH` and the same of a service.
///
/// # Errors
/// When there is no such object, or nothing behind it.
pub fn serve(api: &ApiServer, request: &Request, target: &Target) -> Result<Response, Status> {
    let parts: Vec<&str> = target.name.split(':').collect();
    let (name, port) = match parts.as_slice() {
        [name] => (*name, ""),
        [name, port] => (*name, *port),
        ["http" | "https" | "", name, port] => (*name, *port),
        _ => {
            return Err(Status::bad_request(format!(
                "invalid {} request {:?}",
                kind(target),
                target.name
            )));
        }
    };
    let of = Target {
        name: name.to_owned(),
        subresource: String::new(),
        ..target.clone()
    };
    let object = api.find(&of)?;
    let (ip, port) = if kind(target) == "pod" {
        pod_address(&object, port)?
    } else {
        service_address(api, &object, port)?
    };
    let nodes = api
        .node_connections()
        .ok_or_else(|| Status::failure(503, "ServiceUnavailable", "no node can be reached"))?;
    let session: Session = nodes.reach(&ip, port, wire(request, target, &ip, port));
    Ok(Response::new(101, Payload::Session(session)))
}

fn kind(target: &Target) -> &'static str {
    if &*target.resource.name == "pods" {
        "pod"
    } else {
        "service"
    }
}

/// The request that is passed on.
fn wire(request: &Request, target: &Target, ip: &str, port: u16) -> Vec<u8> {
    let mut path = target.subresource.strip_prefix("proxy").unwrap_or("").to_owned();
    if path.is_empty() || (request.path.ends_with('/') && !path.ends_with('/')) {
        path.push('/');
    }
    if !request.query.is_empty() {
        let query: Vec<String> = request.query.iter().map(|(k, v)| format!("{k}={v}")).collect();
        path = format!("{path}?{}", query.join("&"));
    }
    let body = match &request.body {
        Body::Bytes(bytes) => bytes.clone(),
        Body::Value(value) | Body::Typed(value) => value.to_json().into_bytes(),
        Body::None => Vec::new(),
    };
    let mut bytes = format!(
        "{} {path} HTTP/1.1\r\nHost: {ip}:{port}\r\nX-Forwarded-Uri: {}\r\nContent-Length: {}\r\n\r\n",
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
        return Err(Status::failure(503, "ServiceUnavailable", "address not allowed"));
    }
    let declared = || {
        let containers = pod.spec().get("containers").items().iter();
        containers
            .flat_map(|c| c.get("ports").items())
            .cloned()
            .collect::<Vec<_>>()
    };
    let found = match port {
        "" => declared()
            .first()
            .and_then(|p| number(p.get("containerPort")))
            .or(Some(80)),
        text => text.parse().ok(),
    };
    let found = found.ok_or_else(|| Status::bad_request(format!("invalid port {port:?}")))?;
    Ok((ip, found))
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
            "no service port {port:?} found for service {:?}",
            service.name()
        ))
    })?;
    let mut addresses = Vec::new();
    api.store()
        .each("endpointslices.discovery.k8s.io", service.namespace(), |slice| {
            if slice.label("kubernetes.io/service-name") != Some(service.name()) {
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
            "no endpoints available for service {:?}",
            service.name()
        )));
    }
    let i = usize::try_from(api.sim().random_below(n)).unwrap_or(0);
    addresses
        .get(i)
        .cloned()
        .ok_or_else(|| unavailable(format!("no endpoints available for service {:?}", service.name())))
}
