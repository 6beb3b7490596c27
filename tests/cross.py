#!/usr/bin/env python3
"""Machines that are not this one: for each processor of nncc -mcpu its cross compilers and its emulators, and what is missing here.

    cross.py             the processors
    cross.py CPU         a line `compiler<TAB>emulator` for each pair that works here; exit status 77 and the reason when none does

    machine = cross.machine("cortex-a53")        # this machine itself, for processors whose instructions it has
    if not machine.lacking:
        subprocess.run([nncc, "-mcpu=cortex-a53", model, "-o", "model.c"])
        subprocess.run(machine.compilers[0] + ["-std=c99", "-O2", "-o", "program", "model.c", "main.c", "-lm"])
        subprocess.run(machine.emulators[0] + ["program"])

Programs are static. Emulators are those of QEMU's user mode. Where QEMU has that processor, or one without anything newer, an
instruction that the processor lacks ends the program; RVV runs with agnostic elements set to all ones, at each length of vectors
that the processor may have. Processors that QEMU 7.2 does not know run as the next one that has their instructions.
"""
import functools
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile

CLANG = "clang-19"


class Cpu:
    """One processor of -mcpu.

    triple      of nncc --target
    compilers   commands, each a list, that make static programs of C written for it
    tune        flags that order instructions for it: one list per compiler
    emulators   commands, each a list, that run those
    flags       of nncc
    """

    def __init__(self, name, triple, compilers, emulators, tune=None):
        self.name, self.triple = name, triple
        self.compilers = [c.split() + ["-static"] for c in compilers]
        self.tune = [t.split() for t in tune or [""] * len(compilers)]
        self.emulators = [e.split() for e in emulators]
        self.flags = ["--target=" + triple, "-mcpu=" + name]


def a64(name, emulated, gcc_tune=None):
    """NEON of A64 is in every compiler's default; extensions are attributes of functions."""
    return Cpu(name, "aarch64-linux-gnu", ["aarch64-linux-gnu-gcc", CLANG + " --target=aarch64-linux-gnu"],
               ["qemu-aarch64 -cpu " + emulated], ["-mtune=" + (gcc_tune or name), "-mtune=" + name])


def a32(name):
    options = " -mcpu=%s -mfpu=neon-vfpv4 -mfloat-abi=hard" % name
    return Cpu(name, "arm-linux-gnueabihf",
               ["arm-linux-gnueabihf-gcc" + options, CLANG + " --target=arm-linux-gnueabihf" + options], ["qemu-arm -cpu " + name])


def rvv(name, lengths, tune=""):
    """gcc 12 has no riscv_vector.h."""
    return Cpu(name, "riscv64-linux-gnu", [CLANG + " --target=riscv64-linux-gnu -march=rv64gcv -mabi=lp64d"],
               ["qemu-riscv64 -cpu rv64,v=true,vlen=%d,vext_spec=v1.0,rvv_ta_all_1s=true,rvv_ma_all_1s=true" % n for n in lengths],
               [tune])


def x86(name):
    """QEMU 7.2 knows AVX2 and FMA, not AVX-512."""
    return Cpu(name, "x86_64-linux-gnu", ["x86_64-linux-gnu-gcc", CLANG + " --target=x86_64-linux-gnu"],
               ["qemu-x86_64 -cpu max"], ["-mtune=" + name] * 2)


CPUS = {cpu.name: cpu for cpu in [
    a64("cortex-a53", "cortex-a53"),
    a64("cortex-a55", "cortex-a76"),
    a64("cortex-a72", "cortex-a72"),
    a64("cortex-a76", "cortex-a76"),
    a64("neoverse-n1", "neoverse-n1"),
    a64("neoverse-v1", "max"),
    a64("neoverse-v2", "max", "demeter"),         # gcc 12's name of it
    a32("cortex-a7"),
    rvv("rv64gcv", [128, 256, 512, 1024]),
    rvv("sifive-p670", [128], "-mtune=sifive-p670"),
    rvv("sifive-x280", [512], "-mtune=sifive-x280"),
    x86("haswell"),
]}


