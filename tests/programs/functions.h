/* Every function of the table, for witness.h. */
#ifndef FUNCTIONS_H
#define FUNCTIONS_H

#define EACH_FUNCTION(F) \
    F(malloc) F(calloc) F(realloc) F(reallocarray) F(free) F(cfree) F(free_sized) \
    F(free_aligned_sized) F(posix_memalign) F(aligned_alloc) F(memalign) F(valloc) F(pvalloc) \
    F(malloc_usable_size) F(open) F(open64) F(__open_2) F(__open64_2) F(__open) F(__open64) \
    F(openat) F(openat64) F(__openat_2) F(__openat64_2) F(creat) F(creat64) F(mkstemp) \
    F(mkstemp64) F(mkostemp) F(mkostemp64) F(mkstemps) F(mkstemps64) F(mkostemps) F(mkostemps64) \
    F(close) F(__close) F(read) F(__read) F(__read_chk) F(pread) F(pread64) F(__pread64) \
    F(__pread_chk) F(__pread64_chk) F(readv) F(preadv) F(preadv64) F(preadv2) F(preadv64v2) \
    F(write) F(__write) F(pwrite) F(pwrite64) F(__pwrite64) F(writev) F(pwritev) F(pwritev64) \
    F(pwritev2) F(pwritev64v2) F(lseek) F(__lseek) F(lseek64) F(fsync) F(fdatasync) F(syncfs) \
    F(sync_file_range) F(ftruncate) F(ftruncate64) F(fallocate) F(fallocate64) \
    F(posix_fallocate) F(posix_fallocate64) F(posix_fadvise) F(posix_fadvise64) \
    F(copy_file_range) F(sendfile) F(sendfile64) F(splice) F(tee) F(vmsplice) F(dup) F(dup2) \
    F(__dup2) F(dup3) F(login_tty) F(fcntl) F(__fcntl) F(fcntl64) F(ioctl) F(pipe) F(__pipe) F(pipe2) \
    F(eventfd) F(eventfd_read) F(eventfd_write) F(signalfd) F(timerfd_create) F(inotify_init) \
    F(inotify_init1) F(memfd_create) F(epoll_create) F(epoll_create1) F(epoll_ctl) \
    F(close_range) F(closefrom) F(socket) F(socketpair) F(bind) F(listen) F(connect) \
    F(__connect) F(accept) F(accept4) F(shutdown) F(recv) F(__recv_chk) F(recvfrom) \
    F(__recvfrom_chk) F(recvmsg) F(recvmmsg) F(send) F(__send) F(sendto) F(sendmsg) F(sendmmsg) \
    F(setsockopt) F(getsockopt) F(getsockname) F(getpeername) F(poll) F(__poll) F(__poll_chk) \
    F(ppoll) F(__ppoll_chk) F(select) F(__select) F(pselect) F(epoll_wait) F(epoll_pwait) \
    F(epoll_pwait2) F(sleep) F(usleep) F(nanosleep) F(__nanosleep) F(clock_nanosleep) \
    F(sigaction) F(__sigaction) F(signal) F(bsd_signal) F(ssignal) \
    F(sysv_signal) F(__sysv_signal) F(sigset) F(sigignore) F(siginterrupt) F(dlclose) \
    F(getaddrinfo) F(wait) F(__wait) F(waitpid) F(__waitpid) F(wait3) F(wait4) F(waitid) F(mmap) \
    F(pthread_mutex_lock) F(__pthread_mutex_lock) F(pthread_mutex_timedlock) F(pthread_mutex_clocklock) \
    F(pthread_rwlock_rdlock) F(__pthread_rwlock_rdlock) F(pthread_rwlock_timedrdlock) \
    F(pthread_rwlock_clockrdlock) F(pthread_rwlock_wrlock) F(__pthread_rwlock_wrlock) \
    F(pthread_rwlock_timedwrlock) F(pthread_rwlock_clockwrlock) F(sem_wait) F(sem_timedwait) \
    F(sem_clockwait) F(mtx_lock) F(mtx_timedlock) \
    F(pthread_cond_wait) F(pthread_cond_timedwait) F(pthread_cond_clockwait) F(cnd_wait) F(cnd_timedwait) \
    F(pthread_barrier_wait) F(pthread_join) F(pthread_timedjoin_np) F(pthread_clockjoin_np) F(thrd_join) F(futex) \
    F(mmap64) F(munmap) F(mremap) F(mprotect) F(pkey_mprotect) F(msync) F(madvise) F(posix_madvise) F(brk) F(sbrk) F(__sbrk) \
    F(stat) F(stat64) F(lstat) F(lstat64) F(fstat) F(fstat64) F(fstatat) F(fstatat64) F(__xstat) \
    F(__xstat64) F(__lxstat) F(__lxstat64) F(__fxstat) F(__fxstat64) F(__fxstatat) \
    F(__fxstatat64) F(statx) F(access) F(euidaccess) F(eaccess) F(faccessat) F(readlink) \
    F(__readlink_chk) F(readlinkat) F(__readlinkat_chk) F(unlink) F(unlinkat) F(remove) \
    F(rename) F(renameat) F(renameat2) F(mkdir) F(mkdirat) F(mkdtemp) F(rmdir) F(link) F(linkat) \
    F(symlink) F(symlinkat) F(truncate) F(truncate64) F(chmod) F(fchmod) F(fchmodat) F(chown) \
    F(lchown) F(fchown) F(fchownat) F(utimensat) F(futimens) F(chdir) F(fchdir) F(chroot) \
    F(opendir) F(fdopendir) F(closedir) F(readdir) F(readdir64) F(readdir_r) F(readdir64_r) \
    F(rewinddir) F(seekdir) F(scandir) F(scandir64) F(fopen) F(fopen64) F(_IO_fopen) F(fdopen) \
    F(_IO_fdopen) F(freopen) F(freopen64) F(tmpfile) F(tmpfile64) F(popen) F(_IO_popen) \
    F(pclose) F(fclose) F(_IO_fclose) F(fcloseall) F(fflush) F(fflush_unlocked) F(_IO_fflush) \
    F(fread) F(fread_unlocked) F(__fread_chk) F(__fread_unlocked_chk) F(_IO_fread) F(fwrite) \
    F(fwrite_unlocked) F(_IO_fwrite) F(fgets) F(fgets_unlocked) F(__fgets_chk) \
    F(__fgets_unlocked_chk) F(_IO_fgets) F(gets) F(__gets_chk) F(_IO_gets) F(fputs) \
    F(fputs_unlocked) F(_IO_fputs) F(puts) F(_IO_puts) F(fgetc) F(fgetc_unlocked) F(getc) \
    F(getc_unlocked) F(_IO_getc) F(getchar) F(getchar_unlocked) F(__uflow) F(__underflow) \
    F(getw) F(fputc) F(fputc_unlocked) F(putc) F(putc_unlocked) F(_IO_putc) F(putchar) \
    F(putchar_unlocked) F(__overflow) F(putw) F(ungetc) F(_IO_ungetc) F(getline) F(getdelim) \
    F(__getdelim) F(fseek) F(fseeko) F(fseeko64) F(ftell) F(_IO_ftell) F(ftello) F(ftello64) \
    F(rewind) F(fgetpos) F(fgetpos64) F(_IO_fgetpos) F(_IO_fgetpos64) F(fsetpos) F(fsetpos64) \
    F(_IO_fsetpos) F(_IO_fsetpos64) F(perror) F(fgetwc) F(fgetwc_unlocked) F(getwc) \
    F(getwc_unlocked) F(getwchar) F(getwchar_unlocked) F(fgetws) F(fgetws_unlocked) \
    F(__fgetws_chk) F(__fgetws_unlocked_chk) F(fputwc) F(fputwc_unlocked) F(putwc) \
    F(putwc_unlocked) F(putwchar) F(putwchar_unlocked) F(fputws) F(fputws_unlocked) F(ungetwc) \
    F(__wuflow) F(__wunderflow) F(__woverflow) F(printf) F(__printf_chk) F(_IO_printf) \
    F(fprintf) F(__fprintf_chk) F(_IO_fprintf) F(dprintf) F(__dprintf_chk) F(vprintf) \
    F(__vprintf_chk) F(vfprintf) F(__vfprintf_chk) F(_IO_vfprintf) F(vdprintf) F(__vdprintf_chk) \
    F(scanf) F(__isoc99_scanf) F(__isoc23_scanf) F(fscanf) F(__isoc99_fscanf) F(__isoc23_fscanf) \
    F(vscanf) F(__isoc99_vscanf) F(__isoc23_vscanf) F(vfscanf) F(__vfscanf) F(__isoc99_vfscanf) \
    F(__isoc23_vfscanf) F(wprintf) F(__wprintf_chk) F(fwprintf) F(__fwprintf_chk) F(vwprintf) \
    F(__vwprintf_chk) F(vfwprintf) F(__vfwprintf_chk) F(wscanf) F(__isoc99_wscanf) \
    F(__isoc23_wscanf) F(fwscanf) F(__isoc99_fwscanf) F(__isoc23_fwscanf) F(vwscanf) \
    F(__isoc99_vwscanf) F(__isoc23_vwscanf) F(vfwscanf) F(__isoc99_vfwscanf) \
    F(__isoc23_vfwscanf) F(_IO_file_read) F(_IO_file_write) F(_IO_file_seek) F(_IO_file_close) \
    F(_IO_file_stat) F(_exit) F(_Exit) F(quick_exit) F(execv) F(execve) F(execvp) F(execvpe) \
    F(execl) F(execle) F(execlp) F(execveat) F(fexecve) F(_Fork) F(fork) F(__fork) F(vfork) F(__vfork) F(clone) F(__clone) \
    F(posix_spawn) F(posix_spawnp) F(prctl) F(unshare) F(setns) F(setuid) F(setreuid) F(setresuid) F(pthread_create) F(aio_read) F(aio_read64) F(aio_write) F(aio_write64) F(lio_listio) F(lio_listio64) \
    F(syscall)

#endif
