"""permessage-deflate: an echo of JSON text, inflated and deflated by the server."""

from ..measured import Table
from ..programs import OURS, Failed, Server, load, servers
from . import idle

LOADS = {"1 KiB": ("100", "1024"), "16 KiB": ("10", "16384")}
SECONDS = "0.15"
MODES = {"takeover": "", "no-takeover": ", no context takeover"}
HELD = 500
# A reply that is larger by more than this has cost its sender less work.
LARGER = 1.01


def measure(rounds, external=()):
    tables = []
    for mode, words in MODES.items():
        title = f"permessage-deflate{words}"
        table = Table(f"{title}: processor time", "µs of the server a message", LOADS)
        replies = Table(f"{title}: size of a reply", "payload bytes on the wire", LOADS)
        table.companions = [replies]
        rows = rows_of(mode)
        for column, (connections, size) in LOADS.items():
            running = start(table, rows, column, mode)
            running.update({server.name: server for server in external})

            def one(row):
                server = running[row]
                answer = load(
                    "--port", server.port, "--pid", server.pid, "--connections", connections,
                    "--size", size, "--kind", "text", "--json", "--deflate", mode,
                    "--seconds", SECONDS,
                )
                replies.add(row, column, answer["reply_bytes"])
                return answer["server_cpu_us"]

            table.measure(rounds, running, column, one)
            for row in rows:
                if row in running:
                    running[row].end()
        set_apart(table, replies)
        tables += [table, replies]
    return [*tables, memory()]


def rows_of(mode):
    return {
        label: (path, variant)
        for label, path, variant, deflates, _ in servers() if mode in deflates
    }


def memory():
    columns = {f"after 1 KiB{words}": mode for mode, words in MODES.items()}
    table = Table("permessage-deflate: resident memory", "KiB a connection", columns)
    table.notes.append(f"{HELD} connections that wait, each after one echo of JSON text.")
    for column, mode in columns.items():
        rows = rows_of(mode)

        def one(row):
            path, variant = rows[row]
            return idle.memory(
                [path, "--variant", variant, "--deflate", mode],
                ["--size", "1024", "--kind", "text", "--json", "--deflate", mode],
                HELD,
            )

        table.measure(idle.ROUNDS, rows, column, one)
    return table


def set_apart(table, replies):
    """A library that compresses less isn't compared with: it does other work."""
    for column in table.columns:
        largest = LARGER * (replies.median(OURS, column) or 0)
        table.apart += [
            (row, column) for row in table.rows if (replies.median(row, column) or 0) > largest
        ]
    if table.apart:
        table.notes.append("In brackets: the reply is over 1 % larger than ours, so it isn't compared with.")


def start(table, rows, column, mode):
    running = {}
    for row, (path, variant) in rows.items():
        try:
            running[row] = Server([path, "--variant", variant, "--deflate", mode])
        except Failed as failure:
            table.fail(row, column, failure)
    return running
