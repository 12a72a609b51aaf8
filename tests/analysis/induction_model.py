"""A two-layer GPT-2 set by hand: an induction circuit, and noise heads that do nothing for it.

The stream (256 wide, 4 heads of 64) holds, as one-hot vectors: the token (0 to 63), the position
(64 to 127), the token before (128 to 191). L0H1 writes the token before; L1H3 attends to where the
token before equals its own, and copies the token there. MLPs write nothing.
"""

from pathlib import Path

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from attention_viz.records.circuits.pairs import Pair
from tests.analysis.role_model import BEFORE, POSITION, SIZE, TOKEN, HeadWeights
from tests.models_for_tests import WORDS, save_random_model

PREVIOUS, INDUCTION = "L0H1", "L1H3"
EDGES = ("input->L0H1.V", "L0H1->L1H3.K", "L1H3->logits")
PAIRS = (  # the counterfactual's first "A" is another token: there is nothing to go on from
    Pair("w3 w14 w15 w9 w26 w14", "w3 w20 w15 w9 w26 w14", "w15", "w9"),
    Pair("w7 w30 w41 w2 w5 w30", "w7 w22 w41 w2 w5 w30", "w41", "w2"),
    Pair("w8 w1 w33 w12 w50 w1", "w8 w19 w33 w12 w50 w1", "w33", "w12"),
)
MATCH, COPY, WRITE = 0.6, 2.0, 0.1  # sizes of what the two heads do
KEY = 4.0  # finds what was written: small beside the stream, so that norms hardly feel it
NOISE = 0.01


def save_induction_model(folder: Path, noise: float = NOISE) -> Path:
    """Write the model over a random one, whose tokenizer it keeps."""
    target = save_random_model("gpt2", folder)
    torch.manual_seed(0)
    hf = GPT2LMHeadModel(
        GPT2Config(n_layer=2, n_head=4, n_embd=4 * SIZE, vocab_size=WORDS + 1, n_positions=SIZE)
    )
    with torch.no_grad():
        for name, weight in hf.named_parameters():
            if "ln" not in name:
                weight.zero_()
            if ".attn." in name and weight.ndim == 2:
                weight.normal_(std=noise)
        hf.transformer.wte.weight[:, TOKEN : TOKEN + WORDS + 1] = torch.eye(WORDS + 1)
        hf.transformer.wpe.weight[:, POSITION : POSITION + SIZE] = torch.eye(SIZE)
        _set_circuit(hf)
    hf.save_pretrained(target)
    return target


def _set_circuit(hf) -> None:
    previous, induction = HeadWeights(hf, 0, 1), HeadWeights(hf, 1, 3)
    for head in (previous, induction):
        for part in (head.q, head.k, head.v, head.o):
            part.zero_()
    one = torch.eye(SIZE)
    previous.q[POSITION : POSITION + SIZE] = MATCH * one
    previous.k[POSITION : POSITION + SIZE] = MATCH * one.roll(1, 1)
    previous.v[TOKEN : TOKEN + SIZE] = one
    previous.o[:, BEFORE : BEFORE + SIZE] = 0.1 * WRITE * one
    induction.q[TOKEN : TOKEN + SIZE] = MATCH * one
    induction.k[BEFORE : BEFORE + SIZE] = KEY * one
    induction.v[TOKEN : TOKEN + SIZE] = one
    induction.o[:, TOKEN : TOKEN + SIZE] = 0.1 * COPY * one
