#!/usr/bin/env python3
"""Writes tests/golden/chaidnn.json: latencies and block counts of random pairs by the reference model.

    chaidnn.py [--reference FOLDER] [--output FILE]
    chaidnn.py --time        prints the microseconds of one estimate by the reference model instead

FOLDER holds model.py, area.py and networks.py of the reference model of CHaiDNN (default
../shared/reference/chaidnn beside the project). Needs Python 3.9 and its standard library. The
random numbers are seeded: the same reference gives the same file.

The reference has one convolution engine. Two of them (ratio_conv_engines below 1) are put together
here from its parts: an engine for kernels above 1x1 with round(PP * ratio) pixels and one for 1x1
kernels with the others, weight ports at half their rate, one more queue.
"""

import argparse
import dataclasses
import json
import pathlib
import random
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
PAIRS_PER_NETWORK = 60


def space():
    """Every configuration in the order of the space's parameters, as a tuple."""
    return [
        (kp, pp, i, w, o, pool, port, ratio)
        for kp in (8, 16)
        for pp in (4, 8, 16, 32, 64)
        for i in (1024, 2048, 4096, 8192)
        for w in (1024, 2048, 4096)
        for o in (1024, 2048, 4096)
        for pool in (1, 0)
        for port in (256, 512)
        for ratio in (1, 0.75, 0.67, 0.5, 0.33, 0.25)
    ]


def text(c):
    kp, pp, i, w, o, pool, port, ratio = c
    kind = "pool" if pool else "nopool"
    return f"{kp}x{pp}-i{i // 1024}K-w{w // 1024}K-o{o // 1024}K-m{port}-{kind}-r{ratio}"


