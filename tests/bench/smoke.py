#!/usr/bin/env python3
"""Whether run.py's figures are there and sane; never whether they are fast: smoke.py --nncc PATH --work DIR"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
try:
    import numpy as np
    import onnx
    import onnx.helper
    import cases
except ImportError as e:
    print("SKIP bench: %s (tests/run.sh installs it)" % e)
    sys.exit(77)

CASES = ["gemm_24", "conv3x3_c8", "softmax_16x64"]
CC = "gcc -O2 -Wall -Wextra -Wpedantic -Wshadow -Wmissing-prototypes -Wvla -Werror"


class Checks:
    def __init__(self):
        self.passed = self.failed = 0

    def that(self, holds, what):
        self.passed, self.failed = self.passed + bool(holds), self.failed + (not holds)
        if not holds:
            print("FAIL bench: %s" % what)


def run(nncc, *arguments):
    command = [sys.executable, os.path.join(HERE, "run.py"), "--nncc", nncc, "--cc", CC, "--rounds", "2", "--seconds", "0.02"]
    r = subprocess.run(command + list(arguments), capture_output=True, text=True, timeout=300)
    print(r.stdout + r.stderr)
    return r


def check_machine(c, machine):
    c.that(machine["isa"] in machine["fma_gflops"], "the peak is of an instruction set that was measured")
    c.that(all(0.1 < v < 1e5 for v in machine["fma_gflops"].values()), "peaks are numbers of GFLOP/s")
    c.that([v["level"] for v in machine["read_gbs"]] == ["L1", "L2", "L3", "memory"], "four levels of memory")
    c.that(all(0.1 < v["gbs"] < 1e5 for v in machine["read_gbs"]), "reading is a number of GB/s")


def check_case(c, f, with_ort):
    name = f["name"]
    c.that(0 < f["min_s"] <= f["median_s"] < 1, name + ": minimum and median")
    c.that(f["of_peak"] < 1.5 and f["of_roof"] < 2 and f["roof_s"] > 0, name + ": not beyond the peak and the roofline")
    c.that(abs(f["gflops"] * f["median_s"] - 2e-9 * f["macs"]) <= 1e-9 * f["macs"], name + ": GFLOP/s follow from MACs and time")
    c.that(f["code_bytes"] > 100 and f["c_bytes"] > 1000 and f["cc_s"] > 0 and f["nncc_s"] > 0, name + ": sizes and seconds")
    c.that(f["input_bytes"] > 0 and f["output_bytes"] > 0 and f["arena_bytes"] >= 0, name + ": bytes of tensors")
    c.that((f["ratio"] is not None and f["ratio"] > 0 and f["checked_by"] == "onnxruntime") if with_ort
           else (f["ratio"] is None and f["checked_by"] == "reference"), name + ": compared with ONNX Runtime where it is installed")
    inside = sum(r["seconds"] for r in f["regions"])
    c.that(f["regions"] and all(r["name"] and r["seconds"] > 0 for r in f["regions"]), name + ": regions have names and times")
    c.that(0.1 * f["median_s"] < inside < 10 * f["median_s"], name + ": regions take about as long as the whole")


def check_results(c, results):
    check_machine(c, results["machine"])
    by_name = {f["name"]: f for f in results["cases"]}
    c.that(list(by_name) == CASES, "all cases are there")
    for f in by_name.values():
        check_case(c, f, results["onnxruntime"])
    c.that(results["long_regions"] == {"long": 0, "predicted": 0, "near": 0} or results["long_regions"]["near"] <= len(CASES),
           "long regions are counted")
    gemm = by_name["gemm_24"]
    c.that(gemm["macs"] == 24 ** 3 and gemm["weight_bytes"] == 4 * 24 * 24, "MACs and weights of a product of matrices")
    vectors = any(isa.startswith("avx") for isa in results["machine"]["fma_gflops"])
    c.that(not vectors or all(r["predicted_s"] for r in gemm["regions"]), "a product of matrices has a prediction")


def check_plot(c, path, results):
    svg = xml.etree.ElementTree.parse(path).getroot()
    kinds = [e.get("class") for e in svg.iter() if e.get("class")]
    with_macs = [f["name"] for f in results["cases"] if f["macs"]]
    labels = [e.text for e in svg.iter() if e.get("class") == "name"]
    c.that(svg.tag == "{http://www.w3.org/2000/svg}svg", "the plot is SVG")
    c.that(kinds.count("point") == len(with_macs) and sorted(labels) == sorted(with_macs), "a point with a label for each case with MACs")
    c.that(kinds.count("roof") == 5, "roofs by arithmetic and four levels of memory")


def check_verdicts(c, nncc, work):
    """Wrong outputs are found, and what nncc refuses is no failure."""
    wrong = cases.write_operator("gemm_24", work)
    with open(os.path.join(wrong, "test_data_set_0", "output_0.pb"), "wb") as f:
        f.write(onnx.numpy_helper.from_array(np.zeros((24, 24), np.float32), "y").SerializeToString())
    r = run(nncc, wrong)
    c.that(r.returncode == 1 and "FAIL gemm_24: output 0:" in r.stdout and "0 timed, 1 failed" in r.stdout, "wrong outputs are a failure")
    refused = cases.write_operator("softmax_16x64", work)
    model = onnx.load(os.path.join(refused, "model.onnx"))
    model.graph.node[0].op_type = "Hardmax_of_nobody"
    onnx.save(model, os.path.join(refused, "model.onnx"))
    r = run(nncc, refused)
    c.that(r.returncode == 0 and "SKIP softmax_16x64: nncc: " in r.stdout and "1 skipped" in r.stdout, "what is refused is listed")


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--nncc", required=True)
    ap.add_argument("--work", required=True)
    a = ap.parse_args()
    shutil.rmtree(a.work, ignore_errors=True)
    os.makedirs(a.work)
    figures, plot, c = os.path.join(a.work, "figures.json"), os.path.join(a.work, "roofline.svg"), Checks()
    r = run(a.nncc, "--regions", "--json", figures, "--plot", plot, *CASES)
    if r.returncode == 77:
        return 77
    c.that(r.returncode == 0 and r.stdout.endswith("%d timed, 0 failed, 0 skipped\n" % len(CASES)), "run.py times all cases")
    if os.path.exists(figures) and os.path.exists(plot):
        with open(figures) as f:
            results = json.load(f)
        check_results(c, results)
        check_plot(c, plot, results)
    check_verdicts(c, os.path.abspath(a.nncc), a.work)
    print("%d passed, %d failed, 0 skipped" % (c.passed, c.failed))
    return c.failed > 0


if __name__ == "__main__":
    sys.exit(main())
