//! The watch of one object that `wait`, `rollout status` and deletions keep, as client-go's informers do: it begins
//! with the object as it is, and where the server ends it, it goes on from what was seen last.

use std::time::Duration;

use super::builder::Info;
use super::command::{Cmd, scope};
use super::error::Error;
use crate::api::{Payload, Request, Watch, WatchEvent};

/// The shortest time after which the server is asked to end a watch; the longest is twice that (`minWatchTimeout`).
const AT_LEAST: Duration = Duration::from_secs(300);

/// A watch of one object.
pub struct Following<'a> {
    cmd: &'a Cmd,
    path: String,
    fields: String,
    watch: Watch,
    /// What was seen last; empty before anything was.
    revision: String,
}

impl<'a> Following<'a> {
    /// Begins with the object as it is.
    ///
    /// # Errors
    /// The API server's failure.
    pub async fn begin(cmd: &'a Cmd, info: &Info) -> Result<Following<'a>, Error> {
        let path = info.resource.path(scope(&info.resource, &info.namespace));
        let fields = format!("metadata.name={}", info.name);
        Ok(Following {
            watch: open(cmd, &path, &fields, "").await?,
            revision: String::new(),
            cmd,
            path,
            fields,
        })
    }

    /// Whether something is known that was not taken yet: right after the beginning, whether the object is there.
    pub fn knows_more(&self) -> bool {
        self.watch.pending() > 0
    }

    /// What happens next to the object.
    ///
    /// # Errors
    /// The API server's failure.
    pub async fn next(&mut self) -> Result<WatchEvent, Error> {
        loop {
            match self.watch.next().await {
                Some(WatchEvent::Error(status)) => return Err(Error::Status(status)),
                Some(event) => {
                    if let Some(object) = event.object() {
                        self.revision = object.revision().to_string();
                    }
                    if !matches!(event, WatchEvent::Bookmark(_)) {
                        return Ok(event);
                    }
                }
                None => self.watch = open(self.cmd, &self.path, &self.fields, &self.revision).await?,
            }
        }
    }
}

async fn open(cmd: &Cmd, path: &str, fields: &str, revision: &str) -> Result<Watch, Error> {
    // Of another random sequence than the cluster's, as what a log shows of a request.
    let spread = fastrand::Rng::with_seed(cmd.sim().now().0).u64(..AT_LEAST.as_secs());
    let initial = |value: &'static str| if revision.is_empty() { value } else { "" };
    let request = Request::get(path)
        .with("allowWatchBookmarks", "true")
        .with("fieldSelector", fields)
        .with("resourceVersion", revision)
        .with("resourceVersionMatch", initial("NotOlderThan"))
        .with("sendInitialEvents", initial("true"))
        .with("timeoutSeconds", (AT_LEAST.as_secs() + spread).to_string())
        .with("watch", "true");
    match cmd.send(request).await?.payload {
        Payload::Watch(watch) => Ok(*watch),
        _ => Err(Error::plain("the API server did not answer with a watch")),
    }
}
