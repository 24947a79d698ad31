//! `diff`: normal and unified output, by longest common subsequence; `cmp`.

use super::super::files;
use super::super::host::Context;
use super::date::strftime;
use super::options;
use crate::flat::{Arrange, Case};
use crate::limits;

/// A run of lines: how many are equal, gone and new.
#[derive(Clone, Copy, Debug)]
enum Edit {
    Same,
    Gone,
    New,
}

/// The shortest edit script (Myers). `None` when the texts differ too much to compare.
fn edits<T: PartialEq>(a: &[T], b: &[T]) -> Option<Vec<Edit>> {
    let (n, m) = (a.len() as isize, b.len() as isize);
    let max = (n + m) as usize;
    let offset = max as isize + 1;
    let mut v = vec![0isize; 2 * max + 3];
    let mut trace: Vec<Vec<isize>> = Vec::new();
    let get = |v: &[isize], k: isize| v.get((k + offset) as usize).copied().unwrap_or(0);
    let mut found = None;
    'search: for d in 0..=max as isize {
        if (d as usize).saturating_mul(trace.len()) > limits::SHELL_WORD_BYTES {
            return None;
        }
        trace.push(v.get((offset - d - 1) as usize..=(offset + d + 1) as usize)?.to_vec());
        let mut k = -d;
        while k <= d {
            let mut x = if k == -d || (k != d && get(&v, k - 1) < get(&v, k + 1)) {
                get(&v, k + 1)
            } else {
                get(&v, k - 1) + 1
            };
            let mut y = x - k;
            while x < n && y < m && a.get(x as usize) == b.get(y as usize) {
                x += 1;
                y += 1;
            }
            if let Some(slot) = v.get_mut((k + offset) as usize) {
                *slot = x;
            }
            if x >= n && y >= m {
                found = Some(d);
                break 'search;
            }
            k += 2;
        }
    }
    let mut out = Vec::new();
    let (mut x, mut y) = (n, m);
    let mut d = found?;
    while d > 0 {
        let v = trace.get(d as usize)?;
        // The saved window begins at diagonal -d-1.
        let at = |k: isize| v.get((k + d + 1) as usize).copied().unwrap_or(0);
        let k = x - y;
        let down = k == -d || (k != d && at(k - 1) < at(k + 1));
        let prev_k = if down { k + 1 } else { k - 1 };
        let prev_x = at(prev_k);
        let prev_y = prev_x - prev_k;
        while x > prev_x && y > prev_y {
            out.push(Edit::Same);
            x -= 1;
            y -= 1;
        }
        if down {
            out.push(Edit::New);
            y -= 1;
        } else {
            out.push(Edit::Gone);
            x -= 1;
        }
        d -= 1;
    }
    while x > 0 && y > 0 {
        out.push(Edit::Same);
        x -= 1;
        y -= 1;
    }
    out.reverse();
    Some(out)
}

/// A change: lines `a` of the old text became lines `b` of the new (half-open, from 0).
#[derive(Clone, Copy)]
struct Change {
    a: (usize, usize),
    b: (usize, usize),
}

fn changes(script: &[Edit]) -> Vec<Change> {
    let mut out: Vec<Change> = Vec::new();
    let (mut i, mut j) = (0, 0);
    let mut open: Option<Change> = None;
    for edit in script {
        match edit {
            Edit::Same => {
                out.extend(open.take());
                i += 1;
                j += 1;
            }
            Edit::Gone => {
                let c = open.get_or_insert(Change { a: (i, i), b: (j, j) });
                i += 1;
                c.a.1 = i;
            }
            Edit::New => {
                let c = open.get_or_insert(Change { a: (i, i), b: (j, j) });
                j += 1;
                c.b.1 = j;
            }
        }
    }
    out.extend(open);
    out
}

