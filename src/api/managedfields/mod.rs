//! Who owns which field (`metadata.managedFields`), and server-side apply: apimachinery's
//! `managedfields` over structured-merge-diff.
//!
//! An entry is a manager: a name, an operation, a version and a subresource, with the set of its
//! fields. Entries are read from and written to the object's own tree; what a write does not change
//! stays the same node, so that a status write costs its own entry and shares the others.

mod set;
mod typed;

use std::rc::Rc;

use super::resource;
use super::schema::Type;
use super::status::Status;
use crate::api::well_known::LAST_APPLIED;
use crate::flat::{Arrange, FlatMap};
use crate::sim::Time;
use crate::value::{Value, gofmt, gojson, intern};
use crate::{limits, obj};

#[cfg(test)]
pub(super) use set::difference;
pub use set::{display_paths, has, union};
#[cfg(test)]
pub(super) use typed::{field_set, with_named_fields};

/// The manager of `kubectl apply --server-side`.
const KUBECTL: &str = "kubectl";

/// Into which the oldest updaters are joined when there are too many.
const ANCIENT: &str = "ancient-changes";

/// Who is said to own what an object had before the first apply, where nothing was tracked.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

const APPLY: &str = "Apply";
const UPDATE: &str = "Update";

/// Who writes, through what.
#[derive(Clone, Copy, Debug)]
pub struct Writer<'a> {
    pub manager: &'a str,
    /// The version that the request's path names.
    pub api_version: &'a str,
    /// Empty for the object itself.
    pub subresource: &'a str,
    pub now: Time,
}

/// What is known of the kind that is written.
pub struct Kind<'a> {
    /// The type of a version (`apps/v1`) of the kind; `None` where no type is known.
    pub type_of: &'a dyn Fn(&str) -> Option<Rc<Type>>,
    /// The object as another version shows it.
    pub convert: &'a dyn Fn(&Value, &str) -> Option<Value>,
    /// Whether the kind is one of Go's types rather than a custom resource.
    pub built_in: bool,
    /// Whether an object that nobody owns a field of is tracked from its next update on, rather than
    /// from its first apply on. So are nodes, whose creation need not leave anything to own:
    /// Kubernetes' own test of `kubectl taint` finds its entry there.
    pub late: bool,
    /// Fields that this endpoint resets, and which nobody gets through it (`GetResetFields`).
    pub reset: Value,
}

/// One entry of `managedFields`.
#[derive(Clone, Debug)]
struct Manager {
    manager: Rc<str>,
    operation: Rc<str>,
    api_version: Rc<str>,
    subresource: Rc<str>,
    /// When its fields last changed; null when that is not known.
    time: Value,
    set: Value,
    /// The entry as it was read, to be written again when nothing changed.
    entry: Value,
}

impl Manager {
    fn read(entry: &Value) -> Option<Manager> {
        let text = |field: &str| entry.get(field).shared_str().cloned().unwrap_or_else(|| intern(""));
        let operation = text("operation");
        let fields = entry.get("fieldsV1");
        let set = if fields.is_empty() { Value::Null } else { fields.clone() };
        let well_formed = matches!(&*operation, APPLY | UPDATE)
            && entry.str_at(&["fieldsType"]) == "FieldsV1"
            && (set.is_null() || set::is_well_formed(&set));
        well_formed.then(|| Manager {
            manager: text("manager"),
            operation,
            api_version: text("apiVersion"),
            subresource: text("subresource"),
            time: entry.get("time").clone(),
            set,
            entry: entry.clone(),
        })
    }

    fn new(writer: &Writer, operation: &str) -> Manager {
        Manager {
            manager: intern(writer.manager),
            operation: intern(operation),
            api_version: intern(writer.api_version),
            subresource: intern(writer.subresource),
            time: Value::Null,
            set: Value::Null,
            entry: Value::Null,
        }
    }

    /// Whether two entries are of one manager. Of appliers the version does not matter.
    fn is(&self, other: &Manager) -> bool {
        self.manager == other.manager
            && self.operation == other.operation
            && self.subresource == other.subresource
            && (self.applied() || self.api_version == other.api_version)
    }

    fn applied(&self) -> bool {
        &*self.operation == APPLY
    }

    fn seconds(&self) -> u64 {
        Time::parse(self.time.str()).map_or(0, |t| t.as_secs())
    }

    fn write(mut self) -> Value {
        let same = self.set.same(self.entry.get("fieldsV1")) && self.time == *self.entry.get("time");
        if same && !self.entry.is_null() {
            return self.entry;
        }
        if !self.entry.is_null() && self.entry.str_at(&["manager"]) == &*self.manager {
            self.entry.set(&["fieldsV1"], self.set);
            self.entry.set_or_remove(&["time"], self.time);
            return self.entry;
        }
        let mut entry = obj! {
            "apiVersion": self.api_version,
            "fieldsType": intern("FieldsV1"),
            "fieldsV1": self.set,
            "operation": self.operation,
        };
        entry.set_or_remove(&["manager"], self.manager);
        entry.set_or_remove(&["subresource"], self.subresource);
        entry.set_or_remove(&["time"], self.time);
        entry
    }

