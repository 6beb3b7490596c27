#!/usr/bin/env python3
"""Bad models: each must end with exit code 1, one line `model.onnx:place: error: ...` and no output file.

  bad.py --nncc PATH [--work DIR] [NAME...]

A case is a function below, decorated with what its message must say: the place (node name, or None for the whole file)
and a regular expression. Goldens (tests/golden/errors) fix whole messages; here are the models no text can write.
"""
import argparse
import os
import re
import resource
import shutil
import subprocess
import sys

try:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError as e:
    print("SKIP bad models: %s (tests/run.sh installs it)" % e)
    sys.exit(77)

F = TensorProto.FLOAT
CASES = []


def case(place, message, flags=()):
    """Registers a function that fills a new folder with model.onnx (returned as a ModelProto or bytes)."""
    def add(make):
        CASES.append((make.__name__, make, place, message, list(flags)))
        return make
    return add


def vi(name, shape, dtype=F):
    return helper.make_tensor_value_info(name, dtype, shape)


def model(nodes, inputs=None, outputs=None, weights=(), opset=17, **more):
    g = helper.make_graph(nodes, "g", inputs or [vi("x", [2, 3])], outputs or [vi("y", [2, 3])], list(weights))
    return helper.make_model(g, opset_imports=[helper.make_opsetid("", opset)], ir_version=8, **more)


def weight(name, shape):
    return numpy_helper.from_array(np.ones(shape, np.float32), name)


def relu(name="r", x="x", y="y"):
    return helper.make_node("Relu", [x], [y], name=name)


def conv_model(**attrs):
    node = helper.make_node("Conv", ["x", "w"], ["y"], name="conv1", **attrs)
    return model([node], [vi("x", [1, 2, 8, 8])], [vi("y", None)], [weight("w", [4, 2, 3, 3])])


# --- the file

@case(None, r"truncated|malformed|not a valid|not an ONNX")
def truncated(folder):
    data = model([helper.make_node("Add", ["x", "w"], ["y"])], weights=[weight("w", [2, 3])]).SerializeToString()
    return data[:len(data) - 20]


@case(None, r"empty|no graph|not an ONNX")
def empty(folder):
    return b""


@case(None, r"malformed|not a valid|not an ONNX|truncated")
def noise(folder):
    return bytes(np.random.RandomState(0).randint(0, 256, 4000, np.uint8))


def nest(depth):
    """`depth` graphs inside each other, written as bytes from the inside out: length-delimited fields only."""
    def field(number, data):
        size, head = len(data), bytearray()
        key = number << 3 | 2
        for v in (key, size):
            while v >= 128:
                head.append(v & 127 | 128)
                v >>= 7
            head.append(v)
        return bytes(head) + data
    graph = b""
    for _ in range(depth):
        attribute = field(1, b"g") + field(6, graph)
        graph = field(1, field(4, b"If") + field(5, attribute))
    return b"\x08\x08" + field(7, graph)


@case(None, r"nest|deep")
def nesting_10000(folder):
    return nest(10000)


# --- sizes

@case(None, r"negative")
def negative_dims(folder):
    t = weight("w", [2, 3])
    t.dims[0] = -2
    return model([helper.make_node("Add", ["x", "w"], ["y"])], weights=[t])


@case(None, r"overflow|too large|too many")
def overflowing_dims(folder):
    t = weight("w", [2, 3])
    t.dims[:] = [1 << 33, 1 << 33]
    return model([helper.make_node("Add", ["x", "w"], ["y"])], weights=[t])


@case(None, r"overflow|too large|too many")
def overflowing_input(folder):
    return model([relu()], [vi("x", [1 << 40, 1 << 40])], [vi("y", None)])


@case(None, r"w.*(bytes|elements)|(bytes|elements).*w")
def short_weight(folder):
    t = weight("w", [2, 3])
    t.raw_data = t.raw_data[:20]
    return model([helper.make_node("Add", ["x", "w"], ["y"])], weights=[t])


@case(None, r"w.*(bytes|elements)|(bytes|elements).*w")
def short_typed_weight(folder):
    t = helper.make_tensor("w", F, [2, 3], [1.0] * 6)
    del t.float_data[5:]
    return model([helper.make_node("Add", ["x", "w"], ["y"])], weights=[t])


# --- external data

