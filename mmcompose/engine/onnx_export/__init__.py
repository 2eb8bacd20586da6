"""A trained student as an ONNX file that decodes and suppresses inside."""

from mmcompose.engine.onnx_export.input_size import OnnxInput, read_input
from mmcompose.engine.onnx_export.network import DecodedBoxes, check_head
from mmcompose.engine.onnx_export.suppression import with_suppression

__all__ = ['DecodedBoxes', 'OnnxInput', 'check_head', 'read_input', 'with_suppression']
