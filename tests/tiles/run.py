"""Tiles as vectors: every tile of *.ast as C for each target that this CPU runs, against the portable C.

    run.py --nncc build/nncc [--work DIR] [--only NAME]

Random inputs; gcc (with sanitizers, and without at -O2) and clang-19, warnings as errors; the driver of tests/driver.c guards
every buffer. By default values agree within a few roundings of the largest partial sum; under --strict, built with
-ffp-contract=off, bit for bit. The first line of an .ast may say `# scalar` for what no table of vectors prints as such.
"""
import argparse
import glob
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

try:
    import numpy as np
except ImportError:
    print("skipped: no numpy")
    sys.exit(77)

HERE = os.path.dirname(os.path.abspath(__file__))
WARNINGS = "-std=c99 -Wall -Wextra -Wpedantic -Wshadow -Werror".split()
TYPES = {"f32": np.float32, "f64": np.float64, "i64": np.int64, "bool": np.uint8}
# table: what /proc/cpuinfo must have; how its vectors look in C
TARGETS = {
    "generic": ([], r"\bnncc_f(32x4|64x2)\b"),
    "haswell": (["avx2", "fma"], r"\b__m256d?\b"),
    "znver4": (["avx512f", "avx512vl", "avx512bw", "avx512dq"], r"\b__m(512|256)d?\b"),  # half vectors as well
}


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def cpu_flags():
    try:
        with open("/proc/cpuinfo") as f:
            return set(re.search(r"^flags\s*: (.*)", f.read(), re.M).group(1).split())
    except (OSError, AttributeError):
        return set()


class Tile:
    """One .ast: its buffers, random inputs."""

    def __init__(self, path):
        self.path, self.name = path, os.path.basename(path)[:-4]
        with open(path) as f:
            text = f.read()
        self.scalar = text.startswith("# scalar")
        rng = np.random.default_rng(len(text))
        self.inputs, self.outputs = [], []
        for kind, dtype, count in re.findall(r"^(input|output) b\d+: (\w+)\[(\d+)\]", text, re.M):
            t = TYPES[dtype]
            if kind == "output":
                self.outputs.append((t, int(count)))
            elif t == np.int64:
                self.inputs.append(rng.integers(-3, 120, int(count)))
            elif dtype == "bool":
                self.inputs.append(rng.integers(0, 2, int(count), dtype=t))
            else:
                self.inputs.append(rng.standard_normal(int(count)).astype(t))

    def read(self, folder):
        with open(os.path.join(folder, self.name + ".out"), "rb") as f:
            return [np.frombuffer(f.read(n * np.dtype(t).itemsize), t) for t, n in self.outputs]


class Failed(Exception):
    pass


def build(tiles, nncc, work, flags, cc, cc_flags):
    """Compiles and runs all tiles in a folder of their own: their outputs are there."""
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    sources = []
    for t in tiles:
        source = os.path.join(work, t.name + ".c")
        text = "".join(line for line in open(t.path) if not line.startswith("#"))
        ast = os.path.join(work, t.name + ".ast")
        with open(ast, "w") as f:
            f.write(text)
        code, out = run([nncc, "--start=arena", ast, "-o", source] + flags)
        if code:
            raise Failed("%s: nncc: %s" % (t.name, out.strip()))
        with open(os.path.join(work, t.name + ".in"), "wb") as f:
            f.write(b"".join(a.tobytes() for a in t.inputs))
        sources.append(source)
    with open(os.path.join(work, "table.h"), "w") as f:
        f.writelines('#include "%s.h"\n' % t.name for t in tiles)
        f.write("static const nncc_model *const models[] = {%s};\n" % ", ".join("&%s_model" % t.name for t in tiles))
    binary = os.path.join(work, "driver")
    code, out = run([cc] + WARNINGS + cc_flags + ["-I", work, os.path.join(HERE, "..", "driver.c")] + sources + ["-o", binary, "-lm"])
    if code:
        raise Failed("%s: %s" % (cc, out[:2000]))
    code, out = run([binary, work])
    bad = [line for line in out.splitlines() if line.startswith("bad ")]
    if code or bad:
        raise Failed("%s: %s" % (" ".join([cc] + cc_flags), bad[0] if bad else out[-2000:]))


