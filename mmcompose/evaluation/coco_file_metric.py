"""CocoFileMetric: results by the category ids of the data set's own file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmdet.evaluation import CocoMetric
from mmengine.fileio import dump, load

from mmcompose.registry import METRICS


@METRICS.register_module()
class CocoFileMetric(CocoMetric):  # type: ignore[misc]
    """Write what ``CocoMetric`` writes by the category ids of the data set's own COCO json.

    Scored as by ``CocoMetric``: its truths are the dataset's, in the student's classes. ``resolve``
    puts it in place of a ``CocoMetric`` that has an ``outfile_prefix``.

    Args:
        category_ids: The id of each of the student's classes in the file, None where the file
            has no such class: what is predicted of it is not written.
        **kwargs: Arguments of ``CocoMetric``, ``outfile_prefix`` among them.
    """

    def __init__(self, category_ids: Sequence[int | str | None], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.category_ids = list(category_ids)
        self._written: set[str] = set()

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """See :meth:`mmdet.evaluation.CocoMetric.compute_metrics`; then number what it wrote."""
        self._written = set()
        # Truths are written once, and kept for the next evaluation.
        with_truth = self._coco_api is None
        scores: dict[str, float] = super().compute_metrics(results)
        for path in self._written:
            dump(self._numbered(load(path), 'category_id'), path)
        if with_truth:
            path = f'{self.outfile_prefix}.gt.json'
            truth = load(path)
            truth['categories'] = self._numbered(truth['categories'], 'id')
            truth['annotations'] = self._numbered(truth.get('annotations', []), 'category_id')
            dump(truth, path)
        return scores

    def results2json(self, results: Sequence[Any], outfile_prefix: str) -> dict[str, str]:
        """See :meth:`mmdet.evaluation.CocoMetric.results2json`."""
        files: dict[str, str] = super().results2json(results, outfile_prefix)
        self._written = set(files.values())
        return files

    def _numbered(self, entries: Sequence[dict[str, Any]], name: str) -> list[dict[str, Any]]:
        ids = self.category_ids
        return [{**each, name: ids[each[name]]} for each in entries if ids[each[name]] is not None]
