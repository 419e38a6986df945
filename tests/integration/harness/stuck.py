"""An event loop of a server that does not go on, as if it were stuck: a debugger holds its thread, and the others run."""

import contextlib
import ctypes
import os
import pathlib

import pytest

PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
WAIT_ALL = 0x40000000


def _trace(request, thread):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(request, thread, None, None) != 0:
        pytest.skip(f"threads cannot be traced here: {os.strerror(ctypes.get_errno())}")


def _is_loop(task):
    """Whether the thread waits in epoll, as event loops do and no other thread. The one that logs may be running just now."""
    try:
        where = (task / "wchan").read_text()
    except OSError:
        where = ""
    return (task / "comm").read_text() != "log\n" and ("poll" in where or where in ("", "0"))


def _first_loop(process):
    tasks = sorted(pathlib.Path(f"/proc/{process.pid}/task").iterdir(), key=lambda task: int(task.name))
    return next(int(task.name) for task in tasks if int(task.name) != process.pid and _is_loop(task))


@contextlib.contextmanager
def stuck_loop(process):
    """For as long as the body runs. The server must have `core_dumps: true`, by which it can be traced."""
    loop = _first_loop(process)
    _trace(PTRACE_SEIZE, loop)
    try:
        _trace(PTRACE_INTERRUPT, loop)
        os.waitpid(loop, WAIT_ALL)
        yield
    finally:
        _trace(PTRACE_DETACH, loop)
