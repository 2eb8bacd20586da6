# A model behind KServe's open inference protocol v2, e.g. Triton (needs mmcompose[http]).
teacher = dict(
    type='mmcompose.HTTPTeacher',
    url='http://localhost:8000',
    model='yolox',
    classes='coco',
    decode='yolox',
    preprocess=dict(scale=(640, 640), keep_ratio=True),
    binary=True,
)
