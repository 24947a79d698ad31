//! What the student's host can download although it has no way out to the Internet: the manifests of a few add-ons and
//! of the documentation's examples, under the addresses at which tutorials fetch them. They stand in
//! `src/world/data/downloads.txt` and are texts on demand: [`Docs`] brings them.

use crate::api::docs::{DOWNLOADS, Docs};
use crate::shell::Download;

/// Where the examples of Kubernetes' documentation are.
const EXAMPLES: &str = "k8s.io/examples/";

/// The servers that have something. For the addresses of others the texts need not be loaded.
const SERVERS: &[&str] = &[EXAMPLES, "github.com/", "raw.githubusercontent.com/", "kubetab/"];

/// What stands for the text of an example that the documentation has and we do not.
const ABSENT: &str = "-";

/// What is at an address.
pub async fn find(docs: &Docs, url: &str) -> Download {
    let address = canonical(url);
    if !SERVERS.iter().any(|server| address.starts_with(server)) {
        return Download::Unreachable;
    }
    docs.ready().await;
    if let Some(why) = docs.failure() {
        return Download::Absent(format!("what can be downloaded could not be loaded ({why})"));
    }
    let texts = docs.texts().unwrap_or_default();
    for (known, text) in texts.fields(DOWNLOADS) {
        let version = match known.split_once("{version}") {
            Some((before, after)) => {
                let version = address.strip_prefix(before).and_then(|a| a.strip_suffix(after));
                version.filter(|v| v.starts_with('v') && v.len() < 16 && !v.contains('/'))
            }
            None => (known == address).then_some(""),
        };
        let Some(version) = version else { continue };
        if text == ABSENT {
            return Download::Absent("this example of the documentation is not among those that are here".into());
        }
        return Download::Text(text.replace("{version}", version).into());
    }
    match address.starts_with(EXAMPLES) {
        true => Download::Missing,
        false => Download::Unreachable,
    }
}

