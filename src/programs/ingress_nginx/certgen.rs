//! kube-webhook-certgen, whose two Jobs make the certificate of ingress-nginx's webhook: `create` puts it into a
//! Secret, `patch` tells the API server whom to trust.

use std::rc::Rc;

use super::super::api_client::ApiClient;
use super::super::{Image, Sandbox, program};
use crate::obj;
use crate::pki::x509::Certificate;
use crate::pki::{Authority, PrivateKey, Random, ec};
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

/// A certificate that signs itself.
fn authority(name: &str, now: Time, random: &mut Random) -> Option<Authority> {
    let key = PrivateKey::Ec(ec::Private::generate(ec::CURVES.first()?, random));
    Authority::create(name, key, now, random).ok()
}

/// The certificate that nginx shows where it has no better one.
pub(super) fn fake() -> Option<Certificate> {
    let name = "Kubernetes Ingress Controller Fake Certificate";
    let authority = authority(name, Time::from_secs(1_700_000_000), &mut Random::new(name))?;
    Some(authority.certificate().clone())
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
                // The real one makes an authority and a certificate of it; here one certificate is both.
                let host = flag("host").split(',').next().unwrap_or_default();
                let mut random = Random::new(context.sim.random_uuid());
                let Some(made) = authority(host, context.sim.now(), &mut random) else {
                    return 1;
                };
                let (cert, key) = (base64::encode(made.to_pem()), base64::encode(made.key().to_pem()));
                say("info", "creating new secret");
                let body = obj! {
                    "apiVersion": "v1",
                    "data": obj! { "ca": cert.as_str(), "cert": cert.as_str(), "key": key },
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
