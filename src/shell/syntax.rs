//! The shell language's tree, as the parser makes it and the interpreter walks it.

use std::cell::RefCell;
use std::rc::Rc;

/// Commands in order.
pub(super) type List = Rc<Vec<Item>>;

/// A chain of pipelines, run in the foreground or the background.
#[derive(Debug)]
pub(super) struct Item {
    pub chain: Rc<Chain>,
    pub background: bool,
}

/// Whether one simple command is all of a list, without redirections.
pub(super) fn is_bare_command(list: &[Item]) -> bool {
    let [item] = list else { return false };
    let pipeline = &item.chain.first;
    let [command] = pipeline.commands.as_slice() else {
        return false;
    };
    let alone = !item.background && item.chain.rest.is_empty() && !pipeline.negate && pipeline.timed.is_none();
    alone && matches!(command.kind, Kind::Simple { .. }) && command.redirects.is_empty()
}

/// Pipelines joined by `&&` and `||`.
#[derive(Debug)]
pub(super) struct Chain {
    pub first: Pipeline,
    pub rest: Vec<(Joint, Pipeline)>,
    /// The source, for `jobs`.
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joint {
    And,
    Or,
}

#[derive(Debug)]
pub(super) struct Pipeline {
    pub negate: bool,
    /// `time`; with `-p` when the flag is set.
    pub timed: Option<bool>,
    pub commands: Vec<Command>,
}

#[derive(Debug)]
pub(super) struct Command {
    pub kind: Kind,
    pub redirects: Vec<Redirect>,
    pub line: usize,
}

#[derive(Debug)]
pub(super) enum Kind {
    Simple {
        assigns: Vec<Assign>,
        words: Vec<Arg>,
    },
    Subshell(List),
    Group(List),
    For {
        name: String,
        /// `None` walks the positional parameters.
        words: Option<Vec<Word>>,
        body: List,
    },
    ForArith {
        init: Vec<Part>,
        test: Vec<Part>,
        step: Vec<Part>,
        body: List,
    },
    While {
        until: bool,
        test: List,
        body: List,
    },
    If {
        clauses: Vec<(List, List)>,
        otherwise: Option<List>,
    },
    Case {
        word: Word,
        items: Vec<CaseItem>,
    },
    Function {
        name: String,
        body: Rc<Command>,
        text: String,
    },
    Arith(Vec<Part>),
    Test(Test),
}

#[derive(Debug)]
pub(super) struct CaseItem {
    pub patterns: Vec<Word>,
    pub body: List,
    pub end: CaseEnd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CaseEnd {
    /// `;;`
    Stop,
    /// `;&`
    Fall,
    /// `;;&`
    Next,
}

/// An argument: a word, or an assignment of a command such as `export`.
#[derive(Debug)]
pub(super) enum Arg {
    Word(Word),
    Assign(Assign),
}

#[derive(Debug)]
pub(super) struct Assign {
    pub name: String,
    pub index: Option<Vec<Part>>,
    pub append: bool,
    pub value: AssignValue,
}

#[derive(Debug)]
pub(super) enum AssignValue {
    Word(Word),
    /// `(a b [3]=c)`: each with its index.
    Array(Vec<(Option<Vec<Part>>, Word)>),
}

/// A word with its source.
#[derive(Clone, Debug, Default)]
pub(super) struct Word {
    pub parts: Vec<Part>,
    pub raw: String,
}

#[derive(Clone, Debug)]
pub(super) enum Part {
    /// Unquoted text: its braces, tildes and globs are alive.
    Literal(String),
    /// Quoted text.
    Quoted(String),
    Double(Vec<Part>),
    Param(Rc<Param>),
    Command(List),
    /// `$((…))`.
    Arith(Vec<Part>),
    /// `<(…)` (`true`) or `>(…)`.
    Process(bool, List),
    /// A `${…}` that means nothing: an error when it is expanded.
    Bad(String),
}

#[derive(Debug)]
pub(super) struct Param {
    pub name: String,
    pub index: Option<Index>,
    /// `${!name}`.
    pub indirect: bool,
    pub op: Op,
}

#[derive(Debug)]
pub(super) enum Index {
    /// `[@]`
    At,
    /// `[*]`
    Star,
    Expr(Vec<Part>),
}

#[derive(Debug)]
pub(super) enum Op {
    None,
    /// `${#name}`
    Length,
    /// `:-`, `-`, …: the operator's character, whether it has a colon, and the word.
    Default(char, bool, Word),
    /// `#`, `##`, `%`, `%%`.
    Trim {
        suffix: bool,
        longest: bool,
        pattern: Word,
    },
    Replace {
        pattern: Word,
        with: Word,
        /// `/` one, `//` all, `/#` at the start, `/%` at the end.
        mode: char,
    },
    Slice(Vec<Part>, Option<Vec<Part>>),
    /// `^`, `^^`, `,`, `,,`.
    Case {
        upper: bool,
        all: bool,
        pattern: Word,
    },
    /// `${!prefix*}`, `${!prefix@}`.
    Names,
    /// `${!array[@]}`.
    Keys,
    /// `${name@Q}`.
    Transform(char),
}

#[derive(Debug)]
pub(super) struct Redirect {
    /// The descriptor; `None` is the operator's own.
    pub fd: Option<i32>,
    pub op: RedirectOp,
    pub target: Word,
    pub here: Option<Rc<RefCell<HereDoc>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RedirectOp {
    /// `<`
    Read,
    /// `>` and `>|`
    Write { clobber: bool },
    /// `>>`
    Append,
    /// `<>`
    Update,
    /// `<&`
    DupIn,
    /// `>&`
    DupOut,
    /// `&>` and `>&file`
    Both,
    /// `&>>`
    BothAppend,
    /// `<<` and `<<-`
    Here,
    /// `<<<`
    HereString,
}

#[derive(Debug, Default)]
pub(super) struct HereDoc {
    pub delimiter: String,
    pub strip_tabs: bool,
    pub quoted: bool,
    pub body: Vec<Part>,
}

/// `[[ … ]]`.
#[derive(Debug)]
pub(super) enum Test {
    Word(Word),
    Unary(String, Word),
    Binary(Word, String, Word),
    Not(Box<Test>),
    And(Box<Test>, Box<Test>),
    Or(Box<Test>, Box<Test>),
}
