"""ONNX Runtime: a network exported to ONNX, and the same quantised to int8."""

import numpy as np
import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic
from skl2onnx import to_onnx
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

import rdstats

images, labels = load_digits(return_X_y=True)
images = (images / 16).astype(np.float32)
train, test = slice(0, None, 2), slice(1, None, 2)
network = MLPClassifier((32,), solver="lbfgs", max_iter=500, random_state=0).fit(images[train], labels[train])

with open("float.onnx", "wb") as file:
    file.write(to_onnx(network, images[:1]).SerializeToString())
quantize_dynamic("float.onnx", "int8.onnx", weight_type=QuantType.QInt8)


def predictions(path):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: images[test]})[0]


before, after = predictions("float.onnx"), predictions("int8.onnx")
result = rdstats.compare(before, after, labels=labels[test])
print(result.summary())

assert np.mean(before == network.predict(images[test])) > 0.99
assert result["churn"].value == np.mean(before != after)
