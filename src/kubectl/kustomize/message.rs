//! What goes to kustomize and what comes back, and both as bytes: a list of texts, each after its length.

#[cfg(any(test, feature = "module"))]
use crate::shell::User;
use crate::shell::{FileKind, Files, join};
#[cfg(any(test, feature = "module"))]
use crate::sim::{Sim, Time};

/// What a command line may say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Files outside of a kustomization's directory may be read.
    pub free: bool,
    pub helm: bool,
    /// The order of the kustomizations rather than kustomize's own, unless `sortOptions` says otherwise.
    pub unsorted: bool,
    /// Every resource gets the label of what made it.
    pub managed_by: bool,
}

/// One build.
pub struct Request {
    pub options: Options,
    /// Where paths begin.
    pub cwd: String,
    /// The kustomization's directory, as the user named it.
    pub path: String,
    pub files: Files,
}

/// A resource that was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// `None` when its kind has none.
    pub namespace: Option<String>,
    /// The name of its file among others of its namespace.
    pub file: String,
    pub yaml: String,
}

/// What a build gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Told even when it failed.
    pub warnings: Vec<String>,
    /// kustomize's sentence when it failed.
    pub outcome: Result<Vec<Manifest>, String>,
}

/// Directories of which nobody builds anything, and in which files have no end.
const NOT_SENT: [&str; 3] = ["/dev", "/proc", "/sys"];

#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn text(&mut self, text: impl AsRef<[u8]>) {
        let text = text.as_ref();
        self.0.extend((text.len() as u64).to_le_bytes());
        self.0.extend(text);
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk::<8>()?;
        let (bytes, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        self.0 = rest;
        Some(bytes)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    fn is_done(&self) -> bool {
        self.0.is_empty()
    }
}

impl Options {
    /// Each as it is sent.
    fn flags(&mut self) -> [&mut bool; 4] {
        [&mut self.free, &mut self.helm, &mut self.unsorted, &mut self.managed_by]
    }
}

/// Adds what lies below a directory: of each entry a letter for its kind, its path, and its bytes or a link's target.
fn write_files(w: &mut Writer, files: &Files, dir: &str) {
    for (name, stat) in files.list(dir).unwrap_or_default() {
        let path = join(dir, &name);
        let mut entry = |kind: &str, contents: &[u8]| {
            w.text(kind);
            w.text(&path);
            w.text(contents);
        };
        match stat.kind {
            _ if NOT_SENT.contains(&path.as_str()) => {}
            FileKind::Directory if files.list(&path).is_err() => entry(DENIED_DIRECTORY, b""),
            FileKind::Directory => {
                entry(DIRECTORY, b"");
                write_files(w, files, &path);
            }
            FileKind::Symlink => entry(LINK, stat.target.unwrap_or_default().as_bytes()),
            FileKind::File => match files.read(&path) {
                Ok(bytes) => entry(FILE, &bytes),
                Err(_) => entry(DENIED_FILE, b""),
            },
            FileKind::Device => {}
        }
    }
}

const DIRECTORY: &str = "d";
const FILE: &str = "f";
const LINK: &str = "l";
/// What whoever builds may not read.
const DENIED_DIRECTORY: &str = "D";
const DENIED_FILE: &str = "F";

impl Request {
    /// The request with all files that whoever asks can read.
    pub fn to_bytes(mut self) -> Vec<u8> {
        let mut w = Writer::default();
        for flag in self.options.flags() {
            w.text(if *flag { "1" } else { "" });
        }
        w.text(&self.cwd);
        w.text(&self.path);
        write_files(&mut w, &self.files, "/");
        w.0
    }

    /// `None` when the bytes are something else.
    #[cfg(any(test, feature = "module"))]
    pub fn from_bytes(bytes: &[u8]) -> Option<Request> {
        let mut r = Reader(bytes);
        let mut options = Options::default();
        for flag in options.flags() {
            *flag = !r.bytes()?.is_empty();
        }
        let (cwd, path) = (r.text()?, r.text()?);
        let files = Files::new(&Sim::new(0, Time::default()));
        let mut denied = Vec::new();
        while !r.is_done() {
            let (kind, at, contents) = (r.text()?, r.text()?, r.bytes()?);
            match kind.as_str() {
                DIRECTORY | DENIED_DIRECTORY => files.make_dirs(&at),
                LINK => files.symlink(&String::from_utf8_lossy(contents), &at),
                _ => files.write(&at, contents),
            }
            .ok()?;
            if kind == DENIED_DIRECTORY || kind == DENIED_FILE {
                denied.push(at);
            }
        }
        for at in denied {
            files.set_mode(&at, 0).ok()?;
        }
        // Whom permissions bind, unlike root.
        files.act_as(User {
            uid: 1,
            gid: 1,
            ..User::default()
        });
        Some(Request {
            options,
            cwd,
            path,
            files,
        })
    }
}

