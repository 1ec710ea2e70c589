"""Echo servers on loopback: processor time of the server per message."""

from functools import partial

from ..measured import Cell, Table
from ..programs import Servers, is_raw, load, servers

NEEDS = ("taskset", "two cores")
LOADS = {
    "100 × 16 B": ("100", "16", "1"),
    "100 × 1 KiB": ("100", "1024", "1"),
    "10 × 16 KiB": ("10", "16384", "1"),
    "2 × 1 MiB": ("2", "1048576", "1"),
    "100 × 16 B, 32 outstanding": ("100", "16", "32"),
}
# Too few messages: the 99th percentile would be one of the two or three slowest.
FEW_MESSAGES = ("2 × 1 MiB",)
SECONDS = "0.1"


def measure(run):
    table = Table("Echo server on loopback: processor time", "µs of server time per message", LOADS)
    table.notes.append("User and system time of the server, which has a core of its own.")
    tail = Table("Echo server on loopback: 99th percentile of latency", "µs per round trip", LOADS)
    busy = Table("Echo server on loopback: how busy it was", "% of the time", LOADS)
    busy.notes.append(
        "A server well under 100 waited for the load generator, and woke up more often than a busy "
        "one."
    )
    busy.less_is_better = False
    table.companions = [tail, busy]
    rows = {label: [path, "--variant", variant] for label, path, variant, *_ in servers()}

    with Servers(rows, run.servers) as running:
        def one(column, row):
            connections, size, outstanding = LOADS[column]
            arguments = ["--connections", connections, "--size", size, "--outstanding", outstanding]
            answer = running.measure(row, lambda server: load(
                "--port", server.port, "--pid", server.pid, *arguments, "--seconds", SECONDS,
                *(["--raw"] if is_raw(row) else []),
            ))
            if column not in FEW_MESSAGES:
                tail.add(row, column, answer["p99_us"])
            spent = answer["server_cpu_us"]
            busy.add(row, column, spent * answer["messages"] / answer["seconds"] / 1e4)
            return spent

        run.measure([Cell(table, column, running.names, partial(one, column)) for column in LOADS])
    return [table, *table.companions]
