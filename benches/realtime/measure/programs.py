"""The measured programs, the load, and communication with them."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from compare.programs import Failed, Program

HERE = Path(__file__).resolve().parents[1]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", HERE / "target"))
# The servers run on one core and the load on another, if this process has two.
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = CORES[0], CORES[min(1, len(CORES) - 1)]


class Server:
    """Processes that serve together, and the ports of their subscribers and their publisher."""

    path, topic = "/ws", "/topic/bench"

    def __init__(self):
        self.programs = []
        self.port = self.publish_port = None

    def start(self, *command, **more):
        program = Program(command, SERVER_CORE, **more)
        self.programs.append(program)
        return program

    @property
    def processes(self):
        return [program.process.pid for program in self.programs]

    def end(self):
        for program in reversed(self.programs):
            program.end()


class Listening(Server):
    """One program that prints `listening PORT`."""

    def __init__(self, *command, **more):
        super().__init__()
        words = self.start(*command, **more).line(30).split()
        if words[:1] != ["listening"]:
            self.end()
            raise Failed("the server does not listen")
        self.port = self.publish_port = int(words[1])


def ours():
    return Listening(release() / "ours")


def ours_counting():
    return Listening(release() / "ours-counting")


def bare():
    return Listening(release() / "bare")


def bare_with_tasks():
    return Listening(release() / "bare", "--tasks")


def socket_io():
    return Listening("node", "server.mjs", directory=socket_io_directory())


class RabbitMq(Server):
    """A node of RabbitMQ with Web STOMP, with directories of its own, and its epmd."""

    CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{amqp}
stomp.listeners.tcp.1 = 127.0.0.1:{stomp}
web_stomp.tcp.ip = 127.0.0.1
web_stomp.tcp.port = {port}
web_stomp.tcp.backlog = 4096
web_stomp.cowboy_opts.idle_timeout = 3600000
web_stomp.ws_opts.idle_timeout = 3600000
log.file.level = error
log.console = false
disk_free_limit.absolute = 50MB
"""

    def __init__(self):
        super().__init__()
        self.directory = tempfile.TemporaryDirectory(prefix="rabbitmq-", ignore_cleanup_errors=True)
        base = Path(self.directory.name)
        ports = dict(zip(("amqp", "stomp", "port", "epmd", "distribution"), free_ports(5)))
        (base / "rabbitmq.conf").write_text(self.CONFIGURATION.format(**ports))
        (base / "plugins").write_text("[rabbitmq_web_stomp].\n")
        env = {
            "HOME": str(base),
            "ERL_EPMD_PORT": str(ports["epmd"]),
            "RABBITMQ_NODENAME": "bench@localhost",
            "RABBITMQ_DIST_PORT": str(ports["distribution"]),
            "RABBITMQ_CONFIG_FILE": str(base / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(base / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(base / "mnesia"),
            "RABBITMQ_LOG_BASE": str(base / "log"),
            "RABBITMQ_CONF_ENV_FILE": str(base / "none"),
            "LC_ALL": "C.UTF-8",
        }
        self.epmd = Program(["epmd", "-port", ports["epmd"]], SERVER_CORE)
        self.start(rabbitmq(), env=env, directory=base)
        self.port = self.publish_port = ports["port"]
        try:
            until(lambda: answers(self.port), "RabbitMQ listens", 60)
        except Failed:
            self.end()
            raise

    @property
    def processes(self):
        return [pid for pid in descendants(self.programs[0].process.pid) if "beam" in name_of(pid)]

    def end(self):
        for program in (*self.programs, self.epmd):
            # The scripts around the node do not end with their input.
            for pid in [*descendants(program.process.pid)[::-1]]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            program.end()
        self.directory.cleanup()


class Nodes(Server):
    """Two nodes over one Redis. The publisher has one of them, and the subscribers the other."""

    def __init__(self):
        super().__init__()
        redis, *ports = free_ports(3)
        self.start("redis-server", "--port", redis, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                   "--daemonize", "no")
        until(lambda: answers(redis), "Redis listens")
        for port in ports:
            self.start(release() / "node", port, f"redis://127.0.0.1:{redis}")
        self.publish_port, self.port = ports
        for port in ports:
            until(lambda port=port: answers(port) and is_ready(port), "a node is ready", 30)

    def end(self):
        for program in self.programs[::-1]:
            program.process.terminate()
            program.end()


class Load:
    """Subscribers of a server, and a publisher."""

    def __init__(self, transport, server, subscribers, *more):
        cpu = [argument for pid in server.processes for argument in ("--cpu", pid)]
        command = [
            release() / "realtime-load", "--transport", transport, "--port", server.port,
            "--publish-port", server.publish_port, "--path", server.path, "--topic", server.topic,
            "--subscribers", subscribers, *cpu, *more,
        ]
        self.program = Program(command, LOAD_CORE)
        line = self.program.line(300)
        if line != "ready":
            self.program.end()
            raise Failed(error_of(line))

    def ask(self, line):
        answer = json.loads(self.program.ask(line, 120))
        if "error" in answer:
            raise Failed(answer["error"])
        return answer

    def end(self):
        self.program.end()


def error_of(line):
    try:
        return json.loads(line).get("error", line)
    except ValueError:
        return line


def memory(processes):
    """Returns the resident memory of processes, and their proportional share, in bytes."""
    totals = {"Rss:": 0, "Pss:": 0}
    for pid in processes:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            name, *rest = line.split()
            if name in totals:
                totals[name] += int(rest[0]) * 1024
    return totals["Rss:"], totals["Pss:"]


def descendants(pid):
    """Returns a process and all that it has started, as far as they run."""
    found = [pid]
    for pid in found:
        try:
            for task in Path(f"/proc/{pid}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return found


def name_of(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return ""


def free_ports(count):
    """Returns ports that nobody has. They are free again, so whoever is quick could take one."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [it.getsockname()[1] for it in sockets]
    for it in sockets:
        it.close()
    return ports


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def is_ready(port):
    with socket.create_connection(("127.0.0.1", port), 5) as stream:
        stream.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return b" 200 " in stream.recv(100)


def until(condition, what, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"it is not so after {seconds} s that {what}")
        time.sleep(0.05)


def release():
    return TARGET / "release"


def build():
    command = ["cargo", "build", "--quiet", "--release", "--manifest-path", HERE / "Cargo.toml",
               "--target-dir", TARGET]
    subprocess.run(command, check=True)


def socket_io_directory():
    return TARGET / "socket.io"


def set_up_socket_io():
    """Installs Socket.IO, unless it is installed as the lock file says."""
    directory = socket_io_directory()
    directory.mkdir(parents=True, exist_ok=True)
    source = HERE / "socket.io"
    lock, installed = source / "package-lock.json", directory / "package-lock.json"
    is_installed = (
        (directory / "node_modules").is_dir() and installed.is_file()
        and installed.read_bytes() == lock.read_bytes()
    )
    for file in source.iterdir():
        shutil.copy(file, directory)
    if not is_installed:
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=directory,
                       check=True, stdout=subprocess.DEVNULL, timeout=300)


def rabbitmq():
    """Returns the script that starts a node as whoever calls it, or `None`."""
    found = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
    return found[-1] if found and shutil.which("epmd") else None
