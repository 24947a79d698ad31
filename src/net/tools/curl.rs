//! `curl`: HTTP from the command line, with curl's own options and sentences.

use core::net::Ipv4Addr;
use std::cell::Cell;
use std::time::Duration;

use super::super::{HttpRequest, HttpResponse, NetError, Network, Origin, Tls, Url};
use super::follow::{Why, follow};
use crate::api::auth::certificate::check_pair;
use crate::shell::Context;
use crate::sim::{Time, timeout};
use crate::value::{float, gofmt::query_escape};

const AGENT: &str = "curl/8.14.1";

#[derive(Default)]
struct Options {
    urls: Vec<String>,
    method: Option<String>,
    headers: Vec<(String, String)>,
    data: Vec<u8>,
    has_data: bool,
    output: Option<String>,
    remote_name: bool,
    write_out: Option<String>,
    silent: bool,
    show_error: bool,
    include: bool,
    head: bool,
    fail: bool,
    follow: bool,
    verbose: bool,
    max_time: Option<f64>,
    connect_timeout: Option<f64>,
    retry: u32,
    insecure: bool,
    authorities: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
    /// Hosts and ports whose address was given.
    resolve: Vec<(String, Ipv4Addr)>,
    retry_delay: Option<f64>,
    retry_refused: bool,
    retry_all: bool,
    /// Data go into the query.
    get: bool,
    /// The data that went there: the request itself has none then.
    query: Option<String>,
    dump_header: Option<String>,
    cookie_jar: Option<String>,
    version: bool,
    no_meter: bool,
    fail_with_body: bool,
    /// The address that was last asked, and when it was known.
    remote: Cell<Option<(Ipv4Addr, Time)>>,
}

/// Options that take a value: short, long.
const VALUED: &[(&str, &str)] = &[
    ("-X", "--request"),
    ("-H", "--header"),
    ("-d", "--data"),
    ("", "--data-raw"),
    ("", "--data-binary"),
    ("-o", "--output"),
    ("-w", "--write-out"),
    ("-m", "--max-time"),
    ("", "--connect-timeout"),
    ("-A", "--user-agent"),
    ("-e", "--referer"),
    ("-u", "--user"),
    ("", "--retry"),
    ("", "--url"),
    ("", "--cacert"),
    ("-E", "--cert"),
    ("", "--key"),
    ("", "--oauth2-bearer"),
    ("", "--json"),
    ("", "--data-urlencode"),
    ("", "--resolve"),
    ("", "--retry-delay"),
    ("", "--retry-max-time"),
    ("-b", "--cookie"),
    ("-c", "--cookie-jar"),
    ("-D", "--dump-header"),
    ("", "--noproxy"),
    ("", "--limit-rate"),
];

const PLAIN: &[(&str, &str)] = &[
    ("-s", "--silent"),
    ("-S", "--show-error"),
    ("-i", "--include"),
    ("-I", "--head"),
    ("-f", "--fail"),
    ("-L", "--location"),
    ("-v", "--verbose"),
    ("-O", "--remote-name"),
    ("-k", "--insecure"),
    ("-4", "--ipv4"),
    ("-g", "--globoff"),
    ("-N", "--no-buffer"),
    ("-G", "--get"),
    ("-V", "--version"),
    ("", "--fail-with-body"),
    ("", "--retry-connrefused"),
    ("", "--retry-all-errors"),
    ("", "--compressed"),
    ("", "--http1.1"),
    ("-0", "--http1.0"),
    ("", "--http2"),
    ("-#", "--progress-bar"),
    ("", "--no-progress-meter"),
    ("-q", "--disable"),
    ("-1", "--tlsv1"),
    ("", "--tlsv1.2"),
    ("", "--tlsv1.3"),
];

/// Reads a file as text.
type Read<'a> = &'a dyn Fn(&str) -> Option<String>;

