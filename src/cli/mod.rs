//! The program: composes the layers. Only this one reads the environment, the clock and the terminal.
//!
//! Each command is a file in `commands`, with its arguments. `exit` is the table of exit codes; only `terminal`
//! prints.

mod args;
mod clock;
mod command_line;
mod commands;
mod complete;
mod doubles;
mod environment;
mod exit;
mod help;
mod locations;
mod not_bound;
mod options;
mod process;
mod random;
mod remote;
mod secrets;
mod settings;
mod shell;
mod sources;
mod terminal;
mod verification;
mod workspace;
mod written;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap::error::ErrorKind;
use tokio::runtime::{Builder, Runtime};

use crate::apply::WallClock as _;
use crate::harmless::neutral;
use crate::render;
use args::{Cli, Command};
use clock::SystemClock;
use commands::{
    apply, audit, completions, controller, doctor, explain, fmt, import, init, listen, man,
    observe, orgs, plan, report, rotate, sandbox, schema, secret, show, state, unlock, validate,
    verify, version,
};
use environment::ProcessEnvironment;
use exit::{Exit, Failure};
use process::signals;
use settings::Settings;
use terminal::{Ui, logging};

/// Runs the command line of this process to its end.
pub fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    if let Some(answered) = complete::answer(&words) {
        return answered;
    }
    let cli = match command_line::parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&command_line::advise(error, &words), &words),
    };
    let Cli { global, command } = cli;
    let settings = Settings::of(
        global,
        command_line::command_of(&words),
        ProcessEnvironment::of_this_process(),
    );
    let mut ui = Ui::new(&settings);
    logging::start(&settings);
    signals::start();
    for (name, similar) in command_line::unknown_variables() {
        let similar = similar.map_or_else(String::new, |name| format!("; did you mean {name}?"));
        ui.aside(format_args!(
            "Warning: unknown environment variable {name}{similar}"
        ));
    }
    let ended = run(&settings, command, &mut ui);
    let exit = ended.unwrap_or_else(|failure| {
        ui.failure(&failure);
        failure.exit
    });
    ui.flush();
    if !ui.report_unwritten() {
        return exit.into();
    }
    match exit {
        Exit::Done | Exit::Pending => Exit::Error.into(),
        Exit::Error
        | Exit::Incomplete
        | Exit::Unknown
        | Exit::Guarded
        | Exit::Locked
        | Exit::Stale
        | Exit::Unverified
        | Exit::Usage
        | Exit::Interrupted => exit.into(),
    }
}

fn run(settings: &Settings, command: Command, ui: &mut Ui) -> Result<Exit, Failure> {
    match command {
        Command::Init => init::run(settings, ui),
        Command::Validate(args) => runtime(1)?.block_on(validate::run(settings, &args, ui)),
        Command::Plan(args) => runtime(1)?.block_on(plan::run(settings, args, ui)),
        Command::Apply(args) => apply_plan(settings, args, ui),
        Command::Rotate(args) => rotate_callbacks(settings, args, ui),
        Command::Report(args) => runtime(1)?.block_on(report::run(settings, &args, ui)),
        Command::Show(args) => runtime(1)?.block_on(show::run(settings, args, ui)),
        Command::Import(args) => runtime(1)?.block_on(import::run(settings, args, ui)),
        Command::State(args) => runtime(1)?.block_on(state::run(settings, args, ui)),
        Command::Unlock(args) => runtime(1)?.block_on(unlock::run(settings, &args, ui)),
        Command::Verify(args) => verify_receivers(settings, args, ui),
        Command::Secret(args) => secret::run(&args, ui),
        Command::Observe(args) => runtime(1)?.block_on(observe::run(settings, args, ui)),
        Command::Listen(args) => runtime(2)?.block_on(listen::run(settings, args, ui)),
        Command::Sandbox(args) => runtime(2)?.block_on(sandbox::run(args, ui)),
        Command::Controller(args) => runtime(2)?.block_on(controller::run(settings, args, ui)),
        Command::Doctor(args) => runtime(2)?.block_on(doctor::run(settings, args, ui)),
        Command::Audit(args) => runtime(2)?.block_on(audit::run(settings, args, ui)),
        Command::Orgs(args) => runtime(2)?.block_on(orgs::run(settings, args, ui)),
        Command::Explain(args) => explain::run(&args, settings, ui),
        Command::Fmt(args) => fmt::run(settings, &args, ui),
        Command::Version => Ok(version::run(ui)),
        Command::Schema => Ok(schema::run(ui)),
        Command::Completions(args) => Ok(completions::run(&args, &mut Cli::command(), ui)),
        Command::Man => Ok(man::run(&command_line::command(), ui)),
    }
}

/// A name server that does not answer keeps a thread busy, and must not keep the program from ending.
fn verify_receivers(settings: &Settings, args: verify::Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let runtime = runtime(2)?;
    let ended = runtime.block_on(verify::run(settings, args, ui));
    runtime.shutdown_background();
    ended
}

/// It verifies receivers, as above, and a signal ends what it waits for.
fn apply_plan(settings: &Settings, args: apply::Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let runtime = runtime(2)?;
    let ended = runtime.block_on(apply::run(settings, args, ui));
    runtime.shutdown_background();
    ended
}

/// As above.
fn rotate_callbacks(settings: &Settings, args: rotate::Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let runtime = runtime(2)?;
    let ended = runtime.block_on(rotate::run(settings, args, ui));
    runtime.shutdown_background();
    ended
}

/// One thread is enough to read files, and starts faster; making calls and serving the sandbox get two.
fn runtime(threads: usize) -> Result<Runtime, Failure> {
    let mut builder = match threads {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder
        .enable_all()
        .worker_threads(threads)
        .build()
        .map_err(|error| {
            Failure::error(format!(
                "the threads of the program can't be started: {error}"
            ))
        })
}

/// Prints help, or the error of an invalid command line.
fn refuse(error: &clap::Error, words: &[OsString]) -> ExitCode {
    if error.use_stderr() && command_line::wants_json(words) {
        // A program that reads events gets the error as one.
        let lines = [
            render::version_json(env!("CARGO_PKG_VERSION"), SystemClock.now()),
            render::usage_json(&error.to_string(), Exit::Usage.code(), SystemClock.now()),
        ];
        let printed = io::stdout().write_all(format!("{}\n", lines.join("\n")).as_bytes());
        return if printed.is_ok() {
            Exit::Usage
        } else {
            Exit::Error
        }
        .into();
    }
    // An invalid value is shown, and may come from the environment.
    let text = error.render().to_string();
    let harmless = neutral(&text);
    let printed = if text == harmless {
        error.print()
    } else if error.use_stderr() {
        io::stderr().write_all(harmless.as_bytes())
    } else {
        io::stdout().write_all(harmless.as_bytes())
    };
    let lost = printed.is_err_and(|error| error.kind() != io::ErrorKind::BrokenPipe);
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a foreign enum that may grow"
    )]
    match error.kind() {
        // The exit code alone says that help could not be printed.
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion if lost => Exit::Error.into(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Done.into(),
        _ => Exit::Usage.into(),
    }
}
