//! The webhooks of admission. None runs here: one whose service has ready endpoints is taken to allow everything, one
//! that cannot be reached fails as a real one does. What the webhook of ingress-nginx looks at is looked at here.

use super::Subject;
use crate::api::object::ObjectKey;
use crate::api::status::Status;
use crate::api::well_known;
use crate::value::{Value, quoted};

/// Calls the webhooks of the configurations on a shelf, as far as that fails. Gives the names of those that nobody calls.
///
/// # Errors
/// 500 for one that cannot be reached, and what one says whose checks are known.
pub(super) fn call(subject: &Subject, shelf: &str) -> Result<Vec<String>, Status> {
    let store = subject.a.api.store();
    let mut allowed = Vec::new();
    for configuration in store.list(shelf, "") {
        for hook in configuration.value().get("webhooks").items() {
            if hook.get("failurePolicy").str() == "Ignore"
                || subject.named_by(hook.get("rules"), hook.get("matchPolicy")).is_none()
                || !subject.fits_selectors(hook)
            {
                continue;
            }
            let client = hook.get("clientConfig");
            let timeout = hook.i64_at(&["timeoutSeconds"]).unwrap_or(10);
            let service = client.get("service");
            let (url, why) = if service.is_null() {
                let url = client.str_at(&["url"]);
                let host = url.split("://").nth(1).unwrap_or(url);
                let host = host.split(['/', ':']).next().unwrap_or(host);
                (url.to_owned(), format!("dial tcp: lookup {host}: no such host"))
            } else {
                let (name, namespace) = (service.str_at(&["name"]), service.str_at(&["namespace"]));
                let port = service.i64_at(&["port"]).unwrap_or(443);
                let url = format!(
                    "https://{name}.{namespace}.svc:{port}/{}",
                    service.str_at(&["path"]).trim_start_matches('/')
                );
                let why = match store.get("services", &ObjectKey::new(namespace, name)) {
                    None => format!("service {name} not found", name = quoted(&name)),
                    Some(_) if answers(subject, namespace, name) => {
                        match hook.get("name").str() {
                            INGRESS_NGINX => check_paths(subject)?,
                            name => allowed.push(name.to_owned()),
                        }
                        continue;
                    }
                    Some(found) => format!(
                        "dial tcp {}:{port}: connect: connection refused",
                        found.spec().get("clusterIP").str()
                    ),
                };
                (url, why)
            };
            return Err(Status::internal(format!(
                "failed calling webhook {}: failed to call webhook: Post \"{url}?timeout={timeout}s\": {why}",
                quoted(&hook.get("name").str())
            )));
        }
    }
    Ok(allowed)
}

/// The webhook of ingress-nginx.
const INGRESS_NGINX: &str = "validate.nginx.ingress.kubernetes.io";

/// What ingress-nginx's webhook checks (`checkOverlap` of its controller): that no other Ingress of its class has a path
/// at the same host already. Canaries have their paths from others.
///
/// # Errors
/// 400 for a path that is taken.
fn check_paths(subject: &Subject) -> Result<(), Status> {
    let store = subject.a.api.store();
    let is_own = |ingress: &Value| {
        let name = ingress.str_at(&["spec", "ingressClassName"]);
        let class = store.get("ingressclasses.networking.k8s.io", &ObjectKey::new("", name));
        let of_nginx = class.is_some_and(|c| c.spec().str_at(&["controller"]) == "k8s.io/ingress-nginx");
        let annotations = ingress.at(&["metadata", "annotations"]);
        let by_annotation = name.is_empty() && annotations.get("kubernetes.io/ingress.class").str() == "nginx";
        let canary = annotations.get("nginx.ingress.kubernetes.io/canary").str() == "true";
        (of_nginx || by_annotation) && !canary
    };
    fn paths(ingress: &Value) -> impl Iterator<Item = (&str, &str)> {
        ingress.at(&["spec", "rules"]).items().iter().flat_map(|rule| {
            let paths = rule.at(&["http", "paths"]).items().iter();
            paths.map(|path| (rule.str_at(&["host"]), path.str_at(&["path"])))
        })
    }
    if subject.object.is_null() || !is_own(subject.object) {
        return Ok(());
    }
    let namespace = &*subject.a.target.namespace;
    for other in store.list("ingresses.networking.k8s.io", "") {
        if (other.namespace(), other.name()) == (namespace, subject.name) || !is_own(other.value()) {
            continue;
        }
        if let Some((host, path)) = paths(subject.object).find(|wanted| paths(other.value()).any(|p| p == *wanted)) {
            return Err(Status::bad_request(format!(
                "admission webhook \"{INGRESS_NGINX}\" denied the request: host {} and path {} is already defined in ingress {}",
                quoted(if host.is_empty() { "_" } else { host }),
                quoted(if path.is_empty() { "/" } else { path }),
                other.full_name()
            )));
        }
    }
    Ok(())
}

