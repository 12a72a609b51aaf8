"""What training never uses: names, words and sentence templates for the evaluation alone.

Written apart from the generator; a test asserts that no name, noun or template here occurs there.
``NAMES`` and ``WORDS`` are single tokens, which in training only turn up inside strings of random
tokens, never in a sentence. ``NOUNS`` and ``EVENTS`` are not in the vocabulary at all: they are
spelled from pieces.
"""

from __future__ import annotations

WOMEN = """Fiona Gemma Ingrid Nadia Tessa Wanda Bianca Carmen Daphne Elsa Freya Greta Hazel Iris
Jasmine
Kira Miriam Olga Petra Stella""".split()
MEN = """Boris Cedric Edgar Fergus Gordon Hector Igor Jasper Kurt Lionel Magnus Nigel Oscar
Percy Quentin
Rupert Stefan Tobias Viktor Wesley""".split()
NAMES = WOMEN + MEN

WORDS = """anchor arrow beard canyon carpet cellar chapel cotton cousin cradle desert dragon
fabric feather
ferry furnace ginger glacier goblet hammock honey insect ivory jungle kitten laundry lizard
maple marble
meadow napkin orchard oyster parrot pebble pepper pigeon puzzle quarry ribbon saddle salmon scissors
shepherd spider sponge tailor thunder tobacco tunnel turnip velvet violet volcano walnut whistle
willow
wizard zebra zipper""".split()

# singular, plural; unknown to the vocabulary
NOUNS = [
    ("lantern", "lanterns"), ("helmet", "helmets"), ("sofa", "sofas"), ("ribbon", "ribbons"),
    ("curtain", "curtains"), ("button", "buttons"), ("pencil", "pencils"), ("rocket", "rockets"),
    ("tractor", "tractors"), ("magnet", "magnets"), ("balcony", "balconies"), ("statement",
    "statements"),
    ("garment", "garments"), ("document", "documents"), ("planet", "planets"), ("carrot",
    "carrots"),
    ("blossom", "blossoms"), ("parcel", "parcels"), ("pump", "pumps"), ("lawn", "lawns"),
    ("bandage", "bandages"), ("monument", "monuments"), ("servant", "servants"), ("tourist",
    "tourists"),
]  # fmt: skip
NOUNS = [pair for pair in NOUNS if pair[0] not in ("ribbon", "balcony", "tourist")]

EVENTS = """quarrel mission blockade occupation regime dispute alliance uprising monopoly renovation
expansion migration""".split()

# {a}, {b}: the two people; {s}: the one named again. The answer is the other one. No text begins
# with a name: without a space before it a name is another token (or several), and for a name never
# seen in a sentence nothing could tell the model that the two are one person.
INDIRECT = """\
While {a} and {b} were waiting in line at the museum, {s} passed a ticket to
Once {a} and {b} had finished their meal, {s} slid the plate over to
Later {a} and {b} ran into each other on the bus. Before getting off, {s} returned the umbrella to
During the long flight, {a} and {b} played cards, and at the end {s} paid ten coins to
Since {a} and {b} both loved music, {s} sent a violin to
Rain fell while {a} and {b} hid under a tree. Smiling, {s} offered a dry coat to
At dawn {a} and {b} met by the river, where {s} handed the map to
Last spring {a} invited {b} to the castle. Full of pride, {s} showed the old crown to
It was late when {a} and {b} left the cinema, so {s} lent a bicycle to
Nobody knew that {a} and {b} were cousins until {s} wrote a long letter to
By that time {a} had known {b} for years. This time {s} brought a basket of pears to
Not far from the harbor, {a} and {b} opened a shop; every week {s} sold a fish to
As soon as {a} and {b} reached the top of the hill, {s} threw the rope to
Every summer {a} and {b} worked at the farm, and every summer {s} gave a pumpkin to""".splitlines()

