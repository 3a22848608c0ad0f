//! How the preloaded library is linked.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    stay_loaded();
    order_what_starts();
}

/// It stays loaded until the process ends: its handlers of exit, fork and thread exit must not be left pointing at nothing by a
/// dlclose.
fn stay_loaded() {
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
}

/// Has the linker put together what a start takes (src/start-order.ld says why). Not if the builder has chosen a linker or gives
/// it options: the list may not be for it.
fn order_what_starts() {
    println!("cargo::rerun-if-changed=src/start-order.ld");
    let variable = |name| std::env::var(name).unwrap_or_default();
    let is_linker_chosen = std::env::var_os("RUSTC_LINKER").is_some()
        || variable("CARGO_ENCODED_RUSTFLAGS").contains("link");
    if is_linker_chosen || variable("CARGO_CFG_TARGET_ENV") != "gnu" {
        return;
    }
    let folder = variable("CARGO_MANIFEST_DIR");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-T,{folder}/src/start-order.ld");
}
