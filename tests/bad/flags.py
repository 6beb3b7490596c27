#!/usr/bin/env python3
"""The command line: what is refused, with which exit code and sentence, and that nothing is written then.

  flags.py --nncc PATH [--work DIR]

Every flag of the interface that does not work yet must be refused as such (exit 2); none may be accepted and ignored.
Needs no package: the model is the one of examples/mlp.
"""
import argparse
import os
import shutil
import stat
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MODEL = os.path.join(ROOT, "examples", "mlp", "model.onnx")
OUT = ["-o", "m.c"]

# Flags that exist in the interface and are not there yet. When one works, its line goes and tests of it come.
LATER = ["-Os", "--ram=256K", "--flash=1M",
         "--threads=2", "--weights=obj", "--emit=obj", "--emit=asm",
         "--emit=llvm", "--schedule=f.txt", "--report=r.html", "--selftest=d"]

# (arguments, exit code, words of the message)
ROWS = [([MODEL] + OUT + [flag], 2, "not available yet") for flag in LATER]
ROWS += [([MODEL] + OUT + flag.split("="), 2, "not available yet") for flag in LATER if "=" in flag]
ROWS += [
    ([], 2, "no model"),
    (OUT, 2, "no model"),
    ([MODEL], 2, "-o"),
    ([MODEL, "-o"], 2, "-o"),
    ([MODEL, MODEL] + OUT, 2, "two inputs"),
    ([MODEL] + OUT + ["--bogus"], 2, "--bogus"),
    ([MODEL] + OUT + ["-O3"], 2, "-O3"),
    ([MODEL] + OUT + ["-mcpu=pdp11"], 2, "-mcpu=help"),
    ([MODEL] + OUT + ["-mcpu", "pdp11"], 2, "'pdp11'"),
    ([MODEL] + OUT + ["--target=pdp11-dec-rt11"], 2, "pdp11-dec-rt11"),
    ([MODEL] + OUT + ["--target=x86_64x-linux-gnu"], 2, "x86_64x-linux-gnu"),
    ([MODEL] + OUT + ["--target=x86_64-linux-gnu", "-mcpu=cortex-a53"], 2, "another machine, aarch64"),
    ([MODEL] + OUT + ["--weights=zip"], 2, "zip"),
    ([MODEL, "--check", "--weights=bin"], 2, "--weights=bin"),
    ([MODEL, "--emit=c", "--weights=bin"], 2, "--weights=bin"),
    ([MODEL, "-o", "/dev/null", "--weights=bin"], 2, "/dev/null"),
    ([MODEL] + OUT + ["--emit=zip"], 2, "zip"),
    ([MODEL] + OUT + ["-R", "bogus"], 2, "bogus"),
    ([MODEL] + OUT + ["--dump=bogus"], 2, "bogus"),
    ([MODEL] + OUT + ["--stop=bogus"], 2, "bogus"),
    ([MODEL] + OUT + ["--start=bogus"], 2, "bogus"),
    ([MODEL] + OUT + ["--skip=bogus"], 2, "bogus"),
    ([MODEL] + OUT + ["--skip=certify"], 2, "certify"),
    ([MODEL, "-O0", "--emit=schedule"], 2, "-O0"),
    ([MODEL, "-O0", "--stop=schedule"], 2, "-O0"),
    ([MODEL, "-O1", "--stop=naive"], 2, "-O1"),
    ([MODEL] + OUT + ["-O0", "--dump=infer,certify"], 2, "certify"),
    ([MODEL] + OUT + ["-O0", "--start=schedule"], 2, "-O0"),
    ([MODEL] + OUT + ["--dim=N"], 2, "NAME=SIZE"),
    ([MODEL] + OUT + ["--dim=N=one"], 2, "N=one"),
    ([MODEL] + OUT + ["--shape=x=1,one"], 2, "x=1,one"),
    ([MODEL] + OUT + ["--name=1a"], 2, "1a"),
    ([MODEL] + OUT + ["--name=int"], 2, "int"),
    ([MODEL] + OUT + ["--dim"], 2, "--dim"),
    (["missing.onnx"] + OUT, 5, "missing.onnx"),
    ([MODEL, "-o", "no/such/folder/m.c"], 5, "no/such/folder/m.c"),
    ([MODEL, "-o", "locked/m.c"], 5, "locked/m.c"),
    ([MODEL, "-o", "m.c", "--header=no/such/folder/m.h"], 5, "no/such/folder/m.h"),
]


