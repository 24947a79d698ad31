//! What requests come to that meet objects which are missing, taken, ending or guarded.

use expect_test::{Expect, expect};

use super::auth::Mode;
use super::request::{Body, Method, Payload, Request};
use super::server::ApiServer;
use super::watch::Watch;
use crate::api::User;
use crate::sim::{Sim, Time};
use crate::value::yaml;

fn server() -> ApiServer {
    let api = ApiServer::new(&Sim::new(1, Time::from_secs(1_800_000_000)));
    for object in [
        "{apiVersion: v1, kind: Namespace, metadata: {name: default}}",
        "{apiVersion: v1, kind: Namespace, metadata: {name: ends, deletionTimestamp: '2027-01-15T08:00:00Z'}, \
         spec: {finalizers: [kubernetes]}, status: {phase: Terminating}}",
    ] {
        api.restore(yaml::decode(object).unwrap()).unwrap();
    }
    api
}

/// The paths of some resources, by short names.
fn path(short: &str) -> String {
    let (kind, rest) = short.split_once('/').unwrap_or((short, ""));
    let group = match kind {
        "jobs" => "apis/batch/v1",
        "leases" => "apis/coordination.k8s.io/v1",
        "deployments" => "apis/apps/v1",
        "roles" => "apis/rbac.authorization.k8s.io/v1",
        _ => "api/v1",
    };
    match short.strip_prefix("../") {
        Some(rest) => format!("/api/v1/namespaces/{rest}"),
        None => format!("/{group}/namespaces/default/{kind}/{rest}"),
    }
}

fn request(step: &str) -> Request {
    let mut parts = step.splitn(3, ' ');
    let method = match parts.next().unwrap() {
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "PATCH" | "APPLY" => Method::Patch,
        "DELETE" => Method::Delete,
        _ => Method::Get,
    };
    let place = parts.next().unwrap();
    let (place, query) = place.split_once('?').unwrap_or((place, ""));
    let place = if place.starts_with("/") {
        place.to_owned()
    } else {
        path(place)
    };
    let mut request = Request::new(method, place);
    request.user = User::system("test");
    for (key, value) in query.split('&').filter_map(|p| p.split_once('=')) {
        request = request.with(key, value);
    }
    if let Some(body) = parts.next() {
        request = request.body(Body::Value(yaml::decode(body).unwrap()));
    }
    if step.starts_with("APPLY") {
        request.content_type = "application/apply-patch+yaml".into();
        request = request.with("fieldManager", "test");
    } else if method == Method::Patch {
        request.content_type = "application/merge-patch+json".into();
    }
    request
}

/// The events that are there, each with two fields of its object, and the objects' revisions.
fn told(watch: &mut Watch, fields: [&[&str]; 2]) -> (String, Vec<u64>) {
    let (mut said, mut revisions) = (String::new(), Vec::new());
    while let Some(event) = watch.try_next() {
        let object = event.object().unwrap();
        revisions.push(object.revision());
        let [first, second] = fields.map(|path| object.at(path).to_json());
        said.push_str(&format!("{} {first} {second}\n", event.name()));
    }
    (said, revisions)
}

fn watch(api: &ApiServer, place: &str) -> Box<Watch> {
    let asked = request(&format!("GET {place}")).with("watch", "true");
    match api.serve(asked).payload {
        Payload::Watch(watch) => watch,
        other => panic!("{other:?}"),
    }
}

/// The steps, each with its code, what a failure says, the finalizers that an object has left, and the warnings.
fn check(api: &ApiServer, steps: &str, expected: Expect) {
    let mut out = String::new();
    for step in steps.lines().map(str::trim).filter(|s| !s.is_empty()) {
        let answer = api.serve(request(step));
        let value = answer.value();
        out.push_str(&format!("{step}\n  {}", answer.code));
        match answer.code {
            400.. => out.push_str(&format!(" {}", value.str_at(&["message"]))),
            _ if !value.at(&["metadata", "deletionTimestamp"]).is_null() => {
                let held = value.at(&["metadata", "finalizers"]).to_json();
                out.push_str(&format!(" ending, held by {held}"));
            }
            _ => {}
        }
        out.push('\n');
        for warning in &answer.warnings {
            out.push_str(&format!("  ! {warning}\n"));
        }
    }
    expected.assert_eq(&out);
}

