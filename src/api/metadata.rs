//! The rules of `metadata`, which are the same for every kind.

use super::names::{self, Broken};
use super::object::Object;
use super::resource::Resource;
use super::server::Target;
use super::status::{FieldErrors, Status};
use super::strategy::{Context, Strategy};
use crate::flat::Case;
use crate::value::{Value, gofmt, intern, quoted};

/// Sets the path's namespace, or refuses another one.
///
/// # Errors
/// 400 when the body's namespace is not the path's.
pub fn set_namespace(value: &mut Value, target: &Target) -> Result<(), Status> {
    if !target.resource.namespaced {
        value.remove(&["metadata", "namespace"]);
        return Ok(());
    }
    if value.str_at(&["metadata", "namespace"]) == target.namespace {
        return Ok(());
    }
    check_namespace(value, &target.namespace)?;
    value.set(&["metadata", "namespace"], intern(&target.namespace));
    Ok(())
}

/// Checks that a body names no other namespace than its path.
///
/// # Errors
/// 400 when it does.
pub fn check_namespace(value: &Value, namespace: &str) -> Result<(), Status> {
    match value.str_at(&["metadata", "namespace"]) {
        got if got.is_empty() || got == namespace => Ok(()),
        got => Err(Status::bad_request(format!(
            "the namespace of the provided object does not match the namespace sent on the request (namespace {got} does not match {namespace})",
            got = quoted(&got),
            namespace = quoted(&namespace)
        ))),
    }
}

/// Checks that a body names no other object than its path.
///
/// # Errors
/// 400 when it does.
pub fn check_name(value: &Value, name: &str) -> Result<(), Status> {
    match value.str_at(&["metadata", "name"]) {
        got if got == name => Ok(()),
        "" => Err(Status::bad_request(format!(
            "the name of the object ({name} based on URL) was undeterminable: name must be provided"
        ))),
        got => Err(Status::bad_request(format!(
            "the name of the object ({got}) does not match the name on the URL ({name})"
        ))),
    }
}

/// Checks that a body which names a uid means this very object.
///
/// # Errors
/// The sentence of what does not hold.
pub fn check_uid(value: &Value, old: &Object) -> Result<(), String> {
    match value.str_at(&["metadata", "uid"]) {
        uid if uid.is_empty() || uid == old.uid() => Ok(()),
        uid => Err(format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            old.uid()
        )),
    }
}

/// Sets what the server sets on a new object.
pub fn prepare_create(value: &mut Value, cx: &Context) {
    if value.get("metadata").as_map().is_none() {
        value.set(&["metadata"], Value::map());
    }
    let sim = cx.api.sim();
    for field in [
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
        "resourceVersion",
        "managedFields",
        "generation",
    ] {
        value.remove(&["metadata", field]);
    }
    value.set(&["metadata", "uid"], sim.random_uuid());
    value.set(&["metadata", "creationTimestamp"], cx.now);
}

/// Keeps what clients may not change.
pub fn prepare_update(value: &mut Value, old: &Object) {
    for field in [
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generateName",
        "generation",
        "resourceVersion",
        "managedFields",
        "selfLink",
    ] {
        match old.metadata().get(field) {
            Value::Null => {
                value.remove(&["metadata", field]);
            }
            kept => value.set(&["metadata", field], kept.clone()),
        }
    }
    // `name` may be left out in a body that goes to the object's own path.
    if value.str_at(&["metadata", "name"]).is_empty() {
        value.set(&["metadata", "name"], old.metadata().get("name").clone());
    }
}

/// Optimistic concurrency: a body that names a version or a uid must name the present one.
///
/// # Errors
/// 409 Conflict.
pub fn check_precondition(value: &Value, old: &Object, resource: &Resource) -> Result<(), Status> {
    if let Err(why) = check_uid(value, old) {
        return Err(Status::conflict(
            &resource.group,
            &resource.name,
            old.name(),
            &format!(
                "StorageError: invalid object, Code: 4, Key: /registry/{}{}{}/{}, ResourceVersion: 0, \
                 AdditionalErrorMsg: {why}",
                // Those of custom resources are kept by their groups.
                match &resource.custom {
                    Some(_) => format!("{}/", resource.group),
                    None => String::new(),
                },
                kept_as(resource),
                if resource.namespaced {
                    format!("/{}", old.namespace())
                } else {
                    String::new()
                },
                old.name()
            ),
        ));
    }
    check_version(value, old, resource)
}

/// What etcd's keys have in place of a resource's name (`SpecialDefaultResourcePrefixes`).
fn kept_as(resource: &Resource) -> &str {
    match (&*resource.group, &*resource.name) {
        ("", "endpoints") => "services/endpoints",
        ("", "nodes") => "minions",
        ("", "replicationcontrollers") => "controllers",
        ("", "services") => "services/specs",
        ("networking.k8s.io", "ingresses") => "ingress",
        (_, name) => name,
    }
}

