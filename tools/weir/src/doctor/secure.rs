//! Whether the kernel would start a program in secure-execution mode (AT_SECURE), in which the
//! dynamic linker ignores LD_PRELOAD. It does if the exec gives rights that the user does not
//! have. A setuid bit alone is not enough: root gains no rights from a program that belongs to root.

use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const CAPABILITIES: &CStr = c"security.capability";
/// The bits of an extended attribute's first word that say which layout it has.
const REVISION_MASK: u32 = 0xff00_0000;
const REVISION_1: u32 = 0x0100_0000;
/// Set in that word where the capabilities are in force from the start.
const EFFECTIVE: u32 = 1;

/// Who runs the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Real user.
    pub user: u32,
    /// Effective user.
    pub effective_user: u32,
    /// Real group.
    pub group: u32,
    /// Effective group.
    pub effective_group: u32,
    /// Whether an exec gives no rights (PR_SET_NO_NEW_PRIVS).
    pub has_no_new_privileges: bool,
}

impl Credentials {
    /// Of this process, which are those of its children.
    pub fn of_this_process() -> Credentials {
        // SAFETY: none of these calls has an argument that is a pointer, and none can fail in a way
        // that matters: prctl answers -1 on a kernel that does not know the question.
        unsafe {
            Credentials {
                user: libc::getuid(),
                effective_user: libc::geteuid(),
                group: libc::getgid(),
                effective_group: libc::getegid(),
                has_no_new_privileges: libc::prctl(libc::PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1,
            }
        }
    }
}

/// The rights that a file gives when it is executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Offer {
    owner: u32,
    group: u32,
    mode: u32,
    capabilities: Option<Capabilities>,
    /// Whether the file system is mounted so that no exec gives rights.
    is_on_nosuid: bool,
}

/// Capabilities of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Capabilities {
    are_effective: bool,
    permitted: u64,
}

/// Why an exec of this file would be in secure-execution mode; reads on after its path.
pub fn elevation(path: &Path, who: &Credentials) -> Option<String> {
    elevates(&offer(path, who)?, who)
}

fn elevates(offer: &Offer, who: &Credentials) -> Option<String> {
    let gives = !offer.is_on_nosuid && !who.has_no_new_privileges;
    let is_setuid = gives && offer.mode & libc::S_ISUID != 0;
    // Without the group's execute bit, the other marked a file for mandatory locking.
    let setgid = libc::S_ISGID | libc::S_IXGRP;
    let is_setgid = gives && offer.mode & setgid == setgid;

    if is_setuid && offer.owner != who.user {
        return Some(format!("is setuid to user {}", offer.owner));
    }
    if is_setgid && offer.group != who.group {
        return Some(format!("is setgid to group {}", offer.group));
    }
    if !is_setuid && who.effective_user != who.user {
        return Some(format!(
            "would run as user {} for user {}",
            who.effective_user, who.user
        ));
    }
    if !is_setgid && who.effective_group != who.group {
        return Some(format!(
            "would run as group {} for group {}",
            who.effective_group, who.group
        ));
    }
    // The superuser has them all.
    let capabilities = offer
        .capabilities
        .filter(|_| who.user != 0 && !offer.is_on_nosuid)?;
    let gains = capabilities.permitted != 0 && !who.has_no_new_privileges;
    (capabilities.are_effective || gains).then(|| "has file capabilities (see getcap)".to_owned())
}

/// What is asked of the file system only as far as it matters.
fn offer(path: &Path, who: &Credentials) -> Option<Offer> {
    let metadata = std::fs::metadata(path).ok()?;
    let name = CString::new(path.as_os_str().as_bytes()).ok()?;
    let capabilities = (who.user != 0).then(|| capabilities(&name)).flatten();
    let gives = capabilities.is_some() || metadata.mode() & (libc::S_ISUID | libc::S_ISGID) != 0;
    Some(Offer {
        owner: metadata.uid(),
        group: metadata.gid(),
        mode: metadata.mode(),
        capabilities,
        is_on_nosuid: gives && is_on_nosuid(&name),
    })
}

fn capabilities(path: &CStr) -> Option<Capabilities> {
    let mut value = [0_u8; 64];
    // SAFETY: both names are NUL-terminated, and the buffer has the size that is passed.
    let size = unsafe {
        libc::getxattr(
            path.as_ptr(),
            CAPABILITIES.as_ptr(),
            value.as_mut_ptr().cast(),
            value.len(),
        )
    };
    parse_capabilities(value.get(..usize::try_from(size).ok()?)?)
}

