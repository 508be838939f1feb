"""What a voice does not settle: faces' expressions, lids, gaze and heads, made up chunk by chunk.

Everybody hears everybody: a person's own voice, the others' and where they sit, the prompt, and
what the person just did. From these a recurrent network sums up the moment, and a small flow turns
noise into the next four frames. So people blink, nod, look at who speaks and smile when a prompt
says so, and go on from where they were, though the pictures of a stream may remember nothing.

Source: an autoregressive network with a diffusion head for continuous tokens (arXiv 2406.11838),
trained by flow matching (arXiv 2210.02747).

Shape letters: B batch, P people, K chunks, T = 4 K video frames, A acted channels, L words,
C = 4 A numbers of a chunk.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.studio.acting_config import ACTED, ActingConfig
from models.studio.config import HEAD_ANGLES
from models.studio.vae_config import FRAMES_PER_LATENT

MOST_PEOPLE = 8
FURTHEST = 6.0  # deviations; no motion is further off, so that a stream cannot run away
LID_INERTIA, GAZE_INERTIA, INERTIA = 0.0, 0.3, 0.6
TIME_WIDTH = 32
UNSEEN = -30.0  # as a score of attention: weighs nothing


class Acted(NamedTuple):
    """One chunk of everybody's acting."""

    values: Tensor  # [P, 4, A] curves 0..1, head angles in radians from the picture's
    turns: Tensor  # [P, 4, 3] yaw, pitch, roll in radians, still to be done to the pictures
    past: Tensor  # [P, C] the same in units of deviation: what the next chunk goes on from
    state: Tensor  # [P, state]


