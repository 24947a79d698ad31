//! Deletions: preconditions, grace, finalizers, and whole collections.

use super::super::names;
use super::super::object::Object;
use super::super::request::{Body, Payload, Request, Response, success};
use super::super::status::{FieldErrors, Status};
use super::super::strategy::{Grace, Strategy};
use super::super::{admission, custom};
use super::{ApiServer, Target};
use crate::sim::{WriteKind, seconds};
use crate::value::{Value, quoted};

/// The kinds whose deletion is answered with their last version (`ReturnDeletedObject`); others give
/// a `Status`.
const SHOWN_WHEN_DELETED: &[&str] = &[
    "csidrivers",
    "csinodes",
    "namespaces",
    "persistentvolumeclaims",
    "persistentvolumes",
    "pods",
    "podtemplates",
    "resourcequotas",
    "serviceaccounts",
    "services",
    "storageclasses",
    "volumeattachments",
];

/// What a request to delete an object came to.
pub(in crate::api) enum Deletion {
    /// The object stays for now: for finalizers, or for its graceful end.
    Begun(Object),
    /// It is gone; this was its last version.
    Done(Object),
}

/// The `DeleteOptions` of a request: its body's, or the query's where it has none. A kind may have a warning for
/// deletions that do not say what becomes of dependents.
fn delete_options(request: &mut Request, target: &Target, warnings: &mut Vec<String>) -> Result<Value, Status> {
    let sent = match std::mem::take(&mut request.body) {
        Body::Value(v) | Body::Typed(v) => v,
        _ => Value::Null,
    };
    let options = if sent.is_empty() {
        let mut options = Value::map();
        if let Ok(seconds) = request.param("gracePeriodSeconds").parse::<i64>() {
            options.set(&["gracePeriodSeconds"], seconds);
        }
        options.set_or_remove(&["propagationPolicy"], request.param("propagationPolicy"));
        if request.query.iter().any(|(k, _)| k == "orphanDependents") {
            options.set(&["orphanDependents"], request.flag("orphanDependents"));
        }
        let dry_run = request.query.iter().filter(|(k, _)| k == "dryRun");
        let dry_run: Value = dry_run.map(|(_, v)| Value::from(v)).collect();
        options.set_or_remove(&["dryRun"], dry_run);
        options
    } else {
        sent
    };
    let kind = options.get("kind").str();
    if !matches!(kind, "" | "DeleteOptions") {
        let version = match options.get("apiVersion").str() {
            "" => "v1",
            version => version,
        };
        return Err(Status::bad_request(format!(
            "no kind {kind} is registered for version {version} in scheme \
             \"pkg/apis/meta/internalversion/scheme/register.go:27\"",
            kind = quoted(&kind),
            version = quoted(&version)
        )));
    }
    let mut errors = FieldErrors::default();
    let policy = options.get("propagationPolicy");
    if !policy.is_null() && !options.get("orphanDependents").is_null() {
        errors.invalid(
            "propagationPolicy",
            policy,
            "orphanDependents and deletionPropagation cannot be both set",
        );
    }
    if !policy.is_null() && !matches!(policy.str(), "Foreground" | "Background" | "Orphan") {
        errors.not_supported("propagationPolicy", policy, &["Background", "Foreground", "Orphan"]);
    }
    for dry_run in options.get("dryRun").items() {
        if dry_run.str() != "All" {
            errors.not_supported("dryRun", dry_run, &["All"]);
        }
    }
    if !errors.is_empty() {
        return Err(Status::invalid("meta.k8s.io", "DeleteOptions", "", &errors));
    }
    let said = ["orphanDependents", "propagationPolicy"];
    if said.iter().all(|field| options.get(field).is_null()) {
        warnings.extend(target.strategy().orphaning_warning().map(str::to_owned));
    }
    Ok(options)
}

