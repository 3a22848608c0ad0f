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
        let stored: Vec<_> = (0..instructions.len())
            .filter(|&place| is_split_addition(&instructions, place))
            .map(|place| &instructions[place.saturating_sub(1)..=place])
            .filter(|pair| !is_rings_head(pair))
            .collect();
        assert!(stored.is_empty(), "{hook}: {stored:#?}");
    }
}

/// Whether an instruction stores where the register that it stores was loaded from, after an addition to it.
fn is_split_addition(instructions: &[String], place: usize) -> bool {
    const WITHIN: usize = 12;
    let Some((operand, register)) = instructions[place]
        .strip_prefix("mov QWORD PTR [")
        .and_then(|rest| rest.split_once("],"))
    else {
        return false;
    };
    let before = &instructions[place.saturating_sub(WITHIN)..place];
    let load = format!("mov {register},QWORD PTR [{operand}]");
    let Some(loaded) = before.iter().rposition(|instruction| *instruction == load) else {
        return false;
    };
    before[loaded..].iter().any(|instruction| {
        ["inc", "add", "sub"].iter().any(|add| {
            instruction
                .strip_prefix(&format!("{add} {register}"))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(','))
        })
    })
}

#[test]
fn a_split_addition_is_recognised() {
    let split = [
        "mov rax,QWORD PTR [rdi+0x8]",
        "nop",
        "inc rax",
        "mov QWORD PTR [rdi+0x8],rax",
    ];
    let other = [
        "mov rax,QWORD PTR [rdi+0x8]",
        "inc rax",
        "mov QWORD PTR [rdi+0x10],rax",
    ];
    let code = |lines: &[&str]| {
        lines
            .iter()
            .map(|line| (*line).to_owned())
            .collect::<Vec<_>>()
    };
    assert!(is_split_addition(&code(&split), 3));
    assert!(!is_split_addition(&code(&other), 2));
}

/// The ring's head counts entries, not calls: what a handler pushes in between is told as dropped.
fn is_rings_head(pair: &&[String]) -> bool {
    pair[0].starts_with("inc r")
}
