# Arms 3 to 5: the same student on a share of the true labels alone.
_base_ = ['oracle.py']

# As many steps from ImageNet's weights as arms 6 to 8 take in both of their trainings.
max_iters = _base_.composed_iters + _base_.finetuned_iters
train_cfg = dict(max_iters=max_iters, val_begin=max_iters + 1)
labeled = '{{$VOC_LABELED:data/voc/labeled.json}}'
train_dataloader = dict(dataset=dict(ann_file=labeled))
