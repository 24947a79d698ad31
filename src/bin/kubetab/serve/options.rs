//! What `kubetab serve` is told on its command line.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use kubetab::api::auth::{AUTHENTICATED, rbac};
use kubetab::api::{User, admission};
use kubetab::net::{IpvsScheduler, Mode};
use kubetab::pki::authority::CERTIFICATE;
use kubetab::pki::{Certificate, pem};
use kubetab::sim::Time;
use kubetab::world;

pub const USAGE: &str = "\
  kubetab serve [FLAGS]          serves a world's API to any Kubernetes client, at https://127.0.0.1:6443
    --port N, --address IP         where (port 0 takes a free one; loopback addresses only)
    --kubeconfig FILE              writes a kubeconfig of the administrator
    --token TOKEN                  the administrator's bearer token (random unless given)
    --http                         without TLS; who sends no credentials is the administrator
    --speed N                      virtual seconds a real second (1)
    --paused                       the clock moves only while requests wait, and by lines on standard input:
                                   a number of seconds or an RFC 3339 time; each is answered with the time
    --start TIME                   the virtual time of the beginning (now; 2026-01-01T08:00:00Z with --paused)
    --seed N                       what all random choices follow from (1)
    --proxy-mode MODE              iptables, nftables, ipvs, ipvs/SCHEDULER or userspace
    --no-kubelet                   a bare control plane: no nodes and add-ons, the service range 10.0.0.0/24, and of
                                   admission no ServiceAccount, DefaultStorageClass, DefaultTolerationSeconds and
                                   StorageObjectInUseProtection, as Kubernetes' own test/cmd starts it
    --no-scheduler, --no-controllers
    --enable-admission-plugins LIST, --disable-admission-plugins LIST
                                   of those four
    --authorization-mode LIST      Node,RBAC, or any list with AlwaysAllow
    --token-auth-file FILE         further bearer tokens: lines of token,user,uid,\"groups\"
    --client-ca-file FILE          further authorities whose client certificates name users
    --cert-dir DIR                 writes apiserver.crt and apiserver.key there
";

/// How virtual time follows real time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// So many virtual seconds a real one.
    Scaled(f64),
    /// Only while requests wait for it.
    Paused,
}

#[derive(Clone, Debug)]
pub struct Options {
    pub address: IpAddr,
    pub port: u16,
    pub kubeconfig: Option<PathBuf>,
    pub token: Option<String>,
    /// Bearer tokens and whose they are.
    pub tokens: Vec<(String, User)>,
    /// Authorities whose certificates are credentials, beside the cluster's own.
    pub client_authorities: Vec<Certificate>,
    /// Where the server's certificate and key are written to.
    pub cert_dir: Option<PathBuf>,
    pub http: bool,
    pub pace: Pace,
    pub world: world::Options,
}

