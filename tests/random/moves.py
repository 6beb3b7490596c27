"""Generators of the operators that move elements: views, copies, gathers, and the makers of constant patterns."""
import numpy as np
from onnx import numpy_helper

from graph import NoFit
from ops import BOOL, INTS, WIDE, an_axis, generator, maybe, some_axes, usable


def any_type(g):
    return set(usable(g, INTS + [BOOL, g.float]))


def factors(g, total):
    """Random extents whose product is total."""
    shape = []
    for _ in range(g.between(0, 3)):
        d = g.one_of([d for d in range(1, min(total, 64) + 1) if total % d == 0])
        shape.append(d)
        total //= d
    shape.insert(g.between(0, len(shape)), total)
    return shape


@generator("Reshape")
def reshape(g, op):
    v = g.pick(any_type(g))
    shape = factors(g, v.a.size)
    if g.chance(.3):
        shape[g.between(0, len(shape) - 1)] = -1
    elif v.rank and v.shape[0] == shape[0] and g.chance(.4):
        shape[0] = 0
    return g.add(op, [v, g.ints(shape)])


@generator("Flatten")
def flatten(g, op):
    v = g.pick(any_type(g), {1, 2, 3, 4, 5})
    return g.add(op, [v], **maybe(g, .7, axis=g.between(-v.rank, v.rank)))


@generator("Squeeze")
def squeeze(g, op):
    v = g.pick(any_type(g), {1, 2, 3, 4, 5}, lambda v: 1 in v.shape)
    ones = [k for k, d in enumerate(v.shape) if d == 1 and g.chance(.7)]
    return g.add(op, [v, g.ints(ones)] if ones else [v])


@generator("Unsqueeze")
def unsqueeze(g, op):
    v = g.pick(any_type(g), {0, 1, 2, 3, 4})
    rank = v.rank + g.between(1, 2)
    axes = [int(k) for k in g.rng.permutation(rank)[:rank - v.rank]]
    return g.add(op, [v, g.ints([k - rank if g.chance(.3) else k for k in axes])])


@generator("Transpose")
def transpose(g, op):
    v = g.pick(any_type(g), {2, 3, 4, 5})
    return g.add(op, [v], **maybe(g, .9, perm=[int(k) for k in g.rng.permutation(v.rank)]))


@generator("Concat")
def concat(g, op):
    v = g.pick(any_type(g), {1, 2, 3, 4})
    axis = an_axis(g, v.rank)
    ins = [v]
    pool = [w for w in g.values if w.kind != "none" and w.dtype == v.dtype and w.rank == v.rank and
            all(a == b for k, (a, b) in enumerate(zip(w.shape, v.shape)) if k != axis % v.rank)]
    for _ in range(g.between(0, 3)):
        shape = list(v.shape)
        shape[axis] = g.one_of([1, 2, 3, 5])
        ins.append(g.one_of(pool) if g.chance(.6) else g.fresh(shape, v.dtype))
    return g.add(op, [ins[k] for k in g.rng.permutation(len(ins))], axis=axis)


@generator("Split")
def split(g, op):
    v = g.pick(any_type(g), {1, 2, 3, 4}, lambda v: max(v.shape) > 1)
    axis = int(np.argmax(v.shape))
    extent, parts = v.shape[axis], g.between(2, min(4, v.shape[axis]))
    cuts = sorted(g.rng.permutation(extent - 1)[:parts - 1] + 1)
    sizes = [int(d) for d in np.diff([0] + cuts + [extent])]
    axis -= v.rank if g.chance(.3) else 0
    if g.opset >= 18 and g.chance(.3):
        return g.add(op, [v], parts, axis=axis, num_outputs=parts)
    return g.add(op, [v, g.ints(sizes)], parts, axis=axis)


@generator("Slice")
def slice_(g, op):
    v = g.pick(any_type(g), {1, 2, 3, 4, 5})
    axes = some_axes(g, v.rank)
    starts, ends, steps = [], [], []
    for axis in axes:
        extent = v.shape[axis]
        start, end, step = g.between(0, extent - 1), g.between(1, extent), g.one_of([1, 1, 1, 2, 3])
        if start >= end:
            start = end - 1
        if g.chance(.2):                                 # backwards; a very low end means past element 0
            start, end, step = end - 1, start - 1 if start else -2 ** 40, -step
        elif g.chance(.2):
            start, end = start - extent, 2 ** 40
        starts.append(start), ends.append(end), steps.append(step)
    ins = [v, g.ints(starts), g.ints(ends)]
    if axes != list(range(v.rank)) or g.chance(.5):
        ins.append(g.ints(axes))
    return g.add(op, ins + ([g.ints(steps)] if len(ins) == 4 and (max(steps) > 1 or min(steps) < 0) else []))


