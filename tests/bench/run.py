#!/usr/bin/env python3
"""How fast is generated C, against what the processor can do and against ONNX Runtime (where it is installed)?

  run.py [--nncc build/nncc] [--cc 'gcc -O2'] [--flags=-mcpu=native] [--json FILE] [--plot FILE.svg] [--regions] [CASE...]

CASE: a folder with model.onnx and test_data_set_0/, a folder of such folders, or a pattern of names: of operators
(`gemm*`; cases.py lists them) or of models in $NNCC_MODELS (../shared/models when there is one). Without CASE: all operators.
README.md says how to read what it prints. Exit status 1 when a case fails; one that nncc refuses is listed.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
try:
    import numpy as np
    import onnx.reference
    import build
    import cases
    import chart
    import harness
except ImportError as e:
    print("SKIP bench: %s (tests/run.sh installs it)" % e)
    sys.exit(77)
try:
    import onnxruntime
except ImportError:
    onnxruntime = None

NEAR = 1.5                 # a prediction within this factor is good
LONG_REGION = 50e-6        # seconds: regions shorter than that are not judged


def processor():
    try:
        with open("/proc/cpuinfo") as f:
            return next(line.split(":", 1)[1].strip() for line in f if line.startswith("model name"))
    except (OSError, StopIteration):
        return os.uname().machine


class Machine:
    """The core that everything runs on, and what it can do."""

    def __init__(self, cc, isa, work):
        self.core = max(os.sched_getaffinity(0))
        self.peak = build.Program([build.peak_program(cc, work)], self.core)
        self.isas = self.peak.ask("list").split()
        if isa and isa not in self.isas:
            raise SystemExit("--isa %s: this processor has %s" % (isa, ", ".join(self.isas)))
        rates = {k: self.fma(k, 0.2) for k in self.isas}
        self.isa = isa or next(k for k in self.isas if rates[k] > 0.97 * max(rates.values()))
        self.fma_gflops = rates
        l1, l2, l3 = [int(v) for v in self.peak.numbers("caches")]
        shared = min(l3 // 2, 8 * l2)              # a share of a cache that other cores use as well
        sizes = [("L1", l1 // 2, l1), ("L2", l2 // 2, l2), ("L3", shared, 2 * shared), ("memory", 32 * shared, None)]
        self.levels = [(name, most, self.peak.numbers("read %d 0.2" % size)[0]) for name, size, most in sizes]

    def fma(self, isa, seconds):
        return self.peak.numbers("fma %s %g" % (isa, seconds))[0]

    def level(self, size):
        """Name and GB/s of the fastest memory that holds so many bytes."""
        return next((name, rate) for name, most, rate in self.levels if most is None or size <= most)

    def describe(self):
        return {"processor": processor(), "core": self.core, "isa": self.isa, "fma_gflops": self.fma_gflops,
                "read_gbs": [{"level": name, "up_to_bytes": most, "gbs": rate} for name, most, rate in self.levels]}


class Settings:
    """What holds for all cases."""

    def __init__(self, a):
        self.nncc, self.cc, self.flags = os.path.abspath(a.nncc), a.cc.split(), a.flags.split()
        self.rounds, self.seconds, self.regions = a.rounds, a.seconds, a.regions


# ---- one case ----

def start_ort(case, machine, work):
    """ONNX Runtime's process and outputs; None and None when it does not take the model."""
    if onnxruntime is None:
        return None, None
    inputs, outputs = os.path.join(work, "ort_inputs.npz"), os.path.join(work, "ort_outputs.npz")
    np.savez(inputs, *case.inputs)
    p = build.Program([sys.executable, os.path.join(HERE, "ort.py"), case.path, inputs, outputs], machine.core)
    try:
        p.until_ready()
    except build.Failed as e:
        print("%s: not in ONNX Runtime: %s" % (case.name, e))
        p.end()
        return None, None
    with np.load(outputs) as f:
        return p, [f["arr_%d" % k] for k in range(len(f.files))]


def expected(case, from_ort):
    """What the outputs are compared with: the recorded ones, ONNX Runtime's or the reference evaluator's; and whose."""
    if case.outputs:
        return case.outputs, "recorded"
    if from_ort:
        return from_ort, "onnxruntime"
    evaluator = onnx.reference.ReferenceEvaluator(case.path)
    return evaluator.run(None, dict(zip(evaluator.input_names, case.inputs))), "reference"


