#!/usr/bin/env python3
"""What generated C costs on processors that this machine is not: instructions counted exactly, cycles estimated.

  estimate.py -mcpu=CPU [--nncc build/nncc] [--cc gcc|clang] [--vlen BITS] [--flags=FLAGS] [--against=FLAGS] [--functions N]
              [--loops N [--text]] [--json FILE] CASE...
  estimate.py --calibrate [--nncc build/nncc] [CASE...]

CPU: one of tests/cross.py. CASE: as run.py takes them. --against=-O0 counts a second compilation by those flags, too. --calibrate
compares estimated with measured cycles on this machine's own x86 core, with AVX2. README.md says how to read what is printed.
Exit status 1 when a case fails; 77 when this machine lacks an emulator or a compiler.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
try:
    import build
    import cases
    import cores
    import counts
    import cross
    import loops
except ImportError as e:
    print("SKIP estimate: %s (tests/run.sh installs it)" % e)
    sys.exit(77)

CALIBRATION = ["gemm_256", "gemm_512", "conv3x3_c64", "conv1x1_c64_c128", "conv7x7_s2_c3", "depthwise3x3_c64", "maxpool3x3_s2_c64",
               "softmax_8x512x512", "layernorm_197x768", "chain_64x56x56"]
ROUNDS = 7


class Bench:
    """What programs are built with and run in, and the core that they are judged by."""

    def __init__(self, a, core, work):
        self.nncc, self.cpu, self.work = os.path.abspath(a.nncc), cross.CPUS[a.mcpu], work
        self.core = cores.CORES.get(core)
        if self.core and not callable(self.core.model) and not shutil.which("llvm-mca-19"):
            print("no llvm-mca-19: no cycles")
            self.core = None
        chosen = [k for k, c in enumerate(self.cpu.compilers) if not a.cc or a.cc in c[0]]
        self.emulator = next((e for e in self.cpu.emulators if not a.vlen or "vlen=%d" % a.vlen in " ".join(e)), None)
        if not chosen or not self.emulator:
            raise SystemExit("estimate: %s has no such %s" % (a.mcpu, "emulator" if chosen else "compiler"))
        reasons = [counts.lacking(self.cpu, self.cpu.compilers[k], self.emulator) for k in chosen]
        if all(reasons):
            print("SKIP estimate: " + reasons[0])
            sys.exit(77)
        self.compiler, self.tune = next((self.cpu.compilers[k], self.cpu.tune[k]) for k, r in zip(chosen, reasons) if not r)
        self.library = counts.plugin(work)
        bits = re.search(r"vlen=(\d+)", " ".join(self.emulator))
        self.bits = int(bits.group(1)) if bits else None

    def count(self, case, flags, name):
        """The functions of one run, and its program."""
        program = counts.Program(case, self.nncc, self.cpu.flags + flags, self.cpu, self.compiler, self.tune,
                                 os.path.join(self.work, name))
        functions, macs = program.run(self.emulator, self.library)
        if case.outputs:
            build.check_outputs(program.outputs, case.outputs)
        return functions, macs, program

    def estimate(self, functions, macs, isa):
        """Cycles, their share of the peak, and the loops; None, None and the loops without a model."""
        found = loops.find(functions, isa, self.bits)
        if not self.core:
            return None, None, found
        cycles = loops.cycles(functions, found, self.core, isa)
        return cycles, macs / (cycles * self.core.fmas), found


def figures(bench, case, name, flags):
    """Counts and estimates of a case compiled with these flags."""
    functions, macs, program = bench.count(case, flags, name)
    cycles, of_peak, found = bench.estimate(functions, macs, program.isa)
    n, fmas, loads, stores = (counts.total(functions, kind) for kind in (None, "fma", "load", "store"))
    per_mac = (lambda count: count / macs if macs else None)
    f = {"case": case.name, "macs": macs, "instructions": n, "per_mac": per_mac(n), "fma_share": fmas / n, "loads_per_mac": per_mac(loads),
         "stores_per_mac": per_mac(stores), "cycles": cycles, "of_peak": of_peak if macs else None}
    f["loops"] = [describe(loop, n, bench.core) for loop in found if loop.total >= loops.LEAST_SHARE * n]
    f["functions"] = sorted((dict({k: counts.total({name: body}, k) for k in ("fma", "load", "store")}, function=name,
                                  instructions=counts.total({name: body})) for name, body in functions.items()),
                            key=lambda row: -row["instructions"])
    return f


def describe(loop, everything, core):
    return {"function": loop.function, "share": loop.total / everything, "times": loop.times, "instructions": len(loop.body),
            "fmas": loop.fmas, "macs": loop.macs, "loads": loop.loads, "stores": loop.stores, "stack": loop.stack,
            "straight": loop.exact, "cycles": loop.cycles, "of_peak": loop.of_peak(core) if core else None,
            "text": [i.text for i in loop.body]}


# ---- what is printed ----

def number(value, form):
    return "-" if value is None else form % value


def print_head(bench, a):
    print("%s: %s -O2 %s; %s" % (a.mcpu, " ".join(bench.compiler), " ".join(bench.tune), " ".join(bench.emulator)))
    if bench.core:
        model = "a bound for in-order issue (%s)" % bench.core.source if callable(bench.core.model) else "llvm-mca " + bench.core.model
        print("cycles: estimate, not measured; %s, may be off by %s; memory is not in it" % (model, bench.core.band))
        print("peak: %d multiply-adds of floats a cycle (%s)" % (bench.core.fmas, bench.core.source))
    else:
        print("cycles: no model of this processor is trusted")
    print("%-28s %9s %10s %8s %6s %8s %8s %10s %7s%s" % ("case", "M MACs", "M instr", "/ MAC", "FMA %", "load/MAC", "store/M", "M cycles",
                                                         "% peak", "   %s/MAC  times" % a.against if a.against else ""))


def print_row(f, other):
    print("%-28s %9.2f %10.3f %8s %6.1f %8s %8s %10s %7s%s" % (
        f["case"], f["macs"] / 1e6, f["instructions"] / 1e6, number(f["per_mac"], "%.4f"), 100 * f["fma_share"],
        number(f["loads_per_mac"], "%.4f"), number(f["stores_per_mac"], "%.4f"),
        number(f["cycles"] and f["cycles"] / 1e6, "%.3f"), number(f["of_peak"] and 100 * f["of_peak"], "%.1f"),
        "   %8s %6.1f" % (number(other["per_mac"], "%.4f"), other["instructions"] / f["instructions"]) if other else ""), flush=True)


def print_functions(f, most):
    print("    %-48s %7s %10s %6s %7s %7s" % ("function", "share %", "M instr", "FMA %", "load %", "store %"))
    for row in f["functions"][:most]:
        n = row["instructions"]
        print("    %-48.48s %7.1f %10.3f %6.1f %7.1f %7.1f" % (row["function"], 100 * n / f["instructions"], n / 1e6, 100 * row["fma"] / n,
                                                              100 * row["load"] / n, 100 * row["store"] / n), flush=True)


def print_loops(f, most, with_text):
    print("    %-36s %7s %11s %6s %5s %6s %6s %6s %8s %7s" % ("innermost loop in", "share %", "times", "instr", "FMAs", "loads", "stores",
                                                           "stack", "cycles", "% peak"))
    for loop in f["loops"][:most]:
        print("    %-36.36s %7.1f %11d %6d %5d %6d %6d %6d %8s %7s%s" % (
            loop["function"], 100 * loop["share"], loop["times"], loop["instructions"], loop["fmas"], loop["loads"], loop["stores"],
            loop["stack"], number(loop["cycles"], "%.2f"), number(loop["of_peak"] and 100 * loop["of_peak"], "%.1f"),
            "" if loop["straight"] else "  (with branches)"), flush=True)
        if with_text:
            print("\n".join("        " + text for text in loop["text"]))


def each(found):
    """(case, None), or (name, reason) of what cannot be run."""
    for name, folder in found:
        case = cases.Case(folder, name)
        yield (case, None) if case.plain else (case, "tensors of other kinds")


def estimate_all(found, bench, a):
    results, failed = [], 0
    print_head(bench, a)
    for case, reason in each(found):
        try:
            if reason:
                raise build.Refused(reason)
            f = figures(bench, case, "own", a.flags.split())
            other = figures(bench, case, "other", a.against.split()) if a.against else None
        except build.Refused as e:
            print("SKIP %s: %s" % (case.name, e), flush=True)
            continue
        except (build.Failed, subprocess.TimeoutExpired) as e:
            print("FAIL %s: %s" % (case.name, e), flush=True)
            failed += 1
            continue
        print_row(f, other)
        if a.functions:
            print_functions(f, a.functions)
        if a.loops:
            print_loops(f, a.loops, a.text)
        results.append({"own": f, "against": other})
    return results, failed


# ---- calibration ----

def host_model():
    """The name that LLVM has for this machine's processor."""
    text = subprocess.run(["llvm-mca-19", "--version"], capture_output=True, text=True).stdout
    return re.search(r"Host CPU: (\S+)", text).group(1)


