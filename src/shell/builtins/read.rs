//! `read` and `mapfile`.

use std::time::Duration;

use super::super::host::Fd;
use super::super::io::Input;
use super::super::parser::is_name;
use super::super::state::{Content, Run, State, Var};
use crate::limits;
use crate::sim;
use crate::value::float;

struct ReadOptions {
    raw: bool,
    delimiter: u8,
    count: Option<usize>,
    exact: bool,
    timeout: Option<Duration>,
    list: Option<String>,
    prompt: String,
    fd: i32,
}

pub(super) async fn read(state: &mut State, args: &[String]) -> Run<i32> {
    let mut o = ReadOptions {
        raw: false,
        delimiter: b'\n',
        count: None,
        exact: false,
        timeout: None,
        list: None,
        prompt: String::new(),
        fd: 0,
    };
    let mut i = 1;
    'args: while let Some(arg) = args.get(i) {
        let Some(letters) = arg.strip_prefix('-').filter(|l| !l.is_empty()) else {
            break;
        };
        if letters == "-" {
            i += 1;
            break;
        }
        for (at, c) in letters.char_indices() {
            match c {
                'r' => o.raw = true,
                's' | 'e' => {}
                'd' | 'n' | 'N' | 't' | 'a' | 'p' | 'u' | 'i' => {
                    let inline = letters.get(at + 1..).unwrap_or_default();
                    let value = if inline.is_empty() {
                        i += 1;
                        args.get(i).cloned()
                    } else {
                        Some(inline.to_owned())
                    };
                    let Some(value) = value else {
                        state.builtin_error(args, format!("-{c}: option requires an argument"));
                        return Ok(2);
                    };
                    match c {
                        'd' => o.delimiter = value.bytes().next().unwrap_or(0),
                        'n' | 'N' => {
                            o.count = value.parse().ok();
                            o.exact = c == 'N';
                        }
                        't' => {
                            o.timeout = float::parse(&value)
                                .filter(|t| *t >= 0.0 && *t < 1e9)
                                .map(Duration::from_secs_f64);
                            if o.timeout.is_none() {
                                state.builtin_error(args, format!("{value}: invalid timeout specification"));
                                return Ok(1);
                            }
                        }
                        'a' => o.list = Some(value),
                        'p' => o.prompt = value,
                        'u' => o.fd = value.parse().unwrap_or(0),
                        _ => {}
                    }
                    i += 1;
                    continue 'args;
                }
                c => {
                    state.builtin_error(args, format!("-{c}: invalid option"));
                    state.stderr.line("read: usage: read [-ers] [-a array] [-d delim] [-i text] [-n nchars] [-N nchars] [-p prompt] [-t timeout] [-u fd] [name ...]");
                    return Ok(2);
                }
            }
        }
        i += 1;
    }
    let names: Vec<String> = args.get(i..).unwrap_or_default().to_vec();
    for name in &names {
        if !is_name(name.split('[').next().unwrap_or_default()) {
            state.builtin_error(args, format!("`{name}': not a valid identifier"));
            return Ok(1);
        }
    }
    let input = match state.fd(o.fd) {
        Some(Fd::In(input)) => input,
        _ => {
            state.builtin_error(args, format!("{}: invalid file descriptor: Bad file descriptor", o.fd));
            return Ok(1);
        }
    };
    if input.is_terminal() && !o.prompt.is_empty() {
        state.stderr.write(&o.prompt);
    }
    let process = state.process.clone();
    let reading = read_record(&input, &o);
    let reading = futures::future::select(Box::pin(reading), Box::pin(process.wait_signal()));
    let read = async {
        match reading.await {
            futures::future::Either::Left((record, _)) => Some(record),
            futures::future::Either::Right(_) => None,
        }
    };
    let record = match o.timeout {
        None => read.await,
        Some(limit) => match sim::timeout(&state.sim, limit, read).await {
            Some(record) => record,
            None => return Ok(142),
        },
    };
    let Some((bytes, complete)) = record else {
        // A trapped signal came in.
        state.run_traps().await?;
        return Ok(128 + 15);
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let ended = !complete;
    let fail = |state: &State, message: String| {
        state.builtin_error(args, message);
        Ok(1)
    };
    if let Some(name) = o.list {
        let fields = split(&text, &state.ifs(), o.raw, usize::MAX);
        let list = fields.into_iter().enumerate().map(|(i, f)| (i as i64, f)).collect();
        let var = Var {
            content: Some(Content::List(list)),
            ..Var::default()
        };
        let name = state.resolve(&name).to_owned();
        state.vars.insert(name, var);
    } else if names.is_empty() {
        let value = if o.raw { text } else { unguard(&text) };
        if let Err(message) = state.set("REPLY", value) {
            return fail(state, message);
        }
    } else {
        let mut fields = split(&text, &state.ifs(), o.raw, names.len()).into_iter();
        for name in names {
            let value = fields.next().unwrap_or_default();
            let set = match name.strip_suffix(']').and_then(|n| n.split_once('[')) {
                Some((base, key)) => state.set_element(base, key, value),
                None => state.set(&name, value),
            };
            if let Err(message) = set {
                return fail(state, message);
            }
        }
    }
    Ok(i32::from(ended))
}

