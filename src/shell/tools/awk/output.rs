//! What `print` and `printf` write to: the output, files, commands.

use super::super::super::io::Output;
use super::syntax::Target;
use super::{Done, Machine};
use crate::limits;

impl Machine<'_> {
    fn write(&mut self, output: &Output, text: String) {
        self.wrote += 1;
        if self.wrote > self.written {
            self.written = self.wrote;
            output.write(text);
        }
    }

    pub(super) fn put(&mut self, target: &Target, text: String) -> Done<()> {
        if let Some(("|", command)) = target {
            let value = self.eval(command)?;
            let pipe = self.pipes.entry(self.text(&value)).or_default();
            pipe.push_str(&text);
            if pipe.len() > limits::SHELL_WORD_BYTES {
                return self.fail("too much was printed for a command");
            }
            return Ok(());
        }
        let output = self.output(target)?;
        self.write(&output, text);
        Ok(())
    }

    fn output(&mut self, target: &Target) -> Done<Output> {
        let Some((op, expr)) = target else {
            return Ok(self.c.stdout.clone());
        };
        let value = self.eval(expr)?;
        let path = self.text(&value);
        if let Some(output) = self.outputs.get(&path) {
            return Ok(output.clone());
        }
        // A file that an earlier run of the rule has begun is not begun anew.
        match self.c.create(&path, *op == ">>" || self.wrote < self.written) {
            Ok(output) => {
                self.outputs.insert(path, output.clone());
                Ok(output)
            }
            Err(error) => self.fail(format!("cannot open \"{path}\" for output ({error})")),
        }
    }
}
