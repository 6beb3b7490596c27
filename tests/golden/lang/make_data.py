#!/usr/bin/env python3
"""Writes the companion texts (*.data) of the programs in this folder: inputs, and what the outputs must be, worked out by
numpy from the definitions (no loops of nncc's). Run it in this folder after changing a program's shapes."""
import numpy as np

rng = np.random.default_rng(3)
f32 = np.float32


def eighths(*shape):
    """Multiples of 1/8 in [-2, 2]: their sums of products are exact in float32, in any order."""
    return (rng.integers(-16, 17, shape) / 8).astype(f32)


def text(value):
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value)).lower()
    if isinstance(value, (int, np.integer)):
        return str(value)
    value = float(f32(value))
    if not np.isfinite(value):
        return str(value)
    return repr(int(value)) if value == int(value) else "%.9g" % value


def write(name, inputs, exact=(), near=(), result=0):
    lines = [f"{kind}{key} {sign} {{{', '.join(text(v) for v in np.ravel(value))}}}"
             for sign, table, kind in (("=", inputs, ""), ("==", dict(exact), ""), ("~", dict(near), ""))
             for key, value in table.items()]
    if result:
        lines.append(f"result {result}")
    with open(name + ".data", "w", encoding="ascii") as f:
        f.write("\n".join(lines) + "\n")


def convolve(x, w, stride=1, pad=1, dilation=1, groups=1):
    """Cross-correlation by shifted slices, in float64."""
    x = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    n, c, h, wd = x.shape
    o, ci, kh, kw = w.shape
    oh = (h - dilation * (kh - 1) - 1) // stride + 1
    ow = (wd - dilation * (kw - 1) - 1) // stride + 1
    y = np.zeros((n, o, oh, ow))
    for r in range(kh):
        for s in range(kw):
            window = x[:, :, r * dilation:r * dilation + (oh - 1) * stride + 1:stride,
                       s * dilation:s * dilation + (ow - 1) * stride + 1:stride]
            for g in range(groups):
                og = slice(g * o // groups, (g + 1) * o // groups)
                cg = slice(g * ci, (g + 1) * ci)
                y[:, og] += np.einsum("nchw,oc->nohw", window[:, cg], w[og, :, r, s].astype(np.float64))
    return y


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def conv():
    x, w, b = eighths(1, 2, 5, 6), eighths(3, 2, 3, 3), eighths(3)
    y = convolve(x, w, stride=2) + b[None, :, None, None]
    write("conv", {"X": x, "W": w, "B": b}, {"Y": np.maximum(y, 0)})


def depthwise():
    x, w = eighths(2, 3, 6, 5), eighths(3, 1, 3, 3)
    write("depthwise", {"X": x, "W": w}, {"Y": convolve(x, w, pad=2, dilation=2, groups=3)})


def gather():
    d, i = eighths(4, 3), np.array([[0, -1, 3], [2, -4, 1]])
    write("gather", {"D": d, "I": i}, {"Y": d[i]})
    write("gather_outside", {"D": d, "I": np.array([[0, -1, 3], [2, -5, 1]])}, result=-2)


def lstm():
    x, w, r, b = eighths(4, 2, 3), eighths(16, 3), eighths(16, 4), eighths(16)
    h = c = np.zeros((2, 4))
    out = []
    for t in range(4):
        i, o, f, g = np.split(x[t].astype(np.float64) @ w.T + h @ r.T + b, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        out.append(h)
    write("lstm", {"X": x, "W": w, "R": r, "B": b}, near={"Y": out})


def flash():
    q, k, v = eighths(4, 8), eighths(6, 8), eighths(6, 5)
    s = q.astype(np.float64) @ k.T / np.sqrt(8)
    p = np.exp(s - s.max(axis=1, keepdims=True))
    write("flash", {"Q": q, "K": k, "V": v}, near={"O": p / p.sum(axis=1, keepdims=True) @ v})


def qconv():
    x, w = rng.integers(0, 256, (1, 2, 4, 5)), rng.integers(-128, 128, (3, 2, 3, 3))
    b, m = rng.integers(-2000, 2000, 3), f32([0.004, 0.0009765625, 0.01])
    acc = convolve(x - 121, w) + b[None, :, None, None]
    scaled = (acc.astype(f32) * m[None, :, None, None]).astype(f32)
    y = np.clip(np.rint(scaled) + 7, 0, 255).astype(np.uint8)
    write("qconv", {"X": x, "W": w, "B": b, "M": m}, {"Y": y})


def branch():
    x = eighths(3)
    write("if_true", {"C": True, "X": x}, {"Y": x + 1})
    write("if_false", {"C": False, "X": x}, {"Y": x[::-1] * 2})


def resize():
    x = eighths(2, 3, 4)

    def table(n, m):  # half-pixel coordinates, clamped
        at = np.clip((np.arange(m) + 0.5) * n / m - 0.5, 0, n - 1)
        low = np.minimum(np.floor(at), n - 2).astype(np.int64)
        return low, (at - low).astype(f32), at
    a, b, rows = table(3, 5)
    c, d, columns = table(4, 7)
    wide = np.array([[np.interp(columns, np.arange(4), row) for row in image] for image in x])
    y = np.array([[np.interp(rows, np.arange(3), image[:, j]) for j in range(7)] for image in wide]).transpose(0, 2, 1)
    write("resize", {"X": x, "A": a, "B": b, "C": c, "D": d}, near={"Y": y})


def int4():
    x, w, s = eighths(2, 6), rng.integers(-8, 8, (6, 5)), f32(2.0) ** rng.integers(-3, 1, (2, 5))
    y = x.astype(np.float64) @ (w * np.repeat(s, 3, axis=0))
    q = np.clip(np.rint(y * 0.5) + 8, 0, 15).astype(np.uint8)
    write("int4", {"X": x, "W": w, "S": s}, {"Y": y, "Q": q})


def concat():
    a, b = eighths(2, 3), eighths(2, 2)
    write("concat", {"A": a, "B": b}, {"Y": np.concatenate([a, b * 2], axis=1)})


def kv():
    k, n, q = eighths(6, 4), eighths(4), eighths(4)
    c = k.copy()
    c[3] = n
    s = c @ q
    s[4:] = -np.inf
    write("kv", {"K": k, "N": n, "P": 3, "Q": q}, {"C": c, "S": s, "T": s[:4].sum()})
    write("kv_outside", {"K": k, "N": n, "P": 6, "Q": q}, result=-2)


def gemm():
    a, b, bias = eighths(7, 5), eighths(5, 10), eighths(10)
    write("gemm_tile", {"b0": a, "b1": b, "b2": bias}, {"b4": np.maximum(a @ b + bias, 0)})


def layout():
    x, w = eighths(1, 6, 3, 3), eighths(5, 6)
    ring = np.zeros((3, 3))
    for t in range(5):
        ring = ring * 0.5 + x[0, t]
    write("layout", {"X": x, "W": w}, {"Y": np.einsum("nchw,oc->nohw", x, w), "Z": ring})


def loop():
    a, x, n = 30.0, 30.0, 0
    while True:
        x, n = (x + a / x) / 2, n + 1
        if abs(x * x - a) <= 1e-4:
            break
    write("while", {"A": a}, {"N": n}, {"Y": np.sqrt(a)})


if __name__ == "__main__":
    for case in (conv, depthwise, gather, lstm, flash, qconv, branch, resize, int4, concat, kv, gemm, layout, loop):
        case()
