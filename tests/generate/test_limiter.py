"""How many requests are under way: found out, and held to."""

import asyncio

from imitation_data.generate.budget import Ceiling
from imitation_data.generate.limiter import FIRST, Limiter, Rate
from imitation_data.generation import Orders, generate
from imitation_data.versions.store import Store
from tests.servers.teacher import Teacher, TeacherSettings


def limiter(most: int = 64, per_minute: float = 0) -> tuple[Limiter, list[float]]:
    now = [0.0]
    rates = (Rate(per_minute, lambda: now[0]), Rate(0, lambda: now[0]))
    return Limiter(most, *rates, lambda: now[0]), now


def rounds(one: Limiter, now: list[float], seconds: float, count: int) -> None:
    """So many rounds of as many requests as are let through, all answered after `seconds`."""

    async def work() -> None:
        for _ in range(count):
            under_way = int(min(one.limit, one.most))
            for _ in range(under_way):
                await one.enter(1)
            now[0] += seconds
            for _ in range(under_way):
                one.leave(seconds)

    asyncio.run(work())


def test_it_grows_fourfold_then_by_little():
    """Without congestion up to the most; after it, a sixteenth more a round."""
    one, now = limiter()
    rounds(one, now, 1.0, 1)
    assert one.limit == 32
    rounds(one, now, 1.0, 2)
    assert one.limit == 64
    for _ in range(9):
        one.congested()
    assert one.limit == 64  # a quarter of the last forty is congestion, less is an accident
    one.congested()
    assert one.limit == 64 * 0.6
    before = one.limit
    rounds(one, now, 1.0, 3)
    assert before < one.limit <= before * (17 / 16) ** 3


def test_an_accident_is_not_congestion():
    """One 429 among many answers changes nothing; it is waited for where the endpoint asks."""
    one, now = limiter()
    rounds(one, now, 1.0, 2)
    before = one.limit
    one.congested(5.0)
    assert one.limit == before
    assert one._wait_for() == 5.0


def test_rates_are_kept():
    """Sixty a minute are one a second, after a burst of three."""
    rate = Rate(60, clock := (lambda: 10.0))
    assert clock() == 10.0
    for _ in range(3):
        rate.take(1)
    assert rate.delay() == 3.0


def test_an_endpoint_for_two_is_asked_by_few(card, tmp_path):
    """It starts with eight, is turned down, and ends near what the endpoint takes."""
    settings = TeacherSettings(latency=0.02, concurrency=2)
    with Teacher(1, settings=settings) as teacher:
        generate(
            card("nq-synthetic", teacher.url),
            Store(tmp_path),
            Orders(ceiling=Ceiling(requests=100_000), limit=300),
        )
        stats = teacher.stats(bodies=False)
    assert stats["charged"] >= 50
    assert stats["by_status"].get("429", 0) < 2 * stats["charged"]
    assert FIRST == 8
