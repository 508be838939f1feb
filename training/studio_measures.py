"""What the bench of the studio measures: renders handed to the judges as pixels, not encoded.

T counts video frames, N pairs.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.metrics.face_reading import FaceReading, read_face
from training.metrics.face_watch import FaceWatcher, Watch
from training.metrics.identity import distances
from training.metrics.lip_sync import correlation, lip_closure
from training.metrics.observation import Observer
from training.metrics.tracks import build_tracks
from training.studio.acting.dialogue import Kind, Role, write_dialogue
from training.studio.acting.performance import perform
from training.studio.assets import asset_folder
from training.studio.people.library import Library
from training.studio.performance_data import FPS, Performance
from training.studio.shards.coding import Pixels, encode_video
from training.studio.shards.plan import RunPlan, plan_clip
from training.studio.speech.voices import Catalogue
from training.studio.stage.renderer import Renderer, Samples, moment_of, resting_moment
from training.studio.stage.scene import SIZES, Scene, sample_scene

Floats = NDArray[np.float64]

SIZE = (256, 256)
JUDGES_THRESHOLD = 0.45  # docs/judges.md: descriptors of one person are nearer than this
SPEED_FRAMES = 50
SPEED_SECONDS = SPEED_FRAMES / FPS
MINUTE_S = 60.0
STILL_SECONDS = 2.0
# Stills of one person come from different moments, lights, cameras and backgrounds.
STILL_MOMENTS = (0.3, 0.9)  # of the performance
# Purposes of one seed, so that no measurement shifts another's people.
LIPS, PAIRS, SPEED = 0, 1, 2
CROWD = 0xC0  # a seed of its own kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Lips:
    """What FaceMesh read of one talking person against what was drawn."""

    seed: int
    voice: str
    skin: str
    beard: str
    frames: int
    detected: float  # part of the frames with a face
    r: float | None  # opening and visible lip gap; None where the mouth did not move
    closed: float | None  # part of P, B and M with lips together
    drawn_closed: float | None  # the same of the true gap
    chance: float | None  # what `closed` is around all other sounds
    sounds: int  # P, B and M


class Verification(NamedTuple):
    """How well a distance tells whether two pictures show one person."""

    threshold: float
    accuracy: float  # mean of the rates for one person and for two


@dataclass(frozen=True, slots=True, kw_only=True)
class Identities:
    """Verification between people with two stills each."""

    people: int
    unseen: int  # stills without a face: all their pairs count as told wrong
    same: float  # median distance of one person's stills
    different: float  # median distance of two people's
    best: Verification
    judges: Verification


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """How different many people look, by one still of each at rest."""

    people: int
    unseen: int  # stills without a face, left out
    alike: float  # part of the pairs nearer than the judges' threshold for one person
    nearest: tuple[float, float]  # distance to the nearest other: 5th percentile, median


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """What drawing costs on one core, encoding aside."""

    people: int
    size: tuple[int, int]
    samples: int
    setup_s: float  # before the first frame, processor time
    frames_per_s: float  # per core: processor time
    mb_per_minute: float  # of H.264


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A scene and what its people do in it."""

    scene: Scene
    acting: list[Performance]
    voices: tuple[str, ...]


def balanced_accuracy(same: Floats, different: Floats, threshold: float) -> float:
    """Average the rates of same [N] below and different [N] at or above the threshold."""
    return float(((same < threshold).mean() + (different >= threshold).mean()) / 2)


