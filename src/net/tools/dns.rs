//! What asks the cluster's DNS: `nslookup` as busybox up to 1.28, as busybox since and as BIND print it, `dig` and `host`.

use core::net::Ipv4Addr;
use std::time::Duration;

use super::super::dns::{DOMAIN, Question, Record, Zone};
use super::super::{Network, Origin, proxy};
use crate::shell::{Context, Output};
use crate::sim::timeout;

const UNREACHED: &str = ";; connection timed out; no servers could be reached";

/// How long a server is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// What CoreDNS answers of its schema's version, and its own name.
const VERSION: &str = "\"1.1.0\"";
const SERVER: &str = "ns.dns.cluster.local";

/// The types that can be asked for; of others no name has a record.
fn question(kind: &str) -> Question {
    match kind.to_ascii_lowercase().as_str() {
        "a" => Question::A,
        "aaaa" => Question::Aaaa,
        "cname" => Question::Cname,
        "srv" => Question::Srv,
        "ptr" => Question::Ptr,
        "txt" => Question::Txt,
        "ns" => Question::Ns,
        _ => Question::Other,
    }
}

/// The name under which an address is asked back.
fn reversed(ip: Ipv4Addr) -> String {
    let [a, b, c, d] = ip.octets();
    format!("{d}.{c}.{b}.{a}.in-addr.arpa")
}

/// A server that was reached, and who asks it.
struct Asked<'a> {
    zone: &'a Zone,
    server: String,
    search: Option<&'a str>,
}

impl Asked<'_> {
    /// The answer to the first of the names that a resolver tries which is there, and that name.
    fn search(&self, name: &str, question: Question) -> (String, Option<Vec<(String, Record)>>) {
        let mut last = (name.to_owned(), None);
        for full in Zone::candidates(name, self.search) {
            let answer = self.zone.ask(&full, question);
            let found = answer.as_ref().is_some_and(|a| !a.is_empty());
            if found || (answer.is_some() && last.1.is_none()) {
                last = (full, answer);
            }
            if found {
                break;
            }
        }
        last
    }
}

/// Reaches the server that is given, else the one of `resolv.conf`; `None` when it does not answer.
async fn reach<'a>(network: &'a Network, origin: &'a Origin, server: Option<&str>, name: &str) -> Option<Asked<'a>> {
    let usual = proxy::DNS_SERVICE.to_string();
    let search = origin.search.as_deref();
    let server = match server {
        Some(given) if given != usual => {
            let ips = network.resolve(origin, given).await.ok()?;
            let probe = network.probe(origin, *ips.first()?, 53);
            timeout(network.sim(), PATIENCE, probe).await?.ok()?;
            given.to_owned()
        }
        _ if search.is_none() && server.is_none() => return None,
        _ => {
            network.query_dns(origin, name).await.ok()?;
            usual
        }
    };
    Some(Asked {
        zone: network.zone(),
        server,
        search,
    })
}

/// The name that is the first of the words, and the server, which is the second, reached; else the usage or the failure
/// is told where it belongs.
async fn begin<'a>(
    network: &'a Network,
    origin: &'a Origin,
    words: &[&'a str],
    usage: (&Output, &str),
    unreached: (&Output, &str),
) -> Option<(&'a str, Asked<'a>)> {
    let tell = |(output, text): (&Output, &str)| output.line(text);
    let Some(name) = words.first().copied() else {
        tell(usage);
        return None;
    };
    let asked = reach(network, origin, words.get(1).copied(), name).await;
    if asked.is_none() {
        tell(unreached);
    }
    Some((name, asked?))
}

/// The words that are no options, and the type that the options name.
fn words(context: &Context) -> (Vec<&str>, Option<Question>) {
    let mut kind = None;
    let mut plain = Vec::new();
    for word in context.rest() {
        match word.strip_prefix('-') {
            Some(option) => {
                if let Some((name, value)) = option.split_once('=')
                    && ["type", "query", "querytype", "q", "ty"].contains(&name)
                {
                    kind = Some(question(value));
                }
            }
            None => plain.push(word.as_str()),
        }
    }
    (plain, kind)
}

/// A record as `nslookup` prints it. Full names end with BIND's dot, busybox leaves it out.
fn looked_up(name: &str, record: &Record, dot: &str) -> String {
    match record {
        Record::A(ip) => format!("Name:\t{name}\nAddress: {ip}"),
        Record::Cname(other) => format!("{name}\tcanonical name = {other}{dot}"),
        Record::Ptr(other) => format!("{name}\tname = {other}{dot}"),
        Record::Version => format!("{name}\ttext = {VERSION}"),
        Record::Server => format!("{name}\tnameserver = {SERVER}{dot}"),
        Record::Srv(priority, weight, port, target) => {
            format!("{name}\tservice = {priority} {weight} {port} {target}{dot}")
        }
    }
}

