//! The table of what is simulated (`docs/simulated.md`), made from the code: every kind that is served,
//! every verb and every flag. `kubetab docs` prints it; a test holds the file to it.

use crate::api::{kinds, resource};
use crate::flat::FlatSet;

/// The dispatch of `describe`, whose arms name the kinds that have a description of their own.
const DESCRIBE: &str = include_str!("../kubectl/describe/mod.rs");

/// What acts on the objects of a resource, by the names that the components have. A test holds the
/// controllers among them to those that are started. The garbage collector, which acts on all, is left out.
const ACTS: &[(&str, &str)] = &[
    ("apiservices.apiregistration.k8s.io", "apiservice-availability"),
    (
        "certificatesigningrequests.certificates.k8s.io",
        "admission, certificatesigningrequest-approving-controller, certificatesigningrequest-signing-controller, \
         certificatesigningrequest-cleaner-controller",
    ),
    ("configmaps", "root-ca-certificate-publisher-controller"),
    ("cronjobs.batch", "cronjob-controller"),
    ("customresourcedefinitions.apiextensions.k8s.io", "kube-apiserver"),
    ("daemonsets.apps", "daemonset-controller"),
    ("deployments.apps", "deployment-controller"),
    ("endpoints", "endpoints-controller, endpointslice-mirroring-controller"),
    (
        "endpointslices.discovery.k8s.io",
        "endpointslice-controller, kube-proxy",
    ),
    ("events", "event-ttl"),
    (
        "horizontalpodautoscalers.autoscaling",
        "horizontal-pod-autoscaler-controller",
    ),
    (
        "flowschemas.flowcontrol.apiserver.k8s.io",
        "priority-and-fairness-config-consumer",
    ),
    ("ingresses.networking.k8s.io", "ingress-nginx"),
    ("ingressclasses.networking.k8s.io", "admission, ingress-nginx"),
    ("jobs.batch", "job-controller, ttl-after-finished-controller"),
    ("leases.coordination.k8s.io", "kubelet"),
    ("namespaces", "namespace-controller"),
    (
        "nodes",
        "node-lifecycle-controller, taint-eviction-controller, ttl-controller, kubelet, scheduler",
    ),
    (
        "persistentvolumeclaims",
        "persistentvolume-binder-controller, persistentvolumeclaim-protection-controller, provisioner, scheduler",
    ),
    (
        "persistentvolumes",
        "persistentvolume-binder-controller, persistentvolume-protection-controller",
    ),
    ("poddisruptionbudgets.policy", "disruption-controller"),
    (
        "pods",
        "scheduler, kubelet, pod-garbage-collector-controller, ephemeral-volume-controller",
    ),
    ("priorityclasses.scheduling.k8s.io", "admission, scheduler"),
    ("limitranges", "admission"),
    ("resourcequotas", "admission, resourcequota-controller"),
    ("clusterrolebindings.rbac.authorization.k8s.io", "authorization"),
    (
        "clusterroles.rbac.authorization.k8s.io",
        "authorization, clusterrole-aggregation-controller",
    ),
    ("rolebindings.rbac.authorization.k8s.io", "authorization"),
    ("roles.rbac.authorization.k8s.io", "authorization"),
    ("replicasets.apps", "replicaset-controller"),
    ("replicationcontrollers", "replicationcontroller-controller"),
    ("secrets", "serviceaccount-token-controller"),
    (
        "serviceaccounts",
        "serviceaccount-controller, serviceaccount-token-controller, admission",
    ),
    (
        "services",
        "endpointslice-controller, endpoints-controller, kube-proxy, DNS",
    ),
    ("statefulsets.apps", "statefulset-controller"),
    ("storageclasses.storage.k8s.io", "provisioner, admission"),
    ("mutatingadmissionpolicies.admissionregistration.k8s.io", "admission"),
    (
        "mutatingadmissionpolicybindings.admissionregistration.k8s.io",
        "admission",
    ),
    (
        "mutatingwebhookconfigurations.admissionregistration.k8s.io",
        "admission",
    ),
    (
        "validatingwebhookconfigurations.admissionregistration.k8s.io",
        "admission",
    ),
    (
        "validatingadmissionpolicies.admissionregistration.k8s.io",
        "admission, validatingadmissionpolicy-status-controller",
    ),
    (
        "validatingadmissionpolicybindings.admissionregistration.k8s.io",
        "admission",
    ),
];

