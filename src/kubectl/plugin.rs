//! Plugins: programs `kubectl-NAME` on the path, which `kubectl NAME` runs, and `kubectl plugin list`.

use super::command::{Cmd, VERB, Verb};
use super::error::Error;
use super::flags::{Kind, flag};
use super::kubeconfig;
use super::root::ROOT;
use crate::flat::{Arrange, FlatMap};
use crate::shell::{Context, FileKind};
use crate::value::quoted;

/// What a plugin's file begins with.
const PREFIX: &str = "kubectl-";

pub static PLUGIN: Verb = Verb {
    name: "plugin",
    group: "Other Commands:",
    short: "Provides utilities for interacting with plugins",
    subs: &[&LIST],
    ..VERB
};

static LIST: Verb = Verb {
    name: "list",
    short: "List all visible plugin executables on a user's PATH",
    flags: &[&[flag("name-only", '\0', Kind::Bool, "false")]],
    run: Some(|c| Box::pin(list(c))),
    ..VERB
};

/// The folders of the path, each once.
fn folders(cx: &Context) -> Vec<&str> {
    let mut folders = kubeconfig::listed(&cx.env, "PATH");
    folders.retain(|folder| !folder.trim().is_empty());
    folders
}

/// A plugin's file and whether it can be run.
struct Found {
    folder: String,
    name: String,
    runs: bool,
}

/// The plugins on the path, and what is to be said of folders that cannot be read.
fn search(cx: &Context) -> (Vec<Found>, Vec<String>) {
    let (mut found, mut complaints) = (Vec::new(), Vec::new());
    for folder in folders(cx) {
        let mut files = match cx.files.list(&cx.path(folder)) {
            Ok(files) => files,
            Err(e) => {
                let why = e.opening(folder);
                complaints.push(format!(
                    "Unable to read directory {folder} from your PATH: {why}. Skipping...",
                    folder = quoted(&folder)
                ));
                continue;
            }
        };
        files.arrange_by(|a, b| a.0.cmp(&b.0));
        for (name, stat) in files {
            if !name.starts_with(PREFIX) || stat.kind == FileKind::Directory {
                continue;
            }
            let path = cx.path(&format!("{folder}/{name}"));
            let runs = cx.files.stat(&path, true).is_ok_and(|s| s.mode & 0o111 != 0);
            found.push(Found {
                folder: folder.to_owned(),
                name,
                runs,
            });
        }
    }
    (found, complaints)
}

/// The words after `kubectl` in a plugin's name.
fn words(name: &str) -> impl Iterator<Item = &str> {
    name.strip_prefix(PREFIX).unwrap_or(name).split('-')
}

/// The commands that the root's help lists as plugins': each file's first word that is no command of kubectl's.
pub fn names(cx: &Context) -> Vec<String> {
    let (found, _) = search(cx);
    let first = found.iter().filter_map(|f| words(&f.name).next());
    first
        .map(|word| word.replace('_', "-"))
        .filter(|word| !known(word))
        .collect()
}

/// Whether kubectl has the command itself.
fn known(word: &str) -> bool {
    ROOT.subs.iter().any(|v| v.name == word || v.aliases.contains(&word))
}

/// Runs the plugin that a command line means, when there is one: the longest name that the words before the first
/// flag make, of at least so many words.
///
/// # Errors
/// What kubectl says when a flag stands before the plugin's name.
pub async fn run(cx: &Context, line: &[String], least: usize) -> Result<Option<i32>, String> {
    let mut words: Vec<String> = line
        .iter()
        .take_while(|word| !word.starts_with('-'))
        .map(|word| word.replace('-', "_"))
        .collect();
    if words.is_empty() {
        let flag = line.first().map_or("", String::as_str);
        return Err(format!("flags cannot be placed before plugin name: {flag}"));
    }
    while words.len() >= least.max(1) {
        let name = format!("{PREFIX}{}", words.join("-"));
        // A name with a slash would be a path, which no plugin's is.
        if !name.contains('/')
            && let Ok(path) = cx.host.find_path(&name, &cx.env, &cx.cwd)
        {
            let mut args = vec![path];
            args.extend(line.iter().skip(words.len()).cloned());
            return Ok(cx.run(&args).await);
        }
        words.pop();
    }
    Ok(None)
}

