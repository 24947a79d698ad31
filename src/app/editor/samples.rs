//! The manifests that the editor offers. Pure.

/// A manifest's name (as in the picker) and text.
pub const SAMPLES: [(&str, &str); 5] = [
    (
        "Deployment",
        "apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 3
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      containers:
      - name: nginx
        image: nginx
        ports:
        - containerPort: 80
",
    ),
    (
        "Service",
        "apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector:
    app: web
  ports:
  - port: 80
    targetPort: 80
",
    ),
    (
        "Deployment + Service",
        "apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
spec:
  replicas: 2
  selector:
    matchLabels:
      app: shop
  template:
    metadata:
      labels:
        app: shop
    spec:
      containers:
      - name: httpd
        image: httpd
        ports:
        - containerPort: 80
        readinessProbe:
          httpGet:
            path: /
            port: 80
        resources:
          requests:
            cpu: 100m
            memory: 64Mi
---
apiVersion: v1
kind: Service
metadata:
  name: shop
spec:
  selector:
    app: shop
  ports:
  - port: 80
",
    ),
    (
        "Pod",
        "apiVersion: v1
kind: Pod
metadata:
  name: hello
  labels:
    app: hello
spec:
  containers:
  - name: hello
    image: busybox
    command: [\"sh\", \"-c\", \"while true; do date; sleep 5; done\"]
",
    ),
    (
        "ConfigMap + Pod",
        "apiVersion: v1
kind: ConfigMap
metadata:
  name: greeting
data:
  GREETING: hello from a ConfigMap
---
apiVersion: v1
kind: Pod
metadata:
  name: greeter
spec:
  restartPolicy: Never
  containers:
  - name: greeter
    image: busybox
    command: [\"sh\", \"-c\", \"echo $GREETING\"]
    envFrom:
    - configMapRef:
        name: greeting
",
    ),
];
