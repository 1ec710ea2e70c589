"""Evaluates the reports of wstest: report.py DIRECTORY... <expected-case-ids

Each directory has the name of its combination, which is also the agent's name
in the reports. It contains wstest's index.json and the file `duration` (in
seconds) that `run` wrote. If something other than a case failed, it also
contains the file `problem`.

Runs on Python 2.7 and 3 alike.
"""

from __future__ import print_function

import io
import json
import os
import sys
import textwrap

HEADER = ("combination", "cases", "OK", "informational", "non-strict",
          "failed", "missing", "unexpected", "duration")


class Combination(object):
    def __init__(self, directory, expected):
        self.directory = directory
        self.name = os.path.basename(directory)
        self.expected = expected
        self.problem = note(directory, "problem")
        self.seconds = int(note(directory, "duration") or 0)
        results, self.unexpected = self.results()
        self.missing = [case for case in expected if case not in results]
        self.kinds = {"OK": [], "INFORMATIONAL": [], "NON-STRICT": [], "FAILED": []}
        for case in expected:
            if case in results:
                self.kinds[kind(results[case])].append((case, results[case]))

    def results(self):
        """Returns the results by case id, and the unexpected results."""
        try:
            with io.open(os.path.join(self.directory, "index.json"), encoding="utf-8") as f:
                index = json.load(f)
        except (IOError, ValueError) as e:
            self.problem = self.problem or "no results: %s" % e
            return {}, []
        asked, unexpected = {}, []
        for agent in sorted(index):
            for case, result in sorted(index[agent].items(), key=lambda item: number(item[0])):
                if agent == self.name and case in self.expected:
                    asked[case] = result
                else:
                    unexpected.append((case, result))
        return asked, unexpected

    def passed(self):
        return len(self.kinds["OK"]) + len(self.kinds["INFORMATIONAL"])

    def failed(self):
        """Returns the number of failed cases. A problem counts as one if no case failed."""
        cases = (len(self.kinds["NON-STRICT"]) + len(self.kinds["FAILED"])
                 + len(self.missing) + len(self.unexpected))
        return max(cases, 1 if self.problem or not self.passed() else 0)

    def row(self):
        return (self.name, len(self.expected), len(self.kinds["OK"]), len(self.kinds["INFORMATIONAL"]),
                len(self.kinds["NON-STRICT"]), len(self.kinds["FAILED"]), len(self.missing),
                len(self.unexpected), "%d:%02d" % divmod(self.seconds, 60))

    def print_details(self):
        if self.problem:
            print("%s: %s" % (self.name, self.problem))
        for label in ("NON-STRICT", "FAILED"):
            for case, result in self.kinds[label]:
                self.print_case(case, result, "")
        for case, result in self.unexpected:
            self.print_case(case, result, "unexpected, ")
        if self.missing:
            text = "%s: missing: %s" % (self.name, ", ".join(ranges(self.missing, self.expected)))
            print("\n".join(textwrap.wrap(text, 100, subsequent_indent="    ")))

    def print_case(self, case, result, remark):
        report = os.path.splitext(result["reportfile"])[0] + ".html"
        print("%s: %s %sbehavior %s, behaviorClose %s: %s" % (
            self.name, case, remark, result["behavior"], result["behaviorClose"],
            os.path.join(self.directory, report)))


def kind(result):
    """Returns the worse of the outcome of the case and that of its connection's close."""
    both = {result["behavior"], result["behaviorClose"]}
    for name in ("OK", "INFORMATIONAL", "NON-STRICT"):
        both.discard(name)
        if not both:
            return name
    return "FAILED"


def number(case):
    return [int(part) for part in case.split(".")]


def ranges(cases, order):
    """Shortens runs of consecutive cases to the first and the last one."""
    runs = []
    for case in cases:
        if runs and order.index(case) == order.index(runs[-1][-1]) + 1:
            runs[-1].append(case)
        else:
            runs.append([case])
    return [run[0] if len(run) == 1 else "%s to %s" % (run[0], run[-1]) for run in runs]


def note(directory, name):
    try:
        with io.open(os.path.join(directory, name), encoding="utf-8") as f:
            return f.read().strip()
    except IOError:
        return ""


def print_table(rows):
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*rows)]
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        print("  ".join(cells))


def main():
    expected = sys.stdin.read().split()
    combinations = [Combination(directory, expected) for directory in sys.argv[1:]]
    print()
    print_table([HEADER] + [c.row() for c in combinations])
    print()
    for combination in combinations:
        combination.print_details()
    failed = sum(c.failed() for c in combinations)
    print("%d passed, %d failed" % (sum(c.passed() for c in combinations), failed))
    return 1 if failed or not combinations else 0


if __name__ == "__main__":
    sys.exit(main())
