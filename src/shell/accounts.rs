//! Who is who on a machine: what its `/etc/passwd` and `/etc/group` say. Knows files alone.

use super::files::Files;

/// A line of `/etc/passwd`, of which nobody needs the comment and the shell.
struct Account {
    name: String,
    uid: i64,
    gid: i64,
    home: String,
}

/// The users and groups of a machine. Root is known where the files name nobody.
pub struct Accounts {
    users: Vec<Account>,
    groups: Vec<Group>,
}

/// A line of `/etc/group`.
struct Group {
    name: String,
    gid: i64,
    members: Vec<String>,
}

impl Accounts {
    /// Reads them, whoever acts on the files.
    pub fn of(files: &Files) -> Accounts {
        let rows = |path: &str| -> Vec<Vec<String>> {
            let text = files.as_root().read_text(path).unwrap_or_default();
            let rows = text.lines().map(|line| line.split(':').map(str::to_owned).collect());
            rows.collect()
        };
        let account = |row: Vec<String>| match row.as_slice() {
            [name, _, uid, gid, _, home, ..] => Some(Account {
                name: name.clone(),
                uid: uid.parse().ok()?,
                gid: gid.parse().ok()?,
                home: home.clone(),
            }),
            _ => None,
        };
        let group = |row: Vec<String>| match row.as_slice() {
            [name, _, gid, members, ..] => Some(Group {
                name: name.clone(),
                gid: gid.parse().ok()?,
                members: members.split(',').map(str::to_owned).collect(),
            }),
            _ => None,
        };
        let mut users: Vec<Account> = rows("/etc/passwd").into_iter().filter_map(account).collect();
        let mut groups: Vec<Group> = rows("/etc/group").into_iter().filter_map(group).collect();
        if users.is_empty() {
            users.push(Account {
                name: "root".to_owned(),
                uid: 0,
                gid: 0,
                home: "/root".to_owned(),
            });
        }
        if groups.is_empty() {
            groups.push(Group {
                name: "root".to_owned(),
                gid: 0,
                members: Vec::new(),
            });
        }
        Accounts { users, groups }
    }

    /// A user's name.
    pub fn user(&self, uid: i64) -> Option<&str> {
        let user = self.users.iter().find(|user| user.uid == uid)?;
        Some(&user.name)
    }

    /// A group's name.
    pub fn group(&self, gid: i64) -> Option<&str> {
        let group = self.groups.iter().find(|group| group.gid == gid)?;
        Some(&group.name)
    }

    /// A user's name, or the number.
    pub fn user_or_number(&self, uid: i64) -> String {
        self.user(uid).map_or_else(|| uid.to_string(), str::to_owned)
    }

    /// A group's name, or the number.
    pub fn group_or_number(&self, gid: i64) -> String {
        self.group(gid).map_or_else(|| gid.to_string(), str::to_owned)
    }

    /// The names of groups, or their numbers, as `groups` prints them.
    pub fn names_of_groups(&self, gids: &[i64]) -> String {
        let names: Vec<String> = gids.iter().map(|gid| self.group_or_number(*gid)).collect();
        names.join(" ")
    }

    /// The number of a user by name or number.
    pub fn uid(&self, word: &str) -> Option<i64> {
        let ids = self.ids(word);
        ids.map(|(uid, _)| uid).or_else(|| word.parse().ok())
    }

    /// The number of a group by name or number.
    pub fn gid(&self, word: &str) -> Option<i64> {
        let group = self.groups.iter().find(|group| group.name == word);
        group.map(|group| group.gid).or_else(|| word.parse().ok())
    }

    /// A user's number and that of its first group, by name.
    pub fn ids(&self, name: &str) -> Option<(i64, i64)> {
        let user = self.users.iter().find(|user| user.name == name)?;
        Some((user.uid, user.gid))
    }

    /// The groups of which a user is a member besides its first one.
    pub fn groups_with(&self, name: &str) -> impl Iterator<Item = i64> {
        let groups = self.groups.iter();
        groups
            .filter(move |group| group.members.iter().any(|member| member == name))
            .map(|group| group.gid)
    }

    /// A user's home, by name.
    pub fn home(&self, name: &str) -> Option<&str> {
        let user = self.users.iter().find(|user| user.name == name)?;
        Some(&user.home)
    }
}
