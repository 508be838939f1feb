"""Tiny networks with every role of a studio bundle, whose outputs show any mistake in wiring.

The DiT really attends, so a wrong slot, mask, rotation or order changes its velocity; it adds each
person's voice to that person's tokens alone. toy_reference.py computes the same in numpy.

P = 2 people, a 64x32 picture, one latent frame [4, 2, 4] a chunk, n = 2 tokens, H = 1, D = 6.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper, parser

PEOPLE, WIDTH, HEIGHT = 2, 64, 32
CHANNELS, LATENT_H, LATENT_W = 4, 2, 4
TOKENS, HEAD, PAIRS = 2, 6, 3
SINK, WINDOW = 1, 3
CACHED = (SINK + WINDOW) * TOKENS
LAYERS = 2
FEATURES, CURVES, MOTION, GROUPS = 3, 53, 60, 2
ACTED = 0.1
TEXT_TOKENS, TEXT_WIDTH = 8, 4
LOOK_AHEAD_FRAMES = 2
HUM = 0.2  # silence is not zeros to the toy's audio encoder
DOT = "__"
LATENT = "float[1,4,1,2,4]"

Constants = dict[str, NDArray[Any]]


def weights() -> Constants:
    """Draw the networks' weights, always the same."""
    draw = np.random.default_rng(7)

    def matrix(rows: int, columns: int) -> NDArray[np.float32]:
        drawn: NDArray[np.float32] = draw.standard_normal((rows, columns), np.float32)
        return drawn / np.float32(np.sqrt(rows))

    return {
        "into": matrix(2 * 2 * CHANNELS, HEAD),
        "out": matrix(HEAD, 2 * 2 * CHANNELS),
        "voice": matrix(FEATURES, HEAD) * 3,
        "words": matrix(TEXT_WIDTH, HEAD),
        "values": matrix(HEAD, HEAD) * 2,
    }


def _save(text: str, path: Path, constants: Constants, opset: int) -> None:
    header = f'<ir_version: 10, opset_import: ["" : {opset}]>'
    plain = re.sub(r"([a-z_]\w*)\.(\w+)", r"\1" + DOT + r"\2", text)  # it takes no dots in names
    graph = parser.parse_model(header + plain)
    for value in (*graph.graph.input, *graph.graph.output):
        value.name = value.name.replace(DOT, ".")
    for node in graph.graph.node:
        for names in (node.input, node.output):
            names[:] = [name.replace(DOT, ".") for name in names]
    used = {name for node in graph.graph.node for name in node.input}
    for name in used & constants.keys():
        graph.graph.initializer.append(numpy_helper.from_array(np.asarray(constants[name]), name))
    onnx.save(graph, path)


def _ints(**values: Sequence[int]) -> Constants:
    return {name: np.asarray(value, np.int64) for name, value in values.items()}


def _reals(values: dict[str, float]) -> Constants:
    return {name: np.asarray(value, np.float32) for name, value in values.items()}


def audio_encoder(path: Path) -> None:
    """Frame by frame loudness, mean and peak, delayed by the look-ahead."""
    text = """
    g (float[2,2560] samples, float[2,2,3] state.past)
      => (float[2,4,3] features, float[2,4,53] curves, float[2,2,3] next_state.past) {
      framed = Reshape(samples, to_frames)
      squared = Mul(framed, framed)
      power = ReduceMean(squared, last)
      loud = Sqrt(power)
      level = ReduceMean(framed, last)
      peak = ReduceMax(framed, last)
      audible = Add(loud, hum)
      new = Concat<axis = 2>(audible, level, peak)
      all = Concat<axis = 1>(state.past, new)
      features, next_state.past = Split<axis = 1>(all, parts)
      first = Slice(features, zero, one, two)
      curves = Tile(first, to_curves)
    }"""
    ints = _ints(
        to_frames=[2, 4, 640],
        last=[2],
        parts=[4, 2],
        zero=[0],
        one=[1],
        two=[2],
        to_curves=[1, 1, 53],
    )
    _save(text, path, ints | _reals({"hum": HUM}), 20)


def acting(path: Path) -> None:
    """Everybody's motion: the loudness heard, and a wandering number of their own."""
    text = """
    g (float[2,4,3] features, float[2,1] acting_noise, float[2,1] state.past)
      => (float[1,2,4,60] motion, float[1,2,4,2] motion_known, float[2,1] next_state.past) {
      kept = Mul(state.past, half)
      next_state.past = Add(kept, acting_noise)
      scaled = Mul(next_state.past, tenth)
      wide = Unsqueeze(scaled, one)
      loud = Slice(features, zero, one, two)
      moved = Add(loud, wide)
      all = Unsqueeze(moved, zero)
      motion = Tile(all, to_motion)
      motion_known = Expand(one_real, known_shape)
    }"""
    ints = _ints(zero=[0], one=[1], two=[2], to_motion=[1, 1, 1, 60], known_shape=[1, 2, 4, 2])
    _save(text, path, ints | _reals({"half": 0.5, "tenth": ACTED, "one_real": 1.0}), 20)


