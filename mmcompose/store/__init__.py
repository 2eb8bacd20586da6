"""Predictions by teacher and picture, labels by pool, on any file system."""

from mmcompose.store.columns import PICTURE_FIELDS, Rows, is_storable, to_table
from mmcompose.store.detection_table import DetectionTable
from mmcompose.store.image_table import ImageTable
from mmcompose.store.label_result import LabelResult
from mmcompose.store.label_store import LabelStore
from mmcompose.store.learned_result import LearnedResult
from mmcompose.store.leases import Leases, this_process
from mmcompose.store.parts import PART_SIZE
from mmcompose.store.picture_results import PictureResults, PoolResults
from mmcompose.store.pool_index import POOL_SCHEMA, UNKNOWN, DigestOf, PoolIndex, digested, sized
from mmcompose.store.sealed import digest_of
from mmcompose.store.step_boxes import StepBoxes
from mmcompose.store.work_list import WorkList

__all__ = [
    'PART_SIZE',
    'PICTURE_FIELDS',
    'POOL_SCHEMA',
    'UNKNOWN',
    'DetectionTable',
    'DigestOf',
    'ImageTable',
    'LabelResult',
    'LabelStore',
    'LearnedResult',
    'Leases',
    'PictureResults',
    'PoolIndex',
    'PoolResults',
    'Rows',
    'StepBoxes',
    'WorkList',
    'digest_of',
    'digested',
    'is_storable',
    'sized',
    'this_process',
    'to_table',
]
