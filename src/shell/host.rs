//! A machine that commands run on: a node's host or a container. Its files, its commands and its
//! processes; and [`Context`], what one command is given. Knows no network: whoever registers
//! `curl` or `kubectl` brings what they need in the closure.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::LocalBoxFuture;

use super::accounts::Accounts;
use super::files::{self, FileError, Files};
use super::io::{Input, Output};
use super::process::{Process, Processes};
use crate::flat::FlatMap;
use crate::limits;
use crate::sim::Sim;

/// Variables of a process's environment, by name.
pub type Env = FlatMap<String, String>;

/// The processor time that it costs to start a process and load its program.
pub const PROCESS_TIME: Duration = Duration::from_millis(1);

/// A command: an async function of its [`Context`] to its exit code. Dropping the future ends it.
pub type CommandFn = Rc<dyn Fn(Context) -> LocalBoxFuture<'static, i32>>;

/// A descriptor of a command: one side of a pipe, a file, a terminal.
#[derive(Clone, Debug)]
pub enum Fd {
    In(Input),
    Out(Output),
}

/// Everything that one run of a command is given.
#[derive(Clone)]
pub struct Context {
    pub sim: Sim,
    /// The machine: its name, commands, processes and editor.
    pub host: Host,
    /// The command's name and its arguments.
    pub args: Vec<String>,
    /// The exported variables.
    pub env: Env,
    /// The working directory, absolute.
    pub cwd: String,
    pub files: Files,
    pub stdin: Input,
    pub stdout: Output,
    pub stderr: Output,
    /// The process that this run is: for signals it wants to handle, and its number.
    pub process: Process,
    /// Open descriptors from 3 up, which `/dev/fd/N` names (process substitution).
    pub fds: Rc<FlatMap<i32, Fd>>,
}

impl Context {
    /// The command's name as it was called.
    pub fn name(&self) -> &str {
        self.args.first().map_or("", String::as_str)
    }

    /// The argument after the name with this index, from 1.
    pub fn arg(&self, i: usize) -> Option<&str> {
        self.args.get(i).map(String::as_str)
    }

    /// The arguments without the name.
    pub fn rest(&self) -> &[String] {
        self.args.get(1..).unwrap_or_default()
    }

    /// Who is who on the machine.
    pub fn accounts(&self) -> Accounts {
        Accounts::of(&self.files)
    }

    /// A path of the user's made absolute.
    pub fn path(&self, path: &str) -> String {
        let joined = files::join(&self.cwd, path);
        // A trailing slash demands a directory, so it stays.
        if path.ends_with('/') && joined != "/" {
            joined + "/"
        } else {
            joined
        }
    }

    /// Whether a path names one of the command's own descriptors, which only [`Context::open`] knows.
    pub fn is_descriptor(&self, path: &str) -> bool {
        path == "/dev/stdin" || fd_number(path).is_some_and(|n| n == 0 || self.fds.contains_key(&n))
    }

    /// Opens a file to read it: `-` and `/dev/stdin` are the standard input, `/dev/fd/N` a
    /// descriptor.
    pub fn open(&self, path: &str) -> Result<Input, FileError> {
        match path {
            "-" | "/dev/stdin" | "/dev/fd/0" => return Ok(self.stdin.clone()),
            "/dev/null" => return Ok(Input::empty()),
            _ => {}
        }
        if let Some(n) = fd_number(path) {
            return match self.fds.get(&n) {
                Some(Fd::In(input)) => Ok(input.clone()),
                _ => Err(FileError::NotFound),
            };
        }
        if path.is_empty() {
            return Err(FileError::NotFound);
        }
        self.files.open(&self.path(path)).map(Input::file)
    }

    /// Opens a file to write it; `/dev/stdout`, `/dev/stderr`, `/dev/null` and `/dev/fd/N` are what
    /// they are called.
    pub fn create(&self, path: &str, append: bool) -> Result<Output, FileError> {
        match path {
            "/dev/stdout" | "/dev/fd/1" => return Ok(self.stdout.clone()),
            "/dev/stderr" | "/dev/fd/2" => return Ok(self.stderr.clone()),
            "/dev/null" => return Ok(Output::null()),
            "" => return Err(FileError::NotFound),
            _ => {}
        }
        if let Some(n) = fd_number(path) {
            return match self.fds.get(&n) {
                Some(Fd::Out(output)) => Ok(output.clone()),
                _ => Err(FileError::NotFound),
            };
        }
        self.files
            .create(&self.path(path), append)
            .map(|f| Output::file(f).for_process(&self.process))
    }

