"""Training features: with PyTorch where it is installed, and what is said where it is not."""

import os
import pty
import signal
import subprocess
import time

import numpy as np
import pytest
from helpers import blocked, command, scene
from PIL import Image

from upscale.kernels.read_files import read_kernel
from upscale.learning import learn_features, train_features
from upscale.learning.from_files import LearnRequest
from upscale.learning.learn_features import TrainingRequest, train_on_files

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


@needs_torch
def test_the_network_is_what_the_kernel_computes(photos):
    torch = pytest.importorskip("torch")
    from upscale.kernels.layers import Layers
    from upscale.operators.layer_stage import features_of

    torch.manual_seed(3)
    network = train_features._network(torch)
    convolutions, slopes = network.features()
    layers = Layers(convolutions, slopes, np.zeros((16, 1, 2, 2)), 2)
    picture = np.random.default_rng(0).random((40, 30), np.float32)
    with torch.no_grad():
        made = torch.from_numpy(np.pad(picture, layers.reach, mode="edge"))[None, None]
        for n, (weights, slope) in enumerate(zip(convolutions, slopes, strict=True)):
            made = torch.nn.functional.conv2d(made, torch.from_numpy(weights))
            made = torch.nn.functional.prelu(made, torch.from_numpy(slope))
            assert n or abs(float(weights.sum((1, 2, 3)).max())) < 1e-5
    np.testing.assert_allclose(features_of(layers, picture), made[0].numpy(), atol=2e-5)


@needs_torch
def test_the_first_convolutions_are_products_of_matrices():
    torch = pytest.importorskip("torch")
    torch.manual_seed(4)
    network, functional = train_features._network(torch), torch.nn.functional
    low = torch.rand(2, 1, 20, 23)
    with torch.no_grad():
        parameters = network.parameters
        single = parameters["single"] - parameters["single"].mean((1, 2, 3), keepdim=True) + 1 / 81
        base = functional.conv2d(functional.pad(low, (4,) * 4, mode="replicate"), single)
        features = functional.pad(low, (2,) * 4, mode="replicate")
        for n, (weights, slopes) in enumerate(zip(*network.features(), strict=True)):
            features = functional.conv2d(features, torch.from_numpy(weights), padding=1 if n else 0)
            features = functional.prelu(features, torch.from_numpy(slopes))
        wanted = functional.pixel_shuffle(base + functional.conv2d(features, parameters["last"], padding=1), 2)
        np.testing.assert_allclose(network.enlarge(low).numpy(), wanted.numpy(), atol=1e-5)


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


def test_pairs_are_made_at_several_sizes(photos, tmp_path):
    (photos / "not a picture.png").write_bytes(b"?")
    made = list(learn_features._pairs(request(photos), range(5), learn_features.SCALES))
    assert len(made) == 4 * 3
    assert {low.dtype for low, _ in made} == {np.dtype(np.uint8)}
    assert all(high.shape == (2 * low.shape[0], 2 * low.shape[1]) for low, high in made)
    assert sorted({high.shape[0] for _, high in made}) == [116, 144, 180]
    large = np.zeros((5000, 4500), np.uint8)
    assert learn_features._middle(large).shape == (1024, 1024)
