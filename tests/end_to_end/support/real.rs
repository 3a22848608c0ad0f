//! Real programs, with inputs that make them do the same in every run.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::strace::TCP;
use super::{Program, scratch, victim};

/// A real program, and the contents of its folder.
pub struct Real {
    /// The name that the tests use for it.
    pub name: &'static str,
    /// Fills an empty folder.
    prepare: fn(&Path),
    program: fn() -> Program,
    /// What is the same in every run.
    pub steady: Steady,
}

/// Which of a program's system calls are the same in every run.
#[derive(Clone, Copy)]
pub enum Steady {
    /// All of them.
    All,
    /// All except these kinds, whose number depends on timing.
    AllBut(&'static [&'static str]),
    /// Only these kinds, of these executables.
    Only {
        /// The executables' names.
        executables: &'static [&'static str],
        /// The kinds.
        kinds: &'static [&'static str],
    },
}

impl Steady {
    /// Whether an executable's calls are compared.
    pub fn compares(self, executable: &str) -> bool {
        match self {
            Steady::All | Steady::AllBut(_) => true,
            Steady::Only { executables, .. } => executables.contains(&executable),
        }
    }

    /// Whether calls of a kind are compared.
    pub fn has(self, kind: &str) -> bool {
        match self {
            Steady::All => true,
            Steady::AllBut(others) => !others.contains(&kind),
            Steady::Only { kinds, .. } => kinds.contains(&kind),
        }
    }
}

impl Real {
    /// A new folder with the program's input.
    pub fn folder(&self) -> TempDir {
        let folder = scratch();
        (self.prepare)(folder.path());
        folder
    }

    /// The program, to be run in such a folder.
    pub fn program(&self) -> Program {
        (self.program)()
    }

    /// The program of this name.
    #[track_caller]
    pub fn named(name: &str) -> &'static Real {
        ALL.iter()
            .chain(VICTIMS)
            .find(|real| real.name == name)
            .expect("a program of the list")
    }
}

/// All real programs.
pub const ALL: &[Real] = &[
    Real {
        name: "sort",
        prepare: numbers,
        program: || Program::new("/usr/bin/sort").args(["--parallel=1", "numbers"]),
        steady: Steady::All,
    },
    Real {
        name: "sort in two threads",
        prepare: numbers,
        program: || Program::new("/usr/bin/sort").args(["--parallel=2", "-S", "8M", "numbers"]),
        steady: Steady::All,
    },
    Real {
        name: "sort in eight threads",
        steady: Steady::All,
        prepare: numbers,
        program: || Program::new("/usr/bin/sort").args(["--parallel=8", "-S", "8M", "numbers"]),
    },
    Real {
        name: "gzip",
        prepare: numbers,
        program: || Program::new("/usr/bin/gzip").args(["-9", "-n", "-c", "numbers"]),
        steady: Steady::All,
    },
    Real {
        name: "tar",
        prepare: tree,
        program: || {
            Program::new("/usr/bin/tar").args([
                "--sort=name",
                "--mtime=@0",
                "--owner=0",
                "--group=0",
                "-cf",
                "-",
                "tree",
            ])
        },
        steady: Steady::All,
    },
    Real {
        name: "sqlite3",
        prepare: |_| (),
        program: || {
            Program::new("/usr/bin/sqlite3")
                .arg("test.db")
                .stdin(inserts())
        },
        steady: Steady::All,
    },
    Real {
        name: "git",
        prepare: tree,
        program: || {
            let script = COMMITS.to_owned()
                + " && git log --stat && git status --short -uno && \
                          git clone -q . copy && git -C copy log && rm -rf copy";
            identified(Program::new("/bin/sh").args(["-c", &script]))
        },
        steady: Steady::All,
    },
    Real {
        name: "gcc",
        prepare: source,
        program: || Program::new("/usr/bin/gcc").args(["-O1", "-o", "answer", "answer.c"]),
        steady: Steady::All,
    },
    Real {
        name: "git's commits",
        steady: Steady::All,
        prepare: repository,
        program: || identified(Program::new("/usr/bin/git").args(["--no-pager", "log", "--stat"])),
    },
    Real {
        name: "python3",
        prepare: |_| (),
        program: || {
            Program::new("/usr/bin/python3")
                .args(["-S", "-s", "-B", "-c", PYTHON])
                .env("PYTHONHASHSEED", "0")
                .env("PYTHONMALLOC", "malloc")
        },
        steady: Steady::All,
    },
    Real {
        name: "python3 with its own allocator",
        prepare: |_| (),
        program: || Program::new("/usr/bin/python3").args(["-I", "-S", "-c", PYTHON]),
        steady: Steady::All,
    },
    Real {
        name: "ls",
        prepare: tree,
        program: || Program::new("/usr/bin/ls").args(["-lR", "tree"]),
        steady: Steady::All,
    },
    Real {
        name: "find",
        prepare: tree,
        program: || Program::new("/usr/bin/find").args(["tree", "-name", "file-*", "-size", "+3k"]),
        steady: Steady::All,
    },
    Real {
        name: "grep",
        prepare: tree,
        program: || Program::new("/usr/bin/grep").args(["-r", "-c", "more", "tree"]),
        // It reads its memory maps into memory that it maps. With Weir, the maps list one library more.
        steady: Steady::AllBut(&["lseek", "mmap", "munmap"]),
    },
    Real {
        name: "python3 with sockets, threads and a subprocess",
        prepare: |_| (),
        program: || {
            Program::new("/usr/bin/python3")
                .args(["-S", "-s", "-B", "-c", PYTHON_AT_LARGE])
                .env("PYTHONHASHSEED", "0")
                .env("PYTHONMALLOC", "malloc")
        },
        steady: Steady::All,
    },
    Real {
        name: "perl",
        prepare: tree,
        program: || {
            Program::new("/usr/bin/perl")
                .args(["-e", PERL])
                .env("PERL_HASH_SEED", "0")
        },
        steady: Steady::All,
    },
    Real {
        name: "curl",
        prepare: |_| (),
        program: || {
            let url = format!("http://127.0.0.1:{}/page", serve_once());
            Program::new("/usr/bin/curl").args(["-q", "-s", "--noproxy", "*", "-o", "page", &url])
        },
        // It asks for data that has not come yet.
        steady: Steady::AllBut(&["poll", "recv"]),
    },
    Real {
        name: "redis",
        prepare: |_| (),
        program: || {
            let (server, client) = (
                "/usr/bin/redis-server --bind 127.0.0.1 --save '' --port",
                "-h 127.0.0.1 -p",
            );
            let port = free_port();
            let script = format!(
                "{server} {port} | while read -r line; do case $line in *'Ready to accept'*) \
                 redis-benchmark {client} {port} -c 1 -n 300 -P 1 -t set,get -q > /dev/null; \
                 redis-cli {client} {port} shutdown nosave;; esac; done"
            );
            Program::new("/bin/sh")
                .args(["-c", &script])
                .env("PATH", "/usr/bin:/bin")
        },
        // All of them read clocks, wake up periodically, and print how long things took. The data in sockets depends
        // on the load alone: one client, one request after the other.
        steady: Steady::Only {
            executables: &["redis-check-rdb", "redis-benchmark", "redis-cli"],
            kinds: &[
                TCP[0],
                TCP[1],
                "socket",
                "bind",
                "listen",
                "connect",
                "accept",
                "setsockopt",
            ],
        },
    },
];