    /// The whole text of a file that the user named (see [`Context::open`]).
    pub async fn read_file(&self, path: &str) -> Result<String, FileError> {
        Ok(self.open(path)?.read_text().await)
    }

    /// Prints `name: message` to stderr, as most tools word their errors.
    pub fn error(&self, message: impl std::fmt::Display) {
        let name = files::base_name(self.name()).to_owned();
        self.stderr.line(format!("{name}: {message}"));
    }

    /// Runs a shell source (an editor's command line, a script's text) in a child shell with this
    /// command's variables, directory and descriptors. `name` is its `$0`.
    pub async fn run_source(&self, name: &str, source: &str) -> i32 {
        super::shell::run_source_as(self, name, source).await
    }

    /// Runs a command by its arguments as a child process with this command's descriptors;
    /// `None` when there is no such command.
    pub async fn run(&self, args: &[String]) -> Option<i32> {
        let program = self.host.find(args.first()?, &self.env, &self.cwd).ok()?;
        let child = self.child(args);
        Some(program.run(child).await)
    }

    /// The context of a child process with these arguments.
    pub fn child(&self, args: &[String]) -> Context {
        let process = self.host.start_process(&args.join(" "), self.process.pid());
        process.set_depth(self.process.depth() + limits::PROGRAM_DEPTH);
        let mut child = self.clone();
        child.args = args.to_vec();
        child.stdout = child.stdout.for_process(&process);
        child.stderr = child.stderr.for_process(&process);
        child.process = process;
        child
    }
}

/// The number of `/dev/fd/N`.
pub(super) fn fd_number(path: &str) -> Option<i32> {
    path.strip_prefix("/dev/fd/")?.parse().ok()
}

struct Registered {
    path: String,
    run: CommandFn,
}

/// The commands of a machine, by name.
#[derive(Default)]
pub struct Commands(FlatMap<String, Registered>);

impl Commands {
    /// None.
    pub fn new() -> Commands {
        Commands::default()
    }

    /// The tools that need no network: `cat`, `grep`, `sed`, `sh`, ….
    pub fn with_tools() -> Commands {
        let mut commands = Commands::new();
        super::tools::register(&mut commands);
        commands
    }

    /// Adds a command, or replaces it. `path` is its file (`/usr/local/bin/kubectl`); a bare name
    /// lies in `/usr/bin`.
    pub fn add<F, R>(&mut self, path: &str, run: F)
    where
        F: Fn(Context) -> R + 'static,
        R: Future<Output = i32> + 'static,
    {
        self.add_boxed(path, Rc::new(move |context| run(context).boxed_local()));
    }

    /// Adds a command that is boxed already.
    pub fn add_boxed(&mut self, path: &str, run: CommandFn) {
        let path = if path.contains('/') {
            path.to_owned()
        } else {
            format!("/usr/bin/{path}")
        };
        self.0
            .insert(files::base_name(&path).to_owned(), Registered { path, run });
    }

    /// Removes a command: an image without it.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// The commands' names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// A command's file.
    pub fn path_of(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|r| r.path.as_str())
    }

    /// A command by name.
    pub fn get(&self, name: &str) -> Option<CommandFn> {
        self.0.get(name).map(|r| r.run.clone())
    }
}

/// Which shell `sh` is, and so how its errors read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Dialect {
    /// bash, as on the hosts.
    #[default]
    Bash,
    /// dash, `sh` of Debian's images: `sh: 1: foo: not found`.
    Dash,
    /// busybox's ash: `sh: foo: not found`.
    Busybox,
}

/// Why a name cannot be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoProgram {
    /// There is no such file: exit code 127.
    NotFound,
    /// It is a directory: 126.
    IsDirectory,
    /// It may not be executed: 126.
    Denied,
}

/// Something that can be run.
#[derive(Clone)]
pub enum Program {
    Command(CommandFn),
    /// A script's file.
    Script(String),
}

