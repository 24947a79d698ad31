//! One run: the program is parsed, given jq's meaning, compiled, and run on each input.
//!
//! jaq's interpreter recurses and has no limits. It asks the data that a run is given for the table of terms before each
//! step ([`HasLut::lut`]), so that is where steps are counted and where the stack is looked at. When a run has to end it
//! gets another table, in which every term is one that halts: whatever it does next ends it, and nothing can catch it.

use std::cell::{Cell, OnceCell, RefCell};

use jaq_core::load::parse::{Def, Term};
use jaq_core::load::{self, Arena, File, Loader};
use jaq_core::native::v;
use jaq_core::{Compiler, Ctx, DataT, Exn, Lut, Native, Vars};

use crate::budget;
use crate::message::{Argument, Chunk, Input, Options, Request, Response, USAGE};
use crate::natives;
use crate::program::{END, Wrong, located, parse, place, syntax, too_deep};
use crate::read::{self, Reader};
use crate::rewrite::Rewriter;
use crate::value::{Entries, Val};
use crate::write::{self, Style, Text};

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
    stop: &'a Stop,
    pub host: &'a Host,
}

/// Terms and functions that all halt, as many as a program has. Few programs need them.
struct Stop {
    /// Bytes of the program.
    length: usize,
    terms: OnceCell<Lut<Kind>>,
}

impl<'a> jaq_core::data::HasLut<'a, Kind> for Data<'a> {
    fn lut(&self) -> &'a Lut<Kind> {
        if budget::step() {
            self.terms
        } else {
            self.stop.terms.get_or_init(|| stop(self.stop.length))
        }
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

impl Host {
    /// Takes from a request what lies outside of its program.
    fn new(request: &mut Request) -> Host {
        let options = std::mem::take(&mut request.options);
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
            inputs: std::mem::take(&mut request.inputs),
            at: RefCell::default(),
            chunks: RefCell::default(),
            room: Cell::new(request.limits.output),
            failed: Cell::new(false),
        }
    }

    /// Counts what is printed; whether there is room for it. What a run was writing when it had to end is not whole.
    fn fits(&self, bytes: usize) -> bool {
        if budget::trouble().is_some() {
            return false;
        }
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
        let mut text = self.text();
        text.value(&Val::arr(vec![Val::from("DEBUG:"), value.clone()]), &style);
        text.push("\n");
        self.complain(&text.into_cut());
    }

    /// A text that is to be printed. What is cut off there does not fit.
    fn text(&self) -> Text {
        Text::within(usize::try_from(self.room.get()).unwrap_or(usize::MAX).saturating_add(1))
    }

    /// A value as JSON, to be printed.
    pub fn json(&self, value: &Val) -> String {
        let mut text = self.text();
        text.value(value, &Style::default());
        text.into_cut()
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
            if read > counted {
                let rest = text.get(read - 1..).unwrap_or_default();
                let ends = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len()) + read;
                let new = text.get(counted..ends.min(text.len())).unwrap_or_default();
                lines += new.iter().filter(|b| **b == b'\n').count();
                counted = ends;
            }
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
        let mut text = self.text();
        match value {
            Val::Str(s) if options.raw && options.ascii => text.string(s, true),
            Val::Str(s) if options.raw => text.push(s),
            value => {
                if options.sequence {
                    text.push("\u{1e}");
                }
                text.value(value, &self.style);
            }
        }
        if !options.joined {
            text.push("\n");
        }
        if options.zero {
            text.push("\0");
        }
        self.print(text.into_cut().as_bytes());
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

/// Runs jq.
pub fn run(request: Request) -> Response {
    let mut request = request;
    budget::begin(&request.limits);
    let host = Host::new(&mut request);
    let code = perform(&request, &host);
    let chunks = host.chunks.take();
    Response { chunks, code }
}

