//! `resource.k8s.io`: ResourceClaims and their templates, DeviceClasses and ResourceSlices
//! (`pkg/apis/resource/validation`). The expressions of selectors are not compiled.

use super::{
    age_cell, csi, edit, edit_at, edit_items, internal, pod_validation, resources, set_default_zero, statuses, workload,
};
use crate::api::cel::Semver;
use crate::api::metadata;
use crate::api::names;
use crate::api::object::Object;
use crate::api::status::{FieldErrorKind, FieldErrors};
use crate::api::strategy::Strategy;
use crate::sim::Time;
use crate::value::{Value, gofmt};

/// Requests, constraints, configurations and selectors of a claim or class.
const MOST: usize = 32;
const MOST_ALTERNATIVES: usize = 8;
const MOST_CONSUMERS: usize = 256;
const MOST_CONDITIONS: usize = 4;
const EXPRESSION_BYTES: usize = 10 << 10;
const PARAMETER_BYTES: usize = 10 << 10;

/// Checks each item of a list that has at most so many, and that no two have the same key.
fn list(
    list: &Value,
    most: usize,
    field: &str,
    key: Option<fn(&Value) -> &Value>,
    errors: &mut FieldErrors,
    mut check: impl FnMut(&Value, &str, &mut FieldErrors),
) {
    let items = list.items();
    if items.len() > most {
        return errors.too_many(field, items.len(), most);
    }
    for (i, item) in items.iter().enumerate() {
        check(item, &format!("{field}[{i}]"), errors);
    }
    let Some(key) = key else { return };
    for (i, item) in items.iter().enumerate() {
        if items.iter().take(i).any(|other| key(other) == key(item)) {
            errors.duplicate(format!("{field}[{i}]"), key(item));
        }
    }
}

fn by_name(item: &Value) -> &Value {
    item.get("name")
}

fn itself(item: &Value) -> &Value {
    item
}

/// An empty text, where Go has one for what is absent.
fn text(value: &Value) -> Value {
    value.str().into()
}

fn request_defaults(request: &mut Value) {
    set_default_zero(request, "allocationMode", "ExactCount");
    if request.get("allocationMode").str() == "ExactCount" {
        set_default_zero(request, "count", 1);
    }
    edit_items(request, "tolerations", |t| set_default_zero(t, "operator", "Equal"));
}

fn claim_defaults(claim: &mut Value) {
    edit(claim, "devices", |devices| {
        edit_items(devices, "requests", |request| {
            edit(request, "exactly", request_defaults);
            edit_items(request, "firstAvailable", request_defaults);
        });
    });
}

/// The spec of a claim.
fn claim(spec: &Value, field: &str, errors: &mut FieldErrors) {
    let devices = spec.get("devices");
    let field = format!("{field}.devices");
    let requests = devices.get("requests");
    list(
        requests,
        MOST,
        &format!("{field}.requests"),
        Some(by_name),
        errors,
        request,
    );
    list(
        devices.get("constraints"),
        MOST,
        &format!("{field}.constraints"),
        None,
        errors,
        |constraint, at, errors| {
            names_of_requests(constraint, requests, at, errors);
            let (same, differs) = (constraint.get("matchAttribute"), constraint.get("distinctAttribute"));
            if !same.is_null() {
                attribute(same, &format!("{at}.matchAttribute"), errors);
            } else if !differs.is_null() {
                attribute(differs, &format!("{at}.distinctAttribute"), errors);
            } else {
                let why = "exactly one of \"matchAttribute\" or \"distinctAttribute\" is required, but multiple fields are set";
                errors.required(at, why);
            }
        },
    );
    list(
        devices.get("config"),
        MOST,
        &format!("{field}.config"),
        None,
        errors,
        |config, at, errors| {
            names_of_requests(config, requests, at, errors);
            configuration(config, at, errors);
        },
    );
}

fn request(request: &Value, at: &str, errors: &mut FieldErrors) {
    errors.check(format!("{at}.name"), &text(request.get("name")), names::dns1123_label);
    let (exactly, first) = (request.get("exactly"), request.get("firstAvailable"));
    match (!exactly.is_null(), !first.is_empty()) {
        (false, false) => errors.required(at, "exactly one of `exactly` or `firstAvailable` is required"),
        (true, true) => {
            let why = "exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set";
            errors.invalid(at, &Value::Null, why);
        }
        (true, false) => one_request(exactly, &format!("{at}.exactly"), errors),
        (false, true) => {
            let at = format!("{at}.firstAvailable");
            list(
                first,
                MOST_ALTERNATIVES,
                &at,
                Some(by_name),
                errors,
                |sub, at, errors| {
                    errors.check(format!("{at}.name"), &text(sub.get("name")), names::dns1123_label);
                    one_request(sub, at, errors);
                },
            );
        }
    }
}

