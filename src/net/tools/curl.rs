//! `curl`: HTTP from the command line, with curl's own options and sentences.

use std::time::Duration;

use super::super::{HttpRequest, HttpResponse, NetError, Network, Origin, Tls, Url};
use super::follow::{Why, follow};
use crate::api::auth::certificate::check_pair;
use crate::shell::Context;
use crate::sim::timeout;
use crate::value::float;

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
    if options.urls.is_empty() {
        return Err((2, "curl: (2) no URL specified".into()));
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
        // The others change nothing in a simulated network.
        _ => {}
    }
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
            if o.has_data {
                o.data.push(b'&');
            }
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
            o.has_data = true;
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
            context.stderr.line(why);
            context.stderr.line("curl: try 'curl --help' for more information");
            return code;
        }
    };
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
    let mut url = match Url::parse(text) {
        Ok(url) => url,
        Err(why) => {
            let code = if why.starts_with("Protocol") { 1 } else { 3 };
            say(format!("curl: ({code}) {why}"));
            return code;
        }
    };
    let started = network.sim().now();
    let mut tries = 0;
    let response = loop {
        let mut redirects = 0;
        let result = loop {
            let result = exchange(context, network, origin, options, &url).await;
            let Ok(response) = &result else { break result };
            let location = response.header("Location").map(str::to_owned);
            match location {
                Some(to) if options.follow && (300..400).contains(&response.status) && redirects < 50 => {
                    redirects += 1;
                    match url.follow(&to) {
                        Some(next) => url = next,
                        None => break result,
                    }
                }
                _ => break result,
            }
        };
        let transient = matches!(&result, Err((_, 7 | 28)));
        if transient && tries < options.retry {
            // curl waits 1 s, then twice as long each time.
            network.sim().sleep(Duration::from_secs(1 << tries.min(6))).await;
            tries += 1;
            continue;
        }
        break result;
    };
    let mut code = 0;
    let mut streamed = 0;
    match &response {
        Err((why, failed)) => {
            say(format!("curl: ({failed}) {why}"));
            code = *failed;
        }
        Ok(response) => {
            if options.fail && response.status >= 400 {
                say(format!(
                    "curl: (22) The requested URL returned error: {}",
                    response.status
                ));
                code = 22;
            } else {
                let mut out = Vec::new();
                if options.include || options.head {
                    out.extend_from_slice(format!("HTTP/1.1 {} {}\r\n", response.status, response.reason()).as_bytes());
                    for (k, v) in &response.headers {
                        out.extend_from_slice(format!("{k}: {v}\r\n").as_bytes());
                    }
                    out.extend_from_slice(b"\r\n");
                }
                if !options.head {
                    out.extend_from_slice(&response.body);
                }
                let remote = url
                    .path
                    .rsplit('/')
                    .next()
                    .unwrap_or("")
                    .split('?')
                    .next()
                    .unwrap_or("")
                    .to_owned();
                let file = options.output.clone().or_else(|| options.remote_name.then_some(remote));
                let sink = match file.filter(|f| f != "-") {
                    None => Some(context.stdout.clone()),
                    Some(file) => {
                        let sink = context.create(&file, false).ok();
                        if sink.is_none() {
                            say(format!(
                                "curl: (23) Failed to open the file {file}: No such file or directory"
                            ));
                            code = 23;
                        }
                        sink
                    }
                };
                if let Some(sink) = sink {
                    let open = sink.write(&out);
                    if open && response.more.is_some() {
                        let end = options.max_time.filter(|s| *s > 0.0);
                        let end = end.map(|s| started + Duration::from_secs_f64(s.min(1e6)));
                        let ended = follow(network.sim(), &response.more, end, &sink).await;
                        streamed = ended.length;
                        code = match ended.why {
                            Why::End => 0,
                            Why::Unwritten => 23,
                            Why::TimedOut => 28,
                        };
                        let millis = network.sim().now().since(started).as_millis();
                        let got = response.body.len() + streamed;
                        match code {
                            28 => say(format!(
                                "curl: (28) Operation timed out after {millis} milliseconds with {got} bytes received"
                            )),
                            23 => say("curl: (23) Failure writing output to destination".into()),
                            _ => {}
                        }
                    }
                }
            }
        }
    }
    if let Some(format) = &options.write_out {
        let seconds = network.sim().now().since(started).as_secs_f64();
        let (status, size) = response
            .as_ref()
            .map_or((0, 0), |r| (r.status, r.body.len() + streamed));
        let kind = response
            .as_ref()
            .ok()
            .and_then(|r| r.header("Content-Type"))
            .unwrap_or("");
        let format = format.replace("%{content_type}", kind);
        context.stdout.write(write_out(&format, status, size, seconds, text));
    }
    code
}

fn write_out(format: &str, status: u16, size: usize, seconds: f64, url: &str) -> String {
    let time = format!("{seconds:.6}");
    format
        .replace("%{http_code}", &format!("{status:03}"))
        .replace("%{response_code}", &format!("{status:03}"))
        .replace("%{size_download}", &size.to_string())
        .replace("%{time_total}", &time)
        .replace("%{time_connect}", &time)
        .replace("%{url_effective}", url)
        .replace("\\n", "\n")
        .replace("\\t", "\t")
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
    let address = format!("{}://{}{}", url.scheme, url.authority(), url.path);
    if let Some(response) = super::downloaded(context, &address).await {
        return Ok(response);
    }
    let method = match (&options.method, options.head, options.has_data) {
        (Some(m), _, _) => m.clone(),
        (None, true, _) => "HEAD".into(),
        (None, _, true) => "POST".into(),
        _ => "GET".to_owned(),
    };
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
    let dial = async {
        let ips = network.resolve(origin, &url.host).await?;
        let Some(ip) = ips.first().copied() else {
            return Err(NetError::NoSuchHost(url.host.clone()));
        };
        if options.verbose {
            context.stderr.line(format!("*   Trying {ip}:{}...", url.port));
            context
                .stderr
                .line(format!("* Connected to {} ({ip}) port {}", url.host, url.port));
            context.stderr.line(format!("> {method} {} HTTP/1.1", url.path));
            for (k, v) in &headers {
                context.stderr.line(format!("> {k}: {v}"));
            }
            context.stderr.line("> ");
        }
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
    match result {
        None => Err((format!("Connection timed out after {millis} milliseconds"), 28)),
        Some(Ok(response)) => {
            if options.verbose {
                context
                    .stderr
                    .line(format!("< HTTP/1.1 {} {}", response.status, response.reason()));
                for (k, v) in &response.headers {
                    context.stderr.line(format!("< {k}: {v}"));
                }
                context.stderr.line("< ");
            }
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
