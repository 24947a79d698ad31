//! WebSockets: the channels of `v4.channel.k8s.io` and `v5.channel.k8s.io`, port-forward's channels,
//! and the tunnel in which SPDY travels.

use futures::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use kubetab::value::base64;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

use super::session::{FromClient, ToClient, resize};

pub type Socket = WebSocketStream<TokioIo<Upgraded>>;

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const RESIZE: u8 = 4;
/// Of v5: the channel that the next byte names is closed.
const CLOSE: u8 = 255;

/// The subprotocols of exec and attach, the best first.
const CHANNELS: [&str; 6] = [
    "v5.channel.k8s.io",
    "v4.channel.k8s.io",
    "v4.base64.channel.k8s.io",
    "channel.k8s.io",
    "base64.channel.k8s.io",
    "",
];

/// The subprotocol of exec or attach that is spoken, of those that a client offers in this order.
pub fn channels(offered: &[&str]) -> Option<&'static str> {
    if offered.is_empty() {
        return Some("");
    }
    offered.iter().find_map(|o| CHANNELS.iter().copied().find(|c| c == o))
}

/// A socket on an upgraded connection.
pub async fn accept(upgraded: Upgraded) -> Socket {
    WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await
}

fn goodbye() -> Message {
    Message::Close(Some(CloseFrame {
        code: CloseCode::Normal,
        reason: "".into(),
    }))
}

/// How bytes of a channel become a message.
fn wrap(protocol: &str, channel: u8, bytes: &[u8]) -> Message {
    if protocol.contains("base64") {
        let text = format!("{}{}", char::from(b'0' + channel), base64::encode(bytes));
        return Message::text(text);
    }
    let mut message = Vec::with_capacity(bytes.len() + 1);
    message.push(channel);
    message.extend_from_slice(bytes);
    Message::binary(message)
}

/// A message's channel and bytes.
fn unwrap(protocol: &str, message: &Message) -> Option<(u8, Vec<u8>)> {
    match message {
        Message::Binary(bytes) => bytes.split_first().map(|(channel, rest)| (*channel, rest.to_vec())),
        Message::Text(text) => {
            let (channel, rest) = text.as_bytes().split_first()?;
            let channel = if *channel < b'0' { *channel } else { channel - b'0' };
            if protocol.contains("base64") {
                let rest = std::str::from_utf8(rest).ok()?;
                return Some((channel, base64::decode(rest)?));
            }
            Some((channel, rest.to_vec()))
        }
        _ => None,
    }
}

/// Carries a session's messages over a socket.
pub async fn serve_session(
    mut socket: Socket,
    protocol: &'static str,
    from: mpsc::Sender<FromClient>,
    mut to: mpsc::Receiver<ToClient>,
) {
    // Tells the client that the streams are there (the kubelet does so on the lowest one).
    if socket.send(wrap(protocol, STDOUT, b"")).await.is_err() {
        return;
    }
    let (mut sink, mut stream) = socket.split();
    let outgoing = async {
        while let Some(message) = to.recv().await {
            let (channel, bytes, last) = match message {
                ToClient::Stdout(bytes) => (STDOUT, bytes, false),
                ToClient::Stderr(bytes) => (STDERR, bytes, false),
                ToClient::End(status) => (ERROR, status.to_json().into_bytes(), true),
            };
            if sink.send(wrap(protocol, channel, &bytes)).await.is_err() || last {
                break;
            }
        }
        sink
    };
    let incoming = async {
        while let Some(Ok(message)) = stream.next().await {
            if message.is_close() {
                break;
            }
            let Some((channel, bytes)) = unwrap(protocol, &message) else {
                continue;
            };
            let message = match channel {
                STDIN => FromClient::Stdin(bytes),
                RESIZE => match resize(&bytes) {
                    Some(resize) => resize,
                    None => continue,
                },
                CLOSE if bytes.first() == Some(&STDIN) => FromClient::CloseStdin,
                _ => continue,
            };
            if from.send(message).await.is_err() {
                // The program has ended; what still comes is nobody's.
                std::future::pending::<()>().await;
            }
        }
        // The session learns that its client has gone by the end of this channel.
        drop(from);
        stream
    };
    match futures::future::select(std::pin::pin!(outgoing), std::pin::pin!(incoming)).await {
        futures::future::Either::Left((mut sink, incoming)) => {
            let _ = sink.send(goodbye()).await;
            let _ = tokio::time::timeout(std::time::Duration::from_secs(2), incoming).await;
        }
        futures::future::Either::Right(_) => {}
    }
}

