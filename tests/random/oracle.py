"""ONNX Runtime without its optimisations, and ONNX's reference evaluator where ONNX Runtime refuses.

A single node is run on arrays; the model around it is made here, so that nothing is optimised across nodes. A whole model
is run as it is. Both give numpy arrays or raise Refused.
"""
import warnings

import numpy as np
import onnx
import onnxruntime
from onnx import helper
from onnx.reference import ReferenceEvaluator

MAX_OPSET = 26            # the newest that the pinned ONNX Runtime loads
IR_VERSION = 10


class Refused(Exception):
    """The run-time does not take this model."""


def options():
    so = onnxruntime.SessionOptions()
    so.intra_op_num_threads = so.inter_op_num_threads = 1
    so.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    so.enable_cpu_mem_arena = False
    so.log_severity_level = 4
    return so


OPTIONS = options()


def elem_type(a):
    return helper.np_dtype_to_tensor_dtype(a.dtype)


def make_model(nodes, inputs, weights, outputs, opset):
    """A model. inputs, weights: name -> array; outputs: name -> array, or None where type and shape are to be found."""
    def info(name, a):
        return onnx.ValueInfoProto(name=name) if a is None else helper.make_tensor_value_info(name, elem_type(a), a.shape)

    graph = helper.make_graph(nodes, "random", [info(*v) for v in inputs.items()], [info(*v) for v in outputs.items()],
                              [onnx.numpy_helper.from_array(np.ascontiguousarray(a).reshape(a.shape), n)
                               for n, a in weights.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=IR_VERSION)


def session(model):
    try:
        return onnxruntime.InferenceSession(model.SerializeToString(), OPTIONS, providers=["CPUExecutionProvider"])
    except Exception as e:
        raise Refused(str(e)) from None


def run(sess, feeds):
    try:
        return [np.asarray(a) for a in sess.run(None, feeds)]
    except Exception as e:
        raise Refused(str(e)) from None


def run_reference(model, feeds):
    """By ONNX's reference evaluator. Whatever it raises means that it cannot do this model, and so does a result of
    another type than ONNX infers (NumPy widens sums)."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            results = [np.asarray(a) for a in ReferenceEvaluator(model).run(None, feeds)]
            inferred = onnx.shape_inference.infer_shapes(model).graph.output
        except Exception as e:
            raise Refused(str(e)) from None
    if [elem_type(a) for a in results] != [v.type.tensor_type.elem_type for v in inferred]:
        raise Refused("a result is not of the type that ONNX infers")
    return results


def run_node(node, opset, sides, constant, reference=False):
    """One node on several sets of operands. sides: a list of {name: array}; constant: names that become initialisers
    (of the first side). Returns the list of outputs for each side."""
    first = sides[0]
    model = make_model([node], {n: a for n, a in first.items() if n not in constant},
                       {n: a for n, a in first.items() if n in constant}, {n: None for n in node.output if n}, opset)
    feeds = [{n: a for n, a in side.items() if n not in constant} for side in sides]
    if reference:
        return [run_reference(model, f) for f in feeds]
    sess = session(model)
    return [run(sess, f) for f in feeds]


def run_model(model, feeds):
    """All outputs of a whole model by ONNX Runtime."""
    return run(session(model), feeds)


def trace(model, feeds):
    """Every value that a node of the model makes, by name: by ONNX Runtime, else by the reference evaluator."""
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    del whole.graph.output[:]
    names = [o for n in whole.graph.node for o in n.output if o]
    whole.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names)
    try:
        return dict(zip(names, run_model(whole, feeds)))
    except Refused:
        return dict(zip(names, run_reference(whole, feeds)))