impl Options {
    /// Reads the words after `serve`. `now` is the real time, at which the world begins unless told.
    ///
    /// # Errors
    /// A sentence about the first word that is not understood.
    pub fn parse(words: &[&str], now: Time) -> Result<Options, String> {
        let mut options = Options {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 6443,
            kubeconfig: None,
            token: None,
            tokens: Vec::new(),
            client_authorities: Vec::new(),
            cert_dir: None,
            http: false,
            pace: Pace::Scaled(1.0),
            world: world::Options::default(),
        };
        let mut start = None;
        let (mut enabled, mut disabled) = (Vec::new(), Vec::new());
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let (flag, given) = match word.split_once('=') {
                Some((flag, value)) => (flag, Some(value)),
                None => (*word, None),
            };
            let switch = match flag {
                "--http" => Some(&mut options.http),
                "--no-kubelet" => Some(&mut options.world.kubelet),
                "--no-scheduler" => Some(&mut options.world.scheduler),
                "--no-controllers" => Some(&mut options.world.controllers),
                _ => None,
            };
            if let Some(switch) = switch {
                if given.is_some() {
                    return Err(format!("{flag} takes no value"));
                }
                *switch = flag == "--http";
                continue;
            }
            if flag == "--paused" && given.is_none() {
                options.pace = Pace::Paused;
                continue;
            }
            let value = match given {
                Some(value) => value,
                None => words.next().ok_or_else(|| format!("{flag} needs a value"))?,
            };
            let wrong = |what: &str| format!("{flag} takes {what}, not {value:?}");
            match flag {
                "--port" => options.port = value.parse().map_err(|_| wrong("a port"))?,
                "--address" => {
                    options.address = value.parse().map_err(|_| wrong("an IP address"))?;
                    if !options.address.is_loopback() {
                        return Err(format!(
                            "{value} is no loopback address: the world is served to this machine only"
                        ));
                    }
                }
                "--kubeconfig" => options.kubeconfig = Some(value.into()),
                "--token" if !value.is_empty() => options.token = Some(value.into()),
                "--speed" => {
                    let speed = value.parse().ok().filter(|s: &f64| s.is_finite() && *s > 0.0);
                    options.pace = Pace::Scaled(speed.ok_or_else(|| wrong("a number above 0"))?);
                }
                "--enable-admission-plugins" | "--disable-admission-plugins" => {
                    let names = plugins(value)
                        .ok_or_else(|| wrong(&format!("a list of {}", admission::SWITCHES.join(", "))))?;
                    match flag {
                        "--enable-admission-plugins" => enabled.extend(names),
                        _ => disabled.extend(names),
                    }
                }
                "--authorization-mode" => {
                    options.world.authorization =
                        authorization(value).ok_or_else(|| wrong("Node, RBAC and AlwaysAllow"))?
                }
                "--token-auth-file" => {
                    let text = std::fs::read_to_string(value).map_err(|e| format!("cannot read {value}: {e}"))?;
                    options
                        .tokens
                        .extend(token_file(&text).map_err(|e| format!("{value}: {e}"))?);
                }
                "--client-ca-file" => {
                    let text = std::fs::read_to_string(value).map_err(|e| format!("cannot read {value}: {e}"))?;
                    options
                        .client_authorities
                        .extend(authorities(&text).map_err(|e| format!("{value}: {e}"))?);
                }
                "--cert-dir" => options.cert_dir = Some(value.into()),
                "--start" => start = Some(Time::parse(value).ok_or_else(|| wrong("an RFC 3339 time"))?),
                "--seed" => options.world.seed = value.parse().map_err(|_| wrong("a number"))?,
                "--proxy-mode" => {
                    options.world.proxy_mode = mode(value).ok_or_else(|| wrong("a mode of kube-proxy"))?
                }
                _ => return Err(format!("I don't understand: {word}\n\n{USAGE}")),
            }
        }
        if !options.world.kubelet {
            options.world.bare = true;
            // Where nothing runs pods they need no token, and Kubernetes' own tests of kubectl count on a
            // server without these plugins (hack/make-rules/test-cmd.sh).
            options.world.disabled_admission = admission::SWITCHES.map(str::to_owned).into();
        }
        options.world.disabled_admission.extend(disabled);
        options
            .world
            .disabled_admission
            .retain(|plugin| !enabled.contains(plugin));
        match (start, options.pace) {
            (Some(start), _) => options.world.start = start,
            (None, Pace::Scaled(_)) => options.world.start = now,
            (None, Pace::Paused) => {}
        }
        Ok(options)
    }
}

fn list(value: &str) -> impl Iterator<Item = String> + '_ {
    value.split(',').map(|name| name.trim().to_owned())
}

/// The admission plugins of a list; `None` when one of them is none that can be switched.
fn plugins(value: &str) -> Option<Vec<String>> {
    let names: Vec<String> = list(value).collect();
    let known = |name: &String| admission::SWITCHES.contains(&name.as_str());
    names.iter().all(known).then_some(names)
}

/// The mode of a list of authorizers, any of which may allow a request.
fn authorization(value: &str) -> Option<rbac::Mode> {
    let names: Vec<String> = list(value).collect();
    let known = |name: &String| ["Node", "RBAC", "AlwaysAllow"].contains(&name.as_str());
    if !names.iter().all(known) {
        return None;
    }
    Some(match names.iter().any(|name| name == "AlwaysAllow") {
        true => rbac::Mode::AlwaysAllow,
        false => rbac::Mode::NodeRbac,
    })
}

/// The tokens of a static token file: CSV of token, user, uid and, quoted, the groups.
fn token_file(text: &str) -> Result<Vec<(String, User)>, String> {
    let lines = text.lines().map(str::trim).enumerate();
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(n, line)| {
            let parts: Vec<&str> = line.splitn(4, ',').map(|part| part.trim().trim_matches('"')).collect();
            let (Some(token), Some(user), Some(uid)) = (parts.first(), parts.get(1), parts.get(2)) else {
                return Err(format!("line {} has fewer than three columns", n + 1));
            };
            if token.is_empty() {
                return Err(format!("line {} has an empty token", n + 1));
            }
            let groups = parts.get(3).map_or("", |groups| groups);
            let groups = groups.split(',').map(str::trim).filter(|group| !group.is_empty());
            let mut user = User::new(user, groups.chain([AUTHENTICATED]));
            user.uid = (*uid).into();
            Ok(((*token).to_owned(), user))
        })
        .collect()
}

