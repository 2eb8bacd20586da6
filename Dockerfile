# docker build --target cpu -t mmcompose .     or: --target cuda, for the GPUs of CUDA_ARCHITECTURES
# docker run -v "$PWD:/data" -w /data mmcompose plan CONFIG
ARG CUDA_IMAGE=nvidia/cuda:13.0.2-devel-ubuntu24.04

FROM python:3.11-slim-bookworm AS cpu
RUN apt-get update && apt-get install -y --no-install-recommends g++ make libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /mmcompose
COPY . .
# Else pip takes torch with CUDA's libraries, of several gigabytes.
ENV PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu PIP_NO_CACHE_DIR=1
RUN make setup
ENV PATH=/mmcompose/.venv/bin:$PATH
ENTRYPOINT ["mmcompose"]

FROM ${CUDA_IMAGE} AS cuda
RUN apt-get update && apt-get install -y --no-install-recommends g++ make libgl1 libglib2.0-0t64 \
    python3 python3-dev python3-venv && rm -rf /var/lib/apt/lists/*
WORKDIR /mmcompose
COPY . .
# No GPU is seen while an image is built: MMCV is compiled for those that are named.
ARG CUDA_ARCHITECTURES="8.0;8.6;9.0"
ENV FORCE_CUDA=1 TORCH_CUDA_ARCH_LIST=${CUDA_ARCHITECTURES} PIP_NO_CACHE_DIR=1
RUN make setup
ENV PATH=/mmcompose/.venv/bin:$PATH
ENTRYPOINT ["mmcompose"]
