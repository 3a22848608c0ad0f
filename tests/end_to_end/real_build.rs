//! The build of a real C project with two jobs: the same artefacts, and every process in the report.

use std::collections::BTreeMap;
use std::path::Path;

use weir_report::model::EndKind;

use crate::support::{Mode, Outcome, files, luajit, scratch, strace};

/// How many process images there were, by the executable's name and by whether they began by fork.
type Images = BTreeMap<(String, bool), usize>;

fn count(images: impl Iterator<Item = (String, bool)>) -> Images {
    let mut counts = Images::new();
    for image in images {
        *counts.entry(image).or_default() += 1;
    }
    counts
}

/// The lines that a build printed, sorted: two jobs print them in any order.
fn printed(outcome: &Outcome) -> Vec<String> {
    let mut lines: Vec<String> = outcome.text().lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// Checks that the files of two builds are the same, byte for byte.
#[track_caller]
fn expect_same_files(folder: &Path, other: &Path) {
    let (left, right) = (files(folder), files(other));
    assert!(left.keys().eq(right.keys()));
    let differing: Vec<_> = left
        .iter()
        .filter(|&(name, content)| right[name] != *content)
        .map(|(name, _)| name)
        .collect();
    assert!(differing.is_empty(), "{differing:?} differ");
}

#[test]
fn the_same_artefacts_and_every_process() {
    let [plain, traced, measured] = [(); 3].map(|()| {
        let folder = scratch();
        luajit::unpack(folder.path());
        folder
    });
    let build = luajit::make();
    let without = build.clone().in_folder(plain.path()).plain();
    let without = without.expect_status(0);
    let of_strace = strace::starts(&build, traced.path());
    let outcome = build.clone().in_folder(measured.path()).run(Mode::Run);
    let outcome = outcome.expect_status(0);

    let named = |folder: &Path, lines: Vec<String>| -> Vec<String> {
        let path = folder.to_string_lossy().into_owned();
        lines.iter().map(|line| line.replace(&path, "")).collect()
    };
    assert_eq!(
        named(measured.path(), printed(&outcome)),
        named(plain.path(), printed(&without))
    );
    assert_eq!(outcome.complaints(), without.complaints());
    expect_same_files(plain.path(), measured.path());
    expect_same_files(plain.path(), traced.path());
    for made in ["luajit", "libluajit.a", "host/buildvm", "lj_vm.o"] {
        assert!(measured.path().join("src").join(made).exists(), "{made}");
    }

    let strace = count(
        of_strace
            .into_iter()
            .map(|image| (image.executable, image.forked)),
    );
    let weir = count(outcome.processes().into_iter().map(|image| {
        let executable = Path::new(&image.executable).file_name().expect("a name");
        (executable.to_string_lossy().into_owned(), image.forked)
    }));
    assert_eq!(weir, strace);
    let compilers = weir[&("cc1".to_owned(), false)];
    let announced = printed(&outcome)
        .iter()
        .filter(|line| line.starts_with("CC ") || line.starts_with("HOSTCC "))
        .count();
    assert!(
        compilers >= announced && announced >= 70,
        "{compilers}, {announced}"
    );

    let missed = &outcome.reports[0].missed;
    assert!(missed.untraced.is_empty(), "{:?}", missed.untraced);
    assert_eq!(missed.unlisted_starts, 0);
    for image in outcome.processes() {
        let ended = matches!(image.end.how, EndKind::Exited | EndKind::Exec);
        assert!(ended, "{}: {:?}", image.executable, image.end);
    }
}
