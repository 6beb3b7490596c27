#!/usr/bin/env python3
"""Small models for the front end: every storage form of weights, every form of Constant, model-local functions, and the old
form of every operator that opset.def rewrites.

  make_models.py OUT [NAME...]

Writes OUT/<case>/model.onnx and OUT/<case>/test_data_set_0/{input,output}_N.pb. Expected outputs are computed here with
numpy, never by the compiler under test. check_models.py runs them.
"""
import os
import shutil
import sys

try:
    import ml_dtypes
    import numpy as np
    import onnx
    from onnx import TensorProto as T
    from onnx import helper, numpy_helper
except ImportError as e:
    print("SKIP make_models: %s (tests/run.sh installs it)" % e)
    sys.exit(77)

CASES = {}  # name -> function(folder) returning (model, inputs, outputs)
RNG = np.random.RandomState


def case(make):
    CASES[make.__name__] = make
    return make


def vi(name, array):
    """The declaration of a graph input or output that is like `array`."""
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)


def model(nodes, inputs, outputs, weights=(), opset=21, functions=(), domains=(), **more):
    """inputs and outputs are {name: array}."""
    graph = helper.make_graph(nodes, "g", [vi(n, a) for n, a in inputs.items()],
                              [vi(n, a) for n, a in outputs.items()], list(weights), **more)
    imports = [helper.make_opsetid("", opset)] + [helper.make_opsetid(d, 1) for d in domains]
    return helper.make_model(graph, opset_imports=imports, ir_version=10, functions=list(functions))


def one(op, operands, expected, opset, weights=(), **attributes):
    """A model of one node: operands {name: array} in order, names that start with w are constants."""
    node = helper.make_node(op, list(operands), ["y"], name="n", **attributes)
    inputs = {n: a for n, a in operands.items() if not n.startswith("w")}
    weights = [numpy_helper.from_array(a, n) for n, a in operands.items() if n.startswith("w")]
    return model([node], inputs, {"y": expected}, weights, opset), list(inputs.values()), [expected]


def data(*shape):
    return RNG(sum(shape) + len(shape)).uniform(-2, 2, shape).astype(np.float32)


# --- storage forms: a constant handed to an output

VALUES = {
    T.FLOAT: [1.5, -0.0, float("inf"), 3.0e-45, -2.75], T.DOUBLE: [1e300, -0.1, 0.5, 2.0, 7.0],
    T.INT8: [-128, 127, 0, 1, -1], T.UINT8: [0, 255, 1, 2, 3], T.INT16: [-32768, 32767, 0, 1, -1],
    T.UINT16: [0, 65535, 1, 2, 3], T.INT32: [-2**31, 2**31 - 1, 0, 1, -1], T.UINT32: [0, 2**32 - 1, 1, 2, 3],
    T.INT64: [-2**63, 2**63 - 1, 0, 1, -1], T.UINT64: [0, 2**64 - 1, 1, 2, 3], T.BOOL: [True, False, True, True, False],
    T.INT4: [-8, 7, 0, 1, -1], T.UINT4: [0, 15, 1, 2, 3], T.INT2: [-2, 1, 0, 1, -1], T.UINT2: [0, 3, 1, 2, 3],
}
WIDE = {T.INT4: np.int8, T.UINT4: np.uint8, T.INT2: np.int8, T.UINT2: np.uint8}  # shown as
LOW = {T.INT4: ml_dtypes.int4, T.UINT4: ml_dtypes.uint4, T.INT2: ml_dtypes.int2, T.UINT2: ml_dtypes.uint2}


def storage_model(tensor):
    """Hands the tensor to the output, sub-byte ones as bytes."""
    dtype = tensor.data_type
    if dtype in WIDE:
        nodes = [helper.make_node("Cast", ["w"], ["y"], to=helper.np_dtype_to_tensor_dtype(np.dtype(WIDE[dtype])))]
        expected = np.array(VALUES[dtype], WIDE[dtype])
    else:
        nodes = [helper.make_node("Identity", ["w"], ["y"])]
        expected = np.array(VALUES[dtype], helper.tensor_dtype_to_np_dtype(dtype))
    return model(nodes, {}, {"y": expected}, [tensor], 25), [], [expected]