def text_encoder(path: Path) -> None:
    text = """
    g (int64[1,8] tokens) => (float[1,8,4] text) {
      real = Cast<to = 1>(tokens)
      small = Div(real, scale)
      wide = Unsqueeze(small, last)
      text = Tile(wide, repeats)
    }"""
    constants = _ints(last=[2], repeats=[1, 1, 4]) | _reals({"scale": 128})
    _save(text, path, constants, 20)


def prompt(path: Path) -> None:
    outputs = ", ".join(f"float[1,1,8,6] text_k.{i}, float[1,1,8,6] text_v.{i}" for i in range(2))
    body = "".join(
        f"text_k.{i} = Mul(heads, half) text_v.{i} = Add(heads, layer{i})\n" for i in range(LAYERS)
    )
    text = f"""
    g (float[1,8,4] text) => ({outputs}) {{
      projected = MatMul(text, words)
      heads = Unsqueeze(projected, axis)
      {body}
    }}"""
    constants = _ints(axis=[1]) | {"words": weights()["words"]} | _reals({"half": 0.5})
    constants |= _reals({f"layer{i}": 0.1 * i for i in range(LAYERS)})
    _save(text, path, constants, 20)


def picture_encoder(path: Path) -> None:
    text = """
    g (float[1,3,32,64] picture) => (float[1,4,1,2,4] reference, float[1,3,32,64] ref.picture) {
      pooled = AveragePool<kernel_shape = [16, 16], strides = [16, 16]>(picture)
      gray = ReduceMean(pooled, axis)
      four = Concat<axis = 1>(pooled, gray)
      reference = Unsqueeze(four, two)
      ref.picture = Identity(picture)
    }"""
    _save(text, path, _ints(axis=[1], two=[2]), 20)


def audio_kv(path: Path) -> None:
    outputs = ", ".join(f"float[1,2,4,3] audio_k.{i}, float[1,2,4,3] audio_v.{i}" for i in range(2))
    body = "".join(
        f"audio_k.{i} = Mul(features, half) audio_v.{i} = Add(moved, layer{i})\n"
        for i in range(LAYERS)
    )
    text = f"""
    g (float[1,2,4,3] features, float[1,2,4,60] motion, float[1,2,4,2] motion_known)
      => ({outputs}) {{
      summed = ReduceMean(motion, axis)
      trust = ReduceMax(motion_known, axis)
      weighed = Mul(summed, trust)
      moved = Add(features, weighed)
      {body}
    }}"""
    constants = _ints(axis=[3]) | _reals({"half": 0.5})
    constants |= _reals({f"layer{i}": 0.05 * i for i in range(LAYERS)})
    _save(text, path, constants, 20)


def _layer(i: int, is_inplace: bool) -> str:
    """One layer: rotate, attend to past and new, add text, voices and timestep."""
    if is_inplace:
        cache = f"""
      present_k.{i} = TensorScatter<axis = 2, mode = "linear">(past_k.{i}, kn{i}, write_index)
      present_v.{i} = TensorScatter<axis = 2, mode = "linear">(past_v.{i}, vn{i}, write_index)
      ka{i} = Identity(present_k.{i})
      va{i} = Identity(present_v.{i})"""
    else:
        cache = f"""
      new_k.{i} = Identity(kn{i})
      new_v.{i} = Identity(vn{i})
      ka{i} = Concat<axis = 2>(past_k.{i}, kn{i})
      va{i} = Concat<axis = 2>(past_v.{i}, vn{i})"""
    return f"""
      pairs{i} = Reshape(x{i}, to_pairs)
      even{i}, odd{i} = Split<axis = 4, num_outputs = 2>(pairs{i})
      ec{i} = Mul(even{i}, cos)  os{i} = Mul(odd{i}, sin)  re{i} = Sub(ec{i}, os{i})
      es{i} = Mul(even{i}, sin)  oc{i} = Mul(odd{i}, cos)  ro{i} = Add(es{i}, oc{i})
      turned{i} = Concat<axis = 4>(re{i}, ro{i})
      kn{i} = Reshape(turned{i}, to_heads)
      vn{i} = MatMul(x{i}, values)
      {cache}
      kt{i} = Transpose<perm = [0, 1, 3, 2]>(ka{i})
      raw{i} = MatMul(kn{i}, kt{i})
      seen{i} = Where(mask, raw{i}, never)
      weight{i} = Softmax<axis = -1>(seen{i})
      heard{i} = MatMul(weight{i}, va{i})
      kv{i} = Mul(text_k.{i}, text_v.{i})
      word{i} = ReduceMean(kv{i}, axis_two)
      loud{i} = Add(audio_k.{i}, audio_v.{i})
      spoken{i} = ReduceMean(loud{i}, axis_two_flat)
      own{i} = MatMul(owners, spoken{i})
      voice{i} = MatMul(own{i}, voice)
      wide{i} = Unsqueeze(voice{i}, axis_one)
      sum{i} = Sum(x{i}, heard{i}, word{i}, wide{i}, time)
      x{i + 1} = Tanh(sum{i})"""