# What this machine must have to run the C for a processor of its own kind, in the words of /proc/cpuinfo. Others need nothing.
FEATURES = {
    "haswell": "avx2 fma",
    "znver4": "avx512f avx512vl avx512bw avx512dq",
    "cortex-a76": "asimddp asimdhp",
    "neoverse-n1": "asimddp asimdhp",
    "neoverse-v1": "asimddp asimdhp i8mm",
    "neoverse-v2": "asimddp asimdhp i8mm",
}


def run(command, **more):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=60, **more)


@functools.lru_cache(None)
def tried(compiler, emulator):
    missing = [w for w in (compiler[0], emulator[0]) if not shutil.which(w)]
    if missing:
        return "no " + " and no ".join(missing)
    with tempfile.TemporaryDirectory(prefix="nncc-cross-") as work:
        source, program = os.path.join(work, "empty.c"), os.path.join(work, "empty")
        with open(source, "w") as f:
            f.write("#include <math.h>\nint main(int argc, char **argv)\n{\n    (void)argv;\n    return floor(argc / 2.0) != 0.0;\n}\n")
        built = run(list(compiler) + ["-o", program, source, "-lm"])
        if built.returncode:
            return "%s builds no program: %s" % (compiler[0], (built.stderr.strip().splitlines() or ["no message"])[-1])
        ran = run(list(emulator) + [program])
        return "" if ran.returncode == 0 else "%s runs no program: %s" % (" ".join(emulator), ran.stderr.strip() or ran.returncode)


def lacking(compiler, emulator):
    """Why this machine cannot build with `compiler` what `emulator` runs; '' when it can. Tried once."""
    return tried(tuple(compiler), tuple(emulator))


def pairs(cpu):
    """(compiler, emulator) that work here, and the reasons why others do not."""
    good, reasons = [], []
    for compiler in cpu.compilers:
        for emulator in cpu.emulators:
            reason = lacking(compiler, emulator)
            if reason:
                reasons.append(reason)
            else:
                good.append((compiler, emulator))
    return good, reasons


class Machine:
    """Where the C for a processor is built and runs.

    lacking     why that is nowhere; '' when it is somewhere
    compilers   commands, each a list, the first for what is built once
    emulators   commands, each a list, to put before a program; [] runs it as it is
    native      whether it is this machine: sanitizers of the compilers run here, and nowhere else
    """

    def __init__(self, compilers, emulators, native, lacking=""):
        self.compilers, self.emulators, self.native, self.lacking = compilers, emulators, native, lacking


def this_machine(name):
    try:
        with open("/proc/cpuinfo") as f:
            found = set(re.search(r"^(?:flags|Features)\s*: (.*)", f.read(), re.M).group(1).split())
    except (OSError, AttributeError):
        found = set()
    missing = sorted(set(FEATURES.get(name, "").split()) - found)
    return Machine([["gcc"]] + [[CLANG]] * bool(shutil.which(CLANG)), [[]], True, "this CPU has no " + " ".join(missing) if missing else "")


def machine(name):
    """The machine for a processor of -mcpu; None: for portable C."""
    cpu = CPUS.get(name)
    if not cpu or cpu.triple.split("-")[0] == platform.machine():
        return this_machine(name)
    good, reasons = pairs(cpu)
    return Machine([c for c in cpu.compilers if c in [g[0] for g in good]], [e for e in cpu.emulators if e in [g[1] for g in good]],
                   False, "" if good else "; ".join(sorted(set(reasons))))


def machine_of(flags):
    """The machine for the C that nncc makes with these flags."""
    return machine(([None] + [f.split("=")[1] for f in flags if f.startswith("-mcpu=")])[-1])


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in CPUS:
        print("\n".join(CPUS))
        return len(sys.argv) != 1
    good, reasons = pairs(CPUS[sys.argv[1]])
    for compiler, emulator in good:
        print("%s\t%s" % (" ".join(compiler), " ".join(emulator)))
    if not good:
        print("SKIP %s: %s" % (sys.argv[1], "; ".join(reasons)), file=sys.stderr)
    return 0 if good else 77


if __name__ == "__main__":
    sys.exit(main())
