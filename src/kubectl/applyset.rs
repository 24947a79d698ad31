//! Applysets: the alpha way of `kubectl apply --prune`, there when `KUBECTL_APPLYSET` is `true`. An object, the
//! parent, keeps which kinds and namespaces the set has members in, and each member carries its label.

use std::rc::Rc;

use super::apply::remove_pruned;
use super::builder::Info;
use super::command::{Cmd, DryRun, Write, scope};
use super::error::Error;
use super::flags::{Flag, Kind, flag};
use super::mapper;
use super::output::Report;
use crate::api::discovery::GIT_VERSION;
use crate::api::{PatchType, Resource};
use crate::flat::{FlatMap, FlatSet};
use crate::obj;
use crate::shell::Context;
use crate::value::{Value, base64, quoted, sha256};

/// What made the set: the tool, a slash and its version.
const TOOLING: &str = "applyset.kubernetes.io/tooling";
/// The name of the tool that we are.
const TOOL: &str = "kubectl";
/// The namespaces with members, besides the parent's own.
const NAMESPACES: &str = "applyset.kubernetes.io/additional-namespaces";
/// The kinds of the members.
const KINDS: &str = "applyset.kubernetes.io/contains-group-kinds";
/// What stood for [`KINDS`] before: the resources of the members.
const RESOURCES: &str = "applyset.kubernetes.io/contains-group-resources";
/// The label of a parent: the set's id.
const ID: &str = "applyset.kubernetes.io/id";
/// The label of a member: the set's id.
const PART_OF: &str = "applyset.kubernetes.io/part-of";
/// The label of a CustomResourceDefinition whose objects may be parents.
const PARENT_TYPE: &str = "applyset.kubernetes.io/is-parent-type";

pub const FLAGS: &[Flag] = &[flag("applyset", '\0', Kind::Str, "")];

/// The flags that `kubectl apply` has besides its own in this environment.
pub fn flags(cx: &Context) -> &'static [Flag] {
    let on = cx
        .env
        .get("KUBECTL_APPLYSET")
        .is_some_and(|v| v.eq_ignore_ascii_case("true"));
    if on { FLAGS } else { &[] }
}

/// Types by their groups and kinds.
type Types = FlatMap<String, Rc<Resource>>;

/// A run's set.
pub struct ApplySet {
    resource: Rc<Resource>,
    name: String,
    namespace: String,
    /// What the set had members of when the run began, and what it has now.
    before: (Types, FlatSet<String>),
    after: (Types, FlatSet<String>),
}

impl ApplySet {
    /// The set that `--applyset` names; `None` without it.
    ///
    /// # Errors
    /// A reference to no object that could be.
    pub fn of(cmd: &Cmd) -> Result<Option<ApplySet>, Error> {
        let reference = cmd.flags.str("applyset");
        if reference.is_empty() {
            return Ok(None);
        }
        let wrong = |why: String| {
            Error::plain(format!(
                "invalid parent reference {reference}: {why}",
                reference = quoted(&reference)
            ))
        };
        let (word, name) = reference.split_once('/').unwrap_or(("secrets", reference));
        if name.is_empty() {
            return Err(wrong("name cannot be blank".into()));
        }
        let resource = cmd.find_resource(|all| mapper::find(all, word)).ok_or_else(|| {
            let (resource, group) = word.split_once('.').unwrap_or((word, ""));
            wrong(format!("no matches for {group}/, Resource={resource}"))
        })?;
        // The namespace of the context does not count.
        let namespace = match resource.namespaced && cmd.namespace_given() {
            true => cmd.namespace(),
            false => String::new(),
        };
        Ok(Some(ApplySet {
            resource,
            name: name.to_owned(),
            namespace,
            before: Default::default(),
            after: Default::default(),
        }))
    }

