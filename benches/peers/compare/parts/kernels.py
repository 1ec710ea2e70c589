"""Masking alone, and the validation of UTF-8 alone."""

from functools import partial

from ..measured import Cell, Table
from ..programs import ask, codecs
from .codec import figures

NEEDS = ("taskset",)
SIZES = {
    "1 B": 1, "7 B": 7, "16 B": 16, "64 B": 64, "256 B": 256, "512 B": 512, "1 KiB": 1024, "16 KiB": 16384,
    "1 MiB": 1048576,
}
SCRIPTS = ("ascii", "cjk", "mixed")
MILLISECONDS = 1


def measure(run):
    tables, cells = [], []
    for offset in (0, 1):
        where = "aligned" if offset == 0 else "one byte off"
        table = Table(f"Masking alone, {where}", "ns", SIZES)
        table.notes.append(
            "memcpy is there for comparison. It reads from one memory and writes to another."
        )
        words = lambda size, offset=offset: f"{size} {offset}"
        cells += cells_of(table, ("mask", "copy"), words)
        tables.append(table)
    for script in SCRIPTS:
        table = Table(f"UTF-8 alone, {script}", "ns", SIZES)
        words = lambda size, script=script: f"{script} {size}"
        cells += cells_of(table, ("utf8",), words)
        tables.append(table)
    run.measure(cells)
    return tables


def cells_of(table, works, words):
    rows = {
        label: (path, f"{work} {variant}")
        for label, path, work, variant in codecs() if work in works
    }

    def one(size, row):
        path, kernel = rows[row]
        return figures(ask(path, f"{kernel} {words(size)} {MILLISECONDS}"))[0]

    return [Cell(table, column, rows, partial(one, size)) for column, size in SIZES.items()]
