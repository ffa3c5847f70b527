# ---
# jupyter:
#   cxr:
#     records:
#     - phantom-localisation
#   jupytext:
#     formats: ipynb,py:percent
#     notebook_metadata_filter: cxr
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Start here
#
# **Question.** How does one get from a chest radiograph to a statement such as "the network finds this disease in 95 % of patients, give or take"?
#
# **Answer.** In seven steps: images, split, training, measures, a look at where the network looks, an interval, a threshold. This page takes each in a few lines that you can change.
#
# **How sure.** The radiographs here are **phantoms**: drawings by a program, without any patient. So the network's task is easy, the truth is known, and nothing here says anything about medicine. All other pages are about real radiographs.
#
# You need to know a little Python, and what a ROC curve is. There are five exercises; a cell checks each answer.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "In Colab: fetch the companion", "code_prompt_hide": "In Colab: fetch the companion"}
# @title In Colab: fetch the companion
import os as _os
import sys as _sys

if "google.colab" in _sys.modules and not _os.path.exists("../cxrlib"):
    raise SystemExit("The companion has no address yet: this cell will fetch it once published.")

# %% tags=["parameters", "hide-input"] mystnb={"code_prompt_show": "Parameters", "code_prompt_hide": "Parameters"}
from typing import Literal

# recorded: read a finished training; phantom: train here, which needs PyTorch
origin: Literal["recorded", "phantom"] = "recorded"
seed: int = 0  # of the split
level: float = 0.95  # of the intervals

# %%
import tempfile

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import cxrlib
from companion import parameters
from cxrlib import plots, records
from cxrlib.data import covid_chestxray, kermany, phantom

parameters.check(globals())

# %% [markdown]
# ## 1. Images
#
# One phantom first. The program draws a chest, and then, where we ask for it, an opacity: an area that is brighter than air should be. It also returns where the opacity is.

# %% mystnb={"figure": {"caption": "A phantom radiograph and, as a line, the edge of its opacity."}, "image": {"alt": "A drawn chest radiograph beside the same one with a line around a bright area in one lung."}}
drawn = phantom.radiograph(np.random.default_rng(7), opacity="focal")
left, right = plots.radiographs([drawn.image, drawn.image], ["A phantom", "its opacity"])[:2]
right.contour(drawn.opacity, levels=[0.5], colors="#E69F00")
plt.show()

# %% [markdown]
# Now 600 of them, in four classes that are named as in the thesis of Study B. They are written as files, in the layout of the two public collections that the thesis used. So the functions that read the real collections read these too. The result is a **manifest**: a table with a row for each image.

# %%
folder = tempfile.mkdtemp(prefix="phantoms-") + "/data"
truth = phantom.write(folder, n=600, size=96)  # also writes down where each opacity is
read = [covid_chestxray.read_manifest(folder, "6e57ed3"), kermany.read_manifest(folder)]
manifest = pd.concat(read).merge(truth[["image_id", "class", "opacity_mask"]], on="image_id")
manifest[["image_id", "patient_id", "class"]].sample(5, random_state=1)

# %%
files = [f"{folder}/{path}" for path in manifest["path"]]
pixels = np.stack([cxrlib.read_radiograph(file) for file in files])  # (N, H, W), uint8
labels = manifest["class"].to_numpy()
CLASSES = ["covid", "viral", "bacterial", "normal"]
print(pixels.shape, pixels.dtype, "from", pixels.min(), "to", pixels.max())

# %% mystnb={"figure": {"caption": "One phantom of each class."}, "image": {"alt": "Four drawn chest radiographs: opacities in both lungs, patches all over, one dense area, and clear lungs."}}
first = [np.flatnonzero(labels == name)[0] for name in CLASSES]
plots.radiographs(pixels[first], [plots.label(name) for name in CLASSES])
plt.show()

# %% [markdown]
# ## 2. Split
#
# Some patients have several images. If one of them is trained on and another tested, the network may recognise the patient instead of the disease. So we draw **patients** for the test set, not images.

# %%
split = cxrlib.split_by_patient(manifest, test_images=127, seed=seed)
cxrlib.leakage(manifest, split)

# %% [markdown]
# Of the rest, a tenth of the patients is set aside for **validation**: to choose the epoch of training that we keep. The test images must not choose anything.

# %%
rest = split == "train"
fold = cxrlib.fold_by_patient(manifest[rest], labels[rest], n=10, seed=seed)
split[fold.index[fold == 0]] = "val"
pd.crosstab(split, labels, rownames=["part"], colnames=["class"])[CLASSES]

