//! Lists: pages that show one revision, and the options of lists and watches.

use super::object::{Object, ObjectKey};
use super::request::{List, Request};
use super::server::{ApiServer, Target};
use super::status::{FieldErrors, Status};
use super::store::Store;
use super::watch::Filter;
use super::{custom, kinds};
use crate::flat::FlatMap;
use crate::value::{base64, gojson, quoted};
use crate::{list, obj};

/// Where a list goes on: the revision that it shows, and the last key of the page before.
struct Token {
    /// 0 for a list that was begun too long ago: it goes on with what is there now.
    revision: u64,
    start: String,
}

impl Token {
    /// A token as the real server makes them (`storage.EncodeContinue`).
    fn encode(&self) -> String {
        let revision = i64::try_from(self.revision).unwrap_or(i64::MAX);
        // A list that shows no one revision any more says -1.
        let revision = if revision == 0 { -1 } else { revision };
        let token = obj! { "rv": revision, "start": format!("{}\0", self.start), "v": "meta.k8s.io/v1" };
        base64::encode_url(token.to_json())
    }

    fn decode(text: &str) -> Result<Token, Status> {
        let wrong =
            |why: String| Status::bad_request(format!("invalid continue token: continue key is not valid: {why}"));
        let bytes = base64::decode_url(text).ok_or_else(|| {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            let at = text.find(|c| !plain(c)).unwrap_or(text.len());
            wrong(format!("illegal base64 data at input byte {at}"))
        })?;
        let token = gojson::parse(&String::from_utf8_lossy(&bytes)).map_err(|e| wrong(e.to_string()))?;
        let start = token.get("start").str().trim_end_matches('\0');
        match token.str_at(&["v"]) {
            "meta.k8s.io/v1" => {}
            version => {
                return Err(wrong(format!(
                    "server does not recognize this encoded version {version}"
                )));
            }
        }
        if token.i64_at(&["rv"]).unwrap_or(0) == 0 {
            let why = "incorrect encoded start resourceVersion (version meta.k8s.io/v1)";
            return Err(wrong(why.into()));
        }
        if start.is_empty() {
            return Err(wrong("encoded start key empty (version meta.k8s.io/v1)".into()));
        }
        Ok(Token {
            revision: token.i64_at(&["rv"]).and_then(|r| u64::try_from(r).ok()).unwrap_or(0),
            start: start.to_owned(),
        })
    }
}

/// A shelf as it was at a revision.
struct Past<'a> {
    store: &'a Store,
    shelf: &'a str,
    /// What has changed since then, as it was: `None` for what was not there.
    undone: FlatMap<ObjectKey, Option<Object>>,
}

impl<'a> Past<'a> {
    /// At `revision`, or now for 0.
    ///
    /// # Errors
    /// 410 where the changes since then are no longer known.
    fn at(store: &'a Store, shelf: &'a str, revision: u64) -> Result<Past<'a>, Status> {
        let undone = match revision {
            0 => FlatMap::new(),
            // Of an object's changes the first tells what was there before; the last one collected is kept.
            _ => {
                let changes = store.changes(shelf, revision, usize::MAX)?.into_iter().rev();
                changes.map(|c| (c.object.key(), c.old)).collect()
            }
        };
        Ok(Past { store, shelf, undone })
    }

    /// What has changed after this key, of one namespace or of all when it is empty.
    fn undone_after(&self, namespace: &str, after: &ObjectKey) -> impl Iterator<Item = (&ObjectKey, Option<&Object>)> {
        let within = move |key: &ObjectKey| key > after && (namespace.is_empty() || &*key.namespace == namespace);
        let undone = self.undone.iter().map(|(key, old)| (key, old.as_ref()));
        undone.filter(move |(key, _)| within(key))
    }

    /// Calls `take` with the objects after this key until it says that it has enough.
    fn each_after(&self, namespace: &str, after: &ObjectKey, mut take: impl FnMut(&Object) -> bool) {
        let before = self.undone_after(namespace, after);
        let mut before = before.filter_map(|(key, old)| Some((key, old?))).peekable();
        let mut goes_on = true;
        self.store.each_after(self.shelf, namespace, after, |key, object| {
            while goes_on && let Some((_, old)) = before.next_if(|(k, _)| *k <= key) {
                goes_on = take(old);
            }
            goes_on = goes_on && (self.undone.contains_key(key) || take(object));
            goes_on
        });
        before.all(|(_, old)| goes_on && take(old));
    }

    /// How many objects there were after this key. They are not walked: a long list asks it for each of its pages.
    fn count_after(&self, namespace: &str, after: &ObjectKey) -> usize {
        let (mut gone, mut come) = (0, 0);
        for (key, old) in self.undone_after(namespace, after) {
            gone += usize::from(old.is_some());
            come += usize::from(self.store.get(self.shelf, key).is_some());
        }
        (self.store.count_after(self.shelf, namespace, after) + gone).saturating_sub(come)
    }
}

