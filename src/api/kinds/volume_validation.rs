//! Validation of volumes, a pod's own and persistent ones (`validateVolumeSource` and its kin).

use super::pod_validation::{self, Pod, descending, no_backsteps, one_of};
use super::storage;
use crate::api::names;
use crate::api::quantity::Quantity;
use crate::api::status::FieldErrors;
use crate::flat::{Case, FlatMap, FlatSet};
use crate::value::{Value, quoted};

/// The sources in the order in which they are checked: the first one counts. Each line has the
/// field, the name under which its errors stand where that is another one (`=`), and the fields that
/// it must have.
const SOURCES: &str = "\
emptyDir
hostPath path
gitRepo repository
gcePersistentDisk=persistentDisk pdName
awsElasticBlockStore volumeID
secret secretName
nfs server path
iscsi targetPortal iqn
glusterfs endpoints path
flocker
persistentVolumeClaim claimName
rbd monitors image
cinder volumeID
cephfs monitors
quobyte registry volume
downwardAPI
fc
flexVolume driver
configMap name
azureFile secretName shareName
vsphereVolume volumePath
photonPersistentDisk pdID
portworxVolume volumeID
azureDisk diskName diskURI
storageos
projected
scaleIO gateway system volumeName
local path
csi driver
ephemeral volumeClaimTemplate
image
";

/// Whether a field of a volume is its source.
pub(super) fn is_source(field: &str) -> bool {
    let name = |line: &'static str| line.split([' ', '=']).next();
    SOURCES.lines().any(|l| name(l) == Some(field))
}

/// Checks volumes, and gives those that are good by their names: only these can be mounted.
pub(super) fn list<'a>(
    list: &'a Value,
    pod: &Pod,
    field: &str,
    errors: &mut FieldErrors,
) -> FlatMap<&'a str, &'a Value> {
    let mut good: FlatMap<&str, &Value> = FlatMap::new();
    let created: Vec<String> = list
        .items()
        .iter()
        .filter(|v| !pod.name.is_empty() && !v.get("ephemeral").is_null())
        .map(|v| format!("{}-{}", pod.name, v.get("name").str()))
        .collect();
    for (i, volume) in list.items().iter().enumerate() {
        let at = format!("{field}[{i}]");
        let name = volume.get("name");
        let mut found = FieldErrors::default();
        source(volume, Some(pod), &at, &mut found);
        found.check_required(format!("{at}.name"), name, names::dns1123_label);
        if good.contains_key(name.str()) {
            found.duplicate(format!("{at}.name"), name);
        }
        if found.is_empty() {
            good.insert(name.str(), volume);
        }
        errors.0.append(&mut found.0);
        let claim = volume.at(&["persistentVolumeClaim", "claimName"]);
        if created.iter().any(|c| c == claim.str()) {
            let why = "must not reference a PVC that gets created for an ephemeral volume";
            errors.invalid(format!("{at}.persistentVolumeClaim.claimName"), claim, why);
        }
    }
    good
}

/// Checks the source of a volume; of a persistent one where there is no pod.
pub(super) fn source(volume: &Value, pod: Option<&Pod>, field: &str, errors: &mut FieldErrors) {
    let mut found = false;
    for line in SOURCES.lines() {
        let mut words = line.split(' ');
        let head = words.next().unwrap_or_default();
        let (kind, shown) = head.split_once('=').unwrap_or((head, head));
        let source = volume.get(kind);
        if source.is_null() {
            continue;
        }
        if found {
            errors.forbidden(format!("{field}.{kind}"), "may not specify more than 1 volume type");
            continue;
        }
        found = true;
        let at = format!("{field}.{shown}");
        for part in words {
            if source.get(part).is_empty() {
                errors.required(format!("{at}.{part}"), "");
            }
        }
        details(kind, source, volume, pod, &at, errors);
    }
    if !found {
        errors.required(field, "must specify a volume type");
    }
}

const MODE: &str = "must be a number between 0 and 0777 (octal), both inclusive";

fn mode(holder: &Value, part: &str, at: &str, errors: &mut FieldErrors) {
    let mode = holder.get(part);
    if mode.as_i64().is_some_and(|m| !(0..=0o777).contains(&m)) {
        errors.invalid(format!("{at}.{part}"), mode, MODE);
    }
}

