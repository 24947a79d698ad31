//! `-o`: chooses the printer, and prints objects with it. The printers themselves are in `print/`.

use super::command::{Cmd, DryRun};
use super::error::Error;
use super::flags::{Flag, Kind, flag};
use super::print::columns::CustomColumns;
use super::print::jsonpath::JsonPathPrinter;
use super::print::object;
use super::typed::Shape;
use crate::flat::Case;
use crate::value::{Value, gofmt, gojson, quoted};

/// The flags of verbs that print what they changed.
pub const PRINT: &[Flag] = &[
    flag("allow-missing-template-keys", '\0', Kind::Bool, "true"),
    flag("output", 'o', Kind::Str, ""),
    flag("show-managed-fields", '\0', Kind::Bool, "false"),
    flag("template", '\0', Kind::Str, ""),
];

/// The same with a default.
const fn print_with(default: &'static str) -> [Flag; 4] {
    let mut flags = [PRINT[0], PRINT[1], PRINT[2], PRINT[3]];
    flags[1].default = default;
    flags
}
pub const PRINT_YAML: &[Flag] = &print_with("yaml");
pub const PRINT_JSON: &[Flag] = &print_with("json");

/// A format that was chosen, with what it keeps between objects.
pub enum Printer {
    Json,
    /// With the fields in the order of Go's structs.
    TypedJson,
    Yaml(object::YamlPrinter),
    /// With the order of the fields: that of Go's structs, or of maps.
    Kyaml(bool),
    /// With what is said after each name: `created (dry run)`; nothing for `-o name`.
    Name(String),
    JsonPath(JsonPathPrinter),
    Columns(Box<CustomColumns>),
    Template(super::template::GoTemplate),
}

impl std::fmt::Debug for Printer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Printer")
    }
}

/// The formats of verbs that print what they changed, and those that `get` has besides.
pub const FORMATS: &str =
    "go-template,go-template-file,json,jsonpath,jsonpath-as-json,jsonpath-file,kyaml,name,template,templatefile,yaml";
pub const GET_FORMATS: &str = "custom-columns,custom-columns-file,go-template,go-template-file,json,jsonpath,jsonpath-as-json,jsonpath-file,kyaml,name,template,templatefile,wide,yaml";

/// What is said of a format of `--output` that is none of those allowed.
pub fn no_printer(format: &str, allowed: &str) -> Error {
    Error::plain(format!(
        "unable to match a printer suitable for the output format {format}, allowed formats are: {allowed}",
        format = quoted(&format)
    ))
}

/// Whether `get` prints a table: without a format, or with `wide`.
pub fn is_table(cmd: &Cmd) -> bool {
    match cmd.flags.str("output") {
        "wide" => true,
        format => format.is_empty() && cmd.flags.str("template").is_empty(),
    }
}

/// The printer that `-o` asks for; `None` without one (and for `wide`).
///
/// # Errors
/// An unknown format, a template that is none, a file that is not there.
pub fn printer(cmd: &Cmd, formats: &str) -> Result<Option<Printer>, Error> {
    let mut wanted = cmd.flags.str("output").to_owned();
    let template_flag = cmd.flags.str("template");
    if wanted.is_empty() && !template_flag.is_empty() {
        wanted = "go-template".into();
    }
    let (format, given) = wanted.split_once('=').unwrap_or((&wanted, ""));
    let template = if given.is_empty() { template_flag } else { given };
    let lower = format.lower();
    let plain = ["json", "yaml", "kyaml", "name"].contains(&lower.as_str());
    let format = if plain { lower.as_str() } else { format };
    // With --template the format is the flag's whole value.
    let known =
        format.is_empty() || (given.is_empty() || template_flag.is_empty()) && formats.split(',').any(|f| f == format);
    if !known {
        return Err(no_printer(&wanted, formats));
    }
    let missing = cmd.flags.bool("allow-missing-template-keys");
    let file = |what: &str| {
        cmd.cx
            .files
            .read_text(&cmd.cx.path(template))
            .map_err(|e| Error::plain(format!("error reading {what}{template}, {}", e.reading(template))))
    };
    let needs = |format: &str, what: &str| match template {
        "" => Err(Error::plain(format!("{format} format specified but no {what} given"))),
        _ => Ok(()),
    };
    Ok(Some(match format {
        "" | "wide" => return Ok(None),
        "json" => Printer::Json,
        "yaml" => Printer::Yaml(object::YamlPrinter::default()),
        "kyaml" => Printer::Kyaml(false),
        "name" => Printer::Name(String::new()),
        "jsonpath" | "jsonpath-as-json" => {
            needs("template", "template")?;
            let path = JsonPathPrinter::new(template, format == "jsonpath-as-json", missing);
            Printer::JsonPath(path.map_err(|e| Error::plain(e.0))?)
        }
        "jsonpath-file" => {
            let text = file("--template ")?;
            let path = JsonPathPrinter::new(&text, false, missing);
            Printer::JsonPath(path.map_err(|e| Error::plain(e.0))?)
        }
        "custom-columns" => {
            let columns = CustomColumns::from_spec(template, cmd.flags.bool("no-headers"));
            Printer::Columns(Box::new(columns.map_err(|e| Error::plain(e.0))?))
        }
        "custom-columns-file" => {
            needs("custom-columns", "custom columns")?;
            let columns = CustomColumns::from_template(&file("template ")?, cmd.flags.bool("no-headers"));
            Printer::Columns(Box::new(columns.map_err(|e| Error::plain(e.0))?))
        }
        "go-template-file" | "templatefile" => {
            Printer::Template(super::template::GoTemplate::parse(&file("--template ")?, missing)?)
        }
        _ => {
            needs("template", "template")?;
            Printer::Template(super::template::GoTemplate::parse(template, missing)?)
        }
    }))
}

