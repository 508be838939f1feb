"""Makes clips and shards: the work of one process, which owns one renderer and its voices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Literal, NamedTuple, Self, cast

from training.studio.acting.dialogue import Role, write_dialogue
from training.studio.acting.performance import perform
from training.studio.people.library import Library
from training.studio.shards.archive import ShardWriter
from training.studio.shards.coding import Pixels, encode_video, encode_voice
from training.studio.shards.plan import RunPlan, plan_clip
from training.studio.shards.portrait import BEHIND, portrait
from training.studio.shards.prompts import describe
from training.studio.shards.record import describe_clip, label_arrays, pack_arrays
from training.studio.speech.catalogue import open_catalogue
from training.studio.stage.renderer import Renderer
from training.studio.stage.truth import FrameTruth


class MadeClip(NamedTuple):
    """One clip's files by extension, and its length."""

    files: dict[str, bytes]
    frames: int


class ClipMaker:
    """Owns a renderer (one OpenGL context, one thread) and a catalogue of voices; close it."""

    def __init__(self, run: RunPlan, assets: Path) -> None:
        self.run = run
        self._catalogue = open_catalogue(run.split)
        self._renderer = Renderer(Library(assets), samples=cast(Literal[1, 2], run.samples))

    def make(self, index: int) -> MadeClip:
        """Write, perform, draw and encode clip `index`. Blocks for seconds.

        Raises:
            SpeechError: when a voice fails on several lines.
        """
        plan = plan_clip(self.run, index)
        scene = plan.scene
        rng = self.run.generator(index, "dialogue")
        roles = [Role(gender=identity.gender) for identity in scene.people]
        dialogue = write_dialogue(roles, plan.seconds, rng, self._catalogue, self.run.kind)
        acting = perform(dialogue, scene.seats, rng, listener_m=scene.listener_m)
        prompt = describe(
            [portrait(identity) for identity in scene.people],
            [performance.acts for performance in acting],
            plan.frames,
            BEHIND[scene.backdrop.kind],
            self.run.generator(index, "prompt"),
        )
        truths: list[FrameTruth] = []

        def pictures() -> Iterator[Pixels]:
            for frame in self._renderer.render_clip(scene, acting):
                truths.append(frame.truth)
                yield frame.picture

        files = {"mp4": encode_video(pictures())}
        files["json"] = describe_clip(plan, dialogue, acting, prompt)
        files["npz"] = pack_arrays(label_arrays(acting, truths))
        for person in range(len(acting)):
            files[f"voice{person}.flac"] = encode_voice(dialogue.track(person))
        return MadeClip(files, plan.frames)

    def make_shard(self, number: int, folder: Path, on_clip: Callable[[int], None]) -> None:
        """Make every clip of one shard; `on_clip` hears the frames of each as it is done."""
        with ShardWriter(shard_path(folder, number)) as writer:
            first = number * self.run.clips_per_shard
            for index in range(first, first + self.run.clips_per_shard):
                clip = self.make(index)
                writer.add(f"{index:07d}", clip.files)
                on_clip(clip.frames)

    def listing(self) -> dict[str, list[str]]:
        """List the voices there are: a run made with others is another run."""
        return self._catalogue.listing()

    def close(self) -> None:
        self._renderer.close()
        self._catalogue.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def shard_path(folder: Path, number: int) -> Path:
    """Give the path of a shard."""
    return folder / f"shard-{number:05d}.tar"
