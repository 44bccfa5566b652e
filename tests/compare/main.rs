//! Several systems side by side: `fgd compare` and `fgd leaderboard`.

#[path = "../schema/mod.rs"]
mod schema;
#[path = "../systems/mod.rs"]
mod systems;

mod captions;
mod checkpoints;
mod leaderboard;
mod moments;
mod secrets;
