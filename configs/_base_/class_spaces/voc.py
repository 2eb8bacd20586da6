# Pascal VOC's 20 classes, in VOC's order; COCO and others spell some of them in their own way.
# Classes that a teacher has beside them are dropped.
# Use: composition = dict(class_space=_base_.class_space)
# fmt: off
voc_classes = [
    'aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow',
    'diningtable', 'dog', 'horse', 'motorbike', 'person', 'pottedplant', 'sheep', 'sofa', 'train',
    'tvmonitor',
]
# fmt: on
class_space = dict(classes=voc_classes, aliases=['voc-coco'], on_unmapped='drop')
