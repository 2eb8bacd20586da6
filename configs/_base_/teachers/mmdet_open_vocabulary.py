# A model that looks for what the texts name (needs mmcompose[hf]).
teacher = dict(
    type='mmcompose.MMDetTeacher',
    model='glip_atss_swin-t_a_fpn_dyhead_pretrain_obj365',
    texts=['fire hydrant', 'street lamp'],
)
