"""Writes tests/golden/training.json: what PyTorch makes of a hundred steps of training.

    cargo bench --bench training --no-run
    python3 tests/oracles/training.py target/release/deps/training-...    # needs PyTorch and numpy

Weights and images come from a generator that both sides have, `noise`. The file holds, for each network,
the losses of 100 steps of SGD (rate 0.0005, momentum 0.9, Nesterov, decay 5e-4 of weights alone, label
smoothing 0.1), and the logits of the first batch in evaluation afterwards, in f64. Training magnifies rounding
from step to step; how far PyTorch's own f32 is from its f64 is in the file too: the largest relative difference
of a loss within the first 20 steps and after, and of a logit, relative to the largest.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benches" / "pytorch"))
from network import Network  # noqa: E402

STEPS, BATCHES = 100, 7
MASK = (1 << 64) - 1


def noise(seed, count, scale):
    """Numbers in [-scale, scale) of Knuth's linear congruential generator, 24 bits each."""
    state, values = seed, np.empty(count, dtype=np.float32)
    for i in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) & MASK
        values[i] = np.float32((state >> 40) / 2**23 - 1) * np.float32(scale)
    return values


def describe(binary):
    """The networks, as the bench describes them."""
    asked = subprocess.run(
        [binary, "serve"], input="golden 0\ngolden 1\n", capture_output=True, text=True, check=True
    )
    return [json.loads(line) for line in asked.stdout.splitlines()]


def fill(network):
    """Sets all weights, layer by layer; biases and normalisations stay as they are made."""
    seed = 1
    for index, layer in enumerate(network.layers):
        if str(index) not in network.convolutions:
            continue
        module = network.convolutions[str(index)]
        weight = module.weight.data
        scale = (6.0 / (weight.numel() / weight.shape[0])) ** 0.5
        weight.copy_(torch.from_numpy(noise(seed, weight.numel(), scale)).view_as(weight))
        if module.bias is not None:
            module.bias.data.zero_()
        seed += 1


def train(case, dtype):
    network = Network(case["layers"]).to(dtype)
    fill(network)
    decayed = [p for n, p in network.named_parameters() if p.dim() > 1]
    others = [p for n, p in network.named_parameters() if p.dim() <= 1]
    groups = [{"params": decayed, "weight_decay": 5e-4}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.SGD(groups, lr=0.0005, momentum=0.9, nesterov=True)
    batch, size = case["batch"], case["size"]
    shape = (batch, size, size, 3)
    batches = []
    for index in range(BATCHES):
        images = noise(100 + index, int(np.prod(shape)), 1.7).reshape(shape)
        labels = (torch.arange(batch) * 7 + index) % 10
        # Something to learn: each class is a shade brighter.
        images += (labels.numpy().reshape(-1, 1, 1, 1) * np.float32(0.125)).astype(np.float32)
        images = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous().to(dtype)
        batches.append((images, labels))
    losses = []
    network.train()
    for step in range(STEPS):
        images, labels = batches[step % BATCHES]
        optimiser.zero_grad()
        loss = F.cross_entropy(network(images), labels, label_smoothing=0.1)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    network.eval()
    with torch.no_grad():
        logits = network(batches[0][0])
    return np.array(losses), logits.flatten().double().numpy()


def compare(case):
    """The case in f64, and how far f32 is from that."""
    losses, logits = train(case, torch.float64)
    rough_losses, rough_logits = train(case, torch.float32)
    apart = np.abs(rough_losses - losses) / losses
    deviation = [apart[:20].max(), apart[20:].max(), np.abs(rough_logits - logits).max() / np.abs(logits).max()]
    print(case["name"], losses[0], losses[-1], deviation)
    return {
        "name": case["name"],
        "losses": losses.tolist(),
        "logits": logits.tolist(),
        "deviation": [float(value) for value in deviation],
    }


def main():
    torch.use_deterministic_algorithms(True)
    networks = [compare(case) for case in describe(sys.argv[1])]
    made = f"tests/oracles/training.py with PyTorch {torch.__version__}"
    text = json.dumps({"made_by": made, "networks": networks})
    (ROOT / "tests" / "golden" / "training.json").write_text(text + "\n")


main()
