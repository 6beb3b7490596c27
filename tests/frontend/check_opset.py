#!/usr/bin/env python3
"""Proves frontend/opset.def against the history of operators in the installed `onnx` package.

  check_opset.py

Each change of an operator after opset 7 must have a row, UPGRADE or SAME, and each row a change. Where a row says SAME,
a node of the older form must be one of the newer form as far as schemas tell: no attribute lost, no default changed, no
operand moved or newly required.
"""
import os
import re
import sys
from collections import defaultdict

try:
    import onnx
    from onnx import defs
except ImportError as e:
    print("SKIP check_opset: %s (tests/run.sh installs it)" % e)
    sys.exit(77)

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
OLDEST = 7
READ_ELSEWHERE = {"Constant"}  # onnx.c knows every form


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as f:
        return f.read()


def read_rows():
    """{(operator, since): "UPGRADE" or "SAME"}, and the rows that stand there twice."""
    rows, twice = {}, []
    for op, since in re.findall(r"^UPGRADE\((\w+), +(\d+),", read("frontend", "opset.def"), re.M):
        twice += [(op, int(since))] * ((op, int(since)) in rows)
        rows[op, int(since)] = "UPGRADE"
    for op, versions in re.findall(r'^SAME\((\w+), +"([\d ]+)"\)', read("frontend", "opset.def"), re.M):
        for since in map(int, versions.split()):
            twice += [(op, since)] * ((op, since) in rows)
            rows[op, since] = "SAME"
    return rows, twice


def changes():
    """{(operator, since): (older schema, newer schema)} of ONNX's own domain."""
    history = defaultdict(list)
    for schema in defs.get_all_schemas_with_history():
        if schema.domain == "" and schema.name not in READ_ELSEWHERE:
            history[schema.name].append(schema)
    found = {}
    for name, schemas in history.items():
        schemas.sort(key=lambda s: s.since_version)
        for old, new in zip(schemas, schemas[1:]):
            if new.since_version > OLDEST:
                found[name, new.since_version] = (old, new)
    return found


def default_of(attribute):
    value = attribute.default_value
    return onnx.helper.get_attribute_value(value) if value.type else None


def lost(old, new):
    """Why a node of the old form is none of the new one; None when it is."""
    if new.deprecated:
        return "the operator is deprecated"
    for name, attribute in old.attributes.items():
        now = new.attributes.get(name)
        if now is None:
            return "attribute %s is gone" % name
        if now.type != attribute.type or default_of(now) != default_of(attribute):
            return "attribute %s has another type or default" % name
    for name, attribute in new.attributes.items():
        if name not in old.attributes and attribute.required:
            return "attribute %s is required" % name
    for before, now in zip(list(old.inputs) + list(old.outputs), list(new.inputs)[:len(old.inputs)] + list(new.outputs)):
        if before.name != now.name:
            return "%s has become %s" % (before.name, now.name)
    if len(new.inputs) < len(old.inputs) or len(new.outputs) < len(old.outputs):
        return "an input or output is gone"
    optional = defs.OpSchema.FormalParameterOption.Optional
    if any(p.option != optional for p in list(new.inputs)[len(old.inputs):]):
        return "an input is required"
    return None


def problems():
    rows, twice = read_rows()
    all_changes = changes()
    newest = int(re.search(r"#define OP_NEWEST_OPSET (\d+)", read("ir", "op.h")).group(1))
    newest_ir = int(re.search(r"NEWEST_IR = (\d+)", read("frontend", "model.h")).group(1))
    if newest != defs.onnx_opset_version():
        yield "OP_NEWEST_OPSET is %d, onnx has %d" % (newest, defs.onnx_opset_version())
    if newest_ir != onnx.IR_VERSION:
        yield "NEWEST_IR is %d, onnx has %d" % (newest_ir, onnx.IR_VERSION)
    for op, since in twice:
        yield "%s %d stands there twice" % (op, since)
    for op, since in sorted(rows.keys() - all_changes.keys()):
        yield "%s did not change at opset %d" % (op, since)
    for (op, since), (old, new) in sorted(all_changes.items()):
        row = rows.get((op, since))
        why = lost(old, new) if row == "SAME" else None
        if row is None:
            yield "%s changed at opset %d: no row" % (op, since)
        elif why:
            yield "%s %d is not the same: %s" % (op, since, why)


def main():
    failures = list(problems())
    for text in failures:
        print("FAIL check_opset: %s" % text)
    print("%d passed, %d failed, 0 skipped" % (len(changes()) - min(len(failures), len(changes())), len(failures)))
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
