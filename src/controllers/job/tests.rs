//! Tests of the Job controller; they play the kubelet.

use super::super::testing::World;
use super::*;

fn world() -> World {
    let world = World::new();
    world.start(start);
    world
}

/// A job of one container, with more fields of its spec.
fn job(world: &World, more: Value) -> Object {
    let containers = list![obj! { "name": "c", "image": "busybox" }];
    let mut spec = obj! { "template": obj! { "spec": obj! { "containers": containers, "restartPolicy": "Never" } } };
    for (key, value) in more.entries() {
        spec.set(&[key], value.clone());
    }
    world.create(obj! {
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": obj! { "name": "job", "namespace": "default" },
        "spec": spec,
    })
}

fn running(world: &World) -> Vec<Object> {
    let mut pods = world.list("", "pods");
    pods.retain(pods::is_active);
    pods
}

/// Plays the kubelet: a pod's container ends with a code.
fn end(world: &World, pod: &Object, code: i64) {
    let phase = if code == 0 { "Succeeded" } else { "Failed" };
    let state = obj! { "terminated": obj! { "exitCode": code, "finishedAt": world.sim().now() } };
    let statuses = list![obj! {
        "name": "c", "state": state, "image": "busybox", "imageID": "", "ready": false, "restartCount": 0,
    }];
    let status = obj! { "phase": phase, "containerStatuses": statuses };
    world.patch_sub("", "pods", pod.name(), "status", obj! { "status": status });
}

fn status(world: &World) -> Object {
    world.get("batch", "jobs", "job")
}

/// `Type=Status Reason` of each condition.
fn conditions(world: &World) -> Vec<String> {
    let job = status(world);
    let conditions = job.status().get("conditions").items().iter();
    conditions
        .map(|c| {
            let part = |f: &str| c.str_at(&[f]).to_owned();
            format!("{}={} {}", part("type"), part("status"), part("reason"))
        })
        .collect()
}

/// The counts of the status, in one line.
fn counts(world: &World) -> String {
    let job = status(world);
    let fields = ["active", "succeeded", "failed", "terminating"];
    let count = |f: &&str| job.status().i64_at(&[f]).unwrap_or(0).to_string();
    fields.iter().map(count).collect::<Vec<_>>().join(" ")
}

#[test]
fn runs_to_its_completions() {
    let world = world();
    job(&world, obj! { "completions": 3, "parallelism": 2 });
    world.run(2);
    assert_eq!(counts(&world), "2 0 0 0");
    let pods = running(&world);
    assert!(pods.iter().all(is_tracked));
    end(&world, &pods[0], 0);
    world.run(3);
    assert_eq!(counts(&world), "2 1 0 0");
    for pod in running(&world) {
        end(&world, &pod, 0);
    }
    world.run(3);
    assert_eq!(counts(&world), "0 3 0 0");
    assert_eq!(
        conditions(&world),
        [
            "SuccessCriteriaMet=True CompletionsReached",
            "Complete=True CompletionsReached"
        ]
    );
    assert!(world.list("", "pods").iter().all(|p| !is_tracked(p)));
    let done = status(&world).status().clone();
    assert_eq!(done.get("uncountedTerminatedPods"), &Value::map());
    assert!(!done.str_at(&["completionTime"]).is_empty());
    assert_eq!(world.messages("Completed"), ["Job completed"]);
    world.run(100);
    assert_eq!(world.list("", "pods").len(), 3);
}

#[test]
fn a_work_queue_is_done_when_one_succeeded_and_all_ended() {
    let world = world();
    job(&world, obj! { "parallelism": 3 });
    world.run(2);
    let pods = running(&world);
    assert_eq!(pods.len(), 3);
    end(&world, &pods[0], 0);
    world.run(3);
    assert_eq!(counts(&world), "2 1 0 0");
    end(&world, &pods[1], 0);
    end(&world, &pods[2], 1);
    world.run(3);
    assert_eq!(counts(&world), "0 2 1 0");
    assert_eq!(conditions(&world)[1], "Complete=True CompletionsReached");
}

