#!/usr/bin/env python3
"""Runs the models of make_models.py: each must give its expected outputs in the interpreter (nncc --verify).

  check_models.py --nncc PATH [--work DIR] [NAME...]
"""
import argparse
import os
import subprocess
import sys

import make_models  # exits 77 when the onnx package is missing


def run(nncc, folder):
    """None, or what is wrong."""
    r = subprocess.run([nncc, "--verify=" + folder, os.path.join(folder, "model.onnx")], capture_output=True,
                       stdin=subprocess.DEVNULL, timeout=120)
    text = (r.stderr + r.stdout).decode(errors="replace").strip().splitlines()
    return None if r.returncode == 0 else "exit code %d: %s" % (r.returncode, " | ".join(text[:3]))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--nncc", required=True)
    ap.add_argument("--work", default="frontend-work")
    ap.add_argument("names", nargs="*")
    a = ap.parse_args()
    names = make_models.write_all(a.work, a.names)
    failed = 0
    for name in names:
        why = run(os.path.abspath(a.nncc), os.path.join(a.work, name))
        if why:
            failed += 1
            print("FAIL frontend/%s: %s" % (name, why))
    print("%d passed, %d failed, 0 skipped" % (len(names) - failed, failed))
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
