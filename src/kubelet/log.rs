//! A container's log: its lines with the times at which they were written.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use crate::api::subresource::LogOptions;
use crate::limits;
use crate::shell::Output;
use crate::sim::{Signal, Sim, Time};

struct Line {
    time: Time,
    /// With its line feed; the newest may still lack one.
    bytes: Vec<u8>,
}

#[derive(Default)]
struct Inner {
    lines: RefCell<VecDeque<Line>>,
    bytes: Cell<usize>,
    /// Bytes ever written.
    written: Cell<u64>,
    closed: Cell<bool>,
    changed: Signal,
}

/// A log. Clones share it.
#[derive(Clone, Default)]
pub struct Log(Rc<Inner>);

impl Log {
    /// An output that writes here.
    pub fn output(&self, sim: &Sim) -> Output {
        let (log, sim) = (self.clone(), sim.clone());
        Output::callback(move |bytes| log.append(sim.now(), bytes))
    }

    /// Adds bytes that were written at this time.
    pub fn append(&self, time: Time, mut bytes: &[u8]) {
        let inner = &self.0;
        inner.written.set(inner.written.get() + bytes.len() as u64);
        {
            let mut lines = inner.lines.borrow_mut();
            while !bytes.is_empty() {
                let cut = bytes.iter().position(|b| *b == b'\n').map_or(bytes.len(), |i| i + 1);
                let (piece, rest) = bytes.split_at(cut);
                bytes = rest;
                inner.bytes.set(inner.bytes.get() + piece.len());
                match lines.back_mut() {
                    // A line of more than 16 KiB is split, as the runtime does.
                    Some(last) if !last.bytes.ends_with(b"\n") && last.bytes.len() < 16 * 1024 => {
                        last.bytes.extend_from_slice(piece);
                    }
                    _ => lines.push_back(Line {
                        time,
                        bytes: piece.to_vec(),
                    }),
                }
            }
            while inner.bytes.get() > limits::CONTAINER_LOG_BYTES {
                let Some(line) = lines.pop_front() else { break };
                inner.bytes.set(inner.bytes.get().saturating_sub(line.bytes.len()));
            }
        }
        inner.changed.notify();
    }

    /// Says that nothing will be written any more.
    pub fn close(&self) {
        self.0.closed.set(true);
        self.0.changed.notify();
    }

    pub fn is_closed(&self) -> bool {
        self.0.closed.get()
    }

    /// Notified at each change.
    pub fn changed(&self) -> &Signal {
        &self.0.changed
    }

    /// How many bytes were ever written.
    pub fn position(&self) -> u64 {
        self.0.written.get()
    }

    /// What was written after a position, with times before each line when asked.
    pub fn after(&self, position: u64, timestamps: bool) -> Vec<u8> {
        let lines = self.0.lines.borrow();
        let (mut at, mut first) = (self.position(), lines.len());
        // From the back: a reader that follows has all but the last few lines.
        while let Some(i) = first.checked_sub(1).filter(|_| at > position) {
            at -= lines.get(i).map_or(0, |line| line.bytes.len() as u64);
            first = i;
        }
        let mut out = Vec::new();
        let mut from = position.saturating_sub(at) as usize;
        for line in lines.range(first..) {
            if timestamps && from == 0 {
                out.extend_from_slice(stamp(line.time).as_bytes());
            }
            out.extend_from_slice(line.bytes.get(from..).unwrap_or(&[]));
            from = 0;
        }
        out
    }

    /// The lines that the options select, as the kubelet sends them.
    pub fn read(&self, options: &LogOptions) -> Vec<u8> {
        let lines = self.0.lines.borrow();
        let skip = options.tail_lines.map_or(0, |n| lines.len().saturating_sub(n));
        let mut out = Vec::new();
        for line in lines.iter().skip(skip) {
            if options.since.is_some_and(|s| line.time < s) {
                continue;
            }
            if options.timestamps {
                out.extend_from_slice(stamp(line.time).as_bytes());
            }
            out.extend_from_slice(&line.bytes);
        }
        if let Some(limit) = options.limit_bytes {
            out.truncate(limit);
        }
        out
    }

    /// The last lines, for a termination message: at most 80 lines and 2048 bytes.
    pub fn tail(&self) -> String {
        let lines = self.0.lines.borrow();
        let skip = lines.len().saturating_sub(80);
        let text: Vec<u8> = lines.iter().skip(skip).flat_map(|l| l.bytes.iter().copied()).collect();
        let from = text.len().saturating_sub(2048);
        String::from_utf8_lossy(text.get(from..).unwrap_or(&[])).into_owned()
    }
}

/// A time as the runtime writes it before a line: nanoseconds, of which the last three digits vary
/// with the rest, since the clock here counts microseconds.
fn stamp(time: Time) -> String {
    let c = time.micro();
    format!("{}{:03}Z ", c.trim_end_matches('Z'), (time.0 / 7) % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selections() {
        let log = Log::default();
        for i in 1..=5u64 {
            log.append(Time::from_secs(i), format!("line {i}\n").as_bytes());
        }
        let now = Time::from_secs(6);
        let text = |options: LogOptions| String::from_utf8(log.read(&options)).unwrap();
        let all = LogOptions::default();
        assert_eq!(text(all.clone()), "line 1\nline 2\nline 3\nline 4\nline 5\n");
        let tail = LogOptions {
            tail_lines: Some(1),
            ..all.clone()
        };
        assert_eq!(text(tail), "line 5\n");
        assert_eq!(
            text(LogOptions {
                tail_lines: Some(0),
                ..all.clone()
            }),
            ""
        );
        assert_eq!(
            text(LogOptions {
                since: Some(Time(3_000_001)),
                ..all.clone()
            }),
            "line 4\nline 5\n"
        );
        assert_eq!(
            text(LogOptions {
                limit_bytes: Some(9),
                ..all.clone()
            }),
            "line 1\nli"
        );
        assert!(
            text(LogOptions {
                timestamps: true,
                ..all
            })
            .starts_with("1970-01-01T00:00:01.000000")
        );
        let at = log.position();
        log.append(now, b"more\nhalf");
        assert_eq!(log.after(at, false), b"more\nhalf");
        for (position, want) in [
            (0, "line 1\nline 2\nline 3\nline 4\nline 5\nmore\nhalf"),
            (at - 7, "line 5\nmore\nhalf"),
            (at - 6, "ine 5\nmore\nhalf"),
            (at + 6, "alf"),
            (at + 9, ""),
            (at + 10, ""),
        ] {
            assert_eq!(log.after(position, false), want.as_bytes(), "{position}");
        }
        let stamped = String::from_utf8(log.after(at + 1, true)).unwrap();
        assert!(
            stamped.starts_with("ore\n1970-") && stamped.ends_with("Z half"),
            "{stamped}"
        );
    }

    #[test]
    fn a_full_log_drops_its_oldest_lines() {
        let log = Log::default();
        let line = vec![b'x'; 9_999].into_iter().chain([b'\n']).collect::<Vec<u8>>();
        for _ in 0..1_100 {
            log.append(Time::default(), &line);
        }
        let kept = log.read(&LogOptions::default()).len();
        assert!(kept <= limits::CONTAINER_LOG_BYTES && kept > limits::CONTAINER_LOG_BYTES - 10_001);
    }
}
