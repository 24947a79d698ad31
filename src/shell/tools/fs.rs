//! Tools that change or list files.

use futures::future::LocalBoxFuture;

use super::super::files::{self, FileError, FileKind, Stat};
use super::super::host::{Context, Dialect};
use super::date::{short_month, strftime};
use super::options;
use crate::flat::Arrange;
use crate::sim::Time;

pub(super) async fn mkdir(c: Context) -> i32 {
    let o = match options::parse(&c, "pvm:", &[("parents", 'p'), ("verbose", 'v'), ("mode", 'm')]) {
        Ok(o) => o,
        Err(code) => return code,
    };
    if o.rest.is_empty() {
        return options::usage(&c, "missing operand");
    }
    let mut code = 0;
    for path in &o.rest {
        let full = files::join(&c.cwd, path);
        let made = if o.has('p') {
            c.files.make_dirs(&full)
        } else {
            c.files.make_dir(&full)
        };
        match made {
            Ok(()) => {
                if let Some(mode) = o.value('m').and_then(|m| u32::from_str_radix(m, 8).ok()) {
                    let _ = c.files.set_mode(&full, mode);
                }
                if o.has('v') {
                    c.stdout.line(format!("mkdir: created directory '{path}'"));
                }
            }
            Err(error) => {
                match c.host.dialect() {
                    Dialect::Busybox => c.error(format!("can't create directory '{path}': {error}")),
                    _ => c.error(format!("cannot create directory ‘{path}’: {error}")),
                }
                code = 1;
            }
        }
    }
    code
}

pub(super) async fn rmdir(c: Context) -> i32 {
    let o = match options::parse(&c, "pv", &[("parents", 'p'), ("verbose", 'v')]) {
        Ok(o) => o,
        Err(code) => return code,
    };
    if o.rest.is_empty() {
        return options::usage(&c, "missing operand");
    }
    let mut code = 0;
    for given in &o.rest {
        let mut path = given.as_str();
        loop {
            if o.has('v') {
                c.stdout.line(format!("rmdir: removing directory, '{path}'"));
            }
            if let Err(error) = c.files.remove_dir(&files::join(&c.cwd, path)) {
                let what = if path.len() < given.len() { "directory " } else { "" };
                c.error(format!("failed to remove {what}'{path}': {error}"));
                code = 1;
                break;
            }
            match path.trim_end_matches('/').rsplit_once('/') {
                Some((above, _)) if o.has('p') && !above.is_empty() => path = above,
                _ => break,
            }
        }
    }
    code
}

/// Asks on stderr, and reads the answer from stdin.
async fn agrees(c: &Context, question: String) -> bool {
    c.stderr.write(format!("{}: {question}? ", files::base_name(c.name())));
    let answer = c.stdin.read_line().await.unwrap_or_default();
    answer.starts_with(['y', 'Y'])
}

/// `rm -r` with `-i` or `-v`: one file after the other. False when a directory was to stay.
fn remove_each<'a>(c: &'a Context, path: String, ask: bool, tell: bool) -> LocalBoxFuture<'a, Result<bool, FileError>> {
    Box::pin(async move {
        let full = c.path(&path);
        let stat = c.files.stat(&full, false)?;
        let is_dir = stat.kind == FileKind::Directory;
        let names = if is_dir { c.files.list(&full)? } else { Vec::new() };
        if ask && !names.is_empty() && !agrees(c, format!("descend into directory '{path}'")).await {
            return Ok(false);
        }
        let mut all = true;
        for (name, _) in names {
            let inner = format!("{}/{name}", path.trim_end_matches('/'));
            all &= remove_each(c, inner, ask, tell).await?;
        }
        let kind = match c.host.dialect() {
            Dialect::Busybox => String::new(),
            _ => format!("{} ", kind_name(&stat)),
        };
        if !all || ask && !agrees(c, format!("remove {kind}'{path}'")).await {
            return Ok(all && !is_dir);
        }
        match is_dir {
            true => c.files.remove_dir(&full)?,
            false => c.files.remove_file(&full)?,
        }
        if tell {
            let what = if is_dir { "directory " } else { "" };
            c.stdout.line(format!("removed {what}'{path}'"));
        }
        Ok(true)
    })
}

/// A file's kind in words.
fn kind_name(stat: &Stat) -> &'static str {
    match stat.kind {
        FileKind::Directory => "directory",
        FileKind::Symlink => "symbolic link",
        FileKind::Device => "character special file",
        FileKind::File if stat.size == 0 => "regular empty file",
        FileKind::File => "regular file",
    }
}

/// The one of some letters that was given last.
fn last_of(o: &options::Options, letters: &[char]) -> Option<char> {
    o.flags.iter().rev().map(|(l, _)| *l).find(|l| letters.contains(l))
}

