//! The controller of tokens in Secrets: fills those of the type `kubernetes.io/service-account-token`, and
//! deletes them when their ServiceAccount is gone (`pkg/controller/serviceaccount/tokens_controller.go`).

use std::rc::Rc;

use super::context::{Base, Context, resource};
use crate::api::auth::token;
use crate::api::well_known::{SERVICE_ACCOUNT_NAME, TOKEN_SECRET};
use crate::api::{ApiServer, Informer, Object, ObjectKey, Resource, Status};
use crate::sim::WorkQueue;
use crate::value::{Value, base64};

const NAME: &str = "tokens-controller";
const ACCOUNT_UID: &str = "kubernetes.io/service-account.uid";

fn is_token(secret: &Object) -> bool {
    secret.value().get("type").str() == TOKEN_SECRET
}

/// The account that a Secret is for, by its name.
fn account_of(secret: &Object) -> &str {
    secret.metadata().at(&["annotations", SERVICE_ACCOUNT_NAME]).str()
}

struct Controller {
    base: Base,
    api: ApiServer,
    accounts: Informer,
    account_resource: Rc<Resource>,
    maps: Informer,
    /// Empty for a cluster that has its certificate in `kube-system`.
    root_ca: Rc<str>,
    /// Secrets that are gone, by the names of the account and of the secret, with a slash between them. No account has
    /// a name with a slash; an annotation may, and then there is no account to tidy.
    gone: WorkQueue<ObjectKey>,
}

/// Starts the controller.
pub fn start(context: &Context) {
    let api = context.api();
    let informers = context.informers();
    let account_resource = resource(api, "", "serviceaccounts");
    let controller = Rc::new(Controller {
        base: Base::new(context, NAME, "", "secrets"),
        api: api.clone(),
        accounts: informers.of(&account_resource),
        account_resource,
        maps: informers.of(&resource(api, "", "configmaps")),
        root_ca: context.options().root_ca.clone(),
        gone: WorkQueue::new(context.sim()),
    });
    let (base, accounts, maps) = (&controller.base, &controller.accounts, &controller.maps);
    let c = controller.clone();
    base.objects.on_change(move |old, new| c.secret_changed(old, new));
    let c = controller.clone();
    accounts.on_change(move |old, new| {
        if let Some(account) = new.or(old) {
            c.account_changed(account);
        }
    });
    let c = controller.clone();
    base.run(context, 5, &[accounts, maps], async move |key| c.sync(&key).await);
    let c = controller.clone();
    let synced = vec![base.objects.clone(), accounts.clone(), maps.clone()];
    context.run(NAME, &controller.gone, 1, synced, async move |key| c.unlist(&key).await);
}

impl Controller {
    fn secret_changed(&self, old: Option<&Object>, new: Option<&Object>) {
        if let Some(secret) = new.filter(|s| is_token(s)) {
            self.base.queue.add(secret.key());
        } else if let (Some(secret), None) = (old.filter(|s| is_token(s)), new)
            && !account_of(secret).contains('/')
        {
            let both = format!("{}/{}", account_of(secret), secret.name());
            self.gone.add(ObjectKey::new(secret.namespace(), &both));
        }
    }

    fn account_changed(&self, account: &Object) {
        self.base.objects.each(account.namespace(), |secret| {
            if is_token(secret) && account_of(secret) == account.name() {
                self.base.queue.add(secret.key());
            }
        });
    }

    /// Fills a Secret, or deletes it when its account is gone.
    async fn sync(&self, key: &ObjectKey) -> Result<(), Status> {
        let Base {
            client,
            resource: secrets,
            objects,
            ..
        } = &self.base;
        let Some(secret) = objects.get(key) else {
            return Ok(());
        };
        // The informer may be behind: what is deleted must be meant.
        let account = client
            .get(&self.account_resource, secret.namespace(), account_of(&secret))
            .await;
        let uid = secret.metadata().at(&["annotations", ACCOUNT_UID]).str();
        let account = match account {
            Ok(account) if uid.is_empty() || uid == account.uid() => account,
            Err(status) if !status.is_not_found() => return Err(status),
            _ => {
                return Status::ignore_not_found_or_conflict(client.delete_exactly(secrets, &secret, "").await);
            }
        };
        let published = self.maps.get(&ObjectKey::new("kube-system", "kube-root-ca.crt"));
        let root = match (&*self.root_ca, &published) {
            ("", Some(map)) => map.value().str_at(&["data", "ca.crt"]),
            (text, _) => text,
        };
        match filled(&self.api, &secret, &account, root) {
            Some(value) => client.update(secrets, value).await.map(|_| ()),
            None => Ok(()),
        }
    }

