//! A resource of a build, and the list of them. What kustomize keeps in internal annotations (former
//! names, prefixes, whether a hash is due) are fields here.

use super::super::message::Manifest;
use super::error::{Error, Result, fail};
use super::resid::{Gvk, ResId};
use crate::api::selector::Selector;
use crate::flat::Case;
use crate::value::{Value, gofmt, yaml};

/// What a generator does about a resource that is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behavior {
    #[default]
    Unspecified,
    Create,
    Replace,
    Merge,
}

impl Behavior {
    pub fn parse(text: &str) -> Behavior {
        match text {
            "create" => Behavior::Create,
            "replace" => Behavior::Replace,
            "merge" => Behavior::Merge,
            _ => Behavior::Unspecified,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Behavior::Unspecified => "unspecified",
            Behavior::Create => "create",
            Behavior::Replace => "replace",
            Behavior::Merge => "merge",
        }
    }
}

/// One resource.
#[derive(Clone, Debug, Default)]
pub struct Resource {
    /// Null once a patch deleted it.
    pub value: Value,
    /// Kinds, names and namespaces that it had, the oldest first.
    previous: Vec<(String, String, String)>,
    pub prefixes: Vec<String>,
    pub suffixes: Vec<String>,
    pub needs_hash: bool,
    pub behavior: Behavior,
    /// Of a patch: whether it may change its target's name, and its kind.
    pub may_rename: bool,
    pub may_change_kind: bool,
    /// Names of the vars whose value is in it.
    pub vars: Vec<String>,
    /// Where it came from, for `buildMetadata: [originAnnotations]`.
    pub origin: Option<Value>,
}

/// The text of a scalar, as YAML writes it.
pub fn text(value: &Value) -> String {
    match value {
        Value::Str(s) => s.to_string(),
        Value::Null => "null".to_owned(),
        other => gofmt::display(other),
    }
}

impl Resource {
    pub fn new(value: Value) -> Resource {
        Resource {
            value,
            ..Resource::default()
        }
    }

    pub fn gvk(&self) -> Gvk {
        Gvk::new(self.value.str_at(&["apiVersion"]), self.kind())
    }

    pub fn kind(&self) -> &str {
        self.value.str_at(&["kind"])
    }

    pub fn name(&self) -> &str {
        self.value.str_at(&["metadata", "name"])
    }

    pub fn namespace(&self) -> &str {
        self.value.str_at(&["metadata", "namespace"])
    }

    pub fn is_gone(&self) -> bool {
        self.value.is_empty()
    }

    /// What it is now.
    pub fn id(&self) -> ResId {
        ResId {
            gvk: self.gvk(),
            name: self.name().to_owned(),
            namespace: self.namespace().to_owned(),
        }
    }

    /// What it was, the oldest first.
    pub fn previous_ids(&self) -> Vec<ResId> {
        let now = self.gvk();
        self.previous
            .iter()
            .map(|(kind, name, namespace)| ResId {
                gvk: Gvk {
                    kind: kind.clone(),
                    ..now.clone()
                },
                name: name.clone(),
                namespace: namespace.clone(),
            })
            .collect()
    }

    /// What it was in its file.
    pub fn original_id(&self) -> ResId {
        self.previous_ids().into_iter().next().unwrap_or_else(|| self.id())
    }

    /// What it was and is.
    pub fn all_ids(&self) -> Vec<ResId> {
        let mut ids = self.previous_ids();
        ids.push(self.id());
        ids
    }

    /// Notes what it is, before that changes.
    pub fn remember(&mut self) {
        let id = self.id();
        let namespace = id.effective_namespace().to_owned();
        self.previous.push((id.gvk.kind, id.name, namespace));
    }

    /// Whether the prefixes and suffixes of both end alike; none at all fits any.
    pub fn same_affixes(&self, other: &Resource) -> bool {
        let alike = |a: &[String], b: &[String]| a.iter().rev().zip(b.iter().rev()).all(|(x, y)| x == y);
        alike(&self.prefixes, &other.prefixes) && alike(&self.suffixes, &other.suffixes)
    }

    /// Annotations or labels as texts.
    fn texts(&self, field: &str) -> Value {
        self.value
            .at(&["metadata", field])
            .entries()
            .map(|(k, v)| (k.clone(), Value::from(text(v))))
            .collect()
    }

    /// Makes every annotation a text, and drops an empty map of them: what setting any does.
    pub fn normalize_annotations(&mut self) {
        if self.value.at(&["metadata"]).has("annotations") {
            let texts = self.texts("annotations");
            if texts.is_empty() {
                self.value.remove(&["metadata", "annotations"]);
            } else if *self.value.at(&["metadata", "annotations"]) != texts {
                self.value.set(&["metadata", "annotations"], texts);
            }
        }
    }