@generator("Expand")
def expand(g, op):
    v = g.pick(any_type(g), {0, 1, 2, 3, 4}, lambda v: v.a.size < 400)
    shape = [g.one_of([2, 3, 5]) if d == 1 and g.chance(.7) else g.one_of([1, d]) for d in v.shape]
    return g.add(op, [v, g.ints(([g.one_of([1, 2, 3])] if g.chance(.3) else []) + shape)])


@generator("Tile")
def tile(g, op):
    v = g.pick(any_type(g), {1, 2, 3, 4}, lambda v: v.a.size < 400)
    return g.add(op, [v, g.ints([g.one_of([1, 1, 2, 3]) for _ in v.shape])])


def with_shape(g, shape, dtype):
    """A value of this shape: one there is of as many elements, reshaped, or a new one."""
    pool = [v for v in g.values if v.kind != "none" and v.dtype == dtype and v.a.size == np.prod(shape)]
    if pool and g.chance(.7):
        made = g.add("Reshape", [g.one_of(pool), g.ints(shape)])
        if made:
            return made[0]
    return g.fresh(shape, dtype)


@generator("DepthToSpace", "SpaceToDepth")
def depth_space(g, op):
    b = g.one_of([1, 2, 2, 3])
    deep = op == "DepthToSpace"
    fits = (lambda v: v.shape[1] % (b * b) == 0) if deep else (lambda v: v.shape[2] % b == 0 and v.shape[3] % b == 0)
    dtypes = any_type(g) - {BOOL} if g.strange else {g.float}
    try:
        v = g.pick(dtypes, 4, fits)
    except NoFit:
        c, h, w = g.between(1, 3), g.between(1, 5), g.between(1, 5)
        v = with_shape(g, [g.between(1, 2)] + ([c * b * b, h, w] if deep else [c, h * b, w * b]), g.float)
    return g.add(op, [v], blocksize=b, **maybe(g, .5 if deep else 0, mode="CRD"))


@generator("Pad")
def pad(g, op):
    v = g.pick(any_type(g), {1, 2, 3, 4, 5})
    mode = g.one_of(["constant"] * 4 + ["reflect", "edge"] + (["wrap"] if g.opset >= 19 else []))
    least, most = (-1 if g.chance(.3) else 0), 4
    widths = [min(g.one_of([0, 0, 1, 2, 3]), d - 1 if mode == "reflect" else most) for d in v.shape * 2]
    if mode == "constant" and least < 0:
        widths = [-1 if d > 2 and g.chance(.3) else w for w, d in zip(widths, v.shape * 2)]
    ins = [v, g.ints(widths)]
    if mode == "constant" and g.chance(.6):
        ins.append(g.fresh([], v.dtype, kind="weight" if g.chance(.8) else "input"))
    return g.add(op, ins, **({"mode": mode} if mode != "constant" or g.chance(.5) else {}))


@generator("Resize")
def resize(g, op):
    v = g.pick_float({3, 4})
    mode = g.one_of(["nearest", "nearest", "linear", "cubic"] if v.rank == 4 else ["nearest", "linear"])
    maps = ["half_pixel", "asymmetric", "align_corners"]  # cubic: ONNX Runtime has the fourth otherwise than ONNX
    attrs = {"mode": mode,
             "coordinate_transformation_mode": g.one_of(maps + ["pytorch_half_pixel"] if mode != "cubic" else maps)}
    if mode == "nearest":
        attrs["nearest_mode"] = g.one_of(["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"])
    factors_ = [1, 1] + [g.one_of([1, 2, 3, 2, .5]) for _ in v.shape[2:]]
    whole = all(d * f == int(d * f) for d, f in zip(v.shape, factors_))
    if g.chance(.5) and (whole or attrs["coordinate_transformation_mode"] != "align_corners"):
        return g.add(op, [v, None, g.constant(np.array(factors_, np.float32), "weight")], **attrs)
    sizes = [max(1, int(d * f)) for d, f in zip(v.shape, factors_)]
    return g.add(op, [v, None, None, g.ints(sizes)], **attrs)


def indices(g, shape, extent, low=None):
    """Indices into `extent` elements, some of them negative."""
    a = g.rng.integers(-extent if low is None else low, extent, tuple(shape))
    return g.constant(a.astype(g.one_of(WIDE)))


@generator("Gather")
def gather(g, op):
    v = g.pick(any_type(g), {1, 2, 3, 4})
    axis = an_axis(g, v.rank)
    shape = g.one_of([[], [1], [3], [5], [2, 3], [4, 1]])
    return g.add(op, [v, indices(g, shape, v.shape[axis])], **maybe(g, .8, axis=axis) if axis else {})


@generator("GatherElements")
def gather_elements(g, op):
    v = g.pick(any_type(g), {1, 2, 3, 4})
    axis = an_axis(g, v.rank)
    shape = [g.between(1, d) for d in v.shape]
    shape[axis] = g.between(1, 4)
    return g.add(op, [v, indices(g, shape, v.shape[axis])], axis=axis)


