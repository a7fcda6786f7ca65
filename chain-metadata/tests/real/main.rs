//! Decoding checked against bytes and answers that others recorded.

mod compare;
mod diff;
mod extrinsics;
mod golden;
mod golden_calls;
mod metadata;
mod nested;
mod nested_wrappers;
mod property;
mod rendering;
mod runtime_api;
mod scene;
mod shapes;
mod support;
