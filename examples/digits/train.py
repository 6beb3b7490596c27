#!/usr/bin/env python3
"""Trains the network of this example and writes model.onnx and digits.bin.

    python3 -m venv venv
    venv/bin/pip install torch==2.15.0 scikit-learn==1.9.1 onnx==1.23.2 onnxruntime==1.31.1
    venv/bin/python train.py OUTDIR

The data are the 1,797 handwritten digits that scikit-learn carries (see DATA.md).  A fixed
permutation holds 450 of them out; digits.bin is these, in the form picture.h describes.  The
network never sees them.  The others are shifted, scaled, turned and made noisy anew in every
epoch.  Training takes half a minute on one core.

With these versions the two files come out byte for byte as they are here.  Torch promises that
for one version on one kind of machine only: elsewhere expect other weights and an accuracy close
to the one here.
"""
import os
import sys

import numpy as np
import onnx
import onnxruntime
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

HELD_OUT = 450
EPOCHS, BATCH, RATE = 40, 64, 3e-3
JITTER = 0.7  # how far the training pictures are moved about, 0 is not at all


def load():
    """(pictures, answers) to train on and held out; pictures N x 1 x 8 x 8 in 0..1."""
    data = load_digits()
    order = np.random.RandomState(0).permutation(len(data.target))
    pictures = (data.images / 16).astype(np.float32)[:, None]
    answers = data.target.astype(np.int64)
    test, train = order[:HELD_OUT], order[HELD_OUT:]
    return pictures[train], answers[train], pictures[test], answers[test]


def write_pictures(path, pictures, answers):
    """Records of 65 bytes: the answer, then 64 pixels 0..16."""
    pixels = np.rint(pictures * 16).astype(np.uint8).reshape(len(answers), -1)
    assert (pixels.astype(np.float32) / 16 == pictures.reshape(pixels.shape)).all()
    np.concatenate([answers.astype(np.uint8)[:, None], pixels], axis=1).tofile(path)


def network():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(256, 64), nn.ReLU(),
        nn.Linear(64, 10))


def jitter(x, rng, amount):
    """Turns, scales and shifts each picture of a batch at random and adds noise."""
    n = x.shape[0]
    angle = (torch.rand(n, generator=rng) - .5) * .35 * amount
    scale = 1 + (torch.rand(n, generator=rng) - .5) * .25 * amount
    shift = (torch.rand(n, 2, generator=rng) - .5) * .3 * amount
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    matrix = torch.stack([torch.stack([cos, -sin, shift[:, 0]], -1),
                          torch.stack([sin, cos, shift[:, 1]], -1)], 1)
    grid = F.affine_grid(matrix, list(x.shape), align_corners=False)
    moved = F.grid_sample(x, grid, align_corners=False)
    return (moved + .06 * amount * torch.randn(moved.shape, generator=rng)).clamp(0, 1)


def train(net, pictures, answers):
    rng = torch.Generator().manual_seed(1)
    optimizer = torch.optim.AdamW(net.parameters(), RATE, weight_decay=.02)
    steps = EPOCHS * -(-len(pictures) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    pictures, answers = torch.as_tensor(pictures), torch.as_tensor(answers)
    net.train()
    for _ in range(EPOCHS):
        order = torch.randperm(len(pictures), generator=rng)
        for k in range(0, len(pictures), BATCH):
            batch = order[k:k + BATCH]
            logits = net(jitter(pictures[batch], rng, JITTER))
            loss = F.cross_entropy(logits, answers[batch], label_smoothing=.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    net.eval()


class Named(nn.Module):
    """Gives the nodes of the exported graph the prefix /f, as model.onnx has it."""

    def __init__(self, net):
        super().__init__()
        self.f = net

    def forward(self, x):
        return self.f(x)


def export(path, net, example):
    torch.onnx.export(Named(net), (torch.as_tensor(example),), path, dynamo=False, opset_version=17,
                      input_names=['input'], output_names=['logits'])
    model = onnx.load(path)
    for node in model.graph.node:  # the exporter notes source lines of this machine
        node.doc_string = ''
        del node.metadata_props[:]
    onnx.save(model, path)


def count_right(path, pictures, answers):
    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    logits = [session.run(None, {'input': p[None]})[0][0] for p in pictures]
    return int((np.argmax(logits, axis=1) == answers).sum())


def main():
    out = sys.argv[1]
    os.makedirs(out, exist_ok=True)
    torch.set_num_threads(1)
    pictures, answers, test_pictures, test_answers = load()
    write_pictures(os.path.join(out, 'digits.bin'), test_pictures, test_answers)
    torch.manual_seed(3)
    net = network()
    train(net, pictures, answers)
    model = os.path.join(out, 'model.onnx')
    export(model, net, test_pictures[:1])
    right = count_right(model, test_pictures, test_answers)
    print('%d of %d right = %.4f' % (right, HELD_OUT, right / HELD_OUT))


if __name__ == '__main__':
    main()