fn one_request(request: &Value, at: &str, errors: &mut FieldErrors) {
    let class = request.get("deviceClassName");
    errors.check_required(format!("{at}.deviceClassName"), class, names::dns1123_subdomain);
    let selectors = request.get("selectors");
    list(selectors, MOST, &format!("{at}.selectors"), None, errors, selector);
    let (mode, count) = (request.get("allocationMode"), request.i64_at(&["count"]).unwrap_or(0));
    let field = format!("{at}.count");
    match mode.str() {
        "All" if count != 0 => {
            let why = "must not be specified when allocationMode is 'All'";
            errors.invalid(field, &count.into(), why);
        }
        "All" => {}
        "ExactCount" if count <= 0 => errors.invalid(field, &count.into(), "must be greater than zero"),
        "ExactCount" => {}
        _ => errors.not_supported(format!("{at}.allocationMode"), &text(mode), &["All", "ExactCount"]),
    }
    for (i, t) in request.get("tolerations").items().iter().enumerate() {
        toleration(t, &format!("{at}.tolerations[{i}]"), errors);
    }
}

const EFFECTS: [&str; 3] = ["NoExecute", "NoSchedule", "None"];

fn toleration(t: &Value, at: &str, errors: &mut FieldErrors) {
    errors.check_some(format!("{at}.key"), t.get("key"), names::label_key);
    let (operator, value) = (t.get("operator"), t.get("value"));
    let field = format!("{at}.value");
    match operator.str() {
        "Exists" if !value.is_empty() => {
            errors.invalid(field, value, "must be empty for operator `Exists`");
        }
        "Exists" => {}
        "Equal" => errors.check(field, value, names::label_value),
        "" => errors.required(format!("{at}.operator"), ""),
        _ => errors.not_supported(format!("{at}.operator"), operator, &["Equal", "Exists"]),
    }
    if !t.get("effect").is_empty() {
        errors.enumerated(format!("{at}.effect"), t.get("effect"), &EFFECTS);
    }
}

fn selector(selector: &Value, at: &str, errors: &mut FieldErrors) {
    if selector.get("cel").is_null() {
        errors.required(format!("{at}.cel"), "");
    } else if selector.str_at(&["cel", "expression"]).len() > EXPRESSION_BYTES {
        errors.too_long(format!("{at}.cel.expression"), EXPRESSION_BYTES);
    }
}

/// The requests of the claim that a constraint or configuration is about: `request`, or
/// `request/alternative`.
fn names_of_requests(holder: &Value, requests: &Value, at: &str, errors: &mut FieldErrors) {
    let field = format!("{at}.requests");
    list(
        holder.get("requests"),
        MOST,
        &field,
        Some(itself),
        errors,
        |name, at, errors| {
            request_name(name, requests, at, errors);
        },
    );
}

fn request_name(name: &Value, requests: &Value, at: &str, errors: &mut FieldErrors) {
    let why = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'";
    let parts: Vec<&str> = name.str().split('/').collect();
    let (first, second) = match parts.as_slice() {
        [one] => (*one, None),
        [one, two] => (*one, Some(*two)),
        _ => return errors.invalid(at, name, why),
    };
    for part in &parts {
        errors.check(at, &Value::from(*part), names::dns1123_label);
    }
    let request = requests.items().iter().find(|r| r.get("name").str() == first);
    let known = request.is_some_and(|r| {
        let mut alternatives = r.get("firstAvailable").items().iter();
        second.is_none_or(|s| alternatives.any(|a| a.get("name").str() == s))
    });
    if !known {
        errors.invalid(at, &text(name), why);
    }
}

/// A name with its domain.
fn attribute(name: &Value, at: &str, errors: &mut FieldErrors) {
    qualified(name.str(), at, errors);
    if !name.str().contains('/') {
        let why = "a fully qualified name must be a domain and a name separated by a slash";
        errors.invalid(at, name, why);
    }
}

