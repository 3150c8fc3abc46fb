from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from quantlab.base.clock import iso, parse_iso, utc_now


def test_now_is_aware_and_utc() -> None:
    assert utc_now().utcoffset() == timedelta(0)


def test_times_are_written_at_one_width_in_utc() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2)))
    assert iso(moment) == "2026-01-02T01:04:05.000000+00:00"


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="Timezone-aware time required"):
        iso(datetime(2026, 1, 2))  # noqa: DTZ001 - what is refused


def test_a_time_is_read_back() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    assert parse_iso(iso(moment)) == moment


def test_a_time_without_offset_is_local(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Etc/GMT-3")
    time.tzset()
    try:
        assert parse_iso("2026-01-02T03:00:00") == datetime(2026, 1, 2, 0, tzinfo=UTC)
    finally:
        monkeypatch.undo()
        time.tzset()
