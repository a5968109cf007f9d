"""Images per second of Tandem's training and evaluation beside PyTorch's, measured in turns."""

import json
import resource
import statistics
import subprocess
import sys
import time

import torch
import torch.nn.functional as F
from network import Network

BINARY = sys.argv[1]
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 5
ONLY = [int(case) for case in sys.argv[3:]]
SECONDS = 0.7
PAUSE = 0.02


class Tandem:
    """The bench of the project, asked line by line."""

    def __init__(self):
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([BINARY, "serve"], stdin=pipe, stdout=pipe, text=True)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def train(self, count):
        return self.ask(f"train {count}")["seconds"]

    def evaluate(self, count):
        return self.ask(f"evaluate {count}")["seconds"]


class Torch:
    """The same network, in channels_last, with SGD and momentum."""

    def __init__(self, case):
        self.network = Network(case["layers"]).to(memory_format=torch.channels_last)
        self.optimiser = torch.optim.SGD(self.network.parameters(), lr=0.01, momentum=0.9, foreach=True)
        size = case["size"]
        images = torch.rand(case["batch"], 3, size, size) * 3.4 - 1.7
        self.images = images.to(memory_format=torch.channels_last)
        self.labels = torch.arange(case["batch"]) % case["layers"][-1]["out"]

    def train(self, count):
        self.network.train()
        start = time.perf_counter()
        for _ in range(count):
            self.optimiser.zero_grad(set_to_none=True)
            F.cross_entropy(self.network(self.images), self.labels).backward()
            self.optimiser.step()
        return time.perf_counter() - start

    def least_memory(self):
        """Bytes that a step holds at once at least: parameters, gradients, momenta, and what backward needs."""
        kept = {}

        def keep(tensor):
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        self.network.train()
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = F.cross_entropy(self.network(self.images), self.labels)
        del loss
        for parameter in self.network.parameters():
            kept.pop(parameter.untyped_storage().data_ptr(), None)
        return sum(kept.values()) + 3 * sum(4 * parameter.numel() for parameter in self.network.parameters())

    def evaluate(self, count):
        self.network.eval()
        start = time.perf_counter()
        with torch.inference_mode():
            for _ in range(count):
                F.cross_entropy(self.network(self.images), self.labels)
        return time.perf_counter() - start


def in_turns(ours, theirs):
    """Seconds a batch of both, and the median of the rounds' ratios."""
    ours(1), theirs(1)
    counts = [max(1, round(SECONDS / run(1))) for run in (ours, theirs)]
    pairs = []
    for _ in range(ROUNDS):
        row = []
        for run, count in zip((ours, theirs), counts):
            time.sleep(PAUSE)
            row.append(run(count) / count)
        pairs.append(row)
    ratio = statistics.median(theirs / ours for ours, theirs in pairs)
    return [statistics.median(column) for column in zip(*pairs)], ratio


def main():
    torch.set_num_threads(len(__import__("os").sched_getaffinity(0)))
    torch.backends.cudnn.enabled = False
    torch.manual_seed(0)
    tandem = Tandem()
    peak = tandem.ask("peak 0")["flops"]
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads, {peak / 1e9:.0f} GFLOP/s")
    head = f"{'case':28}{'train':>9}{'of peak':>8}{'PyTorch':>9}{'ratio':>7}"
    print(head + f"{'evaluate':>11}{'PyTorch':>9}{'ratio':>7}{'MB':>7}{'PyTorch at least':>18}")
    worst = {}
    index = -1
    while True:
        index += 1
        if ONLY and index > max(ONLY):
            break
        case = tandem.ask(f"case {index}")
        if case is None:
            break
        if ONLY and index not in ONLY:
            continue
        batch = case["batch"]
        other = Torch(case)
        (ours, theirs), ratio = in_turns(tandem.train, other.train)
        memory = tandem.ask("memory 0")["bytes"]
        (fast, slow), forward = in_turns(tandem.evaluate, other.evaluate)
        share = 2 * case["macs"] * batch / ours / peak
        worst[case["name"]] = (ratio, forward)
        print(
            f"{case['name']:28}{batch / ours:9.0f}{share:8.0%}{batch / theirs:9.0f}{ratio:7.2f}"
            f"{batch / fast:11.0f}{batch / slow:9.0f}{forward:7.2f}{memory / 1e6:7.0f}"
            f"{other.least_memory() / 1e6:18.0f}",
            flush=True,
        )
    for which, name in enumerate(("train", "evaluate")):
        case = min(worst, key=lambda case: worst[case][which])
        print(f"worst {name}: {worst[case][which]:.2f} ({case})")


main()
