//! One run: the program is parsed, given jq's meaning, compiled, and run on each input.
//!
//! jaq's interpreter recurses and has no limits. It asks the data that a run is given for the table of terms before each
//! step ([`HasLut::lut`]), so that is where steps are counted and where the stack is looked at. When a run has to end it
//! gets another table, in which every term is one that halts: whatever it does next ends it, and nothing can catch it.

use std::cell::{Cell, RefCell};

use jaq_core::load::lex::Lexer;
use jaq_core::load::parse::{Def, Parser, Term};
use jaq_core::load::{self, Arena, File, Loader};
use jaq_core::native::v;
use jaq_core::{Compiler, Ctx, DataT, Exn, Lut, Native, Vars};

use crate::budget;
use crate::message::{Argument, Chunk, Input, Options, Request, Response};
use crate::natives;
use crate::read::{self, Reader};
use crate::rewrite::Rewriter;
use crate::value::{Entries, Val};
use crate::write::{self, Style};

/// What the interpreter works on.
pub struct Kind;

impl DataT for Kind {
    type V<'a> = Val;
    type Data<'a> = Data<'a>;
}

/// What a run has at hand.
#[derive(Clone, Copy)]
pub struct Data<'a> {
    terms: &'a Lut<Kind>,
    /// As many terms and functions, all of which halt.
    stop: &'a Lut<Kind>,
    pub host: &'a Host,
}

impl<'a> jaq_core::data::HasLut<'a, Kind> for Data<'a> {
    fn lut(&self) -> &'a Lut<Kind> {
        if budget::step() { self.terms } else { self.stop }
    }
}

/// What lies outside of the program: inputs, outputs, time.
pub struct Host {
    pub now: f64,
    pub env: Val,
    options: Options,
    style: Style,
    inputs: Vec<Input>,
    at: RefCell<Place>,
    chunks: RefCell<Vec<Chunk>>,
    room: Cell<u64>,
    /// An input could not be read.
    failed: Cell<bool>,
}

/// Where the reading of inputs stands.
#[derive(Default)]
struct Place {
    /// The input that is read, after the first was begun.
    input: Option<usize>,
    /// The values of it that were read and not asked for yet, the next one last, with the line that each ends on.
    waiting: Vec<(Result<Val, String>, usize)>,
    line: usize,
    slurped: bool,
    broken: bool,
}

/// What `jq --help` prints.
const HELP: &str = include_str!("help.txt");

/// Where a program's first arguments' errors send their reader.
const USAGE: &str = "Use jq --help for help with command-line options,\n\
                     or see the jq manpage, or online docs  at https://jqlang.github.io/jq\n";

impl Host {
    fn new(request: &Request) -> Host {
        let options = request.options.clone();
        let style = Style {
            indent: options.indent.clone(),
            sorted: options.sorted,
            ascii: options.ascii,
            colours: options.colours.as_ref().and_then(|spec| write::colours(spec)),
        };
        let environment = request.environment.iter();
        let environment = environment.map(|(name, value)| (name.as_str().into(), Val::from(value.as_str())));
        Host {
            now: request.now as f64 / 1e6,
            env: Val::obj(environment.collect()),
            options,
            style,
            inputs: request.inputs.clone(),
            at: RefCell::default(),
            chunks: RefCell::default(),
            room: Cell::new(request.limits.output),
            failed: Cell::new(false),
        }
    }

    /// Counts what is printed; whether there is room for it.
    fn fits(&self, bytes: usize) -> bool {
        match self.room.get().checked_sub(bytes as u64) {
            Some(left) => {
                self.room.set(left);
                true
            }
            None => {
                budget::fail(budget::Trouble::Output);
                false
            }
        }
    }

    fn print(&self, text: &[u8]) {
        if !self.fits(text.len()) {
            return;
        }
        let mut chunks = self.chunks.borrow_mut();
        match chunks.last_mut() {
            Some(Chunk::Out(before)) => before.extend(text),
            _ => chunks.push(Chunk::Out(text.to_vec())),
        }
    }

    /// Says something on standard error.
    pub fn complain(&self, text: &str) {
        if !self.fits(text.len()) {
            return;
        }
        self.say(text);
    }

    fn say(&self, text: &str) {
        let mut chunks = self.chunks.borrow_mut();
        match chunks.last_mut() {
            Some(Chunk::Err(before)) => before.extend(text.as_bytes()),
            _ => chunks.push(Chunk::Err(text.as_bytes().to_vec())),
        }
    }