@generator("GatherND")
def gather_nd(g, op):
    v = g.pick(any_type(g), {1, 2, 3, 4})
    batch = g.between(0, v.rank - 1) if g.chance(.3) and v.rank > 1 else 0
    depth = g.between(1, v.rank - batch)
    at = np.stack([g.rng.integers(-d, d, tuple(v.shape[:batch]) + (3,)) for d in v.shape[batch:batch + depth]], -1)
    return g.add(op, [v, g.constant(at.astype(np.int64))], **({"batch_dims": batch} if batch else {}))


@generator("ScatterElements")
def scatter_elements(g, op):
    v = g.pick(any_type(g), {1, 2, 3})
    axis = an_axis(g, v.rank)
    shape = [g.between(1, d) for d in v.shape]
    order = np.stack([g.rng.permutation(v.shape[axis])[:shape[axis]]] * int(np.prod(shape) // shape[axis]))
    at = np.moveaxis(order.reshape([d for k, d in enumerate(shape) if k != axis % v.rank] + [shape[axis]]), -1, axis)
    attrs = maybe(g, .3, reduction="add") if g.opset >= 16 and v.dtype != BOOL else {}
    return g.add(op, [v, g.constant(at.astype(np.int64)), g.fresh(shape, v.dtype)], axis=axis, **attrs)


@generator("ScatterND")
def scatter_nd(g, op):
    v = g.pick(any_type(g), {1, 2, 3})
    depth = g.between(1, v.rank)
    places = int(np.prod(v.shape[:depth]))
    at = np.stack(np.unravel_index(g.rng.permutation(places)[:g.between(1, min(4, places))], v.shape[:depth]), -1)
    return g.add(op, [v, g.constant(at.astype(np.int64)), g.fresh([len(at)] + list(v.shape[depth:]), v.dtype)])


@generator("OneHot")
def one_hot(g, op):
    depth = g.between(2, 6)
    at = indices(g, g.one_of([[3], [2, 3], [1, 4, 2]]), depth)
    values = g.fresh([2], g.float, kind="weight")
    return g.add(op, [at, g.constant(np.asarray(depth, np.int64), "weight"), values], axis=an_axis(g, at.rank + 1))


@generator("ReverseSequence")
def reverse_sequence(g, op):
    v = g.pick(any_type(g), {2, 3, 4})
    time = g.between(0, 1)
    lengths = g.rng.integers(1, v.shape[time] + 1, v.shape[1 - time])
    return g.add(op, [v, g.constant(lengths.astype(np.int64))], time_axis=time, batch_axis=1 - time)


@generator("Shape")
def shape_of(g, op):
    v = g.pick(any_type(g), {1, 2, 3, 4})
    return g.add(op, [v], **maybe(g, .5 if g.opset >= 15 else 0, start=g.between(-v.rank, v.rank - 1)))


@generator("Size")
def size_of(g, op):
    return g.add(op, [g.pick(any_type(g))])


@generator("ConstantOfShape")
def constant_of_shape(g, op):
    shape = g.ints(g.shape_of_rank(g.between(1, 3)))
    return g.add(op, [shape], **maybe(g, .7, value=numpy_helper.from_array(g.data((1,), g.main))))


@generator("EyeLike")
def eye_like(g, op):
    return g.add(op, [g.pick({g.float} | set(WIDE), 2)], **maybe(g, .5, k=g.between(-2, 2)))


@generator("Trilu")
def trilu(g, op):
    v = g.pick({g.float} | set(WIDE), {2, 3})
    k = [g.constant(np.asarray(g.between(-3, 3), np.int64), "weight")] if g.chance(.6) else []
    return g.add(op, [v] + k, upper=g.between(0, 1)) if g.opset >= 14 else None


@generator("Range")
def range_(g, op):
    start, count, delta = g.between(-3, 3), g.between(1, 9), g.one_of([1, 2, 3, -1, -2])
    dtype = g.one_of(WIDE + [g.float])
    return g.add(op, [g.constant(np.asarray(x, dtype), "weight") for x in (start, start + count * delta, delta)])


@generator("HannWindow", "HammingWindow", "BlackmanWindow")
def window_pattern(g, op):
    if g.precision != "single" or g.opset < 17:
        return None
    return g.add(op, [g.constant(np.asarray(g.between(2, 12), np.int64), "weight")], **maybe(g, .5, periodic=0))


@generator("TopK")
def top_k(g, op):
    v = g.pick({g.float} | set(WIDE), {1, 2, 3, 4})
    axis = an_axis(g, v.rank)
    k = g.ints([g.between(1, v.shape[axis])])
    return g.add(op, [v, k], 2, axis=axis, largest=g.between(0, 1))
