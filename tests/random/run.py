#!/usr/bin/env python3
"""Random graphs through nncc: two levels against each other and against ONNX Runtime. README.md says what is judged how.

  run.py --nncc PATH [--count N] [--seed S] [--only K,...] [--low=-O0] [--high=-O1] [--sanitize] [--exact] [--keep DIR]
  run.py --nncc PATH --found        the graphs of found/ alone, each of which failed once

With an -mcpu of another machine both levels are built and run by its compiler and its emulators (../cross.py), without sanitizers.
Graph K of seed S is the same on every machine with the same packages. Failures are shrunk and written to DIR (default:
found/ beside this file), a folder each.
"""
import argparse
import collections
import multiprocessing
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
try:
    import numpy as np
    import check
    import cross
    import found
    import graph as graphs
    import harness
    import moves
    import ops
    import shrink
except ImportError as e:
    print("SKIP random graphs: %s (tests/run.sh installs it)" % e)
    sys.exit(77)

PER_BATCH = 40            # graphs to a program
OPSETS = [13, 15, 17, 18, 18, 20, 21, 21, 22, 23, 24, 25, 26, 26, 26]
FAMILIES = [moves]        # modules that only register generators


def draw(rows, seed, number):
    """Graph `number` of a seed."""
    rng = np.random.default_rng([seed, number])
    g = graphs.Graph(rng, int(rng.choice(OPSETS)), rows)
    tickets = ops.lottery(rows)
    for _ in range(8 * g.nodes_wanted):
        ops.add_node(g, g.one_of(tickets))
        if len(g.nodes) >= g.nodes_wanted:
            break
    return g


def run_batch(rows, seed, numbers, settings, work):
    """[(subject without what is large unless it failed, operators)] of one batch."""
    subjects, used = [], []
    for k in numbers:
        g = draw(rows, seed, k)
        if g.nodes:
            subjects.append(check.Subject("s%d_%d" % (seed, k), *g.finish()))
            used.append(g.ops)
    check.check(subjects, settings, os.path.join(work, "b%d_%d" % (seed, numbers[0])))
    for s in subjects:
        if not s.failed:
            s.model = s.inputs = s.got = s.want = None
    return list(zip(subjects, used))


def run_all(jobs, arguments):
    """Runs batches in processes of their own; (results, numbers of batches whose process died)."""
    results, dead = [], []
    context = multiprocessing.get_context("spawn")
    while jobs:
        with ProcessPoolExecutor(harness.JOBS, context) as pool:
            running = {pool.submit(run_batch, arguments[0], arguments[1], job, *arguments[2:]): job for job in jobs}
            lost = []
            for future in as_completed(running):
                try:
                    results += future.result()
                except BrokenProcessPool:
                    lost.append(running[future])
        if lost and len(jobs) == 1 and len(lost[0]) == 1:
            dead.append(lost[0][0])
            lost = []
        elif lost and len(lost) == len(jobs) <= 2 * harness.JOBS:       # the graphs of the last batches one by one
            for number in sorted(n for job in lost for n in job):
                more, died = run_all([[number]], arguments)
                results, dead = results + more, dead + died
            lost = []
        jobs = lost
    return results, dead


def report_counts(results, seconds):
    kinds = collections.Counter(s.kind for s, _ in results)
    nodes = collections.Counter(op for _, used in results for op in used)
    print("%d graphs, %d nodes of %d operators in %.0f s: %.0f graphs per minute" % (
        len(results), sum(nodes.values()), len(nodes), seconds, 60 * len(results) / max(seconds, 1)))
    for kind, text in check.KINDS.items():
        if kinds[kind]:
            print("%7d  %-11s %s" % (kinds[kind], kind, text))
    reasons = collections.Counter(re.sub(r"'[^']*'|\[[^]]*\]|-?\d+", "_", s.why) for s, _ in results if s.kind == "refused")
    for reason, count in reasons.most_common():
        print("%7d  refused: %s" % (count, reason))
    return nodes