    pub fn debug(&self, value: &Val) {
        let style = Style {
            indent: None,
            ..self.style.clone()
        };
        let mut text = String::new();
        write::write(
            &mut text,
            &Val::arr(vec![Val::from("DEBUG:"), value.clone()]),
            &style,
            0,
        );
        text.push('\n');
        self.complain(&text);
    }

    /// Reads all values of an input.
    fn read(&self, text: &[u8]) -> Vec<(Result<Val, String>, usize)> {
        let mut values = Vec::new();
        if self.options.raw_input {
            let text = String::from_utf8_lossy(text);
            if self.options.slurp {
                return vec![(Ok(Val::from(&*text)), text.matches('\n').count())];
            }
            for (line, content) in text.split_inclusive('\n').enumerate() {
                let ended = content.ends_with('\n');
                values.push((Ok(Val::from(content.trim_end_matches('\n'))), line + usize::from(ended)));
            }
            return values;
        }
        let mut reader = Reader::new(text, self.options.sequence);
        let (mut counted, mut lines) = (0, 0);
        while let Some(value) = reader.next_value() {
            // A line is read as a whole, so that its end counts for all that stands on it.
            let read = reader.read();
            let rest = text.get(read..).unwrap_or_default();
            let ends = match text.get(read.wrapping_sub(1)) {
                Some(b'\n') => read,
                _ => read + rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |at| at + 1),
            };
            let new = text.get(counted..ends).unwrap_or_default();
            lines += new.iter().filter(|b| **b == b'\n').count();
            counted = counted.max(ends);
            match value {
                Ok(value) if self.options.stream => {
                    let mut events = Vec::new();
                    stream(&value, &mut Vec::new(), &mut events);
                    values.extend(events.into_iter().map(|event| (Ok(event), lines)));
                }
                value => values.push((value, lines)),
            }
        }
        values
    }

    /// The next value of the inputs as they stand.
    fn next_read(&self) -> Option<Result<Val, String>> {
        loop {
            let mut place = self.at.borrow_mut();
            if place.broken {
                return None;
            }
            if let Some((value, line)) = place.waiting.pop() {
                place.line = line;
                place.broken = value.is_err() && !self.options.sequence;
                return Some(value);
            }
            let next = place.input.map_or(0, |at| at + 1);
            let input = self.inputs.get(next)?;
            place.input = Some(next);
            match &input.text {
                Ok(text) => {
                    place.line = 0;
                    place.waiting = self.read(text);
                    place.waiting.reverse();
                    if place.waiting.is_empty() {
                        place.line = text.iter().filter(|b| **b == b'\n').count();
                    }
                }
                Err(why) => {
                    self.failed.set(true);
                    self.say(&format!("jq: error: Could not open file {}: {why}\n", input.name));
                }
            }
        }
    }

    /// The next input of the program.
    pub fn next_input(&self) -> Option<Result<Val, String>> {
        if !self.options.slurp {
            return self.next_read();
        }
        if std::mem::replace(&mut self.at.borrow_mut().slurped, true) {
            return None;
        }
        let mut all = Vec::new();
        while let Some(value) = self.next_read() {
            match value {
                Ok(value) => all.push(value),
                Err(why) => return Some(Err(why)),
            }
        }
        if self.options.raw_input {
            let text: String = all.iter().filter_map(Val::as_str).map(|s| &**s).collect();
            return Some(Ok(Val::from(text)));
        }
        Some(Ok(Val::arr(all)))
    }

    pub fn input_name(&self) -> Val {
        let place = self.at.borrow();
        let input = place.input.and_then(|at| self.inputs.get(at));
        match input {
            Some(input) if !input.name.is_empty() => Val::from(input.name.as_str()),
            _ => Val::Null,
        }
    }

    pub fn input_line(&self) -> usize {
        self.at.borrow().line
    }

    /// Where the inputs stand, as errors say it.
    fn position(&self) -> String {
        let place = self.at.borrow();
        match place.input.and_then(|at| self.inputs.get(at)) {
            None => "<unknown>".to_owned(),
            Some(input) if input.name.is_empty() => format!("<stdin>:{}", place.line),
            Some(input) => format!("{}:{}", input.name, place.line),
        }
    }

    /// Prints one output.
    fn output(&self, value: &Val) {
        let options = &self.options;
        let mut text = String::new();
        match value {
            Val::Str(s) if options.raw && options.ascii => write::string(&mut text, s, true),
            Val::Str(s) if options.raw => text.push_str(s),
            value => {
                if options.sequence {
                    text.push('\u{1e}');
                }
                write::write(&mut text, value, &self.style, 0);
            }
        }
        if !options.joined {
            text.push('\n');
        }
        if options.zero {
            text.push('\0');
        }
        self.print(text.as_bytes());
    }
}

