//! The API server's port as programs of the simulation reach it: HTTPS with the cluster's certificate,
//! to which tokens and client certificates say who asks.

use std::rc::Rc;

use crate::api::auth::certificate::SERVER_NAMES;
use crate::api::{ApiServer, Client, User};
use crate::kubectl::api_over_http;
use crate::net::http::UNKNOWN_ISSUER;
use crate::net::{HttpRequest, HttpResponse, Network, NoAnswer, Tls};

/// Opens the API of a world to its network.
pub(super) fn open(network: &Network, api: &ApiServer) {
    let api = api.clone();
    network.set_gateway(Rc::new(move |request| {
        let api = api.clone();
        Box::pin(async move { answer(&api, request).await })
    }));
}

async fn answer(api: &ApiServer, request: HttpRequest) -> Result<HttpResponse, NoAnswer> {
    let Some(tls) = &request.tls else {
        let text = "Client sent an HTTP request to an HTTPS server.\n";
        return Ok(HttpResponse::new(400, "text/plain; charset=utf-8", text));
    };
    let is_own = |der: &[u8]| api.authority().is_some_and(|a| a.certificate().whole == der);
    tls.accepts(&request.host, is_own, UNKNOWN_ISSUER, |name| {
        SERVER_NAMES.contains(&name)
    })
    .map_err(NoAnswer::Untrusted)?;
    let anonymous = Client::new(api, agent(&request), User::anonymous());
    let client = match user(api, tls, &request) {
        Ok(user) => anonymous.acting_as(user),
        Err(()) => anonymous.with_unknown_credentials(),
    };
    let path = request.path.clone();
    Ok(api_over_http(&client, &path, request).await)
}

/// The program's name, as `curl` of `curl/8.14.1`.
fn agent(request: &HttpRequest) -> &str {
    let agent = request.header("User-Agent").unwrap_or("");
    agent.split('/').next().unwrap_or_default()
}

