//! The prose of the help texts.

pub const ABOUT: &str = "Measures every allocation and I/O call of an unmodified program: exact counts, latencies, the heap";

pub const EXAMPLES: &str = "\
Examples:
  weir run ls -l                   run a program, report to weir.ls.PID.json
  weir report weir.ls.4711.json    read the report
  weir doctor ./server             see beforehand whether a program can be traced";

pub const EXAMPLES_AND_EXIT_CODES: &str = "\
Examples:
  weir run ls -l                   run a program, report to weir.ls.PID.json
  weir report weir.ls.4711.json    read the report
  weir doctor ./server             see beforehand whether a program can be traced

Exit codes:
  weir run exits as the program did: with its status, or 128 + N where signal N
  ended it.
  Of Weir itself:
    0    success
    2    the arguments make no sense
  125    Weir failed: a report cannot be read, or an output not be written
  126    the program was found, but cannot be executed or traced
  127    there is no such program";

pub const RUN_EXAMPLES: &str = "\
Examples:
  weir run ls -l                   everything after ls is for ls
  weir run -o build.json make -j4  choose where the report goes
  weir run --time all ./server     time every allocation, at a higher cost
  weir run -i 10 ./server          also write the report every 10 seconds

Exits as the program did; 125, 126 and 127 are Weir's own (see 'weir --help').";

pub const REPORT_EXAMPLES: &str = "\
Examples:
  weir report weir.ls.4711.json
  weir report --sort bytes weir.make.4711.json
  weir report --process 4713 weir.make.4711.json
  weir report --color always weir.ls.4711.json | less -R
  ssh host cat weir.ls.4711.json | weir report -";

pub const RECOVER_EXAMPLES: &str = "\
A program that runs with LD_PRELOAD=libweir.so and is killed leaves no report,
but its region. `weir run` needs no recovery: it reports killed programs too.

Examples:
  weir recover                     whatever lies there
  weir recover --clean             and remove what nobody uses any more
  weir recover -o server.json /dev/shm/weir.4711.*.region";

pub const DOCTOR_EXAMPLES: &str = "\
Examples:
  weir doctor bash
  weir doctor ./script.py          follows #! to the interpreter

Exits with 0 where the program can be traced, 126 where it cannot, and 127 where
it is not found.";

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
