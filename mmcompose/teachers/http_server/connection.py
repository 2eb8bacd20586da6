"""A connection to one server, with limits on time, on size, and on where it leads."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError, ProtocolError, ReadTimeoutError

from mmcompose.utils import UserError, first_line, problem, warn

# What a server answers when a request may be repeated.
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_REDIRECTS, _MOST_REDIRECTS = (301, 302, 303, 307, 308), 5
_CHUNK = 2**16
_LONGEST_WAIT = 60.0


class _RetryUntil(urllib3.Retry):
    """urllib3's Retry, which has no limit on the whole time.

    Attributes:
        deadline: By ``time.monotonic``, when to repeat no more.
        url: Of the server, for messages.
    """

    deadline: float
    url: str

    def new(self, **changes: Any) -> _RetryUntil:
        """Return a copy with changes."""
        made = super().new(**changes)
        made.deadline, made.url = self.deadline, self.url
        return made

    def get_backoff_time(self) -> float:
        """Return the seconds before a repetition; urllib3 leaves out the first."""
        # Redirects are not followed here: each entry is an error.
        return float(min(self.backoff_factor * 2 ** (len(self.history) - 1), self.backoff_max))

    def sleep(self, response: Any = None) -> None:
        """Wait before a repetition, as long as the server sets, but not past the deadline."""
        asked = self.get_retry_after(response) if response is not None else None
        wait = min(asked or self.get_backoff_time(), _LONGEST_WAIT)
        if time.monotonic() + wait >= self.deadline:
            raise MaxRetryError(None, self.url, 'the time limit is reached')  # type: ignore[arg-type]
        reason = response.status if response is not None else self.history[-1].error
        warn(f'{self.url}: {reason}; asking again in {wait:g} s')
        time.sleep(wait)


@dataclass
class Connection:
    """Requests to one server, safe for several threads.

    Args:
        url: What the paths of requests are put after.
        headers: Sent with every request.
        timeout: Seconds without a byte.
        time_limit: Seconds for a request with all its repetitions.
        size_limit: Bytes of an answer.
        retries: How often a request is repeated after a passing fault.
        backoff: Seconds before the first repetition; doubled each time.
    """

    url: str
    headers: Mapping[str, str]
    timeout: float
    time_limit: float
    size_limit: int
    retries: int
    backoff: float
    _state: dict[str, Any] = field(default_factory=dict, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != '_pool'}

    @cached_property
    def _pool(self) -> urllib3.PoolManager:
        parts = urlsplit(self.url)
        proxy = getproxies().get(parts.scheme)
        if proxy and not proxy_bypass(parts.hostname or ''):
            return urllib3.ProxyManager(proxy)
        return urllib3.PoolManager(maxsize=16)

    def call(
        self, method: str, path: str, body: bytes | None = None, headers: Any = None
    ) -> tuple[Mapping[str, str], bytes]:
        """Send a request, and return the headers and the content of its answer.

        Raises:
            UserError: If the server refuses, gives no answer within the limits, gives one that is
                too large, or leads to another server.
        """
        url, deadline = self.url + path, time.monotonic() + self.time_limit
        for _ in range(_MOST_REDIRECTS):
            retry = self._retry(deadline)
            try:
                response, content = self._exchange(method, url, body, headers, retry)
            except (HTTPError, OSError, ValueError) as error:
                raise self._problem(
                    f'gave no answer in {self._tries} ({_reason(error)})'
                ) from error
            if response.status not in _REDIRECTS:
                break
            url = self._redirected(url, response)
        if response.status != 200:
            text = content[:200].decode('utf-8', 'replace')
            answer = f'{response.status} {" ".join(text.split())}'
            passing = response.status in _PASSING
            raise self._problem(
                f'gave no answer in {self._tries} ({answer})' if passing else f'refuses: {answer}'
            )
        return response.headers, content

    def _exchange(
        self, method: str, url: str, body: bytes | None, headers: Any, retry: _RetryUntil
    ) -> tuple[Any, bytes]:
        """Send a request, and again where the answer breaks off, as urllib3 does before it."""
        while True:
            response = self._pool.request(
                method,
                url,
                body=body,
                headers={**self.headers, **(headers or {})},
                timeout=urllib3.Timeout(connect=self.timeout, read=self.timeout),
                retries=retry,
                redirect=False,
                preload_content=False,
            )
            try:
                return response, b''.join(self._parts(response, retry.deadline))
            except (ProtocolError, ReadTimeoutError) as error:
                # As many in all, whatever went wrong; it raises where there are no more.
                spent: Any = response.retries
                retry = spent.increment(method, url, error=error)
                retry.sleep()

    @property
    def _tries(self) -> str:
        return f'{self.retries + 1} attempts'

    def _retry(self, deadline: float) -> _RetryUntil:
        retry = _RetryUntil(
            total=self.retries,
            status_forcelist=_PASSING,
            allowed_methods=None,
            backoff_factor=self.backoff,
            raise_on_status=False,
        )
        retry.deadline, retry.url = deadline, self.url
        return retry

    def _parts(self, response: Any, deadline: float) -> Iterator[bytes]:
        """Yield the content as it comes; a server may send a byte a minute, or never end."""
        size = 0
        while part := response.read1(_CHUNK, decode_content=True):
            size += len(part)
            if size > self.size_limit:
                response.close()
                raise self._problem(f'gives an answer of more than {self.size_limit} bytes')
            if time.monotonic() > deadline:
                response.close()
                raise self._problem(f'gave no whole answer within {self.time_limit:g} s')
            yield part
        response.release_conn()

    def _redirected(self, url: str, response: Any) -> str:
        target: str = urljoin(url, response.headers.get('location', ''))
        old, new = urlsplit(url), urlsplit(target)
        if (old.scheme, old.netloc) != (new.scheme, new.netloc) or target == url:
            raise self._problem(f'leads to {target!r}, which is another server: give its url')
        return target

    def _problem(self, expected: str) -> UserError:
        return UserError(problem('url', self.url, expected))


def _reason(error: BaseException) -> str:
    """Return why a request failed, in one line."""
    return first_line(getattr(error, 'reason', None) or error)[:200]
