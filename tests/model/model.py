#!/usr/bin/env python3
"""Whole networks through nncc: compile, build with two compilers, run under sanitizers, compare, look into the objects.

  model.py --nncc PATH [--work DIR] [--models DIR] [--match REGEX] [--flags=-O0] [--exact-with=FLAGS] [--share N] [--twin PATH]

Runs the project's own networks (make.py), and every case of MODELS/real and MODELS/digits; MODELS is --models, else
$NNCC_MODELS, else ../shared/models beside the checkout when there is one. A case is model.onnx and test_data_set_0/*.pb.
For each accepted network:
  - the C is the same on a second run of nncc (of --twin, another build of it), and compiles without a warning with gcc and clang-19 (-std=c99);
  - it runs under gcc's sanitizers (without, above SANITIZED_MACS) on unaligned buffers, and its outputs agree;
  - its object needs nothing but memcpy, memset and libm, and has no writable data;
  - for the own and the digits networks, continuing from each dump gives the same C and header;
  - with --exact-with, the C that nncc makes with those flags instead gives the same bytes.
With --share N only one in N networks of MODELS is taken, others each day. An -mcpu of another machine takes the compilers and
emulators of ../cross.py, every pair of them and no sanitizers; one that cannot run here skips all.
A network that nncc refuses with a proper message is listed and counts as skipped; an own network may not be refused.
"""
import argparse
import datetime
import glob
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(HERE))
try:
    import numpy as np
    import onnx
    import cross
    import harness
    import make
except ImportError as e:
    print("SKIP models: %s (tests/run.sh installs it)" % e)
    sys.exit(77)

SANITIZED_MACS = 100_000_000
EMULATED_MACS = 300_000_000          # of one compiler alone above that: an emulator does tens of millions a second
LIBM = "acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp exp2 expm1 fabs floor fma fmax fmin " \
       "fmod hypot ldexp llrint llround log log10 log1p log2 lrint lround modf nearbyint nextafter pow remainder rint " \
       "round scalbn sin sinh sqrt tan tanh tgamma trunc".split()
ALLOWED = {"memcpy", "memset"} | {f + suffix for f in LIBM for suffix in ("", "f")}
RUN_TIME = re.compile(r"__aeabi_\w+")               # what the ABI of a machine has instead of instructions


def load_pb(path):
    t = onnx.TensorProto()
    with open(path, "rb") as f:
        t.ParseFromString(f.read())
    return harness.as_array(t)


def load_case(folder, group):
    """The case in a folder, or None when it has no recorded outputs."""
    def side(kind):
        count = len(glob.glob(os.path.join(folder, "test_data_set_0", kind + "_*.pb")))
        return [load_pb(os.path.join(folder, "test_data_set_0", "%s_%d.pb" % (kind, k))) for k in range(count)]

    path = os.path.join(folder, "model.onnx")
    inputs, outputs = side("input"), side("output")
    if not os.path.exists(path) or not outputs:
        return None
    model = onnx.load(path, load_external_data=False)
    name = re.sub(r"\W", "_", os.path.basename(folder))
    case = harness.Case(name, path, harness.shape_flags(model, inputs), inputs, outputs)
    case.group = group
    case.quantised = any(n.op_type.endswith(("QuantizeLinear", "Integer")) or n.op_type.startswith("QLinear") for n in model.graph.node)
    return case


def close_enough(got, want):
    """For quantised networks: a rounding tie early on moves correct results apart, so most elements must be close, none
    far, without bias, and a clear winner stays the winner. None or a sentence."""
    for i, (g, w) in enumerate(zip(got, want)):
        x, y = g.astype(np.float64).ravel(), w.astype(np.float64).ravel()
        span, e = y.max() - y.min(), np.abs(x - y)
        if span == 0:
            if e.max() > 1e-6 * max(1.0, np.abs(y).max()):
                return "output %d: all elements should be equal, off by %.3g" % (i, e.max())
            continue
        if np.quantile(e, 0.99) > 0.04 * span or e.max() > 0.15 * span or abs((x - y).mean()) > 0.02 * span:
            return "output %d: error up to %.3g of a range of %.3g" % (i, e.max(), span)
        second, first = np.sort(y)[-2:] if y.size >= 4 else (0, 0)
        if first - second > 0.1 * span and x.argmax() != y.argmax():
            return "output %d: the largest is element %d, expected %d" % (i, x.argmax(), y.argmax())
    return None


def call(words, **more):
    r = subprocess.run(words, capture_output=True, timeout=3000, **more)
    return r.returncode, r.stdout.decode(errors="replace"), r.stderr.decode(errors="replace")


def read(path):
    with open(path, "rb") as f:
        return f.read()


