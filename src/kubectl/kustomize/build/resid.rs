//! What identifies a resource in a build: group, version, kind, name and namespace (kyaml's `resid`).

use crate::flat::Case;
use crate::value::quoted;

/// The namespace that stands for 'has none' in comparisons.
const NO_NAMESPACE: &str = "_non_namespaceable_";

/// Kinds without a namespace that kustomize's built-in OpenAPI document (of v1.21) knows, by group.
/// What it does not know it takes for namespaced.
const CLUSTER_SCOPED: &[(&str, &[&str])] = &[
    ("", &["ComponentStatus", "Namespace", "Node", "PersistentVolume"]),
    (
        "admissionregistration.k8s.io",
        &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"],
    ),
    ("apiextensions.k8s.io", &["CustomResourceDefinition"]),
    ("apiregistration.k8s.io", &["APIService"]),
    ("authentication.k8s.io", &["TokenReview"]),
    (
        "authorization.k8s.io",
        &[
            "SelfSubjectAccessReview",
            "SelfSubjectRulesReview",
            "SubjectAccessReview",
        ],
    ),
    ("certificates.k8s.io", &["CertificateSigningRequest"]),
    (
        "flowcontrol.apiserver.k8s.io",
        &["FlowSchema", "PriorityLevelConfiguration"],
    ),
    ("internal.apiserver.k8s.io", &["StorageVersion"]),
    ("networking.k8s.io", &["IngressClass"]),
    ("node.k8s.io", &["RuntimeClass"]),
    ("policy", &["PodSecurityPolicy"]),
    ("rbac.authorization.k8s.io", &["ClusterRole", "ClusterRoleBinding"]),
    ("scheduling.k8s.io", &["PriorityClass"]),
    (
        "storage.k8s.io",
        &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"],
    ),
];

/// Group, version and kind. Empty parts of a selector match anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gvk {
    pub group: String,
    pub version: String,
    pub kind: String,
}

impl Gvk {
    pub fn new(api_version: &str, kind: &str) -> Gvk {
        let (group, version) = match api_version.split_once('/') {
            Some((g, v)) => (g, v),
            // The old plugins' apiVersion is a group.
            None if api_version == "builtin" => (api_version, ""),
            None => ("", api_version),
        };
        Gvk {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
        }
    }

    pub fn is_cluster_scoped(&self) -> bool {
        CLUSTER_SCOPED
            .iter()
            .any(|(group, kinds)| *group == self.group && kinds.contains(&self.kind.as_str()))
    }

    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// Whether a selector, whose empty parts match anything, selects this.
    pub fn is_selected(&self, selector: &Gvk) -> bool {
        let fits = |mine: &str, theirs: &str| theirs.is_empty() || mine == theirs;
        fits(&self.group, &selector.group) && fits(&self.version, &selector.version) && fits(&self.kind, &selector.kind)
    }

    /// The parts that are there, joined: the beginning of a file's name.
    pub fn file_name(&self) -> String {
        let parts: Vec<&str> = [&self.group, &self.version, &self.kind]
            .into_iter()
            .filter(|p| !p.is_empty())
            .map(String::as_str)
            .collect();
        parts.join("_").lower()
    }
}

fn or<'a>(text: &'a str, other: &'a str) -> &'a str {
    if text.is_empty() { other } else { text }
}

impl std::fmt::Display for Gvk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}.{}.{}",
            or(&self.kind, "[noKind]"),
            or(&self.version, "[noVer]"),
            or(&self.group, "[noGrp]")
        )
    }
}

/// The identity of a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResId {
    pub gvk: Gvk,
    pub name: String,
    pub namespace: String,
}

impl ResId {
    pub fn effective_namespace(&self) -> &str {
        if self.gvk.is_cluster_scoped() {
            NO_NAMESPACE
        } else {
            or(&self.namespace, "default")
        }
    }

    pub fn same_namespace(&self, other: &ResId) -> bool {
        self.effective_namespace() == other.effective_namespace()
    }

    /// Whether both name one object: no namespace is `default`.
    pub fn equals(&self, other: &ResId) -> bool {
        self.gvk == other.gvk && self.name == other.name && self.same_namespace(other)
    }

    pub fn is_selected_by(&self, selector: &ResId) -> bool {
        (selector.namespace.is_empty() || self.same_namespace(selector))
            && (selector.name.is_empty() || selector.name == self.name)
            && self.gvk.is_selected(&selector.gvk)
    }

    /// Go's `%#v`.
    pub fn go_syntax(&self) -> String {
        format!(
            "resid.ResId{{Gvk:resid.Gvk{{Group:{}, Version:{}, Kind:{}, isClusterScoped:{}}}, Name:{}, \
             Namespace:{}}}",
            quoted(&self.gvk.group),
            quoted(&self.gvk.version),
            quoted(&self.gvk.kind),
            self.gvk.is_cluster_scoped(),
            quoted(&self.name),
            quoted(&self.namespace)
        )
    }
}

impl std::fmt::Display for ResId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}/{}.{}",
            self.gvk,
            or(&self.name, "[noName]"),
            or(&self.namespace, "[noNs]")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let id = |api_version: &str, kind: &str, name: &str, namespace: &str| ResId {
            gvk: Gvk::new(api_version, kind),
            name: name.into(),
            namespace: namespace.into(),
        };
        for (id, text, namespace) in [
            (
                id("v1", "ConfigMap", "a", ""),
                "ConfigMap.v1.[noGrp]/a.[noNs]",
                "default",
            ),
            (id("apps/v1", "Deployment", "a", "x"), "Deployment.v1.apps/a.x", "x"),
            (
                id("v1", "Namespace", "", ""),
                "Namespace.v1.[noGrp]/[noName].[noNs]",
                NO_NAMESPACE,
            ),
            (id("", "", "a", ""), "[noKind].[noVer].[noGrp]/a.[noNs]", "default"),
        ] {
            assert_eq!(id.to_string(), text);
            assert_eq!(id.effective_namespace(), namespace);
        }
        assert!(id("v1", "Pod", "a", "").equals(&id("v1", "Pod", "a", "default")));
        assert!(id("v1", "Pod", "a", "n").is_selected_by(&id("", "Pod", "", "")));
    }
}
