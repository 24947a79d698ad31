//! `dd`: copies blocks, and says how many.

use std::time::Duration;

use super::super::files::{self, Device, FileError};
use super::super::host::{Context, Dialect};

/// Bytes that are copied in a second.
const SPEED: f64 = 1e9;

/// A count with a unit: `512`, `4k`, `1M`, `1MB`.
fn amount(text: &str) -> Option<usize> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "" => 1,
        "b" => 512,
        "k" | "K" | "KiB" => 1 << 10,
        "kB" | "KB" => 1_000,
        "M" | "MiB" => 1 << 20,
        "MB" => 1_000_000,
        "G" | "GiB" => 1 << 30,
        "GB" => 1_000_000_000,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(factor)
}

/// `5.2 MB`, `105 MB`: one digit after the point below ten.
fn human(bytes: f64, base: f64, units: &[&str]) -> String {
    let (mut value, mut unit) = (bytes, "");
    for name in units {
        if value < base {
            break;
        }
        value /= base;
        unit = name;
    }
    match value < 9.95 {
        true => format!("{value:.1} {unit}"),
        false => format!("{value:.0} {unit}"),
    }
}

fn copied(bytes: usize, seconds: f64, dialect: Dialect) -> String {
    let (amount, speed) = (bytes as f64, bytes as f64 / seconds.max(1e-9));
    let binary = |n: f64| human(n, 1024.0, &["K", "M", "G"]).replace(' ', "");
    if dialect == Dialect::Busybox {
        return format!(
            "{bytes} bytes ({}B) copied, {seconds:.6} seconds, {}B/s",
            binary(amount),
            binary(speed)
        );
    }
    let decimal = |n: f64| human(n, 1000.0, &["kB", "MB", "GB"]);
    let sizes = match bytes {
        0..1_000 => String::new(),
        1_000..1_024 => format!(" ({})", decimal(amount)),
        _ => {
            let binary = human(amount, 1024.0, &["KiB", "MiB", "GiB"]);
            format!(" ({}, {binary})", decimal(amount))
        }
    };
    format!("{bytes} bytes{sizes} copied, {seconds:.6} s, {}/s", decimal(speed))
}

pub(super) async fn dd(c: Context) -> i32 {
    let (mut input, mut output) = (None, None);
    let (mut size, mut count, mut quiet, mut keep) = (512, None, false, false);
    for arg in c.rest() {
        let (name, value) = arg.split_once('=').unwrap_or((arg, ""));
        let number = amount(value);
        match (name, number) {
            ("if", _) => input = Some(value.to_owned()),
            ("of", _) => output = Some(value.to_owned()),
            ("bs", Some(n)) if n > 0 => size = n,
            ("count", Some(n)) => count = Some(n),
            ("bs" | "count", _) => {
                c.error(format!("invalid number: '{value}'"));
                return 1;
            }
            ("status", _) => quiet = value == "none",
            ("conv", _) => keep = value.split(',').any(|v| v == "notrunc"),
            ("oflag" | "iflag" | "ibs" | "obs", _) => {}
            _ => {
                c.error(format!("unrecognized operand '{arg}'"));
                return 1;
            }
        }
    }
    let source = match &input {
        None => None,
        Some(path) => match c.files.open(&files::join(&c.cwd, path)) {
            Ok(file) => Some(file),
            Err(why) => {
                c.error(match c.host.dialect() {
                    Dialect::Busybox => format!("can't open '{path}': {why}"),
                    _ => format!("failed to open '{path}': {why}"),
                });
                return 1;
            }
        },
    };
    let target = match &output {
        None => None,
        Some(path) => {
            let full = files::join(&c.cwd, path);
            let opened = match keep {
                true => c.files.open_update(&full),
                false => c.files.create(&full, false),
            };
            match opened {
                Ok(file) => Some(file),
                Err(why) => {
                    c.error(match c.host.dialect() {
                        Dialect::Busybox => format!("can't open '{path}': {why}"),
                        _ => format!("failed to open '{path}': {why}"),
                    });
                    return 1;
                }
            }
        }
    };
    let (mut full, mut part, mut bytes) = (0, 0, 0);
    let mut failure: Option<FileError> = None;
    while count.is_none_or(|n| full + part < n) {
        // A block is made in pieces, so that none is larger than a stream may be.
        let mut got = 0;
        while got < size && failure.is_none() {
            let piece = (size - got).min(1 << 20);
            let block = match &source {
                Some(file) => match file.device() {
                    Some(Device::Zero) => vec![0; piece],
                    Some(Device::Random) => {
                        let some = c.files.read("/dev/urandom").unwrap_or_default();
                        some.iter().copied().take(piece).collect()
                    }
                    _ => file.read(piece),
                },
                None => c.stdin.read(piece).await,
            };
            if block.is_empty() {
                break;
            }
            match &target {
                Some(file) => failure = file.write(&block).err(),
                None => {
                    c.stdout.write(&block);
                    c.stdout.ready().await;
                }
            }
            if failure.is_none() {
                got += block.len();
            }
            c.sim.sleep(Duration::from_secs_f64(block.len() as f64 / SPEED)).await;
        }
        match got {
            0 => break,
            got if got == size => full += 1,
            _ => part += 1,
        }
        bytes += got;
        if failure.is_some() || (got < size && source.is_some()) {
            break;
        }
    }
    if let Some(why) = failure {
        c.error(format!("error writing '{}': {why}", output.unwrap_or_default()));
    }
    if !quiet {
        c.stderr.line(format!("{full}+{part} records in"));
        c.stderr.line(format!("{full}+{part} records out"));
        c.stderr.line(copied(bytes, bytes as f64 / SPEED, c.host.dialect()));
    }
    i32::from(failure.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_summaries() {
        let amounts = ["512", "4k", "1M", "1MB", "2x", "", "99999999999G"].map(amount);
        let expected = [Some(512), Some(4096), Some(1 << 20), Some(1_000_000), None, None, None];
        assert_eq!(amounts[..5], expected[..5]);
        assert_eq!(amounts[5..], expected[5..]);
        for (bytes, dialect, text) in [
            (12, Dialect::Bash, "12 bytes copied, 0.005000 s, 2.4 kB/s"),
            (1_000, Dialect::Bash, "1000 bytes (1.0 kB) copied, 0.005000 s, 200 kB/s"),
            (
                5_242_880,
                Dialect::Dash,
                "5242880 bytes (5.2 MB, 5.0 MiB) copied, 0.005000 s, 1.0 GB/s",
            ),
            (
                104_857_600,
                Dialect::Busybox,
                "104857600 bytes (100MB) copied, 0.005000 seconds, 20GB/s",
            ),
        ] {
            assert_eq!(copied(bytes, 0.005, dialect), text);
        }
    }
}
