//! Tokens of service accounts: JSON web tokens as `TokenRequest` issues them and as authentication
//! reads them back.
//!
//! They are signed as a real API server signs them (`RS256`), so that whoever has the keys of `/openid/v1/jwks`
//! can check them. Simulated: the key is the certificate authority's, where kubeadm makes one of its own for
//! them.

use std::rc::Rc;

use super::user::User;
use crate::api::object::{Object, ObjectKey};
use crate::api::request::{Body, Method, Payload, Request, Response};
use crate::api::server::{ApiServer, Target};
use crate::api::status::{FieldErrors, Status};
use crate::pki::{PrivateKey, PublicKey, rsa};
use crate::sim::{self, Time};
use crate::value::base64::{self, decode_url, encode_url};
use crate::value::{Value, gofmt, quoted};
use crate::{list, obj};

/// `--service-account-issuer`, and the audience of the API server itself.
pub const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// The claims that are Kubernetes' own.
const OWN: &str = "kubernetes.io";

/// A pod's default token lives a year though it says an hour (`--service-account-extend-token-expiration`).
const EXTENDED: i64 = 365 * 24 * 60 * 60;
/// What marks the token of a pod that the extension is for: the seconds that admission asks.
const POD_SECONDS: i64 = 3_607;

/// The signing key; `None` only when the authority's files are damaged.
fn key(api: &ApiServer) -> Option<rsa::Private> {
    match api.authority()?.key() {
        PrivateKey::Rsa(key) => Some((**key).clone()),
        PrivateKey::Ec(_) => None,
    }
}

/// The name of a key: the hash of its public part (`keyIDFromPublicKey`).
fn key_id(key: &rsa::Public) -> String {
    encode_url(hmac_sha256::Hash::hash(&PublicKey::Rsa(key.clone()).to_der()))
}

/// Signs claims: `header.claims.signature`.
pub fn sign(api: &ApiServer, claims: &Value) -> String {
    let Some(key) = key(api) else {
        return String::new();
    };
    let header = obj! { "alg": "RS256", "kid": key_id(&key.public) };
    let text = format!("{}.{}", encode_url(header.to_json()), encode_url(claims.to_json()));
    let signature = encode_url(key.sign(text.as_bytes()));
    format!("{text}.{signature}")
}

/// The claims of a token that this cluster has signed.
fn verify(api: &ApiServer, token: &str) -> Option<Value> {
    let (text, signature) = token.rsplit_once('.')?;
    let (_, claims) = text.split_once('.')?;
    let key = key(api)?.public;
    key.verify(text.as_bytes(), &decode_url(signature)?).ok()?;
    Value::from_json(std::str::from_utf8(&decode_url(claims)?).ok()?).ok()
}

/// `/openid/v1/jwks`: the key that tokens can be checked with.
pub fn key_set(api: &ApiServer) -> String {
    let Some(rsa::Private { public, .. }) = key(api) else {
        return String::new();
    };
    format!(
        r#"{{"keys":[{{"use":"sig","kty":"RSA","kid":"{}","alg":"RS256","n":"{}","e":"{}"}}]}}"#,
        key_id(&public),
        encode_url(public.modulus.to_bytes_be()),
        encode_url(public.exponent.to_bytes_be())
    )
}

/// Why a token is none.
pub type Refused = String;

