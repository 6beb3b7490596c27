"""One generator per structured operator, and one for all that work element by element.

A generator gets a graph and adds one node (with the operands it needs). It returns what Graph.add returns, or None, or
raises NoFit, when it found nothing that fits. Rows of `nncc --ops` without a generator of their own go through
`elementwise`, which takes operands and attributes from ONNX's schema: a new row of that form takes part by itself.
"""
import numpy as np
import onnx
import onnx.defs
from onnx import helper

from graph import EXTENTS, NoFit

GENERATORS = {}           # operator -> function(graph, operator)

INTS = [np.dtype(t) for t in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")]
WIDE = [np.dtype(t) for t in ("i4", "i8")]
BYTES = [np.dtype("i1"), np.dtype("u1")]
BOOL = np.dtype(bool)
FLOATS = [np.dtype("f4"), np.dtype("f8")]
TYPES = set(INTS + FLOATS + [BOOL])
CLASSES = {"float": FLOATS, "int": INTS[:4], "uint": INTS[4:], "integer": INTS, "num": INTS + FLOATS, "bool": [BOOL],
           "any": TYPES, "all": TYPES, "low": []}         # of the types column of `nncc --ops`

# Where an operator is defined and does not magnify much: operand 0 must lie in there.
DOMAIN = {"Acos": (-.9, .9), "Asin": (-.9, .9), "Atanh": (-.9, .9), "Acosh": (1.1, 9), "Log": (.1, 90), "Sqrt": (.01, 90),
          "Reciprocal": (.2, 90), "Exp": (-9, 6), "Cosh": (-6, 6), "Sinh": (-6, 6), "Tan": (-1.2, 1.2), "Sin": (-40, 40),
          "Cos": (-40, 40), "ReduceLogSum": (.1, 90), "ReduceLogSumExp": (-9, 9), "Celu": (-20, 50), "Elu": (-20, 50)}

# Not for graphs that are f64 throughout: one side works in f32 inside (stash_type of nncc's rows; constants of ONNX
# Runtime), or ONNX Runtime gets the shape wrong (GlobalMaxPool of rank 5).
SINGLE_ONLY = {"LayerNormalization", "RMSNormalization", "GroupNormalization", "Shrink", "HardSwish", "Gelu", "GlobalMaxPool"}

# What networks consist of is drawn more often than the rest.
WEIGHTS = dict.fromkeys("Conv MatMul Gemm MaxPool AveragePool Softmax LayerNormalization ReduceMean Add Mul Relu Transpose "
                        "Reshape Concat Slice".split(), 4)


def generator(*names):
    def put(function):
        for name in names:
            assert name not in GENERATORS
            GENERATORS[name] = function
        return function
    return put


# ---- helpers ----

def schema_of(op, opset):
    return onnx.defs.get_schema(op, opset, "")


def types_of(g, schema, type_text):
    """The numpy types that ONNX and nncc's row allow for an operand."""
    known = TYPES & g.rows[schema.name].get(type_text, TYPES)
    if type_text.startswith("tensor("):
        texts = [type_text]
    else:
        texts = next(c.allowed_type_strs for c in schema.type_constraints if c.type_param_str == type_text)
    names = {t[7:-1] for t in texts if t.startswith("tensor(")}
    return {d for d in known
            if {"float32": "float", "float64": "double"}.get(d.name, d.name) in names}


def usable(g, dtypes):
    """Without the float type that this graph does not have."""
    return {d for d in dtypes if d.kind != "f" or d == g.float}


def partner_shape(g, shape):
    """A shape that broadcasts with `shape`, mostly to it."""
    other = [d if g.chance(0.7) else 1 for d in shape]
    if g.chance(0.25):
        other = other[g.between(0, len(other)):]
    if g.chance(0.08) and len(shape) < 5 and np.prod(shape) < 500:
        other = [g.one_of([1, 2, 3])] + [d for d in shape]
    return other


def broadcasts(a, b):
    return all(x == y or x == 1 or y == 1 for x, y in zip(a[::-1], b[::-1]))


def partner(g, v, dtype=None, lo=None, hi=None):
    """A second operand for v: a value there is that broadcasts, or a new one."""
    dtype = dtype or v.dtype
    pool = [w for w in g.values if w.kind != "none" and w.dtype == dtype and w is not v and broadcasts(w.shape, v.shape)]
    if lo is not None:
        pool = [w for w in pool if w.a.size and w.a.min() >= lo and w.a.max() <= hi]
    if pool and g.chance(0.5):
        return g.one_of(pool)
    return g.fresh(partner_shape(g, v.shape), dtype, lo, hi)


def within(g, v, lo, hi):
    """v, or v clipped to [lo, hi] by a node, or a new value: elements inside."""
    if v.a.size and v.a.min() >= lo and v.a.max() <= hi:
        return v
    if g.opset >= 13 and v.is_float and g.chance(0.6):
        limits = [g.constant(np.asarray(x, v.dtype), "weight") for x in (lo, hi)]
        made = g.add("Clip", [v] + limits)
        if made:
            return made[0]
    return g.fresh(v.shape, v.dtype, lo, hi)


def an_axis(g, rank, negative=True):
    axis = g.between(0, rank - 1)
    return axis - rank if negative and g.chance(0.4) else axis


def some_axes(g, rank, least=1):
    axes = [k for k in range(rank) if g.chance(0.5)]
    while len(axes) < least:
        axes = sorted(set(axes) | {g.between(0, rank - 1)})
    return [k - rank if g.chance(0.3) else k for k in axes]


def axes_operand(g, op, axes, since):
    """How axes are given: ([operand], {}) from opset `since` on, ([], {axes}) before."""
    return ([g.ints(axes)], {}) if g.opset >= since else ([], {"axes": axes})


def maybe(g, probability, **attrs):
    return attrs if g.chance(probability) else {}


# ---- element by element ----

def attributes_of(g, schema):
    """Random values for the float attributes that have a default, now and then; None when one is required."""
    attrs = {}
    for a in schema.attributes.values():
        if a.required:
            return None
        if a.type == onnx.defs.OpSchema.AttrType.FLOAT and a.default_value.type and g.chance(0.5):
            attrs[a.name] = round(float(a.default_value.f * g.rng.uniform(0.5, 1.5) + 0.0), 3)
    return attrs


def later_bounds(g, op, dtype):
    """(lo, hi) of operands after the first."""
    if op in ("Div", "Mod"):
        return 1, 7                                      # never 0
    if op == "Pow":
        return 0, 3
    return None, None


def first_operand(g, op, dtypes):
    v = g.pick(dtypes)
    if op in DOMAIN and v.is_float:
        return within(g, v, *DOMAIN[op])
    if op == "Pow":
        return within(g, v, .2, 5) if v.is_float else g.fresh(v.shape, v.dtype, 0, 5)
    return v


def operand_count(g, schema):
    if schema.inputs and schema.inputs[-1].option == onnx.defs.OpSchema.FormalParameterOption.Variadic:
        return g.between(1, 4)
    return schema.min_input


def elementwise(g, op):
    schema = schema_of(op, g.opset)
    attrs, chosen, ins = attributes_of(g, schema), {}, []
    if attrs is None:
        return None
    for k in range(operand_count(g, schema)):
        text = schema.inputs[min(k, len(schema.inputs) - 1)].type_str
        dtypes = {chosen[text]} if text in chosen else usable(g, types_of(g, schema, text))
        if not ins:
            v = first_operand(g, op, dtypes)
        else:
            if not dtypes:
                return None
            dtype = ins[-1].dtype if ins[-1].dtype in dtypes else g.one_of(sorted(dtypes, key=str))
            v = partner(g, ins[0], dtype, *later_bounds(g, op, dtype))
        chosen[text] = v.dtype
        ins.append(v)
    if op == "Mod" and ins[0].is_float:
        attrs["fmod"] = 1
    if op == "PRelu" and not np.broadcast_shapes(ins[0].shape, ins[1].shape) == ins[0].shape:
        return None
    return g.add(op, ins, **attrs)


@generator("Clip")
def clip(g, op):
    v = g.pick(usable(g, INTS + [g.float]))
    lo, hi = (g.constant(g.data((), v.dtype, *r), "weight" if g.chance(.8) else "input") for r in ((-2, 0), (0, 2)))
    return g.add(op, [v] + g.one_of([[lo, hi], [lo], [None, hi], [lo, hi]]))


@generator("Cast", "CastLike")
def cast(g, op):
    v = g.pick(usable(g, INTS + [BOOL, g.float]))
    to = g.one_of([g.float] * 4 + INTS + [BOOL, g.main])
    if v.is_float and to.kind in "iu":                   # in range, and away from whole numbers by Graph.sound
        info = np.iinfo(to)
        v = within(g, v, max(info.min, -100), min(info.max, 100))
    if op == "CastLike":
        return g.add(op, [v, g.fresh([1], to)]) if g.opset >= 15 else None
    return g.add(op, [v], to=helper.np_dtype_to_tensor_dtype(to))


@generator("Gelu")
def gelu(g, op):
    return g.add(op, [g.pick_float()], **maybe(g, .5, approximate="tanh")) if g.opset >= 20 else None


@generator("BitShift")
def bit_shift(g, op):
    v = g.pick({d for d in INTS if d.kind == "u" and d.itemsize != 2})
    return g.add(op, [v, partner(g, v, None, 0, 7)], direction=g.one_of(["LEFT", "RIGHT"]))


@generator("Where")
def where(g, op):
    v = g.pick(usable(g, INTS + [BOOL, g.float]))
    return g.add(op, [partner(g, v, BOOL), v, partner(g, v)])


@generator("IsInf", "IsNaN")
def is_special(g, op):
    return g.add(op, [g.pick_float()])


# ---- along dimensions ----

@generator(*("Reduce" + n for n in "Sum Mean Max Min Prod L1 L2 LogSum LogSumExp SumSquare".split()))
def reduction(g, op):
    schema = schema_of(op, g.opset)

    def fits(v):                                         # integers that overflow mean nothing
        size = np.abs(v.a.astype(float))
        bits = {"ReduceProd": np.log2(np.maximum(size, 1)).sum(), "ReduceL2": np.log2(1 + (size ** 2).sum()),
                "ReduceSumSquare": np.log2(1 + (size ** 2).sum())}
        return v.is_float or bits.get(op, 0) < 30

    v = g.pick(usable(g, types_of(g, schema, schema.inputs[0].type_str)), {1, 2, 3, 4, 5}, fits)
    if op in DOMAIN and v.is_float:
        v = within(g, v, *DOMAIN[op])
    attrs = maybe(g, .5, keepdims=g.between(0, 1))
    if g.chance(0.2):
        return g.add(op, [v], **attrs)
    extra, more = axes_operand(g, op, some_axes(g, v.rank), 13 if op == "ReduceSum" else 18)
    return g.add(op, [v] + extra, **attrs, **more)


@generator("ArgMax", "ArgMin")
def arg_reduction(g, op):
    v = g.pick(usable(g, INTS + [g.float]), {1, 2, 3, 4, 5})
    return g.add(op, [v], axis=an_axis(g, v.rank), **maybe(g, .5, keepdims=0), **maybe(g, .3, select_last_index=1))


@generator("CumSum", "CumProd")
def running(g, op):
    v = g.pick(usable(g, WIDE + [g.float]), {1, 2, 3, 4})
    axis = g.constant(np.asarray(an_axis(g, v.rank), np.int64), "weight")
    return g.add(op, [v, axis], **maybe(g, .4, exclusive=1), **maybe(g, .4, reverse=1))


@generator("Softmax", "LogSoftmax", "Hardmax")
def softmax(g, op):
    v = g.pick_float({1, 2, 3, 4})
    return g.add(op, [v], **maybe(g, .7, axis=an_axis(g, v.rank)))


@generator("LayerNormalization", "RMSNormalization")
def layer_norm(g, op):
    v = g.pick_float({1, 2, 3, 4}, lambda v: v.shape[-1] > 1)
    axis = an_axis(g, v.rank)
    tail = v.shape[axis % v.rank:]
    ins = [v, g.fresh(tail)] + ([g.fresh(tail)] if op[0] == "L" and g.chance(.6) else [])
    ins = [v] + [w if w.dtype == g.float else g.fresh(w.shape, g.float) for w in ins[1:]]
    return g.add(op, ins, axis=axis, **maybe(g, .5, epsilon=1e-3))


def per_channel(g, v, lo=None, hi=None):
    return g.fresh([v.shape[1]], g.float, lo, hi, "weight" if g.chance(.8) else "input")


@generator("InstanceNormalization")
def instance_norm(g, op):
    v = g.pick_float({3, 4}, lambda v: np.prod(v.shape[2:]) > 1)
    return g.add(op, [v, per_channel(g, v), per_channel(g, v)], **maybe(g, .5, epsilon=1e-2))


@generator("GroupNormalization")
def group_norm(g, op):
    v = g.pick_float({3, 4}, lambda v: np.prod(v.shape[2:]) > 1)
    if g.opset < 21:
        return None
    groups = g.one_of([d for d in range(1, v.shape[1] + 1) if v.shape[1] % d == 0])
    return g.add(op, [v, per_channel(g, v), per_channel(g, v)], num_groups=groups)


@generator("BatchNormalization")
def batch_norm(g, op):
    v = g.pick_float({2, 3, 4, 5})
    return g.add(op, [v] + [per_channel(g, v) for _ in range(3)] + [per_channel(g, v, .5, 2)], **maybe(g, .3, epsilon=1e-2))


@generator("LRN")
def lrn(g, op):
    v = g.pick_float({4})
    return g.add(op, [v], size=g.one_of([1, 3, 5]), **maybe(g, .5, alpha=.1, beta=.5, bias=2.0))


@generator("LpNormalization")
def lp_norm(g, op):
    v = g.pick_float({1, 2, 3, 4})
    return g.add(op, [v], axis=an_axis(g, v.rank), p=g.between(1, 2))


@generator("MeanVarianceNormalization")
def mean_variance(g, op):
    return g.add(op, [g.pick_float({4})], **maybe(g, .5, axes=[0, 1, 2, 3]))


# ---- products ----

@generator("MatMul")
def matmul(g, op):
    v = g.pick(usable(g, WIDE + [g.float]), {1, 2, 3, 4})
    k, n = v.shape[-1], g.one_of(EXTENTS)
    lead = partner_shape(g, v.shape[:-2])[-3:]
    other = g.one_of([[k], lead + [k, n], lead + [k, n], [k, n], [k, n]])
    pool = [w for w in g.values if w.kind != "none" and w.dtype == v.dtype and w.rank >= 2 and w.shape[-2] == k and
            broadcasts(w.shape[:-2], v.shape[:-2])]
    return g.add(op, [v, g.one_of(pool) if pool and g.chance(.3) else g.fresh(other, v.dtype)])


@generator("Gemm")
def gemm(g, op):
    v = g.pick(usable(g, [g.float]), 2)
    ta, tb, n = g.between(0, 1), g.between(0, 1), g.one_of(EXTENTS)
    m, k = v.shape[::-1] if ta else v.shape
    b = g.fresh([n, k] if tb else [k, n], v.dtype)
    c = [g.fresh(g.one_of([[n], [m, n], [m, 1], [1, n], [1], []]), v.dtype)] if g.chance(.7) else []
    return g.add(op, [v, b] + c, transA=ta, transB=tb, **maybe(g, .4, alpha=.5), **maybe(g, .4, beta=1.5))


@generator("Einsum")
def einsum(g, op):
    text = g.one_of(["ij,jk->ik", "bij,bjk->bik", "ij,ij->i", "ij->ji", "ii->i", "i,j->ij", "bij,bkj->bik", "ij->", "bij->bj"])
    extent = {c: g.one_of([1, 2, 3, 5, 7]) for c in "ijkb"}
    ins = [g.pick_float(len(t), lambda v, t=t: all(len({v.shape[p] for p in range(len(t)) if t[p] == c}) == 1 for c in t))
           for t in text.split("->")[0].split(",")[:1]]
    first, rest = text.split("->")[0].split(",")[0], text.split("->")[0].split(",")[1:]
    extent.update(zip(first, ins[0].shape))
    ins += [g.fresh([extent[c] for c in t], g.float) for t in rest]
    return g.add(op, ins, equation=text)


def window(g, v, dilated=True):
    """Attributes of a window over the spatial dimensions of v."""
    n = v.rank - 2
    kernel = [g.between(1, min(4, v.shape[2 + d] + 1)) for d in range(n)]
    attrs = {"kernel_shape": kernel}
    if g.chance(.6):
        attrs["strides"] = [g.between(1, 3) for _ in range(n)]
    if dilated and g.chance(.3):
        attrs["dilations"] = [g.between(1, 3) for _ in range(n)]
    if g.chance(.2):
        attrs["auto_pad"] = g.one_of(["SAME_UPPER", "SAME_LOWER", "VALID"])
        if attrs["auto_pad"] != "VALID":
            attrs.pop("dilations", None)
    elif g.chance(.7):
        attrs["pads"] = [g.between(0, k - 1) for k in kernel * 2]
    fit_window(v, attrs)
    if attrs.get("auto_pad", "VALID") != "VALID":        # strides above the kernel would pad by less than 0
        attrs["strides"] = [min(s, k) for s, k in zip(attrs.get("strides", [1] * n), kernel)]
    return attrs


def fit_window(v, attrs):
    """Makes the kernel small enough for the padded input."""
    n, kernel = v.rank - 2, attrs["kernel_shape"]
    for d in range(n):
        pads = attrs.get("pads", [0] * 2 * n)
        while (kernel[d] - 1) * attrs.get("dilations", [1] * n)[d] >= v.shape[2 + d] + pads[d] + pads[n + d]:
            kernel[d] -= 1


def groups_of(g, channels):
    """(groups, channels out)."""
    groups = g.one_of([d for d in range(1, channels + 1) if channels % d == 0] + [1, channels])
    return groups, groups * g.one_of([1, 2, 3] if groups > 3 else [1, 2, 3, 5, 8])


@generator("Conv")
def conv(g, op):
    v = g.pick_float({3, 4, 4, 5}, lambda v: v.a.size)
    attrs = window(g, v)
    groups, out = groups_of(g, v.shape[1])
    kernel = attrs["kernel_shape"] if g.chance(.5) else attrs.pop("kernel_shape")
    w = g.fresh([out, v.shape[1] // groups] + list(kernel), g.float, -1, 1, "weight" if g.chance(.85) else "input")
    bias = [g.fresh([out], g.float)] if g.chance(.6) else []
    return g.add(op, [v, w] + bias, **attrs, **({"group": groups} if groups > 1 else {}))


@generator("ConvTranspose")
def conv_transpose(g, op):
    v = g.pick_float({3, 4})
    attrs = window(g, v)
    groups, out = groups_of(g, v.shape[1])
    strides = attrs.get("strides", [1] * (v.rank - 2))
    if g.chance(.3):
        attrs["output_padding"] = [g.between(0, s - 1) for s in strides]
    w = g.fresh([v.shape[1], out // groups] + attrs["kernel_shape"], g.float, -1, 1, "weight" if g.chance(.85) else "input")
    bias = [g.fresh([out], g.float)] if g.chance(.6) else []
    return g.add(op, [v, w] + bias, **attrs, **({"group": groups} if groups > 1 else {}))


@generator("MaxPool")
def max_pool(g, op):
    v = g.pick(usable(g, BYTES + [g.float]), {3, 4, 5})
    outs = 2 if v.is_float and g.chance(.2) else 1
    return g.add(op, [v], outs, **window(g, v), **maybe(g, .3, ceil_mode=1))


@generator("AveragePool")
def average_pool(g, op):
    v = g.pick_float({3, 4, 5})
    attrs = window(g, v, g.opset >= 19)
    if "dilations" in attrs:                             # a window of padding alone has no mean
        attrs.pop("pads", None)
        fit_window(v, attrs)
    return g.add(op, [v], **attrs, **maybe(g, .3, ceil_mode=1), **maybe(g, .4, count_include_pad=1))


@generator("LpPool")
def lp_pool(g, op):
    v = g.pick_float({3, 4})
    return g.add(op, [v], **window(g, v, g.opset >= 18), p=g.between(1, 3))


@generator("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def global_pool(g, op):
    return g.add(op, [g.pick_float({3, 4, 5})], **maybe(g, .5, p=g.between(1, 2)) if op == "GlobalLpPool" else {})


# ---- quantised ----

def scale_and_zero(g, v, dtype, axis=None):
    shape = [] if axis is None else [v.shape[axis]]
    scale = g.fresh(shape, np.dtype("f4"), .05, .4, "weight")
    return scale, g.fresh(shape, dtype, -3 if dtype.kind == "i" else 0, 3, "weight")


@generator("QuantizeLinear")
def quantize(g, op):
    if g.precision != "single":
        return None
    v = g.pick_float({1, 2, 3, 4})
    axis = g.between(0, v.rank - 1) if g.chance(.3) else None
    attrs = {} if axis is None else {"axis": axis}
    return g.add(op, [v, *scale_and_zero(g, v, g.one_of(BYTES), axis)], **attrs)


@generator("DequantizeLinear")
def dequantize(g, op):
    if g.precision != "single":
        return None
    v = g.pick(set(BYTES) | {np.dtype("i4")}, {1, 2, 3, 4})
    axis = g.between(0, v.rank - 1) if g.chance(.3) else None
    attrs = {} if axis is None else {"axis": axis}
    ins = scale_and_zero(g, v, v.dtype, axis)
    return g.add(op, [v, *(ins[:1] if v.dtype == np.int32 or g.chance(.2) else ins)], **attrs)


@generator("DynamicQuantizeLinear")
def dynamic_quantize(g, op):
    v = g.pick_float(None, lambda v: v.a.max() > v.a.min())      # the scale of zeros is 0, or 1 in ONNX Runtime
    return g.add(op, [v], 3) if g.precision == "single" else None


@generator("MatMulInteger")
def matmul_integer(g, op):
    v = g.pick(set(BYTES), {2, 3})
    w = g.fresh([v.shape[-1], g.one_of(EXTENTS)], g.one_of(BYTES))
    zeros = [g.fresh([], v.dtype, 0, 5), g.fresh(g.one_of([[], [w.shape[1]]]), w.dtype, 0, 5)]
    return g.add(op, [v, w] + zeros[:g.between(0, 2)])


@generator("ConvInteger")
def conv_integer(g, op):
    v = g.pick({np.dtype("u1")}, {3, 4})
    attrs = window(g, v)
    groups, out = groups_of(g, v.shape[1])
    w = g.fresh([out, v.shape[1] // groups] + attrs["kernel_shape"], np.dtype("u1"))
    zeros = [g.fresh([], v.dtype, 0, 5), g.fresh([], w.dtype, 0, 5)]
    return g.add(op, [v, w] + zeros[:g.between(0, 2)], **attrs, **({"group": groups} if groups > 1 else {}))


def exists(op, opset):
    """Is the operator in this opset?"""
    try:
        return bool(schema_of(op, opset))
    except onnx.defs.SchemaError:
        return False


def row_types(columns):
    """{variable: types} of the types column."""
    return {var: {d for c in types.split("|") for d in CLASSES.get(c, [t for t in TYPES if short_name(t) == c])}
            for var, types in (c.split("=") for c in columns if "=" in c)}


def short_name(dtype):
    return "%s%d" % (dtype.kind, 8 * dtype.itemsize)


def table(text):
    """The rows of `nncc --ops` that take part, by operator: those with a generator, or an ONNX schema for `elementwise`."""
    rows = [line.split() for line in text.splitlines()[1:] if line.strip()]
    return {r[0]: row_types(r[2:]) for r in rows if "." not in r[0] and onnx.defs.has(r[0], "")}


def lottery(rows):
    """Operators as often as their weight says."""
    return [op for op in rows for _ in range(WEIGHTS.get(op, 1))]


def add_node(g, op):
    """Tries to add a node of this operator."""
    if not exists(op, g.opset) or g.precision == "double" and op in SINGLE_ONLY:
        return None
    try:
        return GENERATORS.get(op, elementwise)(g, op)
    except NoFit:
        return None
