"""What instructions are: multiply-adds, loads, stores, calls, accesses to the stack, by the text that llvm-objdump gives them.

One Isa per instruction set. A text is `mnemonic operands`, with single spaces.
"""
import re


class Isa:
    """objdump, mca: further options of llvm-objdump and llvm-mca.  The others are patterns of a text:
    fma, load, store, call; stack: an access by the stack pointer; frame: the stack's address goes to the frame pointer;
    by_frame: an access by that, which is an access to the stack in functions that have such a `frame`."""

    def __init__(self, objdump, mca, fma, load, store, call, stack, frame, by_frame):
        self.objdump, self.mca = objdump.split(), mca.split()
        self.patterns = {"fma": re.compile(fma), "load": re.compile(load), "store": re.compile(store), "call": re.compile(call)}
        self.stack, self.frame, self.by_frame = re.compile(stack), re.compile(frame), re.compile(by_frame)

    def kinds(self, text):
        """What of fma, load, store, call this instruction is."""
        return {kind for kind, pattern in self.patterns.items() if pattern.search(text)}

    def stack_accesses(self, texts, function):
        """How many of the texts touch the stack of the function, which is all its texts."""
        framed = any(self.frame.search(t) for t in function)
        return sum(bool(self.stack.search(t) or framed and self.by_frame.search(t)) for t in texts)

    def lanes(self, text, setting):
        """Multiply-adds of one instruction that is an fma; `setting`: see loops.vector_setting, None where there is none."""
        raise NotImplementedError


class A64(Isa):
    PRODUCTS = {"sdot": 4, "udot": 4, "usdot": 4, "smmla": 8, "ummla": 8, "usmmla": 8}   # of each lane

    def __init__(self):
        super().__init__("--mattr=+all", "-mtriple=aarch64 -mattr=+all",
                         r"^(fml[as]|fn?m(add|sub)|(s|u|us)(dot|mmla)) ", r"^ld", r"^st", r"^blr? ",
                         r"\[sp\b", r"^(mov|add) x29, sp\b", r"\[x29\b")

    def lanes(self, text, setting):
        vector = re.search(r"\.(\d+)[hsd]\b", text)
        return (int(vector.group(1)) if vector else 1) * self.PRODUCTS.get(text.split()[0], 1)


class A32(Isa):
    WIDTHS = {"q": 4, "d": 2, "s": 1}

    def __init__(self):
        super().__init__("--mattr=+neon,+vfp4,+hwdiv", "-mtriple=armv7",
                         r"^(vfn?m[as]|vn?ml[as])\w*\.f(32|64) ", r"^(v?ld|v?pop)", r"^(v?st|v?push)", r"^blx? ",
                         r"\[sp\b|^v?(push|pop)", r"^(mov|add)\S* r(7|11), sp\b", r"\[r(7|11)\b")

    def lanes(self, text, setting):
        return 1 if ".f64" in text else self.WIDTHS[text.split()[1][0]]


class RiscV(Isa):
    def __init__(self):
        vector = r"v%s(e|se|uxei|oxei|seg\d+e|sseg\d+e|uxseg\d+ei|oxseg\d+ei)\d+(ff)?\.v "
        super().__init__("--mattr=+m,+a,+f,+d,+c,+v", "-mtriple=riscv64 -mattr=+m,+a,+f,+d,+c,+v",
                         r"^(vfn?m(acc|sac|add|sub)\.v[vf]|fn?m(add|sub)\.[sd]) ",
                         r"^(l[bhwd]u?|fl[hwd]|vlm\.v|vl\dre\d+\.v) |^" + vector % "l",
                         r"^(s[bhwd]|fs[hwd]|vsm\.v|vs\dr\.v) |^" + vector % "s",
                         r"^(call|jalr?( ra,)?) ", r"\(sp\)|^v[ls]\dr",  # gcc and clang move a register as a whole only when they spill it
                         r"^addi s0, sp", r"\(s0\)")

    def lanes(self, text, setting):
        """Of a full vector."""
        return 1 if text[0] != "v" else setting.lanes() if setting else 0


class X86(Isa):
    MEMORY = r"(%[c-g]s:)?-?\w*\([^)]*\)"

    def __init__(self):
        plain = r"(?!lea|nop|prefetch|cs |data16|cmp|test)"
        load = [r"^%s\S+ (.*, )?%s, " % (plain, self.MEMORY), r"^(cmp|test)\S* .*\(", r"^(pop|ret)",
                r"^(add|sub|inc|dec|or|and|xor)\S* .*%s$" % self.MEMORY]
        store = [r"^%s\S+ (.*, )?%s$" % (plain, self.MEMORY), r"^(push|call)"]
        super().__init__("", "-mtriple=x86_64", r"^vfn?m(add|sub)\d+[ps][sd] ", "|".join(load), "|".join(store), r"^call",
                         r"\(%rsp\b|^(push|pop)", r"^mov\S* %rsp, %rbp", r"\(%rbp\b")

    def lanes(self, text, setting):
        kind, width = text.split()[0][-2:], re.findall(r"%([xyz])mm", text)[-1]
        return 1 if kind[0] == "s" else {"x": 16, "y": 32, "z": 64}[width] // {"s": 4, "d": 8}[kind[1]]


ISAS = {"aarch64": A64(), "arm": A32(), "riscv64": RiscV(), "x86_64": X86()}


def of_triple(triple):
    return ISAS[triple.split("-")[0]]
