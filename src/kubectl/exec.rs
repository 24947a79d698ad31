//! `kubectl exec`, and the session with a program in a container.

use std::time::Duration;

use futures::future::{Either, select};

use super::attach::STREAMS;
use super::command::{Cmd, VERB, Verb};
use super::error::Error;
use super::options::FILENAME;
use super::podpick;
use crate::api::client::item;
use crate::api::subresource::Session;
use crate::api::{Payload, Request, Status};
use crate::value::Value;

pub static EXEC: Verb = Verb {
    name: "exec",
    group: "Troubleshooting and Debugging Commands:",
    short: "Execute a command in a container",
    flags: &[STREAMS, FILENAME],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

async fn run(cmd: &Cmd) -> Result<(), Error> {
    let before = cmd.dash.unwrap_or(cmd.args.len());
    let from_file = cmd.flags.has("filename");
    if (cmd.arg(0).is_empty() || before == 0) && !from_file {
        return Err(Error::plain("pod, type/name or --filename must be specified"));
    }
    cmd.flags.pod_running_timeout().map_err(Error::usage)?;
    // What else stands before the dash is passed over.
    if cmd.dash.is_none() && cmd.args.len() > 1 {
        return Err(Error::usage(
            "exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead",
        ));
    }
    let command = cmd.args.get(before..).unwrap_or_default();
    if command.is_empty() {
        return Err(Error::plain("you must specify at least one command for the container"));
    }
    if from_file && before > 0 {
        return Err(Error::plain(
            "resource/name arguments cannot be provided when a path is specified",
        ));
    }
    let pod = if from_file {
        let select = super::builder::Select {
            files: true,
            ..super::builder::Select::default()
        };
        let found = super::builder::find(cmd, &select, true).await?;
        Error::all(found.errors)?;
        if found.infos.len() > 1 {
            return Err(Error::plain("cannot exec into multiple objects at a time"));
        }
        let info = found.infos.into_iter().next();
        info.map(|i| i.object).ok_or_else(|| Error::plain("no pod was found"))?
    } else {
        let info = podpick::object(cmd, cmd.args.get(..1).unwrap_or_default()).await?;
        podpick::pod(cmd, info).await?
    };
    completed(&pod, "exec into")?;
    let container = podpick::container(cmd, &pod, cmd.flags.str("container"), cmd.flags.bool("quiet"))?;
    let session = open(cmd, &pod, &container, Some(command)).await?;
    let code = talk(cmd, &session).await.map_err(|s| Error::plain(s.message()))?;
    if code != 0 {
        cmd.err(format!("command terminated with exit code {code}"));
        return Err(Error::Exit(code));
    }
    Ok(())
}

/// A pod whose containers have all ended takes no session.
///
/// # Errors
/// The sentence of kubectl.
pub fn completed(pod: &Value, what: &str) -> Result<(), Error> {
    let phase = pod.str_at(&["status", "phase"]);
    if matches!(phase, "Succeeded" | "Failed") {
        return Err(Error::plain(format!(
            "cannot {what} a container in a completed pod; current phase is {phase}"
        )));
    }
    Ok(())
}

/// What a session carries.
#[derive(Clone, Copy, Debug)]
pub struct Streams {
    pub stdin: bool,
    pub tty: bool,
}

/// Connects to a program in a container: a new one, or (without a command) the container's own;
/// as the flags `--stdin` and `--tty` say.
///
/// # Errors
/// Why there is no connection.
pub async fn open(cmd: &Cmd, pod: &Value, container: &str, command: Option<&[String]>) -> Result<Session, Error> {
    let tty = cmd.flags.bool("tty");
    if tty && !cmd.cx.stdin.is_terminal() {
        cmd.err("Unable to use a TTY - input is not a terminal or the right kind of file");
    }
    let streams = Streams {
        stdin: cmd.flags.bool("stdin"),
        tty: tty && cmd.cx.stdin.is_terminal(),
    };
    connect(cmd, pod, container, command, streams).await
}

/// Connects as [`open`] does, with these streams.
///
/// # Errors
/// Why there is no connection.
pub async fn connect(
    cmd: &Cmd,
    pod: &Value,
    container: &str,
    command: Option<&[String]>,
    streams: Streams,
) -> Result<Session, Error> {
    let pods = cmd.client.resource("", "v1", "pods")?;
    let path = item(
        &pods,
        pod.str_at(&["metadata", "namespace"]),
        pod.str_at(&["metadata", "name"]),
    );
    let verb = if command.is_some() { "exec" } else { "attach" };
    let flag = |on: bool| if on { "true" } else { "" };
    let mut request = Request::get(format!("{path}/{verb}"))
        .with("container", container)
        .with("stdin", flag(streams.stdin))
        .with("stdout", "true")
        .with("stderr", flag(!streams.tty))
        .with("tty", flag(streams.tty));
    for word in command.unwrap_or_default() {
        request.query.push(("command".into(), word.clone()));
    }
    match cmd.connect(request).await {
        Ok(response) => match response.payload {
            Payload::Session(session) => Ok(session),
            _ => Err(Error::plain(
                "unable to upgrade connection: the server did not answer with a session",
            )),
        },
        Err(Error::Status(s)) if s.reason() == "InternalError" => Err(Error::plain(s.message())),
        Err(e) => Err(Error::plain(format!("unable to upgrade connection: {}", e.message()))),
    }
}

/// Says that the client has gone when the command is ended from outside.
struct HangUp<'a>(&'a Session);

impl Drop for HangUp<'_> {
    fn drop(&mut self) {
        self.0.hang_up();
    }
}

/// Joins the session to this command's input and outputs until the program ends: its exit code.
///
/// # Errors
/// When the program could not be run.
pub async fn talk(cmd: &Cmd, session: &Session) -> Result<i32, Status> {
    let _guard = HangUp(session);
    if let Some(size) = cmd.cx.stdout.terminal_size() {
        session.size.set(Some((size.columns, size.rows)));
    }
    let input = async {
        if !cmd.flags.bool("stdin") {
            session.stdin.close();
            return;
        }
        loop {
            let bytes = cmd.cx.stdin.read(4096).await;
            if bytes.is_empty() {
                session.stdin.close();
                return;
            }
            while !session.stdin.write(&bytes) {
                if session.stdin.is_closed() {
                    return;
                }
                // The program has not read what it was given: wait for it.
                cmd.sim().sleep(Duration::from_millis(10)).await;
            }
        }
    };
    let output = async {
        while let Some(pieces) = session.printed().await {
            for (to_stderr, bytes) in pieces {
                let output = if to_stderr { &cmd.cx.stderr } else { &cmd.cx.stdout };
                output.write(bytes);
            }
        }
        session.exit().await
    };
    let (input, output) = (std::pin::pin!(input), std::pin::pin!(output));
    match select(output, input).await {
        Either::Left((code, _)) => code,
        Either::Right(((), output)) => output.await,
    }
}
