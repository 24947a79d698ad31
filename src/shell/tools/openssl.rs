//! `openssl`: keys, requests and certificates, in the forms of OpenSSL 3.0. What else the real one does
//! says that it is not simulated.

use std::num::IntErrorKind;
use std::time::Duration;

use super::super::host::Context;
use super::date::strftime;
use super::hash;
use crate::flat::FlatMap;
use crate::pki::authority::CERTIFICATE;
use crate::pki::x509::{self, Extension, Template, attribute, extension};
use crate::pki::{Certificate, Error, Name, Names, PrivateKey, PublicKey, Random, Request, der, ec, pem};
use crate::sim::Time;
use crate::value::{base64, hex};

const VERSION: &str = "OpenSSL 3.0.13 30 Jan 2024 (Library: OpenSSL 3.0.13 30 Jan 2024)";
const REQUEST: &str = "CERTIFICATE REQUEST";
/// The longest RSA key that is made: its primes take some seconds to find in a browser.
const RSA_BITS: usize = 4096;
/// Characters of a line of base64.
const LINE: usize = 64;

/// What a command says before it fails.
type Failure = String;

/// A command's options: `-name` and `-name value`, and the other words.
struct Args<'a> {
    c: &'a Context,
    given: Vec<(String, String)>,
    rest: Vec<String>,
}