fn parse(args: &[String], read: Read) -> Result<Options, (i32, String)> {
    let mut options = Options::default();
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let missing = |name: &str| (2, format!("curl: option {name}: requires parameter"));
        if let Some(long) = word.strip_prefix("--").map(|_| word.as_str()) {
            if VALUED.iter().any(|(_, l)| *l == long) {
                let value = words.next().ok_or_else(|| missing(long))?;
                set_value(&mut options, long, value, read)?;
            } else if PLAIN.iter().any(|(_, l)| *l == long) {
                set_plain(&mut options, long);
            } else {
                return Err((2, format!("curl: option {long}: is unknown")));
            }
        } else if word.len() > 1 && word.starts_with('-') {
            let letters: Vec<char> = word.chars().skip(1).collect();
            let mut i = 0;
            while let Some(c) = letters.get(i) {
                let short = format!("-{c}");
                if let Some((_, long)) = VALUED.iter().find(|(s, _)| *s == short) {
                    let rest: String = letters.iter().skip(i + 1).collect();
                    let value = if rest.is_empty() {
                        words.next().ok_or_else(|| missing(&short))?.clone()
                    } else {
                        rest
                    };
                    set_value(&mut options, long, &value, read)?;
                    break;
                } else if let Some((_, long)) = PLAIN.iter().find(|(s, _)| *s == short) {
                    set_plain(&mut options, long);
                } else {
                    return Err((2, format!("curl: option {short}: is unknown")));
                }
                i += 1;
            }
        } else {
            options.urls.push(word.clone());
        }
    }
    if options.urls.is_empty() && !options.version {
        let why = if args.is_empty() {
            ""
        } else {
            "curl: (2) no URL specified"
        };
        return Err((2, why.into()));
    }
    if options.get && options.has_data {
        options.has_data = false;
        let data = std::mem::take(&mut options.data);
        options.query = Some(String::from_utf8_lossy(&data).into_owned());
    }
    Ok(options)
}

fn set_plain(o: &mut Options, long: &str) {
    match long {
        "--silent" => o.silent = true,
        "--show-error" => o.show_error = true,
        "--include" => o.include = true,
        "--head" => o.head = true,
        "--fail" => o.fail = true,
        "--location" => o.follow = true,
        "--verbose" => o.verbose = true,
        "--remote-name" => o.remote_name = true,
        "--insecure" => o.insecure = true,
        "--get" => o.get = true,
        "--no-progress-meter" | "--progress-bar" => o.no_meter = true,
        "--version" => o.version = true,
        "--fail-with-body" => o.fail_with_body = true,
        "--retry-connrefused" => o.retry_refused = true,
        "--retry-all-errors" => o.retry_all = true,
        // The others change nothing in a simulated network.
        _ => {}
    }
}

/// Gets ready for more data, which `&` parts from those before.
fn more_data(o: &mut Options) {
    if o.has_data {
        o.data.push(b'&');
    }
    o.has_data = true;
}

