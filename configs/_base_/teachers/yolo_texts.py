# Text files as Ultralytics' save_txt and save_conf write them: class cx cy w h score.
teacher = dict(type='mmcompose.COCOResultsTeacher', results='predictions/labels', classes='coco')