impl<'a> Args<'a> {
    /// Reads the words after the command; `values` are the options that take a value, `plain` the others, and
    /// `missing` those that the real one has besides and that would change what it does.
    fn read(c: &'a Context, command: &str, values: &str, plain: &str, missing: &str) -> Result<Args<'a>, Failure> {
        let is = |list: &str, name: &str| list.split(' ').any(|n| n == name);
        let mut args = Args {
            c,
            given: Vec::new(),
            rest: Vec::new(),
        };
        let mut words = c.rest().iter().skip(1);
        while let Some(word) = words.next() {
            let name = word.strip_prefix("--").or_else(|| word.strip_prefix('-'));
            match name {
                Some(name) if is(values, name) => {
                    let value = words
                        .next()
                        .ok_or_else(|| format!("{command}: Option -{name} needs a value\n{}", usage(command)))?;
                    let only = match name {
                        "inform" | "outform" => "PEM",
                        "param_enc" => "named_curve",
                        _ => value,
                    };
                    if !value.eq_ignore_ascii_case(only) {
                        return Err(format!("{command}: -{name} {value} is not simulated"));
                    }
                    args.given.push((name.to_owned(), value.clone()));
                }
                Some(name) if is(plain, name) => args.given.push((name.to_owned(), String::new())),
                Some(name) if is(missing, name) => {
                    return Err(format!("{command}: -{name} is not simulated"));
                }
                Some(name) if !name.is_empty() => {
                    return Err(format!("{command}: Unknown option: -{name}\n{}", usage(command)));
                }
                _ => args.rest.push(word.clone()),
            }
        }
        Ok(args)
    }

    fn has(&self, name: &str) -> bool {
        self.given.iter().any(|(n, _)| n == name)
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.given
            .iter()
            .rev()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    fn values<'b>(&'b self, name: &'b str) -> impl Iterator<Item = &'b str> {
        self.given
            .iter()
            .filter(move |(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// The text of `-in`, or of the standard input.
    async fn input(&self, what: &str) -> Result<String, Failure> {
        match self.value("in") {
            Some(path) => self.file(path, what),
            None => {
                let bytes = self.c.stdin.read_all().await;
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            }
        }
    }

    fn file(&self, path: &str, what: &str) -> Result<String, Failure> {
        self.c.files.read_text(&self.c.path(path)).map_err(|e| {
            format!("Could not open file or uri for loading {what} from {path}\ncalling stat({path}): {e}")
        })
    }

    /// Writes to the file that an option names, or to the standard output.
    fn output(&self, option: &str, text: &str) -> Result<(), Failure> {
        let Some(path) = self.value(option) else {
            self.c.stdout.write(text);
            return Ok(());
        };
        let file = self.c.path(path);
        let fail = |e: &dyn std::fmt::Display| format!("Can't open \"{path}\" for writing, {e}");
        self.c.files.write(&file, text).map_err(|e| fail(&e))?;
        if text.contains("PRIVATE KEY") {
            // A key is for its owner.
            self.c.files.set_mode(&file, 0o600).map_err(|e| fail(&e))?;
        }
        Ok(())
    }

    fn private_key(&self, path: &str) -> Result<PrivateKey, Failure> {
        parse_key(&self.file(path, "private key")?, path)
    }

    fn days(&self) -> Result<Duration, Failure> {
        let days = self.value("days").unwrap_or("30");
        let count: u64 = days
            .parse()
            .map_err(|_| format!("Can't parse \"{days}\" as a number"))?;
        Ok(Duration::from_secs(count.min(36_500) * 24 * 60 * 60))
    }

    fn random(&self) -> Random {
        let seed = self.c.sim.rng(|r| [r.u64(..).to_le_bytes(), r.u64(..).to_le_bytes()]);
        Random::new(seed.concat())
    }
}

fn usage(command: &str) -> String {
    format!("{command}: Use -help for summary.")
}

fn parse_key(text: &str, path: &str) -> Result<PrivateKey, Failure> {
    match PrivateKey::from_pem(text) {
        Some(Ok(key)) => Ok(key),
        _ => Err(format!("Could not read private key from {path}")),
    }
}

fn parse_certificate(text: &str, path: &str) -> Result<Certificate, Failure> {
    let read = pem::first(text, CERTIFICATE).ok_or(Error::Truncated);
    read.and_then(|bytes| Certificate::from_der(&bytes))
        .map_err(|_| format!("Could not read certificate from {path}\nUnable to load certificate"))
}

fn parse_request(text: &str) -> Result<Request, Failure> {
    let bytes = pem::first(text, REQUEST).or_else(|| pem::first(text, "NEW CERTIFICATE REQUEST"));
    bytes
        .ok_or(Error::Truncated)
        .and_then(|bytes| Request::from_der(&bytes))
        .map_err(|_| "Unable to load X509 request".to_owned())
}

pub(super) async fn openssl(c: Context) -> i32 {
    let command = c.rest().first().cloned().unwrap_or_default();
    let done = match command.as_str() {
        "version" => {
            c.stdout.line(VERSION);
            Ok(())
        }
        "genrsa" => generate_rsa(&c),
        "genpkey" => generate_any(&c),
        "ecparam" => curve(&c),
        "rsa" | "ec" | "pkey" => key(&c, &command).await,
        "req" => request(&c).await,
        "x509" => certificate(&c).await,
        "verify" => return verify(&c),
        "rand" => random(&c),
        "base64" => convert_base64(&c).await,
        "" | "help" => {
            c.stdout.line("help:\n");
            c.stdout.line("Commands that are simulated here");
            c.stdout.line(
                "base64            ec                ecparam           genpkey           \n\
                 genrsa            pkey              rand              req               \n\
                 rsa               verify            version           x509              ",
            );
            Ok(())
        }
        "asn1parse" | "ca" | "ciphers" | "cms" | "crl" | "dgst" | "dhparam" | "dsa" | "enc" | "passwd" | "pkcs12"
        | "pkcs7" | "pkcs8" | "pkeyutl" | "s_client" | "s_server" | "speed" => {
            Err(format!("openssl {command} is not simulated"))
        }
        _ => Err(format!("Invalid command '{command}'; type \"help\" for a list.")),
    };
    match done {
        Ok(()) => 0,
        Err(why) => {
            c.stderr.line(why);
            1
        }
    }
}

fn rsa_key(bits: &str, random: &mut Random) -> Result<PrivateKey, Failure> {
    match bits.parse::<usize>() {
        Ok(bits) if bits < 512 => Err("Error generating RSA key\nkey size too small".into()),
        Ok(bits) if bits > RSA_BITS => Err(format!("RSA keys of more than {RSA_BITS} bits are not simulated")),
        Ok(bits) => Ok(PrivateKey::rsa(bits, random)),
        Err(_) => Err(format!("genrsa: Can't parse \"{bits}\" as a number")),
    }
}

fn named_curve(name: &str) -> Result<&'static ec::Curve, Failure> {
    ec::Curve::named(name).ok_or_else(|| {
        let known: Vec<&str> = ec::CURVES.iter().map(|c| c.name).collect();
        format!(
            "unknown curve name ({name}): those that are simulated are {}",
            known.join(", ")
        )
    })
}

fn generate_rsa(c: &Context) -> Result<(), Failure> {
    let args = Args::read(c, "genrsa", "out rand", "traditional verbose quiet f4", "3")?;
    let bits = args.rest.first().map_or("2048", String::as_str);
    let key = rsa_key(bits, &mut args.random())?;
    let text = if args.has("traditional") {
        key.to_traditional_pem()
    } else {
        key.to_pem()
    };
    args.output("out", &text)
}

fn generate_any(c: &Context) -> Result<(), Failure> {
    let args = Args::read(c, "genpkey", "out algorithm pkeyopt outform", "quiet", "")?;
    let option = |name: &str| {
        let mut pairs = args.values("pkeyopt").filter_map(|o| o.split_once(':'));
        pairs.find(|(n, _)| *n == name).map(|(_, v)| v.to_owned())
    };
    let mut random = args.random();
    let key = match args.value("algorithm").map(str::to_ascii_uppercase).as_deref() {
        Some("RSA") => rsa_key(option("rsa_keygen_bits").as_deref().unwrap_or("2048"), &mut random)?,
        Some("EC") => {
            let name = option("ec_paramgen_curve").ok_or("genpkey: Error generating EC key\nno parameters set")?;
            PrivateKey::Ec(ec::Private::generate(named_curve(&name)?, &mut random))
        }
        Some(other) => return Err(format!("keys of the algorithm {other} are not simulated")),
        None => return Err(usage("genpkey")),
    };
    args.output("out", &key.to_pem())
}

fn curve(c: &Context) -> Result<(), Failure> {
    let args = Args::read(c, "ecparam", "out name param_enc", "genkey noout list_curves", "")?;
    if args.has("list_curves") {
        for curve in &ec::CURVES {
            c.stdout.line(format!("  {:<10}: {} curve", curve.name, curve.nist));
        }
        return Ok(());
    }
    let name = args.value("name").ok_or_else(|| usage("ecparam"))?;
    let curve = named_curve(name)?;
    let mut text = String::new();
    if !args.has("noout") {
        text.push_str(&pem::encode("EC PARAMETERS", der::oid(curve.oid)));
    }
    if args.has("genkey") {
        let key = PrivateKey::Ec(ec::Private::generate(curve, &mut args.random()));
        text.push_str(&key.to_traditional_pem());
    }
    args.output("out", &text)
}

/// Whether the parts of a key belong together: what the private ones sign, the public ones confirm.
fn is_whole(key: &PrivateKey) -> bool {
    Request::from_der(&Request::make(&Name::default(), key, &[])).is_ok_and(|request| request.verify().is_ok())
}

/// `rsa`, `ec` and `pkey`: a key in another form.
async fn key(c: &Context, command: &str) -> Result<(), Failure> {
    let plain = "pubin pubout noout text check traditional modulus";
    let args = Args::read(c, command, "in out inform outform", plain, "passin passout")?;
    if command == "rsa" && args.has("check") && args.has("pubin") {
        return Err("Only private keys can be checked".into());
    }
    let path = args.value("in").unwrap_or("<stdin>");
    let text = args.input("private key").await?;
    let (public, private) = if args.has("pubin") {
        let bytes = pem::first(&text, "PUBLIC KEY").ok_or_else(|| format!("Could not read public key from {path}"))?;
        let public = PublicKey::from_der(&bytes).map_err(|e| e.to_string())?;
        (public, None)
    } else {
        let key = parse_key(&text, path)?;
        (key.public(), Some(key))
    };
    let fits = match (command, &public) {
        ("rsa", PublicKey::Ec(_)) => Some("Not an RSA key"),
        ("ec", PublicKey::Rsa(_)) => Some("unable to load Key"),
        _ => None,
    };
    if let Some(why) = fits {
        return Err(why.into());
    }
    if command == "ec" {
        c.stderr.line("read EC key");
    }
    if args.has("text") {
        let text = key_text(&public, 0);
        c.stdout.write(match private {
            Some(_) => text.replace("Public-Key:", "Private-Key:"),
            None => text,
        });
    }
    if args.has("modulus")
        && let PublicKey::Rsa(key) = &public
    {
        c.stdout
            .line(format!("Modulus={}", hex::digits(&key.modulus.to_bytes_be(), "", true)));
    }
    if args.has("check") {
        match (command, private.as_ref().is_some_and(is_whole)) {
            ("rsa", true) => c.stdout.line("RSA key ok"),
            ("rsa", false) => c.stderr.line("RSA key not ok"),
            ("ec", true) => c.stderr.line("EC Key valid."),
            ("ec", false) => c.stderr.line("EC Key Invalid!"),
            (_, true) => c.stdout.line("Key is valid"),
            (_, false) => return Err("Key is invalid".into()),
        };
    }
    if args.has("noout") {
        return Ok(());
    }
    if command != "pkey" {
        c.stderr.line(format!("writing {} key", command.to_ascii_uppercase()));
    }
    let out = match private {
        Some(key) if !args.has("pubout") => {
            if args.has("traditional") || command == "ec" {
                key.to_traditional_pem()
            } else {
                key.to_pem()
            }
        }
        _ => pem::encode("PUBLIC KEY", public.to_der()),
    };
    args.output("out", &out)
}

/// `/CN=anna/O=dev` as a name.
fn subject(text: &str) -> Result<Name, Failure> {
    let Some(rest) = text.strip_prefix('/') else {
        return Err(format!(
            "req: subject name is expected to be in the format /type0=value0/type1=value1/type2=... where characters may be escaped by \\. This name is not in that format: '{text}'"
        ));
    };
    let mut parts = vec![String::new()];
    let mut chars = rest.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => parts.last_mut().into_iter().for_each(|p| p.extend(chars.next())),
            '/' => parts.push(String::new()),
            c => parts.last_mut().into_iter().for_each(|p| p.push(c)),
        }
    }
    let mut sets = Vec::new();
    for part in parts.iter().filter(|p| !p.is_empty()) {
        let (short, value) = part
            .split_once('=')
            .ok_or_else(|| format!("req: Missing '=' after RDN type string '{part}' in subject name string"))?;
        if let (Some(oid), false) = (attribute(short), value.is_empty()) {
            sets.push(vec![(oid.to_owned(), value.to_owned())]);
        }
    }
    Ok(Name(sets))
}

/// A configuration: section → names and values, in their order.
type Config = FlatMap<String, Vec<(String, String)>>;

fn config(text: &str) -> Config {
    let mut sections = Config::new();
    let mut section = "default".to_owned();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            section = name.trim().to_owned();
        } else if let Some((name, value)) = line.split_once('=') {
            let pair = (name.trim().to_owned(), value.trim().to_owned());
            sections.entry(section.clone()).or_default().push(pair);
        }
    }
    sections
}

