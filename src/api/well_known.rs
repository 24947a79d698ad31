//! Kubernetes' well-known labels, annotations, taints and finalizers that more than one part reads or writes. What one
//! file alone knows stands there.

// Labels.

/// The node's name, as far as topologies care.
pub const HOSTNAME: &str = "kubernetes.io/hostname";
/// The node's operating system.
pub const OS: &str = "kubernetes.io/os";
/// The node's architecture.
pub const ARCH: &str = "kubernetes.io/arch";
/// The zone of a node, an endpoint or a volume.
pub const ZONE: &str = "topology.kubernetes.io/zone";
/// The region that a zone is in.
pub const REGION: &str = "topology.kubernetes.io/region";
/// The node's size, as its cloud calls it.
pub const INSTANCE_TYPE: &str = "node.kubernetes.io/instance-type";
/// [`OS`] by its older name.
pub const BETA_OS: &str = "beta.kubernetes.io/os";
/// [`ARCH`] by its older name.
pub const BETA_ARCH: &str = "beta.kubernetes.io/arch";
/// [`ZONE`] by its older name.
pub const BETA_ZONE: &str = "failure-domain.beta.kubernetes.io/zone";
/// [`REGION`] by its older name.
pub const BETA_REGION: &str = "failure-domain.beta.kubernetes.io/region";
/// [`INSTANCE_TYPE`] by its older name.
pub const BETA_INSTANCE_TYPE: &str = "beta.kubernetes.io/instance-type";
/// On nodes that run the control plane, with an empty value; also a taint.
pub const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";
/// The Service of an EndpointSlice.
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// What tells a Deployment's ReplicaSets and their pods apart: the hash of the template.
pub const POD_TEMPLATE_HASH: &str = "pod-template-hash";
/// The revision that a pod of a StatefulSet or DaemonSet was made from.
pub const CONTROLLER_REVISION_HASH: &str = "controller-revision-hash";

// Annotations.

/// What `kubectl apply` applied last, as JSON.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// The number of a Deployment's template, on it and on its ReplicaSets.
pub const DEPLOYMENT_REVISION: &str = "deployment.kubernetes.io/revision";
/// On a ReplicaSet: the numbers that it had before, by commas.
pub const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// On a ReplicaSet: `spec.replicas` of its Deployment.
pub const DESIRED_REPLICAS: &str = "deployment.kubernetes.io/desired-replicas";
/// On a ReplicaSet: the most pods that its Deployment may have, with the surge.
pub const MAX_REPLICAS: &str = "deployment.kubernetes.io/max-replicas";
/// How unwelcome a pod's deletion is: an integer of 32 bits.
pub const POD_DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";
/// An Ingress' class, before there was `spec.ingressClassName`.
pub const INGRESS_CLASS: &str = "kubernetes.io/ingress.class";
/// The class of a claim or volume, before there was `spec.storageClassName`.
pub const BETA_STORAGE_CLASS: &str = "volume.beta.kubernetes.io/storage-class";
/// Before the name of a container: its AppArmor profile, before there was a field for it.
pub const APPARMOR_PREFIX: &str = "container.apparmor.security.beta.kubernetes.io/";
/// The account that a Secret's token is of.
pub const SERVICE_ACCOUNT_NAME: &str = "kubernetes.io/service-account.name";

// Taints.

/// The node's kubelet says that it is not ready.
pub const NOT_READY: &str = "node.kubernetes.io/not-ready";
/// Nothing has been heard of the node's kubelet.
pub const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
/// The node is cordoned.
pub const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

// Finalizers.

/// Keeps a claim while a pod uses it.
pub const CLAIM_PROTECTION: &str = "kubernetes.io/pvc-protection";
/// Keeps a volume while a claim is bound to it.
pub const VOLUME_PROTECTION: &str = "kubernetes.io/pv-protection";

// Types of Secrets and signers of certificates.

/// The type of a Secret that holds an account's token.
pub const TOKEN_SECRET: &str = "kubernetes.io/service-account-token";
/// The type of a Secret that holds a certificate and its key.
pub const TLS_SECRET: &str = "kubernetes.io/tls";
/// Signs the certificates of the API's clients.
pub const CLIENT_SIGNER: &str = "kubernetes.io/kube-apiserver-client";
/// Signs what was asked for before signers had names; whoever verifies it does so at their own risk.
pub const LEGACY_SIGNER: &str = "kubernetes.io/legacy-unknown";
