//! What Linux tells in files of a machine: `/proc/mounts`, `/proc/meminfo`, `/proc/cpuinfo`, the limits of a container's
//! control group.

use std::rc::Rc;

use crate::api::Object;
use crate::api::quantity::Quantity;
use crate::api::views::{Container, Pod};
use crate::flat::Arrange;
use crate::programs::Meter;
use crate::shell::{Files, join};
use crate::value::Value;

/// What every node and each of its containers tells: a machine of two processors without load.
const KERNEL: [&str; 3] = ["/proc/version", "/proc/loadavg", "/proc/cpuinfo"];

/// What stands in a file of [`KERNEL`].
fn kernel(path: &str) -> String {
    match path {
        "/proc/version" => "Linux version 6.1.0-41-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian \
            12.2.0-14+deb12u1) 12.2.0, GNU ld (GNU Binutils for Debian) 2.40) #1 SMP PREEMPT_DYNAMIC Debian 6.1.158-1 \
            (2025-11-09)\n"
            .to_owned(),
        "/proc/loadavg" => "0.00 0.00 0.00 1/200 4242\n".to_owned(),
        // Few read more of it than how many processors there are, and what they are called.
        _ => (0..2)
            .map(|n| {
                format!(
                    "processor\t: {n}\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\n\
                     model name\t: Intel(R) Xeon(R) CPU @ 2.60GHz\nstepping\t: 7\ncpu MHz\t\t: 2600.000\n\
                     cache size\t: 36608 KB\nphysical id\t: 0\nsiblings\t: 2\ncore id\t\t: {n}\ncpu cores\t: 2\n\n"
                )
            })
            .collect(),
    }
}

/// The disk that a node keeps everything on.
const DISK: &str = "/dev/vda1";

const SYSTEM: &str = "nosuid,nodev,noexec,relatime 0 0";

/// How many KiB a quantity of bytes is.
pub fn kib(quantity: &str) -> u64 {
    u64::try_from(Quantity::parse_or_zero(quantity).value() / 1024).unwrap_or(0)
}

/// Writes them for a node; `memory` says how many KiB it has, and how many bytes its pods and its system use.
pub fn node(files: &Files, memory: impl Fn() -> (u64, u64) + 'static) {
    // A file system that is full lacks the file.
    let _ = files.put(
        "/proc/mounts",
        format!(
            "sysfs /sys sysfs rw,{SYSTEM}\nproc /proc proc rw,{SYSTEM}\n\
             udev /dev devtmpfs rw,nosuid,relatime,size=1937848k,nr_inodes=484462,mode=755,inode64 0 0\n\
             devpts /dev/pts devpts rw,nosuid,noexec,relatime,gid=5,mode=620,ptmxmode=000 0 0\n\
             tmpfs /run tmpfs rw,nosuid,nodev,noexec,relatime,size=391176k,mode=755,inode64 0 0\n\
             {DISK} / ext4 rw,relatime,errors=remount-ro 0 0\n\
             tmpfs /dev/shm tmpfs rw,nosuid,nodev,inode64 0 0\n\
             tmpfs /run/lock tmpfs rw,nosuid,nodev,noexec,relatime,size=5120k,inode64 0 0\n\
             cgroup2 /sys/fs/cgroup cgroup2 rw,{SYSTEM}\n"
        ),
    );
    for path in KERNEL {
        let _ = files.put(path, kernel(path));
    }
    let _ = files.generate("/proc/meminfo", move || {
        // The kernel's caches of files.
        let (buffers, cached, shared) = (64_812, 1_216_040, 3_584);
        let (total, used) = memory();
        let available = total.saturating_sub(used / 1024);
        let free = available.saturating_sub(buffers + cached);
        let rows = [
            ("MemTotal", total),
            ("MemFree", free),
            ("MemAvailable", available),
            ("Buffers", buffers),
            ("Cached", cached),
            ("Shmem", shared),
            ("SwapTotal", 0),
            ("SwapFree", 0),
        ];
        let rows = rows.map(|(name, kib)| format!("{:<16}{kib:>8} kB\n", format!("{name}:")));
        rows.concat().into_bytes()
    });
}

/// KiB that a volume in memory may take: the pod's limit, its own, and what the node has for pods.
fn in_memory(pod: &Object, size: &str, allocatable: u64) -> u64 {
    let limits = Pod(pod)
        .containers()
        .map(|c| kib(c.value().str_at(&["resources", "limits", "memory"])));
    let limits: Vec<u64> = limits.collect();
    let sum = if limits.contains(&0) { 0 } else { limits.iter().sum() };
    [sum, kib(size), allocatable]
        .into_iter()
        .filter(|n| *n > 0)
        .min()
        .unwrap_or(0)
}