impl Program {
    /// Runs it in a context whose process was made for it.
    pub fn run(&self, context: Context) -> LocalBoxFuture<'static, i32> {
        let process = context.process.clone();
        let host = context.host.clone();
        if process.depth() > limits::SHELL_DEPTH || host.processes().are_full() {
            let name = context.name().to_owned();
            context
                .stderr
                .line(format!("{name}: fork: Resource temporarily unavailable"));
            return std::future::ready(254).boxed_local();
        }
        let future = match self {
            Program::Command(run) => run(context),
            Program::Script(path) => super::shell::run_script(context, path.clone()).boxed_local(),
        };
        async move {
            let code = process.run(future).await;
            for other in host.processes().list() {
                if process.takes_along(&other) {
                    other.signal(super::process::SIGKILL);
                }
            }
            code
        }
        .boxed_local()
    }
}

/// Opens an editor on a file for the user of a terminal. Ends when the editor is closed,
/// with the exit code of the command (`vim`).
pub type Editor = Rc<dyn Fn(String) -> LocalBoxFuture<'static, i32>>;

struct Inner {
    sim: Sim,
    name: RefCell<String>,
    files: Files,
    commands: RefCell<Commands>,
    processes: RefCell<Rc<Processes>>,
    dialect: Dialect,
    editor: RefCell<Option<Editor>>,
    completers: RefCell<FlatMap<String, super::editor::SharedCompleter>>,
    /// Told of the processor time that its processes use.
    meter: RefCell<Option<Rc<dyn Fn(Duration)>>>,
    downloads: RefCell<Option<Downloads>>,
    user: RefCell<User>,
    /// The names of the variables that a runtime gives the machine's processes, in its order.
    variables: RefCell<Vec<String>>,
}

/// The bit of the right to give files to others.
pub const CAP_CHOWN: u64 = 1 << 0;

/// The bit of the right to read and write what is not for everybody.
pub const CAP_DAC_OVERRIDE: u64 = 1 << 1;

/// Who the processes of a machine run as. [`Accounts`] has their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    pub uid: i64,
    pub gid: i64,
    /// All groups, the first one too.
    pub groups: Vec<i64>,
    /// The capabilities that it lacks even as root, each the bit of its place in Linux's list.
    pub lacks: u64,
}

impl User {
    /// All groups: where none are named, the first one.
    pub fn all_groups(&self) -> Vec<i64> {
        match self.groups.is_empty() {
            true => vec![self.gid],
            false => self.groups.clone(),
        }
    }

    /// The sign that ends a prompt.
    pub fn sign(&self) -> char {
        if self.uid == 0 { '#' } else { '$' }
    }
}

/// What is at an address of the Internet, for the few that are known.
type Downloads = Rc<dyn Fn(String) -> LocalBoxFuture<'static, Download>>;

/// What is at an address of the Internet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Download {
    Text(Rc<str>),
    /// The server is known and has nothing there.
    Missing,
    /// The real server has something there that could not be brought: why.
    Absent(String),
    /// There is no way to the server.
    Unreachable,
}

/// A machine. Clones are handles to the same one.
#[derive(Clone)]
pub struct Host(Rc<Inner>);

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Host({})", self.0.name.borrow())
    }
}

impl Host {
    /// A machine with this host name, files and commands. Each command's file is made, so that
    /// `ls /usr/bin` shows it.
    pub fn new(sim: &Sim, name: &str, files: Files, commands: Commands, dialect: Dialect) -> Host {
        let host = Host(Rc::new(Inner {
            sim: sim.clone(),
            name: RefCell::new(name.to_owned()),
            files,
            commands: RefCell::new(Commands::new()),
            processes: RefCell::new(Rc::new(Processes::starting_at(if dialect == Dialect::Bash {
                1_000
            } else {
                1
            }))),
            dialect,
            editor: RefCell::new(None),
            completers: RefCell::default(),
            meter: RefCell::default(),
            downloads: RefCell::default(),
            user: RefCell::default(),
            variables: RefCell::default(),
        }));
        for registered in commands.0.values() {
            host.add_file(&registered.path);
        }
        *host.0.commands.borrow_mut() = commands;
        host
    }

    fn add_file(&self, path: &str) {
        // A full or read-only file system leaves the command runnable by name.
        let _ = self.0.files.make_dirs(files::dir_name(path));
        if !self.0.files.exists(path) {
            let _ = self.0.files.write(path, "");
            let _ = self.0.files.set_mode(path, 0o755);
        }
    }

    /// The world's kernel.
    pub fn sim(&self) -> &Sim {
        &self.0.sim
    }