fn section<'a>(config: &'a Config, name: &str) -> &'a [(String, String)] {
    config.get(name).map_or(&[], Vec::as_slice)
}

fn setting<'a>(config: &'a Config, in_section: &str, name: &str) -> Option<&'a str> {
    let found = section(config, in_section).iter().rev().find(|(n, _)| n == name);
    found.map(|(_, v)| v.as_str())
}

/// An extension from its name and value, as `-addext` and configurations write them.
fn read_extension(name: &str, value: &str, config: &Config, key: &PublicKey) -> Result<Option<Extension>, Failure> {
    let (critical, value) = match value.strip_prefix("critical") {
        Some(rest) => (true, rest.trim_start_matches([',', ' '])),
        None => (false, value),
    };
    let bad = || format!("Error adding extensions: value {value:?} of {name} is not understood here");
    let words = || value.split(',').map(str::trim).filter(|w| !w.is_empty());
    let made = match name {
        "subjectAltName" => {
            let mut names = Names::default();
            let listed: Vec<(String, String)> = match value.strip_prefix('@') {
                Some(from) => section(config, from).to_vec(),
                None => words()
                    .map(|w| {
                        w.split_once(':')
                            .map(|(k, v)| (k.to_owned(), v.to_owned()))
                            .ok_or_else(bad)
                    })
                    .collect::<Result<_, _>>()?,
            };
            for (kind, text) in listed {
                match kind.split('.').next().unwrap_or_default() {
                    "DNS" => names.dns.push(text),
                    "IP" => names.ips.push(text.parse().map_err(|_| bad())?),
                    "email" => names.emails.push(text),
                    "URI" => names.uris.push(text),
                    _ => return Err(bad()),
                }
            }
            Extension::new(extension::ALTERNATIVE_NAMES, critical, names.to_der())
        }
        "keyUsage" => {
            let mut bits = 0;
            for word in words() {
                let known = x509::KEY_USAGES.iter().position(|usage| usage.short == word);
                bits |= 1 << known.ok_or_else(bad)?;
            }
            let mut made = x509::key_usage(bits);
            made.critical = critical;
            made
        }
        "extendedKeyUsage" => {
            let mut oids = Vec::new();
            for word in words() {
                let known = x509::EXTENDED_USAGES.iter().find(|(_, usage)| usage.short == word);
                oids.push(match known {
                    Some((oid, _)) => oid,
                    None if word.starts_with(|c: char| c.is_ascii_digit()) => word,
                    None => return Err(bad()),
                });
            }
            let mut made = x509::extended_usage(&oids);
            made.critical = critical;
            made
        }
        "basicConstraints" => {
            let mut made = x509::basic_constraints(words().any(|w| w.eq_ignore_ascii_case("CA:TRUE")));
            made.critical = critical;
            made
        }
        "subjectKeyIdentifier" => {
            let identifier = der::wrap(der::OCTET_STRING, key.identifier());
            Extension::new(extension::SUBJECT_KEY, critical, identifier)
        }
        // It needs the issuer's, and nothing here asks for it.
        "authorityKeyIdentifier" => return Ok(None),
        _ => return Err(bad()),
    };
    Ok(Some(made))
}