impl ApiServer {
    /// The list that a request asks for.
    ///
    /// # Errors
    /// 400, 410, 422 or 504 for options that cannot be served.
    pub(super) fn list_for(&self, request: &Request, target: &Target, filter: &Filter) -> Result<List, Status> {
        check_list_options(request)?;
        let asked = request.param("resourceVersion");
        let exact = request.param("resourceVersionMatch") == "Exact";
        let current = self.store().revision();
        let wanted = match asked {
            "" => 0,
            // The storage, which asks for it, has no reason for the failure.
            text => revision_of(text).map_err(|why| Status::failure(500, "", why.sentence()))?,
        };
        if wanted > current {
            return Err(too_large(wanted, current));
        }
        // A list of any version comes from the cache, which knows no pages.
        let limit = match usize::try_from(number(request, "limit")?).unwrap_or(0) {
            _ if asked == "0" => 0,
            limit => limit,
        };
        match request.param("continue") {
            "" if exact => self.page(target, filter, limit, "", wanted),
            "" => self.page(target, filter, limit, "", 0),
            text => {
                let token = Token::decode(text)?;
                if !matches!(asked, "" | "0") {
                    let why = "specifying resource version is not allowed when using continue";
                    return Err(Status::bad_request(why));
                }
                let page = self.page(target, filter, limit, &token.start, token.revision);
                page.map_err(|status| match status.code() {
                    410 => expired(&token),
                    _ => status,
                })
            }
        }
    }

    /// A page of a list after the key `start` (`namespace/name`, or the name in one namespace), as of
    /// `revision` (0 for what is there now). `limit` 0 gives all.
    pub(super) fn page(
        &self,
        target: &Target,
        filter: &Filter,
        limit: usize,
        start: &str,
        revision: u64,
    ) -> Result<List, Status> {
        let store = self.store();
        let shelf = target.shelf();
        let within = !target.namespace.is_empty() || !target.resource.namespaced;
        let after = match start.split_once('/') {
            Some((namespace, name)) if !within => (namespace, name),
            _ => (target.namespace.as_str(), start),
        };
        let mut items = Vec::new();
        let mut more = false;
        let take = |object: &Object| {
            if !filter.matches(object) {
                return true;
            }
            more = limit > 0 && items.len() >= limit;
            if !more {
                items.push(custom::in_version(object.clone(), &target.resource));
            }
            !more
        };
        let past = Past::at(store, &shelf, revision)?;
        if kinds::componentstatus::is(&target.resource) {
            // They are no objects of the store, and come all at once.
            let all = kinds::componentstatus::all().into_iter();
            items = all.filter(|component| filter.matches(component)).collect();
        } else {
            // A list that goes on begins behind the page before, so that pages cost no more than the whole.
            let from = ObjectKey::new(after.0, after.1);
            past.each_after(&target.namespace, &from, take);
        }
        let shown = if revision == 0 { store.revision() } else { revision };
        let (mut continue_token, mut remaining) = (String::new(), 0);
        if let Some(last) = items.last().filter(|_| more) {
            let start = if within {
                last.name().to_owned()
            } else {
                format!("{}/{}", last.namespace(), last.name())
            };
            continue_token = Token { revision: shown, start }.encode();
            // Behind a selector nobody counts.
            if filter.labels.is_everything() && filter.fields.is_empty() {
                remaining = past.count_after(&target.namespace, &last.key());
            }
        }
        Ok(List {
            api_version: target.resource.api_version(),
            kind: format!("{}List", target.resource.kind),
            items,
            revision: shown,
            continue_token,
            remaining,
        })
    }
}

/// A `resourceVersion` of a query.
///
/// # Errors
/// What is wrong with the field.
pub(super) fn revision_of(text: &str) -> Result<u64, FieldErrors> {
    text.parse::<u64>().map_err(|_| {
        let mut errors = FieldErrors::default();
        let number = text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty();
        let why = if number { "value out of range" } else { "invalid syntax" };
        errors.invalid(
            "resourceVersion",
            &text.into(),
            format!("strconv.ParseUint: parsing {text}: {why}", text = quoted(&text)),
        );
        errors
    })
}

/// A parameter that is a whole number, 0 where it is not given.
///
/// # Errors
/// 400 for what is none.
pub(super) fn number(request: &Request, name: &str) -> Result<i64, Status> {
    match request.param(name) {
        "" => Ok(0),
        text => text.parse().map_err(|_| {
            Status::bad_request(format!(
                "strconv.ParseInt: parsing {text}: invalid syntax",
                text = quoted(&text)
            ))
        }),
    }
}

/// 504 for a revision that is not there yet.
fn too_large(asked: u64, current: u64) -> Status {
    let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
    let cause = obj! { "message": "Too large resource version", "reason": "ResourceVersionTooLarge" };
    Status::timeout(message).to_be_tried_again(1, list![cause])
}

