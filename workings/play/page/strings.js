// All words of the page in one place.  What the page shows of data, statements, findings and lessons comes from Python.

export const hints = {
  run: "Train: make many steps, one frame after the other. Press again to pause.",
  step: "Make one training step: one batch, one update of all weights.",
  epoch: "Train on every row once.",
  reset: "Return to the initial weights. The random seed decides them.",
  speed: "Number of steps before the page is drawn again.",
  data: "The points to learn. The network never trains on the validation points.",
  rows: "Number of points.",
  noise: "How far the points are scattered. Noise makes the classes overlap.",
  data_seed: "The random seed of the points: another number gives other points of the same kind.",
  held_out:
    "The fraction of the points kept for validation. They show whether the network has learned the rule " +
    "or only the training points.",
  features: "The inputs of the network, computed from each point. More features make the problem easier.",
  optimizer:
    "The rule that turns gradients into changes of the weights. With LBFGS, SciPy chooses each step, on all rows: " +
    "there is no learning rate, and no statement of an update.",
  optimizer_static:
    "The rule that turns gradients into changes of the weights. LBFGS needs the version with Python, because SciPy " +
    "makes its steps.",
  lr: "Learning rate: the size of the steps. Too small is slow, too large does not converge.",
  schedule: "How the learning rate changes during training.",
  schedule_steps: "Over how many steps the learning rate changes.",
  batch_size: "Rows in each step. Small batches are noisy and cheap; 0 uses all rows.",
  regularizer: "A penalty on large weights. L2 shrinks all weights, L1 sets some to 0.",
  lam: "λ, the strength of the penalty.",
  loss: "What training minimizes. “auto” is the usual loss for these targets.",
  seed: "The random seed of the initial weights and of the order of the rows.",
  units: "Number of units in this layer.",
  activation: "The function each unit applies to its weighted sum. Without one, further layers add nothing.",
  dropout:
    "Dropout: the probability that a unit is set to 0 in a training step, so that no unit depends on " +
    "a single other one. Dashed borders show it.",
  batch_norm:
    "Batch normalization: scale each unit's values to mean 0 and variance 1 over the batch. " +
    "A bar below the units shows it.",
  add_layer: "Add a hidden layer before the output.",
  remove_layer: "Remove the last hidden layer.",
  edge:
    "A weight: orange is positive, blue is negative, thick is large. Click to open it, " +
    "or drag up and down to change it.",
  unit: "A unit: its value at each point of the plane. Orange is positive, blue is negative. Click to open it.",
  screen: "The prediction at each point of the plane. Click a point to follow its numbers. With the keyboard: arrow keys, Enter.",
  screen_keys: "The arrow keys move a cross, with Shift further. Enter chooses the nearest point, or adds one.",
  travel: "Go back to any moment of this run. Training continues from there.",
  statement: "Walk through the next step, statement by statement, as the program runs it.",
  theme: "Switch between light and dark.",
  help: "Show the keyboard shortcuts.",
  profile: "The loss as a function of this weight alone. The straight line is the tangent: its slope is the gradient.",
  validation: "Show the validation points, as rings.",
};

export const words = {
  title: "Workings playground",
  run: "Run", pause: "Pause", reset: "Reset", steps: "Step", epochs: "Epoch", parameters: "Weights",
  data: "Data", network: "Network", output: "Output", statement: "Step by step", selected: "Selected",
  features: "Features", close: "Close", none: "none",
  dropout: "dropout", no_dropout: "no dropout", drop: "drop", no_drop: "drop 0",
  batch_norm: "batch norm", norm: "norm",
  busy: "Computing …", needs_python: (name) => `${name}: needs Python`,
  hint: "Point at anything, or move to it with Tab, to read what it does.",
  nothing: "Click a unit, a connection or the loss to open it here.",
  needs_python_files:
    "The NumPy script, LaTeX and other model files need the version with Python: " +
    "pip install 'workings[play,cli]', then workings play.",
  closed: "The server has ended, so nothing can be computed any more. Start it again and reload the page.",
  with_key: (hint, key) => `${hint} Key: ${key}.`,
};