fn read_extensions(list: &[(String, String)], config: &Config, key: &PublicKey) -> Result<Vec<Extension>, Failure> {
    let mut out = Vec::new();
    for (name, value) in list {
        out.extend(read_extension(name, value, config, key)?);
    }
    Ok(out)
}

async fn request(c: &Context) -> Result<(), Failure> {
    let values = "in out key keyout subj newkey days config addext section reqexts extensions set_serial inform outform \
                  pkeyopt";
    let plain = "new x509 nodes noenc noout text subject verify pubkey sha256 utf8 batch";
    let missing = "passin passout nameopt newhdr modulus";
    let args = Args::read(c, "req", values, plain, missing)?;
    let mut random = args.random();
    let config = match args.value("config") {
        Some(path) => config(&args.file(path, "configuration")?),
        None => Config::new(),
    };
    let makes = args.has("new") || args.has("newkey") || args.has("x509");
    if !makes {
        let text = args.input("certificate request").await?;
        let request = parse_request(&text)?;
        if args.has("verify") {
            match request.verify() {
                Ok(()) => c.stderr.line("Certificate request self-signature verify OK"),
                Err(_) => c.stderr.line("Certificate request self-signature verify failure"),
            };
        }
        if args.has("text") {
            c.stdout.write(request_text(&request));
        }
        if args.has("subject") {
            c.stdout.line(format!("subject={}", request.subject));
        }
        if args.has("pubkey") {
            c.stdout.write(pem::encode("PUBLIC KEY", request.key.to_der()));
        }
        if !args.has("noout") {
            args.output(
                "out",
                &pem::encode(REQUEST, pem::first(&text, REQUEST).unwrap_or_default()),
            )?;
        }
        return Ok(());
    }
    let key = match (args.value("key"), args.value("newkey")) {
        (Some(path), _) => args.private_key(path)?,
        (None, kind) => {
            let key = match kind.unwrap_or("rsa:2048").split_once(':') {
                Some(("rsa", bits)) => rsa_key(bits, &mut random)?,
                Some(("ec", _)) => {
                    let named = args
                        .values("pkeyopt")
                        .find_map(|o| o.strip_prefix("ec_paramgen_curve:"));
                    PrivateKey::Ec(ec::Private::generate(
                        named_curve(named.unwrap_or("prime256v1"))?,
                        &mut random,
                    ))
                }
                _ => rsa_key("2048", &mut random)?,
            };
            if !args.has("nodes") && !args.has("noenc") {
                return Err("keys with a pass phrase are not simulated: give -nodes".into());
            }
            let out = if args.value("keyout").is_some() {
                "keyout"
            } else {
                "out"
            };
            args.output(out, &key.to_pem())?;
            c.stderr.line("-----");
            key
        }
    };
    let of_request = "req";
    let name = match args.value("subj") {
        Some(text) => subject(text)?,
        None => {
            let from = setting(&config, of_request, "distinguished_name").unwrap_or_default();
            let mut sets = Vec::new();
            for (short, value) in section(&config, from) {
                // `0.O` and `1.O` are two of one kind.
                let short = short.rsplit('.').next().unwrap_or(short);
                let short = match short {
                    "commonName" => "CN",
                    "organizationName" => "O",
                    "organizationalUnitName" => "OU",
                    "countryName" => "C",
                    "stateOrProvinceName" => "ST",
                    "localityName" => "L",
                    other => other,
                };
                if let Some(oid) = attribute(short) {
                    sets.push(vec![(oid.to_owned(), value.clone())]);
                }
            }
            if sets.is_empty() {
                return Err(
                    "asking for the parts of the name is not simulated: give -subj \"/CN=NAME/O=GROUP\"".into(),
                );
            }
            Name(sets)
        }
    };
    let (wanted, option) = if args.has("x509") {
        (setting(&config, of_request, "x509_extensions"), "extensions")
    } else {
        (setting(&config, of_request, "req_extensions"), "reqexts")
    };
    let from = args.value(option).or(wanted).unwrap_or_default();
    let mut listed = section(&config, from).to_vec();
    for text in args.values("addext") {
        let (name, value) = text
            .split_once('=')
            .ok_or_else(|| format!("Error adding extension: {text}"))?;
        listed.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    let public = key.public();
    let mut extensions = read_extensions(&listed, &config, &public)?;
    if !args.has("x509") {
        let made = Request::make(&name, &key, &extensions);
        if args.has("text") {
            c.stdout
                .write(request_text(&Request::from_der(&made).map_err(|e| e.to_string())?));
        }
        return if args.has("noout") {
            Ok(())
        } else {
            args.output("out", &pem::encode(REQUEST, made))
        };
    }
    if from.is_empty() {
        let identifier = public.identifier();
        let own = der::wrap(der::OCTET_STRING, &identifier);
        let issuer = der::wrap(der::SEQUENCE, der::wrap(der::field(0, false), &identifier));
        for made in [
            Extension::new(extension::SUBJECT_KEY, false, own),
            Extension::new(extension::AUTHORITY_KEY, false, issuer),
            x509::basic_constraints(true),
        ] {
            if extensions.iter().all(|e| e.oid != made.oid) {
                extensions.push(made);
            }
        }
    }
    let now = c.sim.now().truncate_to_second();
    let template = Template {
        serial: serial(&args, "req", &mut random)?,
        subject: name.clone(),
        not_before: now,
        not_after: now + args.days()?,
        extensions,
    };
    args.output(
        "out",
        &pem::encode(CERTIFICATE, Certificate::make(&template, &public, &name, &key)),
    )
}

/// The serial number that `-set_serial` gives, or one by chance.
fn serial(args: &Args, command: &str, random: &mut Random) -> Result<Vec<u8>, Failure> {
    let Some(text) = args.value("set_serial") else {
        let mut bytes = random.bytes(20);
        bytes.iter_mut().take(1).for_each(|b| *b = *b & 0x7f | 0x40);
        return Ok(bytes);
    };
    let number = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u128::from_str_radix(digits, 16),
        None => text.parse::<u128>(),
    };
    match number {
        Ok(number) => Ok(number.to_be_bytes().to_vec()),
        Err(error) if *error.kind() == IntErrorKind::PosOverflow => {
            Err("serial numbers of more than 16 bytes are not simulated for -set_serial".into())
        }
        Err(_) => Err(usage(command)),
    }
}

