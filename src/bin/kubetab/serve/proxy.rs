//! `services/NAME/proxy`, `pods/NAME/proxy` and `nodes/NAME/proxy`: the API server sends what it gets
//! on to the simulated network, from the host that it runs on.

use std::rc::Rc;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue, LOCATION};
use kubetab::api::proxy::{KUBELET, Location, locate, passes_on, with_query};
use kubetab::api::{Payload, Request, Status, auth, monitoring};
use kubetab::net::{HttpRequest, HttpResponse, NetError};
use kubetab::world;

use super::Server;
use super::answer::{self, Answer};
use super::body::Content;
use super::rest::Incoming;

/// What a proxy's path names.
#[derive(Debug, PartialEq, Eq)]
pub struct Proxied<'a> {
    /// `services`, `pods` or `nodes`.
    resource: &'a str,
    namespace: &'a str,
    /// `[SCHEME:]NAME[:PORT]`
    id: &'a str,
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
    Some(Proxied {
        resource,
        namespace,
        id,
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
    let Location { object, ip, port } = locate(server.world.api(), proxied.resource, proxied.namespace, proxied.id)?;
    if proxied.resource == "nodes" && port == KUBELET {
        return Ok(
            match monitoring::of_kubelet(server.world.api(), &object, proxied.rest)? {
                Payload::Value(tree) => answer::tree(200, &tree, &incoming.style),
                Payload::Text(text) => answer::text(200, text),
                _ => answer::text(200, ""),
            },
        );
    }
    let address = ip.parse().map_err(|_| unavailable("address not allowed"))?;
    let path = if proxied.rest.is_empty() { "/" } else { proxied.rest };
    let kept = headers.iter().filter(|(name, _)| passes_on(name.as_str()));
    let request = HttpRequest {
        method: method.to_owned(),
        host: format!("{ip}:{port}"),
        path: with_query(path, &incoming.query),
        headers: kept
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect(),
        body: incoming.body.to_vec(),
        ..HttpRequest::default()
    };
    let network = server.world.network().clone();
    let origin = network.host(world::HOST);
    let sent = async move {
        let answer = network.http_to(&origin, address, port, request).await?;
        answer.whole().await.map_err(|_| NetError::Closed)
    };
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

fn pass(response: HttpResponse) -> Answer {
    let mut answer = answer::text(response.status, "");
    answer.headers_mut().clear();
    for (name, value) in &response.headers {
        if !passes_on(name) {
            continue;
        }
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
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
                id: "https:web:http",
                rest: "/a/b"
            }
        );
        let pod = parse("/api/v1/namespaces/x/pods/web-1:8080/proxy").unwrap();
        assert_eq!((pod.id, pod.rest), ("web-1:8080", ""));
        assert_eq!(parse("/api/v1/nodes/n1/proxy/healthz").unwrap().id, "n1");
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