/// A value as `--stream` gives it: each leaf with its path, and each end of an array or object.
fn stream(value: &Val, path: &mut Vec<Val>, events: &mut Vec<Val>) {
    let here = |path: &[Val]| Val::arr(path.to_vec());
    let children: Vec<(Val, &Val)> = match value {
        Val::Arr(a) => a.items.iter().enumerate().map(|(at, v)| (Val::from(at), v)).collect(),
        Val::Obj(o) => o.items.iter().map(|(key, v)| (Val::Str(key.clone()), v)).collect(),
        _ => Vec::new(),
    };
    if children.is_empty() {
        events.push(Val::arr(vec![here(path), value.clone()]));
    }
    let count = children.len();
    for (at, (key, child)) in children.into_iter().enumerate() {
        path.push(key);
        stream(child, path, events);
        if at + 1 == count {
            events.push(Val::arr(vec![here(path)]));
        }
        path.pop();
    }
}

/// What a program came to on one input.
enum Outcome {
    Nothing,
    /// The last output was null or false.
    Empty,
    Good,
    Failed,
    Halted(i32),
}

/// The message of a program that cannot be compiled: what is wrong, and where it begins.
type Wrong = Vec<(String, usize)>;

/// Runs jq.
pub fn run(request: &Request) -> Response {
    budget::begin(&request.limits);
    let host = Host::new(request);
    let code = perform(request, &host);
    let chunks = host.chunks.take();
    Response { chunks, code }
}

/// Runs jq on bytes, for whoever has it as a module.
pub fn run_message(request: &[u8], stack: usize) -> Vec<u8> {
    let response = match Request::from_bytes(request) {
        Some(mut request) => {
            request.limits.stack = stack;
            run(&request)
        }
        None => Response {
            chunks: vec![Chunk::Err(b"jq: error: the request cannot be read\n".to_vec())],
            code: 2,
        },
    };
    response.to_bytes()
}

/// Bytes of a native run's stack, of which a quarter is for the program: the rest is for dropping what is chained, which
/// nobody counts.
#[cfg(not(target_arch = "wasm32"))]
const STACK: usize = 256 * 1024 * 1024;

/// Runs jq on a stack of its own, which is large, and waits for it.
#[cfg(not(target_arch = "wasm32"))]
pub fn run_apart(request: &Request) -> Result<Response, String> {
    let mut request = request.clone();
    request.limits.stack = STACK / 4;
    let begun = std::thread::Builder::new()
        .stack_size(STACK)
        .spawn(move || run(&request));
    let ended = begun.map_err(|why| why.to_string())?.join();
    ended.map_err(|_| "the interpreter broke off".to_owned())
}

