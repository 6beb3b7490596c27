#!/usr/bin/env python3
"""Writes the project's own test networks: make.py DIR gives DIR/<name>/model.onnx and test_data_set_0/*.pb.

Each is small, seeded, and holds what real exports hold together; expected outputs come from ONNX's reference evaluator.
The two networks of examples/ are added with the same kind of data.
"""
import os
import sys

try:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, inliner, numpy_helper
    from onnx.reference import ReferenceEvaluator
except ImportError as e:
    print("SKIP: %s (tests/run.sh installs it)" % e)
    sys.exit(77)

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
F, I64 = TensorProto.FLOAT, TensorProto.INT64


class Net:
    """A graph under construction: weights are drawn from the network's own generator."""

    def __init__(self, name, opset=17):
        self.name, self.opset = name, opset
        self.random = np.random.RandomState(sum(map(ord, name)))
        self.nodes, self.weights, self.inputs, self.outputs, self.functions = [], [], [], [], []

    def input(self, name, shape, dtype=F):
        self.inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def output(self, name, shape, dtype=F):
        self.outputs.append(helper.make_tensor_value_info(name, dtype, shape))

    def weight(self, *shape, scale=0.3):
        return self.const((self.random.randn(*shape) * scale).astype(np.float32))

    def const(self, array, dtype=None):
        name = "w%d" % len(self.weights)
        self.weights.append(numpy_helper.from_array(np.asarray(array, dtype), name))
        return name

    def ints(self, *values):
        return self.const(np.array(values, np.int64))

    def op(self, kind, *inputs, outputs=None, **attrs):
        """Adds a node; returns its result's name (or names)."""
        names = outputs or ["%s_%d" % (kind.lower(), len(self.nodes))]
        domain = attrs.pop("domain", "")
        self.nodes.append(helper.make_node(kind, list(inputs), names, name="%s/%s" % (self.name, names[0]), domain=domain, **attrs))
        return names[0] if len(names) == 1 else names

    def conv(self, x, i, o, k, group=1, kind="Conv", **attrs):
        shape = (o, i // group, k, k) if kind == "Conv" else (i, o // group, k, k)
        return self.op(kind, x, self.weight(*shape), self.weight(o), kernel_shape=[k, k], group=group, **attrs)

    def norm(self, x, c):
        """BatchNormalization with drawn statistics."""
        var = self.const(np.abs(self.random.randn(c)).astype(np.float32) + 0.5)
        return self.op("BatchNormalization", x, self.weight(c), self.weight(c), self.weight(c), var)

    def linear(self, x, i, o):
        return self.op("Add", self.op("MatMul", x, self.weight(i, o)), self.weight(o))

    def model(self):
        graph = helper.make_graph(self.nodes, self.name, self.inputs, self.outputs, self.weights)
        opsets = [helper.make_opsetid("", self.opset)] + [helper.make_opsetid(d, 1) for d in sorted({f.domain for f in self.functions})]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8, functions=self.functions, producer_name="nncc tests")


def resnet():
    n = Net("resnet")
    x = n.input("image", [1, 3, 17, 15])
    x = n.op("Relu", n.norm(n.conv(x, 3, 8, 3, strides=[2, 2], pads=[1, 1, 1, 1]), 8))
    x = n.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    y = n.op("Relu", n.norm(n.conv(x, 8, 8, 3, pads=[1, 1, 1, 1]), 8))
    y = n.norm(n.conv(y, 8, 8, 3, pads=[1, 1, 1, 1]), 8)
    x = n.op("Relu", n.op("Add", y, x))
    x = n.op("Flatten", n.op("GlobalAveragePool", x))
    n.op("Softmax", n.op("Gemm", x, n.weight(10, 8), n.weight(10), transB=1), outputs=["probabilities"])
    n.output("probabilities", [1, 10])
    return n


