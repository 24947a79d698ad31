//! Aligned columns, as Go's `text/tabwriter` lays them out: a column reaches over the lines in a row
//! that have a tab-ended cell there, and what follows a line's last tab belongs to no column.

/// Collects text and pads its cells.
#[derive(Clone, Debug)]
pub struct TabWriter {
    least: usize,
    padding: usize,
    text: String,
    /// Widths that earlier flushes used, when they are to be kept (`get --watch`).
    remembered: Option<Vec<usize>>,
}

impl TabWriter {
    /// As kubectl's tables: columns at least 6 wide with 3 spaces between, widths kept over flushes.
    pub fn table() -> TabWriter {
        TabWriter {
            least: 6,
            padding: 3,
            text: String::new(),
            remembered: Some(Vec::new()),
        }
    }

    /// As `kubectl describe` and most other lists: 2 spaces between columns of any width.
    pub fn describe() -> TabWriter {
        TabWriter::new(0, 2)
    }

    /// Columns at least this wide, with this padding, which counts towards the width.
    pub fn new(least: usize, padding: usize) -> TabWriter {
        TabWriter {
            least,
            padding,
            text: String::new(),
            remembered: None,
        }
    }

    /// Adds text: tabs end cells, line breaks end lines.
    pub fn write(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Adds a line of these cells.
    pub fn row<S: AsRef<str>>(&mut self, cells: &[S]) {
        for (i, cell) in cells.iter().enumerate() {
            if i > 0 {
                self.text.push('\t');
            }
            self.text.push_str(cell.as_ref());
        }
        self.text.push('\n');
    }

    /// What was written since the last flush, with its tabs as they are.
    pub fn raw(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    /// What was written since the last flush, aligned.
    pub fn flush(&mut self) -> String {
        let text = std::mem::take(&mut self.text);
        let mut lines: Vec<Vec<&str>> = text.split('\n').map(|l| l.split('\t').collect()).collect();
        let unfinished = lines.pop().unwrap_or_default();
        let ends_open = unfinished != [""];
        if ends_open {
            lines.push(unfinished);
        }
        let mut out = String::with_capacity(text.len() * 2);
        let mut widths = Vec::new();
        self.format(&lines, 0, lines.len(), &mut widths, &mut out);
        if ends_open {
            out.pop();
        }
        out
    }

    fn format(&mut self, lines: &[Vec<&str>], from: usize, to: usize, widths: &mut Vec<usize>, out: &mut String) {
        let column = widths.len();
        let has_cell = |line: usize| lines.get(line).is_some_and(|cells| column + 1 < cells.len());
        let mut unprinted = from;
        let mut at = from;
        while at < to {
            if !has_cell(at) {
                at += 1;
                continue;
            }
            print(lines, unprinted, at, widths, out);
            let start = at;
            let mut width = self.least;
            while at < to && has_cell(at) {
                let cell = lines
                    .get(at)
                    .and_then(|cells| cells.get(column))
                    .map_or(0, |c| c.chars().count());
                width = width.max(cell + self.padding);
                at += 1;
            }
            if let Some(kept) = &mut self.remembered {
                match kept.get_mut(column) {
                    Some(old) => {
                        *old = width.max(*old);
                        width = *old;
                    }
                    None => kept.push(width),
                }
            }
            widths.push(width);
            self.format(lines, start, at, widths, out);
            widths.pop();
            unprinted = at;
        }
        print(lines, unprinted, to, widths, out);
    }
}

fn print(lines: &[Vec<&str>], from: usize, to: usize, widths: &[usize], out: &mut String) {
    for line in lines.iter().take(to).skip(from) {
        for (i, cell) in line.iter().enumerate() {
            out.push_str(cell);
            if let Some(width) = widths.get(i) {
                let pad = width.saturating_sub(cell.chars().count());
                out.extend(std::iter::repeat_n(' ', pad));
            }
        }
        out.push('\n');
    }
}

/// Makes text safe for a terminal, as kubectl does with what users wrote: escape characters and
/// carriage returns become visible.
pub fn escape_terminal(text: &str) -> String {
    if !text.contains(['\u{1b}', '\r']) {
        return text.to_owned();
    }
    text.replace('\u{1b}', "^[").replace('\r', "\\r")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> String {
        let mut w = TabWriter::table();
        w.write(text);
        w.flush()
    }

    #[test]
    fn tables() {
        assert_eq!(
            table("NAME\tREADY\tSTATUS\ncache\t1/1\tRunning\n"),
            "NAME    READY   STATUS\ncache   1/1     Running\n"
        );
        assert_eq!(table("A\tB\n"), "A     B\n");
        assert_eq!(table("APP\tOWNER\nweb\t\n"), "APP   OWNER\nweb   \n");
        assert_eq!(table("名字\tx\nab\ty\n"), "名字    x\nab    y\n");
        assert_eq!(table(""), "");
    }

    #[test]
    fn a_line_without_the_cell_ends_a_column() {
        let mut w = TabWriter::describe();
        w.write("Name:\tweb\nContainers:\n  a:\n    Image:\tnginx\n    Port:\t80/TCP\nLonger label:\tx\n");
        assert_eq!(
            w.flush(),
            "Name:  web\nContainers:\n  a:\n    Image:     nginx\n    Port:      80/TCP\nLonger label:  x\n"
        );
    }

    #[test]
    fn inner_columns_are_blocks_of_their_own() {
        let mut w = TabWriter::new(0, 1);
        w.write("a\tb\tc\naaa\tbbbb\tc\na\nx\ty\tz\n");
        assert_eq!(w.flush(), "a   b    c\naaa bbbb c\na\nx y z\n");
    }

    #[test]
    fn widths_are_remembered() {
        let mut w = TabWriter::table();
        w.write("NAME\tS\nlong-name\tx\n");
        w.flush();
        w.write("n\ty\n");
        assert_eq!(w.flush(), "n           y\n");
    }
}
