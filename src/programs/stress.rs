//! `stress` of polinux/stress and of vish/stress: load on processors and memory, for lessons on
//! limits and autoscaling. The disk's workers (`--io`, `--hdd`) use nothing here.

use std::rc::Rc;
use std::time::Duration;

use super::{Image, Meter, Sandbox, klog, program, until_stopped};
use crate::api::quantity::Quantity;
use crate::shell::{Commands, Context, Files};

pub(super) fn install(image: &Image, _tag: &str, sandbox: &Rc<Sandbox>, commands: &mut Commands, _files: &Files) {
    if image.repository.contains("vish/") {
        program(commands, "/stress", sandbox, vish);
    } else {
        program(commands, "/usr/local/bin/stress", sandbox, stress);
    }
}

/// Processors kept busy, until it is dropped.
struct Burning(Rc<Meter>, u64);

impl Burning {
    fn new(meter: &Rc<Meter>, workers: u64) -> Burning {
        meter.burn(workers * 1_000);
        Burning(meter.clone(), workers * 1_000)
    }
}

impl Drop for Burning {
    fn drop(&mut self) {
        self.0.rest(self.1);
        self.0.allocate(0);
    }
}

/// A number with `stress`'s suffix: `150M`, `2G`; of seconds `30s`, `1m`.
fn number(text: &str) -> Option<u64> {
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    let factor = match text.get(digits.len()..).unwrap_or("") {
        "" | "s" | "B" | "b" => 1,
        "K" | "k" => 1 << 10,
        "M" => 1 << 20,
        "G" | "g" => 1 << 30,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

async fn stress(context: Context, sandbox: Rc<Sandbox>) -> i32 {
    let pid = context.process.pid();
    let (mut cpu, mut io, mut vm, mut hdd) = (0u64, 0u64, 0u64, 0u64);
    let (mut bytes, mut timeout) = (256u64 << 20, None);
    let mut words = context.rest().iter();
    while let Some(word) = words.next() {
        let (name, given) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (word.as_str(), None),
        };
        if matches!(
            name,
            "-v" | "--verbose" | "-q" | "--quiet" | "--vm-keep" | "--hdd-noclean"
        ) {
            continue;
        }
        let text = given.or_else(|| words.next().cloned()).unwrap_or_default();
        let Some(value) = number(&text) else {
            context
                .stderr
                .line(format!("stress: FAIL: [{pid}] (244) unrecognized option: {word}"));
            return 1;
        };
        match name {
            "-c" | "--cpu" => cpu = value,
            "-i" | "--io" => io = value,
            "-m" | "--vm" => vm = value,
            "-d" | "--hdd" => hdd = value,
            "--vm-bytes" => bytes = value,
            "-t" | "--timeout" => timeout = Some(Duration::from_secs(value)),
            "--vm-hang" | "--vm-stride" | "--hdd-bytes" | "--backoff" => {}
            _ => {
                context
                    .stderr
                    .line(format!("stress: FAIL: [{pid}] (244) unrecognized option: {word}"));
                return 1;
            }
        }
    }
    if cpu + io + vm + hdd == 0 {
        context.stdout.line(
            "`stress' imposes certain types of compute stress on your system\n\nUsage: stress [OPTION [ARG]] ...",
        );
        return 0;
    }
    context.stdout.line(format!(
        "stress: info: [{pid}] dispatching hogs: {cpu} cpu, {io} io, {vm} vm, {hdd} hdd"
    ));
    // A worker that touches its memory again and again needs a processor too.
    let burning = Burning::new(&sandbox.meter, cpu + vm.min(1) * u64::from(cpu == 0));
    sandbox.sim.sleep(Duration::from_millis(300)).await;
    if !sandbox.meter.allocate(vm.saturating_mul(bytes)) {
        // The kernel kills the container; nothing is left to be said.
        std::future::pending::<()>().await;
    }
    match timeout {
        Some(time) => {
            sandbox.sim.sleep(time).await;
            drop(burning);
            context.stdout.line(format!(
                "stress: info: [{pid}] successful run completed in {}s",
                time.as_secs()
            ));
        }
        None => {
            until_stopped(&context.process).await;
        }
    }
    0
}

async fn vish(context: Context, sandbox: Rc<Sandbox>) -> i32 {
    let (mut cpus, mut total) = (0u64, 0u64);
    let mut words = context.rest().iter();
    while let Some(word) = words.next() {
        let (name, given) = match word.trim_start_matches('-').split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (word.trim_start_matches('-').to_owned(), None),
        };
        if name == "logtostderr" {
            continue;
        }
        let text = given.or_else(|| words.next().cloned()).unwrap_or_default();
        match name.as_str() {
            "cpus" => cpus = text.parse().unwrap_or(0),
            "mem-total" => total = u64::try_from(Quantity::parse_or_zero(&text).value()).unwrap_or(0),
            _ => {}
        }
    }
    let log = |place: &str, text: &str| {
        context
            .stderr
            .line(format!("{}       1 {place}] {text}", klog('I', sandbox.sim.now())));
    };
    log(
        "main.go:26",
        &format!("Allocating \"{total}\" memory, in \"4Ki\" chunks, with a 1ms sleep between allocations"),
    );
    let _burning = Burning::new(&sandbox.meter, cpus);
    if cpus > 0 {
        log("main.go:39", "Spawning a thread to consume CPU");
    }
    sandbox.sim.sleep(Duration::from_millis(300)).await;
    if !sandbox.meter.allocate(total) {
        std::future::pending::<()>().await;
    }
    log("main.go:29", &format!("Allocated \"{total}\" memory"));
    until_stopped(&context.process).await;
    0
}
