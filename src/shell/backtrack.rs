//! Regular expressions that look around or back (`(?=…)`, `(?<!…)`, `\K`, `\1`): a small matcher that backtracks.
//! It serves only where `regex-lite` refuses; a search that needs too many steps finds nothing.

use super::regex::Groups;
use crate::flat::Case;
use crate::limits;

enum Node {
    One(Set),
    /// Alternatives; with the number of what they capture.
    Group(Option<usize>, Vec<Vec<Node>>),
    /// Alternatives, with how many characters before this place each begins: none of what looks ahead.
    Look {
        negate: bool,
        of: Vec<(usize, Vec<Node>)>,
    },
    Repeat {
        of: Box<Node>,
        least: usize,
        most: usize,
        lazy: bool,
    },
    /// `\1`
    Back(usize),
    /// `\K`
    Keep,
    /// `^`, `$`, `b`, `B`, `<`, `>`
    At(char),
}

/// One character.
enum Set {
    Any,
    Is(char),
    Class(regex_lite::Regex),
}

pub(super) struct Backtrack {
    of: Vec<Vec<Node>>,
    groups: usize,
    ignore_case: bool,
}

/// How many characters these take, when that is fixed.
fn width(nodes: &[Node]) -> Option<usize> {
    let one = |node: &Node| match node {
        Node::One(_) => Some(1),
        Node::At(_) | Node::Look { .. } | Node::Keep => Some(0),
        Node::Repeat { of, least, most, .. } if least == most => {
            width(std::slice::from_ref(of.as_ref()))?.checked_mul(*least)
        }
        Node::Group(_, of) => {
            let first = width(of.first()?)?;
            of.iter().all(|nodes| width(nodes) == Some(first)).then_some(first)
        }
        Node::Repeat { .. } | Node::Back(_) => None,
    };
    nodes.iter().map(one).sum()
}

struct Reader {
    chars: Vec<char>,
    at: usize,
    groups: usize,
    depth: usize,
    ignore_case: bool,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn take(&mut self, text: &str) -> bool {
        let here = text
            .chars()
            .enumerate()
            .all(|(i, c)| self.chars.get(self.at + i) == Some(&c));
        if here {
            self.at += text.chars().count();
        }
        here
    }

    fn alternatives(&mut self) -> Option<Vec<Vec<Node>>> {
        self.depth += 1;
        if self.depth > limits::REGEX_NESTING {
            return None;
        }
        let mut all = vec![Vec::new()];
        while let Some(c) = self.peek() {
            match c {
                ')' => break,
                '|' => {
                    self.at += 1;
                    all.push(Vec::new());
                }
                _ => {
                    let atom = self.atom()?;
                    let atom = self.repeated(atom)?;
                    all.last_mut()?.push(atom);
                }
            }
        }
        self.depth -= 1;
        Some(all)
    }

    fn number(&mut self) -> Option<usize> {
        let from = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        self.chars.get(from..self.at)?.iter().collect::<String>().parse().ok()
    }

    fn repeated(&mut self, of: Node) -> Option<Node> {
        let start = self.at;
        let (least, most) = match self.peek() {
            Some('*') => (0, usize::MAX),
            Some('+') => (1, usize::MAX),
            Some('?') => (0, 1),
            Some('{') => {
                self.at += 1;
                let least = self.number();
                let most = match self.take(",") {
                    true => self.number().unwrap_or(usize::MAX),
                    false => least.unwrap_or(0),
                };
                // A brace that holds no numbers is text.
                if self.peek() != Some('}') || least.is_none() {
                    self.at = start;
                    return Some(of);
                }
                (least?, most)
            }
            _ => return Some(of),
        };
        self.at += 1;
        let lazy = self.take("?");
        Some(Node::Repeat {
            of: Box::new(of),
            least,
            most,
            lazy,
        })
    }

