//! `tar`: archives in the ustar format, read and written. Compression is not simulated: `-z` and its
//! kin write and read plain archives, and say so.

use super::super::files::{self, FileError, FileKind, Files};
use super::super::host::Context;
use crate::flat::FlatSet;
use crate::limits;
use crate::sim::Time;

const BLOCK: usize = 512;

/// One member of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub name: String,
    /// Permission bits.
    pub mode: u32,
    pub modified: Time,
    pub content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    File(Vec<u8>),
    Directory,
    /// A symbolic link, with its target.
    Link(String),
}

/// Why bytes are no archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TarError {
    #[error("This does not look like a tar archive")]
    NotTar,
    #[error("Unexpected EOF in archive")]
    Truncated,
}

fn octal(field: &mut [u8], value: u64) {
    let width = field.len().saturating_sub(1);
    let text = format!("{value:0width$o}");
    for (place, byte) in field.iter_mut().zip(text.bytes()) {
        *place = byte;
    }
}

fn put(header: &mut [u8], at: usize, bytes: &[u8]) {
    for (place, byte) in header.iter_mut().skip(at).zip(bytes) {
        *place = *byte;
    }
}

fn block(name: &str, size: usize, mode: u32, modified: Time, kind: u8, link: &str) -> Vec<u8> {
    let mut header = vec![0u8; BLOCK];
    put(
        &mut header,
        0,
        name.as_bytes().get(..name.len().min(100)).unwrap_or_default(),
    );
    for (at, width, value) in [
        (100, 8, u64::from(mode & 0o7777)),
        (108, 8, 0),
        (116, 8, 0),
        (124, 12, size as u64),
        (136, 12, modified.as_secs()),
    ] {
        if let Some(field) = header.get_mut(at..at + width) {
            octal(field, value);
        }
    }
    put(&mut header, 148, b"        ");
    put(&mut header, 156, &[kind]);
    put(
        &mut header,
        157,
        link.as_bytes().get(..link.len().min(100)).unwrap_or_default(),
    );
    put(&mut header, 257, b"ustar\x0000root");
    put(&mut header, 297, b"root");
    let sum: u64 = header.iter().map(|b| u64::from(*b)).sum();
    put(&mut header, 148, format!("{sum:06o}\0 ").as_bytes());
    header
}

fn padded(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(bytes);
    out.resize(out.len().next_multiple_of(BLOCK), 0);
}

/// The archive of these members.
pub fn write(members: &[Member]) -> Vec<u8> {
    let mut out = Vec::new();
    for m in members {
        // A name that does not fit stands in a member of its own before it (GNU's `L`, `K`).
        let link = match &m.content {
            Content::Link(target) => target.as_str(),
            _ => "",
        };
        for (text, kind) in [(link, b'K'), (m.name.as_str(), b'L')] {
            if text.len() > 100 {
                let mut bytes = text.as_bytes().to_vec();
                bytes.push(0);
                out.extend(block("././@LongLink", bytes.len(), 0o644, Time::default(), kind, ""));
                padded(&mut out, &bytes);
            }
        }
        match &m.content {
            Content::File(bytes) => {
                out.extend(block(&m.name, bytes.len(), m.mode, m.modified, b'0', ""));
                padded(&mut out, bytes);
            }
            Content::Directory => out.extend(block(&m.name, 0, m.mode, m.modified, b'5', "")),
            Content::Link(_) => out.extend(block(&m.name, 0, m.mode, m.modified, b'2', link)),
        }
    }
    // The end is two empty blocks, and archives are multiples of twenty.
    out.resize((out.len() + 2 * BLOCK).next_multiple_of(20 * BLOCK), 0);
    out
}

fn text(field: &[u8]) -> String {
    let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
    String::from_utf8_lossy(field.get(..end).unwrap_or_default()).into_owned()
}

fn number(field: &[u8]) -> u64 {
    u64::from_str_radix(text(field).trim(), 8).unwrap_or(0)
}

