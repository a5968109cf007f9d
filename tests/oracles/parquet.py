"""Writes tests/golden/parquet.json: what pandas (by pyarrow and by fastparquet) and DuckDB read of an export.

    cargo build
    tests/oracles/parquet    # its virtual environment is target/parquet, with packages from PyPI

Runs a small experiment, exports it as CSV and as Parquet, and checks that each of the three reads the same
rows from the Parquet file that Python reads from the CSV file. The golden file holds the script, the
versions, and for each column its type in DuckDB, how many values it has and, of numbers, their sum; the suite
compares them with what the writer's own library reads.
"""

import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
import fastparquet
import pandas
import pyarrow

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "parquet.json"

SCRIPT = """\
fn space() { #{ x: choice([1, 2, 3, 4, 5, 6, 7, 8]), y: choice(["plain", "a, \\"b\\"", "é"]) } }
fn evaluate(p) {
    if p.x == 8 && p.y == "é" { throw "too large\\nby far"; }
    #{ accuracy: p.x / 10.0, latency_ms: p.x * 1.5 - 3.0 }
}
fn reward(m) { if m.latency_ms > 8.0 { reject(-1.0) } else { m.accuracy / 3.0 } }
fn schedule(run) { if run.phases == 0 { phase("all", #{ steps: 700, controller: random() }) } }
"""


def read_csv(path):
    """The rows of the CSV file with the types that the columns have."""
    kinds = {"step": int, "accuracy": float, "latency_ms": float, "reward": float, "valid": lambda text: text == "true"}
    with open(path, newline="") as file:
        return [
            {name: kinds.get(name, str)(value) if value != "" else None for name, value in row.items()}
            for row in csv.DictReader(file)
        ]


def plain(value):
    """A value of any of the libraries as Python's own."""
    if isinstance(value, bytes):
        return value.decode()
    if value is None or value is pandas.NA or value != value:
        return None
    return value.item() if hasattr(value, "item") else value


def main():
    tandem = ROOT / "target" / "debug" / "tandem"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "x.rhai").write_text(SCRIPT)
        call = lambda *arguments: subprocess.run([tandem, *arguments], cwd=folder, check=True, capture_output=True)
        call("run", "x.rhai")
        for kind in ["csv", "parquet"]:
            call("export", "x-1", "--no-effort", "--format", kind, "--output", f"x.{kind}")
        expected = read_csv(f"{folder}/x.csv")
        file = f"{folder}/x.parquet"
        for engine in ["pyarrow", "fastparquet"]:
            frame = pandas.read_parquet(file, engine=engine)
            found = [{name: plain(value) for name, value in row.items()} for row in frame.to_dict("records")]
            assert found == expected, engine
            assert frame["step"].dtype == "int64" or engine == "fastparquet" or frame["step"].dtype.kind == "i"
        relation = duckdb.sql(f"select * from '{file}'")
        found = [dict(zip(relation.columns, row)) for row in relation.fetchall()]
        assert found == expected, "duckdb"
        columns = []
        for name, kind in zip(relation.columns, relation.types):
            values = [row[name] for row in expected if row[name] is not None]
            number = str(kind) in ("DOUBLE", "BIGINT")
            columns.append({"name": name, "type": str(kind), "count": len(values), "sum": sum(values) if number else None})
    GOLDEN.write_text(
        json.dumps(
            {
                "how": "tests/oracles/parquet.py: pandas by pyarrow and fastparquet, and DuckDB, read the same rows "
                "from the Parquet export of the script as from its CSV export",
                "versions": {
                    "pandas": pandas.__version__,
                    "pyarrow": pyarrow.__version__,
                    "fastparquet": fastparquet.__version__,
                    "duckdb": duckdb.__version__,
                },
                "script": SCRIPT,
                "rows": len(expected),
                "columns": columns,
            },
            indent=1,
            ensure_ascii=False,
        )
        + "\n"
    )
    print(f"{len(expected)} rows are the same to pandas (pyarrow, fastparquet) and DuckDB")


if __name__ == "__main__":
    sys.exit(main())
