//! Small kustomizations in, YAML out.

use super::super::message::{Options, Request, Response};
use crate::shell::Files;
use crate::sim::Sim;

/// Builds a directory of files: `# path` lines begin one. Gives the warnings and the output.
fn build_with(text: &str, dir: &str, options: Options) -> String {
    let files = Files::new(&Sim::new(1, crate::sim::Time::default()));
    let mut path = String::new();
    let mut body = String::new();
    let put = |path: &str, body: &str| {
        if !path.is_empty() {
            let path = format!("/w/{path}");
            files.make_dirs(crate::shell::dir_name(&path)).unwrap();
            files.write(&path, body.as_bytes().to_vec()).unwrap();
        }
    };
    for line in text.lines() {
        if let Some(next) = line.strip_prefix("# ") {
            put(&path, &body);
            path = next.to_owned();
            body.clear();
        } else {
            body.push_str(line);
            body.push('\n');
        }
    }
    put(&path, &body);
    let request = Request {
        options,
        cwd: "/w".to_owned(),
        path: dir.to_owned(),
        files,
    };
    let built = super::build(&request);
    // As it is asked in a browser.
    let asked = Request::from_bytes(&request.to_bytes()).unwrap();
    let answer = Response::from_bytes(&super::build(&asked).to_bytes()).unwrap();
    assert_eq!(answer, built);
    let mut out: String = built.warnings.iter().map(|w| format!("{w}\n")).collect();
    match built.outcome {
        Ok(manifests) => out.push_str(
            &manifests
                .iter()
                .map(|m| m.yaml.as_str())
                .collect::<Vec<_>>()
                .join("---\n"),
        ),
        Err(e) => out.push_str(&format!("error: {e}\n")),
    }
    out
}

fn build(text: &str) -> String {
    build_with(text, ".", Options::default())
}

use expect_test::{Expect, expect};

#[track_caller]
fn check(text: &str, want: Expect) {
    want.assert_eq(&build(text));
}

const WEB: &str = "# web.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: nginx}]}
";

#[test]
fn labels_and_annotations() {
    check(
        &format!(
            "{WEB}# kustomization.yaml
resources: [web.yaml]
labels:
- pairs: {{a: only}}
- pairs: {{b: templates}}
  includeTemplates: true
- pairs: {{c: all}}
  includeSelectors: true
- pairs: {{d: own}}
  fields: [{{path: spec/mine, create: true, kind: Deployment}}]
commonAnnotations: {{note: \"1\"}}
"
        ),
        expect![[r#"
            apiVersion: apps/v1
            kind: Deployment
            metadata:
              annotations:
                note: "1"
              labels:
                a: only
                app: web
                b: templates
                c: all
                d: own
              name: web
            spec:
              mine:
                d: own
              selector:
                matchLabels:
                  app: web
                  c: all
              template:
                metadata:
                  annotations:
                    note: "1"
                  labels:
                    app: web
                    b: templates
                    c: all
                spec:
                  containers:
                  - image: nginx
                    name: c
        "#]],
    );
}

#[test]
fn namespaces() {
    check(
        "# r.yaml
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: b}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: r}
subjects:
- {kind: ServiceAccount, name: default}
- {kind: ServiceAccount, name: robot}
- {kind: User, name: anna}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: r}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: robot}
---
apiVersion: v1
kind: Namespace
metadata: {name: old}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: hook}
webhooks: [{name: a.b.c, clientConfig: {service: {name: s, namespace: elsewhere}}}]
---
apiVersion: v1
kind: Service
metadata: {name: s, namespace: elsewhere}
# kustomization.yaml
resources: [r.yaml]
namespace: new
namePrefix: p-
",
        expect![[r#"
            apiVersion: v1
            kind: Namespace
            metadata:
              name: new
            ---
            apiVersion: v1
            kind: ServiceAccount
            metadata:
              name: p-robot
              namespace: new
            ---
            apiVersion: rbac.authorization.k8s.io/v1
            kind: ClusterRole
            metadata:
              name: p-r
            ---
            apiVersion: rbac.authorization.k8s.io/v1
            kind: RoleBinding
            metadata:
              name: p-b
              namespace: new
            roleRef:
              apiGroup: rbac.authorization.k8s.io
              kind: ClusterRole
              name: p-r
            subjects:
            - kind: ServiceAccount
              name: default
              namespace: new
            - kind: ServiceAccount
              name: p-robot
              namespace: new
            - kind: User
              name: anna
            ---
            apiVersion: v1
            kind: Service
            metadata:
              name: p-s
              namespace: new
            ---
            apiVersion: admissionregistration.k8s.io/v1
            kind: ValidatingWebhookConfiguration
            metadata:
              name: p-hook
            webhooks:
            - clientConfig:
                service:
                  name: p-s
                  namespace: new
              name: a.b.c
        "#]],
    );
}

#[test]
fn names_follow() {
    check(
        "# all.yaml
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  serviceAccountName: robot
  imagePullSecrets: [{name: pull}]
  containers:
  - name: c
    envFrom: [{configMapRef: {name: cm}}, {secretRef: {name: pull}}]
    env: [{name: A, valueFrom: {configMapKeyRef: {name: cm, key: k}}}]
  volumes:
  - {name: a, persistentVolumeClaim: {claimName: data}}
  - {name: b, projected: {sources: [{configMap: {name: cm}}, {secret: {name: pull}}]}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: robot}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {storageClassName: fast}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: fast}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec: {serviceName: db}
---
apiVersion: v1
kind: Service
metadata: {name: db}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: h}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: StatefulSet, name: db}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: i}
spec:
  defaultBackend: {service: {name: db, port: {number: 80}}}
  tls: [{secretName: pull}]
  rules: [{http: {paths: [{backend: {service: {name: other}}}, {backend: {service: {name: db}}}]}}]
