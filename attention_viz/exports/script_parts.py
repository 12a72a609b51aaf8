"""Pieces of Python of which `script` puts its scripts together; plain TransformerLens calls.

Shapes: tokens `[1, pos]`, z `[1, pos, head, d_head]`, what a writer wrote `[1, pos, d_model]`.
With split inputs a reader's hook (`hook_q_input` …, `hook_mlp_in`, `hook_resid_post` of the last
block) holds the residual stream of that reader alone: changing it there is one direct path.
"""

from attention_viz.records.ablation import AblationKind


def compare(what: str, found: str, expected: float) -> str:
    return f"compare({what!r}, {found}, {float(expected)!r})"


LOAD = '''
"""{title}

Recomputed with TransformerLens; prints: recomputed, shown, what.
"""

import torch
from transformer_lens.model_bridge import TransformerBridge

model = TransformerBridge.boot_transformers({model}, dtype=torch.float32)
# The value biases stay with the heads and the logits as the model gives them.
model.enable_compatibility_mode(
    fold_value_biases=False, center_unembed=False, disable_warnings=True
)
model.set_use_split_qkv_input(True)
model.set_use_hook_mlp_in(True)
model.set_use_attn_result(True)
LAYERS, HEADS_PER_LAYER = model.cfg.n_layers, model.cfg.n_heads
GROUP = HEADS_PER_LAYER // (model.cfg.n_key_value_heads or HEADS_PER_LAYER)  # heads per K and V
'''

# How a prompt is written before it is read
PLAIN = """
def written(text):
    return text
"""
CHAT = """
def written(text):
    message = [{"role": "user", "content": text}]
    return model.tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
"""

READ = """
differences = []


def compare(what, found, expected):
    differences.append(abs(float(found) - expected))
    print(f"{float(found):+.6f} {expected:+.6f}  {what}")


def ids_of(prompt):
    # A text, or token ids.
    ids = prompt
    if isinstance(prompt, str):
        ids = model.tokenizer.encode(written(prompt), add_special_tokens=False)
        ids = ids if ids[: len(BOS)] == BOS else BOS + ids
    return torch.tensor([ids], device=model.cfg.device)
"""

ONE_PROMPT = """
def difference(logits):
    return (logits[0, POSITION, ANSWER] - logits[0, POSITION, DISTRACTOR]).item()


def run_clean(prompt):
    with torch.no_grad():
        return model.run_with_cache(ids_of(prompt))


TOKENS = ids_of(PROMPT)
CLEAN_LOGITS, CLEAN = run_clean(PROMPT)
OTHER = None if COUNTERFACTUAL is None else run_clean(COUNTERFACTUAL)[1]
FIRST = 1 if BOS and TOKENS.shape[1] > 1 else 0  # means leave out beginning of text
"""

# In a chat, what a person typed is text to us even where it looks like a special token.
SAME_TOKENS = """
if TOKENS[0].tolist() != {ids}:
    raise SystemExit("The chat template gives other tokens here than those that were measured.")
"""

MANY_PROMPTS = """
def difference(logits, pair):
    _, _, answer, distractor, position = pair
    return logits[0, position, answer] - logits[0, position, distractor]


def clean_difference(pair):
    with torch.no_grad():
        return difference(model(ids_of(pair[0])), pair).item()


def mean(measure):
    return sum(measure(pair) for pair in PAIRS) / len(PAIRS)
"""

# The edits of z: (z of all heads, layer, head, v of the layer) → new z of the head. In braces: the
# settings of the kind, by name.
EDITS = {
    AblationKind.ZERO: """
def edit(z, layer, head, v):
    return torch.zeros_like(z[:, :, head])
""",
    AblationKind.SCALE: """
def edit(z, layer, head, v):
    return {scale!r} * z[:, :, head]
""",
    AblationKind.SPARSIFY: """
def edit(z, layer, head, v):
    z = z[:, :, head]
    return z.masked_fill(z.abs() < {threshold!r}, 0)
""",
    AblationKind.RESAMPLE: """
def edit(z, layer, head, v):
    return OTHER[f"blocks.{{layer}}.attn.hook_z"][:, :, head]
""",
    AblationKind.MEAN: """
def edit(z, layer, head, v):
    own = CLEAN[f"blocks.{{layer}}.attn.hook_z"][:, FIRST:, head]
    return own.mean(1, keepdim=True).expand_as(z[:, :, head])
""",
    AblationKind.PERMUTE: """
ORDER = torch.arange(TOKENS.shape[1])
moved = (ORDER[FIRST:] if isinstance(POSITIONS, slice) else ORDER[POSITIONS]).unique()
ORDER[moved] = moved[torch.randperm(len(moved), generator=torch.Generator().manual_seed({seed!r}))]


def edit(z, layer, head, v):
    return z[:, ORDER, head]
""",
    AblationKind.UNIFORM: """
def edit(z, layer, head, v):
    seen = torch.ones(z.shape[1], z.shape[1], device=z.device).tril()
    return (seen / seen.sum(1, keepdim=True)) @ v[:, :, head // GROUP]
""",
}

