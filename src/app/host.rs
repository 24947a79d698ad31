//! The page's hold on the world: what it needs of it, and nothing more.

use futures::FutureExt;
use kubetab::api::server::shelf_name;
use kubetab::api::{Client, Object, ObjectKey};
use kubetab::kubectl::describe::describe;
use kubetab::net::Mode;
use kubetab::sim::{Sim, Time};
use kubetab::value::{Value, yaml};
use kubetab::world::{Options, World};

/// The world that the page shows.
#[derive(Clone)]
pub struct Host {
    world: World,
}

impl Host {
    /// Boots the playground's cluster: as kubeadm makes it, with kube-proxy in ipvs mode, whose
    /// round-robin is what people come to see.
    ///
    /// # Errors
    /// When the world cannot be booted, which a test of the world excludes.
    pub fn boot(start: Time) -> Result<Host, String> {
        let options = Options {
            start,
            proxy_mode: Mode::Ipvs(Default::default()),
            ..Options::default()
        };
        let world = World::new(&options).map_err(|status| status.message().to_string())?;
        Ok(Host { world })
    }

    pub fn world(&self) -> &World {
        &self.world
    }

    pub fn sim(&self) -> &Sim {
        self.world.sim()
    }

    /// Every object of a kind, as the store holds it.
    pub fn list(&self, version: &str, kind: &str) -> Vec<Value> {
        let api = self.world.api();
        let Some(resource) = api.resource_of_kind(version, kind) else {
            return Vec::new();
        };
        let objects = api.store().list(&shelf_name(&resource), "");
        objects.iter().map(|o| o.value().clone()).collect()
    }

    /// One object; `name` is `namespace/name`, `/name` without a namespace.
    fn stored(&self, kind: &str, name: &str) -> Option<Object> {
        let api = self.world.api();
        let (namespace, name) = name.split_once('/').unwrap_or(("", name));
        let resource = api.resources().iter().find(|r| *r.kind == *kind).cloned()?;
        api.store()
            .get(&shelf_name(&resource), &ObjectKey::new(namespace, name))
    }

    /// An object as `kubectl get -o yaml` prints it; empty when it is gone.
    pub fn yaml(&self, kind: &str, name: &str) -> String {
        match self.stored(kind, name) {
            Some(object) => {
                let mut object = object.value().clone();
                object.remove(&["metadata", "managedFields"]);
                yaml::to_yaml(&object)
            }
            None => String::new(),
        }
    }

    /// An object as `kubectl describe` prints it; empty when it is gone. Looking does not change the
    /// world's course: the requests of an observer take no time.
    pub fn describe(&self, kind: &str, name: &str) -> String {
        let Some(object) = self.stored(kind, name) else {
            return String::new();
        };
        let client = Client::observer(self.world.api());
        match describe(&client, &object, true).now_or_never() {
            Some(Ok(text)) => text,
            Some(Err(status)) => status.message().to_string(),
            None => String::new(),
        }
    }
}