impl Printer {
    /// A printer of objects that kubectl has as structs of Go's, which keeps the order of their fields.
    pub fn typed(self) -> Printer {
        match self {
            Printer::Json => Printer::TypedJson,
            Printer::Kyaml(_) => Printer::Kyaml(true),
            other => other,
        }
    }

    /// Prints an object; what was printed before an error stays.
    ///
    /// # Errors
    /// A template that does not fit the object.
    pub fn print(&mut self, cmd: &Cmd, object: &Value) -> Result<(), Error> {
        self.write(cmd, object, &mut |text| cmd.out(text))
    }

    /// Hands an object's text to `out`; an error comes after what it is about.
    ///
    /// # Errors
    /// A template that does not fit the object.
    pub fn write(&mut self, cmd: &Cmd, object: &Value, out: &mut dyn FnMut(&str)) -> Result<(), Error> {
        let shown = if cmd.flags.bool("show-managed-fields") {
            object.clone()
        } else {
            object::omit_managed_fields(object)
        };
        match self {
            Printer::Json => out(&object::json(&shown)),
            Printer::TypedJson => out(&(super::typed::indented(&shown, "    ") + "\n")),
            Printer::Yaml(p) => out(&p.print(&shown)),
            Printer::Kyaml(typed) => {
                let shape = if *typed { Shape::of(&shown) } else { Shape::SORTED };
                out(&format!("---\n{}\n", kyaml(&shown, 0, &shape)));
            }
            Printer::Name(operation) => out(&object::names(object, operation).map_err(Error::plain)?),
            Printer::JsonPath(p) => out(&p.print(object).map_err(|e| Error::plain(e.0))?),
            Printer::Columns(c) => {
                let (text, result) = c.print(object);
                out(&text);
                result.map_err(|e| Error::plain(e.0))?;
            }
            Printer::Template(t) => {
                let (text, result) = t.execute(object);
                out(&text);
                result?;
            }
        }
        Ok(())
    }
}

/// Prints what a verb did to an object: `pod/web created`, or the object in the format asked for.
pub struct Report {
    operation: String,
    printer: Printer,
    asked: bool,
    typed: bool,
}

impl Report {
    /// A report of this operation (`created`).
    ///
    /// # Errors
    /// As [`printer`].
    pub fn new(cmd: &Cmd, operation: &str) -> Result<Report, Error> {
        let dry = match cmd.dry_run()? {
            DryRun::None => "",
            DryRun::Client => " (dry run)",
            DryRun::Server => " (server dry run)",
        };
        Report::bare(cmd, &format!("{operation}{dry}"))
    }

    /// A report that does not say whether the run is dry.
    ///
    /// # Errors
    /// As [`printer`].
    pub fn bare(cmd: &Cmd, operation: &str) -> Result<Report, Error> {
        let printer = printer(cmd, FORMATS)?;
        Ok(Report {
            typed: false,
            asked: printer.is_some(),
            printer: printer.unwrap_or(Printer::Name(operation.to_owned())),
            operation: operation.to_owned(),
        })
    }

    /// Objects that kubectl reads and makes as structs of Go's: their JSON has the order of the fields.
    pub fn typed(mut self) -> Report {
        self.printer = self.printer.typed();
        self.typed = true;
        self
    }

