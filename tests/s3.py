"""An S3 server on this machine, for tests of what lies in object storage."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

BUCKET = 'bucket'


@contextmanager
def serving() -> Iterator[str]:
    """Serve a bucket, and yield its URL; whoever asks S3 meanwhile asks this server."""
    # Here, since they take seconds to import.
    import s3fs
    from moto.server import ThreadedMotoServer

    # Each request would be a line.
    logging.getLogger('werkzeug').setLevel(logging.ERROR)
    server = ThreadedMotoServer('127.0.0.1', 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv('AWS_ENDPOINT_URL', f'http://{host}:{port}')
            patch.setenv('AWS_ACCESS_KEY_ID', 'test')
            patch.setenv('AWS_SECRET_ACCESS_KEY', 'test')
            patch.setenv('AWS_DEFAULT_REGION', 'us-east-1')
            s3fs.S3FileSystem().mkdir(BUCKET)
            yield f's3://{BUCKET}'
    finally:
        server.stop()