pub(super) async fn rm(c: Context) -> i32 {
    let o = match options::parse(
        &c,
        "rRfivd",
        &[
            ("recursive", 'r'),
            ("force", 'f'),
            ("verbose", 'v'),
            ("dir", 'd'),
            ("interactive", 'i'),
        ],
    ) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let last = last_of(&o, &['i', 'f']);
    let (ask, force) = (last == Some('i'), last == Some('f'));
    if o.rest.is_empty() {
        return if force {
            0
        } else {
            options::usage(&c, "missing operand")
        };
    }
    let recursive = o.has('r') || o.has('R');
    let mut code = 0;
    for path in &o.rest {
        let full = c.path(path);
        let name = files::base_name(path);
        if name == "." || name == ".." {
            c.error(format!("refusing to remove '.' or '..' directory: skipping '{path}'"));
            code = 1;
            continue;
        }
        if files::join(&c.cwd, path) == "/" && recursive {
            c.error("it is dangerous to operate recursively on '/'");
            c.error("use --no-preserve-root to override this failsafe");
            code = 1;
            continue;
        }
        let stat = c.files.stat(&full, false);
        let result = match &stat {
            Err(FileError::NotFound) if force => continue,
            Err(error) => Err(*error),
            Ok(s) if s.kind == FileKind::Directory && !recursive => match c.files.list(&full) {
                Ok(names) if o.has('d') && names.is_empty() => {
                    remove_each(&c, path.clone(), ask, o.has('v')).await.map(|_| ())
                }
                _ if o.has('d') => c.files.remove_dir(&full),
                _ => Err(FileError::IsDirectory),
            },
            Ok(_) if ask || o.has('v') => remove_each(&c, path.clone(), ask, o.has('v')).await.map(|_| ()),
            Ok(_) => c.files.remove_all(&full),
        };
        match result {
            Ok(()) => {}
            Err(error) => {
                match c.host.dialect() {
                    Dialect::Busybox => c.error(format!("can't remove '{path}': {error}")),
                    _ => c.error(format!("cannot remove '{path}': {error}")),
                }
                code = 1;
            }
        }
    }
    code
}

/// How `cp` copies.
#[derive(Clone, Copy)]
struct How {
    recursive: bool,
    /// Whether the targets of symbolic links are copied.
    follow: bool,
    /// Whether modes, owners and times are kept.
    keep: bool,
}

/// Copies a file or a directory.
fn copy(c: &Context, from: &str, to: &str, how: How, depth: usize) -> Result<(), String> {
    copy_one(c, from, to, how, depth)?;
    let target = files::join(&c.cwd, to);
    if how.keep
        && let Ok(stat) = c.files.stat(&files::join(&c.cwd, from), how.follow)
        && stat.kind != FileKind::Symlink
    {
        let _ = c.files.set_owner(&target, Some(stat.owner.0), Some(stat.owner.1));
        let _ = c.files.set_mode(&target, stat.mode);
        let _ = c.files.set_modified(&target, stat.modified);
    }
    Ok(())
}

/// How the machine's tools say that something cannot be done.
fn cannot(c: &Context) -> &'static str {
    match c.host.dialect() {
        Dialect::Busybox => "can't",
        _ => "cannot",
    }
}

fn copy_one(c: &Context, from: &str, to: &str, how: How, depth: usize) -> Result<(), String> {
    let recursive = how.recursive;
    let full = files::join(&c.cwd, from);
    let target = files::join(&c.cwd, to);
    let stat = c
        .files
        .stat(&full, how.follow)
        .map_err(|e| format!("{} stat '{from}': {e}", cannot(c)))?;
    match stat.kind {
        FileKind::Directory => {
            if !recursive {
                return Err(format!("-r not specified; omitting directory '{from}'"));
            }
            if target == full || target.starts_with(&format!("{full}/")) {
                return Err(format!("cannot copy a directory, '{from}', into itself, '{to}'"));
            }
            if depth > crate::limits::SHELL_DEPTH {
                return Err(format!("{from}: directories are nested too deeply"));
            }
            if !c.files.is_dir(&target) {
                c.files
                    .make_dir(&target)
                    .map_err(|e| format!("cannot create directory '{to}': {e}"))?;
            }
            for (name, _) in c
                .files
                .list(&full)
                .map_err(|e| format!("cannot access '{from}': {e}"))?
            {
                copy(c, &format!("{from}/{name}"), &format!("{to}/{name}"), how, depth + 1)?;
            }
            Ok(())
        }
        FileKind::Symlink => {
            let link = stat.target.unwrap_or_default();
            let _ = c.files.remove_file(&target);
            c.files
                .symlink(&link, &target)
                .map_err(|e| format!("cannot create symbolic link '{to}': {e}"))
        }
        _ => {
            if c.files.stat(&target, true).is_ok_and(|t| t.inode == stat.inode) {
                return Err(format!("'{from}' and '{to}' are the same file"));
            }
            let bytes = c
                .files
                .read(&full)
                .map_err(|e| format!("cannot open '{from}' for reading: {e}"))?;
            let is_new = !c.files.exists(&target);
            c.files
                .write(&target, bytes.as_ref().clone())
                .map_err(|e| format!("cannot create regular file '{to}': {e}"))?;
            if is_new {
                let _ = c.files.set_mode(&target, stat.mode);
            }
            Ok(())
        }
    }
}

