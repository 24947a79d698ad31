//! What the API server says of objects that break a rule: for each kind a good object, what is
//! changed of it, and the sentence.

use expect_test::expect;

use super::tests::server;
use crate::api::server::ApiServer;
use crate::api::{Body, Method, Request};
use crate::value::{Value, yaml};

fn tree(text: &str) -> Value {
    yaml::decode(text).unwrap()
}

/// The path of a kind's objects.
fn collection(api: &ApiServer, object: &Value) -> String {
    let resource = api
        .resource_of_kind(object.str_at(&["apiVersion"]), object.str_at(&["kind"]))
        .unwrap();
    resource.path(if resource.namespaced { "default" } else { "" })
}

/// The sentence of a refusal, or `ok`; and the warnings.
fn answer(response: &crate::api::Response) -> String {
    let mut text = match response.code {
        200 | 201 => "ok".to_owned(),
        _ => response.value().str_at(&["message"]).to_owned(),
    };
    for warning in &response.warnings {
        text.push_str(&format!("\n   ! {warning}"));
    }
    text
}

fn merged(base: &Value, change: &str) -> Value {
    let mut object = base.clone();
    crate::api::patch::merge(&mut object, &tree(change));
    object
}

/// Creates an object with each of these changes.
fn creations(base: &str, changes: &[&str]) -> String {
    let base = tree(base);
    let mut out = String::new();
    for change in changes {
        let api = server();
        let object = merged(&base, change);
        let path = collection(&api, &object);
        let response = api.serve(Request::new(Method::Post, path).body(Body::Value(object)));
        out.push_str(&format!("{change}\n=> {}\n", answer(&response)));
    }
    out
}

/// Creates an object, and updates it with each of these changes in turn.
fn updates(base: &str, changes: &[&str]) -> String {
    let base = tree(base);
    let mut out = String::new();
    for change in changes {
        let api = server();
        let path = collection(&api, &base);
        let made = api.serve(Request::new(Method::Post, path.as_str()).body(Body::Value(base.clone())));
        assert_eq!(made.code, 201, "{}", answer(&made));
        let name = format!("{path}/{}", made.value().str_at(&["metadata", "name"]));
        let ty = crate::api::schema::by_kind(base.str_at(&["apiVersion"]), base.str_at(&["kind"])).unwrap();
        let object = crate::api::patch::strategic::merge(&made.value(), &tree(change), &ty).unwrap();
        let response = api.serve(Request::new(Method::Put, name).body(Body::Value(object)));
        out.push_str(&format!("{change}\n=> {}\n", answer(&response)));
    }
    out
}

const POD: &str = "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: nginx}]}}";

