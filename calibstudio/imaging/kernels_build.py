"""Compile the stacking kernels with numba into machine code that can be loaded without numba.

Importing numba and letting it load its own cache takes longer than stacking twenty frames, and
holds the interpreter while a window is drawn. So the kernels are compiled once, their machine
code is kept (see `calibstudio.imaging.kernels`), and later starts only load that.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
import numba

from calibstudio.imaging import kernels_read, kernels_stack

ENTRIES: dict[str, Any] = {
    "stack_u16": kernels_stack.stack_u16,
    "stack_f32": kernels_stack.stack_f32,
    "read_band": kernels_read.read_band,
}


def compile_kernels() -> tuple[bytes, dict[str, str]]:
    """Return an object file for this processor, and the symbol of each entry.

    An entry is called as ``int32 entry(int64* result, void** error, int64 job)``.
    """
    whole = llvm.parse_assembly("")
    symbols: dict[str, str] = {}
    signature = numba.types.int64(numba.types.int64)
    for name, function in ENTRIES.items():
        function.compile(signature)
        compiled = function.overloads[(numba.types.int64,)]
        symbols[name] = compiled.fndesc.llvm_func_name
        whole.link_in(llvm.parse_assembly(compiled.library.get_llvm_str()))
    for made in whole.functions:
        if not made.is_declaration and made.name not in symbols.values():
            made.linkage = "internal"
    machine = target_machine()
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
    builder.getModulePassManager().run(whole, builder)
    return machine.emit_object(whole), symbols


def target_machine() -> llvm.TargetMachine:
    """Describe this processor."""
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        reloc="default",
        codemodel="jitdefault",
        jit=True,
    )
