//! `mysqld` and its client `mysql`, as far as tutorials use them: databases, tables, plain INSERT, SELECT, UPDATE and
//! DELETE. Tables are files of the data directory, in the form of MySQL's own text dumps, so that they live as long as
//! the volume there does. There are no indexes, joins, transactions nor replication; SQL beyond the above says so. The
//! client ends a statement at `\G` as at `;`: rows are not shown one column a line.

use core::cmp::Ordering;
use std::rc::Rc;

use futures::future::{LocalBoxFuture, ready};

use super::{Image, Sandbox, Service, generic, program, until_stopped};
use crate::flat::{Arrange, Case};
use crate::net::http::{HttpRequest, HttpResponse};
use crate::net::{NetError, NoAnswer};
use crate::shell::{Commands, Context, Files, Glob, escape_glob};
use crate::sim::Sim;
use crate::value::float;

const DATA: &str = "/var/lib/mysql";

pub(super) fn install(image: &Image, tag: &str, sandbox: &Rc<Sandbox>, commands: &mut Commands, files: &Files) {
    generic::install(image, tag, sandbox, commands, files);
    let version = match tag.split('.').next() {
        Some("5") => "5.7.44",
        Some("8") => "8.4.7",
        _ => "9.5.0",
    };
    let repository = image.repository;
    program(commands, "mysqld", sandbox, move |context, sandbox| {
        serve(context, sandbox, repository, version)
    });
    program(commands, "mysql", sandbox, move |context, sandbox| {
        client(context, sandbox, version)
    });
}

async fn serve(context: Context, sandbox: Rc<Sandbox>, repository: &'static str, version: &'static str) -> i32 {
    if generic::refuses(&context, &sandbox, repository) {
        return 1;
    }
    let env = |name: &str| context.env.get(name).cloned().unwrap_or_default();
    let id = context.rest().iter().find_map(|a| a.strip_prefix("--server-id="));
    let server = Server {
        files: context.files.clone(),
        sim: sandbox.sim.clone(),
        host: context.host.name(),
        id: id.unwrap_or("1").to_owned(),
        version,
    };
    let _ = server.files.make_dirs(&format!("{DATA}/mysql"));
    let users = format!("{DATA}/mysql/user.ibd");
    // Accounts are made with the data directory: later values of the variables change nothing.
    if !server.files.exists(&users) {
        let mut text = format!("user\tpassword\nchar(32)\ttext\nroot\t{}\n", env("MYSQL_ROOT_PASSWORD"));
        if !env("MYSQL_USER").is_empty() {
            text.push_str(&format!("{}\t{}\n", env("MYSQL_USER"), env("MYSQL_PASSWORD")));
        }
        let _ = server.files.write(&users, text);
        if !env("MYSQL_DATABASE").is_empty() {
            let _ = server.files.make_dirs(&format!("{DATA}/{}", env("MYSQL_DATABASE")));
        }
    }
    let Ok(_open) = sandbox.listen(crate::net::Protocol::Tcp, 3306, server) else {
        context
            .stderr
            .line("[ERROR] [MY-010262] [Server] Can't start server: Bind on TCP/IP port: Address already in use");
        return 1;
    };
    context.stderr.line(format!(
        "{} 0 [System] [MY-010931] [Server] /usr/sbin/mysqld: ready for connections. Version: '{version}'  socket: \
         '/var/run/mysqld/mysqld.sock'  port: 3306  MySQL Community Server - GPL.",
        sandbox.sim.now()
    ));
    until_stopped(&context.process).await;
    0
}

struct Server {
    files: Files,
    sim: Sim,
    host: String,
    id: String,
    version: &'static str,
}

/// What a statement gives: MySQL's error; rows below their header, tab-separated; or a sentence, with how many rows
/// were changed.
enum Answer {
    Rows(Vec<Vec<String>>),
    Changed(usize, String),
    Database(String),
}

type Result<T> = core::result::Result<T, String>;