fn set_value(o: &mut Options, long: &str, value: &str, read: Read) -> Result<(), (i32, String)> {
    let number = || {
        float::parse(value).ok_or_else(|| (2, format!("curl: option {long}: expected a proper numerical parameter")))
    };
    match long {
        "--request" => o.method = Some(value.to_owned()),
        "--header" => {
            let (name, text) = value.split_once(':').unwrap_or((value, ""));
            o.headers.push((name.trim().to_owned(), text.trim().to_owned()));
        }
        "--data" | "--data-raw" | "--data-binary" => {
            more_data(o);
            match value.strip_prefix('@').filter(|_| long != "--data-raw") {
                None => o.data.extend_from_slice(value.as_bytes()),
                Some(file) => {
                    let text = read(file).ok_or_else(|| {
                        let why = format!(
                            "curl: Failed to open {file}\ncurl: option {long}: error encountered when reading a file"
                        );
                        (26, why)
                    })?;
                    // As from a form, lines are joined.
                    let joined = long == "--data";
                    o.data
                        .extend(text.bytes().filter(|b| !joined || !matches!(b, b'\n' | b'\r')));
                }
            }
        }
        "--output" => o.output = Some(value.to_owned()),
        "--write-out" => o.write_out = Some(value.to_owned()),
        "--max-time" => o.max_time = Some(number()?),
        "--connect-timeout" => o.connect_timeout = Some(number()?),
        "--user-agent" => o.headers.push(("User-Agent".into(), value.to_owned())),
        "--referer" => o.headers.push(("Referer".into(), value.to_owned())),
        "--user" => {
            let basic = crate::value::base64::encode(value.as_bytes());
            o.headers.push(("Authorization".into(), format!("Basic {basic}")));
        }
        "--data-urlencode" => {
            let (name, text) = match (value.split_once('='), value.split_once('@')) {
                (Some((name, text)), _) => (name, text.to_owned()),
                (None, Some((name, file))) => match read(file) {
                    Some(text) => (name, text),
                    None => return Err((26, format!("curl: Failed to open {file}"))),
                },
                (None, None) => ("", value.to_owned()),
            };
            more_data(o);
            if !name.is_empty() {
                o.data.extend(format!("{name}=").bytes());
            }
            o.data.extend(query_escape(&text).bytes());
        }
        "--resolve" => {
            let parts = value.trim_start_matches('+').rsplit_once(':');
            let Some((host, Ok(ip))) = parts.map(|(host, ip)| (host, ip.parse())) else {
                return Err((49, format!("curl: (49) Couldn't parse CURLOPT_RESOLVE entry '{value}'")));
            };
            o.resolve.push((host.to_owned(), ip));
        }
        "--retry-delay" => o.retry_delay = Some(number()?),
        "--cookie" => {
            let cookies = match value.contains('=') {
                true => value.to_owned(),
                // A jar has one cookie a line: its name and value are the last of seven columns.
                false => {
                    let text = read(value).unwrap_or_default();
                    let rows = text.lines().filter_map(|line| {
                        let mut columns = line.split('\t').skip(5);
                        Some(format!("{}={}", columns.next()?, columns.next()?))
                    });
                    rows.collect::<Vec<_>>().join("; ")
                }
            };
            if !cookies.is_empty() {
                o.headers.push(("Cookie".into(), cookies));
            }
        }
        "--cookie-jar" => o.cookie_jar = Some(value.to_owned()),
        "--dump-header" => o.dump_header = Some(value.to_owned()),
        // A simulated network has no proxies and no rates.
        "--noproxy" | "--limit-rate" | "--retry-max-time" => {}
        "--retry" => o.retry = number()? as u32,
        "--cacert" => o.authorities = Some(value.to_owned()),
        "--cert" => o.certificate = Some(value.to_owned()),
        "--key" => o.key = Some(value.to_owned()),
        "--oauth2-bearer" => o.headers.push(("Authorization".into(), format!("Bearer {value}"))),
        "--json" => {
            set_value(o, "--data-binary", value, read)?;
            for name in ["Content-Type", "Accept"] {
                o.headers.push((name.into(), "application/json".into()));
            }
        }
        _ => o.urls.push(value.to_owned()),
    }
    Ok(())
}

fn read(context: &Context, path: &str) -> Option<String> {
    context.files.read_text(&context.path(path)).ok()
}

/// Runs `curl`.
pub(super) async fn run(context: Context, network: Network, origin: Origin) -> i32 {
    let options = match parse(context.rest(), &|path| read(&context, path)) {
        Ok(options) => options,
        Err((code, why)) => {
            if !why.is_empty() {
                context.stderr.line(why);
            }
            context.stderr.line("curl: try 'curl --help' for more information");
            return code;
        }
    };
    if options.version {
        context.stdout.line(
            "curl 8.14.1 (x86_64-pc-linux-gnu) libcurl/8.14.1 OpenSSL/3.5.4 zlib/1.3.1\nRelease-Date: \
             2025-06-04\nProtocols: http https\nFeatures: IPv6 libz SSL",
        );
        return 0;
    }
    let mut code = 0;
    for url in &options.urls {
        code = one(&context, &network, &origin, &options, url).await;
    }
    code
}

