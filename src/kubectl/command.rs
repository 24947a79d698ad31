//! A run of a verb: what it is given, how it talks to the API server, how it prints.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use futures::future::LocalBoxFuture;

use super::connection::{Nobody, request_timeout};
use super::credentials::Who;
use super::discovery::Discovery;
use super::error::Error;
use super::flags::{Flag, Values};
use super::kubeconfig::Kubeconfig;
use super::verbosity;
use crate::api::client::item;
use crate::api::{Body, Client, Method, PatchType, Payload, Request, Resource, Response, Watch};
use crate::flat::FlatSet;
use crate::shell::Context;
use crate::sim::Sim;
use crate::value::gofmt::parse_bool;
use crate::value::{Value, duration, quoted};

/// What a verb does: `Ok` is exit code 0.
pub type Run = for<'a> fn(&'a Cmd) -> LocalBoxFuture<'a, Result<(), Error>>;

/// A verb or one of its subcommands, with its flags. What else help says stands in `data/help.txt`.
#[derive(Clone, Copy)]
pub struct Verb {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    /// Words that suggest this verb when they are typed instead of it.
    pub suggest_for: &'static [&'static str],
    /// The group of commands that the root's help lists it under.
    pub group: &'static str,
    pub short: &'static str,
    pub flags: &'static [&'static [Flag]],
    pub required: &'static [&'static str],
    pub subs: &'static [&'static Verb],
    pub run: Option<Run>,
    /// What of it is not simulated; empty when all is.
    pub missing: &'static str,
}

/// A verb with nothing in it, to start from.
pub const VERB: Verb = Verb {
    name: "",
    aliases: &[],
    suggest_for: &[],
    group: "",
    short: "",
    flags: &[],
    required: &[],
    subs: &[],
    run: None,
    missing: "",
};

/// How `--dry-run` was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DryRun {
    None,
    Client,
    Server,
}

/// One run of a verb.
pub struct Cmd {
    pub cx: Context,
    pub client: Client,
    /// Where it can listen.
    pub local: Option<super::Local>,
    pub verb: &'static Verb,
    /// `kubectl create deployment`.
    pub path: String,
    pub flags: Values,
    pub args: Vec<String>,
    /// How many of `args` stood before `--`.
    pub dash: Option<usize>,
    pub config: Kubeconfig,
    pub warned: RefCell<FlatSet<String>>,
    /// Whether the deprecation of a bare `--dry-run` was told.
    pub noted: Cell<bool>,
    pub discovery: Rc<Discovery>,
    pub kustomize: super::kustomize::Engine,
    /// Whether a person is still to be asked who they are.
    pub who: RefCell<Who>,
    /// The server that does not answer.
    pub nobody: Option<Nobody>,
    /// Whether it was asked something: then the run is over, and prints nothing more.
    pub met_nobody: Cell<bool>,
}

impl Cmd {
    pub fn sim(&self) -> &Sim {
        self.client.sim()
    }

    /// Prints to stdout, as it is.
    pub fn out(&self, text: impl AsRef<str>) {
        if !self.met_nobody.get() {
            self.cx.stdout.write(text.as_ref());
        }
    }

    /// Prints a line to stdout.
    pub fn say(&self, text: impl AsRef<str>) {
        if !self.met_nobody.get() {
            self.cx.stdout.line(text);
        }
    }

    /// Prints a line to stderr.
    pub fn err(&self, text: impl AsRef<str>) {
        if !self.met_nobody.get() {
            self.cx.stderr.line(text);
        }
    }

    pub fn arg(&self, i: usize) -> &str {
        self.args.get(i).map_or("", String::as_str)
    }

    /// Prints a warning, once in a run.
    pub fn warn(&self, text: &str) {
        if self.warned.borrow_mut().insert(text.to_owned()) {
            self.err(format!("Warning: {text}"));
        }
    }

    /// The namespace of this run: the flag's, the context's, or `default`.
    pub fn namespace(&self) -> String {
        match self.flags.str("namespace") {
            "" => self.config.namespace(self.flags.str("context")),
            given => given.to_owned(),
        }
    }

    /// Whether the namespace was named with a flag, so that files may not disagree with it.
    pub fn namespace_given(&self) -> bool {
        !self.flags.str("namespace").is_empty()
    }

