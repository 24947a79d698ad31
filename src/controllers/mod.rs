//! kube-controller-manager: one file per controller. Each watches through shared informers, keeps a
//! work queue, reconciles from state and writes through the API. Knows the API and nothing above it.

#![warn(missing_docs)]

mod admission_policy_status;
mod api_service;
mod certificates;
mod cluster_role_aggregation;
mod context;
mod cron_job;
mod custom_resources;
mod daemon_set;
mod deployment;
mod disruption;
mod endpoint_slice;
mod endpoint_slice_mirroring;
mod endpoints;
mod ephemeral_volume;
mod event_ttl;
mod expectations;
mod flow_schema_status;
mod garbage_collector;
mod go_dump;
pub mod hash;
mod history;
mod horizontal_pod_autoscaler;
mod job;
mod namespace;
mod node_lifecycle;
mod node_ttl;
mod ownership;
mod persistent_volume;
mod pod_gc;
mod pods;
mod replica_set;
mod resource_quota;
mod root_ca;
mod service_account;
mod service_account_token;
mod service_pods;
mod stateful_set;
mod taint_eviction;
#[cfg(test)]
mod testing;
mod topology_hints;
mod ttl_after_finished;

pub use context::Options;

use context::Context;

use crate::api::ApiServer;

/// The running controllers of one world.
pub struct Controllers {
    context: Context,
}

/// Starts the controllers that run inside the API server, without which custom resources would not be
/// served. They end with the simulation.
pub fn start_in_server(api: &ApiServer) {
    custom_resources::start(&Context::named(api, Options::default(), "kube-apiserver"));
}

/// Every controller by the name that turns it off, and what starts it.
pub const ALL: &[(&str, fn(&Context))] = &[
    ("apiservice-availability", api_service::start),
    (
        "certificatesigningrequest-approving-controller",
        certificates::start_approving,
    ),
    (
        "certificatesigningrequest-cleaner-controller",
        certificates::start_cleaner,
    ),
    (
        "certificatesigningrequest-signing-controller",
        certificates::start_signing,
    ),
    ("clusterrole-aggregation-controller", cluster_role_aggregation::start),
    ("cronjob-controller", cron_job::start),
    ("daemonset-controller", daemon_set::start),
    ("deployment-controller", deployment::start),
    ("disruption-controller", disruption::start),
    ("endpointslice-controller", endpoint_slice::start),
    ("endpointslice-mirroring-controller", endpoint_slice_mirroring::start),
    ("endpoints-controller", endpoints::start),
    ("ephemeral-volume-controller", ephemeral_volume::start),
    ("event-ttl", event_ttl::start),
    ("priority-and-fairness-config-consumer", flow_schema_status::start),
    ("garbage-collector-controller", garbage_collector::start),
    ("horizontal-pod-autoscaler-controller", horizontal_pod_autoscaler::start),
    ("job-controller", job::start),
    ("namespace-controller", namespace::start),
    ("node-lifecycle-controller", node_lifecycle::start),
    ("ttl-controller", node_ttl::start),
    ("persistentvolume-binder-controller", persistent_volume::binder::start),
    (
        "persistentvolume-protection-controller",
        persistent_volume::protection::start_volumes,
    ),
    (
        "persistentvolumeclaim-protection-controller",
        persistent_volume::protection::start_claims,
    ),
    ("provisioner", persistent_volume::provisioner::start),
    ("pod-garbage-collector-controller", pod_gc::start),
    ("resourcequota-controller", resource_quota::start),
    ("root-ca-certificate-publisher-controller", root_ca::start),
    ("serviceaccount-controller", service_account::start),
    ("serviceaccount-token-controller", service_account_token::start),
    ("statefulset-controller", stateful_set::start),
    ("taint-eviction-controller", taint_eviction::start),
    ("ttl-after-finished-controller", ttl_after_finished::start),
    ("replicaset-controller", replica_set::start_replica_sets),
    (
        "replicationcontroller-controller",
        replica_set::start_replication_controllers,
    ),
    (
        "validatingadmissionpolicy-status-controller",
        admission_policy_status::start,
    ),
];

/// Starts every controller that `options` do not turn off.
pub fn start(api: &ApiServer, options: Options) -> Controllers {
    let context = Context::new(api, options);
    for (name, start) in ALL {
        if !context.options().disabled.contains(*name) {
            start(&context);
        }
    }
    Controllers { context }
}

impl Controllers {
    /// Ends every controller, as when kube-controller-manager is stopped.
    pub fn stop(&self) {
        self.context.stop();
    }
}
