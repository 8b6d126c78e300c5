"""Sixteen pixels at a time: the vector instructions that the stacking kernels are written in.

numba has no vector types, and whether its loops become vector instructions depends on details
that change from release to release. So four types of sixteen lanes are declared here, with the
few operations on them as LLVM instructions; LLVM maps them to whatever the processor has.
Memory is addressed by plain integers: the kernels allocate nothing and hold no Python object.

Import only in modules that are compiled (see `calibstudio.imaging.kernels`): this imports numba.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import llvmlite.binding as llvm
import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.extending import intrinsic, register_model

LANES = 16

_F = TypeVar("_F", bound=Callable[..., Any])


def inlined(function: _F) -> _F:
    """Compile a helper of the kernels; LLVM inlines it where that pays."""
    options = {"error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return cast(_F, numba.njit(**options)(function))


class _Vector(types.Type):
    """Sixteen values of one LLVM type in registers."""

    def __init__(self, name: str, element: ir.Type, lanes: int = LANES) -> None:
        self.llvm = ir.VectorType(element, lanes)
        super().__init__(name=name)


@register_model(_Vector)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: _Vector) -> None:
        super().__init__(manager, kind, kind.llvm)


U16 = _Vector("u16x16", ir.IntType(16))
I32 = _Vector("i32x16", ir.IntType(32))
HALF = _Vector("i32x8", ir.IntType(32), LANES // 2)
"""Sums of eight of sixteen pixels: the first or the last four of each eight, see `first_pairs`."""
F32 = _Vector("f32x16", ir.FloatType())
F64 = _Vector("f64x16", ir.DoubleType())
MASK = _Vector("mask16", ir.IntType(1))
_INT = types.int64
_REAL = types.float64


def _operation(result: Any, arguments: Sequence[Any], emit: Callable[..., Any]) -> Any:
    """Make ``emit(builder, *values)`` callable from compiled code."""
    signature = result(*arguments)

    def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        value = emit(builder, *values)
        return context.get_dummy_value() if value is None else value

    # numba looks at the number of arguments of the typing function.
    if len(arguments) == 0:

        def typing0(_context: Any) -> Any:
            return signature, generate

        return intrinsic(typing0)
    if len(arguments) == 1:

        def typing1(_context: Any, _a: Any) -> Any:
            return signature, generate

        return intrinsic(typing1)
    if len(arguments) == 2:

        def typing2(_context: Any, _a: Any, _b: Any) -> Any:
            return signature, generate

        return intrinsic(typing2)

    if len(arguments) == 3:

        def typing3(_context: Any, _a: Any, _b: Any, _c: Any) -> Any:
            return signature, generate

        return intrinsic(typing3)

    def typing5(_context: Any, _a: Any, _b: Any, _c: Any, _d: Any, _e: Any) -> Any:
        return signature, generate

    return intrinsic(typing5)


def _pointer(builder: Any, address: Any, kind: ir.Type) -> Any:
    return builder.inttoptr(address, kind.as_pointer())


def _read(kind: ir.Type) -> Callable[[Any, Any], Any]:
    def emit(builder: Any, address: Any) -> Any:
        value = builder.load(_pointer(builder, address, kind))
        value.align = 1
        return value

    return emit


def _write(kind: ir.Type) -> Callable[[Any, Any, Any], None]:
    def emit(builder: Any, address: Any, value: Any) -> None:
        builder.store(value, _pointer(builder, address, kind)).align = 1

    return emit


def _splat(builder: Any, value: Any, vector: ir.VectorType) -> Any:
    first = builder.insert_element(
        ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0)
    )
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), None)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), zeros)


def _call(builder: Any, name: str, kind: ir.Type, *values: Any) -> Any:
    """Call an LLVM intrinsic whose result and first argument have one type."""
    of = kind.element if isinstance(kind, ir.VectorType) else kind
    suffix = f"{'f' if isinstance(of, (ir.FloatType, ir.DoubleType)) else 'i'}{_BITS[str(of)]}"
    if isinstance(kind, ir.VectorType):
        suffix = f"v{LANES}{suffix}"
    signature = ir.FunctionType(kind, [value.type for value in values])
    function = cgutils.get_or_insert_function(builder.module, signature, f"{name}.{suffix}")
    return builder.call(function, values)


_BITS = {"i16": 16, "i32": 32, "i64": 64, "float": 32, "double": 64}

# Scalars at an address.
_I8, _I16, _I64, _FLOAT, _DOUBLE = (
    ir.IntType(8),
    ir.IntType(16),
    ir.IntType(64),
    ir.FloatType(),
    ir.DoubleType(),
)
get_f64 = _operation(_REAL, [_INT], _read(_DOUBLE))
put_f64 = _operation(types.void, [_INT, _REAL], _write(_DOUBLE))
get_i64 = _operation(_INT, [_INT], _read(_I64))
put_i64 = _operation(types.void, [_INT, _INT], _write(_I64))
get_i32 = _operation(_INT, [_INT], lambda b, a: b.sext(_read(ir.IntType(32))(b, a), _I64))
get_u16 = _operation(_INT, [_INT], lambda b, a: b.zext(_read(_I16)(b, a), _I64))
put_u16 = _operation(types.void, [_INT, _INT], lambda b, a, v: _write(_I16)(b, a, b.trunc(v, _I16)))
get_f32 = _operation(_REAL, [_INT], lambda b, a: b.fpext(_read(_FLOAT)(b, a), _DOUBLE))
put_f32 = _operation(
    types.void, [_INT, _REAL], lambda b, a, v: _write(_FLOAT)(b, a, b.fptrunc(v, _FLOAT))
)
swap16 = _operation(
    _INT, [_INT], lambda b, v: b.zext(_call(b, "llvm.bswap", _I16, b.trunc(v, _I16)), _I64)
)
"""Exchange the two bytes of a 16-bit number."""
lowest_bit = _operation(
    _INT, [_INT], lambda b, v: _call(b, "llvm.cttz", _I64, v, ir.Constant(ir.IntType(1), 1))
)
"""Index of the lowest bit that is set; the number must not be 0."""
count_bits = _operation(_INT, [_INT], lambda b, v: _call(b, "llvm.ctpop", _I64, v))
square_root = _operation(_REAL, [_REAL], lambda b, v: _call(b, "llvm.sqrt", _DOUBLE, v))


def _positioned_read(
    builder: Any, function: Any, fd: Any, address: Any, size: Any, offset: Any
) -> Any:
    kind = ir.FunctionType(_I64, [ir.IntType(32), _I8.as_pointer(), _I64, _I64])
    call = builder.inttoptr(function, kind.as_pointer())
    fd = builder.trunc(fd, ir.IntType(32))
    return builder.call(call, [fd, _pointer(builder, address, _I8), size, offset])


positioned_read = _operation(_INT, [_INT] * 5, _positioned_read)
"""Call the C library's ``pread``, whose address is given first: bytes read, or -1."""