    /// Checks that the parent may be one.
    ///
    /// # Errors
    /// No namespace, a type that is not marked as one of parents.
    pub async fn validate(&self, cmd: &Cmd) -> Result<(), Error> {
        let mut errors = Vec::new();
        if self.resource.namespaced && self.namespace.is_empty() {
            errors.push(Error::plain("namespace is required to use namespace-scoped ApplySet"));
        }
        if !self.built_in() {
            let definitions = cmd
                .client
                .resource("apiextensions.k8s.io", "v1", "customresourcedefinitions")?;
            let allowed = match cmd.list(&definitions, "", PARENT_TYPE, "").await {
                Ok(list) => list,
                Err(e) => {
                    errors.push(e.when("identifying allowed custom resource parent types"));
                    Value::Null
                }
            };
            let name = format!("{}.{}", self.resource.name, self.resource.group);
            let marked = |d: &Value| d.str_at(&["metadata", "name"]) == name;
            if !allowed.get("items").items().iter().any(marked) {
                let r = &self.resource;
                errors.push(Error::plain(format!(
                    "resource \"{}/{}, Resource={}\" is not permitted as an ApplySet parent",
                    r.group, r.version, r.name
                )));
            }
        }
        Error::all(errors)
    }

    /// Whether the parent is of a type that needs no mark.
    fn built_in(&self) -> bool {
        self.resource.group.is_empty() && matches!(&*self.resource.name, "secrets" | "configmaps")
    }

    /// The set's id, which is made of what its parent is called.
    fn id(&self) -> String {
        let parts = [
            &*self.name,
            &*self.namespace,
            &*self.resource.kind,
            &*self.resource.group,
        ];
        let hash = sha256::digest(parts.join(".").as_bytes());
        format!("applyset-{}-v1", base64::encode_url(hash))
    }

    /// The parent as errors name it.
    fn reference(&self) -> String {
        format!("\"{}.{}/{}\"", self.resource.name, self.resource.group, self.name)
    }

    /// Puts the label of members on what is to be applied.
    ///
    /// # Errors
    /// When an object has one already.
    pub fn label(&self, object: &mut Value) -> Result<(), Error> {
        if object.at(&["metadata", "labels"]).has(PART_OF) {
            return Err(Error::plain(format!(
                "ApplySet label {PART_OF:?} already set in input data"
            )));
        }
        object.set(&["metadata", "labels", PART_OF], self.id());
        Ok(())
    }

    /// Reads the parent, and notes in it that the set will have members among these objects too.
    ///
    /// # Errors
    /// A parent that is not ours, or cannot be had or written.
    pub async fn begin(&mut self, cmd: &Cmd, infos: &[&Info]) -> Result<(), Error> {
        self.read(cmd).await?;
        let (types, namespaces) = &mut self.after;
        for info in infos {
            types.insert(info.resource.group_kind(), info.resource.clone());
            if info.resource.namespaced && !info.namespace.is_empty() {
                namespaces.insert(info.namespace.clone());
            }
        }
        let (mut types, mut namespaces) = self.before.clone();
        for (key, resource) in self.after.0.iter() {
            types.insert(key.clone(), resource.clone());
        }
        for namespace in self.after.1.iter() {
            namespaces.insert(namespace.clone());
        }
        self.write(cmd, &types, &namespaces).await
    }

    async fn read(&mut self, cmd: &Cmd) -> Result<(), Error> {
        let reference = self.reference();
        let wrong = |why: String| Err(Error::plain(format!("ApplySet parent object {reference} {why}")));
        let parent = match cmd.get(&self.resource, &self.namespace, &self.name).await {
            Ok(parent) => parent,
            Err(e) if e.is_not_found() && self.built_in() => return Ok(()),
            Err(e) if e.is_not_found() => {
                return Err(Error::plain(
                    "custom resource ApplySet parents cannot be created automatically",
                ));
            }
            Err(e) => return Err(e.when(&format!("failed to fetch ApplySet parent object {reference}"))),
        };
        let annotations = parent.at(&["metadata", "annotations"]);
        let Some(tooling) = annotations.get(TOOLING).as_str() else {
            return wrong(format!("already exists and is missing required annotation {TOOLING:?}"));
        };
        let tool = tooling.rsplit_once('/').map_or(tooling, |(tool, _)| tool);
        if tool != TOOL {
            return wrong(format!(
                "already exists and is managed by tooling {tool} instead of {TOOL:?}",
                tool = quoted(&tool)
            ));
        }
        let Some(id) = parent.at(&["metadata", "labels"]).get(ID).as_str() else {
            return wrong(format!("exists and does not have required label {ID}"));
        };
        if id != self.id() {
            return wrong(format!(
                "exists and has incorrect value for label {ID:?} (got: {id}, want: {})",
                self.id()
            ));
        }
        let types = types(cmd, annotations)
            .map_err(|why| Error::plain(format!("parsing ApplySet annotation on {reference}: {why}")))?;
        let mut namespaces: FlatSet<String> = annotations
            .get(NAMESPACES)
            .str()
            .split(',')
            .filter(|n| !n.is_empty())
            .map(str::to_owned)
            .collect();
        if self.resource.namespaced {
            namespaces.insert(self.namespace.clone());
        }
        self.before = (types, namespaces);
        Ok(())
    }