# %% [markdown]
# **Exercise 1.** Somebody draws 127 *images* for the test set, as `by_image` does below. How many test images then belong to a patient who is also in training? (`cxrlib.leakage` counts them.)
#
# Put your answer in place of `None` and run the cell.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "How answers are checked (holds the answers)", "code_prompt_hide": "How answers are checked (holds the answers)"}
RIGHT = {
    1: lambda: cxrlib.leakage(manifest, by_image)["test_images_of_shared"],
    2: lambda: cxrlib.per_class(predictions).loc["weighted avg", "recall"],
    3: lambda: cxrlib.wilson(31, 31)[0],
    4: lambda: predictions.loc[predictions["y_true"] == "covid", "p_covid"].min(),
    5: lambda: 1 - 0.95 * 0.01 / 0.99,
}


def check(exercise, answer):
    """Compare an answer with the right one, which may differ in the fourth digit."""
    if answer is None:
        print("Not answered yet.")
    elif np.isclose(answer, RIGHT[exercise](), rtol=0, atol=0.0005):
        print("Right.")
    else:
        print("Not right. Try again, or open the solution below.")


# %%
chosen = np.random.default_rng(1).choice(len(manifest), size=127, replace=False)
by_image = pd.Series("train", index=manifest.index)
by_image.iloc[chosen] = "test"

answer_1 = None
check(1, answer_1)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution 1", "code_prompt_hide": "Solution 1"}
counted = cxrlib.leakage(manifest, by_image)
print(counted["test_images_of_shared"], "of 127 test images have a patient in training too.")

# %% [markdown]
# ## 3. Training
#
# With `origin = "phantom"` the next cell trains a ResNet-18 on small copies of these images, from random weights: one to two minutes on two processor cores. With `origin = "recorded"` it reads such a training from the repository, so that this page needs no PyTorch. That one had larger copies of the same 600 images, began with ImageNet's weights, and drew a split of its own by the same rule.

# %%
if origin == "phantom":
    small = np.stack([cxrlib.read_radiograph(file, size=64) for file in files])
    schedule = {"epochs": 4, "milestones": (3,), "lr": 0.01, "batch": 16, "weight_decay": 1e-4}
    config = cxrlib.Config(classes=tuple(CLASSES), size=64, **schedule)
    fitted = cxrlib.fit(config, small, labels, split.to_numpy())
    history, kept = fitted.history, fitted.kept_epoch
else:
    record = cxrlib.read_record("../results/phantom-localisation")
    history, kept = record.history, record.info["epochs"]["kept"]
    split = manifest["image_id"].map(record.split.set_index("image_id")["split"])

# %% mystnb={"figure": {"caption": "Loss and accuracy in each epoch, of training and validation images. The dotted line is the epoch that is kept."}, "image": {"alt": "Two charts over the epochs: the losses fall, the accuracies rise."}}
plots.learning_curves(history, kept)
plt.show()

# %% [markdown]
# ## 4. Measures
#
# The network gives each test image a probability for each class. This table is all that the rest of the page needs. If you have such a table of your own network, you can begin here.

# %%
if origin == "phantom":
    from cxrlib.transfer import resnet

    model = resnet.build("resnet18", len(CLASSES), fitted.kept)
    tested = manifest[split == "test"]
    predictions = tested[["image_id", "patient_id", "source"]].assign(split="test")
    predictions["y_true"] = tested["class"]
    p = cxrlib.predict(model, small[split == "test"])
    predictions[[f"p_{name}" for name in CLASSES]] = p
else:
    predictions = record.predictions
predictions.drop(columns=["source", "split"]).head(3).round(3)

# %% mystnb={"figure": {"caption": "Test images by true class (rows) and predicted class (columns)."}, "image": {"alt": "A confusion matrix of four classes with nearly all images on its diagonal."}}
matrix = cxrlib.confusion(predictions)
plots.confusion(matrix)
plt.show()

# %%
cxrlib.per_class(predictions)[["recall", "precision", "specificity", "auc"]].round(3)

# %% [markdown]
# **Exercise 2.** The *accuracy* is the share of all test images that are on the diagonal of the matrix. Compute it from `matrix`. (It is also one of the averages in the table above. Which?)

# %%
answer_2 = None
check(2, answer_2)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution 2", "code_prompt_hide": "Solution 2"}
print(f"{np.trace(matrix) / matrix.to_numpy().sum():.4f}, the weighted average of the recalls")

# %% [markdown]
# ## 5. Where does the network look?
#
# Grad-CAM computes a **map**: from which places of the image the score of a class comes. Here the true place is known, so the map can be judged. In the table below, `region` is the opacity's share of the picture, `inside` is the share of the map that lies on it, and `peak` says how often the map's highest point does. Chance would give `inside` about the value of `region`.

# %%
if origin == "phantom":
    at = np.flatnonzero((split == "test") & (labels == "bacterial"))
    maps = cxrlib.grad_cam(model, small[at], CLASSES.index("bacterial"), layer="layer3")
else:
    arrays, where = records.read_maps(record)
    known = pd.Index(manifest["image_id"]).get_indexer(arrays["image_id"])
    wanted = (labels[known] == "bacterial") & (arrays["split"] == "test")
    at, maps = known[wanted], arrays["cam"][wanted].astype(float)

