//! Images on a node: how their names are read, the serial pulls with their progress, and the cache.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use super::etc::NODE_DNS;
use crate::api::names;
use crate::flat::{Arrange, FlatMap};
use crate::programs::{self, Image, Lookup};
use crate::sim::{Signal, Sim, Time, TraceEvent};
use crate::value::Value;
use crate::{list, obj};

/// Bytes a second that a node pulls: a good line to the registry. nginx takes a second, as in
/// recordings.
const BANDWIDTH: u64 = 75_000_000;
/// The least and the most that layers take: a small image waits for answers, a large one has many
/// layers, which come side by side. Recordings pull every image in about a second.
const SHORTEST: Duration = Duration::from_millis(650);
const LONGEST: Duration = Duration::from_millis(850);
/// Asking the registry for the manifest.
const RESOLVE: Duration = Duration::from_millis(300);
/// Checking layers that are there already. Recordings show a second for such a pull too.
const CHECK: Duration = Duration::from_millis(700);
/// Between two progress events of a pull.
const PROGRESS: Duration = Duration::from_millis(200);

/// An image's name, read as containerd reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// With registry: `docker.io/library/nginx`.
    pub repository: String,
    /// The tag (`latest` where the name has none), or `sha256:…`.
    pub tag: String,
    /// Whether the name has a digest.
    pub by_digest: bool,
}

impl Reference {
    /// Reads a name.
    ///
    /// # Errors
    /// The sentence that the kubelet prints after `couldn't parse image name "…": `.
    pub fn parse(name: &str) -> Result<Reference, String> {
        const INVALID: &str = "invalid reference format";
        let (rest, digest) = match name.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (name, None),
        };
        let (path, tag) = match rest.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
            _ => (rest, None),
        };
        let (domain, remainder) = match path.split_once('/') {
            Some((first, others)) if first.contains(['.', ':']) || first == "localhost" => (first, others.to_owned()),
            _ => ("docker.io", path.to_owned()),
        };
        let remainder = if domain == "docker.io" && !remainder.contains('/') {
            format!("library/{remainder}")
        } else {
            remainder
        };
        let domain = if domain == "index.docker.io" {
            "docker.io"
        } else {
            domain
        };
        if remainder.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(format!("{INVALID}: repository name ({remainder}) must be lowercase"));
        }
        let digest_ok = |d: &str| {
            d.strip_prefix("sha256:")
                .is_some_and(|h| h.len() == 64 && h.bytes().all(|b| b.is_ascii_hexdigit()))
        };
        if !remainder.split('/').all(names::is_image_component)
            || !tag.is_none_or(names::is_image_tag)
            || !digest.is_none_or(digest_ok)
            || name.len() > 512
        {
            return Err(INVALID.into());
        }
        Ok(Reference {
            repository: format!("{domain}/{remainder}"),
            tag: digest.or(tag).unwrap_or("latest").to_owned(),
            by_digest: digest.is_some(),
        })
    }

    /// The full name: `docker.io/library/nginx:latest`.
    pub fn full(&self) -> String {
        let mark = if self.by_digest { '@' } else { ':' };
        format!("{}{mark}{}", self.repository, self.tag)
    }
}

/// An image that a node has.
#[derive(Clone)]
pub struct Local {
    pub image: &'static Image,
    pub tag: String,
    /// `docker.io/library/nginx:latest`.
    pub name: String,
    /// `docker.io/library/nginx@sha256:…`.
    pub id: String,
    /// Bytes.
    pub size: u64,
}

/// A pull that ended well.
#[derive(Clone)]
pub struct Pulled {
    pub local: Local,
    /// The pull itself, and it with the wait for earlier pulls.
    pub took: Duration,
    pub with_waiting: Duration,
}

struct Job {
    reference: Reference,
    pod: Rc<str>,
    asked: Time,
    result: RefCell<Option<Result<Pulled, String>>>,
    done: Signal,
}

struct Inner {
    sim: Sim,
    node: Rc<str>,
    local: RefCell<FlatMap<String, Local>>,
    queue: RefCell<VecDeque<Rc<Job>>>,
    pulling: Cell<bool>,
    /// Whether images came since the node's status was last written.
    dirty: Cell<bool>,
}

/// The images of one node.
#[derive(Clone)]
pub struct Images(Rc<Inner>);

impl Images {
    pub fn new(sim: &Sim, node: &str) -> Images {
        Images(Rc::new(Inner {
            sim: sim.clone(),
            node: node.into(),
            local: RefCell::default(),
            queue: RefCell::default(),
            pulling: Cell::new(false),
            dirty: Cell::new(false),
        }))
    }