def external(location, **more):
    t = TensorProto(name="w", data_type=F, dims=[2, 3], data_location=TensorProto.EXTERNAL)
    for key, value in dict(more, location=location).items():
        t.external_data.add(key=key, value=str(value))
    return model([helper.make_node("Add", ["x", "w"], ["y"])], weights=[t])


def put(folder, name, size=24):
    os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(bytes(size))


@case(None, r"\.\.")
def external_parent(folder):
    put(folder, "../outside-%s" % os.path.basename(folder))
    return external("../outside-%s" % os.path.basename(folder))


@case(None, r"\.\.")
def external_parent_inside(folder):
    put(folder, "w.bin")
    os.makedirs(os.path.join(folder, "sub"))
    return external("sub/../w.bin")


@case(None, r"absolute")
def external_absolute(folder):
    put(folder, "w.bin")
    return external(os.path.abspath(os.path.join(folder, "w.bin")))


@case(None, r"symbolic link|symlink")
def external_symlink(folder):
    put(folder, "real.bin")
    os.symlink("real.bin", os.path.join(folder, "w.bin"))
    return external("w.bin")


@case(None, r"symbolic link|symlink")
def external_symlinked_folder(folder):
    put(folder, "real/w.bin")
    os.symlink("real", os.path.join(folder, "link"))
    return external("link/w.bin")


@case(None, r"w\.bin")
def external_missing(folder):
    return external("w.bin")


@case(None, r"bytes|outside|end")
def external_short(folder):
    put(folder, "w.bin", 20)
    return external("w.bin")


@case(None, r"bytes|outside|end|offset")
def external_offset_overflow(folder):
    put(folder, "w.bin")
    return external("w.bin", offset=(1 << 63) - 4, length=24)


@case(None, r"offset|number|negative")
def external_negative_offset(folder):
    put(folder, "w.bin")
    return external("w.bin", offset=-8, length=24)


# --- the graph

@case("a", r"cycle|before it is defined|not defined|order")
def cycle(folder):
    return model([helper.make_node("Add", ["x", "v"], ["u"], name="a"), relu("b", "u", "v"), relu("c", "v", "y")])


@case("a", r"cycle|before it is defined|not defined|order|own")
def self_cycle(folder):
    return model([helper.make_node("Add", ["x", "y"], ["y"], name="a")])


@case("b", r"'y'.*(twice|already|duplicate|more than once)|(twice|already|duplicate|more than once).*'y'")
def duplicate_result(folder):
    return model([relu("a"), relu("b")])


@case(None, r"'w'.*(twice|already|duplicate|more than once)|(twice|already|duplicate|more than once).*'w'")
def duplicate_weight(folder):
    return model([helper.make_node("Add", ["x", "w"], ["y"])], weights=[weight("w", [2, 3]), weight("w", [2, 3])])


@case("r", r"nowhere")
def undefined_operand(folder):
    return model([relu("r", "nowhere")])


@case(None, r"'z'")
def undefined_output(folder):
    return model([relu()], outputs=[vi("z", [2, 3])])


@case("n1", r"Frobnicate")
def unknown_operator(folder):
    return model([helper.make_node("Frobnicate", ["x"], ["y"], name="n1")])


@case("n1", r"com\.example")
def unknown_domain(folder):
    m = model([helper.make_node("Relu", ["x"], ["y"], name="n1", domain="com.example")])
    m.opset_import.append(helper.make_opsetid("com.example", 1))
    return m


@case(None, r"opset.*99|99.*opset")
def opset_99(folder):
    return model([relu()], opset=99)


@case(None, r"opset.*\b3\b|\b3\b.*opset")
def opset_3(folder):
    return model([relu()], opset=3)


# --- operators

@case("mm", r"MatMul.*(3|4)")
def matmul_mismatch(folder):
    node = helper.make_node("MatMul", ["x", "w"], ["y"], name="mm")
    return model([node], [vi("x", [2, 3])], [vi("y", None)], [weight("w", [4, 5])])


@case("conv1", r"stride")
def stride_0(folder):
    return conv_model(strides=[0, 1])


@case("conv1", r"dilation")
def dilation_0(folder):
    return conv_model(dilations=[1, 0])


@case("conv1", r"group")
def group_3(folder):
    return conv_model(group=3)


