use super::*;
use crate::sample;
use crate::sites::sample as named;

/// That of the program `shelf`.
pub fn profile() -> Profile {
    let mut report = sample::report();
    report.command = ["shelf", "catalogue.txt"].map(str::to_owned).into();
    let sites = named::sites();
    let wanted = vec![true; sites.stacks.sites.len()];
    Profile {
        report,
        process: None,
        sites,
        wanted,
    }
}
