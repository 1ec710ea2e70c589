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
    pairs = {}
    for row, (path, variant) in rows.items():
        try:
            pairs[row] = connect(path, variant, is_raw(row))
        except Failed as failure:
            for column in SIZES:
                table.fail(row, column, failure)

    def one(size, row):
        if row not in pairs:
            raise Failed("it failed in an earlier round")
        try:
            return send(*pairs[row], size)
        except Failed:
            # Its late output would be taken for the answer to the next question.
            for program in reversed(pairs.pop(row)):
                program.end()
            raise

    run.measure([Cell(table, column, rows, partial(one, size)) for column, size in SIZES.items()])
    for server, generator in pairs.values():
        generator.end()
        server.end()
    return [table]


def send(server, generator, size):
    before = server.cpu()
    generator.say(f"expect {size} {COUNT}")
    if server.ask(f"send {size} {COUNT}") != "sent":
        raise Failed("the server did not send")
    result(generator.line())
    return (server.cpu() - before) / 1000 / COUNT / CONNECTIONS


def connect(path, variant, raw):
    server = Server([path, "--variant", variant, "--broadcast", CONNECTIONS])
    command = [
        release() / "load", "--receive", "--port", server.port, "--connections", CONNECTIONS,
        *(["--raw"] if raw else []),
    ]
    generator = Program(command, MEASURING_CORE)
    try:
        if generator.line() != "connected" or server.line() != "ready":
            raise Failed("the connections were not opened")
    except Failed:
        generator.end()
        server.end()
        raise
    return server, generator
