//! Tests of the picture: trace events in, scene and sentences out.

use std::rc::Rc;
use std::time::Duration;

use expect_test::{Expect, expect};
use kubetab::sim::{Hop, NodeVerdict, Outcome, TraceEvent, TraceRecord, Verdict, WriteKind};
use kubetab::value::Value;

use super::narration::Line;
use super::show::Show;

/// A stage with three nodes, and what was said on it.
struct Theatre {
    show: Show,
    seq: u64,
    said: Vec<String>,
}

impl Theatre {
    fn new() -> Theatre {
        let mut show = Show::new();
        for (name, labels) in [
            ("k8s-master", r#"{"node-role.kubernetes.io/control-plane":""}"#),
            ("k8s-node-01", "{}"),
            ("k8s-node-02", "{}"),
        ] {
            let json = format!(
                r#"{{"metadata":{{"name":"{name}","labels":{labels}}},"status":{{"conditions":[{{"type":"Ready","status":"True"}}]}}}}"#
            );
            show.scene.seed("Node", &Value::from_json(&json).unwrap());
        }
        Theatre {
            show,
            seq: 0,
            said: Vec::new(),
        }
    }

    fn emit(&mut self, event: TraceEvent) {
        self.seq += 1;
        self.show.take(&TraceRecord {
            seq: self.seq,
            micros: self.seq * 1_000,
            event,
        });
    }

    fn request(&mut self, id: u64, client: &str, verb: &'static str, path: &str) {
        self.emit(TraceEvent::Request {
            id,
            client: client.into(),
            verb,
            path: path.into(),
        });
    }

    fn write(&mut self, id: u64, client: &str, kind: &str, op: WriteKind, object: &str) {
        let object = Value::from_json(object).unwrap();
        let name = format!(
            "{}/{}",
            object.at(&["metadata", "namespace"]).str(),
            object.at(&["metadata", "name"]).str()
        );
        self.emit(TraceEvent::Write {
            request: id,
            client: client.into(),
            kind: kind.into(),
            object_name: name.into(),
            op,
            revision: self.seq,
            object,
        });
    }

    fn play(&mut self, ms: f64, gates: bool) {
        let mut spent = 0.0;
        while spent < ms {
            let lines = self.show.frame(16.0, gates);
            self.hear(lines);
            spent += 16.0;
        }
    }

    fn hear(&mut self, lines: Vec<Line>) {
        for line in lines {
            let words: Vec<String> = line.words.iter().map(|(k, v)| format!("{k}={v}")).collect();
            self.said.push(format!("{} {}", line.key, words.join(" ")));
        }
    }

    fn check(&self, expect: Expect) {
        let mut out = String::new();
        for (key, pod) in &self.show.scene.pods {
            out += &format!(
                "{key} {} {}/{} on {:?}{}{}\n",
                pod.status,
                pod.ready,
                pod.containers,
                pod.node,
                pod.pull.map_or_else(String::new, |p| format!(" pull {}%", p.percent())),
                if pod.gone { " gone" } else { "" },
            );
        }
        for (key, service) in &self.show.scene.services {
            let rows: Vec<String> = service
                .endpoints
                .iter()
                .map(|e| format!("{}×{}{}", e.address, e.hits, if e.next { " next" } else { "" }))
                .collect();
            out += &format!("service {key}: {}\n", rows.join(", "));
        }
        for (key, w) in &self.show.scene.workloads {
            out += &format!("{key} {}/{}\n", w.ready, w.desired);
        }
        out += &self.said.join("\n");
        expect.assert_eq(&out);
    }
}

fn pod(node: &str, rest: &str) -> String {
    format!(
        r#"{{"metadata":{{"name":"web-5d-x1","namespace":"default","uid":"u1","ownerReferences":[{{"controller":true,"kind":"ReplicaSet","name":"web-5d"}}]{rest}}},
        "spec":{{"nodeName":"{node}","containers":[{{"name":"nginx","image":"nginx"}}]}}"#
    )
}

#[test]
fn a_pod_is_made_bound_pulled_started_and_deleted() {
    let mut t = Theatre::new();
    let rs = "replicaset-controller";
    t.request(1, rs, "create", "/api/v1/namespaces/default/pods");
    t.write(1, rs, "Pod", WriteKind::Added, &format!("{}}}", pod("", "")));
    t.emit(TraceEvent::Verdict(Rc::new(Verdict {
        pod: "default/web-5d-x1".into(),
        nodes: vec![NodeVerdict {
            node: "k8s-node-01".into(),
            refused: None,
            scores: vec![],
            total: 7,
        }],
        chosen: Some("k8s-node-01".into()),
        message: "".into(),
    })));
    t.write(
        2,
        "kube-scheduler",
        "Pod",
        WriteKind::Modified,
        &format!("{}}}", pod("k8s-node-01", "")),
    );
    t.emit(TraceEvent::ImagePull {
        node: "k8s-node-01".into(),
        pod: "default/web-5d-x1".into(),
        image: "nginx".into(),
        received: 1_000_000,
        total: 4_000_000,
    });
    t.play(5_000.0, true);
    t.check(expect![[r#"
        default/web-5d-x1 Pending 0/1 on "k8s-node-01" pull 25%
        pod-created-by kind=ReplicaSet pod=web-5d-x1
        bound pod=web-5d-x1 node=k8s-node-01
        pulling pod=web-5d-x1 node=k8s-node-01 image=nginx size=4.0 MB"#]]);
    t.said.clear();
    let running = r#","status":{"phase":"Running","containerStatuses":[{"ready":true,"state":{"running":{}}}]}}"#;
    t.write(
        3,
        "kubelet/k8s-node-01",
        "Pod",
        WriteKind::Modified,
        &(pod("k8s-node-01", "") + running),
    );
    let deleting = r#","deletionTimestamp":"2026-11-21T08:55:19Z""#;
    t.write(
        4,
        "kubectl",
        "Pod",
        WriteKind::Modified,
        &(pod("k8s-node-01", deleting) + running),
    );
    t.write(
        5,
        "kubelet/k8s-node-01",
        "Pod",
        WriteKind::Deleted,
        &(pod("k8s-node-01", deleting) + running),
    );
    t.play(100.0, true);
    t.check(expect![[r#"
        default/web-5d-x1 Terminating 1/1 on "k8s-node-01" gone
        ready pod=web-5d-x1
        terminating pod=web-5d-x1
        gone pod=web-5d-x1"#]]);
    t.play(1_000.0, true);
    assert!(t.show.scene.pods.is_empty(), "a deleted pod has faded");
}

#[test]
fn requests_go_round_robin_and_are_counted() {
    let mut t = Theatre::new();
    t.write(
        1,
        "kubectl",
        "Service",
        WriteKind::Added,
        r#"{"metadata":{"name":"web","namespace":"default"},"spec":{"clusterIP":"10.96.0.9","ports":[{"port":80}]}}"#,
    );
    t.write(
        2,
        "endpointslice-controller",
        "EndpointSlice",
        WriteKind::Added,
        r#"{"metadata":{"name":"web-1","namespace":"default","labels":{"kubernetes.io/service-name":"web"}},"ports":[{"port":80}],
        "endpoints":[{"addresses":["10.0.0.1"]},{"addresses":["10.0.0.2"]},{"addresses":["10.0.0.3"]}]}"#,
    );
    for i in 0..30u32 {
        let flow = 100 + u64::from(i);
        let address: Rc<str> = format!("10.0.0.{}:80", i % 3 + 1).into();
        let hops = [
            (
                Hop::Client {
                    node: "k8s-master".into(),
                    pod: "".into(),
                },
                false,
            ),
            (
                Hop::Rule {
                    node: "k8s-master".into(),
                    service: "default/web".into(),
                    address: "10.96.0.9:80".into(),
                    endpoint: address.clone(),
                    chosen_by: "rr",
                    index: i % 3,
                    of: 3,
                    next: Some((i + 1) % 3),
                },
                false,
            ),
            (
                Hop::Pod {
                    node: "k8s-node-01".into(),
                    pod: "default/a".into(),
                    address,
                },
                false,
            ),
            (
                Hop::Client {
                    node: "k8s-master".into(),
                    pod: "".into(),
                },
                true,
            ),
        ];
        for (hop, back) in hops {
            t.emit(TraceEvent::Packet {
                flow,
                hop,
                back,
                latency: Duration::from_micros(300),
            });
        }
        t.emit(TraceEvent::FlowEnd {
            flow,
            what: "GET http://web/".into(),
            outcome: Outcome::Status(200),
        });
    }
    t.play(320.0, true);
    assert!(t.show.backlog() > 100, "the first request is still on its way");
    t.play(40_000.0, true);
    assert_eq!(t.show.backlog(), 0);
    t.said.truncate(4);
    t.check(expect![[r#"
        service default/web: 10.0.0.1:80×10 next, 10.0.0.2:80×10, 10.0.0.3:80×10
        service service=web address=10.96.0.9
        endpoints service=web count=3
        chose-rr service=web endpoint=10.0.0.1:80 index=1 of=3
        answered what=GET http://web/ code=200"#]]);
}

#[test]
fn without_gates_all_is_shown_at_once() {
    let mut t = Theatre::new();
    t.request(1, "kubectl", "create", "/apis/apps/v1/namespaces/default/deployments");
    t.write(
        1,
        "kubectl",
        "Deployment",
        WriteKind::Added,
        r#"{"metadata":{"name":"web","namespace":"default"},"spec":{"replicas":3}}"#,
    );
    t.show.frame(1.0, false);
    assert_eq!(t.show.backlog(), 0);
    t.check(expect!["Deployment/default/web 0/3\n"]);
}

#[test]
fn a_cron_job_makes_a_job_and_a_job_counts_completions() {
    let mut t = Theatre::new();
    let cron = r#"{"metadata":{"name":"tick","namespace":"default"},"spec":{"schedule":"* * * * *"}}"#;
    t.write(1, "kubectl", "CronJob", WriteKind::Added, cron);
    let made = r#"{"metadata":{"name":"tick-1","namespace":"default","ownerReferences":[{"controller":true,"kind":"CronJob","name":"tick"}]}}"#;
    t.write(2, "cronjob-controller", "Job", WriteKind::Added, made);
    let job = |status: &str| {
        format!(
            r#"{{"metadata":{{"name":"pi","namespace":"default"}},"spec":{{"completions":2}},"status":{{{status}}}}}"#
        )
    };
    t.write(3, "kubectl", "Job", WriteKind::Added, &job(""));
    t.write(
        4,
        "job-controller",
        "Job",
        WriteKind::Modified,
        &job(r#""succeeded":1"#),
    );
    t.write(
        5,
        "job-controller",
        "Job",
        WriteKind::Modified,
        &job(r#""succeeded":2"#),
    );
    t.play(5_000.0, true);
    t.check(expect![[r#"
        CronJob/default/tick 0/0
        Job/default/pi 2/2
        scheduled name=tick schedule=* * * * *
        job name=tick-1
        wanted kind=Job name=pi count=2
        job-done name=pi"#]]);
}

#[test]
fn only_what_another_workload_made_is_left_out() {
    let mut t = Theatre::new();
    let owned = |name: &str, by: &str| {
        format!(
            r#"{{"metadata":{{"name":"{name}","namespace":"default","ownerReferences":[{{"controller":true,"kind":"{by}","name":"x"}}]}},"spec":{{"replicas":2}}}}"#
        )
    };
    for (id, kind, by) in [
        (1, "ReplicaSet", "Deployment"),
        (2, "ReplicaSet", "Rollout"),
        (3, "StatefulSet", "Database"),
        (4, "Deployment", "Deployment"),
        (5, "Job", "CronJob"),
    ] {
        t.write(id, "operator", kind, WriteKind::Added, &owned(&format!("a{id}"), by));
    }
    t.play(5_000.0, true);
    t.check(expect![[r#"
        Deployment/default/a4 0/2
        ReplicaSet/default/a2 0/2
        StatefulSet/default/a3 0/2
        replicaset name=a1 count=2
        wanted kind=ReplicaSet name=a2 count=2
        wanted kind=StatefulSet name=a3 count=2
        wanted kind=Deployment name=a4 count=2
        job name=a5"#]]);
}
