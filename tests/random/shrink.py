"""Makes a failing graph smaller while it keeps failing in the same way.

Candidates, largest cut first: one output alone; a value that a node makes becomes an input, with its recorded elements;
an extent becomes smaller everywhere it occurs, in inputs, weights and the integers of shape operands; a node is
skipped where operand and result have one type and shape. Whatever became unused goes. ONNX Runtime (else the reference
evaluator) runs each candidate first: what it refuses, or makes not finite, is none.
"""
import numpy as np
import onnx
from onnx import numpy_helper

import check
import oracle

MAX_CHECKS = 150          # nncc and gcc runs for one failure


class Parts:
    """A model taken apart: nodes, inputs and weights by name, output names."""

    def __init__(self, model, inputs):
        self.opset = model.opset_import[0].version
        self.nodes = list(model.graph.node)
        self.inputs = dict(inputs)
        self.weights = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        self.outputs = [v.name for v in model.graph.output]

    def copy(self):
        p = object.__new__(Parts)
        p.opset, p.nodes, p.outputs = self.opset, list(self.nodes), list(self.outputs)
        p.inputs, p.weights = dict(self.inputs), dict(self.weights)
        return p

    def prune(self):
        """Drops what no output needs."""
        needed, kept = set(self.outputs), []
        for n in reversed(self.nodes):
            if needed & set(n.output):
                kept.append(n)
                needed |= set(n.input)
        self.nodes = kept[::-1]
        self.inputs = {k: a for k, a in self.inputs.items() if k in needed}
        self.weights = {k: a for k, a in self.weights.items() if k in needed}
        return self

    def size(self):
        arrays = list(self.inputs.values()) + list(self.weights.values())
        return len(self.nodes), len(self.outputs), sum(a.size for a in arrays), len(arrays)

    def subject(self, name):
        """The model with its shapes found by running it; None when it cannot be run."""
        bare = oracle.make_model(self.nodes, self.inputs, self.weights, {n: None for n in self.outputs}, self.opset)
        try:
            values = oracle.trace(bare, self.inputs)
        except oracle.Refused:
            return None
        values.update(self.inputs)
        if not self.outputs or not values.keys() >= set(self.outputs):
            return None
        if any(a.dtype.kind == "f" and not np.isfinite(a).all() for a in values.values()):
            return None
        model = oracle.make_model(self.nodes, self.inputs, self.weights, {n: values[n] for n in self.outputs}, self.opset)
        made = check.Subject(name, model, self.inputs)
        made.values = values
        return made


def one_output(p, values):
    for n in reversed(p.outputs):
        if len(p.outputs) > 1:
            q = p.copy()
            q.outputs = [n]
            yield q


def earlier_output(p, values):
    """The result of an earlier node instead of the output."""
    for n in p.nodes:
        for o in n.output:
            if o and o not in p.outputs:
                q = p.copy()
                q.outputs = [o]
                yield q


def cut_inputs(p, values):
    """The results of a node become inputs; the latest nodes first, which leaves the fewest."""
    for k in range(len(p.nodes) - 1, -1, -1):
        n = p.nodes[k]
        if any(o in p.outputs for o in n.output):
            continue
        q = p.copy()
        del q.nodes[k]
        q.inputs.update({o: values[o] for o in n.output if o})
        yield q


def skip_nodes(p, values):
    known = dict(values, **p.weights)
    for k, n in enumerate(p.nodes):
        for i in n.input:
            o = n.output[0]
            if i and o not in p.outputs and known[i].shape == known[o].shape and known[i].dtype == known[o].dtype:
                q = p.copy()
                del q.nodes[k]
                q.nodes[k:] = [renamed(m, o, i) for m in q.nodes[k:]]
                yield q


def renamed(node, old, new):
    if old not in node.input:
        return node
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.input[:] = [new if i == old else i for i in node.input]
    return copy


def resized(a, old, new):
    """An array without the end of its dimensions of extent `old`; a short one of integers with `old` replaced."""
    if a.dtype == np.int64 and a.ndim == 1 and a.size <= 8 and old in a:
        return np.where(a == old, new, a)
    return np.ascontiguousarray(a[tuple(slice(new) if d == old else slice(None) for d in a.shape)])


def smaller_extents(p, values):
    extents = {d for a in list(p.inputs.values()) + list(p.weights.values()) for d in a.shape if d > 1}
    for old in sorted(extents, reverse=True):
        for new in sorted({1, 2, old // 2, old - 1}):
            if new < old:
                q = p.copy()
                q.inputs = {k: resized(a, old, new) for k, a in p.inputs.items()}
                q.weights = {k: resized(a, old, new) for k, a in p.weights.items()}
                yield q


def without_operands(p, values):
    """A node without its last operand, or without an attribute."""
    for k, n in enumerate(p.nodes):
        cuts = [("input", len(n.input) - 1)] if len(n.input) > 1 else []
        for field, at in cuts + [("attribute", i) for i in range(len(n.attribute))]:
            copy = onnx.NodeProto()
            copy.CopyFrom(n)
            del getattr(copy, field)[at]
            q = p.copy()
            q.nodes[k] = copy
            yield q


STEPS = [one_output, earlier_output, cut_inputs, skip_nodes, smaller_extents, without_operands]


def same_failure(a, b):
    """Of one kind; an end of nncc in one way also says the same, numbers apart."""
    letters = [set("".join(c if c.isalpha() else " " for c in s.why).split()) for s in (a, b)]
    return a.kind == b.kind and (a.kind in ("levels", "oracle", "run") or len(letters[0] & letters[1]) * 2 > len(letters[0]))


def shrink(subject, settings, work):
    """A subject that fails like this one and from which no single step takes anything more."""
    best, budget = Parts(subject.model, subject.inputs), [MAX_CHECKS]
    best_subject = best.subject(subject.name)
    if best_subject is None or not same_failure(subject, check.check([best_subject], settings, work)[0]):
        return subject

    def attempt(candidate):
        made = candidate.prune().subject(subject.name) if budget[0] else None
        if made is None or not candidate.nodes:
            return None
        budget[0] -= 1
        return made if same_failure(subject, check.check([made], settings, work)[0]) else None

    progress = True
    while progress and budget[0]:
        progress = False
        for step in STEPS:
            for candidate in step(best, best_subject.values):
                made = attempt(candidate)
                if made is not None and smaller(candidate, best):
                    best, best_subject, progress = candidate, made, True
                    break
            if progress:
                break
    return best_subject


def smaller(a, b):
    attributes = [sum(len(n.attribute) + len(n.input) for n in p.nodes) for p in (a, b)]
    return a.size() + (attributes[0],) < b.size() + (attributes[1],)
