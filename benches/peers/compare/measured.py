"""The figures of one table: rows measured in rounds, column by column."""

import os
import random
import sys
import time

from .figures import median
from .programs import MEASURING_CORE, Failed


class Table:
    """Figures a row, a column and a round. A row that failed once is failed."""

    def __init__(self, title, unit, columns):
        self.title = title
        self.unit = unit
        self.less_is_better = True
        self.columns = list(columns)
        self.rows = {}
        self.notes = []
        # Cells that are shown, and are no peers to be compared with.
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
        """The rounds of a cell; `None` if there are none."""
        cell = self.rows.get(row, {}).get(column)
        return cell if isinstance(cell, list) else None

    def median(self, row, column):
        figures = self.figures(row, column)
        return median(figures) if figures else None

    def measure(self, rounds, rows, column, measure):
        """Calls `measure(row)` for each row in each round, each time in another order."""
        labels = list(rows)
        # This process is not to disturb what is measured.
        cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {MEASURING_CORE})
        for number in range(rounds):
            random.Random(f"{self.title}, {column}, {number}").shuffle(labels)
            for row in labels:
                if self.has_failed(row, column):
                    continue
                try:
                    self.add(row, column, measure(row))
                except Failed as failure:
                    self.fail(row, column, failure)
            progress(self.title, f"{column}, round {number + 1} of {rounds}")
        os.sched_setaffinity(0, cores)

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


_started = time.monotonic()
_announced = set()


def progress(subject, detail=""):
    """Says what is done now: on a terminal in one line that changes, else once a subject."""
    elapsed = int(time.monotonic() - _started)
    line = f"[{elapsed // 60:2}:{elapsed % 60:02}] {subject}"
    if sys.stderr.isatty():
        print(f"\r\033[K{line}{detail and ': '}{detail}", end="", file=sys.stderr, flush=True)
    elif subject not in _announced:
        _announced.add(subject)
        print(line, file=sys.stderr, flush=True)
