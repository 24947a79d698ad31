//! What a machine's `/proc` says of its file systems and its memory: `df`, `mount`, `free`.

use super::super::files::{FileError, join};
use super::super::host::{Context, Dialect};
use super::options;

/// What `/proc/mounts` says of one file system.
struct Mount {
    device: String,
    dir: String,
    kind: String,
    flags: String,
}

fn mounts(c: &Context) -> Vec<Mount> {
    let text = c.files.read_text("/proc/mounts");
    let text = text.unwrap_or_else(|_| "overlay / overlay rw,relatime 0 0\n".to_owned());
    let rows = text.lines().filter_map(|line| {
        let mut words = line.split(' ').map(str::to_owned);
        Some(Mount {
            device: words.next()?,
            dir: words.next()?,
            kind: words.next()?,
            flags: words.next()?,
        })
    });
    rows.collect()
}

/// `/proc/meminfo`, which is made anew each time that it is read.
fn meminfo(c: &Context) -> String {
    c.files.read_text("/proc/meminfo").unwrap_or_default()
}

/// A row of `/proc/meminfo`, in KiB.
fn memory(text: &str, name: &str) -> u64 {
    let row = text.lines().find_map(|line| line.strip_prefix(name));
    let number = row.and_then(|row| row.split_whitespace().nth(1)?.parse().ok());
    number.unwrap_or(0)
}

/// KiB of a node's disk, as its status has them, and what its own system fills of them.
const DISK: u64 = 41_151_808;
const SYSTEM: u64 = 5_871_204;

/// The disk's i-nodes, and how many its system uses.
const NODES: u64 = 2_621_440;
const SYSTEM_NODES: u64 = 101_764;

impl Mount {
    /// What there is of it, what is used, and what the kernel keeps for root: KiB, or i-nodes.
    fn room(&self, c: &Context, nodes: bool) -> (u64, u64, u64) {
        let root = c.files.usage();
        let own = c.files.below(&self.dir).map_or((0, 0), |files| files.usage());
        let of = |(bytes, names): (usize, usize)| {
            if nodes {
                names as u64
            } else {
                (bytes as u64).div_ceil(1024)
            }
        };
        match self.kind.as_str() {
            "tmpfs" | "devtmpfs" => {
                let size = self
                    .flags
                    .split(',')
                    .find_map(|f| f.strip_prefix("size=")?.strip_suffix('k')?.parse().ok());
                // Half of the memory, where nothing else was said; an i-node for each page of it.
                let size = size.unwrap_or_else(|| memory(&meminfo(c), "MemTotal") / 2);
                // A directory of the root's own files has no count of its own.
                let used = if own == root { 0 } else { of(own) };
                (if nodes { size / 4 } else { size }, used, 0)
            }
            "overlay" | "ext4" | "nfs4" if nodes => (NODES, SYSTEM_NODES + of(own), 0),
            "overlay" | "ext4" | "nfs4" => (DISK, SYSTEM + of(own), DISK / 20),
            _ => (0, 0, 0),
        }
    }
}

/// A size in KiB as people read it.
fn human(kib: u64, busybox: bool) -> String {
    match busybox {
        true if kib > 0 => {
            let (mut value, mut units) = (kib as f64, "KMGT".chars());
            let mut unit = units.next();
            while value >= 1024.0 {
                value /= 1024.0;
                unit = units.next();
            }
            format!("{value:.1}{}", unit.unwrap_or('P'))
        }
        _ => super::fs::human(kib * 1024),
    }
}

