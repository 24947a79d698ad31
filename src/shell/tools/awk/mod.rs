//! `awk`: patterns, actions, arrays, functions, files and commands.
//!
//! Expressions are computed without waiting. One that needs another process (`system()`, `getline` of
//! a file or a command, `close()` of a pipe) stops its rule with [`Flow::Ask`]; the caller gets the
//! answer, takes the machine back to where the rule began and runs the rule again with the answers so
//! far. What the rule has already written is not written again.

mod eval;
mod functions;
mod lexer;
mod output;
mod parser;
mod syntax;
mod value;

use std::collections::VecDeque;
use std::rc::Rc;

use self::eval::split_records;
use self::lexer::{lex, unescape};
use self::parser::Parser;
use self::syntax::{CompiledRegex, Function, Pattern, Rule};
use self::value::Value;
use super::super::host::Context;
use super::super::io::{Input, Output};
use super::super::words;
use super::options;
use crate::flat::FlatMap;
use crate::limits;

enum Flow {
    Next,
    Exit(i32),
    Break,
    Continue,
    Return(Value),
    Error(String),
    /// The rule cannot go on before this is answered.
    Ask(Question),
}

/// What an expression asks of the world outside.
enum Question {
    /// Run this, with this text as its input if there is one: the exit code.
    Run(String, Option<String>),
    /// What this command prints.
    Output(String),
    /// A file's text.
    File(String),
}

type Done<T> = Result<T, Flow>;

/// The names of a function's parameters for this call: of the variable, and of the array.
type Frame = FlatMap<String, (String, String)>;

#[derive(Clone)]
struct Machine<'a> {
    c: &'a Context,
    vars: FlatMap<String, Value>,
    arrays: FlatMap<String, FlatMap<String, Value>>,
    /// `$1`, …; rebuilt lazily from the record.
    fields: Vec<String>,
    record: String,
    outputs: FlatMap<String, Output>,
    steps: usize,
    regexes: FlatMap<String, Rc<CompiledRegex>>,
    /// Records that came in but were not asked for yet (`getline`).
    ahead: VecDeque<String>,
    functions: Rc<FlatMap<String, Function>>,
    frame: Frame,
    calls: usize,
    /// Files and commands that `getline` reads.
    readers: FlatMap<String, VecDeque<String>>,
    /// What was printed for commands that run when they are closed.
    pipes: FlatMap<String, String>,
    /// Which ranges of patterns are open, by rule.
    open: Vec<bool>,
    /// The answers so far in this rule, and how many of them this run of it has used.
    answers: Vec<Option<String>>,
    used: usize,
    /// Writes of this run of the rule, and of all its runs.
    wrote: usize,
    written: usize,
}

