//! Scenarios: the line format of transcripts, and their execution in a world.
//!
//! `# text` is a comment; `@file NAME` … `@end` writes a file into the scenario's folder; `@settle`
//! waits until the workloads are quiet; `@wait SECONDS` waits; `$ COMMAND` runs in bash (a
//! here-document or a line ended by a backslash goes on below). A transcript is the scenario with
//! each command's output below it, and `[exit N]` when N is not 0.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::World;
use crate::shell::{Input, Output};

/// How long a command may take, as the recordings limit it.
const COMMAND_LIMIT: Duration = Duration::from_secs(30);

/// One step of a scenario, with its lines as they were written.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Comment(String),
    /// A file's name and its lines.
    File(String, String),
    Settle,
    /// Seconds.
    Wait(f64),
    Command(String),
}

/// A line that is no step.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error("line {line}: {why}")]
pub struct ScenarioError {
    /// From 1.
    pub line: usize,
    pub why: String,
}

/// A scenario.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scenario {
    pub steps: Vec<Step>,
}

/// The word that ends a here-document begun in these lines, if one is open.
fn heredoc_end(command: &str) -> Option<String> {
    let mut rest = command;
    while let Some(at) = rest.find("<<") {
        let after = rest.get(at + 2..)?;
        // A shift of bits in `$((x<<2))` begins none.
        let before = command.get(..command.len() - after.len()).unwrap_or_default();
        if before.matches("((").count() > before.matches("))").count() {
            rest = after;
            continue;
        }
        if let Some(word) = after.strip_prefix('<') {
            rest = word;
            continue;
        }
        let word = after.trim_start_matches('-').trim_start_matches(['\'', '"', '\\']);
        let end: String = word.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if !end.is_empty() {
            return Some(end);
        }
        rest = after;
    }
    None
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// The first line that is no step.
    pub fn parse(text: &str) -> Result<Scenario, ScenarioError> {
        let mut steps = Vec::new();
        let mut lines = text.lines().enumerate();
        while let Some((i, line)) = lines.next() {
            let error = |why: &str| ScenarioError {
                line: i + 1,
                why: why.to_owned(),
            };
            if let Some(command) = line.strip_prefix("$ ") {
                let mut command = command.to_owned();
                let mut next = |command: &mut String| -> Option<String> {
                    let (_, line) = lines.next()?;
                    command.push('\n');
                    command.push_str(line);
                    Some(line.to_owned())
                };
                while command.ends_with('\\') && next(&mut command).is_some() {}
                if let Some(end) = heredoc_end(&command) {
                    while let Some(line) = next(&mut command) {
                        if line.trim() == end {
                            break;
                        }
                    }
                }
                steps.push(Step::Command(command));
            } else if let Some(name) = line.strip_prefix("@file ") {
                let mut content = String::new();
                let mut ended = false;
                for (_, line) in lines.by_ref() {
                    if line == "@end" {
                        ended = true;
                        break;
                    }
                    content.push_str(line);
                    content.push('\n');
                }
                if !ended {
                    return Err(error("this @file has no @end"));
                }
                steps.push(Step::File(name.trim().to_owned(), content));
            } else if line == "@settle" {
                steps.push(Step::Settle);
            } else if let Some(seconds) = line.strip_prefix("@wait ") {
                let seconds: f64 = seconds
                    .trim()
                    .parse()
                    .map_err(|_| error("@wait takes a number of seconds"))?;
                if !(0.0..=86_400.0 * 365.0).contains(&seconds) {
                    return Err(error("@wait takes between 0 seconds and a year"));
                }
                steps.push(Step::Wait(seconds));
            } else if line.starts_with('#') || line.is_empty() {
                steps.push(Step::Comment(line.to_owned()));
            } else {
                return Err(error(
                    "expected `$ command`, `# comment`, `@file`, `@settle` or `@wait`",
                ));
            }
        }
        Ok(Scenario { steps })
    }

    /// Runs the scenario, and calls `out` with each part of the transcript as it comes.
    pub async fn run(&self, world: &World, out: impl Fn(&str) + 'static) {
        let out: Rc<dyn Fn(&str)> = Rc::new(out);
        let files = world.host().files().clone();
        let folder = "/root";
        for step in &self.steps {
            match step {
                Step::Comment(text) => out(&format!("{text}\n")),
                Step::File(name, content) => {
                    out(&format!("@file {name}\n{content}@end\n"));
                    let path = crate::shell::join(folder, name);
                    if let Err(error) = files.put(&path, content.as_bytes()) {
                        out(&format!("{name}: {error:?}\n"));
                    }
                }
                Step::Settle => {
                    out("@settle\n");
                    world.settle().await;
                }
                Step::Wait(seconds) => {
                    out(&format!("@wait {seconds}\n"));
                    world.sim().sleep(Duration::from_secs_f64(*seconds)).await;
                }
                Step::Command(command) => {
                    out(&format!("$ {command}\n"));
                    let (text, code) = run_command(world, command).await;
                    out(&text);
                    if !text.is_empty() && !text.ends_with('\n') {
                        out("\n");
                    }
                    if code != 0 {
                        out(&format!("[exit {code}]\n"));
                    }
                }
            }
        }
    }
}

/// Runs one command in a fresh bash, its stdout and stderr merged in order.
async fn run_command(world: &World, command: &str) -> (String, i32) {
    let text: Rc<RefCell<Vec<u8>>> = Rc::default();
    let sink = text.clone();
    let output = Output::callback(move |bytes| sink.borrow_mut().extend_from_slice(bytes));
    let run = super::input::run_bash(world.host(), command, Input::empty(), output.clone(), output);
    let code = crate::sim::timeout(world.sim(), COMMAND_LIMIT, run)
        .await
        .unwrap_or(124);
    let bytes = text.borrow().clone();
    (String::from_utf8_lossy(&bytes).into_owned(), code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shift_of_bits_is_no_here_document() {
        let steps = Scenario::parse("$ echo $((x<<2))\n$ cat <<E\na\nE\n$ ((y<<=1)); echo $y\n").map(|s| s.steps.len());
        assert_eq!(steps, Ok(3));
    }

    #[test]
    fn parse() {
        let text =
            "# hello\n@file a.yaml\nx: 1\n@end\n$ kubectl apply -f - <<EOF\nx\nEOF\n$ a \\\n  b\n@settle\n@wait 1.5\n";
        let scenario = Scenario::parse(text).unwrap();
        assert_eq!(
            scenario.steps,
            [
                Step::Comment("# hello".into()),
                Step::File("a.yaml".into(), "x: 1\n".into()),
                Step::Command("kubectl apply -f - <<EOF\nx\nEOF".into()),
                Step::Command("a \\\n  b".into()),
                Step::Settle,
                Step::Wait(1.5),
            ]
        );
        assert_eq!(Scenario::parse("what").unwrap_err().line, 1);
        assert!(Scenario::parse("@file x\n").is_err());
        assert!(Scenario::parse("@wait soon\n").is_err());
    }
}
