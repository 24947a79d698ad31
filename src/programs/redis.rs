//! redis: the server's common commands over inline and RESP requests, and `redis-cli`.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use futures::future::LocalBoxFuture;

use super::catalog::{REDIS_RELEASES, release};
use super::{Image, Sandbox, Service, generic, is_meant, program, until_stopped};
use crate::flat::{FlatMap, FlatSet};
use crate::limits;
use crate::net::http::{HttpRequest, HttpResponse};
use crate::net::{NoAnswer, Protocol};
use crate::shell::{Commands, Context, Files};
use crate::sim::{Sim, Time};
use crate::value::quoted;

pub(super) fn install(image: &Image, _tag: &str, sandbox: &Rc<Sandbox>, commands: &mut Commands, files: &Files) {
    generic::add_entrypoint(image, sandbox, commands);
    // A fresh file system takes a directory.
    let _ = files.make_dirs("/data");
    for name in ["redis-server", "valkey-server"] {
        program(commands, &format!("/usr/local/bin/{name}"), sandbox, server);
    }
    for name in ["redis-cli", "valkey-cli"] {
        program(commands, &format!("/usr/local/bin/{name}"), sandbox, client);
    }
}

enum Data {
    Text(String),
    List(VecDeque<String>),
    Set(FlatSet<String>),
    Hash(FlatMap<String, String>),
}

struct Entry {
    data: Data,
    expires: Option<Time>,
}

struct Store {
    sim: Sim,
    entries: RefCell<FlatMap<String, Entry>>,
    /// What `CONFIG` shows: the defaults, the lines of the file, the arguments.
    settings: RefCell<FlatMap<String, String>>,
    version: String,
}

/// The server's settings that tutorials look at, as they are by default.
const SETTINGS: &[(&str, &str)] = &[
    ("appendonly", "no"),
    ("bind", "* -::*"),
    ("databases", "16"),
    ("dir", "/data"),
    ("maxclients", "10000"),
    ("maxmemory", "0"),
    ("maxmemory-policy", "noeviction"),
    ("port", "6379"),
    ("requirepass", ""),
    ("save", "3600 1 300 100 60 10000"),
    ("timeout", "0"),
];

/// A setting as the server shows it: an amount of memory is a number of bytes (`1k` is 1000 of them, `1kb` 1024, as
/// redis.conf says).
fn setting(name: &str, value: &str) -> String {
    let value = value.trim().trim_matches('"');
    if !name.starts_with("maxmemory") {
        return value.to_owned();
    }
    let lower = value.to_ascii_lowercase();
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match lower.get(digits.len()..).unwrap_or("") {
        "k" => 1_000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => 1,
    };
    match digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit)) {
        Some(bytes) => bytes.to_string(),
        None => value.to_owned(),
    }
}

