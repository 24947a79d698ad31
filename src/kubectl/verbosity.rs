//! `-v`: what client-go logs to stderr of a request and its answer, from level 6 on (client-go's
//! `transport/round_trippers.go` and `rest/request.go`, whose lines these name).

use super::command::Cmd;
use super::connection::{self, encoded, global};
use super::credentials;
use super::typed::wire;
use crate::api::discovery::{GIT_COMMIT, GIT_VERSION};
use crate::api::{Body, Method, Payload, Request, Response};
use crate::net::reason;
use crate::sim::{Time, uuid_from};
use crate::value::gofmt::quote;
use crate::value::quoted;

/// What client-go logs from level 1 on when it first looks at its feature gates, which it does in a random order.
const FEATURE_GATES: [(&str, bool); 10] = [
    ("AtomicFIFO", true),
    ("ClientsAllowCARotation", true),
    ("ClientsAllowCBOR", false),
    ("ClientsAllowTLSCacheGC", true),
    ("ClientsPreferCBOR", false),
    ("InOrderInformers", true),
    ("InOrderInformersBatchProcess", true),
    ("InformerResourceVersion", true),
    ("UnlockWhileProcessingFIFO", true),
    ("WatchListClient", true),
];

/// What a command logs before its first request.
pub fn begin(cmd: &Cmd) {
    let level = level(cmd);
    if level >= 6 && !cmd.config.absent {
        cmd.log(
            'I',
            "loader.go:407",
            &format!("Config loaded from file:  {}", cmd.config.name),
        );
    }
    if level >= 1 {
        for (feature, enabled) in FEATURE_GATES {
            let line = format!(
                "\"Feature gate default state\" feature={feature} enabled={enabled}",
                feature = quoted(&feature)
            );
            cmd.log('I', "envvar.go:195", &line);
        }
    }
}

fn level(cmd: &Cmd) -> i32 {
    cmd.flags.str("v").parse().unwrap_or(0)
}

/// A request that is logged.
pub struct Exchange {
    level: i32,
    since: Time,
    /// ` verb="GET" url="https://…"`
    asked: String,
    /// The line of client-go's callers that logs the bodies.
    place: &'static str,
}

/// Logs a request; nothing below level 6.
pub fn asked(cmd: &Cmd, request: &Request) -> Option<Exchange> {
    let level = level(cmd);
    if level < 6 {
        return None;
    }
    let server = connection::server(&cmd.config, cmd.verb, &cmd.flags);
    let url = format!("{server}{}{}", request.path, encoded(&request.query));
    let verb = request.method.name();
    let exchange = Exchange {
        level,
        since: cmd.sim().now(),
        asked: format!(" verb={verb} url={}", quote(&url), verb = quoted(&verb)),
        place: match (request.method, is_item(&request.path)) {
            (Method::Get, true) => "helper.go:105",
            (Method::Get, false) => "helper.go:113",
            (Method::Delete, _) => "helper.go:202",
            (Method::Post, _) => "helper.go:246",
            (Method::Patch, _) => "helper.go:269",
            (Method::Put, _) => "helper.go:319",
        },
    };
    if level == 6 {
        return Some(exchange);
    }
    exchange.body(cmd, "Request", || match &request.body {
        Body::None => String::new(),
        Body::Value(value) | Body::Typed(value) if request.method == Method::Patch => value.to_json(),
        Body::Value(value) | Body::Typed(value) => wire(value, false) + "\n",
        Body::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    });
    let headers = request_headers(cmd, request);
    let rest = match level {
        7 | 8 => {
            let headers: String = headers.iter().map(|(k, v)| format!("{k}: {v}\n")).collect();
            format!("{} headers={}", exchange.asked, lines(&headers))
        }
        _ => {
            let headers: String = headers
                .iter()
                .map(|(k, v)| format!(" -H {}", quote(&format!("{k}: {v}"))))
                .collect();
            format!(
                " curlCommand={}",
                lines(&format!("curl -v -X{verb} {headers} '{url}'\n"))
            )
        }
    };
    cmd.log('I', "round_trippers.go:527", &format!("\"Request\"{rest}"));
    Some(exchange)
}

/// Whether a path is that of one object: below `/api/v1` or `/apis/GROUP/VERSION` stand pairs of a resource and a name.
fn is_item(path: &str) -> bool {
    let above = if path.starts_with("/apis/") { 4 } else { 3 };
    path.split('/').count().saturating_sub(above) % 2 == 0
}

