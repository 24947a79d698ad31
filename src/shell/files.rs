//! The files of a host or container, in memory. Knows the clock (for modification times) and limits.
//!
//! Nodes are reference-counted: an open file stays readable when its name is gone, copies share
//! their bytes until one is written, and a directory of one file system can be mounted in another
//! ([`Files::mount`]), which is how volumes are shared between containers.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::host::{CAP_CHOWN, CAP_DAC_OVERRIDE, User};
use crate::flat::{Case, FlatMap};
use crate::limits;
use crate::sim::{Sim, Time};

/// Why a file operation failed. The texts are the C library's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    #[error("No such file or directory")]
    NotFound,
    #[error("Is a directory")]
    IsDirectory,
    #[error("Not a directory")]
    NotDirectory,
    #[error("File exists")]
    Exists,
    #[error("Directory not empty")]
    NotEmpty,
    #[error("Permission denied")]
    Denied,
    #[error("Operation not permitted")]
    NotPermitted,
    #[error("Read-only file system")]
    ReadOnly,
    #[error("No space left on device")]
    NoSpace,
    #[error("File too large")]
    TooLarge,
    #[error("File name too long")]
    NameTooLong,
    #[error("Too many levels of symbolic links")]
    LinkLoop,
    #[error("Invalid argument")]
    Invalid,
    #[error("Device or resource busy")]
    Busy,
    #[error("Bad file descriptor")]
    BadDescriptor,
}

impl FileError {
    /// The reason as programs in Go print it: `no such file or directory`.
    pub fn reason(&self) -> String {
        self.to_string().lower()
    }

    /// Go's error of reading this path: `open web.yaml: no such file or directory`. Directories can be opened, but not
    /// be read.
    pub fn reading(&self, path: &str) -> String {
        match self {
            FileError::IsDirectory => format!("read {path}: {}", self.reason()),
            _ => self.opening(path),
        }
    }

    /// Go's error of opening this path for writing: `open web.yaml: is a directory`.
    pub fn opening(&self, path: &str) -> String {
        format!("open {path}: {}", self.reason())
    }
}

type Result<T> = std::result::Result<T, FileError>;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    File,
    Directory,
    Symlink,
    /// A device such as `/dev/null`.
    Device,
}

/// What `stat` tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    pub kind: FileKind,
    /// Permission bits, such as `0o644`.
    pub mode: u32,
    /// The user and the group that own it.
    pub owner: (i64, i64),
    /// Bytes; of a symbolic link, of its target's name.
    pub size: u64,
    pub modified: Time,
    /// Where a symbolic link points.
    pub target: Option<String>,
    /// Unique within the world: equal for the same file.
    pub inode: u64,
}

/// A device's behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    Null,
    Zero,
    Random,
    Terminal,
}

enum Content {
    Bytes(Rc<Vec<u8>>),
    Device(Device),
    /// Made anew at each opening, as in `/proc`.
    Generated(Rc<dyn Fn() -> Vec<u8>>),
}

struct FileNode {
    content: RefCell<Content>,
    mode: Cell<u32>,
    owner: Cell<(i64, i64)>,
    modified: Cell<Time>,
    inode: u64,
    quota: Rc<Quota>,
}

struct DirNode {
    entries: RefCell<FlatMap<String, Entry>>,
    /// Told when a name is added or taken away.
    watcher: RefCell<Option<Rc<dyn Fn()>>>,
    mode: Cell<u32>,
    owner: Cell<(i64, i64)>,
    modified: Cell<Time>,
    inode: u64,
    quota: Rc<Quota>,
}

#[derive(Clone)]
enum Entry {
    File(Rc<FileNode>),
    Dir(Rc<DirNode>),
    Link(Rc<LinkNode>),
}

struct LinkNode {
    target: String,
    owner: (i64, i64),
    modified: Time,
    inode: u64,
}

/// What one file system has used, and whether it may be written.
#[derive(Default)]
struct Quota {
    bytes: Cell<usize>,
    files: Cell<usize>,
    read_only: Cell<bool>,
}

impl Quota {
    fn add_file(&self) -> Result<()> {
        if self.read_only.get() {
            return Err(FileError::ReadOnly);
        }
        if self.files.get() >= limits::FILES {
            return Err(FileError::NoSpace);
        }
        self.files.set(self.files.get() + 1);
        Ok(())
    }

    fn resize(&self, from: usize, to: usize) -> Result<()> {
        if self.read_only.get() {
            return Err(FileError::ReadOnly);
        }
        if to > limits::FILE_BYTES {
            return Err(FileError::TooLarge);
        }
        let total = self.bytes.get().saturating_sub(from) + to;
        if to > from && total > limits::FILE_SYSTEM_BYTES {
            return Err(FileError::NoSpace);
        }
        self.bytes.set(total);
        Ok(())
    }
}

