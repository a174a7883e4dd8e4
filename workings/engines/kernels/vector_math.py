"""Elementary functions that a processor computes several at a time.

The exponential, the logarithm and their kin, as sums and products that a compiler turns into vector
instructions; the C library's own cannot be turned so.  They take the place of NumPy's functions of the
same names when a program is compiled, are accurate to a few units in the last place, and give what
NumPy gives for infinities and for what is not a number.  (Exponentials below 1e-307 become 0.)

Method: Cody & Waite 1980, chapters 6 and 5, with polynomials fitted at Chebyshev nodes; rounding to a
whole number by adding and subtracting 1.5 · 2^52, because AVX2 cannot turn vectors of floats into integers.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic

from workings.engines.contract import CACHE_LINE

# Sums of a formula may be put in another order; here they may not, or rounding by adding would be optimized away.
AS_WRITTEN = {"contract", "nsz"}
entrywise = numba.njit(forceinline=True, fastmath=AS_WRITTEN, error_model="numpy")
IS_COMPILED = not numba.config.DISABLE_JIT


@entrywise
def where(condition: Any, yes: Any, no: Any) -> Any:
    """One of two numbers, both of which are computed."""
    return yes if condition else no


@entrywise
def maximum(a: Any, b: Any) -> Any:
    """The larger number; not a number if one of them is not."""
    return b if a < b or b != b else a


@entrywise
def minimum(a: Any, b: Any) -> Any:
    """The smaller number; not a number if one of them is not."""
    return b if a > b or b != b else a


@entrywise
def clip(x: Any, low: Any, high: Any) -> Any:
    """The number, or the nearer end of a range."""
    return minimum(maximum(x, low), high)


@entrywise
def power2(x: Any) -> Any:
    """The square."""
    return x * x


@entrywise
def power3(x: Any) -> Any:
    """The cube."""
    return x * x * x


@entrywise
def sign(x: Any) -> Any:
    """-1, 0 or 1; what is not a number stays so."""
    return where(x > 0, x / x, where(x < 0, -(x / x), x))


@entrywise
def heaviside(x: Any, at_zero: Any) -> Any:
    """0 below zero, 1 above, and a number of choice at zero."""
    return where(x > 0, x / x, where(x < 0, x - x, where(x == 0, at_zero, x)))


# -- double precision -------------------------------------------------------------------------


@entrywise
def split64(x: float) -> tuple[float, float]:
    """exp(r) - 1 and 2^(k-1), for x = k · log 2 + r with a whole k and a small r."""
    t = x * 1.4426950408889634 + 6755399441055744.0
    k = t - 6755399441055744.0
    r = x - k * 0.6931471803691238 - k * 1.9082149292705877e-10
    q = 2.5100472505694996e-8 * r + 2.7620201591031549e-7
    q = q * r + 2.7557268276905696e-6
    q = q * r + 2.4801521057868205e-5
    q = q * r + 1.9841269863171556e-4
    q = q * r + 1.3888888917367081e-3
    q = q * r + 8.3333333333300382e-3
    q = q * r + 4.1666666666623821e-2
    q = q * r + 1.6666666666666667e-1
    q = q * r + 0.5
    power = (np.float64(t).view(np.int64) << 52) + 4602678819172646912
    return r * r * q + r, np.int64(power).view(np.float64)


@entrywise
def exp64(x: float) -> float:
    """The exponential."""
    inside = where(x < -708.0, -708.0, where(x > 709.7827128933841, 709.7827128933841, x))
    p, s = split64(inside)
    result = 2.0 * (p * s + s)
    return where(x > 709.7827128933841, np.inf, where(x < -708.0, 0.0, result))


@entrywise
def expm1_64(x: float) -> float:
    """The exponential minus 1, accurate near 0."""
    inside = where(x < -50.0, -50.0, where(x > 709.7827128933841, 709.7827128933841, x))
    p, s = split64(inside)
    result = 2.0 * (p * s + (s - 0.5))
    return where(x > 709.7827128933841, np.inf, result)


@entrywise
def tanh64(x: float) -> float:
    """The hyperbolic tangent: (e^2x - 1) / (e^2x + 1)."""
    p, s = split64(where(x < -20.0, -40.0, where(x > 20.0, 40.0, 2.0 * x)))
    h = p * s + (s - 0.5)
    return h / (h + 1.0)


@entrywise
def log64(x: float) -> float:
    """The natural logarithm."""
    is_tiny = x < 2.2250738585072014e-308
    bits = np.float64(where(is_tiny, x * 18014398509481984.0, x)).view(np.int64)
    # The exponent of x / sqrt(1/2): so the rest lies between sqrt(1/2) and sqrt(2).
    shifted = bits - 4604544271217802189
    biased = (shifted >> 52) + 4843621399236968448  # a whole number in the last bits of 1.5 · 2^52
    k = np.int64(biased).view(np.float64) - 6755399441055744.0
    m = np.int64(bits - ((shifted >> 52) << 52)).view(np.float64)
    k = where(is_tiny, k - 54.0, k)
    s = (m - 1.0) / (m + 1.0)
    w = s * s
    q = 0.14617807153417324 * w + 0.15331611722055008
    q = q * w + 0.18182892432536871
    q = q * w + 0.22222211089379497
    q = q * w + 0.28571428626253838
    q = q * w + 0.39999999999898891
    q = q * w + 0.66666666666666697
    # log m = 2 s + s³ q, in the order that loses least (m - 1 is exact).
    f = m - 1.0
    half = 0.5 * f * f
    result = k * 0.6931471803691238 - ((half - (s * (half + w * q) + k * 1.9082149292705877e-10)) - f)
    return where(x > 0.0, where(x == np.inf, x, result), where(x == 0.0, -np.inf, np.nan))


@entrywise
def log1p64(x: float) -> float:
    """The logarithm of 1 + x, accurate near 0."""
    u = 1.0 + x
    lost = (x - (u - 1.0)) / u
    return log64(u) + where((u > 0.0) & (u < np.inf), lost, 0.0)


@entrywise
def logaddexp64(a: float, b: float) -> float:
    """log(e^a + e^b), which does not overflow."""
    return where(a == b, a + 0.6931471805599453, maximum(a, b) + log1p64(exp64(-abs(a - b))))


# -- single precision -------------------------------------------------------------------------

ONE, HALF = np.float32(1), np.float32(0.5)
MAGIC = np.float32(12582912.0)
LOG2E = np.float32(1.4426950408889634)
LN2_HIGH, LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
E5, E4, E3 = np.float32(1.9890080364e-4), np.float32(1.3933730716e-3), np.float32(8.3333108446e-3)
E2, E1 = np.float32(4.1666464197e-2), np.float32(1.6666666682e-1)
EXP_TOP, EXP_BOTTOM, INFINITY = np.float32(88.72283), np.float32(-87.0), np.float32(np.inf)
ZERO, TWO, NINE, EXPM1_BOTTOM = np.float32(0), np.float32(2), np.float32(10), np.float32(-20)
L2, L1, L0 = np.float32(0.29580985979), np.float32(0.39988757616847), np.float32(0.66666685095429)
LN2_32 = np.float32(0.6931471805599453)
NOT_A_NUMBER = np.float32(np.nan)
TINY, LARGER, MORE = np.float32(1.17549435e-38), np.float32(33554432.0), np.float32(25)


@entrywise
def split32(x: Any) -> tuple[Any, Any]:
    """exp(r) - 1 and 2^(k-1), for x = k · log 2 + r with a whole k and a small r."""
    t = x * LOG2E + MAGIC  # x must be single, or MAGIC does not round
    k = t - MAGIC
    r = x - k * LN2_HIGH - k * LN2_LOW
    q = E5 * r + E4
    q = q * r + E3
    q = q * r + E2
    q = q * r + E1
    q = q * r + HALF
    power = (np.float32(t).view(np.int32) << np.int32(23)) + np.int32(1056964608)
    return r * r * q + r, np.int32(power).view(np.float32)


@entrywise
def exp32(x: Any) -> Any:
    """The exponential."""
    x = np.float32(x)
    p, s = split32(where(x < EXP_BOTTOM, EXP_BOTTOM, where(x > EXP_TOP, EXP_TOP, x)))
    return where(x > EXP_TOP, INFINITY, where(x < EXP_BOTTOM, ZERO, TWO * (p * s + s)))


@entrywise
def expm1_32(x: Any) -> Any:
    """The exponential minus 1, accurate near 0."""
    x = np.float32(x)
    p, s = split32(where(x < EXPM1_BOTTOM, EXPM1_BOTTOM, where(x > EXP_TOP, EXP_TOP, x)))
    return where(x > EXP_TOP, INFINITY, TWO * (p * s + (s - HALF)))


@entrywise
def tanh32(x: Any) -> Any:
    """The hyperbolic tangent: (e^2x - 1) / (e^2x + 1)."""
    x = np.float32(x)
    p, s = split32(where(x < -NINE, TWO * -NINE, where(x > NINE, TWO * NINE, TWO * x)))
    h = p * s + (s - HALF)
    return h / (h + ONE)


@entrywise
def log32(x: Any) -> Any:
    """The natural logarithm."""
    x = np.float32(x)
    is_tiny = x < TINY
    bits = np.float32(where(is_tiny, x * LARGER, x)).view(np.int32)
    shifted = np.int32(bits - np.int32(1060439283))
    exponent = np.int32(shifted >> np.int32(23))
    k = np.int32(exponent + np.int32(1262485504)).view(np.float32) - MAGIC
    m = np.int32(bits - np.int32(exponent << np.int32(23))).view(np.float32)
    k = where(is_tiny, k - MORE, k)
    f = m - ONE
    s = f / (m + ONE)
    w = s * s
    q = (L2 * w + L1) * w + L0
    half = HALF * f * f
    result = k * LN2_HIGH - ((half - (s * (half + w * q) + k * LN2_LOW)) - f)
    return where(x > ZERO, where(x == INFINITY, x, result), where(x == ZERO, -INFINITY, NOT_A_NUMBER))


@entrywise
def log1p32(x: Any) -> Any:
    """The logarithm of 1 + x, accurate near 0."""
    x = np.float32(x)
    u = ONE + x
    lost = (x - (u - ONE)) / u
    return log32(u) + where((u > ZERO) & (u < INFINITY), lost, ZERO)


@entrywise
def logaddexp32(a: Any, b: Any) -> Any:
    """log(e^a + e^b), which does not overflow."""
    a, b = np.float32(a), np.float32(b)
    return where(a == b, a + LN2_32, maximum(a, b) + log1p32(exp32(-abs(a - b))))


@intrinsic
def pointer(typing: Any, address: Any, number: Any) -> Any:
    """An address as a pointer to numbers of one kind, of which one is given."""
    kind = numba.types.CPointer(number)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(kind))

    return kind(types.int64, number), generate


@numba.njit(forceinline=True)
def taken(memory: Any, used: Any, shape: Any) -> Any:
    """An array in the room that a program is given, of which so many numbers are used; and how many are used then."""
    count = 1
    for length in shape:
        count *= length
    lanes = CACHE_LINE // memory.itemsize  # so each begins with a cache line, if the room does
    address = np.int64(memory.ctypes.data) + used * memory.itemsize
    return numba.carray(pointer(address, memory.dtype.type(0)), shape), used + -(-count // lanes) * lanes


def taken_in_python(memory: Any, used: Any, shape: Any) -> Any:
    """Do the same with NumPy, for NUMBA_DISABLE_JIT."""
    count, lanes = math.prod(shape), CACHE_LINE // memory.itemsize
    return memory[used : used + count].reshape(shape), used + -(-count // lanes) * lanes


@numba.njit(forceinline=True)
def flat(array: Any) -> Any:
    """All numbers of an array in one row."""
    return numba.carray(pointer(np.int64(array.ctypes.data), array.dtype.type(0)), (array.size,))


def flat_in_python(array: Any) -> Any:
    """Do the same with NumPy, for NUMBA_DISABLE_JIT."""
    return array.reshape(-1)


@intrinsic
def leave(typing: Any, asked: Any) -> Any:
    """Whether another thread has asked the one that runs this to return: the first number of an array is not 0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(asked)(context, builder, arguments[0])
        return builder.icmp_signed(
            "!=", builder.load_atomic(array.data, "seq_cst", 8), context.get_constant(types.int64, 0)
        )

    return types.boolean(asked), generate