// The names of the settings, as labels of their controls.
export const names = {
  rows: "Points", noise: "Noise", data_seed: "Seed", held_out: "Held out for validation",
  optimizer: "Optimizer", lr: "Learning rate", schedule: "Schedule", schedule_steps: "over steps",
  batch_size: "Batch size", regularizer: "Penalty", lam: "λ", loss: "Loss", seed: "Seed of weights",
  speed: "Steps per frame",
};

// -- the bars at the top, and the keyboard ---------------------------------------------------------

export const transport = {
  group: "Training", step: "One step", epoch: "One epoch", dark: "Dark colours", light: "Light colours",
  help: "Keyboard shortcuts", space: "Space",
};
export const training = {
  group: "Settings of the training", all_rows: "all rows", auto: (loss) => `auto: ${loss}`,
};
export const shortcuts = [
  ["Space", "run or pause"],
  ["S", "one step"],
  ["E", "one epoch"],
  ["R", "reset"],
  ["N", "next statement"],
  ["B", "statement before"],
  ["L", "open the loss"],
  ["T", "light or dark"],
  ["?", "this list"],
  ["0 to 9", "add points of this class to the plane; again to end"],
  ["Arrow keys, Enter", "in the plane: move the cross; choose or add a point"],
  ["Arrow keys", "move between units in the network"],
  ["Enter", "open the unit"],
];

// -- data ------------------------------------------------------------------------------------------

export const data = {
  sets: "Data set", tables: "Tables and images", open: "Open a table …",
  open_hint: "Open a CSV or Parquet file of your own, or drop it on the page. It stays on this computer.",
  open_hint_static: "Open a CSV file, or drop it on the page. It stays on this computer.",
  across: "across", up: "up",
  axes_hint: "The columns that the plane shows. All other columns keep their means there.",
};
export const table = {
  title: "Which column is the target?", target: "Target", open: "Open", cancel: "Cancel",
  columns: (name, count) => `${name} has ${count} columns. All others become inputs.`,
  fill: "Fill missing values without marking them",
  // Without Python, the page reads small tables itself.
  about: (rows, inputs, reason) => `${rows} rows, ${inputs} inputs; ${reason}`,
  without: (columns) => `; without ${columns}`,
  left_out: (column, why) => `${column} (${why})`,
  notation: "dates or numbers in another notation, which need the version with Python", empty: "no values",
  nearly_empty: "hardly any values", constant: "the same value in every row", row_numbers: "it numbers the rows",
  row_names: "it names the rows",
  classification: (name, count) => `the target ${name} has ${count} classes`,
  regression: (name) => `the target ${name} is a number`,
  ends: (name) => `A table ends in .csv, .tsv or .txt here, not as in ${name}; Parquet needs the version with Python.`,
  encoding: (name) => `${name} is not a text in UTF-8.`,
  one_column: (name) => `${name} has one column only; a table has commas, semicolons or tabs between its columns.`,
  ragged: (name, row, cells, columns) => `Row ${row} of ${name} has ${cells} cells, but the header has ${columns}.`,
  quotes: (name, row) => `Row ${row} of ${name} has a quotation mark in a wrong place.`,
  header: (name, column) => (column ? `${name} has two columns with the name ${column}.` : `A column of ${name} has no name.`),
  no_column: (name, column) => `${name} has no column ${column}.`,
  row_count: (name, rows, most) => `${name} has ${rows} rows; the playground takes 2 to ${most}.`,
  no_inputs: (name) => `${name} has no column to learn from, beside the target.`,
  too_many_columns: (columns, most) => `The table becomes ${columns} inputs; the playground takes at most ${most}.`,
  stray: (name, text, row) => `Text “${text}” in row ${row} of column ${name}: the other values are numbers. Correct it.`,
  target_notation: (name) =>
    `The target ${name} holds dates or numbers in another notation, which need the version with Python.`,
  too_large: (name) => `Column ${name} has values that are too large to standardize. Rescale it.`,
  no_target: (name, row) => `The target ${name} is missing in row ${row}: fill it in, or remove the row.`,
  one_class: (name) => `The target ${name} has the same value in every row.`,
  too_many_classes: (name, classes, rows) => `The target ${name} has ${classes} different values in ${rows} rows: too many for classes.`,
};

// -- the network -----------------------------------------------------------------------------------

