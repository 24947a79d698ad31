//! What students of courses and readers of books do in containers, beyond the tasks of Kubernetes' documentation.

use expect_test::expect;

mod scenario;

use scenario::check;

#[test]
fn a_changed_image_restarts_a_container_whatever_its_restart_policy_says() {
    check(
        r#"$ kubectl run web --image=nginx:1.25 --restart=Never
@settle
$ kubectl set image pod/web web=nginx:1.27
@wait 5
$ kubectl get pod web --no-headers | awk '{print $2, $3, $4}'
$ kubectl get pod web -o jsonpath='{.status.phase} {.status.containerStatuses[0].state.running.startedAt}{"\n"}' | cut -dT -f1
$ kubectl get events --field-selector reason=Killing -o jsonpath='{.items[0].message}{"\n"}'
$ kubectl set image pod/web web=nginx:nosuch
@wait 5
$ kubectl get pod web --no-headers | awk '{print $2, $3, $4}'
"#,
        expect![[r#"
            $ kubectl run web --image=nginx:1.25 --restart=Never
            pod/web created
            @settle
            $ kubectl set image pod/web web=nginx:1.27
            pod/web image updated
            @wait 5
            $ kubectl get pod web --no-headers | awk '{print $2, $3, $4}'
            1/1 Running 1
            $ kubectl get pod web -o jsonpath='{.status.phase} {.status.containerStatuses[0].state.running.startedAt}{"\n"}' | cut -dT -f1
            Running 2026-01-01
            $ kubectl get events --field-selector reason=Killing -o jsonpath='{.items[0].message}{"\n"}'
            Container web definition changed, will be restarted
            $ kubectl set image pod/web web=nginx:nosuch
            pod/web image updated
            @wait 5
            $ kubectl get pod web --no-headers | awk '{print $2, $3, $4}'
            0/1 Completed 1
        "#]],
    );
}

#[test]
fn nginx_gives_up_where_it_may_not_write() {
    check(
        r#"
@file pods.yaml
apiVersion: v1
kind: Pod
metadata: {name: closed}
spec:
  restartPolicy: Never
  volumes: [{name: cache, emptyDir: {}}, {name: run, emptyDir: {}}]
  containers:
  - {name: frozen, image: nginx, securityContext: {readOnlyRootFilesystem: true}}
  - {name: powerless, image: nginx, securityContext: {capabilities: {drop: [ALL]}}}
  - {name: nobody, image: nginx, securityContext: {runAsUser: 101}}
  - name: cached
    image: nginx
    securityContext: {runAsUser: 101}
    volumeMounts: [{name: cache, mountPath: /var/cache/nginx}]
  - {name: chown, image: busybox, args: [sh, -c, 'chown mail /tmp; date -s 12:00:00 +%T'], securityContext: {capabilities: {drop: [CHOWN]}}}
  - {name: owner, image: busybox, args: [sh, -c, 'chown mail:8 /tmp; chmod 700 /tmp; ls -ld /tmp; ls /tmp'], securityContext: {capabilities: {drop: [DAC_OVERRIDE]}}}
---
apiVersion: v1
kind: Pod
metadata: {name: open}
spec:
  volumes: [{name: cache, emptyDir: {}}, {name: run, emptyDir: {}}]
  containers:
  - name: frozen
    image: nginx
    securityContext: {readOnlyRootFilesystem: true}
    volumeMounts: [{name: cache, mountPath: /var/cache/nginx}, {name: run, mountPath: /var/run}]
  - {name: apart, image: nginxinc/nginx-unprivileged}
@end
$ kubectl apply -f pods.yaml
@wait 30
$ for c in frozen powerless nobody cached chown owner; do echo "== $c"; kubectl logs closed -c $c | grep -v -e docker-entrypoint.sh -e notice; done
$ kubectl get pod closed -o jsonpath='{range .status.containerStatuses[*]}{.name} {.state.terminated.exitCode}{"\n"}{end}'
$ kubectl exec open -- sh -c 'ls /var/cache/nginx; cat /run/nginx.pid; curl -sI localhost | head -n 1; curl -sI localhost:8080 | head -n 1' | tr -d '\r'
"#,
        expect![[r#"

            @file pods.yaml
            $ kubectl apply -f pods.yaml
            pod/closed created
            pod/open created
            @wait 30
            $ for c in frozen powerless nobody cached chown owner; do echo "== $c"; kubectl logs closed -c $c | grep -v -e docker-entrypoint.sh -e notice; done
            == frozen
            10-listen-on-ipv6-by-default.sh: info: can not modify /etc/nginx/conf.d/default.conf (read-only file system?)
            2026/01/01 08:00:01 [emerg] 1#1: mkdir() "/var/cache/nginx/client_temp" failed (30: Read-only file system)
            nginx: [emerg] mkdir() "/var/cache/nginx/client_temp" failed (30: Read-only file system)
            == powerless
            10-listen-on-ipv6-by-default.sh: info: Getting the checksum of /etc/nginx/conf.d/default.conf
            10-listen-on-ipv6-by-default.sh: info: Enabled listen on IPv6 in /etc/nginx/conf.d/default.conf
            2026/01/01 08:00:02 [emerg] 1#1: chown("/var/cache/nginx/client_temp", 101) failed (1: Operation not permitted)
            nginx: [emerg] chown("/var/cache/nginx/client_temp", 101) failed (1: Operation not permitted)
            == nobody
            10-listen-on-ipv6-by-default.sh: info: can not modify /etc/nginx/conf.d/default.conf (read-only file system?)
            2026/01/01 08:00:03 [warn] 1#1: the "user" directive makes sense only if the master process runs with super-user privileges, ignored in /etc/nginx/nginx.conf:2
            nginx: [warn] the "user" directive makes sense only if the master process runs with super-user privileges, ignored in /etc/nginx/nginx.conf:2
            2026/01/01 08:00:03 [emerg] 1#1: mkdir() "/var/cache/nginx/client_temp" failed (13: Permission denied)
            nginx: [emerg] mkdir() "/var/cache/nginx/client_temp" failed (13: Permission denied)
            == cached
            10-listen-on-ipv6-by-default.sh: info: can not modify /etc/nginx/conf.d/default.conf (read-only file system?)
            2026/01/01 08:00:04 [warn] 1#1: the "user" directive makes sense only if the master process runs with super-user privileges, ignored in /etc/nginx/nginx.conf:2
            nginx: [warn] the "user" directive makes sense only if the master process runs with super-user privileges, ignored in /etc/nginx/nginx.conf:2
            2026/01/01 08:00:04 [emerg] 1#1: open() "/run/nginx.pid" failed (13: Permission denied)
            nginx: [emerg] open() "/run/nginx.pid" failed (13: Permission denied)
            == chown
            chown: /tmp: Operation not permitted
            date: can't set date: Operation not permitted
            12:00:00
            == owner
            drwx------    2 mail     mail          4096 Oct 28 12:05 /tmp
            ls: can't open '/tmp': Permission denied
            $ kubectl get pod closed -o jsonpath='{range .status.containerStatuses[*]}{.name} {.state.terminated.exitCode}{"\n"}{end}'
            cached 1
            chown 1
            frozen 1
            nobody 1
            owner 1
            powerless 1
            $ kubectl exec open -- sh -c 'ls /var/cache/nginx; cat /run/nginx.pid; curl -sI localhost | head -n 1; curl -sI localhost:8080 | head -n 1' | tr -d '\r'
            Defaulted container "frozen" out of: frozen, apart
            client_temp
            fastcgi_temp
            proxy_temp
            scgi_temp
            uwsgi_temp
            1
            HTTP/1.1 200 OK
            HTTP/1.1 200 OK
        "#]],
    );
}

#[test]
fn a_sidecar_reads_the_logs_that_a_volume_takes() {
    check(
        r#"
@file pod.yaml
apiVersion: v1
kind: Pod
metadata: {name: side}
spec:
  volumes: [{name: logs, emptyDir: {}}]
  containers:
  - {name: web, image: nginx, volumeMounts: [{name: logs, mountPath: /var/log/nginx}]}
  - name: reader
    image: busybox
    args: [sh, -c, tail -n+1 -F /var/log/nginx/access.log]
    volumeMounts: [{name: logs, mountPath: /var/log/nginx}]
@end
$ kubectl apply -f pod.yaml
@settle
$ kubectl exec side -c web -- sh -c 'curl -so /dev/null localhost; curl -so /dev/null localhost/nosuch; ls /var/log/nginx'
@wait 5
$ kubectl logs side -c web | tail -n 1; kubectl logs side -c reader | cut -d' ' -f6-9
$ kubectl exec side -c reader -- sh -c 'grep -c notice /var/log/nginx/error.log; grep error /var/log/nginx/error.log | cut -d, -f1'
"#,
        expect![[r#"

            @file pod.yaml
            $ kubectl apply -f pod.yaml
            pod/side created
            @settle
            $ kubectl exec side -c web -- sh -c 'curl -so /dev/null localhost; curl -so /dev/null localhost/nosuch; ls /var/log/nginx'
            access.log
            error.log
            @wait 5
            $ kubectl logs side -c web | tail -n 1; kubectl logs side -c reader | cut -d' ' -f6-9
            /docker-entrypoint.sh: Configuration complete; ready for start up
            "GET / HTTP/1.1" 200
            "GET /nosuch HTTP/1.1" 404
            $ kubectl exec side -c reader -- sh -c 'grep -c notice /var/log/nginx/error.log; grep error /var/log/nginx/error.log | cut -d, -f1'
            8
            2026/01/01 08:00:05 [error] 29#29: *1 open() "/usr/share/nginx/html/nosuch" failed (2: No such file or directory)
        "#]],
    );
}

#[test]
fn a_box_of_tools_asks_as_exercises_have_it_ask() {
    check(
        r#"$ kubectl run web --image=nginx --port=80 --expose
@settle
$ kubectl run bb --image=busybox --rm -i --restart=Never -- wget -qO- web --timeout 2 | head -n 2
$ kubectl run bb --image=busybox --rm -i --restart=Never -- wget --quiet --output-document=- --header 'A: b' --tries 1 --nosuch=1 web
$ kubectl run bb --image=busybox --rm -i --restart=Never -- sh -c 'test -n "$RANDOM" && echo luck; id www-data; id nosuch'
$ for to in web:80 web:81 nosuch:80; do kubectl run t --image=registry.k8s.io/e2e-test-images/agnhost:2.39 --rm -i --restart=Never -- connect $to --timeout=1s; done
$ kubectl run r --image=redis:7.2 --rm -i --restart=Never -- redis-server --version | head -n 1 | cut -c1-14
"#,
        expect![[r#"
            $ kubectl run web --image=nginx --port=80 --expose
            service/web created
            pod/web created
            @settle
            $ kubectl run bb --image=busybox --rm -i --restart=Never -- wget -qO- web --timeout 2 | head -n 2
            <!DOCTYPE html>
            <html>
            $ kubectl run bb --image=busybox --rm -i --restart=Never -- wget --quiet --output-document=- --header 'A: b' --tries 1 --nosuch=1 web
            wget: unrecognized option '--nosuch=1'
            pod "bb" deleted from default namespace
            pod default/bb terminated (Error)
            [exit 1]
            $ kubectl run bb --image=busybox --rm -i --restart=Never -- sh -c 'test -n "$RANDOM" && echo luck; id www-data; id nosuch'
            luck
            uid=33(www-data) gid=33(www-data) groups=33(www-data)
            id: unknown user nosuch
            pod "bb" deleted from default namespace
            pod default/bb terminated (Error)
            [exit 1]
            $ for to in web:80 web:81 nosuch:80; do kubectl run t --image=registry.k8s.io/e2e-test-images/agnhost:2.39 --rm -i --restart=Never -- connect $to --timeout=1s; done
            pod "t" deleted from default namespace
            All commands and output from this session will be recorded in container logs, including credentials and sensitive information passed through the command prompt.
            If you don't see a command prompt, try pressing enter.
            TIMEOUT
            pod "t" deleted from default namespace
            pod default/t terminated (Error)
            DNS: lookup nosuch: no such host
            pod "t" deleted from default namespace
            pod default/t terminated (Error)
            [exit 1]
            $ kubectl run r --image=redis:7.2 --rm -i --restart=Never -- redis-server --version | head -n 1 | cut -c1-14
            Redis server v
        "#]],
    );
}

#[test]
fn busybox_is_one_program() {
    check(
        r#"$ kubectl run bb --image=busybox:1.36.1 -- sleep 9999
@settle
$ kubectl exec bb -- sh -c 'busybox | head -n 1; busybox echo hi; busybox nosuch; ls -d /lib64; top -bn1'
"#,
        expect![[r#"
            $ kubectl run bb --image=busybox:1.36.1 -- sleep 9999
            pod/bb created
            @settle
            $ kubectl exec bb -- sh -c 'busybox | head -n 1; busybox echo hi; busybox nosuch; ls -d /lib64; top -bn1'
            BusyBox v1.36.1 (2024-09-26 21:31:42 UTC) multi-call binary.
            hi
            nosuch: applet not found
            /lib64
            top: what each process uses is not simulated; see `ps` for the processes, and `kubectl top pod` for what a container uses
            command terminated with exit code 1
            [exit 1]
        "#]],
    );
}

#[test]
fn small_applications_of_courses_answer() {
    check(
        r#"$ kubectl run kat --image=katacoda/docker-http-server; kubectl run env --image=jpetazzo/httpenv --env=GREETING=hello
$ kubectl run boot --image=quay.io/rhdevelopers/myboot:v2; kubectl run tool --image=wbitt/network-multitool
$ kubectl run pet --image=luksa/kubia-pet; kubectl run ill --image=luksa/kubia-unhealthy; kubectl run v3 --image=luksa/kubia:v3
$ kubectl run fortune --image=luksa/fortune:args -- 3; kubectl run echo --image=kicbase/echo-server:1.0
$ kubectl run info --image=stefanprodan/podinfo:6.5.0; kubectl run kuard --image=gcr.io/kuar-demo/kuard-amd64:blue
$ kubectl run py --image=python:3.12-alpine -- python -m http.server 80; kubectl run who --image=traefik/whoami
$ kubectl run php --image=php:8.2-apache; kubectl run old --image=k8s.gcr.io/echoserver:1.4; kubectl run ecr --image=public.ecr.aws/docker/library/httpd:2.4
@settle
$ kubectl get pods --no-headers | awk '$3 != "Running"'
$ at() { curl -s $(kubectl get pod $1 -o jsonpath={.status.podIP}):$2; }; at kat 80; at env 8888 | grep -o '"GREETING":"hello"'; at boot 8080; at boot 8080; at tool 80 | cut -c1-40
$ pet=$(kubectl get pod pet -o jsonpath={.status.podIP}):8080; curl -s $pet; curl -s -X POST -d 'Hey there!' $pet; curl -s $pet
$ for pod in ill v3; do for i in 1 2 3 4 5 6; do curl -s $(kubectl get pod $pod -o jsonpath={.status.podIP}):8080; done | tail -n 2; done
$ kubectl logs fortune | head -n 1; kubectl exec fortune -- grep -c lucky /var/htdocs/index.html
$ curl -s $(kubectl get pod echo -o jsonpath={.status.podIP}):8080/a?b | grep -v Host
$ info=$(kubectl get pod info -o jsonpath={.status.podIP}):9898; curl -s $info | grep message; curl -s $info/readyz; kubectl exec info -- podcli check http localhost:9898/healthz && echo well
$ curl -s $(kubectl get pod kuard -o jsonpath={.status.podIP}):8080/healthy
$ kubectl exec py -- sh -c 'mkdir /srv/www; cd /srv/www; echo one > a.txt; python3 -m http.server 8080 & sleep 1; wget -qO- localhost:8080 | grep href; wget -qO- localhost:8080/a.txt'
$ curl -s $(kubectl get pod who -o jsonpath={.status.podIP}) | grep -c Host:
$ curl -s $(kubectl get pod old -o jsonpath={.status.podIP}):8080 | grep -e request_uri -e host= | sed 's/10[.0-9]*/IP/'
$ kubectl get pod ecr -o jsonpath='{.status.containerStatuses[0].imageID}{"\n"}' | cut -d@ -f1; kubectl exec ecr -- sh -c 'httpd -v; httpd -t; pwd; ls'
$ kubectl run go --image=golang --restart=Never -- go version; kubectl run sql --image=postgres --env=POSTGRES_PASSWORD=x
@settle
$ kubectl logs go; kubectl exec sql -- psql -c 'select 1'; kubectl exec py -- python -c 'print(1)'
$ kubectl exec tool -- sh -c 'nc -zvw2 localhost 80; tcpdump -i eth0'
"#,
        expect![[r#"
            $ kubectl run kat --image=katacoda/docker-http-server; kubectl run env --image=jpetazzo/httpenv --env=GREETING=hello
            pod/kat created
            pod/env created
            $ kubectl run boot --image=quay.io/rhdevelopers/myboot:v2; kubectl run tool --image=wbitt/network-multitool
            pod/boot created
            pod/tool created
            $ kubectl run pet --image=luksa/kubia-pet; kubectl run ill --image=luksa/kubia-unhealthy; kubectl run v3 --image=luksa/kubia:v3
            pod/pet created
            pod/ill created
            pod/v3 created
            $ kubectl run fortune --image=luksa/fortune:args -- 3; kubectl run echo --image=kicbase/echo-server:1.0
            pod/fortune created
            pod/echo created
            $ kubectl run info --image=stefanprodan/podinfo:6.5.0; kubectl run kuard --image=gcr.io/kuar-demo/kuard-amd64:blue
            pod/info created
            pod/kuard created
            $ kubectl run py --image=python:3.12-alpine -- python -m http.server 80; kubectl run who --image=traefik/whoami
            pod/py created
            pod/who created
            $ kubectl run php --image=php:8.2-apache; kubectl run old --image=k8s.gcr.io/echoserver:1.4; kubectl run ecr --image=public.ecr.aws/docker/library/httpd:2.4
            pod/php created
            pod/old created
            pod/ecr created
            @settle
            $ kubectl get pods --no-headers | awk '$3 != "Running"'
            $ at() { curl -s $(kubectl get pod $1 -o jsonpath={.status.podIP}):$2; }; at kat 80; at env 8888 | grep -o '"GREETING":"hello"'; at boot 8080; at boot 8080; at tool 80 | cut -c1-40
            <h1>This request was processed by host: kat</h1>
            "GREETING":"hello"
            Bonjour from Spring Boot! 0 on boot
            Bonjour from Spring Boot! 1 on boot
            WBITT Network MultiTool (with NGINX) - t
            $ pet=$(kubectl get pod pet -o jsonpath={.status.podIP}):8080; curl -s $pet; curl -s -X POST -d 'Hey there!' $pet; curl -s $pet
            You've hit pet
            Data stored on this pod: No data posted yet
            Data stored on pod pet
            You've hit pet
            Data stored on this pod: Hey there!
            $ for pod in ill v3; do for i in 1 2 3 4 5 6; do curl -s $(kubectl get pod $pod -o jsonpath={.status.podIP}):8080; done | tail -n 2; done
            You've hit ill
            I'm not well. Please restart me!
            This is v3 running in pod v3
            Some internal error has occurred! This is pod v3
            $ kubectl logs fortune | head -n 1; kubectl exec fortune -- grep -c lucky /var/htdocs/index.html
            Configured to generate new fortune every 3 seconds
            1
            $ curl -s $(kubectl get pod echo -o jsonpath={.status.podIP}):8080/a?b | grep -v Host
            Request served by echo

            HTTP/1.1 GET /a?b

            User-Agent: curl/8.14.1
            Accept: */*
            $ info=$(kubectl get pod info -o jsonpath={.status.podIP}):9898; curl -s $info | grep message; curl -s $info/readyz; kubectl exec info -- podcli check http localhost:9898/healthz && echo well
              "message": "greetings from podinfo v6.5.0",
            {
              "status": "OK"
            }
            well
            $ curl -s $(kubectl get pod kuard -o jsonpath={.status.podIP}):8080/healthy
            ok
            $ kubectl exec py -- sh -c 'mkdir /srv/www; cd /srv/www; echo one > a.txt; python3 -m http.server 8080 & sleep 1; wget -qO- localhost:8080 | grep href; wget -qO- localhost:8080/a.txt'
            Serving HTTP on 0.0.0.0 port 8080 (http://0.0.0.0:8080/) ...
            10.244.1.7 - - [01/Jan/2026 08:00:14] "GET / HTTP/1.1" 200 -
            <li><a href="a.txt">a.txt</a></li>
            10.244.1.7 - - [01/Jan/2026 08:00:14] "GET /a.txt HTTP/1.1" 200 -
            one
            $ curl -s $(kubectl get pod who -o jsonpath={.status.podIP}) | grep -c Host:
            1
            $ curl -s $(kubectl get pod old -o jsonpath={.status.podIP}):8080 | grep -e request_uri -e host= | sed 's/10[.0-9]*/IP/'
            	request_uri=http://IP:8080/
            	host=IP:8080
            $ kubectl get pod ecr -o jsonpath='{.status.containerStatuses[0].imageID}{"\n"}' | cut -d@ -f1; kubectl exec ecr -- sh -c 'httpd -v; httpd -t; pwd; ls'
            public.ecr.aws/docker/library/httpd
            Server version: Apache/2.4.65 (Unix)
            Syntax OK
            /usr/local/apache2
            bin
            build
            cgi-bin
            conf
            error
            htdocs
            icons
            include
            logs
            modules
            $ kubectl run go --image=golang --restart=Never -- go version; kubectl run sql --image=postgres --env=POSTGRES_PASSWORD=x
            pod/go created
            pod/sql created
            @settle
            $ kubectl logs go; kubectl exec sql -- psql -c 'select 1'; kubectl exec py -- python -c 'print(1)'
            go: this program of docker.io/library/golang is not simulated
            psql: this program of docker.io/library/postgres is not simulated
            command terminated with exit code 1
            python: of the programs of docker.io/library/python only `python -m http.server` is simulated
            command terminated with exit code 1
            [exit 1]
            $ kubectl exec tool -- sh -c 'nc -zvw2 localhost 80; tcpdump -i eth0'
            Connection to localhost 80 port [tcp/*] succeeded!
            tcpdump: this program of docker.io/wbitt/network-multitool is not simulated
            command terminated with exit code 1
            [exit 1]
        "#]],
    );
}

#[test]
fn kubectl_in_a_pod_acts_as_its_service_account() {
    check(
        r#"$ kubectl create serviceaccount viewer; kubectl create rolebinding v --clusterrole=view --serviceaccount=default:viewer
$ kubectl run no --image=bitnami/kubectl --restart=Never -- get pods
$ kubectl run yes --image=bitnami/kubectl --restart=Never --overrides='{"spec":{"serviceAccountName":"viewer"}}' -- get pods -o name
$ kubectl run shell --image=alpine/k8s:1.33.0 --overrides='{"spec":{"serviceAccountName":"viewer"}}' -- sleep 9999
@settle
$ kubectl logs no; kubectl logs yes
$ kubectl exec shell -- kubectl auth whoami -o jsonpath='{.status.userInfo.username}'
$ kubectl exec shell -- kubectl delete pod no
$ kubectl exec shell -- sh -c 'KUBERNETES_SERVICE_HOST= kubectl get pods'
$ KUBECONFIG=/etc/kubernetes/admin.conf kubectl config current-context
$ kubectl run dns --image=tutum/dnsutils -q -i --rm --restart=Never -- dig SRV kubernetes.default.svc.cluster.local | grep -A1 -e ADDITIONAL
"#,
        expect![[r#"
            $ kubectl create serviceaccount viewer; kubectl create rolebinding v --clusterrole=view --serviceaccount=default:viewer
            serviceaccount/viewer created
            rolebinding.rbac.authorization.k8s.io/v created
            $ kubectl run no --image=bitnami/kubectl --restart=Never -- get pods
            pod/no created
            $ kubectl run yes --image=bitnami/kubectl --restart=Never --overrides='{"spec":{"serviceAccountName":"viewer"}}' -- get pods -o name
            pod/yes created
            $ kubectl run shell --image=alpine/k8s:1.33.0 --overrides='{"spec":{"serviceAccountName":"viewer"}}' -- sleep 9999
            pod/shell created
            @settle
            $ kubectl logs no; kubectl logs yes
            Error from server (Forbidden): pods is forbidden: User "system:serviceaccount:default:default" cannot list resource "pods" in API group "" in the namespace "default"
            pod/no
            pod/shell
            pod/yes
            $ kubectl exec shell -- kubectl auth whoami -o jsonpath='{.status.userInfo.username}'
            system:serviceaccount:default:viewer
            $ kubectl exec shell -- kubectl delete pod no
            Error from server (Forbidden): pods "no" is forbidden: User "system:serviceaccount:default:viewer" cannot delete resource "pods" in API group "" in the namespace "default"
            command terminated with exit code 1
            [exit 1]
            $ kubectl exec shell -- sh -c 'KUBERNETES_SERVICE_HOST= kubectl get pods'
            E0101 08:00:06.620500       1 memcache.go:265] "Unhandled Error" err="couldn't get current server API group list: Get \"http://localhost:8080/api?timeout=32s\": dial tcp 127.0.0.1:8080: connect: connection refused"
            E0101 08:00:06.620500       1 memcache.go:265] "Unhandled Error" err="couldn't get current server API group list: Get \"http://localhost:8080/api?timeout=32s\": dial tcp 127.0.0.1:8080: connect: connection refused"
            E0101 08:00:06.620500       1 memcache.go:265] "Unhandled Error" err="couldn't get current server API group list: Get \"http://localhost:8080/api?timeout=32s\": dial tcp 127.0.0.1:8080: connect: connection refused"
            E0101 08:00:06.620500       1 memcache.go:265] "Unhandled Error" err="couldn't get current server API group list: Get \"http://localhost:8080/api?timeout=32s\": dial tcp 127.0.0.1:8080: connect: connection refused"
            E0101 08:00:06.620500       1 memcache.go:265] "Unhandled Error" err="couldn't get current server API group list: Get \"http://localhost:8080/api?timeout=32s\": dial tcp 127.0.0.1:8080: connect: connection refused"
            The connection to the server localhost:8080 was refused - did you specify the right host or port?
            command terminated with exit code 1
            [exit 1]
            $ KUBECONFIG=/etc/kubernetes/admin.conf kubectl config current-context
            kubernetes-admin@kubernetes
            $ kubectl run dns --image=tutum/dnsutils -q -i --rm --restart=Never -- dig SRV kubernetes.default.svc.cluster.local | grep -A1 -e ADDITIONAL
            ;; flags: qr aa rd; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 2
            ;; WARNING: recursion requested but not available
            --
            ;; ADDITIONAL SECTION:
            kubernetes.default.svc.cluster.local. 30 IN A	10.96.0.1
        "#]],
    );
}

#[test]
fn nodes_have_their_kubelets_configuration_and_say_what_is_not_simulated() {
    check(
        r#"$ ssh k8s-node-01 'grep static /var/lib/kubelet/config.yaml; systemctl restart kubelet; crictl ps'
$ grep -A1 clusterDNS /var/lib/kubelet/config.yaml; sudo journalctl -u kubelet; docker ps
"#,
        expect![[r#"
            $ ssh k8s-node-01 'grep static /var/lib/kubelet/config.yaml; systemctl restart kubelet; crictl ps'
            staticPodPath: /etc/kubernetes/manifests
            crictl: what runs on a node beside the containers of its pods is not simulated
            [exit 1]
            $ grep -A1 clusterDNS /var/lib/kubelet/config.yaml; sudo journalctl -u kubelet; docker ps
            clusterDNS:
            - 10.96.0.10
            journalctl: what runs on a node beside the containers of its pods is not simulated
            bash: line 1: docker: command not found
            [exit 127]
        "#]],
    );
}

#[test]
fn users_and_groups_are_those_of_the_image() {
    check(
        r#"$ kubectl apply -f https://k8s.io/examples/pods/security/security-context.yaml
$ kubectl run box --image=busybox -- sleep 1000; kubectl run alpine --image=alpine -- sleep 1000; kubectl run web --image=nginx
$ kubectl wait pod --all --for=condition=Ready >/dev/null
$ kubectl exec security-context-demo -- sh -c 'id; ls -ld /data/demo; whoami; groups; ps | head -2'
$ kubectl exec box -- id
$ kubectl exec alpine -- sh -c 'id -Gn; id nobody'
$ kubectl exec web -- sh -c 'id; id nobody; id www-data; id nosuch'
$ kubectl exec web -- sh -c 'cd /tmp; touch x; chown nginx:mail x; find . -user nginx -printf "%u %g\n"; chown 77 x; stat -c "%U %G" x; ls -ln x; chown nosuch x; chgrp nosuch x'
$ kubectl get pod box security-context-demo -o jsonpath='{.items[*].status.containerStatuses[0].user.linux}{"\n"}'
"#,
        expect![[r#"
            $ kubectl apply -f https://k8s.io/examples/pods/security/security-context.yaml
            pod/security-context-demo created
            $ kubectl run box --image=busybox -- sleep 1000; kubectl run alpine --image=alpine -- sleep 1000; kubectl run web --image=nginx
            pod/box created
            pod/alpine created
            pod/web created
            $ kubectl wait pod --all --for=condition=Ready >/dev/null
            $ kubectl exec security-context-demo -- sh -c 'id; ls -ld /data/demo; whoami; groups; ps | head -2'
            uid=1000 gid=3000 groups=2000,3000,4000
            drwxrwsrwx    2 root     2000          4096 Jan  1 08:00 /data/demo
            whoami: unknown uid 1000
            2000 3000 4000
            PID   USER     TIME  COMMAND
                1 1000      0:00 sleep 1h
            $ kubectl exec box -- id
            uid=0(root) gid=0(root) groups=0(root),10(wheel)
            $ kubectl exec alpine -- sh -c 'id -Gn; id nobody'
            root bin daemon sys adm disk wheel floppy dialout tape video
            uid=65534(nobody) gid=65534(nobody) groups=65534(nobody)
            $ kubectl exec web -- sh -c 'id; id nobody; id www-data; id nosuch'
            uid=0(root) gid=0(root) groups=0(root)
            uid=65534(nobody) gid=65534(nogroup) groups=65534(nogroup)
            uid=33(www-data) gid=33(www-data) groups=33(www-data)
            id: ‘nosuch’: no such user
            command terminated with exit code 1
            [exit 1]
            $ kubectl exec web -- sh -c 'cd /tmp; touch x; chown nginx:mail x; find . -user nginx -printf "%u %g\n"; chown 77 x; stat -c "%U %G" x; ls -ln x; chown nosuch x; chgrp nosuch x'
            nginx mail
            UNKNOWN mail
            -rw-r--r-- 1 77 8 0 Jan  1 08:00 x
            chown: invalid user: ‘nosuch’
            chgrp: invalid group: ‘nosuch’
            command terminated with exit code 1
            [exit 1]
            $ kubectl get pod box security-context-demo -o jsonpath='{.items[*].status.containerStatuses[0].user.linux}{"\n"}'
            {"gid":0,"supplementalGroups":[0],"uid":0} {"gid":3000,"supplementalGroups":[2000,3000,4000],"uid":1000}
        "#]],
    );
}

#[test]
fn images_are_of_their_tags_distributions() {
    check(
        r#"$ for i in ubuntu ubuntu:20.04 debian:11-slim debian centos:7 alpine:3.12 alpine nginx:1.16 redis:6.2-alpine httpd:2.4; do kubectl run $(echo $i | tr -c 'a-z0-9\n' -) --image=$i --command -- sleep 1000; done >/dev/null
$ kubectl wait pod --all --for=condition=Ready --timeout=28s >/dev/null
$ for p in $(kubectl get pods -o name); do echo $p; kubectl exec $p -- grep PRETTY /etc/os-release; done
$ kubectl exec centos-7 -- cat /etc/redhat-release; kubectl exec debian-11-slim -- cat /etc/debian_version; kubectl exec alpine -- cat /etc/alpine-release
$ kubectl exec nginx-1-16 -- nginx -v; kubectl exec redis-6-2-alpine -- env | grep _VERSION; kubectl exec httpd-2-4 -- env | grep _VERSION
"#,
        expect![[r#"
            $ for i in ubuntu ubuntu:20.04 debian:11-slim debian centos:7 alpine:3.12 alpine nginx:1.16 redis:6.2-alpine httpd:2.4; do kubectl run $(echo $i | tr -c 'a-z0-9\n' -) --image=$i --command -- sleep 1000; done >/dev/null
            $ kubectl wait pod --all --for=condition=Ready --timeout=28s >/dev/null
            $ for p in $(kubectl get pods -o name); do echo $p; kubectl exec $p -- grep PRETTY /etc/os-release; done
            pod/alpine
            PRETTY_NAME="Alpine Linux v3.22"
            pod/alpine-3-12
            PRETTY_NAME="Alpine Linux v3.12"
            pod/centos-7
            PRETTY_NAME="CentOS Linux 7 (Core)"
            pod/debian
            PRETTY_NAME="Debian GNU/Linux 13 (trixie)"
            pod/debian-11-slim
            PRETTY_NAME="Debian GNU/Linux 11 (bullseye)"
            pod/httpd-2-4
            PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
            pod/nginx-1-16
            PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
            pod/redis-6-2-alpine
            PRETTY_NAME="Alpine Linux v3.22"
            pod/ubuntu
            PRETTY_NAME="Ubuntu 24.04.3 LTS"
            pod/ubuntu-20-04
            PRETTY_NAME="Ubuntu 20.04.6 LTS"
            $ kubectl exec centos-7 -- cat /etc/redhat-release; kubectl exec debian-11-slim -- cat /etc/debian_version; kubectl exec alpine -- cat /etc/alpine-release
            CentOS Linux release 7.9.2009 (Core)
            11.11
            3.22.2
            $ kubectl exec nginx-1-16 -- nginx -v; kubectl exec redis-6-2-alpine -- env | grep _VERSION; kubectl exec httpd-2-4 -- env | grep _VERSION
            nginx version: nginx/1.16.1
            REDIS_VERSION=6.2.21
            HTTPD_VERSION=2.4.65
        "#]],
    );
}

#[test]
fn nginx_reads_its_configuration_anew() {
    check(
        r#"$ kubectl run web --image=nginx; kubectl run app --image=ikubernetes/myapp:v2
$ kubectl wait pod --all --for=condition=Ready >/dev/null
$ kubectl exec web -- sh -c 'printf "server {\n  listen 80;\n  listen 8080;\n  location / { return 200 anew; }\n}\n" > /etc/nginx/conf.d/default.conf; nginx -s reload; sleep 1; curl -s localhost:8080'
$ kubectl logs web | grep -A3 SIGHUP
$ kubectl exec web -- sh -c 'echo "serve {" > /etc/nginx/conf.d/default.conf; nginx -s reload; kill -HUP 1; sleep 1; curl -s localhost'
$ kubectl logs web --tail=3 | grep emerg
$ kubectl exec app -- sh -c 'wget -qO- localhost; wget -qO- localhost/hostname.html'
"#,
        expect![[r#"
            $ kubectl run web --image=nginx; kubectl run app --image=ikubernetes/myapp:v2
            pod/web created
            pod/app created
            $ kubectl wait pod --all --for=condition=Ready >/dev/null
            $ kubectl exec web -- sh -c 'printf "server {\n  listen 80;\n  listen 8080;\n  location / { return 200 anew; }\n}\n" > /etc/nginx/conf.d/default.conf; nginx -s reload; sleep 1; curl -s localhost:8080'
            2026/01/01 08:00:01 [notice] 3#3: signal process started
            anew
            $ kubectl logs web | grep -A3 SIGHUP
            2026/01/01 08:00:01 [notice] 1#1: signal 1 (SIGHUP) received from 40, reconfiguring
            2026/01/01 08:00:01 [notice] 1#1: reconfiguring
            2026/01/01 08:00:01 [notice] 1#1: using the "epoll" event method
            2026/01/01 08:00:01 [notice] 1#1: start worker processes
            $ kubectl exec web -- sh -c 'echo "serve {" > /etc/nginx/conf.d/default.conf; nginx -s reload; kill -HUP 1; sleep 1; curl -s localhost'
            2026/01/01 08:00:02 [emerg] 7#7: unknown directive "serve" in /etc/nginx/conf.d/default.conf:1
            nginx: [emerg] unknown directive "serve" in /etc/nginx/conf.d/default.conf:1
            anew
            $ kubectl logs web --tail=3 | grep emerg
            2026/01/01 08:00:02 [emerg] 1#1: unknown directive "serve" in /etc/nginx/conf.d/default.conf:1
            $ kubectl exec app -- sh -c 'wget -qO- localhost; wget -qO- localhost/hostname.html'
            Hello MyApp | Version: v2 | <a href="hostname.html">Pod Name</a>
            app
        "#]],
    );
}