    fn class(&self, text: &str) -> Option<Node> {
        let flags = if self.ignore_case { "(?si)" } else { "(?s)" };
        let class = regex_lite::Regex::new(&format!("{flags}^{text}$")).ok()?;
        Some(Node::One(Set::Class(class)))
    }

    fn atom(&mut self) -> Option<Node> {
        let c = self.peek()?;
        self.at += 1;
        Some(match c {
            '.' => Node::One(Set::Any),
            '^' | '$' => Node::At(c),
            '(' => {
                let looks = [
                    ("?=", true, false),
                    ("?!", true, true),
                    ("?<=", false, false),
                    ("?<!", false, true),
                ];
                let look = looks.into_iter().find(|(text, ..)| self.take(text));
                let mut number = None;
                if look.is_none() && !self.take("?:") {
                    if self.take("?<") || self.take("?P<") {
                        while !self.take(">") {
                            self.peek()?;
                            self.at += 1;
                        }
                    }
                    self.groups += 1;
                    number = Some(self.groups);
                }
                let of = self.alternatives()?;
                if !self.take(")") {
                    return None;
                }
                match look {
                    Some((_, ahead, negate)) => {
                        // As Perl's, alternatives that look behind are each of a fixed width.
                        let back = |nodes: Vec<Node>| Some((if ahead { 0 } else { width(&nodes)? }, nodes));
                        let of = of.into_iter().map(back).collect::<Option<_>>()?;
                        Node::Look { negate, of }
                    }
                    None => Node::Group(number, of),
                }
            }
            '[' => {
                let from = self.at - 1;
                let _ = self.take("^");
                let first = self.at;
                loop {
                    match self.peek()? {
                        ']' if self.at > first => break,
                        '\\' => self.at += 1,
                        '[' if self.take("[:") => {
                            while !self.take(":]") {
                                self.peek()?;
                                self.at += 1;
                            }
                            continue;
                        }
                        _ => {}
                    }
                    self.at += 1;
                }
                self.at += 1;
                let text: String = self.chars.get(from..self.at)?.iter().collect();
                return self.class(&text);
            }
            '\\' => {
                let e = self.peek()?;
                self.at += 1;
                match e {
                    'd' | 'D' | 'w' | 'W' | 's' | 'S' => return self.class(&format!("\\{e}")),
                    'h' => return self.class("[ \\t]"),
                    'K' => Node::Keep,
                    'A' => Node::At('^'),
                    'z' | 'Z' => Node::At('$'),
                    'b' if self.take("{start}") => Node::At('<'),
                    'b' if self.take("{end}") => Node::At('>'),
                    'b' | 'B' => Node::At(e),
                    'n' => Node::One(Set::Is('\n')),
                    't' => Node::One(Set::Is('\t')),
                    'r' => Node::One(Set::Is('\r')),
                    '1'..='9' => {
                        self.at -= 1;
                        Node::Back(self.number().filter(|n| *n <= self.groups)?)
                    }
                    e if e.is_alphanumeric() => return None,
                    e => Node::One(Set::Is(e)),
                }
            }
            '*' | '+' | '?' => return None,
            c => Node::One(Set::Is(c)),
        })
    }
}

/// A search at work.
struct Search<'a> {
    regex: &'a Backtrack,
    chars: &'a [char],
    groups: Groups,
    keep: Option<usize>,
    steps: usize,
    depth: usize,
}

/// What must still match behind a place.
type Then<'t> = &'t mut dyn FnMut(&mut Search, usize) -> bool;

