"""GLSL sources: one program for each material, sharing the vertex stage and the light.

llvmpipe runs both sides of every branch, so there is no program that can draw everything; and it
pays for pow, so powers are products. Colors are linear in here and leave at gamma 2. The alpha
channel of the picture carries the person's number (mask), not transparency.
"""

from __future__ import annotations

from typing import Literal

Material = Literal[
    "skin", "eye", "teeth", "tongue", "brow", "lash", "hair", "cloth", "fur", "solid"
]
Pass = Literal["opaque", "blended"]

_BLOCKS = """#version 330
layout(std140) uniform Frame {
  mat4 view_projection; mat4 light_projection;
  vec4 key_direction;  // w the shadow bias
  vec4 key_color, fill_direction, fill_color, rim_direction, rim_color, sky, ground;
};
layout(std140) uniform Person {
  mat4 bones[5];
  vec4 breath;        // xyz how far breathing moves the chest, w the person's number / 255
  vec4 eyes[2];       // xyz center, w iris radius in radians
  vec4 gazes[2];      // xyz direction, w a number that varies the iris
  vec4 head_up;
  vec4 hair_color;    // w mean brightness of the hair picture
  vec4 eye_color;
  vec4 brow_color;    // w opacity of the lashes
  vec4 growth;        // fur depth of scalp and beard in meters, stubble 0..1, mouth opening 0..1
};
"""

VERTEX = (
    _BLOCKS
    + """
in vec3 position; in vec3 normal; in vec2 uv; in vec4 weights; in vec4 extras;
uniform float layer;
out vec3 point; out vec3 direction; out vec2 coordinate; out vec3 growth_here; out vec3 lit_at;
void main() {
  mat4 bone = bones[0] * (1.0 - dot(weights, vec4(1.0))) + bones[1] * weights.x
    + bones[2] * weights.y + bones[3] * weights.z + bones[4] * weights.w;
  float depth = extras.y * growth.x + extras.z * growth.y;
  vec3 at = position + breath.xyz * extras.x + normal * (layer * depth);
  point = (bone * vec4(at, 1.0)).xyz;
  direction = mat3(bone) * normal;
  coordinate = uv;
  growth_here = extras.yzw;
  // Looked up a little outside the surface, which must not shade itself.
  lit_at = (light_projection * vec4(point + 0.006 * normalize(direction), 1.0)).xyz * 0.5 + 0.5;
  gl_Position = view_projection * vec4(point, 1.0);
}
"""
)

SHADOW_VERTEX = VERTEX.replace("view_projection * vec4", "light_projection * vec4")
SHADOW_FRAGMENT = """#version 330
void main() { }
"""

_LIGHT = (
    _BLOCKS
    + """
in vec3 point; in vec3 direction; in vec2 coordinate; in vec3 growth_here; in vec3 lit_at;
uniform sampler2D picture; uniform sampler2DShadow shadow_map; uniform float layer;
out vec4 color_out;

float shadow() {
  vec3 at = vec3(lit_at.xy, lit_at.z - key_direction.w);
  return texture(shadow_map, at);  // the sampler blends four comparisons
}
float power8(float x) { x *= x; x *= x; return x * x; }

// base: reflectance; wrap: how far key light reaches around edges, per channel;
// gloss: strength of highlights; open: ambient occlusion, 1 is open sky.
vec3 shade(vec3 base, vec3 n, vec3 v, vec3 wrap, float gloss, float open) {
  float lit = shadow();
  float facing = dot(n, key_direction.xyz);
  vec3 diffuse = clamp((vec3(facing) + wrap) / (1.0 + wrap), 0.0, 1.0);
  vec3 soft = mix(vec3(lit), vec3(sqrt(lit), lit, lit), step(0.2, wrap.r));
  vec3 c = base * key_color.rgb * diffuse * soft;
  c += base * fill_color.rgb * clamp((dot(n, fill_direction.xyz) + 0.5) / 1.5, 0.0, 1.0) * open;
  c += base * mix(ground.rgb, sky.rgb, n.y * 0.5 + 0.5) * open;
  float edge = clamp(1.0 - dot(n, v), 0.0, 1.0);
  edge = edge * edge * edge;
  c += rim_color.rgb * (edge * clamp(dot(n, rim_direction.xyz) + 0.3, 0.0, 1.0) * open)
    * (base * 0.6 + 0.05);
  vec3 h = normalize(key_direction.xyz + v);
  float shine = power8(max(dot(n, h), 0.0));
  c += key_color.rgb * (gloss * (0.05 * shine + 0.11 * shine * shine * shine) * lit
    * clamp(facing * 3.0, 0.0, 1.0));
  h = normalize(fill_direction.xyz + v);
  shine = power8(max(dot(n, h), 0.0));
  return c + fill_color.rgb * (gloss * 0.06 * shine * shine * open);
}
void finish(vec3 c, float alpha) {
  c *= 0.88;
  c = (c * (2.51 * c + 0.03)) / (c * (2.43 * c + 0.59) + 0.14);
  color_out = vec4(sqrt(clamp(c, 0.0, 1.0)), alpha);
}
"""
)

