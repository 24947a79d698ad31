//! From a verb's arguments and files to the objects that it is about.

use std::rc::Rc;

use super::command::{Cmd, scope};
use super::error::Error;
use super::files;
use super::mapper;
use crate::api::{Resource, Selector};
use crate::flat::{Arrange, Case};
use crate::value::{Value, quoted};

/// How a verb selects.
#[derive(Clone, Debug, Default)]
pub struct Select {
    pub args: Vec<String>,
    /// The type of arguments that are names; empty where they name their types.
    pub of: String,
    /// Reads `-f`, `-R` and `-k`.
    pub files: bool,
    pub labels: String,
    pub fields: String,
    /// `--all`: everything of the types.
    pub all: bool,
    pub all_namespaces: bool,
    /// How many objects a page of a list has; 0 for lists that come whole (`--chunk-size`).
    pub limit: i64,
    /// Objects that are named are left for the verb to fetch, each when its turn comes.
    pub lazy: bool,
    /// A type without names means all of it (`get pods`).
    pub bare_type: bool,
    pub single_type: bool,
    /// `--local`: what the files say, without the server and without a namespace of its own.
    pub local: bool,
    /// Objects must be of kinds that kubectl itself knows.
    pub typed: bool,
    /// Objects of files are checked for `apiVersion` and `kind`, and looked up in the API's types.
    pub validate: bool,
}

impl Select {
    /// The arguments of this run, with the flags for selecting that the verb has.
    pub fn of(cmd: &Cmd) -> Select {
        Select {
            args: cmd.args.clone(),
            files: true,
            labels: cmd.flags.str("selector").trim().to_owned(),
            fields: cmd.flags.str("field-selector").trim().to_owned(),
            all: cmd.flags.knows("all") && cmd.flags.bool("all"),
            all_namespaces: cmd.flags.bool("all-namespaces"),
            limit: match cmd.flags.knows("chunk-size") {
                true => cmd.flags.int("chunk-size"),
                false => 0,
            },
            ..Select::default()
        }
    }

    pub fn bare_type(mut self) -> Select {
        self.bare_type = true;
        self
    }

    /// For verbs whose `--all` only allows a type without names, and does not mind when names are there.
    pub fn all_of_bare_type(mut self) -> Select {
        self.bare_type = std::mem::take(&mut self.all);
        self
    }
}

/// Whether the words name a type and nothing of it.
pub fn is_bulk(cmd: &Cmd) -> bool {
    cmd.args.len() == 1 && !cmd.arg(0).contains('/')
}

/// What a verb is about, before it is fetched.
#[derive(Clone, Debug)]
pub enum Target {
    /// Everything of a type that fits.
    List {
        resource: Rc<Resource>,
        /// Empty for all namespaces.
        namespace: String,
    },
    /// One object.
    Item(Info),
}

/// One object: by name, and once it is known the object itself.
#[derive(Clone, Debug)]
pub struct Info {
    pub resource: Rc<Resource>,
    pub namespace: String,
    pub name: String,
    /// The file that it came from; empty for one named in the arguments.
    pub source: String,
    /// The object of the file or of the server; null before it is fetched.
    pub object: Value,
}

impl Info {
    /// `pod/web`, `deployment.apps/web`.
    pub fn display(&self) -> String {
        display(&self.resource, &self.name)
    }

    /// The object's present state.
    ///
    /// # Errors
    /// The API server's failure.
    pub async fn fetch(&mut self, cmd: &Cmd) -> Result<(), Error> {
        // What a file gives no name is taken as the file has it.
        if self.name.is_empty() && !self.source.is_empty() {
            return Ok(());
        }
        match cmd.get(&self.resource, &self.namespace, &self.name).await {
            Ok(object) => self.object = object,
            Err(e) => return Err(self.missing(cmd, e).await),
        }
        Ok(())
    }

