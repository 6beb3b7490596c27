#!/usr/bin/env python3
"""<NAME>_STACK_BYTES on a Cortex-M4: at least what the compiler says, and not much more.

  stack.py NNCC WORK [CASE...]         CASE: a folder with model.onnx; default: the project's own networks

Compiles each model's C with arm-none-eabi-gcc -Os for a Cortex-M4 with single-precision FPU, reads the stack of each
function and who calls whom (-fcallgraph-info=su), and takes the deepest chain from the typed entry and from the
descriptor. The macro must lie between it and 1.5 times it + 256.
"""
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "model"))
import make                     # exits 77 where a package is missing
import model

CC = "arm-none-eabi-gcc"
FLAGS = ("-std=c99 -mcpu=cortex-m4 -mthumb -mfpu=fpv4-sp-d16 -mfloat-abi=hard -Os -Wall -Wextra -Wpedantic "
         "-Wdouble-promotion -Werror -fcallgraph-info=su").split()


def read_graph(path):
    """(own stack of each function, functions each calls); a function whose stack is not static ends the test."""
    own, calls = {}, {}
    with open(path) as f:
        for line in f:
            node = re.match(r'node: \{ title: "([^"]+)" label: "([^"]*)"', line)
            edge = re.match(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"', line)
            if edge:
                calls.setdefault(edge.group(1), set()).add(edge.group(2))
            elif node:
                size = re.search(r"(\d+) bytes \(([a-z,]+)\)", node.group(2))
                if size and size.group(2) != "static":
                    raise ValueError("the stack of %s is %s" % (node.group(1), size.group(2)))
                own[node.group(1)] = int(size.group(1)) if size else 0
    return own, calls


def deepest(own, calls, function, above=()):
    """Bytes of the deepest chain from `function`; library functions, whose stack is not known, count 0."""
    if function in above:
        raise ValueError("recursion through %s" % function)
    below = [deepest(own, calls, g, above + (function,)) for g in calls.get(function, ())]
    return own.get(function, 0) + max(below, default=0)


def check(nncc, work, case):
    """None, or what is wrong; prints the figures."""
    name = case.prefix
    if not case.compile(nncc, work):
        return "nncc: " + " ".join(case.messages)
    r = subprocess.run([CC] + FLAGS + ["-c", name + ".c"], capture_output=True, text=True, cwd=work)
    if r.returncode:
        return r.stderr
    with open(os.path.join(work, name + ".h")) as f:
        told = int(re.search(r"_STACK_BYTES\s+(\d+)", f.read()).group(1))
    own, calls = read_graph(os.path.join(work, name + ".ci"))
    roots = [f for f in own if not any(f in g for g in calls.values()) and own[f] + len(calls.get(f, ())) > 0]
    used = max(deepest(own, calls, f) for f in roots)
    print("%s: %d bytes used, %s_STACK_BYTES %d" % (name, used, name.upper(), told))
    if not used <= told <= 1.5 * used + 256:
        return "STACK_BYTES is not between %d and %d" % (used, 1.5 * used + 256)
    return None


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    if not shutil.which(CC):
        print("SKIP stack: no %s" % CC)
        return 77
    nncc, work, folders = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), sys.argv[3:]
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    cases = [model.load_case(f, "own") for f in folders or make.write_all(os.path.join(work, "own"))]
    failed = 0
    for case in cases:
        why = check(nncc, work, case)
        if why:
            failed += 1
            print("FAIL stack of %s: %s" % (case.name, why))
    print("%d passed, %d failed, 0 skipped" % (len(cases) - failed, failed))
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
