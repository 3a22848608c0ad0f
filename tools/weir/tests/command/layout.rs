use object::{Object, ObjectSection};

/// run-order.ld names functions without their hashes. If the compiler named them otherwise, no section would match.
#[test]
fn what_run_executes_stands_together() {
    if option_env!("WEIR_RUN_ORDER").is_none() {
        // The builder has chosen a linker (build.rs).
        return;
    }
    let bytes = std::fs::read(env!("CARGO_BIN_EXE_weir")).expect("read");
    let program = object::File::parse(&*bytes).expect("an ELF file");
    let together = program.section_by_name(".text.run").expect("a section");
    // In release builds 970 KB. More is inlined there than where this runs.
    let all = program.section_by_name(".text").expect("code");
    let least = 200 * 1024;
    assert!(together.size() > least, "{}", together.size());
    assert!(together.size() < all.size(), "{}", together.size());
}

/// The same for the library's start, and for its tables, which start-order.ld names too.
#[test]
fn what_starts_the_library_stands_together() {
    if option_env!("WEIR_RUN_ORDER").is_none() {
        return;
    }
    let bytes = std::fs::read(env!("WEIR_LIBRARY")).expect("read");
    let library = object::File::parse(&*bytes).expect("an ELF file");
    let size = |name| library.section_by_name(name).map_or(0, |part| part.size());
    // In release builds 135 KB.
    let together = size(".text.start");
    assert!((32 * 1024..1 << 20).contains(&together), "{together}");
    // In release builds 16 KB, of which one page must be alone on a page.
    let (rest, tables) = (size(".bss"), size(".bss.tables"));
    assert!(rest < 64 * 1024 && tables > 1 << 20, "{rest} {tables}");
}