pub(super) async fn cp(c: Context) -> i32 {
    let long = [
        ("recursive", 'r'),
        ("archive", 'a'),
        ("force", 'f'),
        ("verbose", 'v'),
        ("no-clobber", 'n'),
        ("target-directory", 't'),
        ("no-target-directory", 'T'),
        ("interactive", 'i'),
        ("update", 'u'),
        ("dereference", 'L'),
        ("no-dereference", 'P'),
    ];
    // What cannot be opened for writing is not there to be forced.
    let o = match options::parse(&c, "rRavnpiuLPdTt: f", &long) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let recursive = o.has('r') || o.has('R') || o.has('a');
    let how = How {
        recursive,
        follow: last_of(&o, &['L', 'P', 'd', 'a']).map_or(!recursive, |l| l == 'L'),
        keep: o.has('p') || o.has('a'),
    };
    let ask = last_of(&o, &['i', 'n']);
    transfer(&c, &o, ask, |from, to| copy(&c, from, to, how, 0)).await
}

pub(super) async fn mv(c: Context) -> i32 {
    let long = [
        ("force", 'f'),
        ("verbose", 'v'),
        ("no-clobber", 'n'),
        ("target-directory", 't'),
        ("no-target-directory", 'T'),
        ("interactive", 'i'),
        ("update", 'u'),
    ];
    let o = match options::parse(&c, "fvniuTt:", &long) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let ask = last_of(&o, &['i', 'n', 'f']);
    transfer(&c, &o, ask, |from, to| {
        let (source, target) = (files::join(&c.cwd, from), files::join(&c.cwd, to));
        if c.files.stat(&source, false).is_err() {
            let verb = match c.host.dialect() {
                Dialect::Busybox => "can't rename",
                _ => "cannot stat",
            };
            return Err(format!("{verb} '{from}': {}", FileError::NotFound));
        }
        if source == target {
            return Err(format!("'{from}' and '{to}' are the same file"));
        }
        c.files.rename(&source, &target).map_err(|error| match error {
            FileError::Invalid => format!("cannot move '{from}' to a subdirectory of itself, '{to}'"),
            error => format!("cannot move '{from}' to '{to}': {error}"),
        })
    })
    .await
}

/// The common part of `cp` and `mv`: where each source goes. `ask` is what to do of a file that is there:
/// `i` asks, `n` leaves it.
async fn transfer(
    c: &Context,
    o: &options::Options,
    ask: Option<char>,
    act: impl Fn(&str, &str) -> Result<(), String>,
) -> i32 {
    let mut sources = o.rest.clone();
    let target = match o.value('t') {
        Some(dir) => dir.to_owned(),
        None => {
            if sources.is_empty() {
                return options::usage(c, "missing file operand");
            }
            if sources.len() == 1 {
                let only = sources.first().cloned().unwrap_or_default();
                return options::usage(c, &format!("missing destination file operand after '{only}'"));
            }
            sources.pop().unwrap_or_default()
        }
    };
    let full = files::join(&c.cwd, &target);
    let into_dir = c.files.is_dir(&full) && !o.has('T');
    if !into_dir && (sources.len() > 1 || o.has('t')) {
        let error = if c.files.exists(&full) {
            FileError::NotDirectory
        } else {
            FileError::NotFound
        };
        c.error(format!("target '{target}': {error}"));
        return 1;
    }
    if !into_dir && target.ends_with('/') && !sources.iter().any(|s| c.files.is_dir(&files::join(&c.cwd, s))) {
        if let Some(first) = sources.first() {
            let name = files::base_name(c.name());
            let verb = if name == "mv" {
                format!("cannot move '{first}' to '{target}'")
            } else {
                format!("cannot create regular file '{target}'")
            };
            c.error(format!("{verb}: {}", FileError::NotDirectory));
        }
        return 1;
    }
    let mut code = 0;
    for source in &sources {
        let to = if into_dir {
            format!("{}/{}", target.trim_end_matches('/'), files::base_name(source))
        } else {
            target.clone()
        };
        let there = c.files.stat(&files::join(&c.cwd, &to), true);
        if let Some(there) = there.as_ref().ok().filter(|_| ask.is_some() || o.has('u')) {
            let is_older = |s: Stat| s.modified <= there.modified;
            let stat = c.files.stat(&files::join(&c.cwd, source), true);
            if ask == Some('n')
                || o.has('u') && stat.is_ok_and(is_older)
                || ask == Some('i')
                    && there.kind != FileKind::Directory
                    && !agrees(c, format!("overwrite '{to}'")).await
            {
                continue;
            }
        }
        match act(source, &to) {
            Ok(()) => {
                if o.has('v') {
                    let verb = if files::base_name(c.name()) == "mv" {
                        "renamed "
                    } else {
                        ""
                    };
                    c.stdout.line(format!("{verb}'{source}' -> '{to}'"));
                }
            }
            Err(message) => {
                c.error(message);
                code = 1;
            }
        }
    }
    code
}

