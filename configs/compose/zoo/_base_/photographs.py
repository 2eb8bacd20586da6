# The pool: a folder of photographs. A config adds the pipeline that its student learns by.
photographs = dict(
    type='mmcompose.PseudoLabeledDataset',
    dataset=dict(type='mmcompose.UnlabeledImages', data_prefix=dict(img='data/photographs')),
)
