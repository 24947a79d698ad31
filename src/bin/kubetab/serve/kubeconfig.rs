//! The kubeconfig of the administrator, with the names that kubeadm gives.

use super::tls::Certificates;
use kubetab::value::{Value, base64, yaml};
use kubetab::{list, obj};

/// The file's text. Without certificates the server speaks plain HTTP.
pub fn text(server: &str, token: &str, certificates: Option<&Certificates>) -> String {
    let mut cluster = obj! { "server": server };
    let mut user = obj! { "token": token };
    if let Some(certificates) = certificates {
        let data = |pem: &str| Value::from(base64::encode(pem));
        cluster.set(&["certificate-authority-data"], data(&certificates.authority.to_pem()));
        user.set(&["client-certificate-data"], data(&certificates.admin.certificate));
        user.set(&["client-key-data"], data(&certificates.admin.key));
    }
    let config = obj! {
        "apiVersion": "v1",
        "clusters": list![obj! { "cluster": cluster, "name": "kubernetes" }],
        "contexts": list![obj! {
            "context": obj! { "cluster": "kubernetes", "user": "kubernetes-admin" },
            "name": "kubernetes-admin@kubernetes",
        }],
        "current-context": "kubernetes-admin@kubernetes",
        "kind": "Config",
        "preferences": Value::map(),
        "users": list![obj! { "name": "kubernetes-admin", "user": user }],
    };
    yaml::to_yaml(&config)
}
