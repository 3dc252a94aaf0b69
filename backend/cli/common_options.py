"""Options that several commands take, as tyro reads them."""

from pathlib import Path
from typing import Annotated

from tyro.conf import arg

Out = Annotated[Path, arg(aliases=["-o"], metavar="OUT")]
File = Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="")]
Name = Annotated[str, arg(metavar="NAME")]
Number = Annotated[int, arg(metavar="N")]
Rate = Annotated[float | None, arg(metavar="RATE", help_behavior_hint="")]
Address = Annotated[str | None, arg(metavar="URL", help_behavior_hint="")]