/// A path of a file that a volume makes: relative, and not beginning with `..`.
fn local_path(path: &Value, at: &str, errors: &mut FieldErrors) {
    descending(path, at, errors);
    if path.str().starts_with("..") && !path.str().starts_with("../") {
        errors.invalid(at, path, "must not start with '..'");
    }
}

fn items(source: &Value, at: &str, errors: &mut FieldErrors) {
    for (i, item) in source.get("items").items().iter().enumerate() {
        let at = format!("{at}.items[{i}]");
        for part in ["key", "path"] {
            if item.get(part).is_empty() {
                errors.required(format!("{at}.{part}"), "");
            }
        }
        local_path(item.get("path"), &format!("{at}.path"), errors);
        mode(item, "mode", &at, errors);
    }
}

const DOWNWARD: [&str; 5] = [
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
];

/// Checks the files of the downward API. The real server leaves their place out of the paths.
fn downward(source: &Value, at: &str, errors: &mut FieldErrors) {
    for file in source.get("items").items() {
        let path = file.get("path");
        if path.is_empty() {
            errors.required(format!("{at}.path"), "");
        }
        local_path(path, &format!("{at}.path"), errors);
        let (field, resource) = (file.get("fieldRef"), file.get("resourceFieldRef"));
        match (field.is_null(), resource.is_null()) {
            (true, true) => errors.required(at, "one of fieldRef and resourceFieldRef is required"),
            (true, false) => {
                pod_validation::resource_ref(resource, true, &format!("{at}.resourceFieldRef"), errors);
            }
            (false, no_resource) => {
                pod_validation::field_ref(field, &DOWNWARD, &format!("{at}.fieldRef"), errors);
                if !no_resource {
                    let why = "fieldRef and resourceFieldRef can not be specified simultaneously";
                    errors.invalid(at, &"resource".into(), why);
                }
            }
        }
        mode(file, "mode", at, errors);
    }
}

fn projected(volume: &Value, at: &str, errors: &mut FieldErrors) {
    let mut paths = FlatSet::new();
    for (i, source) in volume.get("sources").items().iter().enumerate() {
        let at_source = format!("{at}.sources[{i}]");
        let mut found = 0;
        for kind in ["secret", "configMap"] {
            let body = source.get(kind);
            if body.is_null() {
                continue;
            }
            found += 1;
            let here = format!("{at_source}.{kind}");
            if body.get("name").is_empty() {
                errors.required(format!("{here}.name"), "");
            }
            items(body, &here, errors);
            for item in body.get("items").items() {
                let path = item.get("path").str();
                if !path.is_empty() && !paths.insert(path) {
                    errors.invalid(at, body.get("name"), "conflicting duplicate paths");
                }
            }
        }
        let body = source.get("downwardAPI");
        if !body.is_null() {
            found += 1;
            downward(body, &format!("{at_source}.downwardAPI"), errors);
            for item in body.get("items").items() {
                let path = item.get("path");
                if !path.is_empty() && !paths.insert(path.str()) {
                    errors.invalid(at, path, "conflicting duplicate paths");
                }
            }
        }
        let token = source.get("serviceAccountToken");
        if !token.is_null() {
            found += 1;
            let here = format!("{at_source}.serviceAccountToken.expirationSeconds");
            let seconds = token.get("expirationSeconds");
            if seconds.as_i64().is_some_and(|n| n < 600) {
                errors.invalid(here, seconds, "may not specify a duration less than 10 minutes");
            } else if seconds.as_i64().is_some_and(|n| n > 1 << 32) {
                errors.invalid(here, seconds, "may not specify a duration larger than 2^32 seconds");
            }
            if token.get("path").is_empty() {
                errors.required(format!("{at}.path"), "");
            } else {
                local_path(token.get("path"), &format!("{at}.path"), errors);
            }
        }
        let bundle = source.get("clusterTrustBundle");
        if !bundle.is_null() {
            found += 1;
            let here = format!("{at_source}.clusterTrustBundle");
            if bundle.get("name").is_null() && bundle.get("signerName").is_null() {
                errors.required(&here, "either name or signerName must be specified");
            }
            if bundle.get("path").is_empty() {
                errors.required(format!("{here}.path"), "");
            }
        }
        found += usize::from(!source.get("podCertificate").is_null());
        if found > 1 {
            errors.forbidden(at_source, "may not specify more than 1 volume type per source");
        }
    }
}