/// Kinds whose updates must name the version that they change (`AllowUnconditionalUpdate` is false).
const CONDITIONAL: &[(&str, &str)] = &[
    ("admissionregistration.k8s.io", "mutatingadmissionpolicies"),
    ("admissionregistration.k8s.io", "mutatingadmissionpolicybindings"),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicies"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicybindings"),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
    ("apiextensions.k8s.io", "customresourcedefinitions"),
    ("apiregistration.k8s.io", "apiservices"),
    ("coordination.k8s.io", "leases"),
    ("node.k8s.io", "runtimeclasses"),
    ("policy", "poddisruptionbudgets"),
    ("storage.k8s.io", "csidrivers"),
    ("storage.k8s.io", "csinodes"),
    ("storage.k8s.io", "csistoragecapacities"),
    ("storage.k8s.io", "volumeattachments"),
];

/// Refuses an update that names no version, where its kind asks for one.
///
/// # Errors
/// 422, in which the resource stands where others have the kind.
pub fn check_unconditional(value: &Value, old: &Object, resource: &Resource) -> Result<(), Status> {
    // Nearly always a version was named.
    if version_asked(value).is_some() {
        return Ok(());
    }
    if resource.custom.is_none() && !CONDITIONAL.contains(&(&*resource.group, &*resource.name)) {
        return Ok(());
    }
    check_name(value, old.name())?;
    let mut errors = FieldErrors::default();
    errors.invalid("metadata.resourceVersion", &0.into(), "must be specified for an update");
    Err(Status::invalid(&resource.group, &resource.name, old.name(), &errors))
}

/// The stored version that a written object insists on. "0" asks for none, as an empty text does.
pub fn version_asked(value: &Value) -> Option<&str> {
    let version = value.str_at(&["metadata", "resourceVersion"]);
    (!matches!(version, "" | "0")).then_some(version)
}

/// Checks that an object is still of the version that a write insists on.
///
/// # Errors
/// 409 when it is not.
pub fn check_version(value: &Value, old: &Object, resource: &Resource) -> Result<(), Status> {
    match version_asked(value) {
        Some(version) if version != old.metadata().str_at(&["resourceVersion"]) => {
            Err(Status::modified(&resource.group, &resource.name, old.name()))
        }
        _ => Ok(()),
    }
}

/// Checks names, labels and annotations. `rule` is that of the name.
fn validate_as(value: &Value, target: &Target, rule: &dyn Fn(&str) -> Result<(), Broken>, errors: &mut FieldErrors) {
    let metadata = value.get("metadata");
    let name = metadata.get("name");
    let prefix = metadata.str_at(&["generateName"]);
    if !prefix.is_empty()
        && let Err(why) = rule(&names::masked(prefix))
    {
        errors.invalid("metadata.generateName", metadata.get("generateName"), why);
    }
    if name.str().is_empty() {
        errors.required("metadata.name", "name or generateName is required");
    } else if let Err(why) = rule(name.str()) {
        errors.invalid("metadata.name", name, why);
    }
    if target.resource.namespaced
        && let Err(why) = names::dns1123_label(metadata.str_at(&["namespace"]))
    {
        errors.invalid("metadata.namespace", metadata.get("namespace"), why);
    }
    plain(metadata, errors);
    finalizers(metadata.get("finalizers"), target.resource.custom.is_none(), errors);
}

/// What every check of metadata looks at.
pub fn plain(metadata: &Value, errors: &mut FieldErrors) {
    labels(metadata.get("labels"), "metadata.labels", errors);
    annotations(metadata.get("annotations"), "metadata.annotations", errors);
    owners(metadata.get("ownerReferences").items(), errors);
}

/// Checks the metadata of a new object.
pub fn validate(value: &Value, target: &Target, strategy: &dyn Strategy, errors: &mut FieldErrors) {
    validate_as(value, target, &|name| strategy.check_name(name), errors);
}

/// Checks the metadata of the new version of an update: what every kind must keep to, what may change,
/// and the latter once more, since each kind's own validation begins with it. A Status names each.
pub fn validate_new_version(value: &Value, old: &Object, target: &Target, errors: &mut FieldErrors) {
    validate_update(value, old, errors);
    let (new, had) = (value.get("metadata"), old.metadata());
    let fields = ["labels", "annotations", "ownerReferences"];
    if fields.iter().any(|f| new.get(f) != had.get(f)) {
        plain(new, errors);
    }
    let again = errors.0.clone();
    let mut common = FieldErrors::default();
    if fields.iter().chain(&["finalizers"]).any(|f| new.get(f) != had.get(f)) {
        validate_as(value, target, &names::path_segment, &mut common);
    }
    common.0.append(&mut errors.0);
    common.0.extend(again);
    *errors = common;
}