/// `nslookup` of busybox up to 1.28, which Kubernetes' tutorials use.
pub(super) async fn nslookup_old(context: Context, network: Network, origin: Origin) -> i32 {
    let (plain, _) = words(&context);
    let usage = (&context.stderr, "Usage: nslookup [HOST] [SERVER]");
    let Some((name, asked)) = begin(&network, &origin, &plain, usage, (&context.stderr, UNREACHED)).await else {
        return 1;
    };
    let address = |number: usize, ip: Ipv4Addr| {
        let of = asked.zone.reverse(ip).map(|n| format!(" {n}")).unwrap_or_default();
        context.stdout.line(format!("Address {number}: {ip}{of}"));
    };
    context.stdout.line(format!("Server:    {}", asked.server));
    if let Ok(ip) = asked.server.parse() {
        address(1, ip);
    }
    context.stdout.line("");
    let ips = match name.parse::<Ipv4Addr>() {
        Ok(ip) => vec![ip],
        Err(_) => asked.zone.lookup(name, asked.search),
    };
    if ips.is_empty() {
        context.stderr.line(format!("nslookup: can't resolve '{name}'"));
        return 1;
    }
    context.stdout.line(format!("Name:      {name}"));
    for (i, ip) in ips.into_iter().enumerate() {
        address(i + 1, ip);
    }
    0
}

/// `nslookup` of busybox since 1.29: a name without dots is asked for in every domain of the search path, one with dots
/// as it stands, each for IPv4 and IPv6. It goes well when a name is found.
pub(super) async fn nslookup_busybox(context: Context, network: Network, origin: Origin) -> i32 {
    let (plain, kind) = words(&context);
    let out = &context.stdout;
    let usage = "Usage: nslookup [-type=QUERY_TYPE] [-debug] HOST [DNS_SERVER]";
    let unreached = format!("{UNREACHED}\n");
    let usage = (&context.stderr, usage);
    let Some((name, asked)) = begin(&network, &origin, &plain, usage, (out, &unreached)).await else {
        return 1;
    };
    out.line(format!("Server:\t\t{0}\nAddress:\t{0}:53\n", asked.server));
    let mut names = Zone::candidates(name, asked.search);
    if name.contains('.') {
        names = vec![name.trim_end_matches('.').to_owned()];
    } else if names.len() > 1 {
        names.pop();
    }
    let mut kinds = vec![Question::A, Question::Aaaa];
    if let Ok(ip) = name.parse::<Ipv4Addr>() {
        names = vec![reversed(ip)];
        kinds = vec![Question::Ptr];
    }
    if let Some(kind) = kind {
        kinds = vec![kind];
    }
    let mut known = false;
    for kind in kinds {
        for full in &names {
            match asked.zone.ask(full, kind) {
                Some(records) => {
                    known = true;
                    for (name, record) in &records {
                        out.line(looked_up(name, record, ""));
                    }
                }
                None => {
                    out.line(format!("** server can't find {full}: NXDOMAIN"));
                }
            }
            out.line("");
        }
    }
    i32::from(!known)
}

/// `nslookup` of BIND's tools.
pub(super) async fn nslookup(context: Context, network: Network, origin: Origin) -> i32 {
    let (plain, kind) = words(&context);
    let out = &context.stdout;
    let usage = "nslookup: an interactive session is not simulated; give a name";
    let unreached = format!("{UNREACHED}\n");
    let usage = (&context.stderr, usage);
    let Some((name, asked)) = begin(&network, &origin, &plain, usage, (out, &unreached)).await else {
        return 1;
    };
    let address = name.parse::<Ipv4Addr>().ok();
    let ((full, answer), kind) = match address {
        Some(ip) => {
            let full = reversed(ip);
            let answer = asked.zone.ask(&full, Question::Ptr);
            ((full, answer), Question::Ptr)
        }
        None => {
            out.line(format!("Server:\t\t{0}\nAddress:\t{0}#53\n", asked.server));
            let kind = kind.unwrap_or(Question::A);
            (asked.search(name, kind), kind)
        }
    };
    let Some(records) = answer else {
        out.line(format!("** server can't find {full}: NXDOMAIN\n"));
        return 1;
    };
    for (name, record) in &records {
        out.line(looked_up(name, record, "."));
    }
    match records.last() {
        None => {
            out.line(format!("*** Can't find {name}: No answer"));
        }
        Some((_, Record::Cname(other))) if kind != Question::Cname => {
            out.line(format!("** server can't find {other}: NXDOMAIN\n"));
            return 1;
        }
        _ => {}
    }
    out.line("");
    0
}