impl Service for Server {
    fn http(&self, _request: HttpRequest) -> LocalBoxFuture<'static, core::result::Result<HttpResponse, NoAnswer>> {
        Box::pin(ready(Err(NoAnswer::NotHttp(Some(b"J\0\0\0\n".to_vec())))))
    }

    /// Client, user, password, database and statement, with zeros between; the answer begins with a letter for its kind.
    fn exchange(&self, bytes: Vec<u8>) -> LocalBoxFuture<'static, Option<Vec<u8>>> {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let mut parts = text.splitn(5, '\0').map(str::to_owned);
        let mut part = || parts.next().unwrap_or_default();
        let (client, user, password, database, sql) = (part(), part(), part(), part(), part());
        let known = self.table("mysql", "user").map(|table| table.rows).unwrap_or_default();
        let known = known
            .iter()
            .any(|row| row.starts_with(&[user.clone(), password.clone()]));
        let answer = match known {
            true => self.run(&database, &sql),
            false => {
                let using = if password.is_empty() { "NO" } else { "YES" };
                Err(format!(
                    "1045 (28000): Access denied for user '{user}'@'{client}' (using password: {using})"
                ))
            }
        };
        let text = match answer {
            Err(why) => format!("E{why}"),
            Ok(Answer::Database(name)) => format!("D{name}"),
            Ok(Answer::Changed(count, more)) => format!("C{count}\t{more}"),
            Ok(Answer::Rows(rows)) => {
                let rows: Vec<String> = rows.iter().map(|row| row.join("\t")).collect();
                format!("R{}", rows.join("\n"))
            }
        };
        Box::pin(ready(Some(text.into_bytes())))
    }
}

/// A table: its columns' names and definitions, and its rows.
struct Table {
    path: String,
    names: Vec<String>,
    types: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// The words of a statement: each with its kind, `w` for words, `s` for strings and numbers, `p` for marks.
struct Words {
    all: Vec<(char, String)>,
    at: usize,
}

impl Words {
    fn of(sql: &str) -> Words {
        let mut all = Vec::new();
        let mut chars = sql.chars().peekable();
        while let Some(c) = chars.next() {
            let number = c.is_ascii_digit() || c == '-' && chars.peek().is_some_and(char::is_ascii_digit);
            match c {
                _ if c.is_whitespace() => {}
                '\'' | '"' | '`' => {
                    let (mut text, mut closed) = (String::new(), false);
                    while let Some(d) = chars.next() {
                        match d {
                            '\\' => text.extend(chars.next()),
                            _ if d == c && chars.peek() == Some(&c) => text.extend(chars.next()),
                            _ if d == c => {
                                closed = true;
                                break;
                            }
                            _ => text.push(d),
                        }
                    }
                    // Tables and answers have tabs between their cells, and line feeds between their rows.
                    text = text.replace(['\t', '\n'], " ");
                    all.push(match c {
                        // A mark that no statement knows.
                        _ if !closed => ('p', format!("{c}{text}")),
                        // Names are those of files.
                        '`' => ('w', text.replace('/', "_")),
                        _ => ('s', text),
                    });
                }
                _ if number || c.is_alphanumeric() || "_@".contains(c) => {
                    let mut text = c.to_string();
                    while let Some(d) =
                        chars.next_if(|d| d.is_alphanumeric() || "_@".contains(*d) || (*d == '.' && number))
                    {
                        text.push(d);
                    }
                    all.push((if number { 's' } else { 'w' }, text));
                }
                _ => {
                    let mut text = c.to_string();
                    text.extend(chars.next_if(|d| "<>!".contains(c) && "=>".contains(*d)));
                    all.push(('p', text));
                }
            }
        }
        Words { all, at: 0 }
    }

    /// Takes these words if they come next.
    fn eat(&mut self, words: &str) -> bool {
        let before = self.at;
        for word in words.split(' ') {
            match self.all.get(self.at) {
                Some((kind, text)) if *kind != 's' && text.eq_ignore_ascii_case(word) => self.at += 1,
                _ => {
                    self.at = before;
                    return false;
                }
            }
        }
        true
    }

    fn error<T>(&self) -> Result<T> {
        let rest = self.all.iter().skip(self.at).map(|(_, text)| text.as_str());
        Err(format!(
            "1064 (42000): You have an error in your SQL syntax; check the manual that corresponds to your MySQL server \
             version for the right syntax to use near '{}' at line 1",
            rest.collect::<Vec<_>>().join(" ")
        ))
    }

    fn need(&mut self, words: &str) -> Result<()> {
        if self.eat(words) { Ok(()) } else { self.error() }
    }

    /// That nothing follows.
    fn end(&self) -> Result<()> {
        if self.at < self.all.len() {
            return self.error();
        }
        Ok(())
    }

    /// Whether a string or a number comes next, whatever its text is.
    fn is_literal(&self) -> bool {
        self.all.get(self.at).is_some_and(|(kind, _)| *kind == 's')
    }

    fn next(&mut self, kinds: &str) -> Result<String> {
        match self.all.get(self.at) {
            Some((kind, text)) if kinds.contains(*kind) => {
                self.at += 1;
                Ok(text.clone())
            }
            _ => self.error(),
        }
    }