def run(nncc, work, row):
    """None, or what is wrong."""
    words, code, message = row
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(os.path.join(work, "locked", "m.c"))         # a folder where a file should go
    r = subprocess.run([nncc] + words, cwd=work, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
    left = sorted(os.listdir(work)) + os.listdir(os.path.join(work, "locked"))
    if r.returncode != code:
        return "exit code %d, expected %d: %s" % (r.returncode, code, r.stderr.strip())
    if r.stdout or len(r.stderr.splitlines()) != 1 or "error: " not in r.stderr or message not in r.stderr:
        return "expected one line with %r: %r" % (message, r.stdout + r.stderr)
    if left != ["locked", "m.c"]:
        return "left %s" % ", ".join(left)
    return None


def works(nncc, work):
    """The model itself compiles: what is refused above is refused for its flags. Both ways to give a value work."""
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    for k, words in enumerate([["-o", "m.c", "--name", "a"], ["-o=m.c", "--name=a"]]):
        r = subprocess.run([nncc, MODEL] + words, cwd=work, capture_output=True, text=True)
        if r.returncode or r.stderr or sorted(os.listdir(work)) != ["m.c", "m.h"]:
            return "way %d to give values: exit code %d %s %s" % (k, r.returncode, r.stderr, os.listdir(work))
        if stat.S_IMODE(os.stat(os.path.join(work, "m.c")).st_mode) & 0o444 != 0o444:
            return "the C is not readable for all"
    return None


def processors(nncc, work):
    """Every processor that -mcpu=help lists is taken; the C is that of its table, and of scalar it is the plain one."""
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)

    def source(*flags):
        r = subprocess.run([nncc, MODEL, "-o", "m.c"] + list(flags), cwd=work, capture_output=True, text=True)
        with open(os.path.join(work, "m.c")) as f:
            return f.read() if r.returncode == 0 and not r.stderr else r.stderr
    plain = source()
    r = subprocess.run([nncc, "-mcpu", "help"], capture_output=True, text=True)
    rows = [line.split()[:2] for line in r.stdout.splitlines()[1:]]
    if r.returncode or not {"scalar", "generic", "haswell", "x86-64-v4", "native"} <= {row[0] for row in rows}:
        return "-mcpu=help: exit code %d, %r" % (r.returncode, r.stdout)
    for cpu, table in rows:
        text = source("-mcpu=" + cpu)
        if (table == "scalar") != (text == plain) or (table != "scalar") != ("#define NNCC_TARGET" in text):
            return "-mcpu=%s: not the C of %s" % (cpu, table)
    return None if source("--target=x86_64-linux-gnu") == plain else "--target of x86_64 changes the C"


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--nncc", required=True)
    ap.add_argument("--work", default="flags-work")
    a = ap.parse_args()
    nncc = os.path.abspath(a.nncc)
    results = [(" ".join(row[0]), run(nncc, a.work, row)) for row in ROWS]
    results += [("good flags", works(nncc, a.work)), ("-mcpu", processors(nncc, a.work))]
    failed = [(name, why) for name, why in results if why]
    for name, why in failed:
        print("FAIL nncc %s: %s" % (name, why))
    print("%d passed, %d failed, 0 skipped" % (len(results) - len(failed), len(failed)))
    return len(failed) > 0


if __name__ == "__main__":
    sys.exit(main())