pub(super) async fn awk(c: Context) -> i32 {
    let o = match options::parse_until(
        &c,
        "F:v:f:",
        &[("field-separator", 'F'), ("assign", 'v'), ("file", 'f')],
        true,
    ) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let mut rest = o.rest.clone();
    let mut source = String::new();
    for path in o.values('f') {
        match c.read_file(&path).await {
            Ok(text) => source.push_str(&text),
            Err(error) => {
                c.error(format!("cannot open {path} ({error})"));
                return 2;
            }
        }
    }
    if !o.has('f') {
        if rest.is_empty() {
            c.stderr
                .line("usage: awk [-F fs][-v var=value][prog | -f progfile][file ...]");
            return 2;
        }
        source = rest.remove(0);
    }
    let parsed = lex(&source).and_then(|tokens| {
        let mut parser = Parser::new(tokens);
        let rules = parser.program()?;
        Ok((rules, parser))
    });
    let (rules, parser) = match parsed {
        Ok(parsed) => parsed,
        Err(message) => {
            c.error(message);
            return 2;
        }
    };
    let mut m = Machine {
        c: &c,
        vars: FlatMap::new(),
        arrays: FlatMap::new(),
        fields: Vec::new(),
        record: String::new(),
        outputs: FlatMap::new(),
        steps: 0,
        regexes: FlatMap::new(),
        ahead: VecDeque::new(),
        functions: Rc::new(parser.functions),
        frame: Frame::new(),
        calls: 0,
        readers: FlatMap::new(),
        pipes: FlatMap::new(),
        open: vec![false; rules.len()],
        answers: Vec::new(),
        used: 0,
        wrote: 0,
        written: 0,
    };
    for (name, value) in [
        ("FS", " "),
        ("OFS", " "),
        ("ORS", "\n"),
        ("RS", "\n"),
        ("SUBSEP", "\x1c"),
        ("CONVFMT", "%.6g"),
        ("OFMT", "%.6g"),
        ("FILENAME", ""),
    ] {
        m.vars.insert(name.to_owned(), Value::Text(value.to_owned()));
    }
    m.vars.insert("NR".to_owned(), Value::Number(0.0));
    m.vars.insert("FNR".to_owned(), Value::Number(0.0));
    m.vars.insert("NF".to_owned(), Value::Number(0.0));
    if let Some(separator) = o.value('F') {
        let separator = if separator == "t" {
            "\t".to_owned()
        } else {
            unescape(separator)
        };
        m.vars.insert("FS".to_owned(), Value::Text(separator));
    }
    for text in o.values('v') {
        if let Some((name, value)) = text.split_once('=') {
            m.vars.insert(name.to_owned(), Value::Input(unescape(value)));
        }
    }
    let env = c
        .env
        .iter()
        .map(|(k, v)| (k.clone(), Value::Input(v.clone())))
        .collect();
    m.arrays.insert("ENVIRON".to_owned(), env);
    let mut argv: FlatMap<String, Value> = FlatMap::new();
    argv.insert("0".to_owned(), Value::Text("awk".to_owned()));
    for (i, a) in rest.iter().enumerate() {
        argv.insert((i + 1).to_string(), Value::Input(a.clone()));
    }
    m.vars.insert("ARGC".to_owned(), Value::Number(argv.len() as f64));
    m.arrays.insert("ARGV".to_owned(), argv);
    let code = run(&c, &mut m, &rules, rest, (parser.asks, parser.gets)).await;
    match code {
        Ok(code) => code,
        Err(message) => {
            c.error(message);
            2
        }
    }
}

