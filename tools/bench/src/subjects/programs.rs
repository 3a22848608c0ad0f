//! Real programs, with Weir's default settings: how much longer they take, and whether the writer
//! is fast enough.

use std::cell::Cell;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};

use crate::bench::Bench;
use crate::command::{find_program, scratch, succeed};
use crate::contestant::Contestant;
use crate::interleave::{Run, interleave};
use crate::loads::Loads;
use crate::luajit;
use crate::product::report;
use crate::section::{Row, Section};
use crate::table::count;
use crate::target::{Bound, Target};
use crate::timing::Timing;

/// A program as a shell script: `$IN` is the folder of the inputs, the working directory is its own.
struct Program {
    name: &'static str,
    script: &'static str,
    /// What is aimed at: the ratio to the time without a tool, or that no sample is dropped.
    most_over_no_tool: Option<f64>,
}

const PROGRAMS: [Program; 8] = [
    Program {
        name: "sort",
        script: r#"sort "$IN/lines" >out"#,
        most_over_no_tool: None,
    },
    Program {
        name: "gzip",
        script: r#"gzip -c "$IN/lines" >out"#,
        most_over_no_tool: None,
    },
    Program {
        name: "tar",
        script: r#"tar -C "$IN" -cf out tree && tar -xf out"#,
        most_over_no_tool: None,
    },
    Program {
        name: "sqlite3",
        script: r#"sqlite3 out <"$IN/queries.sql""#,
        most_over_no_tool: None,
    },
    Program {
        name: "git",
        script: r#"git init -q . && cp -r "$IN/tree" . && git add -A &&
            git -c user.name=n -c user.email=e commit -q -m tree && git log --stat >log && git gc -q"#,
        most_over_no_tool: None,
    },
    Program {
        name: "gcc",
        script: r#"gcc -O2 -g -c "$IN/functions.c" -o out"#,
        most_over_no_tool: None,
    },
    Program {
        name: "python3",
        script: r#"python3 "$IN/words.py" "$IN/lines" >out"#,
        most_over_no_tool: None,
    },
    // LuaJIT by its own Makefile; in a hurry, only the first program that it needs.
    Program {
        name: "make",
        script: r#"cp -R "$IN/luajit/." . && make -j2 BUILDMODE=static $GOAL >log"#,
        most_over_no_tool: Some(1.25),
    },
];

/// Each program without a tool and under `weir run`.
pub fn measure(bench: &Bench) -> Result<Section> {
    let inputs = scratch()?;
    write_inputs(inputs.path(), if bench.quick { 20 } else { 1 })?;
    let mut rows = Vec::new();
    let (all_samples, all_dropped) = (Cell::new(0), Cell::new(0));
    for program in &PROGRAMS {
        if find_program(program.name).is_none() {
            rows.push(Row::not_installed(program.name));
            continue;
        }
        let dropped = Cell::new(0);
        let runs: [Run; 2] = [
            Box::new(|| Ok(run(bench, program, inputs.path(), Contestant::NoTool)?.elapsed_ms)),
            Box::new(|| {
                let run = run(
                    bench,
                    program,
                    inputs.path(),
                    Contestant::Weir(Timing::Sampled),
                )?;
                dropped.set(dropped.get() + run.dropped);
                all_samples.set(all_samples.get() + run.samples);
                Ok(run.elapsed_ms)
            }),
        ];
        let rounds = interleave(bench.few_rounds(), &runs)?;
        drop(runs);
        all_dropped.set(all_dropped.get() + dropped.get());
        rows.push(
            Row::measured(program.name, &rounds, 1)
                .over_no_tool(rounds.ratio(1, 0))
                .aiming_at(match program.most_over_no_tool {
                    Some(most) => Target::new(
                        Bound::AtMost(most),
                        format!("≤ {most:.2} × no tool"),
                        rounds.ratio(1, 0).median,
                    ),
                    None => Target::new(
                        Bound::AtMost(0.0),
                        "0 samples dropped",
                        dropped.get() as f64,
                    ),
                }),
        );
    }
    Ok(
        Section::new("Real programs under `weir run`", "ms", rows).note(format!(
            "All runs of this table together: {} samples taken, {} of them dropped.",
            count(all_samples.get()),
            count(all_dropped.get()),
        )),
    )
}

