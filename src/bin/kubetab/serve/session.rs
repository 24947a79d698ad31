//! A program in a container joined to a client's streams, whatever carries them.

use std::rc::Rc;
use std::time::Duration;

use futures::future::{Either, join, select};
use kubetab::api::{ByteStream, Session, Status};
use kubetab::value::Value;
use kubetab::{list, obj};
use tokio::sync::mpsc;

use super::clock::Clock;

/// What a client sends.
pub enum FromClient {
    Stdin(Vec<u8>),
    CloseStdin,
    /// Columns and rows of its terminal.
    Resize(u16, u16),
}

/// What a client gets.
pub enum ToClient {
    Stdout(Vec<u8>),
    Stderr(Vec<u8>),
    /// How the program ended, as a `Status`: the last.
    End(Value),
}

/// `{"Width":80,"Height":24}`, as clients tell the size of their terminal.
pub fn resize(bytes: &[u8]) -> Option<FromClient> {
    let value = Value::from_json(std::str::from_utf8(bytes).ok()?.trim()).ok()?;
    let side = |name: &str| value.i64_at(&[name]).and_then(|n| u16::try_from(n).ok());
    Some(FromClient::Resize(side("Width")?, side("Height")?))
}

/// What the error channel says of a program's end, as the kubelet does.
pub fn end(result: Result<i32, Status>, command: &[String]) -> Value {
    match result {
        Ok(0) => obj! { "metadata": obj! {}, "status": "Success" },
        Ok(code) => {
            let why = format!("error executing command [{}], exit code {code}", command.join(" "));
            obj! {
                "details": obj! { "causes": list![obj! { "message": code.to_string(), "reason": "ExitCode" }] },
                "message": format!("command terminated with non-zero exit code: {why}"),
                "metadata": obj! {},
                "reason": "NonZeroExitCode",
                "status": "Failure",
            }
        }
        Err(status) => {
            let mut value = status.to_value();
            for field in ["apiVersion", "kind"] {
                value.remove(&[field]);
            }
            value
        }
    }
}

/// Writes all bytes, waiting while the reader has too many of them. Returns whether it took them.
pub async fn feed(clock: &Clock, stream: &ByteStream, bytes: &[u8]) -> bool {
    for chunk in bytes.chunks(64 << 10) {
        while !stream.write(chunk) {
            if stream.is_closed() {
                return false;
            }
            clock.run(clock.sim().sleep(Duration::from_millis(5))).await;
        }
        clock.kick();
    }
    true
}

/// Carries bytes both ways until the program ends or the client goes.
pub async fn join_client(
    clock: Rc<Clock>,
    session: Session,
    command: Vec<String>,
    mut from: mpsc::Receiver<FromClient>,
    to: mpsc::Sender<ToClient>,
) {
    let waiter = clock.stream();
    let output = |stream: ByteStream, wrap: fn(Vec<u8>) -> ToClient| {
        let (to, clock, waiter) = (&to, &clock, &waiter);
        async move {
            while let Some(bytes) = clock.run(stream.read()).await {
                waiter.gave();
                if to.send(wrap(bytes)).await.is_err() {
                    return;
                }
            }
        }
    };
    let outputs = join(
        output(session.stdout.clone(), ToClient::Stdout),
        output(session.stderr.clone(), ToClient::Stderr),
    );
    let program = std::pin::pin!(async {
        outputs.await;
        clock.run(session.exit()).await
    });
    let client = std::pin::pin!(async {
        while let Some(message) = from.recv().await {
            match message {
                FromClient::Stdin(bytes) => {
                    feed(&clock, &session.stdin, &bytes).await;
                }
                FromClient::CloseStdin => session.stdin.close(),
                FromClient::Resize(columns, rows) => session.size.set(Some((columns, rows))),
            }
            clock.kick();
        }
    });
    match select(program, client).await {
        Either::Left((result, _)) => {
            let _ = to.send(ToClient::End(end(result, &command))).await;
        }
        // The client has gone.
        Either::Right(_) => {
            session.hang_up();
            clock.kick();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_and_sizes() {
        assert_eq!(end(Ok(0), &[]).to_json(), r#"{"metadata":{},"status":"Success"}"#);
        let failed = end(Ok(3), &["sh".into(), "-c".into(), "exit 3".into()]);
        assert_eq!(
            failed.str_at(&["message"]),
            "command terminated with non-zero exit code: error executing command [sh -c exit 3], exit code 3"
        );
        assert_eq!(failed.at(&["details", "causes"]).items()[0].str_at(&["message"]), "3");
        assert_eq!(end(Err(Status::internal("x")), &[]).i64_at(&["code"]), Some(500));
        assert!(matches!(
            resize(b"{\"Width\":80,\"Height\":24}\n"),
            Some(FromClient::Resize(80, 24))
        ));
        assert!(resize(b"{}").is_none() && resize(b"\xff").is_none());
    }
}
