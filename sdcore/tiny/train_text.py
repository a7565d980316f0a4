"""Teaching the text encoder to read, before a UNet learns to draw what it has read.

From the embedding of any position after a caption's last word, a linear layer has to tell what the scene shows: what
stands in the middle, on the left and on the right and in which colour, the size, the place, the light and the style.
What a caption leaves open it has to give its odds. A UNet that starts with such embeddings learns shapes from its
first step on; from random ones it learns the places and colours only, in the same time.

Which of two subjects stands on which side is a riddle of its own, and is taught in two halves (`side_loss`): a side's
word has to say who stands there and who does not, and what comes after the caption has to look at that word. Left to
itself the encoder names both subjects for both sides, because nothing on the way to the answer pays by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

import torch
from torch import nn
from transformers import CLIPTextModel, CLIPTokenizer

from sdcore.tiny.architecture import MAX_TOKENS, TEXT_WIDTH, new_text_encoder
from sdcore.tiny.captions import OTHER_SIDE
from sdcore.tiny.dataset import Pictures, saved_tokenizer, training_caption, training_scene
from sdcore.tiny.tokenizer import END_OF_WORD, tokenize
from sdcore.tiny.training import (
    Budget,
    Ema,
    Reporter,
    Training,
    load_checkpoint,
    new_optimizer,
    step_generator,
)
from sdcore.tiny.world import COLOURS, LIGHTS, PLACES, SIZES, STYLES, SUBJECTS, Scene

PEAK_RATE = 2e-3
WEIGHT_DECAY = 1e-2
EMA_DECAY = 0.998
BATCH = 64
PAIRS_SHARE = 0.7
SIDE_WEIGHT = 2.0
LOOK_WEIGHT = 0.3
LOOKING_HEAD = 0
CHECKPOINT = "text.pt"
NOTHING = "nothing"
Sheet = tuple[torch.Tensor, ...]
MIDDLE, LEFT, RIGHT = "middle", "left", "right"


def standing(scene: Scene, where: str) -> tuple[str, str]:
    """Subject and colour of what stands in the middle, on the left or on the right of a scene, or NOTHING twice."""
    first, second = (scene.subject, scene.colour), scene.second
    if second is None:
        return first if where == MIDDLE else (NOTHING, NOTHING)
    if where == MIDDLE:
        return NOTHING, NOTHING
    return (second.subject, second.colour) if where == second.side else first


QUESTIONS: dict[str, tuple[tuple[str | None, ...], Callable[[Scene], str | None]]] = {
    "middle subject": ((*SUBJECTS, NOTHING), lambda scene: standing(scene, MIDDLE)[0]),
    "middle colour": ((*COLOURS, NOTHING), lambda scene: standing(scene, MIDDLE)[1]),
    "left subject": ((*SUBJECTS, NOTHING), lambda scene: standing(scene, LEFT)[0]),
    "left colour": ((*COLOURS, NOTHING), lambda scene: standing(scene, LEFT)[1]),
    "right subject": ((*SUBJECTS, NOTHING), lambda scene: standing(scene, RIGHT)[0]),
    "right colour": ((*COLOURS, NOTHING), lambda scene: standing(scene, RIGHT)[1]),
    "size": (SIZES, lambda scene: scene.size),
    "place": (PLACES, lambda scene: scene.place),
    "light": (LIGHTS, lambda scene: scene.light),
    "style": (STYLES, lambda scene: scene.style),
}
"""What is asked of a caption: the possible answers, and the right one for a scene."""


class Reader(nn.Module):
    """A text encoder and one linear answer sheet for all QUESTIONS."""

    def __init__(self, tokenizer: CLIPTokenizer) -> None:
        super().__init__()
        self.text_encoder = fresh_text_encoder(tokenizer)
        self.counts = [len(answers) for answers, _ in QUESTIONS.values()]
        self.answers = nn.Linear(TEXT_WIDTH, sum(self.counts))

    def forward(self, tokens: torch.Tensor, positions: torch.Tensor) -> tuple[Sheet, Sheet, torch.Tensor]:
        """From token ids (batch, 77): logits for each question as told at one position of each row, those that the
        layer before the last tells at every position, and how a head of the last looks from there (batch, 77)."""
        self.text_encoder.set_attn_implementation("eager")  # the others do not say where they look
        read = self.text_encoder(tokens, output_hidden_states=True, output_attentions=True)
        rows = torch.arange(len(tokens), device=tokens.device)
        # The model's own last normalisation: what an earlier layer knows stays in its stream up to there.
        norm = next(
            part for name, part in self.text_encoder.named_modules() if name.endswith("final_layer_norm")
        )
        told = self.answers(read.last_hidden_state[rows, positions])
        on_the_way = self.answers(norm(read.hidden_states[-2]))
        looks = read.attentions[-1][rows, LOOKING_HEAD, positions]
        return torch.split(told, self.counts, dim=-1), torch.split(on_the_way, self.counts, dim=-1), looks


def fresh_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """An untrained text encoder for the tokenizer's vocabulary."""
    return new_text_encoder(
        len(tokenizer), tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id
    )


