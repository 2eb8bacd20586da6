"""EnsembleTeacher: several models, or views of a picture, that vote as one teacher."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmcompose.class_space import ClassSpace, is_placeholder
from mmcompose.labeling import ImageContext, LabelTransform
from mmcompose.labeling.compute.revisions import revisions_of
from mmcompose.registry import LABEL_TRANSFORMS, TEACHERS, build
from mmcompose.structures import Detections, Image, decode_masks, encode_masks
from mmcompose.teachers.base import Teacher, total_parameters
from mmcompose.teachers.identity import teacher_identity
from mmcompose.utils import UserError, content_of, fault, key_prefix, problem

MIRRORED = ', mirrored'


@TEACHERS.register_module()
class EnsembleTeacher(Teacher):
    """Several teachers of one class list, fused into one voter.

    Two checkpoints of one training would otherwise outvote a teacher that stands alone. Scales
    are members too: the same checkpoint with another size in its ``cfg_options``.

    Args:
        members: Config dicts of teachers that have the same classes, in whatever order.
        flip: Let each member look at the mirror image too; none may be of stored results.
            Defaults to False.
        fusion: Config dict of the label transform that fuses them. Defaults to
            ``dict(type='mmcompose.WeightedBoxesFusion')``.

    Raises:
        UserError: If members are too few or of different classes, ``flip`` is set and one does
            not look at pixels, or ``fusion`` is none that works on one image at a time.
    """

    unaddressed = frozenset({'members', 'fusion'})

    def __init__(
        self,
        members: Sequence[Mapping[str, Any]],
        flip: bool = False,
        fusion: Mapping[str, Any] | None = None,
    ) -> None:
        if len(members) * (1 + flip) < 2:
            raise UserError(
                fault('members', f'{len(members)} is no ensemble; give two, or flip=True')
            )
        self._members: list[Teacher] = [
            build(TEACHERS, member, f'members[{number}]') for number, member in enumerate(members)
        ]
        self.classes = self._members[0].classes
        for number, member in enumerate(self._members):
            if odd := sorted(set(member.classes) ^ set(self.classes)):
                raise UserError(
                    fault(
                        f'members[{number}]',
                        f'has other classes than members[0]: {", ".join(map(repr, odd[:8]))}',
                    )
                )
            if flip and not member.looks_at_pixels:
                expected = (
                    f'does not go with members[{number}], whose boxes were predicted before: '
                    'the mirror image would get those of the picture'
                )
                raise UserError(problem('flip', flip, expected))
        names = [
            f'{number}{view}'
            for view in ('', MIRRORED)[: 1 + flip]
            for number in range(len(members))
        ]
        # Whether members have as many placeholders does not matter: nothing is found of them.
        self._space = ClassSpace(
            {name: _told_apart(self._member(name).classes) for name in names},
            classes=_told_apart(self.classes),
            on_unmapped='drop',
        )
        fusion = fusion or {'type': 'mmcompose.WeightedBoxesFusion'}
        self._configs = [dict(member) for member in members]
        self._fusion_config = dict(fusion)
        self._fusion: LabelTransform = build(LABEL_TRANSFORMS, fusion, 'fusion')
        self._fusion.bind(self._space, np.ones(len(names)))
        self._check_fusion(fusion['type'])

    def _check_fusion(self, kind: Any) -> None:
        """Try the fusion on an empty image before there are weights to load."""
        if self._fusion.rounds:
            expected = 'learns from a pool of images, and would be shown none here'
            raise UserError(problem('fusion.type', kind, expected))
        nothing = {name: Detections() for name in self._space.teachers}
        if len(self._fusion.apply(nothing, ImageContext('an empty image', 1, 1))) != 1:
            raise UserError(problem('fusion.type', kind, 'is no fusion: it leaves several entries'))

    def _member(self, name: str) -> Teacher:
        return self._members[int(name.removesuffix(MIRRORED))]

    @property
    def identity(self) -> Any:
        """See :attr:`Teacher.identity`: what addresses each member, and how they are fused."""
        return {
            'members': list(map(teacher_identity, self._configs, self._members)),
            'fusion': content_of(self._fusion_config, type(self._fusion)),
            'revisions': revisions_of(self._fusion),
        }

    @property
    def may_give_masks(self) -> bool:
        """See :attr:`Teacher.may_give_masks`."""
        return any(member.may_give_masks for member in self._members)

    @property
    def looks_at_pixels(self) -> bool:
        """See :attr:`Teacher.looks_at_pixels`: all members do."""
        return all(member.looks_at_pixels for member in self._members)

    @property
    def architecture(self) -> str | None:
        """See :attr:`Teacher.architecture`: those of all members."""
        names = [member.architecture for member in self._members]
        return ', '.join(dict.fromkeys(filter(None, names))) or None

    @property
    def num_parameters(self) -> int | None:
        """See :attr:`Teacher.num_parameters`: of all members together."""
        return total_parameters(self._members)

    def check_pool(self, images: Sequence[Image]) -> None:
        """See :meth:`Teacher.check_pool`: each member looks at the pool."""
        for number, member in enumerate(self._members):
            with key_prefix(f'members[{number}]'):
                member.check_pool(images)

    def predict(self, images: Sequence[Image]) -> list[Detections]:
        """See :meth:`Teacher.predict`."""
        predicted = {name: self._predict(name, images) for name in self._space.teachers}
        return [
            self._fuse({name: found[row] for name, found in predicted.items()}, image)
            for row, image in enumerate(images)
        ]

    def _predict(self, name: str, images: Sequence[Image]) -> list[Detections]:
        if not name.endswith(MIRRORED):
            found = self._member(name).predict(images)
        else:
            found = self._member(name).predict([_mirror_image(image) for image in images])
            pairs = zip(found, images, strict=True)
            found = [_mirrored(one, image) for one, image in pairs]
        return [self._space.convert(name, one) for one in found]

    def _fuse(self, predicted: Mapping[str, Detections], image: Image) -> Detections:
        context = ImageContext(image.key, image.width, image.height)
        # What a teacher predicts carries no votes: those of its members count as one.
        (found,) = self._fusion.apply(predicted, context).values()
        asked = any(one.asked for one in predicted.values())
        return Detections(found.boxes, found.scores, found.labels, masks=found.masks, asked=asked)


def _told_apart(names: Sequence[str]) -> list[str]:
    """Return class names of which none is there twice, or one that a class space drops."""
    placeholders: Counter[str] = Counter()
    distinct = []
    for name in names:
        placeholders[name] += is_placeholder(name)
        number = placeholders[name]
        distinct.append(f'placeholder {name!r}, number {number}' if number else name)
    return distinct


def _mirror_image(image: Image) -> Image:
    return image.with_pixels(np.ascontiguousarray(image.pixels[:, ::-1]))


def _mirrored(found: Detections, image: Image) -> Detections:
    left, top, right, bottom = found.boxes.T
    boxes = np.stack([image.width - right, top, image.width - left, bottom], axis=1)
    masks = found.masks
    if masks is not None:
        masks = encode_masks(decode_masks(masks, image.width, image.height)[:, :, ::-1])
    return Detections(boxes, found.scores, found.labels, masks=masks)
