"""ONNXTeacher: a detector exported to ONNX, run by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mmcompose.class_space import GivenNames, check_order
from mmcompose.registry import TEACHERS
from mmcompose.structures import Detections, Image
from mmcompose.teachers.batches import PreparedTeacher, whole_batches
from mmcompose.teachers.external_data import external_data
from mmcompose.teachers.feature_maps import ShowsFeatureMaps
from mmcompose.teachers.onnx_about import names_in_model, read_beside
from mmcompose.teachers.onnx_maps import (
    Shape,
    feature_map_names,
    shaped,
    with_outputs,
    with_shapes,
)
from mmcompose.teachers.output_columns import Outputs
from mmcompose.teachers.preprocess import Geometry, Preprocess
from mmcompose.teachers.tensor_teacher import TensorTeacher
from mmcompose.utils import (
    Count,
    Name,
    UserError,
    fault,
    file_fingerprint,
    first_line,
    no_file,
    optional_package,
    problem,
)

_DTYPES = {'tensor(float)': np.float32, 'tensor(float16)': np.float16, 'tensor(uint8)': np.uint8}
# Of a second input, the size that boxes are scaled to.
_SIZE_DTYPES = {
    'tensor(int64)': np.int64,
    'tensor(int32)': np.int32,
    'tensor(float)': np.float32,
}


@TEACHERS.register_module()
class ONNXTeacher(TensorTeacher, PreparedTeacher, ShowsFeatureMaps):
    """A detector exported to ONNX.

    Args:
        model: Path of the ``.onnx`` file.
        classes: Class names in the model's order, or a data set's name that MMDet knows. Defaults
            to that of the json of the same name beside the model, as ``mmcompose export student``
            writes one; likewise ``decode`` and ``preprocess``.
        decode: What the outputs mean: 'mmdeploy', 'yolox', 'ultralytics', 'detr', or the
            dotted path of your own function (see :mod:`mmcompose.teachers.decoders`); or a dict of
            such a ``type`` and its arguments.
        preprocess: What the input is made of, in MMDet's terms; see
            :class:`mmcompose.teachers.preprocess.Preprocess`. ``scale`` may be left out where
            the model's input has a fixed size.
        batch_size: How many images share a batch where the model takes any number. Defaults to 8.
        providers: ONNX Runtime's execution providers. Defaults to CUDA where it is there, else
            the CPU.
        num_threads: Of one run on the CPU. Defaults to as many as torch uses.
        reduced_decode: Decode JPEGs at a half, a fourth or an eighth of their size where that is
            no less than the model takes: of large pictures in a fraction of the time, with boxes
            that differ a little. Defaults to False.
    """

    unaddressed = frozenset({'batch_size', 'num_threads'})

    def __init__(
        self,
        model: str,
        classes: Name | GivenNames | None = None,
        decode: Name | Mapping[str, Any] | None = None,
        preprocess: Mapping[str, Any] | None = None,
        batch_size: Count = 8,
        providers: Sequence[Name] | None = None,
        num_threads: Count | None = None,
        reduced_decode: bool = False,
    ) -> None:
        if not Path(model).is_file():
            raise UserError(no_file('model', model, like='*.onnx'))
        beside = read_beside('model', Path(model))
        classes = beside.get('classes') if classes is None else classes
        decode = beside.get('decode') if decode is None else decode
        preprocess = beside.get('preprocess') if preprocess is None else preprocess
        self._read = [classes, decode, preprocess]
        for name, value in (('classes', classes), ('decode', decode)):
            if value is None:
                expected = f'is missing, and so is that of {Path(model).with_suffix(".json")}'
                raise UserError(fault(name, expected))
        assert classes is not None and decode is not None
        super().__init__(classes, decode, preprocess, batch_size, reduced_decode)
        self._runtime()
        self._path = model
        self._providers = providers
        self._num_threads = num_threads

    @property
    def identity(self) -> Any:
        """See :attr:`Teacher.identity`: files beside the model that no argument names."""
        identity = {**super().identity, 'read': self._read}
        weights = [file_fingerprint(path) for path in external_data(self._path).values()]
        return {**identity, 'weights': weights} if weights else identity

    @staticmethod
    def _runtime() -> Any:
        return optional_package('onnxruntime', 'onnx')

    @cached_property
    def _session(self) -> Any:
        session = self._open(self._path)
        if stored := names_in_model(session.get_modelmeta().custom_metadata_map.get('names')):
            check_order(self.classes, stored, 'classes', repr(self._path))
        return session

    @cached_property
    def _maps_session(self) -> Any:
        return self._open(with_outputs(self._graph, self._map_names).SerializeToString())

    @cached_property
    def _graph(self) -> Any:
        # Weights beside it stay there.
        return optional_package('onnx', 'onnx').load(self._path, load_external_data=False)

    @cached_property
    def _map_names(self) -> list[str]:
        # By the CPU, which finds the same: whoever checks a config may not have its GPU yet.
        session = self._open(self._path, on_cpu=True)
        fitted = self._fitted(self._input_of(session))
        assert fitted.scale is not None
        size = fitted.scale[::-1]
        names = feature_map_names(self._graph.graph.node, partial(self._shapes, size), size)
        if not names:
            expected = 'shows no feature maps: its graph has none from which convolutions predict'
            raise UserError(problem('model', self._path, expected))
        return names

    def _shapes(self, size: tuple[int, int], names: Collection[str]) -> dict[str, Shape]:
        """Return the shapes of tensors of the graph, of a batch whose input has a size."""
        model = with_shapes(self._graph, names).SerializeToString()
        session = self._open(model, on_cpu=True)
        given = self._input_of(session)
        array, _ = self._fitted(given)(np.zeros((*size, 3), np.uint8))
        (batch,) = whole_batches(array[None], given.shape[0])
        try:
            found = self._run(session, given, batch)
        # ONNX Runtime's errors share no base class.
        except Exception as error:
            expected = f'cannot be run ({first_line(error)})'
            raise UserError(problem('model', self._path, expected)) from error
        return {shaped(name): tuple(each.tolist()) for name, each in found.items()}

    def _open(self, model: str | bytes, on_cpu: bool = False) -> Any:
        """Open the model's file, or a graph that was made of it."""
        runtime = self._runtime()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = self._num_threads or torch.get_num_threads()
        if isinstance(model, bytes) and (beside := external_data(self._path)):
            # A folder alone would not do: in caches of model hubs files are links elsewhere.
            contents = [path.read_bytes() for path in beside.values()]
            options.add_external_initializers_from_files_in_memory(
                list(beside), contents, [len(content) for content in contents]
            )
        available = runtime.get_available_providers()
        wished = self._providers or ('CUDAExecutionProvider', 'CPUExecutionProvider')
        wished = ('CPUExecutionProvider',) if on_cpu else wished
        if self._providers and (absent := [p for p in self._providers if p not in available]):
            raise UserError(problem('providers', absent[0], 'is not available', available))
        # The process's own GPU, which a launcher or composition.devices gave it.
        own = {'device_id': torch.cuda.current_device() if torch.cuda.is_available() else 0}
        providers = [
            (provider, own) if provider == 'CUDAExecutionProvider' else provider
            for provider in wished
            if provider in available
        ]
        try:
            return runtime.InferenceSession(model, options, providers=providers)
        # ONNX Runtime's errors share no base class.
        except Exception as error:
            reason = first_line(error)
            raise UserError(problem('model', self._path, f'cannot be loaded ({reason})')) from error

    @cached_property
    def _input(self) -> Any:
        return self._input_of(self._session)

    def _input_of(self, session: Any) -> Any:
        first, *others = session.get_inputs()
        unknown = any('size' not in one.name or one.type not in _SIZE_DTYPES for one in others)
        if len(first.shape) != 4 or first.type not in _DTYPES or unknown:
            takes = ', '.join(f'{one.name} {one.shape} {one.type}' for one in [first, *others])
            raise UserError(
                problem('model', self._path, f'takes {takes}; expected one batch of pictures')
            )
        self._given_preprocess.check_dtype(_DTYPES[first.type], 'model')
        return first

    @cached_property
    def _preprocess(self) -> Preprocess:
        return self._fitted(self._input)

    def _fitted(self, first: Any) -> Preprocess:
        """Return how pictures are prepared for a model's first input."""
        given = self._given_preprocess
        _, *shape = first.shape
        *size, channels = shape if given.channels_last else (*shape[1:], shape[0])
        if isinstance(channels, int) and channels != 3:
            expected = f'does not fit a model that takes {first.shape}'
            raise UserError(problem('preprocess.channels_last', given.channels_last, expected))
        height, width = size
        fixed = isinstance(width, int) and isinstance(height, int)
        if given.scale is None and not fixed:
            raise UserError(fault('preprocess.scale', 'is missing, and the model takes any size'))
        if given.scale is None:
            return replace(given, scale=(width, height))
        if fixed and given.scale != (width, height):
            takes = f'is not (width, height) of what the model takes, {(width, height)}'
            raise UserError(problem('preprocess.scale', given.scale, takes))
        return given

    @property
    def batch_size(self) -> int:
        """See :attr:`PreparedTeacher.batch_size`: whole ones where the model's is fixed."""
        fixed = self._input.shape[0]
        if not isinstance(fixed, int):
            return self._batch_size
        return max(fixed, self._batch_size // fixed * fixed)

    def load(self) -> None:
        """See :meth:`PreparedTeacher.load`: the model has its input's size."""
        assert self._preprocess.scale is not None

    def shape_of(self, prepared: tuple[NDArray[Any], Geometry]) -> tuple[int, ...]:
        """See :meth:`PreparedTeacher.shape_of`."""
        return prepared[0].shape

    def predict_prepared(
        self, images: Sequence[Image], prepared: Sequence[tuple[NDArray[Any], Geometry]]
    ) -> list[Detections]:
        """See :meth:`PreparedTeacher.predict_prepared`."""
        arrays, geometries = zip(*prepared, strict=True)
        found: list[Detections] = []
        # Each batch is decoded by itself: how many rows an output has may depend on what is found.
        for batch in whole_batches(np.stack(arrays), self._input.shape[0]):
            places = geometries[len(found) : len(found) + len(batch)]
            filled = [*places, *[geometries[-1]] * (len(batch) - len(places))]
            outputs = self._run(self._session, self._input, batch)
            found += self._to_detections(outputs, filled)
        return found[: len(arrays)]

    def check_feature_maps(self) -> None:
        """See :meth:`ShowsFeatureMaps.check_feature_maps`."""
        assert self._map_names

    def feature_maps(
        self, pictures: Sequence[torch.Tensor]
    ) -> tuple[tuple[torch.Tensor, ...], tuple[int, int]]:
        """See :meth:`ShowsFeatureMaps.feature_maps`: of pictures of the model's own size."""
        height, width = (max(each.shape[side] for each in pictures) for side in (1, 2))
        canvas = np.zeros((len(pictures), height, width, 3), np.uint8)
        for row, each in zip(canvas, pictures, strict=True):
            # Some augmentations give other numbers than a decoded picture has.
            whole = each.round().clamp(0, 255) if each.is_floating_point() else each
            row[: each.shape[1], : each.shape[2]] = whole.byte().permute(1, 2, 0).cpu().numpy()
        prepared = [self._preprocess(row) for row in canvas]
        batch = np.stack([array for array, _ in prepared])
        runs = [
            self._run(self._maps_session, self._input, part).values()
            for part in whole_batches(batch, self._input.shape[0])
        ]
        levels = (np.concatenate(level)[: len(pictures)] for level in zip(*runs, strict=True))
        assert self._preprocess.scale is not None
        _, place = prepared[0]
        input_size = self._preprocess.scale
        maps = (place.crop(level, (width, height), input_size) for level in levels)
        return tuple(torch.from_numpy(each) for each in maps), (height, width)

    def _run(self, session: Any, first: Any, batch: NDArray[Any]) -> Outputs:
        feed = {first.name: batch.astype(_DTYPES[first.type], copy=False)}
        # RT-DETR takes the size to scale its boxes to: the input itself, for all decoders alike.
        for one in session.get_inputs()[1:]:
            size = np.array(self._fitted(first).scale, _SIZE_DTYPES[one.type])
            feed[one.name] = np.tile(size, (len(batch), 1))
        names = [output.name for output in session.get_outputs()]
        # Inputs go to the device once, and outputs stay there until all of them are made.
        binding, device = session.io_binding(), _place_of(session)
        for name, array in feed.items():
            value = self._runtime().OrtValue.ortvalue_from_numpy(array, *device)
            binding.bind_ortvalue_input(name, value)
        for name in names:
            binding.bind_output(name, *device)
        session.run_with_iobinding(binding)
        return dict(zip(names, binding.copy_outputs_to_cpu(), strict=True))


def _place_of(session: Any) -> tuple[str, int]:
    """Return the device that a session's model is on, as ONNX Runtime names it."""
    options = session.get_provider_options().get('CUDAExecutionProvider')
    return ('cpu', 0) if options is None else ('cuda', int(options.get('device_id', 0)))
