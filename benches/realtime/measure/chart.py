"""The chart: a panel for each question, a bar for each row, ours in color."""

from html import escape

from .parts import BARE, Figures

COLUMNS, WIDTH, GAP, MARGIN = 2, 430, 40, 24
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
TITLE = "What a delivery costs the server, and what a subscriber holds"


def svg(figures):
    panels = [panel for panel in (*fan_out(figures), idle(figures)) if panel[3]]
    tops, height = layout(panels)
    width = MARGIN * 2 + COLUMNS * WIDTH + (COLUMNS - 1) * GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label="{TITLE}">',
        f"<style>{STYLE}</style>",
        f'<rect class="ground" width="{width}" height="{height}" rx="8"/>',
        f'<text class="title" x="{MARGIN}" y="38">{TITLE}</text>',
        f'<text class="foot" x="{MARGIN}" y="58">Less is better, but for deliveries. Dashed: the same bytes to the same sockets, without a protocol. '
        "»: bar cut off. All tables: RESULTS.md.</text>",
    ]
    for number, (panel, top) in enumerate(zip(panels, tops)):
        parts += draw(panel, MARGIN + number % COLUMNS * (WIDTH + GAP), top)
    return "\n".join([*parts, "</svg>\n"])


def fan_out(figures):
    """Yields panels: heading, unit, whether less is better, and bars."""
    for subscribers, fields in figures["fan-out"].items():
        if subscribers == "1":
            continue
        measured = Figures.from_json(fields)
        crowd = f"{int(subscribers):,} subscribers"
        for heading, column, unit, scale in (
            (f"{crowd}: CPU, one message at a time", "cpu_alone", "µs a delivery", 1000),
            (f"{crowd}: deliveries", "deliveries", "thousands a second", 1000),
        ):
            yield heading, unit, column != "deliveries", bars(measured, column, scale)


def idle(figures):
    measured = Figures.from_json(figures["idle"])
    heading = f"Memory of an idle subscriber, of {figures['subscribers']:,}"
    return heading, "KiB, resident", True, bars(measured, "rss", 1024)


def bars(figures, column, scale):
    found = [(row, figures.median(row, column) / scale) for row in figures.rows]
    return sorted(found, key=lambda bar: bar[1], reverse=column == "deliveries")


def layout(panels):
    tops, top = [], 92
    for start in range(0, len(panels), COLUMNS):
        row = panels[start:start + COLUMNS]
        tops += [top] * len(row)
        top += max(len(found) for *_, found in row) * LINE + 52
    return tops, top


def draw(panel, left, top):
    heading, unit, is_less_better, found = panel
    values = sorted(value for _, value in found)
    # A bar that is far longer would make the others too small to tell apart.
    largest = min(values[-1], 4 * values[len(values) // 2]) if is_less_better else values[-1]
    parts = [f'<text class="panel" x="{left}" y="{top}">{escape(heading)} <tspan class="unit">{unit}</tspan></text>']
    for number, (name, value) in enumerate(found):
        y = top + 14 + number * LINE
        kind = "ours" if name.startswith("sansocket") else "limit" if name in BARE.values() else "peer"
        width = max(1.0, min(1.0, value / largest) * BAR)
        figure = f"{value:.0f}" if value >= 100 else f"{value:.2g}" if value < 10 else f"{value:.1f}"
        cut = " »" if value > largest else ""
        parts += [
            f'<text class="{kind}-label" x="{left + LABEL - 8}" y="{y + 11}" text-anchor="end">{escape(name)}</text>',
            f'<rect class="{kind}" x="{left + LABEL}" y="{y}" width="{width:.1f}" height="13" rx="2"/>',
            f'<text class="{kind}-label" x="{left + LABEL + width + 6:.1f}" y="{y + 11}">{figure}{cut}</text>',
        ]
    return parts
