//! Tools that pass lines on: `cat`, `head`, `tail`, `wc`, `tee`, `tac`, `rev`, `nl`, `less`.

use std::collections::VecDeque;

use super::super::files::{FileError, FileKind};
use super::super::host::{Context, Dialect};
use super::super::io::Input;
use super::super::process::{Disposition, SIGINT};
use super::options::{self, Options};
use crate::limits;

/// The files that a tool was given, `-` for none.
pub(super) fn inputs(o: &Options) -> Vec<String> {
    if o.rest.is_empty() {
        vec!["-".to_owned()]
    } else {
        o.rest.clone()
    }
}

fn open(c: &Context, path: &str) -> Result<Input, FileError> {
    if path != "-"
        && c.files
            .stat(&c.path(path), true)
            .is_ok_and(|s| s.kind == FileKind::Directory)
    {
        return Err(FileError::IsDirectory);
    }
    c.open(path)
}

pub(super) async fn cat(c: Context) -> i32 {
    let o = match options::parse(
        &c,
        "nbsAETvet u",
        &[
            ("number", 'n'),
            ("show-all", 'A'),
            ("show-ends", 'E'),
            ("squeeze-blank", 's'),
            ("show-tabs", 'T'),
            ("number-nonblank", 'b'),
            ("show-nonprinting", 'v'),
        ],
    ) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let (number, nonblank, squeeze) = (o.has('n'), o.has('b'), o.has('s'));
    let ends = o.has('E') || o.has('A') || o.has('e');
    let tabs = o.has('T') || o.has('A') || o.has('t');
    let visible = ['v', 'A', 'e', 't'].into_iter().any(|l| o.has(l));
    let plain = !(number || nonblank || squeeze || ends || tabs || visible);
    let mut code = 0;
    let mut count = 0;
    let mut blank = false;
    for path in inputs(&o) {
        let input = match open(&c, &path) {
            Ok(input) => input,
            Err(error) => {
                c.error(cannot_open(&c, &path, error));
                code = 1;
                continue;
            }
        };
        if plain {
            loop {
                let bytes = input.read(64 * 1024).await;
                if bytes.is_empty() || !c.stdout.write(&bytes) {
                    break;
                }
                c.stdout.ready().await;
            }
            continue;
        }
        while let Some(line) = input.read_line_bytes().await {
            let is_blank = line == b"\n";
            if squeeze && is_blank && blank {
                continue;
            }
            blank = is_blank;
            let mut text = String::new();
            if (number && !nonblank) || (nonblank && !is_blank) {
                count += 1;
                text = format!("{count:>6}\t");
            }
            let mut body = match visible {
                true => line.iter().map(|b| shown(*b)).collect(),
                false => String::from_utf8_lossy(&line).into_owned(),
            };
            if tabs {
                body = body.replace('\t', "^I");
            }
            if ends && body.ends_with('\n') {
                body.pop();
                body.push_str("$\n");
            }
            if !c.stdout.write(text + &body) {
                break;
            }
            c.stdout.ready().await;
        }
    }
    code
}

/// A byte as `cat -v` shows it: `^A`, `^?`, `M-a`.
fn shown(byte: u8) -> String {
    match byte {
        b'\t' | b'\n' | b' '..=b'~' => char::from(byte).to_string(),
        0x7f => "^?".to_owned(),
        0..=0x1f => format!("^{}", char::from(byte + b'@')),
        _ => match byte - 0x80 {
            low @ (b'\t' | b'\n') => format!("M-^{}", char::from(low + b'@')),
            low => format!("M-{}", shown(low)),
        },
    }
}

/// A count such as `10`, `5k` or `+3`, and its sign.
fn count(text: &str) -> Option<(char, usize)> {
    let (sign, digits) = match text.chars().next()? {
        s @ ('+' | '-') => (s, text.get(1..)?),
        _ => (' ', text),
    };
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let n: usize = digits.get(..end)?.parse().ok()?;
    let factor = match digits.get(end..)? {
        "" => 1,
        "b" => 512,
        "k" | "K" | "KiB" => 1024,
        "kB" => 1000,
        "m" | "M" | "MiB" => 1024 * 1024,
        _ => return None,
    };
    Some((sign, n.saturating_mul(factor)))
}

/// `-5` as `-n 5`.
fn old_style(c: &Context) -> Context {
    let mut c = c.clone();
    let mut takes_value = false;
    for arg in c.args.iter_mut().skip(1) {
        if !takes_value
            && let Some(n) = arg.strip_prefix('-')
            && !n.is_empty()
            && n.chars().all(|c| c.is_ascii_digit())
        {
            *arg = format!("-n{n}");
        }
        takes_value = arg == "-n" || arg == "-c";
    }
    c
}

