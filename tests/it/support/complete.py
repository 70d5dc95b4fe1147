"""Completes a command line in a real shell, as a person would, and says what the program is run with.

Usage: complete.py SHELL LINE

Starts SHELL on a pseudo-terminal with the completions loaded, types LINE, Tab and Return, and prints the
arguments, one a line between < and >. The program on the PATH is `$REAL` where the shell asks it for
completions or their script, and else writes its arguments down.
"""

import os
import pty
import select
import sys
import time

shell, line = sys.argv[1:]
home = os.getcwd()
folder = os.path.join(home, "bin")
told = os.path.join(home, "told")
os.makedirs(folder, exist_ok=True)
program = os.path.join(folder, "ess-callbacks")
with open(program, "w") as script:
    script.write(
        "#!/bin/sh\n"
        'if [ -n "$_ESS_CALLBACKS_COMPLETE" ] || [ "$1" = completions ]; then exec "$REAL" "$@"; fi\n'
        'for word; do printf "<%s>\\n" "$word"; done > "$TOLD.new"\n'
        'mv "$TOLD.new" "$TOLD"\n')
os.chmod(program, 0o755)
if os.path.exists(told):
    os.remove(told)

START = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], 'eval "$(ess-callbacks completions bash)"'),
    "zsh": (["zsh", "-f", "-i"],
            'autoload -Uz compinit; compinit -u -D; eval "$(ess-callbacks completions zsh)"'),
    "fish": (["fish", "--no-config", "-i"], "ess-callbacks completions fish | source"),
}
command, load = START[shell]
environment = dict(os.environ, PATH=folder + ":/usr/bin:/bin", HOME=home, TERM="dumb", TOLD=told, LANG="C.UTF-8")
pid, screen = pty.fork()
if pid == 0:
    os.execvpe(command[0], command, environment)

seen = b""


def wait(until, what):
    global seen
    end = time.monotonic() + 20
    while not until():
        if time.monotonic() > end:
            sys.exit("%s: %s: %r" % (shell, what, seen))
        if select.select([screen], [], [], 0.05)[0]:
            try:
                seen += os.read(screen, 65536)
            except OSError:
                sys.exit("%s ended: %r" % (shell, seen))


os.write(screen, ("%s; echo READ''Y\n" % load).encode())
wait(lambda: b"READY" in seen, "it does not start")
os.write(screen, line.encode() + b"\t\n")
wait(lambda: os.path.exists(told), "nothing was run")
with open(told) as words:
    sys.stdout.write(words.read())
os.close(screen)
