"""MMDetTeacher says what MMDet says, in original pixels, whatever shares the batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.apis import inference_detector, init_detector
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmcompose.registry import TEACHERS, build
from mmcompose.structures import Detections, Image, iou
from mmcompose.teachers import Teacher
from mmcompose.teachers.mmdet.inference import for_inference
from mmcompose.teachers.mmdet.pipeline import pipeline_steps, shapes_of
from mmcompose.teachers.mmdet.pipeline import test_steps as steps_of
from mmcompose.utils import UserError

SIZES = ((80, 60), (60, 80), (80, 60), (120, 50), (80, 60), (60, 80), (200, 150), (80, 60))
KEY = 'composition.teachers.tiny'


def _build(settings: dict[str, Any], /, **changes: Any) -> Teacher:
    return build(TEACHERS, {**settings, **changes}, KEY)


def assert_same(first: Detections, second: Detections) -> None:
    """Every box of one is a box of the other: IoU ≥ 0.99, same class, score ± 0.001."""
    assert len(first) == len(second) > 0
    partner = iou(first.boxes, second.boxes) - 10 * (first.labels[:, None] != second.labels)
    matched = partner.argmax(axis=1)
    assert sorted(matched) == list(range(len(second)))
    assert partner.max(axis=1).min() >= 0.99
    assert np.abs(first.scores - second.scores[matched]).max() <= 1e-3


@pytest.fixture(scope='module')
def images(make_images: Callable[..., list[Image]]) -> list[Image]:
    return make_images(*SIZES)


@pytest.fixture(scope='module')
def expected(config_file: str, checkpoint_file: str, images: Sequence[Image]) -> list[Detections]:
    """What MMDet's own inference API says, one picture at a time."""
    options = {'test_dataloader.dataset.ann_file': '', 'test_dataloader.dataset.lazy_init': True}
    model = init_detector(config_file, checkpoint_file, 'random', 'cpu', options)
    results = [inference_detector(model, image.path).pred_instances for image in images]
    return [
        Detections.from_arrays(r.bboxes.numpy(), r.scores.numpy(), r.labels.numpy())
        for r in results
    ]


@pytest.mark.parametrize('batch_size', [1, 3, 8])
def test_any_batch_of_mixed_sizes_gives_the_boxes_of_mmdet_itself(
    teacher_config: dict[str, Any],
    images: list[Image],
    expected: list[Detections],
    batch_size: int,
) -> None:
    before = [image.pixels.copy() for image in images]
    found = _build(teacher_config, batch_size=batch_size).predict(images)
    for image, one, other in zip(images, found, expected, strict=True):
        assert_same(one, other.clipped(image.width, image.height))
    # Another teacher looks at the same pixels next.
    assert all((a == image.pixels).all() for a, image in zip(before, images, strict=True))


def test_pictures_share_a_batch_where_they_are_padded_alike() -> None:
    shapes = [(3, 800, 1066), (3, 800, 1067), (3, 800, 1089), (3, 769, 1066)]
    views = [torch.zeros(shape, dtype=torch.uint8) for shape in shapes]
    assert [shapes_of(view, 32) for view in views] == [
        ((3, 800, 1088),), ((3, 800, 1088),), ((3, 800, 1120),), ((3, 800, 1088),)
    ]  # fmt: skip
    assert shapes_of(views[:2]) == (shapes[0], shapes[1])


def test_constructing_reads_classes_and_builds_no_model(teacher_config: dict[str, Any]) -> None:
    teacher = _build(teacher_config)
    assert teacher.classes == ('cat', 'dog', 'tree')
    assert '_model' not in vars(teacher)


def test_no_pictures_no_detections(teacher_config: dict[str, Any]) -> None:
    assert _build(teacher_config).predict([]) == []


def test_predicting_leaves_the_default_scope_alone(
    teacher_config: dict[str, Any], images: list[Image]
) -> None:
    with DefaultScope.overwrite_default_scope('mmcompose'):
        _build(teacher_config).predict(images[:1])
        assert DefaultScope.get_current_instance().scope_name == 'mmcompose'