    /// Reads `--dry-run`.
    ///
    /// # Errors
    /// When its value is none of those allowed.
    pub fn dry_run(&self) -> Result<DryRun, Error> {
        if !self.flags.knows("dry-run") {
            return Ok(DryRun::None);
        }
        let given = self.flags.str("dry-run");
        let (line, said, instead) = match given {
            "none" => return Ok(DryRun::None),
            "client" => return Ok(DryRun::Client),
            "server" => return Ok(DryRun::Server),
            "unchanged" => (719, "--dry-run is deprecated".to_owned(), DryRun::Client),
            _ => {
                let Some(yes) = parse_bool(given) else {
                    return Err(Error::plain(format!(
                        "Invalid dry-run value ({given}). Must be \"none\", \"server\", or \"client\"."
                    )));
                };
                let said = format!("--dry-run={given} is deprecated (boolean value)");
                match yes {
                    true => (733, said, DryRun::Client),
                    false => (736, said, DryRun::None),
                }
            }
        };
        // Verbs read the flag in several places; the sentence comes once.
        if !self.noted.replace(true) {
            let word = if instead == DryRun::Client { "client" } else { "none" };
            self.log(
                'W',
                &format!("helpers.go:{line}"),
                &format!("{said} and can be replaced with --dry-run={word}."),
            );
        }
        Ok(instead)
    }

    /// A line of the log that kubectl itself keeps, as klog writes it to stderr: `W1126 16:15:36.000000 …`.
    pub fn log(&self, level: char, place: &str, text: &str) {
        let now = self.sim().now().micro();
        let part = |from, to| now.get(from..to).unwrap_or_default();
        self.err(format!(
            "{level}{}{} {}       1 {place}] {text}",
            part(5, 7),
            part(8, 10),
            part(11, 26)
        ));
    }

