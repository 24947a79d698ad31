//! CEL's syntax: text to a tree, with the places that errors point at.

use std::rc::Rc;

use super::Issue;
use crate::limits;
use crate::value::float;

/// A node and the place (in characters) that errors about it point at.
#[derive(Clone, Debug)]
pub struct Ast {
    /// The place, from 0.
    pub at: usize,
    /// What stands there.
    pub node: Node,
    /// How deep the tree below is.
    height: usize,
}

impl Ast {
    fn new(at: usize, node: Node) -> Ast {
        let most = |items: &[Ast]| items.iter().map(|a| a.height).max().unwrap_or(0);
        let below = match &node {
            Node::Select { operand, .. } | Node::Has { operand, .. } => operand.height,
            Node::Call { target, args, .. } => target.as_ref().map_or(0, |t| t.height).max(most(args)),
            Node::List(items) => most(items),
            Node::Map(entries) => entries.iter().map(|(k, v)| k.height.max(v.height)).max().unwrap_or(0),
            Node::Maybe(inner) => inner.height,
            Node::Struct { fields, .. } => fields.iter().map(|f| f.value.height).max().unwrap_or(0),
            Node::Macro {
                range, filter, body, ..
            } => range
                .height
                .max(body.height)
                .max(filter.as_ref().map_or(0, |f| f.height)),
            _ => 0,
        };
        Ast {
            at,
            node,
            height: below + 1,
        }
    }
}

/// What an expression is.
#[derive(Clone, Debug)]
pub enum Node {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Str(Rc<str>),
    Bytes(Rc<[u8]>),
    Ident(String),
    /// `a.b`, `a.?b`.
    Select {
        operand: Box<Ast>,
        field: String,
        optional: bool,
    },
    /// `has(a.b)`.
    Has {
        operand: Box<Ast>,
        field: String,
    },
    /// An operator (by its CEL name, `_+_`), a function or a method.
    Call {
        function: String,
        target: Option<Box<Ast>>,
        args: Vec<Ast>,
    },
    List(Vec<Ast>),
    Map(Vec<(Ast, Ast)>),
    /// `?a` in a list, or as the value of a map's entry or a field: what an optional value holds, if anything.
    Maybe(Box<Ast>),
    /// `Object.spec{replicas: 3}`.
    Struct {
        name: String,
        fields: Vec<Init>,
    },
    /// A macro that runs over a list's items or a map's keys.
    Macro {
        kind: Macro,
        range: Box<Ast>,
        variable: String,
        /// The second variable of macros that have two (`all(k, v, …)`).
        second: Option<String>,
        /// The predicate, and for `map` what each item becomes.
        filter: Option<Box<Ast>>,
        body: Box<Ast>,
    },
}

/// A field that a struct is made with. `at` is the place of its colon.
#[derive(Clone, Debug)]
pub struct Init {
    /// The place, from 0.
    pub at: usize,
    /// The field's name.
    pub field: String,
    /// What it is set to.
    pub value: Ast,
}

/// A call whose arguments are worked out for each item, with variables for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Macro {
    All,
    Exists,
    ExistsOne,
    Map,
    Filter,
    /// `transformList`, `transformMap` and `transformMapEntry` have two variables and an optional filter.
    List,
    Values,
    Entries,
    /// `optMap` and `optFlatMap` run over what an optional value holds.
    Optional,
    FlatOptional,
    /// `sortBy`: the items by what each gives.
    SortBy,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Ident(String),
    Int(i64),
    Uint(u64),
    Double(f64),
    Str(String),
    Bytes(Vec<u8>),
    Op(&'static str),
    End,
}

const OPERATORS: [&str; 26] = [
    "==", "!=", "<=", ">=", "&&", "||", "[?", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",", "(", ")",
    "[", "]", "{", "}", "=",
];

/// What may begin an expression, as ANTLR lists it.
const EXPECTED: &str =
    "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";

