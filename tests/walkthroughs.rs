//! Walkthroughs that need an add-on, which no recording has: what the controllers, the scheduler, the
//! kubelets and the add-on do together.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use kubetab::world::{Options, Scenario, World};

/// Runs a scenario, and gives its transcript.
fn run(text: &str) -> String {
    let world = World::new(&Options::default()).unwrap();
    let scenario = Scenario::parse(text).unwrap();
    let out: Rc<RefCell<String>> = Rc::default();
    let o = out.clone();
    let w = world.clone();
    let end = world.sim().now() + Duration::from_secs(86_400);
    let done = world.sim().run_future(
        async move { scenario.run(&w, move |part| o.borrow_mut().push_str(part)).await },
        end,
    );
    assert!(done.is_some(), "it ends");
    out.borrow().clone()
}

/// What a command of a transcript printed.
fn answer<'a>(transcript: &'a str, command: &str) -> &'a str {
    let line = format!("$ {command}\n");
    let rest = transcript.split_once(&line).expect("the command was run").1;
    rest.find("\n$ ").map_or(rest, |end| &rest[..end]).trim_end()
}

#[test]
fn an_autoscaler_follows_the_load() {
    let transcript = run(r#"
$ kubectl apply -f https://github.com/kubernetes-sigs/metrics-server/releases/latest/download/components.yaml >/dev/null
$ kubectl create deployment calc --image=registry.k8s.io/hpa-example --port=80
$ kubectl set resources deployment calc --requests=cpu=200m --limits=cpu=500m
$ kubectl expose deployment calc
$ kubectl autoscale deployment calc --cpu=50% --min=1 --max=5
@wait 120
$ kubectl get hpa calc --no-headers | awk '{print $3, $4, $7}'
$ kubectl run load --image=busybox -- /bin/sh -c "while sleep 0.02; do wget -q -O- http://calc >/dev/null; done"
@wait 150
$ kubectl get hpa calc -o jsonpath='{.status.desiredReplicas}{"\n"}'
$ kubectl get events --field-selector reason=SuccessfulRescale -o jsonpath='{.items[0].message}{"\n"}'
$ kubectl get hpa calc -o jsonpath='{range .status.conditions[*]}{.type}={.status} {end}{"\n"}'
$ kubectl delete pod load --now
@wait 480
$ kubectl get deployment calc -o jsonpath='{.spec.replicas}{"\n"}'
$ kubectl get hpa calc -o jsonpath='{range .status.conditions[*]}{.type}={.reason} {end}'
"#);
    let of = |command: &str| answer(&transcript, command);
    let idle = of("kubectl get hpa calc --no-headers | awk '{print $3, $4, $7}'");
    assert!(
        idle.starts_with("cpu: ") && idle.contains("%/50%") && !idle.contains("unknown"),
        "{transcript}"
    );
    let grown: i64 = of(r#"kubectl get hpa calc -o jsonpath='{.status.desiredReplicas}{"\n"}'"#)
        .parse()
        .unwrap();
    assert!(grown > 1, "{transcript}");
    assert!(
        transcript.contains("reason: cpu resource utilization (percentage of request) above target"),
        "{transcript}"
    );
    assert!(transcript.contains("ScalingActive=True"), "{transcript}");
    assert_eq!(
        of(r#"kubectl get deployment calc -o jsonpath='{.spec.replicas}{"\n"}'"#),
        "1",
        "{transcript}"
    );
}

#[test]
fn a_stateful_set_keeps_its_data_in_volumes_that_are_made_for_it() {
    let transcript = run(r#"
@file db.yaml
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, selector: {app: db}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 2
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {name: c, image: nginx, volumeMounts: [{name: data, mountPath: /data}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec:
      accessModes: [ReadWriteOnce]
      storageClassName: local-path
      resources: {requests: {storage: 1Gi}}
@end
$ kubectl apply -f https://raw.githubusercontent.com/rancher/local-path-provisioner/v0.0.31/deploy/local-path-storage.yaml >/dev/null
@settle
$ kubectl apply -f db.yaml
@settle
$ kubectl get pvc -o custom-columns=NAME:.metadata.name,PHASE:.status.phase --no-headers
$ kubectl get pv -o jsonpath='{range .items[*]}{.spec.claimRef.name} {.status.phase} {.spec.storageClassName}{"\n"}{end}' | sort
$ kubectl exec db-1 -- sh -c 'echo kept >/data/x'
$ kubectl delete pod db-1
@settle
$ kubectl exec db-1 -- cat /data/x
$ kubectl run look --image=busybox --restart=Never --rm -i -- nslookup db-1.db | grep -c 'db-1.db.default.svc.cluster.local'
$ kubectl delete sts db
@settle
$ kubectl delete pvc --all
@settle
$ kubectl get pv
"#);
    let of = |command: &str| answer(&transcript, command);
    let claims = of("kubectl get pvc -o custom-columns=NAME:.metadata.name,PHASE:.status.phase --no-headers");
    let words: Vec<&str> = claims.split_whitespace().collect();
    assert_eq!(words, ["data-db-0", "Bound", "data-db-1", "Bound"], "{transcript}");
    assert_eq!(of("kubectl exec db-1 -- cat /data/x"), "kept", "{transcript}");
    assert_eq!(of("kubectl get pv"), "No resources found", "{transcript}");
}
