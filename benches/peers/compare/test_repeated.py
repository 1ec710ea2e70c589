import unittest

from . import repeated
from .measured import Table
from .programs import AGAIN, OURS


def tables(ours, peer):
    table = Table("In memory", "ns", ["16 B"])
    for row, figure in ((OURS, ours), (AGAIN, ours), ("a peer", peer)):
        for _ in range(20):
            table.add(row, "16 B", figure)
    return {"codec": [table]}


class Repeated(unittest.TestCase):
    def test_pairs_that_change_their_order_are_reported(self):
        first, *rest = repeated.report(tables(1.0, 2.0), tables(2.0, 1.0))
        self.assertIn("0 of 1 pairs", first)
        self.assertIn(f"- In memory, 16 B: {OURS}, a peer: in opposite order, beyond noise", rest)
        self.assertIn("1 of 1 pairs", repeated.report(tables(1.0, 2.0), tables(1.0, 3.0))[0])

    def test_rows_that_were_not_measured_again_are_not_counted(self):
        self.assertIn("0 of 0 pairs", repeated.report(tables(1.0, 2.0), {})[0])


if __name__ == "__main__":
    unittest.main()
