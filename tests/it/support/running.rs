//! The program while it runs, to be watched, interrupted, stopped and killed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use tempfile::NamedTempFile;

use super::{Said, eventually};

/// A program under way. Killed when it is dropped.
pub(crate) struct Running {
    child: Child,
    /// Files and not pipes, so that one can look into them meanwhile.
    stdout: NamedTempFile,
    stderr: NamedTempFile,
    folder: PathBuf,
}

impl Running {
    pub(crate) fn start(mut command: Command, folder: &Path) -> Self {
        let file = || NamedTempFile::new().expect("a temporary file");
        let (stdout, stderr) = (file(), file());
        let writer = |file: &NamedTempFile| file.reopen().expect("a temporary file");
        command.stdout(writer(&stdout)).stderr(writer(&stderr));
        Self {
            child: command.spawn().expect("it starts"),
            stdout,
            stderr,
            folder: folder.to_owned(),
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name, like `TERM`. Nothing happens when it has ended already.
    pub(crate) fn signal(&self, name: &str) {
        // It was not waited for, so its id is still its own.
        let script = format!("kill -{name} {} 2>/dev/null || true", self.id());
        let status = Command::new("sh").args(["-c", &script]).status();
        assert!(status.expect("a shell").success());
    }

    /// What it has said so far.
    pub(crate) fn so_far(&self) -> Said {
        let text = |file: &NamedTempFile| std::fs::read_to_string(file.path()).expect("a file");
        Said::new(None, text(&self.stdout), text(&self.stderr), &self.folder)
    }

    /// Waits until it has said this, on either stream.
    pub(crate) fn wait_until_it_says(&self, text: &str) {
        eventually(text, || {
            let said = self.so_far();
            (said.stdout.contains(text) || said.stderr.contains(text)).then_some(())
        });
    }

    pub(crate) fn kill(mut self) -> Said {
        self.child.kill().expect("it can be killed");
        self.wait()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it can be asked").is_some()
    }

    /// Its end.
    pub(crate) fn wait(mut self) -> Said {
        let ended = || self.child.try_wait().expect("it can be asked");
        let status = eventually("the program ends", ended);
        Said {
            code: status.code(),
            ..self.so_far()
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
