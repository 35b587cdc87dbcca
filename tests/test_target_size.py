"""Sizes in place of factors: how they are read, and what they mean for awkward pictures."""

import pytest

from upscale.errors import ArgumentError
from upscale.target_size import TargetSize, asked_size, parse_fit, parse_megapixels, parse_size


@pytest.mark.parametrize("text", ["640x480", " 640 x 480 ", "640X480", "640×480", "640*480", "640x480px", "640px x 480px"])
def test_notations_of_both_sides(text):
    for parse in (parse_fit, parse_size):
        assert parse(text)[2:4] == (480, 640)


@pytest.mark.parametrize(("text", "sides"), [("640x", (None, 640)), ("x480", (480, None)), ("640×", (None, 640))])
def test_one_side(text, sides):
    assert parse_fit(text)[2:4] == parse_size(text)[2:4] == sides


@pytest.mark.parametrize("text", ["", "x", "0x5", "5x0", "-5x5", "5x5x5", "1e3x", "axb", "99999999999x", "²x", "640,480", "x%"])
def test_what_is_no_size(text):
    for parse in (parse_fit, parse_size):
        with pytest.raises(ArgumentError, match="is not a size"):
            parse(text)


@pytest.mark.parametrize(("text", "percent"), [("150%", 150), ("150.5 %", 150.5), ("112,5%", 112.5)])
def test_percentages(text, percent):
    assert parse_size(text).percent == percent


@pytest.mark.parametrize("text", ["0%", "%", "-5%", "1.2.3%", "nan%"])
def test_what_is_no_percentage(text):
    with pytest.raises(ArgumentError, match="is not a size"):
        parse_size(text)


def test_a_plain_number_says_what_it_may_mean():
    with pytest.raises(ArgumentError, match="640x is a width, x640 a height, 640% a percentage"):
        parse_size("640")


@pytest.mark.parametrize(("text", "number"), [("12", 12), ("2.5", 2.5), ("2,5", 2.5), ("12MP", 12), ("8 mpx", 8)])
def test_megapixels(text, number):
    assert parse_megapixels(text).megapixels == number


@pytest.mark.parametrize("text", ["", "0", "-1", "MP", "1e9", "inf", "12x"])
def test_what_is_no_number_of_megapixels(text):
    with pytest.raises(ArgumentError, match="megapixels"):
        parse_megapixels(text)


@pytest.mark.parametrize(
    ("text", "size", "factor"),
    [
        ("640x480", (480, 640), 1),
        ("640x480", (241, 320), 1),
        ("640x480", (240, 320), 2),
        ("640x480", (1, 1), 480),
        ("640x480", (1, 640), 1),
        ("1x1", (1, 1), 1),
        ("1000x", (3, 7), 142),
        ("x1000", (3, 7), 333),
        ("999x1000", (500, 333), 2),
        ("1920x1080", (100, 333), 5),
    ],
)
def test_the_largest_factor_that_fits(text, size, factor):
    target = parse_fit(text)
    assert target.largest_factor(size) == factor
    limits = [(limit, length) for limit, length in zip((target.height, target.width), size, strict=True) if limit]
    assert all(length * factor <= limit for limit, length in limits)
    assert any(length * (factor + 1) > limit for limit, length in limits)


@pytest.mark.parametrize(
    ("target", "size", "wanted"),
    [
        (parse_size("1920x"), (1080, 1919), (1081, 1920)),
        (parse_size("1920x"), (7, 640), (21, 1920)),
        (parse_size("x1080"), (333, 500), (1080, 1622)),
        (parse_size("1000x"), (1, 999), (1, 1000)),
        (parse_size("x3"), (1, 1000), (3, 3000)),
        (parse_size("150%"), (3, 5), (5, 8)),
        (parse_size("100%"), (17, 23), (17, 23)),
        (parse_size("100.4%"), (100, 100), (100, 100)),
        (parse_size("20x30"), (10, 10), (30, 20)),
        (parse_megapixels("1"), (10, 10), (1000, 1000)),
        (parse_megapixels("2"), (1080, 1920), None),
        (parse_megapixels("12"), (1, 100), (346, 34641)),
    ],
)
def test_exact_sizes(target, size, wanted):
    if wanted is None:
        with pytest.raises(ArgumentError, match="1886x1061 is smaller than the picture, 1920x1080; upscale only enlarges"):
            target.exact(size)
    else:
        assert target.exact(size) == wanted


def test_a_picture_that_is_too_large_does_not_fit():
    with pytest.raises(ArgumentError, match="the picture, 641x2, is larger; upscale only enlarges"):
        parse_fit("640x480").largest_factor((2, 641))


@pytest.mark.parametrize(
    ("text", "size", "stretches"),
    [
        ("640x480", (240, 320), False),
        ("640x481", (240, 320), False),
        ("640x482", (240, 320), True),
        ("1000x667", (333, 500), False),  # one pixel, as by another way to round
        ("1000x666", (333, 500), False),
        ("1000x668", (333, 500), True),
        ("640x", (240, 320), False),
        ("64x32", (32, 32), True),
    ],
)
def test_stretching(text, size, stretches):
    assert parse_size(text).stretches(size) is stretches
    assert not parse_fit(text).stretches(size)


def test_arguments_of_the_library():
    assert asked_size(2) is asked_size(None, size=None) is None
    assert asked_size(None, size=(480, None)) == TargetSize("size (480, None)", height=480)
    assert asked_size(None, fit=(480, 640)) == TargetSize("fit (480, 640)", True, 480, 640)
    assert asked_size(None, size="150%").percent == 150
    assert asked_size(None, megapixels=2).megapixels == 2
    for arguments in ({"size": (1, 2), "fit": (1, 2)}, {"factor": 2, "megapixels": 1}):
        with pytest.raises(ArgumentError, match="only one of"):
            asked_size(arguments.pop("factor", None), **arguments)


@pytest.mark.parametrize(
    "sizes",
    [{"size": 5}, {"size": (5,)}, {"size": (None, None)}, {"size": (0, 5)}, {"size": (True, 5)}, {"size": "640x"},
     {"fit": "150%"}, {"fit": (1.5, 2)}, {"megapixels": 0}, {"megapixels": "1"}, {"megapixels": True}],
)  # fmt: skip
def test_arguments_that_cannot_work(sizes):
    with pytest.raises(ArgumentError, match=f"^{next(iter(sizes))} must be"):
        asked_size(None, **sizes)
