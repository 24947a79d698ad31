//! The kuberc: the user's own defaults of flags and names of commands, and `kubectl kuberc`.

use super::command::{Cmd, VERB, Verb};
use super::error::Error;
use super::flags::{Flag, Kind, flag};
use super::output::{self, PRINT_YAML};
use super::{find, options, root};
use crate::shell::Context;
use crate::value::{Value, quoted, yaml};
use crate::{list, obj};

pub static KUBERC: Verb = Verb {
    name: "kuberc",
    group: "Other Commands:",
    short: "Manage kuberc configuration files",
    subs: &[&SET, &VIEW],
    ..VERB
};

const FILE: &[Flag] = &[flag("kuberc", '\0', Kind::Str, "")];
const SET_FLAGS: &[Flag] = &[
    flag("allowlist-entry", '\0', Kind::Array, "[]"),
    flag("appendarg", '\0', Kind::Array, "[]"),
    flag("command", '\0', Kind::Str, ""),
    flag("name", '\0', Kind::Str, ""),
    flag("option", '\0', Kind::Array, "[]"),
    flag("overwrite", '\0', Kind::Bool, "false"),
    flag("policy", '\0', Kind::Str, ""),
    flag("prependarg", '\0', Kind::Array, "[]"),
    flag("section", '\0', Kind::Str, ""),
];

static SET: Verb = Verb {
    name: "set",
    short: "Set values in the kuberc configuration",
    flags: &[FILE, SET_FLAGS],
    required: &["section"],
    run: Some(|c| Box::pin(set(c))),
    ..VERB
};

static VIEW: Verb = Verb {
    name: "view",
    short: "Display the current kuberc configuration",
    flags: &[FILE, PRINT_YAML],
    run: Some(|c| Box::pin(view(c))),
    ..VERB
};

/// The kuberc's path, and whether it was named; `None` when kubercs are turned off.
fn place(cx: &Context, given: &str) -> Result<Option<(String, bool)>, Error> {
    let named = cx.env.get("KUBERC").map_or("", String::as_str);
    match (named, given) {
        ("off", "") => Ok(None),
        ("off", _) => Err(Error::plain(
            "disabling kuberc via KUBERC=off and passing kuberc flag are mutually exclusive",
        )),
        ("", "") => {
            let home = cx.env.get("HOME").map_or("/root", String::as_str);
            Ok(Some((format!("{home}/.kube/kuberc"), false)))
        }
        (named, "") => Ok(Some((named.to_owned(), true))),
        (_, given) => Ok(Some((given.to_owned(), true))),
    }
}

/// The path of a `kuberc` subcommand.
fn path(cmd: &Cmd) -> Result<(String, bool), Error> {
    place(&cmd.cx, cmd.flags.str("kuberc"))?
        .ok_or_else(|| Error::plain("KUBERC is disabled via KUBERC=off environment variable"))
}

const VERSION: &str = "kubectl.config.k8s.io/v1beta1";

fn save(cmd: &Cmd, path: &str, preference: &Value) -> Result<(), Error> {
    let whole = cmd.cx.path(path);
    let files = &cmd.cx.files;
    files
        .make_dirs(crate::shell::dir_name(&whole))
        .and_then(|()| files.write(&whole, yaml::to_yaml(preference)))
        .map_err(|e| Error::plain(format!("error writing kuberc file: {}", e.opening(path))))?;
    cmd.say(format!("Updated {path}"));
    Ok(())
}

fn read(cmd: &Cmd, path: &str) -> Result<Option<Value>, Error> {
    let Ok(text) = cmd.cx.files.read_text(&cmd.cx.path(path)) else {
        return Ok(None);
    };
    let value = yaml::decode(&text).map_err(|e| Error::plain(format!("error parsing kuberc file: {e}")))?;
    Ok(Some(value))
}

