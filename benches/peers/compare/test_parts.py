import unittest

from .__main__ import missing_parts
from .measured import Table
from .parts import PARTS, latency, rounds_of
from .parts.build import builds_of
from .parts.deflate import check_agreed
from .programs import Failed


class Scripted:
    """A program that prints the given lines, and notes in `said` what it is told."""

    def __init__(self, said, lines):
        self.said = said
        self.lines = iter(lines)
        self.times = iter([1_000_000, 1_030_000])

    def cpu(self):
        return next(self.times)

    def say(self, line):
        self.said.append(line)

    def line(self):
        line = next(self.lines)
        self.said.append(f"< {line}")
        return line


class Parts(unittest.TestCase):
    def setUp(self):
        self.before = latency.COUNT, latency.PAUSE
        latency.COUNT, latency.PAUSE = 2, 0

    def tearDown(self):
        latency.COUNT, latency.PAUSE = self.before

    def test_a_timed_message_is_sent_once_all_connections_have_the_one_before(self):
        said = []
        answer = '{"ok":true,"messages":6}'
        generator = Scripted(said, ["ready", "ready", answer])
        measured = latency.send(125, Scripted(said, ["sent", "sent"]), generator)
        self.assertEqual((measured["messages"], measured["server_cpu_us"]), (6, 5.0))
        self.assertEqual(said, [
            "time 125 2", "< ready", "send-timed 125", "< ready", "< sent", "send-timed 125",
            f"< {answer}", "< sent",
        ])

    def test_a_wrong_timed_message_is_a_failure(self):
        generator = Scripted([], ["ready", '{"ok":false,"error":"a message is wrong"}'])
        with self.assertRaisesRegex(Failed, "a message is wrong"):
            latency.send(125, Scripted([], ["sent"]), generator)

    def test_a_group_is_compared_with_bare_writes_and_with_tasks(self):
        table = Table("Latency", "µs", ["125 B"])
        for row, figure in ((latency.GROUP, 2.0), (latency.BARE, 4.0), (latency.TASKS, 1.0)):
            for _ in range(9):
                table.add(row, "125 B", figure)
        (note,) = latency.ratios(table)
        self.assertIn(f"0.50 (0.50–0.50) × {latency.BARE}, 2.00 (2.00–2.00) × {latency.TASKS}.", note)
        table.fail(latency.TASKS, "125 B", "a wrong answer")
        (note,) = latency.ratios(table)
        self.assertNotIn(latency.TASKS, note)

    def test_a_server_that_negotiates_another_takeover_is_not_measured(self):
        check_agreed("takeover", "permessage-deflate")
        check_agreed("no-takeover", "permessage-deflate; server_no_context_takeover")
        for mode, agreed in (
            ("takeover", "permessage-deflate; server_no_context_takeover"),
            ("no-takeover", "permessage-deflate; client_no_context_takeover"),
        ):
            with self.assertRaises(Failed):
                check_agreed(mode, agreed)

    def test_only_ours_is_built_with_compression_and_without(self):
        builds = builds_of({
            "bench-sansocket": (["sansocket-codec", "sansocket-echo"], ["deflate"]),
            "bench-limits": (["limits-echo", "limits-epoll-echo"], []),
            "bench-other": (["other-echo"], ["deflate"]),
        })
        self.assertEqual(
            [(name, features) for name, *_, features in builds],
            [
                ("other", ()),
                ("raw TCP (tokio)", ()),
                ("sansocket", ()),
                ("sansocket", ("--features=deflate",)),
            ],
        )

    def test_a_part_reports_its_number_of_rounds(self):
        self.assertEqual([rounds_of(name, 16) for name in ("codec", "idle", "build")], [16, 5, 1])

    def test_missing_parts_are_reported(self):
        self.assertEqual(missing_parts({"codec": {}}, list(PARTS)[1:]), [])
        self.assertEqual(missing_parts({}, list(PARTS)[1:]), ["codec"])


if __name__ == "__main__":
    unittest.main()