pub(super) async fn head(c: Context) -> i32 {
    let c = old_style(&c);
    let o = match options::parse(
        &c,
        "n:c:qv",
        &[
            ("lines", 'n'),
            ("bytes", 'c'),
            ("quiet", 'q'),
            ("silent", 'q'),
            ("verbose", 'v'),
        ],
    ) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let by_bytes = o
        .flags
        .iter()
        .rev()
        .find(|(l, _)| *l == 'n' || *l == 'c')
        .is_some_and(|(l, _)| *l == 'c');
    let text = if by_bytes { o.value('c') } else { o.value('n') }
        .unwrap_or("10")
        .to_owned();
    let Some((sign, n)) = count(&text) else {
        c.error(format!(
            "invalid number of {}: ‘{text}’",
            if by_bytes { "bytes" } else { "lines" }
        ));
        return 1;
    };
    let paths = inputs(&o);
    let titles = (paths.len() > 1 && !o.has('q')) || o.has('v');
    let mut code = 0;
    let mut first = true;
    for path in &paths {
        let input = match c.open(path) {
            Ok(input) => input,
            Err(FileError::IsDirectory) => {
                c.error(format!("error reading '{path}': Is a directory"));
                code = 1;
                continue;
            }
            Err(error) => {
                c.error(match c.host.dialect() {
                    Dialect::Busybox => format!("{path}: {error}"),
                    _ => format!("cannot open '{path}' for reading: {error}"),
                });
                code = 1;
                continue;
            }
        };
        if titles {
            let shown = if path == "-" { "standard input" } else { path };
            c.stdout
                .write(format!("{}==> {shown} <==\n", if first { "" } else { "\n" }));
        }
        first = false;
        if sign == '-' {
            let all = input.read_all().await;
            let end = if by_bytes {
                all.len().saturating_sub(n)
            } else {
                let lines: Vec<&[u8]> = all.split_inclusive(|b| *b == b'\n').collect();
                lines.iter().take(lines.len().saturating_sub(n)).map(|l| l.len()).sum()
            };
            c.stdout.write(all.get(..end).unwrap_or_default());
            continue;
        }
        let mut left = n;
        while left > 0 {
            if by_bytes {
                let bytes = input.read(left).await;
                if bytes.is_empty() {
                    break;
                }
                left -= bytes.len();
                c.stdout.write(bytes);
            } else {
                let Some(line) = input.read_line_bytes().await else {
                    break;
                };
                left -= 1;
                if !c.stdout.write(line) {
                    break;
                }
            }
            c.stdout.ready().await;
        }
    }
    code
}