_BODIES: dict[Material, str] = {
    "skin": """
void main() {
  vec3 n = normalize(direction), v = normalize(-point);
  vec4 paint = texture(picture, coordinate);
  vec3 base = paint.rgb * paint.rgb;
  float scalp = growth_here.x * step(0.0001, growth.x) * 0.75;
  base = mix(base, hair_color.rgb * 0.9 + base * 0.1, scalp);
  // Stubble darkens: white hairs that short do not show.
  base = mix(base, min(hair_color.rgb, base * 0.6), growth_here.y * growth.z);
  float inside = step(paint.a, 0.03);
  float open = growth_here.z * mix(1.0, 0.12 + 0.5 * growth.w, inside);
  vec3 wrap = vec3(0.38, 0.20, 0.14);
  vec3 c = shade(base, n, v, wrap, paint.a * (1.0 - growth_here.y * growth.z), open);
  finish(c * mix(1.0, 0.25 + 0.5 * growth.w, inside), breath.w);
}
""",
    "eye": """
uniform int side;
float hash(vec2 q) { return fract(sin(dot(q, vec2(127.1, 311.7))) * 43758.5453); }
float noise(float angle, float ring) {
  float i = floor(angle), f = fract(angle); f = f * f * (3.0 - 2.0 * f);
  return mix(hash(vec2(mod(i, 44.0), ring)), hash(vec2(mod(i + 1.0, 44.0), ring)), f);
}
void main() {
  vec3 v = normalize(-point);
  vec3 center = eyes[side].xyz, gaze = gazes[side].xyz;
  float iris = eyes[side].w;
  vec3 d = normalize(point - center);
  float off = length(d - gaze);                  // chord: close to the angle in radians
  vec3 right = normalize(cross(vec3(0.01, 1.0, 0.02), gaze)), up = cross(gaze, right);
  float around = (atan(dot(d, up), dot(d, right)) + 3.14159265) * (44.0 / 6.2831853);
  float in_iris = smoothstep(iris + 0.03, iris - 0.045, off);
  float pupil = smoothstep(iris * 0.44, iris * 0.34, off);
  float fiber = 0.65 + 0.7 * noise(around, gazes[side].w);
  float depth = smoothstep(iris * 0.3, iris, off);
  vec3 ic = eye_color.rgb * fiber * mix(1.45, 0.8, depth);
  // Light that enters the cornea gathers on the side away from its source.
  ic *= 1.0 + 0.7 * clamp(dot(d - gaze, -key_direction.xyz) / iris, -0.4, 1.0);
  ic *= 1.0 - 0.72 * smoothstep(iris * 0.74, iris, off);
  ic = mix(ic, vec3(0.003), pupil);
  float corner = 0.5 * smoothstep(0.75, 1.25, off);
  vec3 white = mix(vec3(0.56, 0.53, 0.51), vec3(0.50, 0.33, 0.29), corner);
  vec3 base = mix(white, ic, in_iris);
  float lid = dot(d, head_up.xyz);
  float open = mix(1.0, 0.35, smoothstep(0.08, 0.46, lid));
  open *= mix(1.0, 0.7, smoothstep(0.2, 0.5, -lid));
  open *= mix(1.0, 0.6, smoothstep(0.55, 1.1, off));
  vec3 c = shade(base, d, v, vec3(0.3), 0.0, open) * mix(0.45, 1.0, open);
  vec3 bulge = normalize(d + gaze * 0.3 * in_iris);
  vec3 r = reflect(-v, bulge);
  vec3 window = normalize(key_direction.xyz + vec3(0.0, 0.25, 0.6));
  float spark = smoothstep(0.955, 0.975, dot(r, window));
  c += key_color.rgb * spark * 0.75 * mix(0.25, 1.0, open);
  c += fill_color.rgb * smoothstep(0.93, 0.99, dot(r, fill_direction.xyz)) * 0.25;
  finish(c, breath.w);
}
""",
    "teeth": """
void main() {
  vec3 n = normalize(direction), v = normalize(-point);
  vec3 t = texture(picture, coordinate).rgb; t *= t;
  float gum = smoothstep(0.14, 0.32, t.r - t.g);
  vec3 base = mix(vec3(0.76, 0.72, 0.64) * (0.8 + 0.3 * smoothstep(0.0, 0.5, t.g)),
    vec3(0.34, 0.10, 0.10), gum);
  float open = (0.5 + 0.4 * growth.w) * growth_here.z;
  vec3 c = shade(base, n, v, vec3(0.3), 0.5, open);
  finish(c * (0.25 + 0.75 * open) * growth_here.z, breath.w);
}
""",
    "tongue": """
void main() {
  vec3 n = normalize(direction), v = normalize(-point);
  float open = (0.2 + 0.6 * growth.w) * growth_here.z;
  vec3 c = shade(vec3(0.40, 0.125, 0.12), n, v, vec3(0.3), 0.45, open);
  finish(c * (0.15 + 0.4 * open) * growth_here.z, breath.w);
}
""",
    "brow": """
void main() {
  vec3 n = normalize(direction), v = normalize(-point);
  float alpha = texture(picture, coordinate).a;
  if (alpha < 0.03) discard;
  finish(shade(brow_color.rgb, n, v, vec3(0.3), 0.0, 1.0), alpha * 0.92);
}
""",
    "lash": """
void main() {
  float alpha = texture(picture, coordinate).a * brow_color.w;
  if (alpha < 0.03) discard;
  finish(vec3(0.008, 0.006, 0.005) * (key_color.rgb + sky.rgb), alpha);
}
""",
    "hair": """
void main() {
  vec4 paint = texture(picture, coordinate);
  CUT
  vec3 n = normalize(direction), v = normalize(-point);
  if (dot(n, v) < 0.0) n = -n;
  float value = dot(paint.rgb * paint.rgb, vec3(0.333)) / hair_color.w;
  // Bright hair shows its picture's contrast as noise.
  float bright = clamp(hair_color.g * 4.0, 0.0, 1.0);
  value = mix(clamp(value, 0.2, 2.6), clamp(value * 0.45 + 0.55, 0.5, 1.5), bright);
  vec3 base = hair_color.rgb * (0.25 + 0.75 * value);
  vec3 along = normalize(head_up.xyz - n * dot(head_up.xyz, n));
  vec3 h = normalize(key_direction.xyz + v);
  float t = dot(along, h);
  float shine = power8(1.0 - t * t); shine = shine * shine * shine;
  vec3 c = shade(base, n, v, vec3(0.25, 0.24, 0.23), 0.0, mix(0.6, 1.0, clamp(value, 0.0, 1.0)));
  c += (0.025 + 0.4 * min(hair_color.rgb, 0.16)) * key_color.rgb
    * (shine * value * 0.5 * clamp(dot(n, key_direction.xyz) + 0.2, 0.0, 1.0) * shadow());
  finish(c, ALPHA);
}
""",
    "cloth": """
void main() {
  vec3 n = normalize(direction), v = normalize(-point);
  if (dot(n, v) < 0.0) n = -n;
  vec3 base = texture(picture, coordinate).rgb;
  finish(shade(base * base, n, v, vec3(0.15), 0.06, 1.0), breath.w);
}
""",
    "fur": """
uniform vec2 scale; uniform int channel; uniform float softness;
void main() {
  vec2 reach = texture(picture, coordinate * scale, 0.8).rg;  // a blunter level: fewer specks
  float grown = max(growth_here.x * step(0.0001, growth.x), growth_here.y * step(0.0001, growth.y));
  float here = channel == 0 ? reach.r : reach.g;
  float cover = (here - 1.02 + grown * (1.02 - layer * 0.85)) * softness + 0.5;
  CUT
  vec3 n = normalize(direction), v = normalize(-point);
  // Between bright hairs it is less dark than between dark ones.
  float bright = clamp(hair_color.g * 4.0, 0.0, 1.0);
  float deep = mix(0.35 + 0.65 * layer, 0.72 + 0.28 * layer, bright);
  vec3 base = hair_color.rgb * mix(0.6 + 0.6 * here, 0.85 + 0.2 * here, bright) * deep;
  finish(shade(base, n, v, vec3(0.3, 0.29, 0.28), 0.15 * layer, deep), ALPHA);
}
""",
    "solid": """
uniform vec4 tint;  // color and gloss
void main() {
  vec3 n = normalize(direction), v = normalize(-point);
  if (dot(n, v) < 0.0) n = -n;
  finish(shade(tint.rgb, n, v, vec3(0.12), tint.w, 1.0), breath.w);
}
""",
}

