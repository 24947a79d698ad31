//! `cargo xtask bench`: figures of the built page, measured in Chromium by tests/e2e/bench.mjs.

use crate::shell::{self, run};
use crate::{Result, page, serve, tools};

/// `cargo xtask bench`.
pub fn command() -> Result<()> {
    let browser = tools::browser()?;
    page::ready()?;
    let url = serve::in_background()?;
    run(shell::command("node")
        .arg("tests/e2e/bench.mjs")
        .env("KUBETAB_URL", url)
        .env("CHROMIUM", &browser.chromium))
}
