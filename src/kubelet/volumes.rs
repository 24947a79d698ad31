//! The volumes of a pod: what they hold, and where a container sees them.

use std::cell::OnceCell;

use super::env::{self, Sources};
use super::status::secured;
use crate::api::auth::token::{ISSUER, issue};
use crate::api::views::{Container, Pod};
use crate::api::volumes::claim_name;
use crate::api::{ApiServer, Object, ObjectKey};
use crate::flat::{Arrange, Case, FlatMap, FlatSet};
use crate::shell::{FileError, FileKind, Files, join};
use crate::value::fnv::{self, fnv1a};
use crate::value::gofmt::aggregate;
use crate::value::{Value, quoted};
use crate::{list, obj};

/// The volumes of one pod: files, and the directory in them that is the volume.
pub type Volumes = FlatMap<String, (Files, String)>;

/// What volumes are made from.
pub struct Origin<'a> {
    pub api: &'a ApiServer,
    pub pod: &'a Object,
    pub node: &'a Object,
    pub sources: &'a dyn Sources,
    /// The node's own files.
    pub host: &'a Files,
    /// The files of a claim's volume, or of what [`nfs_key`] names; why there are none.
    pub claim: &'a dyn Fn(&str) -> Claimed,
}

/// The files behind a claim, and the directory in them; or why it cannot be processed.
pub type Claimed = Result<(Files, String), String>;

/// Why a claim that has no volume yet cannot be processed.
pub const NOT_BOUND: &str = "PVC is not bound";

/// Why a pod has not all of its volumes.
pub struct Unmounted {
    /// The sentences of the FailedMount events.
    pub sentences: Vec<String>,
    /// Whether a claim is at fault. The kubelet looks at these again with the pod, not with the volume.
    pub of_claims: bool,
}

/// Makes the volumes of a pod.
///
/// # Errors
/// What could not be made.
pub fn make(origin: &Origin) -> Result<Volumes, Unmounted> {
    let mut volumes = Volumes::new();
    let mut sentences = Vec::new();
    let (mut unmounted, mut unprocessed, mut reasons) = (Vec::new(), Vec::new(), Vec::new());
    for volume in Pod(origin.pod).volumes() {
        let name = volume.get("name").str();
        match one(origin, volume) {
            Ok(files) => {
                volumes.insert(name.to_owned(), files);
                continue;
            }
            Err(why) => match claim_name(origin.pod, volume) {
                Some(claim) => {
                    unprocessed.push(name);
                    reasons.push(format!(
                        "error processing PVC {}/{claim}: {why}",
                        origin.pod.namespace()
                    ));
                }
                None => sentences.push(format!("MountVolume.SetUp failed for volume \"{name}\" : {why}")),
            },
        }
        unmounted.push(name);
    }
    let of_claims = !unprocessed.is_empty();
    if of_claims {
        sentences.push(format!(
            "Unable to attach or mount volumes: unmounted volumes=[{}], unattached volumes=[], failed to process volumes=[{}]: {}",
            unmounted.join(" "),
            unprocessed.join(" "),
            reasons.join("; ")
        ));
    }
    match sentences.is_empty() {
        true => Ok(volumes),
        false => Err(Unmounted { sentences, of_claims }),
    }
}

/// How [`Origin::claim`] knows a directory of an NFS server: by no claim's name.
pub fn nfs_key(source: &Value) -> String {
    format!("{}:{}", source.get("server").str(), source.get("path").str())
}

fn one(origin: &Origin, volume: &Value) -> Result<(Files, String), String> {
    let root = || "/".to_owned();
    if volume.has("hostPath") {
        let path = volume.str_at(&["hostPath", "path"]);
        return host_path(origin.host, path, volume.str_at(&["hostPath", "type"]));
    }
    if let Some(claim) = claim_name(origin.pod, volume) {
        let (files, path) = (origin.claim)(&claim)?;
        // A directory of the node stays as it is.
        if path == "/" {
            hand_over(origin, &files, &path, 0o660).map_err(|e| e.to_string())?;
        }
        return Ok((files, path));
    }
    if volume.has("nfs") {
        return (origin.claim)(&nfs_key(volume.get("nfs"))).map_err(|_| "mount failed: exit status 32".to_owned());
    }
    let files = Files::new(origin.api.sim());
    let in_memory = ["secret", "projected", "downwardAPI"].iter().any(|k| volume.has(k));
    let mode = if in_memory { 0o1777 } else { 0o777 };
    files.set_mode("/", mode).map_err(|e| e.to_string())?;
    if volume.has("emptyDir") {
        hand_over(origin, &files, "/", 0o660).map_err(|e| e.to_string())?;
    }
    refresh(origin, volume, &files)?;
    Ok((files, root()))
}

