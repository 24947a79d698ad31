//! Deployments with the ReplicaSet controller and a kubelet that the test plays.

use super::*;
use crate::api::well_known;
use crate::controllers::replica_set::start_replica_sets;
use crate::controllers::testing::World;
use crate::{list, obj};

fn deployment(replicas: i64, image: &str, strategy: Value) -> Value {
    let container = obj! { "name": "nginx", "image": image };
    obj! {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": obj! { "name": "web", "namespace": "default" },
        "spec": obj! {
            "replicas": replicas, "strategy": strategy,
            "progressDeadlineSeconds": 60, "revisionHistoryLimit": 2,
            "selector": obj! { "matchLabels": obj! { "app": "web" } },
            "template": obj! {
                "metadata": obj! { "labels": obj! { "app": "web" } },
                "spec": obj! { "containers": list![container], "terminationGracePeriodSeconds": 0 },
            },
        },
    }
}

fn rolling(surge: Value, unavailable: Value) -> Value {
    obj! { "type": "RollingUpdate", "rollingUpdate": obj! { "maxSurge": surge, "maxUnavailable": unavailable } }
}

fn world() -> World {
    let world = World::new();
    world.start(start_replica_sets);
    world.start(start);
    world
}

fn set_image(world: &World, image: &str) {
    let containers = list![obj! { "name": "nginx", "image": image }];
    let patch = obj! { "spec": obj! { "template": obj! { "spec": obj! { "containers": containers } } } };
    world.patch("apps", "deployments", "web", patch);
}

/// Lets pods whose image can be pulled become ready, and the deleted end, until nothing changes.
fn settle(world: &World) {
    for _ in 0..30 {
        world.run(1);
        let before = world.sim().trace().last_seq();
        for pod in world.list("", "pods") {
            let image = pod.spec().get("containers").items()[0].str_at(&["image"]).to_owned();
            if image != "bad" && pods::is_active(&pod) && !pods::is_ready(&pod) {
                world.make_ready(&pod);
            }
        }
        world.end_pods();
        if world.sim().trace().last_seq() == before {
            return;
        }
    }
    panic!("it does not settle");
}

fn sizes(world: &World) -> Vec<(String, i64, i64)> {
    let mut sets = world.list("apps", "replicasets");
    sets.sort_by_key(util::revision);
    sets.iter()
        .map(|s| {
            let image = s.spec().at(&["template", "spec", "containers"]).items()[0].str_at(&["image"]);
            (image.to_owned(), util::revision(s), util::replicas(s))
        })
        .collect()
}

fn conditions(world: &World) -> Vec<String> {
    let deployment = world.get("apps", "deployments", "web");
    let list = deployment.status().get("conditions").items().iter();
    list.map(|c| {
        format!(
            "{}={} {}",
            c.str_at(&["type"]),
            c.str_at(&["status"]),
            c.str_at(&["reason"])
        )
    })
    .collect()
}

#[test]
fn a_rollout_stops_at_the_numbers_that_the_strategy_allows() {
    let world = world();
    world.create(deployment(4, "good", rolling(2.into(), 1.into())));
    settle(&world);
    assert_eq!(sizes(&world), [("good".into(), 1, 4)]);
    assert_eq!(
        conditions(&world),
        [
            "Available=True MinimumReplicasAvailable",
            "Progressing=True NewReplicaSetAvailable"
        ]
    );
    set_image(&world, "bad");
    settle(&world);
    assert_eq!(sizes(&world), [("good".into(), 1, 3), ("bad".into(), 2, 3)]);
    world.run(70);
    assert!(conditions(&world).contains(&"Progressing=False ProgressDeadlineExceeded".to_owned()));
    // Back to the old template: its set gets the next revision and a history.
    set_image(&world, "good");
    settle(&world);
    assert_eq!(sizes(&world), [("bad".into(), 2, 0), ("good".into(), 3, 4)]);
    let sets = world.list("apps", "replicasets");
    let good = sets.iter().find(|s| util::revision(s) == 3).unwrap();
    assert_eq!(good.annotation(well_known::REVISION_HISTORY), Some("1"));
    let deployment = world.get("apps", "deployments", "web");
    assert_eq!(deployment.annotation(well_known::DEPLOYMENT_REVISION), Some("3"));
    let hash = good.label(well_known::POD_TEMPLATE_HASH).unwrap();
    assert_eq!(good.name(), format!("web-{hash}"));
    let first = &world.messages("ScalingReplicaSet")[0];
    assert_eq!(*first, format!("Scaled up replica set web-{hash} from 0 to 4"));
}

#[test]
fn old_sets_beyond_the_limit_go() {
    let world = world();
    world.create(deployment(2, "v1", rolling("25%".into(), "25%".into())));
    settle(&world);
    for image in ["v2", "v3", "v4", "v5"] {
        set_image(&world, image);
        settle(&world);
    }
    assert_eq!(
        sizes(&world),
        [("v3".into(), 3, 0), ("v4".into(), 4, 0), ("v5".into(), 5, 2)]
    );
}

#[test]
fn recreate_ends_the_old_before_the_new_begin() {
    let world = world();
    world.create(deployment(3, "v1", obj! { "type": "Recreate" }));
    settle(&world);
    set_image(&world, "v2");
    settle(&world);
    let messages: Vec<String> = world
        .messages("ScalingReplicaSet")
        .iter()
        .map(|m| {
            let from = m.find(" from").unwrap();
            let direction = m.split(' ').nth(1).unwrap();
            format!("{direction}{}", &m[from..])
        })
        .collect();
    assert_eq!(messages, ["up from 0 to 3", "down from 3 to 0", "up from 0 to 3"]);
}

#[test]
fn pausing_collects_changes_and_scaling_goes_on() {
    let world = world();
    world.create(deployment(3, "v1", rolling("25%".into(), "25%".into())));
    settle(&world);
    world.patch("apps", "deployments", "web", obj! { "spec": obj! { "paused": true } });
    set_image(&world, "v2");
    set_image(&world, "v3");
    world.patch("apps", "deployments", "web", obj! { "spec": obj! { "replicas": 2 } });
    settle(&world);
    assert_eq!(sizes(&world), [("v1".into(), 1, 2)]);
    assert!(conditions(&world).contains(&"Progressing=Unknown DeploymentPaused".to_owned()));
    world.patch("apps", "deployments", "web", obj! { "spec": obj! { "paused": false } });
    settle(&world);
    assert_eq!(sizes(&world), [("v1".into(), 1, 0), ("v3".into(), 2, 2)]);
    assert!(conditions(&world).contains(&"Progressing=True NewReplicaSetAvailable".to_owned()));
}

#[test]
fn scaling_in_a_rollout_keeps_proportions() {
    let world = world();
    world.create(deployment(10, "good", rolling(3.into(), 2.into())));
    settle(&world);
    set_image(&world, "bad");
    settle(&world);
    assert_eq!(sizes(&world), [("good".into(), 1, 8), ("bad".into(), 2, 5)]);
    world.patch("apps", "deployments", "web", obj! { "spec": obj! { "replicas": 15 } });
    settle(&world);
    assert_eq!(sizes(&world), [("good".into(), 1, 11), ("bad".into(), 2, 7)]);
}

#[test]
fn an_idle_deployment_costs_nothing() {
    let world = world();
    world.create(deployment(3, "good", rolling("25%".into(), "25%".into())));
    settle(&world);
    let before = world.sim().trace().last_seq();
    world.run(86_400);
    assert_eq!(world.sim().trace().last_seq(), before);
}