async fn one(context: &Context, network: &Network, origin: &Origin, options: &Options, text: &str) -> i32 {
    let say = |why: String| {
        if !options.silent || options.show_error {
            context.stderr.line(why);
        }
    };
    options.remote.set(None);
    let mut url = match Url::parse(text) {
        Ok(url) => url,
        Err(why) => {
            let code = if why.starts_with("Protocol") { 1 } else { 3 };
            say(format!("curl: ({code}) {why}"));
            return code;
        }
    };
    if let Some(query) = &options.query {
        let between = if url.path.contains('?') { '&' } else { '?' };
        url.path = format!("{}{between}{query}", url.path);
    }
    // The meter is for who would otherwise see nothing: not where the body goes to the terminal.
    let shown = options.output.is_none() && !options.remote_name && context.stdout.is_terminal();
    let meters = !options.silent && !options.no_meter && !shown;
    if meters {
        context.stderr.write(format!("{METER}\r{}", meter(0, None, 0, 0.0)));
    }
    let note = |line: String| {
        if options.verbose {
            context.stderr.line(format!("* {line}"));
        }
    };
    let started = network.sim().now();
    let mut tries = 0;
    let mut followed;
    let response = loop {
        followed = 0;
        let result = loop {
            let result = exchange(context, network, origin, options, &url).await;
            let Ok(response) = &result else { break result };
            let location = response.header("Location").unwrap_or_default();
            let next = match options.follow && (300..400).contains(&response.status) && followed < 50 {
                true if !location.is_empty() => url.follow(location),
                _ => None,
            };
            let Some(next) = next else { break result };
            if options.include || options.head {
                context.stdout.write(head(response));
            }
            note(format!(
                "Ignoring the response-body\n* Connection #{followed} to host {} left intact",
                url.host
            ));
            url = next;
            note(format!("Issue another request to this URL: '{}'", url.text()));
            followed += 1;
        };
        let transient = match &result {
            Ok(response) => matches!(response.status, 408 | 429 | 500 | 502 | 503 | 504).then_some("HTTP error"),
            Err((_, 28)) => Some("timeout"),
            Err((_, 7)) if options.retry_refused || options.retry_all => Some("connection refused"),
            Err(_) => options.retry_all.then_some("(retrying all errors)"),
        };
        let left = options.retry.saturating_sub(tries);
        let Some(why) = transient.filter(|_| left > 0) else {
            break result;
        };
        // curl waits 1 s, then twice as long each time.
        let wait = match options.retry_delay.filter(|s| *s > 0.0) {
            Some(seconds) => seconds.min(1e6),
            None => f64::from(1 << tries.min(6)),
        };
        if let (true, Err((why, failed))) = (meters, &result) {
            context.stderr.line(format!("\ncurl: ({failed}) {why}"));
        }
        if !options.silent {
            let (s, ies) = (if wait == 1.0 { "" } else { "s" }, if left == 1 { "y" } else { "ies" });
            context.stderr.line(format!(
                "Warning: Problem : {why}. Will retry in {wait:.0} second{s}. {left} retr{ies} left."
            ));
        }
        network.sim().sleep(Duration::from_secs_f64(wait)).await;
        tries += 1;
    };
    let mut streamed = 0;
    let mut failure = None;
    let seconds = || network.sim().now().since(started).as_secs_f64();
    match &response {
        Err((why, failed)) => {
            note(format!("{why}\n* closing connection #0"));
            failure = Some((*failed, why.clone()));
        }
        Ok(response) => {
            let mut out = Vec::new();
            if options.include || options.head {
                out.extend(head(response).bytes());
            }
            let refused = options.fail && response.status >= 400;
            if refused || (options.fail_with_body && response.status >= 400) {
                let why = format!("The requested URL returned error: {}", response.status);
                if refused {
                    note(format!("{why}\n* closing connection #0"));
                }
                failure = Some((22, why));
            }
            let create = |file: &String| match file.as_str() {
                "-" => Some(context.stdout.clone()),
                _ => context.create(file, false).ok(),
            };
            if let Some(sink) = options.dump_header.as_ref().and_then(create) {
                sink.write(head(response));
            }
            if let Some(sink) = options.cookie_jar.as_ref().and_then(create) {
                sink.line(
                    "# Netscape HTTP Cookie File\n# https://curl.se/docs/http-cookies.html\n# This file was generated by \
                     libcurl! Edit at your own risk.\n",
                );
                for (_, cookie) in response
                    .headers
                    .iter()
                    .filter(|(k, _)| k.eq_ignore_ascii_case("set-cookie"))
                {
                    let pair = cookie.split(';').next().unwrap_or_default();
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    sink.line(format!("{}\tFALSE\t/\tFALSE\t0\t{name}\t{value}", url.host));
                }
            }
            let remote = url.path.split('?').next().and_then(|path| path.rsplit('/').next());
            let remote = remote.filter(|_| options.remote_name).map(str::to_owned);
            let sink = match options.output.clone().or(remote) {
                _ if refused => None,
                None => Some(context.stdout.clone()),
                Some(file) => {
                    let sink = create(&file);
                    if sink.is_none() {
                        if !options.silent {
                            let why = match file.as_str() {
                                "" => "curl: Remote file name has no length".to_owned(),
                                _ => format!("Warning: Failed to open the file {file}: No such file or directory"),
                            };
                            context.stderr.line(why);
                        }
                        let body = response.body.len();
                        let why = format!("Failure writing output to destination, passed {body} returned 0");
                        failure = Some((23, why));
                    }
                    sink
                }
            };
            if let Some(sink) = sink {
                if !options.head {
                    if options.verbose && !shown && !response.body.is_empty() {
                        context.stderr.line(format!("{{ [{} bytes data]", response.body.len()));
                    }
                    out.extend_from_slice(&response.body);
                }
                let open = sink.write(&out);
                if open && response.more.is_some() && !options.head {
                    let end = options.max_time.filter(|s| *s > 0.0);
                    let end = end.map(|s| started + Duration::from_secs_f64(s.min(1e6)));
                    let ended = follow(network.sim(), &response.more, end, &sink).await;
                    streamed = ended.length;
                    let millis = network.sim().now().since(started).as_millis();
                    let got = response.body.len() + streamed;
                    failure = match ended.why {
                        Why::End => failure,
                        Why::Unwritten => Some((23, "Failure writing output to destination".to_owned())),
                        Why::TimedOut => Some((
                            28,
                            format!("Operation timed out after {millis} milliseconds with {got} bytes received"),
                        )),
                    };
                }
            }
        }
    }
    let got = response.as_ref().ok();
    let size = got.filter(|_| !options.head).map_or(0, |r| r.body.len() + streamed);
    if meters {
        let length = got.and_then(|r| r.header("Content-Length")?.parse().ok());
        let read = if options.fail && failure.is_some() { 0 } else { size };
        let line = meter(read, length, options.data.len(), seconds());
        context.stderr.write(format!("\r{line}\n"));
    }
    let code = failure.as_ref().map_or(0, |(failed, _)| *failed);
    if let Some((failed, why)) = &failure {
        say(format!("curl: ({failed}) {why}"));
    }
    if code == 0 || (code == 22 && !options.fail) {
        note(format!("Connection #{followed} to host {} left intact", url.host));
    }
    if let Some(format) = &options.write_out {
        let format = match format.strip_prefix('@') {
            Some(file) => read(context, file).unwrap_or_default(),
            None => format.clone(),
        };
        let seconds = seconds();
        let header = |name: &str| got.and_then(|r| r.header(name)).unwrap_or_default().to_owned();
        let remote = options.remote.get().filter(|_| got.is_some());
        let field = |name: &str| -> Option<String> {
            Some(match name {
                "http_code" | "response_code" => format!("{:03}", got.map_or(0, |r| r.status)),
                "size_download" => size.to_string(),
                "speed_download" => format!("{:.0}", if seconds > 0.0 { size as f64 / seconds } else { 0.0 }),
                "url" => text.to_owned(),
                "url_effective" => url.text(),
                "content_type" => header("Content-Type"),
                "redirect_url" => {
                    let next = url
                        .follow(&header("Location"))
                        .filter(|_| !header("Location").is_empty());
                    next.map(|u| u.text()).unwrap_or_default()
                }
                "size_header" => got.map_or(0, |r| head(r).len()).to_string(),
                "remote_ip" => remote.map(|(ip, _)| ip.to_string()).unwrap_or_default(),
                "local_ip" => remote.map(|_| origin.ip.to_string()).unwrap_or_default(),
                "remote_port" => got.map_or(0, |_| url.port).to_string(),
                "num_redirects" => followed.to_string(),
                "num_connects" => (followed + usize::from(got.is_some())).to_string(),
                "http_version" => got.map_or("0", |_| "1.1").to_owned(),
                "scheme" => got.map_or("", |_| &url.scheme).to_owned(),
                "method" => method(options),
                "exitcode" => code.to_string(),
                "errormsg" => failure.as_ref().map(|(_, why)| why.clone()).unwrap_or_default(),
                "time_redirect" | "time_queue" => "0.000000".to_owned(),
                "time_appconnect" if url.scheme == "http" => "0.000000".to_owned(),
                // It came to no connection.
                "time_connect" | "time_appconnect" | "time_pretransfer" | "time_starttransfer"
                    if got.is_none() && matches!(code, 6 | 7 | 28) =>
                {
                    "0.000000".to_owned()
                }
                "time_namelookup" | "time_connect" | "time_appconnect" | "time_pretransfer" => {
                    let named = options
                        .remote
                        .get()
                        .map_or(0.0, |(_, at)| at.since(started).as_secs_f64());
                    // A connection takes one of the two round trips that follow.
                    let connect = if name == "time_namelookup" {
                        0.0
                    } else {
                        (seconds - named) / 2.0
                    };
                    format!("{:.6}", named + connect)
                }
                "time_total" | "time_starttransfer" => format!("{seconds:.6}"),
                _ => return None,
            })
        };
        let (text, unknown) = write_out(&format, field);
        for name in unknown {
            context
                .stderr
                .line(format!("curl: unknown --write-out variable: '{name}'"));
        }
        context.stdout.write(text);
    }
    code
}