    /// The manager as conflicts name it.
    fn shown(&self) -> String {
        let mut shown = gofmt::quote(&self.manager);
        if !self.subresource.is_empty() {
            shown.push_str(&format!(" with subresource {}", gofmt::quote(&self.subresource)));
        }
        if !self.applied() {
            shown.push_str(&format!(" using {}", self.api_version));
        }
        shown
    }
}

/// Reads the entries; `None` when one is malformed.
fn read(list: &Value) -> Option<Vec<Manager>> {
    list.items().iter().map(Manager::read).collect()
}

/// Writes the entries in their order: appliers first, then by time and name.
fn write(mut managers: Vec<Manager>) -> Value {
    managers.retain(|m| !m.set.is_null());
    if managers.is_empty() {
        return Value::Null;
    }
    managers.arrange_by(|a, b| {
        (&a.operation, a.seconds(), &a.manager, &a.api_version, &a.subresource).cmp(&(
            &b.operation,
            b.seconds(),
            &b.manager,
            &b.api_version,
            &b.subresource,
        ))
    });
    managers.into_iter().map(Manager::write).collect()
}

/// Whether both lists say the same but for the times.
pub fn same_but_times(a: &Value, b: &Value) -> bool {
    if a.same(b) {
        return true;
    }
    let (a, b) = (a.items(), b.items());
    let alike = |x: &Value, y: &Value| {
        x.same(y)
            || ["manager", "operation", "apiVersion", "subresource", "fieldsV1"]
                .iter()
                .all(|f| x.get(f) == y.get(f))
    };
    // A new time may have changed the order.
    a.len() == b.len() && a.iter().all(|x| b.iter().any(|y| alike(x, y)))
}

/// Fields that belong to no one.
fn stripped(set: &Value) -> Value {
    thread_local! {
        static STRIPPED: Value = obj! {
            "f:apiVersion": obj! {},
            "f:kind": obj! {},
            "f:metadata": [
                ".", "f:name", "f:namespace", "f:creationTimestamp", "f:selfLink", "f:uid", "f:clusterName",
                "f:generation", "f:managedFields", "f:resourceVersion",
            ].iter().map(|f| (*f, set::leaf())).collect::<Value>(),
        };
    }
    STRIPPED.with(|none| set::difference(set, none))
}

/// The managers whose entries an update begins with: those that it brings, or the live ones.
fn managers_of(live: &Value, sent: &Value, writer: &Writer) -> Vec<Manager> {
    if writer.subresource.is_empty() && sent.as_list().is_some() {
        // An empty list, or one empty entry, is how a client asks to forget all.
        let reset = match sent.items() {
            [] => true,
            [one] => one.is_empty(),
            _ => false,
        };
        if reset {
            return Vec::new();
        }
        if let Some(managers) = read(sent)
            && managers.iter().any(|m| !m.set.is_null())
        {
            return managers;
        }
    }
    read(live.at(&["metadata", "managedFields"])).unwrap_or_default()
}

fn excluding(mut found: typed::Comparison, reset: &Value) -> typed::Comparison {
    if !reset.is_null() {
        for set in [&mut found.added, &mut found.modified, &mut found.removed] {
            *set = set::recursive_difference(set, reset);
        }
    }
    found
}

/// What differs between two objects, in each version that is asked for.
struct Changes<'a> {
    old: Option<&'a Value>,
    new: &'a Value,
    kind: &'a Kind<'a>,
    found: FlatMap<Rc<str>, Option<typed::Comparison>>,
}

impl Changes<'_> {
    /// `None` for a version that the kind does not have any more.
    fn at(&mut self, version: &Rc<str>) -> Option<&typed::Comparison> {
        let Changes { old, new, kind, found } = self;
        found
            .entry(version.clone())
            .or_insert_with(|| {
                let old = match old {
                    Some(old) => Some((kind.convert)(old, version)?),
                    None => None,
                };
                let new = (kind.convert)(new, version)?;
                let ty = (kind.type_of)(version);
                let found = typed::compare(old.as_ref(), &new, ty.as_ref(), kind.built_in);
                Some(excluding(found, &kind.reset))
            })
            .as_ref()
    }
}

/// The entries after an update of `live` (`None` for a creation) to `new`. `sent` is the list that the
/// client's object carried; null when it carried none.
pub fn update(live: Option<&Value>, new: &Value, sent: &Value, writer: &Writer, kind: &Kind) -> Value {
    let null = Value::Null;
    let mut managers = managers_of(live.unwrap_or(&null), sent, writer);
    if managers.is_empty() && live.is_some() && !kind.late {
        // What is not tracked from its creation on is tracked from its first apply on.
        return Value::Null;
    }
    reconcile(&mut managers, kind);
    track(&mut managers, live, new, writer, kind);
    cap(&mut managers);
    write(managers)
}

/// Brings what managers own up to the present schema, which of custom kinds can change.
fn reconcile(managers: &mut [Manager], kind: &Kind) {
    if kind.built_in {
        return;
    }
    for manager in managers {
        manager.set = typed::reconciled(&manager.set, (kind.type_of)(&manager.api_version).as_ref());
    }
}

