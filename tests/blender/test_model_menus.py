"""The menus of models in the sidebar list the models of the backend's registry."""

import json
import subprocess
from pathlib import Path

import bpy

from backend.model_registry import REGISTRY
from rigs.choreography.devices import DEVICES
from tests.installed import PACKAGE, PYTHON, ROOT

CODE = f"""
import sys, json
from pathlib import Path
from tests import installed
installed.install(Path(sys.argv[1]), Path(sys.argv[2]))
import addon_utils, bpy
from backend.model_registry import REGISTRY, ModelSpec
addon_utils.disable({PACKAGE!r}, default_set=True)
for name in [name for name in sys.modules if name.startswith({PACKAGE!r})]:
    del sys.modules[name]
tasks = dict.fromkeys(("partner", "dance", "compose"), "Throws itself away")
REGISTRY.register(ModelSpec("throw-away", "Throw-Away", tasks, "nowhere:Pipeline"))
addon_utils.enable({PACKAGE!r}, default_set=True)
settings = bpy.context.scene.pas_de_deux
menus = settings.bl_rna.properties["model"], *(settings.music.bl_rna.properties[n] for n in ("dancer", "composer"))
items = [[(i.identifier, i.name, i.description) for i in menu.enum_items if i.name == "Throw-Away"] for menu in menus]
print(json.dumps(items))
"""


def test_menus_list_the_models_of_each_task() -> None:
    settings = bpy.context.scene.pas_de_deux
    expected = {
        "model": (settings, [*REGISTRY.names("partner"), *DEVICES]),
        "dancer": (settings.music, [*REGISTRY.names("dance")]),
        "composer": (settings.music, [*REGISTRY.names("compose")]),
    }
    for name, (group, names) in expected.items():
        items = group.bl_rna.properties[name].enum_items
        assert [item.identifier for item in items] == names


def test_a_newly_registered_model_is_in_every_menu_of_its_tasks(extension: Path, tmp_path: Path) -> None:
    command = [str(PYTHON), "-c", CODE, str(extension), str(tmp_path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    items = json.loads(result.stdout.splitlines()[-1])
    assert items == [[["throw-away", "Throw-Away", "Throws itself away"]]] * 3