# 16-bit pixels.
load_u16 = _operation(U16, [_INT], _read(U16.llvm))
store_u16 = _operation(types.void, [_INT, U16], _write(U16.llvm))
splat_u16 = _operation(U16, [_INT], lambda b, v: _splat(b, b.trunc(v, _I16), U16.llvm))
swap_u16 = _operation(U16, [U16], lambda b, v: _call(b, "llvm.bswap", U16.llvm, v))
xor_u16 = _operation(U16, [U16, U16], lambda b, x, y: b.xor(x, y))
min_u16 = _operation(U16, [U16, U16], lambda b, x, y: b.select(b.icmp_unsigned("<", x, y), x, y))
max_u16 = _operation(U16, [U16, U16], lambda b, x, y: b.select(b.icmp_unsigned("<", x, y), y, x))
count_less = _operation(
    U16,
    [U16, U16, U16],
    lambda b, n, x, y: b.sub(n, b.sext(b.icmp_unsigned("<", x, y), U16.llvm)),
)
"""n + 1 where x < y, else n."""
same_u16 = _operation(MASK, [U16, U16], lambda b, x, y: b.icmp_unsigned("==", x, y))
choose_u16 = _operation(U16, [MASK, U16, U16], lambda b, m, x, y: b.select(m, x, y))
count_where = _operation(U16, [U16, MASK], lambda b, n, m: b.add(n, b.zext(m, U16.llvm)))
"""n + 1 where the mask is set, else n."""
zero_u16 = _operation(U16, [], lambda b: ir.Constant(U16.llvm, None))
difference = _operation(I32, [U16, U16], lambda b, x, y: b.sext(b.sub(x, y), I32.llvm))
"""x - y as 32 bits, for pixels that are less than 32768 apart."""

# Sums of 16-bit differences, two rows at a time.
minus_u16 = _operation(U16, [U16, U16], lambda b, x, y: b.sub(x, y))
_FIRST = (0, 1, 2, 3, 8, 9, 10, 11)
"""Pixels whose pairs lie side by side after one instruction."""


