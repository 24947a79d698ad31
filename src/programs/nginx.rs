//! nginx: serves files as its configuration says, proxies, and writes its logs.
//!
//! Of the configuration it knows `server`, `listen` (with `ssl`), `upstream`, `server_name`, `root`, `index`, `location`
//! (prefixes, `=`, `^~`, regular expressions), `return`, `rewrite`, `allow`, `deny`, `alias`, `proxy_pass`, `add_header`,
//! `default_type`, `try_files`, `autoindex off`, `include`, `access_log`. Of others that would change an answer
//! ([`IDLE`]) it says in its error log that they are not simulated; a name that nginx does not know is an error.

use std::borrow::Cow;
use std::net::Ipv4Addr;
use std::rc::Rc;

use futures::future::LocalBoxFuture;

use super::{Image, Sandbox, combined_log, http_date, media_type, path_of, program, slash_date, until_stopped};
use crate::flat::{Arrange, FlatMap};
use crate::net::http::{HttpRequest, HttpResponse, More, Url};
use crate::net::{NoAnswer, Protocol};
use crate::pki::{pem, x509::Certificate};
use crate::shell::{Commands, Context, Files, Output, Regex, SIGQUIT, SIGTERM};
use crate::sim::{Sim, Time};

/// Directives of nginx that would change an answer, and are not simulated.
const IDLE: &str = "if set map geo split_clients auth_basic auth_request limit_req limit_conn limit_rate limit_except \
    sub_filter mirror internal satisfy expires fastcgi_pass uwsgi_pass scgi_pass grpc_pass memcached_pass proxy_cache \
    proxy_redirect proxy_intercept_errors ssl_verify_client valid_referers secure_link random_index geoip_country \
    stream mail dav_methods add_before_body add_after_body add_trailer add_header_inherit empty_gif ssi image_filter \
    xslt_stylesheet flv mp4 slice userid auth_jwt post_action auth_delay proxy_store gunzip perl js_content";

/// The other directives of nginx: what is simulated, and what changes no answer here.
const KNOWN: &str = "server listen upstream server_name root index location return rewrite allow deny alias \
    add_header default_type try_files autoindex include access_log error_log error_page stub_status http events types user \
    worker_processes worker_connections worker_rlimit_nofile worker_rlimit_core worker_priority worker_cpu_affinity \
    worker_aio_requests worker_shutdown_timeout working_directory pid daemon master_process env lock_file pcre_jit \
    thread_pool timer_resolution load_module debug_points debug_connection use multi_accept accept_mutex \
    accept_mutex_delay sendfile sendfile_max_chunk tcp_nopush tcp_nodelay aio aio_write directio directio_alignment \
    read_ahead postpone_output output_buffers keepalive keepalive_timeout keepalive_requests keepalive_time \
    keepalive_disable keepalive_min_timeout lingering_close lingering_time lingering_timeout reset_timedout_connection \
    send_timeout send_lowat client_body_timeout client_header_timeout client_body_buffer_size client_body_temp_path \
    client_body_in_file_only client_body_in_single_buffer client_header_buffer_size large_client_header_buffers \
    client_max_body_size connection_pool_size request_pool_size max_ranges max_headers etag if_modified_since \
    ignore_invalid_headers underscores_in_headers merge_slashes msie_padding msie_refresh port_in_redirect \
    absolute_redirect server_name_in_redirect server_names_hash_bucket_size server_names_hash_max_size server_tokens \
    chunked_transfer_encoding log_format log_not_found log_subrequest open_log_file_cache open_file_cache \
    open_file_cache_errors open_file_cache_min_uses open_file_cache_valid subrequest_output_buffer_size recursive_error_pages \
    disable_symlinks resolver resolver_timeout types_hash_bucket_size types_hash_max_size variables_hash_bucket_size \
    variables_hash_max_size early_hints zone hash ip_hash least_conn least_time random state sticky ntlm queue health_check \
    charset charset_map charset_types override_charset source_charset break rewrite_log \
    uninitialized_variable_warn set_real_ip_from real_ip_header real_ip_recursive limit_req_zone limit_req_status \
    limit_req_log_level limit_req_dry_run limit_conn_zone limit_conn_status limit_conn_log_level limit_conn_dry_run \
    limit_rate_after limit_zone sub_filter_once sub_filter_last_modified sub_filter_types auth_basic_user_file \
    auth_request_set autoindex_exact_size autoindex_format autoindex_localtime mirror_request_body map_hash_bucket_size \
    map_hash_max_size referer_hash_bucket_size referer_hash_max_size status_zone api google_perftools_profiles \
    secure_link_md5 secure_link_secret dav_access create_full_put_path min_delete_depth addition_types \
    ancient_browser modern_browser http2 lingering";

/// Families of directives, of which all are taken that begin so.
const FAMILIES: &str = "proxy_ fastcgi_ uwsgi_ scgi_ grpc_ memcached_ ssl_ gzip http2_ http3 quic_ ssi_ userid_ geoip_ \
    xslt_ image_filter_ mp4_ perl_ js_ auth_jwt_ keyval otel_ brotli mgmt health_check_";

/// Blocks whose lines begin with words of their own.
const FREE: [&str; 5] = ["types", "map", "geo", "split_clients", "charset_map"];

fn is_one_of(names: &str, name: &str) -> bool {
    names.split_whitespace().any(|n| n == name)
}

const WELCOME: &str = "<!DOCTYPE html>
<html>
<head>
<title>Welcome to nginx!</title>
<style>
html { color-scheme: light dark; }
body { width: 35em; margin: 0 auto;
font-family: Tahoma, Verdana, Arial, sans-serif; }
</style>
</head>
<body>
<h1>Welcome to nginx!</h1>
<p>If you see this page, the nginx web server is successfully installed and
working. Further configuration is required.</p>

<p>For online documentation and support please refer to
<a href=\"http://nginx.org/\">nginx.org</a>.<br/>
Commercial support is available at
<a href=\"http://nginx.com/\">nginx.com</a>.</p>

<p><em>Thank you for using nginx.</em></p>
</body>
</html>
";