pub(super) async fn tail(c: Context) -> i32 {
    let c = old_style(&c);
    let o = match options::parse(
        &c,
        "n:c:qvfF s:",
        &[
            ("lines", 'n'),
            ("bytes", 'c'),
            ("quiet", 'q'),
            ("follow", 'f'),
            ("verbose", 'v'),
        ],
    ) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let by_bytes = o.has('c');
    let text = if by_bytes { o.value('c') } else { o.value('n') }
        .unwrap_or("10")
        .to_owned();
    let Some((sign, n)) = count(&text) else {
        c.error(format!(
            "invalid number of {}: ‘{text}’",
            if by_bytes { "bytes" } else { "lines" }
        ));
        return 1;
    };
    let paths = inputs(&o);
    let titles = (paths.len() > 1 && !o.has('q')) || o.has('v');
    let mut code = 0;
    let mut first = true;
    let busybox = c.host.dialect() == Dialect::Busybox;
    // How much of each file was seen; `None` for one that is not there.
    let mut followed: Vec<(String, Option<usize>)> = Vec::new();
    for path in &paths {
        let input = match open(&c, path) {
            Ok(input) => input,
            Err(FileError::IsDirectory) => {
                c.error(format!("error reading '{path}': Is a directory"));
                code = 1;
                continue;
            }
            Err(error) => {
                c.error(match busybox {
                    true => cannot_open(&c, path, error),
                    false => format!("cannot open '{path}' for reading: {error}"),
                });
                code = 1;
                // `-F` tries again, until there is a file.
                if o.has('F') {
                    followed.push((path.clone(), None));
                }
                continue;
            }
        };
        if titles {
            let shown = if path == "-" { "standard input" } else { path };
            c.stdout
                .write(format!("{}==> {shown} <==\n", if first { "" } else { "\n" }));
        }
        first = false;
        if sign == '+' && !by_bytes {
            let mut at = 1;
            while let Some(line) = input.read_line_bytes().await {
                if at >= n && !c.stdout.write(&line) {
                    break;
                }
                at += 1;
                c.stdout.ready().await;
            }
        } else if by_bytes {
            let all = input.read_all().await;
            let from = if sign == '+' {
                n.saturating_sub(1).min(all.len())
            } else {
                all.len().saturating_sub(n)
            };
            c.stdout.write(all.get(from..).unwrap_or_default());
        } else {
            let mut kept: VecDeque<Vec<u8>> = VecDeque::new();
            while let Some(line) = input.read_line_bytes().await {
                if n == 0 {
                    continue;
                }
                if kept.len() >= n {
                    kept.pop_front();
                }
                kept.push_back(line);
            }
            for line in kept {
                c.stdout.write(line);
            }
        }
        if path != "-" {
            let size = c.files.read(&c.path(path)).map_or(0, |b| b.len());
            followed.push((path.clone(), Some(size)));
        }
    }
    if !(o.has('f') || o.has('F')) || followed.is_empty() {
        if code != 0 && o.has('f') {
            c.error(if busybox { "no files" } else { "no files remaining" });
        }
        return code;
    }
    loop {
        c.sim.sleep(std::time::Duration::from_secs(1)).await;
        for (path, size) in &mut followed {
            let Ok(bytes) = c.files.read(&c.path(path)) else {
                continue;
            };
            let seen = match *size {
                Some(seen) if bytes.len() < seen => {
                    c.error(format!("{path}: file truncated"));
                    0
                }
                Some(seen) => seen,
                None => {
                    c.error(match busybox {
                        true => format!("{path} has appeared; following end of new file"),
                        false => format!("'{path}' has appeared;  following new file"),
                    });
                    0
                }
            };
            if let Some(new) = bytes.get(seen..)
                && !new.is_empty()
            {
                c.stdout.write(new);
            }
            *size = Some(bytes.len());
        }
    }
}

pub(super) async fn wc(c: Context) -> i32 {
    let o = match options::parse(
        &c,
        "lwcmL",
        &[
            ("lines", 'l'),
            ("words", 'w'),
            ("bytes", 'c'),
            ("chars", 'm'),
            ("max-line-length", 'L'),
        ],
    ) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let all = o.flags.is_empty();
    let paths = inputs(&o);
    let mut code = 0;
    let mut rows: Vec<(Vec<usize>, String)> = Vec::new();
    let mut total: Vec<usize> = Vec::new();
    for path in &paths {
        let bytes = match open(&c, path) {
            Ok(input) => input.read_all().await,
            Err(error) => {
                c.error(cannot_open(&c, path, error));
                code = 1;
                if error != FileError::IsDirectory {
                    continue;
                }
                Vec::new()
            }
        };
        let text = String::from_utf8_lossy(&bytes);
        let mut counts = Vec::new();
        if all || o.has('l') {
            counts.push(bytes.iter().filter(|b| **b == b'\n').count());
        }
        if all || o.has('w') {
            counts.push(text.split_whitespace().count());
        }
        if o.has('m') {
            counts.push(text.chars().count());
        }
        if all || o.has('c') {
            counts.push(bytes.len());
        }
        if o.has('L') {
            counts.push(text.lines().map(|l| l.chars().count()).max().unwrap_or(0));
        }
        if total.is_empty() {
            total = vec![0; counts.len()];
        }
        for (t, n) in total.iter_mut().zip(&counts) {
            *t += n;
        }
        rows.push((counts, path.clone()));
    }
    if paths.len() > 1 {
        rows.push((total.clone(), "total".to_owned()));
    }
    // One number alone stands without padding; from a pipe several are 7 wide; files by their sizes.
    let single = rows.first().is_some_and(|(n, _)| n.len() == 1) && paths.len() == 1;
    let from_pipe = o.rest.is_empty() || o.rest.iter().any(|p| p == "-");
    let size: usize = paths
        .iter()
        .filter_map(|p| c.files.stat(&c.path(p), true).ok())
        .map(|s| s.size as usize)
        .sum();
    let width = if single {
        1
    } else if from_pipe && c.stdin.as_file().is_none() {
        7
    } else if from_pipe {
        total.iter().max().map_or(1, |n| n.to_string().len())
    } else {
        size.to_string().len()
    };
    for (counts, path) in rows {
        let mut line: Vec<String> = counts.iter().map(|n| format!("{n:>width$}")).collect();
        if !(o.rest.is_empty()) {
            line.push(path);
        }
        c.stdout.line(line.join(" "));
    }
    code
}

