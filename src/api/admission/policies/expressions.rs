//! The expressions of a policy: what they may name, and how they are run.

use std::cell::RefCell;
use std::rc::Rc;

use super::Subject;
use crate::api::auth::{Attributes, User};
use crate::api::cel::{self, Authority, Decision, Program, Question, Type, Val};
use crate::api::object::Object;
use crate::api::server::ApiServer;
use crate::flat::FlatMap;
use crate::value::gofmt::aggregate;
use crate::value::{Value, quoted};

/// The variable with the permissions about the resource of the request.
pub(super) const REQUEST_RESOURCE: &str = "authorizer.requestResource";

/// Variables and their types.
pub(crate) type Known = Vec<(&'static str, Type)>;

fn fields(name: &'static str, all: &[(&str, Type)]) -> Type {
    let all = all.iter().map(|(n, t)| (Rc::from(*n), t.clone()));
    Type::Fields(name, all.collect())
}

fn texts<const N: usize>(names: [&'static str; N]) -> Vec<(&'static str, Type)> {
    names.into_iter().map(|n| (n, Type::Str)).collect()
}

fn list(item: Type) -> Type {
    Type::List(Rc::new(item))
}

fn map(value: Type) -> Type {
    Type::Map(Rc::new(Type::Str), Rc::new(value))
}

/// `request` (`BuildRequestType`).
fn request_type() -> Type {
    let kind = fields("kubernetes.GroupVersionKind", &texts(["group", "version", "kind"]));
    let resource = fields(
        "kubernetes.GroupVersionResource",
        &texts(["group", "version", "resource"]),
    );
    let mut user = texts(["username", "uid"]);
    user.push(("groups", list(Type::Str)));
    user.push(("extra", map(list(Type::Str))));
    let mut all = texts(["subResource", "requestSubResource", "name", "namespace", "operation"]);
    all.push(("kind", kind.clone()));
    all.push(("requestKind", kind));
    all.push(("resource", resource.clone()));
    all.push(("requestResource", resource));
    all.push(("userInfo", fields("kubernetes.UserInfo", &user)));
    all.push(("dryRun", Type::Bool));
    all.push(("options", Type::Dyn));
    fields("kubernetes.AdmissionRequest", &all)
}

/// `namespaceObject` (`BuildNamespaceType`), with its `UID` in capitals.
fn namespace_type() -> Type {
    let mut meta = texts(["name", "generateName", "namespace", "UID", "resourceVersion"]);
    meta.push(("labels", map(Type::Str)));
    meta.push(("annotations", map(Type::Str)));
    meta.push(("finalizers", list(Type::Str)));
    for name in ["generation", "deletionGracePeriodSeconds"] {
        meta.push((name, Type::Int));
    }
    for name in ["creationTimestamp", "deletionTimestamp"] {
        meta.push((name, Type::Timestamp));
    }
    let mut condition = texts(["status", "type", "message", "reason"]);
    condition.push(("lastTransitionTime", Type::Timestamp));
    let condition = fields("kubernetes.NamespaceCondition", &condition);
    let status = [("conditions", list(condition)), ("phase", Type::Str)];
    let all = [
        ("metadata", fields("kubernetes.NamespaceMetadata", &meta)),
        (
            "spec",
            fields("kubernetes.NamespaceSpec", &[("finalizers", list(Type::Str))]),
        ),
        ("status", fields("kubernetes.NamespaceStatus", &status)),
    ];
    fields("kubernetes.Namespace", &all)
}

/// What expressions may name that have no variables of their policy.
pub(crate) fn known(params: bool, authorizer: bool) -> Known {
    let mut all = vec![
        ("object", Type::Dyn),
        ("oldObject", Type::Dyn),
        ("request", request_type()),
        ("namespaceObject", namespace_type()),
    ];
    if params {
        all.push(("params", Type::Dyn));
    }
    if authorizer {
        all.push(("authorizer", Type::Named(cel::AUTHORIZER)));
        all.push((REQUEST_RESOURCE, Type::Named(cel::RESOURCE_CHECK)));
    }
    all
}

/// What a variable's type is to those who read it (`convertCelTypeToDeclType`).
fn declared(t: &Type) -> Type {
    match t {
        Type::List(item) => list(declared(item)),
        Type::Map(key, value) => Type::Map(Rc::new(declared(key)), Rc::new(declared(value))),
        Type::Bool
        | Type::Int
        | Type::Uint
        | Type::Double
        | Type::Str
        | Type::Bytes
        | Type::Null
        | Type::Timestamp
        | Type::Duration => t.clone(),
        _ => Type::Dyn,
    }
}

/// Adds `variables`, each of which may name those before it. The reports are of those that do not compile.
pub(crate) fn compose(known: &mut Known, spec: &Value) -> Vec<Option<String>> {
    let mut composed: Vec<(&str, Type)> = Vec::new();
    let mut reports = Vec::new();
    known.push(("variables", fields(VARIABLES, &[])));
    for variable in spec.get("variables").items() {
        let compiled = cel::compile(variable.get("expression").str(), known);
        let t = compiled.as_ref().map_or(Type::Dyn, |p| declared(&p.result));
        reports.push(compiled.err());
        composed.retain(|(name, _)| *name != variable.get("name").str());
        composed.push((variable.get("name").str(), t));
        known.retain(|(name, _)| *name != "variables");
        known.push(("variables", fields(VARIABLES, &composed)));
    }
    reports
}

const VARIABLES: &str = "kubernetes.variables";

/// Objects and JSON patches, which mutations make.
pub(crate) fn with_patches(known: &Known) -> Known {
    let mut all = known.clone();
    all.push((cel::OBJECT, Type::Type));
    all
}

/// What kind of expression one is, which decides on what it may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Rule,
    /// A message may not ask for permissions.
    Message,
    Mutation,
}

/// The expressions of one version of a policy. Each is compiled when it is first run, for every request after:
/// to parse and check one costs more than to run it.
struct Programs {
    rules: Known,
    messages: Known,
    mutations: Known,
    /// By their texts; the report of what does not compile.
    compiled: RefCell<FlatMap<Role, FlatMap<String, Rc<Result<Program, String>>>>>,
}

impl Programs {
    fn of(policy: &Object) -> Rc<Programs> {
        policy.memo(|policy| {
            let spec = policy.spec();
            let mut rules = known(!spec.get("paramKind").is_null(), true);
            compose(&mut rules, spec);
            let mut messages = rules.clone();
            messages.retain(|(name, _)| !name.starts_with("authorizer"));
            Programs {
                mutations: with_patches(&rules),
                rules,
                messages,
                compiled: RefCell::default(),
            }
        })
    }

    fn get(&self, text: &str, role: Role) -> Rc<Result<Program, String>> {
        let mut compiled = self.compiled.borrow_mut();
        let compiled = compiled.entry(role).or_default();
        if let Some(program) = compiled.get(text) {
            return program.clone();
        }
        let known = match role {
            Role::Rule => &self.rules,
            Role::Message => &self.messages,
            Role::Mutation => &self.mutations,
        };
        let program = Rc::new(cel::compile(text, known));
        compiled.insert(text.to_owned(), program.clone());
        program
    }
}

pub(super) fn dynamic(value: &Value) -> Val {
    Val::of(value, &Value::Null, false)
}

/// Who answers `authorizer`: the roles of this cluster.
struct Rights {
    api: ApiServer,
    user: User,
}

impl Authority for Rights {
    fn decide(&self, question: &Question) -> Decision {
        let account = question.account.as_ref().map(|(namespace, name)| {
            let of_namespace = format!("system:serviceaccounts:{namespace}");
            User::new(
                &format!("system:serviceaccount:{namespace}:{name}"),
                ["system:serviceaccounts", &of_namespace],
            )
        });
        let asked = Attributes {
            verb: &question.verb,
            group: &question.group,
            version: if question.path.is_empty() { "*" } else { "" },
            resource: &question.resource,
            subresource: &question.subresource,
            namespace: &question.namespace,
            name: &question.name,
            path: &question.path,
        };
        let user = account.as_ref().unwrap_or(&self.user);
        let decision = self.api.authorizer().decide(&self.api, user, &asked);
        Decision {
            allowed: decision.allowed,
            reason: decision.reason,
        }
    }
}

/// What the expressions read, but for the object, and a policy's parameters and variables.
pub(super) fn values(subject: &Subject) -> FlatMap<&'static str, Val> {
    let namespace = subject.namespace().map_or(Value::Null, |n| {
        let mut shown = n.value().clone();
        for gone in ["managedFields", "ownerReferences", "selfLink"] {
            shown.remove(&["metadata", gone]);
        }
        shown
    });
    let rights: Rc<dyn Authority> = Rc::new(Rights {
        api: subject.a.api.clone(),
        user: subject.a.request.user.clone(),
    });
    let target = subject.a.target;
    let own = Question {
        group: target.resource.group.clone(),
        resource: target.resource.name.clone(),
        subresource: target.subresource.as_str().into(),
        namespace: target.namespace.as_str().into(),
        name: subject.name.into(),
        ..Question::default()
    };
    let values = [
        ("oldObject", dynamic(subject.old())),
        ("request", dynamic(&subject.request())),
        ("namespaceObject", dynamic(&namespace)),
        ("authorizer", cel::Check::start(rights.clone())),
        (REQUEST_RESOURCE, cel::Check::resource(rights, own)),
    ];
    values.into_iter().collect()
}