/// Gives what is below a path to the group of the pod's volumes, with at least these rights, as the kubelet's
/// `SetVolumeOwnership` does; directories hand the group on.
fn hand_over(origin: &Origin, files: &Files, path: &str, rights: u32) -> Result<(), FileError> {
    let Some(group) = origin.pod.spec().i64_at(&["securityContext", "fsGroup"]) else {
        return Ok(());
    };
    let stat = files.stat(path, false)?;
    files.set_owner(path, None, Some(group))?;
    let directory = stat.kind == FileKind::Directory;
    files.set_mode(path, stat.mode | rights | if directory { 0o2110 } else { 0 })?;
    if directory {
        for (name, inner) in files.list(path)? {
            if inner.kind != FileKind::Symlink {
                hand_over(origin, files, &join(path, &name), rights)?;
            }
        }
    }
    Ok(())
}

/// The user that all containers of a pod are to run as, when they say the same one.
fn common_user(pod: &Object) -> Option<i64> {
    let user = |c: Container| secured(pod, c.value(), "runAsUser");
    let mut users = Pod(pod).init_containers().chain(Pod(pod).containers()).map(user);
    let first = users.next()??;
    users.all(|u| u == Some(first)).then_some(first)
}

/// A file of a volume that shows objects.
struct Shown {
    bytes: Bytes,
    /// Its own mode; without one it has the volume's.
    mode: Option<u32>,
}

enum Bytes {
    Are(Vec<u8>),
    /// A token of the pod's account, from this source.
    Token(Value),
}

impl Shown {
    fn new(bytes: Vec<u8>, item: &Value) -> Shown {
        Shown {
            bytes: Bytes::Are(bytes),
            mode: mode(item, "mode"),
        }
    }
}

/// The files of a volume by their paths.
type Content = FlatMap<String, Shown>;

fn mode(of: &Value, field: &str) -> Option<u32> {
    of.i64_at(&[field]).and_then(|m| u32::try_from(m).ok())
}

/// Writes a volume's content; what was there before and belongs to it is replaced.
///
/// # Errors
/// The sentence of the FailedMount event.
pub fn refresh(origin: &Origin, volume: &Value, files: &Files) -> Result<(), String> {
    let mut content = Content::new();
    let source = ["configMap", "secret", "downwardAPI", "projected"]
        .iter()
        .find(|k| volume.has(k));
    // emptyDir, and kinds of volumes whose content is not simulated, begin empty.
    let Some(kind) = source else { return Ok(()) };
    let source = volume.get(kind);
    match *kind {
        "projected" => {
            // All that is missing is told.
            let mut missing: Vec<String> = Vec::new();
            for source in source.get("sources").items() {
                if let Some((kind, source)) = source.entries().next()
                    && let Err(why) = one_source(origin, kind, source, &mut content)
                {
                    missing.push(why);
                }
            }
            if let Some(why) = aggregate(&missing) {
                return Err(why);
            }
        }
        kind => one_source(origin, kind, source, &mut content)?,
    }
    let mode = mode(source, "defaultMode").unwrap_or(0o644);
    // Nobody but the kubelet writes there.
    files.set_read_only(false);
    let written = write(origin, files, &content, mode).and_then(|()| hand_over(origin, files, "/", 0o440));
    files.set_read_only(true);
    written.map_err(|e| e.to_string())
}