def _lanes(numbers: Sequence[int]) -> ir.Constant:
    return ir.Constant(ir.VectorType(ir.IntType(32), len(numbers)), list(numbers))


def _pairs(offset: int) -> Callable[[Any, Any, Any], Any]:
    order = [lane for i in _FIRST for lane in (i + offset, i + offset + LANES)]
    return lambda b, x, y: b.shuffle_vector(x, y, _lanes(order))


first_pairs = _operation(U16, [U16, U16], _pairs(0))
"""Eight pixels of two rows, side by side; `last_pairs` gives the other eight."""
last_pairs = _operation(U16, [U16, U16], _pairs(4))
_PAIRED = "+avx2" in llvm.get_host_cpu_features().flatten()


def _multiplied_pairs(builder: Any, x: Any, y: Any) -> Any:
    """x0 y0 + x1 y1, x2 y2 + x3 y3, ... of signed numbers."""
    if _PAIRED:
        kind = ir.FunctionType(HALF.llvm, [U16.llvm, U16.llvm])
        multiply = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx2.pmadd.wd")
        return builder.call(multiply, [x, y])
    products = builder.mul(builder.sext(x, I32.llvm), builder.sext(y, I32.llvm))
    even, odd = _lanes(range(0, LANES, 2)), _lanes(range(1, LANES, 2))
    return builder.add(
        builder.shuffle_vector(products, products, even),
        builder.shuffle_vector(products, products, odd),
    )


add_pairs = _operation(
    HALF, [HALF, U16, U16], lambda b, sums, x, y: b.add(sums, _multiplied_pairs(b, x, y))
)
zero_half = _operation(HALF, [], lambda b: ir.Constant(HALF.llvm, None))
joined = _operation(
    I32,
    [HALF, HALF],
    lambda b, x, y: b.shuffle_vector(
        x, y, _lanes([*range(4), *range(8, 12), *range(4, 8), *range(12, 16)])
    ),
)
"""Sums of the first and the last pairs as sums of sixteen pixels."""

# 32-bit sums.
zero_i32 = _operation(I32, [], lambda b: ir.Constant(I32.llvm, None))
add_i32 = _operation(I32, [I32, I32], lambda b, x, y: b.add(x, y))
mul_i32 = _operation(I32, [I32, I32], lambda b, x, y: b.mul(x, y))
ones_where = _operation(I32, [MASK], lambda b, m: b.zext(m, I32.llvm))

# float32 pixels.
load_f32 = _operation(F32, [_INT], _read(F32.llvm))
store_f32 = _operation(types.void, [_INT, F32], _write(F32.llvm))
load_big_f32 = _operation(
    F32,
    [_INT],
    lambda b, a: b.bitcast(_call(b, "llvm.bswap", I32.llvm, _read(I32.llvm)(b, a)), F32.llvm),
)
"""Sixteen big-endian floats."""

swap_i32 = _operation(I32, [I32], lambda b, v: _call(b, "llvm.bswap", I32.llvm, v))

# Arithmetic in float32.
splat_f32 = _operation(F32, [_REAL], lambda b, v: _splat(b, b.fptrunc(v, ir.FloatType()), F32.llvm))
add_f32 = _operation(F32, [F32, F32], lambda b, x, y: b.fadd(x, y))
sub_f32 = _operation(F32, [F32, F32], lambda b, x, y: b.fsub(x, y))
mul_f32 = _operation(F32, [F32, F32], lambda b, x, y: b.fmul(x, y))
fma_f32 = _operation(
    F32, [F32, F32, F32], lambda b, x, y, z: _call(b, "llvm.fmuladd", F32.llvm, x, y, z)
)
"""x y + z, in one step where the processor can: use it where x y is exact, so that both agree."""
div_f32 = _operation(F32, [F32, F32], lambda b, x, y: b.fdiv(x, y))
min_f32 = _operation(F32, [F32, F32], lambda b, x, y: b.select(b.fcmp_ordered("<", x, y), x, y))
max_f32 = _operation(F32, [F32, F32], lambda b, x, y: b.select(b.fcmp_ordered(">", x, y), x, y))
abs_f32 = _operation(F32, [F32], lambda b, v: _call(b, "llvm.fabs", F32.llvm, v))
rounded_f32 = _operation(F32, [F32], lambda b, v: _call(b, "llvm.rint", F32.llvm, v))
sign_f32 = _operation(
    F32,
    [F32],
    lambda b, v: _call(b, "llvm.copysign", F32.llvm, ir.Constant(F32.llvm, [1.0] * LANES), v),
)
"""-1 below zero, else 1."""
at_most_f32 = _operation(MASK, [F32, F32], lambda b, x, y: b.fcmp_ordered("<=", x, y))
less_f32 = _operation(MASK, [F32, F32], lambda b, x, y: b.fcmp_ordered("<", x, y))
f32_from_i32 = _operation(F32, [I32], lambda b, v: b.sitofp(v, F32.llvm))
f32_from_u16 = _operation(F32, [U16], lambda b, v: b.sitofp(b.zext(v, I32.llvm), F32.llvm))

