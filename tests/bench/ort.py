"""Times a model in ONNX Runtime, one thread: ort.py MODEL INPUTS.npz OUTPUTS.npz

INPUTS.npz has the inputs in order; OUTPUTS.npz gets the outputs. Prints `ready`, then answers `time SECONDS` as bench.c
does. Inputs and outputs are bound once; a call from Python takes about a microsecond.
"""
import os
import sys
import time

import numpy as np
import onnxruntime


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def bind(s, inputs):
    """A function that runs it, and its outputs."""
    binding = s.io_binding()
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(a) for a in inputs]
    names = [i.name for i in s.get_inputs()]
    for name, value in zip(names, values):
        binding.bind_ortvalue_input(name, value)
    outputs = [onnxruntime.OrtValue.ortvalue_from_numpy(a) for a in s.run(None, dict(zip(names, inputs)))]
    for o, value in zip(s.get_outputs(), outputs):
        binding.bind_ortvalue_output(o.name, value)
    return (lambda keep=values: s.run_with_iobinding(binding)), outputs


def time_runs(run, seconds):
    clock, samples = time.perf_counter, []
    end = clock() + seconds
    while len(samples) < 3 or (clock() < end and len(samples) < 100000):
        start = clock()
        run()
        samples.append(clock() - start)
    samples.sort()
    return samples[len(samples) // 2], samples[0], len(samples)


def main():
    reply = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)                                        # what ONNX Runtime prints is no answer
    try:
        with np.load(sys.argv[2]) as f:
            inputs = [f["arr_%d" % k] for k in range(len(f.files))]
        run, outputs = bind(session(sys.argv[1]), inputs)
        run()
        np.savez(sys.argv[3], *[o.numpy() for o in outputs])
    except Exception as e:                               # whatever it cannot do is said in one line
        reply.write("%s: %s\n" % (type(e).__name__, str(e).replace("\n", " ")[:200]))
        return 1
    reply.write("ready\n")
    for line in sys.stdin:
        reply.write("%.9g %.9g %d\n" % time_runs(run, float(line.split()[1])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
