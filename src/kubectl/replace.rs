//! `kubectl replace`.

use super::builder::{self, Select, Target};
use super::command::{Cmd, DryRun, VERB, Verb, Write};
use super::delete::{self, Deletion};
use super::error::Error;
use super::flags::{Flag, Kind, flag};
use super::options::{DELETION, DRY_RUN, FILES, SAVE_CONFIG, SUBRESOURCE, VALIDATE, field_manager, wait};
use super::output::{PRINT, Report};
use super::raw;
use crate::api::Method;
use crate::value::quoted;
use std::time::Duration;

const FLAGS: &[Flag] = &[flag("raw", '\0', Kind::Str, ""), wait("false")];

/// How long `--force` looks whether an object is gone without `--timeout` (`forceReplace` of kubectl).
const PATIENCE: Duration = Duration::from_secs(5 * 60);

pub static REPLACE: Verb = Verb {
    name: "replace",
    group: "Advanced Commands:",
    short: "Replace a resource by file name or stdin",
    flags: &[
        FLAGS,
        DELETION,
        FILES,
        PRINT,
        DRY_RUN,
        SAVE_CONFIG,
        VALIDATE,
        &[field_manager("kubectl-replace")],
        SUBRESOURCE,
    ],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

async fn run(cmd: &Cmd) -> Result<(), Error> {
    cmd.complete()?;
    let cascade = delete::cascade(cmd)?;
    let force = cmd.flags.bool("force");
    // Nobody means to lose data: zero seconds become one, and the end is waited for.
    let (grace, wait) = match cmd.flags.int("grace-period") {
        0 => (1, true),
        given => (given, cmd.flags.bool("wait")),
    };
    let limit = cmd.flags.duration("timeout");
    if grace >= 0 && !force {
        return Err(Error::plain("--grace-period must have --force specified"));
    }
    if !limit.is_zero() && !force {
        return Err(Error::plain("--timeout must have --force specified"));
    }
    if !cmd.flags.has("filename") && !cmd.flags.has("kustomize") {
        return Err(Error::plain("must specify one of -f and -k"));
    }
    let raw = cmd.flags.str("raw");
    if !raw.is_empty() {
        return raw::send_file(cmd, Method::Put, raw).await;
    }
    let mut report = Report::new(cmd, "replaced")?;
    let write = Write::of(cmd, "kubectl-replace")?;
    let mut select = Select::of(cmd);
    select.validate = true;
    let targets = builder::targets(cmd, &select).await?;
    let mut errors = targets.errors;
    let mut infos: Vec<_> = targets
        .list
        .into_iter()
        .filter_map(|t| match t {
            Target::Item(info) => Some(info),
            Target::List { .. } => None,
        })
        .collect();
    if force {
        if cmd.dry_run()? != DryRun::None {
            return Err(Error::plain("--dry-run can not be used when --force is set"));
        }
        let deletion = Deletion {
            cascade,
            grace,
            wait,
            timeout: limit,
            ignore_not_found: true,
            name_only: cmd.flags.str("output") == "name",
            ..Deletion::default()
        };
        let targets = infos.iter().cloned().map(Target::Item).collect();
        delete::delete(cmd, targets, &Select::default(), Vec::new(), &deletion).await?;
        // Without a limit five minutes are given.
        let patience = if limit.is_zero() { PATIENCE } else { limit };
        let mut late = Vec::new();
        for info in &infos {
            late.extend(delete::gone(cmd, info, patience).await.err());
        }
        Error::all(late)?;
    }
    for info in &mut infos {
        if cmd.flags.bool("save-config")
            || info
                .object
                .at(&["metadata", "annotations"])
                .has(crate::api::well_known::LAST_APPLIED)
        {
            super::apply::annotate(&mut info.object);
        }
        if cmd.dry_run()? == DryRun::Client {
            report.print(cmd, &info.object)?;
            continue;
        }
        let subresource = cmd.flags.str("subresource");
        let result = if force {
            cmd.create(&info.resource, &info.namespace, &info.object, &write).await
        } else {
            let (r, ns, name) = (&info.resource, &info.namespace, &info.name);
            // What names no version takes the place of the present one.
            let mut object = info.object.clone();
            if object.str_at(&["metadata", "resourceVersion"]).is_empty()
                && let Ok(present) = cmd.get(r, ns, name).await
            {
                let version = present.at(&["metadata", "resourceVersion"]).clone();
                object.set(&["metadata", "resourceVersion"], version);
            }
            cmd.replace(r, ns, name, subresource, &object, &write).await
        };
        match result {
            Ok(stored) => report.print(cmd, &stored)?,
            Err(e) => errors.push(e.when(&format!("error when replacing {}", quoted(&info.source)))),
        }
    }
    Error::all(errors)
}

#[cfg(test)]
mod tests {
    use super::super::testing::run_in;
    use crate::world::{Options, World};

    #[test]
    fn force_deletes_as_its_flags_say() {
        let world = World::new(&Options::default()).unwrap();
        let run = |line: &str| run_in(&world, line);
        run("kubectl create cm free --dry-run=client -o yaml > free.yaml; kubectl create -f free.yaml");
        run(
            "sed 's|name: free|name: held\\n  finalizers: [acme.io/hold]|' free.yaml > held.yaml; kubectl create -f held.yaml",
        );
        for (line, said) in [
            (
                "kubectl replace --force --grace-period=0 --cascade=orphan -f free.yaml",
                "configmap \"free\" deleted from default namespace\nconfigmap/free replaced\n",
            ),
            (
                "kubectl replace --force -f free.yaml -o name",
                "configmap/free\nconfigmap/free\n",
            ),
            (
                "kubectl replace --force --timeout=2s -f held.yaml",
                "configmap \"held\" deleted from default namespace\nerror: context deadline exceeded\n",
            ),
            (
                "kubectl replace --force --timeout=2s --wait -f held.yaml",
                "configmap \"held\" deleted from default namespace\nerror: timed out waiting for the condition on \
                 configmaps/held\n",
            ),
            (
                "kubectl replace --cascade=no -f free.yaml",
                "error: invalid cascade value (no). Must be \"background\", \"foreground\", or \"orphan\"\n",
            ),
        ] {
            assert_eq!(run(line).0, said, "{line}");
        }
        // The objects that one owns stay when it is replaced with --cascade=orphan, and go otherwise.
        run("kubectl create deploy web --image=nginx; kubectl rollout status deploy web");
        run("kubectl create deploy web --image=nginx --dry-run=client -o yaml > web.yaml");
        let set = || run("kubectl get rs -l app=web -o jsonpath='{.items[*].metadata.uid}'").0;
        let before = set();
        run("kubectl replace --force --cascade=orphan -f web.yaml; sleep 5");
        assert_eq!(set(), before);
        run("kubectl replace --force -f web.yaml; sleep 5");
        assert_ne!(set(), before);
    }
}