fn one_source(origin: &Origin, kind: &str, source: &Value, content: &mut Content) -> Result<(), String> {
    match kind {
        "configMap" => of_map(origin, source, source.get("name").str(), false, content),
        "secret" => {
            // The field of a volume has another name than that of a projection.
            let mut names = ["secretName", "name"].iter().map(|f| source.get(f).str());
            let name = names.find(|name| !name.is_empty()).unwrap_or("");
            of_map(origin, source, name, true, content)
        }
        "downwardAPI" => downward(origin, source, content),
        "serviceAccountToken" => {
            let token = Shown {
                bytes: Bytes::Token(source.clone()),
                mode: None,
            };
            content.insert(source.get("path").str().to_owned(), token);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The link to the directory that has the content.
const DATA: &str = "/..data";

/// That link while it is made.
const DATA_NEXT: &str = "/..data_tmp";

/// Writes content as the kubelet's atomic writer does: into a directory of its own, to which a link leads; what is
/// in the volume are links through that one, so that a new version appears all at once.
fn write(origin: &Origin, files: &Files, content: &Content, mode: u32) -> Result<(), FileError> {
    let same = files.exists(DATA)
        && content.iter().all(|(path, shown)| {
            let path = join(DATA, path);
            match &shown.bytes {
                Bytes::Are(bytes) => files.read(&path).is_ok_and(|known| *known == *bytes),
                Bytes::Token(_) => files.exists(&path),
            }
        })
        && {
            let known: FlatSet<String> = content.keys().map(|k| join(DATA, k)).collect();
            !has_others(files, DATA, &known)
        };
    if same {
        return Ok(());
    }
    let before = match files.exists(DATA) {
        true => Some(files.real_path(DATA)?),
        false => None,
    };
    let dir = new_dir(origin, files);
    let written = fill(origin, files, content, mode, &dir);
    // The rename replaces the link at once: who reads sees the old content or the new one, and a failure keeps the old.
    let shown = written
        .and_then(|()| files.symlink(dir.trim_start_matches('/'), DATA_NEXT))
        .and_then(|()| files.rename(DATA_NEXT, DATA));
    if let Err(why) = shown {
        let _ = files.remove_file(DATA_NEXT);
        let _ = files.remove_all(&dir);
        return Err(why);
    }
    if let Some(before) = before.filter(|before| *before != dir) {
        for (name, _) in files.list(&before)? {
            let _ = files.remove_file(&join("/", &name));
        }
        files.remove_all(&before)?;
    }
    for (name, _) in files.list(&dir)? {
        files.symlink(&format!("..data/{name}"), &join("/", &name))?;
    }
    Ok(())
}

/// The name of a directory for a new version: one that is not there yet.
fn new_dir(origin: &Origin, files: &Files) -> String {
    let now = origin.api.sim().now();
    let text: String = now.to_string();
    let stamp: String = text
        .trim_end_matches('Z')
        .chars()
        .map(|c| if c.is_ascii_digit() { c } else { '_' })
        .collect();
    // Go's `MkdirTemp` adds a random number; this one is the version's own without a draw from the world's generator.
    let mut number = fnv1a(fnv1a(fnv::START, origin.pod.uid().as_bytes()), now.micro().as_bytes());
    loop {
        let dir = format!("/..{stamp}.{number}");
        if !files.exists(&dir) {
            return dir;
        }
        number = number.wrapping_add(1);
    }
}

/// Makes a directory with the content.
fn fill(origin: &Origin, files: &Files, content: &Content, mode: u32, dir: &str) -> Result<(), FileError> {
    files.make_dirs(dir)?;
    for (path, shown) in content {
        let path = join(dir, path);
        files.make_dirs(crate::shell::dir_name(&path))?;
        let mut mode = shown.mode.unwrap_or(mode);
        match &shown.bytes {
            Bytes::Are(bytes) => files.write(&path, bytes.clone())?,
            Bytes::Token(source) => {
                token(origin, source, &path, files)?;
                // A token is for the pod's user or group alone, where it has one.
                let user = common_user(origin.pod);
                if user.is_some() || origin.pod.spec().at(&["securityContext"]).has("fsGroup") {
                    files.set_owner(&path, user, None)?;
                    mode = 0o600;
                }
            }
        }
        files.set_mode(&path, mode)?;
    }
    Ok(())
}

/// Whether there are files below a directory that are not among the known paths.
fn has_others(files: &Files, dir: &str, known: &FlatSet<String>) -> bool {
    let list = files.list(dir).unwrap_or_default();
    list.iter().any(|(name, stat)| {
        let path = join(dir, name);
        match stat.kind {
            FileKind::Directory => has_others(files, &path, known),
            _ => !known.contains(&path),
        }
    })
}

/// Puts a file with a token of the pod's account into a volume. It is issued when somebody first reads it, as most
/// are never read, and stays; the file is empty when the account is gone by then.
fn token(origin: &Origin, source: &Value, path: &str, files: &Files) -> Result<(), FileError> {
    let (api, pod, source) = (origin.api.clone(), origin.pod.clone(), source.clone());
    let kept: OnceCell<Vec<u8>> = OnceCell::new();
    let issue = move || {
        let key = ObjectKey::new(pod.namespace(), Pod(&pod).service_account());
        let account = api.store().get("serviceaccounts", &key)?;
        let audiences = match source.get("audience") {
            Value::Null => list![ISSUER],
            one => list![one.clone()],
        };
        let seconds = source.i64_at(&["expirationSeconds"]).unwrap_or(3_600);
        let bound = obj! { "apiVersion": "v1", "kind": "Pod", "name": pod.name(), "uid": pod.uid() };
        issue(&api, &account, &audiences, seconds, &bound).ok()
    };
    let read = move || kept.get_or_init(|| issue().unwrap_or_default().into_bytes()).clone();
    files.generate(path, read)
}

fn of_map(origin: &Origin, source: &Value, name: &str, secret: bool, content: &mut Content) -> Result<(), String> {
    let optional = source.bool_at(&["optional"]);
    let Some(data) = origin.sources.data(secret, name) else {
        return if optional {
            Ok(())
        } else {
            Err(env::missing(secret, name))
        };
    };
    let items = source.get("items").items();
    if items.is_empty() {
        let all = data
            .into_iter()
            .map(|(key, bytes)| (key, Shown::new(bytes, &Value::Null)));
        content.extend(all);
        return Ok(());
    }
    for item in items {
        let key = item.get("key").str();
        match data.get(key) {
            Some(bytes) => {
                content.insert(item.get("path").str().to_owned(), Shown::new(bytes.clone(), item));
            }
            None if optional => {}
            None if secret => return Err(format!("references non-existent secret key: {key}")),
            None => return Err(format!("configmap references non-existent config key: {key}")),
        }
    }
    Ok(())
}

fn downward(origin: &Origin, source: &Value, content: &mut Content) -> Result<(), String> {
    for item in source.get("items").items() {
        let text = if item.has("fieldRef") {
            env::field(origin.pod, item.str_at(&["fieldRef", "fieldPath"]))?
        } else {
            let reference = item.get("resourceFieldRef");
            match Pod(origin.pod).container(reference.get("containerName").str()) {
                Some(container) => env::resource(
                    container,
                    origin.node,
                    reference.get("resource").str(),
                    reference.get("divisor").str(),
                ),
                None => String::new(),
            }
        };
        content.insert(item.get("path").str().to_owned(), Shown::new(text.into_bytes(), item));
    }
    Ok(())
}

fn host_path(host: &Files, path: &str, kind: &str) -> Result<(Files, String), String> {
    let path = join("/", path);
    match kind {
        "Directory" if !host.is_dir(&path) => {
            return Err(format!("hostPath type check failed: {path} is not a directory"));
        }
        "File" if !host.is_file(&path) => return Err(format!("hostPath type check failed: {path} is not a file")),
        "FileOrCreate" if !host.exists(&path) => {
            // Directories above it are not made.
            host.write(&path, "")
                .map_err(|error| format!("open {path}: {}", error.to_string().to_ascii_lowercase()))?;
        }
        "FileOrCreate" if !host.is_file(&path) => {
            return Err(format!("hostPath type check failed: {path} is not a file"));
        }
        "DirectoryOrCreate" if host.exists(&path) && !host.is_dir(&path) => {
            return Err(format!("hostPath type check failed: {path} is not a directory"));
        }
        "Socket" => return Err(format!("hostPath type check failed: {path} is not a socket file")),
        "CharDevice" if !path.starts_with("/dev/") || !host.exists(&path) => {
            return Err(format!("hostPath type check failed: {path} is not a character device"));
        }
        "BlockDevice" => return Err(format!("hostPath type check failed: {path} is not a block device")),
        "File" | "FileOrCreate" | "Directory" | "CharDevice" => {}
        _ if !host.exists(&path) => {
            let _ = host.make_dirs(&path);
        }
        _ => {}
    }
    Ok((host.clone(), path))
}

/// Shows the volumes in a container's files. What its runtime says where a directory would lie on a file, or a file on
/// a directory: then the container cannot start.
///
/// # Errors
/// The sentence of a CreateContainerConfigError.
pub fn mount(
    pod: &Object,
    volumes: &Volumes,
    container: &Value,
    env: &crate::shell::Env,
    files: &Files,
) -> Result<Option<String>, String> {
    let mut mounts: Vec<(usize, &Value)> = container.get("volumeMounts").items().iter().enumerate().collect();
    // Outer directories first, so that inner ones are not hidden.
    mounts.arrange_by_key(|(_, m)| m.get("mountPath").str().len());
    for (index, mount) in mounts {
        let name = mount.get("name").str();
        let Some((from, base)) = volumes.get(name) else {
            continue;
        };
        let target = join("/", mount.get("mountPath").str());
        let sub = match mount.get("subPath").str() {
            "" => env::expand(mount.get("subPathExpr").str(), env),
            sub => sub.to_owned(),
        };
        let source = join(base, &sub);
        if !from.exists(&source) {
            // The kubelet makes it on its node, where the volume can be written to.
            let fixed = from.set_read_only(false);
            let made = from.make_dirs(&source);
            from.set_read_only(fixed);
            made.map_err(|_| {
                let container = container.get("name").str();
                format!(
                    "failed to create subPath directory for volumeMount {name} of container {container}",
                    name = quoted(&name),
                    container = quoted(&container)
                )
            })?;
        }
        let single = from.is_file(&source);
        if files.exists(&target) && files.is_file(&target) != single {
            let source = match sub.as_str() {
                "" => volume_dir(pod, name),
                _ => {
                    let (uid, container) = (pod.uid(), container.get("name").str());
                    format!("/var/lib/kubelet/pods/{uid}/volume-subpaths/{name}/{container}/{index}")
                }
            };
            return Ok(Some(format!(
                "error mounting {} to rootfs at {}: mount src={source}, dst={target}, \
                 dstFd=/proc/thread-self/fd/11, flags=MS_BIND|MS_REC: not a directory",
                quoted(&source),
                quoted(&target)
            )));
        }
        let _ = files.make_dirs(crate::shell::dir_name(&target));
        if single {
            // A single file: bound as it is now, as a subPath is.
            let bytes = from.read(&source).map_err(|e| e.to_string())?;
            let _ = files.write(&target, bytes.as_ref().clone());
            continue;
        }
        let _ = files.make_dirs(&target);
        files.mount(&target, from, &source).map_err(|e| e.to_string())?;
    }
    Ok(None)
}

/// Where on its node the kubelet keeps a volume: in the directory of its plugin, below the pod's.
fn volume_dir(pod: &Object, name: &str) -> String {
    let mut volumes = Pod(pod).volumes().iter();
    let volume = volumes.find(|v| v.get("name").str() == name).unwrap_or(&Value::Null);
    let mut kinds = volume.entries().map(|(kind, _)| kind.as_str());
    let plugin = match kinds.find(|kind| *kind != "name").unwrap_or_default() {
        "hostPath" => return volume.str_at(&["hostPath", "path"]).to_owned(),
        "emptyDir" => "empty-dir".to_owned(),
        "downwardAPI" => "downward-api".to_owned(),
        kind => kind.lower(),
    };
    format!(
        "/var/lib/kubelet/pods/{}/volumes/kubernetes.io~{plugin}/{name}",
        pod.uid()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;
    use crate::sim::{Sim, Time};

    /// One ConfigMap with one key.
    struct One(Vec<u8>);

    impl Sources for One {
        fn data(&self, secret: bool, name: &str) -> Option<FlatMap<String, Vec<u8>>> {
            (!secret && name == "conf").then(|| [("key".to_owned(), self.0.clone())].into_iter().collect())
        }
    }

    #[test]
    fn versions_of_one_moment_and_failures_leave_a_volume_whole() {
        let sim = Sim::new(7, Time::parse("2026-11-21T08:00:00Z").unwrap());
        let api = ApiServer::new(&sim);
        let (pod, host) = (Object::new(obj! { "metadata": obj! { "uid": "1" } }), Files::new(&sim));
        let volume = obj! { "name": "v", "configMap": obj! { "name": "conf" } };
        let files = Files::new(&sim);
        let show = |bytes: Vec<u8>| {
            let origin = Origin {
                api: &api,
                pod: &pod,
                node: &pod,
                sources: &One(bytes),
                host: &host,
                claim: &|_| Err(NOT_BOUND.to_owned()),
            };
            refresh(&origin, &volume, &files)
        };
        for text in ["one", "two", "one", "three"] {
            show(text.into()).unwrap();
            assert_eq!(files.read_text("/key").unwrap(), text);
            assert_eq!(files.list("/").unwrap().len(), 3, "the link, its directory and the key");
        }
        show(vec![0; limits::FILE_BYTES + 1]).unwrap_err();
        assert_eq!(files.read_text("/key").unwrap(), "three");
        assert_eq!(files.list("/").unwrap().len(), 3);
    }
}
