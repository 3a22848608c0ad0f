//! A runner for cargo's tests.

use super::Recipe;
use super::page::commands;

#[test]
fn the_runner_measures_the_tests_and_the_budget_is_checked() {
    let recipe = Recipe::new("cargo-test");
    let own = std::env::consts::ARCH.to_uppercase();
    let lines = commands("cargo test").replace("X86_64", &own);
    let cargo = format!("export CARGO_NET_OFFLINE=true\n{lines}");
    let printed = recipe.succeeds(&cargo);
    assert!(printed.contains("1 passed"), "{printed}");
    assert!(printed.contains("2 limits, all kept"), "{printed}");

    // A test that fails, fails.
    recipe.change("src/lib.rs", "2000", "2001");
    let (code, printed) = recipe.shell(&cargo);
    assert_eq!(code, Some(101), "{printed}");

    // One more allocation for each of 2000 words.
    recipe.change("src/lib.rs", "2001", "2000");
    recipe.change(
        "src/lib.rs",
        "str::to_lowercase",
        "|word| word.to_owned().to_lowercase()",
    );
    let (code, printed) = recipe.shell(&format!("rm -r target/weir\n{cargo}"));
    assert_eq!(code, Some(1), "{printed}");
    assert!(printed.contains("2 limits, 1 broken"), "{printed}");
}
