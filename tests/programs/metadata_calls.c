// flags: -O1 -fno-builtin -U_FORTIFY_SOURCE -D_LARGEFILE64_SOURCE -Wno-deprecated-declarations
/* Calls every function for names, attributes and directories a known number of times. */
#include "witness.h"
#include <dirent.h>
#include <sys/stat.h>

/* The kernel's own version of `struct stat`. Each architecture has its own number for it. */
#ifdef __x86_64__
#define STAT_VERSION 1
#else
#define STAT_VERSION 0
#endif

NAMED(int, xstat, __xstat, int, const char *, struct stat *);
NAMED(int, xstat64, __xstat64, int, const char *, struct stat64 *);
NAMED(int, lxstat, __lxstat, int, const char *, struct stat *);
NAMED(int, lxstat64, __lxstat64, int, const char *, struct stat64 *);
NAMED(int, fxstat, __fxstat, int, int, struct stat *);
NAMED(int, fxstat64, __fxstat64, int, int, struct stat64 *);
NAMED(int, fxstatat, __fxstatat, int, int, const char *, struct stat *, int);
NAMED(int, fxstatat64, __fxstatat64, int, int, const char *, struct stat64 *, int);
NAMED(ssize_t, readlink_chk, __readlink_chk, const char *, char *, size_t, size_t);
NAMED(ssize_t, readlinkat_chk, __readlinkat_chk, int, const char *, char *, size_t, size_t);

static char buffer[4096];
static const int bad = 987;
static const char *const none = "no/such/file";

static int all(const struct dirent *entry) { return entry->d_name[0] != '.'; }
static int all64(const struct dirent64 *entry) { return entry->d_name[0] != '.'; }

static void stats(int file) {
    struct stat s;
    struct stat64 s64;
    struct statx x;
    for (int i = 0; i < 2; i++) {
        MUST(!TRY(stat, stat("file", &s)) && s.st_size == 77);
        MUST(!TRY(stat64, stat64("file", &s64)) && s64.st_size == 77);
        MUST(!TRY(lstat, lstat("link", &s)) && S_ISLNK(s.st_mode));
        MUST(!TRY(lstat64, lstat64("link", &s64)) && S_ISLNK(s64.st_mode));
        MUST(!TRY(fstat, fstat(file, &s)) && s.st_size == 77);
        MUST(!TRY(fstat64, fstat64(file, &s64)) && s64.st_size == 77);
        MUST(!TRY(fstatat, fstatat(AT_FDCWD, "link", &s, AT_SYMLINK_NOFOLLOW)));
        MUST(!TRY(fstatat64, fstatat64(AT_FDCWD, "file", &s64, 0)));
        MUST(!TRY(__xstat, xstat(STAT_VERSION, "file", &s)) && s.st_size == 77);
        MUST(!TRY(__xstat64, xstat64(STAT_VERSION, "file", &s64)));
        MUST(!TRY(__lxstat, lxstat(STAT_VERSION, "link", &s)));
        MUST(!TRY(__lxstat64, lxstat64(STAT_VERSION, "link", &s64)));
        MUST(!TRY(__fxstat, fxstat(STAT_VERSION, file, &s)) && s.st_size == 77);
        MUST(!TRY(__fxstat64, fxstat64(STAT_VERSION, file, &s64)));
        MUST(!TRY(__fxstatat, fxstatat(STAT_VERSION, AT_FDCWD, "file", &s, 0)));
        MUST(!TRY(__fxstatat64, fxstatat64(STAT_VERSION, AT_FDCWD, "file", &s64, 0)));
        MUST(!TRY(statx, statx(file, "", AT_EMPTY_PATH, STATX_SIZE, &x)) && x.stx_size == 77);
    }
    MUST(TRY(stat, stat(none, &s)) < 0 && errno == ENOENT);
    MUST(TRY(lstat64, lstat64(none, &s64)) < 0 && errno == ENOENT);
    MUST(TRY(fstat, fstat(bad, &s)) < 0 && errno == EBADF);
    MUST(TRY(fstatat, fstatat(bad, "file", &s, 0)) < 0 && errno == EBADF);
    MUST(TRY(__xstat, xstat(STAT_VERSION, none, &s)) < 0 && errno == ENOENT);
    MUST(TRY(__fxstat64, fxstat64(STAT_VERSION, bad, &s64)) < 0 && errno == EBADF);
    MUST(TRY(statx, statx(AT_FDCWD, none, 0, STATX_ALL, &x)) < 0 && errno == ENOENT);
}

