"""The README's pictures, made anew: `python -m tests.pictures`.

The page is served, opened on a link, and photographed light and dark; the circuit of SmolLM2 is the
command line's. The pictures are written to `docs/`. They show what is shown at this commit.
"""

import sys
import time
from pathlib import Path

from attention_viz import cli
from attention_viz.models.catalogue import Catalogue
from attention_viz.records.model import EMBEDDED
from attention_viz.records.page import PageState
from attention_viz.workbench import Workbench
from tests.browser import chromium
from tests.browser.site import served

DOCS = Path(__file__).parent.parent / "docs"
SIZE = (1440, 1000)  # px
_PATIENCE = 60.0  # seconds
_AT_REST = 1.5  # seconds without a request under way
MARY = PageState(
    prompt="When Mary and John went to the store, John gave a drink to",
    counterfactual="When Mary and John went to the store, Mary gave a drink to",
    heads=("L2H2", "L2H4", "L3H0", "L3H2"),
    metric="logit_diff",
)
PAGES = {
    "circuit": MARY.change(view="circuit"),
    "attention": MARY.change(view="attention"),
}
SMOLLM2 = {
    "--model": "smollm2",
    "--prompt": MARY.prompt,
    "--counterfactual": MARY.counterfactual,
    "--distractor": " John",
    "--edges": "100",
    "--width": "1200",
    "--height": "960",
    "--out": str(DOCS / "smollm2_circuit.png"),
}
_RESTS = "return !document.querySelector('[aria-busy=true], .is-waiting, .loading')"


def main() -> int:
    lacking = chromium.missing()
    if lacking:
        print(f"{lacking}; on Debian: apt install chromium chromium-driver", file=sys.stderr)
        return 1
    bench = Workbench(Catalogue.standard(), device="cpu")
    bench.wait(EMBEDDED)
    browser = chromium.start()
    try:
        with served(bench) as site:
            for name, page in PAGES.items():
                for theme in ("light", "dark"):
                    path = DOCS / f"{name}_{theme}.png"
                    _photograph(browser, site.url + page.change(theme=theme).to_fragment(), path)
                    print(path)
    finally:
        browser.quit()
        bench.close()
    return cli.main(["circuit", *(word for option in SMOLLM2.items() for word in option)])


def _photograph(browser, address: str, path: Path) -> None:
    width, height = SIZE
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get("about:blank")  # only the fragment differs: the page has to be opened anew
    browser.get(address)
    _wait_until_at_rest(browser)
    browser.save_screenshot(str(path))


def _wait_until_at_rest(browser) -> None:
    end, since = time.monotonic() + _PATIENCE, None
    while time.monotonic() < end:
        now = time.monotonic()
        is_drawn = browser.execute_script("return document.querySelector('.bar.ablated') !== null")
        is_at_rest = is_drawn and browser.execute_script(_RESTS)
        since = (since or now) if is_at_rest else None
        if since is not None and now - since > _AT_REST:
            return
        time.sleep(0.1)
    raise TimeoutError(f"the page did not come to rest in {_PATIENCE:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