def source_of(case, folder):
    return read(os.path.join(folder, case.prefix + ".c")), read(os.path.join(folder, case.prefix + ".h"))


def compiles(case, work, cc, flags):
    """None, or a compiler's first words on the C."""
    code, _, err = call(cc + harness.WARNINGS + flags + ["-c", case.prefix + ".c", "-o", case.prefix + ".o"], cwd=work)
    return None if code == 0 else "%s: %s" % (cc[0], err.strip().splitlines()[0] if err.strip() else code)


def object_symbols(case, work):
    """None, or what the object needs or has that it may not."""
    path = os.path.join(work, case.prefix + ".o")
    needs = {line.split()[-1] for line in call(["nm", "-u", path])[1].splitlines()} - {"_GLOBAL_OFFSET_TABLE_"}
    needs = {n for n in needs - ALLOWED if not RUN_TIME.fullmatch(n)}
    if needs:
        return "needs " + ", ".join(sorted(needs))
    writable = [line for line in call(["objdump", "-t", path])[1].splitlines() if re.search(r" O (\.data|\.bss|\*COM\*)\s", line)]
    return "has writable data: " + writable[0].split()[-1] if writable else None


def same_again(case, twin, work):
    """A second run, of another build if there is one, gives the same bytes."""
    again = os.path.join(work, "again")
    os.makedirs(again, exist_ok=True)
    first = source_of(case, work)
    if not case.compile(twin, again) or source_of(case, again) != first:
        return "a second run of nncc gives other C"
    return None


def same_from_dumps(case, nncc, work):
    """Continuing from every dump gives the same bytes; None or what differs."""
    dumps, out = os.path.join(work, "dumps"), os.path.join(work, "continued")
    os.makedirs(dumps, exist_ok=True)
    os.makedirs(out, exist_ok=True)
    first = source_of(case, work)
    if not case.compile(nncc, out, ["--dump=all", "--dump-dir=" + dumps]):
        return "fails with --dump=all: %s" % case.messages[:1]
    found = sorted(p for p in glob.glob(os.path.join(dumps, "*")) if re.search(r"\.(graph|loops|poly|ast)$", p))
    if len(found) < 5:
        return "only %d dumps" % len(found)
    for path in found:
        name = re.sub(r"^\d+-", "", os.path.splitext(os.path.basename(path))[0])
        dump = harness.Case(case.name, path, [f for f in case.flags if not f.startswith("--shape=")])
        if not dump.compile(nncc, out, ["--start=" + name]):
            return "cannot continue from %s: %s" % (os.path.basename(path), dump.messages[:1])
        if source_of(case, out) != first:
            return "continuing from %s gives other C" % os.path.basename(path)
    case.figures["dumps"] = len(found)
    return None


def runs_with(case, work, cc, flags, emulators):
    """Builds the case's C, runs it under each emulator and compares the outputs."""
    folder = os.path.join(work, "run")
    words = harness.batch_build([case], work, folder, cc, harness.WARNINGS + flags)
    if words is not None:
        return "its C does not compile: %s" % words.strip().splitlines()[0]
    case.why = None
    for emulator in emulators:
        harness.batch_run([case], folder, emulator=emulator)
        if case.why and case.quantised and case.why.startswith("output "):
            case.why = harness.compare_outputs(case, os.path.join(folder, case.prefix + ".out"), close_enough)
        if case.why:
            return " ".join(cc[:1] + emulator) + ": " + case.why
    return None


def runs(case, work, machine):
    """Here by gcc, with its sanitizers unless that takes too long; elsewhere by each compiler, likewise."""
    macs = macs_of(case, work)
    sanitize = machine.native and macs <= SANITIZED_MACS
    flags = ["-O1"] + harness.SANITIZE if sanitize else ["-O2"]
    compilers = machine.compilers[:1] if machine.native or macs > EMULATED_MACS else machine.compilers
    return next(filter(None, (runs_with(case, work, cc, flags, machine.emulators) for cc in compilers)), None)


def outputs_of(case, c_dir, folder, machine):
    """Builds the C of a compiled case as it is rounded nowhere but where it says, and runs it: (outputs, None) or (None, why)."""
    words = harness.batch_build([case], c_dir, folder, machine.compilers[0], harness.WARNINGS + ["-O1", "-ffp-contract=off"])
    if words is not None:
        return None, "its C does not compile: %s" % words.strip().splitlines()[0]
    case.why = None
    harness.batch_run([case], folder, lambda got, want: (got,), machine.emulators[0])
    why, case.why = case.why, None
    return (why[0], None) if isinstance(why, tuple) else (None, why)