fn details(kind: &str, source: &Value, volume: &Value, pod: Option<&Pod>, at: &str, errors: &mut FieldErrors) {
    match kind {
        "emptyDir" if Quantity::parse_or_zero(source.str_at(&["sizeLimit"])).is_negative() => {
            let why = "SizeLimit field must be a valid resource quantity";
            errors.forbidden(format!("{at}.sizeLimit"), why);
        }
        "hostPath" if !source.get("path").is_empty() => {
            no_backsteps(source.get("path"), &format!("{at}.path"), errors);
            let known = [
                "",
                "BlockDevice",
                "CharDevice",
                "Directory",
                "DirectoryOrCreate",
                "File",
                "FileOrCreate",
                "Socket",
            ];
            errors.enumerated(format!("{at}.type"), source.get("type"), &known);
        }
        "local" => no_backsteps(source.get("path"), &format!("{at}.path"), errors),
        "gitRepo" => descending(source.get("directory"), &format!("{at}.directory"), errors),
        "gcePersistentDisk" | "awsElasticBlockStore" => {
            pod_validation::within(source.get("partition"), (0, 255), format!("{at}.partition"), errors);
        }
        "secret" | "configMap" => {
            mode(source, "defaultMode", at, errors);
            items(source, at, errors);
        }
        "nfs" if !source.get("path").str().starts_with('/') => {
            let path = Value::from(source.get("path").str());
            errors.invalid(format!("{at}.path"), &path, "must be an absolute path");
        }
        "downwardAPI" => {
            mode(source, "defaultMode", at, errors);
            downward(source, at, errors);
        }
        "projected" => {
            mode(source, "defaultMode", at, errors);
            projected(source, at, errors);
        }
        "flocker" if source.get("datasetName").is_empty() && source.get("datasetUUID").is_empty() => {
            errors.required(at, "one of datasetName and datasetUUID is required");
        }
        "fc" if source.get("targetWWNs").is_empty() && source.get("wwids").is_empty() => {
            let why = "must specify either targetWWNs or wwids, but not both";
            errors.required(format!("{at}.targetWWNs"), why);
        }
        "csi" => {
            let driver = source.get("driver");
            if driver.str().len() > 63 {
                errors.too_long(format!("{at}.driver"), 63);
            }
            if let Err(why) = names::dns1123_subdomain(&driver.str().lower()) {
                errors.invalid(format!("{at}.driver"), driver, why);
            }
            if pod.is_none() && source.get("volumeHandle").is_empty() {
                errors.required(format!("{at}.volumeHandle"), "");
            }
        }
        "ephemeral" => {
            let template = source.get("volumeClaimTemplate");
            if !template.is_null() {
                let here = format!("{at}.volumeClaimTemplate");
                crate::api::metadata::labels(
                    template.at(&["metadata", "labels"]),
                    &format!("{here}.metadata.labels"),
                    errors,
                );
                storage::claim_spec(template.get("spec"), &format!("{here}.spec"), errors);
            }
            let (pod, name) = (pod.map_or("", |p| p.name), volume.get("name"));
            let claim = format!("{pod}-{}", name.str());
            if !pod.is_empty()
                && !name.is_empty()
                && let Err(why) = names::dns1123_subdomain(&claim)
            {
                let parent = at.trim_end_matches(".ephemeral");
                for why in why.0 {
                    errors.invalid(
                        format!("{parent}.name"),
                        name,
                        format!("PVC name {claim}: {why}", claim = quoted(&claim)),
                    );
                }
            }
        }
        "image" => {
            if pod.is_some_and(|p| p.is_pod) && source.get("reference").is_empty() {
                errors.required(format!("{at}.reference"), "");
            }
            one_of(
                source.get("pullPolicy"),
                &["Always", "IfNotPresent", "Never"],
                format!("{at}.pullPolicy"),
                errors,
            );
        }
        _ => {}
    }
}
