"""The closest of the names that would have worked."""

from upscale.suggestions import closest, closest_file


def test_close_names(tmp_path):
    (tmp_path / "picture.png").touch()
    assert closest_file(str(tmp_path / "pictur.png")) == str(tmp_path / "picture.png")
    assert closest_file(str(tmp_path / "other.png")) == closest_file(str(tmp_path / "nowhere" / "picture.png")) == ""
    assert closest("BICUBIK", ["bicubic"]) == "bicubic"
    assert closest(".pgn", [".png", ".pgm", ".pnm"]) == ".png"  # as similar as the others, and named first
