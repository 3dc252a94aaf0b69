"""Joint centers from optical markers on a dancer's skin, as in Plug-in Gait and the marker sets of CMU and Qualisys.

Hips: regression of Harrington et al. (2007) in the form that needs the pelvis's markers alone. Shoulders: 17 % of the
distance between the acromia below them (Rab et al. 2002). Knees, elbows and ankles: between the markers of both sides,
or half a joint's width inside the outer one, along the normal of the plane in which shank and foot, or upper arm and
forearm, lie. Trunk: average proportions between hips and shoulders.
"""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from rigs import Array, rotations
from rigs.characters.trunk_joints import left_vector, midpoint, trunk_joints, trunk_rotation
from rigs.easing import smoothstep
from rigs.skeleton import DEFAULT_SKELETON, INDEX, JOINTS, SIDES

_LABELS: dict[str, dict[str, list[str]]] = json.loads(Path(__file__).with_name("marker_labels.json").read_text("utf-8"))
_HALF_KNEE, _HALF_ANKLE, _HALF_ELBOW = 0.057, 0.043, 0.045
"""m, half the width of an adult's joints and the radius of a marker."""
_ADULT_LEG = 0.8
"""m from hip to ankle for which these widths hold."""
_BELOW_ACROMION = 0.17
_NECK_ABOVE_COLLAR = 0.025
"""m from the middle of C7 and the collar bones up to the neck joint."""
_BELOW_HEADBAND, _ABOVE_HEADBAND = 0.09, 0.08
"""m from the middle of the markers around the head down to the base of the skull, and up to the crown."""
_STRAIGHT, _BENT = (0.45, 0.15), (0.8, 0.5)
"""Sines of the bend angle up to which a limb is straight and from which it is bent, by marker, then by center."""
_STRETCHED = 0.25
"""Sine of the angle between shank and foot, up to which the foot is stretched."""
_REQUIRED = ("hip", "knee", "ankle", "toe", "shoulder", "elbow", "wrist")


class MissingMarkers(ValueError):
    """Error for markers that do not suffice; its text names the missing ones by their labels in Plug-in Gait."""


def _expand_labels(kind: str) -> dict[str, str]:
    """From each label without separators to the name of its marker or center."""
    labels: dict[str, str] = {}
    for name, patterns in _LABELS[kind].items():
        for side in SIDES if "{side}" in name else ("",):
            for pattern in patterns:
                labels[pattern.replace("{S}", side[:1].upper())] = name.replace("{side}", side)
    return labels


_MARKERS, _CENTERS = _expand_labels("markers"), _expand_labels("centers")
_KNOWN = _MARKERS.keys() | _CENTERS.keys()
_LONGEST_LABEL = 100
"""Letters after a subject's name, separators among them."""


def name_markers(labels: Iterable[str]) -> tuple[dict[str, int], dict[str, int]]:
    """Indices of the known markers and of the known joint centers among the labels of one subject, by their names."""
    plain = [_plain(label) for label in labels]
    markers, centers = (
        {known[label]: at for at, label in reversed(list(enumerate(plain))) if label in known}
        for known in (_MARKERS, _CENTERS)
    )
    return markers, centers


def split_label(label: str) -> tuple[str, str]:
    """The subject's name and the label of a marker: 'Anna:LASI', and 'Anna_LASI' if the rest is a known label."""
    if ":" in label:
        subject, _, marker = label.rpartition(":")
        return subject, marker
    if _plain(label) in _KNOWN:
        return "", label
    for at in range(max(len(label) - _LONGEST_LABEL, 0), len(label)):
        if not label[at].isalnum() and (rest := _plain(label[at:])) in _KNOWN:
            return label[:at], rest
    return "", label


def _plain(label: str) -> str:
    """A label in capitals without separators."""
    return "".join(letter for letter in label.upper() if letter.isalnum())


def missing_markers(markers: Iterable[str], centers: Iterable[str]) -> list[str]:
    """Labels in Plug-in Gait of the markers without which joint centers cannot be estimated."""
    known, given = set(markers), set(centers)
    missing = []
    for side in SIDES:
        needed = {joint: [f"{side}_{joint}"] for joint in _REQUIRED}
        needed["hip"] = [f"{side}_front_hip"]
        for joint, names in needed.items():
            if f"{side}_{joint}" not in given and not known.issuperset(names):
                missing.append(_plug_in_gait_label(names[0]))
    if not given.issuperset({"left_hip", "right_hip"}) and "sacrum" not in known:
        missing += [_plug_in_gait_label(f"{side}_back_hip") for side in SIDES if f"{side}_back_hip" not in known]
    wrists = {
        _plug_in_gait_label(f"{side}_wrist") for side in SIDES if known & {f"{side}_inner_wrist", f"{side}_outer_wrist"}
    }
    return [label for label in missing if label not in wrists]


