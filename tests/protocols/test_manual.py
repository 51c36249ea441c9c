"""The manual of the protocol language: every sample loads, every complaint and output is real."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import rules
from tests.support import manual
from tests.support.manual import MANUAL, Block, Reader

VIGIL = Path(sys.executable).parent / "vigil"


def numbered(block: Block) -> str:
    """A sample's name in the report: its line in the manual."""
    return f"line {block.line}"


@pytest.mark.parametrize("block", manual.blocks("yaml part"), ids=numbered)
def test_a_sample_of_the_manual_loads_and_its_scenarios_hold(block: Block) -> None:
    protocol = rules.loads(manual.wrapped(block.body), "sample.yaml")
    report = rules.check(protocol)
    assert not report.complaints, "\n".join(map(str, report.complaints))


WRONG = list(
    zip(manual.blocks("yaml wrong"), manual.blocks("complaint"), strict=True),
)


@pytest.mark.parametrize(("block", "said"), WRONG, ids=[numbered(block) for block, _ in WRONG])
def test_what_the_manual_calls_wrong_is_refused_in_the_words_it_quotes(
    block: Block, said: Block
) -> None:
    with pytest.raises(rules.ProtocolError) as refused:
        rules.loads(manual.wrapped(block.body), "sample.yaml")
    spoken = [re.sub(r"^sample\.yaml:\d+: ", "", str(one)) for one in refused.value.complaints]
    assert spoken == said.body.splitlines()


def test_the_tutorial_says_what_its_commands_print(tmp_path: Path) -> None:
    shown = 0
    for block in Reader(tmp_path).follow():
        if block.kind.startswith("console"):
            wanted = block.body.splitlines()
            printed = typed(tmp_path, wanted)
            if block.kind == "console head":
                printed = printed[: len(wanted)]
            assert printed == wanted, f"line {block.line} of the manual"
            shown += 1
    assert shown >= 6


def typed(folder: Path, lines: list[str]) -> list[str]:
    """The commands among the lines, each followed by what it prints."""
    found: list[str] = []
    for line in lines:
        if line.startswith("$ "):
            command = [str(VIGIL), *line.split()[2:]]
            done = subprocess.run(
                command, cwd=folder, text=True, check=False, timeout=60,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
            found += [line, *done.stdout.splitlines()]
    return found


def test_every_sample_of_the_manual_says_what_it_is() -> None:
    known = {"yaml", "complaint", "console", "file", "sh"}
    for block, change in manual.steps():
        if change is None and block.kind:
            assert block.kind.split()[0] in known, f"line {block.line}: {block.kind}"
            assert block.kind != "yaml", f"line {block.line}: a sample that nothing loads"


def test_every_link_of_the_manual_leads_somewhere() -> None:
    text = MANUAL.read_text(encoding="utf-8")
    headings = {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in headings, target
        elif not target.startswith("http"):
            assert (MANUAL.parent / target).is_file(), target