    /// Takes a Secret that is gone from the list of its account.
    async fn unlist(&self, key: &ObjectKey) -> Result<(), Status> {
        let Some((account, secret)) = key.name.split_once('/') else {
            return Ok(());
        };
        let Some(account) = self.accounts.get(&ObjectKey::new(&key.namespace, account)) else {
            return Ok(());
        };
        let mut value = account.value().clone();
        let named = |s: &Value| s.get("name").str() == secret;
        if !value.get("secrets").items().iter().any(named) {
            return Ok(());
        }
        value.at_mut(&["secrets"]).list_mut().retain(|s| !named(s));
        if value.get("secrets").is_empty() {
            value.remove(&["secrets"]);
        }
        let updated = self.base.client.update(&self.account_resource, value);
        updated.await.map(|_| ())
    }
}

/// The Secret with all that it lacks; `None` when it lacks nothing.
fn filled(api: &ApiServer, secret: &Object, account: &Object, root: &str) -> Option<Value> {
    let mut value = secret.value().clone();
    let same = |field: &str, text: &str| secret.value().at(&["data", field]).str() == base64::encode(text);
    if !root.is_empty() && !same("ca.crt", root) {
        value.set(&["data", "ca.crt"], base64::encode(root));
    }
    if secret.value().at(&["data", "namespace"]).is_empty() {
        value.set(&["data", "namespace"], base64::encode(secret.namespace()));
    }
    if secret.value().at(&["data", "token"]).is_empty() {
        value.set(
            &["data", "token"],
            base64::encode(token::legacy(api, account, secret.name())),
        );
    }
    value.set(&["metadata", "annotations", SERVICE_ACCOUNT_NAME], account.name());
    value.set(&["metadata", "annotations", ACCOUNT_UID], account.uid());
    (&value != secret.value()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;
    use crate::{list, obj};

    #[test]
    fn a_secret_lives_as_its_account() {
        let world = World::new();
        world.create(obj! {
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": obj! { "name": "kube-root-ca.crt", "namespace": "kube-system" },
            "data": obj! { "ca.crt": "CERTIFICATE" },
        });
        world.start(start);
        let account = || {
            obj! {
                "apiVersion": "v1", "kind": "ServiceAccount",
                "metadata": obj! { "name": "robot", "namespace": "default" },
                "secrets": list![obj! { "name": "one" }],
            }
        };
        let secret = |name: &str| {
            obj! {
                "apiVersion": "v1", "kind": "Secret", "type": TOKEN_SECRET,
                "metadata": obj! {
                    "name": name, "namespace": "default", "annotations": obj! { "kubernetes.io/service-account.name": "robot" },
                },
            }
        };
        world.create(account());
        world.create(secret("one"));
        world.create(secret("two"));
        world.run(1);
        let text = |name: &str, field: &str| {
            let secret = world.get("", "secrets", name);
            let bytes = base64::decode(secret.value().at(&["data", field]).str()).unwrap_or_default();
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(
            (text("one", "ca.crt"), text("one", "namespace")),
            ("CERTIFICATE".into(), "default".into())
        );
        let token = text("one", "token");
        let user = world.api().authenticate(&token).unwrap();
        assert_eq!(&*user.name, "system:serviceaccount:default:robot");
        world.delete("", "secrets", "one", Value::Null);
        world.run(1);
        assert!(world.api().authenticate(&token).is_none());
        assert!(
            world
                .get("", "serviceaccounts", "robot")
                .value()
                .get("secrets")
                .is_null()
        );
        let other = text("two", "token");
        world.delete("", "serviceaccounts", "robot", Value::Null);
        world.run(1);
        assert!(!world.exists("", "secrets", "two") && world.api().authenticate(&other).is_none());
        // For nobody.
        world.create(secret("three"));
        world.run(1);
        assert!(!world.exists("", "secrets", "three"));
    }

    #[test]
    fn an_annotation_with_a_slash_names_no_account() {
        let world = World::new();
        world.start(start);
        world.create(obj! {
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": obj! { "name": "robot", "namespace": "default" },
            "secrets": list![obj! { "name": "x/one" }],
        });
        world.create(obj! {
            "apiVersion": "v1", "kind": "Secret", "type": TOKEN_SECRET,
            "metadata": obj! {
                "name": "one", "namespace": "default", "annotations": obj! { "kubernetes.io/service-account.name": "robot/x" },
            },
        });
        world.run(1);
        assert!(!world.exists("", "secrets", "one"));
        let robot = world.get("", "serviceaccounts", "robot");
        assert_eq!(robot.value().get("secrets").to_json(), r#"[{"name":"x/one"}]"#);
    }
}
