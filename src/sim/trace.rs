//! The trace: what happened, in order, with its virtual time. The picture, the narration, the 'why'
//! cards and the JS events read this one stream; nothing is shown that is not in it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;

use super::time::Time;
use crate::limits;
use crate::value::Value;

/// Numbers a request to the API server, a packet flow or a command, uniquely within a world.
pub type RequestId = u64;

/// What a write did to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum WriteKind {
    Added,
    Modified,
    Deleted,
}

/// How a flow or a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Outcome {
    /// The answer came back with this HTTP (or equivalent) status.
    Status(u16),
    /// A process answered, with no status of HTTP (a TCP connection, a DNS answer).
    Answered,
    /// Nothing listens at the address: connection refused.
    Refused,
    /// Nothing answered in time.
    TimedOut,
    /// The name has no address.
    NoSuchHost,
    /// There is no route to the address.
    NoRoute,
}

/// One place that a packet passes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Hop {
    /// It leaves a process: on a node's host (`pod` empty), in a pod, or outside the cluster (both empty).
    Client { node: Rc<str>, pod: Rc<str> },
    /// It enters a node at this address.
    Node { node: Rc<str> },
    /// A kube-proxy rule on `node` rewrote its destination: the service's `namespace/name`, its
    /// virtual address, the chosen endpoint, how it was chosen (`rr`, `random`, `affinity`, …), the
    /// endpoint's index, how many there were, and which is next (round-robin only).
    Rule {
        node: Rc<str>,
        service: Rc<str>,
        address: Rc<str>,
        endpoint: Rc<str>,
        chosen_by: &'static str,
        index: u32,
        of: u32,
        next: Option<u32>,
    },
    /// It reaches a pod (`namespace/name`) at this address and port.
    Pod {
        node: Rc<str>,
        pod: Rc<str>,
        address: Rc<str>,
    },
    /// It reaches a process on a node's host, or something outside the cluster.
    Host { name: Rc<str>, address: Rc<str> },
}

/// What the scheduler found of one node.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeVerdict {
    pub node: Rc<str>,
    /// The filter plugin that refused the node, and its reason as the event words it.
    pub refused: Option<(&'static str, Rc<str>)>,
    /// Each score plugin's normalised score (0–100) and its weight; empty when refused.
    pub scores: Vec<(&'static str, i64, i64)>,
    /// Σ score · weight.
    pub total: i64,
}

/// One decision of the scheduler.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// `namespace/name`.
    pub pod: Rc<str>,
    /// Every node that was looked at, in the order of the nodes' names.
    pub nodes: Vec<NodeVerdict>,
    /// The node chosen; `None` when the pod is unschedulable.
    pub chosen: Option<Rc<str>>,
    /// The sentence of the event and of the pod's condition.
    pub message: Rc<str>,
}

/// A container's change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum ContainerChange {
    Created,
    Started,
    /// Its readiness turned true.
    Ready,
    /// Its readiness turned false.
    Unready,
    /// A signal was sent to it (graceful stop begun).
    Stopping,
    /// It ended with this exit code.
    Exited(i32),
    /// It waits for its restart (CrashLoopBackOff).
    BackOff,
}

