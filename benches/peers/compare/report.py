"""Writes RESULTS.md: the machine, the versions, the commands, and the tables."""

from . import tables as rendering
from . import targets

HEAD = """\
# Results

Written by `benches/peers/run --write`. [peers/README.md](peers/README.md) explains how it measures.

![sansocket beside its peers](results.svg)

How to read the tables: each cell is the median of its rounds, and the lowest figure of a library
is bold. Compare cells only within a column, because the columns were measured at different
moments. *sansocket : best other* compares our best row with the best row of the others, round by
round: it is the median ratio and its 95 % interval. In the UTF-8 tables the others include std and
simdutf8. *A/A* is the same for two runs of the same sansocket program. A difference within its
spread is called undecided, and a difference of less than 0.5 % equal. If there is only one round,
A/A is the ratio of the two figures. "failed" means a wrong answer or none. The best of about
twenty-five rows is chosen in the same rounds in which it is then compared, which makes it look
slightly better than it is.
"""


def markdown(sections, tables):
    is_one = all(section["machine"] == machine_of(sections) for section in sections.values())
    text = [HEAD]
    if is_one:
        text += [*bullets(machine_of(sections)), ""]
    if sections:
        total = sum(section["seconds"] for section in sections.values())
        text.append(f"All parts together took {minutes(total)}.\n")
    text.append(targets.markdown([table for name in sections for table in tables[name]]))
    for name, section in sections.items():
        text.append(f"*{measured(name, section)}*\n")
        if not is_one:
            text += [*bullets(section["machine"]), ""]
        text += [rendering.markdown(table) for table in tables[name]]
    return "\n".join(text)


def machine_of(sections):
    return next((section["machine"] for section in sections.values()), [])


def bullets(lines):
    return [f"- {line}" for line in lines]


def measured(name, section):
    rounds = "one round" if section["rounds"] == 1 else f"{section['rounds']} rounds"
    return (
        f"`benches/peers/run {name}`: {section['date']}, {rounds}, {minutes(section['seconds'])}, "
        f"seed {section['seed']}, sansocket at {section['commit']}"
    )


def minutes(seconds):
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} minutes"
