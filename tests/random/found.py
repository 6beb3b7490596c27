"""The graphs of found/: each failed once, was shrunk, and is run in every test since.

A case is a folder with model.onnx, input_N.pb and output_N.pb (so `nncc model.onnx --verify=FOLDER` runs it) and
about.txt: where it came from and what was wrong. Outputs are those of ONNX Runtime, or of -O0 where it refuses.
"""
import glob
import os

import onnx
from onnx import numpy_helper

import check
import harness


def read(path, kind):
    with open(path, "rb") as f:
        return kind.FromString(f.read())


def describe(model):
    """One line per node, and the operands from outside with their types and shapes."""
    lines = ["opset %d" % model.opset_import[0].version]
    for v in model.graph.input:
        kind = v.type.tensor_type
        lines.append("%s = input %s%s" % (v.name, onnx.TensorProto.DataType.Name(kind.elem_type).lower(),
                                          [d.dim_value for d in kind.shape.dim]))
    for t in model.graph.initializer:
        a = numpy_helper.to_array(t)
        lines.append("%s = %s%s %s" % (t.name, a.dtype, list(a.shape), a.ravel().tolist() if a.size <= 8 else ""))
    for n in model.graph.node:
        attrs = " ".join("%s=%s" % (a.name, onnx.helper.get_attribute_value(a) if a.type != 4 else "tensor")
                         for a in n.attribute)
        lines.append("%s = %s(%s) %s" % (", ".join(n.output), n.op_type, ", ".join(n.input), attrs))
    lines.append("outputs " + " ".join(v.name for v in model.graph.output))
    return "\n".join(line.rstrip() for line in lines) + "\n"


def write(folder, subject, about):
    """Writes a case; subject.want, or the outputs at the lower level, are what it expects."""
    os.makedirs(folder, exist_ok=True)
    onnx.save(subject.model, os.path.join(folder, "model.onnx"))
    outputs = subject.want or (subject.got or [[]])[0]
    for kind, arrays in (("input", list(subject.inputs.values())), ("output", outputs)):
        for k, a in enumerate(arrays):
            with open(os.path.join(folder, "%s_%d.pb" % (kind, k)), "wb") as f:
                f.write(numpy_helper.from_array(a).SerializeToString())
    with open(os.path.join(folder, "about.txt"), "w") as f:
        f.write("%s\n%s" % (about, describe(subject.model)))


def load(folder):
    """A subject with `expected`, the recorded outputs."""
    model = onnx.load(os.path.join(folder, "model.onnx"))
    arrays = {}
    for kind in ("input", "output"):
        count = len(glob.glob(os.path.join(folder, kind + "_*.pb")))
        paths = [os.path.join(folder, "%s_%d.pb" % (kind, k)) for k in range(count)]
        arrays[kind] = [harness.as_array(read(p, onnx.TensorProto)) for p in paths]
    names = [v.name for v in model.graph.input]
    subject = check.Subject(os.path.basename(folder), model, dict(zip(names, arrays["input"])))
    subject.expected = arrays["output"]
    return subject


def run(folder, settings, work):
    """Runs all cases; what is recorded counts more than what ONNX Runtime says today."""
    subjects = [load(p) for p in sorted(glob.glob(os.path.join(folder, "*"))) if os.path.isdir(p)]
    check.check(subjects, settings, work)
    for s in subjects:
        if s.kind in ("ok", "levels only", "oracle") and s.expected:
            why = check.differs(s.got[0], s.expected, check.precision_of(s.model))
            s.kind, s.why = ("oracle", why) if why else ("ok", "")
    return subjects
