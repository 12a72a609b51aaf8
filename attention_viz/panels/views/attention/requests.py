"""What the attention view asks the workbench."""

from dataclasses import replace

from attention_viz.panels.kit.requests import TOP, without_target
from attention_viz.records.attention import AttentionRequest, TokenRequest
from attention_viz.records.page import PageState


def attention_request(state: PageState) -> AttentionRequest:
    """Maps of the heads chosen; of the ablated run too where the page shows it.

    All the heads are ablated together, so the request names all of them, not one page's.
    """
    ablation = None if state.attention.show == "clean" else state.intervention
    return AttentionRequest(without_target(state, ablation is not None), state.head_ids, ablation)


def token_request(state: PageState, position: int) -> TokenRequest:
    return TokenRequest(replace(without_target(state, False), position=position), top=TOP)
