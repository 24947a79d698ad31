//! Walkthroughs that need an add-on, which no recording has: what the controllers, the scheduler, the
//! kubelets and the add-on do together.

use expect_test::expect;

mod scenario;

use scenario::{check, run};

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

#[test]
fn pods_show_where_they_are_and_services_keep_close_to_their_clients() {
    check(
        r#"
@file spread.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: spread}
spec:
  replicas: 2
  selector: {matchLabels: {app: spread}}
  template:
    metadata: {labels: {app: spread}}
    spec:
      topologySpreadConstraints:
      - {maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: spread}}, matchLabelKeys: [pod-template-hash]}
      affinity:
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
          - {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: spread}}, matchLabelKeys: [pod-template-hash], mismatchLabelKeys: [app, nothing]}
      containers: [{name: c, image: traefik/whoami}]
@end
$ kubectl label node k8s-node-01 topology.kubernetes.io/zone=a topology.kubernetes.io/region=r
$ kubectl label node k8s-node-02 topology.kubernetes.io/zone=b
$ kubectl apply -f spread.yaml
@settle
$ kubectl get pods -L topology.kubernetes.io/zone,topology.kubernetes.io/region -o wide --sort-by=.spec.nodeName | awk '{print $7, $10, $11}'
$ kubectl get pods -o jsonpath='{.items[0].spec.topologySpreadConstraints[0].labelSelector.matchExpressions[0].key}{"\n"}'
$ kubectl get pods -o jsonpath='{range .items[0].spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector.matchExpressions[*]}{.key} {.operator}{"\n"}{end}'
$ kubectl expose deployment spread --port=80
$ kubectl patch service spread -p '{"spec":{"trafficDistribution":"PreferSameZone"}}'
@wait 2
$ kubectl get endpointslices -l kubernetes.io/service-name=spread -o jsonpath='{range .items[0].endpoints[*]}{.zone} {.hints}{"\n"}{end}' | sort
$ kubectl run client --image=busybox --overrides='{"spec":{"nodeName":"k8s-node-01"}}' -- sleep 3600
@settle
$ for i in 1 2 3 4; do kubectl exec client -- wget -qO- spread | grep ^Hostname; done | sort | uniq -c | wc -l
$ kubectl patch service spread -p '{"spec":{"trafficDistribution":"PreferSameNode"}}'
@wait 2
$ kubectl get endpointslices -l kubernetes.io/service-name=spread -o jsonpath='{range .items[0].endpoints[*]}{.hints}{"\n"}{end}' | sort
"#,
        expect![[r#"

            @file spread.yaml
            $ kubectl label node k8s-node-01 topology.kubernetes.io/zone=a topology.kubernetes.io/region=r
            node/k8s-node-01 labeled
            $ kubectl label node k8s-node-02 topology.kubernetes.io/zone=b
            node/k8s-node-02 labeled
            $ kubectl apply -f spread.yaml
            deployment.apps/spread created
            @settle
            $ kubectl get pods -L topology.kubernetes.io/zone,topology.kubernetes.io/region -o wide --sort-by=.spec.nodeName | awk '{print $7, $10, $11}'
            NODE READINESS GATES
            k8s-node-01 a r
            k8s-node-02 b 
            $ kubectl get pods -o jsonpath='{.items[0].spec.topologySpreadConstraints[0].labelSelector.matchExpressions[0].key}{"\n"}'
            pod-template-hash
            $ kubectl get pods -o jsonpath='{range .items[0].spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector.matchExpressions[*]}{.key} {.operator}{"\n"}{end}'
            pod-template-hash In
            app NotIn
            $ kubectl expose deployment spread --port=80
            service/spread exposed
            $ kubectl patch service spread -p '{"spec":{"trafficDistribution":"PreferSameZone"}}'
            service/spread patched
            @wait 2
            $ kubectl get endpointslices -l kubernetes.io/service-name=spread -o jsonpath='{range .items[0].endpoints[*]}{.zone} {.hints}{"\n"}{end}' | sort
            a {"forZones":[{"name":"a"}]}
            b {"forZones":[{"name":"b"}]}
            $ kubectl run client --image=busybox --overrides='{"spec":{"nodeName":"k8s-node-01"}}' -- sleep 3600
            pod/client created
            @settle
            $ for i in 1 2 3 4; do kubectl exec client -- wget -qO- spread | grep ^Hostname; done | sort | uniq -c | wc -l
            1
            $ kubectl patch service spread -p '{"spec":{"trafficDistribution":"PreferSameNode"}}'
            service/spread patched
            @wait 2
            $ kubectl get endpointslices -l kubernetes.io/service-name=spread -o jsonpath='{range .items[0].endpoints[*]}{.hints}{"\n"}{end}' | sort
            {"forNodes":[{"name":"k8s-node-01"}],"forZones":[{"name":"a"}]}
            {"forNodes":[{"name":"k8s-node-02"}],"forZones":[{"name":"b"}]}
        "#]],
    );
}

