"""What one graph must keep: the same at both levels, and as ONNX Runtime has it.

check() takes graphs (model, inputs, names) through nncc at two levels, gcc and tests/driver.c, many at once, and gives each
a verdict: its kind, `ok` and `refused` among them, and a sentence.
"""
import os
import shutil

import numpy as np
import onnx

import graph as graphs
import harness
import oracle

KINDS = {
    "ok": "agrees",
    "levels only": "ONNX Runtime refuses it; both levels agree",
    "refused": "nncc refuses it with a proper message, at both levels",
    "nncc": "nncc ends otherwise than with 0 or a proper refusal, or only at one level",
    "cc": "the C compiler warns or fails",
    "run": "a sanitizer, guard or second run finds something, or the run fails",
    "levels": "the two levels differ",
    "oracle": "the lower level differs from ONNX Runtime",
}
FAILURES = ["nncc", "cc", "run", "levels", "oracle"]


class Subject:
    """A graph under test. inputs: name -> array, in the order of the model's inputs."""

    def __init__(self, name, model, inputs):
        self.name, self.model, self.inputs = name, model, inputs
        self.kind, self.why = None, ""
        self.got = None                  # outputs at the lower level, and at the higher one by each emulator
        self.want = None                 # outputs of ONNX Runtime

    def save(self, folder):
        self.path = os.path.join(folder, self.name + ".onnx")
        onnx.save(self.model, self.path)

    def decide(self, kind, why=""):
        if self.kind is None:
            self.kind, self.why = kind, why

    @property
    def failed(self):
        return self.kind in FAILURES


class Settings:
    """nncc, the two levels (lists of flags), the machine that runs both (cross.py), flags of its C compiler."""

    def __init__(self, nncc, levels, machine, sanitize=False, exact=False):
        self.nncc, self.levels, self.machine, self.exact = os.path.abspath(nncc), levels, machine, exact
        self.c_flags = ["-O1"] + harness.WARNINGS + (harness.SANITIZE if sanitize and machine.native else [])
        if exact:  # acoshf(1.1f) by the C compiler, where it sees the number, is not always libm's; clang fuses a product and a sum
            self.c_flags += ["-fno-builtin", "-ffp-contract=off"]


def precision_of(model):
    """`double` when no value of the model can be f32."""
    text = [t.data_type for t in model.graph.initializer] + [v.type.tensor_type.elem_type for v in
                                                             list(model.graph.input) + list(model.graph.output)]
    return "double" if onnx.TensorProto.DOUBLE in text and onnx.TensorProto.FLOAT not in text else "single"


def differs(got, want, precision, exact=False):
    """None, or a sentence on the first output that is not within the tolerance (not the same bytes, where exact)."""
    for k, (g, w) in enumerate(zip(got, want)):
        if g.shape != w.shape or g.dtype != w.dtype:
            return "output %d is %s%s, expected %s%s" % (k, g.dtype, list(g.shape), w.dtype, list(w.shape))
        if exact or w.dtype.kind != "f":
            wrong = (g != w) & ~((g != g) & (w != w))
        else:
            with np.errstate(invalid="ignore"):
                wrong = ~(np.abs(g.astype(np.float64) - w.astype(np.float64)) <= graphs.allowed(w, precision))
            wrong &= ~((g == w) | ((g != g) & (w != w)))
        if wrong.any():
            at = tuple(int(i) for i in np.argwhere(wrong)[0])
            return "output %d: %d of %d elements differ, the first at %s: %s, expected %s" % (
                k, wrong.sum(), w.size, list(at), g[at], w[at])
    return None


def compile_levels(subject, settings, work):
    """The cases of the two levels, or None when it is decided already."""
    cases = []
    for level, flags in enumerate(settings.levels):
        case = harness.Case(subject.name, subject.path, inputs=list(subject.inputs.values()))
        case.compile(settings.nncc, os.path.join(work, "level%d" % level), flags)
        cases.append(case)
    low, high = cases
    for case, flags in zip(cases, settings.levels):
        if case.code or case.why:
            problem = case.refusal()
            if problem:
                return subject.decide("nncc", "%s: %s" % (" ".join(flags), problem))
    if low.code != high.code:
        refused = low if low.code else high
        return subject.decide("nncc", "only one level refuses: %s" % refused.messages[0])
    if low.code:
        reason = low.messages[0].split(": error: ", 1)[1]
        return subject.decide("oracle" if "but the model declares" in reason else "refused", reason)
    return cases


def output_arrays(subject):
    """Zeros of the declared types and shapes, as harness wants expected outputs."""
    found = []
    for v in subject.model.graph.output:
        kind = v.type.tensor_type
        shape = [d.dim_value for d in kind.shape.dim]
        found.append(np.zeros(shape, onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)))
    return found


def build_and_run(pairs, level, settings, work):
    """pairs: (subject, case) of one level. Fills case.outputs, decides what fails to build or run."""
    c_dir, folder = os.path.join(work, "level%d" % level), os.path.join(work, "batch%d" % level)
    shutil.rmtree(folder, ignore_errors=True)
    words = harness.batch_build([c for _, c in pairs], c_dir, folder, settings.machine.compilers[0], settings.c_flags)
    if words is not None and len(pairs) > 1:             # one of them: find out which
        half = len(pairs) // 2
        build_and_run(pairs[:half], level, settings, work)
        build_and_run(pairs[half:], level, settings, work)
        return
    flags = " ".join(settings.levels[level])
    if words is not None:
        lines = [w for w in words.splitlines() if "error" in w] or [words]
        pairs[0][0].decide("cc", "%s: %s" % (flags, lines[0]))
        return
    for subject, case in pairs:
        case.outputs = output_arrays(subject)
    for emulator in settings.machine.emulators if level else settings.machine.emulators[:1]:
        for _, case in pairs:
            case.why = None
        harness.batch_run([c for _, c in pairs], folder, lambda got, want: (got,), emulator)
        for subject, case in pairs:
            if isinstance(case.why, tuple):
                subject.got.append(case.why[0])
            else:
                subject.decide("run", "%s: %s" % (" ".join(emulator) or flags, case.why))


def judge(subject, settings):
    """Compares the levels with each other and with ONNX Runtime."""
    precision = precision_of(subject.model)
    low = subject.got[0]
    for high in subject.got[1:]:
        why = differs(high, low, precision, settings.exact)
        if why:
            subject.decide("levels", why)
    try:
        subject.want = oracle.run_model(subject.model, subject.inputs)
    except oracle.Refused:
        subject.decide("levels only")
        return
    why = differs(low, subject.want, precision)
    subject.decide(*(("oracle", why) if why else ("ok",)))


def check(subjects, settings, work):
    """Gives every subject its verdict."""
    shutil.rmtree(work, ignore_errors=True)
    for level in range(2):
        os.makedirs(os.path.join(work, "level%d" % level))
    compiled = []
    for s in subjects:
        s.kind, s.why, s.got = None, "", []
        s.save(work)
        cases = compile_levels(s, settings, work)
        if cases:
            compiled.append((s, cases))
    for level in range(2):
        pairs = [(s, cases[level]) for s, cases in compiled if s.kind is None]
        if pairs:
            build_and_run(pairs, level, settings, work)
    for s, _ in compiled:
        if s.kind is None:
            judge(s, settings)
    return subjects
