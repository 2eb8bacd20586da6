"""CocoTruth: what a COCO json says to ignore is listed as such, not left out."""

from __future__ import annotations

from typing import Any

from mmdet.datasets import CocoDataset


class CocoTruth(CocoDataset):  # type: ignore[misc]
    """MMDet's CocoDataset to evaluate on.

    MMDet leaves annotations out that say ``ignore``, such as VOC's difficult objects: whoever
    finds one then finds nothing, and is punished. Here they have an ``ignore_flag``, so that
    CocoMetric scores as pycocotools does on the file itself.
    """

    def parse_data_info(self, raw_data_info: dict[str, Any]) -> dict[str, Any]:
        """Return an image's data info, each box to be ignored flagged."""
        annotations = [
            {**each, 'ignore': 0, 'iscrowd': 1} if each.get('ignore') else each
            for each in raw_data_info['raw_ann_info']
        ]
        info: dict[str, Any] = super().parse_data_info(
            {**raw_data_info, 'raw_ann_info': annotations}
        )
        return info