/// Reads a `struct vfs_cap_data`: a word of flags, and then permitted and inheritable by turns.
fn parse_capabilities(value: &[u8]) -> Option<Capabilities> {
    let word = |index: usize| {
        let bytes = value.get(index * 4..index * 4 + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    };
    let flags = word(0)?;
    let high = if flags & REVISION_MASK == REVISION_1 {
        0
    } else {
        word(3)?
    };
    Some(Capabilities {
        are_effective: flags & EFFECTIVE != 0,
        permitted: u64::from(high) << 32 | u64::from(word(1)?),
    })
}

fn is_on_nosuid(path: &CStr) -> bool {
    // SAFETY: statvfs is plain numbers, for which all zeroes is a value.
    let mut answer: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: the path is NUL-terminated, and the answer is a statvfs to write to.
    let result = unsafe { libc::statvfs(path.as_ptr(), &raw mut answer) };
    result == 0 && answer.f_flag & libc::ST_NOSUID != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: Credentials = Credentials {
        user: 1000,
        effective_user: 1000,
        group: 100,
        effective_group: 100,
        has_no_new_privileges: false,
    };
    const ROOT: Credentials = Credentials {
        user: 0,
        effective_user: 0,
        group: 0,
        effective_group: 0,
        has_no_new_privileges: false,
    };

    fn root_file(mode: u32) -> Offer {
        Offer {
            mode: libc::S_IFREG | mode,
            ..Offer::default()
        }
    }

    #[test]
    fn a_setuid_bit_matters_where_it_gives_something() {
        assert_eq!(
            elevates(&root_file(0o4755), &USER).as_deref(),
            Some("is setuid to user 0")
        );
        assert_eq!(elevates(&root_file(0o4755), &ROOT), None);
        assert_eq!(elevates(&root_file(0o755), &USER), None);
        let own = Offer {
            owner: 1000,
            ..root_file(0o4755)
        };
        assert_eq!(elevates(&own, &USER), None);
        assert!(
            elevates(&own, &ROOT).is_some(),
            "root becoming another user"
        );
    }

    #[test]
    fn a_setgid_bit_needs_the_group_s_execute_bit() {
        assert_eq!(
            elevates(&root_file(0o2755), &USER).as_deref(),
            Some("is setgid to group 0")
        );
        assert_eq!(elevates(&root_file(0o2745), &USER), None);
        assert_eq!(
            elevates(
                &Offer {
                    group: 100,
                    ..root_file(0o2755)
                },
                &USER
            ),
            None
        );
    }

    #[test]
    fn a_user_who_is_not_who_he_was_is_never_trusted() {
        let strange = Credentials {
            effective_user: 0,
            ..USER
        };
        assert_eq!(
            elevates(&root_file(0o755), &strange).as_deref(),
            Some("would run as user 0 for user 1000")
        );
        let back = Offer {
            owner: 1000,
            ..root_file(0o4755)
        };
        assert_eq!(
            elevates(&back, &strange),
            None,
            "the exec takes the right away again"
        );
    }

    #[test]
    fn what_gives_nothing_is_ignored() {
        assert_eq!(
            elevates(
                &Offer {
                    is_on_nosuid: true,
                    ..root_file(0o6755)
                },
                &USER
            ),
            None
        );
        let bound = Credentials {
            has_no_new_privileges: true,
            ..USER
        };
        assert_eq!(elevates(&root_file(0o6755), &bound), None);
    }

    #[test]
    fn file_capabilities_matter_to_all_but_root() {
        let with = |are_effective, permitted| Offer {
            capabilities: Some(Capabilities {
                are_effective,
                permitted,
            }),
            ..root_file(0o755)
        };
        assert!(elevates(&with(true, 1), &USER).is_some());
        assert!(elevates(&with(false, 1), &USER).is_some());
        assert_eq!(
            elevates(&with(false, 0), &USER),
            None,
            "inheritable ones only"
        );
        assert_eq!(elevates(&with(true, 1), &ROOT), None);
        assert_eq!(
            elevates(
                &Offer {
                    is_on_nosuid: true,
                    ..with(true, 1)
                },
                &USER
            ),
            None
        );
    }

    #[test]
    fn capabilities_are_read_in_every_layout() {
        let words = |words: &[u32]| -> Vec<u8> {
            words.iter().flat_map(|word| word.to_le_bytes()).collect()
        };
        let read = |value: &[u32]| parse_capabilities(&words(value));
        assert_eq!(
            read(&[0x0200_0001, 1 << 13, 0, 1, 0]),
            Some(Capabilities {
                are_effective: true,
                permitted: 1 << 32 | 1 << 13
            })
        );
        assert_eq!(
            read(&[0x0300_0000, 0, 5, 0, 0, 1000]),
            Some(Capabilities {
                are_effective: false,
                permitted: 0
            })
        );
        assert_eq!(
            read(&[0x0100_0000, 7, 0]),
            Some(Capabilities {
                are_effective: false,
                permitted: 7
            })
        );
        assert_eq!(read(&[0x0200_0001, 1]), None);
        assert_eq!(parse_capabilities(&[1, 2]), None);
    }
}