pub(super) async fn df(c: Context) -> i32 {
    let long = [
        ("human-readable", 'h'),
        ("inodes", 'i'),
        ("print-type", 'T'),
        ("all", 'a'),
        ("portability", 'P'),
    ];
    let o = match options::parse(&c, "himTaP kHl", &long) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let busybox = c.host.dialect() == Dialect::Busybox;
    let (nodes, people, mut code) = (o.has('i'), o.has('h'), 0);
    let all = mounts(&c);
    let room = |mount: &Mount| mount.room(&c, nodes);
    let mut chosen: Vec<(&Mount, (u64, u64, u64))> = Vec::new();
    for path in &o.rest {
        if !c.files.exists(&c.path(path)) {
            c.error(match busybox {
                true => format!("{path}: can't find mount point"),
                false => format!("{path}: {}", FileError::NotFound),
            });
            code = 1;
            continue;
        }
        let path = join("/", &c.files.real_path(&c.path(path)).unwrap_or_default());
        let holds = |m: &&Mount| m.dir == "/" || path == m.dir || path.starts_with(&format!("{}/", m.dir));
        let mount = all.iter().filter(holds).max_by_key(|m| m.dir.len());
        chosen.extend(mount.map(|m| (m, room(m))));
    }
    if o.rest.is_empty() {
        for mount in &all {
            let same = |other: &&Mount| {
                let real = mount.device.starts_with('/');
                real && other.device == mount.device && (other.dir.len(), &other.dir) < (mount.dir.len(), &mount.dir)
            };
            let room = room(mount);
            let shown = room.0 > 0 && (busybox || all.iter().find(same).is_none());
            if shown || o.has('a') {
                chosen.push((mount, room));
            }
        }
    }
    if chosen.is_empty() {
        if o.rest.is_empty() {
            c.error("no file systems processed");
        }
        return 1;
    }
    let words = |text: &str| text.split('|').map(str::to_owned).collect::<Vec<_>>();
    let mut table = vec![words(match (nodes, people, o.has('P'), o.has('m')) {
        (true, ..) => "Filesystem|Type|Inodes|IUsed|IFree|IUse%|Mounted on",
        (_, true, ..) if busybox => "Filesystem|Type|Size|Used|Available|Use%|Mounted on",
        (_, true, ..) => "Filesystem|Type|Size|Used|Avail|Use%|Mounted on",
        (_, _, true, _) => "Filesystem|Type|1024-blocks|Used|Available|Capacity|Mounted on",
        (_, _, _, true) => "Filesystem|Type|1M-blocks|Used|Available|Use%|Mounted on",
        _ => "Filesystem|Type|1K-blocks|Used|Available|Use%|Mounted on",
    })];
    for (mount, (total, used, kept)) in chosen {
        let left = total.saturating_sub(used + kept);
        let show = |n: u64| match people {
            true if nodes => n.to_string(),
            true => human(n, busybox),
            false if o.has('m') => n.div_ceil(1024).to_string(),
            false => n.to_string(),
        };
        let share = match (used * 100).div_ceil((used + left).max(1)) {
            _ if total == 0 => "-".to_owned(),
            share => format!("{share}%"),
        };
        table.push(vec![
            mount.device.clone(),
            mount.kind.clone(),
            show(total),
            show(used),
            show(left),
            share,
            mount.dir.clone(),
        ]);
    }
    let least = if busybox {
        [20, 10, 9, 9, 9, 4]
    } else {
        [14, 4, 5, 5, 5, 4]
    };
    let widths: Vec<usize> = (least.into_iter().enumerate())
        .map(|(i, least)| match busybox {
            true => least,
            false => table
                .iter()
                .filter_map(|row| Some(row.get(i)?.len()))
                .fold(least, usize::max),
        })
        .collect();
    for row in &table {
        let mut line = String::new();
        for (i, cell) in row.iter().enumerate() {
            let width = widths.get(i).copied().unwrap_or(0);
            match i {
                1 if !o.has('T') => continue,
                0 => line.push_str(&format!("{cell:<width$}")),
                1 => line.push_str(&format!(" {cell:<width$}")),
                _ => line.push_str(&format!(" {cell:>width$}")),
            }
        }
        c.stdout.line(line);
    }
    code
}

pub(super) async fn mount(c: Context) -> i32 {
    let o = match options::parse(&c, "t: l", &[("types", 't')]) {
        Ok(o) => o,
        Err(code) => return code,
    };
    if !o.rest.is_empty() {
        c.error("mounting is not simulated: pods mount their volumes");
        return 1;
    }
    for mount in mounts(&c) {
        if o.value('t')
            .is_none_or(|kinds| kinds.split(',').any(|k| k == mount.kind))
        {
            let Mount {
                device,
                dir,
                kind,
                flags,
            } = mount;
            c.stdout.line(format!("{device} on {dir} type {kind} ({flags})"));
        }
    }
    0
}

pub(super) async fn free(c: Context) -> i32 {
    let long = [("human", 'h'), ("mebi", 'm'), ("gibi", 'g'), ("bytes", 'b')];
    let o = match options::parse(&c, "hmgb kwtl", &long) {
        Ok(o) => o,
        Err(code) => return code,
    };
    let busybox = c.host.dialect() == Dialect::Busybox;
    let show = |kib: u64| match () {
        () if o.has('m') => (kib / 1024).to_string(),
        () if o.has('g') => (kib >> 20).to_string(),
        () if o.has('b') => (kib * 1024).to_string(),
        () if !o.has('h') => kib.to_string(),
        () if busybox => human(kib, true),
        () if kib == 0 => "0B".to_owned(),
        () => {
            // A fraction where there is room for it.
            let text = human(kib, true);
            let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
            match whole.len() {
                1 => format!("{text}i"),
                _ => format!("{whole}{}i", rest.trim_start_matches(|c: char| c.is_ascii_digit())),
            }
        }
    };
    let text = meminfo(&c);
    let of = |name| memory(&text, name);
    let (total, free, available) = (of("MemTotal"), of("MemFree"), of("MemAvailable"));
    let cache = of("Buffers") + of("Cached");
    let used = total.saturating_sub(available);
    let label = if busybox { 7 } else { 8 };
    let head = ["total", "used", "free", "shared", "buff/cache", "available"].map(str::to_owned);
    for (name, cells) in [
        ("", head.to_vec()),
        (
            "Mem:",
            [total, used, free, of("Shmem"), cache, available].map(show).to_vec(),
        ),
        ("Swap:", [0; 3].map(show).to_vec()),
    ] {
        let cells: String = cells.iter().map(|cell| format!("{cell:>12}")).collect();
        c.stdout.line(format!("{name:<label$}{cells}"));
    }
    0
}

pub(super) async fn top(c: Context) -> i32 {
    c.error("what each process uses is not simulated; see `ps` for the processes, and `kubectl top pod` for what a container uses");
    1
}
