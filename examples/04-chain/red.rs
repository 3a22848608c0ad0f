//! Step 4: the red interposer of `rand`. It differs from the other by its name alone.

mod link;
#[path = "../common/say.rs"]
mod say;