    /// Reads `--validate` as the API's `fieldValidation`.
    ///
    /// # Errors
    /// When its value is none of those allowed.
    pub fn validation(&self) -> Result<&'static str, Error> {
        match self.flags.str("validate") {
            "strict" => Ok("Strict"),
            "warn" => Ok("Warn"),
            "ignore" => Ok("Ignore"),
            other => match parse_bool(other) {
                Some(true) => Ok("Strict"),
                Some(false) => Ok("Ignore"),
                None => Err(Error::plain(format!(
                    "invalid - validate option {other}; must be one of: strict (or true), warn, ignore (or false)",
                    other = quoted(&other)
                ))),
            },
        }
    }

    /// What verbs check of the flags that they share before they look at anything else: `--dry-run`,
    /// `-o` and `--validate`, in that order, each where the verb has it.
    ///
    /// # Errors
    /// The first value that is wrong.
    pub fn complete(&self) -> Result<(), Error> {
        self.dry_run()?;
        if self.flags.knows("output") && self.flags.knows("template") {
            super::output::printer(self, super::output::FORMATS)?;
        }
        if self.flags.knows("validate") {
            self.validation()?;
        }
        Ok(())
    }

    /// Sends a request and prints the warnings that come with the answer.
    ///
    /// # Errors
    /// The API server's failure.
    pub async fn send(&self, request: Request) -> Result<Response, Error> {
        self.meet();
        if let Some(nobody) = &self.nobody {
            return Err(nobody.failure(request.method, &request.path, &request.query));
        }
        let who = self.who.borrow().clone();
        match who {
            Who::Known => {}
            Who::Silent(e) => return Err(e),
            Who::ToBeAsked => {
                let answer = self.ask_who().await;
                let who = answer.as_ref().err().map_or(Who::Known, |e| Who::Silent(e.clone()));
                self.who.replace(who);
                answer?;
            }
        }
        if request.path.starts_with("/openapi/") {
            // These documents hold texts that the page loads when they are first needed.
            let docs = self.client.api().docs();
            docs.ready().await;
            if let Some(why) = docs.failure() {
                self.warn(&format!(
                    "the documentation's texts could not be loaded ({why}): only names and types are shown"
                ));
            }
        }
        // The time that requests may take stands in each of them.
        let request = match request_timeout(&self.flags)? {
            Some(limit) if request.param("timeout").is_empty() => request.with("timeout", duration::text(limit)),
            _ => request,
        };
        let exchange = verbosity::asked(self, &request);
        let response = self.client.send(request).await;
        if let Some(exchange) = exchange {
            exchange.answered(self, &response);
        }
        for w in &response.warnings {
            self.warn(w);
        }
        Ok(response.ok()?)
    }

    /// Opens a connection into a pod: first by a WebSocket, which begins with a GET, and where that fails by SPDY, which
    /// begins with a POST (`NewFallbackExecutor`, `NewFallbackDialer`).
    ///
    /// # Errors
    /// The API server's failure of the second.
    pub async fn connect(&self, request: Request) -> Result<Response, Error> {
        let spdy = Request {
            method: Method::Post,
            ..request.clone()
        };
        match self.send(request).await {
            Ok(response) => Ok(response),
            Err(_) => self.send(spdy).await,
        }
    }

    /// Asks for a name and a password.
    async fn ask_who(&self) -> Result<(), Error> {
        let end = || Error::plain("EOF");
        self.out("Please enter Username: ");
        self.cx.stdin.read_line().await.ok_or_else(end)?;
        self.out("Please enter Password: ");
        if !self.cx.stdin.is_terminal() {
            return Err(Error::plain("error reading input for Password"));
        }
        self.cx.stdin.read_line().await.ok_or_else(end)?;
        self.out("\n");
        Ok(())
    }

    /// The answer to a request; its failure says what was asked of which object.
    async fn ask(&self, verb: &str, resource: &Resource, name: &str, request: Request) -> Result<Value, Error> {
        match self.send(request).await {
            Ok(response) => Ok(response.value()),
            Err(e) => Err(e.asked(verb, resource, name)),
        }
    }

    /// One object.
    ///
    /// # Errors
    /// The API server's failure.
    pub async fn get(&self, resource: &Resource, namespace: &str, name: &str) -> Result<Value, Error> {
        let path = item_path(resource, namespace, name)?;
        self.ask("get", resource, name, Request::get(path)).await
    }

    /// A list, as one object.
    ///
    /// # Errors
    /// The API server's failure.
    pub async fn list(&self, resource: &Resource, namespace: &str, labels: &str, fields: &str) -> Result<Value, Error> {
        self.list_by(resource, namespace, labels, fields, 0).await
    }

    /// The same, asked for in pages of so many objects.
    ///
    /// # Errors
    /// The API server's failure.
    pub async fn list_by(
        &self,
        resource: &Resource,
        namespace: &str,
        labels: &str,
        fields: &str,
        limit: i64,
    ) -> Result<Value, Error> {
        segment("namespace", scope(resource, namespace)).map_err(Error::Text)?;
        let request = Request::get(resource.path(scope(resource, namespace)))
            .with("labelSelector", labels)
            .with("fieldSelector", fields);
        let mut pages = self.pages(request, limit).await?.into_iter().map(|page| page.value());
        let mut list = pages.next().unwrap_or_default();
        let more: Vec<Value> = pages.flat_map(|page| page.get("items").items().to_vec()).collect();
        if !more.is_empty() {
            list.remove(&["metadata", "continue"]);
            list.remove(&["metadata", "remainingItemCount"]);
            let first = list.get("items").items().to_vec();
            list.set(&["items"], first.into_iter().chain(more).collect::<Value>());
        }
        Ok(list)
    }

    /// The answers to the request of a list: as long as one says how the list goes on, the next page is asked for
    /// (cli-runtime's `FollowContinue`). With a limit of 0 the server gives all at once.
    ///
    /// # Errors
    /// The API server's failure.
    pub async fn pages(&self, request: Request, limit: i64) -> Result<Vec<Response>, Error> {
        let request = match limit {
            0 => request,
            limit => request.with("limit", limit.to_string()),
        };
        let (mut pages, mut token) = (Vec::new(), String::new());
        loop {
            let page = self.send(request.clone().with("continue", token)).await?;
            token = match &page.payload {
                Payload::List(list) => list.continue_token.clone(),
                Payload::Value(table) => table.str_at(&["metadata", "continue"]).to_owned(),
                _ => String::new(),
            };
            pages.push(page);
            if token.is_empty() {
                return Ok(pages);
            }
        }
    }

    /// The watch that a request begins.
    ///
    /// # Errors
    /// The API server's failure.
    pub async fn watch(&self, request: Request) -> Result<Watch, Error> {
        match self.send(request.with("watch", "true")).await?.payload {
            Payload::Watch(watch) => Ok(*watch),
            _ => Err(Error::plain("the API server did not answer with a watch")),
        }
    }

    /// Creates an object. A resource version in it is left out: it says of what was read, and the server would refuse it.
    ///
    /// # Errors
    /// The API server's failure.
    pub async fn create(
        &self,
        resource: &Resource,
        namespace: &str,
        object: &Value,
        write: &Write,
    ) -> Result<Value, Error> {
        segment("namespace", scope(resource, namespace)).map_err(Error::plain)?;
        let mut object = object.clone();
        object.remove(&["metadata", "resourceVersion"]);
        let request = Request::new(Method::Post, resource.path(scope(resource, namespace))).body(Body::Value(object));
        self.ask("post", resource, "", write.on(request)).await
    }

    /// Replaces an object.
    ///
    /// # Errors
    /// The API server's failure.
    pub async fn replace(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        subresource: &str,
        object: &Value,
        write: &Write,
    ) -> Result<Value, Error> {
        let path = sub(item_path(resource, namespace, name)?, subresource);
        let request = Request::new(Method::Put, path).body(Body::Value(object.clone()));
        self.ask("put", resource, name, write.on(request)).await
    }

    /// Patches an object or a subresource of it.
    ///
    /// # Errors
    /// The API server's failure.
    #[allow(clippy::too_many_arguments)]
    pub async fn patch(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        subresource: &str,
        kind: PatchType,
        patch: &Value,
        write: &Write,
    ) -> Result<Value, Error> {
        let path = sub(item_path(resource, namespace, name)?, subresource);
        let mut request = Request::new(Method::Patch, path).body(Body::Value(patch.clone()));
        request.content_type = kind.media_type().into();
        self.ask("patch", resource, name, write.on(request)).await
    }

    /// Deletes an object with these `DeleteOptions`.
    ///
    /// # Errors
    /// The API server's failure.
    pub async fn remove(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        options: &Value,
    ) -> Result<Value, Error> {
        let path = item_path(resource, namespace, name)?;
        let request = Request::new(Method::Delete, path).body(Body::Value(options.clone()));
        self.ask("delete", resource, name, request).await
    }

    /// Notes that the server is asked something.
    pub fn meet(&self) {
        let over = self.nobody.is_some() && !super::connection::goes_on(self);
        self.met_nobody.set(over || self.met_nobody.get());
    }

    /// Every resource that kubectl knows the server has.
    pub fn resources(&self) -> Rc<Vec<Rc<Resource>>> {
        self.meet();
        self.discovery.resources(&self.client)
    }

    /// Every resource that the server has now.
    pub fn resources_now(&self) -> Rc<Vec<Rc<Resource>>> {
        self.meet();
        self.discovery.refresh(&self.client)
    }

    /// What `find` finds among the resources that kubectl knows, or that the server has by now.
    pub fn find_resource<T>(&self, find: impl Fn(&[Rc<Resource>]) -> Option<T>) -> Option<T> {
        self.meet();
        self.discovery.find(&self.client, find)
    }
}

