//! `kubectl certificate`: approves and denies certificate signing requests.

use super::builder::{self, Select};
use super::command::{Cmd, VERB, Verb, Write};
use super::error::Error;
use super::flags::{Flag, Kind, flag};
use super::options::FILES;
use super::output::{PRINT, Report};
use crate::flat::Case;
use crate::obj;
use crate::value::{Value, quoted};

pub static CERTIFICATE: Verb = Verb {
    name: "certificate",
    group: "Cluster Management Commands:",
    short: "Modify certificate resources",
    subs: &[&APPROVE, &DENY],
    run: Some(|c| Box::pin(super::root::own_help(c))),
    ..VERB
};

const FLAGS: &[Flag] = &[flag("force", '\0', Kind::Bool, "false")];

static APPROVE: Verb = Verb {
    name: "approve",
    short: "Approve a certificate signing request",
    flags: &[FLAGS, FILES, PRINT],
    run: Some(|c| Box::pin(decide(c, "Approved", "Denied"))),
    ..VERB
};

static DENY: Verb = Verb {
    name: "deny",
    short: "Deny a certificate signing request",
    flags: &[FLAGS, FILES, PRINT],
    run: Some(|c| Box::pin(decide(c, "Denied", "Approved"))),
    ..VERB
};

/// Adds the condition `wanted` to each request that has neither it nor its opposite.
async fn decide(cmd: &Cmd, wanted: &'static str, opposite: &str) -> Result<(), Error> {
    cmd.complete()?;
    if cmd.args.is_empty() && !cmd.flags.has("filename") && !cmd.flags.has("kustomize") {
        return Err(Error::plain(
            "one or more CSRs must be specified as <name> or -f <filename>",
        ));
    }
    let mut select = Select::of(cmd);
    // A name may say its type.
    for name in &mut select.args {
        if !name.contains('/') {
            *name = format!("certificatesigningrequests/{name}");
        }
    }
    let found = builder::find(cmd, &select, true).await?;
    let mut errors = found.errors;
    let operation = wanted.lower();
    let mut report = Report::new(cmd, &operation)?.typed();
    let word = if wanted == "Denied" { "deny" } else { "approve" };
    let count = found.infos.len();
    for info in found.infos {
        if &*info.resource.kind != "CertificateSigningRequest" {
            errors.push(Error::plain(format!(
                "can only handle CertificateSigningRequest.certificates.k8s.io objects, got {}",
                info.resource.group_kind()
            )));
            continue;
        }
        let mut request = info.object.clone();
        let conditions = request.at(&["status", "conditions"]).items();
        let has = |kind: &str| conditions.iter().any(|c| c.str_at(&["type"]) == kind);
        if has(opposite) {
            errors.push(Error::plain(format!(
                "certificate signing request {} is already {opposite}",
                quoted(&info.name)
            )));
            continue;
        }
        let already = has(wanted);
        if !already {
            let mut all: Vec<Value> = conditions.to_vec();
            all.push(obj! {
                "type": wanted,
                "status": "True",
                "reason": format!("Kubectl{}{}", word.get(..1).unwrap_or("").upper(), word.get(1..).unwrap_or("")),
                "message": format!("This CSR was {operation} by kubectl certificate {word}."),
                "lastUpdateTime": cmd.sim().now(),
            });
            request.set(&["status", "conditions"], all);
        }
        if !already || cmd.flags.bool("force") {
            // It names no manager: the API server takes the program's name.
            let write = Write::default();
            let sent = cmd.replace(&info.resource, "", &info.name, "approval", &request, &write);
            if let Err(e) = sent.await {
                errors.push(e);
                continue;
            }
        }
        if let Err(e) = report.print(cmd, &info.object) {
            errors.push(e);
        }
    }
    if count == 0 && errors.is_empty() {
        cmd.say("No resources found");
    }
    Error::all(errors)
}

#[cfg(test)]
mod tests {
    use super::super::testing::run;

    #[test]
    fn wants_requests_that_are_there() {
        assert_eq!(
            run("kubectl certificate approve"),
            "error: one or more CSRs must be specified as <name> or -f <filename>\n"
        );
        assert_eq!(
            run("kubectl certificate deny none"),
            "Error from server (NotFound): certificatesigningrequests.certificates.k8s.io \"none\" not found\n"
        );
    }
}
