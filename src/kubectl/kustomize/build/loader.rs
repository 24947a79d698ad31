//! Files of a kustomization: paths below its directory, and directories of other kustomizations.

use super::error::{Error, Result, fail};
use crate::shell::{self, Files};
use crate::value::quoted;

/// Reads what a kustomization in one directory names.
#[derive(Clone)]
pub struct Loader {
    files: Files,
    /// The directory, absolute and without links.
    pub root: String,
    /// Directories of those that led here, the nearest last.
    visited: Vec<String>,
    /// Whether files outside of the directory may be read.
    pub free: bool,
}

/// Why a URL gives nothing.
fn unreachable(url: &str) -> Error {
    Error::Remote(format!(
        "unable to reach {url}: this cluster has no way out to the Internet; save the files here and name them instead",
        url = quoted(&url)
    ))
}

/// Whether a path is a URL of a file or of a git repository.
pub fn is_remote(path: &str) -> bool {
    let git = [
        "git@",
        "git::",
        "ssh://",
        "github.com/",
        "github.com:",
        "file://",
        "oci://",
    ];
    ["http://", "https://"].iter().chain(&git).any(|p| path.starts_with(p))
}

impl Loader {
    /// The loader of a build, at a directory that the user named.
    ///
    /// # Errors
    /// When there is no such directory.
    pub fn new(files: &Files, cwd: &str, path: &str, free: bool) -> Result<Loader> {
        if is_remote(path) {
            return Err(unreachable(path));
        }
        let root = directory(files, cwd, path).map_err(|e| e.within("must build at directory"))?;
        Ok(Loader {
            files: files.clone(),
            root,
            visited: Vec::new(),
            free,
        })
    }

    /// The loader of another kustomization that this one names.
    ///
    /// # Errors
    /// When there is no such directory, or it contains one that led here.
    pub fn enter(&self, path: &str) -> Result<Loader> {
        if path.is_empty() {
            return fail("new root cannot be empty");
        }
        if is_remote(path) {
            return Err(unreachable(path));
        }
        if path.starts_with('/') {
            return fail(format!("new root '{path}' cannot be absolute"));
        }
        let joined = shell::join(&self.root, path);
        let root = directory(&self.files, "/", &joined).map_err(|e| e.within("must build at directory"))?;
        let mut visited = self.visited.clone();
        visited.push(self.root.clone());
        for dir in visited.iter().rev() {
            if is_in(dir, &root) {
                return fail(format!(
                    "cycle detected: candidate root '{root}' contains visited root '{dir}'"
                ));
            }
        }
        Ok(Loader {
            files: self.files.clone(),
            root,
            visited,
            free: self.free,
        })
    }

    /// A file's bytes.
    ///
    /// # Errors
    /// When there is none, or it may not be read.
    pub fn load(&self, path: &str) -> Result<Vec<u8>> {
        if is_remote(path) {
            return Err(unreachable(path));
        }
        let path = shell::join(&self.root, path);
        let mut real = path.clone();
        if !self.free {
            real = resolve(&self.files, "/", &path)?;
            if self.files.is_dir(&real) {
                return fail(format!("'{path}' must resolve to a file"));
            }
            if !is_in(shell::dir_name(&real), &self.root) {
                return fail(format!("security; file '{path}' is not in or below '{}'", self.root));
            }
        }
        match self.files.read(&real) {
            Ok(bytes) => Ok(bytes.to_vec()),
            Err(e) => fail(e.reading(&real)),
        }
    }

    /// A file's text.
    ///
    /// # Errors
    /// As [`Loader::load`].
    pub fn load_text(&self, path: &str) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.load(path)?).into_owned())
    }
}

/// Whether a directory is another one or lies below it.
fn is_in(dir: &str, root: &str) -> bool {
    root == "/"
        || dir
            .strip_prefix(root)
            .is_some_and(|r| r.is_empty() || r.starts_with('/'))
}

/// The path without links, as Go's `filepath.EvalSymlinks` finds it.
fn resolve(files: &Files, cwd: &str, path: &str) -> Result<String> {
    let absolute = shell::join(cwd, path);
    let failed = |at: &str, why: &str| fail(format!("evalsymlink failure on '{path}' : lstat {at}: {why}"));
    let mut at = String::new();
    for part in absolute.split('/').filter(|p| !p.is_empty()) {
        let above = if at.is_empty() { "/" } else { &at };
        if !files.is_dir(above) {
            return fail(format!("evalsymlink failure on '{path}' : not a directory"));
        }
        at = format!("{at}/{part}");
        if files.stat(&at, false).is_err() {
            return failed(&at, "no such file or directory");
        }
    }
    match files.real_path(&absolute) {
        Ok(real) => Ok(real),
        Err(e) => failed(&absolute, &e.reason()),
    }
}

fn directory(files: &Files, cwd: &str, path: &str) -> Result<String> {
    if path.is_empty() {
        return fail("directory path cannot be empty");
    }
    let real = resolve(files, cwd, path).map_err(|e| e.within("not a valid directory"))?;
    if files.is_dir(&real) {
        Ok(real)
    } else {
        fail(format!("'{path}': file is not directory"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Sim;

    #[test]
    fn what_may_be_read() {
        let sim = Sim::new(1, crate::sim::Time::default());
        let files = Files::new(&sim);
        files.make_dirs("/w/a/sub").unwrap();
        for f in ["/w/out", "/w/a/in", "/w/a/sub/deep"] {
            files.write(f, *b"x").unwrap();
        }
        files.symlink("/w/out", "/w/a/link").unwrap();
        let loader = Loader::new(&files, "/w", "a", false).unwrap();
        for (path, want) in [
            ("in", "ok"),
            ("sub/deep", "ok"),
            ("sub", "'/w/a/sub' must resolve to a file"),
            ("../out", "security; file '/w/out' is not in or below '/w/a'"),
            ("link", "security; file '/w/a/link' is not in or below '/w/a'"),
            (
                "no/x",
                "evalsymlink failure on '/w/a/no/x' : lstat /w/a/no: no such file or directory",
            ),
            ("in/x", "evalsymlink failure on '/w/a/in/x' : not a directory"),
        ] {
            let got = loader.load(path).map_or_else(|e| e.to_string(), |_| "ok".into());
            assert_eq!(got, want, "{path}");
        }
        for (path, want) in [
            ("sub", "ok"),
            ("..", "cycle detected: candidate root '/w' contains visited root '/w/a'"),
            ("in", "must build at directory: '/w/a/in': file is not directory"),
            ("/w", "new root '/w' cannot be absolute"),
        ] {
            let got = loader.enter(path).map_or_else(|e| e.to_string(), |_| "ok".into());
            assert_eq!(got, want, "{path}");
        }
    }
}
