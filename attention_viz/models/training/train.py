"""Trains the embedded model: a GPT-2 of 4 layers x 8 heads from scratch on the generated corpus.

AdamW with warm-up and cosine, weighted cross-entropy, bf16 arithmetic over fp32 master weights, the
step compiled where a compiler is at hand. The model is Hugging Face's own ``GPT2LMHeadModel``; the
forward here only spells out its blocks so that rows of packed documents compile into one graph.
"""

from __future__ import annotations

import json
import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, distributed, multiprocessing
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from attention_viz.models.training.corpus import EARLY, Corpus
from attention_viz.models.training.packing import ROW, Batch, block_mask, pack_batches
from attention_viz.models.training.planting import plant_previous_token_head
from attention_viz.models.training.tokenizer import build_tokenizer, make_encoder

POSITION_PACE = 0.1  # of the learning rate: keeps the sinusoids smooth


@dataclass(frozen=True)
class Settings:
    """Everything that a run depends on."""

    seed: int = 1
    steps: int = 4300
    rows: int = 32  # times 128 tokens a step
    learning_rate: float = 2e-3
    warm_up: int = 150
    weight_decay: float = 0.05
    clip: float = 1.0
    device: str = "auto"
    compiled: bool = True
    planted_head: int | None = 0  # first-layer head that starts as a previous-token head
    start: str | None = None  # a model folder to go on from, weights only
    dropped_heads: float = 0.3  # share of rows with one head missing, after the early stage
    processes: int = 1  # each with one thread and its share of the rows
    minutes: float | None = None  # the schedule ends by then, however few the steps


def build_config(vocabulary: int) -> GPT2Config:
    """4 layers x 8 heads, 192 wide, context 128."""
    return GPT2Config(
        vocab_size=vocabulary, n_positions=ROW, n_embd=192, n_layer=4, n_head=8,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, eos_token_id=0,
        tie_word_embeddings=True, dtype="float32", use_cache=True, initializer_range=0.04,
    )  # fmt: skip


def build_model(vocabulary: int, *, seed: int) -> GPT2LMHeadModel:
    """A fresh model whose positions start from sinusoids."""
    torch.manual_seed(seed)
    model = GPT2LMHeadModel(build_config(vocabulary)).float()
    with torch.no_grad():
        model.transformer.wpe.weight.copy_(draw_sinusoids(ROW, model.config.n_embd))
    return model