async fn view(cmd: &Cmd) -> Result<(), Error> {
    let (path, explicit) = path(cmd)?;
    let printer = output::printer(cmd, output::FORMATS)?;
    let Some(mut preference) = read(cmd, &path)? else {
        let missing = format!("kuberc file not found at {path}");
        if explicit {
            return Err(Error::plain(missing));
        }
        cmd.say(missing);
        cmd.out("Would you like to generate a default kuberc file with recommended options? (y/N): ");
        let answer = cmd.cx.stdin.read_line().await.unwrap_or_default();
        if answer.trim().eq_ignore_ascii_case("y") {
            let option = |name: &str, value: &str| list![obj! { "default": value, "name": name }];
            let entry = |command: &str, options: Value| obj! { "command": command, "options": options };
            let recommended = obj! {
                "apiVersion": VERSION,
                "defaults": list![
                    entry("apply", option("server-side", "true")),
                    entry("delete", option("interactive", "true")),
                ],
                "kind": "Preference",
            };
            return save(cmd, &path, &recommended);
        }
        return Ok(());
    };
    for section in ["aliases", "defaults"] {
        if preference.get(section).is_null() {
            preference.set(&[section], Vec::new());
        }
    }
    match printer {
        Some(p) => p.typed().print(cmd, &preference),
        None => Ok(()),
    }
}

const SECTIONS: &str = "--section must be \"defaults\", \"aliases\", or \"credentialplugin\"";

async fn set(cmd: &Cmd) -> Result<(), Error> {
    let (path, _) = path(cmd)?;
    let text = |name: &str| cmd.flags.str(name);
    let section = text("section");
    let said = match section {
        "defaults" | "aliases" | "credentialplugin" => None,
        other => Some(format!("{SECTIONS}, got: {other}")),
    };
    let arguments = cmd.flags.has("prependarg") || cmd.flags.has("appendarg");
    let said = said.or_else(|| match (section, text("name"), text("command")) {
        ("aliases", "", _) => Some("--name is required when --section=aliases".into()),
        ("defaults", name, _) if !name.is_empty() => {
            Some("--name should not be specified when --section=defaults".into())
        }
        ("defaults", ..) if arguments => {
            Some("--prependarg and --appendarg are only valid for --section=aliases".into())
        }
        ("aliases" | "defaults", _, "") => {
            Some("--command is required when --section=aliases or --section=defaults".into())
        }
        _ => None,
    });
    let said = said.or_else(|| {
        if section != "credentialplugin" {
            return None;
        }
        let entries = cmd.flags.has("allowlist-entry");
        match (text("policy"), entries) {
            ("", _) => Some("--policy is required when --section=credentialplugin".into()),
            ("AllowAll" | "DenyAll", true) => {
                Some("--allowlist-entry may only be used when --section=credentialplugin and --policy=Allowlist".into())
            }
            ("AllowAll" | "DenyAll", false) | ("Allowlist", true) => None,
            ("Allowlist", false) => {
                Some("--allowlist-entry is required when --section=credentialplugin and --policy=Allowlist".into())
            }
            (other, _) => Some(format!(
                " --policy must be  \"AllowAll\", \"DenyAll\", or \"Allowlist\", got: {other}"
            )),
        }
    });
    if let Some(said) = said {
        return Err(Error::plain(said));
    }
    let mut preference = read(cmd, &path)?
        .filter(|p| !p.is_empty())
        .unwrap_or_else(|| obj! { "apiVersion": VERSION, "kind": "Preference" });
    let mut options = Vec::new();
    for option in cmd.flags.all("option") {
        let Some((name, value)) = option.split_once('=') else {
            return Err(Error::plain(format!(
                "invalid option format {option}, expected flag=value",
                option = quoted(&option)
            )));
        };
        options.push(obj! { "default": value, "name": name.trim_start_matches('-') });
    }
    if section == "credentialplugin" {
        if text("policy") == "Allowlist" {
            preference.set(&["credentialPluginAllowlist"], allowed(cmd)?);
        }
        preference.set(&["credentialPluginPolicy"], text("policy"));
        return save(cmd, &path, &preference);
    }
    let (key, wanted) = match section {
        "aliases" => ("name", text("name")),
        _ => ("command", text("command")),
    };
    let all = preference.at_mut(&[section]).list_mut();
    let at = all.iter().position(|e| e.str_at(&[key]) == wanted);
    if at.is_some() && !cmd.flags.bool("overwrite") {
        return Err(Error::plain(match section {
            "aliases" => format!(
                "alias {wanted} already exists, use --overwrite to replace",
                wanted = quoted(&wanted)
            ),
            _ => format!(
                "defaults for command {wanted} already exist, use --overwrite to replace",
                wanted = quoted(&wanted)
            ),
        }));
    }
    let old = at.and_then(|i| all.get(i)).cloned().unwrap_or_default();
    let words = |name: &str| {
        cmd.flags
            .all(name)
            .iter()
            .map(|w| Value::from(w.as_str()))
            .collect::<Vec<_>>()
    };
    let mut entry = obj! { "command": text("command") };
    entry.set_or_remove(&["name"], text("name"));
    let mut part = |field: &str, given: Vec<Value>| {
        let kept = if given.is_empty() {
            old.get(field).clone()
        } else {
            given.into()
        };
        entry.set_or_remove(&[field], kept);
    };
    part("options", options);
    if section == "aliases" {
        part("prependArgs", words("prependarg"));
        part("appendArgs", words("appendarg"));
    }
    match at.and_then(|i| all.get_mut(i)) {
        Some(slot) => *slot = entry,
        None => all.push(entry),
    }
    save(cmd, &path, &preference)
}