/// The kinds of `group/Kind` that `describe` has an own description of.
fn described() -> FlatSet<String> {
    let mut found = FlatSet::new();
    for line in DESCRIBE.lines() {
        let Some(arm) = line.trim_start().strip_prefix("(\"").filter(|_| line.contains("=>")) else {
            continue;
        };
        let Some((pattern, _)) = arm.split_once(") =>") else {
            continue;
        };
        let words: Vec<&str> = pattern.split('"').collect();
        // `group`, a comma, `Kind`, ` | `, `Kind`, …
        let group = words.first().copied().unwrap_or("");
        for kind in words.iter().skip(2).step_by(2).filter(|k| !k.is_empty()) {
            found.insert(format!("{group}/{kind}"));
        }
    }
    found
}

/// The whole file.
pub fn markdown() -> String {
    let mut text = "# What is simulated\n\nThis file is made from the code (`cargo run -- docs > docs/simulated.md`): every kind that the API server serves,\nevery command of kubectl and every flag, with what of them is not simulated.\n\n## Kinds\n\nEvery kind is served, decoded and validated against its schema, stored, listed, watched, patched, printed and explained.\n*Rules* are a kind's own: defaults, validation, what may change, the values of its columns, how its deletion begins.\n*Description* says whether `kubectl describe` has one for the kind, or the general one. *Acts on it* names what makes\nsomething of its objects; where nothing stands, they are only kept. ingress-nginx is an add-on: it acts once its manifest\nis applied.\n\n| Resource | Version | Kind | Rules | Description | Acts on it |\n|---|---|---|---|---|---|\n".to_owned();
    let described = described();
    for r in resource::built_in().iter().filter(|r| !r.name.contains('/')) {
        let rules = match kinds::own(&r.group, &r.name) {
            Some(_) => "own",
            None => "the schema's",
        };
        let description = if described.contains(&format!("{}/{}", r.group, r.kind)) {
            "own"
        } else {
            "general"
        };
        let name = r.qualified();
        let acts = ACTS.iter().find(|(n, _)| *n == name).map_or("", |(_, a)| *a);
        text.push_str(&format!(
            "| {name} | {} | {} | {rules} | {description} | {acts} |\n",
            r.version, r.kind
        ));
    }
    text.push_str("\nCustom resources are served by their definitions: validated, pruned, defaulted, printed with their columns, with\ntheir status and scale subresources; no conversion webhooks.\n\nWebhooks of admission are not called: one that cannot be reached fails as it does, one whose service has ready endpoints\nallows everything, and whoever asks is warned of it.\n\n## Commands of kubectl\n\n");
    text.push_str(&crate::kubectl::markdown());
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers;

    #[test]
    fn names_are_of_what_there_is() {
        let started = |name: &str| controllers::ALL.iter().any(|(started, _)| *started == name);
        let all = resource::built_in();
        for (name, acts) in ACTS {
            assert!(all.iter().any(|r| r.qualified() == *name), "{name}");
            for actor in acts.split(", ") {
                let known = [
                    "admission",
                    "authorization",
                    "DNS",
                    // An add-on, which acts where it is installed.
                    "ingress-nginx",
                    "kube-apiserver",
                    "kube-proxy",
                    "kubelet",
                    "scheduler",
                ];
                assert!(known.contains(&actor) || started(actor), "{actor} acts on {name}");
            }
        }
        // The garbage collector acts on all.
        for (name, _) in controllers::ALL
            .iter()
            .filter(|(n, _)| *n != "garbage-collector-controller")
        {
            let named = ACTS
                .iter()
                .any(|(_, acts)| acts.split(", ").any(|actor| actor == *name));
            assert!(named, "{name} acts on nothing");
        }
        let described = described();
        for kind in ["/Pod", "apps/Deployment", "rbac.authorization.k8s.io/ClusterRole"] {
            assert!(described.contains(kind), "{kind} in {described:?}");
        }
    }
}
