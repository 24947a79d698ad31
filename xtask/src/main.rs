//! The project's own commands: `cargo xtask setup|serve|build|test|bench|ci`.
//! They may touch processes, files and sockets, and use little but the standard library.

mod bench;
mod ci;
mod cmd;
mod docs;
mod go;
mod modules;
mod page;
mod protobuf;
mod report;
mod rust;
mod schema;
mod serve;
mod shell;
mod test;
mod tools;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND

  setup             install what the other commands need (they do it themselves, too)
  serve [--port N]  build the page (release) and serve it on 127.0.0.1, port 8080 unless told
  build             the page into dist/, the npm package into pkg/
  test [PART]       all tests, or one part of them: native, clients (of `kubetab serve`, in JavaScript), kubectl
                    (kube-rs, and the real kubectl where one is installed, against `kubetab serve`), wasm (in
                    headless Chromium), page (in Chromium); or `cmd`, which runs only by its name: Kubernetes'
                    own test/cmd suite against `kubetab serve` (KUBERNETES names a checkout of Kubernetes,
                    KUBECTL a kubectl, and SELECTED functions of the suite; all of them unless set)
  docs [FILE]       the texts of `kubectl explain`, of help and of downloads, into www/vendor/explain.txt
                    (builds do it themselves)
  modules           the modules of `jq` and kustomize, into www/vendor (builds do it themselves)
  schema DIR        the tables in src/api/data from a real server's schema.json, discovery.json and tables.json
  bench             measure the built page: bytes, time to first prompt, latency, simulated time
  protobuf DIR      the table of protobuf's field numbers and the order of fields, from the folder src of the crate k8s-pb
  go DIR            marks of what Go writes of empty fields, from the folder k8s.io of Kubernetes' Go modules
  ci                fmt, clippy (native and wasm), then `test`

A first `serve` or `test` on a fresh machine installs tools and takes some 10 to 20 minutes on two cores;
later ones take seconds to a few minutes.
";

/// What went wrong, as a sentence for the person at the terminal.
pub type Result<T, E = String> = std::result::Result<T, E>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["setup"] => tools::everything().map(|_| println!("Everything is here.")),
        ["serve"] => serve::command(None),
        ["serve", "--port", port] => parse_port(port).and_then(|port| serve::command(Some(port))),
        ["serve", option] if option.starts_with("--port=") => {
            parse_port(&option["--port=".len()..]).and_then(|port| serve::command(Some(port)))
        }
        ["build"] => page::command(),
        ["test"] => test::command(None),
        [
            "test",
            part @ ("native" | "clients" | "kubectl" | "cmd" | "wasm" | "page"),
        ] => test::command(Some(part)),
        ["docs"] => docs::run(&shell::root(), &shell::root().join(page::TEXTS)),
        ["docs", file] => docs::run(&shell::root(), std::path::Path::new(file)),
        ["modules"] => modules::build(&shell::root().join(modules::FOLDER)),
        ["schema", from] => schema::run(std::path::Path::new(from), &shell::root().join("src/api/data")),
        ["bench"] => bench::command(),
        ["ci"] => ci::command(),
        ["protobuf", folder] => protobuf::run(
            folder.as_ref(),
            &shell::root().join("src/api/data/types.txt"),
            &shell::root().join("src/bin/kubetab/serve/data/protobuf.txt"),
        ),
        ["go", folder] => go::run(folder.as_ref(), &shell::root().join("src/api/data/types.txt")),
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        _ => Err(format!("`{}` is no command of xtask.\n\n{HELP}", words.join(" "))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("\nxtask: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn parse_port(text: &str) -> Result<u16> {
    text.parse()
        .map_err(|_| format!("`{text}` is not a port: give a number from 0 to 65535."))
}