    /// The image of this name, if the node has it.
    pub fn get(&self, reference: &Reference) -> Option<Local> {
        self.0.local.borrow().get(&reference.full()).cloned()
    }

    /// Takes an image as there without a pull: a node's images at the start.
    pub fn preload(&self, name: &str) {
        let Ok(reference) = Reference::parse(name) else { return };
        if let Lookup::Found(image) = programs::find(&reference.repository, &reference.tag) {
            let local = local(image, &reference);
            self.0.local.borrow_mut().insert(local.name.clone(), local);
        }
    }

    /// Pulls an image, after the pulls that were asked for earlier.
    ///
    /// # Errors
    /// The runtime's sentence, as events print it.
    pub async fn pull(&self, reference: &Reference, pod: &Rc<str>) -> Result<Pulled, String> {
        let job = Rc::new(Job {
            reference: reference.clone(),
            pod: pod.clone(),
            asked: self.0.sim.now(),
            result: RefCell::default(),
            done: Signal::default(),
        });
        self.0.queue.borrow_mut().push_back(job.clone());
        if !self.0.pulling.replace(true) {
            let images = self.clone();
            self.0.sim.spawn("image pulls", async move { images.work().await });
        }
        loop {
            let generation = job.done.generation();
            if let Some(result) = job.result.borrow().clone() {
                return result;
            }
            job.done.after(generation).await;
        }
    }

    async fn work(&self) {
        loop {
            let next = self.0.queue.borrow_mut().pop_front();
            let Some(job) = next else { break };
            // Nobody waits for it any more.
            if Rc::strong_count(&job) == 1 {
                continue;
            }
            let result = self.pull_now(&job).await;
            *job.result.borrow_mut() = Some(result);
            job.done.notify();
        }
        self.0.pulling.set(false);
    }

    async fn pull_now(&self, job: &Job) -> Result<Pulled, String> {
        let sim = &self.0.sim;
        let started = sim.now();
        let name = job.reference.full();
        let jitter = Duration::from_micros(sim.random_below(40_000));
        sim.sleep(RESOLVE + jitter).await;
        let image = match registry(&job.reference) {
            Ok(image) => image,
            Err(reason) => {
                sim.emit(TraceEvent::ImagePullFailed {
                    node: self.0.node.clone(),
                    pod: job.pod.clone(),
                    image: name.as_str().into(),
                    reason: reason.as_str().into(),
                });
                return Err(reason);
            }
        };
        let local = local(image, &job.reference);
        let event = |received: u64| {
            sim.emit(TraceEvent::ImagePull {
                node: self.0.node.clone(),
                pod: job.pod.clone(),
                image: name.as_str().into(),
                received,
                total: local.size,
            });
        };
        if self.get(&job.reference).is_none() {
            event(0);
            let begun = sim.now();
            let length = Duration::from_micros(local.size * 1_000_000 / BANDWIDTH).clamp(SHORTEST, LONGEST);
            loop {
                let passed = sim.now().since(begun);
                if passed >= length {
                    break;
                }
                sim.sleep(PROGRESS.min(length - passed)).await;
                let passed = sim.now().since(begun).min(length);
                let received = (local.size as u128 * passed.as_micros() / length.as_micros().max(1)) as u64;
                event(received);
            }
            self.0.local.borrow_mut().insert(local.name.clone(), local.clone());
            self.0.dirty.set(true);
        } else {
            sim.sleep(CHECK).await;
        }
        Ok(Pulled {
            local,
            took: sim.now().since(started),
            with_waiting: sim.now().since(job.asked),
        })
    }

    /// Whether images came since the last call.
    pub fn take_dirty(&self) -> bool {
        self.0.dirty.take()
    }

    /// `node.status.images`: the largest fifty, largest first.
    pub fn status(&self) -> Value {
        let local = self.0.local.borrow();
        let mut images: Vec<&Local> = local.values().collect();
        images.arrange_by(|a, b| b.size.cmp(&a.size).then_with(|| a.name.cmp(&b.name)));
        images
            .iter()
            .take(50)
            .map(|l| {
                let names = if l.name == l.id {
                    list![l.id.as_str()]
                } else {
                    list![l.id.as_str(), l.name.as_str()]
                };
                obj! { "names": names, "sizeBytes": i64::try_from(l.size).unwrap_or(i64::MAX) }
            })
            .collect()
    }
}

fn local(image: &'static Image, reference: &Reference) -> Local {
    Local {
        image,
        tag: reference.tag.clone(),
        name: reference.full(),
        id: format!("{}@sha256:{}", reference.repository, image.digest(&reference.tag)),
        size: image.size(&reference.tag),
    }
}