/// The members of an archive.
///
/// # Errors
/// When the bytes are none, or end too early.
pub fn read(bytes: &[u8]) -> Result<Vec<Member>, TarError> {
    let mut members = Vec::new();
    let mut rest = bytes;
    let (mut long_name, mut long_link) = (None, None);
    while let Some(header) = rest.get(..BLOCK) {
        rest = rest.get(BLOCK..).unwrap_or_default();
        if header.iter().all(|b| *b == 0) {
            return Ok(members);
        }
        let field = |at: usize, width: usize| header.get(at..at + width).unwrap_or_default();
        let sum = number(field(148, 8));
        let real: u64 = header
            .iter()
            .enumerate()
            .map(|(i, b)| if (148..156).contains(&i) { 32 } else { u64::from(*b) })
            .sum();
        if sum != real {
            return Err(TarError::NotTar);
        }
        let size = usize::try_from(number(field(124, 12))).map_err(|_| TarError::NotTar)?;
        let content = rest.get(..size).ok_or(TarError::Truncated)?;
        rest = rest
            .get(size.next_multiple_of(BLOCK).min(rest.len())..)
            .unwrap_or_default();
        let mut name = text(field(0, 100));
        let prefix = text(field(345, 155));
        if !prefix.is_empty() {
            name = format!("{prefix}/{name}");
        }
        let kind = field(156, 1).first().copied().unwrap_or(0);
        let content = match kind {
            b'L' => {
                long_name = Some(text(content));
                continue;
            }
            b'K' => {
                long_link = Some(text(content));
                continue;
            }
            b'5' => Content::Directory,
            b'2' => Content::Link(long_link.take().unwrap_or_else(|| text(field(157, 100)))),
            0 | b'0' | b'7' => Content::File(content.to_vec()),
            // Extended headers and devices.
            _ => continue,
        };
        members.push(Member {
            name: long_name.take().unwrap_or(name),
            mode: u32::try_from(number(field(100, 8))).unwrap_or(0o644),
            modified: Time::from_secs(number(field(136, 12))),
            content,
        });
    }
    if bytes.is_empty() || members.is_empty() {
        return Err(TarError::NotTar);
    }
    Ok(members)
}

/// A file or directory with all that is in it as members; `name` is what the first is called.
///
/// # Errors
/// When there is no such file.
pub fn collect(files: &Files, path: &str, name: &str, out: &mut Vec<Member>) -> Result<(), FileError> {
    let stat = files.stat(path, false)?;
    let member = |name: &str, content| Member {
        name: name.to_owned(),
        mode: stat.mode,
        modified: stat.modified,
        content,
    };
    match stat.kind {
        FileKind::File => out.push(member(name, Content::File(files.read(path)?.to_vec()))),
        FileKind::Symlink => out.push(member(name, Content::Link(stat.target.clone().unwrap_or_default()))),
        FileKind::Device => {}
        FileKind::Directory => {
            out.push(member(&format!("{}/", name.trim_end_matches('/')), Content::Directory));
            for (child, _) in files.list(path)? {
                let below = format!("{}/{child}", name.trim_end_matches('/'));
                collect(files, &files::join(path, &child), &below, out)?;
            }
        }
    }
    Ok(())
}

#[derive(Default)]
struct Options {
    mode: Option<char>,
    file: Option<String>,
    dir: Option<String>,
    verbose: bool,
    compressed: bool,
    to_stdout: bool,
    keep_modes: bool,
    no_time: bool,
    excluded: Vec<String>,
    names: Vec<String>,
    strip: usize,
}

fn parse(args: &[String]) -> Result<Options, String> {
    let mut o = Options {
        keep_modes: true,
        ..Options::default()
    };
    let mut words = args.iter().enumerate();
    while let Some((i, word)) = words.next() {
        if let Some(long) = word.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((n, v)) => (n, Some(v.to_owned())),
                None => (long, None),
            };
            let mut value = || {
                value
                    .clone()
                    .or_else(|| words.next().map(|(_, w)| w.clone()))
                    .ok_or_else(|| format!("option '--{name}' requires an argument"))
            };
            match name {
                "create" => o.mode = Some('c'),
                "extract" | "get" => o.mode = Some('x'),
                "list" => o.mode = Some('t'),
                "verbose" => o.verbose = true,
                "file" => o.file = Some(value()?),
                "directory" => o.dir = Some(value()?),
                "exclude" => o.excluded.push(value()?),
                "strip-components" => o.strip = value()?.parse().map_err(|_| "invalid number".to_owned())?,
                "gzip" | "bzip2" | "xz" | "zstd" => o.compressed = true,
                "no-same-permissions" => o.keep_modes = false,
                "touch" => o.no_time = true,
                "to-stdout" => o.to_stdout = true,
                "no-same-owner"
                | "same-owner"
                | "same-permissions"
                | "preserve-permissions"
                | "numeric-owner"
                | "overwrite"
                | "dereference"
                | "absolute-names"
                | "warning" => {}
                other => return Err(format!("unrecognized option '--{other}'")),
            }
            continue;
        }
        // The first word may be a bundle without a dash.
        let bundle = match word.strip_prefix('-') {
            Some(letters) if !letters.is_empty() => letters,
            None if i == 0 => word.as_str(),
            _ => {
                o.names.push(word.clone());
                continue;
            }
        };
        let mut letters = bundle.chars();
        while let Some(c) = letters.next() {
            match c {
                'c' | 'x' | 't' | 'r' | 'u' => o.mode = Some(c),
                'v' => o.verbose = true,
                'z' | 'j' | 'J' => o.compressed = true,
                'm' => o.no_time = true,
                'O' => o.to_stdout = true,
                'p' | 'h' | 'P' | 'k' | 'o' => {}
                'f' | 'C' => {
                    let rest: String = letters.by_ref().collect();
                    let value = if rest.is_empty() {
                        words.next().map(|(_, w)| w.clone())
                    } else {
                        Some(rest)
                    };
                    let value = value.ok_or_else(|| format!("option requires an argument -- '{c}'"))?;
                    if c == 'f' {
                        o.file = Some(value);
                    } else {
                        o.dir = Some(value);
                    }
                }
                other => return Err(format!("invalid option -- '{other}'")),
            }
        }
    }
    Ok(o)
}

