//! Objects and their descriptions, as a real kubectl printed them.

use expect_test::{Expect, expect};
use futures::FutureExt;

use super::{Related, Source};
use crate::sim::Time;
use crate::value::Value;
use crate::value::yaml::documents;

/// Describes the first of some objects among the others.
#[track_caller]
fn check(objects: &str, expected: &Expect) {
    let objects: Vec<Value> = documents(objects).map(|d| d.unwrap().value().unwrap()).collect();
    let now = Time::parse("2026-11-21T09:00:00Z").unwrap();
    let related = Related {
        source: Source::Objects(&objects),
        show_events: true,
        refused: std::cell::RefCell::default(),
        now,
    };
    expected.assert_eq(&related.describe(objects.first().unwrap()).now_or_never().unwrap());
}

#[test]
fn pod_with_everything() {
    check(
        r#"
apiVersion: v1
kind: Pod
metadata:
  name: full
  namespace: default
  uid: u1
  labels: {app: full, zone: east}
  annotations: {note: hello, kubectl.kubernetes.io/last-applied-configuration: "{}\n"}
spec:
  priority: 0
  serviceAccountName: default
  nodeName: k8s-node-02
  containers:
  - name: main
    image: nginx
    resources: {limits: {cpu: 250m}, requests: {cpu: 250m, memory: 32Mi}}
    env:
    - {name: PLAIN, value: x}
    - {name: DERIVED, value: $(PLAIN)-y}
    - {name: POD_NAME, valueFrom: {fieldRef: {apiVersion: v1, fieldPath: metadata.name}}}
    - {name: NODE_NAME, valueFrom: {fieldRef: {apiVersion: v1, fieldPath: spec.nodeName}}}
    - {name: ZONE, valueFrom: {fieldRef: {apiVersion: v1, fieldPath: "metadata.labels['zone']"}}}
    - {name: CPU_LIMIT, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1m}}}
    volumeMounts:
    - {mountPath: /scratch, name: scratch}
    - {mountPath: /info, name: info, readOnly: true}
    - {mountPath: /all, name: all}
    - {mountPath: /var/run/secrets/kubernetes.io/serviceaccount, name: kube-api-access-cjp4x, readOnly: true}
  volumes:
  - {name: scratch, emptyDir: {medium: Memory, sizeLimit: 16Mi}}
  - {name: info, downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}}
  - {name: all, projected: {sources: [{configMap: {name: conf}}, {secret: {name: sec}}]}}
  - name: kube-api-access-cjp4x
    projected:
      sources:
      - serviceAccountToken: {expirationSeconds: 3607, path: token}
      - configMap: {name: kube-root-ca.crt}
      - downwardAPI: {items: []}
  tolerations:
  - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 300}
  - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 300}
status:
  phase: Running
  hostIP: 192.168.110.23
  podIP: 10.244.2.4
  podIPs: [{ip: 10.244.2.4}]
  startTime: 2026-11-21T08:46:09Z
  qosClass: Burstable
  conditions:
  - {type: PodReadyToStartContainers, status: "True"}
  - {type: Initialized, status: "True"}
  - {type: Ready, status: "True"}
  containerStatuses:
  - name: main
    containerID: containerd://2d1e
    image: nginx
    imageID: docker.io/library/nginx@sha256:3394
    ready: true
    restartCount: 0
    state: {running: {startedAt: 2026-11-21T08:46:13Z}}
    lastState: {}
