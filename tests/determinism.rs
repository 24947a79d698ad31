//! The same seed and the same inputs give the same world: the same trace, event by event, and the same output.
//! tests/wasm compares the fingerprint that is printed here with its own.

#[path = "wasm/story.rs"]
mod story;

#[test]
fn the_same_seed_gives_the_same_world() {
    let first = story::fingerprint(7);
    assert_eq!(first, story::fingerprint(7));
    // Read by `cargo xtask test`.
    println!("fingerprint of seed 7: {first}");
}

#[test]
fn another_seed_gives_another_world() {
    let ((one, first), (two, second)) = (story::run(7), story::run(8));
    assert_ne!(one, two, "the trace");
    assert_ne!(first, second, "the names of the pods");
}