/// One record: up to the delimiter (a backslash guards a line feed unless raw), and whether the
/// delimiter was there. Backslashes stay in.
async fn read_record(input: &Input, o: &ReadOptions) -> (Vec<u8>, bool) {
    let mut record = Vec::new();
    if o.delimiter == b'\n' && o.count.is_none() {
        loop {
            let Some(line) = input.read_line_bytes().await else {
                return (record, false);
            };
            record.extend_from_slice(&line);
            if record.last() != Some(&b'\n') {
                return (record, false);
            }
            record.pop();
            let guards = record.iter().rev().take_while(|b| **b == b'\\').count();
            if o.raw || guards % 2 == 0 {
                return (record, true);
            }
            record.pop();
            if record.len() > limits::SHELL_WORD_BYTES {
                return (record, true);
            }
        }
    }
    loop {
        if o.count
            .is_some_and(|n| String::from_utf8_lossy(&record).chars().count() >= n)
        {
            return (record, true);
        }
        let byte = input.read(1).await;
        let Some(byte) = byte.first().copied() else {
            return (record, false);
        };
        if byte == o.delimiter && !o.exact {
            return (record, true);
        }
        record.push(byte);
        if record.len() > limits::SHELL_WORD_BYTES {
            return (record, true);
        }
    }
}

fn unguard(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            out.extend(chars.next());
        } else {
            out.push(c);
        }
    }
    out
}

/// Splits a record at `$IFS` into at most `max` fields, the last of which takes the rest.
fn split(text: &str, ifs: &str, raw: bool, max: usize) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let is_ifs = |c: char| ifs.contains(c);
    let is_space = |c: char| ifs.contains(c) && c.is_ascii_whitespace();
    let mut end = chars.len();
    while end > 0
        && chars.get(end - 1).is_some_and(|c| is_space(*c))
        && (raw || chars.get(end.wrapping_sub(2)) != Some(&'\\'))
    {
        end -= 1;
    }
    let mut i = 0;
    while chars.get(i).is_some_and(|c| is_space(*c)) {
        i += 1;
    }
    let mut fields = Vec::new();
    while i < end {
        if fields.len() + 1 >= max {
            let rest = chars.get(i..end).unwrap_or_default();
            let mut text: String = rest.iter().collect();
            // One trailing delimiter of a single last field is dropped.
            if let Some(last) = text.chars().last()
                && is_ifs(last)
                && !is_space(last)
                && text.chars().filter(|c| is_ifs(*c)).count() == 1
            {
                text.pop();
            }
            fields.push(if raw { text } else { unguard(&text) });
            return fields;
        }
        let mut field = String::new();
        while i < end {
            let Some(c) = chars.get(i).copied() else { break };
            if c == '\\' && !raw {
                field.extend(chars.get(i + 1));
                i += 2;
                continue;
            }
            if is_ifs(c) {
                break;
            }
            field.push(c);
            i += 1;
        }
        fields.push(field);
        // The delimiter: white space around at most one other character.
        while i < end && chars.get(i).is_some_and(|c| is_space(*c)) {
            i += 1;
        }
        if i < end && chars.get(i).is_some_and(|c| is_ifs(*c) && !is_space(*c)) {
            i += 1;
            while i < end && chars.get(i).is_some_and(|c| is_space(*c)) {
                i += 1;
            }
        }
    }
    fields
}

pub(super) async fn mapfile(state: &mut State, args: &[String]) -> Run<i32> {
    let mut trim = false;
    let mut name = "MAPFILE".to_owned();
    let mut max = usize::MAX;
    let mut i = 1;
    while let Some(arg) = args.get(i) {
        match arg.as_str() {
            "-t" => trim = true,
            "-n" => {
                i += 1;
                max = args
                    .get(i)
                    .and_then(|n| n.parse().ok())
                    .filter(|n| *n > 0)
                    .unwrap_or(usize::MAX);
            }
            "-d" | "-O" | "-s" | "-u" | "-c" | "-C" => i += 1,
            other => name = other.to_owned(),
        }
        i += 1;
    }
    let mut list = crate::flat::FlatMap::new();
    let stdin = state.stdin.clone();
    while list.len() < max.min(limits::SHELL_WORDS) {
        let Some(line) = stdin.read_line_bytes().await else {
            break;
        };
        let mut text = String::from_utf8_lossy(&line).into_owned();
        if trim && text.ends_with('\n') {
            text.pop();
        }
        list.insert(list.len() as i64, text);
    }
    let var = Var {
        content: Some(Content::List(list)),
        ..Var::default()
    };
    let name = state.resolve(&name).to_owned();
    state.vars.insert(name, var);
    Ok(0)
}
