import unittest

from .__main__ import missing_parts
from .parts import PARTS, rounds_of
from .parts.build import builds_of
from .parts.deflate import check_agreed
from .programs import Failed


class Parts(unittest.TestCase):
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
