//! What a container uses of its node's processors and memory: the numbers behind `kubectl top` and
//! the HorizontalPodAutoscaler.
//!
//! The use is a function of what the container's program does, and of nothing else:
//!
//! - processor: what its image idles at ([`Profile::idle`]), plus [`Profile::request`] for each HTTP
//!   request or exchange that it answers, plus [`PROCESS_TIME`](crate::shell::PROCESS_TIME) for each process that it starts (a shell
//!   loop that runs `wget` pays for every one), plus a whole processor for a shell that loops
//!   without waiting and for each worker of `stress --cpu`; at most its limit;
//! - memory: what its image idles at ([`Profile::memory`]), plus what `stress --vm` allocates. A
//!   container that allocates more than its limit is killed (`OOMKilled`).
//!
//! metrics-server looks every [`WINDOW`] and answers with the mean between its last two looks; so
//! does [`Meter::usage`]. Nothing polls for that: work is added to the window in which it ends.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use crate::api::metrics::{Usage, WINDOW};
use crate::sim::{Sim, Time};

/// What a program uses by itself.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// Millionths of a processor while nobody asks it anything.
    pub idle: u64,
    /// KiB of memory.
    pub memory: u64,
    /// Microseconds of processor time for a request that it answers.
    pub request: u64,
}

/// The profiles by the last part of an image's repository, as the programs are seen to use on a
/// small cluster; the first that the name begins with counts.
const PROFILES: &[(&str, u64, u64, u64)] = &[
    ("kube-apiserver", 42_000, 262_000, 500),
    ("kube-controller-manager", 16_000, 58_000, 0),
    ("kube-scheduler", 4_000, 24_000, 0),
    ("kube-proxy", 900, 16_400, 0),
    ("etcd", 21_000, 52_000, 0),
    ("coredns", 2_300, 14_800, 60),
    ("flannel", 5_600, 12_600, 0),
    ("metrics-server", 3_700, 19_200, 200),
    // The walkthrough's page sums a million square roots.
    ("hpa-example", 900, 10_500, 40_000),
    ("php", 900, 10_500, 3_000),
    ("nginx", 60, 5_400, 80),
    ("httpd", 120, 6_900, 100),
    ("redis", 2_100, 3_900, 25),
    ("mysql", 6_300, 452_000, 300),
    ("mariadb", 4_100, 98_000, 300),
    ("postgres", 3_200, 31_000, 250),
    ("mongo", 7_900, 146_000, 250),
    ("rabbitmq", 9_300, 124_000, 250),
    ("elasticsearch", 21_000, 1_260_000, 900),
    ("tomcat", 2_400, 132_000, 600),
    ("jenkins", 3_900, 486_000, 2_000),
    ("wordpress", 800, 26_000, 9_000),
    ("kubernetes-bootcamp", 300, 21_000, 400),
    ("node", 300, 21_000, 400),
    ("python", 200, 9_200, 600),
    ("stress", 10, 700, 0),
    ("busybox", 0, 600, 100),
    ("alpine", 0, 700, 100),
];

/// What a program that is not in the table uses.
const OTHER: Profile = Profile {
    idle: 150,
    memory: 4_600,
    request: 150,
};

