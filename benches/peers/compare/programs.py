"""The measured programs, and communication with them."""

import functools
import json
import os
import selectors
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The measured program and the measuring one run on different cores, if this process has two.
CORES = sorted(os.sched_getaffinity(0))
MEASURED_CORE, MEASURING_CORE = CORES[0], CORES[min(1, len(CORES) - 1)]
OURS = "sansocket"
AGAIN = "sansocket, again"


class Failed(Exception):
    """A program gave a wrong answer, or none."""


def on_core(core, *command):
    return ["taskset", "-c", str(core), *map(str, command)]


class Program:
    """A program that answers each line with a line, and ends when its input ends."""

    def __init__(self, command, core, env=None, directory=None):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            on_core(core, *command), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.errors, bufsize=0, cwd=directory, env={**os.environ, **(env or {})},
        )
        self.pending = b""

    def ask(self, line, timeout=60):
        self.say(line)
        return self.line(timeout)

    def say(self, line):
        try:
            self.process.stdin.write(line.encode() + b"\n")
        except OSError as error:
            raise self.ended() from error

    def line(self, timeout=60):
        deadline = time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in self.pending:
                if not selector.select(max(0, deadline - time.monotonic())):
                    raise Failed(f"no answer after {timeout} s")
                more = os.read(self.process.stdout.fileno(), 65536)
                if not more:
                    raise self.ended()
                self.pending += more
        line, self.pending = self.pending.split(b"\n", 1)
        return line.decode()

    def has_ended(self):
        return self.process.poll() is not None

    def ended(self):
        """Returns an error with the last line that the program printed."""
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        return Failed(": ".join(["the program ended", *lines[-1:]]))

    def cpu(self):
        """Returns the processor time of all threads so far, in nanoseconds."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)

    def resident(self):
        """Returns the resident memory in bytes."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise self.ended()

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


class Server(Program):
    """A program that prints `listening PORT`."""

    def __init__(self, command):
        super().__init__(command, MEASURED_CORE)
        try:
            words = self.line(10).split()
            if words[:1] != ["listening"]:
                raise Failed("the server does not listen")
        except Failed:
            self.end()
            raise
        self.port = int(words[1])
        self.pid = self.process.pid


def ask(path, line):
    """Starts a program for a single question. The addresses of its stack and its memory are a
    matter of luck, which differs between starts and can outweigh the compared difference."""
    with Program([path], MEASURED_CORE) as program:
        return program.ask(line)


class Servers:
    """Echo servers with their commands, each started when it is first measured."""

    def __init__(self, commands, external):
        self.commands = commands
        self.external = {server.name: server for server in external}
        self.running = {}

    @property
    def names(self):
        return [*self.commands, *self.external]

    def measure(self, name, measure):
        if name in self.external:
            self.external[name].pin()
            return measure(self.external[name])
        if name not in self.running:
            self.running[name] = Server(self.commands[name])
        server = self.running[name]
        try:
            if server.has_ended():
                raise server.ended()
            return measure(server)
        except Failed:
            # The next load must not find leftovers of this one.
            self.running.pop(name).end()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in self.running.values():
            server.end()


class ExternalServer:
    """A server that someone else has started. Only its port and its process are known."""

    def __init__(self, name, port, pid):
        self.name = name
        self.port = port
        self.pid = pid

    def pin(self):
        """Moves the server to the measured core. Threads that it starts later inherit that core."""
        try:
            for task in Path(f"/proc/{self.pid}/task").iterdir():
                os.sched_setaffinity(int(task.name), {MEASURED_CORE})
        except OSError as error:
            message = f"process {self.pid} can't be moved to core {MEASURED_CORE}: {error}"
            raise Failed(message) from error


def load(*arguments, timeout=90):
    """Runs the load generator once, and returns its result."""
    try:
        done = subprocess.run(
            on_core(MEASURING_CORE, release() / "load", *arguments),
            stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False, text=True,
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(f"not finished after {timeout} s") from error
    return result(done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "")


def result(line):
    try:
        answer = json.loads(line)
    except ValueError as error:
        raise Failed(f"the load generator printed {line!r}") from error
    if not answer.get("ok"):
        raise Failed(answer.get("error", "unknown"))
    return answer


@functools.cache
def metadata():
    command = ["cargo", "metadata", "--format-version", "1", "--no-deps"]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)


def target():
    """Returns the directory in which cargo puts its output."""
    return Path(metadata()["target_directory"])


def release():
    return target() / "release"


def packages():
    """Returns the packages that build programs, each with its programs and features."""
    return {
        package["name"]: (programs, package["features"])
        for package in metadata()["packages"]
        if (programs := [each["name"] for each in package["targets"] if "bin" in each["kind"]])
    }


def programs(kind):
    """Returns the programs whose name ends with `kind`, except leftovers of an earlier build."""
    return sorted(
        release() / name for names, _ in packages().values() for name in names if name.endswith(kind)
    )


def codecs():
    """Returns the in-memory programs: (label, program, work, variant)."""
    rows = []
    for path in programs("-codec"):
        lines = subprocess.run([path, "list"], capture_output=True, text=True, check=True).stdout
        name = path.name.removesuffix("-codec")
        for line in lines.splitlines():
            word, _, rest = line.partition(" ")
            if word == "name":
                name = rest
            else:
                rows.append((label(name, rest), path, word, rest))
    return ours_first(rows)


def servers():
    """Returns the echo servers: (label, program, variant, modes of compression)."""
    rows = []
    for path in programs("-echo"):
        said = facts(path)
        for variant in said["variants"].split():
            rows.append((
                label(said["name"], variant), path, variant, said["deflate"].split(),
            ))
    return ours_first(rows)


def broadcasters():
    """Returns the broadcasting servers: (label, program, variant). Some variants only broadcast."""
    rows = []
    for path in programs("-echo"):
        said = facts(path)
        rows += [
            (label(said["name"], variant), path, variant) for variant in said["broadcast"].split()
        ]
    return ours_first(rows)


def facts(path):
    """Returns what a server reports about itself."""
    lines = subprocess.run([path, "--list"], capture_output=True, text=True, check=True).stdout
    return dict(line.split(" ", 1) for line in lines.splitlines())


def label(name, variant):
    if name == "limits":
        return variant
    return name if variant == "default" else f"{name} ({variant})"


def ours_first(rows):
    """Puts our rows first, and our default row once more at the end: they differ only by noise."""
    rows.sort(key=lambda row: place(row[0]))
    again = [(AGAIN, *row[1:]) for row in rows if row[0] == OURS]
    return rows + again


def place(label):
    """Returns the sort key of a row: ours first, then by name."""
    return not is_ours(label), label.lower()


def is_limit(label):
    """Returns `True` for rows that are not libraries: work without the protocol, or a frame that
    bypasses the connection."""
    return label.endswith("(frame)") or label.startswith(("raw TCP", "bare", "memcpy", "std", "simdutf8"))


def is_ours(label):
    return label.startswith(OURS)


def is_raw(label):
    return label.startswith("raw TCP")
