//! Every limit of the simulation, with its reason. What grows names its limit here.

/// Trace events kept for readers. The picture and the narration read within a frame or two; a
/// hundred thousand covers minutes of a busy world in some tens of MB.
pub const TRACE_RECORDS: usize = 100_000;

/// Bytes of one request's body: the API server's own limit (3 MiB) for a single object.
pub const REQUEST_BYTES: usize = 3 * 1024 * 1024;

/// Bytes that the `copy` operations of one JSON patch may copy (`JSONPatchMaxCopyBytes`).
pub const JSON_PATCH_COPY_BYTES: usize = 3 * 1024 * 1024;

/// Bytes of one object in the store: etcd's limit of a request (`DefaultMaxRequestBytes`).
pub const OBJECT_BYTES: usize = 3 * 1024 * 1024 / 2;

/// Pods that a stateful set whose pods come at once makes in one pass; the pods that come begin the next. `replicas`
/// may be two thousand million.
pub const STATEFUL_SET_BURST: usize = 500;

/// Bytes of a manifest that a user pastes or a file holds. Beyond it the page would stall.
pub const MANIFEST_BYTES: usize = 4 * 1024 * 1024;

/// Depth of nesting of a manifest or of JSON. Kubernetes' own types are at most some 20 deep.
pub const VALUE_DEPTH: usize = 100;

/// Nodes that the aliases of one YAML document may expand to (against 'billion laughs').
pub const YAML_ALIAS_NODES: usize = 100_000;

/// Events of one resource that a watch can start from. Older ones answer 410 Gone.
pub const WATCH_HISTORY: usize = 10_000;

/// Kinds of requests that the API server counts apart, by resource, verb and answer; what comes later as another kind is
/// not counted. A cluster of many custom resources has some thousands.
pub const SERVED: usize = 20_000;

/// Bytes of a log, or of a program's output, that a client was sent and has not read yet.
pub const STREAM_BYTES: usize = 16 * 1024 * 1024;

/// Users whose permissions the API server has at hand. One more, and it begins anew: names of users
/// are free, so that a script could make up any number.
pub const AUTHORIZED_USERS: usize = 1_000;

/// Objects in the store, over all kinds: 150,000 pods and what belongs to them.
pub const OBJECTS: usize = 1_000_000;

/// Updaters that an object's `managedFields` names before the oldest are joined
/// (`DefaultMaxUpdateManagers`).
pub const UPDATE_MANAGERS: usize = 10;

/// Bytes of a field manager's name (`FieldManagerMaxLength`).
pub const FIELD_MANAGER_BYTES: usize = 128;

// The shell: its files, its commands and its terminal.

/// Files and directories of one host's or container's file system.
pub const FILES: usize = 20_000;

/// Bytes of one file.
pub const FILE_BYTES: usize = 32 * 1024 * 1024;

/// Bytes of all files of one file system.
pub const FILE_SYSTEM_BYTES: usize = 128 * 1024 * 1024;

/// Bytes of a path: Linux's PATH_MAX.
pub const PATH_BYTES: usize = 4096;

/// Bytes that one command may write into a buffer or a pipe that nobody empties, and that
/// `$(…)` may capture. Beyond it the writer is ended with SIGXFSZ.
pub const SHELL_OUTPUT_BYTES: usize = 8 * 1024 * 1024;

/// Bytes of one shell source: a pasted script.
pub const SHELL_SOURCE_BYTES: usize = 4 * 1024 * 1024;

/// Nesting of a shell's syntax, and of its functions, sources, substitutions and arithmetic.
pub const SHELL_DEPTH: usize = 60;

/// What a program counts of that nesting: a shell in a shell takes the stack of some functions.
pub const PROGRAM_DEPTH: usize = 4;

/// Nesting of groups in a regular expression that looks around, and of its matcher's calls: a tab's stack is small.
pub const REGEX_NESTING: usize = 50;
pub const REGEX_DEPTH: usize = 200;

/// Steps of one search with such an expression: one that backtracks without end finds nothing.
pub const REGEX_STEPS: usize = 200_000;

/// Words that one expansion (braces, globs, splitting) may give, and the bytes of one word.
pub const SHELL_WORDS: usize = 200_000;
pub const SHELL_WORD_BYTES: usize = 8 * 1024 * 1024;

/// Commands that a shell runs at one moment of virtual time before it is made to wait a
/// millisecond: a loop that never sleeps takes virtual time, as it would take a processor's.
pub const SHELL_COMMANDS_PER_MOMENT: usize = 500;