/// The rules of owner references; their paths name no index.
fn owners(list: &[Value], errors: &mut FieldErrors) {
    const FIELD: &str = "metadata.ownerReferences";
    let mut first = None;
    for owner in list {
        for part in ["apiVersion", "kind", "name", "uid"] {
            if owner.str_at(&[part]).is_empty() {
                let what = if part == "apiVersion" { "version " } else { "" };
                errors.invalid(
                    format!("{FIELD}.{part}"),
                    &"".into(),
                    format!("{what}must not be empty"),
                );
            }
        }
        let (version, kind) = (owner.str_at(&["apiVersion"]), owner.str_at(&["kind"]));
        if (version, kind) == ("v1", "Event") {
            let why = "/v1, Kind=Event is disallowed from being an owner";
            errors.invalid_as(FIELD, owner_text(owner), why);
        }
        if owner.get("controller").as_bool() != Some(true) {
            continue;
        }
        let name = format!("{kind}/{}", owner.str_at(&["name"]));
        match &first {
            None => first = Some(name),
            Some(first) => {
                let all: Vec<String> = list.iter().map(owner_text).collect();
                let why = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {name}"
                );
                errors.invalid_as(FIELD, format!("[{}]", all.join(",")), why);
            }
        }
    }
}

/// An owner reference with its fields in their order.
fn owner_text(owner: &Value) -> String {
    let required = ["apiVersion", "kind", "name", "uid"].map(|f| (f, Value::from(owner.str_at(&[f]))));
    let optional = ["controller", "blockOwnerDeletion"].map(|f| (f, owner.get(f).clone()));
    let fields: Vec<String> = required
        .into_iter()
        .chain(optional.into_iter().filter(|(_, v)| !v.is_null()))
        .map(|(f, v)| format!("\"{f}\":{}", v.to_json()))
        .collect();
    format!("{{{}}}", fields.join(","))
}

/// The rules of finalizers. Those of custom resources may have names without a domain.
fn finalizers(list: &Value, strictly: bool, errors: &mut FieldErrors) {
    const FIELD: &str = "metadata.finalizers";
    let [orphan, foreground] = names::COLLECTOR_FINALIZERS;
    for finalizer in list.items() {
        errors.check(FIELD, finalizer, names::label_key);
    }
    let has = |name: &str| list.items().iter().any(|f| f.str() == name);
    if has(orphan) && has(foreground) {
        let why = format!("finalizer {orphan} and {foreground} cannot be both set");
        errors.invalid(FIELD, list, why);
    }
    for (i, finalizer) in list.items().iter().enumerate() {
        if strictly && !names::is_finalizer(finalizer.str()) {
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            errors.invalid(format!("{FIELD}[{i}]"), finalizer, why);
        }
    }
}

/// Checks a map of labels at a path.
pub fn labels(labels: &Value, field: &str, errors: &mut FieldErrors) {
    for (key, value) in labels.entries() {
        if let Err(why) = names::label_key(key) {
            errors.invalid(field, &key.into(), why);
        }
        if let Err(why) = names::label_value(value.str()) {
            errors.invalid(field, value, why);
        }
    }
}

/// Total bytes of an object's annotations (`TotalAnnotationSizeLimitB`).
const ANNOTATION_BYTES: usize = 256 * 1024;

/// Checks a map of annotations at a path.
pub fn annotations(annotations: &Value, field: &str, errors: &mut FieldErrors) {
    let mut total = 0;
    for (key, value) in annotations.entries() {
        // Annotation keys may be upper case in their prefix.
        if let Err(why) = names::label_key(&key.lower()) {
            errors.invalid(field, &key.into(), why);
        }
        total += key.len() + value.str().len();
    }
    if total > ANNOTATION_BYTES {
        errors.too_long(field, ANNOTATION_BYTES);
    }
}

/// Checks what of the metadata may change.
fn validate_update(new: &Value, old: &Object, errors: &mut FieldErrors) {
    if old.is_deleting() {
        let had: Vec<&str> = old.finalizers().collect();
        let added: Vec<&str> = new
            .at(&["metadata", "finalizers"])
            .items()
            .iter()
            .map(Value::str)
            .filter(|f| !had.contains(f))
            .collect();
        if !added.is_empty() {
            errors.forbidden(
                "metadata.finalizers",
                format!("no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}", added.iter().map(|f| gofmt::quote(f)).collect::<Vec<_>>().join(", ")),
            );
        }
    }
    let name = new.at(&["metadata", "name"]);
    if name.str() != old.name() {
        errors.invalid("metadata.name", name, "field is immutable");
    }
}