#[test]
fn quotas_and_limits_look_at_what_grows() {
    check(
        r#"
@file quota.yaml
apiVersion: v1
kind: ResourceQuota
metadata: {name: q}
spec: {hard: {services.nodeports: "1", requests.cpu: 500m}}
---
apiVersion: v1
kind: LimitRange
metadata: {name: lr}
spec: {limits: [{type: Container, max: {cpu: 800m}, default: {cpu: 200m}, defaultRequest: {cpu: 100m}}]}
@end
$ kubectl apply -f quota.yaml
$ kubectl create service nodeport a --tcp=80
$ kubectl create service clusterip b --tcp=80
$ kubectl patch service b -p '{"spec":{"type":"NodePort"}}'
$ kubectl delete service a
$ kubectl patch service b -p '{"spec":{"type":"NodePort"}}'
$ kubectl patch service b -p '{"spec":{"type":"ClusterIP"}}'
$ kubectl get quota q -o jsonpath='{.status.used}{"\n"}'
$ kubectl run p --image=nginx
@settle
$ kubectl patch pod p --subresource resize -p '{"spec":{"containers":[{"name":"p","resources":{"requests":{"cpu":"700m"},"limits":{"cpu":"700m"}}}]}}'
$ kubectl patch pod p --subresource resize -p '{"spec":{"containers":[{"name":"p","resources":{"limits":{"cpu":"900m"}}}]}}'
$ kubectl patch pod p --subresource resize -p '{"spec":{"containers":[{"name":"p","resources":{"requests":{"cpu":"200m"},"limits":{"cpu":"300m"}}}]}}'
@settle
$ kubectl get quota q -o jsonpath='{.status.used}{"\n"}'
$ kubectl describe pod p | grep Resize
"#,
        expect![[r#"

            @file quota.yaml
            $ kubectl apply -f quota.yaml
            resourcequota/q created
            limitrange/lr created
            $ kubectl create service nodeport a --tcp=80
            service/a created
            $ kubectl create service clusterip b --tcp=80
            service/b created
            $ kubectl patch service b -p '{"spec":{"type":"NodePort"}}'
            Error from server (Forbidden): services "b" is forbidden: exceeded quota: q, requested: services.nodeports=1, used: services.nodeports=1, limited: services.nodeports=1
            [exit 1]
            $ kubectl delete service a
            service "a" deleted from default namespace
            $ kubectl patch service b -p '{"spec":{"type":"NodePort"}}'
            service/b patched
            $ kubectl patch service b -p '{"spec":{"type":"ClusterIP"}}'
            service/b patched
            $ kubectl get quota q -o jsonpath='{.status.used}{"\n"}'
            {"requests.cpu":"0","services.nodeports":"0"}
            $ kubectl run p --image=nginx
            pod/p created
            @settle
            $ kubectl patch pod p --subresource resize -p '{"spec":{"containers":[{"name":"p","resources":{"requests":{"cpu":"700m"},"limits":{"cpu":"700m"}}}]}}'
            Error from server (Forbidden): pods "p" is forbidden: exceeded quota: q, requested: requests.cpu=600m, used: requests.cpu=100m, limited: requests.cpu=500m
            [exit 1]
            $ kubectl patch pod p --subresource resize -p '{"spec":{"containers":[{"name":"p","resources":{"limits":{"cpu":"900m"}}}]}}'
            Error from server (Forbidden): pods "p" is forbidden: maximum cpu usage per Container is 800m, but limit is 900m
            [exit 1]
            $ kubectl patch pod p --subresource resize -p '{"spec":{"containers":[{"name":"p","resources":{"requests":{"cpu":"200m"},"limits":{"cpu":"300m"}}}]}}'
            pod/p patched
            @settle
            $ kubectl get quota q -o jsonpath='{.status.used}{"\n"}'
            {"requests.cpu":"200m","services.nodeports":"0"}
            $ kubectl describe pod p | grep Resize
              Normal  ResizeStarted    3s    kubelet            Pod resize started: {"containers":[{"name":"p","resources":{"limits":{"cpu":"300m"},"requests":{"cpu":"200m"}}}],"generation":2}
              Normal  ResizeCompleted  3s    kubelet            Pod resize completed: {"containers":[{"name":"p","resources":{"limits":{"cpu":"300m"},"requests":{"cpu":"200m"}}}],"generation":2}
        "#]],
    );
}

#[test]
fn what_kubelets_make_for_pods() {
    check(
        r#"
@file pods.yaml
apiVersion: v1
kind: Pod
metadata: {name: names}
spec:
  hostname: myhost
  subdomain: sub
  imagePullSecrets: [{name: nowhere}]
  hostAliases:
  - {ip: "127.0.0.1", hostnames: [foo.local, bar.local]}
  dnsConfig: {nameservers: [192.0.2.1], searches: [my.search], options: [{name: ndots, value: "2"}, {name: edns0}]}
  containers: [{name: b, image: busybox, command: [sleep, "3600"]}, {name: a, image: busybox, command: [sleep, "3600"]}]
---
apiVersion: v1
kind: Pod
metadata: {name: user}
spec:
  dnsPolicy: None
  dnsConfig: {nameservers: [1.2.3.4]}
  terminationGracePeriodSeconds: 60
  securityContext: {runAsUser: 1000, runAsGroup: 3000, fsGroup: 2000}
  containers: [{name: c, image: busybox, command: [sh, -c, "trap '' TERM; sleep 3600"]}]
@end
$ kubectl apply -f pods.yaml
@settle
$ kubectl get pod names -o jsonpath='{.status.containerStatuses[*].name}{"\n"}'
$ kubectl exec names -c a -- sh -c 'tail -n 4 /etc/hosts | sed "s/^10.*\tm/IP\tm/"; cat /etc/resolv.conf; hostname; hostname -f'
$ kubectl get events --field-selector reason=FailedToRetrieveImagePullSecret -o jsonpath='{.items[0].type} {.items[0].message}{"\n"}'
$ kubectl exec user -- sh -c 'id; whoami; cat /etc/resolv.conf; ps'
$ kubectl delete pod user --wait=false
@wait 2
$ kubectl describe pod user | grep -A1 ^Status
"#,
        expect![[r#"

            @file pods.yaml
            $ kubectl apply -f pods.yaml
            pod/names created
            pod/user created
            @settle
            $ kubectl get pod names -o jsonpath='{.status.containerStatuses[*].name}{"\n"}'
            a b
            $ kubectl exec names -c a -- sh -c 'tail -n 4 /etc/hosts | sed "s/^10.*\tm/IP\tm/"; cat /etc/resolv.conf; hostname; hostname -f'
            IP	myhost

            # Entries added by HostAliases.
            127.0.0.1	foo.local	bar.local
            search default.svc.cluster.local svc.cluster.local cluster.local my.search
            nameserver 10.96.0.10
            nameserver 192.0.2.1
            options ndots:2 edns0
            myhost
            myhost.sub.default.svc.cluster.local
            $ kubectl get events --field-selector reason=FailedToRetrieveImagePullSecret -o jsonpath='{.items[0].type} {.items[0].message}{"\n"}'
            Warning Unable to retrieve some image pull secrets (nowhere); attempting to pull the image may not succeed.
            $ kubectl exec user -- sh -c 'id; whoami; cat /etc/resolv.conf; ps'
            uid=1000 gid=3000 groups=2000,3000
            whoami: unknown uid 1000
            nameserver 1.2.3.4
            PID   USER     TIME  COMMAND
                1 1000      0:00 sh -c trap '' TERM; sleep 3600
                2 1000      0:00 sleep 3600
                3 1000      0:00 sh -c id; whoami; cat /etc/resolv.conf; ps
                7 1000      0:00 ps
            $ kubectl delete pod user --wait=false
            pod "user" deleted from default namespace
            @wait 2
            $ kubectl describe pod user | grep -A1 ^Status
            Status:                    Terminating (lasts <invalid>)
            Termination Grace Period:  60s
        "#]],
    );
}

#[test]
fn what_tasks_of_the_documentation_do_in_containers() {
    check(
        r#"
@file pods.yaml
apiVersion: v1
kind: Pod
metadata: {name: labelled, labels: {rack: rack-22}}
spec:
  containers:
  - name: c
    image: busybox
    command: [sleep, "3600"]
    volumeMounts: [{name: info, mountPath: /etc/podinfo}]
  volumes:
  - name: info
    projected:
      sources:
      - downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: dongle}
spec:
  containers:
  - name: c
    image: registry.k8s.io/pause
    resources: {limits: {example.com/dongle: 3}}
---
apiVersion: v1
kind: Pod
metadata: {name: shipper}
spec:
  initContainers:
  - name: ship
    image: alpine
    restartPolicy: Always
    command: [tail, -F, /opt/logs.txt]
    volumeMounts: [{name: data, mountPath: /opt}]
  containers:
  - name: app
    image: alpine
    command: [sh, -c, 'echo logging >> /opt/logs.txt; sleep 3600']
    volumeMounts: [{name: data, mountPath: /opt}]
  volumes: [{name: data, emptyDir: {}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: conf}
data: {redis.conf: "maxmemory 2mb\nmaxmemory-policy allkeys-lru\n"}
---
apiVersion: v1
kind: Pod
metadata: {name: redis}
spec:
  containers:
  - name: redis
    image: redis:8
    command: [redis-server, /conf/redis.conf, --timeout, "30"]
    volumeMounts: [{name: conf, mountPath: /conf}, {name: id, mountPath: /node-id}]
  volumes:
  - name: conf
    configMap: {name: conf}
  - name: id
    hostPath: {path: /etc/machine-id, type: File}
@end
$ kubectl apply -f pods.yaml
@settle
$ kubectl label pod labelled rack=rack-99 --overwrite
@wait 1
$ kubectl exec labelled -- cat /etc/podinfo/labels
$ kubectl patch node k8s-node-01 --subresource=status --type=json -p '[{"op":"add","path":"/status/capacity/example.com~1dongle","value":"4"}]'
@wait 15
$ kubectl get node k8s-node-01 -o jsonpath='{.status.allocatable.example\.com/dongle}{"\n"}'
$ kubectl get pods
$ kubectl logs shipper -c ship
$ kubectl exec redis -- redis-cli CONFIG GET maxmemory*
$ kubectl exec redis -- redis-cli config get timeout
$ kubectl exec redis -- sh -c 'tr 0-9a-f x < /node-id; ps aux | sed "s/..:../TIME/"'
$ kubectl exec redis -- sh -c 'apt-get update && apt-get install -y -q curl dnsutils && nslookup kubernetes.default | tail -n 3'
$ kubectl exec shipper -c app -- apk add --no-cache curl
$ kubectl exec redis -- apt-get install -y python3 | tail -n 1
"#,
        expect![[r#"

            @file pods.yaml
            $ kubectl apply -f pods.yaml
            pod/labelled created
            pod/dongle created
            pod/shipper created
            configmap/conf created
            pod/redis created
            @settle
            $ kubectl label pod labelled rack=rack-99 --overwrite
            pod/labelled labeled
            @wait 1
            $ kubectl exec labelled -- cat /etc/podinfo/labels
            rack="rack-99"
            $ kubectl patch node k8s-node-01 --subresource=status --type=json -p '[{"op":"add","path":"/status/capacity/example.com~1dongle","value":"4"}]'
            node/k8s-node-01 patched
            @wait 15
            $ kubectl get node k8s-node-01 -o jsonpath='{.status.allocatable.example\.com/dongle}{"\n"}'
            4
            $ kubectl get pods
            NAME       READY   STATUS    RESTARTS   AGE
            dongle     1/1     Running   0          21s
            labelled   1/1     Running   0          21s
            redis      1/1     Running   0          21s
            shipper    2/2     Running   0          21s
            $ kubectl logs shipper -c ship
            tail: can't open '/opt/logs.txt': No such file or directory
            tail: /opt/logs.txt has appeared; following end of new file
            logging
            $ kubectl exec redis -- redis-cli CONFIG GET maxmemory*
            maxmemory
            2097152
            maxmemory-policy
            allkeys-lru
            $ kubectl exec redis -- redis-cli config get timeout
            timeout
            30
            $ kubectl exec redis -- sh -c 'tr 0-9a-f x < /node-id; ps aux | sed "s/..:../TIME/"'
            xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
            USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND
            root           1  0.0  0.0   4624  3712 ?        Ss   TIME   0:00 redis-server /conf/redis.conf --timeout 30
            root           4  0.0  0.0   4624  3712 ?        Ss   TIME   0:00 sh -c tr 0-9a-f x < /node-id; ps aux | sed "s/..:../TIME/"
            root           6  0.0  0.0   4624  3712 ?        Ss   TIME   0:00 sh
            root           7  0.0  0.0   4624  3712 ?        Ss   TIME   0:00 sh
            root           8  0.0  0.0   4624  3712 ?        R    TIME   0:00 ps aux
            $ kubectl exec redis -- sh -c 'apt-get update && apt-get install -y -q curl dnsutils && nslookup kubernetes.default | tail -n 3'
            Reading package lists... Done
            Reading package lists... Done
            Building dependency tree... Done
            Reading state information... Done
            curl is already the newest version.
            Setting up dnsutils ...
            0 upgraded, 1 newly installed, 0 to remove and 0 not upgraded.
            Name:	kubernetes.default.svc.cluster.local
            Address: 10.96.0.1

            $ kubectl exec shipper -c app -- apk add --no-cache curl
            (1/1) Installing curl
            OK: 9 MiB in 20 packages
            $ kubectl exec redis -- apt-get install -y python3 | tail -n 1
            E: Unable to locate package python3
            apt-get: there is no archive of packages here; the simulation has only these: apache2-utils, bash, bind-tools, bind9-dnsutils, ca-certificates, coreutils, curl, dnsutils, iproute2, iputils, iputils-ping, less, nano, net-tools, netcat, netcat-openbsd, netcat-traditional, openssl, procps, redis, redis-tools, telnet, vim, wget
            command terminated with exit code 100
            Reading state information... Done
        "#]],
    );
}

#[test]
fn names_and_links_are_looked_at_from_pods() {
    check(
        r#"
$ kubectl create deployment web --image=nginx --replicas=2
$ kubectl create service clusterip web --tcp=80
$ kubectl create service externalname away --external-name my.database.example.com
$ kubectl run old --image=busybox:1.28 -- sleep 3600; kubectl run new --image=busybox -- sleep 3600; kubectl run bind --image=registry.k8s.io/e2e-test-images/agnhost:2.39
@settle
$ kubectl exec old -- sh -c 'nslookup web; nslookup 10.96.0.1 | tail -n 1; nslookup none; nslookup web 10.0.0.10'
$ kubectl exec new -- nslookup web
$ kubectl exec new -- sh -c 'nslookup web.default | tail -n 2; nslookup kube-dns.kube-system.svc.cluster.local | grep -c Name; nslookup 10.96.0.10 | tail -n 2'
$ kubectl exec bind -- sh -c 'nslookup kubernetes.default; nslookup away; nslookup -type=SRV kube-dns.kube-system; nslookup 10.96.0.1; host kubernetes.default; host none'
$ kubectl exec bind -- dig kubernetes.default.svc.cluster.local | grep -v -e ' id: ' -e COOKIE -e WHEN
$ kubectl exec bind -- sh -c 'dig +short +search kubernetes; dig +short -x 10.96.0.10; dig none | grep -A1 -e QUESTION -e SOA'
$ kubectl exec new -- sh -c 'nc -zv web 80; telnet web 80; telnet none 80; ping -c 1 none; ip route; ifconfig eth0 | head -n 3'
$ ip addr show flannel.1; ip r | tail -n 1; netstat -tln | grep -c 6443; curl -s localhost:10249/proxyMode; echo
"#,
        expect![[r#"

            $ kubectl create deployment web --image=nginx --replicas=2
            deployment.apps/web created
            $ kubectl create service clusterip web --tcp=80
            service/web created
            $ kubectl create service externalname away --external-name my.database.example.com
            service/away created
            $ kubectl run old --image=busybox:1.28 -- sleep 3600; kubectl run new --image=busybox -- sleep 3600; kubectl run bind --image=registry.k8s.io/e2e-test-images/agnhost:2.39
            pod/old created
            pod/new created
            pod/bind created
            @settle
            $ kubectl exec old -- sh -c 'nslookup web; nslookup 10.96.0.1 | tail -n 1; nslookup none; nslookup web 10.0.0.10'
            Server:    10.96.0.10
            Address 1: 10.96.0.10 kube-dns.kube-system.svc.cluster.local

            Name:      web
            Address 1: 10.108.101.196 web.default.svc.cluster.local
            Address 1: 10.96.0.1 kubernetes.default.svc.cluster.local
            Server:    10.96.0.10
            Address 1: 10.96.0.10 kube-dns.kube-system.svc.cluster.local

            nslookup: can't resolve 'none'
            ;; connection timed out; no servers could be reached
            command terminated with exit code 1
            [exit 1]
            $ kubectl exec new -- nslookup web
            Server:		10.96.0.10
            Address:	10.96.0.10:53

            Name:	web.default.svc.cluster.local
            Address: 10.108.101.196

            ** server can't find web.svc.cluster.local: NXDOMAIN

            ** server can't find web.cluster.local: NXDOMAIN


            ** server can't find web.svc.cluster.local: NXDOMAIN

            ** server can't find web.cluster.local: NXDOMAIN

            $ kubectl exec new -- sh -c 'nslookup web.default | tail -n 2; nslookup kube-dns.kube-system.svc.cluster.local | grep -c Name; nslookup 10.96.0.10 | tail -n 2'
            ** server can't find web.default: NXDOMAIN

            1
            10.0.96.10.in-addr.arpa	name = kube-dns.kube-system.svc.cluster.local

            $ kubectl exec bind -- sh -c 'nslookup kubernetes.default; nslookup away; nslookup -type=SRV kube-dns.kube-system; nslookup 10.96.0.1; host kubernetes.default; host none'
            Server:		10.96.0.10
            Address:	10.96.0.10#53

            Name:	kubernetes.default.svc.cluster.local
            Address: 10.96.0.1

            Server:		10.96.0.10
            Address:	10.96.0.10#53

            away.default.svc.cluster.local	canonical name = my.database.example.com.
            ** server can't find my.database.example.com: NXDOMAIN

            Server:		10.96.0.10
            Address:	10.96.0.10#53

            kube-dns.kube-system.svc.cluster.local	service = 0 33 53 kube-dns.kube-system.svc.cluster.local.
            kube-dns.kube-system.svc.cluster.local	service = 0 33 53 kube-dns.kube-system.svc.cluster.local.
            kube-dns.kube-system.svc.cluster.local	service = 0 33 9153 kube-dns.kube-system.svc.cluster.local.

            1.0.96.10.in-addr.arpa	name = kubernetes.default.svc.cluster.local.

            kubernetes.default.svc.cluster.local has address 10.96.0.1
            Host none not found: 3(NXDOMAIN)
            command terminated with exit code 1
            [exit 1]
            $ kubectl exec bind -- dig kubernetes.default.svc.cluster.local | grep -v -e ' id: ' -e COOKIE -e WHEN

            ; <<>> DiG 9.18.41 <<>> kubernetes.default.svc.cluster.local
            ;; global options: +cmd
            ;; Got answer:
            ;; WARNING: .local is reserved for Multicast DNS
            ;; You are currently testing what happens when an mDNS query is leaked to DNS
            ;; flags: qr aa rd; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 1
            ;; WARNING: recursion requested but not available

            ;; OPT PSEUDOSECTION:
            ; EDNS: version: 0, flags:; udp: 1232
            ;; QUESTION SECTION:
            ;kubernetes.default.svc.cluster.local. IN A

            ;; ANSWER SECTION:
            kubernetes.default.svc.cluster.local. 30 IN A	10.96.0.1

            ;; Query time: 0 msec
            ;; SERVER: 10.96.0.10#53(10.96.0.10) (UDP)
            ;; MSG SIZE  rcvd: 129

            $ kubectl exec bind -- sh -c 'dig +short +search kubernetes; dig +short -x 10.96.0.10; dig none | grep -A1 -e QUESTION -e SOA'
            10.96.0.1
            kube-dns.kube-system.svc.cluster.local.
            ;; QUESTION SECTION:
            ;none.				IN	A
            --
            cluster.local.		30	IN	SOA	ns.dns.cluster.local. hostmaster.cluster.local. 1767254416 7200 1800 86400 30

            $ kubectl exec new -- sh -c 'nc -zv web 80; telnet web 80; telnet none 80; ping -c 1 none; ip route; ifconfig eth0 | head -n 3'
            web (10.108.101.196:80) open
            Connected to web
            telnet: bad address 'none'
            ping: bad address 'none'
            default via 10.244.1.1 dev eth0 
            10.244.0.0/16 via 10.244.1.1 dev eth0 
            10.244.1.0/24 dev eth0 scope link  src 10.244.1.3 
            eth0      Link encap:Ethernet  HWaddr 0A:58:0A:F4:01:03  
                      inet addr:10.244.1.3  Bcast:10.244.1.255  Mask:255.255.255.0
                      UP BROADCAST RUNNING MULTICAST  MTU:1450  Metric:1
            $ ip addr show flannel.1; ip r | tail -n 1; netstat -tln | grep -c 6443; curl -s localhost:10249/proxyMode; echo
            3: flannel.1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UP group default qlen 1000
                link/ether 0a:58:0a:f4:00:00 brd ff:ff:ff:ff:ff:ff
                inet 10.244.0.0/32 scope global flannel.1
                   valid_lft forever preferred_lft forever
            192.168.110.0/24 dev eth0 proto kernel scope link src 192.168.110.21 
            1
            iptables
        "#]],
    );
}

#[test]
fn a_web_server_shows_its_certificate_and_passes_requests_on() {
    check(
        r#"
@file web.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: conf}
data:
  default.conf: |
    upstream back { server echo:8080; }
    server {
      listen 80;
      listen 443 ssl;
      ssl_certificate /etc/nginx/ssl/tls.crt;
      ssl_certificate_key /etc/nginx/ssl/tls.key;
      location /back { proxy_pass http://back; }
      location / { return 200 "hello\n"; }
    }
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  volumes: [{name: cert, secret: {secretName: cert}}, {name: conf, configMap: {name: conf}}]
  containers:
  - name: nginx
    image: nginx
    volumeMounts: [{name: cert, mountPath: /etc/nginx/ssl}, {name: conf, mountPath: /etc/nginx/conf.d}]
@end
$ openssl req -x509 -nodes -newkey rsa:2048 -keyout k -out c -subj "/CN=web" 2>/dev/null; kubectl create secret tls cert --key k --cert c
$ kubectl apply -f web.yaml; kubectl expose pod web --port=443; kubectl run client --image=curlimages/curl --command -- sleep 3600
$ kubectl create deployment echo --image=gcr.io/google-samples/hello-app:1.0; kubectl expose deployment echo --port=8080
@settle
$ kubectl get secret cert -o jsonpath='{.data.tls\.crt}' | base64 -d > c; kubectl cp c client:/tmp/c
$ kubectl exec client -- sh -c 'curl -s --cacert /tmp/c https://web; curl -sS https://web 2>&1 | head -n 1; curl -sk https://web; curl -s http://web:443 | grep -c plain'
$ kubectl exec client -- sh -c 'curl -sS --cacert /tmp/c https://web.default 2>&1 | head -n 1; curl -sk https://web/back | head -n 1'
$ kubectl exec web -- curl -sSk https://localhost:80
$ curl -sI $(kubectl get pod web -o jsonpath='{.status.podIP}') | tr -d '\r' | grep -v Date
"#,
        expect![[r#"

            @file web.yaml
            $ openssl req -x509 -nodes -newkey rsa:2048 -keyout k -out c -subj "/CN=web" 2>/dev/null; kubectl create secret tls cert --key k --cert c
            secret/cert created
            $ kubectl apply -f web.yaml; kubectl expose pod web --port=443; kubectl run client --image=curlimages/curl --command -- sleep 3600
            configmap/conf created
            pod/web created
            service/web exposed
            pod/client created
            $ kubectl create deployment echo --image=gcr.io/google-samples/hello-app:1.0; kubectl expose deployment echo --port=8080
            deployment.apps/echo created
            service/echo exposed
            @settle
            $ kubectl get secret cert -o jsonpath='{.data.tls\.crt}' | base64 -d > c; kubectl cp c client:/tmp/c
            $ kubectl exec client -- sh -c 'curl -s --cacert /tmp/c https://web; curl -sS https://web 2>&1 | head -n 1; curl -sk https://web; curl -s http://web:443 | grep -c plain'
            hello
            curl: (60) SSL certificate problem: self-signed certificate
            hello
            1
            $ kubectl exec client -- sh -c 'curl -sS --cacert /tmp/c https://web.default 2>&1 | head -n 1; curl -sk https://web/back | head -n 1'
            curl: (60) SSL: no alternative certificate subject name matches target host name 'web.default'
            Hello, world!
            $ kubectl exec web -- curl -sSk https://localhost:80
            curl: (35) TLS connect error: error:0A00010B:SSL routines::wrong version number
            command terminated with exit code 35
            [exit 35]
            $ curl -sI $(kubectl get pod web -o jsonpath='{.status.podIP}') | tr -d '\r' | grep -v Date
            HTTP/1.1 200 OK
            Server: nginx/1.29.3
            Content-Type: application/octet-stream
            Content-Length: 6
            Connection: keep-alive

        "#]],
    );
}

#[test]
fn a_node_offers_what_its_capacity_says() {
    check(
        r#"
$ kubectl patch node k8s-node-01 --subresource=status --type=json -p '[{"op":"add","path":"/status/capacity/example.com~1dongle","value":"4"}]'
@wait 11
$ kubectl get node k8s-node-01 -o jsonpath='{.status.allocatable}{"\n"}'
$ kubectl patch node k8s-node-01 --subresource=status --type=json -p '[{"op":"remove","path":"/status/capacity/example.com~1dongle"}]'
@wait 11
$ kubectl get node k8s-node-01 -o jsonpath='{.status.allocatable}{"\n"}'
"#,
        expect![[r#"

            $ kubectl patch node k8s-node-01 --subresource=status --type=json -p '[{"op":"add","path":"/status/capacity/example.com~1dongle","value":"4"}]'
            node/k8s-node-01 patched
            @wait 11
            $ kubectl get node k8s-node-01 -o jsonpath='{.status.allocatable}{"\n"}'
            {"cpu":"2","ephemeral-storage":"37925506253","example.com/dongle":"4","hugepages-1Gi":"0","hugepages-2Mi":"0","memory":"3809356Ki","pods":"110"}
            $ kubectl patch node k8s-node-01 --subresource=status --type=json -p '[{"op":"remove","path":"/status/capacity/example.com~1dongle"}]'
            node/k8s-node-01 patched
            @wait 11
            $ kubectl get node k8s-node-01 -o jsonpath='{.status.allocatable}{"\n"}'
            {"cpu":"2","ephemeral-storage":"37925506253","hugepages-1Gi":"0","hugepages-2Mi":"0","memory":"3809356Ki","pods":"110"}
        "#]],
    );
}

#[test]
fn volumes_are_recycled_and_grow_by_others_and_runtimes_have_classes() {
    check(
        r#"
@file nfs.yaml
apiVersion: v1
kind: PersistentVolume
metadata: {name: pv-nfs}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteMany]
  persistentVolumeReclaimPolicy: Recycle
  nfs: {path: /data/k8s, server: 192.0.2.1}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: c}
spec: {accessModes: [ReadWriteMany], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: writer}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: c, image: nginx, volumeMounts: [{name: v, mountPath: /d}]}]
  volumes: [{name: v, persistentVolumeClaim: {claimName: c}}]
---
apiVersion: v1
kind: Pod
metadata: {name: direct}
spec:
  containers: [{name: c, image: nginx, volumeMounts: [{name: v, mountPath: /d}]}]
  volumes: [{name: v, nfs: {path: /data, server: 192.0.2.1}}]
---
apiVersion: v1
kind: Pod
metadata: {name: docker}
spec:
  containers: [{name: c, image: nginx, volumeMounts: [{name: v, mountPath: /var/run/docker.sock}]}]
  volumes: [{name: v, hostPath: {path: /var/run/docker.sock, type: Socket}}]
@end
$ kubectl apply -f nfs.yaml
@settle
$ kubectl exec writer -- sh -c 'echo hello > /d/f; mkdir /d/.x'
$ kubectl exec direct -- ls -RA /d
$ kubectl delete pod/writer pvc/c
@wait 1
$ kubectl get pods,pv --no-headers | awk '{print $1, $2, $5, $6}'
@wait 9
$ kubectl get pv pv-nfs -o jsonpath='{.status.phase} {.spec.claimRef}{"\n"}'
$ kubectl get events --field-selector involvedObject.kind=PersistentVolume -o custom-columns=R:.reason,M:.message --no-headers | sed 's/k8s-node-0./NODE/; s/ in .*//'
$ kubectl exec direct -- ls -RA /d
$ kubectl get events --field-selector involvedObject.name=docker,reason=FailedMount -o jsonpath='{.items[0].message}{"\n"}'
@file class.yaml
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: gvisor}
handler: runsc
overhead: {podFixed: {cpu: 250m}}
scheduling: {nodeSelector: {kubernetes.io/os: linux}}
---
apiVersion: v1
kind: Pod
metadata: {name: sandboxed}
spec:
  runtimeClassName: gvisor
  containers: [{name: c, image: nginx}]
@end
$ kubectl apply -f class.yaml
@wait 2
$ kubectl get pod sandboxed -o jsonpath='{.spec.overhead} {.spec.nodeSelector} {.status.phase}{"\n"}'
$ kubectl get events --field-selector reason=FailedCreatePodSandBox -o jsonpath='{.items[0].message}' | sed 's/"[0-9a-f]*"/ID/'
$ kubectl run x --image=nginx --overrides='{"spec":{"runtimeClassName":"nope"}}'
$ kubectl run x --image=nginx --overrides='{"spec":{"overhead":{"cpu":"1"}}}'
@file one.yaml
apiVersion: v1
kind: PersistentVolume
metadata: {name: one}
spec:
  storageClassName: one
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOncePod]
  hostPath: {path: /srv/one}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: one}
spec: {storageClassName: one, accessModes: [ReadWriteOncePod], resources: {requests: {storage: 1Gi}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: db}
spec:
  replicas: 2
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: db
        image: mysql:8
        env: [{name: MYSQL_ROOT_PASSWORD, value: x}]
        readinessProbe: {exec: {command: [mysqladmin, ping, -h, localhost]}, periodSeconds: 2}
        volumeMounts: [{name: v, mountPath: /var/lib/mysql}]
      volumes: [{name: v, persistentVolumeClaim: {claimName: one}}]
@end
$ kubectl apply -f one.yaml
@wait 25
$ kubectl get pods -l app=db --no-headers | awk '{print $2, $3}' | sort
$ kubectl delete $(kubectl get pods -l app=db --field-selector status.phase=Running -o name)
@wait 15
$ kubectl get pods -l app=db --no-headers | awk '{print $2, $3}' | sort
$ kubectl exec deploy/db -- mysql -ppassword
$ ssh root@k8s-node-01 -- 'echo here > /srv/one/who; hostname; pwd'; ssh 192.168.110.23 cat /etc/hostname
$ ssh nowhere; ssh me@k8s-node-02
$ kubectl create cm x --from-env-file=<(printf 'A=1\nB=2\n') --from-file=f=<(echo x)
$ kubectl create cm x --from-env-file=<(printf 'A=1\nB=2\n'); kubectl create cm y --from-file=f=<(echo x); kubectl get cm x y -o jsonpath='{.items[*].data}{"\n"}'
$ kubectl replace -f <(kubectl get cm x -o yaml | sed 's/A: "1"/A: "2"/'); kubectl apply -f /dev/fd/99
$ kubectl delete -f /dev/stdin <<< '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "y"}}'
$ for i in zookeeper nats registry goproxy; do kubectl run $i --image=${i/goproxy/registry.k8s.io/goproxy:0.1}; done
@settle
$ kubectl get pods zookeeper nats registry goproxy --no-headers | awk '{print $1, $2}'
"#,
        expect![[r#"

            @file nfs.yaml
            $ kubectl apply -f nfs.yaml
            Warning: spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.
            persistentvolume/pv-nfs created
            persistentvolumeclaim/c created
            pod/writer created
            pod/direct created
            pod/docker created
            @settle
            $ kubectl exec writer -- sh -c 'echo hello > /d/f; mkdir /d/.x'
            $ kubectl exec direct -- ls -RA /d
            /d:
            k8s

            /d/k8s:
            .x
            f

            /d/k8s/.x:
            $ kubectl delete pod/writer pvc/c
            pod "writer" deleted from default namespace
            persistentvolumeclaim "c" deleted from default namespace
            @wait 1
            $ kubectl get pods,pv --no-headers | awk '{print $1, $2, $5, $6}'
            pod/direct 1/1 6s 
            pod/docker 0/1 6s 
            pod/recycler-for-pv-nfs 0/1 1s 
            persistentvolume/pv-nfs 1Gi Released default/c
            @wait 9
            $ kubectl get pv pv-nfs -o jsonpath='{.status.phase} {.spec.claimRef}{"\n"}'
            Available 
            $ kubectl get events --field-selector involvedObject.kind=PersistentVolume -o custom-columns=R:.reason,M:.message --no-headers | sed 's/k8s-node-0./NODE/; s/ in .*//'
            RecyclerPod      Recycler pod: Successfully assigned default/recycler-for-pv-nfs to NODE
            RecyclerPod      Recycler pod: Pulling image "busybox:1.27"
            RecyclerPod      Recycler pod: Successfully pulled image "busybox:1.27"
            RecyclerPod      Recycler pod: Container created
            RecyclerPod      Recycler pod: Container started
            VolumeRecycled   Volume recycled
            $ kubectl exec direct -- ls -RA /d
            /d:
            k8s

            /d/k8s:
            $ kubectl get events --field-selector involvedObject.name=docker,reason=FailedMount -o jsonpath='{.items[0].message}{"\n"}'
            MountVolume.SetUp failed for volume "v" : hostPath type check failed: /var/run/docker.sock is not a socket file
            @file class.yaml
            $ kubectl apply -f class.yaml
            runtimeclass.node.k8s.io/gvisor created
            pod/sandboxed created
            @wait 2
            $ kubectl get pod sandboxed -o jsonpath='{.spec.overhead} {.spec.nodeSelector} {.status.phase}{"\n"}'
            {"cpu":"250m"} {"kubernetes.io/os":"linux"} Pending
            $ kubectl get events --field-selector reason=FailedCreatePodSandBox -o jsonpath='{.items[0].message}' | sed 's/"[0-9a-f]*"/ID/'
            Failed to create pod sandbox: rpc error: code = Unknown desc = unable to get OCI runtime for sandbox ID: no runtime for "runsc" is configured
            $ kubectl run x --image=nginx --overrides='{"spec":{"runtimeClassName":"nope"}}'
            Error from server (Forbidden): pods "x" is forbidden: pod rejected: RuntimeClass "nope" not found
            [exit 1]
            $ kubectl run x --image=nginx --overrides='{"spec":{"overhead":{"cpu":"1"}}}'
            Error from server (Forbidden): pods "x" is forbidden: pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead
            [exit 1]
            @file one.yaml
            $ kubectl apply -f one.yaml
            persistentvolume/one created
            persistentvolumeclaim/one created
            deployment.apps/db created
            @wait 25
            $ kubectl get pods -l app=db --no-headers | awk '{print $2, $3}' | sort
            0/1 Pending
            1/1 Running
            $ kubectl delete $(kubectl get pods -l app=db --field-selector status.phase=Running -o name)
            pod "db-55976bdd7f-s5t4k" deleted from default namespace
            @wait 15
            $ kubectl get pods -l app=db --no-headers | awk '{print $2, $3}' | sort
            0/1 Pending
            1/1 Running
            $ kubectl exec deploy/db -- mysql -ppassword
            mysql: [Warning] Using a password on the command line interface can be insecure.
            ERROR 1045 (28000): Access denied for user 'root'@'localhost' (using password: YES)
            command terminated with exit code 1
            [exit 1]
            $ ssh root@k8s-node-01 -- 'echo here > /srv/one/who; hostname; pwd'; ssh 192.168.110.23 cat /etc/hostname
            k8s-node-01
            /root
            k8s-node-02
            $ ssh nowhere; ssh me@k8s-node-02
            ssh: Could not resolve hostname nowhere: Name or service not known
            me@k8s-node-02: Permission denied (publickey).
            [exit 255]
            $ kubectl create cm x --from-env-file=<(printf 'A=1\nB=2\n') --from-file=f=<(echo x)
            error: from-env-file cannot be combined with from-file or from-literal
            [exit 1]
            $ kubectl create cm x --from-env-file=<(printf 'A=1\nB=2\n'); kubectl create cm y --from-file=f=<(echo x); kubectl get cm x y -o jsonpath='{.items[*].data}{"\n"}'
            configmap/x created
            configmap/y created
            {"A":"1","B":"2"} {"f":"x\n"}
            $ kubectl replace -f <(kubectl get cm x -o yaml | sed 's/A: "1"/A: "2"/'); kubectl apply -f /dev/fd/99
            configmap/x replaced
            error: the path "/dev/fd/99" does not exist
            [exit 1]
            $ kubectl delete -f /dev/stdin <<< '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "y"}}'
            configmap "y" deleted from default namespace
            $ for i in zookeeper nats registry goproxy; do kubectl run $i --image=${i/goproxy/registry.k8s.io/goproxy:0.1}; done
            pod/zookeeper created
            pod/nats created
            pod/registry created
            pod/goproxy created
            @settle
            $ kubectl get pods zookeeper nats registry goproxy --no-headers | awk '{print $1, $2}'
            zookeeper 1/1
            nats 1/1
            registry 1/1
            goproxy 1/1
        "#]],
    );
}

#[test]
fn users_are_bound_by_owners_and_capabilities() {
    check(
        r#"
@file pods.yaml
apiVersion: v1
kind: Pod
metadata: {name: demo}
spec:
  securityContext: {runAsUser: 1000, runAsGroup: 3000, fsGroup: 2000, supplementalGroups: [4000]}
  volumes:
  - {name: data, emptyDir: {}}
  - {name: key, secret: {secretName: key, defaultMode: 0400}}
  containers:
  - name: c
    image: busybox:1.28
    command: [sh, -c, sleep 1h]
    volumeMounts: [{name: data, mountPath: /data/demo}, {name: key, mountPath: /data/key}]
---
apiVersion: v1
kind: Pod
metadata: {name: alone}
spec:
  restartPolicy: Never
  securityContext: {runAsUser: 1000}
  volumes:
  - {name: key, secret: {secretName: key, defaultMode: 0400}}
  - {name: host, hostPath: {path: /mnt/data}}
  containers:
  - name: c
    image: debian
    command: [sh, -c, 'echo x > /host/x; cat /key/k; rm /etc/hosts; chown 5 /tmp; ls -ld /key /host /tmp; echo bye > /dev/termination-log']
    volumeMounts: [{name: key, mountPath: /key}, {name: host, mountPath: /host}]
---
apiVersion: v1
kind: Pod
metadata: {name: able}
spec:
  containers:
  - {name: a, image: busybox, command: [sleep, 1d], securityContext: {capabilities: {add: [NET_ADMIN, SYS_TIME]}}}
  - {name: b, image: busybox, command: [sleep, 1d], securityContext: {capabilities: {drop: [ALL], add: [CAP_CHOWN]}}}
  - {name: c, image: busybox, command: [sleep, 1d], securityContext: {privileged: true}}
@end
$ kubectl create secret generic key --from-literal=k=v; kubectl apply -f pods.yaml
@settle
$ kubectl exec demo -- sh -c 'ps; id; cd /data/demo; echo hello > testfile; ls -l; ls -l /data; ls -lL /data/key; cat /data/key/k; echo'
$ kubectl exec demo -- sh -c 'ls -L -l /var/run/secrets/kubernetes.io/serviceaccount | grep token; grep CapEff /proc/1/status; cat /root; touch /x; echo x > /etc/foo'
$ kubectl logs alone; kubectl get pod alone -o jsonpath='{.status.containerStatuses[0].state.terminated.message}'
$ for c in a b c; do kubectl exec able -c $c -- grep CapPrm /proc/1/status; done
"#,
        expect![[r#"

            @file pods.yaml
            $ kubectl create secret generic key --from-literal=k=v; kubectl apply -f pods.yaml
            secret/key created
            pod/demo created
            pod/alone created
            pod/able created
            @settle
            $ kubectl exec demo -- sh -c 'ps; id; cd /data/demo; echo hello > testfile; ls -l; ls -l /data; ls -lL /data/key; cat /data/key/k; echo'
            PID   USER     TIME  COMMAND
                1 1000      0:00 sleep 1h
                2 1000      0:00 sh -c ps; id; cd /data/demo; echo hello > testfile; ls -l; ls -l /data; ls -lL /data/key; cat /data/key/k; echo
                3 1000      0:00 ps
            uid=1000 gid=3000 groups=2000,3000,4000
            total 4
            -rw-r--r--    1 1000     2000             6 Jan  1 08:00 testfile
            total 8
            drwxrwsrwx    2 root     2000          4096 Jan  1 08:00 demo
            drwxrwsrwt    2 root     2000          4096 Jan  1 08:00 key
            total 4
            -r--r-----    1 root     2000             1 Jan  1 08:00 k
            v
            $ kubectl exec demo -- sh -c 'ls -L -l /var/run/secrets/kubernetes.io/serviceaccount | grep token; grep CapEff /proc/1/status; cat /root; touch /x; echo x > /etc/foo'
            -rw-r-----    1 1000     2000             0 Jan  1 08:00 token
            CapEff:	0000000000000000
            cat: read error: Is a directory
            touch: /x: Permission denied
            sh: can't create /etc/foo: Permission denied
            command terminated with exit code 1
            [exit 1]
            $ kubectl logs alone; kubectl get pod alone -o jsonpath='{.status.containerStatuses[0].state.terminated.message}'
            sh: 1: cannot create /host/x: Permission denied
            cat: /key/k: Permission denied
            rm: cannot remove '/etc/hosts': Permission denied
            chown: changing ownership of '/tmp': Operation not permitted
            drwxr-xr-x 2 root root 4096 Jan  1 08:00 /host
            drwxrwxrwt 2 root root 4096 Jan  1 08:00 /key
            drwxrwxrwt 2 root root 4096 Oct 28 12:05 /tmp
            bye
            $ for c in a b c; do kubectl exec able -c $c -- grep CapPrm /proc/1/status; done
            CapPrm:	00000000aa0435fb
            CapPrm:	0000000000000001
            CapPrm:	000001ffffffffff
        "#]],
    );
}

#[test]
fn static_pods_follow_their_manifests() {
    check(
        r#"
$ kubectl run web --image=nginx --dry-run=client -o yaml > /etc/kubernetes/manifests/web.yaml
@wait 4
$ kubectl get pods -o wide; kubectl get pod web-k8s-master -o jsonpath='{.metadata.ownerReferences[0].kind} {.spec.tolerations} {.metadata.annotations.kubernetes\.io/config\.source}{"\n"}'
$ kubectl delete pod web-k8s-master; kubectl get pods
@wait 2
$ kubectl get pods; kubectl logs web-k8s-master | grep -c 'start worker processes'
$ sed -i 's/nginx/httpd/' /etc/kubernetes/manifests/web.yaml; echo 'kind: Po' > /etc/kubernetes/manifests/other
@wait 12
$ kubectl get pods -o custom-columns=N:.metadata.name,I:.spec.containers[0].image,S:.status.phase
$ rm /etc/kubernetes/manifests/web.yaml
@wait 4
$ kubectl get pods
"#,
        expect![[r#"

            $ kubectl run web --image=nginx --dry-run=client -o yaml > /etc/kubernetes/manifests/web.yaml
            @wait 4
            $ kubectl get pods -o wide; kubectl get pod web-k8s-master -o jsonpath='{.metadata.ownerReferences[0].kind} {.spec.tolerations} {.metadata.annotations.kubernetes\.io/config\.source}{"\n"}'
            NAME             READY   STATUS    RESTARTS   AGE   IP           NODE         NOMINATED NODE   READINESS GATES
            web-k8s-master   1/1     Running   0          4s    10.244.0.4   k8s-master   <none>           <none>
            Node [{"effect":"NoExecute","operator":"Exists"}] file
            $ kubectl delete pod web-k8s-master; kubectl get pods
            pod "web-k8s-master" deleted from default namespace
            No resources found in default namespace.
            @wait 2
            $ kubectl get pods; kubectl logs web-k8s-master | grep -c 'start worker processes'
            NAME             READY   STATUS    RESTARTS   AGE
            web-k8s-master   1/1     Running   0          2s
            1
            $ sed -i 's/nginx/httpd/' /etc/kubernetes/manifests/web.yaml; echo 'kind: Po' > /etc/kubernetes/manifests/other
            @wait 12
            $ kubectl get pods -o custom-columns=N:.metadata.name,I:.spec.containers[0].image,S:.status.phase
            N                I       S
            web-k8s-master   httpd   Running
            $ rm /etc/kubernetes/manifests/web.yaml
            @wait 4
            $ kubectl get pods
            No resources found in default namespace.
        "#]],
    );
}

#[test]
fn roles_without_rules_say_so() {
    check(
        r#"
$ kubectl create clusterrole all --aggregation-rule=to=all; kubectl create clusterrole part --verb=get --resource=pods; kubectl label clusterrole part to=all
@wait 1
$ kubectl get clusterrole all -o jsonpath='{.rules}{"\n"}'; kubectl label clusterrole part to-
@wait 1
$ kubectl get clusterrole all -o yaml | grep rules
$ printf 'apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: none}\nrules: []\n' > r; kubectl apply -f r; kubectl get role none -o yaml | tail -n 1
"#,
        expect![[r#"

            $ kubectl create clusterrole all --aggregation-rule=to=all; kubectl create clusterrole part --verb=get --resource=pods; kubectl label clusterrole part to=all
            clusterrole.rbac.authorization.k8s.io/all created
            clusterrole.rbac.authorization.k8s.io/part created
            clusterrole.rbac.authorization.k8s.io/part labeled
            @wait 1
            $ kubectl get clusterrole all -o jsonpath='{.rules}{"\n"}'; kubectl label clusterrole part to-
            [{"apiGroups":[""],"resources":["pods"],"verbs":["get"]}]
            clusterrole.rbac.authorization.k8s.io/part unlabeled
            @wait 1
            $ kubectl get clusterrole all -o yaml | grep rules
            rules: null
            $ printf 'apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: none}\nrules: []\n' > r; kubectl apply -f r; kubectl get role none -o yaml | tail -n 1
            role.rbac.authorization.k8s.io/none created
            rules: null
        "#]],
    );
}

#[test]
fn probes_fail_in_the_words_of_a_client_in_go() {
    check(
        r#"@file p.yaml
apiVersion: v1
kind: Pod
metadata: {name: lo}
spec:
  containers: [{name: c, image: nginx, readinessProbe: {httpGet: {path: /, port: 80, host: 127.0.0.1}, periodSeconds: 2}}]
---
apiVersion: v1
kind: Pod
metadata: {name: lot}
spec:
  containers: [{name: c, image: nginx, readinessProbe: {tcpSocket: {port: 80, host: localhost}, periodSeconds: 2}}]
---
apiVersion: v1
kind: Pod
metadata: {name: redis}
spec:
  containers: [{name: c, image: redis, readinessProbe: {httpGet: {path: /, port: 6379}, periodSeconds: 2}}]
---
apiVersion: v1
kind: Pod
metadata: {name: https}
spec:
  containers: [{name: c, image: nginx, readinessProbe: {httpGet: {path: /, port: 80, scheme: HTTPS}, periodSeconds: 2}}]
---
apiVersion: v1
kind: Pod
metadata: {name: grpcp}
spec:
  containers: [{name: c, image: nginx, readinessProbe: {grpc: {port: 81}, timeoutSeconds: 4, periodSeconds: 2}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: conf}
data:
  default.conf: |
    server {
      listen 80;
      location /old { return 301 /missing; }
      location /ext { return 301 http://example.com/; }
      location /ok { return 301 /; }
      location / { root /usr/share/nginx/html; }
    }
---
apiVersion: v1
kind: Pod
metadata: {name: redir}
spec:
  volumes: [{name: v, configMap: {name: conf}}]
  containers:
  - {name: a, image: nginx, volumeMounts: [{name: v, mountPath: /etc/nginx/conf.d}], readinessProbe: {httpGet: {path: /old, port: 80}, periodSeconds: 2}}
---
apiVersion: v1
kind: Pod
metadata: {name: redir2}
spec:
  volumes: [{name: v, configMap: {name: conf}}]
  containers:
  - {name: a, image: nginx, volumeMounts: [{name: v, mountPath: /etc/nginx/conf.d}], readinessProbe: {httpGet: {path: /ext, port: 80}, periodSeconds: 20}}
---
apiVersion: v1
kind: Pod
metadata: {name: redir3}
spec:
  volumes: [{name: v, configMap: {name: conf}}]
  containers:
  - {name: a, image: nginx, volumeMounts: [{name: v, mountPath: /etc/nginx/conf.d}], readinessProbe: {httpGet: {path: /ok, port: 80}, periodSeconds: 20}}
@end
$ kubectl apply -f p.yaml >/dev/null
@wait 8
$ kubectl get pods --no-headers | awk '{print $1, $2}'
$ kubectl get events --field-selector type=Warning -o jsonpath='{range .items[*]}{.involvedObject.name}: {.message}{"\n"}{end}' | tr -d '\r' | sed -E 's/10\.244\.[0-9.]+/POD/' | sort -u | grep :
"#,
        expect![[r#"
            @file p.yaml
            $ kubectl apply -f p.yaml >/dev/null
            @wait 8
            $ kubectl get pods --no-headers | awk '{print $1, $2}'
            grpcp 0/1
            https 0/1
            lo 0/1
            lot 0/1
            redir 0/1
            redir2 1/1
            redir3 1/1
            redis 0/1
            $ kubectl get events --field-selector type=Warning -o jsonpath='{range .items[*]}{.involvedObject.name}: {.message}{"\n"}{end}' | tr -d '\r' | sed -E 's/10\.244\.[0-9.]+/POD/' | sort -u | grep :
            grpcp: Readiness probe failed: timeout: failed to connect service "POD:81" within 4s: context deadline exceeded
            https: Readiness probe failed: Get "https://POD:80/": http: server gave HTTP response to HTTPS client
            lo: Readiness probe failed: Get "http://127.0.0.1:80/": dial tcp 127.0.0.1:80: connect: connection refused
            lot: Readiness probe failed: dial tcp [::1]:80: connect: connection refused
            redir2: Readiness probe warning: Probe terminated redirects, Response body: <html>
            redir: Readiness probe failed: HTTP probe failed with statuscode: 404
            redis: Readiness probe failed: Get "http://POD:6379/": net/http: HTTP/1.x transport connection broken: malformed HTTP response "-ERR wrong number of arguments for 'get' command"
        "#]],
    );
}

#[test]
fn volumes_fail_as_the_kubelet_says_it() {
    check(
        r#"@file p.yaml
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: pvc}
spec: {storageClassName: none, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: cm}
data: {a: b}
---
apiVersion: v1
kind: Pod
metadata: {name: c}
spec:
  nodeName: k8s-node-01
  volumes: [{name: v, persistentVolumeClaim: {claimName: pvc}}, {name: w, persistentVolumeClaim: {claimName: nope}}]
  containers: [{name: c, image: nginx, volumeMounts: [{name: v, mountPath: /v},{name: w, mountPath: /w}]}]
---
apiVersion: v1
kind: Pod
metadata: {name: proj}
spec:
  volumes: [{name: p, projected: {sources: [{configMap: {name: nocm}},{secret: {name: nosec}}]}}]
  containers: [{name: c, image: nginx}]
---
apiVersion: v1
kind: Pod
metadata: {name: sub}
spec:
  volumes: [{name: v, configMap: {name: cm}}]
  containers: [{name: c, image: nginx, volumeMounts: [{name: v, mountPath: /d/x, subPath: zz}]}]
---
apiVersion: v1
kind: Pod
metadata: {name: item}
spec:
  volumes: [{name: v, configMap: {name: cm, items: [{key: zz, path: zz}]}}]
  containers: [{name: c, image: nginx, volumeMounts: [{name: v, mountPath: /d/x}]}]
---
apiVersion: v1
kind: Pod
metadata: {name: typo}
spec:
  volumes: [{name: v, configMap: {name: cm}}]
  containers: [{name: c, image: nginx, volumeMounts: [{name: v, mountPath: /etc/nginx/nginx.conf, subPath: cfg}]}]
---
apiVersion: v1
kind: Pod
metadata: {name: whole}
spec:
  volumes: [{name: v, configMap: {name: cm}}]
  containers: [{name: c, image: nginx, volumeMounts: [{name: v, mountPath: /etc/nginx/nginx.conf}]}]
@end
$ kubectl apply -f p.yaml >/dev/null
@wait 8
$ kubectl get pods --no-headers | awk '{print $1, $2, $3}'
$ kubectl get events --field-selector reason=FailedMount -o jsonpath='{range .items[*]}{.involvedObject.name}: {.message}{"\n"}{end}'
$ kubectl exec sub -- ls -A /d /d/x
$ kubectl get pod typo whole -o jsonpath='{range .items[*]}{.status.containerStatuses[0].lastState.terminated.message}{"\n"}{end}' | sed -E 's/[0-9a-f]+-[-0-9a-f]+/UID/g'
"#,
        expect![[r#"
            @file p.yaml
            $ kubectl apply -f p.yaml >/dev/null
            @wait 8
            $ kubectl get pods --no-headers | awk '{print $1, $2, $3}'
            c 0/1 ContainerCreating
            item 0/1 ContainerCreating
            proj 0/1 ContainerCreating
            sub 1/1 Running
            typo 0/1 RunContainerError
            whole 0/1 RunContainerError
            $ kubectl get events --field-selector reason=FailedMount -o jsonpath='{range .items[*]}{.involvedObject.name}: {.message}{"\n"}{end}'
            c: Unable to attach or mount volumes: unmounted volumes=[v w], unattached volumes=[], failed to process volumes=[v w]: error processing PVC default/pvc: PVC is not bound; error processing PVC default/nope: failed to fetch PVC from API server: persistentvolumeclaims "nope" not found
            item: MountVolume.SetUp failed for volume "v" : configmap references non-existent config key: zz
            proj: MountVolume.SetUp failed for volume "p" : [configmap "nocm" not found, secret "nosec" not found]
            $ kubectl exec sub -- ls -A /d /d/x
            /d:
            x

            /d/x:
            $ kubectl get pod typo whole -o jsonpath='{range .items[*]}{.status.containerStatuses[0].lastState.terminated.message}{"\n"}{end}' | sed -E 's/[0-9a-f]+-[-0-9a-f]+/UID/g'
            failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: error mounting "/var/lib/kubelet/pods/UID/volume-subpaths/v/c/0" to rootfs at "/etc/nginx/nginx.conf": mount src=/var/lib/kubelet/pods/UID/volume-subpaths/v/c/0, dst=/etc/nginx/nginx.conf, dstFd=/proc/thread-self/fd/11, flags=MS_BIND|MS_REC: not a directory
            failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: error mounting "/var/lib/kubelet/pods/UID/volumes/kubernetes.io~configmap/v" to rootfs at "/etc/nginx/nginx.conf": mount src=/var/lib/kubelet/pods/UID/volumes/kubernetes.io~configmap/v, dst=/etc/nginx/nginx.conf, dstFd=/proc/thread-self/fd/11, flags=MS_BIND|MS_REC: not a directory
        "#]],
    );
}

#[test]
fn images_have_their_own_shells_and_entrypoints() {
    check(
        r#"$ kubectl run ng --image=nginx; kubectl run na --image=nginx:alpine; kubectl run al --image=alpine -- sleep 9999
$ kubectl run bb --image=busybox:1.36 -- sleep 9999; kubectl run shoot --image=nicolaka/netshoot -- sleep 9999
$ kubectl expose pod ng --port=80 --name=np; kubectl create service clusterip hl --clusterip=None
$ kubectl create service clusterip idle --tcp=80
@settle
$ kubectl run t --image=curlimages/curl --rm -i --restart=Never -q -- -s -o /dev/null -w '%{http_code}' http://np
$ kubectl run t --image=curlimages/curl --rm -i --restart=Never -q -- http://np/nofile | tr -d '\r' | head -n 2
$ kubectl run t --image=curlimages/curl --rm -i --restart=Never -q -- sh -c 'echo hi'
$ for p in bb na al; do kubectl exec $p -- bash -c 'echo hi' 2>&1 | grep -o 'exec: ".*'; kubectl exec $p -- /bin/ash -c 'echo hi'; done
$ kubectl exec ng -- bash -c 'cat < nofile; nosuch'
$ kubectl exec ng -- sh -c nosuch
$ kubectl exec shoot -- bash -c nosuch
$ kubectl exec al -- sh -c 'apk add bash > /dev/null; bash -c nosuch'
$ kubectl exec bb -- wget -qO- $(kubectl get service idle -o jsonpath='{.spec.clusterIP}') 2>&1 | grep -c "remote host (10[.].*): Connection refused"
$ kubectl exec bb -- wget -qO- localhost
$ kubectl exec bb -- ping -c 1 127.0.0.1
$ kubectl exec shoot -- sh -c 'ping -c 1 $(hostname) | tail -n 1'
$ kubectl exec bb -- sh -c 'nslookup hl | grep -c NXDOMAIN'
"#,
        expect![[r#"
            $ kubectl run ng --image=nginx; kubectl run na --image=nginx:alpine; kubectl run al --image=alpine -- sleep 9999
            pod/ng created
            pod/na created
            pod/al created
            $ kubectl run bb --image=busybox:1.36 -- sleep 9999; kubectl run shoot --image=nicolaka/netshoot -- sleep 9999
            pod/bb created
            pod/shoot created
            $ kubectl expose pod ng --port=80 --name=np; kubectl create service clusterip hl --clusterip=None
            service/np exposed
            service/hl created
            $ kubectl create service clusterip idle --tcp=80
            service/idle created
            @settle
            $ kubectl run t --image=curlimages/curl --rm -i --restart=Never -q -- -s -o /dev/null -w '%{http_code}' http://np
            200
            $ kubectl run t --image=curlimages/curl --rm -i --restart=Never -q -- http://np/nofile | tr -d '\r' | head -n 2
              % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current
                                             Dload  Upload   Total   Spent    Left  Speed
            $ kubectl run t --image=curlimages/curl --rm -i --restart=Never -q -- sh -c 'echo hi'
            hi
            $ for p in bb na al; do kubectl exec $p -- bash -c 'echo hi' 2>&1 | grep -o 'exec: ".*'; kubectl exec $p -- /bin/ash -c 'echo hi'; done
            exec: "bash": executable file not found in $PATH
            hi
            exec: "bash": executable file not found in $PATH
            hi
            exec: "bash": executable file not found in $PATH
            hi
            $ kubectl exec ng -- bash -c 'cat < nofile; nosuch'
            bash: line 1: nofile: No such file or directory
            bash: line 1: nosuch: command not found
            command terminated with exit code 127
            [exit 127]
            $ kubectl exec ng -- sh -c nosuch
            sh: 1: nosuch: not found
            command terminated with exit code 127
            [exit 127]
            $ kubectl exec shoot -- bash -c nosuch
            bash: line 1: nosuch: command not found
            command terminated with exit code 127
            [exit 127]
            $ kubectl exec al -- sh -c 'apk add bash > /dev/null; bash -c nosuch'
            bash: line 1: nosuch: command not found
            command terminated with exit code 127
            [exit 127]
            $ kubectl exec bb -- wget -qO- $(kubectl get service idle -o jsonpath='{.spec.clusterIP}') 2>&1 | grep -c "remote host (10[.].*): Connection refused"
            1
            $ kubectl exec bb -- wget -qO- localhost
            wget: can't connect to remote host (127.0.0.1): Connection refused
            command terminated with exit code 1
            [exit 1]
            $ kubectl exec bb -- ping -c 1 127.0.0.1
            PING 127.0.0.1 (127.0.0.1): 56 data bytes
            64 bytes from 127.0.0.1: seq=0 ttl=64 time=0.050 ms

            --- 127.0.0.1 ping statistics ---
            1 packets transmitted, 1 packets received, 0% packet loss
            round-trip min/avg/max = 0.050/0.050/0.050 ms
            $ kubectl exec shoot -- sh -c 'ping -c 1 $(hostname) | tail -n 1'
            rtt min/avg/max/mdev = 0.050/0.050/0.050/0.000 ms
            $ kubectl exec bb -- sh -c 'nslookup hl | grep -c NXDOMAIN'
            6
        "#]],
    );
}

#[test]
fn a_listener_made_by_hand_answers_and_busybox_has_its_own_words() {
    check(
        r#"@file web.yaml
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  nodeName: k8s-node-01
  containers:
  - {name: nginx, image: nginx}
@end
$ kubectl apply -f web.yaml; kubectl run bb --image=busybox:1.36 -- sleep 9999; kubectl run dns --image=registry.k8s.io/e2e-test-images/agnhost:2.53 -- pause
$ kubectl run hs --image=busybox:1.36 -- sh -c 'echo hello > /tmp/index.html; httpd -f -p 80 -h /tmp'
$ kubectl run loop --image=busybox:1.36 -- sh -c 'while true; do echo -e "HTTP/1.1 200 OK\n\nhi" | nc -l -p 8080; done'
$ kubectl expose pod web --port=80 --type=NodePort --overrides='{"spec":{"externalTrafficPolicy":"Local","ports":[{"port":80,"nodePort":30080}]}}'; kubectl expose pod hs --port=80; kubectl expose pod loop --port=8080
@settle
$ kubectl exec bb -- wget -qO- hs; kubectl exec bb -- wget -qO- hs/nofile; kubectl exec bb -- wget -qO- loop:8080; curl -s $(kubectl get pod loop -o jsonpath='{.status.podIP}'):8080
$ kubectl logs loop | tr -d '\r' | grep -v Host
$ kubectl exec bb -- sh -c "printf 'GET /nofile HTTP/1.0\r\n\r\n' | nc -w 1 web 80 | head -n 1 | tr -d '\r'; echo hi | nc web 80; echo \$?"
$ kubectl exec bb -- sh -c 'echo served | nc -l -p 9000 & sleep 1; echo asked | nc 127.0.0.1 9000'
$ kubectl exec bb -- sh -c 'nc -w 1 127.0.0.1 81 < /dev/null; echo $?; nc -vvz 127.0.0.1 81; nc -v 127.0.0.1 81'
$ curl -s -XPOST -d a=1 -w '%{http_code}\n' $(kubectl get pod web -o jsonpath='{.status.podIP}') | tr -d '\r'; kubectl exec bb -- wget -qO- --post-data=a=1 web
$ kubectl exec bb -- sh -c 'wget -S -q -O /dev/null --header "Host: x" web 2>&1 | grep -v Date | tr -d "\r"; wget -q -P /tmp web; wget -q -P /tmp web; ls /tmp'
$ curl -s -m 2 -o /dev/null -w '%{http_code}\n' http://localhost:30080; curl -s -m 2 -o /dev/null -w '%{http_code}\n' http://192.168.110.23:30080
$ kubectl exec bb -- sh -c 'stat nofile; cp nofile x; mv nofile x; find /nod; head nofile; cd nodir'
$ kubectl exec dns -- dig +short TXT dns-version.cluster.local; kubectl exec dns -- nslookup -type=ns cluster.local; kubectl exec dns -- nslookup -debug hs
$ cat /etc/hosts /etc/resolv.conf; head -n 2 /etc/passwd; cat /proc/sys/kernel/hostname; kubectl exec web -- tail -n 2 /etc/passwd; kubectl exec bb -- head -n 2 /etc/passwd
"#,
        expect![[r#"
            @file web.yaml
            $ kubectl apply -f web.yaml; kubectl run bb --image=busybox:1.36 -- sleep 9999; kubectl run dns --image=registry.k8s.io/e2e-test-images/agnhost:2.53 -- pause
            pod/web created
            pod/bb created
            pod/dns created
            $ kubectl run hs --image=busybox:1.36 -- sh -c 'echo hello > /tmp/index.html; httpd -f -p 80 -h /tmp'
            pod/hs created
            $ kubectl run loop --image=busybox:1.36 -- sh -c 'while true; do echo -e "HTTP/1.1 200 OK\n\nhi" | nc -l -p 8080; done'
            pod/loop created
            $ kubectl expose pod web --port=80 --type=NodePort --overrides='{"spec":{"externalTrafficPolicy":"Local","ports":[{"port":80,"nodePort":30080}]}}'; kubectl expose pod hs --port=80; kubectl expose pod loop --port=8080
            service/web exposed
            service/hs exposed
            service/loop exposed
            @settle
            $ kubectl exec bb -- wget -qO- hs; kubectl exec bb -- wget -qO- hs/nofile; kubectl exec bb -- wget -qO- loop:8080; curl -s $(kubectl get pod loop -o jsonpath='{.status.podIP}'):8080
            hello
            wget: server returned error: HTTP/1.1 404 Not Found
            command terminated with exit code 1
            hi
            hi
            $ kubectl logs loop | tr -d '\r' | grep -v Host
            GET / HTTP/1.1
            User-Agent: Wget

            GET / HTTP/1.1
            User-Agent: curl/8.14.1
            Accept: */*

            $ kubectl exec bb -- sh -c "printf 'GET /nofile HTTP/1.0\r\n\r\n' | nc -w 1 web 80 | head -n 1 | tr -d '\r'; echo hi | nc web 80; echo \$?"
            HTTP/1.1 404 Not Found
            0
            $ kubectl exec bb -- sh -c 'echo served | nc -l -p 9000 & sleep 1; echo asked | nc 127.0.0.1 9000'
            asked
            served
            $ kubectl exec bb -- sh -c 'nc -w 1 127.0.0.1 81 < /dev/null; echo $?; nc -vvz 127.0.0.1 81; nc -v 127.0.0.1 81'
            1
            nc: 127.0.0.1 (127.0.0.1:81): Connection refused
            command terminated with exit code 1
            [exit 1]
            $ curl -s -XPOST -d a=1 -w '%{http_code}\n' $(kubectl get pod web -o jsonpath='{.status.podIP}') | tr -d '\r'; kubectl exec bb -- wget -qO- --post-data=a=1 web
            <html>
            <head><title>405 Not Allowed</title></head>
            <body>
            <center><h1>405 Not Allowed</h1></center>
            <hr><center>nginx/1.29.3</center>
            </body>
            </html>
            405
            wget: server returned error: HTTP/1.1 405 Not Allowed
            command terminated with exit code 1
            [exit 1]
            $ kubectl exec bb -- sh -c 'wget -S -q -O /dev/null --header "Host: x" web 2>&1 | grep -v Date | tr -d "\r"; wget -q -P /tmp web; wget -q -P /tmp web; ls /tmp'
              HTTP/1.1 200 OK
              Server: nginx/1.29.3
              Content-Type: text/html
              Last-Modified: Tue, 28 Oct 2025 12:05:10 GMT
              Connection: keep-alive
              ETag: "6900b176-267"
              Accept-Ranges: bytes
              Content-Length: 615
            wget: can't open '/tmp/index.html': File exists
            index.html
            $ curl -s -m 2 -o /dev/null -w '%{http_code}\n' http://localhost:30080; curl -s -m 2 -o /dev/null -w '%{http_code}\n' http://192.168.110.23:30080
            200
            000
            [exit 28]
            $ kubectl exec bb -- sh -c 'stat nofile; cp nofile x; mv nofile x; find /nod; head nofile; cd nodir'
            stat: can't stat 'nofile': No such file or directory
            cp: can't stat 'nofile': No such file or directory
            mv: can't rename 'nofile': No such file or directory
            find: /nod: No such file or directory
            head: nofile: No such file or directory
            sh: cd: line 0: can't cd to nodir: No such file or directory
            command terminated with exit code 2
            [exit 2]
            $ kubectl exec dns -- dig +short TXT dns-version.cluster.local; kubectl exec dns -- nslookup -type=ns cluster.local; kubectl exec dns -- nslookup -debug hs
            "1.1.0"
            Server:		10.96.0.10
            Address:	10.96.0.10#53

            cluster.local	nameserver = ns.dns.cluster.local.

            Server:		10.96.0.10
            Address:	10.96.0.10#53

            Name:	hs.default.svc.cluster.local
            Address: 10.104.68.199

            $ cat /etc/hosts /etc/resolv.conf; head -n 2 /etc/passwd; cat /proc/sys/kernel/hostname; kubectl exec web -- tail -n 2 /etc/passwd; kubectl exec bb -- head -n 2 /etc/passwd
            127.0.0.1	localhost
            ::1	localhost ip6-localhost ip6-loopback
            ff02::1	ip6-allnodes
            ff02::2	ip6-allrouters
            192.168.110.21	k8s-master
            192.168.110.22	k8s-node-01
            192.168.110.23	k8s-node-02
            nameserver 192.168.110.2
            root:x:0:0:root:/root:/bin/bash
            daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
            k8s-master
            nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
            nginx:x:101:101:nginx user:/nonexistent:/bin/false
            root:x:0:0:root:/root:/bin/sh
            daemon:x:1:1:daemon:/usr/sbin:/bin/false
        "#]],
    );
}

#[test]
fn a_database_keeps_what_tutorials_put_in() {
    check(
        r#"$ kubectl run db --image=mysql:9 --env MYSQL_ROOT_PASSWORD=password --env MYSQL_DATABASE=shop --port 3306 --expose
@settle
$ kubectl run -i --rm client --image=mysql:9 --restart=Never -- mysql -h db -ppassword -e 'SHOW DATABASES'
$ kubectl exec db -- mysql -uroot -pwrong -e 'SELECT 1'; kubectl exec db -- mysql -h nosuch; kubectl exec db -- mysql -P 3307 -h db
$ kubectl exec -i db -- mysql -t -ppassword <<S
CREATE TABLE shop.fruit (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(20) NOT NULL, n INT);
INSERT INTO shop.fruit (name, n) VALUES ('it''s; ripe', 3), ("plum", 20), ('fig', NULL);
USE shop
SELECT name, n AS number FROM fruit WHERE n > 5 OR name LIKE '%ripe' ORDER BY n DESC LIMIT 5;
UPDATE fruit SET n = 4 WHERE id = 1;
DESCRIBE fruit;
SELECT COUNT(*), @@server_id, DATABASE() FROM fruit;
SHOW TABLES
S
$ kubectl exec db -- mysql -ppassword shop -N -e "SELECT * FROM fruit; DELETE FROM fruit WHERE n IS NULL; SELECT COUNT(*) FROM fruit"
$ for s in 'SELEC 1' 'SELECT nope FROM shop.fruit' 'SELECT * FROM fruit' 'INSERT INTO shop.fruit VALUES (1, 2)' 'CREATE DATABASE shop' 'USE none' 'INSERT INTO shop.fruit VALUES (1, 2, 3)' 'DROP TABLE shop.none' 'GRANT ALL'; do kubectl exec db -- mysql -ppassword -e "$s" 2>&1 | grep ERROR; done
$ for s in 'UPDATE shop.fruit SET n = n + 1 WHERE id = 1' 'UPDATE shop.fruit SET n = NOW() WHERE id = 1' 'DELETE FROM shop.fruit LIMIT 1' 'DELETE FROM shop.fruit WHERE n % 2' "SELECT 'open;"; do kubectl exec db -- mysql -ppassword -e "$s" 2>&1 | grep ERROR | sed 's/You .* use//'; done
$ kubectl exec db -- mysql -ppassword -Nse 'SELECT * FROM shop.fruit\g' 2>/dev/null; kubectl exec db -- mysql -Nx
$ kubectl exec -i db -- mysql -sNppassword shop 2>/dev/null <<'S'
CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, a VARCHAR(80), n INT);
INSERT INTO t (a, n) VALUES ('it\'s; ripe', -5), (')', 7), (',', -40), ('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 1.5)\g
UPDATE t SET a = 'two
	cells', n = null WHERE a = ')';
UPDATE t SET n = -50.5 WHERE n < -5;
SELECT * FROM t ORDER BY n \G
SELECT a FROM t WHERE n IS NULL OR n = -5;
SELECT id FROM t WHERE a LIKE '%a%a%a%a%a%a%a%a%a%a%b' OR a LIKE '_wo%s' OR a LIKE '*';
S
$ kubectl exec db -- mysql -ppassword -e 'CREATE DATABASE `my-app`' 2>/dev/null; kubectl exec db -- mysql -ppassword my-app -sNe 'SELECT DATABASE()' 2>/dev/null
"#,
        expect![[r#"
            $ kubectl run db --image=mysql:9 --env MYSQL_ROOT_PASSWORD=password --env MYSQL_DATABASE=shop --port 3306 --expose
            service/db created
            pod/db created
            @settle
            $ kubectl run -i --rm client --image=mysql:9 --restart=Never -- mysql -h db -ppassword -e 'SHOW DATABASES'
            mysql: [Warning] Using a password on the command line interface can be insecure.
            Database
            information_schema
            mysql
            performance_schema
            shop
            sys
            pod "client" deleted from default namespace
            $ kubectl exec db -- mysql -uroot -pwrong -e 'SELECT 1'; kubectl exec db -- mysql -h nosuch; kubectl exec db -- mysql -P 3307 -h db
            mysql: [Warning] Using a password on the command line interface can be insecure.
            ERROR 1045 (28000): Access denied for user 'root'@'localhost' (using password: YES)
            command terminated with exit code 1
            ERROR 2005 (HY000): Unknown MySQL server host 'nosuch' (-2)
            command terminated with exit code 1
            ERROR 2003 (HY000): Can't connect to MySQL server on 'db:3307' (111)
            command terminated with exit code 1
            [exit 1]
            $ kubectl exec -i db -- mysql -t -ppassword <<S
            CREATE TABLE shop.fruit (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(20) NOT NULL, n INT);
            INSERT INTO shop.fruit (name, n) VALUES ('it''s; ripe', 3), ("plum", 20), ('fig', NULL);
            USE shop
            SELECT name, n AS number FROM fruit WHERE n > 5 OR name LIKE '%ripe' ORDER BY n DESC LIMIT 5;
            UPDATE fruit SET n = 4 WHERE id = 1;
            DESCRIBE fruit;
            SELECT COUNT(*), @@server_id, DATABASE() FROM fruit;
            SHOW TABLES
            S
            mysql: [Warning] Using a password on the command line interface can be insecure.
            +------------+--------+
            | name       | number |
            +------------+--------+
            | plum       |     20 |
            | it's; ripe |      3 |
            +------------+--------+
            +-------+-------------+------+-----+---------+----------------+
            | Field | Type        | Null | Key | Default | Extra          |
            +-------+-------------+------+-----+---------+----------------+
            | id    | int         | NO   | PRI | NULL    | auto_increment |
            | name  | varchar(20) | NO   |     | NULL    |                |
            | n     | int         | YES  |     | NULL    |                |
            +-------+-------------+------+-----+---------+----------------+
            +----------+-------------+------------+
            | COUNT(*) | @@server_id | DATABASE() |
            +----------+-------------+------------+
            |        3 |           1 | shop       |
            +----------+-------------+------------+
            +----------------+
            | Tables_in_shop |
            +----------------+
            | fruit          |
            +----------------+
            $ kubectl exec db -- mysql -ppassword shop -N -e "SELECT * FROM fruit; DELETE FROM fruit WHERE n IS NULL; SELECT COUNT(*) FROM fruit"
            mysql: [Warning] Using a password on the command line interface can be insecure.
            1	it's; ripe	4
            2	plum	20
            3	fig	NULL
            2
            $ for s in 'SELEC 1' 'SELECT nope FROM shop.fruit' 'SELECT * FROM fruit' 'INSERT INTO shop.fruit VALUES (1, 2)' 'CREATE DATABASE shop' 'USE none' 'INSERT INTO shop.fruit VALUES (1, 2, 3)' 'DROP TABLE shop.none' 'GRANT ALL'; do kubectl exec db -- mysql -ppassword -e "$s" 2>&1 | grep ERROR; done
            ERROR 1064 (42000) at line 1: You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version for the right syntax to use near 'SELEC 1' at line 1
            ERROR 1054 (42S22) at line 1: Unknown column 'nope' in 'field list'
            ERROR 1046 (3D000) at line 1: No database selected
            ERROR 1136 (21S01) at line 1: Column count doesn't match value count at row 1
            ERROR 1007 (HY000) at line 1: Can't create database 'shop'; database exists
            ERROR 1049 (42000) at line 1: Unknown database 'none'
            ERROR 1062 (23000) at line 1: Duplicate entry '1' for key 'fruit.PRIMARY'
            ERROR 1051 (42S02) at line 1: Unknown table 'shop.none'
            ERROR 1235 (42000) at line 1: this statement is not simulated
            $ for s in 'UPDATE shop.fruit SET n = n + 1 WHERE id = 1' 'UPDATE shop.fruit SET n = NOW() WHERE id = 1' 'DELETE FROM shop.fruit LIMIT 1' 'DELETE FROM shop.fruit WHERE n % 2' "SELECT 'open;"; do kubectl exec db -- mysql -ppassword -e "$s" 2>&1 | grep ERROR | sed 's/You .* use//'; done
            ERROR 1064 (42000) at line 1:  near '+ 1 WHERE id = 1' at line 1
            ERROR 1064 (42000) at line 1:  near '( ) WHERE id = 1' at line 1
            ERROR 1064 (42000) at line 1:  near 'LIMIT 1' at line 1
            ERROR 1064 (42000) at line 1:  near '% 2' at line 1
            ERROR 1064 (42000) at line 1:  near ''open;' at line 1
            $ kubectl exec db -- mysql -ppassword -Nse 'SELECT * FROM shop.fruit\g' 2>/dev/null; kubectl exec db -- mysql -Nx
            1	it's; ripe	4
            2	plum	20
            mysql: [ERROR] unknown option '-x'.
            command terminated with exit code 2
            [exit 2]
            $ kubectl exec -i db -- mysql -sNppassword shop 2>/dev/null <<'S'
            CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, a VARCHAR(80), n INT);
            INSERT INTO t (a, n) VALUES ('it\'s; ripe', -5), (')', 7), (',', -40), ('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 1.5)\g
            UPDATE t SET a = 'two
            	cells', n = null WHERE a = ')';
            UPDATE t SET n = -50.5 WHERE n < -5;
            SELECT * FROM t ORDER BY n \G
            SELECT a FROM t WHERE n IS NULL OR n = -5;
            SELECT id FROM t WHERE a LIKE '%a%a%a%a%a%a%a%a%a%a%b' OR a LIKE '_wo%s' OR a LIKE '*';
            S
            3	,	-50.5
            1	it's; ripe	-5
            4	aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa	1.5
            2	two  cells	NULL
            it's; ripe
            two  cells
            2
            $ kubectl exec db -- mysql -ppassword -e 'CREATE DATABASE `my-app`' 2>/dev/null; kubectl exec db -- mysql -ppassword my-app -sNe 'SELECT DATABASE()' 2>/dev/null
            my-app
        "#]],
    );
}

/// What a student looks at inside pods: file systems, memory, names, and what curl says of a connection.
#[test]
fn machines_tell_of_their_mounts_and_curl_of_its_connections() {
    check(
        r#"
$ kubectl create deployment web --image=nginx; kubectl expose deployment web --port=80
$ kubectl run ng --image=nginx --overrides='{"spec":{"volumes":[{"name":"mem","emptyDir":{"medium":"Memory","sizeLimit":"64Mi"}},{"name":"data","emptyDir":{}}],"containers":[{"name":"ng","image":"nginx","resources":{"limits":{"cpu":"500m","memory":"128Mi"}},"volumeMounts":[{"name":"mem","mountPath":"/mem"},{"name":"data","mountPath":"/data"}]}]}}'
$ kubectl wait --for=condition=Ready pod/ng --timeout=60s >/dev/null
$ kubectl exec ng -- df -h; kubectl exec ng -- sh -c 'mount | grep mem; cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max'
$ kubectl exec ng -- df -hT /mem /data/..; kubectl exec ng -- df nofile
$ df -h /; free | head -n 1; getent hosts k8s-node-01
$ kubectl exec ng -- getent hosts web | cut -c 17-; kubectl exec ng -- getent hosts nosuch
$ kubectl exec ng -- sh -c 'ls nofile; echo out; echo err >&2; echo out'
$ kubectl exec ng -- curl -v http://web 2>&1 | sed 's/10\.[0-9.]*/IP/g; /^< Date/d' | tr -d '\r' | head -n 30
$ kubectl exec ng -- curl -sv http://localhost:1 2>&1 | sed 's/port [0-9]* failed/port N failed/'
$ kubectl exec ng -- curl -s -o /dev/null -w '%{http_code} %{remote_port} %{url_effective} %{num_connects} %{nope}%%\n' http://web
$ kubectl exec ng -- curl -sS --fail-with-body --resolve web.example:80:127.0.0.1 http://web.example/no | head -n 1 | tr -d '\r'
$ kubectl exec ng -- curl --retry 1 --retry-connrefused -sS localhost:1; kubectl exec ng -- curl -o /no/x -sS http://web
$ kubectl exec ng -- curl -s -w '%{exitcode} %{time_namelookup} %{time_connect} %{time_pretransfer} %{time_starttransfer}\n' http://localhost:1 http://none
$ kubectl exec ng -- curl -sv -G --data-urlencode 'q=a b' -d x=1 'http://localhost/s?k' 2>&1 | grep '^> ' | tr -d '\r'
"#,
        expect![[r#"

            $ kubectl create deployment web --image=nginx; kubectl expose deployment web --port=80
            deployment.apps/web created
            service/web exposed
            $ kubectl run ng --image=nginx --overrides='{"spec":{"volumes":[{"name":"mem","emptyDir":{"medium":"Memory","sizeLimit":"64Mi"}},{"name":"data","emptyDir":{}}],"containers":[{"name":"ng","image":"nginx","resources":{"limits":{"cpu":"500m","memory":"128Mi"}},"volumeMounts":[{"name":"mem","mountPath":"/mem"},{"name":"data","mountPath":"/data"}]}]}}'
            pod/ng created
            $ kubectl wait --for=condition=Ready pod/ng --timeout=60s >/dev/null
            $ kubectl exec ng -- df -h; kubectl exec ng -- sh -c 'mount | grep mem; cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max'
            Filesystem      Size  Used Avail Use% Mounted on
            overlay          40G  5.6G   32G  16% /
            tmpfs            64M     0   64M   0% /dev
            tmpfs            64M     0   64M   0% /mem
            /dev/vda1        40G  5.6G   32G  16% /data
            shm              64M     0   64M   0% /dev/shm
            tmpfs           128M  2.0K  128M   1% /var/run/secrets/kubernetes.io/serviceaccount
            tmpfs           1.9G     0  1.9G   0% /proc/acpi
            tmpfs           1.9G     0  1.9G   0% /sys/firmware
            tmpfs on /mem type tmpfs (rw,relatime,size=65536k,inode64)
            134217728
            50000 100000
            $ kubectl exec ng -- df -hT /mem /data/..; kubectl exec ng -- df nofile
            Filesystem     Type     Size  Used Avail Use% Mounted on
            tmpfs          tmpfs     64M     0   64M   0% /mem
            overlay        overlay   40G  5.6G   32G  16% /
            df: nofile: No such file or directory
            command terminated with exit code 1
            [exit 1]
            $ df -h /; free | head -n 1; getent hosts k8s-node-01
            Filesystem      Size  Used Avail Use% Mounted on
            /dev/vda1        40G  5.6G   32G  16% /
                           total        used        free      shared  buff/cache   available
            192.168.110.22  k8s-node-01
            $ kubectl exec ng -- getent hosts web | cut -c 17-; kubectl exec ng -- getent hosts nosuch
            web.default.svc.cluster.local
            command terminated with exit code 2
            [exit 2]
            $ kubectl exec ng -- sh -c 'ls nofile; echo out; echo err >&2; echo out'
            ls: cannot access 'nofile': No such file or directory
            out
            err
            out
            $ kubectl exec ng -- curl -v http://web 2>&1 | sed 's/10\.[0-9.]*/IP/g; /^< Date/d' | tr -d '\r' | head -n 30
              % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current
                                             Dload  Upload   Total   Spent    Left  Speed
              0     0    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0* Host web:80 was resolved.
            * IPv6: (none)
            * IPv4: IP
            *   Trying IP:80...
            * Connected to web (IP) port 80
            * using HTTP/1.x
            > GET / HTTP/1.1
            > Host: web
            > User-Agent: curl/8.14.1
            > Accept: */*
            > 
            * Request completely sent off
            < HTTP/1.1 200 OK
            < Server: nginx/1.29.3
            < Content-Type: text/html
            < Content-Length: 615
            < Last-Modified: Tue, 28 Oct 2025 12:05:10 GMT
            < Connection: keep-alive
            < ETag: "6900b176-267"
            < Accept-Ranges: bytes
            < 
            { [615 bytes data]
            <!DOCTYPE html>
            <html>
            <head>
            <title>Welcome to nginx!</title>
            <style>
            html { color-scheme: light dark; }
            $ kubectl exec ng -- curl -sv http://localhost:1 2>&1 | sed 's/port [0-9]* failed/port N failed/'
            * Host localhost:1 was resolved.
            * IPv6: (none)
            * IPv4: 127.0.0.1
            *   Trying 127.0.0.1:1...
            * connect to 127.0.0.1 port 1 from 127.0.0.1 port N failed: Connection refused
            * Failed to connect to localhost port 1 after 0 ms: Could not connect to server
            * closing connection #0
            command terminated with exit code 7
            $ kubectl exec ng -- curl -s -o /dev/null -w '%{http_code} %{remote_port} %{url_effective} %{num_connects} %{nope}%%\n' http://web
            curl: unknown --write-out variable: 'nope'
            200 80 http://web/ 1 %
            $ kubectl exec ng -- curl -sS --fail-with-body --resolve web.example:80:127.0.0.1 http://web.example/no | head -n 1 | tr -d '\r'
            curl: (22) The requested URL returned error: 404
            command terminated with exit code 22
            <html>
            $ kubectl exec ng -- curl --retry 1 --retry-connrefused -sS localhost:1; kubectl exec ng -- curl -o /no/x -sS http://web
            curl: (7) Failed to connect to localhost port 1 after 0 ms: Could not connect to server
            command terminated with exit code 7
            curl: (23) Failure writing output to destination, passed 615 returned 0
            command terminated with exit code 23
            [exit 23]
            $ kubectl exec ng -- curl -s -w '%{exitcode} %{time_namelookup} %{time_connect} %{time_pretransfer} %{time_starttransfer}\n' http://localhost:1 http://none
            7 0.000000 0.000000 0.000000 0.000000
            6 0.000000 0.000000 0.000000 0.000000
            command terminated with exit code 6
            [exit 6]
            $ kubectl exec ng -- curl -sv -G --data-urlencode 'q=a b' -d x=1 'http://localhost/s?k' 2>&1 | grep '^> ' | tr -d '\r'
            > GET /s?k&q=a+b&x=1 HTTP/1.1
            > Host: localhost
            > User-Agent: curl/8.14.1
            > Accept: */*
            > 
        "#]],
    );
}

#[test]
fn programs_of_the_control_plane_run_while_their_manifests_are_there() {
    check(
        r#"
$ ls -l /etc/kubernetes/manifests | awk '{print $1, $9}'
$ head -12 /etc/kubernetes/manifests/kube-scheduler.yaml
$ mv /etc/kubernetes/manifests/kube-scheduler.yaml /root/
@wait 40
$ kubectl get pods -n kube-system -l component=kube-scheduler
$ kubectl create deployment web --image=nginx
@wait 10
$ kubectl get pods --no-headers | awk '{print $2, $3}'
$ mv /root/kube-scheduler.yaml /etc/kubernetes/manifests/
@wait 30
$ kubectl get pods --no-headers | awk '{print $2, $3}'
$ kubectl get pods -n kube-system -l component=kube-scheduler --no-headers | awk '{print $1, $2, $3, $4}'
$ mv /etc/kubernetes/manifests/kube-controller-manager.yaml /root/
@wait 40
$ kubectl scale deployment web --replicas=3
@wait 10
$ kubectl get deployment web --no-headers | awk '{print $2}'
$ sed -i 's/- kube-controller-manager$/- kube-controller-mangler/' /root/kube-controller-manager.yaml
$ mv /root/kube-controller-manager.yaml /etc/kubernetes/manifests/
@wait 20
$ kubectl get pods -n kube-system -l component=kube-controller-manager --no-headers | awk '{print $2, $3}'
$ sed -i s/mangler/manager/ /etc/kubernetes/manifests/kube-controller-manager.yaml
@wait 60
$ kubectl get deployment web --no-headers | awk '{print $2}'
"#,
        expect![[r#"

            $ ls -l /etc/kubernetes/manifests | awk '{print $1, $9}'
            total 
            -rw------- etcd.yaml
            -rw------- kube-apiserver.yaml
            -rw------- kube-controller-manager.yaml
            -rw------- kube-scheduler.yaml
            $ head -12 /etc/kubernetes/manifests/kube-scheduler.yaml
            apiVersion: v1
            kind: Pod
            metadata:
              labels:
                component: kube-scheduler
                tier: control-plane
              name: kube-scheduler
              namespace: kube-system
            spec:
              containers:
              - command:
                - kube-scheduler
            $ mv /etc/kubernetes/manifests/kube-scheduler.yaml /root/
            @wait 40
            $ kubectl get pods -n kube-system -l component=kube-scheduler
            No resources found in kube-system namespace.
            $ kubectl create deployment web --image=nginx
            deployment.apps/web created
            @wait 10
            $ kubectl get pods --no-headers | awk '{print $2, $3}'
            0/1 Pending
            $ mv /root/kube-scheduler.yaml /etc/kubernetes/manifests/
            @wait 30
            $ kubectl get pods --no-headers | awk '{print $2, $3}'
            1/1 Running
            $ kubectl get pods -n kube-system -l component=kube-scheduler --no-headers | awk '{print $1, $2, $3, $4}'
            kube-scheduler-k8s-master 1/1 Running 0
            $ mv /etc/kubernetes/manifests/kube-controller-manager.yaml /root/
            @wait 40
            $ kubectl scale deployment web --replicas=3
            deployment.apps/web scaled
            @wait 10
            $ kubectl get deployment web --no-headers | awk '{print $2}'
            1/3
            $ sed -i 's/- kube-controller-manager$/- kube-controller-mangler/' /root/kube-controller-manager.yaml
            $ mv /root/kube-controller-manager.yaml /etc/kubernetes/manifests/
            @wait 20
            $ kubectl get pods -n kube-system -l component=kube-controller-manager --no-headers | awk '{print $2, $3}'
            0/1 RunContainerError
            $ sed -i s/mangler/manager/ /etc/kubernetes/manifests/kube-controller-manager.yaml
            @wait 60
            $ kubectl get deployment web --no-headers | awk '{print $2}'
            3/3
        "#]],
    );
}

/// Cluster IPs are what the ServiceCIDRs say, not one range.
#[test]
fn a_cluster_ip_of_an_added_service_cidr_is_one() {
    check(
        r#"
@file cidr.yaml
apiVersion: networking.k8s.io/v1
kind: ServiceCIDR
metadata: {name: more}
spec: {cidrs: [10.200.0.0/24]}
@end
$ kubectl apply -f cidr.yaml; kubectl create deployment web --image=nginx; kubectl run box --image=busybox -- sleep 3600
$ kubectl expose deployment web --port=80 --overrides='{"spec":{"clusterIP":"10.200.0.80"}}'; kubectl create service nodeport lonely --tcp=81 --node-port=30081
@settle
$ iptables-save -t nat | grep -e 10.200 -e KUBE-EXT; iptables -nL KUBE-EXTERNAL-SERVICES; iptables -S KUBE-EXTERNAL-SERVICES
$ kubectl exec box -- wget -q -O /dev/null 10.200.0.80; kubectl logs deployment/web | grep -c "^$(kubectl get pod box -o jsonpath={.status.podIP}) .*Wget"
"#,
        expect![[r#"

            @file cidr.yaml
            $ kubectl apply -f cidr.yaml; kubectl create deployment web --image=nginx; kubectl run box --image=busybox -- sleep 3600
            servicecidr.networking.k8s.io/more created
            deployment.apps/web created
            pod/box created
            $ kubectl expose deployment web --port=80 --overrides='{"spec":{"clusterIP":"10.200.0.80"}}'; kubectl create service nodeport lonely --tcp=81 --node-port=30081
            service/web exposed
            service/lonely created
            @settle
            $ iptables-save -t nat | grep -e 10.200 -e KUBE-EXT; iptables -nL KUBE-EXTERNAL-SERVICES; iptables -S KUBE-EXTERNAL-SERVICES
            -A KUBE-SERVICES -d 10.200.0.80/32 -p tcp -m comment --comment "default/web cluster IP" -m tcp --dport 80 -j KUBE-SVC-LOLE4ISW44XBNF3G
            -A KUBE-SVC-LOLE4ISW44XBNF3G ! -s 10.244.0.0/16 -d 10.200.0.80/32 -p tcp -m comment --comment "default/web cluster IP" -m tcp --dport 80 -j KUBE-MARK-MASQ
            Chain KUBE-EXTERNAL-SERVICES (0 references)
            target     prot opt source               destination         
            REJECT     tcp  --  0.0.0.0/0            0.0.0.0/0            /* default/lonely:81 has no endpoints */ ADDRTYPE match dst-type LOCAL tcp dpt:30081 reject-with icmp-port-unreachable
            -N KUBE-EXTERNAL-SERVICES
            -A KUBE-EXTERNAL-SERVICES -p tcp -m comment --comment "default/lonely:81 has no endpoints" -m addrtype --dst-type LOCAL -m tcp --dport 30081 -j REJECT --reject-with icmp-port-unreachable
            $ kubectl exec box -- wget -q -O /dev/null 10.200.0.80; kubectl logs deployment/web | grep -c "^$(kubectl get pod box -o jsonpath={.status.podIP}) .*Wget"
            1
        "#]],
    );
}

/// The tutorial's own way to an Ingress: the controller's manifest, a server, and the controller's port.
#[test]
fn an_ingress_controller_is_installed_and_answers() {
    check(
        r#"
$ kubectl apply -f https://raw.githubusercontent.com/kubernetes/ingress-nginx/controller-v1.1.1/deploy/static/provider/cloud/deploy.yaml | tail -5
$ kubectl wait -n ingress-nginx --for=condition=ready pod -l app.kubernetes.io/component=controller --timeout=120s | sed 's/controller-.* /controller /'
$ kubectl create deployment demo --image=httpd --port=80
$ kubectl expose deployment demo
$ kubectl create ingress demo-localhost --class=nginx --rule='demo.localdev.me/*=demo:80'
@wait 10
$ kubectl port-forward --namespace=ingress-nginx service/ingress-nginx-controller 8080:80 >/dev/null & sleep 1; curl -s http://demo.localdev.me:8080/; curl -si http://localhost:8080/ | tr -d '\r' | sed -n '1p;/title/p'; kill %1
$ kubectl describe ingress demo-localhost | sed -n '/^Rules/,$p'
$ kubectl exec -n ingress-nginx deploy/ingress-nginx-controller -- grep -A9 'start server demo' /etc/nginx/nginx.conf
$ kubectl logs -n ingress-nginx deploy/ingress-nginx-controller --tail=2 | sed 's/ [0-9a-f]*$//; s/\[[0-9].*+0000\]/[TIME]/; s/0.00[0-9]/0.00x/g; s/10.244.[0-9.]*:80/POD:80/'
$ kubectl create ingress again --class=nginx --rule='demo.localdev.me/*=other:80'
"#,
        expect![[r#"

            $ kubectl apply -f https://raw.githubusercontent.com/kubernetes/ingress-nginx/controller-v1.1.1/deploy/static/provider/cloud/deploy.yaml | tail -5
            deployment.apps/ingress-nginx-controller created
            job.batch/ingress-nginx-admission-create created
            job.batch/ingress-nginx-admission-patch created
            ingressclass.networking.k8s.io/nginx created
            validatingwebhookconfiguration.admissionregistration.k8s.io/ingress-nginx-admission created
            $ kubectl wait -n ingress-nginx --for=condition=ready pod -l app.kubernetes.io/component=controller --timeout=120s | sed 's/controller-.* /controller /'
            pod/ingress-nginx-controller met
            $ kubectl create deployment demo --image=httpd --port=80
            deployment.apps/demo created
            $ kubectl expose deployment demo
            service/demo exposed
            $ kubectl create ingress demo-localhost --class=nginx --rule='demo.localdev.me/*=demo:80'
            ingress.networking.k8s.io/demo-localhost created
            @wait 10
            $ kubectl port-forward --namespace=ingress-nginx service/ingress-nginx-controller 8080:80 >/dev/null & sleep 1; curl -s http://demo.localdev.me:8080/; curl -si http://localhost:8080/ | tr -d '\r' | sed -n '1p;/title/p'; kill %1
            <html><body><h1>It works!</h1></body></html>
            HTTP/1.1 404 Not Found
            <head><title>404 Not Found</title></head>
            $ kubectl describe ingress demo-localhost | sed -n '/^Rules/,$p'
            Rules:
              Host              Path  Backends
              ----              ----  --------
              demo.localdev.me  
                                /   demo:80 (10.244.1.3:80)
            Annotations:        <none>
            Events:
              Type    Reason  Age   From                      Message
              ----    ------  ----  ----                      -------
              Normal  Sync    11s   nginx-ingress-controller  Scheduled for sync
            $ kubectl exec -n ingress-nginx deploy/ingress-nginx-controller -- grep -A9 'start server demo' /etc/nginx/nginx.conf
            	## start server demo.localdev.me
            	server {
            		server_name demo.localdev.me ;

            		listen 80  ;
            		listen 443  ssl ;

            		location / {
            			set $ingress default/demo-localhost;
            			proxy_pass http://default-demo-80;
            $ kubectl logs -n ingress-nginx deploy/ingress-nginx-controller --tail=2 | sed 's/ [0-9a-f]*$//; s/\[[0-9].*+0000\]/[TIME]/; s/0.00[0-9]/0.00x/g; s/10.244.[0-9.]*:80/POD:80/'
            127.0.0.1 - - [TIME] "GET / HTTP/1.1" 200 45 "-" "curl/8.14.1" 81 0.00x [default-demo-80] [] POD:80 45 0.00x 200
            127.0.0.1 - - [TIME] "GET / HTTP/1.1" 404 146 "-" "curl/8.14.1" 74 0.00x [upstream-default-backend] [] 127.0.0.1:8181 146 0.00x 404
            $ kubectl create ingress again --class=nginx --rule='demo.localdev.me/*=other:80'
            error: failed to create ingress: admission webhook "validate.nginx.ingress.kubernetes.io" denied the request: host "demo.localdev.me" and path "/" is already defined in ingress default/demo-localhost
            [exit 1]
        "#]],
    );
}

/// Hosts, TLS, canaries and endpoints in turn, through a node's port.
#[test]
fn ingresses_route_by_host_and_path() {
    check(
        r#"
@file canary.yaml
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: new
  annotations:
    nginx.ingress.kubernetes.io/canary: "true"
    nginx.ingress.kubernetes.io/canary-by-header: X-New
    nginx.ingress.kubernetes.io/limit-rps: "5"
spec:
  ingressClassName: nginx
  rules:
  - host: shop.com
    http:
      paths:
      - path: /
        pathType: Prefix
        backend: {service: {name: new, port: {number: 80}}}
@end
$ kubectl apply -f https://raw.githubusercontent.com/kubernetes/ingress-nginx/main/deploy/static/provider/baremetal/deploy.yaml >/dev/null; kubectl wait -n ingress-nginx --for=condition=ready pod -l app.kubernetes.io/component=controller --timeout=120s >/dev/null; kubectl get ingressclass --no-headers | awk '{print $1, $2}'
$ for app in old new; do kubectl create deployment $app --image=registry.k8s.io/e2e-test-images/agnhost:2.53 --replicas=2 -- /agnhost netexec --http-port=80; kubectl expose deployment $app --port=80; done >/dev/null; kubectl rollout status deployment new | tail -1
$ kubectl create secret tls shop --cert=/etc/kubernetes/pki/ca.crt --key=/etc/kubernetes/pki/ca.key
$ kubectl create ingress shop --class=nginx --rule='shop.com/*=old:80' --rule='secure.com/*=old:80,tls=shop' --rule='none.com/*=nosuch:80' --default-backend=old:80 | sed 's/^Warning.*//'
$ kubectl apply -f canary.yaml
@wait 65
$ kubectl get ingress -o custom-columns=NAME:.metadata.name,ADDRESS:.status.loadBalancer.ingress[0].ip | sed 's/192.168.110.2[23]/NODE/'
$ P=$(kubectl get service -n ingress-nginx ingress-nginx-controller -o jsonpath='{.spec.ports[0].nodePort}'); N=http://192.168.110.22:$P; for i in 1 2 3 4; do curl -s -H 'Host: shop.com' $N/hostname; echo; done | sed 's/-.*-.*//' | sort | uniq -c; curl -s -H 'Host: shop.com' -H 'X-New: always' $N/hostname | sed 's/-.*//'; echo; curl -sI -H 'Host: secure.com' $N/a?b=c | grep -e HTTP -e Location | tr -d '\r'; curl -s -o /dev/null -w '%{http_code}\n' -H 'Host: none.com' $N/; curl -s -o /dev/null -w '%{http_code}\n' $N/hostname
$ curl -s https://secure.com/ --resolve secure.com:443:$(kubectl get service -n ingress-nginx ingress-nginx-controller -o jsonpath='{.spec.clusterIP}') || echo $?
$ curl -sk https://secure.com/hostname --resolve secure.com:443:$(kubectl get service -n ingress-nginx ingress-nginx-controller -o jsonpath='{.spec.clusterIP}') | sed 's/-.*//'; echo
$ kubectl logs -n ingress-nginx deploy/ingress-nginx-controller | grep ' W0\|^W' | cut -d']' -f2-
$ kubectl delete clusterrolebinding ingress-nginx; kubectl rollout restart -n ingress-nginx deployment ingress-nginx-controller
@wait 20
$ kubectl logs -n ingress-nginx -l app.kubernetes.io/component=controller --tail=1 | cut -d']' -f2-
"#,
        expect![[r#"

            @file canary.yaml
            $ kubectl apply -f https://raw.githubusercontent.com/kubernetes/ingress-nginx/main/deploy/static/provider/baremetal/deploy.yaml >/dev/null; kubectl wait -n ingress-nginx --for=condition=ready pod -l app.kubernetes.io/component=controller --timeout=120s >/dev/null; kubectl get ingressclass --no-headers | awk '{print $1, $2}'
            nginx k8s.io/ingress-nginx
            $ for app in old new; do kubectl create deployment $app --image=registry.k8s.io/e2e-test-images/agnhost:2.53 --replicas=2 -- /agnhost netexec --http-port=80; kubectl expose deployment $app --port=80; done >/dev/null; kubectl rollout status deployment new | tail -1
            deployment "new" successfully rolled out
            $ kubectl create secret tls shop --cert=/etc/kubernetes/pki/ca.crt --key=/etc/kubernetes/pki/ca.key
            secret/shop created
            $ kubectl create ingress shop --class=nginx --rule='shop.com/*=old:80' --rule='secure.com/*=old:80,tls=shop' --rule='none.com/*=nosuch:80' --default-backend=old:80 | sed 's/^Warning.*//'
            ingress.networking.k8s.io/shop created
            $ kubectl apply -f canary.yaml
            ingress.networking.k8s.io/new created
            @wait 65
            $ kubectl get ingress -o custom-columns=NAME:.metadata.name,ADDRESS:.status.loadBalancer.ingress[0].ip | sed 's/192.168.110.2[23]/NODE/'
            NAME   ADDRESS
            new    NODE
            shop   NODE
            $ P=$(kubectl get service -n ingress-nginx ingress-nginx-controller -o jsonpath='{.spec.ports[0].nodePort}'); N=http://192.168.110.22:$P; for i in 1 2 3 4; do curl -s -H 'Host: shop.com' $N/hostname; echo; done | sed 's/-.*-.*//' | sort | uniq -c; curl -s -H 'Host: shop.com' -H 'X-New: always' $N/hostname | sed 's/-.*//'; echo; curl -sI -H 'Host: secure.com' $N/a?b=c | grep -e HTTP -e Location | tr -d '\r'; curl -s -o /dev/null -w '%{http_code}\n' -H 'Host: none.com' $N/; curl -s -o /dev/null -w '%{http_code}\n' $N/hostname
                  4 old
            new
            HTTP/1.1 308 Permanent Redirect
            Location: https://secure.com/a?b=c
            503
            404
            $ curl -s https://secure.com/ --resolve secure.com:443:$(kubectl get service -n ingress-nginx ingress-nginx-controller -o jsonpath='{.spec.clusterIP}') || echo $?
            60
            $ curl -sk https://secure.com/hostname --resolve secure.com:443:$(kubectl get service -n ingress-nginx ingress-nginx-controller -o jsonpath='{.spec.clusterIP}') | sed 's/-.*//'; echo
            old
            $ kubectl logs -n ingress-nginx deploy/ingress-nginx-controller | grep ' W0\|^W' | cut -d']' -f2-
             Error obtaining Endpoints for Service "default/nosuch": no object matching key "default/nosuch" in local store
             the annotation nginx.ingress.kubernetes.io/limit-rps of default/new is not simulated
             Error obtaining Endpoints for Service "default/nosuch": no object matching key "default/nosuch" in local store
             the annotation nginx.ingress.kubernetes.io/limit-rps of default/new is not simulated
            $ kubectl delete clusterrolebinding ingress-nginx; kubectl rollout restart -n ingress-nginx deployment ingress-nginx-controller
            clusterrolebinding.rbac.authorization.k8s.io "ingress-nginx" deleted
            deployment.apps/ingress-nginx-controller restarted
            @wait 20
            $ kubectl logs -n ingress-nginx -l app.kubernetes.io/component=controller --tail=1 | cut -d']' -f2-
             "Unhandled Error" err="failed to list *v1.Secret: secrets is forbidden: User \"system:serviceaccount:ingress-nginx:ingress-nginx\" cannot list resource \"secrets\" in API group \"\" at the cluster scope"
        "#]],
    );
}

/// minikube's add-on, as the tutorial enables it: the controller answers at its node's own port.
#[test]
fn minikube_enables_its_ingress() {
    check(
        r#"
$ minikube addons enable ingress --alsologtostderr
$ kubectl create deployment influxdb --image=influxdb; kubectl expose deployment influxdb --port=8086; kubectl create ingress influxdb --class=nginx --rule='influxdb.kube.example.com/*=influxdb:8086'
@wait 20
$ curl -si -H 'Host: influxdb.kube.example.com' http://$(minikube ip)/ping | grep -v Date | tr -d '\r'
$ minikube addons list; minikube addons disable ingress; minikube addons enable istio; minikube tunnel
"#,
        expect![[r#"

            $ minikube addons enable ingress --alsologtostderr
            * ingress is an addon maintained by Kubernetes. For any concerns contact minikube on GitHub.
            * Verifying ingress addon...
            * The 'ingress' addon is enabled
            $ kubectl create deployment influxdb --image=influxdb; kubectl expose deployment influxdb --port=8086; kubectl create ingress influxdb --class=nginx --rule='influxdb.kube.example.com/*=influxdb:8086'
            deployment.apps/influxdb created
            service/influxdb exposed
            ingress.networking.k8s.io/influxdb created
            @wait 20
            $ curl -si -H 'Host: influxdb.kube.example.com' http://$(minikube ip)/ping | grep -v Date | tr -d '\r'
            HTTP/1.1 204 No Content
            Content-Length: 0
            Connection: keep-alive
            X-Influxdb-Build: OSS
            X-Influxdb-Version: 2.7.12

            $ minikube addons list; minikube addons disable ingress; minikube addons enable istio; minikube tunnel
            dashboard        disabled
            ingress          enabled
            metrics-server   disabled
            * The 'ingress' addon is disabled
            X Exiting due to MK_ADDON_ENABLE: the add-on 'istio' is not simulated: there are ingress, metrics-server and dashboard
            minikube tunnel is not simulated: there are addons, ip, kubectl, service, start and status
            [exit 64]
        "#]],
    );
}
