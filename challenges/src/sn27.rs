//! Compute-Subnet: proof of work.
//!
//! * [`pow`] makes hash challenges and checks what miners found.
//! * [`stats`] counts results by uid and hotkey.
//! * [`input`] scores an input of JSON; the formulas are in `scoring::local::sn27`.

pub mod input;
pub mod pow;
pub mod stats;
