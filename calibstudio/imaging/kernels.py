"""Machine code of the stacking kernels: compiled once, kept in a cache, loaded in milliseconds.

Decision: numba compiles the kernels, but a process that finds them in the cache never imports
numba; llvmlite alone loads the object file. Importing numba and loading its own cache takes
about as long as stacking twenty 24-megapixel frames. A C extension would start as fast, but
needs a compiler for every platform and is fixed to the oldest processor.

The cache lies beside the package where that can be written, else in the user's cache folder.
Its key is the kernels' source, the processor and the version of LLVM, so that it is never stale.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import logging
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibstudio import __version__

log = logging.getLogger(__name__)

_LIMIT_S = 300.0
_HALF_S = 10.0
"""Compiling takes about twice as long."""
_LISTEN_S = 0.05
_PROTOTYPE = ctypes.CFUNCTYPE(
    ctypes.c_int32, ctypes.POINTER(ctypes.c_int64), ctypes.c_void_p, ctypes.c_int64
)

Kernel = Callable[[NDArray[np.int64]], int]
"""Takes the array that `kernels_layout.Job` describes; returns the number of pixels done."""


@dataclass(frozen=True, slots=True)
class Kernels:
    """The two stacking kernels, and how they get their bytes.

    They hold no interpreter lock while they run.
    """

    stack_u16: Kernel
    stack_f32: Kernel
    read_band: Kernel
    engine: Any
    """Owns the machine code."""


_lock = threading.Lock()
_loaded: Kernels | None = None


def kernels_ready() -> bool:
    """Whether the kernels are loaded, so that a stack starts at once."""
    return _loaded is not None


def kernels_cached() -> bool:
    """Whether an earlier process kept the machine code, so that nothing is to be compiled."""
    name = _cache_name()
    return any((folder / name).is_file() for folder in _cache_folders())


def warm_kernels(listen: Callable[[float], None] | None = None) -> None:
    """Load the kernels, and have them compiled first where this was never done.

    Takes milliseconds, or some seconds the first time after installation; a process of its own
    compiles then, because numba would hold up every other thread of this one. Safe to call
    from any thread and more than once.

    Parameters
    ----------
    listen
        Called now and then while compiling, with the share of it that is probably done. What it
        raises (a cancel) ends the compiling and is raised here.
    """
    if not kernels_ready() and _from_cache() is None:
        _compile_apart(listen or (lambda _: None))
    load_kernels()


def _compile_apart(listen: Callable[[float], None]) -> None:
    """Let another process fill the cache; without one, `load_kernels` compiles here."""
    if getattr(sys, "frozen", False):  # There is no interpreter to start.
        return
    program = "from calibstudio.imaging.kernels import load_kernels; load_kernels()"
    started = time.monotonic()
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as error:
        log.info("The kernels could not be compiled apart: %s", error)
        return
    with process:
        try:
            while process.poll() is None and (since := time.monotonic() - started) < _LIMIT_S:
                # It says nothing of itself; this never gets to the end.
                listen(since / (since + _HALF_S))
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_LISTEN_S)
        finally:
            if process.poll() is None:
                process.kill()


def load_kernels() -> Kernels:
    """Return the kernels; compile them where the cache does not have them."""
    global _loaded
    with _lock:
        if _loaded is None:
            content = _from_cache()
            if content is None:
                content = _compile()
            _loaded = _link(*content)
        return _loaded


def _link(code: bytes, symbols: dict[str, str]) -> Kernels:
    """Give the object file to LLVM's loader and find the entries."""
    import llvmlite.binding as llvm

    _initialize(llvm)
    machine = llvm.Target.from_default_triple().create_target_machine(
        codemodel="jitdefault", jit=True
    )
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return Kernels(
        stack_u16=_callable(engine.get_function_address(symbols["stack_u16"])),
        stack_f32=_callable(engine.get_function_address(symbols["stack_f32"])),
        read_band=_callable(engine.get_function_address(symbols["read_band"])),
        engine=engine,
    )


def positioned_read() -> int:
    """Return the address of the C library's ``pread`` for 64-bit places; 0 where there is none."""
    if os.name != "posix" or ctypes.sizeof(ctypes.c_long) != 8:
        return 0
    with contextlib.suppress(OSError, AttributeError):
        return ctypes.cast(ctypes.CDLL(None).pread, ctypes.c_void_p).value or 0
    return 0


def _callable(address: int) -> Kernel:
    function = _PROTOTYPE(address)

    def call(job: NDArray[np.int64]) -> int:
        done = ctypes.c_int64(0)
        error = ctypes.c_void_p(None)
        status = function(ctypes.byref(done), ctypes.addressof(error), job.ctypes.data)
        if status != 0:  # pragma: no cover - the kernels raise nothing
            raise RuntimeError(f"a stacking kernel returned status {status}")
        return done.value

    return call


def _initialize(llvm: Any) -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


def _compile() -> tuple[bytes, dict[str, str]]:
    from calibstudio.imaging.kernels_build import compile_kernels

    log.info("Compiling the stacking kernels for this processor, once.")
    code, symbols = compile_kernels()
    head = json.dumps({"symbols": symbols, "sha256": hashlib.sha256(code).hexdigest()})
    _keep(head.encode() + b"\n" + code)
    return code, symbols


def _from_cache() -> tuple[bytes, dict[str, str]] | None:
    """Return what an earlier process compiled; None if there is nothing, or it is damaged."""
    name = _cache_name()
    for folder in _cache_folders():
        try:
            head, _, code = (folder / name).read_bytes().partition(b"\n")
            said = json.loads(head)
            if said["sha256"] == hashlib.sha256(code).hexdigest():
                return code, said["symbols"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def _keep(content: bytes) -> None:
    """Write the cache where that is possible; the kernels work without."""
    name = _cache_name()
    for folder in _cache_folders():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=folder, prefix=name)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(temporary).chmod(0o644)  # As other compiled files: whoever may run may read.
            Path(temporary).replace(folder / name)
            return
        except OSError:
            continue
    log.warning("The compiled stacking kernels could not be kept; the next start takes longer.")


def _cache_folders() -> list[Path]:
    beside = Path(__file__).parent / "__pycache__"
    from platformdirs import user_cache_path

    return [beside, user_cache_path("calibstudio", appauthor=False) / "kernels"]


def _cache_name() -> str:
    """Name the cache by all that the machine code depends on."""
    import llvmlite
    import llvmlite.binding as llvm

    digest = hashlib.sha256()
    parts = [__version__, llvmlite.__version__, platform.machine(), platform.system()]
    parts += [llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()]
    digest.update("\n".join(parts).encode())
    # A frozen program has no sources; its version stands for them.
    for source in sorted(Path(__file__).parent.glob("kernels_*.py")):
        digest.update(source.read_bytes())
    return f"kernels-{digest.hexdigest()[:24]}.bin"