impl Exchange {
    /// Logs the answer.
    pub fn answered(&self, cmd: &Cmd, response: &Response) {
        // Only bodies and their lengths need it, from level 8 on.
        let body = match &response.payload {
            _ if self.level < 8 => String::new(),
            Payload::Object(_) | Payload::List(_) | Payload::Value(_) => wire(&response.value(), false) + "\n",
            Payload::Text(text) => text.clone(),
            _ => String::new(),
        };
        let mut line = String::from("\"Response\"");
        if matches!(self.level, 6 | 9..) {
            line.push_str(&self.asked);
        }
        line.push_str(&format!(" status=\"{} {}\"", response.code, reason(response.code)));
        if self.level >= 8 {
            line.push_str(&format!(" headers={}", lines(&response_headers(cmd, &body))));
        }
        let taken = cmd.sim().now().since(self.since);
        line.push_str(&format!(" milliseconds={}", taken.as_millis()));
        if self.level >= 9 {
            line.push_str(" getConnectionMilliseconds=0");
        }
        cmd.log('I', "round_trippers.go:632", &line);
        if !body.is_empty() {
            self.body(cmd, "Response", || body);
        }
    }

    /// Logs a body from level 8 on: up to 1,024 bytes of it, from level 9 on 10,240, and then all.
    fn body(&self, cmd: &Cmd, of: &str, body: impl FnOnce() -> String) {
        let most = match self.level {
            ..8 => return,
            8 => 1_024,
            9 => 10_240,
            _ => usize::MAX,
        };
        let body = body();
        let (shown, rest) = body.split_at(body.floor_char_boundary(most));
        let mut shown = shown.to_owned();
        if !rest.is_empty() {
            shown.push_str(&format!(" [truncated {} chars]", rest.len()));
        }
        cmd.log('I', self.place, &format!("\"{of} Body\" body={}", lines(&shown)));
    }
}

/// The headers of a request, in their order by name, with credentials hidden.
fn request_headers(cmd: &Cmd, request: &Request) -> Vec<(&'static str, String)> {
    let given = |name: &str| global(cmd.verb, &cmd.flags, name);
    let mut headers = Vec::new();
    let accept = match request.accept.as_str() {
        "" => "application/json",
        accept => accept,
    };
    headers.push(("Accept", accept.to_owned()));
    if credentials::bear_token(&cmd.config, cmd.verb, &cmd.flags) {
        headers.push(("Authorization", "Bearer <masked>".to_owned()));
    }
    if !matches!(request.body, Body::None) {
        let kind = match request.content_type.as_str() {
            "" => "application/json",
            kind => kind,
        };
        headers.push(("Content-Type", kind.to_owned()));
    }
    for group in cmd.flags.all("as-group") {
        headers.push(("Impersonate-Group", group.clone()));
    }
    for (name, value) in [("Impersonate-Uid", given("as-uid")), ("Impersonate-User", given("as"))] {
        if !value.is_empty() {
            headers.push((name, value.to_owned()));
        }
    }
    let agent = format!(
        "kubectl/{GIT_VERSION} (linux/amd64) kubernetes/{}",
        GIT_COMMIT.get(..7).unwrap_or_default()
    );
    headers.push(("User-Agent", agent));
    headers
}

/// The headers of an answer with this body.
fn response_headers(cmd: &Cmd, body: &str) -> String {
    let now = cmd.sim().now();
    // What identifies the request in the audit log; of another random sequence than the cluster's, which a look at
    // it must not change.
    let audit = uuid_from(&mut fastrand::Rng::with_seed(now.0));
    let length = match body.len() {
        0 => String::new(),
        bytes => format!("Content-Length: {bytes}\n"),
    };
    let date = now.rfc1123().replace("+0000", "GMT");
    format!(
        "Audit-Id: {audit}\nCache-Control: no-cache, private\n{length}Content-Type: application/json\nDate: {date}\n"
    )
}

