//! `jq`: its command line as jq 1.7.1 reads it. What runs the programs is jaq's interpreter in a package of its own
//! (`jq/`), which the page loads when `jq` is first used, and which this shell knows by [`Run`] alone.

use kubetab_jq::{Argument, Chunk, Input as Text, Limits, TOO_DEEP, USAGE};
pub use kubetab_jq::{Request, Response};

use super::super::host::Context;
use super::super::io::Input;
use crate::flat::FlatSet;
use crate::limits;
use crate::sim::{Outside, Sim};

/// Runs programs of jq.
pub trait Run {
    /// Runs one. `None` when it broke off.
    fn run(&self, request: Request) -> Option<Response>;
}

/// What runs them, once it is here.
pub type Engine = Outside<dyn Run>;

/// What this build holds: native ones all of it.
#[cfg(not(target_arch = "wasm32"))]
pub fn engine(sim: &Sim) -> Engine {
    struct Included;
    impl Run for Included {
        fn run(&self, request: Request) -> Option<Response> {
            kubetab_jq::run_apart(request)
        }
    }
    Outside::included(sim, std::rc::Rc::new(Included))
}

/// What this build holds: nothing, and somebody has to bring it.
#[cfg(target_arch = "wasm32")]
pub fn engine(sim: &Sim) -> Engine {
    Outside::new(sim)
}

const VERSION: &str = "jq-1.7.1";

/// Options by their letter, where they have one, and their name.
const FLAGS: &[(char, &str)] = &[
    ('s', "slurp"),
    ('r', "raw-output"),
    ('j', "join-output"),
    ('c', "compact-output"),
    ('C', "color-output"),
    ('M', "monochrome-output"),
    ('a', "ascii-output"),
    ('S', "sort-keys"),
    ('R', "raw-input"),
    ('n', "null-input"),
    ('f', "from-file"),
    ('e', "exit-status"),
    ('h', "help"),
    ('V', "version"),
];

/// What a command line says.
#[derive(Default)]
struct Line {
    request: Request,
    program: Option<String>,
    from_file: bool,
    files: Vec<String>,
    color: Option<bool>,
    /// What arguments behind the program are: texts, JSON, or else files.
    texts: bool,
    json: bool,
    named: FlatSet<String>,
    help: bool,
    version: bool,
}

impl Line {
    fn flag(&mut self, letter: char) {
        let options = &mut self.request.options;
        match letter {
            's' => options.slurp = true,
            'r' => options.raw = true,
            'j' => (options.raw, options.joined) = (true, true),
            'c' => options.indent = None,
            'C' => self.color = Some(true),
            // It wins, wherever it stands.
            'M' => self.color = Some(false),
            'a' => options.ascii = true,
            'S' => options.sorted = true,
            'R' => options.raw_input = true,
            'n' => options.null_input = true,
            'f' => self.from_file = true,
            'e' => options.exit_status = true,
            'h' => self.help = true,
            _ => self.version = true,
        }
    }

    fn positional(&mut self, text: &str) {
        if self.program.is_none() {
            self.program = Some(text.to_owned());
        } else if self.texts {
            self.request.positional.push(Argument::Text(text.to_owned()));
        } else if self.json {
            let argument = Argument::Json(text.to_owned(), "jsonargs".to_owned());
            self.request.positional.push(argument);
        } else {
            self.files.push(text.to_owned());
        }
    }
}

/// An error of the command line, which ends with where help is.
fn usage(c: &Context, message: &str) -> i32 {
    c.stderr.write(format!("{message}\n{USAGE}"));
    2
}

/// Reads the command line; an exit code when that is all.
async fn parse(c: &Context) -> Result<Line, i32> {
    let mut line = Line::default();
    line.request.options.indent = Some("  ".to_owned());
    let mut arguments = c.rest().iter();
    let mut done = false;
    while let Some(argument) = arguments.next() {
        let option = argument
            .strip_prefix('-')
            .filter(|rest| rest.starts_with(|c: char| c == '-' || c.is_ascii_alphabetic()));
        let Some(option) = option.filter(|_| !done) else {
            line.positional(argument);
            continue;
        };
        let Some(name) = option.strip_prefix('-') else {
            if let Some(folder) = option.strip_prefix('L') {
                // Where modules are looked for, of which there are none.
                if folder.is_empty() && arguments.next().is_none() {
                    return Err(usage(
                        c,
                        "-L takes a parameter: (e.g. -L /search/path or -L/search/path)",
                    ));
                }
                continue;
            }
            if option.chars().any(|letter| FLAGS.iter().all(|(l, _)| *l != letter)) {
                return Err(usage(c, &format!("jq: Unknown option {argument}")));
            }
            option.chars().for_each(|letter| line.flag(letter));
            continue;
        };
        if let Some((letter, _)) = FLAGS.iter().find(|(_, n)| *n == name) {
            line.flag(*letter);
            continue;
        }
        let options = &mut line.request.options;
        match name {
            "" => done = true,
            "tab" => options.indent = Some("\t".to_owned()),
            "unbuffered" => {}
            "raw-output0" => (options.raw, options.joined, options.zero) = (true, true, true),
            "seq" => options.sequence = true,
            "stream" | "stream-errors" => options.stream = true,
            "args" => (line.texts, line.json) = (true, false),
            "jsonargs" => (line.texts, line.json) = (false, true),
            "build-configuration" => {
                c.stdout.line("");
                return Err(0);
            }
            "indent" => {
                let Some(count) = arguments.next() else {
                    return Err(usage(c, "jq: --indent takes one parameter"));
                };
                let digits = count
                    .find(|c: char| !c.is_ascii_digit() && c != '-')
                    .unwrap_or(count.len());
                let count: i64 = count.get(..digits).and_then(|n| n.parse().ok()).unwrap_or(0);
                options.indent = match count {
                    -1 => Some("\t".to_owned()),
                    0 => None,
                    1..=7 => Some(" ".repeat(count as usize)),
                    _ => return Err(usage(c, "jq: --indent takes a number between -1 and 7")),
                };
            }
            "arg" | "argjson" | "slurpfile" | "rawfile" => {
                let (Some(variable), Some(value)) = (arguments.next(), arguments.next()) else {
                    let what = match name {
                        "arg" => "varname value",
                        "argjson" => "varname text",
                        _ => "varname filename",
                    };
                    return Err(usage(
                        c,
                        &format!("jq: --{name} takes two parameters (e.g. --{name} {what})"),
                    ));
                };
                if !line.named.insert(variable.clone()) {
                    continue;
                }
                let argument = match name {
                    "arg" => Argument::Text(value.clone()),
                    "argjson" => Argument::Json(value.clone(), name.to_owned()),
                    _ => match (read(c, value).await, name) {
                        (Ok(text), "rawfile") => Argument::Text(String::from_utf8_lossy(&text).into_owned()),
                        (Ok(text), _) => Argument::Slurped(value.clone(), text),
                        (Err(why), _) => {
                            c.stderr.line(format!(
                                "jq: Bad JSON in --{name} {variable} {value}: Could not open {value}: {why}"
                            ));
                            return Err(2);
                        }
                    },
                };
                line.request.named.push((variable.clone(), argument));
            }
            _ => return Err(usage(c, &format!("jq: Unknown option {argument}"))),
        }
        if line.help || line.version {
            break;
        }
    }
    Ok(line)
}

