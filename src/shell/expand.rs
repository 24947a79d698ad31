//! Expansion: from a word's parts to the fields that a command gets. Order as bash's: braces, tilde,
//! parameters with commands and arithmetic, splitting, file names, quotes.

use futures::FutureExt;
use futures::future::LocalBoxFuture;

use super::accounts::Accounts;
use super::files;
use super::host::{Dialect, Fd};
use super::io::{Output, pipe};
use super::state::{Content, Flow, Guard, Run, State};
use super::syntax::*;
use super::words::{self, Glob};
use crate::flat::{Arrange, Case};
use crate::limits;

/// A stretch of an expanded word.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    Text {
        text: String,
        /// Its characters mean nothing to globs.
        quoted: bool,
        /// It is split at `$IFS`.
        split: bool,
    },
    /// Between two fields of `"$@"`.
    Break,
}

impl Piece {
    fn quoted(text: impl Into<String>) -> Piece {
        Piece::Text {
            text: text.into(),
            quoted: true,
            split: false,
        }
    }

    fn plain(text: impl Into<String>) -> Piece {
        Piece::Text {
            text: text.into(),
            quoted: false,
            split: false,
        }
    }

    fn result(text: impl Into<String>, in_double: bool) -> Piece {
        Piece::Text {
            text: text.into(),
            quoted: in_double,
            split: !in_double,
        }
    }
}

/// A parameter's value: nothing, one text, or several fields.
enum Value {
    Unset,
    Text(String),
    /// `$@` and `$*` and arrays; the flag says that it is `*`, which `"…"` joins.
    Fields(Vec<String>, bool),
}

impl State {
    /// A word's fields.
    pub async fn fields(&mut self, word: &Word) -> Run<Vec<String>> {
        // Most words are plain.
        if let [Part::Quoted(text)] = word.parts.as_slice() {
            return Ok(vec![text.clone()]);
        }
        let expanded = if self.dialect == Dialect::Bash {
            words::expand_braces(&word.parts)
        } else {
            Some(vec![word.parts.clone()])
        };
        let Some(expanded) = expanded else {
            return self.abort(format!("brace expansion gives more than {} words", limits::SHELL_WORDS));
        };
        let mut fields = Vec::new();
        for parts in expanded {
            let mut pieces = Vec::new();
            self.pieces(&parts, false, &mut pieces).await?;
            let tilde = self.tilde(&parts, false);
            if let (Some(home), Some(Piece::Text { text, .. })) = (tilde, pieces.first_mut()) {
                let rest = text
                    .find('/')
                    .map_or("", |i| text.get(i..).unwrap_or_default())
                    .to_owned();
                *text = rest;
                pieces.insert(0, Piece::quoted(home));
            }
            for field in self.split(pieces) {
                if !self.options.noglob {
                    let pattern = pattern_of(&field);
                    if words::has_glob(&pattern) {
                        let found = self.glob(&pattern);
                        if !found.is_empty() {
                            fields.extend(found);
                            continue;
                        }
                        if self.options.nullglob {
                            continue;
                        }
                    }
                }
                fields.push(field.into_iter().map(|(text, _)| text).collect());
            }
            if fields.len() > limits::SHELL_WORDS {
                return self.abort(format!("an expansion gives more than {} words", limits::SHELL_WORDS));
            }
        }
        Ok(fields)
    }

    /// A word's text, neither split nor globbed: for assignments, here-strings, `case`.
    pub async fn text(&mut self, word: &Word) -> Run<String> {
        if let [Part::Quoted(text)] = word.parts.as_slice() {
            return Ok(text.clone());
        }
        self.text_of(&word.parts).await
    }

    pub async fn text_of(&mut self, parts: &[Part]) -> Run<String> {
        let mut pieces = Vec::new();
        self.pieces(parts, false, &mut pieces).await?;
        Ok(join(&pieces))
    }