/// Fills in `--write-out`'s fields, and says which are unknown.
fn write_out(format: &str, field: impl Fn(&str) -> Option<String>) -> (String, Vec<String>) {
    let format = format.replace("\\n", "\n").replace("\\t", "\t").replace("\\r", "\r");
    let (mut out, mut unknown) = (String::new(), Vec::new());
    let mut rest = format.as_str();
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        if let Some((name, tail)) = after.strip_prefix('{').and_then(|a| a.split_once('}')) {
            match field(name) {
                Some(text) => out.push_str(&text),
                None => unknown.push(name.to_owned()),
            }
            rest = tail;
        } else {
            out.push('%');
            rest = after.strip_prefix('%').unwrap_or(after);
        }
    }
    (out + rest, unknown)
}

/// A response's first line and headers as they stand on the wire.
fn head(response: &HttpResponse) -> String {
    let mut out = format!("HTTP/1.1 {} {}\r\n", response.status, response.reason());
    for (k, v) in &response.headers {
        out.push_str(&format!("{k}: {v}\r\n"));
    }
    out + "\r\n"
}

/// The two lines above the progress meter.
const METER: &str = "  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current
                                 Dload  Upload   Total   Spent    Left  Speed
";

/// The line of the progress meter: bytes read of how many, bytes sent, in how many seconds.
fn meter(read: usize, length: Option<usize>, sent: usize, seconds: f64) -> String {
    let rate = |bytes: usize| match seconds > 0.0 {
        true => (bytes as f64 / seconds) as u64,
        false => 0,
    };
    let short = |n: u64| match n {
        0..100_000 => n.to_string(),
        100_000..10_240_000 => format!("{}k", n >> 10),
        10_240_000..104_857_600 => format!("{}.{}M", n >> 20, (n % (1 << 20)) / 104_858),
        _ => format!("{}M", n >> 20),
    };
    let part = |n: usize, of: usize| (n * 100).checked_div(of).unwrap_or(0);
    let total = length.unwrap_or(read) + sent;
    let time = "--:--:-- --:--:-- --:--:--";
    format!(
        "{:3} {:>5}  {:3} {:>5}  {:3} {:>5}  {:>5}  {:>5} {time} {:>5}",
        part(read + sent, total),
        short(total as u64),
        length.map_or(0, |of| part(read, of)),
        short(read as u64),
        part(sent, sent),
        short(sent as u64),
        short(rate(read)),
        short(rate(sent)),
        short(rate(read + sent)),
    )
}

