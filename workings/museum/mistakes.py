"""The museum of mistakes: common mistakes that can be inserted into a working training.

A mistake changes one thing of a correct training: a statement of the program (by rewriting its syntax tree), the data,
the network's settings, or the training.  Each mistake has a source that made it or warned of it, the finding that the
doctor should report, and the fix.  The mistakes are also the test suite of the doctor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from workings.checks.findings import Diagnosis
from workings.errors import entry_named
from workings.initializers import Constant, Normal
from workings.losses import Loss, SquaredError
from workings.museum import rewrites
from workings.museum.setups import (
    Setup,
    at_the_edge,
    batch_norm_hidden,
    class_numbers_as_targets,
    clipped_descent,
    eight_sigmoids,
    four_named_classes,
    full_batch_descent,
    growing_rate,
    huge_hidden,
    impatient,
    large_scores,
    leaky_hidden,
    narrow_and_deep,
    narrow_middle,
    one_hidden,
    one_large_column,
    one_unit,
    overfitting_data,
    overflowing_pixels,
    penalized_descent,
    permuted,
    pixels_around_zero,
    rare_class,
    rare_label,
    rounded_targets_as_classes,
    scaled_to_rms_twelve,
    several_labels,
    skewed,
    sorted_and_shuffled,
    split_by_target,
    square_hidden,
    stochastic_descent,
    tanh_hidden,
    unchanged,
    unclipped_descent,
    with_copied_rows,
    with_data,
    with_dense,
    with_early_stopping,
    with_edits,
    with_held_out_rows,
    with_hidden,
    with_last,
    with_missing_code,
    with_noisy_steps,
    with_one_class_mislabelled,
    with_penalty,
    with_rate_times,
    with_row_numbers,
    with_settings,
    with_shared_rows,
    with_strong_dropout,
    with_targets_as_column,
    with_validation,
    with_wrong_labels,
    with_year,
    without_hidden,
    without_shuffling,
)
from workings.optimizers import Adam, AdamW, Momentum
from workings.schedules import Exponential, WarmUp
from workings.support.notebook import Readable


@dataclass(frozen=True, repr=False)
class Mistake(Readable):
    """One common mistake.

    Attributes
    ----------
    name, title, what : str
        Identifier, title, and a one-sentence description.
    source : str
        Code or publication that made the mistake or warned of it.
    place : str
        The part that the mistake changes: ``"statement"``, ``"data"``, ``"settings"`` or ``"training"``.
    change : callable
        Takes a correct setup and returns the setup with the mistake.
    finding : str
        The finding that the doctor should report.
    words : str
        Words that the finding's text must contain; empty if the finding's name identifies the mistake.
    mend : str
        How to fix the mistake.
    lines : (str, str)
        The wrong line and the right line, for a mistake that is not a statement of the program.
    prepare : callable
        Applied to the setup of both networks, so that the mistake can occur.
    kind : str
        The targets it applies to: ``"classes"``, ``"numbers"``, ``"softmax"`` or ``""`` for all.
    also : tuple of str
        Other findings that identify the mistake equally well.
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
    prepare: Callable[[Setup], Setup] = field(default=unchanged)
    kind: str = ""
    also: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.title} ({self.name})\n{self.what}\nSource: {self.source}."

    def is_named_by(self, diagnosis: Diagnosis) -> bool:
        """Whether a diagnosis identifies the mistake."""
        return any(
            f.name in self.also or (f.name == self.finding and self.words in f.measured) for f in diagnosis.findings
        )


