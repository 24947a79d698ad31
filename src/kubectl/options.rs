//! Flags that several verbs share, and the global ones.

use super::flags::{Flag, Kind, NOT_SIMULATED, flag};

const FILE: Flag = flag(
    "filename",
    'f',
    Kind::Slice,
    "[]",
    "Files, directories or - (standard input) with manifests.",
);

const fn recursive(default: &'static str) -> Flag {
    flag(
        "recursive",
        'R',
        Kind::Bool,
        default,
        "Read the directories below those of -f too.",
    )
}

pub const NO_HEADERS: Flag = flag(
    "no-headers",
    '\0',
    Kind::Bool,
    "false",
    "Leave out the row of column names.",
);

pub const FILES: &[Flag] = &[
    FILE,
    flag("kustomize", 'k', Kind::Str, "", "A directory with a kustomization."),
    recursive("false"),
];

pub const SELECTOR: &[Flag] = &[flag(
    "selector",
    'l',
    Kind::Str,
    "",
    "Label selector, such as app=web,env!=test or 'env in (a,b)'.",
)];

pub const FIELD_SELECTOR: &[Flag] = &[flag(
    "field-selector",
    '\0',
    Kind::Str,
    "",
    "Field selector, such as status.phase=Running,metadata.name!=web.",
)];

pub const ALL_NAMESPACES: &[Flag] = &[flag(
    "all-namespaces",
    'A',
    Kind::Bool,
    "false",
    "Look into every namespace, whatever -n says.",
)];

pub const ALL: &[Flag] = &[flag(
    "all",
    '\0',
    Kind::Bool,
    "false",
    "Every object of the types, in the namespace.",
)];

pub const CHUNK: &[Flag] = &[flag(
    "chunk-size",
    '\0',
    Kind::Int,
    "500",
    "Objects of one page of a long list.",
)
.but("lists come whole")];

pub const SUBRESOURCE: &[Flag] = &[flag(
    "subresource",
    '\0',
    Kind::Str,
    "",
    "Work on this subresource (status, scale, resize) instead of the object.",
)];

pub const DRY_RUN: &[Flag] = &[flag(
    "dry-run",
    '\0',
    Kind::Str,
    "none",
    "none, client (only print what would be sent) or server (send it, but store nothing).",
)
.or("unchanged")];

/// The flag of who owns the fields that a command sets, with the verb's own name as its default.
pub const fn field_manager(default: &'static str) -> Flag {
    flag(
        "field-manager",
        '\0',
        Kind::Str,
        default,
        "Name of the manager that owns the fields this command sets.",
    )
}

/// The files of the commands that look below folders unless they are told not to.
pub const FILES_BELOW: &[Flag] = &[FILE, recursive("true")];

/// Files alone.
pub const FILENAME: &[Flag] = &[FILE];

pub const VALIDATE: &[Flag] = &[flag(
    "validate",
    '\0',
    Kind::Str,
    "strict",
    "What to do about unknown and duplicate fields: strict (or true), warn, ignore (or false).",
)
.or("strict")];

pub const RECORD: &[Flag] = &[flag(
    "record",
    '\0',
    Kind::Bool,
    "false",
    "Write this command line into the object's annotation kubernetes.io/change-cause.",
)
.gone("--record will be removed in the future")];

pub const SAVE_CONFIG: &[Flag] = &[flag(
    "save-config",
    '\0',
    Kind::Bool,
    "false",
    "Keep the configuration in the annotation that kubectl apply compares with.",
)];

/// The flags that every command has.
pub const GLOBAL: &[Flag] = &[
    flag(
        "as",
        '\0',
        Kind::Str,
        "",
        "User to act as: a name, or system:serviceaccount:NAMESPACE:NAME.",
    ),
    flag(
        "as-group",
        '\0',
        Kind::Array,
        "[]",
        "Group to act as; may be given many times.",
    ),
    flag("as-uid", '\0', Kind::Str, "", "UID to act as."),
    flag(
        "as-user-extra",
        '\0',
        Kind::Array,
        "[]",
        "Extra attribute of the user to act as: KEY=VALUE; may be given many times.",
    ),
    flag(
        "cache-dir",
        '\0',
        Kind::Str,
        "/root/.kube/cache",
        "Directory of the discovery cache.",
    )
    .but(NOT_SIMULATED),
    flag(
        "certificate-authority",
        '\0',
        Kind::Str,
        "",
        "File of the certificate authority.",
    ),
    flag(
        "client-certificate",
        '\0',
        Kind::Str,
        "",
        "File of the client's certificate.",
    ),
    flag("client-key", '\0', Kind::Str, "", "File of the client's key."),
    flag("cluster", '\0', Kind::Str, "", "Cluster of the kubeconfig to use."),
    flag("context", '\0', Kind::Str, "", "Context of the kubeconfig to use."),
    flag(
        "disable-compression",
        '\0',
        Kind::Bool,
        "false",
        "No compressed answers.",
    )
    .but(NOT_SIMULATED),
    flag(
        "insecure-skip-tls-verify",
        '\0',
        Kind::Bool,
        "false",
        "Do not check the server's certificate.",
    ),
    flag("kubeconfig", '\0', Kind::Str, "", "The kubeconfig to use."),
    flag("kuberc", '\0', Kind::Str, "", "The kuberc file of preferences."),
    flag(
        "log-flush-frequency",
        '\0',
        Kind::OldDuration,
        "5s",
        "How often logs are flushed.",
    )
    .but(NOT_SIMULATED),
    flag(
        "match-server-version",
        '\0',
        Kind::Bool,
        "false",
        "Demand that client and server have one version.",
    )
    .but(NOT_SIMULATED),
    flag("namespace", 'n', Kind::Str, "", "Namespace of this request."),
    flag("password", '\0', Kind::Str, "", "Password for basic authentication.").but(NOT_SIMULATED),
    flag("profile", '\0', Kind::Str, "none", "Profile to record.").but(NOT_SIMULATED),
    flag(
        "profile-output",
        '\0',
        Kind::Str,
        "profile.pprof",
        "File of the profile.",
    )
    .but(NOT_SIMULATED),
    flag(
        "request-timeout",
        '\0',
        Kind::Str,
        "0",
        "How long to wait for one request, such as 5s; 0 waits for ever.",
    )
    .but("ends watches only: nothing else takes long here"),
    flag("server", 's', Kind::Str, "", "Address of the API server.").but("only the cluster's own addresses answer"),
    flag(
        "tls-server-name",
        '\0',
        Kind::Str,
        "",
        "Server name of the certificate.",
    ),
    flag("token", '\0', Kind::Str, "", "Bearer token of the request."),
    flag("user", '\0', Kind::Str, "", "User of the kubeconfig to act as."),
    flag("username", '\0', Kind::Str, "", "User name for basic authentication."),
    flag("v", 'v', Kind::Level, "0", "How much to log of what kubectl does.").but(NOT_SIMULATED),
    flag("vmodule", '\0', Kind::Levels, "", "How much to log by source file.").but(NOT_SIMULATED),
    flag(
        "warnings-as-errors",
        '\0',
        Kind::Bool,
        "false",
        "End with an exit code after warnings of the server.",
    ),
];
