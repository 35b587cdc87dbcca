"""What a watched file waits for, with a clock and files that the tests make up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upscale.batch.watch import FileState, Watch, quiet_time

LONG = 5.0


def ready(watch, now, most=100):
    return watch.ready(now, most)


def watched(**states):
    """Watch files that were there in the beginning and have been enlarged."""
    watch = Watch()
    watch.look(states, 0, anew=True)
    for key in ready(watch, LONG):
        watch.begin(key)
        assert watch.end(key, states[key], "", LONG)
    return watch


def test_a_file_is_ready_when_it_has_not_changed_for_a_moment():
    watch, state = Watch(), FileState(100, 1)
    watch.look({"a": state}, 10, anew=True)
    assert ready(watch, 10.1) == []
    assert ready(watch, 10.4) == ["a"]
    assert watch.waiting == watch.unfinished == 1
    assert not watch.begin("a"), "it was there in the beginning"
    assert ready(watch, 99) == [] and watch.waiting == 0 and watch.unfinished == 1
    assert watch.end("a", state, "", 11)
    watch.look({"a": state}, 12)
    assert ready(watch, 99) == [] and watch.unfinished == 0


def test_a_file_that_grows_waits_anew():
    watch = Watch()
    for step in range(20):
        watch.look({"a": FileState(100 + step, step)}, step * 0.25)
        assert ready(watch, step * 0.25 + 0.24) == []
    assert ready(watch, 20 * 0.25 + 0.3) == ["a"]
    assert not watch.see("a", FileState(200, 30), 6), "one more change that no event has reported"
    assert ready(watch, 6.2) == []


def test_what_is_large_or_empty_waits_longer():
    assert quiet_time(1000) < 0.5 < quiet_time(60_000_000) <= quiet_time(10**12) == quiet_time(0) == LONG


@pytest.mark.parametrize(
    "later", [FileState(101, 1, 1), FileState(100, 2, 1), FileState(100, 1, 2), FileState(100, 1, 1, readable=False)]
)
def test_each_kind_of_change_counts(later):
    watch = watched(a=FileState(100, 1, 1))
    watch.look({"a": later}, 20)
    assert ready(watch, 30) == ["a"]
    assert watch.begin("a"), "it has changed"


def test_new_files_are_renewed_and_those_of_a_folder_that_returns_are_not():
    watch = watched(a=FileState(1, 1))
    watch.look({"a": FileState(1, 1), "b": FileState(1, 1)}, 20)
    assert watch.begin("b")
    watch.look({"a": FileState(1, 2), "c": FileState(1, 1)}, 20, anew=True)
    assert watch.begin("a")
    assert not watch.begin("c")


def test_a_file_that_changes_back_needs_nothing():
    watch = watched(a=FileState(1, 1))
    watch.look({"a": FileState(2, 2)}, 20)
    watch.look({"a": FileState(1, 1)}, 20.1)
    assert watch.unfinished == 0 and ready(watch, 99) == []


def test_files_that_go_before_they_are_stable_are_forgotten():
    watch = Watch()
    watch.look({"a": FileState(1, 1), "b": FileState(1, 1)}, 0)
    watch.look({"b": FileState(1, 1)}, 0.1)
    assert not watch.see("b", None, 0.2)
    assert ready(watch, 99) == [] and watch.unfinished == 0


def test_files_that_cannot_be_seen_are_not_forgotten():
    watch = watched(a=FileState(1, 1), b=FileState(1, 1))
    watch.look({}, 10, unseen={"a"})
    watch.look({"a": FileState(1, 1), "b": FileState(1, 1)}, 20)
    assert ready(watch, 99) == ["b"]


def test_a_file_that_changes_while_it_is_enlarged_is_enlarged_again():
    watch = Watch()
    watch.look({"a": FileState(1, 1)}, 0)
    watch.begin("a")
    watch.look({"a": FileState(1, 2)}, 1)
    assert ready(watch, 99) == [] and watch.unfinished == 2, "the running one, and the next"
    assert watch.end("a", FileState(1, 2), "", 2), "what was written is reported"
    assert ready(watch, 99) == ["a"]


def test_failures_are_reported_once_and_only_where_nothing_has_changed():
    watch, states = Watch(), [FileState(1, n) for n in range(9)]

    def attempt(before, after, error):
        watch.look({"a": before}, 0)
        watch.begin("a")
        return watch.end("a", after, error, 1)

    assert not attempt(states[0], states[1], "damaged"), "it had been half written"
    assert watch.failed == 0 and watch.unfinished == 1
    assert attempt(states[1], states[1], "damaged")
    assert watch.failed == 1
    assert not attempt(states[2], states[2], "damaged"), "this is known"
    assert attempt(states[3], states[3], "too large"), "this is not"
    assert attempt(states[4], states[4], "")
    assert watch.failed == 0, "it was repaired"
    assert attempt(states[5], states[5], "damaged")
    assert not attempt(states[6], None, "no such file"), "it was removed"
    assert watch.failed == watch.unfinished == 0


def test_a_file_that_goes_while_it_is_enlarged_and_returns():
    watch = Watch()
    watch.look({"a": FileState(1, 1)}, 0)
    watch.begin("a")
    watch.look({}, 1)
    watch.look({"a": FileState(1, 2)}, 2)
    assert watch.end("a", FileState(1, 2), "", 3)
    assert ready(watch, 99) == ["a"]


def test_a_file_that_goes_with_its_folder_just_after_it_was_enlarged():
    watch = Watch()
    watch.look({"a": FileState(1, 1)}, 0)
    watch.begin("a")
    assert watch.end("a", None, "", 1)
    watch.look({"a": FileState(1, 1)}, 2)
    assert watch.unfinished == 0 and ready(watch, 99) == []
    watch.look({}, 3)
    watch.look({"a": FileState(1, 1)}, 4)
    assert ready(watch, 99) == ["a"]


def test_a_burst_is_begun_in_its_order_and_a_few_at_a_time():
    watch = Watch()
    watch.look({n: FileState(1, 1) for n in range(500)}, 0, anew=True)
    begun = []
    while found := ready(watch, 1, 2):
        for key in found:
            watch.begin(key)
            begun.append(key)
            watch.end(key, FileState(1, 1), "", 1)
    assert begun == list(range(500))


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["write", "remove", "look", "begin", "end", "fail"])), max_size=60
    )
)
def test_whatever_happens_what_is_there_is_enlarged_in_its_last_state(events):
    """Against a disk that is made up: when all is quiet, each file has been enlarged as it is, and nothing else is known."""
    watch, disk, running, made, now = Watch(), {}, {}, {}, 0.0
    for number, (key, event) in enumerate([*events, ("a", "look")]):
        now += 1
        if event == "write":
            disk[key] = FileState(number + 1, number)
        elif event == "remove":
            disk.pop(key, None)
        elif event == "look":
            watch.look(dict(disk), now)
        elif event == "begin" and key in ready(watch, now + LONG) and watch.see(key, disk.get(key), now):
            watch.begin(key)
            running[key] = disk[key]
        elif event in ("end", "fail") and key in running:
            state = running.pop(key)
            error = "failed" if event == "fail" else ""
            watch.end(key, disk.get(key), error, now)
            made[key] = state
    for key, state in running.items():
        watch.end(key, disk.get(key), "", now)
        made[key] = state
    watch.look(dict(disk), now)
    while found := ready(watch, now := now + LONG):
        for key in found:
            assert watch.see(key, disk.get(key), now)
            watch.begin(key)
            made[key] = disk[key]
            watch.end(key, disk[key], "", now)
    assert watch.unfinished == 0
    assert {key: made[key] for key in disk} == disk
    assert set(watch._files) == set(disk)
