//! What goes to the interpreter and what comes back, and both as bytes.

/// Where an error of the command line sends its reader.
pub const USAGE: &str = "Use jq --help for help with command-line options,\n\
                         or see the jq manpage, or online docs  at https://jqlang.github.io/jq\n";

/// What is said of a program that calls itself too deeply: to one that is ended for it, and where it broke off before,
/// since a browser's stack is measured by nobody and what breaks off had none left.
pub const TOO_DEEP: &str = "the program was ended: it calls itself more deeply than the simulation lets it";

/// One run of jq.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    pub program: String,
    pub options: Options,
    /// `--arg` and its like: names without `$`.
    pub named: Vec<(String, Argument)>,
    /// What follows `--args` or `--jsonargs`.
    pub positional: Vec<Argument>,
    pub inputs: Vec<Input>,
    pub environment: Vec<(String, String)>,
    /// Microseconds since 1970.
    pub now: u64,
    pub limits: Limits,
    /// Only help is wanted.
    pub help: bool,
    /// There is no program, and what jq says then is wanted.
    pub usage: bool,
}

/// A value that the command line gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    Text(String),
    /// JSON, and the option that gave it.
    Json(String, String),
    /// The values of a file, by its name.
    Slurped(String, Vec<u8>),
}

/// A text to read values from.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// The file; empty for standard input.
    pub name: String,
    /// Its bytes, or why it cannot be read.
    pub text: Result<Vec<u8>, String>,
}

/// How values are read and written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    pub null_input: bool,
    pub raw_input: bool,
    pub slurp: bool,
    pub stream: bool,
    pub sequence: bool,
    /// Strings as they are.
    pub raw: bool,
    /// No line's end after a value.
    pub joined: bool,
    /// A zero byte after a value.
    pub zero: bool,
    pub ascii: bool,
    pub sorted: bool,
    pub exit_status: bool,
    /// What a level is indented by; `None` writes on one line.
    pub indent: Option<String>,
    /// `JQ_COLORS` when colours are wanted, empty for jq's own.
    pub colours: Option<String>,
}

/// What one run may use.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    /// Steps of the interpreter.
    pub steps: u64,
    /// Bytes of all values that are made.
    pub bytes: u64,
    /// Bytes that are printed.
    pub output: u64,
    /// Levels of arrays and objects in a value.
    pub nesting: u32,
    /// Bytes of the stack; the interpreter sets what its own has room for.
    pub stack: usize,
}

/// What a run printed, in its order, and its exit code.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {
    pub chunks: Vec<Chunk>,
    pub code: i32,
}

/// Some of what is printed.
#[derive(Clone, Debug, PartialEq)]
pub enum Chunk {
    Out(Vec<u8>),
    Err(Vec<u8>),
}

#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, number: u64) {
        self.0.extend(number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn flag(&mut self, flag: bool) {
        self.number(u64::from(flag));
    }

    fn maybe(&mut self, text: Option<&String>) {
        self.flag(text.is_some());
        self.bytes(text.map(String::as_bytes).unwrap_or_default());
    }

    fn list<T>(&mut self, items: &[T], write: impl Fn(&mut Self, &T)) {
        self.number(items.len() as u64);
        for item in items {
            write(self, item);
        }
    }

    fn argument(&mut self, argument: &Argument) {
        match argument {
            Argument::Text(text) => {
                self.number(0);
                self.bytes(text.as_bytes());
            }
            Argument::Json(text, option) => {
                self.number(1);
                self.bytes(text.as_bytes());
                self.bytes(option.as_bytes());
            }
            Argument::Slurped(name, bytes) => {
                self.number(2);
                self.bytes(name.as_bytes());
                self.bytes(bytes);
            }
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }

    fn bytes(&mut self) -> Option<Vec<u8>> {
        let length = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes.to_vec())
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?).ok()
    }

    fn flag(&mut self) -> Option<bool> {
        Some(self.number()? != 0)
    }

    fn maybe(&mut self) -> Option<Option<String>> {
        let there = self.flag()?;
        let text = self.text()?;
        Some(there.then_some(text))
    }

    fn list<T>(&mut self, read: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let length = self.number()?;
        (0..length).map(|_| read(self)).collect()
    }

    fn argument(&mut self) -> Option<Argument> {
        Some(match self.number()? {
            0 => Argument::Text(self.text()?),
            1 => Argument::Json(self.text()?, self.text()?),
            _ => Argument::Slurped(self.text()?, self.bytes()?),
        })
    }
}

impl Options {
    /// Those that are true or false, as they are sent.
    fn flags(&mut self) -> [&mut bool; 11] {
        [
            &mut self.null_input,
            &mut self.raw_input,
            &mut self.slurp,
            &mut self.stream,
            &mut self.sequence,
            &mut self.raw,
            &mut self.joined,
            &mut self.zero,
            &mut self.ascii,
            &mut self.sorted,
            &mut self.exit_status,
        ]
    }
}

