"""Pictures in: what becomes of each."""

from __future__ import annotations

import asyncio
import base64
import io
import struct
from collections.abc import Sequence
from typing import Any

import pytest
from PIL import Image

from tests.server.clients import until_async
from tests.server.stream.client import JPEG, jpeg
from tests.server.stream.conftest import Connect, Place
from tests.waiting import until
from tracks.errors import DatabaseUnavailable


def picture(format: str) -> bytes:
    with io.BytesIO() as file:
        Image.open(io.BytesIO(JPEG)).save(file, format)
        return file.getvalue()


STAMPS = (0.1 + 0.2, 1.0, 1763791200.1234567, 1763791200.1234571)


async def test_each_frame_is_answered_by_one_detection_with_its_own_ts(client: Connect) -> None:
    """Bit for bit, with its id, also where the event is stored; whether it came as JSON or as bytes."""
    it = await client()
    await it.start()
    for number, ts in enumerate(STAMPS):
        if number % 2:
            await it.image(ts)
        else:
            await it.frame(ts, frameId=f"frame {number}")
        await until(lambda number=number: len(it.outcomes()) == number + 1)  # type: ignore[misc]
    assert it.outcomes() == {ts: ["detection"] for ts in STAMPS}
    first, second = it.kinds("detection")[:2]
    assert first["data"]["frameId"] == "frame 0"
    assert "frameId" not in second["data"]
    assert first["data"]["objects"][0]["label"] == "bright"
    assert {each["seq"] is None for each in it.kinds("detection")} == {True, False}


async def test_media_time_is_the_stamp_less_the_first(client: Connect) -> None:
    """Whatever the client's clock shows, and however fast it sends."""
    it = await client()
    await it.start()
    for ts in (5000.0, 5000.5, 5060.25):
        await it.frame(ts)
        await until(lambda ts=ts: ts in it.outcomes())  # type: ignore[misc]
    assert [each["mediaTime"] for each in it.kinds("detection")] == [0.0, 0.5, 60.25]


async def test_an_object_event_names_the_frame_it_was_noticed_in(client: Connect) -> None:
    """Every event made from a frame carries its ts and its id."""
    it = await client()
    await it.start()
    for number in range(4):
        await it.frame(number / 10, frameId=f"frame {number}")
        await until(lambda number=number: len(it.outcomes()) == number + 1)  # type: ignore[misc]
    await until(lambda: it.kinds("object"))
    entered = it.kinds("object")[0]["data"]
    assert (entered["phase"], entered["frameTs"], entered["frameId"]) == ("entered", 0.3, "frame 3")


async def test_nothing_is_lost_of_who_leaves_two_frames_unanswered(client: Connect) -> None:
    """Whatever the profile's rate, and however close together the two come."""
    it = await client()
    assert (await it.ask(type="start", id="s", profile="fast"))["limits"]["inFlight"] == 2
    for number in range(12):
        await until(lambda number=number: len(it.outcomes()) >= number - 1)  # type: ignore[misc]
        await it.image(float(number))
    await until(lambda: len(it.outcomes()) == 12)
    assert it.outcomes() == {float(number): ["detection"] for number in range(12)}


async def test_while_the_detector_is_busy_the_newest_frame_wins(place: Place, client: Connect) -> None:
    """Of ten frames at once the first and the last are detected, and the others are told as dropped, each once."""
    it = await client()
    session_id = (await it.start())["sessionId"]
    place.detector.gate.clear()
    place.detector.entered.clear()
    await it.image(1.0)
    await until(place.detector.entered.is_set)
    for number in range(2, 11):
        await it.image(float(number))
    await until(lambda: len(it.outcomes()) == 8)
    assert len(it.types("dropped")) <= 3
    place.detector.gate.set()
    await until(lambda: len(it.outcomes()) == 10)
    outcomes = it.outcomes()
    assert [ts for ts, outcome in outcomes.items() if outcome == ["detection"]] == [1.0, 10.0]
    assert all(outcome == ["dropped"] for ts, outcome in outcomes.items() if 1 < ts < 10)
    assert sum(each["count"] for each in it.types("dropped")) == 8
    session = place.server.live.find(session_id)
    assert session is not None
    assert session.stats.drops["detector"] == 8


HUGE = JPEG.replace(struct.pack(">HH", 360, 640), struct.pack(">HH", 60_000, 60_000))
"""A picture whose header says that it has 3,600 megapixels."""


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (JPEG[: len(JPEG) // 2], "invalid_request"),
        (b"", "invalid_request"),
        (b"GIF89a" + bytes(200), "unsupported_media"),
        (b"#EXTM3U\nfile:///etc/passwd\n", "unsupported_media"),
        (HUGE, "payload_too_large"),
    ],
)
async def test_a_picture_that_is_none_is_refused_and_the_next_goes_on(client: Connect, data: bytes, code: str) -> None:
    """The error names the frame and is not fatal; that is the frame's one outcome."""
    it = await client()
    await it.start()
    await it.frame(1.0, data, frameId="bad")
    await it.frame(2.0)
    await until(lambda: len(it.outcomes()) == 2)
    assert it.outcomes() == {1.0: ["error"], 2.0: ["detection"]}
    (error,) = it.types("error")
    assert error["fatal"] is False
    assert error["error"]["code"] == code
    assert error["error"]["details"]["frameId"] == "bad"


