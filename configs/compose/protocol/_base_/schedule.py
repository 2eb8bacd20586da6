# Counted in iterations, so that arms that see other numbers of images train for the same time:
# the arms with few labels alone as long as those that are composed first and fine-tuned after.
_base_ = ['mmdet::_base_/default_runtime.py', '../../../_base_/ema.py']

# benchmarks/paper_protocol.py --scale: all trainings shorter, to see whether they run.
scale = float('{{$PROTOCOL_SCALE:1}}')
composed_iters = max(2, round(2250 * scale))
finetuned_iters = max(2, round(450 * scale))

max_iters = composed_iters
# No validation on the way: the benchmark scores what a training has left, however often it was
# interrupted.
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_begin=max_iters + 1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=7e-4, weight_decay=0.05),
    clip_grad=dict(max_norm=10.0),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
)
warmup_iters = max(1, round(100 * scale))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=warmup_iters),
    # To the last iteration, however many an arm has.
    dict(type='CosineAnnealingLR', eta_min_ratio=0.02, by_epoch=False, begin=warmup_iters),
]
default_hooks = dict(
    logger=dict(interval=25),
    # Two: MMEngine removes one before it saves the next.
    checkpoint=dict(by_epoch=False, interval=max(1, round(150 * scale)), max_keep_ckpts=2),
)
log_processor = dict(by_epoch=False)
custom_hooks = [
    _base_.ema_hook,
    dict(type='mmcompose.ChannelsLastHook'),
]
randomness = dict(seed=0)
