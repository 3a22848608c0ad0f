//! The Debian package: made, checked, installed where there is nothing but Debian's essential packages, used, and removed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::support::built::built;
use crate::support::files::walk;
use crate::support::{scratch, succeed};

/// What is not of the package: what dpkg knows and prints, and folders that the kernel fills.
const OTHERS: [&str; 4] = ["dev", "proc", "var/lib/dpkg", "var/log"];

/// Runs a script of this repository.
fn script(name: &str, arguments: &[&Path]) -> String {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join(name));
    // It is installed once, so it need not be small.
    command
        .args(arguments)
        .env("DPKG_DEB_COMPRESSOR_LEVEL", "0");
    succeed(&mut command, b"")
}

/// The package of the build that is tested, made once.
pub fn package() -> &'static Path {
    static PACKAGE: OnceLock<PathBuf> = OnceLock::new();
    PACKAGE.get_or_init(|| made(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("deb")))
}

/// Makes the package in a folder. Its path.
fn made(folder: &Path) -> PathBuf {
    let line = script("tools/package/deb/build", &["-b".as_ref(), built(), folder]);
    line.trim_end().into()
}

/// Makes a root directory with Debian's essential packages alone.
pub fn clean_root(root: &Path) {
    script("tests/clean-root", &[root]);
}

/// Has a shell execute lines in such a root. What they print.
pub fn inside(root: &Path, lines: &str) -> String {
    let mut command = entering(root);
    succeed(command.args(["sh", "-eux"]), lines.as_bytes())
}

/// A command whose arguments are executed in such a root, as the first process of a namespace, with a /dev/shm as small as Docker's.
pub fn entering(root: &Path) -> Command {
    let enter = r#"mount --bind /dev "$0/dev"
        mount -t tmpfs -o mode=1777,size=64m tmpfs "$0/dev/shm"
        mount -t proc proc "$0/proc"
        exec chroot "$0" env -i PATH=/usr/sbin:/usr/bin HOME=/root LC_ALL=C.UTF-8 "$@""#;
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--pid", "--fork", "sh", "-euc", enter])
        .arg(root);
    command
}

/// All files below a root, but those of [`OTHERS`].
fn files(root: &Path) -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::new();
    walk(root, &mut |path| {
        let name = path.strip_prefix(root).expect("below the root");
        if OTHERS.iter().any(|other| name == Path::new(other)) {
            return false;
        }
        files.insert(name.to_owned());
        path.is_dir() && !path.is_symlink()
    });
    files
}

/// What a shell prints that executes the line; `$SHARE` in it is the package's folder `/usr/share`.
fn in_shell(shell: &[&str], line: &str, root: &Path) -> String {
    let mut command = Command::new(shell[0]);
    command
        .args(&shell[1..])
        .args(["-c", line])
        .env("SHARE", root.join("usr/share"));
    succeed(&mut command, b"")
}

#[test]
fn lintian_has_no_objection() {
    let mut lintian = Command::new("lintian");
    lintian
        .args(["--allow-root", "--fail-on", "error,warning"])
        // It is about the first upload to Debian, which closes the bug that asks for the package.
        .args(["--suppress-tags", "initial-upload-closes-no-bugs"])
        .arg(package());
    assert_eq!(succeed(&mut lintian, b""), "");
}

#[test]
fn it_is_the_same_each_time() {
    // Not in the same second, so that a time in it shows.
    let first = package();
    let folder = scratch();
    let again = made(folder.path());
    let bytes = |path: &Path| std::fs::read(path).expect("a package");
    assert!(bytes(&again) == bytes(first));
}

#[test]
fn it_is_installed_used_and_removed_and_leaves_nothing() {
    let root = scratch();
    let root = root.path();
    clean_root(root);
    std::fs::copy(package(), root.join("tmp/weir.deb")).expect("copied");
    let before = files(root);

    inside(root, "dpkg --install /tmp/weir.deb");
    let installed = files(root);
    let said = inside(
        root,
        "weir library
        weir library --header
        cd /root
        weir run --quiet --out report.json -- ls /
        weir report report.json > page
        LD_PRELOAD=$(weir library) WEIR_OUT=/root/bare.json ls / > /dev/null
        test -s bare.json
        rm report.json page bare.json",
    );
    let mut lines = said.lines();
    assert_eq!(lines.next(), Some("/usr/lib/weir/libweir.so"));
    assert_eq!(lines.next(), Some("/usr/include/weir.h"));
    assert!(said.contains("\nusr\n"), "{said}");
    assert_eq!(files(root), installed, "its use leaves nothing");

    check_manual(root);
    check_completions(root);
    check_header(root);

    inside(root, "dpkg --purge weir");
    assert_eq!(files(root), before, "removing leaves nothing");
}

/// man finds a page for the command, and all pages that this one names.
fn check_manual(root: &Path) {
    let folder = root.join("usr/share/man");
    let man = |arguments: &[&str]| {
        let mut command = Command::new("man");
        command.arg("-M").arg(&folder).args(arguments);
        succeed(&mut command, b"")
    };
    assert_eq!(
        man(&["-w", "weir"]).trim_end(),
        folder.join("man1/weir.1.gz").to_str().expect("UTF-8")
    );
    let page = man(&["weir"]);
    let named: Vec<&str> = page
        .split_whitespace()
        .filter_map(|word| word.strip_suffix("(1)"))
        .filter(|name| name.starts_with("weir-"))
        .collect();
    assert!(named.len() > 10, "{page}");
    for name in named {
        assert!(man(&[name]).contains("SYNOPSIS"), "{name}");
    }
}

/// Each shell, in its own way, completes the name of a command.
fn check_completions(root: &Path) {
    let bash = r#". "$SHARE/bash-completion/completions/weir"
        COMP_WORDS=(weir rec) COMP_CWORD=1
        $(complete -p weir | sed 's/.*-F \([^ ]*\).*/\1/') weir rec weir
        echo "${COMPREPLY[@]}""#;
    let zsh = r#"fpath=("$SHARE/zsh/vendor-completions" $fpath)
        autoload -Uz compinit && compinit -D -u && echo $_comps[weir]
        autoload +X -Uz _weir && echo recover"#;
    let fish = r#"source "$SHARE/fish/vendor_completions.d/weir.fish"; complete -C "weir rec""#;
    for (shell, line, expected) in [
        (&["bash", "--norc"][..], bash, &["recover"][..]),
        (&["zsh", "-f"], zsh, &["_weir", "recover"]),
        (&["fish", "--no-config"], fish, &["recover"]),
    ] {
        let said = in_shell(shell, line, root);
        let words: Vec<&str> = said
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        assert_eq!(words, expected, "{shell:?}");
    }
}

/// A program that includes the header by its bare name compiles, and runs without Weir.
fn check_header(root: &Path) {
    let folder = scratch();
    let program = folder.path().join("program");
    let source = "#include <weir.h>\n\
        int main(void) { return weir_coop_enable_if_present(WEIR_COOP_THREAD, 0) == -ENOENT ? 0 : 1; }\n";
    let mut compiler = Command::new("gcc");
    compiler
        .args(["-Wall", "-Werror", "-xc", "-", "-o"])
        .arg(&program)
        .arg("-I")
        .arg(root.join("usr/include"));
    succeed(&mut compiler, source.as_bytes());
    succeed(&mut Command::new(&program), b"");
}
