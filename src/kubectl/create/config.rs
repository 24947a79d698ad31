//! `kubectl create configmap` and `kubectl create secret`.

use super::{GENERATOR, generate, one_name};
use crate::api::auth::certificate::check_pair;
use crate::api::names;
use crate::kubectl::command::{Cmd, VERB, Verb};
use crate::kubectl::error::Error;
use crate::kubectl::flags::{Flag, Kind, flag};
use crate::obj;
use crate::value::{Value, base64, quoted};

const APPEND_HASH: Flag = flag("append-hash", '\0', Kind::Bool, "false");

const SOURCES: &[Flag] = &[
    APPEND_HASH,
    flag("from-env-file", '\0', Kind::Slice, "[]"),
    flag("from-file", '\0', Kind::Slice, "[]"),
    flag("from-literal", '\0', Kind::Array, "[]"),
];

pub static CONFIG_MAP: Verb = Verb {
    name: "configmap",
    aliases: &["cm"],
    short: "Create a config map from a local file, directory or literal value",
    flags: &[
        SOURCES,
        GENERATOR[0],
        GENERATOR[1],
        GENERATOR[2],
        GENERATOR[3],
        GENERATOR[4],
    ],
    run: Some(|c| Box::pin(config_map(c))),
    ..VERB
};

/// Keys and bytes, in the order in which they were given.
type Data = Vec<(String, Vec<u8>)>;

async fn data(cmd: &Cmd, secret: bool) -> Result<Data, Error> {
    let (env, files, literals) = (
        cmd.flags.all("from-env-file"),
        cmd.flags.all("from-file"),
        cmd.flags.all("from-literal"),
    );
    if !env.is_empty() && (!files.is_empty() || !literals.is_empty()) {
        return Err(Error::plain(
            "from-env-file cannot be combined with from-file or from-literal",
        ));
    }
    let mut data: Data = Vec::new();
    let mut add = |key: &str, bytes: Vec<u8>| -> Result<(), Error> {
        names::config_map_key(key).map_err(|broken| {
            Error::plain(match secret {
                true => format!(
                    "{key} is not valid key name for a Secret {}",
                    broken.0.join(";"),
                    key = quoted(&key)
                ),
                false => format!(
                    "{key} is not a valid key name for a ConfigMap: {}",
                    broken.0.join(","),
                    key = quoted(&key)
                ),
            })
        })?;
        if let Some((_, there)) = data.iter().find(|(k, _)| k == key) {
            let map = if std::str::from_utf8(there).is_ok() {
                "Data"
            } else {
                "BinaryData"
            };
            return Err(Error::plain(match secret {
                true => format!("cannot add key {key}, another key by that name already exists"),
                false => format!(
                    "cannot add key {key}, another key by that name already exists in {map} for ConfigMap {}",
                    quoted(&cmd.arg(0)),
                    key = quoted(&key)
                ),
            }));
        }
        data.push((key.to_owned(), bytes));
        Ok(())
    };
    let read = async |path: &str| -> Result<Vec<u8>, Error> {
        let bytes = match cmd.cx.is_descriptor(path) {
            true => match cmd.cx.open(path) {
                Ok(input) => Ok(input.read_all().await),
                Err(error) => Err(error),
            },
            false => cmd.cx.files.read(&cmd.cx.path(path)).map(|b| b.as_ref().clone()),
        };
        bytes.map_err(|e| Error::plain(format!("error reading {path}: {}", e.reason())))
    };
    for source in files {
        if source.matches('=').count() > 1 {
            return Err(Error::plain("key names or file paths cannot contain '='"));
        }
        let (key, path) = match source.split_once('=') {
            Some((k, p)) if !k.is_empty() && !p.is_empty() => (Some(k), p),
            Some(("", _)) => {
                return Err(Error::plain(format!(
                    "key name for file path {} missing",
                    source.trim_start_matches('=')
                )));
            }
            Some((k, _)) => return Err(Error::plain(format!("file path for key name {k} missing"))),
            None => (None, source.as_str()),
        };
        let absolute = cmd.cx.path(path);
        if cmd.cx.files.is_dir(&absolute) {
            if key.is_some() {
                return Err(Error::plain("cannot give a key name for a directory path"));
            }
            for (name, stat) in cmd.cx.files.list(&absolute).unwrap_or_default() {
                if stat.kind == crate::shell::FileKind::File {
                    add(&name, read(&format!("{path}/{name}")).await?)?;
                }
            }
            continue;
        }
        let key = key.unwrap_or_else(|| crate::shell::base_name(path)).to_owned();
        add(&key, read(path).await?)?;
    }
    for literal in literals {
        match literal.split_once('=') {
            Some((k, v)) if !k.is_empty() => add(k, v.as_bytes().to_vec())?,
            _ => {
                return Err(Error::plain(format!(
                    "invalid literal source {literal}, expected key=value"
                )));
            }
        }
    }
    for path in env {
        if cmd.cx.files.is_dir(&cmd.cx.path(path)) {
            let what = if secret { "secret" } else { "config" };
            return Err(Error::plain(format!("env {what} file cannot be a directory")));
        }
        let bytes = read(path).await?;
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        for (i, line) in bytes.split(|b| *b == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let line = std::str::from_utf8(line).map_err(|_| {
                let shown: Vec<String> = line.iter().map(u8::to_string).collect();
                Error::plain(format!(
                    "env file {path} contains invalid utf8 bytes at line {}: [{}]",
                    i + 1,
                    shown.join(" ")
                ))
            })?;
            let line = if i == 0 {
                line.trim_start_matches('\u{feff}')
            } else {
                line
            };
            let line = line.trim_start();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let name = line.split('=').next().unwrap_or_default();
            if !crate::kubectl::set::is_variable(name) {
                return Err(Error::plain(format!(
                    "{name} is not a valid key name: {}",
                    crate::kubectl::set::VARIABLE_NAME,
                    name = quoted(&name)
                )));
            }
            match line.split_once('=') {
                Some((k, v)) => add(k, v.as_bytes().to_vec())?,
                None => add(line, cmd.cx.env.get(line).cloned().unwrap_or_default().into_bytes())?,
            }
        }
    }
    Ok(data)
}

