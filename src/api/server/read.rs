//! Lists and watches.

use super::super::object::Object;
use super::super::request::{Method, Payload, Request, Response};
use super::super::selector::{FieldTerm, Selector, parse_fields};
use super::super::status::Status;
use super::super::watch::{Filter, Watch, field_value, unknown_field};
use super::super::{custom, listing, table};
use super::{ApiServer, Target};
use crate::value::{Value, intern};

/// Makes a watch of a request for one of the old paths, `/api/v1/watch/pods`.
pub(super) fn watch_of_path(request: &mut Request) {
    // Nearly every request ends here.
    if request.method != Method::Get || !request.path.contains("/watch/") {
        return;
    }
    let mut parts: Vec<&str> = request.path.split('/').filter(|p| !p.is_empty()).collect();
    let at = if parts.first() == Some(&"apis") { 3 } else { 2 };
    if matches!(parts.first(), Some(&("api" | "apis"))) && parts.get(at) == Some(&"watch") && parts.len() > at + 1 {
        parts.remove(at);
        request.path = format!("/{}", parts.join("/"));
        request.query.retain(|(k, _)| k != "watch");
        request.query.push(("watch".into(), "true".into()));
    }
}

impl ApiServer {
    pub(super) fn filter(&self, request: &Request, target: &Target) -> Result<Filter, Status> {
        let text = request.param("labelSelector");
        let labels = Selector::parse(text).map_err(Status::bad_request)?;
        let strategy = target.strategy();
        let mut fields = parse_fields(request.param("fieldSelector")).map_err(Status::bad_request)?;
        if !fields.is_empty() {
            // Whether a kind knows a field is asked of an object that has none.
            let empty = Object::new(Value::map());
            for term in &fields {
                if field_value(strategy, &empty, &term.field).is_none() {
                    return Err(Status::bad_request(unknown_field(&target.resource, &term.field)));
                }
            }
        }
        if !target.name.is_empty() {
            fields.push(FieldTerm {
                field: "metadata.name".into(),
                value: target.name.clone(),
                equal: true,
            });
        }
        Ok(Filter {
            namespace: intern(&target.namespace),
            labels,
            fields,
            resource: target.resource.clone(),
        })
    }

    pub(super) fn list(&self, request: &Request, target: &Target) -> Result<Response, Status> {
        let filter = self.filter(request, target)?;
        let list = self.list_for(request, target, &filter)?;
        if table::wanted(&request.accept) {
            let value = table::render(
                self,
                &target.resource,
                &list.items,
                Some(&list),
                request.param("includeObject"),
            );
            return Ok(Response::from(value));
        }
        Ok(Response::new(200, Payload::List(list)))
    }

    pub(super) fn watch(&self, request: &Request, target: &Target) -> Result<Response, Status> {
        let filter = self.filter(request, target)?;
        listing::check_list_options(request)?;
        let shelf = target.shelf();
        let mut initial = Vec::new();
        let asked = match request.param("resourceVersion") {
            "" => 0,
            text => listing::revision_of(text)
                .map_err(|why| Status::invalid(&target.resource.group, &target.resource.name, "", &why))?,
        };
        let revision = match asked {
            revision if revision > 0 => {
                // Asks once, so that a version too old fails at once.
                self.store().changes(&shelf, revision, 1)?;
                revision
            }
            _ => {
                self.store().each(&shelf, &target.namespace, |o| {
                    if filter.matches(o) {
                        initial.push(custom::in_version(o.clone(), &target.resource));
                    }
                });
                self.store().revision()
            }
        };
        let seconds = u64::try_from(listing::number(request, "timeoutSeconds")?).unwrap_or(0);
        let deadline = (seconds > 0).then(|| self.sim().now() + std::time::Duration::from_secs(seconds));
        let mut watch = Watch::new(
            self,
            shelf,
            filter,
            revision,
            initial,
            deadline,
            request.flag("allowWatchBookmarks"),
        );
        watch.accept = request.accept.clone();
        Ok(Response::new(200, Payload::Watch(Box::new(watch))))
    }
}
