"""Echo servers on loopback: processor time of the server a message."""

from ..measured import Table
from ..programs import Failed, Server, is_raw, load, servers

LOADS = {
    "100 × 16 B": ("100", "16", "1"),
    "100 × 1 KiB": ("100", "1024", "1"),
    "10 × 16 KiB": ("10", "16384", "1"),
    "2 × 1 MiB": ("2", "1048576", "1"),
    "100 × 16 B, 32 outstanding": ("100", "16", "32"),
}
SECONDS = "0.1"


def measure(rounds, external=()):
    table = Table("Echo server on loopback: processor time", "µs of the server a message", LOADS)
    table.notes.append("User and system time of the server, on a core of its own.")
    tails = [
        Table("Echo server on loopback: median latency", "µs a round trip", LOADS),
        Table("Echo server on loopback: 99th percentile of latency", "µs a round trip", LOADS),
    ]
    busy = Table("Echo server on loopback: how busy it was", "% of the time", LOADS)
    busy.notes.append(
        "Where it is well under 100 the server waited for the load generator, and woke up more often "
        "than one that is kept busy."
    )
    busy.less_is_better = False
    table.companions = [*tails, busy]
    rows = {label: (path, variant) for label, path, variant, *_ in servers()}
    for column, (connections, size, outstanding) in LOADS.items():
        running = start(table, rows, column)
        running.update({server.name: server for server in external})

        def one(row):
            server = running[row]
            if row in rows and server.has_ended():
                raise server.ended()
            arguments = [
                "--port", server.port, "--pid", server.pid, "--connections", connections,
                "--size", size, "--outstanding", outstanding, "--seconds", SECONDS,
            ]
            answer = load(*arguments, *(["--raw"] if is_raw(row) else []))
            for tail, field in zip(tails, ("p50_us", "p99_us")):
                tail.add(row, column, answer[field])
            spent = answer["server_cpu_us"]
            busy.add(row, column, spent * answer["messages"] / answer["seconds"] / 1e4)
            return spent

        table.measure(rounds, running, column, one)
        for row in rows:
            if row in running:
                running[row].end()
    return [table, *table.companions]


def start(table, rows, column):
    running = {}
    for row, (path, variant) in rows.items():
        try:
            running[row] = Server([path, "--variant", variant])
        except Failed as failure:
            table.fail(row, column, failure)
    return running