/// Which of them an object that is to be deleted has from now on; empty for none. What the options say comes
/// first, then what an earlier deletion has asked for, then the kind's default (`shouldOrphanDependents`,
/// `shouldDeleteDependents`).
fn collector_finalizer(strategy: &dyn Strategy, object: &Object, options: &Value) -> &'static str {
    let default = strategy.default_propagation();
    if default.is_empty() {
        return "";
    }
    let policy = match (
        options.get("orphanDependents").as_bool(),
        options.str_at(&["propagationPolicy"]),
    ) {
        (Some(true), _) => "Orphan",
        (Some(false), _) => "Background",
        (None, "") => match object.finalizers().find(|f| names::COLLECTOR_FINALIZERS.contains(f)) {
            None => default,
            Some(names::ORPHAN) => "Orphan",
            Some(_) => "Foreground",
        },
        (None, policy) => policy,
    };
    match policy {
        "Orphan" => names::ORPHAN,
        "Foreground" => names::FOREGROUND,
        _ => "",
    }
}

impl ApiServer {
    /// Stores an update, unless what held an object that is being deleted went with it: then the update is its
    /// deletion (`deleteWithoutFinalizers`). Nothing is stored of it, and watches tell of the version before.
    pub(in crate::api) fn put_or_finish(
        &self,
        request: &Request,
        target: &Target,
        value: Value,
    ) -> Result<Object, Status> {
        let finished = value.get("metadata").has("deletionTimestamp")
            && value.at(&["metadata", "finalizers"]).is_empty()
            && value.i64_at(&["metadata", "deletionGracePeriodSeconds"]).unwrap_or(0) == 0
            && !target.strategy().holds(&value);
        if !finished {
            return self.put(request, target, value);
        }
        self.remove(request, target).ok_or_else(|| target.not_found())?;
        Ok(custom::in_version(Object::new(value), &target.resource))
    }

    pub(in crate::api) fn remove(&self, request: &Request, target: &Target) -> Option<Object> {
        let object = self.store().remove(&target.shelf(), &target.key())?;
        self.changed(&target.shelf());
        self.wrote(
            request.id,
            &request.client,
            &target.resource,
            &object,
            WriteKind::Deleted,
        );
        Some(object)
    }

    pub(super) fn delete(
        &self,
        request: &mut Request,
        target: &Target,
        warnings: &mut Vec<String>,
    ) -> Result<Response, Status> {
        let options = delete_options(request, target, warnings)?;
        let object = self.find(target)?;
        Ok(
            match self.delete_object(request, target, &object, &options, warnings)? {
                Deletion::Begun(object) => Response::new(200, Payload::Object(object)),
                Deletion::Done(object)
                    if target.resource.custom.is_none() && SHOWN_WHEN_DELETED.contains(&&*target.resource.name) =>
                {
                    Response::new(200, Payload::Object(object))
                }
                Deletion::Done(object) => Response::from(success(
                    object.name(),
                    &target.resource.group,
                    &target.resource.name,
                    object.uid(),
                )),
            },
        )
    }

    /// Deletes an object, or begins its deletion where it stays for now (finalizers, a graceful end).
    fn delete_object(
        &self,
        request: &Request,
        target: &Target,
        object: &Object,
        options: &Value,
        warnings: &mut Vec<String>,
    ) -> Result<Deletion, Status> {
        let resource = &target.resource;
        for (field, got, why) in [
            ("uid", object.uid().to_owned(), "deleted and then recreated"),
            ("resourceVersion", object.revision().to_string(), "modified"),
        ] {
            let want = options.str_at(&["preconditions", field]);
            if !want.is_empty() && want != got {
                let what = if field == "uid" { "UID" } else { "ResourceVersion" };
                return Err(Status::conflict(
                    &resource.group,
                    &resource.kind,
                    object.name(),
                    &format!(
                        "the {what} in the precondition ({want}) does not match the {what} in record ({got}). The \
                         object might have been {why}"
                    ),
                ));
            }
        }
        admission::delete(self, request, target, object, warnings)?;
        self.delete_admitted(request, target, object, options)
    }