pub(super) async fn diff(c: Context) -> i32 {
    let long = [
        ("unified", 'U'),
        ("recursive", 'r'),
        ("new-file", 'N'),
        ("brief", 'q'),
        ("ignore-all-space", 'w'),
        ("ignore-case", 'i'),
        ("report-identical-files", 's'),
    ];
    let o = match options::parse(&c, "uU:rNqwibs", &long) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let [first, second] = o.rest.as_slice() else {
        return match o.rest.len() {
            0 => options::usage(
                &c,
                &format!("missing operand after '{}'", c.args.last().map_or("diff", |a| a)),
            ),
            1 => options::usage(
                &c,
                &format!("missing operand after '{}'", o.rest.first().map_or("", |a| a)),
            ),
            _ => options::usage(&c, &format!("extra operand '{}'", o.rest.get(2).map_or("", |a| a))),
        };
    };
    let is_dir = |p: &str| p != "-" && c.files.is_dir(&files::join(&c.cwd, p));
    let mut pairs: Vec<(String, String, bool)> = Vec::new();
    let mut code = 0;
    match (is_dir(first), is_dir(second)) {
        (false, false) => pairs.push((first.clone(), second.clone(), false)),
        (true, false) => pairs.push((
            format!("{}/{}", first.trim_end_matches('/'), files::base_name(second)),
            second.clone(),
            false,
        )),
        (false, true) => pairs.push((
            first.clone(),
            format!("{}/{}", second.trim_end_matches('/'), files::base_name(first)),
            false,
        )),
        (true, true) => {
            let mut queue = vec![(
                first.trim_end_matches('/').to_owned(),
                second.trim_end_matches('/').to_owned(),
            )];
            while let Some((a, b)) = queue.pop() {
                let list = |p: &str| -> Vec<String> {
                    c.files
                        .list(&files::join(&c.cwd, p))
                        .unwrap_or_default()
                        .into_iter()
                        .map(|(n, _)| n)
                        .collect()
                };
                let (left, right) = (list(&a), list(&b));
                let mut names: Vec<&String> = left.iter().chain(&right).collect();
                names.arrange();
                names.dedup();
                for name in names {
                    let (x, y) = (format!("{a}/{name}"), format!("{b}/{name}"));
                    match (left.contains(name), right.contains(name)) {
                        (true, false) if !o.has('N') => {
                            c.stdout.line(format!("Only in {a}: {name}"));
                            code = 1;
                        }
                        (false, true) if !o.has('N') => {
                            c.stdout.line(format!("Only in {b}: {name}"));
                            code = 1;
                        }
                        _ if is_dir(&x) && is_dir(&y) => {
                            if o.has('r') {
                                queue.push((x, y));
                            } else {
                                c.stdout.line(format!("Common subdirectories: {x} and {y}"));
                            }
                        }
                        _ => pairs.push((x, y, true)),
                    }
                }
            }
        }
    }
    let flags: Vec<String> = c
        .rest()
        .iter()
        .filter(|a| a.starts_with('-') && a.len() > 1)
        .cloned()
        .collect();
    for (a, b, titled) in pairs {
        let mut texts = Vec::new();
        for path in [&a, &b] {
            match c.read_file(path).await {
                Ok(text) => texts.push(text),
                Err(_) if o.has('N') => texts.push(String::new()),
                Err(error) => {
                    c.error(format!("{path}: {error}"));
                    return 2;
                }
            }
        }
        let [old, new] = texts.as_slice() else { return 2 };
        if old == new {
            if o.has('s') {
                c.stdout.line(format!("Files {a} and {b} are identical"));
            }
            continue;
        }
        let key = |line: &str| -> String {
            let mut text = line.to_owned();
            if o.has('w') {
                text.retain(|ch| !ch.is_whitespace());
            } else if o.has('b') {
                text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            }
            if o.has('i') {
                text = text.lower();
            }
            text
        };
        let old_lines: Vec<&str> = old.split_inclusive('\n').collect();
        let new_lines: Vec<&str> = new.split_inclusive('\n').collect();
        let old_keys: Vec<String> = old_lines.iter().map(|l| key(l)).collect();
        let new_keys: Vec<String> = new_lines.iter().map(|l| key(l)).collect();
        let Some(script) = edits(&old_keys, &new_keys) else {
            c.error(format!("{a} and {b} differ in too many lines to compare"));
            return 2;
        };
        let list = changes(&script);
        if list.is_empty() {
            continue;
        }
        code = 1;
        if o.has('q') {
            c.stdout.line(format!("Files {a} and {b} differ"));
            continue;
        }
        if titled {
            c.stdout
                .line(format!("diff {} {a} {b}", flags.join(" ")).replace("  ", " "));
        }
        if o.has('u') || o.has('U') {
            let around = o.value('U').and_then(|n| n.parse().ok()).unwrap_or(3usize);
            unified(&c, (&a, &b), (&old_lines, &new_lines), &list, around);
        } else {
            normal(&c, (&old_lines, &new_lines), &list);
        }
    }
    code
}