/// Gives the writer what changed, and takes it from the others.
fn track(managers: &mut Vec<Manager>, live: Option<&Value>, new: &Value, writer: &Writer, kind: &Kind) {
    let mut changes = Changes {
        old: live,
        new,
        kind,
        found: FlatMap::new(),
    };
    let own = Manager::new(writer, UPDATE);
    let Some(change) = changes.at(&own.api_version) else {
        return;
    };
    let taken = stripped(&union(&change.added, &change.modified));
    for manager in managers.iter_mut() {
        let Some(change) = changes.at(&manager.api_version) else {
            manager.set = Value::Null;
            continue;
        };
        manager.set = set::difference(&manager.set, &change.removed);
        if !manager.is(&own) {
            manager.set = set::difference(&set::difference(&manager.set, &change.added), &change.modified);
        }
    }
    if !taken.is_null() {
        let time = Value::from(writer.now);
        match managers.iter_mut().find(|m| m.is(&own)) {
            Some(manager) => {
                manager.set = union(&manager.set, &taken);
                if manager.time != time {
                    manager.time = time;
                }
            }
            None => managers.push(Manager {
                set: taken,
                time,
                ..own
            }),
        }
    }
    managers.retain(|m| !m.set.is_null());
}

/// Joins the oldest updaters when there are more than may be kept.
fn cap(managers: &mut Vec<Manager>) {
    let mut updaters: Vec<Manager> = managers.iter().filter(|m| !m.applied()).cloned().collect();
    let mut count = updaters.len();
    if count <= limits::UPDATE_MANAGERS {
        return;
    }
    updaters.arrange_by(|a, b| (a.seconds(), &a.manager).cmp(&(b.seconds(), &b.manager)));
    let mut first: FlatMap<Rc<str>, Manager> = FlatMap::new();
    for old in updaters {
        if count <= limits::UPDATE_MANAGERS {
            break;
        }
        let Some(one) = first.get(&old.api_version) else {
            first.insert(old.api_version.clone(), old);
            continue;
        };
        let bucket = Manager {
            manager: intern(ANCIENT),
            subresource: intern(""),
            entry: Value::Null,
            ..old.clone()
        };
        if !managers.iter().any(|m| m.is(&bucket)) {
            // The first of this version goes into the new bucket.
            let set = one.set.clone();
            managers.retain(|m| !m.is(one));
            managers.push(Manager { set, ..bucket.clone() });
        }
        managers.retain(|m| !m.is(&old) || m.is(&bucket));
        if let Some(joined) = managers.iter_mut().find(|m| m.is(&bucket)) {
            joined.set = union(&old.set, &joined.set);
            joined.time = old.time.clone();
        }
        count -= 1;
    }
}

/// What an apply makes.
#[derive(Debug)]
pub struct Applied {
    /// The merged object, without `managedFields`.
    pub value: Value,
    pub managed: Value,
}

/// Fields that are applied and have other managers, with each manager's.
type Conflicts = Vec<(Manager, Value)>;

/// Applies `config` to `live` (`None` where there is no object yet).
///
/// # Errors
/// 400 for a configuration of another kind or with `managedFields`, 409 for fields of other managers,
/// 500 for one that is not of the kind's type, as the real server answers it.
pub fn apply(
    live: Option<&Value>,
    config: &Value,
    writer: &Writer,
    kind: &Kind,
    object_kind: &str,
    force: bool,
) -> Result<Applied, Status> {
    let shown_kind = shown_kind(config.str_at(&["apiVersion"]), config.str_at(&["kind"]));
    if config.str_at(&["apiVersion"]) != writer.api_version || config.str_at(&["kind"]) != object_kind {
        return Err(Status::bad_request(format!("invalid object type: {shown_kind}")));
    }
    if config.get("metadata").has("managedFields") && !config.at(&["metadata", "managedFields"]).is_null() {
        return Err(Status::bad_request("metadata.managedFields must be nil"));
    }
    let ty = (kind.type_of)(writer.api_version);
    let errors = typed::check(config, ty.as_ref());
    if !errors.is_empty() {
        let errors = joined(&errors);
        let metadata = config.get("metadata");
        return Err(Status::failure(
            500,
            "",
            format!(
                "failed to create typed patch object ({}/{}; {shown_kind}): {errors}",
                metadata.str_at(&["namespace"]),
                metadata.str_at(&["name"]),
            ),
        ));
    }
    let mut bare = live.cloned().unwrap_or_else(|| {
        // What is compared with is an empty object of the kind.
        obj! { "apiVersion": writer.api_version, "kind": object_kind }
    });
    bare.remove(&["metadata", "managedFields"]);
    let mut managers = match live {
        Some(live) => read(live.at(&["metadata", "managedFields"])).unwrap_or_default(),
        None => Vec::new(),
    };
    reconcile(&mut managers, kind);
    if managers.is_empty() && live.is_some() {
        let before = Writer {
            manager: BEFORE_FIRST_APPLY,
            ..*writer
        };
        track(&mut managers, None, &bare, &before, kind);
    }
    let is_new = live.is_none();
    let result = match merge(&bare, is_new, config, &managers, writer, kind, ty.as_ref(), force) {
        Err(conflicts) if writer.manager == KUBECTL => {
            // What `kubectl apply` wrote itself, client-side, is no one else's.
            let allowed = allowed_by_last_applied(&bare, writer, ty.as_ref());
            let left: Vec<_> = conflicts
                .into_iter()
                .map(|(m, set)| (m, set::difference(&set, &allowed)))
                .filter(|(_, set)| !set.is_null())
                .collect();
            if left.is_empty() {
                merge(&bare, is_new, config, &managers, writer, kind, ty.as_ref(), true)
            } else {
                Err(left)
            }
        }
        other => other,
    };
    let (mut value, mut managers) = result.map_err(|conflicts| conflict(&conflicts))?;
    if writer.manager == KUBECTL && !value.at(&["metadata", "annotations", LAST_APPLIED]).is_empty() {
        let mut plain = config.clone();
        plain.remove(&["metadata", "managedFields"]);
        plain.remove(&["metadata", "annotations", LAST_APPLIED]);
        let text = gojson::compact(&plain, true) + "\n";
        value.set(&["metadata", "annotations", LAST_APPLIED], text);
    }
    cap(&mut managers);
    Ok(Applied {
        value,
        managed: write(managers),
    })
}

