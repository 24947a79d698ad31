//! What kubectl remembers of the server's resources (`~/.kube/cache/discovery`): a resource that came
//! later is found when it is asked for, one that went is still known.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::api::{Client, Resource, discovery};
use crate::sim::Time;

/// How long kubectl trusts what it remembers (`cacheTTL` of `ConfigFlags`).
const TRUST: Duration = Duration::from_secs(6 * 3_600);

type Resources = Rc<Vec<Rc<Resource>>>;

/// The memory of one host.
#[derive(Default)]
pub struct Discovery(RefCell<Option<(Time, Resources)>>);

impl Discovery {
    /// The resources as they are remembered, or as they are when nothing is.
    pub fn resources(&self, client: &Client) -> Resources {
        if let Some((since, known)) = &*self.0.borrow()
            && client.sim().now().since(*since) < TRUST
        {
            return known.clone();
        }
        self.refresh(client)
    }

    /// The resources as they are now.
    pub fn refresh(&self, client: &Client) -> Resources {
        let now = discovery::fresh(client.api(), &discovery::stale(client.api()));
        *self.0.borrow_mut() = Some((client.sim().now(), now.clone()));
        now
    }

    /// What `find` finds among the remembered resources, or else among the present ones.
    pub fn find<T>(&self, client: &Client, find: impl Fn(&[Rc<Resource>]) -> Option<T>) -> Option<T> {
        let known = self.resources(client);
        find(&known).or_else(|| {
            let now = self.refresh(client);
            if Rc::ptr_eq(&known, &now) { None } else { find(&now) }
        })
    }
}
