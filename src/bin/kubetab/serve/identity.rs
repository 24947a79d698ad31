//! Who asks: by bearer token, by client certificate, and on whose behalf.

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use kubetab::api::auth::Impersonation;
use kubetab::api::auth::certificate::authenticate;
use kubetab::api::{Status, User};
use kubetab::pki::Certificate;
use kubetab::sim::Time;
use percent_encoding::percent_decode_str;

/// How a connection's client showed itself in the TLS handshake.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// The client certificate's bytes; the handshake has shown that the client has its key.
    pub certificate: Option<Vec<u8>>,
}

/// What the server knows of those who may ask.
pub struct Authenticator {
    /// The administrator's bearer token.
    pub token: String,
    /// Further bearer tokens, and whose they are.
    pub tokens: Vec<(String, User)>,
    /// Authorities whose certificates are credentials, beside the cluster's own.
    pub authorities: Vec<Certificate>,
    /// Whether a request without credentials is the administrator's: without TLS.
    pub open: bool,
}

/// 401, as the API server answers credentials that it does not accept.
pub fn unauthorized() -> Status {
    Status::failure(401, "Unauthorized", "Unauthorized")
}

impl Authenticator {
    /// The user that a request's credentials name: by certificate before token. `certificates` knows those
    /// that the cluster has issued, `tokens` the tokens of service accounts; `now` is the world's time.
    ///
    /// # Errors
    /// 401.
    pub fn user(
        &self,
        headers: &HeaderMap,
        peer: &Peer,
        certificates: impl Fn(&[u8]) -> Option<User>,
        tokens: impl Fn(&str) -> Option<User>,
        now: Time,
    ) -> Result<User, Status> {
        if let Some(certificate) = &peer.certificate {
            let others = || {
                let known = |ca: &Certificate| authenticate(ca, certificate, now).ok();
                self.authorities.iter().find_map(known)
            };
            if let Some(user) = certificates(certificate).or_else(others) {
                return Ok(user);
            }
        }
        if let Some(value) = headers.get(AUTHORIZATION) {
            let text = value.to_str().unwrap_or("");
            let token = match text.split_once(' ') {
                Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
                _ => return Err(unauthorized()),
            };
            if token == self.token {
                return Ok(User::admin());
            }
            if let Some((_, user)) = self.tokens.iter().find(|(known, _)| known == token) {
                return Ok(user.clone());
            }
            return tokens(token).ok_or_else(unauthorized);
        }
        if peer.certificate.is_some() {
            return Err(unauthorized());
        }
        if self.open {
            return Ok(User::admin());
        }
        Ok(User::anonymous())
    }
}

/// Whom the `Impersonate-…` headers name; `None` without them. Whether that is allowed is the API
/// server's to say.
pub fn impersonation(headers: &HeaderMap) -> Option<Impersonation> {
    let all = |name: &str| -> Vec<String> {
        let values = headers.get_all(name).iter().filter_map(|v| v.to_str().ok());
        values.map(str::to_owned).collect()
    };
    let mut wanted = Impersonation {
        user: all("impersonate-user").into_iter().next().unwrap_or_default(),
        groups: all("impersonate-group"),
        uid: all("impersonate-uid").into_iter().next().unwrap_or_default(),
        extra: Vec::new(),
    };
    for name in headers.keys() {
        if let Some(key) = name.as_str().strip_prefix("impersonate-extra-") {
            let key = percent_decode_str(key).decode_utf8_lossy().into_owned();
            wanted.extra.push((key, all(name.as_str())));
        }
    }
    (wanted != Impersonation::default()).then_some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderName, HeaderValue};

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in list {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn credentials() {
        let mut authenticator = Authenticator {
            token: "secret".into(),
            tokens: vec![("joe's".into(), User::new("joe", []))],
            authorities: Vec::new(),
            open: false,
        };
        let admin = |bytes: &[u8]| (bytes == [1, 2]).then(User::admin);
        let jane = |token: &str| (token == "jane's").then(|| User::new("jane", []));
        let name = |a: &Authenticator, list: &[(&'static str, &'static str)], certificate: Option<Vec<u8>>| {
            let user = a.user(&headers(list), &Peer { certificate }, admin, jane, Time::default());
            user.map_or_else(|status| status.code().to_string(), |user| user.name.to_string())
        };
        for (list, certificate, wanted) in [
            (&[("authorization", "Bearer secret")][..], None, "kubernetes-admin"),
            (&[("authorization", "Bearer joe's")], None, "joe"),
            (
                &[("authorization", "bearer jane's")],
                Some(vec![1, 2]),
                "kubernetes-admin",
            ),
            (&[("authorization", "bearer jane's")], Some(vec![3]), "jane"),
            (&[("authorization", "Bearer other")], None, "401"),
            (&[("authorization", "Basic YTpi")], None, "401"),
            (&[], Some(vec![1, 2]), "kubernetes-admin"),
            (&[], Some(vec![3]), "401"),
            (&[], None, "system:anonymous"),
        ] {
            assert_eq!(name(&authenticator, list, certificate), wanted, "{list:?}");
        }
        // Of another authority, which a flag names.
        let now = Time::from_secs(1_800_000_000);
        let standard = kubetab::api::auth::certificate::standard().unwrap();
        authenticator.authorities = vec![standard.certificate().clone()];
        let peer = Peer {
            certificate: Some(kubetab::api::auth::certificate::ADMIN.to_vec()),
        };
        let user = authenticator.user(&headers(&[]), &peer, |_| None, jane, now);
        assert_eq!(&*user.unwrap().name, "kubernetes-admin");
        authenticator.open = true;
        assert_eq!(name(&authenticator, &[], None), "kubernetes-admin");
        assert_eq!(name(&authenticator, &[("authorization", "Bearer other")], None), "401");
    }

    #[test]
    fn impersonation_headers() {
        assert_eq!(impersonation(&headers(&[("accept", "*/*")])), None);
        let wanted = impersonation(&headers(&[
            ("impersonate-user", "jane"),
            ("impersonate-group", "a"),
            ("impersonate-group", "b"),
            ("impersonate-extra-acme.com%2fproject", "x"),
        ]));
        let wanted = wanted.unwrap();
        assert_eq!((wanted.user.as_str(), wanted.groups.len()), ("jane", 2));
        assert_eq!(wanted.extra, [("acme.com/project".to_owned(), vec!["x".to_owned()])]);
    }
}
