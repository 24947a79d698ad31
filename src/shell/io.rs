//! What a command reads and writes: inputs, outputs and the pipes between them. Knows the clock only
//! through the wakers that it keeps.
//!
//! Writing never waits. A writer that may write without end awaits [`Output::ready`] now and then,
//! which waits while a pipe is full, as the kernel would make it wait. Writing to a pipe that nobody
//! reads any more ends the writing process with SIGPIPE.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::files::OpenFile;
use super::process::{Process, SIGPIPE, SIGXFSZ};
use crate::limits;

/// Bytes that a pipe holds before [`Output::ready`] waits: Linux's default.
const PIPE_FULL: usize = 64 * 1024;

/// A terminal's size in cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalSize {
    pub columns: u16,
    pub rows: u16,
}

impl Default for TerminalSize {
    fn default() -> TerminalSize {
        TerminalSize { columns: 80, rows: 24 }
    }
}

enum Sink {
    Null,
    Buffer(Rc<RefCell<Vec<u8>>>),
    Call(Box<dyn Fn(&[u8])>),
    Terminal(Box<dyn Fn(&[u8])>, Rc<Cell<TerminalSize>>),
    File(OpenFile),
    Pipe(PipeWriter),
    Closed,
}

/// Where a command writes. Clones write to the same place, in the order of the writes.
#[derive(Clone)]
pub struct Output {
    sink: Rc<Sink>,
    process: Option<Process>,
}

impl Output {
    fn new(sink: Sink) -> Output {
        Output {
            sink: Rc::new(sink),
            process: None,
        }
    }

    /// `/dev/null`.
    pub fn null() -> Output {
        Output::new(Sink::Null)
    }

    /// An output that keeps what is written, and the buffer. Clone it for stdout and stderr to get
    /// both in the order of writing. At [`limits::SHELL_OUTPUT_BYTES`] the writer is ended.
    pub fn buffer() -> (Output, Rc<RefCell<Vec<u8>>>) {
        let buffer = Rc::new(RefCell::new(Vec::new()));
        (Output::new(Sink::Buffer(buffer.clone())), buffer)
    }

    /// An output that calls `f` with each piece. `f` must not write to this output again.
    pub fn callback(f: impl Fn(&[u8]) + 'static) -> Output {
        Output::new(Sink::Call(Box::new(f)))
    }

    /// A terminal: commands that ask see its size, and may use colours and escape sequences.
    pub fn terminal(size: Rc<Cell<TerminalSize>>, f: impl Fn(&[u8]) + 'static) -> Output {
        Output::new(Sink::Terminal(Box::new(f), size))
    }

    /// An open file.
    pub fn file(file: OpenFile) -> Output {
        Output::new(Sink::File(file))
    }

    /// A closed descriptor (`>&-`): every write fails.
    pub fn closed() -> Output {
        Output::new(Sink::Closed)
    }

    /// The same place, written on behalf of `process`: a broken pipe ends that process.
    pub fn for_process(&self, process: &Process) -> Output {
        Output {
            sink: self.sink.clone(),
            process: Some(process.clone()),
        }
    }

    /// The terminal's size when this is one.
    pub fn terminal_size(&self) -> Option<TerminalSize> {
        match &*self.sink {
            Sink::Terminal(_, size) => Some(size.get()),
            _ => None,
        }
    }

    /// Whether this is a terminal.
    pub fn is_terminal(&self) -> bool {
        self.terminal_size().is_some()
    }

    /// Whether this is `/dev/null`: a tool may then skip its work (`grep` does).
    pub fn is_null(&self) -> bool {
        matches!(&*self.sink, Sink::Null)
    }

    /// Whether both are the same place.
    pub fn same_as(&self, other: &Output) -> bool {
        Rc::ptr_eq(&self.sink, &other.sink)
    }