/// `--append-hash`: what the content comes to, behind the name.
fn append_hash(cmd: &Cmd, object: &mut Value) {
    if !cmd.flags.bool("append-hash") {
        return;
    }
    let name = object.str_at(&["metadata", "name"]).to_owned();
    let mut content = obj! {
        "data": Value::map(), "kind": object.get("kind").clone(), "name": name.as_str(),
    };
    for field in ["data", "binaryData"] {
        if object.has(field) {
            content.set(&[field], object.get(field).clone());
        }
    }
    if object.str_at(&["kind"]) == "Secret" {
        content.set(&["type"], object.str_at(&["type"]));
    }
    let hash = crate::kubectl::kustomize::short_hash(&content);
    object.set(&["metadata", "name"], format!("{name}-{hash}"));
}

async fn config_map(cmd: &Cmd) -> Result<(), Error> {
    let name = one_name(cmd)?;
    let mut object = obj! { "apiVersion": "v1", "kind": "ConfigMap", "metadata": obj! { "name": name } };
    for (key, bytes) in data(cmd, false).await? {
        match String::from_utf8(bytes) {
            Ok(text) => object.set(&["data", &key], text),
            Err(e) => object.set(&["binaryData", &key], base64::encode(e.as_bytes())),
        }
    }
    append_hash(cmd, &mut object);
    generate(cmd, object, "failed to create configmap").await
}

pub static SECRET: Verb = Verb {
    name: "secret",
    short: "Create a secret using a specified subcommand",
    subs: &[&DOCKER, &GENERIC, &TLS],
    ..VERB
};

const TYPE: &[Flag] = &[flag("type", '\0', Kind::Str, "")];

static GENERIC: Verb = Verb {
    name: "generic",
    short: "Create a secret from a local file, directory, or literal value",
    flags: &[
        SOURCES,
        TYPE,
        GENERATOR[0],
        GENERATOR[1],
        GENERATOR[2],
        GENERATOR[3],
        GENERATOR[4],
    ],
    run: Some(|c| Box::pin(generic(c))),
    ..VERB
};

async fn generic(cmd: &Cmd) -> Result<(), Error> {
    let name = one_name(cmd)?;
    let mut object = obj! { "apiVersion": "v1", "kind": "Secret", "metadata": obj! { "name": name } };
    for (key, bytes) in data(cmd, true).await? {
        object.set(&["data", &key], base64::encode(&bytes));
    }
    object.set_or_remove(&["type"], cmd.flags.str("type"));
    append_hash(cmd, &mut object);
    generate(cmd, object, "failed to create secret").await
}