# The same where values come from reference prompts.
EDITS_BY_REFERENCES = {
    AblationKind.MEAN: """
REFERENCES = [run_clean(text)[1] for text in {references}]


def edit(z, layer, head, v):
    found = [cache[f"blocks.{{layer}}.attn.hook_z"][:, :, head] for cache in REFERENCES]
    if all(each.shape[1] == z.shape[1] for each in found):  # aligned: a mean per position
        return torch.cat(found).mean(0, keepdim=True)
    pooled = torch.cat([each[0, 1 if BOS else 0 :] for each in found])
    return pooled.mean(0).expand_as(z[:, :, head])
""",
}

AT_POSITIONS = """

def at_positions(z, new, head):
    kept = z[:, :, head].clone()
    kept[:, POSITIONS] = new[:, POSITIONS]
    return kept
"""

PATCH_OTHER = """
def patched(layer, head):
    # What the writer's z becomes along an edge: its value in the counterfactual prompt.
    name = f"blocks.{layer}.attn.hook_z"
    return at_positions(CLEAN[name], OTHER[name][:, :, head], head)
"""

PATCH_EDITED = """
def patched(layer, head):
    # What the writer's z becomes along an edge: the ablated value.
    z, v = CLEAN[f"blocks.{layer}.attn.hook_z"], CLEAN[f"blocks.{layer}.attn.hook_v"]
    return at_positions(z, edit(z, layer, head, v), head)
"""

ABLATE = """
def ablate_all():
    values, hooks = {}, []
    for layer in sorted({layer for layer, _ in HEADS}):

        def keep(v, hook, layer=layer):
            values[layer] = v

        def ablate(z, hook, layer=layer):
            new = z.clone()
            for head in (head for at, head in HEADS if at == layer):
                edited = edit(z, layer, head, values[layer])
                new[:, :, head] = at_positions(z, edited, head)
            return new

        hooks += [(f"blocks.{layer}.attn.hook_v", keep), (f"blocks.{layer}.attn.hook_z", ablate)]
    with torch.no_grad():
        return model.run_with_hooks(TOKENS, fwd_hooks=hooks)
"""

PATHS = """
def place_of(name):
    # "L2H3" is (2, 3), "L2MLP" is (2, None)
    layer, _, head = name[1:].removesuffix("MLP").partition("H")
    return int(layer), int(head) if head else None


def reader_of(name, via):
    # The hook that holds a reader's own input, and the head there.
    if name == "logits":
        return f"blocks.{LAYERS - 1}.hook_resid_post", None
    layer, head = place_of(name)
    if via == "MLP":
        return f"blocks.{layer}.hook_mlp_in", None
    return f"blocks.{layer}.hook_{via.lower()}_input", head if via == "Q" else head // GROUP


def patch(tokens, change, reader, via):
    # The logits when one reader's input is changed, and the rest is run.
    name, head = reader_of(reader, via)

    def put_in(residual, hook):
        residual = residual.clone()
        if head is None:
            residual += change
        else:
            residual[:, :, head] += change
        return residual

    with torch.no_grad():
        return model.run_with_hooks(tokens, fwd_hooks=[(name, put_in)])
"""

EDGES_OF_HEADS = """
clean = difference(CLEAN_LOGITS)
for writer, reader, via, shown, _ in EDGES:
    layer, head = place_of(writer)
    z = CLEAN[f"blocks.{layer}.attn.hook_z"][:, :, head]
    change = (patched(layer, head) - z) @ model.W_O[layer, head]
    effect = difference(patch(TOKENS, change, reader, via)) - clean
    compare(f"{writer} -> {reader} {via}", effect, shown)
"""

