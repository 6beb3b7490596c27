#!/usr/bin/env python3
"""ONNX's node tests through nncc: compile each model, build its C with -Werror and sanitizers, run, compare.

  node.py --nncc PATH [--cc gcc] [--cases DIR] [--work DIR] [--match REGEX] [--flags=-O0] [--accept]

The 1,884 cases come from the pinned `onnx` package (they are rebuilt into --cases once). expected.txt names those nncc
refuses: `case: Operator-or-type: the rest of the message`. A case in it must exit 1 with a one-line error that names
that operator or type; any other case must pass. --accept drops the lines of cases that pass now and renews the
messages of the others; it never adds a case (except to an empty list), so the list can only shrink.
"""
import argparse
import json
import os
import pickle
import re
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
try:
    import onnx
    import harness
except ImportError as e:
    print("SKIP node tests: %s (tests/run.sh installs it)" % e)
    sys.exit(77)

ONNX_VERSION = "1.23.2"
NUM_CASES = 1884
PER_PROGRAM = 24          # models to a C file
SANITIZED = ["-O1"] + harness.WARNINGS + harness.SANITIZE
LIST = os.path.join(HERE, "expected.txt")


def write_cases(folder):
    """Every case as folder/<name>/model.onnx, and folder/index.pickle: name -> (flags, inputs, outputs)."""
    from onnx.backend.test import loader
    import warnings
    warnings.simplefilter("ignore")        # of numpy: some cases mean to overflow
    index = {}
    for t in loader.load_model_tests(kind="node"):
        os.makedirs(os.path.join(folder, t.name), exist_ok=True)
        onnx.save(t.model, os.path.join(folder, t.name, "model.onnx"))
        inputs, outputs = ([harness.as_array(v) for v in side] for side in t.data_sets[0])
        plain = all(a is not None for a in inputs + outputs)
        flags = harness.shape_flags(t.model, inputs) if plain else []
        index[t.name] = (flags, inputs if plain else None, outputs if plain else None, words_of(t.model))
    with open(os.path.join(folder, "index.tmp"), "wb") as f:
        pickle.dump((ONNX_VERSION, index), f)
    os.rename(os.path.join(folder, "index.tmp"), os.path.join(folder, "index.pickle"))


def words_of(model):
    """The words of which a refusal must contain one: the operators of the model, names of types, `opset`."""
    found = set()

    def visit(nodes):
        for n in nodes:
            found.add(n.op_type)
            for a in n.attribute:
                visit(a.g.node)
                for g in a.graphs:
                    visit(g.node)

    visit(model.graph.node)
    for f in model.functions:
        visit(f.node)
    types = {name.lower() for name in onnx.TensorProto.DataType.keys()} - {"undefined"}
    return found | types | {"sequence", "optional", "map", "sparse", "opset"}


def load_cases(folder):
    path = os.path.join(folder, "index.pickle")
    if not os.path.exists(path):
        write_cases(folder)
    with open(path, "rb") as f:
        version, index = pickle.load(f)
    if version != ONNX_VERSION or onnx.__version__ != ONNX_VERSION or len(index) != NUM_CASES:
        sys.exit("node.py: expected the %d cases of onnx %s, found %d of %s (onnx %s is installed)"
                 % (NUM_CASES, ONNX_VERSION, len(index), version, onnx.__version__))
    cases = []
    for name, (flags, inputs, outputs, words) in index.items():
        c = harness.Case(name, os.path.join(folder, name, "model.onnx"), flags, inputs, outputs)
        c.words = words
        cases.append(c)
    return cases


def read_list():
    """expected.txt as {case: (operator or type, rest of the message)}."""
    rows = {}
    if os.path.exists(LIST):
        with open(LIST) as f:
            for line in f:
                if line.strip() and line[0] != "#":
                    name, word, rest = line.rstrip("\n").split(": ", 2)
                    rows[name] = (word, rest)
    return rows


def refusal_row(case):
    """(operator or type, rest of the message) of a refused case; operator is None when neither the message nor the
    node in front of it names one (an old operator is refused in the words of its newer form)."""
    where, text = case.messages[0].split(": error: ", 1)
    for word in re.findall(r"[A-Za-z_0-9]+", text) + [where.rsplit(":", 1)[-1]]:
        if word in case.words or word.lower() in case.words:
            rest = text[len(word) + 2:] if text.startswith(word + ": ") else text
            return word, rest
    return None, text