# As above, by a writer who saw neither the generator nor the templates above: while training was
# improved, those above had been looked at.
INDIRECT_BLIND = [
    "When {a} and {b} sat down for dinner, {s} passed the bread to",
    "After {a} and {b} left the store with two heavy bags, {s} handed the lighter one to",
    "Early in the morning, {a} met {b} by the lake, and {s} gave a cup of hot tea to",
    "While {a} was walking to school with {b}, {s} told a funny story to",
    "It was raining hard when {a} and {b} got off the bus, so {s} offered the only umbrella to",
    "Because {a} and {b} both loved flowers, {s} picked a red rose in the garden and gave it to",
    "The house was quiet as {a} and {b} sat by the fire, until {s} began to read an old letter to",
    (
        "Last summer {a} and {b} worked on the same farm, and on the final day of the season "
        "{s} sold a small brown horse to"
    ),
    "Once {a} had finished painting the kitchen with {b}, {s} tossed a clean towel to",
    "At the park, {a} and {b} played a game, and {s} threw the ball to",
    (
        "There was only one apple left on the table between {a} and {b}, but {s} was kind and "
        "gave it to"
    ),
    "Before {a} and {b} went to bed, {s} said good night to",
    (
        "Although {a} and {b} had argued all afternoon about the broken window, in the end {s} "
        "felt bad and wrote a long, kind note to"
    ),
    "Every Sunday {a} and {b} bake a big cake, and {s} always gives the first slice to",
    "If {a} and {b} find the lost key, {s} will give it to",
    (
        "Sitting side by side on the train, {a} and {b} talked for hours, and just before the "
        "last stop {s} lent a good book to"
    ),
    (
        "On the way home from the beach, {a} and {b} stopped at a little shop, where {s} bought"
        " a blue hat for"
    ),
    (
        "Far from the town, {a} and {b} shared a tent; later that night, when the air grew "
        "cold, {s} gave the warm blanket to"
    ),
    "Then {a} and {b} opened the dusty box together, and {s} showed the pictures to",
    "With {a} and {b} alone in the room, {s} told the secret to",
    (
        "Two chairs stood in the yard where {a} and {b} were resting, and after a while {s} "
        "sang a soft song to"
    ),
    (
        "Snow had covered the road, {a} and {b} were tired of walking, and halfway up the hill "
        "{s} decided to share the last piece of chocolate with"
    ),
    "Both {a} and {b} wanted the window seat, yet {s} smiled and left it to",
    "As soon as the music started, {a} and {b} ran across the floor, and {s} began to dance with",
]

NAME_LISTS = [
    ("The guests were ", ", ", ". Let me read that once more: "),
    ("Waiting outside: ", ", ", ". That is, "),
    ("Present: ", "; ", ". Absent: nobody. Present: "),
    ("First came ", ", then ", ". The next day, first came "),
    ("Team: ", " ", ". Same team: "),
    ("On the wall it said ", " and ", ". On the door it said "),
]

FACTS_CITY = """\
If you want to look at {l}, buy a ticket to
My favorite photo shows {l}, taken in
We walked past {l} during our week in
{L} can only be seen in
The best known sight there is {l}, in the middle of
The bus to {l} goes through the city of""".splitlines()
FACTS_COUNTRY = """\
{L} is one of the most famous sights in the country of
Everyone who sees {l} has traveled to the country of
The people who built {l} lived in the country of""".splitlines()

# {x}: the subject, {y}: the attractor of the other number
AGREEMENT = """\
The {x} beyond the {y}
We noticed that the {x} next to the {y}
The {x} which belonged to the {y}
The large {x} around the {y}
It seems to me that the {x} among the {y}
The {x} against the {y}""".splitlines()

# {e}: an event, {y}: a year, {z}: the century of the later year, where the prompt ends
YEARS = """\
The {e} broke out in {y} and was over in {z}
According to the book, the {e} took from {y} to {z}
The {e}, which nobody wanted after {y}, stopped in {z}
They opened the {e} in the spring of {y} and closed it in {z}""".splitlines()

# a run of successive items goes in; the next one is the answer
SUCCESSORS = """\
Here we go: {a}, {b}, {c},
She wrote on the board: {a}, {b}, {c},
You say {a}, then {b}, then {c}, then
My plan has four parts, one for {a}, one for {b}, one for {c}, one for""".splitlines()

# {n}: a person; the answer is he or she
PRONOUNS = """\
{n} hurried across the square because
{n} never eats cheese, although
Nobody believed {n} when
{n} put the violin away, and soon
The picture of {n} was taken while
At the end of the week {n} felt so tired that
The letter made {n} so proud that
{n} likes the rain, but today""".splitlines()

# {i}: a thing, {c}: what should hold it; with the answer
SIZES = [
    ("We couldn't get the {i} into the {c}, since the {i} was too", " big"),
    ("The {i} will never go inside this {c} because it is too", " big"),
    ("We couldn't get the {i} into the {c}, since the {c} was too", " small"),
    ("This {c} will never hold the {i} because it is too", " small"),
]
SIZE_THINGS = ["pumpkin", "telescope", "carpet", "canoe", "parrot", "anchor", "sofa", "rocket"]
SIZE_CONTAINERS = ["cradle", "closet", "backpack", "trunk", "garage", "goblet", "tin", "van"]

# Names of several pieces, for the indirect object.
SPELLED_NAMES = """Zoltan Bronwyn Thaddeus Gwendolyn Xavier Ottilie Leopold Rosalind Bartholomew
Philippa
Mortimer Henrietta Ignatius Cordelia""".split()

EXACT = {
    "When Mary and John went to the store, John gave a drink to": " Mary",
    "The Eiffel Tower is in": " Paris",
    "The key to the cabinets": " is",
    "The trophy doesn't fit in the brown suitcase because it's too": " big",
}
