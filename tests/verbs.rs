//! Verbs that need much of the cluster at once, as scenarios: what a student types and what is
//! printed. They hold our own output; what a real cluster printed is in `transcripts`.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use expect_test::{Expect, expect};
use kubetab::world::{Options, Scenario, World};

/// Runs a scenario in a fresh world, and compares its transcript.
fn check(scenario: &str, expected: Expect) {
    let scenario = Scenario::parse(scenario).unwrap();
    let world = World::new(&Options::default()).unwrap();
    let sim = world.sim().clone();
    let text: Rc<RefCell<String>> = Rc::default();
    let sink = text.clone();
    let run = async move { scenario.run(&world, move |t| sink.borrow_mut().push_str(t)).await };
    let end = sim.now() + Duration::from_secs(86_400);
    assert!(sim.run_future(run, end).is_some(), "the scenario does not end");
    expected.assert_eq(&text.borrow());
}

#[test]
fn top_after_metrics_server_is_installed() {
    check(
        r#"$ kubectl top nodes
$ kubectl apply -f https://github.com/kubernetes-sigs/metrics-server/releases/latest/download/components.yaml | tail -1
$ kubectl top nodes
@wait 60
$ kubectl get apiservice v1beta1.metrics.k8s.io
$ kubectl top nodes -l node-role.kubernetes.io/control-plane
$ kubectl top node k8s-node-03
$ kubectl top pods -n kube-system -l k8s-app=kube-dns --containers --sum
$ kubectl top pods
$ kubectl create deployment php-apache --image=registry.k8s.io/hpa-example --port=80
$ kubectl set resources deploy php-apache --limits=cpu=500m --requests=cpu=200m
$ kubectl expose deploy php-apache
@settle
$ kubectl top pods
$ kubectl run load --image=busybox:1.28 --restart=Never -- /bin/sh -c "while sleep 0.01; do wget -q -O- http://php-apache; done"
@wait 60
$ kubectl top pods --no-headers | awk '{print $2, $3}'
$ kubectl scale deploy php-apache --replicas=4
@wait 60
$ kubectl top pods -l app=php-apache --no-headers | awk '{n++; sum+=$2} END {print n, (sum > 350 && sum < 550)}'
$ kubectl top pods nosuch
$ kubectl delete apiservice v1beta1.metrics.k8s.io
$ kubectl top pods
"#,
        expect![[r#"
            $ kubectl top nodes
            error: Metrics API not available
            [exit 1]
            $ kubectl apply -f https://github.com/kubernetes-sigs/metrics-server/releases/latest/download/components.yaml | tail -1
            apiservice.apiregistration.k8s.io/v1beta1.metrics.k8s.io created
            $ kubectl top nodes
            Error from server (ServiceUnavailable): the server is currently unable to handle the request (get nodes.metrics.k8s.io)
            [exit 1]
            @wait 60
            $ kubectl get apiservice v1beta1.metrics.k8s.io
            NAME                     SERVICE                      AVAILABLE   AGE
            v1beta1.metrics.k8s.io   kube-system/metrics-server   True        60s
            $ kubectl top nodes -l node-role.kubernetes.io/control-plane
            NAME         CPU(cores)   CPU(%)   MEMORY(bytes)   MEMORY(%)   
            k8s-master   150m         7%       1055Mi          28%         
            $ kubectl top node k8s-node-03
            Error from server (NotFound): nodemetrics.metrics.k8s.io "k8s-node-03" not found
            [exit 1]
            $ kubectl top pods -n kube-system -l k8s-app=kube-dns --containers --sum
            POD                        NAME      CPU(cores)   MEMORY(bytes)   
            coredns-589f44dc88-7zbld   coredns   3m           14Mi            
            coredns-589f44dc88-9nwvq   coredns   3m           14Mi            
                                                 ________     ________        
                                                 5m           28Mi            
            $ kubectl top pods
            No resources found in default namespace.
            $ kubectl create deployment php-apache --image=registry.k8s.io/hpa-example --port=80
            deployment.apps/php-apache created
            $ kubectl set resources deploy php-apache --limits=cpu=500m --requests=cpu=200m
            deployment.apps/php-apache resource requirements updated
            $ kubectl expose deploy php-apache
            service/php-apache exposed
            @settle
            $ kubectl top pods
            error: metrics not available yet
            [exit 1]
            $ kubectl run load --image=busybox:1.28 --restart=Never -- /bin/sh -c "while sleep 0.01; do wget -q -O- http://php-apache; done"
            pod/load created
            @wait 60
            $ kubectl top pods --no-headers | awk '{print $2, $3}'
            22m 0Mi
            433m 10Mi
            $ kubectl scale deploy php-apache --replicas=4
            deployment.apps/php-apache scaled
            @wait 60
            $ kubectl top pods -l app=php-apache --no-headers | awk '{n++; sum+=$2} END {print n, (sum > 350 && sum < 550)}'
            4 1
            $ kubectl top pods nosuch
            Error from server (NotFound): podmetrics.metrics.k8s.io "default/nosuch" not found
            [exit 1]
            $ kubectl delete apiservice v1beta1.metrics.k8s.io
            apiservice.apiregistration.k8s.io "v1beta1.metrics.k8s.io" deleted
            $ kubectl top pods
            error: Metrics API not available
            [exit 1]
        "#]],
    );
}

#[test]
fn a_container_that_takes_too_much_memory_is_killed() {
    check(
        r#"@file mem.yaml
apiVersion: v1
kind: Pod
metadata: {name: mem}
spec:
  restartPolicy: Never
  containers:
  - name: mem
    image: polinux/stress
    resources: {limits: {memory: 100Mi}}
    command: [stress]
    args: [--vm, "1", --vm-bytes, 250M, --vm-hang, "1"]
@end
$ kubectl apply -f mem.yaml
@wait 10
$ kubectl get pod mem
$ kubectl get pod mem -o jsonpath='{.status.containerStatuses[0].state.terminated.reason} {.status.containerStatuses[0].state.terminated.exitCode}{"\n"}'
$ kubectl logs mem
"#,
        expect![[r#"
            @file mem.yaml
            apiVersion: v1
            kind: Pod
            metadata: {name: mem}
            spec:
              restartPolicy: Never
              containers:
              - name: mem
                image: polinux/stress
                resources: {limits: {memory: 100Mi}}
                command: [stress]
                args: [--vm, "1", --vm-bytes, 250M, --vm-hang, "1"]
            @end
            $ kubectl apply -f mem.yaml
            pod/mem created
            @wait 10
            $ kubectl get pod mem
            NAME   READY   STATUS      RESTARTS   AGE
            mem    0/1     OOMKilled   0          10s
            $ kubectl get pod mem -o jsonpath='{.status.containerStatuses[0].state.terminated.reason} {.status.containerStatuses[0].state.terminated.exitCode}{"\n"}'
            OOMKilled 137
            $ kubectl logs mem
            stress: info: [1] dispatching hogs: 0 cpu, 0 io, 1 vm, 0 hdd
        "#]],
    );
}
