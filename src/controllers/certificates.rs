//! The controllers of CertificateSigningRequests: one approves what kubelets ask, four sign what was
//! approved for their signer, one deletes what is old (`pkg/controller/certificates`).

use std::time::Duration;

use super::context::{Context, resource};
use crate::api::kinds::certificate::{self, APPROVED, DENIED, FAILED};
use crate::api::well_known;
use crate::api::{Body, Client, Method, Object, ObjectKey, Request, Status};
use crate::flat::Arrange;
use crate::obj;
use crate::pki::authority::{CERTIFICATE, Order};
use crate::pki::x509::{EXTENDED_USAGES, KEY_USAGES, Usage};
use crate::pki::{Certificate, Random, Request as Asked, pem};
use crate::sim::{Time, WorkQueue};
use crate::value::{Value, base64};

const ACCOUNT: &str = "certificate-controller";
const GROUP: &str = "certificates.k8s.io";
const REQUESTS: &str = "certificatesigningrequests";

/// `--cluster-signing-duration`.
const LIFE: i64 = 365 * 24 * 60 * 60;
/// Certificates begin so long before they are made, for clocks that are behind.
const BACKDATE: Duration = Duration::from_secs(5 * 60);
/// A shorter life is not shortened by [`BACKDATE`].
const SHORT: i64 = 8 * 60 * 60;

/// How often old requests are looked for.
const CLEAN_EVERY: Duration = Duration::from_secs(60 * 60);
/// How long what was answered, and what was not, is kept.
const KEPT: Duration = Duration::from_secs(60 * 60);
const PENDING_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// The identifier of the one extended usage that has no name in [`EXTENDED_USAGES`].
const NETSCAPE_SGC: &str = "2.16.840.1.113730.4.1";

const KUBELET_CLIENT: &str = "kubernetes.io/kube-apiserver-client-kubelet";
const SIGNERS: [(&str, &str); 4] = [
    ("csrsigning-kubelet-serving", "kubernetes.io/kubelet-serving"),
    ("csrsigning-kubelet-client", KUBELET_CLIENT),
    ("csrsigning-kube-apiserver-client", well_known::CLIENT_SIGNER),
    ("csrsigning-legacy-unknown", well_known::LEGACY_SIGNER),
];

/// Watches requests with one worker's `sync`.
fn watch<F>(context: &Context, name: &'static str, sync: impl Fn(Object) -> F + 'static)
where
    F: Future<Output = Result<(), Status>> + 'static,
{
    let informer = context.informers().of(&resource(context.api(), GROUP, REQUESTS));
    let queue: WorkQueue<ObjectKey> = WorkQueue::new(context.sim());
    informer.feed_those(&queue, |_| true);
    let synced = vec![informer.clone()];
    let sync = std::rc::Rc::new(sync);
    context.run(name, &queue, 5, synced, async move |key| {
        let request = informer.get(&key);
        match request {
            // One that is issued needs nothing more (`certificate_controller.go`).
            Some(request) if request.at(&["status", "certificate"]).is_empty() => sync(request).await,
            _ => Ok(()),
        }
    });
}

/// Starts the controller that approves the requests of kubelets.
pub fn start_approving(context: &Context) {
    let client = context.client(ACCOUNT);
    watch(context, "csrapproving", move |request| approve(client.clone(), request));
}

/// Starts the four controllers that sign.
pub fn start_signing(context: &Context) {
    for (name, signer) in SIGNERS {
        let client = context.client(ACCOUNT);
        watch(context, name, move |request| sign(client.clone(), request, signer));
    }
}

/// Starts the controller that deletes old requests.
pub fn start_cleaner(context: &Context) {
    let (client, sim) = (context.client(ACCOUNT), context.sim().clone());
    let resource = resource(context.api(), GROUP, REQUESTS);
    let informer = context.informers().of(&resource);
    context.spawn("csrcleaner", async move {
        informer.synced().await;
        loop {
            for request in informer.list("") {
                if is_old(&request, sim.now()) {
                    // One that is gone by now is what was wanted.
                    let _ = client.delete(&resource, "", request.name(), Value::Null).await;
                }
            }
            sim.sleep(CLEAN_EVERY).await;
        }
    });
}

