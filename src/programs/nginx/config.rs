//! The configuration: parsed, with the directives that nginx knows, and read into servers and locations.

use std::net::Ipv4Addr;

use super::super::is_meant;
use crate::pki::{pem, x509::Certificate};
use crate::shell::{Files, Regex};

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

/// The certificate that a server shows.
pub(super) fn certificate(files: &Files, path: &str) -> Result<Certificate, String> {
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

pub(super) struct Server {
    pub(super) ports: Vec<u16>,
    /// Those of the ports that speak TLS.
    pub(super) encrypted: Vec<u16>,
    pub(super) certificate: String,
    pub(super) names: Vec<String>,
    pub(super) root: String,
    pub(super) index: Vec<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) action: Option<Action>,
    pub(super) rules: Rules,
    pub(super) locations: Vec<Location>,
}

/// What a server or a location does to requests before it answers.
#[derive(Default)]
pub(super) struct Rules {
    pub(super) rewrites: Vec<Rewrite>,
    /// `allow` (true) and `deny`, with the addresses they are for: the first that fits holds.
    pub(super) access: Vec<(bool, String)>,
}

pub(super) struct Rewrite {
    pub(super) pattern: Regex,
    pub(super) to: String,
    /// `last`, `break`, `redirect`, `permanent`, or nothing.
    pub(super) flag: String,
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

    pub(super) fn allows(&self, client: Option<Ipv4Addr>) -> bool {
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

pub(super) struct Location {
    pub(super) path: String,
    pub(super) exact: bool,
    /// `^~`: no regular expression is asked.
    pub(super) first: bool,
    pub(super) pattern: Option<Regex>,
    pub(super) rules: Rules,
    pub(super) root: Option<String>,
    pub(super) alias: Option<String>,
    pub(super) index: Vec<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) media: Option<String>,
    pub(super) fallback: Option<String>,
    pub(super) action: Option<Action>,
}

#[derive(Clone)]
pub(super) enum Action {
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
pub(super) fn configuration(files: &Files, idle: &mut Vec<String>) -> Result<Vec<Server>, String> {
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
        .filter(|n| is_meant(name, n))
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

#[cfg(test)]
mod tests {
    use super::super::serve::find;
    use super::super::{CONF, DEFAULT_SERVER};
    use super::*;
    use crate::sim::{Sim, Time};

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
