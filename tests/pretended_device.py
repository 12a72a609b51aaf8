"""A CUDA device without a GPU: tensors that say they lie there, and refuse what CUDA would refuse.

The numbers are the CPU's; what is found is code that mixes devices, or reads a tensor's memory
without copying it back first. An operation on tensors of two devices raises RuntimeError as CUDA's
does; a scalar, an index and a copy may cross. Memory, streams and speed are not pretended.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_flatten, tree_map

DEVICE = torch.device("cuda", 0)
_aten = torch.ops.aten
# Operations whose tensors may lie on two devices.
_CROSSING = {
    _aten.index.Tensor,
    _aten.index_put.default,
    _aten.index_put_.default,
    _aten._index_put_impl_.default,
    _aten._unsafe_index.Tensor,
    _aten.copy_.default,
    _aten._to_copy.default,
}


class Pretended(torch.Tensor):
    """A tensor that says it lies on the pretended device."""

    inner: torch.Tensor

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> "Pretended":
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=inner.device,
            requires_grad=inner.requires_grad,
        )
        made.inner = inner.detach()
        return made

    @property
    def device(self) -> torch.device:
        return DEVICE

    @property
    def is_cuda(self) -> bool:
        return True

    @property
    def is_cpu(self) -> bool:
        return False

    def __repr__(self) -> str:
        return f"{self.inner!r} pretended on {DEVICE}"

    def numpy(self, *args, **kwargs):
        raise TypeError(f"can't convert {DEVICE} device type tensor to numpy: use Tensor.cpu()")

    def __array__(self, *args, **kwargs):
        return self.numpy()

    def data_ptr(self) -> int:
        return self.inner.data_ptr()

    def tolist(self):
        return self.inner.tolist()

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        flat, _ = tree_flatten((args, kwargs))
        tensors = [each for each in flat if isinstance(each, torch.Tensor)]
        here = [each for each in tensors if isinstance(each, Pretended)]
        strangers = [each for each in tensors if not isinstance(each, Pretended) and each.ndim]
        if strangers and here and function not in _CROSSING:
            raise RuntimeError(
                f"Expected all tensors to be on the same device, {function}: {DEVICE} and cpu"
            )
        target = kwargs.get("device")
        if function is _aten.copy_.default:
            args[0].inner.copy_(_unwrap(args[1])) if here and isinstance(
                args[0], Pretended
            ) else args[0].copy_(_unwrap(args[1]))
            return args[0]
        if target is not None and torch.device(target).type == "cuda":
            kwargs["device"] = torch.device("cpu")
        stays = bool(here) if target is None else torch.device(target).type == "cuda"
        with _disable_current_modes():
            found = function(*tree_map(_unwrap, args), **tree_map(_unwrap, kwargs))
        if function._schema.is_mutable and here:
            mutated = {id(each.inner): each for each in here}
            return tree_map(lambda each: mutated.get(id(each), _wrap(each)), found)
        return tree_map(_wrap, found) if stays else found


def _unwrap(value):
    return value.inner if isinstance(value, Pretended) else value


def _wrap(value):
    is_plain = isinstance(value, torch.Tensor) and not isinstance(value, Pretended)
    return Pretended(value) if is_plain else value


class _Making(TorchFunctionMode):
    """Tensors that are made on the pretended device, or moved to it and back."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name = getattr(function, "__name__", "")
        if name == "to":
            return self._move(function, args, kwargs)
        starts = (torch.autograd.grad, torch.autograd.backward, torch.Tensor.backward)
        if function in starts and any(isinstance(e, Pretended) for e in tree_flatten(args)[0]):
            with _InBackward():
                return function(*args, **kwargs)
        if name in ("linear", "matmul") and isinstance(args[0], Pretended) and args[0].ndim == 1:
            # PyTorch squeezes the product in place, and a wrapper can't change its shape.
            return function(args[0][None], *args[1:], **kwargs)[0]
        if name in ("cpu", "cuda"):
            return self._move(function, (args[0], name), {})
        target = kwargs.get("device")
        if target is None or torch.device(target).type != DEVICE.type:
            return function(*args, **kwargs)
        requires_grad = kwargs.pop("requires_grad", False)
        made = _wrap(function(*args, **{**kwargs, "device": "cpu"}))
        return made.requires_grad_() if requires_grad else made

    def _move(self, function, args, kwargs):
        """tensor.to(device or tensor, dtype …)"""
        tensor, *rest = args
        named = [*rest, *kwargs.values()]
        like = next((each for each in named if isinstance(each, torch.Tensor)), None)
        target = next((each for each in named if isinstance(each, str | torch.device)), None)
        target = like.device if like is not None else target
        dtype = like.dtype if like is not None else None
        dtype = next((each for each in named if isinstance(each, torch.dtype)), dtype)
        if target is None:
            return function(*args, **kwargs)
        if dtype is not None and dtype != tensor.dtype:
            tensor = tensor.type(dtype)
        is_here, goes_here = isinstance(tensor, Pretended), torch.device(target).type == DEVICE.type
        if is_here == goes_here:
            return tensor
        return (_There if goes_here else _Back).apply(tensor)


class _InBackward(TorchDispatchMode):
    """Derivatives make zeros from a tensor's true device: those are meant to lie beside it."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        flat, _ = tree_flatten((args, kwargs))
        is_made = not any(isinstance(each, torch.Tensor) for each in flat)
        return tree_map(_wrap, found) if is_made else found


class _There(torch.autograd.Function):
    """To the pretended device, gradients back."""

    @staticmethod
    def forward(ctx, tensor):
        return Pretended(tensor)

    @staticmethod
    def backward(ctx, gradient):
        return _unwrap(gradient)


class _Back(torch.autograd.Function):
    """To the CPU, gradients there."""

    @staticmethod
    def forward(ctx, tensor):
        return tensor.inner.clone()

    @staticmethod
    def backward(ctx, gradient):
        return _wrap(gradient)


@contextmanager
def pretending() -> Iterator[str]:
    """Meanwhile there is a device "cuda"."""
    free = (8 * 2**30, 8 * 2**30)
    with (
        # Modules get the moved tensors themselves, not their memory.
        patch("torch.__future__._overwrite_module_params_on_conversion", True),
        patch("torch.cuda.is_available", lambda: True),
        patch("torch.cuda.mem_get_info", lambda *_: free),
        patch("torch.cuda.empty_cache", lambda: None),
        patch("torch.cuda.synchronize", lambda *_: None),
        _Making(),
    ):
        yield "cuda"
