//! What the program asks of stdio.

use std::ffi::{c_char, c_int, c_long, c_void};

use libc::{FILE, off_t, off64_t, size_t, ssize_t};

use super::stdio_hooks;
use crate::linking::streams;
use crate::recording::{returns, stdio_returns};
use crate::{coop, files};

/// The descriptor of a stream is about to be closed by the C library, which calls no function of ours to do so.
fn closing(stream: *mut FILE) {
    if !stream.is_null() {
        coop::closing(streams::fd(stream));
        files::closing_stream(stream);
    }
}

stdio_hooks! {
    Fopen = fopen(path: *const c_char, mode: *const c_char) -> *mut FILE: returns::handle,
        then |result| files::opened_stream(result, path);
    Fopen64 = fopen64(path: *const c_char, mode: *const c_char) -> *mut FILE: returns::handle,
        then |result| files::opened_stream(result, path);
    IoFopen = _IO_fopen(path: *const c_char, mode: *const c_char) -> *mut FILE: returns::handle,
        then |result| files::opened_stream(result, path);
    Fdopen = fdopen(fd: c_int, mode: *const c_char) -> *mut FILE: returns::handle,
        then |result| streams::see(result);
    IoFdopen = _IO_fdopen(fd: c_int, mode: *const c_char) -> *mut FILE: returns::handle,
        then |result| streams::see(result);
    Freopen = freopen(path: *const c_char, mode: *const c_char, stream: *mut FILE) -> *mut FILE: returns::handle,
        before closing(stream),
        then |result| files::opened_stream(result, path);
    Freopen64 = freopen64(path: *const c_char, mode: *const c_char, stream: *mut FILE) -> *mut FILE: returns::handle,
        before closing(stream),
        then |result| files::opened_stream(result, path);
    Tmpfile = tmpfile() -> *mut FILE: returns::handle,
        then |result| streams::see(result);
    Tmpfile64 = tmpfile64() -> *mut FILE: returns::handle,
        then |result| streams::see(result);
    Popen = popen(command: *const c_char, mode: *const c_char) -> *mut FILE: returns::handle,
        then |result| files::opened_pipe(result);
    IoPopen = _IO_popen(command: *const c_char, mode: *const c_char) -> *mut FILE: returns::handle,
        then |result| files::opened_pipe(result);
    Pclose = pclose(stream: *mut FILE) -> c_int: returns::status,
        before closing(stream);
    Fclose = fclose(stream: *mut FILE) -> c_int: returns::status;
    IoFclose = _IO_fclose(stream: *mut FILE) -> c_int: returns::status;
    Fcloseall = fcloseall() -> c_int: returns::status;
    Fflush = fflush(stream: *mut FILE) -> c_int: returns::status;
    FflushUnlocked = fflush_unlocked(stream: *mut FILE) -> c_int: returns::status;
    IoFflush = _IO_fflush(stream: *mut FILE) -> c_int: returns::status;
    Fread = fread(buffer: *mut c_void, size: size_t, count: size_t, stream: *mut FILE) -> size_t: move |items| stdio_returns::items(items, size, count, stream),
        size size.wrapping_mul(count);
    FreadUnlocked = fread_unlocked(buffer: *mut c_void, size: size_t, count: size_t, stream: *mut FILE) -> size_t: move |items| stdio_returns::items(items, size, count, stream),
        size size.wrapping_mul(count);
    FreadChk = __fread_chk(buffer: *mut c_void, room: size_t, size: size_t, count: size_t, stream: *mut FILE) -> size_t: move |items| stdio_returns::items(items, size, count, stream),
        size size.wrapping_mul(count);
    FreadUnlockedChk = __fread_unlocked_chk(buffer: *mut c_void, room: size_t, size: size_t, count: size_t, stream: *mut FILE) -> size_t: move |items| stdio_returns::items(items, size, count, stream),
        size size.wrapping_mul(count);
    IoFread = _IO_fread(buffer: *mut c_void, size: size_t, count: size_t, stream: *mut FILE) -> size_t: move |items| stdio_returns::items(items, size, count, stream),
        size size.wrapping_mul(count);
    Fwrite = fwrite(buffer: *const c_void, size: size_t, count: size_t, stream: *mut FILE) -> size_t: move |items| stdio_returns::items(items, size, count, stream),
        size size.wrapping_mul(count);
    FwriteUnlocked = fwrite_unlocked(buffer: *const c_void, size: size_t, count: size_t, stream: *mut FILE) -> size_t: move |items| stdio_returns::items(items, size, count, stream),
        size size.wrapping_mul(count);
    IoFwrite = _IO_fwrite(buffer: *const c_void, size: size_t, count: size_t, stream: *mut FILE) -> size_t: move |items| stdio_returns::items(items, size, count, stream),
        size size.wrapping_mul(count);
    Fgets = fgets(buffer: *mut c_char, size: c_int, stream: *mut FILE) -> *mut c_char: stdio_returns::Line::with_newline(size, stream);
    FgetsUnlocked = fgets_unlocked(buffer: *mut c_char, size: c_int, stream: *mut FILE) -> *mut c_char: stdio_returns::Line::with_newline(size, stream);
    FgetsChk = __fgets_chk(buffer: *mut c_char, room: size_t, size: c_int, stream: *mut FILE) -> *mut c_char: stdio_returns::Line::with_newline(size, stream);
    FgetsUnlockedChk = __fgets_unlocked_chk(buffer: *mut c_char, room: size_t, size: c_int, stream: *mut FILE) -> *mut c_char: stdio_returns::Line::with_newline(size, stream);
    IoFgets = _IO_fgets(buffer: *mut c_char, size: c_int, stream: *mut FILE) -> *mut c_char: stdio_returns::Line::with_newline(size, stream);
    Gets = gets(buffer: *mut c_char) -> *mut c_char: stdio_returns::Line::without_newline();
    GetsChk = __gets_chk(buffer: *mut c_char, room: size_t) -> *mut c_char: stdio_returns::Line::without_newline();
    IoGets = _IO_gets(buffer: *mut c_char) -> *mut c_char: stdio_returns::Line::without_newline();
    Fputs = fputs(text: *const c_char, stream: *mut FILE) -> c_int: move |status| stdio_returns::text(status, text, 0);
    FputsUnlocked = fputs_unlocked(text: *const c_char, stream: *mut FILE) -> c_int: move |status| stdio_returns::text(status, text, 0);
    IoFputs = _IO_fputs(text: *const c_char, stream: *mut FILE) -> c_int: move |status| stdio_returns::text(status, text, 0);
    Puts = puts(text: *const c_char) -> c_int: move |status| stdio_returns::text(status, text, 1);
    IoPuts = _IO_puts(text: *const c_char) -> c_int: move |status| stdio_returns::text(status, text, 1);
    Fgetc = fgetc(stream: *mut FILE) -> c_int: move |character| stdio_returns::character(character, stream);
    FgetcUnlocked = fgetc_unlocked(stream: *mut FILE) -> c_int: move |character| stdio_returns::character(character, stream);
    Getc = getc(stream: *mut FILE) -> c_int: move |character| stdio_returns::character(character, stream);
    GetcUnlocked = getc_unlocked(stream: *mut FILE) -> c_int: move |character| stdio_returns::character(character, stream);
    IoGetc = _IO_getc(stream: *mut FILE) -> c_int: move |character| stdio_returns::character(character, stream);
    Getchar = getchar() -> c_int: move |character| stdio_returns::character(character, streams::standard_input());
    GetcharUnlocked = getchar_unlocked() -> c_int: move |character| stdio_returns::character(character, streams::standard_input());
    Uflow = __uflow(stream: *mut FILE) -> c_int: move |character| stdio_returns::character(character, stream);
    Underflow = __underflow(stream: *mut FILE) -> c_int: move |character| stdio_returns::coming(character, stream);
    Getw = getw(stream: *mut FILE) -> c_int: move |word| stdio_returns::word(word, stream);
    Fputc = fputc(character: c_int, stream: *mut FILE) -> c_int: move |character| stdio_returns::character(character, stream);
    FputcUnlocked = fputc_unlocked(character: c_int, stream: *mut FILE) -> c_int: move |character| stdio_returns::character(character, stream);
    Putc = putc(character: c_int, stream: *mut FILE) -> c_int: move |character| stdio_returns::character(character, stream);
    PutcUnlocked = putc_unlocked(character: c_int, stream: *mut FILE) -> c_int: move |character| stdio_returns::character(character, stream);
    IoPutc = _IO_putc(character: c_int, stream: *mut FILE) -> c_int: move |character| stdio_returns::character(character, stream);
    Putchar = putchar(character: c_int) -> c_int: move |character| stdio_returns::character(character, streams::standard_output());
    PutcharUnlocked = putchar_unlocked(character: c_int) -> c_int: move |character| stdio_returns::character(character, streams::standard_output());
    Overflow = __overflow(stream: *mut FILE, character: c_int) -> c_int: move |character| stdio_returns::character(character, stream);
    Putw = putw(word: c_int, stream: *mut FILE) -> c_int: move |word| stdio_returns::word(word, stream);
    Ungetc = ungetc(character: c_int, stream: *mut FILE) -> c_int: returns::status;
    IoUngetc = _IO_ungetc(character: c_int, stream: *mut FILE) -> c_int: returns::status;
    Getline = getline(line: *mut *mut c_char, room: *mut size_t, stream: *mut FILE) -> ssize_t: move |length| stdio_returns::length(length, stream);
    Getdelim = getdelim(line: *mut *mut c_char, room: *mut size_t, end: c_int, stream: *mut FILE) -> ssize_t: move |length| stdio_returns::length(length, stream);
    GetdelimAlias = __getdelim(line: *mut *mut c_char, room: *mut size_t, end: c_int, stream: *mut FILE) -> ssize_t: move |length| stdio_returns::length(length, stream);
    Fseek = fseek(stream: *mut FILE, offset: c_long, whence: c_int) -> c_int: returns::status;
    Fseeko = fseeko(stream: *mut FILE, offset: off_t, whence: c_int) -> c_int: returns::status;
    Fseeko64 = fseeko64(stream: *mut FILE, offset: off64_t, whence: c_int) -> c_int: returns::status;
    Ftell = ftell(stream: *mut FILE) -> c_long: returns::place;
    IoFtell = _IO_ftell(stream: *mut FILE) -> c_long: returns::place;
    Ftello = ftello(stream: *mut FILE) -> off_t: returns::place;
    Ftello64 = ftello64(stream: *mut FILE) -> off64_t: returns::place;
    Rewind = rewind(stream: *mut FILE): returns::nothing;
    Fgetpos = fgetpos(stream: *mut FILE, place: *mut c_void) -> c_int: returns::status;
    Fgetpos64 = fgetpos64(stream: *mut FILE, place: *mut c_void) -> c_int: returns::status;
    IoFgetpos = _IO_fgetpos(stream: *mut FILE, place: *mut c_void) -> c_int: returns::status;
    IoFgetpos64 = _IO_fgetpos64(stream: *mut FILE, place: *mut c_void) -> c_int: returns::status;
    Fsetpos = fsetpos(stream: *mut FILE, place: *const c_void) -> c_int: returns::status;
    Fsetpos64 = fsetpos64(stream: *mut FILE, place: *const c_void) -> c_int: returns::status;
    IoFsetpos = _IO_fsetpos(stream: *mut FILE, place: *const c_void) -> c_int: returns::status;
    IoFsetpos64 = _IO_fsetpos64(stream: *mut FILE, place: *const c_void) -> c_int: returns::status;
    Perror = perror(text: *const c_char): returns::nothing;
}