def train_text(pictures: Pictures, work: Path, budget: Budget, seed: int, device: torch.device) -> None:
    """Train, or resume from `work`. Needs no picture; leaves the tokenizer and a checkpoint."""
    tokenizer = saved_tokenizer(work)
    training = new_training(tokenizer, seed, device)
    checkpoint = work / CHECKPOINT
    if checkpoint.exists():
        training.load(checkpoint)
    reporter = Reporter("text", training, budget)
    side_words = {side: tokenizer.convert_tokens_to_ids(f"{side}{END_OF_WORD}") for side in (LEFT, RIGHT)}
    for step, _ in training.run(budget, PEAK_RATE, checkpoint, "text"):
        rng = Random(f"text/{seed}/{step}")
        scenes = [reading_scene(seed, rng) for _ in range(BATCH)]
        captions = [training_caption(scene, rng) for scene in scenes]
        tokens = tokenize(tokenizer, captions)
        positions = positions_after_text(tokens, tokenizer.eos_token_id, step_generator(seed + 3, step))
        answers = right_answers(scenes).to(device)
        reporter.add(**train_step(training, tokens.to(device), positions.to(device), answers, side_words))


def reading_scene(seed: int, rng: Random) -> Scene:
    """A training scene, with two subjects in PAIRS_SHARE of all cases: which of them stands where is hard to read."""
    paired = rng.random() < PAIRS_SHARE
    while True:
        scene = training_scene(seed, rng.randrange(1 << 30))
        if (scene.second is not None) == paired:
            return scene


def new_training(tokenizer: CLIPTokenizer, seed: int, device: torch.device) -> Training:
    torch.manual_seed(seed)
    reader = Reader(tokenizer).to(device)
    return Training(reader, new_optimizer(reader, WEIGHT_DECAY), Ema(reader, EMA_DECAY))


def right_answers(scenes: list[Scene]) -> torch.Tensor:
    """The number of the right answer to each question for each scene: int64 (scenes, questions)."""
    rows = [[answers.index(right(scene)) for answers, right in QUESTIONS.values()] for scene in scenes]
    return torch.tensor(rows)


def positions_after_text(tokens: torch.Tensor, eos: int, generator: torch.Generator) -> torch.Tensor:
    """A random position from each row's end-of-text token on; with causal attention all of those see all words."""
    ends = (tokens == eos).int().argmax(dim=1)
    return ends + (torch.rand(len(tokens), generator=generator) * (MAX_TOKENS - ends)).long()


def train_step(
    training: Training,
    tokens: torch.Tensor,
    positions: torch.Tensor,
    answers: torch.Tensor,
    side_words: Mapping[str, int],
) -> dict[str, float]:
    """One step of the optimiser. Returns the mean cross-entropy in nats a question, the share of right answers, and
    the losses of the sides' words and of looking at them (`side_words`: their token ids)."""
    logits, on_the_way, looks = training.module(tokens, positions)
    losses = [nn.functional.cross_entropy(one, answers[:, k]) for k, one in enumerate(logits)]
    right = [(one.argmax(1) == answers[:, k]).float().mean().item() for k, one in enumerate(logits)]
    loss = torch.stack(losses).mean()
    sides = side_loss(on_the_way, tokens, answers, side_words)
    looking = look_loss(looks, tokens, side_words)
    training.optimizer.zero_grad(set_to_none=True)
    (loss + SIDE_WEIGHT * sides + LOOK_WEIGHT * looking).backward()
    nn.utils.clip_grad_norm_(training.module.parameters(), 1.0)
    training.optimizer.step()
    return {
        "loss": loss.item(),
        "right": sum(right) / len(right),
        "sides": sides.item(),
        "looking": looking.item(),
    }


def side_loss(
    on_the_way: Sheet, tokens: torch.Tensor, answers: torch.Tensor, side_words: Mapping[str, int]
) -> torch.Tensor:
    """Who stands at a side, asked at the first word of a caption that names it, and who does not stand at the other.

    At "a blue fish on the right" the fish has to be told for the right, and the other subject to be likelier than the
    fish for the left. The first half alone is solved by telling the fish for both.
    """
    questions = list(QUESTIONS)
    losses = [on_the_way[0].sum() * 0.0]
    for side, word in side_words.items():
        rows = (tokens == word).any(1).nonzero().flatten()
        places = (tokens[rows] == word).int().argmax(1)
        for what in ("subject", "colour") if len(rows) else ():
            here, there = questions.index(f"{side} {what}"), questions.index(f"{OTHER_SIDE[side]} {what}")
            inside, outside = answers[rows, here], answers[rows, there]
            losses.append(nn.functional.cross_entropy(on_the_way[here][rows, places], inside))
            at = torch.arange(len(rows), device=tokens.device)
            logits = on_the_way[there][rows, places]
            lead = (logits[at, outside] - logits[at, inside])[inside != outside]
            losses.append(nn.functional.softplus(-lead).sum() / max(1, len(lead)))
    return 2 * torch.stack(losses).sum() / max(1, len(losses) - 1)


def look_loss(looks: torch.Tensor, tokens: torch.Tensor, side_words: Mapping[str, int]) -> torch.Tensor:
    """How little a head looks (batch, 77) at the first word that names a side: mean -log of that share, over the
    captions with such a word."""
    named = torch.stack([tokens == word for word in side_words.values()]).any(0)
    rows = named.any(1).nonzero().flatten()
    shares = looks[rows, named[rows].int().argmax(1)].clamp_min(1e-8)
    return -shares.log().sum() / max(1, len(rows))


def reading_text_encoder(work: Path, tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """The averaged text encoder that `train_text` left. Raises `FileNotFoundError` where it has left none."""
    reader = Reader(tokenizer)
    state = load_checkpoint(work / CHECKPOINT)
    reader.load_state_dict({**state["module"], **state["ema"]})
    reader.text_encoder.set_attn_implementation("sdpa")
    return reader.text_encoder
