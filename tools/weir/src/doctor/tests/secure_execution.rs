//! The forecast of secure-execution mode, against what the kernel then does.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use super::compiled::cc;
use super::*;

/// Exits with 1 in secure-execution mode.
const PROBE: &str = "
    #include <sys/auxv.h>
    int main(void) { return getauxval(AT_SECURE) != 0; }
";

/// A file's owner, mode and capabilities (the words of the extended attribute).
struct Case {
    owner: u32,
    group: u32,
    mode: u32,
    capabilities: &'static [u32],
}

fn set(path: &Path, case: &Case) {
    std::os::unix::fs::chown(path, Some(case.owner), Some(case.group)).expect("chown");
    // After chown, which clears the bits.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(case.mode)).expect("chmod");
    if !case.capabilities.is_empty() {
        let value: Vec<u8> = case
            .capabilities
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        let path = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).expect("a path");
        let name = c"security.capability";
        // SAFETY: path and name are NUL-terminated, and the value has the size that is passed.
        let result = unsafe {
            libc::setxattr(
                path.as_ptr(),
                name.as_ptr(),
                value.as_ptr().cast(),
                value.len(),
                0,
            )
        };
        assert_eq!(result, 0, "setxattr: {}", std::io::Error::last_os_error());
    }
}

fn is_secure(path: &Path, who: &Credentials) -> bool {
    let mut command = Command::new(path);
    if who.user != Credentials::of_this_process().user {
        command.uid(who.user).gid(who.group);
    }
    let status = command.stdin(Stdio::null()).status().expect("started");
    status.code() == Some(1)
}

#[test]
fn the_forecast_is_what_the_kernel_does() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755))
        .expect("chmod");
    let me = Credentials::of_this_process();
    let other = Credentials {
        user: 65_534,
        effective_user: 65_534,
        group: 65_534,
        effective_group: 65_534,
        ..me
    };

    let own = |mode, capabilities| Case {
        owner: me.user,
        group: me.group,
        mode,
        capabilities,
    };
    let mut cases = vec![
        (own(0o755, &[][..]), me),
        (own(0o4755, &[]), me),
        (own(0o2755, &[]), me),
    ];
    // Only root can change the owner of files, or run as another user.
    if me.user == 0 {
        let of_other = |mode| Case {
            owner: 65_534,
            group: 65_534,
            mode,
            capabilities: &[],
        };
        let effective = &[0x0200_0001, 1 << 10, 0, 0, 0];
        let permitted = &[0x0200_0000, 1 << 10, 0, 0, 0];
        let inheritable = &[0x0200_0000, 0, 1 << 10, 0, 0];
        for mode in [0o755, 0o4755, 0o2755, 0o2745, 0o6755] {
            cases.push((own(mode, &[]), other));
            cases.push((of_other(mode), me));
            cases.push((of_other(mode), other));
        }
        for capabilities in [&effective[..], permitted, inheritable] {
            cases.push((own(0o755, capabilities), me));
            cases.push((own(0o755, capabilities), other));
        }
    }
    let mut secure = 0;
    for (case, who) in &cases {
        // A new file each time: nothing of the last case is left.
        let path = cc(directory.path(), PROBE, &[]);
        set(&path, case);
        let forecast = secure::elevation(&path, who);
        let truth = is_secure(&path, who);
        assert_eq!(
            forecast.is_some(),
            truth,
            "mode {:o} of {}:{} with {:x?}, run by {}: {forecast:?}",
            case.mode,
            case.owner,
            case.group,
            case.capabilities,
            who.user,
        );
        secure += usize::from(truth);
        std::fs::remove_file(path).expect("removed");
    }
    if me.user == 0 {
        assert!(secure > 5, "{secure} cases were in secure-execution mode");
    }
}

#[test]
fn a_refusal_says_what_gives_the_rights() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = cc(directory.path(), PROBE, &[]);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o4755)).expect("chmod");
    let owner = Credentials::of_this_process();
    assert!(
        inspect_as(path.as_os_str(), None, &owner, Depth::Links).is_ok(),
        "it is the owner's own"
    );
    let other = Credentials {
        user: owner.user + 1,
        effective_user: owner.user + 1,
        ..owner
    };
    let refusal = inspect_as(path.as_os_str(), None, &other, Depth::Links).expect_err("refused");
    let expected = format!(
        "{} is setuid to user {}, so the dynamic linker ignores LD_PRELOAD for this user",
        path.display(),
        owner.user
    );
    assert_eq!((refusal.code, refusal.in_one_line()), (126, expected));
}