/// The user of a token, and those of the audiences asked for that it is meant for.
///
/// # Errors
/// What is wrong with it.
pub fn review(api: &ApiServer, token: &str, audiences: &[&str]) -> Result<(User, Vec<String>), Refused> {
    let claims = verify(api, token).ok_or("invalid bearer token")?;
    let now = api.sim().now().as_secs() as i64;
    let legacy = claims.str_at(&["iss"]) == LEGACY_ISSUER;
    if claims.i64_at(&["exp"]).is_some_and(|end| end <= now) {
        return Err("service account token has expired".into());
    }
    let own = claims.get(OWN);
    let (namespace, name, uid) = if legacy {
        let field = |f: &str| claims.get(&format!("{LEGACY_ISSUER}/{f}")).str();
        (
            field("namespace"),
            field("service-account.name"),
            field("service-account.uid"),
        )
    } else {
        (
            own.get("namespace").str(),
            own.str_at(&["serviceaccount", "name"]),
            own.str_at(&["serviceaccount", "uid"]),
        )
    };
    let meant: Vec<&str> = match claims.get("aud") {
        Value::Null => vec![ISSUER],
        many => many.items().iter().map(Value::str).collect(),
    };
    let fit: Vec<String> = audiences
        .iter()
        .filter(|a| meant.contains(a))
        .map(|a| (*a).to_owned())
        .collect();
    if fit.is_empty() {
        let list = |of: &[&str]| format!("[{}]", of.iter().map(|a| gofmt::quote(a)).collect::<Vec<_>>().join(" "));
        return Err(format!(
            "token audiences {meant} is invalid for the target audiences {audiences}",
            meant = list(&meant),
            audiences = list(audiences)
        ));
    }
    let account = api
        .store()
        .get("serviceaccounts", &ObjectKey::new(namespace, name))
        .ok_or_else(|| format!("serviceaccounts {name} not found", name = quoted(&name)))?;
    if account.uid() != uid {
        return Err("service account UID does not match claim".into());
    }
    let mut user = User::service_account(namespace, name);
    user.uid = uid.into();
    let mut extra: Vec<(Rc<str>, Vec<Rc<str>>)> = Vec::new();
    let mut add = |field: &str, text: &str| {
        if !text.is_empty() {
            extra.push((
                format!("authentication.kubernetes.io/{field}").into(),
                vec![text.into()],
            ));
        }
    };
    if legacy {
        let secret = claims.get(&format!("{LEGACY_ISSUER}/secret.name")).str();
        let kept = api.store().get("secrets", &ObjectKey::new(namespace, secret));
        if kept.is_none_or(|s| s.value().str_at(&["data", "token"]) != base64::encode(token)) {
            return Err("token does not match server's copy".into());
        }
    } else {
        add("credential-id", &format!("JTI={}", claims.str_at(&["jti"])));
        for (kind, shelf) in [("node", "nodes"), ("pod", "pods"), ("secret", "secrets")] {
            let bound = own.get(kind);
            if bound.is_null() {
                continue;
            }
            let (bound_name, bound_uid) = (bound.get("name").str(), bound.get("uid").str());
            // A pod's token names its node, which need not be there any more.
            let checked = kind != "node" || own.get("pod").is_null();
            let key = ObjectKey::new(if kind == "node" { "" } else { namespace }, bound_name);
            let object = api.store().get(shelf, &key);
            if checked && object.is_none_or(|o| o.uid() != bound_uid) {
                return Err(format!(
                    "service account token has been invalidated: {kind} {bound_name} is gone",
                    bound_name = quoted(&bound_name)
                ));
            }
            if kind != "secret" {
                add(&format!("{kind}-name"), bound_name);
                add(&format!("{kind}-uid"), bound_uid);
            }
        }
    }
    user.extra = extra.into();
    Ok((user, fit))
}

/// `iss` of the tokens in Secrets of type `kubernetes.io/service-account-token`.
pub const LEGACY_ISSUER: &str = "kubernetes.io/serviceaccount";

/// The token of a Secret of type `kubernetes.io/service-account-token`, which does not end.
pub fn legacy(api: &ApiServer, account: &Object, secret: &str) -> String {
    let mut claims = obj! {
        "iss": LEGACY_ISSUER,
        "sub": format!("system:serviceaccount:{}:{}", account.namespace(), account.name()),
    };
    for (field, text) in [
        ("namespace", account.namespace()),
        ("secret.name", secret),
        ("service-account.name", account.name()),
        ("service-account.uid", account.uid()),
    ] {
        claims.set(&[&format!("{LEGACY_ISSUER}/{field}")], text);
    }
    sign(api, &claims)
}