/// The plugins that `--allowlist-entry` names.
fn allowed(cmd: &Cmd) -> Result<Vec<Value>, Error> {
    let (mut entries, mut errors) = (Vec::new(), Vec::new());
    for pair in cmd.flags.all("allowlist-entry").iter().flat_map(|e| e.split(',')) {
        let wrong = match pair.split_once('=') {
            None => format!("improperly formatted allowlist entry: {pair}", pair = quoted(&pair)),
            Some(("name", _)) => "allowlist entry field \"name\" is deprecated, use \"command\" instead".into(),
            Some(("command", value)) if value.trim().is_empty() => {
                "empty value in allowlist entry for field \"command\"".into()
            }
            Some(("command", value)) => {
                entries.push(obj! { "command": value });
                continue;
            }
            Some((field, _)) => format!("unrecognized allowlist entry field: {field}", field = quoted(&field)),
        };
        errors.push(Error::plain(wrong));
    }
    Error::all(errors)?;
    Ok(entries)
}

/// The value of `--kuberc` on a command line.
fn flag_of(args: &[String]) -> Result<&str, Error> {
    let nothing = || Error::plain("kuberc file is not found");
    for (i, arg) in args.iter().enumerate() {
        if arg == "--" {
            break;
        }
        if arg == "--kuberc" {
            return args.get(i + 1).map(String::as_str).ok_or_else(nothing);
        }
        if let Some(value) = arg.strip_prefix("--kuberc=") {
            return Some(value).filter(|v| !v.is_empty()).ok_or_else(nothing);
        }
    }
    Ok("")
}

/// Puts the user's aliases and defaults into a command line. What the line itself says wins.
///
/// # Errors
/// A kuberc that was named and is not there, or one that makes no sense.
pub fn apply(cx: &Context, args: &[String]) -> Result<Vec<String>, Error> {
    let mut args = args.to_vec();
    if args.is_empty() {
        return Ok(args);
    }
    let Some((path, explicit)) = place(cx, flag_of(&args)?)? else {
        return Ok(args);
    };
    let Ok(text) = cx.files.read_text(&cx.path(&path)) else {
        if explicit {
            return Err(Error::plain(format!(
                "kuberc error kuberc: open {path}: no such file or directory"
            )));
        }
        return Ok(args);
    };
    let preference = match yaml::decode(&text) {
        Ok(value) => value,
        Err(e) if explicit => return Err(Error::plain(format!("kuberc error kuberc: {e}"))),
        Err(e) => {
            cx.stderr
                .write(format!("kuberc: no preferences loaded from {path}: {e}"));
            return Ok(args);
        }
    };
    check(&preference)?;
    let (verb, _, _) = find(&args);
    if std::ptr::eq(verb, &root::ROOT) {
        let aliases = preference.get("aliases").items();
        let at = args.iter().position(|a| !a.starts_with('-'));
        if let Some(at) = at
            && let Some(alias) = aliases
                .iter()
                .find(|a| args.get(at).is_some_and(|w| a.str_at(&["name"]) == w))
        {
            expand(&mut args, at, alias)?;
        }
    }
    let (verb, path, _) = find(&args);
    for entry in preference.get("defaults").items() {
        let command = entry.str_at(&["command"]);
        let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        let (named, _, rest) = find(&words);
        if !rest.is_empty() || words.is_empty() {
            cx.stderr.line(format!(
                "Warning: command {command} not found to set kuberc override",
                command = quoted(&command)
            ));
        } else if std::ptr::eq(named, verb) {
            let wrong = |name: &str| Error::plain(format!("invalid flag {name} for command {command}"));
            let at = path.split(' ').count() - 1;
            defaults(&mut args, at, verb, entry.get("options"), wrong)?;
        }
    }
    Ok(args)
}

