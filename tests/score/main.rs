//! `fgd score` and the commands around one submission.

#[path = "../program/mod.rs"]
mod program;
#[path = "../schema/mod.rs"]
mod schema;

mod agreement;
mod drawn;
mod exact;
#[cfg(unix)]
mod hostile;
mod malformed;
mod moments;
mod numbers;
mod outputs;
mod prepare;
mod report;
mod semantics;
mod shapes;
mod validate;