# Arithmetic in float64.
load_f64 = _operation(F64, [_INT], _read(F64.llvm))
store_f64 = _operation(types.void, [_INT, F64], _write(F64.llvm))
zero_f64 = _operation(F64, [], lambda b: ir.Constant(F64.llvm, None))
splat_f64 = _operation(F64, [_REAL], lambda b, v: _splat(b, v, F64.llvm))
add_f64 = _operation(F64, [F64, F64], lambda b, x, y: b.fadd(x, y))
sub_f64 = _operation(F64, [F64, F64], lambda b, x, y: b.fsub(x, y))
mul_f64 = _operation(F64, [F64, F64], lambda b, x, y: b.fmul(x, y))
div_f64 = _operation(F64, [F64, F64], lambda b, x, y: b.fdiv(x, y))
sqrt_f64 = _operation(F64, [F64], lambda b, v: _call(b, "llvm.sqrt", F64.llvm, v))
min_f64 = _operation(F64, [F64, F64], lambda b, x, y: b.select(b.fcmp_ordered("<", x, y), x, y))
max_f64 = _operation(F64, [F64, F64], lambda b, x, y: b.select(b.fcmp_ordered(">", x, y), x, y))
floor_f64 = _operation(F64, [F64], lambda b, v: _call(b, "llvm.floor", F64.llvm, v))
ceil_f64 = _operation(F64, [F64], lambda b, v: _call(b, "llvm.ceil", F64.llvm, v))
choose_f64 = _operation(F64, [MASK, F64, F64], lambda b, m, x, y: b.select(m, x, y))
f64_from_i32 = _operation(F64, [I32], lambda b, v: b.sitofp(v, F64.llvm))
f64_from_u16 = _operation(F64, [U16], lambda b, v: b.sitofp(b.zext(v, I32.llvm), F64.llvm))
f64_from_f32 = _operation(F64, [F32], lambda b, v: b.fpext(v, F64.llvm))
f32_from_f64 = _operation(F32, [F64], lambda b, v: b.fptrunc(v, F32.llvm))
u16_from_f64 = _operation(U16, [F64], lambda b, v: b.trunc(b.fptosi(v, I32.llvm), U16.llvm))
"""For whole numbers from 0 to 65535."""
i16_as_f64 = _operation(F64, [U16], lambda b, v: b.sitofp(b.sext(v, I32.llvm), F64.llvm))


def _alternate(builder: Any, even: Any, odd: Any) -> Any:
    evens, odds = _splat(builder, even, F64.llvm), _splat(builder, odd, F64.llvm)
    lanes = ir.Constant(
        ir.VectorType(ir.IntType(32), LANES), [i + LANES * (i % 2) for i in range(LANES)]
    )
    return builder.shuffle_vector(evens, odds, lanes)


alternate_f64 = _operation(F64, [_REAL, _REAL], _alternate)
"""even, odd, even, odd, ...: the two colours of a row of a colour sensor."""

