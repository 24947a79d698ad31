//! Streams of bytes between clients of the API and containers: logs, `exec`, `attach`.
//!
//! The API knows no shell: the kubelet joins these to its processes, kubectl to its terminal.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::status::Status;
use crate::limits;
use crate::sim::Signal;

/// A stream of bytes: one side writes, the other reads. Clones are handles of the same stream.
#[derive(Clone, Default)]
pub struct ByteStream(Rc<State>);

#[derive(Default)]
struct State {
    bytes: RefCell<Vec<u8>>,
    closed: Cell<bool>,
    changed: Signal,
}

impl ByteStream {
    /// An open stream without bytes.
    pub fn new() -> ByteStream {
        ByteStream::default()
    }

    /// Whether both are handles of one stream.
    pub fn is(&self, other: &ByteStream) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// A stream that holds all it will ever hold.
    pub fn finished(bytes: impl Into<Vec<u8>>) -> ByteStream {
        let stream = ByteStream::new();
        *stream.0.bytes.borrow_mut() = bytes.into();
        stream.close();
        stream
    }

    /// Adds bytes. Returns whether someone may still read them: false on a closed stream and on one
    /// that holds [`limits::STREAM_BYTES`] which nobody took.
    pub fn write(&self, bytes: &[u8]) -> bool {
        if self.0.closed.get() || self.0.bytes.borrow().len() + bytes.len() > limits::STREAM_BYTES {
            return false;
        }
        self.0.bytes.borrow_mut().extend_from_slice(bytes);
        self.0.changed.notify();
        true
    }

    /// Ends the stream. What it holds can still be read.
    pub fn close(&self) {
        self.0.closed.set(true);
        self.0.changed.notify();
    }

    /// Whether nothing more comes.
    pub fn is_closed(&self) -> bool {
        self.0.closed.get()
    }

    /// Whether nothing is to be read now.
    pub fn is_empty(&self) -> bool {
        self.0.bytes.borrow().is_empty()
    }

    /// What was written and not yet read; nothing when there is nothing now.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.bytes.borrow_mut())
    }

    /// Waits for bytes and takes them; `None` at the stream's end.
    pub async fn read(&self) -> Option<Vec<u8>> {
        loop {
            let seen = self.0.changed.generation();
            let bytes = self.take();
            if !bytes.is_empty() {
                return Some(bytes);
            }
            if self.is_closed() {
                return None;
            }
            self.0.changed.after(seen).await;
        }
    }

    /// Everything until the stream's end.
    pub async fn read_all(&self) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(mut bytes) = self.read().await {
            all.append(&mut bytes);
        }
        all
    }

    /// Waits until the other side closed the stream.
    pub async fn closed(&self) {
        while !self.is_closed() {
            let seen = self.0.changed.generation();
            if self.is_closed() {
                return;
            }
            self.0.changed.after(seen).await;
        }
    }
}

impl std::fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ByteStream({} bytes)", self.0.bytes.borrow().len())
    }
}

/// A program in a container that a client is connected to (`exec`, `attach`). Clones are handles.
///
/// The client writes and closes `stdin`, reads the others until they are closed, then asks
/// [`Session::exit`]. The kubelet's side does the reverse and calls [`Session::finish`].
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// What the client sends.
    pub stdin: ByteStream,
    /// What the program prints.
    pub stdout: ByteStream,
    /// Stays empty on a terminal, whose two outputs are one.
    pub stderr: ByteStream,
    /// Which of the two outputs what is unread was written to (true: stderr), and how many bytes, as it came.
    order: Rc<RefCell<Vec<(bool, usize)>>>,
    /// Columns and rows of the client's terminal, where it has one.
    pub size: Rc<Cell<Option<(u16, u16)>>>,
    result: Rc<RefCell<Option<Result<i32, Status>>>>,
    /// Closed when the program has ended, or the client has gone.
    ended: ByteStream,
    gone: ByteStream,
}

impl Session {
    /// A session whose program has not begun.
    pub fn new() -> Session {
        Session::default()
    }

    /// Writes what the program prints, to stderr or stdout.
    pub fn print(&self, to_stderr: bool, bytes: &[u8]) {
        let mut order = self.order.borrow_mut();
        // Whoever reads the streams one by one does not ask for their order.
        if self.stdout.is_empty() && self.stderr.is_empty() {
            order.clear();
        }
        let stream = if to_stderr { &self.stderr } else { &self.stdout };
        if stream.write(bytes) {
            match order.last_mut() {
                Some((last, length)) if *last == to_stderr => *length += bytes.len(),
                _ => order.push((to_stderr, bytes.len())),
            }
        }
    }

    /// Waits for what the program prints: pieces in the order in which they were written, each with whether it went to
    /// stderr; `None` at the end of both.
    pub async fn printed(&self) -> Option<Vec<(bool, Vec<u8>)>> {
        loop {
            let seen = [&self.stdout, &self.stderr].map(|stream| (stream, stream.0.changed.generation()));
            let (mut out, mut err) = (self.stdout.take(), self.stderr.take());
            if !out.is_empty() || !err.is_empty() {
                let mut pieces = Vec::new();
                for (to_stderr, length) in self.order.take() {
                    let from = if to_stderr { &mut err } else { &mut out };
                    let rest = from.split_off(length.min(from.len()));
                    pieces.push((to_stderr, std::mem::replace(from, rest)));
                }
                pieces.extend([(false, out), (true, err)]);
                pieces.retain(|(_, bytes)| !bytes.is_empty());
                return Some(pieces);
            }
            if self.stdout.is_closed() && self.stderr.is_closed() {
                return None;
            }
            let [out, err] = seen.map(|(stream, seen)| stream.0.changed.after(seen));
            futures::future::select(std::pin::pin!(out), std::pin::pin!(err)).await;
        }
    }

    /// Says how the program ended, and ends its outputs.
    pub fn finish(&self, result: Result<i32, Status>) {
        if self.result.borrow().is_none() {
            *self.result.borrow_mut() = Some(result);
        }
        self.stdout.close();
        self.stderr.close();
        self.ended.close();
    }

    /// Waits for the program's end: its exit code.
    ///
    /// # Errors
    /// When the program could not be run or was lost.
    pub async fn exit(&self) -> Result<i32, Status> {
        self.ended.closed().await;
        self.result.borrow().clone().unwrap_or(Ok(0))
    }

    /// Says that the client has gone (Ctrl-C): the kubelet ends what it started for it.
    pub fn hang_up(&self) {
        self.stdin.close();
        self.gone.close();
    }

    /// Waits until the client has gone.
    pub async fn hung_up(&self) {
        self.gone.closed().await;
    }
}

/// The way to a pod's ports (`port-forward`). Clones are handles.
#[derive(Clone)]
pub struct Forward {
    open: Rc<dyn Fn(u16) -> Session>,
}

impl Forward {
    /// A forward whose connections `open` makes: each a session in which `stdin` holds what goes to
    /// the port and `stdout` what comes from it. One that cannot be made finishes with the reason.
    pub fn new(open: impl Fn(u16) -> Session + 'static) -> Forward {
        Forward { open: Rc::new(open) }
    }

    /// Connects to a port of the pod.
    pub fn connect(&self, port: u16) -> Session {
        (self.open)(port)
    }
}

impl std::fmt::Debug for Forward {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Forward")
    }
}