pub(super) async fn ln(c: Context) -> i32 {
    let long = [("symbolic", 's'), ("force", 'f'), ("verbose", 'v'), ("relative", 'r')];
    let o = match options::parse(&c, "sfnvr", &long) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let Some(mut target) = o.rest.first().cloned() else {
        return options::usage(&c, "missing file operand");
    };
    let mut link = o
        .rest
        .get(1)
        .cloned()
        .unwrap_or_else(|| files::base_name(&target).to_owned());
    if c.files.is_dir(&files::join(&c.cwd, &link)) && !o.has('n') {
        link = format!("{}/{}", link.trim_end_matches('/'), files::base_name(&target));
    }
    let full = files::join(&c.cwd, &link);
    if o.has('f') {
        let _ = c.files.remove_file(&full);
    }
    if !o.has('s') {
        c.error("hard links are not simulated; use -s");
        return 1;
    }
    if o.has('r') {
        let (to, from) = (files::join(&c.cwd, &target), files::dir_name(&full));
        let (to, from): (Vec<&str>, Vec<&str>) =
            (to.split('/').collect(), from.trim_end_matches('/').split('/').collect());
        let same = to.iter().zip(&from).take_while(|(a, b)| a == b).count();
        let up = std::iter::repeat_n("..", from.len() - same);
        let parts: Vec<&str> = up.chain(to.iter().skip(same).copied()).collect();
        target = parts.join("/");
    }
    match c.files.symlink(&target, &full) {
        Ok(()) => {
            if o.has('v') {
                c.stdout.line(format!("'{link}' -> '{target}'"));
            }
            0
        }
        Err(error) => {
            c.error(format!("failed to create symbolic link '{link}': {error}"));
            1
        }
    }
}

pub(super) async fn touch(c: Context) -> i32 {
    let long = [("no-create", 'c'), ("date", 'd'), ("reference", 'r')];
    let o = match options::parse(&c, "acmd:t:r:", &long) {
        Ok(o) => o,
        Err(code) => return code,
    };
    if o.rest.is_empty() {
        return options::usage(&c, "missing file operand");
    }
    let mut when = None;
    if let Some(path) = o.value('r') {
        match c.files.stat(&c.path(path), true) {
            Ok(stat) => when = Some(stat.modified),
            Err(error) => {
                c.error(format!("failed to get attributes of '{path}': {error}"));
                return 1;
            }
        }
    }
    let dates = [('d', None), ('t', Some(c.sim.now().civil().year))];
    for (letter, year) in dates {
        if let Some(text) = o.value(letter) {
            let found = match year {
                None => super::date::parse(text, c.sim.now()),
                Some(year) => stamp(text, year),
            };
            if found.is_none() {
                c.error(format!("invalid date format ‘{text}’"));
                return 1;
            }
            when = found;
        }
    }
    // Times of access are not kept.
    let modifies = o.has('m') || !o.has('a');
    let mut code = 0;
    for path in &o.rest {
        let full = c.path(path);
        let mut result = Ok(());
        let mut there = c.files.exists(&full);
        if !there && !o.has('c') {
            result = c.files.write(&full, "");
            there = when.is_some();
        }
        if there && modifies && result.is_ok() {
            result = c.files.set_modified(&full, when.unwrap_or(c.sim.now()));
        }
        if let Err(error) = result {
            let error = if error == FileError::IsDirectory {
                FileError::NotFound
            } else {
                error
            };
            match c.host.dialect() {
                Dialect::Busybox => c.error(format!("{path}: {error}")),
                _ => c.error(format!("cannot touch '{path}': {error}")),
            }
            code = 1;
        }
    }
    code
}

/// A time as `touch -t` takes it: `[[CC]YY]MMDDhhmm[.ss]`.
fn stamp(text: &str, year: i64) -> Option<Time> {
    let (digits, seconds) = text.split_once('.').unwrap_or((text, "00"));
    let digits = match digits.len() {
        8 => format!("{year:04}{digits}"),
        // As POSIX has it: 69 to 99 are of the 20th century.
        10 if digits >= "69" => format!("19{digits}"),
        10 => format!("20{digits}"),
        _ => digits.to_owned(),
    };
    let part = |from: usize, to: usize| digits.get(from..to).filter(|_| digits.len() == 12);
    Time::parse(&format!(
        "{}-{}-{}T{}:{}:{seconds}Z",
        part(0, 4)?,
        part(4, 6)?,
        part(6, 8)?,
        part(8, 10)?,
        part(10, 12)?
    ))
}

/// A mode such as `755`, `+x` or `u=rw,go-w` applied to another.
pub(in super::super) fn new_mode(text: &str, old: u32, is_dir: bool) -> Option<u32> {
    if text.chars().all(|c| c.is_digit(8)) {
        return u32::from_str_radix(text, 8).ok().filter(|m| *m <= 0o7777);
    }
    let mut mode = old;
    for clause in text.split(',') {
        let at = clause.find(['+', '-', '='])?;
        let (who, rest) = clause.split_at(at);
        let mut mask = 0;
        for c in who.chars() {
            mask |= match c {
                'u' => 0o700,
                'g' => 0o070,
                'o' => 0o007,
                'a' => 0o777,
                _ => return None,
            };
        }
        if who.is_empty() {
            mask = 0o777;
        }
        let mut chars = rest.chars();
        let op = chars.next()?;
        let mut bits = 0;
        for c in chars {
            bits |= match c {
                'r' => 0o444,
                'w' => {
                    if who.is_empty() {
                        0o200
                    } else {
                        0o222
                    }
                }
                'x' => 0o111,
                'X' if is_dir || old & 0o111 != 0 => 0o111,
                'X' | 's' | 't' => 0,
                _ => return None,
            };
        }
        match op {
            '+' => mode |= bits & mask,
            '-' => mode &= !(bits & mask),
            _ => mode = (mode & !mask) | (bits & mask),
        }
    }
    Some(mode)
}

