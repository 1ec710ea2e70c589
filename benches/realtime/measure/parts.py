"""What is measured: fan-out, idle subscribers, and two nodes."""

import random
import sys
import time
from contextlib import ExitStack
from typing import Callable, NamedTuple

from compare.figures import median, ratio

from .programs import (
    Failed, Load, Nodes, RabbitMq, bare, bare_with_tasks, memory, ours, ours_counting, rabbitmq, release,
    socket_io, socket_io_directory,
)

OURS_STOMP, OURS_EVENTS, OURS_POLL = "sansocket, STOMP", "sansocket, SSE", "sansocket, long poll"
# The baselines of each row of ours: their names, and what starts them.
BARE = {
    OURS_STOMP: {"bare writes of STOMP": bare, "bare writes of STOMP, a task each": bare_with_tasks},
    OURS_EVENTS: {"bare writes of SSE": bare},
}
BARE_NAMES = [name for baselines in BARE.values() for name in baselines]
RABBITMQ, SOCKET_IO = "RabbitMQ, Web STOMP", "Socket.IO, WebSocket"
# In the order of the tables.
ROWS = [OURS_STOMP, OURS_EVENTS, OURS_POLL, *BARE_NAMES, RABBITMQ, SOCKET_IO]


class Contestant(NamedTuple):
    name: str
    transport: str
    server: Callable
    # With more subscribers, opening them alone takes minutes.
    most: int = 10_000


class Crowd(NamedTuple):
    """How many subscribers there are, and how they are published to."""

    subscribers: int
    # Messages under way at saturation.
    window: int
    # Messages a second otherwise.
    rate: float


CROWDS = [Crowd(1, 64, 200), Crowd(100, 16, 50), Crowd(10_000, 2, 1)]
IDLE = 10_000


class Figures:
    """What is measured of each row in each round, by column."""

    def __init__(self):
        self.rows = {}
        self.failed = {}

    def add(self, row, **figures):
        for column, figure in figures.items():
            self.rows.setdefault(row, {}).setdefault(column, []).append(figure)

    def fail(self, row, error):
        print(f"  {row}: failed: {error}", file=sys.stderr)
        self.failed[row] = str(error)
        self.rows.pop(row, None)

    def median(self, row, column):
        figures = self.rows.get(row, {}).get(column)
        return median(figures) if figures else None

    def ratio(self, row, other, column):
        these, those = (self.rows.get(name, {}).get(column) for name in (row, other))
        return ratio(these, those) if these and those else None

    def to_json(self):
        return {"rows": self.rows, "failed": self.failed}

    @classmethod
    def from_json(cls, fields):
        figures = cls()
        figures.rows = {row: fields["rows"][row] for row in ROWS if row in fields["rows"]}
        figures.failed = fields["failed"]
        return figures


def contestants():
    rows = [
        Contestant(OURS_STOMP, "stomp", ours),
        Contestant(OURS_EVENTS, "events", ours),
        Contestant(OURS_POLL, "poll", ours),
    ]
    if rabbitmq():
        rows.append(Contestant(RABBITMQ, "stomp", RabbitMq, 1_000))
    if socket_io_directory().is_dir():
        rows.append(Contestant(SOCKET_IO, "socket.io", socket_io))
    return rows


def fan_out(crowd, rounds, seconds):
    """Publishes to the subscribers of one topic: as fast as they get it, and at a steady rate."""
    figures = Figures()
    with ExitStack() as stack:
        loads = {}
        for name, transport, start, most in contestants():
            if crowd.subscribers > most:
                continue
            try:
                loads[name] = load = open_crowd(stack, start, transport, crowd.subscribers)
                warm = load.ask(f"saturate {crowd.window} 0.3")
            except Failed as error:
                loads.pop(name, None)
                figures.fail(name, error)
                continue
            size = round(warm["bytes"] / warm["deliveries"])
            for baseline, start in BARE.get(name, {}).items():
                loads[baseline] = open_crowd(stack, start, "bare", crowd.subscribers, "--bytes", size)
        measure_rounds(figures, loads, crowd, rounds, seconds)
    return figures


def open_crowd(stack, start, transport, subscribers, *more):
    server = start()
    stack.callback(server.end)
    load = Load(transport, server, subscribers, *more)
    stack.callback(load.end)
    return load


