//! Sentences about what happens, for the caption, the log and the live region. A line names its
//! sentence in the translations and brings its words. Pure.

use kubetab::sim::Outcome;

/// One sentence to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The sentence's name: the translations hold it under `say.NAME`.
    pub key: &'static str,
    /// What fills its gaps.
    pub words: Vec<(&'static str, String)>,
    /// When it happened, in virtual microseconds.
    pub micros: u64,
}

impl Line {
    pub fn new(key: &'static str) -> Line {
        Line {
            key,
            words: Vec::new(),
            micros: 0,
        }
    }

    pub fn with(mut self, name: &'static str, word: &str) -> Line {
        // The default namespace goes without saying.
        let word = word.strip_prefix("default/").unwrap_or(word);
        self.words.push((name, word.to_owned()));
        self
    }

    pub fn pod(self, key: &str) -> Line {
        self.with("pod", key)
    }

    /// How a flow ended.
    pub fn outcome(what: &str, outcome: Outcome) -> Line {
        match outcome {
            Outcome::Status(code) => Line::new("answered").with("what", what).with("code", &code.to_string()),
            Outcome::Answered => Line::new("connected").with("what", what),
            Outcome::Refused => Line::new("flow-refused").with("what", what),
            Outcome::TimedOut => Line::new("timed-out").with("what", what),
            Outcome::NoSuchHost => Line::new("no-such-host").with("what", what),
            Outcome::NoRoute => Line::new("no-route").with("what", what),
        }
    }

    /// The sentence, its gaps filled.
    pub fn text(&self, translate: impl Fn(&str) -> String) -> String {
        fill(&translate(&format!("say.{}", self.key)), &self.words)
    }
}

/// Puts words into the `{name}` gaps of a sentence.
pub fn fill(sentence: &str, words: &[(&'static str, String)]) -> String {
    let mut out = String::with_capacity(sentence.len() + 32);
    let mut rest = sentence;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            out.push('{');
            rest = after;
            continue;
        };
        if let Some((_, word)) = words.iter().find(|(n, _)| *n == name) {
            out.push_str(word);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_filled_once() {
        let line = Line::new("bound").pod("default/web-1").with("node", "{pod}");
        assert_eq!(
            line.text(|key| format!("{key}: {{pod}} on {{node}}, {{none}}. {{")),
            "say.bound: web-1 on {pod}, . {"
        );
    }
}
