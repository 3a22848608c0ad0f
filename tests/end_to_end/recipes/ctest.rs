//! A launcher for CMake's tests.

use super::Recipe;
use super::page::commands;

#[test]
fn a_test_fails_if_its_program_breaks_the_budget() {
    let recipe = Recipe::new("ctest");
    let lines = commands("CTest");
    let printed = recipe.succeeds(&lines);
    assert!(printed.contains("100% tests passed"), "{printed}");

    recipe.change("weir.toml", "1100", "500");
    let (code, printed) = recipe.shell(&lines);
    assert_eq!(code, Some(8), "{printed}");
    assert!(printed.contains("2 limits, 1 broken"), "{printed}");
    assert!(printed.contains("many (Failed)"), "{printed}");
    assert!(!printed.contains("few (Failed)"), "{printed}");

    // Without the option there is no Weir.
    let lines = lines.replace("-D WEIR=ON", "-D WEIR=OFF");
    let printed = recipe.succeeds(&lines);
    assert!(printed.contains("100% tests passed"), "{printed}");
}
