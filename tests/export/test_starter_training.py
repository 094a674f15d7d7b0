"""The steps that the audio starter is trained by, without its teacher's weights."""

from argparse import Namespace

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from transformers import MoonshineConfig
from transformers.models.moonshine.modeling_moonshine import MoonshineEncoder

from export.starters import judge, lessons, moonshine, network, speech
from export.starters.disturb import disturb


def untaught_teacher() -> MoonshineEncoder:
    """Return a teacher of the real one's sizes, with random weights."""
    config = MoonshineConfig(
        hidden_size=moonshine.WIDTH,
        intermediate_size=moonshine.INNER,
        encoder_num_hidden_layers=network.TAUGHT,
        encoder_num_attention_heads=moonshine.HEADS,
    )
    return MoonshineEncoder(config)


def test_layers_begin_as_the_teachers() -> None:
    teacher = untaught_teacher().eval()
    model = network.build(teacher).eval()
    first = model.wav2vec2.encoder.layers[network.OWN]
    frames = torch.randn(1, 1, moonshine.WIDTH)  # of a single frame no place can be told
    places = teacher.rotary_emb(frames, torch.zeros(1, 1))
    with torch.no_grad():
        taught = teacher.layers[0](frames, position_embeddings=places)
        torch.testing.assert_close(first(frames)[0], taught, atol=1e-5, rtol=1e-4)


def test_states_are_read_where_our_frames_are_centred() -> None:
    """A state that tells its own place in the clip tells that of our frame between."""
    centres = torch.arange(50) * moonshine.HOP + moonshine.WINDOW / 2
    states = centres[None, :, None].repeat(2, 1, 4)
    read = lessons.at_our_frames(states, 40)[0]
    wanted = torch.arange(40) * speech.HOP + speech.WINDOW / 2
    wanted = wanted.clamp(min=moonshine.WINDOW / 2)
    torch.testing.assert_close(read, wanted[:, None].repeat(1, 4))


def test_judgement_is_logistic_regression() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(3, 2, (400, 6))
    truth = ((rows - 3) @ random.normal(size=(6, 4)) + random.gumbel(size=(400, 4))).argmax(axis=1)
    penalty = 0.01
    weight, bias = judge.fit(torch.from_numpy(rows).float(), torch.from_numpy(truth), penalty)
    made = torch.from_numpy(rows).float() @ weight.T + bias
    standard = (rows - rows.mean(axis=0)) / rows.std(axis=0, ddof=1)
    counts = np.bincount(truth, minlength=4)
    other = LogisticRegression(C=0.5 / penalty, tol=1e-8, max_iter=1000)
    other.fit(standard, truth, sample_weight=(1 / (4 * counts))[truth])
    np.testing.assert_allclose(
        made.softmax(dim=1), other.predict_proba(standard), atol=2e-3, rtol=0
    )


def test_the_last_step_changes_itself_alone_and_knows_silence() -> None:
    torch.manual_seed(0)
    model = network.build(untaught_teacher())
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    clips = [speech.Clip(torch.randn(9_000), 1, 0, number % 4) for number in range(16)]
    judge.teach(model, clips, Namespace(seed=0, takes=1, silences=8, penalty=0.003))
    after = model.state_dict()
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    assert changed == {
        "projector.weight",
        "projector.bias",
        "classifier.weight",
    }
    with torch.no_grad():
        logits = model(speech.normalize(torch.zeros(1, 16_000))).logits[0]
    assert speech.CLASSES[logits.argmax()] == "neu"


def test_disturbed_clips_are_normalised_and_as_long() -> None:
    clips = speech.normalize(torch.randn(3, 16_000))
    made = disturb(clips, np.random.default_rng(0))
    assert made.shape == clips.shape
    torch.testing.assert_close(made.mean(dim=1), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(made.std(dim=1), torch.ones(3), atol=1e-3, rtol=0)
    assert not torch.allclose(made, clips, atol=0.1)