pub(super) async fn chmod(c: Context) -> i32 {
    let mut args: Vec<String> = c.rest().to_vec();
    let mut recursive = false;
    args.retain(|a| {
        let option = matches!(a.as_str(), "-R" | "-v" | "-f" | "--recursive");
        recursive |= a == "-R" || a == "--recursive";
        !option
    });
    let Some((mode, paths)) = args.split_first() else {
        return options::usage(&c, "missing operand");
    };
    if paths.is_empty() {
        return options::usage(&c, &format!("missing operand after ‘{mode}’"));
    }
    let mut code = 0;
    let mut queue: Vec<String> = paths.to_vec();
    while let Some(path) = queue.pop() {
        let full = files::join(&c.cwd, &path);
        match c.files.stat(&full, true) {
            Ok(stat) => {
                let is_dir = stat.kind == FileKind::Directory;
                let Some(new) = new_mode(mode, stat.mode, is_dir) else {
                    return options::usage(&c, &format!("invalid mode: ‘{mode}’"));
                };
                if let Err(error) = c.files.set_mode(&full, new) {
                    c.error(format!("changing permissions of '{path}': {error}"));
                    code = 1;
                }
                if recursive && is_dir {
                    for (name, _) in c.files.list(&full).unwrap_or_default() {
                        queue.push(format!("{path}/{name}"));
                    }
                }
            }
            Err(error) => {
                c.error(format!("cannot access '{path}': {error}"));
                code = 1;
            }
        }
    }
    code
}

/// `chown` and `chgrp`.
pub(super) async fn chown(c: Context) -> i32 {
    let plain: Vec<&String> = c.rest().iter().filter(|a| !a.starts_with('-')).collect();
    let all = c.rest().iter().any(|a| a.starts_with('-') && a.contains('R'));
    let Some((owner, paths)) = plain.split_first() else {
        return options::usage(&c, "missing operand");
    };
    let accounts = c.accounts();
    let (user, group) = match owner.split_once([':', '.']) {
        Some((user, group)) => (user, group),
        None if files::base_name(c.name()) == "chgrp" => ("", owner.as_str()),
        None => (owner.as_str(), ""),
    };
    let busybox = c.host.dialect() == Dialect::Busybox;
    let find = |name: &str, id: Option<i64>, what: &str| match id {
        None if !name.is_empty() => {
            c.error(match busybox {
                true => format!("unknown {what} {name}"),
                false => format!("invalid {what}: ‘{owner}’"),
            });
            Err(())
        }
        id => Ok(id),
    };
    let Ok(user) = find(user, accounts.uid(user), "user") else {
        return 1;
    };
    let Ok(group) = find(group, accounts.gid(group), "group") else {
        return 1;
    };
    let mut code = 0;
    let mut todo: Vec<String> = paths.iter().rev().map(|p| c.path(p)).collect();
    while let Some(path) = todo.pop() {
        if let Err(error) = c.files.set_owner(&path, user, group) {
            match error {
                _ if c.host.dialect() == Dialect::Busybox => c.error(format!("{path}: {error}")),
                FileError::NotFound => c.error(format!("cannot access '{path}': {error}")),
                _ => c.error(format!("changing ownership of '{path}': {error}")),
            }
            code = 1;
        }
        if all && c.files.is_dir(&path) {
            let names = c.files.list(&path).unwrap_or_default();
            todo.extend(names.into_iter().map(|(name, _)| files::join(&path, &name)));
        }
    }
    code
}

pub(super) fn mode_text(stat: &Stat) -> String {
    let mut text = String::new();
    text.push(match stat.kind {
        FileKind::Directory => 'd',
        FileKind::Symlink => 'l',
        FileKind::Device => 'c',
        FileKind::File => '-',
    });
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = stat.mode >> shift & 7;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (bits & 1 != 0, stat.mode & special != 0) {
            (true, true) => letter,
            (false, true) => letter.to_ascii_uppercase(),
            (true, false) => 'x',
            (false, false) => '-',
        });
    }
    text
}

/// A size as `ls -h` and `du -h` print it.
pub(super) fn human(size: u64) -> String {
    if size < 1024 {
        return size.to_string();
    }
    let mut value = size as f64 / 1024.0;
    for unit in ["K", "M", "G"] {
        if value < 1024.0 {
            return if value < 10.0 {
                format!("{:.1}{unit}", (value * 10.0).ceil() / 10.0)
            } else {
                format!("{:.0}{unit}", value.ceil())
            };
        }
        value /= 1024.0;
    }
    format!("{value:.0}T")
}

