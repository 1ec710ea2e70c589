import unittest

from . import machine


class Machine(unittest.TestCase):
    def test_compiler_flags_are_reported(self):
        self.assertEqual(machine.flags({"RUSTFLAGS": ""}, [{}]), "no flags for the processor")
        self.assertEqual(
            machine.flags(
                {"CARGO_ENCODED_RUSTFLAGS": "-C\x1ftarget-cpu=native"},
                [{"target": {"x86_64": {"rustflags": ["-C", "a"]}}}, {"build": {"rustflags": "-C b"}}],
            ),
            "flags: -C target-cpu=native; -C a; -C b",
        )

    def test_a_kernel_is_told_without_its_builder(self):
        self.assertEqual(machine.release("6.1.2-some-host"), "6.1.2")

    def test_cores_are_counted_without_a_model(self):
        self.assertEqual(machine.processor("processor : 0\nprocessor : 1\n"), "unknown, 2 cores")


if __name__ == "__main__":
    unittest.main()
