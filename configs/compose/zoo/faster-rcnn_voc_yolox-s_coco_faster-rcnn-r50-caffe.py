# Two detectors of the zoo become a Faster R-CNN. SoftTeacher may go on from it:
# configs/compose/finetune/soft-teacher_faster-rcnn-r50_voc-coco.py.
_base_ = [
    'mmdet::faster_rcnn/faster-rcnn_r50-caffe_fpn_1x_coco.py',
    '_base_/voc_coco.py',
    '_base_/photographs.py',
]

train_dataloader = dict(
    dataset=dict(_base_.photographs, _delete_=True, pipeline=_base_.train_pipeline)
)
