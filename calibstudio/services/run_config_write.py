"""A capture plan as a file of `calibstudio run`: made by a wizard, carried out elsewhere."""

from __future__ import annotations

from pathlib import Path

import yaml

from calibstudio.domain.plan import CapturePlan, step_document
from calibstudio.domain.wording import count
from calibstudio.services.run_config import FORMAT_KEY, VERSION
from calibstudio.store.publish import publish_file

HEAD = """\
# {title}: {frames}.
# Carried out by:   calibstudio run {name}
# or in the window: Capture, Open a file…
# Every key is described in the help, under "Capture without a screen".

"""


def config_text(plan: CapturePlan, *, name: str = "FILE.yaml", rig: str = "") -> str:
    """Return a plan as YAML that `parse_run_config` reads back as the same steps."""
    document: dict[str, object] = {FORMAT_KEY: VERSION, "title": plan.title}
    if rig:
        document["rig"] = rig
    document["masters"] = plan.build_masters
    document["cooling"] = {"warm_up": plan.warm_up}
    document["steps"] = [step_document(step) for step in plan.steps]
    body = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, default_flow_style=None)
    head = HEAD.format(title=plan.title, frames=count(plan.frames_wanted, "frame"), name=name)
    return head + str(body)


def save_plan(path: Path, plan: CapturePlan, *, rig: str = "") -> None:
    """Write a plan to a file that must not exist with other content.

    Raises
    ------
    WriteProblemError
        The name is taken, or the disk refuses.
    """
    text = config_text(plan, name=path.name, rig=rig)
    publish_file(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
