"""Mistakes in your own code: a forward and a backward pass in NumPy, as courses have their students write them.

Each program is text with the two functions that ``check_my_gradients`` takes.  A mistake replaces lines of a right
program.  All programs have the same layers, so the wrong and the right version train from the same weights.
"""

from __future__ import annotations

from dataclasses import dataclass

from workings.errors import InputError
from workings.support.notebook import Readable

CLASSES, NUMBERS = ("moons", "circles", "spirals"), ("waves", "friedman", "hills")

BY_ROWS = """\
def forward(parameters, X, y):
    z1 = X @ parameters["W1"] + parameters["b1"]
    a1 = np.tanh(z1)
    z2 = a1 @ parameters["W2"] + parameters["b2"]
    p = 1 / (1 + np.exp(-z2))
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))


def backward(parameters, X, y):
    z1 = X @ parameters["W1"] + parameters["b1"]
    a1 = np.tanh(z1)
    p = 1 / (1 + np.exp(-(a1 @ parameters["W2"] + parameters["b2"])))
    dz2 = (p - y) / len(X)
    dW2 = a1.T @ dz2
    db2 = dz2.sum(axis=0)
    dz1 = dz2 @ parameters["W2"].T * (1 - a1**2)
    dW1 = X.T @ dz1
    db1 = dz1.sum(axis=0)
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}
"""

BY_COLUMNS = """\
def forward(parameters, X, Y):
    A1 = np.tanh(parameters["W1"] @ X + parameters["b1"])
    A2 = 1 / (1 + np.exp(-(parameters["W2"] @ A1 + parameters["b2"])))
    return -np.mean(Y * np.log(A2) + (1 - Y) * np.log(1 - A2))


def backward(parameters, X, Y):
    m = X.shape[1]
    A1 = np.tanh(parameters["W1"] @ X + parameters["b1"])
    A2 = 1 / (1 + np.exp(-(parameters["W2"] @ A1 + parameters["b2"])))
    dZ2 = A2 - Y
    dW2 = dZ2 @ A1.T / m
    db2 = dZ2.sum(axis=1, keepdims=True) / m
    dZ1 = parameters["W2"].T @ dZ2 * (1 - A1**2)
    dW1 = dZ1 @ X.T / m
    db1 = dZ1.sum(axis=1, keepdims=True) / m
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}
"""

OF_NUMBERS = """\
def forward(parameters, X, y):
    a1 = np.tanh(X @ parameters["W1"] + parameters["b1"])
    p = a1 @ parameters["W2"] + parameters["b2"]
    return np.mean((p - y.reshape(-1, 1)) ** 2)


def backward(parameters, X, y):
    a1 = np.tanh(X @ parameters["W1"] + parameters["b1"])
    p = a1 @ parameters["W2"] + parameters["b2"]
    dp = 2 * (p - y.reshape(-1, 1)) / len(X)
    dz1 = dp @ parameters["W2"].T * (1 - a1**2)
    return {"W1": X.T @ dz1, "b1": dz1.sum(axis=0), "W2": a1.T @ dp, "b2": dp.sum(axis=0)}
"""

WITH_KEPT_GRADIENTS = """\
gradients = {"W1": 0.0, "b1": 0.0, "W2": 0.0, "b2": 0.0}


def forward(parameters, X, y):
    a1 = np.tanh(X @ parameters["W1"] + parameters["b1"])
    p = 1 / (1 + np.exp(-(a1 @ parameters["W2"] + parameters["b2"])))
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))


def backward(parameters, X, y):
    a1 = np.tanh(X @ parameters["W1"] + parameters["b1"])
    p = 1 / (1 + np.exp(-(a1 @ parameters["W2"] + parameters["b2"])))
    dz2 = (p - y) / len(X)
    dz1 = dz2 @ parameters["W2"].T * (1 - a1**2)
    gradients["W2"] = a1.T @ dz2
    gradients["b2"] = dz2.sum(axis=0)
    gradients["W1"] = X.T @ dz1
    gradients["b1"] = dz1.sum(axis=0)
    return gradients
"""

WITH_SHIFTED_DATA = """\
def shifted(X):
    X = X - 0.5
    return X


def forward(parameters, X, y):
    a1 = np.tanh(shifted(X) @ parameters["W1"] + parameters["b1"])
    p = 1 / (1 + np.exp(-(a1 @ parameters["W2"] + parameters["b2"])))
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))


def backward(parameters, X, y):
    a1 = np.tanh(shifted(X) @ parameters["W1"] + parameters["b1"])
    p = 1 / (1 + np.exp(-(a1 @ parameters["W2"] + parameters["b2"])))
    y = y - p
    dz2 = -y / len(X)
    dz1 = dz2 @ parameters["W2"].T * (1 - a1**2)
    return {"W1": shifted(X).T @ dz1, "b1": dz1.sum(axis=0), "W2": a1.T @ dz2, "b2": dz2.sum(axis=0)}
"""