fn perform(request: &Request, host: &Host) -> i32 {
    let (introduction, options) = HELP.split_once("Command options:\n").unwrap_or((HELP, ""));
    if request.help {
        host.print(format!("{introduction}Command options:\n{options}").as_bytes());
        return 0;
    }
    if request.usage {
        host.say(&format!(
            "{introduction}For listing the command options, use jq --help.\n"
        ));
        return 2;
    }
    let (names, values) = match arguments(request, host) {
        Ok(arguments) => arguments,
        Err(sentence) => {
            host.say(&sentence);
            return 2;
        }
    };
    let arena = Arena::default();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (filter, stop) = match compile(&arena, &request.program, &names) {
        Ok(compiled) => compiled,
        Err(wrong) => {
            let count = wrong.len();
            for (sentence, at) in wrong {
                if sentence.is_empty() {
                    host.say("jq: error: Top-level program not given (try \".\")\n");
                } else {
                    host.say(&located(&request.program, &sentence, at));
                }
            }
            let plural = if count == 1 { "" } else { "s" };
            host.say(&format!("jq: {count} compile error{plural}\n"));
            return 3;
        }
    };
    let data = Data {
        terms: &filter.lut,
        stop: &stop,
        host,
    };
    let process = |input: Val| {
        let mut outcome = Outcome::Nothing;
        let context = Ctx::<Kind>::new(data, Vars::new(values.iter().cloned()));
        let mut outputs = filter.id.run((context, input));
        loop {
            let output = outputs.next();
            if let Some(trouble) = budget::trouble() {
                host.say(&format!("jq: error (at {}): {}\n", host.position(), trouble.sentence()));
                return Outcome::Halted(5);
            }
            match output {
                None => return outcome,
                Some(Ok(value)) => {
                    host.output(&value);
                    outcome = match value {
                        Val::Str(_) if host.options.raw => Outcome::Good,
                        Val::Null | Val::Bool(false) => Outcome::Empty,
                        _ => Outcome::Good,
                    };
                }
                Some(Err(exception)) => return failed(exception, host),
            }
        }
    };
    let mut outcome = Outcome::Nothing;
    let mut last = None;
    if host.options.null_input {
        outcome = process(Val::Null);
    } else {
        while let Some(input) = host.next_input() {
            match input {
                Ok(input) => {
                    outcome = process(input);
                    match outcome {
                        Outcome::Good => last = Some(true),
                        Outcome::Empty => last = Some(false),
                        Outcome::Halted(_) => break,
                        _ => {}
                    }
                }
                Err(why) if host.options.sequence => host.say(&format!("jq: ignoring parse error: {why}\n")),
                Err(why) => {
                    host.say(&format!("jq: parse error: {why}\n"));
                    outcome = Outcome::Failed;
                    break;
                }
            }
        }
    }
    if host.failed.get() {
        return 2;
    }
    let wanted = host.options.exit_status;
    match outcome {
        Outcome::Halted(code) => code.rem_euclid(256),
        Outcome::Failed => 5,
        Outcome::Empty if wanted => 1,
        Outcome::Nothing if wanted => match last {
            None => 4,
            Some(false) => 1,
            Some(true) => 0,
        },
        _ => 0,
    }
}

/// What an exception ends a program with.
fn failed(exception: Exn<'_, Val>, host: &Host) -> Outcome {
    let error = match exception.get_err() {
        Ok(error) => error,
        Err(other) => return other.get_halt().map_or(Outcome::Failed, Outcome::Halted),
    };
    let at = host.position();
    match error.into_val() {
        Val::Str(text) => host.complain(&format!("jq: error (at {at}): {}\n", in_words(&text))),
        value => host.complain(&format!("jq: error (at {at}) (not a string): {}\n", value.json())),
    }
    Outcome::Failed
}

/// jq's words for an error of the interpreter's own.
fn in_words(text: &str) -> String {
    match text.strip_prefix("invalid path expression with input ") {
        Some(value) => {
            let value = read::one(value).map_or_else(|_| value.to_owned(), |v| v.short(30));
            format!("Invalid path expression with result {value}")
        }
        None => text.to_owned(),
    }
}

/// The variables that the command line gives, with `$ARGS` and `$ENV`.
fn arguments(request: &Request, host: &Host) -> Result<(Vec<String>, Vec<Val>), String> {
    let value = |name: &str, argument: &Argument| match argument {
        Argument::Text(text) => Ok(Val::from(text.as_str())),
        Argument::Json(text, option) => {
            read::one(text).map_err(|_| format!("jq: invalid JSON text passed to --{option}\n{USAGE}"))
        }
        Argument::Slurped(file, text) => {
            let values = read::all(text).map(Val::arr);
            values.map_err(|why| format!("jq: Bad JSON in --slurpfile {name} {file}: {why}\n"))
        }
    };
    let mut named = Entries::default();
    for (name, argument) in &request.named {
        if !named.contains_key(name.as_str()) {
            named.insert(name.as_str().into(), value(name, argument)?);
        }
    }
    let positional: Result<Vec<Val>, String> = request.positional.iter().map(|a| value("", a)).collect();
    let mut names: Vec<String> = named.keys().map(|name| format!("${name}")).collect();
    let mut values: Vec<Val> = named.values().cloned().collect();
    let all = Val::fields([("positional", Val::arr(positional?)), ("named", Val::obj(named))]);
    names.extend(["$ARGS".to_owned(), "$ENV".to_owned()]);
    values.extend([all, host.env.clone()]);
    Ok((names, values))
}

/// Where a part of the program begins.
fn place(program: &str, part: &str) -> usize {
    let at = part.as_ptr().addr().wrapping_sub(program.as_ptr().addr());
    if at <= program.len() { at } else { 0 }
}

