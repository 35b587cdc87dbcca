"""What a user may give as a kernel, and what is refused before a file is read."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import upscale
from upscale.kernels.kernel_spec import parse_kernel


@pytest.mark.parametrize(
    ("text", "kind", "rows"),
    [
        ("bicubic", "preset", ()),
        ("bicubic:-0.75", "preset", ()),
        ("dir.npy/k.safetensors:up.weight", "file", ()),
        ("./bicubic.npy", "file", ()),
        ("K.NPY", "file", ()),
        ("1,2,1; 2,4,2; 1,2,1", "typed", ((1, 2, 1), (2, 4, 2), (1, 2, 1))),
        ("1 2;3 4;", "typed", ((1, 2), (3, 4))),
        ("1 2 1", "typed", ((1, 2, 1),)),
        ("Bicubic", "preset", ()),
        ("ADAPTIVE", "shipped", ()),
        ("-.5,1e-3", "typed", ((-0.5, 0.001),)),
        ("2", "typed", ((2,),)),
    ],
)
def test_what_a_user_may_call_a_kernel(text, kind, rows):
    source = parse_kernel(text)
    assert (source.kind, source.rows) == (kind, rows)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("cubic", "did you mean bicubic?"),
        ("sharp", "bilinear"),
        ("sharp", "*.npy"),
        ("1 x", "'x' is not a number"),
        ("topaz.png", ".safetensors"),
        ("nn", "has no kernel"),
        ("1,2;3,x", "row 2: 'x'"),
        ("gaussian:0", "standard deviation"),
        ("gaussian:x", "'x'"),
        ("bilinear:2", "no parameter"),
        ("", "there is no kernel"),
        ("1,2;3", "2, 1"),
        ("1,x", "'x'"),
        ("1,nan", "nan"),
        (";", "no numbers"),
        ("1,;2,3", "missing"),
        ("1,,2", "missing"),
        ("1_0,2", "not a number"),
        ("1;;2", "1, 0, 1"),
    ],
)
def test_what_is_not_called_a_kernel(text, part):
    with pytest.raises(upscale.ArgumentError) as caught:
        parse_kernel(text)
    assert part in str(caught.value)


def test_a_presets_name_wins_over_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "box").write_text("1")
    assert parse_kernel("box").kind == "preset"
    with pytest.raises(upscale.ArgumentError, match="suffix"):
        parse_kernel("./box")


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_a_kernel_or_one_line(text):
    try:
        parse_kernel(text)
    except upscale.ArgumentError as error:
        assert error.args[0]
