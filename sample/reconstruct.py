"""Writes the bundled archive: answers in the interfaces' own wire shape, made from figures at hand.

    python -m sample.reconstruct INPUT_FOLDER [--archive FOLDER]

`INPUT_FOLDER` holds the files that the generators name, one folder an agency. What is written carries figures and codes only,
says `capture: reconstructed`, and names source, licence and attribution. Writing it again gives the same bytes.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from extractors.archive import Archive
from extractors.source import source_codes
from warehouse.profile import BUNDLED_ARCHIVE


def generators() -> list[ModuleType]:
    """The modules of this folder that write the answers of a source: those that are named as a source is."""
    there = {file.stem for file in Path(__file__).parent.glob("*.py")}
    return [importlib.import_module(f"sample.{code}") for code in source_codes() if code in there]


def main(
    inputs: Annotated[Path, typer.Argument(help="Folder with the agencies' files.", exists=True, file_okay=False)],
    archive: Annotated[str, typer.Option(help="Folder or fsspec URL of the archive to write.")] = str(BUNDLED_ARCHIVE),
) -> None:
    """Writes every reconstructed answer into the archive."""
    target = Archive(archive)
    for module in generators():
        agency = module.__name__.rpartition(".")[2]
        count = module.write(inputs / getattr(module, "FOLDER", agency), target)
        typer.echo(f"{agency}: {count} answers")


if __name__ == "__main__":
    typer.run(main)
