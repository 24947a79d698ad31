//! Verbs that need much of the cluster at once, as scenarios: what a student types and what is
//! printed. They hold our own output; what a real cluster printed is in `transcripts`.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use expect_test::expect;
use kubetab::api::{Client, User};
use kubetab::kubectl::{self, kustomize};
use kubetab::shell::{Commands, Dialect, Files, Host, Input as Stdin, Output, Shell, ShellOptions, TerminalOwner};
use kubetab::world::{Input, Options, World};

mod scenario;

use scenario::check;

/// Where kustomize cannot be had, as beside a page, that is said, and the next run tries anew.
#[test]
fn without_kustomize() {
    let world = World::new(&Options::default()).unwrap();
    let sim = world.sim().clone();
    let (engine, included) = (kustomize::Engine::new(&sim), kustomize::engine(&sim));
    let tries = std::cell::Cell::new(0);
    engine.set_source(Rc::new(move |engine: &kustomize::Engine| {
        tries.set(tries.get() + 1);
        engine.arrive(match included.here() {
            Some(run) if tries.get() > 2 => Ok(run),
            _ => Err("the network failed".to_owned()),
        });
    }));
    let files = Files::with_base(&sim);
    let kustomization = "configMapGenerator: [{name: a, literals: [b=c]}]\n";
    files.put("/root/kustomization.yaml", kustomization).unwrap();
    let mut commands = Commands::with_tools();
    let client = Client::new(world.api(), "kubectl", User::admin());
    commands.add_boxed("/usr/local/bin/kubectl", kubectl::command(client, None, &engine));
    let host = Host::new(&sim, "k8s-master", files, commands, Dialect::Bash);
    let options = ShellOptions {
        cwd: "/root".to_owned(),
        ..ShellOptions::default()
    };
    let shell = Shell::new(&host, options);
    let (stdout, out) = Output::buffer();
    let run = async move {
        let lines =
            "kubectl kustomize; echo $?; kubectl apply -k . --dry-run=client; echo $?; kubectl kustomize | head -3";
        let both = stdout.clone();
        shell.run(lines, Stdin::empty(), stdout.clone(), both.clone()).await;
        shell.finish(stdout, both).await
    };
    assert!(sim.run_future(run, sim.now() + Duration::from_secs(60)).is_some());
    expect![[r#"
        error: kustomize could not be loaded (the network failed), and nothing else builds kustomizations
        1
        error: kustomize could not be loaded (the network failed), and nothing else builds kustomizations
        1
        apiVersion: v1
        data:
          b: c
    "#]]
    .assert_eq(&String::from_utf8_lossy(&out.borrow()));
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
            error: Metrics API not available
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
$ kubectl port-forward deploy/web 8081:80 8082:81 2>&1 | sed "s/^E[^]]*/E.../" & sleep 1; curl -s localhost:8081 | head -1; curl -sS localhost:8082; sleep 1; curl -s localhost:8081; echo $?
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
            $ kubectl port-forward deploy/web 8081:80 8082:81 2>&1 | sed "s/^E[^]]*/E.../" & sleep 1; curl -s localhost:8081 | head -1; curl -sS localhost:8082; sleep 1; curl -s localhost:8081; echo $?
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
$ sleep 1; curl -s http://localhost:8001/apis/batch
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
            $ sleep 1; curl -s http://localhost:8001/apis/batch
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
$ kubectl patch pod copy2 --subresource=ephemeralcontainers -p '{"spec":{"ephemeralContainers":[{"name":"x","image":"busybox","ports":[{"containerPort":80}]}]}}'
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
            lib
            media
            mnt
            opt
            pause
            proc
            root
            run
            sbin
            srv
            sys
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
            The Pod "pause" is invalid: spec.ephemeralContainers: Forbidden: existing ephemeral containers "shell" may not be changed

            [exit 1]
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
             nginx busybox true
            Error from server (NotFound): pods "copy" not found
            [exit 1]
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
            $ kubectl patch pod copy2 --subresource=ephemeralcontainers -p '{"spec":{"ephemeralContainers":[{"name":"x","image":"busybox","ports":[{"containerPort":80}]}]}}'
            The Pod "copy2" is invalid: spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container
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
fn prompts_tell_who_and_where_one_is() {
    let shown = type_keys(&[
        (
            "kubectl apply -f https://k8s.io/examples/pods/security/security-context.yaml\r",
            20,
        ),
        ("kubectl run web --image=nginx\r", 20),
        ("kubectl exec -it security-context-demo -- sh\r", 3),
        ("cd /data/demo\r", 1),
        ("exit\r", 2),
        ("kubectl exec -it web -- bash\r", 3),
        ("cd; cd ..\r", 1),
        ("exit\r", 2),
        ("kubectl debug -it web --image=busybox --profile=general -- sh\r", 20),
        ("cd\r", 1),
    ]);
    let prompts: Vec<&str> = shown.iter().filter_map(|text| text.lines().last()).collect();
    let master = "\u{1b}[32m[root@k8s-master ~]#\u{1b}[0m ";
    let enter = "If you don't see a command prompt, try pressing enter.";
    assert_eq!(
        prompts[2..],
        [
            "/ $ ",
            "/data/demo $ ",
            master,
            "root@web:/# ",
            "root@web:/# ",
            master,
            enter,
            "~ # "
        ]
    );
}

#[test]
fn a_database_is_asked_in_the_terminal() {
    let shown = type_keys(&[
        (
            "kubectl run db --image=mysql:9 --env MYSQL_ROOT_PASSWORD=password --port=3306 --expose\r",
            20,
        ),
        (
            "kubectl run -it --rm client --image=mysql:9 --restart=Never -- mysql -h db -ppassword\r",
            20,
        ),
        ("create database shop;\r", 1),
        ("use shop\r", 1),
        ("create table fruit (id int auto_increment primary key,\r", 1),
        ("name varchar(20));\r", 1),
        ("insert into fruit (name) values ('apple'), ('plum');\r", 1),
        ("select * from fruit where name like 'p%';\r", 1),
        ("select * from fruit where id > 7;\r", 1),
        ("delete from fruit where id = 1; select count(*) from fruit;\r", 1),
        ("select * from veg;\r", 1),
        ("exit\r", 10),
    ]);
    let wanted: [&[&str]; 12] = [
        &["pod/db created"],
        &["Welcome to the MySQL monitor.", "mysql> "],
        &["Query OK, 1 row affected", "mysql> "],
        &["Database changed"],
        &["    -> "],
        &["Query OK, 0 rows affected"],
        &["Query OK, 2 rows affected", "Records: 2  Duplicates: 0  Warnings: 0"],
        &["|  2 | plum |", "1 row in set (0.00 sec)"],
        &["Empty set"],
        &["Query OK, 1 row affected", "|        1 |"],
        &["ERROR 1146 (42S02): Table 'shop.veg' doesn't exist"],
        &["Bye", "pod \"client\" deleted"],
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

#[test]
fn custom_resources_of_several_versions() {
    check(
        r#"@file crd.yaml
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: cars.shop.io
spec:
  group: shop.io
  scope: Namespaced
  names: {plural: cars, kind: Car, shortNames: [cr]}
  versions:
  - name: v1alpha1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              color: {type: string}
              old: {type: string}
@end
@file crd2.yaml
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: cars.shop.io
spec:
  group: shop.io
  scope: Namespaced
  names: {plural: cars, kind: Car, shortNames: [cr]}
  versions:
  - name: v1alpha1
    served: true
    storage: false
    deprecated: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              color: {type: string}
              old: {type: string}
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [wheels]
            properties:
              color: {type: string, maxLength: 5}
              wheels: {type: integer, default: 4}
@end
@file old.yaml
apiVersion: shop.io/v1alpha1
kind: Car
metadata: {name: a}
spec: {color: reddish, old: "yes"}
@end
@file new.yaml
apiVersion: shop.io/v1
kind: Car
metadata: {name: b}
spec: {color: blue}
@end
$ kubectl apply -f crd.yaml && sleep 2
$ kubectl apply -f old.yaml
$ kubectl apply -f crd2.yaml && sleep 2
$ kubectl get crd cars.shop.io -o jsonpath='{.status.storedVersions} {.metadata.generation}{"\n"}'
$ kubectl api-resources --api-group=shop.io
$ kubectl api-versions | grep shop
$ kubectl get cars
$ kubectl get cars.v1alpha1.shop.io
$ kubectl get cars a -o yaml
$ kubectl get cars.v1alpha1.shop.io a -o yaml
$ kubectl apply -f new.yaml
$ kubectl get cars.v1alpha1.shop.io b -o yaml
$ kubectl patch car a --type=merge -p '{"metadata":{"labels":{"x":"y"}}}'
$ kubectl patch car a --type=merge -p '{"spec":{"wheels":3}}'
$ kubectl patch car a --type=merge -p '{"spec":{"color":"reddest"}}'
$ kubectl patch car a --type=merge -p '{"spec":{"color":"red"}}'
$ kubectl get cars.v1alpha1.shop.io a -o yaml
$ kubectl patch crd cars.shop.io --type=json -p '[{"op":"replace","path":"/spec/versions/0/served","value":false}]'
@wait 2
$ kubectl get cars.v1alpha1.shop.io
$ kubectl apply -f old.yaml
$ kubectl get car
$ kubectl api-versions | grep shop
$ kubectl patch crd cars.shop.io --type=json -p '[{"op":"remove","path":"/spec/versions/0"}]'
$ kubectl patch crd cars.shop.io --subresource=status --type=merge -p '{"status":{"storedVersions":["v1"]}}'
$ kubectl patch crd cars.shop.io --type=json -p '[{"op":"remove","path":"/spec/versions/0"}]'
$ kubectl get crd cars.shop.io -o jsonpath='{.status.storedVersions} {.metadata.generation}{"\n"}'
$ kubectl get cars
$ kubectl patch crd cars.shop.io --type=merge -p '{"spec":{"scope":"Cluster"}}'
$ kubectl patch crd cars.shop.io --type=merge -p '{"spec":{"names":{"kind":"Auto"}}}'
$ kubectl patch crd cars.shop.io --type=merge -p '{"spec":{"names":{"plural":"autos"}}}'
$ kubectl patch crd cars.shop.io --type=merge -p '{"spec":{"group":"other.io"}}'
$ kubectl patch crd cars.shop.io --type=merge -p '{"spec":{"names":{"shortNames":["cr","au"],"categories":["x"]}}}'
@wait 1
$ kubectl get au
$ kubectl get x
$ kubectl get crd cars.shop.io -o jsonpath='{.status.acceptedNames}{"\n"}'
$ kubectl patch crd cars.shop.io --type=merge -p '{"spec":{"preserveUnknownFields":true}}'
$ kubectl patch crd cars.shop.io --type=merge -p '{"spec":{"conversion":{"strategy":"Webhook"}}}'
$ sed 's/cars/cabs/;s/kind: Car/kind: Cab/;s/shortNames: .cr./shortNames: [car]/' crd.yaml > cabs.yaml
$ sed -i 's/plural: cars/plural: cabs/' cabs.yaml
$ kubectl apply -f cabs.yaml
@wait 2
$ kubectl get crd
$ kubectl get crd cabs.shop.io -o yaml | sed -n '/^status/,$p'
$ kubectl get cabs
$ kubectl wait --for=condition=Established crd/cabs.shop.io --timeout=2s
$ kubectl wait --for=condition=NamesAccepted=false crd/cabs.shop.io --timeout=2s
$ kubectl delete crd cars.shop.io
@wait 2
$ kubectl get crd cabs.shop.io -o yaml | sed -n '/^status/,$p'
$ kubectl get cabs
$ sed 's/maxLength: 5/maxLength: 5, format: bogus/' crd2.yaml | kubectl apply -f -
$ sed 's/maxLength: 5/maxLength: 5, format: bogus/;s/served: true/served: true /' crd2.yaml | kubectl apply -f -
$ sed 's/maxLength: 5/maxLength: 6, format: bogus2/;s/served: true/served: true /' crd2.yaml | kubectl apply -f -
"#,
        expect![[r#"
            @file crd.yaml
            @file crd2.yaml
            @file old.yaml
            @file new.yaml
            $ kubectl apply -f crd.yaml && sleep 2
            customresourcedefinition.apiextensions.k8s.io/cars.shop.io created
            $ kubectl apply -f old.yaml
            car.shop.io/a created
            $ kubectl apply -f crd2.yaml && sleep 2
            customresourcedefinition.apiextensions.k8s.io/cars.shop.io configured
            $ kubectl get crd cars.shop.io -o jsonpath='{.status.storedVersions} {.metadata.generation}{"\n"}'
            ["v1alpha1","v1"] 2
            $ kubectl api-resources --api-group=shop.io
            NAME   SHORTNAMES   APIVERSION   NAMESPACED   KIND
            cars   cr           shop.io/v1   true         Car
            $ kubectl api-versions | grep shop
            shop.io/v1
            shop.io/v1alpha1
            $ kubectl get cars
            NAME   AGE
            a      2s
            $ kubectl get cars.v1alpha1.shop.io
            Warning: shop.io/v1alpha1 Car is deprecated
            NAME   AGE
            a      2s
            $ kubectl get cars a -o yaml
            apiVersion: shop.io/v1
            kind: Car
            metadata:
              annotations:
                kubectl.kubernetes.io/last-applied-configuration: |
                  {"apiVersion":"shop.io/v1alpha1","kind":"Car","metadata":{"annotations":{},"name":"a","namespace":"default"},"spec":{"color":"reddish","old":"yes"}}
              creationTimestamp: "2026-01-01T08:00:02Z"
              generation: 1
              name: a
              namespace: default
              resourceVersion: "394"
              uid: 015b4857-625a-4156-9d3e-252b8cf7b561
            spec:
              color: reddish
              wheels: 4
            $ kubectl get cars.v1alpha1.shop.io a -o yaml
            Warning: shop.io/v1alpha1 Car is deprecated
            apiVersion: shop.io/v1alpha1
            kind: Car
            metadata:
              annotations:
                kubectl.kubernetes.io/last-applied-configuration: |
                  {"apiVersion":"shop.io/v1alpha1","kind":"Car","metadata":{"annotations":{},"name":"a","namespace":"default"},"spec":{"color":"reddish","old":"yes"}}
              creationTimestamp: "2026-01-01T08:00:02Z"
              generation: 1
              name: a
              namespace: default
              resourceVersion: "394"
              uid: 015b4857-625a-4156-9d3e-252b8cf7b561
            spec:
              color: reddish
              old: "yes"
            $ kubectl apply -f new.yaml
            car.shop.io/b created
            $ kubectl get cars.v1alpha1.shop.io b -o yaml
            Warning: shop.io/v1alpha1 Car is deprecated
            apiVersion: shop.io/v1alpha1
            kind: Car
            metadata:
              annotations:
                kubectl.kubernetes.io/last-applied-configuration: |
                  {"apiVersion":"shop.io/v1","kind":"Car","metadata":{"annotations":{},"name":"b","namespace":"default"},"spec":{"color":"blue"}}
              creationTimestamp: "2026-01-01T08:00:04Z"
              generation: 1
              name: b
              namespace: default
              resourceVersion: "398"
              uid: 8e5ff226-dfa3-4096-8797-822bdf007245
            spec:
              color: blue
            $ kubectl patch car a --type=merge -p '{"metadata":{"labels":{"x":"y"}}}'
            car.shop.io/a patched
            $ kubectl patch car a --type=merge -p '{"spec":{"wheels":3}}'
            car.shop.io/a patched
            $ kubectl patch car a --type=merge -p '{"spec":{"color":"reddest"}}'
            The Car "a" is invalid: spec.color: Too long: may not be more than 5 bytes
            [exit 1]
            $ kubectl patch car a --type=merge -p '{"spec":{"color":"red"}}'
            car.shop.io/a patched
            $ kubectl get cars.v1alpha1.shop.io a -o yaml
            Warning: shop.io/v1alpha1 Car is deprecated
            apiVersion: shop.io/v1alpha1
            kind: Car
            metadata:
              annotations:
                kubectl.kubernetes.io/last-applied-configuration: |
                  {"apiVersion":"shop.io/v1alpha1","kind":"Car","metadata":{"annotations":{},"name":"a","namespace":"default"},"spec":{"color":"reddish","old":"yes"}}
              creationTimestamp: "2026-01-01T08:00:02Z"
              generation: 3
              labels:
                x: "y"
              name: a
              namespace: default
              resourceVersion: "401"
              uid: 015b4857-625a-4156-9d3e-252b8cf7b561
            spec:
              color: red
            $ kubectl patch crd cars.shop.io --type=json -p '[{"op":"replace","path":"/spec/versions/0/served","value":false}]'
            customresourcedefinition.apiextensions.k8s.io/cars.shop.io patched
            @wait 2
            $ kubectl get cars.v1alpha1.shop.io
            Error from server (NotFound): Unable to list "shop.io/v1alpha1, Resource=cars": the server could not find the requested resource (get cars.shop.io)
            [exit 1]
            $ kubectl apply -f old.yaml
            Error from server (NotFound): error when creating "old.yaml": the server could not find the requested resource (post cars.shop.io)
            [exit 1]
            $ kubectl get car
            NAME   AGE
            a      5s
            b      3s
            $ kubectl api-versions | grep shop
            shop.io/v1
            $ kubectl patch crd cars.shop.io --type=json -p '[{"op":"remove","path":"/spec/versions/0"}]'
            The CustomResourceDefinition "cars.shop.io" is invalid: status.storedVersions[0]: Invalid value: "v1alpha1": missing from spec.versions; v1alpha1 was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in v1alpha1 and removes v1alpha1 from status.storedVersions
            [exit 1]
            $ kubectl patch crd cars.shop.io --subresource=status --type=merge -p '{"status":{"storedVersions":["v1"]}}'
            customresourcedefinition.apiextensions.k8s.io/cars.shop.io patched
            $ kubectl patch crd cars.shop.io --type=json -p '[{"op":"remove","path":"/spec/versions/0"}]'
            customresourcedefinition.apiextensions.k8s.io/cars.shop.io patched
            $ kubectl get crd cars.shop.io -o jsonpath='{.status.storedVersions} {.metadata.generation}{"\n"}'
            ["v1"] 4
            $ kubectl get cars
            NAME   AGE
            a      6s
            b      4s
            $ kubectl patch crd cars.shop.io --type=merge -p '{"spec":{"scope":"Cluster"}}'
            The CustomResourceDefinition "cars.shop.io" is invalid: spec.scope: Invalid value: "Cluster": field is immutable
            [exit 1]
            $ kubectl patch crd cars.shop.io --type=merge -p '{"spec":{"names":{"kind":"Auto"}}}'
            The CustomResourceDefinition "cars.shop.io" is invalid: spec.names.kind: Invalid value: "Auto": field is immutable
            [exit 1]
            $ kubectl patch crd cars.shop.io --type=merge -p '{"spec":{"names":{"plural":"autos"}}}'
            The CustomResourceDefinition "cars.shop.io" is invalid: spec.names.plural: Invalid value: "autos": field is immutable
            [exit 1]
            $ kubectl patch crd cars.shop.io --type=merge -p '{"spec":{"group":"other.io"}}'
            The CustomResourceDefinition "cars.shop.io" is invalid: spec.group: Invalid value: "other.io": field is immutable
            [exit 1]
            $ kubectl patch crd cars.shop.io --type=merge -p '{"spec":{"names":{"shortNames":["cr","au"],"categories":["x"]}}}'
            customresourcedefinition.apiextensions.k8s.io/cars.shop.io patched
            @wait 1
            $ kubectl get au
            NAME   AGE
            a      7s
            b      5s
            $ kubectl get x
            NAME   AGE
            a      7s
            b      5s
            $ kubectl get crd cars.shop.io -o jsonpath='{.status.acceptedNames}{"\n"}'
            {"categories":["x"],"kind":"Car","listKind":"CarList","plural":"cars","shortNames":["cr","au"],"singular":"car"}
            $ kubectl patch crd cars.shop.io --type=merge -p '{"spec":{"preserveUnknownFields":true}}'
            The CustomResourceDefinition "cars.shop.io" is invalid: spec.preserveUnknownFields: Invalid value: true: cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead
            [exit 1]
            $ kubectl patch crd cars.shop.io --type=merge -p '{"spec":{"conversion":{"strategy":"Webhook"}}}'
            The CustomResourceDefinition "cars.shop.io" is invalid: 
            * spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook
            * spec.conversion.conversionReviewVersions: Required value
            [exit 1]
            $ sed 's/cars/cabs/;s/kind: Car/kind: Cab/;s/shortNames: .cr./shortNames: [car]/' crd.yaml > cabs.yaml
            $ sed -i 's/plural: cars/plural: cabs/' cabs.yaml
            $ kubectl apply -f cabs.yaml
            customresourcedefinition.apiextensions.k8s.io/cabs.shop.io created
            @wait 2
            $ kubectl get crd
            NAME           CREATED AT
            cabs.shop.io   2026-01-01T08:00:09Z
            cars.shop.io   2026-01-01T08:00:00Z
            $ kubectl get crd cabs.shop.io -o yaml | sed -n '/^status/,$p'
            status:
              acceptedNames:
                kind: Cab
                listKind: CabList
                plural: cabs
                singular: cab
              conditions:
              - lastTransitionTime: "2026-01-01T08:00:09Z"
                message: '"car" is already in use'
                reason: ShortNamesConflict
                status: "False"
                type: NamesAccepted
              - lastTransitionTime: "2026-01-01T08:00:09Z"
                message: not all names are accepted
                reason: NotAccepted
                status: "False"
                type: Established
              storedVersions:
              - v1alpha1
            $ kubectl get cabs
            error: the server doesn't have a resource type "cabs"
            [exit 1]
            $ kubectl wait --for=condition=Established crd/cabs.shop.io --timeout=2s
            error: timed out waiting for the condition on customresourcedefinitions/cabs.shop.io
            [exit 1]
            $ kubectl wait --for=condition=NamesAccepted=false crd/cabs.shop.io --timeout=2s
            customresourcedefinition.apiextensions.k8s.io/cabs.shop.io condition met
            $ kubectl delete crd cars.shop.io
            customresourcedefinition.apiextensions.k8s.io "cars.shop.io" deleted
            @wait 2
            $ kubectl get crd cabs.shop.io -o yaml | sed -n '/^status/,$p'
            status:
              acceptedNames:
                kind: Cab
                listKind: CabList
                plural: cabs
                shortNames:
                - car
                singular: cab
              conditions:
              - lastTransitionTime: "2026-01-01T08:00:14Z"
                message: no conflicts found
                reason: NoConflicts
                status: "True"
                type: NamesAccepted
              - lastTransitionTime: "2026-01-01T08:00:14Z"
                message: the initial names have been accepted
                reason: InitialNamesAccepted
                status: "True"
                type: Established
              storedVersions:
              - v1alpha1
            $ kubectl get cabs
            No resources found in default namespace.
            $ sed 's/maxLength: 5/maxLength: 5, format: bogus/' crd2.yaml | kubectl apply -f -
            Warning: unrecognized format "bogus"
            customresourcedefinition.apiextensions.k8s.io/cars.shop.io created
            $ sed 's/maxLength: 5/maxLength: 5, format: bogus/;s/served: true/served: true /' crd2.yaml | kubectl apply -f -
            customresourcedefinition.apiextensions.k8s.io/cars.shop.io unchanged
            $ sed 's/maxLength: 5/maxLength: 6, format: bogus2/;s/served: true/served: true /' crd2.yaml | kubectl apply -f -
            Warning: unrecognized format "bogus2"
            customresourcedefinition.apiextensions.k8s.io/cars.shop.io configured
        "#]],
    );
}

#[test]
fn custom_resources_applied_counted_and_ended() {
    check(
        r#"@file crd.yaml
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: widgets.example.com
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget, shortNames: [wd], categories: [all, toys]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas, labelSelectorPath: .status.selector}
    selectableFields:
    - jsonPath: .spec.color
    - jsonPath: .spec.size
    additionalPrinterColumns:
    - {name: Color, type: string, jsonPath: .spec.color}
    - {name: Replicas, type: integer, jsonPath: .spec.replicas}
    - {name: Due, type: date, jsonPath: .spec.due}
    - {name: Secret, type: string, jsonPath: .spec.note, priority: 1}
    - {name: Tags, type: string, jsonPath: .spec.tags}
    - {name: Ready, type: string, jsonPath: '.status.conditions[?(@.type=="Ready")].status'}
    - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
    schema:
      openAPIV3Schema:
        type: object
        description: A widget is a thing.
        required: [spec]
        properties:
          spec:
            type: object
            description: What is wanted.
            required: [color]
            properties:
              color: {type: string, enum: [red, green, blue], description: The color of it.}
              size: {type: integer, default: 3, minimum: 1, maximum: 10}
              replicas: {type: integer, default: 1}
              due: {type: string, format: date-time}
              note: {type: string, nullable: true}
              tags: {type: array, items: {type: string}, x-kubernetes-list-type: set}
              ports:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [port, protocol]
                items:
                  type: object
                  required: [port]
                  properties:
                    port: {type: integer}
                    protocol: {type: string, default: TCP}
                    name: {type: string}
          status:
            type: object
            properties:
              replicas: {type: integer}
              selector: {type: string}
              phase: {type: string}
              observedGeneration: {type: integer}
              conditions:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [type]
                items:
                  type: object
                  required: [type, status]
                  properties:
                    type: {type: string}
                    status: {type: string}
                    reason: {type: string}
@end
@file w.yaml
apiVersion: example.com/v1
kind: Widget
metadata: {name: one}
spec: {color: red, due: "2020-01-01T00:00:00Z", tags: [a, b], note: hello}
---
apiVersion: example.com/v1
kind: Widget
metadata: {name: two}
spec: {color: blue, size: 9, replicas: 4}
---
apiVersion: example.com/v1
kind: Widget
metadata: {name: three}
spec: {color: green, size: 1, replicas: 2, due: "2090-01-01T00:00:00Z"}
@end
@file a1.yaml
apiVersion: example.com/v1
kind: Widget
metadata: {name: ssa}
spec:
  color: red
  size: 5
  tags: [a, b]
  ports:
  - {port: 80, name: web}
@end
@file a2.yaml
apiVersion: example.com/v1
kind: Widget
metadata: {name: ssa}
spec:
  color: red
  tags: [b, c]
  ports:
  - {port: 443, name: tls}
  - {port: 80, protocol: UDP}
@end
@file a3.yaml
apiVersion: example.com/v1
kind: Widget
metadata: {name: ssa}
spec:
  color: green
  size: 6
  tags: [b, c]
  ports:
  - {port: 80, name: http}
@end
@file dup.yaml
apiVersion: example.com/v1
kind: Widget
metadata: {name: dup}
spec:
  color: green
  ports:
  - {port: 80, name: http}
  - {port: 80, name: web}
@end
@file dupset.yaml
apiVersion: example.com/v1
kind: Widget
metadata: {name: dup}
spec:
  color: green
  tags: [a, b, a]
@end
@file unknown.yaml
apiVersion: example.com/v1
kind: Widget
metadata: {name: dup}
spec: {color: green, bogus: 1}
@end
@file badtype.yaml
apiVersion: example.com/v1
kind: Widget
metadata: {name: dup}
spec: {color: green, size: big}
@end
@file status.yaml
apiVersion: example.com/v1
kind: Widget
metadata: {name: ssa}
status:
  phase: Running
  replicas: 2
  conditions:
  - {type: Ready, status: "True"}
@end
@file five.yaml
apiVersion: example.com/v1
kind: Widget
metadata: {name: five}
spec: {color: green}
@end
@file six.yaml
apiVersion: example.com/v1
kind: Widget
metadata: {name: six}
spec: {color: green}
@end
$ kubectl apply -f crd.yaml && sleep 2
$ kubectl apply -f w.yaml
$ kubectl apply --server-side --field-manager=ann -f a1.yaml
$ kubectl apply --server-side --field-manager=ben -f a2.yaml
$ kubectl apply --server-side --field-manager=ben -f a3.yaml
$ kubectl apply --server-side --field-manager=ben --force-conflicts -f a3.yaml
$ kubectl get wd ssa -o yaml --show-managed-fields
$ kubectl apply --server-side --field-manager=ann -f a1.yaml
$ kubectl apply --server-side --field-manager=cat -f dup.yaml
$ kubectl apply --server-side --field-manager=cat -f dupset.yaml
$ kubectl apply --server-side --field-manager=cat -f unknown.yaml
$ kubectl apply --server-side --field-manager=cat -f badtype.yaml
$ kubectl create -f dup.yaml
$ kubectl create -f dupset.yaml
$ kubectl apply --server-side -f status.yaml --subresource=status
$ kubectl apply --server-side -f status.yaml --field-manager=st --subresource=status
$ kubectl get wd ssa -o yaml --show-managed-fields
$ kubectl scale wd ssa --replicas=4
$ kubectl get wd ssa -o yaml --show-managed-fields
$ kubectl apply -f a1.yaml
$ kubectl get wd one -o yaml --show-managed-fields
$ kubectl apply --server-side -f w.yaml
$ kubectl get wd one -o yaml --show-managed-fields
$ kubectl create quota q --hard=count/widgets.example.com=5
$ kubectl describe quota q
$ kubectl create -f five.yaml
$ kubectl create -f six.yaml
@wait 2
$ kubectl describe quota q
$ kubectl get quota
$ kubectl create quota q2 --hard=count/widgets.example.org=5,count/nothing.example.com=2
@wait 8
$ kubectl describe quota q2
$ kubectl delete wd ssa
@wait 6
$ kubectl describe quota q
$ kubectl patch wd one --type=merge -p '{"metadata":{"finalizers":["hold"]}}'
$ kubectl patch wd one --type=merge -p '{"metadata":{"finalizers":["example.com/hold"]}}'
$ kubectl delete wd one --timeout=2s
$ kubectl delete wd one --wait=false
$ kubectl get wd one -o jsonpath='{.metadata.deletionTimestamp} {.metadata.deletionGracePeriodSeconds} {.metadata.finalizers} {.metadata.generation}{"\n"}'
$ kubectl patch wd one --type=merge -p '{"metadata":{"finalizers":["example.com/hold","example.com/more"]}}'
$ kubectl patch wd one --type=merge -p '{"spec":{"size":2}}'
$ kubectl delete crd widgets.example.com --wait=false
@wait 1
$ kubectl get crd widgets.example.com -o jsonpath='{range .status.conditions[*]}{.type}={.status} {.reason} {.message}{"\n"}{end}'
$ kubectl get wd
$ kubectl create -f five.yaml
$ kubectl delete crd widgets.example.com --timeout=3s
$ kubectl get crd
$ kubectl get crd widgets.example.com -o jsonpath='{.metadata.finalizers} {.metadata.deletionTimestamp} {.metadata.generation}{"\n"}'
$ kubectl apply -f crd.yaml
$ kubectl patch wd one --type=merge -p '{"metadata":{"finalizers":null}}'
@wait 6
$ kubectl get crd
$ kubectl get wd
$ kubectl describe quota q
"#,
        expect![[r#"
            @file crd.yaml
            @file w.yaml
            @file a1.yaml
            @file a2.yaml
            @file a3.yaml
            @file dup.yaml
            @file dupset.yaml
            @file unknown.yaml
            @file badtype.yaml
            @file status.yaml
            @file five.yaml
            @file six.yaml
            $ kubectl apply -f crd.yaml && sleep 2
            customresourcedefinition.apiextensions.k8s.io/widgets.example.com created
            $ kubectl apply -f w.yaml
            widget.example.com/one created
            widget.example.com/two created
            widget.example.com/three created
            $ kubectl apply --server-side --field-manager=ann -f a1.yaml
            widget.example.com/ssa serverside-applied
            $ kubectl apply --server-side --field-manager=ben -f a2.yaml
            widget.example.com/ssa serverside-applied
            $ kubectl apply --server-side --field-manager=ben -f a3.yaml
            error: Apply failed with 3 conflicts: conflicts with "ann":
            - .spec.color
            - .spec.size
            - .spec.ports[port=80,protocol="TCP"].name
            Please review the fields above--they currently have other managers. Here
            are the ways you can resolve this warning:
            * If you intend to manage all of these fields, please re-run the apply
              command with the `--force-conflicts` flag.
            * If you do not intend to manage all of the fields, please edit your
              manifest to remove references to the fields that should keep their
              current managers.
            * You may co-own fields by updating your manifest to match the existing
              value; in this case, you'll become the manager if the other manager(s)
              stop managing the field (remove it from their configuration).
            See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts
            [exit 1]
            $ kubectl apply --server-side --field-manager=ben --force-conflicts -f a3.yaml
            widget.example.com/ssa serverside-applied
            $ kubectl get wd ssa -o yaml --show-managed-fields
            apiVersion: example.com/v1
            kind: Widget
            metadata:
              creationTimestamp: "2026-01-01T08:00:02Z"
              generation: 3
              managedFields:
              - apiVersion: example.com/v1
                fieldsType: FieldsV1
                fieldsV1:
                  f:spec:
                    f:ports:
                      k:{"port":80,"protocol":"TCP"}:
                        .: {}
                        f:port: {}
                    f:tags:
                      v:"a": {}
                      v:"b": {}
                manager: ann
                operation: Apply
                time: "2026-01-01T08:00:02Z"
              - apiVersion: example.com/v1
                fieldsType: FieldsV1
                fieldsV1:
                  f:spec:
                    f:color: {}
                    f:ports:
                      k:{"port":80,"protocol":"TCP"}:
                        .: {}
                        f:name: {}
                        f:port: {}
                    f:size: {}
                    f:tags:
                      v:"b": {}
                      v:"c": {}
                manager: ben
                operation: Apply
                time: "2026-01-01T08:00:02Z"
              name: ssa
              namespace: default
              resourceVersion: "399"
              uid: 8f05d19d-593f-4627-abf1-21c3d8a5d144
            spec:
              color: green
              ports:
              - name: http
                port: 80
                protocol: TCP
              replicas: 1
              size: 6
              tags:
              - a
              - b
              - c
            $ kubectl apply --server-side --field-manager=ann -f a1.yaml
            error: Apply failed with 3 conflicts: conflicts with "ben":
            - .spec.color
            - .spec.size
            - .spec.ports[port=80,protocol="TCP"].name
            Please review the fields above--they currently have other managers. Here
            are the ways you can resolve this warning:
            * If you intend to manage all of these fields, please re-run the apply
              command with the `--force-conflicts` flag.
            * If you do not intend to manage all of the fields, please edit your
              manifest to remove references to the fields that should keep their
              current managers.
            * You may co-own fields by updating your manifest to match the existing
              value; in this case, you'll become the manager if the other manager(s)
              stop managing the field (remove it from their configuration).
            See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts
            [exit 1]
            $ kubectl apply --server-side --field-manager=cat -f dup.yaml
            Error from server: failed to create typed patch object (default/dup; example.com/v1, Kind=Widget): .spec.ports: duplicate entries for key [port=80,protocol="TCP"]
            [exit 1]
            $ kubectl apply --server-side --field-manager=cat -f dupset.yaml
            Error from server: failed to create typed patch object (default/dup; example.com/v1, Kind=Widget): .spec.tags: duplicate entries for key [="a"]
            [exit 1]
            $ kubectl apply --server-side --field-manager=cat -f unknown.yaml
            Error from server: failed to create typed patch object (default/dup; example.com/v1, Kind=Widget): .spec.bogus: field not declared in schema
            [exit 1]
            $ kubectl apply --server-side --field-manager=cat -f badtype.yaml
            Error from server: failed to create typed patch object (default/dup; example.com/v1, Kind=Widget): .spec.size: expected numeric (int or float), got string
            [exit 1]
            $ kubectl create -f dup.yaml
            The Widget "dup" is invalid: spec.ports[1]: Duplicate value: {"port":80,"protocol":"TCP"}
            [exit 1]
            $ kubectl create -f dupset.yaml
            The Widget "dup" is invalid: spec.tags[2]: Duplicate value: "a"
            [exit 1]
            $ kubectl apply --server-side -f status.yaml --subresource=status
            widget.example.com/ssa serverside-applied
            $ kubectl apply --server-side -f status.yaml --field-manager=st --subresource=status
            widget.example.com/ssa serverside-applied
            $ kubectl get wd ssa -o yaml --show-managed-fields
            apiVersion: example.com/v1
            kind: Widget
            metadata:
              creationTimestamp: "2026-01-01T08:00:02Z"
              generation: 3
              managedFields:
              - apiVersion: example.com/v1
                fieldsType: FieldsV1
                fieldsV1:
                  f:status:
                    f:conditions:
                      k:{"type":"Ready"}:
                        .: {}
                        f:status: {}
                        f:type: {}
                    f:phase: {}
                    f:replicas: {}
                manager: st
                operation: Apply
                subresource: status
              - apiVersion: example.com/v1
                fieldsType: FieldsV1
                fieldsV1:
                  f:spec:
                    f:ports:
                      k:{"port":80,"protocol":"TCP"}:
                        .: {}
                        f:port: {}
                    f:tags:
                      v:"a": {}
                      v:"b": {}
                manager: ann
                operation: Apply
                time: "2026-01-01T08:00:02Z"
              - apiVersion: example.com/v1
                fieldsType: FieldsV1
                fieldsV1:
                  f:spec:
                    f:color: {}
                    f:ports:
                      k:{"port":80,"protocol":"TCP"}:
                        .: {}
                        f:name: {}
                        f:port: {}
                    f:size: {}
                    f:tags:
                      v:"b": {}
                      v:"c": {}
                manager: ben
                operation: Apply
                time: "2026-01-01T08:00:02Z"
              - apiVersion: example.com/v1
                fieldsType: FieldsV1
                fieldsV1:
                  f:status:
                    f:conditions:
                      k:{"type":"Ready"}:
                        .: {}
                        f:status: {}
                        f:type: {}
                    f:phase: {}
                    f:replicas: {}
                manager: kubectl
                operation: Apply
                subresource: status
                time: "2026-01-01T08:00:03Z"
              name: ssa
              namespace: default
              resourceVersion: "401"
              uid: 8f05d19d-593f-4627-abf1-21c3d8a5d144
            spec:
              color: green
              ports:
              - name: http
                port: 80
                protocol: TCP
              replicas: 1
              size: 6
              tags:
              - a
              - b
              - c
            status:
              conditions:
              - status: "True"
                type: Ready
              phase: Running
              replicas: 2
            $ kubectl scale wd ssa --replicas=4
            widget.example.com/ssa scaled
            $ kubectl get wd ssa -o yaml --show-managed-fields
            apiVersion: example.com/v1
            kind: Widget
            metadata:
              creationTimestamp: "2026-01-01T08:00:02Z"
              generation: 4
              managedFields:
              - apiVersion: example.com/v1
                fieldsType: FieldsV1
                fieldsV1:
                  f:status:
                    f:conditions:
                      k:{"type":"Ready"}:
                        .: {}
                        f:status: {}
                        f:type: {}
                    f:phase: {}
                    f:replicas: {}
                manager: st
                operation: Apply
                subresource: status
              - apiVersion: example.com/v1
                fieldsType: FieldsV1
                fieldsV1:
                  f:spec:
                    f:ports:
                      k:{"port":80,"protocol":"TCP"}:
                        .: {}
                        f:port: {}
                    f:tags:
                      v:"a": {}
                      v:"b": {}
                manager: ann
                operation: Apply
                time: "2026-01-01T08:00:02Z"
              - apiVersion: example.com/v1
                fieldsType: FieldsV1
                fieldsV1:
                  f:spec:
                    f:color: {}
                    f:ports:
                      k:{"port":80,"protocol":"TCP"}:
                        .: {}
                        f:name: {}
                        f:port: {}
                    f:size: {}
                    f:tags:
                      v:"b": {}
                      v:"c": {}
                manager: ben
                operation: Apply
                time: "2026-01-01T08:00:02Z"
              - apiVersion: example.com/v1
                fieldsType: FieldsV1
                fieldsV1:
                  f:status:
                    f:conditions:
                      k:{"type":"Ready"}:
                        .: {}
                        f:status: {}
                        f:type: {}
                    f:phase: {}
                    f:replicas: {}
                manager: kubectl
                operation: Apply
                subresource: status
                time: "2026-01-01T08:00:03Z"
              name: ssa
              namespace: default
              resourceVersion: "402"
              uid: 8f05d19d-593f-4627-abf1-21c3d8a5d144
            spec:
              color: green
              ports:
              - name: http
                port: 80
                protocol: TCP
              replicas: 4
              size: 6
              tags:
              - a
              - b
              - c
            status:
              conditions:
              - status: "True"
                type: Ready
              phase: Running
              replicas: 2
            $ kubectl apply -f a1.yaml
            Warning: resource widgets/ssa is missing the kubectl.kubernetes.io/last-applied-configuration annotation which is required by kubectl apply. kubectl apply should only be used on resources created declaratively by either kubectl create --save-config or kubectl apply. The missing annotation will be patched automatically.
            widget.example.com/ssa configured
            $ kubectl get wd one -o yaml --show-managed-fields
            apiVersion: example.com/v1
            kind: Widget
            metadata:
              annotations:
                kubectl.kubernetes.io/last-applied-configuration: |
                  {"apiVersion":"example.com/v1","kind":"Widget","metadata":{"annotations":{},"name":"one","namespace":"default"},"spec":{"color":"red","due":"2020-01-01T00:00:00Z","note":"hello","tags":["a","b"]}}
              creationTimestamp: "2026-01-01T08:00:02Z"
              generation: 1
              managedFields:
              - apiVersion: example.com/v1
                fieldsType: FieldsV1
                fieldsV1:
                  f:metadata:
                    f:annotations:
                      .: {}
                      f:kubectl.kubernetes.io/last-applied-configuration: {}
                  f:spec:
                    .: {}
                    f:color: {}
                    f:due: {}
                    f:note: {}
                    f:replicas: {}
                    f:size: {}
                    f:tags:
                      .: {}
                      v:"a": {}
                      v:"b": {}
                manager: kubectl-client-side-apply
                operation: Update
                time: "2026-01-01T08:00:02Z"
              name: one
              namespace: default
              resourceVersion: "394"
              uid: 015b4857-625a-4156-9d3e-252b8cf7b561
            spec:
              color: red
              due: "2020-01-01T00:00:00Z"
              note: hello
              replicas: 1
              size: 3
              tags:
              - a
              - b
            $ kubectl apply --server-side -f w.yaml
            widget.example.com/one serverside-applied
            widget.example.com/two serverside-applied
            widget.example.com/three serverside-applied
            $ kubectl get wd one -o yaml --show-managed-fields
            apiVersion: example.com/v1
            kind: Widget
            metadata:
              annotations:
                kubectl.kubernetes.io/last-applied-configuration: |
                  {"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"one","namespace":"default"},"spec":{"color":"red","due":"2020-01-01T00:00:00Z","note":"hello","tags":["a","b"]}}
              creationTimestamp: "2026-01-01T08:00:02Z"
              generation: 1
              managedFields:
              - apiVersion: example.com/v1
                fieldsType: FieldsV1
                fieldsV1:
                  f:metadata:
                    f:annotations:
                      f:kubectl.kubernetes.io/last-applied-configuration: {}
                manager: kubectl-last-applied
                operation: Apply
              - apiVersion: example.com/v1
                fieldsType: FieldsV1
                fieldsV1:
                  f:spec:
                    f:color: {}
                    f:due: {}
                    f:note: {}
                    f:tags:
                      v:"a": {}
                      v:"b": {}
                manager: kubectl
                operation: Apply
                time: "2026-01-01T08:00:03Z"
              name: one
              namespace: default
              resourceVersion: "407"
              uid: 015b4857-625a-4156-9d3e-252b8cf7b561
            spec:
              color: red
              due: "2020-01-01T00:00:00Z"
              note: hello
              replicas: 1
              size: 3
              tags:
              - a
              - b
            $ kubectl create quota q --hard=count/widgets.example.com=5
            resourcequota/q created
            $ kubectl describe quota q
            Name:                      q
            Namespace:                 default
            Resource                   Used  Hard
            --------                   ----  ----
            count/widgets.example.com  4     5
            $ kubectl create -f five.yaml
            widget.example.com/five created
            $ kubectl create -f six.yaml
            Error from server (Forbidden): error when creating "six.yaml": widgets.example.com "six" is forbidden: exceeded quota: q, requested: count/widgets.example.com=1, used: count/widgets.example.com=5, limited: count/widgets.example.com=5
            [exit 1]
            @wait 2
            $ kubectl describe quota q
            Name:                      q
            Namespace:                 default
            Resource                   Used  Hard
            --------                   ----  ----
            count/widgets.example.com  5     5
            $ kubectl get quota
            NAME   REQUEST                          LIMIT   AGE
            q      count/widgets.example.com: 5/5           3s
            $ kubectl create quota q2 --hard=count/widgets.example.org=5,count/nothing.example.com=2
            resourcequota/q2 created
            @wait 8
            $ kubectl describe quota q2
            Name:                      q2
            Namespace:                 default
            Resource                   Used  Hard
            --------                   ----  ----
            count/nothing.example.com  0     2
            count/widgets.example.org  0     5
            $ kubectl delete wd ssa
            widget.example.com "ssa" deleted from default namespace
            @wait 6
            $ kubectl describe quota q
            Name:                      q
            Namespace:                 default
            Resource                   Used  Hard
            --------                   ----  ----
            count/widgets.example.com  4     5
            $ kubectl patch wd one --type=merge -p '{"metadata":{"finalizers":["hold"]}}'
            Warning: metadata.finalizers: "hold": prefer a domain-qualified finalizer name to avoid accidental conflicts with other finalizer writers
            widget.example.com/one patched
            $ kubectl patch wd one --type=merge -p '{"metadata":{"finalizers":["example.com/hold"]}}'
            widget.example.com/one patched
            $ kubectl delete wd one --timeout=2s
            widget.example.com "one" deleted from default namespace
            error: timed out waiting for the condition on widgets/one
            [exit 1]
            $ kubectl delete wd one --wait=false
            widget.example.com "one" deleted from default namespace
            $ kubectl get wd one -o jsonpath='{.metadata.deletionTimestamp} {.metadata.deletionGracePeriodSeconds} {.metadata.finalizers} {.metadata.generation}{"\n"}'
            2026-01-01T08:00:20Z 0 ["example.com/hold"] 2
            $ kubectl patch wd one --type=merge -p '{"metadata":{"finalizers":["example.com/hold","example.com/more"]}}'
            The Widget "one" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"example.com/more"}
            [exit 1]
            $ kubectl patch wd one --type=merge -p '{"spec":{"size":2}}'
            widget.example.com/one patched
            $ kubectl delete crd widgets.example.com --wait=false
            customresourcedefinition.apiextensions.k8s.io "widgets.example.com" deleted
            @wait 1
            $ kubectl get crd widgets.example.com -o jsonpath='{range .status.conditions[*]}{.type}={.status} {.reason} {.message}{"\n"}{end}'
            NamesAccepted=True NoConflicts no conflicts found
            Established=True InitialNamesAccepted the initial names have been accepted
            Terminating=True InstanceDeletionInProgress CustomResource deletion is in progress
            $ kubectl get wd
            NAME   COLOR   REPLICAS   DUE    TAGS        READY   AGE
            one    red     1          6y2d   ["a","b"]           22s
            $ kubectl create -f five.yaml
            Error from server (Forbidden): error when creating "five.yaml": widgets.example.com "five" is forbidden: create not allowed while custom resource definition is terminating
            [exit 1]
            $ kubectl delete crd widgets.example.com --timeout=3s
            customresourcedefinition.apiextensions.k8s.io "widgets.example.com" deleted
            error: timed out waiting for the condition on customresourcedefinitions/widgets.example.com
            [exit 1]
            $ kubectl get crd
            NAME                  CREATED AT
            widgets.example.com   2026-01-01T08:00:00Z
            $ kubectl get crd widgets.example.com -o jsonpath='{.metadata.finalizers} {.metadata.deletionTimestamp} {.metadata.generation}{"\n"}'
            ["customresourcecleanup.apiextensions.k8s.io"] 2026-01-01T08:00:23Z 1
            $ kubectl apply -f crd.yaml
            Warning: Detected changes to resource widgets.example.com which is currently being deleted.
            customresourcedefinition.apiextensions.k8s.io/widgets.example.com unchanged
            $ kubectl patch wd one --type=merge -p '{"metadata":{"finalizers":null}}'
            widget.example.com/one patched
            @wait 6
            $ kubectl get crd
            No resources found
            $ kubectl get wd
            Error from server (NotFound): Unable to list "example.com/v1, Resource=widgets": the server could not find the requested resource (get widgets.example.com)
            [exit 1]
            $ kubectl describe quota q
            Name:                      q
            Namespace:                 default
            Resource                   Used  Hard
            --------                   ----  ----
            count/widgets.example.com  0     5
        "#]],
    );
}

#[test]
fn policies_of_admission() {
    check(
        r#"@file vap.yaml
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: few}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
    - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}
  validations:
  - expression: object.spec.replicas <= 3
    messageExpression: "'replicas must be no more than 3, got ' + string(object.spec.replicas)"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: few}
spec: {policyName: few, validationActions: [Deny]}
@end
@file vap2.yaml
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: few-scale}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [apps], apiVersions: [v1], operations: [UPDATE], resources: [deployments/scale]}
  validations:
  - expression: object.spec.replicas <= 3
    message: scale within 3
    reason: Forbidden
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: few-scale}
spec: {policyName: few-scale, validationActions: [Deny]}
@end
@file exec.yaml
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: noexec}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [""], apiVersions: [v1], operations: [CONNECT], resources: [pods/exec, pods/attach, pods/portforward]}
  validations:
  - expression: "request.subResource != 'exec' || !('rm' in object.command)"
    messageExpression: "'no ' + request.resource.resource + '/' + request.subResource + ' into ' + request.name"
  - expression: "request.subResource != 'portforward'"
    message: no forwarding
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: noexec}
spec: {policyName: noexec, validationActions: [Deny]}
@end
@file evict.yaml
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: noevict}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods/eviction, pods/binding, serviceaccounts/token]}
  validations:
  - expression: "request.kind.kind != 'Eviction'"
    message: nothing is evicted
  - expression: "request.kind.kind != 'TokenRequest' || object.spec.expirationSeconds < 4000"
    message: short tokens only
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: noevict}
spec: {policyName: noevict, validationActions: [Deny, Audit]}
@end
@file warn.yaml
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: owner}
spec:
  failurePolicy: Ignore
  paramKind: {apiVersion: v1, kind: ConfigMap}
  matchConstraints:
    resourceRules:
    - {apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}
  matchConditions:
  - {name: not-params, expression: "!object.metadata.name.startsWith('params')"}
  variables:
  - {name: owner, expression: "has(object.metadata.labels) && 'owner' in object.metadata.labels ? object.metadata.labels['owner'] : ''"}
  validations:
  - expression: variables.owner in params.data.owners.split(',')
    messageExpression: "'owner ' + variables.owner + ' is none of ' + params.data.owners"
    reason: Forbidden
  auditAnnotations:
  - {key: owner, valueExpression: "'owner ' + variables.owner"}
