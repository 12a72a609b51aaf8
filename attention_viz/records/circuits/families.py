"""The built-in families of prompt pairs, as menus list them; `analysis/families.py` makes them."""

from attention_viz.records.circuits.pairs import FamilyInfo, Pair

FAMILIES: tuple[FamilyInfo, ...] = (
    FamilyInfo(
        "indirect object ABBA",
        "The second of two names gives something: to the first. Counterfactual: the first gives. "
        "(Wang et al. 2022)",
        Pair(
            "When Mary and John went to the store, John gave a drink to",
            "When Mary and John went to the store, Mary gave a drink to",
            " Mary",
            " John",
        ),
    ),
    FamilyInfo(
        "indirect object BABA",
        "The first of two names gives something: to the second. Counterfactual: the second gives. "
        "(Wang et al. 2022)",
        Pair(
            "When John and Mary went to the store, John gave a drink to",
            "When John and Mary went to the store, Mary gave a drink to",
            " Mary",
            " John",
        ),
    ),
    FamilyInfo(
        "induction",
        "Random words; one comes again, and what followed it should follow. Counterfactual: "
        "another word stood before what followed. (Olsson et al. 2022)",
        Pair(
            " lamp river green stone boat chair apple cloud horse door green",
            " lamp river apple stone boat chair green cloud horse door green",
            " stone",
            " cloud",
        ),
    ),
    FamilyInfo(
        "greater than",
        "A later year of the same century, against an earlier one. Counterfactual: the year 01, "
        "which any is later than. (Hanna et al. 2023)",
        Pair(
            "The war lasted from the year 1741 to the year 17",
            "The war lasted from the year 1701 to the year 17",
            "56",
            "23",
        ),
    ),
    FamilyInfo(
        "agreement",
        "The verb has the number of its subject, not of the noun between. Counterfactual: the "
        "subject in the other number. (Linzen et al. 2016)",
        Pair("The key near the cabinets", "The keys near the cabinets", " is", " are"),
    ),
    FamilyInfo(
        "successor",
        "Three days, months or numbers in order, and the next. Counterfactual: another run of "
        "them. (Gould et al. 2023)",
        Pair(
            "The days are Monday, Tuesday, Wednesday,",
            "The days are Friday, Saturday, Sunday,",
            " Thursday",
            " Monday",
        ),
    ),
    FamilyInfo(
        "facts",
        "The city or country of a landmark. Counterfactual: another landmark, elsewhere. "
        "(Meng et al. 2022)",
        Pair(
            "The Eiffel Tower is in the city of",
            "The Trevi Fountain is in the city of",
            " Paris",
            " Rome",
        ),
    ),
)
