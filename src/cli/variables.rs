//! Settings from the environment, of `fgd` and, by path, of `fgd-cluster`, which is a workspace of its own.

use std::ffi::OsStr;

use clap::builder::Resettable;

/// The command as if variables that are empty were not there, which is how scripts leave a setting out.
pub fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    let without = |arg: clap::Arg| match arg.get_env().is_some_and(is_empty) {
        true => arg.env(Resettable::Reset),
        false => arg,
    };
    command.mut_args(without).mut_subcommands(without_empty_variables)
}