@end
@file bind.yaml
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: owner}
spec:
  policyName: owner
  validationActions: [Warn, Audit]
  paramRef: {name: params, namespace: default, parameterNotFoundAction: Deny}
  matchResources:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: default}}
@end
$ kubectl apply -f vap.yaml
$ kubectl get validatingadmissionpolicies,validatingadmissionpolicybindings
@wait 2
$ kubectl create deploy web --image=nginx --replicas=5
$ kubectl create deploy web --image=nginx --replicas=2
$ kubectl scale deploy web --replicas=6
$ kubectl get deploy web
$ kubectl apply -f vap2.yaml
$ kubectl scale deploy web --replicas=7
$ kubectl scale deploy web --replicas=3
$ kubectl patch deploy web -p '{"spec":{"replicas":8}}'
$ kubectl run p --image=busybox --restart=Never -- sleep 1000
$ kubectl wait --for=condition=Ready pod/p --timeout=60s
$ kubectl apply -f exec.yaml
$ kubectl exec p -- ls -d /tmp
$ kubectl exec p -- rm /tmp/x
$ kubectl exec nope -- rm /tmp/x
$ kubectl port-forward pod/p 8080:80
$ kubectl apply -f evict.yaml
$ kubectl create token default | wc -l
$ kubectl create token default --duration=2h
$ echo '{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"p"}}' | kubectl create --raw /api/v1/namespaces/default/pods/p/eviction -f -
$ kubectl delete validatingadmissionpolicybinding few few-scale noexec noevict
$ kubectl apply -f warn.yaml -f bind.yaml
$ kubectl create configmap a
$ kubectl create configmap params --from-literal=owners=ann,ben
$ kubectl create configmap a
$ kubectl label cm a owner=ann
$ kubectl label cm a owner=cat --overwrite
$ kubectl patch validatingadmissionpolicybinding owner --type=merge -p '{"spec":{"validationActions":["Deny"]}}'
$ kubectl label cm a owner=dan --overwrite
$ kubectl create configmap b -n kube-system
$ kubectl delete cm params
$ kubectl create configmap c
$ kubectl patch validatingadmissionpolicy owner --type=merge -p '{"spec":{"failurePolicy":"Fail"}}'
$ kubectl create configmap c
$ kubectl patch validatingadmissionpolicybinding owner --type=merge -p '{"spec":{"paramRef":{"parameterNotFoundAction":"Allow"}}}'
$ kubectl create configmap c
$ kubectl patch validatingadmissionpolicybinding owner --type=merge -p '{"spec":{"validationActions":["Deny","Warn"]}}'
$ kubectl patch validatingadmissionpolicy few --type=json -p '[{"op":"replace","path":"/spec/validations/0/expression","value":"object.spec.replicas <"}]'
$ kubectl patch validatingadmissionpolicy few --type=json -p '[{"op":"replace","path":"/spec/validations/0/expression","value":"object.spec.replicaz <= 3"}]'
@wait 1
$ kubectl get validatingadmissionpolicy few -o jsonpath='{.status}{"\n"}'
"#,
        expect![[r#"
            @file vap.yaml
            @file vap2.yaml
            @file exec.yaml
            @file evict.yaml
            @file warn.yaml
            @file bind.yaml
            $ kubectl apply -f vap.yaml
            validatingadmissionpolicy.admissionregistration.k8s.io/few created
            validatingadmissionpolicybinding.admissionregistration.k8s.io/few created
            $ kubectl get validatingadmissionpolicies,validatingadmissionpolicybindings
            NAME                                                         VALIDATIONS   PARAMKIND   AGE
            validatingadmissionpolicy.admissionregistration.k8s.io/few   1             <unset>     0s

            NAME                                                                POLICYNAME   PARAMREF   AGE
            validatingadmissionpolicybinding.admissionregistration.k8s.io/few   few          <unset>    0s
            @wait 2
            $ kubectl create deploy web --image=nginx --replicas=5
            error: failed to create deployment: deployments.apps "web" is forbidden: ValidatingAdmissionPolicy 'few' with binding 'few' denied request: replicas must be no more than 3, got 5
            [exit 1]
            $ kubectl create deploy web --image=nginx --replicas=2
            deployment.apps/web created
            $ kubectl scale deploy web --replicas=6
            deployment.apps/web scaled
            $ kubectl get deploy web
            NAME   READY   UP-TO-DATE   AVAILABLE   AGE
            web    0/6     6            0           0s
            $ kubectl apply -f vap2.yaml
            validatingadmissionpolicy.admissionregistration.k8s.io/few-scale created
            validatingadmissionpolicybinding.admissionregistration.k8s.io/few-scale created
            $ kubectl scale deploy web --replicas=7
            Error from server (Forbidden): deployments.apps "web" is forbidden: ValidatingAdmissionPolicy 'few-scale' with binding 'few-scale' denied request: scale within 3
            [exit 1]
            $ kubectl scale deploy web --replicas=3
            deployment.apps/web scaled
            $ kubectl patch deploy web -p '{"spec":{"replicas":8}}'
            The deployments "web" is invalid: : ValidatingAdmissionPolicy 'few' with binding 'few' denied request: replicas must be no more than 3, got 8
            [exit 1]
            $ kubectl run p --image=busybox --restart=Never -- sleep 1000
            pod/p created
            $ kubectl wait --for=condition=Ready pod/p --timeout=60s
            pod/p condition met
            $ kubectl apply -f exec.yaml
            validatingadmissionpolicy.admissionregistration.k8s.io/noexec created
            validatingadmissionpolicybinding.admissionregistration.k8s.io/noexec created
            $ kubectl exec p -- ls -d /tmp
            /tmp
            $ kubectl exec p -- rm /tmp/x
            error: unable to upgrade connection: pods "p" is forbidden: ValidatingAdmissionPolicy 'noexec' with binding 'noexec' denied request: no pods/exec into p
            [exit 1]
            $ kubectl exec nope -- rm /tmp/x
            Error from server (NotFound): pods "nope" not found
            [exit 1]
            $ kubectl port-forward pod/p 8080:80
            error: error upgrading connection: unable to upgrade connection: pods "p" is forbidden: ValidatingAdmissionPolicy 'noexec' with binding 'noexec' denied request: no forwarding
            [exit 1]
            $ kubectl apply -f evict.yaml
            validatingadmissionpolicy.admissionregistration.k8s.io/noevict created
            validatingadmissionpolicybinding.admissionregistration.k8s.io/noevict created
            $ kubectl create token default | wc -l
            1
            $ kubectl create token default --duration=2h
            error: failed to create token: serviceaccounts "default" is forbidden: ValidatingAdmissionPolicy 'noevict' with binding 'noevict' denied request: short tokens only
            [exit 1]
            $ echo '{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"p"}}' | kubectl create --raw /api/v1/namespaces/default/pods/p/eviction -f -
            The pods "p" is invalid: : ValidatingAdmissionPolicy 'noevict' with binding 'noevict' denied request: nothing is evicted
            [exit 1]
            $ kubectl delete validatingadmissionpolicybinding few few-scale noexec noevict
            validatingadmissionpolicybinding.admissionregistration.k8s.io "few" deleted
            validatingadmissionpolicybinding.admissionregistration.k8s.io "few-scale" deleted
            validatingadmissionpolicybinding.admissionregistration.k8s.io "noexec" deleted
            validatingadmissionpolicybinding.admissionregistration.k8s.io "noevict" deleted
            $ kubectl apply -f warn.yaml -f bind.yaml
            validatingadmissionpolicy.admissionregistration.k8s.io/owner created
            validatingadmissionpolicybinding.admissionregistration.k8s.io/owner created
            $ kubectl create configmap a
            configmap/a created
            $ kubectl create configmap params --from-literal=owners=ann,ben
            configmap/params created
            $ kubectl create configmap a
            Warning: Validation failed for ValidatingAdmissionPolicy 'owner' with binding 'owner': owner  is none of ann,ben
            error: failed to create configmap: configmaps "a" already exists
            [exit 1]
            $ kubectl label cm a owner=ann
            configmap/a labeled
            $ kubectl label cm a owner=cat --overwrite
            Warning: Validation failed for ValidatingAdmissionPolicy 'owner' with binding 'owner': owner cat is none of ann,ben
            configmap/a labeled
            $ kubectl patch validatingadmissionpolicybinding owner --type=merge -p '{"spec":{"validationActions":["Deny"]}}'
            validatingadmissionpolicybinding.admissionregistration.k8s.io/owner patched
            $ kubectl label cm a owner=dan --overwrite
            Error from server (Forbidden): configmaps "a" is forbidden: ValidatingAdmissionPolicy 'owner' with binding 'owner' denied request: owner dan is none of ann,ben
            [exit 1]
            $ kubectl create configmap b -n kube-system
            configmap/b created
            $ kubectl delete cm params
            configmap "params" deleted from default namespace
            $ kubectl create configmap c
            configmap/c created
            $ kubectl patch validatingadmissionpolicy owner --type=merge -p '{"spec":{"failurePolicy":"Fail"}}'
            validatingadmissionpolicy.admissionregistration.k8s.io/owner patched
            $ kubectl create configmap c
            error: failed to create configmap: configmaps "c" is forbidden: ValidatingAdmissionPolicy 'owner' with binding 'owner' denied request: failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction
            [exit 1]
            $ kubectl patch validatingadmissionpolicybinding owner --type=merge -p '{"spec":{"paramRef":{"parameterNotFoundAction":"Allow"}}}'
            validatingadmissionpolicybinding.admissionregistration.k8s.io/owner patched
            $ kubectl create configmap c
            error: failed to create configmap: configmaps "c" already exists
            [exit 1]
            $ kubectl patch validatingadmissionpolicybinding owner --type=merge -p '{"spec":{"validationActions":["Deny","Warn"]}}'
            The ValidatingAdmissionPolicyBinding "owner" is invalid: spec.validationActions: Invalid value: ["Deny","Warn"]: must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)
            [exit 1]
            $ kubectl patch validatingadmissionpolicy few --type=json -p '[{"op":"replace","path":"/spec/validations/0/expression","value":"object.spec.replicas <"}]'
            The ValidatingAdmissionPolicy "few" is invalid: spec.validations[0].expression: Invalid value: "object.spec.replicas <": compilation failed: ERROR: <input>:1:23: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}
             | object.spec.replicas <
             | ......................^
            [exit 1]
            $ kubectl patch validatingadmissionpolicy few --type=json -p '[{"op":"replace","path":"/spec/validations/0/expression","value":"object.spec.replicaz <= 3"}]'
            validatingadmissionpolicy.admissionregistration.k8s.io/few patched
            @wait 1
            $ kubectl get validatingadmissionpolicy few -o jsonpath='{.status}{"\n"}'
            {"observedGeneration":2,"typeChecking":{"expressionWarnings":[{"fieldRef":"spec.validations[0].expression","warning":"apps/v1, Kind=Deployment: ERROR: \u003cinput\u003e:1:12: undefined field 'replicaz'\n | object.spec.replicaz \u003c= 3\n | ...........^\n"}]}}
        "#]],
    );
}