/// The version of `/scale`'s objects.
pub const SCALE: &str = "autoscaling/v1";

/// Where a version of a kind has its replicas, as a path of a set (`f:spec`, `f:replicas`): empty for a version that
/// cannot be scaled, `None` for one that is not served.
pub type ReplicasPath<'a> = &'a dyn Fn(&str) -> Option<Vec<String>>;

fn owns(manager: &Manager, path: &[String]) -> bool {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    !path.is_empty() && has(&manager.set, &path)
}

/// The set of one field.
fn only(path: &[String]) -> Value {
    path.iter().rev().fold(set::leaf(), |inner, field| {
        let mut map = Value::map();
        map.set(&[field.as_str()], inner);
        map
    })
}

fn scale_path() -> [String; 2] {
    ["f:spec".to_owned(), "f:replicas".to_owned()]
}

/// The owners of an object's replicas, as owners of its `Scale`'s (`ScaleHandler.ToSubresource`).
pub fn to_scale(list: &Value, path_of: ReplicasPath) -> Value {
    let mut managers = read(list).unwrap_or_default();
    managers.retain(|m| path_of(&m.api_version).is_some_and(|path| owns(m, &path)));
    for manager in &mut managers {
        manager.set = only(&scale_path());
        manager.api_version = intern(SCALE);
        // Its entry stands in another version.
        manager.entry = Value::Null;
    }
    write(managers)
}

/// The owners of an object's fields, when these own its `Scale`'s (`ScaleHandler.ToParent`). The times of who came to
/// own the replicas through `/scale` are lost, as they are there.
pub fn from_scale(list: &Value, scale: &Value, api_version: &str, path_of: ReplicasPath) -> Value {
    let mut of_scale = read(scale).unwrap_or_default();
    of_scale.retain(|m| owns(m, &scale_path()));
    let mut managers = Vec::new();
    for mut manager in read(list).unwrap_or_default() {
        let Some(path) = path_of(&manager.api_version) else {
            continue;
        };
        if owns(&manager, &path) {
            // An updater's version is part of who it is, so that only appliers are found again.
            match of_scale.iter().position(|m| m.is(&manager)) {
                Some(i) => {
                    of_scale.remove(i);
                }
                None => manager.set = set::difference(&manager.set, &only(&path)),
            }
        }
        managers.push(manager);
    }
    let path = path_of(api_version).unwrap_or_default();
    managers.extend(of_scale.into_iter().map(|m| Manager {
        api_version: intern(api_version),
        time: Value::Null,
        set: only(&path),
        entry: Value::Null,
        ..m
    }));
    write(managers)
}

/// `config` merged into `live`, with no manager of what it sets: what a mutating policy does.
///
/// # Errors
/// Why `config` is not of the type, or that it would replace a list, map or struct as a whole.
pub fn merge_unowned(live: &Value, config: &Value, ty: Option<&Rc<Type>>) -> Result<Value, String> {
    let errors = typed::check(config, ty);
    if !errors.is_empty() {
        return Err(format!(
            "failed to convert patch object to typed object: {}",
            joined(&errors)
        ));
    }
    let atomics = typed::atomics(config, ty);
    if !atomics.is_empty() {
        return Err(format!(
            "invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: {}",
            atomics.join(", ")
        ));
    }
    Ok(typed::merge(live, config, ty))
}

/// Errors as structured-merge-diff shows them.
fn joined(errors: &[String]) -> String {
    match errors {
        [one] => one.clone(),
        many => format!("errors:\n  {}", many.join("\n  ")),
    }
}

/// `apps/v1, Kind=Deployment`; of the core group `/v1, Kind=Pod`.
fn shown_kind(api_version: &str, kind: &str) -> String {
    let (group, version) = resource::split(api_version);
    format!("{group}/{version}, Kind={kind}")
}