    /// Whether the object's labels fit.
    pub fn fits(&self, selector: &Selector) -> bool {
        selector.matches(self.object.at(&["metadata", "labels"]))
    }

    /// What is not found may lack its namespace too, which is the better news.
    pub async fn missing(&self, cmd: &Cmd, e: Error) -> Error {
        if !e.is_not_found() || matches!(&*self.namespace, "" | "default") {
            return e;
        }
        let Ok(namespaces) = cmd.client.resource("", "v1", "namespaces") else {
            return e;
        };
        match cmd.get(&namespaces, "", &self.namespace).await {
            Err(missing) if missing.is_not_found() => missing,
            _ => e,
        }
    }
}

/// `pod/web`, `deployment.apps/web`.
pub fn display(resource: &Resource, name: &str) -> String {
    let kind = resource.kind.lower();
    if resource.group.is_empty() {
        format!("{kind}/{name}")
    } else {
        format!("{kind}.{}/{name}", resource.group)
    }
}

/// What was selected.
#[derive(Debug, Default)]
pub struct Targets {
    pub list: Vec<Target>,
    /// Files that could not be read; the others are in `list`.
    pub errors: Vec<Error>,
    /// How many of `list` came before each of the errors.
    pub places: Vec<usize>,
    /// What objects of files have to fit, where nobody looked at that yet; everything otherwise.
    pub selector: Selector,
    /// Whether the words ask for one object (`get pod web`).
    pub single: bool,
}

pub const MISSING: &str = "You must provide one or more resources by argument or filename.
Example resource specifications include:
   '-f rsrc.yaml'
   '--filename=rsrc.json'
   '<resource> <name>'
   '<resource>'";

/// The targets that the arguments and files name.
///
/// # Errors
/// What kubectl says of arguments that make no sense, and of types that the server has not.
pub async fn targets(cmd: &Cmd, select: &Select) -> Result<Targets, Error> {
    let mut targets = latest_targets(cmd, select).await?;
    let selector = std::mem::take(&mut targets.selector);
    let mut place = 0;
    targets.list.retain(|target| {
        let fits = match target {
            Target::Item(info) => info.fits(&selector),
            Target::List { .. } => true,
        };
        // What is left out is no longer before any failure.
        if !fits {
            let later = targets.places.iter_mut().filter(|p| **p > place && **p < usize::MAX);
            later.for_each(|p| *p -= 1);
        }
        place += usize::from(fits);
        fits
    });
    Ok(targets)
}

