"""Becomes another program that ends when its parent ends, even if the parent is killed.

    python leash.py PARENT_PID PROGRAM ARGUMENT...

A script of its own, and not a preexec_fn: code between fork and exec must not run in a process that
has threads. Linux only (PR_SET_PDEATHSIG); processes.py does without it elsewhere.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask the kernel for SIGTERM at the parent's death, then turn into the program."""
    parent_pid, program = int(sys.argv[1]), sys.argv[2:]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    # The parent may have died before the request: then nobody would ever send the signal.
    if os.getppid() != parent_pid:
        raise SystemExit("the parent has ended already")
    os.execv(program[0], program)  # noqa: S606  (the program is what processes.py asks for)


if __name__ == "__main__":
    main()
