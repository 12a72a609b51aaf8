"""Command line of the training: ``python -m attention_viz.models.training --out FOLDER``."""

from __future__ import annotations

import argparse
from pathlib import Path

DEFAULT_OUT = Path("trained_model")


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The options of one training run."""
    parser = argparse.ArgumentParser(
        prog="python -m attention_viz.models.training",
        description="Train the embedded model from scratch on its generated corpus.",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=4300, help="of 4,096 tokens each")
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="folder for the model")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--learning-rate", type=float, default=2e-3, help="at its highest")
    parser.add_argument("--warm-up", type=int, default=150, help="steps")
    parser.add_argument("--rows", type=int, default=32, help="of 128 tokens, a step")
    parser.add_argument("--start", help="folder of a model to go on from (weights only)")
    parser.add_argument("--processes", type=int, default=2, help="of one thread each")
    parser.add_argument("--minutes", type=float, help="end the schedule by then")
    parser.add_argument("--no-compile", action="store_true", help="skip torch.compile")
    parser.add_argument("--save-every", type=int, default=500, help="steps between exports")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Trains with the given options and prints the progress."""
    options = parse_arguments(arguments)
    from attention_viz.models.training.train import Settings, print_now, train, train_together

    settings = Settings(
        seed=options.seed,
        steps=options.steps,
        learning_rate=options.learning_rate,
        warm_up=options.warm_up,
        rows=options.rows,
        device=options.device,
        compiled=not options.no_compile,
        start=options.start,
        processes=options.processes,
        minutes=options.minutes,
    )
    if settings.processes > 1:
        train_together(settings, options.out, save_every=options.save_every)
    else:
        train(settings, options.out, log=print_now, save_every=options.save_every)
    print(f"the model is in {options.out}")


if __name__ == "__main__":
    main()