async fn list(cmd: &Cmd) -> Result<(), Error> {
    let (found, complaints) = search(&cmd.cx);
    for complaint in complaints {
        cmd.err(complaint);
    }
    if found.is_empty() {
        return Err(Error::plain("unable to find any kubectl plugins in your PATH"));
    }
    cmd.say("The following compatible plugins are available:\n");
    let mut seen: FlatMap<String, String> = FlatMap::new();
    let mut warnings = 0;
    for plugin in &found {
        let path = format!("{}/{}", plugin.folder.trim_end_matches('/'), plugin.name);
        cmd.say(if cmd.flags.bool("name-only") {
            &plugin.name
        } else {
            &path
        });
        let mut wrong = Vec::new();
        if !plugin.runs {
            wrong.push(format!(
                "{path} identified as a kubectl plugin, but it is not executable"
            ));
        }
        match seen.get(&plugin.name) {
            Some(before) => wrong.push(format!("{path} is overshadowed by a similarly named plugin: {before}")),
            None => {
                seen.insert(plugin.name.clone(), path);
            }
        }
        let line: Vec<String> = words(&plugin.name).map(str::to_owned).collect();
        let (verb, command, _) = super::find(&line);
        if !std::ptr::eq(verb, &ROOT) {
            wrong.push(format!(
                "{} overwrites existing command: {command}",
                plugin.name,
                command = quoted(&command)
            ));
        }
        warnings += wrong.len();
        for why in wrong {
            cmd.err(format!("  - warning: {why}"));
        }
    }
    match warnings {
        0 => Ok(()),
        1 => Err(Error::plain("one plugin warning was found")),
        n => Err(Error::plain(format!("{n} plugin warnings were found"))),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::kubectl::testing::run_in;
    use crate::world::{Options, World};

    #[test]
    fn plugins_run_and_are_listed() {
        let world = World::new(&Options::default()).unwrap();
        let (text, _) = run_in(
            &world,
            "mkdir -p /opt/a /opt/b; cd /opt/a; for p in foo foo-bar my_thing get create-thing; do \
             printf '#!/bin/bash\\necho \"$0\" \"$@\"\\n' > kubectl-$p; chmod +x kubectl-$p; done; \
             cp kubectl-foo kubectl-noexec; chmod -x kubectl-noexec; cp kubectl-foo /opt/b/; chmod +x /opt/b/kubectl-foo; \
             export PATH=/opt/a:/opt/b:/none:$PATH; \
             for line in 'foo a -x' 'foo bar --help' 'my-thing' 'create thing a' '-n x foo' 'noexec' 'plugin list' \
             'plugin list --name-only'; do echo \"== $line\"; kubectl $line 2>&1; echo \"rc $?\"; done; \
             kubectl --help | grep 'is a plugin'",
        );
        expect![[r#"
            == foo a -x
            /opt/a/kubectl-foo a -x
            rc 0
            == foo bar --help
            /opt/a/kubectl-foo-bar --help
            rc 0
            == my-thing
            /opt/a/kubectl-my_thing
            rc 0
            == create thing a
            /opt/a/kubectl-create-thing a
            rc 0
            == -n x foo
            Error: flags cannot be placed before plugin name: -n
            rc 1
            == noexec
            error: unknown command "noexec" for "kubectl"

            Did you mean this?
            	exec
            rc 1
            == plugin list
            Unable to read directory "/none" from your PATH: open /none: no such file or directory. Skipping...
            The following compatible plugins are available:

            /opt/a/kubectl-create-thing
              - warning: kubectl-create-thing overwrites existing command: "kubectl create"
            /opt/a/kubectl-foo
            /opt/a/kubectl-foo-bar
            /opt/a/kubectl-get
              - warning: kubectl-get overwrites existing command: "kubectl get"
            /opt/a/kubectl-my_thing
            /opt/a/kubectl-noexec
              - warning: /opt/a/kubectl-noexec identified as a kubectl plugin, but it is not executable
            /opt/b/kubectl-foo
              - warning: /opt/b/kubectl-foo is overshadowed by a similarly named plugin: /opt/a/kubectl-foo
            error: 4 plugin warnings were found
            rc 1
            == plugin list --name-only
            Unable to read directory "/none" from your PATH: open /none: no such file or directory. Skipping...
            The following compatible plugins are available:

            kubectl-create-thing
              - warning: kubectl-create-thing overwrites existing command: "kubectl create"
            kubectl-foo
            kubectl-foo-bar
            kubectl-get
              - warning: kubectl-get overwrites existing command: "kubectl get"
            kubectl-my_thing
            kubectl-noexec
              - warning: /opt/a/kubectl-noexec identified as a kubectl plugin, but it is not executable
            kubectl-foo
              - warning: /opt/b/kubectl-foo is overshadowed by a similarly named plugin: /opt/a/kubectl-foo
            error: 4 plugin warnings were found
            rc 1
              foo           The command foo is a plugin installed by the user
              foo           The command foo is a plugin installed by the user
              my-thing      The command my-thing is a plugin installed by the user
              noexec        The command noexec is a plugin installed by the user
              foo           The command foo is a plugin installed by the user
        "#]]
        .assert_eq(&text);
    }
}
