//! What jq has built in and is not defined in its own language.

use jaq_core::box_iter::box_once;
use jaq_core::native::{Filter, Fun, bome, run, unary, v};
use jaq_core::{Bind, Cv, Error, Exn, RunPtr, ValR, ValT, ValX, ValXs};

use crate::budget;
use crate::engine::Kind;
use crate::formats;
use crate::read;
use crate::regex;
use crate::time;
use crate::value::{Val, about, both, sorted, split, weigh};
use crate::write::Text;

type Native = Filter<RunPtr<Kind>>;

/// All of them.
pub fn all() -> impl Iterator<Item = Fun<Kind>> {
    let ours = [values(), strings(), sorting(), paths(), math(), world()];
    let ours = ours.into_iter().flatten().map(run::<Kind>);
    // Those of the interpreter itself, but for the ones that count nothing or that jq has otherwise.
    let core = jaq_core::funs::<Kind>().filter(|(name, ..)| *name != "range");
    ours.chain(core.map(|(name, arity, native)| match name {
        "limit" => ("_limit", arity, native),
        "skip" => ("_skip", arity, native),
        name => (name, arity, native),
    }))
}

fn two() -> Box<[Bind]> {
    [Bind::Fun(()), Bind::Fun(())].into()
}

fn values() -> Vec<Native> {
    vec![
        ("length", v(0), |cv| bome(length(&cv.1))),
        ("utf8bytelength", v(0), |cv| {
            bome(match &cv.1 {
                Val::Str(s) => Ok(Val::from(s.len())),
                other => Err(about(other, "only strings have UTF-8 byte length")),
            })
        }),
        ("type", v(0), |cv| bome(Ok(Val::from(cv.1.kind())))),
        ("keys", v(0), |cv| bome(keys(&cv.1, true))),
        ("keys_unsorted", v(0), |cv| bome(keys(&cv.1, false))),
        ("has", v(1), |cv| unary(cv, |value, key| has(&value, &key))),
        ("contains", v(1), |cv| {
            unary(cv, |a, b| {
                if a.kind() == b.kind() {
                    Ok(Val::Bool(a.contains(&b)))
                } else {
                    Err(both(&a, &b, "cannot have their containment checked"))
                }
            })
        }),
        ("indices", v(1), |cv| {
            unary(cv, |value, part| match (&value, &part) {
                (Val::Arr(_), Val::Arr(_)) | (Val::Str(_), Val::Str(_)) => Ok(value.places(&part)),
                (Val::Arr(_), _) => Ok(value.places(&Val::arr(vec![part.clone()]))),
                _ => value.index(&part),
            })
        }),
        ("reverse", v(0), |cv| {
            bome(match &cv.1 {
                Val::Null => Ok(Val::arr(Vec::new())),
                Val::Arr(a) => Ok(a.items.iter().rev().cloned().collect()),
                Val::Str(s) if s.is_empty() => Ok(Val::arr(Vec::new())),
                Val::Num(n) if n.value == 0.0 => Ok(Val::arr(Vec::new())),
                Val::Obj(o) if o.items.is_empty() => Ok(Val::arr(Vec::new())),
                Val::Bool(_) => length(&cv.1),
                other => other.clone().index(&Val::from(0.0)),
            })
        }),
        ("add", v(0), |cv| bome(add(cv.1))),
        ("join", v(1), |cv| unary(cv, |value, separator| join(value, &separator))),
        ("tojson", v(0), |cv| bome(Ok(Val::from(cv.1.json())))),
        ("fromjson", v(0), |cv| {
            bome(match &cv.1 {
                Val::Str(s) => {
                    budget::scan(s.len().saturating_mul(read::COST));
                    read::one(s).map_err(Error::str)
                }
                other => Err(about(other, "only strings can be parsed")),
            })
        }),
        ("tonumber", v(0), |cv| bome(to_number(cv.1))),
        ("range", v(3), |mut cv| {
            let by = cv.0.pop_var();
            let to = cv.0.pop_var();
            let from = cv.0.pop_var();
            range(from, to, by)
        }),
        ("bsearch", v(1), |cv| {
            unary(cv, |value, wanted| {
                let Some(items) = value.as_arr() else {
                    return Err(about(&value, "cannot be searched from"));
                };
                let at = items.binary_search(&wanted);
                Ok(at.map_or_else(|at| Val::from(-1.0 - at as f64), Val::from))
            })
        }),
    ]
}

