"""The targets of sansocket, and whether a run has shown that they are met.

A target is met if the 95 % upper bound of the ratio meets it: an undecided run does not count.
"""

from .figures import ratio
from .programs import is_ours
from .tables import best_of, is_peer, number

EVERY = ()
UNDER = 1.0


class Target:
    """A bound for the ratio of our best row to another row, in some columns of some tables."""

    def __init__(self, what, tables, columns, rows, limit):
        self.what = what
        self.tables = tables
        self.columns = columns
        self.rows = rows
        self.limit = limit

    def cells(self, tables):
        """Yields the name of each cell, its value, and whether the value meets the limit."""
        for table in tables:
            if not table.title.startswith(self.tables):
                continue
            for column in self.columns or table.columns:
                value = self.value(table, column)
                met = value is not None and (value < self.limit if self.limit == UNDER else value <= self.limit)
                yield f"{table.title}, {column}", value, met

    def value(self, table, column):
        ours = best_of(table, column, is_ours)
        other = best_of(table, column, lambda row: self.rows(table, row, column))
        if not ours or not other:
            return None
        these, those = table.figures(ours, column), table.figures(other, column)
        if len(these) == 1:
            return these[0] / those[0] if those[0] else None
        compared = ratio(these, those)
        return compared.high if compared else None

    def say(self, value):
        return f"{value:.2f} ×"


class Beyond(Target):
    """A bound for the difference instead of the ratio."""

    def value(self, table, column):
        ours = best_of(table, column, is_ours)
        other = best_of(table, column, lambda row: self.rows(table, row, column))
        return table.median(ours, column) - table.median(other, column) if ours and other else None

    def say(self, value):
        return f"{number(abs(value))} KiB {'more' if value >= 0 else 'less'}"


def libraries(table, row, column):
    return not is_ours(row) and is_peer(table, row, column)


def only(*names):
    return lambda table, row, column: row in names


BARE = only("bare", "bare+simdutf8")
RAW = only("raw TCP (tokio)", "raw TCP (tokio) (64k)")
SMALL = ("16 B", "125 B", "1 KiB")
ONE_OUTSTANDING = ("100 × 16 B", "100 × 1 KiB", "10 × 16 KiB", "2 × 1 MiB")

TARGETS = [
    Target("Echo in memory: faster than the best library",
           ("In memory: server echo",), EVERY, libraries, UNDER),
    Target("Echo in memory: at most 1.3 × parsing, unmasking and copying by hand",
           ("In memory: server echo",), SMALL, BARE, 1.3),
    Target("Echo in memory: fewer instructions than the best library",
           ("In memory: instructions, server echo",), EVERY, libraries, UNDER),
    Target("Client in memory: faster than the best library",
           ("In memory: client sends",), EVERY, libraries, UNDER),
    Target("Masking: at most 1.05 × the fastest kernel", ("Masking alone",), EVERY, libraries, 1.05),
    Target("UTF-8: at most 1.05 × the faster of std and simdutf8",
           ("UTF-8 alone",), EVERY, only("std", "simdutf8"), 1.05),
    Target("Echo server: at most 1.03 × raw TCP",
           ("Echo server on loopback: processor time",), ONE_OUTSTANDING, RAW, 1.03),
    Target("Echo server, pipelined: at most 1.06 × raw TCP",
           ("Echo server on loopback: processor time",), ("100 × 16 B, 32 outstanding",), RAW, 1.06),
    Beyond("Idle: at most 0.3 KiB more than a task that waits",
           ("Idle connections",), EVERY, only("raw TCP (tokio) (waiting)"), 0.3),
    Target("permessage-deflate: faster than the best library",
           ("permessage-deflate: processor", "permessage-deflate, no context takeover: processor"),
           EVERY, libraries, UNDER),
    Target("Broadcast: at most 1.05 × raw writes", ("Broadcast",), EVERY, RAW, 1.05),
]


def markdown(tables):
    """Returns the table of all targets for which something was measured."""
    lines = [
        "## Targets", "",
        "Our best row compared with the other, by the 95 % upper bound of the ratio. So a target "
        "that the run leaves undecided counts as missed.", "",
        "| target | cells that meet it | worst cell |", "| --- | ---: | --- |",
    ]
    for target in TARGETS:
        cells = [cell for cell in target.cells(tables) if cell[1] is not None]
        if cells:
            met = sum(is_met for *_, is_met in cells)
            name, worst, _ = max(cells, key=lambda cell: cell[1])
            lines.append(f"| {target.what} | {met} of {len(cells)} | {target.say(worst)}, {name} |")
    return "\n".join(lines) + "\n"
