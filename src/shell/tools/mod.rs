//! The small tools: one file for each, or for a family. None needs a network.

pub(super) mod date;
pub(super) mod printf;
mod sh;

use super::host::Commands;

/// Adds every tool.
pub(super) fn register(commands: &mut Commands) {
    commands.add("true", |_| async { 0 });
    commands.add("false", |_| async { 1 });
    commands.add("/bin/sh", sh::run);
    commands.add("/bin/bash", sh::run);
    commands.add("printf", printf::run);
    commands.add("date", date::run);
}
