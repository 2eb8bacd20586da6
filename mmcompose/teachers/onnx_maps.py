"""Which tensors of an ONNX detector are its feature maps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# What stands between a map and the convolution that reads it, in graphs of other frameworks and in
# quantized ones.
_PASSED = {'Cast', 'DequantizeLinear', 'Identity', 'Pad', 'QuantizeLinear', 'Transpose'}


@dataclass(frozen=True)
class _Map:
    """A tensor ``(B, C, H, W)`` that more than one convolution reads.

    Args:
        name: Of the tensor.
        bit: What marks all that is computed from it.
    """

    name: str
    bit: int


def feature_map_names(
    nodes: Sequence[Any], shapes: Callable[[Sequence[str]], Mapping[str, tuple[int, ...]]]
) -> list[str]:
    """Return what the neck makes of a picture: where a detector branches into its predictions.

    That is, of each height and width, the last tensor that more than one convolution reads and
    from which all predictions of this size are made. Where none are made at a size, as at those
    that CenterNet's neck passes through, it is the last that more than one convolution reads.

    Args:
        nodes: ``onnx.NodeProto`` of the graph, in its order.
        shapes: Returns the shapes of tensors that are named, of one batch.

    Returns:
        Names of tensors ``(B, C, H, W)``, the largest maps first; none where no tensor of the graph
        is read by more than one convolution.
    """
    maps, predictions = _maps(nodes)
    if not maps:
        return []
    known = shapes([each.name for each in maps] + list(predictions))
    chosen: dict[tuple[int, ...], str] = {}
    for each in maps:
        size = known[each.name][2:]
        made = [bits for name, bits in predictions.items() if known[name][2:] == size]
        # One cell is a picture's mean, as of squeeze and excitation.
        if len(size) == 2 and min(size) > 1 and all(bits & each.bit for bits in made):
            chosen[size] = each.name
    return [chosen[size] for size in sorted(chosen, reverse=True)]


def with_outputs(model: Any, names: Sequence[str]) -> bytes:
    """Return a model that gives other tensors.

    Args:
        model: ``onnx.ModelProto``; its outputs become those.
        names: Of tensors of its graph.

    Returns:
        As a ``.onnx`` file has it.
    """
    outputs = model.graph.output
    del outputs[:]
    for name in names:
        # Types are known to what runs it.
        outputs.add().name = name
    content: bytes = model.SerializeToString()
    return content


def _maps(nodes: Sequence[Any]) -> tuple[list[_Map], dict[str, int]]:
    """Return the maps in the graph's order, and from which each last convolution is computed.

    The second is by the name of a convolution's output: those whose result no other reads.
    """
    made_by = {output: node for node in nodes for output in node.output}
    convolutions = [node for node in nodes if node.op_type == 'Conv']
    readers: dict[str, list[Any]] = defaultdict(list)
    for node in convolutions:
        readers[_behind(node.input[0], made_by, _PASSED)].append(node)
    shared = [root for root in made_by if len(readers.get(root, [])) > 1]
    maps = {
        root: _Map(_behind(readers[root][0].input[0], made_by, {'Pad'}), 1 << place)
        for place, root in enumerate(shared)
    }
    bits: dict[str, int] = defaultdict(int)
    for node in nodes:
        of_inputs = _union(bits[name] for name in node.input)
        for output in node.output:
            bits[output] = of_inputs | (maps[output].bit if output in maps else 0)
    read: set[str] = set()
    last = {}
    for node in reversed(nodes):
        is_read = any(output in read for output in node.output)
        if node.op_type == 'Conv' and not is_read:
            last[node.output[0]] = bits[node.output[0]]
        if node.op_type == 'Conv' or is_read:
            read.update(node.input)
    return list(maps.values()), last


def _behind(name: str, made_by: Mapping[str, Any], passed: set[str]) -> str:
    """Return the tensor that operators which change no value make another of."""
    while (node := made_by.get(name)) is not None and node.op_type in passed:
        name = node.input[0]
    return name


def _union(bits: Iterable[int]) -> int:
    union = 0
    for each in bits:
        union |= each
    return union
