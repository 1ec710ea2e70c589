"""Checks whether a second run puts the rows in the same order as the first."""

from itertools import combinations

from .programs import AGAIN
from .tables import compared, spread


def report(first, second):
    """Reports which pairs of rows that differ in the first run by more than noise have the opposite
    order in the second."""
    lines, kept, decided = [], 0, 0
    later = {table.title: table for tables in second.values() for table in tables}
    for table in (table for tables in first.values() for table in tables):
        again = later.get(table.title)
        if again is None:
            continue
        for column in table.columns:
            rows = [row for row in table.rows if row != AGAIN]
            for one, other in combinations(rows, 2):
                order = order_of(table, column, one, other)
                medians = again.median(one, column), again.median(other, column)
                if not order or None in medians:
                    continue
                decided += 1
                if (medians[0] - medians[1]) * order > 0:
                    kept += 1
                    continue
                opposite = order_of(again, column, one, other) == -order
                said = "beyond noise" if opposite else "within noise"
                lines.append(f"- {table.title}, {column}: {one}, {other}: in opposite order, {said}")
    return [f"{kept:,} of {decided:,} pairs that differ beyond noise keep their order.", "", *lines]


def order_of(table, column, one, other):
    """Returns -1 or 1 if the rows differ by more than two runs of the same program do, else 0."""
    pair = compared(table, column, one, other)
    return pair.beyond(spread(table, column)) if pair else 0
