"""What a plain Hugging Face model says, by hooks of its own: nothing of the product is used.

Attention goes through a function registered here, which computes the family's eager attention and
lets a test look at q, k and v, or swap one head's slice. Where modules lie is listed by name.
"""

import copy
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from operator import attrgetter

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

_BLOCKS = ("transformer.h", "model.layers", "gpt_neox.layers", "model.decoder.layers")
_BLOCKS += ("transformer.blocks",)
_ATTENTIONS = ("self_attn", "attn.attention", "attn", "attention", "self_attention")
_PROJECTIONS = ("o_proj", "c_proj", "dense", "out_proj")
_MLPS = ("mlp", "ffn", "block_sparse_moe", "fc2")
_FINAL = ("transformer.ln_f", "model.norm", "gpt_neox.final_layer_norm", "transformer.norm_f")
_FINAL += ("model.decoder.final_layer_norm", "model.final_layernorm")

# What the MLP's own input goes through first; None: nothing
_DOORS = {
    "GPT2": "ln_2",
    "GPTBigCode": "ln_2",
    "OPT": "final_layer_norm",
    "Apertus": "feedforward_layernorm",
    **dict.fromkeys(("Gemma2", "Gemma3", "Gemma4"), "pre_feedforward_layernorm"),
    **dict.fromkeys(("Olmo2", "Olmo3", "Exaone4"), "mlp"),
}
_USUAL_DOOR = "post_attention_layernorm"

# Norms behind attention and behind the MLP
_POSTS = {
    **dict.fromkeys(
        ("Gemma2", "Gemma3", "Olmo2", "Olmo3", "Exaone4"),
        ("post_attention_layernorm", "post_feedforward_layernorm"),
    ),
    "Glm4": ("post_self_attn_layernorm", "post_mlp_layernorm"),
}
_ONE_MORE = ("Gemma", "Gemma2", "Gemma3")  # norms multiply by 1 + weight
_PARALLEL = ("Cohere", "Cohere2", "Phi")
_BEFORE_PROJECTION = {"BitNet": "attn_sub_norm"}


def _eager(module, query, key, value, mask, **kwargs):
    slots = _acting[-1](module.layer_idx, [query, key, value]) if _acting else [query, key, value]
    own = sys.modules[type(module).__module__].eager_attention_forward
    return own(module, *slots, mask, **kwargs)


_acting: list = []
AttentionInterface.register("oracle", _eager)
AttentionMaskInterface.register("oracle", eager_mask)


@dataclass(frozen=True)
class Slot:
    """Where an edge ends: q, k or v of one head (0, 1, 2), an MLP (3) or the logits (4)."""

    layer: int
    part: int
    head: int = 0


