//! Builtins of variables and options.

use super::super::parser::is_name;
use super::super::state::{Content, Flow, Run, State, Var};
use super::super::words;

pub(super) async fn shift(state: &mut State, args: &[String]) -> Run<i32> {
    let n = match args.get(1) {
        None => 1,
        Some(text) => match text.parse::<i64>() {
            Ok(n) => n,
            Err(_) => {
                state.builtin_error(args, format!("{text}: numeric argument required"));
                return Ok(1);
            }
        },
    };
    match usize::try_from(n) {
        Ok(n) if n <= state.args.len() => {
            state.args.drain(..n);
            Ok(0)
        }
        Ok(_) => Ok(1),
        Err(_) => {
            state.builtin_error(args, format!("{n}: shift count out of range"));
            Ok(1)
        }
    }
}

fn named_option<'a>(state: &'a mut State, name: &str) -> Option<&'a mut bool> {
    let o = &mut state.options;
    Some(match name {
        "errexit" => &mut o.errexit,
        "nounset" => &mut o.nounset,
        "xtrace" => &mut o.xtrace,
        "noglob" => &mut o.noglob,
        "noclobber" => &mut o.noclobber,
        "noexec" => &mut o.noexec,
        "allexport" => &mut o.allexport,
        "verbose" => &mut o.verbose,
        "pipefail" => &mut o.pipefail,
        "errtrace" => &mut o.errtrace,
        _ => return None,
    })
}

fn letter_option(c: char) -> Option<&'static str> {
    Some(match c {
        'e' => "errexit",
        'E' => "errtrace",
        'u' => "nounset",
        'x' => "xtrace",
        'f' => "noglob",
        'C' => "noclobber",
        'n' => "noexec",
        'a' => "allexport",
        'v' => "verbose",
        _ => return None,
    })
}

const OPTION_NAMES: &[&str] = &[
    "allexport",
    "errexit",
    "errtrace",
    "noclobber",
    "noexec",
    "noglob",
    "nounset",
    "pipefail",
    "verbose",
    "xtrace",
];

/// Sets an option by letter or name: for `set` and for `bash -e`.
pub(in super::super) fn set_option(state: &mut State, flag: &str, on: bool) -> bool {
    let name = match flag.chars().count() {
        1 => flag.chars().next().and_then(letter_option).unwrap_or(""),
        _ => flag,
    };
    match named_option(state, name) {
        Some(slot) => {
            *slot = on;
            true
        }
        // Accepted, with no effect here.
        None => matches!(
            flag,
            "h" | "m"
                | "b"
                | "B"
                | "H"
                | "P"
                | "T"
                | "functrace"
                | "emacs"
                | "vi"
                | "monitor"
                | "posix"
                | "history"
                | "hashall"
                | "braceexpand"
                | "histexpand"
        ),
    }
}

pub(super) async fn set(state: &mut State, args: &[String]) -> Run<i32> {
    if args.len() == 1 {
        let lines: Vec<String> = state
            .vars
            .iter()
            .filter_map(|(name, var)| match &var.content {
                Some(Content::Text(text)) => Some(format!("{name}={}", words::quote(text))),
                Some(_) => Some(format!("{name}={}", array_text(state, name))),
                None => None,
            })
            .collect();
        for line in lines {
            state.stdout.line(line);
        }
        return Ok(0);
    }
    let mut i = 1;
    while let Some(arg) = args.get(i) {
        if arg == "--" {
            state.args = args.get(i + 1..).unwrap_or_default().to_vec();
            return Ok(0);
        }
        if arg == "-" {
            state.options.xtrace = false;
            state.args = args.get(i + 1..).unwrap_or_default().to_vec();
            return Ok(0);
        }
        let (on, letters) = match (arg.strip_prefix('-'), arg.strip_prefix('+')) {
            (Some(l), _) => (true, l),
            (_, Some(l)) => (false, l),
            _ => {
                state.args = args.get(i..).unwrap_or_default().to_vec();
                return Ok(0);
            }
        };
        for c in letters.chars() {
            if c == 'o' {
                i += 1;
                let Some(name) = args.get(i) else {
                    for name in OPTION_NAMES {
                        let value = named_option(state, name).is_some_and(|b| *b);
                        state
                            .stdout
                            .line(format!("{name:<15}\t{}", if value { "on" } else { "off" }));
                    }
                    return Ok(0);
                };
                if !set_option(state, name, on) {
                    state.builtin_error(args, format!("{name}: invalid option name"));
                    return Ok(2);
                }
            } else if !set_option(state, &c.to_string(), on) {
                state.builtin_error(args, format!("{}{c}: invalid option", if on { '-' } else { '+' }));
                state
                    .stderr
                    .line("set: usage: set [-abefhkmnptuvxBCEHPT] [-o option-name] [--] [-] [arg ...]");
                return Ok(2);
            }
        }
        i += 1;
    }
    Ok(0)
}

