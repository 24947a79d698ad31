//! Regular expressions: the matches of one in a string, as `match` gives them.

use std::ops::Range;

use jaq_core::{Error, ValR};
use regex_bites::{Captures, Regex, RegexBuilder};

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
    let mut builder = RegexBuilder::new(pattern);
    builder
        .case_insensitive(has('i'))
        .dot_matches_new_line(has('m') || has('p'))
        .ignore_whitespace(has('x'));
    let states = states(pattern);
    if states > MOST {
        return Err(Error::str("Regex failure: compiled regex exceeded size limit"));
    }
    // To build it takes some time for each state.
    budget::steps(states);
    let regex = builder
        .size_limit(BYTES)
        .build()
        .map_err(|why| Error::str(format_args!("Regex failure: {why}")))?;
    // Nothing is looked for where the steps do not last.
    let look = |letters: usize| budget::steps(letters.saturating_mul(states.saturating_add(LETTER)) / STATES);
    if !look(text.len()) {
        return Ok(Val::Null);
    }
    if test {
        return Ok(Val::Bool(regex.is_match(text)));
    }
    let returns = returns(pattern);
    let mut found = Vec::new();
    let mut from = 0;
    // How many letters stand before a place that no later match lies before.
    let (mut counted, mut letters) = (0, 0);
    while from <= text.len() && budget::step() {
        if returns && !found.is_empty() && !look(text.len() - from) {
            break;
        }
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
        letters += text.get(counted..whole.start()).map_or(0, |part| part.chars().count());
        counted = whole.start();
        found.push(describe(&regex, text, &captures, whole.range(), letters));
        if !has('g') {
            break;
        }
    }
    Ok(Val::arr(found))
}

/// What a letter costs beside the states that it is compared with, in states; and how many states are a step. What is too
/// much for a number of 32 bits is so for any run.
const LETTER: usize = 2;
const STATES: usize = 32;

/// The most states of a machine. Its bytes, which differ between a browser and a native build, are limited only where the
/// states were miscounted.
const MOST: usize = 100_000;
const BYTES: usize = 64 * 1024 * 1024;

/// How many states a pattern's machine has, about: a byte of it makes one, and what repeats so many times makes so many,
/// as in `.{1000}`. Brackets of a class are taken for others, which may count too much.
fn states(pattern: &str) -> usize {
    // What stands before each part that is open; what is done in the innermost one, and what a repetition would repeat.
    let mut open = Vec::new();
    let (mut done, mut last) = (0_usize, 0_usize);
    let mut rest = pattern.as_bytes().iter();
    while let Some(&byte) = rest.next() {
        match byte {
            b'(' => {
                open.push(done.saturating_add(last));
                (done, last) = (0, 1);
            }
            b')' => (done, last) = (open.pop().unwrap_or(0), done.saturating_add(last)),
            // Where no number stands in them, the pattern is none, or the brace is a letter.
            b'{' => {
                let text = rest.as_slice();
                let Some(ends) = text.iter().position(|b| *b == b'}') else {
                    continue;
                };
                let bounds = text.get(..ends).unwrap_or_default().split(|b| *b == b',');
                let number = |digits: &[u8]| std::str::from_utf8(digits).ok()?.parse::<u32>().ok();
                let times = bounds.filter_map(number).max().unwrap_or(1);
                last = last.saturating_mul(usize::try_from(times).unwrap_or(usize::MAX).max(1));
                rest.nth(ends);
            }
            other => {
                if other == b'\\' {
                    rest.next();
                }
                (done, last) = (done.saturating_add(last), 1);
            }
        }
    }
    open.into_iter().fold(done.saturating_add(last), usize::saturating_add)
}

/// Whether a match may be found only when much behind it was looked at, as the first `a` of `(a*b)|a`. Without choices and
/// parts that repeat the search goes on where it was, and all searches take about as long as one.
fn returns(pattern: &str) -> bool {
    ["|", ")*", ")+", ")?", "){"].iter().any(|mark| pattern.contains(mark))
}

/// A match as a value; `before` letters stand before it.
fn describe(regex: &Regex, text: &str, captures: &Captures<'_>, whole: Range<usize>, before: usize) -> Val {
    let letters = |range: Range<usize>| text.get(range).map_or(0, |part| part.chars().count());
    let place = |at: usize| Val::from(before + letters(whole.start..at));
    let offset = Val::from(before);
    let names = regex.capture_names().skip(1);
    let parts = captures.iter().skip(1).zip(names);
    let parts = parts.map(|(part, name)| {
        let name = name.map_or(Val::Null, Val::from);
        // jq writes the fields of a part that is empty in another order, and gives all parts of an empty match alike.
        match part {
            _ if whole.is_empty() => empty(offset.clone(), Val::from(""), name),
            None => empty(Val::from(-1.0), Val::Null, name),
            Some(part) if part.start() == part.end() => empty(place(part.start()), Val::from(""), name),
            Some(part) => Val::fields([
                ("offset", place(part.start())),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_repeats_has_more_states() {
        for (pattern, least, most) in [
            ("", 0, 0),
            ("abc", 3, 3),
            (r"^web-\d+$", 6, 9),
            ("a{1000}b", 1001, 1001),
            ("(ab{10}){100}", 1_100, 1_300),
            ("(a{2,3}){4,}", 12, 20),
            ("((.{1000}){1000}){1000}", 1_000_000_000, usize::MAX),
            ("(.{4294967295}){4294967295}x", 100_001, usize::MAX),
            ("[(]{9}", 9, 20),
            ("([)]x){1000}", 1_000, 10_000),
            (r"\(a\){5}", 5, 10),
            ("a{1000}{1000}{1000}", 1_000_000_000, usize::MAX),
            ("a{", 1, 2),
            (")", 0, 1),
        ] {
            let states = states(pattern);
            assert!((least..=most).contains(&states), "{pattern}: {states}");
        }
    }

    #[test]
    fn choices_return() {
        for (pattern, expected) in [
            ("[0-9]+", false),
            ("(?<x>a+)b", false),
            ("(a*b)|a", true),
            ("a(.*b)?", true),
        ] {
            assert_eq!(returns(pattern), expected, "{pattern}");
        }
    }
}