/// How a write is made.
#[derive(Clone, Debug, Default)]
pub struct Write {
    pub dry_run: bool,
    pub manager: String,
    pub validation: &'static str,
    pub force: bool,
}

impl Write {
    /// As a verb with this default field manager writes.
    ///
    /// # Errors
    /// When `--dry-run` or `--validate` has a wrong value.
    pub fn of(cmd: &Cmd, manager: &str) -> Result<Write, Error> {
        let manager = match cmd.flags.str("field-manager") {
            given if cmd.flags.has("field-manager") && !given.is_empty() => given,
            _ => manager,
        };
        Ok(Write {
            dry_run: cmd.dry_run()? == DryRun::Server,
            manager: manager.to_owned(),
            validation: if cmd.flags.knows("validate") {
                cmd.validation()?
            } else {
                ""
            },
            force: false,
        })
    }

    /// The request with this write's parameters.
    pub fn on(&self, request: Request) -> Request {
        request
            .with("dryRun", if self.dry_run { "All" } else { "" })
            .with("fieldManager", self.manager.as_str())
            .with("fieldValidation", self.validation)
            .with("force", if self.force { "true" } else { "" })
    }
}

fn sub(path: String, subresource: &str) -> String {
    if subresource.is_empty() {
        path
    } else {
        format!("{path}/{subresource}")
    }
}

/// Whether a text can be a part of a path.
///
/// # Errors
/// `invalid namespace "a/b": [may not contain '/']`
pub fn segment(what: &str, text: &str) -> Result<(), String> {
    let mut why = Vec::new();
    if matches!(text, "." | "..") {
        why.push(format!("may not be '{text}'"));
    }
    for c in ['/', '%'] {
        if text.contains(c) {
            why.push(format!("may not contain '{c}'"));
        }
    }
    match why.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "invalid {what} {text}: [{}]",
            why.join(" "),
            text = quoted(&text)
        )),
    }
}

/// The path of one object.
///
/// # Errors
/// Without a name, which would be the path of all of them.
pub fn item_path(resource: &Resource, namespace: &str, name: &str) -> Result<String, Error> {
    if name.is_empty() {
        return Err(Error::plain("resource name may not be empty"));
    }
    segment("namespace", namespace).map_err(Error::plain)?;
    segment("resource name", name).map_err(Error::plain)?;
    Ok(item(resource, scope(resource, namespace), name))
}

/// The namespace, or nothing for a resource that has none.
pub fn scope<'a>(resource: &Resource, namespace: &'a str) -> &'a str {
    if resource.namespaced { namespace } else { "" }
}
