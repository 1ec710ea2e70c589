"""Masking and the validation of UTF-8 by themselves."""

from functools import partial

from ..measured import Cell, Table
from ..programs import MEASURED_CORE, Programs, codecs
from .codec import figures

NEEDS = ("taskset",)
POWERS = [2**power for power in range(7, 21)]
SIZES = [*range(1, 65), *POWERS]
SCRIPTS = ("ascii", "latin", "cjk", "mixed")
MILLISECONDS = 1


def name(size):
    for unit, factor in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= factor:
            return f"{size // factor} {unit}"
    return f"{size} B"


def measure(run):
    columns = [name(size) for size in SIZES]
    tables, cells = [], []
    with Programs(MEASURED_CORE) as programs:
        for offset in (0, 1):
            where = "aligned" if offset == 0 else "one byte off"
            table = Table(f"Masking alone, {where}", "ns", columns)
            table.notes.append("memcpy reads and writes other memory; it is there to compare with.")
            words = lambda size, offset=offset: f"{size} {offset}"
            cells += cells_of(table, ("mask", "copy"), words, programs)
            tables.append(table)
        for script in SCRIPTS:
            table = Table(f"UTF-8 alone, {script}", "ns", columns)
            words = lambda size, script=script: f"{script} {size}"
            cells += cells_of(table, ("utf8",), words, programs)
            tables.append(table)
        run.measure(cells)
    return tables


def cells_of(table, works, words, programs):
    rows = {
        label: (path, f"{work} {variant}")
        for label, path, work, variant in codecs() if work in works
    }

    def one(size, row):
        path, kernel = rows[row]
        return figures(programs.ask(row, path, f"{kernel} {words(size)} {MILLISECONDS}"))[0]

    return [Cell(table, name(size), rows, partial(one, size)) for size in SIZES]