/// A value in klog's form: quoted, or of several lines, which stand indented below.
fn lines(text: &str) -> String {
    match text.contains('\n') {
        false => quote(text),
        true => {
            let lines: String = text.lines().map(|line| format!("\t{line}\n")).collect();
            format!("<\n{lines} >")
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::kubectl::testing::run_in;
    use crate::world::{Options, World};

    #[test]
    fn each_level_tells_more() {
        let world = World::new(&Options::default()).unwrap();
        let mut told = String::new();
        for line in [
            "kubectl get pods -v=6",
            "kubectl create ns a -v=8",
            "kubectl get nodes -l 'a in (b,c)' -v=7 --as=bob",
            "kubectl label ns a x=y -v=9 --token=t",
        ] {
            let (text, _) = run_in(&world, line);
            told.push_str(&format!("$ {line}\n"));
            for line in text.lines().filter(|line| !line.contains("envvar.go")) {
                let line = line.split_once("       1 ").map_or(line, |(_, line)| line);
                told.push_str(&format!("{}\n", line.chars().take(200).collect::<String>()));
            }
        }
        expect![[r#"
            $ kubectl get pods -v=6
            loader.go:407] Config loaded from file:  /root/.kube/config
            round_trippers.go:632] "Response" verb="GET" url="https://192.168.110.21:6443/api/v1/namespaces/default/pods?limit=500" status="200 OK" milliseconds=1
            No resources found in default namespace.
            $ kubectl create ns a -v=8
            namespace/a created
            loader.go:407] Config loaded from file:  /root/.kube/config
            helper.go:246] "Request Body" body=<
            	{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"a"},"spec":{},"status":{}}
             >
            round_trippers.go:527] "Request" verb="POST" url="https://192.168.110.21:6443/api/v1/namespaces?fieldManager=kubectl-create&fieldValidation=Strict" headers=<
            	Accept: application/json
            	Content-Type: application/json
            	User-Agent: kubectl/v1.36.2 (linux/amd64) kubernetes/0000000
             >
            round_trippers.go:632] "Response" status="201 Created" headers=<
            	Audit-Id: abae2f2b-cfaa-4538-802f-c9cd2d21669d
            	Cache-Control: no-cache, private
            	Content-Length: 508
            	Content-Type: application/json
            	Date: Thu, 01 Jan 2026 08:00:00 GMT
             > milliseconds=3
            helper.go:246] "Response Body" body=<
            	{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"a","uid":"9a0508b2-cd06-4831-aa77-99127b9e31c8","resourceVersion":"389","creationTimestamp":"2026-01-01T08:00:00Z","labels":{"kubernetes.io/m
             >
            $ kubectl get nodes -l 'a in (b,c)' -v=7 --as=bob
            loader.go:407] Config loaded from file:  /root/.kube/config
            round_trippers.go:527] "Request" verb="GET" url="https://192.168.110.21:6443/api/v1/nodes?labelSelector=a+in+%28b%2Cc%29&limit=500" headers=<
            	Accept: application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json
            	Impersonate-User: bob
            	User-Agent: kubectl/v1.36.2 (linux/amd64) kubernetes/0000000
             >
            round_trippers.go:632] "Response" status="403 Forbidden" milliseconds=1
            Error from server (Forbidden): nodes is forbidden: User "bob" cannot list resource "nodes" in API group "" at the cluster scope
            $ kubectl label ns a x=y -v=9 --token=t
            namespace/a labeled
            loader.go:407] Config loaded from file:  /root/.kube/config
            helper.go:105] "Request Body" body=""
            round_trippers.go:527] "Request" curlCommand=<
            	curl -v -XGET  -H "Accept: application/json" -H "Authorization: Bearer <masked>" -H "User-Agent: kubectl/v1.36.2 (linux/amd64) kubernetes/0000000" 'https://192.168.110.21:6443/api/v1/namespaces/a'
             >
            round_trippers.go:632] "Response" verb="GET" url="https://192.168.110.21:6443/api/v1/namespaces/a" status="200 OK" headers=<
            	Audit-Id: 9d3cdd95-1e49-47c2-8693-8989f8bce44b
            	Cache-Control: no-cache, private
            	Content-Length: 508
            	Content-Type: application/json
            	Date: Thu, 01 Jan 2026 08:00:00 GMT
             > milliseconds=1 getConnectionMilliseconds=0
            helper.go:105] "Response Body" body=<
            	{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"a","uid":"9a0508b2-cd06-4831-aa77-99127b9e31c8","resourceVersion":"389","creationTimestamp":"2026-01-01T08:00:00Z","labels":{"kubernetes.io/m
             >
            helper.go:269] "Request Body" body="{\"metadata\":{\"labels\":{\"x\":\"y\"}}}"
            round_trippers.go:527] "Request" curlCommand=<
            	curl -v -XPATCH  -H "Accept: application/json" -H "Authorization: Bearer <masked>" -H "Content-Type: application/merge-patch+json" -H "User-Agent: kubectl/v1.36.2 (linux/amd64) kubernetes/0000000" 'h
             >
            round_trippers.go:632] "Response" verb="PATCH" url="https://192.168.110.21:6443/api/v1/namespaces/a?fieldManager=kubectl-label" status="200 OK" headers=<
            	Audit-Id: a79665cd-c62c-478d-9330-988c1391e61d
            	Cache-Control: no-cache, private
            	Content-Length: 687
            	Content-Type: application/json
            	Date: Thu, 01 Jan 2026 08:00:00 GMT
             > milliseconds=3 getConnectionMilliseconds=0
            helper.go:269] "Response Body" body=<
            	{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"a","uid":"9a0508b2-cd06-4831-aa77-99127b9e31c8","resourceVersion":"392","creationTimestamp":"2026-01-01T08:00:00Z","labels":{"kubernetes.io/m
             >
        "#]].assert_eq(&told);
    }

    #[test]
    fn paths_of_objects() {
        for (path, item) in [
            ("/api/v1/pods", false),
            ("/api/v1/namespaces/a/pods", false),
            ("/api/v1/namespaces", false),
            ("/api/v1/nodes/a", true),
            ("/apis/apps/v1/deployments", false),
            ("/apis/apps/v1/namespaces/a/deployments/b", true),
        ] {
            assert_eq!(is_item(path), item, "{path}");
        }
    }
}
