//! Regular expressions: the matches of one in a string, as `match` gives them.

use jaq_core::{Error, ValR};
use regex_bites::{Regex, RegexBuilder};

use crate::budget;
use crate::value::{Val, about};

/// The matches of `pattern` in `text`, or whether there is one when that is all that is asked.
pub fn matches(text: &Val, pattern: &Val, flags: &Val, test: bool) -> ValR<Val> {
    let Val::Str(text) = text else {
        return Err(about(text, "cannot be matched, as it is not a string"));
    };
    let Val::Str(pattern) = pattern else {
        return Err(about(pattern, "is not a string"));
    };
    let flags = match flags {
        Val::Null => "",
        Val::Str(flags) => flags,
        other => return Err(about(other, "is not a string")),
    };
    if flags.chars().any(|f| !"gixmspln".contains(f)) {
        return Err(Error::str(format_args!("{flags} is not a valid modifier string")));
    }
    let has = |flag| flags.contains(flag);
    let regex = RegexBuilder::new(pattern)
        .case_insensitive(has('i'))
        .dot_matches_new_line(has('m') || has('p'))
        .ignore_whitespace(has('x'))
        .build()
        .map_err(|why| Error::str(format_args!("Regex failure: {why}")))?;
    if test {
        return Ok(Val::Bool(regex.is_match(text)));
    }
    let mut found = Vec::new();
    let mut from = 0;
    while from <= text.len() && budget::step() {
        let Some(captures) = regex.captures_at(text, from) else {
            break;
        };
        let Some(whole) = captures.get(0) else { break };
        from = if whole.start() == whole.end() {
            let next = text.get(whole.end()..).and_then(|rest| rest.chars().next());
            whole.end() + next.map_or(1, char::len_utf8)
        } else {
            whole.end()
        };
        if has('n') && whole.start() == whole.end() {
            continue;
        }
        found.push(describe(&regex, text, &captures, whole.start()..whole.end()));
        if !has('g') {
            break;
        }
    }
    Ok(Val::arr(found))
}

fn describe(regex: &Regex, text: &str, captures: &regex_bites::Captures<'_>, whole: std::ops::Range<usize>) -> Val {
    let letters = |range: std::ops::Range<usize>| text.get(range).map_or(0, |part| part.chars().count());
    let offset = Val::from(letters(0..whole.start));
    let names = regex.capture_names().skip(1);
    let parts = captures.iter().skip(1).zip(names);
    let parts = parts.map(|(part, name)| {
        let name = name.map_or(Val::Null, Val::from);
        // jq writes the fields of a part that is empty in another order, and gives all parts of an empty match alike.
        match part {
            _ if whole.is_empty() => empty(offset.clone(), Val::from(""), name),
            None => empty(Val::from(-1.0), Val::Null, name),
            Some(part) if part.start() == part.end() => empty(Val::from(letters(0..part.start())), Val::from(""), name),
            Some(part) => Val::fields([
                ("offset", Val::from(letters(0..part.start()))),
                ("length", Val::from(letters(part.range()))),
                ("string", Val::from(part.as_str())),
                ("name", name),
            ]),
        }
    });
    let parts = parts.collect();
    Val::fields([
        ("offset", offset),
        ("length", Val::from(letters(whole.clone()))),
        ("string", Val::from(text.get(whole).unwrap_or_default())),
        ("captures", parts),
    ])
}

fn empty(offset: Val, string: Val, name: Val) -> Val {
    Val::fields([
        ("offset", offset),
        ("string", string),
        ("length", Val::from(0.0)),
        ("name", name),
    ])
}