/// Runs a part of the program, with what it asks for; how it ended.
async fn settle(
    m: &mut Machine<'_>,
    asks: bool,
    part: impl Fn(&mut Machine<'_>) -> Done<()>,
) -> Result<Option<i32>, String> {
    let start = asks.then(|| m.clone());
    let mut written = 0;
    m.answers.clear();
    loop {
        (m.used, m.wrote, m.written, m.steps) = (0, 0, written, 0);
        let question = match part(m) {
            Ok(()) | Err(Flow::Next | Flow::Break | Flow::Continue | Flow::Return(_)) => return Ok(None),
            Err(Flow::Exit(code)) => return Ok(Some(code)),
            Err(Flow::Error(message)) => return Err(message),
            Err(Flow::Ask(question)) => question,
        };
        let Some(start) = &start else {
            return Err("a command was asked for where none can be".to_owned());
        };
        written = m.written;
        let mut answers = std::mem::take(&mut m.answers);
        if answers.len() >= limits::SHELL_DEPTH * 20 {
            return Err("one rule uses too many commands and files".to_owned());
        }
        answers.push(answer(m.c, question).await);
        // Files that are open stay so.
        let outputs = std::mem::take(&mut m.outputs);
        *m = start.clone();
        m.outputs = outputs;
        m.answers = answers;
    }
}

async fn answer(c: &Context, question: Question) -> Option<String> {
    let mut child = c.clone();
    match question {
        Question::File(path) => c.read_file(&path).await.ok(),
        Question::Output(command) => {
            let (output, buffer) = Output::buffer();
            child.stdout = output;
            child.run_source("sh", &command).await;
            Some(String::from_utf8_lossy(&buffer.take()).into_owned())
        }
        Question::Run(command, text) => {
            if let Some(text) = text {
                child.stdin = Input::text(text);
            }
            Some(child.run_source("sh", &command).await.to_string())
        }
    }
}

/// Runs `BEGIN`, every record, and `END`, and then the commands that were printed to.
/// The last two say whether the program asks anything of the world outside, and how many times it takes records by
/// itself.
async fn run(
    c: &Context,
    m: &mut Machine<'_>,
    rules: &[Rule],
    paths: Vec<String>,
    (asks, gets): (bool, usize),
) -> Result<i32, String> {
    let code = run_rules(c, m, rules, paths, asks, gets).await?;
    for (command, text) in std::mem::take(&mut m.pipes) {
        answer(c, Question::Run(command, Some(text))).await;
    }
    Ok(code)
}

async fn run_rules(
    c: &Context,
    m: &mut Machine<'_>,
    rules: &[Rule],
    paths: Vec<String>,
    asks: bool,
    gets: usize,
) -> Result<i32, String> {
    // What none of the rules has is in a function, which any of them may call.
    let functions_get = gets > rules.iter().map(|rule| rule.gets).sum::<usize>();
    // `getline` takes records that were read ahead: before the first record, those of all files.
    let mut begun = false;
    let mut exit: Option<i32> = None;
    let mut code = 0;
    for rule in rules {
        if let (Pattern::Begin, Some(action)) = (&rule.pattern, &rule.action) {
            if !begun && (rule.gets > 0 || functions_get) {
                begun = true;
                let mut files = paths.iter().filter(|p| words::split_assignment(p).is_none()).peekable();
                if files.peek().is_none() {
                    m.ahead = split_records(&c.stdin.read_text().await, &m.var_text("RS"));
                }
                for path in files {
                    let text = c.read_file(path).await.unwrap_or_default();
                    m.ahead.extend(split_records(&text, &m.var_text("RS")));
                }
            }
            exit = settle(m, asks, |m| m.exec(action)).await?;
            if exit.is_some() {
                break;
            }
        }
    }
    let reads = rules.iter().any(|r| !matches!(r.pattern, Pattern::Begin));
    if reads && exit.is_none() {
        let mut paths = paths;
        if paths.iter().all(|p| words::split_assignment(p).is_some()) {
            paths.push("-".to_owned());
        }
        'files: for path in paths {
            // `name=value` among the files is an assignment.
            if let Some((name, value)) = words::split_assignment(&path) {
                let value = unescape(value);
                m.vars.insert(name.to_owned(), Value::Input(value));
                continue;
            }
            let input = match c.open(&path) {
                Ok(input) => input,
                Err(error) => {
                    c.error(format!("cannot open {path} ({error})"));
                    code = 2;
                    continue;
                }
            };
            if path != "-" {
                m.vars.insert("FILENAME".to_owned(), Value::Text(path.clone()));
            }
            m.vars.insert("FNR".to_owned(), Value::Number(0.0));
            let separator = m.var_text("RS");
            let whole = gets > 0 || separator != "\n";
            if whole && !begun {
                m.ahead = split_records(&input.read_text().await, &separator);
            }
            loop {
                let line = if whole || begun {
                    m.ahead.pop_front()
                } else {
                    input.read_line().await
                };
                let Some(line) = line else { break };
                m.count_record(&["NR", "FNR"]);
                exit = settle(m, asks, |m| record(m, rules, &line)).await?;
                if exit.is_some() {
                    break 'files;
                }
                if c.stdout.is_closed() {
                    return Ok(0);
                }
                c.stdout.ready().await;
            }
        }
    }
    for rule in rules {
        if let (Pattern::End, Some(action)) = (&rule.pattern, &rule.action)
            && let Some(code) = settle(m, asks, |m| m.exec(action)).await?
        {
            return Ok(code);
        }
    }
    Ok(exit.unwrap_or(code))
}

fn record(m: &mut Machine<'_>, rules: &[Rule], line: &str) -> Done<()> {
    m.set_record(line.to_owned())?;
    for (i, rule) in rules.iter().enumerate() {
        let chosen = match &rule.pattern {
            Pattern::Begin | Pattern::End => false,
            Pattern::Always => true,
            Pattern::Expr(expr) => m.eval(expr)?.truth(),
            Pattern::Range(first, last) => {
                let inside = m.open.get(i) == Some(&true) || m.eval(first)?.truth();
                if inside {
                    let open = !m.eval(last)?.truth();
                    if let Some(slot) = m.open.get_mut(i) {
                        *slot = open;
                    }
                }
                inside
            }
        };
        if !chosen {
            continue;
        }
        match &rule.action {
            Some(action) => m.exec(action)?,
            None => m.put(&None, m.record.clone() + &m.var_text("ORS"))?,
        }
    }
    Ok(())
}