def measure_rounds(figures, loads, crowd, rounds, seconds):
    """Measures all rows in each round, one directly after the other, in an order by chance."""
    for number in range(rounds):
        names = list(loads)
        random.shuffle(names)
        for name in names:
            progress(f"{crowd.subscribers:,} subscribers, round {number + 1} of {rounds}: {name}")
            try:
                figures.add(name, **measured(loads[name], crowd, seconds))
            except Failed as error:
                del loads[name]
                figures.fail(name, error)


def measured(load, crowd, seconds):
    most = load.ask(f"saturate {crowd.window} {seconds}")
    alone = load.ask(f"saturate 1 {seconds / 2}")
    steady = load.ask(f"steady {crowd.rate} {seconds}")
    return {
        "deliveries": most["deliveries"] / most["seconds"],
        "cpu_saturated": cpu(most),
        "cpu_alone": cpu(alone),
        "cpu_steady": cpu(steady),
        "load_cpu": most["load_ns"] / most["deliveries"],
        "p50": steady["p50_ns"],
        "p99": steady["p99_ns"],
        "bytes": most["bytes"] / most["deliveries"],
    }


def cpu(answer):
    return sum(answer["cpu_ns"]) / answer["deliveries"]


def idle(subscribers):
    """Opens subscribers, delivers one message to each, and tells what they hold then."""
    figures = Figures()
    for name, transport, start, most in contestants():
        count = min(subscribers, most)
        progress(f"{count:,} idle subscribers: {name}")
        try:
            rss, pss, _ = held(start, transport, count)
            figures.add(name, rss=rss, pss=pss)
            if start is ours:
                *_, heap = held(ours_counting, transport, count)
                figures.add(name, heap=heap)
        except Failed as error:
            figures.fail(name, error)
    return figures


def held(start, transport, subscribers):
    """Returns what each subscriber adds: resident memory, proportional share, and heap if it is told."""
    with ExitStack() as stack:
        server = start()
        stack.callback(server.end)
        # What the first clients bring is the server's.
        first = Load(transport, server, 10)
        first.ask("steady 20 0.2")
        first.end()
        before, heap_before = memory(server.processes), heap(start, server)
        load = Load(transport, server, subscribers)
        stack.callback(load.end)
        load.ask("saturate 1 0.01")
        # Whatever is to be given back is given back by then.
        time.sleep(2)
        after, heap_after = memory(server.processes), heap(start, server)
        load.ask("count")
        rss, pss = ((after[it] - before[it]) / subscribers for it in (0, 1))
        return rss, pss, (heap_after - heap_before) / subscribers


def heap(start, server):
    return int(server.programs[0].ask("held")) if start is ours_counting else 0


def nodes(crowds, rounds, seconds):
    """Publishes at one node to the subscribers of another, over Redis."""
    results = {}
    for crowd in crowds:
        figures = results[crowd.subscribers] = Figures()
        with ExitStack() as stack:
            loads = {}
            for name, transport in ((OURS_STOMP, "stomp"), (OURS_EVENTS, "events"), (OURS_POLL, "poll")):
                try:
                    loads[name] = open_crowd(stack, Nodes, transport, crowd.subscribers)
                except Failed as error:
                    figures.fail(name, error)
            measure_rounds(figures, loads, crowd, rounds, seconds)
    return results


def has_nodes():
    return (release() / "node").exists()


def check():
    """Delivers some messages of each kind. Returns the names of those that were delivered."""
    bares = [
        Contestant(name, "bare", start) for baselines in BARE.values() for name, start in baselines.items()
    ]
    rows = [*contestants(), *bares]
    if has_nodes():
        rows += [
            Contestant(f"{name}, two nodes", transport, Nodes)
            for name, transport in ((OURS_STOMP, "stomp"), (OURS_EVENTS, "events"), (OURS_POLL, "poll"))
        ]
    for name, transport, start, _ in rows:
        with ExitStack() as stack:
            load = open_crowd(stack, start, transport, 3, *(["--bytes", 200] if transport == "bare" else []))
            for command in ("saturate 2 0.1", "steady 20 0.2"):
                answer = load.ask(command)
                if answer["deliveries"] != 3 * answer["messages"] or not answer["messages"]:
                    raise Failed(f"{name}: {answer}")
        print(f"{name}: delivered")


def progress(text):
    print(f"  {text}", file=sys.stderr, flush=True)