/// Whether a policy is asked about a request.
pub(super) enum Matched {
    Yes,
    No,
    Failed(String),
}

/// The expressions of a policy, run against one request and one object of parameters.
pub(super) struct Evaluation<'a> {
    policy: &'a Object,
    programs: Rc<Programs>,
    values: FlatMap<&'static str, Val>,
    /// Variables that could not be computed, and why.
    failed: FlatMap<String, String>,
}

impl<'a> Evaluation<'a> {
    /// `values` are those of the request.
    pub(super) fn new(
        policy: &'a Object,
        mut values: FlatMap<&'static str, Val>,
        object: &Value,
        params: &Value,
    ) -> Evaluation<'a> {
        values.insert("object", dynamic(object));
        values.insert("params", dynamic(params));
        Evaluation {
            policy,
            programs: Programs::of(policy),
            values,
            failed: FlatMap::new(),
        }
    }

    /// Runs an expression.
    ///
    /// # Errors
    /// What happened, as the server says it.
    pub(super) fn run(&self, text: &str, role: Role) -> Result<Val, String> {
        let program = self.programs.get(text, role);
        let program = program
            .as_ref()
            .as_ref()
            .map_err(|why| format!("compilation error: compilation failed: {why}"))?;
        program.run(&self.values).map_err(|failure| {
            let mut why = failure.to_string();
            if let Some(name) = why.strip_prefix("no such key: ")
                && let Some(cause) = self.failed.get(name)
            {
                why = format!(
                    "composited variable {name} fails to evaluate: {cause}",
                    name = quoted(&name)
                );
            }
            format!("expression '{text}' resulted in error: {why}")
        })
    }

    /// From here on nothing can be asked of permissions: audit annotations may name them, and get none.
    pub(super) fn forget_permissions(&mut self) {
        self.values.retain(|name, _| !name.starts_with("authorizer"));
    }

    /// Computes `variables`: each may use those before it, and matters only where it is used.
    pub(super) fn compose(&mut self) {
        if self.values.contains_key("variables") {
            return;
        }
        let mut known: Vec<(Val, Val)> = Vec::new();
        for variable in self.policy.spec().get("variables").items() {
            self.values.insert("variables", Val::Map(Rc::new(known.clone())));
            let (name, text) = (variable.get("name").str(), variable.get("expression").str());
            match self.run(text, Role::Rule) {
                Ok(value) => known.push((Val::Str(name.into()), value)),
                Err(why) => {
                    let prefix = format!("expression '{text}' resulted in error: ");
                    let cause = why.strip_prefix(&prefix).unwrap_or(&why).to_owned();
                    self.failed.insert(name.to_owned(), cause);
                }
            }
        }
        self.values.insert("variables", Val::Map(Rc::new(known)));
    }

    /// Whether the policy's conditions hold.
    pub(super) fn matches(&mut self) -> Matched {
        if !self.policy.spec().get("matchConditions").is_empty() {
            self.compose();
        }
        let mut errors = Vec::new();
        for condition in self.policy.spec().get("matchConditions").items() {
            match self.run(condition.get("expression").str().trim(), Role::Rule) {
                Ok(Val::Bool(false)) => return Matched::No,
                Ok(_) => {}
                Err(why) => errors.push(why),
            }
        }
        aggregate(&errors).map_or(Matched::Yes, Matched::Failed)
    }
}
