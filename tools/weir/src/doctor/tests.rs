mod compiled;
mod hostile;
mod programs;
mod scripts;
mod secure_execution;

use std::os::unix::fs::PermissionsExt;

use super::*;

/// Nobody in particular, so that setuid bits do not come into it unless a test wants them to.
fn inspect_in(directory: &Path, program: impl AsRef<OsStr>) -> Result<Findings, Failure> {
    inspect_as(
        program.as_ref(),
        Some(directory.as_os_str()),
        &Credentials::of_this_process(),
        Depth::Symbols,
    )
}

fn refusal(directory: &Path, program: impl AsRef<OsStr>) -> (u8, String) {
    let refusal = inspect_in(directory, program).expect_err("refused");
    let directory = format!("{}/", directory.display());
    (refusal.code, refusal.in_one_line().replace(&directory, ""))
}

/// A file with this text and these permissions.
fn file(directory: &Path, name: &str, text: impl AsRef<[u8]>, mode: u32) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, text).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("permissions");
    path
}
