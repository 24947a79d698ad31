//! The terminal: its line editor, completion and the shell behind it.

/// How many cells a text takes: East-Asian characters take two.
pub fn width(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

/// Lays items out in columns, top to bottom, as `ls` and completion lists do. `widths` are the
/// items' cells (without their escape sequences).
pub(super) fn columns(items: &[String], widths: &[usize], columns: usize) -> Vec<String> {
    let count = items.len();
    let mut rows = 1;
    while rows < count {
        let total: usize = widths
            .chunks(rows)
            .map(|c| c.iter().max().copied().unwrap_or(0) + 2)
            .sum::<usize>()
            .saturating_sub(2);
        if total <= columns {
            break;
        }
        rows += 1;
    }
    let mut lines = vec![String::new(); rows.min(count)];
    let mut at = 0;
    for (chunk, names) in widths.chunks(rows).zip(items.chunks(rows)) {
        let wide = chunk.iter().max().copied().unwrap_or(0);
        let last = at + chunk.len() >= count;
        for (i, (name, w)) in names.iter().zip(chunk).enumerate() {
            if let Some(line) = lines.get_mut(i) {
                line.push_str(name);
                let next_exists = at + rows + i < count;
                if !last && next_exists {
                    line.push_str(&" ".repeat(wide - w + 2));
                }
            }
        }
        at += chunk.len();
    }
    lines
}
