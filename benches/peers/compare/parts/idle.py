"""Memory of connections that wait: 5,000 of them, each after one echo."""

from ..measured import Table
from ..programs import MEASURING_CORE, RELEASE, Failed, Program, Server, is_raw, result, servers

CONNECTIONS = 5000
COLUMNS = {"after 16 B": "16", "after 16 KiB": "16384"}
ROUNDS = 6


def measure(_rounds):
    table = Table("Idle connections: resident memory", "KiB a connection", COLUMNS)
    table.notes.append(
        f"{CONNECTIONS:,} connections, each after one echo. 'raw TCP (waiting)' is a task that holds "
        "no buffer while it waits."
    )
    rows = {label: (path, variant) for label, path, variant, *_ in servers()}
    for column, size in COLUMNS.items():
        def one(row):
            path, variant = rows[row]
            raw = ["--raw"] if is_raw(row) else []
            return memory([path, "--variant", variant], ["--size", size, *raw], CONNECTIONS)

        table.measure(ROUNDS, rows, column, one)
    return [table]


def memory(server, load, connections):
    """What each of so many connections adds to a fresh server, in KiB."""
    with Server(server) as server:
        before = server.resident()
        command = [
            RELEASE / "load", "--hold", "--port", server.port, "--connections", connections, *load,
        ]
        with Program(command, MEASURING_CORE) as generator:
            result(generator.line())
            after = server.resident()
    return (after - before) / 1024 / connections
