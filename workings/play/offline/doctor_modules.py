"""The doctor without a server: the checks of ``workings.checks``, translated to JavaScript.

Nothing is written twice: ``translation.py`` translates the checks with all that they use, except the network and its
training, which ``doctor-network.js`` has around the programs of the page.
"""

from __future__ import annotations

import numpy as np

from workings.checks.change_code import ABOVE, MODULES, defines
from workings.play.offline.translation import ModuleTranslation, Thing

WITHIN = ("workings.checks.", "workings.play.advice", "workings.metrics", "workings.tables.", "workings.errors",
          "workings.model.targets")  # fmt: skip
NETWORK = {
    "workings.layers": ("FullyConnected", "Dense", "BatchNorm", "Dropout", "number_layers"),
    "workings.activations": ("ACTIVATIONS",),
    "workings.losses": ("SquaredError",),
    "workings.regularizers": ("L2",),
    "workings.optimizers": ("Adam", "Chain", "Freeze", "LBFGS", "Part", "RateFactors", "SGD"),
    "workings.schedules": ("Constant", "Schedule", "WarmUp", "monitor_of", "schedule_of"),
    "workings.model.model": ("Model",),
    "workings.training.rows": ("Rows",),
    "workings.training.recipe": ("Recipe",),
    "workings.training.history": ("History",),
    "workings.training.fit": ("train",),
    "workings.engines.reference": ("Runner",),
    "workings.support.arrays": ("as_random",),
    "workings.support.sparse": ("dense",),
    "workings.errors": ("DivergenceError",),
    "workings.checks.evidence": ("trace_of",),
    "workings.checks.measures": ("row_keys",),
    "workings.checks.curvature": ("sharpness",),
    "workings.checks.rates": ("twelve_digits",),
    "workings.checks.change_code": ("with_imports",),
    "workings.checks.suggested_code": ("Code", "of_the_library"),
}
NEVER = {"workings.checks.split.check_split": "never"}  # the page hands the doctor no rows for validation
ROOTS = (
    ("workings.checks.evidence", "Case"),
    ("workings.checks.suggested_code", "SuggestedCode"),
    ("workings.checks.known_training", "known_training"),
    ("workings.checks.doctor", "checks_for"),
    ("workings.checks.doctor", "run_checks"),
    ("workings.play.advice", "described"),
    ("workings.play.advice", "history_of"),
)


def checks_module() -> str:
    """Return the module with all checks of the doctor."""
    given = {f"{module}.{name}": name for module, names in NETWORK.items() for name in names}
    translation = ModuleTranslation(WITHIN, given | NEVER)
    names = [translation.add(Thing(*root)) for root in ROOTS]
    imported = ", ".join(sorted(translation.used - {"never"}))
    return "\n".join([
        "// The checks of the doctor, translated from the Python modules of `workings.checks`.",
        'import * as np from "./more-arrays.js";',
        'import * as $ from "./python.js";',
        f'import {{ {imported} }} from "./doctor-network.js";',
        "", "const never = () => [];", "", *translation.lines(), f"export {{ {', '.join(names)} }};", "",
    ])  # fmt: skip


def tables_module() -> str:
    """Return the module with the first states of NumPy's random generator, and the names that users import."""
    states = {seed: np.random.PCG64(seed).state["state"] for seed in (0, 1)}
    texts = {seed: [str(state["state"]), str(state["inc"])] for seed, state in states.items()}
    importable = {
        path: sorted({*ABOVE[path], *(name for module in modules for name in vars(module) if defines(module, name))})
        for path, modules in MODULES.items()
    }
    return f"export const states = {texts};\n\nexport const importable = {importable};\n"