/// What kubectl demands of a kuberc.
fn check(preference: &Value) -> Result<(), Error> {
    let mut seen: Vec<&str> = Vec::new();
    for section in ["aliases", "defaults"] {
        for entry in preference.get(section).items() {
            let name = entry.str_at(&["name"]);
            let alphabetic = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphabetic());
            if section == "aliases" && !alphabetic {
                return Err(Error::plain(
                    "invalid alias name, can only include alphabetical characters",
                ));
            }
            for option in entry.get("options").items() {
                let flag = option.str_at(&["name"]);
                if flag.starts_with('-') {
                    return Err(Error::plain(format!(
                        "flag name {flag} should be in long form without dashes"
                    )));
                }
            }
            if section == "aliases" {
                if seen.contains(&name) {
                    return Err(Error::plain(format!("duplicate alias name {name}")));
                }
                seen.push(name);
            }
        }
    }
    Ok(())
}

/// Replaces an alias by what it stands for.
fn expand(args: &mut Vec<String>, at: usize, alias: &Value) -> Result<(), Error> {
    let (name, command) = (alias.str_at(&["name"]), alias.str_at(&["command"]));
    let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
    let (verb, _, rest) = find(&words);
    if !rest.is_empty() || std::ptr::eq(verb, &root::ROOT) {
        return Err(Error::plain(format!(
            "command {command} not found to set alias {name}: {}",
            words.join(" "),
            command = quoted(&command),
            name = quoted(&name)
        )));
    }
    let list = |field: &str| {
        let items = alias.get(field).items().iter();
        items.map(|v| v.str().to_owned()).collect::<Vec<_>>()
    };
    let mut line = args.split_off(at);
    let rest = line.split_off(1);
    let end = at + words.len();
    args.extend(words);
    args.extend(list("prependArgs"));
    args.extend(rest);
    args.extend(list("appendArgs"));
    let wrong = |flag: &str| Error::plain(format!("invalid alias flag {flag} in alias kubectl"));
    defaults(args, end, verb, alias.get("options"), wrong)
}

/// Puts flags that the line does not give behind the command's own words.
fn defaults(
    args: &mut Vec<String>,
    at: usize,
    verb: &Verb,
    list: &Value,
    wrong: impl Fn(&str) -> Error,
) -> Result<(), Error> {
    for option in list.items() {
        let name = option.str_at(&["name"]);
        let mut flags = verb.flags.iter().copied().chain([options::GLOBAL]).flatten();
        let Some(known) = flags.find(|f| f.name == name) else {
            return Err(wrong(name));
        };
        let long = format!("--{name}");
        let given = args.iter().any(|a| {
            *a == long
                || a.starts_with(&format!("{long}="))
                || (known.short != '\0' && !a.starts_with("--") && a.starts_with('-') && a.contains(known.short))
        });
        if !given {
            let at = at.min(args.len());
            args.insert(at, format!("{long}={}", option.str_at(&["default"])));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::run_in;
    use crate::world::{Options, World};

    #[test]
    fn sets_shows_and_uses() {
        let world = World::new(&Options::default()).unwrap();
        let run = |line: &str| run_in(&world, line).0;
        assert_eq!(
            run("kubectl kuberc set --section defaults --command get --option output=name"),
            "Updated /root/.kube/kuberc\n"
        );
        assert_eq!(
            run(
                "kubectl kuberc set --section aliases --name nodes --command get --prependarg nodes --option no-headers=true"
            ),
            "Updated /root/.kube/kuberc\n"
        );
        assert_eq!(
            run("kubectl kuberc view"),
            "aliases:\n- command: get\n  name: nodes\n  options:\n  - default: \"true\"\n    name: no-headers\n  prependArgs:\n  - \
             nodes\napiVersion: kubectl.config.k8s.io/v1beta1\ndefaults:\n- command: get\n  options:\n  - default: name\n    \
             name: output\nkind: Preference\n"
        );
        assert_eq!(run("kubectl get ns default"), "namespace/default\n");
        assert!(run("kubectl get ns default -o json").starts_with('{'));
        assert_eq!(
            run("kubectl nodes k8s-master -o custom-columns=A:.metadata.name"),
            "k8s-master\n"
        );
        assert_eq!(
            run("KUBERC=off kubectl nodes"),
            "error: unknown command \"nodes\" for \"kubectl\"\n"
        );
        assert_eq!(
            run("kubectl kuberc set --section defaults --command get --option output=wide"),
            "error: defaults for command \"get\" already exist, use --overwrite to replace\n"
        );
    }
}