impl Drop for FileNode {
    fn drop(&mut self) {
        self.quota.files.set(self.quota.files.get().saturating_sub(1));
        if let Content::Bytes(bytes) = &*self.content.borrow() {
            self.quota.bytes.set(self.quota.bytes.get().saturating_sub(bytes.len()));
        }
    }
}

impl Drop for DirNode {
    fn drop(&mut self) {
        self.quota.files.set(self.quota.files.get().saturating_sub(1));
    }
}

impl DirNode {
    /// Notes that a name was added or taken away.
    fn changed(&self, now: Time) {
        self.modified.set(now);
        let watcher = self.watcher.borrow().clone();
        if let Some(tell) = watcher {
            tell();
        }
    }
}

impl FileNode {
    fn read(&self, sim: &Sim) -> Rc<Vec<u8>> {
        match &*self.content.borrow() {
            Content::Bytes(bytes) => bytes.clone(),
            Content::Generated(f) => Rc::new(f()),
            Content::Device(Device::Random) => {
                // A reader of a random device takes what it wants; a bounded sample serves `head -c`.
                Rc::new((0..4096).map(|_| sim.random_below(256) as u8).collect())
            }
            Content::Device(Device::Zero) => Rc::new(vec![0; 1 << 20]),
            Content::Device(_) => Rc::default(),
        }
    }

    fn len(&self) -> u64 {
        match &*self.content.borrow() {
            Content::Bytes(bytes) => bytes.len() as u64,
            _ => 0,
        }
    }

    fn set(&self, bytes: Vec<u8>, now: Time) -> Result<()> {
        let mut content = self.content.borrow_mut();
        match &mut *content {
            Content::Bytes(old) => {
                self.quota.resize(old.len(), bytes.len())?;
                *old = Rc::new(bytes);
                self.modified.set(now);
                Ok(())
            }
            Content::Device(_) => Ok(()),
            Content::Generated(_) => Err(FileError::Denied),
        }
    }

    fn write_at(&self, at: Option<usize>, new: &[u8], now: Time) -> Result<usize> {
        let mut content = self.content.borrow_mut();
        match &mut *content {
            Content::Bytes(old) => {
                let start = at.unwrap_or(old.len());
                let end = start.saturating_add(new.len());
                let len = old.len().max(end);
                self.quota.resize(old.len(), len)?;
                let bytes = Rc::make_mut(old);
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                if let Some(slot) = bytes.get_mut(start..end) {
                    slot.copy_from_slice(new);
                }
                self.modified.set(now);
                Ok(end)
            }
            Content::Device(_) => Ok(0),
            Content::Generated(_) => Err(FileError::Denied),
        }
    }
}

/// A file that was opened: its position, shared by clones.
#[derive(Clone)]
pub struct OpenFile {
    node: Rc<FileNode>,
    /// Where the next read or write is; `None` appends.
    at: Rc<Cell<usize>>,
    append: bool,
    sim: Sim,
}

impl OpenFile {
    /// Writes at the position (or the end).
    pub fn write(&self, bytes: &[u8]) -> Result<()> {
        let at = (!self.append).then(|| self.at.get());
        self.at.set(self.node.write_at(at, bytes, self.sim.now())?);
        Ok(())
    }

    /// Up to `max` bytes from the position on.
    pub fn read(&self, max: usize) -> Vec<u8> {
        let bytes = self.node.read(&self.sim);
        let start = self.at.get().min(bytes.len());
        let end = start.saturating_add(max).min(bytes.len());
        self.at.set(end);
        bytes.get(start..end).unwrap_or_default().to_vec()
    }

    /// Up to and including the next line feed.
    pub fn read_line(&self) -> Vec<u8> {
        let bytes = self.node.read(&self.sim);
        let rest = bytes.get(self.at.get()..).unwrap_or_default();
        let n = rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |i| i + 1);
        self.at.set(self.at.get() + n);
        rest.get(..n).unwrap_or_default().to_vec()
    }

    /// Puts the position, where the next read or write is, at so many bytes from the beginning.
    pub fn seek(&self, at: usize) {
        self.at.set(at);
    }

    /// Whether this is `/dev/null`, and so takes and gives nothing.
    pub fn device(&self) -> Option<Device> {
        match &*self.node.content.borrow() {
            Content::Device(d) => Some(*d),
            _ => None,
        }
    }

    /// Unique within the world.
    pub fn inode(&self) -> u64 {
        self.node.inode
    }
}

/// A file system. Clones are handles to the same files.
///
/// Paths are absolute (`/root/web.yaml`); see [`join`] for relative ones.
#[derive(Clone)]
pub struct Files {
    root: Rc<DirNode>,
    sim: Sim,
    /// Who acts through this handle and its clones.
    who: Rc<RefCell<User>>,
    /// The permission bits that new files and directories do not get.
    umask: u32,
}

