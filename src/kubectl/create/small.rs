//! `kubectl create namespace`, `serviceaccount`, `token`, `quota`, `priorityclass` and
//! `poddisruptionbudget`.

use super::{GENERATOR, generate, one_name};
use crate::api::client::item;
use crate::api::{Body, Method, Request};
use crate::kubectl::command::{Cmd, VERB, Verb};
use crate::kubectl::error::Error;
use crate::kubectl::flags::{Flag, Kind, flag};
use crate::kubectl::output;
use crate::kubectl::set::quantities;
use crate::obj;
use crate::value::Value;

pub static NAMESPACE: Verb = Verb {
    name: "namespace",
    aliases: &["ns"],
    short: "Create a namespace with the specified name",
    flags: GENERATOR,
    run: Some(|c| Box::pin(namespace(c))),
    ..VERB
};

async fn namespace(cmd: &Cmd) -> Result<(), Error> {
    let name = one_name(cmd)?;
    let object = obj! {
        "apiVersion": "v1", "kind": "Namespace", "metadata": obj! { "name": name }, "spec": obj! {}, "status": obj! {},
    };
    generate(cmd, object, "").await
}

pub static SERVICE_ACCOUNT: Verb = Verb {
    name: "serviceaccount",
    aliases: &["sa"],
    short: "Create a service account with the specified name",
    flags: GENERATOR,
    run: Some(|c| Box::pin(service_account(c))),
    ..VERB
};

async fn service_account(cmd: &Cmd) -> Result<(), Error> {
    let name = one_name(cmd)?;
    let object = obj! { "apiVersion": "v1", "kind": "ServiceAccount", "metadata": obj! { "name": name } };
    generate(cmd, object, "failed to create serviceaccount").await
}

const TOKEN_FLAGS: &[Flag] = &[
    flag("audience", '\0', Kind::Array, "[]"),
    flag("bound-object-kind", '\0', Kind::Str, ""),
    flag("bound-object-name", '\0', Kind::Str, ""),
    flag("bound-object-uid", '\0', Kind::Str, ""),
    flag("duration", '\0', Kind::Duration, "0s"),
];

pub static TOKEN: Verb = Verb {
    name: "token",
    short: "Request a service account token",
    flags: &[TOKEN_FLAGS, output::PRINT],
    run: Some(|c| Box::pin(token(c))),
    ..VERB
};