/// An answer of the server.
enum Reply {
    Simple(&'static str),
    Text(String),
    Nil,
    Int(i64),
    List(Vec<Reply>),
    Error(String),
}

impl Reply {
    fn write(&self, out: &mut String) {
        match self {
            Reply::Simple(s) => out.push_str(&format!("+{s}\r\n")),
            Reply::Text(s) => out.push_str(&format!("${}\r\n{s}\r\n", s.len())),
            Reply::Nil => out.push_str("$-1\r\n"),
            Reply::Int(i) => out.push_str(&format!(":{i}\r\n")),
            Reply::List(items) => {
                out.push_str(&format!("*{}\r\n", items.len()));
                items.iter().for_each(|i| i.write(out));
            }
            Reply::Error(e) => out.push_str(&format!("-{e}\r\n")),
        }
    }
}

const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";

impl Store {
    fn run(&self, words: &[String]) -> Reply {
        let Some(name) = words.first() else {
            return Reply::Error("ERR empty command".into());
        };
        let upper = name.to_ascii_uppercase();
        let args = words.get(1..).unwrap_or(&[]);
        let arg = |i: usize| args.get(i).cloned().unwrap_or_default();
        let (least, most) = match upper.as_str() {
            "GET" | "INCR" | "DECR" | "KEYS" | "TTL" | "TYPE" | "LLEN" | "SMEMBERS" | "HGETALL" | "ECHO" | "SELECT"
            | "SCARD" | "PERSIST" | "STRLEN" => (1, 1),
            "DEL" | "EXISTS" | "LPOP" | "RPOP" | "AUTH" | "UNLINK" | "MGET" | "CONFIG" => (1, usize::MAX),
            "HGET" | "APPEND" | "INCRBY" | "DECRBY" | "SISMEMBER" => (2, 2),
            "SET" | "LPUSH" | "RPUSH" | "SADD" | "EXPIRE" | "HDEL" | "MSET" => (2, usize::MAX),
            "LRANGE" => (3, 3),
            "HSET" => (3, usize::MAX),
            _ => (0, usize::MAX),
        };
        if !(least..=most).contains(&args.len()) {
            return Reply::Error(format!(
                "ERR wrong number of arguments for '{}' command",
                name.to_ascii_lowercase()
            ));
        }
        let now = self.sim.now();
        let mut entries = self.entries.borrow_mut();
        entries.retain(|_, e| e.expires.is_none_or(|t| t > now));
        if entries.len() >= limits::REDIS_KEYS
            && !entries.contains_key(&arg(0))
            && matches!(
                upper.as_str(),
                "SET" | "LPUSH" | "RPUSH" | "SADD" | "HSET" | "INCR" | "MSET" | "APPEND"
            )
        {
            return Reply::Error("OOM command not allowed when used memory > 'maxmemory'.".into());
        }
        let text = |data: Data| Entry { data, expires: None };
        let list = |items: Vec<String>| Reply::List(items.into_iter().map(Reply::Text).collect());
        match upper.as_str() {
            "PING" => args.first().map_or(Reply::Simple("PONG"), |t| Reply::Text(t.clone())),
            "ECHO" => Reply::Text(arg(0)),
            "SELECT" | "CLIENT" | "FLUSHALL" | "FLUSHDB" | "AUTH" | "SAVE" | "BGSAVE" => {
                if upper.starts_with("FLUSH") {
                    entries.clear();
                }
                Reply::Simple("OK")
            }
            "CONFIG" => {
                let mut settings = self.settings.borrow_mut();
                match (arg(0).to_ascii_uppercase().as_str(), arg(1).to_ascii_lowercase()) {
                    ("GET", pattern) => {
                        let meant = settings.iter().filter(|(name, _)| is_meant(&pattern, name));
                        list(meant.flat_map(|(name, value)| [name.clone(), value.clone()]).collect())
                    }
                    ("SET", name) if settings.contains_key(&name) => {
                        let value = setting(&name, &arg(2));
                        settings.insert(name, value);
                        Reply::Simple("OK")
                    }
                    ("SET", name) => Reply::Error(format!(
                        "ERR Unknown option or number of arguments for CONFIG SET - '{name}'"
                    )),
                    ("RESETSTAT", _) => Reply::Simple("OK"),
                    (other, _) => Reply::Error(format!("ERR unknown subcommand '{other}'. Try CONFIG HELP.")),
                }
            }
            "DBSIZE" => Reply::Int(entries.len() as i64),
            "SET" => {
                let expires = match args.get(2).map(|a| a.to_ascii_uppercase()).as_deref() {
                    Some("EX") => arg(3)
                        .parse::<u64>()
                        .ok()
                        .map(|s| now + std::time::Duration::from_secs(s)),
                    Some("PX") => arg(3)
                        .parse::<u64>()
                        .ok()
                        .map(|s| now + std::time::Duration::from_millis(s)),
                    Some("NX") if entries.contains_key(&arg(0)) => return Reply::Nil,
                    Some("NX") | None => None,
                    Some(_) => return Reply::Error("ERR syntax error".into()),
                };
                entries.insert(
                    arg(0),
                    Entry {
                        data: Data::Text(arg(1)),
                        expires,
                    },
                );
                Reply::Simple("OK")
            }
            "MSET" => {
                for pair in args.chunks(2) {
                    if let [key, value] = pair {
                        entries.insert(key.clone(), text(Data::Text(value.clone())));
                    }
                }
                Reply::Simple("OK")
            }
            "GET" => match entries.get(&arg(0)).map(|e| &e.data) {
                None => Reply::Nil,
                Some(Data::Text(t)) => Reply::Text(t.clone()),
                Some(_) => Reply::Error(WRONG_TYPE.into()),
            },
            "MGET" => Reply::List(
                args.iter()
                    .map(|k| match entries.get(k).map(|e| &e.data) {
                        Some(Data::Text(t)) => Reply::Text(t.clone()),
                        _ => Reply::Nil,
                    })
                    .collect(),
            ),
            "STRLEN" => match entries.get(&arg(0)).map(|e| &e.data) {
                Some(Data::Text(t)) => Reply::Int(t.len() as i64),
                _ => Reply::Int(0),
            },
            "APPEND" => match &mut entries
                .entry(arg(0))
                .or_insert_with(|| text(Data::Text(String::new())))
                .data
            {
                Data::Text(t) if t.len() + arg(1).len() <= limits::REDIS_VALUE_BYTES => {
                    t.push_str(&arg(1));
                    Reply::Int(t.len() as i64)
                }
                Data::Text(_) => Reply::Error("ERR string exceeds maximum allowed size".into()),
                _ => Reply::Error(WRONG_TYPE.into()),
            },
            "DEL" | "UNLINK" => Reply::Int(args.iter().filter(|k| entries.remove(*k).is_some()).count() as i64),
            "EXISTS" => Reply::Int(args.iter().filter(|k| entries.contains_key(*k)).count() as i64),
            "INCR" | "DECR" | "INCRBY" | "DECRBY" => {
                let by: i64 = if upper.ends_with("BY") {
                    match arg(1).parse() {
                        Ok(by) => by,
                        Err(_) => return Reply::Error("ERR value is not an integer or out of range".into()),
                    }
                } else {
                    1
                };
                let by = if upper.starts_with('D') {
                    by.saturating_neg()
                } else {
                    by
                };
                match &mut entries
                    .entry(arg(0))
                    .or_insert_with(|| text(Data::Text("0".into())))
                    .data
                {
                    Data::Text(t) => match t.parse::<i64>().ok().and_then(|n| n.checked_add(by)) {
                        Some(n) => {
                            *t = n.to_string();
                            Reply::Int(n)
                        }
                        None => Reply::Error("ERR value is not an integer or out of range".into()),
                    },
                    _ => Reply::Error(WRONG_TYPE.into()),
                }
            }
            "KEYS" => {
                let pattern = arg(0);
                list(entries.keys().filter(|k| is_meant(&pattern, k)).cloned().collect())
            }
            "TTL" => Reply::Int(match entries.get(&arg(0)) {
                None => -2,
                Some(e) => e.expires.map_or(-1, |t| t.since(now).as_secs() as i64),
            }),
            "EXPIRE" => match (entries.get_mut(&arg(0)), arg(1).parse::<u64>()) {
                (Some(e), Ok(s)) => {
                    e.expires = Some(now + std::time::Duration::from_secs(s));
                    Reply::Int(1)
                }
                _ => Reply::Int(0),
            },
            "PERSIST" => Reply::Int(
                entries
                    .get_mut(&arg(0))
                    .is_some_and(|e| e.expires.take().is_some())
                    .into(),
            ),
            "TYPE" => Reply::Simple(match entries.get(&arg(0)).map(|e| &e.data) {
                None => "none",
                Some(Data::Text(_)) => "string",
                Some(Data::List(_)) => "list",
                Some(Data::Set(_)) => "set",
                Some(Data::Hash(_)) => "hash",
            }),
            "LPUSH" | "RPUSH" => match &mut entries
                .entry(arg(0))
                .or_insert_with(|| text(Data::List(VecDeque::new())))
                .data
            {
                Data::List(l) => {
                    for value in args.iter().skip(1) {
                        if l.len() >= limits::REDIS_KEYS {
                            return Reply::Error("OOM command not allowed when used memory > 'maxmemory'.".into());
                        }
                        if upper.starts_with('L') {
                            l.push_front(value.clone())
                        } else {
                            l.push_back(value.clone())
                        }
                    }
                    Reply::Int(l.len() as i64)
                }
                _ => Reply::Error(WRONG_TYPE.into()),
            },
            "LPOP" | "RPOP" => match entries.get_mut(&arg(0)).map(|e| &mut e.data) {
                None => Reply::Nil,
                Some(Data::List(l)) => {
                    let value = if upper.starts_with('L') {
                        l.pop_front()
                    } else {
                        l.pop_back()
                    };
                    let empty = l.is_empty();
                    if empty {
                        entries.remove(&arg(0));
                    }
                    value.map_or(Reply::Nil, Reply::Text)
                }
                Some(_) => Reply::Error(WRONG_TYPE.into()),
            },
            "LLEN" => match entries.get(&arg(0)).map(|e| &e.data) {
                None => Reply::Int(0),
                Some(Data::List(l)) => Reply::Int(l.len() as i64),
                Some(_) => Reply::Error(WRONG_TYPE.into()),
            },
            "LRANGE" => match entries.get(&arg(0)).map(|e| &e.data) {
                None => Reply::List(Vec::new()),
                Some(Data::List(l)) => {
                    let n = l.len() as i64;
                    let at = |i: usize| {
                        arg(i)
                            .parse::<i64>()
                            .map(|v| if v < 0 { n.saturating_add(v) } else { v })
                            .unwrap_or(0)
                    };
                    let (from, to) = (at(1).max(0), at(2).min(n - 1));
                    let items = l.iter().enumerate().filter(|(i, _)| (from..=to).contains(&(*i as i64)));
                    list(items.map(|(_, v)| v.clone()).collect())
                }
                Some(_) => Reply::Error(WRONG_TYPE.into()),
            },
            "SADD" => match &mut entries
                .entry(arg(0))
                .or_insert_with(|| text(Data::Set(FlatSet::new())))
                .data
            {
                Data::Set(s) if s.len() < limits::REDIS_KEYS => {
                    Reply::Int(args.iter().skip(1).filter(|v| s.insert((*v).clone())).count() as i64)
                }
                Data::Set(_) => Reply::Error("OOM command not allowed when used memory > 'maxmemory'.".into()),
                _ => Reply::Error(WRONG_TYPE.into()),
            },
            "SMEMBERS" | "SCARD" | "SISMEMBER" => match entries.get(&arg(0)).map(|e| &e.data) {
                None if upper == "SMEMBERS" => Reply::List(Vec::new()),
                None => Reply::Int(0),
                Some(Data::Set(s)) => match upper.as_str() {
                    "SCARD" => Reply::Int(s.len() as i64),
                    "SISMEMBER" => Reply::Int(s.contains(&arg(1)).into()),
                    _ => list(s.iter().cloned().collect()),
                },
                Some(_) => Reply::Error(WRONG_TYPE.into()),
            },
            "HSET" => match &mut entries
                .entry(arg(0))
                .or_insert_with(|| text(Data::Hash(FlatMap::new())))
                .data
            {
                Data::Hash(h) => {
                    let mut new = 0;
                    for pair in args.get(1..).unwrap_or(&[]).chunks(2) {
                        if let [key, value] = pair
                            && h.len() < limits::REDIS_KEYS
                        {
                            new += i64::from(h.insert(key.clone(), value.clone()).is_none());
                        }
                    }
                    Reply::Int(new)
                }
                _ => Reply::Error(WRONG_TYPE.into()),
            },
            "HGET" | "HGETALL" | "HDEL" => match entries.get_mut(&arg(0)).map(|e| &mut e.data) {
                None if upper == "HGETALL" => Reply::List(Vec::new()),
                None if upper == "HDEL" => Reply::Int(0),
                None => Reply::Nil,
                Some(Data::Hash(h)) => match upper.as_str() {
                    "HGET" => h.get(&arg(1)).map_or(Reply::Nil, |v| Reply::Text(v.clone())),
                    "HDEL" => Reply::Int(args.iter().skip(1).filter(|k| h.remove(*k).is_some()).count() as i64),
                    _ => list(h.iter().flat_map(|(k, v)| [k.clone(), v.clone()]).collect()),
                },
                Some(_) => Reply::Error(WRONG_TYPE.into()),
            },
            "INFO" => Reply::Text(format!(
                "# Server\r\nredis_version:{}\r\nredis_mode:standalone\r\nos:Linux 6.1.0-41-amd64 x86_64\r\ntcp_port:6379\r\n# Keyspace\r\ndb0:keys={},expires=0,avg_ttl=0\r\n",
                self.version,
                entries.len()
            )),
            _ => Reply::Error(format!(
                "ERR unknown command '{name}', with args beginning with: {}",
                args.iter().map(|a| format!("'{a}' ")).collect::<String>()
            )),
        }
    }
}

/// Splits requests: RESP arrays, or inline commands line by line.
fn requests(bytes: &[u8]) -> Vec<Vec<String>> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split("\r\n").flat_map(|l| l.split('\n'));
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        if let Some(count) = line.strip_prefix('*') {
            let count: usize = count.trim().parse().unwrap_or(0).min(1_000);
            let mut words = Vec::new();
            for _ in 0..count {
                lines.next();
                words.extend(lines.next().map(str::to_owned));
            }
            found.push(words);
        } else if !line.trim().is_empty() {
            found.push(line.split_whitespace().map(str::to_owned).collect());
        }
    }
    found
}