/// One thing that happened.
///
/// `client` names the component that acted, as its user agent does: `kubectl`, `kube-scheduler`,
/// `deployment-controller`, `kubelet/k8s-node-01`. Objects are `namespace/name` (`/name` when they
/// have no namespace), kinds are Kubernetes' `Pod`, `ReplicaSet`, ….
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum TraceEvent {
    /// A request left its client for the API server.
    Request {
        id: RequestId,
        client: Rc<str>,
        verb: &'static str,
        path: Rc<str>,
    },
    /// The API server answered it.
    Response {
        id: RequestId,
        client: Rc<str>,
        verb: &'static str,
        path: Rc<str>,
        code: u16,
    },
    /// A write reached etcd. `object` is the new version (the last one, for a deletion).
    Write {
        request: RequestId,
        client: Rc<str>,
        kind: Rc<str>,
        object_name: Rc<str>,
        op: WriteKind,
        revision: u64,
        object: Value,
    },
    /// A watch brought a change to a component.
    Watch {
        client: Rc<str>,
        kind: Rc<str>,
        object_name: Rc<str>,
        op: WriteKind,
        revision: u64,
    },
    /// The scheduler decided.
    Verdict(Rc<Verdict>),
    /// An image's bytes arriving on a node; `received == total` ends it.
    ImagePull {
        node: Rc<str>,
        pod: Rc<str>,
        image: Rc<str>,
        received: u64,
        total: u64,
    },
    /// An image could not be pulled.
    ImagePullFailed {
        node: Rc<str>,
        pod: Rc<str>,
        image: Rc<str>,
        reason: Rc<str>,
    },
    /// A container changed.
    Container {
        node: Rc<str>,
        pod: Rc<str>,
        container: Rc<str>,
        change: ContainerChange,
    },
    /// A packet of `flow` arrived at a hop, `latency` after the hop before. The answer's way back
    /// carries `back`.
    Packet {
        flow: RequestId,
        hop: Hop,
        back: bool,
        latency: Duration,
    },
    /// A flow ended. `what` says what was asked (`GET http://web/`).
    FlowEnd {
        flow: RequestId,
        what: Rc<str>,
        outcome: Outcome,
    },
    /// A command line began in a terminal.
    Command { id: RequestId, line: Rc<str> },
    /// It ended with this exit code.
    CommandEnd { id: RequestId, code: i32 },
}

/// An event with its place and time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TraceRecord {
    /// Counts from 1, with no gap.
    pub seq: u64,
    /// Virtual time in microseconds since the Unix epoch.
    pub micros: u64,
    pub event: TraceEvent,
}

/// A running hash of the trace and how to write it: FNV-1a over each record's JSON.
#[derive(Clone, Copy)]
struct Hash(u64);

impl std::io::Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        for b in bytes {
            self.0 = (self.0 ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The last events of a world, and a hash of all of them.
pub struct Trace {
    records: RefCell<VecDeque<TraceRecord>>,
    seq: Cell<u64>,
    hash: Cell<Option<Hash>>,
}

impl Trace {
    pub(super) fn new() -> Trace {
        Trace {
            records: RefCell::default(),
            seq: Cell::new(0),
            hash: Cell::new(None),
        }
    }

    pub(super) fn push(&self, now: Time, event: TraceEvent) {
        let seq = self.seq.get() + 1;
        self.seq.set(seq);
        let record = TraceRecord {
            seq,
            micros: now.0,
            event,
        };
        if let Some(mut hash) = self.hash.get() {
            // Writing into the hash cannot fail, and a trace event has no map with non-text keys.
            let _ = serde_json::to_writer(&mut hash, &record);
            self.hash.set(Some(hash));
        }
        let mut records = self.records.borrow_mut();
        if records.len() >= limits::TRACE_RECORDS {
            records.pop_front();
        }
        records.push_back(record);
    }

    /// The number of the newest event; 0 before the first.
    pub fn last_seq(&self) -> u64 {
        self.seq.get()
    }

    /// Calls `f` for each kept event after number `seq`, oldest first. Events older than the last
    /// [`limits::TRACE_RECORDS`] are gone.
    pub fn since(&self, seq: u64, mut f: impl FnMut(&TraceRecord)) {
        let records = self.records.borrow();
        let first = records.front().map_or(0, |r| r.seq);
        let skip = seq.saturating_add(1).saturating_sub(first) as usize;
        for record in records.iter().skip(skip) {
            f(record);
        }
    }

    /// Begins the hash: from here on it covers every event.
    pub fn start_hash(&self) {
        self.hash.set(Some(Hash(0xcbf2_9ce4_8422_2325)));
    }

    /// The hash of every event since [`Trace::start_hash`]; `None` when it was not begun.
    pub fn hash(&self) -> Option<u64> {
        self.hash.get().map(|h| h.0)
    }
}