def shrink_failures(failures, settings, a):
    """Writes the smallest forms of the first failures; those that became the same graph once."""
    seen = set()
    for s in sorted(failures, key=lambda s: (len(s.model.graph.node), s.name))[:a.shrink]:
        small = shrink.shrink(s, settings, os.path.join(a.work, "shrink"))
        form = (small.kind, " ".join(n.op_type for n in small.model.graph.node))
        if form in seen:
            continue
        seen.add(form)
        folder = os.path.join(a.keep, s.name)
        found.write(folder, small, "%s: %s (levels %s)\n" % (small.kind, small.why, " | ".join(map(" ".join, settings.levels))))
        print("shrunk %s to %s:\n%s" % (s.name, folder, found.describe(small.model)))


def random_graphs(a, settings):
    """Draws and checks; the number of graphs that are right, failed, refused."""
    table = subprocess.run([settings.nncc, "--ops"], capture_output=True, text=True, check=True).stdout
    rows = ops.table(table)
    numbers = list(range(a.count)) if a.only is None else a.only
    jobs = [numbers[k:k + PER_BATCH] for k in range(0, len(numbers), PER_BATCH)]
    start = time.monotonic()
    results, dead = run_all(jobs, (rows, a.seed, settings, a.work))
    nodes = report_counts(results, time.monotonic() - start)
    if a.only is None:
        print("never used: " + (" ".join(op for op in rows if op not in nodes) or "none"))
    failures = [s for s, _ in results if s.failed]
    for s in failures:
        print("FAIL %s: %s: %s" % (s.name, s.kind, s.why))
    for number in dead:
        print("FAIL s%d_%d: its process died while it was drawn or checked" % (a.seed, number))
    shrink_failures(failures, settings, a)
    refused = sum(s.kind == "refused" for s, _ in results)
    return len(results) - len(failures) - refused, len(failures) + len(dead), refused


def found_graphs(a, settings):
    subjects = found.run(os.path.join(HERE, "found"), settings, os.path.join(a.work, "found"))
    wrong = [s for s in subjects if s.kind != "ok"]
    for s in wrong:
        print("FAIL found/%s: %s: %s" % (s.name, s.kind, s.why))
    return len(subjects) - len(wrong), len(wrong), 0


def highest_level(nncc):
    text = subprocess.run([nncc, "--help"], capture_output=True, text=True, check=True).stdout
    return max(re.findall(r"^  (-O\d)\b", text, re.M))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--nncc", required=True)
    ap.add_argument("--count", type=int, default=400)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--only", type=lambda text: [int(k) for k in text.split(",")], help="these graphs of the seed alone")
    ap.add_argument("--low", default="-O0", help="flags of nncc")
    ap.add_argument("--high", help="flags of nncc; default: the highest level of nncc --help")
    ap.add_argument("--cc", help="command of the C compiler; default: the first that ../cross.py has for the machine")
    ap.add_argument("--sanitize", action="store_true", help="build the C with sanitizers")
    ap.add_argument("--exact", action="store_true", help="floats of the two levels must be the same, too (--strict)")
    ap.add_argument("--work", default="random-work")
    ap.add_argument("--keep", default=os.path.join(HERE, "found"), help="where failures go once shrunk")
    ap.add_argument("--shrink", type=int, default=8, help="how many failures are made smaller")
    ap.add_argument("--found", action="store_true")
    a = ap.parse_args()
    levels = [a.low.split(), (a.high or highest_level(a.nncc)).split()]
    machine = cross.machine_of(levels[0] + levels[1])
    if machine.lacking:
        print("SKIP random graphs: %s" % machine.lacking)
        return 77
    machine.compilers = [a.cc.split()] if a.cc else machine.compilers
    settings = check.Settings(a.nncc, levels, machine, a.sanitize, a.exact)
    passed, failed, skipped = (found_graphs if a.found else random_graphs)(a, settings)
    print("%d passed, %d failed, %d skipped" % (passed, failed, skipped))
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
