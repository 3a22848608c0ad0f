//! The longer parts of the help texts.

pub const ABOUT: &str = "Measures every allocation and I/O call of an unmodified program: exact counts, latencies, the heap";

pub const EXAMPLES: &str = "\
Examples:
  weir run ls -l                   run a program, write weir.ls.PID.json
  weir report weir.ls.4711.json    show the report
  weir doctor ./server             check whether a program can be traced";

pub const EXAMPLES_AND_EXIT_CODES: &str = "\
Examples:
  weir run ls -l                   run a program, write weir.ls.PID.json
  weir report weir.ls.4711.json    show the report
  weir doctor ./server             check whether a program can be traced

Exit codes:
  weir run ends as the program did: with its exit status, or by the same signal
  N (128 + N in the shell).
  Weir's own exit codes:
    0    success
    1    weir check: a limit of the budget is broken
    2    invalid arguments
  125    Weir failed: it cannot read a report, or cannot write an output
  126    the program exists, but cannot be executed or traced
  127    the program was not found";

pub const RUN_EXAMPLES: &str = "\
Examples:
  weir run ls -l                   -l is an option of ls
  weir run -o build.json make -j4  write the report to build.json
  weir run --time all ./server     time every allocation, with more overhead
  weir run -i 10 ./server          also write the report every 10 seconds
  weir run --live ./server < /dev/null > log 2>&1    show what it does meanwhile

Ends as the program did. 125, 126 and 127 are exit codes of Weir (see
'weir --help').";

pub const REPORT_EXAMPLES: &str = "\
Examples:
  weir report weir.ls.4711.json
  weir report --sort bytes weir.make.4711.json
  weir report --process 4713 weir.make.4711.json
  weir report --function fsync weir.make.4711.json
  weir report --file journal.db weir.make.4711.json
  weir report --by site --focus parse.c weir.make.4711.json
  weir report --totals weir.make.4711.json | jq .io.read_bytes
  weir report --color always weir.ls.4711.json | less -R
  ssh host cat weir.ls.4711.json | weir report -";

pub const DIFF_EXAMPLES: &str = "\
Examples:
  weir diff before.json after.json
  weir diff before/*.json --after after/*.json
  weir diff -f html -o change.html before.json after.json
  weir diff -f json before.json after.json | jq '.changes[]'";

pub const MERGE_EXAMPLES: &str = "\
Examples:
  weir merge -o all.json monday.json tuesday.json
  weir merge -o all.json reports/
  weir merge -o - reports/ | weir report -";

pub const CHECK_EXAMPLES: &str = "\
A budget is a TOML file of limits:

  [default]
  heap.peak_bytes = \"64MiB\"

  [[limit]]
  metric = \"functions.malloc.calls\"
  max = 120000

Examples:
  weir check weir.server.4711.json
  weir check -b ci.toml --baseline main.json weir.server.4711.json
  weir check -b ci.toml --junit weir.xml -- ./server --self-test

Exit codes: 0 all limits are kept, 1 one is broken, 125 one is undecided, or
the program did not end with status 0.";

pub const EXPORT_EXAMPLES: &str = "\
Folded stacks have one number: that of --of and --metric, or the bytes of
allocations, or else the time of I/O. dhat has the blocks of the heap.
speedscope, pprof and firefox have all numbers. csv and ndjson have tables,
openmetrics, otlp-json and bmf totals, and chrome-trace what happened when:
these are without call sites. parquet adds reports to a data set of many runs,
with all of these but what happened when.

Examples:
  weir export --format csv --table files weir.make.4711.json > files.csv
  weir export --format parquet --out fleet weir.*.json
  weir export --format folded weir.make.4711.json | head
  weir export --format speedscope -o make.speedscope.json weir.make.4711.json
  weir export --format pprof -o make.pb.gz weir.make.4711.json
  go tool pprof -http : make.pb.gz";

pub const FLAME_EXAMPLES: &str = "\
The picture is SVG. In a browser, click a function to see what it led to.

Examples:
  weir flame -o make.svg weir.make.4711.json
  weir flame -o io.svg --of io --metric time weir.make.4711.json
  weir flame -o load.svg --focus load.cc weir.make.4711.json
  weir flame -o change.svg --diff before.json after.json";

pub const TOP_EXAMPLES: &str = "\
The programs were started by weir run, or with the library preloaded. They do
not notice it. The key ? shows the keys.

Examples:
  weir top
  weir top 4711
  weir top --once -n 5 server";

pub const HTML_EXAMPLES: &str = "\
The page is one file: it needs no network, and shows findings, time, latencies,
files, call sites and processes. A browser of 2023 or later opens it.

Examples:
  weir html -o make.html weir.make.4711.json
  weir run -o - -- make | weir html -o make.html -";

pub const SYMBOLIZE_EXAMPLES: &str = "\
The names come from the files that ran, or from debug files with the same build
id. A report with names shows them on every machine.

Examples:
  weir symbolize weir.make.4711.json
  weir symbolize --debug-dir ./debug -o named.json weir.make.4711.json";

pub const RECOVER_EXAMPLES: &str = "\
A program that runs with LD_PRELOAD=libweir.so and is ended by a signal writes
no report. It leaves its region file. `weir run` also reports programs that were
killed, so it needs no recovery.

Examples:
  weir recover                     all region files
  weir recover --clean             and remove those of ended processes
  weir recover -o server.json /dev/shm/weir.4711.*.region";

pub const DOCTOR_EXAMPLES: &str = "\
Examples:
  weir doctor bash
  weir doctor ./script.py          checks the interpreter that #! names

Exit codes: 0 the program can be traced, 126 it cannot, 127 it was not found.";

pub const LIBRARY_EXAMPLES: &str = "\
Where none is installed with the command, a copy is made in ~/.cache/weir.

Examples:
  weir library                     where the library is
  LD_PRELOAD=$(weir library) ./server
  cc -I\"$(dirname \"$(weir library --header)\")\" -c runtime.c";

pub const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  weir completions bash > ~/.local/share/bash-completion/completions/weir
  weir completions zsh > ~/.zfunc/_weir
  weir completions fish > ~/.config/fish/completions/weir.fish";

pub const MAN_EXAMPLES: &str = "\
Examples:
  weir man | man -l -
  weir man run | man -l -
  weir man > ~/.local/share/man/man1/weir.1";
