//! What must be installed, how one sees that it is, and how to get it.

use crate::Result;
use crate::rust::WasmRust;
use crate::shell::{command, output_of, root, run_quietly, step, which};
use std::path::{Path, PathBuf};
use std::process::Command;

const TRUNK: &str = "0.21.14";
const WASM_PACK: &str = "0.15.1";
const NODE_AT_LEAST: u32 = 20;

/// What building the page takes. Gives the Rust that builds for wasm.
pub fn for_page() -> Result<WasmRust> {
    need_node()?;
    let rust = WasmRust::ready()?;
    npm_packages()?;
    cargo_tool(
        "wasm-bindgen",
        "wasm-bindgen-cli",
        &wasm_bindgen_version()?,
        "3 minutes on two cores",
    )?;
    cargo_tool("trunk", "trunk", TRUNK, "5 minutes on two cores")?;
    Ok(rust)
}

/// What building the npm package takes.
pub fn for_npm() -> Result<WasmRust> {
    let rust = for_page()?;
    cargo_tool("wasm-pack", "wasm-pack", WASM_PACK, "2 minutes on two cores")?;
    Ok(rust)
}

/// What all commands take together.
pub fn everything() -> Result<WasmRust> {
    let rust = for_npm()?;
    browser()?;
    Ok(rust)
}

/// Where we install tools of our own, to be looked through before the PATH.
pub fn folders() -> Vec<PathBuf> {
    let mut folders = vec![root().join(".tools/bin"), root().join("node_modules/.bin")];
    folders.extend(std::env::var_os("CARGO_HOME").map(|home| PathBuf::from(home).join("bin")));
    folders.extend(std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo/bin")));
    folders
}

/// The program among our own tools or on the PATH.
pub fn find(program: &str) -> Option<PathBuf> {
    folders()
        .into_iter()
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
        .or_else(|| which(program))
}

fn need_node() -> Result<()> {
    let version = output_of(command("node").arg("--version"));
    let major: Option<u32> = version
        .as_deref()
        .and_then(|text| text.trim().trim_start_matches('v').split('.').next()?.parse().ok());
    match major {
        Some(major) if major >= NODE_AT_LEAST && which("npm").is_some() => Ok(()),
        Some(major) if major < NODE_AT_LEAST => Err(format!(
            "node is version {major}; install node {NODE_AT_LEAST} or newer."
        )),
        _ => Err(format!(
            "There is no node with npm: install node {NODE_AT_LEAST} or newer, and npm."
        )),
    }
}

/// The packages of package.json, exactly as package-lock.json has them.
///
/// wasm-opt is among them: it is slower than a native one (20 s instead of 8 s for a module of 2 MB), but the
/// same everywhere. Debian's (version 108) breaks the page: it knows no `table.fill`, and it exports the first
/// table for every table's name, so that wasm-bindgen's glue finds functions where it keeps its references.
pub fn npm_packages() -> Result<()> {
    let lock = std::fs::read_to_string(root().join("package-lock.json"))
        .map_err(|error| format!("Cannot read package-lock.json: {error}."))?;
    // A copy of the lock file stands for what was installed.
    let stamp = root().join("node_modules/.installed-lock.json");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    step(
        "npm ci: xterm.js, CodeMirror, esbuild, wasm-opt, playwright-core, client-node",
        "seconds",
        || run_quietly(command("npm").args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])),
    )?;
    crate::rust::write(&stamp, &lock)
}