    /// The host name.
    pub fn name(&self) -> String {
        self.0.name.borrow().clone()
    }

    /// The machine's files.
    pub fn files(&self) -> &Files {
        &self.0.files
    }

    /// Which shell `sh` is.
    pub fn dialect(&self) -> Dialect {
        self.0.dialect
    }

    /// Adds a command to the running machine.
    pub fn add<F, R>(&self, path: &str, run: F)
    where
        F: Fn(Context) -> R + 'static,
        R: Future<Output = i32> + 'static,
    {
        let mut commands = self.0.commands.borrow_mut();
        commands.add(path, run);
        let path = commands.path_of(files::base_name(path)).map(str::to_owned);
        drop(commands);
        if let Some(path) = path {
            self.add_file(&path);
        }
    }

    /// A command by name.
    pub fn command(&self, name: &str) -> Option<CommandFn> {
        self.0.commands.borrow().get(name)
    }

    /// The names of the commands, sorted.
    pub fn command_names(&self) -> Vec<String> {
        self.0.commands.borrow().names().map(str::to_owned).collect()
    }

    /// The processes.
    pub fn processes(&self) -> Rc<Processes> {
        self.0.processes.borrow().clone()
    }

    /// Makes the machine one that joins a process namespace, and so has no process 1; to be called before
    /// its first process starts.
    pub fn join_processes(&self) {
        let joined = self.processes().joined();
        *self.0.processes.borrow_mut() = Rc::new(joined);
    }

    /// Puts the machine into the process namespace of another, as containers of a pod that share
    /// theirs are; to be called before its first process starts. The root directory of the other's
    /// first process is below `/proc`.
    pub fn share_processes(&self, other: &Host) {
        *self.0.processes.borrow_mut() = Rc::new(other.processes().joined());
        let mine = self.0.files.as_root();
        // A full file system lacks the directory, and nothing else.
        if mine.make_dirs("/proc/1").is_ok() {
            let _ = mine.mount("/proc/1/root", other.files(), "/");
        }
    }

    /// Who its processes run as: root, unless somebody said otherwise.
    pub fn user(&self) -> User {
        self.0.user.borrow().clone()
    }

    /// Sets who its processes run as.
    pub fn set_user(&self, user: User) {
        self.0.files.act_as(user.clone());
        *self.0.user.borrow_mut() = user;
    }

    /// Sets in what order a runtime gives the machine's processes their variables.
    pub fn set_variables(&self, names: Vec<String>) {
        *self.0.variables.borrow_mut() = names;
    }

    /// An environment as `env` prints it: what a runtime gave first, in its order, and the rest sorted. `end` ends each
    /// variable.
    pub fn env_text(&self, env: &Env, end: char) -> String {
        let order = self.0.variables.borrow();
        let given = order.iter().filter_map(|name| Some((name, env.get(name)?)));
        let others = env.iter().filter(|(name, _)| !order.contains(name));
        given
            .chain(others)
            .map(|(name, value)| format!("{name}={value}{end}"))
            .collect()
    }

    /// Starts a process; it lives as long as the handle.
    pub fn start_process(&self, command: &str, parent: u32) -> Process {
        self.spend(PROCESS_TIME);
        self.processes().start(command, parent, self.0.sim.now())
    }

    /// Sets what is told of the processor time that the machine's processes use.
    pub fn set_meter(&self, meter: impl Fn(Duration) + 'static) {
        *self.0.meter.borrow_mut() = Some(Rc::new(meter));
    }

    /// Sets what the machine can download from the Internet, which it has no way to otherwise.
    pub fn set_downloads(&self, find: impl Fn(String) -> LocalBoxFuture<'static, Download> + 'static) {
        *self.0.downloads.borrow_mut() = Some(Rc::new(find));
    }

    /// What is at an address of the Internet.
    pub async fn download(&self, url: &str) -> Download {
        let find = self.0.downloads.borrow().clone();
        match find {
            Some(find) => find(url.to_owned()).await,
            None => Download::Unreachable,
        }
    }

    /// Counts processor time that a process used.
    pub fn spend(&self, time: Duration) {
        if let Some(meter) = &*self.0.meter.borrow() {
            meter(time);
        }
    }

    /// Sets what `vim`, `vi` and `nano` open.
    pub fn set_editor(&self, editor: Option<Editor>) {
        *self.0.editor.borrow_mut() = editor;
    }