export const network = {
  fewer_layers: "− Layer", more_layers: "+ Layer", loss: "Loss",
  loss_hint: "Open the loss: its equation, with the numbers of the chosen row. Key: L.",
  image: "image", the_image: "The image", inputs: "inputs", input: "input", outputs: "outputs", output: "output",
  drawn: (units) => `Network: ${units.join(", ")} units`,
  hidden_layer: (k) => `Hidden layer ${k}`,
  fewer_units: (k) => `One unit less in layer ${k}`, more_units: (k) => `One unit more in layer ${k}`,
  activation_of: (k) => `Activation of layer ${k}`, dropout_of: (k) => `Dropout of layer ${k}`,
  batch_norm_in: (k) => `Batch normalization in layer ${k}`,
  input_named: (name) => `Input ${name}`, output_named: (name) => `Output ${name}`,
  unit: (layer, unit, traits) => `Layer ${layer}, unit ${unit}, ${traits.join(", ")}`,
};
export const comparison = {
  keep: "Compare",
  keep_hint:
    "Keep a copy of this network and its run. Then change settings here: both train side by side, " +
    "step by step, on the same data.",
  present: "This network", kept: "Kept network",
  swap: "Exchange", swap_hint: "Make the kept network the present one, to change and open it.",
  end: "End", end_hint: "End the comparison and discard the kept network.",
  same: "the same settings", this_short: "this", kept_short: "kept", measure: "measure",
  training_loss: "Training loss", validation_loss: "Validation loss",
  training_score: "Training score", validation_score: "Validation score",
  names: {
    hidden: "hidden layers", lr: "learning rate", optimizer: "optimizer", schedule: "schedule",
    schedule_steps: "steps of the schedule", regularizer: "penalty", lam: "λ", batch_size: "batch size", loss: "loss",
    seed: "seed", features: "features",
  },
};

// -- the output ------------------------------------------------------------------------------------

export const output = {
  validation_points: "validation points", row: "Row",
  row_hint: "The training row whose numbers the equations show. Click a point, or type its number.",
  target: (value) => `target ${value}`, target_class: (name) => `target class ${name}`,
  measures: "Loss and score", loss: "Loss", accuracy: "Accuracy", r2: "R²", training: "training",
    validation: "validation",
  kept_training: "training, kept", kept_validation: "validation, kept",
  travel: "Time travel", step: (step) => `step ${step}`,
  add: "Add points", add_label: "Add points:", low: "low", high: "high",
  add_hint: "Choose a class, then click on the plane to add points of it. The weights stay.",
  alternative: (rows, name, kind, score) =>
    `Prediction over the plane, with ${rows} points of ${name}, ${kind}. Training score ${score}.`,
  classes: (count) => `${count} classes`, regression: "a regression", unknown: "unknown",
};
export const plots = {
  epoch: "epoch", step: "step", logarithmic: (title) => `${title}, logarithmic`,
  described: (title, unit, end) => `${title} by ${unit}, up to ${unit} ${end}`,
  ends_at: (name, value) => `${name} ends at ${value}`,
};
export const pad = {
  hint: "Draw a digit with the mouse or a finger. With the keyboard: arrow keys, and Shift to draw.",
  keys: "The arrow keys move the brush; with Shift they draw. Enter draws a dot.",
  image: (side) => `Image of ${side} by ${side} pixels`,
  clear: "Clear", clear_hint: "An empty image, to draw on.",
  show_row: "Show the row", show_row_hint: "Show the chosen training row again.",
  probabilities: "Probability of each class",
};

// -- the inspector ---------------------------------------------------------------------------------

