#!/usr/bin/env python3
"""Whether estimate.py counts rightly, and whether its estimates are sane: estimate_smoke.py --nncc PATH --work DIR"""
import argparse
import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
try:
    import build
    import cores
    import counts
    import cross
    import isas
    import loops
    from smoke import Checks
except ImportError as e:
    print("SKIP estimate: %s (tests/run.sh installs it)" % e)
    sys.exit(77)

# ---- texts ----

# instruction set, instruction, what it is, multiply-adds (of RVV in groups of four registers of 128 bits)
INSTRUCTIONS = [
    ("aarch64", "fmla v0.4s, v1.4s, v2.s[0]", "fma", 4),
    ("aarch64", "fmla v0.2d, v1.2d, v2.2d", "fma", 2),
    ("aarch64", "fmadd s0, s1, s2, s3", "fma", 1),
    ("aarch64", "sdot v0.4s, v1.16b, v2.4b[1]", "fma", 16),
    ("aarch64", "ldp q0, q1, [x1], #32", "load", None),
    ("aarch64", "ld1r { v0.4s }, [x0]", "load", None),
    ("aarch64", "str q0, [sp, #16]", "store", None),
    ("aarch64", "add x0, x0, #16", "", None),
    ("aarch64", "blr x3", "call", None),
    ("arm", "vfma.f32 q0, q1, q2", "fma", 4),
    ("arm", "vmla.f32 d0, d1, d2[0]", "fma", 2),
    ("arm", "vld1.32 {d0, d1}, [r0]!", "load", None),
    ("arm", "vpush {d8, d9}", "store", None),
    ("riscv64", "vfmacc.vf v8, fa5, v4", "fma", 16),
    ("riscv64", "fmadd.s fa0, fa1, fa2, fa3", "fma", 1),
    ("riscv64", "vle32.v v4, (a0)", "load", None),
    ("riscv64", "vlseg3e32.v v4, (a0)", "load", None),
    ("riscv64", "flw fa5, 4(a1)", "load", None),
    ("riscv64", "vs4r.v v8, (a0)", "store", None),
    ("riscv64", "vsetvli zero, a0, e32, m4, ta, ma", "", None),
    ("riscv64", "vsub.vv v0, v4, v8", "", None),
    ("x86_64", "vfmadd231ps (%rax,%rcx,4), %ymm1, %ymm2", "fma load", 8),
    ("x86_64", "vfmadd213sd %xmm0, %xmm1, %xmm2", "fma", 1),
    ("x86_64", "vmovups %ymm0, 32(%rdi)", "store", None),
    ("x86_64", "vmovups 32(%rdi), %ymm0", "load", None),
    ("x86_64", "addl $1, (%rdi)", "load store", None),
    ("x86_64", "leaq 8(%rdi), %rax", "", None),
]

FMLA, LOAD = "fmla v0.4s, v1.4s, v2.s[0]", "ldr q0, [x1]"
HALVES = ["ldr d0, [x1]", "ldr x0, [x1, #8]", "mov v0.d[1], x0"]

# 24 multiply-adds and what they are fed by: cycles on cortex-a53, on cortex-a55
BOUNDS = [([FMLA] * 24, 24, 24), ([FMLA] * 24 + [LOAD] * 5, 34, 34), ([FMLA] * 24 + HALVES * 5, 29, 24),
          ([FMLA] * 4 + ["add x0, x0, #1"] * 8, 6, 6)]


def check_texts(c):
    setting = loops.vector_setting(["vsetvli a3, a0, e32, m4, ta, ma", "add a0, a0, a1"], 128)
    for name, text, kinds, lanes in INSTRUCTIONS:
        isa = isas.ISAS[name]
        c.that(isa.kinds(text) == set(kinds.split()), "%s: %s: %s" % (name, text, isa.kinds(text)))
        c.that(lanes is None or isa.lanes(text, setting) == lanes, "%s: lanes of %s" % (name, text))
    for texts, a53, a55 in BOUNDS:
        c.that((cores.bound_a53(texts), cores.bound_a55(texts)) == (a53, a55), "the bounds of %s" % texts[-1])
    c.that(cores.split_updates("ldr q0, [x1], #16") == ["ldr q0, [x1]", "add x1, x1, 16"], "an access that moves its pointer afterwards")
    c.that(cores.split_updates("str q0, [x1, #-16]!") == ["add x1, x1, -16", "str q0, [x1]"], "and before")
    c.that(setting.comments() == ["# LLVM-MCA-RISCV-LMUL M4", "# LLVM-MCA-RISCV-SEW E32"], "what llvm-mca is told of groups")
    framed = ["mov x29, sp", "ldr q0, [x29, #16]", "ldr q1, [sp, #32]", "ldr q2, [x1]"]
    c.that(isas.ISAS["aarch64"].stack_accesses(framed, framed) == 2, "accesses to the stack")
    c.that(isas.ISAS["aarch64"].stack_accesses(framed[1:], framed[1:]) == 1, "x29 is any register where it is no frame pointer")


# ---- counts ----

# A function of 2 + 2 * 1000 instructions, called once; how far from the end of a page it begins, so that the loop goes over it.
LOOPS = {
    "cortex-a53": (8, "mov w0, #1000\\n1: subs w0, w0, #1\\nb.ne 1b\\nret"),
    "cortex-a7": (8, "mov r0, #1000\\n1: subs r0, r0, #1\\nbne 1b\\nbx lr"),
    "rv64gcv": (6, "li a0, 1000\\n1: addi a0, a0, -1\\nbnez a0, 1b\\nret"),
    "haswell": (6, "movl $1000, %eax\\n1: subl $1, %eax\\njne 1b\\nret"),
}
SOURCE = """
void loop(void);
void run(void);
void write_outputs(void);
__asm__(".text\\n.balign 4096\\n.skip 4096 - %d\\n.globl loop\\n.type loop, %%function\\nloop:\\n%s\\n.size loop, . - loop");
void run(void) { loop(); }
void write_outputs(void) { }
int main(void) { loop(); run(); write_outputs(); loop(); return 0; }
"""


