"""Export labels for another tool, or a student as one ONNX file."""

from mmcompose.cli import run_verb

if __name__ == '__main__':
    run_verb('export')
