//! Discovery, `/version`, health and the other paths outside the resources.

use super::request::{Request, Response};
use super::server::ApiServer;
use super::status::Status;

/// Serves a path that names no resource.
///
/// # Errors
/// 404 for a path that is not served.
pub fn serve(_api: &ApiServer, _request: &Request) -> Result<Response, Status> {
    Err(Status::no_such_path())
}