    /// Whether its labels, or annotations, fit a selector.
    ///
    /// # Errors
    /// The sentence of a selector that is none.
    pub fn fits(&self, field: &str, selector: &str) -> Result<bool> {
        if selector.is_empty() {
            return Ok(true);
        }
        let selector = Selector::parse(selector).map_err(Error::said)?;
        Ok(selector.matches(&self.texts(field)))
    }

    /// Takes from the resource that this one replaces or is merged over what belongs to the object.
    fn take_metadata(&mut self, old: &Resource) {
        for field in ["labels", "annotations"] {
            let mut merged = old.texts(field);
            for (k, v) in self.texts(field).entries() {
                merged.map_mut().insert(k.clone(), v.clone());
            }
            self.value.set_or_remove(&["metadata", field], merged);
        }
        self.value.set(&["metadata", "name"], old.name());
        self.value.set_or_remove(&["metadata", "namespace"], old.namespace());
        self.previous = old.previous.clone();
        self.prefixes = old.prefixes.clone();
        self.suffixes = old.suffixes.clone();
        self.needs_hash &= old.needs_hash;
        self.behavior = old.behavior;
        self.vars = old.vars.clone();
    }

    fn merge_data(&mut self, old: &Resource, field: &str) {
        let mut merged = old.value.get(field).clone();
        for (k, v) in self.value.get(field).clone().entries() {
            merged.map_mut().insert(k.clone(), v.clone());
        }
        self.value.set_or_remove(&[field], merged);
    }
}

/// The resources of a build, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct ResMap {
    pub list: Vec<Resource>,
}

impl ResMap {
    /// Adds a resource.
    ///
    /// # Errors
    /// When one of its identity is there.
    pub fn append(&mut self, resource: Resource) -> Result<()> {
        let id = resource.id();
        if self.list.iter().any(|r| r.id().equals(&id)) {
            return fail(format!("may not add resource with an already registered id: {id}"));
        }
        self.list.push(resource);
        Ok(())
    }

    /// Adds all.
    ///
    /// # Errors
    /// As [`ResMap::append`].
    pub fn append_all(&mut self, other: ResMap) -> Result<()> {
        other.list.into_iter().try_for_each(|r| self.append(r))
    }

    /// Adds, replaces or merges what a generator made.
    ///
    /// # Errors
    /// When what is there does not fit the generator's behaviour.
    pub fn absorb(&mut self, mut made: Resource) -> Result<()> {
        let id = made.id();
        let found = self.find(|i| i.equals(&id));
        match found.as_slice() {
            [] => match made.behavior {
                Behavior::Merge | Behavior::Replace => {
                    fail(format!("id {} does not exist; cannot merge or replace", id.go_syntax()))
                }
                _ => self.append(made),
            },
            [at] => {
                let Some(old) = self.list.get_mut(*at) else {
                    return Ok(());
                };
                let behavior = made.behavior;
                match behavior {
                    Behavior::Replace => made.take_metadata(old),
                    Behavior::Merge => {
                        made.take_metadata(old);
                        made.merge_data(old, "data");
                        made.merge_data(old, "binaryData");
                        made.origin = old.origin.clone().or(made.origin);
                    }
                    other => {
                        return fail(format!(
                            "id {} exists; can not use behavior: '{}', behavior must be merge or replace",
                            id.go_syntax(),
                            other.word()
                        ));
                    }
                }
                *old = made;
                Ok(())
            }
            many => {
                let all: Vec<String> = many
                    .iter()
                    .filter_map(|i| self.list.get(*i))
                    .map(|r| r.value.to_json())
                    .collect();
                fail(format!(
                    "found multiple objects [{}] that could accept merge of {id}",
                    all.join(" ")
                ))
            }
        }
    }

    /// The places of those which are or were what `fits`.
    pub fn find(&self, fits: impl Fn(&ResId) -> bool) -> Vec<usize> {
        let place = |(i, r): (usize, &Resource)| (!r.is_gone() && r.all_ids().iter().any(&fits)).then_some(i);
        self.list.iter().enumerate().filter_map(place).collect()
    }

    /// The place of the one that is or was this, for a patch.
    ///
    /// # Errors
    /// When there is none, or are several.
    pub fn target_of(&self, id: &ResId) -> Result<usize> {
        let said = match self.find(|i| i.equals(id)).as_slice() {
            [one] => return Ok(*one),
            [] => "no matches for Id",
            _ => "multiple matches for Id",
        };
        fail(format!("{said} {id}; failed to find unique target for patch {id}"))
    }

    /// Drops what patches deleted.
    pub fn drop_gone(&mut self) {
        self.list.retain(|r| !r.is_gone());
    }

    /// All as YAML.
    pub fn manifests(&self) -> Vec<Manifest> {
        let one = |r: &Resource| {
            let id = r.id();
            Manifest {
                namespace: (!id.gvk.is_cluster_scoped()).then(|| id.effective_namespace().to_owned()),
                file: format!("{}_{}.yaml", id.gvk.file_name(), id.name.lower()),
                yaml: yaml::to_yaml(&r.value),
            }
        };
        self.list.iter().map(one).collect()
    }
}