export const inspector = {
  title: "Inspector",
  selected_hint: "The unit, weight or loss that you opened.",
  doctor: "Doctor", doctor_hint: "What is wrong, in a sentence, with a button that makes the change.",
  lessons: "Lessons", lessons_hint: "Short lessons: each asks what you expect before it shows what happens.",
  taking: "Take along", taking_hint: "The network as code, as a file, as a link; or open your own.",
};
export const statement = {
  back: "‹ Back", back_hint: "The statement before. Key: B.",
  next: "Next ›", make_step: "Make the step ›", next_hint: "The next statement. Key: N.",
  where: (step, k, count, stage) => `Step ${step}, statement ${k} of ${count}. ${stage}.`,
  stages: "Stages of the step", of_stage: "Statements of this stage",
  equation_of: (name) => `Equation of ${name}`, values_of: (name) => `Values of ${name}`,
  more_rows: (count) => `and ${count} more rows`,
  moved: (row, place) => `The numbers are for row ${row}. In this batch its index is ${place}.`,
  absent: (chosen, row) =>
    `Row ${chosen} is not in this batch. The numbers are for row ${row}, the first of the batch.`,
};
export const unit = {
  title: (name, row) => `${name}, for row ${row}`, gone: "This unit no longer exists.",
  weights: "Weights into this unit: open one to change it",
  from_unit: (k) => `unit ${k}`, bias: "bias",
  weight_from: (entry, from) => `${entry}, from ${from}`,
  loss: (row) => `The loss, for row ${row}`,
};
export const weight = {
  set_to: "set to", drag: "Drag the weight", gradient: "Gradient", equation: "Equation of the gradient",
  by_backward: "gradient, by the backward pass", by_differences: "gradient, by finite differences",
  objective: "loss J, on the training set",
  profile: (entry, value, slope) => `The loss as a function of ${entry}; at ${value} its slope is ${slope}`,
  now: (entry, value, loss) => `${entry} = ${value}, loss ${loss}`,
  course: "Its value over the run",
  course_of: (entry, from, to) => `Value of ${entry} over the run, from ${from} to ${to}`,
  why: "How it affects the loss: one line for each path", paths: "Paths",
  paths_caption: "Paths from the weight to the loss", penalty: "the penalty",
  total: "total of all paths: the gradient", more: (count) => `and ${count} more paths`,
};
export const doctor = {
  waiting: "Diagnosing …", again: "Look again",
  again_hint: "Check the program, the data, the network and its training again.",
  as_of: (step) => `as of step ${step}`, checked: (checks) => `Checked: ${checks.join(", ")}.`,
  code: "The change in code",
};
export const lessons = {
  place: (k, count) => `${k} of ${count}`, training: "Training …",
  end: "End", back: "Back", next: "Next", done: "Done",
  predict: "First say what you expect. Then the page shows what happens.",
  right: "As you said.", wrong: (answer) => `It is: ${answer}.`,
  invitation: "Invitation", invite: "New here? A tour of five steps ends with a trained network.",
  decline: "No, thank you", accept: "Take the tour",
};
export const landscape = {
  title: "Landscape",
  tab: "The loss around the present weights, with the path taken, and the edge of stability.",
  directions: "Directions of the plane",
  kinds: {
    path: [
      "Along the path", "The plane that shows most of the run so far: its first two principal directions.",
    ],
    random: [
      "Random directions", "Two random directions; in each, the weights of a unit are as large as its own.",
    ],
  },
  again: "Compute again", as_of: (step) => `as of step ${step}`,
  none: "Make some steps, or choose random directions: then the loss around the present weights is computed here.",
  direction: (k) => `direction ${k}`,
  direction_with: (k, share) => `direction ${k}: ${share} % of the variance of the path`,
  alternative: (low, high, here) =>
    `Loss over a plane through the weights, from ${low} to ${high}; at the present weights ${here}`,
  low: (value) => `lowest loss ${value}`, high: (value) => `highest ${value}`,
  present: "present weights", ring: "ring: the first ones",
  edge: "The edge of stability", curvature: "largest curvature of the loss", limit: "limit: 2 / learning rate",
  random: "With dropout, the loss is random, so it has no curvature to measure.",
  no_rate: "L-BFGS has no learning rate, so there is no limit: SciPy chooses the length of each step.",
  below: "Below the limit: small steps along the gradient converge.",
  beyond: "Above the limit: steps along the steepest curve overshoot more each time.",
  rule:
    "Gradient descent on all rows is stable only where the largest curvature is below 2 / learning rate. " +
    "Training tends to move towards this limit.",
  other_rule:
    "The limit holds for gradient descent (SGD) on all rows. Other optimizers scale their steps, " +
    "and small batches are noisy.",
};
export const formats = {
  svg: "SVG", png: "PNG", safetensors: "safetensors", onnx: "ONNX", c: "C", json: "JSON", py: "Python without training",
  html: "HTML page", gif: "animated GIF",
};
export const taking = {
  code: "Code", model_file: "Model file", model_file_label: "Model file:",
  kinds: {
    script: [
      "NumPy script",
      "A program that needs NumPy alone: it begins with the weights shown here and goes on training.",
    ],
    library: ["Library code", "The same training from its beginning, with this library."],
    latex: ["Equations", "Every statement of a step in LaTeX."],
  },
  model_hint_static: "Download the network, to open it here or with the library.",
  model_hint: "Download the network. The file is run first, and its predictions are compared with these.",
  open: "Open a model …", open_hint: "Open a network that was saved as .safetensors, .json or .onnx.",
  link: "Copy link",
  link_hint: "Copy a link that holds all settings. It opens the same data and network, in any playground.",
  pictures: "Picture:", picture_hint: "Save a picture of the page, in its present colours.",
  names: {
    network: "the network", output: "the prediction", loss: "the curve of the loss",
    accuracy: "the curve of the accuracy", landscape: "the landscape",
  },
  replay: "Replay:",
  replay_hint: "The run so far as a small film: the prediction at each moment, beside the loss.",
  copy: "Copy", download: (name) => `Download ${name}`,
  restart: "Begin the same run here",
  restart_hint:
    "The script begins a new run: the optimizer's state is 0. Begin one here too, and both make the same steps, " +
    "to the last bit.",
};