/// `Updater.Apply`: the merged object and the managers after it.
#[allow(clippy::too_many_arguments)]
fn merge(
    live: &Value,
    is_new: bool,
    config: &Value,
    managers: &[Manager],
    writer: &Writer,
    kind: &Kind,
    ty: Option<&Rc<Type>>,
    force: bool,
) -> Result<(Value, Vec<Manager>), Conflicts> {
    let mut managers = managers.to_vec();
    let own = Manager::new(writer, APPLY);
    let merged = typed::merge(live, config, ty);
    let set = set::recursive_difference(&typed::field_set(config, ty), &kind.reset);
    let last = managers.iter().find(|m| m.is(&own)).cloned();
    let mut entry = last.clone().unwrap_or_else(|| own.clone());
    if entry.api_version != own.api_version {
        entry = Manager {
            time: entry.time,
            ..own.clone()
        };
    }
    // An equal set stays the same node.
    entry.set = if entry.set == set { entry.set } else { set };
    match managers.iter_mut().find(|m| m.is(&own)) {
        Some(place) => *place = entry,
        None => managers.push(entry),
    }
    let merged = match &last {
        Some(last) => prune(&merged, &managers, last, &own.api_version, kind),
        None => merged,
    };
    let mut changes = Changes {
        old: if is_new { None } else { Some(live) },
        new: &merged,
        kind,
        found: FlatMap::new(),
    };
    let mut conflicts = Vec::new();
    for manager in managers.iter_mut().filter(|m| !m.is(&own)) {
        let Some(change) = changes.at(&manager.api_version) else {
            manager.set = Value::Null;
            continue;
        };
        let lost = set::intersection(&manager.set, &union(&change.modified, &change.added));
        let left = set::difference(&set::difference(&manager.set, &lost), &change.removed);
        if !lost.is_null() {
            conflicts.push((manager.clone(), lost));
        }
        manager.set = left;
    }
    if !force && !conflicts.is_empty() {
        return Err(conflicts);
    }
    let unchanged = changes
        .at(&own.api_version)
        .is_some_and(|c| c.added.is_null() && c.modified.is_null() && c.removed.is_null());
    if let Some(entry) = managers.iter_mut().find(|m| m.is(&own)) {
        entry.set = stripped(&entry.set);
        if !unchanged || is_new {
            entry.time = writer.now.into();
        }
    }
    managers.retain(|m| !m.set.is_null());
    Ok((merged, managers))
}

/// Takes out what this applier applied last time and does not now, unless another manager has it.
fn prune(merged: &Value, managers: &[Manager], last: &Manager, version: &Rc<str>, kind: &Kind) -> Value {
    if last.set.is_null() {
        return merged.clone();
    }
    let Some(at_last) = (kind.convert)(merged, &last.api_version) else {
        return merged.clone();
    };
    let last_type = (kind.type_of)(&last.api_version);
    let last_named = typed::with_named_fields(&last.set, last_type.as_ref());
    let mut pruned = typed::remove(&at_last, &last_named, last_type.as_ref());
    // What others (or this configuration) own comes back.
    let mut owned: FlatMap<Rc<str>, Value> = FlatMap::new();
    for manager in managers {
        let all = owned.entry(manager.api_version.clone()).or_default();
        *all = union(all, &manager.set);
    }
    for (version, owned) in owned {
        let (Some(merged), Some(before)) = ((kind.convert)(merged, &version), (kind.convert)(&pruned, &version)) else {
            continue;
        };
        let ty = (kind.type_of)(&version);
        let named = |set: &Value| typed::with_named_fields(set, ty.as_ref());
        let has = named(&typed::field_set(&merged, ty.as_ref()));
        let keeps = union(&named(&typed::field_set(&before, ty.as_ref())), &named(&owned));
        pruned = typed::remove(&merged, &set::difference(&has, &keeps), ty.as_ref());
    }
    // What this applier did not own comes back too.
    let Some(pruned) = (kind.convert)(&pruned, &last.api_version) else {
        return merged.clone();
    };
    let named = |v: &Value| typed::with_named_fields(&typed::field_set(v, last_type.as_ref()), last_type.as_ref());
    let gone = set::intersection(&set::difference(&named(&at_last), &named(&pruned)), &last_named);
    let pruned = typed::remove(&at_last, &gone, last_type.as_ref());
    (kind.convert)(&pruned, version).unwrap_or(pruned)
}

/// The fields that the last client-side apply wrote and that nobody changed since.
fn allowed_by_last_applied(live: &Value, writer: &Writer, ty: Option<&Rc<Type>>) -> Value {
    let text = live.at(&["metadata", "annotations"]).str_at(&[LAST_APPLIED]);
    let Ok(last) = Value::from_json(text) else {
        return Value::Null;
    };
    if last.str_at(&["apiVersion"]) != writer.api_version {
        return Value::Null;
    }
    let found = typed::compare(Some(&last), live, ty, false);
    let set = typed::field_set(&last, ty);
    let set = set::difference(&set, &found.modified);
    let set = set::difference(&set, &found.added);
    set::difference(&set, &found.removed)
}