---
apiVersion: v1
kind: Event
metadata: {name: e2, namespace: default}
involvedObject: {kind: Pod, name: full, uid: u1, fieldPath: "spec.containers{main}"}
type: Normal
reason: Pulling
count: 3
firstTimestamp: 2026-11-21T08:46:00Z
lastTimestamp: 2026-11-21T08:59:54Z
message: Pulling image "nginx"
reportingComponent: kubelet
source: {component: kubelet}
---
apiVersion: v1
kind: Event
metadata: {name: e1, namespace: default}
involvedObject: {kind: Pod, name: full, uid: u1}
type: Normal
reason: Scheduled
eventTime: 2026-11-21T08:59:50.000000Z
firstTimestamp: null
lastTimestamp: null
message: Successfully assigned default/full to k8s-node-02
reportingComponent: default-scheduler
source: {}
"#,
        &expect![[r#"
            Name:             full
            Namespace:        default
            Priority:         0
            Service Account:  default
            Node:             k8s-node-02/192.168.110.23
            Start Time:       Sat, 21 Nov 2026 08:46:09 +0000
            Labels:           app=full
                              zone=east
            Annotations:      note: hello
            Status:           Running
            IP:               10.244.2.4
            IPs:
              IP:  10.244.2.4
            Containers:
              main:
                Container ID:   containerd://2d1e
                Image:          nginx
                Image ID:       docker.io/library/nginx@sha256:3394
                Port:           <none>
                Host Port:      <none>
                State:          Running
                  Started:      Sat, 21 Nov 2026 08:46:13 +0000
                Ready:          True
                Restart Count:  0
                Limits:
                  cpu:  250m
                Requests:
                  cpu:     250m
                  memory:  32Mi
                Environment:
                  PLAIN:      x
                  DERIVED:    $(PLAIN)-y
                  POD_NAME:   full (v1:metadata.name)
                  NODE_NAME:   (v1:spec.nodeName)
                  ZONE:        (v1:metadata.labels['zone'])
                  CPU_LIMIT:  250 (limits.cpu)
                Mounts:
                  /all from all (rw)
                  /info from info (ro)
                  /scratch from scratch (rw)
                  /var/run/secrets/kubernetes.io/serviceaccount from kube-api-access-cjp4x (ro)
            Conditions:
              Type                        Status
              PodReadyToStartContainers   True 
              Initialized                 True 
              Ready                       True 
            Volumes:
              scratch:
                Type:       EmptyDir (a temporary directory that shares a pod's lifetime)
                Medium:     Memory
                SizeLimit:  16Mi
              info:
                Type:  DownwardAPI (a volume populated by information about the pod)
                Items:
                  metadata.labels -> labels
              all:
                Type:           Projected (a volume that contains injected data from multiple sources)
                ConfigMapName:  conf
                Optional:       false
                SecretName:     sec
                Optional:       false
              kube-api-access-cjp4x:
                Type:                    Projected (a volume that contains injected data from multiple sources)
                TokenExpirationSeconds:  3607
                ConfigMapName:           kube-root-ca.crt
                Optional:                false
                DownwardAPI:             true
            QoS Class:                   Burstable
            Node-Selectors:              <none>
            Tolerations:                 node.kubernetes.io/not-ready:NoExecute op=Exists for 300s
                                         node.kubernetes.io/unreachable:NoExecute op=Exists for 300s
            Events:
              Type    Reason     Age               From               Message
              ----    ------     ----              ----               -------
              Normal  Scheduled  10s               default-scheduler  Successfully assigned default/full to k8s-node-02
              Normal  Pulling    6s (x3 over 14m)  kubelet            spec.containers{main}: Pulling image "nginx"
        "#]],
    );
}

#[test]
fn pods_that_wait_and_ended() {
    check(
        r#"
apiVersion: v1
kind: Pod
metadata:
  name: no-cm
  namespace: default
  ownerReferences: [{kind: ReplicaSet, name: web-1, controller: true}]
spec:
  priority: 0
  readinessGates: [{conditionType: example.com/lb-attached}]
  initContainers:
  - name: first
    image: busybox
    command: [sh, -c, "echo one; exit 0"]
    args: ["a\nb"]
    ports: [{containerPort: 80, protocol: TCP, name: web}, {containerPort: 53, protocol: UDP, hostPort: 53}]
    livenessProbe: {exec: {command: ["true"]}, timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3}
    readinessProbe: {httpGet: {path: /, port: 80, scheme: HTTP}, timeoutSeconds: 1, periodSeconds: 1, successThreshold: 1, failureThreshold: 30}
  containers:
  - name: c
    image: nginx
    envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: s}, prefix: P_}]
    env: [{name: PASS, valueFrom: {secretKeyRef: {key: pass, name: frozen}}}]
  topologySpreadConstraints:
  - {topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule, maxSkew: 1, labelSelector: {matchLabels: {app: web}}}
status:
  phase: Pending
  qosClass: BestEffort
  conditions: [{type: PodScheduled, status: "True"}]
  initContainerStatuses:
  - name: first
    ready: true
    restartCount: 1
    containerID: containerd://1
    imageID: x
    state: {terminated: {reason: Completed, exitCode: 0, startedAt: 2026-11-21T08:36:42Z, finishedAt: 2026-11-21T08:36:43Z}}
    lastState: {terminated: {reason: Error, exitCode: 3, signal: 9, startedAt: 2026-11-21T08:36:40Z, finishedAt: 2026-11-21T08:36:41Z}}
  containerStatuses:
  - name: c
    ready: false
    restartCount: 0
    containerID: ""
    imageID: ""
    state: {waiting: {reason: CreateContainerConfigError}}
    lastState: {}
