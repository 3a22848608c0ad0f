//! What the program asks of stdio, in wide characters.

use std::ffi::c_int;

use libc::{FILE, size_t, wchar_t};

use super::{stdio_hooks, wint_t};
use crate::linking::streams;
use crate::recording::{returns, stdio_returns};

stdio_hooks! {
    Fgetwc = fgetwc(stream: *mut FILE) -> wint_t: move |character| stdio_returns::wide(character, stream);
    FgetwcUnlocked = fgetwc_unlocked(stream: *mut FILE) -> wint_t: move |character| stdio_returns::wide(character, stream);
    Getwc = getwc(stream: *mut FILE) -> wint_t: move |character| stdio_returns::wide(character, stream);
    GetwcUnlocked = getwc_unlocked(stream: *mut FILE) -> wint_t: move |character| stdio_returns::wide(character, stream);
    Getwchar = getwchar() -> wint_t: move |character| stdio_returns::wide(character, streams::standard_input());
    GetwcharUnlocked = getwchar_unlocked() -> wint_t: move |character| stdio_returns::wide(character, streams::standard_input());
    Fgetws = fgetws(buffer: *mut wchar_t, size: c_int, stream: *mut FILE) -> *mut wchar_t: move |line| stdio_returns::wide_line(line, stream);
    FgetwsUnlocked = fgetws_unlocked(buffer: *mut wchar_t, size: c_int, stream: *mut FILE) -> *mut wchar_t: move |line| stdio_returns::wide_line(line, stream);
    FgetwsChk = __fgetws_chk(buffer: *mut wchar_t, room: size_t, size: c_int, stream: *mut FILE) -> *mut wchar_t: move |line| stdio_returns::wide_line(line, stream);
    FgetwsUnlockedChk = __fgetws_unlocked_chk(buffer: *mut wchar_t, room: size_t, size: c_int, stream: *mut FILE) -> *mut wchar_t: move |line| stdio_returns::wide_line(line, stream);
    Fputwc = fputwc(character: wchar_t, stream: *mut FILE) -> wint_t: move |character| stdio_returns::wide(character, stream);
    FputwcUnlocked = fputwc_unlocked(character: wchar_t, stream: *mut FILE) -> wint_t: move |character| stdio_returns::wide(character, stream);
    Putwc = putwc(character: wchar_t, stream: *mut FILE) -> wint_t: move |character| stdio_returns::wide(character, stream);
    PutwcUnlocked = putwc_unlocked(character: wchar_t, stream: *mut FILE) -> wint_t: move |character| stdio_returns::wide(character, stream);
    Putwchar = putwchar(character: wchar_t) -> wint_t: move |character| stdio_returns::wide(character, streams::standard_output());
    PutwcharUnlocked = putwchar_unlocked(character: wchar_t) -> wint_t: move |character| stdio_returns::wide(character, streams::standard_output());
    Fputws = fputws(text: *const wchar_t, stream: *mut FILE) -> c_int: returns::status;
    FputwsUnlocked = fputws_unlocked(text: *const wchar_t, stream: *mut FILE) -> c_int: returns::status;
    Ungetwc = ungetwc(character: wint_t, stream: *mut FILE) -> wint_t: move |character| stdio_returns::wide(character, stream);
    Wuflow = __wuflow(stream: *mut FILE) -> wint_t: move |character| stdio_returns::wide(character, stream);
    Wunderflow = __wunderflow(stream: *mut FILE) -> wint_t: move |character| stdio_returns::wide(character, stream);
    Woverflow = __woverflow(stream: *mut FILE, character: wint_t) -> wint_t: move |character| stdio_returns::wide(character, stream);
}