_LOOKUP = "return texture(shadow_map, at);"
_SOFT_LOOKUP = """return (texture(shadow_map, at + vec3(0.0065, 0.0025, 0.0))
    + texture(shadow_map, at + vec3(-0.0055, 0.0045, 0.0))
    + texture(shadow_map, at + vec3(-0.001, -0.007, 0.0))) * 0.3333;"""  # chins shade throats
_LIP_SHADE = "return 0.55;"  # the shadow map is too coarse for the inside of a mouth
_LOOKUPS: dict[Material, str] = {
    "skin": _SOFT_LOOKUP,
    "teeth": _LIP_SHADE,
    "tongue": _LIP_SHADE,
}

# Soft edges of hair: the solid part first, with depth; then the rest, blended over.
_CUTS: dict[tuple[Material, Pass], str] = {
    ("hair", "opaque"): "if (paint.a < 0.6) discard;",
    ("hair", "blended"): "if (paint.a >= 0.6 || paint.a < 0.04) discard;",
    ("fur", "opaque"): "if (cover < 0.8) discard;",
    ("fur", "blended"): "if (cover < 0.04) discard;",
}
_COVERS: dict[Material, str] = {"hair": "paint.a", "fur": "min(cover, 1.0)"}


def fragment(material: Material, drawn: Pass = "opaque") -> str:
    """Give the fragment stage of a material."""
    body = _BODIES[material].replace("CUT", _CUTS.get((material, drawn), ""))
    light = _LIGHT.replace(_LOOKUP, _LOOKUPS.get(material, _LOOKUP))
    return light + body.replace("ALPHA", "breath.w" if drawn == "opaque" else _COVERS[material])


QUAD_VERTEX = """#version 330
in vec2 corner; out vec2 at;
void main() { at = corner * 0.5 + 0.5; gl_Position = vec4(corner, 0.0, 1.0); }
"""
BACKDROP_FRAGMENT = """#version 330
in vec2 at; uniform sampler2D picture; out vec4 color_out;
void main() { color_out = vec4(texture(picture, at).rgb, 0.0); }
"""
# One linear tap in the middle of four pixels is their mean; a mask must not be averaged.
HALVE_FRAGMENT = """#version 330
in vec2 at; uniform sampler2D picture; out vec4 color_out;
void main() {
  color_out = vec4(texture(picture, at).rgb, texelFetch(picture, ivec2(gl_FragCoord.xy) * 2, 0).a);
}
"""