def dit(path: Path, *, is_inplace: bool) -> None:
    cached = CACHED + TOKENS if is_inplace else CACHED
    inputs = [
        f"{LATENT} latent",
        "float[1] timestep",
        "float[2,3] rotation_cos",
        "float[2,3] rotation_sin",
        f"bool[1,1,2,{CACHED + TOKENS}] mask",
        f"{LATENT} reference",
        "float[1,2,2] people",
    ]
    outputs = [f"{LATENT} velocity"]
    for i in range(LAYERS):
        inputs += [f"float[1,1,{cached},6] past_{kv}.{i}" for kv in "kv"]
        inputs += [f"float[1,1,8,6] text_{kv}.{i}" for kv in "kv"]
        inputs += [f"float[1,2,4,3] audio_{kv}.{i}" for kv in "kv"]
        name, tokens = ("present", cached) if is_inplace else ("new", TOKENS)
        outputs += [f"float[1,1,{tokens},6] {name}_{kv}.{i}" for kv in "kv"]
    if is_inplace:
        inputs.append("int64[1] write_index")
    layers = "".join(_layer(i, is_inplace) for i in range(LAYERS))
    text = f"""
    g ({", ".join(inputs)}) => ({", ".join(outputs)}) {{
      both = Add(latent, reference)
      split = Reshape(both, to_patches)
      moved = Transpose<perm = [0, 3, 5, 1, 2, 4, 6]>(split)
      flat = Reshape(moved, to_tokens)
      x0 = MatMul(flat, into)
      time = Div(timestep, thousand)
      cos = Reshape(rotation_cos, to_angles)
      sin = Reshape(rotation_sin, to_angles)
      owners = Transpose<perm = [0, 2, 1]>(people)
      {layers}
      patches = MatMul(x{LAYERS}, out)
      apart = Reshape(patches, to_grid)
      back = Transpose<perm = [0, 3, 4, 1, 5, 2, 6]>(apart)
      shaped = Reshape(back, to_latent)
      own_share = Mul(latent, half)
      velocity = Add(own_share, shaped)
    }}"""
    ints = _ints(
        to_patches=[1, CHANNELS, 1, 1, 2, 2, 2],
        to_tokens=[1, 1, TOKENS, 16],
        to_pairs=[1, 1, TOKENS, PAIRS, 2],
        to_heads=[1, 1, TOKENS, HEAD],
        to_angles=[1, 1, TOKENS, PAIRS, 1],
        to_grid=[1, 1, 2, CHANNELS, 1, 2, 2],
        to_latent=[1, CHANNELS, 1, LATENT_H, LATENT_W],
        axis_one=[1],
        axis_two=[2],
        axis_two_flat=[2],
    )
    numbers = {"thousand": 1000.0, "half": 0.5, "never": -1e9}
    constants = ints | _reals(numbers) | weights()
    text = text.replace("ReduceMean(kv", "ReduceMean<keepdims = 1>(kv")
    text = text.replace("ReduceMean(loud", "ReduceMean<keepdims = 0>(loud")
    _save(text, path, constants, 24)


def vae_decoder(path: Path) -> None:
    text = f"""
    g ({LATENT} latent, float[1,3,32,64] ref.picture, {LATENT} state.past)
      => (uint8[1,4,32,64,3] pixels, {LATENT} next_state.past) {{
      older = Mul(state.past, quarter)
      mixed = Add(latent, older)
      gray = ReduceMean(mixed, one)
      cells = Reshape(gray, to_cells)
      grown = Tile(cells, repeats)
      plane = Reshape(grown, to_plane)
      lifted = Mul(ref.picture, half)
      drawn = Add(plane, lifted)
      scaled = Mul(drawn, gain)
      shifted = Add(scaled, gray_level)
      clipped = Clip(shifted, low, high)
      rounded = Round(clipped)
      bytes = Cast<to = 2>(rounded)
      last = Transpose<perm = [0, 2, 3, 1]>(bytes)
      frame = Unsqueeze(last, one)
      pixels = Tile(frame, four_times)
      next_state.past = Identity(latent)
    }}"""
    ints = _ints(
        one=[1],
        to_cells=[1, 1, 2, 1, 4, 1],
        repeats=[1, 1, 1, 16, 1, 16],
        to_plane=[1, 1, 32, 64],
        four_times=[1, 4, 1, 1, 1],
    )
    numbers = {
        "quarter": 0.25,
        "half": 0.5,
        "gain": 40.0,
        "gray_level": 128.0,
        "low": 0.0,
        "high": 255.0,
    }
    constants = ints | _reals(numbers)
    _save(text, path, constants, 20)
