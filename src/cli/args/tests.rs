//! The command line is consistent, and every option has an environment variable.

use clap::CommandFactory as _;

use super::Cli;

/// A command and all below it.
fn with_subcommands(command: &clap::Command) -> Vec<&clap::Command> {
    let below = command.get_subcommands().flat_map(with_subcommands);
    std::iter::once(command).chain(below).collect()
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_flag_has_the_environment_variable_of_its_name() {
    let mut seen = 0;
    for command in with_subcommands(&Cli::command()) {
        for argument in command.get_arguments() {
            // It has a variable for each name.
            let Some(flag) = argument.get_long().filter(|flag| *flag != "var") else {
                continue;
            };
            let variable = format!("ESS_CALLBACKS_{}", flag.to_uppercase().replace('-', "_"));
            let found = argument.get_env().and_then(std::ffi::OsStr::to_str);
            assert_eq!(
                found,
                Some(variable.as_str()),
                "{} --{flag}",
                command.get_name()
            );
            seen += 1;
        }
    }
    assert!(seen > 40, "{seen}");
}
