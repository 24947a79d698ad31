//! The kubeconfig: which contexts there are and what namespace the present one is in.

use super::error::Error;
use crate::api::auth::certificate;
use crate::shell::Context;
use crate::value::{Value, base64, yaml};
use crate::{list, obj};

/// A kubeconfig and the file that it came from.
#[derive(Clone, Debug)]
pub struct Kubeconfig {
    pub path: String,
    pub value: Value,
}

/// The kubeconfig that kubeadm writes for its administrator.
pub fn admin() -> Value {
    let (certificate, key) = certificate::admin_pem();
    obj! {
        "apiVersion": "v1",
        "clusters": list![obj! {
            "cluster": obj! {
                "certificate-authority-data": base64::encode(certificate::authority_pem()),
                "server": "https://192.168.110.21:6443",
            },
            "name": "kubernetes",
        }],
        "contexts": list![obj! {
            "context": obj! { "cluster": "kubernetes", "user": "kubernetes-admin" },
            "name": "kubernetes-admin@kubernetes",
        }],
        "current-context": "kubernetes-admin@kubernetes",
        "kind": "Config",
        "users": list![obj! {
            "name": "kubernetes-admin",
            "user": obj! {
                "client-certificate-data": base64::encode(certificate),
                "client-key-data": base64::encode(key),
            },
        }],
    }
}

/// The administrator's kubeconfig as a file's text: what `/root/.kube/config` holds at the start.
pub fn admin_text() -> String {
    yaml::to_yaml(&admin())
}

impl Kubeconfig {
    /// Reads the file that `--kubeconfig` or `$KUBECONFIG` names, or `~/.kube/config`. Without any
    /// file the administrator's is used, which is what a fresh machine here would be given.
    ///
    /// # Errors
    /// When a named file is not there or is no kubeconfig.
    pub fn load(cx: &Context, flag: &str) -> Result<Kubeconfig, Error> {
        let home = cx.env.get("HOME").map_or("/root", String::as_str);
        let standard = format!("{home}/.kube/config");
        let path = if !flag.is_empty() {
            if !cx.files.is_file(&cx.path(flag)) {
                return Err(Error::plain(format!("stat {flag}: no such file or directory")));
            }
            cx.path(flag)
        } else {
            match cx.env.get("KUBECONFIG").filter(|p| !p.is_empty()) {
                Some(p) => cx.path(p.split(':').next().unwrap_or(p)),
                None => standard,
            }
        };
        let value = match cx.files.read_text(&path) {
            Ok(text) => {
                yaml::decode(&text).map_err(|e| Error::plain(format!("error loading config file \"{path}\": {e}")))?
            }
            Err(_) => admin(),
        };
        Ok(Kubeconfig { path, value })
    }

    /// The path of a file that the kubeconfig names: a relative one begins where the kubeconfig lies.
    pub fn resolve(&self, path: &str) -> String {
        if path.is_empty() || path.starts_with('/') {
            return path.to_owned();
        }
        format!("{}/{path}", crate::shell::dir_name(&self.path))
    }

    /// The name of the present context; `chosen` is `--context`.
    pub fn current<'a>(&'a self, chosen: &'a str) -> &'a str {
        if chosen.is_empty() {
            self.value.str_at(&["current-context"])
        } else {
            chosen
        }
    }

    /// A named entry of `clusters`, `contexts` or `users`.
    pub fn entry(&self, list: &str, name: &str) -> Option<&Value> {
        self.value
            .get(list)
            .items()
            .iter()
            .find(|e| e.str_at(&["name"]) == name)
    }

    /// The namespace of the present context, or `default`.
    pub fn namespace(&self, chosen: &str) -> String {
        match self
            .entry("contexts", self.current(chosen))
            .map_or("", |c| c.str_at(&["context", "namespace"]))
        {
            "" => "default".to_owned(),
            ns => ns.to_owned(),
        }
    }

    /// Writes the file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, cx: &Context) -> Result<(), Error> {
        let dir = crate::shell::dir_name(&self.path).to_owned();
        cx.files
            .make_dirs(&dir)
            .and_then(|()| cx.files.write(&self.path, yaml::to_yaml(&self.value)))
            .map_err(|e| Error::plain(format!("open {}: {e}", self.path)))
    }
}
