//! What the transformers change by default, and what `configurations` add to it (kustomize's
//! `builtinpluginconsts`).

use super::fieldspec::{FieldSpec, gvk_of};
use super::resid::Gvk;
use crate::value::Value;

/// Fields that hold the name of a kind.
#[derive(Clone, Debug, PartialEq)]
pub struct References {
    /// What is referred to.
    pub to: Gvk,
    pub from: Vec<FieldSpec>,
}

/// The fields that each transformer changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    pub name_prefix: Vec<FieldSpec>,
    pub name_suffix: Vec<FieldSpec>,
    pub namespace: Vec<FieldSpec>,
    pub common_labels: Vec<FieldSpec>,
    pub template_labels: Vec<FieldSpec>,
    pub common_annotations: Vec<FieldSpec>,
    pub name_references: Vec<References>,
    pub var_references: Vec<FieldSpec>,
    pub images: Vec<FieldSpec>,
    pub replicas: Vec<FieldSpec>,
}

/// `group Kind`, `Kind` or nothing (any kind), a colon, the path; one a word of a table's line. An
/// exclamation mark at the end makes the field where there is none.
fn specs(table: &[&str]) -> Vec<FieldSpec> {
    let one = |line: &&str| {
        let (kind, path) = line.split_once(':').unwrap_or(("", line));
        let (group, kind) = kind.split_once(' ').unwrap_or(("", kind));
        let (group, version) = group.split_once('=').unwrap_or((group, ""));
        FieldSpec {
            gvk: Gvk {
                group: group.to_owned(),
                version: version.to_owned(),
                kind: kind.to_owned(),
            },
            path: path.trim_end_matches('!').to_owned(),
            create: path.ends_with('!'),
        }
    };
    table.iter().map(one).collect()
}

/// Kinds that have pods, and where the pod's spec is.
const PODS: &[(&str, &str)] = &[
    ("Pod", "spec"),
    ("Deployment", "spec/template/spec"),
    ("ReplicaSet", "spec/template/spec"),
    ("DaemonSet", "spec/template/spec"),
    ("StatefulSet", "spec/template/spec"),
    ("Job", "spec/template/spec"),
    ("CronJob", "spec/jobTemplate/spec/template/spec"),
    ("ReplicationController", "spec/template/spec"),
];

/// Fields of pods, for those kinds that `keep` wants.
fn pod_specs(paths: &[&str], keep: impl Fn(&str) -> bool) -> Vec<FieldSpec> {
    let mut list = Vec::new();
    for (kind, prefix) in PODS.iter().filter(|(k, _)| keep(k)) {
        for path in paths {
            list.push(FieldSpec {
                gvk: Gvk {
                    kind: (*kind).to_owned(),
                    ..Gvk::default()
                },
                path: format!("{prefix}/{path}"),
                create: false,
            });
        }
    }
    list
}

const PAIRS: &[(&str, &str)] = &[("Deployment", "apps"), ("StatefulSet", "apps")];

const AFFINITY: &[&str] = &[
    "affinity/podAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels",
    "affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
    "affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels",
    "affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
    "topologySpreadConstraints/labelSelector/matchLabels",
];

const SELECTORS: &[&str] = &[
    "=v1 Service:spec/selector!",
    "=v1 ReplicationController:spec/selector!",
    "Deployment:spec/selector/matchLabels!",
    "ReplicaSet:spec/selector/matchLabels!",
    "DaemonSet:spec/selector/matchLabels!",
    "apps StatefulSet:spec/selector/matchLabels!",
    "apps StatefulSet:spec/volumeClaimTemplates[]/metadata/labels!",
    "batch Job:spec/selector/matchLabels",
    "batch CronJob:spec/jobTemplate/spec/selector/matchLabels",
    "policy PodDisruptionBudget:spec/selector/matchLabels",
    "networking.k8s.io NetworkPolicy:spec/podSelector/matchLabels",
    "networking.k8s.io NetworkPolicy:spec/ingress/from/podSelector/matchLabels",
    "networking.k8s.io NetworkPolicy:spec/egress/to/podSelector/matchLabels",
];

/// Labels or annotations of objects and of the pods that they make.
fn metadata(field: &str) -> Vec<FieldSpec> {
    let mut list = vec![FieldSpec::any(&format!("metadata/{field}"), true)];
    let rows = [
        "=v1 ReplicationController:spec/template/metadata/",
        "Deployment:spec/template/metadata/",
        "ReplicaSet:spec/template/metadata/",
        "DaemonSet:spec/template/metadata/",
        "apps StatefulSet:spec/template/metadata/",
        "batch Job:spec/template/metadata/",
        "batch CronJob:spec/jobTemplate/metadata/",
        "batch CronJob:spec/jobTemplate/spec/template/metadata/",
    ];
    for row in rows {
        list.extend(specs(&[&format!("{row}{field}!")]));
    }
    list
}

const CONFIG_MAP_PATHS: &[&str] = &[
    "volumes/configMap/name",
    "containers/env/valueFrom/configMapKeyRef/name",
    "initContainers/env/valueFrom/configMapKeyRef/name",
    "containers/envFrom/configMapRef/name",
    "initContainers/envFrom/configMapRef/name",
    "volumes/projected/sources/configMap/name",
];