/// What a user is told of a webhook that allows a request without having been asked.
pub(super) fn warning(name: &str) -> String {
    format!(
        "webhook {name} is not called: webhooks are not simulated, and one with ready endpoints allows everything",
        name = quoted(&name)
    )
}

/// Whether something stands behind a service.
fn answers(subject: &Subject, namespace: &str, service: &str) -> bool {
    let slices = subject.a.api.store().list("endpointslices.discovery.k8s.io", namespace);
    let ready = |e: &Value| e.at(&["conditions", "ready"]).as_bool() != Some(false);
    slices
        .iter()
        .filter(|s| s.labels().get(well_known::SERVICE_NAME).str() == service)
        .any(|s| s.value().get("endpoints").items().iter().any(ready))
}

#[cfg(test)]
mod tests {
    use crate::api::kinds::tests::{post, server};
    use crate::api::{Method, Request};
    use crate::value::yaml;

    /// A webhook that cannot be reached fails; one that could be is not called, and who asks hears of it.
    #[test]
    fn nobody_is_called() {
        let api = server();
        let make = |path: &str, text: &str| {
            let made = post(&api, path, yaml::decode(text).unwrap());
            assert_eq!(made.code, 201, "{text}: {}", made.value().to_json());
        };
        for (kind, name) in [("mutating", "m.a.io"), ("validating", "v.a.io")] {
            make(
                &format!("/apis/admissionregistration.k8s.io/v1/{kind}webhookconfigurations"),
                &format!(
                    "{{metadata: {{name: {name}}}, webhooks: [{{name: {name}, sideEffects: None, admissionReviewVersions: [v1], \
                     clientConfig: {{service: {{name: hook, namespace: default, path: /x}}}}, rules: [{{apiGroups: [''], \
                     apiVersions: [v1], resources: [configmaps], operations: ['*']}}]}}]}}"
                ),
            );
        }
        let maps = "/api/v1/namespaces/default/configmaps";
        let create = || post(&api, maps, yaml::decode("{metadata: {name: m}}").unwrap());
        assert_eq!(
            create().value().str_at(&["message"]),
            "Internal error occurred: failed calling webhook \"m.a.io\": failed to call webhook: Post \
             \"https://hook.default.svc:443/x?timeout=10s\": service \"hook\" not found"
        );
        make(
            "/api/v1/namespaces/default/services",
            "{metadata: {name: hook}, spec: {ports: [{port: 443}]}}",
        );
        make(
            "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
            "{metadata: {name: hook-a, labels: {kubernetes.io/service-name: hook}}, addressType: IPv4, endpoints: [{addresses: \
             [10.0.0.1]}], ports: [{port: 443}]}",
        );
        let made = create();
        assert_eq!(made.code, 201);
        let not_called = |name: &str| {
            format!(
                "webhook {name:?} is not called: webhooks are not simulated, and one with ready endpoints allows everything"
            )
        };
        assert_eq!(made.warnings, [not_called("m.a.io"), not_called("v.a.io")]);
        assert_eq!(api.serve(Request::new(Method::Delete, format!("{maps}/m"))).code, 200);
    }
}