/// The sum of what is in it. Texts are put together at once, since each `+` makes a new one.
fn add(value: Val) -> ValR<Val> {
    let mut sum = Val::Null;
    // What the sum is, while it is a text.
    let mut text: Option<Text> = None;
    for item in value.values() {
        text = match (item?, &sum, text) {
            (Val::Str(more), Val::Null, text) => {
                let mut text = text.unwrap_or_else(Text::new);
                text.push(&more);
                Some(text)
            }
            (Val::Null, _, text) => text,
            (other, _, text) => {
                let before = text.map_or(sum, |text| Val::from(text.into_string()));
                sum = (before + other)?;
                None
            }
        };
        if !budget::step() || text.as_ref().is_some_and(Text::is_full) {
            break;
        }
    }
    Ok(text.map_or(sum, |text| Val::from(text.into_string())))
}

fn join(value: Val, separator: &Val) -> ValR<Val> {
    let mut text: Option<Text> = None;
    for item in value.values() {
        let item = match item? {
            other @ (Val::Bool(_) | Val::Num(_)) => Val::Str(other.text()),
            Val::Null => Val::from(""),
            other => other,
        };
        let mut before = match text {
            None => Text::new(),
            Some(mut before) => {
                match separator {
                    Val::Str(separator) => before.push(separator),
                    Val::Null => {}
                    other => return Val::from(before.into_string()) + other.clone(),
                }
                before
            }
        };
        match item {
            Val::Str(item) => before.push(&item),
            other => return Val::from(before.into_string()) + other,
        }
        let full = before.is_full();
        text = Some(before);
        if full || !budget::step() {
            break;
        }
    }
    Ok(Val::from(text.map(Text::into_string).unwrap_or_default()))
}

/// The parts of a text before, between and after its matches.
fn between(text: &Val, matches: &Val) -> ValR<Val> {
    let (Val::Str(text), Some(matches)) = (text, matches.as_arr()) else {
        return Err(about(text, "cannot be matched, as it is not a string"));
    };
    budget::scan(text.len());
    let (mut rest, mut at) = (&**text, 0);
    // Takes letters up to a place, counted from the text's begin.
    let mut until = |place: usize| {
        let length = rest
            .char_indices()
            .nth(place.saturating_sub(at))
            .map_or(rest.len(), |(at, _)| at);
        let (part, after) = rest.split_at(length);
        (rest, at) = (after, at.max(place));
        part
    };
    let mut parts = Vec::new();
    for found in matches {
        let number = |name: &str| {
            found
                .clone()
                .index(&Val::from(name))
                .map(|n| n.as_num().unwrap_or(0.0) as usize)
        };
        let offset = number("offset")?;
        parts.push(Val::from(until(offset)));
        until(offset + number("length")?);
        if !budget::step() {
            break;
        }
    }
    parts.push(Val::from(until(usize::MAX)));
    Ok(Val::arr(parts))
}

fn length(value: &Val) -> ValR<Val> {
    match value {
        Val::Null => Ok(Val::from(0.0)),
        Val::Num(n) => Ok(Val::from(n.value.abs())),
        Val::Str(s) => {
            budget::scan(s.len());
            Ok(Val::from(s.chars().count()))
        }
        Val::Arr(a) => Ok(Val::from(a.items.len())),
        Val::Obj(o) => Ok(Val::from(o.items.len())),
        Val::Bool(_) => Err(about(value, "has no length")),
    }
}

fn keys(value: &Val, sorted: bool) -> ValR<Val> {
    match value {
        Val::Obj(o) if sorted => Ok(Val::sorted_keys(&o.items).into_iter().cloned().map(Val::Str).collect()),
        Val::Obj(o) => Ok(o.items.keys().cloned().map(Val::Str).collect()),
        Val::Arr(a) => Ok((0..a.items.len()).map(Val::from).collect()),
        other => Err(about(other, "has no keys")),
    }
}

