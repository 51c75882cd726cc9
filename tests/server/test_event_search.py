"""Pages of events by every filter, on both databases, held against a model in plain Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server import event_rows
from server.database import Database
from server.store import EventLog, Session
from server.words import query, words
from tests.server.test_store import event, new_session, stored
from tracks.errors import InvalidRequest
from tracks.events import DetectionData, ErrorData, Event, Model, ObjectData, TranscriptData

LABELS = ("person", "dog", "dining table", "é")
WORDS = (
    *("the", "then", "cat", "CAT", "cat's", "café", "cafe", "Straße", "strass", "東京", "京都", "a", "ab", "3.5", "3"),
    *(
        '"quoted"',
        "'",
        "AND",
        "OR",
        "NOT",
        "NEAR(a b)",
        "cat*",
        "^cat",
        "words:cat",
        "-cat",
        "a-b",
        ":*",
        "&",
        "|",
        "!",
    ),
    *("\\", "\\'", "%", "_", "\0", "<->", "()", "§", "😀", "नमस्ते"),
)


def said(text: str) -> TranscriptData:
    return TranscriptData(text=text, final=True, language="en", words=[], speaker=None, engine="e")


def thing(label: str) -> ObjectData:
    return ObjectData(
        phase="entered", track_id=1, label=label, first_seen=0.0, last_seen=1.0, box=(0, 0, 1, 1), confidence=0.5
    )


def picture(labels: Sequence[str]) -> DetectionData:
    objects = [{"box": (0, 0, 1, 1), "label": label, "confidence": 0.5} for label in labels]
    return DetectionData.model_validate({"frame": {"width": 1, "height": 1}, "inferenceMs": 1.0, "objects": objects})


def kind_of(data: Model) -> str:
    kinds = {TranscriptData: "transcript", ObjectData: "object", DetectionData: "detection", ErrorData: "error"}
    return kinds[type(data)]


def is_found(item: Event, kinds: Any, since: Any, until: Any, label: Any, q: Any) -> bool:
    """Whether a page may have this event, by the words of the contract."""
    data = item.data
    if kinds is not None and item.kind not in kinds:
        return False
    if (since is not None and item.at < since) or (until is not None and item.at > until):
        return False
    if label is not None:
        labels = [each.label for each in data.objects] if isinstance(data, DetectionData) else []
        if isinstance(data, ObjectData):
            labels = [data.label]
        if label not in labels:
            return False
    if q is not None:
        there = words(data.text) if isinstance(data, TranscriptData) else []
        _, *whole, last = query("", q)
        return set(whole) <= set(there) and any(word.startswith(last) for word in there)
    return True


texts = st.one_of(st.lists(st.sampled_from(WORDS), max_size=4).map(" ".join), st.text(max_size=12))
datas = st.one_of(
    texts.map(said),
    st.sampled_from(LABELS).map(thing),
    st.lists(st.sampled_from(LABELS), max_size=3).map(picture),
    st.just(ErrorData(code="internal", message="the cat")),
)
times = st.integers(0, 20)


@st.composite
def filters(draw: st.DrawFn) -> dict[str, Any]:
    """Any of them, or none, together."""
    kinds = st.lists(st.sampled_from(["transcript", "object", "detection", "error", "metric"]), max_size=3)
    return {
        "kinds": draw(st.none() | kinds),
        "since": draw(st.none() | times.map(float)),
        "until": draw(st.none() | times.map(float)),
        "label": draw(st.none() | st.sampled_from((*LABELS, "nothing"))),
        "q": draw(st.none() | texts),
    }


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    entries=st.lists(st.tuples(st.booleans(), times, datas), max_size=60),
    batch=st.integers(0, 10),
    removed=st.integers(0, 10),
    asked=st.lists(filters(), min_size=8, max_size=8),
    limit=st.integers(1, 7),
)
async def test_every_filter_finds_what_a_model_finds(
    database: Database, entries: Any, batch: int, removed: int, asked: list[dict[str, Any]], limit: int
) -> None:
    """Any events of two sessions, in any order of their times, some of them removed: page by page, all that fit."""
    sessions = await new_session(database), await new_session(database)
    published: list[Event] = []
    log = EventLog(database, published.append)
    for number, (which, at, data) in enumerate(entries):
        log.append(event(sessions[which], at, kind_of(data), data))
        if number == batch:
            await log.flush()
    await log.flush()
    assert len(published) == len(entries)
    if removed:
        await database.write(lambda client: event_rows.remove(client, sessions[0].id, 1, removed))
    for session in sessions:
        mine = [item for item in published if item.session_id == session.id]
        if removed and session is sessions[0]:
            mine = mine[removed:]
        for choice in asked:
            if choice["q"] is not None and not words(choice["q"]):
                continue
            expected = [(item.seq, item.id) for item in mine if is_found(item, **choice)]
            found, after = [], 0
            while after is not None:
                page, after = await log.page(session.id, after, limit, **choice)
                assert len(page) <= limit
                found += [(item["seq"], item["id"]) for item in page]
            assert found == expected, choice
    await log.close()


async def fill(database: Database, datas: Sequence[Model]) -> tuple[EventLog, Session]:
    """One session with these events."""
    session = await new_session(database)
    log = EventLog(database, lambda _: None)
    for number, data in enumerate(datas):
        log.append(event(session, number, kind_of(data), data))
    await log.flush()
    return log, session


async def test_events_that_come_late_are_found_by_their_time(database: Database) -> None:
    """Events of one batch, or of several, with times that go back: every window has all of its events."""
    session = await new_session(database)
    log = EventLog(database, lambda _: None)
    ats = [[10], [20, 3, 18], [5], [30, 29], [4, 40]]
    for batch in ats:
        for at in batch:
            log.append(event(session, at))
        await log.flush()
    in_order = [at for batch in ats for at in batch]
    for since in range(0, 42):
        for until in range(since, 42, 7):
            page, _ = await log.page(session.id, since=since, until=until)
            assert [item["at"] for item in page] == [at for at in in_order if since <= at <= until]
    await log.close()


async def test_a_label_finds_pictures_and_objects_with_it(database: Database) -> None:
    """Once each, however often it is in the picture; the whole label, as it is."""
    log, session = await fill(
        database, [picture(["dog", "dog", "person"]), thing("dog"), picture([]), thing("Dog"), said("dog")]
    )

    async def found(**choice: Any) -> list[float]:
        page, _ = await log.page(session.id, **choice)
        return [item["at"] for item in page]

    assert await found(label="dog") == [0, 1]
    assert await found(label="dog", kinds=["object"]) == [1]
    assert await found(label="dog", kinds=["transcript"]) == []
    assert await found(label="do") == []
    assert await found(label="") == []
    await log.close()


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("fellow", [0]),
        ("AMERICANS my", [0]),
        ("amer", [0]),
        ("my amer", [0]),
        ("amer my", []),  # the last one alone may be a beginning
        ("ask", [1, 2]),
        ("asks", []),
        ("cafe au", [3]),
        ("CAFÉ", [3]),
        ("don't", [4]),
        ("kilroy", []),
        ("京都", [5]),
        ("東", [5]),
        ("a* OR", []),
    ],
)
async def test_words_find_what_was_said(database: Database, q: str, found: list[int]) -> None:
    """All words, no stemming, the last one a prefix; case, accents and punctuation do not matter."""
    log, session = await fill(
        database,
        [
            *map(
                said, ("And so, my fellow Americans:", "ask not", "what? Ask!", "café au lait", "Don't", "東京都に行く")
            ),
            thing("kilroy"),
            ErrorData(code="internal", message="kilroy"),
        ],
    )
    page, after = await log.page(session.id, q=q)
    assert ([item["at"] for item in page], after) == (found, None)
    await log.close()


@pytest.mark.parametrize("choice", [{}, {"q": "th"}, {"label": "dog"}, {"kinds": ["transcript", "object"], "since": 3}])
async def test_pages_of_every_filter_follow_each_other(database: Database, choice: dict[str, Any]) -> None:
    """`next` leads to where the page ended, whatever index it came from."""
    log, session = await fill(database, [data for _ in range(15) for data in (said("the end"), thing("dog"))])
    whole, end = await log.page(session.id, limit=1000, **choice)
    assert end is None
    assert len(whole) >= 15
    found, after = [], 0
    while after is not None:
        page, after = await log.page(session.id, after, 4, **choice)
        found += page
    assert found == whole
    await log.close()


async def test_other_sessions_words_are_not_found(database: Database) -> None:
    """The index is one for all sessions; neither a session's words nor its id lead to another's."""
    log, session = await fill(database, [said("one word")])
    other_log, other = await fill(database, [said("one word"), said("another word")])
    page, _ = await log.page(session.id, q="word")
    assert [item["sessionId"] for item in page] == [session.id]
    assert await log.page(session.id, q=other.id) == ([], None)
    assert await log.page(session.id, q=session.id.replace("-", "")) == ([], None)
    assert await log.page(session.id, q="another") == ([], None)
    await log.close()
    await other_log.close()


async def test_a_query_without_words_is_an_error(database: Database) -> None:
    """Not an empty page, and not all events."""
    log, session = await fill(database, [said("one")])
    with pytest.raises(InvalidRequest, match="q must have a word"):
        await log.page(session.id, q="?!")
    await log.close()


async def test_removed_events_are_found_by_nothing(database: Database) -> None:
    """Neither by seq nor by label nor by words, and their room in the indexes is given back."""
    log, session = await fill(
        database, [data for _ in range(5) for data in (said("a word"), thing("dog"), picture(["dog", "cat"]))]
    )
    await database.write(lambda client: event_rows.remove(client, session.id, 1, 14))
    assert [item["seq"] for item in await stored(log, session)] == [15]
    for choice, seqs in (({"q": "word"}, []), ({"label": "dog"}, [15]), ({"label": "cat", "kinds": ["object"]}, [])):
        page, _ = await log.page(session.id, **choice)  # type: ignore[arg-type]
        assert [item["seq"] for item in page] == seqs
    counts = await database.read(
        lambda client: client.execute_query_dict(
            "SELECT (SELECT count(*) FROM event_labels) AS labels, (SELECT count(*) FROM event_texts) AS texts"
        )
    )
    assert dict(counts[0]) == {"labels": 2, "texts": 0}
    await log.close()
