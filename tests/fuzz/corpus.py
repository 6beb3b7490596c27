#!/usr/bin/env python3
"""Writes seed corpora for the fuzz targets: corpus.py --nncc PATH [--cases DIR] OUT

OUT/onnx holds small models: the project's own networks, every storage form of weights, every form of Constant, old
operator forms, subgraphs, functions, types nncc refuses, the bad models of tests/bad, and ONNX's node cases when --cases
has them. OUT/graph, OUT/loops, OUT/ast hold the dumps nncc makes of the networks and the inputs of golden tests.
OUT/external is the folder in which the ONNX target looks for weight files, and holds the constants of the dumps.
"""
import argparse
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, "model"), os.path.join(TESTS, "bad")]
try:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    import bad
    import make
except ImportError as e:
    print("SKIP corpus: %s (tests/run.sh installs it)" % e)
    sys.exit(77)

LARGEST = 60000           # bytes of a seed
F, I64 = TensorProto.FLOAT, TensorProto.INT64
TYPES = [t for t in TensorProto.DataType.values() if t != TensorProto.UNDEFINED]


def model(nodes, inputs, outputs, weights=(), opset=17, **more):
    graph = helper.make_graph(nodes, "g", inputs, outputs, weights, **more)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def constant_model(t, opset=21):
    """One constant handed to an output."""
    return model([helper.make_node("Identity", [t.name], ["y"])], [], [helper.make_tensor_value_info("y", t.data_type, t.dims)],
                 [t], opset)