fn method(options: &Options) -> String {
    match (&options.method, options.head, options.has_data) {
        (Some(m), _, _) => m.clone(),
        (None, true, _) => "HEAD".into(),
        (None, _, true) => "POST".into(),
        _ => "GET".to_owned(),
    }
}

/// The handshake of an HTTPS URL; the error is curl's sentence and exit code.
fn tls(context: &Context, options: &Options, url: &Url) -> Result<Option<Tls>, (String, i32)> {
    if url.scheme != "https" {
        return Ok(None);
    }
    let read = |path: &str| read(context, path);
    let authorities = match options.authorities.as_deref().map(|path| (path, read(path))) {
        Some((path, None)) => {
            let why = format!("error setting certificate verify locations:  CAfile: {path} CApath: none");
            return Err((why, 77));
        }
        other => other.and_then(|(_, text)| text).unwrap_or_default(),
    };
    let certificate = match &options.certificate {
        None => String::new(),
        Some(path) => {
            let (text, key) = (read(path), options.key.as_deref().map_or_else(|| read(path), read));
            let pair = text.zip(key).filter(|(text, key)| check_pair(text, key).is_ok());
            let Some((text, _)) = pair else {
                let why = format!(
                    "could not load PEM client certificate from {path}, OpenSSL error error:80000002:system \
                     library::No such file or directory, (no key found, wrong pass phrase, or wrong file format?)"
                );
                return Err((why, 58));
            };
            text
        }
    };
    Ok(Some(Tls {
        insecure: options.insecure,
        authorities,
        certificate,
    }))
}