fn is_old(request: &Object, now: Time) -> bool {
    let older = |time: &Value, than: Duration| Time::parse(time.str()).is_some_and(|t| now.since(t) > than);
    let conditions = request.at(&["status", "conditions"]);
    let issued = request.at(&["status", "certificate"]).str();
    if conditions.is_empty() && now.since(request.created()) > PENDING_KEPT {
        return true;
    }
    conditions.items().iter().any(|condition| {
        let over = older(condition.get("lastUpdateTime"), KEPT);
        match condition.get("type").str() {
            DENIED | FAILED => over,
            APPROVED => !issued.is_empty() && (over || is_over(issued, now)),
            _ => false,
        }
    })
}

/// Whether an issued certificate's time is over.
fn is_over(issued: &str, now: Time) -> bool {
    let text = base64::decode(issued).unwrap_or_default();
    let bytes = pem::first(&String::from_utf8_lossy(&text), CERTIFICATE).unwrap_or_default();
    Certificate::from_der(&bytes).is_ok_and(|c| now > c.not_after)
}

/// Why a request is none of a kubelet.
fn of_kubelet(asked: &Asked, usages: &[&str], serving: bool) -> Result<(), String> {
    let (names, purpose) = (&asked.names, if serving { "server auth" } else { "client auth" });
    let usual = || {
        let optional = ["digital signature", "key encipherment", purpose];
        let right = usages.iter().all(|u| optional.contains(u)) && usages.contains(&purpose);
        // Keys of elliptic curves encipher nothing (1.27).
        if right && usages.contains(&"digital signature") {
            return Ok(());
        }
        Err(if serving {
            "usages did not match [digital signature key encipherment server auth]".to_owned()
        } else {
            "usages did not match [client auth digital signature key encipherment]".to_owned()
        })
    };
    let refuse = |why: &str| Err(why.to_owned());
    if asked.subject.all("O") != ["system:nodes"] {
        return refuse("subject organization is not system:nodes");
    }
    let is_node = asked.subject.get("CN").starts_with("system:node:");
    if serving {
        if names.dns.is_empty() && names.ips.is_empty() {
            return refuse("DNS or IP subjectAltName is required");
        }
    } else if !names.dns.is_empty() {
        return refuse("DNS subjectAltNames are not allowed");
    }
    if !names.emails.is_empty() {
        return refuse("Email subjectAltNames are not allowed");
    }
    if !serving && !names.ips.is_empty() {
        return refuse("IP subjectAltNames are not allowed");
    }
    if !names.uris.is_empty() {
        return refuse("URI subjectAltNames are not allowed");
    }
    if serving {
        usual()?;
    }
    if !is_node {
        return refuse("subject common name does not begin with system:node:");
    }
    if serving { Ok(()) } else { usual() }
}

fn usages(request: &Object) -> Vec<&str> {
    request.spec().get("usages").items().iter().map(Value::str).collect()
}

async fn approve(client: Client, request: Object) -> Result<(), Status> {
    if certificate::has(&request, APPROVED) || certificate::has(&request, DENIED) {
        return Ok(());
    }
    let Ok(asked) = certificate::request(request.value()) else {
        return Ok(());
    };
    let is_client = request.spec().get("signerName").str() == KUBELET_CLIENT;
    if !is_client || of_kubelet(&asked, &usages(&request), false).is_err() {
        return Ok(());
    }
    let own = request.spec().get("username").str() == asked.subject.get("CN");
    let tried = [
        ("selfnodeclient", "self kubelet client certificate", own),
        ("nodeclient", "kubelet client certificate", true),
    ];
    for (subresource, what, _) in tried.into_iter().filter(|(_, _, fits)| *fits) {
        if !allowed(&client, &request, subresource).await? {
            continue;
        }
        let mut value = request.value().clone();
        let condition = obj! {
            "message": format!("Auto approving {what} after SubjectAccessReview."),
            "reason": "AutoApproved",
            "status": "True",
            "type": APPROVED,
        };
        value.at_mut(&["status", "conditions"]).list_mut().push(condition);
        return put(&client, "approval", value).await;
    }
    Ok(())
}