COMPLEX_STEP = 'forward({**parameters, "b2": parameters["b2"] + 1e-20j}, X, y)'
BY_COMPLEX_STEP = BY_ROWS.replace("db2 = dz2.sum(axis=0)", f"db2 = np.array([{COMPLEX_STEP}.imag]) / 1e-20")


@dataclass(frozen=True, repr=False)
class CodeMistake(Readable):
    """One common mistake in your own code.

    Attributes
    ----------
    name, title, what, source, mend : str
        As for a ``Mistake``.
    lines : tuple of (str, str)
        Pairs of a wrong line and the right line, which stands once in the right program.
    words : tuple of str
        What the gradient check says of the mistake.
    right : str
        The right program.
    rooms : tuple of str
        The data sets on which it can be shown.
    shift : float
        What the right program subtracts from all inputs.
    """

    name: str
    title: str
    what: str
    source: str
    mend: str
    lines: tuple[tuple[str, str], ...]
    words: tuple[str, ...]
    right: str = BY_ROWS
    rooms: tuple[str, ...] = CLASSES
    shift: float = 0.0
    place: str = "code"

    def __str__(self) -> str:
        return f"{self.title} ({self.name})\n{self.what}\nSource: {self.source}."

    @property
    def wrong(self) -> str:
        """The program with the mistake.

        Raises
        ------
        InputError
            If a right line does not stand once in the right program.
        """
        program = self.right.splitlines()
        for wrong, right in self.lines:
            places = [place for place, line in enumerate(program) if line.strip() == right]
            if len(places) != 1:
                raise InputError(f"The line {right!r} must stand once in the program; it stands {len(places)} times.")
            program[places[0]] = program[places[0]].replace(right, wrong)
        return "\n".join(program) + "\n"

    @property
    def has_samples_as_columns(self) -> bool:
        """Whether each column of X is a sample."""
        return self.right is BY_COLUMNS