/// The certificates of a PEM file.
fn authorities(text: &str) -> Result<Vec<Certificate>, String> {
    let blocks = pem::blocks(text).into_iter().filter(|block| block.label == CERTIFICATE);
    let found: Result<Vec<Certificate>, _> = blocks.map(|block| Certificate::from_der(&block.bytes)).collect();
    let found = found.map_err(|e| e.to_string())?;
    if found.is_empty() {
        return Err("data does not contain any valid RSA or ECDSA certificates".into());
    }
    Ok(found)
}

fn mode(name: &str) -> Option<Mode> {
    Some(match name {
        "iptables" => Mode::Iptables,
        "nftables" => Mode::Nftables,
        "userspace" => Mode::Userspace,
        "ipvs" => Mode::Ipvs(IpvsScheduler::default()),
        _ => Mode::Ipvs(IpvsScheduler::parse(name.strip_prefix("ipvs/")?)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_in_both_forms() {
        let now = Time::from_secs(1_800_000_000);
        let words = [
            "--port=0",
            "--speed",
            "10",
            "--no-kubelet",
            "--proxy-mode",
            "ipvs/lc",
            "--seed=7",
        ];
        let options = Options::parse(&words, now).unwrap();
        assert_eq!((options.port, options.pace), (0, Pace::Scaled(10.0)));
        assert_eq!(
            (
                options.world.kubelet,
                options.world.scheduler,
                options.world.seed,
                options.world.start
            ),
            (false, true, 7, now)
        );
        assert_eq!(options.world.proxy_mode, Mode::Ipvs(IpvsScheduler::LeastConnection));
        let paused = Options::parse(&["--paused", "--http"], now).unwrap();
        assert_eq!((paused.pace, paused.http), (Pace::Paused, true));
        assert_ne!(paused.world.start, now, "a paused world is the same every time");
    }

    #[test]
    fn a_bare_control_plane_is_without_some_plugins_unless_told() {
        let parse = |words: &[&str]| Options::parse(words, Time::default()).unwrap().world;
        assert!(parse(&[]).disabled_admission.is_empty() && !parse(&[]).bare);
        let bare = parse(&[
            "--no-kubelet",
            "--enable-admission-plugins=ServiceAccount, DefaultStorageClass",
        ]);
        assert!(bare.bare);
        assert_eq!(
            bare.disabled_admission,
            ["DefaultTolerationSeconds", "StorageObjectInUseProtection"]
        );
        let full = parse(&["--disable-admission-plugins", "ServiceAccount"]);
        assert_eq!(full.disabled_admission, ["ServiceAccount"]);
        assert_eq!(full.authorization, rbac::Mode::NodeRbac);
        let open = parse(&["--authorization-mode=RBAC,AlwaysAllow"]);
        assert_eq!(open.authorization, rbac::Mode::AlwaysAllow);
    }

    #[test]
    fn tokens_come_from_csv() {
        let text = "# ours\n\nadmin-token,admin,,\"system:masters\"\nt2, jane ,7,\"devs, ops\"\nt3,joe,8\n";
        let found = token_file(text).unwrap();
        let shown: Vec<String> = found
            .iter()
            .map(|(token, user)| format!("{token} {} {:?} {}", user.name, user.uid, user.groups.join(" ")))
            .collect();
        assert_eq!(
            shown,
            [
                "admin-token admin \"\" system:masters system:authenticated",
                "t2 jane \"7\" devs ops system:authenticated",
                "t3 joe \"8\" system:authenticated",
            ]
        );
        for wrong in ["t,jane", ",jane,1"] {
            assert!(token_file(wrong).unwrap_err().starts_with("line 1 "), "{wrong}");
        }
        assert!(authorities("nothing").is_err());
    }

    #[test]
    fn what_is_wrong_is_said() {
        let says = |words: &[&str]| Options::parse(words, Time::default()).unwrap_err();
        assert!(says(&["--address", "0.0.0.0"]).contains("no loopback address"));
        assert!(says(&["--speed", "0"]).starts_with("--speed takes a number above 0"));
        assert!(says(&["--port"]).contains("needs a value"));
        assert!(says(&["--authorization-mode", "ABAC"]).contains("takes Node, RBAC and AlwaysAllow"));
        for flag in ["--enable-admission-plugins", "--disable-admission-plugins"] {
            assert_eq!(
                says(&[flag, "ServiceAccount,NodeRestriction"]),
                format!(
                    "{flag} takes a list of ServiceAccount, DefaultTolerationSeconds, DefaultStorageClass, \
                     StorageObjectInUseProtection, not \"ServiceAccount,NodeRestriction\""
                )
            );
        }
        assert!(says(&["--http=yes"]).contains("takes no value"));
        assert!(says(&["--nonsense", "x"]).starts_with("I don't understand: --nonsense"));
    }
}