/// All of a file, or why it cannot be read.
async fn read(c: &Context, path: &str) -> Result<Vec<u8>, String> {
    let input = c.open(path).map_err(|error| error.to_string())?;
    read_input(&input).await
}

async fn read_input(input: &Input) -> Result<Vec<u8>, String> {
    let mut all = Vec::new();
    loop {
        let piece = input.read(usize::MAX).await;
        if piece.is_empty() {
            return Ok(all);
        }
        all.extend_from_slice(&piece);
        if all.len() > limits::JQ_INPUT_BYTES {
            return Err("it is larger than the simulation gives to one jq".to_owned());
        }
    }
}

/// The command `jq`.
pub async fn jq(c: Context, engine: Engine) -> i32 {
    let mut line = match parse(&c).await {
        Ok(line) => line,
        Err(code) => return code,
    };
    if line.version && !line.help {
        c.stdout.line(VERSION);
        return 0;
    }
    let run = match engine.get().await {
        Ok(run) => run,
        Err(why) => {
            c.stderr.line(format!(
                "jq: the interpreter could not be loaded ({why}), and nothing runs without it"
            ));
            return 2;
        }
    };
    let terminal = c.stdout.is_terminal();
    if line.program.is_none() && !line.help && !(terminal && c.stdin.is_terminal()) {
        line.program = Some(".".to_owned());
    }
    let mut request = line.request;
    request.help = line.help;
    if let Some(program) = line.program {
        request.program = program;
        if line.from_file {
            request.program = match read(&c, &request.program).await {
                Ok(text) => String::from_utf8_lossy(&text).into_owned(),
                Err(why) => {
                    c.stderr.line(format!("jq: Could not open {}: {why}", request.program));
                    return 2;
                }
            };
        }
    } else if !request.help {
        request.usage = true;
    }
    if request.program.len() > limits::JQ_PROGRAM_BYTES {
        c.stderr
            .line("jq: error: the program is longer than the simulation takes");
        return 3;
    }
    let quiet = request.help || request.usage;
    if !quiet {
        if line.files.is_empty() {
            // A program that gets no input reads none until it asks for it, and most do not.
            let asks = !request.options.null_input || request.program.contains("input");
            let text = if asks {
                read_input(&c.stdin).await
            } else {
                Ok(Vec::new())
            };
            request.inputs.push(Text {
                name: String::new(),
                text,
            });
        }
        for path in line.files {
            let text = read(&c, &path).await;
            request.inputs.push(Text { name: path, text });
        }
    }
    let variable = |name: &str| c.env.get(name).filter(|value| !value.is_empty());
    let colours = line.color.unwrap_or_else(|| terminal && variable("NO_COLOR").is_none());
    request.options.colours = colours.then(|| variable("JQ_COLORS").cloned().unwrap_or_default());
    request.environment = c
        .env
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    request.now = c.sim.now().0;
    request.limits = Limits {
        steps: limits::JQ_STEPS,
        bytes: limits::JQ_VALUE_BYTES,
        output: limits::SHELL_OUTPUT_BYTES as u64,
        nesting: limits::JQ_NESTING,
        stack: 0,
    };
    match run.run(request) {
        Some(response) => {
            for chunk in response.chunks {
                let written = match chunk {
                    Chunk::Out(bytes) => c.stdout.write(bytes),
                    Chunk::Err(bytes) => c.stderr.write(bytes),
                };
                if !written {
                    break;
                }
                c.stdout.ready().await;
            }
            response.code
        }
        None => {
            c.stderr.line(format!("jq: error: {TOO_DEEP}"));
            5
        }
    }
}
