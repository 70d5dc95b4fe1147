"""Closes a program's terminal under it.

Usage: hangup.py WAIT-FOR PROGRAM ARGUMENT...

Runs the program on a pseudo-terminal, and closes that once it has printed WAIT-FOR: the program gets SIGHUP,
and whatever it writes from then on fails. Exits as the program does.
"""

import os
import pty
import select
import sys

wait_for, program = sys.argv[1:3]
pid, screen = pty.fork()
if pid == 0:
    os.execve(program, sys.argv[2:], os.environ)

seen = b""
while wait_for.encode() not in seen:
    ready, _, _ = select.select([screen], [], [], 30)
    if not ready:
        sys.exit("nothing happened for 30 seconds: %r" % seen)
    try:
        seen += os.read(screen, 65536)
    except OSError:
        sys.exit("it ended before: %r" % seen)
os.close(screen)

_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status))