#[test]
fn custom_resources_that_hold_objects() {
    check(
        r#"@file crd.yaml
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: stacks.x.io}
spec:
  group: x.io
  scope: Namespaced
  names: {plural: stacks, singular: stack, kind: Stack}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              template:
                type: object
                x-kubernetes-embedded-resource: true
                x-kubernetes-preserve-unknown-fields: true
                description: Any object.
              free: {type: object, x-kubernetes-preserve-unknown-fields: true, description: Whatever.}
              port: {x-kubernetes-int-or-string: true, anyOf: [{type: integer},{type: string}], description: A port.}
              labels: {type: object, additionalProperties: {type: string}, description: Labels.}
              limits: {type: object, additionalProperties: {type: object, properties: {cpu: {type: string}}}}
              atom: {type: object, x-kubernetes-map-type: atomic, properties: {a: {type: string}, b: {type: string}}}
              list: {type: array, x-kubernetes-list-type: atomic, items: {type: integer}}
@end
@file crd2.yaml
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: frees.x.io}
spec:
  group: x.io
  scope: Cluster
  names: {plural: frees, kind: Free}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
@end
@file x.yaml
apiVersion: x.io/v1
kind: Stack
metadata: {name: s}
spec:
  template: {apiVersion: v1, kind: ConfigMap, metadata: {name: in, labels: {a: b}, bogus: 1}, data: {k: v}}
  free: {a: {b: [1, 2]}}
  port: 80
  labels: {a: b}
  limits: {one: {cpu: "1"}}
  atom: {a: x}
  list: [1, 2]
