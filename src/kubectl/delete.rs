//! `kubectl delete`: asks for deletions, then waits until the objects are gone.

use super::builder::{self, Info, Select, Target};
use super::command::{Cmd, DryRun, VERB, Verb, scope};
use super::error::Error;
use super::flags::{Flag, Kind, flag};
use super::follow::Following;
use super::options::{ALL, ALL_NAMESPACES, DELETION, DRY_RUN, FIELD_SELECTOR, FILES, SELECTOR, wait};
use super::raw;
use crate::api::{Body, Method};
use crate::flat::FlatSet;
use crate::sim::timeout;
use crate::value::{Value, quoted};
use crate::{list, obj};
use std::time::Duration;

const FLAGS: &[Flag] = &[
    flag("ignore-not-found", '\0', Kind::Bool, "false"),
    flag("interactive", 'i', Kind::Bool, "false"),
    flag("now", '\0', Kind::Bool, "false"),
    flag("output", 'o', Kind::Str, ""),
    flag("raw", '\0', Kind::Str, ""),
    wait("true"),
];

pub static DELETE: Verb = Verb {
    name: "delete",
    suggest_for: &["rm"],
    group: "Basic Commands (Intermediate):",
    short: "Delete resources by file names, stdin, resources and names, or by resources and label selector",
    flags: &[
        FLAGS,
        DELETION,
        FILES,
        SELECTOR,
        FIELD_SELECTOR,
        ALL,
        ALL_NAMESPACES,
        DRY_RUN,
    ],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

const FORCED: &str = "Immediate deletion does not wait for confirmation that the running resource has been terminated. The resource may continue to run on the cluster indefinitely.";

/// How objects are deleted.
#[derive(Clone, Debug)]
pub struct Deletion {
    pub cascade: &'static str,
    /// Seconds; negative for the object's own.
    pub grace: i64,
    pub dry_run: DryRun,
    pub wait: bool,
    pub timeout: Duration,
    pub ignore_not_found: bool,
    /// `-o name`.
    pub name_only: bool,
    /// Say nothing at all.
    pub silent: bool,
    /// What a person agreed to, where one was asked: what came since then stays.
    pub seen: Option<FlatSet<String>>,
}

/// Reads `--cascade` as a propagation policy.
///
/// # Errors
/// When its value is none of those allowed.
pub fn cascade(cmd: &Cmd) -> Result<&'static str, Error> {
    Ok(match cmd.flags.str("cascade") {
        "background" => "Background",
        "foreground" => "Foreground",
        "orphan" => "Orphan",
        "true" => {
            cmd.err(
                "warning: --cascade=true is deprecated (boolean value) and can be replaced with --cascade=background.",
            );
            "Background"
        }
        "false" => {
            cmd.err(
                "warning: --cascade=false is deprecated (boolean value) and can be replaced with --cascade=orphan.",
            );
            "Orphan"
        }
        other => {
            return Err(Error::plain(format!(
                "invalid cascade value ({other}). Must be \"background\", \"foreground\", or \"orphan\""
            )));
        }
    })
}

impl Deletion {
    fn of(cmd: &Cmd) -> Result<Deletion, Error> {
        let mut grace = cmd.flags.int("grace-period");
        let force = cmd.flags.bool("force");
        let now = cmd.flags.bool("now");
        let selecting = !cmd.flags.all("selector").is_empty();
        if cmd.flags.bool("all") && (selecting || cmd.flags.has("field-selector")) {
            return Err(Error::plain("setting 'all' parameter but found a non empty selector. "));
        }
        if now {
            if cmd.flags.has("grace-period") && grace != -1 {
                return Err(Error::plain("--now and --grace-period cannot be specified together"));
            }
            grace = 1;
        }
        if force && grace > 0 {
            return Err(Error::plain(
                "--force and --grace-period greater than 0 cannot be specified together",
            ));
        }
        if force && grace < 0 {
            grace = 0;
        }
        // Without --force nobody means to lose data: zero seconds become one.
        if grace == 0 && !force {
            grace = 1;
        }
        let cascade = cascade(cmd)?;
        Ok(Deletion {
            cascade,
            grace,
            dry_run: cmd.dry_run()?,
            wait: cmd.flags.bool("wait"),
            timeout: cmd.flags.duration("timeout"),
            ignore_not_found: cmd.flags.bool("ignore-not-found") || selecting || cmd.flags.bool("all"),
            name_only: cmd.flags.str("output") == "name",
            silent: false,
            seen: None,
        })
    }