struct Server(Rc<Store>);

impl Service for Server {
    fn http(&self, request: HttpRequest) -> LocalBoxFuture<'static, Result<HttpResponse, NoAnswer>> {
        // It cannot read what is encrypted.
        let said = request.tls.is_none().then(|| self.exchange(request.to_bytes()));
        Box::pin(async move {
            Err(NoAnswer::NotHttp(match said {
                Some(said) => said.await,
                None => None,
            }))
        })
    }

    fn exchange(&self, bytes: Vec<u8>) -> LocalBoxFuture<'static, Option<Vec<u8>>> {
        let mut out = String::new();
        let password = self.0.settings.borrow().get("requirepass").cloned().unwrap_or_default();
        let mut allowed = password.is_empty();
        for words in requests(&bytes) {
            let is_auth = words.first().is_some_and(|w| w.eq_ignore_ascii_case("auth"));
            let reply = if is_auth {
                allowed = words.last() == Some(&password);
                if allowed {
                    Reply::Simple("OK")
                } else {
                    Reply::Error("WRONGPASS invalid username-password pair or user is disabled.".into())
                }
            } else if allowed {
                self.0.run(&words)
            } else {
                Reply::Error("NOAUTH Authentication required.".into())
            };
            reply.write(&mut out);
        }
        Box::pin(std::future::ready(Some(out.into_bytes())))
    }
}

