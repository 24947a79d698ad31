//! What `kubetab serve` is told on its command line.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use kubetab::net::{Mode, proxy};
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
    --no-kubelet, --no-scheduler, --no-controllers
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
            http: false,
            pace: Pace::Scaled(1.0),
            world: world::Options::default(),
        };
        let mut start = None;
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
                "--start" => start = Some(Time::parse(value).ok_or_else(|| wrong("an RFC 3339 time"))?),
                "--seed" => options.world.seed = value.parse().map_err(|_| wrong("a number"))?,
                "--proxy-mode" => {
                    options.world.proxy_mode = mode(value).ok_or_else(|| wrong("a mode of kube-proxy"))?
                }
                _ => return Err(format!("I don't understand: {word}\n\n{USAGE}")),
            }
        }
        match (start, options.pace) {
            (Some(start), _) => options.world.start = start,
            (None, Pace::Scaled(_)) => options.world.start = now,
            (None, Pace::Paused) => {}
        }
        Ok(options)
    }
}

fn mode(name: &str) -> Option<Mode> {
    Some(match name {
        "iptables" => Mode::Iptables,
        "nftables" => Mode::Nftables,
        "userspace" => Mode::Userspace,
        "ipvs" => Mode::Ipvs(proxy::Scheduler::default()),
        _ => Mode::Ipvs(proxy::Scheduler::parse(name.strip_prefix("ipvs/")?)?),
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
        assert_eq!(options.world.proxy_mode, Mode::Ipvs(proxy::Scheduler::LeastConnection));
        let paused = Options::parse(&["--paused", "--http"], now).unwrap();
        assert_eq!((paused.pace, paused.http), (Pace::Paused, true));
        assert_ne!(paused.world.start, now, "a paused world is the same every time");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let says = |words: &[&str]| Options::parse(words, Time::default()).unwrap_err();
        assert!(says(&["--address", "0.0.0.0"]).contains("no loopback address"));
        assert!(says(&["--speed", "0"]).starts_with("--speed takes a number above 0"));
        assert!(says(&["--port"]).contains("needs a value"));
        assert!(says(&["--http=yes"]).contains("takes no value"));
        assert!(says(&["--nonsense", "x"]).starts_with("I don't understand: --nonsense"));
    }
}
