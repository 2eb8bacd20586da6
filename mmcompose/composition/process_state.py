"""Labeling leaves no trace in the process that trains afterwards."""

from __future__ import annotations

import gc
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from mmengine.registry import DefaultScope


@contextmanager
def preserve_process_state() -> Iterator[None]:
    """Restore random states, cudnn's flags, thread count and default scope at the end.

    A run whose labels had to be made then trains exactly like one that found them.
    """
    python, numpy = random.getstate(), np.random.get_state()
    flags = torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic
    threads = torch.get_num_threads()
    scopes = DefaultScope._instance_dict.copy()
    try:
        # fork_rng covers the CPU and every GPU.
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = flags
        torch.set_num_threads(threads)
        DefaultScope._instance_dict.clear()
        DefaultScope._instance_dict.update(scopes)


def free_memory() -> None:
    """Free what models that nobody uses any more have held, on the GPU too."""
    # Models refer to themselves in circles; looking for those takes a while.
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
