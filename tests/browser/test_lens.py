"""The Lens view: what the command line prints, after each layer, clean and ablated."""

import pytest

from tests.browser.wording import DEFAULT_QUESTION, rounded, shown, to_number

CHOSEN = ("L0H5", "L2H3")


def test_the_lens_shows_the_command_lines_numbers(person, site):
    person.until(lambda: person.state().flip_to is not None, "the example's token to flip to")
    person.opens_view("lens")
    compare(person, site.cli("lens", *DEFAULT_QUESTION))
    person.until(
        lambda: "Final prediction ␣Mary" in person.text("#lens-sentence"), "the sentence about it"
    )

    person.selects(*CHOSEN)
    person.chooses("#lens-show", "ablated")
    person.until(lambda: "L0H5, L2H3 ablated together (zero)" in person.text("#lens-run"), "run")
    compare(person, site.cli("lens", *DEFAULT_QUESTION, "--heads", ",".join(CHOSEN)))


def test_a_click_on_a_column_reads_out_there(person, site):
    person.until(lambda: person.state().flip_to is not None, "the example's token to flip to")
    person.opens_view("lens")
    person.until(lambda: person.values("#lens-map"), "the lens")
    person.clicks_at(*person.place_in_matrix("#lens-map", 1, 8))
    person.until(lambda: "position 8" in person.text("#prediction-at"), "another read-out")
    person.until(lambda: person.text("#lens-at").endswith("position 8"), "told in the lens too")
    compare(person, site.cli("lens", *DEFAULT_QUESTION, "--position", 8))


def compare(person, asked):
    """The map's top-1 probabilities everywhere, and the table of the read-out."""
    exact = [[cell[0]["probability"] for cell in row] for row in asked["top"]]
    wanted = [pytest.approx(row, abs=1e-4) for row in exact]
    person.until(lambda: person.values("#lens-map") == wanted, "the map's probabilities")
    at, rows = asked["position"], asked["rows"]
    person.until(lambda: is_table_of(person, asked), "the table of the read-out")
    for name, row in zip(reversed(rows), person.table("Logit lens at the read-out"), strict=True):
        layer = rows.index(name)
        best = asked["top"][layer][at][0]
        assert row[0] == name
        assert row[1].startswith(shown(best["token"]) + " ")
        assert to_number(row[2]) == rounded(asked["entropy"][layer][at], 2)
        assert to_number(row[3]) == rounded(asked["answer_probability"][layer][at], 3)
        assert int(row[4]) == asked["answer_rank"][layer][at]


def is_table_of(person, asked):
    """Whether the table is already that of this run: entropies differ between runs."""
    told = [to_number(row[2]) for row in person.table("Logit lens at the read-out")]
    exact = [row[asked["position"]] for row in asked["entropy"]]
    return told == [rounded(value, 2) for value in reversed(exact)]