/// Asks an image of its registry.
fn registry(reference: &Reference) -> Result<&'static Image, String> {
    let name = reference.full();
    let failed = format!("failed to pull and unpack image \"{name}\": failed to resolve reference \"{name}\": ");
    match programs::find(&reference.repository, &reference.tag) {
        Lookup::Found(image) => Ok(image),
        Lookup::NoTag => Err(format!("rpc error: code = NotFound desc = {failed}{name}: not found")),
        Lookup::NoRepository => Err(match reference.repository.split('/').next() {
            Some("docker.io") => format!(
                "{failed}pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed"
            ),
            _ => format!("rpc error: code = NotFound desc = {failed}{name}: not found"),
        }),
        Lookup::NoRegistry => {
            let (host, path) = reference.repository.split_once('/').unwrap_or(("", ""));
            Err(format!(
                "{failed}failed to do request: Head \"https://{host}/v2/{path}/manifests/{}\": dial tcp: lookup {} on {NODE_DNS}:53: no such host",
                reference.tag,
                host.split(':').next().unwrap_or(host)
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (name, full) in [
            ("nginx", "docker.io/library/nginx:latest"),
            ("library/busybox", "docker.io/library/busybox:latest"),
            ("docker.io/nginx:1.27", "docker.io/library/nginx:1.27"),
            ("kubeguide/tomcat-app:v1", "docker.io/kubeguide/tomcat-app:v1"),
            ("localhost:5000/a/b", "localhost:5000/a/b:latest"),
            ("registry.k8s.io/pause:3.10.2", "registry.k8s.io/pause:3.10.2"),
        ] {
            assert_eq!(Reference::parse(name).unwrap().full(), full, "{name}");
        }
        for (name, error) in [
            (
                "Nginx:latest",
                "invalid reference format: repository name (library/Nginx) must be lowercase",
            ),
            ("", "invalid reference format"),
            ("a b", "invalid reference format"),
            ("nginx:", "invalid reference format"),
            ("nginx:a:b", "invalid reference format"),
            ("-a", "invalid reference format"),
            ("nginx@sha256:12", "invalid reference format"),
            ("图像", "invalid reference format"),
        ] {
            assert_eq!(Reference::parse(name).unwrap_err(), error, "{name}");
        }
    }

    #[test]
    fn pulls_are_serial_and_cached() {
        let sim = Sim::new(1, Time::from_secs(1_000));
        let images = Images::new(&sim, "n");
        let nginx = Reference::parse("nginx").unwrap();
        let pod: Rc<str> = "default/a".into();
        let two = futures::future::join(images.pull(&nginx, &pod), images.pull(&nginx, &pod));
        let results = {
            let cell: Rc<RefCell<Option<_>>> = Rc::default();
            let (c, i, n, p) = (cell.clone(), images.clone(), nginx.clone(), pod.clone());
            drop(two);
            sim.spawn("t", async move {
                let both = futures::future::join(i.pull(&n, &p), i.pull(&n, &p)).await;
                *c.borrow_mut() = Some(both);
            });
            sim.run_for(Duration::from_secs(20));
            cell.take().unwrap()
        };
        let (first, second) = (results.0.unwrap(), results.1.unwrap());
        assert_eq!(first.local.size, 59_774_010);
        assert!(first.took > Duration::from_secs(1), "{:?}", first.took);
        assert!(second.took < first.took, "{:?}", second.took);
        assert!(second.with_waiting > first.took);
        assert!(images.take_dirty() && !images.take_dirty());
    }

    #[test]
    fn what_cannot_be_pulled() {
        let error = |name: &str| registry(&Reference::parse(name).unwrap()).err().unwrap_or_default();
        assert_eq!(
            error("nginx:doesnotexist"),
            "rpc error: code = NotFound desc = failed to pull and unpack image \"docker.io/library/nginx:doesnotexist\": failed to resolve reference \"docker.io/library/nginx:doesnotexist\": docker.io/library/nginx:doesnotexist: not found"
        );
        assert_eq!(
            error("registry.example.com/nosuch/nginx-web:latest"),
            "failed to pull and unpack image \"registry.example.com/nosuch/nginx-web:latest\": failed to resolve reference \"registry.example.com/nosuch/nginx-web:latest\": failed to do request: Head \"https://registry.example.com/v2/nosuch/nginx-web/manifests/latest\": dial tcp: lookup registry.example.com on 192.168.110.2:53: no such host"
        );
    }
}
