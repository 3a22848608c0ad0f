//! The program's calls of stdio with wide characters.

use std::ffi::c_int;

use libc::{FILE, size_t, wchar_t};

use super::{stdio_hooks, wint_t};
use crate::linking::streams;
use crate::recording::{returns, stdio_returns};

stdio_hooks! {
    Fgetwc = fn fgetwc(stream: *mut FILE) -> wint_t: move |character| stdio_returns::wide(character, stream);
    FgetwcUnlocked = fn fgetwc_unlocked(stream: *mut FILE) -> wint_t: move |character| stdio_returns::wide(character, stream);
    Getwc = fn getwc(stream: *mut FILE) -> wint_t: move |character| stdio_returns::wide(character, stream);
    GetwcUnlocked = fn getwc_unlocked(stream: *mut FILE) -> wint_t: move |character| stdio_returns::wide(character, stream);
    Getwchar = fn getwchar() -> wint_t: move |character| stdio_returns::wide(character, streams::standard_input());
    GetwcharUnlocked = fn getwchar_unlocked() -> wint_t: move |character| stdio_returns::wide(character, streams::standard_input());
    Fgetws = fn fgetws(buffer: *mut wchar_t, size: c_int, stream: *mut FILE) -> *mut wchar_t: move |line| stdio_returns::wide_line(line, stream);
    FgetwsUnlocked = fn fgetws_unlocked(buffer: *mut wchar_t, size: c_int, stream: *mut FILE) -> *mut wchar_t: move |line| stdio_returns::wide_line(line, stream);
    FgetwsChk = fn __fgetws_chk(buffer: *mut wchar_t, room: size_t, size: c_int, stream: *mut FILE) -> *mut wchar_t: move |line| stdio_returns::wide_line(line, stream);
    FgetwsUnlockedChk = fn __fgetws_unlocked_chk(buffer: *mut wchar_t, room: size_t, size: c_int, stream: *mut FILE) -> *mut wchar_t: move |line| stdio_returns::wide_line(line, stream);
    Fputwc = fn fputwc(character: wchar_t, stream: *mut FILE) -> wint_t: move |character| stdio_returns::wide(character, stream);
    FputwcUnlocked = fn fputwc_unlocked(character: wchar_t, stream: *mut FILE) -> wint_t: move |character| stdio_returns::wide(character, stream);
    Putwc = fn putwc(character: wchar_t, stream: *mut FILE) -> wint_t: move |character| stdio_returns::wide(character, stream);
    PutwcUnlocked = fn putwc_unlocked(character: wchar_t, stream: *mut FILE) -> wint_t: move |character| stdio_returns::wide(character, stream);
    Putwchar = fn putwchar(character: wchar_t) -> wint_t: move |character| stdio_returns::wide(character, streams::standard_output());
    PutwcharUnlocked = fn putwchar_unlocked(character: wchar_t) -> wint_t: move |character| stdio_returns::wide(character, streams::standard_output());
    Fputws = fn fputws(text: *const wchar_t, stream: *mut FILE) -> c_int: returns::status;
    FputwsUnlocked = fn fputws_unlocked(text: *const wchar_t, stream: *mut FILE) -> c_int: returns::status;
    Ungetwc = fn ungetwc(character: wint_t, stream: *mut FILE) -> wint_t: move |character| stdio_returns::wide(character, stream);
    Wuflow = fn __wuflow(stream: *mut FILE) -> wint_t: move |character| stdio_returns::wide(character, stream);
    Wunderflow = fn __wunderflow(stream: *mut FILE) -> wint_t: move |character| stdio_returns::wide(character, stream);
    Woverflow = fn __woverflow(stream: *mut FILE, character: wint_t) -> wint_t: move |character| stdio_returns::wide(character, stream);
}