def same_bytes(case, nncc, work, flags, machine):
    """The C made with other flags gives the same bytes; None or what differs."""
    folder = os.path.join(work, "exact")
    os.makedirs(folder)
    other = harness.Case(case.name, case.path, [f for f in case.flags if f.startswith("--shape=")] + flags, case.inputs, case.outputs)
    if not other.compile(nncc, folder):
        return "refused with %s: %s" % (" ".join(flags), other.messages[:1])
    want, why = outputs_of(other, folder, os.path.join(folder, "run"), machine)
    got, problem = outputs_of(case, work, os.path.join(work, "exact-run"), machine) if not why else (None, None)
    for k in range(len(want or []) if got else 0):
        if got[k].tobytes() != want[k].tobytes():
            problem = problem or "output %d: other bytes than with %s" % (k, " ".join(flags))
    return why or problem


def macs_of(case, work):
    found = re.search(rb"_MACS\s+(?:UINT64_C\()?(\d+)", read(os.path.join(work, case.prefix + ".h")))
    return int(found.group(1)) if found else 0


def check(case, nncc, work, a):
    """Everything about one accepted network; None or what is wrong. The first failing step ends it."""
    steps = [lambda: same_again(case, a.twin or nncc, work),
             lambda: next(filter(None, (compiles(case, work, cc, ["-O1"]) for cc in reversed(a.machine.compilers))), None),
             lambda: object_symbols(case, work),
             lambda: runs(case, work, a.machine),
             lambda: same_from_dumps(case, nncc, work) if case.group != "real" else None,
             lambda: same_bytes(case, nncc, work, a.exact_with.split(), a.machine) if a.exact_with else None]
    for step in steps:
        why = step()
        if why:
            return why
    return None


def one(case, nncc, work, a):
    """Compiles and checks a case in a folder of its own, which goes when all is well."""
    work = os.path.join(work, case.name)
    os.makedirs(work)
    if case.compile(nncc, work):
        case.why = check(case, nncc, work, a)
        case.code = 0
    elif not case.refusal() and case.group != "own":
        case.refused = case.messages[0].split(": error: ", 1)[-1]
    else:
        case.why = case.refusal() or "refused: " + case.messages[0]
    if not case.why:
        shutil.rmtree(work)
    return case


def find_cases(a):
    """(cases, folders skipped for want of recorded outputs or of the corpus)."""
    folders = [(f, "own") for f in make.write_all(os.path.join(a.work, "own"))]
    models = a.models or os.environ.get("NNCC_MODELS") or os.path.join(ROOT, "..", "shared", "models")
    if not os.path.isdir(models):
        print("no corpus (set NNCC_MODELS): only the project's own networks run")
    corpus = [(os.path.dirname(p), group) for group in ("real", "digits")
              for p in sorted(glob.glob(os.path.join(models, group, "*", "model.onnx")))]
    folders += corpus[datetime.date.today().toordinal() % a.share::a.share]
    cases = [load_case(f, group) for f, group in folders if re.search(a.match, os.path.basename(f))]
    for c in filter(None, cases):
        c.flags += a.flags.split()
    return [c for c in cases if c], sum(c is None for c in cases)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--nncc", required=True)
    ap.add_argument("--work", default="model-work")
    ap.add_argument("--models")
    ap.add_argument("--match", default="")
    ap.add_argument("--flags", default="", help="of nncc, such as --flags=-O0")
    ap.add_argument("--exact-with", default="", help="other flags of nncc, with which the C gives the same bytes")
    ap.add_argument("--share", type=int, default=1, help="take one in so many networks of the corpus")
    ap.add_argument("--twin", type=os.path.abspath, help="another build of nncc, which must give the same C")
    a = ap.parse_args()
    a.machine = cross.machine_of(a.flags.split())
    if a.machine.lacking:
        print("SKIP models: %s" % a.machine.lacking)
        return 77
    shutil.rmtree(a.work, ignore_errors=True)
    cases, absent = find_cases(a)
    nncc = os.path.abspath(a.nncc)
    harness.parallel(lambda c: one(c, nncc, os.path.abspath(a.work), a), cases)
    refused = [c for c in cases if getattr(c, "refused", None)]
    failed = [c for c in cases if c.why]
    for c in refused:
        print("refused %s/%s: %s" % (c.group, c.name, c.refused))
    for c in failed:
        print("FAIL %s/%s: %s" % (c.group, c.name, c.why))
    right = len(cases) - len(refused) - len(failed)
    print("%d networks: %d right, %d refused, %d wrong, %d without recorded outputs" % (len(cases), right, len(refused), len(failed), absent))
    print("%d passed, %d failed, %d skipped" % (right, len(failed), len(refused) + absent))
    return int(len(failed) > 0)


if __name__ == "__main__":
    sys.exit(main())
