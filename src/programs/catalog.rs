//! The images that can be pulled, in one table. An image that is not here cannot be pulled, as one
//! that its registry does not have.
//!
//! Sizes are those of the compressed layers (amd64), rounded where no recording names them. Digests
//! of images that no recording names are stable numbers made from the name and tag.

use super::{
    Install, Shell, agnhost, bootcamp, generic, hello, httpd, ingress_nginx, mysql, nginx, perl, redis, stable_digest,
    stress, system, web, webapp_color,
};

/// A repository with the tags that it has, and how its containers begin.
pub struct Image {
    /// With registry: `docker.io/library/nginx`.
    pub repository: &'static str,
    /// Patterns, separated by spaces: a word; `1.7..29`, a version whose second number lies in the
    /// range, with any further numbers and any `-suffix`; `15..18`, the same for the first number;
    /// `*`, any.
    pub tags: &'static str,
    /// Megabytes of its compressed layers.
    pub megabytes: u64,
    pub shell: Shell,
    pub entrypoint: &'static [&'static str],
    pub cmd: &'static [&'static str],
    pub env: &'static [(&'static str, &'static str)],
    pub workdir: &'static str,
    /// The user that its configuration names, by what name where it is not by number, and that one's home.
    pub uid: i64,
    pub user: &'static str,
    pub home: &'static str,
    /// The TCP ports on which a program without a model listens.
    pub ports: &'static [u16],
    /// What its server answers ([`super::hello::install_says`]).
    pub reply: &'static str,
    /// What makes its programs.
    pub install: Install,
    /// Whether its answers to probes never change by themselves and leave nothing in its log: the
    /// kubelet then need not ask again while nothing else changes.
    pub steady: bool,
}

const PATH: (&str, &str) = ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");

/// How old images of Node.js start their server: as if by `exec`, since recorded pods of kubernetes-bootcamp end at
/// once when they are deleted.
const NODE_SERVER: &[&str] = &["/bin/sh", "-c", "exec node server.js"];

const fn image(repository: &'static str, tags: &'static str, megabytes: u64, shell: Shell, install: Install) -> Image {
    Image {
        repository,
        tags,
        megabytes,
        shell,
        entrypoint: &[],
        cmd: &[],
        env: &[],
        workdir: "/",
        uid: 0,
        user: "",
        home: "/",
        ports: &[],
        reply: "",
        install,
        steady: false,
    }
}

impl Image {
    const fn entrypoint(mut self, entrypoint: &'static [&'static str]) -> Image {
        self.entrypoint = entrypoint;
        self
    }
    const fn cmd(mut self, cmd: &'static [&'static str]) -> Image {
        self.cmd = cmd;
        self
    }
    const fn env(mut self, env: &'static [(&'static str, &'static str)]) -> Image {
        self.env = env;
        self
    }
    const fn workdir(mut self, workdir: &'static str) -> Image {
        self.workdir = workdir;
        self
    }
    const fn uid(mut self, uid: i64) -> Image {
        self.uid = uid;
        self
    }
    const fn home(mut self, home: &'static str) -> Image {
        self.home = home;
        self
    }
    const fn user(mut self, user: &'static str) -> Image {
        self.user = user;
        self
    }
    const fn ports(mut self, ports: &'static [u16]) -> Image {
        self.ports = ports;
        self
    }
    const fn install(mut self, install: Install) -> Image {
        self.install = install;
        self
    }
    const fn steady(mut self) -> Image {
        self.steady = true;
        self
    }

    /// A distribution's image: a shell, and nothing that stays.
    const fn base(
        repository: &'static str,
        tags: &'static str,
        megabytes: u64,
        shell: Shell,
        cmd: &'static [&'static str],
    ) -> Image {
        image(repository, tags, megabytes, shell, generic::install_nothing).cmd(cmd)
    }

    /// nginx's image, or an application that it serves.
    const fn nginx(
        repository: &'static str,
        tags: &'static str,
        megabytes: u64,
        shell: Shell,
        install: Install,
    ) -> Image {
        image(repository, tags, megabytes, shell, install)
            .cmd(&["nginx", "-g", "daemon off;"])
            .env(NGINX)
            .ports(&[80])
    }

    /// A server without a model: it stays, and listens.
    const fn server(
        repository: &'static str,
        tags: &'static str,
        megabytes: u64,
        shell: Shell,
        ports: &'static [u16],
    ) -> Image {
        image(repository, tags, megabytes, shell, generic::install)
            .entrypoint(&["/entrypoint"])
            .ports(ports)
    }

    /// A small application of a tutorial that answers each request with a text, in which `{host}`, `{ip}`, `{n}` (how
    /// many requests came before) and `{env}` (its environment in JSON) are filled in. Without a text it answers with
    /// a page that stands in for its own.
    const fn says(repository: &'static str, tags: &'static str, ports: &'static [u16], reply: &'static str) -> Image {
        let mut app = image(repository, tags, 60, Shell::Debian, hello::install_says).cmd(&["/app"]);
        app.ports = ports;
        app.reply = reply;
        app
    }

    /// A component of the cluster.
    const fn system(
        repository: &'static str,
        tags: &'static str,
        megabytes: u64,
        entrypoint: &'static [&'static str],
    ) -> Image {
        image(repository, tags, megabytes, Shell::None, system::install)
            .entrypoint(entrypoint)
            .steady()
    }

    /// Bytes of a tag's compressed layers.
    pub fn size(&self, tag: &str) -> u64 {
        let name = format!("{}:{tag}", self.repository);
        if let Some((_, size, _)) = EXACT.iter().find(|(n, _, _)| *n == name) {
            return *size;
        }
        // Tags differ by some percents.
        let base = self.megabytes * 1_000_000;
        let slim = ["alpine", "slim", "scratch", "musl"].iter().any(|s| tag.contains(s));
        let base = if slim && self.shell == Shell::Debian {
            base * 2 / 5
        } else {
            base
        };
        base - base / 20 + super::stable_hash(&name, 7) % (base / 10).max(1)
    }

    /// The digest of a tag, without `sha256:`.
    pub fn digest(&self, tag: &str) -> String {
        if let Some(digest) = tag.strip_prefix("sha256:") {
            return digest.to_owned();
        }
        let name = format!("{}:{tag}", self.repository);
        match EXACT.iter().find(|(n, _, d)| *n == name && !d.is_empty()) {
            Some((_, _, digest)) => (*digest).to_owned(),
            None => stable_digest(&name),
        }
    }

    /// The variables of its configuration for a tag.
    pub fn environment(&self, tag: &str) -> Vec<(String, String)> {
        let own = self.env.iter().any(|(name, _)| *name == PATH.0);
        let standard = (!own).then_some(&PATH);
        let mut env: Vec<(String, String)> = Vec::new();
        env.extend(
            standard
                .into_iter()
                .chain(self.env)
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned())),
        );
        for (key, value) in &mut env {
            if key.ends_with("_VERSION") {
                *value = self.release(key, value, tag);
            }
        }
        env
    }

    /// The version of nginx in an image of it, or of an application that it serves.
    pub fn nginx_version(&self, tag: &str) -> String {
        self.release("NGINX_VERSION", NGINX_RELEASES, tag)
    }

    /// What a variable `X_VERSION` says for a tag. The image's tags follow its own program, not another that it has.
    fn release(&self, variable: &str, releases: &str, tag: &str) -> String {
        let program = variable.trim_end_matches("_VERSION").to_ascii_lowercase();
        let is_own = self.name().contains(&program);
        release(releases, if is_own { tag } else { "" }).to_owned()
    }

    /// Whether it brings kubectl.
    pub fn has_kubectl(&self) -> bool {
        self.name().contains("kubectl") || self.repository.ends_with("alpine/k8s")
    }

    /// The name of its program: the last part of the repository.
    pub fn name(&self) -> &'static str {
        self.repository.rsplit('/').next().unwrap_or(self.repository)
    }
}

/// What podinfo says of itself.
const PODINFO: &str = r##"{
  "hostname": "{host}",
  "version": "{tag}",
  "revision": "unknown",
  "color": "#34577c",
  "logo": "https://raw.githubusercontent.com/stefanprodan/podinfo/gh-pages/cuddle_clap.gif",
  "message": "greetings from podinfo v{tag}",
  "goos": "linux",
  "goarch": "amd64",
  "runtime": "go1.25.3",
  "num_goroutine": "8",
  "num_cpu": "2"
}"##;