/// As [`targets`] for verbs that read the objects of files from the server first: the selector is for what comes from
/// there, and the caller looks at [`Targets::selector`].
///
/// # Errors
/// As [`targets`].
pub async fn latest_targets(cmd: &Cmd, select: &Select) -> Result<Targets, Error> {
    let namespace = if select.all_namespaces {
        String::new()
    } else {
        cmd.namespace()
    };
    let mut found = Targets::default();
    if select.files && (cmd.flags.has("filename") || cmd.flags.has("kustomize")) {
        let docs = files::read(cmd).await?;
        if !select.args.is_empty() {
            let named = !select.of.is_empty() || each_type(&select.args).iter().any(|arg| arg.contains('/'));
            return Err(Error::plain(match named {
                true => "resource/name arguments cannot be provided when a path is specified",
                false => {
                    "when paths, URLs, or stdin is provided as input, you may not specify resource arguments as well"
                }
            }));
        }
        found.places = vec![usize::MAX; docs.errors.len()];
        found.errors = docs.errors;
        // Without the server's objects nothing is selected.
        if !select.local {
            found.selector = Selector::parse(&select.labels).map_err(|e| {
                Error::plain(format!(
                    "the provided selector {} is not valid: {e}",
                    quoted(&select.labels)
                ))
            })?;
        }
        for doc in docs.list {
            match files::info(cmd, doc, select) {
                Ok(info) => found.list.push(Target::Item(info)),
                Err(e) => {
                    found.places.push(found.list.len());
                    found.errors.push(e);
                }
            }
        }
        found.single = docs.single;
        return Ok(found);
    }
    let selecting = !select.labels.is_empty() || !select.fields.is_empty() || select.all;
    if !select.of.is_empty() {
        return tuples(cmd, select, &select.args, &namespace, selecting);
    }
    let args = each_type(&select.args);
    let slashes = args.iter().filter(|a| a.contains('/')).count();
    if slashes > 0 && slashes != args.len() {
        return Err(Error::plain(
            "there is no need to specify a resource type as a separate argument when passing arguments in \
             resource/name form (e.g. 'kubectl get resource/<resource_name>' instead of 'kubectl get resource \
             resource/<resource_name>'",
        ));
    }
    if slashes > 0 {
        return tuples(cmd, select, &args, &namespace, selecting);
    }
    let Some(first) = args.first() else {
        if selecting {
            return Err(Error::plain(
                "at least one resource must be specified to use a selector",
            ));
        }
        return Err(Error::plain(MISSING));
    };
    let names = args.get(1..).unwrap_or_default();
    if selecting && !names.is_empty() {
        return Err(Error::plain("name cannot be provided when a selector is specified"));
    }
    let words = mapper::expand(cmd, first);
    if select.single_type && words.len() > 1 {
        return Err(Error::plain("you may only specify a single resource type"));
    }
    let mut resources: Vec<Rc<Resource>> = Vec::new();
    for word in &words {
        let r = mapper::resource(cmd, word)?;
        if !resources.contains(&r) {
            resources.push(r);
        }
    }
    if selecting || (names.is_empty() && select.bare_type) {
        for resource in resources {
            let namespace = scope(&resource, &namespace).to_owned();
            found.list.push(Target::List { resource, namespace });
        }
        return Ok(found);
    }
    if names.is_empty() {
        return Err(Error::plain("resource(s) were provided, but no name was specified"));
    }
    let [resource] = resources.as_slice() else {
        return Err(Error::plain("you must specify only one resource"));
    };
    if select.all_namespaces && resource.namespaced {
        return Err(Error::plain(
            "a resource cannot be retrieved by name across all namespaces",
        ));
    }
    found.single = names.len() == 1;
    for name in names {
        found.list.push(Target::Item(named(resource, &namespace, name)));
    }
    Ok(found)
}

fn named(resource: &Rc<Resource>, namespace: &str, name: &str) -> Info {
    Info {
        resource: resource.clone(),
        namespace: scope(resource, namespace).to_owned(),
        name: name.to_owned(),
        source: String::new(),
        object: Value::Null,
    }
}

/// What names of objects and a selector together get.
pub const NO_SELECTORS: &str = "selectors and the all flag cannot be used when passing resource/name arguments";

/// `TYPE1,TYPE2 NAME` is `TYPE1/NAME TYPE2/NAME`; other arguments stay as they are.
fn each_type(args: &[String]) -> Vec<String> {
    let Some((first, names)) = args
        .split_first()
        .filter(|(first, names)| !names.is_empty() && first.contains(','))
    else {
        return args.to_vec();
    };
    let mut types: Vec<&str> = Vec::new();
    for word in first.split(',') {
        if !types.contains(&word) {
            types.push(word);
        }
    }
    if types.len() == 1 {
        return args.to_vec();
    }
    let pairs = types
        .iter()
        .flat_map(|t| names.iter().map(move |name| format!("{t}/{name}")));
    pairs.collect()
}

