"""The judge of generated partners: what is measured of them, beside which baselines, with which certainty.

`features` and `frechet` say how near a partner's windows lie to real ones, `realness` whether a classifier can tell
them apart, `beats`, `physics` and `couple` what a dancer would see; `partners` and `stitching` are the baselines;
`figures` gathers all of it, `intervals` says how certain it is, and `judgement` lets every partner dance and judges it.
"""
