//! The units for systemd: it reads them, and their commands do what they say.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use super::controller::Controller;
use super::{has, machine, root};
use crate::docs::misuse;
use crate::support::{KEY, TestEnv, configuration};

const UNITS: [&str; 3] = [
    "ess-callbacks-heal.service",
    "ess-callbacks-heal.timer",
    "ess-callbacks-controller.service",
];

fn unit(name: &str) -> String {
    fs::read_to_string(root().join("examples/systemd").join(name)).unwrap()
}

/// The arguments of the program in a unit.
fn command(name: &str) -> String {
    let unit = unit(name);
    let mut lines = unit.lines();
    let found = lines.find_map(|line| line.strip_prefix("ExecStart=/usr/bin/env ess-callbacks "));
    found.unwrap_or_else(|| panic!("{name}")).to_owned()
}

#[test]
fn systemd_reads_its_units() {
    let env = machine();
    if !has(&env, "systemd-analyze") {
        return;
    }
    let mut command = env.other("systemd-analyze");
    command
        .arg("verify")
        .args(UNITS.map(|name| root().join("examples/systemd").join(name)));
    let said = env.said(&mut command).exits(0);
    assert_eq!(said.stderr, "");
}

#[test]
fn their_commands_are_those_of_the_program() {
    for name in UNITS.iter().filter(|name| name.ends_with(".service")) {
        assert_eq!(misuse(&command(name)), None, "{name}");
    }
}

#[test]
fn the_timer_can_be_exchanged_for_the_controller() {
    let [heal, controller] = [UNITS[0], UNITS[2]].map(unit);
    for setting in ["User=", "StateDirectory=", "WorkingDirectory=", "Environm"] {
        let of = |text: &str| {
            let mut lines = text.lines();
            lines
                .find(|line| line.starts_with(setting))
                .map(str::to_owned)
        };
        assert!(of(&heal).is_some(), "{setting}");
        assert_eq!(of(&heal), of(&controller));
    }
}

/// As with `Type=notify` and `WatchdogSec=`.
#[test]
fn systemd_learns_that_the_controller_is_ready_and_alive_and_ends() {
    let mut env = TestEnv::new(&configuration(&[("acme", &["https://hooks.example/one"])]));
    let served = env.serve(&[]);
    env.write("token", "0123456789abcdef0123456789abcdef\n");
    let path = env.path("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    env.set("KEY", KEY)
        .set("NOTIFY_SOCKET", &path.display().to_string())
        .set("WATCHDOG_USEC", "1000000");
    let command = command("ess-callbacks-controller.service");
    assert!(command.contains(" --token-file %d/token"), "{command}");
    let command = command.replace("%d", ".").replace(":8980", ":0");
    let words: Vec<_> = command.split(' ').collect();
    let controller = Controller::start(&env, &words);
    let mut heard = Vec::new();
    let mut hear = |until: &dyn Fn(&[String]) -> bool| {
        let mut buffer = [0; 1024];
        while !until(&heard) {
            let length = manager.recv(&mut buffer).expect("it says so");
            heard.push(String::from_utf8(buffer[..length].to_vec()).unwrap());
        }
    };
    let has = |line: &'static str| move |heard: &[String]| heard.iter().any(|one| one == line);
    hear(&has("READY=1"));
    hear(&has("STATUS=1 callback recorded, nothing to do"));
    hear(&|heard| heard.iter().filter(|one| *one == "WATCHDOG=1").count() >= 3);
    assert_eq!(served.arrived(), 1);
    assert_eq!(controller.get("/status").0, 401, "it has the token");
    controller.stop();
    hear(&has("STOPPING=1"));
    let ready = heard.iter().filter(|one| *one == "READY=1").count();
    assert_eq!(ready, 1, "{heard:?}");
}