    /// A list in parentheses, each entry's words.
    fn list(&mut self) -> Result<Vec<String>> {
        self.need("(")?;
        let (mut all, mut one, mut depth) = (Vec::new(), String::new(), 0);
        loop {
            let literal = self.is_literal();
            let text = self.next("wsp")?;
            match text.as_str() {
                ")" if depth == 0 && !literal => break,
                "," if depth == 0 && !literal => all.push(std::mem::take(&mut one)),
                "(" | ")" | "," if !literal => {
                    depth += i32::from(text == "(") - i32::from(text == ")");
                    one.push_str(&text);
                }
                _ => {
                    if !one.is_empty() && !one.ends_with(['(', ',']) {
                        one.push(' ');
                    }
                    one.push_str(&text);
                }
            }
        }
        all.push(one);
        Ok(all)
    }
}

/// Whether a row is among those that are asked for: alternatives of conditions.
type Conditions = Vec<Vec<(usize, String, String)>>;

fn holds(row: &[String], conditions: &Conditions) -> bool {
    conditions.iter().any(|all| {
        all.iter().all(|(column, mark, value)| {
            let cell = row.get(*column).map_or("", String::as_str);
            let order = order(cell, value);
            match mark.as_str() {
                "null" => cell == "NULL",
                _ if cell == "NULL" => false,
                "not" => true,
                "=" => order.is_eq(),
                "<" => order.is_lt(),
                ">" => order.is_gt(),
                "<=" => order.is_le(),
                ">=" => order.is_ge(),
                "like" => like(&value.lower(), &cell.lower()),
                _ => order.is_ne(),
            }
        })
    })
}

/// The order of two cells: of their amounts when both are numbers, else of their letters, large or small.
fn order(a: &str, b: &str) -> Ordering {
    match (float::parse(a), float::parse(b)) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => a.lower().cmp(&b.lower()),
    }
}

/// LIKE's pattern: `%` for anything, `_` for one character.
fn like(pattern: &str, text: &str) -> bool {
    // Neither means anything to a glob, so neither is guarded.
    let glob = escape_glob(pattern).replace('%', "*").replace('_', "?");
    Glob::new(&glob).matches(text)
}

/// The file of a table.
fn path_of(database: &str, table: &str) -> String {
    format!("{DATA}/{database}/{table}.ibd")
}

