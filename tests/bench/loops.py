"""The innermost loops of a program that was counted, and how long they take."""
import collections
import re
from fractions import Fraction

import cores

LEAST_SHARE = 0.001     # of all instructions: loops below that count by the width of the core alone

Setting = collections.namedtuple("Setting", "sew lmul bits")


class VectorSetting(Setting):
    """Of RVV where a loop begins: bits of an element, registers in a group, bits of a register."""

    def lanes(self):
        return int(self.bits * self.lmul / self.sew)

    def comments(self):
        """For llvm-mca, which else takes the largest groups where it sees no vsetvli."""
        lmul = "M%d" % self.lmul if self.lmul >= 1 else "MF%d" % (1 / self.lmul)
        return ["# LLVM-MCA-RISCV-LMUL " + lmul, "# LLVM-MCA-RISCV-SEW E%d" % self.sew]


def vector_setting(texts, bits):
    """What the last of these instructions that sets it sets; None when none does."""
    for text in reversed(texts):
        m = re.match(r"^vseti?vli .*\be(\d+), ?m(f?)(\d)", text)
        if m:
            return VectorSetting(int(m.group(1)), Fraction(1, int(m.group(3))) if m.group(2) else Fraction(int(m.group(3))), bits)
    return None


class Loop:
    """function: its name.  body: the instructions of an iteration.  times: iterations.  fmas, loads, stores, stack, macs: of an
    iteration.  cycles: of an iteration, None when nothing says so.  exact: whether the body is a straight line."""

    def __init__(self, function, whole, first, last, isa, bits):
        inside = whole[first:last + 1]
        self.function, self.times = function, inside[-1].count
        self.body = [i for i in inside if 2 * i.count > self.times]
        self.exact = len(self.body) == len(inside)
        self.total = sum(i.count for i in inside)
        self.calls = any("call" in i.kinds for i in self.body)
        self.setting = vector_setting([i.text for i in inside], bits) or vector_setting([i.text for i in whole[:first]], bits)
        self.fmas, self.loads, self.stores = (sum(k in i.kinds for i in self.body) for k in ("fma", "load", "store"))
        self.stack = isa.stack_accesses([i.text for i in self.body], [i.text for i in whole])
        self.macs = sum(isa.lanes(i.text, self.setting) for i in self.body if "fma" in i.kinds)
        self.cycles = None

    def measure(self, core, isa):
        texts = [i.text for i in self.body]
        if not self.calls:
            self.cycles = core.model(texts) if callable(core.model) else cores.mca(texts, isa, core.model, self.setting)

    def of_peak(self, core):
        return self.macs / (self.cycles * core.fmas) if self.cycles else None


def back_edge(body, place, index):
    """Where in the function a jump upwards goes; None when the instruction is none."""
    m = re.match(r"^(?:b|j|cb|tb)\S* (?:.*[ ,])?0x([0-9a-f]+)$", body[index].text)
    to = place.get(int(m.group(1), 16)) if m and "call" not in body[index].kinds else None
    return to if to is not None and to <= index else None


def innermost(function, body, isa, bits):
    """Loops of one function that have no instruction in common: of those that have, the one whose last jump runs most, which is the
    inner one; then the shorter."""
    place = {i.address: k for k, i in enumerate(body)}
    spans = [(back_edge(body, place, k), k) for k, i in enumerate(body) if i.count]
    spans = sorted((s for s in spans if s[0] is not None), key=lambda s: (-body[s[1]].count, s[1] - s[0]))
    kept = []
    for first, last in spans:
        if all(last < f or l < first for f, l in kept):
            kept.append((first, last))
    return [Loop(function, body, first, last, isa, bits) for first, last in kept]


def find(functions, isa, bits):
    """Innermost loops of all functions, those with most instructions first. `bits`: of a vector register of RVV, or None."""
    found = [loop for name, body in functions.items() for loop in innermost(name, body, isa, bits)]
    return sorted(found, key=lambda loop: -loop.total)


def cycles(functions, found, core, isa):
    """Cycles of a run: those of loops by the core's model, of every other instruction by the core's width. Measures the loops."""
    everything = sum(i.count for body in functions.values() for i in body)
    left, sum_of_loops = everything, 0.0
    for loop in found:
        if loop.total >= LEAST_SHARE * everything:
            loop.measure(core, isa)
        if loop.cycles is not None:
            sum_of_loops += loop.cycles * loop.times
            left -= loop.total
    return sum_of_loops + left / core.width
