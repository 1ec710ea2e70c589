import unittest

from . import targets
from .measured import Table
from .programs import OURS


class Targets(unittest.TestCase):
    def lines(self, ours, raw):
        table = Table("Echo server on loopback: processor time", "µs", ["100 × 16 B"])
        for figures, row in ((ours, OURS), (raw, "raw TCP (tokio)"), ([0.5], "a peer")):
            for figure in figures * (20 // len(figures)):
                table.add(row, "100 × 16 B", figure)
        return [line for line in targets.markdown([table]).splitlines() if line.startswith("| Echo")]

    def test_the_upper_bound_has_to_meet_the_target(self):
        (line,) = self.lines([1.0, 1.04], [1.0])
        self.assertEqual(
            line,
            "| Echo server: at most 1.03 × raw TCP | 0 of 1 | "
            "1.04 ×, Echo server on loopback: processor time, 100 × 16 B |",
        )
        self.assertIn("1 of 1", self.lines([1.0, 1.02], [1.0])[0])

    def test_an_equal_figure_is_not_faster(self):
        for figure, met in ((1.0, "0 of 1"), (0.99, "1 of 1")):
            table = Table("In memory: client sends, binary", "ns", ["16 B"])
            for _ in range(20):
                table.add(OURS, "16 B", figure)
                table.add("a peer", "16 B", 1.0)
            self.assertIn(met, targets.markdown([table]))

    def test_a_difference_may_be_up_to_the_limit(self):
        for figure, met in ((1.4, "1 of 1 | 0.30 KiB more"), (1.41, "0 of 1"), (1.0, "0.10 KiB less")):
            table = Table("Idle connections: resident memory", "KiB", ["after 16 B"])
            table.add(OURS, "after 16 B", figure)
            table.add("raw TCP (tokio) (waiting)", "after 16 B", 1.1)
            self.assertIn(met, targets.markdown([table]))

    def test_targets_without_figures_are_omitted(self):
        self.assertNotIn("Broadcast", targets.markdown([]))


if __name__ == "__main__":
    unittest.main()