    /// Writes bytes or text. `false` when nobody can read it any more (the process is then being
    /// ended) or a limit is reached: a loop of writes should stop.
    pub fn write(&self, bytes: impl AsRef<[u8]>) -> bool {
        let bytes = bytes.as_ref();
        if bytes.is_empty() {
            return true;
        }
        let failed = |signal: i32| {
            if let Some(process) = &self.process {
                process.signal(signal);
            }
            false
        };
        match &*self.sink {
            Sink::Null => true,
            Sink::Closed => false,
            Sink::Buffer(buffer) => {
                let mut buffer = buffer.borrow_mut();
                let room = limits::SHELL_OUTPUT_BYTES.saturating_sub(buffer.len());
                if bytes.len() > room {
                    buffer.extend_from_slice(bytes.get(..room).unwrap_or_default());
                    drop(buffer);
                    return failed(SIGXFSZ);
                }
                buffer.extend_from_slice(bytes);
                true
            }
            Sink::Call(f) | Sink::Terminal(f, _) => {
                f(bytes);
                true
            }
            Sink::File(file) => match file.write(bytes) {
                Ok(()) => true,
                Err(_) => failed(SIGXFSZ),
            },
            Sink::Pipe(writer) => match writer.0.write(bytes) {
                PipeWrite::Done => true,
                PipeWrite::Broken => failed(SIGPIPE),
                PipeWrite::Full => failed(SIGXFSZ),
            },
        }
    }

    /// Writes a line: the text and a line feed.
    pub fn line(&self, text: impl AsRef<str>) -> bool {
        let text = text.as_ref();
        let mut bytes = Vec::with_capacity(text.len() + 1);
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(b'\n');
        self.write(bytes)
    }

    /// Lets `write!(output, …)` and `writeln!(output, …)` write here.
    pub fn write_fmt(&self, args: fmt::Arguments<'_>) -> bool {
        match args.as_str() {
            Some(text) => self.write(text),
            None => self.write(args.to_string()),
        }
    }

    /// Whether a write would fail at once: the descriptor is closed.
    pub fn is_closed(&self) -> bool {
        match &*self.sink {
            Sink::Closed => true,
            Sink::Pipe(writer) => writer.0.readers.get() == 0,
            _ => false,
        }
    }

    /// Ends what its reader reads once, without closing it: Ctrl-D at a terminal.
    pub fn end_of_input(&self) {
        if let Sink::Pipe(writer) = &*self.sink {
            writer.0.ended.set(true);
            wake_all(&writer.0.readers_waiting);
        }
    }

    /// Waits while a pipe is full. Ends at once for everything else.
    pub async fn ready(&self) {
        let Sink::Pipe(writer) = &*self.sink else { return };
        poll_fn(|cx| {
            let pipe = &writer.0;
            if pipe.readers.get() == 0 || pipe.buffer.borrow().len() < PIPE_FULL {
                return Poll::Ready(());
            }
            pipe.writers_waiting.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &*self.sink {
            Sink::Null => "Output(null)",
            Sink::Buffer(_) => "Output(buffer)",
            Sink::Call(_) => "Output(callback)",
            Sink::Terminal(..) => "Output(terminal)",
            Sink::File(_) => "Output(file)",
            Sink::Pipe(_) => "Output(pipe)",
            Sink::Closed => "Output(closed)",
        })
    }
}

#[derive(Default)]
struct Pipe {
    buffer: RefCell<VecDeque<u8>>,
    readers: Cell<usize>,
    writers: Cell<usize>,
    readers_waiting: RefCell<Vec<Waker>>,
    writers_waiting: RefCell<Vec<Waker>>,
    /// Ctrl-D: the next read of the empty pipe finds an end, once.
    ended: Cell<bool>,
    /// Called when a reader begins to wait.
    on_wait: RefCell<Option<Rc<dyn Fn()>>>,
}

enum PipeWrite {
    Done,
    Broken,
    Full,
}

impl Pipe {
    /// Notes a reader that found nothing.
    fn wait(&self, waker: &Waker) {
        self.readers_waiting.borrow_mut().push(waker.clone());
        let hook = self.on_wait.borrow().clone();
        if let Some(hook) = hook {
            hook();
        }
    }

