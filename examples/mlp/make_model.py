#!/usr/bin/env python3
"""Trains the network of this example, writes model.onnx and prints the answers main.c expects.

    python3 -m venv venv && venv/bin/pip install numpy==2.4.6 onnx==1.23.2
    venv/bin/python make_model.py

Two half moons lie in a plane, one inside the bend of the other; no straight line parts them.  The
network is told a point and says how likely it is that the point belongs to the lower moon:

    point[1,2] -> Gemm -> Relu -> Gemm -> Sigmoid -> lower[1,1]          3 hidden neurons

Gradient descent by hand, in numpy.  At the end the weights are rounded to halves, so that a reader
can follow the 13 numbers with a pencil.  Three neurons are just enough: most seeds end in a corner
and miss one point in ten, this one does not.
"""
import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HIDDEN, STEPS, RATE, SEED = 3, 3000, 0.05, 1
POINTS = [(0, 1), (1, 0.5), (-1, 0), (0.5, 0.25), (0.5, 0.3), (0, 0.5), (1, -0.5), (2, 0.5)]


def moons(n, noise, rng):
    """n points on each moon, and their answers: 0 upper, 1 lower."""
    t = np.pi * rng.random_sample(n)
    upper = np.stack([np.cos(t), np.sin(t)], 1)
    lower = np.stack([1 - np.cos(t), 0.5 - np.sin(t)], 1)
    x = np.concatenate([upper, lower]) + noise * rng.standard_normal((2 * n, 2))
    return x, np.repeat([0.0, 1.0], n)[:, None]


def forward(x, w1, b1, w2, b2):
    """(hidden layer, probability)"""
    hidden = np.maximum(x @ w1 + b1, 0)
    return hidden, 1 / (1 + np.exp(-(hidden @ w2 + b2)))


def train(x, y, rng):
    """Adam on the cross entropy of all points at once."""
    weights = [rng.standard_normal((2, HIDDEN)), rng.standard_normal(HIDDEN),
               rng.standard_normal((HIDDEN, 1)), np.zeros(1)]
    mean = [np.zeros_like(w) for w in weights]
    square = [np.zeros_like(w) for w in weights]
    for step in range(1, STEPS + 1):
        w1, b1, w2, b2 = weights
        hidden, p = forward(x, w1, b1, w2, b2)
        d2 = (p - y) / len(x)
        d1 = (d2 @ w2.T) * (hidden > 0)
        for k, g in enumerate([x.T @ d1, d1.sum(0), hidden.T @ d2, d2.sum(0)]):
            mean[k] = 0.9 * mean[k] + 0.1 * g
            square[k] = 0.999 * square[k] + 0.001 * g * g
            rate = RATE * np.sqrt(1 - 0.999 ** step) / (1 - 0.9 ** step)
            weights[k] = weights[k] - rate * mean[k] / (np.sqrt(square[k]) + 1e-8)
    return [(np.rint(w * 2) / 2).astype(np.float32) for w in weights]


def write_onnx(path, weights):
    names = ['hidden.weight', 'hidden.bias', 'output.weight', 'output.bias']
    graph = helper.make_graph(
        [helper.make_node('Gemm', ['point', names[0], names[1]], ['sum'], name='hidden'),
         helper.make_node('Relu', ['sum'], ['bent'], name='relu'),
         helper.make_node('Gemm', ['bent', names[2], names[3]], ['score'], name='output'),
         helper.make_node('Sigmoid', ['score'], ['lower'], name='sigmoid')],
        'moons',
        [helper.make_tensor_value_info('point', TensorProto.FLOAT, [1, 2])],
        [helper.make_tensor_value_info('lower', TensorProto.FLOAT, [1, 1])],
        [numpy_helper.from_array(w, name) for w, name in zip(weights, names)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8,
                              producer_name='make_model.py')
    onnx.checker.check_model(model)
    onnx.save(model, path)


def main():
    rng = np.random.RandomState(SEED)
    weights = train(*moons(200, 0.08, rng), rng)
    write_onnx(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'model.onnx'), weights)
    x, y = moons(5000, 0.08, np.random.RandomState(SEED + 1))
    _, p = forward(x, *weights)
    print('%d of %d new points right' % (((p > 0.5) == y).sum(), len(x)))
    for w in weights:
        print(w)
    for point in POINTS:
        _, p = forward(np.array([point]), *weights)
        print('    {%5.2ff, %5.2ff, %.6ff},' % (*point, p[0, 0]))


if __name__ == '__main__':
    main()