fn has(value: &Val, key: &Val) -> ValR<Val> {
    let has = match (value, key) {
        (Val::Null, _) => false,
        (Val::Obj(o), Val::Str(key)) => {
            weigh(key);
            o.items.contains_key(key)
        }
        (Val::Arr(a), Val::Num(at)) => at.value >= 0.0 && at.value < a.items.len() as f64,
        _ => {
            return Err(Error::str(format_args!(
                "Cannot check whether {} has a {} key",
                value.kind(),
                key.kind()
            )));
        }
    };
    Ok(Val::Bool(has))
}

fn to_number(value: Val) -> ValR<Val> {
    budget::scan(value.as_str().map_or(0, |s| s.len().saturating_mul(read::COST)));
    match &value {
        Val::Num(_) => Ok(value),
        Val::Str(s) => match read::one(s) {
            Ok(number @ Val::Num(_)) => Ok(number),
            Ok(_) => Err(about(&value, "cannot be parsed as a number")),
            Err(why) => Err(Error::str(why)),
        },
        other => Err(about(other, "cannot be parsed as a number")),
    }
}

fn range<'a>(from: Val, to: Val, by: Val) -> ValXs<'a, Val> {
    let (Some(from), Some(to), Some(by)) = (from.as_num(), to.as_num(), by.as_num()) else {
        return bome(Err(Error::str("Range bounds must be numeric")));
    };
    let mut at = from;
    Box::new(std::iter::from_fn(move || {
        let within = if by > 0.0 { at < to } else { by < 0.0 && at > to };
        // Counted here, since whoever takes them may not be asked again.
        (within && budget::step()).then(|| {
            let now = at;
            at += by;
            Ok(Val::from(now))
        })
    }))
}

/// A function of a string.
fn of_string<'a>(value: &Val, what: &str, f: impl FnOnce(&str) -> Val) -> ValXs<'a, Val> {
    bome(match value {
        Val::Str(s) => Ok(f(s)),
        _ => Err(Error::str(what)),
    })
}

fn strings() -> Vec<Native> {
    vec![
        ("ascii_downcase", v(0), |cv| {
            of_string(&cv.1, "explode input must be a string", |s| {
                Val::from(s.to_ascii_lowercase())
            })
        }),
        ("ascii_upcase", v(0), |cv| {
            of_string(&cv.1, "explode input must be a string", |s| {
                Val::from(s.to_ascii_uppercase())
            })
        }),
        ("explode", v(0), |cv| {
            of_string(&cv.1, "explode input must be a string", |s| {
                s.chars().map(|c| Val::from(f64::from(u32::from(c)))).collect()
            })
        }),
        ("implode", v(0), |cv| bome(implode(&cv.1))),
        ("split", v(1), |cv| {
            unary(cv, |text, separator| match (&text, &separator) {
                (Val::Str(text), Val::Str(separator)) => Ok(split(text, separator)),
                _ => Err(Error::str("split input and separator must be strings")),
            })
        }),
        ("startswith", v(1), |cv| {
            unary(cv, |text, part| match (&text, &part) {
                (Val::Str(text), Val::Str(part)) => Ok(Val::Bool(text.starts_with(&**part))),
                _ => Err(Error::str("startswith() requires string inputs")),
            })
        }),
        ("endswith", v(1), |cv| {
            unary(cv, |text, part| match (&text, &part) {
                (Val::Str(text), Val::Str(part)) => Ok(Val::Bool(text.ends_with(&**part))),
                _ => Err(Error::str("endswith() requires string inputs")),
            })
        }),
        ("ltrimstr", v(1), |cv| {
            unary(cv, |text, part| {
                let trimmed = text.as_str().zip(part.as_str()).and_then(|(t, p)| t.strip_prefix(&**p));
                Ok(trimmed.map(Val::from).unwrap_or(text.clone()))
            })
        }),
        ("rtrimstr", v(1), |cv| {
            unary(cv, |text, part| {
                let trimmed = text.as_str().zip(part.as_str()).and_then(|(t, p)| t.strip_suffix(&**p));
                Ok(trimmed.map(Val::from).unwrap_or(text.clone()))
            })
        }),
        ("format", v(1), |cv| {
            unary(cv, |value, name| match &name {
                Val::Str(name) => formats::format(name, value),
                other => Err(about(other, "is not a valid format")),
            })
        }),
        ("@text", v(0), |cv| bome(formats::format("text", cv.1))),
        ("@json", v(0), |cv| bome(formats::format("json", cv.1))),
        ("@csv", v(0), |cv| bome(formats::format("csv", cv.1))),
        ("@tsv", v(0), |cv| bome(formats::format("tsv", cv.1))),
        ("@html", v(0), |cv| bome(formats::format("html", cv.1))),
        ("@uri", v(0), |cv| bome(formats::format("uri", cv.1))),
        ("@sh", v(0), |cv| bome(formats::format("sh", cv.1))),
        ("@base64", v(0), |cv| bome(formats::format("base64", cv.1))),
        ("@base64d", v(0), |cv| bome(formats::format("base64d", cv.1))),
        ("_matches", v(3), |mut cv| {
            let test = cv.0.pop_var();
            let flags = cv.0.pop_var();
            let pattern = cv.0.pop_var();
            bome(regex::matches(&cv.1, &pattern, &flags, test.as_bool()))
        }),
        ("_between", v(1), |cv| {
            unary(cv, |text, matches| between(&text, &matches))
        }),
    ]
}