    /// Reports one object.
    ///
    /// # Errors
    /// A template that does not fit the object.
    pub fn print(&mut self, cmd: &Cmd, object: &Value) -> Result<(), Error> {
        match self.typed && self.asked {
            true => self.printer.print(cmd, &Shape::of(object).canonical(object)),
            false => self.printer.print(cmd, object),
        }
    }

    /// Reports objects as a list: a struct of Go's, whose items are maps.
    ///
    /// # Errors
    /// A template that does not fit the list.
    pub fn print_list(mut self, cmd: &Cmd, objects: Vec<Value>) -> Result<(), Error> {
        let mut list = object::list(objects);
        list.set(&["metadata"], Value::map());
        self = self.typed();
        self.printer.print(cmd, &list)
    }

    /// Reports one object with another operation (`unchanged`).
    ///
    /// # Errors
    /// A template that does not fit the object.
    pub fn print_as(&mut self, cmd: &Cmd, object: &Value, operation: &str) -> Result<(), Error> {
        if self.asked {
            return self.printer.print(cmd, object);
        }
        let dry = self
            .operation
            .find(" (")
            .and_then(|i| self.operation.get(i..))
            .unwrap_or("");
        cmd.out(object::names(object, &format!("{operation}{dry}")).map_err(Error::plain)?);
        Ok(())
    }
}

/// Words that YAML reads as something else than a text, in any case.
const WORDS: &[&str] = &[
    "y", "n", "yes", "no", "on", "off", "true", "false", "t", "f", "null", "nan", "inf", "infinity",
];

/// The KYAML form: braces and brackets, texts in quotes, a comma after each.
pub fn kyaml(value: &Value, depth: usize, shape: &Shape) -> String {
    let (pad, inner) = ("  ".repeat(depth), "  ".repeat(depth + 1));
    let key = |k: &str| {
        let letter = |c: char| c.is_alphanumeric() || c == '_';
        let plain = k.chars().all(|c| letter(c) || matches!(c, '-' | '.' | '/'))
            && k.starts_with(letter)
            && k.ends_with(letter)
            && !WORDS.contains(&k.lower().as_str());
        if plain { k.to_owned() } else { gofmt::quote(k) }
    };
    match value {
        Value::Map(m) if !m.is_empty() => {
            let mut out = "{\n".to_owned();
            for (shape, k, v) in shape.entries(m) {
                out.push_str(&format!(
                    "{inner}{}: {},\n",
                    key(k.as_str()),
                    kyaml(v, depth + 1, &shape)
                ));
            }
            out + &pad + "}"
        }
        Value::List(l) if !l.is_empty() => {
            // Items that are maps or lists open on the bracket's line.
            let nested = l.iter().all(|v| matches!(v, Value::Map(_) | Value::List(_)));
            if nested {
                let items: Vec<String> = l.iter().map(|v| kyaml(v, depth, &shape.item(v))).collect();
                return format!("[{}]", items.join(", "));
            }
            let mut out = "[\n".to_owned();
            for v in l.iter() {
                out.push_str(&format!("{inner}{},\n", kyaml(v, depth + 1, &shape.item(v))));
            }
            out + &pad + "]"
        }
        Value::Str(text) => kyaml_text(text, depth + 1),
        other => gojson::compact(other, false),
    }
}

/// A text in KYAML: in quotes, and one of several lines with a line of the file for each.
fn kyaml_text(text: &str, depth: usize) -> String {
    const FOLD: &str = "\\\n";
    let many = text.contains('\n');
    let pad = "  ".repeat(depth);
    let mut out = "\"".to_owned();
    if many {
        out.push_str(FOLD);
    }
    for c in text.chars() {
        if out.ends_with('\n') {
            out.push_str(&pad);
            // White space at the start of a line is lost unless it is escaped; other lines keep its place.
            out.push(if c.is_whitespace() && c != '\n' { '\\' } else { ' ' });
        }
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => {
                out.push_str("\\n");
                out.push_str(FOLD);
            }
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0b' => out.push_str("\\v"),
            '\x0c' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\0' => out.push_str("\\0"),
            '\x1b' => out.push_str("\\e"),
            '\u{85}' => out.push_str("\\N"),
            '\u{a0}' => out.push_str("\\_"),
            '\u{2028}' => out.push_str("\\L"),
            '\u{2029}' => out.push_str("\\P"),
            c if c.is_ascii_control() && c != '\t' => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    if many {
        if !out.ends_with('\n') {
            out.push_str(FOLD);
        }
        out.push_str(&pad);
    }
    out.push('"');
    out
}
