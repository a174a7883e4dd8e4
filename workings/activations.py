"""Activations: the nonlinear functions between layers, beside their derivatives.

Without them, a stack of layers would be one linear function.  Each activation is a plain function of ``z``; its
derivative may use ``z``, the result ``a``, or both.  They work for single numbers and for arrays, have no
branches, and keep the precision of their input: float32 stays float32.  The table at the end lists them.  A new
row there adds an activation to the engines, to the gradient check and to their tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from workings.errors import InputError, unknown_name
from workings.support.arrays import Values
from workings.support.formulas import letters_of
from workings.support.keywords import CheckedKeywords
from workings.support.ranges import as_number


@dataclass(frozen=True)
class Activation(CheckedKeywords):
    """An activation function and its derivative.

    Parameters
    ----------
    name : str
        The name in ``Dense(32, "name")``, in files and in plots.
    function : callable
        ``function(z)`` returns ``a``, with the shape of ``z``.  Scripts and worked steps print the first line of
        its docstring.
    derivative : callable
        A function of ``z``, ``a`` or both that returns da/dz.
    initializer : str
        The name of the default initializer of a layer with this activation.
    constants : mapping of str to float
        Constants that the functions take by name, such as the slope of a leaky ReLU.

    Examples
    --------
    >>> def softsign_of(z):
    ...     return z / (1 + np.abs(z))
    >>> def softsign_derivative(z):
    ...     return 1 / (1 + np.abs(z)) ** 2
    >>> softsign = Activation("softsign", softsign_of, softsign_derivative)
    >>> softsign(np.array([-1.0, 0.0, 3.0]))
    array([-0.5 ,  0.  ,  0.75])
    >>> softsign.slope(np.array([0.0, 1.0]))
    array([1.  , 0.25])
    """

    name: str
    function: Callable[..., Values]
    derivative: Callable[..., Values]
    initializer: str = "glorot_uniform"
    constants: Mapping[str, float] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        for name, function in (("function", self.function), ("derivative", self.derivative)):
            if not callable(function):
                raise InputError(
                    f"The {name} of an Activation is a function, as in Activation('name', f, df), not {function!r}."
                )

    def __call__(self, z: Values) -> Values:
        """Return ``a``, with the shape of ``z``."""
        return self.function(z, **self.constants)

    def slope(self, z: Values) -> Values:
        """Return the derivative da/dz at ``z``, with the shape of ``z``."""
        known = {"z": z, "a": self(z), **self.constants}
        return self.derivative(*(known[letter] for letter in letters_of(self.derivative, known)))

    def with_constants(self, **constants: float) -> Activation:
        """Return the same activation with other constants.

        >>> activation_named("leaky_relu").with_constants(slope=0.2)(np.array([-1.0, 1.0]))
        array([-0.2,  1. ])
        """
        for letter in constants.keys() - self.constants.keys():
            raise unknown_name(f"constant of {self.name}", letter, self.constants)
        numbers: dict[str, float] = {}
        for letter, value in constants.items():
            number = as_number(value)
            if number is None or not abs(number) < 1e100:
                raise InputError(f"The constant {letter} of {self.name} must be a number, not {value!r}.")
            numbers[letter] = number
        return replace(self, constants={**self.constants, **numbers})


def identity(z: Values) -> Values:
    """returns its input unchanged"""
    return z


def identity_derivative(z: Values) -> Values:
    """is 1 everywhere"""
    return np.ones_like(z)


def sigmoid(z: Values) -> Values:
    """maps each value to the interval (0, 1)"""
    return 1 / (1 + np.exp(-np.maximum(z, -88)))  # beyond -88, exp would overflow in float32


def sigmoid_derivative(a: Values) -> Values:
    """is largest, 1/4, at a = 1/2 and approaches 0 at both ends"""
    return a * (1 - a)


def tanh(z: Values) -> Values:
    """maps each value to the interval (-1, 1)"""
    return np.tanh(z)


def tanh_derivative(a: Values) -> Values:
    """is 1 at a = 0 and approaches 0 at both ends"""
    return 1 - a**2


def relu(z: Values) -> Values:
    """keeps positive values and sets all others to 0"""
    return np.maximum(z, 0)


def relu_derivative(z: Values) -> Values:
    """is 1 where z is positive, else 0"""
    return z > 0


def leaky_relu(z: Values, slope: float) -> Values:
    """keeps positive values and multiplies all others by a small slope"""
    return np.where(z > 0, z, slope * z)


def leaky_relu_derivative(z: Values, slope: float) -> Values:
    """is 1 where z is positive, else the small slope"""
    return slope + (1 - slope) * np.heaviside(z, 0)


def elu(z: Values, alpha: float) -> Values:
    """keeps positive values; negative ones level off at -alpha"""
    return np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0)))


def elu_derivative(z: Values, a: Values, alpha: float) -> Values:
    """is 1 where z is positive and decays to 0 below"""
    return np.where(z > 0, 1, a + alpha)


def selu(z: Values, alpha: float, scale: float) -> Values:
    """is a scaled ELU whose constants keep mean 0 and variance 1 from layer to layer"""
    return scale * elu(z, alpha)


def selu_derivative(z: Values, a: Values, alpha: float, scale: float) -> Values:
    """is the scaled derivative of the ELU"""
    return scale * elu_derivative(z, a / scale, alpha)


def erf(x: Values) -> Values:
    """is the error function, accurate to about 1e-15

    A Chebyshev series in u = 2t - 1, t = 1 / (1 + |x|/2), for exp(x²)·erfc(|x|)/t, fitted with
    60 digits; NumPy has no error function of its own.
    """
    t = 1 / (1 + 0.5 * np.abs(x))
    u = 2 * t - 1
    later, last = 0 * t, 0 * t
    # fmt: off
    for coefficient in (
        -6.3123833330921666e-17, -2.2782928905541435e-16, 1.5729347665263614e-15, -2.3587264370570865e-15,
        -1.2895042486992078e-14, 7.4187257034302074e-14, -6.1456001558404894e-14, -8.5864228496091441e-13,
        3.5714931494611002e-12, 2.0612138549569419e-12, -6.1603901051692507e-11, 1.4320822712241449e-10,
        6.3470582783620496e-10, -4.1547216310149076e-09, -1.2962846852311257e-09, 8.2346088274195525e-08,
        -1.4297608181169129e-07, -1.5154665553171476e-06, 5.4424416455050155e-06, 3.2780315741731371e-05,
        -1.6075829915379708e-04, -1.1128447433526325e-03, 3.6711423958366392e-03, 6.5095158828786525e-02,
        3.5543692127049849e-01,
    ):
        later, last = 2 * u * later - last + coefficient, later
    # fmt: on
    series = u * later - last + 0.5 * 1.1540674772329393772
    return np.sign(x) * (1 - t * np.exp(-x * x) * series)


def normal_cdf(z: Values) -> Values:
    """is the cumulative distribution function of the standard normal distribution"""
    return 0.5 * (1 + erf(0.7071067811865476 * z))


def gelu(z: Values) -> Values:
    """multiplies each value by its cumulative probability in the standard normal distribution"""
    return z * normal_cdf(z)


def gelu_derivative(z: Values) -> Values:
    """is the cumulative probability of z plus z times the density, both of the standard normal distribution"""
    return normal_cdf(z) + 0.3989422804014327 * z * np.exp(-0.5 * z**2)


def nearly_erf(z: Values) -> Values:
    """is a tanh that approximates the error function of z / √2"""
    return np.tanh(0.7978845608028654 * (z + 0.044715 * z**3))


def gelu_tanh(z: Values) -> Values:
    """is the GELU with its error function approximated by a tanh"""
    h = nearly_erf(z)
    return 0.5 * z * (1 + h)


def gelu_tanh_derivative(z: Values) -> Values:
    """follows from the product rule and the chain rule"""
    h = nearly_erf(z)
    return 0.5 * (1 + h) + 0.5 * z * (1 - h**2) * 0.7978845608028654 * (1 + 0.134145 * z**2)


def silu(z: Values) -> Values:
    """multiplies each value by its sigmoid"""
    s = sigmoid(z)
    return z * s


def silu_derivative(z: Values, a: Values) -> Values:
    """follows from the product rule"""
    s = sigmoid(z)
    return s + a * (1 - s)


def softplus(z: Values) -> Values:
    """is a smooth approximation of the ReLU"""
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def softplus_derivative(z: Values) -> Values:
    """is the sigmoid"""
    return sigmoid(z)


def exponential(z: Values) -> Values:
    """is e to the power of z, or of 20 for a larger z"""
    return np.exp(np.minimum(z, 20))  # beyond 20, the tanh of the softplus rounds to 1


def tanh_of_softplus(e: Values) -> Values:
    """is the tanh of the softplus, which is log(1 + e), between 0 and 1"""
    return e * (e + 2) / (e * (e + 2) + 2)


def mish(z: Values) -> Values:
    """multiplies each value by the tanh of its softplus"""
    e = exponential(z)
    h = tanh_of_softplus(e)
    return z * h


def mish_derivative(z: Values) -> Values:
    """follows from the product rule and the chain rule"""
    e = exponential(z)
    h = tanh_of_softplus(e)
    return h + z * (1 - h**2) * e / (1 + e)


def hard_tanh(z: Values) -> Values:
    """clips each value to the interval [-1, 1]"""
    return np.minimum(np.maximum(z, -1), 1)


def hard_tanh_derivative(z: Values) -> Values:
    """is 1 between -1 and 1, else 0"""
    return np.abs(z) < 1


# Sources: sigmoid, tanh, identity are textbook; relu Nair & Hinton 2010; leaky_relu Maas et al. 2013;
# elu Clevert et al. 2016 (eq. 16); selu Klambauer et al. 2017 (eq. 2, 14); gelu Hendrycks & Gimpel 2016;
# silu Elfwing et al. 2018; softplus Dugas et al. 2001; mish Misra 2020; hard_tanh Collobert 2004.
# fmt: off
ACTIVATIONS: dict[str, Activation] = {record.name: record for record in (
    Activation("identity",   identity,   identity_derivative),
    Activation("sigmoid",    sigmoid,    sigmoid_derivative),
    Activation("tanh",       tanh,       tanh_derivative),
    Activation("relu",       relu,       relu_derivative,       "he_normal"),
    Activation("leaky_relu", leaky_relu, leaky_relu_derivative, "he_normal", {"slope": 0.01}),
    Activation("elu",        elu,        elu_derivative,        "he_normal", {"alpha": 1.0}),
    Activation("selu",       selu,       selu_derivative,       "lecun_normal",
               {"alpha": 1.6732632423543772, "scale": 1.0507009873554805}),
    Activation("gelu",       gelu,       gelu_derivative,       "he_normal"),
    Activation("gelu_tanh",  gelu_tanh,  gelu_tanh_derivative,  "he_normal"),
    Activation("silu",       silu,       silu_derivative,       "he_normal"),
    Activation("softplus",   softplus,   softplus_derivative),
    Activation("mish",       mish,       mish_derivative,       "he_normal"),
    Activation("hard_tanh",  hard_tanh,  hard_tanh_derivative),
)}
# fmt: on


KNOWN_ELSEWHERE = {
    "softmax": "CrossEntropy() applies the softmax itself: leave the last layer without activation, as in Dense(10).",
    "linear": "It is called 'identity' here, and is the default.",
    "logistic": "It is called 'sigmoid' here.",
    "swish": "It is called 'silu' here.",
}


def activation_named(given: str | Activation) -> Activation:
    """Return an activation by its name; an activation is returned as it is.

    Raises
    ------
    InputError
        If the name is unknown; the message suggests the nearest name.
    """
    if isinstance(given, Activation):
        return given
    if isinstance(given, str):
        if given in ACTIVATIONS:
            return ACTIVATIONS[given]
        if given.lower() in KNOWN_ELSEWHERE:
            raise InputError(f"Unknown activation {given!r}. {KNOWN_ELSEWHERE[given.lower()]}")
        raise unknown_name("activation", given, ACTIVATIONS)
    raise InputError(
        f"An activation is a name or an Activation, not {given!r}. For your own function f with the "
        f'derivative df, pass Activation("name", f, df).'
    )