@pytest.mark.parametrize("data", ["data:image/jpeg,abc", "!!!!", "é"])
async def test_what_is_no_base64_is_refused(client: Connect, data: str) -> None:
    """Where text carries the picture."""
    it = await client()
    await it.start()
    await it.say(type="frame", ts=1.0, data=data)
    await until(lambda: it.types("error"))
    assert it.types("error")[0]["error"]["code"] == "invalid_request"


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
async def test_three_formats_are_taken_also_as_data_urls(client: Connect, format: str) -> None:
    """Told by their content."""
    it = await client()
    await it.start()
    await it.say(type="frame", ts=1.0, data="data:image/x;base64," + base64.b64encode(picture(format)).decode())
    await until(lambda: it.kinds("detection"))
    assert it.kinds("detection")[0]["data"]["frame"] == {"width": 640, "height": 360}


@pytest.mark.parametrize("stamps", [(2.0, 2.0), (2.0, 1.0)])
async def test_ts_must_rise(client: Connect, stamps: Sequence[float]) -> None:
    """One that does not is refused, and names both."""
    it = await client()
    await it.start()
    for ts in stamps:
        await it.image(ts)
    await until(lambda: it.types("error") and it.kinds("detection"))
    (error,) = it.types("error")
    assert error["error"]["code"] == "invalid_request"
    assert f"{stamps[1]!r} came after 2.0" in error["error"]["message"]


@pytest.mark.parametrize(
    "message",
    [
        {"ts": "1.0"},
        {"ts": True},
        {"ts": None},
        {"ts": 1e300},
        {},
        {"ts": 1.0, "frameId": "x" * 65},
        {"ts": 1.0, "frameId": 7},
        {"ts": 1.0, "colour": "red"},
    ],
)
async def test_fields_of_another_type_are_refused(client: Connect, message: dict[str, Any]) -> None:
    """A number is no text; what is missing, too long or unknown is named."""
    it = await client()
    await it.start()
    await it.say(type="frame", data="", **message)
    await until(lambda: it.types("error"))
    assert it.types("error")[0]["error"]["code"] == "invalid_request"
    assert it.close_code is None


@pytest.mark.parametrize("ts", [float("nan"), float("inf"), -1e11])
async def test_a_binary_ts_must_be_seconds(client: Connect, ts: float) -> None:
    """Neither infinite nor absurd."""
    it = await client()
    await it.start()
    await it.image(ts)
    await until(lambda: it.types("error"))
    assert it.types("error")[0]["error"]["code"] == "invalid_request"


async def test_only_a_publisher_sends_frames(client: Connect) -> None:
    """Neither somebody without a session nor a watcher; both may go on."""
    publisher, watcher, nobody = await client(), await client(), await client()
    session_id = (await publisher.start())["sessionId"]
    await watcher.ask(type="attach", id="a", sessionId=session_id)
    for it in (watcher, nobody):
        await it.image(1.0)
        await until(lambda it=it: it.types("error"))  # type: ignore[misc]
        assert it.types("error")[0]["error"]["code"] == "invalid_request"
        assert (await it.ask(type="ping", id="p"))["type"] == "pong"


async def test_a_session_that_only_listens_takes_no_frames(client: Connect) -> None:
    """It says what it takes."""
    it = await client()
    await it.start(pipelines=["audio"])
    await it.image(1.0)
    await until(lambda: it.types("error"))
    assert "takes no video, only audio" in it.types("error")[0]["error"]["message"]


async def test_a_frame_of_another_size_is_detected_too(client: Connect) -> None:
    """A client may change the size of its pictures between two answers."""
    it = await client()
    await it.start()
    for number, size in enumerate(((640, 360), (1280, 720), (320, 240))):
        await it.image(float(number), jpeg(size=size))
        await until(lambda number=number: len(it.outcomes()) == number + 1)  # type: ignore[misc]
    assert all(outcome == ["detection"] for outcome in it.outcomes().values())
    assert [each["data"]["frame"]["width"] for each in it.kinds("detection")] == [640, 1280, 320]


async def test_frames_are_answered_while_the_database_is_away(
    place: Place, client: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event that would be stored goes out live, when its commit takes long; stored, it comes again with its seq."""
    it = await client()
    await it.start()
    await until(lambda: it.seqs() == [1])
    away = asyncio.Event()

    async def refuse(*_: object) -> None:
        if not away.is_set():
            raise DatabaseUnavailable("the disk is gone")
        return await write(*_)

    from server.event_log import EventLog

    write = EventLog._store
    monkeypatch.setattr(EventLog, "_store", refuse)
    await it.image(1.0)
    await until(lambda: it.outcomes())
    assert it.kinds("detection")[0]["seq"] is None
    away.set()
    await until(lambda: len(it.kinds("detection")) == 2)
    first, again = it.kinds("detection")
    assert again["seq"] is not None
    assert again["id"] == first["id"]
    assert again["data"] == first["data"]


async def test_the_source_of_a_session_is_named_as_the_client_says(place: Place, client: Connect) -> None:
    """`start` makes a webcam source; `sourceId` takes one that is there."""
    it, other = await client(), await client()
    started = await it.start(name="gate")
    source = await (await place.http.get(f"/sources/{started['sourceId']}")).json()
    assert (source["kind"], source["name"]) == ("webcam", "gate")
    again = await other.start(sourceId=started["sourceId"])
    assert again["sourceId"] == started["sourceId"]
    assert again["sessionId"] != started["sessionId"]


async def test_a_start_that_fails_leaves_no_source_behind(place: Place, client: Connect) -> None:
    """An unknown profile is named with the choices, and the client may try again."""
    it = await client()
    refused = await it.ask(type="start", id="s", profile="ludicrous")
    assert refused["error"]["code"] == "invalid_request"
    assert "have: accurate" in refused["error"]["message"]
    assert refused["fatal"] is False

    async def no_source() -> bool:
        return (await (await place.http.get("/sources")).json())["sources"] == []

    await until_async(no_source)
    await it.start()
