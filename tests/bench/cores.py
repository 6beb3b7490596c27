"""What cores can do: multiply-adds per cycle, and which model says how long a loop takes.

A model of llvm-mca is named only where it agrees with published throughputs of that core; those of cortex-a53, a55 (a bound of our
own instead), a76 and of all 32-bit cores do not.
"""
import collections
import re
import subprocess

# fmas    multiply-adds of floats per cycle of one core: the hardware's, whatever a model believes
# width   instructions that can begin per cycle, for those outside loops that are looked at
# model   of llvm-mca, or the function below that gives a bound
# band    how far off the estimate may be
Core = collections.namedtuple("Core", "fmas width model band source")

# ---- cortex-a53 and cortex-a55: cycles that issuing takes at least ----

VECTOR = re.compile(r"\b[vqds]\d+\b")


def access_class(name, operands):
    """Of a load or store of vector registers: a letter of issue_class for each register."""
    listed = re.match(r"\{ ?([^}]*)\}(.*)", operands)
    if listed and name[-1] != "r" and not listed.group(2).startswith("["):       # neither one lane nor the same in all lanes
        return "".join("q" if re.search(r"\.(16b|8h|4s|2d)", r) else "v" for r in listed.group(1).split(","))
    return "".join("q" if r[0] == "q" else "v" for r in re.findall(r"\b[qdsv]\d", operands.split("[")[0]))


def issue_class(text):
    """q: an access of 128 bits by a vector register. v: a shorter one. w: an insertion of a lane. f: other vector arithmetic.
    i: everything else: integers, loads to integer registers, jumps. Pairs have two letters."""
    name, _, operands = text.partition(" ")
    access = name[:2] in ("ld", "st")
    if not VECTOR.search(operands.split("[")[0] if access else operands):
        return "i"
    if access:
        return access_class(name, operands)
    return "w" if name in ("ins", "mov") and re.match(r"v\d+\.\w+\[\d+\], ", operands) else "f"


def bound(texts, free_vector_loads):
    """128-bit arithmetic takes a cycle, a 128-bit load two in which nothing else begins; one instruction of integers, loads to
    integer registers, jumps or (on the a55 alone) 64-bit vector loads and insertions begins with each vector instruction. On the
    a53 a 64-bit vector load takes a cycle, in which an insertion may begin as well."""
    n = collections.Counter("".join(map(issue_class, texts)))
    alone = n["f"] + 2 * n["q"]
    if free_vector_loads:
        beside, slots = n["i"] + n["v"] + n["w"], n["f"]
    else:
        alone += max(n["v"], n["w"])
        beside, slots = n["i"], n["f"] + abs(n["v"] - n["w"])
    return alone + max(0, beside - slots) / 2


def bound_a53(texts):
    return bound(texts, False)


def bound_a55(texts):
    return bound(texts, True)


DUAL = "ncnn, docs/developer-guide/arm-a53-a55-dual-issue.md"
OUT_OF_ORDER, IN_ORDER, CALIBRATED = "30 %", "a factor of 2", "10 % where arithmetic bounds it"

CORES = {
    "cortex-a53":  Core(4, 2, bound_a53, IN_ORDER, DUAL),
    "cortex-a55":  Core(4, 2, bound_a55, IN_ORDER, DUAL),
    "cortex-a72":  Core(4, 3, "cortex-a72", OUT_OF_ORDER, "15.9 GFLOP/s measured at 2.0 GHz; Arm's Cortex-A72 Software Optimization Guide"),
    "cortex-a76":  Core(8, 4, "neoverse-n1", OUT_OF_ORDER, "Arm's Cortex-A76 Software Optimization Guide: FMLA on two pipes"),
    "neoverse-n1": Core(8, 4, "neoverse-n1", OUT_OF_ORDER, "Arm's Neoverse N1 Software Optimization Guide: FMLA on two pipes"),
    "neoverse-v1": Core(16, 8, "neoverse-v1", OUT_OF_ORDER, "Arm's Neoverse V1 Software Optimization Guide: FMLA on four pipes"),
    "neoverse-v2": Core(16, 8, "neoverse-v2", OUT_OF_ORDER, "Arm's Neoverse V2 Software Optimization Guide: FMLA on four pipes"),
    "sifive-p670": Core(8, 4, "sifive-p670", OUT_OF_ORDER, "SiFive's P600 series: two vector pipes of 128 bits"),
    "sifive-x280": Core(8, 2, "sifive-x280", IN_ORDER, "SiFive's X280: VLEN 512, 256 bits per cycle"),
    "haswell":     Core(16, 4, "haswell", CALIBRATED, "Intel's Optimization Reference Manual: two pipes of 256 bits"),
    "znver3":      Core(16, 6, "znver3", CALIBRATED, "AMD's Software Optimization Guide for family 19h: two pipes of 256 bits"),
    "znver4":      Core(16, 6, "znver4", CALIBRATED, "AMD's Software Optimization Guide for family 19h: two pipes of 256 bits"),
}

# ---- llvm-mca ----

ITERATIONS = 200
ACCESS = re.compile(r"^((?:ld|st)\S* .*\[)(\w+)(.*)$")


def split_updates(text):
    """Accesses of A64 that move their pointer, as an access and an addition: llvm-mca lets the pointer wait for the data."""
    m = ACCESS.match(text)
    after = m and re.match(r"^\], ?#?(-?\w+)$", m.group(3))
    before = m and re.match(r"^, ?#(-?\w+)\]!$", m.group(3))
    if after:
        return [m.group(1) + m.group(2) + "]", "add %s, %s, %s" % (m.group(2), m.group(2), after.group(1))]
    if before:
        return ["add %s, %s, %s" % (m.group(2), m.group(2), before.group(1)), m.group(1) + m.group(2) + "]"]
    return [text]


def local_jumps(text):
    """A jump goes to where the loop begins: the text that llvm-mca reads has no other place."""
    return re.sub(r"0x[0-9a-f]+$", "loop", text) if re.match(r"^(b|j|cb|tb)\S* .*0x[0-9a-f]+$", text) else text


def mca(texts, isa, model, setting):
    """Cycles of one iteration, or None when the model does not know an instruction."""
    lines = [local_jumps(t) for text in texts for t in split_updates(text)]
    comments = setting.comments() if setting else []
    r = subprocess.run(["llvm-mca-19", "-mcpu=" + model, "-iterations=%d" % ITERATIONS] + isa.mca,
                       input="\n".join(["loop:"] + comments + lines) + "\n", capture_output=True, text=True)
    found = re.search(r"^Total Cycles:\s+(\d+)", r.stdout, re.M)
    return int(found.group(1)) / ITERATIONS if found and r.returncode == 0 else None
