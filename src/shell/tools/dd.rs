//! `dd`: copies blocks, and says how many.

use std::time::Duration;

use super::super::files::{self, Device, FileError, OpenFile};
use super::super::host::{Context, Dialect};
use crate::limits;

/// Nanoseconds that it takes to copy a byte: some gigabyte a second.
const NANOS_OF_BYTE: u64 = 1;

/// What a block's two system calls take besides: small blocks are slow.
const CALL: Duration = Duration::from_micros(1);

/// Bytes that are copied at once.
const PIECE: u64 = 1 << 20;

/// A count with a unit: `512`, `4k`, `1M`, `1MB`.
pub(super) fn amount(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "" => 1,
        "b" => 512,
        "k" | "K" | "KiB" => 1 << 10,
        "kB" | "KB" => 1_000,
        "m" | "M" | "MiB" => 1 << 20,
        "MB" => 1_000_000,
        "G" | "GiB" => 1 << 30,
        "GB" => 1_000_000_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
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

fn copied(bytes: u64, seconds: f64, dialect: Dialect) -> String {
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

/// What the operands ask for.
struct Operands {
    input: Option<String>,
    output: Option<String>,
    /// Bytes of an input block and of an output block.
    blocks: (u64, u64),
    /// Output blocks are the input's, however short (`bs=`).
    alike: bool,
    count: Option<u64>,
    /// Blocks of the input, and of the output, that are passed over.
    skip: u64,
    seek: u64,
    quiet: bool,
    /// The output is not truncated.
    keep: bool,
}

/// Flags and conversions that change nothing here: there are no caches, and reads give whole blocks.
const WITHOUT_EFFECT: &[&str] = &[
    "cio",
    "direct",
    "dsync",
    "fdatasync",
    "fsync",
    "fullblock",
    "noatime",
    "nocache",
    "noctty",
    "noerror",
    "nonblock",
    "sync",
];

fn operands(args: &[String]) -> Result<Operands, String> {
    let mut o = Operands {
        input: None,
        output: None,
        blocks: (512, 512),
        alike: false,
        count: None,
        skip: 0,
        seek: 0,
        quiet: false,
        keep: false,
    };
    let mut both = None;
    for arg in args {
        let (name, value) = arg.split_once('=').unwrap_or((arg, ""));
        let number = || amount(value).ok_or_else(|| format!("invalid number: '{value}'"));
        let size = || {
            number().and_then(|n| {
                if n > 0 {
                    Ok(n)
                } else {
                    Err(format!("invalid number: '{value}'"))
                }
            })
        };
        match name {
            "if" => o.input = Some(value.to_owned()),
            "of" => o.output = Some(value.to_owned()),
            "bs" => both = Some(size()?),
            "ibs" => o.blocks.0 = size()?,
            "obs" => o.blocks.1 = size()?,
            "count" => o.count = Some(number()?),
            "skip" | "iseek" => o.skip = number()?,
            "seek" | "oseek" => o.seek = number()?,
            "status" if ["none", "noxfer", "progress"].contains(&value) => o.quiet = value == "none",
            "conv" | "iflag" | "oflag" => {
                for flag in value.split(',') {
                    match flag {
                        "notrunc" if name == "conv" => o.keep = true,
                        // Of a conversion, `sync` fills blocks up.
                        flag if WITHOUT_EFFECT.contains(&flag) && (name, flag) != ("conv", "sync") => {}
                        flag => return Err(format!("{name}={flag} is not simulated")),
                    }
                }
            }
            "status" | "cbs" | "files" => return Err(format!("{arg} is not simulated")),
            _ => return Err(format!("unrecognized operand '{arg}'")),
        }
    }
    if let Some(size) = both {
        o.blocks = (size, size);
        o.alike = true;
    }
    if o.seek > 0 && o.output.is_none() {
        return Err("seek without of is not simulated".to_owned());
    }
    Ok(o)
}

/// A position in a file; what is beyond the largest is where no file reaches.
fn position(blocks: u64, size: u64) -> usize {
    usize::try_from(blocks.saturating_mul(size)).unwrap_or(usize::MAX)
}

/// Opens the output at its position.
fn open_output(c: &Context, o: &Operands, path: &str) -> Result<OpenFile, FileError> {
    let full = files::join(&c.cwd, path);
    let at = position(o.seek, o.blocks.1);
    if o.keep || at == 0 {
        let file = match o.keep {
            true => c.files.open_update(&full)?,
            false => c.files.create(&full, false)?,
        };
        file.seek(at);
        return Ok(file);
    }
    // What is before the position stays, and what follows it goes.
    if at > limits::FILE_BYTES {
        return Err(FileError::TooLarge);
    }
    if c.files.open_update(&full)?.device().is_some() {
        return c.files.create(&full, false);
    }
    let mut before = c.files.read(&full)?.as_ref().clone();
    before.resize(at, 0);
    let file = c.files.create(&full, false)?;
    file.write(&before)?;
    Ok(file)
}

/// The time that a copy takes, which is slept and counted a millisecond at a time.
struct Work {
    /// All of it, and what was not yet slept.
    all: Duration,
    owed: Duration,
}

impl Work {
    fn add(&mut self, bytes: u64, call: Duration) {
        let time = Duration::from_nanos(bytes.saturating_mul(NANOS_OF_BYTE)) + call;
        self.all += time;
        self.owed += time;
    }

    async fn settle(&mut self, c: &Context, least: Duration) {
        if self.owed > least {
            let owed = std::mem::take(&mut self.owed);
            c.sim.sleep(owed).await;
            c.host.spend(owed);
        }
    }
}

/// Up to `most` bytes of the input.
async fn take(c: &Context, source: Option<&OpenFile>, most: usize) -> Vec<u8> {
    let Some(file) = source else {
        return c.stdin.read(most).await;
    };
    match file.device() {
        Some(Device::Zero) => vec![0; most],
        Some(Device::Random) => {
            let some = c.files.read("/dev/urandom").unwrap_or_default();
            some.iter().copied().take(most).collect()
        }
        _ => file.read(most),
    }
}

pub(super) async fn dd(c: Context) -> i32 {
    let o = match operands(c.rest()) {
        Ok(o) => o,
        Err(why) => {
            c.error(why);
            return 1;
        }
    };
    let cannot_open = |path: &str, why: FileError| {
        c.error(match c.host.dialect() {
            Dialect::Busybox => format!("can't open '{path}': {why}"),
            _ => format!("failed to open '{path}': {why}"),
        });
        1
    };
    let source = match &o.input {
        None => None,
        Some(path) => match c.files.open(&files::join(&c.cwd, path)) {
            Ok(file) => Some(file),
            Err(why) => return cannot_open(path, why),
        },
    };
    let target = match &o.output {
        None => None,
        Some(path) => match open_output(&c, &o, path) {
            Ok(file) => Some(file),
            Err(why) => return cannot_open(path, why),
        },
    };
    let size = o.blocks.0;
    let mut work = Work {
        all: Duration::ZERO,
        owed: Duration::ZERO,
    };
    match &source {
        Some(file) => file.seek(position(o.skip, size)),
        None => {
            let mut left = o.skip.saturating_mul(size);
            while left > 0 {
                let some = c.stdin.read(left.min(PIECE) as usize).await;
                if some.is_empty() {
                    break;
                }
                left -= some.len() as u64;
                work.add(some.len() as u64, CALL);
                work.settle(&c, Duration::from_millis(1)).await;
            }
        }
    }
    let (mut full, mut part, mut bytes) = (0u64, 0u64, 0u64);
    let mut failure: Option<FileError> = None;
    while o.count.is_none_or(|n| full + part < n) {
        // A block is made in pieces, so that none is larger than a stream may be.
        let mut got = 0;
        while got < size && failure.is_none() {
            let piece = (size - got).min(PIECE) as usize;
            let block = take(&c, source.as_ref(), piece).await;
            if block.is_empty() {
                break;
            }
            match &target {
                Some(file) => failure = file.write(&block).err(),
                None if !c.stdout.write(&block) => return 1,
                None => c.stdout.ready().await,
            }
            let length = block.len() as u64;
            if failure.is_none() {
                got += length;
            }
            work.add(length, CALL);
            work.settle(&c, Duration::from_millis(1)).await;
        }
        match got {
            0 => break,
            got if got == size => full += 1,
            _ => part += 1,
        }
        bytes = bytes.saturating_add(got);
        if failure.is_some() {
            break;
        }
    }
    work.settle(&c, Duration::ZERO).await;
    if let Some(why) = failure {
        c.error(format!("error writing '{}': {why}", o.output.unwrap_or_default()));
    }
    if !o.quiet {
        let written = match o.alike {
            true => (full, part),
            false => (bytes / o.blocks.1, u64::from(bytes % o.blocks.1 > 0)),
        };
        c.stderr.line(format!("{full}+{part} records in"));
        c.stderr.line(format!("{}+{} records out", written.0, written.1));
        c.stderr.line(copied(bytes, work.all.as_secs_f64(), c.host.dialect()));
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
