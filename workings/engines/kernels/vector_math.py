"""Vectorizable elementary functions: exponential, logarithm, tanh, error function and related functions.

They consist of sums and products, which a compiler can turn into vector instructions; it cannot do that with the
functions of the C library.  In compiled programs they replace NumPy's functions of the same names.  They are accurate
to a few units in the last place and agree with NumPy for infinities and NaN.  (Exponentials below 1e-307 become 0.)

Method: Cody & Waite 1980, chapters 6 and 5, with polynomials fitted at Chebyshev nodes.  The error function is a
quotient of two polynomials with positive coefficients, equal to it at Chebyshev nodes.  Numbers are rounded to
integers by adding and subtracting 1.5 · 2^52, because AVX2 cannot convert vectors of floats to integers.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np

# The compiler may reorder the sums of a formula, but not these: it would remove the rounding by addition.
FLAGS = "nsz contract"

Number = TypeVar("Number", np.float64, np.float32, float)


def where(condition: bool | np.bool, yes: Number, no: Number) -> Number:
    """Return one of two numbers, both of which are computed."""
    return yes if condition else no


def maximum(a: Number, b: Number) -> Number:
    """Return the larger number; NaN if one of them is NaN."""
    return b if a < b or b != b else a


def minimum(a: Number, b: Number) -> Number:
    """Return the smaller number; NaN if one of them is NaN."""
    return b if a > b or b != b else a


def clip(x: Number, low: Number, high: Number) -> Number:
    """Limit a number to a range."""
    return minimum(maximum(x, low), high)


def power2(x: Number) -> Number:
    """Return the square."""
    return x * x


def power3(x: Number) -> Number:
    """Return the cube."""
    return x * x * x


def sign(x: Number) -> Number:
    """Return -1, 0 or 1; NaN for NaN."""
    return where(x > 0, x / x, where(x < 0, -(x / x), x))


def heaviside(x: Number, at_zero: Number) -> Number:
    """Return 0 below zero, 1 above, and ``at_zero`` at zero."""
    return where(x > 0, x / x, where(x < 0, x - x, where(x == 0, at_zero, x)))


# -- double precision -------------------------------------------------------------------------


def split64(x: float) -> tuple[float, float]:
    """Return exp(r) - 1 and 2^(k-1), for x = k · log 2 + r with an integer k and a small r."""
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


def exp64(x: float) -> float:
    """Return the exponential."""
    inside = where(x < -708.0, -708.0, where(x > 709.7827128933841, 709.7827128933841, x))
    p, s = split64(inside)
    result = 2.0 * (p * s + s)
    return where(x > 709.7827128933841, np.inf, where(x < -708.0, 0.0, result))


def expm1_64(x: float) -> float:
    """Return the exponential minus 1, accurate near 0."""
    inside = where(x < -50.0, -50.0, where(x > 709.7827128933841, 709.7827128933841, x))
    p, s = split64(inside)
    result = 2.0 * (p * s + (s - 0.5))
    return where(x > 709.7827128933841, np.inf, result)


def tanh64(x: float) -> float:
    """Return the hyperbolic tangent: (e^2x - 1) / (e^2x + 1)."""
    p, s = split64(where(x < -20.0, -40.0, where(x > 20.0, 40.0, 2.0 * x)))
    h = p * s + (s - 0.5)
    return h / (h + 1.0)


def log64(x: float) -> float:
    """Return the natural logarithm."""
    is_tiny = x < 2.2250738585072014e-308
    bits = np.float64(where(is_tiny, x * 18014398509481984.0, x)).view(np.int64)
    # The exponent of x / sqrt(1/2), so that the remaining factor lies between sqrt(1/2) and sqrt(2).
    shifted = bits - 4604544271217802189
    biased = (shifted >> 52) + 4843621399236968448  # an integer in the last bits of 1.5 · 2^52
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
    # log m = 2 s + s³ q, in the order with the least rounding error (m - 1 is exact).
    f = m - 1.0
    half = 0.5 * f * f
    result = k * 0.6931471803691238 - ((half - (s * (half + w * q) + k * 1.9082149292705877e-10)) - f)
    return where(x > 0.0, where(x == np.inf, x, result), where(x == 0.0, -np.inf, np.nan))


def log1p64(x: float) -> float:
    """Return the logarithm of 1 + x, accurate near 0."""
    u = 1.0 + x
    lost = (x - (u - 1.0)) / u
    return log64(u) + where((u > 0.0) & (u < np.inf), lost, 0.0)


def logaddexp64(a: float, b: float) -> float:
    """Return log(e^a + e^b) without overflow."""
    return where(a == b, a + 0.6931471805599453, maximum(a, b) + log1p64(exp64(-abs(a - b))))


def erf64(x: float) -> float:
    """Return the error function: x times a quotient of polynomials in x², beyond 5.87 almost 1."""
    c = where(x < -5.87, -5.87, where(x > 5.87, 5.87, x))
    y = c * c
    p = 5.760985883237629e-23 * y + 1.9042185330802296e-19
    p = p * y + 7.130637341797813e-17
    p = p * y + 7.235296900813436e-15
    p = p * y + 3.720463276417895e-13
    p = p * y + 1.6044948577487918e-11
    p = p * y + 4.926741097144619e-10
    p = p * y + 1.3721954687887938e-08
    p = p * y + 2.783755722256942e-07
    p = p * y + 5.434531811326087e-06
    p = p * y + 7.169387187043736e-05
    p = p * y + 0.0009831545082081507
    p = p * y + 0.007573323875127661
    p = p * y + 0.06884145975568284
    p = p * y + 0.2268302726762008
    p = p * y + 1.1283791670955128
    q = 4.8969023027701494e-21 * y + 4.480467816369138e-18
    q = q * y + 8.194784709212364e-16
    q = q * y + 5.3622543596648495e-14
    q = q * y + 2.5309401942947364e-12
    q = q * y + 9.141090220791944e-11
    q = q * y + 2.6602377027391122e-09
    q = q * y + 6.354821573816896e-08
    q = q * y + 1.2547136521757687e-06
    q = q * y + 2.0423040454617216e-05
    q = q * y + 0.00027104295221913583
    q = q * y + 0.0028721615798947583
    q = q * y + 0.023461552733866502
    q = q * y + 0.13912796471849984
    q = q * y + 0.5343564284867788
    q = q * y + 1.0
    result = c * p / q
    return where(result < -1.0, -1.0, where(result > 1.0, 1.0, result))


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

ERF_TOP = np.float32(3.85)
P5, P4, P3 = np.float32(8.311827130939347e-06), np.float32(0.0004453033335698007), np.float32(0.00415362472769123)
P2, P1, P0 = np.float32(0.056035647694296434), np.float32(0.18869499216812918), np.float32(1.1283792904931325)
Q6, Q5, Q4 = np.float32(3.4232816967225945e-07), np.float32(8.340960152341096e-05), np.float32(0.001447828683816043)
Q3, Q2, Q1 = np.float32(0.01628303922698514), np.float32(0.11650615663918226), np.float32(0.5005621091088504)


def split32(x: np.float32) -> tuple[np.float32, np.float32]:
    """Return exp(r) - 1 and 2^(k-1), for x = k · log 2 + r with an integer k and a small r."""
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


def exp32(x: np.float32) -> np.float32:
    """Return the exponential."""
    x = np.float32(x)
    p, s = split32(where(x < EXP_BOTTOM, EXP_BOTTOM, where(x > EXP_TOP, EXP_TOP, x)))
    return where(x > EXP_TOP, INFINITY, where(x < EXP_BOTTOM, ZERO, TWO * (p * s + s)))


def expm1_32(x: np.float32) -> np.float32:
    """Return the exponential minus 1, accurate near 0."""
    x = np.float32(x)
    p, s = split32(where(x < EXPM1_BOTTOM, EXPM1_BOTTOM, where(x > EXP_TOP, EXP_TOP, x)))
    return where(x > EXP_TOP, INFINITY, TWO * (p * s + (s - HALF)))


def tanh32(x: np.float32) -> np.float32:
    """Return the hyperbolic tangent: (e^2x - 1) / (e^2x + 1)."""
    x = np.float32(x)
    p, s = split32(where(x < -NINE, TWO * -NINE, where(x > NINE, TWO * NINE, TWO * x)))
    h = p * s + (s - HALF)
    return h / (h + ONE)


def log32(x: np.float32) -> np.float32:
    """Return the natural logarithm."""
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


def log1p32(x: np.float32) -> np.float32:
    """Return the logarithm of 1 + x, accurate near 0."""
    x = np.float32(x)
    u = ONE + x
    lost = (x - (u - ONE)) / u
    return log32(u) + where((u > ZERO) & (u < INFINITY), lost, ZERO)


def logaddexp32(a: np.float32, b: np.float32) -> np.float32:
    """Return log(e^a + e^b) without overflow."""
    a, b = np.float32(a), np.float32(b)
    return where(a == b, a + LN2_32, maximum(a, b) + log1p32(exp32(-abs(a - b))))


def erf32(x: np.float32) -> np.float32:
    """Return the error function: x times a quotient of polynomials in x², beyond 3.85 almost 1."""
    x = np.float32(x)
    c = where(x < -ERF_TOP, -ERF_TOP, where(x > ERF_TOP, ERF_TOP, x))
    y = c * c
    p = P5 * y + P4
    p = p * y + P3
    p = p * y + P2
    p = p * y + P1
    p = p * y + P0
    q = Q6 * y + Q5
    q = q * y + Q4
    q = q * y + Q3
    q = q * y + Q2
    q = q * y + Q1
    q = q * y + ONE
    result = c * p / q
    return where(result < -ONE, -ONE, where(result > ONE, ONE, result))