/// Bytes and digests of images that recordings name.
const EXACT: &[(&str, u64, &str)] = &[
    (
        "docker.io/library/nginx:latest",
        59_774_010,
        "339495bd06f07997068950960031f9e6a858d588a33dd038cfd0e0644a44b616",
    ),
    (
        "docker.io/library/nginx:1.27",
        59_774_010,
        "5301c8206bdbfdb2d2f27bb2524d67922cad3130f8b79459081aeda69fa6211a",
    ),
    (
        "docker.io/library/busybox:latest",
        2_223_686,
        "70528c5d92232584d25be3ddfdd5b26c43ae16b12e63cc8c72fa9040868939a0",
    ),
    (
        "docker.io/library/redis:7",
        52_796_075,
        "a5ccf751e5311c3f813a308022e801fcacfb73f610da73ddba85d7422ab28b1b",
    ),
    (
        "docker.io/library/ubuntu:14.04",
        29_936_465,
        "7a9fa16979936c94bfa50bccee765b37f9dde8dbc2fe3656d0360c9a9a582840",
    ),
    (
        "registry.k8s.io/kube-proxy:v1.36.2",
        162_634_732,
        "3e2907d387f9689f5e1d6e0a4c9936731598413f18e80dc279dd72b4426cd7d5",
    ),
    (
        "registry.k8s.io/coredns/coredns:v1.14.2",
        153_490_444,
        "916598a1c5d3bbc2987ffbb5c1d1ddaef640a11600d66ff1c648059495436cc9",
    ),
    (
        "registry.k8s.io/kube-controller-manager:v1.36.2",
        145_647_535,
        "6bbfc7c7a5fec3de29a80ba4f93e3913c9c5c8cb5ac1ac7e2779a6771777302f",
    ),
    (
        "ghcr.io/flannel-io/flannel:v0.27.4",
        143_884_983,
        "596cc3161c0b0434cb8d78dd4583fe34da0589533e69baff219704648035e2c9",
    ),
    (
        "registry.k8s.io/pause:3.10.2",
        106_640_926,
        "9a5a638a9a6187bb3143a36470870d5521048b6e2f27fd363e2d023930e38ab5",
    ),
    (
        "ghcr.io/flannel-io/flannel-cni-plugin:v1.8.0-flannel1",
        96_809_724,
        "68ef494099666f75f037317989c5e5145af58327d432e1d892e4712df55cf60f",
    ),
    (
        "registry.k8s.io/etcd:3.6.8-0",
        94_642_149,
        "752d593aed3ed00ca6f7b677e926290ce32f9f11d20ac4e4c331573ed9695c5d",
    ),
    (
        "registry.k8s.io/kube-scheduler:v1.36.2",
        86_243_273,
        "10611d6b163a63a2f2311077acbe721641d285ee27294383693011404a37b081",
    ),
    (
        "registry.k8s.io/kube-apiserver:v1.36.2",
        22_446_140,
        "e5a89be0f2ae7a2706e6f2ee66b4b2c90d8160d5d1c9a4e60c5f33906a9b9387",
    ),
];

/// The last release of each line, newest first.
const NGINX_RELEASES: &str = "1.29.3 1.28.0 1.27.5 1.26.3 1.25.5 1.24.0 1.23.4 1.22.1 1.21.6 1.20.2 1.19.10 1.18.0 \
    1.17.10 1.16.1 1.15.12 1.14.2 1.13.12 1.12.2 1.11.13 1.10.3 1.9.15 1.8.1 1.7.12";

/// The same of Redis.
pub(super) const REDIS_RELEASES: &str =
    "8.4.0 8.2.3 8.0.5 7.4.7 7.2.12 7.0.15 6.2.21 6.0.20 5.0.14 4.0.14 3.2.12 3.0.7";

/// The release that a tag names: in full, by its line (`1.27`), or as the newest one. `stable` is nginx's line before
/// the newest.
pub(super) fn release<'r>(releases: &'r str, tag: &'r str) -> &'r str {
    let number = tag.split('-').next().unwrap_or("");
    let mut all = releases.split_whitespace();
    let newest = all.clone().next().unwrap_or("");
    let line = format!("{number}.");
    match number.split('.').count() {
        _ if number == "stable" => all.nth(1).unwrap_or(newest),
        _ if !number.split('.').all(|part| part.parse::<u32>().is_ok()) => newest,
        3.. => number,
        _ => all.find(|release| release.starts_with(&line)).unwrap_or(newest),
    }
}

const NGINX: &[(&str, &str)] = &[
    ("NGINX_VERSION", NGINX_RELEASES),
    ("NJS_VERSION", "0.9.4"),
    ("NJS_RELEASE", "1~bookworm"),
    ("PKG_RELEASE", "1~bookworm"),
    ("DYNPKG_RELEASE", "1~bookworm"),
];

