#!/usr/bin/env python3
"""Dumps that somebody changed: each mutant of the loops and schedules of a good network must be refused by name.

  trust.py --nncc PATH [--work DIR]

The networks are those of examples/. Of their loops: every access one further, every array one shorter, the output one
longer, every loop one longer and one shorter. Of their schedules: neighbours swapped, a consumer that runs at once, a
statement left out, instances left out. Of their schedules in tiles of vectors, with the layouts that those want: every
bound of a piece of tiles one more or less, every dimension of an array's layout left out, every panel of a constant halved.
A mutant must end with exit code 1, messages that name the statement or the array or a view of it or its bytes (of a
schedule: both statements of the dependence), and nothing written. The text that is not changed must compile.
Needs no package.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NETWORKS = ["mlp", "digits"]
CPU = "x86-64-v4"          # whose tiles are looked at; nothing is run
JOBS = int(os.environ.get("NNCC_TEST_JOBS", "0")) or os.cpu_count() or 1


def at(text, span, new):
    return text[:span[0]] + new + text[span[1]:]


def lines_of(text):
    """(start, line) of each line."""
    start = 0
    for line in text.splitlines(keepends=True):
        yield start, line
        start += len(line)


def items(text, start):
    """Spans of the comma-separated items of `text`, which begins at `start`."""
    for m in re.finditer(r"[^,]+", text):
        yield start + m.start(), start + m.end()


def accesses(text):
    """Every index of every access, one further."""
    for start, line in lines_of(text):
        name = re.match(r"(S\d+)\[", line)
        for m in re.finditer(r"\b(a\d+)\[([^\[\]]*)\]", line) if name else ():
            for k, span in enumerate(items(m.group(2), start + m.start(2))):
                index = text[span[0]:span[1]]
                yield "index %d of %s in %s" % (k, m.group(1), name.group(1)), at(text, span, index + " + 1"), [name.group(1), m.group(1)]


def arrays(text):
    """Every extent of every temporary and view one shorter, every extent of an output one longer."""
    for start, line in lines_of(text):
        m = re.match(r"(temp|view|output) (a\d+): \w+\[([\d,]+)\]", line)
        for k, span in enumerate(items(m.group(3), start + m.start(3)) if m else ()):
            extent = int(text[span[0]:span[1]]) + (1 if m.group(1) == "output" else -1)
            views = re.findall(r"view (a\d+): .* of %s\n" % m.group(2), text)
            yield "extent %d of %s" % (k, m.group(2)), at(text, span, str(extent)), ["(%s)" % "|".join([m.group(2)] + views)]


def loops(text):
    """Every loop one longer, every loop outside a reduction one shorter."""
    for start, line in lines_of(text):
        head = re.match(r"(S\d+)\[[\w,]+: ([\d,]+)\]: (a\d+)", line)
        name = re.match(r"S\d+", line)
        spans = [(s, [head.group(3)]) for s in items(head.group(2), start + head.start(2))] if head else []
        for span, words in spans:
            yield "a loop of %s one shorter" % name.group(), at(text, span, str(int(text[span[0]:span[1]]) - 1)), words
        for m in re.finditer(r"reduce\(\w+, \[[\w,]+: ([\d,]+)\]", line) if name else ():
            spans += [(s, [name.group()]) for s in items(m.group(1), start + m.start(1))]
        for span, words in spans:
            yield "a loop of %s one longer" % name.group(), at(text, span, str(int(text[span[0]:span[1]]) + 1)), words


def schedule_text(domain, parts):
    """A schedule that runs `parts`, each filters and a band or none, one after the other."""
    text = "schedule 0\ndomain: \"%s\"\nchild:\n  sequence:\n" % domain
    for filters, band in parts:
        text += "  - filter: \"{ %s }\"\n" % "; ".join(filters)
        text += "    child:\n      schedule: \"[{ %s }]\"\n" % "; ".join(band) if band else ""
    return text


def schedules(text):
    """Orders of the statements, given as text: the first is right, the others are not."""
    loops_text, rest = text.split("schedule 0\n", 1)
    domain = re.match(r'domain: "(.*)"', rest).group(1)
    ranks = {m.group(1): len(re.findall(r"[^,]+", m.group(2))) for m in re.finditer(r"(S\d+)\[([^\]]*)\]", domain)}
    names = sorted(ranks, key=lambda name: int(name[1:]))         # a domain may be in several pieces
    tuples = ["%s[%s]" % (name, ", ".join("i%d" % k for k in range(ranks[name]))) for name in names]
    plain = [([t], []) for t in tuples]

    def mutant(parts, of=domain):
        return loops_text + schedule_text(of, parts)

    yield "the order of the text", mutant(plain), None
    for k in range(len(tuples) - 1):
        words = ["%s: does not run after %s" % (names[k + 1], names[k])]
        yield "%s before %s" % (names[k + 1], names[k]), mutant(plain[:k] + [plain[k + 1], plain[k]] + plain[k + 2:]), words
        band = ["%s -> [(%s)]" % (tuples[k], "i0" if "i0" in tuples[k] else "0"), "%s -> [(0)]" % tuples[k + 1]]
        yield "%s at once" % names[k + 1], mutant(plain[:k] + [(tuples[k:k + 2], band)] + plain[k + 2:]), words
    for k, name in enumerate(names):
        yield "%s left out" % name, mutant(plain[:k] + plain[k + 1:]), [name]
        shorter = re.sub(r"(%s\[[^;]*?<= )(\d+)" % name, lambda m: m.group(1) + str(int(m.group(2)) - 1), domain)
        if shorter != domain:
            yield "instances of %s left out" % name, mutant(plain, shorter), [name]


def tiles(text):
    """Every number in a filter one more and one less; every layout without one of its dimensions; panels of half the size."""
    for m in re.finditer(r"filter: \"\{ (S\d+)\[[^\]]*\] : ([^\"]*)\}", text):
        for n in re.finditer(r"\b\d+\b", m.group(2)):
            span = (m.start(2) + n.start(), m.start(2) + n.end())
            for step in (1, -1):
                yield "%d in the filter %s by %+d" % (int(n.group()), m.group(), step), at(text, span, str(int(n.group()) + step)), [m.group(1)]
    for m in re.finditer(r"^(temp|const) (a\d+): \w+\[([\d,]+)\] layout \[(.*?)\](?: = @(\w+))?", text, re.M):
        extents, dims = m.group(3).split(","), m.group(4).split(", ")
        words = [m.group(5) or m.group(2)]                        # a constant's bytes are named by their hash
        for k, dim in enumerate(dims):
            panel = re.fullmatch(r"(\d+)([/%])(\d+)", dim)
            gone = dims[:k] + dims[k + 1:]
            if not panel and extents[int(dim)] != "1":
                yield "dimension %s of the layout of %s left out" % (dim, m.group(2)), at(text, m.span(4), ", ".join(gone)), words
            elif panel and panel.group(2) == "%":
                half = "%s%%%d" % (panel.group(1), int(panel.group(3)) // 2)
                yield "panels of %s half as wide" % m.group(2), at(text, m.span(4), ", ".join(dims[:k] + [half] + dims[k + 1:])), words


def run(nncc, folder, start, ending, text, words, flags):
    """None, or what is wrong. The folder holds the dumps' constants."""
    path, out = os.path.join(folder, "mutant." + ending), os.path.join(folder, "out")
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    with open(path, "w") as f:
        f.write(text)
    r = subprocess.run([nncc, "dump", "--start=" + start, path, "-o", os.path.join(out, "m.c"), "-MD"] + flags, capture_output=True, text=True,
                       stdin=subprocess.DEVNULL, timeout=60)
    left = sorted(os.listdir(out))
    if words is None:
        return None if r.returncode == 0 and "m.c" in left else "exit code %d: %s" % (r.returncode, r.stderr.strip())
    if r.returncode != 1 or left or r.stdout:
        return "exit code %d, left %s: %s" % (r.returncode, left, (r.stdout + r.stderr).strip())
    named = [e for e in r.stderr.splitlines() if ": error: " in e and all(re.search(r"\b%s\b" % w, e) for w in words)]
    return None if named else "no error names %s: %s" % (" and ".join(words), r.stderr.strip())