pub(super) async fn ls(c: Context) -> i32 {
    let long = [
        ("all", 'a'),
        ("almost-all", 'A'),
        ("recursive", 'R'),
        ("human-readable", 'h'),
        ("directory", 'd'),
        ("reverse", 'r'),
        ("color", 'κ'),
        ("classify", 'F'),
        ("inode", 'i'),
        ("dereference", 'L'),
    ];
    let o = match options::parse(&c, "lahrtRdA1SFpiLκ?ngoXU", &long) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let paths = if o.rest.is_empty() {
        vec![".".to_owned()]
    } else {
        o.rest.clone()
    };
    let color = match o.value('κ') {
        Some("always") => true,
        Some("never") => false,
        // Distributions alias `ls` to `ls --color=auto`.
        _ => c.stdout.is_terminal(),
    };
    let order = |list: &mut Vec<(String, Stat)>| {
        if o.has('S') {
            list.arrange_by(|a, b| b.1.size.cmp(&a.1.size).then(a.0.cmp(&b.0)));
        } else if o.has('t') {
            list.arrange_by(|a, b| b.1.modified.cmp(&a.1.modified).then(a.0.cmp(&b.0)));
        } else if o.has('U') {
            return;
        } else if o.has('X') {
            let end = |name: &str| {
                name.rfind('.')
                    .map_or(String::new(), |at| name.split_at(at).1.to_owned())
            };
            list.arrange_by(|a, b| end(&a.0).cmp(&end(&b.0)).then(a.0.cmp(&b.0)));
        } else {
            list.arrange_by(|a, b| a.0.cmp(&b.0));
        }
        if o.has('r') {
            list.reverse();
        }
    };
    let now = c.sim.now();
    let show = |list: &[(String, Stat)]| {
        let decorate = |name: &str, stat: &Stat, long: bool| {
            let mark = match stat.kind {
                FileKind::Directory if o.has('F') || o.has('p') => "/",
                FileKind::Symlink if o.has('F') && !long => "@",
                FileKind::File if o.has('F') && stat.mode & 0o111 != 0 => "*",
                _ => "",
            };
            let code = match stat.kind {
                FileKind::Directory => "01;34",
                FileKind::Symlink => "01;36",
                FileKind::Device => "40;33;01",
                FileKind::File if stat.mode & 0o111 != 0 => "01;32",
                FileKind::File => "",
            };
            if color && !code.is_empty() {
                format!("\x1b[{code}m{name}\x1b[0m{mark}")
            } else {
                format!("{name}{mark}")
            }
        };
        if o.has('l') || o.has('n') || o.has('g') || o.has('o') {
            let sizes: Vec<String> = list
                .iter()
                .map(|(_, s)| if o.has('h') { human(s.size) } else { s.size.to_string() })
                .collect();
            let width = sizes.iter().map(String::len).max().unwrap_or(0);
            let accounts = c.accounts();
            let owners = |stat: &Stat| {
                let (user, group) = stat.owner;
                match o.has('n') {
                    true => (user.to_string(), group.to_string()),
                    false => (accounts.user_or_number(user), accounts.group_or_number(group)),
                }
            };
            let owners: Vec<(String, String)> = list.iter().map(|(_, stat)| owners(stat)).collect();
            let users = owners.iter().map(|(user, _)| user.len()).max().unwrap_or(0);
            let groups = owners.iter().map(|(_, group)| group.len()).max().unwrap_or(0);
            let busybox = c.host.dialect() == Dialect::Busybox;
            for (((name, stat), size), (user, group)) in list.iter().zip(&sizes).zip(&owners) {
                let civil = stat.modified.civil();
                let recent = stat.modified <= now && now.since(stat.modified).as_secs() < 15_778_476;
                let time = if recent {
                    strftime("%H:%M", stat.modified)
                } else {
                    format!(" {}", civil.year)
                };
                let links = if stat.kind == FileKind::Directory { 2 } else { 1 };
                let target = stat.target.as_ref().map(|t| format!(" -> {t}")).unwrap_or_default();
                let inode = if o.has('i') {
                    format!("{} ", stat.inode)
                } else {
                    String::new()
                };
                let owners = match busybox {
                    true => format!("{links:>4} {user:<8} {group:<8} {size:>9}"),
                    false => format!("{links} {user:<users$} {group:<groups$} {size:>width$}"),
                };
                c.stdout.line(format!(
                    "{inode}{} {owners} {} {:>2} {time} {}{target}",
                    mode_text(stat),
                    short_month(civil.month),
                    civil.day,
                    decorate(name, stat, true),
                ));
            }
            return;
        }
        let names: Vec<String> = list.iter().map(|(n, s)| decorate(n, s, false)).collect();
        let columns = c.stdout.terminal_size().map(|s| usize::from(s.columns));
        match columns {
            Some(columns) if !o.has('1') && !names.is_empty() => {
                let widths: Vec<usize> = list.iter().map(|(n, _)| super::super::editor::width(n)).collect();
                for line in super::super::editor::columns(&names, &widths, columns) {
                    c.stdout.line(line);
                }
            }
            _ => {
                for name in names {
                    c.stdout.line(name);
                }
            }
        }
    };
    let mut code = 0;
    let mut plain = Vec::new();
    let mut dirs = Vec::new();
    for path in &paths {
        let full = c.path(path);
        let follow = o.has('L') || !(o.has('l') || o.has('d') || o.has('F'));
        match c.files.stat(&full, follow).or_else(|_| c.files.stat(&full, false)) {
            Ok(stat) if stat.kind == FileKind::Directory && !o.has('d') => dirs.push(path.clone()),
            Ok(stat) => plain.push((path.clone(), stat)),
            Err(error) => {
                match c.host.dialect() {
                    Dialect::Busybox => c.error(format!("{path}: {error}")),
                    _ => c.error(format!("cannot access '{path}': {error}")),
                }
                code = if c.host.dialect() == Dialect::Busybox { 1 } else { 2 };
            }
        }
    }
    order(&mut plain);
    show(&plain);
    let titles = paths.len() > 1 || o.has('R');
    dirs.arrange();
    dirs.reverse();
    let mut first = plain.is_empty();
    while let Some(dir) = dirs.pop() {
        let full = c.path(&dir);
        let mut list: Vec<(String, Stat)> = match c.files.list(&full) {
            Ok(list) => list,
            Err(error) => {
                let busybox = c.host.dialect() == Dialect::Busybox;
                let what = if busybox { "can't open" } else { "cannot open directory" };
                c.error(format!("{what} '{dir}': {error}"));
                code = if busybox { 1 } else { 2 };
                continue;
            }
        };
        if o.has('L') {
            for (name, stat) in &mut list {
                if let Ok(followed) = c.files.stat(&files::join(&full, name), true) {
                    *stat = followed;
                }
            }
        }
        if !(o.has('a') || o.has('A')) {
            list.retain(|(n, _)| !n.starts_with('.'));
        }
        order(&mut list);
        if o.has('R') {
            for (name, stat) in list.iter().rev() {
                if stat.kind == FileKind::Directory {
                    dirs.push(format!("{}/{name}", dir.trim_end_matches('/')));
                }
            }
        }
        if o.has('a') {
            for (i, name) in [".", ".."].into_iter().enumerate() {
                if let Ok(stat) = c.files.stat(&files::join(&full, name), true) {
                    list.insert(i, (name.to_owned(), stat));
                }
            }
        }
        if titles {
            if !first {
                c.stdout.line("");
            }
            c.stdout.line(format!("{dir}:"));
        }
        first = false;
        if o.has('l') {
            let blocks: u64 = list
                .iter()
                .map(|(_, s)| {
                    if s.kind == FileKind::Symlink {
                        0
                    } else {
                        s.size.div_ceil(4096) * 4
                    }
                })
                .sum();
            let total = if o.has('h') {
                human(blocks * 1024)
            } else {
                blocks.to_string()
            };
            c.stdout.line(format!("total {total}"));
        }
        show(&list);
    }
    code
}

