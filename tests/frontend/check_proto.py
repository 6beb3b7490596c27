#!/usr/bin/env python3
"""Compares frontend/onnx.proto with the descriptor of the installed `onnx` package: every message, field number, label,
type and enum value of ours must be there with the same meaning.

  check_proto.py [--proto PATH]

Ours has fewer fields; ONNX's oneofs are plain optional fields in it, which is the same encoding.
"""
import argparse
import os
import re
import sys

try:
    from onnx import onnx_ml_pb2
except ImportError as e:
    print("SKIP check_proto: %s (tests/run.sh installs it)" % e)
    sys.exit(77)

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
TYPES = {1: "double", 2: "float", 3: "int64", 4: "uint64", 5: "int32", 8: "bool", 9: "string", 12: "bytes", 13: "uint32"}
MESSAGE, ENUM = 11, 14
FIELD = re.compile(r"(optional|repeated) (\w+) (\w+) = (\d+)(?: \[packed = true\])?;$")


def parse(text):
    """Yields (path of the enclosing message or enum, kind, match or tuple) for each line of the schema."""
    path = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.split("//")[0].strip()
        block = re.match(r"(message|enum) (\w+) \{$", line)
        field, value = FIELD.match(line), re.match(r"(\w+) = (\d+);$", line)
        if block:
            path.append((block.group(1), block.group(2)))
            yield [n for _, n in path], block.group(1), block
        elif line == "}":
            path.pop()
        elif field and path and path[-1][0] == "message":
            yield [n for _, n in path], "field", field
        elif value and path and path[-1][0] == "enum":
            yield [n for _, n in path], "value", value
        elif line and not re.match(r'(syntax = "proto2"|package onnx);$', line):
            sys.exit("%d: cannot read %r" % (number, line))


def find(path):
    """ONNX's descriptor of a message or enum, by its path; None if there is none."""
    found = onnx_ml_pb2.DESCRIPTOR.message_types_by_name.get(path[0])
    for name in path[1:]:
        found = found and (found.nested_types_by_name.get(name) or found.enum_types_by_name.get(name))
    return found


def field_problem(descriptor, match):
    label, kind, name, number = match.groups()
    theirs = descriptor.fields_by_name.get(name)
    if theirs is None:
        return "is no field of ONNX's"
    repeated = theirs.label == 3 if hasattr(theirs, "label") else theirs.is_repeated
    type_name = {MESSAGE: lambda: theirs.message_type.name, ENUM: lambda: theirs.enum_type.name}.get(
        theirs.type, lambda: TYPES.get(theirs.type, "?"))()
    their_form = ("repeated" if repeated else "optional", type_name, theirs.number)
    if (label, kind, int(number)) != their_form:
        return "is %s %s = %s, in ONNX %s %s = %d" % ((label, kind, number) + their_form)
    return None


def problem(path, kind, match):
    descriptor = find(path)
    if descriptor is None:
        return "is no %s of ONNX's" % kind
    if kind == "field":
        return field_problem(descriptor, match)
    if kind == "value":
        theirs = descriptor.values_by_name.get(match.group(1))
        if theirs is None or theirs.number != int(match.group(2)):
            return "has another number in ONNX"
    return None


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--proto", default=os.path.join(ROOT, "frontend", "onnx.proto"))
    with open(ap.parse_args().proto, encoding="utf-8") as f:
        text = f.read()
    passed = failed = 0
    for path, kind, match in parse(text):
        why = problem(path, kind, match)
        passed, failed = passed + (why is None), failed + (why is not None)
        if why:
            print("FAIL check_proto: %s: %s %s" % (".".join(path), match.group(0), why))
    print("%d passed, %d failed, 0 skipped" % (passed, failed))
    return failed > 0 or passed < 50


if __name__ == "__main__":
    sys.exit(main())
