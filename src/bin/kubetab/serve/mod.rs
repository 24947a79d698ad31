//! `kubetab serve`: the world's API server behind HTTP on this machine's loopback, for real clients.
//!
//! Everything is on one thread: the world, whose parts are not `Send`, its clock, and the connections.

mod answer;
mod body;
mod clock;
mod http;
mod identity;
mod kubeconfig;
mod openapi;
mod options;
mod protobuf;
mod proxy;
mod rest;
mod session;
mod spdy;
mod tls;
mod upgrade;
mod websocket;

use std::io::{BufRead, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::future::select;
use kubetab::sim::Time;
use kubetab::world::World;
use tokio::net::TcpListener;
use tokio::task::LocalSet;

use clock::Clock;
use identity::Authenticator;
pub use options::USAGE;
use options::{Options, Pace};

/// What all connections share.
pub struct Server {
    world: World,
    clock: Rc<Clock>,
    authenticator: Authenticator,
    /// The `Host` headers that a server without TLS answers; empty for all. A page in a browser
    /// could else reach it by a name of its own.
    hosts: Vec<String>,
}

/// Random bytes from the machine.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // Without a source of randomness TLS would have failed before.
    let _ = rustls::crypto::ring::default_provider().secure_random.fill(&mut bytes);
    bytes
}

/// Serves until it is told to stop.
///
/// # Errors
/// A sentence about a flag, or what keeps the server from starting.
pub fn run(words: &[&str]) -> Result<(), String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let options = Options::parse(words, Time::from_secs(now.as_secs()))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| format!("cannot start: {e}"))?;
    LocalSet::new().block_on(&runtime, serve(options))
}

async fn serve(options: Options) -> Result<(), String> {
    let wanted = SocketAddr::new(options.address, options.port);
    let listener = TcpListener::bind(wanted)
        .await
        .map_err(|e| format!("cannot listen at {wanted}: {e}"))?;
    let address = listener.local_addr().map_err(|e| format!("cannot listen: {e}"))?;
    let certificates = match options.http {
        true => None,
        false => Some(tls::make(address.ip(), &options.client_authorities)?),
    };
    let token = options
        .token
        .clone()
        .unwrap_or_else(|| kubetab::value::hex::lower(&random::<16>()));
    let scheme = if options.http { "http" } else { "https" };
    let url = format!("{scheme}://{address}");
    if let Some(file) = &options.kubeconfig {
        write_private(file, &kubeconfig::text(&url, &token, certificates.as_ref()))
            .map_err(|e| format!("cannot write {}: {e}", file.display()))?;
    }
    if let (Some(folder), Some(certificates)) = (&options.cert_dir, &certificates) {
        let write = |name: &str, text: &str| {
            let file = folder.join(name);
            write_private(&file, text).map_err(|e| format!("cannot write {}: {e}", file.display()))
        };
        write("apiserver.crt", &certificates.own.certificate)?;
        write("apiserver.key", &certificates.own.key)?;
    }
    let mut wanted = options.world.clone();
    wanted.authority = certificates.as_ref().map(|c| c.authority.clone());
    let world = World::new(&wanted).map_err(|e| e.to_string())?;
    let clock = Clock::new(world.sim(), options.pace);
    let own = certificates.iter().map(|c| c.authority.certificate().clone());
    let authorities = own.chain(options.client_authorities).collect();
    let hosts = match options.http {
        true => [
            "localhost".to_owned(),
            address.ip().to_string(),
            format!("[{}]", address.ip()),
        ]
        .into(),
        false => Vec::new(),
    };
    let server = Rc::new(Server {
        world,
        clock: clock.clone(),
        authenticator: Authenticator {
            token,
            tokens: options.tokens,
            authorities,
            open: options.http,
        },
        hosts,
    });
    let driver = clock.clone();
    tokio::task::spawn_local(async move { driver.drive().await });
    if options.pace == Pace::Paused {
        steps(clock);
    }
    println!("kubetab serves Kubernetes v1.36 at {url}");
    // Whoever waits for the line gets it at once.
    let _ = std::io::stdout().flush();
    let accepting = http::accept(server, listener, certificates.map(|c| c.server));
    select(std::pin::pin!(accepting), std::pin::pin!(told_to_stop())).await;
    Ok(())
}

/// Writes a file that only its owner reads: it holds the administrator's key.
fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)?.write_all(text.as_bytes())
}

/// Ends at SIGINT or SIGTERM.
async fn told_to_stop() {
    let interrupt = std::pin::pin!(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    });
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            select(interrupt, std::pin::pin!(terminate.recv())).await;
            return;
        }
    }
    interrupt.await;
}

/// Moves a paused clock by the lines of standard input.
fn steps(clock: Rc<Clock>) {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel::<String>();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    tokio::task::spawn_local(async move {
        while let Some(line) = receiver.recv().await {
            let line = line.trim();
            let now = clock.sim().now();
            let end = match line.trim_end_matches('s').parse::<f64>() {
                Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => Some(now + Duration::from_secs_f64(seconds)),
                _ => Time::parse(line),
            };
            match end {
                Some(end) => {
                    clock.step_to(end).await;
                    println!("{}", clock.sim().now().micro());
                }
                None => println!("neither seconds nor a time: {line}"),
            }
            let _ = std::io::stdout().flush();
        }
    });
}