/// Every image.
pub static IMAGES: &[Image] = &[
    // Web servers.
    Image::nginx(
        "docker.io/library/nginx",
        "latest mainline stable alpine stable-alpine mainline-alpine alpine-slim stable-perl perl alpine-perl 1.7..29",
        60,
        Shell::Debian,
        nginx::install,
    )
    .entrypoint(&["/docker-entrypoint.sh"]),
    Image::nginx(
        "docker.io/nginxinc/nginx-unprivileged",
        "latest alpine stable stable-alpine 1.16..29",
        60,
        Shell::Debian,
        nginx::install,
    )
    .entrypoint(&["/docker-entrypoint.sh"])
    .uid(101)
    .home("/nonexistent")
    .ports(&[8080]),
    Image::nginx("docker.io/bitnami/nginx", "latest", 100, Shell::Debian, nginx::install)
        .entrypoint(&["/docker-entrypoint.sh"])
        .uid(1001)
        .ports(&[8080]),
    image(
        "docker.io/library/httpd",
        "latest alpine alpine3.22 trixie bookworm 2 2.2..4",
        46,
        Shell::Debian,
        httpd::install,
    )
    .cmd(&["httpd-foreground"])
    .env(&[
        (
            "PATH",
            "/usr/local/apache2/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ),
        ("HTTPD_PREFIX", "/usr/local/apache2"),
        ("HTTPD_VERSION", "2.4.65 2.2.34"),
    ])
    .workdir("/usr/local/apache2")
    .ports(&[80]),
    image(
        "docker.io/library/caddy",
        "latest alpine 2 2.4..10",
        22,
        Shell::Alpine,
        web::install,
    )
    .cmd(&["caddy", "run"])
    .workdir("/srv")
    .ports(&[80]),
    image(
        "docker.io/library/tomcat",
        "latest 7..11 8.0..5 9.0..0 10.0..1 11.0..0",
        190,
        Shell::Debian,
        web::install,
    )
    .cmd(&["catalina.sh", "run"])
    .workdir("/usr/local/tomcat")
    .ports(&[8080]),
    Image::server(
        "docker.io/library/haproxy",
        "latest alpine lts 2.0..9 3.0..3",
        45,
        Shell::Debian,
        &[],
    ),
    Image::server(
        "docker.io/library/traefik",
        "latest 2.0..11 3.0..6 v2.0..11 v3.0..6",
        50,
        Shell::Alpine,
        &[80, 8080],
    ),
    Image::server("docker.io/envoyproxy/envoy", "v1.20..36", 65, Shell::Debian, &[10000]),
    // The tutorials' applications.
    image(
        "gcr.io/google-samples/kubernetes-bootcamp",
        "v1 v2",
        83,
        Shell::Debian,
        bootcamp::install,
    )
    .cmd(NODE_SERVER)
    .env(&[("NPM_CONFIG_LOGLEVEL", "info"), ("NODE_VERSION", "6.3.1")])
    .ports(&[8080]),
    image(
        "docker.io/jocatalin/kubernetes-bootcamp",
        "v1 v2 latest",
        83,
        Shell::Debian,
        bootcamp::install,
    )
    .cmd(NODE_SERVER)
    .env(&[("NPM_CONFIG_LOGLEVEL", "info"), ("NODE_VERSION", "6.3.1")])
    .ports(&[8080]),
    image(
        "gcr.io/google-samples/hello-app",
        "1.0 2.0 latest",
        12,
        Shell::Alpine,
        hello::install_hello_app,
    )
    .cmd(&["./hello-app"])
    .env(&[("PORT", "8080")])
    .ports(&[8080]),
    image(
        "us-docker.pkg.dev/google-samples/containers/gke/hello-app",
        "1.0 2.0 latest",
        12,
        Shell::Alpine,
        hello::install_hello_app,
    )
    .cmd(&["./hello-app"])
    .env(&[("PORT", "8080")])
    .ports(&[8080]),
    image(
        "gcr.io/google-samples/node-hello",
        "1.0",
        265,
        Shell::Debian,
        hello::install_node_hello,
    )
    .cmd(NODE_SERVER)
    .ports(&[8080]),
    image(
        "gcr.io/google-samples/hello-go-gke",
        "1.0",
        12,
        Shell::Alpine,
        hello::install_hello_go,
    )
    .cmd(&["/usr/bin/hello-go"])
    .ports(&[80]),
    Image::nginx(
        "gcr.io/google-samples/hello-frontend",
        "1.0",
        60,
        Shell::Debian,
        nginx::install_frontend,
    ),
    image(
        "docker.io/library/hello-world",
        "latest linux",
        1,
        Shell::None,
        hello::install_hello_world,
    )
    .cmd(&["/hello"]),
    image(
        "docker.io/hashicorp/http-echo",
        "latest 0.2..2 1.0..0",
        3,
        Shell::None,
        hello::install_http_echo,
    )
    .entrypoint(&["/http-echo"])
    .ports(&[5678]),
    image(
        "docker.io/traefik/whoami",
        "latest v1.6..11",
        3,
        Shell::None,
        hello::install_whoami,
    )
    .entrypoint(&["/whoami"])
    .ports(&[80]),
    image(
        "docker.io/containous/whoami",
        "latest v1.0..5",
        3,
        Shell::None,
        hello::install_whoami,
    )
    .entrypoint(&["/whoami"])
    .ports(&[80]),
    image(
        "docker.io/nginxdemos/hello",
        "latest plain-text 0.2..4",
        17,
        Shell::Alpine,
        hello::install_nginx_hello,
    )
    .cmd(&["nginx", "-g", "daemon off;"])
    .ports(&[80]),
    image(
        "docker.io/nginxdemos/nginx-hello",
        "latest plain-text 0.2..4",
        17,
        Shell::Alpine,
        hello::install_nginx_hello,
    )
    .cmd(&["nginx", "-g", "daemon off;"])
    .ports(&[8080]),
    image(
        "docker.io/ealen/echo-server",
        "latest 0.5..9",
        30,
        Shell::Alpine,
        hello::install_echo,
    )
    .cmd(&["node", "build/webserver.js"])
    .ports(&[80]),
    image(
        "docker.io/mendhak/http-https-echo",
        "latest *",
        35,
        Shell::Alpine,
        hello::install_echo,
    )
    .cmd(&["node", "./index.js"])
    .ports(&[8080]),
    image(
        "registry.k8s.io/echoserver",
        "1.0..10",
        43,
        Shell::Debian,
        hello::install_echo,
    )
    .cmd(&["/usr/local/bin/run.sh"])
    .ports(&[8080]),
    image(
        "docker.io/kicbase/echo-server",
        "latest 1.0",
        2,
        Shell::None,
        hello::install_request,
    )
    .cmd(&["/bin/echo-server"])
    .ports(&[8080]),
    image(
        "registry.k8s.io/hpa-example",
        "latest",
        180,
        Shell::Debian,
        hello::install_php,
    )
    .cmd(&["apache2-foreground"])
    .ports(&[80]),
    image(
        "registry.k8s.io/serve_hostname",
        "latest v1.4 1.1",
        3,
        Shell::None,
        agnhost::install_serve_hostname,
    )
    .cmd(&["/serve_hostname"])
    .ports(&[9376]),
    image(
        "registry.k8s.io/e2e-test-images/agnhost",
        "2.9..60",
        52,
        Shell::Alpine,
        agnhost::install,
    )
    .entrypoint(&["/agnhost"])
    .cmd(&["pause"]),
    image(
        "docker.io/kubeguide/tomcat-app",
        "v1 v2 latest",
        140,
        Shell::Debian,
        web::install,
    )
    .cmd(&["catalina.sh", "run"])
    .workdir("/usr/local/tomcat")
    .ports(&[8080]),
    image(
        "docker.io/kubeguide/guestbook-php-frontend",
        "latest localredis",
        180,
        Shell::Debian,
        hello::install_php,
    )
    .cmd(&["apache2-foreground"])
    .ports(&[80]),
    image(
        "docker.io/kubeguide/redis-master",
        "latest",
        55,
        Shell::Debian,
        redis::install,
    )
    .cmd(&["redis-server"])
    .ports(&[6379]),
    image(
        "docker.io/kubeguide/guestbook-redis-slave",
        "latest",
        55,
        Shell::Debian,
        redis::install,
    )
    .cmd(&["redis-server"])
    .ports(&[6379]),
    image(
        "gcr.io/google-samples/gb-frontend",
        "v3 v4 v5 v6",
        180,
        Shell::Debian,
        hello::install_php,
    )
    .cmd(&["apache2-foreground"])
    .ports(&[80]),
    image(
        "us-docker.pkg.dev/google-samples/containers/gke/gb-frontend",
        "v5",
        180,
        Shell::Debian,
        hello::install_php,
    )
    .cmd(&["apache2-foreground"])
    .ports(&[80]),
    image(
        "gcr.io/google-samples/gb-redisslave",
        "v1 v3",
        55,
        Shell::Debian,
        redis::install,
    )
    .cmd(&["redis-server"])
    .ports(&[6379]),
    image(
        "gcr.io/google-samples/gb-redis-follower",
        "v1 v2",
        55,
        Shell::Debian,
        redis::install,
    )
    .cmd(&["redis-server"])
    .ports(&[6379]),
    image(
        "us-docker.pkg.dev/google-samples/containers/gke/gb-redis-follower",
        "v2",
        55,
        Shell::Debian,
        redis::install,
    )
    .cmd(&["redis-server"])
    .ports(&[6379]),
    image(
        "docker.io/bprashanth/nginxhttps",
        "1.0 latest",
        60,
        Shell::Debian,
        nginx::install,
    )
    .cmd(&["nginx", "-g", "daemon off;"])
    .ports(&[80, 443]),
    image("registry.k8s.io/redis", "e2e", 55, Shell::Debian, redis::install)
        .cmd(&["redis-server"])
        .ports(&[6379]),
    Image::says("docker.io/stefanprodan/podinfo", "latest 4.0..1 5.0..9 6.0..9", &[9898], PODINFO).install(hello::install_podinfo),
    Image::says("ghcr.io/stefanprodan/podinfo", "latest 4.0..1 5.0..9 6.0..9", &[9898], PODINFO).install(hello::install_podinfo),
    image("docker.io/polinux/stress", "latest", 4, Shell::Alpine, stress::install).cmd(&["stress"]),
    image("docker.io/progrium/stress", "latest", 240, Shell::Debian, stress::install).entrypoint(&["/usr/bin/stress"]),
    image("docker.io/vish/stress", "latest", 2, Shell::None, stress::install).entrypoint(&["/stress"]),
    // Those of books and courses.
    image(
        "registry.k8s.io/nginx-slim",
        "0.1..27",
        60,
        Shell::Debian,
        nginx::install,
    )
    .cmd(&["nginx", "-g", "daemon off;"])
    .ports(&[80]),
    image(
        "registry.k8s.io/e2e-test-images/nginx",
        "1.14..15",
        60,
        Shell::Alpine,
        nginx::install,
    )
    .cmd(&["nginx", "-g", "daemon off;"])
    .ports(&[80]),
    Image::nginx(
        "docker.io/ikubernetes/myapp",
        "latest v1 v2 v3 v4 v5 v6 v7",
        6,
        Shell::Alpine,
        nginx::install_myapp,
    ),
    Image::nginx(
        "docker.io/wangyanglinux/myapp",
        "latest v1 v2 v3 v4",
        6,
        Shell::Alpine,
        nginx::install_myapp,
    ),
    Image::says(
        "docker.io/tutum/hello-world",
        "latest",
        &[80],
        "<html>\n<body>\n\t<h1>Hello world!</h1>\n\t<h3>My hostname is {host}</h3>\n</body>\n</html>\n",
    ),
    Image::nginx(
        "ghcr.io/nginxinc/nginx-unprivileged",
        "latest alpine stable stable-alpine 1.16..29",
        60,
        Shell::Debian,
        nginx::install,
    )
    .entrypoint(&["/docker-entrypoint.sh"])
    .uid(101)
    .home("/nonexistent")
    .ports(&[8080]),
    image(
        "docker.io/luksa/kubia",
        "latest v1 v2 v3 v4",
        250,
        Shell::Debian,
        hello::install_kubia,
    )
    .entrypoint(&["node", "app.js"])
    .ports(&[8080]),
    image(
        "docker.io/luksa/kubia-unhealthy",
        "latest",
        250,
        Shell::Debian,
        hello::install_kubia,
    )
    .entrypoint(&["node", "app.js"])
    .ports(&[8080]),
    image(
        "docker.io/luksa/kubia-pet",
        "latest",
        250,
        Shell::Debian,
        hello::install_kubia,
    )
    .entrypoint(&["node", "app.js"])
    .ports(&[8080]),
    Image::base(
        "docker.io/luksa/fortune",
        "latest env args",
        90,
        Shell::Debian,
        &[],
    )
    .entrypoint(&[
        "bash",
        "-c",
        "trap exit INT; t=${1:-${INTERVAL:-10}}; echo Configured to generate new fortune every $t seconds; mkdir -p /var/htdocs; while :; do echo $(date) Writing fortune to /var/htdocs/index.html; echo \"Your lucky number is $RANDOM$RANDOM.  Watch for it everywhere.\" > /var/htdocs/index.html; sleep $t; done",
        "fortune",
    ]),
    Image::base(
        "docker.io/luksa/batch-job",
        "latest",
        2,
        Shell::Busybox,
        &["sh", "-c", "echo $(date) Batch job starting; sleep 120; echo $(date) Finished succesfully"],
    ),
    Image::base(
        "docker.io/luksa/ssd-monitor",
        "latest",
        2,
        Shell::Busybox,
        &["sh", "-c", "while :; do echo SSD OK; sleep 5; done"],
    ),
    Image::says("gcr.io/kuar-demo/kuard-amd64", "latest 1 2 3 blue green purple", &[8080], ""),
    image(
        "docker.io/jmalloc/echo-server",
        "latest 0.1..3",
        4,
        Shell::None,
        hello::install_request,
    )
    .cmd(&["/bin/echo-server"])
    .ports(&[8080]),
    Image::says(
        "docker.io/katacoda/docker-http-server",
        "latest health v1 v2 v3",
        &[80],
        "<h1>This request was processed by host: {host}</h1>",
    ),
    Image::says("docker.io/wardviaene/k8s-demo", "latest 1..2", &[3000], "Hello World!"),
    Image::says("docker.io/bmuschko/nodejs-hello-world", "latest 1.0.0", &[3000], "Hello World"),
    Image::says(
        "docker.io/bmuschko/nodejs-read-config",
        "latest 1.0.0",
        &[8080],
        "Database URL: localhost:5432/customers",
    ),
    Image::says(
        "quay.io/openshiftlabs/simpleservice",
        "0.5.0",
        &[9876],
        "{\"host\": \"{ip}:9876\", \"version\": \"0.5.0\", \"healthy\": true}",
    ),
    Image::says(
        "docker.io/dgkanatsios/simpleapp",
        "latest",
        &[8080],
        "Hello world from {host} and version 2.0",
    ),
    Image::says("quay.io/rhdevelopers/myboot", "v1 latest", &[8080], "Aloha from Spring Boot! {n} on {host}"),
    Image::says("quay.io/rhdevelopers/myboot", "v2", &[8080], "Bonjour from Spring Boot! {n} on {host}"),
    Image::says("quay.io/rhdevelopers/myboot", "v3 v4", &[8080], "Jambo from Spring Boot! {n} on {host}"),
    Image::says("docker.io/jpetazzo/httpenv", "latest", &[8888], "{env}"),
    Image::says("docker.io/bretfisher/httpenv", "latest", &[8888], "{env}"),
    Image::says("docker.io/dockercoins/hasher", "latest v0.1", &[80], "HASHER running on {host}"),
    Image::says("docker.io/dockercoins/rng", "latest v0.1", &[80], "RNG running on {host}"),
    Image::says("docker.io/dockercoins/webui", "latest v0.1", &[80], ""),
    Image::base(
        "docker.io/dockercoins/worker",
        "latest v0.1",
        60,
        Shell::Debian,
        &["sh", "-c", "while sleep 1; do echo 'INFO:__main__:4 units of work done, updating hash counter'; done"],
    ),
    Image::says(
        "docker.io/strm/helloworld-http",
        "latest",
        &[80],
        "<html><head><title>HTTP Hello World</title></head><body><h1>Hello from {host}</h1></body></html",
    ),
    Image::says("docker.io/in28min/hello-world-rest-api", "*", &[8080], "{healthy:true}"),
    Image::says(
        "ghcr.io/eficode-academy/quotes-flask-backend",
        "latest release",
        &[5000],
        "Hello from the backend!",
    ),
    Image::says("ghcr.io/eficode-academy/quotes-flask-frontend", "latest release", &[5000], ""),
    Image::says("docker.io/nanajanashia/k8s-demo-app", "v1.0", &[3000], ""),
    Image::says("docker.io/stacksimplify/kubenginx", "1.0..0 2.0..0 3.0..0 4.0..0", &[80], ""),
    Image::says("docker.io/karthequian/helloworld", "latest black blue", &[80], ""),
    Image::says("docker.io/dockersamples/examplevotingapp_vote", "latest before after", &[80], ""),
    Image::says("docker.io/dockersamples/examplevotingapp_result", "latest before after", &[80], ""),
    Image::says("docker.io/kodekloud/examplevotingapp_vote", "v1", &[80], ""),
    Image::says("docker.io/kodekloud/examplevotingapp_result", "v1", &[80], ""),
    Image::server("docker.io/dockersamples/examplevotingapp_worker", "latest", 60, Shell::Debian, &[]),
    Image::server("docker.io/kodekloud/examplevotingapp_worker", "v1", 60, Shell::Debian, &[]),
    Image::base(
        "docker.io/kodekloud/event-simulator",
        "latest",
        30,
        Shell::Alpine,
        &[
            "sh",
            "-c",
            concat!(
                "say() { echo \"[$(date '+%F %T'),$((i*37%900+100))] $1 in event-simulator: $2\" | tee -a /log/app.log; }\n",
                "mkdir -p /log; i=0; while sleep 1; do i=$((i+1)); case $((RANDOM%5)) in\n",
                "0) what='logged in';; 1) what='logged out';; *) what=\"is viewing page$((RANDOM%3+1))\";; esac\n",
                "say INFO \"USER$((RANDOM%4+1)) $what\"\n",
                "[ $((i%5)) != 0 ] || say WARNING 'USER5 Failed to Login as the account is locked due to MANY FAILED ATTEMPTS.'\n",
                "[ $((i%8)) != 0 ] || say WARNING 'USER7 Order failed as the item is OUT OF STOCK.'\ndone",
            ),
        ],
    ),
    Image::says("docker.io/kodekloud/simple-webapp", "latest 1..2", &[8080], ""),
    Image::says("docker.io/kodekloud/simple-webapp-mysql", "latest", &[8080], ""),
    Image::says("docker.io/kodekloud/webapp-delayed-start", "latest", &[8080], ""),
    Image::says("docker.io/kodekloud/webapp-conntest", "latest", &[8080], ""),
    Image::says("docker.io/kodekloud/ecommerce", "*", &[8080], ""),
    Image::base(
        "docker.io/kodekloud/throw-dice",
        "latest",
        2,
        Shell::Alpine,
        &["sh", "-c", "d=$((RANDOM%6+1)); echo $d; [ $d = 6 ]"],
    ),
    Image::says("docker.io/argoproj/rollouts-demo", "*", &[8080], ""),
    Image::says("docker.io/alexwhen/docker-2048", "latest", &[80], ""),
    Image::says("public.ecr.aws/l6m2t8p7/docker-2048", "latest", &[80], ""),
    Image::says("docker.io/library/mongo-express", "latest 0.49..54 1.0..0", &[8081], ""),
    Image::says("docker.io/kennethreitz/httpbin", "latest", &[80], ""),
    Image::says("docker.io/kong/httpbin", "latest 0.1..2", &[80], ""),
    Image::says("mcr.microsoft.com/azuredocs/azure-vote-front", "v1 v2", &[80], ""),
    Image::says("ghcr.io/azure-samples/aks-store-demo/store-front", "latest 1.0..5 2.0..1", &[8080], ""),
    Image::says("ghcr.io/azure-samples/aks-store-demo/order-service", "latest 1.0..5 2.0..1", &[3000], ""),
    Image::says("ghcr.io/azure-samples/aks-store-demo/product-service", "latest 1.0..5 2.0..1", &[3002], ""),
    Image::says("mcr.microsoft.com/dotnet/samples", "aspnetapp", &[8080], ""),
    Image::says("docker.io/portainer/portainer-ce", "latest 2.0..33", &[9000], ""),
    Image::says("docker.io/nigelpoulton/getting-started-k8s", "*", &[8080], ""),
    Image::says("docker.io/nigelpoulton/qsk-book", "*", &[8080], ""),
    image("registry.k8s.io/liveness", "latest", 2, Shell::None, agnhost::install).cmd(&["/server"]),
    image("registry.k8s.io/test-webserver", "latest", 2, Shell::None, web::install)
        .cmd(&["/test-webserver"])
        .ports(&[80]),
    image(
        "docker.io/paulbouwer/hello-kubernetes",
        "latest 1 1.0..10",
        40,
        Shell::Alpine,
        web::install,
    )
    .cmd(&["npm", "start"])
    .ports(&[8080]),
    image(
        "docker.io/nigelpoulton/k8sbook",
        "*",
        30,
        Shell::Alpine,
        web::install,
    )
    .cmd(&["node", "./app.js"])
    .ports(&[8080]),
    image(
        "docker.io/kodekloud/webapp-color",
        "latest v1 v2 v3",
        30,
        Shell::Alpine,
        webapp_color::install,
    )
    .entrypoint(&["python", "app.py"])
    .ports(&[8080]),
    image(
        "docker.io/docker/getting-started",
        "latest",
        18,
        Shell::Alpine,
        web::install,
    )
    .cmd(&["nginx", "-g", "daemon off;"])
    .ports(&[80]),
    image(
        "mcr.microsoft.com/azuredocs/aks-helloworld",
        "v1",
        340,
        Shell::Debian,
        web::install,
    )
    .cmd(&["/start.sh"])
    .ports(&[80]),
    Image::server("registry.k8s.io/goproxy", "0.1", 2, Shell::None, &[8080]).entrypoint(&["/goproxy"]),
    Image::server(
        "docker.io/fluent/fluentd-kubernetes-daemonset",
        "*",
        80,
        Shell::Debian,
        &[24231],
    )
    .cmd(&["fluentd"]),
    Image::server("registry.k8s.io/fluentd-gcp", "1.30", 130, Shell::Debian, &[]).cmd(&["fluentd"]),
    Image::server("registry.k8s.io/fluentd-elasticsearch", "1.20", 130, Shell::Debian, &[]).cmd(&["fluentd"]),
    Image::server("docker.io/hazelcast/hazelcast", "latest 4.0..2 5.0..5", 400, Shell::Debian, &[5701]),
    Image::base("gcr.io/google-samples/xtrabackup", "1.0", 75, Shell::Debian, &["bash"]),
    // Distributions and languages.
    Image::base(
        "docker.io/library/busybox",
        "latest glibc musl uclibc stable stable-glibc stable-musl 1 1.24..37",
        2,
        Shell::Busybox,
        &["sh"],
    ),
    Image::base("registry.k8s.io/busybox", "latest 1.24..27", 1, Shell::Busybox, &["sh"]),
    Image::base(
        "registry.k8s.io/e2e-test-images/busybox",
        "1.29..37",
        1,
        Shell::Busybox,
        &["sh"],
    ),
    Image::base(
        "docker.io/radial/busyboxplus",
        "latest curl",
        5,
        Shell::Busybox,
        &["/bin/sh"],
    ),
    Image::base(
        "docker.io/library/alpine",
        "latest edge 3 3.5..22",
        4,
        Shell::Alpine,
        &["/bin/sh"],
    ),
    Image::base(
        "docker.io/curlimages/curl",
        "latest 7.60..99 8.0..17",
        9,
        Shell::Alpine,
        &["curl"],
    )
    .entrypoint(&["/entrypoint.sh"])
    .uid(100)
    .user("curl_user")
    .home("/home/curl_user"),
    Image::base(
        "docker.io/library/ubuntu",
        "latest rolling devel noble jammy focal bionic xenial trusty 14.04..10 16.04..10 18.04..10 20.04..10 22.04..10 24.04..10 25.04..10",
        30,
        Shell::Debian,
        &["/bin/bash"],
    ),
    Image::base(
        "docker.io/library/debian",
        "latest stable stable-slim bookworm bookworm-slim bullseye bullseye-slim buster trixie trixie-slim 8..13",
        48,
        Shell::Debian,
        &["bash"],
    ),
    Image::base(
        "docker.io/library/centos",
        "latest centos7 centos8 6..8",
        76,
        Shell::Debian,
        &["/bin/bash"],
    ),
    Image::base(
        "docker.io/library/rockylinux",
        "8..9",
        70,
        Shell::Debian,
        &["/bin/bash"],
    ),
    Image::base(
        "docker.io/library/fedora",
        "latest 33..43",
        80,
        Shell::Debian,
        &["/bin/bash"],
    ),
    Image::base(
        "docker.io/library/amazonlinux",
        "latest 1..2 2023",
        60,
        Shell::Debian,
        &["/bin/bash"],
    ),
    Image::base(
        "docker.io/library/bash",
        "latest 4..5 5.0..3",
        6,
        Shell::Alpine,
        &["bash"],
    ),
    Image::base(
        "docker.io/nicolaka/netshoot",
        "latest v0.1..14",
        200,
        Shell::Alpine,
        &["zsh"],
    ),
    Image::base(
        "registry.k8s.io/e2e-test-images/jessie-dnsutils",
        "1.3..9",
        115,
        Shell::Debian,
        &["/bin/sh"],
    ),
    Image::base(
        "gcr.io/kubernetes-e2e-test-images/dnsutils",
        "1.3",
        80,
        Shell::Debian,
        &["/bin/sh"],
    ),
    Image::base("docker.io/tutum/dnsutils", "latest", 70, Shell::Debian, &["/bin/bash"]),
    Image::base("docker.io/infoblox/dnstools", "latest", 30, Shell::Alpine, &["/bin/bash"]),
    Image::base("docker.io/amouat/network-utils", "latest", 90, Shell::Debian, &["/bin/bash"]),
    Image::base("docker.io/giantswarm/tiny-tools", "latest", 15, Shell::Alpine, &["/bin/sh"]),
    Image::base("docker.io/yauritux/busybox-curl", "latest", 5, Shell::Busybox, &["sh"]),
    Image::base("docker.io/appropriate/curl", "latest", 3, Shell::Alpine, &["-h"]).entrypoint(&["/usr/bin/curl"]),
    Image::base("docker.io/alpine/curl", "latest 3.14 7.80..88 8.0..17", 6, Shell::Alpine, &["-h"]).entrypoint(&["/usr/bin/curl"]),
    Image::base("docker.io/byrnedo/alpine-curl", "latest", 3, Shell::Alpine, &["-h"]).entrypoint(&["/usr/bin/curl"]),
    Image::base("docker.io/kodekloud/ubuntu-sleeper", "latest", 30, Shell::Debian, &["5"]).entrypoint(&["sleep"]),
    Image::base("docker.io/tutum/curl", "latest", 80, Shell::Debian, &["/bin/bash"]),
    Image::says(
        "docker.io/praqma/network-multitool",
        "latest alpine-extra extra minimal",
        &[80],
        "Praqma Network MultiTool (with NGINX) - {host} - {ip}",
    ),
    Image::says(
        "docker.io/wbitt/network-multitool",
        "latest extra minimal alpine-extra alpine-minimal",
        &[80],
        "WBITT Network MultiTool (with NGINX) - {host} - {ip} - HTTP: 80 , HTTPS: 443 . (Formerly praqma/network-multitool)",
    ),
    image(
        "docker.io/library/perl",
        "latest slim 5 5.20..42",
        370,
        Shell::Debian,
        perl::install,
    )
    .cmd(&["perl", "-de0"])
    .workdir("/usr/src/app"),
    Image::base(
        "docker.io/library/golang",
        "latest alpine bookworm 1.10..25",
        300,
        Shell::Debian,
        &["bash"],
    )
    .workdir("/go"),
    Image::base(
        "docker.io/library/python",
        "latest alpine slim 2.7..7 3.5..14 3",
        390,
        Shell::Debian,
        &["python3"],
    ).install(generic::install_python),
    Image::base(
        "docker.io/library/node",
        "latest lts alpine lts-alpine slim 8..25 10.0..24 12.0..22 14.0..21 16.0..20 18.0..20 20.0..20 22.0..22",
        390,
        Shell::Debian,
        &["node"],
    ),
    Image::base(
        "docker.io/library/openjdk",
        "latest 8..22",
        240,
        Shell::Debian,
        &["jshell"],
    ),
    Image::base(
        "docker.io/library/eclipse-temurin",
        "latest 8..25",
        200,
        Shell::Debian,
        &["jshell"],
    ),
    Image::base(
        "docker.io/library/maven",
        "latest 3 3.5..9",
        270,
        Shell::Debian,
        &["mvn"],
    ),
    Image::base(
        "docker.io/library/ruby",
        "latest alpine slim 2.5..7 3.0..4",
        360,
        Shell::Debian,
        &["irb"],
    ),
    Image::base(
        "docker.io/library/rust",
        "latest alpine slim 1 1.50..91",
        540,
        Shell::Debian,
        &["bash"],
    ),
    Image::base("docker.io/library/gcc", "latest 8..15", 480, Shell::Debian, &["bash"]),
    Image::base(
        "docker.io/library/docker",
        "latest cli dind 20..29",
        130,
        Shell::Alpine,
        &["sh"],
    ),
    Image::says(
        "docker.io/library/php",
        "apache 5-apache 7-apache 8-apache 7.2-apache 7.3-apache 7.4-apache 8.0-apache 8.1-apache 8.2-apache 8.3-apache 8.4-apache",
        &[80],
        "",
    )
    .workdir("/var/www/html"),
    Image::base(
        "docker.io/library/php",
        "latest cli fpm alpine 7.0..4 8.0..4",
        170,
        Shell::Debian,
        &["php", "-a"],
    ),
    Image::base(
        "docker.io/bitnami/kubectl",
        "latest 1.20..36",
        110,
        Shell::Debian,
        &["--help"],
    )
    .entrypoint(&["kubectl"])
    .uid(1001),
    Image::base("registry.k8s.io/kubectl", "v1.28..36", 20, Shell::None, &[]).entrypoint(&["kubectl"]),
    Image::base("docker.io/rancher/kubectl", "v1.20..36", 20, Shell::None, &[]).entrypoint(&["kubectl"]),
    Image::base("docker.io/alpine/kubectl", "latest 1.30..36", 20, Shell::Alpine, &["--help"]).entrypoint(&["kubectl"]),
    Image::base("docker.io/lachlanevenson/k8s-kubectl", "latest v1.10..25", 20, Shell::Alpine, &["--help"])
        .entrypoint(&["kubectl"]),
    Image::base("docker.io/alpine/k8s", "1.20..36", 200, Shell::Alpine, &["/bin/bash"]),
    Image::base("docker.io/alpine/git", "latest", 30, Shell::Alpine, &["--help"]).entrypoint(&["git"]),
    Image::base(
        "docker.io/library/buildpack-deps",
        "latest curl",
        320,
        Shell::Debian,
        &["bash"],
    ),
    // Stores and queues.
    image(
        "docker.io/library/redis",
        "latest alpine 3..8 3.0..2 4.0..0 5.0..0 6.0..2 7.0..4 8.0..4",
        53,
        Shell::Debian,
        redis::install,
    )
    .entrypoint(&["docker-entrypoint.sh"])
    .cmd(&["redis-server"])
    .env(&[("REDIS_VERSION", REDIS_RELEASES)])
    .workdir("/data")
    .ports(&[6379]),
    image("docker.io/bitnami/redis", "latest", 60, Shell::Debian, redis::install)
        .cmd(&["redis-server"])
        .uid(1001)
        .ports(&[6379]),
    image(
        "docker.io/valkey/valkey",
        "latest alpine 7..9 7.2..2 8.0..1",
        50,
        Shell::Debian,
        redis::install,
    )
    .cmd(&["valkey-server"])
    .workdir("/data")
    .ports(&[6379]),
    image(
        "docker.io/library/mysql",
        "latest lts innovation 5 8 9 5.5..7 8.0..4 9.0..5 debian oracle",
        240,
        Shell::Debian,
        mysql::install,
    )
    .ports(&[3306])
    .entrypoint(&["docker-entrypoint.sh"])
    .cmd(&["mysqld"]),
    Image::server(
        "docker.io/library/mariadb",
        "latest lts 5 10 11 12 10.0..11 11.0..8 12.0..1",
        120,
        Shell::Debian,
        &[3306],
    )
    .entrypoint(&["docker-entrypoint.sh"])
    .cmd(&["mariadbd"]),
    Image::server(
        "docker.io/library/postgres",
        "latest alpine 9..18 9.4..6 10.0..23 11.0..22 12.0..22 13.0..23 14.0..20 15.0..15 16.0..11 17.0..7 18.0..1",
        160,
        Shell::Debian,
        &[5432],
    )
    .entrypoint(&["docker-entrypoint.sh"])
    .cmd(&["postgres"])
    .env(&[("PGDATA", "/var/lib/postgresql/data")]),
    Image::server(
        "docker.io/library/mongo",
        "latest 3..8 3.2..6 4.0..4 5.0..0 6.0..0 7.0..0 8.0..2",
        280,
        Shell::Debian,
        &[27017],
    )
    .entrypoint(&["docker-entrypoint.sh"])
    .cmd(&["mongod"]),
    Image::server(
        "docker.io/library/memcached",
        "latest alpine 1 1.4..6",
        30,
        Shell::Debian,
        &[11211],
    )
    .entrypoint(&["docker-entrypoint.sh"])
    .cmd(&["memcached"]),
    Image::server(
        "docker.io/library/rabbitmq",
        "latest management alpine 3 4 3.6..13 4.0..2",
        100,
        Shell::Debian,
        &[5672],
    )
    .entrypoint(&["docker-entrypoint.sh"])
    .cmd(&["rabbitmq-server"]),
    Image::server(
        "docker.io/library/cassandra",
        "latest 3..5 3.11..11 4.0..1 5.0..0",
        150,
        Shell::Debian,
        &[9042],
    )
    .entrypoint(&["docker-entrypoint.sh"])
    .cmd(&["cassandra", "-f"]),
    Image::server(
        "gcr.io/google-samples/cassandra",
        "v11 v12 v13 v14",
        150,
        Shell::Debian,
        &[9042],
    ),
    Image::server(
        "docker.io/library/elasticsearch",
        "5..9 6.0..8 7.0..17 8.0..19 9.0..2",
        450,
        Shell::Debian,
        &[9200, 9300],
    ),
    Image::server(
        "docker.io/library/kibana",
        "5..9 7.0..17 8.0..19 9.0..2",
        450,
        Shell::Debian,
        &[5601],
    ),
    Image::server(
        "docker.io/library/logstash",
        "5..9 7.0..17 8.0..19",
        450,
        Shell::Debian,
        &[5044],
    ),
    image(
        "docker.io/library/influxdb",
        "latest alpine 1..3 1.0..11 2.0..7 3.0..6",
        160,
        Shell::Debian,
        web::install_influxdb,
    )
    .entrypoint(&["/entrypoint.sh"])
    .cmd(&["influxd"])
    .ports(&[8086]),
    Image::server(
        "docker.io/library/zookeeper",
        "latest 3.4..9",
        130,
        Shell::Debian,
        &[2181],
    ),
    Image::server(
        "registry.k8s.io/kubernetes-zookeeper",
        "1.0-3.4.10",
        110,
        Shell::Debian,
        &[2181],
    )
    .cmd(&["start-zookeeper"]),
    Image::server("docker.io/library/consul", "1.0..15 latest", 50, Shell::Alpine, &[8500]),
    Image::server("docker.io/library/vault", "1.0..13 latest", 80, Shell::Alpine, &[8200]),
    Image::server(
        "docker.io/library/nats",
        "latest alpine 2 2.0..12",
        8,
        Shell::None,
        &[4222],
    ),
    Image::server("docker.io/minio/minio", "latest *", 60, Shell::Debian, &[9000]),
    Image::server("quay.io/minio/minio", "latest *", 60, Shell::Debian, &[9000]),
    Image::server(
        "docker.io/library/registry",
        "latest 2..3 2.0..8 3.0..0",
        10,
        Shell::Alpine,
        &[5000],
    ),
    Image::server("docker.io/bitnami/mysql", "latest", 150, Shell::Debian, &[3306]),
    Image::server("docker.io/bitnami/postgresql", "latest", 120, Shell::Debian, &[5432]),
    Image::server(
        "docker.io/confluentinc/cp-kafka",
        "latest 5.0..5 6.0..2 7.0..9 8.0..1",
        400,
        Shell::Debian,
        &[9092],
    ),
    Image::server(
        "docker.io/apache/kafka",
        "latest 3.7..9 4.0..1",
        230,
        Shell::Alpine,
        &[9092],
    ),
    // Applications.
    image(
        "docker.io/library/ghost",
        "latest alpine 1..6 2.0..38 3.0..42 4.0..48 5.0..130 6.0..10",
        170,
        Shell::Debian,
        web::install,
    )
    .entrypoint(&["docker-entrypoint.sh"])
    .cmd(&["node", "current/index.js"])
    .ports(&[2368]),
    image(
        "docker.io/library/wordpress",
        "latest 4..6 4.0..9 5.0..9 6.0..8 php8.2-apache apache",
        240,
        Shell::Debian,
        web::install,
    )
    .entrypoint(&["docker-entrypoint.sh"])
    .cmd(&["apache2-foreground"])
    .workdir("/var/www/html")
    .ports(&[80]),
    image(
        "docker.io/library/drupal",
        "latest 8..11 9.0..5 10.0..5 11.0..2",
        180,
        Shell::Debian,
        web::install,
    )
    .cmd(&["apache2-foreground"])
    .ports(&[80]),
    image(
        "docker.io/library/nextcloud",
        "latest 20..32",
        400,
        Shell::Debian,
        web::install,
    )
    .cmd(&["apache2-foreground"])
    .ports(&[80]),
    image(
        "docker.io/library/phpmyadmin",
        "latest 4..5",
        170,
        Shell::Debian,
        web::install,
    )
    .cmd(&["apache2-foreground"])
    .ports(&[80]),
    image(
        "docker.io/library/adminer",
        "latest 4..5",
        50,
        Shell::Alpine,
        web::install,
    )
    .cmd(&["php"])
    .ports(&[8080]),
    image(
        "docker.io/jenkins/jenkins",
        "latest lts lts-jdk17 lts-jdk21 2.200..540",
        270,
        Shell::Debian,
        web::install,
    )
    .cmd(&["jenkins.sh"])
    .uid(1000)
    .user("jenkins")
    .home("/var/jenkins_home")
    .ports(&[8080]),
    image(
        "docker.io/library/sonarqube",
        "latest lts community 8..10",
        350,
        Shell::Debian,
        web::install,
    )
    .cmd(&["sonar.sh"])
    .ports(&[9000]),
    image(
        "docker.io/grafana/grafana",
        "latest 6.0..7 7.0..5 8.0..5 9.0..5 10.0..4 11.0..6 12.0..3",
        140,
        Shell::Alpine,
        web::install,
    )
    .cmd(&["/run.sh"])
    .uid(472)
    .home("/home/grafana")
    .ports(&[3000]),
    image(
        "docker.io/prom/prometheus",
        "latest v2.0..55 v3.0..7",
        110,
        Shell::Busybox,
        web::install,
    )
    .cmd(&["/bin/prometheus"])
    .uid(65534)
    .user("nobody")
    .home("/home")
    .ports(&[9090]),
    image(
        "quay.io/prometheus/prometheus",
        "latest v2.0..55 v3.0..7",
        110,
        Shell::Busybox,
        web::install,
    )
    .cmd(&["/bin/prometheus"])
    .uid(65534)
    .user("nobody")
    .home("/home")
    .ports(&[9090]),
    image(
        "docker.io/prom/node-exporter",
        "latest v0.16..18 v1.0..10",
        12,
        Shell::Busybox,
        web::install,
    )
    .cmd(&["/bin/node_exporter"])
    .ports(&[9100]),
    image(
        "docker.io/prom/alertmanager",
        "latest v0.15..29",
        30,
        Shell::Busybox,
        web::install,
    )
    .cmd(&["/bin/alertmanager"])
    .ports(&[9093]),
    image(
        "index.tenxcloud.com/google_containers/kubernetes-dashboard-amd64",
        "v1.4.1",
        30,
        Shell::None,
        web::install,
    )
    .entrypoint(&["/dashboard"])
    .ports(&[9090]),
    image(
        "gcr.io/google_containers/kubernetes-dashboard-amd64",
        "v1.0..10",
        30,
        Shell::None,
        web::install,
    )
    .entrypoint(&["/dashboard"])
    .ports(&[9090]),
    image(
        "k8s.gcr.io/kubernetes-dashboard-amd64",
        "v1.8..10",
        40,
        Shell::None,
        web::install,
    )
    .entrypoint(&["/dashboard"])
    .ports(&[8443]),
    image(
        "docker.io/kubernetesui/dashboard",
        "v2.0..7 latest",
        75,
        Shell::None,
        web::install,
    )
    .entrypoint(&["/dashboard"])
    .ports(&[8443]),
    image(
        "docker.io/kubernetesui/metrics-scraper",
        "v1.0..0",
        20,
        Shell::None,
        web::install,
    )
    .cmd(&["/metrics-sidecar"])
    .ports(&[8000]),
    image(
        "docker.io/weaveworks/scope",
        "latest 1.0..13",
        30,
        Shell::Alpine,
        web::install,
    )
    .cmd(&["/home/weave/entrypoint.sh"])
    .ports(&[4040]),
    image(
        "registry.k8s.io/ingress-nginx/controller",
        "v0.40..51 v1.0..14",
        105,
        Shell::Alpine,
        ingress_nginx::install,
    )
    .entrypoint(&["/usr/bin/dumb-init", "--"])
    .cmd(&["/nginx-ingress-controller"])
    .uid(101)
    .user("www-data")
    .home("/usr/local/nginx")
    .ports(&[80, 443, 10254]),
    image(
        "registry.k8s.io/ingress-nginx/kube-webhook-certgen",
        "v1.0..6 v20220916-gd32f8c343 v20230407 v20231011-8b53cabe0",
        22,
        Shell::None,
        ingress_nginx::install_certgen,
    )
    .entrypoint(&["/kube-webhook-certgen"]),
    image(
        "docker.io/library/fluentd",
        "latest v1.3..19",
        40,
        Shell::Alpine,
        generic::install,
    )
    .cmd(&["fluentd"])
    .ports(&[24224]),
    image(
        "docker.io/fluent/fluentd",
        "latest v1.3..19",
        40,
        Shell::Alpine,
        generic::install,
    )
    .cmd(&["fluentd"])
    .ports(&[24224]),
    image(
        "quay.io/fluentd_elasticsearch/fluentd",
        "v2.5..9 v3.0..4 v5.0..0",
        90,
        Shell::Debian,
        generic::install,
    )
    .cmd(&["/entrypoint.sh"]),
    image(
        "docker.io/fluent/fluent-bit",
        "latest 1.0..9 2.0..2 3.0..2 4.0..2",
        30,
        Shell::None,
        generic::install,
    )
    .cmd(&["/fluent-bit/bin/fluent-bit"])
    .ports(&[2020]),
    image(
        "docker.io/library/telegraf",
        "latest 1.10..36",
        150,
        Shell::Debian,
        generic::install,
    )
    .cmd(&["telegraf"]),
    // The cluster's own.
    Image::system("registry.k8s.io/pause", "3 3.0..10 latest", 1, &["/pause"]),
    Image::system("registry.k8s.io/kube-apiserver", "v1.20..36", 28, &[]),
    Image::system("registry.k8s.io/kube-controller-manager", "v1.20..36", 27, &[]),
    Image::system("registry.k8s.io/kube-scheduler", "v1.20..36", 20, &[]),
    Image::system(
        "registry.k8s.io/kube-proxy",
        "v1.20..36",
        32,
        &["/usr/local/bin/kube-proxy"],
    ),
    Image::system("registry.k8s.io/etcd", "3.4..6", 60, &[]),
    Image::system("registry.k8s.io/coredns/coredns", "v1.8..14", 21, &["/coredns"]),
    Image::system("docker.io/coredns/coredns", "latest 1.6..14", 21, &["/coredns"]),
    Image::system(
        "ghcr.io/flannel-io/flannel",
        "v0.22..27 latest",
        34,
        &["/opt/bin/flanneld"],
    ),
    Image::system(
        "docker.io/flannel/flannel",
        "v0.22..27 latest",
        34,
        &["/opt/bin/flanneld"],
    ),
    Image::system("ghcr.io/flannel-io/flannel-cni-plugin", "v1.2..8", 5, &["/flannel"]),
    Image::system("docker.io/flannel/flannel-cni-plugin", "v1.2..8", 5, &["/flannel"]),
    Image::system(
        "registry.k8s.io/metrics-server/metrics-server",
        "v0.4..8",
        20,
        &["/metrics-server"],
    ),
    Image::system(
        "gcr.io/k8s-staging-sig-storage/nfs-subdir-external-provisioner",
        "v4.0..0",
        17,
        &["/nfs-subdir-external-provisioner"],
    ),
    Image::system(
        "registry.k8s.io/sig-storage/nfs-subdir-external-provisioner",
        "v4.0..0",
        17,
        &["/nfs-subdir-external-provisioner"],
    ),
    Image::system(
        "docker.io/rancher/local-path-provisioner",
        "v0.0..0",
        18,
        &["local-path-provisioner"],
    ),
];

/// What a registry says of an image.
pub enum Lookup {
    Found(&'static Image),
    /// The repository exists; it has no such tag.
    NoTag,
    /// The registry is known, and has no such repository.
    NoRepository,
    /// There is no registry of this name.
    NoRegistry,
}

/// Registries that exist, whether or not an image of theirs is in the table.
const REGISTRIES: &[&str] = &[
    "docker.io",
    "gcr.io",
    "us.gcr.io",
    "eu.gcr.io",
    "registry.k8s.io",
    "k8s.gcr.io",
    "quay.io",
    "ghcr.io",
    "mcr.microsoft.com",
    "public.ecr.aws",
    "us-docker.pkg.dev",
    "registry.gitlab.com",
    "nvcr.io",
    "docker.elastic.co",
    "registry.access.redhat.com",
    "registry.cn-hangzhou.aliyuncs.com",
    "registry.aliyuncs.com",
    "index.tenxcloud.com",
];

/// Registries, and parts of them, that serve what another serves: those that were given up for another name, and mirrors.
const ALIASES: &[(&str, &str)] = &[
    ("k8s.gcr.io/", "registry.k8s.io/"),
    ("gcr.io/google_containers/", "registry.k8s.io/"),
    ("gcr.io/google-containers/", "registry.k8s.io/"),
    ("docker.io/mirrorgooglecontainers/", "registry.k8s.io/"),
    (
        "registry.cn-hangzhou.aliyuncs.com/google_containers/",
        "registry.k8s.io/",
    ),
    ("registry.aliyuncs.com/google_containers/", "registry.k8s.io/"),
    ("gcr.io/google_samples/", "gcr.io/google-samples/"),
    ("gcr.io/kubernetes-e2e-test-images/", "registry.k8s.io/e2e-test-images/"),
    ("public.ecr.aws/docker/", "docker.io/"),
    ("public.ecr.aws/nginx/", "docker.io/library/"),
    ("public.ecr.aws/bitnami/", "docker.io/bitnami/"),
    ("docker.io/bitnamilegacy/", "docker.io/bitnami/"),
    ("mirror.gcr.io/", "docker.io/"),
    ("quay.io/quay/", "docker.io/library/"),
    ("quay.io/libpod/", "docker.io/library/"),
    ("quay.io/nginx/", "docker.io/nginxinc/"),
    ("quay.io/prometheus/", "docker.io/prom/"),
    ("docker.elastic.co/elasticsearch/", "docker.io/library/"),
    ("docker.elastic.co/kibana/", "docker.io/library/"),
    ("docker.io/phpmyadmin/", "docker.io/library/"),
    (
        "docker.io/mmumshad/simple-webapp-color",
        "docker.io/kodekloud/webapp-color",
    ),
    ("docker.io/mmumshad/", "docker.io/kodekloud/"),
];

/// Looks for a repository (with its registry) and a tag, or `sha256:` and a digest.
pub fn find(repository: &str, tag: &str) -> Lookup {
    let found = find_named(repository, tag);
    let other = ALIASES
        .iter()
        .find_map(|(alias, of)| Some(format!("{of}{}", repository.strip_prefix(alias)?)));
    match (found, other) {
        (Lookup::NoRepository | Lookup::NoRegistry, Some(other)) => find_named(&other, tag),
        (found, _) => found,
    }
}

fn find_named(repository: &str, tag: &str) -> Lookup {
    let mut known = false;
    for image in IMAGES.iter().filter(|i| i.repository == repository) {
        known = true;
        if tag.starts_with("sha256:") || image.tags.split(' ').any(|p| tag_matches(p, tag)) {
            return Lookup::Found(image);
        }
    }
    if known {
        return Lookup::NoTag;
    }
    let registry = repository.split('/').next().unwrap_or("");
    if REGISTRIES.contains(&registry) {
        Lookup::NoRepository
    } else {
        Lookup::NoRegistry
    }
}

/// Whether a tag fits a pattern of the table (see [`Image::tags`]).
fn tag_matches(pattern: &str, tag: &str) -> bool {
    if pattern == "*" || pattern == tag {
        return true;
    }
    let Some((first, last)) = pattern.split_once("..") else {
        // A plain version takes suffixes: `7` takes `7-alpine`; a plain word does not.
        let is_version = pattern.bytes().next().is_some_and(|b| b.is_ascii_digit());
        return is_version && tag.strip_prefix(pattern).is_some_and(|rest| rest.starts_with('-'));
    };
    let Ok(last) = last.parse::<u64>() else { return false };
    let number = tag.split('-').next().unwrap_or("");
    let (before, first) = match first.rsplit_once('.') {
        Some((before, first)) => (before, first),
        None => ("", first),
    };
    let rest = if before.is_empty() {
        number
    } else {
        // `1.7..29` also takes `1`, the newest of them.
        if number == before && tag != number {
            return true;
        }
        match number.strip_prefix(before).and_then(|r| r.strip_prefix('.')) {
            Some(rest) => rest,
            None => return number == before && before.trim_start_matches('v').parse::<u64>().is_ok(),
        }
    };
    let mut parts = rest.split('.');
    let digits = parts.next().unwrap_or("");
    let (Ok(n), Ok(first)) = (digits.parse::<u64>(), first.parse::<u64>()) else {
        return false;
    };
    (first..=last).contains(&n) && parts.all(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags() {
        for (repository, tag, found) in [
            ("docker.io/library/nginx", "latest", true),
            ("docker.io/library/nginx", "1", true),
            ("docker.io/library/nginx", "1.7.9", true),
            ("docker.io/library/nginx", "1.14.2", true),
            ("docker.io/library/nginx", "1.10.3", true),
            ("docker.io/library/nginx", "1.27-alpine", true),
            ("docker.io/library/nginx", "1.161", false),
            ("docker.io/library/nginx", "1.91", false),
            ("docker.io/library/nginx", "doesnotexist", false),
            ("docker.io/library/nginx", "nosuchtag", false),
            ("docker.io/library/nginx", "latest1", false),
            ("docker.io/library/redis", "7", true),
            ("docker.io/library/redis", "7.0", true),
            ("docker.io/library/redis", "7-alpine", true),
            ("docker.io/library/redis", "9", false),
            ("docker.io/library/httpd", "2.4.57", true),
            ("docker.io/library/perl", "5.34.0", true),
            ("docker.io/library/ubuntu", "14.04", true),
            ("docker.io/library/busybox", "1.28", true),
            ("docker.io/library/mysql", "8.0", true),
            ("docker.io/library/node", "18-alpine", true),
            ("registry.k8s.io/nginx-slim", "0.8", true),
            ("registry.k8s.io/nginx-slim", "0.24", true),
            ("registry.k8s.io/e2e-test-images/nginx", "1.15-4", true),
            ("gcr.io/kuar-demo/kuard-amd64", "blue", true),
            ("docker.io/paulbouwer/hello-kubernetes", "1.10.1", true),
            ("registry.k8s.io/kube-proxy", "v1.36.2", true),
            ("registry.k8s.io/pause", "3.10.2", true),
            ("registry.k8s.io/etcd", "3.6.8-0", true),
            ("registry.k8s.io/ingress-nginx/controller", "v1.11.2", true),
            ("ghcr.io/flannel-io/flannel-cni-plugin", "v1.8.0-flannel1", true),
            ("k8s.gcr.io/echoserver", "1.4", true),
            ("k8s.gcr.io/e2e-test-images/agnhost", "2.39", true),
            ("gcr.io/google_containers/hpa-example", "latest", true),
            ("gcr.io/google_samples/gb-frontend", "v3", true),
            ("public.ecr.aws/docker/library/redis", "7", true),
            ("public.ecr.aws/nginx/nginx", "1.27", true),
            ("mirror.gcr.io/library/nginx", "1.91", false),
        ] {
            assert_eq!(
                matches!(find(repository, tag), Lookup::Found(_)),
                found,
                "{repository}:{tag}"
            );
        }
        assert!(matches!(find("docker.io/nosuch/thing", "1"), Lookup::NoRepository));
        assert!(matches!(find("registry.example.com/a", "1"), Lookup::NoRegistry));
    }

    #[test]
    fn the_table_is_in_order() {
        // Those whose command a pod must say.
        let bare = ["etcd", "flannel-cni-plugin"];
        for image in IMAGES {
            let begins = !image.entrypoint.is_empty() || !image.cmd.is_empty();
            let alike = |other: &&Image| (other.repository, other.tags) == (image.repository, image.tags);
            assert!(
                image.repository.contains('/')
                    && IMAGES.iter().filter(alike).count() == 1
                    && image.megabytes > 0
                    && (begins || image.name().starts_with("kube-") || bare.contains(&image.name())),
                "{}",
                image.repository
            );
        }
    }
}