    /// What `vim`, `vi` and `nano` open.
    pub fn editor(&self) -> Option<Editor> {
        self.0.editor.borrow().clone()
    }

    /// Sets what completes the arguments of a command at this machine's terminals.
    pub fn set_completer(&self, command: &str, completer: super::editor::SharedCompleter) {
        self.0.completers.borrow_mut().insert(command.to_owned(), completer);
    }

    /// What completes a command's arguments.
    pub fn completer(&self, command: &str) -> Option<super::editor::SharedCompleter> {
        self.0.completers.borrow().get(command).cloned()
    }

    /// The program that `name` means: a path as it stands, a bare name by `$PATH`.
    pub fn find(&self, name: &str, env: &Env, cwd: &str) -> Result<Program, NoProgram> {
        self.find_path(name, env, cwd).and_then(|path| self.program(&path))
    }

    /// The file that `name` means (see [`Host::find`]), absolute.
    pub fn find_path(&self, name: &str, env: &Env, cwd: &str) -> Result<String, NoProgram> {
        if name.contains('/') {
            let path = files::join(cwd, name);
            return self.program(&path).map(|_| path);
        }
        if name.is_empty() {
            return Err(NoProgram::NotFound);
        }
        let default = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        let mut error = NoProgram::NotFound;
        for dir in env.get("PATH").map_or(default, String::as_str).split(':') {
            let path = files::join(cwd, &format!("{dir}/{name}"));
            match self.program(&path) {
                Ok(_) => return Ok(path),
                Err(NoProgram::Denied) => error = NoProgram::Denied,
                Err(_) => {}
            }
        }
        Err(error)
    }

    /// What the file at an absolute path runs.
    fn program(&self, path: &str) -> Result<Program, NoProgram> {
        let stat = self.0.files.stat(path, true);
        // The command of this name, unless a file of the user's lies in its place. `/bin` and
        // `/usr/bin` are one directory, as on today's distributions.
        let merged = |p: &str| match p.strip_prefix("/usr") {
            Some(rest) if rest.starts_with("/bin/") || rest.starts_with("/sbin/") => rest.to_owned(),
            _ => p.to_owned(),
        };
        let commands = self.0.commands.borrow();
        if let Some(registered) = commands.0.get(files::base_name(path)) {
            let is_own = merged(&registered.path) == merged(path);
            let is_empty = stat.as_ref().map_or(true, |s| s.size == 0);
            if is_own && is_empty {
                return Ok(Program::Command(registered.run.clone()));
            }
        }
        let stat = stat.map_err(|_| NoProgram::NotFound)?;
        // A link to a command (`ln -s /usr/bin/kubectl k`).
        if let Ok(real) = self.0.files.real_path(path)
            && real != path
            && let Some(registered) = commands.0.get(files::base_name(&real))
            && merged(&registered.path) == merged(&real)
        {
            return Ok(Program::Command(registered.run.clone()));
        }
        if self.0.files.is_dir(path) {
            return Err(NoProgram::IsDirectory);
        }
        if stat.mode & 0o111 == 0 {
            return Err(NoProgram::Denied);
        }
        Ok(Program::Script(path.to_owned()))
    }

    /// A context for a process of this machine that nobody's shell started (a container's command,
    /// `kubectl exec`). The caller runs it with [`Host::exec`].
    pub fn context(
        &self,
        args: Vec<String>,
        env: Env,
        cwd: &str,
        stdin: Input,
        stdout: Output,
        stderr: Output,
    ) -> Context {
        let process = self.start_process(&args.join(" "), 0);
        Context {
            sim: self.0.sim.clone(),
            host: self.clone(),
            args,
            env,
            cwd: cwd.to_owned(),
            files: self.0.files.clone(),
            stdin,
            stdout: stdout.for_process(&process),
            stderr: stderr.for_process(&process),
            process,
            fds: Rc::default(),
        }
    }

    /// Runs a context's command as its process; the error when there is no such program.
    pub fn exec(&self, context: Context) -> Result<LocalBoxFuture<'static, i32>, NoProgram> {
        let name = context.args.first().map_or("", String::as_str);
        let program = self.find(name, &context.env, &context.cwd)?;
        Ok(async move { program.run(context).await }.boxed_local())
    }
}