pub(super) async fn shopt(state: &mut State, args: &[String]) -> Run<i32> {
    let mut on = None;
    let mut quiet = false;
    let mut code = 0;
    for arg in args.iter().skip(1) {
        match arg.as_str() {
            "-s" => on = Some(true),
            "-u" => on = Some(false),
            "-q" => quiet = true,
            "-p" | "-o" => {}
            name => {
                let o = &mut state.options;
                let mut ignored = true;
                let slot = match name {
                    "nullglob" => &mut o.nullglob,
                    "dotglob" => &mut o.dotglob,
                    "globstar" => &mut o.globstar,
                    "expand_aliases" => &mut o.aliases,
                    "extglob"
                    | "nocaseglob"
                    | "failglob"
                    | "lastpipe"
                    | "checkwinsize"
                    | "histappend"
                    | "cmdhist"
                    | "autocd"
                    | "cdspell"
                    | "promptvars"
                    | "progcomp"
                    | "interactive_comments"
                    | "sourcepath"
                    | "globasciiranges"
                    | "nocasematch" => &mut ignored,
                    _ => {
                        state.builtin_error(args, format!("{name}: invalid shell option name"));
                        code = 1;
                        continue;
                    }
                };
                match on {
                    Some(on) => *slot = on,
                    None => {
                        let value = *slot;
                        if !value {
                            code = 1;
                        }
                        if !quiet {
                            state
                                .stdout
                                .line(format!("{name:<15}\t{}", if value { "on" } else { "off" }));
                        }
                    }
                }
            }
        }
    }
    Ok(code)
}

pub(super) async fn unset(state: &mut State, args: &[String]) -> Run<i32> {
    let mut code = 0;
    let (mut functions, mut variables, mut names) = (true, true, true);
    for arg in args.iter().skip(1) {
        match arg.as_str() {
            "-f" => variables = false,
            "-v" => functions = false,
            "-n" => names = false,
            name => {
                if let Some((base, key)) = name.strip_suffix(']').and_then(|n| n.split_once('[')) {
                    let index = super::super::arith::evaluate(key, state).unwrap_or(0);
                    let base = &state.resolve(base).to_owned();
                    match state.vars.get_mut(base).and_then(|v| v.content.as_mut()) {
                        Some(Content::List(list)) => {
                            list.remove(&index);
                        }
                        Some(Content::Map(map)) => {
                            map.remove(key);
                        }
                        _ => {}
                    }
                    continue;
                }
                if variables && (state.vars.contains_key(name) || !functions) {
                    if !is_name(name) {
                        state.builtin_error(args, format!("`{name}': not a valid identifier"));
                        code = 1;
                    } else if !names && state.vars.get(name).is_some_and(|v| v.reference && !v.readonly) {
                        state.vars.remove(name);
                    } else if let Err(message) = state.unset(name) {
                        state.builtin_error(args, message);
                        code = 1;
                    }
                } else if functions {
                    state.functions.remove(name);
                }
            }
        }
    }
    Ok(code)
}

fn array_text(state: &State, name: &str) -> String {
    let items: Vec<String> = state
        .elements(name)
        .into_iter()
        .map(|(k, v)| format!("[{k}]=\"{}\"", escape_double(&v)))
        .collect();
    // bash ends a map with a blank.
    let end = if state.is_map(name) && !items.is_empty() {
        " "
    } else {
        ""
    };
    format!("({}{end})", items.join(" "))
}

