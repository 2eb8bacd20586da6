"""How tests start processes of their own."""

from __future__ import annotations

import multiprocessing

import torch

# What is forked off has imported all that it needs; but nothing can be that uses a GPU, too.
METHOD = 'spawn' if torch.cuda.is_available() else 'fork'
CONTEXT = multiprocessing.get_context(METHOD)