/// Runs `tar`.
pub(super) async fn tar(c: Context) -> i32 {
    let o = match parse(c.rest()) {
        Ok(o) => o,
        Err(why) => {
            c.error(why);
            c.stderr.line("Try 'tar --help' or 'tar --usage' for more information.");
            return 64;
        }
    };
    let mut c = c;
    let at_start = c.clone();
    if let Some(dir) = &o.dir {
        let path = c.path(dir);
        if !c.files.is_dir(&path) {
            c.error(format!("{dir}: Cannot open: No such file or directory"));
            c.error("Error is not recoverable: exiting now");
            return 2;
        }
        c.cwd = path;
    }
    if o.compressed {
        c.error("compression is not simulated: the archive is a plain one");
    }
    match o.mode {
        Some('c') => create(&c, &at_start, &o).await,
        Some(mode @ ('x' | 't')) => extract(&c, &at_start, &o, mode == 't').await,
        Some(_) => {
            c.error("archives are not changed in place here: make a new one");
            2
        }
        None => {
            c.error("You must specify one of the '-Acdtrux', '--delete' or '--test-label' options");
            c.stderr.line("Try 'tar --help' or 'tar --usage' for more information.");
            2
        }
    }
}

async fn create(c: &Context, at_start: &Context, o: &Options) -> i32 {
    if o.names.is_empty() {
        c.error("Cowardly refusing to create an empty archive");
        c.stderr.line("Try 'tar --help' or 'tar --usage' for more information.");
        return 2;
    }
    let mut members = Vec::new();
    let mut failed = false;
    let mut said = FlatSet::new();
    for name in &o.names {
        let mut inside = name.trim_start_matches('/').to_owned();
        if inside.is_empty() {
            inside = "./".to_owned();
        } else if inside.len() < name.len() && said.insert("/") {
            c.error("Removing leading `/' from member names");
        }
        let path = c.path(name);
        if collect(&c.files, path.trim_end_matches('/'), &inside, &mut members).is_err() {
            c.error(format!("{name}: Cannot stat: No such file or directory"));
            failed = true;
        }
    }
    members.retain(|m| {
        let own = m.name.trim_end_matches('/');
        !o.excluded
            .iter()
            .any(|x| own == x || own.ends_with(&format!("/{x}")) || own.contains(&format!("{x}/")))
    });
    let to_file = o.file.as_deref().filter(|f| *f != "-");
    if o.verbose {
        for m in &members {
            let line = &m.name;
            if to_file.is_some() {
                c.stdout.line(line);
            } else {
                c.stderr.line(line);
            }
        }
    }
    let bytes = write(&members);
    match to_file {
        Some(file) => {
            let made = at_start.create(file, false);
            match made {
                Ok(out) => {
                    out.write(&bytes);
                }
                Err(_) => {
                    c.error(format!("{file}: Cannot open: No such file or directory"));
                    c.error("Error is not recoverable: exiting now");
                    return 2;
                }
            }
        }
        None => {
            // Piece by piece, so that a slow reader is waited for.
            for piece in bytes.chunks(64 * 1024) {
                c.stdout.ready().await;
                if !c.stdout.write(piece) {
                    return 2;
                }
            }
        }
    }
    if failed {
        c.error("Exiting with failure status due to previous errors");
        return 2;
    }
    0
}

