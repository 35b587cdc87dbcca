"""Training features: with PyTorch where it is installed, and what is said where it is not."""

import os
import pty
import signal
import subprocess
import time

import naive
import numpy as np
import pytest
from helpers import blocked, command, larger, scene
from PIL import Image

import upscale
from upscale.kernels.layers import Layers
from upscale.kernels.read_files import read_kernel
from upscale.learning import learn_features, train_features
from upscale.learning.downscale import has_noise
from upscale.learning.from_files import LearnRequest
from upscale.learning.learn_features import TrainingRequest, train_on_files
from upscale.learning.learn_layers import deep_kernel_of

learn, learn_ok = command("upscale-learn")
needs_torch = pytest.mark.peers


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(4):
        Image.fromarray(scene(seed, (200, 180))).save(folder / f"{seed}.png")
    return folder


def request(folder, **changes):
    paths = sorted(str(path) for path in folder.iterdir())
    return LearnRequest(paths, None, 2, None, "bicubic", [], 10_000, deep=True)._replace(**changes)


def test_without_torch_it_is_named(tmp_path, photos):
    environment = blocked(tmp_path, "torch")
    from helpers import UPSCALE

    program = os.path.join(os.path.dirname(UPSCALE), "upscale-learn")
    done = subprocess.run(
        [program, photos, "-o", tmp_path / "k.npz", "--deep", "--features"],
        env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 1 and done.stderr == "upscale-learn: needs the library torch: pip install torch\n"
    assert not (tmp_path / "k.npz").exists()


@needs_torch
def test_training_can_be_repeated_and_learns(photos):
    pytest.importorskip("torch")
    reports = []
    found = [
        train_on_files(request(photos), TrainingRequest(steps, 0, seed), report=lambda *r: reports.append(r))
        for steps, seed in ((60, 0), (60, 0), (60, 1), (2, 0))
    ]
    assert found[0].layers == found[1].layers and found[0].layers != found[2].layers
    assert found[0].psnr > found[3].psnr
    assert [step for step, _ in reports[:60]] == list(range(1, 61)) and reports[59][1] == found[0].psnr
    assert [a.shape for a in found[0].layers.convolutions] == [(16, 1, 5, 5), *[(16, 16, 3, 3)] * 5]
    again = train_on_files(request(photos), TrainingRequest(60, 0, 0, again=20))
    assert again.psnr > found[0].psnr - 0.5 and again.layers != found[0].layers


@needs_torch
@pytest.mark.parametrize("biases", [False, True])
def test_the_network_is_what_the_kernel_computes(biases):
    torch = pytest.importorskip("torch")
    torch.manual_seed(3)
    network = train_features._Network(torch, torch.device("cpu"), biases)
    with torch.no_grad():
        network.weights += 0.05 * torch.randn(network.weights.shape)
        parts = {name: part.detach() for name, part in network._parts().items()}
    convolutions, slopes, constants, enlarging = network.found()
    assert len(constants) == (6 if biases else 0) and max(abs(a.sum()) for a in convolutions[0]) < 1e-5
    picture = np.random.default_rng(0).random((11, 9))
    made = deep_kernel_of(Layers(convolutions, slopes, np.zeros((16, 1, 2, 2)), 2, constants), enlarging, 2)
    expected = naive.layers(picture, made.layers)
    padded = torch.from_numpy(np.pad(picture, train_features.REACH, mode="edge").astype(np.float32))[None, None]
    with torch.no_grad():
        base = torch.nn.functional.pixel_shuffle(torch.nn.functional.conv2d(padded[..., 4:-4, 4:-4], parts["single"]), 2)
        got = (network.enlarge(padded) - base)[0, 0].numpy()
    np.testing.assert_allclose(got, expected, atol=2e-3 * np.abs(expected).max())  # weights are rounded to 16 bits
    whole = upscale.enlarge(picture.astype(np.float32), 2, "tconv", made, edge="replicate")
    np.testing.assert_allclose(whole, (base + torch.from_numpy(got))[0, 0], atol=2e-3 * np.abs(whole).max())
    found = train_features.Trained(convolutions, slopes, constants, enlarging, 0, 0.0)
    again = train_features._Network(torch, torch.device("cpu"), biases, found)
    for one, other in zip(network.found(), again.found(), strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)


@needs_torch
def test_patches_are_parts_of_pairs_in_all_symmetries():
    torch = pytest.importorskip("torch")
    rng, side = np.random.default_rng(5), train_features._PATCH
    lows = [rng.integers(0, 256, shape, np.uint8) for shape in ((side, side + 1), (side + 2, side))]
    patches = train_features._Patches(torch, [(low, larger(low)) for low in lows], torch.device("cpu"))
    places = {
        turned.tobytes()
        for low in lows
        for window in np.lib.stride_tricks.sliding_window_view(low, (side, side)).reshape(-1, side, side)
        for square in (window, window.T)
        for turned in (square, square[::-1], square[:, ::-1], square[::-1, ::-1])
    }
    torch.manual_seed(6)
    found, high = (np.rint(a[:, 0].numpy() * 255).astype(np.uint8) for a in patches.draw(400))
    assert {patch.tobytes() for patch in found} == places and len(places) == 5 * 8
    np.testing.assert_array_equal(high, found.repeat(2, 1).repeat(2, 2))


@needs_torch
def test_muon_makes_gradients_orthogonal():
    torch = pytest.importorskip("torch")
    torch.manual_seed(7)
    values = torch.linalg.svdvals(train_features._orthogonal(torch.randn(3, 16, 144) * 1e-4))
    assert values.min() > 0.6 and values.max() < 1.3


@needs_torch
def test_only_noise_needs_biases(photos):
    pytest.importorskip("torch")
    expected = {"bicubic": False, "box+blur:0.5": False, "bicubic+noise:2": True, "box+jpeg:30-95": True}
    for downscale, biases in expected.items():
        found = train_on_files(request(photos, downscale=downscale), TrainingRequest(3, 0, 0))
        assert found.layers.has_biases == biases == has_noise(downscale)


@needs_torch
def test_the_command_writes_a_kernel(tmp_path, photos):
    pytest.importorskip("torch")
    done = learn_ok(photos, "-o", tmp_path / "k.npz", "--deep", "--features", "--steps", "20", "--factor", "3", cwd=tmp_path)
    assert "training features in 20 steps" in done.stderr and "features of step 20" in done.stderr
    kernel = read_kernel(str(tmp_path / "k.npz"))
    assert kernel.factor == (3, 3) and kernel.layers.convolutions[0].shape == (16, 1, 5, 5)


@needs_torch
def test_ctrl_c_keeps_the_best_so_far(tmp_path, photos):
    pytest.importorskip("torch")
    from helpers import UPSCALE

    program = os.path.join(os.path.dirname(UPSCALE), "upscale-learn")
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [program, photos, "-o", tmp_path / "k.npz", "--deep", "--features", "--minutes", "60"], stderr=follower, stdout=follower
    )
    os.close(follower)
    seen = b""
    while b"training  [" not in seen:
        seen += os.read(leader, 1000)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    while process.poll() is None or b"deep" not in seen:
        try:
            seen += os.read(leader, 1000)
        except OSError:
            break
    assert process.wait(300) == 0
    os.close(leader)
    assert b"features of step " in seen and read_kernel(str(tmp_path / "k.npz")).layers is not None


@needs_torch
def test_ctrl_c_before_the_first_step_ends_at_once(tmp_path, photos):
    pytest.importorskip("torch")
    from helpers import UPSCALE

    program = os.path.join(os.path.dirname(UPSCALE), "upscale-learn")
    arguments = [program, photos, "-o", tmp_path / "k.npz", "--deep", "--features", "--minutes", "60"]
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and b"Traceback" not in errors
    assert not (tmp_path / "k.npz").exists()


def test_pairs_are_made_at_several_sizes(photos, tmp_path):
    (photos / "not a picture.png").write_bytes(b"?")
    made = learn_features._pairs(request(photos), range(5), learn_features.SCALES)
    assert len(made) == 4 * 3
    assert {low.dtype for low, _ in made} == {np.dtype(np.uint8)}
    assert all(high.shape == (2 * low.shape[0], 2 * low.shape[1]) for low, high in made)
    assert sorted({high.shape[0] for _, high in made}) == [116, 144, 180]
    large = np.zeros((5000, 4500), np.uint8)
    assert learn_features._middle(large).shape == (1024, 1024)
