"""Tables of figures, and the rounds that measure them."""

import os
import random
import sys
import time
from typing import Callable, NamedTuple

from .figures import median
from .programs import MEASURING_CORE, Failed


class Table:
    """One figure per row, column and round. A cell that failed once stays failed."""

    def __init__(self, title, unit, columns):
        self.title = title
        self.unit = unit
        self.less_is_better = True
        self.columns = list(columns)
        self.rows = {}
        self.notes = []
        # Cells that are shown but not compared with.
        self.apart = []
        self.companions = []

    def add(self, row, column, figure):
        self.rows.setdefault(row, {}).setdefault(column, []).append(figure)

    def fail(self, row, column, reason):
        cell = self.rows.setdefault(row, {})
        if cell.get(column) != "failed":
            print(f"\n  {row}, {column}: failed: {reason}", file=sys.stderr)
        cell[column] = "failed"
        for table in self.companions:
            table.rows.setdefault(row, {})[column] = "failed"

    def has_failed(self, row, column):
        return self.rows.get(row, {}).get(column) == "failed"

    def figures(self, row, column):
        """Returns the figures of all rounds of a cell, or `None` if there are none."""
        cell = self.rows.get(row, {}).get(column)
        return cell if isinstance(cell, list) else None

    def median(self, row, column):
        figures = self.figures(row, column)
        return median(figures) if figures else None

    def to_json(self):
        return {name: value for name, value in vars(self).items() if name != "companions"}

    @classmethod
    def from_json(cls, fields):
        table = cls(fields["title"], fields["unit"], fields["columns"])
        table.rows = fields["rows"]
        table.notes = fields["notes"]
        table.less_is_better = fields.get("less_is_better", True)
        table.apart = [tuple(cell) for cell in fields.get("apart", [])]
        return table


class Cell(NamedTuple):
    """One column of one table: `measure(row)` returns a figure for a row."""

    table: Table
    column: str
    rows: list
    measure: Callable


class Run:
    """The number of rounds, and the order of all measurements."""

    def __init__(self, rounds, seed, servers=()):
        self.rounds = rounds
        self.servers = list(servers)
        self.random = random.Random(seed)

    def measure(self, cells, rounds=None):
        """Measures all cells in each round, and the rows of a cell directly after each other: what
        slows the machine for some minutes then affects all columns alike, and few rounds."""
        cells = [cell._replace(rows=list(cell.rows)) for cell in cells]
        rounds = rounds or self.rounds
        # This process must not disturb the measurement.
        cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {MEASURING_CORE})
        for number in range(rounds):
            self.random.shuffle(cells)
            for cell in cells:
                self.random.shuffle(cell.rows)
                progress(cell.table.title, f"{cell.column}, round {number + 1} of {rounds}")
                for row in cell.rows:
                    measure_once(cell, row)
        os.sched_setaffinity(0, cores)


def measure_once(cell, row):
    if cell.table.has_failed(row, cell.column):
        return
    try:
        figure = cell.measure(row)
    except Failed as failure:
        cell.table.fail(row, cell.column, failure)
    else:
        # If the row has failed as a companion meanwhile, it stays failed.
        if not cell.table.has_failed(row, cell.column):
            cell.table.add(row, cell.column, figure)


_started = time.monotonic()
_announced = set()


def progress(subject, detail=""):
    """Shows the progress: on a terminal in one line that changes, else one line per subject."""
    elapsed = int(time.monotonic() - _started)
    line = f"[{elapsed // 60:2}:{elapsed % 60:02}] {subject}"
    if sys.stderr.isatty():
        print(f"\r\033[K{line}{detail and ': '}{detail}", end="", file=sys.stderr, flush=True)
    elif subject not in _announced:
        _announced.add(subject)
        print(line, file=sys.stderr, flush=True)
