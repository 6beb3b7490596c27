#!/usr/bin/env python3
"""Adds up ctest's JUnit files: count.py FILE... prints a table by label and the line `N passed, N failed, N skipped`.

A runner's own counts (`N passed, N failed, N skipped`, or Check's `Checks: N, Failures: N, Errors: N`) count for the test
that printed them; a test without such a line counts as one.
"""
import re
import sys
import xml.etree.ElementTree as ElementTree

OWN = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.M)
CHECK = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)$", re.M)


def counts(case):
    """[passed, failed, skipped] of one test."""
    text = case.findtext("system-out") or ""
    rows = [list(map(int, m)) for m in OWN.findall(text)]
    rows += [[n - bad, bad, 0] for n, bad in ((int(a), int(b) + int(c)) for a, b, c in CHECK.findall(text))]
    total = [sum(column) for column in zip(*rows)] if rows else [0, 0, 0]
    status = case.get("status")
    if status == "fail" and total[1] == 0:
        total[1] += 1
    if status in ("notrun", "disabled"):
        return [0, 0, 1]
    if total == [0, 0, 0]:
        total[0] = 1
    return total


def main():
    labels, failed = {}, []
    for path in sys.argv[1:]:
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            named = [p.get("value") for p in case.iter("property") if p.get("name") == "cmake_labels"]
            row = labels.setdefault(named[0] if named else "other", [0, 0, 0, 0])
            for k, n in enumerate([1] + counts(case)):
                row[k] += n
            if case.get("status") == "fail":
                failed.append(case.get("name"))
    print("%-8s %6s %8s %8s %8s" % ("label", "tests", "passed", "failed", "skipped"))
    for label in sorted(labels):
        print("%-8s %6d %8d %8d %8d" % ((label,) + tuple(labels[label])))
    if failed:
        print("failed: " + " ".join(failed))
    total = [sum(row[k] for row in labels.values()) for k in (1, 2, 3)]
    print("%d passed, %d failed, %d skipped" % tuple(total))
    return total[1] > 0


if __name__ == "__main__":
    sys.exit(main())
