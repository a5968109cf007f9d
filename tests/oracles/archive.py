#!/usr/bin/env python3
"""Reads an archive of a store as docs/store.md describes it, and prints what is in it as JSON.

    archive.py FILE

Needs Python 3.9 and its standard library, and the `zstd` program or the `zstandard` package. Checks the
hashes if the `blake3` package is there.
"""

import hashlib
import io
import json
import shutil
import struct
import subprocess
import sys
import tarfile
import urllib.parse


def unpacked(path):
    """The bytes of the tar file."""
    if shutil.which("zstd"):
        return subprocess.run(["zstd", "-dcq", path], check=True, stdout=subprocess.PIPE).stdout
    import zstandard

    with open(path, "rb") as file:
        return zstandard.ZstdDecompressor().stream_reader(file).read()


def records(part):
    """The keys and values of a part of a tree."""
    at = 0
    while at < len(part):
        key, value = struct.unpack_from("<II", part, at)
        at += 8
        yield part[at : at + key], part[at + key : at + key + value]
        at += key + value


def main(path):
    try:
        from blake3 import blake3
    except ImportError:
        blake3 = None
    entries = tarfile.open(fileobj=io.BytesIO(unpacked(path)))
    names, trees, files = [], {}, {}
    for entry in entries:
        content = entries.extractfile(entry).read()
        kind, _, rest = entry.name.partition("/")
        if kind == "trees":
            tree, _, part = rest.partition("/")
            assert int(part) == 0 or tree in trees, entry.name
            trees.setdefault(tree, []).extend(records(content))
        elif kind == "files":
            files[rest] = len(content)
        elif entry.name == "manifest.json":
            manifest = json.loads(content)
        elif entry.name == "checksums":
            lines = [line.split("  ") for line in content.decode().splitlines()]
            assert [name for _, name in lines] == [name for name, _ in names]
            if blake3:
                assert [digest for digest, _ in lines] == [digest for _, digest in names]
            whole = blake3(content).hexdigest() if blake3 else None
        elif entry.name == "end.json":
            end = json.loads(content)
        names.append((entry.name, blake3(content).hexdigest() if blake3 else None))
    assert manifest["kind"] == "tandem store archive" and manifest["version"] == 1
    assert names[-1][0] == "end.json"
    assert whole is None or whole == end["blake3"]
    for tree, found in trees.items():
        total = {"records": len(found), "bytes": sum(len(k) + len(v) for k, v in found)}
        assert end["totals"]["trees"][tree] == total, (tree, total)
        assert [key for key, _ in found] == sorted({key for key, _ in found}), tree
    assert end["totals"]["files"] == len(files)
    digest = hashlib.sha256()
    for tree in sorted(trees):
        for key, value in trees[tree]:
            digest.update(struct.pack("<II", len(key), len(value)) + key + value)
    runs = {
        urllib.parse.unquote(key.decode()): json.loads(value)["status"]
        for key, value in trees["runs"]
    }
    result = {"trees": sorted(trees), "runs": runs, "files": sorted(files)}
    print(json.dumps(result, sort_keys=True))


if __name__ == "__main__":
    main(sys.argv[1])
