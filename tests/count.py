#!/usr/bin/env python3
"""Adds up what ctest ran: count.py BUILD... reads BUILD/junit.xml and prints a table by label and the line `N passed, N
failed, N skipped`.

A runner's own counts (`N passed, N failed, N skipped`, or Check's `Checks: N, Failures: N, Errors: N`) count for the test
that printed them; a test without such a line counts as one. A test that could not be started has failed.
"""
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

OWN = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.M)
CHECK = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)$", re.M)


def has_failed(case):
    skipped = case.find("skipped")
    return case.get("status") == "fail" or skipped is not None and "SKIP_RETURN_CODE" not in skipped.get("message", "")


def labels_of(build):
    """Test name -> label."""
    text = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1"], capture_output=True, check=True).stdout
    values = {t["name"]: p["value"] for t in json.loads(text)["tests"] for p in t["properties"] if p["name"] == "LABELS"}
    return {name: labels[0] for name, labels in values.items()}


def counts(case):
    """[passed, failed, skipped] of one test."""
    text = case.findtext("system-out") or ""
    rows = [list(map(int, m)) for m in OWN.findall(text)]
    rows += [[n - bad, bad, 0] for n, bad in ((int(a), int(b) + int(c)) for a, b, c in CHECK.findall(text))]
    total = [sum(column) for column in zip(*rows)] if rows else [0, 0, 0]
    if has_failed(case) and total[1] == 0:
        total[1] += 1
    elif case.get("status") == "notrun":
        return [0, 0, max(1, total[2])]
    if total == [0, 0, 0]:
        total[0] = 1
    return total


def main():
    labels, failed = {}, []
    for build in sys.argv[1:]:
        named = labels_of(build)
        for case in ElementTree.parse(os.path.join(build, "junit.xml")).getroot().iter("testcase"):
            row = labels.setdefault(named.get(case.get("name"), "other"), [0, 0, 0, 0])
            for k, n in enumerate([1] + counts(case)):
                row[k] += n
            if has_failed(case):
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