impl Profile {
    /// The profile of an image, by the last part of its repository.
    pub fn of(name: &str) -> Profile {
        PROFILES
            .iter()
            .find(|(n, ..)| name.starts_with(n))
            .map_or(OTHER, |&(_, idle, memory, request)| Profile { idle, memory, request })
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Measures one run of a container.
pub struct Meter {
    sim: Sim,
    profile: Profile,
    started: Time,
    /// The number of a window, and the processor time that was spent in it: the present one and the
    /// two before it.
    windows: RefCell<[(u64, Duration); 3]>,
    /// Nanoseconds of all the work that was done.
    worked: Cell<u64>,
    /// Until when what keeps processors busy is a part of that.
    settled: Cell<Time>,
    /// Processors that are kept busy, in thousandths.
    busy: Cell<u64>,
    /// Bytes that the program allocated on top of its profile.
    allocated: Cell<u64>,
    /// Thousandths of a processor that it may use; 0 for no limit.
    cpu_limit: Cell<u64>,
    /// Bytes that it may use; 0 for no limit.
    memory_limit: Cell<u64>,
    /// Until when the work that was taken on keeps its processors busy.
    queue: Cell<Time>,
    on_oom: RefCell<Option<Rc<dyn Fn()>>>,
}

impl Meter {
    pub fn new(sim: &Sim, image: &str) -> Rc<Meter> {
        Rc::new(Meter {
            sim: sim.clone(),
            profile: Profile::of(image),
            started: sim.now(),
            windows: RefCell::default(),
            worked: Cell::default(),
            settled: Cell::default(),
            busy: Cell::new(0),
            allocated: Cell::new(0),
            cpu_limit: Cell::new(0),
            memory_limit: Cell::new(0),
            queue: Cell::default(),
            on_oom: RefCell::default(),
        })
    }

    /// Sets what the container may use: thousandths of a processor and bytes, 0 for any amount; and
    /// what is called when it allocates more memory than that.
    pub fn limit(&self, cpu: u64, memory: u64, on_oom: impl Fn() + 'static) {
        self.cpu_limit.set(cpu);
        self.memory_limit.set(memory);
        *self.on_oom.borrow_mut() = Some(Rc::new(on_oom));
    }

    /// Thousandths of a processor and bytes that the container may use; 0 for any amount.
    pub fn limits(&self) -> (u64, u64) {
        (self.cpu_limit.get(), self.memory_limit.get())
    }

    fn window_of(time: Time) -> u64 {
        time.as_secs() / WINDOW.as_secs()
    }

    /// Adds processor time that was spent now.
    pub fn spend(&self, time: Duration) {
        self.worked.set(self.worked.get() + nanos(time));
        let window = Meter::window_of(self.sim.now());
        let mut windows = self.windows.borrow_mut();
        if let Some((_, spent)) = windows.iter_mut().find(|(w, _)| *w == window) {
            *spent += time;
        } else {
            windows.rotate_right(1);
            if let Some(first) = windows.first_mut() {
                *first = (window, time);
            }
        }
    }

    /// Does the work of one request. One that takes a noticeable time waits until the processors
    /// that the container may use have done it, and what was asked before.
    pub async fn work(&self) {
        let cost = Duration::from_micros(self.profile.request);
        if cost < Duration::from_millis(1) {
            self.spend(cost);
            return;
        }
        let now = self.sim.now();
        // A node here has two processors; one request uses one of them.
        let share = match self.cpu_limit.get() {
            0 => 2_000,
            limit => limit.min(2_000),
        };
        let begin = self.queue.get().max(now);
        let done = begin + cost * 1_000 / u32::try_from(share).unwrap_or(1_000).max(1);
        self.queue.set(done);
        let end = done.max(now + cost);
        self.sim.sleep_until(end).await;
        self.spend(cost);
    }

    /// Keeps this many more thousandths of a processor busy until [`Meter::rest`] is called.
    pub fn burn(&self, milli: u64) {
        self.settle();
        self.busy.set(self.busy.get() + milli);
    }

    /// Ends what [`Meter::burn`] began.
    pub fn rest(&self, milli: u64) {
        self.settle();
        self.busy.set(self.busy.get().saturating_sub(milli));
    }

    /// Counts what has kept processors busy up to now.
    fn settle(&self) {
        self.worked.set(self.worked.get() + self.unsettled());
        self.settled.set(self.sim.now());
    }

    /// Nanoseconds for which processors were kept busy since that was last counted.
    fn unsettled(&self) -> u64 {
        let limit = self.cpu_limit.get();
        match self.busy.get().min(if limit == 0 { u64::MAX } else { limit }) {
            0 => 0,
            busy => nanos(self.sim.now().since(self.settled.get())) / 1_000 * busy,
        }
    }

    /// Nanoseconds of processor time that were spent since the start.
    pub fn spent(&self) -> u64 {
        let idle = nanos(self.sim.now().since(self.started)) / 1_000_000 * self.profile.idle;
        idle + self.worked.get() + self.unsettled()
    }

    /// Sets how many bytes the program holds on top of what it begins with. Whether it may: one
    /// that takes more than its limit is killed.
    pub fn allocate(&self, bytes: u64) -> bool {
        self.allocated.set(bytes);
        let limit = self.memory_limit.get();
        let fits = limit == 0 || self.memory() <= limit;
        if !fits {
            let on_oom = self.on_oom.borrow().clone();
            if let Some(kill) = on_oom {
                kill();
            }
        }
        fits
    }

    fn memory(&self) -> u64 {
        self.profile.memory * 1024 + self.allocated.get()
    }

    /// The mean use between metrics-server's last two looks, and when the last one was; `None` as
    /// long as it has not looked twice.
    pub fn usage(&self) -> Option<(Usage, Time)> {
        let present = Meter::window_of(self.sim.now());
        let last = present.checked_sub(1)?;
        if self.started > Time::from_secs(last * WINDOW.as_secs()) {
            return None;
        }
        let windows = self.windows.borrow();
        let spent = windows
            .iter()
            .find(|(w, _)| *w == last)
            .map_or(Duration::ZERO, |(_, s)| *s);
        let worked = nanos(spent) / WINDOW.as_secs();
        let mut cpu = self.profile.idle * 1_000 + worked + self.busy.get() * 1_000_000;
        let limit = self.cpu_limit.get() * 1_000_000;
        if limit > 0 {
            cpu = cpu.min(limit);
        }
        let memory = match self.memory_limit.get() {
            0 => self.memory(),
            limit => self.memory().min(limit),
        };
        let looked = Time::from_secs(present * WINDOW.as_secs());
        let spent = self.spent();
        Some((Usage { cpu, memory, spent }, looked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(meter: &Meter) -> Option<(u64, u64)> {
        meter
            .usage()
            .map(|(u, _)| (u.cpu.div_ceil(1_000_000), u.memory / (1 << 20)))
    }

    #[test]
    fn the_mean_of_the_window_before() {
        let sim = Sim::new(1, Time::from_secs(1_800_000_000));
        let meter = Meter::new(&sim, "nginx");
        sim.run_for(Duration::from_secs(14));
        assert_eq!(millis(&meter), None, "metrics-server has not looked yet");
        sim.run_for(Duration::from_secs(2));
        assert_eq!(millis(&meter), Some((1, 5)));
        meter.spend(Duration::from_millis(1_500));
        assert_eq!(
            millis(&meter),
            Some((1, 5)),
            "what is spent now counts from the next look"
        );
        sim.run_for(Duration::from_secs(15));
        assert_eq!(millis(&meter), Some((101, 5)));
        sim.run_for(Duration::from_secs(15));
        assert_eq!(millis(&meter), Some((1, 5)));
    }

    #[test]
    fn limits_hold() {
        let sim = Sim::new(1, Time::from_secs(1_800_000_000));
        let meter = Meter::new(&sim, "stress");
        let killed = Rc::new(Cell::new(false));
        let flag = killed.clone();
        meter.limit(500, 100 << 20, move || flag.set(true));
        meter.burn(2_000);
        assert!(meter.allocate(50 << 20));
        sim.run_for(Duration::from_secs(31));
        assert_eq!(millis(&meter), Some((500, 50)));
        assert!(!meter.allocate(150 << 20) && killed.get());
    }

    #[test]
    fn heavy_requests_queue_for_the_processor() {
        let sim = Sim::new(1, Time::from_secs(1_800_000_000));
        let meter = Meter::new(&sim, "hpa-example");
        meter.limit(500, 0, || ());
        let begun = sim.now();
        for _ in 0..10 {
            let meter = meter.clone();
            sim.spawn("request", async move { meter.work().await });
        }
        sim.run_ready(100);
        while let Some(next) = sim.next_timer() {
            sim.run_until(next);
        }
        // Ten requests of 40 ms each at half a processor.
        assert_eq!(sim.now().since(begun), Duration::from_millis(800));
    }
}
