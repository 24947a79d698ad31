//! The volumes of a pod: what they hold, and where a container sees them.

use std::cell::OnceCell;

use super::env::{self, Sources};
use crate::api::auth::token::{ISSUER, issue};
use crate::api::views::Pod;
use crate::api::{ApiServer, Object, ObjectKey};
use crate::flat::{Arrange, FlatMap};
use crate::shell::{Files, join};
use crate::value::Value;
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
    /// The files of a claim's volume; `None` when the claim is not bound.
    pub claim: &'a dyn Fn(&str) -> Option<(Files, String)>,
}

/// Makes the volumes of a pod.
///
/// # Errors
/// Each volume that could not be made, with the sentence of its FailedMount event.
pub fn make(origin: &Origin) -> Result<Volumes, Vec<String>> {
    let mut volumes = Volumes::new();
    let mut failed = Vec::new();
    for volume in Pod(origin.pod).volumes() {
        let name = volume.get("name").str();
        match one(origin, volume) {
            Ok(files) => {
                volumes.insert(name.to_owned(), files);
            }
            Err(why) => failed.push(format!("MountVolume.SetUp failed for volume \"{name}\" : {why}")),
        }
    }
    if failed.is_empty() { Ok(volumes) } else { Err(failed) }
}

fn one(origin: &Origin, volume: &Value) -> Result<(Files, String), String> {
    let root = || "/".to_owned();
    if volume.has("hostPath") {
        let path = volume.str_at(&["hostPath", "path"]);
        return host_path(origin.host, path, volume.str_at(&["hostPath", "type"]));
    }
    if volume.has("persistentVolumeClaim") {
        let claim = volume.str_at(&["persistentVolumeClaim", "claimName"]);
        return (origin.claim)(claim).ok_or_else(|| format!("persistentvolumeclaim \"{claim}\" is not bound"));
    }
    if volume.has("ephemeral") {
        let claim = format!("{}-{}", origin.pod.name(), volume.get("name").str());
        return (origin.claim)(&claim).ok_or_else(|| format!("persistentvolumeclaim \"{claim}\" is not bound"));
    }
    let files = Files::new(origin.api.sim());
    refresh(origin, volume, &files)?;
    Ok((files, root()))
}

/// Writes a volume's content; what was there before and belongs to it is replaced.
///
/// # Errors
/// The sentence of the FailedMount event.
pub fn refresh(origin: &Origin, volume: &Value, files: &Files) -> Result<(), String> {
    let mut content = FlatMap::new();
    let mut mode = 0o644;
    let of_mode = |v: &Value| v.i64_at(&["defaultMode"]).and_then(|m| u32::try_from(m).ok());
    if volume.has("configMap") {
        let source = volume.get("configMap");
        mode = of_mode(source).unwrap_or(mode);
        of_map(origin, source, source.get("name").str(), false, &mut content)?;
    } else if volume.has("secret") {
        let source = volume.get("secret");
        mode = of_mode(source).unwrap_or(mode);
        of_map(origin, source, source.get("secretName").str(), true, &mut content)?;
    } else if volume.has("downwardAPI") {
        downward(origin, volume.get("downwardAPI"), &mut content)?;
    } else if volume.has("projected") {
        for source in volume.at(&["projected", "sources"]).items() {
            if source.has("configMap") {
                let s = source.get("configMap");
                of_map(origin, s, s.get("name").str(), false, &mut content)?;
            } else if source.has("secret") {
                let s = source.get("secret");
                of_map(origin, s, s.get("name").str(), true, &mut content)?;
            } else if source.has("downwardAPI") {
                downward(origin, source.get("downwardAPI"), &mut content)?;
            } else if source.has("serviceAccountToken") {
                token(origin, source.get("serviceAccountToken"), files)?;
            }
        }
    } else {
        // emptyDir, and kinds of volumes whose content is not simulated, begin empty.
        return Ok(());
    }
    for (path, bytes) in content {
        let path = join("/", &path);
        let _ = files.make_dirs(crate::shell::dir_name(&path));
        files.write(&path, bytes).map_err(|e| e.to_string())?;
        let _ = files.set_mode(&path, mode);
    }
    Ok(())
}

/// Puts a file with a token of the pod's account into a volume. It is issued when somebody first reads it, as most
/// are never read, and stays; the file is empty when the account is gone by then.
fn token(origin: &Origin, source: &Value, files: &Files) -> Result<(), String> {
    let path = join("/", source.get("path").str());
    if files.exists(&path) {
        return Ok(());
    }
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
    files.generate(&path, read).map_err(|e| e.to_string())?;
    let _ = files.set_mode(&path, 0o644);
    Ok(())
}

fn of_map(
    origin: &Origin,
    source: &Value,
    name: &str,
    secret: bool,
    content: &mut FlatMap<String, Vec<u8>>,
) -> Result<(), String> {
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
        content.extend(data);
        return Ok(());
    }
    for item in items {
        let key = item.get("key").str();
        match data.get(key) {
            Some(bytes) => {
                content.insert(item.get("path").str().to_owned(), bytes.clone());
            }
            None if optional => {}
            None if secret => return Err(format!("references non-existent secret key: {key}")),
            None => return Err(format!("references non-existent config key: {key}")),
        }
    }
    Ok(())
}

fn downward(origin: &Origin, source: &Value, content: &mut FlatMap<String, Vec<u8>>) -> Result<(), String> {
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
        content.insert(item.get("path").str().to_owned(), text.into_bytes());
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
            let _ = host.make_dirs(crate::shell::dir_name(&path));
            let _ = host.write(&path, "");
        }
        "File" | "FileOrCreate" | "Directory" => {}
        _ if !host.exists(&path) => {
            let _ = host.make_dirs(&path);
        }
        _ => {}
    }
    Ok((host.clone(), path))
}

/// Shows the volumes in a container's files.
///
/// # Errors
/// The sentence of a CreateContainerConfigError.
pub fn mount(volumes: &Volumes, container: &Value, env: &crate::shell::Env, files: &Files) -> Result<(), String> {
    let mut mounts: Vec<&Value> = container.get("volumeMounts").items().iter().collect();
    // Outer directories first, so that inner ones are not hidden.
    mounts.arrange_by_key(|m| m.get("mountPath").str().len());
    for mount in mounts {
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
        let _ = files.make_dirs(crate::shell::dir_name(&target));
        if from.is_file(&source) {
            // A single file: bound as it is now, as a subPath is.
            let bytes = from.read(&source).map_err(|e| e.to_string())?;
            let _ = files.write(&target, bytes.as_ref().clone());
            continue;
        }
        if !from.exists(&source) {
            from.make_dirs(&source).map_err(|e| {
                format!("failed to create subPath directory for volumeMount \"{name}\" of container: {e}")
            })?;
        }
        let _ = files.make_dirs(&target);
        files.mount(&target, from, &source).map_err(|e| e.to_string())?;
    }
    Ok(())
}
