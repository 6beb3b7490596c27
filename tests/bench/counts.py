"""How often each instruction of a generated program runs: an emulator with the plug-in count.c, joined with the disassembly."""
import bisect
import collections
import os
import re
import shutil
import subprocess

import build
import cross
import harness
import isas

HERE = os.path.dirname(os.path.abspath(__file__))
TOOLS = ["llvm-objdump-19", "gcc"]
FROM, TO = "run", "write_outputs"        # of bench.c: what stands between their beginnings is the model's

Instruction = collections.namedtuple("Instruction", "address text count kinds")


def plugin(work):
    """Builds count.c; returns the plug-in."""
    path = os.path.join(work, "libcount.so")
    build.call(["gcc", "-std=c11", "-O2", "-shared", "-fPIC", "-o", path, os.path.join(HERE, "count.c")], "C compiler")
    return path


def lacking(cpu, compiler, emulator):
    """Why nothing can be counted here for that; '' when it can."""
    missing = [t for t in TOOLS if not shutil.which(t)]
    return "no " + " and no ".join(missing) if missing else cross.lacking(compiler, emulator)


def address(listing, name):
    """Of a function, which has one definition."""
    found = [at for (before, _, _), (function, at, _) in zip([(None, 0, "")] + listing, listing) if function == name and before != name]
    if len(found) != 1:
        raise build.Failed("%d definitions of %s" % (len(found), name))
    return found[0]


def run(program, arguments, isa, emulator, library, table):
    """Runs it and counts from the beginning of FROM to that of TO. The functions that ran between, and what the program printed."""
    listing = disassembly(program, isa)
    options = "%s,out=%s,from=%#x,to=%#x" % (library, table, address(listing, FROM), address(listing, TO))
    r = subprocess.run(emulator + ["-plugin", options, program] + arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                       errors="replace", timeout=3600)
    if r.returncode:
        told = (r.stdout + r.stderr).strip().splitlines() or ["no message"]
        raise build.Failed("the program ended with %d: %s" % (r.returncode, told[-1][:200]))
    functions = join(read_blocks(table), listing, isa)
    return {name: f for name, f in functions.items() if name not in ("main", FROM, TO)}, r.stdout


class Program:
    """A case compiled by nncc and a cross compiler, with bench.c as its main. bench.c is not optimised: its functions stay
    functions, between which counting begins and ends."""

    def __init__(self, case, nncc, flags, cpu, compiler, tune, work):
        os.makedirs(work, exist_ok=True)
        self.isa, self.work = isas.of_triple(cpu.triple), work
        c, self.path = os.path.join(work, "model.c"), os.path.join(work, "program")
        build.call([nncc, case.path, "-o", c, "--name=model", "--weights=bin"] + flags + case.shapes, "nncc", timeout=1200)
        build.call(compiler + tune + ["-O2", "-std=c99", "-c", c, "-o", c[:-1] + "o"], "C compiler", timeout=1200)
        build.call(compiler + ["-O0", "-D_POSIX_C_SOURCE=200809L", "-DMODEL=model_model", "-include", c[:-1] + "h", "-o", self.path,
                               os.path.join(HERE, "bench.c"), c[:-1] + "o", "-lm"], "C compiler")
        self.inputs, self.outputs = os.path.join(work, "inputs"), os.path.join(work, "outputs")
        with open(self.inputs, "wb") as f:
            f.write(b"".join(harness.to_bytes(a) for a in case.inputs))

    def run(self, emulator, library):
        """Counts one run of the model; returns the functions that ran, and the model's MACs."""
        functions, told = run(self.path, [self.inputs, self.outputs], self.isa, emulator, library, os.path.join(self.work, "counts"))
        ready = re.search(r"^ready (.*)", told, re.M)
        if not ready:
            raise build.Failed((told.strip().splitlines() or ["no message"])[-1][:200])
        return functions, int(ready.group(1).split()[4])


def read_blocks(path):
    """(first address, last address, instructions, times that it began, times that its last one ran) of each block that ran."""
    with open(path) as f:
        rows = [line.split() for line in f]
    return [(int(a, 16), int(b, 16), int(n), int(begun), int(ended)) for a, b, n, begun, ended in rows]


def disassembly(program, isa):
    """(function, address, text) of each instruction, by address."""
    command = ["llvm-objdump-19", "-d", "--no-show-raw-insn"] + isa.objdump + [program]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    found, function = [], None
    for line in lines:
        head = re.match(r"[0-9a-f]+ <(.*)>:$", line)
        row = None if head else re.match(r"\s*([0-9a-f]+):\s+(\S.*)", line)
        if head:
            function = head.group(1)
        elif row:
            found.append((function, int(row.group(1), 16), " ".join(re.sub(r"\s(//|@|#) .*|<[^>]*>", "", row.group(2)).split())))
    return found


def join(blocks, listing, isa):
    """Function -> its Instructions in order, of functions that ran. Fails when blocks and listing are not of the same program."""
    addresses = [address for _, address, _ in listing]
    steps = [0] * (len(listing) + 1)
    for start, last, instructions, begun, ended in blocks:
        first, behind = bisect.bisect_left(addresses, start), bisect.bisect_right(addresses, last)
        if behind - first != instructions or behind == first or addresses[first] != start:
            raise build.Failed("%d instructions ran at %#x, where the disassembly has %d" % (instructions, start, behind - first))
        steps[first] += begun
        steps[behind - 1] += ended - begun
        steps[behind] -= ended
    functions, count = {}, 0
    for (function, address, text), step in zip(listing, steps):
        count += step
        functions.setdefault(function, []).append(Instruction(address, text, count, isa.kinds(text)))
    return {name: body for name, body in functions.items() if any(i.count for i in body)}


def total(functions, kind=None):
    """How many instructions ran, or of one kind."""
    return sum(i.count for body in functions.values() for i in body if kind is None or kind in i.kinds)