fn issue(at: usize, text: impl Into<String>) -> Issue {
    Issue {
        at,
        message: format!("Syntax error: {}", text.into()),
    }
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> char {
        self.chars.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn text(&self, from: usize) -> String {
        self.chars.iter().skip(from).take(self.at - from).collect()
    }

    fn space(&mut self) {
        loop {
            while self.at < self.chars.len() && self.peek(0).is_whitespace() {
                self.at += 1;
            }
            if self.peek(0) == '/' && self.peek(1) == '/' {
                while self.at < self.chars.len() && self.peek(0) != '\n' {
                    self.at += 1;
                }
            } else {
                return;
            }
        }
    }

    fn next(&mut self) -> Result<(usize, Token), Issue> {
        self.space();
        let from = self.at;
        let c = self.peek(0);
        if from >= self.chars.len() {
            return Ok((from, Token::End));
        }
        let prefix: String = self
            .chars
            .iter()
            .skip(from)
            .take(2)
            .take_while(|c| c.is_ascii_alphabetic())
            .map(char::to_ascii_lowercase)
            .collect();
        let after = self.peek(prefix.len());
        if matches!(after, '"' | '\'') && matches!(prefix.as_str(), "" | "r" | "b" | "rb" | "br") {
            return self.string(from, &prefix);
        }
        if c.is_ascii_digit() || (c == '.' && self.peek(1).is_ascii_digit()) {
            return self.number(from);
        }
        if c == '_' || c.is_ascii_alphabetic() {
            while self.peek(0) == '_' || self.peek(0).is_ascii_alphanumeric() {
                self.at += 1;
            }
            return Ok((from, Token::Ident(self.text(from))));
        }
        if c == '`' {
            // An escaped field: `a.`b-c``.
            self.at += 1;
            while self.at < self.chars.len() && self.peek(0) != '`' {
                self.at += 1;
            }
            let name = self.text(from + 1);
            self.at += 1;
            return Ok((from, Token::Ident(name)));
        }
        for op in OPERATORS {
            if op.chars().enumerate().all(|(i, o)| self.peek(i) == o) {
                if op == "=" {
                    break;
                }
                self.at += op.len();
                return Ok((from, Token::Op(op)));
            }
        }
        let shown: String = self
            .chars
            .iter()
            .skip(from)
            .take(if c == '=' { 2 } else { 1 })
            .collect();
        Err(issue(from, format!("token recognition error at: '{shown}'")))
    }

    fn number(&mut self, from: usize) -> Result<(usize, Token), Issue> {
        if self.peek(0) == '0' && matches!(self.peek(1), 'x' | 'X') {
            self.at += 2;
            while self.peek(0).is_ascii_hexdigit() {
                self.at += 1;
            }
            let digits = self.text(from + 2);
            if matches!(self.peek(0), 'u' | 'U') {
                self.at += 1;
                return match u64::from_str_radix(&digits, 16) {
                    Ok(n) => Ok((from, Token::Uint(n))),
                    Err(_) => Err(issue(from, "invalid uint literal")),
                };
            }
            return match i64::from_str_radix(&digits, 16) {
                Ok(n) => Ok((from, Token::Int(n))),
                Err(_) => Err(issue(from, "invalid int literal")),
            };
        }
        while self.peek(0).is_ascii_digit() {
            self.at += 1;
        }
        let mut double = false;
        if self.peek(0) == '.' && self.peek(1).is_ascii_digit() {
            double = true;
            self.at += 1;
            while self.peek(0).is_ascii_digit() {
                self.at += 1;
            }
        }
        if matches!(self.peek(0), 'e' | 'E') {
            let sign = usize::from(matches!(self.peek(1), '+' | '-'));
            if self.peek(1 + sign).is_ascii_digit() {
                double = true;
                self.at += 1 + sign;
                while self.peek(0).is_ascii_digit() {
                    self.at += 1;
                }
            }
        }
        let text = self.text(from);
        if double {
            return match float::parse(&text) {
                Some(n) => Ok((from, Token::Double(n))),
                None => Err(issue(from, "invalid double literal")),
            };
        }
        if matches!(self.peek(0), 'u' | 'U') {
            self.at += 1;
            return match text.parse() {
                Ok(n) => Ok((from, Token::Uint(n))),
                Err(_) => Err(issue(from, "invalid uint literal")),
            };
        }
        match text.parse() {
            Ok(n) => Ok((from, Token::Int(n))),
            Err(_) => Err(issue(from, "invalid int literal")),
        }
    }

    fn string(&mut self, from: usize, prefix: &str) -> Result<(usize, Token), Issue> {
        let (raw, bytes) = (prefix.contains('r'), prefix.contains('b'));
        self.at += prefix.len();
        let quote = self.peek(0);
        let triple = self.peek(1) == quote && self.peek(2) == quote;
        let width = if triple { 3 } else { 1 };
        self.at += width;
        let mut out: Vec<u8> = Vec::new();
        let push = |out: &mut Vec<u8>, c: char| {
            let mut buffer = [0; 4];
            out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
        };
        loop {
            let c = self.peek(0);
            if self.at >= self.chars.len() || (!triple && matches!(c, '\n' | '\r')) {
                let shown = self.text(from);
                return Err(issue(from, format!("token recognition error at: '{shown}'")));
            }
            if c == quote && (0..width).all(|i| self.peek(i) == quote) {
                self.at += width;
                break;
            }
            self.at += 1;
            if c != '\\' || raw {
                push(&mut out, c);
                continue;
            }
            let e = self.peek(0);
            self.at += 1;
            let at = self.at;
            let mut code = |count: usize, radix: u32, start: usize| -> Option<u32> {
                let digits: String = self.chars.iter().skip(start).take(count).collect();
                self.at = start + count;
                if digits.chars().count() != count {
                    return None;
                }
                u32::from_str_radix(&digits, radix).ok()
            };
            let here = from;
            let bad = || issue(here, "token recognition error: invalid escape");
            match e {
                'n' => out.push(b'\n'),
                't' => out.push(b'\t'),
                'r' => out.push(b'\r'),
                'a' => out.push(7),
                'b' => out.push(8),
                'f' => out.push(12),
                'v' => out.push(11),
                '\\' | '\'' | '"' | '`' | '?' => push(&mut out, e),
                'x' | 'X' => {
                    let n = code(2, 16, at).ok_or_else(bad)?;
                    if bytes {
                        out.push(n as u8);
                    } else {
                        push(&mut out, char::from_u32(n).ok_or_else(bad)?);
                    }
                }
                'u' => {
                    let n = code(4, 16, at).ok_or_else(bad)?;
                    push(&mut out, char::from_u32(n).ok_or_else(bad)?);
                }
                'U' => {
                    let n = code(8, 16, at).ok_or_else(bad)?;
                    push(&mut out, char::from_u32(n).ok_or_else(bad)?);
                }
                '0'..='3' => {
                    let n = code(3, 8, at - 1).ok_or_else(bad)?;
                    if bytes {
                        out.push(n as u8);
                    } else {
                        push(&mut out, char::from_u32(n).ok_or_else(bad)?);
                    }
                }
                _ => {
                    let shown: String = self.chars.iter().skip(from).take(self.at - from).collect();
                    return Err(issue(from, format!("token recognition error at: '{shown}'")));
                }
            }
        }
        if bytes {
            return Ok((from, Token::Bytes(out)));
        }
        match String::from_utf8(out) {
            Ok(text) => Ok((from, Token::Str(text))),
            Err(_) => Err(issue(from, "invalid string literal")),
        }
    }
}

/// Words that are no names.
pub(super) const RESERVED: [&str; 16] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
];