/// Processes of one host or container that live at a time: a fork bomb ends here. Far above what a student's scripts
/// start, and each is a shell's state of some kilobytes.
pub const PROCESSES: usize = 1_000;

/// Background jobs of one shell.
pub const SHELL_JOBS: usize = 100;

/// Aliases that one word may go through, and lines of history that a terminal keeps.
pub const SHELL_ALIAS_DEPTH: usize = 20;
pub const SHELL_HISTORY: usize = 2_000;

/// Bytes that a terminal keeps of input which nobody has read yet.
pub const TERMINAL_INPUT_BYTES: usize = 8 * 1024 * 1024;

/// Bytes of a jsonpath or go-template, how deeply its blocks nest, and the steps of running one.
pub const TEMPLATE_BYTES: usize = 64 * 1024;
pub const TEMPLATE_DEPTH: usize = 100;
pub const TEMPLATE_STEPS: usize = 1_000_000;

/// Bytes that one run of a go-template may write.
pub const TEMPLATE_OUTPUT: usize = 16 * 1024 * 1024;

/// Kustomizations that one build may load, and resources that it may hold: a base named twice by each of
/// its overlays doubles with every layer.
pub const KUSTOMIZATIONS: usize = 1_000;
pub const KUSTOMIZE_RESOURCES: usize = 10_000;

/// Inputs in a journal. A key press is one: a day's typing.
pub const JOURNAL_ENTRIES: usize = 200_000;
// What runs in containers.

/// Keys of one redis server, and members of one of its lists, sets and hashes.
pub const REDIS_KEYS: usize = 100_000;

/// Bytes of one value of a redis server.
pub const REDIS_VALUE_BYTES: usize = 8 * 1024 * 1024;

/// Bytes of one container's log: the kubelet's default of `containerLogMaxSize` (10 MiB). Older
/// lines go first.
pub const CONTAINER_LOG_BYTES: usize = 10 * 1024 * 1024;

/// Pods of one node that the kubelet admits: its default of `maxPods`.
pub const NODE_PODS: usize = 110;

/// Bytes of all texts that one `jq` reads: the largest file.
pub const JQ_INPUT_BYTES: usize = FILE_BYTES;

/// Steps of `jq`'s interpreter in one run: some three seconds of a browser, in which nothing else happens. A `walk` over the
/// list of a thousand pods takes two million.
pub const JQ_STEPS: u64 = 5_000_000;

/// Bytes of the values that one `jq` makes, those that it drops again among them: four times the largest file.
pub const JQ_VALUE_BYTES: u64 = 128 * 1024 * 1024;

/// Levels of arrays and objects in a value of `jq`, which compares and writes them by recursion. What it reads has at
/// most 256, the real one's own limit.
pub const JQ_NESTING: u32 = 512;

/// Bytes of a program of `jq`: its parser recurses.
pub const JQ_PROGRAM_BYTES: usize = 32 * 1024;

/// Bytes of another module that the page fetches, `jq` or kustomize: some six times the size of the larger one today.
pub const MODULE_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of the file of `explain`'s texts that the page fetches: some five times its size today.
pub const DOCS_BYTES: usize = 4 * 1024 * 1024;

/// OpenAPI documents that the server keeps: all of a fresh cluster's, and some of custom resources.
pub const OPENAPI_DOCUMENTS: usize = 60;
/// Bytes of an expression in CEL: cel-go's own limit of code points.
pub const CEL_BYTES: usize = 100_000;

/// Nesting of an expression in CEL. cel-go allows 250; the evaluator here uses the stack.
pub const CEL_DEPTH: usize = 60;

/// Height of the tree of an expression in CEL, which long sums and paths build without nesting.
pub const CEL_HEIGHT: usize = 250;

/// Bytes of a message that an expression in CEL makes; a longer one is not shown
/// (`celconfig.MaxEvaluatedMessageExpressionSizeBytes`).
pub const CEL_MESSAGE_BYTES: usize = 5 * 1024;

/// Steps of one expression in CEL, and what a string or list that it makes may hold: the API server's
/// own budget of one rule is 1,000,000 units of cost (`celconfig.PerCallLimit`).
pub const CEL_STEPS: usize = 1_000_000;

/// Pods of a namespace that are looked at when it begins to enforce a Pod Security Standard
/// (`defaultNamespaceMaxPodsToCheck`).
pub const POD_SECURITY_PODS: usize = 3_000;

/// Bytes of an HTTP response that one who wants the whole of it collects: some times what the largest page here has.
/// What streams without an end, as a watch does, is cut there.
pub const HTTP_BODY_BYTES: usize = 16 * 1024 * 1024;
