//! What the student's host has besides the plain tools: `kubectl` and the network's tools.

use super::World;

/// Registers the host's commands.
pub(super) fn register(_world: &World) {}
