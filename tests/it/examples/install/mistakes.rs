//! What people give the installer by mistake, and what Windows makes of files.

use std::fs;

use super::{Machine, STEM, checksum};

#[test]
fn what_comes_from_windows_and_folders_in_the_way() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let sum = checksum(&machine.archive());
    machine.sums(&format!("{sum}  {STEM}.tar.gz\r\n"));
    machine.install(&["--sha256", &sum.to_uppercase()]).exits(0);
    machine.refuses(
        &["--base", "file:///no/folder"],
        "error: there is no file:///no/folder/v9.8.7/SHA256SUMS",
    );
    machine.refuses(
        &["--base", "file:///no folder"],
        "help: write a space as %20",
    );
    fs::create_dir_all(machine.env.path("other/ess-callbacks")).unwrap();
    let said = machine.install(&["--to", "other"]).exits(1);
    assert!(
        said.stderr
            .contains("error: other/ess-callbacks is a folder"),
        "{said}"
    );
    let inside = fs::read_dir(machine.env.path("other/ess-callbacks")).unwrap();
    assert_eq!(inside.count(), 0);
}
