"""A network that Tandem describes, as a PyTorch module."""

import torch
import torch.nn as nn
import torch.nn.functional as F


def activate(name, x, inplace=False):
    """An activation by Tandem's name, in place where PyTorch can and it is wanted."""
    if name == "none":
        return x
    if name == "gelu":
        return F.gelu(x)
    functions = {"relu": F.relu, "relu6": F.relu6, "hard_swish": F.hardswish, "silu": F.silu}
    return functions[name](x, inplace=inplace)


class Network(nn.Module):
    """Runs the layers in order; values are dropped after their last reader."""

    def __init__(self, layers, momentum=0.1):
        super().__init__()
        self.layers = layers
        self.convolutions = nn.ModuleDict()
        self.norms = nn.ModuleDict()
        self.last_reader = {}
        for index, layer in enumerate(layers):
            for source in layer["inputs"]:
                self.last_reader[source] = index
            key = str(index)
            if layer["op"] == "convolution":
                self.convolutions[key] = nn.Conv2d(
                    layer["in"], layer["out"], layer["kernel"], layer["stride"], layer["padding"],
                    groups=layer["groups"], bias=layer["bias"],
                )
                if layer["bn"]:
                    self.norms[key] = nn.BatchNorm2d(layer["out"], momentum=momentum)
            elif layer["op"] == "bn":
                self.norms[key] = nn.BatchNorm2d(layer["in"], momentum=momentum)
            elif layer["op"] == "linear":
                self.convolutions[key] = nn.Linear(layer["in"], layer["out"])

    def load(self, tensors):
        """Takes weights by Tandem's names."""
        for index, layer in enumerate(self.layers):
            name, key = layer["name"], str(index)
            if key in self.convolutions:
                module = self.convolutions[key]
                module.weight.data.copy_(tensors[name + ".weight"])
                if module.bias is not None:
                    module.bias.data.copy_(tensors[name + ".bias"])
            if key in self.norms:
                module = self.norms[key]
                module.weight.data.copy_(tensors[name + ".bn.weight"])
                module.bias.data.copy_(tensors[name + ".bn.bias"])
                module.running_mean.copy_(tensors[name + ".bn.running_mean"])
                module.running_var.copy_(tensors[name + ".bn.running_var"])

    def forward(self, images):
        values = {}
        for index, layer in enumerate(self.layers):
            values[index] = self.layer(index, layer, values, images)
            for source in layer["inputs"]:
                if self.last_reader[source] == index:
                    values.pop(source, None)
        return values[len(self.layers) - 1]

    def layer(self, index, layer, values, images):
        op, key = layer["op"], str(index)
        if op == "input":
            return images
        inputs = [values[source] for source in layer["inputs"]]
        x = inputs[0]
        if op == "convolution":
            x = activate(layer["before"], x)
            x = self.convolutions[key](x)
            if layer["bn"]:
                x = self.norms[key](x)
            return activate(layer["after"], x, inplace=True)
        if op == "bn":
            return activate(layer["after"], self.norms[key](x), inplace=True)
        if op == "max":
            return F.max_pool2d(x, layer["kernel"], layer["stride"], layer["padding"])
        if op == "average":
            return F.avg_pool2d(
                x, layer["kernel"], layer["stride"], layer["padding"], count_include_pad=False
            )
        if op == "global":
            return x.mean((2, 3))
        if op == "add":
            total = inputs[0] + inputs[1]
            for other in inputs[2:]:
                total += other
            return total
        if op == "concatenate":
            return torch.cat(inputs, 1)
        if op == "truncate":
            return x[:, : layer["out"]]
        if op == "linear":
            return self.convolutions[key](x.flatten(1))
        assert op == "zero"
        return torch.zeros_like(x)