def cases(nncc, work, network):
    """(folder of the dumps, start, ending, description, text, words, flags) of all mutants of a network."""
    folder = os.path.join(work, network)
    os.makedirs(folder)
    model = os.path.join(ROOT, "examples", network, "model.onnx")
    subprocess.run([nncc, model, "--dump=lower,fuse,schedule", "--dump-dir=" + folder, "-o", os.path.join(folder, "m.c")], check=True)

    def dump(ending):
        name = [f for f in os.listdir(folder) if f.endswith(ending)][0]
        with open(os.path.join(folder, name)) as f:
            return f.read()

    for start in ("lower", "fuse"):
        text = dump(start + ".loops")
        yield folder, start, "loops", "unchanged", text, None, []
        for kind in (accesses, arrays, loops):
            for name, mutant, words in kind(text):
                yield folder, start, "loops", name, mutant, words, []
    for start in ("schedule", "certify"):
        for name, mutant, words in schedules(dump(".poly")):
            yield folder, start, "poly", name, mutant, words, []
    os.makedirs(os.path.join(folder, "tiles"))
    folder = os.path.join(folder, "tiles")
    subprocess.run([nncc, model, "-mcpu=" + CPU, "--dump=schedule", "--dump-dir=" + folder, "-o", os.path.join(folder, "m.c")], check=True)
    yield folder, "schedule", "poly", "unchanged", dump(".poly"), None, ["-mcpu=" + CPU]
    for name, mutant, words in tiles(dump(".poly")):
        yield folder, "schedule", "poly", name, mutant, words, ["-mcpu=" + CPU]


def one(nncc, k, case):
    folder, start, ending, name, text, words, flags = case
    own = os.path.join(folder, str(k))
    os.makedirs(own)
    os.link(os.path.join(folder, "constants.bin"), os.path.join(own, "constants.bin"))
    why = run(nncc, own, start, ending, text, words, flags)
    if not why:
        shutil.rmtree(own)
    return "%s, --start=%s, %s: %s" % (os.path.basename(folder), start, name, why) if why else None


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--nncc", required=True)
    ap.add_argument("--work", default="trust-work")
    a = ap.parse_args()
    nncc, work = os.path.abspath(a.nncc), os.path.abspath(a.work)
    shutil.rmtree(work, ignore_errors=True)
    rows = [row for network in NETWORKS for row in cases(nncc, work, network)]
    with ThreadPoolExecutor(JOBS) as pool:
        results = list(pool.map(lambda k: one(nncc, k, rows[k]), range(len(rows))))
    failed = [why for why in results if why]
    for why in failed:
        print("FAIL " + why)
    print("%d passed, %d failed, 0 skipped" % (len(rows) - len(failed), len(failed)))
    return len(failed) > 0


if __name__ == "__main__":
    sys.exit(main())
