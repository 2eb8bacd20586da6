"""Which of MMDetection's families can teach: each labels two pictures with random weights.

    python benchmarks/teacher_families.py --out benchmarks/results/teacher_families.json

Takes the smallest variant of each folder of the installed mmdet's configs, one process at a time
with a limit on its memory and time; a sweep that was interrupted goes on where it stopped.
Thresholds on scores are set to 0, since random weights stay under the usual ones, and test sizes
are cut to keep the sweep short (``--long-side``). Models that read text get a small random BERT in
place of the published one.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import resource
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.models.detectors import SingleStageDetector
from mmdet.utils import register_all_modules
from rich.console import Console
from rich.table import Table
from torch.nn import Conv2d, Linear
from torch.nn.modules.batchnorm import _BatchNorm

from mmcompose.prerequisites import package_folder
from mmcompose.structures import Image
from mmcompose.teachers import MMDetTeacher, read_config
from mmcompose.teachers.mmdet_model import build_model
from mmcompose.teachers.mmdet_panoptic import asked_for_boxes
from mmcompose.teachers.mmdet_tracking import detector_of
from mmcompose.utils import UserError

# How much larger than its family's smallest a variant is likely to be, by words of its name.
LARGER = """
    x101 r101 r152 s101 swin-l swin-b swin_b swin_l hourglass regnetx-1 regnetx-8 regnetx-6 w32 w40
    _x_ _l_ _m_ -x_ -l_ d53 b5 b4 b3 b2 b1 panoptic mask p6 dcn ms- 2x 3x 24e crop sota gn pretrain
    flickr refcoco lvis odinw v3d o365 finetune fp16 amp llvip reid fast-rcnn rpn_r50 htc dpool
    mot20 mot17train_test-mot17train
    """.split()
SMALLER = {'nano': 4, 'tiny': 3, 'r18': 2, '_s_': 2, 'b0': 2, '0.4gf': 2, '400mf': 2, 'w18': 2}
# Thresholds that random weights stay under; corners of random weights seldom make a pair.
OPENED: dict[str, float] = dict.fromkeys(
    ('score_thr', 'conf_thr', 'filter_thr', 'object_mask_thr', 'mask_score_thr'), 0.0
)
OPENED |= {'distance_threshold': 1e6, 'corner_topk': 300}
PAGE = """# Which families of MMDetection can teach

Each folder of MMDetection's configs, by its smallest variant, with random weights and two pictures:
{taught} of {total} families find boxes through `MMDetTeacher`. Of a model that tracks objects in
videos, the detector inside teaches. Written by

```shell
python benchmarks/teacher_families.py --out benchmarks/results/teacher_families.json \\
    --page docs/teacher_families.md
```

on the CPU, with `transformers` and `scikit-image` installed beside mmdet, and without mmpretrain,
torchvision and detectron2, which some families need.