async fn certificate(c: &Context) -> Result<(), Failure> {
    let values = "in out CA CAkey signkey key days extfile extensions set_serial CAserial checkend ext inform outform";
    let plain = "req noout text subject issuer dates startdate enddate serial fingerprint sha256 pubkey modulus \
                 CAcreateserial";
    let args = Args::read(c, "x509", values, plain, "email ocspid alias nameopt passin")?;
    let path = args.value("in").unwrap_or("<stdin>");
    let text = args
        .input(if args.has("req") {
            "certificate request"
        } else {
            "certificate"
        })
        .await?;
    let certificate = if args.has("req") {
        sign(&args, &parse_request(&text)?)?
    } else {
        parse_certificate(&text, path)?
    };
    if args.has("text") {
        c.stdout.write(certificate_text(&certificate));
    }
    let date = |time: Time| strftime("%b %e %H:%M:%S %Y GMT", time);
    // In the order in which they were asked for.
    for (name, value) in &args.given {
        match name.as_str() {
            "subject" => {
                c.stdout.line(format!("subject={}", certificate.subject));
            }
            "issuer" => {
                c.stdout.line(format!("issuer={}", certificate.issuer));
            }
            "dates" | "startdate" | "enddate" => {
                if name != "enddate" {
                    c.stdout.line(format!("notBefore={}", date(certificate.not_before)));
                }
                if name != "startdate" {
                    c.stdout.line(format!("notAfter={}", date(certificate.not_after)));
                }
            }
            "serial" => {
                // A zero in front keeps a number from being negative.
                let serial = match certificate.serial.as_slice() {
                    [0, rest @ ..] if !rest.is_empty() => rest,
                    all => all,
                };
                c.stdout.line(format!("serial={}", hex::digits(serial, "", true)));
            }
            "fingerprint" => {
                if !args.has("sha256") {
                    return Err("fingerprints by SHA-1 are not simulated: give -sha256".into());
                }
                let hash = hmac_sha256::Hash::hash(&certificate.whole);
                c.stdout
                    .line(format!("sha256 Fingerprint={}", hex::digits(&hash, ":", true)));
            }
            "modulus" => {
                if let PublicKey::Rsa(key) = &certificate.key {
                    c.stdout
                        .line(format!("Modulus={}", hex::digits(&key.modulus.to_bytes_be(), "", true)));
                }
            }
            "pubkey" => {
                c.stdout.write(pem::encode("PUBLIC KEY", certificate.key.to_der()));
            }
            "ext" => {
                let shown: Vec<String> = certificate
                    .extensions
                    .iter()
                    .filter(|e| value.split(',').any(|w| known_extension(&e.oid).0 == w))
                    .map(|e| extension_text(e, 0))
                    .collect();
                if shown.is_empty() {
                    c.stderr.line("No extensions matching the requested names");
                }
                c.stdout.write(shown.concat());
            }
            _ => {}
        }
    }
    if let Some(seconds) = args.value("checkend") {
        let seconds = Duration::from_secs(seconds.parse().unwrap_or(0));
        if certificate.not_after < c.sim.now() + seconds {
            c.stdout.line("Certificate will expire");
            return Err(String::new());
        }
        c.stdout.line("Certificate will not expire");
    }
    if args.has("noout") {
        return Ok(());
    }
    args.output("out", &pem::encode(CERTIFICATE, &certificate.whole))
}