    /// The text of an assignment's right side: tildes live after `=` and `:`.
    pub async fn assigned_text(&mut self, word: &Word) -> Run<String> {
        let mut parts = word.parts.clone();
        if let Some(Part::Literal(text)) = parts.first_mut()
            && let Some(home) = self.get("HOME")
        {
            let pieces: Vec<String> = text
                .split(':')
                .map(|p| match p.strip_prefix('~') {
                    Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{home}{rest}"),
                    _ => p.to_owned(),
                })
                .collect();
            *text = pieces.join(":");
        }
        self.text_of(&parts).await
    }

    /// A word as a glob pattern: what was quoted is guarded.
    pub async fn pattern(&mut self, word: &Word) -> Run<String> {
        let mut pieces = Vec::new();
        self.pieces(&word.parts, false, &mut pieces).await?;
        if let (Some(home), Some(Piece::Text { text, .. })) = (self.tilde(&word.parts, false), pieces.first_mut()) {
            let rest = text
                .find('/')
                .map_or("", |i| text.get(i..).unwrap_or_default())
                .to_owned();
            *text = format!("{home}{rest}");
        }
        Ok(pieces
            .iter()
            .map(|p| match p {
                Piece::Text { text, quoted: true, .. } => words::escape_glob(text),
                Piece::Text { text, .. } => text.clone(),
                Piece::Break => " ".to_owned(),
            })
            .collect())
    }

    /// A word as an extended regular expression: what was quoted is guarded.
    pub async fn regex(&mut self, word: &Word) -> Run<String> {
        let mut pieces = Vec::new();
        self.pieces(&word.parts, false, &mut pieces).await?;
        let mut out = String::new();
        for piece in &pieces {
            match piece {
                Piece::Text { text, quoted: true, .. } => {
                    for c in text.chars() {
                        if "\\.[]()*+?{}|^$".contains(c) {
                            out.push('\\');
                        }
                        out.push(c);
                    }
                }
                Piece::Text { text, .. } => out.push_str(text),
                Piece::Break => out.push(' '),
            }
        }
        Ok(out)
    }

    /// The value of an arithmetic expression.
    pub async fn arith(&mut self, parts: &[Part]) -> Run<i64> {
        let text = self.text_of(parts).await?;
        match super::arith::evaluate(&text, self) {
            Ok(value) => Ok(value),
            Err(message) => self.abort(message),
        }
    }

    /// What a leading `~` stands for.
    fn tilde(&self, parts: &[Part], _assign: bool) -> Option<String> {
        let Some(Part::Literal(text)) = parts.first() else {
            return None;
        };
        let rest = text.strip_prefix('~')?;
        let user = rest.split('/').next().unwrap_or_default();
        // `~"x"` is not a tilde expansion: the user's name must be plain up to a slash.
        if user.len() == rest.len() && parts.len() > 1 {
            return None;
        }
        match user {
            "" => Some(self.get("HOME").unwrap_or_else(|| "/root".to_owned())),
            "+" => Some(self.cwd.clone()),
            "-" => self.get("OLDPWD"),
            name => Accounts::of(self.host.files()).home(name).map(str::to_owned),
        }
    }