class Host:
    """This machine's core, with AVX2: gigahertz from the peak that it reaches, programs timed."""

    def __init__(self, work):
        self.core = max(os.sched_getaffinity(0))
        self.peak = build.Program([build.peak_program(["gcc", "-O2"], work)], self.core)
        self.avx2 = "avx2" in self.peak.ask("list").split()

    def gigahertz(self, fmas):
        return self.peak.numbers("fma avx2 0.1")[0] / (2 * fmas)

    def cycles(self, program, fmas):
        """The least of several rounds of one run, by the clock that holds around it; each in a process, and so in memory, of its own."""
        return min(self.once(program) * 1e9 * self.gigahertz(fmas) for _ in range(ROUNDS))

    def once(self, program):
        p = build.Program([program.path, program.inputs, program.outputs], self.core)
        p.until_ready()
        seconds = p.numbers("time 0.1")[1]
        p.end()
        return seconds


def calibrate(found, bench, host):
    print("%-28s %9s %10s %10s %10s %11s" % ("case", "M MACs", "% peak est", "% measured", "M cycles", "est / meas."))
    failed = 0
    for case, _ in each(found):
        try:
            functions, macs, program = bench.count(case, [], "own")
            estimated, of_peak, _ = bench.estimate(functions, macs, program.isa)
            measured = host.cycles(program, bench.core.fmas)
        except (build.Failed, build.Refused, subprocess.TimeoutExpired) as e:
            print("FAIL %s: %s" % (case.name, e), flush=True)
            failed += 1
            continue
        print("%-28s %9.2f %10.1f %10.1f %10.3f %11.2f" % (case.name, macs / 1e6, 100 * of_peak, 100 * macs / measured / bench.core.fmas,
                                                         measured / 1e6, estimated / measured), flush=True)
    return failed


