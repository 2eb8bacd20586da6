# The average of the weights is what is tested, and what its BatchNorm statistics belong to:
# without update_buffers they would be those of the last weights alone.
ema_hook = dict(
    type='EMAHook',
    ema_type='ExpMomentumEMA',
    momentum=0.002,
    gamma=100,
    update_buffers=True,
    priority=49,
)
