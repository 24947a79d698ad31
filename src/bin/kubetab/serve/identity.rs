//! Who asks: by bearer token, by client certificate, and on whose behalf.

use std::rc::Rc;

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use kubetab::api::{Status, User};

/// How a connection's client showed itself in the TLS handshake.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// The client certificate's bytes, which the handshake has verified.
    pub certificate: Option<Vec<u8>>,
}

/// What the server knows of those who may ask.
pub struct Authenticator {
    /// The administrator's bearer token.
    pub token: String,
    /// The administrator's client certificate; none without TLS.
    pub admin_der: Option<Vec<u8>>,
    /// Whether a request without credentials is the administrator's: without TLS.
    pub open: bool,
}

/// 401, as the API server answers credentials that it does not accept.
pub fn unauthorized() -> Status {
    Status::failure(401, "Unauthorized", "Unauthorized")
}

impl Authenticator {
    /// The user that a request's credentials name. `tokens` knows the tokens of service accounts.
    ///
    /// # Errors
    /// 401.
    pub fn user(
        &self,
        headers: &HeaderMap,
        peer: &Peer,
        tokens: impl Fn(&str) -> Option<User>,
    ) -> Result<User, Status> {
        if let Some(value) = headers.get(AUTHORIZATION) {
            let text = value.to_str().unwrap_or("");
            let token = match text.split_once(' ') {
                Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
                _ => return Err(unauthorized()),
            };
            if token == self.token {
                return Ok(User::admin());
            }
            return tokens(token).ok_or_else(unauthorized);
        }
        if let (Some(given), Some(admin)) = (&peer.certificate, &self.admin_der) {
            return if given == admin {
                Ok(User::admin())
            } else {
                Err(unauthorized())
            };
        }
        if self.open {
            return Ok(User::admin());
        }
        Ok(anonymous())
    }
}

/// Who sends no credentials.
pub fn anonymous() -> User {
    User {
        name: "system:anonymous".into(),
        uid: "".into(),
        groups: vec!["system:unauthenticated".into()],
    }
}

/// The user that the `Impersonate-…` headers name; `None` without them.
///
/// # Errors
/// 400 when there are groups, a uid or extras and no user.
pub fn impersonated(headers: &HeaderMap) -> Result<Option<User>, Status> {
    let all = |name: &str| -> Vec<Rc<str>> {
        headers
            .get_all(name)
            .iter()
            .filter_map(|v| v.to_str().ok())
            .map(Rc::from)
            .collect()
    };
    let users = all("impersonate-user");
    let mut groups = all("impersonate-group");
    let uids = all("impersonate-uid");
    let extras = headers.keys().any(|k| k.as_str().starts_with("impersonate-extra-"));
    let Some(name) = users.first().filter(|n| !n.is_empty()) else {
        if groups.is_empty() && uids.is_empty() && !extras {
            return Ok(None);
        }
        return Err(Status::internal(format!(
            "requested {} without impersonating a user",
            if groups.is_empty() { "uid or extra" } else { "[{Group  " }
        )));
    };
    if groups.is_empty()
        && let Some(rest) = name.strip_prefix("system:serviceaccount:")
        && let Some((namespace, _)) = rest.split_once(':')
    {
        groups = vec![
            "system:serviceaccounts".into(),
            format!("system:serviceaccounts:{namespace}").into(),
        ];
    }
    let everyone = if &**name == "system:anonymous" {
        "system:unauthenticated"
    } else {
        "system:authenticated"
    };
    if !groups
        .iter()
        .any(|g| matches!(&**g, "system:authenticated" | "system:unauthenticated"))
    {
        groups.push(everyone.into());
    }
    Ok(Some(User {
        name: name.clone(),
        uid: uids.first().cloned().unwrap_or_else(|| "".into()),
        groups,
    }))
}