/// The version of wasm-bindgen in Cargo.lock: the tool must be of the same.
fn wasm_bindgen_version() -> Result<String> {
    let lock = std::fs::read_to_string(root().join("Cargo.lock"))
        .map_err(|error| format!("Cannot read Cargo.lock: {error}."))?;
    let mut lines = lock.lines().skip_while(|line| *line != "name = \"wasm-bindgen\"");
    let version = lines
        .nth(1)
        .and_then(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    version
        .map(str::to_string)
        .ok_or_else(|| "Cargo.lock names no version of wasm-bindgen.".to_string())
}

/// Whether the program answers `--version` with this version.
fn is_version(program: &Path, version: &str) -> bool {
    output_of(command(program).arg("--version")).is_some_and(|text| {
        text.split_whitespace()
            .any(|word| word.trim_start_matches('v') == version)
    })
}

/// A program that cargo installs: among the user's own when there is none yet, else (another version is there,
/// and is not ours to replace) in the project's `.tools`.
fn cargo_tool(program: &str, package: &str, version: &str, estimate: &str) -> Result<()> {
    let found = find(program);
    if found.as_deref().is_some_and(|path| is_version(path, version)) {
        return Ok(());
    }
    step(&format!("cargo install {package} {version}"), estimate, || {
        let install = |locked: bool| {
            let mut install = command("cargo");
            install.args(["install", package, "--version", version]);
            if locked {
                install.arg("--locked");
            }
            if found.is_some() {
                install.arg("--force").arg("--root").arg(root().join(".tools"));
            }
            // Less time than by the packages' own settings, for tools that run for seconds.
            install
                .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
                .env("CARGO_PROFILE_RELEASE_LTO", "off")
                .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
                .env("CARGO_PROFILE_RELEASE_DEBUG", "false");
            run_quietly(&mut install)
        };
        // The dependencies that the package was released with; where they no longer build, newer ones.
        install(true).or_else(|_| install(false))
    })?;
    match find(program) {
        Some(path) if is_version(&path, version) => Ok(()),
        _ => Err(format!(
            "{package} {version} was installed but is not found: put cargo's bin folder on the PATH."
        )),
    }
}

/// Chromium and its driver, for the tests in a browser.
pub struct Browser {
    pub chromium: PathBuf,
    pub driver: PathBuf,
}

/// Finds them (`CHROMIUM` and `CHROMEDRIVER` name others), or installs Debian's.
pub fn browser() -> Result<Browser> {
    let look = || {
        let named = |variable: &str| {
            std::env::var_os(variable)
                .map(PathBuf::from)
                .filter(|path| path.is_file())
        };
        let chromium = named("CHROMIUM")
            .or_else(|| which("chromium"))
            .or_else(|| which("google-chrome"))?;
        let driver = named("CHROMEDRIVER").or_else(|| which("chromedriver"))?;
        Some(Browser { chromium, driver })
    };
    let found = match look() {
        Some(browser) => browser,
        None => {
            apt_install(
                &["chromium", "chromium-driver"],
                "the browser of the tests, 120 MB: a minute",
            )
            .map_err(|sentence| {
                format!(
                    "Chromium and chromedriver cannot be had. {sentence} With others than Debian's, set CHROMIUM \
                         and CHROMEDRIVER to their paths."
                )
            })?;
            look().ok_or("Chromium was installed but is not found.")?
        }
    };
    if !has_chinese_font()
        && let Err(sentence) = apt_install(&["fonts-noto-cjk"], "Chinese glyphs for screenshots, 60 MB: seconds")
    {
        println!("    Chinese text in screenshots will show boxes. {sentence}");
    }
    Ok(found)
}

fn has_chinese_font() -> bool {
    Path::new("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc").is_file()
        || output_of(command("fc-list").arg(":lang=zh")).is_some_and(|fonts| !fonts.trim().is_empty())
}

pub fn has_apt() -> bool {
    which("apt-get").is_some()
}

/// The command as root: as it is when we are, through sudo where there is one.
pub fn as_root(program: &str, arguments: &[&str]) -> Result<Command> {
    let is_root = output_of(command("id").arg("-u")).is_some_and(|id| id.trim() == "0");
    let mut built = if is_root {
        command(program)
    } else if which("sudo").is_some() {
        let mut sudo = command("sudo");
        sudo.arg(program);
        sudo
    } else {
        return Err(format!(
            "That takes root, and there is no sudo: run `{program} {}` as root.",
            arguments.join(" ")
        ));
    };
    built.args(arguments);
    Ok(built)
}

/// Installs Debian packages, after `apt-get update`.
pub fn apt_install(packages: &[&str], estimate: &str) -> Result<()> {
    if !has_apt() {
        return Err(format!(
            "There is no apt-get here: install what Debian calls {}.",
            packages.join(", ")
        ));
    }
    let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
    arguments.extend(packages);
    let mut install = as_root("apt-get", &arguments)?;
    install.env("DEBIAN_FRONTEND", "noninteractive");
    let mut update = as_root("apt-get", &["update"])?;
    step(&format!("apt-get install {}", packages.join(" ")), estimate, || {
        // A failed update may still leave lists that are good enough to install from.
        run_quietly(&mut update).ok();
        run_quietly(&mut install)
    })
}