/// A C identifier, perhaps with a domain.
fn qualified(name: &str, at: &str, errors: &mut FieldErrors) {
    match name.split('/').collect::<Vec<_>>().as_slice() {
        [id] => identifier(id, at, errors),
        [domain, id] => {
            if domain.is_empty() {
                errors.invalid(at, &"".into(), "the domain must not be empty");
            } else {
                csi::driver_name(&(*domain).into(), at, errors);
            }
            if id.is_empty() {
                errors.invalid(at, &"".into(), "the name must not be empty");
            } else {
                identifier(id, at, errors);
            }
        }
        // The real server takes more slashes as they are.
        _ => {}
    }
}

fn identifier(id: &str, at: &str, errors: &mut FieldErrors) {
    const BYTES: usize = 32;
    if id.len() > BYTES {
        errors.too_long(at, BYTES);
    }
    let known = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
    if id.is_empty() || !id.bytes().all(known) || id.starts_with(|c: char| c.is_ascii_digit()) {
        let why = "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is '[A-Za-z_][A-Za-z0-9_]*')";
        errors.invalid(at, &id.into(), why);
    }
}

/// What a driver is told.
fn configuration(config: &Value, at: &str, errors: &mut FieldErrors) {
    let opaque = config.get("opaque");
    let at = format!("{at}.opaque");
    if opaque.is_null() {
        return errors.required(at, "");
    }
    csi::driver_name(opaque.get("driver"), &format!("{at}.driver"), errors);
    let (parameters, at) = (opaque.get("parameters"), format!("{at}.parameters"));
    if parameters.is_null() {
        errors.required(at, "");
    } else if parameters.to_json().len() > PARAMETER_BYTES {
        errors.too_long(at, PARAMETER_BYTES);
    } else if parameters.as_map().is_none() {
        errors.invalid(at, &"<value omitted>".into(), "must be a valid JSON object");
    }
}

fn pool_name(name: &Value, at: &str, errors: &mut FieldErrors) {
    const BYTES: usize = 253;
    if name.is_empty() {
        return errors.required(at, "");
    }
    if name.str().len() > BYTES {
        errors.too_long(at, BYTES);
    }
    for part in name.str().split('/') {
        errors.check(at, &part.into(), names::dns1123_subdomain);
    }
}

/// The rules of ResourceClaims.
pub struct ResourceClaimRules;

impl Strategy for ResourceClaimRules {
    fn defaults(&self, object: &mut Value) {
        edit(object, "spec", claim_defaults);
    }

    fn first_status(&self) -> Option<Value> {
        Some(Value::map())
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        claim(object.get("spec"), "spec", errors);
    }

    fn validate_changed(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        workload::immutable_spec(new, old, "ClaimOfDevices", errors);
    }

    fn validate_status(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        let (status, had) = (new.get("status"), old.status());
        let (reserved, allocation) = (status.get("reservedFor"), status.get("allocation"));
        let uid = |consumer: &Value| consumer.get("uid").clone();
        let field = "status.reservedFor";
        list(
            reserved,
            MOST_CONSUMERS,
            field,
            Some(|c| c.get("uid")),
            errors,
            |consumer, at, errors| {
                for part in ["resource", "name", "uid"] {
                    if consumer.get(part).is_empty() {
                        errors.required(format!("{at}.{part}"), "");
                    }
                }
            },
        );
        allocated_devices(status, errors);
        if !reserved.is_empty() {
            let known = |c: &Value| had.get("reservedFor").items().iter().any(|h| uid(h) == uid(c));
            if allocation.is_null() {
                errors.forbidden(field, "may not be specified when `allocated` is not set");
            } else if old.is_deleting() && !reserved.items().iter().all(known) {
                let why = "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set";
                errors.forbidden(field, why);
            }
        }
        let before = had.get("allocation");
        if allocation.is_null() || allocation == before {
            return;
        }
        if !before.is_null() {
            return errors.invalid("status.allocation", allocation, "field is immutable");
        }
        let requests = new.at(&["spec", "devices", "requests"]);
        let results = allocation.at(&["devices", "results"]);
        let at = "status.allocation.devices.results";
        list(results, MOST, at, None, errors, |result, at, errors| {
            request_name(result.get("request"), requests, &format!("{at}.request"), errors);
            csi::driver_name(result.get("driver"), &format!("{at}.driver"), errors);
            pool_name(result.get("pool"), &format!("{at}.pool"), errors);
            let device = text(result.get("device"));
            errors.check(format!("{at}.device"), &device, names::dns1123_label);
        });
        if !allocation.get("nodeSelector").is_null() {
            let at = "status.allocation.nodeSelector";
            pod_validation::node_selector(allocation.get("nodeSelector"), at, errors);
        }
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let status = object.status();
        let mut states = Vec::new();
        if object.is_deleting() {
            states.push("deleted");
        }
        match status.get("allocation").is_null() {
            true if !object.is_deleting() => states.push("pending"),
            true => {}
            false => {
                states.push("allocated");
                if !status.get("reservedFor").is_empty() {
                    states.push("reserved");
                }
            }
        }
        Some(vec![
            object.name().into(),
            states.join(",").into(),
            age_cell(object, now),
        ])
    }
}