fn implode(value: &Val) -> ValR<Val> {
    let Some(items) = value.as_arr() else {
        return Err(Error::str("implode input must be an array"));
    };
    let mut text = String::new();
    for item in items {
        let Some(code) = item.as_num().filter(|n| !n.is_nan()) else {
            let what = "can't be imploded, unicode codepoint needs to be numeric";
            return Err(about(item, what));
        };
        let c = if code >= 0.0 { char::from_u32(code as u32) } else { None };
        text.push(c.unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    Ok(Val::from(text))
}

fn sorting() -> Vec<Native> {
    vec![
        ("sort", v(0), |cv| {
            bome(match &cv.1 {
                Val::Arr(a) => Ok(Val::arr(sorted(a.items.clone(), &Val::cmp))),
                other => Err(about(other, "cannot be sorted, as it is not an array")),
            })
        }),
        ("_sort_by", v(1), |cv| {
            unary(cv, |value, keys| {
                let items = keyed(&value, &keys, "cannot be sorted, as they are not both arrays")?;
                Ok(items.into_iter().map(|(_, item)| item).collect())
            })
        }),
        ("_group_by", v(1), |cv| {
            unary(cv, |value, keys| {
                let items = keyed(&value, &keys, "cannot be sorted, as they are not both arrays")?;
                let mut groups: Vec<(Val, Vec<Val>)> = Vec::new();
                for (key, item) in items {
                    match groups.last_mut() {
                        Some((last, group)) if *last == key => group.push(item),
                        _ => groups.push((key, vec![item])),
                    }
                }
                Ok(groups.into_iter().map(|(_, group)| Val::arr(group)).collect())
            })
        }),
        ("_min_by", v(1), |cv| {
            unary(cv, |value, keys| {
                let items = keyed(&value, &keys, "cannot be iterated over")?;
                Ok(items.into_iter().next().map_or(Val::Null, |(_, item)| item))
            })
        }),
        ("_max_by", v(1), |cv| {
            unary(cv, |value, keys| {
                let items = keyed(&value, &keys, "cannot be iterated over")?;
                Ok(items.into_iter().next_back().map_or(Val::Null, |(_, item)| item))
            })
        }),
    ]
}

/// The elements with their keys, in the keys' order.
fn keyed(value: &Val, keys: &Val, what: &str) -> Result<Vec<(Val, Val)>, Error<Val>> {
    let (Some(items), Some(keys_of)) = (value.as_arr(), keys.as_arr()) else {
        return Err(both(value, keys, what));
    };
    let all: Vec<(Val, Val)> = keys_of.iter().cloned().zip(items.iter().cloned()).collect();
    Ok(sorted(all, &|(a, _): &(Val, Val), (b, _): &(Val, Val)| a.cmp(b)))
}

fn paths() -> Vec<Native> {
    vec![
        ("setpath", v(2), |mut cv| {
            let value = cv.0.pop_var();
            let path = cv.0.pop_var();
            bome(match path.as_arr() {
                Some(path) => cv.1.change(path, |_| Ok(value)),
                None => Err(Error::str("Path must be specified as an array")),
            })
        }),
        // A path that is longer than any value is deep leads nowhere, and the interpreter drops its keys by recursion.
        ("_bounded", v(0), |cv| {
            bome(match cv.1.as_arr() {
                Some(path) => {
                    budget::nest(u32::try_from(path.len()).unwrap_or(u32::MAX));
                    Ok(cv.1)
                }
                None => Err(Error::str("Path must be specified as an array")),
            })
        }),
        ("delpaths", v(1), |cv| {
            unary(cv, |value, paths| {
                let Some(list) = paths.as_arr() else {
                    return Err(Error::str("Paths must be specified as an array"));
                };
                delete(value, list.to_vec())
            })
        }),
        ("_last", [Bind::Fun(())].into(), |mut cv| {
            let (f, context) = cv.0.pop_fun();
            let last = f.run((context, cv.1)).try_fold(Val::Null, |_, output| output);
            box_once(last)
        }),
        ("_modify", two(), |mut cv| {
            let (f, f_context) = cv.0.pop_fun();
            let (paths, paths_context) = cv.0.pop_fun();
            // All of them at once: whoever looks for them holds the whole, which could not be changed where it is.
            let found: Vec<_> = paths
                .paths((paths_context, (cv.1.clone(), Default::default())))
                .take_while(|_| budget::take(PATH))
                .map(|found| {
                    let (_, path) = found?;
                    let mut path: Vec<Val> = path.iter().cloned().collect();
                    path.reverse();
                    Ok(path)
                })
                .collect();
            box_once(modify(cv.1, found, |old| f.run((f_context.clone(), old)).next()))
        }),
    ]
}

/// Bytes that a path is taken to have.
const PATH: usize = 128;

/// Changes what stands at each path. Where nothing comes for it, it is removed, when all others have been changed.
fn modify<'a>(
    whole: Val,
    paths: Vec<ValX<'a, Vec<Val>, Val>>,
    f: impl Fn(Val) -> Option<ValX<'a, Val>>,
) -> ValX<'a, Val> {
    let mut whole = whole;
    let mut gone = Vec::new();
    for path in paths {
        let path = path?;
        let mut empty = false;
        let slice = path.iter().any(|key| matches!(key, Val::Obj(_)));
        whole = whole.change(&path, |old| {
            // What is to be removed stays until then; only what others hold as well can be had a second time. A slice has
            // to be as long as it was.
            let kept = (slice || old.is_shared()).then(|| old.clone());
            f(old).unwrap_or_else(|| {
                empty = true;
                Ok(kept.unwrap_or(Val::Null))
            })
        })?;
        if empty {
            gone.push(Val::arr(path));
        }
    }
    Ok(delete(whole, gone)?)
}

