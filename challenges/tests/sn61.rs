//! Centralised scoring, as a whole.

#[path = "sn61/closings.rs"]
mod closings;
#[path = "sn61/formats.rs"]
mod formats;
#[path = "sn61/hostile.rs"]
mod hostile;
#[path = "sn61/http.rs"]
mod http;
#[path = "sn61/inputs.rs"]
mod inputs;
#[path = "sn61/kill.rs"]
mod kill;
#[path = "sn61/merging.rs"]
mod merging;
#[path = "sn61/passes.rs"]
mod passes;
#[path = "sn61/world.rs"]
mod world;
