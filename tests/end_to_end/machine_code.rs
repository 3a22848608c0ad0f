//! What the compiler makes of the hooks: additions to counters that no signal can split.

use std::process::Command;

use crate::support::weir;

/// The instructions of a hook.
fn instructions(hook: &str) -> Vec<String> {
    let symbols = output(Command::new("nm").args(["--dynamic", "--print-size"]));
    let symbol = symbols
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .find(|words| words.last() == Some(&hook))
        .unwrap_or_else(|| panic!("{hook} is exported"));
    let number = |word: &str| u64::from_str_radix(word, 16).expect("nm prints hexadecimal numbers");
    let (start, size) = (number(symbol[0]), number(symbol[1]));
    let text = output(
        Command::new("objdump")
            .args(["--disassemble", "--no-show-raw-insn", "-M", "intel"])
            .arg(format!("--start-address={start}"))
            .arg(format!("--stop-address={}", start + size)),
    );
    text.lines()
        .filter_map(|line| line.split_once(":\t"))
        .map(|(_, instruction)| instruction.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// What a command says of the library.
fn output(command: &mut Command) -> String {
    let output = command
        .arg(weir::library())
        .output()
        .expect("binutils are installed");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A load, an addition in a register and a store, in place of one addition to memory, would lose what
/// a signal handler counts in between. The thread's countdown is the one place of a slot that is loaded and
/// stored: a handler that comes between shifts a sample, and nothing is lost.
#[test]
fn counters_are_added_to_by_one_instruction_each() {
    // calls, bytes asked for, size class, live bytes; calls, live bytes; calls, bytes asked for, size class,
    // and timed, ticks, bytes moved.
    for (hook, additions) in [("malloc", 4), ("free", 2), ("read", 6)] {
        let instructions = instructions(hook);
        assert!(instructions.len() > 20, "{hook}: {instructions:#?}");
        let to_memory = |instruction: &&String| {
            ["inc QWORD PTR [", "add QWORD PTR [", "sub QWORD PTR ["]
                .iter()
                .any(|start| instruction.starts_with(start))
        };
        let found = instructions.iter().filter(to_memory).count();
        assert!(found >= additions, "{hook}: {found} in {instructions:#?}");
        let stored: Vec<_> = instructions
            .windows(2)
            .filter(|pair| {
                let adds = ["inc r", "add r", "sub r"]
                    .iter()
                    .any(|add| pair[0].starts_with(add));
                let register = pair[0].split([' ', ',']).nth(1).unwrap_or_default();
                adds && pair[1].starts_with("mov QWORD PTR [")
                    && pair[1].ends_with(&format!(",{register}"))
            })
            .filter(|pair| !is_rings_head(pair))
            .collect();
        assert!(stored.is_empty(), "{hook}: {stored:#?}");
    }
}

/// The ring's head counts entries, not calls: what a handler pushes in between is told as dropped.
fn is_rings_head(pair: &[String]) -> bool {
    pair[0].starts_with("inc r")
}
