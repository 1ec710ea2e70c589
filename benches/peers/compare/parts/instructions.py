"""Instructions per message, counted by callgrind."""

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

from ..measured import Table, progress
from ..programs import Failed, codecs

NEEDS = ("valgrind",)
ROUNDS = 1
CELLS = {
    "echo": {"16 B": ("binary", 16), "125 B": ("binary", 125), "125 B text": ("text", 125)},
    "client": {"16 B": ("binary", 16), "125 B": ("binary", 125)},
}
PASSES = 5
# The function of the harness that contains only the counted work.
COUNTED = "*Passes*run_counted*"


def measure(_run):
    return [count_work(work, words) for work, words in (("echo", "server echo"), ("client", "client sends"))]


def count_work(work, words):
    table = Table(f"In memory: instructions, {words}", "instructions per message", CELLS[work])
    table.notes.append("Counted once by callgrind, almost without noise.")
    rows = [(label, path, variant) for label, path, what, variant in codecs() if what == work]
    with ThreadPoolExecutor(2) as pool:
        jobs = {
            (label, column): pool.submit(count, path, work, variant, *cell)
            for label, path, variant in rows
            for column, cell in CELLS[work].items()
        }
        for number, ((label, column), job) in enumerate(jobs.items(), 1):
            try:
                table.add(label, column, job.result())
            except Failed as failure:
                table.fail(label, column, failure)
            progress(table.title, f"{number} of {len(jobs)}")
    return table


def count(path, work, variant, kind, size):
    command = [
        "valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
        f"--toggle-collect={COUNTED}", path, "count", str(PASSES), work, variant, kind, str(size),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    except subprocess.TimeoutExpired as error:
        raise Failed("not finished after 300 s") from error
    collected = re.search(r"Collected\s*:\s*(\d+)", done.stderr)
    words = done.stdout.split()
    if words[:1] != ["ok"] or not collected:
        raise Failed(done.stdout.strip() or "callgrind could not run it")
    return int(collected.group(1)) / int(words[1])
