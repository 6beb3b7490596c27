"""Tiles as vectors: every tile of *.ast as C for each target that runs here, against the portable C.

    run.py --nncc build/nncc [--work DIR] [--only NAME] [--mcpu CPU,...]

Random inputs; gcc (with sanitizers, and without at -O2) and clang-19, warnings as errors; other machines by the compilers and
emulators of ../cross.py, without sanitizers; the driver of tests/driver.c guards
every buffer. By default values agree within a few roundings of the largest partial sum; under --strict, built with
-ffp-contract=off, bit for bit as on the same machine.
The first line of an .ast may say `# scalar` for what no table of vectors prints as such, or `# strict` for what others than
--strict round so that nothing is to be compared.
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
sys.path.insert(0, os.path.dirname(HERE))
import cross  # noqa: E402

WARNINGS = "-std=c99 -Wall -Wextra -Wpedantic -Wshadow -Werror".split()
TYPES = {"f32": np.float32, "f64": np.float64, "i64": np.int64, "bool": np.uint8}
# processor: how its vectors look in C
TARGETS = {
    "generic": r"\bnncc_f(32x4|64x2)\b",
    "haswell": r"\b__m256d?\b",
    "znver4": r"\b__m(512|256)d?\b",  # half vectors as well
    "neoverse-n1": r"\bfloat(32x4|64x2)_t\b",
    "cortex-a53": r"\bfloat(32x4|64x2)_t\b",
    "cortex-a7": r"\bfloat32x4_t\b",
    "rv64gcv": r"\bvfloat(32|64)m[1248]_t\b",
}
NO_DOUBLES = {"cortex-a7"}


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


class Tile:
    """One .ast: its buffers, random inputs."""

    def __init__(self, path):
        self.path, self.name = path, os.path.basename(path)[:-4]
        with open(path) as f:
            text = f.read()
        self.scalar = text.startswith("# scalar")
        self.strict = text.startswith("# strict")
        self.doubles = "f32" not in text
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
    """Compiles all tiles in a folder of their own by the command cc; the program is there."""
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
    code, out = run(cc + WARNINGS + cc_flags +
                    ["-I", work, os.path.join(HERE, "..", "driver.c")] + sources + ["-o", os.path.join(work, "driver"), "-lm"])
    if code:
        raise Failed("%s: %s" % (cc[0], out[:2000]))


def outputs_of(tiles, work, emulator):
    """Runs what build() made: the outputs of each tile."""
    code, out = run(emulator + [os.path.join(work, "driver"), work])
    bad = [line for line in out.splitlines() if line.startswith("bad ")]
    if code or bad:
        raise Failed("%s: %s" % (" ".join(emulator) or "the program", bad[0] if bad else out[-2000:]))
    return {t.name: t.read(work) for t in tiles}


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


class Job:
    """All tiles for one processor by one compiler, and what its machine runs them with."""

    def __init__(self, cpu, machine, cc, cc_flags, strict=False):
        self.cpu, self.machine, self.cc, self.strict = cpu, machine, cc, strict
        self.cc_flags = cc_flags + ["-ffp-contract=off"] * strict
        self.name = "%s%s %s %s" % (cpu, " --strict" if strict else "", cc[0], " ".join(cc_flags))

    def judge(self, tiles, want, nncc, work):
        """(name, what is wrong or None) of each tile under each emulator, or of the build."""
        work = os.path.join(work, re.sub(r"[^\w.=-]+", "-", self.name))
        try:
            if self.strict and not self.machine.native:      # its libm rounds as it likes
                build(tiles, nncc, work, [], self.cc, self.cc_flags)
                want = outputs_of(tiles, work, self.machine.emulators[0])
            build(tiles, nncc, work, ["-mcpu=" + self.cpu] + ["--strict"] * self.strict, self.cc, self.cc_flags)
            return [answer for emulator in self.machine.emulators for answer in self.run(tiles, want, work, emulator)]
        except Failed as e:
            return [(self.name, e)]

    def has_vectors(self, tile):
        return not self.strict and not tile.scalar and not (tile.doubles and self.cpu in NO_DOUBLES)

    def run(self, tiles, want, work, emulator):
        got, answers = outputs_of(tiles, work, emulator), []
        for t in tiles:
            with open(os.path.join(work, t.name + ".c")) as f:
                missing = self.has_vectors(t) and not re.search(TARGETS[self.cpu], f.read())
            compared = self.strict or not t.strict
            why = "no vectors" if missing else differs(t, got[t.name], want[t.name], self.strict) if compared else None
            answers.append((" ".join([self.name] + emulator) + ": " + t.name, why))
        return answers


def jobs_of(cpu):
    """Those of one processor, and why there are none."""
    machine = cross.machine(cpu)
    if machine.lacking:
        return [], machine.lacking
    jobs = [Job(cpu, machine, cc, ["-O2"]) for cc in machine.compilers]
    jobs.append(Job(cpu, machine, machine.compilers[0], ["-O2"], strict=True))
    if machine.native:
        jobs.append(Job(cpu, machine, machine.compilers[0], ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]))
    return jobs, ""


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--nncc", required=True)
    p.add_argument("--work", default="tiles-work")
    p.add_argument("--only", default="*")
    p.add_argument("--mcpu", type=lambda text: text.split(","), default=list(TARGETS))
    args = p.parse_args()
    if set(args.mcpu) - set(TARGETS):
        p.error("--mcpu: one of " + " ".join(TARGETS))
    tiles = [Tile(path) for path in sorted(glob.glob(os.path.join(HERE, args.only + ".ast")))]
    passed = failed = skipped = 0
    portable = os.path.join(args.work, "portable")
    build(tiles, args.nncc, portable, [], ["gcc"], ["-O1", "-ffp-contract=off"])
    want = outputs_of(tiles, portable, [])
    jobs = []
    for cpu in args.mcpu:
        more, why = jobs_of(cpu)
        jobs += more
        if why:
            print("SKIP %s: %s" % (cpu, why))
            skipped += len(tiles)
    with ThreadPoolExecutor(2) as pool:
        for answers in pool.map(lambda job: job.judge(tiles, want, args.nncc, args.work), jobs):
            for name, why in answers:
                passed, failed = passed + (not why), failed + bool(why)
                if why:
                    print("FAIL %s: %s" % (name, why))
    print("%d passed, %d failed, %d skipped" % (passed, failed, skipped))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
