//! Which commands to suggest: the next steps of the story, as far as the cluster has come. Pure.

use crate::app::i18n::Language;
use crate::app::picture::model::Scene;
use crate::app::picture::pod::Mood;

/// A suggestion: what it does, and the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    pub label: &'static str,
    pub command: String,
}

/// Images, and those that may follow them in a rollout.
const NEXT: &[(&str, &str)] = &[
    ("nginx", "nginx:1.27"),
    ("nginx:latest", "nginx:1.27"),
    ("nginx:1.26", "nginx:1.27"),
    ("nginx:1.27", "nginx:1.28"),
    ("nginx:1.14.2", "nginx:1.16.1"),
];

/// The suggestions for a scene, the most useful first.
pub fn hints(scene: &Scene, language: Language) -> Vec<Hint> {
    let hint = |key: &'static str, command: String| Hint {
        label: language.get(key),
        command,
    };
    let web = scene
        .workloads
        .values()
        .find(|w| &*w.kind == "Deployment" && &*w.namespace == "default");
    let Some(web) = web else {
        return vec![
            hint(
                "hint.create",
                "kubectl create deployment web --image=nginx --replicas=3".to_owned(),
            ),
            hint("hint.nodes", "kubectl get nodes -o wide".to_owned()),
            hint("hint.pods", "kubectl get pods -A".to_owned()),
        ];
    };
    let service = scene
        .services
        .values()
        .find(|s| s.name == web.name && &*s.namespace == "default");
    let mut out = Vec::new();
    match service {
        None => out.push(hint(
            "hint.expose",
            format!("kubectl expose deployment {} --port=80", web.name),
        )),
        Some(service) if service.ready() > 0 => out.push(hint(
            "hint.curl",
            format!("for i in $(seq 9); do curl -s {} | head -n 4; done", service.cluster_ip),
        )),
        Some(_) => {}
    }
    let pod = scene
        .pods
        .values()
        .find(|p| p.mood == Mood::Ready && &*p.namespace == "default" && !p.owner.1.is_empty());
    if let Some(pod) = pod {
        out.push(hint("hint.delete", format!("kubectl delete pod {}", pod.name)));
    }
    if web.desired != 5 {
        out.push(hint(
            "hint.scale",
            format!("kubectl scale deployment {} --replicas=5", web.name),
        ));
    } else {
        out.push(match NEXT.iter().find(|(now, _)| **now == *web.image) {
            Some((_, next)) => hint(
                "hint.update",
                format!("kubectl set image deployment/{} '*={next}'", web.name),
            ),
            // Which versions other images have, nobody knows.
            None => hint(
                "hint.restart",
                format!("kubectl rollout restart deployment {}", web.name),
            ),
        });
    }
    out.push(hint("hint.pods", "kubectl get pods -o wide".to_owned()));
    out
}