def mobile():
    n = Net("mobile", 13)
    x = n.input("image", [2, 4, 10, 10])
    low, high = n.const(np.float32(0)), n.const(np.float32(6))
    y = n.op("Clip", n.conv(x, 4, 12, 1), low, high)
    y = n.op("Clip", n.conv(y, 12, 12, 3, group=12, auto_pad="SAME_UPPER", strides=[1, 1]), low, high)
    y = n.op("Add", n.conv(y, 12, 4, 1), x)
    y = n.op("HardSwish" if n.opset >= 14 else "HardSigmoid", y)
    y = n.op("AveragePool", y, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 0, 0], count_include_pad=1)
    y = n.op("ReduceMean", y, axes=[2, 3], keepdims=0)
    n.op("LogSoftmax", y, outputs=["scores"])
    n.output("scores", [2, 4])
    return n


def encoder():
    """One transformer layer as exporters write it: shapes computed in the graph, attention from MatMul and Softmax."""
    n = Net("encoder", 17)
    x = n.input("tokens", ["batch", "length", 16])
    size = n.op("Concat", n.op("Slice", n.op("Shape", x), n.ints(0), n.ints(2)), n.ints(4), n.ints(4), axis=0)

    def heads(v, perm):
        return n.op("Transpose", n.op("Reshape", v, size), perm=perm)

    h = n.op("LayerNormalization", x, n.weight(16), n.weight(16), epsilon=1e-5)
    q, k, v = (heads(n.linear(h, 16, 16), p) for p in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]))
    a = n.op("Softmax", n.op("Mul", n.op("MatMul", q, k), n.const(np.float32(0.5))), axis=-1)
    a = n.op("Reshape", n.op("Transpose", n.op("MatMul", a, v), perm=[0, 2, 1, 3]), n.op("Shape", x))
    x = n.op("Add", n.linear(a, 16, 16), x)
    h = n.linear(n.op("LayerNormalization", x, n.weight(16), n.weight(16)), 16, 32)
    gelu = n.op("Mul", n.op("Mul", h, n.op("Add", n.op("Erf", n.op("Div", h, n.const(np.float32(2 ** 0.5)))), n.const(np.float32(1)))), n.const(np.float32(0.5)))
    n.op("Add", n.linear(gelu, 32, 16), x, outputs=["encoded"])
    n.output("encoded", ["batch", "length", 16])
    return n


def unet():
    n = Net("unet", 18)
    x = n.input("image", [1, 2, 9, 12])
    a = n.op("LeakyRelu", n.conv(x, 2, 6, 3, pads=[1, 1, 1, 1]), alpha=0.1)
    b = n.op("Sigmoid", n.conv(n.op("MaxPool", a, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1), 6, 8, 3, dilations=[2, 2], pads=[2, 2, 2, 2]))
    up = n.conv(b, 8, 6, 2, kind="ConvTranspose", strides=[2, 2])
    up = n.op("Slice", up, n.ints(0, 0), n.ints(9, 12), n.ints(2, 3))
    c = n.op("Concat", a, up, axis=1)
    c = n.op("Pad", c, n.ints(0, 0, 1, 2, 0, 0, 2, 1), mode="reflect")
    c = n.op("Tanh", n.conv(c, 12, 2, 3))
    n.op("Resize", c, "", n.const(np.float32([1, 1, 2, 2])), mode="nearest", nearest_mode="floor",
         coordinate_transformation_mode="asymmetric", outputs=["mask"])
    n.output("mask", [1, 2, 20, 26])
    return n


def qdq():
    """A quantised layer in QDQ form."""
    n = Net("qdq", 19)
    x = n.input("signal", [1, 4, 20])

    def fake(v, scale, zero, dtype):
        s, z = n.const(np.float32(scale)), n.const(np.array(zero, dtype))
        return n.op("DequantizeLinear", n.op("QuantizeLinear", v, s, z), s, z)

    w = n.const(n.random.randint(-127, 128, (6, 4, 5)), np.int8)
    w = n.op("DequantizeLinear", w, n.const(np.abs(n.random.randn(6)).astype(np.float32) * 0.01 + 1e-3), n.const(np.zeros(6, np.int8)), axis=0)
    y = n.op("Relu", n.op("Conv", fake(x, 0.03, 128, np.uint8), w, n.weight(6), kernel_shape=[5], pads=[2, 2], strides=[2]))
    y = n.op("ReduceMax", fake(y, 0.02, 0, np.uint8), n.ints(2), keepdims=0)
    n.op("Identity", y, outputs=["peak"])
    n.output("peak", [1, 6])
    return n