const SECRET_PATHS: &[&str] = &[
    "volumes/secret/secretName",
    "containers/env/valueFrom/secretKeyRef/name",
    "initContainers/env/valueFrom/secretKeyRef/name",
    "containers/envFrom/secretRef/name",
    "initContainers/envFrom/secretRef/name",
    "imagePullSecrets/name",
    "volumes/projected/sources/secret/name",
];

/// Fields that name something, by what they name, beside those of pods. The group of IngressClass is as
/// kustomize has it: with its version, so that no name is ever found.
const REFERENCES: &[(&str, &[&str])] = &[
    ("Deployment", &["HorizontalPodAutoscaler:spec/scaleTargetRef/name"]),
    (
        "ReplicationController",
        &["HorizontalPodAutoscaler:spec/scaleTargetRef/name"],
    ),
    ("ReplicaSet", &["HorizontalPodAutoscaler:spec/scaleTargetRef/name"]),
    ("StatefulSet", &["HorizontalPodAutoscaler:spec/scaleTargetRef/name"]),
    (
        "=v1 ConfigMap",
        &[
            "Node:spec/configSource/configMap",
            "Role:rules/resourceNames",
            "ClusterRole:rules/resourceNames",
            "Ingress:metadata/annotations/nginx.ingress.kubernetes.io\\/fastcgi-params-configmap",
        ],
    ),
    (
        "=v1 Secret",
        &[
            "Ingress:spec/tls/secretName",
            "Ingress:metadata/annotations/ingress.kubernetes.io\\/auth-secret",
            "Ingress:metadata/annotations/nginx.ingress.kubernetes.io\\/auth-secret",
            "Ingress:metadata/annotations/nginx.ingress.kubernetes.io\\/auth-tls-secret",
            "ServiceAccount:imagePullSecrets/name",
            "StorageClass:parameters/secretName",
            "StorageClass:parameters/adminSecretName",
            "StorageClass:parameters/userSecretName",
            "StorageClass:parameters/secretRef",
            "Role:rules/resourceNames",
            "ClusterRole:rules/resourceNames",
            "PersistentVolume:spec/azureFile/secretName",
        ],
    ),
    (
        "=v1 Service",
        &[
            "apps StatefulSet:spec/serviceName",
            "Ingress:spec/rules/http/paths/backend/serviceName",
            "Ingress:spec/backend/serviceName",
            "Ingress:spec/rules/http/paths/backend/service/name",
            "Ingress:spec/defaultBackend/service/name",
            "apiregistration.k8s.io APIService:spec/service/name",
            "admissionregistration.k8s.io ValidatingWebhookConfiguration:webhooks/clientConfig/service",
            "admissionregistration.k8s.io MutatingWebhookConfiguration:webhooks/clientConfig/service",
        ],
    ),
    (
        "rbac.authorization.k8s.io Role",
        &["rbac.authorization.k8s.io RoleBinding:roleRef/name"],
    ),
    (
        "rbac.authorization.k8s.io ClusterRole",
        &[
            "rbac.authorization.k8s.io RoleBinding:roleRef/name",
            "rbac.authorization.k8s.io ClusterRoleBinding:roleRef/name",
        ],
    ),
    (
        "=v1 ServiceAccount",
        &[
            "rbac.authorization.k8s.io RoleBinding:subjects",
            "rbac.authorization.k8s.io ClusterRoleBinding:subjects",
        ],
    ),
    ("=v1 PersistentVolumeClaim", &[]),
    (
        "=v1 PersistentVolume",
        &[
            "PersistentVolumeClaim:spec/volumeName",
            "ClusterRole:rules/resourceNames",
        ],
    ),
    (
        "storage.k8s.io=v1 StorageClass",
        &[
            "PersistentVolume:spec/storageClassName",
            "PersistentVolumeClaim:spec/storageClassName",
            "StatefulSet:spec/volumeClaimTemplates/spec/storageClassName",
        ],
    ),
    ("scheduling.k8s.io=v1 PriorityClass", &[]),
    (
        "networking.k8s.io/v1=v1 IngressClass",
        &["Ingress:spec/ingressClassName"],
    ),
];

/// Fields of pods in which vars are looked for, and of other kinds.
const VAR_POD_PATHS: &[&str] = &[
    "containers/args",
    "containers/command",
    "containers/env/value",
    "containers/volumeMounts/mountPath",
    "initContainers/args",
    "initContainers/command",
    "initContainers/env/value",
    "initContainers/volumeMounts/mountPath",
    "volumes/nfs/server",
];

const VARS: &[&str] = &[
    "Ingress:spec/rules/host",
    "Ingress:spec/tls/hosts",
    "Ingress:spec/tls/secretName",
    "Service:spec/ports/port",
    "Service:spec/ports/targetPort",
    "ConfigMap:data",
    "Secret:data",
    "PersistentVolume:spec/nfs/server",
    ":metadata/labels",
    ":metadata/annotations",
];

