//! The native command: runs scenarios, and makes the snapshot that worlds begin from.

mod bench;
#[cfg(feature = "serve")]
mod serve;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use kubetab::value::{Value, yaml};
use kubetab::world::{Options, Scenario, World, make_snapshot};

const USAGE: &str = "\
kubetab: a Kubernetes cluster in one deterministic world

  kubetab run FILE [--seed N]    runs a scenario in a fresh world and prints its transcript
                                 (FILE may be - for standard input)
  kubetab docs                   prints the table of what is simulated (docs/simulated.md)
  kubetab bench                  prints figures of the simulation on this machine
  kubetab snapshot DIR           prints the boot snapshot made from a folder of YAML lists
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["run", file] => run(file, 1),
        ["run", file, "--seed", seed] | ["run", "--seed", seed, file] => match seed.parse() {
            Ok(seed) => run(file, seed),
            Err(_) => Err(format!("--seed takes a number, not {seed:?}")),
        },
        ["bench"] => bench::run(),
        ["docs"] => {
            print!("{}", kubetab::world::simulated::markdown());
            Ok(())
        }
        #[cfg(feature = "serve")]
        ["serve", "--help" | "-h"] => {
            print!("{}", serve::USAGE);
            Ok(())
        }
        #[cfg(feature = "serve")]
        ["serve", flags @ ..] => serve::run(flags),
        ["snapshot", dir] => snapshot(dir),
        [] | ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            #[cfg(feature = "serve")]
            print!("{}", serve::USAGE);
            Ok(())
        }
        _ => Err(format!("I don't understand: kubetab {}\n\n{USAGE}", words.join(" "))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("kubetab: {why}");
            ExitCode::FAILURE
        }
    }
}

fn read(path: &str) -> Result<String, String> {
    if path == "-" {
        return std::io::read_to_string(std::io::stdin()).map_err(|e| format!("cannot read standard input: {e}"));
    }
    std::fs::read_to_string(path).map_err(|e| format!("cannot read {path}: {e}"))
}

fn run(path: &str, seed: u64) -> Result<(), String> {
    let scenario = Scenario::parse(&read(path)?).map_err(|e| format!("{path}: {e}"))?;
    let world = World::new(&Options {
        seed,
        ..Options::default()
    })
    .map_err(|e| e.to_string())?;
    let sim = world.sim().clone();
    let end = sim.now() + Duration::from_secs(366 * 86_400);
    let print = |text: &str| {
        // A closed pipe ends nothing but the printing.
        let _ = std::io::stdout().write_all(text.as_bytes());
    };
    sim.run_future(async move { scenario.run(&world, print).await }, end)
        .ok_or_else(|| format!("{path}: the world stood still before the scenario's end"))
}

fn snapshot(dir: &str) -> Result<(), String> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .map_err(|e| format!("cannot read {dir}: {e}"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .collect();
    files.sort();
    let mut items: Vec<Value> = Vec::new();
    for file in files {
        let name = file.display().to_string();
        let list = yaml::decode(&read(&name)?).map_err(|e| format!("{name}: {e}"))?;
        items.extend(list.get("items").items().iter().cloned());
    }
    print!("{}", make_snapshot(items));
    Ok(())
}