WRITERS = """
def writers_of(prompt):
    # What every writer writes to the residual stream, by name.
    with torch.no_grad():
        _, cache = model.run_with_cache(ids_of(prompt))
    found = {"input": cache["blocks.0.hook_resid_pre"]}
    for layer in range(LAYERS):
        results = cache[f"blocks.{layer}.attn.hook_result"]
        for head in range(HEADS_PER_LAYER):
            found[f"L{layer}H{head}"] = results[:, :, head]
        found[f"L{layer}MLP"] = cache[f"blocks.{layer}.hook_mlp_out"]
    return found
"""

# What writers' results are replaced by. In braces: the part of the input that stays.
POSITIONS_STAY = """
def kept_of(prompt):
    # Position embeddings, which stay: of the input only the token embedding is replaced.
    with torch.no_grad():
        _, cache = model.run_with_cache(ids_of(prompt))
    return cache["hook_pos_embed"]
"""

NOTHING_STAYS = """
def kept_of(prompt):
    # Nothing: of the input the position embeddings are replaced as well.
    return 0
"""

REPLACED = {
    AblationKind.RESAMPLE: """
def replaced_of(pair):
    return writers_of(pair[1])
""",
    AblationKind.ZERO: """
def replaced_of(pair):
    found = {name: torch.zeros_like(value) for name, value in writers_of(pair[0]).items()}
    found["input"] = found["input"] + kept_of(pair[0])
    return found
""",
    AblationKind.MEAN: """
def mean_writers():
    # Over all clean prompts and their positions without beginning of text.
    kept = {}
    for clean, *_ in PAIRS:
        for name, value in writers_of(clean).items():
            first = 1 if BOS and value.shape[1] > 1 else 0
            value = value - kept_of(clean) if name == "input" else value
            kept.setdefault(name, []).append(value[0, first:])
    return {name: torch.cat(values).mean(0) for name, values in kept.items()}


MEANS = mean_writers()


def replaced_of(pair):
    found = {name: MEANS[name].expand_as(value) for name, value in writers_of(pair[0]).items()}
    found["input"] = found["input"] + kept_of(pair[0])
    return found
""",
}

# The mean of every position by itself; the position embeddings are the same in all prompts.
REPLACED_PER_POSITION = """
def mean_writers():
    # Over all clean prompts, which have one length.
    kept = {}
    for clean, *_ in PAIRS:
        for name, value in writers_of(clean).items():
            kept.setdefault(name, []).append(value)
    return {name: sum(values) / len(values) for name, values in kept.items()}


MEANS = mean_writers()


def replaced_of(pair):
    return MEANS
"""

EDGES_OF_PAIRS = """
effects = {edge: 0.0 for edge in EDGES if edge[4]}
for pair in PAIRS:
    clean, replaced = writers_of(pair[0]), replaced_of(pair)
    for edge in effects:
        writer, reader, via, *_ = edge
        change = replaced[writer] - clean[writer]
        logits = patch(ids_of(pair[0]), change, reader, via)
        effect = difference(logits, pair).item() - clean_difference(pair)
        effects[edge] += effect / len(PAIRS)
for (writer, reader, via, shown, _), effect in effects.items():
    compare(f"{writer} -> {reader} {via}", effect, shown)
"""

NOISE_POINTS = """
def points_of(pair):
    # Where the gradient is taken: the tokens, and what enters the first block.
    return [(ids_of(pair[0]), None)]
"""

DENOISE_POINTS = """
def points_of(pair):
    # Where the gradient is taken: the tokens, and what enters the first block.
    return [(ids_of(pair[1]), None)]
"""

EAP_IG_POINTS = """
SHARES = {shares}  # of that way


def points_of(pair):
    # Where gradients are taken: on the way from the counterfactual's embeddings to the clean ones.
    start, stop = writers_of(pair[1])["input"], writers_of(pair[0])["input"]
    return [(ids_of(pair[0]), start + share * (stop - start)) for share in SHARES]
"""

