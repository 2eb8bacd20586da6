# Arms 3 to 5: the same student on a share of the true labels alone.
_base_ = ['oracle.py']

# The same time, whatever the student starts from, as arms 6 to 8.
max_iters = 600
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.02,
        begin=50,
        end=max_iters,
        T_max=max_iters - 50,
        by_epoch=False,
    ),
]
labeled = '{{$VOC_LABELED:data/voc/labeled.json}}'
train_dataloader = dict(dataset=dict(ann_file=labeled))
