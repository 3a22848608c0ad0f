//! Numbers that cannot be known are said not to be; all others are true.
