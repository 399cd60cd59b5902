"""Writes Tests/AuditsTests/Goldens/privacy.json: what pycanon 1.3 says of made-up rows.

    pip install pycanon==1.3.6; python privacy.py ../../AuditsTests/Goldens/privacy.json
"""
import json, sys
import numpy as np, pandas as pd
from pycanon import anonymity

cases = []
for seed, n, cells in [(0, 60, 3), (1, 200, 4), (2, 500, 5), (3, 40, 2)]:
    r = np.random.default_rng(seed)
    frame = pd.DataFrame({
        "age": [f"{v}0s" for v in r.integers(2, 2 + cells, n)],
        "place": [f"p{v}" for v in r.integers(0, cells, n)],
        "illness": [["flu", "cold", "ache", "none"][v] for v in r.choice(4, n, p=[0.5, 0.25, 0.15, 0.1])],
        "income": r.integers(1, 9, n) * 10.0,
    })
    quasi = ["age", "place"]
    expected = {"k": int(anonymity.k_anonymity(frame, quasi))}
    for name in ["illness", "income"]:
        alpha, _ = anonymity.alpha_k_anonymity(frame, quasi, [name])
        expected[name] = {
            "distinct": int(anonymity.l_diversity(frame, quasi, [name])),
            "entropy": int(anonymity.entropy_l_diversity(frame, quasi, [name])),
            "closeness": float(anonymity.t_closeness(frame, quasi, [name])),
            "alpha": float(alpha),
        }
    sizes = frame.groupby(quasi).size()
    expected["average"] = float((1 / sizes).mean())
    cases.append({"rows": frame.to_dict("list"), "expected": expected})
json.dump(cases, open(sys.argv[1], "w"))
