//! `kubetab serve` as it is on the wire: raw HTTP against a server in a process of its own.
#![cfg(feature = "serve")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// A server, ended when it is dropped.
struct Server {
    process: Child,
    address: String,
    lines: BufReader<std::process::ChildStdout>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    fn start(flags: &[&str]) -> Server {
        let mut process = Command::new(env!("CARGO_BIN_EXE_kubetab"))
            .args(["serve", "--port", "0", "--http"])
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let address = line.trim().rsplit_once("http://").expect(&line).1.to_owned();
        Server {
            process,
            address,
            lines,
        }
    }

    /// Moves a paused clock.
    fn step(&mut self, text: &str) -> String {
        writeln!(self.process.stdin.as_mut().unwrap(), "{text}").unwrap();
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream
            .set_read_timeout(Some(std::time::Duration::from_secs(20)))
            .unwrap();
        stream
    }

    /// Sends a request and reads the answer to the connection's end.
    fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut stream = self.connect();
        let mut text = format!(
            "{method} {target} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n",
            body.len()
        );
        if !headers.iter().any(|(name, _)| *name == "Host") {
            text.push_str("Host: localhost\r\n");
        }
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all((text + "\r\n").as_bytes()).unwrap();
        // A server that refuses a body early closes while it is sent.
        let _ = stream.write_all(body);
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        Answer::parse(&bytes)
    }

    fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, &[], b"")
    }
}

#[derive(Debug)]
struct Answer {
    code: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Answer {
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let head = String::from_utf8_lossy(&bytes[..end]);
        let mut lines = head.lines();
        let code = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .map(|l| l.split_once(": ").unwrap())
            .map(|(k, v)| (k.to_lowercase(), v.to_owned()))
            .collect();
        let mut answer = Answer {
            code,
            headers,
            body: bytes[end + 4..].to_vec(),
        };
        if answer.header("transfer-encoding") == "chunked" {
            answer.body = unchunk(&answer.body);
        }
        answer
    }

    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(k, _)| k == name).map_or("", |(_, v)| v)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn unchunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(line) = bytes.windows(2).position(|w| w == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..line]).unwrap().trim(), 16).unwrap();
        whole.extend(&bytes[line + 2..line + 2 + size]);
        bytes = &bytes[line + 2 + size + 2..];
        if size == 0 {
            break;
        }
    }
    whole
}

const PODS: &str = "/api/v1/namespaces/default/pods";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const JSON: (&str, &str) = ("Content-Type", "application/json");

