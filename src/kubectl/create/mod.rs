//! `kubectl create`: from files, and the generators, one file per family.

mod config;
mod deployment;
mod ingress;
mod jobs;
mod rbac;
mod service;
mod small;

pub use rbac::{KNOWN_VERBS, PATH_VERBS};

use super::builder::{self, Select, Target};
use super::command::{Cmd, DryRun, VERB, Verb, Write, scope};
use super::error::Error;
use super::flags::{Flag, Kind, flag};
use super::mapper;
use super::options::{DRY_RUN, FILES, RECORD, SAVE_CONFIG, SELECTOR, VALIDATE, WINDOWS_LINES, field_manager};
use super::output::{PRINT, Report};
use super::raw;
use crate::api::Method;
use crate::value::{Value, quoted};

const FLAGS: &[Flag] = &[
    flag("edit", '\0', Kind::Bool, "false"),
    flag("raw", '\0', Kind::Str, ""),
    WINDOWS_LINES,
];

/// The flags that every generator has.
pub(super) const GENERATOR: &[&[Flag]] = &[
    PRINT,
    DRY_RUN,
    SAVE_CONFIG,
    VALIDATE,
    &[field_manager("kubectl-create")],
];

pub static CREATE: Verb = Verb {
    name: "create",
    group: "Basic Commands (Beginner):",
    short: "Create a resource from a file or from stdin",
    flags: &[
        FLAGS,
        FILES,
        SELECTOR,
        PRINT,
        DRY_RUN,
        SAVE_CONFIG,
        VALIDATE,
        &[field_manager("kubectl-create")],
        RECORD,
    ],
    subs: &[
        &rbac::CLUSTER_ROLE,
        &rbac::CLUSTER_ROLE_BINDING,
        &config::CONFIG_MAP,
        &jobs::CRON_JOB,
        &deployment::DEPLOYMENT,
        &ingress::INGRESS,
        &jobs::JOB,
        &small::NAMESPACE,
        &small::PDB,
        &small::PRIORITY_CLASS,
        &small::QUOTA,
        &rbac::ROLE,
        &rbac::ROLE_BINDING,
        &config::SECRET,
        &service::SERVICE,
        &small::SERVICE_ACCOUNT,
        &small::TOKEN,
    ],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

async fn run(cmd: &Cmd) -> Result<(), Error> {
    let raw = cmd.flags.str("raw");
    if !cmd.args.is_empty() {
        let words = cmd.args.join(" ");
        return Err(Error::usage(format!("Unexpected args: [{words}]")));
    }
    cmd.complete()?;
    if !cmd.flags.has("filename") && !cmd.flags.has("kustomize") {
        return Err(Error::plain("must specify one of -f and -k"));
    }
    if !raw.is_empty() {
        if cmd.flags.bool("edit") {
            return Err(Error::plain("--raw and --edit are mutually exclusive"));
        }
        return raw::send_file(cmd, Method::Post, raw).await;
    }
    if cmd.flags.bool("edit") {
        return super::edit::before_create(cmd).await;
    }
    let mut report = Report::new(cmd, "created")?;
    let write = Write::of(cmd, "kubectl-create")?;
    let mut select = Select::of(cmd);
    select.validate = true;
    let targets = builder::targets(cmd, &select).await?;
    let mut errors = Vec::new();
    let mut count = 0;
    for target in targets.list {
        let Target::Item(mut info) = target else { continue };
        count += 1;
        if cmd.flags.bool("save-config") {
            super::apply::annotate(&mut info.object);
        }
        if cmd.dry_run()? != DryRun::Client {
            let made = cmd.create(&info.resource, &info.namespace, &info.object, &write).await;
            match made {
                Ok(made) => info.object = made,
                Err(e) => {
                    errors.push(e.when(&format!("error when creating {}", quoted(&info.source))));
                    continue;
                }
            }
        }
        if let Err(e) = report.print(cmd, &info.object) {
            errors.push(e);
        }
    }
    errors.extend(targets.errors);
    if count == 0 && errors.is_empty() {
        return Err(Error::plain("no objects passed to create"));
    }
    Error::all(errors)
}

/// The one NAME of a generator.
///
/// # Errors
/// `exactly one NAME is required, got 2`.
pub(super) fn one_name(cmd: &Cmd) -> Result<String, Error> {
    let given = cmd.dash.unwrap_or(cmd.args.len());
    match cmd.args.first() {
        Some(name) if given == 1 => {
            cmd.complete()?;
            if name.is_empty() {
                return Err(Error::plain("name must be specified"));
            }
            Ok(name.clone())
        }
        _ => Err(Error::usage(format!("exactly one NAME is required, got {given}"))),
    }
}

/// Creates the object that a generator made, and reports it.
///
/// # Errors
/// The API server's failure; `failed` goes in front of it (`failed to create deployment`).
pub(super) async fn generate(cmd: &Cmd, mut object: Value, failed: &str) -> Result<(), Error> {
    let mut report = Report::new(cmd, "created")?.typed();
    let resource = mapper::of_kind(
        &cmd.resources(),
        object.str_at(&["apiVersion"]),
        object.str_at(&["kind"]),
    )
    .ok_or_else(|| Error::plain("the server could not find the requested resource"))?;
    let namespace = cmd.namespace();
    if resource.namespaced && cmd.namespace_given() {
        object.set(&["metadata", "namespace"], namespace.as_str());
    }
    if cmd.flags.bool("save-config") {
        super::apply::annotate_typed(&mut object);
    }
    if cmd.dry_run()? != DryRun::Client {
        let mut write = Write::of(cmd, "kubectl-create")?;
        if write.validation.is_empty() {
            write.validation = "Strict";
        }
        let made = cmd
            .create(&resource, scope(&resource, &namespace), &object, &write)
            .await;
        object = made.map_err(|e| match failed {
            "" => e,
            // The sentence about secrets has no colon.
            failed if failed.ends_with(" secret") => Error::plain(format!("{failed} {}", e.message())),
            failed => Error::plain(format!("{failed}: {}", e.message())),
        })?;
        // Go writes the rules of a role even where there are none.
        if object.str_at(&["kind"]).ends_with("Role") && !object.has("rules") {
            object.set(&["rules"], Value::Null);
        }
    }
    report.print(cmd, &object)
}
