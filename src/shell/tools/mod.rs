//! The small tools: one file for each, or for a family. None needs a network.

mod awk;
mod columns;
pub(super) mod date;
mod dd;
mod diff;
mod find;
pub(super) mod fs;
mod grep;
mod hash;
pub mod jq;
mod lines;
mod mounts;
mod openssl;
pub(crate) mod options;
pub(super) mod printf;
mod proc;
mod sed;
mod sets;
mod sh;
mod sort;
pub mod tar;

use super::host::Commands;

/// Adds every tool.
pub(super) fn register(commands: &mut Commands) {
    commands.add("true", |_| async { 0 });
    commands.add("false", |_| async { 1 });
    macro_rules! add {
        ($($path:literal => $run:path),* $(,)?) => { $( commands.add($path, $run); )* };
    }
    add! {
        "/bin/sh" => sh::run,
        "/bin/bash" => sh::run,
        "printf" => printf::run,
        "date" => date::run,
        "/bin/cat" => lines::cat,
        "head" => lines::head,
        "tail" => lines::tail,
        "wc" => lines::wc,
        "tee" => lines::tee,
        "tac" => lines::tac,
        "rev" => lines::rev,
        "nl" => lines::nl,
        "less" => lines::pager,
        "/bin/more" => lines::pager,
        "sort" => sort::sort,
        "uniq" => sort::uniq,
        "cut" => columns::cut,
        "tr" => columns::tr,
        "paste" => columns::paste,
        "column" => columns::column,
        "fold" => columns::fold,
        "/bin/grep" => grep::grep,
        "/bin/egrep" => grep::grep,
        "/bin/fgrep" => grep::grep,
        "/bin/sed" => sed::sed,
        "awk" => awk::awk,
        "/bin/ls" => fs::ls,
        "/bin/mkdir" => fs::mkdir,
        "/bin/rmdir" => fs::rmdir,
        "/bin/rm" => fs::rm,
        "/bin/cp" => fs::cp,
        "/bin/mv" => fs::mv,
        "/bin/ln" => fs::ln,
        "/bin/touch" => fs::touch,
        "/bin/chmod" => fs::chmod,
        "/bin/dd" => dd::dd,
        "/bin/chown" => fs::chown,
        "/bin/chgrp" => fs::chown,
        "/bin/tar" => tar::tar,
        "/usr/sbin/chroot" => sh::chroot,
        "stat" => fs::stat,
        "find" => find::find,
        "du" => fs::du,
        "/bin/df" => mounts::df,
        "/bin/mount" => mounts::mount,
        "free" => mounts::free,
        "top" => mounts::top,
        "basename" => fs::basename,
        "dirname" => fs::dirname,
        "realpath" => fs::realpath,
        "/bin/readlink" => fs::realpath,
        "/bin/mktemp" => fs::mktemp,
        "/bin/pwd" => fs::pwd,
        "/bin/sleep" => proc::sleep,
        "timeout" => proc::timeout,
        "xargs" => proc::xargs,
        "env" => proc::env,
        "printenv" => proc::printenv,
        "nohup" => proc::wrapper,
        "nice" => proc::wrapper,
        "setsid" => proc::wrapper,
        "sudo" => proc::wrapper,
        "/bin/kill" => proc::kill,
        "pkill" => proc::by_name,
        "killall" => proc::by_name,
        "pgrep" => proc::by_name,
        "/bin/pidof" => proc::by_name,
        "/bin/ps" => proc::ps,
        "which" => proc::which,
        "seq" => proc::seq,
        "yes" => proc::yes,
        "clear" => proc::clear,
        "reset" => proc::clear,
        "tput" => proc::clear,
        "watch" => proc::watch,
        "/bin/hostname" => proc::hostname,
        "/bin/uname" => proc::uname,
        "id" => proc::id,
        "whoami" => proc::whoami,
        "nproc" => proc::nproc,
        "uptime" => proc::uptime,
        "/bin/echo" => proc::echo,
        "test" => proc::test,
        "[" => proc::test,
        "expr" => proc::expr,
        "vim" => proc::editor,
        "vi" => proc::editor,
        "nano" => proc::editor,
        "base64" => hash::base64,
        "sha256sum" => hash::sum,
        "sha1sum" => hash::sum,
        "md5sum" => hash::sum,
        "comm" => sets::comm,
        "join" => sets::join,
        "shuf" => sets::shuf,
        "split" => sets::split,
        "truncate" => sets::truncate,
        "od" => sets::od,
        "expand" => sets::expand,
        "envsubst" => sets::envsubst,
        "arch" => sets::small,
        "groups" => sets::small,
        "logname" => sets::small,
        "sync" => sets::small,
        "tty" => sets::small,
        "openssl" => openssl::openssl,
        "diff" => diff::diff,
        "cmp" => diff::cmp,
    }
}
