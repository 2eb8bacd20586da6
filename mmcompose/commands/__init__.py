"""What each tool does, callable from Python: a function a module, and what their arguments are.

Nothing is imported here, so that ``mmcompose --help`` loads neither torch nor MMDetection.
"""
