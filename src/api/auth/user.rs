//! Users, as authentication finds them.

use std::rc::Rc;

use super::certificate;
use crate::obj;
use crate::value::{Value, sha256};

/// The groups that every authenticated user is in, and every other one.
pub const AUTHENTICATED: &str = "system:authenticated";
/// The group of everybody who has not said who they are.
pub const UNAUTHENTICATED: &str = "system:unauthenticated";
/// Who is in it may do anything, whatever the roles say.
pub const MASTERS: &str = "system:masters";

const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// Who asks. A clone is a few reference counts.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// `system:serviceaccount:default:robot`.
    pub name: Rc<str>,
    /// Empty where the authenticator knows none.
    pub uid: Rc<str>,
    /// The groups that the user is a member of.
    pub groups: Rc<[Rc<str>]>,
    /// What else the authenticator knows (`authentication.kubernetes.io/credential-id`).
    pub extra: Rc<[(Rc<str>, Vec<Rc<str>>)]>,
}

impl User {
    /// A user of this name in these groups, and no more.
    pub fn new<'a>(name: &str, groups: impl IntoIterator<Item = &'a str>) -> User {
        User {
            name: name.into(),
            uid: "".into(),
            groups: groups.into_iter().map(Rc::from).collect(),
            extra: Rc::default(),
        }
    }

    /// The user that a client certificate names: its common name, and its organizations as groups.
    pub fn from_certificate<'a>(common_name: &str, organizations: impl IntoIterator<Item = &'a str>) -> User {
        User::new(common_name, organizations.into_iter().chain([AUTHENTICATED]))
    }

    /// Who sends no credentials.
    pub fn anonymous() -> User {
        User::new("system:anonymous", [UNAUTHENTICATED])
    }

    /// The administrator of a kubeadm cluster, by the certificate of its kubeconfig.
    pub fn admin() -> User {
        thread_local! {
            // Requests are the administrator's unless they say otherwise, so each would hash the certificate.
            static ADMIN: User = {
                let mut user = User::from_certificate("kubernetes-admin", ["kubeadm:cluster-admins"]);
                user.extra = [credential("X509SHA256", sha256::hex(certificate::ADMIN))].into();
                user
            };
        }
        ADMIN.with(User::clone)
    }

    /// A part of the simulation that stands for many of the real ones at once: it may do anything.
    pub fn system(name: &str) -> User {
        User::new(&format!("system:{name}"), [MASTERS, AUTHENTICATED])
    }

    /// A service account, as its tokens say.
    pub fn service_account(namespace: &str, name: &str) -> User {
        let of_namespace = format!("system:serviceaccounts:{namespace}");
        User::new(
            &format!("{SERVICE_ACCOUNT}{namespace}:{name}"),
            ["system:serviceaccounts", &of_namespace, AUTHENTICATED],
        )
    }

    /// The kubelet of a node.
    pub fn node(name: &str) -> User {
        User::from_certificate(&format!("system:node:{name}"), ["system:nodes"])
    }

    /// Whether the user is a member of a group.
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|g| &**g == group)
    }

    /// Namespace and name of the service account that this user is.
    pub fn as_service_account(&self) -> Option<(&str, &str)> {
        split_service_account(&self.name)
    }

    /// `authentication.k8s.io/v1.UserInfo`.
    pub fn to_value(&self) -> Value {
        let mut info = Value::map();
        info.set_or_remove(&["username"], self.name.clone());
        info.set_or_remove(&["uid"], self.uid.clone());
        info.set_or_remove(&["groups"], self.groups.iter().map(Value::from).collect::<Value>());
        let mut extra = obj! {};
        for (key, values) in self.extra.iter() {
            extra.set(&[key], values.iter().map(Value::from).collect::<Value>());
        }
        info.set_or_remove(&["extra"], extra);
        info
    }
}

/// The extra attribute that says which credential a user came with.
pub fn credential(kind: &str, id: impl std::fmt::Display) -> (Rc<str>, Vec<Rc<str>>) {
    let value = format!("{kind}={id}");
    ("authentication.kubernetes.io/credential-id".into(), vec![value.into()])
}

/// Namespace and name of `system:serviceaccount:NAMESPACE:NAME`.
pub fn split_service_account(user: &str) -> Option<(&str, &str)> {
    let (namespace, name) = user.strip_prefix(SERVICE_ACCOUNT)?.split_once(':')?;
    (!name.contains(':')).then_some((namespace, name))
}