/// Whether who asked may have such a certificate without anybody's approval.
async fn allowed(client: &Client, request: &Object, subresource: &str) -> Result<bool, Status> {
    let spec = request.spec();
    let mut asked = obj! {
        "resourceAttributes": obj! {
            "group": GROUP, "resource": REQUESTS, "subresource": subresource, "verb": "create",
        },
        "user": spec.get("username").clone(),
    };
    for field in ["groups", "uid", "extra"] {
        asked.set_or_remove(&[field], spec.get(field).clone());
    }
    let resource = client.resource("authorization.k8s.io", "v1", "subjectaccessreviews")?;
    let review = obj! {
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "metadata": Value::map(), "spec": asked,
    };
    let question = Request::new(Method::Post, resource.path("")).body(Body::Typed(review));
    let answer = client.send(question).await.ok()?;
    Ok(answer.value().at(&["status", "allowed"]) == &Value::from(true))
}

async fn put(client: &Client, part: &str, value: Value) -> Result<(), Status> {
    let resource = client.resource(GROUP, "v1", REQUESTS)?;
    client.update_part(&resource, part, value).await.map(|_| ())
}

async fn sign(client: Client, request: Object, signer: &'static str) -> Result<(), Status> {
    let wanted = request.spec().get("signerName").str() == signer;
    let approved = certificate::has(&request, APPROVED) && !certificate::has(&request, DENIED);
    if !wanted || !approved || certificate::has(&request, FAILED) {
        return Ok(());
    }
    let Ok(asked) = certificate::request(request.value()) else {
        return Ok(());
    };
    let mut value = request.value().clone();
    match refusal(&asked, &usages(&request), signer) {
        Err(why) => {
            let condition = obj! {
                "lastUpdateTime": client.sim().now(),
                "message": why,
                "reason": "SignerValidationFailure",
                "status": "True",
                "type": FAILED,
            };
            value.at_mut(&["status", "conditions"]).list_mut().push(condition);
        }
        Ok(()) => {
            let der = issue(&client, &request, &asked)?;
            let text = base64::encode(pem::encode(CERTIFICATE, der));
            value.set(&["status", "certificate"], text);
        }
    }
    put(&client, "status", value).await
}

