//! Verbs that need much of the cluster at once, as scenarios: what a student types and what is
//! printed. They hold our own output; what a real cluster printed is in `transcripts`.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use expect_test::{Expect, expect};
use kubetab::shell::TerminalOwner;
use kubetab::world::{Input, Options, Scenario, World};

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

#[test]
fn port_forward() {
    check(
        r#"$ kubectl create deployment web --image=nginx
$ kubectl expose deployment web --port=8080 --target-port=80
@settle
$ kubectl port-forward svc/web 8080:8080 & sleep 1; curl -s localhost:8080 | grep title; curl -s 192.168.110.21:8080; echo $?; kill %1; sleep 1; curl -s localhost:8080; echo $?
$ kubectl logs deploy/web | tail -1 | cut -d' ' -f1,6-9
$ kubectl port-forward deploy/web 8081:80 8082:81 2>&1 | sed "s/^E[^]]*/E.../" & sleep 1; curl -s localhost:8081 | head -1; curl localhost:8082; sleep 1; curl -s localhost:8081; echo $?
$ kubectl port-forward web 80
$ kubectl port-forward svc/web 81
$ kubectl port-forward svc/web http
$ kubectl port-forward deploy/web http 2>&1 | sed 's/web-[^ ]*/POD/'
$ kubectl port-forward deploy/web
$ kubectl port-forward deploy/web 8443:80 6443:80 & sleep 1; kubectl port-forward deploy/web 8443:80; curl -s localhost:8443 | grep -c title
$ kubectl port-forward --address 0.0.0.0 deploy/web 8000:80 & sleep 1; curl -s 192.168.110.21:8000 | grep title
$ kubectl run redis --image=redis --port=6379
$ kubectl run bad --image=nosuch:1
@wait 5
$ kubectl port-forward pod/redis :6379 | sed 's/:[0-9]* ->/:PORT ->/' & sleep 1; echo
$ kubectl port-forward pod/bad 80
"#,
        expect![[r#"
            $ kubectl create deployment web --image=nginx
            deployment.apps/web created
            $ kubectl expose deployment web --port=8080 --target-port=80
            service/web exposed
            @settle
            $ kubectl port-forward svc/web 8080:8080 & sleep 1; curl -s localhost:8080 | grep title; curl -s 192.168.110.21:8080; echo $?; kill %1; sleep 1; curl -s localhost:8080; echo $?
            Forwarding from 127.0.0.1:8080 -> 80
            Forwarding from [::1]:8080 -> 80
            Handling connection for 8080
            <title>Welcome to nginx!</title>
            7
            7
            $ kubectl logs deploy/web | tail -1 | cut -d' ' -f1,6-9
            127.0.0.1 "GET / HTTP/1.1" 200
            $ kubectl port-forward deploy/web 8081:80 8082:81 2>&1 | sed "s/^E[^]]*/E.../" & sleep 1; curl -s localhost:8081 | head -1; curl localhost:8082; sleep 1; curl -s localhost:8081; echo $?
            Forwarding from 127.0.0.1:8081 -> 80
            Forwarding from [::1]:8081 -> 80
            Forwarding from 127.0.0.1:8082 -> 81
            Forwarding from [::1]:8082 -> 81
            Handling connection for 8081
            <!DOCTYPE html>
            Handling connection for 8082
            E...] "Unhandled Error" err="an error occurred forwarding 8082 -> 81: error forwarding port 81 to pod: failed to execute portforward in network namespace \"/var/run/netns/cni\": failed to connect to localhost:81 inside namespace, IPv4: dial tcp4 127.0.0.1:81: connect: connection refused IPv6 dial tcp6 [::1]:81: connect: connection refused "
            error: lost connection to pod
            curl: (52) Empty reply from server
            7
            $ kubectl port-forward web 80
            Error from server (NotFound): pods "web" not found
            [exit 1]
            $ kubectl port-forward svc/web 81
            error: Service web does not have a service port 81
            [exit 1]
            $ kubectl port-forward svc/web http
            error: Service 'web' does not have a named port 'http'
            [exit 1]
            $ kubectl port-forward deploy/web http 2>&1 | sed 's/web-[^ ]*/POD/'
            error: Pod 'POD does not have a named port 'http'
            $ kubectl port-forward deploy/web
            error: TYPE/NAME and list of ports are required for port-forward
            See 'kubectl port-forward -h' for help and examples
            [exit 1]
            $ kubectl port-forward deploy/web 8443:80 6443:80 & sleep 1; kubectl port-forward deploy/web 8443:80; curl -s localhost:8443 | grep -c title
            Forwarding from 127.0.0.1:8443 -> 80
            Forwarding from [::1]:8443 -> 80
            Unable to listen on port 6443: Listeners failed to create with the following errors: [unable to create listener: Error listen tcp4 127.0.0.1:6443: bind: address already in use unable to create listener: Error listen tcp6 [::1]:6443: bind: address already in use]
            Unable to listen on port 8443: Listeners failed to create with the following errors: [unable to create listener: Error listen tcp4 127.0.0.1:8443: bind: address already in use unable to create listener: Error listen tcp6 [::1]:8443: bind: address already in use]
            error: unable to listen on any of the requested ports: [{8443 80}]
            Handling connection for 8443
            1
            $ kubectl port-forward --address 0.0.0.0 deploy/web 8000:80 & sleep 1; curl -s 192.168.110.21:8000 | grep title
            Forwarding from 0.0.0.0:8000 -> 80
            Handling connection for 8000
            <title>Welcome to nginx!</title>
            $ kubectl run redis --image=redis --port=6379
            pod/redis created
            $ kubectl run bad --image=nosuch:1
            pod/bad created
            @wait 5
            $ kubectl port-forward pod/redis :6379 | sed 's/:[0-9]* ->/:PORT ->/' & sleep 1; echo
            Forwarding from 127.0.0.1:PORT -> 6379
            Forwarding from [::1]:PORT -> 6379

            $ kubectl port-forward pod/bad 80
            error: unable to forward port because pod is not running. Current status=Pending
            [exit 1]
        "#]],
    );
}

#[test]
fn proxy() {
    check(
        r#"$ kubectl create deployment web --image=nginx
$ kubectl expose deployment web --port=80
@settle
$ kubectl proxy &
$ sleep 1; curl http://localhost:8001/apis/batch
$ kubectl proxy
$ kubectl proxy --port=8001 --address=localhost
$ curl -s http://localhost:8001/api/v1/namespaces/default/services | grep '"name"'
$ POD=$(kubectl get pods -o name | cut -d/ -f2); curl -s http://localhost:8001/api/v1/namespaces/default/pods/$POD:80/proxy/ | grep title; kubectl get --raw /api/v1/namespaces/default/pods/$POD:99/proxy/ 2>&1 | sed 's/tcp [0-9.]*/tcp IP/'
$ kubectl get --raw /api/v1/namespaces/default/services/web/proxy/ | grep title
$ curl -s http://localhost:8001/api/v1/namespaces/default/services/web:9/proxy/ | grep message
$ curl -s -X DELETE http://localhost:8001/api/v1/namespaces/default/services/web | grep '"status"'
$ curl -s -H 'Host: elsewhere' http://localhost:8001/api
$ mkdir w; echo hi > w/a.txt; kubectl proxy -p 8002 --www=w --reject-paths='^/api/v1' & sleep 1; curl -s localhost:8002/static/a.txt; curl -s localhost:8002/static/ | grep a.txt; curl -s localhost:8002/api/v1
"#,
        expect![[r#"
            $ kubectl create deployment web --image=nginx
            deployment.apps/web created
            $ kubectl expose deployment web --port=80
            service/web exposed
            @settle
            $ kubectl proxy &
            $ sleep 1; curl http://localhost:8001/apis/batch
            {
              "kind": "APIGroup",
              "apiVersion": "v1",
              "name": "batch",
              "versions": [
                {
                  "groupVersion": "batch/v1",
                  "version": "v1"
                }
              ],
              "preferredVersion": {
                "groupVersion": "batch/v1",
                "version": "v1"
              }
            }
            $ kubectl proxy
            error: listen tcp 127.0.0.1:8001: bind: address already in use
            [exit 1]
            $ kubectl proxy --port=8001 --address=localhost
            error: listen tcp 127.0.0.1:8001: bind: address already in use
            [exit 1]
            $ curl -s http://localhost:8001/api/v1/namespaces/default/services | grep '"name"'
                    "name": "kubernetes",
                        "name": "https",
                    "name": "web",
            $ POD=$(kubectl get pods -o name | cut -d/ -f2); curl -s http://localhost:8001/api/v1/namespaces/default/pods/$POD:80/proxy/ | grep title; kubectl get --raw /api/v1/namespaces/default/pods/$POD:99/proxy/ 2>&1 | sed 's/tcp [0-9.]*/tcp IP/'
            <title>Welcome to nginx!</title>
            Error from server (ServiceUnavailable): error trying to reach service: dial tcp IP:99: connect: connection refused
            $ kubectl get --raw /api/v1/namespaces/default/services/web/proxy/ | grep title
            <title>Welcome to nginx!</title>
            $ curl -s http://localhost:8001/api/v1/namespaces/default/services/web:9/proxy/ | grep message
              "message": "no service port \"9\" found for service \"web\"",
            $ curl -s -X DELETE http://localhost:8001/api/v1/namespaces/default/services/web | grep '"status"'
              "status": {
            $ curl -s -H 'Host: elsewhere' http://localhost:8001/api
            Forbidden
            $ mkdir w; echo hi > w/a.txt; kubectl proxy -p 8002 --www=w --reject-paths='^/api/v1' & sleep 1; curl -s localhost:8002/static/a.txt; curl -s localhost:8002/static/ | grep a.txt; curl -s localhost:8002/api/v1
            Starting to serve on 127.0.0.1:8002
            hi
            <a href="a.txt">a.txt</a>
            Forbidden
        "#]],
    );
}

#[test]
fn cp() {
    check(
        r#"$ kubectl run web --image=nginx
$ kubectl run distroless --image=registry.k8s.io/pause:3.9
@settle
$ echo hello > a.txt; chmod 600 a.txt; mkdir -p d/e; echo one > d/one; echo two > d/e/two; ln -s one d/link
$ kubectl cp a.txt web:/tmp/b.txt && kubectl exec web -- cat /tmp/b.txt && kubectl exec web -- ls -l /tmp/b.txt
$ kubectl cp a.txt web:/tmp
$ kubectl cp d default/web:/tmp/dd
$ kubectl cp d web:/tmp/dd
$ kubectl exec web -- find /tmp
$ kubectl cp web:/tmp/dd back; find back
$ kubectl cp web:/etc/hostname h; cat h
$ kubectl cp web:/usr/share/nginx/html/index.html .
$ kubectl cp web:/nosuch x
$ kubectl cp nosuch web:/tmp/x
$ kubectl cp a.txt distroless:/tmp/x 2>&1 | sed 's/"[0-9a-f]*"/ID/'
$ kubectl cp a.txt b.txt
$ kubectl cp web:/a web:/b
$ kubectl cp a.txt
$ kubectl cp a.txt nopod:/tmp
$ kubectl cp a.txt :/tmp
$ kubectl cp a.txt web:
$ kubectl cp a.txt web:/nodir/x
$ kubectl cp a.txt web:/tmp/x -c nosuch
$ tar cvf x.tar d && tar tvf x.tar | cut -c1-30 && mkdir y && tar xf x.tar -C y && find y
"#,
        expect![[r#"
            $ kubectl run web --image=nginx
            pod/web created
            $ kubectl run distroless --image=registry.k8s.io/pause:3.9
            pod/distroless created
            @settle
            $ echo hello > a.txt; chmod 600 a.txt; mkdir -p d/e; echo one > d/one; echo two > d/e/two; ln -s one d/link
            $ kubectl cp a.txt web:/tmp/b.txt && kubectl exec web -- cat /tmp/b.txt && kubectl exec web -- ls -l /tmp/b.txt
            hello
            -rw------- 1 root root 6 Jan  1 08:00 /tmp/b.txt
            $ kubectl cp a.txt web:/tmp
            $ kubectl cp d default/web:/tmp/dd
            $ kubectl cp d web:/tmp/dd
            $ kubectl exec web -- find /tmp
            /tmp
            /tmp/a.txt
            /tmp/b.txt
            /tmp/dd
            /tmp/dd/d
            /tmp/dd/d/e
            /tmp/dd/d/e/two
            /tmp/dd/d/link
            /tmp/dd/d/one
            /tmp/dd/e
            /tmp/dd/e/two
            /tmp/dd/link
            /tmp/dd/one
            $ kubectl cp web:/tmp/dd back; find back
            tar: Removing leading `/' from member names
            warning: skipping symlink: "back/d/link" -> "one" (consider using "kubectl exec -n "default" "web" -- tar cf - "/tmp/dd" | tar xf -")
            back
            back/d
            back/d/e
            back/d/e/two
            back/d/one
            back/e
            back/e/two
            back/one
            $ kubectl cp web:/etc/hostname h; cat h
            tar: Removing leading `/' from member names
            web
            $ kubectl cp web:/usr/share/nginx/html/index.html .
            tar: Removing leading `/' from member names
            error: open .: is a directory
            [exit 1]
            $ kubectl cp web:/nosuch x
            tar: Removing leading `/' from member names
            tar: /nosuch: Cannot stat: No such file or directory
            tar: Exiting with failure status due to previous errors
            command terminated with exit code 2
            [exit 2]
            $ kubectl cp nosuch web:/tmp/x
            error: nosuch doesn't exist in local filesystem
            [exit 1]
            $ kubectl cp a.txt distroless:/tmp/x 2>&1 | sed 's/"[0-9a-f]*"/ID/'
            error: Internal error occurred: Internal error occurred: error executing command in container: failed to exec in container: failed to start exec ID: OCI runtime exec failed: exec failed: unable to start container process: exec: "tar": executable file not found in $PATH
            $ kubectl cp a.txt b.txt
            error: one of src or dest must be a remote file specification
            [exit 1]
            $ kubectl cp web:/a web:/b
            error: one of src or dest must be a local file specification
            [exit 1]
            $ kubectl cp a.txt
            error: source and destination are required
            [exit 1]
            $ kubectl cp a.txt nopod:/tmp
            Error from server (NotFound): pods "nopod" not found
            [exit 1]
            $ kubectl cp a.txt :/tmp
            error: filespec must match the canonical format: [[namespace/]pod:]file/path
            [exit 1]
            $ kubectl cp a.txt web:
            error: filepath can not be empty
            [exit 1]
            $ kubectl cp a.txt web:/nodir/x
            tar: /nodir: Cannot open: No such file or directory
            tar: Error is not recoverable: exiting now
            command terminated with exit code 2
            [exit 2]
            $ kubectl cp a.txt web:/tmp/x -c nosuch
            error: container nosuch is not valid for pod web out of: web
            [exit 1]
            $ tar cvf x.tar d && tar tvf x.tar | cut -c1-30 && mkdir y && tar xf x.tar -C y && find y
            d/
            d/e/
            d/e/two
            d/link
            d/one
            drwxr-xr-x root/root         0
            drwxr-xr-x root/root         0
            -rw-r--r-- root/root         4
            lrwxrwxrwx root/root         0
            -rw-r--r-- root/root         4
            y
            y/d
            y/d/e
            y/d/e/two
            y/d/link
            y/d/one
        "#]],
    );
}

#[test]
fn debug() {
    check(
        r#"$ kubectl create deployment web --image=nginx
$ kubectl run pause --image=registry.k8s.io/pause:3.9
@settle
$ kubectl debug pause --image=busybox -c shell --profile=general -- sh -c 'echo hi; sleep 5; echo bye'
$ kubectl debug pause --image=busybox 2>&1 | sed 's/debugger-.*/debugger-NAME/'
$ kubectl debug pause --image=busybox --target=pause -c see --profile=general -q -- sh -c 'ps; ls /proc/1/root; sleep 1000'
@wait 6
$ kubectl logs pause -c shell; kubectl logs pause -c see
$ kubectl describe pod pause | sed -n '/^Ephemeral/,/^Conditions/p' | grep -v 'ID\|Started\|Finished' | sed 's/debugger-.*/debugger-NAME:/'
$ kubectl get pod pause --no-headers | cut -c1-18
$ kubectl debug pause -i --image=busybox -c job --profile=general -- sh -c 'echo out; exit 3'
$ echo 'echo from stdin; exit' | kubectl debug pause -i --image=busybox -c in --profile=general -- sh
$ kubectl debug pause --image=busybox -c shell --profile=general
$ kubectl debug deploy/web --image=busybox --profile=general
$ kubectl debug nosuch --image=busybox --profile=general
$ kubectl debug pause
$ kubectl debug
$ kubectl debug pause --image=busybox -t
$ kubectl debug pause --image='a b' 
$ kubectl debug pause --image=busybox --replace
$ kubectl debug pause --image=busybox --profile=x
$ POD=$(kubectl get pods -l app=web -o name); kubectl debug $POD --copy-to=copy --set-image='*=httpd' --profile=general; kubectl debug $POD --copy-to=copy2 --image=busybox -c dbg --share-processes --same-node --profile=general -- sleep 1000
@settle
$ kubectl get pod copy copy2 -o jsonpath='{range .items[*]}{.metadata.labels} {.spec.containers[*].image} {.spec.shareProcessNamespace}{"\n"}{end}'
$ kubectl exec copy2 -c dbg -- ps
$ kubectl debug pause --copy-to=p2 --replace --set-image=pause=registry.k8s.io/pause:3.10 --profile=general; sleep 1; kubectl get pod pause p2 -o name
$ kubectl debug node/k8s-node-01 --image=busybox --profile=general -q -c d -- sh -c 'ls /host; cat /host/etc/hostname; chroot /host cat /etc/hostname'
@wait 3
$ P=$(kubectl get pods -o name | grep node-debugger | cut -d/ -f2); echo $P | cut -c1-25; kubectl logs $P | tail -2; kubectl get pod $P -o jsonpath='{.spec.hostNetwork} {.spec.tolerations[0]} {.spec.nodeName}{"\n"}'
$ kubectl patch pod copy --subresource=ephemeralcontainers -p '{"spec":{"ephemeralContainers":[{"name":"x","image":"busybox","ports":[{"containerPort":80}]}]}}'
"#,
        expect![[r#"
            $ kubectl create deployment web --image=nginx
            deployment.apps/web created
            $ kubectl run pause --image=registry.k8s.io/pause:3.9
            pod/pause created
            @settle
            $ kubectl debug pause --image=busybox -c shell --profile=general -- sh -c 'echo hi; sleep 5; echo bye'
            $ kubectl debug pause --image=busybox 2>&1 | sed 's/debugger-.*/debugger-NAME/'
            Defaulting debug container name to debugger-NAME
            $ kubectl debug pause --image=busybox --target=pause -c see --profile=general -q -- sh -c 'ps; ls /proc/1/root; sleep 1000'
            @wait 6
            $ kubectl logs pause -c shell; kubectl logs pause -c see
            hi
            bye
            PID   USER     TIME  COMMAND
                1 root      0:00 /pause
                2 root      0:00 sh -c ps; ls /proc/1/root; sleep 1000
                3 root      0:00 ps
            bin
            dev
            etc
            home
            pause
            proc
            root
            run
            sbin
            tmp
            usr
            var
            $ kubectl describe pod pause | sed -n '/^Ephemeral/,/^Conditions/p' | grep -v 'ID\|Started\|Finished' | sed 's/debugger-.*/debugger-NAME:/'
            Ephemeral Containers:
              shell:
                Image:         busybox
                Port:          <none>
                Host Port:     <none>
                Command:
                  sh
                  -c
                  echo hi; sleep 5; echo bye
                State:          Running
                Ready:          False
                Restart Count:  0
                Environment:    <none>
                Mounts:         <none>
              debugger-NAME:
                Image:          busybox
                Port:           <none>
                Host Port:      <none>
                State:          Terminated
                  Reason:       Completed
                  Exit Code:    0
                Ready:          False
                Restart Count:  0
                Environment:    <none>
                Mounts:         <none>
              see:
                Image:         busybox
                Port:          <none>
                Host Port:     <none>
                Command:
                  sh
                  -c
                  ps; ls /proc/1/root; sleep 1000
                State:          Running
                Ready:          False
                Restart Count:  0
                Environment:    <none>
                Mounts:         <none>
            Conditions:
            $ kubectl get pod pause --no-headers | cut -c1-18
            pause   1/1   Runn
            $ kubectl debug pause -i --image=busybox -c job --profile=general -- sh -c 'echo out; exit 3'
            out
            $ echo 'echo from stdin; exit' | kubectl debug pause -i --image=busybox -c in --profile=general -- sh
            All commands and output from this session will be recorded in container logs, including credentials and sensitive information passed through the command prompt.
            If you don't see a command prompt, try pressing enter.
            from stdin
            $ kubectl debug pause --image=busybox -c shell --profile=general
            $ kubectl debug deploy/web --image=busybox --profile=general
            error: "apps/v1, Kind=Deployment" not supported by debug
            [exit 1]
            $ kubectl debug nosuch --image=busybox --profile=general
            Error from server (NotFound): pods "nosuch" not found
            [exit 1]
            $ kubectl debug pause
            error: you must specify --image when not using --copy-to.
            [exit 1]
            $ kubectl debug
            error: you must specify --image when not using --copy-to.
            [exit 1]
            $ kubectl debug pause --image=busybox -t
            error: -i/--stdin is required for containers with -t/--tty=true
            [exit 1]
            $ kubectl debug pause --image='a b' 
            error: invalid image name "a b": invalid reference format
            [exit 1]
            $ kubectl debug pause --image=busybox --replace
            error: --replace may only be used with --copy-to.
            [exit 1]
            $ kubectl debug pause --image=busybox --profile=x
            error: unknown profile: x
            [exit 1]
            $ POD=$(kubectl get pods -l app=web -o name); kubectl debug $POD --copy-to=copy --set-image='*=httpd' --profile=general; kubectl debug $POD --copy-to=copy2 --image=busybox -c dbg --share-processes --same-node --profile=general -- sleep 1000
            @settle
            $ kubectl get pod copy copy2 -o jsonpath='{range .items[*]}{.metadata.labels} {.spec.containers[*].image} {.spec.shareProcessNamespace}{"\n"}{end}'
             httpd true
             nginx busybox true
            $ kubectl exec copy2 -c dbg -- ps
            PID   USER     TIME  COMMAND
                1 root      0:00 nginx: master process nginx -g daemon off;
                2 root      0:00 sleep 1000
                3 root      0:00 ps
            $ kubectl debug pause --copy-to=p2 --replace --set-image=pause=registry.k8s.io/pause:3.10 --profile=general; sleep 1; kubectl get pod pause p2 -o name
            pod/p2
            Error from server (NotFound): pods "pause" not found
            [exit 1]
            $ kubectl debug node/k8s-node-01 --image=busybox --profile=general -q -c d -- sh -c 'ls /host; cat /host/etc/hostname; chroot /host cat /etc/hostname'
            @wait 3
            $ P=$(kubectl get pods -o name | grep node-debugger | cut -d/ -f2); echo $P | cut -c1-25; kubectl logs $P | tail -2; kubectl get pod $P -o jsonpath='{.spec.hostNetwork} {.spec.tolerations[0]} {.spec.nodeName}{"\n"}'
            node-debugger-k8s-node-01
            k8s-node-01
            k8s-node-01
            true {"operator":"Exists"} k8s-node-01
            $ kubectl patch pod copy --subresource=ephemeralcontainers -p '{"spec":{"ephemeralContainers":[{"name":"x","image":"busybox","ports":[{"containerPort":80}]}]}}'
            The Pod "copy" is invalid: spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container
            [exit 1]
        "#]],
    );
}

/// An owner of a terminal that keeps what is shown.
struct Screen(Rc<RefCell<String>>);

impl TerminalOwner for Screen {
    fn screen(&self, bytes: &[u8]) {
        self.0.borrow_mut().push_str(&String::from_utf8_lossy(bytes));
    }
    fn busy(&self, _busy: bool) {}
    fn wake(&self) {}
}

/// Types keys into a world's terminal, each with the seconds that pass after them: what was shown
/// since the keys before.
fn type_keys(keys: &[(&str, u64)]) -> Vec<String> {
    let world = World::new(&Options::default()).unwrap();
    let shown: Rc<RefCell<String>> = Rc::default();
    world.open_terminal(Screen(shown.clone()));
    drop(world.input(Input::Begin(String::new())));
    drop(world.input(Input::Resize(200, 50)));
    world.sim().run_for(Duration::from_secs(1));
    let mut all = Vec::new();
    for (text, seconds) in keys {
        shown.borrow_mut().clear();
        drop(world.input(Input::Keys((*text).into())));
        world.sim().run_for(Duration::from_secs(*seconds));
        all.push(shown.borrow().clone());
    }
    all
}

#[test]
fn interactive_verbs_in_the_terminal() {
    let shown = type_keys(&[
        ("kubectl run web --image=nginx\r", 20),
        ("kubectl port-forward web 8080:80\r", 2),
        ("\x03", 1),
        ("echo ended $?\r", 1),
        ("kubectl port-forward web 8080:80 &\r", 2),
        ("curl -s localhost:8080 | head -4\r", 2),
        ("kill %1; kubectl proxy --port=9000 &\r", 2),
        ("curl -s localhost:9000/healthz\r", 2),
        ("kubectl run -it --rm box --image=busybox --restart=Never -- sh\r", 20),
        ("hostname; echo $((6*7))\r", 1),
        ("exit\r", 10),
        (
            "kubectl debug -it web --image=busybox --profile=general --target=web -- sh\r",
            20,
        ),
        ("ps | grep -c nginx\r", 1),
        ("exit\r", 5),
        ("kubectl exec -it web -- bash\r", 3),
        ("cat /etc/hostname\r", 1),
        ("\x04", 2),
        ("echo last $?\r", 1),
    ]);
    let wanted: [&[&str]; 18] = [
        &["pod/web created"],
        &[
            "Forwarding from 127.0.0.1:8080 -> 80",
            "Forwarding from [::1]:8080 -> 80",
        ],
        &["^C"],
        &["ended 130"],
        &["[1]", "Forwarding from 127.0.0.1:8080 -> 80"],
        &["Handling connection for 8080", "Welcome to nginx!"],
        &["Starting to serve on 127.0.0.1:9000"],
        &["ok"],
        &[
            "All commands and output from this session will be recorded",
            "try pressing enter",
        ],
        &["box", "42"],
        &["pod \"box\" deleted"],
        &[
            "Targeting container \"web\"",
            "Defaulting debug container name to debugger-",
        ],
        &["\n1"],
        &["]#"],
        &["# "],
        &["web"],
        &["]#"],
        &["last 0"],
    ];
    for (i, (shown, wanted)) in shown.iter().zip(wanted).enumerate() {
        for text in wanted {
            assert!(shown.contains(text), "{i}: {text:?} is not in {shown:?}");
        }
    }
}

#[test]
fn template_hashes_are_those_of_the_recorded_cluster() {
    let world = World::new(&Options::default()).unwrap();
    let mut found = 0;
    world.api().store().each("replicasets.apps", "", |set| {
        let mut template = set.spec().get("template").clone();
        let hash = template
            .at(&["metadata", "labels", "pod-template-hash"])
            .str()
            .to_owned();
        template.remove(&["metadata", "labels", "pod-template-hash"]);
        assert_eq!(
            kubetab::controllers::hash::compute(&template, None),
            hash,
            "{}",
            set.name()
        );
        found += 1;
    });
    world.api().store().each("daemonsets.apps", "", |set| {
        let hash = kubetab::controllers::hash::compute(set.spec().get("template"), None);
        let mut names = Vec::new();
        world
            .api()
            .store()
            .each("controllerrevisions.apps", set.namespace(), |r| {
                names.push(r.name().to_owned())
            });
        assert!(names.contains(&format!("{}-{hash}", set.name())), "{names:?} {hash}");
        found += 1;
    });
    assert_eq!(found, 3);
}
