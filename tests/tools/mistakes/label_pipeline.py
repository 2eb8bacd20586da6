"""Mistakes in ``composition.label_pipeline``."""

PIPELINE = 'composition.label_pipeline'
FUSION = {'type': 'mmcompose.WeightedBoxesFusion'}
LAST = {'type': 'mmcompose.ScoreBands', 'keep': 0.5, 'ignore': 0.3}


def _first(**step: object) -> tuple[str, list[dict[str, object]]]:
    return PIPELINE, [step, FUSION]


def _after(**step: object) -> tuple[str, list[dict[str, object]]]:
    return PIPELINE, [FUSION, step]


def _fusion(**step: object) -> tuple[str, list[dict[str, object]]]:
    return PIPELINE, [{**FUSION, **step}]


MISTAKES = (
    (PIPELINE, [], f'{PIPELINE}: has no fusion', None),
    (PIPELINE, [LAST], f'{PIPELINE}: has no fusion', None),
    (PIPELINE, 'WeightedBoxesFusion', f"{PIPELINE}: 'WeightedBoxesFusion' is not a list", None),
    (PIPELINE, FUSION, f'{PIPELINE}: ', None),
    (PIPELINE, ['WeightedBoxesFusion'], f'{PIPELINE}', None),
    (PIPELINE, [{}, FUSION], f'{PIPELINE}[0].type: is missing', None),
    (PIPELINE, [FUSION, FUSION], f'{PIPELINE}[1].type: ', None),
    (PIPELINE, [{'type': 'mmcompose.WeightedBoxFusion'}],
     f"{PIPELINE}[0].type: 'mmcompose.WeightedBoxFusion' is", 'mmcompose.WeightedBoxesFusion'),
    (*_first(type='mmcompose.ScoreFiltr'), f"{PIPELINE}[0].type: 'mmcompose.ScoreFiltr' is",
     'mmcompose.ScoreFilter'),
    (*_fusion(iou_th=0.5), f"{PIPELINE}[0]: 'iou_th' is not a key", 'iou_thr'),
    (*_fusion(iou_thr=5), f'{PIPELINE}[0].iou_thr: 5 is not in [0, 1]', None),
    (*_fusion(iou_thr=-0.1), f'{PIPELINE}[0].iou_thr: -0.1 is not in [0, 1]', None),
    (*_fusion(iou_thr='0.5'), f"{PIPELINE}[0].iou_thr: '0.5' is not a number", None),
    (*_fusion(iou_thr=True), f'{PIPELINE}[0].iou_thr: True is not a number', None),
    (*_fusion(iou_thr=None), f'{PIPELINE}[0].iou_thr: None is not a number', None),
    (*_fusion(weights={'frist': 2}), f"{PIPELINE}[0].weights: 'frist' is not a teacher", 'first'),
    (*_fusion(weights={'first': 0}), f'{PIPELINE}[0].weights.first: 0 is', None),
    (*_fusion(weights=[1, 2]), f'{PIPELINE}[0].weights: [1, 2] is', None),
    (*_fusion(conf_type='mean'), f"{PIPELINE}[0].conf_type: 'mean' is not 'avg' or 'max'", 'max'),
    (*_first(type='mmcompose.ScoreFilter', min_score=2), f'{PIPELINE}[0].min_score: 2 is', None),
    (*_first(type='mmcompose.ScoreFilter', min_score='high'), f"{PIPELINE}[0].min_score: 'high'",
     None),
    (*_first(type='mmcompose.ScoreFilter', min_scor=0.1), f"{PIPELINE}[0]: 'min_scor' is not a key",
     'min_score'),
    (*_first(type='mmcompose.ScoreFilter', min_score=0.1, per_class={'gren': 0.5}),
     f'{PIPELINE}[0]', 'green'),
    (*_first(type='mmcompose.AgreementFilter'), f'{PIPELINE}[0]', None),
    (*_first(type='mmcompose.CrossClassSuppression'), f'{PIPELINE}[0].type: ', None),
    (*_after(type='mmcompose.ScoreBands'), f'{PIPELINE}[1].keep: is missing', None),
    (*_after(type='mmcompose.ScoreBands', keep=1.5), f'{PIPELINE}[1].keep: 1.5 is not', None),
    (*_after(type='mmcompose.ScoreBands', keep='0.5'), f"{PIPELINE}[1].keep: '0.5' is not", None),
    (*_after(type='mmcompose.ScoreBands', keep=0.5, ignore=0.7), f'{PIPELINE}[1].ignore: 0.7',
     None),
    (*_after(type='mmcompose.ScoreBands', keep=0.5, ignroe=0.3), f"{PIPELINE}[1]: 'ignroe' is not",
     'ignore'),
    (*_after(type='mmcompose.ScoreBands', keep=0.5, per_class={'gren': {'keep': 0.4}}),
     f"{PIPELINE}[1].per_class: 'gren' is not", 'green'),
    (*_after(type='mmcompose.ScoreBands', keep=0.5, per_class={'green': 0.4}),
     f'{PIPELINE}[1].per_class.green: 0.4 is', None),
    (*_after(type='mmcompose.ScoreBands', keep=0.5, per_class={'green': {'kep': 0.4}}),
     f"{PIPELINE}[1].per_class.green: 'kep' is not a key", 'keep'),
    (*_first(type='mmcompose.ScoreCalibration', method='plat'), f"{PIPELINE}[0].method: 'plat' is",
     'platt'),
    (*_after(type='mmcompose.ResolveHierarchy'), f'{PIPELINE}[1].type: ', None),
    (*_after(type='mmcompose.BoxWeights', by='vote'), f"{PIPELINE}[1].by: 'vote' is", None),
)  # fmt: skip
