"""Memory of 2,000 idle connections, each after one echo."""

from functools import partial

from ..measured import Cell, Table
from ..programs import MEASURING_CORE, Program, Server, is_raw, release, result, servers

NEEDS = ("taskset", "open files")
CONNECTIONS = 2000
COLUMNS = {"after 16 B": "16", "after 16 KiB": "16384"}
ROUNDS = 5


def measure(run):
    table = Table("Idle connections: resident memory", "KiB per connection", COLUMNS)
    table.notes.append(
        f"{CONNECTIONS:,} connections, each after one echo. 'raw TCP (tokio) (waiting)' is a task that "
        "holds no buffer while it waits."
    )
    rows = {label: (path, variant) for label, path, variant, *_ in servers()}

    def one(size, row):
        path, variant = rows[row]
        raw = ["--raw"] if is_raw(row) else []
        return memory([path, "--variant", variant], ["--size", size, *raw], CONNECTIONS)

    cells = [Cell(table, column, rows, partial(one, size)) for column, size in COLUMNS.items()]
    run.measure(cells, ROUNDS)
    return [table]


def memory(server, load, connections):
    """Returns how much memory each connection adds to a fresh server, in KiB."""
    with Server(server) as server:
        before = server.resident()
        command = [
            release() / "load", "--hold", "--port", server.port, "--connections", connections, *load,
        ]
        with Program(command, MEASURING_CORE) as generator:
            result(generator.line())
            after = server.resident()
    return (after - before) / 1024 / connections
