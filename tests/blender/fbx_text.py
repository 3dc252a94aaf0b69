"""Binary FBX files as ASCII, which Maya and MotionBuilder write as well: by the parser of Blender's FBX add-on."""

from pathlib import Path
from typing import Any

from io_scene_fbx import parse_fbx


def write_as_text(binary: Path, text: Path) -> None:
    """Write the contents of a binary FBX file as ASCII."""
    root, version = parse_fbx.parse(str(binary))
    lines = [f"; FBX {version / 1000:.1f}.0 project file"]
    for element in root.elems:
        _append(lines, element, "")
    text.write_text("\n".join(lines) + "\n")


def _append(lines: list[str], element: Any, indent: str) -> None:
    values = ", ".join(_value(value, kind) for value, kind in zip(element.props, element.props_type, strict=True))
    name = f"{indent}{element.id.decode()}: {values}"
    arrays = [value for value, kind in zip(element.props, element.props_type, strict=True) if chr(kind) in "fdlib"]
    if arrays:
        lines += [f"{name} {{", f"{indent}\ta: {','.join(map(_number, arrays[0]))}", f"{indent}}}"]
    elif element.elems:
        lines.append(f"{name} {{")
        for child in element.elems:
            _append(lines, child, indent + "\t")
        lines.append(f"{indent}}}")
    else:
        lines.append(name)


def _value(value: Any, kind: int) -> str:
    if chr(kind) == "S":  # "NAME, then two bytes, then CLASS" is CLASS::NAME in ASCII
        name, _, of_class = value.partition(b"\x00\x01")
        return f'"{of_class.decode()}::{name.decode()}"' if of_class else f'"{value.decode(errors="replace")}"'
    if chr(kind) == "R":
        return '""'
    if chr(kind) == "C":
        return "Y" if value else "N"
    if chr(kind) in "fdlib":
        return f"*{len(value)}"
    return _number(value)


def _number(value: Any) -> str:
    return repr(float(value)) if isinstance(value, float) else str(int(value))
