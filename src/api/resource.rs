//! The resources that the API serves: built-in ones from `data/resources.txt` (made by `cargo xtask
//! schema` from a real server's discovery), custom ones added while the world runs.

use std::cell::OnceCell;
use std::rc::Rc;

use super::custom::CustomVersion;
use super::strategy::Strategy;

const RESOURCES: &str = include_str!("data/resources.txt");

/// One resource, or one subresource (`pods/log`).
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// Empty for the core group.
    pub group: Rc<str>,
    /// `v1`.
    pub version: Rc<str>,
    /// The plural, `pods`; of a subresource `pods/log`.
    pub name: Rc<str>,
    /// `pod`; empty for subresources.
    pub singular: Rc<str>,
    /// The kind of its objects.
    pub kind: Rc<str>,
    /// Whether its objects are in namespaces.
    pub namespaced: bool,
    /// What can be done, sorted (`create`, `list`).
    pub verbs: Vec<Rc<str>>,
    /// `po`.
    pub short_names: Vec<Rc<str>>,
    /// `all`.
    pub categories: Vec<Rc<str>>,
    /// The group and version of `kind` where they are not the resource's own (`autoscaling/v1` of
    /// a `scale`).
    pub kind_group_version: Option<(Rc<str>, Rc<str>)>,
    /// As discovery shows it; empty where it shows none.
    pub storage_version_hash: Rc<str>,
    /// What a definition says of a custom resource; `None` for the built-in ones.
    pub custom: Option<Rc<CustomVersion>>,
}

impl Resource {
    /// `v1`, `apps/v1`.
    pub fn api_version(&self) -> String {
        join(&self.group, &self.version)
    }

    /// `/v1`, `apps/v1`: how Go prints the group and version before a kind or a resource (`/v1, Kind=Pod`), where
    /// the core group is not left out as it is in an `apiVersion`.
    pub fn group_version(&self) -> String {
        format!("{}/{}", self.group, self.version)
    }

    /// `pods`, `deployments.apps`: how errors and names print a resource.
    pub fn qualified(&self) -> String {
        self.dotted(&self.name)
    }

    /// `Pod`, `Deployment.apps`: how errors print a kind.
    pub fn group_kind(&self) -> String {
        self.dotted(&self.kind)
    }

    /// A word with the group behind it, unless that is the core group.
    fn dotted(&self, word: &str) -> String {
        match &*self.group {
            "" => word.to_owned(),
            group => format!("{word}.{group}"),
        }
    }

    /// The path of its collection: `/api/v1/namespaces/default/pods`, `/apis/apps/v1/deployments`.
    /// An empty namespace gives the collection of all namespaces.
    pub fn path(&self, namespace: &str) -> String {
        let root = if self.group.is_empty() { "/api" } else { "/apis" };
        if self.namespaced && !namespace.is_empty() {
            format!("{root}/{}/namespaces/{namespace}/{}", self.api_version(), self.name)
        } else {
            format!("{root}/{}/{}", self.api_version(), self.name)
        }
    }

    /// The rules of its objects.
    pub fn strategy(&self) -> &dyn Strategy {
        match &self.custom {
            Some(custom) => &**custom,
            None => super::kinds::strategy(&self.group, &self.name),
        }
    }

    /// Whether the resource is served with a verb (`list`).
    pub fn can(&self, verb: &str) -> bool {
        self.verbs.iter().any(|v| &**v == verb)
    }
}

/// `group/version`, or the version alone in the core group.
pub fn join(group: &str, version: &str) -> String {
    if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    }
}

/// The group and version of an `apiVersion`.
pub fn split(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

thread_local! {
    static BUILT_IN: OnceCell<Rc<Vec<Rc<Resource>>>> = const { OnceCell::new() };
}

/// The built-in resources in the order of discovery, subresources among them.
pub fn built_in() -> Rc<Vec<Rc<Resource>>> {
    BUILT_IN.with(|cell| cell.get_or_init(|| Rc::new(parse(RESOURCES))).clone())
}

fn parse(text: &str) -> Vec<Rc<Resource>> {
    let mut resources = Vec::new();
    let (mut group, mut version): (Rc<str>, Rc<str>) = ("".into(), "".into());
    for line in text.lines() {
        let Some(row) = line.strip_prefix('\t') else {
            let path = line.trim_start_matches("/apis/").trim_start_matches("/api/");
            let (g, v) = split(path);
            (group, version) = (g.into(), v.into());
            continue;
        };
        let words: Vec<&str> = row.split('\t').collect();
        let word = |i: usize| words.get(i).copied().unwrap_or("");
        let list = |i: usize| word(i).split(',').filter(|w| !w.is_empty()).map(Rc::from).collect();
        resources.push(Rc::new(Resource {
            group: group.clone(),
            version: version.clone(),
            name: word(0).into(),
            singular: word(1).into(),
            namespaced: word(2) == "n",
            kind: word(3).into(),
            verbs: list(4),
            short_names: list(5),
            categories: list(6),
            kind_group_version: word(7).split_once('/').map(|(g, v)| (g.into(), v.into())),
            storage_version_hash: word(8).into(),
            custom: None,
        }));
    }
    resources
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_resources() {
        let all = built_in();
        let find = |group: &str, name: &str| {
            all.iter()
                .find(|r| &*r.group == group && &*r.name == name)
                .unwrap()
                .clone()
        };
        let deployments = find("apps", "deployments");
        assert_eq!(deployments.path("test"), "/apis/apps/v1/namespaces/test/deployments");
        assert_eq!(deployments.qualified(), "deployments.apps");
        assert_eq!(deployments.group_kind(), "Deployment.apps");
        assert_eq!(deployments.group_version(), "apps/v1");
        let pods = find("", "pods");
        assert_eq!(pods.path(""), "/api/v1/pods");
        assert_eq!(pods.group_kind(), "Pod");
        assert_eq!(pods.group_version(), "/v1");
        let scale = find("apps", "deployments/scale");
        assert_eq!(scale.kind_group_version, Some(("autoscaling".into(), "v1".into())));
    }
}
