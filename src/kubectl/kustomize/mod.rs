//! `kubectl kustomize` and `-k`: kustomize v5.8, as kubectl 1.36 has it built in. [`build`] is kustomize itself, which
//! native builds hold and the page loads when it is first used; here it is known by [`Run`] alone.

#[cfg(any(not(target_arch = "wasm32"), feature = "module"))]
mod build;
mod message;

#[cfg(any(not(target_arch = "wasm32"), feature = "module"))]
pub use build::build;
pub use message::{Manifest, Options, Request, Response};

use super::command::{Cmd, VERB, Verb};
use super::error::Error;
use super::files::{Doc, Docs};
use super::flags::{Flag, Kind, flag};
use crate::flat::{Case, FlatSet};
use crate::shell::{self, Files};
use crate::sim::{Outside, Sim};
use crate::value::{Value, gojson, sha256, yaml};

/// Builds kustomizations.
pub trait Run {
    /// Runs one build. `None` when it broke off.
    fn run(&self, request: Request) -> Option<Response>;
}

/// What builds them, once it is here.
pub type Engine = Outside<dyn Run>;

/// What this build holds: native ones all of it.
#[cfg(not(target_arch = "wasm32"))]
pub fn engine(sim: &Sim) -> Engine {
    struct Included;
    impl Run for Included {
        fn run(&self, request: Request) -> Option<Response> {
            Some(build(&request))
        }
    }
    Outside::included(sim, std::rc::Rc::new(Included))
}

/// What this build holds: nothing, and somebody has to bring it.
#[cfg(target_arch = "wasm32")]
pub fn engine(sim: &Sim) -> Engine {
    Outside::new(sim)
}

const RESTRICTORS: [&str; 2] = ["LoadRestrictionsRootOnly", "LoadRestrictionsNone"];
const NO_PLUGINS: &str = "no plugins, containers or charts can run here";

const FLAGS: &[Flag] = &[
    flag("as-current-user", '\0', Kind::Bool, "false").but(NO_PLUGINS),
    flag("enable-alpha-plugins", '\0', Kind::Bool, "false").but(NO_PLUGINS),
    flag("enable-helm", '\0', Kind::Bool, "false").but(NO_PLUGINS),
    flag("enable-managedby-label", '\0', Kind::Bool, "false").hidden(),
    flag("env", 'e', Kind::Array, "[]").but(NO_PLUGINS),
    flag("helm-api-versions", '\0', Kind::Array, "[]").but(NO_PLUGINS),
    flag("helm-command", '\0', Kind::Str, "helm").but(NO_PLUGINS),
    flag("helm-debug", '\0', Kind::Bool, "false").but(NO_PLUGINS),
    flag("helm-kube-version", '\0', Kind::Str, "").but(NO_PLUGINS),
    flag("load-restrictor", '\0', Kind::Str, "LoadRestrictionsRootOnly"),
    flag("mount", '\0', Kind::Array, "[]").but(NO_PLUGINS),
    flag("network", '\0', Kind::Bool, "false").but(NO_PLUGINS),
    flag("network-name", '\0', Kind::Str, "bridge").but(NO_PLUGINS),
    flag("output", 'o', Kind::Str, ""),
    flag("reorder", '\0', Kind::Str, "unspecified")
        .hidden()
        .gone("use the new 'sortOptions' field in kustomization.yaml instead."),
];

pub static KUSTOMIZE: Verb = Verb {
    name: "kustomize",
    group: "Advanced Commands:",
    short: "Build a kustomization target from a directory or URL",
    flags: &[FLAGS],
    run: Some(|c| Box::pin(run(c))),
    missing: "URLs, plugins, Helm charts, schemas of one's own (openapi, crds) and validators",
    ..VERB
};

