//! Hashes by which the same thing is known in every run, on every machine.

use std::hash::Hasher;

use twox_hash::XxHash64;

/// Of several values, in their order: XXH64. The hashes are in files: another algorithm would be another format.
pub struct Hash(XxHash64);

impl Hash {
    pub fn new() -> Hash {
        Hash(XxHash64::with_seed(0))
    }

    pub fn number(&mut self, number: u64) {
        self.0.write(&number.to_le_bytes());
    }

    pub fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.write(text.as_bytes());
    }

    pub fn finish(&self) -> u64 {
        self.0.finish()
    }

    /// As a positive number: 0 stands for none.
    pub fn positive(&self) -> i64 {
        ((self.finish() >> 1) as i64).max(1)
    }
}
