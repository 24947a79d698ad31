//! Gives a program jq's meaning where jaq has another. Works on the parsed program.
//!
//! - An update (`.a |= f`) goes through paths: jq's takes the first output, removes what gets none after all others
//!   have been changed, and works on whatever has paths.
//! - Where both sides of an operator have several outputs, jq's outer loop runs over the right one, and over the last
//!   part of a string.
//! - `reduce` goes on with the last output of its update, and with null where there is none.
//! - `$__loc__` is where it stands, and `@name` of a format that is none is an error when it runs.

use jaq_core::load::Arena;
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::path::{Opt, Part, Path};

use crate::formats;

/// Names that no program of jq can have for the values that are bound here.
const VALUE: &str = "$__value";
const RIGHT: &str = "$__right";
const PARTS: [&str; 12] = [
    "$__0", "$__1", "$__2", "$__3", "$__4", "$__5", "$__6", "$__7", "$__8", "$__9", "$__10", "$__11",
];

/// Filters that have one output for each of their arguments' outputs, or an error.
const SINGLE: [&str; 52] = [
    "add",
    "all",
    "any",
    "ascii_downcase",
    "ascii_upcase",
    "ceil",
    "contains",
    "del",
    "endswith",
    "env",
    "explode",
    "false",
    "flatten",
    "floor",
    "from_entries",
    "fromjson",
    "group_by",
    "has",
    "implode",
    "index",
    "inside",
    "join",
    "keys",
    "keys_unsorted",
    "length",
    "ltrimstr",
    "map",
    "max",
    "min",
    "not",
    "now",
    "null",
    "reverse",
    "round",
    "rtrimstr",
    "setpath",
    "sort",
    "sort_by",
    "split",
    "startswith",
    "test",
    "to_entries",
    "todate",
    "tojson",
    "tonumber",
    "tostring",
    "true",
    "type",
    "unique",
    "unique_by",
    "walk",
    "with_entries",
];

/// Filters whose outputs are one whatever their arguments give, since they collect.
const COLLECTING: [&str; 7] = ["map", "sort_by", "group_by", "unique_by", "del", "all", "any"];

pub struct Rewriter<'s> {
    /// The program, for the lines of `$__loc__`.
    pub program: &'s str,
    /// Where texts live that stand in no program.
    pub arena: &'s Arena,
    /// The names that the program defines, of which nothing is known.
    pub own: Vec<&'s str>,
}

/// Digits of a whole number that every machine has.
const DIGITS: usize = 9;