def leave_in_python(asked: Any) -> bool:
    """Do the same with NumPy, for NUMBA_DISABLE_JIT."""
    return bool(asked[0])


@intrinsic
def use_wide_vectors(typing: Any) -> Any:
    """Let the function that calls this use vectors of 512 bits where the processor has them.

    LLVM takes 256 by default on processors whose first generation slowed down with wider ones.  And it puts vectors on
    the stack wherever that begins, which differs from process to process; across two pages of memory they are slow.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        for attribute in ('"prefer-vector-width"="512"', f"alignstack({CACHE_LINE})"):
            set.add(builder.function.attributes, attribute)
        return context.get_dummy_value()

    return types.void(), generate


def nothing() -> None:
    """Stand in for an instruction to the compiler where there is none."""


if not IS_COMPILED:  # NUMBA_DISABLE_JIT: the generated loops run as Python, with NumPy's functions
    use_wide_vectors, taken, leave, flat = nothing, taken_in_python, leave_in_python, flat_in_python
    for names in ("exp exp64 exp32", "expm1 expm1_64 expm1_32", "tanh tanh64 tanh32", "log log64 log32",
                  "log1p log1p64 log1p32", "logaddexp logaddexp64 logaddexp32"):  # fmt: skip
        numpys, *ours = names.split()
        globals().update(dict.fromkeys(ours, getattr(np, numpys)))
