//! What the tests of whole scenarios share.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use expect_test::Expect;
use kubetab::world::{Options, Scenario, World};

/// Runs a scenario in a fresh world. Its transcript, in which files are named and not shown: they stand in the
/// scenario.
pub fn run(text: &str) -> String {
    let world = World::new(&Options::default()).unwrap();
    let scenario = Scenario::parse(text).unwrap();
    let out: Rc<RefCell<String>> = Rc::default();
    let (sim, sink) = (world.sim().clone(), out.clone());
    let end = sim.now() + Duration::from_secs(86_400);
    let show = move |part: &str| {
        let is_file = part.starts_with("@file ");
        let shown = if is_file {
            part.split_inclusive('\n').next()
        } else {
            Some(part)
        };
        sink.borrow_mut().push_str(shown.unwrap_or_default());
    };
    let course = async move { scenario.run(&world, show).await };
    assert!(sim.run_future(course, end).is_some(), "the scenario does not end");
    out.take()
}

/// Runs a scenario, and compares its transcript.
pub fn check(scenario: &str, expected: Expect) {
    expected.assert_eq(&run(scenario));
}
