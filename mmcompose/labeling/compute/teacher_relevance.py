"""Whether a pool shows the domain of a teacher that no other one can confirm."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmcompose.labeling.compute.picture_domains import kinds_of_pictures

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

# Each of three marks of a teacher in its domain, from no to full relevance. The area under the ROC
# curve between the pictures of its surest boxes and the less sure half, judged by parts of the pool
# that they are not of: at most 0.76 for a detector of cells in 160 to 400 photographs, 0.84 and
# more for it or one of things where a tenth of the pool is of its kind. A detector of digits that
# predicts more on photographs than on slides of cells has 0.84 to 1, too, but 0.62 among the
# photographs, where detectors of things have 0.89 and more.
_PICTURES = (0.77, 0.82)
# The same between its surest boxes and its others: for a pool of one kind of picture.
_BOXES = (0.90, 0.95)
# The share of its boxes that score above a half: at most 0.03 of those of the former.
_SURE_SHARE = (0.05, 0.10)
# How many boxes count as the surest, by the number of pictures; and which shares of the pictures:
# the largest area counts, for a domain may be any part of a pool.
_SUREST_BOXES, _SUREST_PICTURES = 0.3, (0.05, 0.1, 0.2)
_FEWEST_PICTURES = 10
# Of fewer boxes or pictures nothing is said: below, detectors of what is there and of what is not
# had the same marks.
_LEAST_BOXES, _LEAST_PICTURES = 100, 150


def teacher_relevances(
    scores: Floats,
    votes: Bools,
    margins: Floats,
    best: Floats,
    trust: Floats,
    pictures: NDArray[np.float32],
    owners: Bools,
) -> NDArray[np.float64]:
    """Return ``(T,)`` in [0, 1]; 1 for a teacher that shares a class, or of which little is known.

    A detector of blood cells finds some on photographs, too, and no other teacher contradicts it.
    But nothing sets its surest boxes there apart from the others: neither what they look like, nor
    the pictures in which they stand, nor their scores. One of the three is enough. Where a pool
    holds two kinds of pictures, and another teacher is in its domain in some of the kind on which
    this one scores highest, pictures of that kind alone are compared: it may be the kind that sets
    them apart, and not what stands there. A teacher alone is not judged: what it finds is all that
    there is.

    Args:
        scores: ``(N,)``.
        votes: ``(N, T)``.
        margins: ``(N,)``, how much likelier each box is its class than background, as logarithms.
        best: ``(I, T)``, the best score of each teacher in each picture.
        trust: ``(I, T)``, how far each picture looks like those in which it is sure.
        pictures: ``(I, D)`` float32, the features of each whole picture.
        owners: ``(C, T)``, who owns which class.
    """
    relevances = np.ones(votes.shape[1])
    if len(relevances) < 2 or len(best) < _LEAST_PICTURES:
        return relevances
    has_company = np.any(owners & (owners.sum(axis=1) > 1)[:, None], axis=0)
    judged = np.flatnonzero(~has_company & (votes.sum(axis=0) >= _LEAST_BOXES))
    # Which costs most of it.
    kinds = kinds_of_pictures(pictures) if len(judged) else np.zeros(len(best), np.int64)
    for column in judged.tolist():
        rows = np.flatnonzero(votes[:, column])
        by_score = rows[np.argsort(-scores[rows], kind='stable')]
        surest = min(max(int(_SUREST_BOXES * len(best)), 50), len(rows) // 3)
        boxes = _area(margins[by_score[:surest]], margins[by_score[len(rows) // 2 :]])
        compared = _compared_pictures(best, trust, kinds, column)
        of_pictures = _picture_mark(best[compared, column], trust[compared, column])
        marks = (
            (of_pictures, _PICTURES),
            (boxes, _BOXES),
            (float((scores[rows] > 0.5).mean()), _SURE_SHARE),
        )
        relevances[column] = max(_between(value, *limits) for value, limits in marks)
    return relevances


def _compared_pictures(best: Floats, trust: Floats, kinds: Ints, column: int) -> Bools:
    """Return ``(I,)``: the kind of picture of most of a teacher's scores, if another is at home."""
    means = [best[kinds == kind, column].mean() for kind in range(kinds.max() + 1)]
    of_kind: Bools = kinds == np.argmax(means)
    if of_kind.sum() >= _LEAST_PICTURES:
        others = np.delete(np.arange(best.shape[1]), column)
        marks = (_picture_mark(best[of_kind, each], trust[of_kind, each]) for each in others)
        if max(marks) >= _PICTURES[1]:
            return of_kind
    return np.ones_like(of_kind)


def _picture_mark(best: Floats, trust: Floats) -> float:
    order = np.argsort(-best, kind='stable')
    others = trust[order[len(order) // 2 :]]
    counts = (max(int(share * len(order)), _FEWEST_PICTURES) for share in _SUREST_PICTURES)
    return max(_area(trust[order[:count]], others) for count in counts)


def box_relevance(
    relevances: Floats, votes: Bools, labels: NDArray[np.int64], owners: Bools
) -> NDArray[np.float64]:
    """Return ``(N,)`` in [0, 1]: the relevance of the best voter of a box that has one owner alone.

    Args:
        relevances: ``(T,)``.
        votes: ``(N, T)``.
        labels: ``(N,)``.
        owners: ``(C, T)``.
    """
    best = np.where(votes, relevances, 0).max(axis=1, initial=0)
    return np.where((owners.sum(axis=1) > 1)[labels], 1.0, best)


def _area(surest: Floats, others: Floats) -> float:
    if not len(surest) or not len(others):
        return 1.0
    # Imported where it is needed, as everywhere in this room: it takes a second.
    from sklearn.metrics import roc_auc_score

    truth = np.repeat([1, 0], [len(surest), len(others)])
    return float(roc_auc_score(truth, np.concatenate([surest, others])))


def _between(value: float, low: float, high: float) -> float:
    return float(np.clip((value - low) / (high - low), 0, 1))
