//! The answers to the exercises of the page, tried.

use crate::support::{Outcome, assert_overflows, compile, directory, examples, preload};
use std::fs;
use std::path::{Path, PathBuf};

fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Compiles a file of the examples, changed as an exercise asks.
fn changed(file: &str, from: &str, to: &str, result: &str, options: &[&str]) -> PathBuf {
    let path = examples().join(file);
    let text = fs::read_to_string(&path).expect(file);
    assert_eq!(text.matches(from).count(), 1, "{file}: {from}");
    let source = scratch(&format!("{result}.c"));
    fs::write(&source, text.replace(from, to)).expect("it can be written");
    let result = scratch(result);
    // What it includes is found from its own folder.
    let folder = path.parent().expect("a folder").display();
    let include = format!("-iquote{folder}");
    let options = [&[include.as_str()], options].concat();
    compile(source.to_str().expect("UTF-8"), &result, &options);
    result
}

/// Runs a program under libraries, in the directory of those of the steps.
fn lines(step: &str, libraries: &str, program: &str) -> Vec<String> {
    let outcome: Outcome = preload(&directory(step), libraries, program, 8192);
    assert_eq!(outcome.code, Some(0), "{}", outcome.output);
    outcome.output.lines().map(str::to_owned).collect()
}

#[test]
fn step_1_calloc_is_another_name() {
    let program = changed(
        "01-count-malloc/good.c",
        "malloc(i * 10)",
        "calloc(i, 10)",
        "exercise_1",
        &[],
    );
    let said = lines(
        "count_malloc",
        "./libcount_malloc.so",
        &program.display().to_string(),
    );
    assert!(
        said.iter().any(|line| line == "malloc was called 1 times"),
        "{said:?}"
    );
}

#[test]
fn step_2_a_turn_takes_the_same_stack_each_time() {
    let directory = directory("guard");
    assert_overflows(&directory, "./libunguarded.so", "./good", "malloc: entered");
}

#[test]
fn step_3_the_last_name_does_not_come_back() {
    let program = changed(
        "03-bootstrap-arena/early.c",
        "take_last_name ? take_last_name() : NULL",
        "NULL",
        "exercise_3",
        &[],
    );
    let said = lines(
        "bootstrap_arena",
        "./libwith_arena.so ./liballocating_dlsym.so",
        &program.display().to_string(),
    );
    assert_eq!(said, ["Good", "the arena gave 5 blocks; 4 came back"]);
}

#[test]
fn step_4_a_library_is_in_the_list_once() {
    let twice = lines("chain", "./libblue.so ./libred.so ./libblue.so", "./dice");
    assert_eq!(twice, lines("chain", "./libblue.so ./libred.so", "./dice"));
    assert_eq!(twice[0], "blue: rand() called, next is libred.so");
}

#[test]
fn step_5_the_jump_finds_the_first_behind_the_program() {
    let both = |libraries| {
        directory("chain");
        lines("run_time", libraries, "./asker")
    };
    assert_eq!(
        both("./libred.so ./libtail_call.so"),
        [
            "real_rand_by_jump: the real rand is in libred.so",
            "real_rand_by_call: the real rand is in libc.so.6",
        ]
    );
    assert_eq!(
        both("./libtail_call.so ./libred.so"),
        [
            "real_rand_by_jump: the real rand is in libtail_call.so",
            "real_rand_by_call: the real rand is in libred.so",
        ]
    );
}

#[test]
fn step_6_a_wait_that_is_repeated_mends_two_lines() {
    let library = changed(
        "06-yielding-read/c/yielding_read.c",
        "wait_by(fd, POLLIN, PATIENCE_MS);",
        "int came;\ndo\ncame = wait_by(fd, POLLIN, PATIENCE_MS);\nwhile (came == 0 || came == -EINTR);",
        "exercise_6.so",
        &["-O2", "-shared", "-fPIC"],
    );
    let said = lines("yielding_read", &library.display().to_string(), "./waiter");
    assert_eq!(
        said[1..7],
        [
            r#"message: "Good", other work ran"#,
            r#"late: "Good", other work ran"#,
            r#"signal: "Good", other work ran"#,
            "copy: EAGAIN",
            "other process: EAGAIN",
            r#"reused number: "Good", other work ran"#,
        ]
    );
}