class WordsBefore(nn.Module):
    """Lets each word look back, to near words first: whose smile it is was said before.

    "On the left a man with red hair in a white jacket, listening, smiling": what somebody does
    stands far from where he sits, with nobody else named between.

    Source: linear biases in place of positions (ALiBi, arXiv 2108.12409), causal.
    """

    bias: Tensor

    def __init__(self, width: int, most: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * heads * width)
        self.out = nn.Linear(heads * width, width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        slopes = torch.exp2(-torch.arange(heads, dtype=torch.float32))  # 1, 1/2, 1/4, 1/8
        away = torch.arange(most)[:, None] - torch.arange(most)  # > 0 for words before
        bias = (-slopes[:, None, None] * away).masked_fill(away < 0, UNSEEN)
        self.register_buffer("bias", bias, persistent=False)

    def forward(self, words: Tensor) -> Tensor:
        """Give words [B, L, C] with what each found before it."""
        b, length, width = words.shape
        q, k, v = (
            part.reshape(b, length, self.heads, width).transpose(1, 2)
            for part in self.qkv(self.norm(words)).chunk(3, dim=-1)
        )
        scores = q @ k.transpose(-1, -2) / width**0.5 + self.bias[:, :length, :length]
        found = (torch.softmax(scores, dim=-1) @ v).transpose(1, 2).reshape(b, length, -1)
        given: Tensor = words + self.out(found)
        return given


class PromptReader(nn.Module):
    """Gives each person what a prompt says of them."""

    def __init__(self, cfg: ActingConfig) -> None:
        super().__init__()
        self.words = nn.Embedding(cfg.words, cfg.word_dim)
        self.places = nn.Parameter(torch.randn(cfg.length, cfg.word_dim) * 0.02)
        self.near = nn.Conv1d(cfg.word_dim, cfg.word_dim, 5, padding=2)
        self.said_before = WordsBefore(cfg.word_dim, cfg.length)
        self.heads = 4
        self.who = nn.Linear(3, self.heads * cfg.word_dim)
        self.k = nn.Linear(cfg.word_dim, self.heads * cfg.word_dim)
        self.v = nn.Linear(cfg.word_dim, self.heads * cfg.word_dim)
        self.out = nn.Linear(self.heads * cfg.word_dim, cfg.dim)

    def forward(self, tokens: Tensor, seats: Tensor) -> Tensor:
        """Give [B, P, dim] of tokens [B, L] int64 and seats [P, 3]."""
        words = self.words(tokens) + self.places[: tokens.shape[1]]
        words = words + nn.functional.gelu(self.near(words.transpose(1, 2)).transpose(1, 2))
        words = self.said_before(words)
        b, length, width = words.shape
        people = len(seats)
        q = self.who(seats).reshape(1, people, self.heads, width).transpose(1, 2)
        k, v = (
            part(words).reshape(b, length, self.heads, width).transpose(1, 2)
            for part in (self.k, self.v)
        )
        scores = q @ k.transpose(-1, -2) / width**0.5  # [B, heads, P, L]
        is_pad = (tokens == 0)[:, None, None]
        shares = torch.softmax(scores.masked_fill(is_pad, UNSEEN), dim=-1)
        read = (shares @ v).transpose(1, 2).reshape(b, people, -1)
        given: Tensor = self.out(read)
        return given


class FlowBlock(nn.Module):
    """A residual block whose scale and shift follow from the moment and the time."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulate = nn.Linear(width, 3 * width)
        self.enter = nn.Linear(width, 2 * width)
        self.leave = nn.Linear(2 * width, width)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        """Give x [..., width] a step on."""
        scale, shift, gate = self.modulate(told).chunk(3, dim=-1)
        inner = self.norm(x) * (1 + scale) + shift
        y: Tensor = x + gate * self.leave(nn.functional.silu(self.enter(inner)))
        return y


class ActingNetwork(nn.Module):
    """Hears and remembers; `flow` makes motion of noise."""

    mean: Tensor
    deviation: Tensor
    inertia: Tensor
    most_turned: Tensor

    def __init__(self, cfg: ActingConfig) -> None:
        super().__init__()
        self.config = cfg
        self.register_buffer("inertia", inertia_of(ACTED), persistent=False)
        self.register_buffer("mean", torch.zeros(cfg.channels))
        self.register_buffer("deviation", torch.ones(cfg.channels))
        self.register_buffer("most_turned", torch.ones(HEAD_ANGLES))  # of a head, radians
        self.prompt = PromptReader(cfg)
        self.own = nn.Linear(FRAMES_PER_LATENT * cfg.audio_features, cfg.dim)
        self.other = nn.Sequential(nn.Linear(cfg.dim + 2, cfg.dim), nn.SiLU())
        self.before = nn.Linear(cfg.chunk, cfg.dim)
        self.memory = nn.GRU(4 * cfg.dim, cfg.state, batch_first=True)
        self.moment = nn.Linear(cfg.state + 4 * cfg.dim, cfg.head)
        self.time = nn.Sequential(
            nn.Linear(TIME_WIDTH, cfg.head), nn.SiLU(), nn.Linear(cfg.head, cfg.head)
        )
        self.noisy = nn.Linear(cfg.chunk, cfg.head)
        self.blocks = nn.ModuleList(FlowBlock(cfg.head) for _ in range(cfg.blocks))
        self.velocity = nn.Linear(cfg.head, cfg.chunk)
        nn.init.zeros_(self.velocity.weight)
        nn.init.zeros_(self.velocity.bias)

    def normalized(self, values: Tensor) -> Tensor:
        """Give chunks [..., K, C] of acted channels [..., T, A], in units of their deviation."""
        units = (values - self.mean) / self.deviation
        return units.reshape(*values.shape[:-2], -1, self.config.chunk)

    def restored(self, chunks: Tensor, before: Tensor) -> Tensor:
        """Undo `normalized` behind the chunk before, both [..., C], within what faces do.

        What trembles is smoothed, each channel as `inertia` says; lids are left alone. Gives
        [..., 4, A].
        """
        frames, last, made = self._frames(chunks), self._frames(before)[..., -1, :], []
        for frame in frames.unbind(-2):
            last = frame + (last - frame) * self.inertia
            curves, heads = last[..., :-HEAD_ANGLES], last[..., -HEAD_ANGLES:]
            turned = heads.maximum(-self.most_turned).minimum(self.most_turned)
            last = torch.cat([curves.clamp(0, 1), turned], dim=-1)
            made.append(last)
        return torch.stack(made, dim=-2)

    def _frames(self, chunk: Tensor) -> Tensor:
        """Give frames [..., 4, A] of a chunk [..., C]."""
        units = chunk.reshape(*chunk.shape[:-1], FRAMES_PER_LATENT, self.config.channels)
        return units * self.deviation + self.mean

    def read(self, tokens: Tensor, people: int) -> Tensor:
        """Give [B, P, dim], what prompts [B, L] say of everybody."""
        given: Tensor = self.prompt(tokens, seats_of(people, self.mean.device))
        return given

    def follow(
        self, features: Tensor, past: Tensor, said: Tensor, state: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Sum up each chunk's moment.

        Args:
            features: [B, P, T, audio_features] of everybody's voice.
            past: [B, P, K, C] what everybody did in the chunk before each.
            said: [B, P, K, dim] what the prompt says of them meanwhile.
            state: [1, B * P, state] after the chunk before; None at the beginning.

        Returns:
            moments [B, P, K, head] and the state after the last.
        """
        b, p, k, _ = past.shape
        own = nn.functional.silu(self.own(features.reshape(b, p, k, -1)))
        inputs = torch.cat([own, self._others(own), self.before(past), said], dim=-1)
        by_person = inputs.reshape(b * p, k, -1)
        remembered, after = self.memory(by_person, state)
        moment: Tensor = self.moment(torch.cat([remembered, by_person], dim=-1))
        return moment.reshape(b, p, k, -1), after

    def flow(self, noisy: Tensor, time: Tensor, moment: Tensor) -> Tensor:
        """Give the velocity from noise to motion of chunks [..., C] at times [...] in 0..1."""
        told = nn.functional.silu(moment + self.time(_waves(time)))
        x = self.noisy(noisy)
        for block in self.blocks:
            x = block(x, told)
        velocity: Tensor = self.velocity(x)
        return velocity

    def drawn(self, noise: Tensor, moment: Tensor) -> Tensor:
        """Turn noise [..., C] into motion by Heun's method, the last step by Euler's."""
        x, steps = noise, self.config.steps
        for step in range(steps):
            now, then = step / steps, (step + 1) / steps
            first = self.flow(x, torch.full_like(x[..., 0], now), moment)
            ahead = x + first * (then - now)
            if step < steps - 1:
                second = self.flow(ahead, torch.full_like(x[..., 0], then), moment)
                ahead = x + (first + second) * (then - now) / 2
            x = ahead
        return x.clamp(-FURTHEST, FURTHEST)

    def forward(
        self, features: Tensor, tokens: Tensor, noise: Tensor, past: Tensor, state: Tensor
    ) -> Acted:
        """Make one chunk of a stream.

        Args:
            features: [P, 4, audio_features].
            tokens: [1, L] int64.
            noise: [P, C] standard normal.
            past: [P, C] as given by the chunk before; zeros at the beginning.
            state: [P, state], likewise.
        """
        said = self.read(tokens, len(features))
        moment, after = self.follow(
            features[None], past[None, :, None], said[:, :, None], state[None]
        )
        values = self.restored(self.drawn(noise, moment[0, :, 0]), past)
        heads, share = values[..., -HEAD_ANGLES:], self.config.head_share
        told = torch.cat([values[..., :-HEAD_ANGLES], heads * share], dim=-1)
        return Acted(told, heads * (1 - share), self.normalized(values)[:, 0], after[0])

    def _others(self, own: Tensor) -> Tensor:
        """Sum up what is heard of the others [B, P, K, dim], and from which side."""
        people = own.shape[1]
        seats = seats_of(people, own.device)[:, 1]
        side = seats[None] - seats[:, None]  # [P, P], > 0 on the viewer's right
        where = torch.stack([side, side.abs()], dim=-1)[None, :, :, None]
        b, p, k, width = own.shape
        heard = own[:, None].expand(b, p, p, k, width)
        placed = torch.cat([heard, where.expand(b, p, p, k, 2).to(own)], dim=-1)
        is_other = 1 - torch.eye(p, device=own.device)
        summed: Tensor = (self.other(placed) * is_other[None, :, :, None, None]).sum(2)
        return summed


def seats_of(people: int, device: torch.device) -> Tensor:
    """Give [P, 3]: how many people there are, where each sits from left to right, alone or not."""
    place = (torch.arange(people, device=device) + 0.5) / people
    count = torch.full_like(place, people / MOST_PEOPLE)
    return torch.stack([count, place * 2 - 1, (count * 0 + float(people == 1))], dim=-1)


def inertia_of(channels: Sequence[int]) -> Tensor:
    """Give, for each channel, what share of the way to a new value is left after one frame."""
    lids, gaze = (0, 7), (*range(1, 5), *range(8, 12))  # in the order of Apple's ARKit
    return torch.tensor(
        [LID_INERTIA if c in lids else GAZE_INERTIA if c in gaze else INERTIA for c in channels]
    )


def _waves(time: Tensor) -> Tensor:
    """Give [..., TIME_WIDTH] waves of times in 0..1."""
    octaves = torch.arange(TIME_WIDTH // 2, device=time.device, dtype=time.dtype)
    angles = time[..., None] * torch.exp2(octaves / 2) * torch.pi
    return torch.cat([angles.sin(), angles.cos()], dim=-1)