pub(super) async fn stat(c: Context) -> i32 {
    let o = match options::parse(&c, "c:L", &[("format", 'c'), ("dereference", 'L')]) {
        Ok(o) => o,
        Err(code) => return code,
    };
    if o.rest.is_empty() {
        return options::usage(&c, "missing operand");
    }
    let accounts = c.accounts();
    let mut code = 0;
    for path in &o.rest {
        let stat = match c.files.stat(&c.path(path), o.has('L')) {
            Ok(stat) => stat,
            Err(error) => {
                c.error(match c.host.dialect() {
                    Dialect::Busybox => format!("can't stat '{path}': {error}"),
                    _ => format!("cannot statx '{path}': {error}"),
                });
                code = 1;
                continue;
            }
        };
        let kind = kind_name(&stat);
        let time = strftime("%Y-%m-%d %H:%M:%S.%N +0000", stat.modified);
        let user = accounts.user(stat.owner.0).unwrap_or("UNKNOWN");
        let group = accounts.group(stat.owner.1).unwrap_or("UNKNOWN");
        match o.value('c') {
            Some(format) => {
                let mut out = String::new();
                let mut chars = format.chars();
                while let Some(ch) = chars.next() {
                    if ch != '%' {
                        out.push(ch);
                        continue;
                    }
                    match chars.next() {
                        Some('n') => out.push_str(path),
                        Some('s') => out.push_str(&stat.size.to_string()),
                        Some('a') => out.push_str(&format!("{:o}", stat.mode)),
                        Some('A') => out.push_str(&mode_text(&stat)),
                        Some('F') => out.push_str(kind),
                        Some('U') => out.push_str(user),
                        Some('G') => out.push_str(group),
                        Some('u') => out.push_str(&stat.owner.0.to_string()),
                        Some('g') => out.push_str(&stat.owner.1.to_string()),
                        Some('Y') => out.push_str(&stat.modified.as_secs().to_string()),
                        Some('y') => out.push_str(&time),
                        Some('i') => out.push_str(&stat.inode.to_string()),
                        Some('%') => out.push('%'),
                        Some(other) => {
                            out.push('%');
                            out.push(other);
                        }
                        None => out.push('%'),
                    }
                }
                c.stdout.line(out);
            }
            None => {
                writeln!(
                    c.stdout,
                    "  File: {path}\n  Size: {:<15} Blocks: {:<10} IO Block: 4096   {kind}\nAccess: ({:04o}/{})  Uid: ({:>5}/{:>8})   Gid: ({:>5}/{:>8})\nModify: {time}",
                    stat.size,
                    stat.size.div_ceil(4096) * 8,
                    stat.mode,
                    mode_text(&stat),
                    stat.owner.0,
                    user,
                    stat.owner.1,
                    group,
                );
            }
        }
    }
    code
}