    /// The `DeleteOptions` of a request.
    pub fn options(&self) -> Value {
        let mut options = obj! { "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": self.cascade };
        if self.grace >= 0 {
            options.set(&["gracePeriodSeconds"], self.grace);
        }
        if self.dry_run == DryRun::Server {
            options.set(&["dryRun"], list!["All"]);
        }
        options
    }
}

/// Waits until no object of this name is left, for so long: one that a controller makes anew under the same name is
/// waited for as well.
///
/// # Errors
/// The API server's failure, or when the time is over.
pub async fn gone(cmd: &Cmd, info: &Info, limit: Duration) -> Result<(), Error> {
    let end = cmd.sim().now() + limit;
    loop {
        match cmd
            .get(&info.resource, scope(&info.resource, &info.namespace), &info.name)
            .await
        {
            Ok(_) if cmd.sim().now() >= end => return Err(Error::plain("context deadline exceeded")),
            Ok(_) => cmd.sim().sleep(Duration::from_secs(1)).await,
            Err(e) if e.is_not_found() => return Ok(()),
            Err(e) => return Err(e),
        }
    }
}

async fn run(cmd: &Cmd) -> Result<(), Error> {
    let raw = cmd.flags.str("raw");
    if !raw.is_empty() {
        let mut request = raw::request(Method::Delete, raw);
        request.body = Body::None;
        return raw::send(cmd, request).await;
    }
    let mut deletion = Deletion::of(cmd)?;
    let select = Select::of(cmd);
    let targets = builder::targets(cmd, &select).await?;
    let output = cmd.flags.str("output");
    if !output.is_empty() && output != "name" {
        return Err(Error::plain(format!(
            "unexpected -o output mode: {output}. We only support '-o name'"
        )));
    }
    if cmd.flags.bool("force") {
        cmd.warn(FORCED);
    }
    if cmd.flags.bool("interactive") {
        match confirmed(cmd, &targets.list, &select).await? {
            Some(seen) => deletion.seen = Some(seen),
            None => return Ok(()),
        }
    }
    delete(cmd, targets.list, &select, targets.errors, &deletion).await
}

/// Asks whether all this is to be deleted; what a person agreed to.
async fn confirmed(cmd: &Cmd, targets: &[Target], select: &Select) -> Result<Option<FlatSet<String>>, Error> {
    let mut infos = Vec::new();
    for target in targets {
        match target {
            Target::List { resource, namespace } => {
                let list = cmd.list(resource, namespace, &select.labels, &select.fields).await;
                let list = list.map_err(|e| builder::selector_error(e, resource, select))?;
                infos.extend(builder::items(resource, &list));
            }
            Target::Item(info) => infos.push(info.clone()),
        }
    }
    if infos.is_empty() {
        cmd.say("No resources found");
        return Ok(None);
    }
    cmd.say(format!(
        "You are about to delete the following {} resource(s):",
        infos.len()
    ));
    for info in &infos {
        cmd.say(info.display());
    }
    cmd.out("Do you want to continue? (y/N): ");
    let answer = cmd.cx.stdin.read_line().await.unwrap_or_default();
    if !matches!(answer.trim(), "y" | "Y") {
        cmd.say("deletion is cancelled");
        return Ok(None);
    }
    Ok(Some(infos.iter().map(identity).collect()))
}

/// An object's type, namespace and name.
fn identity(info: &Info) -> String {
    format!("{}/{}", info.namespace, info.display())
}

