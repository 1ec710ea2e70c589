import math
import unittest

from .figures import Ratio, rank_of_bound, ratio


class Figures(unittest.TestCase):
    def test_the_bounds_contain_the_median_with_95_percent(self):
        for count in range(6, 200):
            rank = rank_of_bound(count)
            outside = lambda at: 2 * sum(math.comb(count, below) for below in range(at + 1)) / 2**count
            self.assertLessEqual(outside(rank), 0.05)
            self.assertGreater(outside(rank + 1), 0.05, "a narrower interval would do")
        self.assertEqual(rank_of_bound(20), 5)

    def test_rows_are_compared_round_by_round(self):
        compared = ratio([2, 40, 6], [1, 20, 3])
        self.assertEqual((compared.low, compared.middle, compared.high), (2, 2, 2))
        self.assertIsNone(ratio([1, None], [1, 1]))

    def test_only_a_difference_beyond_the_spread_is_decided(self):
        faster = Ratio([0.8, 0.81, 0.82, 0.8, 0.8, 0.81, 0.8])
        self.assertEqual(faster.beyond(0.05), -1)
        self.assertEqual(faster.beyond(0.25), 0)
        self.assertEqual(faster.beyond(math.inf), 0)


if __name__ == "__main__":
    unittest.main()