/// Victims whose own account is of other calls.
const VICTIMS: &[Real] = &[
    Real {
        name: "every function of stdio",
        prepare: |_| (),
        program: || Program::new(victim("stdio_calls")),
        steady: Steady::All,
    },
    Real {
        name: "every function that prints or scans",
        prepare: |_| (),
        program: || Program::new(victim("formatted_calls")),
        steady: Steady::All,
    },
    Real {
        name: "every function for wide characters",
        prepare: |_| (),
        program: || Program::new(victim("wide_calls")),
        steady: Steady::All,
    },
];

/// Runs git so that its result depends neither on the user nor on the time.
fn identified(program: Program) -> Program {
    [
        ("GIT_AUTHOR_NAME", "A"),
        ("GIT_AUTHOR_EMAIL", "a@example.org"),
        ("GIT_COMMITTER_NAME", "A"),
        ("GIT_COMMITTER_EMAIL", "a@example.org"),
        ("GIT_AUTHOR_DATE", "1700000000 +0000"),
        ("GIT_COMMITTER_DATE", "1700000000 +0000"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_SYSTEM", "/dev/null"),
        ("GIT_CONFIG_COUNT", "2"),
        ("GIT_CONFIG_KEY_0", "gc.auto"),
        ("GIT_CONFIG_VALUE_0", "0"),
        ("GIT_CONFIG_KEY_1", "maintenance.auto"),
        ("GIT_CONFIG_VALUE_1", "false"),
        ("PATH", "/usr/bin:/bin"),
    ]
    .into_iter()
    .fold(program, |program, (name, value)| program.env(name, value))
}

const PYTHON: &str = "
import json, os
rows = [{'n': n, 'text': 'x' * (n % 50), 'list': list(range(n % 9))} for n in range(3000)]
with open('rows.json', 'w') as file:
    json.dump(rows, file)
with open('rows.json') as file:
    back = json.load(file)
assert back == rows
fd = os.open('bytes', os.O_CREAT | os.O_RDWR)
for n in range(200):
    os.write(fd, b'y' * n)
os.lseek(fd, 0, os.SEEK_SET)
print(len(os.read(fd, 1 << 20)), sum(len(row['text']) for row in back))
";

const PYTHON_AT_LARGE: &str = "
import os, socket, subprocess, threading

def echo(listener):
    with listener.accept()[0] as peer:
        for n in range(1, 60):
            peer.sendall(peer.recv(n * 100, socket.MSG_WAITALL))

listener = socket.create_server(('127.0.0.1', 0))
server = threading.Thread(target=echo, args=[listener])
server.start()
with socket.create_connection(listener.getsockname()) as client:
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for n in range(1, 60):
        client.sendall(b'z' * n * 100)
        assert len(client.recv(n * 100, socket.MSG_WAITALL)) == n * 100
server.join()
listener.close()

left, right = socket.socketpair()
left.send(b'x' * 100)
print(right.recv(1000))

def write(name):
    fd = os.open(name, os.O_CREAT | os.O_WRONLY)
    for n in range(100):
        os.write(fd, b'w' * n)
    os.fsync(fd)
    os.close(fd)

for n in range(4):
    thread = threading.Thread(target=write, args=[str(n)])
    thread.start()
    thread.join()

done = subprocess.run(['/usr/bin/sort'], input=b'b' * 1000, stdout=subprocess.PIPE)
print(len(done.stdout), sorted(name for name in os.listdir() if len(name) == 1))
for n in range(4):
    os.rename(str(n), 'gone')
    os.unlink('gone')
";

const PERL: &str = r#"
use Socket;
my %count;
for my $folder ('tree', 'tree/deep') {
    opendir(my $names, $folder) or die;
    for my $name (sort readdir $names) {
        next unless -f "$folder/$name";
        open(my $file, '<', "$folder/$name") or die;
        while (<$file>) { $count{$_}++ for split /\s+/ }
    }
}
open(my $out, '>', 'counts') or die;
printf $out "%-20s %d
", $_, $count{$_} for sort keys %count;
seek($out, 10, 0);
print $out "over
";
close $out;
socketpair(my $one, my $other, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die;
syswrite($one, 'a' x 1000);
sysread($other, my $text, 2000);
send($other, 'b' x 10, 0);
recv($one, $text, 100, 0);
rename 'counts', 'sums' or die;
mkdir 'new' and rmdir 'new' or die;
symlink 'sums', 'link' and readlink 'link' or die;
open(my $pipe, '-|', 'sort', '-r', 'sums') or die;
my @lines = <$pipe>;
close $pipe;
print scalar(@lines), "
";
unlink 'link', 'sums';
"#;

/// A port of this machine that is free now.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
    listener.local_addr().expect("its address").port()
}

/// Answers one request of one connection, on a port, and ends.
fn serve_once() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let port = listener.local_addr().expect("its address").port();
    std::thread::spawn(move || {
        let (mut peer, _) = listener.accept().expect("a connection");
        let (mut request, mut bytes) = (Vec::new(), [0; 1000]);
        while !request.ends_with(b"\r\n\r\n") {
            let length = peer.read(&mut bytes).expect("a request");
            assert_ne!(length, 0, "half a request");
            request.extend_from_slice(&bytes[..length]);
        }
        let page = "of text. ".repeat(1000);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n", page.len());
        let answer = format!("{head}Connection: close\r\n\r\n{page}");
        peer.write_all(answer.as_bytes())
            .expect("it reads the answer");
    });
    port
}

