//! Acting as somebody else (`Impersonate-User` and its kin, kubectl's `--as`): who may, and who one
//! is then.

use super::Attributes;
use super::user::{AUTHENTICATED, UNAUTHENTICATED, User, split_service_account};
use crate::api::server::ApiServer;
use crate::api::status::Status;
use crate::value::{gofmt, quoted};

/// Whom a request asks to act as: the headers `Impersonate-User`, `-Group`, `-Uid`, `-Extra-…`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Impersonation {
    /// The name; empty where the header is missing, which is refused.
    pub user: String,
    /// One of each header.
    pub groups: Vec<String>,
    /// Empty for none.
    pub uid: String,
    /// Keys (as headers have them: lower case, `%`-decoded) with their values.
    pub extra: Vec<(String, Vec<String>)>,
}

impl Impersonation {
    /// Go's `%#v` of the `user.DefaultInfo` that the headers make.
    fn go_text(&self) -> String {
        let texts = |list: &[String]| {
            if list.is_empty() {
                "[]string(nil)".to_owned()
            } else {
                let all: Vec<String> = list.iter().map(|t| gofmt::quote(t)).collect();
                format!("[]string{{{}}}", all.join(", "))
            }
        };
        let extra = if self.extra.is_empty() {
            "map[string][]string(nil)".to_owned()
        } else {
            let all: Vec<String> = self
                .extra
                .iter()
                .map(|(k, v)| format!("{k}:{}", texts(v), k = quoted(&k)))
                .collect();
            format!("map[string][]string{{{}}}", all.join(", "))
        };
        format!(
            "&user.DefaultInfo{{Name:{}, UID:{}, Groups:{}, Extra:{extra}}}",
            quoted(&self.user),
            quoted(&self.uid),
            texts(&self.groups)
        )
    }
}

/// The user that `wanted` names, if `real` may impersonate each of its parts.
///
/// # Errors
/// 403 when it may not, 400 for parts without a user.
pub fn impersonate(api: &ApiServer, real: &User, wanted: &Impersonation) -> Result<User, Status> {
    if wanted.user.is_empty() {
        return Err(Status::bad_request(format!(
            "requested {} without impersonating a user name",
            wanted.go_text()
        )));
    }
    let account = split_service_account(&wanted.user);
    let ask = |group: &str, resource: &str, subresource: &str, namespace: &str, name: &str| {
        let attributes = Attributes {
            verb: "impersonate",
            group,
            version: "v1",
            resource,
            subresource,
            namespace,
            name,
            path: "",
        };
        api.authorizer().require(api, real, &attributes)
    };
    match account {
        Some((namespace, name)) => ask("", "serviceaccounts", "", namespace, name)?,
        None => ask("", "users", "", "", &wanted.user)?,
    }
    if !wanted.uid.is_empty() {
        ask("authentication.k8s.io", "uids", "", "", &wanted.uid)?;
    }
    for group in &wanted.groups {
        ask("", "groups", "", "", group)?;
    }
    for (key, values) in &wanted.extra {
        for value in values {
            ask("authentication.k8s.io", "userextras", key, "", value)?;
        }
    }
    let mut groups: Vec<&str> = wanted.groups.iter().map(String::as_str).collect();
    let of_namespace;
    if let (Some((namespace, _)), true) = (account, groups.is_empty()) {
        of_namespace = format!("system:serviceaccounts:{namespace}");
        groups.extend(["system:serviceaccounts", of_namespace.as_str()]);
    }
    let of_all = if wanted.user == "system:anonymous" {
        UNAUTHENTICATED
    } else {
        AUTHENTICATED
    };
    if !groups.contains(&of_all) && !groups.contains(&UNAUTHENTICATED) {
        groups.push(of_all);
    }
    Ok(User {
        uid: wanted.uid.as_str().into(),
        extra: wanted
            .extra
            .iter()
            .map(|(k, v)| (k.as_str().into(), v.iter().map(|v| v.as_str().into()).collect()))
            .collect(),
        ..User::new(&wanted.user, groups)
    })
}
