"""What the Python runners share: tensors as bytes, nncc and C compiler calls, running generated models, comparing.

A case is a folder with model.onnx, and in memory its recorded inputs and outputs (numpy arrays, in the order of the
graph's inputs that are no initialisers). driver.c does the running; see there for what it checks by itself.
"""
import json
import os
import re
import subprocess
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
from onnx import numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
JOBS = int(os.environ.get("NNCC_TEST_JOBS", "0")) or os.cpu_count() or 1

# A float output may differ from the recorded one by ATOL + RTOL * |value| + SCALE * the largest magnitude of the output;
# everything else must be equal.
RTOL, ATOL, SCALE = 1e-3, 1e-5, 1e-4

WARNINGS = "-std=c99 -Wall -Wextra -Wpedantic -Werror".split()
SANITIZE = "-g -fsanitize=address,undefined -fno-sanitize-recover=all".split()

SUB_BYTE = {"int4": 4, "uint4": 4, "float4_e2m1fn": 4, "int2": 2, "uint2": 2}


def to_bytes(a):
    """The bytes of an array as ONNX raw_data has them: sub-byte elements packed, the first in the low bits."""
    bits = SUB_BYTE.get(a.dtype.name)
    if not bits:
        return np.ascontiguousarray(a).tobytes()
    codes = a.ravel().view(np.uint8) & ((1 << bits) - 1)
    per = 8 // bits
    codes = np.append(codes, np.zeros(-codes.size % per, np.uint8)).reshape(-1, per)
    out = np.zeros(len(codes), np.uint8)
    for k in range(per):
        out |= (codes[:, k] << (k * bits)).astype(np.uint8)
    return out.tobytes()


