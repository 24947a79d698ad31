//! Pods on one node, without a scheduler: what their statuses and events say over time.

use super::*;
use crate::api::subresource::{ExecOptions, LogOptions};
use crate::api::{Body, PatchType, Request, WriteOptions};
use crate::net::Mode;
use crate::value::yaml;
use expect_test::{Expect, expect};

const NODE: &str = "
apiVersion: v1
kind: Node
metadata: {name: k8s-node-02, uid: 11111111-2222-4333-8444-555555555555}
spec: {podCIDR: 10.244.2.0/24}
status:
  allocatable: {cpu: '2', ephemeral-storage: '37925506253', memory: 3809356Ki, pods: '110'}
  addresses:
  - {type: InternalIP, address: 192.168.110.23}
  conditions: [{type: Ready, status: 'True'}]
";

struct Cluster {
    sim: Sim,
    client: Client,
    kubelets: Kubelets,
    _network: Network,
}

fn documents(text: &str) -> Vec<Value> {
    text.split("\n---\n").map(|d| yaml::decode(d).unwrap()).collect()
}

impl Cluster {
    fn new() -> Cluster {
        let sim = Sim::new(7, Time::parse("2026-11-21T08:00:00Z").unwrap());
        let api = ApiServer::new(&sim);
        for name in ["default", "kube-node-lease"] {
            let ns = obj! { "apiVersion": "v1", "kind": "Namespace", "metadata": obj! { "name": name } };
            api.restore(ns).unwrap();
        }
        api.restore(yaml::decode(NODE).unwrap()).unwrap();
        for (kind, name) in [("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")] {
            let mut object =
                obj! { "apiVersion": "v1", "kind": kind, "metadata": obj! { "name": name, "namespace": "default" } };
            if kind == "ConfigMap" {
                object.set(&["data", "ca.crt"], "certificate");
            }
            api.restore(object).unwrap();
        }
        let network = Network::start(&api, Mode::Iptables).unwrap();
        let kubelets = Kubelets::new(&api, &network).unwrap();
        kubelets.start("k8s-node-02", &Files::with_base(&sim));
        let client = Client::new(&api, "test", User::admin());
        sim.run_for(Duration::from_millis(20));
        Cluster {
            sim,
            client,
            kubelets,
            _network: network,
        }
    }

    fn run<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> T {
        self.sim
            .run_future(future, self.sim.now() + Duration::from_secs(100))
            .expect("the future ends")
    }

    /// Creates objects; pods are bound to the node.
    fn apply(&self, text: &str) {
        for mut object in documents(text) {
            let plural = match object.str_at(&["kind"]) {
                "Pod" => "pods",
                "ConfigMap" => "configmaps",
                "Secret" => "secrets",
                "Service" => "services",
                other => panic!("{other}"),
            };
            if plural == "pods" {
                object.set(&["spec", "nodeName"], "k8s-node-02");
            }
            let client = self.client.clone();
            self.run(async move {
                let resource = client.resource("", "v1", plural).unwrap();
                client
                    .create(&resource, "default", Body::Value(object), &WriteOptions::default())
                    .await
                    .unwrap_or_else(|e| panic!("{}", e.message()))
            });
        }
    }

    fn wait(&self, seconds: u64) {
        self.sim.run_for(Duration::from_secs(seconds));
    }

    fn pod(&self, name: &str) -> Option<Object> {
        self.client.api().store().get("pods", &ObjectKey::new("default", name))
    }

    /// Phase, then each container: state, restarts, ready.
    fn state(&self, name: &str) -> String {
        let Some(pod) = self.pod(name) else {
            return "gone".into();
        };
        let mut out = format!("{} {}", Pod(&pod).phase(), pod.status().get("reason").str())
            .trim_end()
            .to_owned();
        for c in Pod(&pod)
            .init_container_statuses()
            .chain(Pod(&pod).container_statuses())
        {
            let state = if !c.waiting().is_null() {
                c.waiting().get("reason").str().to_owned()
            } else if !c.running().is_null() {
                "Running".to_owned()
            } else {
                format!(
                    "{}({})",
                    c.terminated().get("reason").str(),
                    c.terminated().i64_at(&["exitCode"]).unwrap_or(-1)
                )
            };
            out.push_str(&format!(
                " | {}: {state} {} {}",
                c.name(),
                c.restart_count(),
                if c.is_ready() { "ready" } else { "unready" }
            ));
        }
        out
    }

    fn events(&self, name: &str) -> String {
        let mut events = self.client.api().store().list("events", "default");
        events.retain(|e| e.value().str_at(&["involvedObject", "name"]) == name);
        events.sort_by_key(Object::revision);
        let mut out = String::new();
        for e in &events {
            let v = e.value();
            out.push_str(&format!(
                "{} {} {} {}\n",
                v.str_at(&["type"]),
                v.str_at(&["reason"]),
                v.str_at(&["involvedObject", "fieldPath"]),
                v.str_at(&["message"]).replace(
                    self.pod(name).map_or("?".into(), |p| p.uid().to_owned()).as_str(),
                    "UID"
                ),
            ));
        }
        out
    }

    fn logs(&self, name: &str, options: LogOptions) -> String {
        let pod = self.pod(name).unwrap();
        let nodes = self.client.api().node_connections().unwrap();
        match nodes.logs(&pod, &options) {
            Ok(stream) => {
                let bytes = self.run(async move { stream.read_all().await });
                String::from_utf8(bytes).unwrap()
            }
            Err(status) => status.message().to_owned(),
        }
    }

    fn log(&self, name: &str, container: &str) -> String {
        self.logs(
            name,
            LogOptions {
                container: container.into(),
                ..LogOptions::default()
            },
        )
    }

    fn exec(&self, name: &str, container: &str, command: &[&str], stdin: &str) -> String {
        let pod = self.pod(name).unwrap();
        let nodes = self.client.api().node_connections().unwrap();
        let options = ExecOptions {
            container: container.into(),
            command: command.iter().map(|c| (*c).to_owned()).collect(),
            stdin: !stdin.is_empty(),
            stdout: true,
            stderr: true,
            tty: false,
        };
        let session = match nodes.exec(&pod, &options) {
            Ok(session) => session,
            Err(status) => return status.message().to_owned(),
        };
        session.stdin.write(stdin.as_bytes());
        session.stdin.close();
        self.run(async move {
            let out = session.stdout.read_all().await;
            let err = session.stderr.read_all().await;
            let code = match session.exit().await {
                Ok(code) => code.to_string(),
                Err(status) => status.message().to_owned(),
            };
            format!(
                "{}{}[{code}]",
                String::from_utf8_lossy(&out),
                String::from_utf8_lossy(&err)
            )
        })
    }

    fn delete(&self, name: &str) {
        let (client, name) = (self.client.clone(), name.to_owned());
        self.run(async move {
            let pods = client.resource("", "v1", "pods").unwrap();
            client.delete(&pods, "default", &name, Value::Null).await.unwrap()
        });
    }
}

fn check(expected: Expect, got: &str) {
    expected.assert_eq(got);
}

#[test]
fn a_web_server_starts_serves_and_stops() {
    let c = Cluster::new();
    c.apply("{kind: Pod, apiVersion: v1, metadata: {name: web}, spec: {containers: [{name: nginx, image: nginx}]}}");
    c.wait(5);
    println!("{}", c.log("web", "nginx"));
    assert_eq!(c.state("web"), "Running | nginx: Running 0 ready");
    let events = c.events("web");
    assert!(
        events.contains("Normal Pulling spec.containers{nginx} Pulling image \"nginx\"\n"),
        "{events}"
    );
    assert!(
        events.contains(" including waiting). Image size: 59774010 bytes.\n"),
        "{events}"
    );
    assert!(
        events.contains("Normal Started spec.containers{nginx} Container started\n"),
        "{events}"
    );
    assert_eq!(
        c.exec("web", "nginx", &["curl", "-s", "localhost"], "").lines().nth(3),
        Some("<title>Welcome to nginx!</title>")
    );
    assert!(
        c.log("web", "nginx")
            .contains("\"GET / HTTP/1.1\" 200 615 \"-\" \"curl/")
    );
    c.delete("web");
    c.wait(3);
    assert_eq!(c.state("web"), "gone");
    assert!(c.kubelets.0.nodes.borrow()["k8s-node-02"].workers.borrow().is_empty());
    assert!(c.kubelets.0.nodes.borrow()["k8s-node-02"].used_ips.borrow().is_empty());
}

