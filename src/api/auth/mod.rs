//! Who asks, and whether they may: users, tokens, impersonation, and the authorizers (`Node` and
//! `RBAC`) that every request passes.

mod attributes;
pub mod certificate;
pub mod escalation;
mod impersonation;
mod node;
pub mod rbac;
pub mod review;
pub mod rules;
pub mod token;
mod user;

pub use attributes::{Attributes, verb};
pub use impersonation::Impersonation;
pub(super) use node::node_of;
pub use rbac::{Authorizer, Decision, Mode};
pub use user::{AUTHENTICATED, User};

use super::request::Request;
use super::server::ApiServer;
use super::status::Status;

/// Decides who a request acts as, and whether they may do what it asks. Leaves the acting user in
/// `request.user`.
///
/// # Errors
/// 403 Forbidden.
pub fn check(api: &ApiServer, request: &mut Request) -> Result<(), Status> {
    if let Some(wanted) = request.impersonate.take() {
        request.user = impersonation::impersonate(api, &request.user, &wanted)?;
    }
    let attributes = Attributes::of(request);
    api.authorizer().require(api, &request.user, &attributes)?;
    // WebSockets begin with a GET, and running something takes more than the right to read
    // (`AuthorizePodWebsocketUpgradeCreatePermission`).
    if attributes.verb == "get" && attributes.resource == "pods" && CONNECTING.contains(&attributes.subresource) {
        let attributes = Attributes {
            verb: "create",
            ..attributes
        };
        return api.authorizer().require(api, &request.user, &attributes);
    }
    Ok(())
}

/// Whether an update or an apply may create what it found missing.
///
/// # Errors
/// 403 Forbidden.
pub fn check_creation(api: &ApiServer, request: &Request) -> Result<(), Status> {
    let attributes = Attributes {
        verb: "create",
        ..Attributes::of(request)
    };
    api.authorizer().require(api, &request.user, &attributes)
}

