//! One line being edited: its text, the cursor, the history, and the escape sequences that keep the
//! screen right. Pure: keys go in, output comes out.

use std::cell::RefCell;
use std::rc::Rc;

use super::keys::Key;
use super::{prompt_width, width};
use crate::limits;

/// What a key led to, beside what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Nothing,
    /// The line is finished.
    Line(String),
    /// Ctrl-C: the line is dropped.
    Interrupted,
    /// Ctrl-D on an empty line.
    Ended,
    /// Tab.
    Complete,
}

struct Search {
    text: String,
    /// The entry that is shown.
    at: Option<usize>,
    before: Vec<String>,
    cursor_before: usize,
}

/// The line editor. Positions count grapheme clusters.
pub(super) struct LineEditor {
    prompt: String,
    cells: Vec<String>,
    cursor: usize,
    columns: usize,
    /// The row of the cursor below the prompt's row, as it is on the screen.
    row: usize,
    history: Rc<RefCell<Vec<String>>>,
    /// The history entry being shown, and the line from before.
    at: Option<usize>,
    draft: Vec<String>,
    kill: Vec<String>,
    undo: Vec<(Vec<String>, usize)>,
    search: Option<Search>,
    pub output: String,
}

/// Cuts text into clusters: a character and the marks that belong to it.
fn clusters(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut joined = false;
    for c in text.chars() {
        let mark = unicode_width::UnicodeWidthChar::width(c) == Some(0) && !c.is_control();
        match out.last_mut() {
            Some(last) if (mark || joined) && last != "\n" => last.push(c),
            _ => out.push(c.to_string()),
        }
        // A zero-width joiner binds the next character too.
        joined = c == '\u{200d}';
    }
    out
}

fn is_word(cell: &str) -> bool {
    cell.chars().next().is_some_and(|c| c.is_alphanumeric() || c == '_')
}

impl LineEditor {
    pub fn new(history: Rc<RefCell<Vec<String>>>, columns: u16) -> LineEditor {
        LineEditor {
            prompt: String::new(),
            cells: Vec::new(),
            cursor: 0,
            columns: usize::from(columns).max(2),
            row: 0,
            history,
            at: None,
            draft: Vec::new(),
            kill: Vec::new(),
            undo: Vec::new(),
            search: None,
            output: String::new(),
        }
    }

    /// Begins a line behind a prompt, with nothing in it.
    pub fn begin(&mut self, prompt: &str) {
        self.prompt = prompt.to_owned();
        self.cells.clear();
        self.cursor = 0;
        self.row = 0;
        self.at = None;
        self.undo.clear();
        self.search = None;
        self.output.push_str(prompt);
        self.force_wrap();
    }

    /// The text.
    pub fn text(&self) -> String {
        self.cells.concat()
    }

    /// The text before the cursor.
    pub fn before_cursor(&self) -> String {
        self.cells.get(..self.cursor).unwrap_or_default().concat()
    }

    /// What was written for the screen since the last call.
    pub fn take_output(&mut self) -> String {
        std::mem::take(&mut self.output)
    }

    // The screen.

    /// The prompt as shown, with its cells.
    fn shown_prompt(&self) -> String {
        match &self.search {
            None => self.prompt.clone(),
            Some(s) => {
                let failed = if s.at.is_none() && !s.text.is_empty() {
                    "failed "
                } else {
                    ""
                };
                format!("({failed}reverse-i-search)`{}': ", s.text)
            }
        }
    }

    /// The row and column after the prompt and the first `count` cells.
    fn place(&self, count: usize) -> (usize, usize) {
        let mut row = 0;
        let mut column = prompt_width(&self.shown_prompt());
        row += column / self.columns;
        column %= self.columns;
        for cell in self.cells.iter().take(count) {
            if cell == "\n" {
                row += 1;
                column = 0;
                continue;
            }
            let w = shown(cell).1;
            if column + w > self.columns {
                // A wide character that does not fit goes to the next row whole.
                row += 1;
                column = 0;
            }
            column += w;
            if column == self.columns {
                row += 1;
                column = 0;
            }
        }
        (row, column)
    }

    /// Moves on to the next row when the text ends at the right edge, where terminals wait.
    fn force_wrap(&mut self) {
        let (row, column) = self.place(self.cells.len());
        let ends_in_newline = self.cells.last().is_some_and(|c| c == "\n");
        if column == 0 && row > 0 && !ends_in_newline {
            self.output.push_str("\r\n");
        }
        self.row = row;
    }