/// The image's version, or today's.
fn version(context: &Context) -> String {
    let version = context.env.get("REDIS_VERSION").cloned();
    version.unwrap_or_else(|| release(REDIS_RELEASES, "").to_owned())
}

async fn server(context: Context, sandbox: Rc<Sandbox>) -> i32 {
    let sim = sandbox.sim.clone();
    let args = context.rest();
    let version = version(&context);
    if args.first().is_some_and(|a| a == "-v" || a == "--version") {
        context.stdout.line(format!(
            "Redis server v={version} sha=00000000:1 malloc=jemalloc-5.3.0 bits=64 build=1a2b3c4d5e6f7a8b"
        ));
        return 0;
    }
    let conf = args.first().filter(|a| !a.starts_with('-')).map(|a| context.path(a));
    let conf = match conf {
        Some(path) => match context.files.read_text(&path) {
            Ok(text) => text,
            Err(_) => {
                context.stdout.line(format!("*** FATAL CONFIG FILE ERROR (Redis) ***\nCan't open config file '{path}': No such file or directory"));
                return 1;
            }
        },
        None => String::new(),
    };
    let mut settings: FlatMap<String, String> = SETTINGS.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
    let lines = conf.lines().filter_map(|l| l.trim().split_once([' ', '\t']));
    let options = args.windows(2).filter_map(|pair| match pair {
        [name, value] => Some((name.strip_prefix("--")?, value.as_str())),
        _ => None,
    });
    for (name, value) in lines.filter(|(name, _)| !name.starts_with('#')).chain(options) {
        let name = name.to_ascii_lowercase();
        let value = setting(&name, value);
        settings.insert(name, value);
    }
    let port = settings.get("port").and_then(|p| p.parse().ok()).unwrap_or(6379);
    let store = Rc::new(Store {
        sim: sim.clone(),
        entries: RefCell::default(),
        settings: RefCell::new(settings),
        version: version.clone(),
    });
    let pid = context.process.pid();
    let log = |role: char, text: &str| {
        let c = sim.now().civil();
        let month = sim.now().rfc1123();
        let month = month.split(' ').nth(2).unwrap_or("").to_owned();
        context.stdout.line(format!(
            "{pid}:{role} {:02} {month} {} {:02}:{:02}:{:02}.{:03} * {text}",
            c.day,
            c.year,
            c.hour,
            c.minute,
            c.second,
            sim.now().0 / 1000 % 1000
        ));
    };
    log('C', "oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo");
    log(
        'C',
        &format!("Redis version={version}, bits=64, commit=00000000, modified=0, pid={pid}, just started"),
    );
    log('M', "monotonic clock: POSIX clock_gettime");
    let listening = sandbox.listen(Protocol::Tcp, port, Server(store));
    if listening.is_err() {
        log(
            'M',
            &format!("Warning: Could not create server TCP listening socket *:{port}: bind: Address already in use"),
        );
        return 1;
    }
    log('M', &format!("Running mode=standalone, port={port}."));
    log('M', "Server initialized");
    log('M', "Ready to accept connections tcp");
    until_stopped(&context.process).await;
    log('M', "User requested shutdown...");
    log('M', "Redis is now ready to exit, bye bye...");
    0
}