impl Config {
    /// What is built in.
    pub fn standard() -> Config {
        let mut common_labels = specs(SELECTORS);
        for (kind, group) in PAIRS {
            for path in AFFINITY {
                common_labels.extend(specs(&[&format!("{group} {kind}:spec/template/spec/{path}")]));
            }
        }
        common_labels.extend(metadata("labels"));
        let name = FieldSpec::any("metadata/name", false);
        let mut name_references = Vec::new();
        for (to, from) in REFERENCES {
            let to = specs(&[&format!("{to}:")])
                .into_iter()
                .next()
                .map(|s| s.gvk)
                .unwrap_or_default();
            // The two oldest lists leave ReplicationControllers out, the others ReplicaSets.
            let old = |k: &str| k != "ReplicationController";
            let new = |k: &str| k != "ReplicaSet";
            let mut list = match to.kind.as_str() {
                "ConfigMap" => pod_specs(CONFIG_MAP_PATHS, old),
                "Secret" => pod_specs(SECRET_PATHS, old),
                "ServiceAccount" => pod_specs(&["serviceAccountName"], new),
                "PersistentVolumeClaim" => pod_specs(&["volumes/persistentVolumeClaim/claimName"], new),
                "PriorityClass" => pod_specs(&["priorityClassName"], new),
                _ => Vec::new(),
            };
            list.extend(specs(from));
            name_references.push(References { to, from: list });
        }
        let mut var_references = pod_specs(VAR_POD_PATHS, |_| true);
        var_references.extend(specs(VARS));
        Config {
            name_prefix: vec![name.clone()],
            name_suffix: vec![name],
            namespace: specs(&[
                ":metadata/namespace!",
                "Namespace:metadata/name!",
                "RoleBinding:subjects/namespace",
                "ClusterRoleBinding:subjects/namespace",
                "apiregistration.k8s.io APIService:spec/service/namespace!",
                "apiextensions.k8s.io CustomResourceDefinition:spec/conversion/webhook/clientConfig/service/namespace",
            ]),
            common_labels,
            template_labels: metadata("labels"),
            common_annotations: metadata("annotations"),
            name_references,
            var_references,
            images: specs(&[
                ":spec/containers[]/image!",
                ":spec/initContainers[]/image!",
                ":spec/volumes[]/image/reference!",
                ":spec/template/spec/containers[]/image!",
                ":spec/template/spec/initContainers[]/image!",
                ":spec/template/spec/volumes[]/image/reference!",
            ]),
            replicas: specs(&[
                "Deployment:spec/replicas!",
                "ReplicationController:spec/replicas!",
                "ReplicaSet:spec/replicas!",
                "StatefulSet:spec/replicas!",
            ]),
        }
    }

    /// Adds what another has.
    pub fn merge(&mut self, other: &Config) {
        let lists = [
            (&mut self.name_prefix, &other.name_prefix),
            (&mut self.name_suffix, &other.name_suffix),
            (&mut self.namespace, &other.namespace),
            (&mut self.common_labels, &other.common_labels),
            (&mut self.template_labels, &other.template_labels),
            (&mut self.common_annotations, &other.common_annotations),
            (&mut self.var_references, &other.var_references),
            (&mut self.images, &other.images),
            (&mut self.replicas, &other.replicas),
        ];
        for (mine, theirs) in lists {
            FieldSpec::merge(mine, theirs);
        }
        for references in &other.name_references {
            match self.name_references.iter_mut().find(|r| r.to == references.to) {
                Some(mine) => FieldSpec::merge(&mut mine.from, &references.from),
                None => self.name_references.push(references.clone()),
            }
        }
    }

    /// A file of `configurations`.
    pub fn from_value(value: &Value) -> Config {
        let list =
            |name: &str| -> Vec<FieldSpec> { value.get(name).items().iter().map(FieldSpec::from_value).collect() };
        Config {
            name_prefix: list("namePrefix"),
            name_suffix: list("nameSuffix"),
            namespace: list("namespace"),
            common_labels: [list("commonLabels"), list("labels")].concat(),
            template_labels: list("templateLabels"),
            common_annotations: list("commonAnnotations"),
            name_references: value
                .get("nameReference")
                .items()
                .iter()
                .map(|r| References {
                    to: gvk_of(r),
                    from: r.get("fieldSpecs").items().iter().map(FieldSpec::from_value).collect(),
                })
                .collect(),
            var_references: list("varReference"),
            images: list("images"),
            replicas: list("replicas"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables() {
        let config = Config::standard();
        let service = &config.common_labels[0];
        assert_eq!(
            (service.gvk.to_string(), service.path.as_str(), service.create),
            ("Service.v1.[noGrp]".into(), "spec/selector", true)
        );
        let class = config
            .name_references
            .iter()
            .find(|r| r.to.kind == "StorageClass")
            .unwrap();
        assert_eq!(class.to.to_string(), "StorageClass.v1.storage.k8s.io");
        let mut merged = config.clone();
        merged.merge(&config);
        assert_eq!(merged, config);
    }
}