    fn pieces<'a>(
        &'a mut self,
        parts: &'a [Part],
        in_double: bool,
        out: &'a mut Vec<Piece>,
    ) -> LocalBoxFuture<'a, Run<()>> {
        async move {
            for part in parts {
                match part {
                    Part::Literal(text) if in_double => out.push(Piece::quoted(text.clone())),
                    Part::Literal(text) => out.push(Piece::plain(text.clone())),
                    Part::Quoted(text) => out.push(Piece::quoted(text.clone())),
                    Part::Double(inner) => {
                        let before = out.len();
                        self.pieces(inner, true, out).await?;
                        let only_fields = !inner.is_empty() && inner.iter().all(is_at);
                        if out.len() == before && !only_fields {
                            out.push(Piece::quoted(""));
                        }
                    }
                    Part::Param(param) => self.param(param, in_double, out).await?,
                    Part::Command(list) => {
                        let text = self.capture(list).await?;
                        out.push(Piece::result(text, in_double));
                    }
                    Part::Arith(parts) => {
                        let value = self.arith(parts).await?;
                        out.push(Piece::result(value.to_string(), in_double));
                    }
                    Part::Process(read, list) => {
                        let path = self.process_substitution(*read, list)?;
                        out.push(Piece::quoted(path));
                    }
                    Part::Bad(message) => return self.abort(message),
                }
            }
            Ok(())
        }
        .boxed_local()
    }

    /// The output of a command, without its last line feeds.
    pub async fn capture(&mut self, list: &List) -> Run<String> {
        self.check_fork()?;
        if let Some(target) = only_input(list) {
            // `$(<file)` is the file's text.
            let path = self.text(target).await?;
            let text = match self.open_input(&path) {
                Ok(input) => input.read_text().await,
                Err(error) => {
                    self.error(format!("{path}: {error}"));
                    self.substituted = Some(1);
                    return Ok(String::new());
                }
            };
            self.substituted = Some(0);
            return Ok(text.trim_end_matches('\n').to_owned());
        }
        let mut child = self.subshell();
        child.interactive = false;
        child.substituting += 1;
        let (output, buffer) = Output::buffer();
        child.stdout = output.for_process(&child.process);
        let process = child.process.clone();
        let code = process.run(async move { child.run_to_end(list).await }).await;
        self.substituted = Some(code);
        self.last = code;
        let bytes = std::mem::take(&mut *buffer.borrow_mut());
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        text.retain(|c| c != '\0');
        text.truncate(text.trim_end_matches('\n').len());
        Ok(text)
    }

    fn process_substitution(&mut self, read: bool, list: &List) -> Run<String> {
        self.check_fork()?;
        let n = (10..64).rev().find(|n| !self.fds.contains_key(n));
        let Some(n) = n else {
            return self.abort("too many process substitutions");
        };
        let mut child = self.subshell();
        let (output, input) = pipe();
        let fd = if read {
            child.stdout = output.for_process(&child.process);
            Fd::In(input)
        } else {
            child.stdin = input;
            Fd::Out(output.for_process(&self.process))
        };
        let list = list.clone();
        let process = child.process.clone();
        self.last_background = Some(process.pid());
        let handle = self.sim.spawn("process substitution", async move {
            process
                .run(async move {
                    let code = child.run_to_end(&list).await;
                    child.release_jobs();
                    code
                })
                .await;
        });
        self.substitutions.push(Guard::new(handle));
        self.set_fd(n, fd);
        Ok(format!("/dev/fd/{n}"))
    }

    fn parameter(&mut self, name: &str) -> Value {
        let text = |t: String| Value::Text(t);
        match name {
            "@" => Value::Fields(self.args.clone(), false),
            "*" => Value::Fields(self.args.clone(), true),
            "#" => text(self.args.len().to_string()),
            "?" => text(self.last.to_string()),
            "$" => text(self.process_id().to_string()),
            "!" => self.last_background.map_or(Value::Unset, |p| text(p.to_string())),
            "-" => text(self.flags()),
            "0" => text(self.name.clone()),
            n if n.starts_with(|c: char| c.is_ascii_digit()) => n
                .parse::<usize>()
                .ok()
                .and_then(|i| self.args.get(i.wrapping_sub(1)).cloned())
                .map_or(Value::Unset, text),
            n => self.get(n).map_or(Value::Unset, text),
        }
    }

    /// `$$`: of the main shell, in subshells too.
    fn process_id(&self) -> u32 {
        let mut pid = self.process.pid();
        let mut parent = self.process.parent();
        for _ in 0..self.subshells {
            pid = parent;
            parent = self.host.processes().get(pid).map_or(0, |p| p.parent());
        }
        pid
    }

    async fn param(&mut self, param: &Param, in_double: bool, out: &mut Vec<Piece>) -> Run<()> {
        let mut name = param.name.clone();
        if matches!(param.op, Op::Names) {
            let names: Vec<String> = self.vars.keys().filter(|k| k.starts_with(&name)).cloned().collect();
            self.push_value(Value::Fields(names, !in_double), in_double, out);
            return Ok(());
        }
        if matches!(param.op, Op::Keys) {
            let keys = self.elements(&name).into_iter().map(|(k, _)| k).collect();
            let star = matches!(param.index, Some(Index::Star));
            self.push_value(Value::Fields(keys, star), in_double, out);
            return Ok(());
        }
        let mut index_text = None;
        if param.indirect {
            let target = match self.resolve(&name) {
                target if target != name => {
                    let target = target.to_owned();
                    self.push_value(Value::Text(target), in_double, out);
                    return Ok(());
                }
                _ => match self.parameter(&name) {
                    Value::Text(t) => t,
                    _ => String::new(),
                },
            };
            if target.is_empty() {
                return self.abort(format!("{name}: invalid indirect expansion"));
            }
            match target.split_once('[') {
                Some((base, index)) => {
                    index_text = Some(index.trim_end_matches(']').to_owned());
                    name = base.to_owned();
                }
                None => name = target,
            }
        }
        let value = match &param.index {
            Some(Index::At) => Value::Fields(self.elements(&name).into_iter().map(|(_, v)| v).collect(), false),
            Some(Index::Star) => Value::Fields(self.elements(&name).into_iter().map(|(_, v)| v).collect(), true),
            Some(Index::Expr(parts)) => {
                let key = self.text_of(parts).await?;
                self.element_value(&name, &key)?
            }
            None => match index_text {
                Some(key) if key == "@" || key == "*" => {
                    Value::Fields(self.elements(&name).into_iter().map(|(_, v)| v).collect(), key == "*")
                }
                Some(key) => self.element_value(&name, &key)?,
                None => self.parameter(&name),
            },
        };
        let shown = name;
        let is_unset = match &value {
            Value::Unset => true,
            Value::Fields(f, _) => f.is_empty(),
            Value::Text(_) => false,
        };
        let is_null = match &value {
            Value::Unset => true,
            Value::Text(t) => t.is_empty(),
            Value::Fields(f, _) => f.iter().all(String::is_empty) && f.len() < 2,
        };
        if let Op::Default(c, colon, word) = &param.op {
            let missing = if *colon { is_null } else { is_unset };
            match (c, missing) {
                ('-', true) | ('+', false) => {
                    return self.default_word(word, in_double, out).await;
                }
                ('+', true) => {
                    if in_double {
                        out.push(Piece::quoted(""));
                    }
                    return Ok(());
                }
                ('=', true) => {
                    let text = self.text(word).await?;
                    let assigned = match &param.index {
                        None => self.set(&shown, text.clone()),
                        Some(Index::Expr(parts)) => {
                            let key = self.text_of(parts).await?;
                            self.set_element(&shown, &key, text.clone())
                        }
                        _ => Err(format!("{shown}: bad array subscript")),
                    };
                    if let Err(message) = assigned {
                        return self.abort(message);
                    }
                    out.push(Piece::result(text, in_double));
                    return Ok(());
                }
                ('?', true) => {
                    let mut text = self.text(word).await?;
                    if word.parts.is_empty() {
                        text = if *colon {
                            "parameter null or not set"
                        } else {
                            "parameter not set"
                        }
                        .to_owned();
                    }
                    self.error(format!("{shown}: {text}"));
                    return Err(Flow::Abort(if self.dialect == Dialect::Dash { 2 } else { 127 }));
                }
                _ => {
                    self.push_value(value, in_double, out);
                    return Ok(());
                }
            }
        }
        let special = matches!(shown.as_str(), "@" | "*") || matches!(param.index, Some(Index::At | Index::Star));
        if is_unset && self.options.nounset && !special {
            let dollar = if shown.starts_with(|c: char| c.is_ascii_digit()) {
                "$"
            } else {
                ""
            };
            self.error(format!("{dollar}{shown}: unbound variable"));
            return Err(Flow::Abort(if self.interactive { 1 } else { 127 }));
        }
        let value = match &param.op {
            Op::None | Op::Names | Op::Keys | Op::Default(..) => value,
            Op::Length => Value::Text(match &value {
                Value::Unset => "0".to_owned(),
                Value::Text(t) => t.chars().count().to_string(),
                Value::Fields(f, _) => f.len().to_string(),
            }),
            Op::Trim {
                suffix,
                longest,
                pattern,
            } => {
                let glob = Glob::new(&self.pattern(pattern).await?);
                map(value, |t| trim(&t, &glob, *suffix, *longest))
            }
            Op::Replace { pattern, with, mode } => {
                let glob = Glob::new(&self.pattern(pattern).await?);
                let mut pieces = Vec::new();
                self.pieces(&with.parts, false, &mut pieces).await?;
                let mut too_long = false;
                let value = map(value, |t| {
                    let replaced = replace(&t, &glob, &pieces, *mode);
                    too_long |= replaced.len() > limits::SHELL_WORD_BYTES;
                    replaced
                });
                if too_long {
                    return self.abort(format!(
                        "{shown}: result is longer than {} bytes",
                        limits::SHELL_WORD_BYTES
                    ));
                }
                value
            }
            Op::Case { upper, all, pattern } => {
                let pattern = self.pattern(pattern).await?;
                let glob = (!pattern.is_empty()).then(|| Glob::new(&pattern));
                map(value, |t| change_case(&t, glob.as_ref(), *upper, *all))
            }
            Op::Slice(offset, length) => {
                let offset = self.arith(offset).await?;
                let length = match length {
                    Some(parts) => Some(self.arith(parts).await?),
                    None => None,
                };
                match value {
                    Value::Fields(mut fields, star) => {
                        if special && param.index.is_none() {
                            // `${@:0}` counts `$0`.
                            fields.insert(0, self.name.clone());
                            if offset == 0 && length.is_none() {
                                // All, with `$0`.
                            }
                        }
                        match slice_range(fields.len(), offset, length, true) {
                            Some((from, to)) => Value::Fields(fields.get(from..to).unwrap_or_default().to_vec(), star),
                            None => {
                                let l = length.unwrap_or(0);
                                return self.abort(format!("{l}: substring expression < 0"));
                            }
                        }
                    }
                    Value::Text(text) => {
                        let chars: Vec<char> = text.chars().collect();
                        match slice_range(chars.len(), offset, length, false) {
                            Some((from, to)) => Value::Text(chars.get(from..to).unwrap_or_default().iter().collect()),
                            None => {
                                let l = length.unwrap_or(0);
                                return self.abort(format!("{l}: substring expression < 0"));
                            }
                        }
                    }
                    Value::Unset => Value::Unset,
                }
            }
            Op::Transform(c) => match c {
                'Q' => map(value, |t| format!("'{}'", t.replace('\'', "'\\''"))),
                'U' => map(value, |t| t.upper()),
                'L' => map(value, |t| t.lower()),
                'u' => map(value, |t| change_case(&t, None, true, false)),
                'E' => map(value, |t| {
                    String::from_utf8_lossy(&words::unescape(&t, words::Escapes::Dollar)).into_owned()
                }),
                c => return self.abort(format!("${{{}@{c}}}: bad substitution", param.name)),
            },
        };
        self.push_value(value, in_double, out);
        Ok(())
    }

    fn element_value(&mut self, name: &str, key: &str) -> Run<Value> {
        if self.is_map(name)
            && let Some(Content::Map(map)) = self.vars.get(self.resolve(name)).and_then(|v| v.content.as_ref())
        {
            return Ok(map.get(key).cloned().map_or(Value::Unset, Value::Text));
        }
        let i = match super::arith::evaluate(key, self) {
            Ok(i) => i,
            Err(message) => return self.abort(message),
        };
        Ok(self.element(name, i).map_or(Value::Unset, Value::Text))
    }

    /// The word of `${x:-word}`: its unquoted results are split like others.
    async fn default_word(&mut self, word: &Word, in_double: bool, out: &mut Vec<Piece>) -> Run<()> {
        let mut pieces = Vec::new();
        let mut parts = word.parts.clone();
        if let (false, Some(home), Some(Part::Literal(text))) =
            (in_double, self.tilde(&word.parts, false), parts.first_mut())
        {
            let rest = text
                .find('/')
                .map_or("", |i| text.get(i..).unwrap_or_default())
                .to_owned();
            *text = format!("{home}{rest}");
        }
        self.pieces(&parts, in_double, &mut pieces).await?;
        if pieces.is_empty() && in_double {
            out.push(Piece::quoted(""));
        }
        for piece in pieces {
            out.push(match piece {
                Piece::Text {
                    text, quoted: false, ..
                } => Piece::Text {
                    text,
                    quoted: false,
                    split: true,
                },
                piece => piece,
            });
        }
        Ok(())
    }

    fn push_value(&self, value: Value, in_double: bool, out: &mut Vec<Piece>) {
        match value {
            Value::Unset => {
                if in_double {
                    out.push(Piece::quoted(""));
                }
            }
            Value::Text(text) => out.push(Piece::result(text, in_double)),
            Value::Fields(fields, true) if in_double => {
                let separator = self.ifs().chars().next().map(String::from).unwrap_or_default();
                out.push(Piece::quoted(fields.join(&separator)));
            }
            Value::Fields(fields, _) => {
                for (i, field) in fields.into_iter().enumerate() {
                    if i > 0 {
                        out.push(Piece::Break);
                    }
                    out.push(Piece::result(field, in_double));
                }
            }
        }
    }

    /// Splits pieces into fields, each a list of stretches with whether they were quoted.
    fn split(&self, pieces: Vec<Piece>) -> Vec<Vec<(String, bool)>> {
        let ifs = self.ifs();
        let mut fields: Vec<Vec<(String, bool)>> = Vec::new();
        let mut current: Option<Vec<(String, bool)>> = None;
        // Whether the last delimiter was white space, after which one other delimiter adds nothing.
        let mut after_space = false;
        for piece in pieces {
            match piece {
                Piece::Break => fields.extend(current.take()),
                Piece::Text {
                    text,
                    quoted,
                    split: false,
                } => {
                    if !text.is_empty() || quoted {
                        current.get_or_insert_with(Vec::new).push((text, quoted));
                        after_space = false;
                    }
                }
                Piece::Text { text, .. } => {
                    let mut stretch = String::new();
                    for c in text.chars() {
                        if !ifs.contains(c) {
                            stretch.push(c);
                            after_space = false;
                            continue;
                        }
                        if !stretch.is_empty() {
                            current
                                .get_or_insert_with(Vec::new)
                                .push((std::mem::take(&mut stretch), false));
                        }
                        if c.is_ascii_whitespace() {
                            if let Some(field) = current.take() {
                                fields.push(field);
                                after_space = true;
                            }
                        } else {
                            match current.take() {
                                Some(field) => fields.push(field),
                                None if after_space => {}
                                None => fields.push(Vec::new()),
                            }
                            after_space = false;
                        }
                    }
                    if !stretch.is_empty() {
                        current.get_or_insert_with(Vec::new).push((stretch, false));
                    }
                }
            }
        }
        fields.extend(current);
        fields
    }

    /// The paths that a pattern matches, sorted.
    pub fn glob(&self, pattern: &str) -> Vec<String> {
        let files = self.host.files();
        let (mut found, rest): (Vec<String>, &str) = if pattern.starts_with('/') {
            (vec!["/".to_owned()], pattern.trim_start_matches('/'))
        } else {
            (vec![String::new()], pattern)
        };
        let parts: Vec<&str> = rest.split('/').collect();
        for (i, part) in parts.iter().enumerate() {
            let last = i + 1 == parts.len();
            let mut next = Vec::new();
            for base in &found {
                if part.is_empty() {
                    // A trailing or doubled slash: only directories.
                    if files.is_dir(&files::join(&self.cwd, base)) {
                        next.push(if base.ends_with('/') {
                            base.clone()
                        } else {
                            format!("{base}/")
                        });
                    }
                    continue;
                }
                let glue = if base.is_empty() || base.ends_with('/') {
                    ""
                } else {
                    "/"
                };
                if !words::has_glob(part) {
                    let path = format!("{base}{glue}{}", words::unescape_glob(part));
                    if files.stat(&files::join(&self.cwd, &path), false).is_ok() {
                        next.push(path);
                    }
                    continue;
                }
                if *part == "**" && self.options.globstar {
                    self.glob_below(base, last, 0, &mut next);
                    continue;
                }
                let dir = if base.is_empty() {
                    self.cwd.clone()
                } else {
                    files::join(&self.cwd, base)
                };
                let glob = Glob::new(part);
                for (name, _) in files.list(&dir).unwrap_or_default() {
                    if name.starts_with('.') && !part.starts_with('.') && !self.options.dotglob {
                        continue;
                    }
                    if !glob.matches(&name) {
                        continue;
                    }
                    let path = format!("{base}{glue}{name}");
                    if last || files.is_dir(&files::join(&self.cwd, &path)) {
                        next.push(path);
                    }
                }
                if next.len() > limits::SHELL_WORDS {
                    break;
                }
            }
            found = next;
        }
        found.arrange();
        found
    }

    /// What `**` stands for: a directory and all below it, with the files when it is the pattern's end.
    fn glob_below(&self, base: &str, last: bool, depth: usize, found: &mut Vec<String>) {
        let whole = last && !base.is_empty() && depth == 0;
        if whole || !last {
            found.push(match base {
                base if whole && !base.ends_with('/') => format!("{base}/"),
                base => base.to_owned(),
            });
        }
        if depth > limits::SHELL_DEPTH || found.len() > limits::SHELL_WORDS {
            return;
        }
        let files = self.host.files();
        for (name, stat) in files.list(&files::join(&self.cwd, base)).unwrap_or_default() {
            if name.starts_with('.') && !self.options.dotglob {
                continue;
            }
            let glue = if base.is_empty() || base.ends_with('/') {
                ""
            } else {
                "/"
            };
            let path = format!("{base}{glue}{name}");
            if last {
                found.push(path.clone());
            }
            if stat.kind == files::FileKind::Directory {
                self.glob_below(&path, last, depth + 1, found);
            }
        }
    }

    pub fn check_depth(&self) -> Run<()> {
        if self.nesting() >= limits::SHELL_DEPTH {
            self.error(format!(
                "commands are nested more than {} levels deep",
                limits::SHELL_DEPTH
            ));
            return Err(Flow::TooDeep);
        }
        Ok(())
    }

    /// Whether a subshell can be made here.
    pub fn check_fork(&self) -> Run<()> {
        if self.host.processes().are_full() {
            self.error("fork: Resource temporarily unavailable");
            return Err(Flow::Abort(254));
        }
        self.check_depth()
    }
}

