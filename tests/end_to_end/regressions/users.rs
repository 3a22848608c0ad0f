//! Other users of the machine: what they put in our way is neither followed nor trusted.