impl Request {
    pub fn to_bytes(mut self) -> Vec<u8> {
        let mut w = Writer::default();
        w.bytes(self.program.as_bytes());
        for flag in self.options.flags() {
            w.flag(*flag);
        }
        w.maybe(self.options.indent.as_ref());
        w.maybe(self.options.colours.as_ref());
        w.list(&self.named, |w, (name, argument)| {
            w.bytes(name.as_bytes());
            w.argument(argument);
        });
        w.list(&self.positional, Writer::argument);
        w.list(&self.inputs, |w, input| {
            w.bytes(input.name.as_bytes());
            w.flag(input.text.is_ok());
            w.bytes(match &input.text {
                Ok(text) => text,
                Err(why) => why.as_bytes(),
            });
        });
        w.list(&self.environment, |w, (name, value)| {
            w.bytes(name.as_bytes());
            w.bytes(value.as_bytes());
        });
        w.number(self.now);
        let limits = &self.limits;
        for limit in [limits.steps, limits.bytes, limits.output] {
            w.number(limit);
        }
        w.number(limits.nesting.into());
        w.number(limits.stack as u64);
        w.flag(self.help);
        w.flag(self.usage);
        w.0
    }

    /// `None` when the bytes are something else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Request> {
        let mut r = Reader(bytes);
        let program = r.text()?;
        let mut options = Options::default();
        for flag in options.flags() {
            *flag = r.flag()?;
        }
        options.indent = r.maybe()?;
        options.colours = r.maybe()?;
        Some(Request {
            program,
            options,
            named: r.list(|r| Some((r.text()?, r.argument()?)))?,
            positional: r.list(Reader::argument)?,
            inputs: r.list(|r| {
                let name = r.text()?;
                let good = r.flag()?;
                let text = r.bytes()?;
                let text = if good {
                    Ok(text)
                } else {
                    Err(String::from_utf8(text).ok()?)
                };
                Some(Input { name, text })
            })?,
            environment: r.list(|r| Some((r.text()?, r.text()?)))?,
            now: r.number()?,
            limits: Limits {
                steps: r.number()?,
                bytes: r.number()?,
                output: r.number()?,
                nesting: u32::try_from(r.number()?).ok()?,
                stack: usize::try_from(r.number()?).ok()?,
            },
            help: r.flag()?,
            usage: r.flag()?,
        })
    }
}

impl Response {
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.number(u64::from(self.code.unsigned_abs()));
        w.list(&self.chunks, |w, chunk| {
            let (bytes, error) = match chunk {
                Chunk::Out(bytes) => (bytes, false),
                Chunk::Err(bytes) => (bytes, true),
            };
            w.flag(error);
            w.bytes(bytes);
        });
        w.0
    }

    /// `None` when the bytes are something else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Response> {
        let mut r = Reader(bytes);
        let code = i32::try_from(r.number()?).ok()?;
        let chunks = r.list(|r| {
            let error = r.flag()?;
            let bytes = r.bytes()?;
            Some(if error { Chunk::Err(bytes) } else { Chunk::Out(bytes) })
        })?;
        Some(Response { chunks, code })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_as_they_were_sent() {
        let mut request = Request {
            program: ".a".to_owned(),
            named: vec![
                ("a".to_owned(), Argument::Text("é".to_owned())),
                ("b".to_owned(), Argument::Json("1".to_owned(), "argjson".to_owned())),
                ("c".to_owned(), Argument::Slurped("f".to_owned(), vec![0, 255])),
            ],
            positional: vec![Argument::Text(String::new())],
            inputs: vec![
                Input {
                    name: String::new(),
                    text: Ok(vec![128]),
                },
                Input {
                    name: "f".to_owned(),
                    text: Err("no".to_owned()),
                },
            ],
            environment: vec![("A".to_owned(), "b".to_owned())],
            now: u64::MAX,
            limits: Limits {
                steps: 1,
                bytes: 2,
                output: 3,
                nesting: 4,
                stack: 5,
            },
            help: true,
            ..Request::default()
        };
        request.options.indent = Some("\t".to_owned());
        // Each flag alone, so that none is taken for another.
        let flags = request.options.flags().len();
        for at in 0..flags {
            for (flag, value) in request.options.flags().into_iter().enumerate() {
                *value = flag == at;
            }
            let bytes = request.clone().to_bytes();
            assert_eq!(Request::from_bytes(&bytes).as_ref(), Some(&request));
            let cut = bytes.get(..bytes.len() - 1).unwrap_or_default();
            assert_eq!(Request::from_bytes(cut), None);
        }
        let response = Response {
            chunks: vec![Chunk::Out(vec![1]), Chunk::Err(vec![]), Chunk::Out(vec![2, 3])],
            code: 5,
        };
        assert_eq!(Response::from_bytes(&response.to_bytes()), Some(response));
    }
}
