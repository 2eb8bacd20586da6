# Two checkpoints of one model, each looking at the picture and its mirror image: one voter.
member_config = 'mmdet::yolox/yolox_s_8xb8-300e_coco.py'
teacher = dict(
    type='mmcompose.EnsembleTeacher',
    members=[
        dict(
            type='mmcompose.MMDetTeacher', config=member_config, checkpoint='checkpoints/seed0.pth'
        ),
        dict(
            type='mmcompose.MMDetTeacher', config=member_config, checkpoint='checkpoints/seed1.pth'
        ),
    ],
    flip=True,
)