def nasbench201(names):
    """The operations of a NAS-Bench-201 network, written from the benchmark's description.

    Operations that lead nowhere are left out; every cell given must have a path to its output.
    """
    layers = []

    def add(kind, name, deps, size, cin, cout, kernel=1, stride=1):
        out = size // stride
        layers.append(dict(kind=kind, name=name, deps=sorted(set(deps)), H=size, W=size, Cin=cin,
                           OH=out, OW=out, Cout=cout, K=kernel, S=stride, g=1))
        return name

    def cell(tag, source, size, width):
        edges = dict(zip([(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)], names))
        fed, used = {0}, {3}
        for (a, b), op in edges.items():
            if a in fed and op != "none":
                fed.add(b)
        for (a, b), op in reversed(list(edges.items())):
            if b in used and op != "none":
                used.add(a)
        node = {0: source}
        for target in (1, 2, 3):
            if target not in fed or target not in used:
                continue
            terms = []
            for origin in range(target):
                op = edges[origin, target]
                if op == "none" or origin not in fed:
                    continue
                name = f"{tag}.{origin}{target}"
                if op == "skip_connect":
                    terms.append(node[origin])
                elif op == "avg_pool_3x3":
                    terms.append(add("avgpool", name, [node[origin]], size, width, width, 3))
                else:
                    kernel = 3 if op == "nor_conv_3x3" else 1
                    terms.append(add("conv", name, [node[origin]], size, width, width, kernel))
            total = terms[0]
            for index, term in enumerate(terms[1:]):
                total = add("eltwise", f"{tag}.{target}+{index}", [total, term], size, width, width)
            node[target] = total
        return node[3]

    x = add("conv", "stem", [], 32, 3, 16, 3)
    for stage in range(3):
        size, width = 32 >> stage, 16 << stage
        if stage:
            a = add("conv", f"r{stage}a", [x], 2 * size, width // 2, width, 3, 2)
            b = add("conv", f"r{stage}b", [a], size, width, width, 3)
            p = add("avgpool", f"r{stage}p", [x], 2 * size, width // 2, width // 2, 2, 2)
            s = add("conv", f"r{stage}s", [p], size, width // 2, width, 1)
            x = add("eltwise", f"r{stage}+", [b, s], size, width, width)
        for index in range(5):
            x = cell(f"s{stage}c{index}", x, size, width)
    layers.append(dict(kind="avgpool", name="pool", deps=[x], H=8, W=8, Cin=64, OH=1, OW=1,
                       Cout=64, K=8, S=8, g=1))
    return layers


def random_network(rng):
    """Operations of random sizes with random dependencies."""
    layers = []
    for index in range(rng.randint(3, 24)):
        kind = rng.choice(["conv"] * 5 + ["maxpool", "avgpool", "eltwise"])
        height, width = rng.choice([1, 4, 7, 8, 13, 16, 28, 32, 55, 112, 227]), None
        width = height if rng.random() < 0.7 else rng.choice([1, 5, 8, 16, 33, 64])
        channels = rng.choice([1, 2, 3, 4, 7, 16, 21, 32, 43, 64, 96, 128, 256, 384, 512, 1024])
        kernel = min(rng.choice([1, 1, 2, 3, 3, 5, 7, 11]), height, width)
        stride = rng.choice([1, 1, 2, 4]) if kernel > 1 else rng.choice([1, 1, 2])
        groups, outputs = 1, channels
        if kind == "conv":
            outputs = rng.choice([1, 8, 10, 16, 24, 32, 43, 64, 128, 256, 512])
            if channels % 2 == 0 and outputs % 2 == 0 and rng.random() < 0.15:
                groups = 2
        if kind == "eltwise":
            kernel = stride = 1
        padding = kernel // 2
        rows = (height + 2 * padding - kernel) // stride + 1
        columns = (width + 2 * padding - kernel) // stride + 1
        deps = sorted(rng.sample(range(index), min(index, rng.randint(0, 3))))
        layers.append(dict(kind=kind, name=str(index), deps=[str(d) for d in deps], H=height,
                           W=width, Cin=channels, OH=rows, OW=columns, Cout=outputs, K=kernel,
                           S=stride, g=groups))
    return layers


def latency_us(model, layers, c, bits, clock):
    """Latency of one batch, or None if an operation does not fit the buffers."""
    kp, pp, i, w, o, pool, port, ratio = c
    cfg = model.Cfg(KP=kp, PP=pp, I=i, W=w, O=o, pool=pool, f=clock, bits=bits, wbits=port)
    constants = model.Th()
    if ratio == 1:
        return model.network_us(layers, cfg, constants)
    large = int(pp * ratio + 0.5)
    halved = dataclasses.replace(constants, rate=constants.rate / 2)
    engines = {"conv": dataclasses.replace(cfg, PP=large),
               "pointwise": dataclasses.replace(cfg, PP=pp - large)}
    durations, queues = {}, {"conv": [], "pointwise": [], "pool": []}
    for layer in layers:
        pointwise = layer["kind"] == "conv" and layer["K"] == 1
        duration, engine = model.op_us(layer, engines["pointwise" if pointwise else "conv"], halved)
        if duration is None:
            return None
        durations[layer["name"]] = duration
        queues["pointwise" if pointwise else engine].append(layer)
    done, free = {}, dict.fromkeys(queues, 0.0)
    while any(queues.values()):
        for engine, queue in queues.items():
            if queue and all(d in done for d in queue[0]["deps"]):
                layer = queue.pop(0)
                start = max([free[engine]] + [done[d] for d in layer["deps"]])
                done[layer["name"]] = free[engine] = start + durations[layer["name"]]
    return max(done.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = HERE.parent.parent
    parser.add_argument("--reference", type=pathlib.Path,
                        default=root.parent / "shared/reference/chaidnn")
    parser.add_argument("--output", type=pathlib.Path, default=root / "tests/golden/chaidnn.json")
    parser.add_argument("--time", action="store_true", help="print microseconds a pair, write nothing")
    options = parser.parse_args()
    sys.path.insert(0, str(options.reference))
    import area
    import model
    import networks

    rng = random.Random(2002_05022)
    named = {name: build() for name, build in networks.NETS.items()}
    operations = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    cells = ["nor_conv_3x3 none nor_conv_3x3 skip_connect none skip_connect".split()]
    while len(cells) < 15:
        names = [rng.choice(operations) for _ in range(6)]
        paths = [(3,), (0, 4), (1, 5), (0, 2, 5)]
        if any(all(names[edge] != "none" for edge in path) for path in paths):
            cells.append(names)
    for names in cells:
        arch = "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|".format(*names)
        named[arch] = nasbench201(names)
    for index in range(21):
        named[f"random {index}"] = random_network(rng)

    configurations = space()
    if options.time:
        networks = [nasbench201(names) for names in cells]
        chosen = configurations[::97]
        start = time.perf_counter()
        for layers in networks:
            for c in chosen:
                latency_us(model, layers, c, 8, 100.0)
        print(1e6 * (time.perf_counter() - start) / (len(networks) * len(chosen)))
        return
    result = []
    for name, layers in named.items():
        index = {layer["name"]: i for i, layer in enumerate(layers)}
        rows = [
            [layer["kind"], *(layer[key] for key in ("H", "W", "Cin", "OH", "OW", "Cout", "K", "S", "g")),
             [index[d] for d in layer["deps"]]]
            for layer in layers
        ]
        pairs = []
        for c in rng.sample(configurations, PAIRS_PER_NETWORK):
            bits, clock = rng.choice((6, 8)), rng.choice((100.0, 200.0, 250.0, 300.0))
            pairs.append([text(c), bits, clock, latency_us(model, layers, c, bits, clock)])
        result.append({"network": name, "operations": rows, "pairs": pairs})

    blocks = []
    for c in rng.sample([c for c in configurations if c[-1] == 1], 200):
        kp, pp, i, w, o, pool, port, _ = c
        bram, _ = area.brams(kp, pp, i, o, w, pool, axi=21.5 - 2 * (4 - port / 128))
        # The reference counts 145 for pooling and deconvolution, of which pooling has 100.
        dsp = area.dsps(kp, pp, pool=0) + (100 if pool else 0)
        blocks.append([text(c), bram, dsp])

    def compact(value):
        return json.dumps(value, separators=(",", ":"))

    lines = ['{"made_by": "tests/oracles/chaidnn.py",', '"blocks": [']
    lines.append(",\n".join(map(compact, blocks)))
    lines += ["],", '"networks": [', ",\n".join(map(compact, result)), "]}"]
    options.output.write_text("\n".join(lines) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