def best_verification(same: Floats, different: Floats) -> Verification:
    """Find the threshold with the best balanced accuracy, in the middle of its range."""
    edges = np.unique(np.concatenate([same, different]))
    middles = np.concatenate([edges[:1], (edges[1:] + edges[:-1]) / 2, edges[-1:] + 1e-9])
    found = np.array([balanced_accuracy(same, different, float(edge)) for edge in middles])
    best = np.flatnonzero(found == found.max())
    threshold = float(middles[best[len(best) // 2]])
    return Verification(threshold, float(found.max()))


def pair_distances(descriptors: Floats) -> tuple[Floats, Floats]:
    """Split the distances of descriptors [people, stills, 128]: of one person, of two.

    Stills of NaN were not seen. Their pairs are errors at any threshold: one person's are
    infinitely far apart, two people's lie at 0.
    """
    people, stills = descriptors.shape[:2]
    flat = descriptors.reshape(people * stills, -1)
    owner = np.repeat(np.arange(people), stills)
    first, second = np.triu_indices(len(flat), 1)
    apart = distances(flat[first], flat[second])
    is_same = owner[first] == owner[second]
    counted = np.where(np.isnan(apart), np.where(is_same, np.inf, 0.0), apart)
    return counted[is_same], counted[~is_same]


def pooled(rates: Sequence[float | None], counts: Sequence[int]) -> float | None:
    """Average rates by how many cases each is of; None when there is no case."""
    known = [(rate, n) for rate, n in zip(rates, counts, strict=True) if rate is not None and n]
    total = sum(n for _, n in known)
    return sum(rate * n for rate, n in known) / total if total else None


def run_plan(
    seed: int, purpose: int, people: int, seconds: float, size: tuple[int, int]
) -> RunPlan:
    """Plan what is measured: training voices and people, smooth edges."""
    return RunPlan(
        seed=seed * len((LIPS, PAIRS, SPEED)) + purpose,
        split="train",
        people=(people,),
        size=size,
        shortest=seconds,
        longest=seconds,
        clips_per_shard=1,
        samples=2,
    )


def act(run: RunPlan, index: int, catalogue: Catalogue) -> Actor:
    """Let the people of clip `index` perform: one of them talks throughout."""
    plan = plan_clip(run, index)
    rng = run.generator(index, "dialogue")
    roles = [Role(gender=identity.gender) for identity in plan.scene.people]
    dialogue = write_dialogue(roles, plan.seconds, rng, catalogue, Kind.MONOLOGUE)
    return Actor(
        scene=plan.scene,
        acting=perform(dialogue, plan.scene.seats, rng),
        voices=dialogue.voices,
    )


def read_faces(pictures: Iterable[Pixels], watcher: FaceWatcher) -> list[list[FaceReading]]:
    """Read the faces of each picture [H, W, 3], as `parley bench quality` does."""
    watch, out = Watch(), []
    for pixels in pictures:
        faces, watch = watcher.see(Image.fromarray(pixels), watch)
        out.append([read_face(face) for face in faces])
    return out


def measure_lips(actor: Actor, renderer: Renderer, watcher: FaceWatcher) -> Lips:
    """Draw one talking person and compare what FaceMesh sees with what was drawn."""
    gaps: list[float] = []

    def pictures() -> Iterator[Pixels]:
        for frame in renderer.render_clip(actor.scene, actor.acting):
            gaps.append(frame.truth.people[0].lip_gap_mm)
            yield frame.picture

    faces = read_faces(pictures(), watcher)
    tracks = build_tracks(faces, 1, FPS, SIZE)
    opening = tracks.mouth_opening[:, 0]
    # How hard closed lips press is a label, but nothing shows it.
    gap = np.maximum(np.array(gaps), 0.0)
    phones, person = actor.acting[0].phones, actor.scene.people[0]
    closure = lip_closure(opening, phones, FPS)
    return Lips(
        seed=person.seed,
        voice=actor.voices[0],
        skin=person.skin_name,
        beard=person.beard,
        frames=len(gap),
        detected=float(tracks.is_seen.mean()),
        r=correlation(opening, gap),
        closed=closure.rate,
        drawn_closed=lip_closure(gap, phones, FPS).rate,
        chance=closure.chance,
        sounds=closure.sounds,
    )


def measure_identities(
    run: RunPlan, people: int, catalogue: Catalogue, renderer: Renderer, observer: Observer
) -> Identities:
    """Draw two stills of each person and tell people apart by the judges' descriptors."""
    found = np.full((people, len(STILL_MOMENTS), 128), np.nan)
    for index in range(people):
        actor = act(run, index, catalogue)
        person, performance = actor.scene.people[0], actor.acting[0]
        scenes = (actor.scene, sample_scene(run.seed + index, people=[person], size=SIZE))
        for still, (scene, share) in enumerate(zip(scenes, STILL_MOMENTS, strict=True)):
            moment = moment_of(performance, int(share * performance.frames))
            frame = renderer.render_frame(scene, [moment])
            faces = observer.faces_of(Image.fromarray(frame.picture))
            looks = [face.look for face in faces if face.look is not None]
            if looks:
                found[index, still] = looks[0].descriptor
    same, different = pair_distances(found)
    judges = balanced_accuracy(same, different, JUDGES_THRESHOLD)
    return Identities(
        people=people,
        unseen=int(np.isnan(found[..., 0]).sum()),
        same=float(np.median(same)),
        different=float(np.median(different)),
        best=best_verification(same, different),
        judges=Verification(JUDGES_THRESHOLD, judges),
    )


def measure_crowd(seed: int, people: int, renderer: Renderer, observer: Observer) -> Crowd:
    """Draw one still of each person and find who could be taken for whom."""
    found = []
    for index in range(people):
        rng = np.random.default_rng((seed, CROWD, index))
        scene = sample_scene(int(rng.integers(1 << 31)), people=1, size=SIZE, framing="tight")
        frame = renderer.render_frame(scene, [resting_moment()])
        faces = observer.faces_of(Image.fromarray(frame.picture))
        found += [face.look.descriptor for face in faces[:1] if face.look is not None]
    return crowd(np.stack(found), people)


def crowd(descriptors: Floats, people: int) -> Crowd:
    """Compare descriptors [seen, 128] of `people` drawn; needs at least two seen."""
    apart = np.stack([distances(descriptors, each) for each in descriptors])
    pairs = apart[np.triu_indices(len(apart), 1)]
    np.fill_diagonal(apart, np.inf)
    low, middle = np.percentile(apart.min(1), [5, 50])
    return Crowd(
        people=people,
        unseen=people - len(descriptors),
        alike=float((pairs < JUDGES_THRESHOLD).mean()),
        nearest=(float(low), float(middle)),
    )


def measure_speed(actor: Actor, renderer: Renderer, samples: Samples) -> Speed:
    """Time one clip in processor seconds, the first frame apart: it sets the scene up."""
    start = time.process_time()
    frames = renderer.render_clip(actor.scene, actor.acting)
    pictures = [next(frames).picture]
    ready = time.process_time()
    pictures += [frame.picture for frame in frames]
    drawing_s = time.process_time() - ready
    size = len(encode_video(pictures))
    camera = actor.scene.camera
    return Speed(
        people=len(actor.acting),
        size=(camera.width, camera.height),
        samples=samples,
        setup_s=ready - start,
        frames_per_s=(len(pictures) - 1) / drawing_s,
        mb_per_minute=size / len(pictures) * FPS * MINUTE_S / 1e6,
    )


def measure_speeds(seed: int, catalogue: Catalogue, samples: Samples) -> list[Speed]:
    """Time clips of one, two and three people in the usual sizes."""
    with Renderer(Library(asset_folder()), samples=samples) as renderer:
        return [
            measure_speed(
                act(run_plan(seed, SPEED, people, SPEED_SECONDS, size), 0, catalogue),
                renderer,
                samples,
            )
            for people, size in SIZES.items()
        ]
