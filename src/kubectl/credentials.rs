//! Whom the API server takes a run of kubectl for: the credentials of the kubeconfig's user and of
//! the flags, and `--as`.

use super::command::Verb;
use super::connection;
use super::error::Error;
use super::flags::Values;
use super::kubeconfig::Kubeconfig;
use crate::api::auth::certificate::check_pair;
use crate::api::{Client, Impersonation, User};
use crate::shell::Context;
use crate::value::{Value, base64, quoted};

/// The client that a run talks with. `client` is the administrator's, by whose certificate the
/// kubeconfig of a fresh host speaks.
///
/// # Errors
/// A `--user` that the kubeconfig has not, a file that is not there, parts of `--as` without it.
pub fn of(
    cx: &Context,
    client: &Client,
    config: &Kubeconfig,
    verb: &Verb,
    flags: &Values,
) -> Result<(Client, Who), Error> {
    let global = |name: &str| connection::global(verb, flags, name);
    let chosen = global("user");
    let (named, entry) = user(config, verb, flags);
    if !chosen.is_empty() && config.entry("users", chosen).is_none() {
        return Err(Error::plain(format!(
            "auth info {chosen} does not exist",
            chosen = quoted(&chosen)
        )));
    }
    let missing = |path: &str, what: &str| {
        format!("unable to read {what} {path} for {named} due to open {path}: no such file or directory")
    };
    let given = |flag: &str, field: &str| -> String {
        match global(flag) {
            "" => entry.get(field).str().to_owned(),
            given => given.to_owned(),
        }
    };
    // As the API server, which looks at a certificate before it looks at a token.
    let mut errors = Vec::new();
    let mut pem = |flag: &str, what: &str| -> String {
        let data = entry.get(&format!("{flag}-data")).str();
        let file = given(flag, flag);
        if file.is_empty() || (global(flag).is_empty() && !data.is_empty()) {
            let bytes = base64::try_decode(data).unwrap_or_default();
            return String::from_utf8(bytes).unwrap_or_default();
        }
        // Files that the kubeconfig names lie beside it.
        let path = if global(flag).is_empty() {
            config.resolve("users", named, &file)
        } else {
            file.clone()
        };
        cx.files.read_text(&cx.path(&path)).unwrap_or_else(|_| {
            errors.push(missing(&file, what));
            String::new()
        })
    };
    let (certificate, key) = (
        pem("client-certificate", "client-cert"),
        pem("client-key", "client-key"),
    );
    if let [one] = errors.as_slice() {
        return Err(Error::plain(one));
    }
    if !errors.is_empty() {
        let list: Vec<String> = errors.iter().map(|e| format!("\n* {e}")).collect();
        return Err(Error::Text(format!("Error in configuration: {}", list.concat())));
    }
    if !certificate.is_empty() {
        if key.is_empty() {
            return Err(Error::plain(format!(
                "client-key-data or client-key must be specified for {named} to use the clientCert authentication method."
            )));
        }
        check_pair(&certificate, &key).map_err(Error::plain)?;
    }
    let mut token = given("token", "token");
    let token_file = entry.get("tokenFile").str();
    if !token_file.is_empty() && global("token").is_empty() {
        let text = cx
            .files
            .read_text(&cx.path(&config.resolve("users", named, token_file)));
        token = text
            .map_err(|_| Error::plain(missing(token_file, "token file")))?
            .trim()
            .to_owned();
    }
    let user_name = given("username", "username");
    if !token.is_empty() && !user_name.is_empty() {
        return Err(Error::plain(format!(
            "more than one authentication method found for {named}; found [token basicAuth], only one is allowed"
        )));
    }
    let server = connection::server(config, verb, flags);
    let mut who = Who::Known;
    let found = if !certificate.is_empty() {
        client.api().authenticate_certificate(&certificate)
    } else if !token.is_empty() {
        client.api().authenticate(&token)
    } else if !user_name.is_empty() {
        None
    } else if server.starts_with("https:") && !entry.has("exec") && !entry.has("auth-provider") {
        // Whatever the person types, the API server knows no passwords.
        who = Who::ToBeAsked;
        None
    } else {
        Some(User::anonymous())
    };
    let client = match found {
        Some(user) => client.acting_as(user),
        None => client.with_unknown_credentials(),
    };
    Ok((impersonate(client, flags, named)?, who))
}

/// Whether it is known who asks.
#[derive(Clone, Debug)]
pub enum Who {
    /// There is something to show, or a person was asked.
    Known,
    /// A person is to be asked before the first request, as client-go does over TLS where nothing is to show.
    ToBeAsked,
    /// A person was asked, and could not answer.
    Silent(Error),
}

/// The name and the entry of the kubeconfig's user that a run speaks for.
fn user<'a>(config: &'a Kubeconfig, verb: &Verb, flags: &'a Values) -> (&'a str, &'a Value) {
    let named = match connection::global(verb, flags, "user") {
        "" => config
            .entry("contexts", config.current(flags.str("context")))
            .map_or("", |c| c.str_at(&["context", "user"])),
        chosen => chosen,
    };
    (
        named,
        config.entry("users", named).map_or(&Value::Null, |u| u.get("user")),
    )
}

/// Whether a run's requests carry a bearer token.
pub fn bear_token(config: &Kubeconfig, verb: &Verb, flags: &Values) -> bool {
    let (_, entry) = user(config, verb, flags);
    let texts = [
        connection::global(verb, flags, "token"),
        entry.get("token").str(),
        entry.get("tokenFile").str(),
    ];
    texts.iter().any(|text| !text.is_empty())
}

/// The client of `--as`.
fn impersonate(client: Client, flags: &Values, named: &str) -> Result<Client, Error> {
    let mut extra: Vec<(String, Vec<String>)> = Vec::new();
    for pair in flags.all("as-user-extra") {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        match extra.iter_mut().find(|(k, _)| k == key) {
            Some((_, values)) => values.push(value.to_owned()),
            None => extra.push((key.to_owned(), vec![value.to_owned()])),
        }
    }
    let wanted = Impersonation {
        user: flags.str("as").to_owned(),
        groups: flags.all("as-group").to_vec(),
        uid: flags.str("as-uid").to_owned(),
        extra,
    };
    if wanted == Impersonation::default() {
        return Ok(client);
    }
    if wanted.user.is_empty() {
        return Err(Error::plain(format!(
            "requesting uid, groups or user-extra for {named} without impersonating a user"
        )));
    }
    Ok(client.impersonating(wanted))
}