export const replay = { // of the page without a server
  heading: "Replay of a training", about: "The network at each moment of its run, beside the loss and the score.",
  step: (step) => `step ${step}`, title: (step, score, value) => `step ${step}: ${score.toLowerCase()} ${value}`,
  curves: (title) => `${title}; dashed: validation`,
  nothing: "There is nothing to replay yet: make some steps first.", kind: (name) => `Unknown kind of replay ${name}.`,
};

// -- the museum ------------------------------------------------------------------------------------

export const museum = {
  title: "Museum", tab: "Common mistakes, each beside the right network; and a game.",
  absent: "The museum is not in this page. It opens with the command “workings play”.",
  gallery: "Gallery", gallery_hint: "Common mistakes, each trained beside the right network.",
  game: "Find it yourself", game_hint: "Which of four networks has the mistake?",
  places: {
    statement: "In the formulas", data: "In the data", settings: "In the settings", training: "In the training",
    code: "In your own code",
  },
  all: "‹ All mistakes", data: "Data", source: (text) => `Source: ${text}.`,
  wrong: "with the mistake", right: "without it",
  program: "All statements of a training step", code: "The whole program", mend: "How to fix it:",
  doctor: "What does the doctor find?", doctor_hint: "Diagnose the network with the mistake. It takes a few seconds.",
  check: "What does the gradient check say?", check_hint: "Compare the gradients with finite differences of the loss.",
  accuracy: (share) => `accuracy ${share} %`, r2: (value) => `R² ${value}`,
  prediction: (title, score) => `Prediction over the plane: ${title}, ${score}`,
  no_picture: "More than two inputs: no picture of the plane.", loss: "Loss",
  ended: (epochs) => `Training with the mistake ended after epoch ${epochs}.`,
  lines: "The wrong line and the right line",
  training: "Training both networks …", looking: "Diagnosing …", training_four: "Training four networks …",
  question: "Which network has a mistake?",
  rules:
    "In three of these four networks, every statement is right. In one of them, a statement is wrong. " +
    "Look at the curves, read the statements, and choose.",
  network: (letter) => `Network ${letter}`, read: (letter) => `Read ${letter}`,
  statements: (letter) => `Statements of network ${letter}`,
  this_one: "This one", not_this: "Not this",
  hint: "Give me a hint", hint_hint: "First the stage of the statement, then what the doctor finds.",
  reveal: "Show it", another: "Another game",
  missed: (letter) => `It is not network ${letter}.`,
  it_is: (letter, title) => `It is network ${letter}: ${title}.`,
};

// -- what the page says after an action ------------------------------------------------------------

export const notices = {
  too_large: (name) => `${name} is larger than 4 MB.`,
  opened: (name) => `Opened ${name}.`,
  downloaded: (files) => `Downloaded ${files.join(" and ")}.`,
  drawing: "Drawing the frames …", not_shown: "This picture is not on the page now.",
  link_copied: "The link is in the clipboard, and in the address bar.",
  link_without: (data) => `The link is in the clipboard, and in the address bar. It does not hold the data, ${data}.`,
  absent_data: (data) => `The data of the link, ${data}, is not here. All other settings are those of the link.`,
  code_copied: "The code is in the clipboard.",
  no_clipboard: "The browser does not allow copying; select the text instead.",
  restarted: "A new run has begun from these weights; the script makes the same steps.",
};

