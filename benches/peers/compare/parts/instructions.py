"""Instructions a message, counted by callgrind: the difference of two runs of unlike length."""

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

from ..measured import Table, progress
from ..programs import Failed, codecs

CELLS = {
    "echo": {"16 B": ("binary", 16), "125 B": ("binary", 125), "125 B text": ("text", 125)},
    "client": {"16 B": ("binary", 16), "125 B": ("binary", 125)},
}
SHORT, LONG = 1, 6


def measure(_rounds):
    return [count_work(work, words) for work, words in (("echo", "server echo"), ("client", "client sends"))]


def count_work(work, words):
    table = Table(f"In memory: instructions of a {words}", "instructions a message", CELLS[work])
    table.notes.append("Counted by callgrind, which is exact: it is run once and has no spread.")
    rows = [(label, path, variant) for label, path, what, variant in codecs() if what == work]
    with ThreadPoolExecutor(2) as pool:
        jobs = {
            (label, column): pool.submit(count, path, work, variant, *cell)
            for label, path, variant in rows
            for column, cell in CELLS[work].items()
            if not label.endswith("again")
        }
        for number, ((label, column), job) in enumerate(jobs.items(), 1):
            try:
                table.add(label, column, job.result())
            except Failed as failure:
                table.fail(label, column, failure)
            progress(table.title, f"{number} of {len(jobs)}")
    return table


def count(path, work, variant, kind, size):
    short, messages_short = run(path, SHORT, work, variant, kind, size)
    long, messages_long = run(path, LONG, work, variant, kind, size)
    return (long - short) / (messages_long - messages_short)


def run(path, passes, *cell):
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", path,
         "count", str(passes), *map(str, cell)],
        capture_output=True, text=True, check=False, timeout=300,
    )
    collected = re.search(r"Collected\s*:\s*(\d+)", done.stderr)
    words = done.stdout.split()
    if words[:1] != ["ok"] or not collected:
        raise Failed(done.stdout.strip() or "callgrind could not run it")
    return int(collected.group(1)), int(words[1])