/// The answer to conflicts, in the words of the real server.
fn conflict(conflicts: &[(Manager, Value)]) -> Status {
    let mut all: Vec<(String, Vec<String>)> = conflicts
        .iter()
        .map(|(m, set)| (m.shown(), display_paths(set)))
        .collect();
    all.arrange();
    let count: usize = all.iter().map(|(_, paths)| paths.len()).sum();
    let causes = all
        .iter()
        .flat_map(|(manager, paths)| {
            paths.iter().map(move |path| {
                obj! {
                    "field": path.as_str(),
                    "message": format!("conflict with {manager}"),
                    "reason": "FieldManagerConflict",
                }
            })
        })
        .collect();
    let sentence = match all.as_slice() {
        [(manager, paths)] if paths.len() == 1 => format!("conflict with {manager}: {}", paths.join("")),
        many => many
            .iter()
            .map(|(manager, paths)| format!("conflicts with {manager}:\n- {}", paths.join("\n- ")))
            .collect::<Vec<_>>()
            .join("\n"),
    };
    let noun = if count == 1 { "conflict" } else { "conflicts" };
    Status::apply_conflict(format!("Apply failed with {count} {noun}: {sentence}"), causes)
}

/// The manager that a request names, or the first part of its client's name (`kubelet/v1.36.2 …`).
pub fn manager_of<'a>(named: &'a str, client: &'a str) -> &'a str {
    if named.is_empty() {
        let first = client.split('/').next().unwrap_or("");
        first.get(..limits::FIELD_MANAGER_BYTES).unwrap_or(first)
    } else {
        named
    }
}

/// The fields that an endpoint resets: of an object that has a `/status`, its status through the
/// object itself, and everything else through `/status`.
pub fn reset_fields(has_status: bool, subresource: &str) -> Value {
    match (has_status, subresource) {
        (true, "") => obj! { "f:status": set::leaf() },
        (true, "status") => obj! { "f:spec": set::leaf() },
        _ => Value::Null,
    }
}

