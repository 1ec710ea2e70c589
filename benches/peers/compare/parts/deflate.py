"""permessage-deflate: an echo of JSON text, which the server inflates and deflates."""

from contextlib import ExitStack
from functools import partial

from ..measured import Cell, Table
from ..programs import OURS, Failed, Servers, load, servers
from . import idle

NEEDS = ("taskset", "two cores")
LOADS = {"1 KiB": ("100", "1024"), "16 KiB": ("10", "16384")}
SECONDS = "0.15"
MODES = {"takeover": "", "no-takeover": ", no context takeover"}
HELD = 500
# A reply that is larger by more than this factor took its sender less work.
LARGER = 1.01


def measure(run):
    tables, cells = [], []
    with ExitStack() as stack:
        for mode, words in MODES.items():
            title = f"permessage-deflate{words}"
            table = Table(f"{title}: processor time", "µs of server time per message", LOADS)
            replies = Table(f"{title}: size of a reply", "payload bytes on the wire", LOADS)
            table.companions = [replies]
            running = stack.enter_context(Servers(rows_of(mode), run.servers))
            cells += cells_of(table, replies, mode, running)
            tables += [table, replies]
        run.measure(cells)
    for table, replies in zip(tables[::2], tables[1::2]):
        set_apart(table, replies)
    return [*tables, memory(run)]


def rows_of(mode):
    return {
        label: [path, "--variant", variant, "--deflate", mode]
        for label, path, variant, deflates in servers() if mode in deflates
    }


def memory(run):
    columns = {f"after 1 KiB{words}": mode for mode, words in MODES.items()}
    table = Table("permessage-deflate: resident memory", "KiB per connection", columns)
    table.notes.append(f"{HELD} idle connections, each after one echo of JSON text.")

    def one(rows, mode, row):
        wanted = ["--size", "1024", "--kind", "text", "--json", "--deflate", mode]
        return idle.memory(rows[row], wanted, HELD)

    cells = []
    for column, mode in columns.items():
        rows = rows_of(mode)
        cells.append(Cell(table, column, rows, partial(one, rows, mode)))
    run.measure(cells, idle.ROUNDS)
    return table


def cells_of(table, replies, mode, running):
    def one(column, row):
        connections, size = LOADS[column]
        answer = running.measure(row, lambda server: load(
            "--port", server.port, "--pid", server.pid, "--connections", connections,
            "--size", size, "--kind", "text", "--json", "--deflate", mode, "--seconds", SECONDS,
        ))
        check_agreed(mode, answer["agreed"])
        replies.add(row, column, answer["reply_bytes"])
        return answer["server_cpu_us"]

    return [Cell(table, column, running.names, partial(one, column)) for column in LOADS]


def check_agreed(mode, agreed):
    """Fails if the server negotiated another takeover, which belongs in the other table."""
    keeps = "server_no_context_takeover" not in (agreed or "")
    if keeps != (mode == "takeover"):
        raise Failed(f"negotiated {agreed!r}")


def set_apart(table, replies):
    """Excludes libraries that compress less from the comparison, because they do less work."""
    for column in table.columns:
        largest = LARGER * (replies.median(OURS, column) or 0)
        table.apart += [
            (row, column) for row in table.rows if (replies.median(row, column) or 0) > largest
        ]
    if table.apart:
        table.notes.append(
            "Figures in brackets are not compared, because the reply is over 1 % larger than ours."
        )
