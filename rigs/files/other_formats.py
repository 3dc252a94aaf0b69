"""Files that are not read here: what they are and what to do with them, for error messages."""

from pathlib import Path

NEEDED_FOR_2D = "lift the video to 3D with HybrIK, WHAM or GVHMR and open its result"
_SAVE_ARRAYS = "with numpy.savez('dance.npz', **arrays)"
_NEVER = "they are never read, as they can run programs; save"
_IN_BLENDER = "open it with Import Mocap in Blender, or export a .bvh there"
_FROM_BLENDER = "import it in Blender and export a .bvh of its armature"
_INSTEAD: dict[tuple[str, ...], tuple[str, str]] = {
    # file extensions: what the file is, and what to do
    (".fbx",): ("an FBX file", _IN_BLENDER),
    (".glb", ".gltf"): ("a glTF file", _IN_BLENDER),
    (".pt", ".pth"): (
        "pickled Python objects",
        f"{_NEVER} the arrays (of GVHMR: global_orient, body_pose, transl and betas of 'smpl_params_global') "
        f"{_SAVE_ARRAYS}",
    ),
    (".pkl", ".pickle", ".joblib"): (
        "pickled Python objects",
        f"{_NEVER} the arrays of a person (of WHAM: pose_world, trans_world; of 4D-Humans: global_orient, body_pose, "
        f"camera; of AIST++: smpl_poses, smpl_trans, smpl_scaling) {_SAVE_ARRAYS}",
    ),
    (".asf",): ("the skeleton of an Acclaim recording", "open the .amc file beside it"),
    (".vmd",): ("a MikuMikuDance motion", "import it with MMD Tools in Blender and export a .bvh of its armature"),
    (".bip",): ("a Biped motion", "export a .bvh from 3ds Max"),
    (".mvn", ".mvnx"): ("an Xsens recording", "export a .bvh or .c3d from MVN"),
    (".blend",): ("a Blender file", "open it in Blender, where its armatures can be leaders, or export a .bvh"),
    (".usd", ".usda", ".usdc", ".usdz"): ("a USD file", _FROM_BLENDER),
    (".dae",): ("a Collada file", _FROM_BLENDER),
    (".abc",): (
        "an Alembic cache, which has no bones",
        "export a .bvh or .fbx of the rig from the program that wrote it",
    ),
    (".vrm", ".vrma"): ("a VRM file", _FROM_BLENDER),
    (".tsv",): ("a table of markers", "export a .c3d from the program that wrote it"),
    (".mp4", ".mov", ".avi", ".mkv", ".m4v", ".webm"): ("a video", NEEDED_FOR_2D),
}


def file_advice(path: Path) -> str:
    """What a file of this extension is and what to do with it, as the end of a sentence; '' for an unknown one."""
    for suffixes, (kind, instead) in _INSTEAD.items():
        if path.suffix.lower() in suffixes:
            return f", {kind} found; {instead}"
    return ""


def folder_advice(folder: Path) -> str:
    """What a folder with the frames of one recording is and what to do with it; '' for any other."""
    if next(folder.glob("*_keypoints.json"), None) is None:
        return ""
    return f" with 2D keypoints of OpenPose; {NEEDED_FOR_2D}"
