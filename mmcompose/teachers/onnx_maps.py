"""Which tensors of an ONNX detector are its feature maps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_CONVOLUTIONS = {'Conv', 'FusedConv'}
# A two-stage detector's second stage: it predicts from what it crops.
_CROP = 'RoiAlign'
# What stands between a map and what reads it, in graphs of other frameworks and in quantized ones.
_PASSED = {'Cast', 'DequantizeLinear', 'Identity', 'Pad', 'QuantizeLinear', 'Transpose'}
_SHAPE = '_shape_of_it'

Shape = tuple[int, ...]


@dataclass(frozen=True)
class _Reader:
    """A convolution, or a crop, that reads a map.

    Args:
        node: ``onnx.NodeProto``.
        source: The name of the tensor ``(B, C, H, W)`` that it reads, before it is padded.
        root: The name of that which operators that change no value made ``source`` of.
    """

    node: Any
    source: str
    root: str


def feature_map_names(
    nodes: Sequence[Any],
    shapes: Callable[[Collection[str]], Mapping[str, Shape]],
    whole: Sequence[int],
) -> list[str]:
    """Return what the neck makes of a picture: where a detector branches into its predictions.

    A prediction is a convolution whose result no other reads, or a crop of a two-stage detector.
    Of each height and width the map is what all predictions of this size read, or else the last
    tensor that more than one convolution reads and from which all of them are made. Where none are
    made at a size, as at those that CenterNet's neck passes through, it is the last that more than
    one convolution reads. Larger ones than any from which something is predicted are left out.

    Args:
        nodes: ``onnx.NodeProto`` of the graph, in its order.
        shapes: Returns the shapes of tensors that are named, of one batch.
        whole: Height and width of the input, of which maps are a fraction.

    Returns:
        Names of tensors ``(B, C, H, W)``, the largest maps first; none where nothing is predicted
        from maps.
    """
    made_by = {output: node for node in nodes for output in node.output}
    readers = [
        _Reader(node, _behind(node.input[0], made_by, {'Pad'}), _behind(node.input[0], made_by))
        for node in nodes
        if node.op_type in _CONVOLUTIONS or node.op_type == _CROP
    ]
    if not readers:
        return []
    known = shapes({reader.source for reader in readers})
    # Crops are more than pictures, or fewer; the first convolution reads the pictures.
    count = known[readers[0].source][0]
    readers = [
        reader
        for reader in readers
        if reader.root in made_by
        and _is_map(known[reader.source], whole)
        and known[reader.source][0] == count
    ]
    return _chosen(nodes, readers, {reader.root: known[reader.source][2:] for reader in readers})


def _is_map(shape: Shape, whole: Sequence[int]) -> bool:
    """Return whether cells are parts of a picture: not its mean, nor rows of what was decoded."""
    if len(shape) != 4 or max(shape[2:]) == 1:
        return False
    high, wide = (side / of for side, of in zip(shape[2:], whole, strict=True))
    return abs(high - wide) <= sum(1 / side for side in whole) and high <= 1


def _chosen(
    nodes: Sequence[Any], readers: Sequence[_Reader], sizes: Mapping[str, Shape]
) -> list[str]:
    by_root: dict[str, list[_Reader]] = defaultdict(list)
    for reader in readers:
        by_root[reader.root].append(reader)
    ancestors = _ancestors(nodes, by_root)
    predictions: dict[Shape, set[str]] = defaultdict(set)
    for reader in _last(nodes, readers):
        predictions[sizes[reader.root]].add(reader.root)
    chosen: dict[Shape, str] = {}
    largest = max(predictions, default=())
    for root, its in by_root.items():
        size = sizes[root]
        made = predictions.get(size, set())
        if len(made) == 1:
            is_one = root in made
        else:
            is_one = len(its) > 1 and all(root in ancestors[other] for other in made)
        if is_one and size <= largest:
            # In the graph's order: the last one stays.
            chosen[size] = its[0].source
    return [chosen[size] for size in sorted(chosen, reverse=True)]


def _ancestors(nodes: Sequence[Any], roots: Collection[str]) -> dict[str, frozenset[str]]:
    """Return for each tensor of some the others that it is made of, and itself."""
    known: dict[str, frozenset[str]] = defaultdict(frozenset)
    for node in nodes:
        above = frozenset[str]().union(*(known[name] for name in _inputs(node)))
        for output in node.output:
            known[output] = above | {output} if output in roots else above
    return known


def _last(nodes: Sequence[Any], readers: Sequence[_Reader]) -> Iterator[_Reader]:
    """Yield those whose result no other reads, and all crops."""
    by_output = {reader.node.output[0]: reader for reader in readers}
    read: set[str] = set()
    for node in reversed(nodes):
        reader = by_output.get(node.output[0]) if node.output else None
        is_read = any(output in read for output in node.output)
        if reader is not None and (not is_read or node.op_type == _CROP):
            yield reader
        if reader is not None or is_read:
            read.update(_inputs(node))


def _inputs(node: Any) -> Iterator[str]:
    """Yield the names of all that a node takes, also what its subgraphs take from around it."""
    yield from filter(None, node.input)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from _inputs(inner)


def _behind(name: str, made_by: Mapping[str, Any], passed: Collection[str] = _PASSED) -> str:
    """Return the tensor that operators which change no value make another of."""
    while (node := made_by.get(name)) is not None and node.op_type in passed:
        name = node.input[0]
    return name


def with_outputs(model: Any, names: Sequence[str]) -> Any:
    """Return a model that gives other tensors, without what these do not need.

    Other than ``onnx.utils.Extractor``, which takes tensors of known types alone, and leaves out
    what subgraphs take from around them.

    Args:
        model: ``onnx.ModelProto``.
        names: Of tensors of its graph.
    """
    needed, kept = set(names), []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(_inputs(node))
    weights = [each for each in model.graph.initializer if each.name in needed]
    other = type(model)()
    other.CopyFrom(model)
    for field, values in (('node', reversed(kept)), ('initializer', weights)):
        other.graph.ClearField(field)
        getattr(other.graph, field).extend(values)
    del other.graph.sparse_initializer[:], other.graph.output[:]
    other.graph.sparse_initializer.extend(
        each for each in model.graph.sparse_initializer if each.values.name in needed
    )
    for name in names:
        # Types are known to what runs it.
        other.graph.output.add().name = name
    return other


def with_shapes(model: Any, names: Collection[str]) -> Any:
    """Return a model that gives the shapes of tensors, by :func:`shaped` names."""
    ordered = sorted(names)
    other = with_outputs(model, ordered)
    del other.graph.output[:]
    for name in ordered:
        other.graph.node.add(op_type='Shape', input=[name], output=[name + _SHAPE])
        other.graph.output.add().name = name + _SHAPE
    return other


def shaped(name: str) -> str:
    """Return of which tensor an output of :func:`with_shapes` is the shape."""
    return name.removesuffix(_SHAPE)
