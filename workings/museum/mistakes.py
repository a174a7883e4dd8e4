"""The museum of mistakes: famous ways to get a network wrong, each of which can be switched on in a real one.

A mistake changes one thing of a training that works: a statement of the program (by a rewrite of its syntax), the
data, the network's settings, or the training.  Each has the source where people made it or were warned of it, names the
finding by which the doctor should know it, and says how it is mended.  Together they are the doctor's test bench.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from workings.checks.findings import Diagnosis
from workings.errors import unknown_name
from workings.initializers import Constant, Normal
from workings.losses import Loss, SquaredError
from workings.museum import rewrites
from workings.museum.setups import (
    Setup,
    at_the_edge,
    by_heart,
    clipped_descent,
    edited,
    eight_sigmoids,
    free_descent,
    growing_rate,
    in_another_order,
    large_scores,
    leaky_hidden,
    narrow_and_deep,
    of_spread_twelve,
    one_hidden,
    one_large_column,
    one_unit,
    plain_descent,
    priced_descent,
    rare_class,
    rate,
    same,
    shuffled_ordered,
    square_hidden,
    stochastic_descent,
    stopped_in_time,
    tanh_hidden,
    unordered,
    with_all,
    with_data,
    with_hidden,
    with_last,
    with_penalty,
    with_settings,
    with_year,
)
from workings.optimizers import Adam, AdamW


@dataclass(frozen=True)
class Mistake:
    """One famous mistake.

    Attributes
    ----------
    name, title, what : str
        What it is called, and what it is in one sentence.
    source : str
        Where it was made, or warned of.
    place : str
        ``"statement"``, ``"data"``, ``"settings"`` or ``"training"``.
    change : callable
        Takes a setup that works, gives the one with the mistake.
    finding : str
        The finding by which the doctor should know it.
    words : str
        What the finding's text must hold to name it rightly; empty where the finding's name says all.
    mend : str
        How it is mended.
    lines : (str, str)
        The wrong line and the right one, where it is no statement of the program.
    prepare : callable
        What both networks are given so that the mistake can show.
    kind : str
        For which targets it is: ``"classes"``, ``"numbers"`` or ``""`` for all.
    also : tuple of str
        Findings that name it as rightly.
    """

    name: str
    title: str
    what: str
    source: str
    place: str
    change: Callable[[Setup], Setup]
    finding: str
    mend: str
    words: str = ""
    lines: tuple[str, str] = ("", "")
    prepare: Callable[[Setup], Setup] = field(default=same)
    kind: str = ""
    also: tuple[str, ...] = ()

    def is_named_by(self, diagnosis: Diagnosis) -> bool:
        """Whether a diagnosis finds the mistake and names it rightly."""
        return any(
            f.name in self.also or (f.name == self.finding and self.words in f.measured) for f in diagnosis.findings
        )


DIXON = 'Spencer Dixon, "Neural Networks from Scratch" (2017)'
MNIST_POST = "the MNIST post with Vangmay/From_Scratch_Implementations"
DUCK = 'Daniel Holden, "My Neural Network isn\'t working!" (theorangeduck.com, 2017)'
CS231N = "CS231n, Neural Networks Part"
# fmt: off
MISTAKES: dict[str, Mistake] = {mistake.name: mistake for mistake in (
    # statements of the program
    Mistake("softmax-axis", "Softmax over the wrong axis",
            "The exponentials are divided by the sum over the rows of the batch, not over the classes of a row.",
            "Stack Overflow 76450489: np.exp(z)/sum(np.exp(z)) with rows as samples", "statement",
            edited(rewrites.softmax_over_rows), "wrong-shares", "Sum over the classes: axis=1, keepdims=True.",
            kind="softmax"),
    Mistake("bias-summed-up", "Bias gradient summed to one number",
            "All biases of a layer get the same gradient, the sum over rows and units.",
            f"{MNIST_POST}: dB2 = 1/m * np.sum(dZ2)", "statement",
            edited(rewrites.bias_sums_without_axis), "wrong-gradient",
            "Sum over the rows only: dz.sum(axis=0).", words="summed to one number"),
    Mistake("forgotten-derivative", "The activation's derivative forgotten",
            "The gradient goes back through a layer as if it had no activation.",
            "GitHub jiexunsee/Neural-Network-with-Python#1; Bot-Academy/NeuralNetworkFromScratch#3", "statement",
            edited(rewrites.no_slopes), "wrong-gradient",
            "Multiply by the slope: dz = da * slope.", words="derivative"),
    Mistake("activation-for-derivative", "The function taken for its derivative",
            "A function called tanh_d computes tanh.", "GitHub andersbll/nnet#4, comment of 2016-06-16", "statement",
            edited(rewrites.activation_for_slope), "wrong-gradient", "The derivative of tanh is 1 - a**2.",
            prepare=tanh_hidden, words="derivative"),
    Mistake("slope-of-wrong-argument", "A derivative given the wrong argument",
            "A derivative that is written with the output a is given the sum z.",
            "GitHub davidrmiller/neural2d#40 and OpenANN/OpenANN#164, where it was the other way round",
            "statement", edited(rewrites.slope_of_sum), "wrong-gradient",
            "Give it what its formula is written with.", prepare=tanh_hidden, words="derivative"),
    Mistake("sum-for-mean", "A sum where a mean is meant",
            "The loss is a mean over the rows, its gradient is not divided by their number: steps grow with the batch.",
            "GitHub jxgu1016/MNIST_center_loss_pytorch#9; the moons tutorial prints a mean beside gradients of the sum",
            "statement", edited(rewrites.sum_for_mean), "wrong-gradient",
            "Divide the gradient by the number of rows.", words="a sum where a mean was meant", also=()),
    Mistake("penalty-sign", "L2 with the wrong sign",
            "The regularizer's part is taken off the gradient, so that weights grow in place of shrinking.",
            "GitHub andersbll/nnet#4: - self.weight_decay*self.W", "statement", edited(rewrites.penalty_sign),
            "wrong-gradient", "Add lam * W to the gradient.", words="regularizer", prepare=with_penalty(0.003)),
    Mistake("uphill", "The update's sign turned",
            "The gradient is added where it should be taken off: every step makes the objective larger.",
            f"{DIXON} warns of it in a comment: adding the gradient increases the cost", "statement",
            edited(rewrites.uphill), "uphill-update", "W = W - lr * dW."),
    Mistake("first-layer-frozen", "A layer that is never updated",
            "The backward pass or the update leaves out the first layer, which stays what chance made it.",
            f"{MNIST_POST}: the backward pass has two of three layers", "statement",
            edited(rewrites.first_layer_frozen), "frozen-parameter", "Update every parameter that has a gradient."),
    Mistake("overflowing-softmax", "Softmax without taking off the largest score",
            "exp of a score above 709 is infinite, and infinity by infinity is nan.",
            "Stack Overflow 76450489: RuntimeWarning, overflow encountered in exp", "statement",
            edited(rewrites.scores_not_shifted), "overflow", "Take off each row's largest score first.",
            kind="softmax", prepare=large_scores),
    Mistake("sum-for-activation", "The sum handed on in place of the activation",
            "The next layer is given z where it should be given a, so the forward pass has no bend there.",
            f"{MNIST_POST}: A2 is the sum, Z2 the activation, and the third layer is given A2", "statement",
            edited(rewrites.sum_for_activation), "wrong-gradient", "Hand a on to the next layer."),
    Mistake("weights-not-transposed", "The weights not transposed on the way back",
            "The gradient of a square layer is multiplied by W where W.T is right; the shapes fit, nothing complains.",
            "pytroubles.com 1785, a NumPy MNIST network stuck at 10 %: the backward pass mixes up matrix orientations",
            "statement",
            edited(rewrites.transposed_weights), "wrong-gradient", "dx = dz @ W.T.",
            prepare=square_hidden),
    Mistake("broadcast-targets", "Targets of shape (n, 1) against predictions of shape (n,)",
            "A column and a row are spread to a square: each prediction is compared with every target, and the best "
            "answer is the mean for all.",
            "GitHub pytorch/pytorch#16045; deepset-ai/FARM#229", "statement", edited(rewrites.targets_as_row),
            "wrong-shape", "Give both the same shape; the library refuses such targets by itself.", kind="numbers"),
    Mistake("mean-over-rows", "An average over the rows of the batch",
            "A mean runs over the batch where it was to run over something else, and all rows are given one answer; "
            "the gradient is right for what is computed.",
            "Karpathy 2019, \"A Recipe for Training Neural Networks\": information mixed across the batch dimension",
            "statement", edited(rewrites.mean_over_rows), "cannot-overfit", "No statement of a row may use other rows.",
            prepare=one_hidden),
    # the data
    Mistake("unscaled-inputs", "Inputs that are not scaled",
            "Pixels from 0 to 255, or any columns far from 0 and 1, are given to the network as they are.",
            f"{DUCK}; Stack Overflow 52800582: inputs up to 100 into sigmoids", "data",
            with_data(X=lambda X: 255 * X), "unscaled-inputs", "Give each column mean 0 and standard deviation 1.",
            lines=("net.fit(255 * X, y, …)", "net.fit(X, y, …)")),
    Mistake("mixed-scales", "One column in other units than the rest",
            "One column is a thousand times as large as the others, and drowns them.",
            f"LeCun et al. 1998, \"Efficient BackProp\", section 4.3; {DUCK}", "data",
            with_data(X=one_large_column), "unscaled-inputs", "Give each column mean 0 and standard deviation 1.",
            lines=("X[:, 0] *= 1000", "X = standardized(X)")),
    Mistake("constant-column", "A column that never changes",
            "A year, an identifier or a sensor that is off: the same large number in every row.",
            "scikit-learn's VarianceThreshold, which is there to remove them", "data",
            with_data(X=with_year), "constant-column", "Leave the column out.", also=("unscaled-inputs",),
            lines=("X = np.column_stack([X, year])", "X = X[:, X.std(axis=0) > 0]")),
    Mistake("unscaled-targets", "Targets that are not scaled",
            "House prices or other large numbers are to be predicted as they are.",
            "Stack Overflow 52800582: targets up to 1e8", "data",
            with_data(y=lambda y: 300 * y + 1000), "unscaled-targets",
            "Give the targets mean 0 and standard deviation 1.", kind="numbers",
            lines=("net.fit(X, 300 * y + 1000, …)", "net.fit(X, y, …)")),
    Mistake("saturating-inputs", "Inputs that saturate the first layer",
            "Marks from 0 to 20 or pixels from 0 to 16 spread so far that most sums lie where tanh is flat.",
            f"{CS231N} 1, on sigmoids: they saturate and kill gradients", "data",
            with_data(X=of_spread_twelve), "saturated-units", "Give each column mean 0 and standard deviation 1.",
            prepare=tanh_hidden, lines=("net.fit(12 * X, y, …)", "net.fit(X, y, …)")),
    Mistake("uncentred-targets", "Targets far from what the network begins with",
            "Targets lie around 8, the first outputs around 0: the first steps go into learning one number.",
            "Karpathy 2019, \"A Recipe for Training Neural Networks\": initialize the final bias to the targets' mean",
            "data", with_data(y=lambda y: y + 8), "starting-loss",
            "Give the targets mean 0, or the last bias their mean.", kind="numbers",
            lines=("net.fit(X, y + 8, …)", "net.fit(X, y, …)")),
    Mistake("shuffled-labels", "Inputs and labels shuffled apart",
            "X is put in a new order and y is not.", "GitHub DrexelChatbotGroup/DrexelChatbot#15; mlcommons/GaNDLF#870",
            "data", with_data(y=in_another_order), "unrelated-labels", "Use one order for both.",
            lines=("X = X[rng.permutation(n)]", "order = rng.permutation(n); X, y = X[order], y[order]")),
    Mistake("rare-class", "A class that is hardly there",
            "Three rows in a hundred of one class are left, and accuracy hides that they are not learned.",
            "datascience.stackexchange 19283: everything is predicted to be negative", "data", rare_class,
            "class-imbalance", 'class_weight="balanced".', kind="classes", also=("class-never-predicted",),
            lines=("net.fit(X, y, …)", 'net.fit(X, y, class_weight="balanced", …)')),
    Mistake("sorted-rows", "Rows sorted by class and not shuffled",
            "Each batch holds one class only, so that the network always believes in the last one it saw.",
            "LeCun et al. 1998, \"Efficient BackProp\", section 4.2: successive examples should rarely be of one class",
            "data",
            unordered, "sorted-rows", "shuffle=True.", prepare=shuffled_ordered, kind="classes",
            lines=("net.fit(X, y, shuffle=False, …)", "net.fit(X, y, shuffle=True, …)")),
    # how the network is made
    Mistake("zero-weights", "All first weights equal",
            "The hidden units begin equal, get equal gradients and stay equal.",
            "Goodfellow et al. 2016, section 8.4; Learning From Data, exercise 7.9", "settings",
            with_all(weights=Constant(0.1)), "equal-units", "Draw the first weights at random.",
            lines=('Dense(16, "tanh", weights=Constant(0.1))', 'Dense(16, "tanh")')),
    Mistake("large-weights", "First weights too large",
            "Weights are drawn without regard to the number of inputs: 0.5·randn for 784 of them, or more.",
            f"{MNIST_POST}: np.random.randn(32, 784) * 0.5", "settings",
            with_all(weights=Normal(4.0)), "weights-too-large", "Use He's or Glorot's rule, which are the default.",
            lines=('Dense(16, "tanh", weights=Normal(4.0))', 'Dense(16, "tanh")')),
    Mistake("small-weights", "First weights too small",
            "The weights begin so near 0 that neither signal nor gradient comes through.",
            f"{CS231N} 2, \"Pitfall\" and \"Small random numbers\": 0.01 * np.random.randn", "settings",
            with_all(weights=Normal(0.003)), "weights-too-small", "Use He's or Glorot's rule, which are the default.",
            lines=('Dense(16, "tanh", weights=Normal(0.003))', 'Dense(16, "tanh")')),
    Mistake("softmax-twice", "A squashed output before a loss that squashes",
            "The last layer has an activation, and the loss applies its softmax or sigmoid to what comes out.",
            "GitHub tflearn/tflearn#562; nfmcclure/tensorflow_cookbook#86; Karpathy's most common mistakes (2018), 4th",
            "settings", with_last(activation="sigmoid"), "second-link", "Leave the activation out.", kind="classes",
            lines=('Dense(2, "sigmoid")', "Dense(2)")),
    Mistake("squashed-numbers", "An output that cannot reach its targets",
            "The last layer ends in a ReLU, and some targets are negative.", f"{DUCK}: the wrong final activation",
            "settings", with_last(activation="relu"), "output-range", "Numbers need a last layer without activation.",
            kind="numbers", lines=('Dense(1, "relu")', "Dense(1)")),
    Mistake("no-activation", "Hidden layers without an activation",
            "Any number of such layers is one straight line.",
            "GitHub aymericdamien/TensorFlow-Examples#270; soumith/cvpr2015#6; somepago/saint#23", "settings",
            with_hidden(activation="identity"), "no-bend", "Give the hidden layers an activation.",
            lines=("Dense(16)", 'Dense(16, "tanh")')),
    Mistake("deep-sigmoids", "Too many layers of sigmoids",
            "Each sigmoid makes the gradient at least four times smaller, so the first of eight layers hardly learns.",
            "GitHub makeyourownneuralnetwork/makeyourownneuralnetwork#18: always one digit; Glorot & Bengio 2010",
            "settings", eight_sigmoids,
            "vanishing-gradient", "Use ReLU, or fewer layers.",
            lines=('8 × Dense(16, "sigmoid")', 'Dense(16, "tanh"), Dense(8, "tanh")')),
    Mistake("deep-randn", "Standard normal weights in a deep network",
            "Weights are drawn with randn and no factor; in layers of eight units it hardly shows, but the gradient "
            "doubles from layer to layer.",
            "Dive into Deep Learning, section 5.4.1.2, \"Exploding Gradients\": a product of standard normal matrices",
            "settings", with_hidden(weights=Normal(1.0)), "exploding-gradient",
            "Use He's or Glorot's rule, which are the default.", prepare=narrow_and_deep, also=("weights-too-large",),
            lines=('12 × Dense(8, "leaky_relu", weights=Normal(1.0))', '12 × Dense(8, "leaky_relu")')),
    Mistake("dead-relus", "ReLUs that are dead from the start",
            "Large negative biases hold every sum below 0, where a ReLU has no slope.",
            f"{CS231N} 1, on ReLU: \"as much as 40 % of your network\"", "settings",
            with_hidden(activation="relu", weights=None, biases=Constant(-100.0)), "dead-units",
            "Begin with biases of 0.",
            lines=('Dense(16, "relu", biases=Constant(-100.0))', 'Dense(16, "relu")')),
    Mistake("one-unit", "Too few units",
            "One hidden unit draws one line, whatever the data.",
            "artificial intelligence.stackexchange 27010: exclusive or with one neuron", "settings", one_unit,
            "no-better-than-linear", "Use more units.", also=("cannot-overfit",),
            lines=("Dense(1, …)", "Dense(16, …)")),
    Mistake("heavy-penalty", "Too strong a regularizer",
            "The price of the weights outweighs the loss, and training makes all weights 0.",
            "GitHub scikit-learn/scikit-learn#10477: alpha is divided by the number of rows there, and not elsewhere",
            "settings", with_penalty(3.0),
            "strong-regularizer", "Divide lam by a hundred or more.",
            lines=("regularizer=L2(3.0)", "regularizer=L2(0.001)")),
    # the training
    Mistake("large-rate", "Learning rate too large", "The steps overshoot, and the objective rises or jumps about.",
            f"{CS231N} 3, \"Loss function\"", "training", rate(300), "learning-rate-too-large",
            "Divide the rate by ten until the objective falls.", prepare=plain_descent, also=("not-finite",),
            lines=("SGD(90.0)", "SGD(0.3)")),
    Mistake("small-rate", "Learning rate too small", "The steps are so short that nothing seems to happen.",
            f"{CS231N} 3, \"Ratio of weights:updates\"", "training", rate(1e-4), "learning-rate-too-small",
            "Multiply the rate by ten until the objective rises.", lines=("lr = 1e-6", "lr = 1e-2")),
    Mistake("rate-at-the-edge", "A rate at the edge of stability",
            "The rate is a little too large for the valley, and the objective jumps across it for ever.",
            "the moons tutorial's rate of 0.01; Cohen et al. 2021, \"Gradient descent … at the edge of stability\"",
            "training", at_the_edge, "edge-of-stability", "Take a smaller rate, or let it decay.",
            prepare=priced_descent, lines=("SGD(2.2 / curvature)", "SGD(0.1)")),
    Mistake("decay-turned-round", "A decay that makes the rate grow",
            "A factor of 0.97 is given to something that divides by it: the rate grows at each step until it breaks.",
            "GitHub lisa-lab/pylearn2#479: its ExponentialDecay divides by the factor by which others multiply",
            "training", growing_rate, "not-finite", "Multiply by 0.97.", prepare=free_descent,
            lines=("lr = lr / 0.97", "lr = lr * 0.97")),
    Mistake("range-test-left-on", "A range test that was left on",
            "The rate is raised at each step, to see where training breaks; clipping hides that it did.",
            "Smith 2017, \"Cyclical Learning Rates\", section 3.3, which describes the test", "training",
            growing_rate, "rising-loss", "Choose a rate from the test, and train anew with that.",
            prepare=clipped_descent,
            lines=("Exponential(0.03, factor=1 / 0.97)", "lr = 0.03")),
    Mistake("rate-of-another-optimizer", "Adam with a rate that was meant for SGD",
            "Adam's steps are as long as the rate, whatever the gradient: with 0.3 they never come to rest.",
            "GitHub rajveermalviya/language-modeling#3: a rate of 1.0, and Adam trains with its default",
            "training", with_settings(optimizer=Adam(0.3), batch_size=4), "learning-rate-too-large",
            "Begin with 0.001.",
            prepare=leaky_hidden, kind="numbers", also=("oscillation",), lines=("Adam(0.3)", "Adam(0.01)")),
    Mistake("weightless-class", "A class whose weight is as good as 0",
            "Weights are computed from logarithms of shares, and one class comes out at nothing: it is ignored.",
            "GitHub IndicoDataSolutions/finetune#181: class_weight of type log produces 0.0 for a class", "training",
            with_settings(class_weight={1: 1e-6}), "class-never-predicted", 'class_weight="balanced".', kind="classes",
            prepare=stochastic_descent,
            lines=("class_weight={1: 1e-6}", "class_weight=None")),
    Mistake("decay-in-other-units", "A weight decay of another convention",
            "A decay of 0.3 that was to be multiplied by the rate of 0.01 is not; each step takes 30 % off a weight. "
            "Here, where it is multiplied, a decay of 30 does the same.",
            "GitHub tensorflow/addons#2282 and pytorch/pytorch#38853: is it multiplied by the learning rate or not?",
            "training", with_settings(optimizer=AdamW(0.01, weight_decay=30.0)), "strong-regularizer",
            "Look up which convention it is; `net.translate` says it.", prepare=tanh_hidden,
            also=("no-better-than-one-answer",),
            lines=("AdamW(0.01, weight_decay=30.0)", "AdamW(0.01, weight_decay=0.01)")),
    Mistake("stopped-early", "Training stopped too early", "A few epochs, and the objective is still falling fast.",
            "scikit-learn's ConvergenceWarning: maximum iterations reached and the optimization hasn't converged yet",
            "training",
            with_settings(epochs=2), "still-falling", "Train for more epochs.",
            lines=("epochs=2", "epochs=80")),
    Mistake("by-heart", "Training for too long on too little",
            "Forty rows, some of them wrong, are learned by heart, and the validation loss rises again.",
            "Prechelt 1998, \"Early Stopping - But When?\"", "training", same, "overfitting",
            "callbacks=[EarlyStopping()], more rows, or a regularizer.", prepare=by_heart,
            lines=("epochs=1500", "epochs=1500, callbacks=[EarlyStopping(patience=30)]")),
)}
# fmt: on

MENDED: dict[str, Callable[[Setup], Setup]] = {"by-heart": stopped_in_time}  # where the right one differs otherwise


def mistake_named(name: str) -> Mistake:
    """Look a mistake up by name.

    Raises
    ------
    InputError
        If there is none of that name; the nearest is suggested.

    Examples
    --------
    >>> mistake_named("uphill").title
    "The update's sign turned"
    """
    if name not in MISTAKES:
        raise unknown_name("mistake", name, MISTAKES)
    return MISTAKES[name]


def both(mistake: Mistake, setup: Setup) -> tuple[Setup, Setup]:
    """The setup with the mistake and the right one beside it."""
    prepared = mistake.prepare(setup)
    return mistake.change(prepared), MENDED.get(mistake.name, same)(prepared)


def suits(mistake: Mistake, loss: Loss) -> bool:
    """Whether a mistake can be made with the targets of a loss."""
    if mistake.kind == "numbers":
        return isinstance(loss, SquaredError)
    if mistake.kind == "softmax":
        return loss.target == "classes"
    return mistake.kind != "classes" or loss.target in ("classes", "labels")
