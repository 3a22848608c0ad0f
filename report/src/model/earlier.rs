//! What reports said in another way before the first release of `weir.report/1`. They can be read all the same.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use super::Function;

/// A number; before, a text: `all`, `off`, or `1/N`.
pub fn timed_one_in<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    struct TimedOneIn;

    impl Visitor<'_> for TimedOneIn {
        type Value = u32;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("of how many calls one was timed")
        }

        fn visit_u64<E: Error>(self, calls: u64) -> Result<u32, E> {
            u32::try_from(calls).map_err(|_| E::invalid_value(Unexpected::Unsigned(calls), &self))
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<u32, E> {
            let calls = match text {
                "all" => Some(1),
                "off" => Some(0),
                _ => text.strip_prefix("1/").and_then(|calls| calls.parse().ok()),
            };
            calls.ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
        }
    }

    from.deserialize_any(TimedOneIn)
}

/// Those that were called; before, the totals had those of two families also where they were not.
pub fn functions<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<BTreeMap<String, Function>, D::Error> {
    let mut functions = BTreeMap::<String, Function>::deserialize(from)?;
    functions.retain(|_, function| function.was_called());
    Ok(functions)
}
