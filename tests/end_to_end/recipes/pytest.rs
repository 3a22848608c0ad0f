//! Limits of single tests in pytest.

use std::path::Path;

use super::Recipe;
use super::page::commands;
use crate::support::wait_until;

/// The recipe, and the commands that have Debian's Python run its tests.
fn recipe() -> (Recipe, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).display();
    let lines = commands("pytest").replace("python3", "/usr/bin/python3");
    // The plugin removes its folder, which has to lie somewhere where nobody else makes one.
    let lines = format!("export WEIR={root} TMPDIR=$PWD/tmp PYTHONDONTWRITEBYTECODE=1\n{lines}");
    let recipe = Recipe::new("pytest");
    std::fs::create_dir(recipe.file("tmp")).expect("made");
    (recipe, lines)
}

/// Installed, pytest finds the plugin by itself.
#[test]
fn pip_installs_the_plugin() {
    let (recipe, lines) = recipe();
    let pip = "/usr/bin/python3 -m pip install --quiet --no-index --no-build-isolation --no-deps";
    let installs = format!(
        "cp -r \"$WEIR/tools/pytest-weir\" tmp/source
        PIP_ROOT_USER_ACTION=ignore {pip} --target tmp/installed tmp/source\n"
    );
    let (settings, commands) = lines.split_once('\n').expect("two lines");
    let commands = commands
        .replace("$WEIR/tools/pytest-weir", "$PWD/tmp/installed")
        .replace("-p pytest_weir ", "");
    let printed = recipe.succeeds(&format!("{settings}\n{installs}{commands}"));
    assert!(printed.contains("plugins: weir-"), "{printed}");
    assert!(printed.contains("3 passed"), "{printed}");
}

/// The folders that the plugin has left.
fn left(recipe: &Recipe) -> usize {
    let entries = std::fs::read_dir(recipe.file("tmp")).expect("a folder");
    entries
        .filter(|entry| {
            let name = entry.as_ref().expect("an entry").file_name();
            name.to_string_lossy().starts_with("pytest-weir-")
        })
        .count()
}

/// Replaces a text in the tests and expects pytest to say this, and to fail.
fn fails(from: &str, to: &str, said: &str) {
    let (recipe, lines) = recipe();
    recipe.change("test_words.py", from, to);
    let (code, printed) = recipe.shell(&lines);
    assert_eq!(code, Some(1), "{printed}");
    assert!(printed.contains(said), "{said}: {printed}");
    assert!(printed.contains("1 failed, 2 passed"), "{printed}");
}

#[test]
fn tests_within_their_limits_pass_and_nothing_is_left() {
    let (recipe, lines) = recipe();
    let lines = format!("mkdir tmp/regions\nexport WEIR_REGION_DIR=$PWD/tmp/regions\n{lines}");
    let printed = recipe.succeeds(&lines);
    assert!(printed.contains("3 passed"), "{printed}");
    let regions = std::fs::read_dir(recipe.file("tmp/regions"));
    assert_eq!(regions.expect("a folder").count(), 0);
    // The helper removes the folder when pytest has ended.
    wait_until("the folder is removed", || left(&recipe) == 0);
    assert_eq!(
        std::fs::read_dir(recipe.file("")).expect("there").count(),
        4
    );
}

/// A function is in a report only once it has been called.
#[test]
fn a_test_may_be_the_first_to_call_a_function() {
    let (recipe, lines) = recipe();
    recipe.change(
        "test_words.py",
        "    assert words(\"\") == []",
        "    __import__('time').sleep(0.001)",
    );
    let printed = recipe.succeeds(&lines);
    assert!(printed.contains("3 passed"), "{printed}");
    fails(
        "\"fsync\": 0",
        "\"fsync\": 0, \"clock_nanosleep\": 0, \"openat64\": -1",
        "weir: openat64 is called 0 times, at most -1",
    );
}

/// The test makes 3,000 words in place of 1,000.
#[test]
fn allocations_are_those_of_the_test() {
    fails("* 1000)[", "* 3000)[", "weir: allocations is 1");
}

#[test]
fn calls_and_live_bytes_have_limits() {
    fails(
        "        file.writelines",
        "        os.fsync(file.fileno())\n        file.writelines",
        "weir: fsync is called 1 times, at most 0",
    );
    fails(
        "        file.writelines",
        "        globals()['kept'] = bytearray(50_000)\n        file.writelines",
        "weir: live_bytes is 50",
    );
}

/// The limit of pytest.ini holds for tests without a mark.
#[test]
fn a_limit_of_all_tests_holds_for_each() {
    fails(
        "    assert words(\"\") == []",
        "    globals()['kept'] = bytearray(200_000)",
        "weir: live_bytes is 200",
    );
}

/// A limit that would never be checked is refused.
#[test]
fn what_is_no_limit_is_refused() {
    fails(
        "\"fsync\": 0",
        "\"fsyncc\": 0",
        "there is no function fsyncc",
    );
    let (recipe, lines) = recipe();
    recipe.change("test_words.py", "\"fsync\": 0", "\"fsync\": \"none\"");
    let (code, printed) = recipe.shell(&lines);
    assert_eq!(code, Some(4), "{printed}");
    assert!(
        printed.contains("fsync is 'none', no whole number"),
        "{printed}"
    );
    recipe.change("test_words.py", "max_allocations", "max_alocations");
    let (code, printed) = recipe.shell(&lines);
    assert_eq!(code, Some(4), "{printed}");
    assert!(
        printed.contains("no limit max_alocations; there are"),
        "{printed}"
    );
}

/// Not even the process itself knows where its counters are then.
#[test]
fn under_weir_run_the_option_is_refused() {
    let (recipe, lines) = recipe();
    let measured = lines.replace(
        "/usr/bin/python3 -m",
        "weir run -q -o tmp/report.json -- /usr/bin/python3 -m",
    );
    let (code, printed) = recipe.shell(&measured);
    assert_eq!(code, Some(4), "{printed}");
    assert!(
        printed.contains("start pytest without weir run"),
        "{printed}"
    );
}

/// Without the command the tests do not run: they would pass without having been measured.
#[test]
fn without_weir_the_option_is_refused() {
    let (recipe, lines) = recipe();
    let lines = format!("PATH=/usr/bin:/bin\n{lines}");
    let (code, printed) = recipe.shell(&lines);
    assert_eq!(code, Some(4), "{printed}");
    assert!(printed.contains("there is no command weir"), "{printed}");
    let printed = recipe.succeeds(&lines.replace(" --weir", ""));
    assert!(printed.contains("3 passed"), "{printed}");
}