/// 410 for a page of a list whose revision is not kept any more.
fn expired(token: &Token) -> Status {
    let inconsistent = Token {
        revision: 0,
        start: token.start.clone(),
    };
    Status::expired_list(
        "The provided continue parameter is too old to display a consistent list result. You can start a new list \
         without the continue parameter, or use the continue token in this response to retrieve the remainder of the \
         results. Continuing with the provided token results in an inconsistent list - objects that were created, \
         modified, or deleted between the time the first chunk was returned and now may show up in the list.",
        &inconsistent.encode(),
    )
}

/// Checks the options of a list or a watch (`ValidateListOptions`).
///
/// # Errors
/// 422 naming each option that is wrong.
pub(super) fn check_list_options(request: &Request) -> Result<(), Status> {
    let mut errors = FieldErrors::default();
    let watch = request.flag("watch");
    let (version, matching) = (request.param("resourceVersion"), request.param("resourceVersionMatch"));
    let initial = request.query.iter().any(|(k, _)| k == "sendInitialEvents");
    const MATCH: &str = "resourceVersionMatch";
    if watch && initial {
        if matching != "NotOlderThan" {
            errors.forbidden(
                MATCH,
                "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            );
        }
        if !request.param("continue").is_empty() {
            errors.forbidden("continue", "sendInitialEvents is forbidden when continue is provided");
        }
    } else if watch {
        if !matching.is_empty() {
            errors.forbidden(
                MATCH,
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            );
        }
    } else {
        if initial {
            errors.forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list");
        }
        if !matching.is_empty() {
            if version.is_empty() {
                errors.forbidden(
                    MATCH,
                    "resourceVersionMatch is forbidden unless resourceVersion is provided",
                );
            }
            if !request.param("continue").is_empty() {
                errors.forbidden(MATCH, "resourceVersionMatch is forbidden when continue is provided");
            }
            if !matches!(matching, "Exact" | "NotOlderThan") {
                errors.not_supported(MATCH, &matching.into(), &["Exact", "NotOlderThan", ""]);
            }
            if matching == "Exact" && version == "0" {
                errors.forbidden(
                    MATCH,
                    "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
                );
            }
        }
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(Status::invalid("meta.k8s.io", "ListOptions", "", &errors))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::request::{Body, Method, Payload, Request};
    use super::super::server::ApiServer;
    use crate::obj;
    use crate::sim::{Sim, Time};
    use crate::value::yaml;

    /// One change: of which object, and what is done to it.
    type Step = (u8, u8, u8);

    fn step() -> impl Strategy<Value = Step> {
        (0u8..2, 0u8..8, 0u8..3)
    }

    fn change(api: &ApiServer, (namespace, name, what): Step) {
        let (namespace, name) = (["a", "b"][usize::from(namespace)], format!("c{name}"));
        let all = format!("/api/v1/namespaces/{namespace}/configmaps");
        let one = format!("{all}/{name}");
        let revision = api.store().revision().to_string();
        let object = obj! {
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": obj! { "name": name }, "data": obj! { "at": revision },
        };
        let request = match what {
            0 => Request::new(Method::Post, all).body(Body::Value(object)),
            1 => Request::new(Method::Put, one).body(Body::Value(object)),
            _ => Request::new(Method::Delete, one),
        };
        // What is not there, or is there already, is refused, and changes nothing.
        api.serve(request);
    }

    /// The objects of a page with their revisions, and how it goes on.
    fn page(api: &ApiServer, path: &str, limit: usize, token: &str) -> (Vec<(std::rc::Rc<str>, u64)>, String) {
        let request = Request::get(path)
            .with("limit", limit.to_string())
            .with("continue", token);
        let Payload::List(list) = api.serve(request).payload else {
            panic!("no list");
        };
        let items = list.items.iter().map(|o| (o.full_name(), o.revision()));
        (items.collect(), list.continue_token)
    }

    proptest! {
        /// However the objects change between its pages, a list is as it was when it began.
        #[test]
        fn pages_are_of_one_moment(
            before in prop::collection::vec(step(), 0..30),
            between in prop::collection::vec(step(), 0..30),
            limit in 1usize..5,
            one in any::<bool>(),
        ) {
            let api = ApiServer::new(&Sim::new(1, Time::from_secs(1_800_000_000)));
            for name in ["a", "b"] {
                let namespace = format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}}}}}");
                api.restore(yaml::decode(&namespace).unwrap()).unwrap();
            }
            before.into_iter().for_each(|s| change(&api, s));
            let path = if one { "/api/v1/namespaces/a/configmaps" } else { "/api/v1/configmaps" };
            let (whole, _) = page(&api, path, 0, "");
            let (mut found, mut token) = page(&api, path, limit, "");
            let mut between = between.into_iter();
            while !token.is_empty() {
                between.by_ref().take(6).for_each(|s| change(&api, s));
                let (more, next) = page(&api, path, limit, &token);
                prop_assert!(more.len() <= limit);
                found.extend(more);
                token = next;
            }
            prop_assert_eq!(found, whole);
        }
    }
}