def packed(dtype):
    """raw_data as the onnx package packs it."""
    np_type = LOW.get(dtype) or helper.tensor_dtype_to_np_dtype(dtype)
    return numpy_helper.from_array(np.array(VALUES[dtype], np_type), "w")


def add_storage_cases():
    for dtype in VALUES:
        name = T.DataType.Name(dtype).lower()

        def raw(folder, dtype=dtype):
            tensor = packed(dtype)
            assert tensor.HasField("raw_data")
            return storage_model(tensor)

        def typed(folder, dtype=dtype):
            tensor = helper.make_tensor("w", dtype, [5], VALUES[dtype])
            assert not tensor.HasField("raw_data")
            return storage_model(tensor)

        def external(folder, dtype=dtype):
            tensor = packed(dtype)
            with open(os.path.join(folder, "weights.bin"), "wb") as f:
                f.write(b"\xff" * 64 + tensor.raw_data + b"\xff" * 64)
            length = len(tensor.raw_data)
            tensor.ClearField("raw_data")
            tensor.data_location = T.EXTERNAL
            for key, value in (("location", "weights.bin"), ("offset", "64"), ("length", str(length))):
                tensor.external_data.add(key=key, value=value)
            return storage_model(tensor)

        CASES["raw_" + name], CASES["typed_" + name], CASES["external_" + name] = raw, typed, external


@case
def external_by_onnx(folder):
    """As onnx.save writes large models: many tensors in one file."""
    w, b = data(4, 3), data(4)
    x = data(2, 3)
    y = x @ w.T + b
    made = model([helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1)], {"x": x}, {"y": y},
                 [numpy_helper.from_array(w, "w"), numpy_helper.from_array(b, "b")])
    onnx.save(made, os.path.join(folder, "model.onnx"), save_as_external_data=True, location="weights.bin", size_threshold=0)
    return onnx.load(os.path.join(folder, "model.onnx"), load_external_data=False), [x], [y]


@case
def initializer_is_input(folder):
    """Initialisers listed among the inputs, as IR version 3 demands: constants."""
    x, w = data(2, 3), data(2, 3)
    made = model([helper.make_node("Add", ["x", "w"], ["y"])], {"x": x, "w": w}, {"y": x + w},
                 [numpy_helper.from_array(w, "w")])
    made.ir_version = 3
    return made, [x], [x + w]


# --- Constant, sparse tensors

def constant_case(expected, **attributes):
    x = data(*expected.shape).astype(expected.dtype)
    nodes = [helper.make_node("Constant", [], ["c"], **attributes), helper.make_node("Add", ["x", "c"], ["y"])]
    return model(nodes, {"x": x}, {"y": x + expected}), [x], [x + expected]


def sparse(dense, linear):
    """The SparseTensorProto of a dense array, with linear or per-dimension indices."""
    places = np.argwhere(dense) if not linear else np.flatnonzero(dense)
    values = numpy_helper.from_array(dense[dense != 0], "s")
    return helper.make_sparse_tensor(values, numpy_helper.from_array(places.astype(np.int64), "i"), dense.shape)


SPARSE = np.array([[0, 0, 3], [0, -4, 0]], np.float32)

CASES.update({
    "constant_value": lambda folder: constant_case(SPARSE, value=numpy_helper.from_array(SPARSE)),
    "constant_float": lambda folder: constant_case(np.array(1.5, np.float32), value_float=1.5),
    "constant_floats": lambda folder: constant_case(np.array([1.5, -2], np.float32), value_floats=[1.5, -2.0]),
    "constant_int": lambda folder: constant_case(np.array(-7, np.int64), value_int=-7),
    "constant_ints": lambda folder: constant_case(np.array([3, 1 << 40], np.int64), value_ints=[3, 1 << 40]),
    "constant_sparse": lambda folder: constant_case(SPARSE, sparse_value=sparse(SPARSE, False)),
    "constant_sparse_linear": lambda folder: constant_case(SPARSE, sparse_value=sparse(SPARSE, True)),
})


