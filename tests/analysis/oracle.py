"""An independent way to ablate: one unbatched forward of the plain Hugging Face model per set,
with forward pre-hooks on the output projections. Nothing of the product is used."""

from contextlib import ExitStack

import torch

_PROJECTIONS = {
    "GPT2LMHeadModel": lambda hf: [block.attn.c_proj for block in hf.transformer.h],
    "LlamaForCausalLM": lambda hf: [block.self_attn.o_proj for block in hf.model.layers],
    "GPTNeoXForCausalLM": lambda hf: [block.attention.dense for block in hf.gpt_neox.layers],
    "GPTJForCausalLM": lambda hf: [block.attn.out_proj for block in hf.transformer.h],
}


# Each: (the module that makes v, from what it gives [pos, …] to v [pos, key/value head, d_head])
_VALUES = {
    "GPT2LMHeadModel": lambda hf: [
        (b.attn.c_attn, lambda out, n: out.chunk(3, -1)[2].unflatten(-1, (n, -1)))
        for b in hf.transformer.h
    ],
    "LlamaForCausalLM": lambda hf: [
        (b.self_attn.v_proj, lambda out, n: out.unflatten(-1, (hf.config.num_key_value_heads, -1)))
        for b in hf.model.layers
    ],
    "GPTNeoXForCausalLM": lambda hf: [
        (
            b.attention.query_key_value,
            lambda out, n: out.unflatten(-1, (n, 3, -1))[..., 2, :],
        )
        for b in hf.gpt_neox.layers
    ],
    "GPTJForCausalLM": lambda hf: [
        (b.attn.v_proj, lambda out, n: out.unflatten(-1, (n, -1))) for b in hf.transformer.h
    ],
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
    """Logits `[pos, vocabulary]`; `change(layer, columns, z [pos, d_head], v)` is the new z.

    v is `[pos, key/value head, d_head]` of this very run.
    """
    count = hf.config.num_attention_heads
    values = {}
    with ExitStack() as stack:
        for layer, (module, read) in enumerate(_VALUES[type(hf).__name__](hf)):

            def keep(_, args, output, layer=layer, read=read):
                values[layer] = read(output[0], count)

            stack.callback(module.register_forward_hook(keep).remove)
        for layer, module in enumerate(projections(hf)):
            chosen = [head for at, head in heads if at == layer]

            def edit(_, args, layer=layer, chosen=chosen):
                z = args[0].clone()
                width = z.shape[-1] // count
                for head in chosen:
                    columns = slice(head * width, (head + 1) * width)
                    new = change(layer, columns, z[0, :, columns].clone(), values[layer])
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
        return lambda layer, columns, z, v: z[order]

    def mean(layer, columns, z, v):
        return own[layer][int(bos) :, columns].mean(0).expand_as(z)

    def uniform(layer, columns, z, v):
        """Means of v over the keys seen so far, every key weighted the same."""
        heads = hf.config.num_attention_heads
        head = columns.start // z.shape[-1]
        own_v = v[:, head * v.shape[1] // heads]
        return torch.stack([own_v[: i + 1].mean(0) for i in range(length)])

    return {
        "zero": lambda positions: lambda layer, columns, z, v: 0 * z,
        "scale": lambda positions: lambda layer, columns, z, v: scale * z,
        "mean": lambda positions: mean,
        "resample": lambda positions: lambda layer, columns, z, v: other[layer][:, columns],
        "permute": permute,
        "uniform": lambda positions: uniform,
        "sparsify": lambda positions: lambda layer, columns, z, v: z * (z.abs() >= threshold),
    }
