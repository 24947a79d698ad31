//! The hooks of a container, `postStart` and `preStop`.

use std::rc::Rc;
use std::time::Duration;

use super::super::container::Run;
use super::super::probes::{self, Answer};
use super::{Worker, formatted};
use crate::api::Object;
use crate::api::events::EventType;
use crate::api::views::{Container, Pod};
use crate::value::Value;
use crate::value::gofmt::quote;

impl Worker {
    /// Runs the hook that comes after the start. One that fails ends the container, and the pod waits with the hook's
    /// own message; the event keeps it to itself, since it may hold secrets.
    pub(super) async fn post_start(
        self: &Rc<Self>,
        pod: &Object,
        container: Container<'_>,
    ) -> Result<(), (String, String)> {
        let hook = container.value().at(&["lifecycle", "postStart"]).clone();
        let name = container.name();
        let Some(run) = self.run_of(name, false).filter(|_| !hook.is_null()) else {
            return Ok(());
        };
        let Err(message) = self.hook(name, &run, &hook).await else {
            return Ok(());
        };
        self.container_event(name, EventType::Warning, "FailedPostStartHook", "PostStartHook failed");
        let grace = Pod(pod).termination_grace_period().max(0) as u64;
        self.kill(name, Duration::from_secs(grace), "FailedPostStartHook").await;
        Err(("PostStartHookError".into(), message))
    }

    /// Runs a hook. The error says what ran, and what went wrong.
    pub(super) async fn hook(&self, name: &str, run: &Run, hook: &Value) -> Result<(), String> {
        let failed = |subject: String, why: String| {
            let of = formatted(&self.pod());
            Err(format!(
                "{subject} for Container \"{name}\" in Pod \"{of}\" failed - error: {why}"
            ))
        };
        if let Some(seconds) = hook.i64_at(&["sleep", "seconds"]) {
            let seconds = u64::try_from(seconds).unwrap_or(0);
            self.sim().sleep(Duration::from_secs(seconds)).await;
            return Ok(());
        }
        if hook.has("exec") {
            let args: Vec<String> = hook
                .at(&["exec", "command"])
                .items()
                .iter()
                .map(|a| a.str().to_owned())
                .collect();
            // What the runtime needs to start a process beside the container's own, which is up by then.
            self.sim().sleep(Duration::from_millis(40)).await;
            let line = args.join(" ");
            let (why, output) = match probes::command(run, args).await {
                Ok((_, 0)) => return Ok(()),
                Ok((text, code)) => (format!("command '{line}' exited with {code}: {text}"), text),
                Err(why) => (why, String::new()),
            };
            return failed(
                format!("Exec lifecycle hook ([{line}])"),
                format!("{why}, message: {}", quote(&output)),
            );
        }
        let socket = hook.get("tcpSocket");
        if !socket.is_null() {
            // Go's print of the handler: kubelets have none for sockets.
            let port = match socket.get("port") {
                number if number.as_i64().is_some() => format!("{{0 {} }}", number.as_i64().unwrap_or(0)),
                name => format!("{{1 0 {}}}", name.str()),
            };
            return Err(format!(
                "Cannot run handler: invalid handler: &LifecycleHandler{{Exec:nil,HTTPGet:nil,TCPSocket:&TCPSocketAction{{Port:{port},Host:{},}},Sleep:nil,}}",
                socket.get("host").str()
            ));
        }
        // Any response will do, whatever its status.
        let mut target = hook.get("httpGet").clone();
        let ask = async |target: &Value| probes::http(self, name, target, "kube-lifecycle/1.36", Duration::MAX).await;
        let mut answer = ask(&target).await;
        if let Err(Answer::Failure(why)) = &answer
            && why.ends_with("server gave HTTP response to HTTPS client")
        {
            let host = why.split('/').nth(2).unwrap_or_default().to_owned();
            target.set(&["scheme"], "HTTP");
            if let Ok(response) = ask(&target).await {
                let message =
                    format!("request to HTTPS lifecycle hook {host} got HTTP response, retry with HTTP succeeded");
                self.event(EventType::Warning, "LifecycleHTTPFallback", message);
                answer = Ok(response);
            }
        }
        match answer {
            Err(Answer::Failure(why) | Answer::Unknown(why)) => {
                failed(format!("HTTP lifecycle hook ({})", target.get("path").str()), why)
            }
            _ => Ok(()),
        }
    }
}