/// `x509 -req`: signs a request with an authority's key, or with its own.
fn sign(args: &Args, request: &Request) -> Result<Certificate, Failure> {
    if request.verify().is_err() {
        return Err("Certificate request self-signature did not match the contents".into());
    }
    args.c.stderr.line("Certificate request self-signature ok");
    args.c.stderr.line(format!("subject={}", request.subject));
    let mut random = args.random();
    let (issuer, key) = match (args.value("CA"), args.value("signkey").or(args.value("key"))) {
        (Some(path), _) => {
            let authority = parse_certificate(&args.file(path, "CA certificate")?, path)?;
            let key = args.private_key(args.value("CAkey").unwrap_or(path))?;
            if authority.key != key.public() {
                return Err("CA certificate and CA private key do not match".into());
            }
            (authority.subject, key)
        }
        (None, Some(path)) => (request.subject.clone(), args.private_key(path)?),
        (None, None) => {
            return Err("We need a private key to sign with, use -key or -CA or -CAkey with private key".into());
        }
    };
    let serial = serial(args, "x509", &mut random)?;
    if args.has("CAcreateserial")
        && !args.has("set_serial")
        && let Some(path) = args.value("CA")
    {
        let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
        let file = args.c.path(args.value("CAserial").unwrap_or(&format!("{stem}.srl")));
        let text = format!("{}\n", hex::digits(&serial, "", true));
        args.c
            .files
            .write(&file, text)
            .map_err(|e| format!("Unable to write to {file}: {e}"))?;
    }
    let mut extensions = Vec::new();
    if let Some(path) = args.value("extfile") {
        let config = config(&args.file(path, "extensions")?);
        let from = args
            .value("extensions")
            .or(setting(&config, "default", "extensions"))
            .unwrap_or("default");
        extensions = read_extensions(section(&config, from), &config, &request.key)?;
    }
    let now = args.c.sim.now().truncate_to_second();
    let template = Template {
        serial,
        subject: request.subject.clone(),
        not_before: now,
        not_after: now + args.days()?,
        extensions,
    };
    let bytes = Certificate::make(&template, &request.key, &issuer, &key);
    Certificate::from_der(&bytes).map_err(|e| e.to_string())
}

