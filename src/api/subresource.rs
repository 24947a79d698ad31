//! Subresources other than `/status`: scale, binding, eviction, logs, exec and their kin.

use std::rc::Rc;

use super::object::Object;
use super::request::{Request, Response};
use super::server::{ApiServer, Target};
use super::status::Status;
use crate::sim::Signal;

/// A stream of bytes from a container: what was written so far, and a signal for more.
#[derive(Clone, Default)]
pub struct ByteStream(pub Rc<std::cell::RefCell<StreamState>>, pub Signal);

/// What a [`ByteStream`] holds.
#[derive(Default)]
pub struct StreamState {
    pub bytes: Vec<u8>,
    pub closed: bool,
}

/// What `kubectl logs` asks.
#[derive(Clone, Debug, Default)]
pub struct LogOptions {
    pub container: String,
    pub follow: bool,
    pub previous: bool,
    pub timestamps: bool,
    pub tail_lines: Option<usize>,
    pub since_seconds: Option<i64>,
    pub limit_bytes: Option<usize>,
}

/// How the API server reaches the kubelets of its nodes.
pub trait NodeConnections {
    /// A container's log, and with `follow` what it writes from now on.
    ///
    /// # Errors
    /// 400 as the kubelet answers for containers that have no log.
    fn logs(&self, pod: &Object, options: &LogOptions) -> Result<ByteStream, Status>;
}

/// Serves a request to a subresource.
///
/// # Errors
/// The failure that the subresource answers.
pub fn serve(_api: &ApiServer, _request: &mut Request, _target: &Target) -> Result<Response, Status> {
    Err(Status::no_such_path())
}
