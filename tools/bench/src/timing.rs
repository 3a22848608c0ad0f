//! Which allocation calls a tool times.

/// Which allocation calls are timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// None.
    Off,
    /// One in about 128, Weir's default.
    Sampled,
    /// Every one.
    All,
}

impl Timing {
    /// All three, cheapest first.
    pub const ALL: [Self; 3] = [Self::Off, Self::Sampled, Self::All];

    /// The value of `weir run --time`, where it is not the default.
    pub fn option(self) -> Option<&'static str> {
        match self {
            Self::Off => Some("off"),
            Self::Sampled => None,
            Self::All => Some("all"),
        }
    }
}