pub(super) async fn client(context: Context, sandbox: Rc<Sandbox>) -> i32 {
    let (mut host, mut port, mut password) = ("127.0.0.1".to_owned(), 6379u16, None);
    let mut words: Vec<String> = Vec::new();
    let mut args = context.rest().iter();
    while let Some(arg) = args.next() {
        if !words.is_empty() {
            words.push(arg.clone());
            continue;
        }
        match arg.as_str() {
            "-h" => host = args.next().cloned().unwrap_or_default(),
            "-p" => port = args.next().and_then(|p| p.parse().ok()).unwrap_or(port),
            "-a" | "--pass" => password = args.next().cloned(),
            "-n" => {
                args.next();
            }
            "--raw" | "--no-auth-warning" => {}
            "-v" | "--version" => {
                context.stdout.line(format!("redis-cli {}", version(&context)));
                return 0;
            }
            other if other.starts_with('-') => {
                context
                    .stderr
                    .line(format!("Unrecognized option or bad number of args for: '{other}'"));
                return 1;
            }
            _ => words.push(arg.clone()),
        }
    }
    let password = password.or_else(|| context.env.get("REDISCLI_AUTH").cloned());
    if !words.is_empty() {
        return ask(&context, &sandbox, &host, port, password.as_deref(), &words).await;
    }
    let prompt = context.stdin.is_terminal();
    loop {
        if prompt {
            context.stdout.write(format!("{host}:{port}> "));
        }
        let Some(line) = context.stdin.read_line().await else {
            return 0;
        };
        let words: Vec<String> = split(&line);
        match words.first().map(|w| w.to_ascii_lowercase()).as_deref() {
            None => {}
            Some("quit" | "exit") => return 0,
            Some(_) => {
                ask(&context, &sandbox, &host, port, password.as_deref(), &words).await;
            }
        }
    }
}