/// The bytes of binary messages as a stream of bytes: SPDY in a WebSocket.
pub fn tunnel(socket: Socket) -> DuplexStream {
    let (near, far) = tokio::io::duplex(256 << 10);
    tokio::task::spawn_local(async move {
        let (mut sink, mut stream) = socket.split();
        let (mut reader, mut writer) = tokio::io::split(far);
        let outgoing = async {
            let mut chunk = vec![0; 32 << 10];
            while let Ok(n) = reader.read(&mut chunk).await {
                if n == 0 || sink.send(Message::binary(chunk[..n].to_vec())).await.is_err() {
                    break;
                }
            }
            let _ = sink.send(goodbye()).await;
        };
        let incoming = async {
            while let Some(Ok(message)) = stream.next().await {
                if message.is_close() {
                    break;
                }
                if let Message::Binary(bytes) = message
                    && writer.write_all(&bytes).await.is_err()
                {
                    break;
                }
            }
            let _ = writer.shutdown().await;
        };
        futures::future::join(outgoing, incoming).await;
    });
    near
}

/// What goes to the client of a port's channels: data, or (`true`) an error.
pub type PortMessage = (usize, bool, Vec<u8>);

/// Serves `?ports=`: channel 2n has the data of port n, channel 2n + 1 its errors.
pub async fn serve_ports(
    mut socket: Socket,
    protocol: &'static str,
    ports: &[u16],
    mut outgoing: mpsc::Receiver<PortMessage>,
    senders: Vec<mpsc::Sender<Vec<u8>>>,
) {
    for (index, port) in ports.iter().enumerate() {
        for channel in [2 * index, 2 * index + 1] {
            let channel = u8::try_from(channel).unwrap_or(CLOSE);
            if socket.send(wrap(protocol, channel, &port.to_le_bytes())).await.is_err() {
                return;
            }
        }
    }
    let mut senders: Vec<Option<mpsc::Sender<Vec<u8>>>> = senders.into_iter().map(Some).collect();
    let (mut sink, mut stream) = socket.split();
    let out = async {
        while let Some((index, is_error, bytes)) = outgoing.recv().await {
            let channel = u8::try_from(2 * index + usize::from(is_error)).unwrap_or(CLOSE);
            if sink.send(wrap(protocol, channel, &bytes)).await.is_err() {
                break;
            }
        }
        sink
    };
    let incoming = async {
        while let Some(Ok(message)) = stream.next().await {
            if message.is_close() {
                break;
            }
            let Some((channel, bytes)) = unwrap(protocol, &message) else {
                continue;
            };
            if channel == CLOSE {
                let closed = bytes.first().map(|c| usize::from(*c) / 2);
                if let Some(sender) = closed.and_then(|i| senders.get_mut(i)) {
                    *sender = None;
                }
            } else if channel % 2 == 0
                && let Some(Some(sender)) = senders.get(usize::from(channel / 2))
            {
                let _ = sender.send(bytes).await;
            }
        }
        drop(senders);
    };
    if let futures::future::Either::Left((mut sink, _)) =
        futures::future::select(std::pin::pin!(out), std::pin::pin!(incoming)).await
    {
        let _ = sink.send(goodbye()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subprotocols_and_messages() {
        assert_eq!(
            channels(&["v5.channel.k8s.io", "v4.channel.k8s.io"]),
            Some("v5.channel.k8s.io")
        );
        assert_eq!(channels(&["chat", "v4.channel.k8s.io"]), Some("v4.channel.k8s.io"));
        assert_eq!(channels(&["chat"]), None);
        assert_eq!(channels(&[]), Some(""));
        for protocol in ["v4.channel.k8s.io", "base64.channel.k8s.io"] {
            let message = wrap(protocol, STDIN, b"\x00hello");
            assert_eq!(
                unwrap(protocol, &message),
                Some((STDIN, b"\x00hello".to_vec())),
                "{protocol}"
            );
        }
        assert_eq!(
            unwrap("v5.channel.k8s.io", &Message::binary(vec![CLOSE, 0])),
            Some((CLOSE, vec![0]))
        );
        assert_eq!(unwrap("", &Message::Ping(Vec::new().into())), None);
    }
}
