"""One message to many connections, from one task."""

from functools import partial

from ..measured import Cell, Table
from ..programs import MEASURING_CORE, Failed, Program, Server, broadcasters, is_raw, release, result

NEEDS = ("taskset", "two cores", "open files")
CONNECTIONS = 1000
SIZES = {"125 B": 125, "1 KiB": 1024, "16 KiB": 16384}
COUNT = 10


def measure(run):
    table = Table(
        "Broadcast to 1,000 connections: processor time",
        "µs of server time per message and connection",
        SIZES,
    )
    table.notes.append(
        "One binary message is prepared once, then sent and flushed on each connection."
    )
    rows = {
        label: (path, variant)
        for label, path, variant in broadcasters() if not label.startswith("raw TCP (tokio) (")
    }
    with Pairs(rows, CONNECTIONS) as pairs:
        def one(size, row):
            return pairs.measure(row, partial(send, size))

        run.measure([Cell(table, column, rows, partial(one, size)) for column, size in SIZES.items()])
    return [table]


def send(size, server, generator):
    before = server.cpu()
    generator.say(f"expect {size} {COUNT}")
    if server.ask(f"send {size} {COUNT}") != "sent":
        raise Failed("the server did not send")
    result(generator.line())
    return (server.cpu() - before) / 1000 / COUNT / CONNECTIONS


class Pairs:
    """Broadcasting servers, each with a load generator that receives on all connections. Both are
    started when they are first measured."""

    def __init__(self, rows, connections):
        self.rows = rows
        self.connections = connections
        self.running = {}

    def measure(self, row, measure):
        if row not in self.running:
            path, variant = self.rows[row]
            self.running[row] = connect(path, variant, is_raw(row), self.connections)
        try:
            return measure(*self.running[row])
        except Failed:
            # Late output would be taken for the answer to the next question.
            end(*self.running.pop(row))
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for pair in self.running.values():
            end(*pair)


def connect(path, variant, raw, connections):
    server = Server([path, "--variant", variant, "--broadcast", connections])
    command = [
        release() / "load", "--receive", "--port", server.port, "--connections", connections,
        *(["--raw"] if raw else []),
    ]
    generator = Program(command, MEASURING_CORE)
    try:
        if generator.line() != "connected" or server.line() != "ready":
            raise Failed("the connections were not opened")
    except Failed:
        end(server, generator)
        raise
    return server, generator


def end(server, generator):
    generator.end()
    server.end()
