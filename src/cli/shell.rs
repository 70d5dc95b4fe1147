//! Commands for a person to copy, which work without changes.

use std::path::Path;

use super::options::global::Global;
use super::options::secret_commands::Commands;

/// A path as one word of a POSIX shell that is not taken for an option.
pub(crate) fn path(path: &Path) -> String {
    let text = path.display().to_string();
    if text.starts_with('-') {
        quoted(&format!("./{text}"))
    } else {
        quoted(&text)
    }
}

/// An option with a value, which may begin with a dash.
fn flag(name: &str, value: &str) -> String {
    let value = quoted(value);
    if value.starts_with('-') {
        format!(" --{name}={value}")
    } else {
        format!(" --{name} {value}")
    }
}

/// The option that names this configuration.
pub(crate) fn configuration(config: &Path) -> String {
    if config == Path::new("-") {
        " -f -".to_owned()
    } else if is_set("config", config)
        || config == Path::new("callbacks.yaml") && std::env::var_os(variable("config")).is_none()
    {
        String::new()
    } else {
        format!(" -f {}", path(config))
    }
}

/// The global options that say where this command works. Those that an environment variable sets are left out:
/// it also holds for the next command.
pub(crate) fn place(global: &Global) -> String {
    let mut flags = configuration(&global.config);
    let state = global.state.as_deref();
    let endpoint = global.endpoint.as_deref().map(Path::new);
    for (name, value) in [("state", state), ("endpoint", endpoint)] {
        if let Some(value) = value.filter(|value| !is_set(name, value)) {
            flags.push_str(&flag(name, &value.display().to_string()));
        }
    }
    if global.sandbox && std::env::var_os(variable("sandbox")).is_none_or(|value| value.is_empty())
    {
        flags.push_str(" --sandbox");
    }
    flags
}

/// `apply PLAN` with the options that say where this command works, except those of environment variables.
pub(crate) fn apply(plan: &Path, global: &Global, commands: Commands) -> String {
    let Global {
        config,
        // A plan has no variables.
        var: _,
        state,
        sandbox,
        endpoint,
        ca_file,
        color: _,
        no_color: _,
        json: _,
        verbose: _,
        log_format: _,
    } = global;
    let mut command = "ess-callbacks apply".to_owned();
    let mut add = |name: &str, value: &Path| {
        if !is_set(name, value) {
            command.push_str(&flag(name, &value.display().to_string()));
        }
    };
    // The secret files and the state of a plan are beside its configuration.
    if config != Path::new("callbacks.yaml") && config != Path::new("-") {
        add("config", config);
    }
    if let Some(state) = state {
        add("state", state);
    }
    if let Some(url) = endpoint {
        add("endpoint", Path::new(url));
    }
    if let Some(file) = ca_file {
        add("ca-file", file);
    }
    let Commands {
        allow_commands,
        command_timeout,
    } = commands;
    if allow_commands && command_timeout != Commands::TIMEOUT {
        let seconds = format!("{}s", command_timeout.as_secs());
        add("command-timeout", Path::new(&seconds));
    }
    for (name, given) in [("sandbox", *sandbox), ("allow-commands", allow_commands)] {
        if given && std::env::var_os(variable(name)).is_none_or(|value| value.is_empty()) {
            command.push_str(" --");
            command.push_str(name);
        }
    }
    command.push(' ');
    command.push_str(&path(plan));
    command
}

fn variable(flag: &str) -> String {
    format!("ESS_CALLBACKS_{}", flag.to_uppercase().replace('-', "_"))
}

fn is_set(flag: &str, value: &Path) -> bool {
    std::env::var_os(variable(flag)).is_some_and(|set| set == value.as_os_str())
}

/// The text as one word.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_one_word_and_are_no_flags() {
        for (name, word) in [
            ("plan.json", "plan.json"),
            ("my plan.json", "'my plan.json'"),
            ("-p.json", "./-p.json"),
            ("- p", "'./- p'"),
            ("it's", r"'it'\''s'"),
            ("$(id)", "'$(id)'"),
            ("计划.json", "'计划.json'"),
        ] {
            assert_eq!(path(Path::new(name)), word);
        }
        assert_eq!(flag("state", "-s"), " --state=-s");
        assert_eq!(flag("state", ""), " --state ''");
    }
}
