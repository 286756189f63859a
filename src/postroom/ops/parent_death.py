"""Ask Linux to end a child when the process that started it ends, even by SIGKILL.

prctl(2), PR_SET_PDEATHSIG. The signal is sent when the *thread* that started the child ends, so children are
started from the main thread. Elsewhere (macOS) there is no such thing: there the next start looks for orphans.
"""

import ctypes
import os
import signal
import sys
import threading

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_libc = ctypes.CDLL(None, use_errno=True)


def refuse_other_threads() -> None:
    """Raise RuntimeError outside the main thread: a child started there would end with that thread."""
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("Start child processes from the main thread: they end when their thread does.")


def end_with_parent(parent_pid: int, death_signal: signal.Signals) -> None:
    """Run in the child between fork and exec, after every change of user (that would clear it again)."""
    if not sys.platform.startswith("linux"):
        return
    _libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    if os.getppid() != parent_pid:  # the parent ended before we asked
        os._exit(1)