#[test]
fn restart_policies() {
    let c = Cluster::new();
    let pod = |name: &str, policy: &str, command: &str| {
        c.apply(&format!(
            "{{kind: Pod, apiVersion: v1, metadata: {{name: {name}}}, spec: {{restartPolicy: {policy}, containers: [{{name: c, image: busybox, {command}}}]}}}}"
        ));
    };
    pod("never-ok", "Never", "command: [sh, -c, 'echo done; exit 0']");
    pod("never-bad", "Never", "command: [sh, -c, 'echo broken; exit 3']");
    pod("onfailure-ok", "OnFailure", "command: ['true']");
    pod("onfailure-bad", "OnFailure", "command: ['false']");
    pod("always-ok", "Always", "imagePullPolicy: IfNotPresent");
    pod("always-bad", "Always", "command: [sh, -c, 'exit 2']");
    pod("nothing", "Never", "command: [nosuchprogram]");
    let all = || {
        [
            "never-ok",
            "never-bad",
            "onfailure-ok",
            "onfailure-bad",
            "always-ok",
            "always-bad",
            "nothing",
        ]
        .map(|n| format!("{n}: {}\n", c.state(n)))
        .concat()
    };
    c.wait(12);
    check(
        expect![[r#"
        never-ok: Succeeded | c: Completed(0) 0 unready
        never-bad: Failed | c: Error(3) 0 unready
        onfailure-ok: Succeeded | c: Completed(0) 0 unready
        onfailure-bad: Running | c: CrashLoopBackOff 1 unready
        always-ok: Running | c: CrashLoopBackOff 1 unready
        always-bad: Running | c: CrashLoopBackOff 1 unready
        nothing: Failed | c: StartError(128) 0 unready
    "#]],
        &all(),
    );
    c.wait(14);
    let always = c.state("always-bad");
    assert!(always.ends_with(" 2 unready"), "{always}");
    check(
        expect![[r#"
        Running | c: CrashLoopBackOff 2 unready"#]],
        &always,
    );
    assert_eq!(c.log("never-bad", "c"), "broken\n");
    assert_eq!(
        c.logs(
            "never-bad",
            LogOptions {
                container: "c".into(),
                previous: true,
                ..LogOptions::default()
            }
        ),
        "previous terminated container \"c\" in pod \"never-bad\" not found"
    );
    let events = c.events("always-bad");
    assert!(
        events.contains(
            "Warning BackOff spec.containers{c} Back-off restarting failed container c in pod always-bad_default(UID)\n"
        ),
        "{events}"
    );
}

#[test]
fn images_that_cannot_be_pulled() {
    let c = Cluster::new();
    c.apply(
        "{kind: Pod, apiVersion: v1, metadata: {name: missing}, spec: {containers: [{name: missing, image: 'nginx:doesnotexist'}]}}
---
{kind: Pod, apiVersion: v1, metadata: {name: badname}, spec: {containers: [{name: badname, image: 'Nginx:latest'}]}}
---
{kind: Pod, apiVersion: v1, metadata: {name: never}, spec: {containers: [{name: c, image: 'nginx:1.21', imagePullPolicy: Never}]}}",
    );
    c.wait(5);
    assert_eq!(c.state("missing"), "Pending | missing: ErrImagePull 0 unready");
    let mut waits = Vec::new();
    for _ in 0..20 {
        for (name, container) in [("missing", "missing"), ("badname", "badname"), ("never", "c")] {
            let pod = c.pod(name).unwrap();
            let reason = Pod(&pod).container_status(container).unwrap().waiting().clone();
            let text = format!("{}: {}", reason.get("reason").str(), c.log(name, container));
            if !waits.contains(&text) {
                waits.push(text);
            }
        }
        c.wait(1);
    }
    waits.sort();
    check(
        expect![[r#"
        ErrImageNeverPull: container "c" in pod "never" is waiting to start: ErrImageNeverPull
        ErrImagePull: container "missing" in pod "missing" is waiting to start: image can't be pulled
        ImagePullBackOff: container "missing" in pod "missing" is waiting to start: trying and failing to pull image
        InvalidImageName: container "badname" in pod "badname" is waiting to start: InvalidImageName"#]],
        &waits.join("\n"),
    );
    assert_eq!(c.state("badname"), "Pending | badname: InvalidImageName 0 unready");
    assert_eq!(c.state("never"), "Pending | c: ErrImageNeverPull 0 unready");
    let mut lines: Vec<String> = c.events("missing").lines().map(str::to_owned).collect();
    lines.sort();
    check(
        expect![[r#"
        Normal BackOff spec.containers{missing} Back-off pulling image "nginx:doesnotexist"
        Normal Pulling spec.containers{missing} Pulling image "nginx:doesnotexist"
        Warning Failed spec.containers{missing} Error: ErrImagePull
        Warning Failed spec.containers{missing} Error: ImagePullBackOff
        Warning Failed spec.containers{missing} Failed to pull image "nginx:doesnotexist": rpc error: code = NotFound desc = failed to pull and unpack image "docker.io/library/nginx:doesnotexist": failed to resolve reference "docker.io/library/nginx:doesnotexist": docker.io/library/nginx:doesnotexist: not found"#]],
        &lines.join("\n"),
    );
    assert_eq!(
        c.pod("badname").unwrap().status().get("containerStatuses").items()[0].str_at(&["state", "waiting", "message"]),
        "Failed to apply default image tag \"Nginx:latest\": couldn't parse image name \"Nginx:latest\": invalid reference format: repository name (library/Nginx) must be lowercase"
    );
    let client = c.client.clone();
    c.run(async move {
        let pods = client.resource("", "v1", "pods").unwrap();
        let mut pod = client.get(&pods, "default", "missing").await.unwrap().value().clone();
        let mut containers = pod.at(&["spec", "containers"]).items().to_vec();
        containers[0].set(&["image"], "nginx:1.27");
        pod.set(&["spec", "containers"], containers);
        client.update(&pods, pod).await.unwrap();
    });
    c.wait(15);
    assert_eq!(c.state("missing"), "Running | missing: Running 0 ready");
    let _ = PatchType::Merge;
}

#[test]
fn configuration_errors_and_their_repair() {
    let c = Cluster::new();
    c.apply(
        "{kind: ConfigMap, apiVersion: v1, metadata: {name: present}, data: {here: '1'}}
---
{kind: Pod, apiVersion: v1, metadata: {name: no-cm}, spec: {containers: [{name: c, image: nginx, envFrom: [{configMapRef: {name: settings}}]}]}}
---
{kind: Pod, apiVersion: v1, metadata: {name: no-key}, spec: {containers: [{name: c, image: nginx, env: [{name: LEVEL, valueFrom: {configMapKeyRef: {name: present, key: absent}}}]}]}}
---
{kind: Pod, apiVersion: v1, metadata: {name: no-volume}, spec: {containers: [{name: c, image: nginx, volumeMounts: [{name: conf, mountPath: /etc/conf}]}], volumes: [{name: conf, configMap: {name: settings-file}}]}}
---
{kind: Pod, apiVersion: v1, metadata: {name: optional}, spec: {containers: [{name: c, image: nginx, envFrom: [{secretRef: {name: maybe, optional: true}}], volumeMounts: [{name: conf, mountPath: /etc/conf}]}], volumes: [{name: conf, configMap: {name: perhaps, optional: true}}]}}",
    );
    c.wait(6);
    let all = || {
        ["no-cm", "no-key", "no-volume", "optional"]
            .map(|n| format!("{n}: {}\n", c.state(n)))
            .concat()
    };
    check(
        expect![[r#"
        no-cm: Pending | c: CreateContainerConfigError 0 unready
        no-key: Pending | c: CreateContainerConfigError 0 unready
        no-volume: Pending | c: ContainerCreating 0 unready
        optional: Running | c: Running 0 ready
    "#]],
        &all(),
    );
    assert!(
        c.events("no-key").contains(
            "Warning Failed spec.containers{c} Error: couldn't find key absent in ConfigMap default/present\n"
        )
    );
    assert!(c.events("no-volume").contains(
        "Warning FailedMount  MountVolume.SetUp failed for volume \"conf\" : configmap \"settings-file\" not found\n"
    ));
    c.apply(
        "{kind: ConfigMap, apiVersion: v1, metadata: {name: settings}, data: {MODE: fast}}
---
{kind: ConfigMap, apiVersion: v1, metadata: {name: settings-file}, data: {app.conf: 'x=1'}}",
    );
    c.wait(20);
    assert_eq!(c.state("no-cm"), "Running | c: Running 0 ready");
    assert_eq!(c.state("no-volume"), "Running | c: Running 0 ready");
    assert_eq!(c.exec("no-volume", "c", &["cat", "/etc/conf/app.conf"], ""), "x=1[0]");
    assert_eq!(c.exec("no-cm", "c", &["printenv", "MODE"], ""), "fast\n[0]");
}

#[test]
fn init_containers_and_sidecars() {
    let c = Cluster::new();
    c.apply(
        "{kind: Pod, apiVersion: v1, metadata: {name: two-inits}, spec: {initContainers: [{name: first, image: busybox, command: [sh, -c, 'echo one']}, {name: second, image: busybox, command: ['true']}], containers: [{name: app, image: nginx}]}}
---
{kind: Pod, apiVersion: v1, metadata: {name: stuck-init}, spec: {initContainers: [{name: quick, image: busybox, command: ['true']}, {name: waits, image: busybox, command: [sleep, '3600']}, {name: never-reached, image: busybox, command: ['true']}], containers: [{name: app, image: nginx}]}}
---
{kind: Pod, apiVersion: v1, metadata: {name: bad-init-never}, spec: {restartPolicy: Never, initContainers: [{name: breaks, image: busybox, command: [sh, -c, 'exit 4']}], containers: [{name: app, image: nginx}]}}
---
{kind: Pod, apiVersion: v1, metadata: {name: with-sidecar}, spec: {initContainers: [{name: logger, image: nginx, restartPolicy: Always}, {name: prepare, image: busybox, command: ['true']}], containers: [{name: app, image: busybox, command: [sleep, '3600']}]}}
---
{kind: Pod, apiVersion: v1, metadata: {name: job}, spec: {restartPolicy: Never, terminationGracePeriodSeconds: 1, initContainers: [{name: proxy, image: nginx, restartPolicy: Always}], containers: [{name: work, image: busybox, command: ['true']}]}}",
    );
    c.wait(12);
    let all = ["two-inits", "stuck-init", "bad-init-never", "with-sidecar", "job"]
        .map(|n| format!("{n}: {}\n", c.state(n)))
        .concat();
    check(
        expect![[r#"
        two-inits: Running | first: Completed(0) 0 ready | second: Completed(0) 0 ready | app: Running 0 ready
        stuck-init: Pending | quick: Completed(0) 0 ready | waits: Running 0 unready | never-reached: PodInitializing 0 unready | app: PodInitializing 0 unready
        bad-init-never: Failed | breaks: Error(4) 0 unready | app: PodInitializing 0 unready
        with-sidecar: Running | logger: Running 0 ready | prepare: Completed(0) 0 ready | app: Running 0 ready
        job: Succeeded | proxy: Completed(0) 0 unready | work: Completed(0) 0 unready
    "#]],
        &all,
    );
    assert_eq!(c.log("two-inits", "first"), "one\n");
    assert_eq!(
        c.log("stuck-init", "app"),
        "container \"app\" in pod \"stuck-init\" is waiting to start: PodInitializing"
    );
}

#[test]
fn probes_and_hooks() {
    let c = Cluster::new();
    c.apply(
        "{kind: Pod, apiVersion: v1, metadata: {name: unready}, spec: {containers: [{name: c, image: nginx, readinessProbe: {exec: {command: ['false']}, periodSeconds: 2}}]}}
---
{kind: Pod, apiVersion: v1, metadata: {name: web}, spec: {containers: [{name: c, image: nginx, readinessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 1}}]}}
---
{kind: Pod, apiVersion: v1, metadata: {name: closed}, spec: {containers: [{name: c, image: nginx, readinessProbe: {httpGet: {path: /, port: 81}, periodSeconds: 1}}]}}
---
{kind: Pod, apiVersion: v1, metadata: {name: sick}, spec: {terminationGracePeriodSeconds: 1, containers: [{name: c, image: busybox, command: [sleep, '3600'], livenessProbe: {exec: {command: [cat, /tmp/healthy]}, periodSeconds: 2, failureThreshold: 2}}]}}
---
{kind: Pod, apiVersion: v1, metadata: {name: slow}, spec: {containers: [{name: c, image: nginx, startupProbe: {exec: {command: ['false']}, periodSeconds: 3, failureThreshold: 30}, livenessProbe: {exec: {command: ['false']}, periodSeconds: 1, failureThreshold: 1}}]}}
---
{kind: Pod, apiVersion: v1, metadata: {name: hooks}, spec: {terminationGracePeriodSeconds: 2, containers: [{name: c, image: nginx, lifecycle: {postStart: {exec: {command: [/bin/sh, -c, 'echo hello > /tmp/message']}}, preStop: {exec: {command: [/bin/sh, -c, 'nginx -s quit']}}}}]}}",
    );
    c.wait(12);
    let all = ["unready", "web", "slow", "hooks"]
        .map(|n| format!("{n}: {}\n", c.state(n)))
        .concat();
    check(
        expect![[r#"
        unready: Running | c: Running 0 unready
        web: Running | c: Running 0 ready
        slow: Running | c: Running 0 unready
        hooks: Running | c: Running 0 ready
    "#]],
        &all,
    );
    let events = c.events("closed");
    assert!(events.contains(":81: connect: connection refused\n"), "{events}");
    let events = c.events("sick");
    assert!(events.contains("Warning Unhealthy spec.containers{c} Liveness probe failed: cat: can't open '/tmp/healthy': No such file or directory\n"), "{events}");
    assert!(
        events.contains("Normal Killing spec.containers{c} Container c failed liveness probe, will be restarted\n"),
        "{events}"
    );
    let sick = c.pod("sick").unwrap();
    let status = Pod(&sick).container_status("c").unwrap();
    assert!(status.restart_count() >= 1, "{}", c.state("sick"));
    assert_eq!(status.last_terminated().i64_at(&["exitCode"]), Some(137));
    assert_eq!(c.exec("hooks", "c", &["cat", "/tmp/message"], ""), "hello\n[0]");
    assert!(c.log("web", "c").contains("kube-probe/1.36"));
    c.delete("hooks");
    c.wait(2);
    assert_eq!(c.state("hooks"), "gone");
}

#[test]
fn exec_and_logs() {
    let c = Cluster::new();
    c.apply(
        "{kind: Secret, apiVersion: v1, metadata: {name: key}, stringData: {token: abc123}}
---
{kind: Pod, apiVersion: v1, metadata: {name: box, labels: {zone: east}}, spec: {terminationGracePeriodSeconds: 1, containers: [{name: sh, image: busybox, command: [sleep, '3600'], env: [{name: APP_COLOR, value: green}, {name: DERIVED, value: '$(APP_COLOR)-y'}, {name: ZONE, valueFrom: {fieldRef: {fieldPath: \"metadata.labels['zone']\"}}}, {name: CPU, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1m}}}], volumeMounts: [{name: key, mountPath: /etc/key}, {name: scratch, mountPath: /scratch}]}, {name: other, image: busybox, command: [sh, -c, 'sleep 2; cat /scratch/a; sleep 3600'], volumeMounts: [{name: scratch, mountPath: /scratch}]}], volumes: [{name: key, secret: {secretName: key}}, {name: scratch, emptyDir: {}}]}}
---
{kind: Pod, apiVersion: v1, metadata: {name: steps}, spec: {restartPolicy: Never, containers: [{name: c, image: busybox, command: [sh, -c, 'for i in 1 2 3; do echo step $i; sleep 1; done; echo finished']}]}}",
    );
    c.wait(3);
    for (command, stdin, expected) in [
        (vec!["echo", "hello"], "", "hello\n[0]"),
        (vec!["hostname"], "", "box\n[0]"),
        (
            vec!["printenv", "APP_COLOR", "DERIVED", "ZONE", "CPU"],
            "",
            "green\ngreen-y\neast\n2000\n[0]",
        ),
        (vec!["printenv", "NOSUCH"], "", "[1]"),
        (vec!["cat", "/etc/key/token"], "", "abc123[0]"),
        (
            vec!["cat", "/etc/nosuch"],
            "",
            "cat: can't open '/etc/nosuch': No such file or directory\n[1]",
        ),
        (vec!["sh", "-c", "echo $APP_COLOR; exit 7"], "", "green\n[7]"),
        (vec!["sh"], "echo from stdin\nexit 4\n", "from stdin\n[4]"),
        (vec!["sh", "-c", "echo one > /scratch/a"], "", "[0]"),
    ] {
        assert_eq!(c.exec("box", "sh", &command, stdin), expected, "{command:?}");
    }
    let missing = c.exec("box", "sh", &["nosuchprogram"], "");
    assert!(
        missing.ends_with(
            "unable to start container process: exec: \"nosuchprogram\": executable file not found in $PATH]"
        ),
        "{missing}"
    );
    let follow = LogOptions {
        container: "c".into(),
        follow: true,
        ..LogOptions::default()
    };
    assert_eq!(c.logs("steps", follow), "step 1\nstep 2\nstep 3\nfinished\n");
    let since = |time: &str| {
        let path = "/api/v1/namespaces/default/pods/steps/log";
        c.client.api().serve(Request::get(path).with("sinceTime", time))
    };
    let refused = since("yesterday");
    assert_eq!(
        (refused.code, refused.value().str_at(&["message"])),
        (
            400,
            "parsing time \"yesterday\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"yesterday\" as \"2006\""
        )
    );
    for time in ["", "null", "2020-01-01T00:00:00Z"] {
        assert_eq!(since(time).code, 200, "{time}");
    }
    c.wait(3);
    assert_eq!(c.log("box", "other"), "one\n");
    c.delete("box");
    c.wait(4);
    assert_eq!(c.state("box"), "gone");
}

#[test]
fn deadlines_and_full_nodes() {
    let c = Cluster::new();
    c.apply(
        "{kind: Pod, apiVersion: v1, metadata: {name: full}, spec: {activeDeadlineSeconds: 6, containers: [{name: c, image: nginx}]}}
---
{kind: Pod, apiVersion: v1, metadata: {name: huge}, spec: {containers: [{name: c, image: nginx, resources: {requests: {cpu: '3'}}}]}}",
    );
    c.wait(9);
    assert_eq!(c.state("full"), "Failed DeadlineExceeded | c: Completed(0) 0 unready");
    assert_eq!(c.state("huge"), "Failed OutOfcpu");
    assert_eq!(
        c.pod("huge").unwrap().status().get("message").str(),
        "Pod was rejected: Node didn't have enough resource: cpu, requested: 3000, used: 0, capacity: 2000"
    );
}

#[test]
fn an_idle_day_is_cheap_and_leases_are_renewed() {
    let c = Cluster::new();
    c.apply("{kind: Pod, apiVersion: v1, metadata: {name: web}, spec: {containers: [{name: nginx, image: nginx}]}}");
    c.wait(86_400);
    let lease = c
        .client
        .api()
        .store()
        .get(
            "leases.coordination.k8s.io",
            &ObjectKey::new("kube-node-lease", "k8s-node-02"),
        )
        .unwrap();
    let renewed = Time::parse(lease.spec().get("renewTime").str()).unwrap();
    assert!(c.sim.now().since(renewed) <= LEASE_RENEWAL + Duration::from_millis(20));
    let names = c.sim.task_names();
    assert!(names.values().sum::<usize>() < 40, "{names:?}");
    assert!(c.sim.next_timer().unwrap() > c.sim.now());
}

#[test]
fn a_pod_ends_in_the_steps_of_a_real_kubelet() {
    let c = Cluster::new();
    c.apply(
        "{kind: Pod, apiVersion: v1, metadata: {name: web}, spec: {containers: [{name: c, image: nginx}], volumes: [{name: v, emptyDir: {}}]}}\n---\n\
         {kind: Pod, apiVersion: v1, metadata: {name: stuck}, spec: {containers: [{name: c, image: 'nginx:nosuch'}]}}\n---\n\
         {kind: Pod, apiVersion: v1, metadata: {name: once}, spec: {restartPolicy: Never, containers: [{name: c, image: busybox, command: ['true']}]}}",
    );
    c.wait(10);
    let before = c.client.api().store().revision();
    let began = c.sim.now();
    c.delete("web");
    c.delete("stuck");
    c.wait(5);
    // What ended before it was deleted is gone at once.
    c.delete("once");
    c.wait(1);
    let mut shown = String::new();
    let changes = c.client.api().store().changes("pods", before, 100).unwrap();
    for change in &changes {
        let pod = &change.object;
        let status = Pod(pod).container_statuses().next().unwrap();
        let state = status
            .value()
            .get("state")
            .entries()
            .next()
            .map(|(k, _)| k.to_string())
            .unwrap_or_default();
        shown.push_str(&format!(
            "{:?} {} {} {state} {} grace {}\n",
            change.op,
            pod.name(),
            Pod(pod).phase(),
            status.terminated().get("reason").str(),
            pod.metadata().i64_at(&["deletionGracePeriodSeconds"]).unwrap_or(-1),
        ));
    }
    assert!(c.sim.now().since(began) < Duration::from_secs(7));
    check(
        expect![[r#"
        Modified web Running running  grace 30
        Modified stuck Pending waiting  grace 30
        Modified web Running running  grace 30
        Modified stuck Pending waiting  grace 30
        Modified web Succeeded terminated Completed grace 30
        Modified stuck Failed waiting  grace 30
        Modified web Succeeded terminated Completed grace 0
        Deleted web Succeeded terminated Completed grace 0
        Modified stuck Failed terminated ContainerStatusUnknown grace 30
        Modified stuck Failed terminated ContainerStatusUnknown grace 0
        Deleted stuck Failed terminated ContainerStatusUnknown grace 0
        Modified once Succeeded terminated Completed grace 0
        Deleted once Succeeded terminated Completed grace 0
    "#]],
        &shown,
    );
}

#[test]
fn hooks_that_fail_keep_what_they_said_to_the_pod() {
    let c = Cluster::new();
    c.apply(
        "{kind: Pod, apiVersion: v1, metadata: {name: post}, spec: {containers: [{name: c, image: nginx, lifecycle: {postStart: {exec: {command: [sh, -c, 'echo why; exit 5']}}}}]}}
---
{kind: Pod, apiVersion: v1, metadata: {name: pre}, spec: {containers: [{name: c, image: nginx, lifecycle: {preStop: {exec: {command: ['false']}}}}]}}",
    );
    let mut states = Vec::new();
    let mut message = String::new();
    for _ in 0..40 {
        c.sim.run_for(Duration::from_millis(250));
        let state = c.state("post");
        if state.contains("PostStartHookError")
            && let Some(pod) = c.pod("post")
        {
            let status = Pod(&pod).container_status("c").unwrap();
            message = status.waiting().get("message").str().to_owned();
        }
        if states.last() != Some(&state) {
            states.push(state);
        }
    }
    check(
        expect![[r#"
        Pending | c: ContainerCreating 0 unready
        Running | c: PostStartHookError 0 unready
        Running | c: CrashLoopBackOff 1 unready"#]],
        &states.join("\n"),
    );
    let pod = c.pod("post").unwrap();
    let uid = pod.uid();
    assert_eq!(
        message,
        format!(
            "Exec lifecycle hook ([sh -c echo why; exit 5]) for Container \"c\" in Pod \"post_default({uid})\" failed - error: command 'sh -c echo why; exit 5' exited with 5: why\n, message: \"why\\n\""
        )
    );
    let events = c.events("post");
    assert!(
        events.contains("Warning FailedPostStartHook spec.containers{c} PostStartHook failed\n"),
        "{events}"
    );
    assert!(
        events.contains("Normal Killing spec.containers{c} FailedPostStartHook\n"),
        "{events}"
    );
    c.delete("pre");
    c.wait(4);
    let events = c.events("pre");
    assert!(
        events.contains("Warning FailedPreStopHook spec.containers{c} PreStopHook failed\n"),
        "{events}"
    );
}

#[test]
fn pods_that_are_taken_over_share_their_processes_again() {
    let c = Cluster::new();
    c.apply(
        r#"
kind: Pod
apiVersion: v1
metadata: {name: pair, namespace: default}
spec:
  shareProcessNamespace: true
  containers:
  - {name: a, image: busybox, command: [sleep, "5000"]}
  - {name: b, image: busybox, command: [sleep, "6000"]}
"#,
    );
    c.wait(10);
    for _ in 0..2 {
        let processes = c.exec("pair", "a", &["ps"], "");
        let shared = ["sleep 5000\n", "sleep 6000\n"].iter().all(|p| processes.contains(p));
        assert!(shared, "{processes}");
        c.kubelets.stop("k8s-node-02");
        c.kubelets.start("k8s-node-02", &Files::with_base(&c.sim));
        c.wait(5);
    }
}

#[test]
fn rules_of_restarts() {
    let c = Cluster::new();
    let pod = |name: &str, code: i64| {
        format!(
            "{{kind: Pod, apiVersion: v1, metadata: {{name: {name}}}, spec: {{restartPolicy: Never, hostnameOverride: other, containers: [{{name: c, image: busybox, command: [sh, -c, 'hostname; exit {code}'], restartPolicy: Never, restartPolicyRules: [{{action: Restart, exitCodes: {{operator: In, values: [42]}}}}]}}]}}}}"
        )
    };
    c.apply(&[pod("again", 42), pod("done", 1)].join("\n---\n"));
    c.wait(9);
    check(
        expect![[r#"
        Running | c: CrashLoopBackOff 1 unready
        Failed | c: Error(1) 0 unready"#]],
        &[c.state("again"), c.state("done")].join("\n"),
    );
    assert_eq!(c.log("done", "c"), "other\n");
}

#[test]
fn pods_that_named_their_node_must_fit_it() {
    let c = Cluster::new();
    let pod = |name: &str, spec: &str| {
        format!(
            "{{kind: Pod, apiVersion: v1, metadata: {{name: {name}}}, spec: {{{spec}, containers: [{{name: c, image: nginx, ports: [{{containerPort: 80, hostPort: 8080}}]}}]}}}}"
        )
    };
    let first = pod("first", "restartPolicy: Always");
    c.apply(&first);
    c.wait(3);
    c.apply(
        &[
            pod("second", "restartPolicy: Always"),
            pod("ssd", "nodeSelector: {disk: ssd}"),
            pod("sysctl", "securityContext: {sysctls: [{name: net.ipv4.tcp_syncookies, value: '0'}, {name: net.core.somaxconn, value: '1024'}]}"),
            pod("windows", "os: {name: windows}"),
        ]
        .join("\n---\n"),
    );
    c.wait(3);
    let statuses = || {
        ["second", "ssd", "sysctl", "windows"].map(|name| {
            let mut status = c.pod(name).unwrap().status().clone();
            assert!(status.remove(&["startTime"]).is_some());
            format!("{name} {}", status.to_json())
        })
    };
    let refused = statuses();
    check(
        expect![[r#"
        second {"message":"Pod was rejected: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports","observedGeneration":1,"phase":"Failed","qosClass":"BestEffort","reason":"NodePorts"}
        ssd {"message":"Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector","observedGeneration":1,"phase":"Failed","qosClass":"BestEffort","reason":"NodeAffinity"}
        sysctl {"message":"Pod was rejected: forbidden sysctl: \"net.core.somaxconn\" not allowlisted","observedGeneration":1,"phase":"Failed","qosClass":"BestEffort","reason":"SysctlForbidden"}
        windows {"message":"Pod was rejected: Failed to admit pod as the OS field doesn't match node OS","observedGeneration":1,"phase":"Failed","qosClass":"BestEffort","reason":"PodOSNotSupported"}"#]],
        &refused.join("\n"),
    );
    // Neither a later change nor another kubelet fills in what never was.
    let client = c.client.clone();
    let labelled = c.run(async move {
        let pods = client.resource("", "v1", "pods").unwrap();
        let mut pod = client.get(&pods, "default", "ssd").await.unwrap().value().clone();
        pod.set(&["metadata", "labels", "a"], "b");
        client.update(&pods, pod).await.unwrap()
    });
    assert_eq!(labelled.label("a"), Some("b"));
    c.kubelets.stop("k8s-node-02");
    c.kubelets.start("k8s-node-02", &Files::with_base(&c.sim));
    c.wait(15);
    assert_eq!(statuses(), refused);
    c.delete("ssd");
    c.wait(3);
    assert_eq!(c.state("ssd"), "gone");
}

#[test]
fn extended_resources_that_the_node_does_not_name_are_passed_over() {
    let c = Cluster::new();
    c.apply(
        "{kind: Pod, apiVersion: v1, metadata: {name: gpu}, spec: {containers: [{name: c, image: nginx, resources: {limits: {nvidia.com/gpu: 1}}}]}}",
    );
    c.wait(4);
    assert_eq!(c.state("gpu"), "Running | c: Running 0 ready");
}

#[test]
fn pods_that_ended_before_the_kubelet_began_stay_ended() {
    let c = Cluster::new();
    c.apply(
        "{kind: Pod, apiVersion: v1, metadata: {name: once}, spec: {restartPolicy: Never, containers: [{name: c, image: busybox, command: ['true']}]}}",
    );
    c.wait(6);
    let before = c.pod("once").unwrap().status().clone();
    assert_eq!(c.state("once"), "Succeeded | c: Completed(0) 0 unready");
    c.kubelets.stop("k8s-node-02");
    c.kubelets.start("k8s-node-02", &Files::with_base(&c.sim));
    c.wait(15);
    assert_eq!(*c.pod("once").unwrap().status(), before);
}

#[test]
fn a_container_is_killed_in_the_words_of_its_probe() {
    let c = Cluster::new();
    let pod = |name: &str, spec: &str| {
        format!(
            "{{kind: Pod, apiVersion: v1, metadata: {{name: {name}}}, spec: {{terminationGracePeriodSeconds: 20, {spec}}}}}"
        )
    };
    let probe = "exec: {command: ['false']}, periodSeconds: 1, failureThreshold: 1, terminationGracePeriodSeconds: 1";
    let main = format!("name: c, image: busybox, command: [sleep, '1000'], livenessProbe: {{{probe}}}");
    let sidecar = |which: &str| {
        format!(
            "initContainers: [{{name: s, image: busybox, restartPolicy: Always, command: [sleep, '1000'], {which}: {{{probe}}}}}], containers: [{{name: c, image: nginx}}]"
        )
    };
    c.apply(
        &[
            pod("always", &format!("containers: [{{{main}}}]")),
            pod("never", &format!("restartPolicy: Never, containers: [{{{main}}}]")),
            pod(
                "own",
                &format!("restartPolicy: Never, containers: [{{restartPolicy: Always, {main}}}]"),
            ),
            pod("side", &sidecar("livenessProbe")),
            pod("starts", &sidecar("startupProbe")),
        ]
        .join("\n---\n"),
    );
    // With the pod's own grace nothing would have been restarted by then.
    c.wait(16);
    let told = ["always", "never", "own", "side", "starts"].map(|name| {
        let events = c.events(name);
        let killing = events.lines().find(|l| l.contains("Killing")).unwrap_or_default();
        let pod = c.pod(name).unwrap();
        let view = Pod(&pod);
        let restarts = view
            .init_container_statuses()
            .chain(view.container_statuses())
            .any(|s| s.restart_count() > 0);
        format!("{name} {} {restarts} {killing}\n", view.phase())
    });
    check(
        expect![[r#"
            always Running true Normal Killing spec.containers{c} Container c failed liveness probe, will be restarted
            never Failed false Normal Killing spec.containers{c} Container c failed liveness probe
            own Running true Normal Killing spec.containers{c} Container c failed liveness probe, will be restarted
            side Running true Normal Killing spec.initContainers{s} Init container s failed liveness probe
            starts Pending true Normal Killing spec.initContainers{s} Init container s failed startup probe
        "#]],
        &told.concat(),
    );
}

#[test]
fn references_see_the_kubelets_variables_alone() {
    let c = Cluster::new();
    let pod = |name: &str, spec: &str| {
        format!(
            "{{kind: Pod, apiVersion: v1, metadata: {{name: {name}}}, spec: {{restartPolicy: Never, volumes: [{{name: v, emptyDir: {{}}}}], {spec}}}}}"
        )
    };
    c.apply(
        "{kind: ConfigMap, apiVersion: v1, metadata: {name: conf}, data: {FROM: x}}\n---\n\
         {kind: Service, apiVersion: v1, metadata: {name: web}, spec: {clusterIP: 10.96.0.9, ports: [{port: 80}]}}",
    );
    c.apply(
        &[
            pod(
                "refers",
                "containers: [{name: c, image: nginx, env: [{name: A, value: 'x-$(HOSTNAME)-$(B)'}, {name: B, value: b}, {name: NGINX_VERSION, value: mine}], command: [echo, 'h=$(HOSTNAME) p=$(PATH) b=$(B) a=$(A) $(HOME) $(NJS_VERSION) $(NGINX_VERSION)']}]",
            ),
            pod(
                "has",
                "containers: [{name: c, image: nginx, env: [{name: NGINX_VERSION, value: mine}, {name: HOME, value: /there}], command: [sh, -c, 'echo $HOSTNAME $HOME $NGINX_VERSION $NJS_VERSION']}]",
            ),
            pod(
                "ordered",
                "containers: [{name: c, image: httpd, envFrom: [{configMapRef: {name: conf, optional: true}}], env: [{name: Z, value: z}, {name: B, value: b}, {name: HTTPD_VERSION, value: mine}]}]",
            ),
            pod(
                "user",
                "securityContext: {runAsUser: 1000}, containers: [{name: c, image: busybox, command: [sh, -c, 'echo $HOME']}]",
            ),
            pod("root", "containers: [{name: c, image: busybox, command: [sh, -c, 'echo $HOME']}]"),
            pod("own", "containers: [{name: c, image: curlimages/curl, command: [sh, -c, 'echo $HOME']}]"),
            pod(
                "subpath",
                "containers: [{name: c, image: busybox, env: [{name: E, value: ''}], volumeMounts: [{name: v, mountPath: /v, subPathExpr: '$(NOPE)/$(E)'}]}]",
            ),
            pod(
                "non-root-0",
                "securityContext: {runAsNonRoot: true}, containers: [{name: c, image: busybox, securityContext: {runAsUser: 0}}]",
            ),
            pod("non-root-image", "securityContext: {runAsNonRoot: true}, containers: [{name: c, image: busybox}]"),
            pod("non-root-name", "securityContext: {runAsNonRoot: true}, containers: [{name: c, image: curlimages/curl}]"),
        ]
        .join("\n---\n"),
    );
    c.wait(25);
    let logs: String = ["refers", "has", "user", "root", "own"]
        .map(|name| c.log(name, "c"))
        .concat();
    check(
        expect![[r#"
        h=$(HOSTNAME) p=$(PATH) b=b a=x-$(HOSTNAME)-$(B) $(HOME) $(NJS_VERSION) mine
        has /there mine 0.9.4
        /
        /root
        /home/curl_user
    "#]],
        &logs,
    );
    // In the order in which the runtime gives them.
    let names = |args: &[&str]| {
        let text = c.exec("ordered", "c", args, "");
        let of = |line: &str| line.split('=').next().unwrap_or_default().to_owned();
        let names: Vec<String> = text.lines().map(of).collect();
        names.join(" ")
    };
    let commands: [&[&str]; 5] = [
        &["env"],
        &["printenv"],
        &["env", "-u", "B", "Z=1", "A=2"],
        &["sh", "-c", "X=1; export X; env"],
        &["env", "-i", "Z=1", "A=2"],
    ];
    check(
        expect![[r#"
        PATH HOSTNAME HTTPD_PREFIX HTTPD_VERSION FROM Z B WEB_PORT WEB_PORT_80_TCP WEB_PORT_80_TCP_ADDR WEB_PORT_80_TCP_PORT WEB_PORT_80_TCP_PROTO WEB_SERVICE_HOST WEB_SERVICE_PORT HOME [0]
        PATH HOSTNAME HTTPD_PREFIX HTTPD_VERSION FROM Z B WEB_PORT WEB_PORT_80_TCP WEB_PORT_80_TCP_ADDR WEB_PORT_80_TCP_PORT WEB_PORT_80_TCP_PROTO WEB_SERVICE_HOST WEB_SERVICE_PORT HOME [0]
        PATH HOSTNAME HTTPD_PREFIX HTTPD_VERSION FROM Z WEB_PORT WEB_PORT_80_TCP WEB_PORT_80_TCP_ADDR WEB_PORT_80_TCP_PORT WEB_PORT_80_TCP_PROTO WEB_SERVICE_HOST WEB_SERVICE_PORT HOME A [0]
        PATH HOSTNAME HTTPD_PREFIX HTTPD_VERSION FROM Z B WEB_PORT WEB_PORT_80_TCP WEB_PORT_80_TCP_ADDR WEB_PORT_80_TCP_PORT WEB_PORT_80_TCP_PROTO WEB_SERVICE_HOST WEB_SERVICE_PORT HOME PWD X [0]
        Z A [0]
    "#]],
        &commands.map(|args| names(args) + "\n").concat(),
    );
    let failed = ["subpath", "non-root-0", "non-root-image", "non-root-name"].map(|name| {
        let pod = c.pod(name).unwrap();
        let waiting = Pod(&pod).container_status("c").unwrap().waiting().to_json();
        waiting.replace(pod.uid(), "UID") + "\n"
    });
    check(
        expect![[r#"
        {"message":"missing value for E, NOPE","reason":"CreateContainerConfigError"}
        {"message":"container's runAsUser breaks non-root policy (pod: \"non-root-0_default(UID)\", container: c)","reason":"CreateContainerConfigError"}
        {"message":"container has runAsNonRoot and image will run as root (pod: \"non-root-image_default(UID)\", container: c)","reason":"CreateContainerConfigError"}
        {"message":"container has runAsNonRoot and image has non-numeric user (curl_user), cannot verify user is non-root (pod: \"non-root-name_default(UID)\", container: c)","reason":"CreateContainerConfigError"}
    "#]],
        &failed.concat(),
    );
}

/// Sets the resources of a pod's container `c` through `/resize`.
fn resize(c: &Cluster, name: &str, requests: Value, limits: Value) {
    let client = c.client.clone();
    let mut value = c.pod(name).unwrap().value().clone();
    value.remove(&["metadata", "resourceVersion"]);
    let mut containers = value.at(&["spec", "containers"]).items().to_vec();
    for container in &mut containers {
        container.set(
            &["resources"],
            obj! { "limits": limits.clone(), "requests": requests.clone() },
        );
    }
    value.set(&["spec", "containers"], containers);
    c.run(async move {
        let resource = client.resource("", "v1", "pods").unwrap();
        client
            .update_part(&resource, "resize", value)
            .await
            .unwrap_or_else(|e| panic!("{}", e.message()))
    });
}

#[test]
fn resizes() {
    let c = Cluster::new();
    c.apply(
        "{kind: Pod, apiVersion: v1, metadata: {name: p}, spec: {containers: [{name: c, image: nginx, resizePolicy: [{resourceName: memory, restartPolicy: RestartContainer}], resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {cpu: 200m, memory: 128Mi}}}]}}",
    );
    c.wait(3);
    let seen = || {
        let pod = c.pod("p").unwrap();
        let status = pod.status();
        let of = &status.get("containerStatuses").items()[0];
        let conditions: Vec<String> = status
            .get("conditions")
            .items()
            .iter()
            .filter(|c| c.get("type").str().contains("Resize"))
            .map(|c| {
                format!(
                    "{} {} {}",
                    c.get("type").str(),
                    c.get("reason").str(),
                    c.get("message").str()
                )
            })
            .collect();
        format!(
            "{}\n{} of {}\n{}",
            c.state("p"),
            of.get("resources").to_json(),
            of.get("allocatedResources").to_json(),
            conditions.join("; ")
        )
    };
    let mib = |n: u64| format!("{n}Mi");
    let sizes = |cpu: &str, memory: u64| obj! { "cpu": cpu, "memory": mib(memory) };
    resize(&c, "p", sizes("300m", 64), sizes("500m", 128));
    c.wait(3);
    check(
        expect![[r#"
        Running | c: Running 0 ready
        {"limits":{"cpu":"500m","memory":"128Mi"},"requests":{"cpu":"300m","memory":"64Mi"}} of {"cpu":"300m","memory":"64Mi"}
    "#]],
        &seen(),
    );
    resize(&c, "p", sizes("300m", 64), sizes("500m", 256));
    c.wait(4);
    check(
        expect![[r#"
        Running | c: Running 1 ready
        {"limits":{"cpu":"500m","memory":"256Mi"},"requests":{"cpu":"300m","memory":"64Mi"}} of {"cpu":"300m","memory":"64Mi"}
    "#]],
        &seen(),
    );
    resize(&c, "p", sizes("1000", 64), sizes("1000", 256));
    c.wait(3);
    check(
        expect![[r#"
        Running | c: Running 1 ready
        {"limits":{"cpu":"500m","memory":"256Mi"},"requests":{"cpu":"300m","memory":"64Mi"}} of {"cpu":"300m","memory":"64Mi"}
        PodResizePending Infeasible Node didn't have enough capacity: cpu, requested: 1000000, capacity: 2000"#]],
        &seen(),
    );
    // Another pod takes what would be left.
    c.apply(
        "{kind: Pod, apiVersion: v1, metadata: {name: other}, spec: {terminationGracePeriodSeconds: 1, containers: [{name: c, image: nginx, resources: {requests: {cpu: '1'}}}]}}",
    );
    c.wait(3);
    resize(&c, "p", sizes("1500m", 64), sizes("1500m", 256));
    c.wait(3);
    check(
        expect![[r#"
        Running | c: Running 1 ready
        {"limits":{"cpu":"500m","memory":"256Mi"},"requests":{"cpu":"300m","memory":"64Mi"}} of {"cpu":"300m","memory":"64Mi"}
        PodResizePending Deferred Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000"#]],
        &seen(),
    );
    c.delete("other");
    c.wait(5);
    check(
        expect![[r#"
        Running | c: Running 1 ready
        {"limits":{"cpu":"1500m","memory":"256Mi"},"requests":{"cpu":"1500m","memory":"64Mi"}} of {"cpu":"1500m","memory":"64Mi"}
    "#]],
        &seen(),
    );
    let events = c.events("p");
    let resizes: Vec<&str> = events.lines().filter(|l| l.contains("esize")).collect();
    check(
        expect![[r#"
        Normal ResizeStarted  Pod resize started: {"containers":[{"name":"c","resources":{"limits":{"cpu":"500m","memory":"128Mi"},"requests":{"cpu":"300m","memory":"64Mi"}}}],"generation":2}
        Normal ResizeCompleted  Pod resize completed: {"containers":[{"name":"c","resources":{"limits":{"cpu":"500m","memory":"128Mi"},"requests":{"cpu":"300m","memory":"64Mi"}}}],"generation":2}
        Normal ResizeStarted  Pod resize started: {"containers":[{"name":"c","resources":{"limits":{"cpu":"500m","memory":"256Mi"},"requests":{"cpu":"300m","memory":"64Mi"}}}],"generation":3}
        Normal Killing spec.containers{c} Container c resize requires restart
        Normal ResizeCompleted  Pod resize completed: {"containers":[{"name":"c","resources":{"limits":{"cpu":"500m","memory":"256Mi"},"requests":{"cpu":"300m","memory":"64Mi"}}}],"generation":3}
        Warning ResizeInfeasible  Pod resize Infeasible: {"containers":[{"name":"c","resources":{"limits":{"cpu":"1k","memory":"256Mi"},"requests":{"cpu":"1k","memory":"64Mi"}}}],"generation":4,"error":"Node didn't have enough capacity: cpu, requested: 1000000, capacity: 2000"}
        Warning ResizeDeferred  Pod resize Deferred: {"containers":[{"name":"c","resources":{"limits":{"cpu":"1500m","memory":"256Mi"},"requests":{"cpu":"1500m","memory":"64Mi"}}}],"generation":5,"error":"Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000"}
        Normal ResizeStarted  Pod resize started: {"containers":[{"name":"c","resources":{"limits":{"cpu":"1500m","memory":"256Mi"},"requests":{"cpu":"1500m","memory":"64Mi"}}}],"generation":5}
        Normal ResizeCompleted  Pod resize completed: {"containers":[{"name":"c","resources":{"limits":{"cpu":"1500m","memory":"256Mi"},"requests":{"cpu":"1500m","memory":"64Mi"}}}],"generation":5}"#]],
        &resizes.join("\n"),
    );
}

#[test]
fn a_deferred_resize_is_done_when_there_is_room() {
    let c = Cluster::new();
    let pod = |name: &str, cpu: &str, command: &str| {
        format!(
            "{{kind: Pod, apiVersion: v1, metadata: {{name: {name}}}, spec: {{restartPolicy: Never, containers: [{{name: c, image: busybox, command: [sleep, '{command}'], resources: {{requests: {{cpu: {cpu}, memory: 64Mi}}, limits: {{cpu: {cpu}, memory: 64Mi}}}}}}]}}}}"
        )
    };
    let all = [
        pod("p", "100m", "3600"),
        pod("ends", "500m", "15"),
        pod("shrinks", "500m", "3600"),
    ];
    c.apply(&all.join("\n---\n"));
    c.wait(5);
    let ask = |name: &str, cpu: &str| {
        let size = obj! { "cpu": cpu, "memory": "64Mi" };
        resize(&c, name, size.clone(), size);
        c.wait(3);
    };
    let has = || {
        let pod = c.pod("p").unwrap();
        pod.status().get("containerStatuses").items()[0]
            .str_at(&["allocatedResources", "cpu"])
            .to_owned()
    };
    ask("p", "1400m");
    assert_eq!(has(), "100m");
    c.wait(15);
    assert_eq!(has(), "1400m", "a pod that ended gave its share back");
    ask("p", "1800m");
    assert_eq!(has(), "1400m");
    ask("shrinks", "100m");
    assert_eq!(has(), "1800m", "a pod that became smaller gave some back");
    ask("p", "1950m");
    assert_eq!(has(), "1800m");
    let client = c.client.clone();
    c.run(async move {
        let resource = client.resource("", "v1", "nodes").unwrap();
        let mut node = client.get(&resource, "", "k8s-node-02").await.unwrap().value().clone();
        node.set(&["status", "allocatable", "cpu"], "4");
        client.update_part(&resource, "status", node).await.unwrap()
    });
    c.wait(3);
    assert_eq!(has(), "1950m", "the node became larger");
}

#[test]
fn volumes_of_objects_are_links_that_nobody_writes() {
    let c = Cluster::new();
    c.apply(
        "{kind: ConfigMap, apiVersion: v1, metadata: {name: conf}, data: {a: one, b: two}}
---
{kind: Pod, apiVersion: v1, metadata: {name: p}, spec: {containers: [{name: c, image: busybox, command: [sleep, '3600'], volumeMounts: [{name: v, mountPath: /conf}, {name: v, mountPath: /sub, subPath: a}]}], volumes: [{name: v, configMap: {name: conf, items: [{key: a, path: a, mode: 256}, {key: b, path: d/b}]}}]}}",
    );
    c.wait(4);
    let script = "cd /conf; ls; readlink a; ls -l ..data/ | cut -c1-10; cat a d/b; echo x > new; rm a";
    let before = c.exec("p", "c", &["sh", "-c", script], "");
    check(
        expect![[r#"
        a
        d
        ..data/a
        total 8
        -r--------
        drwxr-xr-x
        onetwosh: can't create new: Read-only file system
        rm: can't remove 'a': Read-only file system
        [1]"#]],
        &before,
    );
    let client = c.client.clone();
    c.run(async move {
        let resource = client.resource("", "v1", "configmaps").unwrap();
        let mut object = client.get(&resource, "default", "conf").await.unwrap().value().clone();
        object.set(&["data", "a"], "three");
        client.update(&resource, object).await.unwrap()
    });
    c.wait(70);
    let after = c.exec("p", "c", &["sh", "-c", "cat /conf/a /sub; ls -a /conf | wc -l"], "");
    check(
        expect![[r#"
        threeone6
        [0]"#]],
        &after,
    );
}

#[test]
fn pods_that_take_too_much_of_the_disk_are_evicted() {
    let c = Cluster::new();
    let pod = |name: &str, more: &str, file: &str| {
        format!(
            "{{kind: Pod, apiVersion: v1, metadata: {{name: {name}}}, spec: {{restartPolicy: Never, containers: [{{name: c, image: busybox, command: [sh, -c, 'dd if=/dev/zero of={file} bs=1M count=5; sleep 3600'], volumeMounts: [{{name: v, mountPath: /v}}]{more}}}], volumes: [{{name: v, emptyDir: {{sizeLimit: 4Mi}}}}]}}}}"
        )
    };
    let limits = ", resources: {limits: {ephemeral-storage: 4Mi}}";
    c.apply(
        &[
            pod("volume", "", "/v/x"),
            pod("pod", limits, "/x"),
            pod("fits", "", "/x"),
        ]
        .join("\n---\n"),
    );
    c.wait(25);
    let all = ["volume", "pod", "fits"].map(|name| {
        let pod = c.pod(name).unwrap();
        format!("{} {}", c.state(name), pod.status().get("message").str())
    });
    check(
        expect![[r#"
            Failed Evicted | c: Error(137) 0 unready Usage of EmptyDir volume "v" exceeds the limit "4Mi". 
            Failed Evicted | c: Error(137) 0 unready Pod ephemeral local storage usage exceeds the total limit of containers 4Mi. 
            Running | c: Running 0 ready "#]],
        &all.join("\n"),
    );
    let events = c.events("volume");
    let of: Vec<&str> = events
        .lines()
        .filter(|l| l.contains("Evicted") || l.contains("Killing"))
        .collect();
    check(
        expect![[r#"
        Warning Evicted  Usage of EmptyDir volume "v" exceeds the limit "4Mi". 
        Normal Killing spec.containers{c} Stopping container c"#]],
        &of.join("\n"),
    );
}

#[test]
fn a_forwarded_request_without_an_end_is_cut() {
    let c = Cluster::new();
    c.apply("{kind: Pod, apiVersion: v1, metadata: {name: web}, spec: {containers: [{name: nginx, image: nginx}]}}");
    c.wait(30);
    let nodes = c.client.api().node_connections().unwrap();
    let session = nodes.forward(&c.pod("web").unwrap()).unwrap().connect(80);
    let from = session.clone();
    let answer = c.run(async move {
        from.stdin.write(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n");
        from.stdout.read().await
    });
    assert!(answer.unwrap().starts_with(b"HTTP/1.1 200 OK"));
    session
        .stdin
        .write(b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n");
    let mib = vec![b'x'; 1 << 20];
    for sent in 0..18 {
        assert_eq!(session.stdout.is_closed(), sent > 15, "after {sent} MiB");
        session.stdin.write(&mib);
        c.wait(1);
    }
}

#[test]
fn volumes_of_images_are_pulled_and_show_their_files() {
    let c = Cluster::new();
    let pod = |name: &str, image: &str| {
        format!(
            "{{kind: Pod, apiVersion: v1, metadata: {{name: {name}}}, spec: {{initContainers: [{{name: i, image: busybox, command: ['true']}}], containers: [{{name: c, image: busybox, command: [sleep, '3600'], volumeMounts: [{{name: v, mountPath: /v}}]}}], volumes: [{{name: v, image: {{reference: '{image}'}}}}]}}}}"
        )
    };
    c.apply(&[pod("good", "nginx:1.27"), pod("bad", "nginx:nosuch")].join("\n---\n"));
    c.wait(9);
    let told = |name: &str| {
        let events = c.events(name);
        let without_time = |l: &str| match l.split_once(" in ") {
            Some((before, _)) if l.contains("Successfully") => format!("{before}\n"),
            _ => format!("{l}\n"),
        };
        c.state(name) + "\n" + &events.lines().map(without_time).collect::<String>()
    };
    check(
        expect![[r#"
        Running | i: Completed(0) 0 ready | c: Running 0 ready
        Normal Pulling  Pulling image "nginx:1.27"
        Normal Pulled  Successfully pulled image "nginx:1.27"
        Normal Pulling spec.initContainers{i} Pulling image "busybox"
        Normal Pulled spec.initContainers{i} Successfully pulled image "busybox"
        Normal Created spec.initContainers{i} Container created
        Normal Started spec.initContainers{i} Container started
        Normal Pulling spec.containers{c} Pulling image "busybox"
        Normal Pulled spec.containers{c} Successfully pulled image "busybox"
        Normal Created spec.containers{c} Container created
        Normal Started spec.containers{c} Container started
    "#]],
        &told("good"),
    );
    check(
        expect![[r#"
            Pending | i: Completed(0) 0 ready | c: ImagePullBackOff 0 unready
            Normal Pulling  Pulling image "nginx:nosuch"
            Warning Failed  Failed to pull image "nginx:nosuch": rpc error: code = NotFound desc = failed to pull and unpack image "docker.io/library/nginx:nosuch": failed to resolve reference "docker.io/library/nginx:nosuch": docker.io/library/nginx:nosuch: not found
            Normal Pulling spec.initContainers{i} Pulling image "busybox"
            Normal Pulled spec.initContainers{i} Successfully pulled image "busybox"
            Normal Created spec.initContainers{i} Container created
            Normal Started spec.initContainers{i} Container started
            Normal BackOff  Back-off pulling image "nginx:nosuch"
            Warning Failed spec.containers{c} Error: ImagePullBackOff
        "#]],
        &told("bad"),
    );
    let script = "cat /v/usr/share/nginx/html/index.html | head -n 4 | tail -n 1; echo x > /v/x";
    for _ in 0..2 {
        assert_eq!(
            c.exec("good", "c", &["sh", "-c", script], ""),
            "<title>Welcome to nginx!</title>\nsh: can't create /v/x: Read-only file system\n[1]"
        );
        // What is taken over shows them too.
        let client = c.client.clone();
        c.run(async move {
            let resource = client.resource("", "v1", "nodes").unwrap();
            let node = client.get(&resource, "", "k8s-node-02").await.unwrap();
            assert!(node.status().get("images").to_json().contains("nginx:1.27"));
        });
        c.kubelets.stop("k8s-node-02");
        c.kubelets.start("k8s-node-02", &Files::with_base(&c.sim));
        c.wait(12);
    }
}

#[test]
fn hooks_take_any_response_and_no_socket() {
    let c = Cluster::new();
    let pod = |name: &str, hook: &str| {
        format!(
            "{{kind: Pod, apiVersion: v1, metadata: {{name: {name}}}, spec: {{terminationGracePeriodSeconds: 1, containers: [{{name: c, image: nginx, lifecycle: {{postStart: {{{hook}}}}}}}]}}}}"
        )
    };
    c.apply(
        &[
            pod("absent", "httpGet: {path: /x, port: 80}"),
            pod(
                "named",
                "httpGet: {path: /, port: 80, httpHeaders: [{name: user-agent, value: me}]}",
            ),
            pod("secure", "httpGet: {path: /s, port: 80, scheme: HTTPS}"),
            pod("refused", "httpGet: {path: /x, port: 81}"),
            pod("socket", "tcpSocket: {port: 80}"),
        ]
        .join("\n---\n"),
    );
    let mut seen = Vec::new();
    for _ in 0..100 {
        c.sim.run_for(Duration::from_millis(100));
        for name in ["absent", "named", "secure", "refused", "socket"] {
            let Some(pod) = c.pod(name) else { continue };
            let Some(status) = Pod(&pod).container_status("c") else {
                continue;
            };
            let text = match status.waiting() {
                waiting if waiting.get("reason").str() == "PostStartHookError" => {
                    waiting.get("message").str().replace(pod.uid(), "UID")
                }
                _ if status.is_ready() => "ready".to_owned(),
                _ => continue,
            };
            let text = format!("{name} {text}");
            if !seen.contains(&text) {
                seen.push(text);
            }
        }
    }
    seen.sort();
    check(
        expect![[r#"
            absent ready
            named ready
            refused HTTP lifecycle hook (/x) for Container "c" in Pod "refused_default(UID)" failed - error: Get "http://10.244.2.6:81/x": dial tcp 10.244.2.6:81: connect: connection refused
            secure ready
            socket Cannot run handler: invalid handler: &LifecycleHandler{Exec:nil,HTTPGet:nil,TCPSocket:&TCPSocketAction{Port:{0 80 },Host:,},Sleep:nil,}"#]],
        &seen.join("\n"),
    );
    let told: String = ["absent", "secure", "socket"]
        .iter()
        .flat_map(|name| {
            let events = c.events(name);
            let of_hooks = |l: &&str| l.contains("Hook") || l.contains("LifecycleHTTP");
            events
                .lines()
                .filter(of_hooks)
                .map(|l| format!("{name} {l}\n"))
                .collect::<Vec<_>>()
        })
        .collect();
    check(
        expect![[r#"
        secure Warning LifecycleHTTPFallback  request to HTTPS lifecycle hook 10.244.2.4:80 got HTTP response, retry with HTTP succeeded
        socket Warning FailedPostStartHook spec.containers{c} PostStartHook failed
        socket Normal Killing spec.containers{c} FailedPostStartHook
    "#]],
        &told,
    );
    let agents = ["absent", "named", "secure"].map(|name| {
        let log = c.log(name, "c");
        let access = log.lines().find(|l| l.contains("\" 404 ") || l.contains("\" 200 "));
        let request = access.and_then(|l| l.split_once('"')).map_or("", |(_, after)| after);
        format!("{name} {request}\n")
    });
    check(
        expect![[r#"
            absent GET /x HTTP/1.1" 404 153 "-" "kube-lifecycle/1.36" "-"
            named GET / HTTP/1.1" 200 615 "-" "me" "-"
            secure GET /s HTTP/1.1" 404 153 "-" "kube-lifecycle/1.36" "-"
        "#]],
        &agents.concat(),
    );
}

#[test]
fn what_answers_in_http_passes_no_probe_of_grpc() {
    let c = Cluster::new();
    let pod = |name: &str, image: &str, port: u16| {
        format!(
            "{{kind: Pod, apiVersion: v1, metadata: {{name: {name}}}, spec: {{containers: [{{name: c, {image}, readinessProbe: {{grpc: {{port: {port}}}, periodSeconds: 2}}}}]}}}}"
        )
    };
    c.apply(&format!(
        "{}\n---\n{}",
        pod("web", "image: nginx", 80),
        pod("store", "image: 'registry.k8s.io/etcd:3.6.8-0', command: [etcd]", 2379)
    ));
    c.wait(20);
    let ready = |name: &str| Pod(&c.pod(name).unwrap()).is_ready();
    assert_eq!((ready("web"), ready("store")), (false, true), "{}", c.events("store"));
    let events = c.events("web");
    let said = "Readiness probe failed: timeout: failed to connect service \"10.244.";
    assert!(
        events.contains(said) && events.contains("within 1s: context deadline exceeded"),
        "{events}"
    );
}