async fn token(cmd: &Cmd) -> Result<(), Error> {
    let name = one_name(cmd)?;
    if cmd.flags.negative("duration") {
        return Err(Error::plain("--duration must be greater than or equal to 0"));
    }
    if cmd.flags.duration("duration").subsec_nanos() != 0 {
        return Err(Error::plain(
            "--duration cannot be expressed in units less than seconds",
        ));
    }
    if cmd.flags.all("audience").iter().any(String::is_empty) {
        return Err(Error::plain("--audience must not be an empty string"));
    }
    let kind = cmd.flags.str("bound-object-kind");
    if !matches!(kind, "" | "Node" | "Pod" | "Secret") {
        return Err(Error::plain(
            "supported --bound-object-kind values are Node, Pod, Secret",
        ));
    }
    for flag in ["bound-object-name", "bound-object-uid"] {
        if kind.is_empty() && !cmd.flags.str(flag).is_empty() {
            return Err(Error::plain(format!(
                "--{flag} can only be set if --bound-object-kind is provided"
            )));
        }
    }
    if !kind.is_empty() && cmd.flags.str("bound-object-name").is_empty() {
        return Err(Error::plain(
            "--bound-object-name is required if --bound-object-kind is provided",
        ));
    }
    let accounts = cmd.client.resource("", "v1", "serviceaccounts")?;
    let mut spec = Value::map();
    let audiences: Value = cmd
        .flags
        .all("audience")
        .iter()
        .map(|a| Value::from(a.as_str()))
        .collect();
    spec.set_or_remove(&["audiences"], audiences);
    let seconds = cmd.flags.duration("duration").as_secs();
    if seconds > 0 {
        spec.set(&["expirationSeconds"], seconds as i64);
    }
    if !kind.is_empty() {
        spec.set(&["boundObjectRef", "kind"], kind);
        spec.set(&["boundObjectRef", "apiVersion"], "v1");
        spec.set(&["boundObjectRef", "name"], cmd.flags.str("bound-object-name"));
        spec.set_or_remove(&["boundObjectRef", "uid"], cmd.flags.str("bound-object-uid"));
    }
    let body = obj! { "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec };
    let path = format!("{}/token", item(&accounts, &cmd.namespace(), &name));
    let request = Request::new(Method::Post, path).body(Body::Value(body));
    let answer = cmd.send(request).await;
    let answer = answer.map_err(|e| Error::plain(format!("failed to create token: {}", e.message())))?;
    let value = answer.value();
    match output::printer(cmd, output::FORMATS)?.map(output::Printer::typed) {
        Some(mut p) => p.print(cmd, &value),
        None => {
            cmd.say(value.str_at(&["status", "token"]));
            Ok(())
        }
    }
}

const QUOTA_FLAGS: &[Flag] = &[flag("hard", '\0', Kind::Str, ""), flag("scopes", '\0', Kind::Str, "")];

pub static QUOTA: Verb = Verb {
    name: "quota",
    aliases: &["resourcequota"],
    short: "Create a quota with the specified name",
    flags: &[
        QUOTA_FLAGS,
        GENERATOR[0],
        GENERATOR[1],
        GENERATOR[2],
        GENERATOR[3],
        GENERATOR[4],
    ],
    run: Some(|c| Box::pin(quota(c))),
    ..VERB
};

async fn quota(cmd: &Cmd) -> Result<(), Error> {
    let name = one_name(cmd)?;
    let mut object = obj! {
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": obj! { "name": name }, "spec": obj! {}, "status": obj! {},
    };
    object.set_or_remove(&["spec", "hard"], quantities(cmd.flags.str("hard"))?);
    let scopes: Value = cmd
        .flags
        .str("scopes")
        .split(',')
        .filter(|s| !s.is_empty())
        .map(Value::from)
        .collect();
    object.set_or_remove(&["spec", "scopes"], scopes);
    generate(cmd, object, "failed to create quota").await
}

const PRIORITY_FLAGS: &[Flag] = &[
    flag("description", '\0', Kind::Str, ""),
    flag("global-default", '\0', Kind::Bool, "false"),
    flag("preemption-policy", '\0', Kind::Str, "PreemptLowerPriority"),
    flag("value", '\0', Kind::Int32, "0"),
];

pub static PRIORITY_CLASS: Verb = Verb {
    name: "priorityclass",
    aliases: &["pc"],
    short: "Create a priority class with the specified name",
    flags: &[
        PRIORITY_FLAGS,
        GENERATOR[0],
        GENERATOR[1],
        GENERATOR[2],
        GENERATOR[3],
        GENERATOR[4],
    ],
    run: Some(|c| Box::pin(priority_class(c))),
    ..VERB
};

async fn priority_class(cmd: &Cmd) -> Result<(), Error> {
    let name = one_name(cmd)?;
    let mut object = obj! {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": obj! { "name": name },
        "preemptionPolicy": cmd.flags.str("preemption-policy"),
        "value": cmd.flags.int("value"),
    };
    object.set_or_remove(&["description"], cmd.flags.str("description"));
    object.set_or_remove(&["globalDefault"], cmd.flags.bool("global-default"));
    generate(cmd, object, "failed to create priorityclass").await
}

const PDB_FLAGS: &[Flag] = &[
    flag("max-unavailable", '\0', Kind::Str, ""),
    flag("min-available", '\0', Kind::Str, ""),
    flag("selector", '\0', Kind::Str, ""),
];

pub static PDB: Verb = Verb {
    name: "poddisruptionbudget",
    aliases: &["pdb"],
    short: "Create a pod disruption budget with the specified name",
    flags: &[
        PDB_FLAGS,
        GENERATOR[0],
        GENERATOR[1],
        GENERATOR[2],
        GENERATOR[3],
        GENERATOR[4],
    ],
    run: Some(|c| Box::pin(pdb(c))),
    ..VERB
};

/// A number or a percentage.
fn int_or_string(text: &str) -> Value {
    text.parse::<i64>().map_or_else(|_| text.into(), Value::from)
}

async fn pdb(cmd: &Cmd) -> Result<(), Error> {
    let name = one_name(cmd)?;
    let (min, max, selector) = (
        cmd.flags.str("min-available"),
        cmd.flags.str("max-unavailable"),
        cmd.flags.str("selector"),
    );
    if selector.is_empty() {
        return Err(Error::plain("a selector must be specified"));
    }
    if min.is_empty() && max.is_empty() {
        return Err(Error::plain(
            "one of min-available or max-unavailable must be specified",
        ));
    }
    if !min.is_empty() && !max.is_empty() {
        return Err(Error::plain(
            "min-available and max-unavailable cannot be both specified",
        ));
    }
    let count = |text: &str| {
        let digits = text.strip_suffix('%').unwrap_or(text);
        text.is_empty() || !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit())
    };
    for (text, flag) in [(min, "min-available"), (max, "max-unavailable")] {
        if !count(text) {
            return Err(Error::plain(format!("invalid format specified for {flag}")));
        }
    }
    let selector = crate::api::Selector::label_selector(selector).map_err(Error::plain)?;
    let mut object = obj! {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": obj! { "name": name },
        "spec": obj! { "selector": selector },
        "status": obj! { "currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0 },
    };
    if !min.is_empty() {
        object.set(&["spec", "minAvailable"], int_or_string(min));
    }
    if !max.is_empty() {
        object.set(&["spec", "maxUnavailable"], int_or_string(max));
    }
    generate(cmd, object, "failed to create poddisruptionbudgets").await
}