    /// Writes the parent, which says that the set has members of these types in these namespaces.
    async fn write(&self, cmd: &Cmd, types: &Types, namespaces: &FlatSet<String>) -> Result<(), Error> {
        if cmd.dry_run()? == DryRun::Client {
            return Ok(());
        }
        let kinds: Vec<&str> = types.keys().map(String::as_str).collect();
        let others: Vec<&str> = namespaces
            .iter()
            .map(String::as_str)
            .filter(|n| *n != self.namespace)
            .collect();
        let mut parent = obj! {
            "apiVersion": self.resource.api_version(),
            "kind": self.resource.kind.clone(),
            "metadata": obj! { "name": self.name.as_str() },
        };
        for (key, value) in [
            (TOOLING, format!("{TOOL}/{GIT_VERSION}")),
            (KINDS, kinds.join(",")),
            (NAMESPACES, others.join(",")),
        ] {
            parent.set(&["metadata", "annotations", key], value);
        }
        parent.set(&["metadata", "labels", ID], self.id());
        parent.set_or_remove(&["metadata", "namespace"], self.namespace.as_str());
        let manager = format!("{TOOL}-applyset");
        let mut write = Write {
            manager: manager.clone(),
            ..Write::of(cmd, TOOL)?
        };
        let place = scope(&self.resource, &self.namespace);
        let apply = async |write: &Write| {
            cmd.patch(&self.resource, place, &self.name, "", PatchType::Apply, &parent, write)
                .await
        };
        let mut result = apply(&write).await;
        if let Err(Error::Status(s)) = &result
            && s.is_conflict()
        {
            cmd.log('W',
                "applyset.go:447",
                &format!(
                    "WARNING: failed to update ApplySet: {}\nApplySet field manager {manager} should own these fields. Retrying with conflicts forced.",
                    s.message()
                ),
            );
            write.force = true;
            result = apply(&write).await;
        }
        result.map(|_| ()).map_err(|e| e.when("failed to update ApplySet"))
    }

    /// Deletes the members that were not applied now, `kept` being the uids of those that were, and notes what
    /// the set has members of from now on.
    ///
    /// # Errors
    /// The API server's failure.
    pub async fn prune(&self, cmd: &Cmd, cascade: &'static str, kept: &[String]) -> Result<(), Error> {
        let mut report = Report::new(cmd, "pruned")?;
        let label = format!("{PART_OF}={}", self.id());
        let (types, namespaces) = &self.before;
        let mut gone = Vec::new();
        for resource in types.values() {
            let places: Vec<&str> = match resource.namespaced {
                true => namespaces.iter().map(String::as_str).collect(),
                false => vec![""],
            };
            for place in places {
                let listed = cmd.list(resource, place, &label, "").await.map_err(|e| {
                    e.when(&format!(
                        "listing {}, Kind={} objects for pruning",
                        resource.group_version(),
                        resource.kind
                    ))
                })?;
                let left = |o: &&Value| !kept.iter().any(|k| k == o.str_at(&["metadata", "uid"]));
                for object in listed.get("items").items().iter().filter(left) {
                    gone.push((resource, place, object.clone()));
                }
            }
        }
        for (resource, place, mut object) in gone {
            object.set(&["apiVersion"], resource.api_version());
            object.set(&["kind"], resource.kind.clone());
            let name = object.str_at(&["metadata", "name"]);
            remove_pruned(cmd, resource, place, name, cascade).await.map_err(|e| {
                let slash = if place.is_empty() { "" } else { "/" };
                e.when(&format!("pruning {} {place}{slash}{name}", resource.group_kind()))
            })?;
            report.print(cmd, &object)?;
        }
        let (types, namespaces) = &self.after;
        self.write(cmd, types, namespaces)
            .await
            .map_err(|e| e.when("apply and prune succeeded, but ApplySet update failed"))
    }
}