| family | config | teaches |
|---|---|---|"""
NO_BOXES = 'no boxes came out'
NO_MODELS = ('_base_', 'common', 'dsdl')


def smallest_variants(configs: Path) -> Iterator[tuple[str, Path]]:
    """Yield each family and the variant that is likely to be its smallest."""
    for folder in sorted(configs.iterdir()):
        variants = [
            path for path in folder.glob('*.py') if not path.stem.endswith(('_tta', '_base'))
        ]
        if folder.name not in NO_MODELS and variants:
            yield folder.name, min(variants, key=_likely_size)


def _likely_size(path: Path) -> tuple[int, int, str]:
    name = f'{path.stem}_'
    size = sum(word in name for word in LARGER)
    size -= sum(gain for word, gain in SMALLER.items() if word in name)
    return size, len(name), name


def label_two_pictures(path: Path, long_side: int, settled: bool, folder: Path) -> dict[str, Any]:
    """Build a config's detector with random weights and let it teach.

    Args:
        path: The config.
        long_side: What larger test sizes are cut to, in pixels.
        settled: Widen its heads, and let its batch norms see noise first.
        folder: For the checkpoint and the changed config.

    Returns:
        How many parameters it has and boxes it finds.
    """
    torch.manual_seed(0)
    torch.set_num_threads(1)
    config = asked_for_boxes(detector_of(read_config(str(path))))
    if 'language_model' in config.model:
        _rename(config.model, 'bert-base-uncased', _small_bert(folder))
    _open(config.model.get('test_cfg') or {})
    _open(config.model)
    _shrink(config.get('test_dataloader'), long_side)
    config.dump(folder / 'config.py')
    model = build_model(config)
    model.init_weights()
    if settled:
        _widen_heads(model)
        _settle(model)
    classes = [f'class {number}' for number in range(_num_classes(model))]
    checkpoint = folder / 'random.pth'
    meta = {'dataset_meta': {'classes': classes}}
    torch.save({'state_dict': model.state_dict(), 'meta': meta}, checkpoint)
    del model
    texts = ['cat', 'dog'] if 'language_model' in config.model else None
    teacher = MMDetTeacher(str(folder / 'config.py'), str(checkpoint), texts=texts, device='cpu')
    random = np.random.default_rng(0)
    images = [Image(f'{n}', f'{n}.png', *size) for n, size in enumerate([(320, 240), (200, 260)])]
    for image in images:
        shape = (image.height, image.width, 3)
        vars(image)['pixels'] = random.integers(0, 256, shape, np.uint8)
    found = teacher.predict(images)
    boxes = [len(one) for one in found]
    why = '' if all(boxes) else NO_BOXES
    return {'ok': all(boxes), 'why': why, 'boxes': boxes, 'parameters': teacher.num_parameters}


def _widen_heads(model: Any) -> None:
    """Let heads say different things of different places, whatever they are initialised to say."""
    for name, module in model.named_modules():
        if name.startswith(('backbone', 'neck')) or not isinstance(module, (Conv2d, Linear)):
            continue
        if name.endswith('fc_reg'):
            # MMDet cannot paste the mask of a box that six stages moved out of the picture.
            torch.nn.init.normal_(module.weight, std=0.01)
        else:
            torch.nn.init.kaiming_normal_(module.weight)
        if module.bias is not None:
            torch.nn.init.zeros_(module.bias)


def _settle(model: Any) -> None:
    """Let batch norms see noise, lest the activations of many random layers overflow."""
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.train()
            module.momentum = 1.0
    with torch.no_grad():
        features = model.extract_feat(torch.randn(2, 3, 256, 256))
        if isinstance(model, SingleStageDetector):
            model.bbox_head(features)


def _open(settings: Any) -> None:
    """Let everything through, wherever the threshold stands."""
    if isinstance(settings, Mapping):
        for key, value in settings.items():
            if key in OPENED:
                settings[key] = OPENED[key]  # type: ignore[index]
            _open(value)
    elif isinstance(settings, (list, tuple)):
        for item in settings:
            _open(item)


def _rename(settings: Any, old: str, new: str) -> None:
    """Put ``new`` wherever ``old`` stands."""
    if isinstance(settings, Mapping):
        for key, value in settings.items():
            if value == old:
                settings[key] = new  # type: ignore[index]
            _rename(value, old, new)


def _shrink(settings: Any, long_side: int) -> None:
    """Cut the sizes of every ``Resize`` and ``Pad``."""
    if isinstance(settings, Mapping):
        for name in ('scale', 'size'):
            size = settings.get(name)
            if isinstance(size, (list, tuple)) and max(size) > long_side:
                ratio = long_side / max(size)
                settings[name] = tuple(round(side * ratio / 32) * 32 for side in size)  # type: ignore[index]
        for value in settings.values():
            _shrink(value, long_side)
    elif isinstance(settings, (list, tuple)):
        for item in settings:
            _shrink(item, long_side)


def _num_classes(model: Any) -> int:
    counts = [
        module.num_classes
        for name, module in model.named_modules()
        if isinstance(getattr(module, 'num_classes', None), int) and 'rpn' not in name
    ]
    return max(counts, default=1)


def _small_bert(folder: Path) -> str:
    from transformers import BertConfig, BertModel, BertTokenizerFast

    letters = [chr(number) for number in range(ord('a'), ord('z') + 1)]
    words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', '.', '?']
    words += [*letters, *(f'##{letter}' for letter in letters), 'cat', 'dog']
    (folder / 'vocab.txt').write_text('\n'.join(words))
    BertTokenizerFast(str(folder / 'vocab.txt')).save_pretrained(folder)
    small = {'hidden_size': 768, 'num_hidden_layers': 2, 'num_attention_heads': 2}
    config = BertConfig(vocab_size=len(words), intermediate_size=64, **small)
    BertModel(config).save_pretrained(folder)
    return str(folder)


def run_apart(
    path: Path, gigabytes: float, seconds: int, long_side: int, settled: bool = False
) -> dict[str, Any]:
    """Label in a process of its own, within limits of memory and time."""
    # Forked: each of a hundred families would spend ten seconds on imports.
    context = multiprocessing.get_context('fork')
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(
        target=_answer, args=(sender, path, gigabytes, seconds, long_side, settled)
    )
    process.start()
    sender.close()
    try:
        return dict(receiver.recv())
    except EOFError:
        process.join()
        if process.exitcode == -signal.SIGXCPU:
            return {'ok': False, 'why': f'took longer than {seconds} s'}
        return {'ok': False, 'why': f'its process died ({process.exitcode})'}
    finally:
        process.kill()
        process.join()


def _answer(
    sender: Any, path: Path, gigabytes: float, seconds: int, long_side: int, settled: bool
) -> None:
    most = int(gigabytes * 2**30)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    # Of its own time: what else runs here must not change the table.
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    # Every weight's initialisation is a message.
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        try:
            sender.send(label_two_pictures(path, long_side, settled, Path(folder)))
        # Whatever goes wrong is what the table tells.
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            lines = str(error).strip().splitlines() or [
                f'{Path(frame.filename).name}: {frame.line}'
            ]
            kind = '' if isinstance(error, UserError) else f'{type(error).__name__}: '
            why = f'{kind}{lines[0]}'.replace(str(package_folder('mmdet')), 'mmdet')
            sender.send({'ok': False, 'why': why})
            traceback.print_exc(file=sys.stderr)


def sweep(results: dict[str, Any], args: argparse.Namespace, console: Console) -> None:
    """Label with each family that has no result yet, and keep each result at once."""
    folder = package_folder('mmdet')
    assert folder is not None
    for family, path in smallest_variants(folder / '.mim' / 'configs'):
        known = results.get(family, {})
        if args.families and family not in args.families:
            continue
        if known.get('config') == path.stem and (known['ok'] or not args.again):
            continue
        limits = (args.memory, args.timeout)
        result = run_apart(path, *limits, args.long_side)
        if 'kernel' in result['why'].lower():
            # A small picture's last feature map is smaller than the kernel that slides over it.
            result = run_apart(path, *limits, 2 * args.long_side)
        elif not result['ok'] and not result['why'].startswith(('config', 'device')):
            result = run_apart(path, *limits, args.long_side, settled=True)
        results[family] = {'config': path.stem, **result}
        console.print(f'{family:28} {"ok" if result["ok"] else result["why"]}', markup=False)
        if args.out:
            args.out.parent.mkdir(parents=True, exist_ok=True)
            args.out.write_text(json.dumps(results, indent=2, sort_keys=True) + '\n')


def page(results: dict[str, Any]) -> str:
    """Return the table as a page of Markdown."""
    taught = sum(result['ok'] for result in results.values())
    rows = [
        f'| {family} | `{result["config"]}` | {"yes" if result["ok"] else "no: " + result["why"]} |'
        for family, result in sorted(results.items())
    ]
    return '\n'.join([PAGE.format(taught=taught, total=len(results)), *rows, ''])


def main() -> None:
    """Parse arguments, sweep, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, help='a JSON file for the table')
    parser.add_argument('--page', type=Path, help='a Markdown file for the table')
    parser.add_argument('--families', nargs='+', help='only these folders')
    parser.add_argument('--again', action='store_true', help='try those that failed again')
    parser.add_argument('--long-side', type=int, default=320, help='pixels')
    parser.add_argument('--memory', type=float, default=8.0, help='gigabytes a model')
    parser.add_argument('--timeout', type=int, default=180, help='seconds of computing a model')
    args = parser.parse_args()
    register_all_modules(init_default_scope=False)
    console = Console(highlight=False, width=200)
    found = args.out is not None and args.out.is_file()
    results: dict[str, Any] = json.loads(args.out.read_text()) if found else {}
    sweep(results, args, console)
    table = Table('family', 'config', 'teaches', 'why not')
    for family, result in sorted(results.items()):
        table.add_row(family, result['config'], 'yes' if result['ok'] else 'no', result['why'])
    console.print(table)
    console.print(f'{sum(r["ok"] for r in results.values())} of {len(results)} families teach')
    if args.page:
        args.page.write_text(page(results), encoding='utf-8')


if __name__ == '__main__':
    main()
