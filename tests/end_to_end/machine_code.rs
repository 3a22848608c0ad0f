//! The machine code of the hooks: additions to counters that no signal can split.

use std::process::Command;

use crate::support::weir;

/// The syntax of an architecture's instructions, as far as it is needed here.
struct Syntax {
    /// Options for objdump.
    options: &'static [&'static str],
    /// The beginnings of instructions that add to memory.
    additions: &'static [&'static str],
    /// A load and a store of a register: the text before the register, between register and address, and after the
    /// address.
    load: [&'static str; 3],
    store: [&'static str; 3],
    /// Whether a store has the address before the register.
    is_place_first: bool,
    /// Whether an addition can write its sum to another register.
    has_three_registers: bool,
    /// The beginnings of instructions that add to a register.
    adds: &'static [&'static str],
}

const X86_64: Syntax = Syntax {
    options: &["-M", "intel"],
    additions: &["inc QWORD PTR [", "add QWORD PTR [", "sub QWORD PTR ["],
    load: ["mov ", ",QWORD PTR [", "]"],
    store: ["mov QWORD PTR [", "],", ""],
    is_place_first: true,
    has_three_registers: false,
    adds: &["inc ", "add ", "sub "],
};
const AARCH64: Syntax = Syntax {
    options: &[],
    additions: &["ldadd x"],
    load: ["ldr ", ", [", "]"],
    store: ["str ", ", [", "]"],
    is_place_first: false,
    has_three_registers: true,
    adds: &["add ", "sub "],
};

fn syntax() -> &'static Syntax {
    match weir::architecture() {
        "aarch64" => &AARCH64,
        _ => &X86_64,
    }
}

/// The instructions of a hook.
fn instructions(hook: &str) -> Vec<String> {
    let symbols = output(weir::binutils("nm").args(["--dynamic", "--print-size"]));
    let symbol = symbols
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .find(|words| words.last() == Some(&hook))
        .unwrap_or_else(|| panic!("{hook} is exported"));
    let number = |word: &str| u64::from_str_radix(word, 16).expect("nm prints hexadecimal numbers");
    let (start, size) = (number(symbol[0]), number(symbol[1]));
    let text = output(
        weir::binutils("objdump")
            .args(["--disassemble", "--no-show-raw-insn"])
            .args(syntax().options)
            .arg(format!("--start-address={start}"))
            .arg(format!("--stop-address={}", start + size)),
    );
    text.lines()
        .filter_map(|line| line.split_once(":\t"))
        .map(|(_, instruction)| instruction.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// The output of a command for the library.
fn output(command: &mut Command) -> String {
    let output = command
        .arg(weir::library())
        .output()
        .expect("binutils are installed");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A counter must not be changed by a load, an addition in a register, and a store: that would lose what a signal
/// handler counts in between. The thread's countdown is the only field of a slot that is loaded and stored: a handler
/// in between shifts a sample, but loses nothing.
#[test]
fn counters_are_added_to_by_one_instruction_each() {
    // malloc: calls, requested bytes, size class, live bytes. free: calls, live bytes. read: calls, requested bytes,
    // size class; and timed calls, ticks, moved bytes.
    for (hook, additions) in [("malloc", 4), ("free", 2), ("read", 6)] {
        let instructions = instructions(hook);
        assert!(instructions.len() > 20, "{hook}: {instructions:#?}");
        let to_memory = |instruction: &&String| {
            let mut starts = syntax().additions.iter();
            starts.any(|start| instruction.starts_with(start))
        };
        let found = instructions.iter().filter(to_memory).count();
        assert!(found >= additions, "{hook}: {found} in {instructions:#?}");
        let stored: Vec<_> = (0..instructions.len())
            .filter(|&place| is_split_addition(syntax(), &instructions, place))
            .map(|place| &instructions[place.saturating_sub(1)..=place])
            .filter(|pair| !is_rings_head(pair) && !is_countdown(pair))
            .collect();
        assert!(stored.is_empty(), "{hook}: {stored:#?}");
    }
}

/// Whether an instruction stores a register to the address from which it was loaded, after an addition to it.
fn is_split_addition(syntax: &Syntax, instructions: &[String], place: usize) -> bool {
    const WITHIN: usize = 12;
    let [start, middle, end] = syntax.store;
    let Some((first, second)) = instructions[place]
        .strip_prefix(start)
        .and_then(|rest| rest.strip_suffix(end))
        .and_then(|rest| rest.split_once(middle))
    else {
        return false;
    };
    let (operand, register) = match syntax.is_place_first {
        true => (first, second),
        false => (second, first),
    };
    let before = &instructions[place.saturating_sub(WITHIN)..place];
    let [start, middle, end] = syntax.load;
    // If additions have three registers, the load and the store may use different ones.
    let loaded_into = if syntax.has_three_registers {
        ""
    } else {
        register
    };
    let loads = |instruction: &String| {
        instruction.starts_with(&format!("{start}{loaded_into}"))
            && instruction.ends_with(&format!("{middle}{operand}{end}"))
    };
    let Some(loaded) = before.iter().rposition(loads) else {
        return false;
    };
    before[loaded..].iter().any(|instruction| {
        syntax.adds.iter().any(|add| {
            instruction
                .strip_prefix(&format!("{add}{register}"))
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
    let split_in_three = ["ldr x1, [x0, #8]", "add x2, x1, #0x1", "str x2, [x0, #8]"];
    let code = |lines: &[&str]| {
        lines
            .iter()
            .map(|line| (*line).to_owned())
            .collect::<Vec<_>>()
    };
    assert!(is_split_addition(&X86_64, &code(&split), 3));
    assert!(!is_split_addition(&X86_64, &code(&other), 2));
    assert!(is_split_addition(&AARCH64, &code(&split_in_three), 2));
    assert!(!is_split_addition(&AARCH64, &code(&split_in_three), 1));
}

/// The ring's head counts entries, not calls. What a handler pushes in between is reported as dropped.
fn is_rings_head(pair: &&[String]) -> bool {
    pair[0].starts_with("inc r")
}

/// The countdown is the first field of a slot.
fn is_countdown(pair: &&[String]) -> bool {
    let words: Vec<_> = pair[1]
        .split([' ', ',', '[', ']'])
        .filter(|word| !word.is_empty())
        .collect();
    weir::architecture() == "aarch64"
        && matches!(words[..], ["str", _, base] if base.starts_with('x'))
}

/// The x87 unit of x86-64 has a state of its own, which is the program's.
#[test]
fn no_instruction_is_for_the_x87_unit() {
    if weir::architecture() != "x86_64" {
        return;
    }
    let text = output(weir::binutils("objdump").args(["--disassemble", "--no-show-raw-insn"]));
    let mnemonics = text.lines().filter_map(|line| {
        let (_, instruction) = line.split_once(":\t")?;
        instruction.split_whitespace().next()
    });
    let mnemonics: Vec<&str> = mnemonics.collect();
    assert!(mnemonics.contains(&"call") && mnemonics.contains(&"ret"));
    // All of its instructions, and no others, have names that begin so.
    let x87: Vec<_> = mnemonics
        .iter()
        .filter(|name| name.starts_with('f'))
        .collect();
    assert!(x87.is_empty(), "{x87:?}");
}