async fn extract(c: &Context, at_start: &Context, o: &Options, list: bool) -> i32 {
    let bytes = match o.file.as_deref().filter(|f| *f != "-") {
        None => c.stdin.read_all().await,
        Some(file) => match at_start.open(file) {
            Ok(input) => input.read_all().await,
            Err(_) => {
                c.error(format!("{file}: Cannot open: No such file or directory"));
                c.error("Error is not recoverable: exiting now");
                return 2;
            }
        },
    };
    let members = match read(&bytes) {
        Ok(members) => members,
        Err(why) => {
            c.error(why);
            c.error("Exiting with failure status due to previous errors");
            return 2;
        }
    };
    let mut code = 0;
    let mut found = FlatSet::new();
    for m in members {
        let own = m.name.trim_end_matches('/');
        let wanted = |n: &String| {
            let n = n.trim_end_matches('/');
            own == n || own.starts_with(&format!("{n}/"))
        };
        if !o.names.is_empty() {
            let Some(name) = o.names.iter().find(|n| wanted(n)) else {
                continue;
            };
            found.insert(name.clone());
        }
        if list {
            c.stdout.line(if o.verbose { long(&m) } else { m.name.clone() });
            continue;
        }
        let name: Vec<&str> = own
            .split('/')
            .filter(|p| !p.is_empty() && *p != "." && *p != "..")
            .skip(o.strip)
            .collect();
        if name.is_empty() {
            continue;
        }
        if o.verbose {
            c.stdout.line(&m.name);
        }
        let path = files::join(&c.cwd, &name.join("/"));
        if let Err(error) = unpack(c, &m, &path, o) {
            c.error(format!("{}: Cannot open: {}", m.name, error));
            code = 2;
        }
    }
    for name in o.names.iter().filter(|n| !found.contains(*n)) {
        c.error(format!("{name}: Not found in archive"));
        code = 2;
    }
    if code != 0 {
        c.error("Exiting with failure status due to previous errors");
    }
    code
}

fn unpack(c: &Context, m: &Member, path: &str, o: &Options) -> Result<(), FileError> {
    if let (true, Content::File(bytes)) = (o.to_stdout, &m.content) {
        c.stdout.write(bytes);
        return Ok(());
    }
    match &m.content {
        Content::Directory => c.files.make_dirs(path)?,
        Content::File(bytes) => {
            c.files.make_dirs(files::dir_name(path))?;
            if bytes.len() > limits::SHELL_OUTPUT_BYTES {
                return Err(FileError::NoSpace);
            }
            c.files.write(path, bytes.clone())?;
        }
        Content::Link(target) => {
            c.files.make_dirs(files::dir_name(path))?;
            let _ = c.files.remove_file(path);
            return c.files.symlink(target, path);
        }
    }
    if o.keep_modes {
        c.files.set_mode(path, m.mode)?;
    }
    if !o.no_time {
        c.files.set_modified(path, m.modified)?;
    }
    Ok(())
}

/// A line of `tar tv`.
fn long(m: &Member) -> String {
    let (kind, size, link) = match &m.content {
        Content::File(bytes) => ('-', bytes.len(), String::new()),
        Content::Directory => ('d', 0, String::new()),
        Content::Link(target) => ('l', 0, format!(" -> {target}")),
    };
    let bits: String = (0..9)
        .map(|i| {
            let set = m.mode >> (8 - i) & 1 == 1;
            let letter = ["r", "w", "x"].get(i % 3).copied().unwrap_or("-");
            if set { letter } else { "-" }
        })
        .collect();
    let time = m.modified.civil();
    format!(
        "{kind}{bits} root/root {size:9} {:04}-{:02}-{:02} {:02}:{:02} {}{link}",
        time.year, time.month, time.day, time.hour, time.minute, m.name
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let members = vec![
            Member {
                name: "a/".into(),
                mode: 0o755,
                modified: Time::from_secs(1_000),
                content: Content::Directory,
            },
            Member {
                name: format!("a/{}", "long".repeat(40)),
                mode: 0o640,
                modified: Time::from_secs(1_800_000_000),
                content: Content::File(vec![7; 1_000]),
            },
            Member {
                name: "a/link".into(),
                mode: 0o777,
                modified: Time::from_secs(0),
                content: Content::Link("x".repeat(120)),
            },
        ];
        let bytes = write(&members);
        assert_eq!(bytes.len() % (20 * BLOCK), 0);
        assert_eq!(read(&bytes), Ok(members));
        assert_eq!(read(b"hello"), Err(TarError::NotTar));
        assert_eq!(read(&bytes[..2_500]), Err(TarError::Truncated));
        for n in 0..bytes.len().min(4_000) {
            let mut broken = bytes.clone();
            broken[n] ^= 0x55;
            let _ = read(&broken);
        }
    }
}