impl Server {
    fn table(&self, database: &str, name: &str) -> Result<Table> {
        let path = path_of(database, name);
        let text = match self.files.read_text(&path) {
            Ok(text) => text,
            _ if !self.files.is_dir(&format!("{DATA}/{database}")) => {
                return Err(format!("1049 (42000): Unknown database '{database}'"));
            }
            _ => return Err(format!("1146 (42S02): Table '{database}.{name}' doesn't exist")),
        };
        let mut rows = text
            .lines()
            .map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>());
        Ok(Table {
            path,
            names: rows.next().unwrap_or_default(),
            types: rows.next().unwrap_or_default(),
            rows: rows.collect(),
        })
    }

    fn save(&self, table: &Table) -> Result<()> {
        let mut text = String::new();
        for row in [&table.names, &table.types].into_iter().chain(&table.rows) {
            text.push_str(&row.join("\t"));
            text.push('\n');
        }
        let written = self.files.write(&table.path, text);
        written.map_err(|why| format!("3 (HY000): Error writing file '{}' (OS errno 28 - {why})", table.path))
    }

    /// The names of what lies in a directory of the data.
    fn names(&self, dir: &str, suffix: &str) -> Vec<String> {
        let all = self.files.list(dir).unwrap_or_default().into_iter();
        all.filter_map(|(name, _)| name.strip_suffix(suffix).map(str::to_owned))
            .collect()
    }

    /// `[database.]table`.
    fn place(&self, words: &mut Words, database: &str) -> Result<(String, String)> {
        let first = words.next("w")?;
        let (database, table) = match words.eat(".") {
            true => (first, words.next("w")?),
            false => (database.to_owned(), first),
        };
        match database.as_str() {
            "" => Err("1046 (3D000): No database selected".to_owned()),
            _ => Ok((database, table)),
        }
    }

    fn conditions(&self, words: &mut Words, table: &Table) -> Result<Conditions> {
        let mut found = vec![Vec::new()];
        if words.eat("where") {
            loop {
                let column = column(table, &words.next("w")?, "where clause")?;
                let (mark, value) = match () {
                    () if words.eat("is not null") => ("not".to_owned(), String::new()),
                    () if words.eat("is null") => ("null".to_owned(), String::new()),
                    () if words.eat("like") => ("like".to_owned(), words.next("s")?),
                    () => {
                        let mark = words.next("p")?;
                        if !["=", "<", ">", "<=", ">=", "<>", "!="].contains(&mark.as_str()) {
                            words.at -= 1;
                            return words.error();
                        }
                        (mark, words.next("s")?)
                    }
                };
                if let Some(last) = found.last_mut() {
                    last.push((column, mark, value));
                }
                match () {
                    () if words.eat("and") => {}
                    () if words.eat("or") => found.push(Vec::new()),
                    () => break,
                }
            }
        }
        Ok(found)
    }

    fn run(&self, database: &str, sql: &str) -> Result<Answer> {
        let mut words = Words::of(sql);
        let w = &mut words;
        let changed = |count: usize| Ok(Answer::Changed(count, String::new()));
        if w.all.is_empty() {
            return changed(0);
        }
        let dir = |name: &str| format!("{DATA}/{name}");
        if w.eat("use") {
            let name = w.next("w")?;
            return match self.files.is_dir(&dir(&name)) {
                true => Ok(Answer::Database(name)),
                false => Err(format!("1049 (42000): Unknown database '{name}'")),
            };
        }
        if w.eat("show databases") || w.eat("show schemas") {
            let mut rows = self.names(DATA, "");
            rows.extend(["information_schema", "performance_schema", "sys"].map(str::to_owned));
            rows.retain(|name| name != "lost+found");
            rows.arrange();
            rows.insert(0, "Database".to_owned());
            return Ok(Answer::Rows(rows.into_iter().map(|name| vec![name]).collect()));
        }
        if w.eat("show tables") {
            let name = if w.eat("from") || w.eat("in") {
                w.next("w")?
            } else {
                database.to_owned()
            };
            if name.is_empty() {
                return Err("1046 (3D000): No database selected".to_owned());
            }
            let mut rows = self.names(&dir(&name), ".ibd");
            rows.insert(0, format!("Tables_in_{name}"));
            return Ok(Answer::Rows(rows.into_iter().map(|name| vec![name]).collect()));
        }
        if w.eat("create database") || w.eat("create schema") {
            let may = w.eat("if not exists");
            let name = w.next("w")?;
            return match self.files.is_dir(&dir(&name)) {
                true if !may => Err(format!("1007 (HY000): Can't create database '{name}'; database exists")),
                _ => {
                    let _ = self.files.make_dirs(&dir(&name));
                    changed(1)
                }
            };
        }
        if w.eat("drop database") || w.eat("drop schema") {
            let may = w.eat("if exists");
            let name = w.next("w")?;
            let tables = self.names(&dir(&name), ".ibd").len();
            return match self.files.remove_all(&dir(&name)) {
                Err(_) if !may => Err(format!(
                    "1008 (HY000): Can't drop database '{name}'; database doesn't exist"
                )),
                _ => changed(tables),
            };
        }
        if w.eat("create table") {
            let may = w.eat("if not exists");
            let (database, name) = self.place(w, database)?;
            match self.table(&database, &name) {
                Ok(_) if may => return changed(0),
                Ok(_) => return Err(format!("1050 (42S01): Table '{name}' already exists")),
                Err(why) if why.starts_with("1049") => return Err(why),
                Err(_) => {}
            }
            let (mut names, mut types) = (Vec::new(), Vec::<String>::new());
            for column in w.list()? {
                let (name, kind) = column.split_once(' ').unwrap_or((&column, ""));
                let kind = kind.to_ascii_lowercase();
                match name.split('(').next().unwrap_or_default().lower().as_str() {
                    // Keys of their own.
                    "primary" => {
                        let of = kind.split(['(', ')']).nth(1).unwrap_or_default();
                        for (name, kind) in names
                            .iter()
                            .zip(&mut types)
                            .filter(|(name, _)| of.split(',').any(|o| o == *name))
                        {
                            let _: &String = name;
                            kind.push_str(" primary key");
                        }
                    }
                    "key" | "index" | "unique" | "constraint" | "foreign" => {}
                    _ => {
                        names.push(name.to_owned());
                        types.push(kind);
                    }
                }
            }
            self.save(&Table {
                path: path_of(&database, &name),
                names,
                types,
                rows: Vec::new(),
            })?;
            return changed(0);
        }
        if w.eat("drop table") {
            let may = w.eat("if exists");
            let (database, name) = self.place(w, database)?;
            return match self.table(&database, &name) {
                Ok(table) => {
                    let _ = self.files.remove_file(&table.path);
                    changed(0)
                }
                Err(_) if may => changed(0),
                Err(_) => Err(format!("1051 (42S02): Unknown table '{database}.{name}'")),
            };
        }
        if w.eat("describe") || w.eat("desc") || w.eat("show columns from") {
            let (database, name) = self.place(w, database)?;
            let table = self.table(&database, &name)?;
            let mut rows = vec![
                ["Field", "Type", "Null", "Key", "Default", "Extra"]
                    .map(str::to_owned)
                    .to_vec(),
            ];
            for (name, kind) in table.names.iter().zip(&table.types) {
                let primary = kind.contains("primary key");
                let has = |text: &str, yes: &str, no: &str| (if kind.contains(text) { yes } else { no }).to_owned();
                rows.push(vec![
                    name.clone(),
                    kind.split(' ').next().unwrap_or_default().to_owned(),
                    if primary {
                        "NO".to_owned()
                    } else {
                        has("not null", "NO", "YES")
                    },
                    has("primary key", "PRI", ""),
                    "NULL".to_owned(),
                    has("auto_increment", "auto_increment", ""),
                ]);
            }
            return Ok(Answer::Rows(rows));
        }
        if w.eat("insert into") || w.eat("insert") {
            let (database, name) = self.place(w, database)?;
            let mut table = self.table(&database, &name)?;
            let mut given: Vec<usize> = (0..table.names.len()).collect();
            if w.all.get(w.at).is_some_and(|(_, text)| text == "(") {
                let names = w.list()?;
                given = names
                    .iter()
                    .map(|n| column(&table, n, "field list"))
                    .collect::<Result<_>>()?;
            }
            if !w.eat("values") {
                w.need("value")?;
            }
            let mut count = 0;
            loop {
                let values = w.list()?;
                count += 1;
                if values.len() != given.len() {
                    return Err(format!(
                        "1136 (21S01): Column count doesn't match value count at row {count}"
                    ));
                }
                let mut row = vec!["NULL".to_owned(); table.names.len()];
                for (column, value) in given.iter().zip(values) {
                    if let Some(cell) = row.get_mut(*column) {
                        *cell = self.value(&value, &database).unwrap_or(value);
                    }
                }
                for (i, kind) in table.types.iter().enumerate() {
                    let cells = table.rows.iter().filter_map(|r| r.get(i));
                    if let Some(cell) = row.get_mut(i).filter(|c| *c == "NULL" || *c == "DEFAULT")
                        && kind.contains("auto_increment")
                    {
                        *cell = (cells.filter_map(|c| c.parse::<i64>().ok()).max().unwrap_or(0) + 1).to_string();
                    } else if kind.contains("primary key")
                        && let Some(cell) = row.get(i).filter(|c| cells.clone().any(|other| other == *c))
                    {
                        return Err(format!(
                            "1062 (23000): Duplicate entry '{cell}' for key '{name}.PRIMARY'"
                        ));
                    }
                }
                table.rows.push(row);
                if !w.eat(",") {
                    break;
                }
            }
            self.save(&table)?;
            let more = if count > 1 {
                format!("Records: {count}  Duplicates: 0  Warnings: 0")
            } else {
                String::new()
            };
            return Ok(Answer::Changed(count, more));
        }
        if w.eat("delete from") {
            let (database, name) = self.place(w, database)?;
            let mut table = self.table(&database, &name)?;
            let conditions = self.conditions(w, &table)?;
            w.end()?;
            let before = table.rows.len();
            table.rows.retain(|row| !holds(row, &conditions));
            self.save(&table)?;
            return changed(before - table.rows.len());
        }
        if w.eat("update") {
            let (database, name) = self.place(w, database)?;
            let mut table = self.table(&database, &name)?;
            w.need("set")?;
            let mut set = Vec::new();
            loop {
                let column = column(&table, &w.next("w")?, "field list")?;
                w.need("=")?;
                let literal = w.is_literal();
                let value = w.next("ws")?;
                let known = if literal { None } else { self.value(&value, &database) };
                set.push((column, known.unwrap_or(value)));
                if !w.eat(",") {
                    break;
                }
            }
            let conditions = self.conditions(w, &table)?;
            w.end()?;
            let (mut matched, mut count) = (0, 0);
            for row in table.rows.iter_mut().filter(|row| holds(row, &conditions)) {
                let before = row.clone();
                for (column, value) in &set {
                    if let Some(cell) = row.get_mut(*column) {
                        *cell = value.clone();
                    }
                }
                matched += 1;
                count += usize::from(*row != before);
            }
            self.save(&table)?;
            return Ok(Answer::Changed(
                count,
                format!("Rows matched: {matched}  Changed: {count}  Warnings: 0"),
            ));
        }
        if w.eat("select") {
            return self.select(w, database);
        }
        if ["show", "alter", "grant", "set", "start", "flush", "begin", "commit"]
            .iter()
            .any(|word| w.eat(word))
        {
            return Err("1235 (42000): this statement is not simulated".to_owned());
        }
        w.error()
    }

    /// An expression without columns.
    fn value(&self, text: &str, database: &str) -> Option<String> {
        Some(match text.lower().as_str() {
            "null" => "NULL".to_owned(),
            "now()" | "current_timestamp" | "current_timestamp()" => {
                let now = self.sim.now().to_string();
                now.get(..19).unwrap_or_default().replace('T', " ")
            }
            "version()" | "@@version" => self.version.to_owned(),
            "@@server_id" => self.id.clone(),
            "@@hostname" => self.host.clone(),
            "database()" if database.is_empty() => "NULL".to_owned(),
            "database()" => database.to_owned(),
            "user()" | "current_user()" => "root@localhost".to_owned(),
            _ => return None,
        })
    }

    fn select(&self, w: &mut Words, database: &str) -> Result<Answer> {
        // The list's words, and the name of each column.
        let mut list: Vec<(char, String, String)> = Vec::new();
        loop {
            let (kind, mut text) = w.all.get(w.at).cloned().unwrap_or_default();
            w.at += 1;
            if w.eat("(") {
                text.push('(');
                while !w.eat(")") {
                    text.push_str(&w.next("wsp")?);
                }
                text.push(')');
            }
            let name = if w.eat("as") { w.next("ws")? } else { text.clone() };
            if text.is_empty() || (kind == 'p' && text != "*") {
                w.at -= 1;
                return w.error();
            }
            list.push((kind, text, name));
            if !w.eat(",") {
                break;
            }
        }
        let mut table = Table {
            path: String::new(),
            names: Vec::new(),
            types: Vec::new(),
            rows: vec![Vec::new()],
        };
        if w.eat("from") {
            let (database, name) = self.place(w, database)?;
            table = self.table(&database, &name)?;
        }
        let conditions = self.conditions(w, &table)?;
        table.rows.retain(|row| holds(row, &conditions));
        if w.eat("order by") {
            let by = column(&table, &w.next("w")?, "order clause")?;
            fn cell(row: &[String], at: usize) -> &str {
                row.get(at).map_or("", String::as_str)
            }
            table.rows.arrange_by(|a, b| order(cell(a, by), cell(b, by)));
            if w.eat("desc") {
                table.rows.reverse();
            }
            w.eat("asc");
        }
        if w.eat("limit") {
            match w.next("s")?.parse() {
                Ok(limit) => table.rows.truncate(limit),
                Err(_) => {
                    w.at -= 1;
                    return w.error();
                }
            }
        }
        w.end()?;
        let counts = list.iter().any(|(_, text, _)| text.lower().starts_with("count("));
        let total = table.rows.len().to_string();
        if counts {
            table.rows = vec![Vec::new()];
        }
        let mut out = vec![Vec::new(); table.rows.len() + 1];
        for (kind, text, name) in list {
            let columns: Vec<(String, Option<usize>)> = match text.as_str() {
                "*" => table.names.iter().cloned().zip((0..).map(Some)).collect(),
                _ => vec![(name, None)],
            };
            for (name, of) in columns {
                let fixed = match kind {
                    's' => Some(text.clone()),
                    _ if text.lower().starts_with("count(") => Some(total.clone()),
                    _ => self.value(&text, database),
                };
                let of = match (of, &fixed) {
                    (None, None) => Some(column(&table, &text, "field list")?),
                    (of, _) => of,
                };
                for (i, line) in out.iter_mut().enumerate() {
                    line.push(match (i.checked_sub(1), of) {
                        (None, _) => name.clone(),
                        (Some(row), Some(of)) => table
                            .rows
                            .get(row)
                            .and_then(|row| row.get(of))
                            .cloned()
                            .unwrap_or_default(),
                        (Some(_), None) => fixed.clone().unwrap_or_default(),
                    });
                }
            }
        }
        Ok(Answer::Rows(out))
    }
}

