//! Tests of the terminal against a small model of an emulator.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use expect_test::{Expect, expect};
use futures::FutureExt;
use futures::future::LocalBoxFuture;

use super::super::{Commands, Context, Dialect, Files, Host, Shell, ShellOptions, TerminalSize};
use super::{Candidate, Completer, CompletionRequest, Terminal, TerminalOwner, width};
use crate::sim::{Sim, Time};

/// What an emulator shows: rows of cells, with wrapping as xterm's.
struct Screen {
    columns: usize,
    rows: Vec<Vec<String>>,
    row: usize,
    column: usize,
    pending_wrap: bool,
    escape: String,
    bells: usize,
}

impl Screen {
    fn new(columns: usize) -> Screen {
        Screen {
            columns,
            rows: vec![Vec::new()],
            row: 0,
            column: 0,
            pending_wrap: false,
            escape: String::new(),
            bells: 0,
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        for c in String::from_utf8_lossy(bytes).chars() {
            if !self.escape.is_empty() {
                self.escape.push(c);
                if self.escape.len() > 2 && (c.is_ascii_alphabetic() || c == '~') {
                    let sequence = std::mem::take(&mut self.escape);
                    self.sequence(&sequence);
                }
                continue;
            }
            match c {
                '\x1b' => self.escape.push(c),
                '\r' => {
                    self.column = 0;
                    self.pending_wrap = false;
                }
                '\n' => {
                    self.row += 1;
                    self.pending_wrap = false;
                }
                '\x08' => self.column = self.column.saturating_sub(1),
                '\x07' => self.bells += 1,
                // Tabs stop every four cells here, which is enough to see them.
                '\t' => (0..4).for_each(|_| self.put(' ')),
                c => self.put(c),
            }
            while self.rows.len() <= self.row {
                self.rows.push(Vec::new());
            }
        }
    }

    fn put(&mut self, c: char) {
        let w = width(&c.to_string());
        if w == 0 {
            return;
        }
        if self.pending_wrap || self.column + w > self.columns {
            self.row += 1;
            self.column = 0;
            self.pending_wrap = false;
            while self.rows.len() <= self.row {
                self.rows.push(Vec::new());
            }
        }
        let row = &mut self.rows[self.row];
        while row.len() < self.column + w {
            row.push(" ".to_owned());
        }
        row[self.column] = c.to_string();
        for extra in 1..w {
            row[self.column + extra] = String::new();
        }
        self.column += w;
        if self.column == self.columns {
            self.column -= 1;
            self.pending_wrap = true;
        }
    }

    fn sequence(&mut self, sequence: &str) {
        let body = &sequence[2..sequence.len() - 1];
        let n = body.parse::<usize>().unwrap_or(1);
        self.pending_wrap = false;
        match sequence.chars().last().unwrap() {
            'A' => self.row = self.row.saturating_sub(n),
            'B' => self.row += n,
            'C' => self.column = (self.column + n).min(self.columns - 1),
            'H' => (self.row, self.column) = (0, 0),
            'J' => {
                if body == "2" {
                    self.rows = vec![Vec::new()];
                } else {
                    self.rows.truncate(self.row + 1);
                    if let Some(row) = self.rows.get_mut(self.row) {
                        row.truncate(self.column);
                    }
                }
            }
            _ => {}
        }
    }

    fn show(&self) -> String {
        let mut out = String::new();
        for (i, row) in self.rows.iter().enumerate() {
            let mut line = row.concat();
            if i == self.row {
                // The cursor: a bar before its cell.
                let before: String = row.iter().take(self.column).cloned().collect();
                let gap = " ".repeat(self.column.saturating_sub(row.len()));
                let after: String = row.iter().skip(self.column).cloned().collect();
                line = format!("{before}{gap}▏{after}");
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

struct Owner(Rc<RefCell<Screen>>);

impl TerminalOwner for Owner {
    fn screen(&self, bytes: &[u8]) {
        self.0.borrow_mut().write(bytes);
    }
}

struct Pods;

impl Completer for Pods {
    fn complete(&self, request: CompletionRequest) -> LocalBoxFuture<'static, Vec<Candidate>> {
        let sim = request.host.sim().clone();
        async move {
            // As an API call would.
            sim.sleep(Duration::from_millis(5)).await;
            match request.words.len() {
                2 => ["get", "describe", "delete"].map(Candidate::new).into(),
                3 => ["pods", "pods.metrics", "services"].map(Candidate::new).into(),
                _ => ["web-1", "web-2", "db-0"].map(Candidate::new).into(),
            }
        }
        .boxed_local()
    }
}

struct Desk {
    sim: Sim,
    terminal: Terminal,
    screen: Rc<RefCell<Screen>>,
}

fn desk(columns: u16) -> Desk {
    let sim = Sim::new(1, Time::from_secs(1_000));
    let files = Files::with_base(&sim);
    files.write("/root/web.yaml", "kind: Pod\n").unwrap();
    files.write("/root/web pod.yaml", "").unwrap();
    files.make_dirs("/root/manifests").unwrap();
    let mut commands = Commands::with_tools();
    commands.add("kubectl", |c: Context| async move {
        c.stdout.line(format!("kubectl {}", c.rest().join(" ")));
        0
    });
    let host = Host::new(&sim, "k8s-master", files, commands, Dialect::Bash);
    host.set_completer("kubectl", Rc::new(Pods));
    let shell = Shell::new(
        &host,
        ShellOptions {
            name: "-bash".into(),
            interactive: true,
            from_c: false,
            ..ShellOptions::default()
        },
    );
    let screen = Rc::new(RefCell::new(Screen::new(columns.into())));
    let terminal = Terminal::new(shell, TerminalSize { columns, rows: 24 }, Owner(screen.clone()));
    terminal.shell().export("PS1", "\\[\\e[32m\\]# \\[\\e[0m\\]");
    terminal.begin("");
    Desk { sim, terminal, screen }
}

impl Desk {
    fn feed(&self, keys: &str) -> &Desk {
        self.terminal.feed(keys);
        self.sim.run_for(Duration::from_millis(100));
        self
    }

    fn shows(&self, expected: Expect) {
        expected.assert_eq(&self.screen.borrow().show());
    }
}

#[test]
fn types_edits_and_runs() {
    let d = desk(40);
    d.feed("echo helo\x1b[Dl\x01\x1b[C\x1b[C\x05 wor\x7fld\r");
    d.shows(expect![[r#"
        # echo hello wold
        hello wold
        # ▏
    "#]]);
    d.feed("one two three\x17\x17X\x15abc\x19\x01>\x0b\x19<");
    d.shows(expect![[r#"
        # echo hello wold
        hello wold
        # >abcone X<▏
    "#]]);
    d.feed("\x03");
    d.feed("echo $?\r");
    d.shows(expect![[r#"
        # echo hello wold
        hello wold
        # >abcone X<^C
        # echo $?
        130
        # ▏
    "#]]);
}

#[test]
fn wraps_and_wide_characters() {
    let d = desk(20);
    d.feed("echo abcdefghijklmnopqrstuvwxyz");
    d.shows(expect![[r#"
        # echo abcdefghijklm
        nopqrstuvwxyz▏
    "#]]);
    d.feed("\x01\x1b[3~E");
    d.shows(expect![[r#"
        # E▏cho abcdefghijklm
        nopqrstuvwxyz
    "#]]);
    d.feed("\x15\x0becho 你好世界再见了朋友们");
    d.shows(expect![[r#"
        # echo 你好世界再见
        了朋友们▏
    "#]]);
    d.feed("\x1b[D\x1b[D\x7f!");
    d.shows(expect![[r#"
        # echo 你好世界再见
        了!▏友们
    "#]]);
    d.feed("\r");
    d.shows(expect![[r#"
        # echo 你好世界再见
        了!友们
        你好世界再见了!友们
        # ▏
    "#]]);
    // Exactly at the right edge.
    d.feed("\x0c123456789012345678");
    d.shows(expect![[r#"
        # 123456789012345678
        ▏
    "#]]);
    d.feed("\x7f");
    d.shows(expect![[r#"
        # 12345678901234567▏
    "#]]);
    d.feed("89");
    d.terminal.resize(TerminalSize { columns: 40, rows: 24 });
    // A resized emulator has joined the wrapped rows.
    d.feed("x");
    assert_eq!(d.terminal.line(), "1234567890123456789x");
}

#[test]
fn history_and_search() {
    let d = desk(60);
    d.feed("echo one\recho two\recho two\rfalse\r");
    d.feed("draft\x1b[A\x1b[A");
    assert_eq!(d.terminal.line(), "echo two");
    d.feed("\x1b[A");
    assert_eq!(d.terminal.line(), "echo one");
    d.feed("\x1b[B\x1b[B\x1b[B");
    assert_eq!(d.terminal.line(), "draft");
    d.feed("\x15\x0c\x12one");
    d.shows(expect![[r#"
        (reverse-i-search)`one': echo ▏one
    "#]]);
    d.feed("\r");
    d.shows(expect![[r#"
        # echo one
        one
        # ▏
    "#]]);
    d.feed("\x12zzz");
    d.shows(expect![[r#"
        # echo one
        one
        (failed reverse-i-search)`zzz': ▏
    "#]]);
    d.feed("\x07");
    d.feed("\x0chistory 2\r");
    d.shows(expect![[r#"
        # history 2
            4  echo one
            5  history 2
        # ▏
    "#]]);
}

#[test]
fn continues_unfinished_commands_and_pastes() {
    let d = desk(40);
    d.feed("for i in 1 2\rdo echo $i\rdone\r");
    d.shows(expect![[r#"
        # for i in 1 2
        > do echo $i
        > done
        1
        2
        # ▏
    "#]]);
    d.feed("\x0c\x1b[200~cat <<EOF > a\rx:\ty\rEOF\rcat a\rsleep 0.05\recho end\recho not yet\x1b[201~");
    d.shows(expect![[r#"
        # cat <<EOF > a
        > x:    y
        > EOF
        # cat a
        x:    y
        # sleep 0.05
        # echo end
        end
        # echo not yet▏
    "#]]);
    d.feed("\x15echo 'a\x03");
    d.feed("echo \"open\r\x03echo ok\r");
    let shown = d.screen.borrow().show();
    assert!(shown.contains("> ^C\n# echo ok\nok\n# ▏"), "{shown}");
}

#[test]
fn completes() {
    let d = desk(60);
    d.feed("kubec\tget po\t");
    assert_eq!(d.terminal.line(), "kubectl get pods");
    d.feed("\t");
    d.shows(expect![[r#"
        # kubectl get pods
        pods  pods.metrics
        # kubectl get pods▏
    "#]]);
    d.feed(" w\t");
    assert_eq!(d.terminal.line(), "kubectl get pods web-");
    d.feed("2\r");
    d.feed("\x0ccat we\t\t");
    d.shows(expect![[r#"
        # cat web
        web pod.yaml  web.yaml
        # cat web▏
    "#]]);
    d.feed("\\ \t\x15cd m\t\x15echo $HO\t");
    assert_eq!(d.terminal.line(), "echo $HOME ");
    d.feed("\x15cat 'web p\t");
    assert_eq!(d.terminal.line(), "cat 'web pod.yaml' ");
    d.feed("\x15ls /us\tloc\t");
    assert_eq!(d.terminal.line(), "ls /usr/local/");
    // Keys that come while the API is asked wait for the answer.
    d.feed("\x15kubectl d\tx");
    assert_eq!(d.terminal.line(), "kubectl dex");
}

#[test]
fn programs_read_the_keyboard() {
    let d = desk(40);
    d.feed("read x; echo \"[$x]\"\r");
    d.feed("helo\x7flo\r");
    d.shows(expect![[r#"
        # read x; echo "[$x]"
        hello
        [hello]
        # ▏
    "#]]);
    d.feed("\x0ccat\r");
    d.feed("line\r");
    d.feed("\x04");
    d.shows(expect![[r#"
        # cat
        line
        line
        # ▏
    "#]]);
    d.feed("\x0csleep 100\r");
    d.feed("echo later\r");
    d.feed("\x03");
    d.feed("echo $?\r");
    d.shows(expect![[r#"
        # sleep 100
        ^C
        # echo $?
        130
        # ▏
    "#]]);
    d.feed("\x0csleep 1\r");
    d.feed("echo typed ahead\r");
    d.sim.run_for(Duration::from_secs(2));
    d.shows(expect![[r#"
        # sleep 1
        # echo typed ahead
        typed ahead
        # ▏
    "#]]);
    d.feed("\x0cwhile true; do :; done\r");
    d.feed("\x03");
    d.feed("sleep 0.3 &\r");
    d.sim.run_for(Duration::from_secs(1));
    d.feed("\r");
    let shown = d.screen.borrow().show();
    assert!(shown.contains("Done") && shown.contains("sleep 0.3"), "{shown}");
    assert_eq!(d.sim.task_names().len(), 0, "nothing is left running");
}

#[test]
fn errors_and_the_end() {
    let d = desk(60);
    d.feed("foo\recho )\rcd /nope\rexit 3\recho again\r");
    d.shows(expect![[r#"
        # foo
        -bash: foo: command not found
        # echo )
        -bash: syntax error near unexpected token `)'
        # cd /nope
        -bash: cd: /nope: No such file or directory
        # exit 3
        exit
        # echo again
        again
        # ▏
    "#]]);
}

#[test]
fn any_keys_in_any_order_do_no_harm() {
    let d = desk(13);
    let keys: Vec<&str> = vec![
        "a",
        "中",
        "é",
        "\u{301}",
        "👩\u{200d}🚀",
        " ",
        "\t",
        "\x7f",
        "\x1b[D",
        "\x1b[C",
        "\x1b[A",
        "\x1b[B",
        "\x01",
        "\x05",
        "\x0b",
        "\x15",
        "\x17",
        "\x19",
        "\x12",
        "\x07",
        "\x0c",
        "\x1bb",
        "\x1bf",
        "\x1bd",
        "\x1b[3~",
        "\x14",
        "\x1f",
        "'",
        "\x03",
        "\x1b[200~",
        "\x1b[201~",
        "\r",
        "\x1b.",
    ];
    for _ in 0..4_000 {
        let i = d.sim.random_below(keys.len() as u64) as usize;
        d.terminal.feed(keys[i]);
        if i.is_multiple_of(7) {
            d.sim.run_for(Duration::from_millis(10));
        }
    }
    d.sim.run_for(Duration::from_secs(60));
    d.feed("\x1b[201~\x03\x03\x0cecho fine\r");
    let shown = d.screen.borrow().show();
    assert!(shown.contains("fine"), "{shown}");
}