#[test]
fn a_claim_names_its_source_in_two_fields() {
    let claim = tree(
        "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: v}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}",
    );
    let rows = [
        "{dataSource: {kind: PersistentVolumeClaim, name: x}}",
        "{dataSourceRef: {kind: Foo, apiGroup: a.b, name: x}}",
        "{dataSource: {kind: Foo, apiGroup: a.b, name: x}}",
        "{dataSourceRef: {kind: PersistentVolumeClaim, name: x, namespace: other}}",
    ];
    let mut out = String::new();
    for row in rows {
        let api = server();
        let object = merged(&claim, &format!("{{spec: {row}}}"));
        let path = collection(&api, &object);
        let made = api.serve(Request::new(Method::Post, path).body(Body::Value(object)));
        assert_eq!(made.code, 201, "{}", answer(&made));
        let spec = made.value().get("spec").clone();
        let [source, reference] = ["dataSource", "dataSourceRef"].map(|field| spec.get(field).to_json());
        out.push_str(&format!("{source} {reference}\n"));
    }
    expect![[r#"
        {"apiGroup":null,"kind":"PersistentVolumeClaim","name":"x"} {"apiGroup":null,"kind":"PersistentVolumeClaim","name":"x"}
        {"apiGroup":"a.b","kind":"Foo","name":"x"} {"apiGroup":"a.b","kind":"Foo","name":"x"}
        null null
        null null
    "#]].assert_eq(&out);
}

#[test]
fn containers() {
    expect![[r#"
        {spec: {containers: []}}
        => Pod "p" is invalid: spec.containers: Required value
        {spec: {containers: [{name: c}]}}
        => Pod "p" is invalid: spec.containers[0].image: Required value
        {spec: {containers: [{name: C_1, image: ' nginx'}]}}
        => Pod "p" is invalid: [spec.containers[0].name: Invalid value: "C_1": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?'), spec.containers[0].image: Invalid value: " nginx": must not have leading or trailing whitespace]
        {spec: {containers: [{name: c, image: a}, {name: c, image: b}]}}
        => Pod "p" is invalid: spec.containers[1].name: Duplicate value: "c"
        {spec: {containers: [{name: c, image: a, imagePullPolicy: Sometimes, terminationMessagePolicy: None}]}}
        => Pod "p" is invalid: [spec.containers[0].terminationMessagePolicy: Unsupported value: "None": supported values: "File", "FallbackToLogsOnError", spec.containers[0].imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never"]
        {spec: {containers: [{name: c, image: a, ports: [{containerPort: 0}, {containerPort: 80, hostPort: 70000, protocol: tcp}]}]}}
        => Pod "p" is invalid: [spec.containers[0].ports[0].containerPort: Required value, spec.containers[0].ports[1].hostPort: Invalid value: 70000: must be between 1 and 65535, inclusive, spec.containers[0].ports[1].protocol: Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP"]
        {spec: {containers: [{name: c, image: a, ports: [{name: a--B_, containerPort: 1}, {name: x, containerPort: 2}, {name: x, containerPort: 3}]}]}}
        => Pod "p" is invalid: [spec.containers[0].ports[0].name: Invalid value: "a--B_": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-), spec.containers[0].ports[0].name: Invalid value: "a--B_": must not contain consecutive hyphens, spec.containers[0].ports[2].name: Duplicate value: "x"]
        {spec: {containers: [{name: c, image: a, ports: [{containerPort: 80, hostPort: 80}, {containerPort: 81, hostPort: 80}]}]}}
        => Pod "p" is invalid: spec.containers[0].ports[1].hostPort: Duplicate value: "TCP//80"
        {spec: {hostNetwork: true, containers: [{name: c, image: a, ports: [{containerPort: 80, hostPort: 81}]}]}}
        => Pod "p" is invalid: spec.containers[0].ports[0].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true
        {spec: {containers: [{name: c, image: a, env: [{value: x}, {name: A=B}]}]}}
        => Pod "p" is invalid: [spec.containers[0].env[0].name: Required value, spec.containers[0].env[1].name: Invalid value: "A=B": a valid environment variable name must consist only of printable ASCII characters other than '=']
        {spec: {containers: [{name: c, image: a, env: [{name: A, valueFrom: {}}, {name: B, value: x, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]}]}}
        => Pod "p" is invalid: [spec.containers[0].env[0].valueFrom: Invalid value: "": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`, spec.containers[0].env[1].valueFrom: Invalid value: "": may not be specified when `value` is not empty]
        {spec: {containers: [{name: c, image: a, env: [{name: A, valueFrom: {fieldRef: {fieldPath: spec.foo}}}, {name: B, valueFrom: {fieldRef: {fieldPath: metadata.labels}}}]}]}}
        => Pod "p" is invalid: [spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.foo": error converting fieldPath: field label not supported: spec.foo, spec.containers[0].env[1].valueFrom.fieldRef.fieldPath: Unsupported value: "metadata.labels": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"]
        {spec: {containers: [{name: c, image: a, env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.foo}}}, {name: B, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 2m}}}]}]}}
        => Pod "p" is invalid: [spec.containers[0].env[0].valueFrom.resourceFieldRef.resource: Unsupported value: "limits.foo": supported values: "limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage", "requests.memory", spec.containers[0].env[1].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.cpu": only divisor's values 1m and 1 are supported with the cpu resource]
        {spec: {containers: [{name: c, image: a, env: [{name: A, valueFrom: {configMapKeyRef: {name: x}}}, {name: B, valueFrom: {secretKeyRef: {key: a/b}}}]}]}}
        => Pod "p" is invalid: [spec.containers[0].env[0].valueFrom.configMapKeyRef.key: Required value, spec.containers[0].env[1].valueFrom.secretKeyRef.name: Invalid value: "": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), spec.containers[0].env[1].valueFrom.secretKeyRef.key: Invalid value: "a/b": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')]
        {spec: {containers: [{name: c, image: a, envFrom: [{}, {configMapRef: {}}]}]}}
        => Pod "p" is invalid: [spec.containers[0].envFrom: Invalid value: "": must specify one of: `configMapRef` or `secretRef`, spec.containers[0].envFrom[1].configMapRef.name: Required value]
        {spec: {containers: [{name: c, image: a, volumeMounts: [{name: x, mountPath: /a}, {mountPath: /a}]}]}}
        => Pod "p" is invalid: [spec.containers[0].volumeMounts[0].name: Not found: "x", spec.containers[0].volumeMounts[1].name: Required value, spec.containers[0].volumeMounts[1].name: Not found: "", spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/a": must be unique]
        {spec: {volumes: [{name: v}], containers: [{name: c, image: a, volumeMounts: [{name: v, mountPath: /a, subPath: /b}, {name: v, mountPath: /b, subPath: ../x, mountPropagation: Both}]}]}}
        => Pod "p" is invalid: [spec.containers[0].volumeMounts.subPath: Invalid value: "/b": must be a relative path, spec.containers[0].volumeMounts.subPath: Invalid value: "../x": must not contain '..', spec.containers[0].volumeMounts.mountPropagation: Unsupported value: "Both": supported values: "Bidirectional", "HostToContainer", "None"]
        {spec: {containers: [{name: c, image: a, resources: {limits: {cpu: 100m}, requests: {cpu: 200m, gpu: 1}}}]}}
        => Pod "p" is invalid: [spec.containers[0].resources.requests: Invalid value: "200m": must be less than or equal to cpu limit of 100m, spec.containers[0].resources.requests[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified, spec.containers[0].resources.requests[gpu]: Invalid value: "gpu": must be a standard resource for containers]
        {spec: {containers: [{name: c, image: a, resources: {limits: {memory: -1Mi, nvidia.com/gpu: 500m}}}]}}
        => Pod "p" is invalid: [spec.containers[0].resources.limits[memory]: Invalid value: "-1Mi": must be greater than or equal to 0, spec.containers[0].resources.limits[nvidia.com/gpu]: Invalid value: "500m": must be an integer, spec.containers[0].resources.requests[memory]: Invalid value: "-1Mi": must be greater than or equal to 0, spec.containers[0].resources.requests[nvidia.com/gpu]: Invalid value: "500m": must be an integer]
        {spec: {containers: [{name: c, image: a, resources: {requests: {nvidia.com/gpu: 1}}}]}}
        => Pod "p" is invalid: spec.containers[0].resources.limits: Required value: Limit must be set for non overcommitable resources
        {spec: {containers: [{name: c, image: a, resources: {limits: {hugepages-2Mi: 3Mi}}}]}}
        => Pod "p" is invalid: [spec.containers[0].resources.limits[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of hugepages-2Mi, spec.containers[0].resources.requests[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of hugepages-2Mi, spec.containers[0].resources: Forbidden: HugePages require cpu or memory]
        {spec: {containers: [{name: c, image: a, livenessProbe: {}, readinessProbe: {httpGet: {port: 0}, exec: {command: [a]}}}]}}
        => Pod "p" is invalid: [spec.containers[0].livenessProbe: Required value: must specify a handler type, spec.containers[0].readinessProbe.httpGet: Forbidden: may not specify more than 1 handler type]
        {spec: {containers: [{name: c, image: a, livenessProbe: {exec: {}, successThreshold: 2, periodSeconds: -1}}]}}
        => Pod "p" is invalid: [spec.containers[0].livenessProbe.exec.command: Required value, spec.containers[0].livenessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0, spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1]
        {spec: {containers: [{name: c, image: a, startupProbe: {tcpSocket: {port: http--x}, terminationGracePeriodSeconds: 0}}]}}
        => Pod "p" is invalid: [spec.containers[0].startupProbe.tcpSocket.port: Invalid value: "http--x": must not contain consecutive hyphens, spec.containers[0].startupProbe.terminationGracePeriodSeconds: Invalid value: 0: must be greater than 0]
        {spec: {containers: [{name: c, image: a, readinessProbe: {httpGet: {port: 80, scheme: http, httpHeaders: [{name: 'a b'}]}, terminationGracePeriodSeconds: 5}}]}}
        => Pod "p" is invalid: [spec.containers[0].readinessProbe.httpGet.scheme: Unsupported value: "http": supported values: "HTTP", "HTTPS", spec.containers[0].readinessProbe.httpGet.httpHeaders: Invalid value: "a b": a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+'), spec.containers[0].readinessProbe.terminationGracePeriodSeconds: Invalid value: 5: must not be set for readinessProbes]
        {spec: {containers: [{name: c, image: a, lifecycle: {preStop: {sleep: {seconds: 40}}}}]}}
        => Pod "p" is invalid: spec.containers[0].lifecycle.preStop.sleep: Invalid value: 40: must be non-negative and less than terminationGracePeriodSeconds (30)
        {spec: {containers: [{name: c, image: a, securityContext: {runAsUser: -1, privileged: true, allowPrivilegeEscalation: false}}]}}
        => Pod "p" is invalid: [spec.containers[0].securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive, spec.containers[0].securityContext: Invalid value: {"Capabilities":null,"Privileged":true,"SELinuxOptions":null,"WindowsOptions":null,"RunAsUser":-1,"RunAsGroup":null,"RunAsNonRoot":null,"ReadOnlyRootFilesystem":null,"AllowPrivilegeEscalation":false,"ProcMount":null,"SeccompProfile":null,"AppArmorProfile":null}: cannot set `allowPrivilegeEscalation` to false and `privileged` to true]
        {spec: {containers: [{name: c, image: a, securityContext: {seccompProfile: {type: Localhost}, procMount: Unmasked}}]}}
        => Pod "p" is invalid: [spec.containers[0].securityContext.procMount: Invalid value: "Unmasked": `hostUsers` must be false to use `Unmasked`, spec.containers[0].securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost]
        {spec: {containers: [{name: c, image: a, restartPolicyRules: [{action: Stop}]}]}}
        => Pod "p" is invalid: [spec.containers[0].restartPolicy: Required value: must specify restartPolicy when restart rules are used, spec.containers[0].restartPolicyRules[0].action: Unsupported value: "Stop": supported values: "Restart", "RestartAllContainers", spec.containers[0].restartPolicyRules[0].exitCodes: Required value: must be specified]
        {spec: {initContainers: [{name: c, image: a, readinessProbe: {exec: {command: [a]}}, lifecycle: {}}]}}
        => Pod "p" is invalid: [spec.initContainers[0].name: Duplicate value: "c", spec.initContainers[0].lifecycle: Forbidden: may not be set for init containers without restartPolicy=Always, spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without restartPolicy=Always]
        {spec: {ephemeralContainers: [{name: e, image: a, ports: [{containerPort: 1}], targetContainerName: x}]}}
        => Pod "p" is invalid: [spec.ephemeralContainers[0].targetContainerName: Not found: "x", spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container, spec.ephemeralContainers: Forbidden: cannot be set on create]
        {spec: {containers: [{name: c, image: a, resizePolicy: [{resourceName: disk, restartPolicy: Never}]}]}}
        => Pod "p" is invalid: [spec.containers[0].resizePolicy: Unsupported value: "disk": supported values: "cpu", "memory", spec.containers[0].resizePolicy: Unsupported value: "Never": supported values: "NotRequired", "RestartContainer"]
    "#]].assert_eq(&creations(
        POD,
        &[
            "{spec: {containers: []}}",
            "{spec: {containers: [{name: c}]}}",
            "{spec: {containers: [{name: C_1, image: ' nginx'}]}}",
            "{spec: {containers: [{name: c, image: a}, {name: c, image: b}]}}",
            "{spec: {containers: [{name: c, image: a, imagePullPolicy: Sometimes, terminationMessagePolicy: None}]}}",
            "{spec: {containers: [{name: c, image: a, ports: [{containerPort: 0}, {containerPort: 80, hostPort: 70000, protocol: tcp}]}]}}",
            "{spec: {containers: [{name: c, image: a, ports: [{name: a--B_, containerPort: 1}, {name: x, containerPort: 2}, {name: x, containerPort: 3}]}]}}",
            "{spec: {containers: [{name: c, image: a, ports: [{containerPort: 80, hostPort: 80}, {containerPort: 81, hostPort: 80}]}]}}",
            "{spec: {hostNetwork: true, containers: [{name: c, image: a, ports: [{containerPort: 80, hostPort: 81}]}]}}",
            "{spec: {containers: [{name: c, image: a, env: [{value: x}, {name: A=B}]}]}}",
            "{spec: {containers: [{name: c, image: a, env: [{name: A, valueFrom: {}}, {name: B, value: x, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]}]}}",
            "{spec: {containers: [{name: c, image: a, env: [{name: A, valueFrom: {fieldRef: {fieldPath: spec.foo}}}, {name: B, valueFrom: {fieldRef: {fieldPath: metadata.labels}}}]}]}}",
            "{spec: {containers: [{name: c, image: a, env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.foo}}}, {name: B, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 2m}}}]}]}}",
            "{spec: {containers: [{name: c, image: a, env: [{name: A, valueFrom: {configMapKeyRef: {name: x}}}, {name: B, valueFrom: {secretKeyRef: {key: a/b}}}]}]}}",
            "{spec: {containers: [{name: c, image: a, envFrom: [{}, {configMapRef: {}}]}]}}",
            "{spec: {containers: [{name: c, image: a, volumeMounts: [{name: x, mountPath: /a}, {mountPath: /a}]}]}}",
            "{spec: {volumes: [{name: v}], containers: [{name: c, image: a, volumeMounts: [{name: v, mountPath: /a, subPath: /b}, {name: v, mountPath: /b, subPath: ../x, mountPropagation: Both}]}]}}",
            "{spec: {containers: [{name: c, image: a, resources: {limits: {cpu: 100m}, requests: {cpu: 200m, gpu: 1}}}]}}",
            "{spec: {containers: [{name: c, image: a, resources: {limits: {memory: -1Mi, nvidia.com/gpu: 500m}}}]}}",
            "{spec: {containers: [{name: c, image: a, resources: {requests: {nvidia.com/gpu: 1}}}]}}",
            "{spec: {containers: [{name: c, image: a, resources: {limits: {hugepages-2Mi: 3Mi}}}]}}",
            "{spec: {containers: [{name: c, image: a, livenessProbe: {}, readinessProbe: {httpGet: {port: 0}, exec: {command: [a]}}}]}}",
            "{spec: {containers: [{name: c, image: a, livenessProbe: {exec: {}, successThreshold: 2, periodSeconds: -1}}]}}",
            "{spec: {containers: [{name: c, image: a, startupProbe: {tcpSocket: {port: http--x}, terminationGracePeriodSeconds: 0}}]}}",
            "{spec: {containers: [{name: c, image: a, readinessProbe: {httpGet: {port: 80, scheme: http, httpHeaders: [{name: 'a b'}]}, terminationGracePeriodSeconds: 5}}]}}",
            "{spec: {containers: [{name: c, image: a, lifecycle: {preStop: {sleep: {seconds: 40}}}}]}}",
            "{spec: {containers: [{name: c, image: a, securityContext: {runAsUser: -1, privileged: true, allowPrivilegeEscalation: false}}]}}",
            "{spec: {containers: [{name: c, image: a, securityContext: {seccompProfile: {type: Localhost}, procMount: Unmasked}}]}}",
            "{spec: {containers: [{name: c, image: a, restartPolicyRules: [{action: Stop}]}]}}",
            "{spec: {initContainers: [{name: c, image: a, readinessProbe: {exec: {command: [a]}}, lifecycle: {}}]}}",
            "{spec: {ephemeralContainers: [{name: e, image: a, ports: [{containerPort: 1}], targetContainerName: x}]}}",
            "{spec: {containers: [{name: c, image: a, resizePolicy: [{resourceName: disk, restartPolicy: Never}]}]}}",
        ],
    ));
}

#[test]
fn pods() {
    expect![[r#"
        {metadata: {name: A}}
        => Pod "A" is invalid: metadata.name: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        {metadata: {labels: {'a b': -x-}}}
        => Pod "p" is invalid: [metadata.labels: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'), metadata.labels: Invalid value: "-x-": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')]
        {metadata: {finalizers: [foo]}}
        => Pod "p" is invalid: metadata.finalizers[0]: Invalid value: "foo": name is neither a standard finalizer name nor is it fully qualified
        {spec: {restartPolicy: Sometimes, dnsPolicy: Mine}}
        => Pod "p" is invalid: [spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never", spec.dnsPolicy: Unsupported value: "Mine": supported values: "ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"]
        {spec: {dnsPolicy: None}}
        => Pod "p" is invalid: spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None
        {spec: {dnsPolicy: None, dnsConfig: {}}}
        => Pod "p" is invalid: spec.dnsConfig.nameservers: Required value: must provide at least one DNS nameserver when `dnsPolicy` is None
        {spec: {dnsConfig: {nameservers: [1.2.3], searches: [a..b], options: [{value: x}]}}}
        => Pod "p" is invalid: [spec.dnsConfig.nameservers[0]: Invalid value: "1.2.3": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff), spec.dnsConfig.searches[0]: Invalid value: "a..b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*'), spec.dnsConfig.options[0]: Required value: must not be empty]
        {spec: {activeDeadlineSeconds: 0, hostname: A.b, subdomain: x.y}}
        => Pod "p" is invalid: [spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive, spec.hostname: Invalid value: "A.b": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?'), spec.subdomain: Invalid value: "x.y": must not contain dots]
        {spec: {serviceAccountName: A_B}}
        => pods "p" is forbidden: error looking up service account default/A_B: serviceaccount "A_B" not found
        {spec: {nodeSelector: {'a b': c}, nodeName: A}}
        => Pod "p" is invalid: [spec.nodeSelector: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'), spec.nodeName: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')]
        {spec: {hostAliases: [{ip: 010.0.0.1, hostnames: [A]}, {ip: x}]}}
        => Pod "p" is invalid: [spec.hostAliases[0].ip: Invalid value: "010.0.0.1": must not have leading 0s, spec.hostAliases[0].hostnames[0]: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), spec.hostAliases[1].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)]
        {spec: {tolerations: [{value: x}, {key: a, operator: Exists, value: b}, {key: a, operator: Like, effect: Never}]}}
        => Pod "p" is invalid: [spec.tolerations[0].operator: Invalid value: "": operator must be Exists when `key` is empty, which means "match all values and all keys", spec.tolerations[1].operator: Invalid value: "b": value must be empty when `operator` is 'Exists', spec.tolerations[2].operator: Unsupported value: "Like": supported values: "Equal", "Exists", spec.tolerations[2].effect: Unsupported value: "Never": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"]
        {spec: {tolerations: [{key: a, tolerationSeconds: 5, effect: NoSchedule}]}}
        => Pod "p" is invalid: spec.tolerations[0].effect: Invalid value: "NoSchedule": effect must be 'NoExecute' when `tolerationSeconds` is set
        {spec: {affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: []}}}}}
        => Pod "p" is invalid: spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value: must have at least one node selector term
        {spec: {affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: '', operator: In}, {key: a, operator: Gt, values: [a, b]}, {key: a, operator: Foo}]}]}}}}}
        => Pod "p" is invalid: [spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn', spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].key: Invalid value: "": name part must be non-empty, spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].key: Invalid value: "": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'), spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[1].values: Required value: must be specified single value when `operator` is 'Lt' or 'Gt', spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[2].operator: Invalid value: "Foo": not a valid selector operator]
        {spec: {affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{labelSelector: {}}], preferredDuringSchedulingIgnoredDuringExecution: [{weight: 0, podAffinityTerm: {topologyKey: zone, namespaces: [A]}}]}}}}
        => Pod "p" is invalid: [spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Required value: can not be empty, spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Invalid value: "": name part must be non-empty, spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Invalid value: "": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'), spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 0: must be in the range 1-100, spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.namespace: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')]
        {spec: {topologySpreadConstraints: [{maxSkew: 0, whenUnsatisfiable: Maybe}, {maxSkew: 1, topologyKey: z, whenUnsatisfiable: ScheduleAnyway, minDomains: 2}]}}
        => Pod "p" is invalid: [spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero, spec.topologySpreadConstraints[0].topologyKey: Required value: can not be empty, spec.topologySpreadConstraints[0].whenUnsatisfiable: Unsupported value: "Maybe": supported values: "DoNotSchedule", "ScheduleAnyway", spec.topologySpreadConstraints[1].minDomains: Invalid value: 2: can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway]
        {spec: {topologySpreadConstraints: [{maxSkew: 1, topologyKey: z, whenUnsatisfiable: DoNotSchedule}, {maxSkew: 2, topologyKey: z, whenUnsatisfiable: DoNotSchedule}]}}
        => Pod "p" is invalid: spec.topologySpreadConstraints[0].{topologyKey, whenUnsatisfiable}: Duplicate value: "{z, DoNotSchedule}"
        {spec: {schedulingGates: [{name: a}, {name: a}], nodeName: a, readinessGates: [{conditionType: 'a b'}]}}
        => Pod "p" is invalid: [spec.readinessGates[0].conditionType: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'), spec.schedulingGates[1]: Duplicate value: "a", spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared]
        {spec: {securityContext: {runAsUser: -1, fsGroup: -2, sysctls: [{name: 'A'}, {name: net.core.somaxconn}]}, hostNetwork: true}}
        => Pod "p" is invalid: [spec.securityContext.fsGroup: Invalid value: -2: must be between 0 and 2147483647, inclusive, spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive, spec.securityContext.sysctls[0].name: Invalid value: "A": must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$, spec.securityContext.sysctls[1].name: Invalid value: "net.core.somaxconn": may not be specified when 'hostNetwork' is true]
        {spec: {os: {name: beos}}}
        => Pod "p" is invalid: spec.os: Unsupported value: "beos": supported values: "linux", "windows"
        {spec: {os: {name: windows}, securityContext: {runAsUser: 5}, containers: [{name: c, image: a, securityContext: {privileged: true}}]}}
        => Pod "p" is invalid: [spec.securityContext.runAsUser: Forbidden: cannot be set for a windows pod, spec.containers[0].securityContext.privileged: Forbidden: cannot be set for a windows pod]
        {spec: {os: {name: linux}, securityContext: {windowsOptions: {runAsUserName: x}}}}
        => Pod "p" is invalid: spec.securityContext.windowsOptions: Forbidden: windows options cannot be set for a linux pod
        {spec: {hostUsers: false, hostPID: true}}
        => Pod "p" is invalid: spec.HostPID: Forbidden: when `pod.Spec.HostUsers` is false
        {spec: {shareProcessNamespace: true, hostPID: true}}
        => Pod "p" is invalid: spec.securityContext.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled
        {spec: {preemptionPolicy: Maybe}}
        => pods "p" is forbidden: the string value of PreemptionPolicy (Maybe) must not be provided in pod spec; priority admission controller computed PreemptLowerPriority from the given PriorityClass name
        {spec: {overhead: {cpu: -1}}}
        => Pod "p" is invalid: spec.overhead.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0
        {spec: {resources: {limits: {cpu: 1, ephemeral-storage: 1Gi}}, containers: [{name: c, image: a, resources: {requests: {cpu: 2}}}]}}
        => Pod "p" is invalid: [spec.resources.limits[ephemeral-storage]: Unsupported value: "ephemeral-storage": supported values: "cpu", "hugepages-", "memory", spec.resources.requests[ephemeral-storage]: Unsupported value: "ephemeral-storage": supported values: "cpu", "hugepages-", "memory", spec.resources.requests[cpu]: Invalid value: "1": must be greater than or equal to aggregate container requests of 2]
        {spec: {resourceClaims: [{name: a}, {name: a, resourceClaimName: x}]}}
        => Pod "p" is invalid: [spec.resourceClaims[0]: Invalid value: {"Name":"a","ResourceClaimName":null,"ResourceClaimTemplateName":null}: must specify one of: `resourceClaimName`, `resourceClaimTemplateName`, spec.resourceClaims[1].name: Duplicate value: "a"]
        {metadata: {annotations: {controller.kubernetes.io/pod-deletion-cost: '1.5'}}}
        => Pod "p" is invalid: metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "1.5": must be a 32bit integer
    "#]].assert_eq(&creations(
        POD,
        &[
            "{metadata: {name: A}}",
            "{metadata: {labels: {'a b': -x-}}}",
            "{metadata: {finalizers: [foo]}}",
            "{spec: {restartPolicy: Sometimes, dnsPolicy: Mine}}",
            "{spec: {dnsPolicy: None}}",
            "{spec: {dnsPolicy: None, dnsConfig: {}}}",
            "{spec: {dnsConfig: {nameservers: [1.2.3], searches: [a..b], options: [{value: x}]}}}",
            "{spec: {activeDeadlineSeconds: 0, hostname: A.b, subdomain: x.y}}",
            "{spec: {serviceAccountName: A_B}}",
            "{spec: {nodeSelector: {'a b': c}, nodeName: A}}",
            "{spec: {hostAliases: [{ip: 010.0.0.1, hostnames: [A]}, {ip: x}]}}",
            "{spec: {tolerations: [{value: x}, {key: a, operator: Exists, value: b}, {key: a, operator: Like, effect: Never}]}}",
            "{spec: {tolerations: [{key: a, tolerationSeconds: 5, effect: NoSchedule}]}}",
            "{spec: {affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: []}}}}}",
            "{spec: {affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: '', operator: In}, {key: a, operator: Gt, values: [a, b]}, {key: a, operator: Foo}]}]}}}}}",
            "{spec: {affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{labelSelector: {}}], preferredDuringSchedulingIgnoredDuringExecution: [{weight: 0, podAffinityTerm: {topologyKey: zone, namespaces: [A]}}]}}}}",
            "{spec: {topologySpreadConstraints: [{maxSkew: 0, whenUnsatisfiable: Maybe}, {maxSkew: 1, topologyKey: z, whenUnsatisfiable: ScheduleAnyway, minDomains: 2}]}}",
            "{spec: {topologySpreadConstraints: [{maxSkew: 1, topologyKey: z, whenUnsatisfiable: DoNotSchedule}, {maxSkew: 2, topologyKey: z, whenUnsatisfiable: DoNotSchedule}]}}",
            "{spec: {schedulingGates: [{name: a}, {name: a}], nodeName: a, readinessGates: [{conditionType: 'a b'}]}}",
            "{spec: {securityContext: {runAsUser: -1, fsGroup: -2, sysctls: [{name: 'A'}, {name: net.core.somaxconn}]}, hostNetwork: true}}",
            "{spec: {os: {name: beos}}}",
            "{spec: {os: {name: windows}, securityContext: {runAsUser: 5}, containers: [{name: c, image: a, securityContext: {privileged: true}}]}}",
            "{spec: {os: {name: linux}, securityContext: {windowsOptions: {runAsUserName: x}}}}",
            "{spec: {hostUsers: false, hostPID: true}}",
            "{spec: {shareProcessNamespace: true, hostPID: true}}",
            "{spec: {preemptionPolicy: Maybe}}",
            "{spec: {overhead: {cpu: -1}}}",
            "{spec: {resources: {limits: {cpu: 1, ephemeral-storage: 1Gi}}, containers: [{name: c, image: a, resources: {requests: {cpu: 2}}}]}}",
            "{spec: {resourceClaims: [{name: a}, {name: a, resourceClaimName: x}]}}",
            "{metadata: {annotations: {controller.kubernetes.io/pod-deletion-cost: '1.5'}}}",
        ],
    ));
}

#[test]
fn volumes() {
    expect![[r#"
        {spec: {volumes: [{emptyDir: {}}, {name: A_, emptyDir: {}}, {name: v, emptyDir: {}}, {name: v, emptyDir: {}}]}}
        => Pod "p" is invalid: [spec.volumes[0].name: Required value, spec.volumes[1].name: Invalid value: "A_": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?'), spec.volumes[3].name: Duplicate value: "v"]
        {spec: {volumes: [{name: v, emptyDir: {}, hostPath: {path: /a}}]}}
        => Pod "p" is invalid: spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type
        {spec: {volumes: [{name: v, hostPath: {path: ''}}, {name: w, hostPath: {path: /a/../b, type: Folder}}]}}
        => Pod "p" is invalid: [spec.volumes[0].hostPath.path: Required value, spec.volumes[1].hostPath.path: Invalid value: "/a/../b": must not contain '..', spec.volumes[1].hostPath.type: Unsupported value: "Folder": supported values: "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"]
        {spec: {volumes: [{name: v, configMap: {defaultMode: 512, items: [{key: a}, {key: b, path: ../x, mode: -1}]}}]}}
        => Pod "p" is invalid: [spec.volumes[0].configMap.name: Required value, spec.volumes[0].configMap.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive, spec.volumes[0].configMap.items[0].path: Required value, spec.volumes[0].configMap.items[1].path: Invalid value: "../x": must not contain '..', spec.volumes[0].configMap.items[1].mode: Invalid value: -1: must be a number between 0 and 0777 (octal), both inclusive]
        {spec: {volumes: [{name: v, secret: {items: [{key: a, path: /x}]}}]}}
        => Pod "p" is invalid: [spec.volumes[0].secret.secretName: Required value, spec.volumes[0].secret.items[0].path: Invalid value: "/x": must be a relative path]
        {spec: {volumes: [{name: v, persistentVolumeClaim: {claimName: ''}}]}}
        => Pod "p" is invalid: spec.volumes[0].persistentVolumeClaim.claimName: Required value
        {spec: {volumes: [{name: v, nfs: {server: s, path: x}}]}}
        => Pod "p" is invalid: spec.volumes[0].nfs.path: Invalid value: "x": must be an absolute path
        {spec: {volumes: [{name: v, downwardAPI: {items: [{path: a}, {path: b, fieldRef: {fieldPath: status.podIP}}, {path: c, resourceFieldRef: {resource: limits.cpu}}]}}]}}
        => Pod "p" is invalid: [spec.volumes[0].downwardAPI: Required value: one of fieldRef and resourceFieldRef is required, spec.volumes[0].downwardAPI.fieldRef.fieldPath: Unsupported value: "status.podIP": supported values: "metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid", spec.volumes[0].downwardAPI.resourceFieldRef.containerName: Required value]
        {spec: {volumes: [{name: v, projected: {sources: [{secret: {}, configMap: {name: a}}, {serviceAccountToken: {expirationSeconds: 5, path: t}}]}}]}}
        => Pod "p" is invalid: [spec.volumes[0].projected.sources[0].secret.name: Required value, spec.volumes[0].projected.sources[0]: Forbidden: may not specify more than 1 volume type per source, spec.volumes[0].projected.sources[1].serviceAccountToken.expirationSeconds: Invalid value: 5: may not specify a duration less than 10 minutes]
        {spec: {volumes: [{name: v, projected: {sources: [{configMap: {name: a, items: [{key: k, path: p}]}}, {configMap: {name: b, items: [{key: k, path: p}]}}]}}]}}
        => Pod "p" is invalid: spec.volumes[0].projected: Invalid value: "b": conflicting duplicate paths
        {spec: {volumes: [{name: v, csi: {driver: ''}}, {name: w, csi: {driver: A_b}}]}}
        => Pod "p" is invalid: [spec.volumes[0].csi.driver: Required value, spec.volumes[0].csi.driver: Invalid value: "": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), spec.volumes[1].csi.driver: Invalid value: "A_b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')]
        {spec: {volumes: [{name: v, emptyDir: {sizeLimit: -1Gi}}]}}
        => Pod "p" is invalid: spec.volumes[0].emptyDir.sizeLimit: Forbidden: SizeLimit field must be a valid resource quantity
        {spec: {volumes: [{name: v, ephemeral: {}}, {name: w, ephemeral: {volumeClaimTemplate: {spec: {}}}}]}}
        => Pod "p" is invalid: [spec.volumes[0].ephemeral.volumeClaimTemplate: Required value, spec.volumes[1].ephemeral.volumeClaimTemplate.spec.accessModes: Required value: at least 1 access mode is required, spec.volumes[1].ephemeral.volumeClaimTemplate.spec.resources[storage]: Required value]
        {spec: {volumes: [{name: v, image: {pullPolicy: Maybe}}]}}
        => Pod "p" is invalid: [spec.volumes[0].image.reference: Required value, spec.volumes[0].image.pullPolicy: Unsupported value: "Maybe": supported values: "Always", "IfNotPresent", "Never"]
        {spec: {volumes: [{name: v, azureDisk: {}}, {name: w, rbd: {monitors: []}}, {name: x, gcePersistentDisk: {}}]}}
        => Pod "p" is invalid: [spec.volumes[0].azureDisk.diskName: Required value, spec.volumes[0].azureDisk.diskURI: Required value, spec.volumes[1].rbd.monitors: Required value, spec.volumes[1].rbd.image: Required value, spec.volumes[2].persistentDisk.pdName: Required value]
    "#]].assert_eq(&creations(
        POD,
        &[
            "{spec: {volumes: [{emptyDir: {}}, {name: A_, emptyDir: {}}, {name: v, emptyDir: {}}, {name: v, emptyDir: {}}]}}",
            "{spec: {volumes: [{name: v, emptyDir: {}, hostPath: {path: /a}}]}}",
            "{spec: {volumes: [{name: v, hostPath: {path: ''}}, {name: w, hostPath: {path: /a/../b, type: Folder}}]}}",
            "{spec: {volumes: [{name: v, configMap: {defaultMode: 512, items: [{key: a}, {key: b, path: ../x, mode: -1}]}}]}}",
            "{spec: {volumes: [{name: v, secret: {items: [{key: a, path: /x}]}}]}}",
            "{spec: {volumes: [{name: v, persistentVolumeClaim: {claimName: ''}}]}}",
            "{spec: {volumes: [{name: v, nfs: {server: s, path: x}}]}}",
            "{spec: {volumes: [{name: v, downwardAPI: {items: [{path: a}, {path: b, fieldRef: {fieldPath: status.podIP}}, {path: c, resourceFieldRef: {resource: limits.cpu}}]}}]}}",
            "{spec: {volumes: [{name: v, projected: {sources: [{secret: {}, configMap: {name: a}}, {serviceAccountToken: {expirationSeconds: 5, path: t}}]}}]}}",
            "{spec: {volumes: [{name: v, projected: {sources: [{configMap: {name: a, items: [{key: k, path: p}]}}, {configMap: {name: b, items: [{key: k, path: p}]}}]}}]}}",
            "{spec: {volumes: [{name: v, csi: {driver: ''}}, {name: w, csi: {driver: A_b}}]}}",
            "{spec: {volumes: [{name: v, emptyDir: {sizeLimit: -1Gi}}]}}",
            "{spec: {volumes: [{name: v, ephemeral: {}}, {name: w, ephemeral: {volumeClaimTemplate: {spec: {}}}}]}}",
            "{spec: {volumes: [{name: v, image: {pullPolicy: Maybe}}]}}",
            "{spec: {volumes: [{name: v, azureDisk: {}}, {name: w, rbd: {monitors: []}}, {name: x, gcePersistentDisk: {}}]}}",
        ],
    ));
}

#[test]
fn updates_of_pods() {
    expect![[r#"
        {spec: {containers: [{name: c, image: other}], activeDeadlineSeconds: 40}}
        => ok
        {spec: {containers: [{name: c, image: ''}]}}
        => Pod "p" is invalid: spec.containers[0].image: Required value
        {spec: {containers: [{name: d, image: nginx}]}}
        => Pod "p" is invalid: spec.containers: Forbidden: pod updates may not add or remove containers
        {spec: {activeDeadlineSeconds: null}}
        => Pod "p" is invalid: spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value
        {spec: {activeDeadlineSeconds: 60}}
        => Pod "p" is invalid: spec.activeDeadlineSeconds: Invalid value: 60: must be less than or equal to previous value
        {spec: {tolerations: [{$patch: replace}]}}
        => Pod "p" is invalid: [spec.tolerations[0].operator: Invalid value: "": operator must be Exists when `key` is empty, which means "match all values and all keys", spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds]
           ! unknown field "spec.tolerations[0].$patch"
        {spec: {schedulingGates: [{name: b}]}}
        => Pod "p" is invalid: spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'b'
        {spec: {schedulingGates: [{$patch: replace}], nodeSelector: {a: b, c: d}}}
        => ok
        {spec: {nodeSelector: {a: c}}}
        => Pod "p" is invalid: spec.nodeSelector: Invalid value: {"a":"c"}: only additions to spec.nodeSelector are allowed (no mutations or deletions)
        {spec: {affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Exists}]}]}}}}}
        => ok
        {spec: {terminationGracePeriodSeconds: 5}}
        => Pod "p" is invalid: spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)
        @@ -134,7 +134,7 @@
          ],
          "EphemeralContainers": null,
          "RestartPolicy": "Always",
        - "TerminationGracePeriodSeconds": 30,
        + "TerminationGracePeriodSeconds": 5,
          "ActiveDeadlineSeconds": 50,
          "DNSPolicy": "ClusterFirst",
          "NodeSelector": {

    "#]].assert_eq(&updates(
        "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {activeDeadlineSeconds: 50, schedulingGates: [{name: a}], nodeSelector: {a: b}, tolerations: [{key: x, operator: Exists}], containers: [{name: c, image: nginx}]}}",
        &[
            "{spec: {containers: [{name: c, image: other}], activeDeadlineSeconds: 40}}",
            "{spec: {containers: [{name: c, image: ''}]}}",
            "{spec: {containers: [{name: d, image: nginx}]}}",
            "{spec: {activeDeadlineSeconds: null}}",
            "{spec: {activeDeadlineSeconds: 60}}",
            "{spec: {tolerations: [{$patch: replace}]}}",
            "{spec: {schedulingGates: [{name: b}]}}",
            "{spec: {schedulingGates: [{$patch: replace}], nodeSelector: {a: b, c: d}}}",
            "{spec: {nodeSelector: {a: c}}}",
            "{spec: {affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Exists}]}]}}}}}",
            "{spec: {terminationGracePeriodSeconds: 5}}",
        ],
    ));
}

const POLICY: &str = "{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicy, metadata: {name: demo}, spec: {matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE, UPDATE, DELETE], resources: [configmaps]}]}, validations: [{expression: 'true'}]}}";

#[test]
fn policies() {
    expect![[r#"
        {spec: {matchConstraints: null, validations: []}}
        => ValidatingAdmissionPolicy.admissionregistration.k8s.io "demo" is invalid: [spec.matchConstraints: Required value, spec.validations: Required value: validations or auditAnnotations must contain at least one item, spec.auditAnnotations: Required value: validations or auditAnnotations must contain at least one item]
        {spec: {matchConstraints: {resourceRules: []}, failurePolicy: Panic}}
        => ValidatingAdmissionPolicy.admissionregistration.k8s.io "demo" is invalid: [spec.failurePolicy: Unsupported value: "Panic": supported values: "Fail", "Ignore", spec.matchConstraints.resourceRules: Required value]
        {spec: {matchConstraints: {resourceRules: [{apiGroups: ['*', apps], operations: [READ]}]}}}
        => ValidatingAdmissionPolicy.admissionregistration.k8s.io "demo" is invalid: [spec.matchConstraints.resourceRules[0].operations[0]: Unsupported value: "READ": supported values: "*", "CONNECT", "CREATE", "DELETE", "UPDATE", spec.matchConstraints.resourceRules[0].apiGroups: Invalid value: ["*","apps"]: if '*' is present, must not specify other API groups, spec.matchConstraints.resourceRules[0].apiVersions: Required value, spec.matchConstraints.resourceRules[0].resources: Required value]
        {spec: {validations: [{expression: 'object.spec.'}, {expression: '1 + 1'}, {}]}}
        => ValidatingAdmissionPolicy.admissionregistration.k8s.io "demo" is invalid: [spec.validations[0].expression: Invalid value: "object.spec.": compilation failed: ERROR: <input>:1:13: Syntax error: no viable alternative at input '.'
         | object.spec.
         | ............^, spec.validations[1].expression: Invalid value: "1 + 1": must evaluate to bool but got int, spec.validations[2].expression: Required value: expression is not specified]
        {spec: {validations: [{expression: 'params.x', message: "a\nb", reason: Because}]}}
        => ValidatingAdmissionPolicy.admissionregistration.k8s.io "demo" is invalid: [spec.validations[0].expression: Invalid value: "params.x": compilation failed: ERROR: <input>:1:1: undeclared reference to 'params' (in container '')
         | params.x
         | ^, spec.validations[0].message: Invalid value: "a\nb": message must not contain line breaks, spec.validations[0].reason: Unsupported value: "Because": supported values: "Forbidden", "Invalid", "RequestEntityTooLarge"]
        {spec: {variables: [{name: 1a, expression: x}], matchConditions: [{name: 'a b', expression: '1'}]}}
        => ValidatingAdmissionPolicy.admissionregistration.k8s.io "demo" is invalid: [spec.matchConditions[0].expression: Invalid value: "1": must evaluate to bool but got int, spec.matchConditions[0].name: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'), spec.variables[0].name: Invalid value: "1a": name is not a valid CEL identifier, spec.variables[0].expression: Invalid value: "x": compilation failed: ERROR: <input>:1:1: undeclared reference to 'x' (in container '')
         | x
         | ^]
    "#]].assert_eq(&creations(
        POLICY,
        &[
            "{spec: {matchConstraints: null, validations: []}}",
            "{spec: {matchConstraints: {resourceRules: []}, failurePolicy: Panic}}",
            "{spec: {matchConstraints: {resourceRules: [{apiGroups: ['*', apps], operations: [READ]}]}}}",
            "{spec: {validations: [{expression: 'object.spec.'}, {expression: '1 + 1'}, {}]}}",
            "{spec: {validations: [{expression: 'params.x', message: \"a\\nb\", reason: Because}]}}",
            "{spec: {variables: [{name: 1a, expression: x}], matchConditions: [{name: 'a b', expression: '1'}]}}",
        ],
    ));
    expect![[r#"
        {}
        => ok
        {spec: {policyName: '', validationActions: []}}
        => ValidatingAdmissionPolicyBinding.admissionregistration.k8s.io "demo" is invalid: [spec.policyName: Required value, spec.validationActions: Required value: at least one validation action is required]
        {spec: {validationActions: [Deny, Warn, Deny, Log], paramRef: {name: x}}}
        => ValidatingAdmissionPolicyBinding.admissionregistration.k8s.io "demo" is invalid: [spec.paramRef.parameterNotFoundAction: Required value, spec.validationActions[2]: Duplicate value: "Deny", spec.validationActions[3]: Unsupported value: "Log": supported values: "Audit", "Deny", "Warn", spec.validationActions: Invalid value: ["Deny","Warn","Deny","Log"]: must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)]
    "#]].assert_eq(&creations(
        "{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicyBinding, metadata: {name: demo}, spec: {policyName: demo, validationActions: [Deny]}}",
        &[
            "{}",
            "{spec: {policyName: '', validationActions: []}}",
            "{spec: {validationActions: [Deny, Warn, Deny, Log], paramRef: {name: x}}}",
        ],
    ));
    expect![[r#"
        {}
        => ok
        {webhooks: [{name: x}]}
        => ValidatingWebhookConfiguration.admissionregistration.k8s.io "demo" is invalid: [webhooks[0].name: Invalid value: "x": should be a domain with at least three segments separated by dots, webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun, webhooks[0].clientConfig: Required value: exactly one of url or service is required, webhooks[0].admissionReviewVersions: Required value: must specify one of v1, v1beta1]
        {webhooks: [{name: a.b.c, admissionReviewVersions: [v2], sideEffects: Some, timeoutSeconds: 60, clientConfig: {url: 'http://x'}}]}
        => ValidatingWebhookConfiguration.admissionregistration.k8s.io "demo" is invalid: [webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun", webhooks[0].timeoutSeconds: Invalid value: 60: the timeout value must be between 1 and 30 seconds, webhooks[0].clientConfig.url: Invalid value: "http": 'https' is the only allowed URL scheme; desired format: https://host[/path], webhooks[0].admissionReviewVersions: Invalid value: ["v2"]: must include at least one of v1, v1beta1]
    "#]].assert_eq(&creations(
        "{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: demo}, webhooks: [{name: a.b.c, admissionReviewVersions: [v1], sideEffects: None, clientConfig: {service: {name: s, namespace: default}}}]}",
        &[
            "{}",
            "{webhooks: [{name: x}]}",
            "{webhooks: [{name: a.b.c, admissionReviewVersions: [v2], sideEffects: Some, timeoutSeconds: 60, clientConfig: {url: 'http://x'}}]}",
        ],
    ));
}

/// Makes these objects, and then tries requests: `METHOD path`, and what is sent.
fn requests(given: &[&str], tries: &[(Method, &str, &str)]) -> String {
    let api = server();
    let mut out = String::new();
    for object in given {
        let object = tree(object);
        let path = collection(&api, &object);
        let made = api.serve(Request::new(Method::Post, path).body(Body::Value(object)));
        assert_eq!(made.code, 201, "{}", answer(&made));
    }
    for (method, path, body) in tries {
        let mut request = Request::new(*method, *path);
        if *method == Method::Patch {
            request.content_type = "application/merge-patch+json".into();
        }
        let response = api.serve(request.body(Body::Value(tree(body))));
        out.push_str(&format!("{} {path} {body}\n=> {}", method.name(), answer(&response)));
        if response.code >= 400 {
            let value = response.value();
            out.push_str(&format!(" ({} {})", response.code, value.str_at(&["reason"])));
        }
        out.push('\n');
    }
    out
}

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

#[test]
fn policies_decide() {
    let policy = merged(
        &tree(POLICY),
        "{spec: {paramKind: {apiVersion: v1, kind: ConfigMap}, matchConditions: [{name: mine, expression: \"object == null || !object.metadata.name.startsWith('free')\"}], variables: [{name: size, expression: 'size(object.data)'}, {name: most, expression: 'int(params.data.most)'}], validations: [{expression: \"request.operation == 'DELETE' || variables.size <= variables.most\", messageExpression: \"'at most ' + string(variables.most) + ' keys, not ' + string(variables.size)\"}, {expression: \"request.operation != 'DELETE' || oldObject.metadata.name != 'kept'\", message: 'kept stays', reason: Forbidden}]}}",
    );
    let binding = "{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicyBinding, metadata: {name: demo}, spec: {policyName: demo, validationActions: [Deny], paramRef: {name: free-limits, namespace: default, parameterNotFoundAction: Deny}}}";
    let warn = "{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicyBinding, metadata: {name: other}, spec: {policyName: demo, validationActions: [Warn], paramRef: {name: free-limits, namespace: default, parameterNotFoundAction: Allow}}}";
    expect![[r#"
        POST /api/v1/namespaces/default/configmaps {metadata: {name: early}, data: {a: b}}
        => configmaps "early" is forbidden: ValidatingAdmissionPolicy 'demo' with binding 'demo' denied request: failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction (422 Invalid)
        POST /api/v1/namespaces/default/secrets {metadata: {name: free}}
        => ok
    "#]].assert_eq(&requests(
        &[&policy.to_json(), binding, warn],
        &[
            (Method::Post, CONFIG_MAPS, "{metadata: {name: early}, data: {a: b}}"),
            (
                Method::Post,
                "/api/v1/namespaces/default/secrets",
                "{metadata: {name: free}}",
            ),
        ],
    ));
    expect![[r#"
        POST /api/v1/namespaces/default/configmaps {metadata: {name: small}, data: {a: b}}
        => ok
        POST /api/v1/namespaces/default/configmaps {metadata: {name: large}, data: {a: b, c: d, e: f}}
        => configmaps "large" is forbidden: ValidatingAdmissionPolicy 'demo' with binding 'demo' denied request: at most 2 keys, not 3
           ! Validation failed for ValidatingAdmissionPolicy 'demo' with binding 'other': at most 2 keys, not 3 (422 Invalid)
        POST /api/v1/namespaces/default/configmaps {metadata: {name: free-1}, data: {a: b, c: d, e: f}}
        => ok
        POST /api/v1/namespaces/default/configmaps {metadata: {name: empty}}
        => configmaps "empty" is forbidden: ValidatingAdmissionPolicy 'demo' with binding 'demo' denied request: expression 'request.operation == 'DELETE' || variables.size <= variables.most' resulted in error: composited variable "size" fails to evaluate: no such key: data
           ! Validation failed for ValidatingAdmissionPolicy 'demo' with binding 'other': expression 'request.operation == 'DELETE' || variables.size <= variables.most' resulted in error: composited variable "size" fails to evaluate: no such key: data (422 Invalid)
        DELETE /api/v1/namespaces/default/configmaps/kept {}
        => configmaps "kept" is forbidden: ValidatingAdmissionPolicy 'demo' with binding 'demo' denied request: kept stays
           ! Validation failed for ValidatingAdmissionPolicy 'demo' with binding 'other': kept stays (403 Forbidden)
    "#]].assert_eq(&requests(
        &[
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: free-limits}, data: {most: '2'}}",
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: kept}, data: {a: b}}",
            &policy.to_json(),
            binding,
            warn,
        ],
        &[
            (Method::Post, CONFIG_MAPS, "{metadata: {name: small}, data: {a: b}}"),
            (
                Method::Post,
                CONFIG_MAPS,
                "{metadata: {name: large}, data: {a: b, c: d, e: f}}",
            ),
            (
                Method::Post,
                CONFIG_MAPS,
                "{metadata: {name: free-1}, data: {a: b, c: d, e: f}}",
            ),
            (Method::Post, CONFIG_MAPS, "{metadata: {name: empty}}"),
            (
                Method::Delete,
                "/api/v1/namespaces/default/configmaps/kept",
                "{}",
            ),
        ],
    ));
}

#[test]
fn webhooks_that_cannot_be_reached() {
    let hook = |policy: &str, client: &str| {
        format!(
            "{{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {{name: demo}}, webhooks: [{{name: a.example.com, admissionReviewVersions: [v1], sideEffects: None, failurePolicy: {policy}, rules: [{{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}}], clientConfig: {client}}}]}}"
        )
    };
    let create = [(Method::Post, CONFIG_MAPS, "{metadata: {name: a}}")];
    let service = "{service: {name: hook, namespace: default, path: /validate}}";
    let mut out = requests(&[&hook("Fail", service)], &create);
    out.push_str(&requests(&[&hook("Ignore", service)], &create));
    out.push_str(&requests(
        &[&hook("Fail", "{url: 'https://hook.example.com/v'}")],
        &create,
    ));
    let there =
        "{apiVersion: v1, kind: Service, metadata: {name: hook}, spec: {clusterIP: 10.96.1.1, ports: [{port: 443}]}}";
    out.push_str(&requests(&[there, &hook("Fail", service)], &create));
    let slice = "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: hook, labels: {kubernetes.io/service-name: hook}}, addressType: IPv4, endpoints: [{addresses: [10.1.1.1]}]}";
    out.push_str(&requests(&[there, slice, &hook("Fail", service)], &create));
    expect![[r#"
        POST /api/v1/namespaces/default/configmaps {metadata: {name: a}}
        => Internal error occurred: failed calling webhook "a.example.com": failed to call webhook: Post "https://hook.default.svc:443/validate?timeout=10s": service "hook" not found (500 InternalError)
        POST /api/v1/namespaces/default/configmaps {metadata: {name: a}}
        => ok
        POST /api/v1/namespaces/default/configmaps {metadata: {name: a}}
        => Internal error occurred: failed calling webhook "a.example.com": failed to call webhook: Post "https://hook.example.com/v?timeout=10s": dial tcp: lookup hook.example.com: no such host (500 InternalError)
        POST /api/v1/namespaces/default/configmaps {metadata: {name: a}}
        => Internal error occurred: failed calling webhook "a.example.com": failed to call webhook: Post "https://hook.default.svc:443/validate?timeout=10s": dial tcp 10.96.1.1:443: connect: connection refused (500 InternalError)
        POST /api/v1/namespaces/default/configmaps {metadata: {name: a}}
        => ok
           ! webhook "a.example.com" is not called: webhooks are not simulated, and one with ready endpoints allows everything
    "#]].assert_eq(&out);
}

const PODS: &str = "/api/v1/namespaces/default/pods";

#[test]
fn pod_security() {
    let plain = "{metadata: {name: a}, spec: {containers: [{name: c, image: nginx}]}}";
    let good = "{metadata: {name: good}, spec: {securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}, containers: [{name: c, image: nginx, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}]}}";
    let bad = "{metadata: {name: b}, spec: {hostNetwork: true, hostPID: true, volumes: [{name: v, hostPath: {path: /}}], containers: [{name: c, image: nginx, ports: [{containerPort: 80, hostPort: 80}], securityContext: {privileged: true, runAsUser: 0, capabilities: {add: [NET_ADMIN]}}}, {name: d, image: nginx, securityContext: {privileged: true, seccompProfile: {type: Unconfined}}}]}}";
    let label = |labels: &str| format!("{{metadata: {{labels: {labels}}}}}");
    let namespace = "/api/v1/namespaces/default";
    let deployment = "{metadata: {name: d}, spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: nginx}]}}}}";
    expect![[r#"
        PATCH /api/v1/namespaces/default {metadata: {labels: {pod-security.kubernetes.io/enforce: strict, pod-security.kubernetes.io/warn-version: '1.2'}}}
        => Namespace "default" is invalid: [metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "strict": must be one of privileged, baseline, restricted, metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: "1.2": must be "latest" or "v1.x"] (422 Invalid)
        POST /api/v1/namespaces/default/pods {metadata: {name: a}, spec: {containers: [{name: c, image: nginx}]}}
        => ok
        PATCH /api/v1/namespaces/default {metadata: {labels: {pod-security.kubernetes.io/enforce: restricted}}}
        => ok
           ! existing pods in namespace "default" violate the new PodSecurity enforce level "restricted:latest"
           ! a: allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, seccompProfile
        POST /api/v1/namespaces/default/pods {metadata: {name: a2}, spec: {containers: [{name: c, image: nginx}]}}
        => pods "a2" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost") (403 Forbidden)
        POST /api/v1/namespaces/default/pods {metadata: {name: good}, spec: {securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}, containers: [{name: c, image: nginx, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}]}}
        => ok
        POST /api/v1/namespaces/default/pods {metadata: {name: b}, spec: {hostNetwork: true, hostPID: true, volumes: [{name: v, hostPath: {path: /}}], containers: [{name: c, image: nginx, ports: [{containerPort: 80, hostPort: 80}], securityContext: {privileged: true, runAsUser: 0, capabilities: {add: [NET_ADMIN]}}}, {name: d, image: nginx, securityContext: {privileged: true, seccompProfile: {type: Unconfined}}}]}}
        => pods "b" is forbidden: violates PodSecurity "restricted:latest": host namespaces (hostNetwork=true, hostPID=true), hostPort (container "c" uses hostPort 80), privileged (containers "c", "d" must not set securityContext.privileged=true), allowPrivilegeEscalation != false (containers "c", "d" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (containers "c", "d" must set securityContext.capabilities.drop=["ALL"]; container "c" must not include "NET_ADMIN" in securityContext.capabilities.add), restricted volume types (volume "v" uses restricted volume type "hostPath"), runAsNonRoot != true (pod or containers "c", "d" must set securityContext.runAsNonRoot=true), runAsUser=0 (container "c" must not set runAsUser=0), seccompProfile (container "d" must not set securityContext.seccompProfile.type to "Unconfined") (403 Forbidden)
        PATCH /api/v1/namespaces/default {metadata: {labels: {pod-security.kubernetes.io/enforce: baseline, pod-security.kubernetes.io/enforce-version: v1.30, pod-security.kubernetes.io/warn: restricted}}}
        => ok
        POST /api/v1/namespaces/default/pods {metadata: {name: b}, spec: {hostNetwork: true, hostPID: true, volumes: [{name: v, hostPath: {path: /}}], containers: [{name: c, image: nginx, ports: [{containerPort: 80, hostPort: 80}], securityContext: {privileged: true, runAsUser: 0, capabilities: {add: [NET_ADMIN]}}}, {name: d, image: nginx, securityContext: {privileged: true, seccompProfile: {type: Unconfined}}}]}}
        => pods "b" is forbidden: violates PodSecurity "baseline:v1.30": non-default capabilities (container "c" must not include "NET_ADMIN" in securityContext.capabilities.add), host namespaces (hostNetwork=true, hostPID=true), hostPath volumes (volume "v"), hostPort (container "c" uses hostPort 80), privileged (containers "c", "d" must not set securityContext.privileged=true), seccompProfile (container "d" must not set securityContext.seccompProfile.type to "Unconfined") (403 Forbidden)
        POST /api/v1/namespaces/default/pods {metadata: {name: a3}, spec: {containers: [{name: c, image: nginx}]}}
        => ok
           ! would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")
        POST /apis/apps/v1/namespaces/default/deployments {metadata: {name: d}, spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: nginx}]}}}}
        => ok
           ! would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")
    "#]].assert_eq(&requests(
        &[],
        &[
            (Method::Patch, namespace, &label("{pod-security.kubernetes.io/enforce: strict, pod-security.kubernetes.io/warn-version: '1.2'}")),
            (Method::Post, PODS, plain),
            (Method::Patch, namespace, &label("{pod-security.kubernetes.io/enforce: restricted}")),
            (Method::Post, PODS, &plain.replace("name: a}", "name: a2}")),
            (Method::Post, PODS, good),
            (Method::Post, PODS, bad),
            (Method::Patch, namespace, &label("{pod-security.kubernetes.io/enforce: baseline, pod-security.kubernetes.io/enforce-version: v1.30, pod-security.kubernetes.io/warn: restricted}")),
            (Method::Post, PODS, bad),
            (Method::Post, PODS, &plain.replace("name: a}", "name: a3}")),
            (Method::Post, "/apis/apps/v1/namespaces/default/deployments", deployment),
        ],
    ));
}

#[test]
fn services() {
    let base = "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {ports: [{port: 80}]}}";
    expect![[r#"
        {metadata: {name: S}}
        => Service "S" is invalid: metadata.name: Invalid value: "S": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
        {spec: {ports: []}}
        => Service "s" is invalid: spec.ports: Required value
        {spec: {ports: [{port: 0, protocol: tcp}, {name: A, port: 80}, {name: b, port: 81, targetPort: 99999}, {name: b, port: 81}]}}
        => Service "s" is invalid: [spec.ports[0].name: Required value, spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive, spec.ports[0].protocol: Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP", spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive, spec.ports[1].name: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?'), spec.ports[2].targetPort: Invalid value: 99999: must be between 1 and 65535, inclusive, spec.ports[3].name: Duplicate value: "b", spec.ports[3]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":81,"TargetPort":0,"NodePort":0}]
        {spec: {type: Node}}
        => Service "s" is invalid: spec.type: Unsupported value: "Node": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"
        {spec: {ports: [{port: 80, nodePort: 30000}]}}
        => Service "s" is invalid: spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'
        {spec: {type: NodePort, ports: [{name: a, port: 80, nodePort: 30000}, {name: b, port: 81, nodePort: 30000}]}}
        => Service "s" is invalid: spec.ports[1].nodePort: Invalid value: 30000: provided port is already allocated
        {spec: {type: NodePort, clusterIP: None}}
        => Service "s" is invalid: spec.clusterIPs[0]: Invalid value: "None": may not be set to 'None' for NodePort services
        {spec: {type: ExternalName}}
        => Service "s" is invalid: spec.externalName: Required value
        {spec: {type: ExternalName, externalName: 'a..b', externalIPs: [1.2.3.4]}}
        => Service "s" is invalid: [spec.externalName: Invalid value: "a..b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), spec.externalTrafficPolicy: Invalid value: "Cluster": may only be set for externally-accessible services]
        {spec: {externalName: a.b}}
        => ok
           ! spec.externalName is ignored when spec.type is not "ExternalName"
        {spec: {clusterIP: 10.96.0}}
        => Service "s" is invalid: spec.clusterIPs[0]: Invalid value: "10.96.0": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)
        {spec: {clusterIP: 'fd00::1'}}
        => Service "s" is invalid: spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster
        {spec: {clusterIPs: [10.96.0.5, 10.96.0.6]}}
        => Service "s" is invalid: spec.clusterIPs: Invalid value: ["10.96.0.5","10.96.0.6"]: may specify no more than one IP for each IP family
        {spec: {ipFamilies: [IPv6]}}
        => Service "s" is invalid: spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster
        {spec: {ipFamilies: [IPv5, IPv4, IPv4], ipFamilyPolicy: Both}}
        => Service "s" is invalid: [spec.ipFamilies[0]: Unsupported value: "IPv5": supported values: "IPv4", "IPv6", spec.ipFamilies[2]: Duplicate value: "IPv4", spec.ipFamilyPolicy: Unsupported value: "Both": supported values: "PreferDualStack", "RequireDualStack", "SingleStack"]
        {spec: {ipFamilyPolicy: RequireDualStack}}
        => Service "s" is invalid: spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services
        {spec: {sessionAffinity: Sticky}}
        => Service "s" is invalid: spec.sessionAffinity: Unsupported value: "Sticky": supported values: "ClientIP", "None"
        {spec: {sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 0}}}}
        => Service "s" is invalid: spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 0: must be greater than 0 and less than 86400
        {spec: {externalTrafficPolicy: Local, internalTrafficPolicy: Near, trafficDistribution: Far}}
        => Service "s" is invalid: [spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services, spec.internalTrafficPolicy: Unsupported value: "Near": supported values: "Cluster", "Local", spec.trafficDistribution: Unsupported value: "Far": supported values: "PreferClose", "PreferSameNode", "PreferSameZone"]
        {spec: {type: LoadBalancer, loadBalancerClass: 'a b', loadBalancerSourceRanges: [10.0.0.1/8]}}
        => Service "s" is invalid: [spec.LoadBalancerSourceRanges[0]: Invalid value: "10.0.0.1/8": must not have bits set beyond the prefix length, spec.loadBalancerClass: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')]
        {spec: {loadBalancerSourceRanges: [10.0.0.0/8], healthCheckNodePort: 31000}}
        => Service "s" is invalid: [spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer', spec.healthCheckNodePort: Invalid value: 31000: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local']
        {spec: {externalIPs: [127.0.0.1, x, 010.1.1.1]}}
        => Service "s" is invalid: [spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128), spec.externalIPs[1]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff), spec.externalIPs[2]: Invalid value: "010.1.1.1": must not have leading 0s]
        {spec: {clusterIP: None, sessionAffinity: ClientIP}}
        => ok
           ! spec.SessionAffinity is ignored for headless services
        {spec: {selector: {'a b': c}}}
        => Service "s" is invalid: spec.selector: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
    "#]].assert_eq(&creations(
        base,
        &[
            "{metadata: {name: S}}",
            "{spec: {ports: []}}",
            "{spec: {ports: [{port: 0, protocol: tcp}, {name: A, port: 80}, {name: b, port: 81, targetPort: 99999}, {name: b, port: 81}]}}",
            "{spec: {type: Node}}",
            "{spec: {ports: [{port: 80, nodePort: 30000}]}}",
            "{spec: {type: NodePort, ports: [{name: a, port: 80, nodePort: 30000}, {name: b, port: 81, nodePort: 30000}]}}",
            "{spec: {type: NodePort, clusterIP: None}}",
            "{spec: {type: ExternalName}}",
            "{spec: {type: ExternalName, externalName: 'a..b', externalIPs: [1.2.3.4]}}",
            "{spec: {externalName: a.b}}",
            "{spec: {clusterIP: 10.96.0}}",
            "{spec: {clusterIP: 'fd00::1'}}",
            "{spec: {clusterIPs: [10.96.0.5, 10.96.0.6]}}",
            "{spec: {ipFamilies: [IPv6]}}",
            "{spec: {ipFamilies: [IPv5, IPv4, IPv4], ipFamilyPolicy: Both}}",
            "{spec: {ipFamilyPolicy: RequireDualStack}}",
            "{spec: {sessionAffinity: Sticky}}",
            "{spec: {sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 0}}}}",
            "{spec: {externalTrafficPolicy: Local, internalTrafficPolicy: Near, trafficDistribution: Far}}",
            "{spec: {type: LoadBalancer, loadBalancerClass: 'a b', loadBalancerSourceRanges: [10.0.0.1/8]}}",
            "{spec: {loadBalancerSourceRanges: [10.0.0.0/8], healthCheckNodePort: 31000}}",
            "{spec: {externalIPs: [127.0.0.1, x, 010.1.1.1]}}",
            "{spec: {clusterIP: None, sessionAffinity: ClientIP}}",
            "{spec: {selector: {'a b': c}}}",
        ],
    ));
    expect![[r#"
        {spec: {clusterIP: 10.96.7.8, clusterIPs: [10.96.7.8]}}
        => Service "s" is invalid: spec.clusterIPs[0]: Invalid value: ["10.96.7.8"]: may not change once set
        {spec: {clusterIP: None, clusterIPs: [None]}}
        => Service "s" is invalid: spec.clusterIPs[0]: Invalid value: ["None"]: may not change once set
        {spec: {type: ExternalName, externalName: a.b, clusterIP: null, clusterIPs: null}}
        => ok
        {spec: {type: NodePort}}
        => ok
    "#]]
    .assert_eq(&updates(
        "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {clusterIP: 10.96.7.7, ports: [{port: 80}]}}",
        &[
            "{spec: {clusterIP: 10.96.7.8, clusterIPs: [10.96.7.8]}}",
            "{spec: {clusterIP: None, clusterIPs: [None]}}",
            "{spec: {type: ExternalName, externalName: a.b, clusterIP: null, clusterIPs: null}}",
            "{spec: {type: NodePort}}",
        ],
    ));
    expect![[r#"
        {subsets: [{}]}
        => Endpoints "e" is invalid: subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`
           ! v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice
        {subsets: [{addresses: [{ip: 169.254.1.1, hostname: A, nodeName: B_}], ports: [{port: 0}, {port: 80, protocol: x}]}]}
        => Endpoints "e" is invalid: [subsets[0].addresses[0].hostname: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?'), subsets[0].addresses[0].nodeName: Invalid value: "B_": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), subsets[0].addresses[0].ip: Invalid value: "169.254.1.1": may not be in the link-local range (169.254.0.0/16, fe80::/10), subsets[0].ports[0].name: Required value, subsets[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive, subsets[0].ports[1].name: Required value, subsets[0].ports[1].protocol: Unsupported value: "x": supported values: "SCTP", "TCP", "UDP"]
           ! v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice
    "#]].assert_eq(&creations(
        "{apiVersion: v1, kind: Endpoints, metadata: {name: e}, subsets: [{addresses: [{ip: 10.1.1.1}], ports: [{port: 80}]}]}",
        &[
            "{subsets: [{}]}",
            "{subsets: [{addresses: [{ip: 169.254.1.1, hostname: A, nodeName: B_}], ports: [{port: 0}, {port: 80, protocol: x}]}]}",
        ],
    ));
    expect![[r#"
        {addressType: IPv5}
        => EndpointSlice.discovery.k8s.io "e" is invalid: addressType: Unsupported value: "IPv5": supported values: "FQDN", "IPv4", "IPv6"
        {addressType: FQDN}
        => ok
           ! spec.addressType: FQDN endpoints are deprecated
        {endpoints: [{addresses: []}, {addresses: [0.0.0.0, x], hostname: A}], ports: [{name: a, port: 1}, {name: a, port: 2}]}
        => EndpointSlice.discovery.k8s.io "e" is invalid: [endpoints[0].addresses: Required value: must contain at least 1 address, endpoints[1].addresses[0]: Invalid value: "0.0.0.0": may not be unspecified (0.0.0.0), endpoints[1].addresses[1]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff), endpoints[1].hostname: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?'), ports[1].name: Duplicate value: "a"]
    "#]].assert_eq(&creations(
        "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: e}, addressType: IPv4, endpoints: [{addresses: [10.1.1.1]}]}",
        &[
            "{addressType: IPv5}",
            "{addressType: FQDN}",
            "{endpoints: [{addresses: []}, {addresses: [0.0.0.0, x], hostname: A}], ports: [{name: a, port: 1}, {name: a, port: 2}]}",
        ],
    ));
}

#[test]
fn workloads() {
    let template = "template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: nginx}]}}";
    let of = |kind: &str| {
        format!(
            "{{apiVersion: apps/v1, kind: {kind}, metadata: {{name: w}}, spec: {{selector: {{matchLabels: {{a: b}}}}, {template}}}}}"
        )
    };
    expect![[r#"
        {metadata: {name: a.b}}
        => ok
           ! metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: [must not contain dots]
        {spec: {selector: {matchLabels: {a: c}}}}
        => Deployment.apps "w" is invalid: spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`
        {spec: {selector: {matchLabels: null}}}
        => Deployment.apps "w" is invalid: spec.selector: Invalid value: {}: empty selector is invalid for deployment
        {spec: {selector: null}}
        => Deployment.apps "w" is invalid: [spec.selector: Required value, spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`]
        {spec: {selector: {matchExpressions: [{key: a, operator: Like}, {key: a, operator: In}, {key: b, operator: Exists, values: [c]}]}}}
        => Deployment.apps "w" is invalid: [spec.selector.matchExpressions[0].operator: Invalid value: "Like": not a valid selector operator, spec.selector.matchExpressions[1].values: Required value: must be specified when `operator` is 'In' or 'NotIn', spec.selector.matchExpressions[2].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist', spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`]
        {spec: {replicas: -1, minReadySeconds: -2, revisionHistoryLimit: -3, progressDeadlineSeconds: 0}}
        => Deployment.apps "w" is invalid: [spec.replicas: Invalid value: -1: must be greater than or equal to 0, spec.minReadySeconds: Invalid value: -2: must be greater than or equal to 0, spec.revisionHistoryLimit: Invalid value: -3: must be greater than or equal to 0]
        {spec: {strategy: {type: Slow}}}
        => Deployment.apps "w" is invalid: spec.strategy: Unsupported value: {"Type":"Slow","RollingUpdate":null}: supported values: "Recreate", "RollingUpdate"
        {spec: {strategy: {type: Recreate, rollingUpdate: {maxSurge: 1}}}}
        => Deployment.apps "w" is invalid: spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'
        {spec: {strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 0}}}}
        => Deployment.apps "w" is invalid: spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0
        {spec: {strategy: {rollingUpdate: {maxSurge: x, maxUnavailable: 150%}}}}
        => Deployment.apps "w" is invalid: [spec.strategy.rollingUpdate.maxSurge: Invalid value: "x": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%'), spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "150%": must not be greater than 100%]
        {spec: {template: {spec: {restartPolicy: Never, activeDeadlineSeconds: 5}}}}
        => Deployment.apps "w" is invalid: [spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always", spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported]
        {spec: {template: {spec: {restartPolicy: Sometimes}}}}
        => Deployment.apps "w" is invalid: [spec.template.spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never", spec.template.spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always"]
        {spec: {template: {spec: {containers: [{name: c}]}}}}
        => Deployment.apps "w" is invalid: spec.template.spec.containers[0].image: Required value
    "#]].assert_eq(&creations(
        &of("Deployment"),
        &[
            "{metadata: {name: a.b}}",
            "{spec: {selector: {matchLabels: {a: c}}}}",
            "{spec: {selector: {matchLabels: null}}}",
            "{spec: {selector: null}}",
            "{spec: {selector: {matchExpressions: [{key: a, operator: Like}, {key: a, operator: In}, {key: b, operator: Exists, values: [c]}]}}}",
            "{spec: {replicas: -1, minReadySeconds: -2, revisionHistoryLimit: -3, progressDeadlineSeconds: 0}}",
            "{spec: {strategy: {type: Slow}}}",
            "{spec: {strategy: {type: Recreate, rollingUpdate: {maxSurge: 1}}}}",
            "{spec: {strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 0}}}}",
            "{spec: {strategy: {rollingUpdate: {maxSurge: x, maxUnavailable: 150%}}}}",
            "{spec: {template: {spec: {restartPolicy: Never, activeDeadlineSeconds: 5}}}}",
            "{spec: {template: {spec: {restartPolicy: Sometimes}}}}",
            "{spec: {template: {spec: {containers: [{name: c}]}}}}",
        ],
    ));
    expect![[r#"
        {spec: {selector: {matchLabels: {c: d}}, template: {metadata: {labels: {c: d}}}}}
        => Deployment.apps "w" is invalid: spec.selector: Invalid value: {"matchLabels":{"a":"b","c":"d"}}: field is immutable
    "#]].assert_eq(&updates(
        &of("Deployment"),
        &["{spec: {selector: {matchLabels: {c: d}}, template: {metadata: {labels: {c: d}}}}}"],
    ));
    expect![[r#"
        {spec: {updateStrategy: {type: Slow}}}
        => DaemonSet.apps "w" is invalid: spec.updateStrategy: Unsupported value: {"Type":"Slow","RollingUpdate":null}: supported values: "RollingUpdate", "OnDelete"
        {spec: {updateStrategy: {rollingUpdate: {maxUnavailable: 0}}}}
        => DaemonSet.apps "w" is invalid: spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0
        {spec: {updateStrategy: {rollingUpdate: {maxUnavailable: 1, maxSurge: 1}}}}
        => DaemonSet.apps "w" is invalid: spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero
        {spec: {selector: {matchLabels: null}, minReadySeconds: -1}}
        => DaemonSet.apps "w" is invalid: [spec.selector: Invalid value: {}: empty selector is invalid for daemonset, spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0]
    "#]].assert_eq(&creations(
        &of("DaemonSet"),
        &[
            "{spec: {updateStrategy: {type: Slow}}}",
            "{spec: {updateStrategy: {rollingUpdate: {maxUnavailable: 0}}}}",
            "{spec: {updateStrategy: {rollingUpdate: {maxUnavailable: 1, maxSurge: 1}}}}",
            "{spec: {selector: {matchLabels: null}, minReadySeconds: -1}}",
        ],
    ));
    expect![[r#"
        {metadata: {name: a.b}}
        => StatefulSet.apps "a.b" is invalid: metadata.name: Invalid value: "a.b": must not contain dots
        {spec: {podManagementPolicy: Random, updateStrategy: {type: Slow}}}
        => StatefulSet.apps "w" is invalid: [spec.podManagementPolicy: Invalid value: "Random": must be 'OrderedReady' or 'Parallel', spec.updateStrategy: Invalid value: {"Type":"Slow","RollingUpdate":null}: must be 'RollingUpdate' or 'OnDelete']
        {spec: {updateStrategy: {type: OnDelete, rollingUpdate: {partition: 1}}}}
        => StatefulSet.apps "w" is invalid: spec.updateStrategy.rollingUpdate: Invalid value: {"Partition":1,"MaxUnavailable":null}: only allowed for updateStrategy 'RollingUpdate'
        {spec: {updateStrategy: {rollingUpdate: {partition: -1, maxUnavailable: 0}}, replicas: -1, ordinals: {start: -1}, serviceName: A}}
        => StatefulSet.apps "w" is invalid: [spec.updateStrategy.rollingUpdate.partition: Invalid value: -1: must be greater than or equal to 0, spec.replicas: Invalid value: -1: must be greater than or equal to 0, spec.ordinals.start: Invalid value: -1: must be greater than or equal to 0, spec.serviceName: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')]
        {spec: {persistentVolumeClaimRetentionPolicy: {whenDeleted: Keep}}}
        => StatefulSet.apps "w" is invalid: spec.persistentVolumeClaimRetentionPolicy.whenDeleted: Unsupported value: "Keep": supported values: "Retain", "Delete"
    "#]].assert_eq(&creations(
        &of("StatefulSet"),
        &[
            "{metadata: {name: a.b}}",
            "{spec: {podManagementPolicy: Random, updateStrategy: {type: Slow}}}",
            "{spec: {updateStrategy: {type: OnDelete, rollingUpdate: {partition: 1}}}}",
            "{spec: {updateStrategy: {rollingUpdate: {partition: -1, maxUnavailable: 0}}, replicas: -1, ordinals: {start: -1}, serviceName: A}}",
            "{spec: {persistentVolumeClaimRetentionPolicy: {whenDeleted: Keep}}}",
        ],
    ));
    expect![[r#"
        {spec: {serviceName: x}}
        => StatefulSet.apps "w" is invalid: spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden
        {spec: {replicas: 3, minReadySeconds: 5}}
        => ok
    "#]].assert_eq(&updates(
        &of("StatefulSet"),
        &["{spec: {serviceName: x}}", "{spec: {replicas: 3, minReadySeconds: 5}}"],
    ));
    expect![[r#"
        {spec: {selector: {a: c}, replicas: -1}}
        => ReplicationController "w" is invalid: [spec.replicas: Invalid value: -1: must be greater than or equal to 0, spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`]
        {spec: {template: null}}
        => ReplicationController "w" is invalid: [spec.selector: Required value, spec.template: Required value]
        {spec: {template: {spec: {restartPolicy: Never}}}}
        => ReplicationController "w" is invalid: spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"
    "#]].assert_eq(&creations(
        &format!("{{apiVersion: v1, kind: ReplicationController, metadata: {{name: w}}, spec: {{{template}}}}}"),
        &[
            "{spec: {selector: {a: c}, replicas: -1}}",
            "{spec: {template: null}}",
            "{spec: {template: {spec: {restartPolicy: Never}}}}",
        ],
    ));
    let job = "{metadata: {labels: {a: b}}, spec: {restartPolicy: Never, containers: [{name: c, image: nginx}]}}";
    expect![[r#"
        {spec: {parallelism: -1, completions: -1, backoffLimit: -1, activeDeadlineSeconds: -1, ttlSecondsAfterFinished: -1}}
        => Job.batch "j" is invalid: [spec.parallelism: Invalid value: -1: must be greater than or equal to 0, spec.completions: Invalid value: -1: must be greater than or equal to 0, spec.activeDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0, spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0, spec.ttlSecondsAfterFinished: Invalid value: -1: must be greater than or equal to 0]
        {spec: {template: {spec: {restartPolicy: Always}}}}
        => Job.batch "j" is invalid: spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"
        {spec: {template: {spec: {restartPolicy: Often}}}}
        => Job.batch "j" is invalid: [spec.template.spec.restartPolicy: Unsupported value: "Often": supported values: "Always", "OnFailure", "Never", spec.template.spec.restartPolicy: Unsupported value: "Often": supported values: "OnFailure", "Never"]
        {spec: {manualSelector: true, selector: {matchLabels: {a: c}}}}
        => Job.batch "j" is invalid: spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`
        {spec: {selector: {matchLabels: {a: b}}}}
        => Job.batch "j" is invalid: spec.selector: Invalid value: {"matchLabels":{"a":"b","batch.kubernetes.io/controller-uid":"a833bdcd-b6d1-4eb1-88dc-97e5aab5fe3d"}}: `selector` not auto-generated
        {spec: {completionMode: Indexed}}
        => ok
        {spec: {completionMode: Ordered}}
        => Job.batch "j" is invalid: spec.completionMode: Unsupported value: "Ordered": supported values: "NonIndexed", "Indexed"
        {spec: {backoffLimitPerIndex: 1, maxFailedIndexes: 2}}
        => Job.batch "j" is invalid: [spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode, spec.maxFailedIndexes: Invalid value: 2: requires indexed completion mode]
        {spec: {podFailurePolicy: {rules: [{action: Stop}, {action: FailJob, onExitCodes: {operator: In, values: [0, 3, 2]}}]}}}
        => Job.batch "j" is invalid: [spec.podFailurePolicy.rules[0].action: Unsupported value: "Stop": supported values: "Count", "FailIndex", "FailJob", "Ignore", spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required, spec.podFailurePolicy.rules[1].onExitCodes.values[0]: Invalid value: 0: must not be 0 for the In operator, spec.podFailurePolicy.rules[1].onExitCodes.values: Invalid value: [0,3,2]: must be ordered]
        {spec: {successPolicy: {rules: []}}}
        => Job.batch "j" is invalid: spec.successPolicy: Invalid value: {"Rules":[]}: requires indexed completion mode
        {spec: {podReplacementPolicy: Never}}
        => Job.batch "j" is invalid: spec.podReplacementPolicy: Unsupported value: "Never": supported values: "Failed", "TerminatingOrFailed"
    "#]].assert_eq(&creations(
        &format!("{{apiVersion: batch/v1, kind: Job, metadata: {{name: j, uid: u}}, spec: {{template: {job}}}}}"),
        &[
            "{spec: {parallelism: -1, completions: -1, backoffLimit: -1, activeDeadlineSeconds: -1, ttlSecondsAfterFinished: -1}}",
            "{spec: {template: {spec: {restartPolicy: Always}}}}",
            "{spec: {template: {spec: {restartPolicy: Often}}}}",
            "{spec: {manualSelector: true, selector: {matchLabels: {a: c}}}}",
            "{spec: {selector: {matchLabels: {a: b}}}}",
            "{spec: {completionMode: Indexed}}",
            "{spec: {completionMode: Ordered}}",
            "{spec: {backoffLimitPerIndex: 1, maxFailedIndexes: 2}}",
            "{spec: {podFailurePolicy: {rules: [{action: Stop}, {action: FailJob, onExitCodes: {operator: In, values: [0, 3, 2]}}]}}}",
            "{spec: {successPolicy: {rules: []}}}",
            "{spec: {podReplacementPolicy: Never}}",
        ],
    ));
    expect![[r#"
        {metadata: {name: this-is-a-very-long-name-for-a-cron-job-that-nobody-should-use}}
        => CronJob.batch "this-is-a-very-long-name-for-a-cron-job-that-nobody-should-use" is invalid: metadata.name: Invalid value: "this-is-a-very-long-name-for-a-cron-job-that-nobody-should-use": must be no more than 52 characters
        {spec: {schedule: ''}}
        => CronJob.batch "j" is invalid: spec.schedule: Required value
        {spec: {schedule: 'TZ=UTC * * * * *'}}
        => CronJob.batch "j" is invalid: spec.schedule: Invalid value: "TZ=UTC * * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead
        {spec: {schedule: '@often', timeZone: Mars/Base, concurrencyPolicy: Maybe, startingDeadlineSeconds: -1}}
        => CronJob.batch "j" is invalid: [spec.schedule: Invalid value: "@often": unrecognized descriptor: @often, spec.startingDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0, spec.timeZone: Invalid value: "Mars/Base": unknown time zone Mars/Base, spec.concurrencyPolicy: Unsupported value: "Maybe": supported values: "Allow", "Forbid", "Replace"]
        {spec: {jobTemplate: {spec: {parallelism: -1, manualSelector: true, selector: {matchLabels: {a: b}}, template: {spec: {restartPolicy: Always, containers: [{name: C}]}}}}}}
        => CronJob.batch "j" is invalid: [spec.jobTemplate.spec.parallelism: Invalid value: -1: must be greater than or equal to 0, spec.jobTemplate.spec.template.spec.containers[0].name: Invalid value: "C": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?'), spec.jobTemplate.spec.template.spec.containers[0].image: Required value, spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never", spec.jobTemplate.spec.selector: Invalid value: {"matchLabels":{"a":"b"}}: `selector` will be auto-generated, spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "nil", "false"]
    "#]].assert_eq(&creations(
        &format!("{{apiVersion: batch/v1, kind: CronJob, metadata: {{name: j}}, spec: {{schedule: '* * * * *', jobTemplate: {{spec: {{template: {job}}}}}}}}}"),
        &[
            "{metadata: {name: this-is-a-very-long-name-for-a-cron-job-that-nobody-should-use}}",
            "{spec: {schedule: ''}}",
            "{spec: {schedule: 'TZ=UTC * * * * *'}}",
            "{spec: {schedule: '@often', timeZone: Mars/Base, concurrencyPolicy: Maybe, startingDeadlineSeconds: -1}}",
            "{spec: {jobTemplate: {spec: {parallelism: -1, manualSelector: true, selector: {matchLabels: {a: b}}, template: {spec: {restartPolicy: Always, containers: [{name: C}]}}}}}}",
        ],
    ));
}

#[test]
fn storage_and_policy() {
    expect![[r#"
        {spec: {capacity: null, accessModes: []}}
        => PersistentVolume "v" is invalid: [spec.accessModes: Required value, spec.capacity: Required value, spec.capacity: Unsupported value: null: supported values: "storage"]
        {spec: {capacity: {storage: 0, cpu: 1}, accessModes: [ReadSometimes]}}
        => PersistentVolume "v" is invalid: [spec.accessModes: Unsupported value: "ReadSometimes": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod", spec.capacity: Unsupported value: {"cpu":"1","storage":"0"}: supported values: "storage", spec.capacity[storage]: Invalid value: "0": must be greater than zero]
        {spec: {accessModes: [ReadWriteOncePod, ReadWriteOnce]}}
        => PersistentVolume "v" is invalid: spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes
        {spec: {hostPath: null}}
        => PersistentVolume "v" is invalid: spec: Required value: must specify a volume type
        {spec: {nfs: {server: s, path: /x}}}
        => PersistentVolume "v" is invalid: spec.nfs: Forbidden: may not specify more than 1 volume type
        {spec: {hostPath: null, local: {path: /a}}}
        => PersistentVolume "v" is invalid: spec.local.nodeAffinity: Required value: Local volume requires node affinity
        {spec: {hostPath: null, csi: {driver: d}}}
        => PersistentVolume "v" is invalid: spec.csi.volumeHandle: Required value
        {spec: {persistentVolumeReclaimPolicy: Burn, volumeMode: Tape, storageClassName: A_}}
        => PersistentVolume "v" is invalid: [spec.persistentVolumeReclaimPolicy: Unsupported value: "Burn": supported values: "Delete", "Recycle", "Retain", spec.storageClassName: Invalid value: "A_": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), spec.volumeMode: Unsupported value: "Tape": supported values: "Block", "Filesystem"]
        {spec: {persistentVolumeReclaimPolicy: Recycle, hostPath: {path: /}}}
        => PersistentVolume "v" is invalid: spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'
        {spec: {nodeAffinity: {}}}
        => PersistentVolume "v" is invalid: spec.nodeAffinity.required: Required value: must specify required node constraints
    "#]].assert_eq(&creations(
        "{apiVersion: v1, kind: PersistentVolume, metadata: {name: v}, spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], hostPath: {path: /a}}}",
        &[
            "{spec: {capacity: null, accessModes: []}}",
            "{spec: {capacity: {storage: 0, cpu: 1}, accessModes: [ReadSometimes]}}",
            "{spec: {accessModes: [ReadWriteOncePod, ReadWriteOnce]}}",
            "{spec: {hostPath: null}}",
            "{spec: {nfs: {server: s, path: /x}}}",
            "{spec: {hostPath: null, local: {path: /a}}}",
            "{spec: {hostPath: null, csi: {driver: d}}}",
            "{spec: {persistentVolumeReclaimPolicy: Burn, volumeMode: Tape, storageClassName: A_}}",
            "{spec: {persistentVolumeReclaimPolicy: Recycle, hostPath: {path: /}}}",
            "{spec: {nodeAffinity: {}}}",
        ],
    ));
    expect![[r#"
        {spec: {hostPath: {path: /b}}}
        => PersistentVolume "v" is invalid: spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation
        @@ -2,7 +2,7 @@
          "GCEPersistentDisk": null,
          "AWSElasticBlockStore": null,
          "HostPath": {
        -  "Path": "/a",
        +  "Path": "/b",
           "Type": ""
          },
          "Glusterfs": null,

        {spec: {volumeMode: Block}}
        => PersistentVolume "v" is invalid: volumeMode: Invalid value: "Block": field is immutable
        {spec: {capacity: {storage: 2Gi}}}
        => ok
    "#]].assert_eq(&updates(
        "{apiVersion: v1, kind: PersistentVolume, metadata: {name: v}, spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], hostPath: {path: /a}}}",
        &["{spec: {hostPath: {path: /b}}}", "{spec: {volumeMode: Block}}", "{spec: {capacity: {storage: 2Gi}}}"],
    ));
    let claim = "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: v}, spec: {storageClassName: x, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}";
    expect![[r#"
        {spec: {accessModes: [], resources: null}}
        => PersistentVolumeClaim "v" is invalid: [spec.accessModes: Required value: at least 1 access mode is required, spec.resources[storage]: Required value]
        {spec: {accessModes: [ReadWriteOncePod, ReadOnlyMany], resources: {requests: {storage: -1}}}}
        => PersistentVolumeClaim "v" is invalid: [spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes, spec.resources[storage]: Invalid value: "-1": must be greater than zero]
        {spec: {volumeMode: Tape, storageClassName: A_}}
        => PersistentVolumeClaim "v" is invalid: [spec.storageClassName: Invalid value: "A_": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), spec.volumeMode: Unsupported value: "Tape": supported values: "Block", "Filesystem"]
        {spec: {dataSource: {kind: Pod, name: ''}, dataSourceRef: {apiGroup: A_, kind: X, name: z}}}
        => PersistentVolumeClaim "v" is invalid: [spec.dataSource.name: Required value, spec.dataSource: Invalid value: "Pod": must be 'PersistentVolumeClaim' when referencing the default apiGroup, spec.dataSourceRef.apiGroup: Invalid value: "A_": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), spec: Invalid value: {}: must match dataSourceRef]
        {spec: {selector: {matchExpressions: [{key: a, operator: In}]}}}
        => PersistentVolumeClaim "v" is invalid: spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'
        {spec: {resources: {requests: {storage: 100m}}}}
        => ok
           ! spec.resources.requests[storage]: fractional byte value "100m" is invalid, must be an integer
    "#]].assert_eq(&creations(
        claim,
        &[
            "{spec: {accessModes: [], resources: null}}",
            "{spec: {accessModes: [ReadWriteOncePod, ReadOnlyMany], resources: {requests: {storage: -1}}}}",
            "{spec: {volumeMode: Tape, storageClassName: A_}}",
            "{spec: {dataSource: {kind: Pod, name: ''}, dataSourceRef: {apiGroup: A_, kind: X, name: z}}}",
            "{spec: {selector: {matchExpressions: [{key: a, operator: In}]}}}",
            "{spec: {resources: {requests: {storage: 100m}}}}",
        ],
    ));
    expect![[r#"
        {spec: {accessModes: [ReadOnlyMany]}}
        => PersistentVolumeClaim "v" is invalid: spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims
        @@ -1,6 +1,6 @@
         {
          "AccessModes": [
        -  "ReadWriteOnce"
        +  "ReadOnlyMany"
          ],
          "Selector": null,
          "Resources": {

        {spec: {storageClassName: z}}
        => PersistentVolumeClaim "v" is invalid: spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims
        @@ -10,7 +10,7 @@
           }
          },
          "VolumeName": "",
        - "StorageClassName": "x",
        + "StorageClassName": "z",
          "VolumeMode": "Filesystem",
          "DataSource": null,
          "DataSourceRef": null,

        {spec: {volumeName: v}}
        => ok
    "#]].assert_eq(&updates(
        claim,
        &[
            "{spec: {accessModes: [ReadOnlyMany]}}",
            "{spec: {storageClassName: z}}",
            "{spec: {volumeName: v}}",
        ],
    ));
    let class = "{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: c}, provisioner: a/b}";
    expect![[r#"
        {provisioner: ''}
        => StorageClass.storage.k8s.io "c" is invalid: provisioner: Required value
        {provisioner: 'A B', reclaimPolicy: Burn, volumeBindingMode: Later, parameters: {'': x}}
        => StorageClass.storage.k8s.io "c" is invalid: [provisioner: Invalid value: "A B": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'), parameters: Invalid value: "": field can not be empty., reclaimPolicy: Unsupported value: "Burn": supported values: "Delete", "Retain", volumeBindingMode: Unsupported value: "Later": supported values: "Immediate", "WaitForFirstConsumer"]
        {allowedTopologies: [{matchLabelExpressions: [{key: a, values: [b, b]}, {key: a}]}]}
        => StorageClass.storage.k8s.io "c" is invalid: [allowedTopologies[0].matchLabelExpressions[0].values[1]: Duplicate value: "b", allowedTopologies[0].matchLabelExpressions[1].values: Required value, allowedTopologies[0].matchLabelExpressions[1].key: Duplicate value: "a"]
    "#]].assert_eq(&creations(
        class,
        &[
            "{provisioner: ''}",
            "{provisioner: 'A B', reclaimPolicy: Burn, volumeBindingMode: Later, parameters: {'': x}}",
            "{allowedTopologies: [{matchLabelExpressions: [{key: a, values: [b, b]}, {key: a}]}]}",
        ],
    ));
    expect![[r#"
        {provisioner: x}
        => StorageClass.storage.k8s.io "c" is invalid: provisioner: Forbidden: updates to provisioner are forbidden.
        {parameters: {a: b}}
        => StorageClass.storage.k8s.io "c" is invalid: parameters: Forbidden: updates to parameters are forbidden.
        {reclaimPolicy: Retain}
        => StorageClass.storage.k8s.io "c" is invalid: reclaimPolicy: Forbidden: updates to reclaimPolicy are forbidden.
        {volumeBindingMode: WaitForFirstConsumer}
        => StorageClass.storage.k8s.io "c" is invalid: volumeBindingMode: Invalid value: "WaitForFirstConsumer": field is immutable
        {allowVolumeExpansion: true}
        => ok
    "#]].assert_eq(&updates(
        class,
        &[
            "{provisioner: x}",
            "{parameters: {a: b}}",
            "{reclaimPolicy: Retain}",
            "{volumeBindingMode: WaitForFirstConsumer}",
            "{allowVolumeExpansion: true}",
        ],
    ));
    expect![[r#"
        {spec: {hard: {pods: 0.5, foo: 1, 'a b': 1, requests.cpu: -1}}}
        => ResourceQuota "q" is invalid: [spec.hard[a b]: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'), spec.hard[a b]: Invalid value: "a b": must be a standard resource for quota, spec.hard[foo]: Invalid value: "foo": must be a standard resource type or fully qualified, spec.hard[foo]: Invalid value: "foo": must be a standard resource for quota, spec.hard[pods]: Invalid value: "500m": must be an integer, spec.hard[requests.cpu]: Invalid value: "-1": must be greater than or equal to 0]
        {spec: {scopes: [Tiny, BestEffort, NotBestEffort], hard: {services: 1}}}
        => ResourceQuota "q" is invalid: [spec.scopes: Invalid value: ["Tiny","BestEffort","NotBestEffort"]: unsupported scope, spec.scopes: Invalid value: ["Tiny","BestEffort","NotBestEffort"]: unsupported scope applied to resource, spec.scopes: Invalid value: ["Tiny","BestEffort","NotBestEffort"]: conflicting scopes]
        {spec: {scopeSelector: {matchExpressions: [{scopeName: Terminating, operator: In}, {scopeName: Big, operator: Like}]}}}
        => ResourceQuota "q" is invalid: [spec.scopeSelector.matchExpressions.operator: Invalid value: "In": must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity, spec.scopeSelector.matchExpressions.values: Required value: must be at least one value when `operator` is 'In' or 'NotIn' for scope selector, spec.scopeSelector.matchExpressions.scopeName: Invalid value: "Big": unsupported scope, spec.scopeSelector.matchExpressions.operator: Invalid value: "Like": must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity, spec.scopeSelector.matchExpressions.operator: Invalid value: "Like": not a valid selector operator]
    "#]].assert_eq(&creations(
        "{apiVersion: v1, kind: ResourceQuota, metadata: {name: q}, spec: {hard: {pods: 1}}}",
        &[
            "{spec: {hard: {pods: 0.5, foo: 1, 'a b': 1, requests.cpu: -1}}}",
            "{spec: {scopes: [Tiny, BestEffort, NotBestEffort], hard: {services: 1}}}",
            "{spec: {scopeSelector: {matchExpressions: [{scopeName: Terminating, operator: In}, {scopeName: Big, operator: Like}]}}}",
        ],
    ));
    expect![[r#"
        {spec: {limits: [{type: Box}, {type: Pod, default: {cpu: 1}}, {type: Pod}]}}
        => LimitRange "l" is invalid: [spec.limits[0].type: Invalid value: "Box": must be a standard limit type or fully qualified, spec.limits[1].default: Forbidden: may not be specified when `type` is 'Pod', spec.limits[2].type: Duplicate value: "Pod"]
        {spec: {limits: [{type: Container, min: {cpu: 2}, max: {cpu: 1}, default: {memory: 1}, defaultRequest: {memory: 2}}]}}
        => LimitRange "l" is invalid: [spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1, spec.limits[0].defaultRequest[cpu]: Invalid value: "1": min value 2 is greater than default request value 1, spec.limits[0].default[cpu]: Invalid value: "2": min value 2 is greater than default value 1, spec.limits[0].defaultRequest[memory]: Invalid value: "2": default request value 2 is greater than default limit value 1]
        {spec: {limits: [{type: Container, max: {storage: 1, foo: 1}, maxLimitRequestRatio: {cpu: 0.5}}]}}
        => LimitRange "l" is invalid: [spec.limits[0].max[foo]: Invalid value: "foo": must be a standard resource type or fully qualified, spec.limits[0].max[foo]: Invalid value: "foo": must be a standard resource for containers, spec.limits[0].max[storage]: Invalid value: "storage": must be a standard resource for containers, spec.limits[0].default[foo]: Invalid value: "foo": must be a standard resource type or fully qualified, spec.limits[0].default[foo]: Invalid value: "foo": must be a standard resource for containers, spec.limits[0].default[storage]: Invalid value: "storage": must be a standard resource for containers, spec.limits[0].defaultRequest[foo]: Invalid value: "foo": must be a standard resource type or fully qualified, spec.limits[0].defaultRequest[foo]: Invalid value: "foo": must be a standard resource for containers, spec.limits[0].defaultRequest[storage]: Invalid value: "storage": must be a standard resource for containers, spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: "500m": ratio 500m is less than 1]
        {spec: {limits: [{type: PersistentVolumeClaim}]}}
        => LimitRange "l" is invalid: spec.limits[0].limits: Required value: either minimum or maximum storage value is required, but neither was provided
    "#]].assert_eq(&creations(
        "{apiVersion: v1, kind: LimitRange, metadata: {name: l}, spec: {limits: [{type: Container}]}}",
        &[
            "{spec: {limits: [{type: Box}, {type: Pod, default: {cpu: 1}}, {type: Pod}]}}",
            "{spec: {limits: [{type: Container, min: {cpu: 2}, max: {cpu: 1}, default: {memory: 1}, defaultRequest: {memory: 2}}]}}",
            "{spec: {limits: [{type: Container, max: {storage: 1, foo: 1}, maxLimitRequestRatio: {cpu: 0.5}}]}}",
            "{spec: {limits: [{type: PersistentVolumeClaim}]}}",
        ],
    ));
    expect![[r#"
        {metadata: {name: system-x}}
        => PriorityClass.scheduling.k8s.io "system-x" is invalid: metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: system-x is not a known system priority class
        {metadata: {name: system-node-critical}}
        => PriorityClass.scheduling.k8s.io "system-node-critical" is invalid: metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: value of system-node-critical PriorityClass must be 2000001000
        {value: 2000000000}
        => PriorityClass.scheduling.k8s.io "p" is invalid: value: Forbidden: maximum allowed value of a user defined priority is 1000000000
        {preemptionPolicy: Maybe}
        => PriorityClass.scheduling.k8s.io "p" is invalid: preemptionPolicy: Unsupported value: "Maybe": supported values: "Never", "PreemptLowerPriority"
    "#]].assert_eq(&creations(
        "{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: p}, value: 5}",
        &[
            "{metadata: {name: system-x}}",
            "{metadata: {name: system-node-critical}}",
            "{value: 2000000000}",
            "{preemptionPolicy: Maybe}",
        ],
    ));
    expect![[r#"
        {handler: ''}
        => RuntimeClass.node.k8s.io "p" is invalid: handler: Invalid value: "": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
        {handler: A, overhead: {podFixed: {foo: 1}}, scheduling: {tolerations: [{value: x}]}}
        => RuntimeClass.node.k8s.io "p" is invalid: [handler: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?'), overhead.limits[foo]: Invalid value: "foo": must be a standard resource type or fully qualified, overhead.limits[foo]: Invalid value: "foo": must be a standard resource for containers, scheduling.tolerations.tolerations[0].operator: Invalid value: "": operator must be Exists when `key` is empty, which means "match all values and all keys"]
    "#]].assert_eq(&creations(
        "{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: p}, handler: h}",
        &[
            "{handler: ''}",
            "{handler: A, overhead: {podFixed: {foo: 1}}, scheduling: {tolerations: [{value: x}]}}",
        ],
    ));
    expect![[r#"
        {spec: {taints: [{key: a b, effect: No}, {key: x}, {key: x, effect: NoSchedule}, {key: x, effect: NoSchedule}], podCIDRs: [10.0.0.1/24, 10.1.0.0/24]}}
        => Node in version "v1" cannot be handled as a Node: json: cannot unmarshal bool into Go struct field Taint.spec.taints.effect of type string
    "#]].assert_eq(&creations(
        "{apiVersion: v1, kind: Node, metadata: {name: node}}",
        &["{spec: {taints: [{key: a b, effect: No}, {key: x}, {key: x, effect: NoSchedule}, {key: x, effect: NoSchedule}], podCIDRs: [10.0.0.1/24, 10.1.0.0/24]}}"],
    ));
}

#[test]
fn networks_and_others() {
    expect![[r#"
        {spec: {defaultBackend: null}}
        => Ingress.networking.k8s.io "i" is invalid: spec: Invalid value: null: either `defaultBackend` or `rules` must be specified
        {spec: {defaultBackend: {service: {name: S, port: null}}}}
        => Ingress.networking.k8s.io "i" is invalid: [spec.defaultBackend.service.name: Invalid value: "S": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?'), spec.defaultBackend: Required value: port name or number is required]
        {spec: {defaultBackend: {service: null}}}
        => Ingress.networking.k8s.io "i" is invalid: spec.defaultBackend: Invalid value: "": resource or service backend is required
        {spec: {defaultBackend: {resource: {kind: a/b}}}}
        => Ingress.networking.k8s.io "i" is invalid: spec.defaultBackend: Invalid value: "": cannot set both resource and service backends
        {spec: {defaultBackend: {service: null, resource: {kind: a/b}}}}
        => Ingress.networking.k8s.io "i" is invalid: [spec.defaultBackend.resource.kind: Invalid value: "a/b": may not contain '/', spec.defaultBackend.resource.name: Required value: name is required]
        {spec: {rules: [{host: 1.2.3.4}, {host: '*.*.com'}, {host: A}, {http: {paths: []}}]}}
        => Ingress.networking.k8s.io "i" is invalid: [spec.rules[0].host: Invalid value: "1.2.3.4": must be a DNS name, not an IP address, spec.rules[1].host: Invalid value: "*.*.com": a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), spec.rules[2].host: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), spec.rules[3].http.paths: Required value]
        {spec: {rules: [{http: {paths: [{backend: {service: {name: s, port: {name: x, number: 1}}}}, {pathType: Prefix, path: a//b}, {pathType: Guess, path: /}, {pathType: Exact, path: /a/.}]}}]}}
        => Ingress.networking.k8s.io "i" is invalid: [spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified, spec.rules[0].http.paths[1].path: Invalid value: "a//b": must be an absolute path, spec.rules[0].http.paths[1].path: Invalid value: "a//b": must not contain '//', spec.rules[0].http.paths[1].backend: Invalid value: "": resource or service backend is required, spec.rules[0].http.paths[2].pathType: Unsupported value: "Guess": supported values: "Exact", "ImplementationSpecific", "Prefix", spec.rules[0].http.paths[2].backend: Invalid value: "": resource or service backend is required, spec.rules[0].http.paths[3].path: Invalid value: "/a/.": cannot end with '/.', spec.rules[0].http.paths[3].backend: Invalid value: "": resource or service backend is required]
        {spec: {tls: [{hosts: ['*x', A], secretName: B_}], ingressClassName: C_}}
        => Ingress.networking.k8s.io "i" is invalid: [spec.tls[0].hosts[0]: Invalid value: "*x": a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), spec.tls[0].hosts[1]: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), spec.tls[0].secretName: Invalid value: "B_": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), spec.ingressClassName: Invalid value: "C_": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')]
        {metadata: {annotations: {kubernetes.io/ingress.class: x}}}
        => ok
           ! annotation "kubernetes.io/ingress.class" is deprecated, please use 'spec.ingressClassName' instead
        {metadata: {annotations: {kubernetes.io/ingress.class: x}}, spec: {ingressClassName: x}}
        => Ingress.networking.k8s.io "i" is invalid: annotations.kubernetes.io/ingress.class: Invalid value: "x": can not be set when the class field is also set
    "#]].assert_eq(&creations(
        "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i}, spec: {defaultBackend: {service: {name: s, port: {number: 80}}}}}",
        &[
            "{spec: {defaultBackend: null}}",
            "{spec: {defaultBackend: {service: {name: S, port: null}}}}",
            "{spec: {defaultBackend: {service: null}}}",
            "{spec: {defaultBackend: {resource: {kind: a/b}}}}",
            "{spec: {defaultBackend: {service: null, resource: {kind: a/b}}}}",
            "{spec: {rules: [{host: 1.2.3.4}, {host: '*.*.com'}, {host: A}, {http: {paths: []}}]}}",
            "{spec: {rules: [{http: {paths: [{backend: {service: {name: s, port: {name: x, number: 1}}}}, {pathType: Prefix, path: a//b}, {pathType: Guess, path: /}, {pathType: Exact, path: /a/.}]}}]}}",
            "{spec: {tls: [{hosts: ['*x', A], secretName: B_}], ingressClassName: C_}}",
            "{metadata: {annotations: {kubernetes.io/ingress.class: x}}}",
            "{metadata: {annotations: {kubernetes.io/ingress.class: x}}, spec: {ingressClassName: x}}",
        ],
    ));
    expect![[r#"
        {spec: {controller: ''}}
        => IngressClass.networking.k8s.io "i" is invalid: spec.controller: Required value
        {spec: {controller: a}}
        => IngressClass.networking.k8s.io "i" is invalid: spec.controller: Invalid value: "a": must be a domain-prefixed path (such as "acme.io/foo")
        {spec: {parameters: {kind: K, name: a, scope: Namespace}}}
        => IngressClass.networking.k8s.io "i" is invalid: spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'
        {spec: {parameters: {scope: World}}}
        => IngressClass.networking.k8s.io "i" is invalid: [spec.parameters.kind: Required value: kind is required, spec.parameters.name: Required value: name is required, spec.parameters.scope: Unsupported value: "World": supported values: "Cluster", "Namespace"]
    "#]].assert_eq(&creations(
        "{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: i}, spec: {controller: a.io/b}}",
        &[
            "{spec: {controller: ''}}",
            "{spec: {controller: a}}",
            "{spec: {parameters: {kind: K, name: a, scope: Namespace}}}",
            "{spec: {parameters: {scope: World}}}",
        ],
    ));
    expect![[r#"
        {spec: {policyTypes: [Up, Ingress]}}
        => NetworkPolicy.networking.k8s.io "p" is invalid: spec.policyTypes[0]: Unsupported value: "Up": supported values: "Ingress", "Egress"
        {spec: {ingress: [{from: [{}, {ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16, 10.1.0.0/16]}, podSelector: {}}, {ipBlock: {cidr: x}}]}]}}
        => NetworkPolicy.networking.k8s.io "p" is invalid: [spec.ingress[0].from[0]: Required value: must specify a peer, spec.ingress[0].from[1].ipBlock.except[0]: Invalid value: "11.0.0.0/16": must be a strict subset of `cidr`, spec.ingress[0].from[1]: Forbidden: may not specify both ipBlock and another peer, spec.ingress[0].from[2].ipBlock.cidr: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)]
        {spec: {egress: [{ports: [{port: 0}, {port: http--x}, {protocol: ICMP}, {endPort: 5}, {port: 10, endPort: 5}, {port: x, endPort: 5}]}]}}
        => NetworkPolicy.networking.k8s.io "p" is invalid: [spec.egress[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive, spec.egress[0].ports[1].port: Invalid value: "http--x": must not contain consecutive hyphens, spec.egress[0].ports[2].protocol: Unsupported value: "ICMP": supported values: "TCP", "UDP", "SCTP", spec.egress[0].ports[3].endPort: Invalid value: 5: may not be specified when `port` is not specified, spec.egress[0].ports[4].endPort: Invalid value: 10: must be greater than or equal to `port`, spec.egress[0].ports[5].endPort: Invalid value: 5: may not be specified when `port` is non-numeric]
    "#]].assert_eq(&creations(
        "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p}, spec: {podSelector: {}}}",
        &[
            "{spec: {policyTypes: [Up, Ingress]}}",
            "{spec: {ingress: [{from: [{}, {ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16, 10.1.0.0/16]}, podSelector: {}}, {ipBlock: {cidr: x}}]}]}}",
            "{spec: {egress: [{ports: [{port: 0}, {port: http--x}, {protocol: ICMP}, {endPort: 5}, {port: 10, endPort: 5}, {port: x, endPort: 5}]}]}}",
        ],
    ));
    expect![[r#"
        {rules: [{}, {verbs: [get], nonResourceURLs: [/x], resources: [pods]}]}
        => ClusterRole.rbac.authorization.k8s.io "r" is invalid: [rules[0].verbs: Required value: verbs must contain at least one value, rules[0].apiGroups: Required value: resource rules must supply at least one api group, rules[0].resources: Required value: resource rules must supply at least one resource, rules[1].nonResourceURLs: Invalid value: ["/x"]: rules cannot apply to both regular resources and non-resource URLs]
        {aggregationRule: {}}
        => ClusterRole.rbac.authorization.k8s.io "r" is invalid: aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil
        {metadata: {name: a/b%}}
        => ClusterRole.rbac.authorization.k8s.io "a/b%" is invalid: [metadata.name: Invalid value: "a/b%": may not contain '/', metadata.name: Invalid value: "a/b%": may not contain '%']
    "#]].assert_eq(&creations(
        "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: r}, rules: []}",
        &[
            "{rules: [{}, {verbs: [get], nonResourceURLs: [/x], resources: [pods]}]}",
            "{aggregationRule: {}}",
            "{metadata: {name: a/b%}}",
        ],
    ));
    expect![[r#"
        {roleRef: {kind: Role, apiGroup: x}}
        => ClusterRoleBinding.rbac.authorization.k8s.io "r" is invalid: [roleRef.apiGroup: Unsupported value: "x": supported values: "rbac.authorization.k8s.io", roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"]
        {subjects: [{kind: ServiceAccount, name: A_}, {kind: User}, {kind: Robot, name: x}]}
        => ClusterRoleBinding.rbac.authorization.k8s.io "r" is invalid: [subjects[0].name: Invalid value: "A_": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), subjects[0].namespace: Required value, subjects[1].name: Required value, subjects[2].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"]
        {subjects: [{kind: User, name: x, apiGroup: ''}], roleRef: {kind: ClusterRole, name: x, apiGroup: ''}}
        => ok
    "#]].assert_eq(&creations(
        "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: r}, roleRef: {kind: ClusterRole, name: x}}",
        &[
            "{roleRef: {kind: Role, apiGroup: x}}",
            "{subjects: [{kind: ServiceAccount, name: A_}, {kind: User}, {kind: Robot, name: x}]}",
            "{subjects: [{kind: User, name: x, apiGroup: ''}], roleRef: {kind: ClusterRole, name: x, apiGroup: ''}}",
        ],
    ));
    let metric = "{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}";
    expect![[r#"
        {spec: {maxReplicas: 0, minReplicas: 0, scaleTargetRef: {name: a/b}}}
        => HorizontalPodAutoscaler.autoscaling "h" is invalid: [spec.minReplicas: Invalid value: 0: must be greater than or equal to 1, spec.maxReplicas: Required value: must be set and greater than 0, spec.scaleTargetRef.name: Invalid value: "a/b": may not contain '/']
        {spec: {metrics: [{}, {type: Pods}, {type: Resource, resource: {name: cpu, target: {}}}]}}
        => HorizontalPodAutoscaler.autoscaling "h" is invalid: [spec.metrics[0].type: Required value: must specify a metric source type, spec.metrics[0].type: Unsupported value: "": supported values: "ContainerResource", "External", "Object", "Pods", "Resource", spec.metrics[1].pods: Required value: must populate information for the given metric source, spec.metrics[2].resource.target.type: Required value: must specify a metric target type, spec.metrics[2].resource.target.type: Invalid value: "": must be either Utilization, Value, or AverageValue, spec.metrics[2].resource.target.averageUtilization: Required value: must set either a target raw value or a target utilization]
        {spec: {metrics: [{type: Resource, resource: {target: {type: Size, averageUtilization: 0, averageValue: 0}}, pods: {}}]}}
        => HorizontalPodAutoscaler.autoscaling "h" is invalid: [spec.metrics[0].pods.metric.name: Required value: must specify a metric name, spec.metrics[0].pods.target.type: Required value: must specify a metric target type, spec.metrics[0].pods.target.type: Invalid value: "": must be either Utilization, Value, or AverageValue, spec.metrics[0].pods.target.averageValue: Required value: must specify a positive target averageValue, spec.metrics[0].pods: Forbidden: must populate the given metric source only]
        {spec: {metrics: [{type: External, external: {metric: {name: ''}, target: {type: Value}}}, {type: Object, object: {target: {type: Value, value: 1}}}]}}
        => HorizontalPodAutoscaler.autoscaling "h" is invalid: [spec.metrics[0].external.metric.name: Required value: must specify a metric name, spec.metrics[0].external.target.averageValue: Required value: must set either a target value for metric or a per-pod target, spec.metrics[1].object.describedObject.kind: Required value, spec.metrics[1].object.describedObject.name: Required value, spec.metrics[1].object.metric.name: Required value: must specify a metric name]
        {spec: {behavior: {scaleDown: {stabilizationWindowSeconds: 4000, selectPolicy: Mean, policies: [{type: Pod, value: 0, periodSeconds: 2000}]}}}}
        => HorizontalPodAutoscaler.autoscaling "h" is invalid: [spec.behavior.scaleDown.stabilizationWindowSeconds: Invalid value: 4000: must be less than or equal to 3600, spec.behavior.scaleDown.selectPolicy: Unsupported value: "Mean": supported values: "Disabled", "Max", "Min", spec.behavior.scaleDown.policies[0].type: Unsupported value: "Pod": supported values: "Percent", "Pods", spec.behavior.scaleDown.policies[0].value: Invalid value: 0: must be greater than zero, spec.behavior.scaleDown.policies[0].periodSeconds: Invalid value: 2000: must be less than or equal to 1800]
    "#]].assert_eq(&creations(
        &format!("{{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {{name: h}}, spec: {{maxReplicas: 3, scaleTargetRef: {{kind: Deployment, name: d}}, metrics: [{metric}]}}}}"),
        &[
            "{spec: {maxReplicas: 0, minReplicas: 0, scaleTargetRef: {name: a/b}}}",
            "{spec: {metrics: [{}, {type: Pods}, {type: Resource, resource: {name: cpu, target: {}}}]}}",
            "{spec: {metrics: [{type: Resource, resource: {target: {type: Size, averageUtilization: 0, averageValue: 0}}, pods: {}}]}}",
            "{spec: {metrics: [{type: External, external: {metric: {name: ''}, target: {type: Value}}}, {type: Object, object: {target: {type: Value, value: 1}}}]}}",
            "{spec: {behavior: {scaleDown: {stabilizationWindowSeconds: 4000, selectPolicy: Mean, policies: [{type: Pod, value: 0, periodSeconds: 2000}]}}}}",
        ],
    ));
    expect![[r#"
        {spec: {maxUnavailable: 1}}
        => PodDisruptionBudget.policy "b" is invalid: spec: Invalid value: {"MinAvailable":1,"Selector":null,"MaxUnavailable":1,"UnhealthyPodEvictionPolicy":null}: minAvailable and maxUnavailable cannot be both set
        {spec: {minAvailable: -1}}
        => PodDisruptionBudget.policy "b" is invalid: spec.minAvailable: Invalid value: -1: must be greater than or equal to 0
        {spec: {minAvailable: 150%, unhealthyPodEvictionPolicy: Never}}
        => PodDisruptionBudget.policy "b" is invalid: [spec.minAvailable: Invalid value: "150%": must not be greater than 100%, spec.unhealthyPodEvictionPolicy: Unsupported value: "Never": supported values: "AlwaysAllow", "IfHealthyBudget"]
        {spec: {minAvailable: x}}
        => PodDisruptionBudget.policy "b" is invalid: spec.minAvailable: Invalid value: "x": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')
    "#]].assert_eq(&creations(
        "{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: b}, spec: {minAvailable: 1}}",
        &[
            "{spec: {maxUnavailable: 1}}",
            "{spec: {minAvailable: -1}}",
            "{spec: {minAvailable: 150%, unhealthyPodEvictionPolicy: Never}}",
            "{spec: {minAvailable: x}}",
        ],
    ));
    expect![[r#"
        {spec: {leaseDurationSeconds: 0, leaseTransitions: -1}}
        => Lease.coordination.k8s.io "l" is invalid: [spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0, spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0]
    "#]].assert_eq(&creations(
        "{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: l}, spec: {}}",
        &["{spec: {leaseDurationSeconds: 0, leaseTransitions: -1}}"],
    ));
    expect![[r#"
        {data: {'a/b': x, ..: z}, binaryData: {'a/b': eA==}}
        => ConfigMap "c" is invalid: [data[..]: Invalid value: "..": must not be '..', data[a/b]: Invalid value: "a/b": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+'), data[a/b]: Invalid value: "a/b": duplicate of key present in binaryData, binaryData[a/b]: Invalid value: "a/b": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')]
        {metadata: {ownerReferences: [{}]}}
        => ConfigMap "c" is invalid: [metadata.ownerReferences.apiVersion: Invalid value: "": version must not be empty, metadata.ownerReferences.kind: Invalid value: "": must not be empty, metadata.ownerReferences.name: Invalid value: "": must not be empty, metadata.ownerReferences.uid: Invalid value: "": must not be empty]
        {metadata: {annotations: {'a b': x}, labels: {/x: z}}}
        => ConfigMap "c" is invalid: [metadata.labels: Invalid value: "/x": prefix part must be non-empty, metadata.annotations: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')]
    "#]].assert_eq(&creations(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}",
        &[
            "{data: {'a/b': x, ..: z}, binaryData: {'a/b': eA==}}",
            "{metadata: {ownerReferences: [{}]}}",
            "{metadata: {annotations: {'a b': x}, labels: {/x: z}}}",
        ],
    ));
    expect![[r#"
        {type: kubernetes.io/tls}
        => Secret "c" is invalid: [data[tls.crt]: Required value, data[tls.key]: Required value]
        {type: kubernetes.io/basic-auth}
        => Secret "c" is invalid: [data[username]: Required value, data[password]: Required value]
        {type: kubernetes.io/ssh-auth}
        => Secret "c" is invalid: data[ssh-privatekey]: Required value
        {type: kubernetes.io/dockerconfigjson, stringData: {.dockerconfigjson: x}}
        => Secret "c" is invalid: data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": invalid character 'x' looking for beginning of value
        {type: kubernetes.io/service-account-token}
        => Secret "c" is invalid: metadata.annotations[kubernetes.io/service-account.name]: Required value
    "#]].assert_eq(&creations(
        "{apiVersion: v1, kind: Secret, metadata: {name: c}}",
        &[
            "{type: kubernetes.io/tls}",
            "{type: kubernetes.io/basic-auth}",
            "{type: kubernetes.io/ssh-auth}",
            "{type: kubernetes.io/dockerconfigjson, stringData: {.dockerconfigjson: x}}",
            "{type: kubernetes.io/service-account-token}",
        ],
    ));
    expect![[r#"
        {metadata: {name: A.b}}
        => Namespace "A.b" is invalid: metadata.name: Invalid value: "A.b": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
        {spec: {finalizers: [x]}}
        => Namespace "c" is invalid: spec.finalizers: Invalid value: "x": name is neither a standard finalizer name nor is it fully qualified
    "#]].assert_eq(&creations(
        "{apiVersion: v1, kind: Namespace, metadata: {name: c}}",
        &["{metadata: {name: A.b}}", "{spec: {finalizers: [x]}}"],
    ));
}

#[test]
fn warnings() {
    expect![[r#"
        {metadata: {name: a.b}}
        => ok
           ! metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [must not contain dots]
        {spec: {nodeSelector: {beta.kubernetes.io/os: linux}, affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: beta.kubernetes.io/arch, operator: Exists}]}]}}}}}
        => ok
           ! spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead
           ! spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].key: beta.kubernetes.io/arch is deprecated since v1.14; use "kubernetes.io/arch" instead
        {spec: {topologySpreadConstraints: [{maxSkew: 1, topologyKey: failure-domain.beta.kubernetes.io/zone, whenUnsatisfiable: ScheduleAnyway}]}}
        => ok
           ! spec.topologySpreadConstraints[0].topologyKey: failure-domain.beta.kubernetes.io/zone is deprecated since v1.17; use "topology.kubernetes.io/zone" instead
           ! spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod
        {spec: {containers: [{name: c, image: a, env: [{name: A, value: x}, {name: A, value: z}, {name: B, value: x}, {name: B, value: $(B)y}]}]}}
        => ok
           ! spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply
        {spec: {containers: [{name: c, image: a, resources: {requests: {memory: 100m}}}]}}
        => ok
           ! spec.containers[0].resources.requests[memory]: fractional byte value "100m" is invalid, must be an integer
        {spec: {containers: [{name: c, image: a, ports: [{containerPort: 80}]}, {name: d, image: a, ports: [{containerPort: 80}, {containerPort: 80, hostPort: 80}]}]}}
        => ok
           ! spec.containers[1].ports[0]: duplicate port definition with spec.containers[0].ports[0]
           ! spec.containers[1].ports[1]: overlapping port definition with spec.containers[0].ports[0]
           ! spec.containers[1].ports[1]: overlapping port definition with spec.containers[1].ports[0]
        {spec: {hostAliases: [{ip: 1.1.1.1}, {ip: 1.1.1.1}], imagePullSecrets: [{name: a}, {name: a}, {}]}}
        => ok
           ! spec.hostAliases[1].ip: duplicate ip "1.1.1.1"
           ! spec.imagePullSecrets[1].name: duplicate name "a"
           ! spec.imagePullSecrets[2].name: invalid empty name ""
        {spec: {volumes: [{name: v, gitRepo: {repository: x}}, {name: w, glusterfs: {endpoints: e, path: p}}]}}
        => ok
           ! spec.volumes[0].gitRepo: deprecated in v1.11, and disabled by default in v1.33+
           ! spec.volumes[1].glusterfs: deprecated in v1.25, non-functional in v1.26+
        {spec: {terminationGracePeriodSeconds: -1}}
        => ok
           ! spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1
    "#]].assert_eq(&creations(
        POD,
        &[
            "{metadata: {name: a.b}}",
            "{spec: {nodeSelector: {beta.kubernetes.io/os: linux}, affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: beta.kubernetes.io/arch, operator: Exists}]}]}}}}}",
            "{spec: {topologySpreadConstraints: [{maxSkew: 1, topologyKey: failure-domain.beta.kubernetes.io/zone, whenUnsatisfiable: ScheduleAnyway}]}}",
            "{spec: {containers: [{name: c, image: a, env: [{name: A, value: x}, {name: A, value: z}, {name: B, value: x}, {name: B, value: $(B)y}]}]}}",
            "{spec: {containers: [{name: c, image: a, resources: {requests: {memory: 100m}}}]}}",
            "{spec: {containers: [{name: c, image: a, ports: [{containerPort: 80}]}, {name: d, image: a, ports: [{containerPort: 80}, {containerPort: 80, hostPort: 80}]}]}}",
            "{spec: {hostAliases: [{ip: 1.1.1.1}, {ip: 1.1.1.1}], imagePullSecrets: [{name: a}, {name: a}, {}]}}",
            "{spec: {volumes: [{name: v, gitRepo: {repository: x}}, {name: w, glusterfs: {endpoints: e, path: p}}]}}",
            "{spec: {terminationGracePeriodSeconds: -1}}",
        ],
    ));
}

#[test]
fn metadata() {
    let base = "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}";
    expect![[r#"
        {metadata: {name: null, generateName: a-}}
        => ok
        {metadata: {name: null, generateName: A-}}
        => ConfigMap "A-j4b42" is invalid: [metadata.generateName: Invalid value: "A-": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), metadata.name: Invalid value: "A-j4b42": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')]
        {metadata: {ownerReferences: [{apiVersion: v1, kind: '', name: '', uid: ''}]}}
        => ConfigMap "c" is invalid: [metadata.ownerReferences.kind: Invalid value: "": must not be empty, metadata.ownerReferences.name: Invalid value: "": must not be empty, metadata.ownerReferences.uid: Invalid value: "": must not be empty]
        {metadata: {ownerReferences: [{apiVersion: v1, kind: Event, name: e, uid: u}]}}
        => ConfigMap "c" is invalid: metadata.ownerReferences: Invalid value: {"apiVersion":"v1","kind":"Event","name":"e","uid":"u"}: /v1, Kind=Event is disallowed from being an owner
        {metadata: {ownerReferences: [{apiVersion: v1, kind: Pod, name: a, uid: u, controller: true}, {apiVersion: v1, kind: Pod, name: b, uid: v, controller: true}]}}
        => ConfigMap "c" is invalid: metadata.ownerReferences: Invalid value: [{"apiVersion":"v1","kind":"Pod","name":"a","uid":"u","controller":true},{"apiVersion":"v1","kind":"Pod","name":"b","uid":"v","controller":true}]: Only one reference can have Controller set to true. Found "true" in references for Pod/a and Pod/b
        {metadata: {finalizers: [orphan, foregroundDeletion, mine, 'a b']}}
        => ConfigMap "c" is invalid: [metadata.finalizers: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'), metadata.finalizers: Invalid value: ["orphan","foregroundDeletion","mine","a b"]: finalizer orphan and foregroundDeletion cannot be both set, metadata.finalizers[2]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified, metadata.finalizers[3]: Invalid value: "a b": name is neither a standard finalizer name nor is it fully qualified]
    "#]].assert_eq(&creations(
        base,
        &[
            "{metadata: {name: null, generateName: a-}}",
            "{metadata: {name: null, generateName: A-}}",
            "{metadata: {ownerReferences: [{apiVersion: v1, kind: '', name: '', uid: ''}]}}",
            "{metadata: {ownerReferences: [{apiVersion: v1, kind: Event, name: e, uid: u}]}}",
            "{metadata: {ownerReferences: [{apiVersion: v1, kind: Pod, name: a, uid: u, controller: true}, {apiVersion: v1, kind: Pod, name: b, uid: v, controller: true}]}}",
            "{metadata: {finalizers: [orphan, foregroundDeletion, mine, 'a b']}}",
        ],
    ));
}

#[test]
fn kubelets() {
    use crate::api::auth::User;
    let api = server();
    let mut out = String::new();
    let mut ask = |user: &User, method: Method, path: &str, text: &str| {
        let mut request = Request::new(method, path);
        if !text.is_empty() {
            request = request.body(Body::Value(tree(text)));
        }
        request.user = user.clone();
        let response = api.serve(request);
        out.push_str(&format!("{path} {text}\n=> {}\n", answer(&response)));
    };
    let (admin, kubelet) = (User::admin(), User::node("n1"));
    let node = |name: &str, more: &str| format!("{{apiVersion: v1, kind: Node, metadata: {{name: {name}{more}}}}}");
    let pod = |more: &str| {
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: p{more}}}, spec: {{nodeName: n1, containers: [{{name: c, image: x}}]}}}}"
        )
    };
    let (nodes, pods) = ("/api/v1/nodes", "/api/v1/namespaces/default/pods");
    ask(&kubelet, Method::Post, nodes, &node("m", ""));
    ask(
        &kubelet,
        Method::Post,
        nodes,
        &node("n1", ", labels: {node-role.kubernetes.io/x: ''}"),
    );
    ask(&admin, Method::Post, nodes, &node("n1", ", labels: {a: b}"));
    ask(
        &kubelet,
        Method::Put,
        "/api/v1/nodes/n1",
        &node(
            "n1",
            ", labels: {a: c, node-restriction.kubernetes.io/x: z}}, spec: {taints: [{key: node.kubernetes.io/not-ready, effect: NoSchedule}]",
        ),
    );
    ask(&kubelet, Method::Put, "/api/v1/nodes/n1", &node("n1", ""));
    ask(&kubelet, Method::Post, pods, &pod(""));
    ask(
        &kubelet,
        Method::Post,
        pods,
        &pod(", annotations: {kubernetes.io/config.mirror: x}"),
    );
    ask(
        &kubelet,
        Method::Post,
        pods,
        &pod(
            ", annotations: {kubernetes.io/config.mirror: x}, ownerReferences: [{apiVersion: v1, kind: Node, name: n1, uid: u, controller: true}]",
        ),
    );
    ask(
        &kubelet,
        Method::Post,
        "/apis/coordination.k8s.io/v1/namespaces/default/leases",
        "{metadata: {name: m}}",
    );
    expect![[r#"
        /api/v1/nodes {apiVersion: v1, kind: Node, metadata: {name: m}}
        => nodes "m" is forbidden: node "n1" is not allowed to modify node "m"
        /api/v1/nodes {apiVersion: v1, kind: Node, metadata: {name: n1, labels: {node-role.kubernetes.io/x: ''}}}
        => nodes "n1" is forbidden: node "n1" is not allowed to set the following labels: node-role.kubernetes.io/x
        /api/v1/nodes {apiVersion: v1, kind: Node, metadata: {name: n1, labels: {a: b}}}
        => ok
        /api/v1/nodes/n1 {apiVersion: v1, kind: Node, metadata: {name: n1, labels: {a: c, node-restriction.kubernetes.io/x: z}}, spec: {taints: [{key: node.kubernetes.io/not-ready, effect: NoSchedule}]}}
        => nodes "n1" is forbidden: is not allowed to modify labels: node-restriction.kubernetes.io/x
        /api/v1/nodes/n1 {apiVersion: v1, kind: Node, metadata: {name: n1}}
        => nodes "n1" is forbidden: node "n1" is not allowed to modify taints
        /api/v1/namespaces/default/pods {apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {nodeName: n1, containers: [{name: c, image: x}]}}
        => pods "p" is forbidden: pod does not have "kubernetes.io/config.mirror" annotation, node "n1" can only create mirror pods
        /api/v1/namespaces/default/pods {apiVersion: v1, kind: Pod, metadata: {name: p, annotations: {kubernetes.io/config.mirror: x}}, spec: {nodeName: n1, containers: [{name: c, image: x}]}}
        => pods "p" is forbidden: node "n1" can only create pods with an owner reference set to itself
        /api/v1/namespaces/default/pods {apiVersion: v1, kind: Pod, metadata: {name: p, annotations: {kubernetes.io/config.mirror: x}, ownerReferences: [{apiVersion: v1, kind: Node, name: n1, uid: u, controller: true}]}, spec: {nodeName: n1, containers: [{name: c, image: x}]}}
        => pods "p" is forbidden: node n1 UID mismatch: expected 027a617d-2237-46c9-87f4-e5c44c95357a got u
        /apis/coordination.k8s.io/v1/namespaces/default/leases {metadata: {name: m}}
        => leases.coordination.k8s.io "m" is forbidden: can only access leases in the "kube-node-lease" system namespace
    "#]].assert_eq(&out);
}

/// What a kind's defaults make of its least objects.
#[test]
fn defaults() {
    let mut out = String::new();
    for text in [
        "{apiVersion: storage.k8s.io/v1, kind: CSIDriver, metadata: {name: d}, spec: {}}",
        "{apiVersion: flowcontrol.apiserver.k8s.io/v1, kind: PriorityLevelConfiguration, metadata: {name: p}, spec: {type: Limited, limited: {limitResponse: {type: Queue, queuing: {}}}}}",
        "{apiVersion: flowcontrol.apiserver.k8s.io/v1, kind: FlowSchema, metadata: {name: f}, spec: {priorityLevelConfiguration: {name: p}}}",
        "{apiVersion: batch/v1, kind: Job, metadata: {name: j}, spec: {podFailurePolicy: {rules: [{action: Ignore, onPodConditions: [{type: X}]}]}, template: {spec: {restartPolicy: Never, containers: [{name: c, image: x}]}}}}",
        "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: x, env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}]}], volumes: [{name: e, ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}}}]}}",
    ] {
        let api = server();
        let object = tree(text);
        let path = collection(&api, &object);
        let made = api.serve(Request::new(Method::Post, path).body(Body::Value(object)));
        assert_eq!(made.code, 201, "{}", answer(&made));
        let mut spec = made.value().get("spec").clone();
        spec.remove(&["tolerations"]);
        out.push_str(&format!("{}\n", spec.to_json()));
    }
    expect![[r#"
        {"attachRequired":true,"fsGroupPolicy":"ReadWriteOnceWithFSType","podInfoOnMount":false,"requiresRepublish":false,"seLinuxMount":false,"storageCapacity":false,"volumeLifecycleModes":["Persistent"]}
        {"limited":{"lendablePercent":0,"limitResponse":{"queuing":{"handSize":8,"queueLengthLimit":50,"queues":64},"type":"Queue"},"nominalConcurrencyShares":30},"type":"Limited"}
        {"matchingPrecedence":1000,"priorityLevelConfiguration":{"name":"p"}}
        {"backoffLimit":6,"completionMode":"NonIndexed","completions":1,"manualSelector":false,"parallelism":1,"podFailurePolicy":{"rules":[{"action":"Ignore","onPodConditions":[{"status":"True","type":"X"}]}]},"podReplacementPolicy":"Failed","selector":{"matchLabels":{"batch.kubernetes.io/controller-uid":"a833bdcd-b6d1-4eb1-88dc-97e5aab5fe3d"}},"suspend":false,"template":{"metadata":{"labels":{"batch.kubernetes.io/controller-uid":"a833bdcd-b6d1-4eb1-88dc-97e5aab5fe3d","batch.kubernetes.io/job-name":"j","controller-uid":"a833bdcd-b6d1-4eb1-88dc-97e5aab5fe3d","job-name":"j"}},"spec":{"containers":[{"image":"x","imagePullPolicy":"Always","name":"c","resources":{},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File"}],"dnsPolicy":"ClusterFirst","restartPolicy":"Never","schedulerName":"default-scheduler","securityContext":{},"terminationGracePeriodSeconds":30}}}
        {"containers":[{"env":[{"name":"A","valueFrom":{"resourceFieldRef":{"divisor":"0","resource":"limits.cpu"}}}],"image":"x","imagePullPolicy":"Always","name":"c","resources":{},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","volumeMounts":[{"mountPath":"/var/run/secrets/kubernetes.io/serviceaccount","name":"kube-api-access-j4b42","readOnly":true}]}],"dnsPolicy":"ClusterFirst","enableServiceLinks":true,"preemptionPolicy":"PreemptLowerPriority","priority":0,"restartPolicy":"Always","schedulerName":"default-scheduler","securityContext":{},"serviceAccount":"default","serviceAccountName":"default","terminationGracePeriodSeconds":30,"volumes":[{"ephemeral":{"volumeClaimTemplate":{"metadata":{},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}},"volumeMode":"Filesystem"}}},"name":"e"},{"name":"kube-api-access-j4b42","projected":{"defaultMode":420,"sources":[{"serviceAccountToken":{"expirationSeconds":3607,"path":"token"}},{"configMap":{"items":[{"key":"ca.crt","path":"ca.crt"}],"name":"kube-root-ca.crt"}},{"downwardAPI":{"items":[{"fieldRef":{"apiVersion":"v1","fieldPath":"metadata.namespace"},"path":"namespace"}]}}]}}]}
    "#]].assert_eq(&out);
}

/// Creates an object, and writes each of these through its `/status`, one after the other.
fn statuses(base: &str, changes: &[&str]) -> String {
    let base = tree(base);
    let api = server();
    let path = collection(&api, &base);
    let made = api.serve(Request::new(Method::Post, path.as_str()).body(Body::Value(base.clone())));
    assert_eq!(made.code, 201, "{}", answer(&made));
    let path = format!("{path}/{}/status", made.value().str_at(&["metadata", "name"]));
    let mut out = String::new();
    for change in changes {
        let body = Body::Value(tree(&format!("{{status: {change}}}")));
        let mut request = Request::new(Method::Patch, path.as_str()).body(body);
        request.content_type = "application/merge-patch+json".into();
        let response = api.serve(request);
        out.push_str(&format!("{change}\n=> {}\n", answer(&response)));
    }
    out
}

#[test]
fn statuses_of_workloads() {
    let web = "metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: nginx}]}";
    let of = |kind: &str| {
        format!(
            "{{apiVersion: apps/v1, kind: {kind}, metadata: {{name: web}}, spec: {{selector: {{matchLabels: {{app: web}}}}, template: {{{web}}}}}}}"
        )
    };
    expect![[r#"
        {replicas: -1}
        => Deployment.apps "web" is invalid: [status.replicas: Invalid value: -1: must be greater than or equal to 0, status.updatedReplicas: Invalid value: 0: cannot be greater than status.replicas, status.readyReplicas: Invalid value: 0: cannot be greater than status.replicas, status.availableReplicas: Invalid value: 0: cannot be greater than status.replicas]
        {replicas: 1, updatedReplicas: 2, readyReplicas: 2, availableReplicas: 3}
        => Deployment.apps "web" is invalid: [status.updatedReplicas: Invalid value: 2: cannot be greater than status.replicas, status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas, status.availableReplicas: Invalid value: 3: cannot be greater than status.replicas, status.availableReplicas: Invalid value: 3: cannot be greater than readyReplicas]
        {replicas: 3, readyReplicas: 1, availableReplicas: 2}
        => Deployment.apps "web" is invalid: status.availableReplicas: Invalid value: 2: cannot be greater than readyReplicas
        {replicas: 3, readyReplicas: 3, availableReplicas: 2, collisionCount: 2}
        => ok
        {collisionCount: 1}
        => Deployment.apps "web" is invalid: status.collisionCount: Invalid value: 1: cannot be decremented
        {collisionCount: null}
        => Deployment.apps "web" is invalid: status.collisionCount: Invalid value: 0: cannot be decremented
    "#]].assert_eq(&statuses(
        &of("Deployment"),
        &[
            "{replicas: -1}",
            "{replicas: 1, updatedReplicas: 2, readyReplicas: 2, availableReplicas: 3}",
            "{replicas: 3, readyReplicas: 1, availableReplicas: 2}",
            "{replicas: 3, readyReplicas: 3, availableReplicas: 2, collisionCount: 2}",
            "{collisionCount: 1}",
            "{collisionCount: null}",
        ],
    ));
    expect![[r#"
        {replicas: 1, fullyLabeledReplicas: 2, observedGeneration: -1}
        => ReplicaSet.apps "web" is invalid: [status.observedGeneration: Invalid value: -1: must be greater than or equal to 0, status.fullyLabeledReplicas: Invalid value: 2: cannot be greater than status.replicas]
    "#]].assert_eq(&statuses(
        &of("ReplicaSet"),
        &["{replicas: 1, fullyLabeledReplicas: 2, observedGeneration: -1}"],
    ));
    expect![[r#"
        {replicas: 1, currentReplicas: 2, availableReplicas: 1}
        => StatefulSet.apps "web" is invalid: [status.currentReplicas: Invalid value: 2: cannot be greater than status.replicas, status.availableReplicas: Invalid value: 1: cannot be greater than status.readyReplicas]
    "#]].assert_eq(&statuses(
        &of("StatefulSet"),
        &["{replicas: 1, currentReplicas: 2, availableReplicas: 1}"],
    ));
    expect![[r#"
        {numberReady: -1, currentNumberScheduled: 0, desiredNumberScheduled: 0, numberMisscheduled: -2}
        => DaemonSet.apps "web" is invalid: [status.numberMisscheduled: Invalid value: -2: must be greater than or equal to 0, status.numberReady: Invalid value: -1: must be greater than or equal to 0]
    "#]].assert_eq(&statuses(
        &of("DaemonSet"),
        &["{numberReady: -1, currentNumberScheduled: 0, desiredNumberScheduled: 0, numberMisscheduled: -2}"],
    ));
}

#[test]
fn statuses_of_pods() {
    expect![[r#"
        {qosClass: Guaranteed}
        => Pod "p" is invalid: status.qosClass: Invalid value: "Guaranteed": field is immutable
        {conditions: [{type: 'a b', status: 'True'}]}
        => Pod "p" is invalid: metadata.conditions[0].Type: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
        {nominatedNodeName: Node_1}
        => Pod "p" is invalid: status.nominatedNodeName: Invalid value: "Node_1": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        {podIP: 10.0.0.300}
        => Pod "p" is invalid: status.podIPs[0]: Invalid value: "10.0.0.300": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)
        {podIP: 10.0.0.3}
        => ok
        {podIP: 10.0.0.3, podIPs: [{ip: 10.0.0.3}, {ip: 10.0.0.4}]}
        => Pod "p" is invalid: status.podIPs: Invalid value: [{"IP":"10.0.0.3"},{"IP":"10.0.0.4"}]: may specify no more than one IP for each IP family
        {hostIP: 10.0.0.1, hostIPs: [{ip: 10.0.0.2}]}
        => Pod "p" is invalid: status.hostIPs[0].ip: Invalid value: "10.0.0.2": must be equal to `hostIP`
        {resourceClaimStatuses: [{name: gpu}]}
        => Pod "p" is invalid: status.resourceClaimStatuses[0].name: Invalid value: "gpu": must match the name of an entry in `spec.resourceClaims`
        {containerStatuses: [{name: c, image: nginx, imageID: '', ready: false, restartCount: 0, state: {terminated: {exitCode: 0}}}]}
        => ok
        {containerStatuses: [{name: c, image: nginx, imageID: '', ready: true, restartCount: 1, state: {running: {}}}]}
        => Pod "p" is invalid: status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state
    "#]].assert_eq(&statuses(
        "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {restartPolicy: Never, containers: [{name: c, image: nginx}]}}",
        &[
            "{qosClass: Guaranteed}",
            "{conditions: [{type: 'a b', status: 'True'}]}",
            "{nominatedNodeName: Node_1}",
            "{podIP: 10.0.0.300}",
            "{podIP: 10.0.0.3}",
            "{podIP: 10.0.0.3, podIPs: [{ip: 10.0.0.3}, {ip: 10.0.0.4}]}",
            "{hostIP: 10.0.0.1, hostIPs: [{ip: 10.0.0.2}]}",
            "{resourceClaimStatuses: [{name: gpu}]}",
            "{containerStatuses: [{name: c, image: nginx, imageID: '', ready: false, restartCount: 0, state: {terminated: {exitCode: 0}}}]}",
            "{containerStatuses: [{name: c, image: nginx, imageID: '', ready: true, restartCount: 1, state: {running: {}}}]}",
        ],
    ));
}

#[test]
fn statuses_of_jobs() {
    let job = "{apiVersion: batch/v1, kind: Job, metadata: {name: j}, spec: {completions: 5, completionMode: Indexed, template: {spec: {restartPolicy: Never, containers: [{name: c, image: busybox}]}}}}";
    expect![[r#"
        {active: -1}
        => Job.batch "j" is invalid: status.active: Invalid value: -1: must be greater than or equal to 0
        {ready: 1}
        => Job.batch "j" is invalid: status.ready: Invalid value: 1: cannot set more ready pods than active
        {conditions: [{type: Complete, status: 'True'}]}
        => Job.batch "j" is invalid: [status.completionTime: Required value: completionTime is required for Complete jobs, status.conditions: Invalid value: cannot set Complete=True condition without the SuccessCriteriaMet=true condition, status.startTime: Required value: startTime is required for finished job]
        {conditions: [{type: Failed, status: 'True'}]}
        => Job.batch "j" is invalid: [status.conditions: Invalid value: cannot set Failed=True condition without the FailureTarget=true condition, status.startTime: Required value: startTime is required for finished job]
        {completionTime: '2026-01-01T00:00:00Z'}
        => Job.batch "j" is invalid: status.completionTime: Invalid value: "2026-01-01T00:00:00Z": cannot set completionTime when there is no Complete=True condition
        {completedIndexes: '0,2-7'}
        => Job.batch "j" is invalid: status.completedIndexes: Invalid value: "0,2-7": error parsing completedIndexes: too large index: "7"
        {completedIndexes: '0,2-3,1'}
        => Job.batch "j" is invalid: status.completedIndexes: Invalid value: "0,2-3,1": error parsing completedIndexes: non-increasing order, previous: 3, current: 1
        {failedIndexes: '1'}
        => Job.batch "j" is invalid: status.failedIndexes: Invalid value: "1": cannot set non-null failedIndexes when backoffLimitPerIndex is null
        {startTime: '2026-01-01T00:00:00Z', succeeded: 2, failed: 1, completedIndexes: '0,2'}
        => ok
        {startTime: null}
        => Job.batch "j" is invalid: status.startTime: Required value: startTime cannot be removed for unsuspended job
        {succeeded: 1, failed: 0}
        => Job.batch "j" is invalid: [status.failed: Invalid value: 0: cannot decrease the failed counter, status.succeeded: Invalid value: 1: cannot decrease the succeeded counter]
        {uncountedTerminatedPods: {succeeded: [a, a, '']}}
        => Job.batch "j" is invalid: [status.uncountedTerminatedPods.succeeded[1]: Duplicate value: "a", status.uncountedTerminatedPods.succeeded[2]: Invalid value: "": must not be empty]
        {startTime: '2026-01-01T00:00:00Z', completionTime: '2025-01-01T00:00:00Z', conditions: [{type: SuccessCriteriaMet, status: 'True'}, {type: Complete, status: 'True'}]}
        => Job.batch "j" is invalid: status.completionTime: Invalid value: "2025-01-01T00:00:00Z": completionTime cannot be set before startTime
        {conditions: [{type: SuccessCriteriaMet, status: 'True'}, {type: FailureTarget, status: 'True'}]}
        => Job.batch "j" is invalid: status.conditions: Invalid value: cannot set SuccessCriteriaMet=True and FailureTarget=true conditions
        {completionTime: '2026-01-01T00:10:00Z', conditions: [{type: SuccessCriteriaMet, status: 'True'}, {type: Complete, status: 'True'}]}
        => ok
        {active: 1, conditions: []}
        => Job.batch "j" is invalid: [status.completionTime: Invalid value: "2026-01-01T00:10:00Z": cannot set completionTime when there is no Complete=True condition, status.conditions: Invalid value: cannot disable the terminal Complete=True condition, status.conditions: Invalid value: cannot disable the SuccessCriteriaMet=True condition]
    "#]].assert_eq(&statuses(
        job,
        &[
            "{active: -1}",
            "{ready: 1}",
            "{conditions: [{type: Complete, status: 'True'}]}",
            "{conditions: [{type: Failed, status: 'True'}]}",
            "{completionTime: '2026-01-01T00:00:00Z'}",
            "{completedIndexes: '0,2-7'}",
            "{completedIndexes: '0,2-3,1'}",
            "{failedIndexes: '1'}",
            "{startTime: '2026-01-01T00:00:00Z', succeeded: 2, failed: 1, completedIndexes: '0,2'}",
            "{startTime: null}",
            "{succeeded: 1, failed: 0}",
            "{uncountedTerminatedPods: {succeeded: [a, a, '']}}",
            "{startTime: '2026-01-01T00:00:00Z', completionTime: '2025-01-01T00:00:00Z', conditions: [{type: SuccessCriteriaMet, status: 'True'}, {type: Complete, status: 'True'}]}",
            "{conditions: [{type: SuccessCriteriaMet, status: 'True'}, {type: FailureTarget, status: 'True'}]}",
            "{completionTime: '2026-01-01T00:10:00Z', conditions: [{type: SuccessCriteriaMet, status: 'True'}, {type: Complete, status: 'True'}]}",
            "{active: 1, conditions: []}",
        ],
    ));
}

#[test]
fn statuses_of_others() {
    let all: [(&str, &[&str]); 9] = [
        (
            "{apiVersion: v1, kind: Namespace, metadata: {name: one}}",
            &["{phase: Terminating}", "{phase: null}"],
        ),
        (
            "{apiVersion: v1, kind: Node, metadata: {name: one}}",
            &[
                "{capacity: {cpu: -1}, addresses: [{type: InternalIP, address: 10.0.0.1}, {type: InternalIP, address: 10.0.0.1}]}",
            ],
        ),
        (
            "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {ports: [{port: 80}]}}",
            &["{loadBalancer: {ingress: [{ip: 1.2.3.4}]}}"],
        ),
        (
            "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {type: LoadBalancer, ports: [{port: 80}]}}",
            &[
                "{loadBalancer: {ingress: [{ip: 1.2.3.4.5, ipMode: Direct}, {hostname: 1.2.3.4}, {hostname: a_b, ipMode: VIP}]}}",
            ],
        ),
        (
            "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: c}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}",
            &["{capacity: {storage: -1Gi}}"],
        ),
        (
            "{apiVersion: v1, kind: ResourceQuota, metadata: {name: q}, spec: {hard: {pods: 2}}}",
            &["{hard: {pods: 1500m}, used: {foo: 1}}"],
        ),
        (
            "{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: b}, spec: {minAvailable: 1, selector: {matchLabels: {a: b}}}}",
            &[
                "{currentHealthy: -1, disruptionsAllowed: 0, desiredHealthy: 0, expectedPods: 0, conditions: [{type: 'x y', status: Maybe, reason: a-b, message: ''}]}",
            ],
        ),
        (
            "{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: h}, spec: {maxReplicas: 2, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: d}}}",
            &["{currentReplicas: -1, desiredReplicas: -2}"],
        ),
        (
            "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i, labels: {a: b}}, spec: {defaultBackend: {service: {name: s, port: {number: 80}}}}}",
            &["{loadBalancer: {ingress: [{ip: x}]}}"],
        ),
    ];
    let out: Vec<String> = all.iter().map(|(base, changes)| statuses(base, changes)).collect();
    expect![[r#"
        {phase: Terminating}
        => Namespace "one" is invalid: status.Phase: Invalid value: "Terminating": may only be 'Active' if `deletionTimestamp` is empty
        {phase: null}
        => Namespace "one" is invalid: status.Phase: Invalid value: "": may only be 'Active' if `deletionTimestamp` is empty
        --
        {capacity: {cpu: -1}, addresses: [{type: InternalIP, address: 10.0.0.1}, {type: InternalIP, address: 10.0.0.1}]}
        => Node "one" is invalid: [status.capacity.cpu: Invalid value: "-1": must be greater than or equal to 0, status.allocatable.cpu: Invalid value: "-1": must be greater than or equal to 0, status.addresses[1]: Duplicate value: {"Type":"InternalIP","Address":"10.0.0.1"}]
        --
        {loadBalancer: {ingress: [{ip: 1.2.3.4}]}}
        => Service "s" is invalid: status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is 'LoadBalancer'
        --
        {loadBalancer: {ingress: [{ip: 1.2.3.4.5, ipMode: Direct}, {hostname: 1.2.3.4}, {hostname: a_b, ipMode: VIP}]}}
        => Service "s" is invalid: [status.loadBalancer.ingress[0].ip: Invalid value: "1.2.3.4.5": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff), status.loadBalancer.ingress[0].ipMode: Unsupported value: "Direct": supported values: "Proxy", "VIP", status.loadBalancer.ingress[1].hostname: Invalid value: "1.2.3.4": must be a DNS name, not an IP address, status.loadBalancer.ingress[2].ipMode: Forbidden: may not be specified when `ip` is not set, status.loadBalancer.ingress[2].hostname: Invalid value: "a_b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')]
        --
        {capacity: {storage: -1Gi}}
        => PersistentVolumeClaim "c" is invalid: status.capacity[storage]: Invalid value: -1073741824: must be a valid resource quantity
        --
        {hard: {pods: 1500m}, used: {foo: 1}}
        => ResourceQuota "q" is invalid: [status.hard[pods]: Invalid value: "1500m": must be an integer, status.used[foo]: Invalid value: "foo": must be a standard resource type or fully qualified, status.used[foo]: Invalid value: "foo": must be a standard resource for quota]
        --
        {currentHealthy: -1, disruptionsAllowed: 0, desiredHealthy: 0, expectedPods: 0, conditions: [{type: 'x y', status: Maybe, reason: a-b, message: ''}]}
        => PodDisruptionBudget.policy "b" is invalid: [status.conditions[0].type: Invalid value: "x y": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'), status.conditions[0].status: Unsupported value: "Maybe": supported values: "False", "True", "Unknown", status.conditions[0].lastTransitionTime: Required value, status.conditions[0].reason: Invalid value: "a-b": a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?'), status.currentHealthy: Invalid value: -1: must be greater than or equal to 0]
        --
        {currentReplicas: -1, desiredReplicas: -2}
        => HorizontalPodAutoscaler.autoscaling "h" is invalid: [status.currentReplicas: Invalid value: -1: must be greater than or equal to 0, status.desiredReplicas: Invalid value: -2: must be greater than or equal to 0]
        --
        {loadBalancer: {ingress: [{ip: x}]}}
        => Ingress.networking.k8s.io "i" is invalid: status.loadBalancer.ingress[0].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)
    "#]].assert_eq(&out.join("--\n"));
}

#[test]
fn what_csi_drivers_write() {
    expect![[r#"
        {}
        => ok
        {spec: {drivers: [{nodeID: ''}, {name: 'A b', nodeID: x, allocatable: {count: -1}, topologyKeys: [a/b/c, '', x, x]}]}}
        => CSINode.storage.k8s.io "one" is invalid: [spec.drivers[0].name: Required value, spec.drivers[0].name: Invalid value: "": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), spec.drivers[0].nodeID: Required value, spec.drivers[1].name: Invalid value: "A b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), spec.drivers[1].allocatable.count: Invalid value: -1: must be greater than or equal to 0, spec.drivers[1]: Invalid value: "a/b/c": a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName'), spec.drivers[1]: Required value, spec.drivers[1]: Invalid value: "": name part must be non-empty, spec.drivers[1]: Invalid value: "": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'), spec.drivers[1]: Duplicate value: "x"]
        {spec: {drivers: [{name: a, nodeID: x}, {name: a, nodeID: other}]}}
        => CSINode.storage.k8s.io "one" is invalid: spec.drivers[1].name: Duplicate value: "a"
    "#]].assert_eq(&creations(
        "{apiVersion: storage.k8s.io/v1, kind: CSINode, metadata: {name: one}, spec: {drivers: [{name: a.example.com, nodeID: x}]}}",
        &[
            "{}",
            "{spec: {drivers: [{nodeID: ''}, {name: 'A b', nodeID: x, allocatable: {count: -1}, topologyKeys: [a/b/c, '', x, x]}]}}",
            "{spec: {drivers: [{name: a, nodeID: x}, {name: a, nodeID: other}]}}",
        ],
    ));
    expect![[r#"
        {spec: {drivers: [{name: a.example.com, nodeID: x, allocatable: {count: 3}}]}}
        => ok
        {spec: {drivers: [{name: a.example.com, nodeID: other}]}}
        => CSINode.storage.k8s.io "one" is invalid: spec.drivers: Invalid value: {"Name":"a.example.com","NodeID":"other","TopologyKeys":null,"Allocatable":null}: field is immutable
    "#]].assert_eq(&updates(
        "{apiVersion: storage.k8s.io/v1, kind: CSINode, metadata: {name: one}, spec: {drivers: [{name: a.example.com, nodeID: x}]}}",
        &[
            "{spec: {drivers: [{name: a.example.com, nodeID: x, allocatable: {count: 3}}]}}",
            "{spec: {drivers: [{name: a.example.com, nodeID: other}]}}",
        ],
    ));
    expect![[r#"
        {}
        => ok
        {storageClassName: Fast_1, capacity: -1, nodeTopology: {matchExpressions: [{key: a, operator: Is}]}}
        => CSIStorageCapacity.storage.k8s.io "c" is invalid: [nodeTopology.matchExpressions[0].operator: Invalid value: "Is": not a valid selector operator, storageClassName: Invalid value: "Fast_1": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), capacity: Invalid value: "-1": must be greater than or equal to 0]
    "#]].assert_eq(&creations(
        "{apiVersion: storage.k8s.io/v1, kind: CSIStorageCapacity, metadata: {name: c}, storageClassName: fast, capacity: 1Gi}",
        &[
            "{}",
            "{storageClassName: Fast_1, capacity: -1, nodeTopology: {matchExpressions: [{key: a, operator: Is}]}}",
        ],
    ));
    let attachment = "{apiVersion: storage.k8s.io/v1, kind: VolumeAttachment, metadata: {name: a}, spec: {attacher: a.example.com, nodeName: one, source: {persistentVolumeName: v}}}";
    expect![[r#"
        {}
        => ok
        {spec: {attacher: '', nodeName: '', source: {persistentVolumeName: null}}}
        => VolumeAttachment.storage.k8s.io "a" is invalid: [spec.attacher: Required value, spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName, spec.nodeName: Invalid value: "": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), spec.attacher: Invalid value: "": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')]
        {spec: {attacher: 'a b', source: {persistentVolumeName: V_1, inlineVolumeSpec: {}}}}
        => VolumeAttachment.storage.k8s.io "a" is invalid: [spec.source: Forbidden: must specify exactly one of inlineVolumeSpec and persistentVolumeName, spec.attacher: Invalid value: "a b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), spec.source.persistentVolumeName: Invalid value: "V_1": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')]
    "#]].assert_eq(&creations(
        attachment,
        &[
            "{}",
            "{spec: {attacher: '', nodeName: '', source: {persistentVolumeName: null}}}",
            "{spec: {attacher: 'a b', source: {persistentVolumeName: V_1, inlineVolumeSpec: {}}}}",
        ],
    ));
    expect![[r#"
        {spec: {nodeName: m}}
        => VolumeAttachment.storage.k8s.io "a" is invalid: spec: Invalid value: {"Attacher":"a.example.com","Source":{"PersistentVolumeName":"v","InlineVolumeSpec":null},"NodeName":"m"}: field is immutable
    "#]].assert_eq(&updates(attachment, &["{spec: {nodeName: m}}"]));
    let class = "{apiVersion: storage.k8s.io/v1, kind: VolumeAttributesClass, metadata: {name: c}, driverName: a.example.com, parameters: {a: b}}";
    expect![[r#"
        {}
        => ok
        {driverName: '', parameters: null}
        => VolumeAttributesClass.storage.k8s.io "c" is invalid: [driverName: Required value, parameters: Required value: must contain at least one key/value pair]
        {driverName: 'a b'}
        => VolumeAttributesClass.storage.k8s.io "c" is invalid: driverName: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
    "#]].assert_eq(&creations(
        class,
        &["{}", "{driverName: '', parameters: null}", "{driverName: 'a b'}"],
    ));
    expect![[r#"
        {driverName: b.example.com}
        => VolumeAttributesClass.storage.k8s.io "c" is invalid: driverName: Forbidden: updates to driverName are forbidden.
        {parameters: {a: c}}
        => VolumeAttributesClass.storage.k8s.io "c" is invalid: parameters: Forbidden: updates to parameters are forbidden.
    "#]].assert_eq(&updates(
        class,
        &["{driverName: b.example.com}", "{parameters: {a: c}}"],
    ));
    expect![[r#"
        {spec: {}}
        => ok
        {spec: {fsGroupPolicy: All, nodeAllocatableUpdatePeriodSeconds: 3, volumeLifecycleModes: [Forever], tokenRequests: [{audience: a, expirationSeconds: 1}, {audience: a}]}}
        => CSIDriver.storage.k8s.io "a.example.com" is invalid: [spec.fsGroupPolicy: Unsupported value: "All": supported values: "File", "None", "ReadWriteOnceWithFSType", spec.tokenRequests[0].expirationSeconds: Invalid value: 1: may not specify a duration less than 10 minutes, spec.tokenRequests[1].audience: Duplicate value: "a", spec.volumeLifecycleModes: Unsupported value: "Forever": supported values: "Persistent", "Ephemeral", spec.nodeAllocatableUpdatePeriodSeconds: Invalid value: 3: must be greater than or equal to 10 seconds]
    "#]].assert_eq(&creations(
        "{apiVersion: storage.k8s.io/v1, kind: CSIDriver, metadata: {name: a.example.com}}",
        &[
            "{spec: {}}",
            "{spec: {fsGroupPolicy: All, nodeAllocatableUpdatePeriodSeconds: 3, volumeLifecycleModes: [Forever], tokenRequests: [{audience: a, expirationSeconds: 1}, {audience: a}]}}",
        ],
    ));
}

#[test]
fn api_services() {
    expect![[r#"
        {}
        => ok
        {metadata: {name: v2.example.com}}
        => APIService.apiregistration.k8s.io "v2.example.com" is invalid: metadata.name: Invalid value: "v2.example.com": must be `spec.version+"."+spec.group`: "v1.example.com"
        {spec: {group: '', groupPriorityMinimum: 0, versionPriority: 2000}}
        => APIService.apiregistration.k8s.io "v1.example.com" is invalid: [metadata.name: Invalid value: "v1.example.com": must be `spec.version+"."+spec.group`: "v1.", spec.groupPriorityMinimum: Invalid value: 0: must be positive and less than 20000, spec.versionPriority: Invalid value: 2000: must be positive and less than 1000]
        {spec: {group: a_b, version: V1}}
        => APIService.apiregistration.k8s.io "v1.example.com" is invalid: [metadata.name: Invalid value: "v1.example.com": must be `spec.version+"."+spec.group`: "V1.a_b", spec.group: Invalid value: "a_b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), spec.version: Invalid value: "V1": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')]
        {spec: {service: null, caBundle: YWJj, insecureSkipTLSVerify: true}}
        => APIService.apiregistration.k8s.io "v1.example.com" is invalid: [spec.caBundle: Invalid value: "3 bytes": local APIServices may not have a caBundle, spec.insecureSkipTLSVerify: Invalid value: true: local APIServices may not have insecureSkipTLSVerify]
        {spec: {service: {name: '', namespace: '', port: 70000}, caBundle: YWJj, insecureSkipTLSVerify: true}}
        => APIService.apiregistration.k8s.io "v1.example.com" is invalid: [spec.service.namespace: Required value, spec.service.name: Required value, spec.service.port: Invalid value: 70000: port is not valid: must be between 1 and 65535, inclusive, spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present]
    "#]].assert_eq(&creations(
        "{apiVersion: apiregistration.k8s.io/v1, kind: APIService, metadata: {name: v1.example.com}, spec: {group: example.com, version: v1, groupPriorityMinimum: 100, versionPriority: 10, service: {namespace: default, name: s}}}",
        &[
            "{}",
            "{metadata: {name: v2.example.com}}",
            "{spec: {group: '', groupPriorityMinimum: 0, versionPriority: 2000}}",
            "{spec: {group: a_b, version: V1}}",
            "{spec: {service: null, caBundle: YWJj, insecureSkipTLSVerify: true}}",
            "{spec: {service: {name: '', namespace: '', port: 70000}, caBundle: YWJj, insecureSkipTLSVerify: true}}",
        ],
    ));
}

#[test]
fn flow_control() {
    let schema = "{apiVersion: flowcontrol.apiserver.k8s.io/v1, kind: FlowSchema, metadata: {name: f}, spec: {priorityLevelConfiguration: {name: l}, rules: [{subjects: [{kind: User, user: {name: u}}], resourceRules: [{verbs: [get], apiGroups: ['*'], resources: ['*'], namespaces: [a]}]}]}}";
    expect![[r#"
        {}
        => ok
        {spec: {matchingPrecedence: -1, priorityLevelConfiguration: {name: ''}, distinguisherMethod: {type: ByName}}}
        => FlowSchema.flowcontrol.apiserver.k8s.io "f" is invalid: [spec.matchingPrecedence: Invalid value: -1: must be a positive value, spec.distinguisherMethod.type: Unsupported value: {"Type":"ByName"}: supported values: "ByNamespace", "ByUser", spec.priorityLevelConfiguration.name: Required value: must reference a priority level]
        {spec: {matchingPrecedence: 1}}
        => FlowSchema.flowcontrol.apiserver.k8s.io "f" is invalid: spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1
        {spec: {matchingPrecedence: 20000, rules: [{}]}}
        => FlowSchema.flowcontrol.apiserver.k8s.io "f" is invalid: [spec.matchingPrecedence: Invalid value: 20000: must not be greater than 10000, spec.rules[0].subjects: Required value: subjects must contain at least one value, spec.rules[0]: Required value: at least one of resourceRules and nonResourceRules has to be non-empty]
        {spec: {rules: [{subjects: [{kind: Robot}, {kind: User}, {kind: Group, group: {name: ''}, user: {name: x}}, {kind: ServiceAccount, serviceAccount: {name: A_}}], nonResourceRules: [{verbs: [get, '*'], nonResourceURLs: [a, '/a b', '/a//b', '/a*', '/a/*']}]}]}}
        => FlowSchema.flowcontrol.apiserver.k8s.io "f" is invalid: [spec.rules[0].subjects[0].kind: Unsupported value: "Robot": supported values: "Group", "ServiceAccount", "User", spec.rules[0].subjects[1].user: Required value: user is required when subject kind is 'User', spec.rules[0].subjects[2].group.name: Required value, spec.rules[0].subjects[2].user: Forbidden: user is forbidden when subject kind is not 'User', spec.rules[0].subjects[3].serviceAccount.name: Invalid value: "A_": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), spec.rules[0].subjects[3].serviceAccount.namespace: Required value: must specify namespace for service account, spec.rules[0].nonResourceRules[0].verbs: Invalid value: ["get","*"]: if '*' is present, must not specify other verbs, spec.rules[0].nonResourceRules[0].nonResourceURLs[0]: Invalid value: "a": must start with slash, spec.rules[0].nonResourceRules[0].nonResourceURLs[1]: Invalid value: "/a b": must not contain white-space, spec.rules[0].nonResourceRules[0].nonResourceURLs[2]: Invalid value: "/a//b": must not contain double slash, spec.rules[0].nonResourceRules[0].nonResourceURLs[3]: Invalid value: "/a*": wildcard can only do suffix matching]
        {spec: {rules: [{subjects: [{kind: User, user: {name: u}}], resourceRules: [{verbs: [read]}, {verbs: [get], apiGroups: [a, '*'], resources: ['*', b], namespaces: [A_b]}]}]}}
        => FlowSchema.flowcontrol.apiserver.k8s.io "f" is invalid: [spec.rules[0].resourceRules[0].verbs: Unsupported value: ["read"]: supported values: "create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch", spec.rules[0].resourceRules[0].apiGroups: Required value: resource rules must supply at least one api group, spec.rules[0].resourceRules[0].resources: Required value: resource rules must supply at least one resource, spec.rules[0].resourceRules[0].namespaces: Required value: resource rules that are not cluster scoped must supply at least one namespace, spec.rules[0].resourceRules[1].apiGroups: Invalid value: ["a","*"]: if '*' is present, must not specify other api groups, spec.rules[0].resourceRules[1].resources: Invalid value: ["*","b"]: if '*' is present, must not specify other resources, spec.rules[0].resourceRules[1].namespaces[0]: Invalid value: "A_b": each member of this list must be '*' or a DNS-1123 label; a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')]
    "#]].assert_eq(&creations(
        schema,
        &[
            "{}",
            "{spec: {matchingPrecedence: -1, priorityLevelConfiguration: {name: ''}, distinguisherMethod: {type: ByName}}}",
            "{spec: {matchingPrecedence: 1}}",
            "{spec: {matchingPrecedence: 20000, rules: [{}]}}",
            "{spec: {rules: [{subjects: [{kind: Robot}, {kind: User}, {kind: Group, group: {name: ''}, user: {name: x}}, {kind: ServiceAccount, serviceAccount: {name: A_}}], nonResourceRules: [{verbs: [get, '*'], nonResourceURLs: [a, '/a b', '/a//b', '/a*', '/a/*']}]}]}}",
            "{spec: {rules: [{subjects: [{kind: User, user: {name: u}}], resourceRules: [{verbs: [read]}, {verbs: [get], apiGroups: [a, '*'], resources: ['*', b], namespaces: [A_b]}]}]}}",
        ],
    ));
    let level = "{apiVersion: flowcontrol.apiserver.k8s.io/v1, kind: PriorityLevelConfiguration, metadata: {name: l}, spec: {type: Limited, limited: {limitResponse: {type: Reject}}}}";
    expect![[r#"
        {}
        => ok
        {spec: {type: Exempt}}
        => PriorityLevelConfiguration.flowcontrol.apiserver.k8s.io "l" is invalid: [spec.type: Invalid value: "Exempt": type must be 'Exempt' if and only if name is 'exempt', spec.limited: Forbidden: must be nil if the type is not Limited]
        {spec: {type: Both}}
        => PriorityLevelConfiguration.flowcontrol.apiserver.k8s.io "l" is invalid: spec.type: Unsupported value: "Both": supported values: "Exempt", "Limited"
        {spec: {limited: null}}
        => PriorityLevelConfiguration.flowcontrol.apiserver.k8s.io "l" is invalid: spec.limited: Required value: must not be empty when type is Limited
        {spec: {exempt: {}}}
        => PriorityLevelConfiguration.flowcontrol.apiserver.k8s.io "l" is invalid: spec.exempt: Forbidden: must be nil if the type is Limited
        {spec: {limited: {nominalConcurrencyShares: -1, lendablePercent: 101, borrowingLimitPercent: -1}}}
        => PriorityLevelConfiguration.flowcontrol.apiserver.k8s.io "l" is invalid: [spec.limited.nominalConcurrencyShares: Invalid value: -1: must be a non-negative integer, spec.limited.lendablePercent: Invalid value: 101: must be between 0 and 100, inclusive, spec.limited.borrowingLimitPercent: Invalid value: -1: if specified, must be a non-negative integer]
        {spec: {limited: {limitResponse: {type: Reject, queuing: {}}}}}
        => PriorityLevelConfiguration.flowcontrol.apiserver.k8s.io "l" is invalid: spec.limited.limitResponse.queuing: Forbidden: must be nil if limited.limitResponse.type is not Limited
        {spec: {limited: {limitResponse: {type: Queue}}}}
        => PriorityLevelConfiguration.flowcontrol.apiserver.k8s.io "l" is invalid: spec.limited.limitResponse.queuing: Required value: must not be empty if limited.limitResponse.type is Limited
        {spec: {limited: {limitResponse: {type: Wait}}}}
        => PriorityLevelConfiguration.flowcontrol.apiserver.k8s.io "l" is invalid: spec.limited.limitResponse.type: Unsupported value: "Wait": supported values: "Queue", "Reject"
        {spec: {limited: {limitResponse: {type: Queue, queuing: {queues: 4, handSize: 8, queueLengthLimit: -1}}}}}
        => PriorityLevelConfiguration.flowcontrol.apiserver.k8s.io "l" is invalid: [spec.limited.limitResponse.queuing.queueLengthLimit: Invalid value: -1: must be positive, spec.limited.limitResponse.queuing.handSize: Invalid value: 8: should not be greater than queues (4)]
        {spec: {limited: {limitResponse: {type: Queue, queuing: {queues: 1024, handSize: 8}}}}}
        => PriorityLevelConfiguration.flowcontrol.apiserver.k8s.io "l" is invalid: spec.limited.limitResponse.queuing.handSize: Invalid value: 8: required entropy bits of deckSize 1024 and handSize 8 should not be greater than 60
    "#]].assert_eq(&creations(
        level,
        &[
            "{}",
            "{spec: {type: Exempt}}",
            "{spec: {type: Both}}",
            "{spec: {limited: null}}",
            "{spec: {exempt: {}}}",
            "{spec: {limited: {nominalConcurrencyShares: -1, lendablePercent: 101, borrowingLimitPercent: -1}}}",
            "{spec: {limited: {limitResponse: {type: Reject, queuing: {}}}}}",
            "{spec: {limited: {limitResponse: {type: Queue}}}}",
            "{spec: {limited: {limitResponse: {type: Wait}}}}",
            "{spec: {limited: {limitResponse: {type: Queue, queuing: {queues: 4, handSize: 8, queueLengthLimit: -1}}}}}",
            "{spec: {limited: {limitResponse: {type: Queue, queuing: {queues: 1024, handSize: 8}}}}}",
        ],
    ));
}

#[test]
fn addresses_and_ranges() {
    let address = "{apiVersion: networking.k8s.io/v1, kind: IPAddress, metadata: {name: 10.0.0.5}, spec: {parentRef: {resource: services, namespace: default, name: s}}}";
    expect![[r#"
        {}
        => ok
        {metadata: {name: 'web'}, spec: {parentRef: null}}
        => IPAddress.networking.k8s.io "web" is invalid: [metadata.name: Invalid value: "web": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff), spec.parentRef: Required value]
        {metadata: {name: '2001:DB8::1'}, spec: {parentRef: {group: A, resource: '', name: ''}}}
        => IPAddress.networking.k8s.io "2001:DB8::1" is invalid: [metadata.name: Invalid value: "2001:DB8::1": must be in canonical form ("2001:db8::1"), spec.parentRef.group: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), spec.parentRef.resource: Required value, spec.parentRef.name: Required value]
    "#]].assert_eq(&creations(
        address,
        &[
            "{}",
            "{metadata: {name: 'web'}, spec: {parentRef: null}}",
            "{metadata: {name: '2001:DB8::1'}, spec: {parentRef: {group: A, resource: '', name: ''}}}",
        ],
    ));
    expect![[r#"
        {spec: {parentRef: {name: t}}}
        => IPAddress.networking.k8s.io "10.0.0.5" is invalid: spec.parentRef: Invalid value: {"Group":"","Resource":"services","Namespace":"default","Name":"t"}: field is immutable
    "#]].assert_eq(&updates(address, &["{spec: {parentRef: {name: t}}}"]));
    let range =
        "{apiVersion: networking.k8s.io/v1, kind: ServiceCIDR, metadata: {name: more}, spec: {cidrs: [10.100.0.0/16]}}";
    expect![[r#"
        {}
        => ok
        {spec: {cidrs: []}}
        => ServiceCIDR.networking.k8s.io "more" is invalid: spec.cidrs: Required value: at least one CIDR required
        {spec: {cidrs: [10.100.0.1/16]}}
        => ServiceCIDR.networking.k8s.io "more" is invalid: spec.cidrs[0]: Invalid value: "10.100.0.1/16": must not have bits set beyond the prefix length
        {spec: {cidrs: [10.100.0.0/16, 10.101.0.0/16]}}
        => ServiceCIDR.networking.k8s.io "more" is invalid: spec.cidrs: Invalid value: {"CIDRs":["10.100.0.0/16","10.101.0.0/16"]}: may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64
        {spec: {cidrs: [10.100.0.0/16, '2001:DB8::/64']}}
        => ServiceCIDR.networking.k8s.io "more" is invalid: spec.cidrs[1]: Invalid value: "2001:DB8::/64": must be in canonical form ("2001:db8::/64")
        {spec: {cidrs: [a, b, c]}}
        => ServiceCIDR.networking.k8s.io "more" is invalid: spec.cidrs: Invalid value: {"CIDRs":["a","b","c"]}: may only hold up to 2 values
    "#]].assert_eq(&creations(
        range,
        &[
            "{}",
            "{spec: {cidrs: []}}",
            "{spec: {cidrs: [10.100.0.1/16]}}",
            "{spec: {cidrs: [10.100.0.0/16, 10.101.0.0/16]}}",
            "{spec: {cidrs: [10.100.0.0/16, '2001:DB8::/64']}}",
            "{spec: {cidrs: [a, b, c]}}",
        ],
    ));
    expect![[r#"
        {spec: {cidrs: [10.100.0.0/20]}}
        => ServiceCIDR.networking.k8s.io "more" is invalid: spec.cidrs: Invalid value: ["10.100.0.0/20"]: field is immutable
    "#]].assert_eq(&updates(range, &["{spec: {cidrs: [10.100.0.0/20]}}"]));
}

#[test]
fn devices() {
    let claim = "{apiVersion: resource.k8s.io/v1, kind: ResourceClaim, metadata: {name: c}, spec: {devices: {requests: [{name: gpu, exactly: {deviceClassName: gpu.example.com}}]}}}";
    expect![[r#"
        {}
        => ok
        {spec: {devices: {requests: [{name: A}]}}}
        => ResourceClaim.resource.k8s.io "c" is invalid: [spec.devices.requests[0].name: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?'), spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required]
        {spec: {devices: {requests: [{name: a, exactly: {}}, {name: a, exactly: {deviceClassName: B_, allocationMode: All, count: 2}}]}}}
        => ResourceClaim.resource.k8s.io "c" is invalid: [spec.devices.requests[0].exactly.deviceClassName: Required value, spec.devices.requests[1].exactly.deviceClassName: Invalid value: "B_": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), spec.devices.requests[1].exactly.count: Invalid value: 2: must not be specified when allocationMode is 'All', spec.devices.requests[1]: Duplicate value: "a"]
        {spec: {devices: {requests: [{name: a, exactly: {deviceClassName: b, allocationMode: Some, selectors: [{}], tolerations: [{operator: Is, effect: Stop}, {operator: Exists, value: x}]}}]}}}
        => ResourceClaim.resource.k8s.io "c" is invalid: [spec.devices.requests[0].exactly.selectors[0].cel: Required value, spec.devices.requests[0].exactly.allocationMode: Unsupported value: "Some": supported values: "All", "ExactCount", spec.devices.requests[0].exactly.tolerations[0].operator: Unsupported value: "Is": supported values: "Equal", "Exists", spec.devices.requests[0].exactly.tolerations[0].effect: Unsupported value: "Stop": supported values: "NoExecute", "NoSchedule", "None", spec.devices.requests[0].exactly.tolerations[1].value: Invalid value: "x": must be empty for operator `Exists`]
        {spec: {devices: {requests: [{name: a, exactly: {deviceClassName: b}, firstAvailable: [{name: x, deviceClassName: b}]}]}}}
        => ResourceClaim.resource.k8s.io "c" is invalid: spec.devices.requests[0]: Invalid value: null: exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set
        {spec: {devices: {requests: [{name: a, firstAvailable: [{name: x, deviceClassName: b, count: -1}, {name: x, deviceClassName: ''}]}]}}}
        => ResourceClaim.resource.k8s.io "c" is invalid: [spec.devices.requests[0].firstAvailable[0].count: Invalid value: -1: must be greater than zero, spec.devices.requests[0].firstAvailable[1].deviceClassName: Required value, spec.devices.requests[0].firstAvailable[1]: Duplicate value: "x"]
        {spec: {devices: {constraints: [{}, {requests: [x, gpu/a], matchAttribute: vendor}], config: [{requests: [gpu, gpu]}, {opaque: {driver: ''}}]}}}
        => ResourceClaim.resource.k8s.io "c" is invalid: [spec.devices.constraints[0]: Required value: exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set, spec.devices.constraints[1].requests[0]: Invalid value: "x": must be the name of a request in the claim or the name of a request and a subrequest separated by '/', spec.devices.constraints[1].requests[1]: Invalid value: "gpu/a": must be the name of a request in the claim or the name of a request and a subrequest separated by '/', spec.devices.constraints[1].matchAttribute: Invalid value: "vendor": a fully qualified name must be a domain and a name separated by a slash, spec.devices.config[0].requests[1]: Duplicate value: "gpu", spec.devices.config[0].opaque: Required value, spec.devices.config[1].opaque.driver: Required value, spec.devices.config[1].opaque.driver: Invalid value: "": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), spec.devices.config[1].opaque.parameters: Required value]
    "#]].assert_eq(&creations(
        claim,
        &[
            "{}",
            "{spec: {devices: {requests: [{name: A}]}}}",
            "{spec: {devices: {requests: [{name: a, exactly: {}}, {name: a, exactly: {deviceClassName: B_, allocationMode: All, count: 2}}]}}}",
            "{spec: {devices: {requests: [{name: a, exactly: {deviceClassName: b, allocationMode: Some, selectors: [{}], tolerations: [{operator: Is, effect: Stop}, {operator: Exists, value: x}]}}]}}}",
            "{spec: {devices: {requests: [{name: a, exactly: {deviceClassName: b}, firstAvailable: [{name: x, deviceClassName: b}]}]}}}",
            "{spec: {devices: {requests: [{name: a, firstAvailable: [{name: x, deviceClassName: b, count: -1}, {name: x, deviceClassName: ''}]}]}}}",
            "{spec: {devices: {constraints: [{}, {requests: [x, gpu/a], matchAttribute: vendor}], config: [{requests: [gpu, gpu]}, {opaque: {driver: ''}}]}}}",
        ],
    ));
    expect![[r#"
        {spec: {devices: {requests: [{name: gpu, exactly: {deviceClassName: other}}]}}}
        => ResourceClaim.resource.k8s.io "c" is invalid: spec: Invalid value: {"Devices":{"Requests":[{"Name":"gpu","Exactly":{"DeviceClassName":"other","Selectors":null,"AllocationMode":"ExactCount","Count":1,"AdminAccess":null,"Tolerations":null,"Capacity":null},"FirstAvailable":null}],"Constraints":null,"Config":null}}: field is immutable
    "#]].assert_eq(&updates(
        claim,
        &["{spec: {devices: {requests: [{name: gpu, exactly: {deviceClassName: other}}]}}}"],
    ));
    expect![[r#"
        {reservedFor: [{resource: pods, name: p, uid: u}, {resource: '', name: p, uid: u}]}
        => ResourceClaim.resource.k8s.io "c" is invalid: [status.reservedFor[1].resource: Required value, status.reservedFor[1]: Duplicate value: "u", status.reservedFor: Forbidden: may not be specified when `allocated` is not set]
        {allocation: {devices: {results: [{request: x, driver: d, pool: p, device: D}]}}}
        => ResourceClaim.resource.k8s.io "c" is invalid: [status.allocation.devices.results[0].request: Invalid value: "x": must be the name of a request in the claim or the name of a request and a subrequest separated by '/', status.allocation.devices.results[0].device: Invalid value: "D": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')]
        {allocation: {devices: {results: [{request: gpu, driver: d, pool: p, device: d0}]}}}
        => ok
        {allocation: {devices: {results: [{request: gpu, driver: d, pool: p, device: d1}]}}}
        => ResourceClaim.resource.k8s.io "c" is invalid: status.allocation: Invalid value: {"devices":{"results":[{"device":"d1","driver":"d","pool":"p","request":"gpu"}]}}: field is immutable
        {devices: [{driver: d, pool: p, device: d7}]}
        => ResourceClaim.resource.k8s.io "c" is invalid: status.devices[0]: Invalid value: "d/p/d7": must be an allocated device in the claim
    "#]].assert_eq(&statuses(
        claim,
        &[
            "{reservedFor: [{resource: pods, name: p, uid: u}, {resource: '', name: p, uid: u}]}",
            "{allocation: {devices: {results: [{request: x, driver: d, pool: p, device: D}]}}}",
            "{allocation: {devices: {results: [{request: gpu, driver: d, pool: p, device: d0}]}}}",
            "{allocation: {devices: {results: [{request: gpu, driver: d, pool: p, device: d1}]}}}",
            "{devices: [{driver: d, pool: p, device: d7}]}",
        ],
    ));
    expect![[r#"
        {}
        => ok
        {spec: {selectors: [{}], config: [{}], extendedResourceName: gpu}}
        => DeviceClass.resource.k8s.io "c" is invalid: [spec.selectors[0].cel: Required value, spec.config[0].opaque: Required value, spec.extendedResourceName: Invalid value: "gpu": must be a valid extended resource name]
    "#]].assert_eq(&creations(
        "{apiVersion: resource.k8s.io/v1, kind: DeviceClass, metadata: {name: c}, spec: {}}",
        &[
            "{}",
            "{spec: {selectors: [{}], config: [{}], extendedResourceName: gpu}}",
        ],
    ));
    expect![[r#"
        {}
        => ok
        {spec: {driver: '', nodeName: null, pool: {name: '', resourceSliceCount: 0}}}
        => ResourceSlice.resource.k8s.io "s" is invalid: [spec.driver: Required value, spec.driver: Invalid value: "": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), spec.pool.name: Required value, spec.pool.resourceSliceCount: Invalid value: 0: must be greater than zero, spec: Required value: exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required]
        {spec: {allNodes: true, perDeviceNodeSelection: false}}
        => ResourceSlice.resource.k8s.io "s" is invalid: [spec.perDeviceNodeSelection: Invalid value: false: must be either unset or set to true, spec: Invalid value: "{`nodeName`, `allNodes`}": exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required, but multiple fields are set]
        {spec: {devices: [{name: d0, nodeName: x}, {name: d0, attributes: {a-b: {}, v: {version: '1'}, w: {int: 1, bool: true}}, taints: [{effect: Stop}]}]}}
        => ResourceSlice.resource.k8s.io "s" is invalid: [spec.devices[0]: Invalid value: null: `nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec, spec.devices[1].attributes[a-b]: Invalid value: "a-b": a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is '[A-Za-z_][A-Za-z0-9_]*'), spec.devices[1].attributes[a-b]: Invalid value: "": exactly one value must be specified, spec.devices[1].attributes[v].version: Invalid value: "1": must be a string compatible with semver.org spec 2.0.0, spec.devices[1].attributes[w]: Invalid value: {"bool":true,"int":1}: exactly one value must be specified, spec.devices[1].taints[0].key: Invalid value: "": name part must be non-empty, spec.devices[1].taints[0].key: Invalid value: "": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'), spec.devices[1].taints[0].effect: Unsupported value: "Stop": supported values: "NoExecute", "NoSchedule", "None", spec.devices[1]: Duplicate value: "d0"]
    "#]].assert_eq(&creations(
        "{apiVersion: resource.k8s.io/v1, kind: ResourceSlice, metadata: {name: s}, spec: {driver: d, nodeName: one, pool: {name: p, resourceSliceCount: 1}, devices: [{name: d0}]}}",
        &[
            "{}",
            "{spec: {driver: '', nodeName: null, pool: {name: '', resourceSliceCount: 0}}}",
            "{spec: {allNodes: true, perDeviceNodeSelection: false}}",
            "{spec: {devices: [{name: d0, nodeName: x}, {name: d0, attributes: {a-b: {}, v: {version: '1'}, w: {int: 1, bool: true}}, taints: [{effect: Stop}]}]}}",
        ],
    ));
}

#[test]
fn claims_of_stateful_sets() {
    expect![[r#"
        {spec: {volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]}}
        => ok
        {spec: {volumeClaimTemplates: [{metadata: {name: data}, spec: {}}]}}
        => StatefulSet.apps "db" is invalid: [spec.volumeClaimTemplates[0].spec.accessModes: Required value: at least 1 access mode is required, spec.volumeClaimTemplates[0].spec.resources[storage]: Required value]
    "#]].assert_eq(&creations(
        "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: db}, spec: {serviceName: db, selector: {matchLabels: {app: db}}, template: {metadata: {labels: {app: db}}, spec: {containers: [{name: c, image: postgres}]}}}}",
        &[
            "{spec: {volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]}}",
            "{spec: {volumeClaimTemplates: [{metadata: {name: data}, spec: {}}]}}",
        ],
    ));
}

#[test]
fn metadata_of_updates() {
    expect![[r#"
        {metadata: {labels: {'a b': c}}}
        => ConfigMap "c" is invalid: metadata.labels: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
        {metadata: {annotations: {'a b': c}, finalizers: [x]}}
        => ConfigMap "c" is invalid: [metadata.annotations: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'), metadata.finalizers[0]: Invalid value: "x": name is neither a standard finalizer name nor is it fully qualified]
    "#]].assert_eq(&updates(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}",
        &[
            "{metadata: {labels: {'a b': c}}}",
            "{metadata: {annotations: {'a b': c}, finalizers: [x]}}",
        ],
    ));
    expect![[r#"
        {metadata: {annotations: {kubernetes.io/config.mirror: x, controller.kubernetes.io/pod-deletion-cost: a}}}
        => Pod "p" is invalid: [metadata.annotations[kubernetes.io/config.mirror]: Forbidden: may not add mirror pod annotation, metadata.annotations[kubernetes.io/config.mirror]: Invalid value: "x": must set spec.nodeName if mirror pod annotation is set, metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "a": must be a 32bit integer]
    "#]].assert_eq(&updates(
        POD,
        &["{metadata: {annotations: {kubernetes.io/config.mirror: x, controller.kubernetes.io/pod-deletion-cost: a}}}"],
    ));
}

#[test]
fn parts_and_warnings() {
    let volume = "{apiVersion: v1, kind: PersistentVolume, metadata: {name: v}, spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], hostPath: {path: /a}}}";
    let api = server();
    let base = tree(volume);
    let made = api.serve(Request::new(Method::Post, "/api/v1/persistentvolumes").body(Body::Value(base)));
    assert_eq!(made.code, 201, "{}", answer(&made));
    api.sim().run_for(std::time::Duration::from_secs(5));
    let mut request = Request::new(Method::Patch, "/api/v1/persistentvolumes/v/status")
        .body(Body::Value(tree("{status: {phase: Available}}")));
    request.content_type = "application/merge-patch+json".into();
    let moved = api.serve(request).value();
    assert_ne!(
        moved.at(&["status", "lastPhaseTransitionTime"]),
        made.value().at(&["status", "lastPhaseTransitionTime"])
    );
    expect![[r#"
        {metadata: {annotations: {container.apparmor.security.beta.kubernetes.io/c: runtime/default}}, spec: {nodeSelector: {beta.kubernetes.io/os: linux}}}
        => ok
           ! metadata.annotations[container.apparmor.security.beta.kubernetes.io/c]: deprecated since v1.30; use the "appArmorProfile" field instead
           ! spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead
        {spec: {affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: a}], preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, podAffinityTerm: {topologyKey: a}}]}}}}
        => ok
           ! spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector: a null labelSelector results in matching no pod
           ! spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.labelSelector: a null labelSelector results in matching no pod
        {spec: {containers: [{name: c, image: a, ports: [{containerPort: 99999999999}]}]}}
        => Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal number 99999999999 into Go struct field ContainerPort.spec.containers.ports.containerPort of type int32
        {spec: {containers: [{name: c, image: a, livenessProbe: {httpGet: {port: 1.5}}}]}}
        => Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal number 1.5 into Go struct field HTTPGetAction.spec.containers.livenessProbe.httpGet.port of type int32
    "#]].assert_eq(&creations(
        POD,
        &[
            "{metadata: {annotations: {container.apparmor.security.beta.kubernetes.io/c: runtime/default}}, spec: {nodeSelector: {beta.kubernetes.io/os: linux}}}",
            "{spec: {affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: a}], preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, podAffinityTerm: {topologyKey: a}}]}}}}",
            "{spec: {containers: [{name: c, image: a, ports: [{containerPort: 99999999999}]}]}}",
            "{spec: {containers: [{name: c, image: a, livenessProbe: {httpGet: {port: 1.5}}}]}}",
        ],
    ));
    expect![[r#"
        {data: {a: hello!}}
        => Secret in version "v1" cannot be handled as a Secret: illegal base64 data at input byte 5
        {data: {a: abc}}
        => Secret in version "v1" cannot be handled as a Secret: illegal base64 data at input byte 0
        {data: {a: aGk=}}
        => ok
    "#]]
    .assert_eq(&creations(
        "{apiVersion: v1, kind: Secret, metadata: {name: s}}",
        &["{data: {a: hello!}}", "{data: {a: abc}}", "{data: {a: aGk=}}"],
    ));
    expect![[r#"
        {allowedTopologies: [{matchLabelExpressions: [{key: failure-domain.beta.kubernetes.io/zone, values: [a]}]}]}
        => ok
           ! allowedTopologies[0].matchLabelExpressions[0].key: deprecated since v1.17; use "topology.kubernetes.io/zone" instead
    "#]].assert_eq(&creations(
        "{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: s}, provisioner: a.b/c}",
        &[
            "{allowedTopologies: [{matchLabelExpressions: [{key: failure-domain.beta.kubernetes.io/zone, values: [a]}]}]}",
        ],
    ));
    expect![[r#"
        {spec: {podCIDR: 10.2.0.0/24}}
        => Node "one" is invalid: spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid
    "#]]
    .assert_eq(&updates(
        "{apiVersion: v1, kind: Node, metadata: {name: one}, spec: {podCIDR: 10.1.0.0/24}}",
        &["{spec: {podCIDR: 10.2.0.0/24}}"],
    ));
}

#[test]
fn services_and_jobs_once_more() {
    expect![[r#"
        {spec: {clusterIP: 10.96.1.1, allocateLoadBalancerNodePorts: true, loadBalancerClass: a/b, healthCheckNodePort: 30000}}
        => Service "s" is invalid: [spec.clusterIPs: Forbidden: may not be set for ExternalName services, spec.allocateLoadBalancerNodePorts: Forbidden: may only be used when `type` is 'LoadBalancer', spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer', spec.healthCheckNodePort: Invalid value: 30000: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local']
    "#]].assert_eq(&creations(
        "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {type: ExternalName, externalName: a.b}}",
        &[
            "{spec: {clusterIP: 10.96.1.1, allocateLoadBalancerNodePorts: true, loadBalancerClass: a/b, healthCheckNodePort: 30000}}",
        ],
    ));
    expect![[r#"
        {spec: {externalTrafficPolicy: Local}}
        => Service "s" is invalid: spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services
        {spec: {loadBalancerClass: a/b}}
        => Service "s" is invalid: spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'
    "#]].assert_eq(&updates(
        "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {ports: [{port: 80}]}}",
        &[
            "{spec: {externalTrafficPolicy: Local}}",
            "{spec: {loadBalancerClass: a/b}}",
        ],
    ));
    let job = "{apiVersion: batch/v1, kind: Job, metadata: {name: j}, spec: {suspend: true, template: {spec: {restartPolicy: Never, containers: [{name: c, image: busybox}]}}}}";
    expect![[r#"
        {spec: {managedBy: foo, maxFailedIndexes: 2}}
        => Job.batch "j" is invalid: [spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified, spec.managedBy: Invalid value: "foo": must be a domain-prefixed path (such as "acme.io/foo"), spec.maxFailedIndexes: Invalid value: 2: requires indexed completion mode]
        {spec: {podFailurePolicy: {rules: [{action: FailIndex, onExitCodes: {operator: In, values: [0, 3, 2, 2]}}]}}}
        => Job.batch "j" is invalid: [spec.podFailurePolicy.rules[0].action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set, spec.podFailurePolicy.rules[0].onExitCodes.values[0]: Invalid value: 0: must not be 0 for the In operator, spec.podFailurePolicy.rules[0].onExitCodes.values[3]: Duplicate value: 2, spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [0,3,2,2]: must be ordered]
        {spec: {podFailurePolicy: {rules: [{action: Ignore, onPodConditions: [{type: 'a b', status: Perhaps}], onExitCodes: {operator: in, containerName: x}}]}}}
        => Job.batch "j" is invalid: [spec.podFailurePolicy.rules[0].onExitCodes.operator: Unsupported value: "in": supported values: "In", "NotIn", spec.podFailurePolicy.rules[0].onExitCodes.containerName: Invalid value: "x": must be one of the container or initContainer names in the pod template, spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: null: at least one value is required, spec.podFailurePolicy.rules[0].onPodConditions[0].type: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'), spec.podFailurePolicy.rules[0].onPodConditions[0].status: Unsupported value: "Perhaps": supported values: "False", "True", "Unknown", spec.podFailurePolicy.rules[0]: Invalid value: specifying both OnExitCodes and OnPodConditions is not supported]
        {spec: {completions: 3, completionMode: Indexed, successPolicy: {rules: [{}, {succeededIndexes: '1-2', succeededCount: 3}, {succeededIndexes: '2-1'}]}}}
        => Job.batch "j" is invalid: [spec.successPolicy.rules[0]: Required value: at least one of succeededCount or succeededIndexes must be specified, spec.successPolicy.rules[1].succeededCount: Invalid value: 3: must be less than or equal to 2 (the number of indexes in the specified succeededIndexes field), spec.successPolicy.rules[2].succeededIndexes: Invalid value: "2-1": error parsing succeededIndexes: non-increasing order, previous: 2, current: 1]
        {spec: {template: null}}
        => Job.batch "j" is invalid: [spec.template.spec.containers: Required value, spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"]
    "#]].assert_eq(&creations(
        job,
        &[
            "{spec: {managedBy: foo, maxFailedIndexes: 2}}",
            "{spec: {podFailurePolicy: {rules: [{action: FailIndex, onExitCodes: {operator: In, values: [0, 3, 2, 2]}}]}}}",
            "{spec: {podFailurePolicy: {rules: [{action: Ignore, onPodConditions: [{type: 'a b', status: Perhaps}], onExitCodes: {operator: in, containerName: x}}]}}}",
            "{spec: {completions: 3, completionMode: Indexed, successPolicy: {rules: [{}, {succeededIndexes: '1-2', succeededCount: 3}, {succeededIndexes: '2-1'}]}}}",
            "{spec: {template: null}}",
        ],
    ));
    expect![[r#"
        {spec: {template: {spec: {nodeSelector: {a: b}}}}}
        => ok
        {spec: {completions: 4}}
        => Job.batch "j" is invalid: spec.completions: Invalid value: 4: field is immutable
    "#]]
    .assert_eq(&updates(
        job,
        &[
            "{spec: {template: {spec: {nodeSelector: {a: b}}}}}",
            "{spec: {completions: 4}}",
        ],
    ));
}
