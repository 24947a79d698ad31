//! Holds `docs/simulated.md` to the code that it is made from.

#[test]
fn the_table_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/simulated.md");
    let made = kubetab::world::simulated::markdown();
    // Whoever has files that are made from the code written anew means this one too.
    if ["UPDATE_EXPECT", "UPDATE_KNOWN_FAILURES"]
        .iter()
        .any(|v| std::env::var(v).is_ok())
    {
        std::fs::write(path, &made).unwrap();
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    if let Some((line, (a, b))) = there.lines().zip(made.lines()).enumerate().find(|(_, (a, b))| a != b) {
        panic!(
            "docs/simulated.md is stale at line {}: write it anew with `cargo run -- docs > docs/simulated.md`\n- {a}\n+ {b}",
            line + 1
        );
    }
    assert_eq!(
        there.len(),
        made.len(),
        "docs/simulated.md is stale: `cargo run -- docs > docs/simulated.md`"
    );
}