"#,
        &expect![[r#"
            Name:           no-cm
            Namespace:      default
            Priority:       0
            Node:           <none>
            Labels:         <none>
            Annotations:    <none>
            Status:         Pending
            IP:             
            IPs:            <none>
            Controlled By:  ReplicaSet/web-1
            Init Containers:
              first:
                Container ID:  containerd://1
                Image:         busybox
                Image ID:      x
                Ports:         80/TCP (web), 53/UDP
                Host Ports:    0/TCP (web), 53/UDP
                Command:
                  sh
                  -c
                  echo one; exit 0
                Args:
                  a
                  b
                State:          Terminated
                  Reason:       Completed
                  Exit Code:    0
                  Started:      Sat, 21 Nov 2026 08:36:42 +0000
                  Finished:     Sat, 21 Nov 2026 08:36:43 +0000
                Last State:     Terminated
                  Reason:       Error
                  Exit Code:    3
                  Signal:       9
                  Started:      Sat, 21 Nov 2026 08:36:40 +0000
                  Finished:     Sat, 21 Nov 2026 08:36:41 +0000
                Ready:          True
                Restart Count:  1
                Liveness:       exec [true] delay=0s timeout=1s period=10s #success=1 #failure=3
                Readiness:      http-get http://:80/ delay=0s timeout=1s period=1s #success=1 #failure=30
                Environment:    <none>
                Mounts:         <none>
            Containers:
              c:
                Container ID:   
                Image:          nginx
                Image ID:       
                Port:           <none>
                Host Port:      <none>
                State:          Waiting
                  Reason:       CreateContainerConfigError
                Ready:          False
                Restart Count:  0
                Environment Variables from:
                  settings  ConfigMap                Optional: false
                  s         Secret with prefix 'P_'  Optional: false
                Environment:
                  PASS:  <set to the key 'pass' in secret 'frozen'>  Optional: false
                Mounts:  <none>
            Readiness Gates:
              Type                      Status
              example.com/lb-attached   <none> 
            Conditions:
              Type                        Status
              PodScheduled                True 
            Volumes:                      <none>
            QoS Class:                    BestEffort
            Node-Selectors:               <none>
            Tolerations:                  <none>
            Topology Spread Constraints:  kubernetes.io/hostname:DoNotSchedule when max skew 1 is exceeded for selector app=web
            Events:                       <none>
        "#]],
    );
}

#[test]
fn service_with_its_endpoints() {
    check(
        r#"
apiVersion: v1
kind: Service
metadata: {name: multi, namespace: default, uid: s}
spec:
  type: NodePort
  clusterIP: 10.106.131.48
  clusterIPs: [10.106.131.48]
  ipFamilies: [IPv4]
  ipFamilyPolicy: SingleStack
  selector: {app: web}
  sessionAffinity: None
  internalTrafficPolicy: Cluster
  externalTrafficPolicy: Cluster
  ports:
  - {name: http, port: 80, protocol: TCP, targetPort: http, nodePort: 30001}
  - {name: dns, port: 53, protocol: UDP, targetPort: 53}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: multi-1, namespace: default, labels: {kubernetes.io/service-name: multi}}
ports: [{name: http, port: 8081, protocol: TCP}, {name: dns, port: 53, protocol: UDP}]
endpoints:
- {addresses: [10.244.2.2], conditions: {ready: true}}
- {addresses: [10.244.1.2]}
- {addresses: [10.244.1.9], conditions: {ready: false}}
- {addresses: [10.244.1.3]}
- {addresses: [10.244.1.4]}
"#,
        &expect![[r#"
            Name:                     multi
            Namespace:                default
            Labels:                   <none>
            Annotations:              <none>
            Selector:                 app=web
            Type:                     NodePort
            IP Family Policy:         SingleStack
            IP Families:              IPv4
            IP:                       10.106.131.48
            IPs:                      10.106.131.48
            Port:                     http  80/TCP
            TargetPort:               http/TCP
            NodePort:                 http  30001/TCP
            Endpoints:                10.244.2.2:8081,10.244.1.2:8081,10.244.1.3:8081 + 1 more...
            Port:                     dns  53/UDP
            TargetPort:               53/UDP
            Endpoints:                10.244.2.2:53,10.244.1.2:53,10.244.1.3:53 + 1 more...
            Session Affinity:         None
            External Traffic Policy:  Cluster
            Internal Traffic Policy:  Cluster
            Events:                   <none>
        "#]],
    );
}

#[test]
fn deployment_with_its_replica_sets() {
    check(
        r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default, uid: d, creationTimestamp: 2026-11-21T08:47:54Z, labels: {app: web}, annotations: {deployment.kubernetes.io/revision: "2"}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  strategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 25%, maxSurge: 1}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: nginx, image: "nginx:1.27", ports: [{containerPort: 80, protocol: TCP}]}]}
status:
  replicas: 1
  updatedReplicas: 1
  availableReplicas: 1
  conditions:
  - {type: Available, status: "True", reason: MinimumReplicasAvailable}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: web-cc544bdcc, namespace: default, creationTimestamp: 2026-11-21T08:47:54Z, ownerReferences: [{uid: d, controller: true}]}
spec:
  replicas: 1
  template:
    metadata: {labels: {app: web, pod-template-hash: cc544bdcc}}
    spec: {containers: [{name: nginx, image: "nginx:1.27", ports: [{containerPort: 80, protocol: TCP}]}]}