/// Deletes these objects, type by type as they are listed, says so, and waits for their end.
///
/// # Errors
/// The failures of single deletions, together.
pub async fn delete(
    cmd: &Cmd,
    targets: Vec<Target>,
    select: &Select,
    mut errors: Vec<Error>,
    deletion: &Deletion,
) -> Result<(), Error> {
    let mut waits: Vec<(Info, String)> = Vec::new();
    let mut found = 0;
    let options = deletion.options();
    for target in targets {
        let infos = match target {
            Target::Item(info) => vec![info],
            Target::List { resource, namespace } => {
                match cmd.list(&resource, &namespace, &select.labels, &select.fields).await {
                    Ok(list) => builder::items(&resource, &list),
                    // `delete all --all` meets types that cannot be listed.
                    Err(e) => {
                        errors.push(builder::selector_error(e, &resource, select));
                        continue;
                    }
                }
            }
        };
        for info in infos {
            if deletion
                .seen
                .as_ref()
                .is_some_and(|seen| !seen.contains(&identity(&info)))
            {
                continue;
            }
            if cmd.namespace_given() && !info.resource.namespaced && info.source.is_empty() {
                cmd.warn("deleting cluster-scoped resources, not scoped to the provided namespace");
            }
            if deletion.dry_run == DryRun::Client {
                found += 1;
                say(cmd, &info, deletion);
                continue;
            }
            match cmd.remove(&info.resource, &info.namespace, &info.name, &options).await {
                Ok(answer) => {
                    found += 1;
                    say(cmd, &info, deletion);
                    let uid = match answer.str_at(&["metadata", "uid"]) {
                        "" => answer.str_at(&["details", "uid"]).to_owned(),
                        uid => uid.to_owned(),
                    };
                    waits.push((info, uid));
                }
                // What was not there counts as found, and its end is waited for as that of the others.
                Err(e) if e.is_not_found() && deletion.ignore_not_found => {
                    found += 1;
                    waits.push((info, String::new()));
                }
                Err(e) if info.source.is_empty() => errors.push(e),
                Err(e) => errors.push(e.when(&format!("error when deleting {}", quoted(&info.source)))),
            }
        }
    }
    if !errors.is_empty() {
        return Error::all(errors);
    }
    if found == 0 {
        cmd.say("No resources found");
        return Ok(());
    }
    if !deletion.wait || deletion.dry_run != DryRun::None {
        return Ok(());
    }
    let mut late = Vec::new();
    for (info, uid) in waits {
        let gone = wait_gone(cmd, &info, &uid);
        let outcome = match deletion.timeout.is_zero() {
            true => Some(gone.await),
            false => timeout(cmd.sim(), deletion.timeout, gone).await,
        };
        match outcome {
            Some(Ok(())) => {}
            // Who may not look does not wait.
            Some(Err(e)) if matches!(e.code(), 403 | 405) => {}
            Some(Err(e)) => late.push(e),
            None => late.push(Error::plain(format!(
                "timed out waiting for the condition on {}/{}",
                info.resource.name, info.name
            ))),
        }
    }
    Error::all(late)
}

fn say(cmd: &Cmd, info: &Info, deletion: &Deletion) {
    if deletion.silent {
        return;
    }
    if deletion.name_only {
        cmd.say(info.display());
        return;
    }
    let kind = info.display();
    let kind = kind.split('/').next().unwrap_or("");
    let operation = if deletion.grace == 0 {
        "force deleted"
    } else {
        "deleted"
    };
    let dry = match deletion.dry_run {
        DryRun::None => "",
        DryRun::Client => " (dry run)",
        DryRun::Server => " (server dry run)",
    };
    let place = if info.resource.namespaced && !info.namespace.is_empty() {
        format!(" from {} namespace", info.namespace)
    } else {
        String::new()
    };
    cmd.say(format!("{kind} {} {operation}{place}{dry}", quoted(&info.name)));
}

/// Waits until the object of this uid is gone.
///
/// # Errors
/// The API server's failure.
pub async fn wait_gone(cmd: &Cmd, info: &Info, uid: &str) -> Result<(), Error> {
    let other = |found: &str| !uid.is_empty() && found != uid;
    match cmd.get(&info.resource, &info.namespace, &info.name).await {
        Err(e) if e.is_not_found() => return Ok(()),
        Err(e) => return Err(e),
        Ok(object) if other(object.str_at(&["metadata", "uid"])) => return Ok(()),
        Ok(_) => {}
    }
    let mut following = Following::begin(cmd, info).await?;
    if !following.knows_more() {
        return Ok(());
    }
    loop {
        match following.next().await? {
            None => return Ok(()),
            Some(object) if other(object.uid()) => return Ok(()),
            Some(_) => {}
        }
    }
}

impl Default for Deletion {
    fn default() -> Deletion {
        Deletion {
            cascade: "Background",
            grace: -1,
            dry_run: DryRun::None,
            wait: true,
            timeout: Duration::ZERO,
            ignore_not_found: false,
            name_only: false,
            silent: false,
            seen: None,
        }
    }
}