fn verify(c: &Context) -> i32 {
    let checked = || -> Result<bool, Failure> {
        let args = Args::read(c, "verify", "CAfile", "verbose", "untrusted")?;
        let from = args.value("CAfile").ok_or_else(|| usage("verify"))?;
        let authority = parse_certificate(&args.file(from, "certificate")?, from)?;
        let mut good = true;
        for path in &args.rest {
            let certificate = parse_certificate(&args.file(path, "certificate")?, path)?;
            let now = c.sim.now();
            let wrong = if certificate.issuer != authority.subject || certificate.verify(&authority.key).is_err() {
                Some((20, "unable to get local issuer certificate"))
            } else if now < certificate.not_before {
                Some((9, "certificate is not yet valid"))
            } else if now > certificate.not_after {
                Some((10, "certificate has expired"))
            } else {
                None
            };
            match wrong {
                None => {
                    c.stdout.line(format!("{path}: OK"));
                }
                Some((code, why)) => {
                    good = false;
                    c.stderr.line(certificate.subject.to_string());
                    c.stderr.line(format!("error {code} at 0 depth lookup: {why}"));
                    c.stderr.line(format!("error {path}: verification failed"));
                }
            }
        }
        Ok(good)
    };
    match checked() {
        Ok(true) => 0,
        Ok(false) => 2,
        Err(why) => {
            c.stderr.line(why);
            1
        }
    }
}

fn random(c: &Context) -> Result<(), Failure> {
    let args = Args::read(c, "rand", "out", "hex base64", "")?;
    let count = args.rest.first().map_or("", String::as_str);
    // So much at a time is more than any key needs.
    let count = count.parse::<usize>().ok().filter(|n| (1..=65_536).contains(n));
    let bytes = args.random().bytes(count.ok_or_else(|| usage("rand"))?);
    if args.has("hex") {
        let text = format!("{}\n", hex::lower(&bytes));
        return args.output("out", &text);
    }
    if args.has("base64") {
        return args.output("out", &base64::lines(&base64::encode(&bytes), LINE));
    }
    c.stdout.write(bytes);
    Ok(())
}

async fn convert_base64(c: &Context) -> Result<(), Failure> {
    let args = Args::read(c, "base64", "in out", "d e A a", "")?;
    let text = match args.value("in") {
        Some(path) => c
            .files
            .read(&c.path(path))
            .map(|b| b.to_vec())
            .map_err(|e| format!("Can't open \"{path}\" for reading, {e}"))?,
        None => c.stdin.read_all().await,
    };
    if args.has("d") {
        let (bytes, _) = hash::decode(&String::from_utf8_lossy(&text), false);
        return match args.value("out") {
            Some(path) => c.files.write(&c.path(path), bytes).map_err(|e| e.to_string()),
            None => {
                c.stdout.write(bytes);
                Ok(())
            }
        };
    }
    let encoded = base64::encode(&text);
    let text = if args.has("A") {
        encoded
    } else {
        base64::lines(&encoded, LINE)
    };
    args.output("out", &text)
}

/// Bytes as lines of digits with colons.
fn block(bytes: &[u8], columns: usize, indent: usize) -> String {
    let lines: Vec<String> = bytes
        .chunks(columns)
        .map(|line| format!("{:indent$}{}", "", hex::digits(line, ":", false)))
        .collect();
    lines.join(":\n") + "\n"
}

fn key_text(key: &PublicKey, indent: usize) -> String {
    let pad = " ".repeat(indent);
    match key {
        PublicKey::Rsa(key) => {
            let mut modulus = key.modulus.to_bytes_be();
            if modulus.first().is_some_and(|b| *b >= 0x80) {
                modulus.insert(0, 0);
            }
            format!(
                "{pad}Public-Key: ({} bit)\n{pad}Modulus:\n{}{pad}Exponent: {} (0x{:x})\n",
                key.modulus.bits(),
                block(&modulus, 15, indent + 4),
                key.exponent,
                key.exponent
            )
        }
        PublicKey::Ec(key) => format!(
            "{pad}Public-Key: ({} bit)\n{pad}pub:\n{}{pad}ASN1 OID: {}\n{pad}NIST CURVE: {}\n",
            key.curve.bits,
            block(&key.to_bytes(), 15, indent + 4),
            key.curve.name,
            key.curve.nist
        ),
    }
}

fn key_info(key: &PublicKey) -> String {
    let name = match key {
        PublicKey::Rsa(_) => "rsaEncryption",
        PublicKey::Ec(_) => "id-ecPublicKey",
    };
    format!(
        "        Subject Public Key Info:\n            Public Key Algorithm: {name}\n{}",
        key_text(key, 16)
    )
}