/// The types that a parent's annotations name.
fn types(cmd: &Cmd, annotations: &Value) -> Result<Types, String> {
    let all = cmd.resources();
    let preferred = mapper::listed(&all);
    let mut found = Types::new();
    let Some(kinds) = annotations.get(KINDS).as_str() else {
        let old = annotations.get(RESOURCES).str();
        if old.is_empty() {
            return Err(format!(
                "kubectl requires the {KINDS:?} annotation to be set on all ApplySet parent objects"
            ));
        }
        for word in old.split(',') {
            let resource = mapper::find(&preferred, word).ok_or_else(|| {
                let (resource, group) = word.split_once('.').unwrap_or((word, ""));
                format!(
                    "invalid group resource in {RESOURCES:?} annotation: no matches for {group}/, Resource={resource}"
                )
            })?;
            found.insert(resource.group_kind(), resource);
        }
        return Ok(found);
    };
    for word in kinds.split(',').filter(|w| !w.is_empty()) {
        let (kind, group) = word.split_once('.').unwrap_or((word, ""));
        let resource = preferred.iter().find(|r| &*r.kind == kind && &*r.group == group);
        let resource = resource.ok_or_else(|| {
            format!(
                "could not find mapping for kind in {KINDS:?} annotation: no matches for kind {kind} in group {group}",
                kind = quoted(&kind),
                group = quoted(&group)
            )
        })?;
        found.insert(word.to_owned(), resource.clone());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::kubectl::testing::run_in;
    use crate::world::{Options, World};

    #[test]
    fn a_set_prunes_what_it_no_longer_has() {
        let world = World::new(&Options::default()).unwrap();
        let (text, _) = run_in(
            &world,
            "export KUBECTL_APPLYSET=true; set=\"kubectl apply -n default --prune --applyset=demo -f -\"; \
             map() { printf -- '---\\napiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: %s}\\n' $1; }; \
             (map a; map b) | $set; map a | $set --dry-run=client; map a | $set; \
             kubectl get secret demo -o jsonpath='{.metadata.labels}{.metadata.annotations}'; echo; \
             map a | kubectl apply --prune --applyset=demo -f -; map a | kubectl apply --applyset=demo -f -; \
             map a | KUBECTL_APPLYSET=false kubectl apply --applyset=demo -f -; \
             kubectl apply --help | grep -A1 applyset=",
        );
        expect![[r#"
            configmap/a created
            configmap/b created
            configmap/a unchanged (dry run)
            configmap/b pruned (dry run)
            configmap/a unchanged
            configmap/b pruned
            {"applyset.kubernetes.io/id":"applyset-g-9vO3Gntkd6KKnGIOcQY9dRSq6Du4sz_7-8UzQNrWQ-v1"}{"applyset.kubernetes.io/additional-namespaces":"","applyset.kubernetes.io/contains-group-kinds":"ConfigMap","applyset.kubernetes.io/tooling":"kubectl/v1.36.2"}
                --applyset='':
            	[alpha] The object that keeps the set of what is applied, as [RESOURCE][.GROUP]/NAME, of secrets without a type. What is in the set and no longer in the files is pruned.
            error: namespace is required to use namespace-scoped ApplySet
            error: --applyset requires --prune
            error: unknown flag: --applyset
            See 'kubectl apply --help' for usage.
        "#]].assert_eq(&text);
    }
}
