"""The tables and the chart, from made-up figures."""

import unittest
import xml.etree.ElementTree as ElementTree

from . import chart, report
from .parts import BARE_NAMES, OURS_STOMP, RABBITMQ, Figures

FAN_OUT = {
    "deliveries": 200_000.0, "cpu_saturated": 1_000.0, "cpu_alone": 9_000.0, "cpu_steady": 9_500.0,
    "load_cpu": 500.0, "p50": 1e6, "p99": 2e6, "bytes": 229.0,
}


def figures():
    measured = Figures()
    for _ in range(3):
        measured.add(OURS_STOMP, **FAN_OUT)
        measured.add(BARE_NAMES[0], **{**FAN_OUT, "cpu_alone": 6_000.0})
    measured.fail(RABBITMQ, "it does not listen")
    idle = Figures()
    idle.add(OURS_STOMP, rss=3_000.0, pss=2_990.0, heap=2_500.0)
    idle.add(RABBITMQ, rss=50_000.0, pss=50_000.0)
    return {
        "load": 0.1, "date": "2026-01-01", "commit": "abc", "machine": ["Processor: one"], "rounds": 3, "seconds": 1,
        "subscribers": 10_000, "idle": idle.to_json(), "fan-out": {"100": measured.to_json()},
    }


class Report(unittest.TestCase):
    def test_ratios_are_those_of_the_rounds(self):
        self.assertIn("1.50 (1.50–1.50) alone", report.markdown(figures()))

    def test_a_row_that_failed_says_why(self):
        self.assertIn(f"| {RABBITMQ} | failed: it does not listen |", report.markdown(figures()))

    def test_what_is_not_told_is_left_out(self):
        self.assertIn(f"| {RABBITMQ} | 50,000 | 50,000 |  |", report.markdown(figures()))


class Chart(unittest.TestCase):
    def test_it_is_well_formed_and_names_the_rows(self):
        drawn = chart.svg(figures())
        ElementTree.fromstring(drawn)
        self.assertIn(f">{OURS_STOMP}</text>", drawn)

    def test_more_deliveries_come_first(self):
        measured = Figures()
        measured.add("slow", deliveries=1.0)
        measured.add("fast", deliveries=2.0)
        self.assertEqual([bar.name for bar in chart.bars(measured, "deliveries", 1)], ["fast", "slow"])


if __name__ == "__main__":
    unittest.main()