/// The names of an extension: in a configuration, and in a text.
fn known_extension(oid: &str) -> (&str, &str) {
    match oid {
        extension::SUBJECT_KEY => ("subjectKeyIdentifier", "X509v3 Subject Key Identifier"),
        extension::KEY_USAGE => ("keyUsage", "X509v3 Key Usage"),
        extension::ALTERNATIVE_NAMES => ("subjectAltName", "X509v3 Subject Alternative Name"),
        extension::BASIC_CONSTRAINTS => ("basicConstraints", "X509v3 Basic Constraints"),
        extension::AUTHORITY_KEY => ("authorityKeyIdentifier", "X509v3 Authority Key Identifier"),
        extension::EXTENDED_USAGE => ("extendedKeyUsage", "X509v3 Extended Key Usage"),
        other => (other, other),
    }
}

fn extension_text(one: &Extension, indent: usize) -> String {
    let body = one.value.as_slice();
    let text = match one.oid.as_str() {
        extension::SUBJECT_KEY => {
            der::only(body, der::OCTET_STRING).map_or(String::new(), |i| hex::digits(i.body, ":", true))
        }
        extension::AUTHORITY_KEY => {
            let items = der::only(body, der::SEQUENCE).and_then(|i| i.children());
            let mut items = items.into_iter().flatten();
            items.next().map_or(String::new(), |i| hex::digits(i.body, ":", true))
        }
        extension::KEY_USAGE => {
            let bits = x509::read_key_usage(body);
            let named = x509::KEY_USAGES.iter().enumerate().filter(|(i, _)| bits & 1 << i != 0);
            named.map(|(_, usage)| usage.text).collect::<Vec<_>>().join(", ")
        }
        extension::EXTENDED_USAGE => {
            let items = der::only(body, der::SEQUENCE).and_then(|i| i.children());
            let named = items.into_iter().flatten().map(|item| {
                let oid = der::dotted(item.body);
                let known = x509::EXTENDED_USAGES.iter().find(|(o, _)| *o == oid);
                known.map_or(oid, |(_, usage)| usage.text.to_owned())
            });
            named.collect::<Vec<_>>().join(", ")
        }
        extension::BASIC_CONSTRAINTS => {
            let authority = der::only(body, der::SEQUENCE).is_ok_and(|i| i.body.starts_with(&[1, 1, 0xff]));
            format!("CA:{}", if authority { "TRUE" } else { "FALSE" })
        }
        extension::ALTERNATIVE_NAMES => {
            let names = Names::from_der(body).unwrap_or_default();
            let mut all: Vec<String> = names.dns.iter().map(|n| format!("DNS:{n}")).collect();
            all.extend(names.emails.iter().map(|n| format!("email:{n}")));
            all.extend(names.ips.iter().map(|n| format!("IP Address:{n}")));
            all.extend(names.uris.iter().map(|n| format!("URI:{n}")));
            all.join(", ")
        }
        _ => hex::digits(body, ":", true),
    };
    let critical = if one.critical { "critical" } else { "" };
    let pad = " ".repeat(indent);
    format!("{pad}{}: {critical}\n{pad}    {text}\n", known_extension(&one.oid).1)
}

fn signature_text(algorithm: &str, signature: &[u8]) -> String {
    format!(
        "    Signature Algorithm: {algorithm}\n    Signature Value:\n{}",
        block(signature, 18, 8)
    )
}

fn request_text(request: &Request) -> String {
    let mut out = format!(
        "Certificate Request:\n    Data:\n        Version: 1 (0x0)\n        Subject: {}\n{}        Attributes:\n",
        request.subject,
        key_info(&request.key)
    );
    if request.extensions.is_empty() {
        out.push_str("            (none)\n");
    }
    out.push_str("            Requested Extensions:\n");
    for one in &request.extensions {
        out.push_str(&extension_text(one, 16));
    }
    out + &signature_text(&request.algorithm_name(), &request.signature)
}

fn certificate_text(certificate: &Certificate) -> String {
    let serial: Vec<u8> = certificate.serial.iter().copied().skip_while(|b| *b == 0).collect();
    let number = if serial.len() > 8 {
        format!("\n            {}", hex::digits(&serial, ":", false))
    } else {
        let n = serial.iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
        format!(" {n} (0x{n:x})")
    };
    let algorithm = certificate.algorithm_name();
    let date = |time: Time| strftime("%b %e %H:%M:%S %Y GMT", time);
    let mut out = format!(
        "Certificate:\n    Data:\n        Version: {} (0x{:x})\n        Serial Number:{number}\n        Signature \
         Algorithm: {algorithm}\n        Issuer: {}\n        Validity\n            Not Before: {}\n            Not After : \
         {}\n        Subject: {}\n{}",
        certificate.version,
        certificate.version.saturating_sub(1),
        certificate.issuer,
        date(certificate.not_before),
        date(certificate.not_after),
        certificate.subject,
        key_info(&certificate.key)
    );
    if !certificate.extensions.is_empty() {
        out.push_str("        X509v3 extensions:\n");
    }
    for one in &certificate.extensions {
        out.push_str(&extension_text(one, 12));
    }
    out + &signature_text(&algorithm, &certificate.signature)
}