def check_loop(c, name, text, library, work):
    """False when this machine cannot."""
    cpu = cross.CPUS[name]
    good, reasons = cross.pairs(cpu)
    if not good:
        print("not counted: %s: %s" % (name, "; ".join(reasons)))
        return False
    compiler, emulator = good[0]
    source, program, isa = os.path.join(work, "loop.c"), os.path.join(work, "loop"), isas.of_triple(cpu.triple)
    with open(source, "w") as f:
        f.write(SOURCE % text)
    build.call(compiler + ["-O0", "-o", program, source], "C compiler")
    functions, _ = counts.run(program, [], isa, emulator, library, os.path.join(work, "counts"))
    found = loops.find(functions, isa, None)
    c.that(list(functions) == ["loop"] and counts.total(functions) == 2002, "%s: 2002 instructions: %d" % (name, counts.total(functions)))
    c.that([(len(l.body), l.times) for l in found] == [(2, 1000)], "%s: the loop of two instructions" % name)
    return True


# ---- estimate.py ----

OTHERS = {"cortex-a7": 4, "rv64gcv": 32, "haswell": 8}   # the most lanes of a multiply-add; of RVV 8 registers of 128 bits

def estimate(nncc, path, *arguments):
    command = [sys.executable, os.path.join(HERE, "estimate.py"), "--nncc", nncc, "--json", path]
    r = subprocess.run(command + list(arguments), capture_output=True, text=True, timeout=300)
    print(r.stdout + r.stderr)
    if r.returncode:
        return r.returncode, []
    with open(path) as f:
        return 0, json.load(f)["cases"]


def check_gemm(c, f):
    own, naive = f["own"], f["against"]
    top = max(own["loops"], key=lambda l: l["share"])
    c.that(own["macs"] == 24 ** 3, "MACs")
    c.that(sum(l["macs"] * l["times"] for l in own["loops"]) <= own["macs"], "loops have no more multiply-adds than the case")
    c.that(own["fma_share"] * own["instructions"] >= own["macs"] / 4, "as many multiply-adds of four lanes as there are MACs")
    c.that(0.25 < own["per_mac"] < 1 and own["loads_per_mac"] > 0 and own["stores_per_mac"] > 0, "instructions per MAC")
    c.that(naive["instructions"] > 2 * own["instructions"], "-O0 takes more")
    c.that(top["fmas"] >= 8 and top["macs"] == 4 * top["fmas"] and top["share"] > 0.5, "the inner loop")
    c.that(own["cycles"] is None or 0.3 < own["of_peak"] < 1.02 and 0.3 < top["of_peak"] < 1.02, "not beyond the core's peak")


def check_estimates(c, nncc, work):
    first = os.path.join(work, "first.json")
    arguments = ["-mcpu=cortex-a72", "--against=-O0", "--loops=2", "gemm_24", "softmax_16x64"]
    code, cases = estimate(nncc, first, *arguments)
    c.that(code == 0 and len(cases) == 2, "estimate.py counts all cases")
    if code == 0:
        check_gemm(c, cases[0])
        c.that(estimate(nncc, os.path.join(work, "second.json"), *arguments)[1] == cases, "a second run gives the same to the instruction")


def check_others(c, nncc, work):
    """A product of matrices on the other instruction sets; returns how many could not be run."""
    known = subprocess.run([nncc, "-mcpu=help"], capture_output=True, text=True, check=True).stdout.split()
    skipped = 0
    for name, lanes in OTHERS.items():
        if name not in known:
            continue
        code, cases = estimate(nncc, os.path.join(work, name + ".json"), "-mcpu=" + name, "--loops=1", "gemm_24")
        skipped += code == 77
        c.that(code in (0, 77), "%s: estimate.py counts" % name)
        for own in (case["own"] for case in cases):
            top = max(own["loops"], key=lambda l: l["fmas"])
            c.that(own["per_mac"] < 1 and own["fma_share"] > 0.2, "%s: instructions of a product of matrices" % name)
            c.that(own["fma_share"] * own["instructions"] * lanes >= own["macs"], "%s: enough multiply-adds" % name)
            c.that(top["fmas"] > 0 and top["macs"] <= lanes * top["fmas"], "%s: multiply-adds of the inner loop" % name)
    return skipped


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--nncc", required=True)
    ap.add_argument("--work", required=True)
    a = ap.parse_args()
    shutil.rmtree(a.work, ignore_errors=True)
    os.makedirs(a.work)
    c = Checks()
    check_texts(c)
    cpu = cross.CPUS["cortex-a72"]
    reason = counts.lacking(cpu, cpu.compilers[0], cpu.emulators[0])
    if reason:
        print("not counted: " + reason)
        print("%d passed, %d failed, 1 skipped" % (c.passed, c.failed))
        return 1 if c.failed else 77
    library = counts.plugin(a.work)
    skipped = sum(not check_loop(c, name, text, library, a.work) for name, text in LOOPS.items())
    check_estimates(c, os.path.abspath(a.nncc), a.work)
    skipped += check_others(c, os.path.abspath(a.nncc), a.work)
    print("%d passed, %d failed, %d skipped" % (c.passed, c.failed, skipped))
    return c.failed > 0


if __name__ == "__main__":
    sys.exit(main())
