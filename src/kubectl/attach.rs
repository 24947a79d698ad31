//! `kubectl attach`, and the attached runs of `kubectl run`.

use super::command::Cmd;
use super::error::Error;
use crate::value::Value;

/// Waits until the pod's container runs, and shows what it prints.
///
/// # Errors
/// A plain sentence: attaching is not simulated yet.
pub async fn wait_and_attach(_cmd: &Cmd, _pod: &Value) -> Result<(), Error> {
    Err(Error::plain(
        "attaching to a container is not simulated yet; use kubectl logs",
    ))
}