#[test]
fn paths_methods_and_media_types() {
    let server = Server::start(&["--paused", "--no-scheduler", "--no-controllers"]);
    let accept = |value: &'static str| ("Accept", value);
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let partial = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    let discovery = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    for (method, target, headers, code, content_type, fragment) in [
        (
            "GET",
            "/version",
            vec![],
            200,
            "application/json",
            r#""gitVersion": "v1.36"#,
        ),
        ("GET", "/healthz", vec![], 200, "text/plain; charset=utf-8", "ok"),
        (
            "GET",
            "/livez?verbose",
            vec![],
            200,
            "text/plain; charset=utf-8",
            "[+]ping ok\n",
        ),
        ("GET", "/readyz", vec![], 200, "text/plain; charset=utf-8", "ok"),
        (
            "GET",
            "/metrics",
            vec![],
            200,
            "text/plain; version=0.0.4; charset=utf-8",
            "apiserver_storage_objects",
        ),
        ("GET", "/", vec![], 200, "application/json", r#""paths""#),
        (
            "GET",
            "/nosuch",
            vec![],
            404,
            "text/plain; charset=utf-8",
            "404 page not found\n",
        ),
        (
            "GET",
            "/logs",
            vec![],
            404,
            "text/plain; charset=utf-8",
            "404 page not found\n",
        ),
        (
            "GET",
            "/apis/nosuch.io/v1/things",
            vec![],
            404,
            "text/plain; charset=utf-8",
            "404 page not found\n",
        ),
        (
            "GET",
            "/api/v1/nosuch",
            vec![],
            404,
            "application/json",
            "could not find the requested resource",
        ),
        (
            "GET",
            "/api/v1/namespaces/nosuch",
            vec![],
            404,
            "application/json",
            r#"namespaces \"nosuch\" not found"#,
        ),
        ("PUT", PODS, vec![JSON], 405, "application/json", "MethodNotAllowed"),
        ("OPTIONS", PODS, vec![], 405, "application/json", "MethodNotAllowed"),
        (
            "GET",
            PODS,
            vec![accept("text/html")],
            406,
            "application/json",
            "NotAcceptable",
        ),
        (
            "GET",
            "/api/v1/nodes",
            vec![accept(table)],
            200,
            "application/json",
            r#""columnDefinitions""#,
        ),
        (
            "GET",
            "/api/v1/nodes",
            vec![accept(partial)],
            200,
            "application/json",
            "PartialObjectMetadataList",
        ),
        (
            "GET",
            "/api/v1/nodes/k8s-master",
            vec![accept("application/yaml")],
            200,
            "application/yaml",
            "kind: Node\n",
        ),
        (
            "GET",
            "/api/v1/namespaces/default",
            vec![accept("application/vnd.kubernetes.protobuf")],
            200,
            "application/vnd.kubernetes.protobuf",
            "k8s\0",
        ),
        (
            "GET",
            "/apis",
            vec![accept(discovery)],
            200,
            discovery,
            "APIGroupDiscoveryList",
        ),
        (
            "GET",
            "/apis",
            vec![accept("application/json")],
            200,
            "application/json",
            "APIGroupList",
        ),
        (
            "GET",
            "/api/v1/nodes?pretty=true",
            vec![],
            200,
            "application/json",
            "{\n  \"",
        ),
        (
            "GET",
            "/api/v1/nodes",
            vec![("User-Agent", "curl/8.5")],
            200,
            "application/json",
            "{\n  \"",
        ),
        (
            "GET",
            "/api/v1/nodes",
            vec![("Authorization", "Bearer wrong")],
            401,
            "application/json",
            "Unauthorized",
        ),
        (
            "GET",
            "/version",
            vec![("Host", "evil.example")],
            403,
            "text/plain; charset=utf-8",
            "not served",
        ),
        (
            "GET",
            "/api/v1/nodes/k8s-master/proxy/healthz",
            vec![],
            200,
            "text/plain; charset=utf-8",
            "ok",
        ),
        (
            "GET",
            &format!("{PODS}/nosuch/exec?command=ls"),
            vec![],
            404,
            "application/json",
            "not found",
        ),
    ] {
        let answer = server.ask(method, target, &headers, b"");
        let what = format!("{method} {target} {headers:?}: {}", answer.text());
        assert_eq!(
            (answer.code, answer.header("content-type")),
            (code, content_type),
            "{what}"
        );
        assert!(answer.text().contains(fragment), "{what}");
        assert_eq!(answer.header("audit-id").len(), 36, "{what}");
    }
    let head = server.ask("HEAD", "/healthz", &[], b"");
    assert_eq!((head.code, head.text()), (200, String::new()));
    let echoed = server.ask("GET", "/healthz", &[("Audit-Id", "mine")], b"");
    assert_eq!(echoed.header("audit-id"), "mine");
}

#[test]
fn bodies_are_read_in_each_form() {
    let server = Server::start(&["--paused", "--no-kubelet", "--no-scheduler", "--no-controllers"]);
    let post = |media_type: &str, body: &[u8]| server.ask("POST", MAPS, &[("Content-Type", media_type)], body);
    let json = br#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"k":"<v>"}}"#;
    let made = post("application/json", json);
    assert_eq!(made.code, 201, "{}", made.text());
    assert!(
        made.text().contains(r#""k":"\u003cv\u003e""#),
        "as Go writes it: {}",
        made.text()
    );
    let yaml = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: b\n";
    assert_eq!(post("application/yaml", yaml).code, 201);
    assert_eq!(post("", json).code, 409);
    // What the server wrote as protobuf it reads as protobuf.
    let protobuf = "application/vnd.kubernetes.protobuf";
    let a = server.ask("GET", &format!("{MAPS}/a"), &[("Accept", protobuf)], b"");
    let put = server.ask("PUT", &format!("{MAPS}/a"), &[("Content-Type", protobuf)], &a.body);
    assert_eq!(put.code, 200, "{}", put.text());
    assert_eq!(put.text(), server.get(&format!("{MAPS}/a")).text(), "nothing changed");
    for (media_type, body, code, reason) in [
        ("text/plain", &json[..], 415, "UnsupportedMediaType"),
        (protobuf, &json[..], 400, "expected prefix"),
        ("application/json", &b"{"[..], 400, "BadRequest"),
        (
            "application/json",
            &vec![b' '; 4 << 20][..],
            413,
            "RequestEntityTooLarge",
        ),
    ] {
        let answer = post(media_type, body);
        assert_eq!(answer.code, code, "{media_type}: {}", answer.text());
        assert!(answer.text().contains(reason), "{}", answer.text());
    }
    let patch = server.ask("PATCH", &format!("{MAPS}/a"), &[JSON], br#"{"data":{"k":"w"}}"#);
    assert_eq!(patch.code, 415, "{}", patch.text());
    let merge = ("Content-Type", "application/merge-patch+json");
    let patch = server.ask("PATCH", &format!("{MAPS}/a"), &[merge], br#"{"data":{"k":"w"}}"#);
    assert!(
        patch.code == 200 && patch.text().contains(r#""k":"w""#),
        "{}",
        patch.text()
    );
    // A deprecated resource warns.
    let warned = server.get("/api/v1/componentstatuses");
    assert_eq!(
        warned.header("warning"),
        "299 - \"v1 ComponentStatus is deprecated in v1.19+\""
    );
}

#[test]
fn large_answers_are_compressed_when_asked() {
    let server = Server::start(&["--paused", "--no-kubelet", "--no-scheduler", "--no-controllers"]);
    let body = format!(
        r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"big"}},"data":{{"k":"{}"}}}}"#,
        "x".repeat(200_000)
    );
    assert_eq!(server.ask("POST", MAPS, &[JSON], body.as_bytes()).code, 201);
    let gzip = ("Accept-Encoding", "gzip");
    let big = server.ask("GET", &format!("{MAPS}/big"), &[gzip], b"");
    assert_eq!(
        (big.header("content-encoding"), &big.body[..2]),
        ("gzip", &[0x1f, 0x8b][..])
    );
    assert!(big.body.len() < 20_000);
    let small = server.ask("GET", "/api/v1/namespaces/default", &[gzip], b"");
    assert_eq!(small.header("content-encoding"), "");
}

#[test]
fn watches_stream_events_until_their_end() {
    let mut server = Server::start(&["--paused", "--no-kubelet", "--no-scheduler", "--no-controllers"]);
    let made = |name: &str| {
        let body = format!(r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{name}"}}}}"#);
        assert_eq!(server.ask("POST", MAPS, &[JSON], body.as_bytes()).code, 201);
    };
    made("a");
    // The paused clock moves for the watch, to its end.
    let select = "fieldSelector=metadata.name=a&watch=true&timeoutSeconds=90&allowWatchBookmarks=true";
    let all = server.get(&format!(
        "{MAPS}?{select}&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
    ));
    let lines: Vec<String> = all.text().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 4, "{}", all.text());
    assert!(
        lines[0].contains(r#""type":"ADDED""#) && lines[0].contains(r#""name":"a""#),
        "{}",
        lines[0]
    );
    assert!(
        lines[1].contains(r#""k8s.io/initial-events-end":"true""#),
        "{}",
        lines[1]
    );
    assert!(lines[3].contains(r#""type":"BOOKMARK""#), "{}", lines[3]);
    // Tables define their columns once.
    let accept = ("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io");
    made("b");
    let target = format!("{MAPS}?watch=True&timeoutSeconds=5&resourceVersion=0");
    let tables = server.ask("GET", &target, &[accept], b"").text();
    let defined = tables
        .lines()
        .filter(|l| l.contains(r#""columnDefinitions":[{"#))
        .count();
    assert_eq!((tables.lines().count() >= 2, defined), (true, 1), "{tables}");
    // The clock's own lines.
    let before = server.step("0");
    let after = server.step("2.5s");
    assert!(after > before && after.ends_with('Z'), "{before} {after}");
    assert!(server.step("soon").starts_with("neither"));
}

#[test]
fn users_and_their_rights() {
    let server = Server::start(&["--paused", "--token", "t", "--no-kubelet", "--no-scheduler"]);
    let bearer = ("Authorization", "Bearer t");
    let whoami = |headers: &[(&str, &str)]| {
        let body = br#"{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}"#;
        let mut all = headers.to_vec();
        all.push(JSON);
        server
            .ask("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", &all, body)
            .text()
    };
    assert!(whoami(&[bearer]).contains(r#""username":"kubernetes-admin""#));
    let jane = whoami(&[bearer, ("Impersonate-User", "jane"), ("Impersonate-Group", "devs")]);
    assert!(jane.contains(r#""username":"jane""#) && jane.contains("devs"), "{jane}");
    let refused = server.ask("GET", PODS, &[bearer, ("Impersonate-User", "jane")], b"");
    assert_eq!(refused.code, 403, "{}", refused.text());
    assert!(
        refused
            .text()
            .contains(r#"User \"jane\" cannot list resource \"pods\""#),
        "{}",
        refused.text()
    );
    // A service account's token is a user's.
    let request = br#"{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}}"#;
    let path = "/api/v1/namespaces/default/serviceaccounts/default/token";
    let made = server.ask("POST", path, &[bearer, JSON], request).text();
    let token = made
        .split(r#""token":""#)
        .nth(1)
        .expect(&made)
        .split('"')
        .next()
        .unwrap();
    let account = whoami(&[("Authorization", &format!("Bearer {token}"))]);
    assert!(account.contains("system:serviceaccount:default:default"), "{account}");
}

#[test]
fn a_bare_control_plane() {
    let server = Server::start(&["--paused", "--no-kubelet", "--no-scheduler"]);
    let list = |path: &str| server.ask("GET", path, &[], b"").text();
    for path in ["/api/v1/nodes", "/api/v1/pods", "/apis/apps/v1/deployments"] {
        assert!(list(path).contains(r#""items":[]"#), "{path}: {}", list(path));
    }
    let service = br#"{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"},"spec":{"ports":[{"port":80}]}}"#;
    let made = server.ask("POST", "/api/v1/namespaces/default/services", &[JSON], service);
    assert!(made.text().contains(r#""clusterIP":"10.0.0."#), "{}", made.text());
    // Nothing was added to the pod, so it can be put as it was.
    let pod =
        br#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"containers":[{"name":"a","image":"b"}]}}"#;
    let made = server.ask("POST", PODS, &[JSON], pod);
    assert_eq!(made.code, 201, "{}", made.text());
    assert!(!made.text().contains("kube-api-access") && !made.text().contains("tolerations"));
    let again = server.ask("PUT", &format!("{PODS}/a"), &[JSON], pod);
    assert_eq!(again.code, 200, "{}", again.text());
    // A version "0" is no precondition.
    let node = br#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"127.0.0.1"}}"#;
    assert_eq!(server.ask("POST", "/api/v1/nodes", &[JSON], node).code, 201);
    let put = br#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"127.0.0.1","resourceVersion":"0","labels":{"a":"b"}}}"#;
    let put = server.ask("PUT", "/api/v1/nodes/127.0.0.1?fieldManager=me", &[JSON], put);
    assert!(
        put.code == 200 && put.text().contains(r#""manager":"me""#),
        "{}",
        put.text()
    );
    // What is no JSON is shown.
    let wrong = server.ask("POST", "/api/v1/namespaces", &[JSON], b"apiVersion: v1");
    assert!(
        wrong.text().contains(
            "the object provided is unrecognized (must be of type Namespace): couldn't get version/kind; json parse \
             error: invalid character 'a' looking for beginning of value (61706956657273696f6e3a207631)"
        ),
        "{}",
        wrong.text()
    );
}
