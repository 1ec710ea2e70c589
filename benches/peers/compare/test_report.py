import unittest

from . import chart, report
from .measured import Table
from .programs import AGAIN, OURS


def section(machine, rounds=20):
    return {
        "date": "2030-01-01", "rounds": rounds, "seconds": 90.0, "seed": 7, "commit": "abc",
        "machine": machine,
    }


class Report(unittest.TestCase):
    def markdown(self, *machines):
        sections = {name: section(machine) for name, machine in zip(("codec", "idle"), machines)}
        return report.markdown(sections, {name: [] for name in sections})

    def test_a_shared_machine_is_listed_once_and_others_for_each_part(self):
        same = self.markdown(["Kernel: a"], ["Kernel: a"])
        self.assertEqual(same.count("- Kernel: a"), 1)
        self.assertIn("took 3 minutes", same)
        other = self.markdown(["Kernel: a"], ["Kernel: b"])
        self.assertEqual((other.count("- Kernel: a"), other.count("- Kernel: b")), (1, 1))

    def test_a_part_lists_its_rounds(self):
        self.assertIn("6 rounds, 90 s, seed 7, sansocket at abc", report.measured("idle", section([], 6)))
        self.assertIn("one round", report.measured("build", section([], 1)))


class Chart(unittest.TestCase):
    def test_a_library_has_one_bar_and_each_limit_its_own(self):
        part, title, column, *_ = wanted = chart.PANELS[2]
        table = Table(title, "µs", [column])
        for row, figure in {
            OURS: 3.0, AGAIN: 2.9, "a peer": 4.0, "a peer (tuned)": 3.5, "raw TCP (tokio)": 2.0,
            "raw TCP (tokio) (waiting)": 1.0,
        }.items():
            table.add(row, column, figure)
        panel = chart.bars({part: [table]}, wanted)
        expected = [("raw TCP (tokio)", 2.0, "limit"), (OURS, 3.0, "ours"), ("a peer (tuned)", 3.5, "peer")]
        self.assertEqual(panel.bars, expected)


if __name__ == "__main__":
    unittest.main()
