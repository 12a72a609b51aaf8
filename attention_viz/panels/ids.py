"""Names that more than one panel uses. A component used by one panel only is named there.

`PAGE` holds the whole state (records.page.PageState). Whoever changes it returns a `dash.Patch`
with only the fields that change; patches meet in the browser, so none is lost. The stores derived
from it change only when their own part does: take those as Inputs, and `PAGE` as State.
"""

# The state, and what is derived from it in the browser
PAGE = "page"  # PageState.to_json()
QUESTION = "page-question"  # model, prompt, counterfactual, bos, position, answer, distractor;
# and `ready`, which turns true when the model is loaded, so that panels ask again
HEADS = "page-heads"  # ["L2H3", …]
ABLATION = "page-ablation"  # kind, scale, threshold, seed
STUDY = "page-study"  # metric, objective, flip_to, max_heads, strategy
CIRCUIT = "page-circuit"  # source, pairs, method … edges, exact, given_edges
DRAWING = "page-drawing"  # arranged, pinned, hidden, names, groups
VIEW = "page-view"  # "attention", "ablation", "circuit", "lens"
THEME = "page-theme"  # "light", "dark"
RESTORED = "restored"  # the whole state, when it was replaced: set your controls from it

# Events
TOAST = "toast"  # a list made by common.toast
HEADS_PICKED = "heads-picked"  # {heads: ["L2H3"], mode: "toggle|set|add|remove", at: ms}
POSITION_PICKED = "position-picked"  # {position: 4, at: ms}
SEARCH_ASKED = "search-asked"  # {at: ms}: as if "Find heads" were pressed
SWEEP_ASKED = "sweep-asked"  # {at: ms}: as if "Sweep all heads" were pressed
LOOK_ASKED = "look-asked"  # {at: ms}: measure the closer look shown
CANCEL_ASKED = "cancel-asked"  # {job: id, at: ms}
SUBMITTED = "submitted"  # {job: id, at: s}: write it after workbench.submit, so that it is followed

# Background work
POLL = "poll"  # the page's only interval
JOB_NEWS = "job-news"  # {model, wanted, jobs: [{id, label, state, done, total, …}], over: [id]}
# Parts of the news, each written only when it changed
MODEL_STATUS = "model-status"  # {name, state, message, layers, heads} of the page's model
MODEL_NEWS = "model-news"  # [that, the same of the model wanted or None]
SWEEP_MARK = "sweep-mark"  # how far the job of the page's sweep is
SEARCH_MARK = "search-mark"  # how far the job of the page's search is
LOOK_MARK = "look-mark"  # how far the job of the page's closer look is
FOLLOWED = "jobs-followed"  # {job id: true}: searches whose heads this tab takes over
ENDED = "jobs-ended"  # those of them that are over

VIEWS = {
    "attention": "view-attention",
    "ablation": "view-ablation",
    "circuit": "view-circuit",
    "lens": "view-lens",
}