/// The file of `$(<file)`.
fn only_input(list: &List) -> Option<&Word> {
    let [item] = list.as_slice() else { return None };
    let [command] = item.chain.first.commands.as_slice() else {
        return None;
    };
    match (&command.kind, command.redirects.as_slice()) {
        (Kind::Simple { assigns, words }, [redirect])
            if assigns.is_empty()
                && words.is_empty()
                && item.chain.rest.is_empty()
                && redirect.op == RedirectOp::Read
                && redirect.fd.unwrap_or(0) == 0 =>
        {
            Some(&redirect.target)
        }
        _ => None,
    }
}

fn is_at(part: &Part) -> bool {
    match part {
        Part::Param(p) => {
            (p.name == "@" && p.index.is_none() || matches!(p.index, Some(Index::At)))
                && matches!(p.op, Op::None | Op::Keys | Op::Slice(..))
        }
        _ => false,
    }
}

fn join(pieces: &[Piece]) -> String {
    let mut out = String::new();
    for piece in pieces {
        match piece {
            Piece::Text { text, .. } => out.push_str(text),
            Piece::Break => out.push(' '),
        }
    }
    out
}

fn pattern_of(field: &[(String, bool)]) -> String {
    field
        .iter()
        .map(|(text, quoted)| {
            if *quoted {
                words::escape_glob(text)
            } else {
                text.clone()
            }
        })
        .collect()
}

