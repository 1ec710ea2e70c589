"""A picture of bars: a panel for each question, a bar for each row."""

from html import escape
from typing import NamedTuple

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


class Bar(NamedTuple):
    name: str
    value: float
    kind: str
    """ours, limit or peer"""


class Panel(NamedTuple):
    heading: str
    unit: str
    bars: list
    is_less_better: bool = True


def svg(title, foot, panels):
    tops, height = layout(panels)
    width = MARGIN * 2 + COLUMNS * WIDTH + (COLUMNS - 1) * GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label="{title}">',
        f"<style>{STYLE}</style>",
        f'<rect class="ground" width="{width}" height="{height}" rx="8"/>',
        f'<text class="title" x="{MARGIN}" y="38">{title}</text>',
        f'<text class="foot" x="{MARGIN}" y="58">{foot}</text>',
    ]
    for number, (panel, top) in enumerate(zip(panels, tops)):
        parts += draw(panel, MARGIN + number % COLUMNS * (WIDTH + GAP), top)
    return "\n".join([*parts, "</svg>\n"])


def layout(panels):
    tops, top = [], 92
    for start in range(0, len(panels), COLUMNS):
        row = panels[start:start + COLUMNS]
        tops += [top] * len(row)
        top += max(len(panel.bars) for panel in row) * LINE + 52
    return tops, top


def draw(panel, left, top):
    values = sorted(bar.value for bar in panel.bars)
    # A bar that is far longer would make the others too small to tell apart.
    largest = min(values[-1], 4 * values[len(values) // 2]) if panel.is_less_better else values[-1]
    heading, unit = escape(panel.heading), panel.unit
    parts = [f'<text class="panel" x="{left}" y="{top}">{heading} <tspan class="unit">{unit}</tspan></text>']
    for number, (name, value, kind) in enumerate(panel.bars):
        y = top + 14 + number * LINE
        width = max(1.0, min(1.0, value / largest) * BAR)
        figure = f"{value:.0f}" if value >= 100 else f"{value:.2g}" if value < 10 else f"{value:.1f}"
        cut = " »" if value > largest else ""
        parts += [
            f'<text class="{kind}-label" x="{left + LABEL - 8}" y="{y + 11}" text-anchor="end">{escape(name)}</text>',
            f'<rect class="{kind}" x="{left + LABEL}" y="{y}" width="{width:.1f}" height="13" rx="2"/>',
            f'<text class="{kind}-label" x="{left + LABEL + width + 6:.1f}" y="{y + 11}">{figure}{cut}</text>',
        ]
    return parts
