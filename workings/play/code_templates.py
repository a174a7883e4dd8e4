"""The library code of the page as templates: Python fills them, and so does the page without a server."""

from __future__ import annotations

CODE = {
    "training": """\
from workings import {names}
{schedule}{data}
net = Network({layers}, {parts}, seed={seed})
history = net.fit(X[:{training}], y[:{training}], optimizer={optimizer}, epochs={epochs},
                  batch_size={batch_size}{validation})
""",
    "schedule": "from workings.schedules import {name}\n",
    "validation": ", validation=(X[{training}:], y[{training}:])",
    "generated": """\
from workings.play.play_data import generate
from workings.play.session_settings import Settings
data = generate(Settings(data={data}, rows={rows}, noise={noise}, data_seed={data_seed})).with_features({features})
X, y = data.inputs(data.raw), data.y""",
    "literal": """\
import numpy as np
X = np.array({X})
y = np.array({y})""",
    "columns": "\nX = X[:, {places}]",
    "features": """
from workings.play.play_data import FEATURES
X = np.column_stack([FEATURES[name](X[:, 0], X[:, 1]) for name in {features}])""",
    "table": """\
import numpy as np
from workings.tables import Preprocessing, read_table
table = read_table({file}){dropped}
learned = Preprocessing.learn(table, {target}, impute={impute})
X, y = learned.transform(table), np.asarray(learned.targets(table))
order = np.random.default_rng(0).permutation(len(y))
X, y = X[order], y[order]""",
}