/// `path` as seen from the directory `cwd`, without `.`, `..` and doubled slashes.
pub fn join(cwd: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let base = if path.starts_with('/') { "" } else { cwd };
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            p => parts.push(p),
        }
    }
    if parts.is_empty() {
        return "/".to_owned();
    }
    let mut out = String::new();
    for p in parts {
        out.push('/');
        out.push_str(p);
    }
    out
}

/// A directory as prompts show it: `~` stands for the home, if there is one.
pub fn with_tilde(directory: &str, home: &str) -> String {
    match directory.strip_prefix(home) {
        Some(rest) if !home.is_empty() && (rest.is_empty() || rest.starts_with('/')) => format!("~{rest}"),
        _ => directory.to_owned(),
    }
}

/// The last part of a path, as `basename` prints it.
pub fn base_name(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() {
        return if path.is_empty() { "" } else { "/" };
    }
    trimmed.rsplit('/').next().unwrap_or(trimmed)
}

/// Everything before the last part of a path, as `dirname` prints it.
pub fn dir_name(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    match trimmed.rfind('/') {
        None if trimmed.is_empty() && !path.is_empty() => "/",
        None => ".",
        Some(i) => match trimmed.get(..i).unwrap_or_default().trim_end_matches('/') {
            "" => "/",
            dir => dir,
        },
    }
}

impl Files {
    /// An empty file system.
    pub fn new(sim: &Sim) -> Files {
        let quota = Rc::new(Quota::default());
        quota.files.set(1);
        Files {
            root: Rc::new(DirNode {
                entries: RefCell::default(),
                watcher: RefCell::default(),
                mode: Cell::new(0o755),
                owner: Cell::default(),
                modified: Cell::new(sim.now()),
                inode: sim.next_id(),
                quota,
            }),
            sim: sim.clone(),
            who: Rc::default(),
            umask: 0o022,
        }
    }

    /// A handle whose new files do not get the permission bits of `umask`.
    pub fn with_umask(&self, umask: u32) -> Files {
        Files { umask, ..self.clone() }
    }

    /// The permission bits that new files do not get: `0o022` unless [`Files::with_umask`] says otherwise.
    pub fn umask(&self) -> u32 {
        self.umask
    }

    /// The usual directories and devices of a Linux system.
    pub fn with_base(sim: &Sim) -> Files {
        let files = Files::new(sim);
        for dir in [
            "/bin",
            "/dev",
            "/etc",
            "/home",
            "/lib",
            "/media",
            "/mnt",
            "/opt",
            "/proc",
            "/root",
            "/run",
            "/sbin",
            "/srv",
            "/sys",
            "/tmp",
            "/usr/bin",
            "/usr/local/bin",
            "/usr/local/sbin",
            "/usr/sbin",
            "/var/log",
        ] {
            // An empty file system has room for these.
            let _ = files.make_dirs(dir);
        }
        let _ = files.set_mode("/tmp", 0o1777);
        let _ = files.set_mode("/root", 0o700);
        for (name, device) in [
            ("null", Device::Null),
            ("zero", Device::Zero),
            ("random", Device::Random),
            ("urandom", Device::Random),
            ("tty", Device::Terminal),
        ] {
            files.add_device(&format!("/dev/{name}"), device);
        }
        files
    }

    fn add_device(&self, path: &str, device: Device) {
        let Ok((dir, name)) = self.parent_of(path) else { return };
        let node = FileNode {
            content: RefCell::new(Content::Device(device)),
            mode: Cell::new(0o666),
            owner: Cell::default(),
            modified: Cell::new(self.sim.now()),
            inode: self.sim.next_id(),
            quota: dir.quota.clone(),
        };
        dir.entries.borrow_mut().insert(name, Entry::File(Rc::new(node)));
    }

    /// Adds a file whose bytes are made anew at each opening, as in `/proc`. Its directories are
    /// made as needed.
    pub fn generate(&self, path: &str, f: impl Fn() -> Vec<u8> + 'static) -> Result<()> {
        self.make_dirs(dir_name(path))?;
        let (dir, name) = self.parent_of(path)?;
        dir.quota.add_file()?;
        let node = FileNode {
            content: RefCell::new(Content::Generated(Rc::new(f))),
            mode: Cell::new(0o444),
            owner: Cell::default(),
            modified: Cell::new(self.sim.now()),
            inode: self.sim.next_id(),
            quota: dir.quota.clone(),
        };
        dir.entries.borrow_mut().insert(name, Entry::File(Rc::new(node)));
        Ok(())
    }

    /// Calls `tell` whenever a name is added to a directory or taken from it. A directory has one watcher.
    pub fn watch(&self, path: &str, tell: Rc<dyn Fn()>) -> Result<()> {
        *self.dir(path)?.watcher.borrow_mut() = Some(tell);
        Ok(())
    }

