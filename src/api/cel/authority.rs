//! The variable `authorizer`: what expressions ask of who may do what.

use std::fmt;
use std::rc::Rc;

use super::Failure;
use super::value::Val;
use crate::api::names;

/// What stands behind the variable.
pub trait Authority {
    /// Whether the requester, or the service account that the question names, may do what is asked.
    fn decide(&self, question: &Question) -> Decision;
}

/// The parts of a question.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// Namespace and name of the service account that is asked about, instead of who made the request.
    pub account: Option<(Rc<str>, Rc<str>)>,
    /// `get`, `create`.
    pub verb: Rc<str>,
    /// For what is no resource.
    pub path: Rc<str>,
    /// Empty for the core group.
    pub group: Rc<str>,
    /// The plural; empty for what is no resource.
    pub resource: Rc<str>,
    /// Empty for the object itself.
    pub subresource: Rc<str>,
    /// Empty for all namespaces or none.
    pub namespace: Rc<str>,
    /// Empty for the collection.
    pub name: Rc<str>,
}

/// The answer.
#[derive(Debug)]
pub struct Decision {
    /// Whether it may be done.
    pub allowed: bool,
    /// Why, where the authorizer says.
    pub reason: String,
}

/// How far a question has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Stage {
    Start,
    Path,
    Group,
    Resource,
}

/// A question that is being put together.
#[derive(Clone)]
pub struct Check {
    authority: Rc<dyn Authority>,
    pub(super) stage: Stage,
    question: Question,
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.question.fmt(f)
    }
}

impl Check {
    /// The variable `authorizer`.
    pub fn start(authority: Rc<dyn Authority>) -> Val {
        Val::Check(Rc::new(Check {
            authority,
            stage: Stage::Start,
            question: Question::default(),
        }))
    }

    /// The variable `authorizer.requestResource`.
    pub fn resource(authority: Rc<dyn Authority>, question: Question) -> Val {
        Val::Check(Rc::new(Check {
            authority,
            stage: Stage::Resource,
            question,
        }))
    }

    /// What a method gives; `None` where it has none of this name.
    pub(super) fn call(&self, method: &str, args: &[Val]) -> Result<Option<Val>, Failure> {
        let fail = |why: &str| Err(Failure(why.to_owned()));
        let mut next = self.clone();
        let q = &mut next.question;
        match (self.stage, method, args) {
            (Stage::Start, ".path", [Val::Str(path)]) => {
                if path.trim().is_empty() {
                    return fail("path must not be empty");
                }
                q.path = path.clone();
                next.stage = Stage::Path;
            }
            (Stage::Start, ".group", [Val::Str(group)]) => {
                q.group = group.clone();
                next.stage = Stage::Group;
            }
            (Stage::Start, ".serviceAccount", [Val::Str(namespace), Val::Str(name)]) => {
                if names::dns1123_subdomain(name).is_err() {
                    return fail("Invalid service account name");
                }
                if names::dns1123_label(namespace).is_err() {
                    return fail("Invalid service account namespace");
                }
                q.account = Some((namespace.clone(), name.clone()));
            }
            (Stage::Group, ".resource", [Val::Str(resource)]) => {
                if resource.trim().is_empty() {
                    return fail("resource must not be empty");
                }
                q.resource = resource.clone();
                next.stage = Stage::Resource;
            }
            (Stage::Resource, ".subresource", [Val::Str(part)]) => q.subresource = part.clone(),
            (Stage::Resource, ".namespace", [Val::Str(namespace)]) => q.namespace = namespace.clone(),
            (Stage::Resource, ".name", [Val::Str(name)]) => q.name = name.clone(),
            // Roles do not tell selections apart.
            (Stage::Resource, ".fieldSelector" | ".labelSelector", [Val::Str(_)]) => {}
            (Stage::Path | Stage::Resource, ".check", [Val::Str(verb)]) => {
                q.verb = verb.clone();
                return Ok(Some(Val::Decision(Rc::new(self.authority.decide(q)))));
            }
            _ => return Ok(None),
        }
        Ok(Some(Val::Check(Rc::new(next))))
    }
}

impl Decision {
    /// What a method gives; `None` where it has none of this name.
    pub(super) fn call(&self, method: &str) -> Option<Val> {
        Some(match method {
            ".allowed" => Val::Bool(self.allowed),
            ".reason" => Val::Str(self.reason.as_str().into()),
            // Neither roles nor kubelets' rights can fail to be looked up.
            ".errored" => Val::Bool(false),
            ".error" => Val::Str("".into()),
            _ => return None,
        })
    }
}
