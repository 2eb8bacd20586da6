"""Labeling leaves no trace in the process that trains afterwards."""

from __future__ import annotations

import gc
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from mmengine.registry import DefaultScope
from threadpoolctl import threadpool_limits


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


@contextmanager
def on_one_thread() -> Iterator[None]:
    """Compute on one thread, and as before at the end.

    The number of threads changes the last bits of a convolution or a matrix product, and so what
    is stored: the same parts must come from every process.
    """
    threads = torch.get_num_threads()
    try:
        with threadpool_limits(1):
            torch.set_num_threads(1)
            yield
    finally:
        torch.set_num_threads(threads)


def free_memory() -> None:
    """Free what models that nobody uses any more have held, on the GPU too."""
    # Models refer to themselves in circles; looking for those takes a while.
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