    /// Has this handle and its clones act as a user, whom owners and permissions bind unless it is root.
    pub fn act_as(&self, user: User) {
        *self.who.borrow_mut() = user;
    }

    /// A handle to the same files that acts as root.
    pub fn as_root(&self) -> Files {
        Files {
            who: Rc::default(),
            ..self.clone()
        }
    }

    /// Checks that who acts may do what a bit stands for: 4 to read, 2 to write, 1 to pass through.
    fn check(&self, owner: &Cell<(i64, i64)>, mode: &Cell<u32>, bit: u32) -> Result<()> {
        let who = self.who.borrow();
        if who.uid == 0 && who.lacks & CAP_DAC_OVERRIDE == 0 {
            return Ok(());
        }
        let shift = match owner.get() {
            (user, _) if user == who.uid => 6,
            (_, group) if group == who.gid || who.groups.contains(&group) => 3,
            _ => 0,
        };
        match mode.get() >> shift & bit {
            0 => Err(FileError::Denied),
            _ => Ok(()),
        }
    }

    /// Checks that a directory's names may be changed.
    fn enter(&self, dir: &DirNode) -> Result<()> {
        if dir.quota.read_only.get() {
            return Err(FileError::ReadOnly);
        }
        self.check(&dir.owner, &dir.mode, 2)
    }

    /// The owner of what is made in a directory: a directory may hand its group on.
    fn owner_in(&self, dir: &DirNode) -> Cell<(i64, i64)> {
        let who = self.who.borrow();
        let group = match dir.mode.get() & 0o2000 {
            0 => who.gid,
            _ => dir.owner.get().1,
        };
        Cell::new((who.uid, group))
    }

    /// Sets who owns what is at a path; a user or group that is not given stays.
    pub fn set_owner(&self, path: &str, user: Option<i64>, group: Option<i64>) -> Result<()> {
        let changed = |(u, g): (i64, i64)| (user.unwrap_or(u), group.unwrap_or(g));
        let who = self.who.borrow();
        if who.uid != 0 || who.lacks & CAP_CHOWN != 0 {
            return Err(FileError::NotPermitted);
        }
        match self.resolve(path, true)? {
            Entry::File(file) => file.owner.set(changed(file.owner.get())),
            Entry::Dir(dir) => dir.owner.set(changed(dir.owner.get())),
            Entry::Link(_) => {}
        }
        Ok(())
    }

    /// Refuses every change from now on (or allows it again); gives what was so before.
    pub fn set_read_only(&self, on: bool) -> bool {
        self.root.quota.read_only.replace(on)
    }

    /// Bytes and names in use.
    pub fn usage(&self) -> (usize, usize) {
        (self.root.quota.bytes.get(), self.root.quota.files.get())
    }

    /// Makes the directory `from` of `other` appear at `path`, hiding what was there. The directory
    /// is shared: a change on either side is seen on the other.
    pub fn mount(&self, path: &str, other: &Files, from: &str) -> Result<()> {
        self.make_dirs(dir_name(path))?;
        // A runtime mounts where a link points to.
        let (dir, name) = self.parent_of(&self.real_path(path)?)?;
        let entry = other.resolve(from, true)?;
        dir.entries.borrow_mut().insert(name, entry);
        Ok(())
    }

    /// A view whose root is a directory of this file system, as `chroot` gives it.
    pub fn below(&self, path: &str) -> Result<Files> {
        let root = self.dir(path)?;
        Ok(Files { root, ..self.clone() })
    }

    /// The entry at `path`; the last link is followed when `follow`.
    fn resolve(&self, path: &str, follow: bool) -> Result<Entry> {
        let mut links = 0;
        self.walk(path, follow, &mut links)
    }

    fn walk(&self, path: &str, follow: bool, links: &mut usize) -> Result<Entry> {
        if path.is_empty() {
            return Err(FileError::NotFound);
        }
        if path.len() > limits::PATH_BYTES {
            return Err(FileError::NameTooLong);
        }
        let must_be_dir = path.ends_with('/') || path.ends_with("/.");
        let mut stack: Vec<(Rc<DirNode>, String)> = Vec::new();
        let mut current = Entry::Dir(self.root.clone());
        let mut here = String::new();
        let mut parts = path.split('/').filter(|p| !p.is_empty()).peekable();
        while let Some(part) = parts.next() {
            let Entry::Dir(dir) = &current else {
                return Err(FileError::NotDirectory);
            };
            if part == "." {
                continue;
            }
            if part == ".." {
                if let Some((parent, path)) = stack.pop() {
                    current = Entry::Dir(parent);
                    here = path;
                }
                continue;
            }
            self.check(&dir.owner, &dir.mode, 1)?;
            let next = dir.entries.borrow().get(part).cloned().ok_or(FileError::NotFound)?;
            let last = parts.peek().is_none();
            match next {
                Entry::Link(link) if !last || follow || must_be_dir => {
                    *links += 1;
                    if *links > 40 {
                        return Err(FileError::LinkLoop);
                    }
                    let base = if here.is_empty() { "/" } else { here.as_str() };
                    let target = join(base, &link.target);
                    let entry = self.walk(&target, true, links)?;
                    stack.push((dir.clone(), here.clone()));
                    current = entry;
                    here = target;
                }
                next => {
                    stack.push((dir.clone(), here.clone()));
                    here = format!("{here}/{part}");
                    current = next;
                }
            }
        }
        if must_be_dir && !matches!(current, Entry::Dir(_)) {
            return Err(FileError::NotDirectory);
        }
        Ok(current)
    }

