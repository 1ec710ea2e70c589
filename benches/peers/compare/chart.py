"""The chart: a panel per question, a bar per library, ours in color."""

from html import escape

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
COLUMNS = 2
WIDTH, GAP, MARGIN = 430, 40, 24
LABEL, BAR, LINE = 170, 190, 20

STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .title { font-size: 18px; font-weight: 600 }
  .panel { font-weight: 600; font-size: 13px }
  .unit, .limit-label, .foot { fill: #6e7781 }
  .ours-label { font-weight: 600 }
  .ours { fill: #d9480f } .peer { fill: #afb8c1 } .limit { fill: none; stroke: #afb8c1; stroke-dasharray: 3 2 }
  .ground { fill: #ffffff }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .unit, .limit-label, .foot { fill: #8b949e }
    .ours { fill: #ff8c42 } .peer { fill: #57606a } .limit { stroke: #6e7681 }
    .ground { fill: #0d1117 }
  }
"""


def svg(tables):
    panels = [panel for wanted in PANELS if (panel := bars(tables, wanted))]
    tops, height = layout(panels)
    width = MARGIN * 2 + COLUMNS * WIDTH + (COLUMNS - 1) * GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label="What sansocket and its peers cost">',
        f"<style>{STYLE}</style>",
        f'<rect class="ground" width="{width}" height="{height}" rx="8"/>',
        f'<text class="title" x="{MARGIN}" y="38">What sansocket and its peers cost</text>',
        f'<text class="foot" x="{MARGIN}" y="58">Lower is better. Each library by its fastest '
        "variant. Dashed: work by hand, without the full protocol. »: bar cut off. All tables: RESULTS.md."
        "</text>",
    ]
    for number, (panel, top) in enumerate(zip(panels, tops)):
        left = MARGIN + number % COLUMNS * (WIDTH + GAP)
        parts += draw(panel, left, top)
    return "\n".join([*parts, "</svg>\n"])


def layout(panels):
    tops, top = [], 92
    for start in range(0, len(panels), COLUMNS):
        row = panels[start:start + COLUMNS]
        tops += [top] * len(row)
        top += max(len(rows) for _, _, rows in row) * LINE + 52
    return tops, top


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
    rows = [(row, middle) for middle, row in sorted(least.values())]
    return (heading, unit, rows) if rows else None


def is_shown(row, part):
    """Returns `True` for the limits that matter to this question."""
    if part == "idle":
        return "waiting" in row
    return not row.endswith(("(64k)", "(waiting)"))


def draw(panel, left, top):
    heading, unit, rows = panel
    # A bar that is far longer would make the others too small to tell apart.
    largest = min(rows[-1][1], 4 * rows[len(rows) // 2][1])
    parts = [f'<text class="panel" x="{left}" y="{top}">{escape(heading)} <tspan class="unit">{unit}</tspan></text>']
    for number, (name, value) in enumerate(rows):
        y = top + 14 + number * LINE
        kind = "ours" if is_ours(name) else "limit" if is_limit(name) else "peer"
        width = max(1.0, min(1.0, value / largest) * BAR)
        figure = f"{value:.0f}" if value >= 100 else f"{value:.2g}" if value < 10 else f"{value:.1f}"
        cut = " »" if value > largest else ""
        parts += [
            f'<text class="{kind}-label" x="{left + LABEL - 8}" y="{y + 11}" text-anchor="end">{escape(name)}</text>',
            f'<rect class="{kind}" x="{left + LABEL}" y="{y}" width="{width:.1f}" height="13" rx="2"/>',
            f'<text class="{kind}-label" x="{left + LABEL + width + 6:.1f}" y="{y + 11}">{figure}{cut}</text>',
        ]
    return parts