impl Search<'_> {
    fn one(&self, set: &Set, at: usize) -> bool {
        let Some(c) = self.chars.get(at).copied() else {
            return false;
        };
        match set {
            Set::Any => true,
            Set::Is(want) => *want == c || self.regex.ignore_case && want.lower() == c.lower(),
            Set::Class(class) => class.is_match(c.encode_utf8(&mut [0; 4])),
        }
    }

    fn holds(&self, what: char, at: usize) -> bool {
        let word = |i: usize| self.chars.get(i).is_some_and(|c| c.is_alphanumeric() || *c == '_');
        let (before, after) = (at > 0 && word(at.wrapping_sub(1)), word(at));
        match what {
            '^' => at == 0,
            '$' => at == self.chars.len(),
            'b' => before != after,
            'B' => before == after,
            '<' => !before && after,
            _ => before && !after,
        }
    }

    fn sequence(&mut self, nodes: &[Node], at: usize, then: Then) -> bool {
        self.depth += 1;
        let found = self.depth < limits::REGEX_DEPTH && self.sequence_inner(nodes, at, then);
        self.depth -= 1;
        found
    }

    fn sequence_inner(&mut self, mut nodes: &[Node], mut at: usize, then: Then) -> bool {
        while let Some((node, rest)) = nodes.split_first() {
            self.steps += 1;
            if self.steps > limits::REGEX_STEPS {
                return false;
            }
            match node {
                Node::One(set) if self.one(set, at) => at += 1,
                Node::At(what) if self.holds(*what, at) => {}
                Node::One(_) | Node::At(_) => return false,
                Node::Keep => self.keep = Some(at),
                Node::Back(n) => {
                    let Some((a, b)) = self.groups.get(*n).copied().flatten() else {
                        return false;
                    };
                    let same = (a..b).all(|i| match (self.chars.get(i), self.chars.get(at + i - a)) {
                        (Some(x), Some(y)) => *x == *y || self.regex.ignore_case && x.lower() == y.lower(),
                        _ => false,
                    });
                    if !same {
                        return false;
                    }
                    at += b - a;
                }
                Node::Look { negate, of } => {
                    let found = of.iter().any(|(back, nodes)| {
                        at.checked_sub(*back)
                            .is_some_and(|from| self.sequence(nodes, from, &mut |_, _| true))
                    });
                    if found == *negate {
                        return false;
                    }
                }
                Node::Group(number, of) => {
                    return of.iter().any(|nodes| {
                        self.sequence(nodes, at, &mut |search, end| {
                            let slot = number.and_then(|n| search.groups.get_mut(n));
                            let old = slot.and_then(|s| s.replace((at, end)));
                            search.sequence(rest, end, then) || {
                                if let Some(slot) = number.and_then(|n| search.groups.get_mut(n)) {
                                    *slot = old;
                                }
                                false
                            }
                        })
                    });
                }
                Node::Repeat { of, least, most, lazy } => {
                    let Node::One(set) = of.as_ref() else {
                        return self.repeat(node, 0, at, &mut |search, end| search.sequence(rest, end, then));
                    };
                    let mut n = 0;
                    while n < *least {
                        if !self.one(set, at + n) {
                            return false;
                        }
                        n += 1;
                    }
                    if *lazy {
                        loop {
                            if self.sequence(rest, at + n, then) {
                                return true;
                            }
                            if n >= *most || !self.one(set, at + n) {
                                return false;
                            }
                            n += 1;
                        }
                    }
                    while n < *most && self.one(set, at + n) {
                        n += 1;
                    }
                    return (*least..=n).rev().any(|n| self.sequence(rest, at + n, then));
                }
            }
            nodes = rest;
        }
        then(self, at)
    }

    fn repeat(&mut self, node: &Node, done: usize, at: usize, then: Then) -> bool {
        let Node::Repeat { of, least, most, lazy } = node else {
            return false;
        };
        if *lazy && done >= *least && then(self, at) {
            return true;
        }
        let again = done < *most
            && self.sequence(std::slice::from_ref(of.as_ref()), at, &mut |search, end| {
                // A turn that takes nothing is the last.
                (end > at || done < *least) && search.repeat(node, done + 1, end, then)
            });
        again || !*lazy && done >= *least && then(self, at)
    }
}