/// Removes what stands at the paths.
fn delete(value: Val, paths: Vec<Val>) -> ValR<Val> {
    let paths = sorted(paths, &Val::cmp);
    let mut lists = Vec::new();
    for path in &paths {
        let Some(keys) = path.as_arr() else {
            return Err(Error::str(format_args!(
                "Path must be specified as array, not {}",
                path.kind()
            )));
        };
        lists.push(keys);
    }
    // The empty path, which is that of the whole, comes first.
    match lists.first() {
        Some([]) => Ok(Val::Null),
        _ => value.delete_paths(&lists, 0),
    }
}

/// A function of a number.
fn of_number<'a>(value: &Val, f: impl FnOnce(f64) -> Val) -> ValXs<'a, Val> {
    bome(match value {
        Val::Num(n) => Ok(f(n.value)),
        other => Err(about(other, "number required")),
    })
}

/// A function of two numbers.
fn of_two<'a>(mut cv: Cv<'a, Kind>, f: impl FnOnce(f64, f64) -> f64) -> ValXs<'a, Val> {
    let b = cv.0.pop_var();
    let a = cv.0.pop_var();
    bome(match (&a, &b) {
        (Val::Num(a), Val::Num(b)) => Ok(Val::from(f(a.value, b.value))),
        (Val::Num(_), other) | (other, _) => Err(about(other, "number required")),
    })
}

