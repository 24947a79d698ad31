//! Running command lines in a fresh world, for tests.

use std::time::Duration;

use crate::world::{Input, Options, World};

/// What a command line prints on k8s-master, standard output before standard error.
pub fn run(line: &str) -> String {
    let world = World::new(&Options::default()).unwrap();
    run_in(&world, line).0
}

/// What a command line prints in a world, and its exit code.
pub fn run_in(world: &World, line: &str) -> (String, i32) {
    let end = world.sim().now() + Duration::from_secs(600);
    let finished = world.input(Input::Exec(line.into()));
    let done = world.sim().run_future(finished, end).unwrap().unwrap();
    (done.stdout + &done.stderr, done.code)
}
