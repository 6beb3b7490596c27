"""A random graph while it grows: values with what they are, nodes, and the rules a new node must keep.

Each node is run when it is added, so a generator knows the shapes and values it works with. Three runs go side by side:
the values as they are, and the same with noise of the size of rounding errors added and subtracted after each node that
rounds. A node is taken back when
  - an oracle refuses it, or it makes a NaN, an infinity, a float above LARGE or an integer that no double holds,
  - its integers or booleans differ between the three runs: rounding decides there (a tie, a step, an equal comparison),
  - its floats differ by more than a part of the tolerance: it magnifies rounding errors.
So whatever two correct compilers may do, their results agree within the tolerance and exactly in integers.
"""
import numpy as np
from onnx import helper

import oracle

LARGE = 1e5
MAX_ELEMENTS = 6000
EXTENTS = [1, 1, 2, 2, 3, 3, 4, 5, 5, 6, 7, 8, 9, 11, 13, 16, 17]

# Tolerance of floats: |x - y| <= ATOL + RTOL * |y| + SCALE * max|y|. Graphs whose floats are all f64 take the second row.
TOLERANCE = {"single": (1e-6, 2e-4, 2e-5), "double": (1e-13, 1e-9, 1e-10)}
NOISE = {"single": 1e-6, "double": 1e-12}
SPREAD = 0.25             # the part of the tolerance that noise may use up

# Results are operands unchanged, or exact when the operands are: no noise after them.
EXACT = set("""Abs And BitShift Cast CastLike Ceil Clip Concat ConstantOfShape DepthToSpace Dropout Equal Expand EyeLike Flatten
    Floor Gather GatherElements GatherND GlobalMaxPool Greater GreaterOrEqual Hardmax Identity IsInf IsNaN Less LessOrEqual Max
    MaxPool Min Neg Not OneHot Or Pad ReduceMax ReduceMin Relu Reshape ReverseSequence Round ScatterElements ScatterND Shape
    Sign Size Slice SpaceToDepth Split Squeeze Tile TopK Transpose Trilu Unsqueeze Where Xor""".split())

# Subtract a mean from what may be close to it: noise goes into operand 0 as well.
CANCELLING = set("""BatchNormalization GroupNormalization InstanceNormalization LayerNormalization MeanVarianceNormalization
    LogSoftmax""".split())


def allowed(y, precision):
    """How far another result may be from y, per element."""
    atol, rtol, scale = TOLERANCE[precision]
    y = np.abs(y.astype(np.float64))
    return atol + rtol * y + scale * (y.max() if y.size else 0.0)


class NoFit(Exception):
    """There is no operand of the form a generator asked for."""


class Value:
    """kind: input, weight or node; runs: the array three times (one object three times when exact)."""

    def __init__(self, name, kind, runs):
        self.name, self.kind, self.runs = name, kind, runs
        self.uses = 0

    @property
    def a(self):
        return self.runs[0]

    @property
    def shape(self):
        return self.a.shape

    @property
    def rank(self):
        return self.a.ndim

    @property
    def dtype(self):
        return self.a.dtype

    @property
    def is_float(self):
        return self.dtype.kind == "f"