# kustomization.yaml
resources: [all.yaml]
nameSuffix: -x
configMapGenerator: [{name: cm, literals: [k=v]}]
secretGenerator: [{name: pull, literals: [k=v], type: kubernetes.io/dockercfg}]
",
        expect![[r#"
            apiVersion: storage.k8s.io/v1
            kind: StorageClass
            metadata:
              name: fast-x
            ---
            apiVersion: v1
            kind: ServiceAccount
            metadata:
              name: robot-x
            ---
            apiVersion: v1
            data:
              k: v
            kind: ConfigMap
            metadata:
              name: cm-x-bdg947hgcc
            ---
            apiVersion: v1
            data:
              k: dg==
            kind: Secret
            metadata:
              name: pull-x-t74dd9bdg9
            type: kubernetes.io/dockercfg
            ---
            apiVersion: v1
            kind: Service
            metadata:
              name: db-x
            ---
            apiVersion: v1
            kind: PersistentVolumeClaim
            metadata:
              name: data-x
            spec:
              storageClassName: fast-x
            ---
            apiVersion: apps/v1
            kind: StatefulSet
            metadata:
              name: db-x
            spec:
              serviceName: db-x
            ---
            apiVersion: autoscaling/v2
            kind: HorizontalPodAutoscaler
            metadata:
              name: h-x
            spec:
              scaleTargetRef:
                apiVersion: apps/v1
                kind: StatefulSet
                name: db-x
            ---
            apiVersion: networking.k8s.io/v1
            kind: Ingress
            metadata:
              name: i-x
            spec:
              defaultBackend:
                service:
                  name: db-x
                  port:
                    number: 80
              rules:
              - http:
                  paths:
                  - backend:
                      service:
                        name: other
                  - backend:
                      service:
                        name: db-x
              tls:
              - secretName: pull-x-t74dd9bdg9
            ---
            apiVersion: v1
            kind: Pod
            metadata:
              name: p-x
            spec:
              containers:
              - env:
                - name: A
                  valueFrom:
                    configMapKeyRef:
                      key: k
                      name: cm-x-bdg947hgcc
                envFrom:
                - configMapRef:
                    name: cm-x-bdg947hgcc
                - secretRef:
                    name: pull-x-t74dd9bdg9
                name: c
              imagePullSecrets:
              - name: pull-x-t74dd9bdg9
              serviceAccountName: robot-x
              volumes:
              - name: a
                persistentVolumeClaim:
                  claimName: data-x
              - name: b
                projected:
                  sources:
                  - configMap:
                      name: cm-x-bdg947hgcc
                  - secret:
                      name: pull-x-t74dd9bdg9
        "#]],
    );
}

