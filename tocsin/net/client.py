"""The HTTP client: HTTP/1.1 over connections that are kept, one call once, and a guard where addresses are foreign."""

import asyncio
import ssl
from collections.abc import Callable

from tocsin.net.dial import Dialler, Resolve, resolve
from tocsin.net.encoding import encode
from tocsin.net.guard import Guard
from tocsin.net.http import Answer, Claim, NotSent, Request
from tocsin.net.origin import Origin, parse
from tocsin.net.pool import Held, Pool, PoolPolicy

_MIB = 1024 * 1024


class Client:
    """Fulfils `tocsin.net.http.HttpClient`. Proxies of the environment are not used.

    `connections` bounds those to one origin. `allow_plain` also takes http:// URLs. With a `guard`, hosts are
    connected to only at addresses that it admits. An answer's body may have `max_body` bytes.
    """

    def __init__(
        self,
        *,
        connections: int,
        monotonic: Callable[[], float],
        ssl_context: ssl.SSLContext | None = None,
        allow_plain: bool = False,
        guard: Guard | None = None,
        resolve: Resolve = resolve,
        connect_timeout_seconds: float = 10.0,
        max_body: int = _MIB,
    ) -> None:
        self._policy = PoolPolicy(connections=connections)
        self._monotonic = monotonic
        self._allow_plain = allow_plain
        self._dialler = Dialler(
            context=ssl_context or _default_context(),
            guard=guard,
            resolve=resolve,
            connect_timeout_seconds=connect_timeout_seconds,
            max_body=max_body,
        )
        self._pools: dict[Origin, Pool] = {}

    async def send(self, request: Request, *, deadline: float, claim: Claim | None = None) -> Answer:
        """See `HttpClient`.

        The causes of NotSent: `no_free_connection`, `name_resolution`, `refused_by_guard`, `connection_refused`,
        `connect_timeout`, `connect_failed`, `tls_failed` (with `ours`: the certificate is not trusted), `deadline`.
        Raises ValueError for an URL or a header that cannot be sent, before anything else is done.
        """
        origin, target = parse(request.url, allow_plain=self._allow_plain)
        data = encode(request, origin, target)
        loop = asyncio.get_running_loop()
        if loop.time() >= deadline:
            raise NotSent("deadline")
        pool = self._pool(origin)
        held = await pool.take(deadline)
        if claim is not None:
            held = await self._claimed(claim, pool, held, deadline)
        try:
            answer = await held.connection.exchange(data, to_head=request.method == "HEAD", by=deadline)
        except BaseException:
            pool.discard(held)
            raise
        pool.give_back(held)
        return answer

    async def aclose(self) -> None:
        """See `HttpClient`. Returns when the sockets are closed."""
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()
        await asyncio.sleep(0)  # the loop closes aborted sockets in its next turn

    def _pool(self, origin: Origin) -> Pool:
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = self._new_pool(origin)
        return pool

    def _new_pool(self, origin: Origin) -> Pool:
        made = Pool(
            policy=self._policy,
            dial=lambda deadline: self._dialler.dial(origin, deadline),
            monotonic=self._monotonic,
            unused=lambda: self._forget(origin, made),
        )
        return made

    def _forget(self, origin: Origin, pool: Pool) -> None:
        """Drop a pool that nobody uses, with its timer; what has taken its place meanwhile stays."""
        pool.close()
        if self._pools.get(origin) is pool:
            del self._pools[origin]

    async def _claimed(self, claim: Claim, pool: Pool, held: Held, deadline: float) -> Held:
        """Await the claim and return the connection, or another one if the server closed it meanwhile."""
        try:
            await claim()
        except Exception:
            pool.give_back(held)
            raise
        except BaseException:
            pool.discard(held)
            raise
        if asyncio.get_running_loop().time() >= deadline:
            pool.give_back(held)
            raise NotSent("deadline")
        if held.connection.is_quiet():
            return held
        return await pool.replace(held, deadline)


def _default_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