/// Answers a `TokenRequest`: `POST …/serviceaccounts/NAME/token`.
///
/// # Errors
/// 422 for an expiration out of bounds, 404 and 409 about what the token is bound to.
pub fn request(api: &ApiServer, request: &mut Request, target: &Target) -> Result<Response, Status> {
    if request.method != Method::Post {
        return Err(Status::method_not_allowed());
    }
    let (Body::Value(asked) | Body::Typed(asked)) = std::mem::take(&mut request.body) else {
        return Err(Status::bad_request("no body was sent"));
    };
    let account = api.find(&Target {
        subresource: String::new(),
        ..target.clone()
    })?;
    let seconds = asked.i64_at(&["spec", "expirationSeconds"]).unwrap_or(3_600);
    let mut errors = FieldErrors::default();
    let mut bad = |why: &str| errors.invalid("spec.expirationSeconds", &seconds.into(), why);
    if seconds < 600 {
        bad("may not specify a duration less than 10 minutes");
    } else if seconds > 1 << 32 {
        bad("may not specify a duration larger than 2^32 seconds");
    }
    if !errors.is_empty() {
        return Err(Status::invalid("authentication.k8s.io", "TokenRequest", "", &errors));
    }
    let now = api.sim().now();
    let mut audiences = asked.at(&["spec", "audiences"]).clone();
    if audiences.is_empty() {
        audiences = list![ISSUER];
    }
    let bound = asked.at(&["spec", "boundObjectRef"]).clone();
    let token = issue(api, &account, &audiences, seconds, &bound)?;
    let value = obj! {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "metadata": obj! {
            "creationTimestamp": now,
            "name": account.name(),
            "namespace": account.namespace(),
        },
        "spec": obj! { "audiences": audiences, "boundObjectRef": bound, "expirationSeconds": seconds },
        "status": obj! { "expirationTimestamp": now + sim::seconds(seconds), "token": token },
    };
    Ok(Response::new(201, Payload::Value(value)))
}

/// A token of an account for these audiences that lives so many seconds from now, bound to the object that
/// `bound` refers to, or to none when it is null.
///
/// # Errors
/// 404 and 409 about what the token is bound to.
pub fn issue(
    api: &ApiServer,
    account: &Object,
    audiences: &Value,
    seconds: i64,
    bound: &Value,
) -> Result<String, Status> {
    let now = api.sim().now();
    let mut own = obj! {
        "namespace": account.namespace(),
        "serviceaccount": obj! { "name": account.name(), "uid": account.uid() },
    };
    if !bound.is_null() {
        bind(api, account, bound, &mut own)?;
    }
    // What a pod is given outlives what it asked for, so that programs that never read it again go on.
    let extended = seconds == POD_SECONDS && own.has("pod");
    let lives = if extended { EXTENDED } else { seconds };
    let secs = |t: Time| t.as_secs() as i64;
    if extended {
        own.set(&["warnafter"], secs(now + sim::seconds(seconds)));
    }
    let claims = obj! {
        "aud": audiences.clone(),
        "exp": secs(now + sim::seconds(lives)),
        "iat": secs(now),
        "iss": ISSUER,
        "jti": api.sim().random_uuid(),
        "kubernetes.io": own,
        "nbf": secs(now),
        "sub": format!("system:serviceaccount:{}:{}", account.namespace(), account.name()),
    };
    Ok(sign(api, &claims))
}

/// Notes in the claims what a token is bound to.
fn bind(api: &ApiServer, account: &Object, bound: &Value, own: &mut Value) -> Result<(), Status> {
    let (kind, version) = (bound.get("kind").str(), bound.get("apiVersion").str());
    let (name, uid) = (bound.get("name").str(), bound.get("uid").str());
    let (shelf, field) = match (version, kind) {
        ("v1", "Pod") => ("pods", "pod"),
        ("v1", "Secret") => ("secrets", "secret"),
        ("v1", "Node") => ("nodes", "node"),
        _ => {
            let (group, version) = version.split_once('/').unwrap_or(("", version));
            let kind = if group.is_empty() {
                format!("/{version}, Kind={kind}")
            } else {
                format!("{group}/{version}, Kind={kind}")
            };
            return Err(Status::bad_request(format!(
                "cannot bind token to object of type {kind}"
            )));
        }
    };
    let namespace = if field == "node" { "" } else { account.namespace() };
    let object = api
        .store()
        .get(shelf, &ObjectKey::new(namespace, name))
        .ok_or_else(|| Status::not_found("", shelf, name))?;
    let conflict = |uid: &str| {
        let why = format!(
            "the UID in the bound object reference ({uid}) does not match the UID in record. The object might have been deleted and then recreated"
        );
        Status::conflict("", shelf, name, &why)
    };
    if !uid.is_empty() && uid != object.uid() {
        return Err(conflict(uid));
    }
    own.set(&[field], obj! { "name": object.name(), "uid": object.uid() });
    if field == "pod" {
        if object.spec().get("serviceAccountName").str() != account.name() {
            return Err(Status::bad_request(format!(
                "cannot bind token for serviceaccount {} to pod running with different serviceaccount name.",
                quoted(&account.name())
            )));
        }
        let node = object.spec().get("nodeName").str();
        if let Some(node) = api.store().get("nodes", &ObjectKey::new("", node)) {
            own.set(&["node"], obj! { "name": node.name(), "uid": node.uid() });
        }
    }
    Ok(())
}