def draw_sinusoids(positions: int, width: int, *, amplitude: float = 0.1) -> Tensor:
    """[position, width]: sines and cosines of 0.01 to 2 radians a token.

    Higher than in Vaswani et al. 2017, where most waves are longer than this context: neighbours
    must be easy to tell apart, or no previous-token head and so no induction head forms in time.
    """
    frequency = torch.logspace(math.log10(2.0), -2, width // 2)
    angle = torch.arange(positions)[:, None] * frequency
    return amplitude * torch.cat([angle.sin(), angle.cos()], dim=1)


def run_block(block, x: Tensor, mask: Tensor, heads: int, kept: Tensor | None = None) -> Tensor:
    """One GPT-2 block on [row, position, width], as Hugging Face's, with any mask.

    ``kept`` [row, head] is 0 where a head's output z is taken away.
    """
    rows, positions, width = x.shape
    project = block.attn.c_attn
    qkv = F.linear(block.ln_1(x), project.weight.t(), project.bias)
    q, k, v = qkv.view(rows, positions, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
    z = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    if kept is not None:
        z = z * kept[:, :, None, None]
    z = z.transpose(1, 2).reshape(rows, positions, width)
    x = x + F.linear(z, block.attn.c_proj.weight.t(), block.attn.c_proj.bias)
    hidden = F.linear(block.ln_2(x), block.mlp.c_fc.weight.t(), block.mlp.c_fc.bias)
    hidden = F.gelu(hidden, approximate="tanh")
    return x + F.linear(hidden, block.mlp.c_proj.weight.t(), block.mlp.c_proj.bias)


def run_packed(
    model: GPT2LMHeadModel,
    ids: Tensor,
    positions: Tensor,
    mask: Tensor,
    kept: Tensor | None = None,
) -> Tensor:
    """Logits [row, position, token] of packed rows; ``mask`` as ``packing.block_mask`` gives it.

    ``kept`` [layer, row, head] as ``draw_kept_heads`` gives it.
    """
    body = model.transformer
    x = body.wte(ids) + body.wpe(positions)
    for layer, block in enumerate(body.h):
        own = None if kept is None else kept[layer]
        x = run_block(block, x, mask, model.config.n_head, own)
    return F.linear(body.ln_f(x), body.wte.weight)


def draw_kept_heads(config: GPT2Config, rows: int, share: float, generator) -> Tensor:
    """[layer, row, head] of ones, with one random head at 0 in a ``share`` of the rows.

    Training with a head missing now and then makes the others able to stand in for it, so that no
    single head is indispensable (after DropHead, Zhou et al. 2020, which drops several).
    """
    count = config.n_layer * config.n_head
    kept = torch.ones(rows, count)
    missing = torch.randint(count, (rows,), generator=generator)
    is_hit = torch.rand(rows, generator=generator) < share
    kept[torch.arange(rows)[is_hit], missing[is_hit]] = 0
    return kept.view(rows, config.n_layer, config.n_head).transpose(0, 1).contiguous()


def measure_loss(model, ids, positions, mask, targets, weights, kept=None) -> Tensor:
    """Cross-entropy in nats per unit of loss weight."""
    logits = run_packed(model, ids, positions, mask, kept).float()
    losses = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    return (losses * weights.flatten()).sum() / weights.sum()


def choose_device(name: str) -> torch.device:
    """The device by name; "auto" takes a GPU if there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def to_tensors(batch: Batch, device: torch.device) -> tuple[Tensor, ...]:
    """ids, positions, mask, targets, weights."""
    arrays = (batch.ids, batch.positions, block_mask(batch.owner), batch.targets, batch.weights)
    return tuple(torch.from_numpy(array).to(device) for array in arrays)


def build_optimizer(model: GPT2LMHeadModel, settings: Settings) -> torch.optim.AdamW:
    """AdamW; norms, biases and positions are not decayed, and positions learn more slowly."""
    named = dict(model.named_parameters())
    positions = {name for name in named if "wpe" in name}
    plain = {name for name, value in named.items() if value.ndim < 2}
    groups = [
        {"params": [named[name] for name in named if name not in plain | positions]},
        {"params": [named[name] for name in named if name in plain], "weight_decay": 0.0},
        {"params": [named[name] for name in positions], "weight_decay": 0.0, "pace": POSITION_PACE},
    ]
    return torch.optim.AdamW(
        groups,
        lr=settings.learning_rate,
        betas=(0.9, 0.98),
        weight_decay=settings.weight_decay,
        fused=True,
    )


def measure_progress(step: int, seconds: float, settings: Settings) -> float:
    """How much of the run is done, 0 to 1, by steps or by the clock, whichever is further."""
    by_clock = seconds / (60 * settings.minutes) if settings.minutes else 0.0
    return min(1.0, max(step / settings.steps, by_clock))


def schedule(step: int, progress: float, settings: Settings) -> float:
    """The learning rate of a step, counted from 0: warm-up, then a cosine down to 2 %."""
    warm = min(1.0, (step + 1) / settings.warm_up)
    return settings.learning_rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))


def open_corpus(tokenizer: PreTrainedTokenizerFast, settings: Settings, rank: int) -> Corpus:
    """The corpus of this seed, and of this process if there are several."""
    return Corpus(
        make_encoder(tokenizer),
        vocabulary=len(tokenizer),
        bos=tokenizer.bos_token_id,
        seed=settings.seed + 1_000_003 * rank,
    )


def start_model(tokenizer: PreTrainedTokenizerFast, settings: Settings) -> GPT2LMHeadModel:
    """A fresh model, or the weights of an earlier run."""
    model = build_model(len(tokenizer), seed=settings.seed)
    if settings.planted_head is not None and not settings.start:
        plant_previous_token_head(model, head=settings.planted_head, seed=settings.seed)
    if settings.start:
        weights = load_file(Path(settings.start) / "model.safetensors")
        model.load_state_dict(weights, strict=False)  # the tied head is not stored
    return model.to(choose_device(settings.device)).train()


def train(
    settings: Settings,
    out: Path,
    *,
    log: Callable[[str], None] = print,
    save_every: int = 500,
    rank: int = 0,
) -> dict:
    """Trains, exports to ``out`` now and then and at the end, and returns the run's record.

    With several processes each calls this with its rank; only the first logs and exports.
    """
    tokenizer = build_tokenizer()
    model = start_model(tokenizer, settings)
    loss_of = torch.compile(measure_loss) if settings.compiled else measure_loss
    optimizer = build_optimizer(model, settings)
    corpus = open_corpus(tokenizer, settings, rank)
    rows = settings.rows // settings.processes
    batches = pack_batches(iter(corpus), rows, seed=settings.seed)
    generator = torch.Generator().manual_seed(settings.seed + rank)
    started, curve, step = time.monotonic(), [], 0
    while (progress := agree_on_progress(step, time.monotonic() - started, settings)) < 1:
        corpus.is_early = progress < EARLY and not settings.start
        rate = schedule(step, progress, settings)
        for group in optimizer.param_groups:
            group["lr"] = rate * group.get("pace", 1.0)
        share = 0.0 if corpus.is_early else settings.dropped_heads
        kept = draw_kept_heads(model.config, rows, share, generator).to(model.device)
        tensors = (*to_tensors(next(batches), model.device), kept)
        loss = take_step(model, loss_of, optimizer, tensors, settings)
        step += 1
        if step % 50 == 0 and rank == 0:
            seconds = time.monotonic() - started
            curve.append({"step": step, "loss": float(loss), "seconds": round(seconds)})
            log(f"step {step}/{settings.steps}  loss {float(loss):.3f}  {seconds:.0f} s")
        if save_every and step % save_every == 0 and rank == 0:
            export(model, tokenizer, out)
    record = {"settings": asdict(settings), "vocabulary": len(tokenizer), "curve": curve,
              "parameters": sum(p.numel() for p in model.parameters()),
              "steps": step, "earlier": read_record(settings.start),
              "seconds": round(time.monotonic() - started)}  # fmt: skip
    if rank == 0:
        export(model, tokenizer, out)
        (out / "training.json").write_text(json.dumps(record, indent=1) + "\n")
    return record


def read_record(folder: str | None) -> dict | None:
    """The record of the run that this one goes on from, if there is one."""
    path = Path(folder or "") / "training.json"
    return json.loads(path.read_text()) if folder and path.exists() else None


def agree_on_progress(step: int, seconds: float, settings: Settings) -> float:
    """The progress as the first process sees it."""
    progress = torch.tensor([measure_progress(step, seconds, settings)], dtype=torch.float64)
    if settings.processes > 1:
        distributed.broadcast(progress, src=0)
    return float(progress)


def share_gradients(model: GPT2LMHeadModel, processes: int) -> None:
    """Replaces every gradient by its mean over the processes, in one exchange."""
    gradients = [value.grad for value in model.parameters()]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    parts = (flat / processes).split([gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))


def take_step(model, loss_of, optimizer, tensors: tuple[Tensor, ...], settings: Settings) -> Tensor:
    """One forward, backward and update; returns the loss."""
    with torch.autocast(tensors[0].device.type, dtype=torch.bfloat16):
        loss = loss_of(model, *tensors)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    if settings.processes > 1:
        share_gradients(model, settings.processes)
    torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
    optimizer.step()
    return loss.detach()


def join_processes(rank: int, settings: Settings, out: Path, save_every: int, meeting: str) -> None:
    """One of several training processes; they meet in the file ``meeting``."""
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{meeting}", rank=rank, world_size=settings.processes
    )
    try:
        train(settings, out, log=print_now, save_every=save_every, rank=rank)
    finally:
        distributed.destroy_process_group()


def print_now(line: str) -> None:
    """Prints without waiting for a full buffer."""
    print(line, flush=True)


def train_together(settings: Settings, out: Path, *, save_every: int = 500) -> None:
    """Trains in ``settings.processes`` processes.

    On cores that others use too this is much faster than one process with several threads, which
    would wait for its slowest thread in every operation.
    """
    with tempfile.TemporaryDirectory() as folder:
        arguments = (settings, out, save_every, f"{folder}/meeting")
        multiprocessing.spawn(join_processes, arguments, nprocs=settings.processes)


def export(model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Writes a Hugging Face folder: fp16 weights, a config that says float32, the tokenizer."""
    out.mkdir(parents=True, exist_ok=True)
    weights = {name: value.detach().half().cpu().contiguous()
               for name, value in model.state_dict().items()
               if name != "lm_head.weight"}  # fmt: skip
    partial = out / "model.safetensors.part"
    save_file(weights, partial, metadata={"format": "pt"})
    partial.chmod(0o644)
    partial.replace(out / "model.safetensors")
    model.config.architectures = ["GPT2LMHeadModel"]
    model.config.save_pretrained(out)
    model.generation_config.save_pretrained(out)
    tokenizer.save_pretrained(out)
