//! The names and amounts of resources (`pkg/apis/core/helper`, `ValidateResourceQuantityValue`).

use crate::api::names;
use crate::api::quantity::Quantity;
use crate::api::status::FieldErrors;
use crate::value::{Value, gofmt};

/// Whether the name belongs to Kubernetes itself.
pub(crate) fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

fn is_huge_page(name: &str) -> bool {
    name.starts_with("hugepages-")
}

/// Whether a request may be less than its limit.
pub(crate) fn may_overcommit(name: &str) -> bool {
    is_native(name) && !is_huge_page(name)
}

pub(super) fn is_extended(name: &str) -> bool {
    !is_native(name) && !name.starts_with("requests.") && names::label_key(&format!("requests.{name}")).is_ok()
}

/// What quotas count as objects.
const OBJECTS: [&str; 9] = [
    "pods",
    "services",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
];

fn is_of_containers(name: &str) -> bool {
    matches!(name, "cpu" | "memory" | "ephemeral-storage") || is_huge_page(name)
}

/// Whether a quota may limit it under this name.
pub(crate) fn is_of_quotas(name: &str) -> bool {
    let bare = name.strip_prefix("requests.").or_else(|| name.strip_prefix("limits."));
    matches!(name, "cpu" | "memory" | "ephemeral-storage" | "requests.storage")
        || OBJECTS.contains(&name)
        || bare.is_some_and(|b| matches!(b, "cpu" | "memory" | "ephemeral-storage"))
        || name.strip_prefix("requests.").is_some_and(is_huge_page)
        || is_huge_page(name)
}

fn is_whole(name: &str) -> bool {
    OBJECTS.contains(&name) || is_extended(name)
}

/// Where a name stands, and so which ones are allowed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    Container,
    Pod,
    Quota,
    Other,
}

/// Checks the name of a resource.
pub(crate) fn name(name: &str, holder: Holder, field: &str, errors: &mut FieldErrors) {
    let shown = Value::from(name);
    let plain = !name.contains('/');
    let mut broken = true;
    if let Err(why) = names::label_key(name) {
        errors.invalid(field, &shown, why);
    } else if plain && !is_of_quotas(name) && name != "storage" {
        errors.invalid(field, &shown, "must be a standard resource type or fully qualified");
    } else {
        broken = false;
    }
    match holder {
        Holder::Container if plain && !is_of_containers(name) => {
            errors.invalid(field, &shown, "must be a standard resource for containers");
        }
        Holder::Container if !is_native(name) && !is_extended(name) => {
            errors.invalid(field, &shown, "doesn't follow extended resource name standard");
        }
        Holder::Pod if !broken && !matches!(name, "cpu" | "memory") && !is_huge_page(name) => {
            errors.not_supported(field, &shown, &["cpu", "hugepages-", "memory"]);
        }
        Holder::Quota if plain && !is_of_quotas(name) => {
            errors.invalid(field, &shown, "must be a standard resource for quota");
        }
        _ => {}
    }
}

/// Checks that an amount is not negative, and whole where only whole ones exist.
pub(crate) fn amount(name: &str, amount: &Value, field: &str, errors: &mut FieldErrors) {
    let quantity = Quantity::parse_or_zero(amount.str());
    if quantity.is_negative() {
        errors.invalid(field, amount, "must be greater than or equal to 0");
    }
    if is_whole(name) && quantity.milli_value() % 1000 != 0 {
        errors.invalid(field, amount, "must be an integer");
    }
}

fn huge_page(name: &str, amount: &Value, field: &str, errors: &mut FieldErrors) {
    let Some(size) = name.strip_prefix("hugepages-") else {
        return;
    };
    let (size, quantity) = (Quantity::parse_or_zero(size), Quantity::parse_or_zero(amount.str()));
    let whole = size.milli_value() > 0
        && size.milli_value() % 1000 == 0
        && quantity.value().checked_rem(size.value()).is_some_and(|rest| rest == 0);
    if !whole {
        let why = format!("{} is not positive integer multiple of {name}", amount.str());
        errors.invalid(field, amount, why);
    }
}

/// Checks requests and limits (`validateResourceRequirements`). `claims` are the names of the pod's claims.
pub(crate) fn requirements(value: &Value, holder: Holder, claims: &[&str], field: &str, errors: &mut FieldErrors) {
    let (limits, requests) = (value.get("limits"), value.get("requests"));
    for (list, amounts) in [("limits", limits), ("requests", requests)] {
        for (resource, quantity) in amounts.entries() {
            let at = format!("{field}.{list}[{}]", &**resource);
            name(resource, holder, &at, errors);
            amount(resource, quantity, &at, errors);
            if list == "requests" {
                against_limit(resource, quantity, limits.get(resource), field, errors);
            }
            huge_page(resource, quantity, &at, errors);
        }
    }
    let any = |wanted: &dyn Fn(&str) -> bool| limits.entries().chain(requests.entries()).any(|(k, _)| wanted(k));
    if any(&is_huge_page) && !any(&|k| matches!(k, "cpu" | "memory")) {
        errors.forbidden(field, "HugePages require cpu or memory");
    }
    let mut seen: Vec<&str> = Vec::new();
    for (i, claim) in value.get("claims").items().iter().enumerate() {
        let at = format!("{field}.claims[{i}]");
        let claim = claim.get("name");
        if claim.is_empty() {
            errors.required(at, "");
            continue;
        }
        if seen.contains(&claim.str()) {
            errors.duplicate(&at, claim);
        }
        seen.push(claim.str());
        if !claims.contains(&claim.str()) {
            let mut why = "must be one of the names in pod.spec.resourceClaims".to_owned();
            if claims.is_empty() {
                why.push_str(" which is empty");
            } else {
                why.push_str(&format!(": {}", claims.join(", ")));
            }
            let kind = crate::api::status::FieldErrorKind::NotFound;
            errors.add(kind, at, gofmt::quote(claim.str()), why);
        }
    }
}

fn against_limit(name: &str, request: &Value, limit: &Value, field: &str, errors: &mut FieldErrors) {
    if limit.is_null() {
        if !may_overcommit(name) {
            errors.required(
                format!("{field}.limits"),
                "Limit must be set for non overcommitable resources",
            );
        }
        return;
    }
    let (asked, most) = (
        Quantity::parse_or_zero(request.str()),
        Quantity::parse_or_zero(limit.str()),
    );
    let how = if asked != most && !may_overcommit(name) {
        "equal to"
    } else if asked > most {
        "less than or equal to"
    } else {
        return;
    };
    let why = format!("must be {how} {name} limit of {}", limit.str());
    errors.invalid(format!("{field}.requests"), request, why);
}
