//! Writing what comes of a response, piece by piece, as `curl` and `wget` do.

use super::super::http::More;
use crate::shell::Output;
use crate::sim::{Sim, Time, timeout};

/// Why no more is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    End,
    /// Nobody takes what is written.
    Unwritten,
    TimedOut,
}

/// What was written.
pub(super) struct Followed {
    /// Bytes that came.
    pub length: usize,
    pub why: Why,
}

/// Writes what comes until its end, or the end of the time that is given.
pub(super) async fn follow(sim: &Sim, more: &More, end: Option<Time>, sink: &Output) -> Followed {
    let mut length = 0;
    let why = loop {
        let piece = match end {
            Some(end) => match timeout(sim, end.since(sim.now()), more.read()).await {
                Some(piece) => piece,
                None => break Why::TimedOut,
            },
            None => more.read().await,
        };
        let Some(piece) = piece else { break Why::End };
        length += piece.len();
        if !sink.write(&piece) {
            break Why::Unwritten;
        }
    };
    Followed { length, why }
}
