//! Kustomize itself: files in, manifests out. `target` puts a build together, `kustomization` reads its file, `transform`
//! changes resources. Knows nothing of kubectl but Go's words for regular expressions: it is a module of its own in a
//! browser.

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

use super::message::{Request, Response};

/// Builds what a request asks for.
pub fn build(request: &Request) -> Response {
    let mut warnings = Vec::new();
    let built = target::build(
        &request.files,
        &request.cwd,
        &request.path,
        request.options,
        &mut warnings,
    );
    Response {
        warnings,
        outcome: built.map(|map| map.manifests()).map_err(|e| e.to_string()),
    }
}
