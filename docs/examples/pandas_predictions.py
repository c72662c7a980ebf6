"""pandas: a frame of predictions, one column a model, compared as it is and through files."""

import numpy as np
import pandas as pd

import rdstats

rng = np.random.default_rng(0)
label = pd.Series(rng.choice(["cat", "dog", "owl"], 900, p=[0.4, 0.4, 0.2]))
hard = label.map({"cat": 0.5, "dog": 1, "owl": 2})
frame = pd.DataFrame({"label": label})
for model, error in {"dense": 0.08, "quantised": 0.10, "pruned": 0.20}.items():
    frame[model] = label.where(rng.random(900) > error * hard, rng.permutation(label))

results = {}
results["quantised"] = rdstats.compare(frame["dense"], frame["quantised"], labels=frame["label"])
results["pruned"] = rdstats.compare(frame["dense"], frame["pruned"], labels=frame["label"])
print(results["pruned"].summary())
print(results["pruned"].table("classes")[["class_name", "change", "lower", "upper", "p_corrected"]])

# one file for all models: the column of labels and the network before are known by their names
frame.to_csv("predictions.csv", index=False)
frame.to_parquet("predictions.parquet")
cube = rdstats.import_files("predictions.parquet").cube()
slopes = rdstats.slopes(cube)["slope"]
for model, result in results.items():
    assert slopes.sel({"method": model}).item() == result["slope"].value
