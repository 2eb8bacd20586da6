# A function of one picture that returns boxes, scores and labels.
teacher = dict(
    type='mmcompose.FunctionTeacher',
    function='my_package.my_detector',
    classes=['cat', 'dog'],
)
