//! The Rust that builds for wasm.
//!
//! rustup's toolchain with the target `wasm32-unknown-unknown` where rustup can fetch it. Where it cannot,
//! Debian's own rustc (packages `rustc-web` and its kin): it comes without the standard library for wasm, but
//! with its sources, from which we build one. Everything for wasm then runs with /usr/bin first on the PATH.

use crate::Result;
use crate::shell::{command, output_of, root, run, run_quietly, step, which};
use crate::tools::{apt_install, has_apt};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

pub const TARGET: &str = "wasm32-unknown-unknown";

/// Names the compiler to use (`rustup` or `debian`) instead of the first that works.
const CHOICE: &str = "KUBETAB_WASM_RUST";

const DEBIAN_PACKAGES: [&str; 6] = [
    "rustc-web",
    "cargo-web",
    "rust-web-src",
    "rust-web-llvm",
    "rust-web-clippy",
    "lld-22",
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WasmRust {
    /// The cargo and rustc that run this command.
    Own,
    /// /usr/bin/cargo and /usr/bin/rustc.
    Debian,
}

impl WasmRust {
    /// What builds for wasm here, installed if need be.
    pub fn ready() -> Result<WasmRust> {
        let choice = std::env::var(CHOICE).unwrap_or_default();
        if choice != "debian" && own_is_ready() {
            return Ok(WasmRust::Own);
        }
        if choice != "rustup" && debian_is_ready() {
            return Ok(WasmRust::Debian);
        }
        let mut reason = String::new();
        if choice != "debian" {
            match add_target() {
                Ok(()) => return Ok(WasmRust::Own),
                Err(sentence) => reason = format!("rustup cannot add the target: {sentence}\n"),
            }
        }
        if choice == "rustup" {
            return Err(format!("There is no Rust for {TARGET}. {reason}"));
        }
        if !has_apt() {
            return Err(format!(
                "There is no Rust for {TARGET}. {reason}Install it by `rustup target add {TARGET}`, or use a Debian \
                 that has the package rustc-web."
            ));
        }
        apt_install(&DEBIAN_PACKAGES, "Debian's Rust for wasm, 120 MB: a minute")
            .map_err(|sentence| format!("There is no Rust for {TARGET}. {reason}{sentence}"))?;
        step(
            "building the standard library for wasm",
            "a minute or two",
            build_debian_std,
        )
        .map_err(|sentence| format!("There is no Rust for {TARGET}. {reason}{sentence}"))?;
        Ok(WasmRust::Debian)
    }

    /// A command that builds for wasm, or that calls cargo to do so.
    pub fn command(self, program: &str) -> Command {
        let mut path: Vec<PathBuf> = Vec::new();
        if self == WasmRust::Debian {
            path.push("/usr/bin".into());
        }
        path.extend(crate::tools::folders());
        path.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
        let joined = std::env::join_paths(&path).unwrap_or_else(|_| OsString::from("/usr/bin:/bin"));
        // The first match on the new PATH: the system looks the program up on ours.
        let found = path
            .iter()
            .map(|folder| folder.join(program))
            .find(|file| file.is_file());
        let mut command = command(found.unwrap_or_else(|| program.into()));
        command.env("PATH", joined);
        if self == WasmRust::Debian {
            command
                .env_remove("RUSTC")
                .env_remove("RUSTDOC")
                .env_remove("RUSTUP_TOOLCHAIN");
        }
        command
    }

    /// Why clippy cannot look at the wasm build, or None when it can.
    pub fn lacks_clippy(self) -> Option<String> {
        if output_of(self.command("cargo").args(["clippy", "--version"])).is_some() {
            return None;
        }
        if self == WasmRust::Debian
            && apt_install(&["rust-web-clippy"], "clippy of the Rust that builds for wasm: seconds").is_ok()
        {
            return None;
        }
        Some("The Rust that builds for wasm here has no clippy.".to_string())
    }
}

fn own_is_ready() -> bool {
    output_of(command("rustc").args(["--print", "sysroot"]))
        .is_some_and(|sysroot| has_std(&Path::new(sysroot.trim()).join("lib/rustlib").join(TARGET).join("lib")))
}

fn add_target() -> Result<()> {
    if which("rustup").is_none() {
        return Err("there is no rustup.".to_string());
    }
    step(&format!("rustup target add {TARGET}"), "20 MB: seconds", || {
        run_quietly(command("rustup").args(["target", "add", TARGET]))
    })?;
    if own_is_ready() {
        Ok(())
    } else {
        Err("it reported success, but the target is not there.".to_string())
    }
}

fn debian_lib() -> PathBuf {
    Path::new("/usr/lib/rustlib").join(TARGET).join("lib")
}

/// The compiler that built the library. Another one cannot read it.
fn debian_stamp() -> PathBuf {
    debian_lib().join("built-by")
}

fn debian_version() -> Option<String> {
    output_of(command("/usr/bin/rustc").arg("-vV"))
}

fn debian_is_ready() -> bool {
    let Some(version) = debian_version() else { return false };
    let same = std::fs::read_to_string(debian_stamp()).map_or(true, |built_by| built_by == version);
    same && has_std(&debian_lib()) && Path::new("/usr/bin/cargo").is_file()
}

fn has_std(folder: &Path) -> bool {
    let Ok(files) = std::fs::read_dir(folder) else {
        return false;
    };
    let names: Vec<String> = files
        .flatten()
        .map(|file| file.file_name().to_string_lossy().into_owned())
        .collect();
    ["libcore-", "libstd-"]
        .iter()
        .all(|part| names.iter().any(|name| name.starts_with(part)))
}

/// Builds the standard library from the package's sources by way of an empty crate, and puts it
/// where Debian's rustc looks for it.
fn build_debian_std() -> Result<()> {
    let folder = root().join(".tools/std");
    let files = [
        (
            "Cargo.toml",
            "[package]\nname = \"scratch\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n[workspace]\n",
        ),
        ("src/lib.rs", "//! Nothing: building it builds the standard library.\n"),
    ];
    for (name, text) in files {
        write(&folder.join(name), text)?;
    }
    let target = folder.join("target");
    run(WasmRust::Debian
        .command("cargo")
        .current_dir(&folder)
        .args([
            "build",
            "--quiet",
            "--release",
            "-Zbuild-std=std,panic_abort,test",
            "--target",
            TARGET,
        ])
        .env("CARGO_TARGET_DIR", &target)
        // Bitcode, because the release profile links with LTO; the variable, because building the
        // standard library is an unstable option.
        .env("RUSTFLAGS", "-Cembed-bitcode=yes")
        .env("RUSTC_BOOTSTRAP", "1"))?;
    let built = target.join(TARGET).join("release/deps");
    let script = format!(
        "mkdir -p {lib} && rm -f {lib}/*.rlib && cp {built}/*.rlib {lib}/ && rm -f {lib}/libscratch-*.rlib \
         && /usr/bin/rustc -vV > {stamp}",
        lib = quoted(&debian_lib()),
        built = quoted(&built),
        stamp = quoted(&debian_stamp()),
    );
    run(&mut crate::tools::as_root("sh", &["-c", &script])?)?;
    std::fs::remove_dir_all(&folder).ok();
    if debian_is_ready() {
        Ok(())
    } else {
        Err("The standard library was built but is not found.".to_string())
    }
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

/// Writes a file and the folders above it.
pub fn write(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(path, text))
        .map_err(|error| format!("Cannot write {}: {error}.", path.display()))
}