pub(super) async fn tee(c: Context) -> i32 {
    let o = match options::parse(&c, "ai", &[("append", 'a'), ("ignore-interrupts", 'i')]) {
        Ok(o) => o,
        Err(code) => return code,
    };
    if o.has('i') {
        c.process.set_disposition(SIGINT, Some(Disposition::Ignore));
    }
    let mut code = 0;
    let mut outputs = vec![c.stdout.clone()];
    for path in &o.rest {
        match c.create(path, o.has('a')) {
            Ok(output) => outputs.push(output),
            Err(error) => {
                c.error(format!("{path}: {error}"));
                code = 1;
            }
        }
    }
    loop {
        let bytes = c.stdin.read(64 * 1024).await;
        if bytes.is_empty() {
            return code;
        }
        for output in &outputs {
            output.write(&bytes);
            output.ready().await;
        }
    }
}

pub(super) async fn tac(c: Context) -> i32 {
    let mut code = 0;
    let paths = if c.rest().is_empty() {
        vec!["-".to_owned()]
    } else {
        c.rest().to_vec()
    };
    for path in &paths {
        match open(&c, path) {
            Ok(input) => {
                let bytes = input.read_all().await;
                for line in bytes.split_inclusive(|b| *b == b'\n').rev() {
                    c.stdout.write(line);
                }
            }
            Err(error) => {
                c.error(format!("failed to open '{path}' for reading: {error}"));
                code = 1;
            }
        }
    }
    code
}

pub(super) async fn rev(c: Context) -> i32 {
    let paths = if c.rest().is_empty() {
        vec!["-".to_owned()]
    } else {
        c.rest().to_vec()
    };
    for path in &paths {
        match open(&c, path) {
            Ok(input) => {
                while let Some(line) = input.read_line().await {
                    c.stdout.line(line.chars().rev().collect::<String>());
                }
            }
            Err(error) => {
                c.error(format!("cannot open {path}: {error}"));
                return 1;
            }
        }
    }
    0
}

pub(super) async fn nl(c: Context) -> i32 {
    let o = match options::parse(&c, "b:w:s:n:v:i:", &[("body-numbering", 'b')]) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let every = o.value('b') == Some("a");
    let width = o
        .value('w')
        .and_then(|w| w.parse().ok())
        .unwrap_or(6usize)
        .min(limits::PATH_BYTES);
    let separator = o.value('s').unwrap_or("\t").to_owned();
    let format = o.value('n').unwrap_or("rn");
    if !matches!(format, "ln" | "rn" | "rz") {
        return options::usage(&c, &format!("invalid line numbering format: ‘{format}’"));
    }
    let step = match o.value('i').map(str::parse::<i64>) {
        None => 1,
        Some(Ok(step)) => step,
        Some(Err(_)) => {
            c.error(format!(
                "invalid line number increment: ‘{}’",
                o.value('i').unwrap_or_default()
            ));
            return 1;
        }
    };
    let mut n = o.value('v').and_then(|v| v.parse().ok()).unwrap_or(1i64);
    for path in inputs(&o) {
        let input = match open(&c, &path) {
            Ok(input) => input,
            Err(error) => {
                c.error(format!("{path}: {error}"));
                return 1;
            }
        };
        while let Some(line) = input.read_line().await {
            if line.is_empty() && !every {
                c.stdout.line(" ".repeat(width + separator.chars().count()));
            } else {
                let number = match format {
                    "ln" => format!("{n:<width$}"),
                    "rz" => format!("{n:0>width$}"),
                    _ => format!("{n:>width$}"),
                };
                c.stdout.line(number + &separator + &line);
                n = n.saturating_add(step);
            }
        }
    }
    0
}

/// `less` and `more`: the terminal scrolls, so that the whole text is shown at once.
pub(super) async fn pager(c: Context) -> i32 {
    let files: Vec<String> = c
        .rest()
        .iter()
        .filter(|a| !a.starts_with('-') || *a == "-")
        .cloned()
        .collect();
    let mut plain = c.clone();
    plain.args = std::iter::once(c.name().to_owned()).chain(files).collect();
    cat(plain).await
}

/// How `cat` and its kin say that a file cannot be read: busybox has words of its own.
fn cannot_open(c: &Context, path: &str, error: FileError) -> String {
    match c.host.dialect() {
        Dialect::Busybox if error == FileError::IsDirectory => format!("read error: {error}"),
        Dialect::Busybox => format!("can't open '{path}': {error}"),
        _ => format!("{path}: {error}"),
    }
}
