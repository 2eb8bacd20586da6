"""Score what a student predicts on several files of photographs, each in the file's classes."""

from __future__ import annotations

import contextlib
import io
import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmcompose.utils import write_json


@dataclass(frozen=True)
class Photographs:
    """The photographs that students are scored on.

    Args:
        annotations: The data's annotation files.
        counts: By file's name, how many of its images, from the first on.
    """

    annotations: Path
    counts: Mapping[str, int]

    def write(self, path: Path) -> None:
        """Write a file of all images, without boxes: what a student predicts on."""
        images = [image for name in self.counts for image in self._images(name)]
        content = {
            'images': [{**image, 'id': number} for number, image in enumerate(images, start=1)],
            'annotations': [],
            'categories': self._read('val')['categories'],
        }
        write_json('--work-dir', path, content, indent=None)

    def score(self, predictions: Path, classes: Sequence[str]) -> dict[str, float]:
        """Return a student's mAP on each file.

        Args:
            predictions: What MMDetection's DumpDetResults wrote.
            classes: Of the student, in its order.
        """
        found = {
            Path(sample['img_path']).name: sample['pred_instances']
            for sample in pickle.loads(predictions.read_bytes())
        }
        return {name: self._mean_ap(name, found, classes) for name in self.counts}

    def _read(self, name: str) -> Any:
        return json.loads((self.annotations / f'{name}.json').read_text(encoding='utf-8'))

    def _images(self, name: str) -> list[dict[str, Any]]:
        images: list[dict[str, Any]] = self._read(name)['images']
        return images[: self.counts[name]]

    def _mean_ap(self, name: str, found: Mapping[str, Any], classes: Sequence[str]) -> float:
        images = {Path(each['file_name']).name: each['id'] for each in self._images(name)}
        with contextlib.redirect_stdout(io.StringIO()):
            truth = COCO(str(self.annotations / f'{name}.json'))
            ids = {each['name']: each['id'] for each in truth.cats.values()}
            results = [
                {
                    'image_id': image_id,
                    'category_id': ids[classes[label]],
                    'score': score,
                    'bbox': [x1, y1, x2 - x1, y2 - y1],
                }
                for file, image_id in images.items()
                for (x1, y1, x2, y2), score, label in _rows(found[file])
                if classes[label] in ids
            ]
            scoring = COCOeval(truth, truth.loadRes(results), 'bbox')
            scoring.params.imgIds = list(images.values())
            scoring.evaluate()
            scoring.accumulate()
            scoring.summarize()
        return float(scoring.stats[0])


def _rows(found: Mapping[str, Any]) -> Any:
    columns = (found[name].tolist() for name in ('bboxes', 'scores', 'labels'))
    return zip(*columns, strict=True)
