"""Masking and the validation of UTF-8 by themselves."""

from ..measured import Table
from ..programs import MEASURED_CORE, Failed, Program, codecs
from .codec import figures

POWERS = [2**power for power in range(7, 21)]
SIZES = [*range(1, 65), *POWERS]
SCRIPTS = ("ascii", "latin", "cjk", "mixed")
MILLISECONDS = 1


def name(size):
    for unit, factor in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= factor:
            return f"{size // factor} {unit}"
    return f"{size} B"


def measure(rounds):
    columns = [name(size) for size in SIZES]
    tables = []
    for offset in (0, 1):
        where = "aligned" if offset == 0 else "one byte off"
        table = Table(f"Masking alone, {where}", "ns", columns)
        table.notes.append("memcpy reads and writes other memory; it is there to compare with.")
        measure_kernel(table, ("mask", "copy"), lambda size, offset=offset: f"{size} {offset}", rounds)
        tables.append(table)
    for script in SCRIPTS:
        table = Table(f"UTF-8 alone, {script}", "ns", columns)
        measure_kernel(table, ("utf8",), lambda size, script=script: f"{script} {size}", rounds)
        tables.append(table)
    return tables


def measure_kernel(table, works, cell, rounds):
    rows = {
        label: (path, f"{work} {variant}")
        for label, path, work, variant in codecs() if work in works
    }
    programs = {}
    for size in SIZES:
        def one(row):
            path, words = rows[row]
            if row not in programs:
                programs[row] = Program([path], MEASURED_CORE)
            try:
                answer = programs[row].ask(f"{words} {cell(size)} {MILLISECONDS}")
            except Failed:
                programs.pop(row).end()
                raise
            return figures(answer)[0]

        table.measure(rounds, rows, name(size), one)
    for program in programs.values():
        program.end()
