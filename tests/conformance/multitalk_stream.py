"""Cases of MultiTalk's long videos: whole runs, and the bookkeeping of clips alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from models.multitalk.clip_plan import Clip, ClipLayout, clip_windows, given_mask, plan_clips
from models.multitalk.clip_stream import (
    ClipNoise,
    ClipSettings,
    Networks,
    Performance,
    stream_clips,
)
from models.multitalk.picture import Size, prepare_masks, prepare_picture
from models.people import Box, box_mask, side_by_side_boxes, to_latent_size, with_background
from models.sampling.guidance import ApgConfig, TextAudioScales, multitalk_apg
from models.sampling.schedules import multitalk_schedule
from models.vae.wan_vae import WanVAE
from models.wan.config import VAE_PIXEL_STRIDE
from tests.conformance import multitalk
from tests.conformance.case import Case, Check, Json, compare
from tests.conformance.clip import tower_from
from tests.conformance.wan_vae import vae_from


def matches(description: Json) -> bool:
    return _is_bookkeeping(description) or {"dit", "clip_visual", "motion_frame"} <= set(
        description.get("config", {})
    )


def _is_bookkeeping(description: Json) -> bool:
    return {"runs", "frame_num", "motion_frame"} <= description.keys()


def run(case: Case) -> Iterator[Check]:
    if _is_bookkeeping(case.description):
        yield from _run_bookkeeping(case)
        return
    c = case.config
    networks = _networks(case)
    settings = ClipSettings(
        layout=ClipLayout(frames=c["frame_num"], motion_frames=c["motion_frame"]),
        schedule=multitalk_schedule(c["steps"], c["shift"]),
        scales=TextAudioScales(c["text_guide_scale"], c["audio_guide_scale"]),
        apg=_apg(c),
        color_strength=c.get("color_correction_strength", 0.0),
    )

    def recorded(clip: Clip, size: tuple[int, int, int]) -> ClipNoise:
        index = clip.start // settings.layout.advance
        motion = case.inputs.get(f"clip{index}_motion_noise")
        return ClipNoise(case.inputs[f"clip{index}_noise"], motion)

    clips = stream_clips(networks, settings, _performance(case), recorded, c["max_frames_num"])
    yield from case.check_outputs({"video": torch.cat(list(clips), dim=1)})


def _apg(c: Json) -> ApgConfig | None:
    if not c.get("apg"):
        return None
    published = multitalk_apg()
    return ApgConfig(
        momentum=c.get("apg_momentum", published.momentum),
        norm_threshold=c.get("apg_norm_threshold", published.norm_threshold),
        eta=c.get("apg_eta", published.eta),
    )


def _networks(case: Case) -> Networks:
    weights = case.weights()
    dit = multitalk.dit_from(case.config["dit"], _under("dit.", weights))
    tower = tower_from(case.config["clip_visual"], _under("clip.", weights))
    return Networks(dit, _vae(case, weights), tower)


def _vae(case: Case, weights: Mapping[str, Tensor]) -> WanVAE:
    """Build the VAE, which a case holds or borrows: then its config names another case's file."""
    config = case.config["vae"]
    own = _under("vae.", weights)
    if isinstance(config, dict):
        return vae_from(config, own or case.noted_file(".weights.safetensors"))
    name = next(word for word in config.split() if word.endswith(".json"))
    folders = (case.path.parent.parent, case.path.parent)
    lender = Case.read(next((f / name for f in folders if (f / name).exists()), Path(name)))
    return vae_from(lender.config, own or lender.weights())


def _under(prefix: str, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}


def _performance(case: Case) -> Performance:
    c, inputs = case.config, case.inputs
    pixels, size = inputs["image_uint8_hwc"], Size(*c["bucket_hw"])
    people = c["persons"]
    return Performance(
        picture=prepare_picture(pixels, size),
        prompt=inputs["context"],
        negative_prompt=inputs["context_null"],
        voices=[inputs[f"audio_embedding_person{p + 1}"] for p in range(people)],
        regions=_regions(c, pixels, size) if people > 1 else None,
    )


def _regions(c: Json, pixels: Tensor, size: Size) -> Tensor:
    height, width = pixels.shape[:2]
    if c.get("bbox"):
        # The published boxes are [row_min, col_min, row_max, col_max], whatever their names say.
        boxes = [Box(left, top, right, bottom) for top, left, bottom, right in c["bbox"].values()]
    else:
        boxes = side_by_side_boxes(c["persons"], height, width)
    masks = with_background(torch.stack([box_mask(box, height, width) for box in boxes]))
    h, w = size.height // VAE_PIXEL_STRIDE, size.width // VAE_PIXEL_STRIDE
    return to_latent_size(prepare_masks(masks, size), h, w)


def _run_bookkeeping(case: Case) -> Iterator[Check]:
    d = case.description
    layout = ClipLayout(frames=d["frame_num"], motion_frames=d["motion_frame"])
    for name, expected in d["runs"].items():
        numbers = [part for part in name.split("_") if part.isdigit()]
        audio_frames = int(numbers[-1])
        max_frames = layout.frames if name.startswith("mode_clip") else d.get("max_frames", 1000)
        plan = plan_clips([audio_frames], layout, max_frames)
        yield _equal(f"{name}.frames", plan.video_frames, expected["total_output_frames"])
        wanted = expected.get("clips", [])
        count = expected.get("n_clips", len(wanted))
        yield _equal(f"{name}.n_clips", len(plan.clips), count)
        voice = torch.arange(audio_frames).reshape(-1, 1, 1)
        for index, (clip, clip_wanted) in enumerate(zip(plan.clips, wanted, strict=False)):
            facts = _clip_facts(clip, clip_windows([voice], plan, index)[0], layout)
            for key, value in facts.items():
                told = clip_wanted.get(key)
                if told is not None and not isinstance(told, str):
                    yield _equal(f"{name}.clip{clip_wanted['clip']}.{key}", value, told)
    neighbor = case.path.with_name(f"i2v_masks_{layout.frames}_{layout.motion_frames}.safetensors")
    if neighbor.exists():
        yield from _mask_checks(case.beside(neighbor.name), layout)


def _clip_facts(clip: Clip, windows: Tensor, layout: ClipLayout) -> dict[str, object]:
    """Describe a clip as the bookkeeping does; a voice's features are its own frame numbers."""
    frames = windows.flatten(1)  # [T, 5]
    center = frames[:, 2]
    mask = given_mask(clip.given_frames, layout, (1, 1))[:, :, 0, 0]
    return {
        "audio_start": clip.start,
        "audio_end_exclusive": clip.stop,
        "first_window": frames[0].tolist(),
        "last_window": frames[-1].tolist(),
        "centre_source_frames_last8": center[-8:].tolist(),
        "n_distinct_monotone": int((center.diff() > 0).sum()),
        "new_frames_kept": len(range(layout.frames)[clip.new_frames]),
        "mask_ones_per_channel_and_latent_frame": mask.tolist(),
    }


def _mask_checks(masks: Mapping[str, Tensor], layout: ClipLayout) -> Iterator[Check]:
    given = {"mask_first_clip": 1, "mask_later_clips": layout.motion_frames}
    for name, frames in given.items():
        expected = masks[name]
        size = (expected.shape[2], expected.shape[3])
        yield compare(name, given_mask(frames, layout, size), expected, atol=0, rtol=0)


def _equal(name: str, got: object, expected: object) -> Check:
    got, expected = (torch.tensor(value, dtype=torch.float64) for value in (got, expected))
    return compare(name, got, expected, atol=0, rtol=0)
