# A folder that transformers' save_pretrained wrote, or a name on the hub (needs mmcompose[hf]).
teacher = dict(type='mmcompose.HuggingFaceTeacher', model='PekingU/rtdetr_r18vd')
