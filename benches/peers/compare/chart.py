"""The chart: a panel per question, a bar per library, ours in color."""

from . import picture
from .programs import AGAIN, is_limit, is_ours

PANELS = [
    ("codec", "In memory: server echo, binary", "125 B", "Echo of 125 B in memory", "ns"),
    ("codec", "In memory: server echo, text", "1 KiB", "Echo of 1 KiB of text in memory", "ns"),
    ("echo", "Echo server on loopback: processor time", "100 × 16 B, 32 outstanding",
     "Server, 100 connections, 32 × 16 B in flight", "µs"),
    ("echo", "Echo server on loopback: processor time", "100 × 1 KiB",
     "Server, 100 connections, 1 KiB", "µs"),
    ("idle", "Idle connections: resident memory", "after 16 KiB", "Memory of an idle connection", "KiB"),
    ("broadcast", "Broadcast to 1,000 connections: processor time", "1 KiB",
     "Broadcast of 1 KiB, per connection", "µs"),
]
TITLE = "What sansocket and its peers cost"
FOOT = (
    "Lower is better. Each library by its fastest variant. Dashed: work by hand, without the full protocol. "
    "»: bar cut off. All tables: RESULTS.md."
)


def svg(tables):
    panels = [panel for wanted in PANELS if (panel := bars(tables, wanted))]
    return picture.svg(TITLE, FOOT, panels)


def bars(tables, wanted):
    part, title, column, heading, unit = wanted
    table = next((table for table in tables.get(part, []) if table.title == title), None)
    if table is None:
        return None
    least = {}
    for row in table.rows:
        middle = table.median(row, column)
        limit = is_limit(row)
        name = row if limit else row.split(" (")[0]
        if row != AGAIN and middle is not None and (not limit or is_shown(row, part)):
            least[name] = min((middle, row), least.get(name, (middle, row)))
    rows = [picture.Bar(row, middle, kind(row)) for middle, row in sorted(least.values())]
    return picture.Panel(heading, unit, rows) if rows else None


def kind(row):
    return "ours" if is_ours(row) else "limit" if is_limit(row) else "peer"


def is_shown(row, part):
    """Returns `True` for the limits that matter to this question."""
    if part == "idle":
        return "waiting" in row
    return not row.endswith(("(64k)", "(waiting)"))
