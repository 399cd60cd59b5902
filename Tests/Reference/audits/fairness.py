"""Writes Tests/AuditsTests/Goldens/fairness.json: what fairlearn 0.15 and AIF360 0.6 say of made-up rows.

    pip install fairlearn==0.15.0 aif360==0.6.1; python fairness.py ../../AuditsTests/Goldens/fairness.json
"""
import json, sys, warnings
import numpy as np, pandas as pd

warnings.filterwarnings("ignore")
from fairlearn import metrics as fl
from aif360.datasets import BinaryLabelDataset
from aif360.metrics import ClassificationMetric
from aif360.algorithms.preprocessing import Reweighing

NAMES = ["demographic_parity", "equal_opportunity", "equalized_odds"]
cases = []
for seed, groups, n in [(0, 2, 200), (1, 3, 157), (2, 5, 411), (3, 2, 60)]:
    r = np.random.default_rng(seed)
    a = r.integers(0, groups, n)
    y = (r.random(n) < 0.35 + 0.1 * a / groups).astype(int)
    p = (r.random(n) < 0.25 + 0.4 * y + 0.2 * a / groups).astype(int)
    case = {"groups": [f"g{v}" for v in a], "labels": y.tolist(), "outcomes": p.tolist(), "privileged": "g0", "expected": {}}
    for method in ["between_groups", "to_overall"]:
        expected = {}
        for name in NAMES:
            for kind in ["difference", "ratio"]:
                f = getattr(fl, f"{name}_{kind}")
                expected[f"{name}_{kind}"] = float(f(y, p, sensitive_features=a, method=method))
        case["expected"][method] = expected
    frame = pd.DataFrame({"a": (a == 0).astype(float), "y": y.astype(float)})
    true = BinaryLabelDataset(df=frame, label_names=["y"], protected_attribute_names=["a"])
    predicted = true.copy()
    predicted.labels = p.astype(float).reshape(-1, 1)
    privileged, unprivileged = [{"a": 1}], [{"a": 0}]
    m = ClassificationMetric(true, predicted, unprivileged_groups=unprivileged, privileged_groups=privileged)
    case["expected"]["signed"] = {
        "statistical_parity_difference": float(m.statistical_parity_difference()),
        "disparate_impact": float(m.disparate_impact()),
        "true_positive_rate_difference": float(m.true_positive_rate_difference()),
        "average_odds_difference": float(m.average_odds_difference()),
    }
    w = Reweighing(unprivileged_groups=unprivileged, privileged_groups=privileged).fit_transform(true)
    case["expected"]["reweighing"] = [float(v) for v in w.instance_weights]
    cases.append(case)
json.dump(cases, open(sys.argv[1], "w"))