/// What curl says of a server that it does not trust.
fn untrusted(why: &str) -> String {
    let problem = match why.starts_with("no alternative") {
        true => "SSL",
        false => "SSL certificate problem",
    };
    format!(
        "{problem}: {why}\nMore details here: https://curl.se/docs/sslcerts.html\n\ncurl failed to verify the legitimacy \
         of the server and therefore could not\nestablish a secure connection to it. To learn more about this situation \
         and\nhow to fix it, please visit the webpage mentioned above."
    )
}

/// One request; the error is curl's sentence and exit code.
async fn exchange(
    context: &Context,
    network: &Network,
    origin: &Origin,
    options: &Options,
    url: &Url,
) -> Result<HttpResponse, (String, i32)> {
    if let Some(response) = super::downloaded(context, &url.text()).await {
        return Ok(response);
    }
    let method = method(options);
    let mut headers: Vec<(String, String)> = vec![
        ("Host".into(), url.authority()),
        ("User-Agent".into(), AGENT.into()),
        ("Accept".into(), "*/*".into()),
    ];
    if options.has_data {
        headers.push(("Content-Length".into(), options.data.len().to_string()));
        headers.push(("Content-Type".into(), "application/x-www-form-urlencoded".into()));
    }
    for (name, value) in &options.headers {
        headers.retain(|(k, _)| !k.eq_ignore_ascii_case(name));
        headers.push((name.clone(), value.clone()));
    }
    let host = headers
        .iter()
        .find(|(k, _)| k.eq_ignore_ascii_case("host"))
        .map(|(_, v)| v.clone())
        .unwrap_or_default();
    let request = HttpRequest {
        method: method.clone(),
        host: host.clone(),
        path: url.path.clone(),
        headers: headers.clone(),
        body: options.data.clone(),
        client: None,
        local: None,
        tls: tls(context, options, url)?,
    };
    let sim = network.sim();
    let started = sim.now();
    let limit = match (options.max_time, options.connect_timeout) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    let note = |line: String| {
        if options.verbose {
            context.stderr.line(line);
        }
    };
    let dial = async {
        let place = format!("{}:{}", url.host, url.port);
        let given = options.resolve.iter().rev().find(|(host, _)| *host == place);
        let ip = match given {
            Some((_, ip)) => *ip,
            None => {
                let ips = network.resolve(origin, &url.host).await?;
                ips.first()
                    .copied()
                    .ok_or_else(|| NetError::NoSuchHost(url.host.clone()))?
            }
        };
        options.remote.set(Some((ip, sim.now())));
        if given.is_some() {
            note(format!(
                "* Added {place}:{ip} to DNS cache\n* Hostname {} was found in DNS cache",
                url.host
            ));
        } else if url.host.parse::<Ipv4Addr>().is_err() {
            note(format!("* Host {place} was resolved.\n* IPv6: (none)\n* IPv4: {ip}"));
        }
        note(format!("*   Trying {ip}:{}...", url.port));
        network.http_to(origin, ip, url.port, request).await
    };
    let result = match limit {
        Some(seconds) if seconds > 0.0 => timeout(sim, Duration::from_secs_f64(seconds.min(1e6)), dial).await,
        _ => Some(dial.await),
    };
    let millis = sim.now().since(started).as_millis();
    let failed = |why: &str| {
        format!(
            "Failed to connect to {} port {} after {millis} ms: {why}",
            url.host, url.port
        )
    };
    if let Some((ip, _)) = options.remote.get() {
        use NetError::{BadAnswer, Closed, Plain, Untrusted};
        match &result {
            Some(Ok(_) | Err(Closed | BadAnswer(_) | Plain | Untrusted(_))) => {
                let mut text = format!(
                    "* Connected to {} ({ip}) port {}\n* using HTTP/1.x\n> {method} {} HTTP/1.1\r\n",
                    url.host, url.port, url.path
                );
                for (k, v) in &headers {
                    text.push_str(&format!("> {k}: {v}\r\n"));
                }
                note(text + "> \r");
                match options.data.len() {
                    n if n > 0 => note(format!("}} [{n} bytes data]\n* upload completely sent off: {n} bytes")),
                    _ => note("* Request completely sent off".to_owned()),
                }
            }
            Some(Err(NetError::Refused)) => note(format!(
                "* connect to {ip} port {} from {} port {} failed: Connection refused",
                url.port,
                if ip.is_loopback() { ip } else { origin.ip },
                // A port of those that a kernel gives to clients.
                32_768 + sim.now().since(Time::default()).as_millis() % 28_232
            )),
            _ => {}
        }
    }
    match result {
        None => Err((format!("Connection timed out after {millis} milliseconds"), 28)),
        Some(Ok(response)) => {
            let lines = head(&response);
            note(format!("< {}", lines.trim_end_matches('\n').replace('\n', "\n< ")));
            Ok(response)
        }
        Some(Err(NetError::NoSuchHost(host))) => Err((format!("Could not resolve host: {host}"), 6)),
        Some(Err(NetError::TimedOut)) => Err((failed("Could not connect to server"), 28)),
        Some(Err(NetError::Closed)) => Err(("Empty reply from server".into(), 52)),
        Some(Err(NetError::Untrusted(why))) => Err((untrusted(&why), 60)),
        Some(Err(NetError::BadAnswer(_) | NetError::Plain)) if url.scheme == "https" => Err((
            "TLS connect error: error:0A00010B:SSL routines::wrong version number".into(),
            35,
        )),
        Some(Err(NetError::BadAnswer(_))) => Err(("Received HTTP/0.9 when not allowed".into(), 1)),
        Some(Err(_)) => Err((failed("Could not connect to server"), 7)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_meter_and_write_out_are_curls() {
        // As curl 7.88.1 wrote them.
        assert_eq!(
            meter(335, Some(335), 0, 0.015309),
            "100   335  100   335    0     0  21882      0 --:--:-- --:--:-- --:--:-- 21882"
        );
        assert_eq!(
            meter(0, Some(335), 0, 0.0),
            "  0   335    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0"
        );
        let (text, unknown) = write_out("%{http_code} %{nope}|%%|%d\\n", |name| {
            (name == "http_code").then(|| "200".to_owned())
        });
        assert_eq!((text.as_str(), unknown), ("200 |%|%d\n", vec!["nope".to_owned()]));
    }
}