def accept(cases, listed):
    """Rewrites expected.txt from this run."""
    refused = [c for c in cases if c.code != 0 and not c.refusal() and (c.name in listed or not listed)]
    ran = {c.name for c in cases}
    rows = {name: row for name, row in listed.items() if name not in ran}
    rows.update({c.name: refusal_row(c) for c in refused})
    with open(LIST, "w") as f:
        f.write("# Node tests of onnx %s that nncc refuses: `case: operator or type: reason`. Written by\n"
                "# `node.py --accept`, which only ever removes cases.\n" % ONNX_VERSION)
        for name in sorted(rows):
            f.write("%s: %s: %s\n" % ((name,) + rows[name]))
    print("%s: %d cases listed, %d before" % (os.path.basename(LIST), len(rows), len(listed)))
    return {n: r for n, r in rows.items() if r[0]}


def run_batches(cases, work, cc):
    """Builds and runs all accepted cases; each gets its `why`."""
    def one(k):
        part, folder = cases[k:k + PER_PROGRAM], os.path.join(work, "batch%03d" % (k // PER_PROGRAM))
        if harness.batch_build(part, work, folder, [cc], SANITIZED) is None:
            harness.batch_run(part, folder)
            return
        for c in part:                     # one of them does not compile: find out which
            folder = os.path.join(work, "one-" + c.name)
            words = harness.batch_build([c], work, folder, [cc], SANITIZED)
            if words is None:
                harness.batch_run([c], folder)
            else:
                errors = [w for w in words.splitlines() if "error" in w]
                c.why = "its C does not compile: %s" % (errors or [words])[0]
        if all(not c.why for c in part):
            part[0].why = "its C compiles alone, but not in one file with: " + " ".join(c.name for c in part[1:])
    harness.parallel(one, range(0, len(cases), PER_PROGRAM))


def judge(case, listed):
    """None, or what is wrong with the case."""
    if case.name not in listed:
        if case.code == 0:
            return case.why
        return "refused but not listed: %s" % (case.refusal() or case.messages[0])
    if case.code == 0:
        return "is listed as refused, but compiles: remove it (node.py --accept)"
    word = None if case.refusal() else refusal_row(case)[0]
    if case.refusal() or word != listed[case.name][0]:
        return case.refusal() or "its refusal names %s, expected.txt says %s" % (word, listed[case.name][0])
    return None


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--nncc", required=True)
    ap.add_argument("--cc", default="gcc")
    ap.add_argument("--cases", default="node-cases")
    ap.add_argument("--work", default="node-work")
    ap.add_argument("--match", default="")
    ap.add_argument("--flags", default="", help="of nncc, such as --flags=-O0")
    ap.add_argument("--accept", action="store_true")
    ap.add_argument("--json", help="write every case's result there")
    a = ap.parse_args()
    os.makedirs(a.cases, exist_ok=True)
    shutil.rmtree(a.work, ignore_errors=True)
    os.makedirs(a.work)
    cases = [c for c in load_cases(a.cases) if re.search(a.match, c.name)]
    harness.parallel(lambda c: c.compile(os.path.abspath(a.nncc), a.work, a.flags.split()), cases)
    for c in cases:
        if c.code == 0 and c.inputs is None:
            c.why = "is no model of plain tensors, but compiles"
    run_batches([c for c in cases if c.code == 0 and c.inputs is not None], a.work, a.cc)
    listed = read_list()
    if a.accept:
        listed = accept(cases, listed)
    wrong = [(c, judge(c, listed)) for c in cases if judge(c, listed)]
    for c, why in wrong:
        print("FAIL %s: %s" % (c.name, why))
    if a.json:
        with open(a.json, "w") as f:
            json.dump({c.name: judge(c, listed) or ("refused" if c.code else "passed") for c in cases}, f, indent=1)
    unknown = sorted(set(listed) - {c.name for c in cases}) if not a.match else []
    for name in unknown:
        print("FAIL %s: is in expected.txt, but no case" % name)
    refused = sum(c.code != 0 for c in cases) - sum(c.code != 0 for c, _ in wrong)
    failed = len(wrong) + len(unknown)
    print("%d node tests: %d right, %d refused as listed, %d wrong"
          % (len(cases), len(cases) - len(wrong) - refused, refused, failed))
    print("%d passed, %d failed, %d skipped" % (len(cases) - len(wrong) - refused, failed, refused))
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