def test_identity_follows_inherited_settings_and_weights(
    teacher_config: dict[str, Any], weights: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    identity = _build(teacher_config).identity
    assert _build(teacher_config).identity == identity
    changed = _build(teacher_config, cfg_options={'model.test_cfg.score_thr': 0.2})
    assert changed.identity != identity
    other = tmp_path / 'other.pth'
    torch.save({'state_dict': {name: tensor + 1 for name, tensor in weights.items()}}, other)
    classes = ['cat', 'dog', 'tree']
    changed = _build(teacher_config, checkpoint=str(other), classes=classes)
    assert changed.identity['settings'] == identity['settings']
    assert changed.identity['checkpoint'] != identity['checkpoint']


def test_identity_is_not_of_the_data_that_the_model_was_tested_on(
    teacher_config: dict[str, Any],
) -> None:
    identity = _build(teacher_config).identity
    loader = 'test_dataloader.dataset'
    moved = {f'{loader}.data_root': 'elsewhere', 'test_dataloader.num_workers': 7}
    assert _build(teacher_config, cfg_options=moved).identity == identity
    seen = {f'{loader}.pipeline.1.scale': (64, 64)}
    assert _build(teacher_config, cfg_options=seen).identity != identity


def test_num_parameters(teacher_config: dict[str, Any], weights: dict[str, torch.Tensor]) -> None:
    teacher = _build(teacher_config)
    assert teacher.architecture == 'RetinaNet'
    counted = teacher.num_parameters
    buffers = ('running_mean', 'running_var', 'num_batches_tracked')
    assert counted == sum(w.numel() for n, w in weights.items() if not n.endswith(buffers))


def test_a_checkpoint_without_class_names_is_never_taken_for_coco(
    teacher_config: dict[str, Any], weights: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / 'bare.pth'
    torch.save({'state_dict': weights, 'meta': {'dataset_meta': None}}, path)
    with pytest.raises(UserError, match=r'^composition\.teachers\.tiny\.classes: is missing'):
        _build(teacher_config, checkpoint=str(path))
    assert _build(teacher_config, checkpoint=str(path), classes=['a', 'b', 'c']).classes[1] == 'b'


def test_a_wrong_count_of_class_names_is_an_error(
    teacher_config: dict[str, Any],
    weights: dict[str, torch.Tensor],
    images: list[Image],
    tmp_path: Path,
) -> None:
    with pytest.raises(UserError, match=r'2 names are given, but .* was trained on 3 classes'):
        _build(teacher_config, classes=['cat', 'dog'])
    with pytest.raises(UserError, match="'dog' listed twice"):
        _build(teacher_config, classes=['cat', 'dog', 'dog'])
    path = tmp_path / 'bare.pth'
    torch.save(weights, path)
    teacher = _build(teacher_config, checkpoint=str(path), classes='coco')
    with pytest.raises(UserError, match='80 names, but the model has 3 classes'):
        teacher.predict(images[:1])


def test_weights_of_another_architecture_are_refused(
    teacher_config: dict[str, Any], images: list[Image]
) -> None:
    options = {'model.bbox_head.feat_channels': 16}
    teacher = _build(teacher_config, cfg_options=options)
    with pytest.raises(UserError, match=r'does not fit the config: bbox_head\..* is \(8, '):
        teacher.predict(images[:1])
    teacher = _build(teacher_config, cfg_options={'model.bbox_head.stacked_convs': 2})
    with pytest.raises(UserError, match=r'cls_convs\.1\.conv\.weight is missing'):
        teacher.predict(images[:1])


def test_weights_saved_from_inside_distributed_data_parallel_fit(
    teacher_config: dict[str, Any],
    weights: dict[str, torch.Tensor],
    images: list[Image],
    expected: list[Detections],
    tmp_path: Path,
) -> None:
    path = tmp_path / 'ddp.pth'
    torch.save({f'module.{name}': tensor for name, tensor in weights.items()}, path)
    teacher = _build(teacher_config, checkpoint=str(path), classes=['a', 'b', 'c'])
    assert_same(teacher.predict(images[:1])[0], expected[0].clipped(80, 60))


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (
            {'config': 'no_such.py'},
            r'^composition\.teachers\.tiny\.config: .no_such\.py. is no file',
        ),
        ({'config': 'mmdet::no/such.py'}, r'\.config: .mmdet::no/such\.py. is no config of mmdet'),
        ({'config': 'mmnothing::a.py'}, 'names mmnothing, which is not installed'),
        ({'config': None}, r'^composition\.teachers\.tiny\.config: is missing'),
        ({'checkpoint': 'no_such.pth'}, r"\.checkpoint: 'no_such\.pth' is no file"),
        ({'clases': ['cat']}, "'clases' is not a key here .* did you mean 'classes'"),
        ({'classes': 'cocoo'}, "'cocoo' is no data set that MMDet knows; did you mean 'coco'"),
        ({'model': 'rtmdet-t'}, 'already names a config'),
    ],
)
def test_a_mistake_is_told_with_its_key(
    teacher_config: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        _build(teacher_config, **changes)


def test_a_package_that_a_config_imports_is_named(
    teacher_config: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / 'far.py'
    path.write_text("custom_imports = dict(imports=['no_such_package.models'])\n")
    with pytest.raises(UserError, match=r"far\.py' needs no_such_package, which is not installed"):
        _build(teacher_config, config=str(path))


def test_the_loader_keeps_its_arguments_and_annotations_are_not_read() -> None:
    steps = [
        {'type': 'mmdet.LoadImageFromFile', 'to_float32': True},
        {
            'type': 'TestTimeAug',
            'transforms': [[{'type': 'Resize'}], [{'type': 'LoadAnnotations'}]],
        },
        {'type': 'LoadPanopticAnnotations'},
        {'type': 'PackDetInputs'},
    ]
    assert pipeline_steps(steps) == [
        {'type': 'mmdet.LoadImageFromNDArray', 'to_float32': True},
        {'type': 'TestTimeAug', 'transforms': [[{'type': 'Resize'}]]},
        {'type': 'PackDetInputs'},
    ]


@pytest.mark.parametrize(
    ('steps', 'message'),
    [
        ([{'type': 'TransformBroadcaster', 'transforms': []}], 'only detectors of single pictures'),
        ([{'type': 'LoadImageFromFile'}, {'type': 'LoadProposals'}], 'needs proposals'),
        ([{'type': 'LoadImageFromFile', 'color_type': 'grayscale'}], 'not color'),
        ([], 'begins with nothing'),
    ],
)
def test_a_pipeline_that_one_picture_cannot_feed_is_refused(
    steps: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        pipeline_steps(steps)


def test_no_pretrained_weights_are_fetched_wherever_they_are_named() -> None:
    named = {'type': 'Pretrained', 'checkpoint': 'https://'}
    model = {
        'init_cfg': named,
        'backbone': {'init_cfg': named, 'pretrained': True},
        'neck': {'pretrained': 'torchvision://resnet50', 'init_cfg': {'checkpoint': 'https://'}},
        'heads': [{'init_cfg': {'type': 'Normal'}}, {'init_cfg': dict(named, type='Pretrained')}],
        'order': ('conv', 'norm'),
        'norm_cfg': {'type': 'MMSyncBN'},
        'roi_layer': {'type': 'RoIAlign', 'use_torchvision': True},
        'data_preprocessor': {'type': 'BoxInstDataPreprocessor', 'mean': [0], 'mask_stride': 4},
        'teacher_ckpt': 'https://',
    }
    assert for_inference(model) == {
        'init_cfg': None,
        'backbone': {'init_cfg': None, 'pretrained': False},
        'neck': {'pretrained': None, 'init_cfg': None},
        'heads': [{'init_cfg': {'type': 'Normal'}}, {'init_cfg': None}],
        'order': ('conv', 'norm'),
        'norm_cfg': {'type': 'BN'},
        'roi_layer': {'type': 'RoIAlign', 'use_torchvision': False},
        'data_preprocessor': {'type': 'DetDataPreprocessor', 'mean': [0]},
        'teacher_ckpt': None,
    }


def test_test_time_augmentation(teacher_config: dict[str, Any], images: list[Image]) -> None:
    plain, augmented = _build(teacher_config), _build(teacher_config, tta=True)
    assert augmented.identity != plain.identity
    (found,) = augmented.predict(images[6:7])
    mirrored = Image('m', 'm.png', 200, 150)
    vars(mirrored)['pixels'] = images[6].pixels[:, ::-1].copy()
    (other,) = augmented.predict([mirrored])
    # An image and its mirror image have the same two views.
    boxes = np.stack(
        [200 - other.boxes[:, 2], other.boxes[:, 1], 200 - other.boxes[:, 0], other.boxes[:, 3]],
        axis=1,
    )
    assert_same(found, Detections.from_arrays(boxes, other.scores, other.labels))
    with pytest.raises(UserError, match=r'\.tta: .* has no tta_model'):
        _build(teacher_config, config='mmdet::atss/atss_r50_fpn_1x_coco.py', tta=True)


def test_half_precision_stays_near(
    teacher_config: dict[str, Any], images: list[Image], expected: list[Detections]
) -> None:
    (found,) = _build(teacher_config, half_precision=True).predict(images[6:7])
    best = found.sorted()[:5]
    assert (iou(best.boxes, expected[6].boxes).max(axis=1) > 0.8).all()
    assert abs(float(best.scores[0]) - float(expected[6].scores.max())) < 0.05


def test_compiled_says_the_same(
    teacher_config: dict[str, Any], images: list[Image], expected: list[Detections]
) -> None:
    (found,) = _build(teacher_config, torch_compile={'backend': 'eager'}).predict(images[6:7])
    assert_same(found, expected[6].clipped(200, 150))


@pytest.mark.parametrize('tta', [False, True])
def test_a_picture_that_is_a_line_is_named(
    teacher_config: dict[str, Any], make_images: Callable[..., list[Image]], tta: bool
) -> None:
    (image,) = make_images((3000, 1))
    with pytest.raises(UserError, match=r'0\.png \(3000x1\): cannot be prepared for the model'):
        _build(teacher_config, tta=tta).predict([image])


def test_a_model_is_tested_as_its_data_loaders_have_it_or_else_by_test_pipeline() -> None:
    ours, theirs, bare = ({'pipeline': [{'type': name}]} for name in ('Ours', 'Theirs', 'Bare'))
    config = Config({'test_pipeline': bare['pipeline'], 'test_dataloader': None})
    assert steps_of(config)[0].type == 'Bare'
    config.val_dataloader = {'dataset': {'type': 'RepeatDataset', 'dataset': theirs}}
    assert steps_of(config)[0].type == 'Theirs'
    config.test_dataloader = {'dataset': ours}
    assert steps_of(config)[0].type == 'Ours'
    for none in ({}, {'test_dataloader': {'dataset': {'type': 'CocoDataset'}}}):
        with pytest.raises(UserError, match=r'^config: has no test pipeline; test_dataloader, val'):
            steps_of(Config(none))