@case
def sparse_initializer(folder):
    x = data(2, 3)
    made = model([helper.make_node("Add", ["x", "s"], ["y"])], {"x": x}, {"y": x + SPARSE},
                 sparse_initializer=[sparse(SPARSE, True)])
    return made, [x], [x + SPARSE]


# --- model-local functions

def function(name, inputs, outputs, nodes, attributes=(), defaults=(), opset=21):
    return helper.make_function("local", name, inputs, outputs, nodes, [helper.make_opsetid("", opset),
                                helper.make_opsetid("local", 1)], list(attributes), list(defaults))


def reference(node, name, attribute, kind):
    """Makes attribute `name` of node refer to the function's attribute."""
    node.attribute.add(name=name, ref_attr_name=attribute, type=kind)
    return node


def scaled_relu():
    """y = max(x, 0) * scale; the scale is an attribute with a default."""
    constant = reference(helper.make_node("Constant", [], ["s"]), "value_float", "scale", onnx.AttributeProto.FLOAT)
    return function("ScaledRelu", ["x"], ["y"], [constant, helper.make_node("Relu", ["x"], ["r"]),
                    helper.make_node("Mul", ["r", "s"], ["y"])], defaults=[helper.make_attribute("scale", 2.0)])


@case
def function_nested(folder):
    """A function that calls another one twice, once with its own attribute and once with the default."""
    inner = helper.make_node("ScaledRelu", ["a"], ["b"], domain="local")
    inner = reference(inner, "scale", "gain", onnx.AttributeProto.FLOAT)
    outer = function("Twice", ["a", "skip"], ["c", "unused"],
                     [inner, helper.make_node("Neg", ["b"], ["n"]), helper.make_node("Add", ["n", "skip"], ["m"]),
                      helper.make_node("ScaledRelu", ["m"], ["c"], domain="local"),
                      helper.make_node("Identity", ["m"], ["unused"])], attributes=["gain"])
    x = data(3, 4)
    y = 2 * np.maximum(-3 * np.maximum(x, 0) + x, 0).astype(np.float32)
    made = model([helper.make_node("Twice", ["x", "x"], ["y"], domain="local", gain=3.0)], {"x": x}, {"y": y},
                 functions=[outer, scaled_relu()], domains=["local"])
    return made, [x], [y]


@case
def function_without_optional(folder):
    """The call leaves out an operand that the body hands on to an optional one."""
    body = [helper.make_node("Clip", ["v", "low", "high"], ["y"])]
    x = data(3, 4)
    y = np.minimum(x, np.float32(0.5))
    made = model([helper.make_node("Limit", ["x", "", "h"], ["y"], domain="local")], {"x": x}, {"y": y},
                 [numpy_helper.from_array(np.array(0.5, np.float32), "h")],
                 functions=[function("Limit", ["v", "low", "high"], ["y"], body)], domains=["local"])
    return made, [x], [y]


@case
def function_of_old_opset(folder):
    """A function with an opset of its own: Squeeze with axes as an attribute inside a newer model."""
    x = data(3, 1, 4)
    made = model([helper.make_node("Old", ["x"], ["y"], domain="local")], {"x": x}, {"y": x[:, 0]},
                 functions=[function("Old", ["a"], ["b"], [helper.make_node("Squeeze", ["a"], ["b"], axes=[1])], opset=11)],
                 domains=["local"])
    return made, [x], [x[:, 0]]


# --- old operator forms

def softmax(x, axis):
    flat = x.reshape(int(np.prod(x.shape[:axis])), -1)
    e = np.exp(flat - flat.max(axis=1, keepdims=True))
    return (e / e.sum(axis=1, keepdims=True)).reshape(x.shape).astype(np.float32)