class Oracle:
    """A plain model of one family."""

    def __init__(self, hf: nn.Module, heads: int):
        self.hf = copy.deepcopy(hf).eval().requires_grad_(False)
        self.heads = heads
        self.family = type(hf).__name__.removesuffix("ForCausalLM").removesuffix("LMHeadModel")
        self.family = self.family.removesuffix("Text")
        self.blocks = list(_first(self.hf, _BLOCKS))
        self.attentions = [_first(block, _ATTENTIONS) for block in self.blocks]
        self.projections = [_first(each, _PROJECTIONS) for each in self.attentions]
        self.final_norm = _first(self.hf, _FINAL)
        config = hf.config
        self.factor = getattr(config, "residual_multiplier", None) or 1.0
        self.is_parallel = self.family in _PARALLEL or getattr(
            config, "use_parallel_residual", False
        )
        self.hears_attention = hasattr(
            sys.modules[type(self.attentions[0]).__module__], "eager_attention_forward"
        )
        if self.hears_attention:
            self.hf.set_attn_implementation("oracle")

    def logits(self, ids: Tensor) -> Tensor:
        """`[pos, vocabulary]` of one prompt."""
        return self.hf(input_ids=ids, use_cache=False).logits[0]

    # What is heard

    @torch.no_grad()
    def kept_z(self, ids: Tensor) -> list[Tensor]:
        """By layer `[pos, heads * d_head]`."""
        kept: list[Tensor] = []
        with _before(self._doors_of_z(), lambda layer, x: kept.append(x[0].clone())):
            self.logits(ids)
        return kept

    def _doors_of_z(self) -> list[nn.Module]:
        name = _BEFORE_PROJECTION.get(self.family)
        return [getattr(each, name) for each in self.attentions] if name else self.projections

    @torch.no_grad()
    def ablated(self, ids: Tensor, heads, new_z, positions=None) -> Tensor:
        """Logits with z of (layer, head)s replaced: `new_z(layer, columns, z [pos, d_head])`."""

        def edit(layer: int, x: Tensor) -> Tensor:
            x, width = x.clone(), x.shape[-1] // self.heads
            for _, head in (each for each in heads if each[0] == layer):
                columns = slice(head * width, (head + 1) * width)
                new = new_z(layer, columns, x[0, :, columns].clone())
                for position in range(x.shape[1]) if positions is None else positions:
                    x[0, position, columns] = new[position]
            return x

        with _before(self._doors_of_z(), edit):
            return self.logits(ids)

    @torch.no_grad()
    def values(self, ids: Tensor) -> list[Tensor]:
        """By layer: v that each head uses, `[head, key, d_head]`."""
        kept: list[Tensor] = []

        def keep(layer: int, slots: list[Tensor]) -> list[Tensor]:
            kept.append(slots[2][0].repeat_interleave(self.heads // slots[2].shape[1], 0))
            return slots

        with _acting_as(keep):
            self.logits(ids)
        return kept

    @torch.no_grad()
    def patterns(self, ids: Tensor) -> list[Tensor]:
        """By layer `[head, query, key]`, as the model's own eager attention returns them."""
        own = copy.deepcopy(self.hf)
        own.set_attn_implementation("eager")
        given = own(input_ids=ids, use_cache=False, output_attentions=True).attentions
        return [each[0] for each in given]

    @torch.no_grad()
    def streams(self, ids: Tensor) -> list[Tensor]:
        """What enters each block, and what leaves the last, `[pos, d_model]`."""
        kept: list[Tensor] = []
        last = self.blocks[-1].register_forward_hook(
            lambda _, args, output: left.append(_tensor(output)[0].clone())
        )
        left: list[Tensor] = []
        try:
            with _before(self.blocks, lambda layer, x: kept.append(x[0].clone())):
                self.logits(ids)
        finally:
            last.remove()
        return kept + left

    @torch.no_grad()
    def read(self, ids: Tensor, stream: Tensor) -> Tensor:
        """The model's own logits of a stream, put in place of what leaves the last block."""
        with _after([self.blocks[-1]], lambda _, output: stream[None]):
            return self.logits(ids)

    # What is written

    @torch.no_grad()
    def head_writes(self, ids: Tensor) -> list[Tensor]:
        """By layer: each head's share of what attention adds to the stream `[head, pos, d]`."""
        outputs: list[Tensor] = []
        with _after(self.projections, lambda _, output: outputs.append(output[0].clone())):
            z = self.kept_z(ids)
        found = []
        for layer, module in enumerate(self.projections):
            weight = module.weight if type(module).__name__ == "Conv1D" else module.weight.T
            parts = z[layer].unflatten(-1, (self.heads, -1)).transpose(0, 1)
            results = parts @ weight.unflatten(0, (self.heads, -1))
            if self.family in _POSTS:
                norm = getattr(self.blocks[layer], _POSTS[self.family][0])
                root = (outputs[layer].pow(2).mean(-1, keepdim=True) + _eps(norm)).sqrt()
                results = results / root * self._weight(norm)
            found.append(results * self.factor)
        return found

    @torch.no_grad()
    def mlp_writes(self, ids: Tensor) -> list[Tensor]:
        """By layer, what the MLP adds to the stream, `[pos, d]`."""
        kept: list[Tensor] = []
        with _after(self._mlp_writers(), lambda _, output: kept.append(output.clone())):
            self.logits(ids)
        return [self.factor * each.reshape(-1, each.shape[-1]) for each in kept]

    def _mlp_writers(self) -> list[nn.Module]:
        if self.family in _POSTS:
            return [getattr(block, _POSTS[self.family][1]) for block in self.blocks]
        return [_first(block, _MLPS) for block in self.blocks]

    def _weight(self, norm: nn.Module) -> Tensor:
        weight = getattr(norm, "weight", None)
        if weight is None:
            return torch.ones(())
        adds = self.family in _ONE_MORE or type(norm).__name__ == "NemotronLayerNorm1P"
        return weight + 1 if adds else weight

    @torch.no_grad()
    def contributions(self, ids: Tensor, pair: tuple[int, int]) -> tuple[Tensor, float]:
        """[layer, head] of the logit difference at the end, and the difference, uncapped."""
        norm, total = self.final_norm, self.streams(ids)[-1][-1]
        centred = "RMS" not in type(norm).__name__
        centre = (lambda x: x - x.mean(-1, keepdim=True)) if centred else (lambda x: x)
        scale = (centre(total).pow(2).mean() + _eps(norm)).sqrt()
        head = self.hf.get_output_embeddings().weight
        direction = (head[pair[0]] - head[pair[1]]) * self._logit_factor()
        writes = torch.stack([each[:, -1] for each in self.head_writes(ids)])
        logits = self.logits(ids)[-1]
        cap = getattr(self.hf.config, "final_logit_softcapping", None)
        if cap:
            logits = cap * torch.atanh(logits / cap)
        contributions = centre(writes) * self._weight(norm) / scale @ direction
        return contributions, (logits[pair[0]] - logits[pair[1]]).item()

    def _logit_factor(self) -> float:
        config = self.hf.config
        if self.family in ("Cohere", "Cohere2"):
            return config.logit_scale
        return 1 / (getattr(config, "logits_scaling", None) or 1)

    # Edges

    def patched(self, ids: Tensor, change: Tensor, slot: Slot) -> Tensor:
        """Logits where one reader alone sees its stream changed by `change [pos, d]`."""
        if slot.part == 4:
            with _before([self.final_norm], lambda _, x: x + change):
                return self.logits(ids)
        if slot.part == 3:
            return self._patched_mlp(ids, change, slot.layer)
        made = self._slots(ids, change, slot.layer)[slot.part]

        def swap(layer: int, slots: list[Tensor]) -> list[Tensor]:
            if layer != slot.layer:
                return slots
            slots = list(slots)
            own = torch.zeros(slots[slot.part].shape[1], 1, 1, dtype=torch.bool)
            own[slot.head] = True
            slots[slot.part] = torch.where(own, made, slots[slot.part])
            return slots

        with _acting_as(swap):
            return self.logits(ids)

    def _slots(self, ids: Tensor, change: Tensor, layer: int) -> list[Tensor]:
        """q, k and v of a layer whose stream is changed."""
        kept: list[Tensor] = []

        def keep(at: int, slots: list[Tensor]) -> list[Tensor]:
            if at == layer:
                kept.extend(slots)
            return slots

        with _acting_as(keep), _before([self.blocks[layer]], lambda _, x: x + change):
            self.logits(ids)
        return kept

    def _patched_mlp(self, ids: Tensor, change: Tensor, layer: int) -> Tensor:
        block = self.blocks[layer]
        if not self.is_parallel:
            door = getattr(block, _DOORS.get(self.family, _USUAL_DOOR))
            with _before([door], lambda _, x: x + change.reshape(x.shape)):
                return self.logits(ids)
        writer, kept = self._mlp_writers()[layer], []
        with (
            _after([writer], lambda _, output: kept.append(output)),
            _before([block], lambda _, x: x + change),
        ):
            self.logits(ids)
        with _after([writer], lambda _, output: kept[0]):
            return self.logits(ids)


def _first(root: nn.Module, names) -> nn.Module:
    for name in names:
        try:
            return attrgetter(name)(root)
        except AttributeError:
            continue
    raise LookupError(f"{type(root).__name__} has none of {names}")


def _eps(norm: nn.Module) -> float:
    if type(norm).__name__ == "OlmoLayerNorm":
        return 1e-5
    return next(getattr(norm, name) for name in ("eps", "variance_epsilon") if hasattr(norm, name))


def _tensor(output) -> Tensor:
    return output[0] if isinstance(output, tuple) else output


@contextmanager
def _acting_as(act):
    _acting.append(act)
    try:
        yield
    finally:
        _acting.pop()


@contextmanager
def _before(modules, act):
    """act(index, first input) → a new one, or None."""

    def hook_of(index: int):
        def hook(_, args, kwargs):
            given = args[0] if args else kwargs["hidden_states"]
            new = act(index, given)
            if new is None:
                return None
            if args:
                return (new, *args[1:]), kwargs
            return args, {**kwargs, "hidden_states": new}

        return hook

    with ExitStack() as stack:
        for index, module in enumerate(modules):
            handle = module.register_forward_pre_hook(hook_of(index), with_kwargs=True)
            stack.callback(handle.remove)
        yield


@contextmanager
def _after(modules, act):
    """act(index, output) → a new one, or None."""

    def hook_of(index: int):
        def hook(_, args, output):
            new = act(index, _tensor(output))
            if new is None:
                return None
            return (new, *output[1:]) if isinstance(output, tuple) else new

        return hook

    with ExitStack() as stack:
        for index, module in enumerate(modules):
            stack.callback(module.register_forward_hook(hook_of(index)).remove)
        yield
