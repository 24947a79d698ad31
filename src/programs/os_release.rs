//! What an image's files say of its distribution: `/etc/os-release` and its older kin.

use super::catalog::release;
use super::{Image, Shell};
use crate::shell::Files;

/// The last release of each of Alpine's lines, newest first.
const ALPINE: &str = "3.22.2 3.21.5 3.20.8 3.19.9 3.18.12 3.17.10 3.16.9 3.15.11 3.14.10 3.13.12 3.12.12 3.11.13 3.10.9 \
    3.9.6 3.8.5 3.7.3 3.6.5";

/// Debian's releases, their names and last points, newest first.
const DEBIAN: [(&str, &str, &str); 5] = [
    ("13", "trixie", "13.2"),
    ("12", "bookworm", "12.12"),
    ("11", "bullseye", "11.11"),
    ("10", "buster", "10.13"),
    ("9", "stretch", "9.13"),
];

/// Ubuntu's releases with long support: the number of the last one in a line, and its name.
const UBUNTU: [(&str, &str); 6] = [
    ("24.04.3", "Noble Numbat"),
    ("22.04.5", "Jammy Jellyfish"),
    ("20.04.6", "Focal Fossa"),
    ("18.04.6", "Bionic Beaver"),
    ("16.04.7", "Xenial Xerus"),
    ("14.04.6", "Trusty Tahr"),
];

/// Debian's `/etc/os-release`.
pub fn debian(version: &str) -> String {
    let found = DEBIAN.iter().find(|(v, ..)| *v == version);
    let name = found.map_or("", |(_, name, _)| name);
    format!(
        "PRETTY_NAME=\"Debian GNU/Linux {version} ({name})\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"{version}\"\n\
         VERSION=\"{version} ({name})\"\nVERSION_CODENAME={name}\nID=debian\nHOME_URL=\"https://www.debian.org/\"\n\
         SUPPORT_URL=\"https://www.debian.org/support\"\nBUG_REPORT_URL=\"https://bugs.debian.org/\"\n"
    )
}

fn ubuntu(number: &str, name: &str) -> String {
    let line = number.rsplit_once('.').map_or(number, |(line, _)| line);
    let codename = name.split(' ').next().unwrap_or("").to_ascii_lowercase();
    format!(
        "PRETTY_NAME=\"Ubuntu {number} LTS\"\nNAME=\"Ubuntu\"\nVERSION_ID=\"{line}\"\nVERSION=\"{number} LTS ({name})\"\n\
         VERSION_CODENAME={codename}\nID=ubuntu\nID_LIKE=debian\nHOME_URL=\"https://www.ubuntu.com/\"\n\
         SUPPORT_URL=\"https://help.ubuntu.com/\"\nBUG_REPORT_URL=\"https://bugs.launchpad.net/ubuntu/\"\n\
         PRIVACY_POLICY_URL=\"https://www.ubuntu.com/legal/terms-and-policies/privacy-policy\"\nUBUNTU_CODENAME={codename}\n\
         LOGO=ubuntu-logo\n"
    )
}

fn centos(version: &str) -> String {
    format!(
        "NAME=\"CentOS Linux\"\nVERSION=\"{version} (Core)\"\nID=\"centos\"\nID_LIKE=\"rhel fedora\"\nVERSION_ID=\"{version}\"\n\
         PRETTY_NAME=\"CentOS Linux {version} (Core)\"\nANSI_COLOR=\"0;31\"\nCPE_NAME=\"cpe:/o:centos:centos:{version}\"\n\
         HOME_URL=\"https://www.centos.org/\"\nBUG_REPORT_URL=\"https://bugs.centos.org/\"\n\nCENTOS_MANTISBT_PROJECT=\"CentOS-{version}\"\n\
         CENTOS_MANTISBT_PROJECT_VERSION=\"{version}\"\nREDHAT_SUPPORT_PRODUCT=\"centos\"\nREDHAT_SUPPORT_PRODUCT_VERSION=\"{version}\"\n\n"
    )
}

/// Writes the files into a container. A busybox without a distribution has none; a fresh file system takes them but at
/// its limits, where the container lacks them.
pub(super) fn put(image: &Image, tag: &str, shell: Shell, files: &Files) {
    let official = image.repository.starts_with("docker.io/library/");
    let os = match (shell, image.name()) {
        (Shell::Busybox, _) => return,
        (Shell::Alpine, name) => {
            // `nginx:1.27-alpine3.20` names the line after its own.
            let own = if official && name == "alpine" { tag } else { "" };
            let line = tag.rsplit_once("alpine").map_or(own, |(_, line)| line);
            let version = release(ALPINE, line);
            let _ = files.put("/etc/alpine-release", format!("{version}\n"));
            let line = version.rsplit_once('.').map_or(version, |(line, _)| line);
            format!(
                "NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID={version}\nPRETTY_NAME=\"Alpine Linux v{line}\"\n\
                 HOME_URL=\"https://alpinelinux.org/\"\nBUG_REPORT_URL=\"https://gitlab.alpinelinux.org/alpine/aports/-/issues\"\n"
            )
        }
        (_, "ubuntu") if official => {
            let mut all = UBUNTU.iter();
            let newest = all.clone().next();
            let found =
                all.find(|(number, name)| number.starts_with(tag) || name.to_ascii_lowercase().starts_with(tag));
            let (number, name) = found.or(newest).copied().unwrap_or_default();
            ubuntu(number, name)
        }
        (_, "centos") if official => {
            let version = if tag.contains('7') { "7" } else { "8" };
            let full = if version == "7" { "7.9.2009 (Core)" } else { "8.4.2105" };
            for file in ["/etc/centos-release", "/etc/redhat-release"] {
                let _ = files.put(file, format!("CentOS Linux release {full}\n"));
            }
            centos(version)
        }
        (_, name) => {
            let mut all = DEBIAN.iter();
            let newest = all.clone().next();
            let found = match name {
                "debian" if official => {
                    let number = tag.split(['-', '.']).next().unwrap_or("");
                    all.find(|(version, name, _)| tag.contains(name) || *version == number)
                        .or(newest)
                }
                // Official images name the distribution in the tag, if at all.
                _ => all.find(|(_, name, _)| tag.contains(name)),
            };
            let (version, point) = found.map_or(("12", "12.12"), |(version, _, point)| (version, point));
            let _ = files.put("/etc/debian_version", format!("{point}\n"));
            debian(version)
        }
    };
    let _ = files.put("/etc/os-release", os);
}