/// Writes them for a container. `files` are its own, `node` those of its node, whose pods may have `allocatable` KiB.
pub fn container(
    pod: &Object,
    container: Container,
    files: &Files,
    (node, allocatable): (&Files, u64),
    meter: &Rc<Meter>,
) {
    let mut rows = Vec::new();
    for mount in container.value().get("volumeMounts").items() {
        let name = mount.get("name").str();
        let mut volumes = Pod(pod).volumes().iter();
        let volume = volumes.find(|v| v.get("name").str() == name).unwrap_or(&Value::Null);
        let shows = ["configMap", "secret", "projected", "downwardAPI"]
            .iter()
            .any(|kind| volume.has(kind));
        let empty = volume.get("emptyDir");
        let memory = (shows && !volume.has("configMap")) || empty.get("medium").str() == "Memory";
        let mode = if shows || mount.bool_at(&["readOnly"]) {
            "ro"
        } else {
            "rw"
        };
        let nfs = volume.get("nfs");
        rows.push((
            join("/", mount.get("mountPath").str()),
            match () {
                () if memory => {
                    let size = in_memory(pod, empty.get("sizeLimit").str(), allocatable);
                    (
                        "tmpfs".to_owned(),
                        format!("tmpfs {mode},relatime,size={size}k,inode64"),
                    )
                }
                () if !nfs.is_null() => (super::volumes::nfs_key(nfs), format!("nfs4 {mode},relatime,vers=4.2")),
                () => (DISK.to_owned(), format!("ext4 {mode},relatime")),
            },
        ));
    }
    for path in [
        "/etc/hosts",
        "/dev/termination-log",
        "/etc/hostname",
        "/etc/resolv.conf",
    ] {
        rows.push((path.to_owned(), (DISK.to_owned(), "ext4 rw,relatime".to_owned())));
    }
    let shared = "tmpfs rw,nosuid,nodev,noexec,relatime,size=65536k,inode64".to_owned();
    rows.push(("/dev/shm".to_owned(), ("shm".to_owned(), shared)));
    // As containerd: outer directories first.
    rows.arrange_by_key(|(path, _)| path.matches('/').count());
    let rows: String = rows
        .iter()
        .map(|(path, (device, rest))| format!("{device} {path} {rest} 0 0\n"))
        .collect();
    let root = match container
        .value()
        .bool_at(&["securityContext", "readOnlyRootFilesystem"])
    {
        true => "ro",
        false => "rw",
    };
    let layers = "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots";
    // A file system that is full lacks the file.
    let _ = files.put("/proc/mounts",
        format!(
            "overlay / overlay {root},relatime,lowerdir={layers}/12/fs,upperdir={layers}/31/fs,workdir={layers}/31/work 0 0\n\
             proc /proc proc rw,{SYSTEM}\ntmpfs /dev tmpfs rw,nosuid,size=65536k,mode=755,inode64 0 0\n\
             devpts /dev/pts devpts rw,nosuid,noexec,relatime,gid=5,mode=620,ptmxmode=666 0 0\n\
             mqueue /dev/mqueue mqueue rw,{SYSTEM}\nsysfs /sys sysfs ro,{SYSTEM}\ncgroup /sys/fs/cgroup cgroup2 ro,{SYSTEM}\n\
             {rows}proc /proc/sys proc ro,{SYSTEM}\ntmpfs /proc/acpi tmpfs ro,relatime,inode64 0 0\n\
             tmpfs /sys/firmware tmpfs ro,relatime,inode64 0 0\n"
        ),
    );
    for path in ["/proc/meminfo"].into_iter().chain(KERNEL) {
        let _ = files.mount(path, node, path);
    }
    let _ = files.put("/proc/1/cgroup", "0::/\n");
    let limit = |path: &str, text: fn(u64, u64) -> String| {
        let meter = meter.clone();
        let _ = files.generate(path, move || {
            let (cpu, memory) = meter.limits();
            format!("{}\n", text(cpu, memory)).into_bytes()
        });
    };
    limit("/sys/fs/cgroup/cpu.max", |cpu, _| match cpu {
        0 => "max 100000".to_owned(),
        milli => format!("{} 100000", milli * 100),
    });
    limit("/sys/fs/cgroup/memory.max", |_, memory| match memory {
        0 => "max".to_owned(),
        bytes => bytes.to_string(),
    });
}