/// The subresources that open a connection into a pod.
pub(super) const CONNECTING: [&str; 3] = ["attach", "exec", "portforward"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Body, Method};
    use crate::sim::{Sim, Time};
    use crate::value::{Value, base64};
    use crate::{list, obj};
    use expect_test::expect;

    /// A server with three roles: `reader` of pods in `a` for anna, `ops` may impersonate the group
    /// of the readers and the user anna, and `gone` names a role that is not there.
    fn server() -> ApiServer {
        let sim = Sim::new(1, Time::from_secs(1_800_000_000));
        let api = ApiServer::new(&sim);
        let v = "rbac.authorization.k8s.io/v1";
        let role = |kind: &str, name: &str, namespace: &str, rules: Value| {
            let mut object = obj! { "apiVersion": v, "kind": kind, "metadata": obj! { "name": name }, "rules": rules };
            object.set_or_remove(&["metadata", "namespace"], namespace);
            api.restore(object).unwrap();
        };
        let bind = |kind: &str, name: &str, namespace: &str, to: (&str, &str), who: (&str, &str)| {
            let mut object = obj! {
                "apiVersion": v,
                "kind": kind,
                "metadata": obj! { "name": name },
                "roleRef": obj! { "kind": to.0, "name": to.1 },
                "subjects": list![obj! { "kind": who.0, "name": who.1 }],
            };
            object.set_or_remove(&["metadata", "namespace"], namespace);
            api.restore(object).unwrap();
        };
        role(
            "Role",
            "reader",
            "a",
            list![
                obj! { "apiGroups": list![""], "resources": list!["pods", "pods/exec", "pods/log"], "verbs": list!["get", "list"] },
                obj! { "apiGroups": list![""], "resourceNames": list!["one"], "resources": list!["secrets"], "verbs": list!["get"] },
            ],
        );
        role(
            "ClusterRole",
            "ops",
            "",
            list![
                obj! { "apiGroups": list![""], "resources": list!["users"], "resourceNames": list!["anna"], "verbs": list!["impersonate"] },
                obj! { "apiGroups": list!["*"], "resources": list!["*/scale"], "verbs": list!["*"] },
                obj! { "nonResourceURLs": list!["/metrics/*"], "verbs": list!["get"] },
            ],
        );
        bind("RoleBinding", "anna", "a", ("Role", "reader"), ("User", "anna"));
        bind(
            "RoleBinding",
            "robot",
            "a",
            ("Role", "reader"),
            ("ServiceAccount", "robot"),
        );
        bind(
            "ClusterRoleBinding",
            "ops",
            "",
            ("ClusterRole", "ops"),
            ("Group", "ops"),
        );
        bind("RoleBinding", "gone", "b", ("Role", "gone"), ("User", "anna"));
        api.authorizer().set_mode(Mode::NodeRbac);
        api
    }

    #[test]
    fn decisions() {
        let api = server();
        let anna = User::new("anna", [AUTHENTICATED]);
        let otto = User::new("otto", ["ops", AUTHENTICATED]);
        let robot = User::service_account("a", "robot");
        let table = [
            (&anna, "/api/v1/namespaces/a/pods"),
            (&anna, "/api/v1/namespaces/a/pods/web/log"),
            (&anna, "/api/v1/namespaces/a/pods/web/exec"),
            (&anna, "/api/v1/namespaces/a/secrets/one"),
            (&anna, "/api/v1/namespaces/a/secrets/two"),
            (&anna, "/api/v1/namespaces/b/pods"),
            (&anna, "/api/v1/pods"),
            (&anna, "/metrics"),
            (&otto, "/metrics/cadvisor"),
            (&otto, "/apis/apps/v1/namespaces/a/deployments/web/scale"),
            (&otto, "/apis/apps/v1/namespaces/a/deployments/web"),
            (&robot, "/api/v1/namespaces/a/pods"),
            (&robot, "/api/v1/namespaces/b/pods"),
        ];
        let mut text = String::new();
        for (user, path) in table {
            let request = Request::get(path);
            let said = api.authorizer().require(&api, user, &Attributes::of(&request));
            let said = said.map_or_else(|e| e.message().to_owned(), |()| "yes".into());
            text.push_str(&format!("{} {path}: {said}\n", user.name));
        }
        expect![[r#"
            anna /api/v1/namespaces/a/pods: yes
            anna /api/v1/namespaces/a/pods/web/log: yes
            anna /api/v1/namespaces/a/pods/web/exec: yes
            anna /api/v1/namespaces/a/secrets/one: yes
            anna /api/v1/namespaces/a/secrets/two: secrets "two" is forbidden: User "anna" cannot get resource "secrets" in API group "" in the namespace "a"
            anna /api/v1/namespaces/b/pods: pods is forbidden: User "anna" cannot list resource "pods" in API group "" in the namespace "b": RBAC: role.rbac.authorization.k8s.io "gone" not found
            anna /api/v1/pods: pods is forbidden: User "anna" cannot list resource "pods" in API group "" at the cluster scope
            anna /metrics: forbidden: User "anna" cannot get path "/metrics"
            otto /metrics/cadvisor: yes
            otto /apis/apps/v1/namespaces/a/deployments/web/scale: yes
            otto /apis/apps/v1/namespaces/a/deployments/web: deployments.apps "web" is forbidden: User "otto" cannot get resource "deployments" in API group "apps" in the namespace "a"
            system:serviceaccount:a:robot /api/v1/namespaces/a/pods: yes
            system:serviceaccount:a:robot /api/v1/namespaces/b/pods: pods is forbidden: User "system:serviceaccount:a:robot" cannot list resource "pods" in API group "" in the namespace "b"
        "#]]
        .assert_eq(&text);
        // Who may only read does not open a connection.
        let mut request = Request::get("/api/v1/namespaces/a/pods/web/exec");
        request.user = anna.clone();
        let said = check(&api, &mut request).unwrap_err();
        expect![[r#"pods "web" is forbidden: User "anna" cannot create resource "pods/exec" in API group "" in the namespace "a""#]]
            .assert_eq(said.message());
        // A change of a role is seen at once.
        api.store().remove(
            "roles.rbac.authorization.k8s.io",
            &crate::api::ObjectKey::new("a", "reader"),
        );
        let request = Request::get("/api/v1/namespaces/a/pods");
        let said = api
            .authorizer()
            .require(&api, &anna, &Attributes::of(&request))
            .unwrap_err();
        expect![[r#"pods is forbidden: User "anna" cannot list resource "pods" in API group "" in the namespace "a": RBAC: role.rbac.authorization.k8s.io "reader" not found"#]].assert_eq(said.message());
    }

    #[test]
    fn acting_as_somebody_else() {
        let api = server();
        let mut text = String::new();
        for (user, groups) in [
            ("anna", &[][..]),
            ("berta", &[]),
            ("anna", &["system:masters"]),
            ("system:serviceaccount:a:robot", &[]),
            ("", &["x"]),
        ] {
            let mut request = Request::get("/api/v1/namespaces/a/pods");
            request.user = User::new("otto", ["ops", AUTHENTICATED]);
            request.impersonate = Some(Impersonation {
                user: user.into(),
                groups: groups.iter().map(|g| (*g).to_owned()).collect(),
                ..Impersonation::default()
            });
            let said = match check(&api, &mut request) {
                Ok(()) => request.user.to_value().to_json(),
                Err(status) => status.message().to_owned(),
            };
            text.push_str(&format!("{said}\n"));
        }
        expect![[r#"
            {"groups":["system:authenticated"],"username":"anna"}
            users "berta" is forbidden: User "otto" cannot impersonate resource "users" in API group "" at the cluster scope
            groups "system:masters" is forbidden: User "otto" cannot impersonate resource "groups" in API group "" at the cluster scope
            serviceaccounts "robot" is forbidden: User "otto" cannot impersonate resource "serviceaccounts" in API group "" in the namespace "a"
            requested &user.DefaultInfo{Name:"", UID:"", Groups:[]string{"x"}, Extra:map[string][]string(nil)} without impersonating a user name
        "#]]
        .assert_eq(&text);
    }

    #[test]
    fn tokens_come_back_as_users() {
        let api = server();
        api.restore(obj! { "apiVersion": "v1", "kind": "Namespace", "metadata": obj! { "name": "a" } })
            .unwrap();
        for (kind, name) in [("ServiceAccount", "robot"), ("Pod", "web")] {
            let mut object = obj! {
                "apiVersion": "v1",
                "kind": kind,
                "metadata": obj! { "name": name, "namespace": "a", "uid": format!("uid-{name}") },
            };
            if kind == "Pod" {
                object.set(&["spec", "serviceAccountName"], "robot");
            }
            api.restore(object).unwrap();
        }
        let path = "/api/v1/namespaces/a/serviceaccounts/robot/token";
        let ask = |spec: Value| {
            let mut request = Request::new(Method::Post, path).body(Body::Value(obj! { "spec": spec }));
            request.user = User::system("admin");
            api.serve(request)
        };
        let short = ask(obj! { "expirationSeconds": 60 });
        expect![[r#"TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes"#]].assert_eq(short.value().str_at(&["message"]));
        let bound = obj! { "kind": "Pod", "apiVersion": "v1", "name": "web" };
        let answer = ask(obj! { "expirationSeconds": 600, "boundObjectRef": bound });
        let token = answer.value().str_at(&["status", "token"]).to_owned();
        let set = Value::from_json(&token::key_set(&api)).unwrap();
        let key = set.get("keys").items().first().cloned().unwrap_or_default();
        let number =
            |field: &str| num_bigint::BigUint::from_bytes_be(&base64::decode_url(key.get(field).str()).unwrap());
        let public = crate::pki::rsa::Public {
            modulus: number("n"),
            exponent: number("e"),
        };
        let (signed, signature) = token.rsplit_once('.').unwrap();
        assert!(
            public
                .verify(signed.as_bytes(), &base64::decode_url(signature).unwrap())
                .is_ok()
        );
        let header = base64::decode_url(token.split('.').next().unwrap()).unwrap();
        let header = Value::from_json(std::str::from_utf8(&header).unwrap()).unwrap();
        assert_eq!((header.get("alg").str(), header.get("kid")), ("RS256", key.get("kid")));
        let user = api.authenticate(&token).unwrap();
        expect![[r#"{"extra":{"authentication.kubernetes.io/credential-id":["JTI=a833bdcd-b6d1-4eb1-88dc-97e5aab5fe3d"],"authentication.kubernetes.io/pod-name":["web"],"authentication.kubernetes.io/pod-uid":["uid-web"]},"groups":["system:serviceaccounts","system:serviceaccounts:a","system:authenticated"],"uid":"uid-robot","username":"system:serviceaccount:a:robot"}"#]].assert_eq(&user.to_value().to_json());
        // Another audience's, a changed one, one of another world, a late one, an orphan.
        let other = ask(obj! { "audiences": list!["vault"] })
            .value()
            .str_at(&["status", "token"])
            .to_owned();
        assert!(api.authenticate(&other).is_none());
        assert!(token::review(&api, &other, &["vault"]).is_ok());
        assert!(api.authenticate(&token.replacen("eyJ", "eyK", 2)).is_none());
        assert!(api.authenticate("a.b.c").is_none());
        assert!(
            ApiServer::new(&Sim::new(2, api.sim().now()))
                .authenticate(&token)
                .is_none()
        );
        api.store().remove("pods", &crate::api::ObjectKey::new("a", "web"));
        assert!(api.authenticate(&token).is_none());
        let plain = ask(obj! { "expirationSeconds": 600 })
            .value()
            .str_at(&["status", "token"])
            .to_owned();
        assert!(api.authenticate(&plain).is_some());
        api.sim().run_for(std::time::Duration::from_secs(601));
        assert!(api.authenticate(&plain).is_none());
    }
}
