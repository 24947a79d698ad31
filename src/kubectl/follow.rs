//! The watch of one object that `wait`, `rollout status` and deletions keep, as client-go's informers do: it begins
//! with the object as it is, and where the server ends it, it goes on from what was seen last.

use std::time::Duration;

use super::builder::Info;
use super::command::{Cmd, scope};
use super::error::Error;
use crate::api::{Object, Request, Watch, WatchEvent};

/// The shortest time after which the server is asked to end a watch; the longest is twice that (`minWatchTimeout`).
const AT_LEAST: Duration = Duration::from_secs(300);

/// A watch of one object.
pub struct Following<'a> {
    cmd: &'a Cmd,
    path: String,
    fields: String,
    watch: Watch,
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
            cmd,
            path,
            fields,
        })
    }

    /// Whether something is known that was not taken yet: right after the beginning, whether the object is there.
    pub fn knows_more(&self) -> bool {
        self.watch.pending() > 0
    }

    /// The object as it is after what happens next to it; `None` when it was deleted.
    ///
    /// # Errors
    /// The API server's failure.
    pub async fn next(&mut self) -> Result<Option<Object>, Error> {
        loop {
            match self.watch.next().await {
                Some(WatchEvent::Added(object) | WatchEvent::Modified(object)) => return Ok(Some(object)),
                Some(WatchEvent::Deleted(_)) => return Ok(None),
                // Bookmarks say from where the next watch goes on.
                Some(WatchEvent::Bookmark(_)) => {}
                // What the server no longer remembers is begun anew.
                Some(WatchEvent::Error(status)) if status.code() == 410 => self.open("").await?,
                Some(WatchEvent::Error(status)) => return Err(Error::Status(status)),
                None => {
                    let seen = self.watch.revision().to_string();
                    match self.open(&seen).await {
                        Err(e) if e.code() == 410 => self.open("").await?,
                        opened => opened?,
                    }
                }
            }
        }
    }

    async fn open(&mut self, revision: &str) -> Result<(), Error> {
        self.watch = open(self.cmd, &self.path, &self.fields, revision).await?;
        Ok(())
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
        .with("timeoutSeconds", (AT_LEAST.as_secs() + spread).to_string());
    cmd.watch(request).await
}
