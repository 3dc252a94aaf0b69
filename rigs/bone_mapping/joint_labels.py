"""The joints' names for people, by body part."""

_ARM = {
    "collar": "Collar",
    "shoulder": "Shoulder",
    "elbow": "Elbow",
    "wrist": "Wrist",
    "thumb": "Knuckles",
    "middle": "Fingertips",
}
_LEG = {"hip": "Hip", "knee": "Knee", "ankle": "Ankle", "foot": "Ball", "bigtoe": "Toe Tip"}
JOINT_LABELS: dict[str, dict[str, str]] = {
    "Trunk": {
        "pelvis": "Pelvis",
        "spine1": "Spine 1",
        "spine2": "Spine 2",
        "spine3": "Spine 3",
        "neck": "Neck",
        "jaw": "Head",
        "head": "Head Top",
    },
    **{
        f"{side} {part}": {f"{side.lower()}_{joint}": label for joint, label in joints.items()}
        for part, joints in (("Arm", _ARM), ("Leg", _LEG))
        for side in ("Left", "Right")
    },
}
"""For each body part its joints from the pelvis outwards, and the label of the bone that starts there."""
BODY_PART: dict[str, str] = {joint: part for part, joints in JOINT_LABELS.items() for joint in joints}
"""The body part of each joint."""


def joint_label(joint: str) -> str:
    """A joint's full name for people: "Left Knee"."""
    part = BODY_PART[joint]
    side = "" if part == "Trunk" else part.split()[0] + " "
    return side + JOINT_LABELS[part][joint]
