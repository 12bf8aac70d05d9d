"""Names for runs that people can say to each other, such as `calm-otter-3f9a`."""

from __future__ import annotations

import re
import secrets
from typing import Final

_ADJECTIVES: Final = """
    amber bold brave bright brisk calm clever cosmic curious dapper eager fair fleet gentle golden happy
    hardy jolly keen kind lively lucky mellow merry mighty nimble noble patient plucky polite proud quick
    quiet rapid ready shiny silent silver smart snowy steady sunny swift tidy vivid warm wise witty
"""

_ANIMALS: Final = """
    badger bat bear beaver bison bobcat crane crow deer dingo dolphin eagle egret falcon ferret finch fox
    gecko gibbon hare hawk heron ibex ibis jackal jay koala lark lemur lion lynx magpie marten mole moose newt
    otter owl panda parrot petrel puffin quail raven robin seal shrew sparrow stoat swan tapir tern tiger
    toad turtle viper vole walrus wolf wombat wren yak zebra
"""


def new_run_name() -> str:
    """Return a name that is most likely not taken: one of about 200 million."""
    adjective, animal = secrets.choice(_ADJECTIVES.split()), secrets.choice(_ANIMALS.split())
    return f"{adjective}-{animal}-{secrets.token_hex(2)}"


def is_run_name(text: str) -> bool:
    """Return whether a text has the form of a run's name, so that it is safe as a folder's name."""
    return re.fullmatch(r"[a-z]{1,20}-[a-z]{1,20}-[0-9a-f]{4}", text) is not None
