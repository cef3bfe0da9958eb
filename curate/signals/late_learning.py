"""Whether the label was learned as late as wrong labels are: from the shape of the whole learning curve."""

import numpy as np

SAMPLE = 20_000
"""Curves, at most, that the two clusters are found from."""
SMOOTHEST = 1e-2
"""Added to the variance of every epoch, so that sets that are learned in one epoch have clusters, too."""


def late_learning(margins: np.ndarray | None) -> np.ndarray | None:
    """Probability, 0 to 1, that a learning curve is of the cluster that is learned late: shape (N,).

    Curves of margins fall into two clusters, of labels that were learned early and late; a mixture of two Gaussians
    finds them. `margins`: as for `training_margin`. NaN for images that were not trained on. All 0.5 where there
    are too few curves for clusters, or all are alike.
    Sources: Arazo et al. 2019, "Unsupervised Label Noise Modeling and Loss Correction" (mixture over losses); the whole
    curve in place of one loss: Kim et al. 2023, "Learning Discriminative Dynamics with Label Corruption for Noisy Label
    Detection".
    """
    if margins is None:
        return None
    late = np.full(len(margins), np.nan)
    rows = np.flatnonzero(~np.isnan(margins).all(axis=1))
    curves = _filled(margins[rows].astype(np.float64))
    if len(rows) < 20 or (curves == curves[0]).all():
        late[rows] = 0.5
        return late
    from sklearn.mixture import GaussianMixture

    spread = np.maximum(curves.std(axis=0), 1e-6)
    curves = (curves - curves.mean(axis=0)) / spread
    low, high = np.quantile(curves.mean(axis=1), [0.05, 0.7])
    start = np.array([np.full(curves.shape[1], low), np.full(curves.shape[1], high)])
    mixture = GaussianMixture(2, covariance_type="diag", means_init=start, reg_covar=SMOOTHEST, random_state=0)
    mixture.fit(curves[:: -(-len(curves) // SAMPLE)])
    cluster = int(mixture.means_.mean(axis=1).argmin())
    late[rows] = mixture.predict_proba(curves)[:, cluster]
    return late


def _filled(curves: np.ndarray) -> np.ndarray:
    """Epochs without the image take the margin of the last one with it, or the first after: an image is left out of an
    epoch because it is known. Shape (N, E)."""
    for columns in (range(1, curves.shape[1]), range(curves.shape[1] - 2, -1, -1)):
        step = 1 if columns.step > 0 else -1
        for column in columns:
            missing = np.isnan(curves[:, column])
            curves[missing, column] = curves[missing, column - step]
    return curves
