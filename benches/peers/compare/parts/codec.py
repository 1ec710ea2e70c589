"""Messages in memory: a server that echoes, a client that sends."""

from ..measured import Table
from ..programs import MEASURED_CORE, Failed, Program, codecs

SIZES = {"16 B": 16, "125 B": 125, "1 KiB": 1024, "16 KiB": 16384, "1 MiB": 1048576}
MILLISECONDS = 10


def measure(rounds):
    tables = []
    for work, words in (("echo", "server echo"), ("client", "client sends")):
        allocations = Table(
            f"In memory: allocations of a {words}, binary", "calls to the allocator a message", SIZES
        )
        for kind in ("binary", "text"):
            table = Table(f"In memory: {words}, {kind}", "ns a message", SIZES)
            if kind == "text":
                table.notes.append("Every second character takes two, three or four bytes.")
            measure_kind(table, allocations, work, kind, rounds)
            tables.append(table)
        tables.append(allocations)
    return tables


def measure_kind(table, allocations, work, kind, rounds):
    rows = {label: (path, variant) for label, path, what, variant in codecs() if what == work}
    # To validate is no work of binary messages, and not to is no limit of text.
    rows.pop("bare" if kind == "text" else "bare+simdutf8", None)
    programs = {}
    for column, size in SIZES.items():
        def one(row):
            path, variant = rows[row]
            if row not in programs:
                programs[row] = Program([path], MEASURED_CORE)
            try:
                answer = programs[row].ask(f"{work} {variant} {kind} {size} {MILLISECONDS}")
            except Failed:
                programs.pop(row).end()
                raise
            nanoseconds, calls = figures(answer)
            if kind == "binary":
                allocations.rows.setdefault(row, {})[column] = [calls]
            return nanoseconds

        table.measure(rounds, rows, column, one)
    for program in programs.values():
        program.end()


def figures(answer):
    words = answer.split()
    if words[:1] != ["ok"]:
        raise Failed(answer.removeprefix("failed "))
    return tuple(float(word) for word in words[1:3])