    fn write(&self, bytes: &[u8]) -> PipeWrite {
        if self.readers.get() == 0 {
            return PipeWrite::Broken;
        }
        {
            let mut buffer = self.buffer.borrow_mut();
            if buffer.len() + bytes.len() > limits::SHELL_OUTPUT_BYTES {
                return PipeWrite::Full;
            }
            buffer.extend(bytes);
        }
        wake_all(&self.readers_waiting);
        PipeWrite::Done
    }
}

fn wake_all(wakers: &RefCell<Vec<Waker>>) {
    let woken = std::mem::take(&mut *wakers.borrow_mut());
    for waker in woken {
        waker.wake();
    }
}

struct PipeWriter(Rc<Pipe>);

impl Drop for PipeWriter {
    fn drop(&mut self) {
        self.0.writers.set(self.0.writers.get().saturating_sub(1));
        wake_all(&self.0.readers_waiting);
    }
}

struct PipeReader(Rc<Pipe>);

impl Drop for PipeReader {
    fn drop(&mut self) {
        self.0.readers.set(self.0.readers.get().saturating_sub(1));
        wake_all(&self.0.writers_waiting);
    }
}

/// A pipe: what is written to the output is read from the input. The input ends when every clone of
/// the output is gone; the output breaks when every clone of the input is gone.
pub fn pipe() -> (Output, Input) {
    let (writer, input) = pipe_ends(false);
    (Output::new(Sink::Pipe(writer)), input)
}

/// The keyboard's side of a terminal: an output for the lines typed, and the input that commands
/// read, which says that it is a terminal.
pub fn keyboard() -> (Output, Input) {
    let (writer, input) = pipe_ends(true);
    (Output::new(Sink::Pipe(writer)), input)
}

fn pipe_ends(terminal: bool) -> (PipeWriter, Input) {
    let pipe = Rc::new(Pipe::default());
    pipe.readers.set(1);
    pipe.writers.set(1);
    let input = Input(Rc::new(Source::Pipe {
        reader: PipeReader(pipe.clone()),
        terminal,
    }));
    (PipeWriter(pipe), input)
}

enum Source {
    Empty,
    Text { bytes: Rc<Vec<u8>>, at: Cell<usize> },
    File(OpenFile),
    Pipe { reader: PipeReader, terminal: bool },
}

/// Where a command reads. Clones share the position, as duplicated descriptors do.
#[derive(Clone)]
pub struct Input(Rc<Source>);

impl Input {
    /// `/dev/null`: at its end at once.
    pub fn empty() -> Input {
        Input(Rc::new(Source::Empty))
    }

    /// These bytes, then the end.
    pub fn text(text: impl Into<Vec<u8>>) -> Input {
        Input(Rc::new(Source::Text {
            bytes: Rc::new(text.into()),
            at: Cell::new(0),
        }))
    }

    /// An open file, from its position on.
    pub fn file(file: OpenFile) -> Input {
        Input(Rc::new(Source::File(file)))
    }

    /// Whether somebody types it at a terminal.
    pub fn is_terminal(&self) -> bool {
        matches!(&*self.0, Source::Pipe { terminal: true, .. })
    }

    /// Calls `f` whenever a reader begins to wait, while it is being polled: `f` must not read or
    /// write here itself.
    pub fn on_wait(&self, f: impl Fn() + 'static) {
        if let Source::Pipe { reader, .. } = &*self.0 {
            *reader.0.on_wait.borrow_mut() = Some(Rc::new(f));
        }
    }

    /// Whether somebody waits to read.
    pub fn is_awaited(&self) -> bool {
        match &*self.0 {
            Source::Pipe { reader, .. } => {
                !reader.0.readers_waiting.borrow().is_empty() && reader.0.buffer.borrow().is_empty()
            }
            _ => false,
        }
    }

    /// Whether a read would end at once with nothing: `/dev/null`.
    pub fn is_null(&self) -> bool {
        matches!(&*self.0, Source::Empty)
    }

    /// The file behind this input, for tools that replace what they read.
    pub fn as_file(&self) -> Option<&OpenFile> {
        match &*self.0 {
            Source::File(file) => Some(file),
            _ => None,
        }
    }

    /// Up to `max` bytes; empty at the end. Waits until there is at least one.
    pub async fn read(&self, max: usize) -> Vec<u8> {
        match &*self.0 {
            Source::Empty => Vec::new(),
            Source::Text { bytes, at } => {
                let start = at.get().min(bytes.len());
                let end = start.saturating_add(max).min(bytes.len());
                at.set(end);
                bytes.get(start..end).unwrap_or_default().to_vec()
            }
            Source::File(file) => file.read(max),
            Source::Pipe { reader, .. } => {
                let pipe = &reader.0;
                poll_fn(|cx| {
                    let mut buffer = pipe.buffer.borrow_mut();
                    if buffer.is_empty() {
                        if pipe.writers.get() == 0 || pipe.ended.take() {
                            return Poll::Ready(Vec::new());
                        }
                        drop(buffer);
                        pipe.wait(cx.waker());
                        return Poll::Pending;
                    }
                    let n = max.min(buffer.len());
                    let bytes: Vec<u8> = buffer.drain(..n).collect();
                    drop(buffer);
                    wake_all(&pipe.writers_waiting);
                    Poll::Ready(bytes)
                })
                .await
            }
        }
    }