/// As much of an exponent as matters.
fn exponent(x: f64) -> i32 {
    x.clamp(-10_000.0, 10_000.0) as i32
}

/// The exponent of two in a number.
fn logb(x: f64) -> f64 {
    if x == 0.0 {
        f64::NEG_INFINITY
    } else if x.is_infinite() {
        f64::INFINITY
    } else if x.is_nan() {
        x
    } else {
        f64::from(libm::ilogb(x))
    }
}

fn significand(x: f64) -> f64 {
    if x == 0.0 || !x.is_finite() {
        x
    } else {
        libm::scalbn(x, -libm::ilogb(x))
    }
}

fn math() -> Vec<Native> {
    macro_rules! one {
        ($($name:literal => $f:expr),* $(,)?) => {
            vec![$( ($name, v(0), |cv| of_number(&cv.1, |x| Val::from($f(x)))) ),*]
        };
    }
    macro_rules! pair {
        ($($name:literal => $f:expr),* $(,)?) => {
            vec![$( ($name, v(2), |cv| of_two(cv, $f)) ),*]
        };
    }
    let mut all: Vec<Native> = one![
        "floor" => libm::floor, "ceil" => libm::ceil, "round" => libm::round, "trunc" => libm::trunc,
        "rint" => libm::rint, "nearbyint" => libm::rint, "fabs" => libm::fabs, "sqrt" => libm::sqrt,
        "cbrt" => libm::cbrt, "exp" => libm::exp, "exp2" => libm::exp2, "exp10" => libm::exp10,
        "expm1" => libm::expm1, "log" => libm::log, "log2" => libm::log2, "log10" => libm::log10,
        "log1p" => libm::log1p, "sin" => libm::sin, "cos" => libm::cos, "tan" => libm::tan,
        "asin" => libm::asin, "acos" => libm::acos, "atan" => libm::atan, "sinh" => libm::sinh,
        "cosh" => libm::cosh, "tanh" => libm::tanh, "asinh" => libm::asinh, "acosh" => libm::acosh,
        "atanh" => libm::atanh, "gamma" => libm::lgamma, "lgamma" => libm::lgamma, "lgamma_r" => libm::lgamma,
        "tgamma" => libm::tgamma, "erf" => libm::erf, "erfc" => libm::erfc, "j0" => libm::j0, "j1" => libm::j1,
        "y0" => libm::y0, "y1" => libm::y1, "logb" => logb, "significand" => significand,
    ];
    let pairs: Vec<Native> = pair![
        "pow" => libm::pow, "atan2" => libm::atan2, "fmod" => libm::fmod, "fmin" => libm::fmin,
        "fmax" => libm::fmax, "fdim" => libm::fdim, "hypot" => libm::hypot, "copysign" => libm::copysign,
        "nextafter" => libm::nextafter, "nexttoward" => libm::nextafter, "remainder" => libm::remainder,
        "drem" => libm::remainder,
        "ldexp" => |x, e| libm::scalbn(x, exponent(e)), "scalb" => |x, e| libm::scalbn(x, exponent(e)),
        "scalbln" => |x, e| libm::scalbn(x, exponent(e)),
        "jn" => |n, x| libm::jn(exponent(n), x), "yn" => |n, x| libm::yn(exponent(n), x),
    ];
    all.extend(pairs);
    let others: Vec<Native> = vec![
        ("nan", v(0), |_| bome(Ok(Val::from(f64::NAN)))),
        ("infinite", v(0), |_| bome(Ok(Val::from(f64::INFINITY)))),
        ("isnan", v(0), |cv| of_number(&cv.1, |x| Val::Bool(x.is_nan()))),
        ("isinfinite", v(0), |cv| {
            of_number(&cv.1, |x| Val::Bool(x.is_infinite()))
        }),
        ("isnormal", v(0), |cv| of_number(&cv.1, |x| Val::Bool(x.is_normal()))),
        ("frexp", v(0), |cv| {
            of_number(&cv.1, |x| {
                let (fraction, exponent) = libm::frexp(x);
                Val::arr(vec![Val::from(fraction), Val::from(f64::from(exponent))])
            })
        }),
        ("modf", v(0), |cv| {
            of_number(&cv.1, |x| {
                let (fraction, whole) = libm::modf(x);
                Val::arr(vec![Val::from(fraction), Val::from(whole)])
            })
        }),
        ("fma", v(3), |mut cv| {
            let c = cv.0.pop_var();
            let b = cv.0.pop_var();
            let a = cv.0.pop_var();
            bome(match (a.as_num(), b.as_num(), c.as_num()) {
                (Some(a), Some(b), Some(c)) => Ok(Val::from(libm::fma(a, b, c))),
                (None, ..) => Err(about(&a, "number required")),
                (_, None, _) => Err(about(&b, "number required")),
                _ => Err(about(&c, "number required")),
            })
        }),
    ];
    all.extend(others);
    all
}

