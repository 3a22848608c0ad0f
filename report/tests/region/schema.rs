//! Reports are valid by the schema in the documentation.

use std::path::Path;

use serde_json::Value;
use weir_record::functions::Function;
use weir_record::region::Circumstance;
use weir_report::{emit, read};

use crate::memory::{Memory, Random};

#[test]
fn a_report_is_valid_by_the_documented_schema() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/weir.report-1.schema.json");
    let schema: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).expect("a schema");

    let memory = Memory::new(2);
    let mut random = Random::new(8);
    let thread = memory.thread(0, "naïve");
    for function in Function::ALL {
        thread.timed(function, random.next(), 3, 5, random.magnitude(40));
        thread.failed(function, libc::EIO);
    }
    thread
        .slot
        .in_flight
        .begin(Function::Read, 3, thread.slot.owner.began_ticks());
    memory.count_common(Function::Malloc, 3);
    memory.header().objects[0].set(b"/lib/libc.so.6");
    memory.header().provenance[0]
        .next
        .store(1, crate::memory::RELAXED);
    memory.header().note(Circumstance::NoWriter);
    memory.header().note(Circumstance::UringUsed);
    memory.header().uring_library.set(b"/lib/liburing.so.2");
    let report = memory.report(5_000_000_000);
    let text = emit::to_json(&report);
    let value: Value = serde_json::from_slice(&text).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&value)
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors, Vec::<String>::new());
    assert_eq!(read::from_slice(&text).unwrap(), report);
}
