//! Every limit of the simulation, with its reason. What grows names its limit here.

/// Trace events kept for readers. The picture and the narration read within a frame or two; a
/// hundred thousand covers minutes of a busy world in some tens of MB.
pub const TRACE_RECORDS: usize = 100_000;

/// Bytes of one request's body: the API server's own limit (3 MiB) for a single object.
pub const REQUEST_BYTES: usize = 3 * 1024 * 1024;

/// Bytes of a manifest that a user pastes or a file holds. Beyond it the page would stall.
pub const MANIFEST_BYTES: usize = 4 * 1024 * 1024;

/// Depth of nesting of a manifest or of JSON. Kubernetes' own types are at most some 20 deep.
pub const VALUE_DEPTH: usize = 100;

/// Nodes that the aliases of one YAML document may expand to (against 'billion laughs').
pub const YAML_ALIAS_NODES: usize = 100_000;

/// Events of one resource that a watch can start from. Older ones answer 410 Gone.
pub const WATCH_HISTORY: usize = 10_000;

/// Objects in the store, over all kinds: 150,000 pods and what belongs to them.
pub const OBJECTS: usize = 1_000_000;
