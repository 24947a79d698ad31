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

#[test]
fn a_user_is_made_by_certificate() {
    let transcript = run(r#"
$ openssl genrsa -out anna.key 2048 && openssl req -new -key anna.key -out anna.csr -subj "/CN=anna/O=dev"
$ printf 'apiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\nmetadata: {name: anna}\nspec:\n  request: %s\n  signerName: kubernetes.io/kube-apiserver-client\n  expirationSeconds: 3600\n  usages: [client auth]\n' $(base64 anna.csr | tr -d '\n') | kubectl create -f -
$ kubectl get csr
$ kubectl certificate approve anna
@wait 1
$ kubectl get csr anna -o jsonpath='{.status.certificate}' | base64 -d > anna.crt
$ openssl x509 -in anna.crt -noout -subject -issuer -dates -ext extendedKeyUsage
$ openssl verify -CAfile /etc/kubernetes/pki/ca.crt anna.crt
$ kubectl config set-credentials anna --client-certificate=anna.crt --client-key=anna.key --embed-certs
$ kubectl config set-context anna --cluster=kubernetes --user=anna
$ kubectl --context anna get pods
$ kubectl create rolebinding dev --clusterrole=view --group=dev
$ kubectl --context=anna get pods
$ kubectl --context=anna auth whoami -o jsonpath='{.status.userInfo.groups}'
$ kubectl certificate deny anna
$ openssl ecparam -name prime256v1 -genkey -noout -out eve.key; openssl req -new -key eve.key -out eve.csr -subj /CN=eve; openssl x509 -req -in eve.csr -CA /etc/kubernetes/pki/ca.crt -CAkey /etc/kubernetes/pki/ca.key -CAcreateserial -out eve.crt -days 1
$ kubectl auth whoami --client-certificate=eve.crt --client-key=eve.key -o jsonpath='{.status.userInfo.username}'
$ kubectl get pods --client-certificate=eve.crt --client-key=anna.key
$ kubectl get pods --user=anna --client-key=none
@wait 7300
$ kubectl --context anna get pods -n default
$ kubectl describe csr anna
"#);
    let kept: Vec<&str> = transcript.lines().filter(|l| !l.starts_with("$ ")).collect();
    expect_test::expect![[r#"

        certificatesigningrequest.certificates.k8s.io/anna created
        NAME   AGE   SIGNERNAME                            REQUESTOR          REQUESTEDDURATION   CONDITION
        anna   0s    kubernetes.io/kube-apiserver-client   kubernetes-admin   60m                 Pending
        certificatesigningrequest.certificates.k8s.io/anna approved
        @wait 1
        subject=O = dev, CN = anna
        issuer=CN = kubernetes
        notBefore=Jan  1 07:55:00 2026 GMT
        notAfter=Jan  1 09:00:00 2026 GMT
        X509v3 Extended Key Usage: 
            TLS Web Client Authentication
        anna.crt: OK
        User "anna" set.
        Context "anna" created.
        Error from server (Forbidden): pods is forbidden: User "anna" cannot list resource "pods" in API group "" in the namespace "default"
        [exit 1]
        rolebinding.rbac.authorization.k8s.io/dev created
        No resources found in default namespace.
        ["dev","system:authenticated"]
        error: certificate signing request "anna" is already Approved
        [exit 1]
        Certificate request self-signature ok
        subject=CN = eve
        eve
        error: tls: private key does not match public key
        [exit 1]
        error: unable to read client-key none for anna due to open none: no such file or directory
        [exit 1]
        @wait 7300
        error: You must be logged in to the server (Unauthorized)
        [exit 1]
        Error from server (NotFound): certificatesigningrequests.certificates.k8s.io "anna" not found
        [exit 1]
    "#]].assert_eq(&(kept.join("\n") + "\n"));
}
