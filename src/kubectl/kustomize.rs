//! `kubectl kustomize` and `-k`: not simulated yet.

use super::command::Cmd;
use super::error::Error;
use super::files::Docs;

pub const MISSING: &str = "kustomizations are not simulated yet; write the manifests out and use -f";

/// The objects that a kustomization builds.
///
/// # Errors
/// Always, for now: a plain sentence.
pub async fn read(_cmd: &Cmd) -> Result<Docs, Error> {
    Err(Error::plain(MISSING))
}