/// What drivers say of the devices that a claim has.
fn allocated_devices(status: &Value, errors: &mut FieldErrors) {
    let id = |d: &Value| -> String {
        let parts: Vec<&str> = ["driver", "pool", "device"].map(|p| d.get(p).str()).to_vec();
        parts.join("/")
    };
    let results = status.at(&["allocation", "devices", "results"]).items();
    for (i, device) in status.get("devices").items().iter().enumerate() {
        let at = format!("status.devices[{i}]");
        csi::driver_name(device.get("driver"), &format!("{at}.driver"), errors);
        pool_name(device.get("pool"), &format!("{at}.pool"), errors);
        let name = text(device.get("device"));
        errors.check(format!("{at}.device"), &name, names::dns1123_label);
        if !results.iter().any(|r| id(r) == id(device)) {
            let shown = id(device);
            let why = "must be an allocated device in the claim";
            errors.add(FieldErrorKind::Invalid, &at, gofmt::quote(&shown), why);
        }
        let conditions = device.get("conditions");
        statuses::conditions(conditions, &format!("{at}.conditions"), errors);
        for (j, ip) in device.at(&["networkData", "ips"]).items().iter().enumerate() {
            errors.check(format!("{at}.networkData.ips[{j}]"), ip, names::interface_address);
        }
    }
}

/// The rules of ResourceClaimTemplates.
pub struct ResourceClaimTemplateRules;

impl Strategy for ResourceClaimTemplateRules {
    fn defaults(&self, object: &mut Value) {
        edit_at(object, &["spec", "spec"], &mut claim_defaults);
    }

    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let template = object.at(&["spec", "metadata"]);
        metadata::labels(template.get("labels"), "spec.metadata.labels", errors);
        metadata::annotations(template.get("annotations"), "spec.metadata.annotations", errors);
        claim(object.at(&["spec", "spec"]), "spec.spec", errors);
    }

    fn validate_changed(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        workload::immutable_spec(new, old, "", errors);
    }
}

/// The rules of DeviceClasses.
pub struct DeviceClassRules;

impl Strategy for DeviceClassRules {
    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let spec = object.get("spec");
        list(spec.get("selectors"), MOST, "spec.selectors", None, errors, selector);
        list(spec.get("config"), MOST, "spec.config", None, errors, configuration);
        let extended = spec.get("extendedResourceName");
        if !extended.is_null() && !resources::is_extended(extended.str()) {
            let why = "must be a valid extended resource name";
            errors.invalid("spec.extendedResourceName", extended, why);
        }
    }

    fn has_generation(&self) -> bool {
        true
    }
}

/// The rules of ResourceSlices.
pub struct ResourceSliceRules;

impl Strategy for ResourceSliceRules {
    fn validate(&self, object: &Value, errors: &mut FieldErrors) {
        let spec = object.get("spec");
        slice_head(spec, errors);
        slice_place(spec, errors);
        slice_devices(spec, errors);
    }

    fn validate_changed(&self, new: &Value, old: &Object, errors: &mut FieldErrors) {
        let spec = new.get("spec");
        slice_head(spec, errors);
        for path in [&["pool", "name"][..], &["driver"], &["nodeName"]] {
            let now = spec.at(path);
            if now != old.spec().at(path) {
                errors.invalid(format!("spec.{}", path.join(".")), now, "field is immutable");
            }
        }
        slice_place(spec, errors);
        slice_devices(spec, errors);
    }

    fn has_generation(&self) -> bool {
        true
    }

    fn field(&self, object: &Object, field: &str) -> Option<String> {
        match field {
            "spec.nodeName" => Some(object.spec().get("nodeName").str().to_owned()),
            "spec.driver" => Some(object.spec().get("driver").str().to_owned()),
            _ => None,
        }
    }