# %% mystnb={"figure": {"caption": "Grad-CAM for bacterial pneumonia on a phantom of that class; the white line is the edge of the opacity."}, "image": {"alt": "A drawn radiograph under a coloured map that is red on and around the outlined opacity."}}
masks = [cxrlib.read_radiograph(f"{folder}/{manifest['opacity_mask'][i]}") > 127 for i in at]
ax = plots.overlay(pixels[at[0]], maps[0], title="Grad-CAM, bacterial pneumonia")
ax.contour(masks[0], levels=[0.5], colors="white")
plt.show()

# %%
if origin == "phantom":
    found = cxrlib.localise(maps, np.stack(masks))
else:
    ours = where["image_id"].isin(manifest["image_id"][at])
    found = where[ours & (where["kind"] == "opacity") & (where["stage"] == "trained")]
found[["region", "inside", "peak"]].mean().round(3)

# %% [markdown]
# The recorded network looks where it should. One that is trained here for four epochs classifies most images correctly too, but its maps lie on the opacity hardly more than by chance. A good score does not say why it is good, and a map that lies in the right place does not say that the network saw a disease. The page [Where does the network look?](05_study_b_gradcam.ipynb) asks this of real radiographs.
#
# ## 6. An interval
#
# Another 127 images would have given another number. How different? We draw **patients** again and again from those that we have, with replacement, and look at how the number moves (the bootstrap). The middle 95 % of these numbers is the interval.

# %%
cxrlib.bootstrap_by_patient(predictions, ["recall", "precision", "auc"], "covid", level=level)

# %%
cxrlib.bootstrap_by_patient(predictions, "accuracy", level=level)

# %% [markdown]
# **Exercise 3.** All COVID-19 phantoms of some test sets are recognised: a recall of 1. That does not make it certain. Suppose that 31 of 31 patients were recognised. What is the lower end of Wilson's 95 % interval? (`cxrlib.wilson`)

# %%
answer_3 = None
check(3, answer_3)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution 3", "code_prompt_hide": "Solution 3"}
low, high = cxrlib.wilson(31, 31)
print(f"{low:.3f}: up to one patient in nine may be missed.")

# %% [markdown]
# ## 7. A threshold, and what it is worth
#
# The network gives a probability; a decision needs a **threshold**. A low one finds more of the ill and calls more of the others ill, too.

# %%
thresholds = pd.Index([0.001, 0.01, 0.1, 0.5, 0.9, 0.99], name="threshold")
points = [cxrlib.operating_point(predictions, "covid", t) for t in thresholds]
table = pd.DataFrame(points, thresholds)
table[["TP", "FN", "FP", "TN", "sensitivity", "specificity"]].round(3)

# %% [markdown]
# **Exercise 4.** What is the highest threshold at which every COVID-19 phantom of the test set is found? (Sensitivity 1. Look at `predictions`.)

# %%
answer_4 = None
check(4, answer_4)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution 4", "code_prompt_hide": "Solution 4"}
ill = predictions.loc[predictions["y_true"] == "covid", "p_covid"]
print(f"{ill.min():.4f}, the lowest p of a COVID-19 phantom. Chosen on the test set, it looks")
print("better than it will be on other images: a threshold should be chosen on validation images.")

# %% [markdown]
# Of those whom the test calls ill, how many are? That is the **positive predictive value**, PPV. It depends on how many are ill at all, the prevalence.

# %%
for prevalence in (0.5, 0.1, 0.01, 0.001):
    ppv, npv = cxrlib.at_prevalence(sensitivity=0.95, specificity=0.95, prevalence=prevalence)
    print(f"prevalence {prevalence:5.1%}: PPV {ppv:.3f}")

# %% [markdown]
# **Exercise 5.** A test has sensitivity 0.95. One in a hundred is ill. Which specificity does it need, so that half of those called ill are ill? (PPV = 0.5. Compute it, or try values.)

# %%
answer_5 = None
check(5, answer_5)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution 5", "code_prompt_hide": "Solution 5"}
specificity = 1 - 0.95 * 0.01 / 0.99  # as many false alarms as ill people found
ppv, _ = cxrlib.at_prevalence(0.95, specificity, 0.01)
print(f"{specificity:.4f}; then the PPV is {ppv:.3f}.")

# %% [markdown]
# ## Where next
#
# - [Four classes](04_study_b_four_classes.ipynb) does the same with the real radiographs of Study B.
# - [Move the threshold](20_explorer.ipynb) has step 7 as a chart that you can move.
# - [What the library offers](../book/api.md) lists every function used here.
# - [Evaluate your own](../book/evaluate.md) takes the predictions of your own network.
# - [Adapt it](../book/adapt.md) says what to change for another paper.