def old_forms(twin=False):
    """Opset 9: attributes that later became inputs, and Softmax over all axes from its own on; the twin spells the
    latter out, because the reference evaluator knows only the newer meaning."""
    n = Net("old_forms", 9)
    x = n.input("x", [2, 3, 4])
    y = n.op("Slice", x, starts=[0, 1], ends=[2, 4], axes=[0, 2])
    y = n.op("Pad", n.op("Unsqueeze", y, axes=[1]), pads=[0, 0, 0, 1, 0, 0, 0, 1], value=0.5)
    y = n.op("Upsample", y, n.const(np.float32([1, 1, 2, 2])), mode="nearest")
    y = n.op("Clip", n.op("Squeeze", y, axes=[1]), min=-0.75, max=0.75)
    a, b = n.op("Split", y, axis=2, split=[4, 6], outputs=["left", "right"])
    y = n.op("Add", n.op("ReduceSum", a, axes=[2], keepdims=1), b)
    if twin:
        y = n.op("Softmax", n.op("Reshape", y, n.ints(2, 36)), axis=1)
        n.op("Reshape", y, n.ints(2, 6, 6), outputs=["y"])
    else:
        n.op("Softmax", y, axis=1, outputs=["y"])
    n.output("y", [2, 6, 6])
    return n


def functions():
    """Model-local functions, nested, with an attribute handed down."""
    n = Net("functions")
    slope = helper.make_node("LeakyRelu", ["x"], ["y"])
    slope.attribute.add(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT)
    opset = [helper.make_opsetid("", 17)]
    n.functions.append(helper.make_function("local", "Bend", ["x"], ["y"], [slope], opset, ["slope"]))
    inner = helper.make_node("Bend", ["s"], ["z"], domain="local", slope=0.25)
    n.functions.append(helper.make_function("local", "AddBend", ["a", "b"], ["z"],
                                            [helper.make_node("Add", ["a", "b"], ["s"]), inner],
                                            opset + [helper.make_opsetid("local", 1)]))
    x = n.input("x", [3, 5])
    y = n.op("AddBend", x, n.weight(5), domain="local")
    n.op("AddBend", y, n.weight(3, 1), domain="local", outputs=["y"])
    n.output("y", [3, 5])
    return n


def many():
    """Several inputs and outputs of several types: an input handed on, a result given twice, an unused input, a scalar,
    tensors without elements, a constant output."""
    n = Net("many")
    a, i, b = n.input("a", [2, 3]), n.input("i", [2], I64), n.input("b", [2, 3], TensorProto.BOOL)
    d, empty = n.input("d", [], TensorProto.DOUBLE), n.input("empty", [0, 4])
    n.input("unused", [7])
    n.op("Identity", a, outputs=["copy"])
    n.op("Where", b, a, n.op("Neg", a), outputs=["chosen"])
    n.op("Identity", "chosen", outputs=["chosen_again"])
    n.op("Gather", a, i, axis=1, outputs=["gathered"])
    n.op("Exp", d, outputs=["e"])
    n.op("Concat", empty, n.weight(2, 4), axis=0, outputs=["joined"])
    n.op("Relu", empty, outputs=["nothing"])
    n.op("Constant", outputs=["answer"], value=numpy_helper.from_array(np.int32([[42]])))
    n.op("Cast", n.op("Greater", a, n.const(np.float32(0))), to=TensorProto.UINT8, outputs=["positive"])
    for name, shape, dtype in [("copy", [2, 3], F), ("chosen", [2, 3], F), ("chosen_again", [2, 3], F), ("gathered", [2, 2], F),
                               ("e", [], TensorProto.DOUBLE), ("joined", [2, 4], F), ("nothing", [0, 4], F),
                               ("answer", [1, 1], TensorProto.INT32), ("positive", [2, 3], TensorProto.UINT8)]:
        n.output(name, shape, dtype)
    return n