fn column(table: &Table, name: &str, clause: &str) -> Result<usize> {
    let found = table.names.iter().position(|n| n.eq_ignore_ascii_case(name));
    found.ok_or_else(|| format!("1054 (42S22): Unknown column '{name}' in '{clause}'"))
}

/// Rows below their header in a frame, as at a terminal.
fn framed(rows: &[Vec<&str>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let cell = |row: &[&str], i: usize| row.get(i).copied().unwrap_or("").to_owned();
    let widths: Vec<usize> = (0..columns)
        .map(|i| rows.iter().map(|row| cell(row, i).chars().count()).max().unwrap_or(0))
        .collect();
    let number = |row: &Vec<&str>, i| cell(row, i) == "NULL" || float::parse(&cell(row, i)).is_some();
    let numbers: Vec<bool> = (0..columns)
        .map(|i| rows.iter().skip(1).all(|row| number(row, i)) && rows.iter().skip(1).any(|row| cell(row, i) != "NULL"))
        .collect();
    let line: String = widths
        .iter()
        .map(|width| format!("+{}", "-".repeat(width + 2)))
        .collect();
    let mut out = format!("{line}+\n");
    for (n, row) in rows.iter().enumerate() {
        for (i, width) in widths.iter().enumerate() {
            let text = cell(row, i);
            out.push_str(&match numbers.get(i) {
                Some(true) if n > 0 => format!("| {text:>width$} "),
                _ => format!("| {text:<width$} "),
            });
        }
        out.push_str("|\n");
        if n == 0 {
            out.push_str(&format!("{line}+\n"));
        }
    }
    out + &line + "+\n"
}

async fn client(context: Context, sandbox: Rc<Sandbox>, version: &'static str) -> i32 {
    let (mut host, mut port, mut user, mut password) = (String::new(), 3306, "root".to_owned(), String::new());
    let (mut database, mut statements, mut names, mut table) =
        (String::new(), None, true, context.stdout.is_terminal());
    let mut asks = false;
    // In reverse, since what is left of bundled letters is read next.
    let mut args: Vec<String> = context.rest().iter().rev().cloned().collect();
    while let Some(arg) = args.pop() {
        let (name, value) = match arg.strip_prefix("--") {
            Some(long) => match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (long, None),
            },
            None if arg.starts_with('-') => {
                let letter = arg.get(1..2).unwrap_or_default();
                match arg.get(2..).filter(|rest| !rest.is_empty()) {
                    // Behind a letter without a value stands another one.
                    Some(rest) if "NtBsVf".contains(letter) => {
                        args.push(format!("-{rest}"));
                        (letter, None)
                    }
                    value => (letter, value.map(str::to_owned)),
                }
            }
            None => ("database", Some(arg.clone())),
        };
        let mut need = || value.clone().or_else(|| args.pop()).unwrap_or_default();
        match name {
            "h" | "host" => host = need(),
            "P" | "port" => port = need().parse().unwrap_or(3306),
            "u" | "user" => user = need(),
            "D" | "database" => database = need(),
            "e" | "execute" => statements = Some(need()),
            "p" | "password" => match value {
                Some(value) => {
                    password = value;
                    context
                        .stderr
                        .line("mysql: [Warning] Using a password on the command line interface can be insecure.");
                }
                None => asks = true,
            },
            "N" | "skip-column-names" => names = false,
            "t" | "table" => table = true,
            "B" | "batch" | "s" | "silent" => table = false,
            "protocol" | "ssl-mode" | "default-character-set" | "skip-ssl" | "force" | "f" => {}
            "V" | "version" => {
                context.stdout.line(format!(
                    "mysql  Ver {version} for Linux on x86_64 (MySQL Community Server - GPL)"
                ));
                return 0;
            }
            _ => {
                let why = if arg.starts_with("--") {
                    "unknown option"
                } else {
                    "[ERROR] unknown option"
                };
                context.stderr.line(format!("mysql: {why} '{arg}'."));
                return 2;
            }
        }
    }
    if asks {
        context.stdout.write("Enter password: ");
        password = context.stdin.read_line().await.unwrap_or_default();
        context.stdout.line("");
    }
    let ask =
        async |database: &str, sql: &str| -> Result<String> {
            let local = host.is_empty() || host == "localhost";
            let found = match local {
                true => Ok(vec![core::net::Ipv4Addr::LOCALHOST]),
                false => sandbox.network.resolve(&sandbox.origin, &host).await,
            };
            let ip = found.ok().and_then(|ips| ips.first().copied());
            let ip = ip.ok_or_else(|| format!("2005 (HY000): Unknown MySQL server host '{host}' (-2)"))?;
            let from = if local {
                "localhost".to_owned()
            } else {
                sandbox.origin.ip.to_string()
            };
            let request = [from.as_str(), &user, &password, database, sql].join("\0");
            match sandbox.network.exchange(&sandbox.origin, ip, port, request.into_bytes()).await {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(_) if local => Err(
                "2002 (HY000): Can't connect to local MySQL server through socket '/var/run/mysqld/mysqld.sock' (2)"
                    .to_owned(),
            ),
            Err(why) => {
                let number = if matches!(why, NetError::Refused) { 111 } else { 110 };
                Err(format!("2003 (HY000): Can't connect to MySQL server on '{host}:{port}' ({number})"))
            }
        }
        };
    let typed = context.stdin.is_terminal() && statements.is_none();
    // Prints an answer; the database that is in use from now on.
    let show = |answer: Result<String>| -> Result<Option<String>> {
        let answer = answer?;
        let (kind, text) = answer.split_at_checked(1).unwrap_or_default();
        match kind {
            "E" => return Err(text.to_owned()),
            "D" => {
                if typed {
                    context.stdout.line("Database changed");
                }
                return Ok(Some(text.to_owned()));
            }
            "R" => {
                let rows: Vec<Vec<&str>> = text.split('\n').map(|row| row.split('\t').collect()).collect();
                match rows.len() - 1 {
                    0 if typed => {
                        context.stdout.line("Empty set (0.00 sec)\n");
                    }
                    0 => {}
                    count => {
                        match table {
                            true => context.stdout.write(framed(&rows)),
                            false => {
                                let rows = rows.iter().skip(usize::from(!names)).map(|row| row.join("\t") + "\n");
                                context.stdout.write(rows.collect::<String>())
                            }
                        };
                        if typed {
                            let s = if count == 1 { "" } else { "s" };
                            context.stdout.line(format!("{count} row{s} in set (0.00 sec)\n"));
                        }
                    }
                }
            }
            _ if typed => {
                let (count, more) = text.split_once('\t').unwrap_or((text, ""));
                let s = if count == "1" { "" } else { "s" };
                let more = if more.is_empty() {
                    String::new()
                } else {
                    format!("{more}\n")
                };
                context
                    .stdout
                    .line(format!("Query OK, {count} row{s} affected (0.01 sec)\n{more}"));
            }
            _ => {}
        }
        Ok(None)
    };
    // Who may not come in is told at once.
    let begin = if database.is_empty() {
        String::new()
    } else {
        format!("use `{}`", database.replace('`', "``"))
    };
    let entered = match ask("", &begin).await {
        Ok(text) => text.strip_prefix('E').map_or(Ok(()), |why| Err(why.to_owned())),
        Err(why) => Err(why),
    };
    if let Err(why) = entered {
        context.stderr.line(format!("ERROR {why}"));
        return 1;
    }
    if typed {
        context.stdout.line(format!(
            "Welcome to the MySQL monitor.  Commands end with ; or \\g.\nYour MySQL connection id is 8\nServer version: \
             {version} MySQL Community Server - GPL\n\nType 'help;' or '\\h' for help. Type '\\c' to clear the current \
             input statement.\n"
        ));
    }
    let mut text = statements.clone().unwrap_or_default();
    let mut line_number = 0;
    loop {
        if statements.is_none() {
            if typed {
                context
                    .stdout
                    .write(if text.trim().is_empty() { "mysql> " } else { "    -> " });
            }
            match context.stdin.read_line().await {
                Some(line) => {
                    line_number += 1;
                    // `use` ends with its line.
                    let uses = text.trim().is_empty() && line.trim_start().lower().starts_with("use ");
                    text.push_str(&line);
                    text.push(if uses { ';' } else { '\n' });
                }
                None if typed => {
                    context.stdout.line("\nBye");
                    return 0;
                }
                None => {
                    statements = Some(String::new());
                    text.push(';');
                }
            }
        } else {
            line_number = 1;
            if !text.trim().is_empty() {
                text.push(';');
            }
        }
        if typed && matches!(text.trim().trim_end_matches(';'), "exit" | "quit" | "\\q") {
            context.stdout.line("Bye");
            return 0;
        }
        // At the end of all a quote that is still open hides the last semicolon, and the server says so.
        let ends = statements.is_some();
        while let Some((statement, rest)) =
            split(&text).or_else(|| Some((text.strip_suffix(';').filter(|_| ends)?, "")))
        {
            let (statement, rest) = (statement.trim().to_owned(), rest.to_owned());
            text = rest;
            if statement.is_empty() {
                continue;
            }
            match show(ask(&database, &statement).await) {
                Ok(place) => database = place.unwrap_or(database),
                Err(why) => {
                    let (number, rest) = why.split_once(": ").unwrap_or((&why, ""));
                    match typed {
                        true => context.stderr.line(format!("ERROR {why}")),
                        false => {
                            context
                                .stderr
                                .line(format!("ERROR {number} at line {line_number}: {rest}"));
                            return 1;
                        }
                    };
                }
            }
        }
        if statements.is_some() {
            return 0;
        }
    }
}

/// The first statement of a text, and what follows the `;`, `\g` or `\G` that ends it.
fn split(text: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    let mut chars = text.char_indices().peekable();
    while let Some((i, c)) = chars.next() {
        match quote {
            Some(_) if c == '\\' => {
                chars.next();
            }
            Some(q) if c == q => quote = None,
            Some(_) => {}
            None if "'\"`".contains(c) => quote = Some(c),
            None if c == ';' => return Some((text.get(..i)?, text.get(i + 1..)?)),
            None if c == '\\' && matches!(chars.peek(), Some((_, 'g' | 'G'))) => {
                return Some((text.get(..i)?, text.get(i + 2..)?));
            }
            None => {}
        }
    }
    None
}