impl Backtrack {
    /// Reads an expression in Perl's syntax; `None` when it is none.
    pub fn new(pattern: &str, ignore_case: bool) -> Option<Backtrack> {
        let mut reader = Reader {
            chars: pattern.chars().collect(),
            at: 0,
            groups: 0,
            depth: 0,
            ignore_case,
        };
        reader.ignore_case |= reader.take("(?i)");
        let of = reader.alternatives()?;
        (reader.at == reader.chars.len()).then_some(Backtrack {
            of,
            groups: reader.groups,
            ignore_case: reader.ignore_case,
        })
    }

    /// The first match at or after byte `from`, as [`super::regex::Regex::groups_at`] tells it.
    pub fn groups_at(&self, text: &str, from: usize) -> Option<Groups> {
        let chars: Vec<char> = text.chars().collect();
        let mut bytes: Vec<usize> = text.char_indices().map(|(i, _)| i).collect();
        bytes.push(text.len());
        let mut search = Search {
            regex: self,
            chars: &chars,
            groups: Vec::new(),
            keep: None,
            steps: 0,
            depth: 0,
        };
        for start in bytes.partition_point(|b| *b < from)..=chars.len() {
            search.groups = vec![None; self.groups + 1];
            search.keep = None;
            let mut end = None;
            let found = self.of.iter().any(|nodes| {
                search.sequence(nodes, start, &mut |_, at| {
                    end = Some(at);
                    true
                })
            });
            if let (true, Some(end)) = (found, end) {
                let whole = (search.keep.unwrap_or(start).min(end), end);
                if let Some(slot) = search.groups.first_mut() {
                    *slot = Some(whole);
                }
                let byte = |i: usize| bytes.get(i).copied();
                let groups = search.groups.into_iter();
                return Some(
                    groups
                        .map(|g| g.and_then(|(a, b)| Some((byte(a)?, byte(b)?))))
                        .collect(),
                );
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_around_and_back() {
        for (pattern, text, want) in [
            ("(?<=web-)[a-z0-9]+", "pod/web-5f x", Some("5f")),
            ("\\d+(?=m)", "12x 250m", Some("250")),
            ("web-\\K\\w+", "pod/web-abc", Some("abc")),
            ("(?<!a)b", "ab bb", Some("b")),
            ("foo(?!bar)\\w*", "foobar foobaz", Some("foobaz")),
            ("(a|b)\\1", "abba", Some("bb")),
            ("(?:ab)+?(?=c)", "ababc", Some("abab")),
            ("^(.*),\\1$", "x y,x y", Some("x y,x y")),
            ("\"name\":\\s*\"\\K[^\"]+", "{\"name\": \"é1\"}", Some("é1")),
            ("(?<=[[:space:]])é{2,3}(?=$)", "a ééé", Some("ééé")),
            ("(?i)(?<=A)B", "ab", Some("b")),
            ("(?=x)*y", "y", Some("y")),
            ("(a*)*\\1b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", None),
        ] {
            let found = Backtrack::new(pattern, false)
                .unwrap()
                .groups_at(text, 0)
                .and_then(|g| g[0])
                .map(|(a, b)| &text[a..b]);
            assert_eq!(found, want, "{pattern} on {text}");
        }
        for bad in [
            "(",
            "(?=a",
            "[a",
            "*",
            "\\2",
            "(?<a",
            "(?<=a*)b",
            "(?<=a|bc\\d?)b",
            &"(?=".repeat(10_000),
        ] {
            assert!(Backtrack::new(bad, false).is_none(), "{bad}");
        }
        // Looking behind does not look through the whole line.
        let long = format!("{}\"ip\":\"10.0.0.1\"", "x".repeat(20_000));
        let behind = Backtrack::new("(?<=\"ip\":\")[0-9.]+", false).unwrap();
        assert_eq!(
            behind.groups_at(&long, 0).map(|g| g[0].map(|(a, b)| &long[a..b])),
            Some(Some("10.0.0.1"))
        );
        let long = "ab".repeat(100_000);
        assert!(
            Backtrack::new("(ab)*(?!c)", false)
                .unwrap()
                .groups_at(&long, 0)
                .is_some()
        );
    }
}
