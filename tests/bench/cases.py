"""What is timed: operators from a table, written as model folders, and folders that exist.

A case folder has model.onnx, test_data_set_0/input_*.pb and perhaps output_*.pb. $NNCC_MODELS is a folder of folders of those.
"""
import fnmatch
import glob
import os
import zlib

import numpy as np
import onnx
import onnx.parser
import onnx.shape_inference
from onnx import numpy_helper

import harness

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OPSET = 17

# name: inputs, weights, nodes (ONNX's text form; the output is y)
OPERATORS = {
    "gemm_256":           ("float[256,256] x", "float[256,256] w", "y = MatMul(x, w)"),
    "gemm_512":           ("float[512,512] x", "float[512,512] w", "y = MatMul(x, w)"),
    "gemm_1024":          ("float[1024,1024] x", "float[1024,1024] w", "y = MatMul(x, w)"),
    "gemm_odd":           ("float[197,333] x", "float[333,101] w", "y = MatMul(x, w)"),
    "matvec_2048x1000":   ("float[1,2048] x", "float[1000,2048] w, float[1000] b", "y = Gemm <transB = 1> (x, w, b)"),
    "conv1x1_c64_c128":   ("float[1,64,56,56] x", "float[128,64,1,1] w, float[128] b", "c = Conv(x, w, b) y = Relu(c)"),
    "conv3x3_c64":        ("float[1,64,56,56] x", "float[64,64,3,3] w, float[64] b", "c = Conv <pads = [1,1,1,1]> (x, w, b) y = Relu(c)"),
    "conv3x3_c256":       ("float[1,256,14,14] x", "float[256,256,3,3] w, float[256] b", "y = Conv <pads = [1,1,1,1]> (x, w, b)"),
    "conv3x3_s2_c128":    ("float[1,128,56,56] x", "float[128,128,3,3] w, float[128] b",
                           "y = Conv <pads = [1,1,1,1], strides = [2,2]> (x, w, b)"),
    "conv7x7_s2_c3":      ("float[1,3,224,224] x", "float[64,3,7,7] w, float[64] b", "y = Conv <pads = [3,3,3,3], strides = [2,2]> (x, w, b)"),
    "depthwise3x3_c64":   ("float[1,64,112,112] x", "float[64,1,3,3] w, float[64] b",
                           "y = Conv <group = 64, pads = [1,1,1,1]> (x, w, b)"),
    "maxpool3x3_s2_c64":  ("float[1,64,112,112] x", "", "y = MaxPool <kernel_shape = [3,3], pads = [1,1,1,1], strides = [2,2]> (x)"),
    "globalpool_c1280":   ("float[1,1280,7,7] x", "", "y = GlobalAveragePool(x)"),
    "softmax_8x512x512":  ("float[8,512,512] x", "", "y = Softmax <axis = -1> (x)"),
    "layernorm_197x768":  ("float[1,197,768] x", "float[768] w, float[768] b", "y = LayerNormalization <axis = -1> (x, w, b)"),
    "chain_64x56x56":     ("float[1,64,56,56] x, float[1,64,56,56] r", "float[64,1,1] s, float[64,1,1] t",
                           "a = Mul(x, s) b = Add(a, t) c = Sigmoid(b) d = Mul(b, c) e = Add(d, r) y = Relu(e)"),
    # small ones: what a call costs, and what the tests run
    "gemm_24":            ("float[24,24] x", "float[24,24] w", "y = MatMul(x, w)"),
    "conv3x3_c8":         ("float[1,8,12,12] x", "float[8,8,3,3] w, float[8] b", "c = Conv <pads = [1,1,1,1]> (x, w, b) y = Relu(c)"),
    "softmax_16x64":      ("float[16,64] x", "", "y = Softmax <axis = -1> (x)"),
}


class Case:
    """A model with inputs, and outputs when they are recorded."""

    def __init__(self, folder, name):
        self.name = name
        self.path = os.path.join(folder, "model.onnx")
        self.inputs = load_side(folder, "input")
        self.outputs = load_side(folder, "output")
        self.plain = all(a is not None for a in self.inputs + self.outputs)
        model = onnx.load(self.path, load_external_data=False)
        self.shapes = harness.shape_flags(model, self.inputs) if self.plain else []


def load_side(folder, kind):
    count = len(glob.glob(os.path.join(folder, "test_data_set_0", kind + "_*.pb")))
    arrays = []
    for k in range(count):
        t = onnx.TensorProto()
        with open(os.path.join(folder, "test_data_set_0", "%s_%d.pb" % (kind, k)), "rb") as f:
            t.ParseFromString(f.read())
        arrays.append(harness.as_array(t))
    return arrays


def random_like(value, generator):
    """Values for a tensor of the model; a weight is small enough that sums keep their size."""
    dims = [d.dim_value for d in value.type.tensor_type.shape.dim]
    fan = int(np.prod(dims[1:])) if len(dims) > 1 else 1
    return (generator.standard_normal(dims) / np.sqrt(fan)).astype(np.float32)


def write_operator(name, work):
    """The folder of a row of OPERATORS."""
    inputs, weights, nodes = OPERATORS[name]
    folder = os.path.join(work, name)
    os.makedirs(os.path.join(folder, "test_data_set_0"), exist_ok=True)
    model = onnx.parser.parse_model('<ir_version: 8, opset_import: ["": %d]> %s (%s) => (float[] y) %s { %s }'
                                    % (OPSET, name, inputs, "<%s>" % weights if weights else "", nodes))
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    for value in model.graph.value_info:
        model.graph.initializer.append(numpy_helper.from_array(random_like(value, generator), value.name))
    model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    onnx.checker.check_model(model)
    onnx.save(model, os.path.join(folder, "model.onnx"))
    for k, value in enumerate(model.graph.input):
        x = generator.standard_normal([d.dim_value for d in value.type.tensor_type.shape.dim]).astype(np.float32)
        with open(os.path.join(folder, "test_data_set_0", "input_%d.pb" % k), "wb") as f:
            f.write(numpy_helper.from_array(x, value.name).SerializeToString())
    return folder


def corpus():
    """Name -> folder of the models in $NNCC_MODELS."""
    top = os.environ.get("NNCC_MODELS") or os.path.join(ROOT, "..", "shared", "models")
    folders = sorted(glob.glob(os.path.join(top, "*", "*", "model.onnx")) + glob.glob(os.path.join(top, "*", "model.onnx")))
    return {os.path.basename(os.path.dirname(f)): os.path.dirname(f) for f in folders}


def under(folder):
    """Case folders: this one, or those in it."""
    if os.path.exists(os.path.join(folder, "model.onnx")):
        return [folder]
    return sorted(os.path.dirname(f) for f in glob.glob(os.path.join(folder, "*", "model.onnx")))


def find(words, work):
    """(name, folder) of each case that a word means: a folder, or a pattern of operators' and models' names."""
    found, models = {}, corpus()
    for word in words:
        if os.path.isdir(word):
            new = {os.path.basename(os.path.abspath(f)): f for f in under(word)}
        else:
            new = {n: write_operator(n, work) for n in fnmatch.filter(OPERATORS, word)}
            new.update({n: models[n] for n in fnmatch.filter(models, word)})
        if not new:
            raise SystemExit("no folder, operator or model is called %s" % word)
        found.update(new)
    return list(found.items())