---
apiVersion: x.io/v1
kind: Free
metadata: {name: f}
anything: {goes: [here]}
spec: 5
status: x
@end
@file bad1.yaml
apiVersion: x.io/v1
kind: Stack
metadata: {name: t}
spec:
  template: {kind: ConfigMap}
@end
@file bad2.yaml
apiVersion: x.io/v1
kind: Stack
metadata: {name: t, annotations: {a: 1}}
spec: {labels: {a: 1}, list: 3}
@end
$ kubectl apply -f crd.yaml && sleep 2
$ kubectl apply -f crd2.yaml && sleep 2
$ kubectl apply -f x.yaml
$ kubectl apply --validate=warn -f x.yaml
$ kubectl get stacks s -o yaml
$ kubectl apply -f bad1.yaml
$ kubectl apply -f bad2.yaml
$ kubectl explain stack.spec.template | sed 's: *$::'
$ kubectl explain stack.spec.template.metadata | sed 's: *$::'
$ kubectl explain stack.spec.port | sed 's: *$::'
$ kubectl explain stack.spec.labels | sed 's: *$::'
$ kubectl explain stack.spec.limits | sed 's: *$::'
$ kubectl get stack s -o jsonpath='{.spec.port}{"\n"}'
$ kubectl patch stack s --type=merge -p '{"spec":{"template":{"metadata":{"name":"Bad_Name"}}}}'
$ kubectl patch stack s --type=merge -p '{"spec":{"template":{"kind":null}}}'
$ kubectl apply --server-side -f x.yaml --force-conflicts
$ kubectl replace -f - <<< '{"apiVersion":"x.io/v1","kind":"Stack","metadata":{"name":"s","uid":"abc"}}' 2>&1 | grep -o 'Key: [^,]*'
$ kubectl delete -f x.yaml
"#,
        expect![[r#"
            @file crd.yaml
            @file crd2.yaml
            @file x.yaml
            @file bad1.yaml
            @file bad2.yaml
            $ kubectl apply -f crd.yaml && sleep 2
            customresourcedefinition.apiextensions.k8s.io/stacks.x.io created
            $ kubectl apply -f crd2.yaml && sleep 2
            customresourcedefinition.apiextensions.k8s.io/frees.x.io created
            $ kubectl apply -f x.yaml
            free.x.io/f created
            Error from server (BadRequest): error when creating "x.yaml": Stack in version "v1" cannot be handled as a Stack: strict decoding error: unknown field "spec.template.metadata.bogus"
            [exit 1]
            $ kubectl apply --validate=warn -f x.yaml
            Warning: unknown field "spec.template.metadata.bogus"
            stack.x.io/s created
            free.x.io/f unchanged
            $ kubectl get stacks s -o yaml
            apiVersion: x.io/v1
            kind: Stack
            metadata:
              annotations:
                kubectl.kubernetes.io/last-applied-configuration: |
                  {"apiVersion":"x.io/v1","kind":"Stack","metadata":{"annotations":{},"name":"s","namespace":"default"},"spec":{"atom":{"a":"x"},"free":{"a":{"b":[1,2]}},"labels":{"a":"b"},"limits":{"one":{"cpu":"1"}},"list":[1,2],"port":80,"template":{"apiVersion":"v1","data":{"k":"v"},"kind":"ConfigMap","metadata":{"bogus":1,"labels":{"a":"b"},"name":"in"}}}}
              creationTimestamp: "2026-01-01T08:00:04Z"
              generation: 1
              name: s
              namespace: default
              resourceVersion: "398"
              uid: 8e5ff226-dfa3-4096-8797-822bdf007245
            spec:
              atom:
                a: x
              free:
                a:
                  b:
                  - 1
                  - 2
              labels:
                a: b
              limits:
                one:
                  cpu: "1"
              list:
              - 1
              - 2
              port: 80
              template:
                apiVersion: v1
                data:
                  k: v
                kind: ConfigMap
                metadata:
                  labels:
                    a: b
                  name: in
            $ kubectl apply -f bad1.yaml
            The Stack "t" is invalid: spec.template.apiVersion: Required value: must not be empty
            [exit 1]
            $ kubectl apply -f bad2.yaml
            error: unable to decode "bad2.yaml": json: cannot unmarshal number into Go struct field ObjectMeta.metadata.annotations of type string
            [exit 1]
            $ kubectl explain stack.spec.template | sed 's: *$::'
            GROUP:      x.io
            KIND:       Stack
            VERSION:    v1

            FIELD: template <Object>


            DESCRIPTION:
                Any object.

            FIELDS:
              apiVersion	<string> -required-
                apiVersion defines the versioned schema of this representation of an object.
                More info:
                https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources

              kind	<string> -required-
                kind is a string value representing the type of this object. In CamelCase.
                More info:
                https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds

              metadata	<ObjectMeta>
                Standard object's metadata. More info:
                https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata


            $ kubectl explain stack.spec.template.metadata | sed 's: *$::'
            GROUP:      x.io
            KIND:       Stack
            VERSION:    v1

            FIELD: metadata <ObjectMeta>


            DESCRIPTION:
                Standard object's metadata. More info:
                https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata
                ObjectMeta is metadata that all persisted resources must have, which
                includes all objects users must create.

            FIELDS:
              annotations	<map[string]string>
                Annotations is an unstructured key value map stored with a resource that may
                be set by external tools to store and retrieve arbitrary metadata. They are
                not queryable and should be preserved when modifying objects. More info:
                https://kubernetes.io/docs/concepts/overview/working-with-objects/annotations

              creationTimestamp	<string>
                CreationTimestamp is a timestamp representing the server time when this
                object was created. It is not guaranteed to be set in happens-before order
                across separate operations. Clients may not set this value. It is
                represented in RFC3339 form and is in UTC.

                Populated by the system. Read-only. Null for lists. More info:
                https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata

              deletionGracePeriodSeconds	<integer>
                Number of seconds allowed for this object to gracefully terminate before it
                will be removed from the system. Only set when deletionTimestamp is also
                set. May only be shortened. Read-only.

              deletionTimestamp	<string>
                DeletionTimestamp is RFC 3339 date and time at which this resource will be
                deleted. This field is set by the server when a graceful deletion is
                requested by the user, and is not directly settable by a client. The
                resource is expected to be deleted (no longer visible from resource lists,
                and not reachable by name) after the time in this field, once the finalizers
                list is empty. As long as the finalizers list contains items, deletion is
                blocked. Once the deletionTimestamp is set, this value may not be unset or
                be set further into the future, although it may be shortened or the resource
                may be deleted prior to this time. For example, a user may request that a
                pod is deleted in 30 seconds. The Kubelet will react by sending a graceful
                termination signal to the containers in the pod. After that 30 seconds, the
                Kubelet will send a hard termination signal (SIGKILL) to the container and
                after cleanup, remove the pod from the API. In the presence of network
                partitions, this object may still exist after this timestamp, until an
                administrator or automated process can determine the resource is fully
                terminated. If not set, graceful deletion of the object has not been
                requested.

                Populated by the system when a graceful deletion is requested. Read-only.
                More info:
                https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata

              finalizers	<[]string>
                Must be empty before the object is deleted from the registry. Each entry is
                an identifier for the responsible component that will remove the entry from
                the list. If the deletionTimestamp of the object is non-nil, entries in this
                list can only be removed. Finalizers may be processed and removed in any
                order.  Order is NOT enforced because it introduces significant risk of
                stuck finalizers. finalizers is a shared field, any actor with permission
                can reorder it. If the finalizer list is processed in order, then this can
                lead to a situation in which the component responsible for the first
                finalizer in the list is waiting for a signal (field value, external system,
                or other) produced by a component responsible for a finalizer later in the
                list, resulting in a deadlock. Without enforced ordering finalizers are free
                to order amongst themselves and are not vulnerable to ordering changes in
                the list.

              generateName	<string>
                GenerateName is an optional prefix, used by the server, to generate a unique
                name ONLY IF the Name field has not been provided. If this field is used,
                the name returned to the client will be different than the name passed. This
                value will also be combined with a unique suffix. The provided value has the
                same validation rules as the Name field, and may be truncated by the length
                of the suffix required to make the value unique on the server.

                If this field is specified and the generated name exists, the server will
                return a 409.

                Applied only if Name is not specified. More info:
                https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#idempotency

              generation	<integer>
                A sequence number representing a specific generation of the desired state.
                Populated by the system. Read-only.

              labels	<map[string]string>
                Map of string keys and values that can be used to organize and categorize
                (scope and select) objects. May match selectors of replication controllers
                and services. More info:
                https://kubernetes.io/docs/concepts/overview/working-with-objects/labels

              managedFields	<[]ManagedFieldsEntry>
                ManagedFields maps workflow-id and version to the set of fields that are
                managed by that workflow. This is mostly for internal housekeeping, and
                users typically shouldn't need to set or understand this field. A workflow
                can be the user's name, a controller's name, or the name of a specific apply
                path like "ci-cd". The set of fields is always in the version that the
                workflow used when modifying the object.

              name	<string>
                Name must be unique within a namespace. Is required when creating resources,
                although some resources may allow a client to request the generation of an
                appropriate name automatically. Name is primarily intended for creation
                idempotence and configuration definition. Cannot be updated. More info:
                https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names

              namespace	<string>
                Namespace defines the space within which each name must be unique. An empty
                namespace is equivalent to the "default" namespace, but "default" is the
                canonical representation. Not all objects are required to be scoped to a
                namespace - the value of this field for those objects will be empty.

                Must be a DNS_LABEL. Cannot be updated. More info:
                https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces

              ownerReferences	<[]OwnerReference>
                List of objects depended by this object. If ALL objects in the list have
                been deleted, this object will be garbage collected. If this object is
                managed by a controller, then an entry in this list will point to this
                controller, with the controller field set to true. There cannot be more than
                one managing controller.

              resourceVersion	<string>
                An opaque value that represents the internal version of this object that can
                be used by clients to determine when objects have changed. May be used for
                optimistic concurrency, change detection, and the watch operation on a
                resource or set of resources. Clients must treat these values as opaque and
                passed unmodified back to the server. They may only be valid for a
                particular resource or set of resources.

                Populated by the system. Read-only. Value must be treated as opaque by
                clients and . More info:
                https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#concurrency-control-and-consistency

              selfLink	<string>
                Deprecated: selfLink is a legacy read-only field that is no longer populated
                by the system.

              uid	<string>
                UID is the unique in time and space value for this object. It is typically
                generated by the server on successful creation of a resource and is not
                allowed to change on PUT operations.

                Populated by the system. Read-only. More info:
                https://kubernetes.io/docs/concepts/overview/working-with-objects/names#uids


            $ kubectl explain stack.spec.port | sed 's: *$::'
            GROUP:      x.io
            KIND:       Stack
            VERSION:    v1

            FIELD: port <Object>


            DESCRIPTION:
                A port.


            $ kubectl explain stack.spec.labels | sed 's: *$::'
            GROUP:      x.io
            KIND:       Stack
            VERSION:    v1

            FIELD: labels <map[string]string>


            DESCRIPTION:
                Labels.


            $ kubectl explain stack.spec.limits | sed 's: *$::'
            GROUP:      x.io
            KIND:       Stack
            VERSION:    v1

            FIELD: limits <map[string]Object>


            DESCRIPTION:
                <empty>
            FIELDS:
              cpu	<string>
                <no description>


            $ kubectl get stack s -o jsonpath='{.spec.port}{"\n"}'
            80
            $ kubectl patch stack s --type=merge -p '{"spec":{"template":{"metadata":{"name":"Bad_Name"}}}}'
            The Stack "s" is invalid: spec.template.metadata.name: Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
            [exit 1]
            $ kubectl patch stack s --type=merge -p '{"spec":{"template":{"kind":null}}}'
            The Stack "s" is invalid: spec.template.kind: Required value: must not be empty
            [exit 1]
            $ kubectl apply --server-side -f x.yaml --force-conflicts
            free.x.io/f serverside-applied
            Error from server: failed to create typed patch object (default/s; x.io/v1, Kind=Stack): .spec.template.metadata.bogus: field not declared in schema
            [exit 1]
            $ kubectl replace -f - <<< '{"apiVersion":"x.io/v1","kind":"Stack","metadata":{"name":"s","uid":"abc"}}' 2>&1 | grep -o 'Key: [^,]*'
            Key: /registry/x.io/stacks/default/s
            $ kubectl delete -f x.yaml
            stack.x.io "s" deleted from default namespace
            free.x.io "f" deleted
        "#]],
    );
}