pub(super) async fn du(c: Context) -> i32 {
    let o = match options::parse(
        &c,
        "shcam k",
        &[
            ("summarize", 's'),
            ("human-readable", 'h'),
            ("all", 'a'),
            ("total", 'c'),
        ],
    ) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let roots = if o.rest.is_empty() {
        vec![".".to_owned()]
    } else {
        o.rest.clone()
    };
    fn size(c: &Context, path: &str, rows: &mut Vec<(u64, String)>, all: bool, depth: usize) -> u64 {
        let full = files::join(&c.cwd, path);
        let Ok(stat) = c.files.stat(&full, false) else { return 0 };
        let own = stat.size.div_ceil(4096) * 4;
        if stat.kind != FileKind::Directory || depth > crate::limits::SHELL_DEPTH {
            if all || depth == 0 {
                rows.push((own, path.to_owned()));
            }
            return own;
        }
        let mut total = own;
        for (name, _) in c.files.list(&full).unwrap_or_default() {
            total += size(
                c,
                &format!("{}/{name}", path.trim_end_matches('/')),
                rows,
                all,
                depth + 1,
            );
        }
        rows.push((total, path.to_owned()));
        total
    }
    let show = |kib: u64, path: &str| {
        let shown = match (o.has('h'), o.has('m')) {
            (true, _) => human(kib * 1024),
            (_, true) => kib.div_ceil(1024).to_string(),
            _ => kib.to_string(),
        };
        c.stdout.line(format!("{shown}\t{path}"));
    };
    let mut total = 0;
    for root in roots {
        if !c.files.exists(&files::join(&c.cwd, &root)) {
            c.error(format!("cannot access '{root}': {}", FileError::NotFound));
            return 1;
        }
        let mut rows = Vec::new();
        total += size(&c, &root, &mut rows, o.has('a'), 0);
        if o.has('s') {
            rows = rows.pop().into_iter().collect();
        }
        for (kib, path) in rows {
            show(kib, &path);
        }
    }
    if o.has('c') {
        show(total, "total");
    }
    0
}

pub(super) async fn basename(c: Context) -> i32 {
    let o = match options::parse(&c, "as:z", &[("multiple", 'a'), ("suffix", 's'), ("zero", 'z')]) {
        Ok(o) => o,
        Err(code) => return code,
    };
    if o.rest.is_empty() {
        return options::usage(&c, "missing operand");
    }
    let many = o.has('a') || o.has('s');
    let suffix = o
        .value('s')
        .or(if many { None } else { o.rest.get(1).map(String::as_str) });
    for path in o.rest.iter().take(if many { usize::MAX } else { 1 }) {
        let name = files::base_name(path);
        let name = match suffix {
            Some(s) if name != s => name.strip_suffix(s).unwrap_or(name),
            _ => name,
        };
        c.stdout
            .write(format!("{name}{}", if o.has('z') { '\0' } else { '\n' }));
    }
    0
}

pub(super) async fn dirname(c: Context) -> i32 {
    if c.rest().is_empty() {
        return options::usage(&c, "missing operand");
    }
    for path in c.rest() {
        c.stdout.line(files::dir_name(path));
    }
    0
}

pub(super) async fn realpath(c: Context) -> i32 {
    let readlink = files::base_name(c.name()) == "readlink";
    let o = match options::parse(&c, "fems", &[]) {
        Ok(o) => o,
        Err(code) => return code,
    };
    if o.rest.is_empty() {
        return options::usage(&c, "missing operand");
    }
    let mut code = 0;
    for path in &o.rest {
        let full = c.path(path);
        if readlink && !o.has('f') && !o.has('e') && !o.has('m') {
            match c.files.stat(&full, false).ok().and_then(|s| s.target) {
                Some(target) => {
                    c.stdout.line(target);
                }
                None => code = 1,
            }
            continue;
        }
        // `realpath -s` leaves symbolic links as they are; of `readlink` it keeps errors quiet, as it does anyway.
        let real = match c.files.exists(&full) {
            true if !readlink && o.has('s') => Ok(full),
            false if o.has('m') => Ok(full),
            _ => c.files.real_path(&full),
        };
        match real {
            Ok(real) => {
                c.stdout.line(real);
            }
            Err(error) => {
                if !readlink {
                    c.error(format!("{path}: {error}"));
                }
                code = 1;
            }
        }
    }
    code
}

pub(super) async fn mktemp(c: Context) -> i32 {
    let o = match options::parse(&c, "dp:tqu", &[("directory", 'd'), ("tmpdir", 'p')]) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let template = o.rest.first().cloned().unwrap_or_else(|| "tmp.XXXXXXXXXX".to_owned());
    let count = template.chars().rev().take_while(|ch| *ch == 'X').count();
    if count < 3 {
        c.error(format!("too few X's in template ‘{template}’"));
        return 1;
    }
    let stem = template.get(..template.len() - count).unwrap_or_default();
    let name = format!("{stem}{}", c.sim.random_suffix(count));
    let path = if o.rest.is_empty() || o.has('p') || o.has('t') {
        format!("{}/{name}", o.value('p').filter(|p| !p.is_empty()).unwrap_or("/tmp"))
    } else {
        name
    };
    let full = files::join(&c.cwd, &path);
    if o.has('u') {
        c.stdout.line(path);
        return 0;
    }
    let made = if o.has('d') {
        c.files.make_dir(&full)
    } else {
        c.files.write(&full, "")
    };
    if let Err(error) = made {
        if !o.has('q') {
            c.error(format!("failed to create file via template ‘{template}’: {error}"));
        }
        return 1;
    }
    let _ = c.files.set_mode(&full, if o.has('d') { 0o700 } else { 0o600 });
    c.stdout.line(path);
    0
}

pub(super) async fn pwd(c: Context) -> i32 {
    c.stdout.line(&c.cwd);
    0
}
