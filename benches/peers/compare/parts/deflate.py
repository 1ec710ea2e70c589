"""permessage-deflate: an echo of JSON text, inflated and deflated by the server."""

from ..measured import Table
from ..programs import Failed, Server, load, servers

LOADS = {"1 KiB": ("100", "1024"), "16 KiB": ("10", "16384")}
SECONDS = "0.3"


def measure(rounds):
    tables = []
    for mode in ("takeover", "no-takeover"):
        title = "permessage-deflate" + (", no context takeover" if mode == "no-takeover" else "")
        table = Table(f"{title}: processor time", "µs of the server a message", LOADS)
        replies = Table(f"{title}: size of a reply", "payload bytes on the wire", LOADS)
        table.companions = [replies]
        rows = {
            label: (path, variant)
            for label, path, variant, deflates, _ in servers() if mode in deflates
        }
        for column, (connections, size) in LOADS.items():
            running = start(table, rows, column, mode)

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
            for server in running.values():
                server.end()
        tables += [table, replies]
    return tables


def start(table, rows, column, mode):
    running = {}
    for row, (path, variant) in rows.items():
        try:
            running[row] = Server([path, "--variant", variant, "--deflate", mode])
        except Failed as failure:
            table.fail(row, column, failure)
    return running
