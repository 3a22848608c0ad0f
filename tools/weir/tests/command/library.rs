use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::run::Place;
use super::{copy_program, refusal, success, text, weir};

/// The one line that the command prints.
fn printed(command: &mut Command) -> PathBuf {
    let output = command.output().expect("ended");
    let stdout = success(&output);
    PathBuf::from(stdout.strip_suffix('\n').expect("a line"))
}

/// A copy of the command with nothing beside it, in a directory of this name.
fn alone(place: &Place, directory: &str) -> PathBuf {
    let directory = place.file(directory);
    fs::create_dir(&directory).expect("made");
    let alone = directory.join("weir");
    copy_program(env!("CARGO_BIN_EXE_weir"), &alone);
    alone
}

/// Whether a program that is started with this in LD_PRELOAD leaves a report in the place.
fn measures(place: &Place, library: &Path) -> bool {
    let mut command = place.settle(Command::new("cat"));
    command.stdin(Stdio::null()).env("LD_PRELOAD", library);
    assert!(command.output().expect("ended").status.success());
    let mut names = fs::read_dir(place.path()).expect("a directory");
    names.any(|entry| {
        let name = entry.expect("an entry").file_name();
        text(name.as_encoded_bytes()).starts_with("weir.cat.")
    })
}

#[test]
fn the_library_that_cargo_built_with_the_command_is_named() {
    let place = Place::new();
    let library = printed(&mut place.settle(weir(["library"])));
    let built = Path::new(env!("CARGO_BIN_EXE_weir")).with_file_name("deps/libweir.so");
    let identity = |path: &Path| {
        let there = path.metadata().expect("there");
        (there.dev(), there.ino())
    };
    assert_eq!(identity(&library), identity(&built));
    assert!(!place.file("cache").exists());
}

/// Cargo links what it has built in `deps` to a path that stays. A file there that is another one is of an earlier build.
#[test]
fn the_path_that_stays_is_printed_where_it_is_the_same_file() {
    let place = Place::new();
    let alone = alone(&place, "bin");
    let beside = place.file("bin/libweir.so");
    let built = place.file("bin/deps/libweir.so");
    fs::create_dir(place.file("bin/deps")).expect("made");
    fs::write(&built, "library").expect("written");
    let ask = || printed(place.settle(Command::new(&alone)).arg("library"));
    assert_eq!(ask(), built);
    fs::hard_link(&built, &beside).expect("linked");
    assert_eq!(ask(), beside);
    fs::remove_file(&beside).expect("removed");
    fs::write(&beside, "library").expect("written");
    assert_eq!(ask(), built);
}

/// What is printed is there when the command has ended, and is what a program can be started with.
#[test]
fn alone_the_command_keeps_the_library_and_the_header_in_the_cache() {
    let place = Place::new();
    let alone = alone(&place, "bin");
    let ask = |options: &[&str]| printed(place.settle(Command::new(&alone)).args(options));
    let library = ask(&["library"]);
    assert!(
        library.starts_with(place.file("cache/weir")),
        "{}",
        library.display()
    );
    assert!(measures(&place, &library));
    assert_eq!(ask(&["library"]), library);

    let header = ask(&["library", "--header"]);
    assert_eq!(header.file_name(), Some("weir.h".as_ref()));
    assert!(
        header.starts_with(place.file("cache/weir")),
        "{}",
        header.display()
    );
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../include/weir.h");
    assert_eq!(
        fs::read(&header).expect("the header"),
        fs::read(own).expect("the header")
    );
    assert_eq!(ask(&["library", "--header"]), header);
}

#[test]
fn a_header_that_is_installed_with_the_command_is_named() {
    let place = Place::new();
    let alone = alone(&place, "bin");
    fs::create_dir(place.file("include")).expect("made");
    fs::write(place.file("include/weir.h"), "").expect("written");
    let header = printed(
        place
            .settle(Command::new(&alone))
            .args(["library", "--header"]),
    );
    let installed = fs::canonicalize(place.file("include/weir.h")).expect("there");
    assert_eq!(header, installed);
    assert!(!place.file("cache").exists());
}

/// `weir run` makes a copy for itself then; a path of it would lead nowhere.
#[test]
fn where_nothing_can_be_kept_a_line_says_so() {
    let place = Place::new();
    let alone = alone(&place, "bin");
    fs::create_dir(place.file("cache")).expect("made");
    fs::set_permissions(place.file("cache"), Permissions::from_mode(0o777)).expect("ours");
    for (options, name) in [
        (&["library"][..], "libweir.so"),
        (&["library", "--header"], "weir.h"),
    ] {
        let ask = |cache: &Path| {
            let mut command = place.settle(Command::new(&alone));
            command.env("XDG_CACHE_HOME", cache).args(options);
            refusal(&command.output().expect("ended"))
        };
        let remedy = "set XDG_CACHE_HOME to a directory that only you can write to";
        for (cache, trouble) in [
            (place.file("cache"), "permission denied"),
            (PathBuf::from("/dev/null"), "Not a directory"),
        ] {
            let kept = cache.join("weir");
            let line = format!(
                "cannot keep {name} in {}: {trouble}; {remedy}",
                kept.display()
            );
            assert_eq!(ask(&cache), (125, line));
        }
        let mut command = place.settle(Command::new(&alone));
        command.env_remove("XDG_CACHE_HOME").env_remove("HOME");
        let output = command.args(options).output().expect("ended");
        let line = format!("there is no cache to keep {name} in; {remedy}");
        assert_eq!(refusal(&output), (125, line));
    }
}

/// It is not printed: a program that is started with it would not be measured.
#[test]
fn a_library_that_ld_preload_cannot_name_is_refused() {
    let place = Place::new();
    let alone = alone(&place, "a b");
    let library = alone.with_file_name("libweir.so");
    fs::write(&library, "").expect("written");
    let output = place.settle(Command::new(&alone)).arg("library").output();
    let line = format!(
        "{} has a space, a colon or a dollar sign in its path, so LD_PRELOAD cannot name it; copy it to another directory",
        library.display()
    );
    assert_eq!(refusal(&output.expect("ended")), (125, line));
}