    fn go(&mut self, from: usize, to: (usize, usize)) {
        if from > to.0 {
            self.output.push_str(&format!("\x1b[{}A", from - to.0));
        } else if to.0 > from {
            self.output.push_str(&format!("\x1b[{}B", to.0 - from));
        }
        self.output.push('\r');
        if to.1 > 0 {
            self.output.push_str(&format!("\x1b[{}C", to.1));
        }
        self.row = to.0;
    }

    /// Draws everything anew.
    pub fn redraw(&mut self) {
        let row = self.row;
        self.go(row, (0, 0));
        self.output.push_str("\x1b[J");
        self.output.push_str(&self.shown_prompt());
        for cell in &self.cells {
            self.output.push_str(&shown(cell).0);
        }
        self.force_wrap();
        let at = self.place(self.cursor);
        if at != self.place(self.cells.len()) {
            self.go(self.row, at);
        }
    }

    fn move_to(&mut self, cursor: usize) {
        self.cursor = cursor.min(self.cells.len());
        let at = self.place(self.cursor);
        let row = self.row;
        self.go(row, at);
    }

    /// The terminal has another width now.
    pub fn resize(&mut self, columns: u16) {
        let columns = usize::from(columns).max(2);
        if columns == self.columns {
            return;
        }
        self.columns = columns;
        // The emulator has wrapped the rows anew: the cursor is where the new width puts it.
        self.row = self.place(self.cursor).0;
        self.redraw();
    }

    /// Another width, without drawing.
    pub fn set_columns(&mut self, columns: u16) {
        self.columns = usize::from(columns).max(2);
    }

    /// Puts text below the line, and the line anew below that.
    pub fn list_below(&mut self, text: &str) {
        let row = self.row;
        let end = self.place(self.cells.len());
        self.go(row, end);
        self.output.push_str(text);
        self.row = 0;
        self.redraw();
    }

    /// Clears the screen and draws the line at its top.
    pub fn clear_screen(&mut self) {
        self.output.push_str("\x1b[H\x1b[2J");
        self.row = 0;
        self.redraw();
    }

    /// Leaves the line on the screen and goes below it.
    pub fn leave(&mut self) {
        self.move_to(self.cells.len());
        self.output.push_str("\r\n");
        self.row = 0;
    }

    // Editing.

    fn remember(&mut self) {
        if self.undo.len() >= 200 {
            self.undo.remove(0);
        }
        self.undo.push((self.cells.clone(), self.cursor));
    }

    /// Inserts text at the cursor.
    pub fn insert(&mut self, text: &str) {
        let mut new = clusters(text);
        let total: usize = self.cells.len() + new.len();
        if total > limits::SHELL_SOURCE_BYTES / 4 {
            self.output.push('\x07');
            return;
        }
        // A mark that is typed after its letter joins it.
        let joins = new
            .first()
            .and_then(|c| c.chars().next())
            .is_some_and(|c| unicode_width::UnicodeWidthChar::width(c) == Some(0) && !c.is_control());
        if joins && self.cursor > 0 {
            let first = new.remove(0);
            if let Some(cell) = self.cells.get_mut(self.cursor - 1) {
                cell.push_str(&first);
            }
            self.cells.splice(self.cursor..self.cursor, new.iter().cloned());
            self.cursor += new.len();
            return self.redraw();
        }
        let at_end = self.cursor == self.cells.len();
        let count = new.len();
        self.cells.splice(self.cursor..self.cursor, new.iter().cloned());
        self.cursor += count;
        if at_end && self.search.is_none() {
            for cell in &new {
                self.output.push_str(&shown(cell).0);
            }
            self.force_wrap();
        } else {
            self.redraw();
        }
    }

    /// Replaces everything.
    pub fn set(&mut self, text: &str) {
        self.cells = clusters(text);
        self.cursor = self.cells.len();
        self.redraw();
    }

    /// Replaces the text between two byte offsets of what stands before the cursor.
    pub fn replace_before_cursor(&mut self, from: usize, text: &str) {
        self.remember();
        let before = self.before_cursor();
        let kept = before.get(..from).unwrap_or(&before).to_owned();
        if let Some(new) = text.strip_prefix(before.get(from..).unwrap_or_default()) {
            let new = new.to_owned();
            return self.insert(&new);
        }
        let rest: Vec<String> = self.cells.split_off(self.cursor);
        self.cells = clusters(&(kept + text));
        self.cursor = self.cells.len();
        self.cells.extend(rest);
        self.redraw();
    }

