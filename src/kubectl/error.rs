//! What a verb fails with, and how kubectl prints it.

use crate::api::{Resource, Status};
use crate::value::Value;
use crate::value::gofmt::{self, aggregate};

/// A failure of a command.
#[derive(Clone, Debug)]
pub enum Error {
    /// `error: …`
    Plain(String),
    /// A wrong use: `error: …`, and where to find help and examples.
    Usage(String),
    /// A wrong flag: `error: …`, and where to find the usage.
    Flag(String),
    /// The API server's answer.
    Status(Status),
    /// Several, each on its own lines.
    Many(Vec<Error>),
    /// A request that nobody answered: the request with the reason, and what the command says when it ends so.
    Unanswered { asked: String, closing: String },
    /// A text that is printed as it is.
    Text(String),
    /// A text that is printed as it is, and the exit code.
    Code(String, i32),
    /// Everything is said; only the exit code is left.
    Exit(i32),
}

impl Error {
    pub fn plain(message: impl Into<String>) -> Error {
        Error::Plain(message.into())
    }

    pub fn usage(message: impl Into<String>) -> Error {
        Error::Usage(message.into())
    }

    /// These errors as one; `Ok` when there are none.
    ///
    /// # Errors
    /// When there is any.
    pub fn all(mut errors: Vec<Error>) -> Result<(), Error> {
        match errors.len() {
            0 => Ok(()),
            1 => Err(errors.remove(0)),
            _ => Err(Error::Many(errors)),
        }
    }

    /// `error when creating "web.yaml": …` in front of the message.
    pub fn when(self, what: &str) -> Error {
        match self {
            Error::Status(s) => {
                let mut value = s.to_value();
                value.set(&["message"], format!("{what}: {}", s.message()));
                Error::Status(Status::from_value(&value))
            }
            Error::Plain(m) => Error::Plain(format!("{what}: {m}")),
            other => other,
        }
    }

    /// A path that no part of the server serves, with what was asked of it: `(get backups.acme.io)`. The
    /// server's own groups answer with a `Status`, to which kubectl adds nothing.
    pub fn asked(self, method: &str, resource: &Resource, name: &str) -> Error {
        const NOWHERE: &str = "the server could not find the requested resource";
        match self {
            Error::Status(s) if s.code() == 404 && s.message() == NOWHERE && resource.custom.is_some() => {
                let name = if name.is_empty() {
                    String::new()
                } else {
                    format!(" {name}")
                };
                let mut value = s.to_value();
                value.set(
                    &["message"],
                    format!("{NOWHERE} ({method} {}{name})", resource.qualified()),
                );
                Error::Status(Status::from_value(&value))
            }
            other => other,
        }
    }

    /// The HTTP status of the API server's failure; 0 of any other.
    pub fn code(&self) -> u16 {
        match self {
            Error::Status(s) => s.code(),
            _ => 0,
        }
    }

    pub fn is_not_found(&self) -> bool {
        matches!(self, Error::Status(s) if s.is_not_found())
    }

    /// The API server's failure; of anything else one that says as much.
    pub fn into_status(self) -> Status {
        match self {
            Error::Status(status) => status,
            other => Status::internal(other.message()),
        }
    }

    /// What a failure says inside a longer sentence.
    pub fn message(&self) -> String {
        match self {
            Error::Plain(m) | Error::Usage(m) | Error::Flag(m) | Error::Text(m) => m.clone(),
            Error::Status(s) => s.message().to_owned(),
            Error::Many(all) => {
                let all: Vec<String> = all.iter().map(Error::message).collect();
                aggregate(&all).unwrap_or_default()
            }
            Error::Unanswered { asked, .. } => asked.clone(),
            Error::Code(m, _) => m.clone(),
            Error::Exit(_) => String::new(),
        }
    }

    /// What kubectl prints, and its exit code. `path` is the command's (`kubectl create deployment`).
    pub fn print(&self, path: &str) -> (String, i32) {
        match self {
            Error::Plain(m) if m.starts_with("error: ") => (line(m), 1),
            Error::Plain(m) => (line(&format!("error: {m}")), 1),
            Error::Usage(m) => (format!("error: {m}\nSee '{path} -h' for help and examples\n"), 1),
            Error::Flag(m) => (format!("error: {m}\nSee '{path} --help' for usage.\n"), 1),
            Error::Text(m) | Error::Unanswered { closing: m, .. } => (line(m), 1),
            Error::Code(m, code) => (line(m), *code),
            Error::Exit(code) => (String::new(), *code),
            Error::Status(s) if s.reason() == "Invalid" => (invalid(s), 1),
            Error::Status(s) => (from_server(s) + "\n", 1),
            Error::Many(all) => {
                let mut text = String::new();
                for e in all {
                    match e {
                        Error::Status(s) => text.push_str(&format!("{}\n", from_server(s))),
                        other => text.push_str(&format!("{}\n", other.message())),
                    }
                }
                (text, 1)
            }
        }
    }
}

fn line(text: &str) -> String {
    if text.ends_with('\n') {
        text.to_owned()
    } else {
        format!("{text}\n")
    }
}

/// `Error from server (NotFound): …`
pub fn from_server(s: &Status) -> String {
    match s.reason() {
        "" => format!("Error from server: {}", s.message()),
        "Unauthorized" => format!("error: You must be logged in to the server ({})", s.message()),
        reason => format!("Error from server ({reason}): {}", s.message()),
    }
}

/// `The Pod "x" is invalid: …`, one cause in the line, several below it.
fn invalid(s: &Status) -> String {
    let details = s.details();
    if details.is_null() {
        return format!("The request is invalid: {}\n", s.message());
    }
    let (kind, name) = (details.str_at(&["kind"]), details.str_at(&["name"]));
    let causes = details.get("causes").items();
    let mut text = "The request is invalid".to_owned();
    if !kind.is_empty() || !name.is_empty() {
        text = format!("The {kind} {} is invalid", gofmt::quote(name));
    } else if causes.is_empty() {
        text = format!("{text}: {}", s.message());
    }
    let mut lines: Vec<String> = Vec::new();
    for c in causes {
        let said = format!("{}: {}", c.str_at(&["field"]), c.str_at(&["message"]));
        if !lines.contains(&said) {
            lines.push(said);
        }
    }
    match lines.as_slice() {
        [] => text + "\n",
        [one] => format!("{text}: {one}\n"),
        many => {
            text.push_str(": \n");
            for l in many {
                text.push_str(&format!("* {l}\n"));
            }
            text
        }
    }
}

impl From<Status> for Error {
    fn from(s: Status) -> Error {
        Error::Status(s)
    }
}

/// The failure of a `Status` object inside another answer.
impl From<&Value> for Error {
    fn from(v: &Value) -> Error {
        Error::Status(Status::from_value(v))
    }
}