fn map(value: Value, mut f: impl FnMut(String) -> String) -> Value {
    match value {
        Value::Unset => Value::Unset,
        Value::Text(t) => Value::Text(f(t)),
        Value::Fields(fields, star) => Value::Fields(fields.into_iter().map(f).collect(), star),
    }
}

fn trim(text: &str, glob: &Glob, suffix: bool, longest: bool) -> String {
    let chars: Vec<char> = text.chars().collect();
    let n = chars.len();
    // Cut lengths from the wanted end.
    let lengths: Box<dyn Iterator<Item = usize>> = if longest {
        Box::new((0..=n).rev())
    } else {
        Box::new(0..=n)
    };
    for cut in lengths {
        let (piece, rest) = if suffix {
            (chars.get(n - cut..), chars.get(..n - cut))
        } else {
            (chars.get(..cut), chars.get(cut..))
        };
        if let (Some(piece), Some(rest)) = (piece, rest)
            && glob.matches_chars(piece)
        {
            return rest.iter().collect();
        }
    }
    text.to_owned()
}

fn replace(text: &str, glob: &Glob, with: &[Piece], mode: char) -> String {
    let chars: Vec<char> = text.chars().collect();
    let n = chars.len();
    let mut out = String::new();
    let mut i = 0;
    let longest_at = |i: usize| {
        (i..=n)
            .rev()
            .find(|j| chars.get(i..*j).is_some_and(|piece| glob.matches_chars(piece)))
    };
    // An unquoted `&` stands for what matched.
    let put = |out: &mut String, from: usize, to: usize| {
        let matched: String = chars.get(from..to).unwrap_or_default().iter().collect();
        for piece in with {
            match piece {
                Piece::Text {
                    text, quoted: false, ..
                } => out.push_str(&text.replace('&', &matched)),
                Piece::Text { text, .. } => out.push_str(text),
                Piece::Break => out.push(' '),
            }
        }
    };
    match mode {
        '%' => {
            for i in 0..=n {
                if chars.get(i..).is_some_and(|piece| glob.matches_chars(piece)) {
                    out.extend(chars.get(..i).unwrap_or_default());
                    put(&mut out, i, n);
                    return out;
                }
            }
            return text.to_owned();
        }
        '#' => {
            return match longest_at(0) {
                Some(j) => {
                    put(&mut out, 0, j);
                    out.extend(chars.get(j..).unwrap_or_default());
                    out
                }
                None => text.to_owned(),
            };
        }
        _ => {}
    }
    while i < n {
        match longest_at(i) {
            Some(j) if j > i => {
                put(&mut out, i, j);
                i = j;
                if mode == '1' || out.len() > limits::SHELL_WORD_BYTES {
                    break;
                }
            }
            _ => {
                out.extend(chars.get(i));
                i += 1;
            }
        }
    }
    out.extend(chars.get(i..).unwrap_or_default());
    out
}

fn change_case(text: &str, glob: Option<&Glob>, upper: bool, all: bool) -> String {
    let mut out = String::new();
    for (i, c) in text.chars().enumerate() {
        let change = (all || i == 0) && glob.is_none_or(|g| g.matches_chars(&[c]));
        if !change {
            out.push(c);
        } else if upper {
            out.push(c.upper());
        } else {
            out.push(c.lower());
        }
    }
    out
}

fn slice_range(len: usize, offset: i64, length: Option<i64>, fields: bool) -> Option<(usize, usize)> {
    let len = len as i64;
    let from = if offset < 0 { len + offset } else { offset };
    if from < 0 || from > len {
        return Some((0, 0));
    }
    let to = match length {
        None => len,
        Some(l) if l < 0 => {
            if fields || len + l < from {
                return None;
            }
            len + l
        }
        Some(l) => (from.saturating_add(l)).min(len),
    };
    Some((from as usize, to as usize))
}