def hardmax(x, axis):
    flat = x.reshape(int(np.prod(x.shape[:axis])), -1)
    return np.eye(flat.shape[1], dtype=np.float32)[flat.argmax(axis=1)].reshape(x.shape)


def batchnorm(x, *parameters):
    scale, bias, mean, var = (p.reshape((1, -1) + (1,) * (x.ndim - 2)) for p in parameters)
    return ((x - mean) / np.sqrt(var + np.float32(1e-5)) * scale + bias).astype(np.float32)


def groupnorm(x, groups, scale, bias):
    g = x.reshape(x.shape[0], groups, -1)
    g = (g - g.mean(2, keepdims=True)) / np.sqrt(g.var(2, keepdims=True) + 1e-5)
    return (g * scale[None, :, None] + bias[None, :, None]).reshape(x.shape).astype(np.float32)


def linear_upsample(x, scale):
    """Doubling along the last axis at x / scale, the last sample repeated."""
    at = np.arange(int(x.shape[-1] * scale)) / scale
    low = np.minimum(at.astype(int), x.shape[-1] - 1)
    high = np.minimum(low + 1, x.shape[-1] - 1)
    return (x[..., low] * (1 - (at - low)) + x[..., high] * (at - low)).astype(np.float32)


X = data(2, 3, 4, 5)
POSITIVE = np.abs(X) + np.float32(0.1)
BN = [data(3), data(3) + 1, data(3) - 1, np.abs(data(3)) + 1]
BN_OPERANDS = dict(zip(("x", "ws", "wb", "wm", "wv"), [X] + BN))
SCALES = np.array([1, 1, 2, 2], np.float32)
SHRINK = np.array([1, 1, 0.6, 0.6], np.float32)


def shrunk():
    rows = np.ceil(np.arange(int(4 * 0.6)) / np.float32(0.6)).astype(int)
    columns = np.ceil(np.arange(int(5 * 0.6)) / np.float32(0.6)).astype(int)
    return X[:, :, rows][:, :, :, columns]


def scatter():
    indices = np.array([[1, 0, 2], [0, 2, 1]], np.int64)
    y = np.zeros((3, 3), np.float32)
    for i in range(2):
        for j in range(3):
            y[indices[i, j], j] = data(2, 3)[i, j]
    return {"x": np.zeros((3, 3), np.float32), "wi": indices, "u": data(2, 3)}, y


def split(opset, **attributes):
    sizes = attributes.get("split", [2, 2])
    parts = np.split(X, np.cumsum(sizes)[:-1], axis=2)
    names = ["y%d" % k for k in range(len(parts))]
    node = helper.make_node("Split", ["x"], names, axis=2, **attributes)
    return model([node], {"x": X}, dict(zip(names, parts)), opset=opset), [X], parts


def topk(opset):
    order = np.argsort(-X, axis=-1, kind="stable")[..., :2]
    values = np.take_along_axis(X, order, -1)
    node = helper.make_node("TopK", ["x"], ["v", "i"], k=2)
    return model([node], {"x": X}, {"v": values, "i": order}, opset=opset), [X], [values, order]


def clip_after(opset, dtype):
    """Bounds of an operand whose type only inference knows."""
    x = X.astype(dtype)
    nodes = [helper.make_node("Neg", ["x"], ["n"]), helper.make_node("Clip", ["n"], ["y"], min=-0.5, max=0.75)]
    y = np.clip(-x, dtype(-0.5), dtype(0.75))
    return model(nodes, {"x": x}, {"y": y}, opset=opset), [x], [y]