static void questions(void) {
    MUST(!TRY(access, access("file", R_OK)));
    MUST(!TRY(euidaccess, euidaccess("file", R_OK)));
    MUST(!TRY(eaccess, eaccess("file", F_OK)));
    MUST(!TRY(faccessat, faccessat(AT_FDCWD, "file", R_OK, 0)));
    MUST(TRY(access, access(none, R_OK)) < 0 && errno == ENOENT);
    MUST(TRY(eaccess, eaccess(none, R_OK)) < 0 && errno == ENOENT);
    MUST(TRY(faccessat, faccessat(bad, "file", R_OK, 0)) < 0 && errno == EBADF);
    MUST(TRY(readlink, readlink("link", buffer, sizeof buffer)) == 4);
    MUST(TRY(__readlink_chk, readlink_chk("link", buffer, 10, sizeof buffer)) == 4);
    MUST(TRY(readlinkat, readlinkat(AT_FDCWD, "link", buffer, 2)) == 2);
    MUST(TRY(__readlinkat_chk, readlinkat_chk(AT_FDCWD, "link", buffer, 3, sizeof buffer)) == 3);
    MUST(TRY(readlink, readlink("file", buffer, sizeof buffer)) < 0 && errno == EINVAL);
    MUST(TRY(readlinkat, readlinkat(AT_FDCWD, none, buffer, 2)) < 0 && errno == ENOENT);
}

static void changes(int file) {
    MUST(!TRY(link, link("file", "second")) && !TRY(linkat, linkat(AT_FDCWD, "file", AT_FDCWD, "third", 0)));
    MUST(TRY(link, link("file", "second")) < 0 && errno == EEXIST);
    MUST(!TRY(symlinkat, symlinkat("file", AT_FDCWD, "other link")));
    MUST(TRY(symlink, symlink("file", "link")) < 0 && errno == EEXIST);
    MUST(!TRY(rename, rename("second", "2")) && !TRY(renameat, renameat(AT_FDCWD, "2", AT_FDCWD, "3")));
    MUST(!TRY(renameat2, renameat2(AT_FDCWD, "3", AT_FDCWD, "third", RENAME_EXCHANGE)));
    MUST(TRY(rename, rename(none, "4")) < 0 && errno == ENOENT);
    MUST(TRY(renameat2, renameat2(AT_FDCWD, "3", AT_FDCWD, "third", RENAME_NOREPLACE)) < 0 && errno == EEXIST);
    MUST(!TRY(unlink, unlink("3")) && !TRY(unlinkat, unlinkat(AT_FDCWD, "third", 0)));
    MUST(!TRY(remove, remove("other link")));
    MUST(TRY(unlink, unlink(none)) < 0 && errno == ENOENT);
    MUST(TRY(unlinkat, unlinkat(bad, "file", 0)) < 0 && errno == EBADF);
    MUST(TRY(remove, remove(none)) < 0 && errno == ENOENT);
    MUST(!TRY(mkdir, mkdir("one", 0700)) && !TRY(mkdirat, mkdirat(AT_FDCWD, "two", 0700)));
    MUST(TRY(mkdir, mkdir("one", 0700)) < 0 && errno == EEXIST);
    char template[] = "new-XXXXXX", not_one[] = "new";
    MUST(GET(mkdtemp, mkdtemp(template)));
    MUST(!GET(mkdtemp, mkdtemp(not_one)) && errno == EINVAL);
    MUST(!TRY(rmdir, rmdir(template)) && TRY(rmdir, rmdir(none)) < 0 && errno == ENOENT);
    MUST(!TRY(remove, remove("two")));
    MUST(!TRY(chmod, chmod("file", 0600)) && !TRY(fchmod, fchmod(file, 0640)));
    MUST(!TRY(fchmodat, fchmodat(AT_FDCWD, "file", 0644, 0)));
    MUST(TRY(chmod, chmod(none, 0600)) < 0 && TRY(fchmod, fchmod(bad, 0600)) < 0);
    const uid_t u = (uid_t)-1;
    MUST(!TRY(chown, chown("file", u, u)) && !TRY(lchown, lchown("link", u, u)));
    MUST(!TRY(fchown, fchown(file, u, u)) && !TRY(fchownat, fchownat(AT_FDCWD, "file", u, u, 0)));
    MUST(TRY(chown, chown(none, u, u)) < 0 && TRY(fchown, fchown(bad, u, u)) < 0);
    MUST(!TRY(utimensat, utimensat(AT_FDCWD, "file", NULL, 0)) && !TRY(futimens, futimens(file, NULL)));
    MUST(TRY(utimensat, utimensat(AT_FDCWD, none, NULL, 0)) < 0 && TRY(futimens, futimens(bad, NULL)) < 0);
    MUST(!TRY(truncate, truncate("file", 10)) && !TRY(truncate64, truncate64("file", 20)));
    MUST(TRY(truncate, truncate(none, 10)) < 0 && errno == ENOENT);
}