#[test]
fn patches() {
    check(
        &format!(
            "{WEB}# kustomization.yaml
resources: [web.yaml]
patches:
- patch: |-
    apiVersion: apps/v1
    kind: Deployment
    metadata: {{name: web}}
    spec: {{template: {{spec: {{containers: [{{name: side, image: busybox}}]}}}}}}
- target: {{kind: Deploy.*, name: w.b, labelSelector: 'app in (web)'}}
  patch: '[{{op: add, path: /metadata/annotations, value: {{a/b: c}}}}]'
- target: {{kind: Deployment}}
  options: {{allowNameChange: true, allowKindChange: true}}
  patch: |-
    apiVersion: apps/v1
    kind: StatefulSet
    metadata: {{name: other}}
- target: {{name: nobody}}
  path: nosuch.yaml
"
        ),
        expect![[r#"
            error: trouble configuring builtin PatchTransformer with config: `
            path: nosuch.yaml
            target:
              name: nobody
            `: failed to get the patch file from path(nosuch.yaml): evalsymlink failure on '/w/nosuch.yaml' : lstat /w/nosuch.yaml: no such file or directory
        "#]],
    );
    check(
        &format!(
            "{WEB}# kustomization.yaml
resources: [web.yaml]
patches:
- target: {{kind: Deployment}}
  options: {{allowNameChange: true, allowKindChange: true}}
  patch: |-
    apiVersion: apps/v1
    kind: StatefulSet
    metadata: {{name: other}}
    spec: {{$patch: replace, replicas: 1}}
"
        ),
        expect![[r#"
            apiVersion: apps/v1
            kind: StatefulSet
            metadata:
              labels:
                app: web
              name: other
            spec:
              replicas: 1
        "#]],
    );
}

#[test]
fn patch_failures() {
    for (patches, want) in [
        (
            "- {}",
            expect![[r#"
            error: trouble configuring builtin PatchTransformer with config: `
            {}
            `: must specify one of patch and path in
            {}

        "#]],
        ),
        (
            "- {patch: a, path: b}",
            expect![[r#"
            error: trouble configuring builtin PatchTransformer with config: `
            patch: a
            path: b
            `: patch and path can't be set at the same time
            patch: a
            path: b

        "#]],
        ),
        (
            "- patch: 'nothing'",
            expect![[r#"
            error: trouble configuring builtin PatchTransformer with config: `
            patch: nothing
            `: unable to parse SM or JSON patch from [patch: "nothing"]
        "#]],
        ),
        (
            "- patch: '{apiVersion: v1, kind: Pod, metadata: {name: x}}'",
            expect![[r#"
            error: no resource matches strategic merge patch "Pod.v1.[noGrp]/x.[noNs]": no matches for Id Pod.v1.[noGrp]/x.[noNs]; failed to find unique target for patch Pod.v1.[noGrp]/x.[noNs]
        "#]],
        ),
        (
            "- {target: {name: '('}, patch: '[{op: remove, path: /a}]'}",
            expect![[r#"
                error: trouble configuring builtin PatchTransformer with config: `
                patch: '[{op: remove, path: /a}]'
                target:
                  name: (
                `: error parsing regexp: missing closing ): `^(?:()$`
            "#]],
        ),
        (
            "- {target: {name: web}, patch: '[{op: replace, path: /spec/x, value: 1}]'}",
            expect![[r#"
                error: replace operation does not apply: doc is missing key: /spec/x: missing value
            "#]],
        ),
        (
            "- {target: {name: web}, patch: '{apiVersion: v1, kind: A, metadata: {name: x}, spec: 7}'}",
            expect![[r#"
                error: wrong node kind: expected MappingNode but got ScalarNode: node contents:
                7

            "#]],
        ),
    ] {
        check(
            &format!("{WEB}# kustomization.yaml\nresources: [web.yaml]\npatches:\n{patches}\n"),
            want,
        );
    }
}

#[test]
fn replacements() {
    check(
        &format!(
            "{WEB}# cm.yaml
apiVersion: v1
kind: ConfigMap
metadata: {{name: cm}}
data:
  host: db:5432
  port: \"8080\"
  json: '{{\"a\": {{\"b\": 1}}, \"c\": \"<x>\"}}'
# kustomization.yaml
resources: [web.yaml, cm.yaml]
namePrefix: p-
replacements:
- source: {{kind: ConfigMap, name: cm, fieldPath: data.host, options: {{delimiter: ':', index: 0}}}}
  targets:
  - select: {{kind: Deployment}}
    fieldPaths: ['spec.template.spec.containers.[name=c].image']
    options: {{delimiter: '/', index: -1}}
  - select: {{kind: Deployment}}
    fieldPaths: ['metadata.annotations.[a.b/host]']
    options: {{create: true}}
- source: {{kind: Deployment}}
  targets:
  - select: {{kind: ConfigMap}}
    reject: [{{name: other}}]
    fieldPaths: [data.port, data.json.a.b]
- sourceValue: v
  targets:
  - select: {{kind: Deployment}}
    fieldPaths: ['spec.template.spec.containers.*.args.0']
    options: {{create: true}}
"
        ),
        expect![[r#"
            apiVersion: v1
            data:
              host: db:5432
              json: '{"a":{"b":"p-web"},"c":"\u003cx\u003e"}'
              port: p-web
            kind: ConfigMap
            metadata:
              name: p-cm
            ---
            apiVersion: apps/v1
            kind: Deployment
            metadata:
              annotations:
                a.b/host: db
              labels:
                app: web
              name: p-web
            spec:
              selector:
                matchLabels:
                  app: web
              template:
                metadata:
                  labels:
                    app: web
                spec:
                  containers:
                  - args:
                    - v
                    image: db/nginx
                    name: c
        "#]],
    );
    for (replacement, want) in [
        (
            "- {}",
            expect![[r#"
            error: replacements must specify a source and at least one target
        "#]],
        ),
        (
            "- {source: {kind: Pod, name: x}, targets: []}",
            expect![[r#"
            error: nothing selected by Pod.[noVer].[noGrp]/x.[noNs]
        "#]],
        ),
        (
            "- {source: {kind: Deployment, fieldPath: spec.x}, targets: []}",
            expect![[r#"
                error: fieldPath `spec.x` is missing for replacement source Deployment.[noVer].[noGrp]/[noName].[noNs]
            "#]],
        ),
        (
            "- {source: {kind: Deployment}, targets: [{select: {kind: Deployment}, fieldPaths: [spec.nope]}]}",
            expect![[r#"
                error: unable to find field "spec.nope" in replacement target
            "#]],
        ),
        (
            "- {source: {kind: Deployment, options: {delimiter: x, index: 3}}, targets: []}",
            expect![[r#"
                error: options.index 3 is out of bounds for value web
            "#]],
        ),
        (
            "- {source: {kind: Deployment}, targets: [{fieldPaths: [a]}]}",
            expect![[r#"
                error: target must specify resources to select
            "#]],
        ),
        (
            "- {path: p.yaml, source: {kind: X}}",
            expect![[r#"
            error: trouble configuring builtin ReplacementTransformer with config: `
            replacements:
            - path: p.yaml
              source:
                kind: X
            `: cannot specify both path and inline replacement
        "#]],
        ),
    ] {
        check(
            &format!("{WEB}# kustomization.yaml\nresources: [web.yaml]\nreplacements:\n{replacement}\n"),
            want,
        );
    }
}

#[test]
fn generators() {
    check(
        "# .env
# a comment is not a file here
A=1
# bin
# kustomization.yaml
namespace: team
generatorOptions: {disableNameSuffixHash: true, immutable: true, labels: {x: \"y\"}}
configMapGenerator:
- {name: empty}
- {name: one, literals: ['a=\"quoted\"', 'b=c=d'], options: {labels: {x: mine}}}
secretGenerator:
- {name: long, literals: [a=aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff]}
",
        expect![[r#"
            apiVersion: v1
            immutable: true
            kind: ConfigMap
            metadata:
              labels:
                x: "y"
              name: empty
              namespace: team
            ---
            apiVersion: v1
            data:
              a: quoted
              b: c=d
            immutable: true
            kind: ConfigMap
            metadata:
              labels:
                x: mine
              name: one
              namespace: team
            ---
            apiVersion: v1
            data:
              a: |
                YWFhYWFhYWFhYWJiYmJiYmJiYmJjY2NjY2NjY2NjZGRkZGRkZGRkZGVlZWVlZWVlZWVmZm
                ZmZmZmZmZm
            immutable: true
            kind: Secret
            metadata:
              labels:
                x: "y"
              name: long
              namespace: team
            type: Opaque
        "#]],
    );
    for (generator, want) in [
        (
            "- {literals: [a=b]}",
            expect![[r#"
            error: a configmap must have a name
        "#]],
        ),
        (
            "- {name: a, literals: [a=b, a=c]}",
            expect![[r#"
            error: configmap a illegally repeats the key `a`
        "#]],
        ),
        (
            "- {name: a, behavior: merge, literals: [a=b]}",
            expect![[r#"
            error: merging from generator &{0xc000a8c000 <nil>}: id resid.ResId{Gvk:resid.Gvk{Group:"", Version:"v1", Kind:"ConfigMap", isClusterScoped:false}, Name:"a", Namespace:""} does not exist; cannot merge or replace
        "#]],
        ),
        (
            "- {name: a, envs: [no.env]}",
            expect![[r#"
            error: loading KV pairs: env source files: [no.env]: evalsymlink failure on '/w/no.env' : lstat /w/no.env: no such file or directory
        "#]],
        ),
        (
            "- {name: a, files: [a=b=c]}",
            expect![[r#"
            error: loading KV pairs: file sources: [a=b=c]: source "a=b=c" key name or file path contains '='
        "#]],
        ),
        (
            "- {name: a, colour: blue}",
            expect![[r#"
            error: invalid Kustomization: json: unknown field "colour"
        "#]],
        ),
    ] {
        check(
            &format!("# kustomization.yaml\nconfigMapGenerator:\n{generator}\n"),
            want,
        );
    }
}

#[test]
fn layers() {
    let base = "# base/kustomization.yaml
resources: [cm.yaml]
namePrefix: base-
configMapGenerator: [{name: gen, literals: [a=1, b=2]}]
# base/cm.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: cm}
";
    check(
        &format!(
            "{base}# kustomization.yaml
resources: [base]
components: [comp]
namePrefix: top-
configMapGenerator: [{{name: gen, behavior: merge, literals: [b=3]}}]
# comp/kustomization.yaml
kind: Component
apiVersion: kustomize.config.k8s.io/v1alpha1
resources: [more.yaml]
commonAnnotations: {{from: component}}
# comp/more.yaml
apiVersion: v1
kind: ConfigMap
metadata: {{name: more}}
"
        ),
        expect![[r#"
            apiVersion: v1
            kind: ConfigMap
            metadata:
              annotations:
                from: component
              name: top-base-cm
            ---
            apiVersion: v1
            data:
              a: "1"
              b: "3"
            kind: ConfigMap
            metadata:
              annotations:
                from: component
              name: top-base-gen-dtd4b88ttf
            ---
            apiVersion: v1
            kind: ConfigMap
            metadata:
              annotations:
                from: component
              name: top-more
        "#]],
    );
    for (top, want) in [
        (
            "resources: [base, base]",
            expect![[r#"
            error: accumulating resources: accumulation err='accumulating resources from 'base': '/w/base' must resolve to a file': recursed merging from path '/w/base': may not add resource with an already registered id: ConfigMap.v1.[noGrp]/base-cm.[noNs]
        "#]],
        ),
        (
            "resources: [base/../..]",
            expect![[r#"
            error: accumulating resources: accumulation err='accumulating resources from 'base/../..': '/' must resolve to a file': cycle detected: candidate root '/' contains visited root '/w'
        "#]],
        ),
        (
            "components: [base]",
            expect![[r#"
            error: accumulating components: accumulateDirectory: "expected kind 'Component' for path '/w/base' but got 'Kustomization'"
        "#]],
        ),
        (
            "components: [nosuch]",
            expect![[r#"
            error: accumulating components: loader.New "must build at directory: not a valid directory: evalsymlink failure on '/w/nosuch' : lstat /w/nosuch: no such file or directory"
        "#]],
        ),
        (
            "resources: ['https://example.com/x.yaml']",
            expect![[r#"
            error: accumulating resources: accumulating resources from 'https://example.com/x.yaml': unable to reach "https://example.com/x.yaml": this cluster has no way out to the Internet; save the files here and name them instead
        "#]],
        ),
        (
            "resources: [bad.yaml]",
            expect![[r#"
            error: accumulating resources: accumulating resources from 'bad.yaml': MalformedYAMLError: yaml: mapping values are not allowed in this context in File: bad.yaml
        "#]],
        ),
        (
            "resources: [nameless.yaml]",
            expect![[r#"
            error: accumulating resources: accumulation err='accumulating resources from 'nameless.yaml': missing metadata.name in object {{v1 Pod} {{ } map[] map[]}}': must build at directory: '/w/nameless.yaml': file is not directory
        "#]],
        ),
        (
            "resources: [broken]",
            expect![[r#"
            error: accumulating resources: accumulation err='accumulating resources from 'broken': '/w/broken' must resolve to a file': recursed accumulation of path '/w/broken': accumulating resources: accumulation err='accumulating resources from 'gone.yaml': evalsymlink failure on '/w/broken/gone.yaml' : lstat /w/broken/gone.yaml: no such file or directory': must build at directory: not a valid directory: evalsymlink failure on '/w/broken/gone.yaml' : lstat /w/broken/gone.yaml: no such file or directory
        "#]],
        ),
        (
            "kind: Pod",
            expect![[r#"
            error: kustomization.yaml is empty
        "#]],
        ),
        (
            "apiVersion: v1\nresources: [base]",
            expect![[r#"
            error: Failed to read kustomization file under /w:
            apiVersion for Kustomization should be kustomize.config.k8s.io/v1beta1
        "#]],
        ),
        (
            "",
            expect![[r#"
            error: kustomization.yaml is empty
        "#]],
        ),
        (
            "crds: [x.json]",
            expect![[r#"
            error: the field 'crds' (OpenAPI definitions of custom resources) is not simulated here
        "#]],
        ),
        (
            "helmCharts: [{name: a, repo: b}]",
            expect![[r#"
            error: trouble configuring builtin HelmChartInflationGenerator with config: `
            name: a
            repo: b
            `: must specify --enable-helm
        "#]],
        ),
        (
            "resources: [base]\ntransformers: [plugin.yaml]",
            expect![[r#"
            error: external plugins disabled; unable to load external plugin 'My'
        "#]],
        ),
        (
            "resources: [base]\nreplicas: [{name: cm, count: 2}]",
            expect![[r#"
            error: resource with name cm does not match a config with the following GVK [Deployment.[noVer].[noGrp] ReplicationController.[noVer].[noGrp] ReplicaSet.[noVer].[noGrp] StatefulSet.[noVer].[noGrp]]
        "#]],
        ),
        (
            "resources: [base]\nsortOptions: {order: wild}",
            expect![[r#"
            error: the field 'sortOptions.order' must be one of [fifo, legacy]
        "#]],
        ),
    ] {
        check(
            &format!(
                "{base}# kustomization.yaml\n{top}\n# bad.yaml\na: b: c\n# nameless.yaml\nkind: Pod\napiVersion: v1\n\
                 # broken/kustomization.yaml\nresources: [gone.yaml]\n# plugin.yaml\napiVersion: x/v1\nkind: My\nmetadata: \
                 {{name: m}}\n"
            ),
            want,
        );
    }
}

#[test]
fn order_and_metadata() {
    let list = "# all.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
---
apiVersion: x/v1
kind: Other
metadata: {name: o, annotations: {config.kubernetes.io/local-config: \"true\"}}
---
apiVersion: v1
kind: Service
metadata: {name: s, annotations: {a: 1, b: true}}
---
apiVersion: v1
kind: Namespace
metadata: {name: team, annotations: {}}
";
    for (options, want) in [
        (
            "buildMetadata: [originAnnotations, managedByLabel]",
            expect![[r#"
                apiVersion: v1
                kind: Namespace
                metadata:
                  annotations:
                    config.kubernetes.io/origin: |
                      path: all.yaml
                  labels:
                    app.kubernetes.io/managed-by: kustomize-v5.8.1
                  name: team
                ---
                apiVersion: v1
                kind: Service
                metadata:
                  annotations:
                    a: "1"
                    b: "true"
                    config.kubernetes.io/origin: |
                      path: all.yaml
                  labels:
                    app.kubernetes.io/managed-by: kustomize-v5.8.1
                  name: s
                ---
                apiVersion: apps/v1
                kind: Deployment
                metadata:
                  annotations:
                    config.kubernetes.io/origin: |
                      path: all.yaml
                  labels:
                    app.kubernetes.io/managed-by: kustomize-v5.8.1
                  name: d
            "#]],
        ),
        (
            "sortOptions: {order: fifo}",
            expect![[r#"
                apiVersion: apps/v1
                kind: Deployment
                metadata:
                  name: d
                ---
                apiVersion: v1
                kind: Service
                metadata:
                  annotations:
                    a: "1"
                    b: "true"
                  name: s
                ---
                apiVersion: v1
                kind: Namespace
                metadata:
                  name: team
            "#]],
        ),
        (
            "sortOptions: {order: legacy, legacySortOptions: {orderFirst: [Deployment], orderLast: [Namespace]}}",
            expect![[r#"
                apiVersion: apps/v1
                kind: Deployment
                metadata:
                  name: d
                ---
                apiVersion: v1
                kind: Service
                metadata:
                  annotations:
                    a: "1"
                    b: "true"
                  name: s
                ---
                apiVersion: v1
                kind: Namespace
                metadata:
                  name: team
            "#]],
        ),
    ] {
        check(
            &format!("{list}# kustomization.yaml\nresources: [all.yaml]\n{options}\n"),
            want,
        );
    }
}

#[test]
fn plugins_and_configurations() {
    check(
        &format!(
            "{WEB}# more.yaml
nameReference:
- kind: Deployment
  fieldSpecs: [{{kind: My, path: spec/deployment}}]
images: [{{path: spec/picture}}]
commonLabels: [{{path: spec/labels, create: true, kind: My}}]
# my.yaml
apiVersion: x/v1
kind: My
metadata: {{name: my}}
spec: {{deployment: web, picture: nginx}}
# plugin.yaml
apiVersion: builtin
kind: PrefixTransformer
metadata: {{name: any}}
prefix: plug-
fieldSpecs: [{{path: metadata/name}}]
# kustomization.yaml
resources: [web.yaml, my.yaml]
configurations: [more.yaml]
commonLabels: {{l: v}}
images: [{{name: nginx, newTag: \"2\"}}]
transformers:
- plugin.yaml
- |-
  apiVersion: builtin
  kind: NamespaceTransformer
  metadata: {{name: any, namespace: ns}}
  unsetOnly: true
"
        ),
        expect![[r#"
            # Warning: 'commonLabels' is deprecated. Please use 'labels' instead. Run 'kustomize edit fix' to update your Kustomization automatically.
            apiVersion: apps/v1
            kind: Deployment
            metadata:
              labels:
                app: web
                l: v
              name: plug-web
              namespace: ns
            spec:
              selector:
                matchLabels:
                  app: web
                  l: v
              template:
                metadata:
                  labels:
                    app: web
                    l: v
                spec:
                  containers:
                  - image: nginx:2
                    name: c
            ---
            apiVersion: x/v1
            kind: My
            metadata:
              labels:
                l: v
              name: plug-my
              namespace: ns
            spec:
              deployment: plug-web
              labels:
                l: v
              picture: nginx:2
        "#]],
    );
}

#[test]
fn vars() {
    check(
        "# all.yaml
apiVersion: v1
kind: Pod
metadata: {name: p}
spec: {containers: [{name: c, args: ['--to=$(SERVICE):$(PORT)', '$$(SERVICE)', '$(NOBODY)']}]}
---
apiVersion: v1
kind: Service
metadata: {name: s}
spec: {ports: [{port: 80}]}
# kustomization.yaml
resources: [all.yaml]
namePrefix: a-
vars:
- {name: SERVICE, objref: {apiVersion: v1, kind: Service, name: s}}
- {name: PORT, objref: {apiVersion: v1, kind: Service, name: s}, fieldref: {fieldPath: 'spec.ports[0].port'}}
",
        expect![[r#"
            # Warning: 'vars' is deprecated. Please use 'replacements' instead. [EXPERIMENTAL] Run 'kustomize edit fix' to update your Kustomization automatically.
            apiVersion: v1
            kind: Service
            metadata:
              name: a-s
            spec:
              ports:
              - port: 80
            ---
            apiVersion: v1
            kind: Pod
            metadata:
              name: a-p
            spec:
              containers:
              - args:
                - --to=a-s:80
                - $(SERVICE)
                - $(NOBODY)
                name: c
        "#]],
    );
}