// -- what the page without a server says by itself; with a server, these sentences come from Python ----

export const refusals = {
  needs_python: (what) => `${what} the version with Python: pip install 'workings[play,cli]', then workings play.`,
  code: "Code needs", exports: "Exports need",
  museum: "The museum needs",
  action: (name) => `Unknown action ${name}.`,
  setting: (name) => `Unknown setting ${name}.`,
  choice: (name, value) => `Unknown ${name} ${value}.`,
  data: (name) => `Unknown data set ${name}.`,
  feature: (name) => `Unknown feature ${name}.`,
  number: (name, isWhole, low, high, value) =>
    `${name} must be a ${isWhole ? "whole " : ""}number from ${low} to ${high}, not ${value}.`,
  finite: (value) => `value must be a number, not ${value}.`,
  no_features: "The network needs at least one feature: switch one on.",
  layers: (most) => `A network has at most ${most} hidden layers.`,
  needs_classes: (loss, data) => `${loss} needs classes, and ${data} has numbers: choose SquaredError.`,
  one_output: (loss, classes) => `${loss} has one output; for ${classes} classes use CrossEntropy.`,
  batch: (rows, smallest) =>
    `BatchNorm needs at least 2 rows in every batch, but the last batch of ${rows} rows has ${smallest}; ` +
    "choose another batch size.",
  model_kind: (name) => `A model file ends in .safetensors or .json here, not as in ${name}.`,
  damaged: (name) => `${name} is damaged, or is not a Workings network.`,
  model_version: (name) => `${name} was written in another version of the format.`,
  model_layers: (name) =>
    `${name}: the playground shows networks of Dense layers, each perhaps with BatchNorm and Dropout after it, ` +
    "with the library's activations, losses and one penalty, and without preprocessing.",
  model_arrays: (name) => `The arrays in ${name} do not fit the network that it describes, or this data.`,
  model_inputs: (name, inputs, features) =>
    `The network in ${name} has ${inputs} inputs, and ${features.length} features are switched on: ` +
    `${features.slice(0, 10).join(", ")}. Choose data, and features, of which there are as many.`,
  mistake: (name) => `Unknown mistake ${name}.`, no_game: "There is no game yet; begin one.",
  directions: (value) => `Unknown directions ${value}: choose path or random.`,
  no_path: "The run has no path yet: make some steps, or choose random directions.",
  one_parameter: "A plane needs at least two parameters.",
  not_kept: "No network is kept for comparison.",
  moment: (count, moment) => `The run has ${count} moments, counted from 0; there is no ${moment}.`,
  point: "A point is two numbers and a target.", plane: "Points can be added to data in the plane only.",
  point_class: (last) => `The class of a point is a number from 0 to ${last}.`,
  points: (most) => `The playground takes at most ${most} points.`,
  not_images: "Only data of images can be drawn.",
  axes: (last) => `The axes must be two different columns from 0 to ${last}.`,
  row: (rows, row) => `There are ${rows} training rows, counted from 0; there is no row ${row}.`,
  statement: (count, index) => `The step has ${count} statements; there is no statement ${index}.`,
  parameter: (name, known) => `There is no parameter ${name}; there are ${known.join(", ")}.`,
  entry: (name, shape, index) => `${name} has shape (${shape}), counted from 0: it has no entry [${index}].`,
};
export const offline = {
  drawn: "Points that you have drawn.",
  diverged: (step, name) =>
    `Training diverged: in step ${step}, ${name} is not finite. Try a smaller learning rate.`,
  slope: (entry, value) => `finite difference of J with respect to ${entry}: ${value}`,
  all_agree: (count, error) => `; all ${count} entries agree to ${error}`,
  differ: (error) => `; GRADIENT AND FINITE DIFFERENCE DIFFER by ${error}`,
  no_edge: (seconds) => `but not the edge of stability, which takes more than ${seconds} seconds here (see Landscape)`,
};
