"""Runs a program on a pseudo-terminal, as a person would.

Usage: terminal.py COLUMNS WAIT-FOR ANSWER PROGRAM ARGUMENT...

Types ANSWER once the program has printed WAIT-FOR, prints everything that appeared on the screen, and
exits as the program did. Without a line end after ^C, which needs none.
"""

import fcntl
import os
import pty
import select
import struct
import sys
import termios

columns, wait_for, answer, program = sys.argv[1:5]
pid, screen = pty.fork()
if pid == 0:
    # Before the program can look at it.
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(columns), 0, 0))
    os.execve(program, sys.argv[4:], os.environ)

seen = b""
answered = False
while True:
    ready, _, _ = select.select([screen], [], [], 30)
    if not ready:
        sys.exit("nothing happened for 30 seconds: %r" % seen)
    try:
        chunk = os.read(screen, 65536)
    except OSError:
        break  # The other end is closed.
    if not chunk:
        break
    seen += chunk
    if not answered and wait_for.encode() in seen:
        answered = True
        os.write(screen, answer.encode() + (b"" if answer == "\x03" else b"\n"))

_, status = os.waitpid(pid, 0)
sys.stdout.buffer.write(seen)
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(status))