#[test]
fn what_kubectl_makes_anew_and_waits_for() {
    check(
        r#"$ kubectl create cm x --from-literal=a=1
$ kubectl get cm x -o yaml > f; kubectl replace --force -f f && kubectl delete cm x && kubectl create -f f && kubectl delete cm x && kubectl apply -f f
$ kubectl create deploy web --image=nginx -o yaml --dry-run=client | kubectl apply -f -
$ kubectl get deploy web -o yaml | sed 's/app: web/app: Web!/; s/uid: .*//' > bad.yaml; kubectl apply --force -f bad.yaml
$ kubectl get deploy web
$ kubectl get deploy web -o yaml | sed '/matchLabels/,/app:/s/app: web/app: other/; /template:/,$s/app: web/app: other/' > other.yaml; kubectl apply --force --cascade=orphan --timeout=10s -f other.yaml
@settle
$ kubectl get rs,deploy -o name | sed 's/web-.*/web-HASH/'
$ kubectl get deploy web -o jsonpath='{.spec.selector.matchLabels}{"\n"}'
$ kubectl run slow --image=nginx ; kubectl get pod slow -o yaml | sed 's/restartPolicy: Always/restartPolicy: Never/' > slow.yaml; sleep 5; kubectl apply --force -f slow.yaml 2>&1 | tail -1
$ kubectl run a --rm -i -q --image=busybox --restart=Never --expose --port=80 -- sh -c 'echo early; sleep 5; echo late'
$ kubectl get svc,pod --field-selector metadata.name=a
$ echo hi | kubectl run b -i -q --leave-stdin-open --image=busybox --restart=Never -- sh -c 'sleep 4; read x; echo "$x"; exit 3'
$ kubectl run c --attach -q --image=busybox --restart=Never -- sh -c 'sleep 3; echo why > /dev/termination-log; exit 3'
$ kubectl run d --attach -q --image=busybox --restart=OnFailure --pod-running-timeout=8s -- sh -c 'sleep 3; exit 3'
$ kubectl run late --image=busybox --restart=Never -- sh -c 'echo it runs' && kubectl logs -f late
$ kubectl run no --image=nosuch.example/x -l t=x && kubectl run yes --image=busybox -l t=x --restart=Never -- sh -c 'echo yes; sleep 3'
$ kubectl logs -f -l t=x --pod-running-timeout=3s 2>&1 | sort | uniq -c
$ kubectl logs -f -l t=x --ignore-errors | sort
$ kubectl logs yes --since=300ms
$ kubectl logs yes --since=0s --since-time=2020-01-01T00:00:00Z
$ kubectl logs yes --since=1s --since-time=2020-01-01T00:00:00Z
$ kubectl logs nosuch --tail=-5
$ kubectl logs yes --pod-running-timeout=0s
"#,
        expect![[r#"
            $ kubectl create cm x --from-literal=a=1
            configmap/x created
            $ kubectl get cm x -o yaml > f; kubectl replace --force -f f && kubectl delete cm x && kubectl create -f f && kubectl delete cm x && kubectl apply -f f
            configmap "x" deleted from default namespace
            configmap/x replaced
            configmap "x" deleted from default namespace
            configmap/x created
            configmap "x" deleted from default namespace
            configmap/x created
            $ kubectl create deploy web --image=nginx -o yaml --dry-run=client | kubectl apply -f -
            deployment.apps/web created
            $ kubectl get deploy web -o yaml | sed 's/app: web/app: Web!/; s/uid: .*//' > bad.yaml; kubectl apply --force -f bad.yaml
            The Deployment "web" is invalid: 
            * metadata.labels: Invalid value: "Web!": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')
            * spec.selector.matchLabels: Invalid value: "Web!": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')
            * spec.template.labels: Invalid value: "Web!": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')
            [exit 1]
            $ kubectl get deploy web
            NAME   READY   UP-TO-DATE   AVAILABLE   AGE
            web    0/1     1            0           0s
            $ kubectl get deploy web -o yaml | sed '/matchLabels/,/app:/s/app: web/app: other/; /template:/,$s/app: web/app: other/' > other.yaml; kubectl apply --force --cascade=orphan --timeout=10s -f other.yaml
            deployment.apps/web configured
            @settle
            $ kubectl get rs,deploy -o name | sed 's/web-.*/web-HASH/'
            replicaset.apps/web-HASH
            replicaset.apps/web-HASH
            deployment.apps/web
            $ kubectl get deploy web -o jsonpath='{.spec.selector.matchLabels}{"\n"}'
            {"app":"other"}
            $ kubectl run slow --image=nginx ; kubectl get pod slow -o yaml | sed 's/restartPolicy: Always/restartPolicy: Never/' > slow.yaml; sleep 5; kubectl apply --force -f slow.yaml 2>&1 | tail -1
            pod/slow created
            for: "slow.yaml": context deadline exceeded
            $ kubectl run a --rm -i -q --image=busybox --restart=Never --expose --port=80 -- sh -c 'echo early; sleep 5; echo late'
            service/a created
            early
            late
            $ kubectl get svc,pod --field-selector metadata.name=a
            No resources found in default namespace.
            $ echo hi | kubectl run b -i -q --leave-stdin-open --image=busybox --restart=Never -- sh -c 'sleep 4; read x; echo "$x"; exit 3'
            hi
            $ kubectl run c --attach -q --image=busybox --restart=Never -- sh -c 'sleep 3; echo why > /dev/termination-log; exit 3'
            pod default/c terminated (Error)
            why
            [exit 3]
            $ kubectl run d --attach -q --image=busybox --restart=OnFailure --pod-running-timeout=8s -- sh -c 'sleep 3; exit 3'
            error: timed out waiting for the condition
            [exit 1]
            $ kubectl run late --image=busybox --restart=Never -- sh -c 'echo it runs' && kubectl logs -f late
            pod/late created
            container "late" in pod "late" is waiting to start: ContainerCreating
            container "late" in pod "late" is waiting to start: ContainerCreating
            it runs
            $ kubectl run no --image=nosuch.example/x -l t=x && kubectl run yes --image=busybox -l t=x --restart=Never -- sh -c 'echo yes; sleep 3'
            pod/no created
            pod/yes created
            $ kubectl logs -f -l t=x --pod-running-timeout=3s 2>&1 | sort | uniq -c
                  1 container "no" in pod "no" is waiting to start: ContainerCreating
                  2 container "no" in pod "no" is waiting to start: image can't be pulled
                  2 container "yes" in pod "yes" is waiting to start: ContainerCreating
                  1 error: context deadline exceeded
                  1 yes
            $ kubectl logs -f -l t=x --ignore-errors | sort
            error: container "no" in pod "no" is waiting to start: image can't be pulled
            yes
            $ kubectl logs yes --since=300ms
            The PodLogOptions "yes" is invalid: sinceSeconds: Invalid value: 0: must be greater than 0
            [exit 1]
            $ kubectl logs yes --since=0s --since-time=2020-01-01T00:00:00Z
            yes
            $ kubectl logs yes --since=1s --since-time=2020-01-01T00:00:00Z
            error: at most one of `sinceTime` or `sinceSeconds` may be specified
            [exit 1]
            $ kubectl logs nosuch --tail=-5
            error: error from server (NotFound): pods "nosuch" not found in namespace "default"
            [exit 1]
            $ kubectl logs yes --pod-running-timeout=0s
            error: --pod-running-timeout must be higher than zero
            [exit 1]
        "#]],
    );
}

#[test]
fn the_first_pod_of_a_workload_is_waited_for() {
    check(
        r#"$ kubectl create deploy web --image=nginx --replicas=0
$ time -p kubectl logs deploy/web
$ kubectl logs deploy/web --tail=-5
$ time -p kubectl exec deploy/web --pod-running-timeout=3s -- true
$ kubectl port-forward deploy/web 80 --pod-running-timeout=1s
$ kubectl attach deploy/web --pod-running-timeout=1s
$ kubectl create svc clusterip bare --tcp=80; kubectl patch svc bare -p '{"spec":{"selector":null}}'
$ kubectl logs svc/bare
$ kubectl attach svc/bare
$ kubectl logs cm/kube-root-ca.crt
$ (sleep 2; kubectl scale deploy web --replicas=1 > /dev/null) & kubectl logs -f deploy/web --tail=1 2>&1 | sed 's/web-[^"]*/POD/'
$ kubectl get pods -o name | sed 's/web-.*/POD/'
$ kubectl logs -l app=none --limit-bytes=-1
"#,
        expect![[r#"
            $ kubectl create deploy web --image=nginx --replicas=0
            deployment.apps/web created
            $ time -p kubectl logs deploy/web
            error: timed out waiting for the condition
            real 20.07
            user 0.00
            sys 0.00
            [exit 1]
            $ kubectl logs deploy/web --tail=-5
            error: --tail must be greater than or equal to -1
            [exit 1]
            $ time -p kubectl exec deploy/web --pod-running-timeout=3s -- true
            error: timed out waiting for the condition
            real 3.07
            user 0.00
            sys 0.00
            [exit 1]
            $ kubectl port-forward deploy/web 80 --pod-running-timeout=1s
            error: timed out waiting for the condition
            [exit 1]
            $ kubectl attach deploy/web --pod-running-timeout=1s
            error: timed out waiting for the condition
            [exit 1]
            $ kubectl create svc clusterip bare --tcp=80; kubectl patch svc bare -p '{"spec":{"selector":null}}'
            service/bare created
            service/bare patched
            $ kubectl logs svc/bare
            error: cannot get the logs from *v1.Service: invalid service 'bare': Service is defined without a selector
            [exit 1]
            $ kubectl attach svc/bare
            error: cannot attach to *v1.Service: invalid service 'bare': Service is defined without a selector
            [exit 1]
            $ kubectl logs cm/kube-root-ca.crt
            error: cannot get the logs from *v1.ConfigMap: selector for *v1.ConfigMap not implemented
            [exit 1]
            $ (sleep 2; kubectl scale deploy web --replicas=1 > /dev/null) & kubectl logs -f deploy/web --tail=1 2>&1 | sed 's/web-[^"]*/POD/'
            $ kubectl get pods -o name | sed 's/web-.*/POD/'
            pod/POD
            $ kubectl logs -l app=none --limit-bytes=-1
            No resources found in default namespace.
            error: --limit-bytes must be greater than 0
            [exit 1]
        "#]],
    );
}

#[test]
fn a_container_that_joined_a_process_namespace_ends_alone() {
    check(
        r#"$ kubectl run web --image=nginx
$ kubectl run pair --image=busybox --overrides='{"spec":{"shareProcessNamespace":true,"containers":[{"name":"a","image":"busybox","command":["sleep","20"]},{"name":"b","image":"busybox","command":["sleep","600"]}]}}'
@settle
$ kubectl debug web --image=busybox --target=web -c d -- sleep 5
@wait 30
$ kubectl get pod web -o jsonpath='{.status.containerStatuses[0].restartCount} {.status.ephemeralContainerStatuses[0].state.terminated.exitCode}{"\n"}'
$ kubectl get pod pair -o jsonpath='{range .status.containerStatuses[*]}{.name} {.restartCount}{"\n"}{end}'
$ kubectl debug web --image=busybox --target=web -c e -- sleep 600
@wait 10
$ kubectl exec web -- nginx -s quit
@wait 5
$ kubectl get pod web -o jsonpath='{.status.containerStatuses[0].restartCount} {.status.ephemeralContainerStatuses[1].state.terminated.exitCode}{"\n"}'
"#,
        expect![[r#"
            $ kubectl run web --image=nginx
            pod/web created
            $ kubectl run pair --image=busybox --overrides='{"spec":{"shareProcessNamespace":true,"containers":[{"name":"a","image":"busybox","command":["sleep","20"]},{"name":"b","image":"busybox","command":["sleep","600"]}]}}'
            pod/pair created
            @settle
            $ kubectl debug web --image=busybox --target=web -c d -- sleep 5
            Targeting container "web". If you don't see processes from this container it may be because the container runtime doesn't support this feature.
            @wait 30
            $ kubectl get pod web -o jsonpath='{.status.containerStatuses[0].restartCount} {.status.ephemeralContainerStatuses[0].state.terminated.exitCode}{"\n"}'
            0 0
            $ kubectl get pod pair -o jsonpath='{range .status.containerStatuses[*]}{.name} {.restartCount}{"\n"}{end}'
            a 1
            b 0
            $ kubectl debug web --image=busybox --target=web -c e -- sleep 600
            Targeting container "web". If you don't see processes from this container it may be because the container runtime doesn't support this feature.
            @wait 10
            $ kubectl exec web -- nginx -s quit
            Defaulted container "web" out of: web, d (ephem), e (ephem)
            2026/01/01 08:00:45 [notice] 4#4: signal process started
            @wait 5
            $ kubectl get pod web -o jsonpath='{.status.containerStatuses[0].restartCount} {.status.ephemeralContainerStatuses[1].state.terminated.exitCode}{"\n"}'
            1 137
        "#]],
    );
}

#[test]
fn what_kubectl_says_without_asking_the_server() {
    check(
        r#"$ printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - {name: a, image: b, resources: {requests: {cpu: 1, memory: 1024Ki}, limits: {cpu: 1500m, memory: 1.5Gi, example.com/x: 0.5}}}\n' > p.yaml
$ printf 'p() { kubectl patch --local -f p.yaml -p "$@"; }\nj() { p "[{\\"op\\":$1}]" --type=json; }\n' > fns; cat fns
$ . ./fns; p '{"spec":{"containers":[{"image":"x"}]}}'; p '{"spec":'; p '[1]'; p null; p 7
$ . ./fns; p '{"metadata":{"labels":{"a":"b"}}}' -o jsonpath='{.metadata}{"\n"}'
$ . ./fns; p '[1]' --type=merge; p '"a"' --type=merge; p '{"a":' --type=merge; p '{"kind":null}' --type=merge
$ . ./fns; p '{"op":"x"}' --type=json; p '[1]' --type=json; p '[' --type=json
$ . ./fns; j '"test","path":"/kind","value":"X"'; j '"test","path":"/x/y","value":"X"'; j '"replace","path":"/kindx","value":1'; j '"remove","path":"/kindx"'
$ . ./fns; j '"add","path":"/a/b/c","value":1'; j '"add","path":"/spec/containers/7","value":1'; j '"bogus","path":"/a"'; j '"copy","from":"/x","path":"/y"'; j '"move","from":"/x","path":"/y"'; j '"copy","from":"/x/z","path":"/y"'; j '"move","from":"/spec/containers/3","path":"/y"'; j '"copy","from":"/kind","path":"/y/z"'
$ kubectl set env --local -f p.yaml A=1 -o yaml
$ kubectl set image --local -f p.yaml a=c -o json | grep -A12 resources
$ kubectl set env --local --from=configmap/x -f p.yaml -o yaml
$ printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {k: v}\n' > c.yaml; kubectl set env --local --from=configmap/x -f c.yaml -o yaml
$ kubectl get --raw /api x; kubectl get --raw /api -l a=b; kubectl get --raw /api --watch-only; kubectl get --raw /api -o json -w; kubectl get --raw /api -o json; kubectl get --raw api
$ kubectl get pod -o json --show-labels; kubectl get pod -o wide --show-labels; kubectl get -w 2>&1 | head -2
$ kubectl get cm --watch-only --sort-by=.metadata.name --request-timeout=1s
$ printf 'users:\n- name: a\n  user: {client-key: k.pem}\n' > kd; kubectl config view --flatten --kubeconfig=kd; printf 'users:\n- name: a\n  user: {client-key: k.pem, client-key-data: YQ==}\n' > kd; kubectl config view --flatten --kubeconfig=kd
$ printf 'users:\n- name: a\n  user: {client-key: /etc}\n' > kd; kubectl config view --flatten --kubeconfig=kd; printf hi > k.pem; printf 'users:\n- name: a\n  user: {client-key: k.pem}\n' > kd; kubectl config view --flatten --kubeconfig=kd
$ export KUBECONFIG=$PWD/kc; kubectl config set preferences.colors maybe; kubectl config set preferences.colors true; kubectl config view; kubectl config unset preferences.colors; kubectl config view; kubectl config set preferences.bogus true; unset KUBECONFIG
$ kubectl create secret generic s --from-literal=a=1 --from-literal=a=2 --dry-run=client; kubectl create secret generic s --from-literal=a/b=1 --dry-run=client; kubectl create secret generic s --from-env-file=/etc --dry-run=client
$ for k in . .. ..a a/b; do kubectl create cm c --from-literal=$k=1 --dry-run=client; done; kubectl create cm c --from-literal=a=1 --from-literal=a=2 --dry-run=client
$ printf '\377=1\n' > e; kubectl create cm c --from-env-file=e --dry-run=client; printf '\357\273\277A=1\nB=2\n' > e; kubectl create cm c --from-env-file=e --dry-run=client -o jsonpath='{.data}{"\n"}'
$ for i in a@sha256:x a..b a._b a_-b a:-x a:.x; do kubectl run x --image=$i --dry-run=client; done; kubectl debug x --image=a..b
$ kubectl debug x --image=b --custom=/etc; kubectl debug x --image=b --custom=nosuch
$ kubectl version --client x; kubectl version x; kubectl annotate --local -f p.yaml a=b --list -o yaml
$ for t in -1:2 1:2:3 x 70000 1:-2 1: +1; do kubectl create svc clusterip a --tcp=$t --dry-run=client -o jsonpath='{.spec.ports}{"\n"}'; done
$ mkdir k && cd k && printf 'buildMetadata: [originAnnotations]\nconfigMapGenerator:\n- name: a\n  literals: [a=b]\n' > kustomization.yaml && kubectl kustomize .
$ kubectl kuberc set --section aliases --name nodes --command get --prependarg nodes --option no-headers=true; kubectl kuberc set --section defaults --command get --option output=name; kubectl kuberc view -o json
"#,
        expect![[r#"
            $ printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - {name: a, image: b, resources: {requests: {cpu: 1, memory: 1024Ki}, limits: {cpu: 1500m, memory: 1.5Gi, example.com/x: 0.5}}}\n' > p.yaml
            $ printf 'p() { kubectl patch --local -f p.yaml -p "$@"; }\nj() { p "[{\\"op\\":$1}]" --type=json; }\n' > fns; cat fns
            p() { kubectl patch --local -f p.yaml -p "$@"; }
            j() { p "[{\"op\":$1}]" --type=json; }
            $ . ./fns; p '{"spec":{"containers":[{"image":"x"}]}}'; p '{"spec":'; p '[1]'; p null; p 7
            error: map: map[image:x] does not contain declared merge key: name
            error: invalid JSON document
            error: invalid JSON document
            pod/a patched (no change)
            error: invalid JSON document
            [exit 1]
            $ . ./fns; p '{"metadata":{"labels":{"a":"b"}}}' -o jsonpath='{.metadata}{"\n"}'
            {"labels":{"a":"b"},"name":"a"}
            $ . ./fns; p '[1]' --type=merge; p '"a"' --type=merge; p '{"a":' --type=merge; p '{"kind":null}' --type=merge
            error: json: cannot unmarshal array into Go value of type unstructured.detector
            error: Invalid JSON Patch
            error: Invalid JSON Patch
            error: Object 'Kind' is missing in '{"apiVersion":"v1","metadata":{"name":"a"},"spec":{"containers":[{"image":"b","name":"a","resources":{"limits":{"cpu":"1500m","example.com/x":0.5,"memory":"1.5Gi"},"requests":{"cpu":1,"memory":"1024Ki"}}}]}}'
            [exit 1]
            $ . ./fns; p '{"op":"x"}' --type=json; p '[1]' --type=json; p '[' --type=json
            error: json: cannot unmarshal object into Go value of type jsonpatch.Patch
            error: json: cannot unmarshal number into Patch.0 of type jsonpatch.Operation
            error: unable to parse "[": yaml: line 1: did not find expected node content
            [exit 1]
            $ . ./fns; j '"test","path":"/kind","value":"X"'; j '"test","path":"/x/y","value":"X"'; j '"replace","path":"/kindx","value":1'; j '"remove","path":"/kindx"'
            error: testing value /kind failed: test failed
            error: test operation does not apply: is missing path: /x/y: missing value
            error: Object to be patched is missing field (/kindx: missing value)
            error: error in remove for path: '/kindx': unable to remove nonexistent key: kindx: missing value
            [exit 1]
            $ . ./fns; j '"add","path":"/a/b/c","value":1'; j '"add","path":"/spec/containers/7","value":1'; j '"bogus","path":"/a"'; j '"copy","from":"/x","path":"/y"'; j '"move","from":"/x","path":"/y"'; j '"copy","from":"/x/z","path":"/y"'; j '"move","from":"/spec/containers/3","path":"/y"'; j '"copy","from":"/kind","path":"/y/z"'
            error: add operation does not apply: doc is missing path: "/a/b/c": missing value
            error: error in add for path: '/spec/containers/7': Unable to access invalid index: 7: invalid index referenced
            error: invalid operation {"op":"bogus","path":"/a"}: unsupported operation
            error: error in copy for from: '/x': unable to get nonexistent key: x: missing value
            error: error in move for path: 'x': unable to get nonexistent key: x: missing value
            error: copy operation does not apply: doc is missing from path: /x/z: missing value
            error: error in move for path: '3': Unable to access invalid index: 3: invalid index referenced
            error: copy operation does not apply: doc is missing destination path: /y/z: missing value
            [exit 1]
            $ kubectl set env --local -f p.yaml A=1 -o yaml
            apiVersion: v1
            kind: Pod
            metadata:
              name: a
            spec:
              containers:
              - env:
                - name: A
                  value: "1"
                image: b
                name: a
                resources:
                  limits:
                    cpu: 1500m
                    example.com/x: 500m
                    memory: 1536Mi
                  requests:
                    cpu: "1"
                    memory: 1Mi
            status: {}
            $ kubectl set image --local -f p.yaml a=c -o json | grep -A12 resources
                            "resources": {
                                "limits": {
                                    "cpu": "1500m",
                                    "example.com/x": "500m",
                                    "memory": "1536Mi"
                                },
                                "requests": {
                                    "cpu": "1",
                                    "memory": "1Mi"
                                }
                            }
                        }
                    ]
            $ kubectl set env --local --from=configmap/x -f p.yaml -o yaml
            error: unsupported resource specified in --from
            [exit 1]
            $ printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {k: v}\n' > c.yaml; kubectl set env --local --from=configmap/x -f c.yaml -o yaml
            Warning: key k transferred to K
            error: configmap/c the object is not a pod or does not have a pod template: *v1.ConfigMap
            [exit 1]
            $ kubectl get --raw /api x; kubectl get --raw /api -l a=b; kubectl get --raw /api --watch-only; kubectl get --raw /api -o json -w; kubectl get --raw /api -o json; kubectl get --raw api
            error: arguments may not be passed when --raw is specified
            error: --raw may not be specified with other flags that filter the server request or alter the output
            error: --raw may not be specified with other flags that filter the server request or alter the output
            error: --raw may not be specified with other flags that filter the server request or alter the output
            error: --raw and --output are mutually exclusive
            error: --raw must be a valid URL path: parse "api": invalid URI for request
            [exit 1]
            $ kubectl get pod -o json --show-labels; kubectl get pod -o wide --show-labels; kubectl get -w 2>&1 | head -2
            error: --show-labels option cannot be used with json printer
            No resources found in default namespace.
            error: You must provide one or more resources by argument or filename.
            Example resource specifications include:
            $ kubectl get cm --watch-only --sort-by=.metadata.name --request-timeout=1s
            warning: --watch-only requested, --sort-by will be ignored
            $ printf 'users:\n- name: a\n  user: {client-key: k.pem}\n' > kd; kubectl config view --flatten --kubeconfig=kd; printf 'users:\n- name: a\n  user: {client-key: k.pem, client-key-data: YQ==}\n' > kd; kubectl config view --flatten --kubeconfig=kd
            error: open /root/k.pem: no such file or directory
            error: cannot have values for both path and contents
            [exit 1]
            $ printf 'users:\n- name: a\n  user: {client-key: /etc}\n' > kd; kubectl config view --flatten --kubeconfig=kd; printf hi > k.pem; printf 'users:\n- name: a\n  user: {client-key: k.pem}\n' > kd; kubectl config view --flatten --kubeconfig=kd
            error: read /etc: is a directory
            users:
            - name: a
              user:
                client-key-data: aGk=
            $ export KUBECONFIG=$PWD/kc; kubectl config set preferences.colors maybe; kubectl config set preferences.colors true; kubectl config view; kubectl config unset preferences.colors; kubectl config view; kubectl config set preferences.bogus true; unset KUBECONFIG
            error: strconv.ParseBool: parsing "maybe": invalid syntax
            Property "preferences.colors" set.
            apiVersion: v1
            clusters: null
            contexts: null
            current-context: ""
            kind: Config
            preferences:
              colors: true
            users: null
            Property "preferences.colors" unset.
            apiVersion: v1
            clusters: null
            contexts: null
            current-context: ""
            kind: Config
            users: null
            error: unable to parse preferences.bogus after [] at api.Preferences
            $ kubectl create secret generic s --from-literal=a=1 --from-literal=a=2 --dry-run=client; kubectl create secret generic s --from-literal=a/b=1 --dry-run=client; kubectl create secret generic s --from-env-file=/etc --dry-run=client
            error: cannot add key a, another key by that name already exists
            error: "a/b" is not valid key name for a Secret a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')
            error: env secret file cannot be a directory
            [exit 1]
            $ for k in . .. ..a a/b; do kubectl create cm c --from-literal=$k=1 --dry-run=client; done; kubectl create cm c --from-literal=a=1 --from-literal=a=2 --dry-run=client
            error: "." is not a valid key name for a ConfigMap: must not be '.'
            error: ".." is not a valid key name for a ConfigMap: must not be '..'
            error: "..a" is not a valid key name for a ConfigMap: must not start with '..'
            error: "a/b" is not a valid key name for a ConfigMap: a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')
            error: cannot add key "a", another key by that name already exists in Data for ConfigMap "c"
            [exit 1]
            $ printf '\377=1\n' > e; kubectl create cm c --from-env-file=e --dry-run=client; printf '\357\273\277A=1\nB=2\n' > e; kubectl create cm c --from-env-file=e --dry-run=client -o jsonpath='{.data}{"\n"}'
            error: env file e contains invalid utf8 bytes at line 1: [255 61 49]
            {"A":"1","B":"2"}
            $ for i in a@sha256:x a..b a._b a_-b a:-x a:.x; do kubectl run x --image=$i --dry-run=client; done; kubectl debug x --image=a..b
            error: Invalid image name "a@sha256:x": invalid reference format
            error: Invalid image name "a..b": invalid reference format
            error: Invalid image name "a._b": invalid reference format
            error: Invalid image name "a_-b": invalid reference format
            error: Invalid image name "a:-x": invalid reference format
            error: Invalid image name "a:.x": invalid reference format
            error: invalid image name "a..b": invalid reference format
            [exit 1]
            $ kubectl debug x --image=b --custom=/etc; kubectl debug x --image=b --custom=nosuch
            error: must pass a container spec json file for custom profile: read /etc: is a directory
            error: must pass a container spec json file for custom profile: open nosuch: no such file or directory
            [exit 1]
            $ kubectl version --client x; kubectl version x; kubectl annotate --local -f p.yaml a=b --list -o yaml
            Client Version: v1.36.2
            Kustomize Version: v5.8.1
            error: extra arguments: [x]
            a=b
            $ for t in -1:2 1:2:3 x 70000 1:-2 1: +1; do kubectl create svc clusterip a --tcp=$t --dry-run=client -o jsonpath='{.spec.ports}{"\n"}'; done
            error: strconv.ParseUint: parsing "-1": invalid syntax
            [{"name":"1-2-3","port":1,"protocol":"TCP","targetPort":2}]
            error: strconv.ParseUint: parsing "x": invalid syntax
            error: strconv.ParseUint: parsing "70000": value out of range
            error: must be between 1 and 65535, inclusive
            error: must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-),must contain at least one letter (a-z)
            error: strconv.ParseUint: parsing "+1": invalid syntax
            [exit 1]
            $ mkdir k && cd k && printf 'buildMetadata: [originAnnotations]\nconfigMapGenerator:\n- name: a\n  literals: [a=b]\n' > kustomization.yaml && kubectl kustomize .
            apiVersion: v1
            data:
              a: b
            kind: ConfigMap
            metadata:
              annotations:
                config.kubernetes.io/origin: |
                  configuredIn: kustomization.yaml
                  configuredBy:
                    apiVersion: builtin
                    kind: ConfigMapGenerator
              name: a-4h2mbtbbt6
            $ kubectl kuberc set --section aliases --name nodes --command get --prependarg nodes --option no-headers=true; kubectl kuberc set --section defaults --command get --option output=name; kubectl kuberc view -o json
            Updated /root/.kube/kuberc
            Updated /root/.kube/kuberc
            {
                "kind": "Preference",
                "apiVersion": "kubectl.config.k8s.io/v1beta1",
                "defaults": [
                    {
                        "command": "get",
                        "options": [
                            {
                                "name": "output",
                                "default": "name"
                            }
                        ]
                    }
                ],
                "aliases": [
                    {
                        "name": "nodes",
                        "command": "get",
                        "prependArgs": [
                            "nodes"
                        ],
                        "options": [
                            {
                                "name": "no-headers",
                                "default": "true"
                            }
                        ]
                    }
                ]
            }
        "#]],
    );
}

#[test]
fn what_the_server_does_not_serve() {
    check(
        r#"$ kubectl get cm --field-selector foo=bar
$ kubectl get jobs --field-selector foo=bar
$ kubectl get pods -A --field-selector spec.host=k8s-master -o name | head -2
$ kubectl delete --raw /api/v1/pods
$ kubectl delete --raw /api/v1/namespaces
$ kubectl get --raw '/api/v1/pods?limit=abc'
$ kubectl get --raw '/api/v1/pods?continue=foo'
$ kubectl get --raw '/api/v1/pods?limit=1&resourceVersion=99999999&resourceVersionMatch=NotOlderThan'
$ kubectl get lease -n kube-node-lease k8s-node-01 -o json | grep -v resourceVersion > l.json; kubectl replace --raw /apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/k8s-node-01 -f l.json
$ kubectl patch cm -n kube-system coredns -p '{"metadata":{"uid":"b"}}'
$ kubectl get pods -A -o name | wc -l
"#,
        expect![[r#"
            $ kubectl get cm --field-selector foo=bar
            Error from server (BadRequest): Unable to find "/v1, Resource=configmaps" that match label selector "", field selector "foo=bar": "foo" is not a known field selector: only "metadata.name", "metadata.namespace"
            [exit 1]
            $ kubectl get jobs --field-selector foo=bar
            Error from server (BadRequest): Unable to find "batch/v1, Resource=jobs" that match label selector "", field selector "foo=bar": field label "foo" not supported for batchv1.Job
            [exit 1]
            $ kubectl get pods -A --field-selector spec.host=k8s-master -o name | head -2
            pod/kube-flannel-ds-xp9nh
            pod/coredns-589f44dc88-7zbld
            $ kubectl delete --raw /api/v1/pods
            Error from server (MethodNotAllowed): the server does not allow this method on the requested resource
            [exit 1]
            $ kubectl delete --raw /api/v1/namespaces
            Error from server (MethodNotAllowed): the server does not allow this method on the requested resource
            [exit 1]
            $ kubectl get --raw '/api/v1/pods?limit=abc'
            Error from server (BadRequest): strconv.ParseInt: parsing "abc": invalid syntax
            [exit 1]
            $ kubectl get --raw '/api/v1/pods?continue=foo'
            Error from server (BadRequest): invalid continue token: continue key is not valid: invalid character '~' looking for beginning of value
            [exit 1]
            $ kubectl get --raw '/api/v1/pods?limit=1&resourceVersion=99999999&resourceVersionMatch=NotOlderThan'
            Error from server (Timeout): Timeout: Too large resource version: 99999999, current: 388
            [exit 1]
            $ kubectl get lease -n kube-node-lease k8s-node-01 -o json | grep -v resourceVersion > l.json; kubectl replace --raw /apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/k8s-node-01 -f l.json
            The leases "k8s-node-01" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update
            [exit 1]
            $ kubectl patch cm -n kube-system coredns -p '{"metadata":{"uid":"b"}}'
            The ConfigMap "coredns" is invalid: metadata.uid: Invalid value: "b": field is immutable
            [exit 1]
            $ kubectl get pods -A -o name | wc -l
            12
        "#]],
    );
}