/// An error of a program with the line that it is on, and as many blanks as stand before it.
fn located(program: &str, sentence: &str, at: usize) -> String {
    let before = program.get(..at).unwrap_or(program);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let text = program.get(start..).unwrap_or_default();
    let text = text.split('\n').next().unwrap_or_default();
    let pad = " ".repeat(before.len() - start);
    format!("jq: error: {sentence} at <top-level>, line {line}:\n{text}{pad}\n")
}

/// What jq's grammar calls a piece of a program.
fn piece(text: &str) -> String {
    const KEYWORDS: [&str; 22] = [
        "as", "import", "include", "module", "def", "if", "then", "else", "elif", "reduce", "foreach", "end", "and",
        "or", "try", "catch", "label", "break", "__loc__", "not", "//", "?//",
    ];
    let word: String = text
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
        .collect();
    let mut chars = text.chars();
    match chars.next() {
        None => "end of file".to_owned(),
        Some('"') => "QQSTRING_START".to_owned(),
        Some('@') => "FORMAT".to_owned(),
        Some('.') if chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_') => "FIELD".to_owned(),
        Some('0'..='9') => "LITERAL".to_owned(),
        Some(_) if word == "not" => "IDENT".to_owned(),
        Some(_) if KEYWORDS.contains(&word.as_str()) => word,
        Some(_) if !word.is_empty() => "IDENT".to_owned(),
        Some(c) => {
            let pair: String = text.chars().take(2).collect();
            match pair.as_str() {
                "==" | "!=" | "//" | "|=" | "+=" | "-=" | "*=" | "/=" | "%=" | "<=" | ">=" | ".." => pair,
                _ if "|,.[{(:;$?+-*/%=<>".contains(c) => format!("'{c}'"),
                _ => "INVALID_CHARACTER".to_owned(),
            }
        }
    }
}

/// Where the last piece of a program begins.
fn last_piece(program: &str) -> usize {
    let trimmed = program.trim_end();
    let word = trimmed.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
    if word.len() == trimmed.len() {
        return trimmed.char_indices().next_back().map_or(0, |(at, _)| at);
    }
    let marked = word.strip_suffix(['.', '$', '@']).unwrap_or(word);
    marked.len()
}

/// The error of a program that does not fit the grammar. jq says what it expected where that is little.
fn syntax(program: &str, found: &str, expected: &str) -> (String, usize) {
    let at = if found.is_empty() {
        last_piece(program)
    } else {
        place(program, found)
    };
    let expected = match expected {
        "" => String::new(),
        expected => format!(", expecting {expected}"),
    };
    let shell = "(Unix shell quoting issues?)";
    (
        format!("syntax error, unexpected {}{expected} {shell}", piece(found)),
        at,
    )
}

fn parse(program: &str) -> Result<Term<&str>, Wrong> {
    use jaq_core::load::lex::Expect as Character;
    use jaq_core::load::parse::Expect;
    const END: &str = "end of file";
    let tokens = Lexer::new(program).lex().map_err(|errors| {
        // The innermost comes first, and what is around it ends too early as well.
        let mut wrong = Vec::new();
        if let Some((expected, found)) = errors.first() {
            let words = match expected {
                Character::Delim("{") => "'}'",
                Character::Delim("\"") => "QQSTRING_TEXT or QQSTRING_INTERP_START or QQSTRING_END",
                Character::Delim("(") if called(program) => "';' or ')'",
                Character::Token => END,
                _ => "",
            };
            wrong.push(syntax(program, found, words));
        }
        wrong
    })?;
    if tokens.is_empty() {
        return Err(vec![NO_PROGRAM]);
    }
    let alone = Parser::new(&tokens).parse(|p| p.defs());
    if alone.is_ok_and(|defs| !defs.is_empty()) {
        return Err(vec![NO_PROGRAM]);
    }
    Parser::new(&tokens).parse(|p| p.term()).map_err(|errors| {
        let Some((expected, token)) = errors.into_iter().next() else {
            return vec![syntax(program, "", "")];
        };
        let found = token.map_or("", |t| t.as_str());
        let words = match expected {
            Expect::Nothing => END,
            Expect::Term
                if !found.is_empty()
                    && program
                        .get(..place(program, found))
                        .is_some_and(|b| b.trim().is_empty()) =>
            {
                END
            }
            Expect::Pattern => "BINDING or '[' or '{'",
            Expect::Just("|") => "'|'",
            Expect::CommaOrRBrace => "'}'",
            Expect::Key if found.is_empty() => "FORMAT or QQSTRING_START or '['",
            _ => "",
        };
        let mut wrong = vec![syntax(program, found, words)];
        let unfinished = matches!(expected, Expect::ElseOrEnd | Expect::Just("then" | "end")) && found.is_empty();
        if let Some(at) = program.find("if").filter(|_| unfinished) {
            wrong.push(("Possibly unterminated 'if' statement".to_owned(), at));
        }
        wrong
    })
}