    fn remove(&mut self, from: usize, to: usize, keep: bool) {
        if from >= to {
            return;
        }
        self.remember();
        let gone: Vec<String> = self.cells.drain(from..to.min(self.cells.len())).collect();
        if keep {
            self.kill = gone;
        }
        self.cursor = from;
        self.redraw();
    }

    fn word_left(&self) -> usize {
        let mut i = self.cursor;
        while i > 0 && !self.cells.get(i - 1).is_some_and(|c| is_word(c)) {
            i -= 1;
        }
        while i > 0 && self.cells.get(i - 1).is_some_and(|c| is_word(c)) {
            i -= 1;
        }
        i
    }

    fn word_right(&self) -> usize {
        let mut i = self.cursor;
        while i < self.cells.len() && !self.cells.get(i).is_some_and(|c| is_word(c)) {
            i += 1;
        }
        while i < self.cells.len() && self.cells.get(i).is_some_and(|c| is_word(c)) {
            i += 1;
        }
        i
    }

    /// Where the blank-separated word before the cursor begins.
    fn big_word_left(&self) -> usize {
        let blank = |i: usize| self.cells.get(i).is_some_and(|c| c.trim().is_empty());
        let mut i = self.cursor;
        while i > 0 && blank(i - 1) {
            i -= 1;
        }
        while i > 0 && !blank(i - 1) {
            i -= 1;
        }
        i
    }

    fn recall(&mut self, older: bool) {
        let count = self.history.borrow().len();
        let target = match (self.at, older) {
            (None, true) if count > 0 => Some(count - 1),
            (Some(i), true) if i > 0 => Some(i - 1),
            (Some(i), false) if i + 1 < count => Some(i + 1),
            (Some(_), false) => None,
            _ => {
                self.output.push('\x07');
                return;
            }
        };
        if self.at.is_none() {
            self.draft = self.cells.clone();
        }
        self.at = target;
        let text = match target {
            Some(i) => self.history.borrow().get(i).cloned().unwrap_or_default(),
            None => self.draft.concat(),
        };
        self.set(&text);
    }

    // Searching.

    fn search_from(&mut self, from: usize) {
        let Some(text) = self.search.as_ref().map(|s| s.text.clone()) else {
            return;
        };
        let found = {
            let history = self.history.borrow();
            (0..from.min(history.len()))
                .rev()
                .find_map(|i| history.get(i).filter(|l| l.contains(&text)).map(|l| (i, l.clone())))
        };
        if let Some(search) = &mut self.search {
            search.at = found.as_ref().map(|(i, _)| *i);
        }
        if let Some((_, line)) = found {
            let before = line.find(&text).and_then(|b| line.get(..b)).unwrap_or_default();
            self.cursor = clusters(before).len();
            self.cells = clusters(&line);
        }
        self.redraw();
    }

    fn end_search(&mut self, restore: bool) {
        if let Some(search) = self.search.take() {
            if restore {
                self.cells = search.before;
                self.cursor = search.cursor_before;
            } else {
                self.at = search.at;
            }
            self.redraw();
        }
    }

    fn search_key(&mut self, key: &Key) -> bool {
        let end = self.history.borrow().len();
        match key {
            Key::Char(c) => {
                if let Some(search) = &mut self.search {
                    search.text.push(*c);
                }
                let from = self.search.as_ref().and_then(|s| s.at).map_or(end, |i| i + 1);
                self.search_from(from);
            }
            Key::Backspace => {
                if let Some(search) = &mut self.search {
                    search.text.pop();
                }
                self.search_from(end);
            }
            Key::Ctrl('r') => {
                let from = self.search.as_ref().and_then(|s| s.at).unwrap_or(end);
                let more = {
                    let history = self.history.borrow();
                    let text = self.search.as_ref().map(|s| s.text.clone()).unwrap_or_default();
                    (0..from)
                        .rev()
                        .any(|i| history.get(i).is_some_and(|l| l.contains(&text)))
                };
                if more {
                    self.search_from(from);
                } else {
                    self.output.push('\x07');
                }
            }
            Key::Ctrl('g') => self.end_search(true),
            _ => return false,
        }
        true
    }