def _plug_in_gait_label(name: str) -> str:
    """The label in Plug-in Gait of a marker's name."""
    return next(label for label, marker in _MARKERS.items() if marker == name)


def joint_positions(markers: dict[str, Array], centers: dict[str, Array]) -> tuple[Array, tuple[str, ...]]:
    """Positions (F, 29, 3) m of the joints from markers and known joint centers, each (F, 3) m with Z up.

    Returns also the joints that have no marker near them and follow from average proportions. Raises MissingMarkers.
    """
    missing = missing_markers(markers, centers)
    if missing:
        raise MissingMarkers(f"markers {', '.join(missing)}")
    joints = _hips(markers) | centers
    size = _leg_length(joints, markers) / _ADULT_LEG
    joints = _shoulders(markers, joints) | joints
    for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
        joints = _limbs(side, sign, markers, joints, size) | joints
    joints |= trunk_joints(joints)
    if {"c7", "clavicle"} <= markers.keys():
        up = rotations.normalize(midpoint(joints, "shoulder") - midpoint(joints, "hip"))
        joints["neck"] = (markers["c7"] + markers["clavicle"]) / 2.0 + _NECK_ABOVE_COLLAR * size * up
    head = _head(markers)
    joints |= head or _upright_head(joints)
    fingers = {f"{side}_{joint}" for side in SIDES if f"{side}_finger" not in markers for joint in ("thumb", "middle")}
    estimated = tuple(name for name in JOINTS if name in fingers or (not head and name in ("jaw", "head")))
    return np.stack([joints[name] for name in JOINTS], axis=1), estimated


def _hips(markers: dict[str, Array]) -> dict[str, Array]:
    """Hip centers by Harrington et al. (2007), table 4, from the spines of the ilium; none without their markers."""
    if not {"left_front_hip", "right_front_hip"} <= markers.keys():
        return {}
    back = markers["sacrum"] if "left_back_hip" not in markers else midpoint(markers, "back_hip")
    front, left = midpoint(markers, "front_hip"), left_vector(markers, "front_hip")
    width, depth = (float(np.median(np.linalg.norm(v, axis=-1))) for v in (left, front - back))
    up = rotations.normalize(np.cross(front - back, left))
    left = rotations.normalize(left)
    forward = np.cross(left, up)
    middle = front - (0.24 * depth + 0.0099) * forward - (0.30 * width + 0.0109) * up
    aside = (0.33 * width + 0.0073) * left
    return {"left_hip": middle + aside, "right_hip": middle - aside}


def _leg_length(joints: dict[str, Array], markers: dict[str, Array]) -> float:
    """Median length in m of the legs from hip to ankle."""
    points = markers | joints
    bones = [
        points[f"{side}_{lower}"] - points[f"{side}_{upper}"]
        for side in SIDES
        for upper, lower in (("hip", "knee"), ("knee", "ankle"))
    ]
    return float(np.median(np.linalg.norm(np.stack(bones), axis=-1).sum(axis=0))) / len(SIDES)


def _shoulders(markers: dict[str, Array], joints: dict[str, Array]) -> dict[str, Array]:
    """Shoulder centers below the acromia."""
    if not {"left_shoulder", "right_shoulder"} <= markers.keys():
        return {}
    width = float(np.median(np.linalg.norm(left_vector(markers, "shoulder"), axis=-1)))
    up = rotations.normalize(midpoint(markers, "shoulder") - midpoint(joints, "hip"))
    return {f"{side}_shoulder": markers[f"{side}_shoulder"] - _BELOW_ACROMION * width * up for side in SIDES}


