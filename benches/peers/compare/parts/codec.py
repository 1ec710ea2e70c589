"""Messages in memory: a server that echoes, a client that sends."""

from functools import partial

from ..measured import Cell, Table
from ..programs import Failed, ask, codecs

NEEDS = ("taskset",)
SIZES = {"16 B": 16, "125 B": 125, "1 KiB": 1024, "16 KiB": 16384, "1 MiB": 1048576}
MILLISECONDS = 10


def measure(run):
    tables, cells = [], []
    for work, words in (("echo", "server echo"), ("client", "client sends")):
        allocations = Table(
            f"In memory: allocations, {words}, binary", "calls to the allocator per message", SIZES
        )
        for kind in ("binary", "text"):
            table = Table(f"In memory: {words}, {kind}", "ns per message", SIZES)
            if kind == "text":
                table.notes.append("Every second character has two, three or four bytes.")
            cells += cells_of(table, allocations, work, kind)
            tables.append(table)
        tables.append(allocations)
    run.measure(cells)
    return tables


def cells_of(table, allocations, work, kind):
    rows = {label: (path, variant) for label, path, what, variant in codecs() if what == work}
    # Binary messages need no validation, and text needs it.
    rows.pop("bare" if kind == "text" else "bare+simdutf8", None)

    def one(column, size, row):
        path, variant = rows[row]
        nanoseconds, calls = figures(ask(path, f"{work} {variant} {kind} {size} {MILLISECONDS}"))
        if kind == "binary":
            allocations.rows.setdefault(row, {})[column] = [calls]
        return nanoseconds

    return [Cell(table, column, rows, partial(one, column, size)) for column, size in SIZES.items()]


def figures(answer):
    words = answer.split()
    if words[:1] != ["ok"]:
        raise Failed(answer.removeprefix("failed "))
    return tuple(float(word) for word in words[1:3])