    fn row(&self, object: &Object, now: Time) -> Option<Vec<Value>> {
        let spec = object.spec();
        Some(vec![
            object.name().into(),
            spec.get("nodeName").str().into(),
            spec.get("driver").str().into(),
            spec.str_at(&["pool", "name"]).into(),
            age_cell(object, now),
        ])
    }
}

fn slice_head(spec: &Value, errors: &mut FieldErrors) {
    csi::driver_name(spec.get("driver"), "spec.driver", errors);
    let pool = spec.get("pool");
    pool_name(pool.get("name"), "spec.pool.name", errors);
    let count = pool.i64_at(&["resourceSliceCount"]).unwrap_or(0);
    if count <= 0 {
        let why = "must be greater than zero";
        errors.invalid("spec.pool.resourceSliceCount", &count.into(), why);
    }
    let generation = pool.get("generation");
    if generation.as_i64().is_some_and(|n| n < 0) {
        let why = "must be greater than or equal to zero";
        errors.invalid("spec.pool.generation", generation, why);
    }
}

/// Where the devices of a slice are.
fn slice_place(spec: &Value, errors: &mut FieldErrors) {
    let mut set = Vec::new();
    let (node, selector) = (spec.get("nodeName"), spec.get("nodeSelector"));
    if !node.is_empty() {
        set.push("`nodeName`");
        errors.check("spec.nodeName", node, names::dns1123_subdomain);
    } else if !node.is_null() {
        let why = "must be either unset or set to a non-empty string";
        errors.invalid("spec.nodeName", node, why);
    }
    if !selector.is_null() {
        set.push("`nodeSelector`");
        pod_validation::node_selector(selector, "spec.nodeSelector", errors);
        let terms = selector.get("nodeSelectorTerms");
        if terms.items().len() != 1 {
            let why = "must have exactly one node selector term";
            let text = internal::named(selector, "NodeSelector").to_json();
            let text = text.strip_prefix(r#"{"NodeSelectorTerms":"#).unwrap_or(&text);
            let text = text.strip_suffix('}').unwrap_or(text);
            errors.invalid_as("spec.nodeSelector.nodeSelectorTerms", text, why);
        }
    }
    for name in ["allNodes", "perDeviceNodeSelection"] {
        match spec.get(name).as_bool() {
            Some(true) if name == "allNodes" => set.push("`allNodes`"),
            Some(true) => set.push("`perDeviceNodeSelection`"),
            Some(false) => {
                let why = "must be either unset or set to true";
                errors.invalid(format!("spec.{name}"), spec.get(name), why);
            }
            None => {}
        }
    }
    let why = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required";
    match set.len() {
        0 => errors.required("spec", why),
        1 => {}
        _ => {
            let shown = Value::from(format!("{{{}}}", set.join(", ")));
            errors.invalid("spec", &shown, format!("{why}, but multiple fields are set"));
        }
    }
    if !spec.get("sharedCounters").is_null() && !spec.get("devices").is_null() {
        let why = "only one of `sharedCounters` or `devices` is allowed";
        errors.invalid("spec", &"".into(), why);
    }
}

fn slice_devices(spec: &Value, errors: &mut FieldErrors) {
    const DEVICES: usize = 128;
    const DEVICES_WITH_MORE: usize = 64;
    const COUNTER_SETS: usize = 8;
    let devices = spec.get("devices");
    let more = |d: &Value| !d.get("taints").is_empty() || !d.get("consumesCounters").is_empty();
    let most = if devices.items().iter().any(more) {
        DEVICES_WITH_MORE
    } else {
        DEVICES
    };
    let each = spec.bool_at(&["perDeviceNodeSelection"]);
    list(devices, most, "spec.devices", Some(by_name), errors, |d, at, errors| {
        device(d, each, at, errors);
    });
    let sets = spec.get("sharedCounters");
    list(
        sets,
        COUNTER_SETS,
        "spec.sharedCounters",
        Some(by_name),
        errors,
        |set, at, errors| {
            errors.check_required(format!("{at}.name"), set.get("name"), names::dns1123_label);
            counters(set, at, errors);
        },
    );
}

fn counters(holder: &Value, at: &str, errors: &mut FieldErrors) {
    let (counters, at) = (holder.get("counters"), format!("{at}.counters"));
    if counters.is_empty() {
        return errors.required(at, "");
    }
    let count = counters.entries().count();
    if count > MOST {
        return errors.too_many(at, count, MOST);
    }
    for (name, _) in counters.entries() {
        errors.check(
            format!("{at}[{}]", &**name),
            &Value::from(&**name),
            names::dns1123_label,
        );
    }
}

fn device(device: &Value, each: bool, at: &str, errors: &mut FieldErrors) {
    const TAINTS: usize = 16;
    const CONSUMED: usize = 2;
    const VALUE_BYTES: usize = 64;
    errors.check(format!("{at}.name"), &text(device.get("name")), names::dns1123_label);
    let (attributes, capacity) = (device.get("attributes"), device.get("capacity"));
    let count = attributes.entries().count() + capacity.entries().count();
    if count > MOST {
        let why = format!("the total number of attributes and capacities must not exceed {MOST}");
        errors.invalid(at, &count.into(), why);
    }
    for (name, value) in attributes.entries() {
        let at = format!("{at}.attributes[{}]", &**name);
        qualified(name, &at, errors);
        if value.get("string").str().len() > VALUE_BYTES {
            errors.too_long(format!("{at}.string"), VALUE_BYTES);
        }
        let version = value.get("version");
        if !version.is_null() && !Semver::is_valid(version.str()) {
            let why = "must be a string compatible with semver.org spec 2.0.0";
            errors.invalid(format!("{at}.version"), version, why);
        }
        if value.entries().filter(|(_, v)| !v.is_null()).count() != 1 {
            let text = if value.is_empty() {
                r#""""#.to_owned()
            } else {
                value.to_json()
            };
            errors.invalid_as(at, text, "exactly one value must be specified");
        }
    }
    for (name, amount) in capacity.entries() {
        let at = format!("{at}.capacity[{}]", &**name);
        qualified(name, &at, errors);
        if !amount.get("requestPolicy").is_null() && !device.bool_at(&["allowMultipleAllocations"]) {
            let why = "allowMultipleAllocations must be true";
            errors.forbidden(format!("{at}.requestPolicy"), why);
        }
    }
    let taints = device.get("taints");
    list(
        taints,
        TAINTS,
        &format!("{at}.taints"),
        None,
        errors,
        |taint, at, errors| {
            errors.check(format!("{at}.key"), &text(taint.get("key")), names::label_key);
            errors.check(format!("{at}.value"), taint.get("value"), names::label_value);
            pod_validation::one_of(taint.get("effect"), &EFFECTS, format!("{at}.effect"), errors);
        },
    );
    let consumed = device.get("consumesCounters");
    let by_set: fn(&Value) -> &Value = |c| c.get("counterSet");
    let field = format!("{at}.consumesCounters");
    list(consumed, CONSUMED, &field, Some(by_set), errors, |set, at, errors| {
        let name = set.get("counterSet");
        errors.check_required(format!("{at}.counterSet"), name, names::dns1123_label);
        counters(set, at, errors);
    });
    device_place(device, each, at, errors);
    for part in ["bindingConditions", "bindingFailureConditions"] {
        let field = format!("{at}.{part}");
        list(
            device.get(part),
            MOST_CONDITIONS,
            &field,
            None,
            errors,
            |name, at, errors| {
                errors.check(at, name, names::label_key);
            },
        );
    }
}

fn device_place(device: &Value, each: bool, at: &str, errors: &mut FieldErrors) {
    let (node, selector) = (device.get("nodeName"), device.get("nodeSelector"));
    let all = device.get("allNodes");
    if !each {
        if [node, selector, all].iter().any(|v| !v.is_null()) {
            let why = "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec";
            errors.invalid(at, &Value::Null, why);
        }
        return;
    }
    let mut set = Vec::new();
    if !node.is_empty() {
        set.push("`nodeName`");
        errors.check(format!("{at}.nodeName"), node, names::dns1123_subdomain);
    } else if !node.is_null() {
        errors.invalid(format!("{at}.nodeName"), node, "must not be empty");
    }
    if !selector.is_null() {
        set.push("`nodeSelector`");
        pod_validation::node_selector(selector, &format!("{at}.nodeSelector"), errors);
    }
    match all.as_bool() {
        Some(true) => set.push("`allNodes`"),
        Some(false) => {
            let why = "must be either unset or set to true";
            errors.invalid(format!("{at}.allNodes"), all, why);
        }
        None => {}
    }
    let why = "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec";
    match set.len() {
        0 => errors.required(at, why),
        1 => {}
        _ => errors.invalid(at, &Value::from(format!("{{{}}}", set.join(", "))), why),
    }
}