COURSE = "deeplearning.ai, Planar data classification"
NUMPY = "NumPy's documentation"
CODE_MISTAKES: dict[str, CodeMistake] = {
    mistake.name: mistake
    for mistake in (
        CodeMistake(
            name="columns-summed-up",
            title="Bias gradient summed to one number, with samples as columns",
            what="Each column is a sample, and the bias gradient is summed over samples and units.",
            source=f"{COURSE}: np.sum with axis=1 and keepdims=True",
            mend="Sum over the samples only, and keep the column: .sum(axis=1, keepdims=True).",
            lines=(("db1 = dZ1.sum() / m", "db1 = dZ1.sum(axis=1, keepdims=True) / m"),),
            words=("summed to one number", "axis=1, keepdims=True"),
            right=BY_COLUMNS,
        ),
        CodeMistake(
            name="divided-by-features",
            title="Division by the number of features",
            what="Each column is a sample, but the mean divides by the number of rows of X, which are the features.",
            source=f"{COURSE}: m = X.shape[1]; in programs with samples as rows it is X.shape[0]",
            mend="The number of samples is X.shape[1] if samples are columns, and X.shape[0] if they are rows.",
            lines=(("m = X.shape[0]", "m = X.shape[1]"),),
            words=("divided by the number of features",),
            right=BY_COLUMNS,
        ),
        CodeMistake(
            name="gradients-added-up",
            title="Gradients added to the previous call's",
            what="The backward pass adds to the gradients of earlier calls, so each step repeats all earlier ones.",
            source="PyTorch's backward adds to .grad; its tutorials call zero_grad() in each step",
            mend="Assign the gradients, or begin each call with zeros.",
            lines=(
                ('gradients["W2"] += a1.T @ dz2', 'gradients["W2"] = a1.T @ dz2'),
                ('gradients["b2"] += dz2.sum(axis=0)', 'gradients["b2"] = dz2.sum(axis=0)'),
                ('gradients["W1"] += X.T @ dz1', 'gradients["W1"] = X.T @ dz1'),
                ('gradients["b1"] += dz1.sum(axis=0)', 'gradients["b1"] = dz1.sum(axis=0)'),
            ),
            words=("adds to the gradients of the call before",),
            right=WITH_KEPT_GRADIENTS,
        ),
        CodeMistake(
            name="inputs-changed-in-place",
            title="Inputs changed in place",
            what="The functions shift X itself and not a copy, so each call shifts it again.",
            source=f"{NUMPY}: X -= 0.5 changes the array that the caller passed, X = X - 0.5 makes a new one",
            mend="Write X = X - 0.5, which makes a new array.",
            lines=(("X -= 0.5", "X = X - 0.5"),),
            words=("forward changed X",),
            right=WITH_SHIFTED_DATA,
            shift=0.5,
        ),
        CodeMistake(
            name="targets-changed-in-place",
            title="Targets changed in place",
            what="The backward pass subtracts the predictions from y itself, so later calls get errors as targets.",
            source=f"{NUMPY}: y -= p changes the array that the caller passed, y = y - p makes a new one",
            mend="Write y = y - p, which makes a new array.",
            lines=(("y -= p", "y = y - p"),),
            words=("backward changed y",),
            right=WITH_SHIFTED_DATA,
            shift=0.5,
        ),
        CodeMistake(
            name="loss-in-float32",
            title="Gradients checked with a loss in float32",
            what="float32 has seven digits, so a finite difference of such a loss has about three.",
            source="CS231n, Neural Networks Part 3: use double precision for gradient checks",
            mend="Compute the loss in float64 for the check.",
            lines=(("p = 1 / (1 + np.exp(-z2.astype(np.float32)))", "p = 1 / (1 + np.exp(-z2))"),),
            words=("computed in float32",),
        ),
        CodeMistake(
            name="two-mistakes",
            title="Two mistakes at once",
            what="The gradient of W2 multiplies z1, and the derivative of tanh is missing before the first layer.",
            source="each alone: deeplearning.ai's dW2 = np.dot(dZ2, A1.T); jiexunsee/Neural-Network-with-Python#1",
            mend="Mend the last layer first: its gradients do not depend on the other layers.",
            lines=(
                ("dW2 = z1.T @ dz2", "dW2 = a1.T @ dz2"),
                ('dz1 = dz2 @ parameters["W2"].T', 'dz1 = dz2 @ parameters["W2"].T * (1 - a1**2)'),
            ),
            words=("it needs the activation a1, not z1", "first the derivative of the activation"),
        ),
        CodeMistake(
            name="targets-as-vector",
            title="Targets of shape (n,) against predictions of shape (n, 1)",
            what="NumPy compares each prediction with every target, so the loss says nothing about single rows.",
            source="GitHub pytorch/pytorch#16045; deepset-ai/FARM#229",
            mend="Give both the same shape: y.reshape(-1, 1).",
            lines=(("return np.mean((p - y) ** 2)", "return np.mean((p - y.reshape(-1, 1)) ** 2)"),),
            words=("compares each prediction with all targets", "y.reshape(-1, 1)"),
            right=OF_NUMBERS,
            rooms=NUMBERS,
        ),
        CodeMistake(
            name="z1-in-dW2",
            title="Pre-activation in the gradient of W2",
            what="The gradient of W2 multiplies z1, which the second layer never sees, instead of a1.",
            source=f"{COURSE}: the course asks for dW2 = np.dot(dZ2, A1.T)",
            mend="The gradient of W2 multiplies what W2 multiplies in the forward pass: a1.",
            lines=(("dW2 = z1.T @ dz2", "dW2 = a1.T @ dz2"),),
            words=("it needs the activation a1, not z1",),
        ),
        CodeMistake(
            name="log10-for-log",
            title="np.log10 in the loss",
            what="The loss is computed with np.log10, but its gradient belongs to np.log.",
            source="NumPy's np.log is the natural logarithm; math textbooks and calculators write ln",
            mend="Use np.log, the natural logarithm.",
            lines=(
                (
                    "return -np.mean(y * np.log10(p) + (1 - y) * np.log10(1 - p))",
                    "return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))",
                ),
            ),
            words=("base-10 logarithm",),
        ),
        CodeMistake(
            name="gradient-of-none",
            title="Gradient that is None",
            what="The method resize works in place and returns None.",
            source=f"{NUMPY} of ndarray.resize and ndarray.sort: they change the array and return None",
            mend="Use a method that returns the array, such as reshape.",
            lines=(("db2 = dz2.sum(axis=0).resize(1)", "db2 = dz2.sum(axis=0)"),),
            words=("returned None as the gradient of 'b2'",),
        ),
        CodeMistake(
            name="gradients-in-a-list",
            title="Gradients of weights and biases in one list",
            what="The gradient of W1 is a list that also holds the gradient of b1; their rows differ in length.",
            source="NumPy's NEP 34: arrays of nested lists of different lengths are no longer made",
            mend="Return one array for each parameter.",
            lines=(("dW1 = [X.T @ dz1, dz1.sum(axis=0)]", "dW1 = X.T @ dz1"),),
            words=("rows of different lengths as the gradient of 'W1'",),
        ),
        CodeMistake(
            name="complex-step",
            title="Complex step without its imaginary part",
            what="A tiny imaginary step gives the derivative as the imaginary part of the loss, which is not taken.",
            source="Squire & Trapp 1998, Using Complex Variables to Estimate Derivatives of Real Functions",
            mend="Take the imaginary part: .imag.",
            lines=((f"db2 = np.array([{COMPLEX_STEP}]) / 1e-20", f"db2 = np.array([{COMPLEX_STEP}.imag]) / 1e-20"),),
            words=("complex numbers as the gradient of 'b2'",),
            right=BY_COMPLEX_STEP,
        ),
        CodeMistake(
            name="gradient-as-text",
            title="Gradient that is text",
            what="The gradient is formatted for printing, so it is text and no number.",
            source="Python's documentation: a formatted string literal is a string",
            mend="Keep the number; format it only where it is printed.",
            lines=(('db2 = f"{dz2.sum():.6f}"', "db2 = dz2.sum(axis=0)"),),
            words=("(str) as the gradient of 'b2'",),
        ),
    )
}
