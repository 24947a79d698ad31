//! Who asks: by bearer token, by client certificate, and on whose behalf.

use std::borrow::Cow;
use std::cell::OnceCell;

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use kubetab::api::auth::Impersonation;
use kubetab::api::auth::certificate::authenticate;
use kubetab::api::{Status, User};
use kubetab::pki::Certificate;
use kubetab::sim::Time;
use percent_encoding::percent_decode_str;

/// How a connection's client showed itself in the TLS handshake.
#[derive(Debug, Default)]
pub struct Peer {
    /// The client certificate's bytes; the handshake has shown that the client has its key.
    certificate: Option<Vec<u8>>,
    /// Whom the certificate names, found by the connection's first request: to verify a signature costs
    /// more than to answer many a request. `None` when no authority knows the certificate.
    named: OnceCell<Option<Named>>,
}

/// The user whom a certificate names, and the first and the last moment of its life.
#[derive(Debug)]
struct Named {
    user: User,
    not_before: Time,
    not_after: Time,
}

impl Peer {
    pub fn new(certificate: Option<Vec<u8>>) -> Peer {
        Peer {
            certificate,
            named: OnceCell::new(),
        }
    }
}

/// What the server knows of those who may ask.
pub struct Authenticator {
    /// The administrator's bearer token.
    pub token: String,
    /// Further bearer tokens, and whose they are.
    pub tokens: Vec<(String, User)>,
    /// Authorities whose certificates are credentials: the cluster's own, then those that a flag names.
    pub authorities: Vec<Certificate>,
    /// Whether a request without credentials is the administrator's: without TLS.
    pub open: bool,
}

/// 401, as the API server answers credentials that it does not accept.
pub fn unauthorized() -> Status {
    Status::failure(401, "Unauthorized", "Unauthorized")
}

impl Authenticator {
    /// The user that a request's credentials name: by certificate before token. `tokens` knows the tokens of
    /// service accounts; `now` is the world's time.
    ///
    /// # Errors
    /// 401.
    pub fn user(
        &self,
        headers: &HeaderMap,
        peer: &Peer,
        tokens: impl Fn(&str) -> Option<User>,
        now: Time,
    ) -> Result<User, Status> {
        if let Some(user) = self.of_certificate(peer, now) {
            return Ok(user);
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

    /// The user that a connection's certificate names, when it lives at `now`.
    fn of_certificate(&self, peer: &Peer, now: Time) -> Option<User> {
        let find = || self.named(peer.certificate.as_deref()?);
        let named = peer.named.get_or_init(find).as_ref()?;
        let lives = named.not_before <= now && now <= named.not_after;
        lives.then(|| named.user.clone())
    }

    /// Whom a certificate in DER names by the first authority that signed it, whatever the time.
    fn named(&self, certificate: &[u8]) -> Option<Named> {
        let Certificate {
            not_before, not_after, ..
        } = Certificate::from_der(certificate).ok()?;
        // Its first moment is one at which the dates say nothing against it.
        let known = |ca: &Certificate| authenticate(ca, certificate, not_before).ok();
        let user = self.authorities.iter().find_map(known)?;
        Some(Named {
            user,
            not_before,
            not_after,
        })
    }
}

/// Whom the `Impersonate-…` headers name; `None` without them. Whether that is allowed is the API
/// server's to say.
pub fn impersonation(headers: &HeaderMap) -> Option<Impersonation> {
    let all = |name: &str| -> Vec<String> {
        // A name may be in any script: one that was not read would leave the asker who he is.
        let values = headers
            .get_all(name)
            .iter()
            .map(|v| String::from_utf8_lossy(v.as_bytes()));
        values.map(Cow::into_owned).collect()
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
    use kubetab::api::auth::certificate::{ADMIN, standard};
    use std::time::Duration;

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in list {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        map
    }

    /// A moment at which the snapshot's certificates live.
    const NOW: Time = Time::from_secs(1_800_000_000);

    fn authenticator() -> Authenticator {
        Authenticator {
            token: "secret".into(),
            tokens: vec![("joe's".into(), User::new("joe", []))],
            authorities: vec![standard().unwrap().certificate().clone()],
            open: false,
        }
    }

    #[test]
    fn credentials() {
        let mut authenticator = authenticator();
        let jane = |token: &str| (token == "jane's").then(|| User::new("jane", []));
        let name = |a: &Authenticator, list: &[(&'static str, &'static str)], certificate: Option<&[u8]>| {
            let user = a.user(&headers(list), &Peer::new(certificate.map(Vec::from)), jane, NOW);
            user.map_or_else(|status| status.code().to_string(), |user| user.name.to_string())
        };
        for (list, certificate, wanted) in [
            (&[("authorization", "Bearer secret")][..], None, "kubernetes-admin"),
            (&[("authorization", "Bearer joe's")], None, "joe"),
            (&[("authorization", "bearer jane's")], Some(ADMIN), "kubernetes-admin"),
            (&[("authorization", "bearer jane's")], Some(&[3][..]), "jane"),
            (&[("authorization", "Bearer other")], None, "401"),
            (&[("authorization", "Basic YTpi")], None, "401"),
            (&[], Some(ADMIN), "kubernetes-admin"),
            (&[], Some(&[3]), "401"),
            (&[], None, "system:anonymous"),
        ] {
            assert_eq!(name(&authenticator, list, certificate), wanted, "{list:?}");
        }
        // Of another authority, which a flag names.
        authenticator
            .authorities
            .insert(0, Certificate::from_der(ADMIN).unwrap());
        assert_eq!(name(&authenticator, &[], Some(ADMIN)), "kubernetes-admin");
        authenticator.authorities.pop();
        assert_eq!(name(&authenticator, &[], Some(ADMIN)), "401");
        authenticator.open = true;
        assert_eq!(name(&authenticator, &[], None), "kubernetes-admin");
        assert_eq!(name(&authenticator, &[("authorization", "Bearer other")], None), "401");
    }

    #[test]
    fn a_connection_verifies_its_certificate_once_and_looks_at_its_dates_each_time() {
        let mut authenticator = authenticator();
        let Certificate {
            not_before, not_after, ..
        } = Certificate::from_der(ADMIN).unwrap();
        let second = Duration::from_secs(1);
        let peer = Peer::new(Some(ADMIN.to_vec()));
        let code = |a: &Authenticator, now: Time| {
            let user = a.user(&headers(&[]), &peer, |_| None, now);
            user.map_or_else(|status| status.code(), |_| 200)
        };
        // A first request at a wrong time says nothing against the next one.
        for (now, wanted) in [
            (Time::from_secs(not_before.as_secs() - 1), 401),
            (not_before, 200),
            (NOW, 200),
            (not_after, 200),
            (not_after + second, 401),
        ] {
            assert_eq!(code(&authenticator, now), wanted, "{now}");
        }
        // The authorities are not asked again.
        authenticator.authorities.clear();
        assert_eq!(code(&authenticator, NOW), 200);
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
        let other = impersonation(&headers(&[("impersonate-user", "小明")]));
        assert_eq!(other.unwrap().user, "小明");
    }
}
