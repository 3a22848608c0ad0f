//! The shell lines of two CI jobs, without those that install Weir.

use super::Recipe;

/// Prints the shell lines of a job on GitHub: of steps that do not wait for a failure, or of those that do.
const GITHUB: &str = r#"
import sys, yaml
steps = yaml.safe_load(open("github.yml"))["jobs"]["budget"]["steps"]
steps = [step for step in steps if "run" in step and step["name"] != "Install Weir"]
for step in steps:
    if ("if" in step) == (sys.argv[1] == "failure"):
        print(step["run"])
"#;

/// The same of a job on GitLab.
const GITLAB: &str = r#"
import yaml
print("\n".join(yaml.safe_load(open("gitlab.yml"))["budget"]["script"]))
"#;

/// What a program in Python prints in the recipe's folder.
fn lines(recipe: &Recipe, program: &str, argument: &str) -> String {
    recipe.succeeds(&format!(
        "/usr/bin/python3 - {argument} << 'END'\n{program}\nEND"
    ))
}

/// Has the program allocate once more for each line of the file.
fn spoil(recipe: &Recipe) {
    // What is volatile the compiler does not leave out.
    let line = "        words += words_of(line);";
    let more = "        void *volatile more = malloc(8);\n        free(more);\n";
    recipe.change("words.c", line, &format!("{more}{line}"));
}

#[test]
fn github_annotates_the_line_of_a_broken_limit() {
    let recipe = Recipe::new("ci");
    let (job, after_failure) = (
        lines(&recipe, GITHUB, "success"),
        lines(&recipe, GITHUB, "failure"),
    );
    let printed = recipe.succeeds(&job);
    assert!(printed.contains("15 words"), "{printed}");
    assert!(!printed.contains("::error"), "{printed}");

    spoil(&recipe);
    let (code, printed) = recipe.shell(&job);
    assert_eq!(code, Some(1), "{printed}");
    assert!(
        printed.contains("::error file=weir.toml,line=2,") && printed.contains("is 9, at most 6"),
        "{printed}"
    );
    let printed = recipe.succeeds(&after_failure);
    assert!(printed.contains("words.c"), "{printed}");
}

#[test]
fn gitlab_gets_a_test_and_a_number_for_each_limit() {
    let recipe = Recipe::new("ci");
    let job = lines(&recipe, GITLAB, "");
    recipe.succeeds(&job);
    let read = |name: &str| std::fs::read_to_string(recipe.file(name)).expect("a file");
    assert!(read("weir.xml").contains("tests=\"4\" skipped=\"0\" failures=\"0\""));
    assert!(
        read("weir.txt").contains("weir_kept"),
        "{}",
        read("weir.txt")
    );

    spoil(&recipe);
    let (code, printed) = recipe.shell(&job);
    assert_eq!(code, Some(1), "{printed}");
    assert!(read("weir.xml").contains("failures=\"1\""));
}
