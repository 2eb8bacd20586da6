# Three teachers of unequal strength: two of 12 of VOC's classes each, and one of COCO's, of which
# four classes that only the first knows and four that only the second knows are dropped. So four
# classes have three owners, eight have two, and eight have one.
_base_ = ['./_base_/student.py', '../../_base_/class_spaces/voc.py']

composition = dict(
    teachers=dict(
        coco=dict(
            type='mmcompose.MMDetTeacher',
            config='mmdet::yolox/yolox_nano_8xb8-300e_coco.py',
            checkpoint='{{$YOLOX_NANO_COCO:checkpoints/yolox_nano_coco_mmdet.pth}}',
        )
    ),
    class_space=dict(
        _base_.class_space,
        mapping=dict(
            coco={
                **{'bicycle': None, 'bus': None, 'cat': None, 'dining table': None},
                **{'airplane': None, 'bird': None, 'boat': None, 'bottle': None},
            }
        ),
    ),
)