/// Runs jq on bytes, for whoever has it as a module.
pub fn run_message(request: &[u8], stack: usize) -> Vec<u8> {
    let response = match Request::from_bytes(request) {
        Some(mut request) => {
            request.limits.stack = stack;
            run(request)
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

/// Runs jq on a stack of its own, which is large, and waits for it. `None` when it broke off.
#[cfg(not(target_arch = "wasm32"))]
pub fn run_apart(request: Request) -> Option<Response> {
    let mut request = request;
    request.limits.stack = STACK / 4;
    let begun = std::thread::Builder::new()
        .stack_size(STACK)
        .spawn(move || run(request));
    begun.ok()?.join().ok()
}

fn perform(request: &Request, host: &Host) -> i32 {
    if request.help {
        host.print(HELP.as_bytes());
        return 0;
    }
    if request.usage {
        let (introduction, _) = HELP.split_once("Command options:\n").unwrap_or((HELP, ""));
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
    if too_deep(&request.program) {
        host.say("jq: error: the program is nested more deeply than the simulation takes\n");
        return 3;
    }
    let arena = Arena::default();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let filter = match compile(&arena, &request.program, &names) {
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
    let stop = Stop {
        length: request.program.len(),
        terms: OnceCell::new(),
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
            if let Some(ended) = ended(host) {
                return ended;
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
                Some(Err(exception)) => {
                    let outcome = failed(exception, host);
                    return ended(host).unwrap_or(outcome);
                }
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

/// What a run that had to end comes to, if it had to.
fn ended(host: &Host) -> Option<Outcome> {
    let sentence = budget::trouble()?.sentence();
    host.say(&format!("jq: error (at {}): {sentence}\n", host.position()));
    Some(Outcome::Halted(5))
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
        value => host.complain(&format!("jq: error (at {at}) (not a string): {}\n", host.json(&value))),
    }
    Outcome::Failed
}

/// jq's words for an error of the interpreter's own.
fn in_words(text: &str) -> String {
    match text.strip_prefix("invalid path expression with input ") {
        Some(value) => format!("Invalid path expression with result {value}"),
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

/// The name under which a program stands among the definitions.
const MAIN: &str = "_main";

fn compile<'s>(arena: &'s Arena, program: &'s str, names: &[&'s str]) -> Result<jaq_core::Filter<Kind>, Wrong> {
    let (main, own) = parse(program)?;
    let main = Def {
        name: MAIN,
        args: Vec::new(),
        body: Rewriter { program, arena, own }.term(main),
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
    let builtin = Rewriter {
        program: "",
        arena,
        own: Vec::new(),
    };
    let prelude = core_and_ours.map(|def| builtin.def(def)).chain([main]);
    let file = |code| File { code, path: () };
    let modules = Loader::new(prelude)
        .load(arena, file(MAIN))
        .map_err(|_| vec![syntax(program, "", END, "")])?;
    Compiler::default()
        .with_funs(natives)
        .with_global_vars(names.iter().copied())
        .compile(modules)
        .map_err(|errors| undefined(program, errors.into_iter().flat_map(|(_, errors)| errors)))
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

/// A table of terms all of which halt, with at least as many terms and functions as a program of so many bytes has.
fn stop(length: usize) -> Lut<Kind> {
    let halt = || Native::<Kind>::new(|_| jaq_core::box_iter::box_once(Err(Exn::halt(5))));
    let count = natives::all().count();
    let funs = (0..count).map(|at| (if at == 0 { "stop" } else { "" }, v(0), halt()));
    // A byte of a program makes less than two terms; the definitions make some 2,000.
    let terms = 8_000 + 3 * length;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use jaq_core::data::HasLut;

    /// The table of terms that halt is made for runs that have to end, and for no others.
    #[test]
    fn few_runs_need_terms_that_halt() {
        let mut request = Request::default();
        request.limits.stack = usize::MAX;
        request.limits.steps = 2;
        request.limits.nesting = 1;
        budget::begin(&request.limits);
        let host = Host::new(&mut request);
        let arena = Arena::default();
        let terms = compile(&arena, ".", &[]).unwrap_or_default().lut;
        let stop = Stop {
            length: 1,
            terms: OnceCell::new(),
        };
        let data = Data {
            terms: &terms,
            stop: &stop,
            host: &host,
        };
        for _ in 0..2 {
            assert!(std::ptr::eq(data.lut(), &terms));
            assert!(stop.terms.get().is_none());
        }
        assert!(!std::ptr::eq(data.lut(), &terms));
        assert!(stop.terms.get().is_some());
        budget::begin(&Limits::default());
    }

    /// A whole number that a machine of 32 bits has not is none of the machine's.
    #[test]
    fn whole_numbers_are_the_same_everywhere() {
        let arena = Arena::default();
        let rewriter = |program| Rewriter {
            program,
            arena: &arena,
            own: Vec::new(),
        };
        for (program, expected) in [
            ("999999999", "999999999"),
            ("2147483648", "2147483648e0"),
            ("0000000001", "0000000001e0"),
            ("12345678901.5", "12345678901.5"),
            ("1e10", "1e10"),
        ] {
            let parsed = parse(program).map(|(term, _)| rewriter(program).term(term));
            assert!(
                matches!(parsed, Ok(Term::Num(number)) if number == expected),
                "{program}"
            );
        }
    }
}