def take_turns(own, ort, machine, settings):
    """(peak GFLOP/s, own (median, minimum), ort (median, minimum) or None) of each round."""
    rounds = []
    for _ in range(settings.rounds):
        ask = "time %g" % settings.seconds
        rounds.append((machine.fma(machine.isa, 0.03), own.numbers(ask)[:2], ort.numbers(ask)[:2] if ort else None))
    return rounds


def roofline(f, machine, peak):
    """Seconds that the machine needs at least, and by what."""
    size = f["weight_bytes"] + f["input_bytes"] + f["output_bytes"]
    level, rate = machine.level(size)
    arithmetic, memory = 2e-9 * f["macs"] / peak, 1e-9 * size / rate
    return max(arithmetic, memory), "arithmetic" if arithmetic >= memory else level


def summarise(f, rounds, machine):
    """Adds what follows from the rounds to the figures."""
    peak = statistics.median(r[0] for r in rounds)
    f["median_s"] = statistics.median(r[1][0] for r in rounds)
    f["min_s"] = min(r[1][1] for r in rounds)
    f["peak_gflops"] = peak
    f["gflops"] = 2e-9 * f["macs"] / f["median_s"]
    f["of_peak"] = f["gflops"] / peak
    f["roof_s"], f["bound"] = roofline(f, machine, peak)
    f["of_roof"] = f["roof_s"] / f["median_s"]
    f["ort_median_s"] = f["ort_min_s"] = f["ratio"] = None
    if rounds[0][2]:
        f["ort_median_s"] = statistics.median(r[2][0] for r in rounds)
        f["ort_min_s"] = min(r[2][1] for r in rounds)
        f["ratio"] = statistics.median(r[1][0] / r[2][0] for r in rounds)


def region_table(built, own, settings):
    """[{name, seconds, predicted_s or None}]: what was predicted for the statements that a region's name ends with."""
    table = []
    for name, seconds in zip(built.regions, own.numbers("regions %g" % max(settings.seconds, 0.2))):
        statements = name.rsplit(": ", 1)[-1].split(", ")
        known = [built.predicted[s] for s in statements if s in built.predicted]
        whole = len(known) == len(statements)
        table.append({"name": name, "seconds": seconds, "predicted_s": 1e-3 * sum(known) if known else None, "whole": whole})
    return table


def measure(case, machine, settings, work):
    """The figures of a case."""
    if not case.inputs or not case.plain:
        raise build.Refused("no recorded inputs" if not case.inputs else "not all of its tensors are plain ones")
    built = build.Built(case, settings.nncc, settings.cc, settings.flags, work)
    ort, from_ort = start_ort(case, machine, work)
    own = built.start(machine.core)
    try:
        want, whose = expected(case, from_ort)
        build.check_outputs(built.outputs, want)
        rounds = take_turns(own, ort, machine, settings)
        figures = dict(name=case.name, checked_by=whose, **built.figures)
        summarise(figures, rounds, machine)
        figures["regions"] = region_table(built, own, settings) if settings.regions else None
    finally:
        own.end()
        if ort:
            ort.end()
    return figures


# ---- what is printed ----

COLUMNS = "%-28s %8s %10s %10s %8s %6s %6s %-10s %10s %6s %6s %9s %9s"


def ms(seconds):
    """Milliseconds, to four digits or 0.01 us."""
    if seconds is None:
        return "-"
    return "%.*f" % (5 if seconds < 1e-5 else 4 if seconds < 1e-2 else 2, 1e3 * seconds)


def print_row(f):
    print(COLUMNS % (f["name"][:28], "%.2f" % (1e-6 * f["macs"]), ms(f["median_s"]), ms(f["min_s"]), "%.1f" % f["gflops"],
                     "%.1f" % (100 * f["of_peak"]), "%.1f" % (100 * f["of_roof"]), f["bound"], ms(f["ort_median_s"]),
                     "%.2f" % f["ratio"] if f["ratio"] else "-", "%.1f" % f["cc_s"], f["arena_bytes"], f["code_bytes"]), flush=True)


def print_regions(f):
    for k, r in enumerate(f["regions"]):
        ratio = r["seconds"] / r["predicted_s"] if r["predicted_s"] else None
        print("    %4d %10s ms %10s ms predicted %7s  %s"
              % (k, ms(r["seconds"]), ms(r["predicted_s"]), "x %.2f" % ratio if ratio else "-", r["name"][:100]))
    print("         %10s ms in regions, %s ms without hooks" % (ms(sum(r["seconds"] for r in f["regions"])), ms(f["median_s"])))