struct Parser {
    tokens: Vec<(usize, Token)>,
    source: Vec<char>,
    next: usize,
    depth: usize,
}

/// Parses an expression.
///
/// # Errors
/// What is wrong with it, and where.
pub fn parse(text: &str) -> Result<Ast, Vec<Issue>> {
    if text.len() > limits::CEL_BYTES {
        return Err(vec![issue(
            0,
            format!(
                "expression code point size exceeds limit: size: {}, limit {}",
                text.len(),
                limits::CEL_BYTES
            ),
        )]);
    }
    let chars: Vec<char> = text.chars().collect();
    let mut lexer = Lexer {
        chars: chars.clone(),
        at: 0,
    };
    let mut tokens = Vec::new();
    let mut issues = Vec::new();
    loop {
        match lexer.next() {
            Ok(token) => {
                let end = token.1 == Token::End;
                tokens.push(token);
                if end {
                    break;
                }
            }
            Err(issue) => {
                issues.push(issue);
                lexer.at = lexer.at.max(issues.last().map_or(0, |i| i.at) + 1);
            }
        }
    }
    let mut parser = Parser {
        tokens,
        source: chars,
        next: 0,
        depth: 0,
    };
    let parsed = parser.whole();
    match parsed {
        Ok(ast) if issues.is_empty() => Ok(ast),
        Ok(_) => Err(issues),
        Err(issue) => {
            issues.push(issue);
            Err(issues)
        }
    }
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.next).map_or(&Token::End, |t| &t.1)
    }

    fn at(&self) -> usize {
        self.tokens.get(self.next).or(self.tokens.last()).map_or(0, |t| t.0)
    }

    fn advance(&mut self) -> Token {
        let token = self.peek().clone();
        self.next += 1;
        token
    }

    fn is(&self, op: &str) -> bool {
        matches!(self.peek(), Token::Op(o) if *o == op)
    }

    fn eat(&mut self, op: &str) -> bool {
        let found = self.is(op);
        if found {
            self.next += 1;
        }
        found
    }

    /// The token as errors show it.
    fn shown(&self) -> String {
        if *self.peek() == Token::End {
            return "<EOF>".into();
        }
        let from = self.at();
        let to = self.tokens.get(self.next + 1).map_or(self.source.len(), |t| t.0);
        let text: String = self.source.iter().skip(from).take(to.saturating_sub(from)).collect();
        text.trim_end().to_owned()
    }

    fn unexpected(&self, expected: &str) -> Issue {
        issue(
            self.at(),
            format!("mismatched input '{}' expecting {expected}", self.shown()),
        )
    }

    fn expect(&mut self, op: &str) -> Result<(), Issue> {
        if self.eat(op) {
            return Ok(());
        }
        if *self.peek() == Token::End {
            return Err(issue(self.at(), format!("missing '{op}' at '<EOF>'")));
        }
        Err(self.unexpected(&format!("'{op}'")))
    }

    fn whole(&mut self) -> Result<Ast, Issue> {
        let ast = self.expr()?;
        if *self.peek() != Token::End {
            return Err(issue(
                self.at(),
                format!("extraneous input '{}' expecting <EOF>", self.shown()),
            ));
        }
        Ok(ast)
    }

    fn shallow(&self, ast: &Ast) -> Result<(), Issue> {
        if ast.height > limits::CEL_HEIGHT {
            return Err(issue(self.at(), "expression recursion limit exceeded"));
        }
        Ok(())
    }

    fn expr(&mut self) -> Result<Ast, Issue> {
        self.depth += 1;
        if self.depth > limits::CEL_DEPTH {
            return Err(issue(self.at(), "expression recursion limit exceeded"));
        }
        let condition = self.binary(0)?;
        let at = self.at();
        let result = if self.eat("?") {
            let yes = self.binary(0)?;
            self.expect(":")?;
            let no = self.expr()?;
            call(at, "_?_:_", vec![condition, yes, no])
        } else {
            condition
        };
        self.depth -= 1;
        Ok(result)
    }

    /// Operators by how tightly they bind.
    fn operator(&self, level: usize) -> Option<&'static str> {
        const LEVELS: [&[(&str, &str)]; 5] = [
            &[("||", "_||_")],
            &[("&&", "_&&_")],
            &[
                ("==", "_==_"),
                ("!=", "_!=_"),
                ("<", "_<_"),
                ("<=", "_<=_"),
                (">", "_>_"),
                (">=", "_>=_"),
                ("in", "@in"),
            ],
            &[("+", "_+_"), ("-", "_-_")],
            &[("*", "_*_"), ("/", "_/_"), ("%", "_%_")],
        ];
        let text = match self.peek() {
            Token::Op(op) => *op,
            Token::Ident(word) if word == "in" => "in",
            _ => return None,
        };
        let known = LEVELS.get(level)?;
        known.iter().find(|(o, _)| *o == text).map(|(_, name)| *name)
    }

    fn binary(&mut self, level: usize) -> Result<Ast, Issue> {
        if level > 4 {
            return self.unary();
        }
        let mut left = self.binary(level + 1)?;
        while let Some(name) = self.operator(level) {
            let at = self.at();
            self.next += 1;
            let right = self.binary(level + 1)?;
            // Long chains of these are one node, so that the tree stays flat.
            left = match left.node {
                Node::Call { function, mut args, .. } if level < 2 && function == name => {
                    args.push(right);
                    call(left.at, name, args)
                }
                node => call(
                    at,
                    name,
                    vec![
                        Ast {
                            at: left.at,
                            height: left.height,
                            node,
                        },
                        right,
                    ],
                ),
            };
            self.shallow(&left)?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Ast, Issue> {
        let at = self.at();
        for (op, name) in [("!", "!_"), ("-", "-_")] {
            if !self.is(op) {
                continue;
            }
            let mut count = 0;
            while self.eat(op) {
                count += 1;
            }
            // A minus that belongs to a number.
            if op == "-" && count == 1 {
                match self.peek() {
                    Token::Int(n) => {
                        let n = n.wrapping_neg();
                        self.next += 1;
                        return self.member(Ast::new(at, Node::Int(n)));
                    }
                    Token::Double(n) => {
                        let n = -n;
                        self.next += 1;
                        return self.member(Ast::new(at, Node::Double(n)));
                    }
                    _ => {}
                }
            }
            let operand = self.postfix()?;
            return Ok(if count % 2 == 1 {
                call(at, name, vec![operand])
            } else {
                operand
            });
        }
        self.postfix()
    }

    fn postfix(&mut self) -> Result<Ast, Issue> {
        let primary = self.primary()?;
        self.member(primary)
    }

    fn member(&mut self, mut operand: Ast) -> Result<Ast, Issue> {
        loop {
            self.shallow(&operand)?;
            let at = self.at();
            if self.eat(".") {
                let optional = self.eat("?");
                let field_at = self.at();
                let field = match self.advance() {
                    Token::Ident(name) => name,
                    _ => {
                        self.next -= 1;
                        return Err(issue(
                            field_at,
                            format!(
                                "no viable alternative at input '.{}'",
                                self.shown().replace("<EOF>", "")
                            ),
                        ));
                    }
                };
                let open = self.at();
                if !optional && self.eat("(") {
                    let args = self.args(")")?;
                    operand = method(open, operand, field, args)?;
                } else {
                    operand = Ast::new(
                        at,
                        Node::Select {
                            operand: Box::new(operand),
                            field,
                            optional,
                        },
                    );
                }
            } else if self.eat("[") {
                let index = self.expr()?;
                self.expect("]")?;
                operand = call(at, "_[_]", vec![operand, index]);
            } else if self.eat("[?") {
                let index = self.expr()?;
                self.expect("]")?;
                operand = call(at, "_[?_]", vec![operand, index]);
            } else if self.is("{")
                && let Some(name) = dotted(&operand)
            {
                self.next += 1;
                let fields = self.inits()?;
                operand = Ast::new(at, Node::Struct { name, fields });
            } else {
                return Ok(operand);
            }
        }
    }

    /// The fields of a struct, after its opening brace.
    fn inits(&mut self) -> Result<Vec<Init>, Issue> {
        let mut fields = Vec::new();
        while !self.eat("}") {
            let optional = self.eat("?");
            let field = match self.advance() {
                Token::Ident(name) => name,
                _ => {
                    self.next -= 1;
                    return Err(self.unexpected("{'}', ',', '?', IDENTIFIER, ESC_IDENTIFIER}"));
                }
            };
            let at = self.at();
            self.expect(":")?;
            let value = maybe(optional, self.expr()?);
            fields.push(Init { at, field, value });
            if !self.eat(",") {
                self.expect("}")?;
                break;
            }
        }
        Ok(fields)
    }

    fn args(&mut self, close: &str) -> Result<Vec<Ast>, Issue> {
        let mut args = Vec::new();
        if self.eat(close) {
            return Ok(args);
        }
        loop {
            let optional = close == "]" && self.eat("?");
            args.push(maybe(optional, self.expr()?));
            if self.eat(",") {
                if close == "]" && self.eat(close) {
                    return Ok(args);
                }
                continue;
            }
            self.expect(close)?;
            return Ok(args);
        }
    }

    fn primary(&mut self) -> Result<Ast, Issue> {
        let at = self.at();
        let leaf = |node: Node| Ok(Ast::new(at, node));
        match self.peek().clone() {
            Token::Int(n) => {
                self.next += 1;
                leaf(Node::Int(n))
            }
            Token::Uint(n) => {
                self.next += 1;
                leaf(Node::Uint(n))
            }
            Token::Double(n) => {
                self.next += 1;
                leaf(Node::Double(n))
            }
            Token::Str(s) => {
                self.next += 1;
                leaf(Node::Str(s.into()))
            }
            Token::Bytes(b) => {
                self.next += 1;
                leaf(Node::Bytes(b.into()))
            }
            Token::Ident(name) => {
                self.next += 1;
                match name.as_str() {
                    "true" => return leaf(Node::Bool(true)),
                    "false" => return leaf(Node::Bool(false)),
                    "null" => return leaf(Node::Null),
                    "in" => {
                        self.next -= 1;
                        return Err(self.unexpected(EXPECTED));
                    }
                    word if RESERVED.contains(&word) => {
                        return Err(Issue {
                            at,
                            message: format!("reserved identifier: {word}"),
                        });
                    }
                    _ => {}
                }
                let open = self.at();
                if self.eat("(") {
                    let args = self.args(")")?;
                    return global(open, name, args);
                }
                leaf(Node::Ident(name))
            }
            Token::Op("(") => {
                self.next += 1;
                let inner = self.expr()?;
                self.expect(")")?;
                Ok(inner)
            }
            // The lexer takes the mark of an optional first item for that of an optional index.
            Token::Op(open @ ("[" | "[?")) => {
                self.next += 1;
                let mut items = Vec::new();
                if open == "[?" {
                    items.push(maybe(true, self.expr()?));
                    if self.eat("]") {
                        return leaf(Node::List(items));
                    }
                    self.expect(",")?;
                }
                items.extend(self.args("]")?);
                leaf(Node::List(items))
            }
            Token::Op("{") => {
                self.next += 1;
                let mut entries = Vec::new();
                while !self.eat("}") {
                    let optional = self.eat("?");
                    let key = self.expr()?;
                    self.expect(":")?;
                    entries.push((key, maybe(optional, self.expr()?)));
                    if !self.eat(",") {
                        self.expect("}")?;
                        break;
                    }
                }
                leaf(Node::Map(entries))
            }
            Token::Op(".") => {
                self.next += 1;
                self.primary()
            }
            _ => Err(self.unexpected(EXPECTED)),
        }
    }
}

fn call(at: usize, function: &str, args: Vec<Ast>) -> Ast {
    Ast::new(
        at,
        Node::Call {
            function: function.to_owned(),
            target: None,
            args,
        },
    )
}

/// The value of an entry that is marked as optional.
fn maybe(optional: bool, value: Ast) -> Ast {
    if optional {
        Ast::new(value.at, Node::Maybe(Box::new(value)))
    } else {
        value
    }
}

/// The name that a path of plain names is: `Object.spec`.
fn dotted(ast: &Ast) -> Option<String> {
    match &ast.node {
        Node::Ident(name) => Some(name.clone()),
        Node::Select {
            operand,
            field,
            optional: false,
        } => Some(format!("{}.{field}", dotted(operand)?)),
        _ => None,
    }
}

/// A function's call, or the macro `has`.
fn global(at: usize, name: String, args: Vec<Ast>) -> Result<Ast, Issue> {
    if name == "has" && args.len() == 1 {
        return match args.into_iter().next() {
            Some(Ast {
                at,
                node: Node::Select { operand, field, .. },
                ..
            }) => Ok(Ast::new(at, Node::Has { operand, field })),
            other => Err(Issue {
                at: other.map_or(at, |o| o.at),
                message: "invalid argument to has() macro".into(),
            }),
        };
    }
    Ok(call(at, &name, args))
}

/// The name that an argument of the macro at `at` is, to be its variable.
fn simple_name(at: usize, argument: Option<Ast>) -> Result<String, Issue> {
    match argument {
        Some(Ast {
            node: Node::Ident(name),
            ..
        }) => Ok(name),
        other => Err(Issue {
            at: other.map_or(at, |o| o.at),
            message: "argument must be a simple name".into(),
        }),
    }
}

/// A method's call, or one of the macros over lists and maps.
fn method(at: usize, target: Ast, name: String, args: Vec<Ast>) -> Result<Ast, Issue> {
    let kind = match (name.as_str(), args.len()) {
        ("all", 2 | 3) => Some(Macro::All),
        ("exists", 2 | 3) => Some(Macro::Exists),
        ("exists_one" | "existsOne", 2 | 3) => Some(Macro::ExistsOne),
        ("map", 2 | 3) => Some(Macro::Map),
        ("filter", 2) => Some(Macro::Filter),
        ("transformList", 3 | 4) => Some(Macro::List),
        ("transformMap", 3 | 4) => Some(Macro::Values),
        ("transformMapEntry", 3 | 4) => Some(Macro::Entries),
        ("optMap", 2) => Some(Macro::Optional),
        ("optFlatMap", 2) => Some(Macro::FlatOptional),
        ("sortBy", 2) => Some(Macro::SortBy),
        _ => None,
    };
    let Some(kind) = kind else {
        return Ok(Ast::new(
            at,
            Node::Call {
                function: name,
                target: Some(Box::new(target)),
                args,
            },
        ));
    };
    let mut args = args.into_iter();
    let first = simple_name(at, args.next())?;
    let rest = args.len();
    let transforms = matches!(kind, Macro::List | Macro::Values | Macro::Entries);
    let two = transforms || (rest == 2 && kind != Macro::Map);
    let second = if two { Some(simple_name(at, args.next())?) } else { None };
    let filter = if (rest == 2 && kind == Macro::Map) || (transforms && rest == 3) {
        args.next().map(Box::new)
    } else {
        None
    };
    let Some(body) = args.next() else {
        return Err(issue(at, "macro without a body"));
    };
    Ok(Ast::new(
        at,
        Node::Macro {
            kind,
            range: Box::new(target),
            variable: first,
            second,
            filter,
            body: Box::new(body),
        },
    ))
}
