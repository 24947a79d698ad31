//! How often texts come again, in lists of any length.

use super::WideMap;

/// Counts texts. A list of a megabyte has some hundred thousand items, of which each is compared with a few.
#[derive(Default)]
pub struct Tally(WideMap<String, usize>);

impl Tally {
    /// Counts one more of a text, and says how many equal ones came before it.
    pub fn add(&mut self, text: String) -> usize {
        let Some(count) = self.0.get_or_insert_with(&text, || 0) else {
            return 0;
        };
        *count += 1;
        *count - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_comes_again() {
        let mut tally = Tally::default();
        let before: Vec<usize> = ["b", "a", "b", "c", "b", "a"].map(|t| tally.add(t.to_owned())).to_vec();
        assert_eq!(before, [0, 0, 1, 0, 2, 1]);
    }
}
