# Teachers of 12 of VOC's 20 classes each, and how they look at the pool.
#
# Labels are made once, and may cost more than testing does: each teacher looks at a picture at two
# sizes and at its mirror image, and votes with what it predicts on the four views (Data
# Distillation, Radosavovic et al. 2018).
teacher_root = '{{$VOC_TEACHERS:work_dirs/voc}}'
voc_a = dict(
    type='mmcompose.MMDetTeacher',
    config='configs/voc/yolox-nano_320_voc-a.py',
    checkpoint=teacher_root + '/teacher_a/epoch_6.pth',
)
voc_b = dict(
    type='mmcompose.MMDetTeacher',
    config='configs/voc/yolox-nano_320_voc-b.py',
    checkpoint=teacher_root + '/teacher_b/epoch_6.pth',
)
larger = {
    'test_dataloader.dataset.dataset.pipeline.1.scale': (416, 416),
    'test_dataloader.dataset.dataset.pipeline.2.size': (416, 416),
}
views_of_a, views_of_b = (
    dict(
        type='mmcompose.EnsembleTeacher',
        members=[teacher, dict(teacher, cfg_options=larger)],
        flip=True,
    )
    for teacher in (voc_a, voc_b)
)

# The pictures that teachers label, and where all files of VOC find theirs.
pool = dict(
    type='mmcompose.UnlabeledImages',
    ann_file='{{$VOC_ROOT:data/voc}}/annotations/unlabeled.json',
    data_prefix=dict(img='{{$VOC_ROOT:data/voc}}/images/'),
)