# Masks.
less_f64 = _operation(MASK, [F64, F64], lambda b, x, y: b.fcmp_ordered("<", x, y))
at_most = _operation(MASK, [F64, F64], lambda b, x, y: b.fcmp_ordered("<=", x, y))
"""Where x <= y; not where either is NaN."""
both = _operation(MASK, [MASK, MASK], lambda b, x, y: b.and_(x, y))
either = _operation(MASK, [MASK, MASK], lambda b, x, y: b.or_(x, y))
is_finite = _operation(
    MASK,
    [F32],
    lambda b, v: b.fcmp_ordered(
        "<", _call(b, "llvm.fabs", F32.llvm, v), ir.Constant(F32.llvm, [float("inf")] * LANES)
    ),
)
choose_f32 = _operation(F32, [MASK, F32, F32], lambda b, m, x, y: b.select(m, x, y))
infinity_f32 = _operation(F32, [], lambda b: ir.Constant(F32.llvm, [float("inf")] * LANES))
same_i32 = _operation(MASK, [I32, I32], lambda b, x, y: b.icmp_signed("==", x, y))
splat_i32 = _operation(I32, [_INT], lambda b, v: _splat(b, b.trunc(v, ir.IntType(32)), I32.llvm))
load_i32 = _operation(I32, [_INT], _read(I32.llvm))
store_i32 = _operation(types.void, [_INT, I32], _write(I32.llvm))
bits_where = _operation(_INT, [MASK], lambda b, m: b.zext(b.bitcast(m, ir.IntType(LANES)), _I64))
"""One bit for each lane where the mask is set, lane 0 lowest."""
bits_where_not = _operation(
    _INT,
    [MASK],
    lambda b, m: b.zext(
        b.bitcast(b.xor(m, ir.Constant(MASK.llvm, [1] * LANES)), ir.IntType(LANES)), _I64
    ),
)
"""One bit for each lane where the mask is not set, lane 0 lowest."""


def sorting_network(kind: Any, row_bytes: int, network: Sequence[tuple[int, int]]) -> Any:
    """Make ``sort(address)``: sort rows that lie one behind the other, lane by lane.

    Sixteen pixels wide. All comparisons happen in registers, so each row is read and written once.
    """
    rows = max(map(max, network)) + 1

    def emit(builder: Any, address: Any) -> None:
        places = [builder.add(address, ir.Constant(_I64, i * row_bytes)) for i in range(rows)]
        values = [_read(kind.llvm)(builder, place) for place in places]
        for i, j in network:
            values[i], values[j] = _ordered(builder, kind, values[i], values[j])
        for place, value in zip(places, values, strict=True):
            _write(kind.llvm)(builder, place, value)

    return _operation(types.void, [_INT], emit)


def sorted_from(row_bytes: int, network: Sequence[tuple[int, int]]) -> Any:
    """Make ``sort(address, source, stride, rows, flip)``: sort big-endian codes into a block.

    Row i comes from ``source + i * stride``; from row ``rows`` on, of which there are less than
    four, the largest code stands for it. ``flip`` makes codes sort as unsigned numbers.
    """
    length = max(map(max, network)) + 1
    filled = ir.Constant(U16.llvm, [0xFFFF] * LANES)

    def emit(builder: Any, address: Any, source: Any, stride: Any, rows: Any, flip: Any) -> None:
        values, place = [], source
        for i in range(length):
            sure = i < length - 3
            here = ir.Constant(_I64, i)
            there = ir.Constant(ir.IntType(1), 1) if sure else builder.icmp_signed("<", here, rows)
            codes = _read(U16.llvm)(builder, place)
            codes = builder.xor(_call(builder, "llvm.bswap", U16.llvm, codes), flip)
            values.append(codes if sure else builder.select(there, codes, filled))
            following = builder.add(place, stride)
            if i + 1 >= length - 3:
                more = builder.icmp_signed("<", ir.Constant(_I64, i + 1), rows)
                following = builder.select(more, following, place)
            place = following
        for i, j in network:
            values[i], values[j] = _ordered(builder, U16, values[i], values[j])
        for i, value in enumerate(values):
            _write(U16.llvm)(builder, builder.add(address, ir.Constant(_I64, i * row_bytes)), value)

    return _operation(types.void, [_INT, _INT, _INT, _INT, U16], emit)


def comparator(kind: Any, columns: int) -> Any:
    """Make ``exchange(low, high)``: put the smaller of two rows into the first, lane by lane."""

    def emit(builder: Any, low: Any, high: Any) -> None:
        size = LANES * (2 if kind is U16 else 4)
        for column in range(columns):
            step = ir.Constant(_I64, column * size)
            a, b = builder.add(low, step), builder.add(high, step)
            x, y = _read(kind.llvm)(builder, a), _read(kind.llvm)(builder, b)
            smaller, larger = _ordered(builder, kind, x, y)
            _write(kind.llvm)(builder, a, smaller)
            _write(kind.llvm)(builder, b, larger)

    return _operation(types.void, [_INT, _INT], emit)


def _ordered(builder: Any, kind: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Return (smaller, larger). Floats are never NaN here."""
    if kind is U16:
        less = builder.icmp_unsigned("<", x, y)
        return builder.select(less, x, y), builder.select(less, y, x)
    less = builder.fcmp_ordered("<", x, y)
    return builder.select(less, x, y), builder.select(less, y, x)