def storage_forms():
    """Every data type, raw and in its typed field, and outside."""
    for dtype in TYPES:
        name = TensorProto.DataType.Name(dtype).lower()
        if dtype == TensorProto.STRING:
            yield name, constant_model(helper.make_tensor("w", dtype, [2], [b"a", b"bc"]))
            continue
        for raw in (False, True):
            t = TensorProto(name="w", data_type=dtype, dims=[3])
            if raw:
                t.raw_data = bytes(range(48))[:48 if dtype == TensorProto.COMPLEX128 else 24]
                width = helper.tensor_dtype_to_np_dtype(dtype).itemsize
                bits = {TensorProto.INT4: 4, TensorProto.UINT4: 4, TensorProto.INT2: 2, TensorProto.UINT2: 2}.get(dtype, 8 * width)
                t.raw_data = t.raw_data[:(3 * bits + 7) // 8]
            elif dtype in (F, TensorProto.COMPLEX64):
                t.float_data.extend([1.5, -2.0, 0.25] * (2 if dtype != F else 1))
            elif dtype in (TensorProto.DOUBLE, TensorProto.COMPLEX128):
                t.double_data.extend([1.5, -2.0, 0.25] * (2 if dtype != TensorProto.DOUBLE else 1))
            elif dtype == I64:
                t.int64_data.extend([1, -2, 3])
            elif dtype in (TensorProto.UINT32, TensorProto.UINT64):
                t.uint64_data.extend([1, 2, 3])
            else:
                t.int32_data.extend([1, 0x21, 3][:2 if dtype in (TensorProto.INT4, TensorProto.UINT4) else 3])
            yield "%s_%s" % (name, "raw" if raw else "typed"), constant_model(t)
    for keys in ({"offset": "4", "length": "12"}, {"offset": "4"}, {"length": "12"}, {}, {"length": "13"}, {"checksum": "00"}, {"colour": "red"}):
        t = TensorProto(name="w", data_type=F, dims=[3], data_location=TensorProto.EXTERNAL)
        for key, value in dict(keys, location="weights.bin").items():
            t.external_data.add(key=key, value=value)
        yield "external_%s" % "_".join(keys), constant_model(t)


def constants():
    """Constant in every form, and a sparse initialiser."""
    values = helper.make_tensor("v", F, [2], [1.0, 2.0])
    places = helper.make_tensor("i", I64, [2], [0, 3])
    sparse = helper.make_sparse_tensor(values, places, [5])
    forms = {"value": values, "value_float": 1.5, "value_floats": [1.0, 2.0], "value_int": 3, "value_ints": [1, 2, 3],
             "value_string": "s", "value_strings": ["s", "t"], "sparse_value": sparse}
    for key, value in forms.items():
        yield key, model([helper.make_node("Constant", [], ["y"], **{key: value})], [], [helper.make_tensor_value_info("y", F, None)])
    values.name = "w"
    yield "sparse_initializer", model([helper.make_node("Relu", ["w"], ["y"])], [], [helper.make_tensor_value_info("y", F, [5])],
                                      sparse_initializer=[helper.make_sparse_tensor(values, places, [5])])


def one(kind, opset, shapes, attrs=None, weights=(), outputs=1):
    """A model of one node with float inputs of these shapes and further constant operands."""
    inputs = [helper.make_tensor_value_info("x%d" % k, F, s) for k, s in enumerate(shapes)]
    stored = [numpy_helper.from_array(np.array(w), "w%d" % k) for k, w in enumerate(weights)]
    results = ["y%d" % k for k in range(outputs)]
    node = helper.make_node(kind, [v.name for v in inputs] + [t.name for t in stored], results, name="n", **(attrs or {}))
    return model([node], inputs, [helper.make_tensor_value_info(r, F, None) for r in results], stored, opset)


OLD_FORMS = [
    ("Clip", 6, [[2, 3]], {"min": -1.0, "max": 1.0}), ("Slice", 9, [[4, 5]], {"starts": [0, 1], "ends": [2, -1]}),
    ("Slice", 9, [[4, 5]], {"starts": [1], "ends": [3], "axes": [1]}), ("Squeeze", 11, [[1, 3, 1]], {"axes": [0]}),
    ("Unsqueeze", 11, [[3]], {"axes": [0, 2]}), ("Pad", 10, [[2, 3]], {"pads": [0, 1, 0, 1], "mode": "constant", "value": 2.0}),
    ("Split", 11, [[6, 2]], {"axis": 0, "split": [2, 4]}, (), 2), ("Split", 11, [[6, 2]], {"axis": 0}, (), 3),
    ("ReduceSum", 11, [[2, 3]], {"axes": [1], "keepdims": 0}), ("ReduceMean", 13, [[2, 3]], {"axes": [0]}),
    ("Dropout", 10, [[2, 3]], {"ratio": 0.3}, (), 2), ("TopK", 9, [[2, 5]], {"k": 2, "axis": 1}, (), 2),
    ("TopK", 10, [[2, 5]], {"axis": 1}, (np.int64([2]),), 2), ("Upsample", 7, [[1, 1, 2, 2]], {"scales": [1.0, 1.0, 2.0, 2.0]}),
    ("Upsample", 9, [[1, 1, 2, 2]], {"mode": "nearest"}, (np.float32([1, 1, 2, 2]),)),
    ("Resize", 10, [[1, 1, 2, 2]], {"mode": "nearest"}, (np.float32([1, 1, 2, 2]),)), ("Softmax", 11, [[2, 3, 4]], {"axis": 1}),
    ("LogSoftmax", 11, [[2, 3, 4]], {"axis": 1}), ("Hardmax", 11, [[2, 3, 4]], {"axis": 2}), ("Flatten", 9, [[2, 3, 4]], {"axis": 2}),
    ("BatchNormalization", 7, [[1, 2, 3]], {"epsilon": 1e-3}, (np.ones(2, np.float32),) * 4),
    ("BatchNormalization", 9, [[1, 2, 3]], {"momentum": 0.8}, (np.ones(2, np.float32),) * 4),
    ("BatchNormalization", 14, [[1, 2, 3]], {"training_mode": 0}, (np.ones(2, np.float32),) * 4),
    ("GroupNormalization", 18, [[1, 4, 3]], {"num_groups": 2}, (np.ones(2, np.float32),) * 2),
    ("AveragePool", 10, [[1, 1, 5]], {"kernel_shape": [2], "ceil_mode": 1}), ("MaxPool", 8, [[1, 1, 5]], {"kernel_shape": [2]}, (), 2),
    ("Gemm", 9, [[2, 3], [3, 4]], {"alpha": 0.5}, (np.ones(4, np.float32),)), ("Gemm", 11, [[2, 3], [3, 4]]),
    ("Cast", 9, [[2]], {"to": I64}), ("Scatter", 9, [[3, 3]], {"axis": 0}, (np.int64([[0, 1]]), np.ones((1, 2), np.float32))),
    ("Scan", 8, [[2, 3]], {}), ("EyeLike", 9, [[3, 3]], {"dtype": F}), ("Reshape", 7, [[2, 3]], {}, (np.int64([3, -1]),)),
    ("QuantizeLinear", 10, [[2]], {}, (np.float32(0.5), np.uint8(3))), ("DequantizeLinear", 13, [], {"axis": 0}, (np.uint8([3]), np.float32([0.5]))),
    ("LRN", 7, [[1, 4, 3]], {"size": 3}), ("Where", 9, [], {}, (np.array([True, False]), np.float32([1]), np.float32([2]))),
    ("Transpose", 7, [[2, 3, 4]], {"perm": [2, 0, 1]}), ("Conv", 7, [[1, 2, 5, 5]], {"auto_pad": "SAME_LOWER"}, (np.ones((2, 2, 3, 3), np.float32),)),
    ("Relu", 5, [[1]]), ("Add", 6, [[2, 3], [3]], {"broadcast": 1, "axis": 1}), ("Einsum", 12, [[2, 3], [3, 4]], {"equation": "ij,jk->ik"}),
]


def subgraphs():
    """If, Loop and Scan with captured values."""
    def body(name, x, y):
        return helper.make_graph([helper.make_node("Relu", [x], [y])], name, [], [helper.make_tensor_value_info(y, F, [2])])

    x, c = helper.make_tensor_value_info("x", F, [2]), helper.make_tensor_value_info("c", TensorProto.BOOL, [])
    y = helper.make_tensor_value_info("y", F, [2])
    yield "if", model([helper.make_node("If", ["c"], ["y"], then_branch=body("t", "x", "a"), else_branch=body("e", "x", "b"))], [x, c], [y])
    loop = helper.make_graph([helper.make_node("Add", ["s", "x"], ["s2"]), helper.make_node("Identity", ["k"], ["k2"])], "l",
                             [helper.make_tensor_value_info("i", I64, []), helper.make_tensor_value_info("k", TensorProto.BOOL, []),
                              helper.make_tensor_value_info("s", F, [2])],
                             [helper.make_tensor_value_info("k2", TensorProto.BOOL, []), helper.make_tensor_value_info("s2", F, [2])])
    yield "loop", model([helper.make_node("Loop", ["n", "c", "x"], ["y"], body=loop)], [x, c], [y], [numpy_helper.from_array(np.int64(3), "n")])
    scan = helper.make_graph([helper.make_node("Add", ["s", "e"], ["s2"]), helper.make_node("Identity", ["s2"], ["o"])], "s",
                             [helper.make_tensor_value_info("s", F, []), helper.make_tensor_value_info("e", F, [])],
                             [helper.make_tensor_value_info("s2", F, []), helper.make_tensor_value_info("o", F, [])])
    yield "scan", model([helper.make_node("Scan", ["z", "x"], ["f", "y"], body=scan, num_scan_inputs=1)], [x], [y], [numpy_helper.from_array(np.float32(0), "z")])


def types():
    """Inputs of the kinds that are no dense tensor, and with symbolic, absent and zero dimensions."""
    tensor = helper.make_tensor_type_proto(F, [2])
    kinds = {"sequence": helper.make_sequence_type_proto(tensor), "optional": helper.make_optional_type_proto(tensor),
             "map": helper.make_map_type_proto(I64, tensor), "sparse": helper.make_sparse_tensor_type_proto(F, [2])}
    for name, kind in kinds.items():
        yield name, model([helper.make_node("Identity", ["x"], ["y"])], [helper.make_value_info("x", kind)], [helper.make_value_info("y", kind)])
    for name, shape in {"symbolic": ["N", 3], "unknown": [None, 3], "rankless": None, "empty": [0, 3], "scalar": []}.items():
        yield name, model([helper.make_node("Relu", ["x"], ["y"])], [helper.make_tensor_value_info("x", F, shape)], [helper.make_tensor_value_info("y", F, shape)])


def seeds():
    """All (name, bytes) of the ONNX corpus, the node cases aside."""
    for source in (storage_forms, constants, subgraphs, types):
        for name, m in source():
            yield "%s_%s" % (source.__name__, name), m.SerializeToString()
    for k, row in enumerate(OLD_FORMS):
        yield "old_%02d_%s" % (k, row[0]), one(*row).SerializeToString()
    for build in make.OWN:
        yield "own_" + build.__name__, build().model().SerializeToString()
    with tempfile.TemporaryDirectory() as box:
        for name, build, _, _, _ in bad.CASES:
            folder = os.path.join(box, "in", name)
            os.makedirs(folder)
            made = build(folder)
            yield "bad_" + name, made if isinstance(made, bytes) else made.SerializeToString()


def write_dumps(nncc, out):
    """Dumps of the own networks, one file per pass, into OUT/graph, OUT/loops, OUT/ast."""
    with tempfile.TemporaryDirectory() as box:
        for folder in make.write_all(os.path.join(box, "own")):
            name, dumps = os.path.basename(folder), os.path.join(folder, "dumps")
            os.makedirs(dumps)
            flags = ["--dim=batch=2", "--dim=length=3"] if name == "encoder" else []
            subprocess.run([nncc, os.path.join(folder, "model.onnx"), "-o", os.path.join(folder, "m.c"), "--dump=all", "--dump-dir=" + dumps] + flags,
                           check=True, stdin=subprocess.DEVNULL)
            with open(os.path.join(out, "external", "constants.bin"), "ab") as side, open(os.path.join(dumps, "constants.bin"), "rb") as own:
                side.write(own.read())
            for path in glob.glob(os.path.join(dumps, "*")):
                kind = os.path.splitext(path)[1][1:]
                if kind in ("graph", "loops", "ast") and os.path.getsize(path) <= LARGEST:
                    shutil.copy(path, os.path.join(out, kind, "%s-%s" % (name, os.path.basename(path))))


def write_texts(out):
    """The inputs of golden tests that are a text form, and the texts of tests/golden/lang."""
    for kind in ("graph", "loops", "ast"):
        for path in glob.glob(os.path.join(TESTS, "golden", "**", "*." + kind), recursive=True):
            shutil.copy(path, os.path.join(out, kind))
    for path in glob.glob(os.path.join(TESTS, "golden", "**", "*.txt"), recursive=True):
        with open(path, encoding="utf-8", errors="replace") as f:
            parts = re.match(r"(?:#[^\n]*\n)*nncc [^\n]*\n(.*?)^---$", f.read(), re.S | re.M)
        word = re.match(r"\s*(?://[^\n]*\n\s*)*(graph|loops|ast)\b", parts.group(1)) if parts else None
        if word:
            name = os.path.relpath(path, os.path.join(TESTS, "golden")).replace(os.sep, "-")
            with open(os.path.join(out, word.group(1), name), "w", encoding="utf-8") as f:
                f.write(parts.group(1))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--nncc", required=True)
    ap.add_argument("--cases", default="")
    ap.add_argument("out")
    a = ap.parse_args()
    shutil.rmtree(a.out, ignore_errors=True)
    for kind in ("onnx", "graph", "loops", "ast", "external"):
        os.makedirs(os.path.join(a.out, kind))
    with open(os.path.join(a.out, "external", "weights.bin"), "wb") as f:
        f.write(np.arange(2048, dtype=np.float32).tobytes())
    for name, data in seeds():
        with open(os.path.join(a.out, "onnx", name), "wb") as f:
            f.write(data[:LARGEST])
    for path in glob.glob(os.path.join(a.cases, "*", "model.onnx")) if a.cases else []:
        if os.path.getsize(path) <= LARGEST:
            shutil.copy(path, os.path.join(a.out, "onnx", os.path.basename(os.path.dirname(path))))
    write_dumps(a.nncc, a.out)
    write_texts(a.out)
    counts = {kind: len(os.listdir(os.path.join(a.out, kind))) for kind in ("onnx", "graph", "loops", "ast")}
    print("seeds: " + ", ".join("%d %s" % (n, kind) for kind, n in counts.items()))
    if min(counts.values()) == 0:
        print("FAIL corpus: a target has no seeds")
    print("%d passed, %d failed, 0 skipped" % (min(counts.values()) > 0, min(counts.values()) == 0))
    return min(counts.values()) == 0


if __name__ == "__main__":
    sys.exit(main())