const DOCKER_FLAGS: &[Flag] = &[
    APPEND_HASH,
    flag("docker-email", '\0', Kind::Str, ""),
    flag("docker-password", '\0', Kind::Str, ""),
    flag("docker-server", '\0', Kind::Str, "https://index.docker.io/v1/"),
    flag("docker-username", '\0', Kind::Str, ""),
    flag("from-file", '\0', Kind::Slice, "[]"),
];

static DOCKER: Verb = Verb {
    name: "docker-registry",
    short: "Create a secret for use with a Docker registry",
    flags: &[
        DOCKER_FLAGS,
        GENERATOR[0],
        GENERATOR[1],
        GENERATOR[2],
        GENERATOR[3],
        GENERATOR[4],
    ],
    run: Some(|c| Box::pin(docker(c))),
    ..VERB
};

async fn docker(cmd: &Cmd) -> Result<(), Error> {
    let name = one_name(cmd)?;
    let files = cmd.flags.all("from-file");
    let (server, user, password, email) = (
        cmd.flags.str("docker-server"),
        cmd.flags.str("docker-username"),
        cmd.flags.str("docker-password"),
        cmd.flags.str("docker-email"),
    );
    let content = if files.is_empty() {
        if user.is_empty() || password.is_empty() || server.is_empty() {
            return Err(Error::plain(
                "either --from-file or the combination of --docker-username, --docker-password and --docker-server is required",
            ));
        }
        // Go writes the fields of its struct in their order.
        let quote = |t: &str| crate::value::gojson::compact(&Value::from(t), true);
        let mail = if email.is_empty() {
            String::new()
        } else {
            format!(",\"email\":{}", quote(email))
        };
        let auth = base64::encode(format!("{user}:{password}"));
        format!(
            "{{\"auths\":{{{}:{{\"username\":{},\"password\":{}{mail},\"auth\":{}}}}}}}",
            quote(server),
            quote(user),
            quote(password),
            quote(&auth)
        )
        .into_bytes()
    } else {
        data(cmd, true)
            .await?
            .into_iter()
            .next()
            .map(|(_, b)| b)
            .unwrap_or_default()
    };
    let mut object = obj! { "apiVersion": "v1", "kind": "Secret", "metadata": obj! { "name": name } };
    object.set(&["data", ".dockerconfigjson"], base64::encode(content));
    object.set(&["type"], "kubernetes.io/dockerconfigjson");
    append_hash(cmd, &mut object);
    generate(cmd, object, "failed to create secret").await
}

const TLS_FLAGS: &[Flag] = &[
    APPEND_HASH,
    flag("cert", '\0', Kind::Str, ""),
    flag("key", '\0', Kind::Str, ""),
];

static TLS: Verb = Verb {
    name: "tls",
    short: "Create a TLS secret",
    flags: &[
        TLS_FLAGS,
        GENERATOR[0],
        GENERATOR[1],
        GENERATOR[2],
        GENERATOR[3],
        GENERATOR[4],
    ],
    run: Some(|c| Box::pin(tls(c))),
    ..VERB
};

async fn tls(cmd: &Cmd) -> Result<(), Error> {
    let name = one_name(cmd)?;
    let (cert, key) = (cmd.flags.str("cert"), cmd.flags.str("key"));
    if cert.is_empty() || key.is_empty() {
        return Err(Error::plain("key and cert must be specified"));
    }
    let read = |path: &str| {
        cmd.cx
            .files
            .read_text(&cmd.cx.path(path))
            .map_err(|e| Error::plain(format!("Cannot read file {path}, {}", e.reading(path))))
    };
    let (cert, key) = (read(cert)?, read(key)?);
    check_pair(&cert, &key).map_err(Error::plain)?;
    let mut object = obj! { "apiVersion": "v1", "kind": "Secret", "metadata": obj! { "name": name } };
    object.set(&["data", "tls.crt"], base64::encode(cert));
    object.set(&["data", "tls.key"], base64::encode(key));
    object.set(&["type"], "kubernetes.io/tls");
    append_hash(cmd, &mut object);
    generate(cmd, object, "failed to create secret").await
}