/// Whether the last parenthesis that is open stands behind a name.
fn called(program: &str) -> bool {
    let mut open = Vec::new();
    for (at, c) in program.char_indices() {
        match c {
            '(' => open.push(at),
            ')' => drop(open.pop()),
            _ => {}
        }
    }
    let before = open.last().and_then(|at| program.get(..*at));
    before.is_some_and(|text| text.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
}

/// The error of a program that is empty, which names no place.
const NO_PROGRAM: (String, usize) = (String::new(), 0);

/// The name under which a program stands among the definitions.
const MAIN: &str = "_main";

type Compiled = (jaq_core::Filter<Kind>, Lut<Kind>);

fn compile<'s>(arena: &'s Arena, program: &'s str, names: &[&'s str]) -> Result<Compiled, Wrong> {
    let main = parse(program)?;
    let main = Def {
        name: MAIN,
        args: Vec::new(),
        body: Rewriter { program, arena }.term(main),
    };
    let ours = load::parse(include_str!("defs.jq"), |p| p.defs()).unwrap_or_default();
    // Of jaq's own definitions those that ours do not replace; they may not call what has another name here.
    let natives: Vec<_> = natives::all().collect();
    let replaced = |core: &Def<&str>| {
        let is = |name: &str, arity: usize| name == core.name && arity == core.args.len();
        ours.iter().any(|d| is(d.name, d.args.len())) || natives.iter().any(|(name, args, _)| is(name, args.len()))
    };
    let core: Vec<_> = jaq_core::defs().filter(|def| !replaced(def)).collect();
    let core_and_ours = core.into_iter().chain(ours.iter().cloned());
    let builtin = Rewriter { program: "", arena };
    let prelude = core_and_ours.map(|def| builtin.def(def)).chain([main]);
    let file = |code| File { code, path: () };
    let modules = Loader::new(prelude)
        .load(arena, file(MAIN))
        .map_err(|_| vec![syntax(program, "", "")])?;
    let filter = Compiler::default()
        .with_funs(natives)
        .with_global_vars(names.iter().copied())
        .compile(modules)
        .map_err(|errors| undefined(program, errors.into_iter().flat_map(|(_, errors)| errors)))?;
    Ok((filter, stop(program)))
}

fn undefined<'s>(program: &str, errors: impl Iterator<Item = jaq_core::compile::Error<&'s str>>) -> Wrong {
    use jaq_core::compile::Undefined;
    let errors = errors.map(|(name, what)| {
        let sentence = match what {
            Undefined::Filter(arity) => format!("{name}/{arity} is not defined"),
            Undefined::Label => format!("$*label-{} is not defined", name.trim_start_matches('$')),
            _ => format!("{name} is not defined"),
        };
        let at = place(program, name);
        let at = match what {
            Undefined::Label => program.get(..at).and_then(|before| before.rfind("break")).unwrap_or(at),
            _ => at,
        };
        (sentence, at)
    });
    errors.collect()
}

/// A table of terms all of which halt, with at least as many terms and functions as the program's.
fn stop(program: &str) -> Lut<Kind> {
    let halt = || Native::<Kind>::new(|_| jaq_core::box_iter::box_once(Err(Exn::halt(5))));
    let count = natives::all().count();
    let funs = (0..count).map(|at| (if at == 0 { "stop" } else { "" }, v(0), halt()));
    // A byte of a program makes less than two terms; the definitions make some 2,000.
    let terms = 8_000 + 3 * program.len();
    let defs = (0..terms).map(|_| Def {
        name: "stopped",
        args: Vec::new(),
        body: Term::Call("stop", Vec::new()),
    });
    let arena = Arena::default();
    let file = File { code: "stop", path: () };
    let modules = Loader::new(defs).load(&arena, file).ok();
    let filter = modules.and_then(|modules| Compiler::default().with_funs(funs).compile(modules).ok());
    filter.unwrap_or_default().lut
}