/// Why a signer refuses what was approved.
fn refusal(asked: &Asked, usages: &[&str], signer: &str) -> Result<(), String> {
    match signer {
        "kubernetes.io/kubelet-serving" => of_kubelet(asked, usages, true),
        KUBELET_CLIENT => of_kubelet(asked, usages, false),
        well_known::CLIENT_SIGNER => {
            let known = ["digital signature", "key encipherment", "client auth"];
            if let Some(other) = usages.iter().find(|u| !known.contains(u)) {
                return Err(format!("invalid usage for client certificate: {other}"));
            }
            if !usages.contains(&"client auth") {
                return Err("missing required usage for client certificate: client auth".into());
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Makes the certificate, in DER.
fn issue(client: &Client, request: &Object, asked: &Asked) -> Result<Vec<u8>, Status> {
    let authority = client.api().authority();
    let authority = authority.ok_or_else(|| Status::internal("the cluster has no certificate authority"))?;
    let now = client.sim().now().truncate_to_second();
    let wanted = request.spec().i64_at(&["expirationSeconds"]).unwrap_or(LIFE);
    let life = wanted.clamp(600, LIFE);
    let seconds = Duration::from_secs(life.unsigned_abs());
    let not_before = Time(now.0.saturating_sub(BACKDATE.as_micros() as u64));
    let not_after = if life < SHORT {
        now + seconds
    } else {
        not_before + seconds
    };
    let (mut bits, mut extended) = (0, Vec::new());
    for usage in usages(request) {
        let is = |known: &Usage| known.words.contains(&usage);
        if let Some(bit) = KEY_USAGES.iter().position(is) {
            bits |= 1 << bit;
        } else if let Some((oid, _)) = EXTENDED_USAGES.iter().find(|(_, known)| is(known)) {
            extended.push(*oid);
        } else if usage == "netscape sgc" {
            extended.push(NETSCAPE_SGC);
        }
    }
    extended.arrange();
    extended.dedup();
    let order = Order {
        subject: asked.subject.normalized(),
        names: &asked.names,
        key: &asked.key,
        usages: bits,
        extended,
        not_before,
        not_after: not_after.min(authority.certificate().not_after),
    };
    let seed = client.sim().rng(|r| [r.u64(..).to_le_bytes(), r.u64(..).to_le_bytes()]);
    Ok(authority.issue(&order, &mut Random::new(seed.concat())))
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;
    use crate::list;
    use crate::pki::{Name, PrivateKey, ec, x509};
    use expect_test::expect;

    fn request(name: &str, signer: &str, subject: &[(&str, &str)], usages: &[&str]) -> Value {
        let key = PrivateKey::Ec(ec::Private::generate(&ec::CURVES[0], &mut Random::new(name)));
        let pairs = subject
            .iter()
            .map(|(short, text)| vec![(x509::attribute(short).unwrap().to_owned(), (*text).to_owned())]);
        let der = Asked::make(&Name(pairs.collect()), &key, &[]);
        obj! {
            "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
            "metadata": obj! { "name": name },
            "spec": obj! {
                "request": base64::encode(pem::encode("CERTIFICATE REQUEST", der)),
                "signerName": signer,
                "usages": usages.iter().map(|u| Value::from(*u)).collect::<Value>(),
            },
        }
    }

    fn approve_by_hand(world: &World, name: &str) {
        let condition = obj! { "type": "Approved", "status": "True", "reason": "Test" };
        world.patch_sub(
            GROUP,
            REQUESTS,
            name,
            "approval",
            obj! { "status": obj! { "conditions": list![condition] } },
        );
        world.run(1);
    }

    #[test]
    fn what_is_approved_is_issued_and_is_a_credential() {
        let world = World::new();
        world.start(start_approving);
        world.start(start_signing);
        world.start(start_cleaner);
        let mut text = String::new();
        let client = "kubernetes.io/kube-apiserver-client";
        for (name, signer, subject, usages, by_hand) in [
            (
                "anna",
                client,
                &[("CN", "anna"), ("O", "dev")][..],
                &["client auth"][..],
                true,
            ),
            ("server", client, &[("CN", "anna")], &["server auth"], true),
            ("pending", client, &[("CN", "anna")], &["client auth"], false),
            (
                "node",
                KUBELET_CLIENT,
                &[("O", "system:nodes"), ("CN", "system:node:n1")],
                &["digital signature", "client auth"],
                false,
            ),
            (
                "other",
                KUBELET_CLIENT,
                &[("CN", "anna")],
                &["digital signature", "client auth"],
                true,
            ),
            ("foreign", "acme.com/x", &[("CN", "anna")], &["any"], true),
        ] {
            world.create(request(name, signer, subject, usages));
            world.run(1);
            if by_hand {
                approve_by_hand(&world, name);
            }
            let object = world.get(GROUP, REQUESTS, name);
            let issued = base64::decode(object.at(&["status", "certificate"]).str()).unwrap();
            let issued = String::from_utf8(issued).unwrap();
            let user = world.api().authenticate_certificate(&issued);
            let conditions = object.at(&["status", "conditions"]).items();
            let why = conditions.last().map_or("", |c| c.get("message").str());
            text.push_str(&format!(
                "{name}: {} {} {why}\n",
                certificate::state(object.value()),
                user.map_or_else(|| "-".into(), |u| format!("{} {:?}", u.name, u.groups)),
            ));
        }
        expect![[r#"
            anna: Approved,Issued anna ["dev", "system:authenticated"] 
            server: Approved,Failed - invalid usage for client certificate: server auth
            pending: Pending - 
            node: Approved,Issued system:node:n1 ["system:nodes", "system:authenticated"] Auto approving kubelet client certificate after SubjectAccessReview.
            other: Approved,Failed - subject organization is not system:nodes
            foreign: Approved - 
        "#]].assert_eq(&text);
        let left = |world: &World| world.list(GROUP, REQUESTS).len();
        world.run(2 * 60 * 60);
        assert_eq!(
            left(&world),
            2,
            "the one that is pending, and the one that nobody signs"
        );
        world.run(24 * 60 * 60);
        assert_eq!(left(&world), 1);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let world = World::new();
        let mut text = String::new();
        let good = request(
            "a",
            "kubernetes.io/kube-apiserver-client",
            &[("CN", "a")],
            &["client auth"],
        );
        type Edit = fn(&mut Value);
        let edits: [Edit; 8] = [
            |v| v.set(&["spec", "request"], "bm8="),
            |v| v.set(&["spec", "usages"], list!["client auth", "client auth", "x"]),
            |v| v.set(&["spec", "signerName"], "kubernetes.io/legacy-unknown"),
            |v| v.set(&["spec", "signerName"], "a"),
            |v| v.set(&["spec", "signerName"], "A/b_"),
            |v| v.set(&["spec", "expirationSeconds"], 60),
            |v| {
                v.remove(&["spec", "usages"]);
            },
            |v| {
                let masters = request(
                    "a",
                    "kubernetes.io/kube-apiserver-client",
                    &[("O", "system:masters")],
                    &[],
                );
                v.set(&["spec", "request"], masters.at(&["spec", "request"]).clone());
            },
        ];
        let resource = resource(world.api(), GROUP, REQUESTS);
        for edit in edits {
            let mut value = good.clone();
            edit(&mut value);
            let (client, resource) = (world.client().clone(), resource.clone());
            let said = world.wait(async move {
                let none = crate::api::WriteOptions::default();
                client.create(&resource, "", Body::Value(value), &none).await
            });
            let said = said.map_or_else(|s| s.message().to_owned(), |_| "stored".into());
            text.push_str(&format!("{said}\n"));
        }
        expect![[r#"
            CertificateSigningRequest.certificates.k8s.io "a" is invalid: spec.request: Invalid value: "bm8=": PEM block type must be CERTIFICATE REQUEST
            CertificateSigningRequest.certificates.k8s.io "a" is invalid: [spec.usages[2]: Unsupported value: "x": supported values: "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment", "decipher only", "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel", "ipsec user", "key agreement", "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime", "server auth", "signing", "timestamping", spec.usages[1]: Duplicate value: "client auth"]
            CertificateSigningRequest.certificates.k8s.io "a" is invalid: spec.signerName: Invalid value: "kubernetes.io/legacy-unknown": the legacy signerName is not allowed via this API version
            CertificateSigningRequest.certificates.k8s.io "a" is invalid: spec.signerName: Invalid value: "a": must be a fully qualified domain and path of the form 'example.com/signer-name'
            CertificateSigningRequest.certificates.k8s.io "a" is invalid: [spec.signerName: Invalid value: "A": validating label "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?'), spec.signerName: Invalid value: "A": should be a domain with at least two segments separated by dots, spec.signerName: Invalid value: "b_": validating label "b_": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')]
            CertificateSigningRequest.certificates.k8s.io "a" is invalid: spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 600 seconds
            CertificateSigningRequest.certificates.k8s.io "a" is invalid: spec.usages: Required value: usages must be provided
            certificatesigningrequests.certificates.k8s.io "a" is forbidden: use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed
        "#]].assert_eq(&text);
    }
}
