//! Flags that several verbs share, and the global ones.

use super::flags::{Flag, Kind, NOT_SIMULATED, flag};

const FILE: Flag = flag("filename", 'f', Kind::Slice, "[]");

const fn recursive(default: &'static str) -> Flag {
    flag("recursive", 'R', Kind::Bool, default)
}

pub const NO_HEADERS: Flag = flag("no-headers", '\0', Kind::Bool, "false");

pub const FILES: &[Flag] = &[FILE, flag("kustomize", 'k', Kind::Str, ""), recursive("false")];

pub const SELECTOR: &[Flag] = &[flag("selector", 'l', Kind::Str, "")];

pub const FIELD_SELECTOR: &[Flag] = &[flag("field-selector", '\0', Kind::Str, "")];

pub const ALL_NAMESPACES: &[Flag] = &[flag("all-namespaces", 'A', Kind::Bool, "false")];

pub const ALL: &[Flag] = &[flag("all", '\0', Kind::Bool, "false")];

pub const WINDOWS_LINES: Flag =
    flag("windows-line-endings", '\0', Kind::Bool, "false").but("nothing here has another line ending");

/// How many objects a page of a list has unless `--chunk-size` says otherwise (`DefaultChunkSize`).
pub const PAGE_OBJECTS: i64 = 500;
pub const CHUNK: &[Flag] = &[flag("chunk-size", '\0', Kind::Int, "500")];

/// How objects are deleted.
pub const DELETION: &[Flag] = &[
    flag("cascade", '\0', Kind::Str, "background").or("background"),
    flag("force", '\0', Kind::Bool, "false"),
    flag("grace-period", '\0', Kind::Int, "-1"),
    flag("timeout", '\0', Kind::Duration, "0s"),
];

/// Whether the end of what is deleted is waited for.
pub const fn wait(default: &'static str) -> Flag {
    flag("wait", '\0', Kind::Bool, default)
}

pub const SUBRESOURCE: &[Flag] = &[flag("subresource", '\0', Kind::Str, "")];

pub const DRY_RUN: &[Flag] = &[flag("dry-run", '\0', Kind::Str, "none").or("unchanged")];

/// The flag of who owns the fields that a command sets, with the verb's own name as its default.
pub const fn field_manager(default: &'static str) -> Flag {
    flag("field-manager", '\0', Kind::Str, default)
}

/// The files of the commands that look below folders unless they are told not to.
pub const FILES_BELOW: &[Flag] = &[FILE, recursive("true")];

/// Files alone.
pub const FILENAME: &[Flag] = &[FILE];

pub const VALIDATE: &[Flag] = &[flag("validate", '\0', Kind::Str, "strict").or("strict")];

pub const RECORD: &[Flag] = &[flag("record", '\0', Kind::Bool, "false").gone("--record will be removed in the future")];

pub const SAVE_CONFIG: &[Flag] = &[flag("save-config", '\0', Kind::Bool, "false")];

/// The flags that every command has.
pub const GLOBAL: &[Flag] = &[
    flag("as", '\0', Kind::Str, ""),
    flag("as-group", '\0', Kind::Array, "[]"),
    flag("as-uid", '\0', Kind::Str, ""),
    flag("as-user-extra", '\0', Kind::Array, "[]"),
    flag("cache-dir", '\0', Kind::Str, "/root/.kube/cache").but(NOT_SIMULATED),
    flag("certificate-authority", '\0', Kind::Str, ""),
    flag("client-certificate", '\0', Kind::Str, ""),
    flag("client-key", '\0', Kind::Str, ""),
    flag("cluster", '\0', Kind::Str, ""),
    flag("context", '\0', Kind::Str, ""),
    flag("disable-compression", '\0', Kind::Bool, "false").but(NOT_SIMULATED),
    flag("insecure-skip-tls-verify", '\0', Kind::Bool, "false"),
    flag("kubeconfig", '\0', Kind::Str, ""),
    flag("kuberc", '\0', Kind::Str, ""),
    flag("log-flush-frequency", '\0', Kind::OldDuration, "5s").but(NOT_SIMULATED),
    flag("match-server-version", '\0', Kind::Bool, "false"),
    flag("namespace", 'n', Kind::Str, ""),
    flag("password", '\0', Kind::Str, "").but(NOT_SIMULATED),
    flag("profile", '\0', Kind::Str, "none").but(NOT_SIMULATED),
    flag("profile-output", '\0', Kind::Str, "profile.pprof").but(NOT_SIMULATED),
    flag("request-timeout", '\0', Kind::Str, "0").but("ends watches only: nothing else takes long here"),
    flag("server", 's', Kind::Str, "").but("only the cluster's own addresses answer"),
    flag("tls-server-name", '\0', Kind::Str, ""),
    flag("token", '\0', Kind::Str, ""),
    flag("user", '\0', Kind::Str, ""),
    flag("username", '\0', Kind::Str, ""),
    flag("v", 'v', Kind::Level, "0")
        .but("logs requests and their answers, but nothing of caches, of discovery and of what a watch brings"),
    flag("vmodule", '\0', Kind::Levels, "").but(NOT_SIMULATED),
    flag("warnings-as-errors", '\0', Kind::Bool, "false"),
];