    /// Takes a key.
    pub fn key(&mut self, key: Key) -> Outcome {
        if self.search.is_some() {
            if self.search_key(&key) {
                return Outcome::Nothing;
            }
            self.end_search(key == Key::Ctrl('c'));
        }
        match key {
            Key::Char(c) => {
                if c == ' ' || self.undo.is_empty() {
                    self.remember();
                }
                self.insert(&c.to_string());
            }
            Key::Enter => {
                self.leave();
                return Outcome::Line(self.text());
            }
            Key::Tab => return Outcome::Complete,
            Key::Backspace => {
                if self.cursor == 0 {
                    self.output.push('\x07');
                } else if self.cursor == self.cells.len() && self.plain_end() {
                    self.cells.pop();
                    self.cursor -= 1;
                    self.output.push_str("\x08 \x08");
                } else {
                    let at = self.cursor;
                    self.remove(at - 1, at, false);
                }
            }
            Key::Delete => {
                let at = self.cursor;
                if at < self.cells.len() {
                    self.remove(at, at + 1, false);
                } else {
                    self.output.push('\x07');
                }
            }
            Key::Left | Key::Ctrl('b') => {
                if self.cursor > 0 {
                    let to = self.cursor - 1;
                    self.move_to(to);
                }
            }
            Key::Right | Key::Ctrl('f') => {
                let to = self.cursor + 1;
                if to <= self.cells.len() {
                    self.move_to(to);
                }
            }
            Key::Home | Key::Ctrl('a') => self.move_to(0),
            Key::End | Key::Ctrl('e') => {
                let end = self.cells.len();
                self.move_to(end);
            }
            Key::WordLeft | Key::Alt('b') => {
                let to = self.word_left();
                self.move_to(to);
            }
            Key::WordRight | Key::Alt('f') => {
                let to = self.word_right();
                self.move_to(to);
            }
            Key::Up | Key::Ctrl('p') => self.recall(true),
            Key::Down | Key::Ctrl('n') => self.recall(false),
            Key::Ctrl('k') => {
                let (at, end) = (self.cursor, self.cells.len());
                self.remove(at, end, true);
            }
            Key::Ctrl('u') => {
                let at = self.cursor;
                self.remove(0, at, true);
            }
            Key::Ctrl('w') => {
                let (from, at) = (self.big_word_left(), self.cursor);
                self.remove(from, at, true);
            }
            Key::Alt('\x7f') => {
                let (from, at) = (self.word_left(), self.cursor);
                self.remove(from, at, true);
            }
            Key::Alt('d') => {
                let (at, to) = (self.cursor, self.word_right());
                self.remove(at, to, true);
            }
            Key::Ctrl('y') => {
                let text = self.kill.concat();
                self.remember();
                self.insert(&text);
            }
            Key::Alt('.') => {
                let last = self
                    .history
                    .borrow()
                    .last()
                    .and_then(|l| l.split_whitespace().next_back().map(str::to_owned));
                if let Some(word) = last {
                    self.insert(&word);
                }
            }
            Key::Ctrl('t') => {
                let n = self.cells.len();
                let at = if self.cursor == n {
                    self.cursor.saturating_sub(1)
                } else {
                    self.cursor
                };
                if at > 0 && n > 1 {
                    self.cells.swap(at - 1, at);
                    self.cursor = at + 1;
                    self.redraw();
                }
            }
            Key::Ctrl('_') => {
                if let Some((cells, cursor)) = self.undo.pop() {
                    self.cells = cells;
                    self.cursor = cursor;
                    self.redraw();
                }
            }
            Key::Ctrl('l') => self.clear_screen(),
            Key::Ctrl('r') => {
                self.search = Some(Search {
                    text: String::new(),
                    at: None,
                    before: self.cells.clone(),
                    cursor_before: self.cursor,
                });
                self.redraw();
            }
            Key::Ctrl('c') => {
                self.move_to(self.cells.len());
                self.output.push_str("^C\r\n");
                return Outcome::Interrupted;
            }
            Key::Ctrl('d') => {
                if self.cells.is_empty() {
                    return Outcome::Ended;
                }
                return self.key(Key::Delete);
            }
            Key::Ctrl(_) | Key::Alt(_) | Key::PasteStart | Key::PasteEnd | Key::Unknown => {}
        }
        Outcome::Nothing
    }

    /// Whether the last cell can be wiped with a backspace: one cell wide, not at a row's edge.
    fn plain_end(&self) -> bool {
        let narrow = self.cells.last().is_some_and(|c| shown(c).1 == 1 && c != "\n");
        narrow && self.place(self.cells.len()).1 > 1
    }
}

/// A cell as it is shown, and its width.
fn shown(cell: &str) -> (String, usize) {
    match cell {
        "\n" => ("\r\n".to_owned(), 0),
        "\t" => ("    ".to_owned(), 4),
        cell if cell.chars().any(char::is_control) => ("?".to_owned(), 1),
        cell => (cell.to_owned(), width(cell).min(2)),
    }
}