fn world() -> Vec<Native> {
    vec![
        ("env", v(0), |cv| bome(Ok(cv.0.data().host.env.clone()))),
        ("now", v(0), |cv| bome(Ok(Val::from(cv.0.data().host.now)))),
        ("gmtime", v(0), |cv| bome(time::gmtime(&cv.1, "gmtime"))),
        ("localtime", v(0), |cv| bome(time::gmtime(&cv.1, "localtime"))),
        ("mktime", v(0), |cv| bome(time::mktime(&cv.1))),
        ("strftime", v(1), |cv| {
            unary(cv, |value, format| time::strftime(&value, &format, "strftime"))
        }),
        ("strflocaltime", v(1), |cv| {
            unary(cv, |value, format| time::strftime(&value, &format, "strflocaltime"))
        }),
        ("strptime", v(1), |cv| {
            unary(cv, |text, format| time::strptime(&text, &format))
        }),
        ("input", v(0), |cv| {
            let next = cv.0.data().host.next_input();
            bome(next.unwrap_or_else(|| Err("break".to_owned())).map_err(Error::str))
        }),
        ("inputs", v(0), |cv| {
            let host = cv.0.data().host;
            let next = move || {
                host.next_input()
                    .map(|input| input.map_err(|why| Exn::from(Error::str(why))))
            };
            Box::new(std::iter::from_fn(next))
        }),
        ("input_filename", v(0), |cv| bome(Ok(cv.0.data().host.input_name()))),
        ("input_line_number", v(0), |cv| {
            bome(Ok(Val::from(cv.0.data().host.input_line())))
        }),
        ("debug", v(0), |cv| {
            cv.0.data().host.debug(&cv.1);
            bome(Ok(cv.1))
        }),
        ("stderr", v(0), |cv| {
            let host = cv.0.data().host;
            match &cv.1 {
                Val::Str(s) => host.complain(s),
                other => host.complain(&host.json(other)),
            }
            bome(Ok(cv.1))
        }),
        ("halt", v(0), |_| box_once(Err(Exn::halt(0)))),
        ("halt_error", v(1), |mut cv| {
            let code = cv.0.pop_var();
            let Some(code) = code.as_num() else {
                return bome(Err(about(&cv.1, "halt_error/1: number required")));
            };
            match &cv.1 {
                Val::Null => {}
                Val::Str(s) => cv.0.data().host.complain(s),
                other => {
                    let host = cv.0.data().host;
                    host.complain(&format!("{}\n", host.json(other)));
                }
            }
            box_once(Err(Exn::halt(code as i32)))
        }),
        ("get_search_list", v(0), |_| bome(Ok(Val::arr(Vec::new())))),
    ]
}