def accuracy(results):
    """How many regions are long, have a prediction for all of their statements, and a good one."""
    long = [r for f in results for r in f["regions"] if r["seconds"] >= LONG_REGION]
    told = [r for r in long if r["predicted_s"] and r["whole"]]
    near = [r for r in told if 1 / NEAR <= r["seconds"] / r["predicted_s"] <= NEAR]
    return {"long": len(long), "predicted": len(told), "near": len(near)}


def print_accuracy(n):
    if n["long"]:
        print("%d of %d regions of 50 us and more are predicted within %.1f x (%.0f %%); %d of them have no prediction"
              % (n["near"], n["long"], NEAR, 100.0 * n["near"] / n["long"], n["long"] - n["predicted"]))
    else:
        print("no region takes 50 us")


def write_plot(path, machine, settings, results):
    with_macs = [f for f in results if f["macs"]]
    points = [(f["name"], f["macs"] / (f["weight_bytes"] + f["input_bytes"] + f["output_bytes"]), f["gflops"],
               2e-9 * f["macs"] / f["ort_median_s"] if f["ort_median_s"] else None) for f in with_macs]
    title = "nncc %s, %s, one core of %s%s" % (" ".join(settings.flags), " ".join(settings.cc), processor(),
                                             "; circles: ONNX Runtime" if any(p[3] for p in points) else "")
    svg = chart.roofline(title, machine.fma_gflops[machine.isa], [(name, rate) for name, _, rate in machine.levels], points)
    with open(path, "w") as f:
        f.write(svg)


def write_json(path, machine, settings, results):
    version = subprocess.run(settings.cc[:1] + ["--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    nncc = subprocess.run([settings.nncc, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    with open(path, "w") as f:
        json.dump({"nncc": nncc, "flags": settings.flags, "cc": settings.cc, "cc_version": version, "rounds": settings.rounds,
                   "seconds": settings.seconds, "onnxruntime": onnxruntime.__version__ if onnxruntime else None,
                   "machine": machine.describe(), "cases": results,
                   "long_regions": accuracy(results) if settings.regions else None}, f, indent=1)
        f.write("\n")


def print_machine(machine):
    print("%s, core %d: %s" % (processor(), machine.core, ", ".join("%s %.1f GFLOP/s" % v for v in machine.fma_gflops.items())))
    print("reading: " + ", ".join("%s %.1f GB/s" % (name, rate) for name, _, rate in machine.levels))
    print("%% of peak is of %s" % machine.isa)
    print(COLUMNS % ("case", "M MACs", "ms", "min ms", "GFLOP/s", "% peak", "% roof", "bound by", "ORT ms", "/ ORT", "cc s",
                     "arena B", "code B"), flush=True)


def run_all(found, machine, settings):
    """Figures of those cases that worked, and how many failed."""
    results, failed = [], 0
    for name, folder in found:
        with tempfile.TemporaryDirectory(prefix="nncc-bench-") as work:
            try:
                f = measure(cases.Case(folder, name), machine, settings, work)
            except build.Refused as e:
                print("SKIP %s: %s" % (name, e), flush=True)
                continue
            except (build.Failed, subprocess.TimeoutExpired) as e:
                print("FAIL %s: %s" % (name, e), flush=True)
                failed += 1
                continue
        print_row(f)
        if settings.regions:
            print_regions(f)
        results.append(f)
    return results, failed


def arguments():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("cases", nargs="*", metavar="CASE")
    ap.add_argument("--nncc", default="build/nncc")
    ap.add_argument("--cc", default="gcc -O2")
    ap.add_argument("--flags", default="-mcpu=native", help="of nncc, besides --weights=bin")
    ap.add_argument("--isa", help="whose peak counts: avx512, avx2 or vectors; default: the fastest")
    ap.add_argument("--rounds", type=int, default=7)
    ap.add_argument("--seconds", type=float, default=0.1, help="of each contender in each round")
    ap.add_argument("--regions", action="store_true", help="time each region, beside what was predicted")
    ap.add_argument("--json", metavar="FILE")
    ap.add_argument("--plot", metavar="FILE.svg")
    return ap.parse_args()


def main():
    a = arguments()
    settings = Settings(a)
    with tempfile.TemporaryDirectory(prefix="nncc-bench-") as work:
        found = cases.find(a.cases or list(cases.OPERATORS), work)
        machine = Machine(settings.cc, a.isa, work)
        print_machine(machine)
        results, failed = run_all(found, machine, settings)
        machine.peak.end()
    if settings.regions:
        print_accuracy(accuracy(results))
    if a.json:
        write_json(a.json, machine, settings, results)
    if a.plot and results:
        write_plot(a.plot, machine, settings, results)
    print("%d timed, %d failed, %d skipped" % (len(results), failed, len(found) - len(results) - failed))
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