#[test]
fn creation_looks_at_its_namespace_however_it_comes() {
    let api = server();
    api.restore(
        yaml::decode("{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: ends}, spec: {containers: []}}")
            .unwrap(),
    )
    .unwrap();
    check(
        &api,
        "
        POST ../ends/configmaps {metadata: {name: a}}
        APPLY ../ends/configmaps/a {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}
        APPLY ../gone/configmaps/a {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}
        PUT ../gone/services/a {metadata: {name: a}, spec: {ports: [{port: 80}]}}
        POST ../ends/pods/p/eviction {metadata: {name: p}}
        APPLY ../default/configmaps/a {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}
        ",
        expect![[r#"
            POST ../ends/configmaps {metadata: {name: a}}
              403 configmaps "a" is forbidden: unable to create new content in namespace ends because it is being terminated
            APPLY ../ends/configmaps/a {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}
              403 configmaps "a" is forbidden: unable to create new content in namespace ends because it is being terminated
            APPLY ../gone/configmaps/a {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}
              404 namespaces "gone" not found
            PUT ../gone/services/a {metadata: {name: a}, spec: {ports: [{port: 80}]}}
              404 namespaces "gone" not found
            POST ../ends/pods/p/eviction {metadata: {name: p}}
              403 pods "p" is forbidden: unable to create new content in namespace ends because it is being terminated
            APPLY ../default/configmaps/a {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}
              201
        "#]],
    );
    let refused = api.serve(request("POST ../ends/configmaps {metadata: {name: a}}"));
    expect![[r#"[{"field":"metadata.namespace","message":"namespace ends is being terminated","reason":"NamespaceTerminating"}]"#]].assert_eq(&refused.value().at(&["details", "causes"]).to_json());
}

#[test]
fn some_kinds_are_created_by_an_update() {
    let api = server();
    check(
        &api,
        "
        PUT services/a {metadata: {name: a, resourceVersion: '7'}, spec: {ports: [{port: 80}]}}
        PUT services/a {metadata: {name: a}, spec: {ports: [{port: 81}]}}
        PUT services/b {metadata: {name: c}, spec: {ports: [{port: 80}]}}
        PUT services/b {metadata: {name: b, uid: u}, spec: {ports: [{port: 80}]}}
        PUT services/b/status {metadata: {name: b}}
        PUT services/b?dryRun=All {metadata: {name: b}, spec: {ports: [{port: 80}]}}
        GET services/b
        PUT leases/a {metadata: {name: a}}
        PUT limitranges/a {metadata: {name: a}, spec: {limits: []}}
        PUT configmaps/a {metadata: {name: a}}
        PATCH services/d {metadata: {name: d}}
        ",
        expect![[r#"
            PUT services/a {metadata: {name: a, resourceVersion: '7'}, spec: {ports: [{port: 80}]}}
              201
            PUT services/a {metadata: {name: a}, spec: {ports: [{port: 81}]}}
              200
            PUT services/b {metadata: {name: c}, spec: {ports: [{port: 80}]}}
              400 the name of the object (c) does not match the name on the URL (b)
            PUT services/b {metadata: {name: b, uid: u}, spec: {ports: [{port: 80}]}}
              409 Operation cannot be fulfilled on services "b": StorageError: invalid object, Code: 4, Key: /registry/services/specs/default/b, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: u, UID in object meta: 
            PUT services/b/status {metadata: {name: b}}
              404 services "b" not found
            PUT services/b?dryRun=All {metadata: {name: b}, spec: {ports: [{port: 80}]}}
              201
            GET services/b
              404 services "b" not found
            PUT leases/a {metadata: {name: a}}
              201
            PUT limitranges/a {metadata: {name: a}, spec: {limits: []}}
              201
            PUT configmaps/a {metadata: {name: a}}
              404 configmaps "a" not found
            PATCH services/d {metadata: {name: d}}
              404 services "d" not found
        "#]],
    );
    // Whoever may update what is there may not create.
    for object in [
        "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: r}, rules: [{apiGroups: [''], \
         resources: [services], verbs: [update, patch]}]}",
        "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: r}, roleRef: \
         {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: r}, subjects: [{kind: User, name: jane}]}",
    ] {
        api.restore(yaml::decode(object).unwrap()).unwrap();
    }
    api.authorizer().set_mode(Mode::NodeRbac);
    let mut said = String::new();
    for step in [
        "PUT services/e {metadata: {name: e}, spec: {ports: [{port: 80}]}}",
        "APPLY services/e {apiVersion: v1, kind: Service, metadata: {name: e}, spec: {ports: [{port: 80}]}}",
        "PUT services/a {metadata: {name: a}, spec: {ports: [{port: 82}]}}",
    ] {
        let mut asked = request(step);
        asked.user = User::new("jane", []);
        let answer = api.serve(asked);
        said.push_str(&format!("{} {}\n", answer.code, answer.value().str_at(&["message"])));
    }
    expect![[r#"
        403 services "e" is forbidden: User "jane" cannot create resource "services" in API group "" in the namespace "default"
        403 services "e" is forbidden: User "jane" cannot create resource "services" in API group "" in the namespace "default"
        200 
    "#]].assert_eq(&said);
}

#[test]
fn a_deletion_says_what_the_collector_does() {
    let api = server();
    let job = "spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}";
    let set =
        "spec: {selector: {a: b}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}}";
    check(
        &api,
        &format!(
            "
        POST configmaps {{metadata: {{name: a, finalizers: [x/y]}}}}
        DELETE configmaps/a {{propagationPolicy: Orphan}}
        DELETE configmaps/a
        DELETE configmaps/a {{propagationPolicy: Foreground}}
        DELETE configmaps/a {{orphanDependents: true}}
        DELETE configmaps/a {{propagationPolicy: Background}}
        POST configmaps {{metadata: {{name: b, finalizers: [foregroundDeletion]}}}}
        DELETE configmaps/b
        DELETE configmaps/b {{orphanDependents: false}}
        GET configmaps/b
        POST jobs {{metadata: {{name: a}}, {job}}}
        DELETE jobs/a
        DELETE jobs/a {{propagationPolicy: Background}}
        POST jobs {{metadata: {{name: b}}, {job}}}
        DELETE jobs {{propagationPolicy: Orphan}}
        DELETE jobs?propagationPolicy=Background
        POST jobs {{metadata: {{name: c}}, {job}}}
        DELETE jobs
        POST replicationcontrollers {{metadata: {{name: a}}, {set}}}
        DELETE replicationcontrollers/a
        POST events {{metadata: {{name: a}}, involvedObject: {{namespace: default}}}}
        DELETE events/a {{propagationPolicy: Foreground}}
        GET events/a
        "
        ),
        expect![[r#"
            POST configmaps {metadata: {name: a, finalizers: [x/y]}}
              201
            DELETE configmaps/a {propagationPolicy: Orphan}
              200 ending, held by ["x/y","orphan"]
            DELETE configmaps/a
              200 ending, held by ["x/y","orphan"]
            DELETE configmaps/a {propagationPolicy: Foreground}
              200 ending, held by ["x/y","foregroundDeletion"]
            DELETE configmaps/a {orphanDependents: true}
              200 ending, held by ["x/y","orphan"]
            DELETE configmaps/a {propagationPolicy: Background}
              200 ending, held by ["x/y"]
            POST configmaps {metadata: {name: b, finalizers: [foregroundDeletion]}}
              201
            DELETE configmaps/b
              200 ending, held by ["foregroundDeletion"]
            DELETE configmaps/b {orphanDependents: false}
              200
            GET configmaps/b
              404 configmaps "b" not found
            POST jobs {metadata: {name: a}, spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}}
              201
            DELETE jobs/a
              200 ending, held by ["orphan"]
              ! child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning
            DELETE jobs/a {propagationPolicy: Background}
              200
            POST jobs {metadata: {name: b}, spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}}
              201
            DELETE jobs {propagationPolicy: Orphan}
              200
            DELETE jobs?propagationPolicy=Background
              200
            POST jobs {metadata: {name: c}, spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}}
              201
            DELETE jobs
              200
              ! child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning
            POST replicationcontrollers {metadata: {name: a}, spec: {selector: {a: b}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}}}
              201
            DELETE replicationcontrollers/a
              200 ending, held by ["orphan"]
            POST events {metadata: {name: a}, involvedObject: {namespace: default}}
              201
            DELETE events/a {propagationPolicy: Foreground}
              200
            GET events/a
              404 events "a" not found
        "#]],
    );
}

#[test]
fn a_name_that_is_taken_shows_last() {
    let api = server();
    check(
        &api,
        "
        POST configmaps {metadata: {name: a, finalizers: [x/y]}}
        POST configmaps {metadata: {name: a}}
        DELETE configmaps/a
        POST configmaps {metadata: {name: a}}
        POST configmaps?dryRun=All {metadata: {name: a}}
        POST resourcequotas {metadata: {name: q}, spec: {hard: {configmaps: '1'}}}
        POST configmaps {metadata: {name: a}}
        POST configmaps {metadata: {name: a b}}
        ",
        expect![[r#"
            POST configmaps {metadata: {name: a, finalizers: [x/y]}}
              201
            POST configmaps {metadata: {name: a}}
              409 configmaps "a" already exists
            DELETE configmaps/a
              200 ending, held by ["x/y"]
            POST configmaps {metadata: {name: a}}
              409 object is being deleted: configmaps "a" already exists
            POST configmaps?dryRun=All {metadata: {name: a}}
              409 object is being deleted: configmaps "a" already exists
            POST resourcequotas {metadata: {name: q}, spec: {hard: {configmaps: '1'}}}
              201
            POST configmaps {metadata: {name: a}}
              403 configmaps "a" is forbidden: exceeded quota: q, requested: configmaps=1, used: configmaps=1, limited: configmaps=1
            POST configmaps {metadata: {name: a b}}
              422 ConfigMap "a b" is invalid: metadata.name: Invalid value: "a b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        "#]],
    );
}

#[test]
fn the_last_finalizer_takes_the_object_with_it() {
    let api = server();
    let mut seen = watch(&api, "configmaps");
    check(
        &api,
        "
        POST configmaps {metadata: {name: a, finalizers: [x/y]}, data: {k: v}}
        DELETE configmaps/a
        PATCH configmaps/a?dryRun=All {metadata: {finalizers: null}}
        PATCH configmaps/a {metadata: {finalizers: null}, data: {k: w}}
        GET configmaps/a
        ",
        expect![[r#"
            POST configmaps {metadata: {name: a, finalizers: [x/y]}, data: {k: v}}
              201
            DELETE configmaps/a
              200 ending, held by ["x/y"]
            PATCH configmaps/a?dryRun=All {metadata: {finalizers: null}}
              200 ending, held by null
            PATCH configmaps/a {metadata: {finalizers: null}, data: {k: w}}
              200 ending, held by null
            GET configmaps/a
              404 configmaps "a" not found
        "#]],
    );
    let (said, revisions) = told(&mut seen, [&["metadata", "finalizers"], &["data"]]);
    expect![[r#"
        ADDED ["x/y"] {"k":"v"}
        MODIFIED ["x/y"] {"k":"v"}
        DELETED ["x/y"] {"k":"v"}
    "#]]
    .assert_eq(&said);
    assert!(revisions.windows(2).all(|w| w[1] == w[0] + 1), "{revisions:?}");
}

#[test]
fn a_namespace_goes_with_its_last_finalizer_unless_it_is_tried() {
    let api = server();
    let mut seen = watch(&api, "/api/v1/namespaces");
    check(
        &api,
        "
        PUT ../ends/finalize?dryRun=All {metadata: {name: ends}, spec: {finalizers: []}}
        GET /api/v1/namespaces/ends
        PUT ../default/finalize?dryRun=All {metadata: {name: default}, spec: {finalizers: [kubernetes, a/b]}}
        PUT ../ends/finalize {metadata: {name: ends}, spec: {finalizers: []}}
        GET /api/v1/namespaces/ends
        ",
        expect![[r#"
            PUT ../ends/finalize?dryRun=All {metadata: {name: ends}, spec: {finalizers: []}}
              200 ending, held by null
            GET /api/v1/namespaces/ends
              200 ending, held by null
            PUT ../default/finalize?dryRun=All {metadata: {name: default}, spec: {finalizers: [kubernetes, a/b]}}
              200
            PUT ../ends/finalize {metadata: {name: ends}, spec: {finalizers: []}}
              200 ending, held by null
            GET /api/v1/namespaces/ends
              404 namespaces "ends" not found
        "#]],
    );
    let (said, _) = told(&mut seen, [&["metadata", "name"], &["spec"]]);
    expect![[r#"
        ADDED "default" null
        ADDED "ends" {"finalizers":["kubernetes"]}
        DELETED "ends" {"finalizers":["kubernetes"]}
    "#]]
    .assert_eq(&said);
}

#[test]
fn what_leaves_a_selection_is_told_as_it_was() {
    let api = server();
    let mut selected = watch(&api, "configmaps?labelSelector=v=1");
    check(
        &api,
        "
        POST configmaps {metadata: {name: a, labels: {v: '1'}}, data: {k: v}}
        PATCH configmaps/a {metadata: {labels: {v: '2'}}, data: {k: w}}
        DELETE configmaps/a
        ",
        expect![[r#"
            POST configmaps {metadata: {name: a, labels: {v: '1'}}, data: {k: v}}
              201
            PATCH configmaps/a {metadata: {labels: {v: '2'}}, data: {k: w}}
              200
            DELETE configmaps/a
              200
        "#]],
    );
    let (said, revisions) = told(&mut selected, [&["metadata", "labels"], &["data"]]);
    expect![[r#"
        ADDED {"v":"1"} {"k":"v"}
        DELETED {"v":"1"} {"k":"v"}
    "#]]
    .assert_eq(&said);
    assert_eq!(revisions[1], revisions[0] + 1);
}

#[test]
fn deletions_have_warnings() {
    let api = server();
    let policies = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies";
    check(
        &api,
        &format!(
            "
        POST {policies} {{metadata: {{name: p}}, spec: {{matchConstraints: {{resourceRules: [{{apiGroups: [''], apiVersions: \
             [v1], resources: [configmaps], operations: [DELETE]}}]}}, validations: [{{expression: 'false', message: think}}]}}}}
        POST {}bindings {{metadata: {{name: p}}, spec: {{policyName: p, validationActions: [Warn]}}}}
        POST configmaps {{metadata: {{name: a}}}}
        POST configmaps {{metadata: {{name: b}}}}
        DELETE configmaps/a
        DELETE configmaps
        ",
            policies.trim_end_matches("ies").to_owned() + "y"
        ),
        expect![[r#"
            POST /apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies {metadata: {name: p}, spec: {matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], resources: [configmaps], operations: [DELETE]}]}, validations: [{expression: 'false', message: think}]}}
              201
            POST /apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings {metadata: {name: p}, spec: {policyName: p, validationActions: [Warn]}}
              201
            POST configmaps {metadata: {name: a}}
              201
            POST configmaps {metadata: {name: b}}
              201
            DELETE configmaps/a
              200
              ! Validation failed for ValidatingAdmissionPolicy 'p' with binding 'p': think
            DELETE configmaps
              200
              ! Validation failed for ValidatingAdmissionPolicy 'p' with binding 'p': think
        "#]],
    );
}

/// Quotas and LimitRanges sum a pod up as the scheduler does: quotas with the overhead, LimitRanges without.
#[test]
fn pods_are_summed_up_with_sidecars() {
    let api = server();
    api.admission().switch(super::admission::SERVICE_ACCOUNT, false);
    let c = |cpu: &str| {
        format!("{{name: c{cpu}, image: i, resources: {{requests: {{cpu: {cpu}}}, limits: {{cpu: {cpu}}}}}}}")
    };
    let sidecar = c("300m").replace("image: i", "image: i, restartPolicy: Always");
    let (small, large) = (c("100m"), c("800m"));
    let class = "{metadata: {name: thick}, handler: runc, overhead: {podFixed: {cpu: 950m}}}";
    check(
        &api,
        &format!(
            "
        POST /apis/node.k8s.io/v1/runtimeclasses {class}
        POST limitranges {{metadata: {{name: l}}, spec: {{limits: [{{type: Pod, max: {{cpu: '1'}}}}]}}}}
        POST pods {{metadata: {{name: a}}, spec: {{containers: [{small}], initContainers: [{sidecar}, {large}]}}}}
        POST pods {{metadata: {{name: a}}, spec: {{containers: [{small}], initContainers: [{large}, {sidecar}]}}}}
        POST pods {{metadata: {{name: b}}, spec: {{runtimeClassName: thick, containers: [{small}]}}}}
        DELETE limitranges/l
        POST resourcequotas {{metadata: {{name: q}}, spec: {{hard: {{requests.cpu: 2600m, limits.cpu: 2600m}}}}}}
        POST pods {{metadata: {{name: c}}, spec: {{containers: [{small}], initContainers: [{sidecar}, {large}]}}}}
        POST pods {{metadata: {{name: d}}, spec: {{runtimeClassName: thick, containers: [{c50}]}}}}
        ",
            c50 = c("50m")
        ),
        expect![[r#"
            POST /apis/node.k8s.io/v1/runtimeclasses {metadata: {name: thick}, handler: runc, overhead: {podFixed: {cpu: 950m}}}
              201
            POST limitranges {metadata: {name: l}, spec: {limits: [{type: Pod, max: {cpu: '1'}}]}}
              201
            POST pods {metadata: {name: a}, spec: {containers: [{name: c100m, image: i, resources: {requests: {cpu: 100m}, limits: {cpu: 100m}}}], initContainers: [{name: c300m, image: i, restartPolicy: Always, resources: {requests: {cpu: 300m}, limits: {cpu: 300m}}}, {name: c800m, image: i, resources: {requests: {cpu: 800m}, limits: {cpu: 800m}}}]}}
              403 pods "a" is forbidden: maximum cpu usage per Pod is 1, but limit is 1100m
            POST pods {metadata: {name: a}, spec: {containers: [{name: c100m, image: i, resources: {requests: {cpu: 100m}, limits: {cpu: 100m}}}], initContainers: [{name: c800m, image: i, resources: {requests: {cpu: 800m}, limits: {cpu: 800m}}}, {name: c300m, image: i, restartPolicy: Always, resources: {requests: {cpu: 300m}, limits: {cpu: 300m}}}]}}
              201
            POST pods {metadata: {name: b}, spec: {runtimeClassName: thick, containers: [{name: c100m, image: i, resources: {requests: {cpu: 100m}, limits: {cpu: 100m}}}]}}
              201
            DELETE limitranges/l
              200
            POST resourcequotas {metadata: {name: q}, spec: {hard: {requests.cpu: 2600m, limits.cpu: 2600m}}}
              201
            POST pods {metadata: {name: c}, spec: {containers: [{name: c100m, image: i, resources: {requests: {cpu: 100m}, limits: {cpu: 100m}}}], initContainers: [{name: c300m, image: i, restartPolicy: Always, resources: {requests: {cpu: 300m}, limits: {cpu: 300m}}}, {name: c800m, image: i, resources: {requests: {cpu: 800m}, limits: {cpu: 800m}}}]}}
              403 pods "c" is forbidden: exceeded quota: q, requested: limits.cpu=1100m,requests.cpu=1100m, used: limits.cpu=1850m,requests.cpu=1850m, limited: limits.cpu=2600m,requests.cpu=2600m
            POST pods {metadata: {name: d}, spec: {runtimeClassName: thick, containers: [{name: c50m, image: i, resources: {requests: {cpu: 50m}, limits: {cpu: 50m}}}]}}
              403 pods "d" is forbidden: exceeded quota: q, requested: limits.cpu=1,requests.cpu=1, used: limits.cpu=1850m,requests.cpu=1850m, limited: limits.cpu=2600m,requests.cpu=2600m
        "#]],
    );
}

#[test]
fn an_eviction_is_refused_with_the_reason() {
    let mut out = String::new();
    for status in [
        "{currentHealthy: 2, desiredHealthy: 2}",
        "{currentHealthy: 3, desiredHealthy: 2}",
        "{currentHealthy: 3, desiredHealthy: 2, conditions: [{type: DisruptionAllowed, status: 'False', reason: InsufficientPods, message: ''}]}",
        "{currentHealthy: 3, desiredHealthy: 2, conditions: [{type: DisruptionAllowed, status: 'False', reason: Odd, message: so it is}]}",
        "{currentHealthy: 2, desiredHealthy: 2, conditions: [{type: DisruptionAllowed, status: 'False', reason: SyncFailed, message: no size}]}",
        "{currentHealthy: 2, desiredHealthy: 2, disruptionsAllowed: 1}",
    ] {
        let api = server();
        for object in [
            "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: default, labels: {app: web}}, spec: {containers: []}, status: {phase: Running, conditions: [{type: Ready, status: 'True'}]}}".to_owned(),
            format!("{{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {{name: b, namespace: default}}, spec: {{selector: {{}}}}, status: {status}}}"),
        ] {
            api.restore(yaml::decode(&object).unwrap()).unwrap();
        }
        let answer = api.serve(request("POST pods/p/eviction {metadata: {name: p}}"));
        let value = answer.value();
        let causes = value.at(&["details", "causes"]).items();
        let why = causes.first().map_or("", |c| c.str_at(&["message"]));
        out.push_str(&format!("{} {why}\n", answer.code));
    }
    expect![[r#"
        429 The disruption budget b needs 2 healthy pods and has 2 currently
        429 The disruption budget b does not allow evicting pods currently
        429 The disruption budget b does not allow evicting pods currently
        429 The disruption budget b does not allow evicting pods currently (Odd): so it is
        429 The disruption budget b does not allow evicting pods currently because it failed sync: no size
        201 
    "#]]
    .assert_eq(&out);
}