status: {replicas: 1}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: web-old, namespace: default, creationTimestamp: 2026-11-21T08:40:54Z, ownerReferences: [{uid: d, controller: true}]}
spec: {replicas: 0, template: {spec: {}}}
status: {replicas: 0}
"#,
        &expect![[r#"
            Name:                   web
            Namespace:              default
            CreationTimestamp:      Sat, 21 Nov 2026 08:47:54 +0000
            Labels:                 app=web
            Annotations:            deployment.kubernetes.io/revision: 2
            Selector:               app=web
            Replicas:               1 desired | 1 updated | 1 total | 1 available | 0 unavailable
            StrategyType:           RollingUpdate
            MinReadySeconds:        0
            RollingUpdateStrategy:  25% max unavailable, 1 max surge
            Pod Template:
              Labels:  app=web
              Containers:
               nginx:
                Image:         nginx:1.27
                Port:          80/TCP
                Host Port:     0/TCP
                Environment:   <none>
                Mounts:        <none>
              Volumes:         <none>
              Node-Selectors:  <none>
              Tolerations:     <none>
            Conditions:
              Type           Status  Reason
              ----           ------  ------
              Available      True    MinimumReplicasAvailable
            OldReplicaSets:  web-old (0/0 replicas created)
            NewReplicaSet:   web-cc544bdcc (1/1 replicas created)
            Events:          <none>
        "#]],
    );
}

#[test]
fn controllers() {
    check(
        r#"
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: default, uid: a}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {nodeSelector: {disk: ssd}, containers: [{name: agent, image: busybox, command: [sh, -c, sleep 1]}]}
status: {desiredNumberScheduled: 2}
---
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: default, ownerReferences: [{uid: a, controller: true}]}
status: {phase: Running}
"#,
        &expect![[r#"
            Name:           agent
            Namespace:      default
            Selector:       app=agent
            Node-Selector:  disk=ssd
            Labels:         <none>
            Annotations:    <none>
            Desired Number of Nodes Scheduled: 2
            Current Number of Nodes Scheduled: 0
            Number of Nodes Scheduled with Up-to-date Pods: 0
            Number of Nodes Scheduled with Available Pods: 0
            Number of Nodes Misscheduled: 0
            Pods Status:  1 Running / 0 Waiting / 0 Succeeded / 0 Failed
            Pod Template:
              Labels:  app=agent
              Containers:
               agent:
                Image:      busybox
                Port:       <none>
                Host Port:  <none>
                Command:
                  sh
                  -c
                  sleep 1
                Environment:   <none>
                Mounts:        <none>
              Volumes:         <none>
              Node-Selectors:  disk=ssd
              Tolerations:     <none>
            Events:            <none>
        "#]],
    );
    check(
        r#"
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: default, creationTimestamp: 2026-11-21T08:47:54Z}
spec:
  replicas: 1
  selector: {matchLabels: {app: db}}
  updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 0}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: redis, image: "redis:7"}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