    fn dir(&self, path: &str) -> Result<Rc<DirNode>> {
        match self.resolve(path, true)? {
            Entry::Dir(dir) => Ok(dir),
            _ => Err(FileError::NotDirectory),
        }
    }

    fn parent_of(&self, path: &str) -> Result<(Rc<DirNode>, String)> {
        let trimmed = path.trim_end_matches('/');
        let name = base_name(trimmed);
        if name.is_empty() || name == "/" || name == "." || name == ".." {
            return Err(FileError::Exists);
        }
        if name.len() > 255 {
            return Err(FileError::NameTooLong);
        }
        let dir = self.dir(dir_name(trimmed))?;
        Ok((dir, name.to_owned()))
    }

    /// The file at `path` for writing, made when it is missing. A symbolic link is followed.
    fn file_to_write(&self, path: &str) -> Result<Rc<FileNode>> {
        let mut path = path.to_owned();
        for _ in 0..40 {
            match self.resolve(&path, false) {
                Ok(Entry::File(file)) => {
                    self.check(&file.owner, &file.mode, 2)?;
                    return Ok(file);
                }
                Ok(Entry::Dir(_)) => return Err(FileError::IsDirectory),
                Ok(Entry::Link(link)) => path = join(dir_name(&path), &link.target),
                Err(FileError::NotFound) if !path.ends_with('/') => {
                    let (dir, name) = self.parent_of(&path)?;
                    self.enter(&dir)?;
                    dir.quota.add_file()?;
                    let file = Rc::new(FileNode {
                        content: RefCell::new(Content::Bytes(Rc::default())),
                        mode: Cell::new(0o666 & !self.umask),
                        owner: self.owner_in(&dir),
                        modified: Cell::new(self.sim.now()),
                        inode: self.sim.next_id(),
                        quota: dir.quota.clone(),
                    });
                    dir.entries.borrow_mut().insert(name, Entry::File(file.clone()));
                    dir.changed(self.sim.now());
                    return Ok(file);
                }
                Err(FileError::NotFound) => return Err(FileError::IsDirectory),
                Err(e) => return Err(e),
            }
        }
        Err(FileError::LinkLoop)
    }

    /// The file at `path` for reading.
    fn readable(&self, path: &str) -> Result<Rc<FileNode>> {
        match self.resolve(path, true)? {
            Entry::File(file) => self.check(&file.owner, &file.mode, 4).map(|()| file),
            Entry::Dir(_) => Err(FileError::IsDirectory),
            Entry::Link(_) => Err(FileError::LinkLoop),
        }
    }

    /// A file's bytes.
    pub fn read(&self, path: &str) -> Result<Rc<Vec<u8>>> {
        Ok(self.readable(path)?.read(&self.sim))
    }