CASES.update({
    "old_softmax": lambda f: one("Softmax", {"x": X}, softmax(X, 1), 9),
    "old_softmax_axis_2": lambda f: one("Softmax", {"x": X}, softmax(X, 2), 11, axis=-2),
    "old_softmax_last": lambda f: one("Softmax", {"x": X}, softmax(X, 3), 7, axis=3),
    "old_softmax_axis_0": lambda f: one("Softmax", {"x": X}, softmax(X, 0), 7, axis=0),
    "old_log_softmax": lambda f: one("LogSoftmax", {"x": X}, np.log(softmax(X, 1)), 11),
    "old_hardmax": lambda f: one("Hardmax", {"x": X}, hardmax(X, 1), 11),
    "old_batchnorm_7": lambda f: one("BatchNormalization", BN_OPERANDS, batchnorm(X, *BN), 7, spatial=1),
    "old_batchnorm_9": lambda f: one("BatchNormalization", BN_OPERANDS, batchnorm(X, *BN), 9),
    "old_clip": lambda f: one("Clip", {"x": X}, np.clip(X, -1, 1).astype(np.float32), 7, min=-1.0, max=1.0),
    "old_clip_max": lambda f: one("Clip", {"x": X}, np.minimum(X, 0.5).astype(np.float32), 10, max=0.5),
    "old_clip_none": lambda f: one("Clip", {"x": X}, X, 6 + 1),
    "old_clip_f32": lambda f: clip_after(9, np.float32),
    "old_clip_f64": lambda f: clip_after(9, np.float64),
    "old_dropout_7": lambda f: one("Dropout", {"x": X}, X, 7, ratio=0.3),
    "old_dropout_10": lambda f: one("Dropout", {"x": X}, X, 10),
    "old_groupnorm": lambda f: one("GroupNormalization", {"x": data(2, 4, 3), "ws": BN[0][:2], "wb": BN[1][:2]},
                                   groupnorm(data(2, 4, 3), 2, BN[0][:2], BN[1][:2]), 18, num_groups=2),
    "old_pad": lambda f: one("Pad", {"x": X}, np.pad(X, [(0, 0), (1, 0), (0, 2), (1, 1)], constant_values=1.5), 9,
                             pads=[0, 1, 0, 1, 0, 0, 2, 1], value=1.5),
    "old_pad_zero": lambda f: one("Pad", {"x": X}, np.pad(X, [(0, 0), (0, 0), (1, 1), (0, 0)]), 2 + 5,
                                  pads=[0, 0, 1, 0, 0, 0, 1, 0]),
    "old_pad_reflect": lambda f: one("Pad", {"x": X}, np.pad(X, [(0, 0), (0, 0), (1, 1), (2, 2)], mode="reflect"), 9,
                                     pads=[0, 0, 1, 2, 0, 0, 1, 2], mode="reflect"),
    "old_reduce_sum": lambda f: one("ReduceSum", {"x": X}, X.sum((1, 3)), 11, axes=[1, 3], keepdims=0),
    "old_reduce_sum_all": lambda f: one("ReduceSum", {"x": X}, X.sum(keepdims=True), 7),
    "old_reduce_mean": lambda f: one("ReduceMean", {"x": X}, X.mean((2, 3), keepdims=True), 13, axes=[-2, -1]),
    "old_reduce_max": lambda f: one("ReduceMax", {"x": X}, X.max(1, keepdims=True), 12, axes=[1]),
    "old_reduce_min": lambda f: one("ReduceMin", {"x": X}, X.min(1), 13, axes=[1], keepdims=0),
    "old_reduce_prod": lambda f: one("ReduceProd", {"x": X}, X.prod(2), 11, axes=[2], keepdims=0),
    "old_reduce_l1": lambda f: one("ReduceL1", {"x": X}, np.abs(X).sum(2), 11, axes=[2], keepdims=0),
    "old_reduce_l2": lambda f: one("ReduceL2", {"x": X}, np.sqrt((X * X).sum(2)), 13, axes=[2], keepdims=0),
    "old_reduce_log_sum": lambda f: one("ReduceLogSum", {"x": POSITIVE}, np.log(POSITIVE.sum(2)), 11, axes=[2], keepdims=0),
    "old_reduce_log_sum_exp": lambda f: one("ReduceLogSumExp", {"x": X}, np.log(np.exp(X).sum(2)), 11, axes=[2], keepdims=0),
    "old_reduce_sum_square": lambda f: one("ReduceSumSquare", {"x": X}, (X * X).sum(2), 11, axes=[2], keepdims=0),
    "old_resize_nearest": lambda f: one("Resize", {"x": X, "ws": SCALES}, X.repeat(2, 2).repeat(2, 3), 10),
    "old_resize_shrink": lambda f: one("Resize", {"x": X, "ws": SHRINK}, shrunk(), 10, mode="nearest"),
    "old_resize_linear": lambda f: one("Resize", {"x": X, "ws": np.array([1, 1, 1, 2], np.float32)},
                                       linear_upsample(X, 2), 10, mode="linear"),
    "old_resize_11": lambda f: one("Resize", {"x": X, "wr": np.zeros(0, np.float32), "ws": SCALES},
                                   X.repeat(2, 2).repeat(2, 3), 11, coordinate_transformation_mode="asymmetric",
                                   nearest_mode="floor"),
    "old_resize_sizes": lambda f: one("Resize", {"x": X, "wr": np.zeros(0, np.float32), "ws": np.zeros(0, np.float32),
                                                 "wz": np.array([2, 3, 8, 10], np.int64)}, X.repeat(2, 2).repeat(2, 3), 11,
                                      coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
    "old_upsample_7": lambda f: one("Upsample", {"x": X}, X.repeat(2, 2).repeat(2, 3), 7, scales=list(SCALES)),
    "old_upsample_9": lambda f: one("Upsample", {"x": X, "ws": SCALES}, X.repeat(2, 2).repeat(2, 3), 9, mode="nearest"),
    "old_upsample_linear": lambda f: one("Upsample", {"x": X}, linear_upsample(X, 2), 7, scales=[1.0, 1.0, 1.0, 2.0], mode="linear"),
    "old_scatter": lambda f: one("Scatter", scatter()[0], scatter()[1], 9, axis=0),
    "old_slice": lambda f: one("Slice", {"x": X}, X[:, 1:, :, -3:-1], 9, starts=[1, -3], ends=[1 << 40, -1], axes=[1, 3]),
    "old_slice_all_axes": lambda f: one("Slice", {"x": X}, X[:1, 1:2], 7, starts=[0, 1], ends=[1, 2]),
    "old_split": lambda f: split(11, split=[1, 3]),
    "old_split_equal": lambda f: split(7),
    "old_split_equal_13": lambda f: split(13),
    "old_squeeze": lambda f: one("Squeeze", {"x": X[:, :1]}, X[:, 0], 11, axes=[1]),
    "old_squeeze_all": lambda f: one("Squeeze", {"x": X[:1, :1]}, X[0, 0], 7),
    "old_unsqueeze": lambda f: one("Unsqueeze", {"x": X}, X[:, None, ..., None], 11, axes=[1, -1]),
    "old_topk": lambda f: topk(9),
})


# --- writing

def write(out, name):
    folder = os.path.join(out, name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(os.path.join(folder, "test_data_set_0"))
    made, inputs, outputs = CASES[name](folder)
    with open(os.path.join(folder, "model.onnx"), "wb") as f:
        f.write(made.SerializeToString())
    for kind, arrays in (("input", inputs), ("output", outputs)):
        for k, array in enumerate(arrays):
            with open(os.path.join(folder, "test_data_set_0", "%s_%d.pb" % (kind, k)), "wb") as f:
                f.write(numpy_helper.from_array(np.asarray(array, order="C")).SerializeToString())


def write_all(out, names=()):
    """Writes the cases (all without names) and returns their names."""
    chosen = [n for n in CASES if not names or n in names]
    for name in chosen:
        write(out, name)
    return chosen


add_storage_cases()

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    print("%d models" % len(write_all(sys.argv[1], sys.argv[2:])))
