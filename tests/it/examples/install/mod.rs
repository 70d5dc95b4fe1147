//! The installer, with hosts that are well and hosts that are not. `gh` is a script that notes what it was asked.

mod gather;
mod host;
mod mistakes;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use sha2::{Digest as _, Sha256};

use self::host::{Answer, Host};
use super::{has, machine, root, sh};
use crate::support::{Said, TestEnv, eventually};

const STEM: &str = "ess-callbacks-9.8.7-x86_64-unknown-linux-musl";
const ARCHIVE: &str = "/v9.8.7/ess-callbacks-9.8.7-x86_64-unknown-linux-musl.tar.gz";
const SUMS: &str = "/v9.8.7/SHA256SUMS";

/// Everything that the script starts, except `gh` and `uname`.
const TOOLS: [&str; 15] = [
    "awk",
    "cat",
    "chmod",
    "cp",
    "curl",
    "cut",
    "gzip",
    "head",
    "mkdir",
    "mktemp",
    "mv",
    "rm",
    "sed",
    "sha256sum",
    "tar",
];

struct Machine {
    env: TestEnv,
    host: Host,
}

/// A program as it is in an archive.
fn program(version: &str) -> String {
    format!("#!/bin/sh\necho 'ess-callbacks {version}'\n")
}

fn checksum(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

impl Machine {
    /// A machine with `gh`, and a host with release 9.8.7.
    fn new() -> Option<Self> {
        let mut env = machine();
        if !has(&env, "curl") {
            return None;
        }
        fs::create_dir(env.path("tools")).unwrap();
        for tool in TOOLS {
            let found = sh(&env, ".", &format!("command -v {tool}")).exits(0).stdout;
            symlink(found.trim(), env.path(&format!("tools/{tool}"))).unwrap();
        }
        executable(
            &env,
            "tools/uname",
            "#!/bin/sh\ncase $1 in -s) echo \"$SYSTEM\" ;; *) echo \"$MACHINE\" ;; esac\n",
        );
        executable(
            &env,
            "tools/gh",
            "#!/bin/sh\necho \"$@\" > \"$HOME/gh\"\n[ -z \"$GH_SAYS\" ] || { echo \"$GH_SAYS\"; exit 1; }\n",
        );
        let host = Host::start();
        let path = env.path("tools").display().to_string();
        env.set("PATH", &path)
            .set("SYSTEM", "Linux")
            .set("MACHINE", "x86_64")
            .set("GH_SAYS", "")
            .set("ESS_CALLBACKS_DOWNLOAD_BASE", &host.address());
        let made = Self { env, host };
        made.release(&made.packed(STEM, "ess-callbacks", &program("9.8.7")));
        Some(made)
    }

    /// An archive with one file in a folder.
    fn packed(&self, folder: &str, name: &str, text: &str) -> Vec<u8> {
        executable(&self.env, &format!("packed/{folder}/{name}"), text);
        let mut tar = self.env.other("/bin/tar");
        tar.args(["-czf", "packed.tar.gz", "-C", "packed", folder]);
        self.env.said(&mut tar).exits(0);
        fs::remove_dir_all(self.env.path("packed")).unwrap();
        fs::read(self.env.path("packed.tar.gz")).unwrap()
    }

    /// Serves this archive, with its checksum among others.
    fn release(&self, archive: &[u8]) {
        let file = Answer::File(archive.to_vec());
        self.host.put(ARCHIVE, file);
        self.sums(&format!("{}  {STEM}.tar.gz\n", checksum(archive)));
    }

    fn sums(&self, text: &str) {
        let other = "0".repeat(64);
        let text = format!("{other}  {STEM}.cdx.json\n{text}{other}  {STEM}.tar.gz.sig\n");
        self.host.put(SUMS, Answer::File(text.into_bytes()));
    }

    fn archive(&self) -> Vec<u8> {
        fs::read(self.env.path("packed.tar.gz")).unwrap()
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = self.env.other("/bin/sh");
        command.arg(root().join("examples/github/install.sh"));
        command
            .args(["--version", "9.8.7", "--to", "bin"])
            .args(more);
        command
    }

    fn install(&self, more: &[&str]) -> Said {
        self.env.said(&mut self.command(more))
    }

    /// What is below `bin` and the folder for temporary files.
    fn left(&self) -> Vec<String> {
        let mut found = Vec::new();
        for folder in ["bin", "tmp"] {
            let entries = fs::read_dir(self.env.path(folder)).into_iter().flatten();
            found.extend(entries.map(|entry| {
                let name = entry.unwrap().file_name();
                format!("{folder}/{}", name.display())
            }));
        }
        found
    }

    /// The program that was there before is still the only file.
    #[track_caller]
    fn refuses(&self, more: &[&str], why: &str) {
        executable(&self.env, "bin/ess-callbacks", &program("9.8.6"));
        let said = self.install(more).exits(1);
        assert!(said.stderr.contains(why), "{why}\n{said}");
        assert!(said.stderr.ends_with("Nothing was installed.\n"), "{said}");
        assert_eq!(said.stdout, "", "{said}");
        self.keeps_the_old_one();
    }

    #[track_caller]
    fn keeps_the_old_one(&self) {
        assert_eq!(self.env.read("bin/ess-callbacks"), program("9.8.6"));
        assert_eq!(self.left(), ["bin/ess-callbacks"]);
    }
}

fn executable(env: &TestEnv, name: &str, text: &str) {
    env.write(name, text);
    fs::set_permissions(env.path(name), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_release_is_checked_and_installed() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let said = machine.install(&[]).exits(0);
    assert_eq!(
        said.stdout,
        "Installed ess-callbacks 9.8.7 as bin/ess-callbacks.\n"
    );
    assert_eq!(said.stderr, "note: bin is not on the PATH\n");
    assert_eq!(machine.left(), ["bin/ess-callbacks"]);
    let mode = fs::metadata(machine.env.path("bin/ess-callbacks"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o755);
    assert_eq!(machine.host.asked(), [SUMS, ARCHIVE]);
    let asked = machine.env.read("home/gh");
    let (_, asked) = asked.split_once(".tar.gz ").unwrap();
    assert_eq!(
        asked,
        "--repo acme/ess-callbacks --signer-workflow acme/ess-callbacks/.github/workflows/release.yml \
         --source-ref refs/tags/v9.8.7 --deny-self-hosted-runners\n"
    );

    // An update replaces it; a `v` before the version is the tag's.
    executable(&machine.env, "bin/ess-callbacks", &program("9.8.6"));
    machine
        .install(&["--version", "v9.8.7", "--repository", "me/fork"])
        .exits(0);
    assert_eq!(machine.env.read("bin/ess-callbacks"), program("9.8.7"));
    assert!(
        machine
            .env
            .read("home/gh")
            .contains("--repo me/fork --signer-workflow me/fork/")
    );
}

#[test]
fn what_is_damaged_or_replaced_is_not_installed() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let good = machine.archive();
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    machine.host.put(ARCHIVE, Answer::File(flipped));
    machine.refuses(
        &[],
        "the checksum of ess-callbacks-9.8.7-x86_64-unknown-linux-musl.tar.gz is ",
    );
    // Complete for HTTP, and cut off all the same.
    machine
        .host
        .put(ARCHIVE, Answer::File(good[..good.len() / 2].to_vec()));
    machine.refuses(&[], "it was damaged on the way, or replaced");
    machine.host.put(ARCHIVE, Answer::File(Vec::new()));
    machine.refuses(&[], "it was damaged on the way, or replaced");
    machine.host.put(ARCHIVE, Answer::Half(good));
    machine.refuses(&[], "could not be downloaded: ");
    machine.host.remove(ARCHIVE);
    machine.refuses(
        &[],
        &format!("error: there is no {}{ARCHIVE}", machine.host.address()),
    );
}

#[test]
fn checksums_must_name_the_archive_once() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let line = format!("{}  {STEM}.tar.gz\n", checksum(&machine.archive()));
    for (sums, why) in [
        (
            String::new(),
            "help: there is no build of this version for x86_64-unknown-linux-musl",
        ),
        (line.replace(STEM, "other"), "has no ess-callbacks-9.8.7-"),
        (line.repeat(2), "has no valid checksum"),
        (line.replace("  ", "0  "), "has no valid checksum"),
        (
            line.to_uppercase()
                .replace(&STEM.to_uppercase(), STEM)
                .replace("TAR.GZ", "tar.gz"),
            "has no valid checksum",
        ),
        (
            line.replace(&checksum(&machine.archive()), &"0".repeat(64)),
            "and SHA256SUMS has 0000",
        ),
        (line[..40].to_owned(), "has no ess-callbacks-9.8.7-"),
    ] {
        machine.sums(&sums);
        machine.refuses(&[], why);
    }
    // Of `sha256sum --binary`.
    machine.sums(&line.replace("  ", " *"));
    machine.install(&[]).exits(0);

    machine
        .host
        .put(SUMS, Answer::File(b"<html>Please log in</html>".to_vec()));
    machine.refuses(&[], "SHA256SUMS of 9.8.7 has no ess-callbacks-9.8.7-");
    machine.host.remove(SUMS);
    machine.host.asked();
    machine.refuses(&[], "help: check the version");
    assert_eq!(machine.host.asked(), [SUMS], "the archive is not asked for");
    machine.refuses(&["--version", "9.8.8"], "/v9.8.8/SHA256SUMS");
}

#[test]
fn who_built_it_is_checked_unless_that_is_turned_off() {
    let Some(mut machine) = Machine::new() else {
        return;
    };
    machine.env.set("GH_SAYS", "no attestations found");
    machine.refuses(
        &[],
        "  gh: no attestations found\nerror: gh could not verify that acme/ess-callbacks built ess-callbacks-9.8.7-",
    );
    fs::remove_file(machine.env.path("tools/gh")).unwrap();
    machine.refuses(
        &[],
        "error: there is no gh, which verifies who built the archive",
    );

    // With a checksum from elsewhere it is not needed.
    let right = checksum(&machine.archive());
    machine.refuses(&["--sha256", &"1".repeat(64)], "and --sha256 is 1111");
    let said = machine.install(&["--sha256", &right]).exits(0);
    assert!(!said.stderr.contains("warning"), "{said}");
    let said = machine.install(&["--attestation", "skip"]).exits(0);
    assert!(
        said.stderr
            .starts_with("warning: only SHA256SUMS was checked, "),
        "{said}"
    );
    assert_eq!(machine.env.read("bin/ess-callbacks"), program("9.8.7"));
}

#[test]
fn an_archive_must_have_a_program_that_starts_and_is_this_version() {
    let Some(machine) = Machine::new() else {
        return;
    };
    for (archive, why) in [
        (
            machine.packed(STEM, "other", ""),
            "has no ess-callbacks-9.8.7-",
        ),
        (
            machine.packed("other", "ess-callbacks", &program("9.8.7")),
            "has no ess-callbacks-9.8.7-",
        ),
        (b"not a tar file".to_vec(), "could not be unpacked"),
        (
            machine.packed(STEM, "ess-callbacks", &program("9.8.6")),
            "the program says it is `ess-callbacks 9.8.6`",
        ),
        (
            machine.packed(STEM, "ess-callbacks", "#!/bin/sh\necho no; exit 3\n"),
            "the program does not start: no",
        ),
        (
            machine.packed(STEM, "ess-callbacks", "#!/no/such/loader\n"),
            "the program does not start: ",
        ),
    ] {
        machine.release(&archive);
        machine.refuses(&[], why);
    }
}

#[test]
fn mirrors_redirects_and_proxies() {
    let Some(mut machine) = Machine::new() else {
        return;
    };
    let mirror = Host::start();
    let there = |path: &str| format!("{}{path}", machine.host.address());
    mirror.put(&format!("/eSign{SUMS}"), Answer::Redirect(there(SUMS)));
    mirror.put(
        &format!("/eSign{ARCHIVE}"),
        Answer::Redirect(there(ARCHIVE)),
    );
    machine
        .install(&["--base", &format!("{}/eSign/", mirror.address())])
        .exits(0);
    assert_eq!(machine.env.read("bin/ess-callbacks"), program("9.8.7"));

    // Neither in circles, nor out of HTTP.
    mirror.put(SUMS, Answer::Redirect(SUMS.to_owned()));
    machine.refuses(&["--base", &mirror.address()], "could not be downloaded: ");
    mirror.put(SUMS, Answer::Redirect("file:///etc/hostname".to_owned()));
    machine.refuses(&["--base", &mirror.address()], "could not be downloaded: ");

    // A folder, for machines without a network.
    let folder = machine.env.path("mirror").display().to_string();
    machine.env.write(
        &format!("mirror{SUMS}"),
        format!("{}  {STEM}.tar.gz\n", checksum(&machine.archive())),
    );
    machine
        .env
        .write(&format!("mirror{ARCHIVE}"), machine.archive());
    machine
        .install(&["--base", &format!("file://{folder}")])
        .exits(0);

    // A proxy is asked for what is nowhere else.
    machine.host.asked();
    machine.env.set("http_proxy", &machine.host.address());
    machine.install(&["--base", "http://localhost:9"]).exits(0);
    assert_eq!(
        machine.host.asked(),
        [SUMS, ARCHIVE].map(|path| format!("http://localhost:9{path}"))
    );
    machine.env.set("http_proxy", "http://127.0.0.1:1");
    machine.refuses(
        &["--base", "http://localhost:9"],
        "help: behind a proxy, set https_proxy",
    );
}

#[test]
fn a_run_that_is_stopped_leaves_nothing() {
    let Some(machine) = Machine::new() else {
        return;
    };
    machine.host.put(ARCHIVE, Answer::Stalls(machine.archive()));
    executable(&machine.env, "bin/ess-callbacks", &program("9.8.6"));
    let mut command = machine.command(&[]);
    command
        .process_group(0)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    eventually("the archive is asked for", || {
        let asked = machine.host.asked();
        asked.contains(&ARCHIVE.to_owned()).then_some(())
    });
    // As Ctrl-C does, to the whole group.
    let group = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process_group(group, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    machine.keeps_the_old_one();
}

#[test]
fn what_is_asked_for_wrongly_is_refused_before_anything_is_done() {
    let Some(mut machine) = Machine::new() else {
        return;
    };
    for (arguments, why) in [
        (
            &["--version", "latest"][..],
            "`latest` is not a version, such as 0.2.0",
        ),
        (&["--version", "1/../../x"], "is not a version"),
        (&["--version"], "--version needs a value"),
        (
            &["--base", "http://mirror.example"],
            "http://mirror.example must begin with https://",
        ),
        (
            &["--base", "http://127.0.0.1.example"],
            "must begin with https://",
        ),
        (&["--attestation", "no"], "--attestation is verify or skip"),
        (&["--sha256", "abc"], "--sha256 is not 64 digits"),
        (&["--target", "../x"], "`../x` is not a target"),
        (&["--frobnicate"], "unknown argument `--frobnicate`"),
    ] {
        let said = machine.install(arguments).exits(2);
        assert!(said.stderr.contains(why), "{why}\n{said}");
    }
    machine.env.set("SYSTEM", "Plan9");
    let said = machine.install(&[]).exits(1);
    assert!(
        said.stderr
            .contains("there is no build for Plan9 on x86_64"),
        "{said}"
    );
    assert_eq!(machine.host.asked(), Vec::<String>::new());
    assert_eq!(machine.left(), Vec::<String>::new());
    machine.env.set("SYSTEM", "Linux");
    let said = machine.install(&["--to", "callbacks.yaml/bin"]).exits(1);
    assert!(
        said.stderr.contains("callbacks.yaml/bin can't be made"),
        "{said}"
    );

    let said = machine.install(&["--help"]).exits(0);
    assert!(
        said.stdout
            .starts_with("Usage: sh install.sh --version VERSION"),
        "{said}"
    );
}

#[test]
fn each_platform_has_its_archive() {
    let Some(mut machine) = Machine::new() else {
        return;
    };
    for (system, of, target) in [
        ("Linux", "aarch64", "aarch64-unknown-linux-musl.tar.gz"),
        ("Darwin", "arm64", "aarch64-apple-darwin.tar.gz"),
        ("Darwin", "x86_64", "x86_64-apple-darwin.tar.gz"),
        (
            "MINGW64_NT-10.0-26100",
            "x86_64",
            "x86_64-pc-windows-msvc.zip",
        ),
    ] {
        machine.env.set("SYSTEM", system).set("MACHINE", of);
        let said = machine.install(&[]).exits(1);
        assert!(
            said.stderr
                .contains(&format!("has no ess-callbacks-9.8.7-{target}\n")),
            "{said}"
        );
    }
}
