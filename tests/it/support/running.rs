//! The program while it runs, to be interrupted, stopped and killed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{Said, eventually};

/// A program under way. Killed when it is dropped.
pub(crate) struct Running {
    child: Option<Child>,
    folder: PathBuf,
}

impl Running {
    pub(crate) fn start(mut command: Command, folder: &Path) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self {
            child: Some(command.spawn().expect("it starts")),
            folder: folder.to_owned(),
        }
    }

    fn child(&mut self) -> &mut Child {
        self.child.as_mut().expect("it was not waited for")
    }

    /// Sends a signal by its name, like `TERM`. Nothing happens when it has ended already.
    pub(crate) fn signal(&mut self, name: &str) {
        let id = self.child().id();
        // It was not waited for, so its id is still its own.
        let script = format!("kill -{name} {id} 2>/dev/null || true");
        let status = Command::new("sh").args(["-c", &script]).status();
        assert!(status.expect("a shell").success());
    }

    pub(crate) fn kill(mut self) -> Said {
        self.child().kill().expect("it can be killed");
        self.wait()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child().try_wait().expect("it can be asked").is_some()
    }

    /// Its end.
    pub(crate) fn wait(mut self) -> Said {
        eventually("the program ends", || self.has_ended().then_some(()));
        let child = self.child.take().expect("it was not waited for");
        Said::of(&child.wait_with_output().expect("it ended"), &self.folder)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}