def from_bytes(raw, dtype, shape):
    """The inverse of to_bytes."""
    count = int(np.prod(shape, dtype=np.int64))
    bits = SUB_BYTE.get(np.dtype(dtype).name)
    if not bits:
        return np.frombuffer(raw, dtype, count).reshape(shape)
    packed = np.frombuffer(raw, np.uint8)
    codes = np.stack([packed >> (k * bits) & ((1 << bits) - 1) for k in range(8 // bits)], axis=1).ravel()[:count]
    if np.dtype(dtype).name.startswith("float"):
        return codes.astype(np.uint8).view(dtype).reshape(shape)
    values = codes.astype(np.int16)
    if np.dtype(dtype).name.startswith("int"):
        values = np.where(values >> (bits - 1), values - (1 << bits), values)
    return values.astype(np.int8).astype(dtype).reshape(shape)


def as_array(value):
    """A recorded value as an array, or None when it is no plain tensor of numbers (sequence, optional, strings)."""
    if isinstance(value, onnx.TensorProto):
        value = numpy_helper.to_array(value)
    if value is None or isinstance(value, (list, dict)):
        return None
    a = np.array(value)
    return None if a.dtype.kind in "OSU" else a


def is_float(dtype):
    return dtype.kind in "fV" and dtype.name not in SUB_BYTE


def differs(got, want):
    """None when every output agrees with the recorded one, else a sentence on the first that does not."""
    for i, (g, w) in enumerate(zip(got, want)):
        if not is_float(w.dtype):
            if not np.array_equal(g, w):
                return "output %d: %d of %d elements differ" % (i, np.sum(g != w), w.size)
            continue
        x, y = g.astype(np.float64), w.astype(np.float64)
        finite = np.abs(y[np.isfinite(y)])
        allowed = ATOL + RTOL * np.abs(y) + SCALE * (finite.max() if finite.size else 0.0)
        if w.dtype.itemsize == 2:                      # the half types: two units in the last place as well
            allowed = allowed + np.abs(y) * 2.0 ** (-7 if w.dtype.name == "bfloat16" else -10)
        with np.errstate(invalid="ignore"):
            good = (np.abs(x - y) <= allowed) | (x == y) | (np.isnan(x) & np.isnan(y))
        if not good.all():
            with np.errstate(invalid="ignore"):
                worst = np.nanmax(np.abs(x - y)[~good]) if not np.isnan(x - y)[~good].all() else np.nan
            return "output %d: %d of %d elements differ, by up to %.3g" % (i, np.sum(~good), good.size, worst)
    return None


def shape_flags(model, inputs):
    """--shape for each input whose declared shape is not wholly positive numbers, from the recorded arrays."""
    stored = {t.name for t in model.graph.initializer} | {t.values.name for t in model.graph.sparse_initializer}
    flags = []
    for v, a in zip([v for v in model.graph.input if v.name not in stored], inputs):
        kind = v.type.tensor_type
        known = kind.HasField("shape") and all(d.dim_value > 0 for d in kind.shape.dim)
        if not known and a.ndim:
            flags.append("--shape=%s=%s" % (v.name, ",".join(map(str, a.shape))))
    return flags


class Case:
    """One model with recorded values; `inputs` is None when they are no plain tensors."""

    def __init__(self, name, path, flags=(), inputs=None, outputs=None):
        self.name, self.path, self.flags = name, path, list(flags)
        self.prefix = name if len(name) <= 48 else "%s_%08x" % (name[:40].rstrip("_"), zlib.crc32(name.encode()))     # of its C
        self.inputs, self.outputs = inputs, outputs
        self.code, self.messages = None, []      # of nncc
        self.why = None                          # what went wrong after nncc accepted it
        self.figures = {}                        # arena, weights, macs

    def compile(self, nncc, out_dir, flags=()):
        """Runs nncc; the C goes to out_dir/<prefix>.c."""
        out = os.path.join(out_dir, self.prefix + ".c")
        r = subprocess.run([nncc, self.path, "-o", out, "--name=" + self.prefix] + self.flags + list(flags),
                           stdin=subprocess.DEVNULL, capture_output=True, timeout=600)
        self.code = r.returncode
        self.messages = r.stderr.decode(errors="replace").splitlines()
        if self.code and any(os.path.exists(out[:-1] + e) for e in "ch"):
            self.why = "nncc failed and left an output file"
        return self.code == 0

    def refusal(self):
        """None when nncc refused this model properly, else a sentence. Proper: exit 1 and only lines of the form
        `model:node: error: text` (and notes)."""
        if self.why:
            return self.why
        if self.code != 1:
            return "nncc ended with %d%s" % (self.code, ": " + self.messages[0] if self.messages else "")
        file = re.escape(os.path.basename(self.path))
        form = re.compile(r"(.*/)?%s(:.+)?: (error|note): \S.*" % file)
        odd = [m for m in self.messages if not form.fullmatch(m)]
        if odd or not self.messages or ": error: " not in self.messages[0]:
            return "not a one-line error: %s" % (odd[0] if odd else "nothing")
        return None


def parallel(function, items):
    with ThreadPoolExecutor(JOBS) as pool:
        return list(pool.map(function, items))


def write_table(path, names):
    with open(path, "w") as f:
        f.write("#include <stddef.h>\n")
        f.writelines('#include "%s.h"\n' % n for n in names)
        f.write("static const nncc_model *const models[] = {%s};\n" % ", ".join("&%s_model" % n for n in names))


def batch_build(cases, c_dir, work, cc, flags):
    """One program of several models, driver.c and one C file that includes theirs, by the command cc (a list). None, or the
    compiler's words."""
    os.makedirs(work, exist_ok=True)
    names = [c.prefix for c in cases]
    write_table(os.path.join(work, "table.h"), names)
    with open(os.path.join(work, "models.c"), "w") as f:
        f.writelines('#include "%s.c"\n' % n for n in names)
    r = subprocess.run(cc + flags + ["-I" + work, "-I" + c_dir, "-o", os.path.join(work, "prog"),
                                     os.path.join(work, "models.c"), os.path.join(HERE, "driver.c"), "-lm"],
                       capture_output=True, timeout=3000)
    return None if r.returncode == 0 else r.stderr.decode(errors="replace")


def parse_run(text, cases):
    """Reads driver output into the cases; returns how many were started."""
    by_name, started, tensors = {c.prefix: c for c in cases}, 0, []
    for line in text.splitlines():
        word = line.split(" ")
        if word[0] == "run":
            started, tensors = started + 1, []
        elif word[0] == "tensor":
            tensors.append((word[1], int(word[2]), json.loads(word[5])))
        elif word[0] == "ok":
            case = by_name[word[1]]
            case.figures = {"arena": int(word[3]), "weights": int(word[5]), "macs": int(word[7])}
            case.why = check_tensors(case, tensors)
        elif word[0] == "bad":
            by_name[word[1].rstrip(":")].why = line.split(": ", 1)[1]
    return started


def check_tensors(case, tensors):
    """Compares the descriptor's tensors with the recorded arrays."""
    want = [("in", a) for a in case.inputs] + [("out", a) for a in case.outputs]
    if [t[0] for t in tensors] != [k for k, _ in want]:
        return "the descriptor has other tensors than the model"
    for (kind, dtype, dims), (_, a) in zip(tensors, want):
        expected = onnx.helper.np_dtype_to_tensor_dtype(a.dtype)
        if dtype != expected or dims != list(a.shape):
            return "%sput of type %d %s, expected %d %s" % (kind, dtype, dims, expected, list(a.shape))
    return None


def batch_run(cases, work, judge=None, emulator=()):
    """Runs the program of batch_build over all its cases, past crashes, and compares (as compare_outputs); case.why tells."""
    for c in cases:
        with open(os.path.join(work, c.prefix + ".in"), "wb") as f:
            f.write(b"".join(to_bytes(a) for a in c.inputs))
    start = 0
    while start < len(cases):
        r = subprocess.run([*emulator, os.path.join(work, "prog"), work, str(start)], capture_output=True, timeout=1800)
        started = parse_run(r.stdout.decode(errors="replace"), cases[start:])
        if r.returncode == 0:
            break
        start += max(started, 1)
        lines = r.stderr.decode(errors="replace").strip().splitlines()
        told = [m for m in lines if "ERROR" in m or "runtime error" in m] or lines[-1:] or ["no message"]
        cases[start - 1].why = "its C ended with %d: %s" % (r.returncode, told[0])
    for c in cases:
        if not c.why:
            c.why = compare_outputs(c, os.path.join(work, c.prefix + ".out"), judge)


def compare_outputs(case, path, judge=None):
    """Reads the outputs the driver wrote; what `judge` (differs) says of them."""
    try:
        with open(path, "rb") as f:
            raw = f.read()
    except FileNotFoundError:
        return "was not run"
    got, at = [], 0
    for a in case.outputs:
        size = len(to_bytes(a))
        got.append(from_bytes(raw[at:at + size], a.dtype, a.shape))
        at += size
    return (judge or differs)(got, case.outputs)