def run_calibration(a, work):
    a.mcpu, core = "haswell", host_model() if shutil.which("llvm-mca-19") else "without llvm-mca-19"
    if core not in cores.CORES:
        print("SKIP estimate: nothing is known of this machine's core, %s" % core)
        return 77
    host, bench = Host(work), Bench(a, core, work)
    if not host.avx2:
        print("SKIP estimate: this machine has no AVX2")
        return 77
    print("-mcpu=%s, %s -O2, llvm-mca %s; %.2f GHz" % (a.mcpu, bench.compiler[0], bench.core.model, host.gigahertz(bench.core.fmas)))
    failed = calibrate(cases.find(a.cases or CALIBRATION, work), bench, host)
    host.peak.end()
    return failed > 0


def arguments():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("cases", nargs="*", metavar="CASE")
    ap.add_argument("-mcpu", choices=sorted(cross.CPUS), metavar="CPU")
    ap.add_argument("--nncc", default="build/nncc")
    ap.add_argument("--cc", choices=["gcc", "clang"], help="default: the first that works")
    ap.add_argument("--vlen", type=int, help="bits of RVV's vectors")
    ap.add_argument("--flags", default="", help="of nncc, besides --target, -mcpu and --weights=bin")
    ap.add_argument("--against", metavar="FLAGS", help="count that as well, such as --against=-O0")
    ap.add_argument("--functions", type=int, default=0, metavar="N", help="show the N functions that run most instructions")
    ap.add_argument("--loops", type=int, default=0, metavar="N", help="show the N innermost loops that run most")
    ap.add_argument("--text", action="store_true", help="and their instructions")
    ap.add_argument("--json", metavar="FILE")
    ap.add_argument("--calibrate", action="store_true")
    return ap.parse_args()


def main():
    a = arguments()
    with tempfile.TemporaryDirectory(prefix="nncc-estimate-") as work:
        if a.calibrate:
            return run_calibration(a, work)
        if not a.mcpu or not a.cases:
            raise SystemExit("estimate: -mcpu=CPU and cases are needed; CPU: " + " ".join(cross.CPUS))
        bench = Bench(a, a.mcpu, work)
        results, failed = estimate_all(cases.find(a.cases, work), bench, a)
    if a.json:
        with open(a.json, "w") as f:
            json.dump({"cpu": a.mcpu, "compiler": bench.compiler, "emulator": bench.emulator, "cases": results}, f, indent=1)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
