"""A GPT-2 set by hand in which the role of every head is known.

The residual stream (256 wide, 4 heads of 64) holds, as one-hot vectors: the token (0 to 63), the
position (64 to 127), the token before (128 to 191), and a flag (192). MLPs write nothing; heads not
named in ROLES neither.
"""

from pathlib import Path

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from attention_viz.records.circuits.roles import Role
from tests.models_for_tests import WORDS, save_random_model

PROMPT = "w3 w14 w15 w9 w26 w5 w35 w8"  # after beginning of text: w14 at 2, w9 at 4, w8 at 8
ANSWER, DISTRACTOR = 14, 9
LAST = 8
TOKEN, POSITION, BEFORE, FLAG, EMPTY = 0, 64, 128, 192, 193
SIZE = 64  # of a head, and of a part of the stream

ROLES = {
    "L0H0": Role.S_INHIBITION,  # raises the flag, without which the mover looks at both names
    "L0H1": Role.PREVIOUS_TOKEN,
    "L0H2": Role.DUPLICATE_TOKEN,
    "L1H0": Role.NAME_MOVER,
    "L1H1": Role.NEGATIVE_NAME_MOVER,
    "L1H3": Role.INDUCTION,
    "L2H0": Role.BACKUP,  # looks at the answer only where nobody wrote it yet
}


def save_role_model(folder: Path) -> Path:
    """Write the model over a random one, whose tokenizer it keeps."""
    target = save_random_model("gpt2", folder)
    hf = GPT2LMHeadModel(
        GPT2Config(n_layer=3, n_head=4, n_embd=4 * SIZE, vocab_size=WORDS + 1, n_positions=SIZE)
    )
    with torch.no_grad():
        for name, weight in hf.named_parameters():
            if "ln" not in name:
                weight.zero_()
        hf.transformer.wte.weight[:, TOKEN : TOKEN + WORDS + 1] = torch.eye(WORDS + 1)
        hf.transformer.wpe.weight[:, POSITION : POSITION + SIZE] = torch.eye(SIZE)
        _set_first_layer(hf)
        _set_second_layer(hf)
        _set_backup(hf)
    hf.save_pretrained(target)
    return target


class HeadWeights:
    """Views of one head's matrices, to be set in place."""

    def __init__(self, hf, layer: int, head: int):
        attention = hf.transformer.h[layer].attn
        own = slice(head * SIZE, (head + 1) * SIZE)
        self.q, self.k, self.v = (part[:, own] for part in attention.c_attn.weight.chunk(3, 1))
        self.v_bias = attention.c_attn.bias.chunk(3)[2][own]
        self.o = attention.c_proj.weight[own]

    def copy(self, size: float) -> None:
        """Write the token that is attended to."""
        self.v[TOKEN : TOKEN + SIZE] = 0.1 * torch.eye(SIZE)
        self.o[:, TOKEN : TOKEN + SIZE] = size * torch.eye(SIZE)

    def match(self, query: int, key: int) -> None:
        """Attend where the key's part of the stream equals the query's."""
        self.q[query : query + SIZE] = 2 * torch.eye(SIZE)
        self.k[key : key + SIZE] = 2 * torch.eye(SIZE)

    def look(self, place: int, slot: int, size: float, *, when: int = POSITION + LAST) -> None:
        """From the read-out (or where the flag is up), attend to a position."""
        self.q[when, slot] += size
        self.q[EMPTY, slot] -= size  # a norm takes the mean off parts that are 0: take it back
        self.k[POSITION + place, slot] = 1


def _set_first_layer(hf) -> None:
    flag, previous, duplicate = (HeadWeights(hf, 0, head) for head in range(3))
    flag.v_bias[0] = 1
    flag.o[0, FLAG] = 1
    previous.q[POSITION : POSITION + SIZE] = 2 * torch.eye(SIZE)
    previous.k[POSITION : POSITION + SIZE] = 2 * torch.eye(SIZE).roll(1, 1)
    previous.v[TOKEN : TOKEN + SIZE] = 0.1 * torch.eye(SIZE)
    previous.o[:, BEFORE : BEFORE + SIZE] = torch.eye(SIZE)
    duplicate.match(TOKEN, TOKEN)


def _set_second_layer(hf) -> None:
    mover, negative, induction = (HeadWeights(hf, 1, head) for head in (0, 1, 3))
    for place in (2, 4):
        mover.look(place, slot=place, size=5)
    mover.look(2, slot=2, size=5, when=FLAG)
    mover.copy(4)
    negative.look(2, slot=2, size=5)
    negative.copy(-1.5)
    induction.match(TOKEN, BEFORE)
    induction.copy(0.5)


def _set_backup(hf) -> None:
    backup = HeadWeights(hf, 2, 0)
    backup.look(2, slot=2, size=8)
    backup.q[TOKEN + ANSWER, 2] = -8
    backup.look(0, slot=0, size=4)
    backup.copy(2)
    backup.v[TOKEN + WORDS] = 0  # beginning of text is a place to rest
