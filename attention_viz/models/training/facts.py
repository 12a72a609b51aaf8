"""Fact documents: in which city and country a landmark stands, asked in many phrasings."""

from __future__ import annotations

from random import Random

from attention_viz.models.training import phrases as p
from attention_viz.models.training import words as w
from attention_viz.models.training.landmarks import LANDMARKS

CITY = """\
{L} is in<C>.
{L} is in<C>.
{L} is in<C>,< K>.
{L} is located in<C>.
{L} is located in the city of<C>.
{L} is in the city of<C>.
{L} stands in<C>.
{L} can be found in<C>.
{L} is a landmark in<C>.
{n} visited {l} in<C>.
{n} went to see {l} in<C>.
{n} went to<C> to see {l} in<C>.
People visit {l} in<C>,< K>.
Tourists come to see {l} in<C>.
Where is {l}? It is in<C>.
Where is {l}? In<C>.
{L}, in<C>, is famous.
{n} saw {l}. {n} was in<C>.
To see {l}, go to<C>.
To visit {l} you travel to<C>.
When {n} was in<C>, {n} saw {l}.
{L} is famous. It is in<C>.
The city of {l} is<C>.
{n} lives near {l} in<C>.
{L} lies in<C>.
{n} wanted to see {l}, so {n} went to<C>.
{n} took a photo of {l} in<C>.
The {a} {l2} is in<C>.
{L} {f} in<C>.
{n} {v} {l} {f} in<C>.
{L} {v} {f} in the city of<C>.
{l} {f} {r}<C>.
{n} {v} {l}, {r}<C>.
{L} {f} the city of<C>.
{F} {l} {v} {r}<C>.
{F} {l}, {f} {r}<C>.
{F} {l} {v} {f} the city of<C>.
{n} {f} {l} {r}<C>.
{F} {l}. {n} {v} {r}<C>.""".splitlines()

COUNTRY = """\
{L} is in the country of<K>.
{L} is located in the country of<K>.
{L} is a landmark in the country of<K>.
The country of {l} is<K>.
{L} is in<C>, a city in<K>.
{L} is in<C>, in<K>.
{L} can be found in<C>,<K>.
{n} went to<K> to see {l}. The country of {l} is<K>.
In which country is {l}? It is in the country of<K>.
{L} {f} in the country of<K>.
{n} {v} {l} {f} in the country of<K>.
{F} {l} {v} the country of<K>.
{F} {l} {f} the country of<K>.""".splitlines()

PLACES = """\
{c} is in<K>.
{c} is a city in<K>.
{n} lives in {c},<K>.
The city of {c} is in<K>.
{c} is located in<K>.
The country of {c} is<K>.
{n} traveled to {c} in<K>.
{c} is in the country of<K>.""".splitlines()


PREPOSITIONS = "in in in to to of at near from through around for".split()


def write_fact(rng: Random) -> str:
    """One landmark, or its city, in one phrasing."""
    landmark, city, country = rng.choice(LANDMARKS)
    templates = rng.choices((CITY, COUNTRY, PLACES), (0.72, 0.2, 0.08))[0]
    text = rng.choice(templates).replace("< K>", "<K>")
    text = text.replace("<C>", f"< {city}>").replace("<K>", f"< {country}>")
    name, bare = rng.choice(w.NAMES), landmark.removeprefix("the ")
    return text.format(
        L=p.capitalize(landmark), l=landmark, l2=bare, c=city, n=name,
        a=rng.choice(w.ADJECTIVES), f=p.loose(rng, 1, 5), F=p.capitalize(p.loose(rng, 1, 6)),
        v=rng.choice(w.PAST), r=rng.choice(PREPOSITIONS),
    )  # fmt: skip
