"""Predictions and labels on disk: Parquet shards, fingerprints, COCO export."""

from mmcompose.store.coco import to_coco
from mmcompose.store.shards import SHARD_SIZE, ShardedResult, image_list_fingerprint
from mmcompose.store.tables import DetectionTable, to_table

__all__ = [
    'SHARD_SIZE',
    'DetectionTable',
    'ShardedResult',
    'image_list_fingerprint',
    'to_coco',
    'to_table',
]