/// `host`.
pub(super) async fn host(context: Context, network: Network, origin: Origin) -> i32 {
    let (mut plain, mut kind) = (Vec::new(), Question::A);
    let mut rest = context.rest().iter();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "-t" => kind = rest.next().map_or(kind, |k| question(k)),
            w if w.starts_with('-') => {}
            w => plain.push(w),
        }
    }
    let out = &context.stdout;
    let usage = "Usage: host [-aCdilrTvVw] [-c class] [-N ndots] [-t type] [-W time]";
    let Some((name, asked)) = begin(&network, &origin, &plain, (out, usage), (out, UNREACHED)).await else {
        return 1;
    };
    let (full, answer) = match name.parse::<Ipv4Addr>() {
        Ok(ip) => (reversed(ip), asked.zone.ask(&reversed(ip), Question::Ptr)),
        Err(_) => asked.search(name, kind),
    };
    let Some(records) = answer else {
        out.line(format!("Host {full} not found: 3(NXDOMAIN)"));
        return 1;
    };
    for (name, record) in &records {
        out.line(match record {
            Record::A(ip) => format!("{name} has address {ip}"),
            Record::Cname(other) => format!("{name} is an alias for {other}."),
            Record::Ptr(other) => format!("{name} domain name pointer {other}."),
            Record::Version => format!("{name} descriptive text {VERSION}"),
            Record::Server => format!("{name} name server {SERVER}."),
            Record::Srv(priority, weight, port, target) => {
                format!("{name} has SRV record {priority} {weight} {port} {target}.")
            }
        });
    }
    0
}

/// A record's type, its data as text, and how many bytes that takes in a message.
fn parts(record: &Record) -> (&'static str, String, usize) {
    let named = |kind, other: &str| (kind, format!("{other}."), other.len() + 2);
    match record {
        Record::A(ip) => ("A", ip.to_string(), 4),
        Record::Cname(other) => named("CNAME", other),
        Record::Ptr(other) => named("PTR", other),
        Record::Version => ("TXT", VERSION.to_owned(), 6),
        Record::Server => named("NS", SERVER),
        Record::Srv(priority, weight, port, target) => {
            let (_, target, size) = named("", target);
            ("SRV", format!("{priority} {weight} {port} {target}"), size + 6)
        }
    }
}

/// Words at columns, by tabs, or after a blank where a column has passed: as BIND lays out a record.
fn at_columns(words: &[(&str, usize)]) -> String {
    let (mut line, mut at) = (String::new(), 0);
    for (word, column) in words {
        let column = if line.is_empty() { 0 } else { (*column).max(at + 1) };
        let tabs = column / 8 - at / 8;
        line.push_str(&"\t".repeat(tabs));
        let from = if tabs > 0 { column / 8 * 8 } else { at };
        line.push_str(&" ".repeat(column - from));
        line.push_str(word);
        at = column + word.len();
    }
    line
}

