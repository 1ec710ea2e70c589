"""The chart: a panel for each question, a bar for each row, ours in color."""

from compare import picture

from .parts import BARE_NAMES, Figures

TITLE = "What a delivery costs the server, and what a subscriber holds"
FOOT = (
    "Less is better, but for deliveries. Dashed: the same bytes to the same sockets, without a protocol. "
    "»: bar cut off. All tables: RESULTS.md."
)


def svg(figures):
    panels = [panel for panel in (*fan_out(figures), idle(figures)) if panel.bars]
    return picture.svg(TITLE, FOOT, panels)


def fan_out(figures):
    for subscribers, fields in figures["fan-out"].items():
        if subscribers == "1":
            continue
        measured = Figures.from_json(fields)
        crowd = f"{int(subscribers):,} subscribers"
        for heading, column, unit, scale in (
            (f"{crowd}: CPU, one message at a time", "cpu_alone", "µs a delivery", 1000),
            (f"{crowd}: deliveries", "deliveries", "thousands a second", 1000),
        ):
            yield picture.Panel(heading, unit, bars(measured, column, scale), column != "deliveries")


def idle(figures):
    measured = Figures.from_json(figures["idle"])
    heading = f"Memory of an idle subscriber, of {figures['subscribers']:,}"
    return picture.Panel(heading, "KiB, resident", bars(measured, "rss", 1024))


def bars(figures, column, scale):
    found = [picture.Bar(row, figures.median(row, column) / scale, kind(row)) for row in figures.rows]
    return sorted(found, key=lambda bar: bar.value, reverse=column == "deliveries")


def kind(row):
    return "ours" if row.startswith("sansocket") else "limit" if row in BARE_NAMES else "peer"
