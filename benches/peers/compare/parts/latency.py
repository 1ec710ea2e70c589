"""A broadcast to 10,000 connections: the time until each has read it."""

import time
from functools import partial

from ..figures import ratio
from ..measured import Cell, Table
from ..programs import Failed, broadcasters, result
from .broadcast import Pairs

NEEDS = ("taskset", "two cores", "many open files")
CONNECTIONS = 10_000
SIZES = {"125 B": 125}
# More rounds of fewer messages than in other parts: a message takes so long that whatever else runs
# on the machine affects single ones.
ROUNDS = 25
# Messages in a round. Each waits until all connections have the one before, and some more.
COUNT = 10
PAUSE = 0.01

GROUP, BARE, TASKS = "sansocket (group)", "raw TCP (tokio)", "tokio-tungstenite (tasks)"
ROWS = ("sansocket", "sansocket, again", GROUP, BARE, TASKS)
FIGURES = {
    "p50_us": "median",
    "p99_us": "99th percentile",
    "last_us": "until the last connection has it",
}


def measure(run):
    tables = {
        key: Table(
            f"Latency of a broadcast to {CONNECTIONS:,} connections: {what}",
            "µs from before a message is prepared until a connection has read it", SIZES,
        )
        for key, what in FIGURES.items()
    }
    first, *others = tables.values()
    spent = Table(
        f"Latency of a broadcast to {CONNECTIONS:,} connections: processor time",
        "µs of server time per message and connection", SIZES,
    )
    first.companions = [*others, spent]
    rows = {label: (path, variant) for label, path, variant in broadcasters() if label in ROWS}

    with Pairs(rows, CONNECTIONS) as pairs:
        def one(column, row):
            answer = pairs.measure(row, partial(send, SIZES[column]))
            spent.add(row, column, answer["server_cpu_us"])
            for key, table in list(tables.items())[1:]:
                table.add(row, column, answer[key])
            return answer["p50_us"]

        run.measure([Cell(first, column, rows, partial(one, column)) for column in SIZES], ROUNDS)
    measured = [first, *first.companions]
    for table in measured:
        table.notes += ratios(table)
    return measured


def send(size, server, generator):
    """Returns the answer of the load generator, with the server's processor time. Nothing in here runs
    while a message is under way, because it waits for the load generator first."""
    before = server.cpu()
    generator.say(f"time {size} {COUNT}")
    for number in range(COUNT):
        line = generator.line()
        if line != "ready":
            result(line)
            raise Failed(f"the load generator printed {line!r} before message {number}")
        if number > 0:
            sent(server)
        time.sleep(PAUSE)
        server.say(f"send-timed {size}")
    answer = result(generator.line())
    sent(server)
    answer["server_cpu_us"] = (server.cpu() - before) / 1000 / answer["messages"]
    return answer


def sent(server):
    if server.line() != "sent":
        raise Failed("the server did not send")


def ratios(table):
    """Returns a note for each column: how long the group takes, compared with the other ways."""
    notes = []
    for column in table.columns:
        group = table.figures(GROUP, column)
        others = {other: table.figures(other, column) for other in (BARE, TASKS)}
        said = [
            f"{with_interval(ratio(group, figures))} × {other}"
            for other, figures in others.items() if group and figures
        ]
        if said:
            notes.append(f"{GROUP}, {column}: {', '.join(said)}.")
    return notes


def with_interval(compared):
    return f"{compared.middle:.2f} ({compared.low:.2f}–{compared.high:.2f})"