@case("conv1", r"kernel_shape")
def kernel_shape_contradicts(folder):
    return conv_model(kernel_shape=[5, 5])


@case("conv1", r"padded input has 2")
def window_larger_than_input(folder):
    node = helper.make_node("Conv", ["x", "w"], ["y"], name="conv1")
    return model([node], [vi("x", [1, 2, 2, 2])], [vi("y", None)], [weight("w", [4, 2, 3, 3])])


@case("r", r"sizzle")
def unknown_attribute(folder):
    return model([helper.make_node("Relu", ["x"], ["y"], name="r", sizzle=1)])


@case("add", r"broadcast|\[2,3\]|shape")
def broadcast_mismatch(folder):
    return model([helper.make_node("Add", ["x", "w"], ["y"], name="add")], weights=[weight("w", [2, 4])])


@case("add", r"type|f32|i64|int64")
def type_mismatch(folder):
    t = numpy_helper.from_array(np.ones([2, 3], np.int64), "w")
    return model([helper.make_node("Add", ["x", "w"], ["y"], name="add")], weights=[t])


@case(None, r"'y'.*\[.*3.*\].*|shape")
def output_contradicts(folder):
    return model([relu()], outputs=[vi("y", [2, 4])])


# --- symbols

@case(None, r"'N'.*--dim=N=|--dim=N=.*'N'")
def unbound_symbol(folder):
    return model([relu()], [vi("x", ["N", 3])], [vi("y", ["N", 3])])


@case(None, r"--shape=x=")
def input_without_shape(folder):
    return model([relu()], [vi("x", None)], [vi("y", None)])


@case(None, r"'M'", ["--dim=N=2", "--dim=M=4"])
def dim_names_nothing(folder):
    return model([relu()], [vi("x", ["N", 3])], [vi("y", ["N", 3])])


@case(None, r"'z'", ["--shape=z=2,3"])
def shape_names_nothing(folder):
    return model([relu()])


@case(None, r"'x'", ["--shape=x=2,4"])
def shape_contradicts(folder):
    return model([relu()])


def limit():
    """A bad model may not take long or much: an 8 MB stack, 60 s."""
    resource.setrlimit(resource.RLIMIT_STACK, (8 << 20, 8 << 20))
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))


def run(nncc, work, row):
    """None, or what is wrong."""
    name, make, place, message, flags = row
    folder = os.path.join(work, name)
    os.makedirs(os.path.join(folder, "out"))
    made = make(folder)
    with open(os.path.join(folder, "model.onnx"), "wb") as f:
        f.write(made if isinstance(made, bytes) else made.SerializeToString())
    r = subprocess.run([nncc, "model.onnx", "-o", "out/model.c", "-MD"] + flags, cwd=folder, capture_output=True,
                       stdin=subprocess.DEVNULL, timeout=120, preexec_fn=limit)
    lines = r.stderr.decode(errors="replace").splitlines()
    left = os.listdir(os.path.join(folder, "out"))
    where = "model.onnx:%s: error: " % place if place else "model.onnx:"
    if r.returncode != 1:
        return "exit code %d, expected 1%s" % (r.returncode, "".join(": " + t for t in lines[-1:]))
    if left:
        return "left %s" % ", ".join(left)
    if r.stdout:
        return "wrote to standard output"
    if len(lines) != 1 or not re.match(r"model\.onnx:([^\n]+:)? error: \S", lines[0]):
        return "expected one line `model.onnx:place: error: text`, got %d: %s" % (len(lines), lines[:1])
    if not lines[0].startswith(where):
        return "expected the place %r: %s" % (where, lines[0])
    if not re.search(message, lines[0].split(" error: ", 1)[1]):
        return "expected %r: %s" % (message, lines[0])
    return None


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--nncc", required=True)
    ap.add_argument("--work", default="bad-work")
    ap.add_argument("names", nargs="*")
    a = ap.parse_args()
    shutil.rmtree(a.work, ignore_errors=True)
    rows = [r for r in CASES if not a.names or r[0] in a.names]
    failed = 0
    for row in rows:
        why = run(os.path.abspath(a.nncc), a.work, row)
        if why:
            failed += 1
            print("FAIL bad/%s: %s" % (row[0], why))
    print("%d passed, %d failed, 0 skipped" % (len(rows) - failed, failed))
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
