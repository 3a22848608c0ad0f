//! Names of errnos.
//!
//! The C library has them too (`strerrorname_np`), but only since 2.32, and a preloaded library that
//! asked for it would not load beside an older one.

macro_rules! names {
    ($($name:ident)+) => {
        /// The symbolic name, as `ENOENT`.
        pub fn name(errno: i32) -> Option<&'static str> {
            match errno {
                $(libc::$name => Some(stringify!($name)),)+
                _ => None,
            }
        }

        /// Whether an errno has this name.
        pub fn is_name(name: &str) -> bool {
            [$(stringify!($name)),+].contains(&name)
        }
    };
}

names! {
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK
    EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE
    EROFS EMLINK EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP ENOMSG EIDRM
    ECHRNG EL2NSYNC EL3HLT EL3RST ELNRNG EUNATCH ENOCSI EL2HLT EBADE EBADR EXFULL ENOANO EBADRQC
    EBADSLT EBFONT ENOSTR ENODATA ETIME ENOSR ENONET ENOPKG EREMOTE ENOLINK EADV ESRMNT ECOMM EPROTO
    EMULTIHOP EDOTDOT EBADMSG EOVERFLOW ENOTUNIQ EBADFD EREMCHG ELIBACC ELIBBAD ELIBSCN ELIBMAX
    ELIBEXEC EILSEQ ERESTART ESTRPIPE EUSERS ENOTSOCK EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT
    EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL
    ENETDOWN ENETUNREACH ENETRESET ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN
    ETOOMANYREFS ETIMEDOUT ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS ESTALE EUCLEAN
    ENOTNAM ENAVAIL EISNAM EREMOTEIO EDQUOT ENOMEDIUM EMEDIUMTYPE ECANCELED ENOKEY EKEYEXPIRED
    EKEYREVOKED EKEYREJECTED EOWNERDEAD ENOTRECOVERABLE ERFKILL EHWPOISON
}

#[cfg(test)]
mod tests {
    use std::ffi::{CStr, c_char, c_int};

    /// The C library is the witness, if it is new enough to have the function.
    #[test]
    fn names_are_those_of_the_c_library() {
        // SAFETY: the name is a C string.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"strerrorname_np".as_ptr()) };
        if found.is_null() {
            return;
        }
        // SAFETY: that is the function's type (glibc's string.h).
        let strerrorname_np: unsafe extern "C" fn(c_int) -> *const c_char =
            unsafe { std::mem::transmute(found) };
        for errno in 1..4096 {
            // SAFETY: any number is a valid argument.
            let name = unsafe { strerrorname_np(errno) };
            let expected = (!name.is_null()).then(|| {
                // SAFETY: if it is not NULL, it is a string constant.
                unsafe { CStr::from_ptr(name) }.to_str().unwrap()
            });
            assert_eq!(super::name(errno), expected, "{errno}");
        }
    }
}
