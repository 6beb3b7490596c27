"""A roofline as a plain SVG: MACs per byte against GFLOP/s, both logarithmic."""
import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 1000, 640, 70, 20, 40, 60
STYLE = """text { font: 12px sans-serif; fill: #222 } .title { font-size: 16px } .name { font-size: 10px }
.grid { stroke: #ddd } .axis { stroke: #222 } .roof { stroke: #06c; stroke-width: 1.5; fill: none }
.roof-name { fill: #06c } .point { fill: #c30 } .other { fill: none; stroke: #666 }"""


class Plane:
    """Logarithmic axes around all values, with room at the ends."""

    def __init__(self, xs, ys):
        self.x, self.y = (min(xs) / 1.5, max(xs) * 2), (min(ys) / 1.5, max(ys) * 1.5)

    def at(self, x, y):
        u = math.log(x / self.x[0]) / math.log(self.x[1] / self.x[0])
        v = math.log(y / self.y[0]) / math.log(self.y[1] / self.y[0])
        return LEFT + u * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - v * (HEIGHT - TOP - BOTTOM)


def marks(low, high):
    """1, 2, 5 and their multiples by powers of ten."""
    tens = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [m * 10.0 ** e for e in tens for m in (1, 2, 5) if low <= m * 10.0 ** e <= high]


def line(kind, a, b):
    return '<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>' % ((kind,) + a + b)


def text(kind, at, words, anchor="start"):
    return '<text class="%s" x="%.1f" y="%.1f" text-anchor="%s">%s</text>' % (kind, at[0], at[1], anchor, escape(words))


def axes(p):
    out = []
    for x in marks(*p.x):
        foot, head = p.at(x, p.y[0]), p.at(x, p.y[1])
        out += [line("grid", foot, head), text("", (foot[0], foot[1] + 18), "%g" % x, "middle")]
    for y in marks(*p.y):
        left, right = p.at(p.x[0], y), p.at(p.x[1], y)
        out += [line("grid", left, right), text("", (left[0] - 6, left[1] + 4), "%g" % y, "end")]
    return out + [text("", (WIDTH / 2, HEIGHT - 16), "multiply-accumulates per byte of weights, inputs and outputs", "middle"),
                  text("", (12, TOP - 10), "GFLOP/s")]


def roofs(p, peak, read):
    """The bound by arithmetic, and one by each level of memory: 2 GFLOP/s per GB/s and MAC/byte."""
    out, (low, high) = [], p.x
    for name, rate in read:
        ridge = min(max(peak / (2 * rate), low), high)
        first = max(low, p.y[0] / (2 * rate))
        if first < ridge:
            (x, y), end = p.at(first, 2 * rate * first), p.at(ridge, 2 * rate * ridge)
            angle = math.degrees(math.atan2(end[1] - y, end[0] - x))
            out += [line("roof", (x, y), end), '<g transform="translate(%.1f %.1f) rotate(%.1f)">' % (x, y, angle),
                    text("roof-name", (8, -4), "%s %.0f GB/s" % (name, rate)), "</g>"]
    fastest = min(max(peak / (2 * max(r for _, r in read)), low), high) if read else low
    out += [line("roof", p.at(fastest, peak), p.at(high, peak)),
            text("roof-name", (p.at(high, peak)[0], p.at(high, peak)[1] - 6), "%.0f GFLOP/s" % peak, "end")]
    return out


def free_place(at, words, taken):
    """Where a label beside a point overlaps none before it, as far as there is such a place."""
    for dy in (3, -7, 13, -17, 23, -27, 33, -37, 43):
        box = (at[0] + 6, at[1] + dy - 8, at[0] + 6 + 6 * len(words), at[1] + dy + 1)
        if not any(box[0] < t[2] and t[0] < box[2] and box[1] < t[3] and t[1] < box[3] for t in taken):
            break
    taken.append(box)
    return box[0], at[1] + dy


def roofline(title, peak, read, points):
    """The SVG's text. peak: GFLOP/s; read: [(level, GB/s)]; points: [(name, MACs/byte, GFLOP/s, GFLOP/s of the other or None)]."""
    ys = [peak] + [v for _, _, a, b in points for v in (a, b) if v]
    p = Plane([0.1, 20.0] + [x for _, x, _, _ in points], [peak / 50] + ys)
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">' % (WIDTH, HEIGHT, WIDTH, HEIGHT),
           "<style>%s</style>" % STYLE, '<rect width="100%" height="100%" fill="white"/>', text("title", (LEFT, 24), title)]
    out += axes(p) + roofs(p, peak, read)
    spots = [p.at(x, y) for _, x, a, b in points for y in (a, b) if y]
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in spots]
    for name, x, own, other in sorted(points, key=lambda q: -q[2]):
        at = p.at(x, own)
        if other:
            there = p.at(x, other)
            out.append('<circle class="other" cx="%.1f" cy="%.1f" r="3.5"/>' % there)
        out.append('<circle class="point" cx="%.1f" cy="%.1f" r="3.5"/>' % at)
        out.append(text("name", free_place(at, name, taken), name))
    return "\n".join(out + ["</svg>", ""])
