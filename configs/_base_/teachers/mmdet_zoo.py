# A model of MMDetection's zoo by its name: config and weights follow from the zoo's metafile.
teacher = dict(type='mmcompose.MMDetTeacher', model='rtmdet_tiny_8xb32-300e_coco')
