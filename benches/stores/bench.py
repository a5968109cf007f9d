"""Optuna's journal and SQLite storages beside the store, with the same trials; called by benches/stores/run.

Every trial has the option of each choice as a parameter, the two texts and the four metrics as attributes, and
the reward as its value. The question is the ten fastest trials above an accuracy and below a latency; each
storage answers it in a process of its own, whose time counts from its start to its end.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BUDGET_S = 180


def storage_of(kind, folder):
    import optuna
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if kind == "journal":
        return JournalStorage(JournalFileBackend(f"{folder}/journal.log"))
    return RDBStorage(f"sqlite:///{folder}/optuna.db")


def fill(kind, folder, trials):
    """Adds trials until the time is up; gives how many, and the seconds that they took."""
    import optuna

    study = optuna.create_study(storage=storage_of(kind, folder), study_name="bench", direction="maximize")
    sizes = [max(column) + 2 for column in zip(*(trial["point"] for trial in trials))]
    kinds = {f"choice{i}": optuna.distributions.IntDistribution(0, size) for i, size in enumerate(sizes)}
    started, count = time.perf_counter(), 0
    for trial in trials:
        study.add_trial(
            optuna.trial.create_trial(
                params={f"choice{i}": option for i, option in enumerate(trial["point"])},
                distributions=kinds,
                user_attrs={**trial["text"], **trial["metrics"]},
                value=trial["reward"],
            )
        )
        count += 1
        if time.perf_counter() - started > BUDGET_S:
            break
    return count, time.perf_counter() - started


def answer(kind, folder):
    import optuna

    study = optuna.load_study(study_name="bench", storage=storage_of(kind, folder))
    found = [
        trial
        for trial in study.get_trials(deepcopy=False)
        if trial.user_attrs["accuracy"] > 0.93 and trial.user_attrs["latency_ms"] < 100
    ]
    found.sort(key=lambda trial: trial.user_attrs["latency_ms"])
    print(json.dumps([trial.number for trial in found[:10]]))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)


def main():
    if sys.argv[1] == "answer":
        return answer(sys.argv[2], sys.argv[3])
    bench, trials = sys.argv[1], int(sys.argv[2])
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        dumped = f"{folder}/trials.jsonl"
        subprocess.run([bench, "dump", str(trials), dumped], check=True)
        lines = [json.loads(line) for line in open(dumped)]
        for kind in ["journal", "sqlite"]:
            place = Path(folder) / kind
            place.mkdir()
            count, seconds = fill(kind, place, lines)
            best = None
            for _ in range(3):
                started = time.perf_counter()
                run = subprocess.run(
                    [sys.executable, __file__, "answer", kind, str(place)], capture_output=True, text=True, check=True
                )
                took = time.perf_counter() - started
                if best is None or took < best[0]:
                    best = (took, int(run.stderr.split()[-1]) / 1024)
            size = sum(file.stat().st_size for file in place.iterdir()) / count
            ours = json.loads(subprocess.run([bench, "json", str(count)], check=True, capture_output=True).stdout)
            rows.append((kind, count, seconds / count * 1e6, best[0] * 1e3, best[1], size, ours))
    for kind, count, append_us, ms, mib, size, ours in rows:
        first = ours["answers"][0]
        print(f"\nOptuna, {kind}, {count} trials     Optuna       this   ratio")
        for what, theirs, own in [
            ("appending, us a trial", append_us, ours["append_us"]),
            ("loading and answering, ms", ms, first["ms"]),
            ("peak of memory, MiB", mib, first["peak_mib"]),
            ("on the disk, bytes a trial", size, ours["bytes"]),
        ]:
            print(f"{what:30} {theirs:10.1f} {own:10.1f} {theirs / own:7.1f}")


main()