def _limbs(
    side: str, sign: float, markers: dict[str, Array], joints: dict[str, Array], size: float
) -> dict[str, Array]:
    """Joints of a side's leg and arm.  sign: 1 on the left, -1 on the right.  size: of the body, 1 for an adult."""
    skin = {name.removeprefix(f"{side}_"): point for name, point in markers.items()}
    known = {name.removeprefix(f"{side}_"): point for name, point in joints.items()}
    found = {"foot": skin["toe"]} | known
    heel = skin["heel"] if "heel" in skin else (skin | known)["ankle"]
    shank = (skin | known)["ankle"] - (skin | known)["knee"]
    inwards = sign * np.cross(rotations.normalize(shank), rotations.normalize(skin["toe"] - heel))
    if "ankle" not in known:
        beside = skin["ankle"] + _HALF_ANKLE * size * rotations.normalize(inwards)
        found["ankle"] = _between(skin, "inner_ankle", "ankle", beside)
    if "knee" not in known:
        hinge = _hinge_center(found["hip"], skin["knee"], found["ankle"], sign * _HALF_KNEE * size)
        beside = skin["knee"] + _HALF_KNEE * size * _reject(inwards, found["hip"] - skin["knee"])
        # where the foot is stretched in line with the shank, their plane is unknown
        weight = smoothstep((np.linalg.norm(inwards, axis=-1, keepdims=True) - _STRETCHED) / _STRETCHED)
        found["knee"] = _between(skin, "inner_knee", "knee", weight * beside + (1.0 - weight) * hinge)
    if "wrist" not in known:
        single = next(skin[name] for name in ("wrist", "inner_wrist", "outer_wrist") if name in skin)
        found["wrist"] = _between(skin, "inner_wrist", "outer_wrist", single)
    if "elbow" not in known:
        hinge = _hinge_center(found["shoulder"], skin["elbow"], found["wrist"], -sign * _HALF_ELBOW * size)
        found["elbow"] = _between(skin, "inner_elbow", "elbow", hinge)
    hand, toes = (
        np.linalg.norm(DEFAULT_SKELETON.offsets[INDEX[name]]) * size for name in ("left_thumb", "left_bigtoe")
    )
    along_hand = rotations.normalize(found["wrist"] - found["elbow"])
    found["thumb"] = skin["finger"] if "finger" in skin else found["wrist"] + hand * along_hand
    found["middle"] = found["thumb"] + hand * rotations.normalize(found["thumb"] - found["wrist"])
    found["bigtoe"] = found["foot"] + toes * rotations.normalize(found["foot"] - heel)
    return {f"{side}_{name}": point for name, point in found.items() if f"{side}_{name}" in INDEX}


def _hinge_center(upper: Array, outer: Array, lower: Array, half_width: float) -> Array:
    """Center (F, 3) of a knee or an elbow from the marker on its outer side.

    In a bent limb it lies `half_width` from the marker along the normal of the limb's plane, in a straight one on the
    line between `upper` and `lower`, the next joints. The sign of half_width: the normal's direction to the outside.
    """
    line = rotations.normalize(lower - upper)
    on_line = upper + np.sum((outer - upper) * line, axis=-1, keepdims=True) * line
    center = outer
    for straight, bent in zip(_STRAIGHT, _BENT, strict=True):
        normal = np.cross(rotations.normalize(center - upper), rotations.normalize(lower - center))
        sine = np.linalg.norm(normal, axis=-1, keepdims=True)
        inside = outer - half_width * rotations.normalize(normal)
        weight = smoothstep((sine - straight) / (bent - straight))
        center = weight * inside + (1.0 - weight) * on_line
    return center


def _head(markers: dict[str, Array]) -> dict[str, Array]:
    """The base of the skull and the crown from four markers around the head; none without them."""
    if not {f"{side}_{at}_head" for side in SIDES for at in ("front", "back")} <= markers.keys():
        return {}
    front, back = midpoint(markers, "front_head"), midpoint(markers, "back_head")
    left = left_vector(markers, "front_head") + left_vector(markers, "back_head")
    up = rotations.normalize(np.cross(front - back, left))
    middle = (front + back) / 2.0
    return {"jaw": middle - _BELOW_HEADBAND * up, "head": middle + _ABOVE_HEADBAND * up}


def _upright_head(joints: dict[str, Array]) -> dict[str, Array]:
    """The base of the skull and the crown straight above the trunk."""
    up = midpoint(joints, "shoulder") - midpoint(joints, "hip")
    trunk = trunk_rotation(up, left_vector(joints, "shoulder"))
    to_jaw, to_head = (DEFAULT_SKELETON.offsets[INDEX[name]] for name in ("jaw", "head"))
    jaw = joints["neck"] + rotations.rotate(trunk, to_jaw)
    return {"jaw": jaw, "head": jaw + rotations.rotate(trunk, to_head)}


def _reject(v: Array, line: Array) -> Array:
    """Unit vector (F, 3) of the part of `v` that is perpendicular to `line`."""
    along = rotations.normalize(line)
    return rotations.normalize(v - np.sum(v * along, axis=-1, keepdims=True) * along)


def _between(points: dict[str, Array], inner: str, outer: str, otherwise: Array) -> Array:
    """The midpoint of the markers on both sides of a joint, or another position without both."""
    return (points[inner] + points[outer]) / 2.0 if inner in points and outer in points else otherwise
