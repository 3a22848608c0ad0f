//! Real programs, with inputs that make them do the same every time.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::{Program, scratch};

/// A real program in a folder with what it works on.
pub struct Real {
    /// What the tests call it.
    pub name: &'static str,
    /// Fills an empty folder.
    prepare: fn(&Path),
    program: fn() -> Program,
}

impl Real {
    /// A new folder with what the program works on.
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
            .find(|real| real.name == name)
            .expect("a program of the list")
    }
}

/// All of them.
pub const ALL: [Real; 9] = [
    Real {
        name: "sort",
        prepare: numbers,
        program: || Program::new("/usr/bin/sort").args(["--parallel=1", "numbers"]),
    },
    Real {
        name: "sort in two threads",
        prepare: numbers,
        program: || Program::new("/usr/bin/sort").args(["--parallel=2", "-S", "8M", "numbers"]),
    },
    Real {
        name: "gzip",
        prepare: numbers,
        program: || Program::new("/usr/bin/gzip").args(["-9", "-n", "-c", "numbers"]),
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
    },
    Real {
        name: "sqlite3",
        prepare: |_| (),
        program: || {
            Program::new("/usr/bin/sqlite3")
                .arg("test.db")
                .stdin(inserts())
        },
    },
    Real {
        name: "git",
        prepare: tree,
        program: || {
            let script = "git init -q . && git add tree && git commit -q -m first && \
                          echo more >> tree/file-3 && touch -d @1700000000 tree/file-3 && \
                          git commit -q -a -m second && \
                          git log --stat && git status --short -uno";
            identified(Program::new("/bin/sh").args(["-c", script]))
        },
    },
    Real {
        name: "gcc",
        prepare: source,
        program: || Program::new("/usr/bin/gcc").args(["-O1", "-o", "answer", "answer.c"]),
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
    },
    Real {
        name: "python3 with its own allocator",
        prepare: |_| (),
        program: || Program::new("/usr/bin/python3").args(["-I", "-S", "-c", PYTHON]),
    },
];

/// git, which must not depend on who runs it, nor on when.
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

/// A file of a megabyte, of numbers in no order.
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

/// A tree of files of many sizes.
fn tree(folder: &Path) {
    for part in ["tree", "tree/deep", "tree/deep/deeper"] {
        let part = folder.join(part);
        fs::create_dir(&part).expect("a folder");
        for number in 0..8_usize {
            let content = format!("{number}, once more\n").repeat(number * number * 97);
            let path = part.join(format!("file-{number}"));
            fs::write(&path, content).expect("a file");
            // Long ago: git reads again what may have changed since it last looked.
            let file = fs::File::options().write(true).open(path).expect("a file");
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000))
                .expect("a time");
        }
    }
}

fn source(folder: &Path) {
    let functions: String = (0..200)
        .map(|n| format!("int f{n}(int x) {{ return x * {n} + 1; }}\n"))
        .collect();
    let text = format!("#include <stdio.h>\n{functions}int main(void) {{ return f42(1); }}\n");
    fs::write(folder.join("answer.c"), text).expect("a file");
}

/// Three hundred transactions.
fn inserts() -> String {
    let mut script = String::from("create table t(id integer primary key, text);\n");
    for number in 0..300 {
        script += &format!("insert into t values({number}, 'row {number}');\n");
    }
    script + "select count(*), sum(length(text)) from t;\n"
}
