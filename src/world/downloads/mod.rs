//! What the student's host can download although it has no way out to the Internet: the manifests
//! of a few add-ons, under the addresses at which tutorials fetch them.

use std::rc::Rc;

/// The release of metrics-server that is the latest here.
const METRICS_SERVER: &str = "v0.8.0";

/// The release of local-path-provisioner that its manifest is of.
const LOCAL_PATH: &str = "v0.0.31";

/// The known addresses (`{version}` stands for a release as `v0.7.2`) and what is there.
pub const KNOWN: &[(&str, &str)] = &[
    (
        "https://github.com/kubernetes-sigs/metrics-server/releases/latest/download/components.yaml",
        include_str!("metrics-server.yaml"),
    ),
    (
        "https://github.com/kubernetes-sigs/metrics-server/releases/download/{version}/components.yaml",
        include_str!("metrics-server.yaml"),
    ),
    (
        "https://raw.githubusercontent.com/rancher/local-path-provisioner/{version}/deploy/local-path-storage.yaml",
        include_str!("local-path-storage.yaml"),
    ),
];

/// What is at an address; `None` for one that is not known.
pub fn find(url: &str) -> Option<Rc<str>> {
    let url = url
        .strip_prefix("http://")
        .map_or_else(|| url.to_owned(), |r| format!("https://{r}"));
    KNOWN.iter().find_map(|(known, text)| {
        let Some((before, after)) = known.split_once("{version}") else {
            return (*known == url).then(|| (*text).into());
        };
        let version = url.strip_prefix(before)?.strip_suffix(after)?;
        let is_version = version.starts_with('v') && version.len() < 16 && !version.contains('/');
        is_version.then(|| {
            text.replace(METRICS_SERVER, version)
                .replace(LOCAL_PATH, version)
                .into()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let latest = "github.com/kubernetes-sigs/metrics-server/releases/latest/download/components.yaml";
        assert!(find(&format!("https://{latest}")).unwrap().contains(METRICS_SERVER));
        assert!(find(&format!("http://{latest}")).is_some());
        let old = find("https://github.com/kubernetes-sigs/metrics-server/releases/download/v0.6.1/components.yaml");
        assert!(old.unwrap().contains("metrics-server:v0.6.1"));
        assert!(find("https://example.com/components.yaml").is_none());
        for (_, text) in KNOWN {
            for document in text.split("\n---\n") {
                assert!(crate::value::yaml::decode(document).is_ok(), "{document}");
            }
        }
    }
}