static void directories(void) {
    DIR *here = GET(opendir, opendir("."));
    MUST(here && !GET(opendir, opendir(none)) && errno == ENOENT);
    for (int i = 0; i < 3; i++)
        MUST(DONE(readdir, 0, readdir(here)));
    DONE(seekdir, 0, (seekdir(here, telldir(here)), 0));
    MUST(DONE(readdir64, 0, readdir64(here)));
    DONE(rewinddir, 0, (rewinddir(here), 0));
    struct dirent entry, *found;
    struct dirent64 entry64, *found64;
    MUST(!NUMBER(readdir_r, readdir_r(here, &entry, &found)) && found);
    MUST(!NUMBER(readdir64_r, readdir64_r(here, &entry64, &found64)) && found64);
    while (DONE(readdir, 0, readdir(here)))
        ;
    MUST(!TRY(closedir, closedir(here)));
    int fd = (int)TRY(open, open("one", O_RDONLY | O_DIRECTORY));
    DIR *other = GET(fdopendir, fdopendir(fd));
    MUST(other && !GET(fdopendir, fdopendir(bad)) && errno == EBADF);
    MUST(!TRY(closedir, closedir(other)) && TRY(close, close(fd)) < 0);
    struct dirent **list;
    struct dirent64 **list64;
    MUST(TRY(scandir, scandir(".", &list, all, alphasort)) == 3);
    MUST(TRY(scandir64, scandir64(".", &list64, all64, alphasort64)) == 3);
    MUST(TRY(scandir, scandir(none, &list, all, NULL)) < 0 && errno == ENOENT);
    MUST(!TRY(chdir, chdir("one")) && TRY(chdir, chdir(none)) < 0);
    fd = (int)TRY(open, open("..", O_RDONLY));
    MUST(!TRY(fchdir, fchdir(fd)) && TRY(fchdir, fchdir(bad)) < 0);
    MUST(!TRY(close, close(fd)));
    MUST(TRY(chroot, chroot(none)) < 0 && errno == ENOENT);
}

int main(void) {
    int file = (int)TRY(open, open("file", O_RDWR | O_CREAT | O_TRUNC, 0600));
    MUST(file >= 0 && MOVE(write, 77, write(file, buffer, 77)) == 77);
    MUST(!TRY(symlink, symlink("file", "link")));
    stats(file);
    questions();
    changes(file);
    directories();
    MUST(!TRY(close, close(file)));
    tell();
    return 0;
}
