"""An independent way to ablate: one unbatched forward of the plain Hugging Face model per set,
with forward pre-hooks on the output projections. Nothing of the product is used."""

from contextlib import ExitStack

import torch

_PROJECTIONS = {
    "GPT2LMHeadModel": lambda hf: [block.attn.c_proj for block in hf.transformer.h],
    "LlamaForCausalLM": lambda hf: [block.self_attn.o_proj for block in hf.model.layers],
    "GPTNeoXForCausalLM": lambda hf: [block.attention.dense for block in hf.gpt_neox.layers],
}


def projections(hf):
    return _PROJECTIONS[type(hf).__name__](hf)


@torch.no_grad()
def kept_z(hf, ids):
    """z of a plain forward, per layer `[pos, heads * d_head]`."""
    kept = []
    with ExitStack() as stack:
        for module in projections(hf):
            hook = module.register_forward_pre_hook(lambda _, args: kept.append(args[0][0].clone()))
            stack.callback(hook.remove)
        hf(input_ids=ids, use_cache=False)
    return kept


@torch.no_grad()
def ablated_logits(hf, ids, heads, change, positions=None):
    """Logits `[pos, vocabulary]`; `change(layer, columns, z [pos, d_head])` is the new z."""
    count = hf.config.num_attention_heads
    with ExitStack() as stack:
        for layer, module in enumerate(projections(hf)):
            chosen = [head for at, head in heads if at == layer]

            def edit(_, args, layer=layer, chosen=chosen):
                z = args[0].clone()
                width = z.shape[-1] // count
                for head in chosen:
                    columns = slice(head * width, (head + 1) * width)
                    new = change(layer, columns, z[0, :, columns].clone())
                    for position in range(z.shape[1]) if positions is None else positions:
                        z[0, position, columns] = new[position]
                return (z,)

            stack.callback(module.register_forward_pre_hook(edit).remove)
        return hf(input_ids=ids, use_cache=False).logits[0]


def changes(hf, ids, other_ids, *, bos, scale, threshold, seed):
    """The meaning of every kind, written down a second time."""
    own, other = kept_z(hf, ids), kept_z(hf, other_ids)
    length = ids.shape[1]

    def permute(positions):
        chosen = list(positions) if positions else list(range(int(bos), length))
        drawn = torch.randperm(len(chosen), generator=torch.Generator().manual_seed(seed))
        order = list(range(length))
        for place, pick in zip(chosen, drawn.tolist(), strict=True):
            order[place] = chosen[pick]
        return lambda layer, columns, z: z[order]

    def mean(layer, columns, z):
        return own[layer][int(bos) :, columns].mean(0).expand_as(z)

    return {
        "zero": lambda positions: lambda layer, columns, z: 0 * z,
        "scale": lambda positions: lambda layer, columns, z: scale * z,
        "mean": lambda positions: mean,
        "resample": lambda positions: lambda layer, columns, z: other[layer][:, columns],
        "permute": permute,
        "sparsify": lambda positions: lambda layer, columns, z: z * (z.abs() >= threshold),
    }
