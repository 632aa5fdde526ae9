"""The wire to one endpoint: what the `openai` client would send, over connections of `aiohttp`.

Requests to a teacher differ in their bodies alone, so the client is asked once for address,
authentication and headers, and what it does anew for each request is saved. Errors are those that
the client's own transport has.
"""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from ipaddress import ip_address, ip_network
from typing import NamedTuple
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx2
import openai
from yarl import URL

from imitation_data.errors import TeacherError

IDLE = 4.0  # seconds a connection is kept; many servers close theirs after five
REACH = 0.9  # of the time for a try, to reach the endpoint: who did not was not charged
LONGEST_HEADER = 1 << 16
# Of a connection or of one body, not of all requests; what may be packed, aiohttp knows.
ITS_OWN = {
    "accept-encoding",
    "connection",
    "content-length",
    "host",
    "proxy-authorization",
    "transfer-encoding",
}


class Reply(NamedTuple):
    """A response, read to its end."""

    status: int
    headers: Mapping[str, str]
    content: bytes


async def prepared(api: openai.AsyncOpenAI, path: str) -> httpx2.Request:
    """What a client would send to a path, its body left out; nothing is sent."""
    caught: list[httpx2.Request] = []

    def catch(request: httpx2.Request) -> httpx2.Response:
        caught.append(request)
        return httpx2.Response(200)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(catch)) as nowhere:
        asking = api.with_options(http_client=nowhere)
        await asking.post(path, cast_to=httpx2.Response, content=b"{}")
    return caught[0]


class Wire:
    """Sends bodies to one path of an API.

    Args:
        like: the request that all are like.
        timeout: seconds that one may take.
        trust: whose certificates are good.
        proxy: through which, if any.
    """

    def __init__(
        self, like: httpx2.Request, timeout: float, trust: ssl.SSLContext, proxy: str | None
    ) -> None:
        plain = like.url.copy_with(username=None, password=None)  # they went into a header
        self.url = URL(str(plain), encoded=True)
        kept = {name: value for name, value in like.headers.items() if name not in ITS_OWN}
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,  # the sender knows how many there may be
                keepalive_timeout=IDLE,
                ssl=trust,
                resolver=aiohttp.ThreadedResolver(),  # the system's
            ),
            headers=kept,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=timeout, connect=timeout * REACH),
            proxy=proxy,
            max_line_size=LONGEST_HEADER,
            max_field_size=LONGEST_HEADER,
        )

    async def close(self) -> None:
        await self.session.close()

    async def post(self, body: bytes) -> Reply:
        """Send a body once, redirects not followed.

        Raises:
            httpx2.TransportError: no response came, or not all of it.
        """
        with _told_as_the_client_does():
            # A server that sends requests elsewhere would get to see the key there.
            async with self.session.post(self.url, data=body, allow_redirects=False) as response:
                content = await response.read()
        return Reply(response.status, response.headers, content)


def proxy_for(url: httpx2.URL) -> str | None:
    """The proxy that the environment (or the system) names for an address, if there is one.

    Raises:
        TeacherError: it does not speak HTTP.
    """
    found = getproxies()
    proxy = found.get(url.scheme) or found.get("all")
    beside = found.get("no", "").split(",")
    if not proxy or proxy_bypass(url.netloc.decode("ascii")) or _within(url.host, beside):
        return None
    scheme, found_one, _ = proxy.partition("://")
    if found_one and scheme.lower() not in {"http", "https"}:
        raise TeacherError(
            f"the environment names a proxy of the kind {scheme!r} for {url.host}; name one that "
            f"speaks HTTP in {url.scheme.upper()}_PROXY, or list the host in NO_PROXY"
        )
    return proxy if found_one else f"http://{proxy}"


def _within(host: str, networks: list[str]) -> bool:
    for network in networks:
        with suppress(ValueError):  # a name, not numbers
            if ip_address(host) in ip_network(network.strip(), strict=False):
                return True
    return False


@contextmanager
def _told_as_the_client_does() -> Iterator[None]:
    try:
        yield
    except aiohttp.ConnectionTimeoutError as error:
        raise httpx2.ConnectTimeout(str(error)) from error
    except TimeoutError as error:
        raise httpx2.ReadTimeout(str(error)) from error
    except (
        aiohttp.ClientConnectorError,
        aiohttp.ClientHttpProxyError,  # it refuses to connect
        aiohttp.InvalidURL,
        aiohttp.NonHttpUrlClientError,
    ) as error:
        raise httpx2.ConnectError(str(error)) from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise httpx2.ReadError(str(error) or type(error).__name__) from error