/// Whom the credentials name: those of the handshake before a token.
fn user(api: &ApiServer, tls: &Tls, request: &HttpRequest) -> Result<User, ()> {
    if let Some(user) = api.authenticate_certificate(&tls.certificate) {
        return Ok(user);
    }
    let given = request
        .header("Authorization")
        .map(|h| h.split_once(' ').unwrap_or((h, "")));
    match given {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => api.authenticate(token.trim()).ok_or(()),
        // Nothing else is asked about passwords, as no authenticator knows any.
        _ if tls.certificate.is_empty() => Ok(User::anonymous()),
        _ => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use crate::world::testing::printed;
    use expect_test::expect;

    #[test]
    fn the_api_answers_in_pods_and_on_the_host() {
        let steps = r#"
$ kubectl run web --image=nginx >/dev/null; kubectl create clusterrolebinding d --clusterrole=view --serviceaccount=default:default >/dev/null
@settle
$ kubectl exec web -- sh -c 'cd /var/run/secrets/kubernetes.io/serviceaccount; curl -s --cacert ca.crt -H "Authorization: Bearer $(cat token)" https://kubernetes.default.svc/api/v1/namespaces/default/pods/web' | head -4
$ kubectl exec web -- sh -c 'curl -sk -H "Authorization: Bearer $(cat /var/run/secrets/kubernetes.io/serviceaccount/token)" -X DELETE https://kubernetes/api/v1/namespaces/default/pods/web' | grep message
$ curl -sk https://192.168.110.21:6443/api/v1/nodes
$ curl -sk -H 'Authorization: Bearer none' https://192.168.110.21:6443/api | grep code
$ curl -s http://192.168.110.21:6443/version
$ curl -sS https://192.168.110.21:6443/version 2>&1 | head -1
$ curl -sS --cacert /etc/kubernetes/pki/ca.crt https://localhost:6443/version 2>&1 | head -1
$ curl -sS --cacert nosuch https://192.168.110.21:6443/version
$ for f in certificate key; do kubectl config view --raw -o jsonpath="{.users[0].user.client-$f-data}" | base64 -d > $f; done; curl -s --cacert /etc/kubernetes/pki/ca.crt --cert certificate --key key https://k8s-master:6443/api/v1/nodes/k8s-master | head -4
$ echo '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"made"}}' > made; curl -sk --cert certificate --key key --json @made https://k8s-master:6443/api/v1/namespaces/default/configmaps -o /dev/null -w '%{http_code}\n'; kubectl get cm made -o name
"#;
        expect![[r#"

            $ kubectl run web --image=nginx >/dev/null; kubectl create clusterrolebinding d --clusterrole=view --serviceaccount=default:default >/dev/null
            @settle
            $ kubectl exec web -- sh -c 'cd /var/run/secrets/kubernetes.io/serviceaccount; curl -s --cacert ca.crt -H "Authorization: Bearer $(cat token)" https://kubernetes.default.svc/api/v1/namespaces/default/pods/web' | head -4
            {
              "kind": "Pod",
              "apiVersion": "v1",
              "metadata": {
            $ kubectl exec web -- sh -c 'curl -sk -H "Authorization: Bearer $(cat /var/run/secrets/kubernetes.io/serviceaccount/token)" -X DELETE https://kubernetes/api/v1/namespaces/default/pods/web' | grep message
              "message": "pods \"web\" is forbidden: User \"system:serviceaccount:default:default\" cannot delete resource \"pods\" in API group \"\" in the namespace \"default\"",
            $ curl -sk https://192.168.110.21:6443/api/v1/nodes
            {
              "kind": "Status",
              "apiVersion": "v1",
              "metadata": {},
              "status": "Failure",
              "message": "nodes is forbidden: User \"system:anonymous\" cannot list resource \"nodes\" in API group \"\" at the cluster scope",
              "reason": "Forbidden",
              "details": {
                "kind": "nodes"
              },
              "code": 403
            }
            $ curl -sk -H 'Authorization: Bearer none' https://192.168.110.21:6443/api | grep code
              "code": 401
            $ curl -s http://192.168.110.21:6443/version
            Client sent an HTTP request to an HTTPS server.
            $ curl -sS https://192.168.110.21:6443/version 2>&1 | head -1
            curl: (60) SSL certificate problem: unable to get local issuer certificate
            $ curl -sS --cacert /etc/kubernetes/pki/ca.crt https://localhost:6443/version 2>&1 | head -1
            curl: (60) SSL: no alternative certificate subject name matches target host name 'localhost'
            $ curl -sS --cacert nosuch https://192.168.110.21:6443/version
            curl: (77) error setting certificate verify locations:  CAfile: nosuch CApath: none
            [exit 77]
            $ for f in certificate key; do kubectl config view --raw -o jsonpath="{.users[0].user.client-$f-data}" | base64 -d > $f; done; curl -s --cacert /etc/kubernetes/pki/ca.crt --cert certificate --key key https://k8s-master:6443/api/v1/nodes/k8s-master | head -4
            {
              "kind": "Node",
              "apiVersion": "v1",
              "metadata": {
            $ echo '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"made"}}' > made; curl -sk --cert certificate --key key --json @made https://k8s-master:6443/api/v1/namespaces/default/configmaps -o /dev/null -w '%{http_code}\n'; kubectl get cm made -o name
            201
            configmap/made
        "#]].assert_eq(&printed(steps));
    }

    #[test]
    fn an_answer_comes_in_the_form_that_is_accepted() {
        let steps = r#"
$ kubectl create cm a --from-literal=x=y >/dev/null; (kubectl proxy --port=8001 >/dev/null &) ; sleep 1
$ echo 'curl -s -w "%{http_code} %{content_type}\n" -H "Accept: $1" "http://localhost:8001$2"' > get
$ sh get application/yaml /api/v1/namespaces/default/configmaps/a | sed -E '/^  (uid|creation|resourceV)/d'
$ sh get 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1' /api/v1/namespaces/kube-public/configmaps | grep -cE '"(kind": "PartialObjectMetadata"|data")'
$ sh get 'text/html,*/*;q=0.8' /api/v1/nodes | tail -1
$ sh get 'application/json;as=Nothing;g=meta.k8s.io;v=v1' /api/v1/nodes | grep -E 'message|^4'
$ for path in /api/v1/pods /version /api/v1; do sh get text/html $path | tail -1; done
"#;
        expect![[r#"

            $ kubectl create cm a --from-literal=x=y >/dev/null; (kubectl proxy --port=8001 >/dev/null &) ; sleep 1
            $ echo 'curl -s -w "%{http_code} %{content_type}\n" -H "Accept: $1" "http://localhost:8001$2"' > get
            $ sh get application/yaml /api/v1/namespaces/default/configmaps/a | sed -E '/^  (uid|creation|resourceV)/d'
            apiVersion: v1
            data:
              x: "y"
            kind: ConfigMap
            metadata:
              managedFields:
              - apiVersion: v1
                fieldsType: FieldsV1
                fieldsV1:
                  f:data:
                    .: {}
                    f:x: {}
                manager: kubectl-create
                operation: Update
                time: "2026-01-01T08:00:00Z"
              name: a
              namespace: default
            200 application/yaml
            $ sh get 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1' /api/v1/namespaces/kube-public/configmaps | grep -cE '"(kind": "PartialObjectMetadata"|data")'
            2
            $ sh get 'text/html,*/*;q=0.8' /api/v1/nodes | tail -1
            }200 application/json
            $ sh get 'application/json;as=Nothing;g=meta.k8s.io;v=v1' /api/v1/nodes | grep -E 'message|^4'
              "message": "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf",
            $ for path in /api/v1/pods /version /api/v1; do sh get text/html $path | tail -1; done
            }406 application/json
            }200 application/json
            }406 application/json
        "#]].assert_eq(&printed(steps));
    }

    #[test]
    fn watches_and_logs_go_on_over_http() {
        let steps = r#"
$ kubectl create cm a >/dev/null; kubectl run talk --image=busybox -- sh -c 'echo one; sleep 10; echo two; sleep 600' >/dev/null; kubectl wait pod talk --for=condition=Ready >/dev/null
$ (kubectl proxy --port=8001 >/dev/null &); sleep 1; (sleep 1; kubectl label cm a x=y; kubectl delete cm a) >/dev/null & curl -sN 'http://localhost:8001/api/v1/namespaces/default/configmaps?watch=1&fieldSelector=metadata.name=a&timeoutSeconds=4' | sed -E 's/(uid|creationTimestamp|resourceVersion|time)":"[^"]*/\1":"…/g; s/"managedFields.*/…/'
$ curl -sSN -m 2 -o watched -w '%{http_code} %{content_type}\n' 'http://localhost:8001/api/v1/pods?watch=true&resourceVersion=0'
$ grep -c ADDED watched
$ timeout 3 curl -sNi 'http://localhost:8001/api/v1/nodes?watch=1' | tr -d '\r' | head -3
$ timeout 3 curl -sN 'http://localhost:8001/api/v1/namespaces/default/pods/talk/log?follow=true'
$ timeout 60 curl -sN 'http://localhost:8001/api/v1/namespaces/default/pods/talk/log?follow=true'
$ curl -sk https://192.168.110.21:6443/api/v1/pods?watch=1 | grep message
$ curl -s 'http://localhost:8001/api/v1/namespaces/default/pods?watch=1&resourceVersion=x' | grep message
"#;
        expect![[r#"

            $ kubectl create cm a >/dev/null; kubectl run talk --image=busybox -- sh -c 'echo one; sleep 10; echo two; sleep 600' >/dev/null; kubectl wait pod talk --for=condition=Ready >/dev/null
            $ (kubectl proxy --port=8001 >/dev/null &); sleep 1; (sleep 1; kubectl label cm a x=y; kubectl delete cm a) >/dev/null & curl -sN 'http://localhost:8001/api/v1/namespaces/default/configmaps?watch=1&fieldSelector=metadata.name=a&timeoutSeconds=4' | sed -E 's/(uid|creationTimestamp|resourceVersion|time)":"[^"]*/\1":"…/g; s/"managedFields.*/…/'
            {"type":"ADDED","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","namespace":"default","uid":"…","resourceVersion":"…","creationTimestamp":"…"}}}
            {"type":"MODIFIED","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","namespace":"default","uid":"…","resourceVersion":"…","creationTimestamp":"…","labels":{"x":"y"}}}}
            {"type":"DELETED","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","namespace":"default","uid":"…","resourceVersion":"…","creationTimestamp":"…","labels":{"x":"y"}}}}
            $ curl -sSN -m 2 -o watched -w '%{http_code} %{content_type}\n' 'http://localhost:8001/api/v1/pods?watch=true&resourceVersion=0'
            curl: (28) Operation timed out after 2000 milliseconds with 74056 bytes received
            200 application/json
            [exit 28]
            $ grep -c ADDED watched
            13
            $ timeout 3 curl -sNi 'http://localhost:8001/api/v1/nodes?watch=1' | tr -d '\r' | head -3
            HTTP/1.1 200 OK
            Content-Type: application/json
            Transfer-Encoding: chunked
            $ timeout 3 curl -sN 'http://localhost:8001/api/v1/namespaces/default/pods/talk/log?follow=true'
            one
            two
            [exit 124]
            $ timeout 60 curl -sN 'http://localhost:8001/api/v1/namespaces/default/pods/talk/log?follow=true'
            one
            two
            [exit 124]
            $ curl -sk https://192.168.110.21:6443/api/v1/pods?watch=1 | grep message
              "message": "pods is forbidden: User \"system:anonymous\" cannot watch resource \"pods\" in API group \"\" at the cluster scope",
            $ curl -s 'http://localhost:8001/api/v1/namespaces/default/pods?watch=1&resourceVersion=x' | grep message
              "message": "pods \"\" is invalid: resourceVersion: Invalid value: \"x\": strconv.ParseUint: parsing \"x\": invalid syntax",
                    "message": "Invalid value: \"x\": strconv.ParseUint: parsing \"x\": invalid syntax",
        "#]].assert_eq(&printed(steps));
    }

    /// What goes through a proxy is the client's: its query, its headers, a body that is no object.
    #[test]
    fn proxies_pass_on_what_the_client_sends() {
        let steps = r#"
$ kubectl run web --image=nginx >/dev/null; kubectl wait pod web --for=condition=Ready >/dev/null; (kubectl proxy --port=8001 >/dev/null &); sleep 1
$ curl -s -o /dev/null -w '%{http_code}\n' -A own 'http://localhost:8001/api/v1/namespaces/default/pods/web/proxy/?q=a%20b%26c'
$ curl -s -o /dev/null -w '%{http_code}\n' -d 'no object' http://localhost:8001/api/v1/namespaces/default/pods/web/proxy/
$ kubectl logs web | grep HTTP | cut -d'"' -f2,6
"#;
        expect![[r#"

            $ kubectl run web --image=nginx >/dev/null; kubectl wait pod web --for=condition=Ready >/dev/null; (kubectl proxy --port=8001 >/dev/null &); sleep 1
            $ curl -s -o /dev/null -w '%{http_code}\n' -A own 'http://localhost:8001/api/v1/namespaces/default/pods/web/proxy/?q=a%20b%26c'
            200
            $ curl -s -o /dev/null -w '%{http_code}\n' -d 'no object' http://localhost:8001/api/v1/namespaces/default/pods/web/proxy/
            405
            $ kubectl logs web | grep HTTP | cut -d'"' -f2,6
            GET /?q=a+b%26c HTTP/1.1"own
            POST / HTTP/1.1"curl/8.14.1
        "#]].assert_eq(&printed(steps));
    }
}
