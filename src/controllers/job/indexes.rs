//! Completion indexes: sets of them as `status.completedIndexes` writes them (`0-2,5`), and which
//! pod has which.

use crate::flat::{Arrange, FlatSet};
use std::fmt;

use crate::api::Object;

pub const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// Ordered ranges of indexes that do not touch, both ends included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intervals(Vec<(i64, i64)>);

impl Intervals {
    /// Reads `0-2,5` as far as it lies below `completions`. What is no number is passed over.
    pub fn parse(text: &str, completions: i64) -> Intervals {
        let mut result = Intervals::default();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (Ok(first), Ok(last)) = (first.parse::<i64>(), last.parse::<i64>()) else {
                continue;
            };
            if first >= completions {
                break;
            }
            result.push(first, last.min(completions - 1));
        }
        result
    }

    fn push(&mut self, first: i64, last: i64) {
        match self.0.last_mut() {
            Some(end) if first <= end.1.saturating_add(1) => end.1 = end.1.max(last),
            _ => self.0.push((first, last)),
        }
    }

    /// These and the indexes of a set.
    pub fn with(&self, new: &FlatSet<i64>) -> Intervals {
        let mut all = self.0.clone();
        all.extend(new.iter().map(|i| (*i, *i)));
        all.arrange();
        let mut result = Intervals::default();
        for (first, last) in all {
            result.push(first, last);
        }
        result
    }

    /// How many indexes there are.
    pub fn total(&self) -> i64 {
        self.0.iter().map(|(first, last)| last - first + 1).sum()
    }

    pub fn has(&self, index: i64) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&index))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many indexes both have.
    pub fn overlap(&self, other: &Intervals) -> i64 {
        let both = |a: &(i64, i64), b: &(i64, i64)| (a.1.min(b.1) - a.0.max(b.0) + 1).max(0);
        self.0
            .iter()
            .map(|a| other.0.iter().map(|b| both(a, b)).sum::<i64>())
            .sum()
    }

    /// The first `count` indexes below `completions` that are not among these.
    pub fn first_missing(&self, count: usize, completions: i64) -> Vec<i64> {
        let mut result = Vec::new();
        let mut candidate = 0;
        for (first, last) in self.0.iter().chain([&(completions, completions)]) {
            let until = (*first).min(completions);
            while candidate < until && result.len() < count {
                result.push(candidate);
                candidate += 1;
            }
            candidate = candidate.max(last.saturating_add(1));
        }
        result
    }
}

/// As in `status.completedIndexes`: two neighbours with a comma, more with a hyphen.
impl fmt::Display for Intervals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (first, last)) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            match last - first {
                0 => write!(f, "{first}")?,
                1 => write!(f, "{first},{last}")?,
                _ => write!(f, "{first}-{last}")?,
            }
        }
        Ok(())
    }
}

/// The completion index of a pod.
pub fn index_of(pod: &Object) -> Option<i64> {
    pod.annotation(INDEX)?.parse().ok().filter(|i| *i >= 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_and_read() {
        for (text, want, total) in [
            ("", "", 0),
            ("0", "0", 1),
            ("0,1", "0,1", 2),
            ("0-2", "0-2", 3),
            ("0,1,2,5", "0-2,5", 4),
            ("1,3-7,9-20", "1,3-7,9", 7),
            ("x,4", "4", 1),
        ] {
            let read = Intervals::parse(text, 10);
            assert_eq!((read.to_string().as_str(), read.total()), (want, total), "{text}");
        }
    }

    #[test]
    fn sets() {
        let some = Intervals::parse("1,3-4", 10);
        assert_eq!(some.with(&[0, 2, 9].into()).to_string(), "0-4,9");
        assert!(some.has(3) && !some.has(2));
        assert_eq!(some.overlap(&Intervals::parse("0-3", 10)), 2);
        assert_eq!(some.first_missing(3, 10), [0, 2, 5]);
        assert_eq!(some.first_missing(9, 6), [0, 2, 5]);
        assert_eq!(Intervals::default().first_missing(2, 9), [0, 1]);
        assert_eq!(Intervals::parse("0-5", 6).first_missing(2, 6), [0i64; 0]);
    }
}
