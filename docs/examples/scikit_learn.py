"""scikit-learn: a classifier, its calibrated version, and one small tree distilled from it."""

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split
from sklearn.tree import DecisionTreeRegressor

import rdstats

images, labels = load_digits(return_X_y=True)
x, x_test, y, y_test = train_test_split(images, labels, test_size=0.5, stratify=labels, random_state=0)

forest = RandomForestClassifier(50, random_state=0).fit(x, y)
calibrated = CalibratedClassifierCV(RandomForestClassifier(50, random_state=0), cv=3, ensemble=False).fit(x, y)
# the tree learns the forest's probabilities, not the labels
tree = DecisionTreeRegressor(max_depth=8, random_state=0).fit(x, forest.predict_proba(x))

predicted = forest.predict(x_test)
distilled = forest.classes_[tree.predict(x_test).argmax(1)]
to_calibrated = rdstats.compare(predicted, calibrated.predict(x_test), labels=y_test)
to_distilled = rdstats.compare(predicted, distilled, labels=y_test)
print(f"Calibrated\n{to_calibrated.summary()}\n\nDistilled\n{to_distilled.summary()}")

# the counts are scikit-learn's, and every image that both models get right is known to be
counts = to_distilled.cube
both = (predicted == y_test) & (distilled == y_test)
assert np.array_equal(counts["confusion"], confusion_matrix(y_test, distilled))
assert np.array_equal(counts["both_correct"], np.bincount(y_test[both], minlength=10))
