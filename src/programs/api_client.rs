//! How a program in a container asks the API server: over the network, as the service account of its pod. Requests
//! travel and are authorized as those of `curl` in a container.

use std::rc::Rc;
use std::time::Duration;

use super::Sandbox;
use crate::net::http::{HttpRequest, HttpResponse, Tls, Url};
use crate::shell::{Context, Files};
use crate::value::Value;

/// Where a pod's service account is mounted.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// After a failed list or watch, until it is tried anew: client-go begins with 0.8 s and doubles up to 30.
const FIRST_RETRY: Duration = Duration::from_millis(800);
const LAST_RETRY: Duration = Duration::from_secs(30);

/// The API server, as a container sees it.
#[derive(Clone)]
pub(super) struct ApiClient {
    sandbox: Rc<Sandbox>,
    files: Files,
    host: String,
}

/// Why a request brought nothing: its code, 0 where there was no answer, and what a client in Go says of it.
pub(super) struct Failure {
    pub(super) code: i64,
    pub(super) message: String,
}

/// What has happened to the objects of a list.
pub(super) enum Change {
    /// All that there are, in a list: what came before is forgotten.
    All(Vec<Value>),
    /// One that is new or another one now.
    Put(Value),
    Gone(Value),
}

impl ApiClient {
    /// The client that the container's environment describes; `None` outside a cluster.
    pub(super) fn of(context: &Context, sandbox: &Rc<Sandbox>) -> Option<ApiClient> {
        let variable = |name: &str| context.env.get(name).map(ToString::to_string);
        let (host, port) = (
            variable("KUBERNETES_SERVICE_HOST")?,
            variable("KUBERNETES_SERVICE_PORT")?,
        );
        Some(ApiClient {
            sandbox: sandbox.clone(),
            files: context.files.clone(),
            host: format!("https://{host}:{port}"),
        })
    }

    /// The server's address: `https://10.96.0.1:443`.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    async fn ask(&self, method: &str, path: &str, media: &str, body: Vec<u8>) -> Result<HttpResponse, Failure> {
        let unreachable = |message: String| Failure { code: 0, message };
        let read = |name: &str| {
            let bytes = self.files.read(&format!("{ACCOUNT}/{name}"));
            bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        let url = Url::parse(&format!("{}{path}", self.host)).map_err(unreachable)?;
        let mut request = HttpRequest {
            method: method.into(),
            body,
            tls: Some(Tls {
                authorities: read("ca.crt").unwrap_or_default(),
                ..Tls::default()
            }),
            ..HttpRequest::default()
        };
        request.headers.push(("Accept".into(), "application/json".into()));
        if let Ok(token) = read("token") {
            request
                .headers
                .push(("Authorization".into(), format!("Bearer {token}")));
        }
        if !request.body.is_empty() {
            request.headers.push(("Content-Type".into(), media.into()));
        }
        let network = &self.sandbox.network;
        let answer = network.http(&self.sandbox.origin, &url, request).await;
        answer.map_err(|why| {
            let why = why.of_go(self.host.trim_start_matches("https://"));
            unreachable(format!("Get \"{}\": {why}", url.text()))
        })
    }

    /// A request with a body of this media type, and the object that is answered.
    ///
    /// # Errors
    /// No answer, or a `Status` of failure.
    pub(super) async fn send(&self, method: &str, path: &str, media: &str, body: &Value) -> Result<Value, Failure> {
        let body = match body {
            Value::Null => Vec::new(),
            body => body.to_json().into_bytes(),
        };
        let answer = self.ask(method, path, media, body).await?;
        let code = i64::from(answer.status);
        let told = |message: String| Failure { code, message };
        let whole = answer.whole().await.map_err(|e| told(e.to_string()))?;
        let value = Value::from_json(&whole.text()).map_err(|e| told(e.to_string()))?;
        match code {
            200..300 => Ok(value),
            _ => Err(told(value.str_at(&["message"]).to_owned())),
        }
    }

    /// A `GET`, as [`ApiClient::send`].
    ///
    /// # Errors
    /// As there.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.send("GET", path, "", &Value::Null).await
    }

    /// Lists the objects at a path and watches them for ever. `fail` is told what goes wrong, and that is tried anew.
    pub(super) async fn follow(&self, path: &str, mut change: impl FnMut(Change), mut fail: impl FnMut(Failure)) {
        let mut wait = FIRST_RETRY;
        loop {
            if let Err(why) = self.follow_once(path, &mut change, &mut wait).await {
                fail(why);
                self.sandbox.sim.sleep(wait).await;
                wait = (wait * 2).min(LAST_RETRY);
            }
        }
    }

    /// Until a watch is too old, or fails.
    async fn follow_once(
        &self,
        path: &str,
        change: &mut impl FnMut(Change),
        wait: &mut Duration,
    ) -> Result<(), Failure> {
        let list = self.get(path).await?;
        *wait = FIRST_RETRY;
        let mut revision = list.str_at(&["metadata", "resourceVersion"]).to_owned();
        change(Change::All(list.get("items").items().to_vec()));
        loop {
            let watch = format!("{path}?watch=true&allowWatchBookmarks=true&resourceVersion={revision}");
            let answer = self.ask("GET", &watch, "", Vec::new()).await?;
            if answer.status != 200 {
                let code = i64::from(answer.status);
                let message = answer.whole().await.map(|a| a.text()).unwrap_or_default();
                return Err(Failure { code, message });
            }
            let mut rest = answer.body;
            loop {
                while let Some(end) = rest.iter().position(|b| *b == b'\n') {
                    let line: Vec<u8> = rest.drain(..=end).collect();
                    let Ok(event) = Value::from_json(&String::from_utf8_lossy(&line)) else {
                        continue;
                    };
                    let object = event.get("object").clone();
                    let kind = event.str_at(&["type"]);
                    if kind == "ERROR" {
                        // Mostly 410: what was missed is listed.
                        return Ok(());
                    }
                    object
                        .str_at(&["metadata", "resourceVersion"])
                        .clone_into(&mut revision);
                    match kind {
                        "ADDED" | "MODIFIED" => change(Change::Put(object)),
                        "DELETED" => change(Change::Gone(object)),
                        _ => {}
                    }
                }
                match answer.more.read().await {
                    Some(piece) => rest.extend(piece),
                    None => break,
                }
            }
        }
    }
}