    /// The next line with its line feed; the last may lack one. `None` at the end. Nothing beyond
    /// the line is consumed.
    pub async fn read_line_bytes(&self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        loop {
            let (piece, ended) = self.read_until_newline().await;
            if piece.is_empty() && ended {
                return if line.is_empty() { None } else { Some(line) };
            }
            line.extend_from_slice(&piece);
            if line.last() == Some(&b'\n') || line.len() >= limits::SHELL_OUTPUT_BYTES {
                return Some(line);
            }
        }
    }

    /// What there is up to and including a line feed; waits for at least one byte. The flag says
    /// that the end was reached.
    async fn read_until_newline(&self) -> (Vec<u8>, bool) {
        match &*self.0 {
            Source::Empty => (Vec::new(), true),
            Source::Text { bytes, at } => {
                let rest = bytes.get(at.get()..).unwrap_or_default();
                let n = rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |i| i + 1);
                at.set(at.get() + n);
                (rest.get(..n).unwrap_or_default().to_vec(), n == 0)
            }
            Source::File(file) => {
                let line = file.read_line();
                let ended = line.is_empty();
                (line, ended)
            }
            Source::Pipe { reader, .. } => {
                let pipe = &reader.0;
                poll_fn(|cx| {
                    let mut buffer = pipe.buffer.borrow_mut();
                    if buffer.is_empty() {
                        if pipe.writers.get() == 0 || pipe.ended.take() {
                            return Poll::Ready((Vec::new(), true));
                        }
                        drop(buffer);
                        pipe.wait(cx.waker());
                        return Poll::Pending;
                    }
                    let n = buffer.iter().position(|b| *b == b'\n').map_or(buffer.len(), |i| i + 1);
                    let bytes: Vec<u8> = buffer.drain(..n).collect();
                    drop(buffer);
                    wake_all(&pipe.writers_waiting);
                    Poll::Ready((bytes, false))
                })
                .await
            }
        }
    }

    /// The next line as text without its line feed; `None` at the end.
    pub async fn read_line(&self) -> Option<String> {
        let mut line = self.read_line_bytes().await?;
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        Some(String::from_utf8_lossy(&line).into_owned())
    }

    /// Everything up to the end, at most [`limits::SHELL_OUTPUT_BYTES`].
    pub async fn read_all(&self) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let piece = self.read(usize::MAX).await;
            if piece.is_empty() || all.len() + piece.len() > limits::SHELL_OUTPUT_BYTES {
                return all;
            }
            all.extend_from_slice(&piece);
        }
    }

    /// Everything up to the end, as text.
    pub async fn read_text(&self) -> String {
        String::from_utf8_lossy(&self.read_all().await).into_owned()
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &*self.0 {
            Source::Empty => "Input(null)",
            Source::Text { .. } => "Input(text)",
            Source::File(_) => "Input(file)",
            Source::Pipe { terminal: true, .. } => "Input(terminal)",
            Source::Pipe { .. } => "Input(pipe)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{Sim, Time};

    #[test]
    fn pipes_carry_lines_and_end() {
        let sim = Sim::new(1, Time::default());
        let (output, input) = pipe();
        output.write("one\ntwo");
        let got = sim.run_future(
            {
                let input = input.clone();
                async move {
                    let first = input.read_line().await;
                    drop(output);
                    (first, input.read_line().await, input.read_line().await)
                }
            },
            Time::from_secs(1),
        );
        assert_eq!(got, Some((Some("one".into()), Some("two".into()), None)));
    }

    #[test]
    fn a_full_pipe_makes_the_writer_wait() {
        let sim = Sim::new(1, Time::default());
        let (output, input) = pipe();
        assert!(output.write(vec![b'x'; PIPE_FULL]));
        let waiting = output.clone();
        let task = sim.spawn("writer", async move { waiting.ready().await });
        sim.run_ready(100);
        assert!(!task.is_finished());
        let read = sim.run_future(async move { input.read(10).await.len() }, Time::from_secs(1));
        assert_eq!(read, Some(10));
        sim.run_ready(100);
        assert!(task.is_finished());
        assert!(!output.write("x"), "the input is gone");
    }
}