impl<'s> Rewriter<'s> {
    pub fn def(&self, def: Def<&'s str>) -> Def<&'s str> {
        Def {
            name: def.name,
            args: def.args,
            body: self.term(def.body),
        }
    }

    fn boxed(&self, term: Term<&'s str>) -> Box<Term<&'s str>> {
        Box::new(self.term(term))
    }

    fn all(&self, terms: Vec<Term<&'s str>>) -> Vec<Term<&'s str>> {
        terms.into_iter().map(|t| self.term(t)).collect()
    }

    fn pattern(&self, pattern: Pattern<&'s str>) -> Pattern<&'s str> {
        match pattern {
            Pattern::Var(name) => Pattern::Var(name),
            Pattern::Arr(parts) => Pattern::Arr(parts.into_iter().map(|p| self.pattern(p)).collect()),
            Pattern::Obj(parts) => Pattern::Obj(
                parts
                    .into_iter()
                    .map(|(k, p)| (self.term(k), self.pattern(p)))
                    .collect(),
            ),
        }
    }

    fn part(&self, part: Part<Term<&'s str>>) -> Part<Term<&'s str>> {
        match part {
            Part::Index(at) => Part::Index(self.term(at)),
            Part::Range(from, to) => Part::Range(from.map(|t| self.term(t)), to.map(|t| self.term(t))),
        }
    }

    pub fn term(&self, term: Term<&'s str>) -> Term<&'s str> {
        match term {
            Term::Str(format, parts) => {
                // A format that is none says so for each value that it is to write.
                let unknown = format.filter(|name| !formats::NAMES.contains(name));
                let parts = parts
                    .into_iter()
                    .map(|part| match (part, unknown) {
                        (StrPart::Term(term), None) => StrPart::Term(self.term(term)),
                        (StrPart::Term(term), Some(name)) => {
                            let fails = Term::Call("format", vec![text(name.trim_start_matches('@'))]);
                            StrPart::Term(Term::BinOp(self.boxed(term), BinaryOp::Pipe(None), Box::new(fails)))
                        }
                        (other, _) => other,
                    })
                    .collect();
                self.string(format.filter(|_| unknown.is_none()), parts)
            }
            // Whole numbers are what a machine has as such, in a browser of 32 bits: others stay texts until they are read.
            Term::Num(digits) if digits.len() > DIGITS && digits.bytes().all(|b| b.is_ascii_digit()) => {
                Term::Num(self.arena.alloc(format!("{digits}e0")))
            }
            Term::Arr(items) => Term::Arr(items.map(|t| self.boxed(*t))),
            Term::Obj(entries) => {
                let entries = entries.into_iter();
                Term::Obj(
                    entries
                        .map(|(key, value)| match (key, value) {
                            (Term::Var(name), None) if name == "$__loc__" => {
                                (text("__loc__"), Some(self.term(Term::Var(name))))
                            }
                            (key, value) => (self.term(key), value.map(|t| self.term(t))),
                        })
                        .collect(),
                )
            }
            Term::Neg(term) => Term::Neg(self.boxed(*term)),
            Term::BinOp(l, op, r) => self.operator(self.term(*l), op, self.term(*r)),
            Term::Label(name, term) => Term::Label(name, self.boxed(*term)),
            Term::Fold(name, xs, pattern, arguments) => {
                let mut arguments = self.all(arguments);
                if name == "reduce"
                    && let [_, update] = arguments.as_mut_slice()
                    && !self.single(update)
                {
                    *update = Term::Call("_last", vec![std::mem::take(update)]);
                }
                Term::Fold(name, self.boxed(*xs), self.pattern(pattern), arguments)
            }
            Term::TryCatch(body, catch) => Term::TryCatch(self.boxed(*body), catch.map(|t| self.boxed(*t))),
            Term::IfThenElse(branches, other) => Term::IfThenElse(
                branches
                    .into_iter()
                    .map(|(c, t)| (self.term(c), self.term(t)))
                    .collect(),
                other.map(|t| self.boxed(*t)),
            ),
            Term::Def(defs, body) => Term::Def(defs.into_iter().map(|d| self.def(d)).collect(), self.boxed(*body)),
            Term::Call(name, arguments) => match name.strip_prefix('@') {
                Some(format) if !formats::NAMES.contains(&name) => Term::Call("format", vec![text(format)]),
                _ => Term::Call(name, self.all(arguments)),
            },
            Term::Var(name) if name == "$__loc__" => {
                let start = name.as_ptr().addr().saturating_sub(self.program.as_ptr().addr());
                let line = self.program.bytes().take(start).filter(|b| *b == b'\n').count() + 1;
                Term::Obj(vec![
                    (text("file"), Some(text("<top-level>"))),
                    (text("line"), Some(Term::Num(self.arena.alloc(line.to_string())))),
                ])
            }
            Term::Path(term, path) => {
                let parts = path.0.into_iter();
                let parts = parts.map(|(part, opt)| (self.part(part), opt)).collect();
                Term::Path(self.boxed(*term), Path(parts))
            }
            other @ (Term::Id | Term::Recurse | Term::Num(_) | Term::Break(_) | Term::Var(_)) => other,
        }
    }

    fn operator(&self, l: Term<&'s str>, op: BinaryOp<&'s str>, r: Term<&'s str>) -> Term<&'s str> {
        let modify = |l, r| Term::Call("_modify", vec![l, r]);
        let infix = |l, op, r| Term::BinOp(Box::new(l), op, Box::new(r));
        let bound = |value, name, body| infix(value, BinaryOp::Pipe(Some(Pattern::Var(name))), body);
        match op {
            BinaryOp::Update => modify(l, r),
            BinaryOp::Assign => bound(r, VALUE, modify(l, Term::Var(VALUE))),
            BinaryOp::UpdateMath(op) => {
                let new = infix(Term::Id, BinaryOp::Math(op), Term::Var(VALUE));
                bound(r, VALUE, modify(l, new))
            }
            BinaryOp::UpdateAlt => {
                let new = infix(Term::Id, BinaryOp::Alt, Term::Var(VALUE));
                bound(r, VALUE, modify(l, new))
            }
            BinaryOp::Math(_) | BinaryOp::Cmp(_) if !self.single(&l) && !self.single(&r) => {
                bound(r, RIGHT, infix(l, op, Term::Var(RIGHT)))
            }
            BinaryOp::Pipe(Some(pattern)) => infix(l, BinaryOp::Pipe(Some(self.pattern(pattern))), r),
            op => infix(l, op, r),
        }
    }

    /// A string whose parts have several outputs: the last part's are the outer loop.
    fn string(&self, format: Option<&'s str>, parts: Vec<StrPart<&'s str, Term<&'s str>>>) -> Term<&'s str> {
        let several = |part: &StrPart<&str, Term<&'s str>>| matches!(part, StrPart::Term(t) if !self.single(t));
        let count = parts.iter().filter(|p| several(p)).count();
        if !(2..=PARTS.len()).contains(&count) {
            return Term::Str(format, parts);
        }
        let mut names = PARTS.iter();
        let mut bindings = Vec::new();
        let mut bound = Vec::new();
        for part in parts {
            match part {
                StrPart::Term(term) if !self.single(&term) => {
                    let name = names.next().copied().unwrap_or(VALUE);
                    bindings.push((name, term));
                    bound.push(StrPart::Term(Term::Var(name)));
                }
                other => bound.push(other),
            }
        }
        let whole = Term::Str(format, bound);
        bindings.into_iter().fold(whole, |body, (name, term)| {
            Term::BinOp(Box::new(term), BinaryOp::Pipe(Some(Pattern::Var(name))), Box::new(body))
        })
    }

    /// Whether a term is known to have one output, or an error.
    fn single(&self, term: &Term<&str>) -> bool {
        match term {
            Term::Id | Term::Num(_) | Term::Var(_) | Term::Arr(_) => true,
            Term::Str(_, parts) => parts.iter().all(|p| !matches!(p, StrPart::Term(t) if !self.single(t))),
            Term::Obj(entries) => {
                let one = |(key, value): &(Term<&str>, Option<Term<&str>>)| {
                    self.single(key) && value.as_ref().is_none_or(|t| self.single(t))
                };
                entries.iter().all(one)
            }
            Term::Neg(term) => self.single(term),
            Term::BinOp(l, op, r) => {
                let simple = !matches!(op, BinaryOp::Comma | BinaryOp::Alt);
                simple && self.single(l) && self.single(r)
            }
            Term::IfThenElse(branches, other) => {
                branches.iter().all(|(c, t)| self.single(c) && self.single(t))
                    && other.as_ref().is_none_or(|t| self.single(t))
            }
            Term::Call("_modify", _) => true,
            Term::Call(name, arguments) => {
                let known = !self.own.contains(name);
                known
                    && (COLLECTING.contains(name)
                        || (SINGLE.contains(name) && arguments.iter().all(|t| self.single(t))))
            }
            Term::Path(term, path) => {
                let one = |part: &(Part<Term<&str>>, Opt)| match part {
                    (_, Opt::Optional) | (Part::Range(None, None), _) => false,
                    (Part::Index(at), _) => self.single(at),
                    (Part::Range(from, to), _) => {
                        from.as_ref().is_none_or(|t| self.single(t)) && to.as_ref().is_none_or(|t| self.single(t))
                    }
                };
                self.single(term) && path.0.iter().all(one)
            }
            _ => false,
        }
    }
}

fn text(text: &str) -> Term<&str> {
    Term::Str(None, vec![StrPart::Str(text)])
}