    /// Deletes an object that admission has let go: of an eviction it does not see the deletion.
    pub(in crate::api) fn delete_admitted(
        &self,
        request: &Request,
        target: &Target,
        object: &Object,
        options: &Value,
    ) -> Result<Deletion, Status> {
        if request.dry_run() || options.get("dryRun").items().iter().any(|v| v.str() == "All") {
            return Ok(Deletion::Done(object.clone()));
        }
        let mut value = object.value().clone();
        let asked = options
            .i64_at(&["gracePeriodSeconds"])
            .map(|s| if s < 0 { 1 } else { s });
        let earlier = object.metadata().i64_at(&["deletionGracePeriodSeconds"]);
        let graceful = match target.strategy().grace(object, asked) {
            Grace::None => None,
            Grace::Seconds(_) if object.is_deleting() => match (earlier, asked) {
                (None | Some(0), _) => None,
                // What is under way can only be hastened.
                (Some(earlier), Some(asked)) if asked < earlier => {
                    let begun = object.deletion_timestamp().unwrap_or_default() - seconds(earlier);
                    let (end, now) = (begun + seconds(asked), self.sim().now());
                    // A graceful end that would be over leaves its last word to whoever ends it.
                    let over = end < now;
                    Some((end.max(now), if over && asked > 0 { 1 } else { asked }))
                }
                _ => return Ok(Deletion::Begun(object.clone())),
            },
            Grace::Seconds(grace) => Some((self.sim().now() + seconds(grace), grace)),
        };
        let mut finalizers: Vec<Value> = object.at(&["metadata", "finalizers"]).items().to_vec();
        let present = |list: &[Value], name: &str| list.iter().any(|f| f.str() == name);
        let collected = collector_finalizer(target.strategy(), object, options);
        finalizers.retain(|f| !names::COLLECTOR_FINALIZERS.contains(&f.str()) || f.str() == collected);
        if !collected.is_empty() && !present(&finalizers, collected) {
            finalizers.push(collected.into());
        }
        if let Some(name) = target.strategy().deletion_finalizer()
            && !object.is_deleting()
            && !present(&finalizers, name)
        {
            finalizers.push(name.into());
        }
        let held = target.strategy().holds(&value);
        if graceful.is_none() && finalizers.is_empty() && !held {
            return Ok(Deletion::Done(
                self.remove(request, target).unwrap_or_else(|| object.clone()),
            ));
        }
        match graceful {
            Some((end, grace)) => {
                value.set(&["metadata", "deletionTimestamp"], end);
                value.set(&["metadata", "deletionGracePeriodSeconds"], grace);
            }
            None if object.is_deleting() => {}
            None => {
                value.set(&["metadata", "deletionTimestamp"], self.sim().now());
                if !held {
                    value.set(&["metadata", "deletionGracePeriodSeconds"], 0);
                }
            }
        }
        if !object.is_deleting() {
            target.strategy().mark_deleting(&mut value);
            if target.strategy().has_generation() && target.strategy().deletion_is_generation() {
                value.set(&["metadata", "generation"], object.generation() + 1);
            }
        }
        let done = finalizers.is_empty() && !held && graceful.is_some_and(|(_, grace)| grace == 0);
        value.set_or_remove(&["metadata", "finalizers"], finalizers);
        let object = match value.share_with(object.value()) {
            true => object.clone(),
            false => self.put(request, target, value)?,
        };
        if done {
            // The mark stands in the history before the end, as two writes.
            return Ok(Deletion::Done(self.remove(request, target).unwrap_or(object)));
        }
        Ok(Deletion::Begun(object))
    }

    pub(super) fn delete_collection(
        &self,
        request: &mut Request,
        target: &Target,
        warnings: &mut Vec<String>,
    ) -> Result<Response, Status> {
        let options = delete_options(request, target, warnings)?;
        let filter = self.filter(request, target)?;
        let list = self.page(target, &filter, 0, "", 0)?;
        for object in &list.items {
            let one = Target {
                name: object.name().to_owned(),
                namespace: object.namespace().to_owned(),
                ..target.clone()
            };
            Status::ignore_not_found(self.delete_object(request, &one, object, &options, warnings))?;
        }
        Ok(Response::new(200, Payload::List(list)))
    }
}