const WARNING: &str = "warning";
const FAILURE: &str = "failure";
const NAMESPACED: &str = "namespaced";

impl Response {
    #[cfg(any(test, feature = "module"))]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::default();
        for warning in &self.warnings {
            w.text(WARNING);
            w.text(warning);
        }
        match &self.outcome {
            Ok(manifests) => {
                for manifest in manifests {
                    match &manifest.namespace {
                        Some(namespace) => {
                            w.text(NAMESPACED);
                            w.text(namespace);
                        }
                        None => w.text(""),
                    }
                    w.text(&manifest.file);
                    w.text(&manifest.yaml);
                }
            }
            Err(why) => {
                w.text(FAILURE);
                w.text(why);
            }
        }
        w.0
    }

    /// `None` when the bytes are something else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Response> {
        let mut r = Reader(bytes);
        let (mut warnings, mut manifests, mut failure) = (Vec::new(), Vec::new(), None);
        while !r.is_done() {
            match r.text()?.as_str() {
                WARNING => warnings.push(r.text()?),
                FAILURE => failure = Some(r.text()?),
                kind => manifests.push(Manifest {
                    namespace: match kind == NAMESPACED {
                        true => Some(r.text()?),
                        false => None,
                    },
                    file: r.text()?,
                    yaml: r.text()?,
                }),
            }
        }
        Some(Response {
            warnings,
            outcome: failure.map_or(Ok(manifests), Err),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_come_as_they_were_sent() {
        let files = Files::with_base(&Sim::new(1, Time::default()));
        files.make_dirs("/w/base").unwrap();
        files.make_dirs("/w/shut").unwrap();
        files.write("/w/base/a", [0, 255]).unwrap();
        files.write("/w/shut/b", *b"b").unwrap();
        files.write("/w/secret", *b"c").unwrap();
        files.symlink("base/a", "/w/link").unwrap();
        files.set_mode("/w/shut", 0o700).unwrap();
        files.set_mode("/w/secret", 0o600).unwrap();
        files.act_as(User {
            uid: 1000,
            gid: 1000,
            ..User::default()
        });
        let request = Request {
            options: Options {
                unsorted: true,
                ..Options::default()
            },
            cwd: "/w".to_owned(),
            path: "base".to_owned(),
            files: files.clone(),
        };
        let bytes = request.to_bytes();
        let got = Request::from_bytes(&bytes).unwrap();
        assert!(got.options.unsorted && !got.options.free && !got.options.helm && !got.options.managed_by);
        assert_eq!((got.cwd.as_str(), got.path.as_str()), ("/w", "base"));
        for path in ["/w/base/a", "/w/link", "/w/shut/b", "/w/secret", "/w/none", "/w/base"] {
            assert_eq!(got.files.read(path), files.read(path), "{path}");
        }
        assert_eq!(got.files.real_path("/w/link"), files.real_path("/w/link"));
        assert!(!got.files.exists("/proc/version"));
        assert!(Request::from_bytes(&bytes[..bytes.len() - 1]).is_none());
    }

    #[test]
    fn responses_come_as_they_were_sent() {
        let manifest = |namespace: Option<&str>| Manifest {
            namespace: namespace.map(str::to_owned),
            file: "v1_pod_a.yaml".to_owned(),
            yaml: "kind: Pod\n".to_owned(),
        };
        for outcome in [
            Ok(vec![manifest(None), manifest(Some("")), manifest(Some("a"))]),
            Ok(Vec::new()),
            Err("why".to_owned()),
        ] {
            let response = Response {
                warnings: vec!["a".to_owned(), String::new()],
                outcome,
            };
            let bytes = response.to_bytes();
            assert_eq!(Response::from_bytes(&bytes), Some(response));
            assert_eq!(Response::from_bytes(&bytes[..bytes.len() - 1]), None);
        }
    }
}
