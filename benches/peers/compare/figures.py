"""Figures of several rounds, and the conclusions that they allow.

Every round measures all rows one after the other, so two rows are compared round by round: what
slows the machine down for a while slows both. The result is the median of the ratios, with its 95 %
confidence interval. The interval is read off the sorted ratios, without any assumption about their
distribution.
"""

import math
from statistics import median

__all__ = ["median", "Ratio", "ratio"]


class Ratio:
    """The median of paired ratios, and the bounds of its 95 % interval."""

    def __init__(self, ratios):
        ordered = sorted(ratios)
        rank = rank_of_bound(len(ordered))
        self.middle = median(ordered)
        self.low = ordered[rank]
        self.high = ordered[-1 - rank]

    def spread(self):
        """Returns how far from 1 the interval reaches."""
        return max(abs(self.low - 1), abs(self.high - 1))

    def beyond(self, spread):
        """Returns -1 or 1 if the whole interval is below or above what noise explains, else 0."""
        if self.high < 1 - spread:
            return -1
        if self.low > 1 + spread:
            return 1
        return 0


def ratio(these, those):
    """Compares two rows measured in the same rounds. Returns `None` if one of them failed."""
    pairs = [(a, b) for a, b in zip(these, those) if a is not None and b]
    return Ratio([a / b for a, b in pairs]) if pairs and len(pairs) == len(these) else None


def rank_of_bound(count):
    """Returns how many of `count` sorted values the interval leaves out at each end: the binomial
    tail of the median is at most 2.5 %."""
    tail, rank = 0.0, 0
    while rank < count // 2:
        tail += math.comb(count, rank) / 2**count
        if tail > 0.025:
            break
        rank += 1
    return max(0, rank - 1)
