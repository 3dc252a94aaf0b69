"""Evaluation of generated partners: metrics, baselines, confidence intervals and reports.

`features`, `frechet`, `classifier_two_sample_test`, `beat_metrics`, `plausibility` and `interaction` are the metrics,
gathered by `partner_metrics` and compared with `real_reference`; `baselines` and `nearest_neighbour` generate other
partners; `partner_evaluation` runs all of it, `report` prints it, and `partner_model` is what models call.
"""
