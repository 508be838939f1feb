"""What a person and a place look like in words, for prompts."""

from __future__ import annotations

from training.studio.people.identity import Identity
from training.studio.people.wardrobe import BEARDS, EARRINGS, GARMENTS, GLASSES, HAIR, HATS
from training.studio.stage.scene import BackdropKind

YOUNG_BELOW, OLD_FROM = 0.6, 0.78  # of Identity.age
BEHIND: dict[BackdropKind, str] = {
    "plain": "a plain backdrop",
    "studio": "a studio backdrop",
    "shelf": "a bookshelf",
    "window": "a window",
    "wall": "a wall",
    "curtain": "a curtain",
    "lights": "soft lights",
    "panels": "wall panels",
}


def portrait(identity: Identity) -> dict[str, str]:
    """Describe a person by gender, age, hair, clothes and what else is seen, if anything."""
    noun = "woman" if identity.gender == "female" else "man"
    origin = "" if identity.heritage == "mixed" else f"{identity.heritage} "
    hair = HAIR[identity.hair].phrase.format(color=identity.hair_color_name)
    extras = [
        BEARDS[identity.beard],
        GLASSES[identity.glasses],
        HATS[identity.hat],
        EARRINGS[identity.earrings],
    ]
    return {
        "gender": f"{origin}{noun}",
        "age": _age(identity.age),
        "hair": hair,
        "clothes": f"{identity.cloth_name} {GARMENTS[identity.garment].phrase}",
        "extra": " and ".join(extra for extra in extras if extra),
    }


def _age(age: float) -> str:
    if age < YOUNG_BELOW:
        return "young"
    return "old" if age >= OLD_FROM else "middle-aged"