/// Splits a line of redis-cli: words, with quotes.
fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

async fn ask(
    context: &Context,
    sandbox: &Sandbox,
    host: &str,
    port: u16,
    password: Option<&str>,
    words: &[String],
) -> i32 {
    let mut request = String::new();
    let mut add = |words: &[&str]| {
        request.push_str(&format!("*{}\r\n", words.len()));
        for word in words {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
    };
    if let Some(password) = password {
        add(&["AUTH", password]);
    }
    add(&words.iter().map(String::as_str).collect::<Vec<_>>());
    let ips = match sandbox.network.resolve(&sandbox.origin, host).await {
        Ok(ips) => ips,
        Err(_) => {
            context.stderr.line(format!(
                "Could not connect to Redis at {host}:{port}: Name or service not known"
            ));
            return 1;
        }
    };
    let Some(ip) = ips.first().copied() else {
        context.stderr.line(format!(
            "Could not connect to Redis at {host}:{port}: Name or service not known"
        ));
        return 1;
    };
    match sandbox
        .network
        .exchange(&sandbox.origin, ip, port, request.into_bytes())
        .await
    {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let mut rest = text.as_str();
            if password.is_some() {
                rest = rest.split_once("\r\n").map_or("", |(_, r)| r);
            }
            let mut out = String::new();
            show(&mut rest, context.stdout.is_terminal(), "", &mut out, 0);
            context.stdout.write(out);
            0
        }
        Err(error) => {
            context
                .stderr
                .line(format!("Could not connect to Redis at {host}:{port}: {error}"));
            1
        }
    }
}