fn escape_double(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if "\"$`\\".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A variable as `declare -p` prints it.
fn declaration(state: &State, name: &str, var: &Var) -> String {
    let mut flags = String::new();
    match &var.content {
        Some(Content::List(_)) => flags.push('a'),
        Some(Content::Map(_)) => flags.push('A'),
        _ => {}
    }
    if var.integer {
        flags.push('i');
    }
    if var.reference {
        flags.push('n');
    }
    if var.readonly {
        flags.push('r');
    }
    if var.exported {
        flags.push('x');
    }
    flags.extend(var.case);
    if flags.is_empty() {
        flags.push('-');
    }
    match &var.content {
        None => format!("declare -{flags} {name}"),
        Some(Content::Text(text)) => format!("declare -{flags} {name}=\"{}\"", escape_double(text)),
        Some(_) => format!("declare -{flags} {name}={}", array_text(state, name)),
    }
}

#[derive(Default, Clone, Copy)]
struct Attributes {
    export: Option<bool>,
    readonly: bool,
    integer: Option<bool>,
    reference: Option<bool>,
    case: Option<(char, bool)>,
    list: bool,
    map: bool,
    global: bool,
    print: bool,
    functions: bool,
    names: bool,
}

/// Options up to the first name; `None` after an error.
fn attributes<'a>(state: &State, args: &'a [String], known: &str) -> Option<(Attributes, &'a [String])> {
    let mut a = Attributes::default();
    let mut rest = args.get(1..).unwrap_or_default();
    while let Some(arg) = rest.first() {
        if arg == "--" {
            rest = rest.get(1..).unwrap_or_default();
            break;
        }
        let (on, letters) = match (arg.strip_prefix('-'), arg.strip_prefix('+')) {
            (Some(l), _) if !l.is_empty() => (true, l),
            (_, Some(l)) if !l.is_empty() => (false, l),
            _ => break,
        };
        for c in letters.chars() {
            match c {
                c if !known.contains(c) => {
                    state.builtin_error(args, format!("-{c}: invalid option"));
                    let usage = match args.first().map_or("", String::as_str) {
                        "export" => "export: usage: export [-fn] [name[=value] ...] or export -p",
                        "readonly" => "readonly: usage: readonly [-aAf] [name[=value] ...] or readonly -p",
                        "local" => "local: usage: local [option] name[=value] ...",
                        _ => {
                            "declare: usage: declare [-aAfFgiIlnrtux] [name[=value] ...] or declare -p [-aAfFilnrtux] [name ...]"
                        }
                    };
                    state.stderr.line(usage);
                    return None;
                }
                'x' => a.export = Some(on),
                'r' => a.readonly = on,
                'i' => a.integer = Some(on),
                'a' => a.list = true,
                'A' => a.map = true,
                'g' => a.global = true,
                'p' => a.print = true,
                'f' => a.functions = true,
                'F' => {
                    a.functions = true;
                    a.names = true;
                }
                'n' if args.first().is_some_and(|n| n == "export") => a.export = Some(false),
                'n' => a.reference = Some(on),
                'l' | 'u' => a.case = Some((c, on)),
                _ => {}
            }
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    Some((a, rest))
}

/// Applies attributes and a value to one `name[=value]`.
fn apply(state: &mut State, args: &[String], arg: &str, a: Attributes, local: bool) -> Run<bool> {
    let (name, value, append) = match arg.split_once('=') {
        Some((name, value)) => match name.strip_suffix('+') {
            Some(name) => (name, Some(value), true),
            None => (name, Some(value), false),
        },
        None => (arg, None, false),
    };
    if !is_name(name) {
        state.builtin_error(args, format!("`{arg}': not a valid identifier"));
        return Ok(false);
    }
    if local {
        state.make_local(name);
    }
    if let Some(reference) = a.reference {
        let mut wrong = None;
        match value {
            Some(target) if target == name => {
                wrong = Some(format!("{name}: nameref variable self references not allowed"));
            }
            Some(target) if target.contains('[') => {
                wrong = Some(format!("`{target}': a reference to an element is not simulated"));
            }
            Some(target) if !is_name(target) => {
                wrong = Some(format!("`{target}': invalid variable name for name reference"));
            }
            _ => {}
        }
        if let Some(message) = wrong {
            state.builtin_error(args, message);
            return Ok(false);
        }
        let var = state.vars.entry(name.to_owned()).or_default();
        var.reference = reference;
        if let Some(target) = value {
            var.content = Some(Content::Text(target.to_owned()));
        }
        return Ok(true);
    }
    let name = &state.resolve(name).to_owned();
    if let Some((case, on)) = a.case {
        state.vars.entry(name.to_owned()).or_default().case = on.then_some(case);
    }
    if a.list || a.map {
        let slot = state.vars.entry(name.to_owned()).or_default();
        if slot.content.is_none() {
            slot.content = Some(if a.map {
                Content::Map(Default::default())
            } else {
                Content::List(Default::default())
            });
        }
    }
    if let Some(integer) = a.integer {
        state.vars.entry(name.to_owned()).or_default().integer = integer;
    }
    if let Some(value) = value {
        let value = if append {
            state.get(name).unwrap_or_default() + value
        } else {
            value.to_owned()
        };
        if let Err(message) = state.set(name, value) {
            // An assignment to a read-only variable.
            match args.first().map(String::as_str) {
                Some("declare" | "typeset" | "local") => state.builtin_error(args, message),
                _ => state.error(message),
            }
            return Ok(false);
        }
    }
    let var = state.vars.entry(name.to_owned()).or_default();
    if let Some(export) = a.export {
        var.exported = export;
    }
    if a.readonly {
        var.readonly = true;
    }
    Ok(true)
}

pub(super) async fn export(state: &mut State, args: &[String]) -> Run<i32> {
    let name = args.first().map_or("", String::as_str).to_owned();
    let Some((mut a, rest)) = attributes(state, args, if name == "export" { "fnp" } else { "aAfp" }) else {
        return Ok(2);
    };
    if name == "export" {
        a.export = a.export.or(Some(true));
    } else {
        a.readonly = true;
    }
    if rest.is_empty() || a.print {
        let lines: Vec<String> = state
            .vars
            .iter()
            .filter(|(_, v)| if name == "export" { v.exported } else { v.readonly })
            .map(|(n, v)| {
                let line = declaration(state, n, v);
                if state.dialect == super::Dialect::Bash {
                    line
                } else {
                    format!("{name} {n}={}", words::quote(&state.get(n).unwrap_or_default()))
                }
            })
            .collect();
        for line in lines {
            state.stdout.line(line);
        }
        return Ok(0);
    }
    let mut code = 0;
    for arg in rest {
        if a.functions {
            if !state.functions.contains_key(arg) {
                state.builtin_error(args, format!("{arg}: not a function"));
                code = 1;
            }
            continue;
        }
        if !apply(state, args, arg, a, false)? {
            code = 1;
        }
    }
    Ok(code)
}

pub(super) async fn declare(state: &mut State, args: &[String]) -> Run<i32> {
    let Some((a, rest)) = attributes(state, args, "aAfFgiIlnprtux") else {
        return Ok(2);
    };
    if a.functions {
        let wanted: Vec<String> = if rest.is_empty() {
            state.functions.keys().cloned().collect()
        } else {
            rest.to_vec()
        };
        let mut code = 0;
        for name in wanted {
            match state.functions.get(&name) {
                Some(_) if a.names && rest.is_empty() => {
                    state.stdout.line(format!("declare -f {name}"));
                }
                Some(_) if a.names => {
                    state.stdout.line(&name);
                }
                Some(f) => {
                    state.stdout.line(&f.text);
                }
                None => code = 1,
            }
        }
        return Ok(code);
    }
    if rest.is_empty() {
        let lines: Vec<String> = state
            .vars
            .iter()
            .filter(|(_, v)| {
                a.export.is_none_or(|x| v.exported == x)
                    && (!a.readonly || v.readonly)
                    && (a.reference.is_none() || v.reference)
                    && (!a.list || matches!(v.content, Some(Content::List(_))))
                    && (!a.map || matches!(v.content, Some(Content::Map(_))))
            })
            .map(|(n, v)| declaration(state, n, v))
            .collect();
        for line in lines {
            state.stdout.line(line);
        }
        return Ok(0);
    }
    let mut code = 0;
    if a.print {
        for name in rest {
            match state.vars.get(name) {
                Some(var) => {
                    state.stdout.line(declaration(state, name, var));
                }
                None => {
                    state.builtin_error(args, format!("{name}: not found"));
                    code = 1;
                }
            }
        }
        return Ok(code);
    }
    let local = !state.frames.is_empty() && !a.global;
    for arg in rest {
        if !apply(state, args, arg, a, local)? {
            code = 1;
        }
    }
    Ok(code)
}

pub(super) async fn local(state: &mut State, args: &[String]) -> Run<i32> {
    if state.frames.is_empty() {
        state.builtin_error(args, "can only be used in a function");
        return Ok(1);
    }
    let Some((a, rest)) = attributes(state, args, "aAgiIlnprtux") else {
        return Ok(2);
    };
    let mut code = 0;
    for arg in rest {
        if !apply(state, args, arg, a, true)? {
            code = 1;
        }
    }
    Ok(code)
}

pub(super) async fn let_(state: &mut State, args: &[String]) -> Run<i32> {
    if args.len() < 2 {
        state.builtin_error(args, "expression expected");
        return Ok(1);
    }
    let mut value = 0;
    for text in args.iter().skip(1) {
        match super::super::arith::evaluate(text, state) {
            Ok(v) => value = v,
            Err(message) => {
                state.builtin_error(args, message);
                return Ok(1);
            }
        }
    }
    Ok(i32::from(value == 0))
}

pub(super) async fn getopts(state: &mut State, args: &[String]) -> Run<i32> {
    let (Some(spec), Some(name)) = (args.get(1), args.get(2)) else {
        state.stderr.line(format!(
            "{}getopts: usage: getopts optstring name [arg ...]",
            state.prefix()
        ));
        return Ok(2);
    };
    let words: Vec<String> = if args.len() > 3 {
        args.get(3..).unwrap_or_default().to_vec()
    } else {
        state.args.clone()
    };
    // `OPTIND` counts words; the letters already read of the present word are kept beside it.
    let position = state
        .get("_getopts_letter")
        .and_then(|t| t.parse::<usize>().ok())
        .unwrap_or(1);
    let index = state.getopts.max(1);
    let done = |state: &mut State| {
        let _ = state.set(name, "?");
        state.vars.remove("_getopts_letter");
        Ok(1)
    };
    let Some(word) = words.get(index - 1) else {
        return done(state);
    };
    if word == "--" {
        state.getopts = index + 1;
        return done(state);
    }
    let letters: Vec<char> = word.chars().collect();
    if letters.first() != Some(&'-') || letters.len() < 2 {
        return done(state);
    }
    let Some(letter) = letters.get(position).copied() else {
        return done(state);
    };
    let silent = spec.starts_with(':');
    let spec: Vec<char> = spec.trim_start_matches(':').chars().collect();
    let found = spec.iter().position(|c| *c == letter && letter != ':');
    let mut next = (index, position + 1);
    if position + 1 >= letters.len() {
        next = (index + 1, 1);
    }
    state.vars.remove("OPTARG");
    let mut value = letter.to_string();
    match found {
        None => {
            value = "?".to_owned();
            if silent {
                let _ = state.set("OPTARG", letter.to_string());
            } else {
                state.stderr.line(format!("{}: illegal option -- {letter}", state.name));
            }
        }
        Some(at) if spec.get(at + 1) == Some(&':') => {
            let rest: String = letters.get(position + 1..).unwrap_or_default().iter().collect();
            let argument = if rest.is_empty() {
                next = (index + 2, 1);
                words.get(index).cloned()
            } else {
                next = (index + 1, 1);
                Some(rest)
            };
            match argument {
                Some(argument) => {
                    let _ = state.set("OPTARG", argument);
                }
                None => {
                    next = (index + 1, 1);
                    if silent {
                        value = ":".to_owned();
                        let _ = state.set("OPTARG", letter.to_string());
                    } else {
                        value = "?".to_owned();
                        state
                            .stderr
                            .line(format!("{}: option requires an argument -- {letter}", state.name));
                    }
                }
            }
        }
        Some(_) => {}
    }
    state.getopts = next.0;
    let _ = state.set("_getopts_letter", next.1.to_string());
    if let Err(message) = state.set(name, value) {
        state.builtin_error(args, message);
        return Err(Flow::Abort(1));
    }
    Ok(0)
}
