//! kube-webhook-certgen, whose two Jobs make the certificate of ingress-nginx's webhook: `create` puts it into a
//! Secret, `patch` tells the API server whom to trust.

use std::rc::Rc;
use std::time::Duration;

use super::super::api_client::ApiClient;
use super::super::{Image, Sandbox, program};
use crate::obj;
use crate::pki::authority::Order;
use crate::pki::x509::Certificate;
use crate::pki::{Authority, Name, Names, PrivateKey, Random, ec, pem, x509};
use crate::shell::{Commands, Context, Files};
use crate::sim::Time;
use crate::value::{Value, base64};

pub(in super::super) fn install(
    image: &Image,
    _tag: &str,
    sandbox: &Rc<Sandbox>,
    commands: &mut Commands,
    _files: &Files,
) {
    for name in image.entrypoint {
        program(commands, name, sandbox, run);
    }
}

fn key(random: &mut Random) -> Option<PrivateKey> {
    Some(PrivateKey::Ec(ec::Private::generate(ec::CURVES.first()?, random)))
}

/// The certificate that nginx shows where it has no better one.
pub(super) fn fake() -> Option<Certificate> {
    let mut random = Random::new("ingress-nginx");
    let start = Time::from_secs(1_700_000_000);
    let authority = Authority::create(
        "Kubernetes Ingress Controller Fake Certificate",
        key(&mut random)?,
        start,
        &mut random,
    );
    Some(authority.ok()?.certificate().clone())
}

/// A new authority and a certificate of it for these hosts, with its key: three texts in PEM.
fn certificates(hosts: &[&str], now: Time, random: &mut Random) -> Option<[String; 3]> {
    let authority = Authority::create("nil1", key(random)?, now, random).ok()?;
    let own = key(random)?;
    let names = Names {
        dns: hosts.iter().map(|host| (*host).to_owned()).collect(),
        ..Names::default()
    };
    let order = Order {
        subject: Name(vec![vec![(x509::attribute("O")?.to_owned(), "nil2".to_owned())]]),
        names: &names,
        key: &own.public(),
        usages: 0b1,
        extended: vec!["1.3.6.1.5.5.7.3.1"],
        not_before: now,
        // A hundred years, as the real one's.
        not_after: now + Duration::from_secs(100 * 365 * 24 * 60 * 60),
    };
    let certificate = authority.issue(&order, random);
    Some([
        authority.to_pem(),
        pem::encode("CERTIFICATE", certificate),
        own.to_pem(),
    ])
}

async fn run(context: Context, sandbox: Rc<Sandbox>) -> i32 {
    let say = |level: &str, text: &str| {
        let line = obj! { "level": level, "msg": text, "source": "cmd", "time": context.sim.now() };
        context.stderr.line(line.to_json());
    };
    let flag = |name: &str| {
        let prefix = format!("--{name}=");
        let mut given = context.rest().iter().filter_map(|arg| arg.strip_prefix(&prefix));
        given.next().unwrap_or_default()
    };
    let Some(api) = ApiClient::of(&context, &sandbox) else {
        say("fatal", "no API server is named by the environment");
        return 1;
    };
    let (namespace, secret) = (flag("namespace"), flag("secret-name"));
    let secrets = format!("/api/v1/namespaces/{namespace}/secrets");
    let found = api.get(&format!("{secrets}/{secret}")).await;
    let sent = match context.arg(1).unwrap_or_default() {
        "create" => match found {
            Ok(_) => {
                say("info", "secret already exists");
                return 0;
            }
            Err(why) if why.code != 404 => Err(why),
            Err(_) => {
                let hosts: Vec<&str> = flag("host").split(',').collect();
                let seed = context.sim.random_uuid();
                let Some([ca, cert, key]) = certificates(&hosts, context.sim.now(), &mut Random::new(seed)) else {
                    return 1;
                };
                say("info", "creating new secret");
                let body = obj! {
                    "apiVersion": "v1",
                    "data": obj! { "ca": base64::encode(ca), "cert": base64::encode(cert), "key": base64::encode(key) },
                    "kind": "Secret",
                    "metadata": obj! { "name": secret, "namespace": namespace },
                };
                api.send("POST", &secrets, "application/json", &body).await
            }
        },
        "patch" => {
            let ca = match found {
                Ok(secret) => secret.str_at(&["data", "ca"]).to_owned(),
                Err(why) => {
                    say(
                        "fatal",
                        &format!("no secret with '{secret}' in '{namespace}': {}", why.message),
                    );
                    return 1;
                }
            };
            let name = flag("webhook-name");
            let path = format!("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{name}");
            say(
                "info",
                &format!(
                    "patching webhook configurations '{name}' mutating=false, validating=true, failurePolicy=Fail"
                ),
            );
            match api.get(&path).await {
                Ok(mut configuration) => {
                    let webhooks: Vec<Value> = configuration.get("webhooks").items().to_vec();
                    let with = webhooks.into_iter().map(|mut webhook| {
                        webhook.set(&["clientConfig", "caBundle"], ca.as_str());
                        webhook
                    });
                    configuration.set(&["webhooks"], with.collect::<Value>());
                    api.send("PUT", &path, "application/json", &configuration).await
                }
                Err(why) => Err(why),
            }
        }
        other => {
            say(
                "fatal",
                &format!("unknown command \"{other}\" for \"kube-webhook-certgen\""),
            );
            return 1;
        }
    };
    match sent {
        Ok(_) => {
            say(
                "info",
                if context.arg(1) == Some("patch") {
                    "Patched hook(s)"
                } else {
                    "created secret"
                },
            );
            0
        }
        Err(why) => {
            say("fatal", &why.message);
            1
        }
    }
}