fn put(c: &Context, mark: &str, line: &str) {
    c.stdout.write(format!("{mark}{line}"));
    if !line.ends_with('\n') {
        c.stdout.write("\n\\ No newline at end of file\n");
    }
}

fn normal(c: &Context, lines: (&[&str], &[&str]), list: &[Change]) {
    let range = |(from, to): (usize, usize)| match to - from {
        0 => from.to_string(),
        1 => (from + 1).to_string(),
        _ => format!("{},{to}", from + 1),
    };
    for change in list {
        let letter = match (change.a.0 == change.a.1, change.b.0 == change.b.1) {
            (true, _) => 'a',
            (_, true) => 'd',
            _ => 'c',
        };
        c.stdout.line(format!("{}{letter}{}", range(change.a), range(change.b)));
        for line in lines.0.get(change.a.0..change.a.1).unwrap_or_default() {
            put(c, "< ", line);
        }
        if letter == 'c' {
            c.stdout.line("---");
        }
        for line in lines.1.get(change.b.0..change.b.1).unwrap_or_default() {
            put(c, "> ", line);
        }
    }
}

fn unified(c: &Context, names: (&str, &str), lines: (&[&str], &[&str]), list: &[Change], around: usize) {
    for (mark, name) in [("---", names.0), ("+++", names.1)] {
        let when = c
            .files
            .stat(&files::join(&c.cwd, name), true)
            .map_or(c.sim.now(), |s| s.modified);
        c.stdout.line(format!(
            "{mark} {name}\t{}",
            strftime("%Y-%m-%d %H:%M:%S.%N +0000", when)
        ));
    }
    let mut i = 0;
    while let Some(first) = list.get(i) {
        let mut last = i;
        while let (Some(here), Some(next)) = (list.get(last), list.get(last + 1)) {
            if next.a.0 - here.a.1 > 2 * around {
                break;
            }
            last += 1;
        }
        let Some(end) = list.get(last) else { break };
        let a0 = first.a.0.saturating_sub(around);
        let b0 = first.b.0.saturating_sub(around);
        let a1 = (end.a.1 + around).min(lines.0.len());
        let b1 = (end.b.1 + around).min(lines.1.len());
        let range = |from: usize, to: usize| match to - from {
            0 => format!("{from},0"),
            1 => (from + 1).to_string(),
            n => format!("{},{n}", from + 1),
        };
        c.stdout.line(format!("@@ -{} +{} @@", range(a0, a1), range(b0, b1)));
        let mut at = a0;
        for change in list.get(i..=last).unwrap_or_default() {
            for line in lines.0.get(at..change.a.0).unwrap_or_default() {
                put(c, " ", line);
            }
            for line in lines.0.get(change.a.0..change.a.1).unwrap_or_default() {
                put(c, "-", line);
            }
            for line in lines.1.get(change.b.0..change.b.1).unwrap_or_default() {
                put(c, "+", line);
            }
            at = change.a.1;
        }
        for line in lines.0.get(at..a1).unwrap_or_default() {
            put(c, " ", line);
        }
        i = last + 1;
    }
}

pub(super) async fn cmp(c: Context) -> i32 {
    let quiet = c.rest().iter().any(|a| a == "-s");
    let paths: Vec<&String> = c.rest().iter().filter(|a| !a.starts_with('-') || *a == "-").collect();
    let [a, b] = paths.as_slice() else {
        return options::usage(&c, "missing operand").max(2);
    };
    let mut texts = Vec::new();
    for path in [a, b] {
        match c.open(path) {
            Ok(input) => texts.push(input.read_all().await),
            Err(error) => {
                c.error(format!("{path}: {error}"));
                return 2;
            }
        }
    }
    let [x, y] = texts.as_slice() else { return 2 };
    match x.iter().zip(y).position(|(p, q)| p != q) {
        Some(at) => {
            if !quiet {
                let line = 1 + x.iter().take(at).filter(|b| **b == b'\n').count();
                c.stdout.line(format!("{a} {b} differ: byte {}, line {line}", at + 1));
            }
            1
        }
        None if x.len() == y.len() => 0,
        None => {
            if !quiet {
                let shorter = if x.len() < y.len() { a } else { b };
                let n = x.len().min(y.len());
                c.error(format!("EOF on {shorter} after byte {n}"));
            }
            1
        }
    }
}