/// `TYPE/NAME TYPE/NAME`, and names alone where their type is known.
fn tuples(cmd: &Cmd, select: &Select, args: &[String], namespace: &str, selecting: bool) -> Result<Targets, Error> {
    let mut pairs = Vec::new();
    for arg in args {
        if arg.matches('/').count() > 1 {
            return Err(Error::plain(
                "arguments in resource/name form may not have more than one slash",
            ));
        }
        match arg.split_once('/') {
            None if !select.of.is_empty() => pairs.push((select.of.as_str(), arg.as_str())),
            Some((t, n)) if !t.is_empty() && !n.is_empty() && !t.contains(',') => pairs.push((t, n)),
            _ => {
                return Err(Error::plain(
                    "arguments in resource/name form must have a single resource and name",
                ));
            }
        }
    }
    if selecting {
        return Err(Error::plain(NO_SELECTORS));
    }
    let mut found = Targets {
        single: pairs.len() == 1,
        ..Targets::default()
    };
    let mut first: Option<Rc<Resource>> = None;
    for (word, name) in pairs {
        let resource = mapper::resource(cmd, word)?;
        if name.is_empty() {
            return Err(Error::plain("resource name may not be empty"));
        }
        if select.single_type && *first.get_or_insert_with(|| resource.clone()) != resource {
            return Err(Error::plain("you may only specify a single resource type"));
        }
        if select.all_namespaces && resource.namespaced {
            return Err(Error::plain(
                "a resource cannot be retrieved by name across all namespaces",
            ));
        }
        found.list.push(Target::Item(named(&resource, namespace, name)));
    }
    Ok(found)
}

/// The objects themselves: lists are fetched and taken apart, named ones fetched when `latest`.
#[derive(Debug, Default)]
pub struct Found {
    pub infos: Vec<Info>,
    pub errors: Vec<Error>,
    /// As [`Targets::single`].
    pub single: bool,
    /// As [`Targets::selector`].
    pub selector: Selector,
    /// How many of `infos` came before each of the errors.
    pub places: Vec<usize>,
}

impl Found {
    /// These errors and a verb's own, each with the number of its object in `infos`, in the order of the objects.
    pub fn told(errors: Vec<Error>, places: &[usize], own: Vec<(usize, Error)>) -> Vec<Error> {
        // What came before an object is told before what the verb had to say of it.
        let before = places.iter().map(|place| (*place, false)).zip(errors);
        let of_object = own.into_iter().map(|(i, e)| ((i, true), e));
        let mut all: Vec<((usize, bool), Error)> = before.chain(of_object).collect();
        all.arrange_by(|a, b| a.0.cmp(&b.0));
        all.into_iter().map(|(_, e)| e).collect()
    }

    /// Does something with each object; all failures, in the order of the objects.
    ///
    /// # Errors
    /// Those failures.
    pub async fn each(self, mut f: impl AsyncFnMut(&Info) -> Result<(), Error>) -> Result<(), Error> {
        let mut own = Vec::new();
        for (i, info) in self.infos.iter().enumerate() {
            if let Err(e) = f(info).await {
                own.push((i, e));
            }
        }
        Error::all(Found::told(self.errors, &self.places, own))
    }

    /// Keeps a failure, with its place among the objects.
    fn fail(&mut self, e: Error) {
        self.places.push(self.infos.len());
        self.errors.push(e);
    }
}

