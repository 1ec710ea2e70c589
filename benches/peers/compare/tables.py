"""Formats tables as Markdown, with the conclusions that they allow."""

import math

from .figures import ratio
from .programs import AGAIN, OURS, is_limit, is_ours, place

# A difference below this does not matter, for example one byte in a thousand.
EQUAL = 0.005


def markdown(table):
    lines = [f"## {table.title}", ""]
    if table.unit:
        better = "; lower is better" if table.less_is_better else ""
        lines += [f"{table.unit[0].upper()}{table.unit[1:]}{better}.", ""]
    lines += [note + "\n" for note in table.notes]
    lines += rows(table)
    return "\n".join(lines) + "\n"


def rows(table):
    labels = sorted((row for row in table.rows if row != AGAIN), key=place)
    lines = [line(["", *table.columns]), line(["---", *["---:"] * len(table.columns)])]
    best = {column: best_library(table, column) for column in table.columns}
    for row in labels:
        cells = [cell(table, row, column, best[column]) for column in table.columns]
        lines.append(line([row, *cells]))
    if not table.less_is_better or OURS not in table.rows:
        return lines
    if any(is_compared(table, column) for column in table.columns):
        lines.append(line(["*sansocket : best other*", *(verdict(table, c) for c in table.columns)]))
    if AGAIN in table.rows:
        lines.append(line(["*A/A*", *(same_again(table, c) for c in table.columns)]))
    return lines


def line(cells):
    return "| " + " | ".join(cells) + " |"


def cell(table, row, column, best):
    if table.has_failed(row, column):
        return "failed"
    middle = table.median(row, column)
    if middle is None:
        return "–"
    text = number(middle)
    if (row, column) in table.apart:
        return f"({text})"
    # Rows with the same displayed figure are equally good.
    is_best = best and text == number(table.median(best, column)) and is_peer(table, row, column)
    return f"**{text}**" if is_best else text


def number(value):
    if value == int(value) and value > 0:
        return f"{value:,.0f}"
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def best_of(table, column, includes):
    medians = [
        (middle, row) for row in table.rows
        if row != AGAIN and includes(row) and (middle := table.median(row, column)) is not None
    ]
    return min(medians)[1] if medians else None


def is_compared(table, column):
    figures = table.figures(OURS, column)
    return figures is not None and len(figures) > 1


def spread(table, column):
    """Returns how far our two rows of the same program lie apart."""
    again = compared(table, column, AGAIN, OURS)
    return again.spread() if again else math.inf


def compared(table, column, row, other):
    these, those = table.figures(row, column), table.figures(other, column)
    return ratio(these, those) if these and those and len(these) > 1 else None


def against_best(table, column):
    """Compares our best row with the best row of the others."""
    ours, best = pair(table, column)
    return compared(table, column, ours, best) if ours and best else None


def pair(table, column):
    # std and simdutf8 count as limits, but validate as much as a library does.
    return best_of(table, column, is_ours), best_of(
        table, column,
        lambda row: not is_ours(row) and (row in ("std", "simdutf8") or is_peer(table, row, column)),
    )


def best_library(table, column):
    if not table.less_is_better:
        return None
    return best_of(table, column, lambda row: is_peer(table, row, column))


def is_peer(table, row, column):
    return not is_limit(row) and (row, column) not in table.apart


def verdict(table, column):
    against = against_best(table, column)
    if against is None:
        return "–"
    words = {-1: "ahead", 0: "undecided", 1: "behind"}
    said = "equal" if against.spread() < EQUAL else words[against.beyond(spread(table, column))]
    return f"{against.middle:.2f} ({against.low:.2f}–{against.high:.2f}), {said}"


def same_again(table, column):
    again = compared(table, column, AGAIN, OURS)
    if again:
        return f"{again.middle:.2f} ({again.low:.2f}–{again.high:.2f})"
    these, those = table.figures(AGAIN, column), table.figures(OURS, column)
    if not these or not those or len(these) > 1:
        return "–"
    if these == those:
        return "the same"
    return f"{these[0] / those[0]:.3f}" if those[0] else "–"