/// `dig`.
pub(super) async fn dig(context: Context, network: Network, origin: Origin) -> i32 {
    let (mut name, mut kind, mut server) = (None, "A".to_owned(), None);
    let (mut short, mut search, mut answer_only) = (false, false, false);
    let mut rest = context.rest().iter();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "+short" => short = true,
            "+search" => search = true,
            "+noall" => answer_only = true,
            "-t" => kind = rest.next().map_or(kind, |k| k.to_ascii_uppercase()),
            "-x" => {
                let ip = rest.next().and_then(|ip| ip.parse().ok());
                name = ip.map(reversed);
                "PTR".clone_into(&mut kind);
            }
            w if w.starts_with('@') => server = w.get(1..),
            w if w.starts_with(['-', '+']) => {}
            w if question(w) != Question::Other => kind = w.to_ascii_uppercase(),
            "MX" | "NS" | "TXT" | "SOA" | "ANY" | "mx" | "ns" | "txt" | "soa" | "any" => {
                kind = word.to_ascii_uppercase()
            }
            w => name = Some(w.to_owned()),
        }
    }
    let out = &context.stdout;
    let name = name.unwrap_or_default();
    let banner = format!("\n; <<>> DiG 9.18.41 <<>> {}", context.rest().join(" "));
    let full_answer = !short && !answer_only;
    if full_answer {
        out.line(format!("{banner}\n;; global options: +cmd"));
    }
    let Some(asked) = reach(&network, &origin, server, &name).await else {
        out.line(UNREACHED);
        return 9;
    };
    let (full, answer) = match search {
        true => asked.search(&name, question(&kind)),
        false => (
            name.trim_end_matches('.').to_owned(),
            asked.zone.ask(&name, question(&kind)),
        ),
    };
    let records = answer.as_deref().unwrap_or_default();
    let texts: Vec<_> = records.iter().map(|(name, record)| (name, parts(record))).collect();
    if short {
        for (_, (_, data, _)) in &texts {
            out.line(data);
        }
        return 0;
    }
    let row = |name: &str, kind: &str, data: &str| {
        at_columns(&[(&format!("{name}."), 0), ("30", 24), ("IN", 32), (kind, 40), (data, 48)])
    };
    let lines = texts
        .iter()
        .map(|(name, (kind, data, _))| row(name, kind, data))
        .collect::<Vec<String>>()
        .join("\n");
    if answer_only {
        if !lines.is_empty() {
            out.line(lines);
        }
        return 0;
    }
    let now = network.sim().now();
    out.line(";; Got answer:");
    if full.ends_with(".local") {
        out.line(";; WARNING: .local is reserved for Multicast DNS");
        out.line(";; You are currently testing what happens when an mDNS query is leaked to DNS");
    }
    // The addresses of the names that SRV records lead to come with them.
    let targets = records.iter().filter_map(|(_, record)| match record {
        Record::Srv(_, _, _, target) => Some(target.trim_end_matches('.')),
        _ => None,
    });
    let extra: Vec<(String, Record)> = targets
        .flat_map(|target| asked.zone.ask(target, Question::A).unwrap_or_default())
        .collect();
    let status = if answer.is_some() { "NOERROR" } else { "NXDOMAIN" };
    out.line(format!(
        ";; ->>HEADER<<- opcode: QUERY, status: {status}, id: {}",
        now.0 % 65_536
    ));
    // Where there is no answer, the zone's own record says so.
    let authority = usize::from(records.is_empty());
    out.line(format!(
        ";; flags: qr aa rd; QUERY: 1, ANSWER: {}, AUTHORITY: {authority}, ADDITIONAL: {}",
        records.len(),
        extra.len() + 1
    ));
    out.line(";; WARNING: recursion requested but not available\n");
    out.line(";; OPT PSEUDOSECTION:\n; EDNS: version: 0, flags:; udp: 1232");
    out.line(format!("; COOKIE: {:016x} (echoed)", now.0));
    out.line(";; QUESTION SECTION:");
    out.line(at_columns(&[(&format!(";{full}."), 0), ("IN", 32), (&kind, 40)]));
    out.line("");
    // The header, the question, and the pseudosection with its cookie.
    let mut size = 12 + (full.len() + 6) + 23;
    if authority == 0 {
        size += texts
            .iter()
            .map(|(name, (_, _, data))| name.len() + 12 + data)
            .sum::<usize>();
        out.line(format!(";; ANSWER SECTION:\n{lines}\n"));
    } else {
        let soa = format!(
            "ns.dns.{DOMAIN}. hostmaster.{DOMAIN}. {} 7200 1800 86400 30",
            now.0 / 1_000_000
        );
        size += DOMAIN.len() + 12 + 63;
        out.line(format!(";; AUTHORITY SECTION:\n{}\n", row(DOMAIN, "SOA", &soa)));
    }
    if !extra.is_empty() {
        out.line(";; ADDITIONAL SECTION:");
        for (name, record) in &extra {
            let (kind, data, bytes) = parts(record);
            size += name.len() + 12 + bytes;
            out.line(row(name, kind, &data));
        }
        out.line("");
    }
    out.line(";; Query time: 0 msec");
    out.line(format!(";; SERVER: {0}#53({0}) (UDP)", asked.server));
    let text = now.rfc1123();
    if let [weekday, day, month, year, time, ..] = text.split(' ').collect::<Vec<_>>().as_slice() {
        let weekday = weekday.trim_end_matches(',');
        out.line(format!(";; WHEN: {weekday} {month} {day} {time} UTC {year}"));
    }
    out.line(format!(";; MSG SIZE  rcvd: {size}\n"));
    0
}
