# Predictions that were made elsewhere, matched by file name.
teacher = dict(
    type='mmcompose.COCOResultsTeacher',
    results='predictions/results.bbox.json',
    images='predictions/images.json',
)