struct Outcome {
    elapsed_ms: f64,
    samples: u64,
    dropped: u64,
}

fn run(bench: &Bench, program: &Program, inputs: &Path, contestant: Contestant) -> Result<Outcome> {
    let folder = scratch()?;
    let mut command = bench.command(contestant, "sh".as_ref(), folder.path());
    command
        .args(["-c", program.script])
        .env("IN", inputs)
        .env(
            "GOAL",
            if bench.quick {
                "-C src host/minilua"
            } else {
                ""
            },
        )
        .env("LC_ALL", "C")
        .env("PATH", system_first()?)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    let begin = Instant::now();
    succeed(&mut command)
        .with_context(|| format!("{} under {}", program.name, contestant.label()))?;
    let elapsed_ms = begin.elapsed().as_secs_f64() * 1e3;
    let (samples, dropped) = match contestant {
        Contestant::Weir(_) => {
            let report = report(folder.path())?;
            (report.tool.samples, report.missed.dropped_samples)
        }
        _ => (0, 0),
    };
    Ok(Outcome {
        elapsed_ms,
        samples,
        dropped,
    })
}

/// The search path with the system's folders in front: of the programs themselves, not of the scripts
/// that version managers put in their place.
fn system_first() -> Result<OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/bin", "/bin"].map(PathBuf::from).into_iter();
    Ok(std::env::join_paths(
        system.chain(std::env::split_paths(&path)),
    )?)
}

/// Writes what the programs work on, the same on every machine: `part` is by how much to make it smaller.
fn write_inputs(folder: &Path, part: u32) -> Result<()> {
    let mut random = Random(1);
    let lines: String = (0..400_000 / part).map(|_| random.line()).collect();
    fs::write(folder.join("lines"), lines)?;

    for directory in 0..40 / part.min(10) {
        let directory = folder.join("tree").join(directory.to_string());
        fs::create_dir_all(&directory)?;
        for file in 0..50 {
            let text: String = (0..20 + random.below(200)).map(|_| random.line()).collect();
            fs::write(directory.join(file.to_string()), text)?;
        }
    }

    fs::write(
        folder.join("queries.sql"),
        format!(
            "create table t(id integer primary key, word text, amount integer);
             with recursive n(i) as (select 1 union all select i + 1 from n where i < {})
               insert into t select i, hex(i * 2654435761 % 4294967296), i * 48271 % 65537 from n;
             create index by_word on t(word);
             select amount % 100, count(*), max(word) from t group by 1 order by 2 desc;
             update t set word = lower(word) where amount % 3 = 0;
             delete from t where amount % 5 = 0;\n",
            200_000 / part
        ),
    )?;

    let mut source = String::from("#include <stdlib.h>\n");
    for number in 0..1_000 / part {
        writeln!(
            source,
            "int f{number}(int n, int *p) {{ int s = {number}; for (int i = 0; i < n; i++) {{ \
             if (p[i] % {} == 0) s += p[i] * i; else s ^= abs(p[i]) >> (i & 7); }} return s; }}",
            number % 13 + 2
        )?;
    }
    fs::write(folder.join("functions.c"), source)?;

    fs::copy(Loads::sources().join("words.py"), folder.join("words.py"))?;
    luajit::unpack(&folder.join("luajit"))?;
    Ok(())
}

/// Knuth's 64-bit linear congruential generator (MMIX): the inputs are the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    /// A line of one to eight words.
    fn line(&mut self) -> String {
        let words = 1 + self.below(8);
        let words: Vec<String> = (0..words)
            .map(|_| format!("w{:x}", self.below(1 << 16)))
            .collect();
        words.join(" ") + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_the_same_each_time() {
        let folders = [scratch().unwrap(), scratch().unwrap()];
        for folder in &folders {
            write_inputs(folder.path(), 400).unwrap();
        }
        for name in [
            "lines",
            "queries.sql",
            "functions.c",
            "words.py",
            "tree/3/49",
        ] {
            let [one, other] = folders
                .each_ref()
                .map(|folder| fs::read(folder.path().join(name)).unwrap());
            assert!(!one.is_empty() && one == other, "{name}");
        }
    }
}