status: {replicas: 1}
"#,
        &expect![[r#"
            Name:               db
            Namespace:          default
            CreationTimestamp:  Sat, 21 Nov 2026 08:47:54 +0000
            Selector:           app=db
            Labels:             <none>
            Annotations:        <none>
            Replicas:           1 desired | 1 total
            Update Strategy:    RollingUpdate
              Partition:        0
            Pods Status:        0 Running / 0 Waiting / 0 Succeeded / 0 Failed
            Pod Template:
              Labels:  app=db
              Containers:
               redis:
                Image:         redis:7
                Port:          <none>
                Host Port:     <none>
                Environment:   <none>
                Mounts:        <none>
              Volumes:         <none>
              Node-Selectors:  <none>
              Tolerations:     <none>
            Volume Claims:
              Name:          data
              StorageClass:  
              Labels:        <none>
              Annotations:   <none>
              Capacity:      1Gi
              Access Modes:  [ReadWriteOnce]
            Events:          <none>
        "#]],
    );
    check(
        r#"
apiVersion: batch/v1
kind: Job
metadata: {name: pi, namespace: default}
spec:
  parallelism: 1
  completions: 1
  completionMode: NonIndexed
  suspend: false
  backoffLimit: 4
  selector: {matchLabels: {batch.kubernetes.io/controller-uid: ac65}}
  template: {spec: {containers: [{name: pi, image: perl}]}}
status: {succeeded: 1, ready: 0, startTime: 2026-11-21T08:36:21Z, completionTime: 2026-11-21T08:36:28Z}
"#,
        &expect![[r#"
            Name:             pi
            Namespace:        default
            Selector:         batch.kubernetes.io/controller-uid=ac65
            Labels:           <none>
            Annotations:      <none>
            Parallelism:      1
            Completions:      1
            Completion Mode:  NonIndexed
            Suspend:          false
            Backoff Limit:    4
            Start Time:       Sat, 21 Nov 2026 08:36:21 +0000
            Completed At:     Sat, 21 Nov 2026 08:36:28 +0000
            Duration:         7s
            Pods Statuses:    0 Active (0 Ready) / 1 Succeeded / 0 Failed
            Pod Template:
              Labels:  <none>
              Containers:
               pi:
                Image:         perl
                Port:          <none>
                Host Port:     <none>
                Environment:   <none>
                Mounts:        <none>
              Volumes:         <none>
              Node-Selectors:  <none>
              Tolerations:     <none>
            Events:            <none>
        "#]],
    );
    check(
        r#"
apiVersion: batch/v1
kind: CronJob
metadata: {name: tick, namespace: default}
spec:
  schedule: "*/5 * * * *"
  concurrencyPolicy: Allow
  suspend: false
  successfulJobsHistoryLimit: 3
  failedJobsHistoryLimit: 1
  jobTemplate: {spec: {template: {spec: {containers: [{name: tick, image: busybox, command: [date]}]}}}}
status: {}
"#,
        &expect![[r#"
            Name:                          tick
            Namespace:                     default
            Labels:                        <none>
            Annotations:                   <none>
            Schedule:                      */5 * * * *
            Concurrency Policy:            Allow
            Suspend:                       False
            Time Zone:                     <unset>
            Successful Job History Limit:  3
            Failed Job History Limit:      1
            Starting Deadline Seconds:     <unset>
            Selector:                      <unset>
            Parallelism:                   <unset>
            Completions:                   <unset>
            Pod Template:
              Labels:  <none>
              Containers:
               tick:
                Image:      busybox
                Port:       <none>
                Host Port:  <none>
                Command:
                  date
                Environment:     <none>
                Mounts:          <none>
              Volumes:           <none>
              Node-Selectors:    <none>
              Tolerations:       <none>
            Last Schedule Time:  <unset>
            Active Jobs:         <none>
            Events:              <none>
        "#]],
    );
}

#[test]
fn network() {
    check(
        r#"
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: site, namespace: default, annotations: {nginx.ingress.kubernetes.io/rewrite-target: /}}
spec:
  ingressClassName: nginx
  defaultBackend: {service: {name: fallback, port: {number: 80}}}
  tls: [{hosts: [shop.example.com], secretName: shop-tls}]
  rules:
  - host: shop.example.com
    http: {paths: [{path: /cart, backend: {service: {name: cart, port: {number: 80}}}}, {path: /pay, backend: {service: {name: cart, port: {name: http}}}}]}
  - http: {paths: [{path: /, backend: {service: {name: nowhere, port: {number: 8080}}}}]}
status: {loadBalancer: {}}
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: default}
spec: {ports: [{port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: cart-1, namespace: default, labels: {kubernetes.io/service-name: cart}}
ports: [{name: "", port: 80, protocol: TCP}]
endpoints: [{addresses: [10.244.2.2]}, {addresses: [10.244.1.2]}]
"#,
        &expect![[r#"
            Name:             site
            Labels:           <none>
            Namespace:        default
            Address:          
            Ingress Class:    nginx
            Default backend:  fallback:80 (<error: services "fallback" not found>)
            TLS:
              shop-tls terminates shop.example.com
            Rules:
              Host              Path  Backends
              ----              ----  --------
              shop.example.com  
                                /cart   cart:80 (10.244.2.2:80,10.244.1.2:80)
                                /pay    cart:http (10.244.2.2:80,10.244.1.2:80)
              *                 
                                /   nowhere:8080 (<error: services "nowhere" not found>)
            Annotations:        nginx.ingress.kubernetes.io/rewrite-target: /
            Events:             <none>
        "#]],
    );
    check(
        r#"
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-policy, namespace: default, creationTimestamp: 2026-11-21T08:06:33Z}
spec:
  podSelector: {matchLabels: {role: db}}
  policyTypes: [Ingress, Egress]
  ingress:
  - from:
    - ipBlock: {cidr: 172.17.0.0/16, except: [172.17.1.0/24]}
    - namespaceSelector: {matchLabels: {project: myproject}}
    - podSelector: {matchLabels: {role: frontend}}
    ports: [{port: 6379, protocol: TCP}]
  egress:
  - to: [{ipBlock: {cidr: 10.0.0.0/24}}]
    ports: [{port: 5978, endPort: 5990, protocol: TCP}]
"#,
        &expect![[r#"
            Name:         db-policy
            Namespace:    default
            Created on:   2026-11-21 08:06:33 +0000 UTC
            Labels:       <none>
            Annotations:  <none>
            Spec:
              PodSelector:     role=db
              Allowing ingress traffic:
                To Port: 6379/TCP
                From:
                  IPBlock:
                    CIDR: 172.17.0.0/16
                    Except: 172.17.1.0/24
                From:
                  NamespaceSelector: project=myproject
                From:
                  PodSelector: role=frontend
              Allowing egress traffic:
                To Port Range: 5978-5990/TCP
                To:
                  IPBlock:
                    CIDR: 10.0.0.0/24
                    Except: 
              Policy Types: Ingress, Egress
        "#]],
    );
    check(
        r#"
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: api-1, namespace: default, labels: {kubernetes.io/service-name: api}}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}]
endpoints: [{addresses: [198.51.100.1], conditions: {}}, {addresses: [198.51.100.2], conditions: {ready: false}}]
"#,
        &expect![[r#"
            Name:         api-1
            Namespace:    default
            Labels:       kubernetes.io/service-name=api
            Annotations:  <none>
            AddressType:  IPv4
            Ports:
              Name  Port  Protocol
              ----  ----  --------
              http  8080  TCP
            Endpoints:
              - Addresses:  198.51.100.1
                Conditions:
                  Ready:    <unset>
                Hostname:   <unset>
                NodeName:   <unset>
                Zone:       <unset>
              - Addresses:  198.51.100.2
                Conditions:
                  Ready:   false
                Hostname:  <unset>
                NodeName:  <unset>
                Zone:      <unset>
            Events:        <none>
        "#]],
    );
    check(
        r#"
apiVersion: v1
kind: Endpoints
metadata: {name: ext-db, namespace: default}
subsets: [{addresses: [{ip: 192.0.2.10}, {ip: 192.0.2.11}], notReadyAddresses: [{ip: 192.0.2.12}], ports: [{name: mysql, port: 3306, protocol: TCP}]}]
"#,
        &expect![[r#"
            Name:         ext-db
            Namespace:    default
            Labels:       <none>
            Annotations:  <none>
            Subsets:
              Addresses:          192.0.2.10,192.0.2.11
              NotReadyAddresses:  192.0.2.12
              Ports:
                Name   Port  Protocol
                ----   ----  --------
                mysql  3306  TCP

            Events:  <none>
        "#]],
    );
}

#[test]
fn node() {
    check(
        r#"
apiVersion: v1
kind: Node
metadata: {name: k8s-node-02, uid: n, creationTimestamp: 2026-11-21T08:49:04Z, labels: {kubernetes.io/os: linux, node-role.kubernetes.io/control-plane: ""}}
spec: {podCIDR: 10.244.2.0/24, podCIDRs: [10.244.2.0/24], taints: [{key: gpu, value: "false", effect: NoSchedule}]}
status:
  addresses: [{type: InternalIP, address: 192.168.110.23}]
  allocatable: {cpu: "2", ephemeral-storage: "37925506253", hugepages-2Mi: "0", memory: 3809356Ki, pods: "110"}
  capacity: {cpu: "2", memory: 3911756Ki}
  conditions: [{type: Ready, status: "True", lastHeartbeatTime: 2026-11-21T08:49:05Z, lastTransitionTime: 2026-11-21T08:49:04Z, reason: KubeletReady, message: kubelet is posting ready status}]
  nodeInfo: {machineID: m, systemUUID: s, bootID: b, kernelVersion: 6.1.0-41-amd64, osImage: Debian, operatingSystem: linux, architecture: amd64, containerRuntimeVersion: "containerd://2.1.5", kubeletVersion: v1.36.2}
---
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: k8s-node-02, namespace: kube-node-lease}
spec: {holderIdentity: k8s-node-02, renewTime: 2026-11-21T08:49:04.000000Z}
---
apiVersion: v1
kind: Pod
metadata: {name: kube-flannel-ds-77cbv, namespace: kube-flannel, creationTimestamp: 2026-11-21T08:59:51Z}
spec: {nodeName: k8s-node-02, containers: [{name: a, resources: {requests: {cpu: 100m, memory: 50Mi}}}]}
"#,
        &expect![[r#"
            Name:               k8s-node-02
            Roles:              control-plane
            Labels:             kubernetes.io/os=linux
                                node-role.kubernetes.io/control-plane=
            Annotations:        <none>
            CreationTimestamp:  Sat, 21 Nov 2026 08:49:04 +0000
            Taints:             gpu=false:NoSchedule
            Unschedulable:      false
            Lease:
              HolderIdentity:  k8s-node-02
              AcquireTime:     <unset>
              RenewTime:       Sat, 21 Nov 2026 08:49:04 +0000
            Conditions:
              Type    Status  LastHeartbeatTime                 LastTransitionTime                Reason         Message
              ----    ------  -----------------                 ------------------                ------         -------
              Ready   True    Sat, 21 Nov 2026 08:49:05 +0000   Sat, 21 Nov 2026 08:49:04 +0000   KubeletReady   kubelet is posting ready status
            Addresses:
              InternalIP:  192.168.110.23
            Capacity:
              cpu:     2
              memory:  3911756Ki
            Allocatable:
              cpu:                2
              ephemeral-storage:  37925506253
              hugepages-2Mi:      0
              memory:             3809356Ki
              pods:               110
            System Info:
              Machine ID:                 m
              System UUID:                s
              Boot ID:                    b
              Kernel Version:             6.1.0-41-amd64
              OS Image:                   Debian
              Operating System:           linux
              Architecture:               amd64
              Container Runtime Version:  containerd://2.1.5
              Kubelet Version:            v1.36.2
            PodCIDR:                      10.244.2.0/24
            PodCIDRs:                     10.244.2.0/24
            Non-terminated Pods:          (1 in total)
              Namespace                   Name                     CPU Requests  CPU Limits  Memory Requests  Memory Limits  Age
              ---------                   ----                     ------------  ----------  ---------------  -------------  ---
              kube-flannel                kube-flannel-ds-77cbv    100m (5%)     0 (0%)      50Mi (1%)        0 (0%)         9s
            Allocated resources:
              (Total limits may be over 100 percent, i.e., overcommitted.)
              Resource           Requests   Limits
              --------           --------   ------
              cpu                100m (5%)  0 (0%)
              memory             50Mi (1%)  0 (0%)
              ephemeral-storage  0 (0%)     0 (0%)
              hugepages-2Mi      0 (0%)     0 (0%)
            Events:              <none>
        "#]],
    );
}

#[test]
fn namespace_with_quota_and_limits() {
    check(
        r#"
apiVersion: v1
kind: Namespace
metadata: {name: dev, labels: {kubernetes.io/metadata.name: dev}}
status: {phase: Active}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: team, namespace: dev}
spec: {scopes: [BestEffort]}
status: {hard: {limits.memory: 1Gi, pods: "3"}, used: {limits.memory: 600Mi, pods: "3"}}
---
apiVersion: v1
kind: LimitRange
metadata: {name: bounds, namespace: dev}
spec:
  limits:
  - {type: Container, min: {cpu: 100m}, max: {cpu: 500m, memory: 512Mi}, defaultRequest: {cpu: 200m, memory: 100Mi}, default: {cpu: 300m, memory: 200Mi}}
"#,
        &expect![[r#"
            Name:         dev
            Labels:       kubernetes.io/metadata.name=dev
            Annotations:  <none>
            Status:       Active

            Resource Quotas
              Name:    team
              Scopes:  BestEffort
              * Matches all pods that do not have resource requirements set. These pods have a best effort quality of service.
              Resource       Used   Hard
              --------       ---    ---
              limits.memory  600Mi  1Gi
              pods           3      3

            Resource Limits
             Type       Resource  Min   Max    Default Request  Default Limit  Max Limit/Request Ratio
             ----       --------  ---   ---    ---------------  -------------  -----------------------
             Container  cpu       100m  500m   200m             300m           -
             Container  memory    -     512Mi  100Mi            200Mi          -
        "#]],
    );
}

#[test]
fn small_kinds() {
    check(
        r#"
apiVersion: v1
kind: PersistentVolume
metadata: {name: disk, finalizers: [kubernetes.io/pv-protection], annotations: {pv.kubernetes.io/bound-by-controller: "yes"}}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  storageClassName: manual
  volumeMode: Filesystem
  hostPath: {path: /mnt/disk, type: ""}
  claimRef: {namespace: default, name: claim}
status: {phase: Bound}
"#,
        &expect![[r#"
            Name:            disk
            Labels:          <none>
            Annotations:     pv.kubernetes.io/bound-by-controller: yes
            Finalizers:      [kubernetes.io/pv-protection]
            StorageClass:    manual
            Status:          Bound
            Claim:           default/claim
            Reclaim Policy:  Retain
            Access Modes:    RWO
            VolumeMode:      Filesystem
            Capacity:        1Gi
            Node Affinity:   <none>
            Message:         
            Source:
                Type:          HostPath (bare host directory volume)
                Path:          /mnt/disk
                HostPathType:  
            Events:            <none>
        "#]],
    );
    check(
        r#"
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: manual, annotations: {kubectl.kubernetes.io/last-applied-configuration: "{\"a\":1}\n"}}
provisioner: kubernetes.io/no-provisioner
reclaimPolicy: Delete
volumeBindingMode: Immediate
"#,
        &expect![[r#"
            Name:            manual
            IsDefaultClass:  No
            Annotations:     kubectl.kubernetes.io/last-applied-configuration={"a":1}

            Provisioner:           kubernetes.io/no-provisioner
            Parameters:            <none>
            AllowVolumeExpansion:  <unset>
            MountOptions:          <none>
            ReclaimPolicy:         Delete
            VolumeBindingMode:     Immediate
            Events:                <none>
        "#]],
    );
    check(
        r#"
apiVersion: v1
kind: ConfigMap
metadata:
  name: game
  namespace: default
  annotations:
    kubernetes.io/description: Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.
data: {lives: "3", ui.properties: "color.good=purple\nallow.textmode=true\n"}
binaryData: {b: AAEC}
"#,
        &expect![[r#"
            Name:         game
            Namespace:    default
            Labels:       <none>
            Annotations:  kubernetes.io/description:
                            Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubern...

            Data
            ====
            lives:
            ----
            3

            ui.properties:
            ----
            color.good=purple
            allow.textmode=true



            BinaryData
            ====
            b: 3 bytes

            Events:  <none>
        "#]],
    );
    check(
        r#"
apiVersion: v1
kind: Secret
metadata: {name: db, namespace: default}
type: Opaque
data: {password: czNjcjN0IQ==, user: YWRtaW4=}
"#,
        &expect![[r#"
            Name:         db
            Namespace:    default
            Labels:       <none>
            Annotations:  <none>

            Type:  Opaque

            Data
            ====
            password:  7 bytes
            user:      5 bytes
        "#]],
    );
    check(
        r#"
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: "system:node-proxier"}
rules:
- {apiGroups: [""], resources: [endpoints, services], verbs: [list, watch]}
- {apiGroups: [""], resources: [nodes], verbs: [get, list, watch]}
- {apiGroups: ["", events.k8s.io], resources: [events], verbs: [create, patch, update]}
- {apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [list, watch]}
- {nonResourceURLs: [/healthz], verbs: [get]}
"#,
        &expect![[r#"
            Name:         system:node-proxier
            Labels:       <none>
            Annotations:  <none>
            PolicyRule:
              Resources                        Non-Resource URLs  Resource Names  Verbs
              ---------                        -----------------  --------------  -----
              events                           []                 []              [create patch update]
              events.events.k8s.io             []                 []              [create patch update]
              nodes                            []                 []              [get list watch]
                                               [/healthz]         []              [get]
              endpoints                        []                 []              [list watch]
              services                         []                 []              [list watch]
              endpointslices.discovery.k8s.io  []                 []              [list watch]
        "#]],
    );
    check(
        r#"
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: read, namespace: default}
roleRef: {kind: Role, name: pod-reader}
subjects: [{kind: ServiceAccount, name: robot, namespace: default}]
"#,
        &expect![[r#"
            Name:         read
            Labels:       <none>
            Annotations:  <none>
            Role:
              Kind:  Role
              Name:  pod-reader
            Subjects:
              Kind            Name   Namespace
              ----            ----   ---------
              ServiceAccount  robot  default
        "#]],
    );
    check(
        r#"
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: calc, namespace: default}
spec: {minAvailable: 50%, selector: {matchLabels: {run: calc}}}
status: {disruptionsAllowed: 1, currentHealthy: 3, desiredHealthy: 2, expectedPods: 3}
"#,
        &expect![[r#"
            Name:           calc
            Namespace:      default
            Min available:  50%
            Selector:       run=calc
            Status:
                Allowed disruptions:  1
                Current:              3
                Desired:              2
                Total:                3
            Events:                   <none>
        "#]],
    );
    check(
        r#"
apiVersion: storage.acme.io/v1
kind: Backup
metadata: {name: weekly, namespace: default, creationTimestamp: 2026-11-21T08:23:19Z, generation: 1, uid: 21a3, resourceVersion: "9"}
spec: {keep: 3, schedule: 0 5 * * 0, tags: [a, b], steps: [{runAs: root}]}
"#,
        &expect![[r#"
            Name:         weekly
            Namespace:    default
            Labels:       <none>
            Annotations:  <none>
            API Version:  storage.acme.io/v1
            Kind:         Backup
            Metadata:
              Creation Timestamp:  2026-11-21T08:23:19Z
              Generation:          1
              Resource Version:    9
              UID:                 21a3
            Spec:
              Keep:      3
              Schedule:  0 5 * * 0
              Steps:
                Run As:  root
              Tags:
                a
                b
            Events:  <none>
        "#]],
    );
}

#[test]
fn autoscaler() {
    check(
        r#"
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: rich, namespace: default, creationTimestamp: 2026-11-21T08:09:48Z}
spec:
  scaleTargetRef: {kind: Deployment, name: other}
  minReplicas: 1
  maxReplicas: 10
  metrics:
  - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}
  - {type: Resource, resource: {name: memory, target: {type: AverageValue, averageValue: 200Mi}}}
  - {type: Pods, pods: {metric: {name: packets-per-second}, target: {averageValue: 1k}}}
  - {type: Object, object: {metric: {name: requests-per-second}, describedObject: {kind: Ingress, name: main-route}, target: {value: 10k}}}
  - {type: External, external: {metric: {name: queue_messages_ready}, target: {averageValue: "30"}}}
  behavior:
    scaleUp: {stabilizationWindowSeconds: 0, selectPolicy: Disabled, policies: [{type: Pods, value: 4, periodSeconds: 15}, {type: Percent, value: 100, periodSeconds: 15}]}
    scaleDown: {stabilizationWindowSeconds: 300, selectPolicy: Max, policies: [{type: Pods, value: 4, periodSeconds: 60}]}
status:
  currentReplicas: 0
  desiredReplicas: 0
  conditions: [{type: AbleToScale, status: "False", reason: FailedGetScale, message: none}]
"#,
        &expect![[r#"
            Name:                                                          rich
            Namespace:                                                     default
            Labels:                                                        <none>
            Annotations:                                                   <none>
            CreationTimestamp:                                             Sat, 21 Nov 2026 08:09:48 +0000
            Reference:                                                     Deployment/other
            Metrics:                                                       ( current / target )
              resource cpu on pods  (as a percentage of request):          <unknown> / 50%
              resource memory on pods:                                     <unknown> / 200Mi
              "packets-per-second" on pods:                                <unknown> / 1k
              "requests-per-second" on Ingress/main-route (target value):  <unknown> / 10k
              "queue_messages_ready" (target average value):               <unknown> / 30
            Min replicas:                                                  1
            Max replicas:                                                  10
            Behavior:
              Scale Up:
                Stabilization Window: 0 seconds
                Select Policy: Disabled
                Policies:
                  - Type: Pods     Value: 4    Period: 15 seconds
                  - Type: Percent  Value: 100  Period: 15 seconds
              Scale Down:
                Stabilization Window: 300 seconds
                Select Policy: Max
                Policies:
                  - Type: Pods  Value: 4  Period: 60 seconds
            Deployment pods:    0 current / 0 desired
            Conditions:
              Type         Status  Reason          Message
              ----         ------  ------          -------
              AbleToScale  False   FailedGetScale  none
            Events:        <none>
        "#]],
    );
}