/// Fetches what the arguments and files name. Objects of files stay as the files have them unless
/// `latest`.
///
/// # Errors
/// As [`targets`]; failures of single objects are in [`Found::errors`].
pub async fn find(cmd: &Cmd, select: &Select, latest: bool) -> Result<Found, Error> {
    let later = latest || select.lazy;
    let targets = match later {
        true => latest_targets(cmd, select).await?,
        false => targets(cmd, select).await?,
    };
    let mut found = Found {
        single: targets.single,
        ..Found::default()
    };
    // Failures are told in the order of the objects.
    let mut unread: Vec<(usize, Error)> = targets.places.into_iter().zip(targets.errors).collect();
    for (place, target) in targets.list.into_iter().enumerate() {
        let (before, after) = unread.into_iter().partition(|(at, _)| *at <= place);
        unread = after;
        Vec::into_iter(before).for_each(|(_, e)| found.fail(e));
        match target {
            Target::List { resource, namespace } => {
                let (labels, fields) = (&select.labels, &select.fields);
                match cmd.list_by(&resource, &namespace, labels, fields, select.limit).await {
                    Ok(list) => found.infos.extend(items(&resource, &list)),
                    Err(e) => found.fail(selector_error(e, &resource, select)),
                }
            }
            Target::Item(mut info) => {
                if (latest || info.source.is_empty())
                    && !select.lazy
                    && let Err(e) = info.fetch(cmd).await
                {
                    found.fail(e);
                    continue;
                }
                if select.typed {
                    known_kind(cmd, &info.resource)?;
                }
                if select.lazy || info.fits(&targets.selector) {
                    found.infos.push(info);
                }
            }
        }
    }
    unread.into_iter().for_each(|(_, e)| found.fail(e));
    found.selector = targets.selector;
    Ok(found)
}

/// Whether kubectl's own scheme has a kind.
///
/// # Errors
/// `no kind "Gadget" is registered for version "shop.acme.io/v1" in scheme …`
pub fn known_kind(cmd: &Cmd, resource: &Resource) -> Result<(), Error> {
    let own =
        resource.custom.is_none() && !matches!(&*resource.group, "apiextensions.k8s.io" | "apiregistration.k8s.io");
    if own {
        return Ok(());
    }
    // Forwarding ports has a scheme of its own.
    let scheme = match cmd.verb.name {
        "port-forward" => "k8s.io/client-go/kubernetes/scheme/register.go:82",
        _ => SCHEME,
    };
    Err(unregistered(&resource.kind, &resource.api_version(), scheme))
}

/// Where kubectl's own scheme of kinds is made, as messages name it.
pub const SCHEME: &str = "k8s.io/kubectl/pkg/scheme/scheme.go:28";

/// What is said of a kind that a scheme of kubectl's does not have.
pub fn unregistered(kind: &str, version: &str, scheme: &str) -> Error {
    Error::plain(format!(
        "no kind {kind} is registered for version {version} in scheme {scheme}",
        kind = quoted(&kind),
        version = quoted(&version),
        scheme = quoted(&scheme)
    ))
}

/// The objects of a list.
pub fn items(resource: &Rc<Resource>, list: &Value) -> Vec<Info> {
    let mut infos = Vec::new();
    for object in list.get("items").items() {
        infos.push(Info {
            resource: resource.clone(),
            namespace: object.str_at(&["metadata", "namespace"]).to_owned(),
            name: object.str_at(&["metadata", "name"]).to_owned(),
            source: String::new(),
            object: object.clone(),
        });
    }
    infos
}

/// What the client adds to a failure of listing with a selector.
pub fn selector_error(e: Error, resource: &Resource, select: &Select) -> Error {
    let e = e.asked("get", resource, "");
    match &e {
        Error::Status(s) if matches!(s.reason(), "BadRequest" | "NotFound") => {
            let what = format!("{}, Resource={}", resource.group_version(), resource.name);
            e.when(&if select.labels.is_empty() && select.fields.is_empty() {
                format!("Unable to list {what}", what = quoted(&what))
            } else {
                format!(
                    "Unable to find {what} that match label selector {}, field selector {}",
                    quoted(&select.labels),
                    quoted(&select.fields),
                    what = quoted(&what)
                )
            })
        }
        _ => e,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_the_order_of_objects() {
        let e = |text: &str| Error::plain(text);
        // Two objects; one failure before the first, one between them, and a file that could not be read at all.
        let errors = vec![e("before"), e("between"), e("unread")];
        let told = Found::told(errors, &[0, 1, usize::MAX], vec![(0, e("first")), (1, e("second"))]);
        let told: Vec<String> = told.iter().map(Error::message).collect();
        assert_eq!(told, ["before", "first", "between", "second", "unread"]);
    }
}
