import contextlib
import io
import os
import unittest

from .measured import Cell, Run, Table
from .programs import Failed


class Measured(unittest.TestCase):
    def setUp(self):
        self.cores = os.sched_getaffinity(0)
        self.order = []

    def measure(self, seed, fails=()):
        def measure_in(column):
            def one(row):
                self.order.append((column, row))
                if (column, row) in fails:
                    raise Failed("a wrong answer")
                return 1.0
            return one

        table = Table("a table", "ns", "ab")
        with contextlib.redirect_stderr(io.StringIO()):
            Run(6, seed).measure([Cell(table, column, "xyz", measure_in(column)) for column in "ab"])
        self.assertEqual(os.sched_getaffinity(0), self.cores)
        return table

    def test_each_round_measures_all_columns_and_the_rows_of_each_together(self):
        self.measure(1)
        rounds = [self.order[start:start + 6] for start in range(0, 36, 6)]
        for measured in rounds:
            self.assertEqual(len(set(measured)), 6)
            self.assertEqual(len({column for column, _ in measured[:3]}), 1)
        self.assertGreater(len({tuple(measured) for measured in rounds}), 1)

    def test_a_seed_determines_the_order(self):
        self.measure(1)
        first = self.order.copy()
        self.order.clear()
        self.measure(1)
        self.assertEqual(self.order, first)
        self.order.clear()
        self.measure(2)
        self.assertNotEqual(self.order, first)

    def test_a_failed_row_is_not_measured_again(self):
        table = self.measure(1, fails=[("a", "x")])
        self.assertTrue(table.has_failed("x", "a"))
        self.assertEqual(self.order.count(("a", "x")), 1)
        self.assertEqual(len(table.figures("x", "b")), 6)


if __name__ == "__main__":
    unittest.main()
