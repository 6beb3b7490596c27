"""From a case to a program that times it: nncc, C compiler, what both say; and programs that answer lines."""
import os
import re
import subprocess
import time

import harness

HERE = os.path.dirname(os.path.abspath(__file__))


class Refused(Exception):
    """nncc does not take this model; the reason in one line."""


class Failed(Exception):
    """Something that should work did not; the reason in one line."""


class Program:
    """A child process on one core that answers each line with a line."""

    def __init__(self, command, core):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                        preexec_fn=lambda: os.sched_setaffinity(0, {core}))

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise Failed("%s ended with %d" % (os.path.basename(self.process.args[0]), self.process.wait()))
        return line.rstrip("\n")

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.read()

    def numbers(self, line):
        answer = self.ask(line)
        try:
            return [float(v) for v in answer.split()]
        except ValueError:
            raise Failed(answer)

    def until_ready(self):
        """What it says before `ready`, and the rest of that line."""
        lines = []
        while True:
            line = self.read()
            if line.startswith("ready"):
                return lines, line.split()[1:]
            if not line.startswith("region "):
                raise Failed(line)
            lines.append(line[len("region "):])

    def end(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def call(command, what, **more):
    """Runs it; returns its standard error and seconds."""
    start = time.time()
    r = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", **more)
    if r.returncode:
        lines = r.stderr.strip().splitlines() or ["no message"]
        error = next((m for m in lines if "error" in m), lines[-1])
        raise (Refused if what == "nncc" and r.returncode == 1 else Failed)("%s: %s" % (what, error[:200]))
    return r.stderr, time.time() - start


def check_outputs(path, want):
    """Fails when the outputs that a program wrote are not those expected."""
    with open(path, "rb") as f:
        raw = f.read()
    if len(raw) != sum(len(harness.to_bytes(a)) for a in want):
        raise Failed("its outputs have another size than those expected")
    got, at = [], 0
    for a in want:
        got.append(harness.from_bytes(raw[at:], a.dtype, a.shape))
        at += len(harness.to_bytes(a))
    why = harness.differs(got, want)
    if why:
        raise Failed(why)


def text_bytes(program):
    """Bytes of code in an object or program, as `size` of binutils tells."""
    table = subprocess.run(["size", "-A", "-d", program], capture_output=True, text=True, check=True).stdout
    return sum(int(size) for size in re.findall(r"^\.text\S*\s+(\d+)", table, re.M))


def predictions(remarks):
    """Statement -> milliseconds that -R analysis predicts; of one in several pieces what is said first, of most of it."""
    found = {}
    for name, ms in re.findall(r"analysis: schedule: (\w+): .*?; ([0-9.]+) ms predicted", remarks):
        found.setdefault(name, float(ms))
    return found


class Built:
    """A case's program and figures."""

    def __init__(self, case, nncc, cc, flags, work):
        c, self.program = os.path.join(work, "model.c"), os.path.join(work, "bench")
        self.figures = {}
        remarks, self.figures["nncc_s"] = call([nncc, case.path, "-o", c, "--name=model", "--weights=bin", "-R", "analysis"]
                                               + flags + case.shapes, "nncc", timeout=1200)
        self.predicted = predictions(remarks)
        self.figures["c_bytes"] = os.path.getsize(c)
        _, self.figures["cc_s"] = call(cc + ["-std=c99", "-c", c, "-o", c[:-1] + "o"], "C compiler", timeout=1200)
        self.figures["code_bytes"] = text_bytes(c[:-1] + "o")
        call(cc + ["-D_POSIX_C_SOURCE=200809L", "-DMODEL=model_model", "-include", c[:-1] + "h", "-o", self.program,
                   os.path.join(HERE, "bench.c"), c[:-1] + "o", "-lm"], "C compiler")
        self.inputs = os.path.join(work, "inputs")
        self.outputs = os.path.join(work, "outputs")
        with open(self.inputs, "wb") as f:
            f.write(b"".join(harness.to_bytes(a) for a in case.inputs))

    def start(self, core):
        """The running program; its regions' names and descriptor become figures."""
        p = Program([self.program, self.inputs, self.outputs], core)
        self.regions, told = p.until_ready()
        names = ("input_bytes", "output_bytes", "weight_bytes", "arena_bytes", "macs")
        self.figures.update(zip(names, map(int, told)))
        return p


def peak_program(cc, work):
    """peak.c, with the compiler's widest vectors where it has a flag for them."""
    program = os.path.join(work, "peak")
    plain = cc + ["-D_DEFAULT_SOURCE", "-ffp-contract=fast", "-o", program, os.path.join(HERE, "peak.c")]
    try:
        call(plain + ["-march=native"], "C compiler")
    except Failed:
        call(plain, "C compiler")
    return program
