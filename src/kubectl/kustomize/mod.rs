//! `kubectl kustomize` and `-k`: kustomize v5.8, as kubectl 1.36 has it built in. One file per step:
//! `target` puts a build together, `kustomization` reads its file, `transform` changes resources.

mod config;
mod error;
mod fieldspec;
mod generator;
mod json6902;
mod kustomization;
mod loader;
mod merge;
mod nameref;
mod nodes;
mod path;
mod replacement;
mod resid;
mod resource;
mod target;
#[cfg(test)]
mod tests;
mod transform;
mod vars;

pub use generator::short_hash;
pub use transform::regexp_error;

use super::command::{Cmd, VERB, Verb};
use super::error::Error;
use super::files::{Doc, Docs};
use super::flags::{Flag, Kind, flag};
use crate::flat::Case;
use crate::shell::{self, Files};
use crate::value::yaml;
use target::Options;

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
    let built = build(cmd, path, options)?;
    let output = cmd.flags.str("output");
    if output.is_empty() {
        cmd.out(built.to_yaml());
        return Ok(());
    }
    let place = cmd.cx.path(output);
    let files = &cmd.cx.files;
    if files.is_dir(&place) {
        write_each(files, &place, &built)
    } else {
        write(files, &place, output, &built.to_yaml())
    }
}

fn write(files: &Files, path: &str, shown: &str, text: &str) -> Result<(), Error> {
    files
        .write(path, text.as_bytes().to_vec())
        .map_err(|e| Error::plain(e.opening(shown)))
}

/// One file per resource; with several namespaces their names come first.
fn write_each(files: &Files, dir: &str, built: &resource::ResMap) -> Result<(), Error> {
    let mut namespaces: Vec<String> = Vec::new();
    for r in &built.list {
        let id = r.id();
        if !id.gvk.is_cluster_scoped() && !namespaces.contains(&id.effective_namespace().to_owned()) {
            namespaces.push(id.effective_namespace().to_owned());
        }
    }
    for r in &built.list {
        let id = r.id();
        let mut name = format!("{}_{}.yaml", id.gvk.file_name(), id.name.lower());
        if namespaces.len() > 1 && !id.gvk.is_cluster_scoped() {
            name = format!("{}_{name}", id.effective_namespace().lower());
        }
        let path = shell::join(dir, &name);
        write(files, &path, &path, &yaml::to_yaml(&r.value))?;
    }
    Ok(())
}

fn build(cmd: &Cmd, path: &str, options: Options) -> Result<resource::ResMap, Error> {
    let mut warnings = Vec::new();
    let built = target::build(&cmd.cx.files, &cmd.cx.cwd, path, options, &mut warnings);
    for warning in warnings {
        cmd.err(warning);
    }
    built.map_err(|e| Error::plain(e.to_string()))
}

/// The objects that the kustomization of `-k` builds.
///
/// # Errors
/// kustomize's sentence.
pub fn read(cmd: &Cmd) -> Result<Docs, Error> {
    let path = cmd.flags.str("kustomize");
    // get and describe gather failures, and print what they gathered as it is.
    let gathered = matches!(cmd.verb.name, "get" | "describe");
    let built = build(cmd, path, Options::default()).map_err(|e| match gathered {
        true => Error::Many(vec![e]),
        false => e,
    })?;
    let one = |r: resource::Resource| Doc {
        source: path.to_owned(),
        value: r.value,
    };
    Ok(Docs {
        list: built.list.into_iter().map(one).collect(),
        errors: Vec::new(),
        single: true,
    })
}
