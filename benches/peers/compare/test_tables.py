import json
import unittest

from . import tables
from .measured import Table
from .programs import AGAIN, OURS


class Tables(unittest.TestCase):
    def setUp(self):
        self.table = Table("permessage-deflate", "µs", ["1 KiB"])
        for row, figure in {
            OURS: 20.0, AGAIN: 20.2, "a peer": 24.0, "another": 24.01, "a lazy one": 8.0, "bare": 5.0,
        }.items():
            for number in range(20):
                self.table.add(row, "1 KiB", figure * (1 + number / 1000))

    def cell(self, row):
        line = next(line for line in tables.rows(self.table) if line.startswith(f"| {row} "))
        return line.split(" | ")[1].removesuffix(" |")

    def test_a_limit_is_not_a_library(self):
        self.table.apart = [("a lazy one", "1 KiB")]
        self.assertEqual(self.cell("bare"), "5.05")
        self.assertEqual(self.cell(OURS), "**20.2**")

    def test_with_one_round_the_two_figures_are_compared(self):
        self.table.rows = {OURS: {"1 KiB": [200.0]}, AGAIN: {"1 KiB": [201.0]}, "a peer": {"1 KiB": [3.0]}}
        self.assertEqual(self.cell("*A/A*"), "1.005")
        self.assertNotIn("best other", "".join(tables.rows(self.table)))
        self.table.rows[OURS] = self.table.rows[AGAIN] = {"1 KiB": [0.0]}
        self.assertEqual(self.cell("*A/A*"), "the same")

    def test_rows_that_did_less_work_are_not_compared(self):
        self.assertIn("behind", self.cell("*sansocket"))
        self.table.apart = [("a lazy one", "1 KiB")]
        self.assertEqual(self.cell("a lazy one"), "(8.08)")
        self.assertEqual(self.cell("*sansocket"), "0.83 (0.83–0.83), ahead")
        kept = Table.from_json(json.loads(json.dumps(self.table.to_json())))
        self.assertEqual(tables.rows(kept), tables.rows(self.table))

    def test_rows_with_the_same_displayed_figure_are_equally_good(self):
        for row in (OURS, AGAIN, "a lazy one"):
            del self.table.rows[row]
        self.assertEqual([self.cell("a peer"), self.cell("another")], ["**24.2**"] * 2)

    def test_a_row_that_failed_once_stays_failed(self):
        self.table.fail("a peer", "1 KiB", "a wrong answer")
        self.assertEqual(self.cell("a peer"), "failed")
        self.assertTrue(self.table.has_failed("a peer", "1 KiB"))


if __name__ == "__main__":
    unittest.main()