async fn run(cmd: &Cmd) -> Result<(), Error> {
    let path = match cmd.args.as_slice() {
        [] => ".",
        [path] => path.as_str(),
        _ => return Err(Error::plain("specify one path to kustomization.yaml")),
    };
    let restrictor = cmd.flags.str("load-restrictor");
    if !RESTRICTORS.contains(&restrictor) {
        return Err(Error::plain(format!(
            "illegal flag value --load-restrictor {restrictor}; legal values: [{}]",
            RESTRICTORS.join(" ")
        )));
    }
    let reorder = cmd.flags.str("reorder");
    if !["legacy", "none", "unspecified"].contains(&reorder) {
        return Err(Error::plain(format!(
            "illegal flag value --reorder {reorder}; legal values: [legacy none]"
        )));
    }
    let options = Options {
        free: restrictor == "LoadRestrictionsNone",
        helm: cmd.flags.bool("enable-helm"),
        unsorted: reorder == "none",
        managed_by: cmd.flags.bool("enable-managedby-label"),
    };
    let built = manifests(cmd, path, options).await?;
    let text = || built.iter().map(|m| m.yaml.as_str()).collect::<Vec<_>>().join("---\n");
    let output = cmd.flags.str("output");
    if output.is_empty() {
        cmd.out(text());
        return Ok(());
    }
    let place = cmd.cx.path(output);
    let files = &cmd.cx.files;
    if files.is_dir(&place) {
        write_each(files, &place, &built)
    } else {
        write(files, &place, output, &text())
    }
}

fn write(files: &Files, path: &str, shown: &str, text: &str) -> Result<(), Error> {
    files
        .write(path, text.as_bytes().to_vec())
        .map_err(|e| Error::plain(e.opening(shown)))
}

/// One file per resource; with several namespaces their names come first.
fn write_each(files: &Files, dir: &str, built: &[Manifest]) -> Result<(), Error> {
    let namespaces: FlatSet<&str> = built.iter().filter_map(|m| m.namespace.as_deref()).collect();
    for manifest in built {
        let name = match &manifest.namespace {
            Some(namespace) if namespaces.len() > 1 => format!("{}_{}", namespace.lower(), manifest.file),
            _ => manifest.file.clone(),
        };
        let path = shell::join(dir, &name);
        write(files, &path, &path, &manifest.yaml)?;
    }
    Ok(())
}

/// What a kustomization builds.
async fn manifests(cmd: &Cmd, path: &str, options: Options) -> Result<Vec<Manifest>, Error> {
    let run = cmd.kustomize.get().await.map_err(|why| {
        Error::plain(format!(
            "kustomize could not be loaded ({why}), and nothing else builds kustomizations"
        ))
    })?;
    let request = Request {
        options,
        cwd: cmd.cx.cwd.clone(),
        path: path.to_owned(),
        files: cmd.cx.files.clone(),
    };
    let Some(response) = run.run(request) else {
        return Err(Error::plain(
            "kustomize was ended: this takes more memory than the simulation has for it",
        ));
    };
    for warning in response.warnings {
        cmd.err(warning);
    }
    response.outcome.map_err(Error::plain)
}

/// The objects that the kustomization of `-k` builds.
///
/// # Errors
/// kustomize's sentence.
pub async fn read(cmd: &Cmd) -> Result<Docs, Error> {
    let path = cmd.flags.str("kustomize");
    // get and describe gather failures, and print what they gathered as it is.
    let gathered = matches!(cmd.verb.name, "get" | "describe");
    let built = manifests(cmd, path, Options::default())
        .await
        .map_err(|e| match gathered {
            true => Error::Many(vec![e]),
            false => e,
        })?;
    let one = |m: Manifest| {
        yaml::decode(&m.yaml)
            .map(|value| Doc {
                source: path.to_owned(),
                value,
            })
            .map_err(|e| Error::plain(e.to_string()))
    };
    Ok(Docs {
        list: built.into_iter().map(one).collect::<Result<_, _>>()?,
        errors: Vec::new(),
        single: true,
    })
}

/// The first ten digits of a content's hash, with letters that make no words.
pub fn short_hash(content: &Value) -> String {
    let hex = sha256::hex(gojson::compact(content, true).as_bytes());
    let change = |c| match c {
        '0' => 'g',
        '1' => 'h',
        '3' => 'k',
        'a' => 'm',
        'e' => 't',
        other => other,
    };
    hex.chars().take(10).map(change).collect()
}
