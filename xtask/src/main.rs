//! The project's own commands: `cargo xtask serve|build|test`.
mod schema;
fn main() -> Result<(), String> {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("schema") => schema::run(std::path::Path::new(&args[2]), std::path::Path::new("src/api/data")),
        _ => Ok(()),
    }
}