const ERROR_50X: &str = "<!DOCTYPE html>
<html>
<head>
<title>Error</title>
</head>
<body>
<h1>An error occurred.</h1>
<p>Sorry, the page you are looking for is currently unavailable.<br/>
Please try again later.</p>
</body>
</html>
";

const CONF: &str = "
user  nginx;
worker_processes  auto;

error_log  /var/log/nginx/error.log notice;
pid        /run/nginx.pid;

events {
    worker_connections  1024;
}

http {
    include       /etc/nginx/mime.types;
    default_type  application/octet-stream;

    access_log  /var/log/nginx/access.log;

    sendfile        on;
    keepalive_timeout  65;

    include /etc/nginx/conf.d/*.conf;
}
";

const DEFAULT_SERVER: &str = "server {
    listen       80;
    listen  [::]:80;
    server_name  localhost;

    location / {
        root   /usr/share/nginx/html;
        index  index.html index.htm;
    }

    error_page   500 502 503 504  /50x.html;
    location = /50x.html {
        root   /usr/share/nginx/html;
    }
}
";

/// nginx's version of an image's tag.
fn version(image: &Image, tag: &str) -> String {
    let number = tag.split('-').next().unwrap_or("");
    let parts = number.split('.').filter(|p| p.parse::<u32>().is_ok()).count();
    let own = image.repository.ends_with("/nginx") || image.repository.ends_with("/nginx-unprivileged");
    match parts {
        3 if own => number.to_owned(),
        2 if own && number.starts_with("1.") => format!("{number}.5"),
        _ => "1.29.3".to_owned(),
    }
}

pub(super) fn install(image: &Image, tag: &str, sandbox: &Rc<Sandbox>, commands: &mut Commands, files: &Files) {
    let _ = files.put("/usr/share/nginx/html/index.html", WELCOME);
    let _ = files.put("/usr/share/nginx/html/50x.html", ERROR_50X);
    let _ = files.put("/etc/nginx/nginx.conf", CONF);
    let _ = files.put("/etc/nginx/conf.d/default.conf", DEFAULT_SERVER);
    let _ = files.put("/etc/nginx/mime.types", "types {\n    text/html html htm shtml;\n}\n");
    let _ = files.make_dirs("/var/log/nginx");
    let _ = files.symlink("/dev/stdout", "/var/log/nginx/access.log");
    let _ = files.symlink("/dev/stderr", "/var/log/nginx/error.log");
    let version = version(image, tag);
    program(commands, "/usr/sbin/nginx", sandbox, move |context, sandbox| {
        run(context, sandbox, version.clone())
    });
    program(commands, "/docker-entrypoint.sh", sandbox, entrypoint);
}

/// The front of Kubernetes' tutorial "Connect a Frontend to a Backend Using Services".
pub(super) fn install_frontend(
    image: &Image,
    tag: &str,
    sandbox: &Rc<Sandbox>,
    commands: &mut Commands,
    files: &Files,
) {
    install(image, tag, sandbox, commands, files);
    let _ = files.remove_file("/etc/nginx/conf.d/default.conf");
    let server = "upstream Backend {\n    server hello;\n}\n\nserver {\n    listen 80;\n\n    location / {\n        proxy_pass http://Backend;\n    }\n}\n";
    let _ = files.put("/etc/nginx/conf.d/frontend.conf", server);
}

async fn entrypoint(context: Context, _sandbox: Rc<Sandbox>) -> i32 {
    let args = context.rest().to_vec();
    if args.first().is_some_and(|a| a == "nginx" || a == "nginx-debug") {
        for line in [
            "/docker-entrypoint.sh: /docker-entrypoint.d/ is not empty, will attempt to perform configuration",
            "/docker-entrypoint.sh: Looking for shell scripts in /docker-entrypoint.d/",
            "/docker-entrypoint.sh: Launching /docker-entrypoint.d/10-listen-on-ipv6-by-default.sh",
            "10-listen-on-ipv6-by-default.sh: info: Getting the checksum of /etc/nginx/conf.d/default.conf",
            "10-listen-on-ipv6-by-default.sh: info: Enabled listen on IPv6 in /etc/nginx/conf.d/default.conf",
            "/docker-entrypoint.sh: Sourcing /docker-entrypoint.d/15-local-resolvers.envsh",
            "/docker-entrypoint.sh: Launching /docker-entrypoint.d/20-envsubst-on-templates.sh",
            "/docker-entrypoint.sh: Launching /docker-entrypoint.d/30-tune-worker-processes.sh",
            "/docker-entrypoint.sh: Configuration complete; ready for start up",
        ] {
            context.stdout.line(line);
        }
    }
    super::exec_as(context, args).await
}

async fn run(context: Context, sandbox: Rc<Sandbox>, version: String) -> i32 {
    let mut args = context.rest().iter();
    let mut signal = None;
    let mut test = false;
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-v" | "-V" => {
                context.stderr.line(format!("nginx version: nginx/{version}"));
                return 0;
            }
            "-t" | "-T" => test = true,
            "-s" => signal = args.next().cloned(),
            "-g" | "-c" | "-p" | "-e" => {
                args.next();
            }
            "-q" => {}
            other => {
                context.stderr.line(format!("nginx: invalid option: \"{other}\""));
                return 1;
            }
        }
    }
    let sim = context.sim.clone();
    if let Some(signal) = signal {
        let number = match signal.as_str() {
            "quit" => SIGQUIT,
            "stop" => SIGTERM,
            "reload" | "reopen" => {
                context.stderr.line(format!(
                    "{} [notice] {}#{}: signal process started",
                    slash_date(sim.now()),
                    context.process.pid(),
                    context.process.pid()
                ));
                return 0;
            }
            other => {
                context.stderr.line(format!("nginx: invalid option: \"-s {other}\""));
                return 1;
            }
        };
        let master = context
            .host
            .processes()
            .list()
            .into_iter()
            .find(|p| p.command().starts_with("nginx: master"));
        let pid = context.process.pid();
        return match master {
            Some(process) => {
                context.stderr.line(format!(
                    "{} [notice] {pid}#{pid}: signal process started",
                    slash_date(sim.now())
                ));
                process.signal(number);
                0
            }
            None => {
                context.stderr.line(format!(
                    "{} [error] {pid}#{pid}: open() \"/run/nginx.pid\" failed (2: No such file or directory)",
                    slash_date(sim.now())
                ));
                1
            }
        };
    }
    let mut idle = Vec::new();
    let servers = match configuration(&context.files, &mut idle) {
        Ok(servers) => {
            let pid = if test { context.process.pid() } else { 1 };
            for text in idle {
                let now = slash_date(sim.now());
                context.stderr.line(format!("{now} [warn] {pid}#{pid}: {text}"));
            }
            servers
        }
        Err(message) => {
            let pid = context.process.pid();
            context
                .stderr
                .line(format!("{} [emerg] {pid}#{pid}: {message}", slash_date(sim.now())));
            if test {
                context
                    .stderr
                    .line("nginx: configuration file /etc/nginx/nginx.conf test failed");
            } else {
                context.stderr.line(format!("nginx: [emerg] {message}"));
            }
            return 1;
        }
    };
    if test {
        context
            .stderr
            .line("nginx: the configuration file /etc/nginx/nginx.conf syntax is ok");
        context
            .stderr
            .line("nginx: configuration file /etc/nginx/nginx.conf test is successful");
        return 0;
    }
    context
        .process
        .set_command("nginx: master process nginx -g daemon off;");
    let mut certificates = FlatMap::new();
    for server in &servers {
        for port in &server.encrypted {
            match certificate(&context.files, &server.certificate) {
                Ok(found) => {
                    certificates.insert(*port, Rc::new(found));
                }
                // nginx gives up; here it stays, and refuses that port's handshakes, as web servers without a certificate
                // stay where the recordings of real clusters were made.
                Err(message) => {
                    let now = slash_date(sim.now());
                    context.stderr.line(format!("{now} [emerg] 1#1: {message}"));
                }
            };
        }
    }
    let servers = Rc::new(servers);
    let mut listening = Vec::new();
    let mut ports: Vec<u16> = servers.iter().flat_map(|s| s.ports.iter().copied()).collect();
    ports.arrange();
    ports.dedup();
    let open = |port: u16| {
        let serve = Rc::new(Serve {
            servers: servers.clone(),
            port,
            files: context.files.clone(),
            log: context.stdout.clone(),
            errors: context.stderr.clone(),
            sim: sim.clone(),
            version: version.clone(),
            sandbox: Rc::downgrade(&sandbox),
            certificate: certificates.get(&port).cloned(),
        });
        sandbox.listen(Protocol::Tcp, port, Door(serve))
    };
    let mut taken = Vec::new();
    for port in ports {
        match open(port) {
            Ok(opened) => listening.push(opened),
            Err(_) => taken.push(port),
        }
    }
    // nginx tries five times. It then gives up; here it stays without the port, as pods with two web
    // servers do where the recordings of real clusters were made.
    for _ in 0..5 {
        if taken.is_empty() {
            break;
        }
        for port in &taken {
            context.stderr.line(format!(
                "{} [emerg] 1#1: bind() to 0.0.0.0:{port} failed (98: Address already in use)",
                slash_date(sim.now())
            ));
        }
        context.stderr.line(format!(
            "{} [notice] 1#1: try again to bind() after 500ms",
            slash_date(sim.now())
        ));
        sim.sleep(std::time::Duration::from_millis(500)).await;
        taken.retain(|port| match open(*port) {
            Ok(opened) => {
                listening.push(opened);
                false
            }
            Err(_) => true,
        });
    }
    if !taken.is_empty() {
        context
            .stderr
            .line(format!("{} [emerg] 1#1: still could not bind()", slash_date(sim.now())));
    }
    let notice = |text: &str| {
        context
            .stderr
            .line(format!("{} [notice] 1#1: {text}", slash_date(sim.now())));
    };
    notice("using the \"epoll\" event method");
    notice(&format!("nginx/{version}"));
    notice("built by gcc 12.2.0 (Debian 12.2.0-14+deb12u1) ");
    notice("OS: Linux 6.1.0-41-amd64");
    notice("getrlimit(RLIMIT_NOFILE): 1048576:1048576");
    notice("start worker processes");
    for worker in [29, 30] {
        notice(&format!("start worker process {worker}"));
    }
    let signal = until_stopped(&context.process).await;
    let name = crate::shell::signal_name(signal).unwrap_or("TERM");
    let how = if signal == SIGQUIT {
        "gracefully shutting down"
    } else {
        "exiting"
    };
    notice(&format!("signal {signal} (SIG{name}) received, {how}"));
    drop(listening);
    notice("exit");
    0
}

/// The certificate that a server shows.
fn certificate(files: &Files, path: &str) -> Result<Certificate, String> {
    if path.is_empty() {
        return Err("no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive".into());
    }
    let text = files.read_text(path).map_err(|e| {
        format!(
            "cannot load certificate \"{path}\": BIO_new_file() failed (SSL: error:80000002:system library::{e}:calling \
             fopen({path}, r) error:10000080:BIO routines::no such file)"
        )
    })?;
    let der = pem::first(&text, "CERTIFICATE");
    der.and_then(|der| Certificate::from_der(&der).ok()).ok_or_else(|| {
        format!(
            "cannot load certificate \"{path}\": PEM_read_bio_X509_AUX() failed (SSL: error:0480006C:PEM routines::no \
             start line:Expecting: TRUSTED CERTIFICATE)"
        )
    })
}

struct Server {
    ports: Vec<u16>,
    /// Those of the ports that speak TLS.
    encrypted: Vec<u16>,
    certificate: String,
    names: Vec<String>,
    root: String,
    index: Vec<String>,
    headers: Vec<(String, String)>,
    action: Option<Action>,
    rules: Rules,
    locations: Vec<Location>,
}

/// What a server or a location does to requests before it answers.
#[derive(Default)]
struct Rules {
    rewrites: Vec<Rewrite>,
    /// `allow` (true) and `deny`, with the addresses they are for: the first that fits holds.
    access: Vec<(bool, String)>,
}

struct Rewrite {
    pattern: Regex,
    to: String,
    /// `last`, `break`, `redirect`, `permanent`, or nothing.
    flag: String,
}

impl Rules {
    fn read(&mut self, words: &[String], returns: bool) -> Result<(), String> {
        let word = |i: usize| words.get(i).map_or("", String::as_str);
        match word(0) {
            // Behind a `return` it is never reached.
            "rewrite" if !returns => self.rewrites.push(Rewrite {
                pattern: regex(word(1), false)?,
                to: word(2).to_owned(),
                flag: word(3).to_owned(),
            }),
            "allow" | "deny" => self.access.push((word(0) == "allow", word(1).to_owned())),
            _ => {}
        }
        Ok(())
    }

    fn allows(&self, client: Option<Ipv4Addr>) -> bool {
        let fits = |range: &str| {
            let (net, bits) = range.split_once('/').unwrap_or((range, "32"));
            match (net.parse::<Ipv4Addr>(), bits.parse::<u32>(), client) {
                (Ok(net), Ok(bits), Some(client)) => {
                    let shift = 32u32.saturating_sub(bits);
                    u32::from(net).checked_shr(shift) == u32::from(client).checked_shr(shift)
                }
                _ => false,
            }
        };
        let rule = self.access.iter().find(|(_, range)| range == "all" || fits(range));
        rule.is_none_or(|(allow, _)| *allow)
    }
}

fn regex(pattern: &str, ignore_case: bool) -> Result<Regex, String> {
    Regex::perl(pattern, ignore_case).map_err(|why| format!("pcre2_compile() failed: {why} in \"{pattern}\""))
}

struct Location {
    path: String,
    exact: bool,
    /// `^~`: no regular expression is asked.
    first: bool,
    pattern: Option<Regex>,
    rules: Rules,
    root: Option<String>,
    alias: Option<String>,
    index: Vec<String>,
    headers: Vec<(String, String)>,
    media: Option<String>,
    fallback: Option<String>,
    action: Option<Action>,
}

#[derive(Clone)]
enum Action {
    Return(u16, String),
    Proxy(String),
    Status,
}

/// One directive: its words, and the block's directives when it has one.
struct Directive {
    words: Vec<String>,
    block: Option<Vec<Directive>>,
}

impl Directive {
    fn name(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    fn inside(&self) -> &[Directive] {
        self.block.as_deref().unwrap_or_default()
    }
}

/// Reads the configuration from `/etc/nginx/nginx.conf` and what it includes.
/// `idle` gets a sentence for each directive that is not simulated.
fn configuration(files: &Files, idle: &mut Vec<String>) -> Result<Vec<Server>, String> {
    let path = "/etc/nginx/nginx.conf";
    let text = files
        .read_text(path)
        .map_err(|_| format!("open() \"{path}\" failed (2: No such file or directory)"))?;
    let top = parse(&text, path, idle)?;
    let Some(http) = top.iter().find(|d| d.name() == "http") else {
        return Ok(Vec::new());
    };
    let mut reader = Reader {
        files,
        idle,
        servers: Vec::new(),
        groups: Vec::new(),
    };
    reader.block(http.inside(), 0)?;
    let Reader {
        mut servers, groups, ..
    } = reader;
    for server in &mut servers {
        let own = server.action.iter_mut();
        for action in own.chain(server.locations.iter_mut().filter_map(|l| l.action.as_mut())) {
            if let Action::Proxy(target) = action
                && let Some((name, member)) = groups.iter().find(|(name, _)| target.ends_with(name))
            {
                *target = target.replace(name, member);
            }
        }
    }
    Ok(servers)
}

/// Reads what stands in `http`, and what is included there.
struct Reader<'a> {
    files: &'a Files,
    idle: &'a mut Vec<String>,
    servers: Vec<Server>,
    /// The groups of servers (`upstream`): the name of each, and its first server, which alone is asked.
    groups: Vec<(String, String)>,
}

impl Reader<'_> {
    fn block(&mut self, block: &[Directive], depth: usize) -> Result<(), String> {
        for directive in block {
            let argument = directive.words.get(1);
            match (directive.name(), argument) {
                ("server", _) => self.servers.push(server(directive.inside())?),
                ("upstream", Some(name)) => {
                    let first = directive.inside().iter().find(|d| d.name() == "server");
                    if let Some(member) = first.and_then(|d| d.words.get(1)) {
                        self.groups.push((format!("://{name}"), format!("://{member}")));
                    }
                }
                ("include", Some(pattern)) if depth < 5 => {
                    for path in matching(self.files, &crate::shell::join("/etc/nginx", pattern)) {
                        let text = self.files.read_text(&path).unwrap_or_default();
                        let included = parse(&text, &path, self.idle)?;
                        self.block(&included, depth + 1)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The files that a path with at most one `*` in its last part names, in order.
fn matching(files: &Files, pattern: &str) -> Vec<String> {
    let (dir, name) = pattern.rsplit_once('/').unwrap_or(("", pattern));
    if !name.contains('*') {
        return vec![pattern.to_owned()];
    }
    let names = files.list(dir).unwrap_or_default();
    names
        .into_iter()
        .map(|(n, _)| n)
        .filter(|n| super::is_meant(name, n))
        .map(|n| format!("{dir}/{n}"))
        .filter(|p| files.is_file(p))
        .collect()
}

/// Whether a directive may stand in a block, by its name: an error when nginx does not know it.
fn look_at(
    words: &[String],
    heads: &[(Vec<String>, Vec<Directive>)],
    place: String,
    idle: &mut Vec<String>,
) -> Result<(), String> {
    let Some(name) = words.first() else { return Ok(()) };
    let inside = |word: &str| heads.iter().any(|(head, _)| head.first().is_some_and(|h| h == word));
    if FREE.iter().any(|free| inside(free)) || inside("stream") || inside("mail") {
        return Ok(());
    }
    let off = words.get(1).is_some_and(|w| w == "off") && words.len() == 2;
    let idles = match name.as_str() {
        "autoindex" => !off,
        name => is_one_of(IDLE, name) && !off,
    };
    if idles {
        idle.push(format!("the directive \"{name}\" is not simulated in {place}"));
    } else if !is_one_of(IDLE, name)
        && !is_one_of(KNOWN, name)
        && !FAMILIES.split_whitespace().any(|family| name.starts_with(family))
    {
        return Err(format!("unknown directive \"{name}\" in {place}"));
    }
    Ok(())
}

fn parse(text: &str, path: &str, idle: &mut Vec<String>) -> Result<Vec<Directive>, String> {
    let mut stack: Vec<(Vec<String>, Vec<Directive>)> = vec![(Vec::new(), Vec::new())];
    let mut words: Vec<String> = Vec::new();
    let mut chars = text.chars().peekable();
    let mut line = 1;
    while let Some(c) = chars.next() {
        match c {
            '\n' => line += 1,
            c if c.is_whitespace() => {}
            '#' => {
                while chars.peek().is_some_and(|c| *c != '\n') {
                    chars.next();
                }
            }
            ';' => {
                if words.is_empty() {
                    return Err(format!("unexpected \";\" in {path}:{line}"));
                }
                look_at(&words, &stack, format!("{path}:{line}"), idle)?;
                let directive = Directive {
                    words: std::mem::take(&mut words),
                    block: None,
                };
                if let Some((_, block)) = stack.last_mut() {
                    block.push(directive);
                }
            }
            '{' => {
                if stack.len() > 20 {
                    return Err(format!("too many nested blocks in {path}:{line}"));
                }
                look_at(&words, &stack, format!("{path}:{line}"), idle)?;
                stack.push((std::mem::take(&mut words), Vec::new()));
            }
            '}' => {
                if !words.is_empty() {
                    return Err(format!("unexpected \"}}\" in {path}:{line}"));
                }
                let Some((head, block)) = stack.pop().filter(|_| !stack.is_empty()) else {
                    return Err(format!("unexpected \"}}\" in {path}:{line}"));
                };
                if let Some((_, outer)) = stack.last_mut() {
                    outer.push(Directive {
                        words: head,
                        block: Some(block),
                    });
                }
            }
            quote @ ('"' | '\'') => {
                let mut word = String::new();
                loop {
                    match chars.next() {
                        None => {
                            return Err(format!(
                                "unexpected end of file, expecting \";\" or \"}}\" in {path}:{line}"
                            ));
                        }
                        Some('\\') => match chars.next() {
                            Some('n') => word.push('\n'),
                            Some('t') => word.push('\t'),
                            Some('r') => word.push('\r'),
                            Some(c @ ('"' | '\'' | '\\')) => word.push(c),
                            other => {
                                word.push('\\');
                                word.extend(other);
                            }
                        },
                        Some(c) if c == quote => break,
                        Some(c) => {
                            line += usize::from(c == '\n');
                            word.push(c);
                        }
                    }
                }
                words.push(word);
            }
            c => {
                let mut word = String::from(c);
                while let Some(c) = chars.peek().copied() {
                    let variable = c == '{' && word.ends_with('$');
                    if (c.is_whitespace() || matches!(c, ';' | '{')) && !variable {
                        break;
                    }
                    word.push(c);
                    chars.next();
                }
                words.push(word);
            }
        }
    }
    match stack.pop() {
        Some((_, block)) if stack.is_empty() && words.is_empty() => Ok(block),
        _ => Err(format!(
            "unexpected end of file, expecting \";\" or \"}}\" in {path}:{line}"
        )),
    }
}

fn action(words: &[String]) -> Option<Action> {
    match words.first()?.as_str() {
        "return" => {
            let first = words.get(1)?;
            match first.parse() {
                Ok(code) => Some(Action::Return(code, words.get(2).cloned().unwrap_or_default())),
                Err(_) => Some(Action::Return(302, first.clone())),
            }
        }
        "proxy_pass" => Some(Action::Proxy(words.get(1)?.clone())),
        "stub_status" => Some(Action::Status),
        _ => None,
    }
}

fn header(words: &[String]) -> Option<(String, String)> {
    (words.first()? == "add_header").then_some(())?;
    Some((words.get(1)?.clone(), words.get(2)?.clone()))
}

/// The action after a directive: a `return` comes before what else answers.
fn then(old: Option<Action>, words: &[String]) -> Option<Action> {
    match (action(words), old) {
        (new @ Some(Action::Return(..)), old) if !matches!(old, Some(Action::Return(..))) => new,
        (new, old) => old.or(new),
    }
}

fn server(block: &[Directive]) -> Result<Server, String> {
    let mut server = Server {
        ports: Vec::new(),
        encrypted: Vec::new(),
        certificate: String::new(),
        names: Vec::new(),
        root: "/etc/nginx/html".into(),
        index: vec!["index.html".into()],
        headers: Vec::new(),
        action: None,
        rules: Rules::default(),
        locations: Vec::new(),
    };
    for directive in block {
        let words = &directive.words;
        let rest = words.get(1..).unwrap_or(&[]);
        match directive.name() {
            "listen" => {
                let port = rest
                    .first()
                    .and_then(|l| l.rsplit(':').next()?.parse().ok())
                    .unwrap_or(80);
                server.ports.push(port);
                if rest.iter().any(|w| w == "ssl") {
                    server.encrypted.push(port);
                }
            }
            "ssl_certificate" => {
                let path = rest.first().map_or("", String::as_str);
                server.certificate = crate::shell::join("/etc/nginx", path);
            }
            "server_name" => server.names.extend(rest.iter().cloned()),
            "root" => server.root = rest.first().cloned().unwrap_or_default(),
            "index" => server.index = rest.to_vec(),
            "location" => {
                let kind = rest.first().map_or("", String::as_str);
                let path = rest.last().cloned().unwrap_or_default();
                let pattern = match kind {
                    "~" | "~*" => Some(regex(&path, kind == "~*")?),
                    _ => None,
                };
                let mut location = Location {
                    path,
                    exact: kind == "=",
                    first: kind == "^~",
                    pattern,
                    rules: Rules::default(),
                    root: None,
                    alias: None,
                    index: Vec::new(),
                    headers: Vec::new(),
                    media: None,
                    fallback: None,
                    action: None,
                };
                for inner in directive.inside() {
                    let words = &inner.words;
                    let rest = words.get(1..).unwrap_or(&[]);
                    match inner.name() {
                        "root" => location.root = rest.first().cloned(),
                        "alias" => location.alias = rest.first().cloned(),
                        "index" => location.index = rest.to_vec(),
                        "default_type" => location.media = rest.first().cloned(),
                        "try_files" => location.fallback = rest.last().cloned(),
                        _ => {
                            location.action = then(location.action, words);
                            let returns = matches!(location.action, Some(Action::Return(..)));
                            location.rules.read(words, returns)?;
                            location.headers.extend(header(words));
                        }
                    }
                }
                server.locations.push(location);
            }
            _ => {
                server.action = then(server.action, words);
                server.rules.read(words, server.action.is_some())?;
                server.headers.extend(header(words));
            }
        }
    }
    if server.ports.is_empty() {
        server.ports.push(80);
    }
    Ok(server)
}

struct Serve {
    servers: Rc<Vec<Server>>,
    port: u16,
    files: Files,
    log: Output,
    errors: Output,
    sim: Sim,
    version: String,
    // The sandbox's ports own this: a strong reference would keep both for ever.
    sandbox: std::rc::Weak<Sandbox>,
    /// What it shows on a port that speaks TLS.
    certificate: Option<Rc<Certificate>>,
}

/// A port that nginx listens on.
struct Door(Rc<Serve>);

impl super::Service for Door {
    fn http(&self, request: HttpRequest) -> LocalBoxFuture<'static, Result<HttpResponse, NoAnswer>> {
        let serve = self.0.clone();
        Box::pin(async move {
            match (&serve.certificate, &request.tls) {
                (Some(_), None) => {
                    let mut plain = page(400, &serve.version);
                    let said = String::from_utf8_lossy(&plain.body).into_owned().replacen(
                        "</h1></center>",
                        "</h1></center>\r\n<center>The plain HTTP request was sent to HTTPS port</center>",
                        1,
                    );
                    plain.body = said.into_bytes();
                    return Ok(plain);
                }
                (Some(own), Some(tls)) => tls.trusts(own, &request.host).map_err(NoAnswer::Untrusted)?,
                (None, Some(_)) => return Err(NoAnswer::Plain),
                (None, None) => {}
            }
            Ok(answer(serve, request).await)
        })
    }
}

async fn answer(serve: Rc<Serve>, request: HttpRequest) -> HttpResponse {
    let mut response = respond(&serve, &request).await;
    let now = serve.sim.now();
    response
        .headers
        .insert(0, ("Server".into(), format!("nginx/{}", serve.version)));
    response.headers.insert(1, ("Date".into(), http_date(now)));
    if response.more == More::default() && response.header("Content-Length").is_none() {
        let length = response.body.len().to_string();
        response
            .headers
            .insert(response.headers.len().min(3), ("Content-Length".into(), length));
    }
    if response.header("Connection").is_none() {
        response.headers.insert(
            response.headers.len().min(4),
            ("Connection".into(), "keep-alive".into()),
        );
    }
    if request.method == "HEAD" {
        response.body.clear();
        response.more = More::default();
    }
    serve.log.line(format!(
        "{} \"{}\"",
        combined_log(&request, response.status, response.body.len(), now),
        request.header("X-Forwarded-For").unwrap_or("-")
    ));
    response
}

fn page(status: u16, version: &str) -> HttpResponse {
    let mut response = HttpResponse::new(status, "text/html", Vec::new());
    response.headers.push(("Server".into(), "nginx".into()));
    // Of this one the page has another name than the status line.
    let reason = if status == 302 { "Found" } else { response.reason() };
    response.headers.pop();
    let title = format!("{status} {reason}");
    response.body = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n<hr><center>nginx/{version}</center>\r\n</body>\r\n</html>\r\n"
    )
    .into_bytes();
    response
}

/// Replaces nginx's variables in a text.
fn expand(text: &str, request: &HttpRequest, serve: &Serve) -> String {
    let host = request.host.split(':').next().unwrap_or("").to_owned();
    let hostname = serve.sandbox.upgrade().map(|s| s.hostname.clone()).unwrap_or_default();
    let local = request.local.map(|(ip, _)| ip.to_string()).unwrap_or_default();
    let query = request.path.split_once('?').map_or("", |(_, query)| query);
    let mut text = text.to_owned();
    for (name, value) in [
        ("$request_uri", request.path.clone()),
        ("$request_method", request.method.clone()),
        ("$remote_addr", super::peer(request)),
        ("$server_addr", local),
        ("$server_port", serve.port.to_string()),
        ("$hostname", hostname),
        ("$http_host", request.host.clone()),
        ("$host", host),
        ("$uri", path_of(request).to_owned()),
        ("$document_uri", path_of(request).to_owned()),
        ("$is_args", if query.is_empty() { "" } else { "?" }.to_owned()),
        ("$args", query.to_owned()),
        ("$query_string", query.to_owned()),
        ("$scheme", "http".to_owned()),
    ] {
        if text.contains('$') {
            text = text.replace(name, &value);
        }
    }
    text
}

/// A line of the error log about a request.
fn complain(serve: &Serve, request: &HttpRequest, text: &str) {
    serve.errors.line(format!(
        "{} [error] 29#29: *1 {text}, client: {}, server: localhost, request: \"{} {} HTTP/1.1\", host: \"{}\"",
        slash_date(serve.sim.now()),
        super::peer(request),
        request.method,
        request.path,
        request.host
    ));
}

/// The location that a path belongs to: an exact one, else the first regular expression that fits unless the longest
/// prefix forbids it, else that prefix.
fn find<'a>(server: &'a Server, path: &str) -> Option<&'a Location> {
    let all = || server.locations.iter();
    let prefix = all()
        .filter(|l| !l.exact && l.pattern.is_none() && path.starts_with(&l.path))
        .max_by_key(|l| l.path.len());
    let fits = |l: &&Location| l.pattern.as_ref().is_some_and(|p| p.is_match(path));
    all()
        .find(|l| l.exact && l.path == path)
        .or_else(|| prefix.filter(|l| l.first))
        .or_else(|| all().find(fits))
        .or(prefix)
}

/// What rewriting comes to.
enum Rewritten {
    No,
    /// Another location is looked for.
    Again,
    Stay,
    Answer(HttpResponse),
}

fn rewrite(serve: &Serve, rules: &Rules, request: &HttpRequest, now: &mut Cow<HttpRequest>) -> Rewritten {
    let mut result = Rewritten::No;
    for rule in &rules.rewrites {
        let Some(groups) = rule.pattern.captures(path_of(now)) else {
            continue;
        };
        let mut to = rule.to.clone();
        for (i, group) in groups.iter().enumerate().skip(1) {
            to = to.replace(&format!("${i}"), group.as_deref().unwrap_or_default());
        }
        let mut to = expand(&to, now, serve);
        // The query stays, unless the new address ends in a question mark.
        if let Some(bare) = to.strip_suffix('?') {
            to = bare.to_owned();
        } else if let Some((_, query)) = request.path.split_once('?') {
            to.push(if to.contains('?') { '&' } else { '?' });
            to.push_str(query);
        }
        let away = ["http://", "https://", "$scheme"]
            .iter()
            .any(|s| rule.to.starts_with(s));
        let code = match rule.flag.as_str() {
            "permanent" => 301,
            "redirect" => 302,
            _ if away => 302,
            flag => {
                now.to_mut().path = to;
                match flag {
                    "break" => return Rewritten::Stay,
                    "last" => return Rewritten::Again,
                    _ => result = Rewritten::Again,
                }
                continue;
            }
        };
        let mut response = page(code, &serve.version);
        let host = if to.starts_with('/') {
            format!("http://{}", request.host)
        } else {
            String::new()
        };
        response.headers.push(("Location".into(), host + &to));
        return Rewritten::Answer(response);
    }
    result
}

async fn respond(serve: &Serve, request: &HttpRequest) -> HttpResponse {
    let name = request.host.split(':').next().unwrap_or("");
    let on_port = || serve.servers.iter().filter(|s| s.ports.contains(&serve.port));
    let server = on_port()
        .find(|s| s.names.iter().any(|n| n == name))
        .or_else(|| on_port().next());
    let Some(server) = server else {
        return page(404, &serve.version);
    };
    // The request as rewriting leaves it.
    let mut now = Cow::Borrowed(request);
    if let Rewritten::Answer(response) = rewrite(serve, &server.rules, request, &mut now) {
        return response;
    }
    let mut turns = 0;
    let location = loop {
        let location = find(server, path_of(&now));
        // A location's rewriting looks for another one; nginx does so ten times.
        let Some(found) = location.filter(|_| server.action.is_none()) else {
            break location;
        };
        match rewrite(serve, &found.rules, request, &mut now) {
            Rewritten::Answer(response) => return response,
            Rewritten::No | Rewritten::Stay => break location,
            Rewritten::Again if turns < 10 => turns += 1,
            Rewritten::Again => {
                complain(
                    serve,
                    request,
                    &format!(
                        "rewrite or internal redirection cycle while processing \"{}\"",
                        now.path
                    ),
                );
                return page(500, &serve.version);
            }
        }
    };
    let path = path_of(&now);
    let todo = server.action.as_ref().or(location.and_then(|l| l.action.as_ref()));
    let rules = location
        .map(|l| &l.rules)
        .filter(|r| !r.access.is_empty())
        .unwrap_or(&server.rules);
    let mut response = match todo {
        None | Some(Action::Status | Action::Proxy(_)) if !rules.allows(request.client) => {
            complain(serve, request, "access forbidden by rule");
            page(403, &serve.version)
        }
        Some(Action::Return(code, text)) => {
            let text = expand(text, request, serve);
            if (300..400).contains(code) {
                let mut response = page(*code, &serve.version);
                response.headers.push(("Location".into(), text));
                response
            } else if text.is_empty() {
                page(*code, &serve.version)
            } else {
                let media = location
                    .and_then(|l| l.media.clone())
                    .unwrap_or_else(|| "application/octet-stream".into());
                HttpResponse::new(*code, &media, text)
            }
        }
        Some(Action::Status) => HttpResponse::new(
            200,
            "text/plain",
            "Active connections: 1 \nserver accepts handled requests\n 1 1 1 \nReading: 0 Writing: 1 Waiting: 0 \n",
        ),
        Some(Action::Proxy(target)) => proxy(serve, &now, location, target).await,
        None => file(serve, server, location, &now, path),
    };
    let headers = location
        .map(|l| &l.headers)
        .filter(|h| !h.is_empty())
        .unwrap_or(&server.headers);
    for (name, value) in headers {
        response.headers.push((name.clone(), expand(value, request, serve)));
    }
    response
}

async fn proxy(serve: &Serve, request: &HttpRequest, location: Option<&Location>, target: &str) -> HttpResponse {
    let failed = |why: String| {
        serve.errors.line(format!(
            "{} [error] 29#29: *1 {why} while connecting to upstream, client: {}, server: , request: \"{} {} HTTP/1.1\", upstream: \"{target}\", host: \"{}\"",
            slash_date(serve.sim.now()),
            super::peer(request),
            request.method,
            request.path,
            request.host
        ));
        page(502, &serve.version)
    };
    let (Ok(mut url), Some(sandbox)) = (Url::parse(&expand(target, request, serve)), serve.sandbox.upgrade()) else {
        return failed("invalid URL prefix".into());
    };
    // With a path in `proxy_pass`, that path replaces the location's prefix.
    let has_path = target.split_once("://").is_some_and(|(_, rest)| rest.contains('/'));
    url.path = match location {
        Some(l) if has_path => {
            let rest = request.path.strip_prefix(l.path.as_str()).unwrap_or(&request.path);
            format!("{}{rest}", url.path)
        }
        _ => request.path.clone(),
    };
    let mut forwarded = request.clone();
    forwarded.headers.push(("X-Forwarded-For".into(), super::peer(request)));
    match sandbox.network.http(&sandbox.origin, &url, forwarded).await {
        Ok(response) => response,
        Err(error) => failed(format!("connect() failed ({error})")),
    }
}

fn file(
    serve: &Serve,
    server: &Server,
    location: Option<&Location>,
    request: &HttpRequest,
    path: &str,
) -> HttpResponse {
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        return page(405, &serve.version);
    }
    let root = location.and_then(|l| l.root.as_ref()).unwrap_or(&server.root);
    let index = location
        .map(|l| &l.index)
        .filter(|i| !i.is_empty())
        .unwrap_or(&server.index);
    let find = |path: &str| -> Option<(String, Rc<Vec<u8>>)> {
        let full = match location.and_then(|l| l.alias.as_ref().map(|a| (l, a))) {
            Some((l, alias)) => format!("{alias}{}", path.strip_prefix(l.path.as_str()).unwrap_or(path)),
            None => format!("{root}/{path}"),
        };
        let full = crate::shell::join("/", &full);
        if serve.files.is_dir(&full) {
            let name = index
                .iter()
                .map(|i| format!("{full}/{i}"))
                .find(|p| serve.files.is_file(p))?;
            return serve.files.read(&name).ok().map(|bytes| (name, bytes));
        }
        serve.files.read(&full).ok().map(|bytes| (full, bytes))
    };
    let fallback = location.and_then(|l| l.fallback.as_deref());
    let found = find(path).or_else(|| {
        let uri = fallback.filter(|f| !f.starts_with('='))?;
        find(uri.split('?').next().unwrap_or(uri))
    });
    match found {
        Some((name, bytes)) => {
            let mut response = HttpResponse::new(200, media_type(&name), bytes.as_ref().clone());
            let modified = serve.files.stat(&name, true).map_or(Time::default(), |s| s.modified);
            let tag = format!("\"{:x}-{:x}\"", modified.as_secs(), bytes.len());
            for (name, value) in [
                ("Last-Modified", http_date(modified)),
                ("Connection", "keep-alive".into()),
                ("ETag", tag),
                ("Accept-Ranges", "bytes".into()),
            ] {
                response.headers.push((name.into(), value));
            }
            response
        }
        None => {
            let full = crate::shell::join("/", &format!("{root}/{path}"));
            if serve.files.is_dir(&full) {
                complain(serve, request, &format!("directory index of \"{full}/\" is forbidden"));
                return page(403, &serve.version);
            }
            let text = format!("open() \"{full}\" failed (2: No such file or directory)");
            complain(serve, request, &text);
            page(404, &serve.version)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_parse() {
        let mut idle = Vec::new();
        let text = "server { listen 8080; # comment\n location = /a { return 200 \"hi $uri;\"; } location / { proxy_pass http://web; } }";
        let parsed = parse(text, "x.conf", &mut idle).unwrap();
        let server = server(parsed[0].inside()).unwrap();
        assert_eq!(server.ports, [8080]);
        assert_eq!(server.locations.len(), 2);
        for (bad, message) in [
            (
                "server {",
                "unexpected end of file, expecting \";\" or \"}\" in x.conf:1",
            ),
            (
                "root b;\nfrobnicate on;",
                "unknown directive \"frobnicate\" in x.conf:2",
            ),
            ("map a b { x y; }\nhtpp {}", "unknown directive \"htpp\" in x.conf:2"),
            ("root b\nc }", "unexpected \"}\" in x.conf:2"),
            ("}", "unexpected \"}\" in x.conf:1"),
            (";", "unexpected \";\" in x.conf:1"),
            ("a 'b", "unexpected end of file, expecting \";\" or \"}\" in x.conf:1"),
        ] {
            assert_eq!(parse(bad, "x.conf", &mut idle).err().as_deref(), Some(message), "{bad}");
        }
        assert_eq!(idle, ["the directive \"map\" is not simulated in x.conf:1"]);
        // What the image brings says nothing.
        idle.clear();
        for text in [CONF, DEFAULT_SERVER] {
            parse(text, "x.conf", &mut idle).unwrap();
        }
        assert!(idle.is_empty(), "{idle:?}");
    }

    #[test]
    fn groups_of_servers_are_known_to_all_files() {
        let files = Files::new(&Sim::new(1, Time::default()));
        for (path, text) in [
            ("nginx.conf", "http { include conf.d/*.conf; }"),
            ("conf.d/a.conf", "server { location / { proxy_pass http://web; } }"),
            (
                "conf.d/b.conf",
                "upstream web { server 10.0.0.1:80; server 10.0.0.2:80; }",
            ),
        ] {
            let path = format!("/etc/nginx/{path}");
            files.make_dirs(crate::shell::dir_name(&path)).unwrap();
            files.write(&path, text).unwrap();
        }
        let servers = configuration(&files, &mut Vec::new()).unwrap();
        let action = &servers[0].locations[0].action;
        assert!(matches!(action, Some(Action::Proxy(target)) if target == "http://10.0.0.1:80"));
    }

    #[test]
    fn locations_and_addresses_are_chosen() {
        let text = "server { location / {} location = /x {} location ^~ /img/ {} location ~ \\.txt$ {} location ~* \\.PNG$ {} }";
        let parsed = parse(text, "x.conf", &mut Vec::new()).unwrap();
        let server = server(parsed[0].inside()).unwrap();
        for (path, wanted) in [
            ("/x", "/x"),
            ("/xy", "/"),
            ("/a.txt", "\\.txt$"),
            ("/img/a.txt", "/img/"),
            ("/a.png", "\\.PNG$"),
        ] {
            assert_eq!(find(&server, path).unwrap().path, wanted, "{path}");
        }
        let mut rules = Rules::default();
        for text in ["deny 10.0.0.1", "allow 10.0.0.0/8", "deny all"] {
            let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
            rules.read(&words, false).unwrap();
        }
        for (client, wanted) in [("10.0.0.1", false), ("10.2.3.4", true), ("11.0.0.1", false)] {
            assert_eq!(rules.allows(client.parse().ok()), wanted, "{client}");
        }
    }
}