/// The parts of an object that a migration to server-side apply looks at: the entries that own a
/// field through an operation.
pub fn owners_of<'a>(list: &'a Value, operation: &'a str, path: &'a [&'a str]) -> impl Iterator<Item = &'a Value> {
    list.items()
        .iter()
        .filter(move |e| e.str_at(&["operation"]) == operation && has(e.get("fieldsV1"), path))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::api::{ApiServer, Body, Method, Request};
    use crate::list;
    use crate::sim::Sim;

    fn server() -> ApiServer {
        let api = ApiServer::new(&Sim::new(1, Time::from_secs(1_800_000_000)));
        api.restore(obj! { "apiVersion": "v1", "kind": "Namespace", "metadata": obj! { "name": "default" } })
            .unwrap();
        api
    }

    const WEB: &str = "/apis/apps/v1/namespaces/default/deployments/web";

    fn web(replicas: i64, image: &str) -> Value {
        let containers = list![obj! { "name": "nginx", "image": image }];
        obj! {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": obj! { "name": "web", "namespace": "default" },
            "spec": obj! {
                "replicas": replicas,
                "selector": obj! { "matchLabels": obj! { "app": "web" } },
                "template": obj! {
                    "metadata": obj! { "labels": obj! { "app": "web" } },
                    "spec": obj! { "containers": containers },
                },
            },
        }
    }

    fn send(api: &ApiServer, mut request: Request, manager: &str, kind: &str, body: Value) -> Value {
        request = request.with("fieldManager", manager);
        request.content_type = kind.into();
        api.serve(request.body(Body::Value(body))).value()
    }

    fn applies(api: &ApiServer, path: &str, manager: &str, config: Value) -> Value {
        send(
            api,
            Request::new(Method::Patch, path),
            manager,
            "application/apply-patch+yaml",
            config,
        )
    }

    fn merges(api: &ApiServer, path: &str, manager: &str, patch: &str) -> Value {
        let patch = Value::from_json(patch).unwrap();
        send(
            api,
            Request::new(Method::Patch, path),
            manager,
            "application/merge-patch+json",
            patch,
        )
    }

    /// Each entry: its manager, operation and subresource, and its paths.
    fn owners(object: &Value) -> String {
        let mut all = String::new();
        for e in object.at(&["metadata", "managedFields"]).items() {
            let sub = e.str_at(&["subresource"]);
            let paths = display_paths(e.get("fieldsV1")).join(" ");
            all.push_str(&format!(
                "{} {} {sub}: {paths}\n",
                e.str_at(&["manager"]),
                e.str_at(&["operation"])
            ));
        }
        all
    }

    fn message(answer: &Value) -> String {
        format!(
            "{} {}",
            answer.i64_at(&["code"]).unwrap_or(0),
            answer.str_at(&["message"])
        )
    }

    #[test]
    fn fields_move_between_managers() {
        let api = server();
        applies(&api, WEB, "a", web(1, "i:1"));
        let scale = format!("{WEB}/scale");
        merges(&api, &scale, "", r#"{"spec":{"replicas":2}}"#);
        merges(
            &api,
            WEB,
            "editor",
            r#"{"spec":{"template":{"spec":{"nodeName":"n"}}},"metadata":{"labels":{"x":"y"}}}"#,
        );
        let refused = applies(&api, WEB, "a", web(3, "i:1"));
        expect_test::expect![[r#"409 Apply failed with 1 conflict: conflict with "" with subresource "scale" using apps/v1: .spec.replicas"#]]
            .assert_eq(&message(&refused));
        let refused = applies(&api, WEB, "b", web(5, "i:2"));
        expect_test::expect![[r#"
            409 Apply failed with 2 conflicts: conflicts with "" with subresource "scale" using apps/v1:
            - .spec.replicas
            conflicts with "a":
            - .spec.template.spec.containers[name="nginx"].image"#]]
        .assert_eq(&message(&refused));
        let now = api.serve(Request::get(WEB)).value();
        expect_test::expect![[r#"
            a Apply : .spec.selector .spec.template.metadata.labels.app .spec.template.spec.containers[name="nginx"] .spec.template.spec.containers[name="nginx"].image .spec.template.spec.containers[name="nginx"].name
             Update scale: .spec.replicas
            editor Update : .metadata.labels .metadata.labels.x .spec.template.spec.nodeName
        "#]]
        .assert_eq(&owners(&now));
        // What only the applier had goes with its configuration; what others have stays.
        let mut less = web(2, "i:1");
        less.remove(&["spec", "replicas"]);
        let now = applies(&api, WEB, "a", less);
        assert_eq!(now.i64_at(&["spec", "replicas"]), Some(2));
        assert_eq!(now.str_at(&["metadata", "labels", "x"]), "y");
    }

    #[test]
    fn scales_are_applied() {
        let api = server();
        let scale = |replicas: i64| {
            obj! {
                "apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": obj! { "name": "web" },
                "spec": obj! { "replicas": replicas },
            }
        };
        let path = format!("{WEB}/scale");
        applies(&api, WEB, "a", web(1, "i:1"));
        let refused = applies(&api, &path, "b", scale(3));
        assert_eq!(
            message(&refused),
            "409 Apply failed with 1 conflict: conflict with \"a\": .spec.replicas"
        );
        // Who wants the same owns it too.
        applies(&api, &path, "b", scale(1));
        let now = api.serve(Request::get(WEB)).value();
        assert_eq!(
            now.at(&["metadata", "managedFields"])
                .items()
                .iter()
                .find(|e| e.str_at(&["manager"]) == "b")
                .map(Value::to_json)
                .as_deref(),
            Some(
                r#"{"apiVersion":"apps/v1","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:replicas":{}}},"manager":"b","operation":"Apply","subresource":"scale"}"#
            )
        );
        // An update through it takes the field from all.
        let answer = merges(&api, &path, "c", r#"{"spec":{"replicas":5}}"#);
        assert_eq!(answer.i64_at(&["spec", "replicas"]), Some(5));
        assert!(!answer.get("metadata").has("managedFields"));
        let now = api.serve(Request::get(WEB)).value();
        let replicas: Vec<String> = owners(&now)
            .lines()
            .filter(|l| l.contains(".spec.replicas"))
            .map(str::to_owned)
            .collect();
        assert_eq!(replicas, ["c Update scale: .spec.replicas"]);
        let refused = applies(&api, &path, "b", obj! { "apiVersion": "apps/v1", "kind": "Deployment" });
        assert_eq!(message(&refused), "400 invalid object type: apps/v1, Kind=Deployment");
    }

    #[test]
    fn what_only_an_applier_owned_goes() {
        let api = server();
        let config = |data: &str| {
            let data = Value::from_json(data).unwrap();
            obj! { "apiVersion": "v1", "kind": "ConfigMap", "metadata": obj! { "name": "c" }, "data": data }
        };
        let path = "/api/v1/namespaces/default/configmaps/c";
        applies(&api, path, "a", config(r#"{"both":"1","only":"1"}"#));
        applies(&api, path, "b", config(r#"{"both":"1"}"#));
        let now = applies(&api, path, "a", config(r#"{}"#));
        assert_eq!(now.get("data").to_json(), r#"{"both":"1"}"#);
        let now = applies(&api, path, "b", config(r#"{"new":"1"}"#));
        assert_eq!(now.get("data").to_json(), r#"{"new":"1"}"#);
    }

    #[test]
    fn clients_may_reset_the_entries() {
        for reset in ["[]", "[{}]"] {
            let api = server();
            applies(&api, WEB, "a", web(1, "i:1"));
            let now = merges(
                &api,
                WEB,
                "x",
                &format!(r#"{{"metadata":{{"managedFields":{reset}}}}}"#),
            );
            assert_eq!(owners(&now), "", "{reset}");
            // What is not tracked is tracked again from the next apply on.
            let now = merges(&api, WEB, "x", r#"{"spec":{"replicas":2}}"#);
            assert_eq!(owners(&now), "");
            let now = applies(&api, WEB, "a", web(2, "i:1"));
            assert!(owners(&now).contains("before-first-apply Update"), "{}", owners(&now));
        }
    }

    #[test]
    fn the_oldest_updaters_are_joined_and_times_alone_are_no_change() {
        let api = server();
        applies(&api, WEB, "a", web(1, "i:1"));
        let mut last = Value::Null;
        for i in 0..14 {
            api.sim().run_for(Duration::from_secs(1));
            last = merges(
                &api,
                WEB,
                &format!("m{i:02}"),
                &format!(r#"{{"metadata":{{"labels":{{"l{i}":"1"}}}}}}"#),
            );
        }
        let text = owners(&last);
        assert_eq!(
            text.lines().filter(|l| l.contains(" Update ")).count(),
            limits::UPDATE_MANAGERS
        );
        let ancient = text.lines().find(|l| l.starts_with("ancient-changes")).unwrap();
        expect_test::expect![[r#"ancient-changes Update : .metadata.labels .metadata.labels.l0 .metadata.labels.l1 .metadata.labels.l2 .metadata.labels.l3 .metadata.labels.l4"#]]
            .assert_eq(ancient);
        api.sim().run_for(Duration::from_secs(1));
        let again = merges(&api, WEB, "m13", r#"{"metadata":{"labels":{"l13":"1"}}}"#);
        assert_eq!(again, last);
    }

    #[test]
    fn configurations_that_cannot_be_applied() {
        let api = server();
        let with = |path: &[&str], value: Value| {
            let mut config = web(1, "i");
            config.set(path, value);
            config
        };
        let containers = ["spec", "template", "spec", "containers"];
        let rows = [
            (
                with(&["apiVersion"], "apps/v1beta1".into()),
                "400 invalid object type: apps/v1beta1, Kind=Deployment",
            ),
            (
                with(&["metadata", "managedFields"], list![]),
                "400 metadata.managedFields must be nil",
            ),
            (
                with(&["metadata", "name"], "other".into()),
                "400 the name of the object (other) does not match the name on the URL (web)",
            ),
            (
                with(&["spec", "replica"], 2.into()),
                "500 failed to create typed patch object (default/web; apps/v1, Kind=Deployment): .spec.replica: field not declared in schema",
            ),
            (
                with(&["spec", "replicas"], "two".into()),
                "500 failed to create typed patch object (default/web; apps/v1, Kind=Deployment): .spec.replicas: expected numeric (int or float), got string",
            ),
            (
                with(&containers, list![obj! { "name": "a" }, obj! { "name": "a" }]),
                "500 failed to create typed patch object (default/web; apps/v1, Kind=Deployment): .spec.template.spec.containers: duplicate entries for key [name=\"a\"]",
            ),
            (
                with(&containers, list![obj! { "image": "a" }]),
                "500 failed to create typed patch object (default/web; apps/v1, Kind=Deployment): .spec.template.spec.containers: element 0: associative list with keys has an element that omits all key fields [\"name\"] (and doesn't have default values for any key fields)",
            ),
        ];
        for (config, want) in rows {
            assert_eq!(message(&applies(&api, WEB, "a", config)), want);
        }
        assert_eq!(
            message(&applies(&api, WEB, "", web(1, "i"))),
            "422 PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch"
        );
        let forced = Request::new(Method::Patch, WEB).with("force", "true");
        assert_eq!(
            message(&send(&api, forced, "a", "application/merge-patch+json", Value::map())),
            "422 PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for non-apply patch"
        );
        assert_eq!(api.serve(Request::get(WEB)).code, 404);
    }

    #[test]
    fn both_versions_of_an_autoscaler_are_one() {
        let api = server();
        let path = |v: &str| format!("/apis/autoscaling/{v}/namespaces/default/horizontalpodautoscalers/web");
        let target = obj! { "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" };
        let spec = obj! { "maxReplicas": 3, "scaleTargetRef": target, "targetCPUUtilizationPercentage": 50 };
        let config = obj! {
            "apiVersion": "autoscaling/v1",
            "kind": "HorizontalPodAutoscaler",
            "metadata": obj! { "name": "web" },
            "spec": spec,
        };
        let first = applies(&api, &path("v1"), "a", config.clone());
        assert_eq!(first.i64_at(&["spec", "targetCPUUtilizationPercentage"]), Some(50));
        let again = applies(&api, &path("v1"), "a", config);
        assert_eq!(first, again);
        let v2 = api.serve(Request::get(path("v2"))).value();
        assert_eq!(
            v2.at(&["spec", "metrics"]).to_json(),
            r#"[{"resource":{"name":"cpu","target":{"averageUtilization":50,"type":"Utilization"}},"type":"Resource"}]"#
        );
        let now = merges(&api, &path("v2"), "b", r#"{"spec":{"maxReplicas":4}}"#);
        expect_test::expect![[r#"
            a Apply : .spec.scaleTargetRef .spec.targetCPUUtilizationPercentage
            b Update : .spec.maxReplicas
        "#]]
        .assert_eq(&owners(&now));
        assert_eq!(
            api.serve(Request::get(path("v1")))
                .value()
                .i64_at(&["spec", "maxReplicas"]),
            Some(4)
        );
    }
}