def differs(tile, got, want, exact):
    for k, (g, w) in enumerate(zip(got, want)):
        if exact and g.tobytes() != w.tobytes():
            return "output %d: %d of %d elements differ in some bit" % (k, np.sum(g != w), w.size)
        if w.dtype == np.uint8:
            if not np.array_equal(g, w):
                return "output %d: %d of %d truth values differ" % (k, np.sum(g != w), w.size)
            continue
        eps = np.finfo(w.dtype).eps
        allowed = 64 * eps * (np.abs(w) + np.max(np.abs(w)))
        with np.errstate(invalid="ignore"):
            good = (np.abs(g - w) <= allowed) | (g == w) | (np.isnan(g) & np.isnan(w))
        if not good.all():
            worst = int(np.argmin(good))
            return "output %d: %d of %d elements differ, [%d] is %g, not %g" % (
                k, np.sum(~good), w.size, worst, g[worst], w[worst])
    return None


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--nncc", required=True)
    p.add_argument("--work", default="tiles-work")
    p.add_argument("--only", default="*")
    args = p.parse_args()
    tiles = [Tile(path) for path in sorted(glob.glob(os.path.join(HERE, args.only + ".ast")))]
    counts = {"passed": 0, "failed": 0, "skipped": 0}

    def say(name, why):
        counts["failed" if why else "passed"] += 1
        if why:
            print("FAIL %s: %s" % (name, why))

    portable = os.path.join(args.work, "portable")
    build(tiles, args.nncc, portable, [], "gcc", ["-O1", "-ffp-contract=off"])
    want = {t.name: t.read(portable) for t in tiles}
    ways = [("gcc", ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]), ("gcc", ["-O2"])]
    if shutil.which("clang-19"):
        ways.append(("clang-19", ["-O2"]))
    else:
        print("SKIP no clang-19: gcc alone")
    cpu = cpu_flags()
    jobs = []
    for target, (needs, vectors) in TARGETS.items():
        if not cpu.issuperset(needs):
            print("SKIP %s: this CPU has no %s" % (target, " ".join(sorted(set(needs) - cpu))))
            counts["skipped"] += len(tiles)
            continue
        jobs += [(target, vectors, False, cc, flags) for cc, flags in ways]
        jobs += [(target, vectors, True, cc, flags) for cc, flags in ways[1:2]]

    def judge(job):
        """(name, what is wrong or None) of each tile, or of the build."""
        target, vectors, strict, cc, flags = job
        name = "%s%s %s %s" % (target, " --strict" if strict else "", cc, " ".join(flags))
        work = os.path.join(args.work, "%s-%d-%s-%s" % (target, strict, cc, flags[0][1:]))
        nncc_flags = ["-mcpu=" + target] + ["--strict"] * strict
        try:
            build(tiles, args.nncc, work, nncc_flags, cc, flags + ["-ffp-contract=off"] * strict)
        except Failed as e:
            return [(name, e)]
        answers = []
        for t in tiles:
            with open(os.path.join(work, t.name + ".c")) as f:
                missing = not strict and not t.scalar and not re.search(vectors, f.read())
            why = "no vectors" if missing else differs(t, t.read(work), want[t.name], strict)
            answers.append(("%s: %s" % (name, t.name), why))
        return answers

    with ThreadPoolExecutor(2) as pool:
        for answers in pool.map(judge, jobs):
            for name, why in answers:
                say(name, why)
    print("%d passed, %d failed, %d skipped" % (counts["passed"], counts["failed"], counts["skipped"]))
    sys.exit(1 if counts["failed"] else 0)


if __name__ == "__main__":
    main()