class Graph:
    def __init__(self, rng, opset, rows):
        self.rng, self.opset, self.rows = rng, opset, rows
        self.precision = "double" if rng.random() < 0.12 else "single"
        self.float = np.dtype(np.float64 if self.precision == "double" else np.float32)
        kinds = [self.float] * 16 + [np.dtype(t) for t in ("i4", "i4", "i8", "i1", "u1", "u4")]
        self.main = kinds[rng.integers(len(kinds))]      # the type most values have
        self.rank = int(rng.choice([0, 1, 2, 3, 4, 4, 4, 5]))
        self.strange = rng.random() < 0.12               # may hold what ONNX Runtime refuses
        self.refused = False                             # does
        self.values, self.nodes, self.ops = [], [], []
        self.nodes_wanted = int(rng.integers(2, 13))

    # ---- chances ----

    def chance(self, p):
        return self.rng.random() < p

    def one_of(self, items):
        return items[int(self.rng.integers(len(items)))]

    def between(self, lo, hi):
        """An integer of lo..hi."""
        return int(self.rng.integers(lo, hi + 1))

    def shape_of_rank(self, rank):
        while True:
            shape = [self.one_of(EXTENTS) for _ in range(rank)]
            if np.prod(shape) <= MAX_ELEMENTS / 3:
                return shape

    # ---- values ----

    def data(self, shape, dtype, lo=None, hi=None):
        """Random elements; floats are sometimes multiples of 1/8, which most arithmetic keeps exact."""
        if dtype == bool:
            return np.asarray(self.rng.random(shape) < 0.5)
        if dtype.kind == "f":
            lo, hi = -2.0 if lo is None else lo, 2.0 if hi is None else hi
            if self.chance(0.3) and hi - lo >= 1:
                return np.asarray(self.rng.integers(int(np.ceil(lo * 8)), int(hi * 8) + 1, shape) / 8).astype(dtype)
            return np.asarray(self.rng.uniform(lo, hi, shape)).astype(dtype)
        info = np.iinfo(dtype)
        whole = dtype.itemsize == 1 and self.chance(0.3)
        low, high = (info.min, info.max) if whole else (max(info.min, -9), 9)
        lo, hi = low if lo is None else int(np.ceil(lo)), high if hi is None else int(hi)
        return np.asarray(self.rng.integers(max(lo, info.min), min(hi, info.max), shape, endpoint=True)).astype(dtype)

    def constant(self, a, kind=None):
        """A new value that no node makes: a weight or, half of the time, an input, unless kind says which."""
        a = np.asarray(a)
        v = Value("v%d" % len(self.values), kind or ("weight" if self.chance(0.5) else "input"), [a] * 3)
        self.values.append(v)
        return v

    def fresh(self, shape, dtype=None, lo=None, hi=None, kind=None):
        return self.constant(self.data(tuple(shape), np.dtype(dtype or self.main), lo, hi), kind)

    def ints(self, values):
        """An operand that says a shape, axes and the like: always a weight."""
        return self.constant(np.array(values, np.int64), "weight")

    def pick(self, dtypes=None, rank=None, fits=None):
        """A value there is, the youngest more often, or a new one. rank: an int or a set."""
        ranks = {rank} if isinstance(rank, int) else rank
        pool = [v for v in self.values if (dtypes is None or v.dtype in dtypes) and (ranks is None or v.rank in ranks) and
                v.kind != "weight" and (not fits or fits(v)) and 0 < v.a.size]
        if pool and not self.chance(0.12):
            return pool[-1] if self.chance(0.5) else self.one_of(pool)
        if dtypes is not None and not dtypes:
            raise NoFit
        dtype = self.main if dtypes is None or self.main in dtypes else self.one_of(sorted(dtypes, key=str))
        if ranks is None or self.rank in ranks:
            rank = self.rank
        else:
            rank = self.one_of(sorted(ranks))
        for _ in range(10):
            v = Value("", "", [self.data(tuple(self.shape_of_rank(rank)), dtype)] * 3)
            if not fits or fits(v):
                return self.constant(v.a, "input" if self.chance(0.8) else "weight")
        raise NoFit

    def pick_float(self, rank=None, fits=None):
        return self.pick({self.float}, rank, fits)

    # ---- nodes ----

    def add(self, op, ins, outs=1, **attrs):
        """A node over values (None: operand left out); its results as a list of values, or None when it is not taken.
        outs: how many, or a list that says which are there."""
        there = [True] * outs if isinstance(outs, int) else outs
        names = ["v%d" % (len(self.values) + k) if t else "" for k, t in enumerate(there)]
        node = helper.make_node(op, [v.name if v else "" for v in ins], names, name="n%d" % len(self.nodes), **attrs)
        used = {v.name: v for v in ins if v}
        constant = {v.name for v in used.values() if v.kind == "weight"}
        exact = op not in CANCELLING and all(v.runs[0] is v.runs[1] for v in used.values())
        sides = [{n: v.runs[k] for n, v in used.items()} for k in range(1 if exact else 3)]
        if op in CANCELLING:
            for side, a in zip(sides, self.noisy(ins[0].runs)):
                side[ins[0].name] = a
        results = self.run(node, sides, constant)
        if results is None:
            return None
        runs = [[side[k] for side in results] * (3 if exact else 1) for k in range(len(results[0]))]
        if op not in EXACT:
            runs = [self.noisy(r) for r in runs]
        if not all(self.sound(r) for r in runs):
            return None
        for v in used.values():
            v.uses += 1
        made = [Value(n, "node", r) for n, r in zip([n for n in names if n], runs)]
        spare = iter(made)
        self.values += [next(spare) if t else Value("", "none", [np.zeros(0)] * 3) for t in there]
        self.nodes.append(node)
        self.ops.append(op)
        return made

    def run(self, node, sides, constant):
        try:
            return oracle.run_node(node, self.opset, sides, constant)
        except oracle.Refused:
            if not self.strange:
                return None
        try:
            results = oracle.run_node(node, self.opset, sides, constant, reference=True)
        except oracle.Refused:
            return None
        self.refused = True
        return results

    def noisy(self, runs):
        base = runs[0]
        if base.dtype.kind != "f" or not base.size:
            return runs
        with np.errstate(invalid="ignore"):              # what is not finite is refused later
            size = np.abs(base).astype(np.float64)
            part = self.rng.choice([-1, 1], base.shape) * self.rng.uniform(0.5, 1, base.shape)
            noise = NOISE[self.precision] * (size + 0.05 * size.max()) * part
            return [base, np.asarray(runs[1] + noise).astype(base.dtype), np.asarray(runs[2] - noise).astype(base.dtype)]

    def sound(self, runs):
        """May this value stay? See above."""
        base = runs[0]
        if not 0 < base.size <= MAX_ELEMENTS or any(r.shape != base.shape for r in runs) or base.dtype.kind not in "fiub":
            return False
        if base.dtype.kind != "f":
            if base.dtype.itemsize == 8 and base.size and not -2 ** 53 < int(base.min()) <= int(base.max()) < 2 ** 53:
                return False
            return all(np.array_equal(base, r) for r in runs)
        if base.dtype != self.float or not all(np.isfinite(r).all() for r in runs) or np.abs(base).max(initial=0) > LARGE:
            return False
        limit = SPREAD * allowed(base, self.precision)
        return all((np.abs(r.astype(np.float64) - base) <= limit).all() for r in runs)

    # ---- the end ----

    def finish(self):
        """(model, inputs): results that nothing uses are outputs, but for some, and so are a few others."""
        used = {n for node in self.nodes for n in node.input}
        made = [v for v in self.values if v.kind == "node"]
        ends = [v for v in made if self.chance(0.1 if v.name in used else 0.85)] or made[-1:]
        if self.chance(0.02):
            ends += [v for v in self.values if v.kind == "input" and v.name in used][:1]
        inputs = {v.name: v.a for v in self.values if v.kind == "input" and v.name in used}
        weights = {v.name: v.a for v in self.values if v.kind == "weight" and v.name in used}
        return oracle.make_model(self.nodes, inputs, weights, {v.name: v.a for v in ends}, self.opset), inputs