ESTIMATE = """

def gradients_at(pair, tokens, entering, readers):
    kept = {{}}

    def enter(residual, hook):
        residual = residual if entering is None else entering
        return residual.detach().requires_grad_()

    def keep(name):
        def own_input(residual, hook):
            kept[name] = residual.clone()  # for this reader alone
            kept[name].retain_grad()
            return kept[name]

        return own_input

    hooks = [("blocks.0.hook_resid_pre", enter), *((name, keep(name)) for name in readers)]
    with torch.enable_grad():
        difference(model.run_with_hooks(tokens, fwd_hooks=hooks), pair).backward()
    return {{name: residual.grad for name, residual in kept.items()}}


def gradients_of(pair, readers):
    # The logit difference's gradient at each reader's own input, mean over the points.
    found = [gradients_at(pair, *point, readers) for point in points_of(pair)]
    return {{name: sum(each[name] for each in found) / len(found) for name in readers}}


def estimate(pair, edges):
    # Change of the writer times gradient at the reader, summed over positions.
    clean, replaced = writers_of(pair[0]), replaced_of(pair)
    gradients = gradients_of(pair, {{reader_of(reader, via)[0] for _, reader, via, *_ in edges}})
    for edge in edges:
        writer, reader, via, *_ = edge
        name, head = reader_of(reader, via)
        gradient = gradients[name] if head is None else gradients[name][:, :, head]
        yield edge, {sign} * ((replaced[writer] - clean[writer]) * gradient).sum().item()
"""

ESTIMATED_EDGES = """
estimates = {edge: 0.0 for edge in EDGES if not edge[4]}
for pair in PAIRS:
    for edge, value in estimate(pair, estimates):
        estimates[edge] += value / len(PAIRS)
for (writer, reader, via, shown, _), value in estimates.items():
    compare(f"{writer} -> {reader} {via}, estimated", value, shown)
"""

CIRCUIT = """
KEEPS_MLPS = {keeps_mlps}  # edges from and into MLPs all stay
PARALLEL = bool(getattr(model.cfg, "parallel_attn_mlp", False))
KEPT = {{(writer, *reader_of(reader, via)) for writer, reader, via, *_ in EDGES}}


def reader_hooks():
    # Every reader's hook, with its layer.
    for layer in range(LAYERS):
        for slot in ("q_input", "k_input", "v_input", "mlp_in"):
            yield f"blocks.{{layer}}.hook_{{slot}}", layer
    yield f"blocks.{{LAYERS - 1}}.hook_resid_post", LAYERS


def circuit_difference(pair, kept):
    # Every edge that is not kept carries what its writer is replaced by.
    replaced, changes, hooks = replaced_of(pair), {{}}, []

    def write(name):
        def keep(value, hook):
            changes[name] = value - replaced[name]

        return keep

    def write_heads(layer):
        def keep(results, hook):
            for head in range(HEADS_PER_LAYER):
                write(f"L{{layer}}H{{head}}")(results[:, :, head], hook)

        return keep

    def read(name, layer):
        def is_cut(writer, head):
            if PARALLEL and name.endswith("mlp_in") and writer.startswith(f"L{{layer}}H"):
                return False  # it does not read this layer's heads
            is_mlp = "MLP" in writer or name.endswith("mlp_in")
            return (writer, name, head) not in kept and not (KEEPS_MLPS and is_mlp)

        def outside(head):
            found = [change for writer, change in changes.items() if is_cut(writer, head)]
            return sum(found, start=torch.zeros(1, device=model.cfg.device))

        def cut(residual, hook):
            if residual.ndim == 3:
                return residual - outside(None)
            heads = range(residual.shape[2])
            return torch.stack([residual[:, :, head] - outside(head) for head in heads], dim=2)

        return cut

    hooks.append(("blocks.0.hook_resid_pre", write("input")))
    for layer in range(LAYERS):
        hooks.append((f"blocks.{{layer}}.attn.hook_result", write_heads(layer)))
        hooks.append((f"blocks.{{layer}}.hook_mlp_out", write(f"L{{layer}}MLP")))
    hooks += [(name, read(name, layer)) for name, layer in reader_hooks()]
    with torch.no_grad():
        return difference(model.run_with_hooks(ids_of(pair[0]), fwd_hooks=hooks), pair).item()
"""

END = 'print(f"largest difference: {max(differences):.2g}")'
