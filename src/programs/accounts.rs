//! `/etc/passwd` and `/etc/group` of images and of nodes, as their distributions ship them.

use super::{Image, Shell};

/// A distribution's users and groups.
struct Family {
    /// `name:uid:gid:home` of the users after root.
    users: &'static str,
    /// `name:gid:members` of all groups.
    groups: &'static str,
    /// Root's shell, and that of the others.
    shells: [&'static str; 2],
    /// The groups that have root as a member.
    of_root: &'static [i64],
}

/// Debian's package base-passwd.
const DEBIAN: Family = Family {
    users: "daemon:1:1:/usr/sbin bin:2:2:/bin sys:3:3:/dev sync:4:65534:/bin games:5:60:/usr/games \
        man:6:12:/var/cache/man lp:7:7:/var/spool/lpd mail:8:8:/var/mail news:9:9:/var/spool/news \
        uucp:10:10:/var/spool/uucp proxy:13:13:/bin www-data:33:33:/var/www backup:34:34:/var/backups \
        list:38:38:/var/list irc:39:39:/run/ircd _apt:42:65534:/nonexistent nobody:65534:65534:/nonexistent",
    groups: "root:0: daemon:1: bin:2: sys:3: adm:4: tty:5: disk:6: lp:7: mail:8: news:9: uucp:10: man:12: proxy:13: \
        kmem:15: dialout:20: fax:21: voice:22: cdrom:24: floppy:25: tape:26: sudo:27: audio:29: dip:30: www-data:33: \
        backup:34: operator:37: list:38: irc:39: src:40: shadow:42: utmp:43: video:44: sasl:45: plugdev:46: staff:50: \
        games:60: users:100: nogroup:65534:",
    shells: ["/bin/bash", "/usr/sbin/nologin"],
    of_root: &[],
};

/// busybox's images, which buildroot makes.
const BUSYBOX: Family = Family {
    users: "daemon:1:1:/usr/sbin bin:2:2:/bin sys:3:3:/dev sync:4:100:/bin mail:8:8:/var/spool/mail \
        www-data:33:33:/var/www operator:37:37:/var nobody:65534:65534:/home",
    groups: "root:0: daemon:1: bin:2: sys:3: adm:4: tty:5: disk:6: lp:7: mail:8: kmem:9: wheel:10:root cdrom:11: \
        dialout:18: floppy:19: video:28: audio:29: tape:32: www-data:33: operator:37: utmp:43: plugdev:46: staff:50: \
        lock:54: netdev:82: users:100: nobody:65534:",
    shells: ["/bin/sh", "/bin/false"],
    of_root: &[10],
};

/// Alpine's package alpine-baselayout.
const ALPINE: Family = Family {
    users: "bin:1:1:/bin daemon:2:2:/sbin lp:4:7:/var/spool/lpd sync:5:0:/sbin shutdown:6:0:/sbin halt:7:0:/sbin \
        mail:8:12:/var/mail news:9:13:/usr/lib/news uucp:10:14:/var/spool/uucppublic cron:16:16:/var/spool/cron \
        ftp:21:21:/var/lib/ftp sshd:22:22:/dev/null games:35:35:/usr/games ntp:123:123:/var/empty \
        guest:405:100:/dev/null nobody:65534:65534:/",
    groups: "root:0:root bin:1:root,bin,daemon daemon:2:root,bin,daemon sys:3:root,bin adm:4:root,daemon tty:5: \
        disk:6:root lp:7:lp kmem:9: wheel:10:root floppy:11:root mail:12:mail news:13:news uucp:14:uucp cron:16:cron \
        audio:18: cdrom:19: dialout:20:root ftp:21: sshd:22: input:23: tape:26:root video:27:root netdev:28: \
        kvm:34:kvm games:35: shadow:42: www-data:82: users:100:games ntp:123: abuild:300: utmp:406: ping:999: \
        nogroup:65533: nobody:65534:",
    shells: ["/bin/sh", "/sbin/nologin"],
    of_root: &[0, 1, 2, 3, 4, 6, 10, 11, 20, 26, 27],
};

impl Family {
    fn of(shell: Shell) -> &'static Family {
        match shell {
            Shell::Busybox => &BUSYBOX,
            Shell::Alpine => &ALPINE,
            Shell::Debian | Shell::None => &DEBIAN,
        }
    }

    fn passwd(&self) -> String {
        let [root, others] = self.shells;
        let mut text = format!("root:x:0:0:root:/root:{root}\n");
        for user in self.users.split_whitespace() {
            if let [name, uid, gid, home] = user.split(':').collect::<Vec<_>>().as_slice() {
                text.push_str(&format!("{name}:x:{uid}:{gid}:{name}:{home}:{others}\n"));
            }
        }
        text
    }

    fn group(&self) -> String {
        let mut text = String::new();
        for group in self.groups.split_whitespace() {
            if let Some((name, rest)) = group.split_once(':') {
                text.push_str(&format!("{name}:x:{rest}\n"));
            }
        }
        text
    }
}

/// `/etc/passwd` and `/etc/group` of a Debian machine.
pub fn debian_accounts() -> [String; 2] {
    [DEBIAN.passwd(), DEBIAN.group()]
}

impl Image {
    /// `/etc/passwd` and `/etc/group` of the image with a tag.
    pub(super) fn accounts(&self, tag: &str) -> [String; 2] {
        let family = Family::of(self.shell(tag));
        let [mut passwd, mut group] = [family.passwd(), family.group()];
        let mut add = |name: &str, id: i64, about: &str, home: &str, shell: &str| {
            if !passwd.contains(&format!("\n{name}:")) {
                passwd.push_str(&format!("{name}:x:{id}:{id}:{about}:{home}:{shell}\n"));
                group.push_str(&format!("{name}:x:{id}:\n"));
            }
        };
        if self.cmd.first() == Some(&"nginx") {
            add("nginx", 101, "nginx user", "/nonexistent", "/bin/false");
        }
        if !self.user.is_empty() {
            add(self.user, self.uid, self.user, self.home, "/bin/sh");
        }
        [passwd, group]
    }

    /// The group that the image's `/etc/passwd` gives a user; root's where it does not know them.
    pub fn group_of(&self, uid: i64, tag: &str) -> i64 {
        if uid == 0 || uid == self.uid {
            return uid;
        }
        let [passwd, _] = self.accounts(tag);
        let id = uid.to_string();
        let line = passwd.lines().find(|line| line.split(':').nth(2) == Some(&id));
        line.and_then(|line| line.split(':').nth(3)?.parse().ok()).unwrap_or(0)
    }

    /// The groups of which the image's `/etc/group` makes a user a member: of those that run, root alone is one.
    pub fn groups_of(&self, uid: i64, tag: &str) -> &'static [i64] {
        match uid {
            0 => Family::of(self.shell(tag)).of_root,
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ALPINE, BUSYBOX, DEBIAN};

    #[test]
    fn groups_of_root_are_those_of_the_file() {
        for family in [DEBIAN, BUSYBOX, ALPINE] {
            let text = family.group();
            let groups: Vec<i64> = text
                .lines()
                .map(|line| line.split(':').collect::<Vec<_>>())
                .filter(|fields| fields[3].split(',').any(|member| member == "root"))
                .map(|fields| fields[2].parse().unwrap())
                .collect();
            assert_eq!(groups, family.of_root);
        }
    }
}
