//! The program's calls of stdio.

use std::ffi::{c_char, c_int, c_long, c_void};

use libc::{FILE, off_t, off64_t, size_t, ssize_t};

use super::stdio_hooks;
use crate::linking::streams;
use crate::program_memory::given;
use crate::recording::{returns, stdio_returns};
use crate::{coop, files};

/// Called before the C library closes the descriptor of a stream: it calls no hook to do so.
fn closing(stream: *mut FILE) {
    if !stream.is_null() {
        coop::closing(streams::fd(stream));
        files::closing_stream(stream);
    }
}

fn reopening(stream: *mut FILE, path: *const c_char) {
    closing(stream);
    given::note_text(path);
}

stdio_hooks! {
    Fopen = fn fopen(path: *const c_char, mode: *const c_char) -> *mut FILE: returns::handle,
        before given::note_text(path),
        then |result| files::opened_stream(result, path);
    Fopen64 = fn fopen64(path: *const c_char, mode: *const c_char) -> *mut FILE: returns::handle,
        before given::note_text(path),
        then |result| files::opened_stream(result, path);
    IoFopen = fn _IO_fopen(path: *const c_char, mode: *const c_char) -> *mut FILE: returns::handle,
        before given::note_text(path),
        then |result| files::opened_stream(result, path);
    Fdopen = fn fdopen(fd: c_int, mode: *const c_char) -> *mut FILE: returns::handle,
        then |result| streams::see(result);
    IoFdopen = fn _IO_fdopen(fd: c_int, mode: *const c_char) -> *mut FILE: returns::handle,
        then |result| streams::see(result);
    Freopen = fn freopen(path: *const c_char, mode: *const c_char, stream: *mut FILE) -> *mut FILE: returns::handle,
        before reopening(stream, path),
        then |result| files::opened_stream(result, path);
    Freopen64 = fn freopen64(path: *const c_char, mode: *const c_char, stream: *mut FILE) -> *mut FILE: returns::handle,
        before reopening(stream, path),
        then |result| files::opened_stream(result, path);
    Tmpfile = fn tmpfile() -> *mut FILE: returns::handle,
        then |result| streams::see(result);
    Tmpfile64 = fn tmpfile64() -> *mut FILE: returns::handle,
        then |result| streams::see(result);
    Popen = fn popen(command: *const c_char, mode: *const c_char) -> *mut FILE: returns::handle,
        then |result| files::opened_pipe(result);
    IoPopen = fn _IO_popen(command: *const c_char, mode: *const c_char) -> *mut FILE: returns::handle,
        then |result| files::opened_pipe(result);
    Pclose = fn pclose(stream: *mut FILE) -> c_int: returns::status,
        before closing(stream);
    Fclose = fn fclose(stream: *mut FILE) -> c_int: returns::status;
    IoFclose = fn _IO_fclose(stream: *mut FILE) -> c_int: returns::status;
    Fcloseall = fn fcloseall() -> c_int: returns::status;
    Fflush = fn fflush(stream: *mut FILE) -> c_int: returns::status;
    FflushUnlocked = fn fflush_unlocked(stream: *mut FILE) -> c_int: returns::status;
    IoFflush = fn _IO_fflush(stream: *mut FILE) -> c_int: returns::status;
    Fread = fn fread(buffer: *mut c_void, size: size_t, count: size_t, stream: *mut FILE) -> size_t: move |items| stdio_returns::items(items, size, count, stream),
        size size.wrapping_mul(count);
    FreadUnlocked = fn fread_unlocked(buffer: *mut c_void, size: size_t, count: size_t, stream: *mut FILE) -> size_t: move |items| stdio_returns::items(items, size, count, stream),
        size size.wrapping_mul(count);
    FreadChk = fn __fread_chk(buffer: *mut c_void, room: size_t, size: size_t, count: size_t, stream: *mut FILE) -> size_t: move |items| stdio_returns::items(items, size, count, stream),
        size size.wrapping_mul(count);
    FreadUnlockedChk = fn __fread_unlocked_chk(buffer: *mut c_void, room: size_t, size: size_t, count: size_t, stream: *mut FILE) -> size_t: move |items| stdio_returns::items(items, size, count, stream),
        size size.wrapping_mul(count);
    IoFread = fn _IO_fread(buffer: *mut c_void, size: size_t, count: size_t, stream: *mut FILE) -> size_t: move |items| stdio_returns::items(items, size, count, stream),
        size size.wrapping_mul(count);
    Fwrite = fn fwrite(buffer: *const c_void, size: size_t, count: size_t, stream: *mut FILE) -> size_t: move |items| stdio_returns::items(items, size, count, stream),
        size size.wrapping_mul(count);
    FwriteUnlocked = fn fwrite_unlocked(buffer: *const c_void, size: size_t, count: size_t, stream: *mut FILE) -> size_t: move |items| stdio_returns::items(items, size, count, stream),
        size size.wrapping_mul(count);
    IoFwrite = fn _IO_fwrite(buffer: *const c_void, size: size_t, count: size_t, stream: *mut FILE) -> size_t: move |items| stdio_returns::items(items, size, count, stream),
        size size.wrapping_mul(count);
    Fgets = fn fgets(buffer: *mut c_char, size: c_int, stream: *mut FILE) -> *mut c_char: stdio_returns::Line::with_newline(size, stream);
    FgetsUnlocked = fn fgets_unlocked(buffer: *mut c_char, size: c_int, stream: *mut FILE) -> *mut c_char: stdio_returns::Line::with_newline(size, stream);
    FgetsChk = fn __fgets_chk(buffer: *mut c_char, room: size_t, size: c_int, stream: *mut FILE) -> *mut c_char: stdio_returns::Line::with_newline(size, stream);
    FgetsUnlockedChk = fn __fgets_unlocked_chk(buffer: *mut c_char, room: size_t, size: c_int, stream: *mut FILE) -> *mut c_char: stdio_returns::Line::with_newline(size, stream);
    IoFgets = fn _IO_fgets(buffer: *mut c_char, size: c_int, stream: *mut FILE) -> *mut c_char: stdio_returns::Line::with_newline(size, stream);
    Gets = fn gets(buffer: *mut c_char) -> *mut c_char: stdio_returns::Line::without_newline();
    GetsChk = fn __gets_chk(buffer: *mut c_char, room: size_t) -> *mut c_char: stdio_returns::Line::without_newline();
    IoGets = fn _IO_gets(buffer: *mut c_char) -> *mut c_char: stdio_returns::Line::without_newline();
    Fputs = fn fputs(text: *const c_char, stream: *mut FILE) -> c_int: stdio_returns::text(text, 0);
    FputsUnlocked = fn fputs_unlocked(text: *const c_char, stream: *mut FILE) -> c_int: stdio_returns::text(text, 0);
    IoFputs = fn _IO_fputs(text: *const c_char, stream: *mut FILE) -> c_int: stdio_returns::text(text, 0);
    Puts = fn puts(text: *const c_char) -> c_int: stdio_returns::text(text, 1);
    IoPuts = fn _IO_puts(text: *const c_char) -> c_int: stdio_returns::text(text, 1);
    Fgetc = fn fgetc(stream: *mut FILE) -> c_int: move |character| stdio_returns::character(character, stream);
    FgetcUnlocked = fn fgetc_unlocked(stream: *mut FILE) -> c_int: move |character| stdio_returns::character(character, stream);
    Getc = fn getc(stream: *mut FILE) -> c_int: move |character| stdio_returns::character(character, stream);
    GetcUnlocked = fn getc_unlocked(stream: *mut FILE) -> c_int: move |character| stdio_returns::character(character, stream);
    IoGetc = fn _IO_getc(stream: *mut FILE) -> c_int: move |character| stdio_returns::character(character, stream);
    Getchar = fn getchar() -> c_int: move |character| stdio_returns::character(character, streams::standard_input());
    GetcharUnlocked = fn getchar_unlocked() -> c_int: move |character| stdio_returns::character(character, streams::standard_input());
    Uflow = fn __uflow(stream: *mut FILE) -> c_int: move |character| stdio_returns::character(character, stream);
    Underflow = fn __underflow(stream: *mut FILE) -> c_int: move |character| stdio_returns::coming(character, stream);
    Getw = fn getw(stream: *mut FILE) -> c_int: move |word| stdio_returns::word(word, stream);
    Fputc = fn fputc(character: c_int, stream: *mut FILE) -> c_int: move |character| stdio_returns::character(character, stream);
    FputcUnlocked = fn fputc_unlocked(character: c_int, stream: *mut FILE) -> c_int: move |character| stdio_returns::character(character, stream);
    Putc = fn putc(character: c_int, stream: *mut FILE) -> c_int: move |character| stdio_returns::character(character, stream);
    PutcUnlocked = fn putc_unlocked(character: c_int, stream: *mut FILE) -> c_int: move |character| stdio_returns::character(character, stream);
    IoPutc = fn _IO_putc(character: c_int, stream: *mut FILE) -> c_int: move |character| stdio_returns::character(character, stream);
    Putchar = fn putchar(character: c_int) -> c_int: move |character| stdio_returns::character(character, streams::standard_output());
    PutcharUnlocked = fn putchar_unlocked(character: c_int) -> c_int: move |character| stdio_returns::character(character, streams::standard_output());
    Overflow = fn __overflow(stream: *mut FILE, character: c_int) -> c_int: move |character| stdio_returns::character(character, stream);
    Putw = fn putw(word: c_int, stream: *mut FILE) -> c_int: move |word| stdio_returns::word(word, stream);
    Ungetc = fn ungetc(character: c_int, stream: *mut FILE) -> c_int: returns::status;
    IoUngetc = fn _IO_ungetc(character: c_int, stream: *mut FILE) -> c_int: returns::status;
    Getline = fn getline(line: *mut *mut c_char, room: *mut size_t, stream: *mut FILE) -> ssize_t: move |length| stdio_returns::length(length, stream);
    Getdelim = fn getdelim(line: *mut *mut c_char, room: *mut size_t, end: c_int, stream: *mut FILE) -> ssize_t: move |length| stdio_returns::length(length, stream);
    GetdelimAlias = fn __getdelim(line: *mut *mut c_char, room: *mut size_t, end: c_int, stream: *mut FILE) -> ssize_t: move |length| stdio_returns::length(length, stream);
    Fseek = fn fseek(stream: *mut FILE, offset: c_long, whence: c_int) -> c_int: returns::status;
    Fseeko = fn fseeko(stream: *mut FILE, offset: off_t, whence: c_int) -> c_int: returns::status;
    Fseeko64 = fn fseeko64(stream: *mut FILE, offset: off64_t, whence: c_int) -> c_int: returns::status;
    Ftell = fn ftell(stream: *mut FILE) -> c_long: returns::place;
    IoFtell = fn _IO_ftell(stream: *mut FILE) -> c_long: returns::place;
    Ftello = fn ftello(stream: *mut FILE) -> off_t: returns::place;
    Ftello64 = fn ftello64(stream: *mut FILE) -> off64_t: returns::place;
    Rewind = fn rewind(stream: *mut FILE): returns::nothing;
    Fgetpos = fn fgetpos(stream: *mut FILE, place: *mut c_void) -> c_int: returns::status;
    Fgetpos64 = fn fgetpos64(stream: *mut FILE, place: *mut c_void) -> c_int: returns::status;
    IoFgetpos = fn _IO_fgetpos(stream: *mut FILE, place: *mut c_void) -> c_int: returns::status;
    IoFgetpos64 = fn _IO_fgetpos64(stream: *mut FILE, place: *mut c_void) -> c_int: returns::status;
    Fsetpos = fn fsetpos(stream: *mut FILE, place: *const c_void) -> c_int: returns::status;
    Fsetpos64 = fn fsetpos64(stream: *mut FILE, place: *const c_void) -> c_int: returns::status;
    IoFsetpos = fn _IO_fsetpos(stream: *mut FILE, place: *const c_void) -> c_int: returns::status;
    IoFsetpos64 = fn _IO_fsetpos64(stream: *mut FILE, place: *const c_void) -> c_int: returns::status;
    Perror = fn perror(text: *const c_char): returns::nothing;
}