def odd_names():
    """Tensor and node names that are no C: they may not clash, end a comment or be a keyword."""
    n = Net("odd_names")
    names = ["a/b", "a.b", "int", "*/", "//", "??/", "\\", "arena", "a_b", "é"]
    inputs = [n.input(name, [2]) for name in names]
    for k, name in enumerate(names):
        out = ["return", "*/ x", "y.z", "y/z", "y_z", "float", "odd_names_run", "0", "\"", "y\nz"][k]
        n.nodes.append(helper.make_node("Add", [name, inputs[k - 1]], [out], name="node " + name + " */ " + name))
        n.output(out, [2])
    return n


def external():
    """Weights in a file beside the model, at offsets."""
    n = Net("external")
    x = n.input("x", [4, 8])
    n.linear(n.op("Relu", n.linear(x, 8, 600)), 600, 3)
    n.op("Identity", n.nodes[-1].output[0], outputs=["y"])
    n.output("y", [4, 3])
    return n


OWN = [resnet, mobile, encoder, unet, qdq, old_forms, functions, many, odd_names, external]


def values(info, random):
    """Input data for a graph input; symbolic dimensions become 2, 3, ..."""
    kind = info.type.tensor_type
    shape = [d.dim_value if d.HasField("dim_value") else 2 + k for k, d in enumerate(kind.shape.dim)]
    dtype = helper.tensor_dtype_to_np_dtype(kind.elem_type)
    if dtype.kind == "f":
        return random.randn(*shape).astype(dtype) if shape else np.array(random.randn(), dtype)
    return random.randint(0, 2, shape).astype(dtype)


def write_case(folder, model, inputs, twin=None, externally=False):
    """model.onnx, the inputs and what the reference evaluator makes of them (of the twin, if there is one)."""
    data = os.path.join(folder, "test_data_set_0")
    os.makedirs(data, exist_ok=True)
    flat = inliner.inline_local_functions(twin or model)     # the evaluator trips over attributes handed down
    outputs = ReferenceEvaluator(flat).run(None, dict(zip([v.name for v in model.graph.input], inputs)))
    for kind, infos, arrays in (("input", model.graph.input, inputs), ("output", model.graph.output, outputs)):
        for k, (info, a) in enumerate(zip(infos, arrays)):
            with open(os.path.join(data, "%s_%d.pb" % (kind, k)), "wb") as f:
                f.write(numpy_helper.from_array(np.asarray(a), info.name).SerializeToString())
    path = os.path.join(folder, "model.onnx")
    if externally:
        if os.path.exists(os.path.join(folder, "weights.bin")):
            os.remove(os.path.join(folder, "weights.bin"))
        onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=64)
    else:
        onnx.save(model, path)


def write_all(folder):
    """Writes every case and returns their folders."""
    folders = []
    for make in OWN:
        net = make()
        model = net.model()
        onnx.checker.check_model(model)
        folders.append(os.path.join(folder, net.name))
        inputs = [values(v, net.random) for v in model.graph.input]
        write_case(folders[-1], model, inputs, old_forms(True).model() if make is old_forms else None, make is external)
    for name in ("digits", "mlp"):
        model = onnx.load(os.path.join(ROOT, "examples", name, "model.onnx"))
        random = np.random.RandomState(1)
        folders.append(os.path.join(folder, "example_" + name))
        write_case(folders[-1], model, [values(v, random) for v in model.graph.input])
    return folders


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for written in write_all(sys.argv[1]):
        print(written)
