//! Settings from the environment, of `fgd` and, by path, of `fgd-cluster`, which is a workspace of its own.

use std::ffi::OsStr;
use std::process::Command;

use clap::builder::Resettable;

/// Variables that are no flags, which processes of jobs keep.
const KEPT: [&str; 3] = ["FGD_CACHE_DIR", "FGD_SIMD", "FGD_LOG"];

/// Takes the flags of this process from one that it starts, whose request or arguments say all that it is told.
pub fn without_flags(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("FGD_") && !KEPT.contains(&&*text) {
            command.env_remove(&name);
        }
    }
}

/// The command as if variables that are empty were not there, which is how scripts leave a setting out.
pub fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    let without = |arg: clap::Arg| match arg.get_env().is_some_and(is_empty) {
        true => arg.env(Resettable::Reset),
        false => arg,
    };
    command.mut_args(without).mut_subcommands(without_empty_variables)
}