/// Takes one reply from `rest` and prints it, as redis-cli does for a terminal or a pipe.
fn show(rest: &mut &str, terminal: bool, indent: &str, out: &mut String, depth: usize) {
    let Some((line, tail)) = rest.split_once("\r\n") else {
        return;
    };
    *rest = tail;
    let (kind, value) = line.split_at_checked(1).unwrap_or(("", ""));
    match kind {
        "+" => out.push_str(&format!("{value}\n")),
        "-" if terminal => out.push_str(&format!("(error) {value}\n")),
        "-" => out.push_str(&format!("{value}\n\n")),
        ":" if terminal => out.push_str(&format!("(integer) {value}\n")),
        ":" => out.push_str(&format!("{value}\n")),
        "$" => match value.parse::<usize>() {
            Ok(length) => {
                let text = rest.get(..length).unwrap_or(rest);
                if terminal {
                    out.push_str(&format!("{text}\n", text = quoted(&text)));
                } else {
                    out.push_str(&format!("{text}\n"));
                }
                *rest = rest.get(length + 2..).unwrap_or("");
            }
            Err(_) => out.push_str(if terminal { "(nil)\n" } else { "\n" }),
        },
        "*" => {
            let count: usize = value.parse().unwrap_or(0);
            if count == 0 {
                out.push_str(if terminal { "(empty array)\n" } else { "\n" });
            }
            for i in 1..=count {
                if depth > 8 {
                    return;
                }
                if terminal {
                    let number = format!("{i}) ");
                    if i > 1 {
                        out.push_str(indent);
                    }
                    out.push_str(&number);
                    show(
                        rest,
                        terminal,
                        &format!("{indent}{}", " ".repeat(number.len())),
                        out,
                        depth + 1,
                    );
                } else {
                    show(rest, terminal, "", out, depth + 1);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_replies() {
        let store = Store {
            sim: Sim::new(1, Time::default()),
            entries: RefCell::default(),
            settings: RefCell::new(
                [("maxmemory".to_owned(), setting("maxmemory", "2mb"))]
                    .into_iter()
                    .collect(),
            ),
            version: "7".into(),
        };
        for (line, terminal, pipe) in [
            ("PING", "PONG\n", "PONG\n"),
            ("set a 1", "OK\n", "OK\n"),
            ("get a", "\"1\"\n", "1\n"),
            ("incr a", "(integer) 2\n", "2\n"),
            ("get nothing", "(nil)\n", "\n"),
            ("rpush l x y", "(integer) 2\n", "2\n"),
            ("lrange l 0 -1", "1) \"x\"\n2) \"y\"\n", "x\ny\n"),
            ("keys *", "1) \"a\"\n2) \"l\"\n", "a\nl\n"),
            (
                "config get maxmem*",
                "1) \"maxmemory\"\n2) \"2097152\"\n",
                "maxmemory\n2097152\n",
            ),
            ("config set maxmemory 1k", "OK\n", "OK\n"),
            (
                "CONFIG GET maxmemory",
                "1) \"maxmemory\"\n2) \"1000\"\n",
                "maxmemory\n1000\n",
            ),
            ("config get nothing", "(empty array)\n", "\n"),
            (
                "get l",
                "(error) WRONGTYPE Operation against a key holding the wrong kind of value\n",
                "WRONGTYPE Operation against a key holding the wrong kind of value\n\n",
            ),
            (
                "get",
                "(error) ERR wrong number of arguments for 'get' command\n",
                "ERR wrong number of arguments for 'get' command\n\n",
            ),
        ] {
            let reply = store.run(&split(line));
            let mut text = String::new();
            reply.write(&mut text);
            // A counted command ran once already: what counts is how its reply is shown.
            for (is_terminal, expected) in [(true, terminal), (false, pipe)] {
                let mut out = String::new();
                show(&mut text.as_str(), is_terminal, "", &mut out, 0);
                assert_eq!(out, expected, "{line}");
            }
        }
        assert_eq!(
            requests(b"*2\r\n$3\r\nGET\r\n$1\r\na\r\nPING\r\n"),
            [vec!["GET", "a"], vec!["PING"]]
        );
    }
}