    /// A file's text; bytes that are not UTF-8 are replaced.
    pub fn read_text(&self, path: &str) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.read(path)?).into_owned())
    }

    /// Writes a whole file, made when it is missing (mode 644).
    pub fn write(&self, path: &str, bytes: impl Into<Vec<u8>>) -> Result<()> {
        let file = self.file_to_write(path)?;
        file.set(bytes.into(), self.sim.now())
    }

    /// Writes a whole file as [`Files::write`] does; its directories are made as needed.
    pub fn put(&self, path: &str, bytes: impl Into<Vec<u8>>) -> Result<()> {
        // Without them the file is not written, which tells why as well.
        let _ = self.make_dirs(dir_name(path));
        self.write(path, bytes)
    }

    /// Opens a file to read it.
    pub fn open(&self, path: &str) -> Result<OpenFile> {
        Ok(self.opened(self.readable(path)?, false))
    }

    /// Opens a file to write it: truncated, or at its end when `append`; made when it is missing.
    pub fn create(&self, path: &str, append: bool) -> Result<OpenFile> {
        let node = self.file_to_write(path)?;
        if node.quota.read_only.get() && !matches!(&*node.content.borrow(), Content::Device(_)) {
            return Err(FileError::ReadOnly);
        }
        if !append {
            node.set(Vec::new(), self.sim.now())?;
        }
        Ok(self.opened(node, append))
    }

    /// Opens a file to read and write it without truncating it; made when it is missing.
    pub fn open_update(&self, path: &str) -> Result<OpenFile> {
        Ok(self.opened(self.file_to_write(path)?, false))
    }

    fn opened(&self, node: Rc<FileNode>, append: bool) -> OpenFile {
        OpenFile {
            node,
            at: Rc::new(Cell::new(0)),
            append,
            sim: self.sim.clone(),
        }
    }

    /// What a name stands for; the last symbolic link is followed when `follow`.
    pub fn stat(&self, path: &str, follow: bool) -> Result<Stat> {
        Ok(stat_of(&self.resolve(path, follow)?))
    }

    /// Whether there is something at `path` (links followed).
    pub fn exists(&self, path: &str) -> bool {
        self.resolve(path, true).is_ok()
    }

    /// Whether `path` is a directory.
    pub fn is_dir(&self, path: &str) -> bool {
        matches!(self.resolve(path, true), Ok(Entry::Dir(_)))
    }

    /// Whether `path` is a file.
    pub fn is_file(&self, path: &str) -> bool {
        matches!(self.resolve(path, true), Ok(Entry::File(_)))
    }

    /// A directory's names with what they stand for (links not followed), sorted by bytes.
    pub fn list(&self, path: &str) -> Result<Vec<(String, Stat)>> {
        let dir = self.dir(path)?;
        self.check(&dir.owner, &dir.mode, 4)?;
        let entries = dir.entries.borrow();
        Ok(entries.iter().map(|(n, e)| (n.clone(), stat_of(e))).collect())
    }

    /// Makes one directory.
    pub fn make_dir(&self, path: &str) -> Result<()> {
        if self.resolve(path, false).is_ok() {
            return Err(FileError::Exists);
        }
        let (dir, name) = self.parent_of(path)?;
        self.enter(&dir)?;
        dir.quota.add_file()?;
        let node = DirNode {
            entries: RefCell::default(),
            watcher: RefCell::default(),
            mode: Cell::new(0o777 & !self.umask | dir.mode.get() & 0o2000),
            owner: self.owner_in(&dir),
            modified: Cell::new(self.sim.now()),
            inode: self.sim.next_id(),
            quota: dir.quota.clone(),
        };
        dir.entries.borrow_mut().insert(name, Entry::Dir(Rc::new(node)));
        dir.modified.set(self.sim.now());
        Ok(())
    }

    /// Makes a directory and those above it that are missing.
    pub fn make_dirs(&self, path: &str) -> Result<()> {
        let path = join("/", path);
        let mut at = String::new();
        for part in path.split('/').filter(|p| !p.is_empty()) {
            at.push('/');
            at.push_str(part);
            match self.resolve(&at, true) {
                Ok(Entry::Dir(_)) => {}
                Ok(_) => {
                    return Err(if at == path {
                        FileError::Exists
                    } else {
                        FileError::NotDirectory
                    });
                }
                Err(FileError::NotFound) => self.make_dir(&at)?,
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Makes a symbolic link.
    pub fn symlink(&self, target: &str, path: &str) -> Result<()> {
        if self.resolve(path, false).is_ok() {
            return Err(FileError::Exists);
        }
        let (dir, name) = self.parent_of(path)?;
        // A link's node is not counted again when it goes; its name's entry is small.
        self.enter(&dir)?;
        if dir.entries.borrow().len() >= limits::FILES {
            return Err(FileError::NoSpace);
        }
        let link = LinkNode {
            target: target.to_owned(),
            owner: self.owner_in(&dir).get(),
            modified: self.sim.now(),
            inode: self.sim.next_id(),
        };
        dir.entries.borrow_mut().insert(name, Entry::Link(Rc::new(link)));
        Ok(())
    }

    /// Removes a file or link.
    pub fn remove_file(&self, path: &str) -> Result<()> {
        if matches!(self.resolve(path, false)?, Entry::Dir(_)) {
            return Err(FileError::IsDirectory);
        }
        self.remove_entry(path)
    }

    /// Removes an empty directory.
    pub fn remove_dir(&self, path: &str) -> Result<()> {
        match self.resolve(path, false)? {
            Entry::Dir(dir) if dir.entries.borrow().is_empty() => self.remove_entry(path),
            Entry::Dir(_) => Err(FileError::NotEmpty),
            _ => Err(FileError::NotDirectory),
        }
    }

    /// Removes a name and everything below it.
    pub fn remove_all(&self, path: &str) -> Result<()> {
        self.resolve(path, false)?;
        self.remove_entry(path)
    }

    fn remove_entry(&self, path: &str) -> Result<()> {
        let (dir, name) = self.parent_of(path).map_err(|e| match e {
            FileError::Exists => FileError::Busy,
            e => e,
        })?;
        self.enter(&dir)?;
        // Of a directory as `/tmp` everybody may take out what is his own.
        let owner = dir.entries.borrow().get(&name).map(|e| stat_of(e).owner.0);
        let who = self.who.borrow().uid;
        if who != 0 && dir.mode.get() & 0o1000 != 0 && owner != Some(who) && dir.owner.get().0 != who {
            return Err(FileError::NotPermitted);
        }
        let gone = dir.entries.borrow_mut().remove(&name);
        dir.changed(self.sim.now());
        drop(gone);
        Ok(())
    }

    /// Renames a file or directory; `to` is the new name, not the directory to put it in. Replaces
    /// a file or an empty directory.
    pub fn rename(&self, from: &str, to: &str) -> Result<()> {
        let entry = self.resolve(from, false)?;
        if let (Entry::Dir(_), true) = (&entry, join("/", to).starts_with(&format!("{}/", join("/", from)))) {
            return Err(FileError::Invalid);
        }
        match (&entry, self.resolve(to, false)) {
            (_, Ok(existing)) if stat_of(&existing).inode == stat_of(&entry).inode => return Ok(()),
            (Entry::Dir(_), Ok(Entry::Dir(dir))) if !dir.entries.borrow().is_empty() => {
                return Err(FileError::NotEmpty);
            }
            (Entry::Dir(_), Ok(Entry::File(_) | Entry::Link(_))) => return Err(FileError::NotDirectory),
            (Entry::File(_) | Entry::Link(_), Ok(Entry::Dir(_))) => return Err(FileError::IsDirectory),
            _ => {}
        }
        let (dir, name) = self.parent_of(to)?;
        self.enter(&dir)?;
        self.remove_entry(from)?;
        let replaced = dir.entries.borrow_mut().insert(name, entry);
        drop(replaced);
        dir.changed(self.sim.now());
        Ok(())
    }

    /// Gives all files and directories one date: those of an image are older than its containers.
    pub fn date_all(&self, date: Time) {
        let mut dirs: Vec<Rc<DirNode>> = self.dir("/").into_iter().collect();
        while let Some(dir) = dirs.pop() {
            dir.modified.set(date);
            for entry in dir.entries.borrow().values() {
                match entry {
                    Entry::File(file) => file.modified.set(date),
                    Entry::Dir(dir) => dirs.push(dir.clone()),
                    Entry::Link(_) => {}
                }
            }
        }
    }

    /// Sets a name's permission bits.
    pub fn set_mode(&self, path: &str, mode: u32) -> Result<()> {
        let entry = self.resolve(path, true)?;
        let who = self.who.borrow().uid;
        if who != 0 && stat_of(&entry).owner.0 != who {
            return Err(FileError::NotPermitted);
        }
        match entry {
            Entry::File(file) if file.quota.read_only.get() => return Err(FileError::ReadOnly),
            Entry::File(file) => file.mode.set(mode & 0o7777),
            Entry::Dir(dir) => dir.mode.set(mode & 0o7777),
            Entry::Link(_) => {}
        }
        Ok(())
    }

    /// Sets when a name was last modified.
    pub fn set_modified(&self, path: &str, when: Time) -> Result<()> {
        match self.resolve(path, true)? {
            Entry::File(file) => file.modified.set(when),
            Entry::Dir(dir) => dir.modified.set(when),
            Entry::Link(_) => {}
        }
        Ok(())
    }

    /// Where a path really is, with every link followed. The last part may be missing.
    pub fn real_path(&self, path: &str) -> Result<String> {
        let mut done = String::new();
        let mut todo: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
        let mut links = 0;
        while let Some(part) = todo.pop() {
            match part.as_str() {
                "" | "." => {}
                ".." => {
                    let up = done.rfind('/').unwrap_or(0);
                    done.truncate(up);
                }
                name => {
                    let next = format!("{done}/{name}");
                    match self.resolve(&next, false) {
                        Ok(Entry::Link(link)) => {
                            links += 1;
                            if links > 40 {
                                return Err(FileError::LinkLoop);
                            }
                            if link.target.starts_with('/') {
                                done.clear();
                            }
                            todo.extend(link.target.split('/').rev().map(str::to_owned));
                        }
                        Ok(_) => done = next,
                        Err(FileError::NotFound) if todo.iter().all(String::is_empty) => done = next,
                        Err(e) => return Err(e),
                    }
                }
            }
        }
        Ok(if done.is_empty() { "/".to_owned() } else { done })
    }
}

fn stat_of(entry: &Entry) -> Stat {
    match entry {
        Entry::File(file) => Stat {
            kind: match &*file.content.borrow() {
                Content::Device(_) => FileKind::Device,
                _ => FileKind::File,
            },
            mode: file.mode.get(),
            owner: file.owner.get(),
            size: file.len(),
            modified: file.modified.get(),
            target: None,
            inode: file.inode,
        },
        Entry::Dir(dir) => Stat {
            kind: FileKind::Directory,
            mode: dir.mode.get(),
            owner: dir.owner.get(),
            size: 4096,
            modified: dir.modified.get(),
            target: None,
            inode: dir.inode,
        },
        Entry::Link(link) => Stat {
            kind: FileKind::Symlink,
            mode: 0o777,
            owner: link.owner,
            size: link.target.len() as u64,
            modified: link.modified,
            target: Some(link.target.clone()),
            inode: link.inode,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Files {
        Files::with_base(&Sim::new(1, Time::from_secs(1_000)))
    }

    #[test]
    fn names() {
        for (cwd, path, want) in [
            ("/root", "a.yaml", "/root/a.yaml"),
            ("/root", "../etc//hosts", "/etc/hosts"),
            ("/", "..", "/"),
            ("/a/b", "./c/.", "/a/b/c"),
            ("/a", "/x/", "/x"),
        ] {
            assert_eq!(join(cwd, path), want);
        }
        assert_eq!((base_name("/a/b/"), dir_name("/a/b/")), ("b", "/a"));
        assert_eq!((base_name("a"), dir_name("a")), ("a", "."));
        assert_eq!((base_name("/"), dir_name("/")), ("/", "/"));
        assert_eq!(dir_name("/a"), "/");
    }

    #[test]
    fn write_read_move_remove() {
        let f = files();
        f.write("/root/a", "one").unwrap();
        let open = f.create("/root/a", true).unwrap();
        open.write(b" two").unwrap();
        assert_eq!(f.read_text("/root/a").unwrap(), "one two");
        f.rename("/root/a", "/tmp/b").unwrap();
        assert_eq!(f.read("/root/a"), Err(FileError::NotFound));
        open.write(b"!").unwrap();
        assert_eq!(f.read_text("/tmp/b").unwrap(), "one two!");
        assert_eq!(f.make_dir("/tmp"), Err(FileError::Exists));
        assert_eq!(f.make_dir("/no/such"), Err(FileError::NotFound));
        assert_eq!(f.write("/tmp", "x"), Err(FileError::IsDirectory));
        assert_eq!(f.write("/tmp/b/c", "x"), Err(FileError::NotDirectory));
        assert_eq!(f.remove_dir("/tmp"), Err(FileError::NotEmpty));
        assert_eq!(f.remove_all("/"), Err(FileError::Busy));
        f.make_dirs("/x/y/z").unwrap();
        assert_eq!(f.rename("/x", "/x/y/w"), Err(FileError::Invalid));
        let used = f.usage();
        f.remove_all("/x").unwrap();
        assert_eq!(f.usage().1, used.1 - 3);
        f.remove_file("/tmp/b").unwrap();
        drop(open);
        assert_eq!(f.usage().0, 0);
    }

    #[test]
    fn links_and_mounts() {
        let f = files();
        f.write("/etc/real", "r").unwrap();
        f.symlink("real", "/etc/link").unwrap();
        f.symlink("/etc", "/root/e").unwrap();
        assert_eq!(f.read_text("/root/e/link").unwrap(), "r");
        assert_eq!(f.real_path("/root/e/link").unwrap(), "/etc/real");
        f.write("/root/e/link", "new").unwrap();
        assert_eq!(f.read_text("/etc/real").unwrap(), "new");
        f.symlink("/loop", "/loop").unwrap();
        assert_eq!(f.read("/loop"), Err(FileError::LinkLoop));
        assert_eq!(f.write("/loop", ""), Err(FileError::LinkLoop));

        let volume = Files::new(&f.sim);
        volume.write("/key", "value").unwrap();
        f.mount("/etc/conf", &volume, "/").unwrap();
        assert_eq!(f.read_text("/etc/conf/key").unwrap(), "value");
        f.write("/etc/conf/other", "x").unwrap();
        assert!(volume.exists("/other"));
        volume.set_read_only(true);
        assert_eq!(f.write("/etc/conf/key", "y"), Err(FileError::ReadOnly));
        assert_eq!(f.write("/etc/conf/third", "y"), Err(FileError::ReadOnly));
        f.write("/etc/other", "x").unwrap();
    }

    #[test]
    fn limits_hold() {
        let f = files();
        assert_eq!(
            f.write("/big", vec![0; limits::FILE_BYTES + 1]),
            Err(FileError::TooLarge)
        );
        assert_eq!(f.read_text("/big").unwrap(), "", "the name was made, as open(2) does");
        let name = format!("/{}", "n".repeat(300));
        assert_eq!(f.write(&name, ""), Err(FileError::NameTooLong));
        let mut n = 0;
        let error = loop {
            match f.write(&format!("/tmp/{n}"), "") {
                Ok(()) => n += 1,
                Err(e) => break e,
            }
        };
        assert_eq!(error, FileError::NoSpace);
    }
}
