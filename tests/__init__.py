"""The tests. `check` is what jaxtyping's pytest plugin puts on the package (see pyproject.toml).

It is named there as `tests.check`, and stands here because the plugin imports no deeper name. A
tensor that hasn't the shape of its annotation raises jaxtyping.TypeCheckError.
"""

from beartype import BeartypeConf, beartype

# An int is a float, as for every other type checker (PEP 484).
check = beartype(conf=BeartypeConf(is_pep484_tower=True))