/// A file of a megabyte, with unsorted numbers.
fn numbers(folder: &Path) {
    let mut number = 1_u64;
    let mut text = String::new();
    while text.len() < 1_000_000 {
        number = number
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        text += &format!("{}\n", number >> 33);
    }
    fs::write(folder.join("numbers"), text).expect("a file");
}

/// Makes a repository of the tree, with two commits.
const COMMITS: &str = "git init -q . && git add tree && git commit -q -m first && \
                       echo more >> tree/file-3 && touch -d @1700000000 tree/file-3 && \
                       git commit -q -a -m second";

fn repository(folder: &Path) {
    tree(folder);
    let program = Program::new("/bin/sh").args(["-c", COMMITS]);
    let program = identified(program).in_folder(folder);
    program.plain().expect_status(0);
}

/// A tree of files of many sizes.
fn tree(folder: &Path) {
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    for part in ["tree", "tree/deep", "tree/deep/deeper"] {
        let part = folder.join(part);
        fs::create_dir(&part).expect("a folder");
        for number in 0..8_usize {
            let content = format!("{number}, once more\n").repeat(number * number * 97);
            let path = part.join(format!("file-{number}"));
            fs::write(&path, content).expect("a file");
            // The times are far in the past: git reads a file again if it may have changed recently.
            let file = fs::File::options().write(true).open(path).expect("a file");
            file.set_modified(long_ago).expect("a time");
        }
    }
    for part in ["tree/deep/deeper", "tree/deep", "tree"] {
        let part = fs::File::open(folder.join(part)).expect("a folder");
        part.set_modified(long_ago).expect("a time");
    }
}

fn source(folder: &Path) {
    let functions: String = (0..200)
        .map(|n| format!("int f{n}(int x) {{ return x * {n} + 1; }}\n"))
        .collect();
    let text = format!("#include <stdio.h>\n{functions}int main(void) {{ return f42(1); }}\n");
    fs::write(folder.join("answer.c"), text).expect("a file");
}

/// 10,000 rows: each of the first 20 in a transaction of its own: every one waits for the disk, all others in one.
fn inserts() -> String {
    let mut script = String::from("create table t(id integer primary key, text);\n");
    for number in 0..10_000 {
        if number == 20 {
            script += "begin;\n";
        }
        script += &format!("insert into t values({number}, 'row {number}');\n");
    }
    script + "commit;\nselect count(*), sum(length(text)) from t;\n"
}