DIXON = 'Spencer Dixon, "Neural Networks from Scratch" (2017)'
MNIST_POST = "the MNIST post with Vangmay/From_Scratch_Implementations"
DUCK = 'Daniel Holden, "My Neural Network isn\'t working!" (theorangeduck.com, 2017)'
CS231N = "CS231n, Neural Networks Part"
MISTAKES: dict[str, Mistake] = {
    mistake.name: mistake
    for mistake in (
        # statements of the program
        Mistake(
            name="softmax-axis",
            title="Softmax over the wrong axis",
            what=(
                "The exponentials are divided by their sum over the rows of the batch, not over the classes "
                "of each row."
            ),
            source="Stack Overflow 76450489: np.exp(z)/sum(np.exp(z)) with rows as samples",
            place="statement",
            kind="softmax",
            change=with_edits(rewrites.softmax_over_rows),
            finding="wrong-shares",
            mend="Sum over the classes: axis=1, keepdims=True.",
        ),
        Mistake(
            name="bias-summed-up",
            title="Bias gradient summed to one number",
            what="The bias gradient is summed over rows and units, so all biases of a layer get the same gradient.",
            source=f"{MNIST_POST}: dB2 = 1/m * np.sum(dZ2)",
            place="statement",
            change=with_edits(rewrites.bias_sums_without_axis),
            finding="wrong-gradient",
            words="summed to one number",
            mend="Sum over the rows only: dz.sum(axis=0).",
        ),
        Mistake(
            name="forgotten-derivative",
            title="Missing derivative of the activation",
            what="The backward pass treats a layer as if it had no activation.",
            source="GitHub jiexunsee/Neural-Network-with-Python#1; Bot-Academy/NeuralNetworkFromScratch#3",
            place="statement",
            change=with_edits(rewrites.no_slopes),
            finding="wrong-gradient",
            words="derivative",
            mend="Multiply by the activation's derivative: dz = da * f'(z).",
        ),
        Mistake(
            name="activation-for-derivative",
            title="Activation used as its own derivative",
            what="A function named tanh_d computes tanh instead of its derivative.",
            source="GitHub andersbll/nnet#4, comment of 2016-06-16",
            place="statement",
            prepare=tanh_hidden,
            change=with_edits(rewrites.activation_for_slope),
            finding="wrong-gradient",
            words="derivative",
            mend="The derivative of tanh is 1 - a**2.",
        ),
        Mistake(
            name="slope-of-wrong-argument",
            title="Derivative evaluated at the wrong argument",
            what="The derivative is a formula in the activation a, but is evaluated at the pre-activation z.",
            source="GitHub davidrmiller/neural2d#40 and OpenANN/OpenANN#164, where it was the other way round",
            place="statement",
            prepare=tanh_hidden,
            change=with_edits(rewrites.slope_of_sum),
            finding="wrong-gradient",
            words="derivative",
            mend="Pass the variable that the formula uses.",
        ),
        Mistake(
            name="sum-for-mean",
            title="Gradient summed instead of averaged",
            what="The loss is a mean over the rows, but its gradient is a sum, so steps grow with the batch size.",
            source=(
                "GitHub jxgu1016/MNIST_center_loss_pytorch#9; the moons tutorial prints a mean beside "
                "gradients of the sum"
            ),
            place="statement",
            change=with_edits(rewrites.sum_for_mean),
            finding="wrong-gradient",
            words="a sum where a mean was meant",
            mend="Divide the gradient by the number of rows.",
        ),
        Mistake(
            name="penalty-sign",
            title="Wrong sign of the L2 penalty",
            what=(
                "The gradient of the L2 penalty is subtracted instead of added, so the weights grow instead "
                "of shrinking."
            ),
            source="GitHub andersbll/nnet#4: - self.weight_decay*self.W",
            place="statement",
            prepare=with_penalty(0.003),
            change=with_edits(rewrites.penalty_sign),
            finding="wrong-gradient",
            words="regularizer",
            mend="Add lam * W to the gradient.",
        ),
        Mistake(
            name="uphill",
            title="Wrong sign of the update",
            what="The gradient is added to the weights instead of subtracted, so every step increases the objective.",
            source=f"{DIXON} warns of it in a comment: adding the gradient increases the cost",
            place="statement",
            change=with_edits(rewrites.uphill),
            finding="uphill-update",
            mend="W = W - lr * dW.",
        ),
        Mistake(
            name="first-layer-frozen",
            title="Layer that is never updated",
            what="The backward pass or the update omits the first layer, which keeps its random initial weights.",
            source=f"{MNIST_POST}: the backward pass has two of three layers",
            place="statement",
            change=with_edits(rewrites.first_layer_frozen),
            finding="frozen-parameter",
            mend="Update every parameter that has a gradient.",
        ),
        Mistake(
            name="overflowing-softmax",
            title="Softmax without subtracting the maximum",
            what="exp of a score above 709 overflows to infinity, and infinity divided by infinity is NaN.",
            source="Stack Overflow 76450489: RuntimeWarning, overflow encountered in exp",
            place="statement",
            kind="softmax",
            prepare=large_scores,
            change=with_edits(rewrites.scores_not_shifted),
            finding="overflow",
            mend="Subtract each row's largest score first.",
        ),
        Mistake(
            name="sum-for-activation",
            title="Pre-activation passed on instead of the activation",
            what="The next layer gets z instead of a, so the forward pass lacks that nonlinearity.",
            source=f"{MNIST_POST}: A2 is the sum, Z2 the activation, and the third layer is given A2",
            place="statement",
            change=with_edits(rewrites.sum_for_activation),
            finding="wrong-gradient",
            mend="Pass a to the next layer.",
        ),
        Mistake(
            name="weights-not-transposed",
            title="Weights not transposed in the backward pass",
            what=(
                "The gradient of a square layer is multiplied by W instead of W.T; the shapes match, so no "
                "error is raised."
            ),
            source=(
                "pytroubles.com 1785, a NumPy MNIST network stuck at 10 %: the backward pass mixes up "
                "matrix orientations"
            ),
            place="statement",
            prepare=square_hidden,
            change=with_edits(rewrites.transposed_weights),
            finding="wrong-gradient",
            mend="dx = dz @ W.T.",
        ),
        Mistake(
            name="pre-activation-for-activation",
            title="Pre-activation in a weight gradient",
            what="The gradient of a layer's weights multiplies z1, which the layer never sees, instead of a1.",
            source="deeplearning.ai, Planar data classification: the course asks for dW2 = np.dot(dZ2, A1.T)",
            place="statement",
            prepare=tanh_hidden,
            change=with_edits(rewrites.pre_activations_in_products),
            finding="wrong-gradient",
            words="dW",
            mend="The gradient of W2 multiplies what W2 multiplies in the forward pass: a1.",
        ),
        Mistake(
            name="base-ten-logarithm",
            title="Base-10 logarithm in the loss",
            what="The loss is computed with np.log10, but its gradient belongs to np.log.",
            source="NumPy's np.log is the natural logarithm; math textbooks and calculators write ln",
            place="statement",
            kind="classes",
            change=with_edits(rewrites.base_ten_logarithm),
            finding="wrong-gradient",
            words="base-10",
            mend="Use np.log, the natural logarithm.",
        ),
        Mistake(
            name="broadcast-targets",
            title="Targets of shape (n, 1) against predictions of shape (n,)",
            what=(
                "Broadcasting compares each prediction with every target, so predicting the mean for every row becomes "
                "optimal."
            ),
            source="GitHub pytorch/pytorch#16045; deepset-ai/FARM#229",
            place="statement",
            kind="numbers",
            change=with_edits(rewrites.targets_as_row),
            finding="wrong-shape",
            mend="Give both the same shape; this library rejects such targets.",
        ),
        Mistake(
            name="mean-over-rows",
            title="Mean over the rows of the batch",
            what=(
                "A mean is taken over the batch instead of another axis, so all rows get the same output; "
                "the gradient of this computation is correct."
            ),
            source=(
                'Karpathy 2019, "A Recipe for Training Neural Networks": information mixed across the batch dimension'
            ),
            place="statement",
            prepare=one_hidden,
            change=with_edits(rewrites.mean_over_rows),
            finding="cannot-overfit",
            mend="Compute each row independently of the other rows.",
        ),
        # the data
        Mistake(
            name="unscaled-inputs",
            title="Unscaled inputs",
            what=(
                "Pixels from 0 to 255, or other columns with large values, are passed to the network without scaling."
            ),
            source=f"{DUCK}; Stack Overflow 52800582: inputs up to 100 into sigmoids",
            place="data",
            lines=("net.fit(255 * X, y, …)", "net.fit(X, y, …)"),
            change=with_data(X=lambda X: 255 * X),
            finding="unscaled-inputs",
            mend="Give each column mean 0 and standard deviation 1.",
        ),
        Mistake(
            name="mixed-scales",
            title="One column on another scale than the rest",
            what="One column is a thousand times as large as the others and dominates them.",
            source=f'LeCun et al. 1998, "Efficient BackProp", section 4.3; {DUCK}',
            place="data",
            lines=("X[:, 0] *= 1000", "X = standardized(X)"),
            change=with_data(X=one_large_column),
            finding="unscaled-inputs",
            mend="Give each column mean 0 and standard deviation 1.",
        ),
        Mistake(
            name="constant-column",
            title="Constant column",
            what="A column holds the same large number in every row: a year, an identifier or a sensor that is off.",
            source="scikit-learn's VarianceThreshold, which removes such columns",
            place="data",
            lines=("X = np.column_stack([X, year])", "X = X[:, X.std(axis=0) > 0]"),
            change=with_data(X=with_year),
            finding="constant-column",
            also=("unscaled-inputs",),
            mend="Drop the column.",
        ),
        Mistake(
            name="unscaled-targets",
            title="Unscaled targets",
            what="House prices or other large numbers are used as targets without scaling.",
            source="Stack Overflow 52800582: targets up to 1e8",
            place="data",
            kind="numbers",
            lines=("net.fit(X, 300 * y + 1000, …)", "net.fit(X, y, …)"),
            change=with_data(y=lambda y: 300 * y + 1000),
            finding="unscaled-targets",
            mend="Give the targets mean 0 and standard deviation 1.",
        ),
        Mistake(
            name="saturating-inputs",
            title="Inputs that saturate the first layer",
            what=(
                "Grades from 0 to 20 or pixels from 0 to 16 vary so much that most pre-activations lie "
                "where tanh is flat."
            ),
            source=f"{CS231N} 1, on sigmoids: they saturate and kill gradients",
            place="data",
            lines=("net.fit(12 * X, y, …)", "net.fit(X, y, …)"),
            prepare=tanh_hidden,
            change=with_data(X=scaled_to_rms_twelve),
            finding="saturated-units",
            mend="Give each column mean 0 and standard deviation 1.",
        ),
        Mistake(
            name="uncentred-targets",
            title="Targets far from the initial outputs",
            what="The targets are around 8 and the initial outputs around 0, so the first steps only learn the mean.",
            source=(
                'Karpathy 2019, "A Recipe for Training Neural Networks": initialize the final bias to the '
                "targets' mean"
            ),
            place="data",
            kind="numbers",
            lines=("net.fit(X, y + 8, …)", "net.fit(X, y, …)"),
            change=with_data(y=lambda y: y + 8),
            finding="starting-loss",
            mend="Give the targets mean 0, or initialize the last bias with their mean.",
        ),
        Mistake(
            name="shuffled-labels",
            title="Inputs shuffled without their labels",
            what="X is permuted and y is not.",
            source="GitHub DrexelChatbotGroup/DrexelChatbot#15; mlcommons/GaNDLF#870",
            place="data",
            lines=("X = X[rng.permutation(n)]", "order = rng.permutation(n); X, y = X[order], y[order]"),
            change=with_data(y=permuted),
            finding="unrelated-labels",
            mend="Permute both with the same indices.",
        ),
        Mistake(
            name="rare-class",
            title="Rare class",
            what=(
                "Only three in a hundred rows of one class remain, and a high accuracy hides that the class "
                "is not learned."
            ),
            source="datascience.stackexchange 19283: everything is predicted to be negative",
            place="data",
            kind="classes",
            lines=("net.fit(X, y, …)", 'net.fit(X, y, class_weight="balanced", …)'),
            change=rare_class,
            finding="class-imbalance",
            also=("class-never-predicted",),
            mend='class_weight="balanced".',
        ),
        Mistake(
            name="sorted-rows",
            title="Rows sorted by class and not shuffled",
            what="Each batch holds only one class, so the network predicts the class of the latest batches.",
            source=(
                'LeCun et al. 1998, "Efficient BackProp", section 4.2: successive examples should rarely '
                "be of one class"
            ),
            place="data",
            kind="classes",
            lines=("net.fit(X, y, shuffle=False, …)", "net.fit(X, y, shuffle=True, …)"),
            prepare=sorted_and_shuffled,
            change=without_shuffling,
            finding="sorted-rows",
            mend="shuffle=True.",
        ),
        Mistake(
            name="sorted-numbers",
            title="Rows sorted by a numeric target and not shuffled",
            what="Each batch holds only similar targets, so the network follows the latest batches.",
            source=(
                'LeCun et al. 1998, "Efficient BackProp", section 4.2: shuffle so that successive examples rarely '
                "belong together"
            ),
            place="data",
            kind="numbers",
            lines=("net.fit(X, y, shuffle=False, …)", "net.fit(X, y, shuffle=True, …)"),
            prepare=sorted_and_shuffled,
            change=without_shuffling,
            finding="sorted-rows",
            mend="shuffle=True.",
        ),
        Mistake(
            name="leaking-column",
            title="Column that tells the target",
            what="A column is a copy of the target, or is computed from it; it will not be known for new rows.",
            source=(
                'Kaufman, Rosset, Perlich & Stitelman 2012, "Leakage in Data Mining"; Kapoor & Narayanan 2023: leakage '
                "in 294 papers"
            ),
            place="data",
            lines=("X = np.column_stack([X, y])", "X = X"),
            change=with_targets_as_column,
            finding="target-leak",
            mend="Drop the column.",
        ),
        Mistake(
            name="row-number",
            title="Row number as a column",
            what="A table's index is used as a column. The rows are sorted, so it tells the target.",
            source="pandas: DataFrame.to_csv writes the index by default, and read_csv reads it as a column",
            place="data",
            lines=("X = np.column_stack([np.arange(n) / n, X])", "X = X"),
            change=with_row_numbers,
            finding="identifier-column",
            mend="Drop the column.",
        ),
        Mistake(
            name="copied-rows",
            title="Rows that occur more than once",
            what="A third of the rows occur twice; after a random split, many validation rows are training rows too.",
            source='Barz & Denzler 2020, "Do We Train on Test Data?": CIFAR-100 has 10 % duplicates in the test set',
            place="data",
            lines=("X = np.vstack([X, X[: n // 3]])", "X = np.unique(X, axis=0)"),
            change=with_copied_rows,
            finding="duplicated-rows",
            mend="Drop the copies before the split.",
        ),
        Mistake(
            name="code-for-missing",
            title="Code for a missing value used as a number",
            what="A missing value is stored as -999, which the network takes for a measurement.",
            source="the Pima and HIGGS data sets: missing values are stored as 0 and -999",
            place="data",
            lines=("X[missing] = -999", "X[missing] = np.median(X[~missing])"),
            change=with_data(X=with_missing_code),
            finding="missing-value-code",
            mend="Replace the code by the median, and add a column that tells where the value is missing.",
        ),
        Mistake(
            name="uint8-overflow",
            title="Arithmetic with 8-bit integers",
            what="Pixels are uint8, and subtracting their mean wraps around: 7 - 8 is 255.",
            source="NumPy's user guide, Data types, Overflow errors; images are read as uint8",
            place="data",
            lines=("X = (pixels - np.uint8(8)) / 255", "X = (pixels - 8.0) / 8"),
            prepare=pixels_around_zero,
            change=overflowing_pixels,
            finding="integer-overflow",
            mend="Convert to float before any arithmetic.",
        ),
        Mistake(
            name="classes-as-numbers",
            title="Class numbers as targets of a regression",
            what="Four classes without an order are numbered from 0 to 3, and one output predicts the number.",
            source='Hastie, Tibshirani & Friedman 2009, "The Elements of Statistical Learning", section 4.2',
            place="data",
            kind="numbers",
            lines=("Network([…, Dense(1)], loss=SquaredError())", "Network([…, Dense(4)], loss=CrossEntropy())"),
            prepare=four_named_classes,
            change=class_numbers_as_targets,
            finding="classes-as-numbers",
            mend="Use one output for each class and CrossEntropy.",
        ),
        Mistake(
            name="numbers-as-classes",
            title="Measured numbers as classes",
            what="Each number becomes a class of its own, with a few rows each.",
            source="scikit-learn: the number of unique classes is greater than 50 % of the number of samples",
            place="data",
            kind="numbers",
            lines=("Network([…, Dense(80)], loss=CrossEntropy())", "Network([…, Dense(1)], loss=SquaredError())"),
            change=rounded_targets_as_classes,
            finding="numbers-as-classes",
            mend="Use a regression: one output and SquaredError.",
        ),
        Mistake(
            name="skewed-targets",
            title="Skewed targets",
            what="A few targets, such as incomes, are many times as large as the rest and dominate the squared error.",
            source='Box & Cox 1964, "An Analysis of Transformations"; Bulmer 1979 on skewness',
            place="data",
            kind="numbers",
            lines=("net.fit(X, income, …)", "net.fit(X, np.log(income), …)"),
            change=with_data(y=skewed),
            finding="skewed-targets",
            mend="Predict the logarithm.",
        ),
        Mistake(
            name="wrong-labels",
            title="Wrong labels",
            what="A seventh of the rows have a wrong label, which the network memorizes in the end.",
            source='Northcutt, Athalye & Mueller 2021, "Pervasive Label Errors in Test Sets"',
            place="data",
            kind="classes",
            lines=("y[wrong] = other", "y = y"),
            change=with_data(y=with_wrong_labels),
            finding="label-noise",
            mend="Check the rows whose labels the network finds least probable.",
        ),
        Mistake(
            name="one-class-mislabelled",
            title="One class with wrong labels",
            what="A third of the rows of one class have the next label.",
            source='Frénay & Verleysen 2014, "Classification in the Presence of Label Noise": noise that depends on y',
            place="data",
            kind="classes",
            lines=("y[wrong] = other", "y = y"),
            change=with_data(y=with_one_class_mislabelled),
            finding="label-noise",
            mend="Check the rows whose labels the network finds least probable.",
        ),
        Mistake(
            name="rare-label",
            title="Rare label among several",
            what="One of several labels occurs in few rows, so its absence is always a good guess.",
            source='Tsoumakas & Katakis 2007, "Multi-Label Classification: An Overview"',
            place="data",
            kind="classes",
            lines=("net.fit(X, y, …)", "net.fit(X, y, sample_weight=…)"),
            prepare=several_labels,
            change=rare_label,
            finding="class-imbalance",
            mend="Weigh the rows that have the label, or find more of them.",
        ),
        # the settings of the network
        Mistake(
            name="zero-weights",
            title="Equal initial weights",
            what="The hidden units start equal, get equal gradients and stay equal.",
            source="Goodfellow et al. 2016, section 8.4; Learning From Data, exercise 7.9",
            place="settings",
            lines=('Dense(16, "tanh", weights=Constant(0.1))', 'Dense(16, "tanh")'),
            change=with_dense(weights=Constant(0.1)),
            finding="equal-units",
            mend="Draw the initial weights at random.",
        ),
        Mistake(
            name="large-weights",
            title="Initial weights too large",
            what="The scale of the weights ignores the number of inputs: 0.5·randn for 784 inputs, or more.",
            source=f"{MNIST_POST}: np.random.randn(32, 784) * 0.5",
            place="settings",
            lines=('Dense(16, "tanh", weights=Normal(4.0))', 'Dense(16, "tanh")'),
            change=with_dense(weights=Normal(4.0)),
            finding="weights-too-large",
            mend="Use He or Glorot initialization, the default.",
        ),
        Mistake(
            name="small-weights",
            title="Initial weights too small",
            what="The weights start so close to 0 that activations and gradients vanish.",
            source=f'{CS231N} 2, "Pitfall" and "Small random numbers": 0.01 * np.random.randn',
            place="settings",
            lines=('Dense(16, "tanh", weights=Normal(0.003))', 'Dense(16, "tanh")'),
            change=with_dense(weights=Normal(0.003)),
            finding="weights-too-small",
            mend="Use He or Glorot initialization, the default.",
        ),
        Mistake(
            name="softmax-twice",
            title="Activation on the last layer before a loss with its own",
            what="The last layer has an activation, and the loss applies its softmax or sigmoid to the result.",
            source=(
                "GitHub tflearn/tflearn#562; nfmcclure/tensorflow_cookbook#86; Karpathy's most common "
                "mistakes (2018), 4th"
            ),
            place="settings",
            kind="classes",
            lines=('Dense(2, "sigmoid")', "Dense(2)"),
            change=with_last(activation="sigmoid"),
            finding="second-link",
            mend="Remove the activation.",
        ),
        Mistake(
            name="squashed-numbers",
            title="Output range that excludes some targets",
            what="The last layer has a ReLU, and some targets are negative.",
            source=f"{DUCK}: the wrong final activation",
            place="settings",
            kind="numbers",
            lines=('Dense(1, "relu")', "Dense(1)"),
            change=with_last(activation="relu"),
            finding="output-range",
            mend="For regression, use no activation on the last layer.",
        ),
        Mistake(
            name="no-activation",
            title="Hidden layers without an activation",
            what="Any number of linear layers is equivalent to one linear layer.",
            source="GitHub aymericdamien/TensorFlow-Examples#270; soumith/cvpr2015#6; somepago/saint#23",
            place="settings",
            lines=("Dense(16)", 'Dense(16, "tanh")'),
            change=with_hidden(activation="identity"),
            finding="no-bend",
            mend="Give the hidden layers an activation.",
        ),
        Mistake(
            name="deep-sigmoids",
            title="Too many sigmoid layers",
            what=(
                "Each sigmoid shrinks the gradient at least by a factor of four, so the first of eight "
                "layers hardly learns."
            ),
            source=(
                "GitHub makeyourownneuralnetwork/makeyourownneuralnetwork#18: always one digit; Glorot & Bengio 2010"
            ),
            place="settings",
            lines=('8 × Dense(16, "sigmoid")', 'Dense(16, "tanh"), Dense(8, "tanh")'),
            change=eight_sigmoids,
            finding="vanishing-gradient",
            mend="Use ReLU, or fewer layers.",
        ),
        Mistake(
            name="deep-randn",
            title="Standard normal weights in a deep network",
            what=(
                "Weights are drawn with randn and not scaled; with eight units per layer the effect is small, but the "
                "gradient doubles from layer to layer."
            ),
            source=(
                'Dive into Deep Learning, section 5.4.1.2, "Exploding Gradients": a product of standard normal matrices'
            ),
            place="settings",
            lines=('12 × Dense(8, "leaky_relu", weights=Normal(1.0))', '12 × Dense(8, "leaky_relu")'),
            prepare=narrow_and_deep,
            change=with_hidden(weights=Normal(1.0)),
            finding="exploding-gradient",
            also=("weights-too-large",),
            mend="Use He or Glorot initialization, the default.",
        ),
        Mistake(
            name="dead-relus",
            title="Dead ReLUs at initialization",
            what="Large negative biases keep every pre-activation below 0, where the derivative of ReLU is 0.",
            source=f'{CS231N} 1, on ReLU: "as much as 40 % of your network"',
            place="settings",
            lines=('Dense(16, "relu", biases=Constant(-100.0))', 'Dense(16, "relu")'),
            change=with_hidden(activation="relu", weights=None, biases=Constant(-100.0)),
            finding="dead-units",
            mend="Initialize the biases with 0.",
        ),
        Mistake(
            name="one-unit",
            title="Too few units",
            what="One hidden unit gives one linear decision boundary for any data.",
            source="artificial intelligence.stackexchange 27010: exclusive or with one neuron",
            place="settings",
            lines=("Dense(1, …)", "Dense(16, …)"),
            change=one_unit,
            finding="no-better-than-linear",
            also=("cannot-overfit", "narrow-layer"),
            mend="Use more units.",
        ),
        Mistake(
            name="heavy-penalty",
            title="Regularization too strong",
            what="The penalty outweighs the loss, and training drives all weights to 0.",
            source=(
                "GitHub scikit-learn/scikit-learn#10477: alpha is divided by the number of rows there, and "
                "not elsewhere"
            ),
            place="settings",
            lines=("regularizer=L2(3.0)", "regularizer=L2(0.001)"),
            change=with_penalty(3.0),
            finding="strong-regularizer",
            mend="Divide lam by a hundred or more.",
        ),
        # the validation rows
        Mistake(
            name="unscaled-validation",
            title="Validation rows not scaled as the training rows",
            what="The training rows are scaled, and the validation rows stay as they were.",
            source="scikit-learn's user guide, Common pitfalls: inconsistent preprocessing",
            place="data",
            lines=("validation=(X_val, y_val)", "validation=(standard(X_val, mean, spread), y_val)"),
            prepare=with_held_out_rows,
            change=with_validation(X=lambda X: 10 * X + 5),
            finding="validation-scale",
            mend="Scale them with the mean and the standard deviation of the training rows.",
        ),
        Mistake(
            name="reordered-columns",
            title="Columns of the validation rows in another order",
            what="The validation rows have the same columns as the training rows, but in another order.",
            source="pandas: concat, get_dummies and read_csv order columns by what each file has",
            place="data",
            kind="numbers",
            lines=("validation=(X_val[:, ::-1], y_val)", "validation=(X_val, y_val)"),
            prepare=with_held_out_rows,
            change=with_validation(X=lambda X: X[:, ::-1].copy()),
            finding="validation-columns",
            mend="Select the columns by name, in the order of the training rows.",
        ),
        Mistake(
            name="split-in-order",
            title="Sorted rows split in order",
            what="The rows are sorted by the target, and the last quarter is held out, so it has only large targets.",
            source="scikit-learn's train_test_split shuffles by default; Keras' validation_split takes the last rows",
            place="data",
            kind="numbers",
            lines=("X[:300], X[300:]", "train_test_split(X, y)"),
            prepare=with_held_out_rows,
            change=split_by_target,
            finding="validation-targets",
            mend="Shuffle before the split, or use validation=0.2.",
        ),
        Mistake(
            name="validation-of-training-rows",
            title="Validation rows that are training rows",
            what="A part of the validation rows was used in training, so the validation score is too good.",
            source='Kapoor & Narayanan 2023, "Leakage and the Reproducibility Crisis": rows in both sets',
            place="data",
            lines=("validation=(X[200:], y[200:])", "validation=(X[300:], y[300:])"),
            prepare=with_held_out_rows,
            change=with_shared_rows,
            finding="shared-rows",
            mend="Split the rows once, into disjoint parts.",
        ),
        Mistake(
            name="shuffled-validation-labels",
            title="Validation inputs and targets in different orders",
            what="The validation inputs were permuted and their targets were not.",
            source="GitHub DrexelChatbotGroup/DrexelChatbot#15",
            place="data",
            kind="numbers",
            lines=("validation=(rng.permutation(X_val), y_val)", "validation=(X_val, y_val)"),
            prepare=with_held_out_rows,
            change=with_validation(y=permuted),
            finding="validation-below-baseline",
            mend="Permute both with the same indices.",
        ),
        # more settings
        Mistake(
            name="strong-dropout",
            title="Dropout rate in place of the share of units kept",
            what="A rate of 0.95 was meant as the share of units that are kept, and drops 95 % of them.",
            source="TensorFlow 1: keep_prob in tf.nn.dropout; TensorFlow 2 and PyTorch: the share that is dropped",
            place="settings",
            lines=("Dropout(0.95)", "Dropout(0.05)"),
            change=with_strong_dropout,
            finding="strong-dropout",
            mend="Use 1 minus the share of units to keep.",
        ),
        Mistake(
            name="batches-of-two",
            title="Batch normalization with two rows per batch",
            what="Mean and variance of a batch come from two rows.",
            source='Wu & He 2018, "Group Normalization", figure 1',
            place="settings",
            kind="numbers",
            lines=("batch_size=2", "batch_size=32"),
            prepare=batch_norm_hidden,
            change=with_settings(batch_size=2, epochs=20),
            finding="small-batches",
            mend="Use batches of 16 rows or more.",
        ),
        Mistake(
            name="narrow-middle",
            title="Layer of one unit before wide layers",
            what="The later layers get one number only.",
            source='Szegedy et al. 2016, "Rethinking the Inception Architecture", principle 1: avoid bottlenecks',
            place="settings",
            kind="softmax",
            lines=("Dense(1), Dense(32), Dense(32)", "Dense(32), Dense(32)"),
            change=narrow_middle,
            finding="narrow-layer",
            mend="Let the widths fall towards the output.",
        ),
        Mistake(
            name="too-many-parameters",
            title="Far more parameters than rows, without validation",
            what="Two layers of 256 units are trained on a few hundred rows, and no row is held out.",
            source='Goodfellow et al. 2016, section 5.2, "Capacity, Overfitting and Underfitting"',
            place="settings",
            lines=('Dense(256, "relu"), Dense(256, "relu")', 'Dense(16, "relu"), validation=0.2'),
            change=huge_hidden,
            finding="more-parameters-than-rows",
            mend="Hold rows out, and stop when the validation loss rises.",
        ),
        Mistake(
            name="no-hidden-layer",
            title="No hidden layer for a problem that is not linear",
            what="The network is a linear model.",
            source='Minsky & Papert 1969, "Perceptrons": exclusive or',
            place="settings",
            kind="numbers",
            lines=("Network([Dense(1)])", 'Network([Dense(24, "tanh"), Dense(1)])'),
            change=without_hidden,
            finding="no-hidden-layer",
            mend="Add a hidden layer.",
        ),
        # the training
        Mistake(
            name="large-rate",
            title="Learning rate too large",
            what="The steps overshoot, and the objective increases or oscillates.",
            source=f'{CS231N} 3, "Loss function"',
            place="training",
            lines=("SGD(90.0)", "SGD(0.3)"),
            prepare=full_batch_descent,
            change=with_rate_times(300),
            finding="learning-rate-too-large",
            also=("not-finite",),
            mend="Divide the learning rate by ten until the objective decreases.",
        ),
        Mistake(
            name="small-rate",
            title="Learning rate too small",
            what="The steps are so small that the objective hardly changes.",
            source=f'{CS231N} 3, "Ratio of weights:updates"',
            place="training",
            lines=("lr = 1e-6", "lr = 1e-2"),
            change=with_rate_times(1e-4),
            finding="learning-rate-too-small",
            mend="Multiply the learning rate by ten until the objective increases.",
        ),
        Mistake(
            name="rate-at-the-edge",
            title="Learning rate at the edge of stability",
            what=(
                "The learning rate is slightly above 2 / curvature, and the objective oscillates without converging."
            ),
            source=(
                'the moons tutorial\'s rate of 0.01; Cohen et al. 2021, "Gradient descent … at the edge of stability"'
            ),
            place="training",
            lines=("SGD(2.2 / curvature)", "SGD(0.1)"),
            prepare=penalized_descent,
            change=at_the_edge,
            finding="edge-of-stability",
            mend="Use a smaller or a decaying learning rate.",
        ),
        Mistake(
            name="decay-turned-round",
            title="Learning rate decay that increases the rate",
            what=(
                "A schedule divides by its decay factor of 0.97, so the learning rate grows at each step "
                "until divergence."
            ),
            source=(
                "GitHub lisa-lab/pylearn2#479: its ExponentialDecay divides by the factor by which others multiply"
            ),
            place="training",
            lines=("lr = lr / 0.97", "lr = lr * 0.97"),
            prepare=unclipped_descent,
            change=growing_rate,
            finding="not-finite",
            mend="Multiply by 0.97.",
        ),
        Mistake(
            name="range-test-left-on",
            title="Learning rate range test left on",
            what=(
                "The learning rate grows at each step to find where training diverges; gradient clipping "
                "hides divergence."
            ),
            source='Smith 2017, "Cyclical Learning Rates", section 3.3, which describes the test',
            place="training",
            lines=("Exponential(0.03, factor=1 / 0.97)", "lr = 0.03"),
            prepare=clipped_descent,
            change=growing_rate,
            finding="rising-loss",
            mend="Choose a learning rate from the test, and train again with it.",
        ),
        Mistake(
            name="rate-of-another-optimizer",
            title="Adam with a learning rate for SGD",
            what=(
                "Adam's steps are about as large as the learning rate for any gradient; with 0.3 they never converge."
            ),
            source="GitHub rajveermalviya/language-modeling#3: a rate of 1.0, and Adam trains with its default",
            place="training",
            kind="numbers",
            lines=("Adam(0.3)", "Adam(0.01)"),
            prepare=leaky_hidden,
            change=with_settings(optimizer=Adam(0.3), batch_size=4),
            finding="learning-rate-too-large",
            also=("oscillation",),
            mend="Start with 0.001.",
        ),
        Mistake(
            name="weightless-class",
            title="Class weight close to 0",
            what=(
                "Class weights are computed from logarithms of frequencies; one weight comes out as 0, so the class is "
                "ignored."
            ),
            source="GitHub IndicoDataSolutions/finetune#181: class_weight of type log produces 0.0 for a class",
            place="training",
            kind="classes",
            lines=("class_weight={1: 1e-6}", "class_weight=None"),
            prepare=stochastic_descent,
            change=with_settings(class_weight={1: 1e-6}),
            finding="class-never-predicted",
            mend='class_weight="balanced".',
        ),
        Mistake(
            name="decay-in-other-units",
            title="Weight decay in another convention",
            what=(
                "A weight decay of 0.3 should be multiplied by the learning rate of 0.01 but is not, so each step "
                "shrinks the weights by 30 %. This library multiplies, so a decay of 30 has the same effect here."
            ),
            source=(
                "GitHub tensorflow/addons#2282 and pytorch/pytorch#38853: is it multiplied by the learning rate or not?"
            ),
            place="training",
            lines=("AdamW(0.01, weight_decay=30.0)", "AdamW(0.01, weight_decay=0.01)"),
            prepare=tanh_hidden,
            change=with_settings(optimizer=AdamW(0.01, weight_decay=30.0)),
            finding="strong-regularizer",
            also=("no-better-than-one-answer",),
            mend="Look up the convention; `net.translate` states it.",
        ),
        Mistake(
            name="stopped-early",
            title="Training stopped too early",
            what="Training ends after a few epochs, while the objective still decreases fast.",
            source=(
                "scikit-learn's ConvergenceWarning: maximum iterations reached and the optimization hasn't "
                "converged yet"
            ),
            place="training",
            lines=("epochs=2", "epochs=80"),
            change=with_settings(epochs=2),
            finding="still-falling",
            mend="Train for more epochs.",
        ),
        Mistake(
            name="by-heart",
            title="Overfitting: too many epochs on too few rows",
            what=(
                "The network memorizes forty rows, some with wrong targets, and the validation loss increases again."
            ),
            source='Prechelt 1998, "Early Stopping - But When?"',
            place="training",
            lines=("epochs=1500", "epochs=1500, callbacks=[EarlyStopping(patience=30)]"),
            prepare=overfitting_data,
            change=unchanged,
            finding="overfitting",
            mend="callbacks=[EarlyStopping()], more rows, or a regularizer.",
        ),
        Mistake(
            name="rate-decayed-away",
            title="Learning rate that decays to nothing",
            what="The rate is multiplied by 0.98 in each step instead of each epoch, and is gone after 20 epochs.",
            source="Keras' ExponentialDecay counts steps; PyTorch's ExponentialLR is stepped once per epoch",
            place="training",
            lines=("Adam(Exponential(0.001, factor=0.98))", "Adam(0.01)"),
            change=with_settings(optimizer=Adam(Exponential(0.001, factor=0.98))),
            finding="rate-decayed",
            mend="Choose the factor so that the rate lasts as long as the training.",
        ),
        Mistake(
            name="unfinished-warm-up",
            title="Warm-up that is longer than the training",
            what="The warm-up was chosen for a training of a hundred thousand steps; this one has a thousand.",
            source='Popel & Bojar 2018, "Training Tips for the Transformer Model", section 4.6, on warm-up steps',
            place="training",
            lines=("Adam(WarmUp(0.01, steps=100_000))", "Adam(0.01)"),
            change=with_settings(optimizer=Adam(WarmUp(0.01, steps=100_000)), epochs=40),
            finding="warm-up-unfinished",
            mend="Use a tenth of the training's steps or less.",
        ),
        Mistake(
            name="large-eps",
            title="Adam with eps of 1",
            what="eps is larger than any gradient, so Adam's steps shrink with the gradient.",
            source="TensorFlow's documentation of Adam: 1.0 or 0.1 for Inception, while 1e-7 is the default",
            place="training",
            lines=("Adam(0.001, eps=1.0)", "Adam(0.01)"),
            change=with_settings(optimizer=Adam(0.001, eps=1.0)),
            finding="large-eps",
            mend="Use the default, 1e-8.",
        ),
        Mistake(
            name="large-momentum",
            title="Momentum near 1",
            what="The momentum averages two thousand steps, so that it overshoots every minimum.",
            source="Goodfellow et al. 2016, section 8.3.2: common values are 0.5, 0.9 and 0.99",
            place="training",
            kind="numbers",
            lines=("Momentum(0.01, momentum=0.9995)", "Momentum(0.01, momentum=0.9)"),
            prepare=tanh_hidden,
            change=with_settings(optimizer=Momentum(0.01, momentum=0.9995), epochs=30),
            finding="large-momentum",
            also=("learning-rate-too-large",),
            mend="Use 0.9.",
        ),
        Mistake(
            name="impatient-stopping",
            title="Early stopping with a patience of 1",
            what="The first epoch without a better validation loss ends the training.",
            source='Prechelt 1998, "Early Stopping - But When?": the validation error has many local minima',
            place="training",
            kind="softmax",
            lines=("EarlyStopping(patience=1)", "EarlyStopping(patience=30)"),
            prepare=with_noisy_steps,
            change=impatient,
            finding="patience-too-short",
            mend="Use a patience of 10 epochs or more.",
        ),
    )
}

# How to change the correct setup as well, if it differs from the wrong one in more than the mistake.
CORRECTIONS: dict[str, Callable[[Setup], Setup]] = {"by-heart": with_early_stopping}


def mistake_named(name: str) -> Mistake:
    """Return the mistake with this name.

    Raises
    ------
    InputError
        If there is no mistake with this name; the message suggests the most similar name.

    Examples
    --------
    >>> mistake_named("uphill").title
    'Wrong sign of the update'
    """
    return entry_named("mistake", name, MISTAKES)


def both(mistake: Mistake, setup: Setup) -> tuple[Setup, Setup]:
    """Return the setup with the mistake and the correct setup."""
    prepared = mistake.prepare(setup)
    return mistake.change(prepared), CORRECTIONS.get(mistake.name, unchanged)(prepared)


def suits(mistake: Mistake, loss: Loss) -> bool:
    """Whether a mistake applies to networks with this loss."""
    by_kind = {
        "": True,
        "numbers": isinstance(loss, SquaredError),
        "softmax": loss.is_multiclass,
        "classes": loss.is_classification,
    }
    return by_kind[mistake.kind]
