//! The native command `kubetab`. It may touch files and the terminal.

fn main() {}
