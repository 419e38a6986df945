"""What a supervisor does that speaks systemd's protocols: passes listening sockets, and hears how its service is."""

import os
import socket
import sys

# Becomes the command behind it, with the descriptors that it is told of where the protocol has them.
_LAUNCHER = """
import fcntl, os, sys
passed, command = [int(fd) for fd in sys.argv[1].split(",") if fd], sys.argv[2:]
aside = [fcntl.fcntl(fd, fcntl.F_DUPFD, 200) for fd in passed]
os.closerange(3, 200)
for place, fd in enumerate(aside):
    os.dup2(fd, 3 + place)
os.closerange(200, 400)
os.environ.setdefault("LISTEN_PID", str(os.getpid()))
os.environ.setdefault("LISTEN_FDS", str(len(passed)))
if os.environ.get("WATCHDOG_USEC"):
    os.environ["WATCHDOG_PID"] = str(os.getpid())
os.execv(command[0], command)
"""


class Supervisor:
    def __init__(self, directory, is_abstract=False):
        self.is_abstract = is_abstract
        self.path = f"@introspectd-{os.getpid()}-{id(self)}" if is_abstract else str(directory / "notify.sock")
        self.come_back()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.notify.close()

    def go_away(self):
        self.notify.close()
        if not self.is_abstract:
            os.unlink(self.path)

    def come_back(self):
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind("\0" + self.path[1:] if self.is_abstract else self.path)
        self.notify.settimeout(20)
        if not self.is_abstract:
            os.chmod(self.path, 0o777)

    def make_anew(self):
        """Its socket, as a supervisor does that was restarted."""
        self.go_away()
        self.come_back()

    def start(self, server, sockets=(), prefix=(), **environment):
        """Starts a Server with sockets passed to it, and these variables besides, by prefix, a command that becomes its command."""
        fds = [passed.fileno() for passed in sockets]
        server.prefix = [*prefix, sys.executable, "-c", _LAUNCHER, ",".join(map(str, fds))]
        server.pass_fds = fds
        server.environment = {**os.environ, "NOTIFY_SOCKET": self.path, **environment}
        return server.start()

    def hear(self):
        """The next message, as a dictionary."""
        text = self.notify.recv(4096).decode()
        return dict(line.split("=", 1) for line in text.split("\n"))

    def hear_nothing(self, for_s):
        self.notify.settimeout(for_s)
        try:
            return self.notify.recv(4096)
        except (TimeoutError, socket.timeout):
            return None
        finally:
            self.notify.settimeout(20)
