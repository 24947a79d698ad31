//! What a request asks for, in the terms of authorization: its verb, and its resource or path.

use crate::api::request::{Method, Request};
use crate::value::quoted;

/// The parts of a request that authorizers look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes<'a> {
    /// `list`, `deletecollection`; for paths outside the resources the lower-case HTTP method.
    pub verb: &'a str,
    /// Empty for the core group.
    pub group: &'a str,
    /// `v1`.
    pub version: &'a str,
    /// Empty for paths outside the resources.
    pub resource: &'a str,
    /// Empty for the object itself.
    pub subresource: &'a str,
    /// Empty for all namespaces or none.
    pub namespace: &'a str,
    /// Empty for the collection.
    pub name: &'a str,
    /// The whole path, for paths outside the resources.
    pub path: &'a str,
}

/// Words that a namespace's own path may end in: `/api/v1/namespaces/x/status` is no resource in it.
const OF_NAMESPACE: [&str; 2] = ["status", "finalize"];

/// What a request does to a resource: to all of a collection, or to one object.
pub fn verb(request: &Request, collection: bool) -> &'static str {
    match request.method {
        Method::Get if request.flag("watch") => "watch",
        Method::Get if collection => "list",
        Method::Get => "get",
        Method::Post => "create",
        Method::Put => "update",
        Method::Patch => "patch",
        Method::Delete if collection => "deletecollection",
        Method::Delete => "delete",
    }
}

impl<'a> Attributes<'a> {
    /// What a request asks for, by its method and its path.
    pub fn of(request: &'a Request) -> Attributes<'a> {
        let path = request.path.as_str();
        let mut parts = path.split('/').filter(|p| !p.is_empty());
        let outside = Attributes {
            verb: match request.method {
                Method::Get => "get",
                Method::Post => "post",
                Method::Put => "put",
                Method::Patch => "patch",
                Method::Delete => "delete",
            },
            path,
            ..Attributes::default()
        };
        let group = match parts.next() {
            Some("api") => "",
            Some("apis") => match parts.next() {
                Some(group) => group,
                None => return outside,
            },
            _ => return outside,
        };
        let (Some(version), Some(mut resource)) = (parts.next(), parts.next()) else {
            return outside;
        };
        let (mut namespace, mut name, mut subresource) = ("", parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        if resource == "namespaces" && !name.is_empty() {
            namespace = name;
            if !subresource.is_empty() && !OF_NAMESPACE.contains(&subresource) {
                resource = subresource;
                name = parts.next().unwrap_or("");
                subresource = parts.next().unwrap_or("");
            }
        }
        let collection = name.is_empty();
        let verb = verb(request, collection);
        // A list that selects one name asks for that object.
        if collection && matches!(verb, "list" | "watch" | "deletecollection") {
            let terms = request.param("fieldSelector");
            name = terms
                .split(',')
                .find_map(|term| term.strip_prefix("metadata.name="))
                .map_or("", |n| n.trim_start_matches('='));
        }
        Attributes {
            verb,
            group,
            version,
            resource,
            subresource,
            namespace,
            name,
            path: "",
        }
    }

    /// Whether it is about a resource, and not about a path outside of them.
    pub fn is_resource(&self) -> bool {
        self.path.is_empty()
    }

    /// `pods/log`, as rules name it.
    pub fn full_resource(&self) -> String {
        if self.subresource.is_empty() {
            self.resource.to_owned()
        } else {
            format!("{}/{}", self.resource, self.subresource)
        }
    }

    /// What the user is told whom it was refused to.
    pub fn refusal(&self, user: &str) -> String {
        let Attributes { verb, path, .. } = self;
        if !self.is_resource() {
            return format!(
                "User {user} cannot {verb} path {path}",
                user = quoted(&user),
                path = quoted(&path)
            );
        }
        let place = if self.namespace.is_empty() {
            "at the cluster scope".to_owned()
        } else {
            format!("in the namespace {}", quoted(&self.namespace))
        };
        format!(
            "User {user} cannot {verb} resource {} in API group {} {place}",
            quoted(&self.full_resource()),
            quoted(&self.group),
            user = quoted(&user)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn verbs_and_resources() {
        let table = [
            (Method::Get, "/api/v1/pods", ""),
            (Method::Get, "/api/v1/namespaces/a/pods", "watch=true"),
            (Method::Get, "/api/v1/namespaces/a/pods/web/log", ""),
            (
                Method::Get,
                "/api/v1/namespaces/a/pods",
                "fieldSelector=metadata.name=web",
            ),
            (Method::Delete, "/apis/apps/v1/namespaces/a/deployments", ""),
            (Method::Patch, "/apis/apps/v1/namespaces/a/deployments/web/scale", ""),
            (Method::Delete, "/api/v1/namespaces/a", ""),
            (Method::Put, "/api/v1/namespaces/a/finalize", ""),
            (Method::Post, "/api/v1/namespaces", ""),
            (Method::Get, "/apis/apps/v1", ""),
            (Method::Get, "/healthz", ""),
        ];
        let mut text = String::new();
        for (method, path, query) in table {
            let mut request = Request::new(method, path);
            if let Some((key, value)) = query.split_once('=') {
                request = request.with(key, value);
            }
            let a = Attributes::of(&request);
            text.push_str(&format!("{} | {:?}\n", a.refusal("anna"), a.name));
        }
        expect![[r#"
            User "anna" cannot list resource "pods" in API group "" at the cluster scope | ""
            User "anna" cannot watch resource "pods" in API group "" in the namespace "a" | ""
            User "anna" cannot get resource "pods/log" in API group "" in the namespace "a" | "web"
            User "anna" cannot list resource "pods" in API group "" in the namespace "a" | "web"
            User "anna" cannot deletecollection resource "deployments" in API group "apps" in the namespace "a" | ""
            User "anna" cannot patch resource "deployments/scale" in API group "apps" in the namespace "a" | "web"
            User "anna" cannot delete resource "namespaces" in API group "" in the namespace "a" | "a"
            User "anna" cannot update resource "namespaces/finalize" in API group "" in the namespace "a" | "a"
            User "anna" cannot create resource "namespaces" in API group "" at the cluster scope | ""
            User "anna" cannot get path "/apis/apps/v1" | ""
            User "anna" cannot get path "/healthz" | ""
        "#]]
        .assert_eq(&text);
    }
}