#[test]
fn failures_are_replaced_ever_later_up_to_the_limit() {
    let world = world();
    job(&world, obj! { "backoffLimit": 2 });
    let mut waits = Vec::new();
    for _ in 0..2 {
        while running(&world).is_empty() {
            world.run(1);
        }
        end(&world, &running(&world)[0], 1);
        let from = world.sim().now();
        while running(&world).is_empty() {
            world.run(1);
        }
        waits.push(world.sim().now().since(from).as_secs());
    }
    assert_eq!(waits, [10, 20]);
    end(&world, &running(&world)[0], 1);
    world.run(5);
    assert_eq!(counts(&world), "0 0 3 0");
    assert_eq!(
        conditions(&world),
        [
            "FailureTarget=True BackoffLimitExceeded",
            "Failed=True BackoffLimitExceeded"
        ]
    );
    assert_eq!(
        world.messages("BackoffLimitExceeded"),
        ["Job has reached the specified backoff limit"]
    );
}

#[test]
fn indexes_have_pods_of_their_own() {
    let world = world();
    job(
        &world,
        obj! { "completions": 3, "parallelism": 3, "completionMode": "Indexed" },
    );
    world.run(2);
    let mut pods = running(&world);
    pods.sort_by_key(index_of);
    let seen: Vec<String> = pods
        .iter()
        .map(|p| format!("{} {}", p.spec().str_at(&["hostname"]), p.label(INDEX).unwrap_or("")))
        .collect();
    assert_eq!(seen, ["job-0 0", "job-1 1", "job-2 2"]);
    assert!(pods[1].name().starts_with("job-1-") && pods[1].name().len() == 11);
    let env = pods[0].spec().get("containers").items()[0].get("env").to_json();
    expect_test::expect![[r#"[{"name":"JOB_COMPLETION_INDEX","valueFrom":{"fieldRef":{"apiVersion":"v1","fieldPath":"metadata.labels['batch.kubernetes.io/job-completion-index']"}}}]"#]].assert_eq(&env);
    end(&world, &pods[2], 0);
    end(&world, &pods[0], 0);
    end(&world, &pods[1], 1);
    world.run(3);
    assert_eq!(status(&world).status().str_at(&["completedIndexes"]), "0,2");
    world.run(15);
    let again = running(&world);
    assert_eq!(again.iter().map(index_of).collect::<Vec<_>>(), [Some(1)]);
    end(&world, &again[0], 0);
    world.run(3);
    assert_eq!(status(&world).status().str_at(&["completedIndexes"]), "0-2");
    assert_eq!(counts(&world), "0 3 1 0");
}

#[test]
fn each_index_may_fail_for_itself() {
    let world = world();
    job(
        &world,
        obj! { "completions": 2, "parallelism": 2, "completionMode": "Indexed", "backoffLimitPerIndex": 1 },
    );
    for _ in 0..60 {
        for pod in running(&world) {
            end(&world, &pod, i64::from(index_of(&pod) == Some(1)));
        }
        world.run(1);
    }
    let done = status(&world).status().clone();
    assert_eq!(done.str_at(&["completedIndexes"]), "0");
    assert_eq!(done.str_at(&["failedIndexes"]), "1");
    assert_eq!(counts(&world), "0 1 2 0");
    assert_eq!(
        conditions(&world),
        ["FailureTarget=True FailedIndexes", "Failed=True FailedIndexes"]
    );
    let counts: FlatSet<&str> = FlatSet::from(["0", "1"]);
    let pods = world.list("", "pods");
    let of_index = pods.iter().filter(|p| index_of(p) == Some(1));
    assert_eq!(
        of_index
            .filter_map(|p| p.annotation(INDEX_FAILURES))
            .collect::<FlatSet<_>>(),
        counts
    );
}

#[test]
fn policies() {
    let world = world();
    let codes = obj! { "operator": "In", "values": list![42] };
    let policy = obj! { "rules": list![obj! { "action": "FailJob", "onExitCodes": codes }] };
    job(
        &world,
        obj! { "completions": 2, "parallelism": 2, "podFailurePolicy": policy },
    );
    world.run(2);
    let pods = running(&world);
    end(&world, &pods[0], 42);
    world.run(3);
    assert_eq!(counts(&world), "0 0 2 0", "the other is deleted, and counts as failed");
    assert_eq!(
        conditions(&world),
        ["FailureTarget=True PodFailurePolicy", "Failed=True PodFailurePolicy"]
    );
    assert_eq!(
        world.messages("PodFailurePolicy"),
        [format!(
            "Container c for pod default/{} failed with exit code 42 matching FailJob rule at index 0",
            pods[0].name()
        )]
    );
}

#[test]
fn success_policy_ends_the_rest() {
    let world = world();
    let policy = obj! { "rules": list![obj! { "succeededIndexes": "0" }] };
    let spec = obj! {
        "completions": 2, "parallelism": 2, "completionMode": "Indexed", "successPolicy": policy,
    };
    job(&world, spec);
    world.run(2);
    let leader = running(&world).into_iter().find(|p| index_of(p) == Some(0)).unwrap();
    end(&world, &leader, 0);
    world.run(3);
    world.end_pods();
    world.run(3);
    assert_eq!(
        conditions(&world),
        ["SuccessCriteriaMet=True SuccessPolicy", "Complete=True SuccessPolicy"]
    );
    assert_eq!(counts(&world), "0 1 0 0");
}

#[test]
fn deadline_suspend_and_resume() {
    let world = world();
    job(&world, obj! { "activeDeadlineSeconds": 20, "suspend": true });
    world.run(30);
    assert!(running(&world).is_empty());
    assert_eq!(conditions(&world), ["Suspended=True JobSuspended"]);
    assert!(status(&world).status().get("startTime").is_null());
    world.patch("batch", "jobs", "job", obj! { "spec": obj! { "suspend": false } });
    world.run(2);
    assert_eq!(conditions(&world), ["Suspended=False JobResumed"]);
    assert_eq!(counts(&world), "1 0 0 0");
    assert!(!status(&world).status().get("startTime").is_null());
    let place = |zone: &str| obj! { "spec": obj! { "nodeSelector": obj! { "zone": zone } } };
    let suspend = |on: bool, zone: &str| obj! { "spec": obj! { "suspend": on, "template": place(zone) } };
    world.patch("batch", "jobs", "job", obj! { "spec": obj! { "suspend": true } });
    world.run(2);
    assert!(status(&world).status().get("startTime").is_null(), "no time runs");
    // It ran before, and its pods are gone: where new ones go may change.
    world.patch("batch", "jobs", "job", suspend(true, "a"));
    world.patch("batch", "jobs", "job", suspend(false, "a"));
    world.run(2);
    world.run(21);
    world.end_pods();
    world.run(3);
    assert_eq!(
        conditions(&world)[1..],
        ["FailureTarget=True DeadlineExceeded", "Failed=True DeadlineExceeded"]
    );
    assert_eq!(world.messages("Suspended").len() + world.messages("Resumed").len(), 2);
    assert!(world.list("", "pods").is_empty());
}

#[test]
fn pods_of_a_job_that_is_gone_are_freed() {
    let world = world();
    job(&world, obj! {});
    world.run(2);
    world.delete("batch", "jobs", "job", obj! { "propagationPolicy": "Background" });
    world.run(2);
    let pods = world.list("", "pods");
    assert_eq!(pods.len(), 1);
    assert!(!is_tracked(&pods[0]));
}

#[test]
fn one_that_another_manages_is_left_alone() {
    let world = world();
    job(&world, obj! { "managedBy": "example.com/other" });
    world.run(5);
    assert!(world.list("", "pods").is_empty());
    assert!(status(&world).status().is_empty());
}