/// An address without its scheme and query, with the one name that the examples have here of the three that they have.
fn canonical(url: &str) -> String {
    let address = url.split_once("://").map_or(url, |(_, rest)| rest);
    let address = address.split(['?', '#']).next().unwrap_or_default();
    let path = address
        .strip_prefix("kubernetes.io/examples/")
        .or_else(|| address.strip_prefix("www.kubernetes.io/examples/"))
        .or_else(|| {
            let rest = address.strip_prefix("raw.githubusercontent.com/kubernetes/website/")?;
            // Behind the name of a branch or a tag.
            rest.split_once('/')?.1.strip_prefix("content/en/examples/")
        });
    path.map_or_else(|| address.to_owned(), |path| format!("{EXAMPLES}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::docs::Texts;
    use crate::world::{Input, Options, World};
    use expect_test::{Expect, expect};
    use std::rc::Rc;
    use std::time::Duration;

    /// What the examples' pages make first.
    const MADE_FIRST: &[&str] = &[
        "kubectl create namespace cpu-example",
        "kubectl create namespace development --save-config",
        "kubectl create namespace ingress-nginx --save-config",
        "kubectl create namespace mem-example",
        "kubectl create namespace qos-example",
        "kubectl create serviceaccount build-robot",
        "kubectl create priorityclass high --value=1000",
    ];

    fn texts() -> Rc<Texts> {
        crate::api::docs::included().unwrap()
    }

    /// Runs command lines in a fresh world, and gives what they print.
    fn run(lines: &[&str]) -> Vec<String> {
        let world = World::new(&Options::default()).unwrap();
        let end = world.sim().now() + Duration::from_secs(3600);
        let exec = |line: &&str| {
            let done = world.input(Input::Exec((*line).to_owned()));
            let done = world.sim().run_future(done, end).unwrap().unwrap();
            format!("{}{}", done.stdout, done.stderr)
        };
        lines.iter().map(exec).collect()
    }

    fn check(lines: &[&str], expected: Expect) {
        let said = run(lines);
        let text: String = lines
            .iter()
            .zip(&said)
            .map(|(line, s)| format!("$ {line}\n{s}"))
            .collect();
        expected.assert_eq(&text);
    }

    #[test]
    fn addresses() {
        for (url, address) in [
            ("https://k8s.io/examples/pods/a.yaml", "k8s.io/examples/pods/a.yaml"),
            (
                "http://kubernetes.io/examples/pods/a.yaml?x=y",
                "k8s.io/examples/pods/a.yaml",
            ),
            (
                "https://raw.githubusercontent.com/kubernetes/website/main/content/en/examples/pods/a.yaml",
                "k8s.io/examples/pods/a.yaml",
            ),
            ("https://k8s.io/docs/", "k8s.io/docs/"),
            (
                "https://raw.githubusercontent.com/a/b/c.yaml",
                "raw.githubusercontent.com/a/b/c.yaml",
            ),
        ] {
            assert_eq!(canonical(url), address);
        }
    }

    #[test]
    fn answers() {
        check(
            &[
                "kubectl apply -f https://k8s.io/examples/pods/simple-pod.yaml",
                "kubectl delete --now -f http://kubernetes.io/examples/pods/simple-pod.yaml",
                "kubectl apply -f https://k8s.io/examples/x.yaml",
                "kubectl create -f https://k8s.io/examples/application/deployment.yaml -f https://k8s.io/examples/x.yaml",
                "kubectl replace -f https://raw.githubusercontent.com/kubernetes/website/main/content/en/examples/application/deployment-update.yaml",
                "kubectl get deployment nginx-deployment -o jsonpath='{.spec.template.spec.containers[*].image}{\"\\n\"}'",
                "curl -sL https://k8s.io/examples/pods/simple-pod.yaml | head -4",
                "curl -sfL https://k8s.io/examples/x.yaml || echo $?",
                "curl -sI https://k8s.io/examples/x.yaml | head -1 | tr -d '\\r'",
                "wget -q https://k8s.io/examples/pods/simple-pod.yaml && tail -1 simple-pod.yaml",
                "kubectl apply -f https://k8s.io/examples/windows/daemonset.yaml",
                "kubectl apply -f https://example.com/x.yaml",
                "kubectl apply -f https://github.com/kubernetes-sigs/metrics-server/releases/download/v0.6.1/components.yaml | tail -1",
                "kubectl get deployment -n kube-system metrics-server -o jsonpath='{.spec.template.spec.containers[*].image}{\"\\n\"}'",
                "kubectl apply -f https://raw.githubusercontent.com/kubernetes/dashboard/v2.7.0/aio/deploy/recommended.yaml | sed -n '1p;$='",
            ],
            expect![[r#"
                $ kubectl apply -f https://k8s.io/examples/pods/simple-pod.yaml
                pod/nginx created
                $ kubectl delete --now -f http://kubernetes.io/examples/pods/simple-pod.yaml
                pod "nginx" deleted from default namespace
                $ kubectl apply -f https://k8s.io/examples/x.yaml
                error: unable to read URL "https://k8s.io/examples/x.yaml", server reported 404 Not Found, status code=404
                $ kubectl create -f https://k8s.io/examples/application/deployment.yaml -f https://k8s.io/examples/x.yaml
                deployment.apps/nginx-deployment created
                error: unable to read URL "https://k8s.io/examples/x.yaml", server reported 404 Not Found, status code=404
                $ kubectl replace -f https://raw.githubusercontent.com/kubernetes/website/main/content/en/examples/application/deployment-update.yaml
                deployment.apps/nginx-deployment replaced
                $ kubectl get deployment nginx-deployment -o jsonpath='{.spec.template.spec.containers[*].image}{"\n"}'
                nginx:1.16.1
                $ curl -sL https://k8s.io/examples/pods/simple-pod.yaml | head -4
                apiVersion: v1
                kind: Pod
                metadata:
                  name: nginx
                $ curl -sfL https://k8s.io/examples/x.yaml || echo $?
                22
                $ curl -sI https://k8s.io/examples/x.yaml | head -1 | tr -d '\r'
                HTTP/1.1 404 Not Found
                $ wget -q https://k8s.io/examples/pods/simple-pod.yaml && tail -1 simple-pod.yaml
                    - containerPort: 80
                $ kubectl apply -f https://k8s.io/examples/windows/daemonset.yaml
                error: unable to read URL "https://k8s.io/examples/windows/daemonset.yaml": this example of the documentation is not among those that are here; save the file here and name it instead
                $ kubectl apply -f https://example.com/x.yaml
                error: unable to read URL "https://example.com/x.yaml": this cluster has no way out to the Internet; save the file here and name it instead
                $ kubectl apply -f https://github.com/kubernetes-sigs/metrics-server/releases/download/v0.6.1/components.yaml | tail -1
                apiservice.apiregistration.k8s.io/v1beta1.metrics.k8s.io created
                $ kubectl get deployment -n kube-system metrics-server -o jsonpath='{.spec.template.spec.containers[*].image}{"\n"}'
                registry.k8s.io/metrics-server/metrics-server:v0.6.1
                $ kubectl apply -f https://raw.githubusercontent.com/kubernetes/dashboard/v2.7.0/aio/deploy/recommended.yaml | sed -n '1p;$='
                namespace/kubernetes-dashboard created
                14
            "#]],
        );
    }

    /// Every manifest is one that a fresh cluster takes, in the namespaces and with the classes that it needs.
    #[test]
    fn a_cluster_takes_them() {
        let texts = texts();
        let known = texts.fields(DOWNLOADS).filter(|(_, text)| *text != ABSENT);
        // The page has a template's $ITEM replaced before it is applied, and tests/walkthroughs.rs applies the add-ons.
        let urls: Vec<String> = known
            .map(|(address, _)| format!("https://{address}"))
            .filter(|url| url.ends_with(".yaml") && !url.contains("{version}") && !url.ends_with("/job-tmpl.yaml"))
            .collect();
        assert!(urls.len() > 230, "{}", urls.len());
        let apply = urls
            .iter()
            .map(|url| format!("kubectl apply --dry-run=server -f {url}"));
        let lines: Vec<String> = MADE_FIRST.iter().map(|&line| line.to_owned()).chain(apply).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let taken = |line: &str| {
            let line = line.strip_suffix(" (server dry run)").unwrap_or(line);
            line.ends_with(" created") || line.ends_with(" configured")
        };
        let refused = lines
            .iter()
            .zip(run(&lines))
            .filter(|(_, said)| said.is_empty() || !said.lines().all(taken));
        let bad: String = refused.map(|(line, said)| format!("$ {line}\n{said}")).collect();
        assert_eq!(bad, "");
    }
}
